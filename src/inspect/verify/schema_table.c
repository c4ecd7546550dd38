/* CREATE TABLE compared as a set of lines, each known by its column or constraint. */
#include "inspect/verify/schema.h"

#include <stdlib.h>

#define MOST_LINES 4096

typedef verify_line line;

typedef struct lines {
    line items[MOST_LINES];
    int count;
} lines;

static size_t identifier_length(const char *text, size_t length)
{
    size_t at = 0;
    if (length && text[0] == '"') {
        for (at = 1; at < length; at++) {
            if (text[at] != '"')
                continue;
            if (at + 1 == length || text[at + 1] != '"')
                return at + 1;
            at++;
        }
        return 0;
    }
    while (at < length && text[at] != ' ')
        at++;
    return at;
}

/* What stands before the first and behind the last line of the list belongs to the table as a whole. */
static size_t name_length(const char *text, size_t length, bool inside)
{
    if (!inside)
        return 0;
    if (length > 11 && strncmp(text, "CONSTRAINT ", 11) == 0)
        return 11 + identifier_length(text + 11, length - 11);
    return identifier_length(text, length);
}

static void split(const char *create, lines *lines)
{
    bool inside = false;
    lines->count = 0;
    for (const char *at = create; at && *at && lines->count < MOST_LINES;) {
        const char *end = strchrnul(at, '\n'), *next = *end ? end + 1 : end;
        if (at[0] == ')')
            inside = false;
        while (at < end && *at == ' ')
            at++;
        size_t length = (size_t)(end - at);
        bool opens = !inside && length && at[length - 1] == '(' && strncmp(at, "CREATE", 6) == 0;
        if (length && at[length - 1] == ',')
            length--;
        if (length)
            lines->items[lines->count++] =
                (line){.text = at, .length = length, .name_length = name_length(at, length, inside)};
        inside = inside || opens;
        at = next;
    }
}

static bool same_line(const line *a, const line *b)
{
    return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

/* Marks the lines that both have. True when all are. */
static bool match(lines *source, lines *target)
{
    bool all = source->count == target->count;
    for (int i = 0; i < source->count; i++) {
        for (int k = 0; k < target->count && !source->items[i].used; k++)
            if (!target->items[k].used && same_line(&source->items[i], &target->items[k]))
                source->items[i].used = target->items[k].used = true;
        all = all && source->items[i].used;
    }
    return all;
}

static bool split_both(const char *source, const char *target, lines **of_source, lines **of_target)
{
    *of_source = malloc(sizeof **of_source);
    *of_target = malloc(sizeof **of_target);
    if (!*of_source || !*of_target)
        return false;
    split(source, *of_source);
    split(target, *of_target);
    return true;
}

bool verify_table_same(const char *source, const char *target)
{
    if (strcmp(source, target) == 0)
        return true;
    lines *of_source, *of_target;
    bool same = split_both(source, target, &of_source, &of_target) && match(of_source, of_target);
    free(of_source);
    free(of_target);
    return same;
}

static line *fellow(const line *of, lines *among)
{
    for (int i = 0; i < among->count && of->name_length; i++) {
        line *other = &among->items[i];
        if (!other->used && other->name_length == of->name_length &&
            memcmp(other->text, of->text, of->name_length) == 0)
            return other;
    }
    return NULL;
}

static void walk(lines *source, lines *target, verify_line_function fn, void *arg)
{
    for (int i = 0; i < source->count; i++) {
        if (source->items[i].used)
            continue;
        line *other = fellow(&source->items[i], target);
        if (other)
            other->used = true;
        fn(arg, &source->items[i], other);
    }
    for (int i = 0; i < target->count; i++)
        if (!target->items[i].used)
            fn(arg, NULL, &target->items[i]);
}

bool verify_table_walk(const char *source, const char *target, verify_line_function fn, void *arg)
{
    lines *of_source, *of_target;
    bool split = split_both(source, target, &of_source, &of_target);
    if (split) {
        (void)match(of_source, of_target);
        walk(of_source, of_target, fn, arg);
    }
    free(of_source);
    free(of_target);
    return split;
}

/* ------------------------------------------------------------------ for the report */

typedef struct details {
    pgc_verify *verify;
    verify_finding *finding;
    pgconvoy_error *err;
    int status;
} details;

static void add_detail(void *arg, const line *source, const line *target)
{
    details *details = arg;
    const line *lines[] = {source, target}, *any = source ? source : target;
    char *texts[2] = {NULL, NULL}, name[200];
    for (int side = 0; side < 2; side++)
        if (lines[side])
            texts[side] = strndup(lines[side]->text, lines[side]->length);
    bool is_constraint = any->name_length && strncmp(any->text, "CONSTRAINT ", 11) == 0;
    snprintf(name, sizeof name, "%s%.*s", any->name_length && !is_constraint ? "column " : "",
             any->name_length ? (int)any->name_length : 5, any->name_length ? any->text : "table");
    if (details->status == 0)
        details->status =
            verify_detail_add(details->finding, details->verify->arena, name, texts[0], texts[1], details->err);
    free(texts[0]);
    free(texts[1]);
}

int verify_table_details(pgc_verify *verify, verify_finding *finding, const char *source, const char *target,
                         pgconvoy_error *err)
{
    details details = {verify, finding, err, 0};
    return verify_table_walk(source, target, add_detail, &details) ? details.status : pgc_error_out_of_memory(err);
}
