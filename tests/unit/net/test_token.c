/* Access tokens: given, from a file, and asked for with a service account's key; when they are asked for again, and
 * what a refusal says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "format/json_read.h"
#include "format/json_text.h"
#include "http_fixture.h"
#include "jwt_reading.h"
#include "net/http.h"
#include "net/token.h"

/* A service that gives tokens, and an account's key file that names it. */
typedef struct account {
    http_fixture *service;
    EVP_PKEY *key;
    char file[64], uri[96];
    pgc_token_source *source;
    pgconvoy_error err;
} account;

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void account_open(account *account, const http_answer *answers, size_t count)
{
    static const pgc_http_settings settings = {.proxy = "", .pause_ms = 1};
    char *pem;
    pgc_buffer text;
    *account = (struct account){.service = http_fixture_new(answers, count), .key = jwt_make_key(NULL, &pem)};
    snprintf(account->file, sizeof account->file, "/tmp/pgc-token-%d", (int)getpid());
    snprintf(account->uri, sizeof account->uri, "%s/token", http_fixture_url(account->service));
    pgc_buffer_init(&text, 65536);
    pgc_buffer_format(&text,
                      "{\"type\":\"service_account\",\"project_id\":\"shop\",\"private_key_id\":\"k7\","
                      "\"client_email\":\"me@shop\",\"token_uri\":\"%s\",\"private_key\":",
                      account->uri);
    pgc_json_string(&text, pem);
    pgc_buffer_byte(&text, '}');
    write_file(account->file, text.data);
    account->source = pgc_token_of_service_account(account->file, "a scope", &settings, &account->err);
    assert_non_null(account->source);
    pgc_buffer_free(&text);
    free(pem);
}

static void account_close(account *account)
{
    pgc_token_source_free(account->source);
    http_fixture_free(account->service);
    EVP_PKEY_free(account->key);
    unlink(account->file);
}

/* The token that get gives; NULL when it fails. */
static const char *token_of(pgc_token_source *source, pgconvoy_error *err)
{
    static char token[256];
    pgc_buffer text;
    pgc_buffer_init(&text, sizeof token - 1);
    int result = pgc_token_get(source, &text, err);
    snprintf(token, sizeof token, "%s", text.data ? text.data : "");
    pgc_buffer_free(&text);
    return result == 0 ? token : NULL;
}

#define TOKEN(NAME, LIFE) "{\"access_token\":\"" NAME "\",\"expires_in\":" LIFE ",\"token_type\":\"Bearer\"}"

static void a_token_is_asked_for_by_a_signed_claim(void **state)
{
    (void)state;
    const http_answer answer = {200, NULL, TOKEN("one", "3599"), HTTP_WHOLE};
    account account;
    int64_t before = pgc_clock_unix_us() / 1000000;
    account_open(&account, &answer, 1);
    assert_string_equal(token_of(account.source, &account.err), "one");
    assert_string_equal(token_of(account.source, &account.err), "one");
    assert_int_equal(http_fixture_count(account.service), 1);
    assert_string_equal(pgc_token_project(account.source), "shop");
    const char *request = http_fixture_request(account.service, 0), *assertion = strstr(request, "&assertion=");
    assert_memory_equal(request, "POST /token ", 12);
    assert_non_null(strstr(request, "\r\n\r\ngrant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&"));
    char text[4096];
    snprintf(text, sizeof text, "%s", assertion + 11);
    assert_true(pgc_http_unescape(text));
    read_jwt jwt;
    assert_true(jwt_read(text, account.key, &jwt));
    assert_true(jwt.is_signed);
    pgc_arena *arena = pgc_arena_new(4096);
    const pgc_json *header = pgc_json_read(arena, jwt.header, strlen(jwt.header), &account.err),
                   *claims = pgc_json_read(arena, jwt.claims, strlen(jwt.claims), &account.err);
    assert_string_equal(pgc_json_get_text(header, "kid"), "k7");
    assert_string_equal(pgc_json_get_text(claims, "iss"), "me@shop");
    assert_string_equal(pgc_json_get_text(claims, "scope"), "a scope");
    assert_string_equal(pgc_json_get_text(claims, "aud"), account.uri);
    int64_t issued = pgc_json_number(claims, "iat", 0);
    assert_in_range(issued, before, pgc_clock_unix_us() / 1000000);
    assert_int_equal(pgc_json_number(claims, "exp", 0), issued + 3600);
    pgc_arena_free(arena);
    account_close(&account);
}

static void a_token_that_has_run_out_or_was_refused_is_asked_for_again(void **state)
{
    (void)state;
    const http_answer answers[] = {{200, NULL, TOKEN("one", "0"), HTTP_WHOLE},
                                   {200, NULL, TOKEN("two", "3599"), HTTP_WHOLE},
                                   {200, NULL, TOKEN("three", "3599"), HTTP_WHOLE}};
    account account;
    account_open(&account, answers, 3);
    assert_string_equal(token_of(account.source, &account.err), "one");
    assert_string_equal(token_of(account.source, &account.err), "two"); /* one has lived for no second */
    assert_true(pgc_token_refused(account.source, "one"));              /* by a thread that still had it */
    assert_string_equal(token_of(account.source, &account.err), "two");
    assert_true(pgc_token_refused(account.source, "two"));
    assert_string_equal(token_of(account.source, &account.err), "three");
    assert_int_equal(http_fixture_count(account.service), 3);
    account_close(&account);
}

static void a_service_that_is_down_for_a_moment_is_asked_again(void **state)
{
    (void)state;
    const http_answer answers[] = {{503, NULL, NULL, HTTP_WHOLE},
                                   {200, NULL, NULL, HTTP_CUT_BEFORE},
                                   {200, NULL, TOKEN("one", "3599"), HTTP_WHOLE}};
    account account;
    account_open(&account, answers, 3);
    assert_string_equal(token_of(account.source, &account.err), "one");
    account_close(&account);
}

static void a_refusal_says_what_to_do(void **state)
{
    (void)state;
    static const struct {
        http_answer answer;
        pgconvoy_error_code code;
        bool retriable;
        const char *message, *hint;
    } cases[] = {
        {{400, NULL,
          "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT: Token must be a short-lived token (60 "
          "minutes) and in a reasonable timeframe.\"}",
          HTTP_WHOLE},
         PGCONVOY_ERROR_CONFIG,
         false,
         "reasonable timeframe",
         "clock"},
        {{400, NULL, "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT Signature.\"}", HTTP_WHOLE},
         PGCONVOY_ERROR_CONFIG,
         false,
         "Invalid JWT Signature",
         "the key k7 is still one of its keys"},
        {{401, NULL, "{\"error\":\"invalid_client\"}", HTTP_WHOLE},
         PGCONVOY_ERROR_CONFIG,
         false,
         "invalid_client",
         "account me@shop"},
        {{500, NULL, "no JSON", HTTP_WHOLE}, PGCONVOY_ERROR_SINK, true, "answered 500: no JSON", ""},
        {{200, NULL, "{\"token_type\":\"Bearer\"}", HTTP_WHOLE}, PGCONVOY_ERROR_SINK, false, "answered 200", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        account account;
        account_open(&account, &cases[i].answer, 1);
        assert_null(token_of(account.source, &account.err));
        assert_int_equal(account.err.code, cases[i].code);
        assert_int_equal(account.err.retriable, cases[i].retriable);
        assert_non_null(strstr(account.err.message, "asking for an access token"));
        assert_non_null(strstr(account.err.message, cases[i].message));
        assert_non_null(strstr(account.err.hint, cases[i].hint));
        assert_null(strstr(account.err.message, "assertion"));
        account_close(&account);
    }
}

static void what_is_no_key_file_is_refused_without_its_words(void **state)
{
    (void)state;
    static const pgc_http_settings settings = {.proxy = ""};
    static const char *const texts[] = {
        "",
        "secret",
        "{}",
        "{\"type\":\"authorized_user\",\"private_key\":\"secret\"}",
        "{\"type\":\"service_account\",\"private_key\":\"secret\",\"client_email\":\"a\",\"token_uri\":\"http://x\"}",
        "{\"type\":\"service_account\",\"private_key\":\"secret\",\"client_email\":\"a\"}"};
    char path[64];
    snprintf(path, sizeof path, "/tmp/pgc-token-%d", (int)getpid());
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        pgconvoy_error err = {0};
        write_file(path, texts[i]);
        assert_null(pgc_token_of_service_account(path, "scope", &settings, &err));
        assert_int_equal(err.code, PGCONVOY_ERROR_CONFIG);
        assert_non_null(strstr(err.message, path));
        assert_null(strstr(err.message, "secret"));
    }
    unlink(path);
    pgconvoy_error err = {0};
    assert_null(pgc_token_of_service_account(path, "scope", &settings, &err));
    assert_non_null(strstr(err.message, "cannot be read"));
}

static void a_file_is_read_again_when_its_token_was_refused(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    char path[64];
    snprintf(path, sizeof path, "/tmp/pgc-token-%d", (int)getpid());
    write_file(path, "one\r\n");
    pgc_token_source *source = pgc_token_in_file(path, &err);
    assert_non_null(source);
    write_file(path, "two");
    assert_string_equal(token_of(source, &err), "one");
    assert_true(pgc_token_refused(source, "one"));
    assert_string_equal(token_of(source, &err), "two");
    write_file(path, " \n");
    assert_true(pgc_token_refused(source, "two"));
    assert_null(token_of(source, &err));
    assert_non_null(strstr(err.message, "holds no token"));
    pgc_token_source_free(source);
    unlink(path);
}

static void a_token_that_was_given_is_all_there_is(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    pgc_token_source *source = pgc_token_given("mine", &err);
    assert_string_equal(token_of(source, &err), "mine");
    assert_false(pgc_token_refused(source, "mine"));
    assert_string_equal(token_of(source, &err), "mine");
    assert_null(pgc_token_project(source));
    pgc_token_source_free(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_asked_for_by_a_signed_claim),
        cmocka_unit_test(a_token_that_has_run_out_or_was_refused_is_asked_for_again),
        cmocka_unit_test(a_service_that_is_down_for_a_moment_is_asked_again),
        cmocka_unit_test(a_refusal_says_what_to_do),
        cmocka_unit_test(what_is_no_key_file_is_refused_without_its_words),
        cmocka_unit_test(a_file_is_read_again_when_its_token_was_refused),
        cmocka_unit_test(a_token_that_was_given_is_all_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
