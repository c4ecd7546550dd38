#include "native/reach.h"

#include "native/unseen.h"

#define NAME "\"pgconvoy reaches\""

/* Without a slot and not enabled it can be rolled back; it connects all the same. */
static int try_subscription(PGconn *target, const native_address *address, pgc_buffer *sql, pgconvoy_error *err)
{
    pgc_buffer_text(sql, "CREATE SUBSCRIPTION " NAME " CONNECTION ");
    native_address_conninfo_literal(address, false, sql);
    pgc_buffer_text(sql, " PUBLICATION " NAME
                         " WITH (create_slot = false, slot_name = NONE, enabled = false, copy_data = false)");
    return pgc_buffer_check(sql, err) || native_run_unseen(target, sql->data, "trying a subscription", err) ? -1 : 0;
}

static int try_server(PGconn *target, const native_address *address, pgc_buffer *sql, pgconvoy_error *err)
{
    pgc_buffer options;
    pgc_buffer_init(&options, 65536);
    pgc_buffer_text(sql, "CREATE EXTENSION IF NOT EXISTS postgres_fdw; CREATE SERVER " NAME
                         " FOREIGN DATA WRAPPER postgres_fdw OPTIONS (");
    native_address_server_options(address, &options);
    pgc_buffer_format(sql, "%s); CREATE USER MAPPING FOR CURRENT_USER SERVER " NAME " OPTIONS (",
                      options.data ? options.data : "");
    pgc_buffer_reset(&options);
    native_address_user_options(address, false, &options);
    pgc_buffer_format(sql,
                      "%s); CREATE SCHEMA " NAME "; IMPORT FOREIGN SCHEMA pg_catalog LIMIT TO (" NAME
                      ") FROM SERVER " NAME " INTO " NAME,
                      options.data ? options.data : "");
    sql->failed = sql->failed || options.failed;
    pgc_buffer_free(&options);
    return pgc_buffer_check(sql, err) || native_run_unseen(target, sql->data, "trying a foreign server", err) ? -1 : 0;
}

bool native_is_out_of_reach(const pgconvoy_error *why)
{
    return strncmp(why->sqlstate, "08", 2) == 0 || strstr(why->message, "could not connect"); /* 13 and before give no code */
}

int native_reach(PGconn *target, const native_address *address, native_way way, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 20);
    int failed = pgc_execute_as(target, "BEGIN; SET LOCAL client_min_messages = error", "beginning to try", err);
    if (!failed)
        failed = way == NATIVE_SUBSCRIPTION ? try_subscription(target, address, &sql, err)
                                            : try_server(target, address, &sql, err);
    pgc_buffer_free(&sql);
    pgconvoy_error unused;
    if (pgc_execute_as(target, "ROLLBACK", "rolling back", &unused))
        PQreset(target);
    return failed;
}
