/* What the dump command says on standard error, line by line as pg_dump does, and what it asks at the terminal. */
#include "base/clock.h"
#include "base/units.h"
#include "cli/dump.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_BYTES 1024
#define PROGRESS_LINE_US 10000000 /* where there is no terminal */

void cli_dump_say_error(const pgconvoy_error *err)
{
    if (err->message[0])
        fprintf(stderr, "pg_dump: error: %s\n", err->message);
    if (err->hint[0])
        fprintf(stderr, "pg_dump: hint: %s\n", err->hint);
    if (err->code == PGCONVOY_ERROR_USAGE)
        fprintf(stderr, "pg_dump: hint: Try \"pg_dump --help\" for more information.\n");
}

void cli_dump_on_message(void *arg, const char *what)
{
    (void)arg;
    fprintf(stderr, "pg_dump: %s\n", what);
}

void cli_dump_on_warning(void *arg, const char *text, const char *hint)
{
    (void)arg;
    fprintf(stderr, "pg_dump: warning: %s\n", text);
    if (hint)
        fprintf(stderr, "pg_dump: hint: %s\n", hint);
}

/* ------------------------------------------------------------------ progress */

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

/* ------------------------------------------------------------------ the password */

/* One line from the terminal, unseen. */
static char *read_unseen(FILE *in, FILE *out)
{
    struct termios before, unseen;
    bool is_terminal = tcgetattr(fileno(in), &before) == 0;
    if (is_terminal) {
        unseen = before;
        unseen.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(fileno(in), TCSAFLUSH, &unseen);
    }
    fputs("Password: ", out);
    (void)fflush(out);
    char *line = calloc(1, PASSWORD_BYTES);
    if (line && !fgets(line, PASSWORD_BYTES, in))
        line[0] = '\0';
    if (is_terminal) {
        (void)tcsetattr(fileno(in), TCSAFLUSH, &before);
        fputc('\n', out);
        (void)fflush(out);
    }
    if (line)
        line[strcspn(line, "\r\n")] = '\0';
    return line;
}

char *cli_dump_ask_password(void *arg, const char *user)
{
    (void)arg;
    (void)user;
    FILE *in = fopen("/dev/tty", "r"), *out = in ? fopen("/dev/tty", "w") : NULL;
    char *password = in && out ? read_unseen(in, out) : read_unseen(stdin, stderr);
    if (in)
        (void)fclose(in);
    if (out)
        (void)fclose(out);
    return password;
}
