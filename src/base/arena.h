/*
 * An arena: memory whose life is a batch, a connection or a command. Allocations are released all at once.
 * Not thread-safe; a batch and its arena change hands as a whole.
 */
#ifndef PGC_BASE_ARENA_H
#define PGC_BASE_ARENA_H

#include "base/error.h"

typedef struct pgc_arena pgc_arena;

/* A new arena that grows by blocks of at least block_bytes. NULL when out of memory. */
pgc_arena *pgc_arena_new(size_t block_bytes);
void pgc_arena_free(pgc_arena *arena);

/* Aligned to 16 bytes, not zeroed. NULL when out of memory (also for a size that wraps). */
void *pgc_arena_alloc(pgc_arena *arena, size_t size);
void *pgc_arena_zalloc(pgc_arena *arena, size_t size);
/* Not aligned: for bytes. */
char *pgc_arena_bytes(pgc_arena *arena, const void *data, size_t size);
/* A NUL-terminated copy. */
char *pgc_arena_strdup(pgc_arena *arena, const char *text);
char *pgc_arena_strndup(pgc_arena *arena, const char *text, size_t length);

/* Memory of the caller's, of size bytes, is the arena's from now on: given back by release together with all else. -1: out of memory, it stays the caller's. */
int pgc_arena_adopt(pgc_arena *arena, void *memory, size_t size, void (*release)(void *memory)) PGC_MUST_CHECK;

/* From now on a reset keeps about so many bytes more, of what was used since the reset before. */
void pgc_arena_keep(pgc_arena *arena, size_t bytes);
/* Forgets all allocations; keeps one block for reuse. */
void pgc_arena_reset(pgc_arena *arena);

/* Bytes given out since the last reset. */
size_t pgc_arena_used(const pgc_arena *arena);

#endif
