/* Types without a server: the built-in ones by their OIDs, and one of each kind that users and extensions make, nested
 * too. */
#ifndef TEST_TYPE_ZOO_H
#define TEST_TYPE_ZOO_H

#include "pgconvoy.h"

enum {
    ZOO_MOOD = 20000, /* enum 'happy', 'so, "so"' */
    ZOO_MOODS,        /* mood[] */
    ZOO_POSITIVE,     /* domain over int4 */
    ZOO_POSITIVES,    /* domain over int4[] */
    ZOO_PAIR,         /* (a int4, b text) */
    ZOO_PAIRS,        /* pair[] */
    ZOO_NESTED,       /* (p pair, a int4[], ps pair[], m mood, d positive) */
    ZOO_NESTEDS,      /* nested[] */
    ZOO_NOTHING,      /* () */
    ZOO_TEXTRANGE,
    ZOO_TEXTMULTIRANGE,
    ZOO_PAIRRANGE,
    ZOO_VECTOR, /* pgvector */
    ZOO_HALFVEC,
    ZOO_SPARSEVEC,
    ZOO_VECTORS, /* vector[] */
    ZOO_HSTORE,
    ZOO_CITEXT,
    ZOO_LTREE,
    ZOO_LAST = ZOO_LTREE
};

typedef struct type_zoo {
    int count;
    pgconvoy_type types[128];
    pgconvoy_column fields[16];
} type_zoo;

/* Fills the zoo; its types point into it. */
void type_zoo_init(type_zoo *zoo);
/* NULL when there is none. */
const pgconvoy_type *type_zoo_find(const type_zoo *zoo, uint32_t oid);

#endif
