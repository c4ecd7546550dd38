/*
 * Reading ahead; see data_ahead.h. A large table is cut in many small ranges of blocks. The catalog's session reads the
 * even ones straight to the target; a thread with a session of its own reads the odd ones into chunks, at most
 * MOST_HELD bytes of them, which are written when their turn comes. The server's conversion of rows to text is most of
 * the work of a plain dump: so two of its processes share it.
 */
#include "archive/data_ahead.h"

#include "archive/data_sizes.h"
#include "postgres/connection.h"

#include <pthread.h>
#include <stdlib.h>

#define RANGE_BYTES ((int64_t)8 << 20)
#define LEAST_BYTES (4 * RANGE_BYTES) /* what a smaller table would gain is less than a connection costs */
#define MOST_HELD ((size_t)16 << 20)

/* Bytes for the target; one without bytes ends a range. */
typedef struct chunk {
    struct chunk *next;
    size_t length;
    int64_t rows; /* of the range that it ends */
    char bytes[];
} chunk;

struct pgc_data_ahead {
    pgc_catalog *catalog;
    const pgc_entries *entries;
    bool (*wanted)(void *arg, const pgc_entry *entry);
    void *wanted_arg;
    pgc_data_sizes sizes;
    bool sized, unusable;
    PGconn *conn;

    /* the table at hand */
    const pgc_entry *entry;
    const pgc_data_size *size;
    int64_t ranges;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    chunk *first, *last;
    size_t held;
    bool stop, failed;
    pgconvoy_error error;
};

pgc_data_ahead *pgc_data_ahead_new(pgc_catalog *catalog, const pgc_entries *entries,
                                   bool (*wanted)(void *arg, const pgc_entry *entry), void *arg, pgconvoy_error *err)
{
    pgc_data_ahead *ahead = calloc(1, sizeof *ahead);
    if (!ahead) {
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    *ahead = (pgc_data_ahead){.catalog = catalog,
                              .entries = entries,
                              .wanted = wanted,
                              .wanted_arg = arg,
                              .unusable = catalog->options->one_session};
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->changed, NULL);
    return ahead;
}

void pgc_data_ahead_free(pgc_data_ahead *ahead)
{
    if (!ahead)
        return;
    PQfinish(ahead->conn);
    pgc_data_sizes_free(&ahead->sizes);
    pthread_cond_destroy(&ahead->changed);
    pthread_mutex_destroy(&ahead->lock);
    free(ahead);
}

/* ------------------------------------------------------------------ the thread that reads ahead */

/* Takes ownership of the chunk. Waits until there is room for it, or nobody wants it any more. */
static int hand_over(pgc_data_ahead *ahead, chunk *chunk, pgconvoy_error *err)
{
    pthread_mutex_lock(&ahead->lock);
    while (!ahead->stop && ahead->held > 0 && ahead->held + chunk->length > MOST_HELD)
        pthread_cond_wait(&ahead->changed, &ahead->lock);
    bool stop = ahead->stop;
    if (!stop) {
        if (ahead->last)
            ahead->last->next = chunk;
        else
            ahead->first = chunk;
        ahead->last = chunk;
        ahead->held += chunk->length;
        pthread_cond_signal(&ahead->changed);
    }
    pthread_mutex_unlock(&ahead->lock);
    if (!stop)
        return 0;
    free(chunk);
    pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "stopped, since the dump has failed elsewhere");
    return -1;
}

static int hold(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    chunk *chunk = malloc(sizeof *chunk + length);
    if (!chunk)
        return pgc_error_out_of_memory(err);
    *chunk = (struct chunk){.length = length};
    memcpy(chunk->bytes, bytes, length);
    return hand_over(arg, chunk, err);
}

static int end_range(pgc_data_ahead *ahead, int64_t rows, pgconvoy_error *err)
{
    chunk *chunk = calloc(1, sizeof *chunk);
    if (!chunk)
        return pgc_error_out_of_memory(err);
    chunk->rows = rows;
    return hand_over(ahead, chunk, err);
}

static int read_odd_ranges(pgc_data_ahead *ahead, pgconvoy_error *err)
{
    const pgc_data_target target = {.write = hold, .arg = ahead};
    for (int64_t range = 1; range < ahead->ranges; range += 2) {
        pgc_data_totals totals = {0};
        pgc_block_range blocks = pgc_data_part_blocks(ahead->size, range, ahead->ranges);
        if (pgc_data_read_blocks(ahead->catalog, ahead->conn, ahead->entry, blocks, &target, &totals, err) != 0 ||
            end_range(ahead, totals.rows, err) != 0)
            return -1;
    }
    return 0;
}

static void *read_ahead(void *arg)
{
    pgc_data_ahead *ahead = arg;
    pgconvoy_error err = {0};
    if (read_odd_ranges(ahead, &err) != 0) {
        pthread_mutex_lock(&ahead->lock);
        ahead->failed = true;
        pgc_error_copy(&ahead->error, &err);
        pthread_cond_signal(&ahead->changed);
        pthread_mutex_unlock(&ahead->lock);
    }
    return NULL;
}

/* ------------------------------------------------------------------ the caller's thread */

/* The next chunk, the caller's to free. NULL: the other session failed. */
static chunk *take(pgc_data_ahead *ahead, pgconvoy_error *err)
{
    pthread_mutex_lock(&ahead->lock);
    while (!ahead->first && !ahead->failed)
        pthread_cond_wait(&ahead->changed, &ahead->lock);
    chunk *chunk = ahead->first;
    if (chunk) {
        ahead->first = chunk->next;
        if (!ahead->first)
            ahead->last = NULL;
        ahead->held -= chunk->length;
        pthread_cond_signal(&ahead->changed);
    } else {
        pgc_error_copy(err, &ahead->error);
    }
    pthread_mutex_unlock(&ahead->lock);
    return chunk;
}

static int write_held_range(pgc_data_ahead *ahead, const pgc_data_target *target, pgc_data_totals *totals,
                            pgconvoy_error *err)
{
    for (;;) {
        chunk *chunk = take(ahead, err);
        if (!chunk)
            return -1;
        int result = 0;
        bool last = chunk->length == 0;
        totals->rows += chunk->rows;
        totals->bytes += (int64_t)chunk->length;
        if (!last)
            result = target->write(target->arg, chunk->bytes, chunk->length, err);
        free(chunk);
        if (last || result != 0)
            return result;
    }
}

static int write_ranges(pgc_data_ahead *ahead, const pgc_data_target *target, pgc_data_totals *totals,
                        pgconvoy_error *err)
{
    PGconn *conn = pgc_catalog_connection(ahead->catalog);
    for (int64_t range = 0; range < ahead->ranges; range++) {
        pgc_block_range blocks = pgc_data_part_blocks(ahead->size, range, ahead->ranges);
        int result = range % 2 ? write_held_range(ahead, target, totals, err)
                               : pgc_data_read_blocks(ahead->catalog, conn, ahead->entry, blocks, target, totals, err);
        if (result != 0)
            return -1;
    }
    if (ahead->ranges % 2 == 0) /* the end of the entry was the other session's */
        totals->entries++;
    return 0;
}

/* The thread may be waiting for room, or for the server. */
static void stop(pgc_data_ahead *ahead)
{
    pthread_mutex_lock(&ahead->lock);
    ahead->stop = true;
    pthread_cond_signal(&ahead->changed);
    pthread_mutex_unlock(&ahead->lock);
    char why[256];
    PGcancel *cancel = PQgetCancel(ahead->conn);
    (void)PQcancel(cancel, why, sizeof why); /* the thread ends all the same, with its range */
    PQfreeCancel(cancel);
}

static int read_with_thread(pgc_data_ahead *ahead, const pgc_data_target *target, pgc_data_totals *totals,
                            pgconvoy_error *err)
{
    pthread_t thread;
    ahead->stop = ahead->failed = false;
    if (pthread_create(&thread, NULL, read_ahead, ahead) != 0)
        return pgc_data_read(ahead->catalog, pgc_catalog_connection(ahead->catalog), ahead->entry, target, totals, err);
    int result = write_ranges(ahead, target, totals, err);
    if (result != 0)
        stop(ahead);
    pthread_join(thread, NULL);
    while (ahead->first) {
        chunk *chunk = ahead->first;
        ahead->first = chunk->next;
        free(chunk);
    }
    ahead->last = NULL;
    ahead->held = 0;
    return result;
}

/* ------------------------------------------------------------------ which tables */

/* False: the catalog's session goes on alone, for this table or for all. */
static bool have_session(pgc_data_ahead *ahead, const pgc_entry *entry)
{
    pgconvoy_error ignored = {0};
    if (!ahead->conn) {
        bool shared = pgc_catalog_share_snapshot(ahead->catalog, &ignored) == 0;
        ahead->conn = shared ? pgc_data_session_open(ahead->catalog, &ignored) : NULL;
        ahead->unusable = !ahead->conn;
    }
    if (ahead->unusable)
        return false;
    if (pgc_data_session_lock(ahead->conn, entry, &ignored) == 0)
        return true;
    PQfinish(ahead->conn); /* its transaction is of no more use */
    ahead->conn = NULL;
    return false;
}

int pgc_data_ahead_read(pgc_data_ahead *ahead, const pgc_entry *entry, const pgc_data_target *target,
                        pgc_data_totals *totals, pgconvoy_error *err)
{
    PGconn *conn = pgc_catalog_connection(ahead->catalog);
    if (!ahead->unusable && !ahead->sized) {
        if (pgc_data_sizes_read(&ahead->sizes, conn, ahead->entries, ahead->wanted, ahead->wanted_arg, err) != 0 ||
            pgc_execute(conn, "SET max_parallel_workers_per_gather = 0", err) != 0)
            return -1;
        ahead->sized = true;
    }
    const pgc_data_size *size = pgc_data_size_of(&ahead->sizes, entry);
    if (!pgc_data_can_cut(ahead->catalog, entry, size) || size->bytes < LEAST_BYTES || size->blocks < 2 ||
        ahead->unusable || !have_session(ahead, entry))
        return pgc_data_read(ahead->catalog, conn, entry, target, totals, err);
    ahead->entry = entry;
    ahead->size = size;
    ahead->ranges = size->bytes / RANGE_BYTES;
    if (ahead->ranges > size->blocks)
        ahead->ranges = size->blocks;
    return read_with_thread(ahead, target, totals, err);
}
