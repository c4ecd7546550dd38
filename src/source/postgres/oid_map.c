/* Open addressing with linear probing; nothing is ever taken out, so there are no tombstones. */
#include "source/postgres/oid_map.h"

#include <stdlib.h>
#include <string.h>

void pgc_oid_map_free(pgc_oid_map *map)
{
    free(map->slots);
    memset(map, 0, sizeof *map);
}

static struct pgc_oid_map_slot *slot_of(struct pgc_oid_map_slot *slots, size_t capacity, uint32_t oid)
{
    size_t at = (oid * UINT32_C(2654435769)) & (capacity - 1);
    while (slots[at].oid != 0 && slots[at].oid != oid)
        at = (at + 1) & (capacity - 1);
    return &slots[at];
}

void *pgc_oid_map_get(const pgc_oid_map *map, uint32_t oid)
{
    return map->capacity ? slot_of(map->slots, map->capacity, oid)->value : NULL;
}

void pgc_oid_map_replace(pgc_oid_map *map, uint32_t oid, void *value)
{
    struct pgc_oid_map_slot *slot = map->capacity ? slot_of(map->slots, map->capacity, oid) : NULL;
    if (slot && slot->oid == oid)
        slot->value = value;
}

static int grow(pgc_oid_map *map, pgconvoy_error *err)
{
    size_t capacity = map->capacity ? map->capacity * 2 : 64;
    struct pgc_oid_map_slot *slots = calloc(capacity, sizeof *slots);
    if (!slots)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].oid)
            *slot_of(slots, capacity, map->slots[i].oid) = map->slots[i];
    free(map->slots);
    map->slots = slots;
    map->capacity = capacity;
    return 0;
}

int pgc_oid_map_put(pgc_oid_map *map, uint32_t oid, void *value, pgconvoy_error *err)
{
    if (map->count * 2 >= map->capacity && grow(map, err) != 0)
        return -1;
    struct pgc_oid_map_slot *slot = slot_of(map->slots, map->capacity, oid);
    if (slot->oid == 0)
        map->count++;
    *slot = (struct pgc_oid_map_slot){oid, value};
    return 0;
}
