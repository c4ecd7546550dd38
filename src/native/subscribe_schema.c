/*
 * The definitions that the target lacks, through the catalog that dumps use: owners and privileges are left out, for
 * the target's roles are its own. Without -t come types, functions and all else that the tables may need; with it, or
 * where some tables are there, the tables alone.
 */
#include "native/subscribe_internal.h"

#include "archive/script.h"
#include "catalog/catalog.h"
#include "postgres/quote.h"

#include <stdlib.h>
#include <string.h>

typedef struct reading {
    pgc_dump_options dump;
    char **patterns; /* of the tables by their exact names */
    int pattern_count;
    char **excluded; /* schemas */
} reading;

/* "schema"."table", as a pattern that matches nothing else. */
static int add_pattern(reading *reading, const char *schema, const char *name, pgconvoy_error *err)
{
    pgc_buffer text;
    pgc_buffer_init(&text, 4096);
    pgc_quote_qualified(&text, schema, name);
    reading->patterns[reading->pattern_count] = text.data && !text.failed ? strdup(text.data) : NULL;
    pgc_buffer_free(&text);
    return reading->patterns[reading->pattern_count++] ? 0 : pgc_error_out_of_memory(err);
}

static bool is_missing(const subscribe_state *state, int i)
{
    return !state->is_there[i] || (state->options->if_exists == PGCONVOY_IF_EXISTS_DROP && !state->has_subscription);
}

static int choose(const subscribe_state *state, reading *reading, pgconvoy_error *err)
{
    const pgc_choice *choice = &state->options->choice;
    int count = PQntuples(state->tables), missing = 0;
    reading->patterns = calloc((size_t)count + 1, sizeof *reading->patterns);
    reading->excluded = calloc(choice->exclude_schema_count + 1, sizeof *reading->excluded);
    if (!reading->patterns || !reading->excluded)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < count; i++)
        missing += is_missing(state, i);
    bool whole = missing == count && !choice->include_table_count && !state->options->publication &&
                 !state->has_subscription && state->options->if_exists == PGCONVOY_IF_EXISTS_ERROR;
    for (int i = 0; i < count && !whole; i++)
        if (is_missing(state, i) &&
            add_pattern(reading, PQgetvalue(state->tables, i, 0), PQgetvalue(state->tables, i, 1), err))
            return -1;
    for (size_t i = 0; i < choice->exclude_schema_count; i++)
        reading->excluded[i] = choice->exclude_schemas[i];
    reading->excluded[choice->exclude_schema_count] = (char *)"pgconvoy";
    pgc_names patterns = {reading->patterns, reading->pattern_count};
    reading->dump = (pgc_dump_options){
        .address = {.dbname = state->options->source, .prompt = PGC_PROMPT_NEVER, .program = "pgconvoy subscribe"},
        .schema_only = true,
        .sections = PGC_SECTIONS_PRE_DATA | PGC_SECTIONS_POST_DATA,
        .no_owner = true,
        .no_acl = true,
        .no_publications = true,
        .no_subscriptions = true,
        .no_security_labels = true,
        .no_tablespaces = true,
        .encoding = "UTF8",
        .jobs = 1};
    if (whole) {
        reading->dump.include_schemas =
            (pgc_names){(char **)choice->include_schemas, (int)choice->include_schema_count};
        reading->dump.exclude_schemas = (pgc_names){reading->excluded, (int)choice->exclude_schema_count + 1};
        reading->dump.exclude_tables = (pgc_names){(char **)choice->exclude_tables, (int)choice->exclude_table_count};
    } else /* a partitioned table comes with its partitions */
        reading->dump.include_tables_and_children = patterns;
    return whole || reading->pattern_count ? 1 : 0;
}

static int write_text(void *arg, const char *text, size_t length, pgconvoy_error *err)
{
    pgc_buffer_append(arg, text, length);
    return pgc_buffer_check(arg, err);
}

static bool is_written(void *arg, const pgc_entry *entry)
{
    return pgc_script_writes(arg, entry) != 0;
}

/* A schema may be there already, in which case it stays as it is. */
static void take_schemas(pgc_entries *entries, pgc_buffer *sql)
{
    int kept = 0;
    for (int i = 0; i < entries->count; i++) {
        pgc_entry *entry = entries->items[i];
        if (strcmp(entry->description, "SCHEMA") != 0) {
            entries->items[kept++] = entry;
            continue;
        }
        pgc_buffer_text(sql, "CREATE SCHEMA IF NOT EXISTS ");
        pgc_quote_identifier(sql, entry->tag);
        pgc_buffer_text(sql, ";\n");
    }
    entries->count = kept;
}

static int write_script(const reading *reading, pgc_catalog *catalog, pgc_entries *entries, int target_version,
                        pgc_buffer *sql, pgconvoy_error *err)
{
    pgc_archive_head head = {.major = 1,
                             .minor = 15,
                             .database_name = pgc_catalog_database_name(catalog),
                             .server_version = pgc_catalog_server_version_text(catalog)};
    pgc_script_options options = {.sections = reading->dump.sections,
                                  .schema_only = true,
                                  .no_owner = true,
                                  .no_acl = true,
                                  .no_publications = true,
                                  .no_subscriptions = true,
                                  .no_security_labels = true,
                                  .no_tablespaces = true,
                                  .include_everything = pgc_options_include_everything(&reading->dump),
                                  .server_major = target_version / 10000,
                                  .for_server = true};
    pgc_script *script = pgc_script_new(&options, &head, entries, err);
    const pgc_script_run run = {.write = write_text, .arg = sql};
    int failed = !script || pgc_catalog_entry_dependencies(catalog, entries, is_written, script, err) ||
                 pgc_script_write(script, &run, err);
    pgc_script_free(script);
    return failed ? -1 : 0;
}

static int write_definitions(const reading *reading, int target_version, pgc_buffer *sql, pgconvoy_error *err)
{
    pgc_entries entries;
    pgc_catalog *catalog = pgc_catalog_open(&reading->dump, err);
    if (!catalog)
        return -1;
    bool has_entries = false;
    int failed = pgc_catalog_read(catalog, err) || pgc_catalog_order(catalog, err);
    if (!failed) {
        failed = pgc_entries_init(&entries, err);
        has_entries = !failed;
    }
    if (!failed)
        failed = pgc_catalog_entries(catalog, &entries, err);
    if (!failed) {
        take_schemas(&entries, sql);
        failed = write_script(reading, catalog, &entries, target_version, sql, err);
    }
    if (has_entries)
        pgc_entries_free(&entries);
    pgc_catalog_close(catalog);
    return failed ? -1 : 0;
}

/* The schemas of the tables, where the target lacks them. */
static void write_schemas(const subscribe_state *state, pgc_buffer *sql)
{
    for (int i = 0; i < PQntuples(state->tables); i++)
        if (i == 0 || strcmp(PQgetvalue(state->tables, i, 0), PQgetvalue(state->tables, i - 1, 0)) != 0) {
            pgc_buffer_text(sql, "CREATE SCHEMA IF NOT EXISTS ");
            pgc_quote_identifier(sql, PQgetvalue(state->tables, i, 0));
            pgc_buffer_text(sql, ";\n");
        }
}

int subscribe_schema_sql(subscribe_state *state, pgc_buffer *sql, pgconvoy_error *err)
{
    reading reading = {.pattern_count = 0};
    int wanted = choose(state, &reading, err);
    if (wanted > 0)
        write_schemas(state, sql);
    int failed = wanted < 0 || (wanted > 0 && write_definitions(&reading, state->target_version, sql, err));
    for (int i = 0; i < reading.pattern_count; i++)
        free(reading.patterns[i]);
    free(reading.patterns);
    free(reading.excluded);
    return failed ? -1 : 0;
}
