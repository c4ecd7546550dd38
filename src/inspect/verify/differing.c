/* Rows that stay different: counted, some of them shown with the columns that differ, and for the repair script all of
 * them. */
#include "inspect/verify/verify_internal.h"

#define AT_ONCE 200

static void row_sql(verify_session *session, const verify_table *table, int side, const char *const *const *keys,
                    int count)
{
    pgc_buffer *sql = &session->sql[side];
    pgc_buffer_reset(sql);
    pgc_buffer_text(sql, table->key_count ? "SELECT " : "SELECT DISTINCT ON (1) ");
    verify_sql_keys(session->verify, table, side, sql);
    for (int i = 0; i < table->column_count; i++) {
        pgc_buffer_text(sql, ", t.");
        pgc_quote_identifier(sql, table->columns[i].at[side]);
    }
    verify_sql_from(session->verify, table, side, sql);
    verify_sql_key_is_in(session->verify, table, side, keys, count, sql);
}

/* ------------------------------------------------------------------ what is shown */

/* "(id, day)=(5, 2026-01-31)"; without a key the whole row. */
static void describe(const verify_table *table, const char *const *key, const verify_rowset *rows, int row,
                     pgc_buffer *out)
{
    pgc_buffer_byte(out, '(');
    int count = table->key_count ? table->key_count : table->column_count;
    for (int i = 0; i < count; i++)
        pgc_buffer_format(out, "%s%s", i ? ", " : "", table->columns[table->key_count ? table->keys[i] : i].name);
    pgc_buffer_text(out, ")=(");
    for (int i = 0; i < count && out->length < 400; i++) {
        const char *value = table->key_count                        ? key[i]
                            : row < 0                               ? "?"
                            : PQgetisnull(rows->result, row, 1 + i) ? "NULL"
                                                                    : PQgetvalue(rows->result, row, 1 + i);
        pgc_buffer_format(out, "%s%.100s%s", i ? ", " : "", value, strlen(value) > 100 ? "…" : "");
    }
    pgc_buffer_byte(out, ')');
}

static const char *value_at(const verify_rowset *rows, int row, int column)
{
    return row < 0 || PQgetisnull(rows->result, row, rows->parts + column)
               ? NULL
               : PQgetvalue(rows->result, row, rows->parts + column);
}

static bool equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : !a && !b;
}

/* How often a row is there, where it is at both ends. */
static int add_copies(verify_finding *finding, pgc_arena *arena, const int copies[2], pgconvoy_error *err)
{
    char texts[2][16];
    for (int side = 0; side < 2; side++)
        snprintf(texts[side], sizeof texts[side], "%d", copies[side]);
    return verify_detail_add(finding, arena, "copies", texts[VERIFY_SOURCE], texts[VERIFY_TARGET], err);
}

static int show(verify_session *session, const verify_table *table, const verify_difference *difference,
                const verify_rowset rows[2], const int at[2], pgconvoy_error *err)
{
    pgc_verify *verify = session->verify;
    pgc_buffer what;
    pgc_buffer_init(&what, 1 << 20);
    int side = at[VERIFY_SOURCE] >= 0 ? VERIFY_SOURCE : VERIFY_TARGET, status = 0;
    describe(table, difference->key, &rows[side], at[side], &what);
    pthread_mutex_lock(&verify->lock);
    verify_finding *finding =
        what.failed ? NULL : verify_finding_add(&session->findings, verify->arena, difference->kind, what.data);
    if (!finding)
        status = pgc_error_out_of_memory(err);
    if (status == 0 && !table->key_count && difference->copies[0] && difference->copies[1])
        status = add_copies(finding, verify->arena, difference->copies, err);
    for (int i = 0;
         i < table->column_count && status == 0 && difference->kind == VERIFY_CHANGED && at[0] >= 0 && at[1] >= 0;
         i++) {
        const char *here = value_at(&rows[0], at[0], i), *there = value_at(&rows[1], at[1], i);
        if (!equal(here, there))
            status = verify_detail_add(finding, verify->arena, table->columns[i].name, here, there, err);
    }
    pthread_mutex_unlock(&verify->lock);
    pgc_buffer_free(&what);
    return status;
}

/* ------------------------------------------------------------------ the script */

static void literal(pgc_buffer *out, const char *value)
{
    if (value)
        pgc_quote_literal(out, value);
    else
        pgc_buffer_text(out, "NULL");
}

static void insert(const verify_table *table, const verify_rowset *source, int row, pgc_buffer *out)
{
    int parts = 0;
    pgc_buffer_text(out, "INSERT INTO ");
    verify_sql_name(table, VERIFY_TARGET, out);
    pgc_buffer_text(out, " (");
    for (int i = 0; i < table->column_count; i++)
        if (!table->columns[i].generated) {
            pgc_buffer_text(out, parts++ ? ", " : "");
            pgc_quote_identifier(out, table->columns[i].at[VERIFY_TARGET]);
        }
    if (parts == 0) {
        out->length -= 2; /* no column: " (" goes */
        pgc_buffer_text(out, " DEFAULT VALUES;\n");
        return;
    }
    pgc_buffer_text(out, ") OVERRIDING SYSTEM VALUE VALUES (");
    parts = 0;
    for (int i = 0; i < table->column_count; i++)
        if (!table->columns[i].generated) {
            pgc_buffer_text(out, parts++ ? ", " : "");
            literal(out, value_at(source, row, i));
        }
    pgc_buffer_text(out, ");\n");
}

static void where_key(const verify_table *table, const char *const *key, pgc_buffer *out)
{
    for (int i = 0; i < table->key_count; i++) {
        pgc_buffer_text(out, i ? " AND " : " WHERE ");
        pgc_quote_identifier(out, table->columns[table->keys[i]].at[VERIFY_TARGET]);
        pgc_buffer_text(out, " = ");
        pgc_quote_literal(out, key[i]);
    }
    pgc_buffer_text(out, ";\n");
}

static void delete (const pgc_verify *verify, const verify_table *table, const verify_difference *difference,
                    pgc_buffer *out)
{
    const char *only = table->only[VERIFY_TARGET] ? "ONLY " : "";
    pgc_buffer_format(out, "DELETE FROM %s", only);
    verify_sql_name(table, VERIFY_TARGET, out);
    if (table->key_count) {
        where_key(table, difference->key, out);
        return;
    }
    pgc_buffer_format(out, " WHERE (tableoid, ctid) IN (SELECT t.tableoid, t.ctid FROM %s", only);
    verify_sql_name(table, VERIFY_TARGET, out);
    pgc_buffer_text(out, " AS t WHERE ");
    verify_sql_hash(verify, table, VERIFY_TARGET, out);
    pgc_buffer_format(out, " = %s LIMIT %d);\n", difference->key[0],
                      difference->copies[VERIFY_TARGET] - difference->copies[VERIFY_SOURCE]);
}

static void update(const verify_table *table, const verify_difference *difference, const verify_rowset rows[2],
                   const int at[2], pgc_buffer *out)
{
    int parts = 0;
    size_t begun = out->length;
    pgc_buffer_format(out, "UPDATE %s", table->only[VERIFY_TARGET] ? "ONLY " : "");
    verify_sql_name(table, VERIFY_TARGET, out);
    pgc_buffer_text(out, " SET ");
    for (int i = 0; i < table->column_count; i++) {
        const char *here = value_at(&rows[0], at[0], i), *there = value_at(&rows[1], at[1], i);
        if (equal(here, there) || table->columns[i].generated)
            continue;
        pgc_buffer_text(out, parts++ ? ", " : "");
        pgc_quote_identifier(out, table->columns[i].at[VERIFY_TARGET]);
        pgc_buffer_text(out, " = ");
        literal(out, here);
    }
    if (parts == 0)
        out->length = begun;
    else
        where_key(table, difference->key, out);
}

static int mend(verify_session *session, const verify_table *table, const verify_difference *difference,
                const verify_rowset rows[2], const int at[2], pgconvoy_error *err)
{
    pgc_buffer gone, written;
    pgc_buffer_init(&gone, VERIFY_SQL_LIMIT);
    pgc_buffer_init(&written, VERIFY_SQL_LIMIT * 4);
    bool here = at[VERIFY_SOURCE] >= 0,
         once = difference->copies[VERIFY_SOURCE] == 1 && difference->copies[VERIFY_TARGET] == 1;
    if (difference->kind == VERIFY_CHANGED && once && here && at[VERIFY_TARGET] >= 0) {
        update(table, difference, rows, at, &written);
    } else {
        if (difference->kind != VERIFY_MISSING)
            delete (session->verify, table, difference, &gone);
        int copies = difference->copies[VERIFY_SOURCE] - (table->key_count ? 0 : difference->copies[VERIFY_TARGET]);
        for (int i = 0; i < copies && here; i++)
            insert(table, &rows[VERIFY_SOURCE], at[VERIFY_SOURCE], &written);
    }
    int status = pgc_buffer_check(&gone, err) || pgc_buffer_check(&written, err) ? -1 : 0;
    if (status == 0 && gone.length)
        verify_repair(session->verify, session->repair_delete, gone.data);
    if (status == 0 && written.length)
        verify_repair(session->verify, session->repair_write, written.data);
    pgc_buffer_free(&gone);
    pgc_buffer_free(&written);
    return status;
}

/* ------------------------------------------------------------------ some rows at a time */

static bool shows(const verify_session *session, const verify_table *table)
{
    return table->findings.count + session->findings.count < session->verify->options->show;
}

static int look_up(verify_session *session, const verify_table *table, const verify_difference *differences, int count,
                   verify_rowset rows[2], pgc_arena *arena, pgconvoy_error *err)
{
    const char *const *keys[AT_ONCE];
    PGresult *results[2];
    for (int i = 0; i < count; i++)
        keys[i] = differences[i].key;
    for (int side = 0; side < 2; side++)
        row_sql(session, table, side, keys, count);
    if (verify_query_both(session, results, err))
        return -1;
    int status = 0;
    for (int side = 0; side < 2; side++)
        if (verify_rowset_init(&rows[side], results[side], verify_key_parts(table), arena, err))
            status = -1;
    return status;
}

static int handle(verify_session *session, const verify_table *table, const verify_difference *differences, int count,
                  pgconvoy_error *err)
{
    verify_rowset rows[2] = {{0}};
    pgc_arena *arena = pgc_arena_new(64 << 10);
    int status = arena ? look_up(session, table, differences, count, rows, arena, err) : pgc_error_out_of_memory(err);
    for (int i = 0; i < count && status == 0; i++) {
        int at[2] = {verify_rowset_find(&rows[0], differences[i].key),
                     verify_rowset_find(&rows[1], differences[i].key)};
        if (shows(session, table))
            status = show(session, table, &differences[i], rows, at, err);
        if (status == 0 && session->repair_write)
            status = mend(session, table, &differences[i], rows, at, err);
    }
    verify_rowset_free(&rows[0]);
    verify_rowset_free(&rows[1]);
    pgc_arena_free(arena);
    return status;
}

int verify_differing(verify_session *session, verify_table *table, const verify_difference *differences, int count,
                     pgconvoy_error *err)
{
    for (int i = 0; i < count; i++) {
        int copies = differences[i].copies[0] - differences[i].copies[1];
        session->found[differences[i].kind] += table->key_count ? 1 : copies < 0 ? -copies : copies;
    }
    for (int first = 0; first < count && (session->repair_write || shows(session, table)); first += AT_ONCE)
        if (handle(session, table, differences + first, count - first < AT_ONCE ? count - first : AT_ONCE, err))
            return -1;
    return 0;
}
