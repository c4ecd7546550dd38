/* Sizes of tables, and their cut in ranges of blocks; see data_sizes.h. */
#include "archive/data_sizes.h"
#include "postgres/connection.h"

#include <stdlib.h>

#define TID_RANGE_SCAN_VERSION 140000

static const char size_query[] =
    "SELECT c.oid, pg_catalog.pg_table_size(c.oid), pg_catalog.pg_relation_size(c.oid) / "
    "pg_catalog.current_setting('block_size')::pg_catalog.int8, "
    "coalesce(a.amname OPERATOR(pg_catalog.=) 'heap', false) "
    "FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_am a ON a.oid OPERATOR(pg_catalog.=) c.relam "
    "WHERE c.relkind IN ('r', 'm', 't') AND c.oid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.oid[]) ORDER BY c.oid";

static const pgc_relation *table_of(const pgc_entry *entry)
{
    return entry->object && entry->object->kind == PGC_KIND_TABLE_DATA
               ? ((const pgc_table_data *)entry->object)->relation
               : NULL;
}

static int take_sizes(pgc_data_sizes *sizes, const PGresult *result, pgconvoy_error *err)
{
    sizes->count = PQntuples(result);
    sizes->rows = calloc((size_t)sizes->count + 1, sizeof *sizes->rows);
    if (!sizes->rows)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < sizes->count; i++)
        sizes->rows[i] = (pgc_data_size){
            .oid = (uint32_t)strtoul(PQgetvalue(result, i, 0), NULL, 10),
            .bytes = strtoll(PQgetvalue(result, i, 1), NULL, 10),
            .blocks = strtoll(PQgetvalue(result, i, 2), NULL, 10),
            .is_heap = PQgetvalue(result, i, 3)[0] == 't',
        };
    return 0;
}

int pgc_data_sizes_read(pgc_data_sizes *sizes, PGconn *conn, const pgc_entries *entries,
                        bool (*wanted)(void *arg, const pgc_entry *entry), void *arg, pgconvoy_error *err)
{
    pgc_buffer oids;
    pgc_buffer_init(&oids, (size_t)entries->count * 12 + 16);
    for (int i = 0; i < entries->count; i++) {
        const pgc_entry *entry = entries->items[i];
        if (entry->has_data && table_of(entry) && wanted(arg, entry))
            pgc_buffer_format(&oids, "%s%u", oids.length ? "," : "{", table_of(entry)->object.oid);
    }
    pgc_buffer_text(&oids, oids.length ? "}" : "{}");
    int result = pgc_buffer_check(&oids, err);
    if (result == 0) {
        const char *values[] = {oids.data};
        PGresult *rows = pgc_query_params(conn, size_query, 1, values, err);
        result = rows ? take_sizes(sizes, rows, err) : -1;
        PQclear(rows);
    }
    pgc_buffer_free(&oids);
    return result;
}

static int compare_oids(const void *a, const void *b)
{
    uint32_t x = ((const pgc_data_size *)a)->oid, y = ((const pgc_data_size *)b)->oid;
    return (x > y) - (x < y);
}

const pgc_data_size *pgc_data_size_of(const pgc_data_sizes *sizes, const pgc_entry *entry)
{
    const pgc_relation *table = table_of(entry);
    pgc_data_size key = {.oid = table ? table->object.oid : 0};
    return table && sizes->count > 0 ? bsearch(&key, sizes->rows, (size_t)sizes->count, sizeof key, compare_oids)
                                     : NULL;
}

void pgc_data_sizes_free(pgc_data_sizes *sizes)
{
    free(sizes->rows);
    *sizes = (pgc_data_sizes){0};
}

bool pgc_data_can_cut(const pgc_catalog *catalog, const pgc_entry *entry, const pgc_data_size *size)
{
    if (!size || !size->is_heap || catalog->version < TID_RANGE_SCAN_VERSION)
        return false;
    return !((const pgc_table_data *)entry->object)->filter && catalog->options->rows_per_insert <= 1;
}

pgc_block_range pgc_data_part_blocks(const pgc_data_size *size, int64_t part, int64_t parts)
{
    return (pgc_block_range){
        .first = part == 0 ? -1 : size->blocks * part / parts,
        .end = part == parts - 1 ? -1 : size->blocks * (part + 1) / parts,
    };
}
