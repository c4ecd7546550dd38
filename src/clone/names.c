/* A hash table with open addressing, at most half full. */
#include "clone/names.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

/* Where the text is, or belongs. */
static size_t slot_of(const clone_names *names, const char *text)
{
    size_t slot = pgc_hash_text(PGC_HASH_START, text) & (names->capacity - 1);
    while (names->slots[slot] && strcmp(names->slots[slot], text) != 0)
        slot = (slot + 1) & (names->capacity - 1);
    return slot;
}

static int grow(clone_names *names, pgconvoy_error *err)
{
    clone_names larger = {.capacity = names->capacity ? 2 * names->capacity : 256, .count = names->count};
    larger.slots = calloc(larger.capacity, sizeof *larger.slots);
    if (!larger.slots)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < names->capacity; i++)
        if (names->slots[i])
            larger.slots[slot_of(&larger, names->slots[i])] = names->slots[i];
    free(names->slots);
    *names = larger;
    return 0;
}

int clone_names_add(clone_names *names, const char *text, bool *added, pgconvoy_error *err)
{
    if (2 * (names->count + 1) > names->capacity && grow(names, err))
        return -1;
    size_t slot = slot_of(names, text);
    bool is_new = !names->slots[slot];
    names->slots[slot] = text;
    names->count += is_new;
    if (added)
        *added = is_new;
    return 0;
}

bool clone_names_have(const clone_names *names, const char *text)
{
    return names->count > 0 && names->slots[slot_of(names, text)];
}

void clone_names_free(clone_names *names)
{
    free(names->slots);
    *names = (clone_names){0};
}
