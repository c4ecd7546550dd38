/* Arena: a list of blocks, the newest first; a reset keeps some, so that a steady stream of batches does not go back to malloc, which would give much of it
 * to the system and have every page cleared anew. */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

typedef struct block {
    struct block *next;
    size_t size; /* of data */
    size_t used;
    _Alignas(16) char data[];
} block;

/* Itself in a block. */
typedef struct adopted {
    struct adopted *next;
    void *memory;
    void (*release)(void *memory);
} adopted;

struct pgc_arena {
    block *head;
    adopted *adopted;
    block *spare; /* kept by the last reset, of block_bytes each */
    size_t block_bytes;
    size_t keep_bytes;
    size_t used;
};

pgc_arena *pgc_arena_new(size_t block_bytes)
{
    pgc_arena *arena = calloc(1, sizeof *arena);
    if (arena)
        arena->block_bytes = block_bytes < 256 ? 256 : block_bytes;
    return arena;
}

static void free_blocks(block *b)
{
    while (b) {
        block *next = b->next;
        free(b);
        b = next;
    }
}

static void release_adopted(pgc_arena *arena)
{
    for (adopted *a = arena->adopted; a; a = a->next)
        a->release(a->memory);
    arena->adopted = NULL;
}

void pgc_arena_free(pgc_arena *arena)
{
    if (!arena)
        return;
    release_adopted(arena);
    free_blocks(arena->head);
    free_blocks(arena->spare);
    free(arena);
}

void pgc_arena_keep(pgc_arena *arena, size_t bytes)
{
    arena->keep_bytes = bytes;
}

static block *new_block(pgc_arena *arena, size_t size)
{
    block *fresh = size == arena->block_bytes ? arena->spare : NULL;
    if (fresh)
        arena->spare = fresh->next;
    else
        fresh = malloc(sizeof(block) + size);
    if (!fresh)
        return NULL;
    fresh->size = size;
    fresh->used = 0;
    return fresh;
}

static void *take(pgc_arena *arena, size_t size, size_t alignment)
{
    block *b = arena->head;
    size_t start = b ? (b->used + alignment - 1) & ~(alignment - 1) : 0;
    if (!b || start > b->size || size > b->size - start) {
        size_t wanted = size > arena->block_bytes ? size : arena->block_bytes;
        if (wanted > SIZE_MAX - sizeof(block))
            return NULL;
        block *fresh = new_block(arena, wanted);
        if (!fresh)
            return NULL;
        /* an outsized block goes behind the current one, which still has room for small things */
        if (b && size > arena->block_bytes / 2 && b->size - b->used > 64) {
            fresh->next = b->next;
            b->next = fresh;
        } else {
            fresh->next = b;
            arena->head = fresh;
        }
        b = fresh;
        start = 0;
    }
    b->used = start + size;
    arena->used += size;
    return b->data + start;
}

void *pgc_arena_alloc(pgc_arena *arena, size_t size)
{
    return take(arena, size, 16);
}

void *pgc_arena_zalloc(pgc_arena *arena, size_t size)
{
    void *p = take(arena, size, 16);
    if (p)
        memset(p, 0, size);
    return p;
}

char *pgc_arena_bytes(pgc_arena *arena, const void *data, size_t size)
{
    char *p = take(arena, size, 1);
    if (p && size > 0)
        memcpy(p, data, size);
    return p;
}

char *pgc_arena_strndup(pgc_arena *arena, const char *text, size_t length)
{
    if (length == SIZE_MAX)
        return NULL;
    char *p = take(arena, length + 1, 1);
    if (p) {
        memcpy(p, text, length);
        p[length] = '\0';
    }
    return p;
}

char *pgc_arena_strdup(pgc_arena *arena, const char *text)
{
    return pgc_arena_strndup(arena, text, strlen(text));
}

int pgc_arena_adopt(pgc_arena *arena, void *memory, size_t size, void (*release)(void *memory))
{
    adopted *a = take(arena, sizeof *a, 16);
    if (!a)
        return -1;
    *a = (adopted){arena->adopted, memory, release};
    arena->adopted = a;
    arena->used += size;
    return 0;
}

void pgc_arena_reset(pgc_arena *arena)
{
    block *keep = NULL;
    size_t kept = 0;
    release_adopted(arena);
    free_blocks(arena->spare); /* not needed this time */
    arena->spare = NULL;
    for (block *b = arena->head; b;) {
        block *next = b->next;
        /* outsized blocks go back, so that one huge value does not pin its memory for good */
        if (!keep && b->size <= arena->block_bytes) {
            keep = b;
        } else if (b->size == arena->block_bytes && kept + b->size <= arena->keep_bytes) {
            kept += b->size;
            b->next = arena->spare;
            arena->spare = b;
        } else {
            free(b);
        }
        b = next;
    }
    if (keep) {
        keep->next = NULL;
        keep->used = 0;
    }
    arena->head = keep;
    arena->used = 0;
}

size_t pgc_arena_used(const pgc_arena *arena)
{
    return arena->used;
}
