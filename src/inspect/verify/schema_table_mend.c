/*
 * What makes a table of the target that of the source, line by line of their definitions: columns and constraints by
 * their names, and what is said of the table as a whole.
 */
#include "inspect/verify/schema.h"

#include "catalog/relation.h"

#include <stdlib.h>

typedef verify_line line;

typedef struct mend {
    pgc_verify *verify;
    const pgc_relation *source, *target;
    pgc_buffer name;
    pgc_buffer back; /* to what such a table has by default, before it gets what the source has */
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

/* ------------------------------------------------------------------ the table as a whole */

static const char *storage_name(char storage)
{
    return storage == 'p' ? "PLAIN" : storage == 'e' ? "EXTERNAL" : storage == 'm' ? "MAIN" : "EXTENDED";
}

/* " RESET (a, b)" of " SET (a='1', b='2');". */
static void reset_all(pgc_buffer *out, const char *list, size_t length)
{
    const char *separator = "";
    bool quoted = false, of_name = true;
    pgc_buffer_text(out, " RESET (");
    for (size_t i = 0; i < length; i++) {
        quoted ^= list[i] == '\'';
        if (quoted)
            continue;
        if (list[i] == ',')
            of_name = true;
        else if (list[i] == '=' || list[i] == ')')
            of_name = false;
        else if (of_name && list[i] != ' ') {
            if (i == 0 || list[i - 1] == ' ' || list[i - 1] == ',')
                pgc_buffer_text(out, separator);
            pgc_buffer_byte(out, list[i]);
            separator = ", ";
        }
    }
    pgc_buffer_text(out, ");\n");
}

static const char *find_last(const line *line, const char *word)
{
    const char *found = NULL;
    size_t length = strlen(word);
    for (const char *at = line->text; at + length <= line->text + line->length; at++)
        if (memcmp(at, word, length) == 0)
            found = at;
    return found;
}

/* The storage that values of the column's type have. */
static bool storage_back(mend *mend, const line *alter, const char *set)
{
    const char *name = find_last(alter, " ALTER COLUMN ");
    if (!name)
        return false;
    name += strlen(" ALTER COLUMN ");
    const pgc_column *column = column_of(
        mend->target, &(line){.text = name, .length = (size_t)(set - name), .name_length = (size_t)(set - name)});
    if (column)
        pgc_buffer_format(&mend->back, "%.*s SET STORAGE %s;\n", (int)(set - alter->text), alter->text,
                          storage_name(column->type_storage));
    return column != NULL;
}

/* An ALTER TABLE that only the target's definition has is taken back. */
static bool take_back(mend *mend, const line *alter)
{
    static const struct {
        const char *has, *back;
    } kinds[] = {{" SET STATISTICS ", " SET STATISTICS -1"},
                 {" SET COMPRESSION ", " SET COMPRESSION DEFAULT"},
                 {" REPLICA IDENTITY ", " REPLICA IDENTITY DEFAULT"},
                 {" FORCE ROW LEVEL SECURITY", " NO FORCE ROW LEVEL SECURITY"}};
    const char *set = find_last(alter, " SET (");
    if (set) {
        pgc_buffer_append(&mend->back, alter->text, (size_t)(set - alter->text));
        reset_all(&mend->back, set + 6, alter->length - (size_t)(set + 6 - alter->text));
        return true;
    }
    if ((set = find_last(alter, " SET STORAGE ")) != NULL)
        return storage_back(mend, alter, set);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if ((set = find_last(alter, kinds[i].has)) != NULL) {
            pgc_buffer_format(&mend->back, "%.*s%s;\n", (int)(set - alter->text), alter->text, kinds[i].back);
            return true;
        }
    return false;
}

/* What differs as a whole; false when it has to be done by hand. A line has its fellow only by a name, so both come
 * here. */
static bool mend_whole(mend *mend, const line *source, const line *target)
{
    const line *any = source ? source : target;
    const char *table = mend->name.data;
    if (any->text[0] == ')') /* what follows it differs */
        return true;
    if (strncmp(any->text, "ALTER ", 6) == 0) {
        if (source)
            pgc_buffer_format(&mend->out, "%.*s\n", (int)source->length, source->text);
        return source || take_back(mend, target);
    }
    if (strncmp(any->text, "WITH (", 6) == 0) {
        if (target) {
            pgc_buffer_format(&mend->back, "ALTER TABLE %s", table);
            reset_all(&mend->back, target->text + 6, target->length - 6);
        } else
            pgc_buffer_format(&mend->out, "ALTER TABLE %s SET %.*s;\n", table,
                              (int)(source->length - 5 - (source->text[source->length - 1] == ';')), source->text + 5);
        return true;
    }
    bool is_first = strncmp(any->text, "CREATE ", 7) == 0 && mend->source->kind == PGC_RELKIND_TABLE;
    if (!is_first || mend->source->persistence == mend->target->persistence)
        return false;
    if (source)
        pgc_buffer_format(&mend->out, "ALTER TABLE %s SET %s;\n", table,
                          mend->source->persistence == 'u' ? "UNLOGGED" : "LOGGED");
    return true;
}

static void mend_line(void *arg, const line *source, const line *target)
{
    mend *mend = arg;
    const line *any = source ? source : target;
    const char *table = mend->name.data;
    bool is_constraint = any->name_length && strncmp(any->text, "CONSTRAINT ", 11) == 0;
    if (!any->name_length) {
        if (!mend_whole(mend, source, target))
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
    mend mend = {.verify = verify,
                 .source = (const pgc_relation *)source->object,
                 .target = (const pgc_relation *)target->object};
    pgc_buffer_init(&mend.name, 4096);
    pgc_buffer_init(&mend.back, VERIFY_SQL_LIMIT);
    pgc_buffer_init(&mend.out, VERIFY_SQL_LIMIT);
    pgc_quote_qualified(&mend.name, target->schema ? target->schema : "public", target->tag);
    bool done = mend.source && mend.target && verify_table_walk(source->create, target->create, mend_line, &mend);
    if (!done || mend.out.failed || mend.back.failed)
        atomic_store(&verify->repair_failed, true);
    if (mend.back.length)
        verify_repair(verify, verify->repair_define, mend.back.data);
    if (mend.out.length)
        verify_repair(verify, verify->repair_define, mend.out.data);
    pgc_buffer_free(&mend.name);
    pgc_buffer_free(&mend.back);
    pgc_buffer_free(&mend.out);
}
