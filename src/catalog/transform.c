/* Transforms: how a procedural language sees the values of a type. They are sorted by the names of the type and the language. */
#include "catalog/function.h"

#include "postgres/quote.h"

typedef struct transform {
    pgc_object object;
    uint32_t type, from_sql, to_sql;
    const char *language;
} transform;

static const char *sort_name(pgc_catalog *catalog, uint32_t type_oid, const char *language)
{
    const pgc_type *type = pgc_catalog_type(catalog, type_oid);
    pgc_buffer name;
    pgc_buffer_init(&name, 4096);
    if (type) {
        pgc_buffer_format(&name, "%s ", type->object.name);
        pgc_quote_identifier_if_needed(&name, language, catalog->version, catalog->options->quote_all_identifiers);
    }
    const char *kept = name.failed ? NULL : pgc_arena_strdup(catalog->arena, name.data ? name.data : "");
    pgc_buffer_free(&name);
    return kept;
}

PGC_TAKE(transforms)
{
    int oid = pgc_rows_column(rows, "oid"), type = pgc_rows_column(rows, "trftype"), language = pgc_rows_column(rows, "lanname"),
        from_sql = pgc_rows_column(rows, "trffromsql"), to_sql = pgc_rows_column(rows, "trftosql");
    for (int r = 0; r < rows->count; r++) {
        uint32_t type_oid = pgc_rows_oid(rows, r, type);
        const char *language_name = pgc_rows_text_or_empty(rows, r, language);
        transform *t = pgc_catalog_add(catalog, PGC_KIND_TRANSFORM, sizeof *t, PGC_PG_TRANSFORM, pgc_rows_oid(rows, r, oid),
                                       sort_name(catalog, type_oid, language_name), NULL, err);
        if (!t)
            return -1;
        t->type = type_oid;
        t->language = language_name;
        t->from_sql = pgc_rows_oid(rows, r, from_sql);
        t->to_sql = pgc_rows_oid(rows, r, to_sql);
        if (pgc_select_object(catalog, &t->object, err) != 0)
            return -1;
    }
    return 0;
}

/* "FROM SQL WITH FUNCTION f(internal)", or nothing; gives whether there was something. */
static bool append_function(pgc_ddl *ddl, pgc_buffer *out, const char *direction, uint32_t oid)
{
    const pgc_function *function = oid ? pgc_catalog_function(ddl->catalog, oid) : NULL;
    if (oid && !function)
        pgc_ddl_fail(ddl, "could not find function definition for function with OID %u", oid);
    if (function)
        pgc_buffer_format(out, "%s WITH FUNCTION %s", direction, pgc_ddl_function_reference(ddl, function));
    return function != NULL;
}

PGC_WRITER(transform)
{
    const transform *t = (const transform *)object;
    const pgc_type *type = pgc_catalog_type(ddl->catalog, t->type);
    const char *name = pgc_ddl_format(ddl, "FOR %s LANGUAGE %s", type ? type->formatted : "NONE", pgc_ddl_name(ddl, t->language));
    if (pgc_object_writes(object, PGC_PART_DEFINITION)) {
        pgc_buffer *create = pgc_ddl_buffer(ddl);
        pgc_buffer_format(create, "CREATE TRANSFORM %s (", name);
        bool first = append_function(ddl, create, "FROM SQL", t->from_sql);
        append_function(ddl, create, first ? ", TO SQL" : "TO SQL", t->to_sql);
        pgc_buffer_text(create, ");\n");
        pgc_ddl_extension_member(ddl, create, object, "TRANSFORM", name, NULL);
        PGC_ENTRY(ddl, .object = object, .tag = pgc_ddl_format(ddl, "TRANSFORM %s", name), .description = "TRANSFORM", .section = PGC_SECTION_PRE_DATA,
                  .create = create->data, .drop = pgc_ddl_format(ddl, "DROP TRANSFORM %s;\n", name), .dependencies = object->needs,
                  .dependency_count = object->need_count);
    }
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment(ddl, object, "TRANSFORM", name, NULL);
}
