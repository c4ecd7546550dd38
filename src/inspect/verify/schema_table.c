/* CREATE TABLE compared as a set of lines, each known by its column or constraint. */
#include "inspect/verify/schema.h"

#include "catalog/relation.h"

#include <stdlib.h>

#define MOST_LINES 4096

/* A line without its indentation and comma. */
typedef struct line {
    const char *text;
    size_t length;
    size_t
        name_length; /* of the column's name, with its quotes; of a constraint "CONSTRAINT name"; 0: another clause */
    bool used;
} line;

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

static line *fellow(const line *line, lines *among)
{
    for (int i = 0; i < among->count && line->name_length; i++) {
        struct line *other = &among->items[i];
        if (!other->used && other->name_length == line->name_length &&
            memcmp(other->text, line->text, line->name_length) == 0)
            return other;
    }
    return NULL;
}

/* Calls fn for each line that differs, with its fellow at the other end or NULL. */
static void walk(lines *source, lines *target, void (*fn)(void *arg, const line *source, const line *target), void *arg)
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
    lines *of_source, *of_target;
    details details = {verify, finding, err, 0};
    if (split_both(source, target, &of_source, &of_target)) {
        (void)match(of_source, of_target);
        walk(of_source, of_target, add_detail, &details);
    } else {
        details.status = pgc_error_out_of_memory(err);
    }
    free(of_source);
    free(of_target);
    return details.status;
}

/* ------------------------------------------------------------------ for the script */

typedef struct mend {
    pgc_verify *verify;
    const pgc_relation *source, *target;
    pgc_buffer name;
    pgc_buffer out;
} mend;

static const pgc_column *column_of(const pgc_relation *relation, const line *line)
{
    pgc_buffer quoted;
    const pgc_column *found = NULL;
    pgc_buffer_init(&quoted, 4096);
    for (int i = 0; i < relation->column_count && !found; i++) {
        const char *name = relation->columns[i].name;
        pgc_buffer_reset(&quoted);
        pgc_quote_identifier(&quoted, name);
        bool bare = strlen(name) == line->name_length && memcmp(name, line->text, line->name_length) == 0;
        bool with = quoted.length == line->name_length && memcmp(quoted.data, line->text, line->name_length) == 0;
        if (!relation->columns[i].dropped && (bare || with))
            found = &relation->columns[i];
    }
    pgc_buffer_free(&quoted);
    return found;
}

static const char *default_of(const pgc_column *column)
{
    return column->column_default && !column->column_default->separate ? column->column_default->expression : NULL;
}

static void mend_column(mend *mend, const line *line, const pgc_column *source, const pgc_column *target)
{
    const char *table = mend->name.data;
    int length = (int)line->name_length;
    if (strcmp(source->type, target->type) != 0)
        pgc_buffer_format(&mend->out, "ALTER TABLE %s ALTER COLUMN %.*s TYPE %s USING %.*s::%s;\n", table, length,
                          line->text, source->type, length, line->text, source->type);
    if (source->generated || target->generated) {
        pgc_buffer_format(&mend->out, "-- by hand: column %.*s of %s is generated\n", length, line->text, table);
        return;
    }
    const char *here = default_of(source), *there = default_of(target);
    if (here && (!there || strcmp(here, there) != 0))
        pgc_buffer_format(&mend->out, "ALTER TABLE %s ALTER COLUMN %.*s SET DEFAULT %s;\n", table, length, line->text,
                          here);
    if (!here && there)
        pgc_buffer_format(&mend->out, "ALTER TABLE %s ALTER COLUMN %.*s DROP DEFAULT;\n", table, length, line->text);
    if (source->not_null != target->not_null)
        pgc_buffer_format(&mend->out, "ALTER TABLE %s ALTER COLUMN %.*s %s NOT NULL;\n", table, length, line->text,
                          source->not_null ? "SET" : "DROP");
}

static void mend_line(void *arg, const line *source, const line *target)
{
    mend *mend = arg;
    const line *any = source ? source : target;
    const char *table = mend->name.data;
    bool is_constraint = any->name_length && strncmp(any->text, "CONSTRAINT ", 11) == 0;
    if (!any->name_length) {
        if (source && strncmp(source->text, "ALTER ", 6) == 0)
            pgc_buffer_format(&mend->out, "%.*s\n", (int)source->length, source->text);
        else
            pgc_buffer_format(&mend->out, "-- by hand, of %s: %.*s\n", table, (int)any->length, any->text);
        return;
    }
    if (is_constraint) {
        if (target)
            pgc_buffer_format(&mend->out, "ALTER TABLE %s DROP %.*s;\n", table, (int)target->name_length, target->text);
        if (source)
            pgc_buffer_format(&mend->out, "ALTER TABLE %s ADD %.*s;\n", table, (int)source->length, source->text);
        return;
    }
    const pgc_column *here = source ? column_of(mend->source, source) : NULL,
                     *there = target ? column_of(mend->target, target) : NULL;
    if (here && there)
        mend_column(mend, source, here, there);
    else if (source && here)
        pgc_buffer_format(&mend->out, "-- its values are for the next run of verify\nALTER TABLE %s ADD COLUMN %.*s;\n",
                          table, (int)source->length, source->text);
    else if (target && there)
        pgc_buffer_format(&mend->out, "ALTER TABLE %s DROP COLUMN %.*s;\n", table, (int)target->name_length,
                          target->text);
    else
        pgc_buffer_format(&mend->out, "-- by hand, of %s: %.*s\n", table, (int)any->length, any->text);
}

void verify_table_mend(pgc_verify *verify, const pgc_entry *source, const pgc_entry *target)
{
    lines *of_source, *of_target;
    mend mend = {.verify = verify,
                 .source = (const pgc_relation *)source->object,
                 .target = (const pgc_relation *)target->object};
    pgc_buffer_init(&mend.name, 4096);
    pgc_buffer_init(&mend.out, VERIFY_SQL_LIMIT);
    pgc_quote_qualified(&mend.name, target->schema ? target->schema : "public", target->tag);
    if (split_both(source->create, target->create, &of_source, &of_target) && mend.source && mend.target) {
        (void)match(of_source, of_target);
        walk(of_source, of_target, mend_line, &mend);
    }
    if (mend.out.failed)
        atomic_store(&verify->repair_failed, true);
    else if (mend.out.length)
        verify_repair(verify, verify->repair_define, mend.out.data);
    free(of_source);
    free(of_target);
    pgc_buffer_free(&mend.name);
    pgc_buffer_free(&mend.out);
}
