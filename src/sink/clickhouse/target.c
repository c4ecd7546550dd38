/* TARGET: clickhouse://USER:PASSWORD@HOST:PORT/DATABASE?option=value&…, its options as rows of a table. */
#include "sink/clickhouse/clickhouse_internal.h"

#include "sink/target_options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- options */

static int set_compression(void *arg, const pgc_target_option *option, const char *value)
{
    (void)option;
    pgc_clickhouse_target *target = arg;
    static const char *const words[] = {
        [PGC_HTTP_IDENTITY] = "none", [PGC_HTTP_GZIP] = "gzip", [PGC_HTTP_LZ4] = "lz4", [PGC_HTTP_ZSTD] = "zstd", NULL};
    int place = pgc_target_word(value, words);
    target->compression = place < 0 ? PGC_HTTP_IDENTITY : (pgc_http_encoding)place;
    target->compression_given = true;
    return place < 0 ? -1 : 0;
}

static int set_commit_interval(void *arg, const pgc_target_option *option, const char *value)
{
    (void)option;
    pgc_clickhouse_target *target = arg;
    char *end;
    long ms = strtol(value, &end, 10);
    target->commit_interval_ms = (int)ms;
    return end == value || *end || ms < 0 || ms > 3600000 ? -1 : 0;
}

static int set_numeric(void *arg, const pgc_target_option *option, const char *value)
{
    (void)option;
    pgc_clickhouse_target *target = arg;
    int width = 0, scale = 0, used = 0;
    if (strcmp(value, "text") != 0 && (sscanf(value, "decimal(%d,%d)%n", &width, &scale, &used) != 2 || value[used] ||
                                       width < 1 || width > 76 || scale < 0 || scale > width))
        return -1;
    target->types.numeric_width = width;
    target->types.numeric_scale = scale;
    return 0;
}

static int set_arrays(void *arg, const pgc_target_option *option, const char *value)
{
    (void)option;
    pgc_clickhouse_target *target = arg;
    static const char *const words[] = {"auto", "array", "text", NULL};
    int place = pgc_target_word(value, words);
    target->types.arrays_always = place == 1;
    target->types.arrays_text = place == 2;
    return place < 0 ? -1 : 0;
}

#define FIELD(NAME) offsetof(pgc_clickhouse_target, NAME)

static const pgc_target_option options[] = {
    {"mode", "current or history", pgc_target_set_switch, FIELD(history), PGC_TARGET_WORDS("current", "history")},
    PGC_UNMAPPABLE_OPTION(FIELD(types.unmappable)),
    {"numeric", "text or decimal(WIDTH,SCALE), up to 76 digits", set_numeric, 0, NULL},
    {"arrays", "auto, array or text", set_arrays, 0, NULL},
    {"json", "text or json", pgc_target_set_switch, FIELD(types.json_native), PGC_TARGET_WORDS("text", "json")},
    {"enums", "enum or text", pgc_target_set_switch, FIELD(types.enums_text), PGC_TARGET_WORDS("enum", "text")},
    {"view_suffix", "the end of a view's name", pgc_target_set_text, FIELD(view_suffix), NULL},
    {"cluster", "a cluster's name", pgc_target_set_text, FIELD(cluster), NULL},
    {"replicated", "on or off", pgc_target_set_switch, FIELD(replicated), NULL},
    {"replica_path", "a path in the keeper", pgc_target_set_text, FIELD(replica_path), NULL},
    {"compression", "none, gzip, lz4 or zstd", set_compression, 0, NULL},
    {"commit_interval", "milliseconds, up to an hour", set_commit_interval, 0, NULL},
    {"ca_file", "a file", pgc_target_set_text, FIELD(ca_file), NULL},
    {"cert_file", "a file", pgc_target_set_text, FIELD(client_cert), NULL},
    {"key_file", "a file", pgc_target_set_text, FIELD(client_key), NULL},
    {"insecure", "on or off", pgc_target_set_switch, FIELD(insecure), NULL},
    {"proxy", "a URL", pgc_target_set_text, FIELD(proxy), NULL},
};

static bool is_setting_name(const char *name)
{
    return *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

static int set_setting(void *arg, const char *name, const char *value, pgconvoy_error *err)
{
    pgc_clickhouse_target *target = arg;
    if (strncmp(name, "setting.", 8) != 0 || !is_setting_name(name + 8))
        return 0;
    pgc_buffer_format(&target->settings, "&%s=", name + 8);
    pgc_http_escape(&target->settings, value);
    return pgc_buffer_check(&target->settings, err) == 0 ? 1 : -1;
}

static const pgc_target_options known = {.sink = "clickhouse://",
                                         .list = options,
                                         .count = sizeof options / sizeof *options,
                                         .other = set_setting,
                                         .more = ", and setting.NAME=VALUE for any setting of the server"};

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
    int result = pgc_target_options_read(&known, target, target->text, err);
    if (result == 0)
        result = read_address(target, target->text, tls, err);
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
