/*
 * One connection to one PostgreSQL server: made with the settings that the rest of the library relies on, its errors turned into
 * pgconvoy_error with SQLSTATE and the retriable mark. Passwords never appear in a message. A connection belongs to one thread at a time.
 */
#ifndef PGC_POSTGRES_CONNECTION_H
#define PGC_POSTGRES_CONNECTION_H

#include "base/buffer.h"

#include <libpq-fe.h>

typedef enum pgc_connection_kind { PGC_CONNECTION_SQL, PGC_CONNECTION_REPLICATION } pgc_connection_kind;

/* Why a connection is not had (NULL: no memory), in libpq's words, with the server's SQLSTATE. A refused start-up (wrong password, no such database) does not heal; a server that is not there yet may. */
void pgc_connection_refused(const PGconn *conn, pgconvoy_error *err);

/*
 * Connects as libpq does (URI or key=value, PG* variables, .pgpass, service files, TLS settings). Sets application_name to "pgconvoy NAME purpose", UTF8 (SQL_ASCII where the database is in that: bytes as they are), ISO dates, UTC,
 * hex bytea, extra_float_digits 3, IntervalStyle postgres, lc_monetary C, standard_conforming_strings on, search_path pg_catalog, and (PGC_CONNECTION_SQL: all by a query after connecting, since poolers drop options) no JIT,
 * NULL in arrays, xmloption content, READ COMMITTED, whatever a role or database has set of these;
 * no timeouts (statement, lock, transaction, idle session or transaction), row_security off, TCP keepalives of both sides (ours where the user set none), and a look-out for servers that are gone without a word (silence.h); of several hosts the primary, unless the user says otherwise. NULL and err on failure.
 */
PGconn *pgc_connect(const char *uri, pgc_connection_kind kind, const char *application_name, pgconvoy_error *err) PGC_MUST_CHECK;

/* Checks that uri can be parsed by libpq; a usage error otherwise. */
int pgc_connection_check_uri(const char *uri, pgconvoy_error *err) PGC_MUST_CHECK;

/* True for TARGET or SOURCE texts that are libpq's: postgres://, postgresql://, or key=value. */
bool pgc_connection_is_uri(const char *text);

/* "db on host:port as user", without a password, for messages; appended to out. */
void pgc_connection_describe(const char *uri, pgc_buffer *out);

/* Where uri leads, "host port dbname …" with libpq's defaults filled in, for telling one database from another; appended to out. Nothing when uri cannot be parsed. */
void pgc_connection_place(const char *uri, pgc_buffer *out);

/* uri as key=value pairs without passwords, so that it may be stored and shown; appended to out. Nothing when uri cannot be parsed. */
void pgc_connection_without_password(const char *uri, pgc_buffer *out);

/* Runs sql; gives the result (PGRES_TUPLES_OK or PGRES_COMMAND_OK, COPY states too), to be cleared by the caller, or NULL and err. */
PGresult *pgc_query(PGconn *conn, const char *sql, pgconvoy_error *err) PGC_MUST_CHECK;
PGresult *pgc_query_params(PGconn *conn, const char *sql, int count, const char *const *values, pgconvoy_error *err) PGC_MUST_CHECK;
/* The first value of the first row, alone in answer; "" when there is none. */
int pgc_query_text(PGconn *conn, const char *sql, int count, const char *const *values, pgc_buffer *answer,
                   pgconvoy_error *err) PGC_MUST_CHECK;
/* Whether the first value of the first row is true; not when there is none. */
int pgc_query_truth(PGconn *conn, const char *sql, int count, const char *const *values, bool *truth,
                    pgconvoy_error *err) PGC_MUST_CHECK;
/* Sends bytes of a COPY FROM STDIN that is under way, however many. -1: they cannot be sent; the connection, or the COPY's result, says why. */
int pgc_copy_put(PGconn *conn, const char *bytes, size_t length) PGC_MUST_CHECK;
/* Runs sql for its effect. */
int pgc_execute(PGconn *conn, const char *sql, pgconvoy_error *err) PGC_MUST_CHECK;
/* The command's text is long, or may hold a password: an error names what was being done instead. It returns no rows. */
int pgc_execute_as(PGconn *conn, const char *sql, const char *doing, pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * Turns a failed result (or, with result NULL, the connection's state) into err: code, message, SQLSTATE, hint of the server, retriable for lost connections (08*, 57P01-03),
 * serialization failures and deadlocks (40*), lock timeouts (55P03), too many connections (53300), out of disk or memory on the server (53100, 53200: retriable).
 * doing says what was being done: "creating replication slot pgconvoy_shop".
 */
void pgc_connection_error(PGconn *conn, const PGresult *result, const char *doing, pgconvoy_error *err);

/* Of a target that has refused what it was given: where its encoding is why, sets the hint. */
void pgc_connection_hint_at_encoding(pgconvoy_error *err);

/*
 * Of a SET TRANSACTION SNAPSHOT that failed: where there is no such snapshot any more, the session that held it was lost, and whoever takes a new one may go on. Sets hint and
 * whether it heals.
 */
void pgc_connection_snapshot_error(pgconvoy_error *err);

#endif
