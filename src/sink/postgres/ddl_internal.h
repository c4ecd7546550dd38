/* What the files of ddl.c share. */
#ifndef PGC_SINK_POSTGRES_DDL_INTERNAL_H
#define PGC_SINK_POSTGRES_DDL_INTERNAL_H

#include "sink/postgres/ddl.h"

#define PGSINK_DDL_DOING "following a command of the source on the target"

static inline bool pgc_pgsink_ddl_is_a(const pgconvoy_ddl_object *object, const char *type)
{
    return strcmp(object->type, type) == 0;
}

/* ---- ddl_sql.c: by which SQL a command is done */

/* Whether the command's text has this word. */
bool pgc_pgsink_ddl_has(const pgconvoy_ddl *ddl, const char *word);
/* Whether the command is carried over at all. */
bool pgc_pgsink_ddl_is_carried(const pgconvoy_ddl *ddl);
/* Appends its SQL; nothing when that is not known. */
void pgc_pgsink_ddl_compose(const pgconvoy_ddl *ddl, pgc_buffer *sql);

/* ---- ddl_keys.c: foreign keys that cannot be checked yet */

/* Appends the text of an ALTER TABLE with each foreign key that it adds, also with a column, NOT VALID; false: it adds none. */
bool pgc_pgsink_ddl_without_check(const pgconvoy_ddl *ddl, pgc_buffer *sql);
/* Foreign keys that are not checked, of the tables that the command is about: oid, name, table, and the command that checks it. NULL: an error. */
PGresult *pgc_pgsink_ddl_unchecked_keys(PGconn *conn, const pgconvoy_ddl *ddl, pgconvoy_error *err) PGC_MUST_CHECK;
/* Lists those that are not checked now, and are not among those of before, in the open transaction. */
int pgc_pgsink_ddl_list_unchecked(pgc_pgsink_writer *writer, const pgconvoy_ddl *ddl, const PGresult *before, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- ddl_tables.c: what follows for the checkpoint */

/* The tables of the checkpoint with their oids, before a command that may give them other names. NULL: it does not. */
int pgc_pgsink_ddl_look_at_names(pgc_pgsink *sink, PGconn *conn, const pgconvoy_ddl *ddl, PGresult **names,
                                 pgconvoy_error *err) PGC_MUST_CHECK;
/* The command is done: tables that came, went, stand alone, have other names or are copied anew. */
int pgc_pgsink_ddl_note_tables(pgc_pgsink *sink, PGconn *conn, const pgconvoy_ddl *ddl, const PGresult *names,
                               pgc_arena *arena, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- ddl_missing.c: what rows from before have in new columns */

/* The columns there are before the command: a relation for each of ddl->tables, in the arena. */
int pgc_pgsink_ddl_look_before(PGconn *conn, const pgconvoy_ddl *ddl, pgc_arena *arena, pgc_pgsink_relation **before,
                               pgconvoy_error *err) PGC_MUST_CHECK;
/* The command is done: rows get what the source has for them in its new columns. */
int pgc_pgsink_ddl_give_missing(PGconn *conn, const pgconvoy_ddl *ddl, const pgc_pgsink_relation *before,
                                pgconvoy_error *err) PGC_MUST_CHECK;

#endif
