/*
 * Whether UPDATE and DELETE of a table can be published, as an SQL expression on its row of pg_class (manual, "Logical Replication", "Publication"):
 * the whole row, a key that holds at once, or an index that was chosen. From 18 on the whole row is none where it takes in generated columns that
 * are not sent.
 */
#ifndef PGC_POSTGRES_IDENTITY_H
#define PGC_POSTGRES_IDENTITY_H

/* c: the row's alias. unsent: which pg_attribute.attgenerated are not, one of those below. */
#define PGC_IDENTITY_USABLE_SQL(c, unsent) \
    "CASE " c ".relreplident WHEN 'f' THEN NOT EXISTS (SELECT FROM pg_catalog.pg_attribute g WHERE g.attrelid = " c ".oid AND NOT g.attisdropped " \
    "AND g.attgenerated " unsent ") WHEN 'n' THEN false ELSE EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = " c ".oid AND i.indisvalid " \
    "AND i.indimmediate AND CASE " c ".relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END) END"

#define PGC_UNSENT_NONE    "IS NULL" /* before 18, where it does not matter */
#define PGC_UNSENT_VIRTUAL "= 'v'"
#define PGC_UNSENT_ALL     "<> ''"

#endif
