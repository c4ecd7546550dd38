/* A script from its first line to its last: what stands around the entries, the passes over them, and their data in between. */
#include "archive/script_internal.h"

#include <stdlib.h>
#include <time.h>

/* One entry's text may be as large as a server's largest value. */
#define TEXT_MAX ((size_t)3 << 30)
#define WRITE_BYTES ((size_t)128 << 10)

/* The value of "SET name = 'value';". */
static const char *quoted_value(pgc_script *script, const char *sql)
{
    const char *begin = sql ? strchr(sql, '\'') : NULL;
    const char *end = begin ? strchr(begin + 1, '\'') : NULL;
    return end ? pgc_arena_strndup(script->arena, begin + 1, (size_t)(end - begin - 1)) : NULL;
}

static int take_special(pgc_script *script, const pgc_entry *entry, pgconvoy_error *err)
{
    const char *value = NULL;
    if (strcmp(entry->description, "SEARCHPATH") == 0) {
        script->search_path = entry->create;
        return 0;
    }
    bool is_encoding = strcmp(entry->description, "ENCODING") == 0;
    if (!is_encoding && strcmp(entry->description, "STDSTRINGS") != 0)
        return 0;
    value = quoted_value(script, entry->create);
    if (!value || (!is_encoding && strcmp(value, "on") != 0 && strcmp(value, "off") != 0)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "invalid %s item: %s", entry->description, entry->create ? entry->create : "");
        return -1;
    }
    if (is_encoding)
        script->encoding = value;
    else
        script->standard_strings = strcmp(value, "on") == 0;
    return 0;
}

static int index_entries(pgc_script *script, pgconvoy_error *err)
{
    const pgc_entries *entries = script->entries;
    for (int i = 0; i < entries->count; i++)
        if (entries->items[i]->id > script->max_id)
            script->max_id = entries->items[i]->id;
    script->by_id = pgc_arena_zalloc(script->arena, ((size_t)script->max_id + 1) * sizeof *script->by_id);
    script->writes = pgc_arena_zalloc(script->arena, (size_t)script->max_id + 1);
    if (!script->by_id || !script->writes)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < entries->count; i++) {
        pgc_entry *entry = entries->items[i];
        script->by_id[entry->id] = entry;
        if (take_special(script, entry, err) != 0)
            return -1;
        /* psql would take what follows a line end for a command. */
        if (script->options->create_database && !script->options->for_server && (script_kind_of(entry)->traits & SCRIPT_DATABASE) &&
            strpbrk(entry->tag, "\r\n")) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "database name contains a newline or carriage return: \"%s\"", entry->tag);
            return -1;
        }
    }
    return 0;
}

pgc_script *pgc_script_new(const pgc_script_options *options, const pgc_archive_head *head, pgc_entries *entries, pgconvoy_error *err)
{
    pgc_script *script = calloc(1, sizeof *script);
    pgc_arena *arena = pgc_arena_new(64 * 1024);
    if (!script || !arena) {
        pgc_arena_free(arena);
        free(script);
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    *script = (pgc_script){.options = options, .head = head, .entries = entries, .arena = arena, .standard_strings = true, .transaction_size = options->transaction_size};
    script->major = options->server_major ? options->server_major : head->server_version ? atoi(head->server_version) : 0;
    if (index_entries(script, err) == 0 && script_choose(script, err) == 0)
        return script;
    pgc_script_free(script);
    return NULL;
}

pgc_script *pgc_script_fork(const pgc_script *script, pgconvoy_error *err)
{
    pgc_script *fork = malloc(sizeof *fork);
    pgc_arena *arena = pgc_arena_new(16 * 1024);
    if (!fork || !arena) {
        pgc_arena_free(arena);
        free(fork);
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    *fork = *script;
    fork->original = script;
    fork->arena = arena;
    fork->transaction_size = 0; /* each command is to be seen at once by the other connections */
    script_forget_session(fork);
    return fork;
}

void pgc_script_free(pgc_script *script)
{
    if (!script)
        return;
    pgc_arena_free(script->arena);
    free(script);
}

unsigned pgc_script_writes(const pgc_script *script, const pgc_entry *entry)
{
    return script->writes[entry->id];
}

int pgc_script_begin(pgc_script *script, pgc_buffer *out, pgconvoy_error *err)
{
    const pgc_script_options *options = script->options;
    if (!options->for_server) {
        pgc_buffer_text(out, "--\n-- PostgreSQL database dump\n--\n\n");
        if (options->restrict_key)
            pgc_buffer_format(out, "\\restrict %s\n\n", options->restrict_key);
        if (script->head->server_version)
            pgc_buffer_format(out, "-- Dumped from database version %s\n", script->head->server_version);
        if (script->head->dump_version)
            pgc_buffer_format(out, "-- Dumped by pg_dump version %s\n", script->head->dump_version);
        pgc_buffer_byte(out, '\n');
        if (options->verbose)
            script_timestamp(out, "Started on", script->head->created);
        if (options->single_transaction)
            pgc_buffer_text(out, "BEGIN;\n\n");
    }
    script_fixed_settings(script, out);
    if (options->clean)
        script_drops(script, out);
    return pgc_buffer_check(out, err);
}

int pgc_script_end(pgc_script *script, pgc_buffer *out, pgconvoy_error *err)
{
    const pgc_script_options *options = script->options;
    if (!options->for_server) {
        if (options->single_transaction || options->transaction_size > 0)
            pgc_buffer_text(out, "COMMIT;\n\n");
        if (options->verbose)
            script_timestamp(out, "Completed on", (int64_t)time(NULL));
        pgc_buffer_text(out, "--\n-- PostgreSQL database dump complete\n--\n\n");
        if (options->restrict_key)
            pgc_buffer_format(out, "\\unrestrict %s\n\n", options->restrict_key);
    }
    return pgc_buffer_check(out, err);
}

/* ------------------------------------------------------------------ the whole script */

typedef struct script_writing {
    pgc_script *script;
    const pgc_script_run *run;
    pgc_buffer text;
    char piece[PGC_LARGE_OBJECT_PIECE]; /* of a large object */
    size_t piece_length;
    bool in_large_object;
    int large_objects;
} script_writing;

static int flush(script_writing *writing, pgconvoy_error *err)
{
    if (pgc_buffer_check(&writing->text, err) != 0)
        return -1;
    int result = writing->text.length > 0 ? writing->run->write(writing->run->arg, writing->text.data, writing->text.length, err) : 0;
    pgc_buffer_reset(&writing->text);
    return result;
}

static int flush_when_full(script_writing *writing, pgconvoy_error *err)
{
    return writing->text.length >= WRITE_BYTES ? flush(writing, err) : 0;
}

static int write_piece(script_writing *writing, pgconvoy_error *err)
{
    if (writing->piece_length > 0)
        pgc_script_large_object_piece(writing->script, &writing->text, writing->piece, writing->piece_length);
    writing->piece_length = 0;
    return flush_when_full(writing, err);
}

static int take_bytes(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    script_writing *writing = arg;
    if (!writing->in_large_object)
        return length > 0 ? writing->run->write(writing->run->arg, bytes, length, err) : 0;
    while (length > 0) {
        size_t room = sizeof writing->piece - writing->piece_length, part = length < room ? length : room;
        memcpy(writing->piece + writing->piece_length, bytes, part);
        writing->piece_length += part;
        bytes += part;
        length -= part;
        if (writing->piece_length == sizeof writing->piece && write_piece(writing, err) != 0)
            return -1;
    }
    return 0;
}

static int take_large_object(void *arg, uint32_t oid, pgconvoy_error *err)
{
    script_writing *writing = arg;
    if (oid != 0) {
        writing->large_objects++;
        if (writing->script->head->format != PGC_ARCHIVE_PLAIN)
            script_say(writing->script, "restoring large object with OID %u", oid);
        pgc_script_large_object_begin(writing->script, &writing->text, oid);
        writing->in_large_object = true;
        return 0;
    }
    if (write_piece(writing, err) != 0)
        return -1;
    pgc_script_large_object_end(writing->script, &writing->text);
    writing->in_large_object = false;
    return flush_when_full(writing, err);
}

static int write_data(script_writing *writing, const pgc_entry *entry, pgconvoy_error *err)
{
    const pgc_data_target target = {.write = take_bytes, .large_object = take_large_object, .arg = writing};
    if (flush(writing, err) != 0)
        return -1;
    if (writing->run->read_data && writing->run->read_data(writing->run->arg, entry, &target, err) != 0)
        return -1;
    if (writing->large_objects > 0 && writing->script->head->format != PGC_ARCHIVE_PLAIN)
        script_say(writing->script, writing->large_objects == 1 ? "restored %d large object" : "restored %d large objects", writing->large_objects);
    writing->large_objects = 0;
    return pgc_script_after_data(writing->script, entry, &writing->text, err);
}

static int write_entry(script_writing *writing, const pgc_entry *entry, pgconvoy_error *err)
{
    pgc_script *script = writing->script;
    if (pgc_script_entry(script, entry, &writing->text, err) != 0)
        return -1;
    if ((pgc_script_writes(script, entry) & PGC_WRITES_DATA) && entry->has_data && write_data(writing, entry, err) != 0)
        return -1;
    return flush_when_full(writing, err);
}

static int write_pass(script_writing *writing, pgc_pass pass, pgconvoy_error *err)
{
    const pgc_entries *entries = writing->script->entries;
    for (int i = 0; i < entries->count; i++) {
        const pgc_entry *entry = entries->items[i];
        unsigned writes = pgc_script_writes(writing->script, entry);
        if ((writes & (PGC_WRITES_SCHEMA | PGC_WRITES_DATA)) && pgc_entry_pass(entry) == pass && write_entry(writing, entry, err) != 0)
            return -1;
    }
    return 0;
}

int pgc_script_write(pgc_script *script, const pgc_script_run *run, pgconvoy_error *err)
{
    script_writing *writing = malloc(sizeof *writing);
    if (!writing)
        return pgc_error_out_of_memory(err);
    *writing = (script_writing){.script = script, .run = run};
    pgc_buffer_init(&writing->text, TEXT_MAX);
    int result = pgc_script_begin(script, &writing->text, err);
    if (result == 0)
        result = write_pass(writing, PGC_PASS_MAIN, err);
    if (result == 0 && script->has_acl_pass)
        result = write_pass(writing, PGC_PASS_ACL, err);
    if (result == 0 && script->has_post_acl_pass)
        result = write_pass(writing, PGC_PASS_POST_ACL, err);
    if (result == 0)
        result = pgc_script_end(script, &writing->text, err);
    if (result == 0)
        result = flush(writing, err);
    pgc_buffer_free(&writing->text);
    free(writing);
    return result;
}
