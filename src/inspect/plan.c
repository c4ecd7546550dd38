/*
 * Measuring and judging. The read rate is that of a COPY of the largest tables, for about a second; what is estimated
 * from it are orders of magnitude, with the assumptions in the notes.
 */
#include "inspect/plan_internal.h"

#include "base/clock.h"
#include "base/units.h"
#include "postgres/connection.h"
#include "postgres/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GB ((int64_t)1 << 30)
#define DUMP_BELOW (10 * GB)
#define LINK_BELOW (100 * GB)
#define PHYSICAL_FROM (10 * 1024 * GB)
/* When nothing could be read, which is slow for a local disk and usual for a network. */
#define ASSUMED_BYTES_PER_S (30 << 20)
/* Of so little no rate can be told. */
#define LEAST_TABLE_BYTES (1 << 20)
/* What a table takes whatever is in it: its definition is read, and made, or it has a file that is waited for to be on
 * the disk; a few commands, each a round trip. */
#define DUMP_US_PER_TABLE 4000
#define COPY_US_PER_TABLE 5000
#define ROUND_TRIPS_PER_TABLE 4
#define BEGINNING_US          INT64_C(250000)
/* What a row written, and a byte of an index built, take beside a byte read; a copy keeps a core busy at either end. */
#define WRITING_COSTS 3
#define INDEX_COSTS 2
/* A table changes often when so many of its rows would change in a day. */
#define OFTEN_PER_DAY 0.01

const char *pgc_plan_way_name(pgc_plan_way way)
{
    static const char *const names[] = {"dump", "copy", "link", "sync", "physical"};
    return way < PGC_PLAN_WAYS ? names[way] : "";
}

/* ------------------------------------------------------------------ reading */

static int64_t number(const PGresult *result, int row, int column)
{
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

static int tables_query(const pgc_plan_options *options, pgc_buffer *sql, pgconvoy_error *err)
{
    pgc_buffer_text(
        sql, "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), CASE WHEN c.reltuples > 0 THEN c.reltuples ELSE "
             "pg_catalog.pg_stat_get_live_tuples(c.oid) END::pg_catalog.int8, "
             "pg_catalog.pg_table_size(c.oid) - coalesce(pg_catalog.pg_total_relation_size(c.reltoastrelid), 0), "
             "coalesce(pg_catalog.pg_total_relation_size(c.reltoastrelid), 0), pg_catalog.pg_indexes_size(c.oid), "
             "pg_catalog.pg_stat_get_tuples_inserted(c.oid) + pg_catalog.pg_stat_get_tuples_updated(c.oid) + "
             "pg_catalog.pg_stat_get_tuples_deleted(c.oid) "
             "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN "
             "('r', 'm') AND c.relpersistence <> 't' AND ");
    if (pgc_choice_condition(&options->choice, sql, err))
        return -1;
    pgc_buffer_text(sql, " ORDER BY pg_catalog.pg_total_relation_size(c.oid) DESC, 1");
    return pgc_buffer_check(sql, err);
}

/* Sizes and counters. again: the changes since the first time. */
static int read_tables(PGconn *conn, const char *sql, pgc_plan *plan, bool again, pgconvoy_error *err)
{
    PGresult *result = pgc_query(conn, sql, err);
    if (!result)
        return -1;
    int count = PQntuples(result);
    if (!again) {
        plan->tables = calloc((size_t)count + 1, sizeof *plan->tables);
        plan->table_count = plan->tables ? count : 0;
    }
    for (int i = 0; i < count && plan->tables; i++) {
        pgc_plan_table *table = &plan->tables[i];
        if (!again) {
            snprintf(table->name, sizeof table->name, "%s", PQgetvalue(result, i, 0));
            table->rows = number(result, i, 1);
            table->table_bytes = number(result, i, 2);
            table->toast_bytes = number(result, i, 3);
            table->index_bytes = number(result, i, 4);
            table->changes = number(result, i, 5);
            plan->rows += table->rows;
            plan->table_bytes += table->table_bytes;
            plan->toast_bytes += table->toast_bytes;
            plan->index_bytes += table->index_bytes;
            continue;
        }
        for (int j = 0; j < plan->table_count; j++) /* the order may have changed by a table or two */
            if (strcmp(plan->tables[(i + j) % plan->table_count].name, PQgetvalue(result, i, 0)) == 0) {
                pgc_plan_table *same = &plan->tables[(i + j) % plan->table_count];
                same->changes = number(result, i, 5) - same->changes;
                plan->changes += same->changes;
                break;
            }
    }
    PQclear(result);
    return plan->tables ? 0 : pgc_error_out_of_memory(err);
}

/* Statistics of other sessions are seen anew by each transaction. */
static int read_wal(PGconn *conn, pgc_plan *plan, pgconvoy_lsn *lsn, pgconvoy_error *err)
{
    PGresult *result = pgc_query(conn,
                                 "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN "
                                 "pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_insert_lsn() END, "
                                 "pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('wal_level') = 'logical'",
                                 err);
    if (!result)
        return -1;
    if (pgconvoy_lsn_from_text(PQgetvalue(result, 0, 0), lsn) != 0)
        *lsn = 0;
    plan->is_standby = PQgetvalue(result, 0, 1)[0] == 't';
    plan->wal_is_logical = PQgetvalue(result, 0, 2)[0] == 't';
    PQclear(result);
    return 0;
}

/* Of a few the shortest: what makes one longer is not the way. */
static int measure_round_trip(PGconn *conn, pgc_plan *plan, pgconvoy_error *err)
{
    for (int i = 0; i < 5; i++) {
        int64_t began = pgc_clock_monotonic_us();
        if (pgc_execute(conn, "SELECT", err))
            return -1;
        int64_t took = pgc_clock_monotonic_us() - began;
        if (i == 0 || took < plan->round_trip_us)
            plan->round_trip_us = took;
    }
    return 0;
}

static int sample(const pgc_plan_options *options, PGconn *conn, const char *sql, pgc_plan *plan, pgconvoy_error *err)
{
    pgconvoy_lsn first, last;
    if (measure_round_trip(conn, plan, err) || read_wal(conn, plan, &first, err) ||
        read_tables(conn, sql, plan, false, err))
        return -1;
    int64_t began = pgc_clock_monotonic_us();
    if (plan_read_pieces(conn, plan, err))
        return -1;
    while (pgc_clock_monotonic_us() - began < options->sample_us &&
           !(options->stopped && options->stopped(options->stopped_arg)))
        pgc_clock_sleep_ms(50);
    if (read_tables(conn, sql, plan, true, err) || read_wal(conn, plan, &last, err))
        return -1;
    plan->sample_us = pgc_clock_monotonic_us() - began;
    plan->wal_bytes = last > first ? (int64_t)(last - first) : 0;
    return 0;
}

/* ------------------------------------------------------------------ judging */

/* Microseconds for a byte of a table, by the piece that was read. */
static double cost_of(const pgc_plan_piece *piece)
{
    return piece->us > 0 && piece->table_bytes >= LEAST_TABLE_BYTES ? (double)piece->us / (double)piece->table_bytes
                                                                    : 1e6 / ASSUMED_BYTES_PER_S;
}

static int64_t time_for(double bytes, double cost, int jobs)
{
    return (int64_t)(bytes * cost / jobs) + BEGINNING_US;
}

/* Whatever is in the tables. */
static int64_t time_for_tables(const pgc_plan *plan, int64_t each_us, int jobs)
{
    return plan->table_count * (each_us + ROUND_TRIPS_PER_TABLE * plan->round_trip_us) / jobs;
}

static double share_compressed(const pgc_plan *plan)
{
    const pgc_plan_piece *packed = &plan->packed;
    return packed->table_bytes >= LEAST_TABLE_BYTES ? (double)plan->packed_bytes / (double)packed->table_bytes : 0.33;
}

static bool changes_often(const pgc_plan *plan)
{
    double per_day = plan->sample_us ? (double)plan->changes * 86400e6 / (double)plan->sample_us : 0;
    return plan->changes > 1 && per_day > OFTEN_PER_DAY * (double)(plan->rows + 1);
}

static void recommend(pgc_plan *plan)
{
    char size[PGC_UNITS_TEXT_SIZE];
    int64_t total = plan->table_bytes + plan->toast_bytes + plan->index_bytes;
    bool often = changes_often(plan);
    const char *why;
    if (total >= PHYSICAL_FROM) {
        plan->recommended = PGC_PLAN_PHYSICAL;
        why = "it is beyond 10 TB, where a copy row by row takes days: a physical copy, or working where the data is, "
              "suits better";
    } else if (total < DUMP_BELOW && !often) {
        plan->recommended = PGC_PLAN_DUMP;
        why = "it is below 10 GB and changes rarely: a dump is simple, and can be repeated";
    } else if (total < DUMP_BELOW) {
        plan->recommended = PGC_PLAN_SYNC;
        why = "it is small, but changes often: a dump would be old at once, and replication costs little at this size";
    } else if (total < LINK_BELOW && !often) {
        plan->recommended = PGC_PLAN_LINK;
        why = "it is between 10 and 100 GB: foreign tables give fresh reads at once, and copies of those that are read "
              "much";
    } else {
        plan->recommended = PGC_PLAN_SYNC;
        why = often ? "it changes all the time: replication follows it with little downtime"
                    : "it is 100 GB or more: replication copies it once and follows, with little downtime";
    }
    snprintf(plan->reason, sizeof plan->reason, "the tables are %s with their indexes, and %s",
             pgc_size_to_text(total, size), why);
    if (plan->recommended == PGC_PLAN_SYNC && plan->is_standby)
        snprintf(plan->reason + strlen(plan->reason), sizeof plan->reason - strlen(plan->reason),
                 "; the source is a standby: name its primary, or have 16 or later");
    else if (plan->recommended == PGC_PLAN_SYNC && !plan->wal_is_logical)
        snprintf(plan->reason + strlen(plan->reason), sizeof plan->reason - strlen(plan->reason),
                 "; the source needs wal_level = logical for it, and a restart");
}

static void estimate(const pgc_plan_options *options, pgc_plan *plan)
{
    int64_t data = plan->table_bytes + plan->toast_bytes, all = data + plan->index_bytes,
            wal_hour = plan->sample_us ? (int64_t)((double)plan->wal_bytes * 3600e6 / (double)plan->sample_us) : 0;
    int jobs = options->jobs > plan->table_count ? plan->table_count : options->jobs;
    jobs = jobs < 1 ? 1 : jobs > 4 ? 4 : jobs;
    char text[PGC_UNITS_TEXT_SIZE];
    const char *s = plan->source_text, *t = plan->target_text[0] ? plan->target_text : "TARGET";
    double reading = cost_of(&plan->read), packing = cost_of(&plan->packed);
    plan->ways[PGC_PLAN_DUMP].time_us = time_for((double)data, packing > reading ? packing : reading, jobs) +
                                        time_for_tables(plan, DUMP_US_PER_TABLE, jobs);
    plan->ways[PGC_PLAN_DUMP].space_bytes = (int64_t)((double)data * share_compressed(plan));
    snprintf(plan->ways[PGC_PLAN_DUMP].note, sizeof plan->ways[0].note,
             "compressed to %.0f %% of the tables; restoring takes about three times as long",
             share_compressed(plan) * 100);
    snprintf(plan->ways[PGC_PLAN_DUMP].command, sizeof plan->ways[0].command,
             "pgconvoy dump -Fd -j %d -f dump \"%s\"; pgconvoy restore -j %d -d \"%s\" dump", options->jobs, s,
             options->jobs, t);
    plan->ways[PGC_PLAN_COPY].time_us =
        time_for(WRITING_COSTS * (double)data + INDEX_COSTS * (double)plan->index_bytes, reading, (jobs + 1) / 2) +
        time_for_tables(plan, COPY_US_PER_TABLE, (jobs + 1) / 2);
    plan->ways[PGC_PLAN_COPY].space_bytes = all;
    snprintf(plan->ways[PGC_PLAN_COPY].note, sizeof plan->ways[0].note,
             "rows, then indexes; on the target's disk, and as much of its WAL again for a while");
    snprintf(plan->ways[PGC_PLAN_COPY].command, sizeof plan->ways[0].command, "pgconvoy copy -j %d \"%s\" \"%s\"",
             options->jobs, s, t);
    plan->ways[PGC_PLAN_LINK].time_us = INT64_C(1000000) + plan->table_count * (plan->round_trip_us + INT64_C(2000));
    snprintf(plan->ways[PGC_PLAN_LINK].note, sizeof plan->ways[0].note,
             "reads go to the source each time (%s a round trip); copies of tables take their size",
             pgc_duration_to_text(plan->round_trip_us < 1000 ? 1000 : plan->round_trip_us, text));
    snprintf(plan->ways[PGC_PLAN_LINK].command, sizeof plan->ways[0].command, "pgconvoy link \"%s\" \"%s\"", s, t);
    plan->ways[PGC_PLAN_SYNC].time_us = plan->ways[PGC_PLAN_COPY].time_us;
    plan->ways[PGC_PLAN_SYNC].space_bytes = all;
    snprintf(
        plan->ways[PGC_PLAN_SYNC].note, sizeof plan->ways[0].note,
        "until it is caught up (subscribe likewise, by the servers' own means); the source keeps WAL, %s an hour now",
        pgc_size_to_text(wal_hour, text));
    snprintf(plan->ways[PGC_PLAN_SYNC].command, sizeof plan->ways[0].command, "pgconvoy sync -j %d \"%s\" \"%s\"",
             options->jobs, s, t);
    plan->ways[PGC_PLAN_PHYSICAL].time_us = time_for((double)all, reading, 1);
    plan->ways[PGC_PLAN_PHYSICAL].space_bytes = all;
    snprintf(plan->ways[PGC_PLAN_PHYSICAL].note, sizeof plan->ways[0].note,
             "the whole cluster, of the same major version; its other databases come on top");
    snprintf(plan->ways[PGC_PLAN_PHYSICAL].command, sizeof plan->ways[0].command,
             "pg_basebackup -d \"%s\" -D FOLDER -X stream -R", s);
}

/* ------------------------------------------------------------------ */

static int describe(const char *text, char *where, size_t where_size, char *shown, size_t shown_size)
{
    pgc_buffer buffer;
    pgc_buffer_init(&buffer, 65536);
    bool is_server = pgc_connection_is_uri(text);
    if (is_server)
        pgc_connection_describe(text, &buffer);
    snprintf(where, where_size, "%s", is_server && buffer.data ? buffer.data : text);
    pgc_buffer_reset(&buffer);
    if (is_server)
        pgc_connection_without_password(text, &buffer);
    snprintf(shown, shown_size, "%s", is_server && buffer.data ? buffer.data : text);
    pgc_buffer_free(&buffer);
    return 0;
}

int pgc_plan_make(const pgc_plan_options *options, pgc_plan *plan, pgconvoy_error *err)
{
    memset(plan, 0, sizeof *plan);
    pgc_buffer sql;
    pgc_buffer_init(&sql, 16 << 20);
    if (pgc_connection_check_uri(options->source, err))
        return -1;
    describe(options->source, plan->source, sizeof plan->source, plan->source_text, sizeof plan->source_text);
    if (options->target)
        describe(options->target, plan->target, sizeof plan->target, plan->target_text, sizeof plan->target_text);
    PGconn *conn = pgc_connect(options->source, PGC_CONNECTION_SQL, "pgconvoy plan", err);
    int failed = !conn || tables_query(options, &sql, err) || pgc_execute(conn, "RESET search_path", err) ||
                 sample(options, conn, sql.data, plan, err);
    pgc_buffer_free(&sql);
    PQfinish(conn);
    if (failed)
        return -1;
    recommend(plan);
    estimate(options, plan);
    return 0;
}

void pgc_plan_free(pgc_plan *plan)
{
    free(plan->tables);
    plan->tables = NULL;
}
