/*
 * Keys of tables that the pipeline made: the source's primary key, and a unique index on the replica identity where
 * that is another one. They are built after the data, which is several times faster than keeping them while it comes.
 */
#include "sink/postgres/sink_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The table's primary key columns in order; false when there is none or not all of it is sent. */
static bool primary_key(const pgconvoy_table *table, int *columns, int *count)
{
    int highest = 0, found = 0;
    for (int i = 0; i < table->column_count; i++) {
        int place = table->columns[i].primary_key;
        if (place < 1 || place > 32) /* an index has at most 32 columns */
            continue;
        columns[place - 1] = i;
        found++;
        if (place > highest)
            highest = place;
    }
    *count = highest;
    return highest > 0 && found == highest;
}

static void append_columns(pgc_buffer *out, const pgconvoy_table *table, const int *columns, int count)
{
    pgc_buffer_byte(out, '(');
    for (int i = 0; i < count; i++) {
        pgc_buffer_text(out, i ? ", " : "");
        pgc_quote_identifier(out, table->columns[columns[i]].name);
    }
    pgc_buffer_byte(out, ')');
}

static bool is_among(const PGresult *result, int first, int end, const char *name)
{
    while (first < end && strcmp(PQgetvalue(result, first, 2), name) != 0)
        first++;
    return first < end;
}

/* The rows of one index's columns are together. */
static bool is_met(const pgc_pgsink_key_question *question, const PGresult *result, bool by_exclusion)
{
    char oid[16];
    snprintf(oid, sizeof oid, "%u", question->relation);
    for (int row = 0, end; row < PQntuples(result); row = end) {
        for (end = row; end < PQntuples(result) && strcmp(PQgetvalue(result, end, 1), PQgetvalue(result, row, 1)) == 0;)
            end++;
        bool met = strcmp(PQgetvalue(result, row, 0), oid) == 0 && end - row == question->count &&
                   (PQgetvalue(result, row, 3)[0] == 't') == by_exclusion;
        for (int i = 0; i < question->count && met; i++)
            met = is_among(result, row, end, question->table->columns[question->columns[i]].name);
        if (met)
            return true;
    }
    return false;
}

int pgc_pgsink_ask_unique(PGconn *conn, pgc_pgsink_key_question *questions, size_t count, pgconvoy_error *err)
{
    static const char sql[] =
        "SELECT i.indrelid, i.indexrelid, a.attname, i.indisexclusion FROM pg_index i"
        " CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)"
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
        " WHERE i.indrelid = ANY ($1::oid[]) AND i.indisunique AND i.indisvalid AND i.indimmediate"
        " AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts ORDER BY 1, 2";
    pgc_buffer oids;
    pgc_buffer_init(&oids, PGSINK_SQL_LIMIT);
    for (size_t i = 0; i < count; i++)
        pgc_array_add_oid(&oids, questions[i].relation);
    PGresult *result = pgc_pgsink_query_oids(conn, sql, &oids, NULL, "looking at the keys of a table on the target", err);
    for (size_t i = 0; i < count; i++) {
        bool asked = result && questions[i].count > 0;
        *questions[i].found = asked && is_met(&questions[i], result, false);
        questions[i].excludes = asked && is_met(&questions[i], result, true);
    }
    PQclear(result);
    return result ? 0 : -1;
}

int pgc_pgsink_has_unique(PGconn *conn, uint32_t relation, const pgconvoy_table *table, const int *columns, int count,
                          bool *found, pgconvoy_error *err)
{
    pgc_pgsink_key_question question = {relation, table, columns, count, found, false};
    *found = false;
    return count == 0 ? 0 : pgc_pgsink_ask_unique(conn, &question, 1, err);
}

int pgc_pgsink_only_key_is_unique(PGconn *conn, uint32_t relation, const pgconvoy_table *table, bool *only,
                                  pgconvoy_error *err)
{
    static const char sql[] =
        "SELECT 1 FROM pg_index i WHERE i.indrelid = $1::oid AND (i.indisexclusion OR i.indisunique AND "
        "(SELECT count(*) FROM unnest(i.indkey) WITH ORDINALITY k (attnum, place) JOIN pg_attribute a ON a.attrelid = "
        "i.indrelid AND a.attnum = k.attnum WHERE k.place <= i.indnkeyatts AND a.attname::text = ANY ($2::text[])) < $3)";
    char oid[16], count[16];
    pgc_buffer names;
    snprintf(oid, sizeof oid, "%u", relation);
    snprintf(count, sizeof count, "%d", table->key_count);
    pgc_buffer_init(&names, PGSINK_SQL_LIMIT);
    for (int i = 0; i < table->key_count; i++)
        pgc_quote_array_element(&names, table->columns[table->key[i]].name);
    pgc_array_end(&names);
    PGresult *result = NULL;
    if (pgc_buffer_check(&names, err) == 0) {
        const char *values[] = {oid, names.data, count};
        result = pgc_pgsink_query(conn, sql, 3, values, "looking at the indexes of a table on the target", err);
    }
    pgc_buffer_free(&names);
    *only = result && PQntuples(result) == 0;
    PQclear(result);
    return result ? 0 : -1;
}

int pgc_pgsink_build_key_index(PGconn *conn, uint32_t relation, const pgconvoy_table *table, pgconvoy_error *err)
{
    bool found;
    char doing[300];
    pgc_buffer sql;
    if (pgc_pgsink_has_unique(conn, relation, table, table->key, table->key_count, &found, err) != 0)
        return -1;
    if (found || table->key_count < 1 || table->key_count > 32)
        return 0;
    snprintf(doing, sizeof doing, "building the key of %s.%s on the target", table->schema, table->name);
    pgc_buffer_init(&sql, 65536);
    /* the target's own oid makes a name that nobody else has, and that can be found again */
    pgc_buffer_format(&sql, "CREATE UNIQUE INDEX pgconvoy_key_%u ON ", relation);
    pgc_quote_qualified(&sql, table->schema, table->name);
    pgc_buffer_byte(&sql, ' ');
    append_columns(&sql, table, table->key, table->key_count);
    int status = pgc_pgsink_execute_buffer(conn, &sql, doing, err);
    pgc_buffer_free(&sql);
    return status;
}

int pgc_pgsink_build_keys(PGconn *conn, uint32_t relation, const pgconvoy_table *table, pgconvoy_error *err)
{
    int columns[32], count, status = 0;
    bool found;
    char doing[300];
    pgc_buffer sql;
    snprintf(doing, sizeof doing, "building the key of %s.%s on the target", table->schema, table->name);
    pgc_buffer_init(&sql, 65536);
    if (primary_key(table, columns, &count)) {
        status = pgc_pgsink_has_unique(conn, relation, table, columns, count, &found, err);
        if (status == 0 && !found) {
            pgc_buffer_text(&sql, "ALTER TABLE ");
            pgc_quote_qualified(&sql, table->schema, table->name);
            pgc_buffer_text(&sql, " ADD PRIMARY KEY ");
            append_columns(&sql, table, columns, count);
            status = pgc_pgsink_execute_buffer(conn, &sql, doing, err);
        }
    }
    pgc_buffer_free(&sql);
    return status == 0 ? pgc_pgsink_build_key_index(conn, relation, table, err) : -1;
}

int pgc_pgsink_drop_former_key(PGconn *conn, uint32_t relation, const pgconvoy_table *table, const char *former, bool *stays, pgconvoy_error *err)
{
    static const char sql[] =
        "SELECT ARRAY(SELECT a.attname::text FROM unnest(k.conkey) n JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n ORDER BY 1) "
        "<> ARRAY(SELECT unnest($2::text[]) ORDER BY 1) OR EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.confrelid = k.conrelid AND f.conindid = k.conindid) "
        "FROM pg_constraint k WHERE k.conrelid = $1::oid AND k.contype = 'p'";
    char oid[16];
    snprintf(oid, sizeof oid, "%u", relation);
    const char *values[] = {oid, former};
    PGresult *result = pgc_pgsink_query(conn, sql, 2, values, "looking at the key of a table on the target", err);
    if (!result)
        return -1;
    *stays = PQntuples(result) > 0 && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return *stays ? 0 : pgc_pgsink_drop_keys(conn, relation, table, err);
}

int pgc_pgsink_drop_keys(PGconn *conn, uint32_t relation, const pgconvoy_table *table, pgconvoy_error *err)
{
    char oid[16], doing[300];
    snprintf(oid, sizeof oid, "%u", relation);
    snprintf(doing, sizeof doing, "dropping the key of %s.%s on the target", table->schema, table->name);
    const char *values[] = {oid};
    PGresult *result = pgc_pgsink_query(
        conn, "SELECT conname FROM pg_constraint WHERE conrelid = $1::oid AND contype = 'p'", 1, values, doing, err);
    if (!result)
        return -1;
    pgc_buffer sql;
    pgc_buffer_init(&sql, 65536);
    if (PQntuples(result) == 1) {
        pgc_buffer_text(&sql, "ALTER TABLE ");
        pgc_quote_qualified(&sql, table->schema, table->name);
        pgc_buffer_text(&sql, " DROP CONSTRAINT ");
        pgc_quote_identifier(&sql, PQgetvalue(result, 0, 0));
        pgc_buffer_text(&sql, "; ");
    }
    PQclear(result);
    pgc_buffer_text(&sql, "DROP INDEX IF EXISTS ");
    pgc_quote_identifier(&sql, table->schema);
    pgc_buffer_format(&sql, ".pgconvoy_key_%u", relation);
    int status = pgc_pgsink_execute_buffer(conn, &sql, doing, err);
    pgc_buffer_free(&sql);
    return status;
}
