/*
 * A table's columns change on the source: the target's table is brought to the new definition. What is there is looked
 * at, not what was known, so that it may be done again after a crash, in the middle of it or after it. Each column of
 * the target carries the number of its column on the source in its comment ("pg 3"), by which a renamed one is found;
 * without a number the name serves. What cannot be followed has the table copied anew, or is refused by name where it is not ours to make anew.
 */
#include "sink/clickhouse/clickhouse_internal.h"

#include <stdlib.h>

typedef struct alteration {
    pgc_clickhouse_writer *writer;
    const pgconvoy_table *from, *to;
    const pgc_clickhouse_layout *old; /* of from */
    pgc_clickhouse_layout *layout;    /* of to */
    pgc_clickhouse_columns columns;
    pgc_buffer sql;
    bool ran;     /* something was to be done */
    bool refused; /* it cannot be followed, though there is nothing against the table as it is now */
    bool taken;   /* that is: another table there has its new name */
} alteration;

static int refuse(alteration *a, const char *column, const char *what, pgconvoy_error *err)
{
    a->refused = true;
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "column %s of table %s.%s %s, which cannot be followed in ClickHouse",
                       column, a->from->schema, a->from->name, what);
    pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again with --if-exists drop");
    return -1;
}

/* ALTER TABLE table …: what follows is appended to a->sql by the caller. */
static void begin_alter(alteration *a)
{
    pgc_buffer_reset(&a->sql);
    pgc_buffer_text(&a->sql, "ALTER TABLE ");
    pgc_clickhouse_table_name(a->writer->sink, a->layout->name, true, &a->sql);
}

/* In a trial it is told instead: there is no transaction that could be given up. */
static int run(alteration *a, pgconvoy_error *err)
{
    const pgconvoy_sink_config *config = a->writer->sink->config;
    a->ran = true;
    if (config->tell) {
        if (pgc_buffer_check(&a->sql, err) != 0)
            return -1;
        config->tell(config->tell_arg, a->sql.data);
        return 0;
    }
    int result = pgc_clickhouse_run(&a->writer->session, &a->sql, "following a change of its columns", err);
    if (result != 0)
        pgc_error_prefix(err, "table %s.%s", a->from->schema, a->from->name);
    return result;
}

/* ---- new columns */

/* Appends DEFAULT and the value that rows have which were there before: the text of the source as this type. False when
 * there is no telling it. */
static bool put_missing(alteration *a, const pgc_clickhouse_type *type, const char *text)
{
    pgc_buffer value;
    pgc_buffer_init(&value, (size_t)1 << 20);
    bool told = true;
    const char *zone = strstr(text, "+00");
    switch (type->kind) {
    case PGC_CLICKHOUSE_BOOL:
    case PGC_CLICKHOUSE_UINT8:
        pgc_buffer_text(&value, *text == 't' ? "1" : "0");
        break;
    case PGC_CLICKHOUSE_DATETIME64: /* texts of ours are in UTC */
        told = strncmp(text, "infinity", 8) != 0 && strncmp(text, "-infinity", 9) != 0 && !strstr(text, "BC");
        pgc_buffer_append(&value, text, zone ? (size_t)(zone - text) : strlen(text));
        break;
    case PGC_CLICKHOUSE_BYTES:
    case PGC_CLICKHOUSE_ARRAY:
    case PGC_CLICKHOUSE_VECTOR:
    case PGC_CLICKHOUSE_JSON:
        told = false;
        break;
    default:
        pgc_buffer_text(&value, text);
    }
    if (told) {
        pgc_buffer_text(&a->sql, " DEFAULT CAST(");
        pgc_clickhouse_literal(&a->sql, value.length > 0 ? value.data : "");
        pgc_buffer_text(&a->sql, " AS ");
        pgc_clickhouse_type_sql(type, &a->sql);
        pgc_buffer_text(&a->sql, ")");
    }
    pgc_buffer_free(&value);
    return told;
}

/* A table that this pipeline has made, and that is no history. */
static bool may_be_made_anew(const alteration *a)
{
    pgc_clickhouse_sink *sink = a->writer->sink;
    const char *how = "";
    pgconvoy_error unused = {0};
    bool made = false;
    pthread_mutex_lock(&sink->lock);
    for (int now = 0; now < (a->taken ? 1 : 2) && !made; now++) { /* it may have its new name already */
        const pgconvoy_table *table = now ? a->to : a->from;
        made = pgc_clickhouse_checkpoint_owned(sink, table->schema, table->name, &how, &unused) == 0 && strcmp(how, PGC_CLICKHOUSE_MADE) == 0;
    }
    pthread_mutex_unlock(&sink->lock);
    return made && a->layout->form != PGC_CLICKHOUSE_HISTORY;
}

static int add_column(alteration *a, int column, pgconvoy_error *err)
{
    pgc_clickhouse_type *type = a->layout->types[column];
    const char *missing = a->to->columns[column].missing;
    if (a->to->columns[column].computed && !missing && may_be_made_anew(a))
        return refuse(a, a->layout->names[column], "was added, and what it gave the rows from before only the source knows", err);
    /* rows that were there have no value, unless the source says which */
    if (!missing && type->kind != PGC_CLICKHOUSE_ARRAY && type->kind != PGC_CLICKHOUSE_VECTOR &&
        !a->to->columns[column].in_key)
        type->nullable = true;
    begin_alter(a);
    pgc_buffer_text(&a->sql, " ADD COLUMN IF NOT EXISTS ");
    pgc_clickhouse_identifier(&a->sql, a->layout->names[column]);
    pgc_buffer_byte(&a->sql, ' ');
    pgc_clickhouse_type_sql(type, &a->sql);
    if (missing && !put_missing(a, type, missing))
        return refuse(a, a->layout->names[column], "is new with a default of this type", err);
    if (a->writer->sink->has.comments)
        pgc_buffer_format(&a->sql, " COMMENT 'pg %d'", a->to->columns[column].number);
    /* before our own, which stand at the end */
    if (column > 0) {
        pgc_buffer_text(&a->sql, " AFTER ");
        pgc_clickhouse_identifier(&a->sql, a->layout->names[column - 1]);
    }
    return run(a, err);
}

/* ---- those that were there */

static int drop_column(alteration *a, const char *name, pgconvoy_error *err)
{
    begin_alter(a);
    pgc_buffer_text(&a->sql, " DROP COLUMN IF EXISTS ");
    pgc_clickhouse_identifier(&a->sql, name);
    return run(a, err);
}

static int rename_column(alteration *a, const char *from, const char *to, pgconvoy_error *err)
{
    if (!a->writer->sink->has.rename_column)
        return refuse(a, from, "is renamed (this server is older than 20.4)", err);
    begin_alter(a);
    pgc_buffer_text(&a->sql, " RENAME COLUMN ");
    pgc_clickhouse_identifier(&a->sql, from);
    pgc_buffer_text(&a->sql, " TO ");
    pgc_clickhouse_identifier(&a->sql, to);
    return run(a, err);
}

/* The server alters no column that the table is sorted by, but for labels of an enum. */
static bool is_sorted_by(const alteration *a, int column)
{
    bool found = false;
    for (int k = 0; k < a->to->key_count && a->layout->form != PGC_CLICKHOUSE_HISTORY; k++)
        found |= a->to->key[k] == column;
    return found;
}

/* Whether the column had the wider type that the table has: what became of its values only the source knows. */
static bool narrows(const alteration *a, int column, const char *has, bool nullable)
{
    const pgconvoy_column *to = &a->to->columns[column];
    if (a->from->columns == a->to->columns) /* as it is by now: no change is later */
        return true;
    for (int i = 0; i < a->from->column_count; i++) {
        const pgconvoy_column *from = &a->from->columns[i];
        if (to->number ? from->number != to->number : strcmp(from->name, to->name) != 0)
            continue;
        pgc_clickhouse_type was = *a->old->types[i];
        pgc_buffer sql;
        was.nullable = nullable;
        pgc_buffer_init(&sql, (size_t)4 << 20);
        pgc_clickhouse_type_sql(&was, &sql);
        bool same = !sql.failed && strcmp(sql.data, has) == 0;
        pgc_buffer_free(&sql);
        return same;
    }
    return false;
}

static int change_type(alteration *a, int column, const char *has, pgconvoy_error *err)
{
    pgc_clickhouse_type *type = a->layout->types[column], old;
    pgc_buffer wanted;
    bool added = false;
    int result = 0;
    pgc_clickhouse_type_read(&old, has);
    type->nullable |= old.nullable;
    if (type->kind == PGC_CLICKHOUSE_ENUM && old.kind == PGC_CLICKHOUSE_ENUM)
        result = pgc_clickhouse_type_adopt_labels(type, has, a->layout->arena, &added, err);
    pgc_buffer_init(&wanted, (size_t)4 << 20);
    pgc_clickhouse_type_sql(type, &wanted);
    if (result == 0)
        result = pgc_buffer_check(&wanted, err);
    if (result == 0 && strcmp(wanted.data, has) != 0) {
        bool decimals = old.kind == PGC_CLICKHOUSE_DECIMAL && type->kind == PGC_CLICKHOUSE_DECIMAL;
        bool same = old.kind == type->kind && (!decimals || (old.width == type->width && old.scale == type->scale));
        bool text =
            old.kind == PGC_CLICKHOUSE_AS_TEXT && strncmp(wanted.data + (type->nullable ? 9 : 0), "String", 6) == 0;
        if (is_sorted_by(a, column) && old.kind != PGC_CLICKHOUSE_ENUM) {
            result = refuse(a, a->to->columns[column].name, "is of the key and changes its type", err);
        } else if (same || text || pgc_clickhouse_type_is_wider(&old, type)) {
            begin_alter(a);
            pgc_buffer_text(&a->sql, " MODIFY COLUMN ");
            pgc_clickhouse_identifier(&a->sql, a->layout->names[column]);
            pgc_buffer_format(&a->sql, " %s", wanted.data);
            result = run(a, err);
        } else if (!pgc_clickhouse_type_is_wider(type, &old) || (narrows(a, column, has, old.nullable) && may_be_made_anew(a))) {
            /* what is wider already may be so by a later change, which comes again after a crash */
            result = refuse(a, a->to->columns[column].name, "changes its type", err);
        }
    }
    pgc_buffer_free(&wanted);
    return result;
}

/* ---- the difference */

static bool is_wanted(const alteration *a, size_t there)
{
    for (int j = 0; j < a->to->column_count; j++) {
        if (pgc_clickhouse_column_find(&a->columns, &a->to->columns[j]) == (int)there)
            return true;
    }
    return false;
}

static bool is_of_source(const alteration *a, size_t there)
{
    for (int i = 0; i < a->from->column_count; i++) {
        if (pgc_clickhouse_column_find(&a->columns, &a->from->columns[i]) == (int)there)
            return true;
    }
    return false;
}

static int drop_columns(alteration *a, pgconvoy_error *err)
{
    size_t kept = 0;
    bool *wanted = pgc_arena_zalloc(a->layout->arena, (a->columns.count + 1) * sizeof *wanted);
    if (!wanted)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < a->columns.count; i++)
        wanted[i] = !(a->columns.numbers[i] > 0 || is_of_source(a, i)) || is_wanted(a, i);
    for (size_t i = 0; i < a->columns.count; i++)
        if (!wanted[i] && drop_column(a, a->columns.names[i], err) != 0)
            return -1;
    for (size_t i = 0; i < a->columns.count; i++) {
        if (!wanted[i])
            continue;
        a->columns.names[kept] = a->columns.names[i];
        a->columns.types[kept] = a->columns.types[i];
        a->columns.sorted[kept] = a->columns.sorted[i];
        a->columns.numbers[kept++] = a->columns.numbers[i];
    }
    a->columns.count = kept;
    return 0;
}

static int give_name(alteration *a, int there, const char *name, pgconvoy_error *err)
{
    if (rename_column(a, a->columns.names[there], name, err) != 0)
        return -1;
    a->columns.names[there] = name;
    return 0;
}

/* A name may be one that another column gives up: round by round, and in a circle by way of a name of ours. In between the comment tells which column it is. */
static int rename_columns(alteration *a, pgconvoy_error *err)
{
    for (int rounds = 0; rounds <= 2 * a->to->column_count; rounds++) {
        int waiting = -1;
        bool renamed = false;
        for (int j = 0; j < a->to->column_count; j++) {
            const char *name = a->to->columns[j].name;
            int there = pgc_clickhouse_column_find(&a->columns, &a->to->columns[j]);
            if (there < 0 || strcmp(a->columns.names[there], name) == 0)
                continue;
            if (pgc_clickhouse_column_type(&a->columns, name)) {
                waiting = there;
                continue;
            }
            if (give_name(a, there, name, err) != 0)
                return -1;
            renamed = true;
        }
        if (waiting < 0)
            return 0;
        if (!renamed && give_name(a, waiting, "pgconvoy_renamed", err) != 0)
            return -1;
    }
    return 0;
}

/* Drops first and then renames: a column may get the name of one that went. */
static int follow_columns(alteration *a, pgconvoy_error *err)
{
    if (drop_columns(a, err) != 0)
        return -1;
    if (rename_columns(a, err) != 0)
        return -1;
    for (int j = 0; j < a->to->column_count; j++) {
        int there = pgc_clickhouse_column_find(&a->columns, &a->to->columns[j]);
        if (there >= 0 ? change_type(a, j, a->columns.types[there], err) != 0 : add_column(a, j, err) != 0)
            return -1;
    }
    return 0;
}

static bool same_key(const alteration *a)
{
    bool same = a->from->key_count == a->to->key_count;
    for (int k = 0; same && k < a->to->key_count; k++) {
        const pgconvoy_column *from = &a->from->columns[a->from->key[k]], *to = &a->to->columns[a->to->key[k]];
        same = from->number && to->number ? from->number == to->number : strcmp(from->name, to->name) == 0;
    }
    return same;
}

/* Refuses a name that another table has here: one that the source has dropped, or somebody's own. */
static int check_name(alteration *a, pgconvoy_error *err)
{
    pgc_clickhouse_sink *sink = a->writer->sink;
    if (a->writer->told_rename) /* it may be the name that another one would have given up by now */
        return 0;
    if (pgc_clickhouse_table_exists(sink, &a->writer->session, a->layout->name, &a->taken, err) != 0)
        return -1;
    a->writer->told_rename = sink->config->tell && !a->taken;
    if (!a->taken)
        return 0;
    a->refused = true;
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "table %s.%s is renamed to %s.%s, which is there already, which cannot be followed in ClickHouse", a->from->schema, a->from->name,
                       a->to->schema, a->to->name);
    pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again with --if-exists drop");
    return -1;
}

static int rename_table(alteration *a, const pgc_clickhouse_layout *old, pgconvoy_error *err)
{
    pgc_clickhouse_sink *sink = a->writer->sink;
    bool there;
    if (pgc_clickhouse_table_exists(sink, &a->writer->session, old->name, &there, err) != 0 || (there && check_name(a, err) != 0))
        return -1;
    if (there) {
        pgc_buffer_reset(&a->sql);
        pgc_clickhouse_drop_table(sink, old->view, &a->sql);
        if (run(a, err) != 0)
            return -1;
        pgc_buffer_reset(&a->sql);
        pgc_buffer_text(&a->sql, "RENAME TABLE ");
        pgc_clickhouse_table_name(sink, old->name, false, &a->sql);
        pgc_buffer_text(&a->sql, " TO ");
        pgc_clickhouse_table_name(sink, a->layout->name, true, &a->sql);
        if (run(a, err) != 0)
            return -1;
    }
    if (sink->config->tell)
        return 0;
    pthread_mutex_lock(&sink->lock);
    int result = pgc_clickhouse_checkpoint_rename(sink, a->from, a->to, err);
    pthread_mutex_unlock(&sink->lock);
    return result;
}

/* Whether the table that is there is ordered by the key: it may be of before a change that came while nobody looked, or with a stream that has begun anew since. */
static bool is_ordered_by_key(const alteration *a)
{
    bool keyed = pgc_clickhouse_column_type(&a->columns, "_version") != NULL;
    int sorted = 0;
    if (a->layout->form == PGC_CLICKHOUSE_HISTORY || a->columns.count == 0)
        return true;
    if (keyed != (a->layout->form == PGC_CLICKHOUSE_KEYED))
        return false;
    for (int k = 0; k < a->to->key_count && keyed; k++) {
        int there = pgc_clickhouse_column_find(&a->columns, &a->to->columns[a->to->key[k]]);
        if (there < 0 || !a->columns.sorted[there])
            return false;
    }
    for (size_t i = 0; i < a->columns.count; i++)
        sorted += a->columns.sorted[i];
    return !keyed || sorted == a->to->key_count;
}

static int refuse_key(alteration *a, pgconvoy_error *err)
{
    a->refused = true;
    pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "table %s.%s gets another key, which cannot be followed in ClickHouse", a->from->schema, a->from->name);
    pgconvoy_error_hint(err, "forget the pipeline with pgconvoy drop and copy again with --if-exists drop");
    return -1;
}

static int follow(alteration *a, const pgc_clickhouse_layout *old, pgconvoy_error *err)
{
    pgc_clickhouse_sink *sink = a->writer->sink;
    pgc_clickhouse_session *session = &a->writer->session;
    if (a->layout->form != PGC_CLICKHOUSE_HISTORY && !same_key(a))
        return refuse_key(a, err);
    if (strcmp(old->name, a->layout->name) != 0 && rename_table(a, old, err) != 0)
        return -1;
    /* in a trial it has its old name */
    const char *name = sink->config->tell ? old->name : a->layout->name;
    if (pgc_clickhouse_column_list(sink, session, name, a->layout->arena, &a->columns, err) != 0)
        return -1;
    if (!is_ordered_by_key(a) && may_be_made_anew(a)) /* somebody else's is ordered as they like */
        return refuse_key(a, err);
    if (follow_columns(a, err) != 0)
        return -1;
    if (sink->config->tell || (a->from->columns == a->to->columns && !a->ran))
        return 0;
    return pgc_clickhouse_make_view(sink, session, a->layout, err);
}

/* The table stays here under its old name, and another one may come by that: it must not count as copied. Nor must what is here under the new name; that is stored at once, too, because a
 * process that begins again finds the table by it. */
static int leave_name(const alteration *a)
{
    pgc_clickhouse_sink *sink = a->writer->sink;
    const pgconvoy_table_status statuses[] = {{a->from->schema, a->from->name, PGCONVOY_TABLE_WAITING, 0}, {a->to->schema, a->to->name, PGCONVOY_TABLE_WAITING, 0}};
    pgconvoy_error unused = {0};
    if (sink->config->tell)
        return 0;
    pthread_mutex_lock(&sink->lock);
    int result = pgc_clickhouse_checkpoint_store(sink, 0, statuses, 2, NULL, &unused);
    pthread_mutex_unlock(&sink->lock);
    return result;
}

/* 1: its copy is to make the table again; else the refusal stands. */
static int leave_to_copy(alteration *a, const pgc_clickhouse_layout *old)
{
    pgc_clickhouse_sink *sink = a->writer->sink;
    pgconvoy_error unused = {0};
    bool exists;
    if (!may_be_made_anew(a))
        return -1;
    if (!a->taken && strcmp(old->name, a->layout->name) != 0 &&
        (pgc_clickhouse_table_exists(sink, &a->writer->session, old->name, &exists, &unused) != 0 || (exists && rename_table(a, old, &unused) != 0 && !a->taken)))
        return -1;
    return !a->taken || (may_be_made_anew(a) && leave_name(a) == 0) ? 1 : -1;
}

int pgc_clickhouse_change_schema(void *arg, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                                 pgconvoy_error *err)
{
    pgc_clickhouse_writer *writer = arg;
    /* only if it was met: what the source sends first may be older than the definition that it is known by */
    pgc_clickhouse_stream_table *table = pgc_clickhouse_stream_table_find(writer, old_table);
    if (table && pgc_clickhouse_apply_table(writer, table, err) != 0)
        return -1;
    pgc_clickhouse_layout *old = pgc_clickhouse_layout_new(writer->sink, old_table, err);
    alteration a = {.writer = writer, .from = old_table, .to = new_table, .old = old};
    a.layout = old ? pgc_clickhouse_layout_new(writer->sink, new_table, err) : NULL;
    if (!a.layout) {
        pgc_clickhouse_layout_free(old);
        return -1;
    }
    pgc_buffer_init(&a.sql, (size_t)16 << 20);
    int result = follow(&a, old, err);
    if (result != 0 && a.refused)
        result = leave_to_copy(&a, old);
    pgc_buffer_free(&a.sql);
    pgc_clickhouse_layout_free(a.layout);
    pgc_clickhouse_layout_free(old);
    pgc_clickhouse_stream_table_forget(writer, old_table);
    return result;
}
