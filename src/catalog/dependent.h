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
    int index_id;           /* the pgc_object id of its index, 0 for none */
    bool deferrable, deferred, local;
    bool without_overlaps;  /* 18: conperiod */
    bool separate;          /* written by itself, not with its table or domain */
    bool validated;
};

struct pgc_index {
    pgc_object object;
    pgc_relation *relation;
    const char *definition;
    const char *tablespace;
    const char *options;
    const char *statistics_columns, *statistics_values;
    int key_count, column_count;
    int *columns; /* attnums, 0 for an expression */
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
    const char *definition; /* pg_get_ruledef() */
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
    int target;
    const char *definition;
} pgc_statistics;

#endif
