/*
 * Conflicts: the target is not what the source was when a change was made. Bulk statements only find out that there are
 * some, and are undone (gather.c); the statements for single changes (statement_sql.c) tell what each one is. Here they
 * are counted by kind and table: in the log, in pgconvoy.conflict_count on the target, in the transaction that meets
 * them, and in a file beside the pipeline's local state, for `pgconvoy status`.
 */
#include "sink/postgres/sink_internal.h"
#include "format/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name, *says, *hint;
} kinds[] = {
    {"", "", ""},
    {"insert_exists", "an insert into %s.%s met a row that is there", "remove the row"},
    {"update_missing", "an update of %s.%s found no row", "bring the row back"},
    {"delete_missing", "a delete from %s.%s found no row", "bring the row back"},
    {"update_differs", "an update of %s.%s found another row than the source had", "make the row what it was"},
    {"delete_differs", "a delete from %s.%s found another row than the source had", "make the row what it was"},
};
_Static_assert(sizeof kinds / sizeof *kinds == PGSINK_CONFLICT_KINDS + 1, "a row for each kind");

/* In the order of pgc_pgsink_on_conflict. */
static const struct {
    const char *name, *says;
} policies[] = {
    {"source", "the source wins"},   {"target", "the target wins"},         {"error", ""},
    {"last-write", "the later write stands"}, {"merge-source", "the columns are merged"}, {"merge-target", "the columns are merged"},
};

struct pgc_pgsink_tally {
    pgc_pgsink_tally *next;
    const char *schema, *name; /* in the same piece of memory */
    int64_t committed[PGSINK_CONFLICT_KINDS + 1], pending[PGSINK_CONFLICT_KINDS + 1], kept[PGSINK_CONFLICT_KINDS + 1];
    int64_t seen; /* by this writer, committed or not */
};

const char *pgc_pgsink_conflict_name(int kind)
{
    return kinds[kind].name;
}

static pgc_pgsink_tally *tally_of(pgc_pgsink_writer *writer, const char *schema, const char *name)
{
    for (pgc_pgsink_tally *tally = writer->tallies; tally; tally = tally->next)
        if (strcmp(tally->name, name) == 0 && strcmp(tally->schema, schema) == 0)
            return tally;
    size_t schema_size = strlen(schema) + 1, name_size = strlen(name) + 1;
    pgc_pgsink_tally *made = calloc(1, sizeof *made + schema_size + name_size);
    if (!made)
        return NULL;
    made->schema = memcpy(made + 1, schema, schema_size);
    made->name = memcpy((char *)(made + 1) + schema_size, name, name_size);
    made->next = writer->tallies;
    return writer->tallies = made;
}

/* False when the policy is that there may be none: err says so. */
bool pgc_pgsink_conflict_met(pgc_pgsink_writer *writer, const pgconvoy_table *table, int kind, const char *key,
                             pgconvoy_error *err)
{
    char says[400];
    snprintf(says, sizeof says, kinds[kind].says, table->schema, table->name);
    if (writer->sink->on_conflict == PGSINK_CONFLICT_FAILS) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "conflict (%s): %s%s%.200s on the target", kinds[kind].name, says,
                           key ? ": " : "", key ? key : "");
        pgconvoy_error_hint(err, "%s on the target, or go on with another --on-conflict, source or target", kinds[kind].hint);
        return false;
    }
    pgc_pgsink_tally *tally = tally_of(writer, table->schema, table->name);
    if (!tally)
        return true; /* out of memory: not counted, nothing worse */
    tally->pending[kind]++;
    if (tally->seen++ == 0)
        pgc_log_warning(writer->sink->config->log,
                        "conflict (%s): %s%s%.200s on the target; %s (further ones of this table are counted)",
                        kinds[kind].name, says, key ? ": " : "", key ? key : "",
                        policies[writer->sink->on_conflict].says);
    return true;
}

/* ---- as the transaction goes */

void pgc_pgsink_conflicts_keep(pgc_pgsink_writer *writer)
{
    for (pgc_pgsink_tally *tally = writer->tallies; tally; tally = tally->next)
        memcpy(tally->kept, tally->pending, sizeof tally->kept);
}

void pgc_pgsink_conflicts_back(pgc_pgsink_writer *writer)
{
    for (pgc_pgsink_tally *tally = writer->tallies; tally; tally = tally->next)
        memcpy(tally->pending, tally->kept, sizeof tally->pending);
}

void pgc_pgsink_conflicts_forget(pgc_pgsink_writer *writer)
{
    for (pgc_pgsink_tally *tally = writer->tallies; tally; tally = tally->next) {
        memset(tally->pending, 0, sizeof tally->pending);
        memset(tally->kept, 0, sizeof tally->kept);
    }
}

void pgc_pgsink_conflicts_add(pgc_pgsink_writer *writer, const char *schema, const char *name, int kind, int64_t count)
{
    pgc_pgsink_tally *tally = tally_of(writer, schema, name);
    if (tally) /* as where one is met */
        tally->pending[kind] += count;
}

void pgc_pgsink_conflicts_hand_over(pgc_pgsink_writer *from, pgc_pgsink_writer *to)
{
    for (const pgc_pgsink_tally *tally = from->tallies; tally; tally = tally->next)
        for (int kind = 1; kind <= PGSINK_CONFLICT_KINDS; kind++)
            if (tally->pending[kind] > 0)
                pgc_pgsink_conflicts_add(to, tally->schema, tally->name, kind, tally->pending[kind]);
    pgc_pgsink_conflicts_forget(from);
}

static bool has_pending(const pgc_pgsink_tally *tally)
{
    for (int kind = 1; kind <= PGSINK_CONFLICT_KINDS; kind++)
        if (tally->pending[kind] > 0)
            return true;
    return false;
}

static int store(pgc_pgsink_writer *writer, const pgc_pgsink_tally *tally, int kind, pgconvoy_error *err)
{
    static const char sql[] = "INSERT INTO pgconvoy.conflict_count AS c (pipeline, schema_name, table_name, kind, "
                              "count) VALUES ($1, $2, $3, $4, $5::bigint) "
                              "ON CONFLICT (pipeline, schema_name, table_name, kind) DO UPDATE SET count = c.count + "
                              "excluded.count, last_at = now()";
    char count[24];
    snprintf(count, sizeof count, "%lld", (long long)tally->pending[kind]);
    const char *values[] = {writer->sink->config->pipeline_name, tally->schema, tally->name, kinds[kind].name, count};
    PGresult *result = pgc_pgsink_query(writer->conn, sql, 5, values, "counting conflicts on the target", err);
    PQclear(result);
    return result ? 0 : -1;
}

int pgc_pgsink_conflicts_store(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    static const char table[] =
        "CREATE TABLE IF NOT EXISTS pgconvoy.conflict_count (pipeline text NOT NULL, schema_name text NOT NULL, "
        "table_name text NOT NULL,"
        " kind text NOT NULL, count bigint NOT NULL, last_at timestamptz NOT NULL DEFAULT now(),"
        " PRIMARY KEY (pipeline, schema_name, table_name, kind))";
    bool made = false;
    for (pgc_pgsink_tally *tally = writer->tallies; tally; tally = tally->next) {
        if (!has_pending(tally))
            continue;
        if (!made &&
            pgc_pgsink_execute(writer->conn, table, "creating pgconvoy.conflict_count on the target", err) != 0)
            return -1;
        made = true;
        for (int kind = 1; kind <= PGSINK_CONFLICT_KINDS; kind++)
            if (tally->pending[kind] > 0 && store(writer, tally, kind, err) != 0)
                return -1;
    }
    return 0;
}

/* ---- as JSON: in a file, and with a part of a batch */

void pgc_pgsink_conflicts_text(const pgc_pgsink_writer *writer, bool committed, pgc_buffer *out)
{
    int count = 0;
    pgc_buffer_byte(out, '[');
    for (const pgc_pgsink_tally *tally = writer->tallies; tally; tally = tally->next)
        for (int kind = 1; kind <= PGSINK_CONFLICT_KINDS; kind++) {
            int64_t number = committed ? tally->committed[kind] : tally->pending[kind];
            if (number == 0)
                continue;
            pgc_buffer_text(out, count++ ? ",{\"schema\":" : "{\"schema\":");
            pgc_json_string(out, tally->schema);
            pgc_buffer_text(out, ",\"table\":");
            pgc_json_string(out, tally->name);
            pgc_buffer_format(out, ",\"kind\":\"%s\",\"count\":%lld}", kinds[kind].name,
                              (long long)number);
        }
    pgc_buffer_byte(out, ']');
}

/* For `status` only: what cannot be written is not missed. */
static void write_file(const pgc_pgsink_writer *writer)
{
    char path[4096], scratch[4200];
    const char *dir = writer->sink->config->state_dir;
    pgc_buffer out;
    if (!dir || snprintf(path, sizeof path, "%s/conflicts.json", dir) >= (int)sizeof path)
        return;
    snprintf(scratch, sizeof scratch, "%s.new", path);
    pgc_buffer_init(&out, PGSINK_SQL_LIMIT);
    pgc_pgsink_conflicts_text(writer, true, &out);
    FILE *file = out.failed ? NULL : fopen(scratch, "we");
    if (file) {
        bool ok = fwrite(out.data, 1, out.length, file) == out.length;
        ok = fclose(file) == 0 && ok;
        if (!ok || rename(scratch, path) != 0)
            unlink(scratch);
    }
    pgc_buffer_free(&out);
}

void pgc_pgsink_conflicts_committed(pgc_pgsink_writer *writer)
{
    bool any = false;
    for (pgc_pgsink_tally *tally = writer->tallies; tally; tally = tally->next)
        for (int kind = 1; kind <= PGSINK_CONFLICT_KINDS; kind++) {
            any = any || tally->pending[kind] > 0;
            tally->committed[kind] += tally->pending[kind];
        }
    pgc_pgsink_conflicts_forget(writer);
    if (any)
        write_file(writer);
}

/* ---- beginning and end */

static int load_counts(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    const pgc_pgsink *sink = writer->sink;
    const char *values[] = {sink->config->pipeline_name};
    bool there;
    if (pgc_pgsink_relation_exists(writer->conn, "pgconvoy.conflict_count", "looking for conflicts of before on the target",
                                   &there, err) != 0)
        return -1;
    if (!there)
        return 0;
    PGresult *result = pgc_pgsink_query(
        writer->conn, "SELECT schema_name, table_name, kind, count FROM pgconvoy.conflict_count WHERE pipeline = $1", 1,
        values, "reading the conflicts of before on the target", err);
    for (int i = 0; result && i < PQntuples(result); i++) {
        pgc_pgsink_tally *tally = tally_of(writer, PQgetvalue(result, i, 0), PQgetvalue(result, i, 1));
        for (int kind = 1; tally && kind <= PGSINK_CONFLICT_KINDS; kind++)
            if (strcmp(PQgetvalue(result, i, 2), kinds[kind].name) == 0)
                tally->committed[kind] = strtoll(PQgetvalue(result, i, 3), NULL, 10);
    }
    PQclear(result);
    return result ? 0 : -1;
}

static int make_table(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    pgc_buffer sql;
    char doing[300];
    snprintf(doing, sizeof doing, "creating the table of conflicts %.200s on the target", writer->sink->conflict_table);
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_format(
        &sql,
        "CREATE TABLE IF NOT EXISTS %s (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        " at timestamptz NOT NULL DEFAULT clock_timestamp(), pipeline text NOT NULL, schema_name text NOT NULL,"
        " table_name text NOT NULL, kind text NOT NULL, resolution text NOT NULL, target_row jsonb, source_row jsonb)",
        writer->sink->conflict_table);
    int status = pgc_pgsink_execute_buffer(writer->conn, &sql, doing, err);
    pgc_buffer_free(&sql);
    return status;
}

int pgc_pgsink_conflicts_setup(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    if (writer->conflicts_ready)
        return 0;
    if (load_counts(writer, err) != 0 || (writer->sink->conflict_table && make_table(writer, err) != 0))
        return -1;
    writer->conflicts_ready = true;
    return 0;
}

void pgc_pgsink_conflicts_free(pgc_pgsink_writer *writer)
{
    for (pgc_pgsink_tally *tally; (tally = writer->tallies) != NULL;) {
        writer->tallies = tally->next;
        if (tally->seen > 1)
            pgc_log_warning(writer->sink->config->log, "%lld changes of %s.%s met conflicts on the target",
                            (long long)tally->seen, tally->schema, tally->name);
        free(tally);
    }
}

int pgc_pgsink_conflict_options(pgc_pgsink *sink, pgconvoy_error *err)
{
    const char *policy = sink->config->on_conflict, *table = sink->config->conflict_table;
    for (size_t i = 0; policy && i < sizeof policies / sizeof *policies; i++)
        if (strcmp(policy, policies[i].name) == 0)
            sink->on_conflict = (pgc_pgsink_on_conflict)i;
    if (!table)
        return 0;
    pgc_buffer quoted;
    pgc_buffer_init(&quoted, 4096);
    const char *dot = strchr(table, '.');
    char *schema = dot ? pgc_arena_strndup(sink->arena, table, (size_t)(dot - table)) : NULL;
    pgc_quote_qualified(&quoted, schema ? schema : "public", dot ? dot + 1 : table);
    int status = pgc_buffer_check(&quoted, err);
    if (status == 0 && !(sink->conflict_table = pgc_arena_strdup(sink->arena, quoted.data)))
        status = pgc_error_out_of_memory(err);
    pgc_buffer_free(&quoted);
    return status;
}
