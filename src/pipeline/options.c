/* Options of a pipeline: a table of rows, each with its setter. */
#include "pipeline/options.h"

#include "base/units.h"
#include "postgres/connection.h"
#include "base/hash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEQUENCES_US INT64_C(10000000)

typedef int (*setter)(pgc_options *options, const char *name, const char *value, pgconvoy_error *err);

static int bad_value(const char *name, const char *value, const char *expected, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--%s cannot be \"%s\"", name, value);
    pgconvoy_error_hint(err, "give %s", expected);
    return -1;
}

static int set_text(char **field, const char *value, pgconvoy_error *err)
{
    char *copy = strdup(value);
    if (!copy)
        return pgc_error_out_of_memory(err);
    free(*field);
    *field = copy;
    return 0;
}

static int add_text(pgc_string_list *list, const char *value, pgconvoy_error *err)
{
    char **items = realloc(list->items, (list->count + 2) * sizeof *items);
    if (!items)
        return pgc_error_out_of_memory(err);
    list->items = items;
    if (!(items[list->count] = strdup(value)))
        return pgc_error_out_of_memory(err);
    items[++list->count] = NULL;
    return 0;
}

/* Slot names allow only these characters, and the slot is pgconvoy_NAME (PostgreSQL manual, section 27.2.6). */
static int set_name(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    size_t length = strlen(value);
    if (length == 0 || length > 54 || strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789_") != length)
        return bad_value(name, value, "1 to 54 characters of a-z, 0-9 and _", err);
    return set_text(&options->name, value, err);
}

static int set_include_table(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    (void)name;
    return add_text(&options->include_tables, value, err);
}

static int set_exclude_table(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    (void)name;
    return add_text(&options->exclude_tables, value, err);
}

static int set_include_schema(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    (void)name;
    return add_text(&options->include_schemas, value, err);
}

static int set_exclude_schema(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    (void)name;
    return add_text(&options->exclude_schemas, value, err);
}

static int set_publication(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    if (value[0] == '\0' || strlen(value) > 63)
        return bad_value(name, value, "the name of a publication, at most 63 bytes", err);
    return set_text(&options->publication, value, err);
}

static int set_slot(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    size_t length = strlen(value);
    if (length == 0 || length > 63 || strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789_") != length)
        return bad_value(name, value, "the name of a slot: 1 to 63 characters of a-z, 0-9 and _", err);
    return set_text(&options->slot, value, err);
}

static int set_count(int *field, const char *name, const char *value, pgconvoy_error *err)
{
    char *end;
    errno = 0;
    long jobs = strtol(value, &end, 10);
    if (errno || end == value || *end || jobs < 1 || jobs > 256)
        return bad_value(name, value, "a whole number from 1 to 256", err);
    *field = (int)jobs;
    return 0;
}

static int set_jobs(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    return set_count(&options->jobs, name, value, err);
}

static int set_index_jobs(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    return set_count(&options->index_jobs, name, value, err);
}

static int set_apply_jobs(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    char *end;
    errno = 0;
    long jobs = strtol(value, &end, 10);
    if (errno || end == value || *end || jobs < 1 || jobs > 32)
        return bad_value(name, value, "a whole number from 1 to 32", err);
    options->apply_jobs = (int)jobs;
    return 0;
}

static int set_until(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    if (strcmp(value, "caught-up") == 0) {
        options->until = PGC_UNTIL_CAUGHT_UP;
        return 0;
    }
    if (strcmp(value, "prepared") == 0) {
        options->until = PGC_UNTIL_PREPARED;
        return 0;
    }
    if (pgconvoy_lsn_from_text(value, &options->until_lsn) != 0 || options->until_lsn == 0)
        return bad_value(name, value, "caught-up, prepared, or an LSN such as 0/1A2B3C8", err);
    options->until = PGC_UNTIL_LSN;
    return 0;
}

static int set_if_exists(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    static const char *const names[] = {"error", "append", "truncate", "drop"};
    for (int i = 0; i < 4; i++)
        if (strcmp(value, names[i]) == 0) {
            options->if_exists = (pgconvoy_if_exists)i;
            return 0;
        }
    return bad_value(name, value, "error, append, truncate or drop", err);
}

static int set_memory(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    size_t bytes;
    if (pgc_size_parse(value, &bytes) != 0 || bytes < (size_t)64 << 20)
        return bad_value(name, value, "a size of at least 64MB, such as 256MB or 2GB", err);
    options->memory_bytes = bytes;
    return 0;
}

static int set_split(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    size_t bytes;
    if (pgc_size_parse(value, &bytes) != 0 || bytes < (size_t)1 << 20 || bytes > (size_t)1 << 44)
        return bad_value(name, value, "a size of at least 1MB, such as 128MB", err);
    options->split_bytes = (int64_t)bytes;
    return 0;
}

static int set_state_dir(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    if (value[0] == '\0')
        return bad_value(name, value, "a folder", err);
    return set_text(&options->state_dir, value, err);
}

static int set_retry_for(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    char *end;
    errno = 0;
    long seconds = strtol(value, &end, 10);
    if (errno || end == value || *end || seconds < 0 || seconds > 100000000L)
        return bad_value(name, value, "a number of seconds", err);
    options->retry_for_us = (int64_t)seconds * 1000000;
    return 0;
}

/* A number of seconds between two of something; off is 0. */
static int set_interval(int64_t *field, const char *name, const char *value, pgconvoy_error *err)
{
    char *end;
    errno = 0;
    double seconds = strcmp(value, "off") == 0 ? 0 : strtod(value, &end);
    if (strcmp(value, "off") != 0 && (errno || end == value || *end || !(seconds >= 0.1 && seconds <= 86400)))
        return bad_value(name, value, "a number of seconds from 0.1 to 86400, or off", err);
    *field = (int64_t)(seconds * 1e6);
    return 0;
}

static int set_heartbeat(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    return set_interval(&options->heartbeat_us, name, value, err);
}

static bool is_split(const char *value)
{
    long long from;
    int end = 0;
    return strcmp(value, "odd") == 0 || strcmp(value, "even") == 0 ||
           (sscanf(value, "from:%lld%n", &from, &end) == 1 && from > 0 && value[end] == '\0');
}

static int set_sequences(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    options->sequences_given = true;
    if (is_split(value)) {
        options->sequences_us = SEQUENCES_US;
        return set_text(&options->split_sequences, value, err);
    }
    return set_interval(&options->sequences_us, name, value, err);
}

static int set_on_conflict(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    static const char *const policies[] = {"source", "target", "error", "last-write", "merge-source", "merge-target"};
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++)
        if (strcmp(value, policies[i]) == 0)
            return set_text(&options->on_conflict, value, err);
    return bad_value(name, value, "source, target, error, last-write, merge-source or merge-target", err);
}

/* What two ends carry over to each other would never come to rest. */
static int set_origin(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    if (strcmp(value, "any") != 0 && strcmp(value, "none") != 0)
        return bad_value(name, value, "any or none", err);
    options->origin_none = strcmp(value, "none") == 0;
    if (options->origin_none && !options->sequences_given)
        options->sequences_us = 0;
    return 0;
}

static int set_conflict_table(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    const char *dot = strchr(value, '.');
    if (value[0] == '\0' || dot == value || (dot && dot[1] == '\0') || strlen(value) > 127)
        return bad_value(name, value, "the name of a table, TABLE or SCHEMA.TABLE", err);
    return set_text(&options->conflict_table, value, err);
}

static int set_partitions(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    if (strcmp(value, "root") != 0 && strcmp(value, "leaves") != 0)
        return bad_value(name, value, "root or leaves", err);
    options->partitions_as_leaves = value[0] == 'l';
    return 0;
}

/* DIR or DIR:SIZE; a colon that no size follows is part of the folder's name. */
static int set_spool(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    const char *colon = strrchr(value, ':');
    size_t bytes = 0;
    if (colon && pgc_size_parse(colon + 1, &bytes) != 0)
        colon = NULL;
    size_t length = colon ? (size_t)(colon - value) : strlen(value);
    if (length == 0 || (colon && (bytes < ((size_t)1 << 20) || bytes > INT64_MAX)))
        return bad_value(name, value, "a folder, and how much may be kept there if not any amount: DIR or DIR:20GB", err);
    if (set_text(&options->spool_dir, value, err) != 0)
        return -1;
    options->spool_dir[length] = '\0';
    options->spool_bytes = (int64_t)bytes;
    return 0;
}

static int set_failover(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
        return bad_value(name, value, "on or off", err);
    options->failover = strcmp(value, "on") == 0;
    return 0;
}

static int set_ddl(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    bool skip = strcmp(value, "skip") == 0;
    if (!skip && strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
        return bad_value(name, value, "on, skip or off", err);
    options->ddl = strcmp(value, "off") != 0;
    options->ddl_skip = skip;
    return 0;
}

/* The rows of the options and the kinds have the same names. */
static int set_mapping(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    static const struct {
        const char *name;
        pgc_mapping_kind kind;
    } kinds[] = {{"map-schema", PGC_MAPPING_SCHEMA}, {"map-table", PGC_MAPPING_TABLE}, {"map-column", PGC_MAPPING_COLUMN},
                 {"columns", PGC_MAPPING_COLUMNS},   {"where", PGC_MAPPING_WHERE}};
    if (!options->mapping && !(options->mapping = pgc_mapping_new(err)))
        return -1;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return pgc_mapping_add(options->mapping, kinds[i].kind, value, err);
    return bad_value(name, value, "another option", err);
}

static int set_switch(bool *field, const char *name, const char *value, pgconvoy_error *err)
{
    if (value && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
        return bad_value(name, value, "true or false", err);
    *field = !value || value[0] == 't';
    return 0;
}

static int set_dry_run(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    return set_switch(&options->dry_run, name, value, err);
}

static int set_two_phase(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    return set_switch(&options->two_phase, name, value, err);
}

static int set_roles(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    return set_switch(&options->roles, name, value, err);
}

static int set_skip_unavailable(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    return set_switch(&options->skip_unavailable, name, value, err);
}

static int set_no_owner(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    return set_switch(&options->no_owner, name, value, err);
}

static int set_no_acl(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    return set_switch(&options->no_acl, name, value, err);
}

static const pgconvoy_option rows[] = {
    {"name", 0, "NAME", "from source and target",
     "the pipeline's name; the slot and the publication are pgconvoy_NAME"},
    {"table", 't', "PATTERN", "all user tables", "tables to take, by pg_dump's pattern rules; may be repeated"},
    {"exclude-table", 'T', "PATTERN", "none", "tables to leave out; may be repeated"},
    {"schema", 'n', "PATTERN", "all", "schemas to take; may be repeated"},
    {"exclude-schema", 'N', "PATTERN", "none", "schemas to leave out; may be repeated"},
    {"publication", 0, "P", "pgconvoy_NAME", "use this publication; its tables are taken when it exists, else it is created"},
    {"slot", 0, "S", "pgconvoy_NAME", "use this replication slot; created when it does not exist"},
    {"jobs", 'j', "N", "number of cores", "parallel table copies"},
    {"apply-jobs", 0, "N", "1", "so many connections to a PostgreSQL target apply a batch of the stream's changes together"},
    {"two-phase", 0, NULL, "off",
     "a PREPARE TRANSACTION at the source (15 and later) is one at the PostgreSQL target, too, and COMMIT PREPARED or ROLLBACK PREPARED follows; "
     "without it the transaction comes when it is committed"},
    {"until", 0, "caught-up|LSN|prepared", "run on",
     "stop once everything committed before now, or up to LSN, is durable in the target; prepared: before the stream begins"},
    {"if-exists", 0, "error|append|truncate|drop", "error",
     "what to do with a target table that this pipeline did not make"},
    {"memory", 0, "SIZE", "256MB", "bound on pgconvoy's own resident memory"},
    {"state-dir", 0, "DIR", "$XDG_STATE_HOME/pgconvoy", "where a pipeline's local state is kept"},
    {"partitions", 0, "root|leaves", "root",
     "a partitioned table arrives as one table, or each leaf partition as its own (13 and later; 12 has leaves only)"},
    {"split", 0, "SIZE", "128MB", "tables larger than this are copied in ranges of at most about this size"},
    {"retry-for", 0, "SECONDS", "3600", "how long to try again after a failure that may heal, counted from the first one since anything went forward"},
    {"failover", 0, "on|off", "on", "a slot that is made is one that the source's standbys keep in step, for when one is promoted (17 and later)"},
    {"spool", 0, "DIR[:SIZE]", "none", "a folder on disk that keeps changes while the target is away, so that the slot moves on; replayed in order after"},
    {"heartbeat", 0, "SECONDS|off", "30", "how often a small message is sent through the source's WAL, by which the lag of an idle stream is known"},
    {"sequences", 0, "SECONDS|off|odd|even|from:N", "10",
     "how often values of the tables' sequences are carried over, into targets that have sequences; and at the end. odd, even, from:N: those of the "
     "target give such values only, for two ends that both take rows"},
    {"on-conflict", 0, "source|target|error|last-write|merge-source|merge-target", "source",
     "whose row stands when the target is not what the source was: a row is missing, there already or another one; error ends the pipeline; "
     "last-write goes by the time of the commits, merge-… by column: of those that both have changed one side's stands"},
    {"origin", 0, "any|none", "any",
     "none leaves out what another stream has written to the source, so that two pipelines can face each other; carries no sequences' values"},
    {"conflict-table", 0, "[SCHEMA.]TABLE", "none", "a table on the target, made where it is missing, that keeps each conflict with both rows"},
    {"ddl", 0, "on|skip|off", "on",
     "follow changed definitions by event triggers on the source: on ends the pipeline before a command that cannot be carried over, skip leaves "
     "it out and lists it; off knows no more than what rows show"},
    {"map-schema", 0, "SCHEMA=NEW", "none", "what is in this schema comes into another"},
    {"map-table", 0, "SCHEMA.TABLE=NEW", "none", "another name for a table, or SCHEMA.NAME in another schema"},
    {"map-column", 0, "SCHEMA.TABLE.COLUMN=NEW", "none", "another name for a column"},
    {"columns", 0, "SCHEMA.TABLE=A,B,…", "all", "only these columns of a table, without what needs the others"},
    {"where", 0, "SCHEMA.TABLE=CONDITION", "all", "only these rows of a table"},
    {"dry-run", 0, NULL, "off", "say what would be done, change nothing"},
    {"index-jobs", 0, "N", "as --jobs", "into PostgreSQL: indexes of larger tables built at once"},
    {"roles", 0, NULL, "off", "into PostgreSQL: make the roles that the target lacks, without passwords and superuser rights"},
    {"skip-unavailable", 0, NULL, "off", "into PostgreSQL: go on without what the target cannot have, and list it"},
    {"no-owner", 'O', NULL, "off", "into PostgreSQL: all objects belong to the target's user"},
    {"no-acl", 'x', NULL, "off", "into PostgreSQL: no privileges"},
    {NULL, 0, NULL, NULL, NULL},
};

/* In the order of rows. */
static const setter setters[] = {set_name,    set_include_table, set_exclude_table, set_include_schema, set_exclude_schema, set_publication,
                                 set_slot,    set_jobs, set_apply_jobs, set_two_phase, set_until,         set_if_exists,      set_memory,     set_state_dir,
                                 set_partitions, set_split,      set_retry_for,     set_failover, set_spool, set_heartbeat, set_sequences,
                                 set_on_conflict, set_origin, set_conflict_table, set_ddl, set_mapping, set_mapping, set_mapping, set_mapping, set_mapping, set_dry_run,
                                 set_index_jobs, set_roles, set_skip_unavailable, set_no_owner, set_no_acl};

_Static_assert(sizeof setters / sizeof *setters == sizeof rows / sizeof *rows - 1, "a setter for each option");

const pgconvoy_option *pgconvoy_pipeline_options(void)
{
    return rows;
}

int pgc_options_set(pgc_options *options, const char *name, const char *value, pgconvoy_error *err)
{
    for (size_t i = 0; rows[i].name; i++)
        if (strcmp(rows[i].name, name) == 0) {
            if (!value && rows[i].argument) {
                pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--%s needs a value", name);
                pgconvoy_error_hint(err, "write --%s %s", name, rows[i].argument);
                return -1;
            }
            return setters[i](options, name, value, err);
        }
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "there is no option \"%s\"", name);
    pgconvoy_error_hint(err, "see --help for the options");
    return -1;
}

void pgc_options_init(pgc_options *options)
{
    memset(options, 0, sizeof *options);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    options->jobs = cores < 1 ? 1 : cores > 16 ? 16 : (int)cores;
    options->apply_jobs = 1;
    options->memory_bytes = (size_t)256 << 20;
    options->retry_for_us = INT64_C(3600) * 1000000;
    options->split_bytes = INT64_C(128) << 20;
    options->failover = true;
    options->ddl = true;
    options->heartbeat_us = INT64_C(30000000);
    options->sequences_us = SEQUENCES_US;
}

static void free_list(pgc_string_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
}

void pgc_options_free(pgc_options *options)
{
    free(options->name);
    free(options->publication);
    free(options->slot);
    free(options->on_conflict);
    free(options->split_sequences);
    free(options->conflict_table);
    free(options->state_dir);
    free(options->spool_dir);
    pgc_mapping_free(options->mapping);
    free_list(&options->include_tables);
    free_list(&options->exclude_tables);
    free_list(&options->include_schemas);
    free_list(&options->exclude_schemas);
    memset(options, 0, sizeof *options);
}

/* A PostgreSQL end is hashed by where it is, so that another password, user or spelling does not make another pipeline. */
static uint64_t hash_end(uint64_t hash, const char *end)
{
    pgc_buffer place;
    pgc_buffer_init(&place, 65536);
    if (pgc_connection_is_uri(end))
        pgc_connection_place(end, &place);
    hash = pgc_hash_byte(pgc_hash_text(hash, place.length > 0 && !place.failed ? place.data : end), 0xff);
    pgc_buffer_free(&place);
    return hash;
}

void pgc_options_derive_name(const char *source, const char *target, char *name)
{
    uint64_t hash = hash_end(PGC_HASH_START, source);
    hash = hash_end(hash, target);
    snprintf(name, 64, "p%012llx", (unsigned long long)(hash & 0xffffffffffffULL));
}

char *pgc_options_default_state_dir(void)
{
    const char *base = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    char *folder = NULL;
    int n;
    if (base && base[0] == '/')
        n = asprintf(&folder, "%s/pgconvoy", base);
    else
        n = asprintf(&folder, "%s/.local/state/pgconvoy", home && home[0] ? home : "/tmp");
    return n < 0 ? NULL : folder;
}
