/*
 * The statements of the change stream: for a table, an action and the set of columns whose values take part there is
 * one (statement_sql.c), prepared when it is first needed. They belong to the table (targets.c).
 */
#include "sink/postgres/sink_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pgc_pgsink_statement *make(pgc_pgsink_writer *writer, pgc_pgsink_target *target, pgc_pgsink_action action,
                                  bool compares, size_t sent_bytes, pgconvoy_error *err)
{
    size_t most = 2 * (size_t)target->table->column_count + 1; /* new and old of each column */
    pgc_pgsink_statement *statement = pgc_arena_zalloc(target->arena, sizeof *statement);
    if (statement) {
        statement->action = action;
        statement->compares = compares;
        statement->strict = writer->strict;
        statement->nulls = writer->nulls;
        statement->sent = pgc_arena_zalloc(target->arena, sent_bytes);
        statement->parameters = pgc_arena_zalloc(target->arena, most * sizeof *statement->parameters);
        statement->types = pgc_arena_zalloc(target->arena, most * sizeof *statement->types);
    }
    if (!statement || !statement->sent || !statement->parameters || !statement->types) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    memcpy(statement->sent, writer->sent, sent_bytes);
    pgc_buffer sql;
    pgc_buffer_init(&sql, PGSINK_SQL_LIMIT);
    bool has_work = pgc_pgsink_statement_sql(writer->sink, target, statement, &sql);
    bool ok = pgc_buffer_check(&sql, err) == 0;
    if (ok && has_work && !(statement->sql = pgc_arena_strdup(target->arena, sql.data))) {
        pgc_error_out_of_memory(err);
        ok = false;
    }
    pgc_buffer_free(&sql);
    return ok ? statement : NULL;
}

pgc_pgsink_statement *pgc_pgsink_statement_get(pgc_pgsink_writer *writer, pgc_pgsink_target *target,
                                               pgc_pgsink_action action, bool compares, pgconvoy_error *err)
{
    size_t sent_bytes = sizeof *writer->sent * (size_t)(target->table->column_count / 64 + 1);
    for (pgc_pgsink_statement *statement = target->statements; statement; statement = statement->next)
        if (statement->action == action && statement->compares == compares && statement->strict == writer->strict &&
            statement->nulls == writer->nulls && memcmp(statement->sent, writer->sent, sent_bytes) == 0)
            return statement;
    pgc_pgsink_statement *statement = make(writer, target, action, compares, sent_bytes, err);
    if (!statement)
        return NULL;
    if (statement->sql) {
        snprintf(statement->name, sizeof statement->name, "pgconvoy_%u", ++writer->statement_number);
        if (pgc_pgsink_fly_prepare(writer, statement->name, statement->sql, statement->parameter_count, statement->types, target, err) != 0)
            return NULL;
        writer->statement_count++;
    }
    target->statement_count++;
    statement->next = target->statements;
    target->statements = statement;
    return statement;
}

static bool is_same(const pgc_pgsink_bulk_statement *a, const pgc_pgsink_bulk_statement *b)
{
    return a->count == b->count && strcmp(a->sql, b->sql) == 0 &&
           memcmp(a->types, b->types, sizeof *a->types * (size_t)a->count) == 0;
}

static pgc_pgsink_bulk_statement *remember(pgc_pgsink_target *target, const pgc_pgsink_bulk_statement *statement, pgconvoy_error *err)
{
    size_t bytes = sizeof *statement->types * (size_t)statement->count;
    pgc_pgsink_bulk_statement *kept = pgc_arena_zalloc(target->arena, sizeof *kept);
    if (kept) {
        kept->sql = pgc_arena_strdup(target->arena, statement->sql);
        kept->types = pgc_arena_alloc(target->arena, bytes);
        kept->count = statement->count;
    }
    if (!kept || !kept->sql || !kept->types) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    memcpy(kept->types, statement->types, bytes);
    kept->next = target->bulk_statements;
    target->statement_count++;
    return target->bulk_statements = kept;
}

int pgc_pgsink_statement_again(pgc_pgsink_writer *writer, pgc_pgsink_target *target, pgc_pgsink_bulk_statement *statement,
                               pgconvoy_error *err)
{
    pgc_pgsink_bulk_statement *known = target->bulk_statements;
    while (known && !is_same(known, statement))
        known = known->next;
    if (!known && !(known = remember(target, statement, err)))
        return -1;
    if (!known->name[0]) {
        char name[sizeof known->name];
        snprintf(name, sizeof name, "pgconvoy_%u", ++writer->statement_number);
        if (pgc_pgsink_fly_prepare(writer, name, known->sql, known->count, known->types, target, err) != 0)
            return -1;
        memcpy(known->name, name, sizeof name);
        writer->statement_count++;
    }
    memcpy(statement->name, known->name, sizeof statement->name);
    return 0;
}

static int prepare_own(pgc_pgsink_writer *writer, const pgc_pgsink_own *own, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, PGSINK_SQL_LIMIT);
    if (own->sql)
        pgc_buffer_text(&sql, own->sql);
    else
        own->append_sql(writer->sink, &sql);
    int status = pgc_buffer_check(&sql, err) != 0
                     ? -1
                     : pgc_pgsink_fly_prepare(writer, own->name, sql.data, own->count, own->types, NULL, err);
    pgc_buffer_free(&sql);
    writer->statement_number++; /* it is to be forgotten with the others */
    writer->own_prepared |= status == 0 ? own->bit : 0;
    return status;
}

int pgc_pgsink_statement_own(pgc_pgsink_writer *writer, const pgc_pgsink_own *own, const char *const *values,
                             pgconvoy_error *err)
{
    if (!(writer->own_prepared & own->bit) && prepare_own(writer, own, err) != 0)
        return -1;
    return pgc_pgsink_fly_named(writer, own->kind, own->name, own->count, values, err);
}
