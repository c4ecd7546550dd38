/*
 * A pipeline's folder for local state: DIR/NAME/, with a lock that keeps a second process of the same pipeline out, and a note of its two ends
 * for commands that are given only its name.
 */
#ifndef PGC_PIPELINE_STATE_DIR_H
#define PGC_PIPELINE_STATE_DIR_H

#include "base/buffer.h"
#include "base/error.h"

typedef struct pgc_state_dir {
    char *path; /* DIR/NAME */
    int lock_fd; /* -1: not locked */
} pgc_state_dir;

/* Composes the path; touches nothing. Free with pgc_state_dir_close. */
int pgc_state_dir_init(pgc_state_dir *state_dir, const char *dir, const char *name, pgconvoy_error *err) PGC_MUST_CHECK;

/* Creates the folder (0700) and takes the lock, which the kernel gives back when the process ends in whatever way. */
int pgc_state_dir_lock(pgc_state_dir *state_dir, pgconvoy_error *err) PGC_MUST_CHECK;

typedef struct pgc_state_note {
    const char *source, *target;
    const char *slot, *publication; /* as given by options, or NULL */
    const char *spool;              /* its file, or NULL */
    uint32_t timeline;              /* of the source; 0 not known */
} pgc_state_note;

/* Writes it, without passwords, into DIR/NAME/pipeline, a line KEY=VALUE for each. */
int pgc_state_dir_note_ends(pgc_state_dir *state_dir, const pgc_state_note *note, pgconvoy_error *err) PGC_MUST_CHECK;

/* Puts a file there, whole or not at all. */
int pgc_state_dir_write(const pgc_state_dir *state_dir, const char *name, const pgc_buffer *text, pgconvoy_error *err) PGC_MUST_CHECK;

/* Whether a pipeline of that name has run before. */
bool pgc_state_dir_is_known(const pgc_state_dir *state_dir);

/* What was noted last under that key, malloc'ed, or NULL; the source's timeline, 0 where it was not noted. */
char *pgc_state_dir_noted(const pgc_state_dir *state_dir, const char *key);
uint32_t pgc_state_dir_noted_timeline(const pgc_state_dir *state_dir);

/* Removes the notes and the folder when nothing else is in it. */
void pgc_state_dir_remove(pgc_state_dir *state_dir);

void pgc_state_dir_close(pgc_state_dir *state_dir);

#endif
