/*
 * What the PostgreSQL sink's tests share: a database of their own on the server of PGCONVOY_TEST_URI, questions to it,
 * tables, rows and changes made by hand, and COPY's bytes as a source would hand them over.
 */
#ifndef POSTGRES_SINK_FIXTURE_H
#define POSTGRES_SINK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/log.h"
#include "postgres/connection.h"
#include "postgres/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const pgconvoy_sink pgc_sink_postgres;

/* Makes the database; false without a server, after saying so. */
bool fixture_open(void);
void fixture_close(void);
const char *fixture_target(void);

/* Every test starts with an empty database and an open sink, and ends with all closed. */
int setup(void **state);
int teardown(void **state);
void reopen_sink(void); /* as a restarted process would */

extern void *sink, *writer;
extern pgconvoy_error err;
extern int apply_jobs; /* of the next sink that is opened; 1 at setup */
extern int warnings; /* lines of the log at that level, since setup */
extern char last_warning[2048];
extern int fallbacks; /* batches that were applied one by one after all, and said so, since setup */

void sql(const char *text);
/* The first value of the first row; valid until the next call. */
const char *ask(const char *text);
#define assert_asked(text, expected) assert_string_equal(ask(text), expected)
/* The call succeeded; its error is shown when it did not. */
void ok(int result);
#define assert_message(part) assert_non_null(strstr(err.message, part))

/* ---- types and columns */
extern const pgconvoy_type int4_type, int8_type, text_type, numeric_type, json_type, point_type, bool_type,
    int4_array_type, mood_type, mood_array_type, address_type, email_type, span_type;
#define COLUMN(n, t, s) .name = (n), .type = &(t), .typmod = -1, .type_sql = (s)
#define KEY_COLUMN(n, t, s) KEY_COLUMN_AT(1, n, t, s)
#define KEY_COLUMN_AT(place, n, t, s) COLUMN(n, t, s), .not_null = true, .in_key = true, .primary_key = (place)

/* ---- values */
#define T(s)                                                                                                           \
    {                                                                                                                  \
        .data = (s), .length = (int32_t)sizeof(s) - 1, .format = PGCONVOY_TEXT                                         \
    }
#define B(s)                                                                                                           \
    {                                                                                                                  \
        .data = (s), .length = (int32_t)sizeof(s) - 1, .format = PGCONVOY_BINARY                                       \
    }
#define NOTHING                                                                                                        \
    {                                                                                                                  \
        .length = PGCONVOY_NULL                                                                                        \
    }
#define UNCHANGED                                                                                                      \
    {                                                                                                                  \
        .length = PGCONVOY_UNCHANGED                                                                                   \
    }
#define ROW(...) ((const pgconvoy_value[]){__VA_ARGS__})

/* ---- the stream */
void stream_begin(void);
int write_one(const pgconvoy_table *table, pgconvoy_operation operation, const pgconvoy_value *old, char old_kind,
              const pgconvoy_value *new_);
#define insert(table, ...) write_one(table, PGCONVOY_INSERT, NULL, 0, ROW(__VA_ARGS__))
#define update(table, ...) write_one(table, PGCONVOY_UPDATE, NULL, 0, ROW(__VA_ARGS__))
int commit(pgconvoy_lsn lsn);
/* Makes the table through the sink, with no rows, and leaves the sink ready to stream. */
void make_table(const pgconvoy_table *table);

/* ---- the copy */
/* Copies what a query gives on the server into the table, by the sink: the whole of a table copy. */
void copy_query(const pgconvoy_table *table, const char *query, pgconvoy_format format);
void copy_rows(const pgconvoy_table *table, const char *query, pgconvoy_format format); /* begin, rows, commit alone */
int finish(const pgconvoy_table *table);

#endif
