/* The query of tables.c: a row for each column of the tables that "chosen" gives; in order of tables and of names. */
#ifndef PGC_INSPECT_VERIFY_TABLES_SQL_H
#define PGC_INSPECT_VERIFY_TABLES_SQL_H

/* clang-format off */
#define VERIFY_COLUMNS_SELECT \
    "SELECT n.nspname, c.relname, c.relkind, " \
    /* rows, pages: of a partitioned table those of its leaves */ \
    "CASE WHEN c.relkind = 'p' THEN (SELECT coalesce(sum(greatest(l.reltuples, 0)), 0) FROM pg_partition_tree(c.oid) p JOIN pg_class l ON l.oid = p.relid WHERE p.isleaf) " \
        "ELSE greatest(c.reltuples, 0) END, " \
    "CASE WHEN c.relkind = 'p' THEN (SELECT coalesce(sum(pg_relation_size(p.relid)), 0) FROM pg_partition_tree(c.oid) p WHERE p.isleaf) " \
        "WHEN c.relkind IN ('r', 'm') THEN pg_relation_size(c.oid) ELSE 0 END / 8192, " \
    "a.attname, " \
    "CASE WHEN t.typtype = 'd' THEN (WITH RECURSIVE b AS (SELECT t.oid, t.typtype, t.typbasetype UNION ALL " \
        "SELECT u.oid, u.typtype, u.typbasetype FROM b JOIN pg_type u ON u.oid = b.typbasetype WHERE b.typtype = 'd') " \
        "SELECT format_type(oid, -1) FROM b WHERE typtype <> 'd') ELSE format_type(t.oid, -1) END, " \
    "a.attgenerated <> '', a.attnotnull, " \
    /* the column's place in the key, from 0 */ \
    "CASE WHEN array_position(i.indkey::int2[], a.attnum) < i.indnkeyatts THEN array_position(i.indkey::int2[], a.attnum) ELSE -1 END, " \
    "coalesce(i.indnkeyatts, 0), " \
    "CASE WHEN i.indkey[0] = a.attnum THEN (SELECT abs(s.correlation) FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname AND NOT s.inherited) END " \
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "

#define VERIFY_COLUMNS_JOIN \
    "LEFT JOIN LATERAL (SELECT i.* FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL " \
        "AND NOT EXISTS (SELECT FROM pg_attribute k WHERE k.attrelid = c.oid AND k.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) AND NOT k.attnotnull) " \
        "ORDER BY i.indisprimary DESC, i.indisreplident DESC, i.indnkeyatts, i.indexrelid LIMIT 1) i ON true " \
    "LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped " \
    "LEFT JOIN pg_type t ON t.oid = a.atttypid " \
    "WHERE c.relpersistence <> 't' AND "

#define VERIFY_COLUMNS_ORDER " ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\", a.attname COLLATE \"C\""
/* clang-format on */

enum {
    VERIFY_AT_SCHEMA,
    VERIFY_AT_TABLE,
    VERIFY_AT_KIND,
    VERIFY_AT_ROWS,
    VERIFY_AT_PAGES,
    VERIFY_AT_COLUMN,
    VERIFY_AT_TYPE,
    VERIFY_AT_GENERATED,
    VERIFY_AT_NOT_NULL,
    VERIFY_AT_KEY_PLACE,
    VERIFY_AT_KEY_COUNT,
    VERIFY_AT_CORRELATION
};

#endif
