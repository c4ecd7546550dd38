/* Types between two PostgreSQL servers: which values may travel in binary form, and making the types that the target
 * lacks. */
#ifndef PGC_SINK_POSTGRES_TYPES_H
#define PGC_SINK_POSTGRES_TYPES_H

#include "sink/postgres/sink_internal.h"

/*
 * True when the binary form of the type means the same on every server: it holds no OID of an object that another
 * server numbers differently, and no internals of an extension's version unless the target has that version.
 */
bool pgc_pgsink_type_is_portable(pgc_pgsink *sink, const pgconvoy_type *type);

/*
 * Checks that the type, and those it is made of, are on the target or can be made by create_types. what names the
 * column, for messages. Changes nothing.
 */
int pgc_pgsink_type_check(pgc_pgsink *sink, PGconn *conn, const pgconvoy_type *type, const char *what,
                          pgconvoy_error *err) PGC_MUST_CHECK;

/* Makes what is missing of the type, in the open transaction of conn: extension, schema, enum, domain, composite,
 * range. */
int pgc_pgsink_type_create(pgc_pgsink *sink, PGconn *conn, const pgconvoy_type *type, const char *what,
                           pgconvoy_error *err) PGC_MUST_CHECK;

/* One that every server of the version has. */
bool pgc_pgsink_type_is_built_in(const pgconvoy_type *type);

typedef enum pgc_pgsink_labels {
    PGSINK_LABEL_MET,  /* the one that a row had */
    PGSINK_LABELS_NEW, /* all, unless the target has one that the source has not: a command that renames it may be still to come */
    PGSINK_LABELS_ALL, /* all: rows come as the catalog is now */
} pgc_pgsink_labels;

/*
 * Adds to an enum on the target labels that it lacks (of what is made of other types: to the enums in it).
 * column: the target's, whose type it is there, by whatever name; NULL: by its own. conn sees what is there; labels are added over another one, as
 * a label can be used only after the commit that made it.
 */
int pgc_pgsink_enum_extend(pgc_pgsink *sink, PGconn *conn, const pgconvoy_type *type, const pgc_pgsink_column *column, pgc_pgsink_labels which,
                           pgconvoy_error *err) PGC_MUST_CHECK;

#endif
