/* Types and what computes with them: functions, aggregates, operators, casts. */
#ifndef PGC_CATALOG_ROUTINE_H
#define PGC_CATALOG_ROUTINE_H

#include "catalog/object.h"

typedef struct pgc_type pgc_type;
typedef struct pgc_constraint pgc_constraint;

typedef struct pgc_shell_type {
    pgc_object object;
    pgc_type *type;
} pgc_shell_type;

struct pgc_type {
    pgc_object object; /* name: pg_type.typname */
    const char *formatted; /* format_type(): quoted, qualified where needed */
    uint32_t element, array, relation; /* array: typarray */
    char relation_kind;
    char type; /* typtype: 'b' 'c' 'd' 'e' 'm' 'p' 'r' */
    bool is_array, is_multirange, is_defined;
    pgc_shell_type *shell; /* or NULL */
    pgc_constraint **checks; /* of a domain */
    int check_count;
    const void *detail; /* what the type's own writer needs (type.h) */
};

typedef struct pgc_function {
    pgc_object object; /* also of aggregates */
    uint32_t language;
    int argument_count;
    uint32_t *argument_types;
    uint32_t result_type;
    bool postponed; /* made after the data */
    const char *signature;    /* name(arguments) as DROP, ALTER, COMMENT and GRANT take it, quoted, without schema; NULL when nothing of it can be wanted */
    const void *detail;
} pgc_function;

typedef struct pgc_operator {
    pgc_object object;
    char type; /* oprkind: 'l', 'r', 'b' */
    uint32_t left, right, code;
    const void *detail;
} pgc_operator;

typedef struct pgc_access_method {
    pgc_object object;
    char type; /* amtype: 'i', 't' */
    const char *handler;
} pgc_access_method;

/* An operator class or family. */
typedef struct pgc_operator_group {
    pgc_object object;
    uint32_t access_method;
    const void *detail;
} pgc_operator_group;

typedef struct pgc_collation {
    pgc_object object;
    int encoding;
    const void *detail;
} pgc_collation;

#endif
