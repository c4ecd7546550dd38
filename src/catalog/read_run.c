/*
 * Runs the readers over up to two connections: while one answer is turned into objects here, the servers work on the next queries. Answers are taken in the order of the table of readers, whichever
 * connection they came over and however soon; an answer that came too soon waits, and not many may.
 */
#include "catalog/read.h"

#include "postgres/connection.h"

#include <poll.h>
#include <stdlib.h>

#define LANES        2
#define AHEAD        6   /* answers that may wait for their turn */
#define PARTS        2   /* of a query that is sent in parts */
#define PART_AT_LEAST 100 /* relations */

/* One query. */
typedef struct unit {
    const pgc_reader *reader;
    pgc_read_part part;
    PGresult *answer; /* once it came */
} unit;

typedef struct lane {
    PGconn *conn;
    unit *unit; /* whose answer is awaited, NULL: none */
} lane;

typedef struct run {
    pgc_catalog *catalog;
    unit *units;
    int count, next; /* the next to send */
    lane lanes[LANES];
    int lane_count;
} run;

static bool applies(const pgc_catalog *catalog, const pgc_reader *reader)
{
    int major = catalog->version / 10000;
    return reader->sql[0] && (!reader->from || major >= reader->from) && (!reader->until || major <= reader->until) &&
           (!reader->wanted || reader->wanted(catalog));
}

static int parts_of(const run *run, const pgc_reader *reader)
{
    int fitting = run->catalog->relation_count / PART_AT_LEAST;
    if (!reader->in_parts || run->lane_count == 1 || fitting < 2)
        return 1;
    return fitting < PARTS ? fitting : PARTS;
}

static int list_units(run *run, const pgc_reader *readers, pgconvoy_error *err)
{
    size_t most = 0;
    for (const pgc_reader *r = readers; r->what; r++)
        most += PARTS;
    run->units = calloc(most + 1, sizeof *run->units);
    if (!run->units)
        return pgc_error_out_of_memory(err);
    for (const pgc_reader *r = readers; r->what; r++) {
        int parts = applies(run->catalog, r) ? parts_of(run, r) : 0;
        for (int number = 0; number < parts; number++)
            run->units[run->count++] = (unit){.reader = r, .part = {number, parts}};
    }
    return 0;
}

static int send(run *run, lane *lane, unit *unit, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 256u << 20);
    int result = pgc_read_sql(run->catalog, unit->reader->sql, &unit->part, &sql, err);
    if (result == 0 && !PQsendQuery(lane->conn, sql.data)) {
        pgc_connection_error(lane->conn, NULL, "sending a query", err);
        result = -1;
    }
    pgc_buffer_free(&sql);
    if (result != 0)
        pgc_error_prefix(err, "reading %s", unit->reader->what);
    else
        lane->unit = unit;
    return result;
}

/* Sends the next queries over the lanes that are free, as far as answers may wait. */
static int fill(run *run, int taken, pgconvoy_error *err)
{
    for (int l = 0; l < run->lane_count; l++)
        if (!run->lanes[l].unit && run->next < run->count && run->next - taken < AHEAD &&
            send(run, &run->lanes[l], &run->units[run->next++], err) != 0)
            return -1;
    return 0;
}

static int receive(lane *lane, pgconvoy_error *err)
{
    unit *unit = lane->unit;
    for (PGresult *next; (next = PQgetResult(lane->conn));) {
        PQclear(unit->answer);
        unit->answer = next;
    }
    lane->unit = NULL;
    if (PQresultStatus(unit->answer) == PGRES_TUPLES_OK)
        return 0;
    char doing[128];
    snprintf(doing, sizeof doing, "reading %s", unit->reader->what);
    pgc_connection_error(lane->conn, unit->answer, doing, err);
    return -1;
}

/* Takes in what has come over any lane; waits until something has. */
static int gather(run *run, pgconvoy_error *err)
{
    struct pollfd sockets[LANES];
    int awaited = 0;
    for (int l = 0; l < run->lane_count; l++)
        if (run->lanes[l].unit)
            sockets[awaited++] = (struct pollfd){.fd = PQsocket(run->lanes[l].conn), .events = POLLIN};
    if (awaited > 1)
        poll(sockets, (nfds_t)awaited, -1);
    for (int l = 0; l < run->lane_count; l++) {
        lane *lane = &run->lanes[l];
        if (!lane->unit)
            continue;
        /* alone it is waited for by libpq itself; a lost connection is found, and named, by receive */
        if (awaited > 1 && PQconsumeInput(lane->conn) && PQisBusy(lane->conn))
            continue;
        if (receive(lane, err) != 0)
            return -1;
    }
    return 0;
}

static int take(run *run, unit *unit, pgconvoy_error *err)
{
    if (unit->part.number == 0)
        pgc_catalog_say(run->catalog, unit->reader->what);
    pgc_rows rows = {.result = unit->answer, .catalog = run->catalog, .count = PQntuples(unit->answer)};
    int result = unit->reader->take(run->catalog, &rows, err);
    PQclear(unit->answer);
    unit->answer = NULL;
    if (result != 0)
        pgc_error_prefix(err, "reading %s", unit->reader->what);
    if (result == 0 && run->catalog->missing_role) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "role with OID %u does not exist", run->catalog->missing_role);
        pgconvoy_error_hint(err, "it is the owner of one of the %s; give them to another with ALTER … OWNER TO", unit->reader->what);
        return -1;
    }
    return result;
}

static int run_all(run *run, bool ahead, pgconvoy_error *err)
{
    for (int i = 0; i < run->count; i++) {
        while (!run->units[i].answer)
            if (fill(run, i, err) != 0 || gather(run, err) != 0)
                return -1;
        /* the readers of the first table use in their queries what those before them found */
        if ((ahead && fill(run, i, err) != 0) || take(run, &run->units[i], err) != 0)
            return -1;
    }
    return 0;
}

static void end(run *run)
{
    for (int l = 0; l < run->lane_count; l++)
        for (PGresult *next; run->lanes[l].unit && (next = PQgetResult(run->lanes[l].conn));)
            PQclear(next);
    for (int i = 0; i < run->count; i++)
        PQclear(run->units[i].answer);
    free(run->units);
}

int pgc_read(pgc_catalog *catalog, const pgc_reader *readers, bool parallel, pgconvoy_error *err)
{
    run run = {.catalog = catalog, .lanes = {{.conn = catalog->conn}, {.conn = catalog->second}}};
    run.lane_count = parallel && catalog->second ? LANES : 1;
    int result = list_units(&run, readers, err);
    if (result == 0)
        result = run_all(&run, parallel, err);
    end(&run);
    return result;
}
