/*
 * Making a subscription: publication and slot at the source, then, in one transaction of the target, the definitions
 * and the subscription. The slot is made by us, since CREATE SUBSCRIPTION can be part of a transaction only when it
 * makes none, and since one made by it would wait for ever where both databases are in one cluster. What fails leaves
 * nothing behind.
 */
#include "native/subscribe_internal.h"

#include "native/reach.h"
#include "native/unseen.h"
#include "postgres/quote.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARAMETERS_MAX 24

/* Runs a statement at one end, or prints it; shown (NULL: sql itself) has no password. doing: for the error of one that
 * has. */
static int run(subscribe_state *state, PGconn *conn, const char *sql, const char *shown, const char *doing,
               pgconvoy_error *err)
{
    const pgc_subscribe_options *options = state->options;
    if (options->dry_run) {
        pgc_buffer line;
        pgc_buffer_init(&line, (size_t)256 << 20);
        pgc_buffer_format(&line, "%s%s;", conn == state->source ? "/* source */ " : "", shown ? shown : sql);
        int failed = pgc_buffer_check(&line, err) || options->line(options->line_arg, line.data);
        pgc_buffer_free(&line);
        return failed ? -1 : 0;
    }
    return shown ? native_run_unseen(conn, sql, doing, err) : pgc_execute(conn, sql, err);
}

int subscribe_run_sql(subscribe_state *state, PGconn *conn, const char *sql, pgconvoy_error *err)
{
    return run(state, conn, sql, NULL, "", err);
}

static int run_text(subscribe_state *state, PGconn *conn, pgc_buffer *sql, pgconvoy_error *err)
{
    int failed = pgc_buffer_check(sql, err) || run(state, conn, sql->data, NULL, "", err);
    pgc_buffer_reset(sql);
    return failed ? -1 : 0;
}

/* ------------------------------------------------------------------ the source */

static void add_tables(const subscribe_state *state, bool only_new, pgc_buffer *sql, int *count)
{
    *count = 0;
    for (int i = 0; i < PQntuples(state->tables); i++) {
        if (only_new && PQgetvalue(state->tables, i, 4)[0] == 't')
            continue;
        pgc_buffer_text(sql, (*count)++ ? ", " : " TABLE ");
        pgc_quote_qualified(sql, PQgetvalue(state->tables, i, 0), PQgetvalue(state->tables, i, 1));
    }
}

static int make_publication(subscribe_state *state, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 64 << 20);
    int count;
    pgc_buffer_text(&sql, "CREATE PUBLICATION ");
    pgc_quote_identifier(&sql, state->publication);
    pgc_buffer_text(&sql, " FOR");
    add_tables(state, false, &sql, &count);
    if (state->source_version >= 130000)
        pgc_buffer_text(&sql, " WITH (publish_via_partition_root = true)");
    int failed = run_text(state, state->source, &sql, err);
    state->made_publication = !failed && !state->options->dry_run;
    pgc_buffer_text(&sql, "COMMENT ON PUBLICATION ");
    pgc_quote_identifier(&sql, state->publication);
    pgc_buffer_text(&sql, " IS '" SUBSCRIBE_MARK "'");
    if (!failed)
        failed = run_text(state, state->source, &sql, err);
    pgc_buffer_free(&sql);
    return failed;
}

/* Of a standby no slot is kept in step with another. */
static bool fails_over(const subscribe_state *state)
{
    return !state->source_is_standby && state->source_version >= 170000 && state->target_version >= 170000;
}

static int make_slot(subscribe_state *state, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, "SELECT pg_create_logical_replication_slot(");
    pgc_quote_literal(&sql, state->name);
    pgc_buffer_format(&sql, ", 'pgoutput'%s)", fails_over(state) ? ", false, false, true" : "");
    if (state->source_is_standby)
        pgc_log_info(state->options->log,
                     "a slot of a standby, and each table's rows, wait for the primary's next record of its running "
                     "transactions; SELECT pg_log_standby_snapshot() on the primary writes one");
    int failed = run_text(state, state->source, &sql, err);
    state->made_slot = !failed && !state->options->dry_run;
    if (failed && strcmp(err->sqlstate, "42710") == 0)
        pgconvoy_error_hint(err, "another subscription or pipeline has it: give this one another --name, or remove "
                                 "what is left of an old one with --drop");
    pgc_buffer_free(&sql);
    return failed;
}

/* ------------------------------------------------------------------ the subscription */

typedef struct parameter {
    char name[64], value[128];
} parameter;

typedef struct parameters {
    parameter items[PARAMETERS_MAX];
    int count;
} parameters;

/* The last word wins. */
static void set(parameters *parameters, const char *name, const char *value)
{
    int i = 0;
    while (i < parameters->count && strcmp(parameters->items[i].name, name) != 0)
        i++;
    if (i == PARAMETERS_MAX)
        return;
    parameters->count += i == parameters->count;
    snprintf(parameters->items[i].name, sizeof parameters->items[i].name, "%s", name);
    snprintf(parameters->items[i].value, sizeof parameters->items[i].value, "%s", value);
}

static char *trimmed(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    for (size_t length = strlen(text); length && isspace((unsigned char)text[length - 1]);)
        text[--length] = '\0';
    return text;
}

/* "origin = none, two_phase = true" */
static int set_given(parameters *parameters, const char *with, pgconvoy_error *err)
{
    char *copy = strdup(with);
    if (!copy)
        return pgc_error_out_of_memory(err);
    int failed = 0;
    for (char *rest = copy, *word; !failed && (word = strsep(&rest, ",")) != NULL;) {
        char *equal = strchr(word, '=');
        if (equal)
            *equal = '\0';
        char *name = trimmed(word), *value = equal ? trimmed(equal + 1) : NULL;
        static const char *const letters = "abcdefghijklmnopqrstuvwxyz_";
        bool ours = strcmp(name, "create_slot") == 0 || strcmp(name, "slot_name") == 0 || strcmp(name, "connect") == 0;
        if (value && name[0] && !ours && strspn(name, letters) == strlen(name) && strpbrk(value, "'\"\\;()") == NULL &&
            value[0])
            set(parameters, name, value);
        else
            failed = -1;
    }
    free(copy);
    if (failed) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--with cannot be \"%s\"", with);
        pgconvoy_error_hint(
            err,
            "write NAME=VALUE,… with parameters of CREATE SUBSCRIPTION but for create_slot, slot_name and connect");
    }
    return failed;
}

/*
 * What is sensible for these versions. binary: the values of types that are built in are the same bytes everywhere.
 * Large transactions come while they run (14), and are applied beside each other (16). A slot that fails over is
 * followed to a standby (17).
 */
static int choose_parameters(const subscribe_state *state, bool disabled, parameters *parameters, pgconvoy_error *err)
{
    int target = state->target_version;
    if (target >= 140000 && state->all_built_in)
        set(parameters, "binary", "true");
    if (target >= 140000 && state->source_version >= 140000)
        set(parameters, "streaming", target >= 160000 ? "parallel" : "on");
    if (fails_over(state))
        set(parameters, "failover", "true");
    if (state->options->with && set_given(parameters, state->options->with, err))
        return -1;
    if (disabled) {
        set(parameters, "copy_data", "false");
        set(parameters, "enabled", "false");
    }
    return 0;
}

static void write_subscription(const subscribe_state *state, const parameters *parameters, bool masked, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "CREATE SUBSCRIPTION ");
    pgc_quote_identifier(sql, state->name);
    pgc_buffer_text(sql, " CONNECTION ");
    native_address_conninfo_literal(state->address, masked, sql);
    pgc_buffer_text(sql, " PUBLICATION ");
    pgc_quote_identifier(sql, state->publication);
    pgc_buffer_text(sql, " WITH (create_slot = false, slot_name = ");
    pgc_quote_literal(sql, state->name);
    for (int i = 0; i < parameters->count; i++) {
        pgc_buffer_format(sql, ", %s = ", parameters->items[i].name);
        pgc_quote_literal(sql, parameters->items[i].value);
    }
    pgc_buffer_byte(sql, ')');
}

static void hint_at_via(pgconvoy_error *err)
{
    pgconvoy_error_hint(err, "the target's own server connects to the source: if it sees it elsewhere than we do, say "
                             "where with --via \"host=… port=…\"");
}

/* A name such as localhost may be another server there, which is asked for the publication without complaint. */
static int check_tables_came(subscribe_state *state, pgconvoy_error *err)
{
    const char *values[] = {state->name};
    bool any;
    if (pgc_query_truth(state->target,
                        "SELECT EXISTS (SELECT FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid "
                        "JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database() AND s.subname = "
                        "$1)",
                        1, values, &any, err))
        return -1;
    if (any)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                       "the target's server reaches a server that has no table in publication %s: another one than the "
                       "source",
                       state->publication);
    hint_at_via(err);
    return -1;
}

static int make_subscription(subscribe_state *state, bool disabled, pgconvoy_error *err)
{
    parameters parameters = {.count = 0};
    if (choose_parameters(state, disabled, &parameters, err))
        return -1;
    pgc_buffer sql, masked;
    pgc_buffer_init(&sql, 1 << 20);
    pgc_buffer_init(&masked, 1 << 20);
    write_subscription(state, &parameters, false, &sql);
    write_subscription(state, &parameters, true, &masked);
    int failed = pgc_buffer_check(&sql, err) || pgc_buffer_check(&masked, err) ||
                 run(state, state->target, sql.data, masked.data, "making the subscription", err);
    if (failed && native_is_out_of_reach(err))
        hint_at_via(err);
    pgc_buffer_free(&sql);
    pgc_buffer_free(&masked);
    return failed || state->options->dry_run ? failed : check_tables_came(state, err);
}

/* ------------------------------------------------------------------ tables of the target */

static int clear_present(subscribe_state *state, pgconvoy_error *err)
{
    pgconvoy_if_exists what = state->options->if_exists;
    pgc_buffer sql;
    pgc_buffer_init(&sql, 64 << 20);
    int count = 0;
    if (what == PGCONVOY_IF_EXISTS_TRUNCATE || what == PGCONVOY_IF_EXISTS_DROP)
        for (int i = 0; i < PQntuples(state->tables); i++)
            if (state->is_there[i]) {
                pgc_buffer_text(&sql, count++ ? ", " : what == PGCONVOY_IF_EXISTS_DROP ? "DROP TABLE " : "TRUNCATE ");
                pgc_quote_qualified(&sql, PQgetvalue(state->tables, i, 0), PQgetvalue(state->tables, i, 1));
            }
    int failed = count && run_text(state, state->target, &sql, err);
    pgc_buffer_free(&sql);
    return failed;
}

static int make_definitions(subscribe_state *state, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)1 << 30);
    int failed = subscribe_schema_sql(state, &sql, err);
    if (!failed && sql.length)
        failed = run(state, state->target, "SET LOCAL check_function_bodies = false", NULL, "", err) ||
                 run(state, state->target, "SET LOCAL search_path = ''", NULL, "", err) ||
                 run(state, state->target, sql.data, NULL, "", err);
    pgc_buffer_free(&sql);
    return failed ? -1 : 0;
}

static int make_at_target(subscribe_state *state, pgconvoy_error *err)
{
    if (run(state, state->target, "BEGIN", NULL, "", err) || clear_present(state, err) ||
        make_definitions(state, err) || make_subscription(state, false, err))
        return -1;
    return run(state, state->target, "COMMIT", NULL, "", err);
}

int subscribe_make_disabled(subscribe_state *state, pgconvoy_error *err)
{
    if (run(state, state->target, "BEGIN", NULL, "", err) == 0 &&
        make_subscription(state, true, err) == 0 && run(state, state->target, "COMMIT", NULL, "", err) == 0)
        return 0;
    pgconvoy_error unused;
    if (PQtransactionStatus(state->target) != PQTRANS_IDLE && pgc_execute(state->target, "ROLLBACK", &unused))
        PQreset(state->target);
    return -1;
}

/* After a failure: what this run has made at the source goes. */
static void undo_at_source(subscribe_state *state)
{
    pgconvoy_error unused;
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    const char *values[] = {state->name};
    if (state->made_slot)
        PQclear(pgc_query_params(state->source, "SELECT pg_drop_replication_slot($1)", 1, values, &unused));
    pgc_buffer_text(&sql, "DROP PUBLICATION ");
    pgc_quote_identifier(&sql, state->publication);
    if (state->made_publication && pgc_execute(state->source, sql.data, &unused))
        pgc_log_warning(state->options->log, "publication %s is left on the source: %s", state->publication,
                        unused.message);
    pgc_buffer_free(&sql);
}

int subscribe_make(subscribe_state *state, pgconvoy_error *err)
{
    if ((!state->has_publication && make_publication(state, err)) || make_slot(state, err) ||
        make_at_target(state, err)) {
        pgconvoy_error unused;
        if (PQtransactionStatus(state->target) != PQTRANS_IDLE && pgc_execute(state->target, "ROLLBACK", &unused))
            PQreset(state->target);
        undo_at_source(state);
        return -1;
    }
    pgc_log_info(state->options->log, "%s subscription %s of %d tables (publication %s)",
                 state->options->dry_run ? "would make" : "made", state->name, PQntuples(state->tables),
                 state->publication);
    return 0;
}

/* ------------------------------------------------------------------ new tables */

int subscribe_refresh(subscribe_state *state, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 64 << 20);
    int count;
    pgc_buffer_text(&sql, "ALTER PUBLICATION ");
    pgc_quote_identifier(&sql, state->publication);
    pgc_buffer_text(&sql, " ADD");
    add_tables(state, true, &sql, &count);
    int failed = run(state, state->target, "BEGIN", NULL, "", err) || make_definitions(state, err) ||
                 run(state, state->target, "COMMIT", NULL, "", err);
    if (!failed && count)
        failed = run_text(state, state->source, &sql, err);
    pgc_buffer_reset(&sql);
    pgc_buffer_text(&sql, "ALTER SUBSCRIPTION ");
    pgc_quote_identifier(&sql, state->name);
    pgc_buffer_text(&sql, " REFRESH PUBLICATION");
    if (!failed)
        failed = run_text(state, state->target, &sql, err);
    if (!failed)
        pgc_log_info(state->options->log, "%d new tables join subscription %s", count, state->name);
    pgc_buffer_free(&sql);
    return failed ? -1 : 0;
}

/* ------------------------------------------------------------------ dropping */

int subscribe_alter(subscribe_state *state, const char *verb, const char *tail, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 4096);
    pgc_buffer_text(&sql, verb);
    pgc_quote_identifier(&sql, state->name);
    pgc_buffer_text(&sql, tail);
    int failed = run_text(state, state->target, &sql, err);
    pgc_buffer_free(&sql);
    return failed;
}

/* Dropped without its slot, which is the source's and may be out of reach of the target. */
static int drop_at_target(subscribe_state *state, pgconvoy_error *err)
{
    if (!state->has_subscription)
        return 0;
    return subscribe_alter(state, "ALTER SUBSCRIPTION ", " DISABLE", err) ||
                   subscribe_alter(state, "ALTER SUBSCRIPTION ", " SET (slot_name = NONE)", err) ||
                   subscribe_alter(state, "DROP SUBSCRIPTION ", "", err)
               ? -1
               : 0;
}

static int drop_at_source(subscribe_state *state, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 8192);
    pgc_buffer_text(&sql, "DO $drop$ BEGIN FOR i IN 1 .. 100 LOOP EXIT WHEN NOT EXISTS (SELECT FROM "
                          "pg_replication_slots WHERE slot_name = ");
    pgc_quote_literal(&sql, state->name);
    pgc_buffer_text(&sql, " AND active); PERFORM pg_sleep(0.1); END LOOP; PERFORM pg_drop_replication_slot(slot_name) "
                          "FROM pg_replication_slots WHERE slot_name = ");
    pgc_quote_literal(&sql, state->name);
    pgc_buffer_text(&sql, "; END $drop$");
    int failed = run_text(state, state->source, &sql, err);
    const char *values[] = {state->publication};
    PGresult *result =
        failed
            ? NULL
            : pgc_query_params(state->source,
                               "SELECT obj_description(oid, 'pg_publication') FROM pg_publication WHERE pubname = $1",
                               1, values, err);
    pgc_buffer_text(&sql, "DROP PUBLICATION ");
    pgc_quote_identifier(&sql, state->publication);
    if (!result)
        failed = -1;
    else if (PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), SUBSCRIBE_MARK) == 0)
        failed = run_text(state, state->source, &sql, err);
    PQclear(result);
    pgc_buffer_free(&sql);
    return failed;
}

int subscribe_drop(subscribe_state *state, pgconvoy_error *err)
{
    if (drop_at_target(state, err) || drop_at_source(state, err))
        return -1;
    pgc_log_info(state->options->log,
                 "subscription %s is dropped, with its slot and the publication that was made for it; the tables of "
                 "the target stay",
                 state->name);
    return 0;
}
