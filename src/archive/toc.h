/* The head and the table of contents of an archive as bytes (docs/dump-format.md): made for a writer, understood for a reader. */
#ifndef PGC_ARCHIVE_TOC_H
#define PGC_ARCHIVE_TOC_H

#include "archive/archive.h"
#include "archive/input.h"

/* What stands in the contents about an entry's data in the custom format. */
#define PGC_POSITION_UNKNOWN 1
#define PGC_POSITION_KNOWN   2
#define PGC_POSITION_NO_DATA 3

/* Kinds of data blocks in the custom format. */
#define PGC_BLOCK_DATA          1
#define PGC_BLOCK_LARGE_OBJECTS 3

/* Formats of the file with this version or later have it. */
static inline bool pgc_head_since(const pgc_archive_head *head, int minor)
{
    return head->major > 1 || head->minor >= minor;
}

/* "BLOBS", whose data are large objects. */
bool pgc_entry_is_large_objects(const pgc_entry *entry);

/* The name of the list of an entry's large objects: "blobs.toc", since 1.16 "blobs_ID.toc". */
void pgc_archive_list_name(const pgc_archive_head *head, const pgc_entry *entry, char name[64]);

/* ------------------------------------------------------------------ written */

void pgc_toc_add_int(pgc_buffer *out, int64_t value);
/* text NULL: as what is not there. */
void pgc_toc_add_text(pgc_buffer *out, const char *text);
void pgc_toc_add_head(pgc_buffer *out, const pgc_archive_head *head);
/* head->format: custom has the data's position, the others the file's name. */
void pgc_toc_add_entry(pgc_buffer *out, const pgc_archive_head *head, const pgc_entry *entry);

/* Hands head and contents to write, piece by piece; only the contents with head_too false. */
int pgc_toc_write(const pgc_archive_head *head, const pgc_entries *entries, bool head_too,
                  int (*write)(void *arg, const void *bytes, size_t length, pgconvoy_error *err), void *arg, pgconvoy_error *err) PGC_MUST_CHECK;

/* ------------------------------------------------------------------ read */

int pgc_toc_read_int(pgc_input *in, const pgc_archive_head *head, int64_t *value, pgconvoy_error *err) PGC_MUST_CHECK;
/* The head's texts go into arena. expected: the format that the file's kind calls for; the directory format says that it is tar. */
int pgc_toc_read_head(pgc_input *in, pgc_archive_format expected, pgc_arena *arena, pgc_archive_head *head, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_toc_read_entries(pgc_input *in, const pgc_archive_head *head, pgc_entries *entries, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
