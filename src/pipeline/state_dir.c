/* The folder of a pipeline; see state_dir.h. */
#include "pipeline/state_dir.h"

#include "postgres/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int pgc_state_dir_init(pgc_state_dir *state_dir, const char *dir, const char *name, pgconvoy_error *err)
{
    state_dir->lock_fd = -1;
    if (asprintf(&state_dir->path, "%s/%s", dir, name) < 0) {
        state_dir->path = NULL;
        return pgc_error_out_of_memory(err);
    }
    return 0;
}

static int file_error(const char *doing, const char *path, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "cannot %s %s: %s", doing, path, strerror(errno));
    pgconvoy_error_hint(err, "choose a folder that can be written with --state-dir");
    return -1;
}

static int make_folders(const char *path, pgconvoy_error *err)
{
    char *copy = strdup(path);
    if (!copy)
        return pgc_error_out_of_memory(err);
    int result = 0;
    for (char *slash = strchr(copy + 1, '/'); result == 0; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        if (mkdir(copy, 0700) != 0 && errno != EEXIST)
            result = file_error("create the folder", copy, err);
        if (!slash)
            break;
        *slash = '/';
    }
    free(copy);
    return result;
}

int pgc_state_dir_lock(pgc_state_dir *state_dir, pgconvoy_error *err)
{
    if (state_dir->lock_fd >= 0)
        return 0;
    if (make_folders(state_dir->path, err) != 0)
        return -1;
    char *path;
    if (asprintf(&path, "%s/lock", state_dir->path) < 0)
        return pgc_error_out_of_memory(err);
    int result = 0;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        result = file_error("open", path, err);
    else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "another process runs this pipeline (it holds %s)", path);
        pgconvoy_error_hint(err, "stop it first, or give this pipeline another --name");
        close(fd);
        result = -1;
    } else
        state_dir->lock_fd = fd;
    free(path);
    return result;
}

/* "scheme://user:password@host/…" without ":password". */
static void add_target(pgc_buffer *text, const char *value)
{
    const char *place = strstr(value, "://");
    const char *user = place ? place + 3 : value;
    size_t length = place ? strcspn(user, "/?") : 0;
    const char *at = length > 0 ? memrchr(user, '@', length) : NULL;
    const char *colon = at ? memchr(user, ':', (size_t)(at - user)) : NULL;
    if (colon) {
        pgc_buffer_append(text, value, (size_t)(colon - value));
        value = at;
    }
    pgc_buffer_text(text, value);
}

static void add_note(pgc_buffer *text, const char *key, const char *value)
{
    if (!value)
        return;
    pgc_buffer_format(text, "%s=", key);
    if (pgc_connection_is_uri(value))
        pgc_connection_without_password(value, text);
    else
        add_target(text, value);
    pgc_buffer_byte(text, '\n');
}

int pgc_state_dir_write(const pgc_state_dir *state_dir, const char *name, const pgc_buffer *text, pgconvoy_error *err)
{
    char *path = NULL, *between = NULL;
    int result = pgc_buffer_check(text, err);
    if (result == 0 && (asprintf(&path, "%s/%s", state_dir->path, name) < 0 || asprintf(&between, "%s/%s.new", state_dir->path, name) < 0))
        result = pgc_error_out_of_memory(err);
    if (result == 0) {
        FILE *file = fopen(between, "we");
        bool written = file && fwrite(text->data, 1, text->length, file) == text->length;
        if (file && fclose(file) != 0)
            written = false;
        if (!written || rename(between, path) != 0)
            result = file_error("write", path, err);
    }
    free(path);
    free(between);
    return result;
}

int pgc_state_dir_note_ends(pgc_state_dir *state_dir, const pgc_state_note *note, pgconvoy_error *err)
{
    pgc_buffer text;
    pgc_buffer_init(&text, (size_t)1 << 20);
    add_note(&text, "source", note->source);
    add_note(&text, "target", note->target);
    add_note(&text, "slot", note->slot);
    add_note(&text, "publication", note->publication);
    add_note(&text, "spool", note->spool);
    if (note->timeline)
        pgc_buffer_format(&text, "timeline=%u\n", note->timeline);
    int result = pgc_state_dir_write(state_dir, "pipeline", &text, err);
    pgc_buffer_free(&text);
    return result;
}

bool pgc_state_dir_is_known(const pgc_state_dir *state_dir)
{
    char *path;
    if (asprintf(&path, "%s/pipeline", state_dir->path) < 0)
        return false;
    bool known = access(path, F_OK) == 0;
    free(path);
    return known;
}

char *pgc_state_dir_noted(const pgc_state_dir *state_dir, const char *key)
{
    char *path, *line = NULL, *value = NULL;
    size_t room = 0, length = strlen(key);
    if (asprintf(&path, "%s/pipeline", state_dir->path) < 0)
        return NULL;
    FILE *file = fopen(path, "re");
    free(path);
    while (file && !value && getline(&line, &room, file) > 0)
        if (strncmp(line, key, length) == 0 && line[length] == '=') {
            line[strcspn(line, "\n")] = '\0';
            value = strdup(line + length + 1);
        }
    free(line);
    if (file)
        fclose(file);
    return value;
}

uint32_t pgc_state_dir_noted_timeline(const pgc_state_dir *state_dir)
{
    char *text = pgc_state_dir_noted(state_dir, "timeline");
    uint32_t timeline = text ? (uint32_t)strtoul(text, NULL, 10) : 0;
    free(text);
    return timeline;
}

void pgc_state_dir_remove(pgc_state_dir *state_dir)
{
    static const char *const names[] = {"pipeline", "pipeline.new", "status.json", "tables", "tables.new", "lock"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path;
        if (asprintf(&path, "%s/%s", state_dir->path, names[i]) < 0)
            return;
        unlink(path);
        free(path);
    }
    rmdir(state_dir->path);
}

void pgc_state_dir_close(pgc_state_dir *state_dir)
{
    if (state_dir->lock_fd >= 0)
        close(state_dir->lock_fd);
    free(state_dir->path);
    state_dir->path = NULL;
    state_dir->lock_fd = -1;
}
