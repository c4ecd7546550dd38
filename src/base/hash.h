/* FNV-1a, 64 bits: stable from run to run and from machine to machine, as some are stored. No defence against chosen input. */
#ifndef PGC_BASE_HASH_H
#define PGC_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define PGC_HASH_START UINT64_C(14695981039346656037)

static inline uint64_t pgc_hash_byte(uint64_t hash, unsigned char byte)
{
    return (hash ^ byte) * UINT64_C(1099511628211);
}

static inline uint64_t pgc_hash_bytes(uint64_t hash, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        hash = pgc_hash_byte(hash, (unsigned char)bytes[i]);
    return hash;
}

/* NULL: as "". */
static inline uint64_t pgc_hash_text(uint64_t hash, const char *text)
{
    for (; text && *text; text++)
        hash = pgc_hash_byte(hash, (unsigned char)*text);
    return hash;
}

#endif
