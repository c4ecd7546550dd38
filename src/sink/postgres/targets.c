/*
 * The tables of the target, as a writer knows them: read from the server's catalog when their first change comes,
 * together with others that come soon, and kept with their statements (statement.c).
 */
#include "sink/postgres/keyless.h"
#include "sink/postgres/types.h"
#include "postgres/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGET_STATEMENTS_MAX 100  /* of one table: then it is forgotten and starts anew */
#define WRITER_STATEMENTS_MAX 2000 /* the server keeps a plan for each */

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
    writer->plans_anew = false; /* it may have been rolled back */
}

static bool lacks_columns(const pgc_pgsink_relation *relation, const pgconvoy_table *table)
{
    for (int i = 0; i < table->column_count; i++)
        if (!pgc_pgsink_relation_find(relation, table->columns[i].name))
            return true;
    return false;
}

/* In a transaction of its own, when the writer's is over. */
static int leave_to_copy(pgc_pgsink_writer *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    free(writer->left_schema);
    free(writer->left_name);
    writer->left_schema = strdup(table->schema);
    writer->left_name = strdup(table->name);
    pgconvoy_error_hint(err, "the table is copied anew");
    pgconvoy_error_retriable(err, true);
    return -1;
}

/* What a prepared transaction does is not there yet, and may never be: then it is done by another one, before. */
static int change_columns(pgc_pgsink_writer *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_pgsink *sink = writer->sink;
    if (!writer->preparing)
        return pgc_pgsink_alter(sink, writer->conn, NULL, table, false, err);
    PGconn *conn = pgc_pgsink_borrow(sink, err);
    int status = conn && pgc_pgsink_begin(conn, err) == 0 ? pgc_pgsink_alter(sink, conn, NULL, table, false, err) : -1;
    if (status == 0)
        status = pgc_pgsink_execute(conn, "COMMIT", "changing columns on the target", err);
    pgc_pgsink_give_back(sink, conn);
    return status;
}

/* With commands in the stream a table is as they have left it. */
static int read_known(pgc_pgsink_writer *writer, pgc_pgsink_target *const *targets, size_t count, pgconvoy_error *err)
{
    pgc_pgsink_known *asks = calloc(count, sizeof *asks);
    size_t asked = 0;
    if (!asks)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < count; i++)
        if (!targets[i]->table->named_by_command)
            asks[asked++] = (pgc_pgsink_known){.table = targets[i]->table, .relation = &targets[i]->relation, .arena = targets[i]->arena};
    int status = pgc_pgsink_known_read(writer->sink, writer->conn, asks, asked, err);
    for (size_t i = 0, of = 0; i < count && status == 0; i++)
        if (!targets[i]->table->named_by_command)
            targets[i]->known = asks[of].known, targets[i]->known_key = asks[of++].key;
    free(asks);
    return status;
}

/* It changed while no pipeline ran. */
static bool has_changed(const pgc_pgsink_target *target)
{
    return lacks_columns(&target->relation, target->table) || (target->known && !pgc_pgsink_known_is(target->known, target->known_key, target->table));
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
    if (read_known(writer, &target, 1, err) != 0)
        return -1;
    if (has_changed(target)) {
        writer->altered = true;
        int status = change_columns(writer, table, err);
        if (status > 0)
            return leave_to_copy(writer, table, err);
        if (status != 0 ||
            pgc_pgsink_relation_load(writer->conn, table->schema, table->name, target->arena, &target->relation, err) != 0)
            return -1;
    }
    return pgc_pgsink_relation_check(writer->sink, &target->relation, table, false, err);
}

static int match_columns(pgc_pgsink_writer *writer, pgc_pgsink_target *target, pgconvoy_error *err)
{
    const pgconvoy_table *table = target->table;
    size_t count = (size_t)table->column_count + 1;
    target->columns = pgc_arena_zalloc(target->arena, count * sizeof *target->columns);
    target->pass_binary = pgc_arena_zalloc(target->arena, count * sizeof *target->pass_binary);
    if (!target->columns || !target->pass_binary)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < table->column_count; i++) {
        const pgconvoy_column *column = &table->columns[i];
        target->columns[i] = pgc_pgsink_relation_find(&target->relation, column->name);
        bool same = pgc_pgsink_column_fit(column, target->columns[i]) == PGSINK_FIT_SAME;
        /* a binary form that we cannot read is best left to the same type's own code */
        target->pass_binary[i] =
            same && (pgc_pgsink_type_is_portable(writer->sink, column->type) || !pgc_type_has_binary(column->type));
        if ((same || pgc_pgsink_is_named_otherwise(column, target->columns[i])) &&
            pgc_pgsink_enum_extend(writer->sink, writer->conn, column->type, target->columns[i], PGSINK_LABELS_NEW, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- keys, triggers and rules */

static int find_keys(pgc_pgsink_writer *writer, pgc_pgsink_target *const *targets, size_t count, pgconvoy_error *err)
{
    pgc_pgsink_key_question *questions = calloc(count, sizeof *questions);
    if (!questions)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < count; i++) {
        const pgconvoy_table *table = targets[i]->table;
        questions[i] = (pgc_pgsink_key_question){targets[i]->relation.oid, table, table->key, table->key_count, &targets[i]->upsert, false};
    }
    int status = pgc_pgsink_ask_unique(writer->conn, questions, count, err);
    for (size_t i = 0; i < count && status == 0; i++)
        if (targets[i]->table->key_count > 0 && !targets[i]->upsert && !questions[i].excludes)
            pgc_log_warning(writer->sink->config->log,
                            "%s.%s has no unique index on the key on the target: updates and deletes will be slow",
                            targets[i]->table->schema, targets[i]->table->name);
    free(questions);
    return status;
}

static void choose_way(const pgc_pgsink *sink, pgc_pgsink_target *target, bool has_rules, bool has_triggers)
{
    const pgconvoy_table *table = target->table;
    bool fires = has_rules || has_triggers, is_table = target->relation.kind == 'r' || target->relation.kind == 'p';
    target->looks = is_table && !has_rules && table->key_count > 0;
    target->way = fires ? PGSINK_IN_ORDER : PGSINK_IN_BULK;
    bool plain = is_table && (table->key_count == 0 || target->upsert);
    for (int i = 0; i < table->column_count; i++)
        plain = plain && !(target->columns[i]->generated && table->columns[i].in_key);
    /* in bulk nobody would see that a row is another one than the source's old row says */
    bool careful = sink->on_conflict != PGSINK_SOURCE_WINS || sink->conflict_table;
    plain = plain && !(careful && table->replica_identity == 'f' && table->key_count > 0);
    /* whether the row's last write is older is asked for each change */
    plain = plain && sink->on_conflict != PGSINK_LAST_WRITE;
    if (!fires && !plain)
        target->way = PGSINK_ONE_BY_ONE;
}

/* A value that no UPDATE can set is looked at first, which rules are in the way of. */
static int check_held(const pgc_pgsink_target *target, pgconvoy_error *err)
{
    const pgconvoy_table *table = target->table;
    for (int i = 0; i < table->column_count && !target->looks && table->key_count > 0; i++)
        if (target->columns[i]->identity_always && !table->columns[i].in_key && table->replica_identity != 'f') {
            pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                               "column \"%s\" of table %s.%s on the target, which has rules, is GENERATED ALWAYS AS IDENTITY, which no UPDATE can set",
                               table->columns[i].name, table->schema, table->name);
            pgconvoy_error_hint(err, "on the target: ALTER TABLE … ALTER COLUMN \"%s\" SET GENERATED BY DEFAULT", table->columns[i].name);
            return -1;
        }
    return 0;
}

/* What fires here (ALWAYS and REPLICA triggers; where we are not silent, all others and the foreign keys) must see each
 * change in its order. */
static int choose_ways(pgc_pgsink_writer *writer, pgc_pgsink_target *const *targets, size_t count, pgconvoy_error *err)
{
    static const char sql[] =
        "SELECT c.oid, c.relhasrules, EXISTS (SELECT FROM pg_trigger g WHERE g.tgenabled IN ('A', $2) AND (g.tgrelid = c.oid"
        " OR g.tgrelid IN (SELECT relid FROM pg_partition_tree(c.oid)))) FROM pg_class c WHERE c.oid = ANY ($1::oid[])";
    pgc_buffer oids;
    pgc_buffer_init(&oids, PGSINK_SQL_LIMIT);
    for (size_t i = 0; i < count; i++)
        pgc_array_add_oid(&oids, targets[i]->relation.oid);
    PGresult *result = pgc_pgsink_query_oids(writer->conn, sql, &oids, writer->sink->replica_role ? "R" : "O", "looking for triggers on the target", err);
    for (size_t i = 0; i < count && result; i++) {
        int row = 0;
        while (row < PQntuples(result) && strtoul(PQgetvalue(result, row, 0), NULL, 10) != targets[i]->relation.oid)
            row++;
        bool there = row < PQntuples(result);
        choose_way(writer->sink, targets[i], there && PQgetvalue(result, row, 1)[0] == 't', there && PQgetvalue(result, row, 2)[0] == 't');
        if (check_held(targets[i], err) != 0) {
            PQclear(result);
            return -1;
        }
    }
    PQclear(result);
    return result ? 0 : -1;
}

/* A plan for any key has all partitions, which are many. */
static int plan_for_partitions(pgc_pgsink_writer *writer, pgc_pgsink_target *const *targets, size_t count, pgconvoy_error *err)
{
    bool partitioned = false;
    for (size_t i = 0; i < count; i++)
        partitioned |= targets[i]->relation.kind == 'p';
    if (!partitioned || writer->plans_anew)
        return 0;
    writer->plans_anew = true;
    return pgc_pgsink_execute(writer->conn, "SET plan_cache_mode = auto", "setting up a session on the target", err);
}

static int complete(pgc_pgsink_writer *writer, pgc_pgsink_target *const *targets, size_t count, pgconvoy_error *err)
{
    if (plan_for_partitions(writer, targets, count, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (match_columns(writer, targets[i], err) != 0)
            return -1;
    if (find_keys(writer, targets, count, err) != 0 || choose_ways(writer, targets, count, err) != 0)
        return -1;
    return pgc_pgsink_keyless_look(writer, targets, count, err);
}

/* ---- what others call */

static pgc_pgsink_target *make_target(const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_arena *arena = pgc_arena_new(16384);
    pgc_pgsink_target *target = arena ? pgc_arena_zalloc(arena, sizeof *target) : NULL;
    if (!target) {
        if (arena)
            pgc_arena_free(arena);
        pgc_error_out_of_memory(err);
        return NULL;
    }
    target->arena = arena;
    target->table = table;
    return target;
}

bool pgc_pgsink_target_is_known(pgc_pgsink_writer *writer, const pgconvoy_table *table)
{
    return *slot_of(writer, table->oid) != NULL;
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
    target = make_target(table, err);
    if (!target)
        return NULL;
    if (load_relation(writer, target, err) != 0 || complete(writer, &target, 1, err) != 0) {
        pgc_arena_free(target->arena);
        return NULL;
    }
    *slot_of(writer, table->oid) = target;
    return writer->last_target = target;
}

/* Whether nothing stands against it, or has to be done first. */
static bool is_ready(const pgc_pgsink_writer *writer, const pgc_pgsink_target *target)
{
    pgconvoy_error ignored = {0};
    return target->relation.oid != 0 && !has_changed(target) &&
           pgc_pgsink_relation_check(writer->sink, &target->relation, target->table, false, &ignored) == 0;
}

/* Drops those that are not ready, and makes the others known. */
static int load_together(pgc_pgsink_writer *writer, pgc_pgsink_target **targets, size_t *count, pgconvoy_error *err)
{
    pgc_pgsink_lookup *lookups = calloc(*count, sizeof *lookups);
    size_t ready = 0;
    if (!lookups)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < *count; i++)
        lookups[i] = (pgc_pgsink_lookup){targets[i]->table->schema, targets[i]->table->name, targets[i]->arena, &targets[i]->relation};
    int status = pgc_pgsink_relations_load(writer->conn, lookups, *count, err);
    free(lookups);
    if (status == 0)
        status = read_known(writer, targets, *count, err);
    if (status != 0)
        return -1;
    for (size_t i = 0; i < *count; i++) {
        pgc_pgsink_target *target = targets[i];
        if (is_ready(writer, target)) {
            targets[i] = targets[ready];
            targets[ready++] = target;
        }
    }
    for (size_t i = ready; i < *count; i++)
        pgc_arena_free(targets[i]->arena);
    *count = ready;
    if (ready == 0 || complete(writer, targets, ready, err) != 0)
        return ready == 0 ? 0 : -1;
    for (size_t i = 0; i < ready; i++)
        *slot_of(writer, targets[i]->table->oid) = targets[i];
    *count = 0;
    return 0;
}

int pgc_pgsink_targets_look(pgc_pgsink_writer *writer, const pgconvoy_table *const *tables, size_t table_count, pgconvoy_error *err)
{
    pgc_pgsink_target *targets[PGSINK_LOOK_TABLES];
    size_t count = 0;
    int status = pgc_pgsink_land(writer, err);
    while (count < table_count && count < PGSINK_LOOK_TABLES && status == 0) {
        targets[count] = make_target(tables[count], err);
        status = targets[count] ? 0 : -1;
        count += status == 0;
    }
    if (count > 0 && status == 0)
        status = load_together(writer, targets, &count, err);
    for (size_t i = 0; i < count; i++) /* that failed */
        pgc_arena_free(targets[i]->arena);
    return status;
}
