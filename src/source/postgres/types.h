/*
 * The types of the source, read from its catalog in bulk and kept for as long as the source is open. A type is read
 * with all that it is made of. One thread at a time: the source's catalog_lock guards it.
 */
#ifndef PGC_SOURCE_POSTGRES_TYPES_H
#define PGC_SOURCE_POSTGRES_TYPES_H

#include "base/arena.h"

#include <libpq-fe.h>

typedef struct pgc_types pgc_types;

/* Types live in arena. NULL when out of memory. */
pgc_types *pgc_types_new(pgc_arena *arena);
void pgc_types_free(pgc_types *types);

/* Makes every type of oids known, with elements, base types, fields and labels. Asks the server only for what is not
 * known yet. */
int pgc_types_load(pgc_types *types, PGconn *conn, const uint32_t *oids, size_t count,
                   pgconvoy_error *err) PGC_MUST_CHECK;

/* Those of rows in the stream: one that the catalog has not any more becomes known as lost, which it is asked for anew each time. *lost: one of
 * them is. */
int pgc_types_load_sent(pgc_types *types, PGconn *conn, const uint32_t *oids, size_t count, bool *lost,
                        pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * Makes the label known of an enum that was loaded: its labels are read again. Those that are not in the catalog any more stay, after
 * the others, and so does this one if it is not there by now: rows may still have them.
 */
int pgc_types_learn_label(pgc_types *types, PGconn *conn, uint32_t oid, const char *text, size_t length,
                          pgconvoy_log *log, pgconvoy_error *err) PGC_MUST_CHECK;

/* The type as it is known now: itself, or made anew of parts that have changed. NULL when out of memory. */
const pgconvoy_type *pgc_types_renew(pgc_types *types, const pgconvoy_type *type, pgconvoy_error *err) PGC_MUST_CHECK;

/* NULL when it was not loaded. */
const pgconvoy_type *pgc_types_find(const pgc_types *types, uint32_t oid);

/* Has the type, with everything inside of it, a binary output function? */
bool pgc_types_can_send(const pgconvoy_type *type);

#endif
