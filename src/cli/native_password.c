#include "cli/native_password.h"

#include "cli/pg_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static char *first_line(const char *path, pgconvoy_error *err)
{
    char line[4096];
    FILE *file = fopen(path, "re");
    bool read = file && fgets(line, sizeof line, file);
    if (!read)
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the password file %s %s%s", path,
                           file ? "is empty" : "cannot be read: ", file ? "" : strerror(errno));
    if (file)
        fclose(file);
    if (!read)
        return NULL;
    line[strcspn(line, "\r\n")] = '\0';
    char *password = strdup(line);
    explicit_bzero(line, sizeof line);
    if (!password)
        pgc_error_out_of_memory(err);
    return password;
}

int cli_native_password(const cli_arguments *arguments, char **password, pgconvoy_error *err)
{
    const char *path = cli_setting_value(arguments, "password-file");
    *password = NULL;
    if (!path && !cli_setting_value(arguments, "password"))
        return 0;
    *password = path ? first_line(path, err) : cli_pg_ask_password(NULL, NULL);
    if (*password)
        return 0;
    if (!path) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "no password could be asked for");
        pgconvoy_error_hint(err, "give one with --password-file");
    } else
        pgconvoy_error_hint(err, "write the password alone into its first line");
    return -1;
}

void cli_native_password_free(char *password)
{
    if (password)
        explicit_bzero(password, strlen(password));
    free(password);
}
