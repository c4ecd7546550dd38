/*
 * What stands in the way, found before anything is changed: objects of the same names on the target, extensions that its server lacks, roles (roles.c), an encoding that it cannot take. With --if-exists append or
 * truncate what is there stays as it is, and only rows are added.
 */
#include "clone/clone_internal.h"

#include "catalog/dependent.h"
#include "postgres/connection.h"
#include "postgres/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 5 /* of what is in the way */

/* ------------------------------------------------------------------ what the target has */

/* Which descriptions share one space of names, and the query for what is in it: schema ("" for none) and name as in an entry's tag. */
static const struct {
    const char *space;
    const char *descriptions[6];
    const char *query;
} spaces[] = {
    {"relation", {"TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE", "FOREIGN TABLE", NULL}, "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"},
    {"type", {"TYPE", "DOMAIN", NULL}, "SELECT n.nspname, t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typelem = 0"},
    {"function", {"FUNCTION", "PROCEDURE", "AGGREGATE", NULL}, "SELECT n.nspname, p.proname || '(' || oidvectortypes(p.proargtypes) || ')' FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"},
    {"collation", {"COLLATION", NULL}, "SELECT n.nspname, c.collname FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace"},
    {"conversion", {"CONVERSION", NULL}, "SELECT n.nspname, c.conname FROM pg_conversion c JOIN pg_namespace n ON n.oid = c.connamespace"},
    {"text search dictionary", {"TEXT SEARCH DICTIONARY", NULL}, "SELECT n.nspname, d.dictname FROM pg_ts_dict d JOIN pg_namespace n ON n.oid = d.dictnamespace"},
    {"text search configuration", {"TEXT SEARCH CONFIGURATION", NULL}, "SELECT n.nspname, c.cfgname FROM pg_ts_config c JOIN pg_namespace n ON n.oid = c.cfgnamespace"},
    {"schema", {"SCHEMA", NULL}, "SELECT '', nspname FROM pg_namespace n"},
    {"server", {"SERVER", NULL}, "SELECT '', srvname FROM pg_foreign_server"},
    {"foreign-data wrapper", {"FOREIGN DATA WRAPPER", NULL}, "SELECT '', fdwname FROM pg_foreign_data_wrapper"},
    {"publication", {"PUBLICATION", NULL}, "SELECT '', pubname FROM pg_publication"},
    {"event trigger", {"EVENT TRIGGER", NULL}, "SELECT '', evtname FROM pg_event_trigger"},
    {"language", {"PROCEDURAL LANGUAGE", NULL}, "SELECT '', lanname FROM pg_language"},
    {"extension", {"EXTENSION", NULL}, "SELECT '', extname FROM pg_extension"},
};

#define SPACE_COUNT (sizeof spaces / sizeof spaces[0])

static int read_present(pgc_clone *clone, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 16);
    for (size_t i = 0; i < SPACE_COUNT; i++) {
        bool in_schema = strstr(spaces[i].query, "n.nspname,") != NULL;
        pgc_buffer_format(&sql, "%sSELECT '%s ' || x.s || '.' || x.n FROM (%s) x (s, n)%s", i ? " UNION ALL " : "", spaces[i].space, spaces[i].query,
                          in_schema ? " WHERE x.s NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'pgconvoy')" : "");
    }
    PGresult *result = pgc_buffer_check(&sql, err) ? NULL : pgc_query(clone->target, sql.data, err);
    pgc_buffer_free(&sql);
    if (!result)
        return -1;
    int status = 0;
    for (int i = 0; i < PQntuples(result) && status == 0; i++) {
        const char *name = pgc_arena_strdup(clone->arena, PQgetvalue(result, i, 0));
        status = name ? clone_names_add(&clone->present, name, NULL, err) : pgc_error_out_of_memory(err);
    }
    PQclear(result);
    return status;
}

static const char *space_of(const char *description)
{
    for (size_t i = 0; i < SPACE_COUNT; i++)
        for (const char *const *d = spaces[i].descriptions; *d; d++)
            if (strcmp(*d, description) == 0)
                return spaces[i].space;
    return NULL;
}

static bool has(const pgc_clone *clone, const char *space, const char *schema, const char *name)
{
    char text[512];
    int length = snprintf(text, sizeof text, "%s %s.%s", space, schema ? schema : "", name);
    if (length < (int)sizeof text)
        return clone_names_have(&clone->present, text);
    char *longer = NULL;
    bool found = asprintf(&longer, "%s %s.%s", space, schema ? schema : "", name) > 0 && clone_names_have(&clone->present, longer);
    free(longer);
    return found;
}

/* It was made by this copy, in an earlier run. */
static bool is_made(const pgc_clone *clone, const pgc_entry *entry, const char *description)
{
    char *key = NULL;
    uint32_t oid = entry->object ? entry->object->oid : entry->oid;
    bool made = asprintf(&key, "%s %u %s.%s", description, oid, entry->schema ? entry->schema : "", entry->tag) > 0 && clone_names_have(&clone->finished_items, key);
    free(key);
    return made;
}

/* For rows: their table. */
bool clone_is_present(const pgc_clone *clone, const pgc_entry *entry)
{
    if (!clone->resumes && clone->options->if_exists == PGCONVOY_IF_EXISTS_DROP)
        return false;
    const char *description = pgc_entry_is(entry, "TABLE DATA") ? "TABLE" : entry->description, *space = space_of(description), *schema, *name;
    clone_map_final(clone, entry, &schema, &name);
    return space && has(clone, space, schema, name) && !(clone->resumes && is_made(clone, entry, description));
}

bool clone_has_relation(const pgc_clone *clone, const pgc_relation *relation)
{
    const char *schema, *name;
    if (!clone->resumes && clone->options->if_exists == PGCONVOY_IF_EXISTS_DROP)
        return false;
    pgc_mapping_target(clone->options->mapping, relation->object.schema->object.name, relation->object.name, &schema, &name);
    return has(clone, "relation", schema, name);
}

/* ------------------------------------------------------------------ the checks */

/* Schemas and extensions may be there: nothing of theirs is changed. */
static bool may_be_there(const pgc_entry *entry)
{
    return pgc_entry_is(entry, "SCHEMA") || pgc_entry_is(entry, "EXTENSION") || pgc_entry_is(entry, "PROCEDURAL LANGUAGE");
}

static int refuse_present(const pgc_clone *clone, pgconvoy_error *err)
{
    char names[700] = "";
    int count = 0;
    for (int i = 0; i < clone->entries.count; i++) {
        const pgc_entry *entry = clone->entries.items[i];
        if (may_be_there(entry) || entry->has_data || !clone_is_present(clone, entry))
            continue;
        const char *schema, *name;
        clone_map_final(clone, entry, &schema, &name);
        size_t length = strlen(names);
        if (count++ < SHOWN)
            snprintf(names + length, sizeof names - length, "%s%s %s%s%s", length ? ", " : "", space_of(entry->description), schema ? schema : "", schema ? "." : "", name);
    }
    if (count == 0)
        return 0;
    char more[32] = "";
    if (count > SHOWN)
        snprintf(more, sizeof more, " and %d more", count - SHOWN);
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the target has objects of the same names already: %s%s", names, more);
    pgconvoy_error_hint(err, "copy into an empty database, or say --if-exists append, truncate (rows into the tables that are there) or drop (away with them), or leave them out with -T and -N");
    return -1;
}

/* A table that gets another name has its own until the end. */
static int refuse_taken(const pgc_clone *clone, pgconvoy_error *err)
{
    for (int i = 0; i < clone->entries.count; i++) {
        const pgc_entry *entry = clone->entries.items[i];
        const pgc_relation *relation = clone_map_relation(entry);
        if (!relation || entry->object->kind != PGC_KIND_RELATION || !clone_map_renames(clone, relation) || clone_is_present(clone, entry) || !has(clone, "relation", entry->schema, entry->tag) ||
            (clone->resumes && is_made(clone, entry, entry->description)))
            continue;
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the target has a relation %s.%s, whose name a table that is to be renamed needs until the copy ends", entry->schema, entry->tag);
        pgconvoy_error_hint(err, "give its schema another name, too (--map-schema), or rename what is in the target for the time of the copy");
        return -1;
    }
    return 0;
}

static int refuse_for_rows(const char *schema, const char *name, const char *what, const char *hint, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the target's %s.%s %s", schema, name, what);
    pgconvoy_error_hint(err, "%s", hint);
    return -1;
}

/* 1: it has rows, 0: none, -1. */
static int has_rows(const pgc_clone *clone, const char *schema, const char *name, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 12);
    pgc_buffer_text(&sql, "SELECT 1 FROM ONLY ");
    pgc_quote_qualified(&sql, schema, name);
    pgc_buffer_text(&sql, " LIMIT 1");
    PGresult *result = pgc_buffer_check(&sql, err) ? NULL : pgc_query(clone->target, sql.data, err);
    pgc_buffer_free(&sql);
    int has = result ? PQntuples(result) > 0 : -1;
    PQclear(result);
    return has;
}

/* --data-only: rows into tables that are there, and, unless --if-exists says more, empty. */
static int check_tables_for_rows(const pgc_clone *clone, pgconvoy_error *err)
{
    for (int i = 0; i < clone->entries.count && clone->dump.data_only; i++) {
        const pgc_entry *entry = clone->entries.items[i];
        const char *schema, *name;
        if (!pgc_entry_is(entry, "TABLE DATA") && !pgc_entry_is(entry, "SEQUENCE SET"))
            continue;
        clone_map_final(clone, entry, &schema, &name);
        if (!has(clone, "relation", schema, name))
            return refuse_for_rows(schema, name, "is not there", "make it there, or copy without --data-only", err);
        if (clone->resumes || clone_entry_of_extension(entry) || pgc_entry_is(entry, "SEQUENCE SET") || clone->options->if_exists != PGCONVOY_IF_EXISTS_ERROR)
            continue;
        int rows = has_rows(clone, schema, name, err);
        if (rows)
            return rows < 0 ? -1 : refuse_for_rows(schema, name, "has rows already", "say --if-exists append or truncate, or leave it out with -T", err);
    }
    return 0;
}

static int check_extensions(pgc_clone *clone, pgconvoy_error *err)
{
    for (int i = 0; i < clone->entries.count; i++) {
        const pgc_entry *entry = clone->entries.items[i];
        if (!pgc_entry_is(entry, "EXTENSION") || clone_is_present(clone, entry))
            continue;
        const char *values[] = {entry->tag};
        PGresult *result = pgc_query_params(clone->target, "SELECT 1 FROM pg_catalog.pg_available_extensions WHERE name = $1", 1, values, err);
        if (!result)
            return -1;
        bool available = PQntuples(result) > 0;
        PQclear(result);
        if (available)
            continue;
        if (clone->options->skip_unavailable) {
            if (clone_leave_out(clone, entry, "the target's server does not have it", err))
                return -1;
            continue;
        }
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the target's server does not have the extension \"%s\"", entry->tag);
        pgconvoy_error_hint(err, "install it there (on Debian a package such as postgresql-%d-%s), leave it out with what needs it (--skip-unavailable), or drop it from the source if nothing uses it", clone->target_version / 10000, entry->tag);
        return -1;
    }
    return 0;
}

/* An extension or a schema that an administrator made has its comment, which only its owner may write. */
static int leave_comments_of_others(pgc_clone *clone, pgconvoy_error *err)
{
    static const char sql[] = "SELECT 1 FROM pg_catalog.pg_extension WHERE pg_catalog.format('EXTENSION %I', extname) = $1 AND NOT pg_catalog.pg_has_role(extowner, 'USAGE') "
                              "UNION ALL SELECT 1 FROM pg_catalog.pg_namespace WHERE pg_catalog.format('SCHEMA %I', nspname) = $1 AND NOT pg_catalog.pg_has_role(nspowner, 'USAGE')";
    for (int i = 0; i < clone->entries.count; i++) {
        const pgc_entry *entry = clone->entries.items[i];
        if (!pgc_entry_is(entry, "COMMENT") || (strncmp(entry->tag, "EXTENSION ", 10) != 0 && strncmp(entry->tag, "SCHEMA ", 7) != 0))
            continue;
        const char *values[] = {entry->tag};
        PGresult *result = pgc_query_params(clone->target, sql, 1, values, err);
        bool others = result && PQntuples(result) > 0;
        PQclear(result);
        if (!result || (others && clone_leave_out(clone, entry, "it is another role's", err)))
            return -1;
    }
    return 0;
}

/* A table of a stream that guards its rows from its owner, too: the rows of the copy would get in before that, and no change after it. */
static int check_guarded(const pgc_clone *clone, pgconvoy_error *err)
{
    const pgc_entry *guarded = NULL;
    for (int i = 0; i < clone->entries.count && clone->options->part && !guarded; i++) {
        const pgc_entry *entry = clone->entries.items[i];
        const pgc_relation *relation = pgc_entry_is(entry, "TABLE") ? (const pgc_relation *)entry->object : NULL;
        if (relation && relation->row_security && relation->force_row_security && !clone_is_present(clone, entry))
            guarded = entry;
    }
    bool passes = true;
    if (guarded && pgc_query_truth(clone->target, "SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user", 0, NULL, &passes, err) != 0)
        return -1;
    if (passes)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "row-level security of table %s.%s is forced on its owner, too: on the target it would meet what our role \"%s\" writes there", guarded->schema, guarded->tag, PQuser(clone->target));
    pgconvoy_error_hint(err, "on the target: ALTER ROLE … BYPASSRLS; or on the source: ALTER TABLE … NO FORCE ROW LEVEL SECURITY; or leave the table out with -T");
    return -1;
}

/* The target's server converts between the two encodings, or says that it cannot. */
static int check_encoding(const pgc_clone *clone, pgconvoy_error *err)
{
    const char *encoding = pgc_catalog_encoding(clone->catalog);
    if (PQsetClientEncoding(clone->target, encoding) == 0)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the target's encoding (%s) cannot take text of the source's (%s)", PQparameterStatus(clone->target, "server_encoding"), encoding);
    pgconvoy_error_hint(err, "make the target database with ENCODING '%s' TEMPLATE template0", encoding);
    return -1;
}

static void warn_of_version(const pgc_clone *clone)
{
    int source = pgc_catalog_server_version(clone->catalog) / 10000, target = clone->target_version / 10000;
    if (target < source)
        pgc_log_warning(clone->options->log, "the target's server (%d) is older than the source's (%d): what it does not know yet will be refused by name", target, source);
}

static int check_privilege(const pgc_clone *clone, pgconvoy_error *err)
{
    PGresult *result = pgc_query(clone->target, "SELECT has_database_privilege(current_database(), 'CREATE'), current_database(), current_user, pg_is_in_recovery()", err);
    if (!result)
        return -1;
    int status = 0;
    if (PQgetvalue(result, 0, 3)[0] == 't') {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the target is a standby, which cannot be written");
        pgconvoy_error_hint(err, "copy into its primary");
        status = -1;
    } else if (PQgetvalue(result, 0, 0)[0] != 't' && !clone->options->part) { /* of a part what it may not make is found by trying */
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "role \"%s\" may not create schemas in the target database \"%s\"", PQgetvalue(result, 0, 2), PQgetvalue(result, 0, 1));
        char database[PGC_QUOTED_NAME_SIZE], role[PGC_QUOTED_NAME_SIZE];
        pgconvoy_error_hint(err, "GRANT CREATE ON DATABASE %s TO %s", pgc_quoted_name(NULL, PQgetvalue(result, 0, 1), database), pgc_quoted_name(NULL, PQgetvalue(result, 0, 2), role));
        status = -1;
    }
    PQclear(result);
    return status;
}

int clone_check(pgc_clone *clone, pgconvoy_error *err)
{
    if (check_privilege(clone, err) || check_encoding(clone, err))
        return -1;
    if (read_present(clone, err))
        return -1;
    if (refuse_taken(clone, err))
        return -1;
    if (!clone->resumes) {
        warn_of_version(clone);
        if (clone->options->if_exists == PGCONVOY_IF_EXISTS_ERROR && !clone->options->part && refuse_present(clone, err))
            return -1;
    }
    if (check_tables_for_rows(clone, err) || check_guarded(clone, err))
        return -1;
    return check_extensions(clone, err) || leave_comments_of_others(clone, err) || clone_roles_check(clone, err) ? -1 : 0;
}

/* ------------------------------------------------------------------ leaving out */

/* What is there, by its object's id, and whether it is a relation, with which its indexes and the like are left out. */
typedef struct there {
    unsigned char *marks;
    int max_id;
} there;

static bool is_there(const there *there, int id)
{
    return id > 0 && id <= there->max_id && there->marks[id];
}

static bool hangs_on_there(const there *there, const pgc_entry *entry)
{
    static const char *const hanging[] = {"COMMENT", "ACL", "SECURITY LABEL", "SEQUENCE OWNED BY", "TABLE ATTACH", "INDEX ATTACH", NULL};
    const pgc_relation *relation = clone_entry_relation(entry);
    if (relation)
        return is_there(there, relation->object.id);
    for (const char *const *h = hanging; *h; h++)
        if (pgc_entry_is(entry, *h))
            return entry->dependency_count > 0 && is_there(there, entry->dependencies[0]);
    return false;
}

/* Rows come into tables whose foreign keys are in force: those that are referred to come first. */
static int order_by_foreign_key(pgc_clone *clone, const pgc_constraint *key, pgconvoy_error *err)
{
    const pgc_table_data *data = key->relation ? key->relation->data : NULL, *referenced = NULL;
    for (int i = 0; i < clone->entries.count && data && !referenced; i++) {
        const pgc_object *object = clone->entries.items[i]->object;
        if (object && object->kind == PGC_KIND_TABLE_DATA && object->oid == key->referenced)
            referenced = (const pgc_table_data *)object;
    }
    pgc_entry *entry = data && referenced && data != referenced ? pgc_entries_find(&clone->entries, data->object.id) : NULL;
    return entry && clone_entry_depend(clone, entry, referenced->object.id) ? pgc_error_out_of_memory(err) : 0;
}

int clone_leave_out_present(pgc_clone *clone, pgconvoy_error *err)
{
    pgc_entries *entries = &clone->entries;
    if (clone_map_present(clone, err))
        return -1;
    there there = {.max_id = entries->max_id};
    there.marks = pgc_arena_zalloc(clone->arena, (size_t)entries->max_id + 1);
    if (!there.marks)
        return pgc_error_out_of_memory(err);
    bool rows_only = clone->options->part || clone->options->if_exists == PGCONVOY_IF_EXISTS_APPEND || clone->options->if_exists == PGCONVOY_IF_EXISTS_TRUNCATE;
    for (int i = 0; i < entries->count; i++) {
        pgc_entry *entry = entries->items[i];
        bool is_behind = true;
        if (clone->options->part && clone_extension_sequence_is_behind(clone, entry, &is_behind, err))
            return -1;
        if (entry->has_data || (!rows_only && !may_be_there(entry)) || pgc_entry_is(entry, "EXTENSION") || pgc_entry_is(entry, "PROCEDURAL LANGUAGE") ||
            !(clone_is_present(clone, entry) || !is_behind || (rows_only && (hangs_on_there(&there, entry) || clone_map_brings_no_sequence(clone, entry)))))
            continue;
        there.marks[entry->id] = 1;
        entry->state = clone;
        if (pgc_entry_is(entry, "FK CONSTRAINT") && order_by_foreign_key(clone, (const pgc_constraint *)entry->object, err))
            return -1;
    }
    return 0;
}

bool clone_is_left_out(const pgc_entry *entry)
{
    return entry->state != NULL;
}
