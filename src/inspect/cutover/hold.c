/*
 * The source held: its database's default is made read-only, and the sessions that began before that are ended, so that
 * who connects again can read and not write. How it was before is written down first, in the pipeline's state folder,
 * so that it can be undone after any crash.
 */
#include "inspect/cutover/cutover_internal.h"

#include "base/clock.h"
#include "postgres/connection.h"
#include "postgres/quote.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LET_FINISH_US INT64_C(1000000)  /* what is under way may commit in this time */
#define END_WITHIN_US INT64_C(15000000) /* sessions that do not go within this are named */

static const char setting[] = "default_transaction_read_only";
/* Which pipeline may write all the same; of a database that is held. */
static const char way_back[] = "pgconvoy.way_back";

static int file_error(const char *path, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "cannot write %s: %s", path, strerror(errno));
    pgconvoy_error_hint(err, "name another folder with --state-dir");
    return -1;
}

/* The value that the database's own settings give, "" for none. */
static int read_setting(PGconn *conn, const char *name, pgc_buffer *value, pgconvoy_error *err)
{
    static const char sql[] = "SELECT pg_catalog.substr(c, pg_catalog.length($1) + 2) FROM "
                              "pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase, "
                              "pg_catalog.unnest(s.setconfig) AS c WHERE d.datname = pg_catalog.current_database() AND "
                              "s.setrole = 0 AND pg_catalog.starts_with(c, $1 || '=')";
    PGresult *result = pgc_query_params(conn, sql, 1, &name, err);
    if (!result)
        return -1;
    pgc_buffer_reset(value);
    pgc_buffer_text(value, PQntuples(result) ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return pgc_buffer_check(value, err);
}

static int setting_is(PGconn *conn, const char *name, const char *wanted, bool *is, pgconvoy_error *err)
{
    pgc_buffer value;
    pgc_buffer_init(&value, 1 << 16);
    int status = read_setting(conn, name, &value, err);
    *is = status == 0 && strcmp(value.data, wanted) == 0;
    pgc_buffer_free(&value);
    return status;
}

/* value "": back to what the server has. */
static int alter(PGconn *conn, const char *name, const char *value, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 16);
    pgc_buffer_text(&sql, "ALTER DATABASE ");
    pgc_quote_identifier(&sql, PQdb(conn));
    if (value[0]) {
        pgc_buffer_format(&sql, " SET %s = ", name);
        pgc_quote_literal(&sql, value);
    } else {
        pgc_buffer_format(&sql, " RESET %s", name);
    }
    int status = pgc_buffer_check(&sql, err) ? -1 : pgc_execute(conn, sql.data, err);
    pgc_buffer_free(&sql);
    return status;
}

/* The pipeline's folder is not there when the pipeline runs on another machine. */
static int make_folder(const pgc_cutover *cutover)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", cutover->options->state_dir, cutover->options->name) < 0)
        return -1;
    int status = mkdir(cutover->options->state_dir, 0700) && errno != EEXIST ? -1 : 0;
    if (status == 0)
        status = mkdir(path, 0700) && errno != EEXIST ? -1 : 0;
    free(path);
    return status;
}

/* The note of an earlier run stays: it knows how the source was before that. */
static int write_note(pgc_cutover *cutover, pgconvoy_error *err)
{
    if (access(cutover->hold_path, F_OK) == 0)
        return 0;
    if (make_folder(cutover))
        return file_error(cutover->hold_path, err);
    pgc_buffer value;
    pgc_buffer_init(&value, 1 << 16);
    int status = read_setting(cutover->source, setting, &value, err);
    FILE *file = status == 0 ? fopen(cutover->hold_path, "we") : NULL;
    if (status == 0 && (!file || fprintf(file, "%s\n", value.data) < 0 || fflush(file) || fsync(fileno(file))))
        status = file_error(cutover->hold_path, err);
    if (file && fclose(file) && status == 0)
        status = file_error(cutover->hold_path, err);
    pgc_buffer_free(&value);
    return status;
}

/* Sessions that do not know of the new default yet; end: those that do nothing, or all. Ours only read, or move what
 * was written. */
static int count_old(pgc_cutover *cutover, const char *since, const char *end, int *left, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 16);
    pgc_buffer_format(&sql,
                      "SELECT pg_catalog.count(*), pg_catalog.count(CASE WHEN %s THEN "
                      "pg_catalog.pg_terminate_backend(pid) END) FROM pg_catalog.pg_stat_activity "
                      "WHERE datname = pg_catalog.current_database() AND backend_type = 'client backend' AND pid <> "
                      "pg_catalog.pg_backend_pid() AND backend_start < '%s' "
                      "AND application_name NOT LIKE 'pgconvoy %%'",
                      end, since);
    PGresult *result = pgc_buffer_check(&sql, err) ? NULL : pgc_query(cutover->source, sql.data, err);
    pgc_buffer_free(&sql);
    if (!result)
        return -1;
    *left = atoi(PQgetvalue(result, 0, 0));
    PQclear(result);
    return 0;
}

static int read_clock(PGconn *conn, char *text, size_t room, pgconvoy_error *err)
{
    PGresult *result = pgc_query(conn, "SELECT pg_catalog.clock_timestamp()", err);
    if (!result)
        return -1;
    snprintf(text, room, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    return 0;
}

/* A session that is just beginning may have read the old default and not be seen yet: so it is looked again after
 * nobody was left. */
static int end_sessions(pgc_cutover *cutover, pgconvoy_error *err)
{
    char since[64];
    int64_t begun = pgc_clock_monotonic_us();
    if (read_clock(cutover->source, since, sizeof since, err))
        return -1;
    for (int empty = 0; empty < 3;) {
        int64_t waited = pgc_clock_monotonic_us() - begun;
        int left;
        if (cutover_stopped(cutover, err) ||
            count_old(cutover, since,
                      waited > LET_FINISH_US ? "true" : "state LIKE 'idle%' AND state NOT LIKE '%in transaction%'",
                      &left, err))
            return -1;
        empty = left ? 0 : empty + 1;
        if (left && waited > END_WITHIN_US) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "%d sessions of the source do not end, and might still write",
                               left);
            pgconvoy_error_hint(err, "end them, then run cutover again; pg_stat_activity shows them");
            return -1;
        }
        pgc_clock_sleep_ms(left ? 20 : 50);
    }
    return 0;
}

int cutover_hold(pgc_cutover *cutover, pgconvoy_error *err)
{
    if (write_note(cutover, err))
        return -1;
    cutover->holds = true;
    cutover->held_us = pgc_clock_monotonic_us();
    if ((cutover->options->reverse && alter(cutover->source, way_back, cutover->back, err)) ||
        alter(cutover->source, setting, "on", err) || end_sessions(cutover, err))
        return -1;
    pgc_log_info(cutover->options->log, "the source is read-only: writes are held");
    return 0;
}

int cutover_hold_check(pgc_cutover *cutover, pgconvoy_error *err)
{
    bool held;
    if (setting_is(cutover->source, setting, "on", &held, err))
        return -1;
    if (held)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "somebody has made the source writable again");
    pgconvoy_error_hint(err, "run cutover again");
    return -1;
}

int cutover_held_for(PGconn *conn, const char *pipeline, bool *held, pgconvoy_error *err)
{
    bool read_only;
    if (setting_is(conn, setting, "on", &read_only, err) || setting_is(conn, way_back, pipeline, held, err))
        return -1;
    *held = *held && read_only;
    return 0;
}

/* How the database was before it was held, and that this is noted; "" too when nobody had set anything. */
static bool read_note(const char *path, char *value, size_t room)
{
    FILE *file = fopen(path, "re");
    value[0] = '\0';
    if (!file)
        return false;
    if (fgets(value, (int)room, file))
        value[strcspn(value, "\n")] = '\0';
    fclose(file);
    return true;
}

static int release(PGconn *conn, const char *path, const char *value, pgconvoy_error *err)
{
    if (alter(conn, setting, value, err) || alter(conn, way_back, "", err))
        return -1;
    return unlink(path) && errno != ENOENT ? file_error(path, err) : 0;
}

int cutover_release(pgc_cutover *cutover, pgconvoy_error *err)
{
    char value[64];
    if (!read_note(cutover->hold_path, value, sizeof value))
        return 0;
    if (release(cutover->source, cutover->hold_path, value, err))
        return -1;
    cutover->holds = false;
    pgc_log_info(cutover->options->log, "the source is writable again, as it was");
    return 0;
}

int cutover_open_target(pgc_cutover *cutover, pgconvoy_error *err)
{
    bool held;
    if (cutover_held_for(cutover->target, cutover->options->name, &held, err))
        return -1;
    if (!held)
        return 0;
    char value[64], *path = NULL;
    if (asprintf(&path, "%s/%s/cutover", cutover->options->state_dir, cutover->back) < 0)
        return pgc_error_out_of_memory(err);
    (void)read_note(path, value, sizeof value); /* not this machine's: as if nobody had set anything */
    int status = release(cutover->target, path, value, err);
    free(path);
    if (status == 0)
        pgc_log_info(cutover->options->log, "the target, which was held, is writable again");
    return status;
}
