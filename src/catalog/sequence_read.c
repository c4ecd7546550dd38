/* Sequences: what they were made with, and where they stand. */
#include "catalog/kinds.h"

static pgc_sequence *sequence_at(pgc_catalog *catalog, const pgc_rows *rows, int row, int column, pgconvoy_error *err)
{
    pgc_relation *relation = pgc_catalog_relation(catalog, pgc_rows_oid(rows, row, column));
    if (!relation) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "sequence with OID %u not found", pgc_rows_oid(rows, row, column));
        return NULL;
    }
    if (!relation->sequence)
        relation->sequence = pgc_arena_zalloc(catalog->arena, sizeof *relation->sequence);
    if (!relation->sequence)
        pgc_error_out_of_memory(err);
    return relation->sequence;
}

int pgc_take_sequences(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "seqrelid"), type = pgc_rows_column(rows, "type"), start = pgc_rows_column(rows, "seqstart");
    int increment = pgc_rows_column(rows, "seqincrement"), maximum = pgc_rows_column(rows, "seqmax"), minimum = pgc_rows_column(rows, "seqmin");
    int cache = pgc_rows_column(rows, "seqcache"), cycle = pgc_rows_column(rows, "seqcycle");
    for (int row = 0; row < rows->count; row++) {
        pgc_sequence *sequence = sequence_at(catalog, rows, row, oid, err);
        if (!sequence)
            return -1;
        sequence->type = pgc_rows_text_or_empty(rows, row, type);
        sequence->start = pgc_rows_text_or_empty(rows, row, start);
        sequence->increment = pgc_rows_text_or_empty(rows, row, increment);
        sequence->maximum = pgc_rows_text_or_empty(rows, row, maximum);
        sequence->minimum = pgc_rows_text_or_empty(rows, row, minimum);
        sequence->cache = pgc_rows_text_or_empty(rows, row, cache);
        sequence->cycle = pgc_rows_bool(rows, row, cycle);
    }
    return 0;
}

int pgc_take_sequence_values(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "oid"), value = pgc_rows_column(rows, "value");
    for (int row = 0; row < rows->count; row++) {
        pgc_sequence *sequence = sequence_at(catalog, rows, row, oid, err);
        if (!sequence)
            return -1;
        sequence->value = pgc_rows_text(rows, row, value);
    }
    return 0;
}
