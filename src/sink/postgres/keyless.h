/*
 * Tables without a key (REPLICA IDENTITY FULL): a row is found by all of its old values, and one of several that are alike is meant. Single
 * changes look for it by an index of the target's, if there is one, or by reading the table; of many at once the table is read once.
 */
#ifndef PGC_SINK_POSTGRES_KEYLESS_H
#define PGC_SINK_POSTGRES_KEYLESS_H

#include "sink/postgres/sink_internal.h"

/* When a column's two values are the same. A composite's image holds traces of its definition's history; a column of another modifier keeps
 * values that look otherwise. */
typedef enum pgc_pgsink_comparison { PGSINK_BY_IMAGE, PGSINK_BY_TEXT, PGSINK_BY_VALUE } pgc_pgsink_comparison;
pgc_pgsink_comparison pgc_pgsink_compare_by(const pgc_pgsink_target *target, int column);

/* Appends a column of a row: the table's, or the one that it is compared with. */
typedef void pgc_pgsink_value_sql(void *arg, int column, bool ours);
/* ROW(…) of all columns that are compared by their images. */
void pgc_pgsink_images_sql(const pgc_pgsink_target *target, pgc_buffer *sql, pgc_pgsink_value_sql *value, void *arg, bool ours);
/* That both rows are alike in all columns: joint, then conditions with AND between them. */
void pgc_pgsink_alike_sql(const pgc_pgsink_target *target, pgc_buffer *sql, const char *joint, pgc_pgsink_value_sql *value, void *arg);

/* Finds the columns that indexes are on, and whether rows can be found in bulk, of those of the targets that have no key; their ways are chosen. */
int pgc_pgsink_keyless_look(pgc_pgsink_writer *writer, pgc_pgsink_target *const *targets, size_t count, pgconvoy_error *err) PGC_MUST_CHECK;
/* Which of target->indexed are NULL in row, by bits. */
unsigned pgc_pgsink_keyless_nulls(const pgc_pgsink_target *target, const pgconvoy_value *row);

#endif
