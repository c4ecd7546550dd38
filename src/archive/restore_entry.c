/* One entry of a restore: its definition, its data, and what follows from how they went. */
#include "archive/restore_internal.h"
#include "postgres/quote.h"

#include <stdlib.h>

/* What became of the table that the data are for. */
static restore_table table_of(const restore *restore, const pgc_entry *entry)
{
    int id = pgc_entry_is(entry, "TABLE DATA") && entry->dependency_count > 0 ? entry->dependencies[0] : 0;
    return id > 0 && id <= restore->max_id ? (restore_table)restore->tables[id] : RESTORE_TABLE_UNKNOWN;
}

/*
 * Rows of a partition that go through its root may end up in other partitions, so none may be emptied for them. An archive says so in the definition; older ones only by the name in COPY.
 */
static bool loads_through_root(const pgc_entry *entry)
{
    if (entry->create && strncmp(entry->create, "-- load via partition root ", 27) == 0)
        return true;
    if (!entry->copy || !entry->copy[0])
        return false;
    pgc_buffer begin;
    pgc_buffer_init(&begin, 1 << 12);
    pgc_buffer_text(&begin, "COPY ");
    pgc_quote_identifier_if_needed(&begin, entry->schema ? entry->schema : "", 0, false);
    pgc_buffer_byte(&begin, '.');
    pgc_quote_identifier_if_needed(&begin, entry->tag, 0, false);
    pgc_buffer_byte(&begin, ' ');
    bool other = begin.failed || strncmp(entry->copy, begin.data, begin.length) != 0;
    pgc_buffer_free(&begin);
    return other;
}

/* The script's text for an entry with data ends with COPY, which is not for here. */
static void cut_copy(pgc_buffer *text, const pgc_entry *entry)
{
    size_t length = entry->copy ? strlen(entry->copy) : 0;
    if (length == 0 || text->length < length || memcmp(text->data + text->length - length, entry->copy, length) != 0)
        return;
    text->length -= length;
    text->data[text->length] = '\0';
}

static int run_data(restore_session *session, const pgc_entry *entry, pgconvoy_error *err)
{
    restore_table table = table_of(session->restore, entry);
    bool truncate = session->truncates && table == RESTORE_TABLE_MADE && !loads_through_root(entry);
    if (restore_data(session, entry, truncate, err))
        return -1;
    pgc_buffer_reset(&session->text);
    if (pgc_script_after_data(session->script, entry, &session->text, err))
        return -1;
    return session->text.length ? restore_session_run_all(session, session->text.data, NULL, err) : 0;
}

static int run_entry(restore_session *session, const pgc_entry *entry, unsigned writes, pgconvoy_error *err)
{
    bool has_data = (writes & PGC_WRITES_DATA) && entry->has_data;
    if (has_data && table_of(session->restore, entry) == RESTORE_TABLE_FAILED && session->restore->script_options.no_data_for_failed_tables) {
        restore_say(session->restore, "table \"%s\" could not be created, will not restore its data", entry->tag);
        return 0;
    }
    pgc_buffer_reset(&session->text);
    if (pgc_script_entry(session->script, entry, &session->text, err))
        return -1;
    if (has_data)
        cut_copy(&session->text, entry);
    if (session->text.length && restore_session_run_all(session, session->text.data, entry->create, err))
        return -1;
    return has_data ? run_data(session, entry, err) : 0;
}

int restore_entry(restore_session *session, const pgc_entry *entry, pgconvoy_error *err)
{
    restore *restore = session->restore;
    unsigned writes = pgc_script_writes(restore->script, entry) & (PGC_WRITES_SCHEMA | PGC_WRITES_DATA);
    if (!writes)
        return 0;
    session->entry = entry;
    session->entry_errors = 0;
    if (run_entry(session, entry, writes, err))
        return -1;
    session->entry = NULL;
    atomic_fetch_add(&restore->entry_count, 1);
    if ((writes & PGC_WRITES_SCHEMA) && pgc_entry_is(entry, "TABLE"))
        restore->tables[entry->id] = session->entry_errors ? RESTORE_TABLE_FAILED : RESTORE_TABLE_MADE;
    if ((writes & PGC_WRITES_SCHEMA) && (pgc_entry_is(entry, "DATABASE") || pgc_entry_is(entry, "DATABASE PROPERTIES")))
        return restore_session_move(session, entry->tag, err);
    return 0;
}
