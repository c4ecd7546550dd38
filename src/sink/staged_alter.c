/*
 * A table's columns change on the source. The DDL of these services is in no transaction, so what a change needs is
 * told apart by what it would do to a commit that fails:
 *
 *   columns that come, types that widen   at once: a column more harms nobody, and is there already when it is tried
 *                                         again
 *   columns and tables that go or are     after the commit. What is to be done is stored with the commit, so that it
 *   renamed                               is done after a crash as well; until then the rows of the transaction are
 *                                         written under the old names
 *
 * What is compared is the new definition with the columns that the service has, not with the old definition: a stream
 * that begins before changes which the source's catalog has already goes back to an older definition first, which must
 * do nothing there; and what changed while no pipeline ran is seen when the table is met. A column's number at the
 * source is noted beside it there, and stays what it is when it is renamed.
 */
#include "sink/staged_internal.h"

#include "base/grow.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

typedef pgc_staged_alteration alteration;

int pgc_staged_refuse(const alteration *a, const char *column, const char *what, pgconvoy_error *err)
{
    a->writer->refused = true;
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "column %s of table %s.%s %s, which cannot be followed in %s", column,
                       a->to->schema, a->to->name, what, a->writer->sink->service->name);
    pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again with --if-exists drop");
    return -1;
}

bool pgc_staged_is_told(const pgconvoy_sink_config *config, const pgc_buffer *sql)
{
    if (config->tell && sql->length > 0 && !sql->failed)
        config->tell(config->tell_arg, sql->data);
    return config->tell != NULL;
}

static bool same_name(const alteration *a, const char *one, const char *other)
{
    return a->writer->sink->service->compare_names(one, other) == 0;
}

const pgc_staged_column *pgc_staged_find(const alteration *a, const char *name)
{
    return pgc_staged_find_column(a->writer->sink->service, &a->there, name);
}

/* ---- what follows the commit */

static pgc_staged_later *find_later(const alteration *a, const char *column)
{
    for (size_t i = 0; i < a->writer->later_count; i++) {
        pgc_staged_later *later = &a->writer->later[i];
        if (later->column && strcmp(later->table, a->new_layout->name) == 0 && same_name(a, later->column, column))
            return later;
    }
    return NULL;
}

/* column NULL: the table; to NULL: it goes. */
static int add_later(const alteration *a, const char *column, const char *to, pgconvoy_error *err)
{
    pgc_staged_writer *writer = a->writer;
    if (pgc_grow(&writer->later, writer->later_count, &writer->later_capacity, sizeof *writer->later, err) != 0)
        return -1;
    pgc_staged_later later = {strdup(a->new_layout->name), column ? strdup(column) : NULL, to ? strdup(to) : NULL,
                              false};
    writer->later[writer->later_count++] = later;
    return later.table && (later.column || !column) && (later.to || !to) ? 0 : pgc_error_out_of_memory(err);
}

static void cancel_later(pgc_staged_later *later)
{
    free(later->column);
    free(later->to);
    later->column = later->to = NULL;
    later->cancelled = true;
}

const pgc_staged_later *pgc_staged_next_later(const pgc_staged_writer *writer, size_t *at)
{
    for (; *at < 2 * writer->later_count; ++*at) {
        const pgc_staged_later *later = &writer->later[*at % writer->later_count];
        bool tables = *at >= writer->later_count;
        if (!later->cancelled && (later->column == NULL) == tables) {
            ++*at;
            return later;
        }
    }
    return NULL;
}

void pgc_staged_later_free(pgc_staged_writer *writer)
{
    for (size_t i = 0; i < writer->later_count; i++) {
        free(writer->later[i].table);
        free(writer->later[i].column);
        free(writer->later[i].to);
    }
    writer->later_count = 0;
}

/* ---- columns */

/* The same column in another version of the table: by its number, which a rename leaves alone, else by its name. */
static int counterpart(const pgconvoy_table *table, const pgconvoy_column *column)
{
    for (int i = 0; i < table->column_count; i++) {
        bool numbered = column->number > 0 && table->columns[i].number > 0;
        if (numbered ? table->columns[i].number == column->number : strcmp(table->columns[i].name, column->name) == 0)
            return i;
    }
    return -1;
}

static const char *name_of_number(const alteration *a, int number)
{
    for (int i = 0; i < a->there.count && number > 0; i++)
        if (a->there.items[i].number == number)
            return a->there.items[i].name;
    return NULL;
}

static int rename_column(const alteration *a, const char *from, int column, pgconvoy_error *err)
{
    const char *to = a->new_layout->names[column];
    const pgc_staged_column *there = pgc_staged_find(a, from);
    if (there && there->bound)
        return pgc_staged_refuse(a, a->to->columns[column].name, "is of the key and is renamed", err);
    pgc_staged_later *later = find_later(a, from);
    if (!later || !later->to || !same_name(a, later->to, to)) {
        pgc_log_info(a->writer->sink->config->log, "%s: column %s of %s is renamed to %s",
                     a->writer->sink->service->scheme, from, a->new_layout->name, to);
        if (later)
            cancel_later(later);
        if (add_later(a, from, to, err) != 0)
            return -1;
    }
    a->new_layout->names[column] = pgc_arena_strdup(a->new_layout->arena, from); /* until then */
    return a->new_layout->names[column] ? 0 : pgc_error_out_of_memory(err);
}

/* A column by the name that it had in the definition before, where numbers are not known. */
static const char *name_before(const alteration *a, int column)
{
    int old = counterpart(a->from, &a->to->columns[column]);
    const char *before = old >= 0 ? a->old_layout->names[old] : NULL;
    return before && pgc_staged_find(a, before) ? before : NULL;
}

/* By the name that the checkpoint has it under: a rename is told there with the commit. */
static const pgconvoy_table *stored_as(const alteration *a)
{
    const pgconvoy_table *to = a->writer->renamed_to;
    bool renamed = to && (to == a->to || (strcmp(to->schema, a->from->schema) == 0 && strcmp(to->name, a->from->name) == 0));
    return renamed ? a->writer->renamed_from : a->from;
}

/* A table that this pipeline has made, and that is no history. */
static bool may_be_made_anew(const alteration *a)
{
    pgc_staged_sink *sink = a->writer->sink;
    pgc_arena *arena = pgc_arena_new(4096);
    const char *how = NULL, *copy;
    pgconvoy_error unused = {0};
    bool read = arena && pgc_staged_checkpoint_owned(sink, stored_as(a), arena, &how, &copy, &unused) == 0;
    if (read && !how) /* renamed there already */
        read = pgc_staged_checkpoint_owned(sink, a->to, arena, &how, &copy, &unused) == 0;
    bool made = read && how && strcmp(how, PGC_STAGED_MADE) == 0;
    pgc_arena_free(arena);
    return made && !sink->keeps_history;
}

static int follow_column(const alteration *a, int column, pgconvoy_error *err)
{
    const pgconvoy_column *source = &a->to->columns[column];
    const char *name = a->new_layout->names[column], *there = name_of_number(a, source->number);
    const pgc_staged_column *same = pgc_staged_find(a, name);
    bool anothers = same && source->number > 0 && same->number > 0 && same->number != source->number;
    if (anothers)
        return pgc_staged_refuse(a, source->name, "takes the name of another that goes", err);
    if (!there)
        there = same ? name : name_before(a, column);
    if (there && !same_name(a, there, name)) {
        if (rename_column(a, there, column, err) != 0)
            return -1;
    } else {
        pgc_staged_later *later = find_later(a, name);
        if (later) /* it is here again, or still */
            cancel_later(later);
    }
    int old = counterpart(a->from, source);
    /* that came with this definition: also when it is there already, made by a process that could not commit */
    if (!there && source->computed && !source->missing && a->from != a->to && may_be_made_anew(a))
        return pgc_staged_refuse(a, source->name, "was added, and what it gave the rows from before only the source knows", err);
    if (!there || (old < 0 && a->from != a->to))
        return a->writer->sink->service->add_column(a, column, err);
    return a->writer->sink->service->change_type(a, old, column, err);
}

/* Columns of the source's that the definition does not have any more. */
static int follow_drops(const alteration *a, pgconvoy_error *err)
{
    bool numbered = true;
    for (int j = 0; j < a->to->column_count; j++)
        numbered = numbered && a->to->columns[j].number > 0;
    for (int k = 0; k < a->there.count; k++) {
        const char *name = a->there.items[k].name;
        int number = a->there.items[k].number, old = -1;
        bool stays = number == 0;
        for (int j = 0; j < a->to->column_count; j++)
            stays = stays || same_name(a, a->new_layout->names[j], name) || a->to->columns[j].number == number;
        for (int i = 0; i < a->from->column_count; i++)
            old = same_name(a, a->old_layout->names[i], name) ? i : old;
        if (stays || (!numbered && old < 0) || a->writer->sink->keeps_history) /* what history holds stays to be read */
            continue;
        if (a->there.items[k].bound)
            return pgc_staged_refuse(a, name, "is of the key and is dropped", err);
        if (a->to->column_count == 0)
            return pgc_staged_refuse(a, name, "was the last and is dropped", err);
        if (!find_later(a, name) && add_later(a, name, NULL, err) != 0)
            return -1;
    }
    return 0;
}

static int follow(const alteration *a, pgconvoy_error *err)
{
    for (int j = 0; j < a->to->column_count; j++)
        if (follow_column(a, j, err) != 0)
            return -1;
    return follow_drops(a, err);
}

/* ---- tables */

/* Forgets that the table was to be renamed; gives the definition that it had before, NULL when it was not. */
static const pgconvoy_table *cancel_rename(const alteration *a, const char *table)
{
    for (size_t i = 0; i < a->writer->later_count; i++) {
        pgc_staged_later *later = &a->writer->later[i];
        if (later->cancelled || later->column || strcmp(later->table, table) != 0)
            continue;
        const pgconvoy_table *first = a->writer->renamed_from;
        cancel_later(later);
        a->writer->renamed_from = a->writer->renamed_to = NULL;
        return first;
    }
    return NULL;
}

static int refuse_name(alteration *a, pgconvoy_error *err)
{
    a->taken = a->writer->refused = true;
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "table %s.%s is renamed to %s.%s, which is there already, which cannot be followed in %s", a->from->schema, a->from->name,
                       a->to->schema, a->to->name, a->writer->sink->service->name);
    pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again with --if-exists drop");
    return -1;
}

/* After the commit, of which there is one rename to tell in the checkpoint. */
static int rename_later(alteration *a, const char *wanted, pgconvoy_error *err)
{
    pgc_staged_writer *writer = a->writer;
    const pgconvoy_table *first = cancel_rename(a, a->old_layout->name);
    if (writer->renamed_from) {
        a->taken = writer->refused = true;
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "table %s.%s is renamed to %s.%s in one commit with another, which cannot be followed in %s", a->from->schema, a->from->name,
                           a->to->schema, a->to->name, writer->sink->service->name);
        pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again with --if-exists drop");
        return -1;
    }
    if (add_later(a, NULL, wanted, err) != 0)
        return -1;
    writer->renamed_from = first ? first : a->from;
    writer->renamed_to = a->to;
    return 0;
}

/* Under which name the table is there: that of the new definition, or else that of the old one, which changes after
 * the commit. Where both are there the new name is another table's: one that the source has dropped, which stays there, or
 * one whose own rename follows the commit. */
static int find_table(alteration *a, pgc_arena *arena, pgconvoy_error *err)
{
    pgc_staged_writer *writer = a->writer;
    const pgc_staged_service *service = writer->sink->service;
    const char *wanted = a->new_layout->name, *before = a->old_layout->name;
    pgc_staged_columns old = {0};
    if (service->columns(writer->sink, wanted, arena, &a->there, err) != 0)
        return -1;
    if (strcmp(before, wanted) != 0 && service->columns(writer->sink, before, arena, &old, err) != 0)
        return -1;
    if (a->there.there && old.there)
        return refuse_name(a, err);
    if (a->there.there) { /* it is that still, or again */
        cancel_rename(a, wanted);
        return 0;
    }
    a->there = old;
    if (!old.there) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "table %s is not in %s any more", wanted, writer->sink->place);
        pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again");
        return -1;
    }
    a->new_layout->name = pgc_arena_strdup(a->new_layout->arena, before);
    if (!a->new_layout->name)
        return pgc_error_out_of_memory(err);
    return rename_later(a, wanted, err);
}

static int bring_about(alteration *a, pgconvoy_error *err)
{
    pgc_arena *arena = pgc_arena_new(16384);
    if (!arena)
        return pgc_error_out_of_memory(err);
    int result = find_table(a, arena, err);
    if (result == 0)
        result = follow(a, err);
    a->writer->schema_changed = a->writer->schema_changed || a->writer->later_count > 0;
    pgc_arena_free(arena);
    return result;
}

int pgc_staged_adapt_table(pgc_staged_writer *writer, pgc_staged_table *table, pgconvoy_error *err)
{
    alteration a = {.writer = writer,
                    .from = table->table,
                    .to = table->table,
                    .old_layout = table->layout,
                    .new_layout = table->layout};
    return bring_about(&a, err);
}

/* What the checkpoint says of the name is of the table that has it no more: should another one come by it, that has no
 * copy. */
static int vacate(pgc_staged_writer *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    if (pgc_grow(&writer->vacated, writer->vacated_count, &writer->vacated_capacity, sizeof *writer->vacated, err) != 0)
        return -1;
    writer->vacated[writer->vacated_count++] = table;
    return 0;
}

/* 1: its copy is to make the table again; else the refusal stands. A new name that it can have it gets right after the
 * commit, before the copy begins. */
static int leave_to_copy(const alteration *a, pgconvoy_error *err)
{
    if (!may_be_made_anew(a))
        return -1;
    const char *table = a->taken ? a->old_layout->name : a->new_layout->name;
    for (size_t i = 0; i < a->writer->later_count; i++) {
        pgc_staged_later *later = &a->writer->later[i];
        if (!later->cancelled && later->column && strcmp(later->table, table) == 0)
            cancel_later(later);
    }
    if (a->taken) {
        const pgconvoy_table *first = cancel_rename(a, table);
        if (vacate(a->writer, first ? first : a->from, err) != 0)
            return -1;
    }
    return 1;
}

int pgc_staged_follow(pgc_staged_writer *writer, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                      pgconvoy_error *err)
{
    pgc_staged_table *old, *new_;
    if (pgc_staged_table_of(writer, old_table, &old, err) != 0 || pgc_staged_flush(writer, old, err) != 0)
        return -1;
    const pgc_staged_layout *old_layout = old->layout;
    if (pgc_staged_table_of(writer, new_table, &new_, err) != 0)
        return -1;
    alteration a = {
        .writer = writer, .from = old_table, .to = new_table, .old_layout = old_layout, .new_layout = new_->layout};
    writer->schema_changed = new_->looked_at = true;
    writer->refused = false;
    int result = bring_about(&a, err);
    return result != 0 && writer->refused ? leave_to_copy(&a, err) : result;
}
