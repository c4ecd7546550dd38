/* What the files of the catalog share: the catalog's inside, and how its readers look things up and add to it. */
#ifndef PGC_CATALOG_INTERNAL_H
#define PGC_CATALOG_INTERNAL_H

#include "base/arena.h"
#include "catalog/catalog.h"
#include "catalog/relation.h"
#include "catalog/routine.h"

/* The oids of the catalogs that objects come from, so that dependencies can be matched (pg_class.oid of pg_catalog's own tables; they never change). */
#define PGC_PG_TYPE            1247u
#define PGC_PG_PROC            1255u
#define PGC_PG_CLASS           1259u
#define PGC_PG_DATABASE        1262u
#define PGC_PG_FDW             2328u
#define PGC_PG_FOREIGN_SERVER  1417u
#define PGC_PG_AM              2601u
#define PGC_PG_ATTRDEF         2604u
#define PGC_PG_CAST            2605u
#define PGC_PG_CONSTRAINT      2606u
#define PGC_PG_CONVERSION      2607u
#define PGC_PG_LANGUAGE        2612u
#define PGC_PG_LARGEOBJECT     2613u
#define PGC_PG_NAMESPACE       2615u
#define PGC_PG_OPCLASS         2616u
#define PGC_PG_OPERATOR        2617u
#define PGC_PG_REWRITE         2618u
#define PGC_PG_TRIGGER         2620u
#define PGC_PG_OPFAMILY        2753u
#define PGC_PG_POLICY          3256u
#define PGC_PG_STATISTIC_EXT   3381u
#define PGC_PG_COLLATION       3456u
#define PGC_PG_EVENT_TRIGGER   3466u
#define PGC_PG_TRANSFORM       3576u
#define PGC_PG_TS_DICT         3600u
#define PGC_PG_TS_PARSER       3601u
#define PGC_PG_TS_CONFIG       3602u
#define PGC_PG_TS_TEMPLATE     3764u
#define PGC_PG_EXTENSION       3079u
#define PGC_PG_DEFAULT_ACL     826u
#define PGC_PG_PUBLICATION     6104u
#define PGC_PG_PUBLICATION_REL 6106u
#define PGC_PG_PUBLICATION_NAMESPACE 6237u
#define PGC_PG_SUBSCRIPTION    6100u
#define PGC_PG_LARGEOBJECT_METADATA 2995u

#define PGC_ROLE_DATABASE_OWNER 6171u /* pg_database_owner, 14 */

/* A comment or security label; kept sorted by class, oid, column. */
typedef struct pgc_note {
    uint32_t class_oid, oid;
    int column;
    const char *provider; /* of a label; NULL for a comment */
    const char *text;
} pgc_note;

typedef struct pgc_index_slot pgc_index_slot;

struct pgc_catalog {
    const pgc_dump_options *options;
    pgc_arena *arena;
    PGconn *conn;
    PGconn *second; /* a helper for reading, or NULL */
    int version;    /* 150020 */
    char *version_text, *snapshot, *password;
    bool is_standby;

    pgc_object **objects; /* in the order of reading, then of dumping */
    int object_count, object_capacity;
    pgc_object **by_id; /* [id], made by pgc_catalog_order and kept up by pgc_catalog_add */
    int by_id_capacity, max_id;
    pgc_index_slot *slots; /* (class, oid) to object */
    size_t slot_count, slot_used;
    pgc_index_slot *members; /* (class, oid) to the extension that owns it */
    size_t member_slots, member_used;

    pgc_relation **relations;
    int relation_count, relation_capacity;

    pgc_note *comments, *labels;
    int comment_count, label_count;

    /* resolved patterns: oids, sorted */
    struct pgc_oids {
        uint32_t *items;
        int count, capacity;
    } include_schemas, exclude_schemas, include_tables, exclude_tables, exclude_data, include_extensions,
        exclude_extensions, include_servers;

    int pre_data_boundary, post_data_boundary; /* ids */
    const struct pgc_database *database; /* database.c; NULL unless it is dumped, too */
    const void *roles; /* role.c: oid to name */
    uint32_t missing_role; /* an owner that is no role any more: reading fails with it */
};

typedef struct pgc_oids pgc_oids;

/* True when the oid is among them. Thread-safe. */
bool pgc_oids_have(const pgc_oids *oids, uint32_t oid);

/*
 * A new object of a kind: size bytes, zeroed, the first of them the pgc_object, filled from the arguments; given an id and found by (class, oid) from now on
 * when oid is not 0. name and schema must live as long as the catalog (pgc_catalog_text). NULL and err when out of memory.
 */
void *pgc_catalog_add(pgc_catalog *catalog, pgc_kind kind, size_t size, uint32_t class_oid, uint32_t oid, const char *name,
                      pgc_schema *schema, pgconvoy_error *err) PGC_MUST_CHECK;

/* Another catalog row by which object is found: of a group of large objects. */
int pgc_catalog_add_alias(pgc_catalog *catalog, uint32_t class_oid, uint32_t oid, pgc_object *object, pgconvoy_error *err) PGC_MUST_CHECK;

/* An object by its catalog row; NULL when it was not read. */
pgc_object *pgc_catalog_find(const pgc_catalog *catalog, uint32_t class_oid, uint32_t oid);
pgc_relation *pgc_catalog_relation(const pgc_catalog *catalog, uint32_t oid);
pgc_type *pgc_catalog_type(const pgc_catalog *catalog, uint32_t oid);
pgc_function *pgc_catalog_function(const pgc_catalog *catalog, uint32_t oid); /* aggregates too */
pgc_schema *pgc_catalog_schema(const pgc_catalog *catalog, uint32_t oid);
pgc_object *pgc_catalog_object(const pgc_catalog *catalog, int id);
/* An extension's member: found by pgc_catalog_owning_extension from then on. */
int pgc_catalog_add_member(pgc_catalog *catalog, uint32_t class_oid, uint32_t oid, pgc_extension *extension, pgconvoy_error *err) PGC_MUST_CHECK;
pgc_extension *pgc_catalog_owning_extension(const pgc_catalog *catalog, uint32_t class_oid, uint32_t oid);
/* The name of a role; "" when there is none of this oid, and then reading the catalog fails, unless oid is 0. */
const char *pgc_catalog_role(pgc_catalog *catalog, uint32_t oid);

/* Says that object must come after the object of this id. Twice does no harm. */
int pgc_object_needs(pgc_catalog *catalog, pgc_object *object, int id, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_object_no_longer_needs(pgc_object *object, int id);

/* ---- select.c: what of an object is wanted. Each sets object.wanted (and extension_member); call it when the object's other fields are set. */
int pgc_select_schema(pgc_catalog *catalog, pgc_schema *schema, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_select_extension(pgc_catalog *catalog, pgc_extension *extension);
int pgc_select_relation(pgc_catalog *catalog, pgc_relation *relation, pgconvoy_error *err) PGC_MUST_CHECK;
/* By its schema, or, without one, when everything is dumped. */
int pgc_select_object(pgc_catalog *catalog, pgc_object *object, pgconvoy_error *err) PGC_MUST_CHECK;
/* What every database has (oid below PGC_FIRST_USER_OID) is left out but for the parts in builtin_parts; the rest is wanted when everything is dumped: casts, languages, access methods, publications. */
int pgc_select_global(pgc_catalog *catalog, pgc_object *object, unsigned builtin_parts, pgconvoy_error *err) PGC_MUST_CHECK;
/* Is object a member of an extension? Then what is wanted follows from that, and true is given. */
int pgc_select_by_extension(pgc_catalog *catalog, pgc_object *object, bool *member, pgconvoy_error *err) PGC_MUST_CHECK;

/* comments.c: those of an object, of all its columns; count 0 when there are none. */
const pgc_note *pgc_catalog_comments(const pgc_catalog *catalog, uint32_t class_oid, uint32_t oid, int *count);
const pgc_note *pgc_catalog_labels(const pgc_catalog *catalog, uint32_t class_oid, uint32_t oid, int *count);

void pgc_catalog_say(const pgc_catalog *catalog, const char *what); /* progress */
void pgc_catalog_warn(const pgc_catalog *catalog, const char *hint, const char *format, ...) PGCONVOY_PRINTF(3, 4);

#endif
