/* How far a dump's data are, and how much it was. */
#include "base/clock.h"
#include "base/units.h"
#include "cli/dump.h"

#include <stdio.h>
#include <unistd.h>

#define PROGRESS_LINE_US 10000000 /* where there is no terminal */

static void add_totals(const pgc_data_totals *totals, char *text, size_t size)
{
    char amount[PGC_UNITS_TEXT_SIZE];
    snprintf(text, size, "%lld tables, %lld rows, %s", (long long)totals->entries, (long long)totals->rows,
             pgc_size_to_text(totals->bytes, amount));
}

void cli_dump_on_progress(void *arg, const pgc_data_totals *totals)
{
    int64_t *said_us = arg, now_us = pgc_clock_monotonic_us();
    bool terminal = isatty(STDERR_FILENO);
    char text[128];
    if (now_us - *said_us < (terminal ? 100000 : PROGRESS_LINE_US))
        return;
    *said_us = now_us;
    add_totals(totals, text, sizeof text);
    fprintf(stderr, terminal ? "\rpg_dump: dumped %s\033[K" : "pg_dump: dumped %s\n", text);
}

void cli_dump_say_totals(const pgc_dump_totals *totals)
{
    fprintf(stderr, "pg_dump: dumped %d objects, %lld rows, %lld bytes of data in %.1f s\n", totals->objects, (long long)totals->data.rows,
            (long long)totals->data.bytes, totals->seconds);
}

/* ------------------------------------------------------------------ the last word */

/* A server's answer: the library's "what was done: what the server said" as the lines that pg_dump makes of it. */
static void say_query_failed(const pgconvoy_error *err)
{
    const char *colon = strstr(err->message, ": ");
    fprintf(stderr, "pg_dump: error: query failed: ERROR:  %s\n", colon ? colon + 2 : err->message);
    if (err->hint[0])
        fprintf(stderr, "HINT:  %s\n", err->hint);
    if (colon)
        fprintf(stderr, "pg_dump: detail: Query was: %.*s\n", (int)(colon - err->message), err->message);
}

void cli_dump_say_error(const pgconvoy_error *err)
{
    if (err->sqlstate[0] && err->code == PGCONVOY_ERROR_SOURCE)
        say_query_failed(err);
    else
        cli_pg_say_error("pg_dump", err);
}
