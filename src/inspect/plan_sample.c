/*
 * Pieces of the largest tables, read once as a copy reads them and once as a dump does, which compresses them: what a
 * byte of a table costs, on these rows, over this network, on this machine.
 */
#include "inspect/plan_internal.h"

#include "archive/compress.h"
#include "base/clock.h"

#include <stdio.h>

#define READ_FOR_US INT64_C(750000) /* for each of the two */
#define READ_AT_MOST (64 << 20)
#define READ_TABLES 3

/* Takes a piece of COPY's output. */
typedef int (*take_function)(void *arg, const char *bytes, size_t length, pgconvoy_error *err);

static void cancel(PGconn *conn)
{
    char unused[256];
    PGcancel *cancel = PQgetCancel(conn);
    if (cancel)
        (void)PQcancel(cancel, unused, sizeof unused);
    PQfreeCancel(cancel);
}

/* As much of a table as fits into what is left of the time. */
static int read_piece(PGconn *conn, const pgc_plan_table *table, const char *format, take_function take, void *arg,
                      pgc_plan_piece *piece, pgconvoy_error *err)
{
    char sql[400];
    snprintf(sql, sizeof sql, "COPY %s TO STDOUT (FORMAT %s)", table->name, format);
    int64_t began = pgc_clock_monotonic_us(), end = began + READ_FOR_US - piece->us, rows = 0;
    PGresult *result = PQexec(conn, sql);
    bool copies = PQresultStatus(result) == PGRES_COPY_OUT, cancelled = false;
    int failed = 0;
    PQclear(result);
    char *data;
    for (int length; copies && (length = PQgetCopyData(conn, &data, 0)) > 0;) {
        if (!cancelled) {
            failed = take(arg, data, (size_t)length, err);
            piece->bytes += length;
            rows++;
            if (failed || pgc_clock_monotonic_us() >= end || piece->bytes >= READ_AT_MOST) {
                piece->us += pgc_clock_monotonic_us() - began;
                cancelled = true;
                cancel(conn);
            }
        }
        PQfreemem(data);
    }
    if (copies && !cancelled)
        piece->us += pgc_clock_monotonic_us() - began;
    while ((result = PQgetResult(conn)) != NULL)
        PQclear(result);
    double share = cancelled && table->rows > rows ? (double)rows / (double)table->rows : 1;
    if (copies)
        piece->table_bytes += (int64_t)(share * (double)(table->table_bytes + table->toast_bytes));
    return failed;
}

static int read_pieces(PGconn *conn, const pgc_plan *plan, const char *format, take_function take, void *arg,
                       pgc_plan_piece *piece, pgconvoy_error *err)
{
    for (int i = 0; i < plan->table_count && i < READ_TABLES && piece->us < READ_FOR_US && piece->bytes < READ_AT_MOST;
         i++)
        if (read_piece(conn, &plan->tables[i], format, take, arg, piece, err))
            return -1;
    return 0;
}

static int leave(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    (void)arg, (void)bytes, (void)length, (void)err;
    return 0;
}

static int count(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    (void)bytes, (void)err;
    *(int64_t *)arg += (int64_t)length;
    return 0;
}

static int compress(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    return pgc_compressor_write(arg, bytes, length, err);
}

/* By the compression that a dump has when none is asked for. */
static int read_compressed(PGconn *conn, pgc_plan *plan, pgconvoy_error *err)
{
    const pgc_compression gzip = {.method = PGC_COMPRESSION_GZIP, .level = PGC_COMPRESSION_DEFAULT};
    pgc_compress_pool *pool = pgc_compress_pool_new(&gzip, PGC_STREAM_FILE, 0, err);
    pgc_compressor *compressor =
        pool ? pgc_compressor_open(pool, (pgc_byte_target){.write = count, .arg = &plan->packed_bytes}, err) : NULL;
    int failed = !compressor || read_pieces(conn, plan, "text", compress, compressor, &plan->packed, err);
    int64_t began = pgc_clock_monotonic_us();
    if (failed)
        pgc_compressor_abandon(compressor);
    else
        failed = pgc_compressor_close(compressor, err);
    plan->packed.us += pgc_clock_monotonic_us() - began;
    pgc_compress_pool_free(pool);
    return failed ? -1 : 0;
}

int plan_read_pieces(PGconn *conn, pgc_plan *plan, pgconvoy_error *err)
{
    return read_pieces(conn, plan, "binary", leave, NULL, &plan->read, err) || read_compressed(conn, plan, err) ? -1
                                                                                                                : 0;
}
