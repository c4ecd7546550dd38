/*
 * Statements over ClickHouse's HTTP interface (manual: Interfaces, HTTP). A statement without data travels as the body,
 * one with data in the URL; user and password travel in a header. What a server cannot do is known from its version, in
 * one table.
 */
#include "sink/clickhouse/clickhouse_internal.h"

#include "base/clock.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- capabilities */

static const struct {
    size_t field;
    int major, minor; /* the first version that has it */
} capabilities[] = {
#define HAS(FIELD, MAJOR, MINOR)                                                                                       \
    {                                                                                                                  \
        offsetof(pgc_clickhouse_capabilities, FIELD), MAJOR, MINOR                                                     \
    }
    HAS(window, 21, 6),   /* non_replicated_deduplication_window, a table's setting */
    HAS(drop_sync, 21, 6),
    HAS(comments, 19, 1), /* of columns */
    HAS(mutations_sync, 20, 1), HAS(rename_column, 20, 4), HAS(frames, 21, 1), /* Content-Encoding: lz4, zstd */
    HAS(replace_view, 21, 1),   HAS(decimal256, 21, 6),    HAS(boolean, 21, 12), HAS(deduplication_token, 22, 2),
    HAS(datetime64, 22, 8), /* with its range from 1900 to 2299 */
    HAS(date32, 22, 8),         HAS(is_deleted, 23, 5),    HAS(json, 25, 3),    HAS(check_grant, 25, 1),
#undef HAS
};

static void set_capabilities(pgc_clickhouse_capabilities *has, int major, int minor)
{
    *has = (pgc_clickhouse_capabilities){.major = major, .minor = minor};
    for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++)
        *(bool *)((char *)has + capabilities[i].field) =
            major > capabilities[i].major || (major == capabilities[i].major && minor >= capabilities[i].minor);
}

/* ---- errors */

/* The server's codes (its own table system.errors) that mean something to us; all others are what the server refused
 * for good. */
static const struct {
    int code;
    bool retriable;
    pgconvoy_error_code kind;
    const char *hint;
} codes[] = {
    {81, false, PGCONVOY_ERROR_CONFIG, "create the database first: CREATE DATABASE name"},
    {159, true, PGCONVOY_ERROR_SINK, NULL}, /* timeout */
    {164, false, PGCONVOY_ERROR_CONFIG, "the user may only read; pgconvoy must create tables and insert"},
    {192, false, PGCONVOY_ERROR_CONFIG, "check the user's name"},
    {193, false, PGCONVOY_ERROR_CONFIG, "check the password (CLICKHOUSE_PASSWORD serves when the target has none)"},
    {194, false, PGCONVOY_ERROR_CONFIG, "give a password (CLICKHOUSE_PASSWORD serves when the target has none)"},
    {202, true, PGCONVOY_ERROR_SINK, NULL}, /* too many queries */
    {209, true, PGCONVOY_ERROR_SINK, NULL}, /* socket timeout */
    {210, true, PGCONVOY_ERROR_SINK, NULL}, /* network */
    {216, true, PGCONVOY_ERROR_SINK, NULL}, /* an earlier attempt of the same statement still runs */
    {225, true, PGCONVOY_ERROR_SINK, NULL}, /* no keeper */
    {241, true, PGCONVOY_ERROR_SINK,
     "the server has too little memory for this; --memory makes what is sent at once smaller"},
    {242, true, PGCONVOY_ERROR_SINK, NULL}, /* read-only for now: the keeper's session was lost */
    {252, true, PGCONVOY_ERROR_SINK,
     "the server cannot merge as fast as rows come; commit_interval in the target makes fewer, larger inserts"},
    {291, false, PGCONVOY_ERROR_CONFIG, "grant the user the database"},
    {319, true, PGCONVOY_ERROR_SINK, NULL}, /* unknown status of insert */
    {497, false, PGCONVOY_ERROR_CONFIG,
     "grant the user SELECT, INSERT, ALTER, CREATE, DROP and TRUNCATE on the database"},
    {516, false, PGCONVOY_ERROR_CONFIG,
     "check user and password (CLICKHOUSE_PASSWORD serves when the target has none)"},
    {999, true, PGCONVOY_ERROR_SINK, NULL}, /* keeper */
};

static int code_of(const pgc_http_response *response)
{
    char text[16];
    if (pgc_http_header(response, "X-ClickHouse-Exception-Code", text, sizeof text))
        return atoi(text);
    const char *at = response->body.length > 0 ? strstr(response->body.data, "Code: ") : NULL;
    return at ? atoi(at + 6) : 0;
}

static bool heals(int code)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (codes[i].code == code)
            return codes[i].retriable;
    }
    return false;
}

/* The server answers 500 to nearly everything it refuses. */
static bool is_final(const pgc_http_response *response)
{
    int code = code_of(response);
    return code != 0 && !heals(code);
}

static void server_error(const pgc_http_request *request, const pgc_http_response *response, pgconvoy_error *err)
{
    int code = code_of(response);
    pgc_http_status_error(request, response, NULL, err);
    if (code == 0)
        return;
    err->code = PGCONVOY_ERROR_SINK;
    err->retriable = false;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (codes[i].code != code)
            continue;
        err->code = codes[i].kind;
        err->retriable = codes[i].retriable;
        if (codes[i].hint)
            pgconvoy_error_hint(err, "%s", codes[i].hint);
    }
}

/* ---- sessions */

int pgc_clickhouse_session_open(pgc_clickhouse_session *session, const pgc_clickhouse_target *target,
                                const pgc_clickhouse_capabilities *has, pgconvoy_log *log, pgconvoy_error *err)
{
    memset(session, 0, sizeof *session);
    session->target = target;
    session->has = has;
    pgc_buffer_init(&session->authorization, 65536);
    pgc_buffer_init(&session->url, (size_t)16 << 20);
    pgc_http_basic_authorization(&session->authorization, target->user, target->password);
    const pgc_http_settings settings = {.proxy = target->proxy,
                                        .ca_file = target->ca_file,
                                        .client_cert = target->client_cert,
                                        .client_key = target->client_key,
                                        .insecure = target->insecure,
                                        .log = log};
    session->http = pgc_http_new(&settings, err);
    if (!session->http || pgc_buffer_check(&session->authorization, err) != 0) {
        pgc_clickhouse_session_close(session);
        return -1;
    }
    snprintf(session->id, sizeof session->id, "pgconvoy-%x-%llx-%x", (unsigned)getpid(),
             (unsigned long long)pgc_clock_unix_us(), (unsigned)(uintptr_t)session);
    return 0;
}

void pgc_clickhouse_session_close(pgc_clickhouse_session *session)
{
    pgc_http_free(session->http);
    session->http = NULL;
    pgc_buffer_free(&session->authorization);
    pgc_buffer_free(&session->url);
}

/* The URL of a statement. Its id is the same for each attempt: a second one is refused while the first still runs. */
static void make_url(pgc_clickhouse_session *session, const pgc_buffer *sql, const pgc_buffer *data)
{
    const pgc_clickhouse_target *target = session->target;
    pgc_buffer *url = &session->url;
    pgc_buffer_reset(url);
    pgc_buffer_format(url, "%s?database=", target->url.data);
    pgc_http_escape(url, target->database);
    pgc_buffer_format(url, "&wait_end_of_query=1&query_id=%s-%llu", session->id, (unsigned long long)++session->number);
    /* rows that wait in the server's memory, as a profile may ask for, would be confirmed too early */
    if (data && session->has->deduplication_token)
        pgc_buffer_format(url, "&async_insert=0&insert_deduplication_token=%s-%llu", session->id,
                          (unsigned long long)session->number);
    /* a key comes once in a body: there is nothing that the server could leave out of it, and looking costs half as much again */
    if (data && session->has->optimize_on_insert)
        pgc_buffer_text(url, "&optimize_on_insert=0");
    /* RowBinary has a form of its own for it otherwise */
    if (data && session->has->json && target->types.json_native)
        pgc_buffer_text(url, "&input_format_binary_read_json_as_string=1");
    if (target->settings.length > 0)
        pgc_buffer_text(url, target->settings.data);
    if (data) {
        pgc_buffer_text(url, "&query=");
        pgc_http_escape(url, sql->data);
    }
}

static int send_statement(pgc_clickhouse_session *session, const pgc_buffer *sql, const pgc_buffer *data, bool encoded,
                          bool repeatable, const char *doing, pgc_http_response *response, pgconvoy_error *err)
{
    if (pgc_buffer_check(sql, err) != 0 || (data && pgc_buffer_check(data, err) != 0))
        return -1;
    make_url(session, sql, data);
    if (pgc_buffer_check(&session->url, err) != 0)
        return -1;
    const char *const headers[] = {session->authorization.data, "Content-Type: application/octet-stream", NULL};
    const pgc_buffer *body = data ? data : sql;
    const pgc_http_request request = {.method = "POST",
                                      .url = session->url.data,
                                      .headers = headers,
                                      .body = body->data,
                                      .body_length = body->length,
                                      .encoding = data ? session->target->compression : PGC_HTTP_IDENTITY,
                                      .encoded = encoded,
                                      .repeatable = repeatable,
                                      .is_final = is_final,
                                      .doing = doing};
    int result = pgc_http_send(session->http, &request, response, err);
    if (result == 0 && response->status != 200) {
        server_error(&request, response, err);
        result = -1;
    }
    if (result != 0)
        pgc_http_response_free(response);
    return result;
}

int pgc_clickhouse_run(pgc_clickhouse_session *session, const pgc_buffer *sql, const char *doing, pgconvoy_error *err)
{
    pgc_http_response response;
    if (send_statement(session, sql, NULL, false, true, doing, &response, err) != 0)
        return -1;
    pgc_http_response_free(&response);
    return 0;
}

int pgc_clickhouse_select(pgc_clickhouse_session *session, const pgc_buffer *sql, const char *doing,
                          pgc_http_response *response, pgconvoy_error *err)
{
    return send_statement(session, sql, NULL, false, true, doing, response, err);
}

int pgc_clickhouse_insert(pgc_clickhouse_session *session, const pgc_buffer *sql, const pgc_buffer *data, bool encoded,
                          bool repeatable, const char *doing, pgconvoy_error *err)
{
    pgc_http_response response;
    if (send_statement(session, sql, data, encoded, repeatable, doing, &response, err) != 0)
        return -1;
    pgc_http_response_free(&response);
    return 0;
}

int pgc_clickhouse_read_version(pgc_clickhouse_session *session, pgc_clickhouse_capabilities *has, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_http_response response;
    pgc_buffer_init(&sql, 256);
    pgc_buffer_text(&sql, "SELECT version(), maxIf(value, name = 'readonly'), countIf(name = 'optimize_on_insert') "
                          "FROM system.settings WHERE name IN ('readonly', 'optimize_on_insert')");
    int result = pgc_clickhouse_select(session, &sql, "connecting to ClickHouse", &response, err);
    pgc_buffer_free(&sql);
    if (result != 0)
        return -1;
    int major = 0, minor = 0;
    const char *text = response.body.length > 0 ? response.body.data : "", *tab = strchr(text, '\t'), *last = strrchr(text, '\t');
    if (sscanf(text, "%d.%d", &major, &minor) != 2 || major < 18) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                           "what answers is no ClickHouse server of version 18 or later: \"%.40s\"", text);
        result = -1;
    } else if (tab && tab[1] != '0') { /* which would be met with the first table only */
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the user may only read: its setting readonly is %.1s", tab + 1);
        pgconvoy_error_hint(err, "give the user a profile in which readonly is 0, or name another user in the target");
        result = -1;
    }
    bool optimizes = last && last[1] == '1';
    pgc_http_response_free(&response);
    set_capabilities(has, major, minor);
    has->optimize_on_insert = optimizes;
    return result;
}
