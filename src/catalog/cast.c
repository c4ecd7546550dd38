/* Casts. They have no name: they are sorted by those of their types. */
#include "catalog/function.h"

typedef struct cast {
    pgc_object object;
    uint32_t source, target, function;
    char context, method; /* castcontext, castmethod */
} cast;

static const char *sort_name(pgc_catalog *catalog, uint32_t source, uint32_t target)
{
    const pgc_type *from = pgc_catalog_type(catalog, source), *to = pgc_catalog_type(catalog, target);
    if (!from || !to)
        return "";
    size_t first = strlen(from->object.name), second = strlen(to->object.name);
    char *name = pgc_arena_alloc(catalog->arena, first + second + 2);
    if (!name)
        return NULL;
    memcpy(name, from->object.name, first);
    name[first] = ' ';
    memcpy(name + first + 1, to->object.name, second + 1);
    return name;
}

PGC_TAKE(casts)
{
    int oid = pgc_rows_column(rows, "oid"), source = pgc_rows_column(rows, "castsource"), target = pgc_rows_column(rows, "casttarget"),
        function = pgc_rows_column(rows, "castfunc"), context = pgc_rows_column(rows, "castcontext"), method = pgc_rows_column(rows, "castmethod");
    for (int r = 0; r < rows->count; r++) {
        uint32_t from = pgc_rows_oid(rows, r, source), to = pgc_rows_oid(rows, r, target);
        cast *c = pgc_catalog_add(catalog, PGC_KIND_CAST, sizeof *c, PGC_PG_CAST, pgc_rows_oid(rows, r, oid), sort_name(catalog, from, to), NULL, err);
        if (!c)
            return -1;
        c->source = from;
        c->target = to;
        c->function = pgc_rows_oid(rows, r, function);
        c->context = pgc_rows_char(rows, r, context);
        c->method = pgc_rows_char(rows, r, method);
        if (pgc_select_global(catalog, &c->object, 0, err) != 0)
            return -1;
    }
    return 0;
}

static const char *type_name(pgc_ddl *ddl, uint32_t oid)
{
    const pgc_type *type = pgc_catalog_type(ddl->catalog, oid);
    return type ? type->formatted : "NONE";
}

static void append_how(pgc_ddl *ddl, pgc_buffer *out, const cast *c)
{
    const pgc_function *function = c->function ? pgc_catalog_function(ddl->catalog, c->function) : NULL;
    if (c->function && !function)
        pgc_ddl_fail(ddl, "could not find function definition for function with OID %u", c->function);
    else if (c->method == 'b')
        pgc_buffer_text(out, "WITHOUT FUNCTION");
    else if (c->method == 'i')
        pgc_buffer_text(out, "WITH INOUT");
    else if (c->method == 'f' && function)
        pgc_buffer_format(out, "WITH FUNCTION %s", pgc_ddl_function_reference(ddl, function));
    else
        pgc_catalog_warn(ddl->catalog, NULL, "bogus value in pg_cast.castfunc or pg_cast.castmethod field");
    pgc_buffer_text(out, c->context == 'a' ? " AS ASSIGNMENT" : c->context == 'i' ? " AS IMPLICIT" : "");
}

PGC_WRITER(cast)
{
    const cast *c = (const cast *)object;
    const char *name = pgc_ddl_format(ddl, "(%s AS %s)", type_name(ddl, c->source), type_name(ddl, c->target));
    if (pgc_object_writes(object, PGC_PART_DEFINITION)) {
        pgc_buffer *create = pgc_ddl_buffer(ddl);
        pgc_buffer_format(create, "CREATE CAST %s ", name);
        append_how(ddl, create, c);
        pgc_buffer_text(create, ";\n");
        pgc_ddl_extension_member(ddl, create, object, "CAST", name, NULL);
        PGC_ENTRY(ddl, .object = object, .tag = pgc_ddl_format(ddl, "CAST %s", name), .description = "CAST", .section = PGC_SECTION_PRE_DATA,
                  .create = create->data, .drop = pgc_ddl_format(ddl, "DROP CAST %s;\n", name));
    }
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment(ddl, object, "CAST", name, NULL);
}
