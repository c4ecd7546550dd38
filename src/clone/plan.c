/*
 * From the source's catalog to what is to be done. The entries are those of a dump; what is large gets more of them (keys.c, ranges of a table), so that the scheduler, which knows entries and what they need, can do
 * more of it at once.
 */
#include "clone/clone_internal.h"

#include "base/units.h"
#include "catalog/dependent.h"
#include "postgres/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ the catalog */

static int add_special(pgc_clone *clone, const char *description, const char *sql, pgconvoy_error *err)
{
    return clone_entry_add(clone, description, description, NULL, sql, NULL, 0) ? 0 : pgc_error_out_of_memory(err);
}

/* The settings that the script reads off entries. */
static int add_specials(pgc_clone *clone, pgconvoy_error *err)
{
    char encoding[128];
    snprintf(encoding, sizeof encoding, "SET client_encoding = '%s';\n", pgc_catalog_encoding(clone->catalog));
    if (add_special(clone, "ENCODING", encoding, err) || add_special(clone, "STDSTRINGS", "SET standard_conforming_strings = 'on';\n", err))
        return -1;
    return add_special(clone, "SEARCHPATH", "SELECT pg_catalog.set_config('search_path', '', false);\n", err);
}

static pgc_script_options script_options_of(const pgc_clone *clone)
{
    const pgc_dump_options *from = &clone->dump;
    return (pgc_script_options){
        .sections = PGC_SECTIONS_ALL,
        .no_owner = from->no_owner,
        .no_acl = from->no_acl,
        .no_comments = from->no_comments,
        .no_publications = from->no_publications,
        .no_security_labels = from->no_security_labels,
        .no_subscriptions = from->no_subscriptions,
        .no_tablespaces = from->no_tablespaces,
        .no_table_access_method = from->no_table_access_method,
        .no_policies = from->no_policies,
        .include_everything = pgc_options_include_everything(from),
        .server_major = clone->target_version / 10000,
        .for_server = true,
    };
}

static bool is_written(void *arg, const pgc_entry *entry)
{
    return !pgc_entry_is_ours(entry) && pgc_script_writes(((pgc_clone *)arg)->script, entry) != 0;
}

static void keep_written(pgc_clone *clone)
{
    int kept = 0;
    for (int i = 0; i < clone->entries.count; i++)
        if (is_written(clone, clone->entries.items[i]))
            clone->entries.items[kept++] = clone->entries.items[i];
    clone->entries.count = kept;
}

static int make_script(pgc_clone *clone, pgconvoy_error *err)
{
    pgc_script_free(clone->script);
    clone->script = pgc_script_new(&clone->script_options, &clone->head, &clone->entries, err);
    return clone->script ? 0 : -1;
}

int clone_plan_forget_roles(pgc_clone *clone, pgconvoy_error *err)
{
    clone->dump.no_owner = clone->dump.no_acl = true;
    clone->script_options = script_options_of(clone);
    if (make_script(clone, err))
        return -1;
    keep_written(clone);
    return make_script(clone, err);
}

static int take_snapshot(pgc_clone *clone, pgconvoy_error *err)
{
    char lsn[PGCONVOY_LSN_TEXT_SIZE];
    const char *text = clone->options->part ? pgconvoy_lsn_to_text(clone->options->part->lsn, lsn) : NULL;
    PGconn *conn = pgc_catalog_connection(clone->catalog);
    PGresult *result = pgc_query(conn, pgc_catalog_server_version(clone->catalog) >= 130000 ? "SELECT pg_catalog.pg_current_snapshot()::text || ' ' || d.oid || ' ' || d.datname FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()"
                                                                                              : "SELECT pg_catalog.txid_current_snapshot()::text || ' ' || d.oid || ' ' || d.datname FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()", err);
    if (!result)
        return -1;
    clone->snapshot = pgc_arena_strdup(clone->arena, text ? text : PQntuples(result) ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    if (!clone->snapshot)
        return pgc_error_out_of_memory(err);
    return pgc_catalog_share_snapshot(clone->catalog, err);
}

/* Another attempt to connect says whether a third may do: the source may be starting again. When it does, it was that, or what the catalog says of a server that it can reach. */
static bool source_heals(const pgc_clone *clone)
{
    pgconvoy_error why = {0};
    PGconn *conn = pgc_connect(clone->options->source, PGC_CONNECTION_SQL, "pgconvoy copy", &why);
    PQfinish(conn);
    return !conn ? why.retriable : clone->begun;
}

int clone_plan_read(pgc_clone *clone, pgconvoy_error *err)
{
    clone->catalog = pgc_catalog_open(&clone->dump, err);
    if (!clone->catalog) {
        bool was_there = clone->begun || clone->options->part; /* the source, in this run: what is refused now may be had again */
        pgconvoy_error_retriable(err, (was_there && err->retriable) || source_heals(clone));
        if (clone->options->part) /* whose snapshot a connection of the pipeline's holds */
            pgc_connection_snapshot_error(err);
        pgc_error_prefix(err, "cannot connect to the source");
        return -1;
    }
    /* A standby has no rows of unlogged tables. */
    clone->dump.no_unlogged_table_data |= pgc_catalog_is_standby(clone->catalog);
    if (take_snapshot(clone, err) || clone_part_read(clone, err) || pgc_catalog_read(clone->catalog, err) || clone_part_check(clone, err) || pgc_catalog_order(clone->catalog, err) || clone_map_catalog(clone, err) ||
        pgc_entries_init(&clone->entries, err))
        return -1;
    clone->has_entries = true;
    if (pgc_catalog_entries(clone->catalog, &clone->entries, err) || add_specials(clone, err))
        return -1;
    clone->head = (pgc_archive_head){.major = 1, .minor = 15, .database_name = pgc_catalog_database_name(clone->catalog),
                                     .server_version = pgc_catalog_server_version_text(clone->catalog)};
    clone->script_options = script_options_of(clone);
    if (make_script(clone, err))
        return -1;
    if (pgc_catalog_entry_dependencies(clone->catalog, &clone->entries, is_written, clone, err))
        return -1;
    keep_written(clone);
    if (clone_part_choose(clone, err) || clone_map_entries(clone, err) || clone_map_leave_out(clone, err) || clone_leave_out_all(clone, err))
        return -1;
    return make_script(clone, err);
}

/* ------------------------------------------------------------------ items */

static bool is_special(const pgc_entry *entry)
{
    return pgc_entry_is(entry, "ENCODING") || pgc_entry_is(entry, "STDSTRINGS") || pgc_entry_is(entry, "SEARCHPATH");
}

static clone_kind kind_of(const pgc_entry *entry)
{
    if (pgc_entry_is(entry, "BLOBS"))
        return CLONE_LARGE_OBJECTS;
    return entry->has_data && pgc_entry_is(entry, "TABLE DATA") ? CLONE_ROWS : CLONE_DEFINITION;
}

const char *clone_entry_key(pgc_clone *clone, const pgc_entry *entry, const char *suffix)
{
    uint32_t oid = entry->object ? entry->object->oid : entry->oid;
    size_t length = strlen(entry->description) + strlen(entry->tag) + (entry->schema ? strlen(entry->schema) : 0) + strlen(suffix) + 32;
    char *key = pgc_arena_alloc(clone->arena, length);
    if (key)
        snprintf(key, length, "%s %u %s.%s%s", entry->description, oid, entry->schema ? entry->schema : "", entry->tag, suffix);
    return key;
}

/* Ranges of a table as entries: they need the table only, and the entry of the table's data needs them, so that what waits for that waits for all. */
static int cut(pgc_clone *clone, pgc_entry *entry, clone_table *table, pgconvoy_error *err)
{
    int *needs = pgc_arena_alloc(clone->entries.arena, sizeof *needs * (size_t)(table->parts + entry->dependency_count));
    if (!needs)
        return pgc_error_out_of_memory(err);
    memcpy(needs, entry->dependencies, sizeof *needs * (size_t)entry->dependency_count);
    for (int part = 0; part < table->parts; part++) {
        pgc_entry *piece = clone_entry_add(clone, "TABLE DATA PART", entry->tag, entry->schema, NULL, entry->dependencies, entry->dependency_count);
        if (!piece)
            return pgc_error_out_of_memory(err);
        piece->object = entry->object;
        piece->section = PGC_SECTION_DATA;
        piece->copy = entry->copy;
        piece->data_size = table->bytes / table->parts;
        piece->position = part; /* read back in fill_item */
        needs[entry->dependency_count + part] = piece->id;
    }
    entry->dependencies = needs;
    entry->dependency_count += table->parts;
    return 0;
}

/* Nobody knows how large they are: among the first, so that they are not left for the end. */
#define LARGE_OBJECTS_BYTES ((int64_t)1 << 30)

/* With rows alone, foreign keys are in force while they come in: rows wait for those that they refer to. An archive's entries do not say so. */
static int wait_for_referenced(pgc_clone *clone, pgc_entry *entry, pgconvoy_error *err)
{
    for (int i = 0; clone->dump.data_only && i < entry->object->need_count; i++)
        if (clone_entry_depend(clone, entry, entry->object->needs[i]) != 0)
            return pgc_error_out_of_memory(err);
    return 0;
}

static int cut_tables(pgc_clone *clone, pgconvoy_error *err)
{
    for (int i = 0, count = clone->entries.count; i < count; i++) {
        pgc_entry *entry = clone->entries.items[i];
        if (kind_of(entry) == CLONE_LARGE_OBJECTS)
            entry->data_size = LARGE_OBJECTS_BYTES;
        if (kind_of(entry) != CLONE_ROWS)
            continue;
        clone_table *table = clone_tables_find(clone, ((const pgc_table_data *)entry->object)->relation);
        if (!table)
            continue;
        if (wait_for_referenced(clone, entry, err) != 0)
            return -1;
        entry->data_size = table->bytes;
        table->is_there = clone_is_present(clone, entry);
        table->is_ours = !table->is_there && !((const pgc_table_data *)entry->object)->filter && !table->relation->object.extension_member;
        table->through_root = entry->create && strncmp(entry->create, "-- load via partition root ", 27) == 0;
        table->parts = clone_tables_parts(clone, table);
        atomic_store(&table->parts_left, table->parts);
        if (table->parts > 1 && cut(clone, entry, table, err))
            return -1;
    }
    return 0;
}

static int fill_item(pgc_clone *clone, clone_item *item, pgc_entry *entry, pgconvoy_error *err)
{
    char suffix[96] = "";
    *item = (clone_item){.entry = entry, .kind = kind_of(entry), .first_block = -1, .end_block = -1, .bytes = entry->data_size};
    bool is_part = pgc_entry_is(entry, "TABLE DATA PART");
    if (item->kind == CLONE_ROWS || is_part) {
        clone_table *table = clone_tables_find(clone, ((const pgc_table_data *)entry->object)->relation);
        item->table = table;
        if (item->kind == CLONE_ROWS && table && table->parts > 1)
            item->kind = CLONE_JOIN;
        if (is_part) {
            int64_t part = entry->position;
            item->kind = CLONE_ROWS;
            item->first_block = part == 0 ? -1 : table->blocks * part / table->parts;
            item->end_block = part == table->parts - 1 ? -1 : table->blocks * (part + 1) / table->parts;
            snprintf(suffix, sizeof suffix, " %lld-%lld", (long long)item->first_block, (long long)item->end_block);
        }
    } else if (clone_entry_relation(entry)) {
        const clone_table *table = clone_tables_find(clone, clone_entry_relation(entry));
        item->bytes = table ? table->bytes : 0;
    }
    item->alone = item->kind == CLONE_LARGE_OBJECTS || pgc_entry_is(entry, "MATERIALIZED VIEW DATA") || (item->kind != CLONE_JOIN && item->bytes >= CLONE_LARGE_BYTES);
    item->key = clone_entry_key(clone, entry, suffix);
    return item->key ? 0 : pgc_error_out_of_memory(err);
}

/* Two keys that are the same would make one of them finished too early. */
static int make_keys_differ(pgc_clone *clone, pgconvoy_error *err)
{
    clone_names keys = {0};
    int result = 0;
    for (int i = 0; i < clone->item_count && result == 0; i++) {
        bool is_new = false;
        char suffix[32];
        for (int n = 1; !is_new && result == 0; n++) {
            result = clone_names_add(&keys, clone->items[i].key, &is_new, err);
            snprintf(suffix, sizeof suffix, " (%d)", n + 1);
            if (result == 0 && !is_new && !(clone->items[i].key = clone_entry_key(clone, clone->items[i].entry, suffix)))
                result = pgc_error_out_of_memory(err);
        }
    }
    clone_names_free(&keys);
    return result;
}

static void mark(pgc_clone *clone)
{
    pgc_section section = PGC_SECTION_PRE_DATA;
    for (int i = 0; i < clone->item_count; i++) {
        clone_item *item = &clone->items[i];
        if (item->entry->section != PGC_SECTION_NONE)
            section = item->entry->section;
        item->pre_data = section == PGC_SECTION_PRE_DATA && pgc_entry_pass(item->entry) == PGC_PASS_MAIN && item->kind == CLONE_DEFINITION;
        item->done = is_special(item->entry) || clone_is_left_out(item->entry) || clone_names_have(&clone->finished_items, item->key);
        item->later = !item->done && clone_part_is_mixed(clone) && clone_part_waits(item->entry);
        item->done |= item->later;
        if (item->done && item->kind == CLONE_ROWS && item->table)
            atomic_fetch_sub(&item->table->parts_left, 1);
    }
}

int clone_plan_make(pgc_clone *clone, pgconvoy_error *err)
{
    if (clone_extension_rows_first(clone, err) || cut_tables(clone, err) || clone_keys_split(clone, err) || make_script(clone, err))
        return -1;
    clone->item_count = clone->entries.count;
    clone->items = pgc_arena_zalloc(clone->arena, sizeof *clone->items * (size_t)(clone->item_count + 1));
    if (!clone->items)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < clone->item_count; i++)
        if (fill_item(clone, &clone->items[i], clone->entries.items[i], err))
            return -1;
    if (make_keys_differ(clone, err))
        return -1;
    mark(clone);
    return 0;
}

/* ------------------------------------------------------------------ --dry-run */

/* Measured where source and target were one machine with two cores: rows in and out, and an index over them. */
#define ROWS_BYTES_PER_S  ((double)(150 << 20))
#define BUILD_BYTES_PER_S ((double)(400 << 20))

static const char *say_item(const pgc_clone *clone, const clone_item *item, pgc_buffer *line)
{
    char size[PGC_UNITS_TEXT_SIZE];
    (void)clone;
    pgc_buffer_reset(line);
    pgc_buffer_format(line, "%-9s %s ", item->done ? "(done)" : item->pre_data ? "define" : item->kind == CLONE_DEFINITION ? "build" : "copy", item->entry->description);
    if (item->entry->schema)
        pgc_buffer_format(line, "%s.", item->entry->schema);
    pgc_buffer_text(line, item->entry->tag);
    if (item->kind == CLONE_ROWS) {
        pgc_buffer_format(line, ", %s, %s", pgc_size_to_text(item->bytes, size), item->table->text_types ? "as text" : "binary");
        if (item->table->parts > 1)
            pgc_buffer_format(line, ", blocks %lld to %lld of %lld", (long long)(item->first_block < 0 ? 0 : item->first_block),
                              (long long)(item->end_block < 0 ? item->table->blocks : item->end_block), (long long)item->table->blocks);
    }
    return line->data ? line->data : "";
}

int clone_plan_say(pgc_clone *clone, pgconvoy_error *err)
{
    pgc_buffer line;
    pgc_buffer_init(&line, 1 << 20);
    double seconds = 0;
    int64_t bytes = 0;
    int result = 0, count = 0;
    for (int pass = 0; pass < 5 && result == 0; pass++) /* definitions, rows, what is built on them, privileges, the end */
        for (int i = 0; i < clone->item_count && result == 0; i++) {
            const clone_item *item = &clone->items[i];
            if (is_special(item->entry) || item->kind == CLONE_JOIN)
                continue;
            pgc_pass of_entry = pgc_entry_pass(item->entry);
            int its = of_entry == PGC_PASS_ACL ? 3 : of_entry == PGC_PASS_POST_ACL ? 4 : item->pre_data ? 0 : item->kind == CLONE_DEFINITION ? 2 : 1;
            if (its != pass)
                continue;
            count++;
            if (item->kind == CLONE_ROWS) {
                bytes += item->bytes;
                seconds += (double)item->bytes / ROWS_BYTES_PER_S;
            } else if (!item->pre_data) {
                seconds += (double)item->bytes / BUILD_BYTES_PER_S;
            }
            if (clone->options->plan_line && clone->options->plan_line(clone->options->progress_arg, say_item(clone, item, &line))) {
                pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "the plan could not be written");
                result = -1;
            }
        }
    if (result == 0 && clone->options->plan_line) {
        char size[PGC_UNITS_TEXT_SIZE], time[PGC_UNITS_TEXT_SIZE];
        pgc_buffer_reset(&line);
        pgc_buffer_format(&line, "%d items, %s of tables, perhaps %s on one machine", count, pgc_size_to_text(bytes, size),
                          pgc_duration_to_text((int64_t)(seconds * 1e6 / (clone->options->jobs > 2 ? 2 : clone->options->jobs)), time));
        (void)clone->options->plan_line(clone->options->progress_arg, line.data ? line.data : "");
    }
    pgc_buffer_free(&line);
    return result;
}
