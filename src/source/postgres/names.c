/* Names of slots are of lower case letters, digits and underscores: what is changed or cut has a hash of the whole. */
#include "source/postgres/names.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 63

void pgc_slot_name_derive(const char *pipeline, char *name)
{
    snprintf(name, NAME_MAX_BYTES + 1, "pgconvoy_%s", pipeline);
    bool same = strlen(pipeline) + strlen("pgconvoy_") <= NAME_MAX_BYTES;
    uint32_t hash = 2166136261u;
    for (const char *c = pipeline; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    for (char *c = name; *c; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
        else if ((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_')
            continue;
        else
            *c = '_';
        same = false;
    }
    if (!same) {
        size_t keep = strlen(name) < NAME_MAX_BYTES - 9 ? strlen(name) : NAME_MAX_BYTES - 9;
        snprintf(name + keep, (size_t)NAME_MAX_BYTES + 1 - keep, "_%08x", hash);
    }
}

void pgc_publication_mark(const char *pipeline, char *text, size_t size)
{
    snprintf(text, size, "made by pgconvoy for pipeline %s", pipeline);
}
