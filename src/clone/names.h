/* A set of texts. They must outlive it. */
#ifndef PGC_CLONE_NAMES_H
#define PGC_CLONE_NAMES_H

#include "base/error.h"

#include <stddef.h>

typedef struct clone_names {
    const char **slots;
    size_t capacity, count;
} clone_names;

/* *added (may be NULL): it was not there yet. */
int clone_names_add(clone_names *names, const char *text, bool *added, pgconvoy_error *err) PGC_MUST_CHECK;
bool clone_names_have(const clone_names *names, const char *text);
void clone_names_free(clone_names *names);

#endif
