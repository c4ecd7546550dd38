/* JSON read into a tree, for the small documents that come from our own SQL. All of it lives in an arena. */
#ifndef PGC_FORMAT_JSON_READ_H
#define PGC_FORMAT_JSON_READ_H

#include "base/arena.h"
#include "base/error.h"

typedef enum pgc_json_type {
    PGC_JSON_NULL,
    PGC_JSON_BOOL,
    PGC_JSON_NUMBER,
    PGC_JSON_TEXT,
    PGC_JSON_ARRAY,
    PGC_JSON_OBJECT
} pgc_json_type;

typedef struct pgc_json {
    struct pgc_json *next;  /* of an array's or object's members */
    struct pgc_json *first; /* ARRAY, OBJECT */
    const char *name;       /* of an object's member */
    const char *text;       /* TEXT; NUMBER as it was written */
    int count;              /* of members */
    pgc_json_type type;
    bool truth; /* BOOL */
} pgc_json;

/* NULL and err (PGCONVOY_ERROR_DATA) when bytes are no JSON document. */
pgc_json *pgc_json_read(pgc_arena *arena, const char *bytes, size_t length, pgconvoy_error *err) PGC_MUST_CHECK;

/* The member of that name, or NULL; also of a node that is NULL or no object. */
const pgc_json *pgc_json_get(const pgc_json *node, const char *name);
/* The text of that member, or NULL. */
const char *pgc_json_get_text(const pgc_json *node, const char *name);
int64_t pgc_json_number(const pgc_json *node, const char *name, int64_t otherwise);
bool pgc_json_truth(const pgc_json *node, const char *name);

#endif
