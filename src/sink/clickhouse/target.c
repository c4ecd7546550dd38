/* TARGET: clickhouse://USER:PASSWORD@HOST:PORT/DATABASE?option=value&…, its options as rows of a table. */
#include "sink/clickhouse/clickhouse_internal.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- options */

typedef struct option {
    const char *name, *values;
    int (*set)(pgc_clickhouse_target *target, const struct option *option, const char *value);
    size_t field;
} option;

static int set_text(pgc_clickhouse_target *target, const option *o, const char *value)
{
    *(const char **)((char *)target + o->field) = value;
    return 0;
}

static int set_switch(pgc_clickhouse_target *target, const option *o, const char *value)
{
    *(bool *)((char *)target + o->field) = strcmp(value, "on") == 0;
    return strcmp(value, "on") == 0 || strcmp(value, "off") == 0 ? 0 : -1;
}

/* The place of value among words, which ends with NULL; -1 when it is none of them. */
static int one_of(const char *value, const char *const *words)
{
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], value) == 0)
            return i;
    }
    return -1;
}

static int set_compression(pgc_clickhouse_target *target, const option *o, const char *value)
{
    (void)o;
    static const char *const words[] = {
        [PGC_HTTP_IDENTITY] = "none", [PGC_HTTP_GZIP] = "gzip", [PGC_HTTP_LZ4] = "lz4", [PGC_HTTP_ZSTD] = "zstd", NULL};
    int place = one_of(value, words);
    target->compression = place < 0 ? PGC_HTTP_IDENTITY : (pgc_http_encoding)place;
    target->compression_given = true;
    return place < 0 ? -1 : 0;
}

static int set_mode(pgc_clickhouse_target *target, const option *o, const char *value)
{
    (void)o;
    target->history = strcmp(value, "history") == 0;
    return target->history || strcmp(value, "current") == 0 ? 0 : -1;
}

static int set_commit_interval(pgc_clickhouse_target *target, const option *o, const char *value)
{
    (void)o;
    char *end;
    long ms = strtol(value, &end, 10);
    target->commit_interval_ms = (int)ms;
    return end == value || *end || ms < 0 || ms > 3600000 ? -1 : 0;
}

static int set_unmappable(pgc_clickhouse_target *target, const option *o, const char *value)
{
    (void)o;
    static const char *const words[] = {"error", "text", "null", NULL};
    int place = one_of(value, words);
    target->types.unmappable = (pgc_clickhouse_unmappable)(place < 0 ? 0 : place);
    return place < 0 ? -1 : 0;
}

static int set_numeric(pgc_clickhouse_target *target, const option *o, const char *value)
{
    (void)o;
    int width = 0, scale = 0, used = 0;
    if (strcmp(value, "text") != 0 && (sscanf(value, "decimal(%d,%d)%n", &width, &scale, &used) != 2 || value[used] ||
                                       width < 1 || width > 76 || scale < 0 || scale > width))
        return -1;
    target->types.numeric_width = width;
    target->types.numeric_scale = scale;
    return 0;
}

static int set_arrays(pgc_clickhouse_target *target, const option *o, const char *value)
{
    (void)o;
    static const char *const words[] = {"auto", "array", "text", NULL};
    int place = one_of(value, words);
    target->types.arrays_always = place == 1;
    target->types.arrays_text = place == 2;
    return place < 0 ? -1 : 0;
}

static int set_json(pgc_clickhouse_target *target, const option *o, const char *value)
{
    (void)o;
    target->types.json_native = strcmp(value, "json") == 0;
    return target->types.json_native || strcmp(value, "text") == 0 ? 0 : -1;
}

static int set_enums(pgc_clickhouse_target *target, const option *o, const char *value)
{
    (void)o;
    target->types.enums_text = strcmp(value, "text") == 0;
    return target->types.enums_text || strcmp(value, "enum") == 0 ? 0 : -1;
}

#define TEXT(NAME, VALUES, FIELD)                                                                                      \
    {                                                                                                                  \
        NAME, VALUES, set_text, offsetof(pgc_clickhouse_target, FIELD)                                                 \
    }
#define SWITCH(NAME, FIELD)                                                                                            \
    {                                                                                                                  \
        NAME, "on or off", set_switch, offsetof(pgc_clickhouse_target, FIELD)                                          \
    }

static const option options[] = {
    {"mode", "current or history", set_mode, 0},
    {"unmappable", "error, text or null", set_unmappable, 0},
    {"numeric", "text or decimal(WIDTH,SCALE), up to 76 digits", set_numeric, 0},
    {"arrays", "auto, array or text", set_arrays, 0},
    {"json", "text or json", set_json, 0},
    {"enums", "enum or text", set_enums, 0},
    TEXT("view_suffix", "the end of a view's name", view_suffix),
    TEXT("cluster", "a cluster's name", cluster),
    SWITCH("replicated", replicated),
    TEXT("replica_path", "a path in the keeper", replica_path),
    {"compression", "none, gzip, lz4 or zstd", set_compression, 0},
    {"commit_interval", "milliseconds, up to an hour", set_commit_interval, 0},
    TEXT("ca_file", "a file", ca_file),
    TEXT("cert_file", "a file", client_cert),
    TEXT("key_file", "a file", client_key),
    SWITCH("insecure", insecure),
    TEXT("proxy", "a URL", proxy),
};
#define OPTION_COUNT (sizeof options / sizeof *options)

static bool is_setting_name(const char *name)
{
    return *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

static int unknown_option(const char *name, pgconvoy_error *err)
{
    pgc_buffer list;
    pgc_buffer_init(&list, 4096);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        pgc_buffer_format(&list, "%s%s", i > 0 ? ", " : "", options[i].name);
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "clickhouse:// targets have no option \"%s\"", name);
    pgconvoy_error_hint(err, "there are %s, and setting.NAME for any setting of the server",
                        list.data ? list.data : "");
    pgc_buffer_free(&list);
    return -1;
}

static int set_option(pgc_clickhouse_target *target, char *text, pgconvoy_error *err)
{
    char *value = strchr(text, '=');
    if (value)
        *value++ = '\0';
    if (!value || !pgc_http_unescape(value)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "target option %s has no value that can be read", text);
        return -1;
    }
    if (strncmp(text, "setting.", 8) == 0 && is_setting_name(text + 8)) {
        pgc_buffer_format(&target->settings, "&%s=", text + 8);
        pgc_http_escape(&target->settings, value);
        return pgc_buffer_check(&target->settings, err);
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(options[i].name, text) != 0)
            continue;
        if (options[i].set(target, &options[i], value) == 0)
            return 0;
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "target option %s is not %s", text, options[i].values);
        return -1;
    }
    return unknown_option(text, err);
}

/* ---- the address */

/* Never with the text itself: there may be a password in it. */
static int malformed(const char *what, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "the clickhouse:// target %s", what);
    pgconvoy_error_hint(err, "write it as clickhouse://USER:PASSWORD@HOST:PORT/DATABASE, with %%XX for /, ?, @ and %% "
                             "in a name or password; "
                             "clickhouses:// is with TLS");
    return -1;
}

static int read_address(pgc_clickhouse_target *target, char *text, bool tls, pgconvoy_error *err)
{
    char *database = strchr(text, '/');
    if (database)
        *database++ = '\0';
    char *host = strrchr(text, '@');
    if (host) {
        *host++ = '\0';
        char *password = strchr(text, ':');
        if (password) {
            *password++ = '\0';
            target->password = password;
        }
        if (*text)
            target->user = text;
        if (!pgc_http_unescape(text) || (password && !pgc_http_unescape(password)))
            return malformed("has a user or password that cannot be read", err);
    } else {
        host = text;
    }
    char *port = host[0] == '[' ? strchr(host, ']') : host; /* [::1]:8123 */
    port = port ? strchr(port, ':') : NULL;
    if (port)
        *port++ = '\0';
    char *end = NULL;
    long number = port && *port ? strtol(port, &end, 10) : tls ? 8443 : 8123;
    if (!*host || (end && *end) || number < 1 || number > 65535)
        return malformed("has no host and port that can be read", err);
    if (database && (!pgc_http_unescape(database) || strchr(database, '/')))
        return malformed("has a database's name that cannot be read", err);
    if (database && *database)
        target->database = database;
    pgc_buffer_format(&target->url, "http%s://%s:%ld/", tls ? "s" : "", host, number);
    return pgc_buffer_check(&target->url, err);
}

int pgc_clickhouse_target_parse(const char *text, pgc_clickhouse_target *target, pgconvoy_error *err)
{
    memset(target, 0, sizeof *target);
    pgc_buffer_init(&target->url, 4096);
    pgc_buffer_init(&target->settings, 65536);
    bool tls = strncmp(text, "clickhouses", 11) == 0;
    const char *rest = strstr(text, "://");
    target->text = strdup(rest ? rest + 3 : text);
    if (!target->text)
        return pgc_error_out_of_memory(err);
    const char *user = getenv("CLICKHOUSE_USER"), *password = getenv("CLICKHOUSE_PASSWORD");
    target->user = user ? user : "default";
    target->password = password ? password : "";
    target->database = "default";
    target->view_suffix = "_current";
    target->commit_interval_ms = 500;
    char *save, *start = strchr(target->text, '?');
    if (start)
        *start++ = '\0';
    int result = read_address(target, target->text, tls, err);
    for (char *one = start ? strtok_r(start, "&", &save) : NULL; result == 0 && one; one = strtok_r(NULL, "&", &save))
        result = set_option(target, one, err);
    if (result != 0)
        pgc_clickhouse_target_free(target);
    return result;
}

void pgc_clickhouse_target_free(pgc_clickhouse_target *target)
{
    free(target->text);
    target->text = NULL;
    pgc_buffer_free(&target->url);
    pgc_buffer_free(&target->settings);
}
