/* Roles: only their names, by oid. Owners and grantors come as oids from the catalogs; looking the names up here spares every query a join. */
#include "catalog/kinds.h"

typedef struct role {
    uint32_t oid;
    const char *name;
} role;

typedef struct role_table {
    int count;
    role items[]; /* sorted by oid: the query does */
} role_table;

PGC_TAKE(roles)
{
    role_table *table = pgc_arena_alloc(catalog->arena, sizeof *table + (size_t)rows->count * sizeof table->items[0]);
    if (!table)
        return pgc_error_out_of_memory(err);
    int oid = pgc_rows_column(rows, "oid"), name = pgc_rows_column(rows, "rolname");
    table->count = rows->count;
    for (int r = 0; r < rows->count; r++) {
        table->items[r] = (role){pgc_rows_oid(rows, r, oid), pgc_rows_text(rows, r, name)};
        if (!table->items[r].name)
            return pgc_error_out_of_memory(err);
    }
    catalog->roles = table;
    return 0;
}

const char *pgc_catalog_role(pgc_catalog *catalog, uint32_t oid)
{
    const role_table *table = catalog->roles;
    int low = 0, high = table ? table->count : 0;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (table->items[middle].oid == oid)
            return table->items[middle].name;
        if (table->items[middle].oid < oid)
            low = middle + 1;
        else
            high = middle;
    }
    if (catalog->missing_role == 0)
        catalog->missing_role = oid;
    return "";
}
