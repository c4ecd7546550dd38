/* Progress as numbers and as one line; see progress.h. */
#include "cli/progress.h"

#include "base/clock.h"
#include "base/units.h"
#include "format/json_text.h"

#define METER_SPACING_US 500000

int64_t cli_meter_update(cli_meter *meter, int64_t now_us, int64_t count)
{
    int last = meter->count - 1;
    if (last >= 0 && count < meter->counts[last])
        meter->count = 0; /* a table copy that began again counts anew */
    if (meter->count == 0 || now_us - meter->times_us[meter->count - 1] >= METER_SPACING_US) {
        if (meter->count == CLI_METER_SAMPLES) {
            memmove(meter->times_us, meter->times_us + 1, sizeof meter->times_us - sizeof meter->times_us[0]);
            memmove(meter->counts, meter->counts + 1, sizeof meter->counts - sizeof meter->counts[0]);
            meter->count--;
        }
        meter->times_us[meter->count] = now_us;
        meter->counts[meter->count++] = count;
    }
    int64_t span = now_us - meter->times_us[0];
    return span < METER_SPACING_US / 2 ? 0 : (int64_t)((double)(count - meter->counts[0]) * 1e6 / (double)span);
}

const char *cli_phase_name(pgconvoy_phase phase)
{
    static const char *const names[] = {"starting", "copying", "catching up", "streaming", "retrying", "done"};
    return (unsigned)phase < sizeof names / sizeof names[0] ? names[phase] : "";
}

const char *cli_state_name(pgconvoy_table_state state)
{
    static const char *const names[] = {"waiting", "copying", "catching_up", "live", "failed", "left"};
    return (unsigned)state < sizeof names / sizeof names[0] ? names[state] : "";
}

double cli_table_share(const pgconvoy_table_progress *table)
{
    if (table->state == PGCONVOY_TABLE_CATCHING_UP || table->state == PGCONVOY_TABLE_LIVE)
        return 1;
    double share = -1;
    /* estimated bytes are those of the heap, not of what COPY sends: rows tell better */
    if (table->estimated_rows > 0)
        share = (double)table->rows_copied / (double)table->estimated_rows;
    else if (table->estimated_bytes > 0)
        share = (double)table->bytes_copied / (double)table->estimated_bytes;
    return share > 0.99 ? 0.99 : share;
}

double cli_total_share(const pgconvoy_progress *progress)
{
    double done = 0, all = 0;
    for (size_t i = 0; i < progress->table_count; i++) {
        const pgconvoy_table_progress *table = &progress->tables[i];
        double weight = table->estimated_bytes > 8192 ? (double)table->estimated_bytes : 8192;
        double share = cli_table_share(table);
        all += weight;
        done += share > 0 ? share * weight : 0;
    }
    return all > 0 ? done / all : -1;
}

size_t cli_tables_done(const pgconvoy_progress *progress)
{
    size_t done = 0;
    for (size_t i = 0; i < progress->table_count; i++)
        done += cli_table_share(&progress->tables[i]) >= 1;
    return done;
}

int64_t cli_time_left(double share, int64_t elapsed_us)
{
    if (share >= 1)
        return 0;
    if (share < 0.01 || elapsed_us < 1000000)
        return -1; /* too early to tell */
    return (int64_t)((double)elapsed_us * (1 - share) / share);
}

/* "lag 1.2 MB (0.3 s), 1,234 changes, 56/s, at 0/1A2B3C8" */
static void add_stream(const pgconvoy_progress *progress, const cli_rates *rates, pgc_buffer *out)
{
    char size[PGC_UNITS_TEXT_SIZE], time[PGC_UNITS_TEXT_SIZE], count[PGC_UNITS_TEXT_SIZE], rate[PGC_UNITS_TEXT_SIZE];
    char lsn[PGCONVOY_LSN_TEXT_SIZE];
    pgc_buffer_format(out, "lag %s (%s), %s changes, %s/s, at %s", pgc_size_to_text(progress->lag_bytes, size),
                      pgc_duration_to_text(progress->lag_us, time), pgc_count_to_text(progress->changes, count),
                      pgc_count_to_short_text(rates->changes_per_s, rate),
                      pgconvoy_lsn_to_text(progress->durable_lsn, lsn));
}

void cli_progress_line(const pgconvoy_progress *progress, const cli_rates *rates, pgc_buffer *out)
{
    char rows[PGC_UNITS_TEXT_SIZE], size[PGC_UNITS_TEXT_SIZE], rate[PGC_UNITS_TEXT_SIZE], time[PGC_UNITS_TEXT_SIZE];
    pgc_buffer_format(out, "%s", cli_phase_name(progress->phase));
    bool was_copied = progress->rows_copied > 0 || progress->phase == PGCONVOY_PHASE_COPYING;
    if (was_copied && progress->phase != PGCONVOY_PHASE_STREAMING && progress->phase != PGCONVOY_PHASE_CATCHING_UP) {
        pgc_buffer_format(out, ", %zu of %zu tables, %s rows, %s", cli_tables_done(progress), progress->table_count,
                          pgc_count_to_text(progress->rows_copied, rows),
                          pgc_size_to_text(progress->bytes_copied, size));
        double share = cli_total_share(progress);
        if (progress->phase == PGCONVOY_PHASE_COPYING && share >= 0) {
            pgc_buffer_format(out, ", %s/s, %d %%", pgc_size_to_text(rates->bytes_per_s, rate), (int)(share * 100));
            int64_t left = cli_time_left(share, progress->elapsed_us);
            if (left >= 0)
                pgc_buffer_format(out, ", %s left", pgc_duration_to_text(left, time));
        }
    }
    if (progress->durable_lsn != 0 && progress->phase != PGCONVOY_PHASE_COPYING &&
        progress->phase != PGCONVOY_PHASE_STARTING) {
        pgc_buffer_text(out, ", ");
        add_stream(progress, rates, out);
    }
    pgc_buffer_format(out, ", after %s", pgc_duration_to_text(progress->elapsed_us, time));
}

static void add_lsn(pgc_buffer *out, const char *name, pgconvoy_lsn lsn)
{
    char text[PGCONVOY_LSN_TEXT_SIZE];
    pgc_buffer_format(out, ",\"%s\":\"%s\"", name, pgconvoy_lsn_to_text(lsn, text));
}

static void add_number(pgc_buffer *out, const char *name, int64_t number)
{
    pgc_buffer_format(out, ",\"%s\":%lld", name, (long long)number);
}

static void add_table(pgc_buffer *out, const pgconvoy_table_progress *table)
{
    pgc_buffer_text(out, "{\"schema\":");
    pgc_json_string(out, table->schema);
    pgc_buffer_text(out, ",\"table\":");
    pgc_json_string(out, table->name);
    pgc_buffer_format(out, ",\"state\":\"%s\"", cli_state_name(table->state));
    add_number(out, "rows_copied", table->rows_copied);
    add_number(out, "bytes_copied", table->bytes_copied);
    add_number(out, "estimated_rows", table->estimated_rows);
    add_number(out, "estimated_bytes", table->estimated_bytes);
    add_number(out, "elapsed_ms", table->elapsed_us / 1000);
    pgc_buffer_byte(out, '}');
}

void cli_progress_json(const char *name, const pgconvoy_progress *progress, const cli_rates *rates, bool with_tables,
                       pgc_buffer *out)
{
    char time[PGC_TIME_TEXT_SIZE];
    pgc_time_to_text(pgc_clock_unix_us(), time);
    pgc_buffer_format(out, "{\"time\":\"%s\",\"pipeline\":", time);
    pgc_json_string(out, name);
    const char *phase = progress->phase == PGCONVOY_PHASE_CATCHING_UP ? "catching_up" : cli_phase_name(progress->phase);
    pgc_buffer_format(out, ",\"phase\":\"%s\"", phase);
    add_number(out, "elapsed_ms", progress->elapsed_us / 1000);
    add_number(out, "table_count", (int64_t)progress->table_count);
    add_number(out, "tables_done", (int64_t)cli_tables_done(progress));
    add_number(out, "rows_copied", progress->rows_copied);
    add_number(out, "bytes_copied", progress->bytes_copied);
    add_number(out, "rows_per_s", rates->rows_per_s);
    add_number(out, "bytes_per_s", rates->bytes_per_s);
    double share = cli_total_share(progress);
    if (share >= 0)
        pgc_buffer_format(out, ",\"share_done\":%.4f", share);
    add_number(out, "changes", progress->changes);
    add_number(out, "transactions", progress->transactions);
    add_number(out, "changes_per_s", rates->changes_per_s);
    add_lsn(out, "received_lsn", progress->received_lsn);
    add_lsn(out, "durable_lsn", progress->durable_lsn);
    add_lsn(out, "source_lsn", progress->source_lsn);
    add_number(out, "lag_bytes", progress->lag_bytes);
    add_number(out, "lag_ms", progress->lag_us / 1000);
    if (progress->commit_lag_us >= 0)
        add_number(out, "commit_lag_ms", progress->commit_lag_us / 1000);
    add_number(out, "source_bytes_per_s", rates->source_bytes_per_s);
    if (progress->retained_bytes >= 0)
        add_number(out, "retained_bytes", progress->retained_bytes);
    if (progress->left_bytes >= 0)
        add_number(out, "left_bytes", progress->left_bytes);
    if (progress->prepared >= 0)
        add_number(out, "prepared", progress->prepared);
    if (with_tables) {
        pgc_buffer_text(out, ",\"tables\":[");
        for (size_t i = 0; i < progress->table_count + progress->left_count; i++) {
            if (i > 0)
                pgc_buffer_byte(out, ',');
            add_table(out, i < progress->table_count ? &progress->tables[i]
                                                     : &progress->left_tables[i - progress->table_count]);
        }
        pgc_buffer_byte(out, ']');
    }
    pgc_buffer_byte(out, '}');
}
