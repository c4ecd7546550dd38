/* TARGET: duckdb:FILE?option=value&… or md:DATABASE?option=value&…, its options as rows of a table. */
#include "sink/duckdb/duckdb_internal.h"

#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>

static int set_primary_key(pgc_duckdb_target *target, const char *value)
{
    target->primary_key = strcmp(value, "on") == 0;
    return target->primary_key || strcmp(value, "off") == 0 ? 0 : -1;
}

static int set_threads(pgc_duckdb_target *target, const char *value)
{
    char *end;
    long threads = strtol(value, &end, 10);
    if (end == value || *end || threads < 1 || threads > 1024)
        return -1;
    target->threads = (int)threads;
    return 0;
}

static int set_memory_limit(pgc_duckdb_target *target, const char *value)
{
    return pgc_size_parse(value, &target->memory_limit) != 0 || target->memory_limit < ((size_t)16 << 20) ? -1 : 0;
}

static int set_numeric(pgc_duckdb_target *target, const char *value)
{
    int width, scale, used = 0;
    target->types.numeric_text = strcmp(value, "text") == 0;
    target->types.numeric_double = strcmp(value, "double") == 0;
    target->types.numeric_width = target->types.numeric_scale = 0;
    if (target->types.numeric_text || target->types.numeric_double || strcmp(value, "exact") == 0)
        return 0;
    if (sscanf(value, "decimal(%d,%d)%n", &width, &scale, &used) != 2 || value[used] || width < 1 || width > 38 ||
        scale < 0 || scale > width)
        return -1;
    target->types.numeric_width = width;
    target->types.numeric_scale = scale;
    return 0;
}

static int set_arrays(pgc_duckdb_target *target, const char *value)
{
    target->types.arrays_text = strcmp(value, "text") == 0;
    return target->types.arrays_text || strcmp(value, "list") == 0 ? 0 : -1;
}

static int set_storage_version(pgc_duckdb_target *target, const char *value)
{
    target->storage_version = value; /* lives in target->file's memory */
    return value[0] == 'v' ? 0 : -1;
}

static const struct option {
    const char *name, *values;
    int (*set)(pgc_duckdb_target *target, const char *value);
} options[] = {
    {"primary_key", "on or off", set_primary_key},
    {"threads", "a number from 1 to 1024", set_threads},
    {"memory_limit", "a size of at least 16MB", set_memory_limit},
    {"numeric", "exact, text, double or decimal(WIDTH,SCALE)", set_numeric},
    {"arrays", "list or text", set_arrays},
    {"storage_version", "a version such as v1.4.0", set_storage_version},
};
#define OPTION_COUNT (sizeof options / sizeof *options)

static int set_option(pgc_duckdb_target *target, char *text, pgconvoy_error *err)
{
    char *value = strchr(text, '=');
    if (value)
        *value++ = '\0';
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(options[i].name, text) != 0)
            continue;
        if (value && options[i].set(target, value) == 0)
            return 0;
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "target option %s is not %s", text, options[i].values);
        return -1;
    }
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "duckdb: targets have no option \"%s\"", text);
    pgconvoy_error_hint(err, "there are primary_key, threads, memory_limit, numeric, arrays and storage_version; a \"?\" in the file's name "
                             "cannot be written");
    return -1;
}

int pgc_duckdb_target_parse(const char *text, pgc_duckdb_target *target, pgconvoy_error *err)
{
    memset(target, 0, sizeof *target);
    target->primary_key = true;
    target->motherduck = strncmp(text, "md:", 3) == 0;
    if (target->motherduck)
        target->primary_key = false; /* it would be kept by a round trip for each batch */
    const char *file = strncmp(text, "duckdb:", 7) == 0 ? text + 7 : text;
    if (target->motherduck && (!text[3] || text[3] == '?')) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "target \"md:\" names no database");
        pgconvoy_error_hint(err, "write it as md:DATABASE, for example md:shop");
        return -1;
    }
    if (strncmp(file, "//", 2) == 0) /* duckdb:///tmp/shop.duckdb is the same as duckdb:/tmp/shop.duckdb */
        file += 2;
    if (!*file || *file == '?' || strncmp(file, ":memory:", 8) == 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "target \"%s\" names no file", text);
        pgconvoy_error_hint(err, "write it as duckdb:FILE, for example duckdb:shop.duckdb");
        return -1;
    }
    target->file = strdup(file);
    if (!target->file)
        return pgc_error_out_of_memory(err);
    char *save, *start = strchr(target->file, '?');
    if (start)
        *start++ = '\0';
    for (char *one = start ? strtok_r(start, "&", &save) : NULL; one; one = strtok_r(NULL, "&", &save)) {
        if (set_option(target, one, err) != 0) {
            pgc_duckdb_target_free(target);
            return -1;
        }
    }
    return 0;
}

void pgc_duckdb_target_free(pgc_duckdb_target *target)
{
    free(target->file);
    target->file = NULL;
}
