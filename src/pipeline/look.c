/* See look.h. The connection is given a short time only: `status` must answer also when the source does not. */
#include "pipeline/look.h"

#include "postgres/connection.h"
#include "source/postgres/names.h"
#include "source/postgres/slot_health.h"

#include <stdio.h>

#define CONNECT_SECONDS "3"

int pgc_look_at_slot(const char *source, const char *pipeline, const char *slot, char *name, pgc_source_health *health,
                     pgconvoy_error *err)
{
    /* the note of a source is of the form key=value: a setting more may be put behind it */
    pgc_buffer conninfo;
    pgc_buffer_init(&conninfo, 1 << 20);
    pgc_buffer_text(&conninfo, source);
    if (!strstr(source, "connect_timeout"))
        pgc_buffer_text(&conninfo, " connect_timeout=" CONNECT_SECONDS);
    int failed = pgc_buffer_check(&conninfo, err);
    PGconn *conn = failed ? NULL : pgc_connect(conninfo.data, PGC_CONNECTION_SQL, "pgconvoy status", err);
    pgc_buffer_free(&conninfo);
    if (!conn)
        return -1;
    if (slot)
        snprintf(name, 64, "%s", slot);
    else
        pgc_slot_name_derive(pipeline, name);
    failed = pgc_execute(conn, "SET statement_timeout = '5s'", err) != 0 ||
             pgc_slot_health_read(conn, name, health, err) != 0;
    PQfinish(conn);
    return failed ? -1 : 0;
}
