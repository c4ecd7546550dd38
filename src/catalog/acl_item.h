/* An aclitem as text: grantee=privileges/grantor (PostgreSQL manual, section 5.8). */
#ifndef PGC_CATALOG_ACL_ITEM_H
#define PGC_CATALOG_ACL_ITEM_H

#include "base/arena.h"
#include "base/buffer.h"

typedef struct pgc_acl_item {
    const char *grantee;    /* "" for PUBLIC */
    const char *privileges; /* a letter for each, with * behind it where it may be granted on */
    const char *grantor;
} pgc_acl_item;

/* Reads an aclitem[]'s text; NULL and "" are an empty one. Gives the count, -1 when it is not well formed. */
int pgc_acl_parse(pgc_arena *arena, const char *text, pgc_acl_item **items);

/* Appends an item to an array's text, with "{" or "," before it; the caller closes the array with "}". */
void pgc_acl_append(pgc_buffer *array, const char *grantee, const char *privileges, const char *grantor);

#endif
