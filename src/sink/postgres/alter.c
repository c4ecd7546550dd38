/*
 * A schema change carried over. The old definition is compared with the new, and the target is brought to the new one
 * step by step, each step only where the target is not there yet: somebody may have made the change there by hand.
 *
 * A column's number tells whether it was renamed, or dropped and another added under its name: the numbers only grow. The old
 * definition may be a later one than the target's (the source's catalog as it was when the stream began). It is certain that the target
 * has it where the stream has told it, or where the target's columns stand in its order; else a name that the target has twice over, as
 * the old one and as the new one, cannot be told, and the table is copied anew. Where a definition has no numbers a renamed column looks like one dropped and one added. New columns of a table always come last: a new name with an old column behind it is a rename for sure. At the end of
 * the table it may be either, and guessing wrong would lose or keep the wrong values: that is refused.
 */
#include "postgres/value.h"
#include "sink/postgres/ddl.h"
#include "sink/postgres/types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct alteration {
    pgc_pgsink *sink;
    PGconn *conn;
    pgc_arena *arena;
    const pgconvoy_table *before;                /* the version that the stream told before, for its name; NULL: the stream has just begun */
    const pgconvoy_table *old_table, *new_table; /* old_table NULL: not known */
    bool followed, empty;                        /* see pgc_pgsink_alter, pgc_pgsink_alter_empty */
    bool certain;                                /* the target has the old definition */
    bool unclear;                                /* which of its columns is which cannot be told */
    const char *known_key;                       /* of the target's columns; NULL: not known */
    pgc_pgsink_relation relation;
    pgc_pgsink_content content;
} alteration;

/* Only the rows tell how the table changed: no command does, and it is not empty, as what is about to be copied is. */
static bool is_told_by_rows(const alteration *alter)
{
    return !alter->empty && !alter->followed && !alter->new_table->named_by_command;
}

static int find(const pgconvoy_table *table, const char *name)
{
    for (int i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return i;
    return -1;
}

static bool on_target(const alteration *alter, const char *name)
{
    return pgc_pgsink_relation_find(&alter->relation, name) != NULL;
}

static int reload(alteration *alter, pgconvoy_error *err)
{
    return pgc_pgsink_relation_load(alter->conn, alter->new_table->schema, alter->new_table->name, alter->arena,
                                    &alter->relation, err);
}

/* ALTER TABLE "schema"."name" and what comes after; middle is quoted as an identifier. */
static int alter_table(alteration *alter, const char *before, const char *middle, const char *after,
                       pgconvoy_error *err)
{
    const pgconvoy_table *table = alter->new_table;
    char doing[500];
    snprintf(doing, sizeof doing, "changing table %s.%s on the target (%s%s\"%s\")", table->schema, table->name, before,
             before[0] ? " " : "", middle);
    pgc_buffer sql;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_text(&sql, "ALTER TABLE ");
    pgc_quote_qualified(&sql, table->schema, table->name);
    pgc_buffer_format(&sql, " %s ", before);
    pgc_quote_identifier(&sql, middle);
    pgc_buffer_format(&sql, " %s", after);
    int status = pgc_pgsink_execute_buffer(alter->conn, &sql, doing, err);
    if (status == 0)
        pgc_pgsink_tell(alter->sink, sql.data);
    pgc_buffer_free(&sql);
    return status;
}

/* ---- the table's own name */

static int rename_table(alteration *alter, pgconvoy_error *err)
{
    const pgconvoy_table *old = alter->before, *new_ = alter->new_table;
    if (!old || alter->followed || (strcmp(old->schema, new_->schema) == 0 && strcmp(old->name, new_->name) == 0))
        return 0;
    pgc_pgsink_relation before, after;
    if (pgc_pgsink_relation_load(alter->conn, old->schema, old->name, alter->arena, &before, err) != 0 ||
        pgc_pgsink_relation_load(alter->conn, new_->schema, new_->name, alter->arena, &after, err) != 0)
        return -1;
    /* names that go from one table to another: rows of before the command that is still to come */
    if (before.oid != 0 && after.oid != 0 && new_->named_by_command)
        return 0;
    if (before.oid != 0 && after.oid == 0) {
        char doing[400];
        snprintf(doing, sizeof doing, "renaming table %s.%s to %s.%s on the target", old->schema, old->name,
                 new_->schema, new_->name);
        if (pgc_pgsink_create_schema(alter->conn, new_->schema, err) != 0)
            return -1;
        pgc_buffer sql;
        pgc_buffer_init(&sql, 65536);
        if (strcmp(old->name, new_->name) != 0) {
            pgc_buffer_text(&sql, "ALTER TABLE ");
            pgc_quote_qualified(&sql, old->schema, old->name);
            pgc_buffer_text(&sql, " RENAME TO ");
            pgc_quote_identifier(&sql, new_->name);
            pgc_buffer_text(&sql, "; ");
        }
        if (strcmp(old->schema, new_->schema) != 0) {
            pgc_buffer_text(&sql, "ALTER TABLE ");
            pgc_quote_qualified(&sql, old->schema, new_->name);
            pgc_buffer_text(&sql, " SET SCHEMA ");
            pgc_quote_identifier(&sql, new_->schema);
        }
        int status = pgc_pgsink_execute_buffer(alter->conn, &sql, doing, err);
        if (status == 0)
            pgc_pgsink_tell(alter->sink, sql.data);
        pgc_buffer_free(&sql);
        if (status != 0)
            return -1;
    }
    return pgc_pgsink_checkpoint_rename(alter->sink, alter->conn, old, new_, err);
}

/* ---- renamed columns */

/* One place between columns that both definitions have: the old names that went and the new names that came there. */
typedef struct gap {
    int old_count, new_count;
    int *olds, *news;
} gap;

static int refuse_ambiguous(const alteration *alter, const gap *gap, pgconvoy_error *err)
{
    const pgconvoy_table *old = alter->old_table, *new_ = alter->new_table;
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                       "column \"%s\" of %s.%s went and column \"%s\" came: it cannot be told whether it was renamed",
                       old->columns[gap->olds[0]].name, new_->schema, new_->name, new_->columns[gap->news[0]].name);
    pgconvoy_error_hint(err, "make the same change on the target by hand (rename the column, or drop one and add the "
                             "other), then run again");
    return -1;
}

static int rename_column(alteration *alter, const char *from, const char *to, pgconvoy_error *err)
{
    if (!on_target(alter, from) || on_target(alter, to))
        return 0;
    pgc_buffer name;
    pgc_buffer_init(&name, 4096);
    pgc_buffer_text(&name, "TO ");
    pgc_quote_identifier(&name, to);
    int status = pgc_buffer_check(&name, err) == 0 ? alter_table(alter, "RENAME COLUMN", from, name.data, err) : -1;
    pgc_buffer_free(&name);
    return status;
}

static int rename_in_gap(alteration *alter, const gap *gap, bool last, pgconvoy_error *err)
{
    const pgconvoy_table *old = alter->old_table, *new_ = alter->new_table;
    bool to_do = false, same_types = gap->old_count == gap->new_count, any_alike = false;
    for (int i = 0; i < gap->new_count; i++)
        to_do |= !on_target(alter, new_->columns[gap->news[i]].name);
    if (!to_do || gap->old_count == 0 || gap->new_count == 0)
        return 0;
    for (int n = 0; n < gap->new_count; n++)
        for (int o = 0; o < gap->old_count; o++)
            any_alike |= new_->columns[gap->news[n]].type->oid == old->columns[gap->olds[o]].type->oid;
    if (last && !any_alike)
        return 0; /* one dropped, another added */
    for (int i = 0; i < gap->new_count && same_types; i++)
        same_types = new_->columns[gap->news[i]].type->oid == old->columns[gap->olds[i]].type->oid;
    if (last || !same_types)
        return refuse_ambiguous(alter, gap, err);
    for (int i = 0; i < gap->new_count; i++)
        if (rename_column(alter, old->columns[gap->olds[i]].name, new_->columns[gap->news[i]].name, err) != 0)
            return -1;
    return reload(alter, err);
}

static int find_number(const pgconvoy_table *table, int number)
{
    for (int i = 0; i < table->column_count; i++)
        if (table->columns[i].number == number)
            return i;
    return -1;
}

/* Whether the target's columns have these names in this order. Generated ones are not sent. */
static bool has_in_order(const alteration *alter, const pgconvoy_table *table)
{
    int at = 0;
    for (int i = 0; i < alter->relation.column_count; i++) {
        if (alter->relation.columns[i].generated)
            continue;
        if (at == table->column_count || strcmp(alter->relation.columns[i].name, table->columns[at].name) != 0)
            return false;
        at++;
    }
    return at == table->column_count;
}

/* Columns whose names others have by now go before those come. */
static int drop_replaced(alteration *alter, pgconvoy_error *err)
{
    const pgconvoy_table *old = alter->old_table, *new_ = alter->new_table;
    bool dropped = false;
    for (int o = 0; o < old->column_count; o++) {
        const pgconvoy_column *gone = &old->columns[o];
        int n = find(new_, gone->name);
        if (n < 0 || (new_->columns[n].number <= gone->number && !alter->certain) || find_number(new_, gone->number) >= 0 ||
            !on_target(alter, gone->name))
            continue;
        if (alter_table(alter, "DROP COLUMN", gone->name, "", err) != 0)
            return -1;
        dropped = true;
    }
    return dropped ? reload(alter, err) : 0;
}

#define ON_THE_WAY "pgconvoy_renamed"

/* Whether a name is that of a column which gives it up. */
static bool waits_for_another(const alteration *alter, const char *const *names, const char *wanted)
{
    const pgconvoy_table *old = alter->old_table, *new_ = alter->new_table;
    for (int o = 0; o < old->column_count; o++) {
        int here = find_number(new_, old->columns[o].number);
        if (here >= 0 && strcmp(names[o], wanted) == 0 && strcmp(new_->columns[here].name, wanted) != 0)
            return true;
    }
    return false;
}

static int give_name(alteration *alter, const char **name, const char *to, pgconvoy_error *err)
{
    if (rename_column(alter, *name, to, err) != 0 || reload(alter, err) != 0)
        return -1;
    *name = to;
    return 0;
}

/* A column may take the name of one that is renamed itself: that one goes first, and of those in a circle one by way of a
 * name of ours. */
static int rename_by_number(alteration *alter, pgconvoy_error *err)
{
    const pgconvoy_table *old = alter->old_table, *new_ = alter->new_table;
    const char **names = pgc_arena_alloc(alter->arena, ((size_t)old->column_count + 1) * sizeof *names);
    if (!names)
        return pgc_error_out_of_memory(err);
    for (int o = 0; o < old->column_count; o++)
        names[o] = old->columns[o].name; /* on the target by now */
    for (int rounds = 0; rounds <= 2 * old->column_count; rounds++) {
        bool renamed = false;
        int waiting = -1;
        alter->unclear = false;
        for (int o = 0; o < old->column_count; o++) {
            int here = find_number(new_, old->columns[o].number);
            const char *to = here < 0 ? names[o] : new_->columns[here].name;
            if (strcmp(names[o], to) == 0 || !on_target(alter, names[o]))
                continue;
            if (on_target(alter, to)) {
                bool waits = waits_for_another(alter, names, to);
                waiting = waits && alter->certain ? o : waiting;
                alter->unclear |= waits && !alter->certain;
                continue;
            }
            if (give_name(alter, &names[o], to, err) != 0)
                return -1;
            renamed = true;
        }
        if (!renamed && waiting < 0)
            return 0;
        if (!renamed && give_name(alter, &names[waiting], ON_THE_WAY, err) != 0)
            return -1;
    }
    return 0;
}

/* Walks both definitions side by side, from one column that both have to the next. */
static int rename_columns(alteration *alter, pgconvoy_error *err)
{
    const pgconvoy_table *old = alter->old_table, *new_ = alter->new_table;
    if (!old || alter->followed)
        return 0;
    if (pgc_pgsink_is_numbered(old) && pgc_pgsink_is_numbered(new_)) {
        alter->certain |= old->version > 1 || (!new_->named_by_command && has_in_order(alter, old));
        if (drop_replaced(alter, err) != 0)
            return -1;
        if (!alter->certain && has_in_order(alter, new_))
            return 0; /* it is there already: the old definition is of later */
        int status = rename_by_number(alter, err);
        alter->unclear &= !new_->named_by_command; /* a command that is still to come says it */
        return status;
    }
    gap gap;
    gap.olds = pgc_arena_alloc(alter->arena, sizeof(int) * ((size_t)old->column_count + 1));
    gap.news = pgc_arena_alloc(alter->arena, sizeof(int) * ((size_t)new_->column_count + 1));
    if (!gap.olds || !gap.news)
        return pgc_error_out_of_memory(err);
    int o = 0, n = 0;
    for (bool last = false; !last; o++, n++) {
        gap.old_count = gap.new_count = 0;
        for (; o < old->column_count && find(new_, old->columns[o].name) < 0; o++)
            gap.olds[gap.old_count++] = o;
        for (; n < new_->column_count && find(old, new_->columns[n].name) < 0; n++)
            gap.news[gap.new_count++] = n;
        last = o >= old->column_count || n >= new_->column_count;
        if (rename_in_gap(alter, &gap, last, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- columns that came, went, or changed their type */

/* Rows from before have what the source's catalog keeps for them, where it tells. A column that takes NULL is otherwise added with NULL
 * in them, and that is said; one that does not take it must have had a default. */
static int check_missing(alteration *alter, const pgconvoy_column *column, const char *what, pgconvoy_error *err)
{
    bool rows;
    if (column->missing || alter->empty)
        return 0;
    if (pgc_pgsink_has_rows(alter->conn, alter->new_table, &rows, err) != 0)
        return -1;
    if (rows && column->not_null) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE,
                           "%s was added as NOT NULL, and the values of the rows from before are not known", what);
        pgconvoy_error_hint(err,
                            "add it to the table on the target by hand, with the source's default, then run again");
        return -1;
    }
    if (rows && column->number == 0)
        pgc_log_warning(
            alter->sink->config->log,
            "%s was added: rows from before have NULL there on the target, whatever its default on the source", what);
    return 0;
}

/* So that applications may write to the target one day. No change of the stream needs it: what it speaks of (a function, say) may not be there, and that ends nothing. */
static int set_default(alteration *alter, const pgconvoy_column *column, const char *what, pgconvoy_error *err)
{
    static const char doing[] = "giving a column its default on the target";
    pgconvoy_error why = {0};
    pgc_buffer sql;
    if (pgc_pgsink_execute(alter->conn, "SAVEPOINT pgconvoy_default", doing, err) != 0)
        return -1;
    pgc_buffer_init(&sql, PGSINK_SQL_LIMIT);
    bool is_there = true;
    int failed = column->default_sequence ? pgc_query_truth(alter->conn, "SELECT pg_catalog.to_regclass($1) IS NOT NULL", 1, &column->default_sequence, &is_there, &why) : 0;
    if (!failed && !is_there) {
        pgc_buffer_format(&sql, "CREATE SEQUENCE %s %s", column->default_sequence, column->default_sequence_options);
        failed = pgc_pgsink_execute_buffer(alter->conn, &sql, doing, &why);
    }
    failed = failed || alter_table(alter, "ALTER COLUMN", column->name, column->default_clause, &why) != 0;
    if (!failed && !is_there) {
        pgc_buffer_reset(&sql);
        pgc_buffer_format(&sql, "ALTER SEQUENCE %s OWNED BY ", column->default_sequence);
        pgc_quote_qualified(&sql, alter->new_table->schema, alter->new_table->name);
        pgc_buffer_byte(&sql, '.');
        pgc_quote_identifier(&sql, column->name);
        failed = pgc_pgsink_execute_buffer(alter->conn, &sql, doing, &why);
    }
    pgc_buffer_free(&sql);
    if (failed && (why.retriable || PQstatus(alter->conn) != CONNECTION_OK)) {
        *err = why;
        return -1;
    }
    if (failed)
        pgc_log_warning(alter->sink->config->log, "%s has no default on the target (%s): the source's is \"%s\"", what, why.message, column->default_clause);
    return pgc_pgsink_execute(alter->conn, failed ? "ROLLBACK TO SAVEPOINT pgconvoy_default; RELEASE SAVEPOINT pgconvoy_default" : "RELEASE SAVEPOINT pgconvoy_default", doing, err);
}

static int add_column(alteration *alter, const pgconvoy_column *column, pgconvoy_error *err)
{
    const pgconvoy_table *table = alter->new_table;
    char what[300];
    snprintf(what, sizeof what, "column \"%s\" of %s.%s", column->name, table->schema, table->name);
    if (check_missing(alter, column, what, err) != 0 ||
        pgc_pgsink_type_create(alter->sink, alter->conn, column->type, what, err) != 0)
        return -1;
    pgc_buffer definition;
    pgc_buffer_init(&definition, PGSINK_SQL_LIMIT);
    pgc_buffer_text(&definition, column->type_sql);
    pgc_buffer_text(&definition, column->not_null ? " NOT NULL" : "");
    if (column->missing) {
        pgc_buffer_text(&definition, " DEFAULT ");
        pgc_quote_literal(&definition, column->missing);
        pgc_buffer_format(&definition, "::%s", column->type_sql);
    }
    int status = pgc_buffer_check(&definition, err) == 0
                     ? alter_table(alter, "ADD COLUMN", column->name, definition.data, err)
                     : -1;
    pgc_buffer_free(&definition);
    if (status == 0 && column->missing)
        status = alter_table(alter, "ALTER COLUMN", column->name, "DROP DEFAULT", err);
    return status == 0 && column->default_clause ? set_default(alter, column, what, err) : status;
}

static int change_type(alteration *alter, const pgconvoy_column *column, pgconvoy_error *err)
{
    pgc_buffer tail;
    pgc_buffer_init(&tail, 65536);
    if (pgc_pgsink_type_create(alter->sink, alter->conn, column->type, "the new type of a column", err) != 0)
        return -1;
    pgc_buffer_format(&tail, "TYPE %s USING ", column->type_sql);
    if (alter->empty) /* there need not be a cast */
        pgc_buffer_text(&tail, "NULL");
    else
        pgc_quote_identifier(&tail, column->name);
    pgc_buffer_format(&tail, "::%s", column->type_sql);
    int status =
        pgc_buffer_check(&tail, err) == 0 ? alter_table(alter, "ALTER COLUMN", column->name, tail.data, err) : -1;
    pgc_buffer_free(&tail);
    return status;
}

/* A user's type that is what it was at the source: if the target has it by another name, the command that renames it is still to come, or was not told. */
static bool keeps_type(const alteration *alter, const pgconvoy_column *column)
{
    int before = alter->old_table ? find(alter->old_table, column->name) : -1;
    return before >= 0 && !pgc_pgsink_type_is_built_in(column->type) && alter->old_table->columns[before].type->oid == column->type->oid;
}

/* Whether the target has the very type that the source had: it is kept the same, whoever made it. */
static bool had_type_of_source(const alteration *alter, const pgconvoy_column *column, const pgc_pgsink_column *target)
{
    int before = !alter->old_table ? -1 : column->number ? find_number(alter->old_table, column->number) : find(alter->old_table, column->name);
    const pgconvoy_column *old = before < 0 ? NULL : &alter->old_table->columns[before];
    if (!old || old->typmod != target->typmod)
        return false;
    return old->type->oid < PGC_FIRST_USER_OID ? old->type->oid == target->type_oid : pgc_pgsink_column_fit(old, target) == PGSINK_FIT_SAME;
}

static bool is_of_the_source(const alteration *alter, const char *name)
{
    return find(alter->new_table, name) >= 0 || (alter->old_table && find(alter->old_table, name) >= 0);
}

/* Its copy may give the table whatever columns the source has, as it has none of its own. */
static bool may_be_copied_anew(const alteration *alter)
{
    if (alter->content == PGSINK_CONTENT_APPENDED || alter->content == PGSINK_CONTENT_UNKNOWN)
        return false;
    for (int i = 0; i < alter->relation.column_count; i++)
        if (!alter->relation.columns[i].generated && !is_of_the_source(alter, alter->relation.columns[i].name))
            return false;
    return true;
}

/* What USING made of the values, rows alone do not tell. */
static int check_using(const alteration *alter, const pgconvoy_column *column, const pgc_pgsink_column *target, pgconvoy_error *err)
{
    if (!is_told_by_rows(alter) || pgc_pgsink_widens(target, column->type) || !may_be_copied_anew(alter))
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "column \"%s\" of %s.%s has another type, and what became of the values from before only the source knows",
                       column->name, alter->new_table->schema, alter->new_table->name);
    return -1;
}

static int follow_column(alteration *alter, const pgconvoy_column *column, pgconvoy_error *err)
{
    const pgc_pgsink_column *target = pgc_pgsink_relation_find(&alter->relation, column->name);
    if (!target)
        return add_column(alter, column, err);
    pgc_pgsink_fit fit = pgc_pgsink_column_fit(column, target);
    bool ours = alter->content == PGSINK_CONTENT_CREATED || alter->empty;
    bool stays = fit != PGSINK_FIT_SAME && (alter->old_table && !column->type->lost ? keeps_type(alter, column) : pgc_pgsink_is_named_otherwise(column, target));
    /* somebody else's table may have a wider type; in ours the source's is meant */
    bool follows = ours || had_type_of_source(alter, column, target);
    if (!stays && (fit == PGSINK_FIT_NONE || (follows && (fit != PGSINK_FIT_SAME || column->typmod != target->typmod)))) {
        if (check_using(alter, column, target, err) != 0 || change_type(alter, column, err) != 0)
            return -1;
    } else if (pgc_pgsink_enum_extend(alter->sink, alter->conn, column->type, target, PGSINK_LABEL_MET, err) != 0) {
        return -1;
    }
    if (ours && target->not_null && !column->not_null && !column->primary_key)
        return alter_table(alter, "ALTER COLUMN", column->name, "DROP NOT NULL", err);
    return 0;
}

static int drop_columns(alteration *alter, pgconvoy_error *err)
{
    const pgconvoy_table *old = alter->old_table;
    for (int i = 0; old && i < old->column_count; i++) {
        const char *name = old->columns[i].name;
        if (find(alter->new_table, name) < 0 && on_target(alter, name) &&
            alter_table(alter, "DROP COLUMN", name, "", err) != 0)
            return -1;
    }
    return 0;
}

/* Without the old definition a column that the source does not have may be the old name of one that is missing. */
static int check_unknown(alteration *alter, pgconvoy_error *err)
{
    for (int i = 0; !alter->old_table && i < alter->relation.column_count; i++) {
        const char *name = alter->relation.columns[i].name;
        if (find(alter->new_table, name) >= 0 || (alter->empty && alter->relation.columns[i].generated))
            continue; /* generated columns are not sent */
        if (alter->empty && alter_table(alter, "DROP COLUMN", name, "", err) == 0)
            continue;
        if (alter->empty)
            return -1;
        pgconvoy_error_set(
            err, PGCONVOY_ERROR_STATE,
            "table %s.%s has changed while no pipeline ran: column \"%s\" of the target is not on the source",
            alter->new_table->schema, alter->new_table->name, name);
        pgconvoy_error_hint(
            err, "give the table on the target the source's columns by hand (rename, drop, add), then run again");
        return -1;
    }
    return 0;
}

static bool same_keys(const pgconvoy_table *old, const pgconvoy_table *new_)
{
    if (old->key_count != new_->key_count)
        return false;
    for (int i = 0; i < new_->key_count; i++)
        if (strcmp(old->columns[old->key[i]].name, new_->columns[new_->key[i]].name) != 0)
            return false;
    for (int i = 0; i < new_->column_count; i++) {
        int before = find(old, new_->columns[i].name);
        if (new_->columns[i].primary_key != (before < 0 ? 0 : old->columns[before].primary_key))
            return false;
    }
    return true;
}

/* A new column of which only the source knows what the rows from before have. */
static const pgconvoy_column *find_computed(const alteration *alter)
{
    for (int i = 0; i < alter->new_table->column_count; i++) {
        const pgconvoy_column *column = &alter->new_table->columns[i];
        if (column->computed && !column->missing && !on_target(alter, column->name))
            return column;
    }
    return NULL;
}

static int refuse_circle(const alteration *alter, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "columns of %s.%s were renamed, and it cannot be told which of them the target has under which name",
                       alter->new_table->schema, alter->new_table->name);
    pgconvoy_error_hint(err, "give the columns on the target the source's names by hand, then run again");
    return -1;
}

/* Where the table cannot be copied anew its owner has to give the values. */
static int check_computed(const alteration *alter, pgconvoy_error *err)
{
    const pgconvoy_column *column = is_told_by_rows(alter) && may_be_copied_anew(alter) ? find_computed(alter) : NULL;
    bool rows = false;
    if (column && pgc_pgsink_has_rows(alter->conn, alter->new_table, &rows, err) != 0)
        return -1;
    if (!rows)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "column \"%s\" of %s.%s was added, and what it gave the rows from before only the source knows",
                       column->name, alter->new_table->schema, alter->new_table->name);
    return -1;
}

/* A column that is gone from the source by now, whose number only the order tells. */
static int find_gone(const alteration *alter, const pgconvoy_column *columns, int at)
{
    const pgconvoy_table *old = alter->old_table;
    int low = 0, high = 0, found = 0, count = 0;
    for (int i = 0; i < at; i++)
        low = columns[i].number > low ? columns[i].number : low;
    for (int i = at + 1; i < alter->new_table->column_count && high == 0; i++)
        high = columns[i].number;
    for (int o = 0; o < old->column_count; o++) {
        int number = old->columns[o].number;
        if (number <= low || (high != 0 && number >= high))
            continue;
        if (strcmp(old->columns[o].name, columns[at].name) == 0)
            return number;
        found = number;
        count++;
    }
    /* one more of the message may be between them */
    bool alone = high != 0 && at + 1 < alter->new_table->column_count && columns[at + 1].number == high && (at == 0 || columns[at - 1].number == low);
    return count == 1 && alone && high <= old->columns[old->column_count - 1].number ? found : 0;
}

static int number_gone(alteration *alter, pgconvoy_error *err)
{
    const pgconvoy_table *sent = alter->new_table;
    pgconvoy_table *table = pgc_arena_alloc(alter->arena, sizeof *table);
    pgconvoy_column *columns = pgc_arena_alloc(alter->arena, ((size_t)sent->column_count + 1) * sizeof *columns);
    if (!table || !columns)
        return pgc_error_out_of_memory(err);
    memcpy(columns, sent->columns, (size_t)sent->column_count * sizeof *columns);
    for (int i = 0; i < sent->column_count; i++)
        if (columns[i].number == 0)
            columns[i].number = find_gone(alter, columns, i);
    *table = *sent;
    table->columns = columns;
    alter->new_table = table;
    return 0;
}

/* What is stored of the target's columns counts for more than what the stream told: that may be of later. Commands tell it themselves. */
static int take_known(alteration *alter, pgconvoy_error *err)
{
    pgc_pgsink_known ask = {.table = alter->new_table, .relation = &alter->relation, .arena = alter->arena};
    if (!is_told_by_rows(alter))
        return 0;
    if (pgc_pgsink_known_read(alter->sink, alter->conn, &ask, 1, err) != 0)
        return -1;
    if (!ask.known)
        return 0;
    alter->old_table = ask.known;
    alter->known_key = ask.key;
    alter->certain = true;
    return number_gone(alter, err);
}

/* The names that the columns of the known key have on the target by now, as an array's text. */
static int former_key(const alteration *alter, pgc_buffer *names, pgconvoy_error *err)
{
    char *rest;
    for (const char *at = alter->known_key; *at; at = rest) {
        long number = strtol(at, &rest, 10);
        for (int i = 0; i < alter->old_table->column_count; i++)
            if (alter->old_table->columns[i].number == number)
                pgc_quote_array_element(names, alter->old_table->columns[i].name);
        if (rest == at)
            break;
    }
    pgc_array_end(names);
    return pgc_buffer_check(names, err);
}

/*
 * Only rows tell that the table has another key: a key that was the source's is not that of somebody else's design. *stays: the target keeps the one that it
 * has, and gets an index for the source's.
 */
static int give_up_key(const alteration *alter, bool *changes, bool *stays, pgconvoy_error *err)
{
    const pgconvoy_table *table = alter->new_table;
    *changes = is_told_by_rows(alter) && (alter->content == PGSINK_CONTENT_EMPTIED || alter->content == PGSINK_CONTENT_FOLLOWED || alter->content == PGSINK_CONTENT_CREATED) &&
               !pgc_pgsink_known_has_key(alter->known_key, table);
    if (!*changes)
        return 0;
    pgc_buffer names;
    pgc_buffer_init(&names, PGSINK_SQL_LIMIT);
    int status = former_key(alter, &names, err);
    if (status == 0)
        status = pgc_pgsink_drop_former_key(alter->conn, alter->relation.oid, table, names.data, stays, err);
    pgc_buffer_free(&names);
    if (status == 0)
        pgc_log_info(alter->sink->config->log, "%s.%s has another key at the source: %s", table->schema, table->name,
                     *stays ? "the target's own, or one that foreign keys refer to, stays" : "the target's is built anew");
    return status;
}

static int follow(alteration *alter, pgconvoy_error *err)
{
    const pgconvoy_table *table = alter->new_table;
    bool given_up = false, stays = false;
    if (rename_table(alter, err) != 0 || reload(alter, err) != 0)
        return -1;
    if (alter->relation.oid == 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "table %s.%s is not on the target", table->schema, table->name);
        pgconvoy_error_hint(err, "create it there, or start again so that it is copied: pgconvoy drop, then sync");
        return -1;
    }
    if (take_known(alter, err) != 0 || check_unknown(alter, err) != 0 ||
        pgc_pgsink_checkpoint_content(alter->sink, alter->conn, table->schema, table->name, &alter->content, err) !=
            0 ||
        give_up_key(alter, &given_up, &stays, err) != 0 || rename_columns(alter, err) != 0)
        return -1;
    table = alter->new_table;
    if (alter->unclear || check_computed(alter, err) != 0)
        return alter->unclear ? refuse_circle(alter, err) : -1;
    bool new_keys = !given_up && alter->content == PGSINK_CONTENT_CREATED && alter->before && !alter->followed && !same_keys(alter->before, table);
    if (new_keys && pgc_pgsink_drop_keys(alter->conn, alter->relation.oid, table, err) != 0)
        return -1;
    if (drop_columns(alter, err) != 0)
        return -1;
    for (int i = 0; i < table->column_count; i++)
        if (follow_column(alter, &table->columns[i], err) != 0)
            return -1;
    if (new_keys)
        pgc_pgsink_tell(alter->sink, "-- the table's key is built anew");
    if ((new_keys || (given_up && !stays)) && pgc_pgsink_build_keys(alter->conn, alter->relation.oid, table, err) != 0)
        return -1;
    if (stays && pgc_pgsink_build_key_index(alter->conn, alter->relation.oid, table, err) != 0)
        return -1;
    return alter->empty ? 0 : pgc_pgsink_known_store(alter->sink, alter->conn, table, err);
}

/* A refusal of ours, or of the server's to make of the old values new ones. */
static bool is_helped_by_copy(const alteration *alter, const pgconvoy_error *err)
{
    static const char *const classes[] = {"22", "23", "42"};
    if (alter->relation.oid == 0 || err->retriable || !may_be_copied_anew(alter))
        return false;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strncmp(err->sqlstate, classes[i], 2) == 0)
            return true;
    return err->code == PGCONVOY_ERROR_STATE;
}

/* 1, for the reason in err: what was begun is taken back, and the table is to be copied anew. */
static int leave_to_copy(alteration *alter, pgconvoy_error *err)
{
    const pgconvoy_table *table = alter->new_table;
    pgconvoy_error failure = {0};
    if (pgc_pgsink_execute(alter->conn, "ROLLBACK TO SAVEPOINT pgconvoy_alter", "taking back a change of a table on the target", &failure) == 0 &&
        (!alter->before || pgc_pgsink_leave_table(alter->sink, alter->conn, table->schema, table->name, &failure) == 0))
        return 1;
    *err = failure;
    return -1;
}

static int alter_with(alteration *alter, pgconvoy_error *err)
{
    alter->arena = pgc_arena_new(16384);
    if (!alter->arena)
        return pgc_error_out_of_memory(err);
    bool saved = is_told_by_rows(alter);
    int status = saved ? pgc_pgsink_execute(alter->conn, "SAVEPOINT pgconvoy_alter", "changing a table on the target", err) : 0;
    if (status == 0 && (status = follow(alter, err)) != 0 && saved && is_helped_by_copy(alter, err))
        status = leave_to_copy(alter, err);
    pgc_arena_free(alter->arena);
    return status;
}

int pgc_pgsink_alter(pgc_pgsink *sink, PGconn *conn, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                     bool followed, pgconvoy_error *err)
{
    alteration alter = {.sink = sink, .conn = conn, .before = old_table, .old_table = old_table, .new_table = new_table, .followed = followed};
    return alter_with(&alter, err);
}

int pgc_pgsink_alter_empty(pgc_pgsink *sink, PGconn *conn, const pgconvoy_table *table, pgconvoy_error *err)
{
    alteration alter = {.sink = sink, .conn = conn, .new_table = table, .empty = true};
    return alter_with(&alter, err);
}
