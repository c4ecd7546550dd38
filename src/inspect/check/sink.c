/*
 * A target as its own sink sees it: opened, and asked for each table. The sink is the one that a sync would use, so
 * that what it says here is what it would say then.
 */
#include "inspect/check/check_internal.h"

#include "base/log.h"
#include "base/units.h"
#include "native/reach.h"
#include "pipeline/mapped_sink.h"
#include "sink/registry.h"
#include "source/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

static void say_nothing(void *arg, pgconvoy_log_level level, const char *line)
{
    (void)arg;
    (void)level;
    (void)line;
}

/* Both ends, opened. */
typedef struct ends {
    pgc_source_config source_config;
    pgconvoy_sink_config sink_config;
    void *source, *sink;
    const pgconvoy_sink *ops;
    const pgconvoy_table *const *tables;
    size_t count;
    pgconvoy_checkpoint checkpoint;
    pgconvoy_log log;
} ends;

static int open_source(const check *check, ends *ends, pgconvoy_error *why)
{
    const pgc_check_options *options = check->options;
    const pgc_choice *choice = &options->choice;
    ends->log.write = say_nothing; /* what would be logged are other items */
    ends->source_config = (pgc_source_config){.uri = options->source,
                                              .pipeline_name = options->name,
                                              .publication = options->publication,
                                              .slot = options->slot,
                                              .include_tables = (const char *const *)choice->include_tables,
                                              .exclude_tables = (const char *const *)choice->exclude_tables,
                                              .include_schemas = (const char *const *)choice->include_schemas,
                                              .exclude_schemas = (const char *const *)choice->exclude_schemas,
                                              .partitions_as_leaves = options->partitions_as_leaves,
                                              .mapping = options->mapping,
                                              .jobs = 1,
                                              .memory_bytes = (size_t)64 << 20,
                                              .state_dir = options->state_dir,
                                              .log = &ends->log};
    ends->source = pgc_source_postgres.open(&ends->source_config, why);
    return ends->source ? 0 : -1;
}

static int open_sink(const check *check, ends *ends, pgconvoy_error *why)
{
    ends->ops = pgc_sink_for_target(check->options->target, why);
    if (!ends->ops)
        return -1;
    ends->sink_config = (pgconvoy_sink_config){.target = check->options->target,
                                               .pipeline_name = check->options->name,
                                               .source_id = ends->source ? pgc_source_postgres.id(ends->source) : "",
                                               .state_dir = check->options->state_dir,
                                               .memory_bytes = (size_t)128 << 20,
                                               .writers = 1,
                                               .log = &ends->log};
    if (ends->ops->open(&ends->sink_config, &ends->sink, why))
        return -1;
    return pgc_mapped_sink_open(check->options->mapping, &ends->ops, &ends->sink, why);
}

static void close_ends(ends *ends)
{
    if (ends->sink)
        ends->ops->close(ends->sink);
    if (ends->source)
        pgc_source_postgres.close(ends->source);
}

static bool is_known(const ends *ends, const pgconvoy_table *table)
{
    for (size_t i = 0; i < ends->checkpoint.table_count; i++)
        if (strcmp(ends->checkpoint.tables[i].schema, table->schema) == 0 &&
            strcmp(ends->checkpoint.tables[i].name, table->name) == 0)
            return true;
    return false;
}

/* A sync makes a table with the types that the sink alone could not make. */
static bool is_made_by_sync(const check *check, const ends *ends, const pgconvoy_table *table, pgconvoy_error *why)
{
    bool whole;
    pgconvoy_error ignored = {0};
    if (check->options->job != PGC_CHECK_SYNC || strcmp(why->sqlstate, PGC_ERROR_UNDEFINED_OBJECT) != 0 ||
        pgc_source_postgres.is_whole(ends->source, table, &whole, &ignored) != 0 || !whole)
        return false;
    pgconvoy_error_hint(why, "sync makes it as it is at the source, which takes a superuser and what its functions call");
    return true;
}

/* A first sink's trouble is with the types when it would still be there with the table dropped. */
static int check_tables(check *check, ends *ends, bool types, pgc_check_result *result, pgconvoy_error *err)
{
    int well = 0;
    for (size_t i = 0; i < ends->count; i++) {
        pgconvoy_error why = {0};
        const pgconvoy_table *table = ends->tables[i];
        if (is_known(ends, table))
            continue;
        bool types_fit = ends->ops->check_table(ends->sink, table, PGCONVOY_IF_EXISTS_DROP, &why) == 0;
        if (types ? types_fit
                  : !types_fit || ends->ops->check_table(ends->sink, table, check->options->if_exists, &why) == 0)
            well++;
        else if (check_add_error(check, result, is_made_by_sync(check, ends, table, &why) ? PGC_CHECK_WARNED : PGC_CHECK_FAILED, &why, err))
            return -1;
    }
    return 0;
}

static int check_through_sink(check *check, bool types, pgc_check_result *result, pgconvoy_error *err)
{
    ends ends = {0};
    pgconvoy_error why = {0};
    int failed = 0;
    if (!check->ends[SOURCE_END].conn || check->sink_is_closed) /* a service that is away is waited for once */
        failed = check_add_finding(check, result, PGC_CHECK_UNCHECKED,
                                   check->sink_is_closed ? "the target could not be opened"
                                                         : "the source could not be connected to",
                                   NULL, err);
    else if (open_source(check, &ends, &why) ||
             pgc_source_postgres.load_tables(ends.source, &ends.tables, &ends.count, &why) ||
             open_sink(check, &ends, &why) || ends.ops->read_checkpoint(ends.sink, &ends.checkpoint, &why))
        failed = check_add_error(check, result, PGC_CHECK_UNCHECKED, &why, err);
    else
        failed = check_tables(check, &ends, types, result, err);
    close_ends(&ends);
    return failed;
}

static int check_types(check *check, pgc_check_result *result, pgconvoy_error *err)
{
    return check_through_sink(check, true, result, err);
}

static int check_names(check *check, pgc_check_result *result, pgconvoy_error *err)
{
    return check_through_sink(check, false, result, err);
}

static int check_opens(check *check, pgc_check_result *result, pgconvoy_error *err)
{
    ends ends = {0};
    pgconvoy_error why = {0}, unused;
    if (check->ends[SOURCE_END].conn && open_source(check, &ends, &unused))
        ends.source = NULL;
    check->sink_is_closed = open_sink(check, &ends, &why) != 0;
    int failed = check->sink_is_closed ? check_add_error(check, result, PGC_CHECK_FAILED, &why, err) : 0;
    close_ends(&ends);
    return failed;
}

static int check_privileges(check *check, pgc_check_result *result, pgconvoy_error *err)
{
    ends ends = {0};
    pgconvoy_error why = {0};
    bool is_known = true;
    int failed;
    if (check->sink_is_closed)
        failed = check_add_finding(check, result, PGC_CHECK_UNCHECKED, "the target could not be opened", NULL, err);
    else if (open_sink(check, &ends, &why) != 0)
        failed = check_add_error(check, result, PGC_CHECK_UNCHECKED, &why, err);
    else if (ends.ops->check_privileges(ends.sink, &is_known, &why) != 0)
        failed = check_add_error(
            check, result, why.code == PGCONVOY_ERROR_CONFIG ? PGC_CHECK_FAILED : PGC_CHECK_UNCHECKED, &why, err);
    else
        failed = is_known ? 0 : check_say(check, result, "the target's server is too old to be asked what its user may do", err);
    close_ends(&ends);
    return failed;
}

/* The folder of a target that is a file of this machine. */
static bool local_folder(const char *target, char *folder, size_t size)
{
    static const char *const schemes[] = {"duckdb:", "parquet:"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t length = strlen(schemes[i]);
        if (strncmp(target, schemes[i], length) != 0)
            continue;
        snprintf(folder, size, "%s", target + length);
        char *slash = strrchr(folder, '/');
        if (!slash)
            snprintf(folder, size, ".");
        else
            slash[slash == folder] = '\0';
        return true;
    }
    return false;
}

/* Rows of PostgreSQL are smaller in a file of columns; that they take a quarter is seldom. */
#define LEAST_SHARE 4

static int check_space(check *check, pgc_check_result *result, pgconvoy_error *err)
{
    char folder[4096], wanted[PGC_UNITS_TEXT_SIZE], free_text[PGC_UNITS_TEXT_SIZE], text[4400];
    struct statvfs space;
    if (!local_folder(check->options->target, folder, sizeof folder)) {
        snprintf(text, sizeof text, "the tables are %s; the target cannot be asked for its free space",
                 pgc_size_to_text(check->bytes, wanted));
        return check_say(check, result, text, err);
    }
    if (!check->tables)
        return check_add_finding(check, result, PGC_CHECK_UNCHECKED, "the size of the tables is not known", NULL, err);
    if (statvfs(folder, &space) != 0) {
        snprintf(text, sizeof text, "the folder %s cannot be looked at: %s", folder, strerror(errno));
        return check_add_finding(check, result, PGC_CHECK_UNCHECKED, text, "name a folder that is there", err);
    }
    int64_t left = (int64_t)space.f_bavail * (int64_t)space.f_frsize;
    snprintf(text, sizeof text, "the tables are %s, and %s are free in %s", pgc_size_to_text(check->bytes, wanted),
             pgc_size_to_text(left, free_text), folder);
    if (left >= check->bytes)
        return check_say(check, result, text, err);
    return check_add_finding(check, result, left < check->bytes / LEAST_SHARE ? PGC_CHECK_FAILED : PGC_CHECK_WARNED,
                             text, "make room there, or name a file on a larger disk", err);
}

/* The target's own server connects to the source where it does the work. */
static int check_reach(check *check, pgc_check_result *result, pgconvoy_error *err)
{
    PGconn *source = check->ends[SOURCE_END].conn, *target = check->ends[TARGET_END].conn;
    if (!source || !target)
        return check_add_finding(
            check, result, PGC_CHECK_UNCHECKED,
            source ? "the target could not be connected to" : "the source could not be connected to", NULL, err);
    pgconvoy_error why = {0};
    native_address *address = native_address_new(check->options->source, source, check->options->via, NULL, err);
    if (!address)
        return -1;
    native_way way = check->options->job == PGC_CHECK_LINK ? NATIVE_FOREIGN_SERVER : NATIVE_SUBSCRIPTION;
    int failed = 0;
    if (native_reach(target, address, way, &why)) {
        bool out_of_reach = native_is_out_of_reach(&why);
        pgconvoy_error_hint(
            &why, "%s",
            out_of_reach ? "let the target's server reach the source (address, firewall, pg_hba.conf), or say where it "
                           "sees it: --via \"host=… port=…\""
                         : "the role may not try; see the items of privileges");
        failed = check_add_error(check, result, out_of_reach ? PGC_CHECK_FAILED : PGC_CHECK_UNCHECKED, &why, err);
    }
    native_address_free(address);
    return failed;
}

const check_item pgc_check_sink_items[] = {
    {.name = "target_reaches_source",
     .end = TARGET_END,
     .jobs = PGC_CHECK_SUBSCRIBE | PGC_CHECK_LINK,
     .passed = "the target's own server reaches the source",
     .run = check_reach},
    {.name = "target_opens",
     .end = TARGET_END,
     .jobs = MOVES,
     .passed = "the target can be opened and written",
     .run = check_opens},
    {.name = "target_privileges",
     .end = TARGET_END,
     .jobs = MOVES,
     .passed = "the target's user has the rights that a pipeline needs there",
     .needs = PGCONVOY_SINK_PRIVILEGES,
     .run = check_privileges},
    {.name = "types",
     .end = TARGET_END,
     .jobs = MOVES,
     .passed = "the target has a type for every column",
     .run = check_types},
    {.name = "target_tables",
     .end = TARGET_END,
     .jobs = MOVES,
     .passed = "no table of the target is in the way",
     .run = check_names},
    {.name = "disk_space", .end = TARGET_END, .jobs = MOVES | DEFINES, .passed = "there is room", .run = check_space},
    {.name = NULL},
};
