/*
 * The statements of the change stream: for a table, an action and the set of columns whose values take part there is
 * one, prepared when it is first needed. Parameters have the target columns' own types, so nothing is left to the
 * server's inference.
 *
 * A row without a key is found by its whole old image, byte for byte (operator *=), and exactly one of several equal
 * rows is meant: types without an equality, and values that are equal but not alike (1.0 and 1.00), are then no special
 * case.
 */
#include "sink/postgres/types.h"
#include "postgres/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGET_STATEMENTS_MAX 100  /* of one table: then it is forgotten and starts anew */
#define WRITER_STATEMENTS_MAX 2000 /* the server keeps a plan for each */

/* ---- SQL */

typedef struct builder {
    pgc_pgsink_target *target;
    pgc_pgsink_statement *statement;
    pgc_buffer sql;
} builder;

static bool is_sent(const pgc_pgsink_statement *statement, int column)
{
    return statement->sent[column / 64] >> (column % 64) & 1;
}

static void append_parameter(builder *build, int column, bool old)
{
    pgc_pgsink_statement *statement = build->statement;
    statement->parameters[statement->parameter_count] = (pgc_pgsink_parameter){(uint16_t)column, old};
    statement->types[statement->parameter_count++] = build->target->columns[column]->type_oid;
    pgc_buffer_format(&build->sql, "$%d", statement->parameter_count);
}

static void append_name(builder *build, int column)
{
    pgc_quote_identifier(&build->sql, build->target->table->columns[column].name);
}

static void append_table(builder *build, const char *verb)
{
    pgc_buffer_text(&build->sql, verb);
    /* rows of tables that inherit from it are those tables' own; of a partitioned table only its partitions have rows
     */
    pgc_buffer_text(&build->sql, build->target->relation.kind == 'p' ? " " : " ONLY ");
    pgc_quote_qualified(&build->sql, build->target->table->schema, build->target->table->name);
}

static void append_insert(builder *build)
{
    const pgconvoy_table *table = build->target->table;
    pgc_buffer *sql = &build->sql;
    int count = 0;
    pgc_buffer_text(sql, "INSERT INTO ");
    pgc_quote_qualified(sql, table->schema, table->name);
    for (int i = 0; i < table->column_count; i++)
        if (is_sent(build->statement, i)) {
            pgc_buffer_text(sql, count++ ? ", " : " (");
            append_name(build, i);
        }
    if (count == 0) {
        pgc_buffer_text(sql, " DEFAULT VALUES");
        return;
    }
    pgc_buffer_text(sql, ") OVERRIDING SYSTEM VALUE VALUES (");
    for (int i = 0, n = 0; i < table->column_count; i++)
        if (is_sent(build->statement, i)) {
            pgc_buffer_text(sql, n++ ? ", " : "");
            append_parameter(build, i, false);
        }
    pgc_buffer_byte(sql, ')');
}

static void append_on_conflict(builder *build)
{
    const pgconvoy_table *table = build->target->table;
    pgc_buffer *sql = &build->sql;
    if (!build->target->upsert)
        return;
    for (int i = 0; i < table->key_count; i++)
        if (!is_sent(build->statement, table->key[i]))
            return;
    for (int i = 0; i < table->key_count; i++) {
        pgc_buffer_text(sql, i ? ", " : " ON CONFLICT (");
        append_name(build, table->key[i]);
    }
    pgc_buffer_text(sql, ") DO ");
    int count = 0;
    for (int i = 0; i < table->column_count; i++) {
        if (!is_sent(build->statement, i) || build->target->columns[i]->identity_always)
            continue;
        pgc_buffer_text(sql, count++ ? ", " : "UPDATE SET ");
        append_name(build, i);
        pgc_buffer_text(sql, " = excluded.");
        append_name(build, i);
    }
    if (count == 0)
        pgc_buffer_text(sql, "NOTHING");
}

/* False when there is no column to set. */
static bool append_update(builder *build)
{
    const pgconvoy_table *table = build->target->table;
    int count = 0;
    append_table(build, "UPDATE");
    for (int i = 0; i < table->column_count; i++) {
        bool is_fixed = build->statement->action == PGSINK_UPDATE && table->columns[i].in_key;
        if (!is_sent(build->statement, i) || is_fixed || build->target->columns[i]->identity_always)
            continue;
        pgc_buffer_text(&build->sql, count++ ? ", " : " SET ");
        append_name(build, i);
        pgc_buffer_text(&build->sql, " = ");
        append_parameter(build, i, false);
    }
    return count > 0;
}

static void append_where_key(builder *build, bool old)
{
    const pgconvoy_table *table = build->target->table;
    for (int i = 0; i < table->key_count; i++) {
        pgc_buffer_text(&build->sql, i ? " AND " : " WHERE ");
        append_name(build, table->key[i]);
        pgc_buffer_text(&build->sql, build->target->columns[table->key[i]]->equals);
        append_parameter(build, table->key[i], old);
    }
}

typedef enum comparison { BY_IMAGE, BY_TEXT, BY_VALUE } comparison;

static bool holds_composite(const pgconvoy_type *type)
{
    while (type && type->kind != PGCONVOY_TYPE_COMPOSITE)
        type = type->element;
    return type != NULL;
}

/* A composite's image holds traces of its definition's history; a column of another modifier keeps values that look
 * otherwise. */
static comparison compare_by(const pgc_pgsink_target *target, int column)
{
    const pgconvoy_column *source = &target->table->columns[column];
    if (holds_composite(source->type))
        return BY_TEXT;
    return pgc_pgsink_column_fit(source, target->columns[column]) == PGSINK_FIT_SAME &&
                   source->typmod == target->columns[column]->typmod
               ? BY_IMAGE
               : BY_VALUE;
}

static int count_images(const pgc_pgsink_target *target)
{
    int count = 0;
    for (int i = 0; i < target->table->column_count; i++)
        count += compare_by(target, i) == BY_IMAGE;
    return count;
}

static void append_where_full(builder *build)
{
    const pgc_pgsink_target *target = build->target;
    const pgconvoy_table *table = target->table;
    pgc_buffer *sql = &build->sql;
    const char *joint = " WHERE ";
    bool partitioned = target->relation.kind == 'p';
    pgc_buffer_text(sql,
                    partitioned ? " WHERE (tableoid, ctid) IN (SELECT tableoid, ctid" : " WHERE ctid = (SELECT ctid");
    append_table(build, " FROM");
    if (count_images(target) > 0) {
        pgc_buffer_text(sql, joint);
        pgc_buffer_text(sql, "ROW(");
        for (int i = 0, n = 0; i < table->column_count; i++)
            if (compare_by(target, i) == BY_IMAGE) {
                pgc_buffer_text(sql, n++ ? ", " : "");
                append_name(build, i);
            }
        /* the casts make records of them: two bare rows would be compared column by column */
        pgc_buffer_text(sql, ")::record OPERATOR(pg_catalog.*=) ROW(");
        for (int i = 0, n = 0; i < table->column_count; i++)
            if (compare_by(target, i) == BY_IMAGE) {
                pgc_buffer_text(sql, n++ ? ", " : "");
                append_parameter(build, i, true);
            }
        pgc_buffer_text(sql, ")::record");
        joint = " AND ";
    }
    for (int i = 0; i < table->column_count; i++) {
        comparison by = compare_by(target, i);
        if (by == BY_IMAGE)
            continue;
        pgc_buffer_text(sql, joint);
        append_name(build, i);
        pgc_buffer_text(sql, by == BY_TEXT ? "::text IS NOT DISTINCT FROM " : " IS NOT DISTINCT FROM ");
        append_parameter(build, i, true);
        pgc_buffer_text(sql, by == BY_TEXT ? "::text" : "");
        joint = " AND ";
    }
    pgc_buffer_text(sql, " LIMIT 1)");
}

static bool append_statement(builder *build)
{
    switch (build->statement->action) {
    case PGSINK_INSERT:
        append_insert(build);
        append_on_conflict(build);
        return true;
    case PGSINK_UPDATE:
    case PGSINK_UPDATE_KEY:
        if (!append_update(build))
            return false;
        append_where_key(build, build->statement->action == PGSINK_UPDATE_KEY);
        return true;
    case PGSINK_UPDATE_FULL:
        if (!append_update(build))
            return false;
        append_where_full(build);
        return true;
    case PGSINK_DELETE:
        append_table(build, "DELETE FROM");
        append_where_key(build, true);
        return true;
    case PGSINK_DELETE_FULL:
        append_table(build, "DELETE FROM");
        append_where_full(build);
        return true;
    }
    return false;
}

static pgc_pgsink_statement *make(pgc_pgsink_writer *writer, pgc_pgsink_target *target, pgc_pgsink_action action,
                                  size_t sent_bytes, pgconvoy_error *err)
{
    size_t most = 2 * (size_t)target->table->column_count + 1; /* new and old of each column */
    pgc_pgsink_statement *statement = pgc_arena_zalloc(target->arena, sizeof *statement);
    if (statement) {
        statement->action = action;
        statement->sent = pgc_arena_zalloc(target->arena, sent_bytes);
        statement->parameters = pgc_arena_zalloc(target->arena, most * sizeof *statement->parameters);
        statement->types = pgc_arena_zalloc(target->arena, most * sizeof *statement->types);
    }
    if (!statement || !statement->sent || !statement->parameters || !statement->types) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    memcpy(statement->sent, writer->sent, sent_bytes);
    builder build = {.target = target, .statement = statement};
    pgc_buffer_init(&build.sql, PGSINK_SQL_LIMIT);
    bool has_work = append_statement(&build);
    bool ok = pgc_buffer_check(&build.sql, err) == 0;
    if (ok && has_work && !(statement->sql = pgc_arena_strdup(target->arena, build.sql.data))) {
        pgc_error_out_of_memory(err);
        ok = false;
    }
    pgc_buffer_free(&build.sql);
    return ok ? statement : NULL;
}

pgc_pgsink_statement *pgc_pgsink_statement_get(pgc_pgsink_writer *writer, pgc_pgsink_target *target,
                                               pgc_pgsink_action action, pgconvoy_error *err)
{
    size_t sent_bytes = sizeof *writer->sent * (size_t)(target->table->column_count / 64 + 1);
    for (pgc_pgsink_statement *statement = target->statements; statement; statement = statement->next)
        if (statement->action == action && memcmp(statement->sent, writer->sent, sent_bytes) == 0)
            return statement;
    pgc_pgsink_statement *statement = make(writer, target, action, sent_bytes, err);
    if (!statement)
        return NULL;
    if (statement->sql) {
        snprintf(statement->name, sizeof statement->name, "pgconvoy_%u", ++writer->statement_number);
        if (pgc_pgsink_fly_prepare(writer, statement, target, err) != 0)
            return NULL;
        writer->statement_count++;
    }
    target->statement_count++;
    statement->next = target->statements;
    target->statements = statement;
    return statement;
}

/* ---- tables */

static pgc_pgsink_target **slot_of(pgc_pgsink_writer *writer, uint32_t oid)
{
    pgc_pgsink_target **slot = &writer->targets[oid % PGSINK_TARGET_SLOTS];
    while (*slot && (*slot)->table->oid != oid)
        slot = &(*slot)->next;
    return slot;
}

static void free_target(pgc_pgsink_writer *writer, pgc_pgsink_target *target)
{
    if (target->missing > 1)
        pgc_log_warning(writer->sink->config->log, "%lld updates and deletes of %s.%s found no row on the target",
                        (long long)target->missing, target->table->schema, target->table->name);
    pgc_arena_free(target->arena); /* the target itself lives there */
}

int pgc_pgsink_target_forget(pgc_pgsink_writer *writer, uint32_t oid, pgconvoy_error *err)
{
    if (pgc_pgsink_land(writer, err) != 0)
        return -1;
    pgc_pgsink_target **slot = slot_of(writer, oid), *target = *slot;
    if (!target)
        return 0;
    for (pgc_pgsink_statement *statement = target->statements; statement; statement = statement->next) {
        char sql[64];
        if (!statement->sql)
            continue;
        snprintf(sql, sizeof sql, "DEALLOCATE %s", statement->name);
        if (pgc_pgsink_execute(writer->conn, sql, "forgetting a statement on the target", err) != 0)
            return -1;
        writer->statement_count--;
    }
    *slot = target->next;
    free_target(writer, target);
    writer->last_target = writer->truncate_target = NULL;
    return 0;
}

void pgc_pgsink_targets_clear(pgc_pgsink_writer *writer)
{
    for (size_t i = 0; i < PGSINK_TARGET_SLOTS; i++)
        for (pgc_pgsink_target *target; (target = writer->targets[i]) != NULL;) {
            writer->targets[i] = target->next;
            free_target(writer, target);
        }
    writer->last_target = writer->truncate_target = NULL;
    writer->statement_count = 0;
}

static bool lacks_columns(const pgc_pgsink_relation *relation, const pgconvoy_table *table)
{
    for (int i = 0; i < table->column_count; i++)
        if (!pgc_pgsink_relation_find(relation, table->columns[i].name))
            return true;
    return false;
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
    if (lacks_columns(&target->relation, table) &&
        (pgc_pgsink_alter(writer->sink, writer->conn, NULL, table, err) != 0 ||
         pgc_pgsink_relation_load(writer->conn, table->schema, table->name, target->arena, &target->relation, err) !=
             0))
        return -1;
    return pgc_pgsink_relation_check(writer->sink, &target->relation, table, err);
}

/* What fires here (ALWAYS and REPLICA triggers; where we are not silent, all others and the foreign keys) must see each
 * change in its order. */
static int choose_way(pgc_pgsink_writer *writer, pgc_pgsink_target *target, pgconvoy_error *err)
{
    static const char sql[] =
        "SELECT c.relhasrules OR EXISTS (SELECT FROM pg_trigger g WHERE g.tgenabled IN ('A', $2) AND (g.tgrelid = c.oid"
        " OR g.tgrelid IN (SELECT relid FROM pg_partition_tree(c.oid)))) FROM pg_class c WHERE c.oid = $1::oid";
    const pgconvoy_table *table = target->table;
    char oid[16];
    snprintf(oid, sizeof oid, "%u", target->relation.oid);
    const char *values[] = {oid, writer->sink->replica_role ? "R" : "O"};
    PGresult *result = pgc_pgsink_query(writer->conn, sql, 2, values, "looking for triggers on the target", err);
    if (!result)
        return -1;
    bool fires = PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    target->way = fires ? PGSINK_IN_ORDER : PGSINK_IN_BULK;
    bool plain = (target->relation.kind == 'r' || target->relation.kind == 'p') &&
                 (table->key_count == 0 || target->upsert);
    for (int i = 0; i < table->column_count; i++)
        plain = plain && !(target->columns[i]->identity_always && !table->columns[i].in_key) &&
                !(target->columns[i]->generated && table->columns[i].in_key);
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
            same && (pgc_pgsink_type_is_portable(column->type) || !pgc_type_has_binary(column->type));
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
