/* One entry as SQL: the comment above it, its definition, its owner, and what stands around its data. */
#include "archive/script_internal.h"
#include "postgres/quote.h"

#include <stdlib.h>

static void add_comment(const pgc_script *script, pgc_buffer *out, const pgc_entry *entry, bool is_data)
{
    const pgc_script_options *options = script->options;
    pgc_buffer_text(out, "--\n");
    if (options->verbose) {
        pgc_buffer_format(out, "-- TOC entry %d (class %u OID %u)\n", entry->id, entry->class_oid, entry->oid);
        if (entry->dependency_count > 0) {
            pgc_buffer_text(out, "-- Dependencies:");
            for (int i = 0; i < entry->dependency_count; i++)
                pgc_buffer_format(out, " %d", entry->dependencies[i]);
            pgc_buffer_byte(out, '\n');
        }
    }
    bool is_statistics = (script_kind_of(entry)->traits & SCRIPT_STATISTICS) != 0;
    pgc_buffer_text(out, is_data ? "-- Data for Name: " : is_statistics ? "-- Statistics for Name: " : "-- Name: ");
    script_line(out, entry->tag, "");
    pgc_buffer_format(out, "; Type: %s; Schema: ", entry->description);
    script_line(out, entry->schema, "-");
    pgc_buffer_text(out, "; Owner: ");
    script_line(out, options->no_owner ? NULL : pgc_entry_shown_owner(entry), "-");
    if (entry->tablespace && entry->tablespace[0] && !options->no_tablespaces) {
        pgc_buffer_text(out, "; Tablespace: ");
        script_line(out, entry->tablespace, "");
    }
    pgc_buffer_byte(out, '\n');
    if (options->verbose) {
        if (script->head->format == PGC_ARCHIVE_CUSTOM)
            pgc_buffer_format(out, "-- Data Pos: %lld\n", (long long)(entry->has_data ? entry->position : 0));
        else if (entry->file_name)
            pgc_buffer_format(out, "-- File: %s\n", entry->file_name);
    }
    pgc_buffer_text(out, "--\n\n");
}

static bool is_comment(const char *sql)
{
    return sql && strncmp(sql, "--", 2) == 0;
}

static bool is_schema(const pgc_entry *entry)
{
    return strcmp(entry->description, "SCHEMA") == 0;
}

void script_for_each_oid(pgc_script *script, pgc_buffer *out, const pgc_entry *objects, const char *before, size_t before_length, const char *after, size_t after_length)
{
    for (const char *line = objects->create; line && *line;) {
        size_t length = strcspn(line, "\n");
        if (length > 0) {
            pgc_buffer_append(out, before, before_length);
            pgc_buffer_append(out, line, length);
            pgc_buffer_append(out, after, after_length);
            script_transaction_count(script, out, 1, SCRIPT_BETWEEN);
        }
        line += length + (line[length] == '\n');
    }
    pgc_buffer_byte(out, '\n');
}

/* The end of the command that begins here, behind its semicolon: only role names in it are quoted. */
static const char *end_of_command(const char *sql)
{
    bool quoted = false;
    for (; *sql && (*sql != ';' || quoted); sql++)
        quoted ^= *sql == '"';
    return sql + (*sql == ';');
}

/* Privileges that several large objects have in common (17): the commands name the first, and are written for each. */
static bool add_acl_of_large_objects(pgc_script *script, pgc_buffer *out, const pgc_entry *entry)
{
    static const char mark[] = "LARGE OBJECT ";
    if (!script_tag_begins(entry, "LARGE OBJECTS ") || entry->dependency_count == 0)
        return false;
    int id = entry->dependencies[0];
    const pgc_entry *objects = id > 0 && id <= script->max_id ? script->by_id[id] : NULL;
    if (!objects || strcmp(objects->description, "BLOB METADATA") != 0)
        return false;
    for (const char *command = entry->create, *end; *command; command = end + strspn(end, " \r\n")) {
        end = end_of_command(command);
        const char *at = strstr(command, mark);
        if (!at || at > end)
            return false;
        at += sizeof mark - 1;
        const char *rest = at + strspn(at, "0123456789");
        pgc_buffer tail;
        pgc_buffer_init(&tail, 1 << 20);
        pgc_buffer_append(&tail, rest, (size_t)(end - rest));
        pgc_buffer_byte(&tail, '\n');
        if (tail.failed)
            out->failed = true;
        else
            script_for_each_oid(script, out, objects, command, (size_t)(at - command), tail.data, tail.length);
        pgc_buffer_free(&tail);
    }
    pgc_buffer_byte(out, '\n');
    return true;
}

static void add_definition(pgc_script *script, pgc_buffer *out, const pgc_entry *entry)
{
    if (script->options->no_owner && is_schema(entry) && !is_comment(entry->create)) {
        /* Old archives have AUTHORIZATION in it. */
        pgc_buffer_text(out, "CREATE SCHEMA ");
        script_name(script, out, entry->tag);
        pgc_buffer_text(out, ";\n\n\n");
        return;
    }
    if (strcmp(entry->description, "BLOB METADATA") == 0)
        script_for_each_oid(script, out, entry, LITERAL("SELECT pg_catalog.lo_create('"), LITERAL("');\n"));
    else if (strcmp(entry->description, "ACL") == 0 && add_acl_of_large_objects(script, out, entry))
        return;
    else if (entry->create && entry->create[0]) {
        pgc_buffer_text(out, entry->create);
        pgc_buffer_text(out, "\n\n");
        script_transaction_add_commands(script, entry);
    }
}

/* What stands between ALTER and OWNER TO. */
static void add_owned_name(const pgc_script *script, pgc_buffer *out, const pgc_entry *entry, const script_kind *kind)
{
    if (kind->owner == SCRIPT_OWNER_BY_DROP) {
        const char *name = entry->drop + strlen("DROP ");
        size_t length = strlen(name);
        while (length > 0 && (name[length - 1] == '\n' || name[length - 1] == ';'))
            length--;
        pgc_buffer_append(out, name, length);
    } else if (kind->owner == SCRIPT_OWNER_LARGE_OBJECT) {
        pgc_buffer_format(out, "LARGE OBJECT %s", entry->tag);
    } else {
        pgc_buffer_format(out, "%s ", kind->traits & SCRIPT_AS_TABLE && script->major < 16 ? "TABLE" : entry->description);
        script_qualified(script, out, entry->schema, entry->tag);
    }
}

static void add_owner_to(const pgc_script *script, pgc_buffer *out, const pgc_entry *entry, const char *end)
{
    pgc_buffer_text(out, " OWNER TO ");
    script_name(script, out, entry->owner);
    pgc_buffer_text(out, end);
}

static void add_owner_of_large_objects(pgc_script *script, pgc_buffer *out, const pgc_entry *entry)
{
    pgc_buffer tail;
    pgc_buffer_init(&tail, 1 << 16);
    add_owner_to(script, &tail, entry, ";\n");
    if (tail.failed)
        out->failed = true;
    else
        script_for_each_oid(script, out, entry, LITERAL("ALTER LARGE OBJECT "), tail.data, tail.length);
    pgc_buffer_free(&tail);
}

static void add_owner(pgc_script *script, pgc_buffer *out, const pgc_entry *entry)
{
    const pgc_script_options *options = script->options;
    const script_kind *kind = script_kind_of(entry);
    /* Schema public is not made by the script, only given to its owner. */
    bool by_alter = !options->use_set_session_authorization || (is_schema(entry) && is_comment(entry->create));
    /* What has no DROP is no object that could be owned. */
    if (options->no_owner || !by_alter || !entry->owner[0] || !entry->drop || !entry->drop[0])
        return;
    switch (kind->owner) {
    case SCRIPT_OWNER_NONE:
        return;
    case SCRIPT_OWNER_UNKNOWN:
        script_warn(script, "don't know how to set owner for object type \"%s\"", entry->description);
        return;
    case SCRIPT_OWNER_LARGE_OBJECTS:
        add_owner_of_large_objects(script, out, entry);
        return;
    default:
        pgc_buffer_text(out, "ALTER ");
        add_owned_name(script, out, entry, kind);
        add_owner_to(script, out, entry, ";\n\n");
    }
}

/* A partitioned table takes no default_table_access_method; from 17 on it may have one for its partitions. */
static void add_access_method(const pgc_script *script, pgc_buffer *out, const pgc_entry *entry)
{
    if (entry->relation_kind != 'p' || !entry->access_method || script->options->no_table_access_method)
        return;
    pgc_buffer_text(out, "ALTER TABLE ");
    script_qualified(script, out, entry->schema, entry->tag);
    pgc_buffer_text(out, " SET ACCESS METHOD ");
    script_name(script, out, entry->access_method);
    pgc_buffer_text(out, ";\n\n");
}

static void add_object(pgc_script *script, pgc_buffer *out, const pgc_entry *entry, bool is_data)
{
    script_become_owner(script, out, entry);
    script_select_schema(script, out, entry->schema);
    script_select_tablespace(script, out, entry->tablespace);
    if (entry->relation_kind != 'p')
        script_select_access_method(script, out, entry->access_method);
    if (!script->options->for_server)
        add_comment(script, out, entry, is_data);
    add_definition(script, out, entry);
    add_access_method(script, out, entry);
    add_owner(script, out, entry);
    /* Its commands may have changed the session's user. */
    if (script_kind_of(entry)->traits & SCRIPT_ACL)
        script->session.user = NULL;
}

static void switch_triggers(pgc_script *script, pgc_buffer *out, const pgc_entry *entry, const char *what)
{
    if (!script->data_only || !script->options->disable_triggers)
        return;
    script_become(script, out, script->options->superuser);
    pgc_buffer_text(out, "ALTER TABLE ");
    script_qualified(script, out, entry->schema, entry->tag);
    pgc_buffer_format(out, " %s TRIGGER ALL;\n\n", what);
}

static bool is_large_objects_data(const pgc_entry *entry)
{
    return strcmp(entry->description, "BLOBS") == 0 || strcmp(entry->description, "BLOB COMMENTS") == 0;
}

static bool in_transaction(const pgc_script *script)
{
    return script->options->single_transaction || script->transaction_size > 0;
}

static void add_before_data(pgc_script *script, pgc_buffer *out, const pgc_entry *entry)
{
    add_object(script, out, entry, true);
    if (is_large_objects_data(entry)) {
        script_say(script, "processing %s", entry->description);
        script_select_schema(script, out, "pg_catalog");
        if (strcmp(entry->description, "BLOBS") == 0 && !in_transaction(script))
            pgc_buffer_text(out, "BEGIN;\n\n");
        return;
    }
    if (script->data_only && script->options->disable_triggers)
        script_say(script, "disabling triggers for %s", entry->tag);
    switch_triggers(script, out, entry, "DISABLE");
    script_become_owner(script, out, entry);
    script_select_schema(script, out, entry->schema);
    script_say(script, "processing data for table \"%s.%s\"", entry->schema ? entry->schema : "", entry->tag);
    if (entry->copy)
        pgc_buffer_text(out, entry->copy);
}

int pgc_script_entry(pgc_script *script, const pgc_entry *entry, pgc_buffer *out, pgconvoy_error *err)
{
    unsigned writes = script->writes[entry->id];
    bool is_database = (writes & PGC_WRITES_SCHEMA) && (script_kind_of(entry)->traits & SCRIPT_DATABASE);
    if (writes & PGC_WRITES_SCHEMA) {
        if (is_database)
            script_transaction_leave(script, out, "COMMIT;\n\n");
        if (entry->schema)
            script_say(script, "creating %s \"%s.%s\"", entry->description, entry->schema, entry->tag);
        else
            script_say(script, "creating %s \"%s\"", entry->description, entry->tag);
        add_object(script, out, entry, false);
        if (is_database && !script->options->for_server) {
            script_say(script, "connecting to new database \"%s\"", entry->tag);
            script_connect(script, out, entry->tag);
        }
    }
    if ((writes & PGC_WRITES_DATA) && entry->has_data)
        add_before_data(script, out, entry);
    else if ((writes & PGC_WRITES_DATA) && !(writes & PGC_WRITES_SCHEMA)) {
        script_say(script, "executing %s %s", entry->description, entry->tag);
        add_object(script, out, entry, false);
    }
    /* With data it is pgc_script_after_data that counts; of a database the next transaction begins with the session that is made there. */
    if (!((writes & PGC_WRITES_DATA) && entry->has_data) && !(is_database && script->options->for_server))
        script_transaction_count(script, out, 1, SCRIPT_BETWEEN);
    return pgc_buffer_check(out, err);
}

int pgc_script_after_data(pgc_script *script, const pgc_entry *entry, pgc_buffer *out, pgconvoy_error *err)
{
    if (strcmp(entry->description, "BLOBS") == 0) {
        if (!in_transaction(script))
            pgc_buffer_text(out, "COMMIT;\n\n");
    } else if (!is_large_objects_data(entry)) {
        if (script->data_only && script->options->disable_triggers)
            script_say(script, "enabling triggers for %s", entry->tag);
        switch_triggers(script, out, entry, "ENABLE");
    }
    script_transaction_count(script, out, 1, SCRIPT_BETWEEN);
    return pgc_buffer_check(out, err);
}

/* ------------------------------------------------------------------ large objects as SQL */

#define INV_WRITE 0x20000

void pgc_script_large_object_begin(const pgc_script *script, pgc_buffer *out, uint32_t oid)
{
    const pgc_archive_head *head = script->head;
    /* Before 1.12 there was no entry that makes the object. */
    bool make = head->major == 1 && head->minor < 12;
    if (make && script->options->clean)
        pgc_buffer_format(out, "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = '%u';\n", oid);
    pgc_buffer_format(out, make ? "SELECT pg_catalog.lo_open(pg_catalog.lo_create('%u'), %d);\n" : "SELECT pg_catalog.lo_open('%u', %d);\n", oid,
                      INV_WRITE);
}

void pgc_script_large_object_piece(const pgc_script *script, pgc_buffer *out, const char *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    pgc_buffer_text(out, script->standard_strings ? "SELECT pg_catalog.lowrite(0, '\\x" : "SELECT pg_catalog.lowrite(0, '\\\\x");
    if (pgc_buffer_reserve(out, 2 * length)) {
        char *at = out->data + out->length;
        for (size_t i = 0; i < length; i++) {
            *at++ = digits[(unsigned char)bytes[i] >> 4];
            *at++ = digits[bytes[i] & 15];
        }
        *at = '\0';
        out->length += 2 * length;
    }
    pgc_buffer_text(out, "');\n");
}

void pgc_script_large_object_end(const pgc_script *script, pgc_buffer *out)
{
    (void)script;
    pgc_buffer_text(out, "SELECT pg_catalog.lo_close(0);\n\n");
}
