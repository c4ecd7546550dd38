/*
 * SQL of the statements that apply changes one by one. Parameters have the target columns' own types, so nothing is
 * left to the server's inference.
 *
 * A row with a key is looked at before it is written, in the same statement: what was there decides whether the change
 * meets a conflict (conflict.c), and --on-conflict what is then done.
 *
 *     WITH o AS (the row as it is), d AS (INSERT, UPDATE or DELETE), m AS (INSERT of a row that an update misses),
 *          x, y AS (DELETE and INSERT of a row with a value that no UPDATE can set),
 *          k AS (which conflict, 0 none), n AS (INSERT into --conflict-table)
 *     SELECT kind, key FROM k
 *
 * A strict one fails where it does not meet its row, instead: an INSERT by the unique key, others by a division by zero.
 *
 * A row without a key is found by its whole old image, byte for byte (operator *=), and exactly one of several equal
 * rows is meant: types without an equality, and values that are equal but not alike (1.0 and 1.00), are then no special
 * case.
 */
#include "postgres/value.h"
#include "sink/postgres/keyless.h"

typedef struct builder {
    const pgc_pgsink *sink;
    const pgc_pgsink_target *target;
    pgc_pgsink_statement *statement;
    pgc_buffer *sql;
} builder;

static bool is_sent(const pgc_pgsink_statement *statement, int column)
{
    return statement->sent[column / 64] >> (column % 64) & 1;
}

static void append_parameter(builder *build, int column, bool old)
{
    pgc_pgsink_statement *statement = build->statement;
    int place = 0;
    while (place < statement->parameter_count &&
           (statement->parameters[place].column != column || statement->parameters[place].old != old))
        place++;
    if (place == statement->parameter_count) {
        statement->parameters[place] = (pgc_pgsink_parameter){(uint16_t)column, old};
        statement->types[place] = build->target->columns[column]->type_oid;
        statement->parameter_count++;
    }
    pgc_buffer_format(build->sql, "$%d", place + 1);
}

static void append_commit_time(builder *build)
{
    pgc_pgsink_statement *statement = build->statement;
    int place = 0;
    while (place < statement->parameter_count && statement->parameters[place].column != PGSINK_COMMIT_TIME)
        place++;
    if (place == statement->parameter_count) {
        statement->parameters[place] = (pgc_pgsink_parameter){PGSINK_COMMIT_TIME, false};
        statement->types[place] = PGC_TIMESTAMPTZ;
        statement->parameter_count++;
    }
    pgc_buffer_format(build->sql, "$%d", place + 1);
}

static bool favours_source(const pgc_pgsink *sink)
{
    return sink->on_conflict == PGSINK_SOURCE_WINS || sink->on_conflict == PGSINK_MERGE_SOURCE;
}

static bool merges(const pgc_pgsink *sink)
{
    return sink->on_conflict == PGSINK_MERGE_SOURCE || sink->on_conflict == PGSINK_MERGE_TARGET;
}

/*
 * Whether the source's write is later than the last one of row t: what our own stream wrote is older, as it comes in
 * order, and so is what has no time (of this transaction, or of long ago).
 */
static void append_newer(builder *build)
{
    pgc_buffer_format(build->sql,
                      "coalesce((SELECT c.roident = %u OR c.\"timestamp\" %s ", build->sink->origin_id,
                      build->sink->wins_ties ? "<=" : "<");
    append_commit_time(build);
    pgc_buffer_text(build->sql, " FROM pg_xact_commit_timestamp_origin(t.xmin) AS c), true)");
}

static void append_name(builder *build, int column)
{
    pgc_quote_identifier(build->sql, build->target->table->columns[column].name);
}

static void append_table(builder *build, const char *verb)
{
    pgc_buffer_text(build->sql, verb);
    /* rows of tables that inherit from it are those tables' own; of a partitioned table only its partitions have rows
     */
    pgc_buffer_text(build->sql, build->target->relation.kind == 'p' ? " " : " ONLY ");
    pgc_quote_qualified(build->sql, build->target->table->schema, build->target->table->name);
}

/* ---- what no UPDATE can set: GENERATED ALWAYS AS IDENTITY. Where such a value changes, the row is deleted and made anew. */

/* Whether that may be so of this column: not where the row is found by it. */
static bool is_held(const builder *build, int column)
{
    pgc_pgsink_action action = build->statement->action;
    bool found_by = build->target->table->columns[column].in_key && action != PGSINK_UPDATE_KEY;
    return build->target->columns[column]->identity_always && is_sent(build->statement, column) && !found_by &&
           (action == PGSINK_INSERT || action == PGSINK_UPDATE || action == PGSINK_UPDATE_KEY);
}

static bool holds(const builder *build)
{
    for (int i = 0; i < build->target->table->column_count; i++)
        if (is_held(build, i))
            return true;
    return false;
}

/* That the row has its new values there already. */
static void append_held(builder *build)
{
    const char *joint = "(";
    for (int i = 0; i < build->target->table->column_count; i++)
        if (is_held(build, i)) {
            pgc_buffer_text(build->sql, joint);
            append_name(build, i);
            pgc_buffer_text(build->sql, " = ");
            append_parameter(build, i, false);
            joint = " AND ";
        }
    pgc_buffer_byte(build->sql, ')');
}

/* Whose deletion fires nothing on the target, so that a row can be made anew. */
static bool replaces(const builder *build)
{
    return build->sink->replica_role && holds(build);
}

/* ---- the change itself */

/* where: a condition of its own, or NULL. */
static void append_insert(builder *build, const char *where)
{
    const pgconvoy_table *table = build->target->table;
    pgc_buffer *sql = build->sql;
    int count = 0;
    pgc_buffer_text(sql, "INSERT INTO ");
    pgc_quote_qualified(sql, table->schema, table->name);
    if (build->sink->on_conflict == PGSINK_LAST_WRITE)
        pgc_buffer_text(sql, " AS t");
    for (int i = 0; i < table->column_count; i++)
        if (is_sent(build->statement, i)) {
            pgc_buffer_text(sql, count++ ? ", " : " (");
            append_name(build, i);
        }
    if (count == 0) {
        pgc_buffer_text(sql, " DEFAULT VALUES");
        return;
    }
    pgc_buffer_text(sql, where ? ") OVERRIDING SYSTEM VALUE SELECT " : ") OVERRIDING SYSTEM VALUE VALUES (");
    for (int i = 0, n = 0; i < table->column_count; i++)
        if (is_sent(build->statement, i)) {
            pgc_buffer_text(sql, n++ ? ", " : "");
            append_parameter(build, i, false);
        }
    pgc_buffer_text(sql, where ? where : ")");
}

static void append_on_conflict(builder *build)
{
    const pgconvoy_table *table = build->target->table;
    pgc_buffer *sql = build->sql;
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
    bool later = build->sink->on_conflict == PGSINK_LAST_WRITE;
    int count = 0;
    for (int i = 0; i < table->column_count && (favours_source(build->sink) || later); i++) {
        if (!is_sent(build->statement, i) || build->target->columns[i]->identity_always)
            continue;
        pgc_buffer_text(sql, count++ ? ", " : "UPDATE SET ");
        append_name(build, i);
        pgc_buffer_text(sql, " = excluded.");
        append_name(build, i);
    }
    if (count == 0) {
        pgc_buffer_text(sql, "NOTHING");
    } else if (later && build->target->relation.kind != 'p') {
        pgc_buffer_text(sql, " WHERE ");
        append_newer(build);
    } else if (later) { /* a partitioned table has no xmin there: as the row was looked at */
        pgc_buffer_text(sql, " WHERE (SELECT bool_and(newer) FROM o)");
    }
}

typedef enum operand { IN_ROW, IN_OLD, IN_NEW } operand;

static void append_operand(builder *build, int column, operand operand)
{
    if (operand == IN_ROW)
        append_name(build, column);
    else
        append_parameter(build, column, operand == IN_OLD);
}

/* That a column's two values are the same, as append_is_as_old has it of all columns. */
static void append_same_value(builder *build, int column, operand a, operand b)
{
    pgc_pgsink_comparison by = pgc_pgsink_compare_by(build->target, column);
    pgc_buffer_text(build->sql, by == PGSINK_BY_IMAGE ? "ROW(" : "");
    append_operand(build, column, a);
    pgc_buffer_text(build->sql, by == PGSINK_BY_IMAGE  ? ")::record OPERATOR(pg_catalog.*=) ROW("
                                : by == PGSINK_BY_TEXT ? "::text IS NOT DISTINCT FROM "
                                                : " IS NOT DISTINCT FROM ");
    append_operand(build, column, b);
    pgc_buffer_text(build->sql, by == PGSINK_BY_IMAGE ? ")::record" : by == PGSINK_BY_TEXT ? "::text" : "");
}

/* What an update sets a column to. Columns are merged by what the source has changed, and what the target had before. */
static void append_new_value(builder *build, int column)
{
    if (!merges(build->sink) || !build->statement->compares || build->target->table->columns[column].in_key) {
        append_parameter(build, column, false);
        return;
    }
    bool source = build->sink->on_conflict == PGSINK_MERGE_SOURCE;
    pgc_buffer_text(build->sql, "CASE WHEN ");
    append_same_value(build, column, source ? IN_NEW : IN_ROW, IN_OLD);
    pgc_buffer_text(build->sql, " THEN ");
    append_operand(build, column, source ? IN_ROW : IN_NEW);
    pgc_buffer_text(build->sql, " ELSE ");
    append_operand(build, column, source ? IN_NEW : IN_ROW);
    pgc_buffer_text(build->sql, " END");
}

/* False when there is no column to set. */
static bool append_update(builder *build)
{
    const pgconvoy_table *table = build->target->table;
    int count = 0;
    size_t start = build->sql->length;
    append_table(build, "UPDATE");
    for (int i = 0; i < table->column_count; i++) {
        bool is_fixed = build->statement->action == PGSINK_UPDATE && table->columns[i].in_key;
        if (!is_sent(build->statement, i) || is_fixed || build->target->columns[i]->identity_always)
            continue;
        pgc_buffer_text(build->sql, count++ ? ", " : " SET ");
        append_name(build, i);
        pgc_buffer_text(build->sql, " = ");
        append_new_value(build, i);
    }
    if (count == 0 && !build->sql->failed)
        build->sql->length = start;
    return count > 0;
}

static void append_where_key(builder *build, bool old)
{
    const pgconvoy_table *table = build->target->table;
    for (int i = 0; i < table->key_count; i++) {
        pgc_buffer_text(build->sql, i ? " AND " : " WHERE ");
        append_name(build, table->key[i]);
        pgc_buffer_text(build->sql, build->target->columns[table->key[i]]->equals);
        append_parameter(build, table->key[i], old);
    }
}

static void append_old_or_row(void *arg, int column, bool old)
{
    builder *build = arg;
    if (old)
        append_parameter(build, column, true);
    else
        append_name(build, column);
}

/* That all columns have their old values. */
static void append_is_as_old(builder *build, const char *joint)
{
    pgc_pgsink_alike_sql(build->target, build->sql, joint, append_old_or_row, build);
}

/* It follows from the images, but only this is what an index answers. */
static void append_where_indexed(builder *build)
{
    const pgc_pgsink_target *target = build->target;
    for (int i = 0; i < target->indexed_count; i++) {
        int column = target->indexed[i];
        pgc_buffer_text(build->sql, " AND ");
        append_name(build, column);
        if (build->statement->nulls >> i & 1) {
            pgc_buffer_text(build->sql, " IS NULL");
            continue;
        }
        pgc_buffer_text(build->sql, target->columns[column]->equals);
        append_parameter(build, column, true);
    }
}

static void append_where_full(builder *build)
{
    bool partitioned = build->target->relation.kind == 'p';
    pgc_buffer_text(build->sql,
                    partitioned ? " WHERE (tableoid, ctid) IN (SELECT tableoid, ctid" : " WHERE ctid = (SELECT ctid");
    append_table(build, " FROM");
    append_is_as_old(build, " WHERE ");
    append_where_indexed(build);
    pgc_buffer_text(build->sql, " LIMIT 1)");
}

/* An insert that may meet a row which has another value there, and favours its own. */
static bool removes_other(const builder *build)
{
    return build->statement->action == PGSINK_INSERT && !build->statement->strict && build->target->upsert && replaces(build) &&
           (favours_source(build->sink) || build->sink->on_conflict == PGSINK_LAST_WRITE);
}

/* The row that an update means, as long as it need not be made anew. */
static void append_row_held(builder *build)
{
    append_where_key(build, build->statement->action == PGSINK_UPDATE_KEY);
    if (holds(build)) {
        pgc_buffer_text(build->sql, " AND ");
        append_held(build);
    }
}

/* False when there is nothing to do. */
static bool append_change(builder *build)
{
    switch (build->statement->action) {
    case PGSINK_INSERT:
        append_insert(build, removes_other(build) ? " WHERE (SELECT count(*) FROM x) >= 0" : NULL);
        append_on_conflict(build);
        return true;
    case PGSINK_UPDATE:
    case PGSINK_UPDATE_KEY:
        if (!append_update(build))
            return false;
        append_row_held(build);
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

/* ---- looking before writing */

/* (SELECT $1 AS "a", …) AS s */
static void append_source_row(builder *build, bool key_only, bool old)
{
    const pgconvoy_table *table = build->target->table;
    int count = 0;
    pgc_buffer_text(build->sql, "(SELECT to_jsonb(s) FROM (SELECT ");
    for (int i = 0; i < table->column_count; i++) {
        bool wanted = key_only || build->statement->action == PGSINK_DELETE ? table->columns[i].in_key
                                                                            : is_sent(build->statement, i);
        if (!wanted)
            continue;
        pgc_buffer_text(build->sql, count++ ? ", " : "");
        append_parameter(build, i, old);
        pgc_buffer_text(build->sql, " AS ");
        append_name(build, i);
    }
    pgc_buffer_text(build->sql, ") AS s)");
}

/* All values of the new row are there, so that it can be made. */
static bool is_complete(const builder *build)
{
    for (int i = 0; i < build->target->table->column_count; i++)
        if (!is_sent(build->statement, i) && !build->target->columns[i]->generated)
            return false;
    return true;
}

/* The row as it is on the target, and whether it is what the source's old row says. */
static void append_look(builder *build, bool old)
{
    pgc_buffer_format(build->sql, "WITH o AS (SELECT %s AS was", build->sink->conflict_table ? "to_jsonb(t)" : "1");
    if (build->statement->compares) {
        append_is_as_old(build, ", ");
        pgc_buffer_text(build->sql, " AS same");
    }
    if (build->sink->on_conflict == PGSINK_LAST_WRITE) {
        pgc_buffer_text(build->sql, ", ");
        append_newer(build);
        pgc_buffer_text(build->sql, " AS newer");
    }
    if (holds(build)) {
        pgc_buffer_text(build->sql, ", ");
        append_held(build);
        pgc_buffer_text(build->sql, " AS held");
    }
    append_table(build, " FROM");
    pgc_buffer_text(build->sql, " AS t");
    append_where_key(build, old);
    /* what is decided by it must still hold when it is written */
    pgc_buffer_text(build->sql, pgc_pgsink_decides(build->sink) ? " FOR UPDATE)" : ")");
}

/* Under which further condition the row is written. */
static void append_policy(builder *build)
{
    pgc_pgsink_action action = build->statement->action;
    bool updates = action == PGSINK_UPDATE || action == PGSINK_UPDATE_KEY, later = build->sink->on_conflict == PGSINK_LAST_WRITE;
    if (later && updates)
        pgc_buffer_text(build->sql, " AND (SELECT bool_and(newer) FROM o)");
    else if (build->statement->compares && !favours_source(build->sink) && !later && !(updates && merges(build->sink)))
        pgc_buffer_text(build->sql, " AND (SELECT bool_and(same) FROM o)");
}

/* x: the row goes that an insert meets, for the insert to be one. */
static void append_removal(builder *build)
{
    append_table(build, ", x AS (DELETE FROM");
    append_where_key(build, false);
    pgc_buffer_text(build->sql, " AND NOT ");
    append_held(build);
    if (build->sink->on_conflict == PGSINK_LAST_WRITE)
        pgc_buffer_text(build->sql, " AND (SELECT bool_and(newer) FROM o)");
    pgc_buffer_text(build->sql, " RETURNING 1)");
}

/* x, y: the row is made anew of what the update brings, and of what the target alone has, or what was not sent. */
static void append_replacement(builder *build)
{
    const pgc_pgsink_relation *relation = &build->target->relation;
    const pgconvoy_table *table = build->target->table;
    pgc_buffer *sql = build->sql;
    append_table(build, ", x AS (DELETE FROM");
    append_where_key(build, build->statement->action == PGSINK_UPDATE_KEY);
    pgc_buffer_text(sql, " AND NOT ");
    append_held(build);
    append_policy(build);
    pgc_buffer_text(sql, " RETURNING *), y AS (INSERT INTO ");
    pgc_quote_qualified(sql, table->schema, table->name);
    const char *joint = " (";
    for (int i = 0; i < relation->column_count; i++)
        if (!relation->columns[i].generated) {
            pgc_buffer_text(sql, joint);
            pgc_quote_identifier(sql, relation->columns[i].name);
            joint = ", ";
        }
    joint = ") OVERRIDING SYSTEM VALUE SELECT ";
    for (int i = 0; i < relation->column_count; i++) {
        if (relation->columns[i].generated)
            continue;
        int column = 0;
        while (column < table->column_count && build->target->columns[column] != &relation->columns[i])
            column++;
        pgc_buffer_text(sql, joint);
        if (column < table->column_count && is_sent(build->statement, column))
            append_new_value(build, column);
        else
            pgc_quote_identifier(sql, relation->columns[i].name);
        joint = ", ";
    }
    pgc_buffer_text(sql, " FROM x)");
}

static void append_kind(builder *build, pgc_pgsink_conflict missing, pgc_pgsink_conflict differs)
{
    pgc_buffer_text(build->sql, "CASE");
    if (holds(build) && !replaces(build))
        pgc_buffer_format(build->sql, " WHEN EXISTS (SELECT FROM o WHERE NOT held) THEN %d", PGSINK_IDENTITY_HELD);
    if (build->statement->action == PGSINK_INSERT) {
        pgc_buffer_format(build->sql, " WHEN EXISTS (SELECT FROM o) THEN %d ELSE 0 END", PGSINK_INSERT_EXISTS);
        return;
    }
    pgc_buffer_format(build->sql, " WHEN NOT EXISTS (SELECT FROM o) THEN %d", missing);
    if (build->sink->on_conflict == PGSINK_LAST_WRITE && build->statement->action != PGSINK_DELETE)
        pgc_buffer_format(build->sql, " WHEN NOT (SELECT bool_and(newer) FROM o) THEN %d", differs);
    if (build->statement->compares)
        pgc_buffer_format(build->sql, " WHEN NOT (SELECT bool_and(same) FROM o) THEN %d", differs);
    pgc_buffer_text(build->sql, " ELSE 0 END");
}

/* Whose row stands, as an expression. */
static void append_resolution(builder *build, bool makes_missing)
{
    pgc_pgsink_on_conflict policy = build->sink->on_conflict;
    const char *otherwise = policy == PGSINK_SOURCE_WINS ? "'source'" : merges(build->sink) ? "'merge'" : "'target'";
    if (policy == PGSINK_LAST_WRITE && build->statement->action != PGSINK_DELETE)
        otherwise = "CASE WHEN (SELECT bool_and(newer) FROM o) THEN 'source' ELSE 'target' END";
    else if (policy == PGSINK_LAST_WRITE)
        otherwise = "'source'";
    const char *whole = policy == PGSINK_MERGE_SOURCE ? "'source'" : policy == PGSINK_MERGE_TARGET ? "'target'" : otherwise;
    pgc_buffer_format(build->sql, "CASE kind WHEN %d THEN '%s' WHEN %d THEN %s ELSE %s END", PGSINK_UPDATE_MISSING,
                      makes_missing ? "source" : "target", PGSINK_UPDATE_DIFFERS, otherwise, whole);
}

static void append_note(builder *build, bool makes_missing, bool old)
{
    const pgc_pgsink *sink = build->sink;
    pgc_buffer *sql = build->sql;
    if (!sink->conflict_table)
        return;
    pgc_buffer_format(
        sql,
        ", n AS (INSERT INTO %s (pipeline, schema_name, table_name, kind, resolution, target_row, source_row) SELECT ",
        sink->conflict_table);
    pgc_quote_literal(sql, sink->config->pipeline_name);
    pgc_buffer_text(sql, ", ");
    pgc_quote_literal(sql, build->target->table->schema);
    pgc_buffer_text(sql, ", ");
    pgc_quote_literal(sql, build->target->table->name);
    pgc_buffer_text(sql, ", (ARRAY[");
    for (int kind = 1; kind <= PGSINK_CONFLICT_KINDS; kind++)
        pgc_buffer_format(sql, "%s'%s'", kind > 1 ? ", " : "", pgc_pgsink_conflict_name(kind));
    pgc_buffer_text(sql, "])[kind], ");
    append_resolution(build, makes_missing);
    pgc_buffer_text(sql, ", (SELECT was FROM o LIMIT 1), ");
    append_source_row(build, false, old && build->statement->action == PGSINK_DELETE);
    pgc_buffer_text(sql, " FROM k WHERE kind > 0)");
}

static bool append_looking(builder *build)
{
    pgc_pgsink_action action = build->statement->action;
    bool old = action != PGSINK_INSERT && action != PGSINK_UPDATE;
    bool updates = action == PGSINK_UPDATE || action == PGSINK_UPDATE_KEY;
    bool makes_missing = favours_source(build->sink) && updates && is_complete(build);
    append_look(build, old);
    if (removes_other(build))
        append_removal(build);
    pgc_buffer_text(build->sql, ", d AS (");
    if (append_change(build))
        append_policy(build);
    else if (holds(build))
        pgc_buffer_text(build->sql, "SELECT");
    else
        return false;
    pgc_buffer_byte(build->sql, ')');
    if (updates && replaces(build))
        append_replacement(build);
    if (makes_missing) {
        pgc_buffer_text(build->sql, ", m AS (");
        append_insert(build, " WHERE NOT EXISTS (SELECT FROM o)");
        append_on_conflict(build);
        pgc_buffer_byte(build->sql, ')');
    }
    pgc_buffer_text(build->sql, ", k AS (SELECT ");
    append_kind(build, action == PGSINK_DELETE ? PGSINK_DELETE_MISSING : PGSINK_UPDATE_MISSING,
                action == PGSINK_DELETE ? PGSINK_DELETE_DIFFERS : PGSINK_UPDATE_DIFFERS);
    pgc_buffer_text(build->sql, " AS kind)");
    append_note(build, makes_missing, old);
    pgc_buffer_text(build->sql, " SELECT kind, CASE WHEN kind > 0 THEN ");
    append_source_row(build, true, old);
    pgc_buffer_text(build->sql, "::text END FROM k");
    return true;
}

/* Nothing can be in the way of an insert that has not the whole key, or whose key the target does not hold unique. */
static bool can_look(const builder *build)
{
    const pgc_pgsink_target *target = build->target;
    pgc_pgsink_action action = build->statement->action;
    if (!target->looks || action == PGSINK_UPDATE_FULL || action == PGSINK_DELETE_FULL)
        return false;
    for (int i = 0; i < target->table->key_count && (action == PGSINK_INSERT || action == PGSINK_UPDATE); i++)
        if (!is_sent(build->statement, target->table->key[i]))
            return false;
    return action != PGSINK_INSERT || target->upsert;
}

/* A change that fails by itself, on the server, where it does not meet its row: nobody has to look at its answer before
 * the next statement is sent. */
static bool append_strict(builder *build)
{
    if (build->statement->action == PGSINK_INSERT) {
        append_insert(build, NULL);
        return true;
    }
    pgc_buffer_text(build->sql, "WITH c AS (");
    if (append_change(build)) {
        pgc_buffer_text(build->sql, " RETURNING 1");
    } else if (holds(build)) { /* nothing to set, but a value that must be there */
        append_table(build, "SELECT FROM");
        append_row_held(build);
    } else {
        return false;
    }
    pgc_buffer_text(build->sql, ") SELECT 1 / count(*) FROM c /* no row: pgconvoy undoes this and goes on with care */");
    return true;
}

bool pgc_pgsink_statement_sql(const pgc_pgsink *sink, const pgc_pgsink_target *target, pgc_pgsink_statement *statement,
                              pgc_buffer *sql)
{
    builder build = {.sink = sink, .target = target, .statement = statement, .sql = sql};
    if (statement->strict)
        return append_strict(&build);
    return can_look(&build) ? append_looking(&build) : append_change(&build);
}
