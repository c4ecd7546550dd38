/* Values of sequences: their own rows are read, many in one query. */
#include "postgres/sequence_values.h"

#include "postgres/connection.h"
#include "postgres/quote.h"

#include <stdlib.h>

#define AT_ONCE 400

static int list(PGconn *conn, const char *condition, pgc_arena *arena, pgc_sequence_values *values, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 64 << 20);
    pgc_buffer_format(&sql,
                      "SELECT n.nspname, c.relname, s.seqincrement FROM pg_catalog.pg_sequence s JOIN "
                      "pg_catalog.pg_class c ON c.oid = s.seqrelid "
                      "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relpersistence <> 't' AND %s "
                      "ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"",
                      condition);
    PGresult *result = pgc_buffer_check(&sql, err) == 0 ? pgc_query(conn, sql.data, err) : NULL;
    pgc_buffer_free(&sql);
    if (!result)
        return -1;
    values->count = (size_t)PQntuples(result);
    values->items = pgc_arena_zalloc(arena, (values->count + 1) * sizeof *values->items);
    int status = values->items ? 0 : pgc_error_out_of_memory(err);
    for (size_t i = 0; i < values->count && status == 0; i++) {
        pgc_sequence_value *value = &values->items[i];
        value->schema = pgc_arena_strdup(arena, PQgetvalue(result, (int)i, 0));
        value->name = pgc_arena_strdup(arena, PQgetvalue(result, (int)i, 1));
        value->increment = atoll(PQgetvalue(result, (int)i, 2));
        if (!value->schema || !value->name)
            status = pgc_error_out_of_memory(err);
    }
    PQclear(result);
    return status;
}

static int read_some(PGconn *conn, pgc_sequence_value *values, size_t count, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 64 << 20);
    for (size_t i = 0; i < count; i++) {
        pgc_buffer_format(&sql, "%sSELECT %zu AS place, last_value, is_called FROM ", i ? " UNION ALL " : "", i);
        pgc_quote_qualified(&sql, values[i].schema, values[i].name);
    }
    PGresult *result = pgc_buffer_check(&sql, err) == 0 ? pgc_query(conn, sql.data, err) : NULL;
    pgc_buffer_free(&sql);
    if (!result)
        return -1;
    for (int row = 0; row < PQntuples(result); row++) {
        pgc_sequence_value *value = &values[atoll(PQgetvalue(result, row, 0))];
        value->last = atoll(PQgetvalue(result, row, 1));
        value->called = PQgetvalue(result, row, 2)[0] == 't';
    }
    PQclear(result);
    return 0;
}

int pgc_sequence_values_read(PGconn *conn, const char *condition, pgc_arena *arena, pgc_sequence_values *values,
                             pgconvoy_error *err)
{
    if (list(conn, condition, arena, values, err))
        return -1;
    for (size_t first = 0; first < values->count; first += AT_ONCE)
        if (read_some(conn, values->items + first, values->count - first < AT_ONCE ? values->count - first : AT_ONCE,
                      err))
            return -1;
    return 0;
}

const pgc_sequence_value *pgc_sequence_values_find(const pgc_sequence_values *values, const char *schema,
                                                   const char *name)
{
    size_t low = 0, high = values->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(schema, values->items[middle].schema);
        order = order ? order : strcmp(name, values->items[middle].name);
        if (order == 0)
            return &values->items[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

int64_t pgc_sequence_next(const pgc_sequence_value *value)
{
    int64_t next;
    if (!value->called)
        return value->last;
    if (!__builtin_add_overflow(value->last, value->increment, &next))
        return next;
    return value->increment < 0 ? INT64_MIN : INT64_MAX;
}

bool pgc_sequence_is_behind(const pgc_sequence_value *at, const pgc_sequence_value *of)
{
    return of->increment < 0 ? pgc_sequence_next(at) > pgc_sequence_next(of)
                             : pgc_sequence_next(at) < pgc_sequence_next(of);
}

void pgc_sequence_set_sql(const pgc_sequence_value *value, pgc_buffer *out)
{
    pgc_buffer name;
    pgc_buffer_init(&name, 4096);
    pgc_quote_qualified(&name, value->schema, value->name);
    pgc_buffer_text(out, "SELECT pg_catalog.setval(");
    pgc_quote_literal(out, name.failed ? "" : name.data);
    pgc_buffer_format(out, ", %lld, %s);\n", (long long)value->last, value->called ? "true" : "false");
    if (name.failed)
        out->failed = true;
    pgc_buffer_free(&name);
}
