/*
 * What is finished, in the target itself: a row for each item, written in the transaction that does the item, so that neither a crash of ours nor one of the server can make the two differ. Away when all is done.
 *
 * Two advisory locks keep runs apart. One is held by the run itself: there can be one at a time. The other is shared by all its sessions on the target: an earlier run that was killed may have left some
 * that are still at work (a server notices that its client is gone only when it next writes to it), and they are ended before the state is read.
 */
#include "clone/clone_internal.h"

#include "base/clock.h"
#include "postgres/connection.h"
#include "postgres/quote.h"

#include <stdio.h>
#include <string.h>

#define RUN_LOCK     0x70676376 /* "pgcv" */
#define SESSION_LOCK 0x70676377
#define WAIT_MS      60000
#define LEFT_OUT     " left out" /* behind an item's key */
#define DEFINED      "DEFINED "  /* before a table's key: with what it was made by, so that one that was altered since is known */

static int32_t lock_number(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return (int32_t)hash;
}

static int ask_bool(PGconn *conn, const char *sql, bool *answer, pgconvoy_error *err)
{
    PGresult *result = pgc_query(conn, sql, err);
    if (!result)
        return -1;
    *answer = PQntuples(result) > 0 && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return 0;
}

static int wait_for_lock(pgc_clone *clone, const char *try, const char *before, int wait_ms, bool *locked, pgconvoy_error *err)
{
    int64_t until = pgc_clock_monotonic_us() + (int64_t)wait_ms * 1000;
    for (;;) {
        if (before && pgc_execute(clone->target, before, err))
            return -1;
        if (ask_bool(clone->target, try, locked, err))
            return -1;
        if (*locked || pgc_clock_monotonic_us() > until || atomic_load(&clone->stop))
            return 0;
        pgc_clock_sleep_ms(50);
    }
}

int clone_state_lock(pgc_clone *clone, pgconvoy_error *err)
{
    int32_t number = lock_number(clone->options->name);
    char sql[512], end[512];
    bool locked = false;
    snprintf(sql, sizeof sql, "SELECT pg_catalog.pg_try_advisory_lock(%d, %d)", RUN_LOCK, number);
    if (wait_for_lock(clone, sql, NULL, 5000, &locked, err))
        return -1;
    if (!locked) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "another run of the copy \"%s\" is at work on the target", clone->options->name);
        pgconvoy_error_hint(err, "wait for it, or stop it and run this command again");
        return -1;
    }
    snprintf(end, sizeof end,
             "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND classid = %d AND objid = %u AND objsubid = 2 AND granted "
             "AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AND pid <> pg_catalog.pg_backend_pid()",
             SESSION_LOCK, (uint32_t)number);
    snprintf(sql, sizeof sql, "SELECT pg_catalog.pg_try_advisory_lock(%d, %d)", SESSION_LOCK, number);
    if (wait_for_lock(clone, sql, end, WAIT_MS, &locked, err))
        return -1;
    if (!locked) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "sessions of an earlier run of the copy \"%s\" do not end", clone->options->name);
        pgconvoy_error_hint(err, "end them on the target with pg_terminate_backend(), and run this command again");
        return -1;
    }
    /* shared from now on, as by all sessions */
    snprintf(sql, sizeof sql, "SELECT pg_catalog.pg_advisory_unlock(%d, %d); SELECT pg_catalog.pg_advisory_lock_shared(%d, %d)", SESSION_LOCK, number, SESSION_LOCK, number);
    return pgc_execute(clone->target, sql, err);
}

int clone_state_join(const pgc_clone *clone, PGconn *target, pgconvoy_error *err)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT pg_catalog.pg_advisory_lock_shared(%d, %d)", SESSION_LOCK, lock_number(clone->options->name));
    return pgc_execute(target, sql, err);
}

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
        count += finished->slots[i] && strncmp(finished->slots[i], DEFINED, sizeof DEFINED - 1) != 0;
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
    if (ask_bool(clone->target, "SELECT pg_catalog.to_regclass('pgconvoy.copy_item') IS NOT NULL", &there, err))
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

static void append_truncates(const pgc_clone *clone, pgc_buffer *sql)
{
    int count = 0;
    if (clone->options->if_exists != PGCONVOY_IF_EXISTS_TRUNCATE)
        return;
    for (int i = 0; i < clone->entries.count; i++) {
        const pgc_entry *entry = clone->entries.items[i];
        if (strcmp(entry->description, "TABLE DATA") != 0 || !clone_is_present(clone, entry))
            continue;
        pgc_buffer_text(sql, count++ ? ", ONLY " : "TRUNCATE ONLY ");
        pgc_quote_qualified(sql, entry->schema, entry->tag);
    }
    if (count)
        pgc_buffer_byte(sql, ';');
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

/* FNV-1a, 64 bits. */
static void append_definition(const clone_item *item, pgc_buffer *key)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (const char *c = item->entry->create; c && *c; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    pgc_buffer_format(key, DEFINED "%016llx %s", (unsigned long long)hash, item->key);
}

/* Rows of another definition would go into the table as it was made. */
static int refuse_altered(const pgc_clone *clone, pgconvoy_error *err)
{
    pgc_buffer key;
    pgc_buffer_init(&key, 65536);
    int result = 0;
    for (int i = 0; i < clone->item_count && result == 0; i++) {
        const clone_item *item = &clone->items[i];
        if (!pgc_entry_is(item->entry, "TABLE") || !clone_names_have(&clone->finished_items, item->key))
            continue;
        pgc_buffer_reset(&key);
        append_definition(item, &key);
        result = pgc_buffer_check(&key, err);
        if (result != 0 || clone_names_have(&clone->finished_items, key.data))
            continue;
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "table %s.%s has another definition at the source than when the copy \"%s\" made it on the target", item->entry->schema, item->entry->tag,
                           clone->options->name);
        pgconvoy_error_hint(err, "begin again: on the target, DROP SCHEMA pgconvoy CASCADE and what the copy has made there");
        result = -1;
    }
    pgc_buffer_free(&key);
    return result;
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
        if (refuse_altered(clone, err))
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
    int result = clone_state_append_drops(clone, &sql, err);
    append_truncates(clone, &sql);
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
        append_definition(item, &key);
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
                         ask_bool(clone->target, "SELECT EXISTS (SELECT FROM pgconvoy.copy) OR EXISTS (SELECT FROM pgconvoy.copy_item)", &others, err)
                     ? -1
                     : 0;
    if (result == 0 && !others)
        result = pgc_execute(clone->target, "DROP TABLE pgconvoy.copy_item, pgconvoy.copy", err);
    /* a sync keeps its state in the same schema */
    if (result == 0 && !others)
        result = ask_bool(clone->target, "SELECT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND refobjid = "
                                         "(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pgconvoy'))",
                          &others, err);
    if (result == 0 && !others)
        result = pgc_execute(clone->target, "DROP SCHEMA pgconvoy", err);
    if (result == 0)
        result = pgc_execute(clone->target, "COMMIT", err);
    pgc_buffer_free(&sql);
    return result;
}

/* ------------------------------------------------------------------ again */

/* What was done by the earlier run's snapshot or plan and has to be done again. */
typedef struct again {
    pgc_clone *clone;
    bool all;
    bool silent;             /* triggers and foreign keys do not see what we write; else they go, and come again after the rows */
    pgc_buffer drops;
    pgc_buffer tables, keys; /* one command for all tables, since foreign keys between them may be there already */
} again;

static void append_key(again *again, const char *key)
{
    pgc_buffer_text(&again->keys, again->keys.length ? ", " : "");
    pgc_quote_literal(&again->keys, key);
}

static void do_again(again *again, clone_item *item)
{
    if (item->kind != CLONE_DEFINITION && item->table && item->table->is_ours && strcmp(item->entry->description, "TABLE DATA") == 0) {
        /* rows that went into the root may be in any of its partitions, which are all done again */
        pgc_buffer_text(&again->tables, again->tables.length ? ", " : "TRUNCATE ");
        pgc_buffer_text(&again->tables, item->table->through_root ? "" : "ONLY ");
        if (item->table->through_root)
            clone_map_append(again->clone, pgc_relation_load_target(true, item->table->relation), &again->tables);
        else
            pgc_quote_qualified(&again->tables, item->entry->schema, item->entry->tag);
    }
    append_key(again, item->key);
    if (item->kind == CLONE_ROWS && item->done)
        atomic_fetch_add(&item->table->parts_left, 1);
    item->done = false;
}

/* All that follows from rows. */
static bool is_of_rows(const clone_item *item)
{
    static const char *const descriptions[] = {"SEQUENCE SET", "ANALYZE", "MATERIALIZED VIEW DATA", NULL};
    return pgc_entry_is_one_of(item->entry, descriptions) || item->kind != CLONE_DEFINITION;
}

/* All partitions of a table that is streamed as one must be of one snapshot, too. */
static void tear(pgc_clone *clone, clone_table *table)
{
    table->is_torn |= table->parts > 1;
    const pgc_relation *relation = table->relation;
    for (int i = 0; i < clone->table_count && table->group >= 0 && relation->object.oid != clone->options->part->tables[table->group]->oid; i++)
        clone->tables[i].is_torn |= clone->tables[i].group == table->group;
}

/* What would see the rows that come again; with what hangs on it. */
static void take_away(again *again)
{
    static const char *const descriptions[] = {"FK CONSTRAINT", "FK VALIDATION", "TRIGGER", NULL};
    pgc_clone *clone = again->clone;
    for (int i = 0; i < clone->item_count; i++) {
        clone_item *item = &clone->items[i];
        bool goes = item->done && pgc_entry_is_one_of(item->entry, descriptions);
        bool hangs = item->done && pgc_entry_is(item->entry, "COMMENT");
        for (int n = 0; hangs && !goes && n < item->entry->dependency_count; n++) {
            const pgc_entry *needed = pgc_entries_find(&clone->entries, item->entry->dependencies[n]);
            goes = needed && pgc_entry_is_one_of(needed, descriptions);
        }
        if (!goes)
            continue;
        if (item->entry->drop && !hangs && !pgc_entry_is(item->entry, "FK VALIDATION"))
            pgc_buffer_text(&again->drops, item->entry->drop);
        append_key(again, item->key);
        item->done = false;
    }
}

/* Rows of a range are there, but the rest of the table is not, and comes from another snapshot or is cut otherwise: rows may have moved from one range to another. */
static int find_torn(again *again, pgconvoy_error *err)
{
    pgc_clone *clone = again->clone;
    clone_names planned = {0};
    int result = 0;
    for (int i = 0; i < clone->item_count && result == 0; i++) {
        const clone_item *item = &clone->items[i];
        result = clone_names_add(&planned, item->key, NULL, err);
        if (item->kind == CLONE_ROWS && !item->done && clone->other_snapshot)
            tear(clone, item->table);
    }
    for (size_t i = 0; i < clone->finished_items.capacity && result == 0; i++) {
        const char *key = clone->finished_items.slots[i];
        unsigned oid;
        if (!key || sscanf(key, "TABLE DATA PART %u", &oid) != 1 || clone_names_have(&planned, key))
            continue;
        append_key(again, key);
        for (int n = 0; n < clone->table_count; n++)
            if (clone->tables[n].relation->object.oid == oid)
                clone->tables[n].is_torn = true;
    }
    clone_names_free(&planned);
    return result;
}

static int run_again(again *again, pgconvoy_error *err)
{
    pgc_clone *clone = again->clone;
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)1 << 29);
    pgc_buffer_format(&sql, "BEGIN; %s", again->drops.length ? again->drops.data : "");
    pgc_buffer_format(&sql, "%s%s", again->tables.length ? again->tables.data : "", again->tables.length ? ";" : "");
    if (again->keys.length) {
        pgc_buffer_text(&sql, " DELETE FROM pgconvoy.copy_item WHERE name = ");
        pgc_quote_literal(&sql, clone->options->name);
        pgc_buffer_format(&sql, " AND item IN (%s);", again->keys.data);
    }
    if (again->all) {
        pgc_buffer_text(&sql, " UPDATE pgconvoy.copy SET snapshot = ");
        pgc_quote_literal(&sql, clone->snapshot);
        pgc_buffer_text(&sql, " WHERE name = ");
        pgc_quote_literal(&sql, clone->options->name);
        pgc_buffer_byte(&sql, ';');
    }
    pgc_buffer_text(&sql, " COMMIT");
    int result = pgc_buffer_check(&sql, err) || pgc_buffer_check(&again->keys, err) || pgc_buffer_check(&again->tables, err) || pgc_buffer_check(&again->drops, err) ? -1 : pgc_execute(clone->target, sql.data, err);
    pgc_buffer_free(&sql);
    return result;
}

int clone_state_redo(pgc_clone *clone, pgconvoy_error *err)
{
    if (!clone->resumes)
        return 0;
    again again = {.clone = clone, .all = clone->other_snapshot && clone->options->consistent};
    again.silent = strcmp(PQparameterStatus(clone->target, "is_superuser"), "on") == 0;
    pgc_buffer_init(&again.drops, (size_t)1 << 26);
    pgc_buffer_init(&again.tables, (size_t)1 << 28);
    pgc_buffer_init(&again.keys, (size_t)1 << 28);
    int result = find_torn(&again, err);
    for (int i = 0; i < clone->item_count && result == 0; i++) {
        clone_item *item = &clone->items[i];
        if ((again.all && item->done && is_of_rows(item)) || (item->kind != CLONE_DEFINITION && item->table && item->table->is_torn && item->table->is_ours))
            do_again(&again, item);
    }
    if (again.all && !again.silent && result == 0)
        take_away(&again);
    if ((again.all || again.keys.length) && result == 0)
        result = run_again(&again, err);
    pgc_buffer_free(&again.drops);
    pgc_buffer_free(&again.tables);
    pgc_buffer_free(&again.keys);
    return result;
}
