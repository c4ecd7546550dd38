/* What the server says that the user may do (manual: Statements, CHECK GRANT). */
#include "sink/clickhouse/clickhouse_internal.h"

#include <stdlib.h>

/* What a pipeline does in its database sooner or later; docs/sinks/clickhouse.md says so to users. */
static const struct {
    const char *right;
    bool of_views; /* which a history has none of */
} needed[] = {
    {"SELECT", false},     {"INSERT", false},     {"ALTER", false},    {"CREATE TABLE", false},
    {"CREATE VIEW", true}, {"DROP TABLE", false}, {"DROP VIEW", true}, {"TRUNCATE", false},
};

/* One right at a time: of several the answer is one word. */
static int ask(pgc_clickhouse_sink *sink, const char *right, bool *granted, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_format(&sql, "CHECK GRANT %s ON ", right);
    pgc_clickhouse_identifier(&sql, sink->target.database);
    pgc_buffer_text(&sql, ".*");
    pgc_http_response response;
    int result = pgc_clickhouse_select(&sink->control, &sql, "asking for the user's rights", &response, err);
    pgc_buffer_free(&sql);
    if (result != 0)
        return -1;
    *granted = response.body.length > 0 && response.body.data[0] != '0';
    pgc_http_response_free(&response);
    return 0;
}

static int lacks(const pgc_clickhouse_sink *sink, const pgc_buffer *rights, pgconvoy_error *err)
{
    pgc_buffer mend;
    pgc_buffer_init(&mend, 65536);
    pgc_buffer_format(&mend, "GRANT %s ON ", rights->data);
    pgc_clickhouse_identifier(&mend, sink->target.database);
    pgc_buffer_text(&mend, ".* TO ");
    pgc_clickhouse_identifier(&mend, sink->target.user);
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "user %s has not the right to %s in database %s", sink->target.user,
                       rights->data, sink->target.database);
    if (mend.data)
        pgconvoy_error_hint(err, "%s", mend.data);
    pgc_buffer_free(&mend);
    return -1;
}

int pgc_clickhouse_check_privileges(void *state, bool *is_known, pgconvoy_error *err)
{
    pgc_clickhouse_sink *sink = state;
    *is_known = sink->has.check_grant;
    if (!*is_known)
        return 0;
    pgc_buffer missing;
    pgc_buffer_init(&missing, 4096);
    pthread_mutex_lock(&sink->lock);
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof needed / sizeof *needed; i++) {
        bool granted = true;
        if (!needed[i].of_views || !sink->target.history)
            result = ask(sink, needed[i].right, &granted, err);
        if (!granted)
            pgc_buffer_format(&missing, "%s%s", missing.length > 0 ? ", " : "", needed[i].right);
    }
    pthread_mutex_unlock(&sink->lock);
    if (result == 0)
        result = pgc_buffer_check(&missing, err);
    if (result == 0 && missing.length > 0)
        result = lacks(sink, &missing, err);
    pgc_buffer_free(&missing);
    return result;
}
