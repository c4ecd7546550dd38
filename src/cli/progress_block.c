/*
 * The live view as lines of text: a title, the tables that are being copied (largest first, a handful), a total, and
 * how the stream stands. Nothing here knows of a terminal but its size.
 */
#include "cli/progress.h"

#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>

#define MOST_TABLES 15

typedef struct block {
    pgc_buffer *out;
    int width, lines;
} block;

/* Characters of UTF-8 text, one column each. */
static int columns_of(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

/* Bytes of the first count characters. */
static int bytes_of(const char *text, int count)
{
    const char *c = text;
    while (*c && count > 0) {
        c++;
        while (((unsigned char)*c & 0xC0) == 0x80)
            c++;
        count--;
    }
    return (int)(c - text);
}

/* One line, cut where the terminal ends: a line that wraps would spoil the count. */
static void add_line(block *block, const char *text)
{
    pgc_buffer_append(block->out, text, (size_t)bytes_of(text, block->width - 1));
    pgc_buffer_byte(block->out, '\n');
    block->lines++;
}

/* A row of the table of tables; the name takes what the numbers leave. */
static void add_row(block *block, const char *name, const char *rows, const char *size, const char *rate,
                    const char *done, const char *left)
{
    char line[512], safe[256];
    int room = block->width - 1 - 2 - (15 + 9 + 11 + 6 + 10);
    room = room < 8 ? 8 : room > 48 ? 48 : room;
    snprintf(safe, sizeof safe, "%s", name);
    for (char *c = safe; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?'; /* a name may hold anything, a terminal obeys anything */
    if (columns_of(safe) > room)
        memcpy(safe + bytes_of(safe, room - 1), "…", sizeof "…");
    snprintf(line, sizeof line, "  %s%*s%15s%9s%11s%6s%10s", safe, room - columns_of(safe), "", rows, size, rate, done,
             left);
    add_line(block, line);
}

static const char *share_text(double share, char *text)
{
    if (share < 0)
        strcpy(text, "-");
    else
        snprintf(text, PGC_UNITS_TEXT_SIZE, "%d %%", (int)(share * 100));
    return text;
}

static const char *left_text(int64_t left_us, char *text)
{
    if (left_us < 0)
        strcpy(text, "-");
    else
        pgc_duration_to_text(left_us, text);
    return text;
}

static void add_numbers(block *block, const char *name, int64_t rows, int64_t bytes, int64_t bytes_per_s, double share,
                        int64_t left_us)
{
    char rows_text[PGC_UNITS_TEXT_SIZE], size[PGC_UNITS_TEXT_SIZE], rate[PGC_UNITS_TEXT_SIZE + 2],
        done[PGC_UNITS_TEXT_SIZE], left[PGC_UNITS_TEXT_SIZE];
    if (share >= 1) {
        add_row(block, name, pgc_count_to_text(rows, rows_text), pgc_size_to_text(bytes, size), "",
                share_text(share, done), "");
        return;
    }
    pgc_size_to_text(bytes_per_s, rate);
    strcat(rate, "/s");
    add_row(block, name, pgc_count_to_text(rows, rows_text), pgc_size_to_text(bytes, size), rate,
            share_text(share, done), left_text(left_us, left));
}

/* Largest first. */
static int by_size(const void *a, const void *b)
{
    const pgconvoy_table_progress *x = *(const pgconvoy_table_progress *const *)a,
                                  *y = *(const pgconvoy_table_progress *const *)b;
    if (x->estimated_bytes != y->estimated_bytes)
        return x->estimated_bytes < y->estimated_bytes ? 1 : -1;
    return x < y ? -1 : x > y;
}

/* The tables whose copy has begun and not ended, in *running (to be freed); their number. */
static size_t find_running(const pgconvoy_progress *progress, const pgconvoy_table_progress ***running)
{
    size_t count = 0;
    *running = calloc(progress->table_count + 1, sizeof **running);
    if (!*running)
        return 0;
    for (size_t i = 0; i < progress->table_count; i++) {
        const pgconvoy_table_progress *table = &progress->tables[i];
        if (table->state == PGCONVOY_TABLE_FAILED || (table->state == PGCONVOY_TABLE_COPYING && table->elapsed_us > 0))
            (*running)[count++] = table;
    }
    qsort(*running, count, sizeof **running, by_size);
    return count;
}

static void add_tables(block *block, const pgconvoy_progress *progress, int room)
{
    const pgconvoy_table_progress **running;
    size_t count = find_running(progress, &running);
    size_t shown = count < MOST_TABLES ? count : MOST_TABLES;
    if (room < 1)
        shown = 0;
    else if (shown > (size_t)room)
        shown = (size_t)room;
    for (size_t i = 0; i < shown; i++) {
        const pgconvoy_table_progress *table = running[i];
        char name[256];
        snprintf(name, sizeof name, "%s.%s", table->schema, table->name);
        if (table->state == PGCONVOY_TABLE_FAILED) {
            add_row(block, name, "failed", "", "", "", "");
            continue;
        }
        int64_t rate =
            table->elapsed_us > 0 ? (int64_t)((double)table->bytes_copied * 1e6 / (double)table->elapsed_us) : 0;
        double share = cli_table_share(table);
        add_numbers(block, name, table->rows_copied, table->bytes_copied, rate, share,
                    cli_time_left(share, table->elapsed_us));
    }
    free(running);
}

static void add_stream(block *block, const pgconvoy_progress *progress, const cli_rates *rates)
{
    char size[PGC_UNITS_TEXT_SIZE], time[PGC_UNITS_TEXT_SIZE], count[PGC_UNITS_TEXT_SIZE], rate[PGC_UNITS_TEXT_SIZE];
    char lsn[PGCONVOY_LSN_TEXT_SIZE], line[256];
    snprintf(line, sizeof line, "  stream: lag %s (%s)   %s changes/s   %s changes   at %s",
             pgc_size_to_text(progress->lag_bytes, size), pgc_duration_to_text(progress->lag_us, time),
             pgc_count_to_short_text(rates->changes_per_s, rate), pgc_count_to_text(progress->changes, count),
             pgconvoy_lsn_to_text(progress->durable_lsn, lsn));
    add_line(block, line);
}

void cli_progress_block(const char *title, const pgconvoy_progress *progress, const cli_rates *rates, int width,
                        int height, pgc_buffer *out, int *line_count)
{
    block block = {.out = out, .width = width < 20 ? 20 : width};
    char line[256], time[PGC_UNITS_TEXT_SIZE];
    snprintf(line, sizeof line, "%s   %s   %s", title, cli_phase_name(progress->phase),
             pgc_duration_to_text(progress->elapsed_us, time));
    add_line(&block, line);
    bool is_copying = progress->phase <= PGCONVOY_PHASE_COPYING || progress->phase == PGCONVOY_PHASE_RETRYING;
    size_t done = cli_tables_done(progress);
    if (progress->table_count > 0 && (done < progress->table_count || progress->rows_copied > 0)) {
        if (is_copying && height >= 6) {
            add_row(&block, "table", "rows", "bytes", "rate", "done", "left");
            add_tables(&block, progress, height - 5);
        }
        double share = cli_total_share(progress);
        snprintf(line, sizeof line, "%zu of %zu tables", done, progress->table_count);
        int64_t left = cli_time_left(share, progress->elapsed_us);
        add_numbers(&block, line, progress->rows_copied, progress->bytes_copied, rates->bytes_per_s, share, left);
    }
    if (progress->durable_lsn != 0)
        add_stream(&block, progress, rates);
    *line_count = block.lines;
}
