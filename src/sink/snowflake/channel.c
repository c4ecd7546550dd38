/*
 * Snowpipe Streaming over its REST interface (docs: "Snowpipe Streaming REST API endpoints"). Lines go in requests of
 * less than 4 MB; each request carries the token that the one before gave (continuationToken) and, as its offset, the
 * number of its last line in the channel's life. What was sent is kept until the channel's status says that it is
 * committed. When it is not known what became of a request, the channel is opened again: that ends what was under way,
 * and says which offset is the last that is committed; what follows it is sent again.
 */
#include "sink/snowflake/snowflake_internal.h"

#include "base/clock.h"
#include "format/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define REQUEST_MAX ((size_t)3900000) /* bytes of lines in a request: 4 MB is the service's limit */
#define REQUEST_ENOUGH ((size_t)3 << 20)
#define UNCOMMITTED_MAX 6 /* requests that are kept */
#define TOKEN_MAX 1024
#define OFFSET_SIZE 24
#define ATTEMPTS 8
#define FIRST_WAIT 50
#define LONGEST_WAIT 1000
#define COMMIT_PATIENCE_US (INT64_C(600) * 1000000)

/* A request's lines. */
typedef struct chunk {
    pgc_buffer lines;
    uint64_t last; /* the number of the last one */
} chunk;

struct pgc_sf_channel {
    pgc_sf_sink *sink;
    char table[96], name[64];
    char continuation[TOKEN_MAX];
    uint64_t added, committed; /* lines */
    chunk chunks[UNCOMMITTED_MAX];
    int count, sent; /* chunks; the first ones of them that were sent */
    int64_t errors;  /* rows that the service had refused when the channel was opened */
    bool opened;     /* it is there: to be dropped in the end */
    bool broken;     /* it has to be opened again */
};

/* ---- requests */

static void put_pipe(const pgc_sf_channel *channel, bool data, pgc_buffer *path)
{
    pgc_buffer_format(path, "/v2/streaming/%sdatabases/", data ? "data/" : "");
    pgc_http_escape(path, channel->sink->target.database);
    pgc_buffer_text(path, "/schemas/");
    pgc_http_escape(path, channel->sink->target.schema);
    pgc_buffer_text(path, "/pipes/");
    pgc_http_escape(path, channel->table);
    pgc_buffer_text(path, "-STREAMING"); /* the pipe that every table has by itself */
}

static void put_channel(const pgc_sf_channel *channel, bool data, pgc_buffer *path)
{
    put_pipe(channel, data, path);
    pgc_buffer_format(path, "/channels/%s", channel->name);
}

static int put_request_id(pgc_buffer *path, char before, pgconvoy_error *err)
{
    char uuid[PGC_SF_UUID_SIZE];
    if (pgc_sf_uuid(uuid, err) != 0)
        return -1;
    pgc_buffer_format(path, "%crequestId=%s", before, uuid);
    return 0;
}

/* One request of a channel's, with what belongs to it. Made by begin, and always to be ended. */
typedef struct exchange {
    pgc_arena *arena;
    pgc_buffer path;
    char doing[200];
    pgc_sf_answer answer;
} exchange;

static int begin(exchange *exchange, const pgc_sf_channel *channel, const char *what, pgconvoy_error *err)
{
    memset(exchange, 0, sizeof *exchange);
    exchange->arena = pgc_arena_new(8192);
    pgc_buffer_init(&exchange->path, 16384);
    snprintf(exchange->doing, sizeof exchange->doing, "%s table %s", what, channel->table);
    return exchange->arena ? 0 : pgc_error_out_of_memory(err);
}

/* Fills in what is the same in all requests. */
static int call(exchange *exchange, const pgc_sf_channel *channel, pgc_sf_request *request, pgconvoy_error *err)
{
    if (pgc_buffer_check(&exchange->path, err) != 0)
        return -1;
    request->path = exchange->path.data;
    request->ingest = true;
    request->doing = exchange->doing;
    return pgc_sf_call(channel->sink, request, exchange->arena, &exchange->answer, err);
}

static void end(exchange *exchange)
{
    pgc_buffer_free(&exchange->path);
    pgc_arena_free(exchange->arena);
}

/* Takes a next continuation token from an answer. */
static int take_token(pgc_sf_channel *channel, const exchange *exchange, pgconvoy_error *err)
{
    const char *token = pgc_json_get_text(exchange->answer.body, "next_continuation_token");
    if (token && strlen(token) < sizeof channel->continuation) {
        snprintf(channel->continuation, sizeof channel->continuation, "%s", token);
        return 0;
    }
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "%s: the answer has no continuation token", exchange->doing);
    pgconvoy_error_retriable(err, true);
    return -1;
}

static int64_t rows_refused(const pgc_json *status)
{
    return pgc_json_number(status, "rows_error_count", pgc_json_number(status, "rows_errors", 0));
}

static void forget_committed(pgc_sf_channel *channel, const pgc_json *status)
{
    const char *offset = pgc_json_get_text(status, "last_committed_offset_token");
    uint64_t committed = offset ? strtoull(offset, NULL, 10) : 0;
    if (committed > channel->committed && committed <= channel->added)
        channel->committed = committed;
    while (channel->count > 0 && channel->chunks[0].last <= channel->committed) { /* also when its answer was lost */
        chunk first = channel->chunks[0];
        memmove(channel->chunks, channel->chunks + 1, (UNCOMMITTED_MAX - 1) * sizeof first);
        pgc_buffer_reset(&first.lines);
        channel->chunks[UNCOMMITTED_MAX - 1] = first; /* its memory is for another one */
        channel->count--;
        channel->sent -= channel->sent > 0;
    }
}

/* Opens the channel, or opens it again: all that is not committed is to be sent then. */
static int open_channel(pgc_sf_channel *channel, pgconvoy_error *err)
{
    exchange exchange;
    pgc_sf_request request = {.method = "PUT", .body = "{}", .length = 2};
    int result = begin(&exchange, channel, "opening a channel into", err);
    put_channel(channel, false, &exchange.path);
    if (result == 0)
        result = put_request_id(&exchange.path, '?', err);
    if (result == 0)
        result = call(&exchange, channel, &request, err);
    if (result == 0)
        result = take_token(channel, &exchange, err);
    if (result == 0) {
        const pgc_json *status = pgc_json_get(exchange.answer.body, "channel_status");
        channel->errors = rows_refused(status);
        channel->opened = true;
        channel->broken = false;
        forget_committed(channel, status);
        channel->sent = 0;
    } else if (strcmp(exchange.answer.code, "STALE_PIPE_CACHE") == 0 ||
               strcmp(exchange.answer.code, "ERR_CHANNEL_HAS_UNCOMMITTED_DATA") == 0)
        pgconvoy_error_retriable(err, true); /* they pass */
    end(&exchange);
    return result;
}

static int append(pgc_sf_channel *channel, const chunk *chunk, pgconvoy_error *err)
{
    exchange exchange;
    pgc_sf_request request = {.method = "POST",
                              .body = chunk->lines.data,
                              .length = chunk->lines.length,
                              .content_type = "application/x-ndjson",
                              .compressed = true,
                              .once = true};
    int result = begin(&exchange, channel, "sending rows to", err);
    put_channel(channel, true, &exchange.path);
    pgc_buffer_text(&exchange.path, "/rows?continuationToken=");
    pgc_http_escape(&exchange.path, channel->continuation);
    pgc_buffer_format(&exchange.path, "&offsetToken=%020" PRIu64, chunk->last);
    if (result == 0)
        result = put_request_id(&exchange.path, '&', err);
    if (result == 0)
        result = call(&exchange, channel, &request, err);
    int status = exchange.answer.status;
    if (result == 0)
        result = take_token(channel, &exchange, err);
    /* a token that is not good any more, and an answer that did not come, are mended by opening the channel again */
    else if (status == 400 || status == 404 || status == 409)
        pgconvoy_error_retriable(err, true);
    channel->broken = result != 0 && status != 429;
    end(&exchange);
    return result;
}

/* Sends all chunks that were not sent, opening the channel again when it must. */
static int send_all(pgc_sf_channel *channel, pgconvoy_error *err)
{
    for (int failures = 0; channel->broken || channel->sent < channel->count;) {
        bool opens = channel->broken;
        if ((opens ? open_channel(channel, err) : append(channel, &channel->chunks[channel->sent], err)) == 0) {
            channel->sent += !opens;
            failures = opens ? failures : 0;
            continue;
        }
        if (!pgconvoy_error_is_retriable(err) || ++failures >= ATTEMPTS)
            return -1;
        pgc_clock_sleep_ms(100 << (failures < 6 ? failures : 6));
    }
    return 0;
}

/* ---- what was committed */

static int judge(pgc_sf_channel *channel, const pgc_json *status, pgconvoy_error *err)
{
    const char *code = pgc_json_get_text(status, "channel_status_code");
    if (!status || (code && strcmp(code, "ACTIVE") != 0 && strcmp(code, "SUCCESS") != 0)) {
        channel->broken = true; /* it is gone, or somebody else has opened it */
        return 0;
    }
    if (rows_refused(status) > channel->errors) {
        const char *message = pgc_json_get_text(status, "last_error_message");
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "Snowflake refused rows that were sent to table %s: %s",
                           channel->table, message ? message : "without a word");
        pgconvoy_error_retriable(err, true);
        return -1;
    }
    forget_committed(channel, status);
    return 0;
}

static int look(pgc_sf_channel *channel, pgconvoy_error *err)
{
    char body[120];
    exchange exchange;
    int length = snprintf(body, sizeof body, "{\"channel_names\":[\"%s\"]}", channel->name);
    pgc_sf_request request = {.method = "POST", .body = body, .length = (size_t)length};
    int result = begin(&exchange, channel, "asking what is committed of the rows of", err);
    put_pipe(channel, false, &exchange.path);
    pgc_buffer_text(&exchange.path, ":bulk-channel-status");
    if (result == 0)
        result = call(&exchange, channel, &request, err);
    if (result == 0) {
        const pgc_json *all = pgc_json_get(exchange.answer.body, "channel_statuses");
        result = judge(channel, pgc_json_get(all, channel->name), err);
    }
    end(&exchange);
    return result;
}

/* Until no more than so many chunks are not committed. */
static int wait_for(pgc_sf_channel *channel, int left, pgconvoy_error *err)
{
    int64_t until = pgc_clock_monotonic_us() + COMMIT_PATIENCE_US;
    int wait_ms = FIRST_WAIT;
    while (channel->count > left) {
        int before = channel->count;
        if (send_all(channel, err) != 0 || look(channel, err) != 0)
            return -1;
        if (channel->count < before) {
            until = pgc_clock_monotonic_us() + COMMIT_PATIENCE_US;
            wait_ms = FIRST_WAIT;
            continue;
        }
        if (pgc_clock_monotonic_us() > until) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_SINK,
                               "rows that were sent to table %s are not committed there after 10 minutes",
                               channel->table);
            pgconvoy_error_retriable(err, true);
            return -1;
        }
        pgc_clock_sleep_ms(wait_ms);
        wait_ms = wait_ms * 3 / 2 < LONGEST_WAIT ? wait_ms * 3 / 2 : LONGEST_WAIT;
    }
    return 0;
}

/* ---- lines */

/* The chunk that takes lines: the last one, when it was not sent yet. */
static int room_for(pgc_sf_channel *channel, size_t length, chunk **room, pgconvoy_error *err)
{
    chunk *last = channel->count > channel->sent ? &channel->chunks[channel->count - 1] : NULL;
    if (last && last->lines.length + length > REQUEST_MAX) {
        if (send_all(channel, err) != 0)
            return -1;
        last = NULL;
    }
    if (!last) {
        if (wait_for(channel, UNCOMMITTED_MAX - 1, err) != 0)
            return -1;
        last = &channel->chunks[channel->count++];
    }
    *room = last;
    return 0;
}

int pgc_sf_channel_add(pgc_sf_channel *channel, const char *line, size_t length, pgconvoy_error *err)
{
    chunk *chunk;
    if (room_for(channel, length, &chunk, err) != 0)
        return -1;
    pgc_buffer_append(&chunk->lines, line, length);
    if (pgc_buffer_check(&chunk->lines, err) != 0)
        return -1;
    chunk->last = ++channel->added;
    return chunk->lines.length >= REQUEST_ENOUGH ? send_all(channel, err) : 0;
}

int pgc_sf_channel_wait(pgc_sf_channel *channel, pgconvoy_error *err)
{
    return wait_for(channel, 0, err);
}

const char *pgc_sf_channel_table(const pgc_sf_channel *channel)
{
    return channel->table;
}

/* ---- its life */

pgc_sf_channel *pgc_sf_channel_open(pgc_sf_sink *sink, const char *table, pgconvoy_error *err)
{
    pgc_sf_channel *channel = calloc(1, sizeof *channel);
    if (!channel) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    channel->sink = sink;
    channel->broken = true; /* opened with the first lines */
    snprintf(channel->table, sizeof channel->table, "%s", table);
    snprintf(channel->name, sizeof channel->name, "PGCONVOY_%s_%" PRIu64, sink->process,
             pgc_staged_next_number(&sink->base));
    for (int i = 0; i < UNCOMMITTED_MAX; i++)
        pgc_buffer_init(&channel->chunks[i].lines, REQUEST_MAX + 64);
    return channel;
}

static void drop_channel(pgc_sf_channel *channel)
{
    exchange exchange;
    pgconvoy_error ignored = {0};
    pgc_sf_request request = {.method = "DELETE", .accepts = 404, .once = true};
    int result = begin(&exchange, channel, "closing a channel into", &ignored);
    put_channel(channel, false, &exchange.path);
    if (result != 0 || call(&exchange, channel, &request, &ignored) != 0)
        pgc_log_debug(channel->sink->config->log, "snowflake: %s", ignored.message);
    end(&exchange);
}

void pgc_sf_channel_close(pgc_sf_channel *channel)
{
    if (!channel)
        return;
    if (channel->opened)
        drop_channel(channel);
    for (int i = 0; i < UNCOMMITTED_MAX; i++)
        pgc_buffer_free(&channel->chunks[i].lines);
    free(channel);
}
