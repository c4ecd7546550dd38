/* What hangs on a relation (or, for checks, on a domain): constraints, indexes, rules, triggers, policies, extended statistics, publications. */
#ifndef PGC_CATALOG_DEPENDENT_H
#define PGC_CATALOG_DEPENDENT_H

#include "catalog/relation.h"
#include "catalog/routine.h"

/* A constraint of any sort; a foreign key has a kind of its own, so that it sorts last. */
struct pgc_constraint {
    pgc_object object;
    pgc_relation *relation; /* NULL for a domain's */
    pgc_type *domain;       /* NULL for a relation's */
    char type;              /* contype */
    const char *definition; /* pg_get_constraintdef(), of checks, foreign keys, not null */
    uint32_t referenced;    /* confrelid */
    uint32_t referenced_index; /* conindid, of a foreign key */
    int index_id;           /* the pgc_object id of its index, 0 for none */
    bool deferrable, deferred, local;
    bool without_overlaps;  /* 18: conperiod */
    bool separate;          /* written by itself, not with its table or domain */
    bool validated;
};

struct pgc_index {
    pgc_object object;
    pgc_relation *relation;
    bool unique;
    bool needs_definition;  /* cannot be written from its columns */
    const char *definition; /* pg_get_indexdef(), read last; NULL for one of plain columns by the defaults of btree, and for that of a constraint */
    const char *tablespace;
    const char *options;
    const char *statistics_columns, *statistics_values;
    int key_count, column_count;
    uint32_t *columns; /* attnums, 0 for an expression */
    uint32_t file_node; /* relfilenode, for a binary upgrade */
    bool clustered, replica_identity, nulls_not_distinct;
    uint32_t parent; /* oid of the partitioned index, or 0 */
    int constraint_id; /* the constraint that it belongs to, or 0 */
    int *attach_ids;   /* of a partitioned one: its INDEX ATTACH objects */
    int attach_count, attach_capacity;
};

typedef struct pgc_index_attach {
    pgc_object object;
    pgc_index *parent, *partition;
} pgc_index_attach;

typedef struct pgc_rule {
    pgc_object object;
    pgc_relation *relation;
    char event; /* ev_type: '1' is SELECT */
    bool instead;
    char enabled;
    bool separate; /* written by itself; the ON SELECT rule of a view is not, unless a loop had to be broken */
    const char *definition; /* pg_get_ruledef(); NULL for the ON SELECT rule of a view */
} pgc_rule;

struct pgc_trigger {
    pgc_object object;
    pgc_relation *relation;
    char enabled;
    bool internal_partition; /* made by its parent's on a partition */
    const char *definition;
};

typedef struct pgc_policy {
    pgc_object object;
    pgc_relation *relation;
    const char *policy_name; /* NULL: this is ENABLE ROW LEVEL SECURITY */
    char command;
    bool permissive;
    const char *roles, *using_expression, *check_expression;
} pgc_policy;

typedef struct pgc_statistics {
    pgc_object object;
    pgc_relation *relation;
    int target; /* -1: the default */
    const char *definition;
} pgc_statistics;

/* What the planner knows of a column, as pg_stats has it: a text for each of pgc_column_statistics_arguments, NULL where there is none. */
#define PGC_COLUMN_STATISTICS 14
typedef struct pgc_column_statistics {
    const char *name;
    int number; /* attnum, for the columns of an index, whose names may change */
    const char *values[PGC_COLUMN_STATISTICS];
} pgc_column_statistics;

/* What the planner knows of a relation or index: written as calls that restore it. */
typedef struct pgc_relation_statistics {
    pgc_object object; /* name and schema: of what it is about */
    pgc_relation *relation;
    pgc_index *index; /* or NULL: it is about the relation */
    const char *rows; /* reltuples as text */
    int pages, visible, frozen;
    pgc_column_statistics *columns;
    int column_count;
} pgc_relation_statistics;

typedef struct pgc_event_trigger {
    pgc_object object;
    const char *event;
    const char *tags;     /* quoted and joined, "" for all */
    const char *function; /* qualified and quoted */
    char enabled;
} pgc_event_trigger;

typedef struct pgc_publication {
    pgc_object object;
    bool all_tables, via_root, stored_generated; /* stored_generated: 18 */
    bool inserts, updates, deletes, truncates;
} pgc_publication;

typedef struct pgc_publication_table {
    pgc_object object; /* name and schema: the table's */
    pgc_publication *publication;
    pgc_relation *relation;
    const char *filter;  /* WHERE …, or NULL */
    const char *columns; /* text[] of the column list, or NULL for all */
} pgc_publication_table;

typedef struct pgc_publication_schema {
    pgc_object object; /* name: the schema's; it is in no schema */
    pgc_publication *publication;
    pgc_schema *schema;
} pgc_publication_schema;

typedef struct pgc_subscription {
    pgc_object object;
    const char *connection; /* may hold a password: never for a message */
    const char *slot;       /* or NULL */
    const char *publications; /* text[] */
    const char *synchronous_commit, *origin;
    const char *origin_position; /* 17, binary upgrade: or NULL */
    char streaming; /* 'f', 't', 'p' (16) */
    char two_phase; /* 'd': disabled */
    bool binary, disable_on_error, password_optional, run_as_owner, failover, enabled;
} pgc_subscription;

typedef struct pgc_subscription_table {
    pgc_object object; /* name and schema: of the table */
    pgc_subscription *subscription;
    pgc_relation *relation;
    char state;
    const char *position; /* or NULL */
} pgc_subscription_table;

#endif
