/* A scanner after the lexical structure of the PostgreSQL manual (section 4.1), and what is asked of its tokens. */
#include "apply/sql_text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_word_start(unsigned char c)
{
    return isalpha(c) || c == '_' || c >= 0x80;
}

static bool is_word(unsigned char c)
{
    return is_word_start(c) || isdigit(c) || c == '$';
}

static const char *skip_block_comment(const char *at, const char *end)
{
    int depth = 0;
    while (at < end) {
        if (end - at >= 2 && at[0] == '/' && at[1] == '*') {
            depth++;
            at += 2;
        } else if (end - at >= 2 && at[0] == '*' && at[1] == '/') {
            at += 2;
            if (--depth == 0)
                return at;
        } else {
            at++;
        }
    }
    return end;
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end) {
        if (isspace((unsigned char)*at)) {
            at++;
        } else if (end - at >= 2 && at[0] == '-' && at[1] == '-') {
            const char *line_end = memchr(at, '\n', (size_t)(end - at));
            at = line_end ? line_end + 1 : end;
        } else if (end - at >= 2 && at[0] == '/' && at[1] == '*') {
            at = skip_block_comment(at, end);
        } else {
            break;
        }
    }
    return at;
}

/* at is behind the opening quote. A doubled quote stands for one. */
static const char *skip_quoted(const char *at, const char *end, char quote, bool backslashes)
{
    while (at < end) {
        if (backslashes && *at == '\\' && end - at >= 2) {
            at += 2;
        } else if (*at != quote) {
            at++;
        } else if (end - at >= 2 && at[1] == quote) {
            at += 2;
        } else {
            return at + 1;
        }
    }
    return end;
}

/* $tag$ … $tag$; NULL: at is no dollar quote. */
static const char *skip_dollar_quoted(const char *at, const char *end)
{
    const char *tag_end = at + 1;
    while (tag_end < end && is_word((unsigned char)*tag_end) && *tag_end != '$')
        tag_end++;
    if (tag_end >= end || *tag_end != '$' || isdigit((unsigned char)at[1]))
        return NULL;
    size_t length = (size_t)(tag_end + 1 - at);
    for (const char *found = tag_end + 1; (size_t)(end - found) >= length; found++)
        if (memcmp(found, at, length) == 0)
            return found + length;
    return end;
}

pgc_sql_token pgc_sql_next_token(const char **at, const char *end)
{
    const char *start = skip_blanks(*at, end), *after = start;
    pgc_sql_token token = {.kind = PGC_SQL_OTHER, .start = start};
    if (start >= end) {
        token.kind = PGC_SQL_END;
    } else if (end - start >= 2 && (*start == 'e' || *start == 'E') && start[1] == '\'') {
        token.kind = PGC_SQL_STRING;
        after = skip_quoted(start + 2, end, '\'', true);
    } else if (is_word_start((unsigned char)*start)) {
        token.kind = PGC_SQL_WORD;
        while (after < end && is_word((unsigned char)*after))
            after++;
    } else if (*start == '\'') {
        token.kind = PGC_SQL_STRING;
        after = skip_quoted(start + 1, end, '\'', false);
    } else if (*start == '"') {
        token.kind = PGC_SQL_QUOTED_WORD;
        after = skip_quoted(start + 1, end, '"', false);
    } else if (*start == '$' && (after = skip_dollar_quoted(start, end)) != NULL) {
        token.kind = PGC_SQL_STRING;
    } else {
        after = start + 1;
    }
    token.length = (size_t)(after - start);
    *at = after;
    return token;
}

bool pgc_sql_token_is(const pgc_sql_token *token, const char *upper)
{
    return token->kind == PGC_SQL_WORD && strlen(upper) == token->length &&
           strncasecmp(token->start, upper, token->length) == 0;
}

/* ---- commands */

/* Semicolons inside of parentheses (a rule's actions) and of bodies (BEGIN ATOMIC … END, with CASE … END in it) end
 * nothing. */
typedef struct nesting {
    int parentheses, bodies;
    bool after_begin;
} nesting;

static bool is_nested(nesting *in, const pgc_sql_token *token)
{
    if (in->after_begin && pgc_sql_token_is(token, "ATOMIC"))
        in->bodies = 1;
    else if (in->bodies > 0 && (pgc_sql_token_is(token, "CASE") || pgc_sql_token_is(token, "BEGIN")))
        in->bodies++;
    else if (in->bodies > 0 && pgc_sql_token_is(token, "END"))
        in->bodies--;
    in->after_begin = pgc_sql_token_is(token, "BEGIN");
    if (token->kind == PGC_SQL_OTHER && *token->start == '(')
        in->parentheses++;
    if (token->kind == PGC_SQL_OTHER && *token->start == ')' && in->parentheses > 0)
        in->parentheses--;
    return in->parentheses > 0 || in->bodies > 0;
}

bool pgc_sql_next_command(const char **at, const char *end, const char **command, size_t *length)
{
    const char *start = NULL, *last = NULL;
    nesting nesting = {0};
    for (;;) {
        pgc_sql_token token = pgc_sql_next_token(at, end);
        bool nested = is_nested(&nesting, &token);
        bool semicolon = token.kind == PGC_SQL_OTHER && *token.start == ';' && !nested;
        if (start && (semicolon || token.kind == PGC_SQL_END)) {
            *command = start;
            *length = (size_t)(last - start);
            return true;
        }
        if (token.kind == PGC_SQL_END)
            return false;
        if (semicolon)
            continue;
        if (!start)
            start = token.start;
        last = token.start + token.length;
    }
}

/* Words that a tag does not have though the command may. */
static bool is_filler(const pgc_sql_token *token)
{
    static const char *const fillers[] = {"OR",         "REPLACE",    "TEMP",   "TEMPORARY", "GLOBAL",
                                          "LOCAL",      "UNLOGGED",   "UNIQUE", "RECURSIVE", "TRUSTED",
                                          "PROCEDURAL", "CONSTRAINT", "DEFAULT"};
    for (size_t i = 0; i < sizeof fillers / sizeof *fillers; i++)
        if (pgc_sql_token_is(token, fillers[i]))
            return true;
    return false;
}

static bool selects_into(const char *command, size_t length)
{
    const char *at = command;
    pgc_sql_token first = pgc_sql_next_token(&at, command + length);
    return (pgc_sql_token_is(&first, "SELECT") || pgc_sql_token_is(&first, "WITH")) && pgc_sql_has_word(command, length, "INTO") &&
           !pgc_sql_has_word(command, length, "INSERT") && !pgc_sql_has_word(command, length, "MERGE");
}

/* The one tag with which others begin that are of other commands. */
static bool ends_in_operator(const char *tag)
{
    static const char word[] = " OPERATOR";
    size_t length = strlen(tag);
    return length >= sizeof word && strcmp(tag + length - (sizeof word - 1), word) == 0;
}

bool pgc_sql_is_of_tag(const char *command, size_t length, const char *tag)
{
    const char *at = command, *end = command + length;
    if (strcmp(tag, "SELECT INTO") == 0)
        return selects_into(command, length);
    size_t words = strcmp(tag, "CREATE TABLE AS") == 0 ? 2 : SIZE_MAX;
    for (const char *word = tag; *word && words > 0; words--) {
        char wanted[64];
        size_t wanted_length = strcspn(word, " ");
        if (wanted_length >= sizeof wanted)
            return false;
        memcpy(wanted, word, wanted_length);
        wanted[wanted_length] = '\0';
        pgc_sql_token token = pgc_sql_next_token(&at, end);
        while (is_filler(&token) && !pgc_sql_token_is(&token, wanted))
            token = pgc_sql_next_token(&at, end);
        if (!pgc_sql_token_is(&token, wanted))
            return false;
        word += wanted_length;
        word += *word == ' ';
    }
    pgc_sql_token token = pgc_sql_next_token(&at, end);
    return !ends_in_operator(tag) || !(pgc_sql_token_is(&token, "CLASS") || pgc_sql_token_is(&token, "FAMILY"));
}

static pgc_sql_token find_word(const char *command, size_t length, const char *upper)
{
    const char *at = command;
    pgc_sql_token token;
    do
        token = pgc_sql_next_token(&at, command + length);
    while (token.kind != PGC_SQL_END && !pgc_sql_token_is(&token, upper));
    return token;
}

bool pgc_sql_has_word(const char *command, size_t length, const char *upper)
{
    return find_word(command, length, upper).kind != PGC_SQL_END;
}

void pgc_sql_without_word(const char *command, size_t length, const char *upper, pgc_buffer *out)
{
    pgc_sql_token token = find_word(command, length, upper);
    const char *end = command + length;
    pgc_buffer_append(out, command, (size_t)(token.start - command));
    if (token.kind != PGC_SQL_END)
        pgc_buffer_append(out, token.start + token.length, (size_t)(end - token.start - (ptrdiff_t)token.length));
    else
        pgc_buffer_append(out, token.start, (size_t)(end - token.start));
}
