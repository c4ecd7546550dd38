/*
 * The change stream, one by one: each change becomes parameters of a prepared statement, in commit order. Values go in the format
 * they came in where the target reads it the same way; nothing is allocated for a row once the buffers have grown.
 */
#include "sink/postgres/ddl.h"
#include "sink/postgres/keyless.h"
#include "sink/postgres/types.h"
#include "base/clock.h"
#include "postgres/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH_KEPT_BYTES ((size_t)4 << 20)
#define IN_PLACE SIZE_MAX

/* ---- parameters */

int pgc_pgsink_apply_room(pgc_pgsink_writer *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    int parameters = 2 * table->column_count + 1, words = table->column_count / 64 + 1;
    if (parameters > writer->parameter_capacity) {
        size_t count = (size_t)parameters;
        free(writer->values);
        free(writer->lengths);
        free(writer->formats);
        free(writer->offsets);
        writer->parameter_capacity = 0;
        writer->values = malloc(count * sizeof *writer->values);
        writer->lengths = malloc(count * sizeof *writer->lengths);
        writer->formats = malloc(count * sizeof *writer->formats);
        writer->offsets = malloc(count * sizeof *writer->offsets);
        if (!writer->values || !writer->lengths || !writer->formats || !writer->offsets)
            return pgc_error_out_of_memory(err);
        writer->parameter_capacity = parameters;
    }
    if (words > writer->sent_words) {
        free(writer->sent);
        writer->sent_words = 0;
        writer->sent = malloc((size_t)words * sizeof *writer->sent);
        if (!writer->sent)
            return pgc_error_out_of_memory(err);
        writer->sent_words = words;
    }
    return 0;
}

/* Types whose binary form is their text: their characters need no copy with a NUL behind them. */
static bool text_is_binary(uint32_t oid)
{
    return oid == PGC_TEXT_OID || oid == PGC_VARCHAR || oid == PGC_BPCHAR || oid == PGC_JSON;
}

static int set_parameter(pgc_pgsink_writer *writer, const pgc_pgsink_target *target, int place, int column,
                         const pgconvoy_value *value, pgconvoy_error *err)
{
    writer->offsets[place] = IN_PLACE;
    writer->values[place] = NULL;
    writer->lengths[place] = value->length;
    writer->formats[place] = 0;
    if (value->length == PGCONVOY_NULL) {
        writer->lengths[place] = 0;
        return 0;
    }
    bool binary = value->format == PGCONVOY_BINARY;
    if (binary ? target->pass_binary[column] : text_is_binary(target->columns[column]->type_oid)) {
        writer->values[place] = value->length > 0 ? value->data : "";
        writer->formats[place] = 1;
        return 0;
    }
    writer->offsets[place] = writer->scratch.length;
    if (binary && pgc_value_to_text(target->table->columns[column].type, value, &writer->scratch, err) != 0)
        return -1;
    if (!binary)
        pgc_buffer_append(&writer->scratch, value->data, (size_t)value->length);
    pgc_buffer_byte(&writer->scratch, '\0');
    return 0;
}

/* When the change was committed, as timestamptz has it in binary. */
static int set_commit_time(pgc_pgsink_writer *writer, int place, const pgconvoy_change *change, pgconvoy_error *err)
{
    if (!change->transaction) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "a change came without its transaction's time");
        return -1;
    }
    uint64_t time = (uint64_t)(change->transaction->commit_time - PGC_PG_EPOCH_US);
    writer->offsets[place] = writer->scratch.length;
    writer->lengths[place] = 8;
    writer->formats[place] = 1;
    for (int shift = 56; shift >= 0; shift -= 8)
        pgc_buffer_byte(&writer->scratch, (char)(time >> shift));
    return 0;
}

static int incomplete(const pgconvoy_table *table, int column, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "a change of %s.%s came without the value of column \"%s\"",
                       table->schema, table->name, table->columns[column].name);
    pgconvoy_error_hint(err, "this is a defect of pgconvoy, or of the source's output plugin; please report it");
    return -1;
}

static int run_statement(pgc_pgsink_writer *writer, pgc_pgsink_target *target, const pgc_pgsink_statement *statement,
                         const pgconvoy_change *change, uint8_t operation, pgconvoy_error *err)
{
    if (!statement->sql)
        return 0;
    pgc_buffer *scratch = &writer->scratch;
    pgc_buffer_reset(scratch);
    size_t bytes = 0;
    for (int i = 0; i < statement->parameter_count; i++) {
        int column = statement->parameters[i].column;
        if (column == PGSINK_COMMIT_TIME) {
            if (set_commit_time(writer, i, change, err) != 0)
                return -1;
            continue;
        }
        const pgconvoy_value *row = statement->parameters[i].old ? change->old : change->new_;
        if (!row || row[column].length == PGCONVOY_UNCHANGED)
            return incomplete(target->table, column, err);
        if (set_parameter(writer, target, i, column, &row[column], err) != 0)
            return -1;
        bytes += (size_t)writer->lengths[i] + 8;
    }
    if (pgc_buffer_check(scratch, err) != 0)
        return -1;
    for (int i = 0; i < statement->parameter_count; i++)
        if (writer->offsets[i] != IN_PLACE)
            writer->values[i] = scratch->data + writer->offsets[i];
    int status = pgc_pgsink_fly_statement(writer, statement, target, operation, bytes, err);
    pgc_pgsink_scratch_trim(writer);
    return status;
}

void pgc_pgsink_scratch_trim(pgc_pgsink_writer *writer)
{
    if (writer->scratch.capacity > SCRATCH_KEPT_BYTES)
        pgc_buffer_free(&writer->scratch);
}

/* ---- changes */

/* Which values take part: those of the new row that were sent and can be written. */
static void note_sent(pgc_pgsink_writer *writer, const pgc_pgsink_target *target, const pgconvoy_value *row)
{
    int count = target->table->column_count;
    memset(writer->sent, 0, sizeof *writer->sent * (size_t)(count / 64 + 1));
    for (int i = 0; row && i < count; i++)
        if (row[i].length != PGCONVOY_UNCHANGED && !target->columns[i]->generated)
            writer->sent[i / 64] |= UINT64_C(1) << (i % 64);
}

/* Whether the row can be, and is to be, compared with the source's old row. */
static bool compares(const pgc_pgsink_writer *writer, const pgc_pgsink_target *target, const pgconvoy_change *change)
{
    const pgc_pgsink *sink = writer->sink;
    if (change->old_kind != 'O' || (sink->on_conflict == PGSINK_SOURCE_WINS && !sink->conflict_table))
        return false;
    for (int i = 0; i < target->table->column_count; i++)
        if (change->old[i].length == PGCONVOY_UNCHANGED)
            return false;
    return true;
}

static int run_action(pgc_pgsink_writer *writer, pgc_pgsink_target *target, const pgconvoy_change *change,
                      pgc_pgsink_action action, uint8_t operation, pgconvoy_error *err)
{
    bool deletes = action == PGSINK_DELETE || action == PGSINK_DELETE_FULL;
    bool by_key = action == PGSINK_UPDATE_KEY || action == PGSINK_DELETE;
    note_sent(writer, target, deletes ? NULL : change->new_);
    bool by_row = action == PGSINK_UPDATE_FULL || action == PGSINK_DELETE_FULL;
    writer->nulls = by_row ? pgc_pgsink_keyless_nulls(target, change->old) : 0;
    pgc_pgsink_statement *statement =
        pgc_pgsink_statement_get(writer, target, action, by_key && compares(writer, target, change), err);
    return statement ? run_statement(writer, target, statement, change, operation, err) : -1;
}

static int no_identity(const pgconvoy_table *table, const char *what, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                       "%s of %s.%s does not say which row it means: the table has no replica identity", what,
                       table->schema, table->name);
    pgconvoy_error_hint(err, "on the source: add a primary key, or ALTER TABLE … REPLICA IDENTITY FULL");
    return -1;
}

static bool is_alike(const pgconvoy_value *a, const pgconvoy_value *b)
{
    return a->length == b->length && (a->length <= 0 || memcmp(a->data, b->data, (size_t)a->length) == 0);
}

/* UPDATE cannot set a column that is GENERATED ALWAYS AS IDENTITY on the target; when its value changes the row is
 * written anew, where no statement does it that looks at its row (statement_sql.c). */
static bool identity_changes(const pgc_pgsink_target *target, const pgconvoy_change *change)
{
    for (int i = 0; i < target->table->column_count; i++)
        if (target->columns[i]->identity_always && change->new_[i].length != PGCONVOY_UNCHANGED &&
            !is_alike(&change->old[i], &change->new_[i]))
            return true;
    return false;
}

static int replace_row(pgc_pgsink_writer *writer, pgc_pgsink_target *target, const pgconvoy_change *change, bool full,
                       pgconvoy_error *err)
{
    for (int i = 0; i < target->table->column_count; i++)
        if (change->new_[i].length == PGCONVOY_UNCHANGED) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_DATA,
                               "an update of %s.%s changes an identity column that the target has as GENERATED ALWAYS",
                               target->table->schema, target->table->name);
            pgconvoy_error_hint(err, "on the target: ALTER TABLE … ALTER COLUMN … SET GENERATED BY DEFAULT");
            return -1;
        }
    if (run_action(writer, target, change, full ? PGSINK_DELETE_FULL : PGSINK_DELETE, PGCONVOY_UPDATE, err) != 0)
        return -1;
    return run_action(writer, target, change, PGSINK_INSERT, PGCONVOY_INSERT, err);
}

static int apply_update(pgc_pgsink_writer *writer, pgc_pgsink_target *target, const pgconvoy_change *change,
                        pgconvoy_error *err)
{
    const pgconvoy_table *table = target->table;
    bool full = table->key_count == 0;
    if (full && (!change->old || change->old_kind != 'O'))
        return no_identity(table, "an update", err);
    if (change->old && !target->looks && identity_changes(target, change))
        return replace_row(writer, target, change, full, err);
    pgc_pgsink_action action = full ? PGSINK_UPDATE_FULL : change->old ? PGSINK_UPDATE_KEY : PGSINK_UPDATE;
    return run_action(writer, target, change, action, PGCONVOY_UPDATE, err);
}

static int apply_delete(pgc_pgsink_writer *writer, pgc_pgsink_target *target, const pgconvoy_change *change,
                        pgconvoy_error *err)
{
    bool full = target->table->key_count == 0;
    if (!change->old || (full && change->old_kind != 'O'))
        return no_identity(target->table, "a delete", err);
    return run_action(writer, target, change, full ? PGSINK_DELETE_FULL : PGSINK_DELETE, PGCONVOY_DELETE, err);
}

/* ---- truncate: the tables of one TRUNCATE are emptied by one, so that foreign keys among them do not stand against it
 */

static int hold_truncate(pgc_pgsink_writer *writer, pgc_pgsink_target *target, const pgconvoy_change *change,
                         pgconvoy_error *err)
{
    pgc_buffer *sql = &writer->truncate;
    if (sql->length > 0 && (writer->truncate_lsn != change->lsn || writer->truncate_flags != change->flags) &&
        pgc_pgsink_apply_flush(writer, err) != 0)
        return -1;
    pgc_buffer_text(sql, sql->length > 0 ? ", " : "TRUNCATE ");
    const char *only = target->relation.kind == 'p' ? "" : "ONLY ";
    pgc_buffer_text(sql, only);
    pgc_quote_qualified(sql, target->table->schema, target->table->name);
    pgc_buffer_format(&writer->deletes, "DELETE FROM %s", only);
    pgc_quote_qualified(&writer->deletes, target->table->schema, target->table->name);
    pgc_buffer_text(&writer->deletes, ";");
    writer->truncate_lsn = change->lsn;
    writer->truncate_flags = change->flags;
    writer->truncate_target = target;
    return pgc_buffer_check(sql, err);
}

/* A foreign key of a table that is not among them may stand against it: one that only the target has, or one whose own
 * TRUNCATE was passed over, as its copy is of a later state. Then the rows go one by one, where foreign keys are silent. So they do where the
 * role may delete, but not truncate. */
static int truncate_or_delete(pgc_pgsink_writer *writer, const char *doing, pgconvoy_error *err)
{
    if (pgc_pgsink_land(writer, err) != 0 ||
        pgc_pgsink_execute(writer->conn, "SAVEPOINT pgconvoy_truncate", doing, err) != 0)
        return -1;
    if (pgc_pgsink_execute_buffer(writer->conn, &writer->truncate, doing, err) != 0) {
        bool refused = strcmp(err->sqlstate, "42501") == 0;
        if (!refused && (strcmp(err->sqlstate, "0A000") != 0 || !writer->sink->replica_role))
            return -1;
        pgc_error_clear(err);
        if (pgc_pgsink_execute(writer->conn, "ROLLBACK TO SAVEPOINT pgconvoy_truncate", doing, err) != 0 ||
            pgc_pgsink_execute_buffer(writer->conn, &writer->deletes, doing, err) != 0)
            return -1;
    }
    return pgc_pgsink_execute(writer->conn, "RELEASE SAVEPOINT pgconvoy_truncate", doing, err);
}

int pgc_pgsink_apply_flush(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    pgc_buffer *sql = &writer->truncate;
    if (sql->length == 0)
        return 0;
    /* never CASCADE: the source has sent each of its tables, and others on the target are not its business */
    if (writer->truncate_flags & PGCONVOY_TRUNCATE_RESTART_IDENTITY)
        pgc_buffer_text(sql, " RESTART IDENTITY");
    char doing[300];
    const pgconvoy_table *table = writer->truncate_target ? writer->truncate_target->table : NULL;
    snprintf(doing, sizeof doing, "applying a truncate of %.100s.%.100s", table ? table->schema : "",
             table ? table->name : "tables");
    int status = truncate_or_delete(writer, doing, err);
    pgc_buffer_reset(sql);
    pgc_buffer_reset(&writer->deletes);
    return status;
}

/* ---- what others call */

int pgc_pgsink_apply_change(pgc_pgsink_writer *writer, const pgconvoy_change *change, pgconvoy_error *err)
{
    switch (change->operation) {
    case PGCONVOY_INSERT:
    case PGCONVOY_UPDATE:
    case PGCONVOY_DELETE:
        if (pgc_pgsink_apply_flush(writer, err) != 0)
            return -1;
        break;
    case PGCONVOY_TRUNCATE:
        break;
    default: /* events are not for us */
        return 0;
    }
    pgc_pgsink_target *target = pgc_pgsink_target_get(writer, change->table, err);
    if (!target || pgc_pgsink_apply_room(writer, change->table, err) != 0)
        return -1;
    switch (change->operation) {
    case PGCONVOY_INSERT:
        return run_action(writer, target, change, PGSINK_INSERT, PGCONVOY_INSERT, err);
    case PGCONVOY_UPDATE:
        return apply_update(writer, target, change, err);
    case PGCONVOY_DELETE:
        return apply_delete(writer, target, change, err);
    default:
        return hold_truncate(writer, target, change, err);
    }
}

int pgc_pgsink_apply_schema(pgc_pgsink_writer *writer, const pgconvoy_table *old_table,
                            const pgconvoy_table *new_table, pgconvoy_error *err)
{
    if (pgc_pgsink_apply_flush(writer, err) != 0 || pgc_pgsink_target_forget(writer, old_table->oid, err) != 0)
        return -1;
    return pgc_pgsink_alter(writer->sink, writer->conn, old_table, new_table, pgc_pgsink_ddl_has_followed(writer, new_table), err);
}
