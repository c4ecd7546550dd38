/*
 * Statements in flight: libpq's pipeline mode (manual, section "Pipeline Mode"), so that a row costs no round trip.
 * What was sent is remembered in a ring until its result came. The socket is never written without being read as well:
 * both sides' buffers may be full, and then each would wait for the other. The first failure is kept; the server skips
 * what follows it up to the next sync.
 */
#include "sink/postgres/sink_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLIGHTS_MAX 1000
#define FLIGHTS_LEFT 400               /* go on sending when so few are left */
#define FLUSH_REQUEST_EVERY 250        /* without a request the server keeps its answers until its buffer is full */
#define UNFLUSHED_MAX_BYTES (1u << 18) /* what libpq may hold back */

static const char *operation_name(uint8_t operation)
{
    switch (operation) {
    case PGCONVOY_INSERT:
        return "an insert into";
    case PGCONVOY_UPDATE:
        return "an update of";
    case PGCONVOY_DELETE:
        return "a delete from";
    case PGCONVOY_TRUNCATE:
        return "a truncate of";
    default:
        return "changes to";
    }
}

/* Rows are not where they should be. The server has nothing against it; we have. */
static void keep_surprise(pgc_pgsink_writer *writer, const pgc_pgsink_flight *flight, const char *rows)
{
    if (writer->failed)
        return;
    const pgconvoy_table *table = flight->target->table;
    writer->failed = true;
    writer->failed_oid = table->oid;
    pgconvoy_error_set(&writer->error, PGCONVOY_ERROR_SINK, "%s %s.%s met %s rows on the target, not %u",
                       operation_name(flight->operation), table->schema, table->name, rows, flight->expected);
}

static void keep_moved(pgc_pgsink_writer *writer)
{
    if (writer->failed)
        return;
    writer->failed = true;
    writer->failed_oid = 0;
    pgc_pgsink_position_moved(writer->sink, atomic_load(&writer->sink->lsn), &writer->error);
}

static void keep_no_commit(pgc_pgsink_writer *writer)
{
    if (writer->failed)
        return;
    writer->failed = true;
    writer->failed_oid = 0;
    pgconvoy_error_set(&writer->error, PGCONVOY_ERROR_SINK, "the target has rolled back what was to be committed");
}

/* What statements say by failing. */
static bool keep_strict(pgc_pgsink_writer *writer, const PGresult *result, const pgc_pgsink_flight *flight)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (state && flight->kind == PGSINK_FLIGHT_STRICT && strcmp(state, PGC_ERROR_DIVISION_BY_ZERO) == 0)
        keep_surprise(writer, flight, "0");
    else if (state && flight->kind == PGSINK_FLIGHT_POSITION && strcmp(state, PGC_ERROR_NOT_NULL) == 0)
        keep_moved(writer);
    return writer->failed;
}

static void keep_failure(pgc_pgsink_writer *writer, const PGresult *result, const pgc_pgsink_flight *flight)
{
    if (writer->failed || (flight && keep_strict(writer, result, flight)))
        return;
    char doing[400] = "applying changes on the target";
    if (flight && flight->target)
        snprintf(doing, sizeof doing, "applying %s %s.%s", operation_name(flight->operation),
                 flight->target->table->schema, flight->target->table->name);
    writer->failed = true;
    writer->failed_oid = flight && flight->target ? flight->target->table->oid : 0;
    pgc_error_clear(&writer->error);
    pgc_pgsink_error(writer->conn, result, doing, &writer->error);
}

static int report(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    if (!writer->failed)
        return 0;
    pgc_error_copy(err, &writer->error);
    return -1;
}

static void keep_conflict(pgc_pgsink_writer *writer, const pgc_pgsink_flight *flight, int kind, const char *key)
{
    pgconvoy_error error = {0};
    if (pgc_pgsink_conflict_met(writer, flight->target->table, kind, key, &error) || writer->failed)
        return;
    writer->failed = true;
    writer->failed_oid = flight->target->table->oid;
    pgc_error_copy(&writer->error, &error);
}

/* What a statement says that has looked at its row before writing it: which conflict there is, 0 none, and the key. */
static void take_kind(pgc_pgsink_writer *writer, const PGresult *result, const pgc_pgsink_flight *flight)
{
    int kind = PQntuples(result) == 1 && PQnfields(result) == 2 ? atoi(PQgetvalue(result, 0, 0)) : 0;
    if (kind >= 1 && kind <= PGSINK_CONFLICT_KINDS)
        keep_conflict(writer, flight, kind, PQgetvalue(result, 0, 1));
}

static void take(pgc_pgsink_writer *writer, const PGresult *result, pgc_pgsink_flight *flight)
{
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
        if (flight->kind == PGSINK_FLIGHT_CHANGE &&
            (flight->operation == PGCONVOY_UPDATE || flight->operation == PGCONVOY_DELETE) &&
            strcmp(PQcmdTuples((PGresult *)result), "0") == 0)
            keep_conflict(writer, flight,
                          flight->operation == PGCONVOY_UPDATE ? PGSINK_UPDATE_MISSING : PGSINK_DELETE_MISSING, NULL);
        if (flight->kind == PGSINK_FLIGHT_EXPECTING &&
            strtoull(PQcmdTuples((PGresult *)result), NULL, 10) != flight->expected)
            keep_surprise(writer, flight, PQcmdTuples((PGresult *)result));
        if (flight->kind == PGSINK_FLIGHT_COMMIT && strcmp(PQcmdStatus((PGresult *)result), "COMMIT") != 0)
            keep_no_commit(writer);
        break;
    case PGRES_TUPLES_OK:
        if (flight->kind == PGSINK_FLIGHT_CHANGE)
            take_kind(writer, result, flight);
        break;
    case PGRES_PIPELINE_SYNC:
        break;
    case PGRES_PIPELINE_ABORTED: /* the failure before it is what counts */
        break;
    default:
        keep_failure(writer, result, flight);
    }
}

/* Takes one result that is there. */
static void take_next(pgc_pgsink_writer *writer)
{
    pgc_pgsink_flight *flight = &writer->flights[writer->first_flight % PGSINK_FLIGHT_SLOTS];
    PGresult *result = PQgetResult(writer->conn);
    bool done;
    if (result) {
        take(writer, result, flight);
        done = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        PQclear(result);
        flight->ended = true;
    } else {
        done = flight->ended;
    }
    if (done) {
        writer->first_flight++;
        writer->flight_count--;
    }
}

static int connection_lost(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    keep_failure(writer, NULL,
                 writer->flight_count ? &writer->flights[writer->first_flight % PGSINK_FLIGHT_SLOTS] : NULL);
    writer->flight_count = 0;
    return report(writer, err);
}

/* Sends what is held back and takes results until at most left are missing. Says nothing about failed statements. */
static int pump(pgc_pgsink_writer *writer, unsigned left, pgconvoy_error *err)
{
    for (;;) {
        int unsent = PQflush(writer->conn);
        while (writer->flight_count > 0 && PQstatus(writer->conn) == CONNECTION_OK && !PQisBusy(writer->conn))
            take_next(writer);
        if (unsent < 0 || PQstatus(writer->conn) == CONNECTION_BAD)
            return connection_lost(writer, err);
        if (unsent == 0)
            writer->unflushed_bytes = 0;
        if (unsent == 0 && writer->flight_count <= left)
            return 0;
        struct pollfd fd = {.fd = PQsocket(writer->conn), .events = (short)(POLLIN | (unsent ? POLLOUT : 0))};
        if (poll(&fd, 1, -1) < 0 && errno != EINTR)
            return connection_lost(writer, err);
        if ((fd.revents & (POLLIN | POLLERR | POLLHUP)) && PQconsumeInput(writer->conn) != 1) {
            /* the server's last words may be among what was read */
            while (writer->flight_count > 0 && !writer->failed && !PQisBusy(writer->conn))
                take_next(writer);
            return connection_lost(writer, err);
        }
    }
}

static int take_off(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    if (report(writer, err) != 0)
        return -1;
    if (writer->flying)
        return 0;
    if (PQsetnonblocking(writer->conn, 1) != 0 || PQenterPipelineMode(writer->conn) != 1)
        return connection_lost(writer, err);
    writer->flying = true;
    writer->first_flight = writer->flight_count = writer->since_flush_request = 0;
    writer->unflushed_bytes = 0;
    return 0;
}

static void add_flight(pgc_pgsink_writer *writer, pgc_pgsink_flight_kind kind, pgc_pgsink_target *target,
                       uint8_t operation)
{
    pgc_pgsink_flight *flight = &writer->flights[(writer->first_flight + writer->flight_count++) % PGSINK_FLIGHT_SLOTS];
    *flight = (pgc_pgsink_flight){.kind = (uint8_t)kind, .operation = operation, .target = target, .expected = 1};
}

/* After a send: keeps what is underway inside its bounds. */
static int keep_bounds(pgc_pgsink_writer *writer, size_t bytes, pgconvoy_error *err)
{
    writer->unflushed_bytes += bytes + 64;
    if (++writer->since_flush_request >= FLUSH_REQUEST_EVERY) {
        if (PQsendFlushRequest(writer->conn) != 1)
            return connection_lost(writer, err);
        writer->since_flush_request = 0;
    }
    if (writer->flight_count >= FLIGHTS_MAX && pump(writer, FLIGHTS_LEFT, err) != 0)
        return -1;
    if (writer->unflushed_bytes >= UNFLUSHED_MAX_BYTES && pump(writer, PGSINK_FLIGHT_SLOTS, err) != 0)
        return -1;
    return report(writer, err);
}

static int sent(pgc_pgsink_writer *writer, int ok, pgc_pgsink_flight_kind kind, pgc_pgsink_target *target,
                uint8_t operation, size_t bytes, pgconvoy_error *err)
{
    if (ok != 1)
        return connection_lost(writer, err);
    add_flight(writer, kind, target, operation);
    return keep_bounds(writer, bytes, err);
}

int pgc_pgsink_fly_sql(pgc_pgsink_writer *writer, const char *sql, pgc_pgsink_target *target, uint8_t operation,
                       pgconvoy_error *err)
{
    if (take_off(writer, err) != 0)
        return -1;
    int ok = PQsendQueryParams(writer->conn, sql, 0, NULL, NULL, NULL, NULL, 0);
    return sent(writer, ok, PGSINK_FLIGHT_OTHER, target, operation, strlen(sql), err);
}

int pgc_pgsink_fly_position(pgc_pgsink_writer *writer, const char *sql, const char *const values[2], pgconvoy_error *err)
{
    if (take_off(writer, err) != 0)
        return -1;
    int ok = PQsendQueryParams(writer->conn, sql, 2, NULL, values, NULL, NULL, 0);
    return sent(writer, ok, PGSINK_FLIGHT_POSITION, NULL, 0, strlen(sql), err);
}

int pgc_pgsink_fly_prepare(pgc_pgsink_writer *writer, const char *name, const char *sql, int count, const uint32_t *types,
                           pgc_pgsink_target *target, pgconvoy_error *err)
{
    if (take_off(writer, err) != 0)
        return -1;
    int ok = PQsendPrepare(writer->conn, name, sql, count, types);
    return sent(writer, ok, PGSINK_FLIGHT_PREPARE, target, 0, strlen(sql), err);
}

int pgc_pgsink_fly_named(pgc_pgsink_writer *writer, pgc_pgsink_flight_kind kind, const char *name, int count,
                         const char *const *values, pgconvoy_error *err)
{
    if (take_off(writer, err) != 0)
        return -1;
    int ok = PQsendQueryPrepared(writer->conn, name, count, values, NULL, NULL, 0);
    return sent(writer, ok, kind, NULL, 0, 64, err);
}

int pgc_pgsink_fly_statement(pgc_pgsink_writer *writer, const pgc_pgsink_statement *statement,
                             pgc_pgsink_target *target, uint8_t operation, size_t bytes, pgconvoy_error *err)
{
    if (take_off(writer, err) != 0)
        return -1;
    int ok = PQsendQueryPrepared(writer->conn, statement->name, statement->parameter_count, writer->values,
                                 writer->lengths, writer->formats, 0);
    return sent(writer, ok, statement->strict ? PGSINK_FLIGHT_STRICT : PGSINK_FLIGHT_CHANGE, target, operation, bytes, err);
}

int pgc_pgsink_fly_bulk(pgc_pgsink_writer *writer, const pgc_pgsink_bulk_statement *statement, pgc_pgsink_target *target,
                        uint8_t operation, size_t expected, size_t bytes, pgconvoy_error *err)
{
    if (take_off(writer, err) != 0)
        return -1;
    int ok = statement->name[0] ? PQsendQueryPrepared(writer->conn, statement->name, statement->count, writer->values,
                                                      writer->lengths, writer->formats, 0)
                                : PQsendQueryParams(writer->conn, statement->sql, statement->count, statement->types,
                                                    writer->values, writer->lengths, writer->formats, 0);
    if (ok != 1)
        return connection_lost(writer, err);
    add_flight(writer, PGSINK_FLIGHT_EXPECTING, target, operation);
    writer->flights[(writer->first_flight + writer->flight_count - 1) % PGSINK_FLIGHT_SLOTS].expected =
        (uint32_t)expected;
    return keep_bounds(writer, bytes, err);
}

int pgc_pgsink_land(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    if (!writer->flying)
        return report(writer, err);
    if (PQpipelineSync(writer->conn) != 1)
        return connection_lost(writer, err);
    add_flight(writer, PGSINK_FLIGHT_SYNC, NULL, 0);
    if (pump(writer, 0, err) != 0)
        return -1;
    if (PQexitPipelineMode(writer->conn) != 1 || PQsetnonblocking(writer->conn, 0) != 0)
        return connection_lost(writer, err);
    writer->flying = false;
    return report(writer, err);
}

void pgc_pgsink_crash_land(pgc_pgsink_writer *writer)
{
    pgconvoy_error ignored = {0};
    if (PQstatus(writer->conn) == CONNECTION_OK && pgc_pgsink_land(writer, &ignored) != 0 && writer->flying)
        pgc_log_debug(writer->sink->config->log, "the session on the target is given up: %s", ignored.message);
    writer->failed = false;
}
