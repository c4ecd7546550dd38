/* Relations that have columns: tables of all sorts, views, materialized views, sequences, foreign tables, composite types' relations. */
#ifndef PGC_CATALOG_RELATION_H
#define PGC_CATALOG_RELATION_H

#include "catalog/object.h"

typedef struct pgc_relation pgc_relation;
typedef struct pgc_constraint pgc_constraint;
typedef struct pgc_index pgc_index;
typedef struct pgc_trigger pgc_trigger;
typedef struct pgc_table_data pgc_table_data;

/* pg_class.relkind */
#define PGC_RELKIND_TABLE       'r'
#define PGC_RELKIND_PARTITIONED 'p'
#define PGC_RELKIND_VIEW        'v'
#define PGC_RELKIND_MATVIEW     'm'
#define PGC_RELKIND_SEQUENCE    'S'
#define PGC_RELKIND_FOREIGN     'f'
#define PGC_RELKIND_COMPOSITE   'c'

typedef struct pgc_column_default {
    pgc_object object; /* name: the table's */
    pgc_relation *relation;
    int number;
    const char *expression;
    bool separate; /* its own ALTER TABLE … SET DEFAULT, not part of CREATE TABLE */
} pgc_column_default;

typedef struct pgc_column {
    const char *name;
    const char *type;      /* format_type(), with the modifier */
    uint32_t type_oid;
    int type_modifier;
    int number;            /* attnum */
    int statistics_target; /* -1: the default */
    char storage, type_storage;
    char identity;  /* attidentity: 'a', 'd', or 0 */
    char generated; /* attgenerated: 's', 'v' (18), or 0 */
    char compression; /* 'p', 'l', or 0 */
    char align;
    int length;
    bool dropped, local;
    bool not_null, not_null_inherited;
    /* 18: the NOT NULL constraint; name NULL when there is none. Before 18 only not_null_local is set: no parent has it */
    const char *not_null_name;
    bool not_null_named; /* it must be written with its name: that is not the default one, or is needed */
    bool not_null_local, not_null_no_inherit, not_null_invalid;
    const char *not_null_comment; /* or NULL */
    const char *options;   /* "n_distinct=…" joined by ", ", "" for none */
    uint64_t version;      /* 15.20 and later keep one, an LSN, among the options; 0: none */
    uint32_t collation;    /* 0: the type's */
    const char *fdw_options;   /* ready for OPTIONS (…), "" for none */
    const char *missing_value; /* attmissingval, binary upgrade; or NULL */
    pgc_column_default *column_default; /* or NULL */
} pgc_column;

/* Privileges on one column, also on a system column. */
typedef struct pgc_column_acl {
    const char *column;
    pgc_acl acl;
} pgc_column_acl;

/* What a sequence was made with (text as it is written), and where it stands. */
typedef struct pgc_sequence {
    const char *type; /* "bigint" */
    const char *start, *increment, *minimum, *maximum, *cache;
    bool cycle;
    const char *value; /* "last_value, is_called"; NULL when it was not or could not be read */
} pgc_sequence;

/* For binary upgrade: what keeps its oid and file. */
typedef struct pgc_relation_storage {
    uint32_t file, toast, toast_file, toast_index, toast_index_file, array_type;
    bool column_versions; /* the server keeps versions of columns, and wants them back */
} pgc_relation_storage;

struct pgc_relation {
    pgc_object object;
    char kind;        /* PGC_RELKIND_… */
    char persistence; /* 'p', 'u', 't' */
    bool populated;
    char replica_identity;
    const char *tablespace;   /* "" for the database's */
    const char *options;      /* WITH (…), "" for none */
    const char *check_option; /* of a view, or NULL */
    const char *toast_options;
    const char *access_method; /* or NULL */
    bool has_indexes, has_rules, has_triggers, has_column_acls;
    bool row_security, force_row_security;
    uint32_t frozen_xid, min_multixid, toast_oid, toast_frozen_xid, toast_min_multixid;
    int check_count; /* pg_class.relchecks */
    uint32_t row_type, of_type, foreign_server;
    const char *foreign_server_name;
    /* of a sequence that a column owns */
    uint32_t owning_table;
    int owning_column;
    bool is_identity_sequence;
    int64_t pages, toast_pages;
    double rows; /* pg_class.reltuples */
    bool is_partition;
    const char *partition_bound; /* FOR VALUES …, of a partition */
    const char *partition_key;   /* PARTITION BY …, of a partitioned table */
    bool unsafe_partitions; /* must be loaded through the root: hash-partitioned on an enum */

    bool interesting; /* to be dumped, or the parent of one that is: its columns are read */
    bool dummy_view;      /* the view's own definition is written after the data, as a rule */
    bool postponed;       /* a materialized view that is made after the data */

    /* of interesting ones */
    pgc_column *columns; /* with the dropped ones, in order of attnum; columns[n-1] has attnum n */
    int column_count;
    pgc_constraint **checks;
    int check_read_count;
    bool needs_overriding; /* has a GENERATED ALWAYS AS IDENTITY column */

    pgc_relation **parents;
    int parent_count;
    pgc_index **indexes;
    int index_count;
    pgc_trigger **triggers;
    int trigger_count;
    pgc_table_data *data; /* when its data are dumped */

    pgc_sequence *sequence;     /* of an interesting sequence */
    const char *query;          /* of a view that is dumped: without its semicolon */
    const char *server_options; /* of a foreign table: ready for OPTIONS (…), "" for none */
    const pgc_relation_storage *storage; /* in binary upgrade */
    pgc_column_acl *column_acls;
    int column_acl_count;
};

typedef struct pgc_partition_attach {
    pgc_object object;
    pgc_relation *parent, *partition;
} pgc_partition_attach;

/* TABLE DATA, SEQUENCE SET or the REFRESH of a materialized view, by its kind. */
struct pgc_table_data {
    pgc_object object;
    pgc_relation *relation;
    const char *filter; /* WHERE …, or NULL */
};

/* The table into which the rows of this one are loaded again: itself, or the root of its partitions, when the options or an unsafe way of partitioning want that. */
const pgc_relation *pgc_relation_load_target(bool through_root, const pgc_relation *relation);
/* Is a column part of CREATE TABLE? Not when it is dropped, or comes from a parent; but binary upgrade makes all of them, and partitions are made as they are and attached later. */
bool pgc_column_is_written(bool binary_upgrade, const pgc_relation *relation, const pgc_column *column);

#endif
