/* A scan with four states. Runs of bytes that change no state are taken as a whole. */
#include "archive/sql_split.h"

#define COMMAND_MAX ((size_t)3 << 30) /* an INSERT of the largest row that a server can hold */

void pgc_sql_split_begin(pgc_sql_split *split)
{
    pgc_buffer_init(&split->text, COMMAND_MAX);
    split->state = PGC_SPLIT_PLAIN;
    split->escaped = split->dash = false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static int hand_on(pgc_sql_split *split, pgconvoy_error *err)
{
    if (pgc_buffer_check(&split->text, err))
        return -1;
    int result = split->command(split->arg, split->text.data, split->text.length, err);
    pgc_buffer_reset(&split->text);
    return result;
}

/* The length of the run from at on that keeps the state. */
static size_t run_length(const pgc_sql_split *split, const char *at, size_t length)
{
    const char *end = NULL;
    size_t i = 0;
    switch (split->state) {
    case PGC_SPLIT_PLAIN:
        while (i < length && at[i] != ';' && at[i] != '\'' && at[i] != '"' && at[i] != '-')
            i++;
        return i;
    case PGC_SPLIT_STRING:
        while (i < length && at[i] != '\'' && !(split->backslashes && (at[i] == '\\' || split->escaped)))
            i++;
        return i;
    case PGC_SPLIT_NAME:
        end = memchr(at, '"', length);
        break;
    case PGC_SPLIT_COMMENT:
        end = memchr(at, '\n', length);
        break;
    }
    return end ? (size_t)(end - at) : length;
}

/* A byte outside of quotes that may change the state. */
static int take_plain(pgc_sql_split *split, char c, pgconvoy_error *err)
{
    bool second_dash = split->dash && c == '-';
    split->dash = split->comments && c == '-' && !second_dash;
    pgc_buffer_byte(&split->text, c);
    if (second_dash) {
        split->text.length -= 2;
        split->state = PGC_SPLIT_COMMENT;
    } else if (c == '\'') {
        split->state = PGC_SPLIT_STRING;
    } else if (c == '"') {
        split->state = PGC_SPLIT_NAME;
    } else if (c == ';') {
        return hand_on(split, err);
    }
    return 0;
}

static int take_byte(pgc_sql_split *split, char c, pgconvoy_error *err)
{
    switch (split->state) {
    case PGC_SPLIT_PLAIN:
        return take_plain(split, c, err);
    case PGC_SPLIT_STRING: /* a doubled quote ends it and begins it again */
        pgc_buffer_byte(&split->text, c);
        if (c == '\'' && !split->escaped)
            split->state = PGC_SPLIT_PLAIN;
        split->escaped = split->backslashes && c == '\\' && !split->escaped;
        return 0;
    case PGC_SPLIT_NAME:
        pgc_buffer_byte(&split->text, c);
        split->state = PGC_SPLIT_PLAIN;
        return 0;
    case PGC_SPLIT_COMMENT:
        split->state = PGC_SPLIT_PLAIN;
        return 0;
    }
    return 0;
}

int pgc_sql_split_feed(pgc_sql_split *split, const char *bytes, size_t length, pgconvoy_error *err)
{
    for (size_t i = 0; i < length;) {
        if (split->state == PGC_SPLIT_PLAIN && split->text.length == 0 && is_blank(bytes[i])) {
            i++; /* between commands */
            continue;
        }
        size_t run = run_length(split, bytes + i, length - i);
        if (run > 0) {
            split->dash = false;
            if (split->state != PGC_SPLIT_COMMENT)
                pgc_buffer_append(&split->text, bytes + i, run);
            i += run;
        } else if (take_byte(split, bytes[i++], err)) {
            return -1;
        }
    }
    return pgc_buffer_check(&split->text, err);
}

int pgc_sql_split_end(pgc_sql_split *split, pgconvoy_error *err)
{
    int result = pgc_buffer_check(&split->text, err);
    if (result == 0 && split->text.length > 0)
        result = hand_on(split, err);
    pgc_buffer_free(&split->text);
    return result;
}
