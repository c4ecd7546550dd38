/*
 * What the JSON lines of one table share, made once: `,"schema":…,"table":…,"key":` and for each column `,"name":` and
 * how its values are written. Private to src/format.
 */
#ifndef PGC_FORMAT_JSON_TABLE_H
#define PGC_FORMAT_JSON_TABLE_H

#include "base/arena.h"

typedef enum pgc_json_kind {
    PGC_JSON_STRING, /* everything else, numeric too: a reader's doubles would round it */
    PGC_JSON_NUMBER,
    PGC_JSON_BOOL,
    PGC_JSON_JSON
} pgc_json_kind;

typedef struct pgc_json_column {
    const pgconvoy_type *type;
    pgc_json_kind kind;
    size_t label_length;
    const char *label; /* ,"name": */
} pgc_json_column;

typedef struct pgc_json_table {
    const pgconvoy_table *table;
    uint32_t oid, version;
    uint64_t generation;  /* of the last comparison with table */
    pgc_arena *arena;     /* of all below */
    uint64_t fingerprint; /* of all that the texts were made of */
    size_t prefix_length;
    const char *prefix;
    int column_count;
    const pgc_json_column *columns;
    int key_count;
    const int *key; /* NULL with key_count > 0: the first key_count columns, which are all of them */
} pgc_json_table;

/* An open hash of tables by OID; all zero is empty. */
typedef struct pgc_json_tables {
    uint64_t generation;
    pgc_json_table *last; /* the one of the last call */
    pgc_json_table **slots;
    size_t slot_count, count;
} pgc_json_tables;

const pgc_json_table *pgc_json_tables_get(pgc_json_tables *tables, const pgconvoy_table *table,
                                          pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_json_tables_free(pgc_json_tables *tables);

#endif
