/* TARGET: duckdb:FILE?option=value&… or md:DATABASE?option=value&…, its options as rows of a table. */
#include "sink/duckdb/duckdb_internal.h"

#include "base/units.h"
#include "sink/target_options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static int set_threads(void *arg, const pgc_target_option *option, const char *value)
{
    (void)option;
    pgc_duckdb_target *target = arg;
    char *end;
    long threads = strtol(value, &end, 10);
    if (end == value || *end || threads < 1 || threads > 1024)
        return -1;
    target->threads = (int)threads;
    return 0;
}

static int set_memory_limit(void *arg, const pgc_target_option *option, const char *value)
{
    (void)option;
    pgc_duckdb_target *target = arg;
    return pgc_size_parse(value, &target->memory_limit) != 0 || target->memory_limit < ((size_t)16 << 20) ? -1 : 0;
}

static int set_numeric(void *arg, const pgc_target_option *option, const char *value)
{
    (void)option;
    pgc_duckdb_target *target = arg;
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

static int set_storage_version(void *target, const pgc_target_option *option, const char *value)
{
    return value[0] == 'v' ? pgc_target_set_text(target, option, value) : -1;
}

#define FIELD(NAME) offsetof(pgc_duckdb_target, NAME)

static const pgc_target_option options[] = {
    {"primary_key", "on or off", pgc_target_set_switch, FIELD(primary_key), NULL},
    {"threads", "a number from 1 to 1024", set_threads, 0, NULL},
    {"memory_limit", "a size of at least 16MB", set_memory_limit, 0, NULL},
    {"numeric", "exact, text, double or decimal(WIDTH,SCALE)", set_numeric, 0, NULL},
    {"arrays", "list or text", pgc_target_set_switch, FIELD(types.arrays_text),
     PGC_TARGET_WORDS("list", "text")},
    PGC_UNMAPPABLE_OPTION(FIELD(types.unmappable)),
    {"storage_version", "a version such as v1.4.0", set_storage_version, FIELD(storage_version), NULL},
};
static const pgc_target_options known = {.sink = "duckdb:",
                                         .list = options,
                                         .count = sizeof options / sizeof *options,
                                         .more = "; a \"?\" in the file's name cannot be written"};

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
    if (pgc_target_options_read(&known, target, target->file, err) == 0)
        return 0;
    pgc_duckdb_target_free(target);
    return -1;
}

void pgc_duckdb_target_free(pgc_duckdb_target *target)
{
    free(target->file);
    target->file = NULL;
}
