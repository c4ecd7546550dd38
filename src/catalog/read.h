/*
 * Reading in bulk. A reader is a query for one kind of object, a .sql file of sql/, and a function that turns all of its rows into objects. The queries that do not need one
 * another's answers are sent side by side over more than one connection; their rows are then taken in the order of the table of readers, so that the
 * outcome is the same however fast each answer came.
 *
 * In a .sql file a line may end with a note that says for which servers it is kept:
 *     , c.relispopulated           --@ 13+       version 13 and later
 *     , NULL AS attgenerated       --@ 12-       up to version 12
 *     , x                          --@ 14-16
 * ":tables" stands for the oids of the relations whose columns are read ('{…}'::oid[]); ":chosen" for those of them that are themselves to be dumped; ":indexes" for the indexes
 * whose definitions are to be read. ":part" of ":parts" is the number of a part, for a query that is sent in parts but not about relations.
 */
#ifndef PGC_CATALOG_READ_H
#define PGC_CATALOG_READ_H

#include "catalog/catalog_internal.h"

/* All rows of an answer. Columns are found by name, once: the index is then used for each row. */
typedef struct pgc_rows {
    const PGresult *result;
    pgc_catalog *catalog;
    int count;
} pgc_rows;

/* A column's index, or -1 where the query has no such column (another version): the getters then give NULL, 0 or false. */
int pgc_rows_column(const pgc_rows *rows, const char *name);

/* A value as text, copied into the catalog's arena; NULL for NULL, and when out of memory (then the catalog's reading fails as a whole). */
const char *pgc_rows_text(const pgc_rows *rows, int row, int column);
/* The same, "" for NULL. */
const char *pgc_rows_text_or_empty(const pgc_rows *rows, int row, int column);
/* The value inside the answer, not copied: good until the reader returns. NULL for NULL. */
const char *pgc_rows_peek(const pgc_rows *rows, int row, int column);
uint32_t pgc_rows_oid(const pgc_rows *rows, int row, int column);
int pgc_rows_int(const pgc_rows *rows, int row, int column);
int64_t pgc_rows_int64(const pgc_rows *rows, int row, int column);
double pgc_rows_double(const pgc_rows *rows, int row, int column);
bool pgc_rows_bool(const pgc_rows *rows, int row, int column);
/* The first character, 0 for NULL and "". */
char pgc_rows_char(const pgc_rows *rows, int row, int column);
/* The schema of this oid, or NULL for 0 and where there is no such column; -1 and err when the catalogs are damaged: an object's schema is gone. */
int pgc_rows_schema(const pgc_rows *rows, int row, int column, pgc_schema **schema, pgconvoy_error *err) PGC_MUST_CHECK;
/* "1 2 3" or "{1,2,3}" as numbers in the arena; gives their count. */
int pgc_rows_oids(const pgc_rows *rows, int row, int column, uint32_t **oids);

typedef struct pgc_reader {
    const char *what;     /* "user-defined functions": for progress and errors */
    const char *sql;      /* pgc_sql_… */
    int from, until;      /* major versions that have it: 14, 0 for no bound */
    bool (*wanted)(const pgc_catalog *catalog); /* NULL: always */
    /* Turns the rows into objects. Called once (or for each part), with no connection at hand: whatever it needs must stand in the query. */
    int (*take)(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err);
    bool in_parts; /* the server works long for each of :tables, so the query may be sent for some of them at a time; take is called for each part's rows, in order */
} pgc_reader;

/* Which of :tables and :chosen a query is about: part number of count, from 0. */
typedef struct pgc_read_part {
    int number, count;
} pgc_read_part;

/* readers.c; each ends with a row whose what is NULL. pgc_readers_first are run one by one, before the relations are chosen and locked; the rest side by side; pgc_readers_last
 * ask about what those before them found. */
extern const pgc_reader pgc_readers_first[];
extern const pgc_reader pgc_readers[];
extern const pgc_reader pgc_readers_last[];

/* Runs a table of readers. parallel: side by side, over a second connection where one can be had. */
int pgc_read(pgc_catalog *catalog, const pgc_reader *readers, bool parallel, pgconvoy_error *err) PGC_MUST_CHECK;

/* The text of a query for this catalog's server. */
int pgc_read_sql(const pgc_catalog *catalog, const char *sql, const pgc_read_part *part, pgc_buffer *out, pgconvoy_error *err) PGC_MUST_CHECK;

/* A few lists parsed from the text form of a one-dimensional array ("{a,"b c",NULL}"): values copied into the arena, NULL for NULL. Gives the count, -1 when text is no array. */
int pgc_parse_array(pgc_arena *arena, const char *text, char ***items);

#endif
