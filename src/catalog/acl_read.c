/* Initial privileges (pg_init_privs): what initdb or an extension's script gave an object. Only what was changed since is dumped. */
#include "catalog/kinds.h"

static bool has_acl(pgc_kind kind)
{
    static const pgc_kind kinds[] = {PGC_KIND_SCHEMA,   PGC_KIND_TYPE,     PGC_KIND_FUNCTION,             PGC_KIND_AGGREGATE,
                                     PGC_KIND_RELATION, PGC_KIND_LANGUAGE, PGC_KIND_FOREIGN_DATA_WRAPPER, PGC_KIND_FOREIGN_SERVER};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        if (kinds[k] == kind)
            return true;
    return false;
}

PGC_TAKE(initial_acls)
{
    (void)err;
    int class_oid = pgc_rows_column(rows, "classoid"), oid = pgc_rows_column(rows, "objoid"), column = pgc_rows_column(rows, "objsubid"),
        kind = pgc_rows_column(rows, "privtype"), acl = pgc_rows_column(rows, "initprivs");
    for (int r = 0; r < rows->count; r++) {
        pgc_object *object = pgc_catalog_find(catalog, pgc_rows_oid(rows, r, class_oid), pgc_rows_oid(rows, r, oid));
        int number = pgc_rows_int(rows, r, column);
        if (!object || (object->kind == PGC_KIND_SCHEMA && strcmp(object->name, "public") == 0))
            continue; /* public has had its own in schema.c */
        if (number != 0 && object->kind == PGC_KIND_RELATION) {
            object->available |= PGC_PART_ACL;
            ((pgc_relation *)object)->has_column_acls = true;
        } else if (number == 0 && has_acl(object->kind)) {
            object->acl.initial_kind = pgc_rows_char(rows, r, kind);
            object->acl.initial = pgc_rows_text(rows, r, acl);
        } else {
            pgc_catalog_warn(catalog, NULL, "unsupported pg_init_privs entry: %u %u %d", object->class_oid, object->oid, number);
        }
    }
    return 0;
}
