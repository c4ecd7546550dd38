/* The HTTP client against a server that answers by a script: what is repeated and what is not, how long it waits, proxy
 * and TLS settings, and what its errors say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http_fixture.h"
#include "net/http.h"

/* ---- a client and what it says */

typedef struct client {
    pgc_http_settings settings;
    pgc_http *http;
    pgc_http_response response;
    pgconvoy_error err;
    pgconvoy_log log;
    char lines[4096];
} client;

static void take_line(void *arg, pgconvoy_log_level level, const char *line)
{
    client *client = arg;
    (void)level;
    size_t length = strlen(client->lines);
    snprintf(client->lines + length, sizeof client->lines - length, "%s\n", line);
}

/* Quick, and past every proxy of this machine, where the settings say nothing else. */
static client *client_new(const pgc_http_settings *settings)
{
    client *client = calloc(1, sizeof *client);
    assert_non_null(client);
    client->settings = settings ? *settings : (pgc_http_settings){.proxy = ""};
    if (!client->settings.pause_ms)
        client->settings.pause_ms = 1;
    client->log = (pgconvoy_log){.write = take_line, .arg = client};
    client->settings.log = &client->log;
    client->http = pgc_http_new(&client->settings, &client->err);
    assert_non_null(client->http);
    return client;
}

static void client_free(client *client)
{
    pgc_http_free(client->http);
    pgc_http_response_free(&client->response);
    free(client);
}

static int get(client *client, const char *url, bool repeatable, bool (*is_final)(const pgc_http_response *response))
{
    const pgc_http_request request = {
        .method = "GET", .url = url, .repeatable = repeatable, .is_final = is_final, .doing = "asking"};
    pgc_http_response_free(&client->response);
    return pgc_http_send(client->http, &request, &client->response, &client->err);
}

/* ---- requests and answers */

static void a_request_and_its_answer_are_whole(void **state)
{
    (void)state;
    const http_answer answer = {201, "X-Thing:  one  two\r\nX-Other: 3\r\n", "the body", HTTP_WHOLE};
    http_fixture *server = http_fixture_new(&answer, 1);
    client *client = client_new(NULL);
    char url[128], value[64];
    const char *const headers[] = {"X-Mine: yes", NULL};
    snprintf(url, sizeof url, "%s/path?a=b", http_fixture_url(server));
    const pgc_http_request request = {
        .method = "PUT", .url = url, .headers = headers, .bearer = "a.b.c", .body = "a\0b", .body_length = 3,
        .doing = "putting"};
    assert_int_equal(pgc_http_send(client->http, &request, &client->response, &client->err), 0);
    assert_int_equal(client->response.status, 201);
    assert_string_equal(client->response.body.data, "the body");
    assert_true(pgc_http_header(&client->response, "x-thing", value, sizeof value));
    assert_string_equal(value, "one  two");
    assert_false(pgc_http_header(&client->response, "X-Thin", value, sizeof value));
    const char *got = http_fixture_request(server, 0);
    assert_memory_equal(got, "PUT /path?a=b HTTP/1.1\r\n", 24);
    assert_non_null(strstr(got, "\r\nX-Mine: yes\r\n"));
    assert_non_null(strstr(got, "\r\nAuthorization: Bearer a.b.c\r\n"));
    assert_null(strstr(got, "Expect:"));
    assert_memory_equal(strstr(got, "\r\n\r\n") + 4, "a\0b", 3);
    client_free(client);
    http_fixture_free(server);
}

static void an_answer_longer_than_allowed_is_no_answer(void **state)
{
    (void)state;
    const http_answer answer = {200, NULL, "0123456789012345678901234567890123456789", HTTP_WHOLE};
    http_fixture *server = http_fixture_new(&answer, 1);
    client *client = client_new(&(pgc_http_settings){.proxy = "", .max_response_bytes = 20});
    assert_int_equal(get(client, http_fixture_url(server), true, NULL), -1);
    assert_false(client->err.retriable);
    assert_int_equal(http_fixture_count(server), 1);
    client_free(client);
    http_fixture_free(server);
}

/* ---- what is tried again */

static bool always(const pgc_http_response *response)
{
    (void)response;
    return true;
}

static void only_what_may_come_to_another_end_is_repeated(void **state)
{
    (void)state;
    static const struct {
        http_answer first;
        bool repeatable;
        bool (*is_final)(const pgc_http_response *response);
        int attempts;
    } cases[] = {
        {{200, NULL, NULL, HTTP_WHOLE}, true, NULL, 1},
        {{404, NULL, NULL, HTTP_WHOLE}, true, NULL, 1},
        {{503, NULL, NULL, HTTP_WHOLE}, false, NULL, 2},
        {{429, NULL, NULL, HTTP_WHOLE}, false, NULL, 2},
        {{500, NULL, NULL, HTTP_WHOLE}, false, NULL, 1},
        {{500, NULL, NULL, HTTP_WHOLE}, true, NULL, 2},
        {{502, NULL, NULL, HTTP_WHOLE}, true, NULL, 2},
        {{504, NULL, NULL, HTTP_WHOLE}, true, NULL, 2},
        {{408, NULL, NULL, HTTP_WHOLE}, true, NULL, 2},
        {{501, NULL, NULL, HTTP_WHOLE}, true, NULL, 1},
        {{503, NULL, NULL, HTTP_WHOLE}, true, always, 1},
        {{302, "Location: /x\r\n", NULL, HTTP_WHOLE}, true, NULL, 1},
        {{200, NULL, "some", HTTP_CUT_BEFORE}, true, NULL, 2},
        {{200, NULL, "some", HTTP_CUT_INSIDE}, true, NULL, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const http_answer answers[] = {cases[i].first, {200, NULL, "well", HTTP_WHOLE}};
        http_fixture *server = http_fixture_new(answers, 2);
        client *client = client_new(NULL);
        assert_int_equal(get(client, http_fixture_url(server), cases[i].repeatable, cases[i].is_final), 0);
        assert_int_equal(client->response.attempts, cases[i].attempts);
        assert_int_equal(http_fixture_count(server), cases[i].attempts);
        assert_int_equal(client->response.status, cases[i].attempts == 2 ? 200 : cases[i].first.status);
        if (cases[i].attempts == 2)
            assert_string_equal(client->response.body.data, "well");
        client_free(client);
        http_fixture_free(server);
    }
}

static void what_may_have_been_done_is_not_sent_again(void **state)
{
    (void)state;
    static const http_how ways[] = {HTTP_CUT_BEFORE, HTTP_CUT_INSIDE};
    for (size_t i = 0; i < 2; i++) {
        const http_answer answers[] = {{200, NULL, "some", ways[i]}, {200, NULL, "well", HTTP_WHOLE}};
        http_fixture *server = http_fixture_new(answers, 2);
        client *client = client_new(NULL);
        assert_int_equal(get(client, http_fixture_url(server), false, NULL), -1);
        assert_int_equal(client->err.code, PGCONVOY_ERROR_CONNECTION);
        assert_true(client->err.retriable);
        assert_int_equal(http_fixture_count(server), 1);
        client_free(client);
        http_fixture_free(server);
    }
}

static void the_last_attempt_is_the_answer(void **state)
{
    (void)state;
    const http_answer answer = {503, NULL, "busy", HTTP_WHOLE};
    http_fixture *server = http_fixture_new(&answer, 1);
    client *client = client_new(&(pgc_http_settings){.proxy = "", .attempts = 3});
    assert_int_equal(get(client, http_fixture_url(server), true, NULL), 0);
    assert_int_equal(client->response.status, 503);
    assert_int_equal(client->response.attempts, 3);
    assert_int_equal(http_fixture_count(server), 3);
    client_free(client);
    http_fixture_free(server);
}

/* A port that nobody listens at: it is bound, so that nobody else gets it. */
static void where_nobody_listens_even_what_is_sent_once_is_tried_again(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int taken = socket(AF_INET, SOCK_STREAM, 0);
    char url[64];
    assert_int_equal(bind(taken, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(taken, (struct sockaddr *)&address, &size), 0);
    snprintf(url, sizeof url, "http://user:secret@127.0.0.1:%d/path?token=secret", ntohs(address.sin_port));
    client *client = client_new(&(pgc_http_settings){.proxy = "", .attempts = 3});
    assert_int_equal(get(client, url, false, NULL), -1);
    assert_int_equal(client->response.attempts, 3);
    assert_true(client->err.retriable);
    assert_non_null(strstr(client->err.message, "asking: 127.0.0.1:"));
    assert_non_null(strstr(client->err.hint, "host, port and proxy"));
    assert_null(strstr(client->err.message, "secret"));
    assert_null(strstr(client->lines, "secret"));
    client_free(client);
    close(taken);
}

/* ---- how long it waits */

/* The pause of each line of the log. */
static int read_pauses(const char *lines, int *pauses, int most)
{
    int count = 0;
    for (const char *at = lines; (at = strstr(at, "again in ")) && count < most; at += 9)
        pauses[count++] = atoi(at + 9);
    return count;
}

static void pauses_double_up_to_their_bound_less_a_part(void **state)
{
    (void)state;
    const http_answer answer = {503, NULL, NULL, HTTP_WHOLE};
    static const int whole[] = {8, 16, 20, 20};
    int pauses[8];
    http_fixture *server = http_fixture_new(&answer, 1);
    client *client = client_new(&(pgc_http_settings){.proxy = "", .attempts = 5, .pause_ms = 8, .max_pause_ms = 20});
    assert_int_equal(get(client, http_fixture_url(server), true, NULL), 0);
    assert_int_equal(read_pauses(client->lines, pauses, 8), 4);
    for (int i = 0; i < 4; i++)
        assert_in_range(pauses[i], whole[i] / 2, whole[i]);
    client_free(client);
    http_fixture_free(server);
}

static void a_server_that_says_when_is_heard_within_the_bound(void **state)
{
    (void)state;
    const http_answer answers[] = {{429, "Retry-After: 3600\r\n", NULL, HTTP_WHOLE},
                                   {503, "Retry-After: Sat, 21 Nov 2026 00:00:00 GMT\r\n", NULL, HTTP_WHOLE},
                                   {200, NULL, NULL, HTTP_WHOLE}};
    int pauses[4];
    http_fixture *server = http_fixture_new(answers, 3);
    client *client = client_new(&(pgc_http_settings){.proxy = "", .pause_ms = 2, .max_pause_ms = 30});
    assert_int_equal(get(client, http_fixture_url(server), false, NULL), 0);
    assert_int_equal(read_pauses(client->lines, pauses, 4), 2);
    assert_int_equal(pauses[0], 30);
    assert_in_range(pauses[1], 2, 4);
    client_free(client);
    http_fixture_free(server);
}

static void a_server_that_never_answers_is_given_up(void **state)
{
    (void)state;
    const http_answer answer = {.how = HTTP_NEVER};
    http_fixture *server = http_fixture_new(&answer, 1);
    client *client = client_new(&(pgc_http_settings){.proxy = "", .stall_timeout_ms = 50, .attempts = 1});
    assert_int_equal(get(client, http_fixture_url(server), true, NULL), -1);
    assert_non_null(strstr(client->err.message, "no byte has moved"));
    assert_true(client->err.retriable);
    client_free(client);
    http_fixture_free(server);
}

static void *cancel_once_asked(void *arg)
{
    void **both = arg;
    while (http_fixture_count(both[0]) == 0)
        pgc_clock_sleep_ms(1);
    pgc_http_cancel(both[1]);
    return NULL;
}

static void what_is_cancelled_ends_and_is_not_tried_again(void **state)
{
    (void)state;
    const http_answer answer = {.how = HTTP_NEVER};
    http_fixture *server = http_fixture_new(&answer, 1);
    client *client = client_new(NULL);
    pthread_t thread;
    void *both[] = {server, client->http};
    assert_int_equal(pthread_create(&thread, NULL, cancel_once_asked, both), 0);
    assert_int_equal(get(client, http_fixture_url(server), true, NULL), -1);
    pthread_join(thread, NULL);
    assert_string_equal(client->err.message, "asking: cancelled");
    assert_false(client->err.retriable);
    assert_int_equal(get(client, http_fixture_url(server), true, NULL), -1);
    assert_int_equal(http_fixture_count(server), 1);
    client_free(client);
    http_fixture_free(server);
}

/* ---- what an answer says */

static void a_refusal_is_an_error_of_its_kind(void **state)
{
    (void)state;
    static const struct {
        int status;
        pgconvoy_error_code code;
        bool retriable;
    } cases[] = {{401, PGCONVOY_ERROR_CONFIG, false}, {403, PGCONVOY_ERROR_CONFIG, false},
                 {404, PGCONVOY_ERROR_SINK, false},   {408, PGCONVOY_ERROR_SINK, true},
                 {429, PGCONVOY_ERROR_SINK, true},    {500, PGCONVOY_ERROR_SINK, true},
                 {503, PGCONVOY_ERROR_SINK, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pgconvoy_error err = {0};
        const pgc_http_request request = {.url = "https://me:secret@there:1/x?y=secret", .doing = "asking"};
        pgc_http_response response = {.status = cases[i].status};
        pgc_http_status_error(&request, &response, "two\nlines", &err);
        assert_int_equal(err.code, cases[i].code);
        assert_int_equal(err.retriable, cases[i].retriable);
        assert_non_null(strstr(err.message, "asking: there:1 answered"));
        assert_non_null(strstr(err.message, "two lines"));
        assert_null(strstr(err.message, "secret"));
    }
}

/* ---- proxies */

static void a_proxy_is_asked_for_the_whole_address(void **state)
{
    (void)state;
    const http_answer answer = {200, NULL, "by proxy", HTTP_WHOLE};
    http_fixture *proxy = http_fixture_new(&answer, 1);
    client *given = client_new(&(pgc_http_settings){.proxy = http_fixture_url(proxy)});
    assert_int_equal(get(given, "http://nowhere.invalid/x", true, NULL), 0);
    assert_memory_equal(http_fixture_request(proxy, 0), "GET http://nowhere.invalid/x HTTP/1.1\r\n", 39);
    client_free(given);
    http_fixture_free(proxy);
}

static void the_environments_proxy_is_taken_unless_it_is_declined(void **state)
{
    (void)state;
    const http_answer by_proxy = {200, NULL, "by proxy", HTTP_WHOLE}, itself = {200, NULL, "itself", HTTP_WHOLE};
    http_fixture *proxy = http_fixture_new(&by_proxy, 1), *server = http_fixture_new(&itself, 1);
    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    setenv("http_proxy", http_fixture_url(proxy), 1);
    client *taking = client_new(&(pgc_http_settings){.proxy = NULL}), *declining = client_new(NULL);
    assert_int_equal(get(taking, http_fixture_url(server), true, NULL), 0);
    assert_string_equal(taking->response.body.data, "by proxy");
    assert_int_equal(get(declining, http_fixture_url(server), true, NULL), 0);
    assert_string_equal(declining->response.body.data, "itself");
    client_free(declining); /* the server has one connection at a time */
    setenv("no_proxy", "127.0.0.1", 1);
    assert_int_equal(get(taking, http_fixture_url(server), true, NULL), 0);
    assert_string_equal(taking->response.body.data, "itself");
    unsetenv("no_proxy");
    unsetenv("http_proxy");
    client_free(taking);
    http_fixture_free(proxy);
    http_fixture_free(server);
}

/* ---- TLS */

static void a_certificate_of_nobody_is_refused_for_good(void **state)
{
    (void)state;
    const http_answer answer = {200, NULL, "well", HTTP_WHOLE};
    http_fixture *server = http_fixture_new_tls(&answer, 1, false);
    client *client = client_new(NULL);
    assert_int_equal(get(client, http_fixture_url(server), true, NULL), -1);
    assert_int_equal(client->response.attempts, 1);
    assert_false(client->err.retriable);
    assert_non_null(strstr(client->err.hint, "authority"));
    client_free(client);
    http_fixture_free(server);
}

static void a_certificate_is_good_by_its_authority_or_unlooked_at(void **state)
{
    (void)state;
    const http_answer answer = {200, NULL, "well", HTTP_WHOLE};
    http_fixture *server = http_fixture_new_tls(&answer, 1, false);
    const pgc_http_settings settings[] = {{.proxy = "", .ca_file = http_fixture_certificate(server)},
                                          {.proxy = "", .insecure = true}};
    for (size_t i = 0; i < 2; i++) {
        client *client = client_new(&settings[i]);
        assert_int_equal(get(client, http_fixture_url(server), true, NULL), 0);
        assert_string_equal(client->response.body.data, "well");
        assert_string_equal(http_fixture_client(server), "");
        client_free(client);
    }
    http_fixture_free(server);
}

static void a_client_shows_the_certificate_that_it_was_given(void **state)
{
    (void)state;
    const http_answer answer = {200, NULL, "well", HTTP_WHOLE};
    http_fixture *server = http_fixture_new_tls(&answer, 1, true);
    const char *certificate = http_fixture_certificate(server);
    client *without = client_new(&(pgc_http_settings){.proxy = "", .ca_file = certificate, .attempts = 1}),
           *with = client_new(&(pgc_http_settings){.proxy = "",
                                                   .ca_file = certificate,
                                                   .client_cert = certificate,
                                                   .client_key = http_fixture_key(server)});
    assert_int_equal(get(without, http_fixture_url(server), true, NULL), -1);
    assert_int_equal(get(with, http_fixture_url(server), true, NULL), 0);
    assert_string_equal(http_fixture_client(server), "fixture");
    client_free(without);
    client_free(with);
    http_fixture_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_and_its_answer_are_whole),
        cmocka_unit_test(an_answer_longer_than_allowed_is_no_answer),
        cmocka_unit_test(only_what_may_come_to_another_end_is_repeated),
        cmocka_unit_test(what_may_have_been_done_is_not_sent_again),
        cmocka_unit_test(the_last_attempt_is_the_answer),
        cmocka_unit_test(where_nobody_listens_even_what_is_sent_once_is_tried_again),
        cmocka_unit_test(pauses_double_up_to_their_bound_less_a_part),
        cmocka_unit_test(a_server_that_says_when_is_heard_within_the_bound),
        cmocka_unit_test(a_server_that_never_answers_is_given_up),
        cmocka_unit_test(what_is_cancelled_ends_and_is_not_tried_again),
        cmocka_unit_test(a_refusal_is_an_error_of_its_kind),
        cmocka_unit_test(a_proxy_is_asked_for_the_whole_address),
        cmocka_unit_test(the_environments_proxy_is_taken_unless_it_is_declined),
        cmocka_unit_test(a_certificate_of_nobody_is_refused_for_good),
        cmocka_unit_test(a_certificate_is_good_by_its_authority_or_unlooked_at),
        cmocka_unit_test(a_client_shows_the_certificate_that_it_was_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
