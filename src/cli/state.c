/* Files of a pipeline's local state, as the command reads and writes them. */
#include "cli/cli.h"

#include "pipeline/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char *cli_state_dir(const cli_arguments *arguments, pgconvoy_error *err)
{
    const char *given = cli_setting_value(arguments, "state-dir");
    char *dir = given ? strdup(given) : pgc_options_default_state_dir();
    if (!dir)
        pgc_error_out_of_memory(err);
    return dir;
}

char *cli_state_path(const char *dir, const char *name, const char *file, pgconvoy_error *err)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s%s%s", dir, name, file ? "/" : "", file ? file : "") < 0) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    return path;
}

int cli_read_file(const char *path, pgc_buffer *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    char piece[8192];
    ssize_t got;
    while ((got = read(fd, piece, sizeof piece)) > 0)
        pgc_buffer_append(out, piece, (size_t)got);
    int cause = errno;
    close(fd);
    errno = out->failed ? EFBIG : cause;
    return got < 0 || out->failed ? -1 : 0;
}

int cli_write_file(const char *path, const pgc_buffer *text)
{
    char *temporary = NULL;
    if (asprintf(&temporary, "%s.new", path) < 0)
        return -1;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool written = fd >= 0 && write(fd, text->data, text->length) == (ssize_t)text->length;
    if (fd >= 0 && close(fd) != 0)
        written = false;
    if (written && rename(temporary, path) != 0)
        written = false;
    if (!written && fd >= 0)
        unlink(temporary);
    free(temporary);
    return written ? 0 : -1;
}

char *cli_pipeline_note(const char *dir, const char *name, const char *key)
{
    char *path = NULL, *value = NULL;
    if (asprintf(&path, "%s/%s/pipeline", dir, name) < 0)
        return NULL;
    pgc_buffer text;
    pgc_buffer_init(&text, 1 << 20);
    size_t length = strlen(key);
    if (cli_read_file(path, &text) == 0 && text.data)
        for (char *rest = text.data, *line; !value && (line = strsep(&rest, "\n")) != NULL;)
            if (strncmp(line, key, length) == 0 && line[length] == '=')
                value = strdup(line + length + 1);
    pgc_buffer_free(&text);
    free(path);
    return value;
}
