/* Comments and security labels: read as a whole, kept sorted by the object that they are on. */
#ifndef PGC_CATALOG_NOTE_H
#define PGC_CATALOG_NOTE_H

#include "catalog/read.h"

/* Takes rows (classoid, objoid, objsubid, text and, of labels, provider; sorted by the first three). part: what the objects found have then. */
int pgc_notes_take(pgc_catalog *catalog, const pgc_rows *rows, unsigned part, pgc_note **notes, int *count, pgconvoy_error *err) PGC_MUST_CHECK;

/* Those on one object and its columns, count of them; NULL and 0 for none. */
const pgc_note *pgc_notes_find(const pgc_note *notes, int note_count, uint32_t class_oid, uint32_t oid, int *count);

/* Are notes on this kind of object ("TABLE") wanted? They belong to the schema, those on large objects to the data. */
bool pgc_notes_wanted(const pgc_dump_options *options, const char *kind);

/* The name of a relation's column, NULL when there is none of this number (or it was not read). */
const char *pgc_notes_column(const pgc_object *object, int number);

#endif
