/*
 * The client on libcurl's easy interface. An attempt is one exchange; what decides whether another one follows is how
 * far this one came (no connection, no answer, an answer that asks to come again), in retry_after. Pauses grow by two
 * and are shortened by chance, so that many clients that were refused together do not come back together.
 */
#include "net/http.h"
#include "base/clock.h"
#include "net/http_body.h"

#include <curl/curl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <strings.h>

#define MAX_HEADER_BYTES ((size_t)256 << 10)

struct pgc_http {
    pgc_http_settings settings;
    CURL *curl;
    atomic_bool cancelled;
    uint64_t chance; /* state of the pauses' generator */
    char message[CURL_ERROR_SIZE];
};

static int or_default(int value, int otherwise)
{
    return value > 0 ? value : otherwise;
}

static void start_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

pgc_http *pgc_http_new(const pgc_http_settings *settings, pgconvoy_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_curl);
    pgc_http *http = calloc(1, sizeof *http);
    if (!http) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    http->settings = *settings;
    pgc_http_settings *s = &http->settings;
    s->connect_timeout_ms = or_default(s->connect_timeout_ms, 15000);
    s->stall_timeout_ms = or_default(s->stall_timeout_ms, 300000);
    s->attempts = or_default(s->attempts, 4);
    s->pause_ms = or_default(s->pause_ms, 200);
    s->max_pause_ms = or_default(s->max_pause_ms, 20000);
    if (s->max_response_bytes == 0)
        s->max_response_bytes = (size_t)64 << 20;
    atomic_init(&http->cancelled, false);
    http->chance = (uint64_t)pgc_clock_monotonic_us() ^ (uint64_t)(uintptr_t)http;
    http->curl = curl_easy_init();
    if (!http->curl) {
        pgc_error_out_of_memory(err);
        free(http);
        return NULL;
    }
    return http;
}

void pgc_http_free(pgc_http *http)
{
    if (!http)
        return;
    curl_easy_cleanup(http->curl);
    free(http);
}

void pgc_http_cancel(pgc_http *http)
{
    atomic_store(&http->cancelled, true);
}

void pgc_http_response_free(pgc_http_response *response)
{
    pgc_buffer_free(&response->body);
    pgc_buffer_free(&response->headers);
}

/* ---- one attempt */

/* What libcurl's callbacks have at hand. */
typedef struct exchange {
    pgc_http *http;
    pgc_http_response *response;
    int64_t moved_at; /* when a byte last moved */
    curl_off_t moved_bytes;
    bool stalled;
} exchange;

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    pgc_buffer *body = &((exchange *)arg)->response->body;
    pgc_buffer_append(body, data, size * count);
    return body->failed ? 0 : size * count;
}

/* Lines of one header block; a new status line (after 100 Continue, or a proxy's own answer) begins anew. */
static size_t take_header(char *data, size_t size, size_t count, void *arg)
{
    pgc_buffer *headers = &((exchange *)arg)->response->headers;
    if (count > 5 && memcmp(data, "HTTP/", 5) == 0)
        pgc_buffer_reset(headers);
    pgc_buffer_append(headers, data, size * count);
    return headers->failed ? 0 : size * count;
}

static int watch(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
    (void)down_total, (void)up_total;
    exchange *x = arg;
    int64_t now = pgc_clock_monotonic_us();
    if (down + up != x->moved_bytes) {
        x->moved_bytes = down + up;
        x->moved_at = now;
    }
    x->stalled = now - x->moved_at > (int64_t)x->http->settings.stall_timeout_ms * 1000;
    return x->stalled || atomic_load(&x->http->cancelled);
}

static bool append_bearer(struct curl_slist *list, const char *token)
{
    pgc_buffer header;
    pgc_buffer_init(&header, MAX_HEADER_BYTES);
    pgc_buffer_format(&header, "Authorization: Bearer %s", token);
    bool done = !header.failed && curl_slist_append(list, header.data);
    if (header.data)
        explicit_bzero(header.data, header.length);
    pgc_buffer_free(&header);
    return done;
}

static struct curl_slist *header_list(const pgc_http_request *request)
{
    /* curl's own "Expect: 100-continue" costs a round trip, and some servers never answer it. */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    static const char *const encodings[] = {[PGC_HTTP_GZIP] = "Content-Encoding: gzip",
                                            [PGC_HTTP_LZ4] = "Content-Encoding: lz4",
                                            [PGC_HTTP_ZSTD] = "Content-Encoding: zstd"};
    bool failed = !list;
    if (!failed && request->encoding != PGC_HTTP_IDENTITY)
        failed = !curl_slist_append(list, encodings[request->encoding]);
    for (size_t i = 0; !failed && request->headers && request->headers[i]; i++)
        failed = !curl_slist_append(list, request->headers[i]);
    if (!failed && request->bearer)
        failed = !append_bearer(list, request->bearer);
    if (failed) {
        curl_slist_free_all(list);
        return NULL;
    }
    return list;
}

static void set_options(pgc_http *http, const pgc_http_request *request, const pgc_buffer *body, exchange *x,
                        struct curl_slist *headers)
{
    const pgc_http_settings *s = &http->settings;
    CURL *curl = http->curl;
    bool has_body = request->body || (request->method && strcmp(request->method, "GET") != 0);
    curl_easy_reset(curl); /* the connection stays */
    http->message[0] = '\0';
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (has_body) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body ? body->data : request->body ? request->body : "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(body ? body->length : request->body_length));
    }
    if (request->method)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->message);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, watch);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, x);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)s->connect_timeout_ms);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "pgconvoy");
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip"); /* what comes so is decoded */
    curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 1L << 20);
    if (s->proxy)
        curl_easy_setopt(curl, CURLOPT_PROXY, s->proxy);
    if (s->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, s->ca_file);
    if (s->client_cert)
        curl_easy_setopt(curl, CURLOPT_SSLCERT, s->client_cert);
    if (s->client_key)
        curl_easy_setopt(curl, CURLOPT_SSLKEY, s->client_key);
    if (s->insecure) {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

/* One exchange. Gives libcurl's result; body is the request's in its encoding, NULL: as it stands there. */
static CURLcode attempt(pgc_http *http, const pgc_http_request *request, const pgc_buffer *body,
                        pgc_http_response *response, bool *stalled)
{
    struct curl_slist *headers = header_list(request);
    if (!headers)
        return CURLE_OUT_OF_MEMORY;
    exchange x = {.http = http, .response = response, .moved_at = pgc_clock_monotonic_us()};
    pgc_buffer_reset(&response->body);
    pgc_buffer_reset(&response->headers);
    response->status = 0;
    set_options(http, request, body, &x, headers);
    CURLcode code = curl_easy_perform(http->curl);
    long status = 0;
    curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
    response->status = (int)status;
    *stalled = x.stalled;
    curl_slist_free_all(headers);
    return code;
}

/* ---- whether to try again */

static bool never_reached(CURLcode code)
{
    return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_COULDNT_CONNECT ||
           code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PROXY;
}

static bool may_heal(CURLcode code)
{
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_WRITE_ERROR: /* ours: the answer is longer than allowed */
        return false;
    default:
        return true;
    }
}

static bool try_again(const pgc_http_request *request, CURLcode code, const pgc_http_response *response)
{
    int status = response->status;
    if (code != CURLE_OK)
        return may_heal(code) && (never_reached(code) || request->repeatable);
    if (status < 400 || (request->is_final && request->is_final(response)))
        return false;
    if (status == 429 || status == 503)
        return true;
    return request->repeatable && (status == 408 || status == 500 || status == 502 || status == 504);
}

/* Between half of the pause and the whole of it; not less than what the server asked for. */
static int pause_before(pgc_http *http, int attempt, const pgc_http_response *response)
{
    int64_t pause = http->settings.pause_ms;
    for (int i = 1; i < attempt && pause < http->settings.max_pause_ms; i++)
        pause *= 2;
    http->chance = http->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    pause -= (int64_t)((http->chance >> 33) % (uint64_t)(pause / 2 + 1));
    char text[32];
    if (pgc_http_header(response, "Retry-After", text, sizeof text)) {
        long seconds = strtol(text, NULL, 10);
        if (seconds > 0 && seconds < INT_MAX / 1000 && seconds * 1000 > pause)
            pause = seconds * 1000;
    }
    return (int)(pause < http->settings.max_pause_ms ? pause : http->settings.max_pause_ms);
}

static void sleep_unless_cancelled(pgc_http *http, int ms)
{
    int64_t until = pgc_clock_monotonic_us() + (int64_t)ms * 1000;
    while (!atomic_load(&http->cancelled)) {
        int64_t left = (until - pgc_clock_monotonic_us()) / 1000;
        if (left <= 0)
            break;
        pgc_clock_sleep_ms(left < 50 ? (int)left : 50);
    }
}

/* ---- errors */

/* scheme://host:port of url, without user, password, path and query. */
static void place_of(const char *url, char *place, size_t size)
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    size_t length = strcspn(host, "/?#");
    for (size_t i = length; i > 0; i--) {
        if (host[i - 1] == '@') {
            host += i;
            length -= i;
            break;
        }
    }
    snprintf(place, size, "%.*s", (int)(length < 256 ? length : 256), host);
}

static void transport_error(pgc_http *http, const pgc_http_request *request, CURLcode code, bool stalled,
                            pgconvoy_error *err)
{
    char place[264];
    place_of(request->url, place, sizeof place);
    const char *why = http->message[0] ? http->message : curl_easy_strerror(code);
    if (code == CURLE_OUT_OF_MEMORY) {
        pgc_error_out_of_memory(err);
        return;
    }
    if (stalled)
        why = "no byte has moved for the time allowed";
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONNECTION, "%s: %s: %s", request->doing, place, why);
    if (atomic_load(&http->cancelled)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONNECTION, "%s: cancelled", request->doing);
        return;
    }
    pgconvoy_error_retriable(err, may_heal(code));
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        pgconvoy_error_hint(err, "name the file of the authority that has signed the server's certificate");
    else if (never_reached(code))
        pgconvoy_error_hint(err, "check that the server runs and that host, port and proxy are right");
}

void pgc_http_status_error(const pgc_http_request *request, const pgc_http_response *response, const char *detail,
                           pgconvoy_error *err)
{
    char place[264], text[600];
    place_of(request->url, place, sizeof place);
    if (!detail)
        detail = response->body.length > 0 ? response->body.data : "no message";
    /* one line */
    size_t length = strlen(detail) < sizeof text ? strlen(detail) : sizeof text - 1;
    memcpy(text, detail, length);
    text[length] = '\0';
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n' || text[i] == '\r')
            text[i] = ' ';
    }
    int status = response->status;
    bool denied = status == 401 || status == 403;
    pgconvoy_error_set(err, denied ? PGCONVOY_ERROR_CONFIG : PGCONVOY_ERROR_SINK, "%s: %s answered %d: %s",
                       request->doing, place, status, text);
    pgconvoy_error_retriable(err, status == 408 || status == 429 || status >= 500);
    if (denied)
        pgconvoy_error_hint(err, "check user, password or token, and what they are allowed to do");
}

/* ---- the request */

int pgc_http_send(pgc_http *http, const pgc_http_request *request, pgc_http_response *response, pgconvoy_error *err)
{
    memset(response, 0, sizeof *response);
    pgc_buffer_init(&response->body, http->settings.max_response_bytes);
    pgc_buffer_init(&response->headers, MAX_HEADER_BYTES);
    pgc_buffer body;
    pgc_buffer_init(&body, SIZE_MAX / 2);
    bool encode = request->encoding != PGC_HTTP_IDENTITY && !request->encoded;
    if (encode &&
        pgc_http_encode(request->encoding, request->body, request->body_length, &body, err)) {
        pgc_buffer_free(&body);
        return -1;
    }
    CURLcode code = CURLE_ABORTED_BY_CALLBACK;
    bool stalled = false;
    while (!atomic_load(&http->cancelled)) {
        response->attempts++;
        code = attempt(http, request, encode ? &body : NULL, response, &stalled);
        if (response->attempts >= http->settings.attempts || !try_again(request, code, response))
            break;
        int pause = pause_before(http, response->attempts, response);
        if (http->settings.log)
            pgc_log_debug(http->settings.log, "%s: %s; again in %d ms", request->doing,
                          code == CURLE_OK ? "the server asks to come again" : curl_easy_strerror(code), pause);
        sleep_unless_cancelled(http, pause);
    }
    pgc_buffer_free(&body);
    if (code == CURLE_OK && !atomic_load(&http->cancelled))
        return 0;
    transport_error(http, request, code, stalled, err);
    return -1;
}

bool pgc_http_header(const pgc_http_response *response, const char *name, char *value, size_t value_size)
{
    size_t name_length = strlen(name);
    const char *line = response->headers.length > 0 ? response->headers.data : "";
    while (*line) {
        size_t length = strcspn(line, "\r\n");
        if (length > name_length && line[name_length] == ':' && strncasecmp(line, name, name_length) == 0) {
            const char *from = line + name_length + 1;
            while (from < line + length && (*from == ' ' || *from == '\t'))
                from++;
            snprintf(value, value_size, "%.*s", (int)(line + length - from), from);
            return true;
        }
        line += length;
        line += strspn(line, "\r\n");
    }
    return false;
}
