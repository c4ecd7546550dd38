/* Takes pg_depend: what each object needs according to the server. Sub-objects (columns) count as their object. */
#include "catalog/kinds.h"

/* The row type of a composite type depends on its relation, where the server has it the other way round; for making them the type must come first only in name. */
static bool is_reversed(const pgc_object *object, const pgc_object *needed, char type)
{
    return type == 'i' && object->kind == PGC_KIND_RELATION && needed->kind == PGC_KIND_TYPE;
}

int pgc_take_dependencies(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int class_oid = pgc_rows_column(rows, "classid"), oid = pgc_rows_column(rows, "objid");
    int needed_class = pgc_rows_column(rows, "refclassid"), needed_oid = pgc_rows_column(rows, "refobjid");
    int type = pgc_rows_column(rows, "deptype");
    for (int i = 0; i < rows->count; i++) {
        pgc_object *object = pgc_catalog_find(catalog, pgc_rows_oid(rows, i, class_oid), pgc_rows_oid(rows, i, oid));
        pgc_object *needed = object ? pgc_catalog_find(catalog, pgc_rows_oid(rows, i, needed_class), pgc_rows_oid(rows, i, needed_oid)) : NULL;
        if (!needed)
            continue; /* a toast table, say: not read */
        char kind = pgc_rows_char(rows, i, type);
        if (kind == 'x')
            object->depends_on_extension = true;
        bool reversed = is_reversed(object, needed, kind);
        if (pgc_object_needs(catalog, reversed ? needed : object, reversed ? object->id : needed->id, err) != 0)
            return -1;
    }
    return 0;
}
