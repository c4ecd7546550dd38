/* Verify as a story: both ends open, the stream between them found, then schema, sequences and rows compared. */
#include "inspect/verify/verify_internal.h"

#include "base/clock.h"
#include "source/postgres/names.h"

#include <stdlib.h>

pgc_verify *pgc_verify_new(const pgc_verify_options *options, pgconvoy_error *err)
{
    pgc_verify *verify = calloc(1, sizeof *verify);
    if (verify)
        verify->arena = pgc_arena_new(64 << 10);
    if (!verify || !verify->arena) {
        free(verify);
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    verify->options = options;
    verify_flow_init(&verify->flow);
    pthread_mutex_init(&verify->lock, NULL);
    return verify;
}

static void close_main(pgc_verify *verify)
{
    for (int side = 0; side < 2; side++) {
        pthread_mutex_lock(&verify->lock);
        PQfreeCancel(verify->cancel[side]);
        verify->cancel[side] = NULL;
        pthread_mutex_unlock(&verify->lock);
        PQfinish(verify->conn[side]);
        verify->conn[side] = NULL;
    }
}

void pgc_verify_free(pgc_verify *verify)
{
    if (!verify)
        return;
    close_main(verify);
    verify_flow_free(&verify->flow);
    verify_repair_close(verify);
    if (verify->state)
        fclose(verify->state);
    free(verify->state_path);
    free(verify->items);
    pgc_arena_free(verify->arena);
    pthread_mutex_destroy(&verify->lock);
    free(verify);
}

static void cancel(PGcancel *cancel)
{
    char message[256];
    if (cancel)
        (void)PQcancel(cancel, message, (int)sizeof message);
}

void pgc_verify_stop(pgc_verify *verify)
{
    atomic_store(&verify->stop, true);
    pthread_mutex_lock(&verify->lock);
    for (int side = 0; side < 2; side++) {
        cancel(verify->cancel[side]);
        for (int i = 0; i < verify->session_count; i++)
            cancel(verify->sessions[i].cancel[side]);
    }
    if (verify->copy)
        pgconvoy_pipeline_stop(verify->copy);
    pthread_mutex_unlock(&verify->lock);
}

/* ------------------------------------------------------------------ both ends */

/* Whether the two ends answer the same. */
static int same_answer(pgc_verify *verify, const char *sql, bool *same, pgconvoy_error *err)
{
    pgc_buffer answers[2];
    int status = 0;
    for (int side = 0; side < 2; side++) {
        pgc_buffer_init(&answers[side], 1 << 16);
        if (status == 0)
            status = pgc_query_text(verify->conn[side], sql, 0, NULL, &answers[side], err);
    }
    if (status == 0)
        *same = strcmp(answers[0].data, answers[1].data) == 0;
    pgc_buffer_free(&answers[0]);
    pgc_buffer_free(&answers[1]);
    return status;
}

static int open_end(pgc_verify *verify, int side, pgconvoy_error *err)
{
    verify->conn[side] = verify_connect(verify, side, err);
    if (!verify->conn[side])
        return -1;
    verify->version[side] = PQserverVersion(verify->conn[side]);
    pthread_mutex_lock(&verify->lock);
    verify->cancel[side] = PQgetCancel(verify->conn[side]);
    pthread_mutex_unlock(&verify->lock);
    return 0;
}

static int look_at_source(pgc_verify *verify, pgconvoy_error *err)
{
    pgc_buffer answer;
    pgc_buffer_init(&answer, 1 << 16);
    int status = pgc_query_text(verify->conn[VERIFY_SOURCE], "SELECT pg_catalog.pg_is_in_recovery()", 0, NULL, &answer, err);
    if (status == 0)
        verify->is_standby = answer.data[0] == 't';
    pgc_buffer_free(&answer);
    return status;
}

static int find_stream(pgc_verify *verify, pgconvoy_error *err)
{
    const pgc_verify_options *options = verify->options;
    char derived[64];
    pgc_slot_name_derive(options->name, derived);
    if (verify_flow_find(&verify->flow, verify->conn[VERIFY_SOURCE], verify->conn[VERIFY_TARGET],
                         options->slot ? options->slot : derived, options->publication ? options->publication : derived,
                         err))
        return -1;
    if (options->publication && !verify->flow.publications.length) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "publication %s is not at the source", options->publication);
        return -1;
    }
    if (verify->flow.slot_count)
        pgc_log_info(verify->options->log,
                     "changes flow through slot %s: what differs is looked at again once they have passed",
                     verify->flow.slots.data);
    return 0;
}

static int open_postgres(pgc_verify *verify, pgconvoy_error *err)
{
    bool same_hash = true, same_encoding = true;
    if (open_end(verify, VERIFY_SOURCE, err) || open_end(verify, VERIFY_TARGET, err) || look_at_source(verify, err) ||
        find_stream(verify, err))
        return -1;
    if (same_answer(verify, "SELECT hashtextextended('abcdefghijklm', 0)", &same_hash, err) ||
        same_answer(verify, "SELECT getdatabaseencoding()", &same_encoding, err))
        return -1;
    verify->by_md5 = !same_hash;
    verify->as_utf8 = !same_encoding;
    return 0;
}

/* ------------------------------------------------------------------ the story */

static int64_t count_differences(const pgc_verify *verify)
{
    int64_t count = verify->schema.count + verify->sequences.count;
    for (int i = 0; i < verify->table_count; i++) {
        const verify_table *table = &verify->tables[i];
        count += table->found[0] + table->found[1] + table->found[2] + (table->is_absent ? 1 : 0);
    }
    return count;
}

static int compare_rows(pgc_verify *verify, pgconvoy_error *err)
{
    if (verify_tables_read(verify, err) || verify_state_read(verify, err) || verify_items_make(verify, err) ||
        verify_work(verify, err))
        return -1;
    verify_state_end(verify);
    return 0;
}

static int compare(pgc_verify *verify, pgconvoy_error *err)
{
    const pgc_verify_options *options = verify->options;
    if (!pgc_connection_is_uri(options->target))
        return open_end(verify, VERIFY_SOURCE, err) || verify_analytic(verify, err) ? -1 : 0;
    if (open_postgres(verify, err) || verify_repair_begin(verify, err))
        return -1;
    if (!options->no_schema && !verify_compares_schema(verify))
        pgc_log_info(options->log, "names are others at the target: the schema is not compared");
    if (verify_compares_schema(verify) && verify_schema(verify, err))
        return -1;
    if (verify_large_objects(verify, err) || (!options->no_rows && compare_rows(verify, err)))
        return -1;
    if (!options->no_sequences && verify_sequences(verify, err))
        return -1;
    return verify_repair_end(verify, err);
}

int pgc_verify_run(pgc_verify *verify, int64_t *differences, pgconvoy_error *err)
{
    verify->begun_us = pgc_clock_monotonic_us();
    int status = compare(verify, err);
    if (status && atomic_load(&verify->stop))
        status = verify_stopped(verify, err);
    *differences = count_differences(verify);
    return status;
}
