/* Tar headers (POSIX ustar, with GNU's base 256 for numbers that are too large). */
#ifndef PGC_ARCHIVE_TAR_H
#define PGC_ARCHIVE_TAR_H

#include "base/error.h"

#define PGC_TAR_BLOCK 512
#define PGC_TAR_NAME  100

/* Bytes that fill up the last block of size bytes. */
static inline int pgc_tar_padding(int64_t size)
{
    return (int)((PGC_TAR_BLOCK - size % PGC_TAR_BLOCK) % PGC_TAR_BLOCK);
}

void pgc_tar_make_header(char block[PGC_TAR_BLOCK], const char *name, int64_t size, int64_t modified);

typedef enum pgc_tar_kind { PGC_TAR_MEMBER, PGC_TAR_EMPTY, PGC_TAR_BROKEN } pgc_tar_kind;
/* What a block is: a header (name with its NUL, size), zeros, or neither. */
pgc_tar_kind pgc_tar_read_header(const char block[PGC_TAR_BLOCK], char name[PGC_TAR_NAME + 1], int64_t *size);

#endif
