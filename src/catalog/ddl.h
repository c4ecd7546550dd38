/*
 * Writing: how an object becomes entries. A writer (one for each kind, see kinds.h) is called for each object in order, whatever is wanted of it: it
 * looks at pgc_object_writes and adds the entries. What it appends to buffers and names that it has quoted live until it returns; entries copy their texts.
 * Failures stick in the pgc_ddl and are looked at after each writer: no writer has to check.
 */
#ifndef PGC_CATALOG_DDL_H
#define PGC_CATALOG_DDL_H

#include "catalog/catalog_internal.h"
#include "catalog/dependent.h"
#include "catalog/entry.h"

typedef struct pgc_ddl {
    pgc_catalog *catalog;
    const pgc_dump_options *options;
    int version; /* of the server: 150020 */
    pgc_entries *entries;
    pgc_arena *scratch; /* emptied after each object */
    pgc_buffer *buffers[16];
    int buffers_used;
    pgconvoy_error *err;
    bool failed;
} pgc_ddl;

/* An empty buffer for the time of this writer. */
pgc_buffer *pgc_ddl_buffer(pgc_ddl *ddl);

/* ---- quoting; results live until the writer returns */

/* A name as it stands in SQL: quoted when it is a key word of this server's version or has other than a-z, 0-9 and _ (or with --quote-all-identifiers). */
const char *pgc_ddl_name(pgc_ddl *ddl, const char *name);
/* schema.name; the name alone when schema is NULL or "". */
const char *pgc_ddl_qualified(pgc_ddl *ddl, const char *schema, const char *name);
/* Of an object: its schema's and its own. */
const char *pgc_ddl_object_name(pgc_ddl *ddl, const pgc_object *object);
/* 'text'. */
const char *pgc_ddl_literal(pgc_ddl *ddl, const char *text);
/* Appends text in dollar quotes that do not occur in it: $$…$$, or $_$, … ; prefix may be NULL. A plain literal with --disable-dollar-quoting is the caller's business. */
void pgc_ddl_dollar_quoted(pgc_ddl *ddl, pgc_buffer *out, const char *text, const char *prefix);
/* Appends "name='value', …" from reloptions ("{fillfactor=70,…}" as text), each name with prefix before it ("toast."). False when text is no array. */
bool pgc_ddl_reloptions(pgc_ddl *ddl, pgc_buffer *out, const char *reloptions, const char *prefix);
/* printf into the scratch arena. */
const char *pgc_ddl_format(pgc_ddl *ddl, const char *format, ...) PGCONVOY_PRINTF(2, 3);

/* ---- entries */

/* What an entry is made of; what is left out is NULL, 0 or false. All texts are copied. */
typedef struct pgc_entry_spec {
    const pgc_object *object; /* gives id, class and oid, schema and owner, unless set below */
    int id;                   /* 0: object's, or without an object a new one; -1: a new one */
    bool no_catalog_row;      /* class and oid 0, though there is an object */
    const char *tag;
    const char *schema;       /* NULL: the object's; "" for none */
    const char *tablespace, *access_method;
    char relation_kind;
    const char *owner;        /* NULL: the object's; "" for none */
    const char *description;
    pgc_section section;
    const char *create, *drop, *copy;
    const int *dependencies;
    int dependency_count;
    bool has_data;
    int64_t data_size;
} pgc_entry_spec;

pgc_entry *pgc_ddl_entry(pgc_ddl *ddl, const pgc_entry_spec *spec);
#define PGC_ENTRY(ddl, ...) pgc_ddl_entry(ddl, &(pgc_entry_spec){__VA_ARGS__})

/* ---- what hangs on an object: comment, security labels, privileges */

/*
 * COMMENT ON kind name, and for its columns when the class is pg_class (elsewhere column 0 only), when the object's comment is wanted. kind: "FUNCTION"; name: as in SQL,
 * without its schema where schema is given; schema and owner: for the entry (owner NULL: the object's). object.id is what the entries depend on.
 * Called only when pgc_object_writes(object, PGC_PART_COMMENT).
 */
void pgc_ddl_comment(pgc_ddl *ddl, const pgc_object *object, const char *kind, const char *name, const char *schema);
/* The same with all that can differ: the catalog row, the column (0: none), the text to use when there is no comment (NULL: none), the id to depend on. */
void pgc_ddl_comment_on(pgc_ddl *ddl, const char *kind, const char *name, const char *schema, const char *owner, uint32_t class_oid, uint32_t oid,
                        int column, int depends_on, const char *initial);
void pgc_ddl_security_label(pgc_ddl *ddl, const pgc_object *object, const char *kind, const char *name, const char *schema);
void pgc_ddl_security_label_on(pgc_ddl *ddl, const char *kind, const char *name, const char *schema, const char *owner, uint32_t class_oid, uint32_t oid,
                               int column, int depends_on);

/*
 * GRANT and REVOKE that lead from the default privileges to acl. kind: "TABLE", "FUNCTION", "SCHEMA" …; name: as in SQL, without schema; column: as in SQL or NULL; tag: of the
 * entry, NULL for "kind name". alternative_id: the entry's second dependency (the table, for a column's), or 0. Gives the entry's id, 0 when there is nothing to grant.
 */
int pgc_ddl_acl(pgc_ddl *ddl, int object_id, int alternative_id, const char *kind, const char *name, const char *column,
                const char *schema, const char *tag_kind, const char *owner, const pgc_acl *acl);

/*
 * The commands alone, without an entry. default_acl NULL: nothing is granted at first. Appends to out; false when an ACL cannot be understood.
 * prefix: what stands before GRANT ("ALTER DEFAULT PRIVILEGES … "). 
 */
bool pgc_ddl_acl_commands(pgc_ddl *ddl, pgc_buffer *out, const char *name, const char *column, const char *schema, const char *kind,
                          const char *acl, const char *default_acl, const char *owner, const char *prefix);

/* In binary upgrade, the commands that make the object a member of its extension again; appended to out. Nothing otherwise. */
void pgc_ddl_extension_member(pgc_ddl *ddl, pgc_buffer *out, const pgc_object *object, const char *kind, const char *name, const char *schema);

/* ---- for whoever calls the writers (content.c) */
int pgc_ddl_init(pgc_ddl *ddl, pgc_catalog *catalog, pgc_entries *entries, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_ddl_free(pgc_ddl *ddl);
void pgc_ddl_after_object(pgc_ddl *ddl); /* releases what the writer used */

/* "ALTER kind name DEPENDS ON EXTENSION …" for each extension that the object was tied to by that command; appended to out. name: qualified, as in SQL. */
void pgc_ddl_depends_on_extension(pgc_ddl *ddl, pgc_buffer *out, const pgc_object *object, const char *kind, const char *name);

void pgc_ddl_fail(pgc_ddl *ddl, const char *format, ...) PGCONVOY_PRINTF(2, 3);

#endif
