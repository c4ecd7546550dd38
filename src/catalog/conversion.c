/* Conversions between encodings. */
#include "catalog/named.h"

typedef struct conversion {
    pgc_object object;
    bool is_default;
    const char *from, *to, *function; /* NULL when it is not written */
} conversion;

int pgc_take_conversions(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    pgc_named_columns columns = pgc_named_columns_find(rows);
    int is_default = pgc_rows_column(rows, "condefault"), from = pgc_rows_column(rows, "from_encoding"), to = pgc_rows_column(rows, "to_encoding"),
        function = pgc_rows_column(rows, "function");
    for (int i = 0; i < rows->count; i++) {
        conversion *c = pgc_named_take(rows, i, &columns, PGC_KIND_CONVERSION, sizeof *c, PGC_PG_CONVERSION, err);
        if (!c)
            return -1;
        if (!pgc_named_wanted(catalog, &c->object))
            continue;
        c->is_default = pgc_rows_bool(rows, i, is_default);
        c->from = pgc_rows_text(rows, i, from);
        c->to = pgc_rows_text(rows, i, to);
        c->function = pgc_rows_text(rows, i, function);
    }
    return 0;
}

void pgc_write_conversion(pgc_ddl *ddl, const pgc_object *object)
{
    const conversion *c = (const conversion *)object;
    if (!c->function)
        return;
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    pgc_buffer_format(create, "CREATE %sCONVERSION %s FOR %s TO %s FROM %s;\n", c->is_default ? "DEFAULT " : "", pgc_ddl_object_name(ddl, object),
                      pgc_ddl_literal(ddl, c->from), pgc_ddl_literal(ddl, c->to), c->function);
    pgc_named_write(ddl, object, "CONVERSION", pgc_ddl_name(ddl, object->name), create);
}
