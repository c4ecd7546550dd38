/*
 * What a database is made of. Every object that a dump may name, reads from the catalogs into a struct that begins with a pgc_object; its kind says which struct
 * that is. The structs live in the catalog's arena and are kept for the catalog's whole life.
 */
#ifndef PGC_CATALOG_OBJECT_H
#define PGC_CATALOG_OBJECT_H

#include "base/buffer.h"

/* The kinds. Their order here breaks ties between objects of one rank and one name (kinds.c has the ranks). */
typedef enum pgc_kind {
    PGC_KIND_SCHEMA,
    PGC_KIND_EXTENSION,
    PGC_KIND_TYPE,
    PGC_KIND_SHELL_TYPE, /* the name only, so that a base type's own functions can be made before it */
    PGC_KIND_FUNCTION,
    PGC_KIND_AGGREGATE,
    PGC_KIND_OPERATOR,
    PGC_KIND_ACCESS_METHOD,
    PGC_KIND_OPERATOR_CLASS,
    PGC_KIND_OPERATOR_FAMILY,
    PGC_KIND_COLLATION,
    PGC_KIND_CONVERSION,
    PGC_KIND_RELATION,
    PGC_KIND_PARTITION_ATTACH, /* ALTER TABLE … ATTACH PARTITION */
    PGC_KIND_COLUMN_DEFAULT,
    PGC_KIND_INDEX,
    PGC_KIND_INDEX_ATTACH,
    PGC_KIND_STATISTICS,
    PGC_KIND_RELATION_STATISTICS, /* optimizer statistics, 18 */
    PGC_KIND_RULE,
    PGC_KIND_TRIGGER,
    PGC_KIND_CONSTRAINT,
    PGC_KIND_FOREIGN_KEY,
    PGC_KIND_LANGUAGE,
    PGC_KIND_CAST,
    PGC_KIND_TABLE_DATA,
    PGC_KIND_SEQUENCE_VALUE,
    PGC_KIND_IMPLIED_TYPE, /* a table's row type, an array or multirange type: made with another object */
    PGC_KIND_TS_PARSER,
    PGC_KIND_TS_DICTIONARY,
    PGC_KIND_TS_TEMPLATE,
    PGC_KIND_TS_CONFIGURATION,
    PGC_KIND_FOREIGN_DATA_WRAPPER,
    PGC_KIND_FOREIGN_SERVER,
    PGC_KIND_DEFAULT_ACL,
    PGC_KIND_TRANSFORM,
    PGC_KIND_LARGE_OBJECT,
    PGC_KIND_LARGE_OBJECT_GROUP, /* 17: those with one owner and one ACL, up to 1000 */
    PGC_KIND_LARGE_OBJECT_DATA,
    PGC_KIND_PRE_DATA_BOUNDARY,
    PGC_KIND_POST_DATA_BOUNDARY,
    PGC_KIND_EVENT_TRIGGER,
    PGC_KIND_MATVIEW_REFRESH,
    PGC_KIND_POLICY,
    PGC_KIND_PUBLICATION,
    PGC_KIND_PUBLICATION_TABLE,
    PGC_KIND_PUBLICATION_SCHEMA,
    PGC_KIND_SUBSCRIPTION,
    PGC_KIND_SUBSCRIPTION_TABLE, /* 17, binary upgrade */
    PGC_KIND_COUNT
} pgc_kind;

/* What an object can have, and what of it is wanted. */
#define PGC_PART_DEFINITION     1u
#define PGC_PART_DATA           2u
#define PGC_PART_COMMENT        4u
#define PGC_PART_SECURITY_LABEL 8u
#define PGC_PART_ACL            16u
#define PGC_PART_POLICY         32u
#define PGC_PART_USER_MAPPING   64u
#define PGC_PART_STATISTICS     128u
#define PGC_PART_ALL            0xFFFFu

/* An object's privileges as aclitem[] texts; NULL where the catalog has NULL. */
typedef struct pgc_acl {
    const char *acl;         /* what holds */
    const char *default_acl; /* acldefault(): what NULL means for this kind and owner */
    char initial_kind;       /* pg_init_privs.privtype: 'i', 'e', or 0 for none */
    const char *initial;     /* what initdb or the extension's script gave */
} pgc_acl;

typedef struct pgc_schema pgc_schema;
typedef struct pgc_extension pgc_extension;

typedef struct pgc_object {
    pgc_kind kind;
    int id;                  /* 1 …, unique in the catalog: what dependencies and archive entries refer to */
    uint32_t class_oid, oid; /* the catalog's row; 0, 0 when there is none */
    const char *name;        /* never NULL */
    pgc_schema *schema;      /* or NULL */
    const char *owner;       /* role name, or NULL */
    pgc_acl acl;
    unsigned available;      /* PGC_PART_…: what it has; pgc_catalog_add sets DEFINITION, readers add the others */
    unsigned wanted;         /* PGC_PART_…: what is to be dumped */
    unsigned wanted_inside;  /* of a schema or extension: what of its members is */
    bool extension_member;
    bool depends_on_extension; /* ALTER … DEPENDS ON EXTENSION */
    int *needs;              /* ids of what must be there first */
    int need_count, need_capacity;
} pgc_object;

struct pgc_schema {
    pgc_object object;
    uint32_t owner_oid;
    bool create; /* CREATE SCHEMA, or is it there in every database (public) */
};

struct pgc_extension {
    pgc_object object;
    const char *schema_name; /* where its objects are */
    bool relocatable;
    const char *version;
    const char *config;    /* extconfig: oid[] as text, or NULL */
    const char *condition; /* extcondition: text[] as text, or NULL */
    uint32_t *keys;        /* foreign keys to its tables: pairs of oids, the table that refers and the one referred to */
    int key_count;
};

/* The part that both need and that is wanted and available: what must be written. */
static inline bool pgc_object_writes(const pgc_object *object, unsigned part)
{
    return (object->wanted & object->available & part) != 0;
}

#endif
