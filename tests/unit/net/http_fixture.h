/* An HTTP server in a thread, for tests of clients: it answers by a script, keeps what it was asked, and may cut a
 * connection or never answer. With TLS it has a certificate of its own for 127.0.0.1. */
#ifndef PGC_TEST_HTTP_FIXTURE_H
#define PGC_TEST_HTTP_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum http_how { HTTP_WHOLE, HTTP_CUT_BEFORE, HTTP_CUT_INSIDE, HTTP_NEVER } http_how;

typedef struct http_answer {
    int status;
    const char *headers; /* whole lines with \r\n, or NULL */
    const char *body;    /* or NULL */
    http_how how;
} http_answer;

typedef struct http_fixture http_fixture;

/* Answers with these in turn, the last one again and again. */
http_fixture *http_fixture_new(const http_answer *answers, size_t count);
/* The same with TLS; asks clients for a certificate when wants_client is set. */
http_fixture *http_fixture_new_tls(const http_answer *answers, size_t count, bool wants_client);
void http_fixture_free(http_fixture *fixture);

const char *http_fixture_url(const http_fixture *fixture); /* http://127.0.0.1:PORT */
/* Files, PEM: the server's certificate and its key, which serve a client too. Gone with the fixture. */
const char *http_fixture_certificate(const http_fixture *fixture);
const char *http_fixture_key(const http_fixture *fixture);

/* Requests that came whole. */
size_t http_fixture_count(http_fixture *fixture);
/* Request number i: its line, headers and body as they came. */
const char *http_fixture_request(http_fixture *fixture, size_t i);
/* The name in the certificate that the last client showed; "" when it showed none. */
const char *http_fixture_client(http_fixture *fixture);

#endif
