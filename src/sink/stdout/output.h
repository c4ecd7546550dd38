/*
 * Standard output as a place where whole lines are put: how far it is written, how far it is durable, and cutting off
 * what lies behind a position when it is a regular file. Private to src/sink/stdout. Not thread-safe: the sink's lock
 * guards it.
 */
#ifndef PGC_SINK_STDOUT_OUTPUT_H
#define PGC_SINK_STDOUT_OUTPUT_H

#include "base/buffer.h"
#include "base/log.h"

typedef struct pgc_stdout_output {
    int fd;
    bool is_file; /* a regular file; the rest holds only then */
    uint64_t device, inode;
    int64_t offset; /* the end of what was written */
} pgc_stdout_output;

int pgc_stdout_output_open(pgc_stdout_output *output, int fd, pgconvoy_error *err) PGC_MUST_CHECK;

/* "DEVICE INODE OFFSET" of a file, "" of anything else: the note in the checkpoint. */
#define PGC_OUTPUT_NOTE_SIZE 80
void pgc_stdout_output_note(const pgc_stdout_output *output, char *note);

/*
 * When fd is the file that note was made of, and what is behind the noted offset are lines of ours, cuts them off: they
 * were written after the last checkpoint and will come again. Otherwise leaves all as it is.
 */
int pgc_stdout_output_resume(pgc_stdout_output *output, const char *note, pgconvoy_log *log, pgconvoy_error *err) PGC_MUST_CHECK;

int pgc_stdout_output_write(pgc_stdout_output *output, const char *data, size_t length, pgconvoy_error *err) PGC_MUST_CHECK;

/* Only for files: makes what was written durable; takes back what is behind offset. */
int pgc_stdout_output_sync(pgc_stdout_output *output, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_stdout_output_cut(pgc_stdout_output *output, int64_t offset, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
