/* What -Z / --compress says. */
#include "archive/archive.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zstd.h>

static const struct method {
    const char *name;
    pgc_compression_method method;
    int lowest, highest, normal; /* levels; zstd's are asked of the library */
} methods[] = {
    {"none", PGC_COMPRESSION_NONE, 0, 0, 0},
    {"gzip", PGC_COMPRESSION_GZIP, 1, 9, -1},
    {"lz4", PGC_COMPRESSION_LZ4, 1, 12, 0},
    {"zstd", PGC_COMPRESSION_ZSTD, 1, 22, ZSTD_CLEVEL_DEFAULT},
};

/* One "name" or "name=value" of the detail. */
typedef struct item {
    char name[64];
    char value[64];
    bool has_value;
} item;

typedef struct detail {
    int level;
    bool has_level, long_distance, has_long, has_workers;
    int workers;
} detail;

#define REFUSE(err, ...) (pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "invalid compression specification: " __VA_ARGS__), -1)

static int read_integer(const item *item, int *value, pgconvoy_error *err)
{
    if (!item->has_value)
        return REFUSE(err, "compression option \"%s\" requires a value", item->name);
    char *end;
    long number = strtol(item->value, &end, 10);
    if (end == item->value || *end || number > INT_MAX || number < INT_MIN)
        return REFUSE(err, "value for compression option \"%s\" must be an integer", item->name);
    *value = (int)number;
    return 0;
}

static int read_boolean(const item *item, bool *value, pgconvoy_error *err)
{
    static const char *const words[] = {"no", "yes", "off", "on", "0", "1"};
    *value = true;
    if (!item->has_value)
        return 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(item->value, words[i]) == 0) {
            *value = i % 2 == 1;
            return 0;
        }
    return REFUSE(err, "value for compression option \"%s\" must be a Boolean value", item->name);
}

static int take_item(const item *item, detail *detail, pgconvoy_error *err)
{
    if (strcmp(item->name, "level") == 0) {
        detail->has_level = true;
        return read_integer(item, &detail->level, err);
    }
    if (strcmp(item->name, "workers") == 0) {
        detail->has_workers = true;
        return read_integer(item, &detail->workers, err);
    }
    if (strcmp(item->name, "long") == 0) {
        detail->has_long = true;
        return read_boolean(item, &detail->long_distance, err);
    }
    return REFUSE(err, "unrecognized compression option: \"%s\"", item->name);
}

static int read_detail(const char *text, detail *detail, pgconvoy_error *err)
{
    char *end;
    long level = strtol(text, &end, 10);
    if (end != text && !*end) {
        detail->has_level = true;
        detail->level = level > INT_MAX ? INT_MAX : level < INT_MIN + 1 ? INT_MIN + 1 : (int)level;
        return 0;
    }
    for (;;) {
        size_t whole = strcspn(text, ","), name = strcspn(text, ",=");
        item item = {.has_value = name < whole};
        if (name == 0)
            return REFUSE(err, "found empty string where a compression option was expected");
        snprintf(item.name, sizeof item.name, "%.*s", (int)name, text);
        if (item.has_value)
            snprintf(item.value, sizeof item.value, "%.*s", (int)(whole - name - 1), text + name + 1);
        if (take_item(&item, detail, err) != 0)
            return -1;
        if (!text[whole])
            return 0;
        text += whole + 1;
    }
}

static int check(const struct method *method, const detail *detail, pgconvoy_error *err)
{
    bool zstd = method->method == PGC_COMPRESSION_ZSTD;
    int lowest = zstd ? ZSTD_minCLevel() : method->lowest, highest = zstd ? ZSTD_maxCLevel() : method->highest;
    if (detail->has_level && method->method == PGC_COMPRESSION_NONE && detail->level != 0)
        return REFUSE(err, "compression algorithm \"%s\" does not accept a compression level", method->name);
    if (detail->has_level && (detail->level < lowest || detail->level > highest) && detail->level != method->normal) {
        return REFUSE(err, "compression algorithm \"%s\" expects a compression level between %d and %d (default at %d)", method->name, lowest, highest,
                      method->normal);
    }
    if (detail->has_workers && !zstd)
        return REFUSE(err, "compression algorithm \"%s\" does not accept a worker count", method->name);
    if (detail->has_workers && (detail->workers < 0 || detail->workers > 256))
        return REFUSE(err, "compression option \"workers\" must be between 0 and 256");
    if (detail->has_long && !zstd)
        return REFUSE(err, "compression algorithm \"%s\" does not support long-distance mode", method->name);
    return 0;
}

int pgc_compression_parse(const char *text, pgc_compression *compression, pgconvoy_error *err)
{
    char *end;
    long number = strtol(text, &end, 10);
    *compression = (pgc_compression){.level = PGC_COMPRESSION_DEFAULT};
    if (end != text && !*end) {
        if (number < 0 || number > 9) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "-Z/--compress must be in range 0..9");
            return -1;
        }
        compression->method = number ? PGC_COMPRESSION_GZIP : PGC_COMPRESSION_NONE;
        compression->level = (int)number;
        return 0;
    }
    size_t name = strcspn(text, ":");
    const struct method *method = NULL;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strlen(methods[i].name) == name && strncmp(methods[i].name, text, name) == 0)
            method = &methods[i];
    if (!method) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "unrecognized compression algorithm: \"%.*s\"", (int)name, text);
        return -1;
    }
    detail detail = {0};
    if ((text[name] && read_detail(text + name + 1, &detail, err) != 0) || check(method, &detail, err) != 0)
        return -1;
    compression->method = method->method;
    compression->level = detail.has_level && detail.level != method->normal ? detail.level : PGC_COMPRESSION_DEFAULT;
    compression->long_distance = detail.long_distance;
    compression->workers = detail.workers;
    return 0;
}
