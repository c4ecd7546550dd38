/*
 * The columns of a table as it is on the target, and whether the source's columns fit into them. Two types are the same
 * by name; another type fits only when it holds every value of the source's type without loss, and is then fed with
 * text.
 */
#include "sink/postgres/sink_internal.h"
#include "sink/postgres/types.h"
#include "postgres/text_arrays.h"
#include "postgres/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char relations_sql[] =
    "SELECT g.place, c.oid, c.relkind, row_security_active(c.oid) FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS g (schema_name, name, place) "
    "JOIN pg_namespace n ON n.nspname = g.schema_name JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = g.name";

/* The operator is looked for by exact type, since search_path holds no schema of an extension. */
static const char columns_sql[] =
    "SELECT a.attname, a.atttypid, a.atttypmod, tn.nspname, t.typname, coalesce(en.nspname, ''), coalesce(e.typname, "
    "''),"
    " format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef, a.attgenerated <> '', a.attidentity, eq.nspname,"
    " t.typarray, t.typdelim, format_type(a.atttypid, -1), a.attrelid "
    "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace tn ON tn.oid = t.typnamespace "
    "LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typlen = -1 AND t.typcategory = 'A' "
    "LEFT JOIN pg_namespace en ON en.oid = e.typnamespace "
    "LEFT JOIN LATERAL (SELECT n.nspname FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace "
    " WHERE o.oprname = '=' AND o.oprleft = coalesce(nullif(t.typbasetype, 0), t.oid) AND o.oprright = o.oprleft"
    " AND n.nspname <> 'pg_catalog' LIMIT 1) eq ON true "
    "WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum";

static const char *equals_operator(pgc_arena *arena, const PGresult *result, int row)
{
    if (PQgetisnull(result, row, 12))
        return " = ";
    pgc_buffer text;
    pgc_buffer_init(&text, 1024);
    pgc_buffer_text(&text, " OPERATOR(");
    pgc_quote_identifier(&text, PQgetvalue(result, row, 12));
    pgc_buffer_text(&text, ".=) ");
    const char *copy = text.failed ? NULL : pgc_arena_strdup(arena, text.data);
    pgc_buffer_free(&text);
    return copy;
}

static bool fill_column(pgc_arena *arena, const PGresult *result, int row, pgc_pgsink_column *column)
{
    column->name = pgc_arena_strdup(arena, PQgetvalue(result, row, 0));
    column->type_oid = (uint32_t)strtoul(PQgetvalue(result, row, 1), NULL, 10);
    column->typmod = atoi(PQgetvalue(result, row, 2));
    column->type_schema = pgc_arena_strdup(arena, PQgetvalue(result, row, 3));
    column->type_name = pgc_arena_strdup(arena, PQgetvalue(result, row, 4));
    column->element_schema = pgc_arena_strdup(arena, PQgetvalue(result, row, 5));
    column->element_name = pgc_arena_strdup(arena, PQgetvalue(result, row, 6));
    column->type_sql = pgc_arena_strdup(arena, PQgetvalue(result, row, 7));
    column->not_null = PQgetvalue(result, row, 8)[0] == 't';
    column->has_default = PQgetvalue(result, row, 9)[0] == 't' || PQgetvalue(result, row, 11)[0] != '\0';
    column->generated = PQgetvalue(result, row, 10)[0] == 't';
    column->identity_always = PQgetvalue(result, row, 11)[0] == 'a';
    column->array_oid = (uint32_t)strtoul(PQgetvalue(result, row, 13), NULL, 10);
    column->delimiter = PQgetvalue(result, row, 14)[0];
    column->plain_type_sql = pgc_arena_strdup(arena, PQgetvalue(result, row, 15));
    column->equals = equals_operator(arena, result, row);
    return column->name && column->type_schema && column->type_name && column->element_schema && column->element_name &&
           column->type_sql && column->plain_type_sql && column->equals;
}

static int find_relations(PGconn *conn, const pgc_pgsink_lookup *lookups, size_t count, const char *doing, pgconvoy_error *err)
{
    pgc_text_arrays names;
    const char *values[2];
    pgc_text_arrays_init(&names, 2);
    for (size_t i = 0; i < count; i++) {
        const char *texts[] = {lookups[i].schema, lookups[i].name};
        memset(lookups[i].relation, 0, sizeof *lookups[i].relation);
        pgc_text_arrays_add(&names, texts);
    }
    PGresult *result =
        pgc_text_arrays_end(&names, values, err) == 0 ? pgc_pgsink_query(conn, relations_sql, 2, values, doing, err) : NULL;
    pgc_text_arrays_free(&names);
    for (int row = 0; result && row < PQntuples(result); row++) {
        pgc_pgsink_relation *relation = lookups[strtoul(PQgetvalue(result, row, 0), NULL, 10) - 1].relation;
        relation->oid = (uint32_t)strtoul(PQgetvalue(result, row, 1), NULL, 10);
        relation->kind = PQgetvalue(result, row, 2)[0];
        relation->guarded = PQgetvalue(result, row, 3)[0] == 't';
    }
    PQclear(result);
    return result ? 0 : -1;
}

static int fill_columns(const pgc_pgsink_lookup *lookup, const PGresult *result, int first, int count, pgconvoy_error *err)
{
    pgc_pgsink_relation *relation = lookup->relation;
    relation->columns = pgc_arena_zalloc(lookup->arena, sizeof *relation->columns * ((size_t)count + 1));
    relation->column_count = relation->columns ? count : 0;
    for (int i = 0; i < relation->column_count; i++)
        if (!fill_column(lookup->arena, result, first + i, &relation->columns[i]))
            return pgc_error_out_of_memory(err);
    return relation->columns ? 0 : pgc_error_out_of_memory(err);
}

/* The rows of one table's columns are together. */
static int take_columns(const pgc_pgsink_lookup *lookups, size_t count, const PGresult *result, pgconvoy_error *err)
{
    for (size_t i = 0; i < count; i++) {
        char oid[16];
        int first = 0, end;
        snprintf(oid, sizeof oid, "%u", lookups[i].relation->oid);
        while (first < PQntuples(result) && strcmp(PQgetvalue(result, first, 16), oid) != 0)
            first++;
        for (end = first; end < PQntuples(result) && strcmp(PQgetvalue(result, end, 16), oid) == 0; end++)
            ;
        if (lookups[i].relation->oid != 0 && fill_columns(&lookups[i], result, first, end - first, err) != 0)
            return -1;
    }
    return 0;
}

int pgc_pgsink_relations_load(PGconn *conn, const pgc_pgsink_lookup *lookups, size_t count, pgconvoy_error *err)
{
    char doing[300] = "looking at tables on the target";
    if (count == 1)
        snprintf(doing, sizeof doing, "looking at table %s.%s on the target", lookups->schema, lookups->name);
    if (find_relations(conn, lookups, count, doing, err) != 0)
        return -1;
    pgc_buffer oids;
    pgc_buffer_init(&oids, PGSINK_SQL_LIMIT);
    for (size_t i = 0; i < count; i++)
        if (lookups[i].relation->oid != 0)
            pgc_array_add_oid(&oids, lookups[i].relation->oid);
    if (oids.length == 0) {
        pgc_buffer_free(&oids);
        return 0;
    }
    PGresult *result = pgc_pgsink_query_oids(conn, columns_sql, &oids, NULL, doing, err);
    int status = result ? take_columns(lookups, count, result, err) : -1;
    PQclear(result);
    return status;
}

int pgc_pgsink_relation_load(PGconn *conn, const char *schema, const char *name, pgc_arena *arena,
                             pgc_pgsink_relation *relation, pgconvoy_error *err)
{
    const pgc_pgsink_lookup lookup = {schema, name, arena, relation};
    return pgc_pgsink_relations_load(conn, &lookup, 1, err);
}

pgc_pgsink_column *pgc_pgsink_relation_find(const pgc_pgsink_relation *relation, const char *name)
{
    for (int i = 0; i < relation->column_count; i++)
        if (strcmp(relation->columns[i].name, name) == 0)
            return &relation->columns[i];
    return NULL;
}

/* ---- whether a type fits */

/* An array's own name is made up by the server; its element's is not. */
static const pgconvoy_type *named_by(const pgconvoy_type *type, const pgc_pgsink_column *target)
{
    return type->kind == PGCONVOY_TYPE_ARRAY && type->element && target->element_name[0] ? type->element : type;
}

static bool same_name(const pgconvoy_type *type, const pgc_pgsink_column *target)
{
    const pgconvoy_type *named = named_by(type, target);
    return strcmp(named->name, named == type ? target->type_name : target->element_name) == 0;
}

static bool same_type(const pgconvoy_type *type, const pgc_pgsink_column *target)
{
    const pgconvoy_type *named = named_by(type, target);
    return same_name(type, target) && strcmp(named->schema, named == type ? target->type_schema : target->element_schema) == 0;
}

/* Where a pipeline begins with somebody else's table: --map-schema may give the type another schema, and nothing another name. */
static bool is_another_type(const pgconvoy_column *source, const pgc_pgsink_column *target)
{
    return pgc_pgsink_is_named_otherwise(source, target) && !same_name(source->type, target);
}

/* numeric's modifier: 4 + (precision << 16 | scale in 11 bits, signed since 15). */
static int numeric_scale(int32_t typmod)
{
    return (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
}

/* A modifier that rounds is a silent loss; one that refuses (varchar) is not. */
static bool modifier_keeps(uint32_t oid, int32_t source, int32_t target)
{
    if (target == source || target < 0)
        return true;
    switch (oid) {
    case PGC_VARCHAR:
    case PGC_VARBIT:
        return true;  /* too long is an error of the server's */
    case PGC_NUMERIC: /* precision overflows loudly; fewer digits after the point round */
        return source >= 0 && numeric_scale(target) >= numeric_scale(source);
    case PGC_TIME:
    case PGC_TIMETZ:
    case PGC_TIMESTAMP:
    case PGC_TIMESTAMPTZ:
        return target >= 6 || (source >= 0 && target >= source);
    default:
        return false;
    }
}

static bool is_wider(uint32_t source, uint32_t target)
{
    static const uint32_t pairs[][2] = {
        {PGC_INT2, PGC_INT4},     {PGC_INT2, PGC_INT8},        {PGC_INT4, PGC_INT8},    {PGC_INT2, PGC_NUMERIC},
        {PGC_INT4, PGC_NUMERIC},  {PGC_INT8, PGC_NUMERIC},     {PGC_OID, PGC_INT8},     {PGC_VARCHAR, PGC_TEXT_OID},
        {PGC_NAME, PGC_TEXT_OID}, {PGC_TEXT_OID, PGC_VARCHAR}, {PGC_NAME, PGC_VARCHAR}, {PGC_CIDR, PGC_INET},
        {PGC_CHAR, PGC_TEXT_OID}, {PGC_JSON, PGC_TEXT_OID},    {PGC_XML, PGC_TEXT_OID}, {PGC_BPCHAR, PGC_TEXT_OID},
        {PGC_BIT, PGC_VARBIT},    {PGC_UUID, PGC_TEXT_OID}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (pairs[i][0] == source && pairs[i][1] == target)
            return true;
    return false;
}

bool pgc_pgsink_widens(const pgc_pgsink_column *target, const pgconvoy_type *type)
{
    uint32_t base = pgc_type_base(type)->oid;
    return target->type_oid == base || same_type(type, target) || is_wider(target->type_oid, base);
}

bool pgc_pgsink_is_named_otherwise(const pgconvoy_column *source, const pgc_pgsink_column *target)
{
    if (source->type->lost)
        return target != NULL; /* whatever it is there: the commands that are still to come change it, or what the catalog says by now */
    return target && !pgc_pgsink_type_is_built_in(source->type) && target->type_oid >= PGC_FIRST_USER_OID && !same_type(source->type, target) &&
           (source->type->kind == PGCONVOY_TYPE_ARRAY) == (target->element_name[0] != '\0');
}

pgc_pgsink_fit pgc_pgsink_column_fit(const pgconvoy_column *source, const pgc_pgsink_column *target)
{
    if (same_type(source->type, target))
        return modifier_keeps(source->type->oid, source->typmod, target->typmod) ? PGSINK_FIT_SAME : PGSINK_FIT_NONE;
    const pgconvoy_type *base = pgc_type_base(source->type);
    if (base != source->type && same_type(base, target)) /* a domain into its base type */
        return modifier_keeps(base->oid, source->type->typmod, target->typmod) ? PGSINK_FIT_SAME : PGSINK_FIT_NONE;
    if (target->type_oid == PGC_TEXT_OID && base->kind == PGCONVOY_TYPE_ENUM)
        return PGSINK_FIT_TEXT;
    if (pgc_pgsink_is_named_otherwise(source, target))
        return PGSINK_FIT_TEXT;
    if (!is_wider(base->oid, target->type_oid))
        return PGSINK_FIT_NONE;
    bool has_room = target->typmod < 0 || target->type_oid == PGC_VARCHAR || target->type_oid == PGC_VARBIT ||
                    (target->type_oid == PGC_NUMERIC && numeric_scale(target->typmod) >= 0);
    return has_room ? PGSINK_FIT_TEXT : PGSINK_FIT_NONE;
}

bool pgc_pgsink_relation_equals(const pgc_pgsink_relation *relation, const pgconvoy_table *table)
{
    if (relation->column_count != table->column_count)
        return false;
    for (int i = 0; i < table->column_count; i++) {
        const pgc_pgsink_column *target = pgc_pgsink_relation_find(relation, table->columns[i].name);
        if (!target || pgc_pgsink_column_fit(&table->columns[i], target) != PGSINK_FIT_SAME ||
            target->typmod != table->columns[i].typmod || (target->not_null && !table->columns[i].not_null))
            return false;
    }
    return true;
}

/* ---- checking somebody else's table */

static int check_column(pgc_pgsink *sink, const pgc_pgsink_relation *relation, const pgconvoy_table *table,
                        const pgconvoy_column *column, bool begins, pgconvoy_error *err)
{
    const pgc_pgsink_column *target = pgc_pgsink_relation_find(relation, column->name);
    if (!target) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "table %s.%s on the target has no column \"%s\"", table->schema,
                           table->name, column->name);
        pgconvoy_error_hint(err, "add it (%s), or run with --if-exists drop", column->type_sql);
        return -1;
    }
    pgc_pgsink_fit fit = pgc_pgsink_column_fit(column, target);
    if (fit == PGSINK_FIT_NONE || (begins && is_another_type(column, target))) {
        pgconvoy_error_set(
            err, PGCONVOY_ERROR_CONFIG,
            "column \"%s\" of table %s.%s is %s on the source and %s on the target, which does not hold its values",
            column->name, table->schema, table->name, column->type_sql, target->type_sql);
        pgconvoy_error_hint(err, "change the column's type on the target to %s, or run with --if-exists drop",
                            column->type_sql);
        return -1;
    }
    if (fit == PGSINK_FIT_SAME)
        return 0;
    /* from now on column_format asks for text */
    return pgc_pgsink_mark_once(sink, &sink->text_columns, column, err) < 0 ? -1 : 0;
}

int pgc_pgsink_relation_check(pgc_pgsink *sink, const pgc_pgsink_relation *relation, const pgconvoy_table *table, bool begins,
                              pgconvoy_error *err)
{
    if (relation->guarded) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "row-level security of table %s.%s on the target would meet what our role writes there", table->schema, table->name);
        pgconvoy_error_hint(err, "on the target: ALTER ROLE … BYPASSRLS, or, where our role owns the table, ALTER TABLE … NO FORCE ROW LEVEL SECURITY until the pipeline has ended");
        return -1;
    }
    for (int i = 0; i < table->column_count; i++)
        if (check_column(sink, relation, table, &table->columns[i], begins, err) != 0)
            return -1;
    for (int i = 0; i < relation->column_count; i++) {
        const pgc_pgsink_column *target = &relation->columns[i];
        bool sent = false;
        for (int c = 0; c < table->column_count && !sent; c++)
            sent = strcmp(table->columns[c].name, target->name) == 0;
        if (sent || !target->not_null || target->has_default || target->generated)
            continue;
        pgconvoy_error_set(
            err, PGCONVOY_ERROR_CONFIG,
            "column \"%s\" of table %s.%s on the target is NOT NULL without a default, and the source does not send it",
            target->name, table->schema, table->name);
        pgconvoy_error_hint(err, "give it a default, drop its NOT NULL, or run with --if-exists drop");
        return -1;
    }
    return 0;
}
