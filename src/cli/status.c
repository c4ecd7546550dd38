/*
 * status: what the pipelines of a state folder last said of themselves (status.json, each second while one runs), and
 * for one that is named what its slot holds back at the source. Whether one runs is told by its lock, which the kernel
 * gives back however a process ends.
 */
#include "cli/status.h"

#include "cli/copy_state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct names {
    char **items;
    size_t count;
} names;

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

static int add_name(names *names, const char *name, pgconvoy_error *err)
{
    char **items = realloc(names->items, (names->count + 1) * sizeof *items);
    if (!items)
        return pgc_error_out_of_memory(err);
    names->items = items;
    if (!(items[names->count] = strdup(name)))
        return pgc_error_out_of_memory(err);
    names->count++;
    return 0;
}

/* A pipeline's folder has the note of its ends. */
static bool is_pipeline(const char *dir, const char *name)
{
    char *source = cli_pipeline_note(dir, name, "source");
    free(source);
    return source != NULL;
}

static int list_pipelines(const char *dir, names *names, pgconvoy_error *err)
{
    DIR *folder = opendir(dir);
    if (!folder) {
        if (errno == ENOENT)
            return 0;
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "cannot read the folder %s: %s", dir, strerror(errno));
        pgconvoy_error_hint(err, "name another one with --state-dir");
        return -1;
    }
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.' && is_pipeline(dir, entry->d_name))
            result = add_name(names, entry->d_name, err);
    closedir(folder);
    if (names->count > 1)
        qsort(names->items, names->count, sizeof *names->items, by_text);
    return result;
}

static bool is_running(const char *dir, const char *name)
{
    pgconvoy_error err;
    char *path = cli_state_path(dir, name, "lock", &err);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    free(path);
    if (fd < 0)
        return false;
    bool running = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return running;
}

/* ---- one pipeline */

/* Into out, which stays empty where there is no such file. When it was written. */
static time_t read_json(const char *dir, const char *name, const char *file, pgc_buffer *out)
{
    pgconvoy_error err;
    char *path = cli_state_path(dir, name, file, &err);
    pgc_buffer_init(out, (size_t)1 << 30);
    if (!path || cli_read_file(path, out) != 0)
        pgc_buffer_reset(out);
    struct stat about;
    time_t said = path && stat(path, &about) == 0 ? about.st_mtime : 0;
    while (out->length > 0 && out->data[out->length - 1] == '\n')
        out->data[--out->length] = '\0';
    free(path);
    return said;
}

static void read_notes(const char *dir, const char *name, cli_status *status)
{
    static const char *const keys[] = {"source", "target", "slot"};
    char **values[] = {&status->source, &status->target, &status->slot_option};
    for (int i = 0; i < 3; i++)
        *values[i] = cli_pipeline_note(dir, name, keys[i]);
    status->name = name;
    status->running = is_running(dir, name);
    status->said = read_json(dir, name, "status.json", &status->json);
    read_json(dir, name, "conflicts.json", &status->conflicts);
    read_json(dir, name, "ddl.json", &status->ddl);
}

/* The slot is asked for itself: what the pipeline last said may be long ago, and the slot holds WAL back meanwhile. */
static void add_pipeline(const char *dir, const char *name, bool look, bool json, pgc_buffer *out)
{
    cli_status status = {0};
    if (cli_copy_state_show(dir, name, is_running(dir, name), look, json, out))
        return;
    read_notes(dir, name, &status);
    if (look && status.source) {
        status.looked = true;
        status.found =
            pgc_look_at_slot(status.source, name, status.slot_option, status.slot, &status.health, &status.err) == 0;
    }
    if (json)
        cli_status_json(&status, out);
    else
        cli_status_text(&status, look, out);
    free(status.source);
    free(status.target);
    free(status.slot_option);
    pgc_buffer_free(&status.json);
    pgc_buffer_free(&status.conflicts);
    pgc_buffer_free(&status.ddl);
}

/* ---- the command */

static void add_all(const char *dir, const names *names, bool one, bool json, pgc_buffer *out)
{
    if (json && !one)
        pgc_buffer_text(out, "{\"pipelines\":[");
    for (size_t i = 0; i < names->count; i++) {
        if (json && i > 0)
            pgc_buffer_byte(out, ',');
        add_pipeline(dir, names->items[i], one, json, out);
    }
    if (json)
        pgc_buffer_text(out, one ? "\n" : "]}\n");
    else if (names->count == 0)
        pgc_buffer_format(out, "there are no pipelines in %s\n", dir);
}

int cli_run_status(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err)
{
    (void)command;
    bool one = arguments->operand_count > 0;
    names names = {0};
    pgc_buffer out;
    pgc_buffer_init(&out, (size_t)1 << 30);
    char *dir = cli_state_dir(arguments, err);
    int result = dir ? 0 : -1;
    if (result == 0 && !one)
        result = list_pipelines(dir, &names, err);
    else if (result == 0 && (strchr(arguments->operands[0], '/') || !is_pipeline(dir, arguments->operands[0]))) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "nothing is known of a pipeline %s in %s", arguments->operands[0],
                           dir);
        pgconvoy_error_hint(err, "pgconvoy status lists what there is; --state-dir names another folder");
        result = -1;
    } else if (result == 0)
        result = add_name(&names, arguments->operands[0], err);
    if (result == 0) {
        add_all(dir, &names, one, cli_setting_value(arguments, "json") != NULL, &out);
        result = pgc_buffer_check(&out, err);
    }
    if (result == 0 && (fwrite(out.data, 1, out.length, stdout) != out.length || fflush(stdout) != 0)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "cannot write to standard output: %s", strerror(errno));
        result = -1;
    }
    free_names(&names);
    pgc_buffer_free(&out);
    free(dir);
    return result == 0 ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}
