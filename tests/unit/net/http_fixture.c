/* See http_fixture.h. One connection at a time, as a client has one. */
#include "http_fixture.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_REQUESTS 64
#define REQUEST_BYTES 65536

struct http_fixture {
    http_answer answers[16];
    size_t answer_count;
    int listener, stop[2];
    char url[64], certificate[64], key[64];
    SSL_CTX *tls;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    char *requests[MOST_REQUESTS];
    size_t count;
    char client[128];
};

static void need(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        abort();
    }
}

/* ---- one connection */

typedef struct connection {
    http_fixture *fixture;
    int fd;
    SSL *ssl;
} connection;

/* False when the fixture is to stop, or the other side has gone. */
static bool wait_for_bytes(const connection *c)
{
    struct pollfd fds[] = {{c->fixture->stop[0], POLLIN, 0}, {c->fd, POLLIN, 0}};
    if (c->ssl && SSL_pending(c->ssl) > 0)
        return true;
    return poll(fds, 2, -1) > 0 && !fds[0].revents;
}

static long take(const connection *c, char *to, size_t size)
{
    if (!wait_for_bytes(c))
        return -1;
    return c->ssl ? SSL_read(c->ssl, to, (int)size) : (long)recv(c->fd, to, size, 0);
}

static void give(const connection *c, const char *text, size_t length)
{
    if (c->ssl)
        (void)SSL_write(c->ssl, text, (int)length);
    else
        (void)!send(c->fd, text, length, MSG_NOSIGNAL);
}

/* A whole request, or NULL. */
static char *read_request(const connection *c)
{
    char *text = calloc(1, REQUEST_BYTES);
    size_t have = 0;
    need(text != NULL, "calloc");
    for (;;) {
        char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\ncontent-length:");
        if (end && have >= (size_t)(end + 4 - text) + (length ? strtoul(length + 17, NULL, 10) : 0))
            return text;
        long got = have + 1 < REQUEST_BYTES ? take(c, text + have, REQUEST_BYTES - 1 - have) : -1;
        if (got <= 0) {
            free(text);
            return NULL;
        }
        have += (size_t)got;
    }
}

/* False when the connection ends here. */
static bool answer(const connection *c, const http_answer *how)
{
    char head[1024];
    const char *body = how->body ? how->body : "";
    int length = snprintf(head, sizeof head, "HTTP/1.1 %d Answer\r\nContent-Length: %zu\r\n%s\r\n", how->status,
                          strlen(body), how->headers ? how->headers : "");
    if (how->how == HTTP_NEVER)
        while (wait_for_bytes(c) && take(c, head, sizeof head) > 0)
            ;
    if (how->how == HTTP_CUT_BEFORE || how->how == HTTP_NEVER)
        return false;
    give(c, head, (size_t)length);
    give(c, body, how->how == HTTP_CUT_INSIDE ? strlen(body) / 2 : strlen(body));
    return how->how == HTTP_WHOLE;
}

static void note_client(const connection *c)
{
    X509 *shown = c->ssl ? SSL_get1_peer_certificate(c->ssl) : NULL;
    char name[128] = "";
    if (shown)
        X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, name, sizeof name);
    X509_free(shown);
    pthread_mutex_lock(&c->fixture->lock);
    memcpy(c->fixture->client, name, sizeof name);
    pthread_mutex_unlock(&c->fixture->lock);
}

static void serve(http_fixture *fixture, int fd)
{
    connection c = {.fixture = fixture, .fd = fd, .ssl = fixture->tls ? SSL_new(fixture->tls) : NULL};
    bool open = !c.ssl || (SSL_set_fd(c.ssl, fd) == 1 && SSL_accept(c.ssl) == 1);
    if (open)
        note_client(&c);
    char *request;
    while (open && (request = read_request(&c))) {
        pthread_mutex_lock(&fixture->lock);
        size_t number = fixture->count;
        need(number < MOST_REQUESTS, "too many requests");
        fixture->requests[fixture->count++] = request;
        pthread_mutex_unlock(&fixture->lock);
        open = answer(&c, &fixture->answers[number < fixture->answer_count ? number : fixture->answer_count - 1]);
    }
    SSL_free(c.ssl);
    close(fd);
}

static void *run(void *arg)
{
    http_fixture *fixture = arg;
    struct pollfd fds[] = {{fixture->stop[0], POLLIN, 0}, {fixture->listener, POLLIN, 0}};
    while (poll(fds, 2, -1) > 0 && !fds[0].revents) {
        int fd = accept(fixture->listener, NULL, NULL);
        if (fd >= 0)
            serve(fixture, fd);
    }
    return NULL;
}

/* ---- the certificate */

static void write_pem(const char *path, X509 *certificate, EVP_PKEY *key)
{
    FILE *file = fopen(path, "w");
    need(file != NULL, path);
    need((certificate ? PEM_write_X509(file, certificate)
                      : PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL)) == 1,
         "writing PEM");
    fclose(file);
}

static void make_certificate(http_fixture *fixture)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    X509 *certificate = X509_new();
    need(key && certificate, "making a key");
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"fixture", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_set_pubkey(certificate, key);
    X509_EXTENSION *address = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    need(address && X509_add_ext(certificate, address, -1) && X509_sign(certificate, key, EVP_sha256()), "signing");
    X509_EXTENSION_free(address);
    snprintf(fixture->certificate, sizeof fixture->certificate, "/tmp/pgc-http-fixture-%d-%p.crt", (int)getpid(),
             (void *)fixture);
    snprintf(fixture->key, sizeof fixture->key, "/tmp/pgc-http-fixture-%d-%p.key", (int)getpid(), (void *)fixture);
    write_pem(fixture->certificate, certificate, NULL);
    write_pem(fixture->key, NULL, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static int accept_any(int preverified, X509_STORE_CTX *context)
{
    (void)preverified;
    (void)context;
    return 1;
}

/* ---- the fixture */

static http_fixture *make(const http_answer *answers, size_t count, bool tls, bool wants_client)
{
    http_fixture *fixture = calloc(1, sizeof *fixture);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    need(fixture && count > 0 && count <= 16, "http_fixture_new");
    memcpy(fixture->answers, answers, count * sizeof *answers);
    fixture->answer_count = count;
    pthread_mutex_init(&fixture->lock, NULL);
    fixture->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(fixture->listener >= 0 && bind(fixture->listener, (struct sockaddr *)&address, size) == 0 &&
             listen(fixture->listener, 8) == 0 &&
             getsockname(fixture->listener, (struct sockaddr *)&address, &size) == 0 && pipe(fixture->stop) == 0,
         "listening");
    snprintf(fixture->url, sizeof fixture->url, "http%s://127.0.0.1:%d", tls ? "s" : "", ntohs(address.sin_port));
    if (tls) {
        make_certificate(fixture);
        fixture->tls = SSL_CTX_new(TLS_server_method());
        need(fixture->tls && SSL_CTX_use_certificate_file(fixture->tls, fixture->certificate, SSL_FILETYPE_PEM) == 1 &&
                 SSL_CTX_use_PrivateKey_file(fixture->tls, fixture->key, SSL_FILETYPE_PEM) == 1,
             "TLS");
        if (wants_client)
            SSL_CTX_set_verify(fixture->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
    }
    need(pthread_create(&fixture->thread, NULL, run, fixture) == 0, "thread");
    return fixture;
}

http_fixture *http_fixture_new(const http_answer *answers, size_t count)
{
    return make(answers, count, false, false);
}

http_fixture *http_fixture_new_tls(const http_answer *answers, size_t count, bool wants_client)
{
    return make(answers, count, true, wants_client);
}

void http_fixture_free(http_fixture *fixture)
{
    need(write(fixture->stop[1], "x", 1) == 1, "stopping");
    pthread_join(fixture->thread, NULL);
    close(fixture->listener);
    close(fixture->stop[0]);
    close(fixture->stop[1]);
    SSL_CTX_free(fixture->tls);
    if (fixture->certificate[0]) {
        unlink(fixture->certificate);
        unlink(fixture->key);
    }
    for (size_t i = 0; i < fixture->count; i++)
        free(fixture->requests[i]);
    pthread_mutex_destroy(&fixture->lock);
    free(fixture);
}

const char *http_fixture_url(const http_fixture *fixture)
{
    return fixture->url;
}

const char *http_fixture_certificate(const http_fixture *fixture)
{
    return fixture->certificate;
}

const char *http_fixture_key(const http_fixture *fixture)
{
    return fixture->key;
}

size_t http_fixture_count(http_fixture *fixture)
{
    pthread_mutex_lock(&fixture->lock);
    size_t count = fixture->count;
    pthread_mutex_unlock(&fixture->lock);
    return count;
}

const char *http_fixture_request(http_fixture *fixture, size_t i)
{
    need(i < http_fixture_count(fixture), "no such request");
    return fixture->requests[i];
}

const char *http_fixture_client(http_fixture *fixture)
{
    pthread_mutex_lock(&fixture->lock);
    static char client[128];
    memcpy(client, fixture->client, sizeof client);
    pthread_mutex_unlock(&fixture->lock);
    return client;
}
