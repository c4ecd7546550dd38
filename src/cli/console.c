/* Standard error; see console.h. */
#include "cli/console.h"

#include "base/clock.h"
#include "base/log.h"
#include "cli/progress.h"
#include "format/json_text.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PLAIN_INTERVAL_US INT64_C(5000000)
#define IDLE_INTERVAL_US INT64_C(60000000) /* between lines that say nothing new */
#define JSON_INTERVAL_US INT64_C(1000000)

typedef enum view_kind { VIEW_NONE, VIEW_TTY, VIEW_PLAIN, VIEW_JSON } view_kind;

struct cli_console {
    pthread_mutex_t lock; /* guards standard error and everything below */
    bool json_log;
    pgconvoy_log_level level;
    view_kind view;
    char title[64];
    cli_meter rows, bytes, changes;
    pgc_buffer text;
    pgc_buffer drawn; /* the live view as it stands on the screen, for drawing it again */
    int drawn_lines;
    int64_t last_us; /* when the last line of progress was written */
    pgconvoy_phase last_phase;
    int64_t last_sum; /* rows, changes and position then */
};

static view_kind choose_view(const cli_arguments *arguments)
{
    const char *progress = cli_setting_value(arguments, "progress"),
               *format = cli_setting_value(arguments, "log-format");
    bool json_log = format && strcmp(format, "json") == 0;
    if (!progress || strcmp(progress, "auto") == 0) {
        const char *term = getenv("TERM");
        if (json_log)
            return VIEW_JSON; /* somebody reads it by machine */
        return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0 ? VIEW_TTY : VIEW_PLAIN;
    }
    return progress[0] == 't' ? VIEW_TTY : progress[0] == 'p' ? VIEW_PLAIN : progress[0] == 'j' ? VIEW_JSON : VIEW_NONE;
}

cli_console *cli_console_new(const char *name, const cli_arguments *arguments, pgconvoy_error *err)
{
    cli_console *console = calloc(1, sizeof *console);
    if (!console) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    pthread_mutex_init(&console->lock, NULL);
    const char *format = cli_setting_value(arguments, "log-format"), *level = cli_setting_value(arguments, "log-level");
    console->json_log = format && strcmp(format, "json") == 0;
    console->level = PGCONVOY_LOG_INFO;
    for (int i = 0; level && i < 4; i++)
        if (strcmp(level, pgc_log_level_name((pgconvoy_log_level)i)) == 0)
            console->level = (pgconvoy_log_level)i;
    console->view = choose_view(arguments);
    console->last_us = pgc_clock_monotonic_us(); /* a command that fails at once says only why */
    snprintf(console->title, sizeof console->title, "pgconvoy %s", name);
    pgc_buffer_init(&console->text, (size_t)64 << 20);
    pgc_buffer_init(&console->drawn, 1 << 20);
    return console;
}

void cli_console_free(cli_console *console)
{
    if (!console)
        return;
    pgc_buffer_free(&console->text);
    pgc_buffer_free(&console->drawn);
    pthread_mutex_destroy(&console->lock);
    free(console);
}

int cli_console_interval_ms(const cli_console *console)
{
    return console->view == VIEW_TTY ? 200 : 500;
}

/* Nothing can be done about a standard error that cannot be written. */
static void put(const pgc_buffer *text)
{
    for (size_t done = 0; done < text->length;) {
        ssize_t n = write(STDERR_FILENO, text->data + done, text->length - done);
        if (n <= 0)
            return;
        done += (size_t)n;
    }
}

/* Appends what takes the live view off the screen: up to its first line, and clear from there. */
static void add_clear(cli_console *console, pgc_buffer *out)
{
    if (console->drawn_lines > 0)
        pgc_buffer_format(out, "\r\033[%dA\033[J", console->drawn_lines);
}

/* Text of a server or a user: it must neither break the line nor steer the terminal. A run of such characters becomes
 * one space. */
static void add_one_line(pgc_buffer *out, const char *text)
{
    bool gap = false;
    for (; *text; text++) {
        bool control = (unsigned char)*text < 0x20 || *text == 0x7f;
        if (control || (gap && *text == ' ')) {
            if (!gap)
                pgc_buffer_byte(out, ' ');
            gap = true;
            continue;
        }
        gap = false;
        pgc_buffer_byte(out, *text);
    }
}

static void add_text_line(pgc_buffer *out, pgconvoy_log_level level, const char *line)
{
    char time[PGC_TIME_TEXT_SIZE];
    pgc_time_to_text(pgc_clock_unix_us(), time);
    pgc_buffer_format(out, "%.10s %.12s %s: ", time, time + 11, pgc_log_level_name(level));
    add_one_line(out, line);
    pgc_buffer_byte(out, '\n');
}

static void add_json_line(pgc_buffer *out, pgconvoy_log_level level, const char *line)
{
    char time[PGC_TIME_TEXT_SIZE];
    pgc_time_to_text(pgc_clock_unix_us(), time);
    pgc_buffer_format(out, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", time, pgc_log_level_name(level));
    pgc_json_string(out, line);
    pgc_buffer_text(out, "}\n");
}

void cli_console_log(void *arg, pgconvoy_log_level level, const char *line)
{
    cli_console *console = arg;
    if (level < console->level)
        return;
    pthread_mutex_lock(&console->lock);
    pgc_buffer *text = &console->text;
    pgc_buffer_reset(text);
    add_clear(console, text);
    if (console->json_log)
        add_json_line(text, level, line);
    else
        add_text_line(text, level, line);
    if (console->drawn_lines > 0)
        pgc_buffer_append(text, console->drawn.data, console->drawn.length);
    put(text);
    pthread_mutex_unlock(&console->lock);
}

static void draw(cli_console *console, const char *pipeline, const pgconvoy_progress *progress, const cli_rates *rates)
{
    struct winsize size;
    int width = 80, height = 24;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        width = size.ws_col;
        height = size.ws_row;
    }
    char title[160];
    snprintf(title, sizeof title, "%s %s", console->title, pipeline);
    pgc_buffer_reset(&console->text);
    add_clear(console, &console->text);
    pgc_buffer_reset(&console->drawn);
    cli_progress_block(title, progress, rates, width, height - 1, &console->drawn, &console->drawn_lines);
    pgc_buffer_append(&console->text, console->drawn.data, console->drawn.length);
    put(&console->text);
}

/* A line every few seconds and whenever the phase changes; seldom when nothing happens. */
static bool is_due(const cli_console *console, const pgconvoy_progress *progress, int64_t now, int64_t sum)
{
    if (progress->phase != console->last_phase)
        return true;
    int64_t passed = now - console->last_us;
    if (console->view == VIEW_JSON)
        return passed >= JSON_INTERVAL_US;
    return passed >= (sum == console->last_sum ? IDLE_INTERVAL_US : PLAIN_INTERVAL_US);
}

static void write_progress(cli_console *console, const char *pipeline, const pgconvoy_progress *progress,
                           const cli_rates *rates)
{
    pgc_buffer *text = &console->text;
    pgc_buffer_reset(text);
    if (console->view == VIEW_JSON) {
        cli_progress_json(pipeline, progress, rates, false, text);
    } else {
        char time[PGC_TIME_TEXT_SIZE];
        pgc_time_to_text(pgc_clock_unix_us(), time);
        pgc_buffer_format(text, "%.10s %.12s progress: ", time, time + 11);
        cli_progress_line(progress, rates, text);
    }
    pgc_buffer_byte(text, '\n');
    put(text);
}

void cli_console_progress(cli_console *console, const char *pipeline, const pgconvoy_progress *progress)
{
    if (console->view == VIEW_NONE)
        return;
    pthread_mutex_lock(&console->lock);
    int64_t now = pgc_clock_monotonic_us();
    cli_rates rates = {.rows_per_s = cli_meter_update(&console->rows, now, progress->rows_copied),
                       .bytes_per_s = cli_meter_update(&console->bytes, now, progress->bytes_copied),
                       .changes_per_s = cli_meter_update(&console->changes, now, progress->changes)};
    int64_t sum = progress->rows_copied + progress->changes;
    if (console->view == VIEW_TTY)
        draw(console, pipeline, progress, &rates);
    else if (is_due(console, progress, now, sum)) {
        write_progress(console, pipeline, progress, &rates);
        console->last_us = now;
        console->last_phase = progress->phase;
        console->last_sum = sum;
    }
    pthread_mutex_unlock(&console->lock);
}

void cli_say_error(const cli_arguments *arguments, const pgconvoy_error *err)
{
    const char *format = cli_setting_value(arguments, "log-format");
    pgc_buffer line;
    pgc_buffer_init(&line, 65536);
    if (format && strcmp(format, "json") == 0) {
        char time[PGC_TIME_TEXT_SIZE];
        pgc_time_to_text(pgc_clock_unix_us(), time);
        pgc_buffer_format(&line, "{\"time\":\"%s\",\"level\":\"error\",\"message\":", time);
        pgc_json_string(&line, err->message);
        pgc_buffer_text(&line, ",\"hint\":");
        pgc_json_string(&line, err->hint);
        pgc_buffer_text(&line, ",\"sqlstate\":");
        pgc_json_string(&line, err->sqlstate);
        pgc_buffer_byte(&line, '}');
    } else {
        pgc_buffer_text(&line, "pgconvoy: error: ");
        add_one_line(&line, err->message);
        pgc_buffer_text(&line, err->hint[0] ? "; " : "");
        add_one_line(&line, err->hint);
    }
    pgc_buffer_byte(&line, '\n');
    put(&line);
    pgc_buffer_free(&line);
}
