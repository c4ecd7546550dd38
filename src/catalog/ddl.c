/* What all writers share: quoting with the server's own key words, scratch memory, and the making of entries. */
#include "catalog/ddl.h"

#include "catalog/read.h"
#include "postgres/quote.h"

#include <stdlib.h>

#define SQL_MAX ((size_t)1 << 30)
#define BUFFERS (int)(sizeof((pgc_ddl *)0)->buffers / sizeof *((pgc_ddl *)0)->buffers)

int pgc_ddl_init(pgc_ddl *ddl, pgc_catalog *catalog, pgc_entries *entries, pgconvoy_error *err)
{
    *ddl = (pgc_ddl){.catalog = catalog, .options = catalog->options, .version = catalog->version, .entries = entries, .err = err};
    ddl->scratch = pgc_arena_new(64 * 1024);
    return ddl->scratch ? 0 : pgc_error_out_of_memory(err);
}

void pgc_ddl_free(pgc_ddl *ddl)
{
    for (int i = 0; i < BUFFERS && ddl->buffers[i]; i++) {
        pgc_buffer_free(ddl->buffers[i]);
        free(ddl->buffers[i]);
    }
    pgc_arena_free(ddl->scratch);
}

void pgc_ddl_after_object(pgc_ddl *ddl)
{
    for (int i = 0; i < ddl->buffers_used; i++) {
        if (ddl->buffers[i]->failed)
            pgc_ddl_fail(ddl, "out of memory");
        pgc_buffer_reset(ddl->buffers[i]);
    }
    ddl->buffers_used = 0;
    pgc_arena_reset(ddl->scratch);
}

void pgc_ddl_fail(pgc_ddl *ddl, const char *format, ...)
{
    if (ddl->failed)
        return; /* the first reason is the one that counts */
    ddl->failed = true;
    char message[800];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    pgconvoy_error_set(ddl->err, PGCONVOY_ERROR_DATA, "%s", message);
}

pgc_buffer *pgc_ddl_buffer(pgc_ddl *ddl)
{
    /* one more than there is room for would be a defect of a writer; it gets the last one, and the dump fails */
    if (ddl->buffers_used == BUFFERS) {
        pgc_ddl_fail(ddl, "a definition needs more than %d buffers", BUFFERS);
        return ddl->buffers[BUFFERS - 1];
    }
    pgc_buffer **place = &ddl->buffers[ddl->buffers_used];
    if (!*place) {
        *place = malloc(sizeof **place);
        if (!*place)
            abort(); /* some ten bytes: nothing can be done any more */
        pgc_buffer_init(*place, SQL_MAX);
    }
    ddl->buffers_used++;
    return *place;
}

/* The buffer's text in the scratch arena; "" when memory is out, which makes the dump fail. */
static const char *keep(pgc_ddl *ddl, pgc_buffer *buffer)
{
    const char *text = buffer->failed ? NULL : pgc_arena_bytes(ddl->scratch, buffer->data ? buffer->data : "", buffer->length + 1);
    pgc_buffer_free(buffer);
    if (!text)
        pgc_ddl_fail(ddl, "out of memory");
    return text ? text : "";
}

const char *pgc_ddl_name(pgc_ddl *ddl, const char *name)
{
    pgc_buffer text;
    pgc_buffer_init(&text, SQL_MAX);
    pgc_quote_identifier_if_needed(&text, name, ddl->version, ddl->options->quote_all_identifiers);
    return keep(ddl, &text);
}

const char *pgc_ddl_qualified(pgc_ddl *ddl, const char *schema, const char *name)
{
    if (!schema || !schema[0])
        return pgc_ddl_name(ddl, name);
    pgc_buffer text;
    pgc_buffer_init(&text, SQL_MAX);
    pgc_quote_identifier_if_needed(&text, schema, ddl->version, ddl->options->quote_all_identifiers);
    pgc_buffer_byte(&text, '.');
    pgc_quote_identifier_if_needed(&text, name, ddl->version, ddl->options->quote_all_identifiers);
    return keep(ddl, &text);
}

const char *pgc_ddl_object_name(pgc_ddl *ddl, const pgc_object *object)
{
    return pgc_ddl_qualified(ddl, object->schema ? object->schema->object.name : NULL, object->name);
}

const char *pgc_ddl_literal(pgc_ddl *ddl, const char *text)
{
    pgc_buffer quoted;
    pgc_buffer_init(&quoted, SQL_MAX);
    pgc_quote_literal(&quoted, text);
    return keep(ddl, &quoted);
}

const char *pgc_ddl_format(pgc_ddl *ddl, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    const char *kept = length >= 0 ? pgc_arena_bytes(ddl->scratch, text, (size_t)length + 1) : NULL;
    if (length >= 0)
        free(text);
    if (!kept)
        pgc_ddl_fail(ddl, "out of memory");
    return kept ? kept : "";
}

void pgc_ddl_dollar_quoted(pgc_ddl *ddl, pgc_buffer *out, const char *text, const char *prefix)
{
    static const char more[] = "_XXXXXXX";
    pgc_buffer mark;
    pgc_buffer_init(&mark, SQL_MAX);
    pgc_buffer_byte(&mark, '$');
    pgc_buffer_text(&mark, prefix ? prefix : "");
    for (size_t i = 0; !mark.failed && strstr(text, mark.data); i++)
        pgc_buffer_byte(&mark, more[i % (sizeof more - 1)]);
    pgc_buffer_byte(&mark, '$');
    const char *delimiter = keep(ddl, &mark);
    pgc_buffer_text(out, delimiter);
    pgc_buffer_text(out, text);
    pgc_buffer_text(out, delimiter);
}

bool pgc_ddl_reloptions(pgc_ddl *ddl, pgc_buffer *out, const char *reloptions, const char *prefix)
{
    char **options;
    int count = pgc_parse_array(ddl->scratch, reloptions, &options);
    for (int i = 0; i < count; i++) {
        char *value = options[i] ? strchr(options[i], '=') : NULL;
        if (value)
            *value++ = '\0';
        pgc_buffer_format(out, "%s%s%s=", i ? ", " : "", prefix, pgc_ddl_name(ddl, options[i] ? options[i] : ""));
        /* as it is where it is a plain word, which is what CREATE TABLE … WITH takes without quotes */
        const char *text = value ? value : "";
        pgc_buffer_text(out, strcmp(pgc_ddl_name(ddl, text), text) == 0 ? text : pgc_ddl_literal(ddl, text));
    }
    return count >= 0;
}

/* ------------------------------------------------------------------ entries */

static const char *copied(pgc_ddl *ddl, const char *text)
{
    if (!text || !text[0])
        return text ? "" : NULL;
    const char *copy = pgc_arena_strdup(ddl->entries->arena, text);
    if (!copy)
        pgc_ddl_fail(ddl, "out of memory");
    return copy;
}

static int entry_id(pgc_ddl *ddl, const pgc_entry_spec *spec)
{
    int id = spec->id ? spec->id : spec->object ? spec->object->id : -1;
    return id > 0 ? id : ++ddl->entries->max_id;
}

static void copy_dependencies(pgc_ddl *ddl, pgc_entry *entry, const pgc_entry_spec *spec)
{
    if (spec->dependency_count == 0)
        return;
    size_t bytes = (size_t)spec->dependency_count * sizeof(int);
    entry->dependencies = pgc_arena_alloc(ddl->entries->arena, bytes);
    if (!entry->dependencies) {
        pgc_ddl_fail(ddl, "out of memory");
        return;
    }
    memcpy(entry->dependencies, spec->dependencies, bytes);
    entry->dependency_count = spec->dependency_count;
}

pgc_entry *pgc_ddl_entry(pgc_ddl *ddl, const pgc_entry_spec *spec)
{
    static pgc_entry nothing; /* what a writer may look at when memory is out; never written to */
    pgc_entry *entry = pgc_entries_add(ddl->entries);
    if (!entry) {
        pgc_ddl_fail(ddl, "out of memory");
        return &nothing;
    }
    const pgc_object *object = spec->object;
    const char *schema = spec->schema ? spec->schema : object && object->schema ? object->schema->object.name : NULL;
    const char *owner = spec->owner ? spec->owner : object && object->owner ? object->owner : "";
    entry->id = entry_id(ddl, spec);
    if (object && !spec->no_catalog_row) {
        entry->class_oid = object->class_oid;
        entry->oid = object->oid;
    }
    entry->tag = copied(ddl, spec->tag ? spec->tag : object ? object->name : "");
    entry->description = copied(ddl, spec->description);
    entry->schema = schema && schema[0] ? copied(ddl, schema) : NULL;
    entry->tablespace = copied(ddl, spec->tablespace);
    entry->access_method = copied(ddl, spec->access_method);
    entry->relation_kind = spec->relation_kind;
    entry->owner = copied(ddl, owner);
    entry->section = spec->section;
    entry->create = copied(ddl, spec->create);
    entry->drop = copied(ddl, spec->drop);
    entry->copy = copied(ddl, spec->copy);
    entry->has_data = spec->has_data;
    entry->object = object;
    entry->data_size = spec->data_size;
    copy_dependencies(ddl, entry, spec);
    return entry;
}
