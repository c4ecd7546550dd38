/*
 * Rows of a target that is no PostgreSQL server. Its engine has other types, and hashes other values, than PostgreSQL:
 * so the source's rows are copied once more, by the sink's own types, into a scratch place of that engine, and the
 * engine compares the two. What the type map makes of a value is thereby the same on both sides. What differs between
 * engines is a table of functions (sink/comparer.h).
 */
#include "inspect/verify/analytic.h"

#include "base/clock.h"
#include "sink/registry.h"
#include "source/postgres/names.h"
#include "source/source.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

/* ------------------------------------------------------------------ the scratch copy */

static void on_log(void *arg, pgconvoy_log_level level, const char *line)
{
    const pgc_verify *verify = arg;
    if (level != PGCONVOY_LOG_INFO)
        pgconvoy_log_write(verify->options->log, level, "%s", line);
}

static int set_list(pgconvoy_pipeline *pipeline, const char *option, char *const *items, size_t count,
                    pgconvoy_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (pgconvoy_pipeline_set(pipeline, option, items[i], err))
            return -1;
    return 0;
}

/* The pipeline's own publication, where it is there, or the one that was named. */
static const char *publication_of(const pgc_verify *verify, char *name, size_t size)
{
    const pgc_verify_options *options = verify->options;
    if (!verify->flow.publications.length)
        return NULL;
    snprintf(name, size, options->publication ? "%.79s" : "pgconvoy_%.60s",
             options->publication ? options->publication : options->name);
    return name;
}

static int set_up_copy(pgc_verify *verify, pgconvoy_pipeline *pipeline, const char *folder, pgconvoy_error *err)
{
    const pgc_verify_options *options = verify->options;
    const pgc_choice *choice = &options->choice;
    char name[40], jobs[16], memory[32], named[80];
    const char *publication = publication_of(verify, named, sizeof named);
    snprintf(name, sizeof name, "verify_%ld", (long)getpid());
    snprintf(jobs, sizeof jobs, "%d", options->jobs);
    snprintf(memory, sizeof memory, "%zuB", options->memory_bytes);
    pgconvoy_pipeline_on_log(pipeline, on_log, verify);
    if (pgconvoy_pipeline_set(pipeline, "name", name, err) || pgconvoy_pipeline_set(pipeline, "jobs", jobs, err) ||
        pgconvoy_pipeline_set(pipeline, "memory", memory, err) ||
        pgconvoy_pipeline_set(pipeline, "state-dir", folder, err) ||
        (publication && pgconvoy_pipeline_set(pipeline, "publication", publication, err)))
        return -1;
    return set_list(pipeline, "table", choice->include_tables, choice->include_table_count, err) ||
                   set_list(pipeline, "exclude-table", choice->exclude_tables, choice->exclude_table_count, err) ||
                   set_list(pipeline, "schema", choice->include_schemas, choice->include_schema_count, err) ||
                   set_list(pipeline, "exclude-schema", choice->exclude_schemas, choice->exclude_schema_count, err) ||
                   set_list(pipeline, "where", options->where.items, (size_t)options->where.count, err)
               ? -1
               : 0;
}

/* Within these two a signal reaches it. */
static void note_copy(pgc_verify *verify, pgconvoy_pipeline *pipeline)
{
    pthread_mutex_lock(&verify->lock);
    verify->copy = pipeline;
    pthread_mutex_unlock(&verify->lock);
}

static int copy_source(pgc_verify *verify, const char *folder, const char *scratch, pgconvoy_error *err)
{
    pgconvoy_pipeline *pipeline = pgconvoy_pipeline_new(verify->options->source, scratch, err);
    int status = pipeline ? set_up_copy(verify, pipeline, folder, err) : -1;
    note_copy(verify, pipeline);
    if (status == 0 && verify_stopped(verify, err) == 0)
        status = pgconvoy_pipeline_run(pipeline, PGCONVOY_COPY, err);
    note_copy(verify, NULL);
    pgconvoy_pipeline_free(pipeline);
    if (status)
        pgc_error_prefix(err, "copying the source's rows to where they are compared");
    return status ? -1 : verify_stopped(verify, err);
}

/* ------------------------------------------------------------------ tables and columns */

static const char *name_of(const pgconvoy_table *source, int column)
{
    return source->columns[column].name;
}

static int note_column(pgc_verify *verify, const pgconvoy_table *table, const char *column, const char *here,
                       const char *there, pgconvoy_error *err)
{
    char what[400];
    snprintf(what, sizeof what, "COLUMN %s.%s.%s", table->schema, table->name, column);
    verify_kind kind = !there ? VERIFY_MISSING : !here ? VERIFY_EXTRA : VERIFY_CHANGED;
    verify_finding *finding = verify_finding_add(&verify->schema, verify->arena, kind, what);
    return finding ? verify_detail_add(finding, verify->arena, "type", here, there, err) : pgc_error_out_of_memory(err);
}

static int find(const pgc_compared *end, const char *name)
{
    for (int i = 0; i < end->count; i++)
        if (strcmp(end->names[i], name) == 0)
            return i;
    return -1;
}

/* A column of both ends, or a difference of the schema. */
static int match_column(analytic *analytic, analytic_table *table, int column, pgconvoy_error *err)
{
    const pgc_compared *here = &table->ends[PGC_COMPARER_SCRATCH], *there = &table->ends[PGC_COMPARER_TARGET];
    int place = find(there, here->names[column]);
    const char *types[2] = {here->types[column], place < 0 ? NULL : there->types[place]};
    pgc_compared_type how = place < 0 ? PGC_COMPARED_OTHER : analytic->ops->compare_types(types[0], types[1]);
    if (how == PGC_COMPARED_OTHER &&
        note_column(analytic->verify, table->source, name_of(table->source, column), types[0], types[1], err))
        return -1;
    if (place < 0)
        return 0;
    for (int k = 0; k < table->source->key_count; k++)
        if (table->source->key[k] == column)
            table->key[table->key_count++] = table->count;
    table->columns[table->count] = column;
    table->names[table->count] = here->names[column];
    for (int side = 0; side < 2; side++)
        table->types[side][table->count] = types[side];
    table->by_text[table->count++] = how != PGC_COMPARED_SAME;
    return 0;
}

static int match_columns(analytic *analytic, analytic_table *table, pgconvoy_error *err)
{
    const pgc_compared *here = &table->ends[PGC_COMPARER_SCRATCH], *there = &table->ends[PGC_COMPARER_TARGET];
    const pgconvoy_table *source = table->source;
    size_t count = (size_t)source->column_count + 1;
    table->columns = pgc_arena_zalloc(analytic->arena, count * sizeof *table->columns);
    table->names = pgc_arena_zalloc(analytic->arena, count * sizeof *table->names);
    for (int side = 0; side < 2; side++)
        table->types[side] = pgc_arena_zalloc(analytic->arena, count * sizeof *table->types[side]);
    table->by_text = pgc_arena_zalloc(analytic->arena, count * sizeof *table->by_text);
    table->key = pgc_arena_zalloc(analytic->arena, count * sizeof *table->key);
    if (!table->columns || !table->names || !table->types[0] || !table->types[1] || !table->by_text || !table->key)
        return pgc_error_out_of_memory(err);
    if (here->count < source->column_count) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "its columns have changed while its rows were copied");
        pgconvoy_error_hint(err, "run the command again");
        return -1;
    }
    for (int i = 0; i < source->column_count; i++)
        if (match_column(analytic, table, i, err))
            return -1;
    if (table->key_count < source->key_count)
        table->key_count = 0; /* what the target lacks of the key tells no rows apart */
    for (int i = 0; i < there->count; i++)
        if (find(here, there->names[i]) < 0 &&
            note_column(analytic->verify, source, there->names[i], NULL, there->types[i], err))
            return -1;
    return 0;
}

/* The report names the key. */
static int show_key(pgc_verify *verify, verify_table *found, const analytic_table *table, pgconvoy_error *err)
{
    found->columns = pgc_arena_zalloc(verify->arena, (size_t)(table->key_count + 1) * sizeof *found->columns);
    found->keys = pgc_arena_zalloc(verify->arena, (size_t)(table->key_count + 1) * sizeof *found->keys);
    if (!found->columns || !found->keys)
        return pgc_error_out_of_memory(err);
    for (int k = 0; k < table->key_count; k++) {
        found->keys[k] = k;
        found->columns[k].name = pgc_arena_strdup(verify->arena, name_of(table->source, table->columns[table->key[k]]));
        if (!found->columns[k].name)
            return pgc_error_out_of_memory(err);
    }
    found->column_count = found->key_count = table->key_count;
    return 0;
}

static int compare_table(analytic *analytic, analytic_table *table, pgconvoy_error *err)
{
    verify_table *found = table->found;
    if (analytic->ops->describe(analytic->state, PGC_COMPARER_TARGET, table->source, analytic->arena,
                                &table->ends[PGC_COMPARER_TARGET], err))
        return -1;
    found->is_absent = !table->ends[PGC_COMPARER_TARGET].is_there;
    return !found->is_absent && (match_columns(analytic, table, err) || show_key(analytic->verify, found, table, err) ||
                                 analytic_rows_compare(analytic, table, err))
               ? -1
               : 0;
}

/* ------------------------------------------------------------------ which tables */

static void say_nothing(void *arg, pgconvoy_log_level level, const char *line)
{
    (void)arg;
    (void)level;
    (void)line;
}

/* Tables and their columns as the pipeline saw them, which has said what there is to say of them. */
static void *open_source(const pgc_verify *verify, const char *folder, pgc_source_config *config, char *publication,
                         size_t size, pgconvoy_log *log, pgconvoy_error *err)
{
    const pgc_verify_options *options = verify->options;
    const pgc_choice *choice = &options->choice;
    *config = (pgc_source_config){.uri = options->source,
                                  .pipeline_name = options->name,
                                  .publication = publication_of(verify, publication, size),
                                  .include_tables = (const char *const *)choice->include_tables,
                                  .exclude_tables = (const char *const *)choice->exclude_tables,
                                  .include_schemas = (const char *const *)choice->include_schemas,
                                  .exclude_schemas = (const char *const *)choice->exclude_schemas,
                                  .jobs = 1,
                                  .memory_bytes = (size_t)64 << 20,
                                  .state_dir = folder,
                                  .log = log};
    return pgc_source_postgres.open(config, err);
}

static int add_table(pgc_verify *verify, const pgconvoy_table *source, pgconvoy_error *err)
{
    verify_table *table = &verify->tables[verify->table_count++];
    table->schema = pgc_arena_strdup(verify->arena, source->schema);
    table->name = pgc_arena_strdup(verify->arena, source->name);
    return table->schema && table->name ? 0 : pgc_error_out_of_memory(err);
}

/* Of the source's tables those that were copied, which are those that were chosen. */
static int choose_tables(analytic *analytic, const pgconvoy_table *const *sources, size_t count, analytic_table *tables,
                         pgconvoy_error *err)
{
    pgc_verify *verify = analytic->verify;
    verify->tables = pgc_arena_zalloc(verify->arena, sizeof *verify->tables * (count + 1));
    if (!verify->tables)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < count; i++) {
        analytic_table *table = &tables[verify->table_count];
        *table = (analytic_table){.source = sources[i], .found = &verify->tables[verify->table_count]};
        if (verify_stopped(verify, err) ||
            analytic->ops->describe(analytic->state, PGC_COMPARER_SCRATCH, sources[i], verify->arena,
                                    &table->ends[PGC_COMPARER_SCRATCH], err) ||
            (table->ends[PGC_COMPARER_SCRATCH].is_there && add_table(verify, sources[i], err)))
            return -1;
    }
    return verify_tables_conditions(verify, err);
}

static int compare_loaded(analytic *analytic, const pgconvoy_table *const *sources, size_t count, pgconvoy_error *err)
{
    analytic_table *tables = calloc(count + 1, sizeof *tables);
    int status = tables ? choose_tables(analytic, sources, count, tables, err) : pgc_error_out_of_memory(err);
    for (int i = 0; status == 0 && i < analytic->verify->table_count; i++) {
        pgc_arena_reset(analytic->arena);
        status = verify_stopped(analytic->verify, err) || compare_table(analytic, &tables[i], err) ? -1 : 0;
        if (status)
            pgc_error_prefix(err, "table %s.%s", tables[i].source->schema, tables[i].source->name);
    }
    free(tables);
    return status;
}

static int compare_tables(analytic *analytic, const char *folder, pgconvoy_error *err)
{
    pgc_source_config config;
    char publication[80];
    const pgconvoy_table *const *sources;
    size_t count = 0;
    pgconvoy_log log = {.write = say_nothing};
    void *source = open_source(analytic->verify, folder, &config, publication, sizeof publication, &log, err);
    if (!source)
        return -1;
    int status = pgc_source_postgres.load_tables(source, &sources, &count, err);
    if (status == 0)
        status = compare_loaded(analytic, sources, count, err);
    pgc_source_postgres.close(source);
    return status;
}

/* ------------------------------------------------------------------ the story */

static int check_options(const pgc_verify_options *options, pgconvoy_error *err)
{
    if (!options->repair)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--repair is for PostgreSQL targets");
    pgconvoy_error_hint(err, "leave it out");
    return -1;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

/* What a scratch copy keeps on this machine, and the copy's own notes. */
static void remove_folder(const pgc_verify *verify, const char *folder)
{
    if (nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) && errno != ENOENT)
        pgc_log_warning(verify->options->log, "cannot remove the folder %s: %s", folder, strerror(errno));
}

/* The target then has at least what the scratch copy has, so that what has not changed since is the same. */
static int catch_up(analytic *analytic, pgconvoy_error *err)
{
    pgc_verify *verify = analytic->verify;
    PGconn *source = verify->conn[VERIFY_SOURCE];
    pgconvoy_lsn lsn;
    verify_passed how;
    bool passed;
    if (!analytic->ops->is_live || verify->flow.slot_count == 0)
        return 0;
    if (verify_flow_mark(source, &lsn, err) || verify_flow_passed(&verify->flow, source, lsn, &how, err))
        return -1;
    if (how == VERIFY_NOT_YET)
        return verify_stream_wait(verify, source, &passed, err);
    if (how == VERIFY_NOBODY_STREAMS)
        pgc_log_info(verify->options->log,
                     "nobody streams through %s: what the target lacks of the source is a difference",
                     verify->flow.slots.data);
    return 0;
}

static int compare(analytic *analytic, const char *folder, pgconvoy_error *err)
{
    const char *scratch;
    return analytic->ops->scratch(analytic->state, &scratch, err) ||
                   copy_source(analytic->verify, folder, scratch, err) || catch_up(analytic, err) ||
                   (analytic->ops->begin && analytic->ops->begin(analytic->state, err)) || compare_tables(analytic, folder, err)
               ? -1
               : 0;
}

static int find_stream(pgc_verify *verify, pgconvoy_error *err)
{
    const pgc_verify_options *options = verify->options;
    char derived[64];
    pgc_slot_name_derive(options->name, derived);
    return verify_flow_find(&verify->flow, verify->conn[VERIFY_SOURCE], NULL, options->slot ? options->slot : derived,
                            options->publication ? options->publication : derived, err);
}

static int cannot_make(const char *folder, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "cannot make the folder %s: %s", folder, strerror(errno));
    pgconvoy_error_hint(err, "name a folder that you may write with --state-dir");
    return -1;
}

int verify_analytic(pgc_verify *verify, pgconvoy_error *err)
{
    const pgc_verify_options *options = verify->options;
    analytic analytic = {.verify = verify, .ops = pgc_comparer_for_target(options->target, err)};
    uint64_t number = (uint64_t)pgc_clock_unix_us();
    char *folder = NULL, name[64];
    if (!analytic.ops || check_options(options, err) || find_stream(verify, err))
        return -1;
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) < 0)
        pgc_log_debug(options->log, "the scratch copy is named by the clock");
    snprintf(name, sizeof name, "pgconvoy_verify_%012llx", (unsigned long long)(number >> 16));
    if (asprintf(&folder, "%s/verify-%ld", options->state_dir, (long)getpid()) < 0)
        return pgc_error_out_of_memory(err);
    pgc_comparer_config config = {.target = options->target,
                                  .folder = folder,
                                  .name = name,
                                  .memory_bytes = options->memory_bytes,
                                  .jobs = options->jobs,
                                  .log = options->log};
    int status = analytic.ops->open(&config, &analytic.state, err);
    if (status == 0) {
        analytic.arena = pgc_arena_new(64 << 10);
        status = !analytic.arena              ? pgc_error_out_of_memory(err)
                 : verify_make_folder(folder) ? cannot_make(folder, err)
                                              : compare(&analytic, folder, err);
        analytic.ops->close(analytic.state);
        pgc_arena_free(analytic.arena);
        remove_folder(verify, folder);
    }
    free(folder);
    return status;
}
