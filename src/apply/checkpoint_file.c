/*
 * A checkpoint in a local file. A store appends one small record and syncs it, so that a commit costs the same however
 * many tables there are; the whole state is rewritten (temporary file, sync, rename) only when the tail has outgrown
 * it. Folder and file are made by the first store.
 */
#include "apply/checkpoint_file.h"

#include "apply/checkpoint_text.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE_BYTES ((size_t)1 << 30)
#define MIN_REWRITE_BYTES 65536

struct pgconvoy_checkpoint_file {
    pthread_mutex_t lock; /* guards everything below */
    char *folder, *path, *temporary, *source_id;
    int fd;              /* open for appending, -1 before the first store */
    size_t length;       /* of the file */
    size_t whole_length; /* of its first record */
    pgc_checkpoint_state state;
    pgc_buffer text; /* the record being written */
    /* what the last read and note gave out */
    pgc_checkpoint_state view;
    pgconvoy_table_status *view_tables;
    char *view_note;
};

static int fail(pgconvoy_error *err, const char *doing, const char *path)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "%s %s: %s", doing, path, strerror(errno));
    pgconvoy_error_hint(err, "make the folder writable, free disk space, or name another one with --state-dir");
    return -1;
}

static char *join(const char *folder, const char *name)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

/* Reads the file, if there is one, into state. */
static int load(pgconvoy_checkpoint_file *file, pgconvoy_error *err)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : fail(err, "cannot open checkpoint", file->path);
    pgc_buffer text;
    pgc_buffer_init(&text, MAX_FILE_BYTES);
    int result = -1;
    ssize_t got;
    do {
        pgc_buffer_reserve(&text, 65536);
        if (pgc_buffer_check(&text, err) != 0)
            goto done;
        got = read(fd, text.data + text.length, 65536);
        if (got > 0)
            text.length += (size_t)got;
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got < 0) {
        fail(err, "cannot read checkpoint", file->path);
        goto done;
    }
    text.data[text.length] = '\0';
    size_t valid;
    result = pgc_checkpoint_text_read(text.data, text.length, &file->state, &valid, err);
    if (result != 0) {
        pgc_error_prefix(err, "checkpoint %s", file->path);
        pgconvoy_error_hint(err,
                            "run `pgconvoy drop` for this pipeline to start anew, or put back the file from a backup");
    }
done:
    pgc_buffer_free(&text);
    close(fd);
    return result;
}

pgconvoy_checkpoint_file *pgconvoy_checkpoint_file_open(const pgconvoy_sink_config *config, pgconvoy_error *err)
{
    pgconvoy_checkpoint_file *file = calloc(1, sizeof *file);
    if (!file) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    pthread_mutex_init(&file->lock, NULL);
    pgc_buffer_init(&file->text, MAX_FILE_BYTES);
    file->fd = -1;
    file->folder = strdup(config->state_dir);
    file->path = join(config->state_dir, "checkpoint");
    file->temporary = join(config->state_dir, "checkpoint.new");
    file->source_id = config->source_id ? strdup(config->source_id) : NULL;
    if (!file->folder || !file->path || !file->temporary || (config->source_id && !file->source_id))
        pgc_error_out_of_memory(err);
    else if (load(file, err) == 0)
        return file;
    pgconvoy_checkpoint_file_close(file);
    return NULL;
}

void pgconvoy_checkpoint_file_close(pgconvoy_checkpoint_file *file)
{
    if (!file)
        return;
    if (file->fd >= 0)
        close(file->fd);
    pgc_checkpoint_state_free(&file->state);
    pgc_checkpoint_state_free(&file->view);
    pgc_buffer_free(&file->text);
    free(file->view_tables);
    free(file->view_note);
    free(file->folder);
    free(file->path);
    free(file->temporary);
    free(file->source_id);
    pthread_mutex_destroy(&file->lock);
    free(file);
}

pgconvoy_table_state pgc_checkpoint_file_table_state(pgconvoy_checkpoint_file *file, const char *schema,
                                                     const char *name)
{
    pthread_mutex_lock(&file->lock);
    const pgc_checkpoint_table *table = pgc_checkpoint_state_find(&file->state, schema, name);
    pgconvoy_table_state state = table ? table->state : PGCONVOY_TABLE_WAITING;
    pthread_mutex_unlock(&file->lock);
    return state;
}

/* A copy of the state that stays as it is while others store. */
static int make_view(pgconvoy_checkpoint_file *file)
{
    const pgc_checkpoint_state *state = &file->state;
    pgc_checkpoint_state_free(&file->view);
    pgconvoy_table_status *tables = realloc(file->view_tables, sizeof *tables * (state->count + 1));
    if (!tables)
        return -1;
    file->view_tables = tables;
    file->view.lsn = state->lsn;
    if (state->source_id && pgc_checkpoint_state_set_text(&file->view.source_id, state->source_id) != 0)
        return -1;
    for (size_t i = 0; i < state->count; i++) {
        const pgc_checkpoint_table *table = &state->tables[i];
        const pgconvoy_table_status status = {table->schema, table->name, table->state, table->copy_lsn};
        if (pgc_checkpoint_state_set_table(&file->view, &status) != 0)
            return -1;
        tables[i] = (pgconvoy_table_status){file->view.tables[i].schema, file->view.tables[i].name, table->state,
                                            table->copy_lsn};
    }
    return 0;
}

int pgconvoy_checkpoint_file_read(pgconvoy_checkpoint_file *file, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    pthread_mutex_lock(&file->lock);
    int result = make_view(file);
    if (result == 0)
        *checkpoint = (pgconvoy_checkpoint){file->view.source_id, file->view.lsn, file->view.count, file->view_tables, 0};
    else
        pgc_error_out_of_memory(err);
    pthread_mutex_unlock(&file->lock);
    return result;
}

const char *pgconvoy_checkpoint_file_note(pgconvoy_checkpoint_file *file)
{
    pthread_mutex_lock(&file->lock);
    if (file->state.note && pgc_checkpoint_state_set_text(&file->view_note, file->state.note) != 0)
        file->view_note = NULL;
    const char *note = file->state.note ? file->view_note : NULL;
    pthread_mutex_unlock(&file->lock);
    return note;
}

/* mkdir -p, for the user alone: the folder tells what databases there are. */
static int make_folder(const char *folder, pgconvoy_error *err)
{
    char *path = strdup(folder);
    if (!path)
        return pgc_error_out_of_memory(err);
    int result = 0;
    for (char *slash = path; result == 0 && slash;) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            result = fail(err, "cannot create folder", path);
        if (slash)
            *slash = '/';
    }
    free(path);
    return result;
}

static int write_all(int fd, const pgc_buffer *text)
{
    for (size_t done = 0; done < text->length;) {
        ssize_t n = write(fd, text->data + done, text->length - done);
        if (n < 0 && errno != EINTR)
            return -1;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static void sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd); /* some file systems cannot; the rename is in order all the same */
        close(fd);
    }
}

/* Writes the whole state to a new file and puts it in place of the old one. */
static int write_whole(pgconvoy_checkpoint_file *file, pgconvoy_error *err)
{
    pgc_buffer *text = &file->text;
    const pgc_checkpoint_state *state = &file->state;
    pgc_buffer_reset(text);
    pgc_checkpoint_text_head(text, state->source_id);
    pgc_checkpoint_text_lsn(text, state->lsn);
    if (state->note)
        pgc_checkpoint_text_note(text, state->note);
    for (size_t i = 0; i < state->count; i++)
        pgc_checkpoint_text_table(text, state->tables[i].schema, state->tables[i].name, state->tables[i].state,
                                  state->tables[i].copy_lsn);
    pgc_checkpoint_text_end(text, 0);
    if (pgc_buffer_check(text, err) != 0 || make_folder(file->folder, err) != 0)
        return -1;
    int fd = open(file->temporary, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(err, "cannot create checkpoint", file->temporary);
    if (write_all(fd, text) != 0 || fsync(fd) != 0 || rename(file->temporary, file->path) != 0) {
        fail(err, "cannot write checkpoint", file->temporary);
        close(fd);
        (void)unlink(file->temporary);
        return -1;
    }
    sync_folder(file->folder);
    if (file->fd >= 0)
        close(file->fd);
    file->fd = fd;
    file->length = file->whole_length = text->length;
    return 0;
}

/*
 * Appends the record in text. After a failure it is not known how much of it is on disk: the next store writes the file
 * anew, and a reader does not count a record that is cut short.
 */
static int append_record(pgconvoy_checkpoint_file *file, pgconvoy_error *err)
{
    if (write_all(file->fd, &file->text) != 0 || fdatasync(file->fd) != 0) {
        fail(err, "cannot write checkpoint", file->path);
        close(file->fd);
        file->fd = -1;
        return -1;
    }
    file->length += file->text.length;
    return 0;
}

static int change_state(pgconvoy_checkpoint_file *file, pgconvoy_lsn lsn, const pgconvoy_table_status *tables,
                        size_t table_count, const char *note)
{
    pgc_checkpoint_state *state = &file->state;
    if (!state->source_id && file->source_id && pgc_checkpoint_state_set_text(&state->source_id, file->source_id) != 0)
        return -1;
    for (size_t i = 0; i < table_count; i++)
        if (pgc_checkpoint_state_set_table(state, &tables[i]) != 0)
            return -1;
    if (note && pgc_checkpoint_state_set_text(&state->note, note) != 0)
        return -1;
    if (lsn != 0)
        state->lsn = lsn;
    return 0;
}

static int store(pgconvoy_checkpoint_file *file, pgconvoy_lsn lsn, const pgconvoy_table_status *tables,
                 size_t table_count, const char *note, pgconvoy_error *err)
{
    if (change_state(file, lsn, tables, table_count, note) != 0)
        return pgc_error_out_of_memory(err);
    if (file->fd < 0 || file->length > MIN_REWRITE_BYTES + 4 * file->whole_length)
        return write_whole(file, err);
    pgc_buffer *text = &file->text;
    pgc_buffer_reset(text);
    for (size_t i = 0; i < table_count; i++)
        pgc_checkpoint_text_table(text, tables[i].schema, tables[i].name, tables[i].state, tables[i].copy_lsn);
    if (lsn != 0)
        pgc_checkpoint_text_lsn(text, lsn);
    if (note)
        pgc_checkpoint_text_note(text, note);
    if (text->length == 0 && !text->failed)
        return 0;
    pgc_checkpoint_text_end(text, 0);
    if (pgc_buffer_check(text, err) != 0)
        return -1;
    return append_record(file, err);
}

int pgconvoy_checkpoint_file_store(pgconvoy_checkpoint_file *file, pgconvoy_lsn lsn,
                                   const pgconvoy_table_status *tables, size_t table_count, const char *note,
                                   pgconvoy_error *err)
{
    pthread_mutex_lock(&file->lock);
    int result = store(file, lsn, tables, table_count, note, err);
    pthread_mutex_unlock(&file->lock);
    return result;
}

int pgconvoy_checkpoint_file_remove(pgconvoy_checkpoint_file *file, pgconvoy_error *err)
{
    pthread_mutex_lock(&file->lock);
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    pgc_checkpoint_state_free(&file->state);
    int result = 0;
    if (unlink(file->path) != 0 && errno != ENOENT)
        result = fail(err, "cannot remove checkpoint", file->path);
    pthread_mutex_unlock(&file->lock);
    return result;
}
