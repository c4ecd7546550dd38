/* The queries of views and materialized views. */
#include "catalog/kinds.h"

int pgc_take_views(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "oid"), definition = pgc_rows_column(rows, "definition");
    for (int row = 0; row < rows->count; row++) {
        pgc_relation *view = pgc_catalog_relation(catalog, pgc_rows_oid(rows, row, oid));
        const char *query = pgc_rows_peek(rows, row, definition);
        size_t length = query ? strlen(query) : 0;
        if (!view)
            continue;
        if (length == 0) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "definition of view \"%s\" appears to be empty (length zero)", view->object.name);
            return -1;
        }
        /* its semicolon goes, so that more may follow */
        view->query = pgc_arena_strndup(catalog->arena, query, query[length - 1] == ';' ? length - 1 : length);
        if (!view->query)
            return pgc_error_out_of_memory(err);
    }
    return 0;
}
