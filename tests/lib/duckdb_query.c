/*
 * duckdb_query: runs SQL on a DuckDB file, for the tests and the demo, as Debian has no DuckDB of its own.
 *
 *     duckdb_query FILE < statements.sql
 *     duckdb_query FILE SQL
 *
 * Prints the rows of every statement as PostgreSQL's COPY text: tabs between values, \N for NULL, backslash
 * escapes. Values that are not text are cast by DuckDB itself: every statement that gives rows is wrapped in one that casts all of its columns.
 * FILE is opened read-only unless it is ":memory:" or -w stands before it. With -t the seconds that each statement took
 * go to standard error. The program is linked with the libduckdb that pgconvoy loads.
 */
#include <duckdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char line[1 << 16];

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "duckdb_query: %s: %s\n", what, why ? why : "unknown error");
    return 1;
}

static void print_escaped(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        switch (text[i]) {
        case '\\':
            fputs("\\\\", stdout);
            break;
        case '\t':
            fputs("\\t", stdout);
            break;
        case '\n':
            fputs("\\n", stdout);
            break;
        case '\r':
            fputs("\\r", stdout);
            break;
        default:
            putchar_unlocked(text[i]);
        }
    }
}

/* All columns of the result are VARCHAR. */
static void print_rows(duckdb_result *result)
{
    idx_t columns = duckdb_column_count(result);
    duckdb_data_chunk chunk;
    while ((chunk = duckdb_fetch_chunk(*result))) {
        idx_t rows = duckdb_data_chunk_get_size(chunk);
        for (idx_t row = 0; row < rows; row++) {
            for (idx_t column = 0; column < columns; column++) {
                duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, column);
                uint64_t *valid = duckdb_vector_get_validity(vector);
                if (column)
                    putchar_unlocked('\t');
                if (valid && !duckdb_validity_row_is_valid(valid, row)) {
                    fputs("\\N", stdout);
                    continue;
                }
                duckdb_string_t *text = (duckdb_string_t *)duckdb_vector_get_data(vector) + row;
                print_escaped(duckdb_string_t_data(text), duckdb_string_t_length(*text));
            }
            putchar_unlocked('\n');
        }
        duckdb_destroy_data_chunk(&chunk);
    }
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Runs one statement; what gives rows is cast to text by a SELECT around it. */
static int run_statement(duckdb_connection connection, const char *sql, int timed)
{
    duckdb_result result;
    size_t start = strspn(sql, " \t\r\n");
    if (!strncasecmp(sql + start, "select", 6) || !strncasecmp(sql + start, "with", 4) ||
        !strncasecmp(sql + start, "from", 4)) {
        size_t size = strlen(sql) + 128;
        char *wrapped = malloc(size);
        if (!wrapped)
            return fail("allocating", "out of memory");
        snprintf(wrapped, size, "SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (%s) AS rows_of_statement", sql + start);
        double began = now();
        duckdb_state state = duckdb_query(connection, wrapped, &result);
        free(wrapped);
        if (timed)
            fprintf(stderr, "%.4f\n", now() - began);
        if (state != DuckDBSuccess) {
            int status = fail("query", duckdb_result_error(&result));
            duckdb_destroy_result(&result);
            return status;
        }
        print_rows(&result);
    } else if (duckdb_query(connection, sql + start, &result) != DuckDBSuccess) {
        int status = fail("statement", duckdb_result_error(&result));
        duckdb_destroy_result(&result);
        return status;
    }
    duckdb_destroy_result(&result);
    return 0;
}

static char *read_all(FILE *file)
{
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    size_t got;
    while (memory && (got = fread(line, 1, sizeof line, file)) > 0)
        fwrite(line, 1, got, memory);
    if (memory)
        fclose(memory);
    return text;
}

/* Statements end with a semicolon at the end of a line. */
static int run_all(duckdb_connection connection, char *sql, int timed)
{
    while (sql && *sql) {
        char *end = strstr(sql, ";\n");
        if (end)
            *end = '\0';
        else if (*sql && sql[strlen(sql) - 1] == ';')
            sql[strlen(sql) - 1] = '\0';
        if (sql[strspn(sql, " \t\r\n")] && run_statement(connection, sql, timed))
            return 1;
        sql = end ? end + 2 : NULL;
    }
    return 0;
}

int main(int argc, char **argv)
{
    int timed = 0, writable = 0, at = 1;
    for (; at < argc && argv[at][0] == '-' && argv[at][1]; at++) {
        if (!strcmp(argv[at], "-t"))
            timed = 1;
        else if (!strcmp(argv[at], "-w"))
            writable = 1;
    }
    if (at >= argc)
        return fail("usage", "duckdb_query [-t] [-w] FILE [SQL]"), 2;

    char *error = NULL;
    duckdb_config config;
    duckdb_database database;
    duckdb_connection connection;
    if (duckdb_create_config(&config) != DuckDBSuccess)
        return fail("config", NULL);
    if (!writable && strcmp(argv[at], ":memory:"))
        duckdb_set_config(config, "access_mode", "READ_ONLY");
    if (duckdb_open_ext(argv[at], &database, config, &error) != DuckDBSuccess)
        return fail(argv[at], error);
    duckdb_destroy_config(&config);
    if (duckdb_connect(database, &connection) != DuckDBSuccess)
        return fail(argv[at], "cannot connect");
    duckdb_result result;
    if (duckdb_query(connection, "SET TimeZone = 'UTC'", &result) != DuckDBSuccess)
        fprintf(stderr, "duckdb_query: no time zones: %s\n", duckdb_result_error(&result));
    duckdb_destroy_result(&result);

    char *sql = at + 1 < argc ? strdup(argv[at + 1]) : read_all(stdin);
    int status = run_all(connection, sql, timed);
    free(sql);
    duckdb_disconnect(&connection);
    duckdb_close(&database);
    if (fflush(stdout))
        status = fail("standard output", "cannot be written");
    return status;
}
