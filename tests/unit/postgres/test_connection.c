/* What is shown and stored of a connection string: never its password; and what of an error may heal. A server is needed for the latter only (PGCONVOY_TEST_URI). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "catalog/catalog.h"
#include "catalog/session.h"
#include "postgres/connection.h"
#include "postgres/quote.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void a_stored_connection_string_has_no_password(void **state)
{
    (void)state;
    static const char *const uris[] = {"postgresql://ann:s3cret@db:5433/shop", "host=db port=5433 dbname=shop user=ann password=s3cret",
                                       "host=db port=5433 dbname=shop user=ann sslpassword=s3cret"};
    for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
        pgc_buffer text;
        pgc_buffer_init(&text, 4096);
        pgc_buffer_text(&text, "source=");
        pgc_connection_without_password(uris[i], &text);
        assert_null(strstr(text.data, "s3cret"));
        assert_non_null(strstr(text.data, "host='db'"));
        assert_true(text.data[strlen("source=")] != ' ');
        pgc_buffer_free(&text);
    }
}

static void options_of_another_target_make_it_no_connection_string(void **state)
{
    (void)state;
    assert_true(pgc_connection_is_uri("host=db dbname=shop"));
    assert_true(pgc_connection_is_uri(" service = shop"));
    assert_true(pgc_connection_is_uri("postgresql://db/shop"));
    assert_false(pgc_connection_is_uri("duckdb:shop.duckdb?primary_key=off"));
    assert_false(pgc_connection_is_uri("/data/a=b.duckdb"));
    assert_false(pgc_connection_is_uri("shop"));
}

static void a_stored_connection_string_reads_back_to_the_same_place(void **state)
{
    (void)state;
    pgc_buffer stored, place, place_again;
    pgc_buffer_init(&stored, 4096);
    pgc_buffer_init(&place, 4096);
    pgc_buffer_init(&place_again, 4096);
    pgc_connection_without_password("host='a b' dbname='it\\'s \\\\ odd' port=5433", &stored);
    pgc_connection_place("host='a b' dbname='it\\'s \\\\ odd' port=5433", &place);
    pgc_connection_place(stored.data, &place_again);
    assert_true(place.length > 0);
    assert_string_equal(place.data, place_again.data);
    pgc_buffer_free(&stored);
    pgc_buffer_free(&place);
    pgc_buffer_free(&place_again);
}

static void an_error_about_a_connection_string_does_not_show_its_password(void **state)
{
    (void)state;
    static const char *const uris[] = {"postgresql://ann:s3cret@db:port/shop?x", "host=db password=s3cret nonsense", "postgresql://ann:s3cret@[::1/shop"};
    for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
        pgconvoy_error err = {0};
        assert_int_equal(pgc_connection_check_uri(uris[i], &err), -1);
        assert_int_equal(err.code, PGCONVOY_ERROR_USAGE);
        assert_null(strstr(err.message, "s3cret"));
        assert_true(err.hint[0] != '\0');
    }
}

static void what_is_no_connection_string_is_a_usage_error(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    assert_int_equal(pgc_connection_check_uri("mysql://db/shop", &err), -1);
    assert_int_equal(err.code, PGCONVOY_ERROR_USAGE);
    assert_int_equal(pgc_connection_check_uri("postgres://db/shop", &err), 0);
    assert_int_equal(pgc_connection_check_uri("dbname=shop", &err), 0);
}

static void names_and_values_are_quoted_whatever_is_in_them(void **state)
{
    (void)state;
    pgc_buffer out;
    pgc_buffer_init(&out, 4096);
    pgc_quote_qualified(&out, "a\"b", "C.d");
    assert_string_equal(out.data, "\"a\"\"b\".\"C.d\"");
    pgc_buffer_reset(&out);
    pgc_quote_literal(&out, "it's \\ \"q\"");
    assert_string_equal(out.data, "'it''s \\ \"q\"'");
    pgc_buffer_free(&out);
}

/*
 * A server that crashes sends a warning before it closes the connection. libpq then reports the failed write, and takes the connection for good until it is used again;
 * here a notification stands for the warning, and a socket that is shut for writing for the crash.
 */
static void a_write_that_failed_may_heal(void **state)
{
    (void)state;
    const char *uri = getenv("PGCONVOY_TEST_URI");
    if (!uri)
        skip();
    PGconn *conn = PQconnectdb(uri), *other = PQconnectdb(uri);
    PQclear(PQexec(conn, "LISTEN crash"));
    PQclear(PQexec(other, "NOTIFY crash"));
    struct pollfd socket = {.fd = PQsocket(conn), .events = POLLIN};
    assert_int_equal(poll(&socket, 1, 30000), 1);
    assert_int_equal(shutdown(PQsocket(conn), SHUT_WR), 0);
    PGresult *result = PQexec(conn, "SELECT 1");
    assert_int_equal(PQresultStatus(result), PGRES_FATAL_ERROR);
    pgconvoy_error err = {0};
    pgc_connection_error(conn, result, "writing", &err);
    assert_int_equal(err.code, PGCONVOY_ERROR_CONNECTION);
    assert_true(err.retriable);
    PQclear(result);
    PQfinish(conn);
    PQfinish(other);
}

static void a_refused_statement_does_not_heal(void **state)
{
    (void)state;
    const char *uri = getenv("PGCONVOY_TEST_URI");
    if (!uri)
        skip();
    PGconn *conn = PQconnectdb(uri);
    PGresult *result = PQexec(conn, "SELECT 1 / 0");
    pgconvoy_error err = {0};
    pgc_connection_error(conn, result, "dividing", &err);
    assert_int_equal(err.code, PGCONVOY_ERROR_SOURCE);
    assert_false(err.retriable);
    PQclear(result);
    PQfinish(conn);
}

/* What the server says to a session that asks for nothing is the reason of its next failure; libpq alone would print it. */
static void a_session_of_the_catalog_that_was_ended_says_why(void **state)
{
    (void)state;
    const char *uri = getenv("PGCONVOY_TEST_URI");
    if (!uri)
        skip();
    pgconvoy_error err = {0};
    char *password = NULL, sql[100], printed[200];
    pgc_server_address address = {.dbname = uri};
    PGconn *conn = pgc_session_connect(&address, &password, &err), *other = PQconnectdb(uri);
    assert_non_null(conn);
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d)", PQbackendPID(conn));
    PQclear(PQexec(other, sql));
    struct pollfd socket = {.fd = PQsocket(conn), .events = POLLIN};
    assert_int_equal(poll(&socket, 1, 30000), 1);
    FILE *file = tmpfile();
    int standard_error = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    PQconsumeInput(conn); /* as libpq does by itself where it cannot write at once */
    int result = pgc_execute(conn, "SELECT 1", &err);
    dup2(standard_error, STDERR_FILENO);
    close(standard_error);
    rewind(file);
    printed[fread(printed, 1, sizeof printed - 1, file)] = '\0';
    fclose(file);
    assert_int_equal(result, -1);
    assert_string_equal(printed, "");
    assert_non_null(strstr(err.message, "terminating connection due to administrator command"));
    assert_true(err.retriable);
    PQfinish(conn);
    PQfinish(other);
}

/* The session that holds the snapshot is lost while another begins: a new snapshot will do. */
static void a_snapshot_whose_session_was_lost_may_heal(void **state)
{
    (void)state;
    const char *uri = getenv("PGCONVOY_TEST_URI");
    if (!uri)
        skip();
    pgconvoy_error err = {0};
    pgc_dump_options options = {.address = {.dbname = uri}};
    pgc_catalog *catalog = pgc_catalog_open(&options, &err);
    assert_non_null(catalog);
    assert_int_equal(pgc_catalog_share_snapshot(catalog, &err), 0);
    PGconn *session = pgc_catalog_session(catalog, &err), *other = PQconnectdb(uri);
    assert_non_null(session);
    PQfinish(session);
    char sql[100];
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 30000)", PQbackendPID(pgc_catalog_connection(catalog)));
    PQclear(PQexec(other, sql));
    PQfinish(other);
    assert_null(pgc_catalog_session(catalog, &err));
    assert_non_null(strstr(err.message, "the snapshot cannot be taken over"));
    assert_true(err.retriable);
    pgc_catalog_close(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_of_another_target_make_it_no_connection_string),
        cmocka_unit_test(a_stored_connection_string_has_no_password),
        cmocka_unit_test(a_stored_connection_string_reads_back_to_the_same_place),
        cmocka_unit_test(an_error_about_a_connection_string_does_not_show_its_password),
        cmocka_unit_test(what_is_no_connection_string_is_a_usage_error),
        cmocka_unit_test(names_and_values_are_quoted_whatever_is_in_them),
        cmocka_unit_test(a_write_that_failed_may_heal),
        cmocka_unit_test(a_refused_statement_does_not_heal),
        cmocka_unit_test(a_session_of_the_catalog_that_was_ended_says_why),
        cmocka_unit_test(a_snapshot_whose_session_was_lost_may_heal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
