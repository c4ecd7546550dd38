/*
 * The statements of the change stream: for a table, an action and the set of columns whose values take part there is
 * one (statement_sql.c), prepared when it is first needed; and the tables of the target that they belong to.
 */
#include "sink/postgres/types.h"
#include "postgres/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGET_STATEMENTS_MAX 100  /* of one table: then it is forgotten and starts anew */
#define WRITER_STATEMENTS_MAX 2000 /* the server keeps a plan for each */

static pgc_pgsink_statement *make(pgc_pgsink_writer *writer, pgc_pgsink_target *target, pgc_pgsink_action action,
                                  bool compares, size_t sent_bytes, pgconvoy_error *err)
{
    size_t most = 2 * (size_t)target->table->column_count + 1; /* new and old of each column */
    pgc_pgsink_statement *statement = pgc_arena_zalloc(target->arena, sizeof *statement);
    if (statement) {
        statement->action = action;
        statement->compares = compares;
        statement->strict = writer->strict;
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
            memcmp(statement->sent, writer->sent, sent_bytes) == 0)
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

static int remember(pgc_pgsink_target *target, const pgc_pgsink_bulk_statement *statement, pgconvoy_error *err)
{
    size_t bytes = sizeof *statement->types * (size_t)statement->count;
    pgc_pgsink_bulk_statement *kept = pgc_arena_zalloc(target->arena, sizeof *kept);
    if (kept) {
        kept->sql = pgc_arena_strdup(target->arena, statement->sql);
        kept->types = pgc_arena_alloc(target->arena, bytes);
        kept->count = statement->count;
    }
    if (!kept || !kept->sql || !kept->types)
        return pgc_error_out_of_memory(err);
    memcpy(kept->types, statement->types, bytes);
    kept->next = target->bulk_statements;
    target->bulk_statements = kept;
    target->statement_count++;
    return 0;
}

int pgc_pgsink_statement_again(pgc_pgsink_writer *writer, pgc_pgsink_target *target, pgc_pgsink_bulk_statement *statement,
                               pgconvoy_error *err)
{
    pgc_pgsink_bulk_statement *known = target->bulk_statements;
    while (known && !is_same(known, statement))
        known = known->next;
    if (!known)
        return remember(target, statement, err);
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

/* ---- tables */

static pgc_pgsink_target **slot_of(pgc_pgsink_writer *writer, uint32_t oid)
{
    pgc_pgsink_target **slot = &writer->targets[oid % PGSINK_TARGET_SLOTS];
    while (*slot && (*slot)->table->oid != oid)
        slot = &(*slot)->next;
    return slot;
}

static int deallocate(pgc_pgsink_writer *writer, const char *name, pgconvoy_error *err)
{
    char sql[64];
    snprintf(sql, sizeof sql, "DEALLOCATE %s", name);
    if (pgc_pgsink_execute(writer->conn, sql, "forgetting a statement on the target", err) != 0)
        return -1;
    writer->statement_count--;
    return 0;
}

int pgc_pgsink_target_forget(pgc_pgsink_writer *writer, uint32_t oid, pgconvoy_error *err)
{
    if (pgc_pgsink_land(writer, err) != 0)
        return -1;
    pgc_pgsink_target **slot = slot_of(writer, oid), *target = *slot;
    if (!target)
        return 0;
    for (pgc_pgsink_statement *statement = target->statements; statement; statement = statement->next)
        if (statement->sql && deallocate(writer, statement->name, err) != 0)
            return -1;
    for (pgc_pgsink_bulk_statement *statement = target->bulk_statements; statement; statement = statement->next)
        if (statement->name[0] && deallocate(writer, statement->name, err) != 0)
            return -1;
    *slot = target->next;
    pgc_arena_free(target->arena); /* the target itself lives there */
    writer->last_target = writer->truncate_target = NULL;
    return 0;
}

void pgc_pgsink_targets_clear(pgc_pgsink_writer *writer)
{
    for (size_t i = 0; i < PGSINK_TARGET_SLOTS; i++)
        for (pgc_pgsink_target *target; (target = writer->targets[i]) != NULL;) {
            writer->targets[i] = target->next;
            pgc_arena_free(target->arena); /* the target itself lives there */
        }
    writer->last_target = writer->truncate_target = NULL;
    writer->statement_count = 0;
    writer->own_prepared = 0;
}

static bool lacks_columns(const pgc_pgsink_relation *relation, const pgconvoy_table *table)
{
    for (int i = 0; i < table->column_count; i++)
        if (!pgc_pgsink_relation_find(relation, table->columns[i].name))
            return true;
    return false;
}

/* What a prepared transaction does is not there yet, and may never be: then it is done by another one, before. */
static int add_columns(pgc_pgsink_writer *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_pgsink *sink = writer->sink;
    if (!writer->preparing)
        return pgc_pgsink_alter(sink, writer->conn, NULL, table, false, err);
    PGconn *conn = pgc_pgsink_borrow(sink, err);
    int status = conn && pgc_pgsink_begin(conn, err) == 0 ? pgc_pgsink_alter(sink, conn, NULL, table, false, err) : -1;
    if (status == 0)
        status = pgc_pgsink_execute(conn, "COMMIT", "adding columns on the target", err);
    pgc_pgsink_give_back(sink, conn);
    return status;
}

static int load_relation(pgc_pgsink_writer *writer, pgc_pgsink_target *target, pgconvoy_error *err)
{
    const pgconvoy_table *table = target->table;
    if (pgc_pgsink_relation_load(writer->conn, table->schema, table->name, target->arena, &target->relation, err) != 0)
        return -1;
    if (target->relation.oid == 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "table %s.%s is not on the target", table->schema, table->name);
        pgconvoy_error_hint(err, "create it there, or start again so that it is copied: pgconvoy drop, then sync");
        return -1;
    }
    /* columns that came while no pipeline ran */
    if (lacks_columns(&target->relation, table)) {
        writer->altered = true;
        if (add_columns(writer, table, err) != 0 ||
            pgc_pgsink_relation_load(writer->conn, table->schema, table->name, target->arena, &target->relation, err) != 0)
            return -1;
    }
    return pgc_pgsink_relation_check(writer->sink, &target->relation, table, err);
}

/* What fires here (ALWAYS and REPLICA triggers; where we are not silent, all others and the foreign keys) must see each
 * change in its order. */
static int choose_way(pgc_pgsink_writer *writer, pgc_pgsink_target *target, pgconvoy_error *err)
{
    static const char sql[] =
        "SELECT c.relhasrules, EXISTS (SELECT FROM pg_trigger g WHERE g.tgenabled IN ('A', $2) AND (g.tgrelid = c.oid"
        " OR g.tgrelid IN (SELECT relid FROM pg_partition_tree(c.oid)))) FROM pg_class c WHERE c.oid = $1::oid";
    const pgconvoy_table *table = target->table;
    char oid[16];
    snprintf(oid, sizeof oid, "%u", target->relation.oid);
    const char *values[] = {oid, writer->sink->replica_role ? "R" : "O"};
    PGresult *result = pgc_pgsink_query(writer->conn, sql, 2, values, "looking for triggers on the target", err);
    if (!result)
        return -1;
    bool has_rules = PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't';
    bool fires = has_rules || (PQntuples(result) == 1 && PQgetvalue(result, 0, 1)[0] == 't');
    PQclear(result);
    bool is_table = target->relation.kind == 'r' || target->relation.kind == 'p';
    target->looks = is_table && !has_rules && table->key_count > 0;
    target->way = fires ? PGSINK_IN_ORDER : PGSINK_IN_BULK;
    bool plain = is_table && (table->key_count == 0 || target->upsert);
    for (int i = 0; i < table->column_count; i++)
        plain = plain && !(target->columns[i]->identity_always && !table->columns[i].in_key) &&
                !(target->columns[i]->generated && table->columns[i].in_key);
    /* in bulk nobody would see that a row is another one than the source's old row says */
    bool careful = writer->sink->on_conflict != PGSINK_SOURCE_WINS || writer->sink->conflict_table;
    plain = plain && !(careful && table->replica_identity == 'f' && table->key_count > 0);
    /* whether the row's last write is older is asked for each change */
    plain = plain && writer->sink->on_conflict != PGSINK_LAST_WRITE;
    if (!fires && !plain)
        target->way = PGSINK_ONE_BY_ONE;
    return 0;
}

static int load(pgc_pgsink_writer *writer, pgc_pgsink_target *target, pgconvoy_error *err)
{
    const pgconvoy_table *table = target->table;
    size_t count = (size_t)table->column_count + 1;
    target->columns = pgc_arena_zalloc(target->arena, count * sizeof *target->columns);
    target->pass_binary = pgc_arena_zalloc(target->arena, count * sizeof *target->pass_binary);
    if (!target->columns || !target->pass_binary)
        return pgc_error_out_of_memory(err);
    if (load_relation(writer, target, err) != 0)
        return -1;
    for (int i = 0; i < table->column_count; i++) {
        const pgconvoy_column *column = &table->columns[i];
        target->columns[i] = pgc_pgsink_relation_find(&target->relation, column->name);
        bool same = pgc_pgsink_column_fit(column, target->columns[i]) == PGSINK_FIT_SAME;
        /* a binary form that we cannot read is best left to the same type's own code */
        target->pass_binary[i] =
            same && (pgc_pgsink_type_is_portable(writer->sink, column->type) || !pgc_type_has_binary(column->type));
        if (same && pgc_pgsink_enum_extend(writer->sink, column->type, err) != 0)
            return -1;
    }
    if (pgc_pgsink_has_unique(writer->conn, target->relation.oid, table, table->key, table->key_count, &target->upsert,
                              err) != 0)
        return -1;
    if (table->key_count > 0 && !target->upsert)
        pgc_log_warning(writer->sink->config->log,
                        "%s.%s has no unique index on the key on the target: updates and deletes will be slow",
                        table->schema, table->name);
    return choose_way(writer, target, err);
}

pgc_pgsink_target *pgc_pgsink_target_get(pgc_pgsink_writer *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_pgsink_target *target = writer->last_target;
    if (!target || target->table != table)
        target = *slot_of(writer, table->oid);
    if (target && target->table->version == table->version && target->statement_count < TARGET_STATEMENTS_MAX) {
        target->table = table;
        return writer->last_target = target;
    }
    if (pgc_pgsink_target_forget(writer, table->oid, err) != 0) /* lands, also when there is nothing to forget */
        return NULL;
    if (writer->statement_count >= WRITER_STATEMENTS_MAX) {
        if (pgc_pgsink_execute(writer->conn, "DEALLOCATE ALL", "forgetting statements on the target", err) != 0)
            return NULL;
        pgc_pgsink_targets_clear(writer);
    }
    pgc_arena *arena = pgc_arena_new(16384);
    target = arena ? pgc_arena_zalloc(arena, sizeof *target) : NULL;
    if (!target) {
        if (arena)
            pgc_arena_free(arena);
        pgc_error_out_of_memory(err);
        return NULL;
    }
    target->arena = arena;
    target->table = table;
    if (load(writer, target, err) != 0) {
        pgc_arena_free(arena);
        return NULL;
    }
    pgc_pgsink_target **slot = slot_of(writer, table->oid);
    *slot = target;
    return writer->last_target = target;
}
