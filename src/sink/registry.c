/*
 * From TARGET to sink. A scheme that ends in ':' or '/' is a prefix of TARGET, any other is the whole of it ("-"). What
 * libpq would take besides its URIs (key=value) is PostgreSQL's.
 */
#include "sink/registry.h"

#include "base/buffer.h"
#include "postgres/connection.h"

/* Targets that are thought of but not there yet: known, so that they are not called unknown. */
static const struct {
    const char *scheme, *what;
} planned[] = {
    {"kafka://", "Kafka"},
    {"nats://", "NATS"},         {"parquet:", "Parquet files"},   {"s3://", "S3"},
};

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool matches(const char *target, const char *scheme)
{
    char last = scheme[0] ? scheme[strlen(scheme) - 1] : '\0';
    return last == ':' || last == '/' ? starts_with(target, scheme) : strcmp(target, scheme) == 0;
}

static void hint_what_there_is(pgconvoy_error *err)
{
    pgc_buffer list;
    pgc_buffer_init(&list, 4096);
    const char *separator = "";
    for (const pgconvoy_sink *const *sink = pgconvoy_sinks(); *sink; sink++) {
        pgc_buffer_format(&list, "%s%s", separator, (*sink)->target_help);
        separator = ", ";
    }
    pgconvoy_error_hint(err, "a TARGET is one of: %s", list.data ? list.data : "");
    pgc_buffer_free(&list);
}

/* Only the scheme is shown, never what follows it: a password may be in there. */
static void unknown_target(const char *target, pgconvoy_error *err)
{
    size_t scheme = strcspn(target, ":");
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-";
    bool has_scheme = target[scheme] == ':' && scheme > 0 && strspn(target, letters) == scheme;
    if (has_scheme)
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "there is no sink for targets that start with \"%.*s:\"",
                           (int)(scheme > 40 ? 40 : scheme), target);
    else
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "the target has no form that a sink knows");
    hint_what_there_is(err);
}

const pgconvoy_sink *pgc_sink_for_target(const char *target, pgconvoy_error *err)
{
    const pgconvoy_sink *postgres = NULL;
    for (const pgconvoy_sink *const *sink = pgconvoy_sinks(); *sink; sink++) {
        for (const char *const *scheme = (*sink)->schemes; *scheme; scheme++)
            if (matches(target, *scheme))
                return *sink;
        if (strcmp((*sink)->name, "postgres") == 0)
            postgres = *sink;
    }
    for (size_t i = 0; i < sizeof planned / sizeof planned[0]; i++)
        if (starts_with(target, planned[i].scheme)) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "%s as a target (%s) is not in this version", planned[i].what,
                               planned[i].scheme);
            hint_what_there_is(err);
            return NULL;
        }
    if (postgres && pgc_connection_is_uri(target))
        return postgres;
    unknown_target(target, err);
    return NULL;
}
