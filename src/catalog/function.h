/* Functions, procedures and aggregates: what the readers leave in pgc_function.detail for the writers (NULL where no definition is wanted), and how all of them are named. */
#ifndef PGC_CATALOG_FUNCTION_H
#define PGC_CATALOG_FUNCTION_H

#include "catalog/named.h"
#include "catalog/property.h"

typedef struct pgc_function_detail {
    char kind; /* prokind: 'f', 'p', 'w' */
    const char *language;
    const char *arguments, *result; /* result NULL for a procedure */
    const char *transforms;         /* FOR TYPE …, or NULL */
    char volatility, parallel;
    bool strict, security_definer, leakproof;
    const char *cost, *rows, *support; /* NULL where they are the default */
    const char *settings;              /* proconfig as text[] text, or NULL */
    const char *body;                  /* BEGIN ATOMIC … or RETURN …; or NULL, then: */
    const char *source, *binary;       /* prosrc, probin */
} pgc_function_detail;

typedef struct pgc_aggregate_detail {
    const char *arguments;
    const char *const *values; /* of the options (aggregate.c) */
} pgc_aggregate_detail;

/* "type, type": the types of the arguments. */
const char *pgc_ddl_argument_types(pgc_ddl *ddl, const pgc_function *function);
/* schema.name(type, type), where arguments' names do not belong: in casts, transforms, GRANT on an aggregate. */
const char *pgc_ddl_function_reference(pgc_ddl *ddl, const pgc_function *function);

/* What functions and aggregates have in common: the object, its arguments and signature. NULL and err on failure. */
pgc_function *pgc_function_take(const pgc_rows *rows, int row, const pgc_named_columns *columns, pgc_kind kind, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
