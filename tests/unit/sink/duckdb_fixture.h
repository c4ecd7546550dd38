/*
 * Tables, rows and changes made by hand, and a DuckDB sink over a file in a scratch folder, for test_duckdb_*.c. A table is written as
 * "id int4 key, note text" and a row as its values in text form: {"1", "a"}, NULL for NULL, UNCHANGED for one that was not sent.
 */
#ifndef DUCKDB_FIXTURE_H
#define DUCKDB_FIXTURE_H

#include "postgres/value.h"
#include "sink/duckdb/duckdb_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define UNCHANGED ((const char *)1)

extern const pgconvoy_sink pgc_sink_duckdb;

typedef struct fixture {
    char folder[64];
    char target[256];
    char file[160];
    size_t memory_bytes;
    pgconvoy_sink_config config;
    pgconvoy_log log;
    int warnings;
    void *sink, *writer;
    pgc_arena *arena; /* tables, values */
    pgconvoy_error err;
    uint32_t next_oid;
} fixture;

/* cmocka set-up and tear-down of a test; the set-up skips the test's body where there is no libduckdb (see needs_library). */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Opens (again) the sink with options ("" or "?primary_key=off"). */
void fixture_open(fixture *f, const char *options);
void fixture_close(fixture *f);
/* Fails the test with err's text unless result is 0. */
void ok(fixture *f, int result);
#define assert_error(f, result, part)                                                  \
    do {                                                                               \
        assert_int_not_equal((result), 0);                                             \
        if (!strstr((f)->err.message, (part)))                                         \
            fail_msg("\"%s\" does not say \"%s\"", (f)->err.message, (part));          \
    } while (0)

/* A built-in type by name ("int4", "_text" for an array of text). */
const pgconvoy_type *type_named(fixture *f, const char *name);
/* identity: 'd' with the columns marked key, 'f' full. */
pgconvoy_table *table_of(fixture *f, const char *name, const char *columns, char identity);
/* Prepares the table, copies rows (text form, column_count values each) and finishes it. */
void copy_rows(fixture *f, const pgconvoy_table *table, size_t count, const char *const *values);

/* Changes, written at once in the open transaction. */
void begin_stream(fixture *f);
void change(fixture *f, pgconvoy_operation operation, const pgconvoy_table *table, char old_kind, const char *const *old,
            const char *const *new_);
void commit_stream(fixture *f, pgconvoy_lsn lsn);
#define ROW(...) ((const char *const[]){__VA_ARGS__})
#define insert(f, table, ...) change(f, PGCONVOY_INSERT, table, 0, NULL, ROW(__VA_ARGS__))
#define update(f, table, ...) change(f, PGCONVOY_UPDATE, table, 0, NULL, ROW(__VA_ARGS__))
#define delete_row(f, table, ...) change(f, PGCONVOY_DELETE, table, 'K', ROW(__VA_ARGS__), NULL)
#define truncate_table(f, table) change(f, PGCONVOY_TRUNCATE, table, 0, NULL, NULL)

pgconvoy_value *values_of(fixture *f, int count, const char *const *texts);
/* A query's result: rows with ";" between, cells with "|". In the arena. */
const char *query(fixture *f, const char *sql);
void execute(fixture *f, const char *sql);

#endif
