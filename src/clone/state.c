/*
 * What is finished, in the target itself: a row for each item, written in the transaction that does the item, so that neither a crash of ours nor one of the server can make the two differ. Away when all is done.
 */
#include "clone/clone_internal.h"

#include "postgres/connection.h"
#include "postgres/quote.h"
#include "base/hash.h"

#include <stdio.h>
#include <string.h>

#define LEFT_OUT " left out" /* behind an item's key */

/* ------------------------------------------------------------------ reading */

static int read_items(pgc_clone *clone, pgconvoy_error *err)
{
    const char *values[] = {clone->options->name};
    PGresult *result = pgc_query_params(clone->target, "SELECT item FROM pgconvoy.copy_item WHERE name = $1", 1, values, err);
    int status = result ? 0 : -1;
    for (int i = 0; status == 0 && i < PQntuples(result); i++) {
        const char *key = pgc_arena_strdup(clone->arena, PQgetvalue(result, i, 0));
        status = key ? clone_names_add(&clone->finished_items, key, NULL, err) : pgc_error_out_of_memory(err);
    }
    PQclear(result);
    return status;
}

static size_t count_steps(const clone_names *finished)
{
    size_t count = 0;
    for (size_t i = 0; i < finished->capacity; i++)
        count += finished->slots[i] && strncmp(finished->slots[i], CLONE_DEFINED, sizeof CLONE_DEFINED - 1) != 0;
    return count;
}

static int compare_snapshots(pgc_clone *clone, const char *before)
{
    clone->other_snapshot = strcmp(before, clone->snapshot) != 0;
    pgc_log_info(clone->options->log, "going on with the copy \"%s\", of which %zu steps are done", clone->options->name, count_steps(&clone->finished_items));
    if (clone->other_snapshot && !clone->options->part)
        pgc_log_warning(clone->options->log, "the source may have changed since the copy began: the tables that are done are as of then, the others are as of now%s",
                        clone->options->consistent ? "; as --consistent asks, all rows are copied again" : " (--consistent copies all again)");
    return 0;
}

static void append_names(pgc_buffer *out, const char *option, const pgc_names *names)
{
    for (int i = 0; i < names->count; i++)
        pgc_buffer_format(out, "%s %s ", option, names->items[i]);
}

/* What was asked for, as text: a run that goes on must be asked for the same. */
static int describe_choice(const pgc_clone *clone, pgc_buffer *out, pgconvoy_error *err)
{
    const pgc_dump_options *dump = &clone->options->dump;
    const struct {
        bool given;
        const char *name;
    } flags[] = {{dump->no_owner, "-O"}, {dump->no_acl, "-x"}, {dump->schema_only, "-s"}, {dump->data_only, "-a"}, {dump->large_objects, "-b"}, {dump->no_large_objects, "-B"},
                 {dump->no_comments, "--no-comments"}, {dump->no_policies, "--no-policies"}, {dump->no_publications, "--no-publications"}, {dump->no_subscriptions, "--no-subscriptions"},
                 {dump->no_security_labels, "--no-security-labels"}, {dump->no_tablespaces, "--no-tablespaces"}, {dump->no_table_access_method, "--no-table-access-method"},
                 {dump->no_toast_compression, "--no-toast-compression"}, {dump->no_unlogged_table_data, "--no-unlogged-table-data"}, {clone->options->skip_unavailable, "--skip-unavailable"}};
    const struct {
        const pgc_names *names;
        const char *name;
    } lists[] = {{&dump->include_tables, "-t"}, {&dump->exclude_tables, "-T"}, {&dump->include_schemas, "-n"}, {&dump->exclude_schemas, "-N"}, {&dump->include_extensions, "-e"},
                 {&dump->exclude_extensions, "--exclude-extension"}, {&dump->include_tables_and_children, "--table-and-children"},
                 {&dump->exclude_tables_and_children, "--exclude-table-and-children"}, {&dump->exclude_table_data, "--exclude-table-data"},
                 {&dump->exclude_table_data_and_children, "--exclude-table-data-and-children"}};
    static const char *const if_exists[] = {"error", "append", "truncate", "drop"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        append_names(out, lists[i].name, lists[i].names);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        pgc_buffer_format(out, "%s%s", flags[i].given ? flags[i].name : "", flags[i].given ? " " : "");
    pgc_mapping_describe(clone->options->mapping, out);
    pgc_buffer_format(out, "--if-exists %s", if_exists[clone->options->if_exists]);
    return pgc_buffer_check(out, err);
}

static int compare_choices(const pgc_clone *clone, const char *before, pgconvoy_error *err)
{
    pgc_buffer now;
    pgc_buffer_init(&now, 1 << 20);
    int result = describe_choice(clone, &now, err);
    if (result == 0 && strcmp(now.data, before) != 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "the copy \"%s\" was begun with other options: %s", clone->options->name, before);
        pgconvoy_error_hint(err, "end it with the same options; or, to forget it, DROP SCHEMA pgconvoy CASCADE and what it has made in the target");
        result = -1;
    }
    pgc_buffer_free(&now);
    return result;
}

int clone_state_read(pgc_clone *clone, pgconvoy_error *err)
{
    bool there = false;
    if (pgc_query_truth(clone->target, "SELECT pg_catalog.to_regclass('pgconvoy.copy_item') IS NOT NULL", 0, NULL, &there, err))
        return -1;
    if (!there)
        return 0;
    const char *values[] = {clone->options->name};
    PGresult *result = pgc_query_params(clone->target, "SELECT snapshot, choice FROM pgconvoy.copy WHERE name = $1", 1, values, err);
    if (!result)
        return -1;
    clone->resumes = PQntuples(result) > 0;
    int status = 0;
    if (clone->resumes) {
        status = compare_choices(clone, PQgetvalue(result, 0, 1), err);
        if (status == 0)
            status = read_items(clone, err);
        if (status == 0)
            status = compare_snapshots(clone, PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    return status;
}

/* ------------------------------------------------------------------ writing */

static int append_truncates(const pgc_clone *clone, pgc_buffer *sql, pgconvoy_error *err)
{
    int count = 0;
    if (clone->options->if_exists != PGCONVOY_IF_EXISTS_TRUNCATE)
        return 0;
    for (int i = 0; i < clone->entries.count; i++) {
        const pgc_entry *entry = clone->entries.items[i];
        if (strcmp(entry->description, "TABLE DATA") != 0 || clone_extension_rows_are(entry) || !clone_is_present(clone, entry))
            continue;
        pgc_buffer_text(sql, count++ ? ", ONLY " : "TRUNCATE ONLY ");
        pgc_quote_qualified(sql, entry->schema, entry->tag);
    }
    if (count)
        pgc_buffer_byte(sql, ';');
    return clone_extension_rows_append_deletes(clone, sql, err);
}

/* What --if-exists drop takes away, as `restore --clean` would. */
int clone_state_append_drops(pgc_clone *clone, pgc_buffer *sql, pgconvoy_error *err)
{
    if (clone->options->if_exists != PGCONVOY_IF_EXISTS_DROP)
        return 0;
    pgc_script_options options = clone->script_options;
    options.clean = options.if_exists = true;
    pgc_script *script = pgc_script_new(&options, &clone->head, &clone->entries, err);
    int result = script ? pgc_script_begin(script, sql, err) : -1;
    pgc_script_free(script);
    return result;
}

/* Kept among the finished items, since neither is to be done. */
static int append_left_out(pgc_clone *clone, pgc_buffer *sql, pgconvoy_error *err)
{
    for (int i = 0; i < clone->left_out_count && clone->options->skip_unavailable; i++) {
        const char *key = clone_entry_key(clone, clone->left_out[i].entry, LEFT_OUT);
        if (!key)
            return pgc_error_out_of_memory(err);
        pgc_buffer_text(sql, i ? ",(" : "INSERT INTO pgconvoy.copy_item VALUES (");
        pgc_quote_literal(sql, clone->options->name);
        pgc_buffer_byte(sql, ',');
        pgc_quote_literal(sql, key);
        pgc_buffer_text(sql, i + 1 == clone->left_out_count ? ") ON CONFLICT DO NOTHING;" : ")");
    }
    return 0;
}

int clone_state_leave_out(pgc_clone *clone, pgconvoy_error *err)
{
    for (int i = 0; i < clone->entries.count && clone->resumes && clone->options->skip_unavailable; i++) {
        const char *key = clone_entry_key(clone, clone->entries.items[i], LEFT_OUT);
        if (!key)
            return pgc_error_out_of_memory(err);
        if (clone_names_have(&clone->finished_items, key) && clone_leave_out(clone, clone->entries.items[i], "left out when the copy began", err))
            return -1;
    }
    return clone_leave_out_all(clone, err);
}

void clone_state_append_definition(const clone_item *item, pgc_buffer *key)
{
    uint64_t hash = pgc_hash_text(PGC_HASH_START, item->entry->create);
    pgc_buffer_format(key, CLONE_DEFINED "%016llx %s", (unsigned long long)hash, item->key);
}

static void say_roles(const pgc_clone *clone)
{
    if (clone->role_sql)
        pgc_log_info(clone->options->log, "made %d role%s on the target", clone->role_count, clone->role_count == 1 ? "" : "s");
}

/* Of a part that goes on: tables may have come since. */
static int begin_part(pgc_clone *clone, pgconvoy_error *err)
{
    if (!clone->options->part)
        return 0;
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)1 << 28);
    pgc_buffer_text(&sql, "SET client_min_messages = warning; BEGIN;");
    int result = clone_part_append_begin(clone, &sql, err);
    pgc_buffer_text(&sql, "COMMIT");
    if (result == 0 && (result = pgc_buffer_check(&sql, err)) == 0)
        result = pgc_execute(clone->target, sql.data, err);
    pgc_buffer_free(&sql);
    return result;
}

int clone_state_begin(pgc_clone *clone, pgconvoy_error *err)
{
    if (clone->resumes) {
        if (clone_state_remake(clone, err))
            return -1;
        if (clone->role_sql && pgc_execute(clone->target, clone->role_sql, err))
            return -1;
        say_roles(clone);
        return begin_part(clone, err);
    }
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)1 << 30);
    pgc_buffer_text(&sql, "BEGIN;");
    if (clone->role_sql)
        pgc_buffer_text(&sql, clone->role_sql);
    int result = clone_state_append_drops(clone, &sql, err) || append_truncates(clone, &sql, err) ? -1 : 0;
    /* CREATE SCHEMA IF NOT EXISTS wants the right to make one, also where it is there */
    pgc_buffer_text(&sql, "SET client_min_messages = warning; DO $$ BEGIN IF pg_catalog.to_regnamespace('pgconvoy') IS NULL THEN CREATE SCHEMA pgconvoy; END IF; END $$;"
                          "CREATE TABLE IF NOT EXISTS pgconvoy.copy (name text PRIMARY KEY, snapshot text NOT NULL, choice text NOT NULL);"
                          "CREATE TABLE IF NOT EXISTS pgconvoy.copy_item (name text, item text, lsn pg_lsn, PRIMARY KEY (name, item));"
                          "INSERT INTO pgconvoy.copy VALUES (");
    pgc_quote_literal(&sql, clone->options->name);
    pgc_buffer_text(&sql, ", ");
    pgc_quote_literal(&sql, clone->snapshot);
    pgc_buffer_text(&sql, ", ");
    pgc_buffer choice;
    pgc_buffer_init(&choice, 1 << 20);
    if (result == 0 && (result = describe_choice(clone, &choice, err)) == 0)
        pgc_quote_literal(&sql, choice.data);
    pgc_buffer_free(&choice);
    pgc_buffer_text(&sql, ");");
    if (result == 0)
        result = append_left_out(clone, &sql, err);
    if (result == 0 && clone->options->part)
        result = clone_part_append_begin(clone, &sql, err);
    pgc_buffer_text(&sql, "COMMIT");
    if (result == 0)
        result = pgc_buffer_check(&sql, err);
    if (result == 0 && pgc_execute(clone->target, sql.data, err)) {
        pgc_error_prefix(err, "nothing was changed");
        result = -1;
    }
    if (result == 0)
        say_roles(clone);
    pgc_buffer_free(&sql);
    return result;
}

static void append_mark(const pgc_clone *clone, const char *joint, const char *key, pgc_buffer *sql)
{
    pgc_buffer_text(sql, joint);
    pgc_quote_literal(sql, clone->options->name);
    pgc_buffer_byte(sql, ',');
    pgc_quote_literal(sql, key);
    if (clone->options->part)
        pgc_buffer_format(sql, ",'%s')", clone->snapshot);
    else
        pgc_buffer_byte(sql, ')');
}

void clone_state_mark(const pgc_clone *clone, pgc_buffer *sql, const int *places, int count)
{
    for (int i = 0; i < count; i++) {
        const clone_item *item = &clone->items[places[i]];
        append_mark(clone, i ? ",(" : "INSERT INTO pgconvoy.copy_item VALUES (", item->key, sql);
        if (!pgc_entry_is(item->entry, "TABLE"))
            continue;
        pgc_buffer key;
        pgc_buffer_init(&key, 65536);
        clone_state_append_definition(item, &key);
        append_mark(clone, ",(", key.data ? key.data : "", sql);
        sql->failed |= key.failed;
        pgc_buffer_free(&key);
    }
    if (count)
        pgc_buffer_text(sql, ";\n");
}

int clone_state_end(pgc_clone *clone, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 26);
    pgc_buffer_text(&sql, "SET synchronous_commit = on; ");
    clone_map_rename(clone, &sql);
    int result = clone->options->part ? clone_part_append_end(clone, &sql, err) : 0;
    pgc_buffer_text(&sql, "DELETE FROM pgconvoy.copy_item WHERE name = ");
    pgc_quote_literal(&sql, clone->options->name);
    if (clone->options->part)
        clone_part_append_later(clone, &sql);
    pgc_buffer_text(&sql, "; DELETE FROM pgconvoy.copy WHERE name = ");
    pgc_quote_literal(&sql, clone->options->name);
    result = result ? result : pgc_buffer_check(&sql, err);
    bool others = false;
    if (result == 0)
        result = pgc_execute(clone->target, "BEGIN; LOCK TABLE pgconvoy.copy IN ACCESS EXCLUSIVE MODE", err) || pgc_execute(clone->target, sql.data, err) ||
                         pgc_query_truth(clone->target, "SELECT EXISTS (SELECT FROM pgconvoy.copy) OR EXISTS (SELECT FROM pgconvoy.copy_item)", 0, NULL, &others, err)
                     ? -1
                     : 0;
    if (result == 0 && !others)
        result = pgc_execute(clone->target, "DROP TABLE pgconvoy.copy_item, pgconvoy.copy", err);
    /* a sync keeps its state in the same schema */
    if (result == 0 && !others)
        result = pgc_query_truth(clone->target, "SELECT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND refobjid = "
                                         "(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pgconvoy'))", 0, NULL, &others, err);
    if (result == 0 && !others)
        result = pgc_execute(clone->target, "DROP SCHEMA pgconvoy", err);
    if (result == 0)
        result = pgc_execute(clone->target, "COMMIT", err);
    pgc_buffer_free(&sql);
    return result;
}
