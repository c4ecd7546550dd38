/* Compression: the pool of threads, and streams that cut what is written into chunks and let them out in order. */
#include "archive/compress_internal.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define MOST_THREADS 64

typedef enum slot_state { SLOT_FREE, SLOT_QUEUED, SLOT_RUNNING, SLOT_DONE } slot_state;

/* A chunk on its way. Between queued and done it belongs to the pool, otherwise to its stream. */
typedef struct slot {
    pgc_chunk chunk;
    slot_state state; /* guarded by the pool's lock */
    pgconvoy_error error;
    int result;
    struct slot *next; /* in the pool's list of free or queued ones */
} slot;

struct pgc_compress_pool {
    pgc_compression compression;
    const pgc_chunk_codec *codec; /* NULL: zstd */
    int wanted_threads;
    pthread_mutex_t lock; /* guards all below and the slots' states */
    pthread_cond_t queued, done;
    slot *free_slots, *first_queued, *last_queued;
    struct context {
        void *zstd;
        struct context *next;
    } *free_contexts;
    pthread_t threads[MOST_THREADS];
    int thread_count;
    bool started, stop;
};

struct pgc_compressor {
    pgc_compress_pool *pool;
    pgc_byte_target target;
    struct context *zstd;
    slot **ring; /* chunks under way, oldest first */
    int ring_size, first, count;
    slot *filling; /* NULL: none begun */
    uint32_t checksum;
    bool any, head_written;
};

int pgc_cores(void)
{
    cpu_set_t set;
    int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return cores > 0 ? cores : 1;
}

/* ------------------------------------------------------------------ the pool */

static void run_slot(pgc_compress_pool *pool, slot *slot)
{
    slot->result = pool->codec->compress(&slot->chunk, &slot->error);
}

/* Takes the first queued slot; the lock is held. */
static slot *take_queued(pgc_compress_pool *pool)
{
    slot *slot = pool->first_queued;
    pool->first_queued = slot->next;
    if (!pool->first_queued)
        pool->last_queued = NULL;
    slot->state = SLOT_RUNNING;
    return slot;
}

static void *work(void *arg)
{
    pgc_compress_pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    while (!pool->stop) {
        if (!pool->first_queued) {
            pthread_cond_wait(&pool->queued, &pool->lock);
            continue;
        }
        slot *slot = take_queued(pool);
        pthread_mutex_unlock(&pool->lock);
        run_slot(pool, slot);
        pthread_mutex_lock(&pool->lock);
        slot->state = SLOT_DONE;
        pthread_cond_broadcast(&pool->done);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* A pool that cannot have all of its threads goes on with fewer: whoever waits for a chunk compresses it. The lock is held. */
static void start(pgc_compress_pool *pool)
{
    pool->started = true;
    while (pool->thread_count < pool->wanted_threads && pthread_create(&pool->threads[pool->thread_count], NULL, work, pool) == 0)
        pool->thread_count++;
}

static const pgc_chunk_codec *codec_of(pgc_compression_method method, pgc_stream_kind kind)
{
    switch (method) {
    case PGC_COMPRESSION_GZIP: return kind == PGC_STREAM_BLOCK ? &pgc_codec_zlib : &pgc_codec_gzip_members;
    case PGC_COMPRESSION_LZ4: return &pgc_codec_lz4;
    case PGC_COMPRESSION_ZSTD: return NULL;
    case PGC_COMPRESSION_NONE: break;
    }
    return &pgc_codec_none;
}

pgc_compress_pool *pgc_compress_pool_new(const pgc_compression *compression, pgc_stream_kind kind, int threads, pgconvoy_error *err)
{
    pgc_compress_pool *pool = calloc(1, sizeof *pool);
    if (!pool) {
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    pool->compression = *compression;
    pool->codec = codec_of(compression->method, kind);
    if (compression->method != PGC_COMPRESSION_NONE)
        pool->wanted_threads = threads > MOST_THREADS ? MOST_THREADS : threads;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->queued, NULL);
    pthread_cond_init(&pool->done, NULL);
    return pool;
}

static void free_slot(const pgc_compress_pool *pool, slot *slot)
{
    if (slot->chunk.context)
        pool->codec->free_context(slot->chunk.context);
    free(slot->chunk.in);
    free(slot->chunk.out);
    free(slot);
}

void pgc_compress_pool_free(pgc_compress_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->queued);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
    for (slot *slot = pool->free_slots, *next; slot; slot = next) {
        next = slot->next;
        free_slot(pool, slot);
    }
    for (struct context *context = pool->free_contexts, *next; context; context = next) {
        next = context->next;
        pgc_zstd_free(context->zstd);
        free(context);
    }
    pthread_cond_destroy(&pool->queued);
    pthread_cond_destroy(&pool->done);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static slot *new_slot(const pgc_compress_pool *pool, pgconvoy_error *err)
{
    const pgc_chunk_codec *codec = pool->codec;
    slot *slot = calloc(1, sizeof *slot);
    if (slot) {
        pgc_chunk *chunk = &slot->chunk;
        chunk->context = codec->new_context ? codec->new_context(&pool->compression) : NULL;
        if (!codec->new_context || chunk->context) {
            chunk->out_capacity = codec->bound ? codec->bound(chunk->context, codec->chunk_bytes) : 0;
            chunk->in = malloc(codec->chunk_bytes);
            chunk->out = chunk->out_capacity ? malloc(chunk->out_capacity) : NULL;
            if (chunk->in && (chunk->out || !chunk->out_capacity))
                return slot;
        }
        free_slot(pool, slot);
    }
    (void)pgc_error_out_of_memory(err);
    return NULL;
}

static slot *get_slot(pgc_compress_pool *pool, pgconvoy_error *err)
{
    pthread_mutex_lock(&pool->lock);
    slot *slot = pool->free_slots;
    if (slot)
        pool->free_slots = slot->next;
    pthread_mutex_unlock(&pool->lock);
    if (!slot)
        return new_slot(pool, err);
    slot->next = NULL;
    slot->state = SLOT_FREE;
    slot->chunk.in_length = 0;
    return slot;
}

static void put_slot(pgc_compress_pool *pool, slot *slot)
{
    pthread_mutex_lock(&pool->lock);
    slot->next = pool->free_slots;
    pool->free_slots = slot;
    pthread_mutex_unlock(&pool->lock);
}

static void enqueue(pgc_compress_pool *pool, slot *slot)
{
    pthread_mutex_lock(&pool->lock);
    if (!pool->started)
        start(pool);
    slot->state = SLOT_QUEUED;
    slot->next = NULL;
    if (pool->last_queued)
        pool->last_queued->next = slot;
    else
        pool->first_queued = slot;
    pool->last_queued = slot;
    pthread_cond_signal(&pool->queued);
    pthread_mutex_unlock(&pool->lock);
}

/* Until slot is compressed, this thread compresses what is queued, its own or another stream's. */
static void wait_for(pgc_compress_pool *pool, slot *slot)
{
    pthread_mutex_lock(&pool->lock);
    while (slot->state != SLOT_DONE) {
        if (!pool->first_queued) {
            pthread_cond_wait(&pool->done, &pool->lock);
            continue;
        }
        struct slot *other = take_queued(pool);
        pthread_mutex_unlock(&pool->lock);
        run_slot(pool, other);
        pthread_mutex_lock(&pool->lock);
        other->state = SLOT_DONE;
        pthread_cond_broadcast(&pool->done);
    }
    pthread_mutex_unlock(&pool->lock);
}

/* ------------------------------------------------------------------ a stream */

static struct context *get_context(pgc_compress_pool *pool, pgconvoy_error *err)
{
    pthread_mutex_lock(&pool->lock);
    struct context *context = pool->free_contexts;
    if (context)
        pool->free_contexts = context->next;
    pthread_mutex_unlock(&pool->lock);
    if (context)
        return context;
    context = calloc(1, sizeof *context);
    if (!context) {
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    context->zstd = pgc_zstd_new(&pool->compression, pool->wanted_threads, err);
    if (!context->zstd) {
        free(context);
        return NULL;
    }
    return context;
}

pgc_compressor *pgc_compressor_open(pgc_compress_pool *pool, pgc_byte_target target, pgconvoy_error *err)
{
    pgc_compressor *compressor = calloc(1, sizeof *compressor);
    if (!compressor) {
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    *compressor = (pgc_compressor){.pool = pool, .target = target};
    if (pool->codec) {
        compressor->checksum = pool->codec->first_checksum;
        compressor->ring_size = pool->wanted_threads ? pool->wanted_threads + 2 : 1;
        compressor->ring = calloc((size_t)compressor->ring_size, sizeof *compressor->ring);
        if (!compressor->ring)
            (void)pgc_error_out_of_memory(err);
    } else
        compressor->zstd = get_context(pool, err);
    if (!compressor->ring && !compressor->zstd) {
        free(compressor);
        return NULL;
    }
    return compressor;
}

static int emit_head(pgc_compressor *compressor, pgconvoy_error *err)
{
    const pgc_compress_pool *pool = compressor->pool;
    char bytes[16];
    if (compressor->head_written || !pool->codec->head)
        return 0;
    compressor->head_written = true;
    size_t length = pool->codec->head(&pool->compression, bytes);
    return compressor->target.write(compressor->target.arg, bytes, length, err);
}

/* Lets the oldest chunk out. */
static int emit(pgc_compressor *compressor, pgconvoy_error *err)
{
    pgc_compress_pool *pool = compressor->pool;
    slot *slot = compressor->ring[compressor->first];
    compressor->first = (compressor->first + 1) % compressor->ring_size;
    compressor->count--;
    wait_for(pool, slot);
    const pgc_chunk *chunk = &slot->chunk;
    int result = slot->result;
    if (result != 0)
        pgc_error_copy(err, &slot->error);
    else if (emit_head(compressor, err) != 0)
        result = -1;
    else {
        if (pool->codec->combine)
            compressor->checksum = pool->codec->combine(compressor->checksum, chunk->checksum, chunk->in_length);
        const char *bytes = chunk->out ? chunk->out : chunk->in;
        size_t length = chunk->out ? chunk->out_length : chunk->in_length;
        result = length > 0 ? compressor->target.write(compressor->target.arg, bytes, length, err) : 0;
    }
    put_slot(pool, slot);
    return result;
}

static int submit(pgc_compressor *compressor, pgconvoy_error *err)
{
    pgc_compress_pool *pool = compressor->pool;
    slot *slot = compressor->filling;
    if (compressor->count == compressor->ring_size && emit(compressor, err) != 0)
        return -1;
    compressor->filling = NULL;
    compressor->any = true;
    compressor->ring[(compressor->first + compressor->count) % compressor->ring_size] = slot;
    compressor->count++;
    if (pool->wanted_threads) {
        enqueue(pool, slot);
        return 0;
    }
    run_slot(pool, slot);
    slot->state = SLOT_DONE;
    return emit(compressor, err);
}

int pgc_compressor_write(pgc_compressor *compressor, const char *bytes, size_t length, pgconvoy_error *err)
{
    pgc_compress_pool *pool = compressor->pool;
    if (compressor->zstd)
        return pgc_zstd_write(compressor->zstd->zstd, bytes, length, false, compressor->target, err);
    while (length > 0) {
        if (!compressor->filling && !(compressor->filling = get_slot(pool, err)))
            return -1;
        pgc_chunk *chunk = &compressor->filling->chunk;
        size_t room = pool->codec->chunk_bytes - chunk->in_length, part = length < room ? length : room;
        memcpy(chunk->in + chunk->in_length, bytes, part);
        chunk->in_length += part;
        bytes += part;
        length -= part;
        if (chunk->in_length == pool->codec->chunk_bytes && submit(compressor, err) != 0)
            return -1;
    }
    return 0;
}

static int finish_chunks(pgc_compressor *compressor, pgconvoy_error *err)
{
    const pgc_chunk_codec *codec = compressor->pool->codec;
    if (!compressor->filling && !compressor->any && codec->needs_chunk && !(compressor->filling = get_slot(compressor->pool, err)))
        return -1;
    if (compressor->filling && submit(compressor, err) != 0)
        return -1;
    while (compressor->count > 0)
        if (emit(compressor, err) != 0)
            return -1;
    if (emit_head(compressor, err) != 0)
        return -1;
    if (!codec->tail)
        return 0;
    char bytes[16];
    size_t length = codec->tail(compressor->checksum, bytes);
    return compressor->target.write(compressor->target.arg, bytes, length, err);
}

int pgc_compressor_close(pgc_compressor *compressor, pgconvoy_error *err)
{
    int result = compressor->zstd ? pgc_zstd_write(compressor->zstd->zstd, NULL, 0, true, compressor->target, err) : finish_chunks(compressor, err);
    pgc_compressor_abandon(compressor);
    return result;
}

void pgc_compressor_abandon(pgc_compressor *compressor)
{
    if (!compressor)
        return;
    pgc_compress_pool *pool = compressor->pool;
    for (; compressor->count > 0; compressor->count--) { /* a thread may be at one of them */
        slot *slot = compressor->ring[compressor->first];
        compressor->first = (compressor->first + 1) % compressor->ring_size;
        wait_for(pool, slot);
        put_slot(pool, slot);
    }
    if (compressor->filling)
        put_slot(pool, compressor->filling);
    if (compressor->zstd) {
        pgc_zstd_reset(compressor->zstd->zstd);
        pthread_mutex_lock(&pool->lock);
        compressor->zstd->next = pool->free_contexts;
        pool->free_contexts = compressor->zstd;
        pthread_mutex_unlock(&pool->lock);
    }
    free(compressor->ring);
    free(compressor);
}
