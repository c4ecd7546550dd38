/*
 * A restore from beginning to end. With one session the entries come in their order, privileges and refreshes last. With several, the first session makes all that stands before the data, since little of that could
 * be made at the same time, and then leaves its place to the others.
 */
#include "archive/restore_internal.h"

#include <stdlib.h>

static int run_pass(restore_session *session, pgc_pass pass, pgconvoy_error *err)
{
    const pgc_entries *entries = session->restore->entries;
    for (int i = 0; i < entries->count; i++)
        if (pgc_entry_pass(entries->items[i]) == pass && restore_entry(session, entries->items[i], err))
            return -1;
    return 0;
}

static int run_one_by_one(restore_session *session, pgconvoy_error *err)
{
    for (pgc_pass pass = PGC_PASS_MAIN; pass <= PGC_PASS_POST_ACL; pass++)
        if (run_pass(session, pass, err))
            return -1;
    return 0;
}

/* What has no section goes with what it stands among, so that a comment on data waits for it. */
static int run_pre_data(restore_session *session, bool *done, pgconvoy_error *err)
{
    const pgc_entries *entries = session->restore->entries;
    bool skipped = false;
    for (int i = 0; i < entries->count; i++) {
        const pgc_entry *entry = entries->items[i];
        bool later = entry->section == PGC_SECTION_DATA || entry->section == PGC_SECTION_POST_DATA || (entry->section == PGC_SECTION_NONE && skipped);
        skipped = skipped || entry->section == PGC_SECTION_DATA || entry->section == PGC_SECTION_POST_DATA;
        if (later || pgc_entry_pass(entry) != PGC_PASS_MAIN)
            continue;
        restore_say(session->restore, "processing item %d %s %s", entry->id, entry->description, entry->tag);
        if (restore_entry(session, entry, err))
            return -1;
        done[i] = true;
    }
    return 0;
}

static int run_with_others(restore_session *session, pgconvoy_error *err)
{
    restore *restore = session->restore;
    bool *done = calloc((size_t)restore->entries->count + 1, sizeof *done);
    if (!done)
        return pgc_error_out_of_memory(err);
    pgc_archive_find_sizes(restore->reader);
    int result = run_pre_data(session, done, err);
    if (result == 0 && restore->script_options.transaction_size > 0)
        result = restore_session_run(session, "COMMIT", NULL, err);
    restore_session_close(session);
    if (result == 0)
        result = restore_together(restore, done, restore->script_options.jobs, err);
    free(done);
    return result;
}

/* The settings, and with --clean the drops. */
static int begin(restore_session *session, pgconvoy_error *err)
{
    const pgc_script_options *options = &session->restore->script_options;
    if (options->single_transaction && restore_session_run(session, "BEGIN", NULL, err))
        return -1;
    pgc_buffer_reset(&session->text);
    if (pgc_script_begin(session->script, &session->text, err))
        return -1;
    return restore_session_run_all(session, session->text.data, NULL, err);
}

static int make_script(restore *restore, const restore_session *first, pgconvoy_error *err)
{
    restore->script_options.server_major = PQserverVersion(first->conn) / 10000;
    restore->script = pgc_script_new(&restore->script_options, pgc_archive_read_head(restore->reader), restore->entries, err);
    for (int i = 0; i < restore->entries->count; i++)
        if (restore->entries->items[i]->id > restore->max_id)
            restore->max_id = restore->entries->items[i]->id;
    restore->tables = calloc((size_t)restore->max_id + 1, 1);
    return !restore->script ? -1 : restore->tables ? 0 : pgc_error_out_of_memory(err);
}

static int run(restore *restore, pgconvoy_error *err)
{
    restore_session first = {.restore = restore};
    restore_say(restore, "connecting to database for restore");
    int result = restore_session_open(&first, err);
    if (result == 0)
        result = make_script(restore, &first, err);
    first.script = restore->script;
    if (result == 0)
        result = begin(&first, err);
    if (result == 0)
        result = restore->script_options.jobs > 1 ? run_with_others(&first, err) : run_one_by_one(&first, err);
    const pgc_script_options *options = &restore->script_options;
    if (result == 0 && (options->single_transaction || (options->transaction_size > 0 && options->jobs <= 1)))
        result = restore_session_run(&first, "COMMIT", NULL, err);
    restore_session_close(&first);
    return result;
}

/* The script speaks in any session's thread. */
static void on_progress(void *arg, const char *what)
{
    restore_say(arg, "%s", what);
}

static void on_warning(void *arg, const char *text)
{
    restore *restore = arg;
    const pgc_script_options *options = restore->options->script;
    pthread_mutex_lock(&restore->lock);
    if (options->warning)
        options->warning(options->arg, text);
    pthread_mutex_unlock(&restore->lock);
}

static void forget(char *password)
{
    if (password)
        explicit_bzero(password, strlen(password));
    free(password);
}

int pgc_restore_run(pgc_archive_reader *reader, const pgc_restore_options *options, pgc_restore_totals *totals, pgconvoy_error *err)
{
    restore restore = {.options = options, .reader = reader, .entries = pgc_archive_read_entries(reader), .script_options = *options->script};
    if (restore.script_options.jobs > 1 && !pgc_archive_can_seek(reader)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "parallel restore is not supported with this archive file format");
        return -1;
    }
    restore.script_options.for_server = true;
    restore.script_options.progress = options->say ? on_progress : NULL;
    restore.script_options.warning = on_warning;
    restore.script_options.arg = &restore;
    pthread_mutex_init(&restore.lock, NULL);
    int result = run(&restore, err);
    if (totals)
        *totals = (pgc_restore_totals){restore.errors, restore.stopped, atomic_load(&restore.entry_count), atomic_load(&restore.bytes)};
    if (restore.stopped) { /* it was reported */
        pgc_error_clear(err);
        result = 0;
    }
    pgc_script_free(restore.script);
    free(restore.tables);
    forget(restore.password);
    pthread_mutex_destroy(&restore.lock);
    return result;
}
