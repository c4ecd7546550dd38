/* --clean: the DROPs of what will be made, in reverse order, and their IF EXISTS. */
#include "archive/script_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define UNLINK "SELECT pg_catalog.lo_unlink('"
#define UNLINK_IF_EXISTS "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = '"

static void drop_large_objects(pgc_script *script, pgc_buffer *out, const pgc_entry *entry)
{
    if (script->options->if_exists)
        script_for_each_oid(script, out, entry, LITERAL(UNLINK_IF_EXISTS), LITERAL("';\n"));
    else
        script_for_each_oid(script, out, entry, LITERAL(UNLINK), LITERAL("');\n"));
}

/* "DROP TABLE x" as "DROP TABLE IF EXISTS x"; in ALTER TABLE … DROP CONSTRAINT both have it. */
static void add_if_exists(const pgc_script *script, pgc_buffer *out, const pgc_entry *entry)
{
    const script_kind *kind = script_kind_of(entry);
    static const char alter[] = "ALTER TABLE";
    const char *drop = entry->drop;
    if (strncmp(drop, alter, sizeof alter - 1) == 0) {
        pgc_buffer_text(out, "ALTER TABLE IF EXISTS");
        drop += sizeof alter - 1;
    }
    /* A view that is emptied rather than dropped, so that its rule can go, stays as it is. */
    if ((kind->traits & SCRIPT_NO_IF_EXISTS) || strncmp(drop, "CREATE OR REPLACE VIEW", 22) == 0) {
        pgc_buffer_text(out, drop);
        return;
    }
    char phrase[80];
    snprintf(phrase, sizeof phrase, "DROP %s", kind->traits & SCRIPT_CONSTRAINT ? "CONSTRAINT" : entry->description);
    const char *place = strstr(drop, phrase);
    if (!place) {
        script_warn(script, "could not find where to insert IF EXISTS in statement \"%s\"", entry->drop);
        pgc_buffer_text(out, drop);
        return;
    }
    const char *rest = place + strlen(phrase);
    pgc_buffer_append(out, drop, (size_t)(rest - drop));
    pgc_buffer_text(out, " IF EXISTS");
    pgc_buffer_text(out, rest);
}

static void add_drop(pgc_script *script, pgc_buffer *out, const pgc_entry *entry)
{
    const script_kind *kind = script_kind_of(entry);
    script_say(script, "dropping %s %s", entry->description, entry->tag);
    script_become_owner(script, out, entry);
    script_select_schema(script, out, entry->schema);
    if (strcmp(entry->description, "BLOB METADATA") == 0)
        drop_large_objects(script, out, entry);
    else if (!entry->drop[0])
        return;
    else if (!script->options->if_exists || strncmp(entry->drop, "--", 2) == 0)
        pgc_buffer_text(out, entry->drop);
    else if (kind->traits & SCRIPT_LARGE_OBJECT)
        pgc_buffer_format(out, UNLINK_IF_EXISTS "%u';\n", entry->oid);
    else
        add_if_exists(script, out, entry);
}

/* A database can only be dropped outside of one. */
static void add_drop_in_transaction(pgc_script *script, pgc_buffer *out, const pgc_entry *entry)
{
    if (!(script_kind_of(entry)->traits & SCRIPT_DATABASE)) {
        add_drop(script, out, entry);
        script_transaction_count(script, out, 1, "COMMIT;\nBEGIN;\n");
        return;
    }
    script_transaction_leave(script, out, "COMMIT;\n");
    add_drop(script, out, entry);
    script_transaction_leave(script, out, "BEGIN;\n");
    script->transaction_count = 0;
}

void script_drops(pgc_script *script, pgc_buffer *out)
{
    for (int i = script->entries->count - 1; i >= 0; i--) {
        const pgc_entry *entry = script->entries->items[i];
        /* With --create only the database goes: what is in it goes with it, and it is not even connected to. */
        if (script->options->create_database && !(script_kind_of(entry)->traits & SCRIPT_DATABASE))
            continue;
        if ((script->writes[entry->id] & (PGC_WRITES_SCHEMA | PGC_WRITES_DATA)) && entry->drop)
            add_drop_in_transaction(script, out, entry);
    }
    /* The schema that the path named may just have been dropped. */
    script->session.schema = NULL;
}
