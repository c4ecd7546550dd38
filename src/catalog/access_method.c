/* Access methods: of indexes and of tables. */
#include "catalog/named.h"

int pgc_take_access_methods(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "oid"), name = pgc_rows_column(rows, "name"), type = pgc_rows_column(rows, "amtype"),
        handler = pgc_rows_column(rows, "amhandler");
    for (int i = 0; i < rows->count; i++) {
        pgc_access_method *method = pgc_catalog_add(catalog, PGC_KIND_ACCESS_METHOD, sizeof *method, PGC_PG_AM, pgc_rows_oid(rows, i, oid),
                                                    pgc_rows_text_or_empty(rows, i, name), NULL, err);
        if (!method)
            return -1;
        method->type = pgc_rows_char(rows, i, type);
        method->handler = pgc_rows_text_or_empty(rows, i, handler);
        if (pgc_select_global(catalog, &method->object, 0, err) != 0)
            return -1;
    }
    return 0;
}

void pgc_write_access_method(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_access_method *method = (const pgc_access_method *)object;
    if (!pgc_named_wanted(ddl->catalog, object))
        return;
    const char *name = pgc_ddl_name(ddl, object->name);
    if (method->type != 'i' && method->type != 't') {
        pgc_catalog_warn(ddl->catalog, NULL, "invalid type \"%c\" of access method \"%s\"", method->type, name);
        return;
    }
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    pgc_buffer_format(create, "CREATE ACCESS METHOD %s TYPE %s HANDLER %s;\n", name, method->type == 'i' ? "INDEX" : "TABLE", method->handler);
    pgc_named_write(ddl, object, "ACCESS METHOD", name, create);
}
