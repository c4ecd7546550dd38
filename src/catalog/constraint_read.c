/* Foreign keys, and the NOT NULL constraints that stand by themselves. Checks are read with the columns, primary keys, unique and exclusion constraints with their indexes. */
#include "catalog/dependent_shared.h"

int pgc_take_foreign_keys(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "oid"), on = pgc_rows_column(rows, "conrelid"), name = pgc_rows_column(rows, "conname"),
        type = pgc_rows_column(rows, "contype"), referenced = pgc_rows_column(rows, "confrelid"), index = pgc_rows_column(rows, "conindid"),
        definition = pgc_rows_column(rows, "definition"), local = pgc_rows_column(rows, "conislocal"), validated = pgc_rows_column(rows, "convalidated");
    for (int row = 0; row < rows->count; row++) {
        pgc_relation *relation = pgc_catalog_relation(catalog, pgc_rows_oid(rows, row, on));
        char kind = pgc_rows_char(rows, row, type);
        if (!relation || !(relation->object.wanted & PGC_PART_DEFINITION))
            continue;
        pgc_constraint *constraint = dependent_add(catalog, kind == 'f' ? PGC_KIND_FOREIGN_KEY : PGC_KIND_CONSTRAINT, sizeof *constraint, PGC_PG_CONSTRAINT,
                                                   pgc_rows_oid(rows, row, oid), pgc_rows_text(rows, row, name), relation, err);
        if (!constraint)
            return -1;
        constraint->relation = relation;
        constraint->type = kind;
        constraint->definition = pgc_rows_text(rows, row, definition);
        constraint->referenced = pgc_rows_oid(rows, row, referenced);
        constraint->referenced_index = pgc_rows_oid(rows, row, index);
        constraint->local = kind == 'f' || pgc_rows_bool(rows, row, local);
        constraint->validated = pgc_rows_bool(rows, row, validated);
        constraint->separate = true;
        if (kind != 'f')
            constraint->object.wanted = relation->object.wanted;
    }
    return 0;
}

/* Those of domains first, as domains come before tables. */
int pgc_compare_constraint(const pgc_catalog *catalog, const pgc_object *a, const pgc_object *b)
{
    (void)catalog;
    const pgc_constraint *first = (const pgc_constraint *)a, *second = (const pgc_constraint *)b;
    if (!first->domain != !second->domain)
        return first->domain ? -1 : 1;
    return first->domain ? strcmp(first->domain->object.name, second->domain->object.name)
                         : strcmp(first->relation->object.name, second->relation->object.name);
}
