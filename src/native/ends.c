#include "native/ends.h"

#define STANDBY_DECODES_VERSION 160000

static int refuse(const char *what, const char *mend, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "%s", what);
    pgconvoy_error_hint(err, "%s", mend);
    return -1;
}

/* is_read_only: not since it is a standby. */
static int ask(PGconn *conn, bool *is_standby, bool *is_read_only, pgconvoy_error *err)
{
    PGresult *result = pgc_query(
        conn, "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only') = 'on'", err);
    if (!result)
        return -1;
    *is_standby = PQgetvalue(result, 0, 0)[0] == 't';
    *is_read_only = !*is_standby && PQgetvalue(result, 0, 1)[0] == 't';
    PQclear(result);
    return 0;
}

static int check_target(PGconn *target, pgconvoy_error *err)
{
    bool is_standby, is_read_only;
    char mend[400];
    if (ask(target, &is_standby, &is_read_only, err))
        return -1;
    if (is_standby)
        return refuse("the target is a standby, which cannot be written", "name its primary as TARGET", err);
    if (!is_read_only)
        return 0;
    snprintf(
        mend, sizeof mend,
        "SET default_transaction_read_only = off; ALTER DATABASE \"%.63s\" SET default_transaction_read_only = off",
        PQdb(target));
    return refuse("transactions of the target are read-only by default", mend, err);
}

PGconn *native_connect_source(const char *uri, const char *program, pgconvoy_error *err)
{
    PGconn *source = pgc_connect(uri, PGC_CONNECTION_SQL, program, err);
    if (!source)
        pgc_error_prefix(err, "source");
    return source;
}

PGconn *native_connect_target(const char *uri, const char *program, pgconvoy_error *err)
{
    PGconn *target = pgc_connect(uri, PGC_CONNECTION_SQL, program, err);
    if (!target) {
        pgc_error_prefix(err, "target");
        return NULL;
    }
    if (check_target(target, err) == 0)
        return target;
    PQfinish(target);
    return NULL;
}

static int has_publication(PGconn *source, const char *publication, bool *has, pgconvoy_error *err)
{
    const char *values[] = {publication};
    PGresult *result =
        pgc_query_params(source, "SELECT FROM pg_catalog.pg_publication WHERE pubname = $1", 1, values, err);
    if (!result)
        return -1;
    *has = PQntuples(result) > 0;
    PQclear(result);
    return 0;
}

int native_check_publisher(PGconn *source, const char *publication, bool *is_standby, pgconvoy_error *err)
{
    bool is_read_only, has = false;
    char what[200], mend[400];
    if (ask(source, is_standby, &is_read_only, err))
        return -1;
    if (*is_standby && PQserverVersion(source) < STANDBY_DECODES_VERSION)
        return refuse("the source is a standby, which cannot be subscribed to before PostgreSQL 16",
                      "name its primary as SOURCE, or a standby of PostgreSQL 16 or later", err);
    if (!*is_standby && !is_read_only)
        return 0;
    if (has_publication(source, publication, &has, err))
        return -1;
    if (has)
        return 0;
    if (*is_standby) {
        snprintf(what, sizeof what, "the source is a standby and has no publication %.63s", publication);
        return refuse(what, "make the publication on the primary and name it by --publication", err);
    }
    snprintf(mend, sizeof mend,
             "ALTER DATABASE \"%.63s\" SET default_transaction_read_only = off; or have a publication made and name it "
             "by --publication",
             PQdb(source));
    return refuse("transactions of the source are read-only by default, and no publication can be made", mend, err);
}
