/*
 * An HTTP client: one connection that is kept between requests, with time limits, proxy, TLS, retry with growing
 * pauses, and an end from outside. What is above it says which requests may be sent twice; everything else is the same
 * for all.
 *
 *     pgc_http *http = pgc_http_new(&settings, err);
 *     const char *headers[] = {"Content-Type: application/json", NULL};
 *     pgc_http_request request = {.method = "POST", .url = url, .headers = headers, .body = text, .body_length =
 * length, .repeatable = true, .doing = "creating table shop.users"}; pgc_http_response response; if
 * (pgc_http_send(http, &request, &response, err)) …              no answer at all else if (response.status != 200) …
 * the server's own words are in response.body
 *
 * Neither errors nor log lines hold headers, bodies, or what stands behind the '?' of a URL. A client belongs to one
 * thread at a time, but for pgc_http_cancel.
 */
#ifndef PGC_NET_HTTP_H
#define PGC_NET_HTTP_H

#include "base/buffer.h"
#include "base/log.h"

typedef struct pgc_http pgc_http;

/* All zero (NULL) is a good choice. The texts must stay valid until the client is freed. */
typedef struct pgc_http_settings {
    const char *proxy; /* "http://host:port", "socks5h://…", "" for none at all; NULL: https_proxy, no_proxy … of the
                          environment */
    const char *ca_file;     /* certificates that are trusted, PEM; NULL: the system's */
    const char *client_cert; /* PEM; with client_key */
    const char *client_key;
    bool insecure;          /* the server's certificate is not checked */
    int connect_timeout_ms; /* 0: 15 s */
    int stall_timeout_ms;   /* an exchange in which no byte moves for so long is given up; 0: 5 minutes */
    int attempts;           /* of a request, in all; 0: 4 */
    int pause_ms;     /* before the second attempt; doubles up to max_pause_ms, less a part by chance; 0: 200 ms */
    int max_pause_ms; /* also bounds what a Retry-After asks for; 0: 20 s */
    size_t max_response_bytes; /* 0: 64 MB */
    pgconvoy_log *log;         /* tells of repetitions, at level debug; may be NULL */
} pgc_http_settings;

typedef enum pgc_http_encoding {
    PGC_HTTP_IDENTITY = 0,
    PGC_HTTP_GZIP,
    PGC_HTTP_LZ4, /* a frame */
    PGC_HTTP_ZSTD
} pgc_http_encoding;

struct pgc_http_response;

typedef struct pgc_http_request {
    const char *method;         /* NULL: GET without a body, POST with one */
    const char *url;            /* http:// or https:// */
    const char *const *headers; /* "Name: value", ends with NULL; may be NULL */
    const char *bearer;         /* a token to be shown as "Authorization: Bearer …"; may be NULL */
    const void *body;
    size_t body_length;
    pgc_http_encoding encoding; /* of the body on its way: it is compressed here, with Content-Encoding */
    bool encoded;               /* the body is in that encoding already; see pgc_http_encoder */
    /*
     * May be sent again though it is not known whether the server has acted on it (a cut connection, a time limit, 500,
     * 502, 504). Where nothing was sent yet, and after 429 and 503, a request is repeated in any case.
     */
    bool repeatable;
    /* NULL, or says of an answer of 408, 429 or 5xx that asking again would bring the same. */
    bool (*is_final)(const struct pgc_http_response *response);
    const char *doing; /* "creating table shop.users", in front of messages */
} pgc_http_request;

typedef struct pgc_http_response {
    int status;         /* 200 … */
    pgc_buffer body;    /* NUL-terminated when it is not empty (data is NULL then) */
    pgc_buffer headers; /* see pgc_http_header */
    int attempts;       /* that it took */
} pgc_http_response;

pgc_http *pgc_http_new(const pgc_http_settings *settings, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_http_free(pgc_http *http);

/*
 * Sends a request and waits for the answer, whatever its status: 0 also for 404 and for the last 503. Redirections are
 * answers like others. -1 when there is no answer: err is of code CONNECTION (retriable unless cancelled or a matter of
 * certificates). Fills *response, which need not be initialized, in either case; pgc_http_response_free frees it.
 */
int pgc_http_send(pgc_http *http, const pgc_http_request *request, pgc_http_response *response,
                  pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_http_response_free(pgc_http_response *response);

/* The value of the answer's header of this name (in any case), copied into value; false when it is not there. */
bool pgc_http_header(const pgc_http_response *response, const char *name, char *value, size_t value_size);

/*
 * Sets err from an answer that is not what was hoped for: code SINK, CONFIG for 401 and 403; retriable for 408, 429 and
 * 5xx. detail is the server's own message as the caller has read it from the body, NULL: the beginning of the body.
 */
void pgc_http_status_error(const pgc_http_request *request, const pgc_http_response *response, const char *detail,
                           pgconvoy_error *err);

/* Bodies that are made in parts, and in their encoding from the start, so that what they are before it takes no memory. */
typedef struct pgc_http_encoder pgc_http_encoder;
pgc_http_encoder *pgc_http_encoder_new(pgc_http_encoding encoding, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_http_encoder_free(pgc_http_encoder *encoder); /* NULL is allowed */
/* Appends data to the body in out, which begins with the first part after new and after end. */
int pgc_http_encoder_add(pgc_http_encoder *encoder, const void *data, size_t length, pgc_buffer *out,
                         pgconvoy_error *err) PGC_MUST_CHECK;
/* Appends what ends the body, which is whole then. */
int pgc_http_encoder_end(pgc_http_encoder *encoder, pgc_buffer *out, pgconvoy_error *err) PGC_MUST_CHECK;
/* Instead of the end, when the body is given up. */
void pgc_http_encoder_reset(pgc_http_encoder *encoder);

/* Ends the request that is under way, and all later ones, with an error that is not retriable. From any thread, also a
 * signal handler. */
void pgc_http_cancel(pgc_http *http);

/* Appends text with everything but letters, digits and -._~ as %XX. */
void pgc_http_escape(pgc_buffer *out, const char *text);
void pgc_http_escape_n(pgc_buffer *out, const char *text, size_t length);
/* Undoes it, in place; false when text is no such text (or holds %00). */
bool pgc_http_unescape(char *text);
/* Appends "Authorization: Basic …" for user and password. */
void pgc_http_basic_authorization(pgc_buffer *out, const char *user, const char *password);

#endif
