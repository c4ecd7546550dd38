/*
 * The cache of tables' texts. An entry is taken as it is when pointer, version and generation are the same; otherwise a
 * fingerprint of names and types decides whether it is made anew. So a table that a newly opened source describes
 * differently under the same version is noticed.
 */
#include "format/json_table.h"

#include "base/buffer.h"
#include "format/json_text.h"
#include "postgres/value.h"

#include <stdlib.h>

static uint64_t mix(uint64_t hash, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001B3); /* FNV-1a */
    return hash;
}

static uint64_t fingerprint(const pgconvoy_table *table)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    hash = mix(hash, table->schema, strlen(table->schema) + 1);
    hash = mix(hash, table->name, strlen(table->name) + 1);
    hash = mix(hash, &table->replica_identity, 1);
    for (int i = 0; i < table->column_count; i++) {
        const pgconvoy_column *column = &table->columns[i];
        hash = mix(hash, column->name, strlen(column->name) + 1);
        /* the address too: columns keep a pointer to their type */
        hash = mix(hash, &column->type, sizeof column->type);
        hash = mix(hash, &column->type->oid, sizeof column->type->oid);
    }
    return mix(hash, table->key, sizeof table->key[0] * (size_t)table->key_count);
}

static pgc_json_kind kind_of(const pgconvoy_type *type)
{
    switch (pgc_type_base(type)->oid) {
    case PGC_INT2:
    case PGC_INT4:
    case PGC_INT8:
    case PGC_OID:
    case PGC_FLOAT4:
    case PGC_FLOAT8:
        return PGC_JSON_NUMBER;
    case PGC_BOOL:
        return PGC_JSON_BOOL;
    case PGC_JSON:
    case PGC_JSONB:
        return PGC_JSON_JSON;
    default:
        return PGC_JSON_STRING;
    }
}

/* Appends to text, copies into the arena, empties text. NULL when out of memory. */
static const char *keep(pgc_arena *arena, pgc_buffer *text, size_t *length)
{
    *length = text->length;
    const char *copy = text->failed ? NULL : pgc_arena_bytes(arena, text->data, text->length);
    pgc_buffer_reset(text);
    return copy;
}

static int make_texts(pgc_json_table *entry, const pgconvoy_table *table, pgc_buffer *text)
{
    pgc_buffer_text(text, ",\"schema\":");
    pgc_json_string(text, table->schema);
    pgc_buffer_text(text, ",\"table\":");
    pgc_json_string(text, table->name);
    pgc_buffer_text(text, ",\"key\":");
    entry->prefix = keep(entry->arena, text, &entry->prefix_length);
    size_t count = (size_t)table->column_count;
    pgc_json_column *columns = pgc_arena_alloc(entry->arena, sizeof *columns * (count + 1));
    int *key = pgc_arena_alloc(entry->arena, sizeof *key * ((size_t)table->key_count + 1));
    if (!entry->prefix || !columns || !key)
        return -1;
    for (size_t i = 0; i < count; i++) {
        pgc_buffer_byte(text, ',');
        pgc_json_string(text, table->columns[i].name);
        pgc_buffer_byte(text, ':');
        columns[i].type = table->columns[i].type;
        columns[i].kind = kind_of(table->columns[i].type);
        columns[i].label = keep(entry->arena, text, &columns[i].label_length);
        if (!columns[i].label)
            return -1;
    }
    memcpy(key, table->key_count > 0 ? table->key : key, sizeof *key * (size_t)table->key_count);
    entry->columns = columns;
    entry->column_count = table->column_count;
    entry->key = key;
    entry->key_count = table->key_count;
    if (table->key_count == 0 && table->replica_identity == 'f') {
        entry->key = NULL; /* such a row is known by all of its columns */
        entry->key_count = table->column_count;
    }
    return 0;
}

static int refresh(pgc_json_table *entry, const pgconvoy_table *table)
{
    uint64_t now = fingerprint(table);
    if (!entry->prefix || entry->fingerprint != now || entry->column_count != table->column_count) {
        pgc_arena_reset(entry->arena);
        pgc_buffer text;
        pgc_buffer_init(&text, 1 << 20);
        int result = make_texts(entry, table, &text);
        pgc_buffer_free(&text);
        if (result != 0) {
            entry->prefix = NULL;
            return -1;
        }
    }
    entry->table = table;
    entry->version = table->version;
    entry->fingerprint = now;
    return 0;
}

/* The slot of oid, or the free one where it belongs. slot_count is a power of two and never full. */
static pgc_json_table **find_slot(pgc_json_table **slots, size_t slot_count, uint32_t oid)
{
    size_t i = (oid * UINT32_C(2654435761)) & (slot_count - 1);
    while (slots[i] && slots[i]->oid != oid)
        i = (i + 1) & (slot_count - 1);
    return &slots[i];
}

static int make_room(pgc_json_tables *tables)
{
    if (tables->count * 2 < tables->slot_count)
        return 0;
    size_t slot_count = tables->slot_count ? tables->slot_count * 2 : 64;
    pgc_json_table **slots = calloc(slot_count, sizeof(pgc_json_table *));
    if (!slots)
        return -1;
    for (size_t i = 0; i < tables->slot_count; i++)
        if (tables->slots[i])
            *find_slot(slots, slot_count, tables->slots[i]->oid) = tables->slots[i];
    free(tables->slots);
    tables->slots = slots;
    tables->slot_count = slot_count;
    return 0;
}

static pgc_json_table *find_or_add(pgc_json_tables *tables, uint32_t oid)
{
    if (make_room(tables) != 0)
        return NULL;
    pgc_json_table **slot = find_slot(tables->slots, tables->slot_count, oid);
    if (*slot)
        return *slot;
    pgc_json_table *entry = calloc(1, sizeof *entry);
    if (!entry)
        return NULL;
    entry->oid = oid;
    entry->arena = pgc_arena_new(1024);
    if (!entry->arena) {
        free(entry);
        return NULL;
    }
    *slot = entry;
    tables->count++;
    return entry;
}

const pgc_json_table *pgc_json_tables_get(pgc_json_tables *tables, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_json_table *entry = tables->last;
    if (!entry || entry->oid != table->oid)
        entry = find_or_add(tables, table->oid);
    if (!entry)
        goto out_of_memory;
    if (entry->table != table || entry->version != table->version || entry->generation != tables->generation) {
        if (refresh(entry, table) != 0)
            goto out_of_memory;
        entry->generation = tables->generation;
    }
    tables->last = entry;
    return entry;

out_of_memory:
    pgc_error_out_of_memory(err);
    return NULL;
}

void pgc_json_tables_free(pgc_json_tables *tables)
{
    for (size_t i = 0; i < tables->slot_count; i++)
        if (tables->slots[i]) {
            pgc_arena_free(tables->slots[i]->arena);
            free(tables->slots[i]);
        }
    free(tables->slots);
    memset(tables, 0, sizeof *tables);
}
