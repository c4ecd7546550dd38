/* What dump and restore say on standard error, line by line as PostgreSQL's programs do, and what they ask at the terminal. */
#include "cli/pg_options.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_BYTES 1024

void cli_pg_say_error(const char *program, const pgconvoy_error *err)
{
    if (err->message[0])
        fprintf(stderr, "%s: error: %s\n", program, err->message);
    if (err->hint[0])
        fprintf(stderr, "%s: hint: %s\n", program, err->hint);
    if (err->code == PGCONVOY_ERROR_USAGE)
        fprintf(stderr, "%s: hint: Try \"%s --help\" for more information.\n", program, program);
}

void cli_pg_on_message(void *program, const char *what)
{
    fprintf(stderr, "%s: %s\n", (const char *)program, what);
}

void cli_pg_on_warning(void *program, const char *text, const char *hint)
{
    fprintf(stderr, "%s: warning: %s\n", (const char *)program, text);
    if (hint)
        fprintf(stderr, "%s: hint: %s\n", (const char *)program, hint);
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

char *cli_pg_ask_password(void *arg, const char *user)
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
