/* Types from the catalog; see value_catalog.h. */
#include "value_catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

PGresult *catalog_query(catalog *catalog, const char *sql, pgconvoy_format format)
{
    PGresult *result = PQexecParams(catalog->conn, sql, 0, NULL, NULL, NULL, NULL, format == PGCONVOY_BINARY);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        fprintf(stderr, "%s\n%s", sql, PQresultErrorMessage(result));
        abort();
    }
    return result;
}

static void read_fields(catalog *catalog, pgconvoy_type *type, const char *relation)
{
    char sql[512];
    snprintf(sql, sizeof sql,
             "select attname, atttypid, atttypmod from pg_attribute where attrelid = %s and attnum > 0 and not "
             "attisdropped order by attnum",
             relation);
    PGresult *result = catalog_query(catalog, sql, PGCONVOY_TEXT);
    type->field_count = PQntuples(result);
    pgconvoy_column *fields = pgc_arena_zalloc(catalog->arena, (size_t)type->field_count * sizeof *fields + 1);
    for (int i = 0; i < type->field_count; i++) {
        fields[i].name = pgc_arena_strdup(catalog->arena, PQgetvalue(result, i, 0));
        fields[i].type = catalog_type(catalog, (uint32_t)strtoul(PQgetvalue(result, i, 1), NULL, 10));
        fields[i].typmod = atoi(PQgetvalue(result, i, 2));
    }
    type->fields = fields;
    PQclear(result);
}

/* The kind, from pg_type.typtype, and whether it is a true array (typsubscript is not to be had before version 14). */
static pgconvoy_type_kind kind_of(char typtype, bool is_array)
{
    switch (typtype) {
    case 'c':
        return PGCONVOY_TYPE_COMPOSITE;
    case 'd':
        return PGCONVOY_TYPE_DOMAIN;
    case 'e':
        return PGCONVOY_TYPE_ENUM;
    case 'r':
        return PGCONVOY_TYPE_RANGE;
    case 'm':
        return PGCONVOY_TYPE_MULTIRANGE;
    default:
        return is_array ? PGCONVOY_TYPE_ARRAY : PGCONVOY_TYPE_BASE;
    }
}

const pgconvoy_type *catalog_type(catalog *catalog, uint32_t oid)
{
    for (int i = 0; i < catalog->count; i++)
        if (catalog->types[i]->oid == oid)
            return catalog->types[i];
    char sql[1024];
    snprintf(sql, sizeof sql,
             "select t.typname, t.typtype, t.typlen = -1 and t.typelem <> 0 and e.typarray = t.oid, t.typdelim,"
             " case t.typtype when 'd' then t.typbasetype when 'r' then r.rngsubtype when 'm' then m.rngtypid else "
             "t.typelem end,"
             " t.typrelid, x.extname"
             " from pg_type t left join pg_type e on e.oid = t.typelem left join pg_range r on r.rngtypid = t.oid"
             " left join %s m on m.rngmultitypid = t.oid"
             " left join pg_depend d on d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e'"
             " left join pg_extension x on x.oid = d.refobjid where t.oid = %u",
             PQserverVersion(catalog->conn) >= 140000 ? "pg_range"
                                                      : "(select 0::oid as rngmultitypid, 0::oid as rngtypid)",
             oid);
    PGresult *result = catalog_query(catalog, sql, PGCONVOY_TEXT);
    if (PQntuples(result) != 1 || catalog->count == 512) {
        PQclear(result);
        return NULL;
    }
    pgconvoy_type *type = pgc_arena_zalloc(catalog->arena, sizeof *type);
    catalog->types[catalog->count++] = type;
    type->oid = oid;
    type->typmod = -1;
    type->name = pgc_arena_strdup(catalog->arena, PQgetvalue(result, 0, 0));
    type->kind = kind_of(PQgetvalue(result, 0, 1)[0], PQgetvalue(result, 0, 2)[0] == 't');
    type->delimiter = PQgetvalue(result, 0, 3)[0];
    if (type->kind == PGCONVOY_TYPE_ARRAY || type->kind == PGCONVOY_TYPE_DOMAIN || type->kind == PGCONVOY_TYPE_RANGE ||
        type->kind == PGCONVOY_TYPE_MULTIRANGE)
        type->element = catalog_type(catalog, (uint32_t)strtoul(PQgetvalue(result, 0, 4), NULL, 10));
    if (!PQgetisnull(result, 0, 6))
        type->extension = pgc_arena_strdup(catalog->arena, PQgetvalue(result, 0, 6));
    if (type->kind == PGCONVOY_TYPE_COMPOSITE)
        read_fields(catalog, type, PQgetvalue(result, 0, 5));
    PQclear(result);
    return type;
}
