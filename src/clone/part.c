/*
 * A copy that is the beginning of a stream: which tables belong to it (partitions come with the table that they are of,
 * ancestors without rows), and which of the catalog's entries: what hangs on those tables, and what all that needs. The
 * catalog is read whole, but for other tables, since what a table needs (types, functions, extensions) is known only by
 * its dependencies.
 */
#include "clone/clone_internal.h"

#include "catalog/dependent.h"
#include "postgres/connection.h"
#include "postgres/quote.h"
#include "sink/postgres/state_sql.h"

#include <stdlib.h>
#include <string.h>

/* Foreign partitions are left to those who can reach their servers. */
static const char tables_query[] =
    "WITH RECURSIVE down (oid, root) AS (SELECT t.oid, t.oid FROM pg_catalog.unnest($1::pg_catalog.oid[]) t (oid) "
    "UNION "
    "SELECT c.oid, d.root FROM down d JOIN pg_catalog.pg_class p ON p.oid = d.oid AND p.relkind = 'p' JOIN "
    "pg_catalog.pg_inherits i ON i.inhparent = d.oid "
    "JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relkind IN ('r', 'p')), "
    "up (oid) AS (SELECT t.oid FROM pg_catalog.unnest($1::pg_catalog.oid[]) t (oid) UNION SELECT i.inhparent FROM up "
    "JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.oid) "
    "SELECT coalesce(d.oid, u.oid) AS oid, d.root FROM down d FULL JOIN up u USING (oid) ORDER BY 1";

/* ------------------------------------------------------------------ tables */

static int group_of(const pgc_clone_part *part, uint32_t oid)
{
    for (int i = 0; i < part->table_count; i++)
        if (part->tables[i]->oid == oid)
            return i;
    return -1;
}

static int take_tables(pgc_clone *clone, const PGresult *result, pgconvoy_error *err)
{
    int count = PQntuples(result);
    clone->part_oids = pgc_arena_alloc(clone->arena, sizeof *clone->part_oids * (size_t)(count + 1));
    clone->part_groups = pgc_arena_alloc(clone->arena, sizeof *clone->part_groups * (size_t)(count + 1));
    if (!clone->part_oids || !clone->part_groups)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < count; i++) {
        uint32_t oid = (uint32_t)strtoul(PQgetvalue(result, i, 0), NULL, 10),
                 root = (uint32_t)strtoul(PQgetvalue(result, i, 1), NULL, 10);
        if (clone->part_count > 0 && clone->part_oids[clone->part_count - 1] == oid)
            continue;
        clone->part_oids[clone->part_count] = oid;
        clone->part_groups[clone->part_count++] = root ? group_of(clone->options->part, root) : -1;
    }
    clone->dump.only_tables = clone->part_oids;
    clone->dump.only_table_count = clone->part_count;
    return 0;
}

int clone_part_read(pgc_clone *clone, pgconvoy_error *err)
{
    const pgc_clone_part *part = clone->options->part;
    if (!part)
        return 0;
    pgc_buffer oids;
    pgc_buffer_init(&oids, (size_t)part->table_count * 12 + 16);
    for (int i = 0; i < part->table_count; i++)
        pgc_array_add_oid(&oids, part->tables[i]->oid);
    pgc_array_end(&oids);
    const char *values[] = {oids.data};
    PGresult *result = pgc_buffer_check(&oids, err)
                           ? NULL
                           : pgc_query_params(pgc_catalog_connection(clone->catalog), tables_query, 1, values, err);
    pgc_buffer_free(&oids);
    int status = result ? take_tables(clone, result, err) : -1;
    PQclear(result);
    return status;
}

/* The place among part_oids; -1: none. */
static int find(const pgc_clone *clone, uint32_t oid)
{
    int low = 0, high = clone->part_count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (clone->part_oids[middle] < oid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < clone->part_count && clone->part_oids[low] == oid ? low : -1;
}

int clone_part_group(const pgc_clone *clone, const pgc_relation *relation)
{
    int place = find(clone, relation->object.oid);
    return place < 0 ? -1 : clone->part_groups[place];
}

bool clone_part_is_mixed(const pgc_clone *clone)
{
    return clone->options->part && clone->resumes && clone->other_snapshot;
}

bool clone_part_waits(const pgc_entry *entry)
{
    return pgc_entry_is(entry, "FK VALIDATION") ||
           (pgc_entry_is(entry, "FK CONSTRAINT") && !strstr(entry->create, " NOT VALID;\n"));
}

/* What the pipeline knows of the columns against what they are in the snapshot. */
static bool has_columns(const pgc_relation *relation, const pgconvoy_table *table, const pgc_mapped_table *mapped)
{
    int known = 0, there = 0;
    for (int i = 0; i < table->column_count; i++) {
        const pgconvoy_column *column = &table->columns[i];
        known += !column->generated;
        if (column->number == 0)
            continue;
        const pgc_column *now = column->number <= relation->column_count ? &relation->columns[column->number - 1] : NULL;
        if (!now || now->dropped || now->type_oid != column->type->oid || now->type_modifier != column->typmod || strcmp(now->name, column->name) != 0)
            return false;
    }
    for (int i = 0; i < relation->column_count; i++)
        there += !relation->columns[i].dropped && !relation->columns[i].generated;
    return known == there || (mapped && mapped->column_count > 0); /* those that are wanted are there */
}

static int is_another(const pgconvoy_table *table, const char *how, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "table %s.%s was %s since it was looked at for the copy", table->schema, table->name, how);
    pgconvoy_error_hint(err, "run the same command again");
    pgconvoy_error_retriable(err, true);
    return -1;
}

int clone_part_check(const pgc_clone *clone, pgconvoy_error *err)
{
    const pgc_clone_part *part = clone->options->part;
    int count, status = 0;
    pgc_relation *const *relations = pgc_catalog_relations(clone->catalog, &count);
    bool *found = part ? calloc((size_t)part->table_count + 1, sizeof *found) : NULL;
    if (!part || !found)
        return part ? pgc_error_out_of_memory(err) : 0;
    for (int i = 0; i < count && status == 0; i++) {
        int group = clone_part_group(clone, relations[i]);
        const pgconvoy_table *table = group < 0 ? NULL : part->tables[group];
        if (!table || table->oid != relations[i]->object.oid)
            continue;
        found[group] = true;
        if (strcmp(table->schema, relations[i]->object.schema->object.name) != 0 || strcmp(table->name, relations[i]->object.name) != 0)
            status = is_another(table, "renamed", err);
        else if (!has_columns(relations[i], table, pgc_mapping_table(clone->options->mapping, table->schema, table->name)))
            status = is_another(table, "altered", err);
    }
    for (int i = 0; i < part->table_count && status == 0; i++)
        if (!found[i])
            status = is_another(part->tables[i], "dropped", err);
    free(found);
    return status;
}

/* ------------------------------------------------------------------ entries */

typedef struct choice {
    pgc_clone *clone;
    pgc_entry **by_id;
    unsigned char *kept; /* by id */
    int *pending, pending_count;
    bool more;
} choice;

static bool is_kept(const choice *choice, const pgc_entry *entry)
{
    return choice->kept[entry->id];
}

/* With all that it needs. */
static void keep(choice *choice, pgc_entry *entry)
{
    if (is_kept(choice, entry))
        return;
    choice->kept[entry->id] = 1;
    choice->more = true;
    choice->pending[choice->pending_count++] = entry->id;
    while (choice->pending_count > 0) {
        const pgc_entry *next = choice->by_id[choice->pending[--choice->pending_count]];
        for (int i = 0; i < next->dependency_count; i++) {
            int id = next->dependencies[i];
            if (id <= 0 || id > choice->clone->entries.max_id || !choice->by_id[id] || choice->kept[id])
                continue;
            choice->kept[id] = 1;
            choice->pending[choice->pending_count++] = id;
        }
    }
}

static bool needs_are_kept(const choice *choice, const pgc_entry *entry)
{
    for (int i = 0; i < entry->dependency_count; i++) {
        int id = entry->dependencies[i];
        if (id > 0 && id <= choice->clone->entries.max_id && choice->by_id[id] && !choice->kept[id])
            return false;
    }
    return entry->dependency_count > 0;
}

/* A table, or a sequence that a column of one owns. */
static bool is_first(const pgc_clone *clone, const pgc_entry *entry)
{
    static const char *const specials[] = {"ENCODING", "STDSTRINGS", "SEARCHPATH", NULL};
    const pgc_object *object = entry->object;
    if (pgc_entry_is_one_of(entry, specials))
        return true;
    if (!object || object->kind != PGC_KIND_RELATION)
        return false;
    return pgc_entry_is(entry, "TABLE")
               ? find(clone, object->oid) >= 0
               : pgc_entry_is(entry, "SEQUENCE") && find(clone, ((const pgc_relation *)object)->owning_table) >= 0;
}

/* Why what hangs on a table is not made; NULL: it is. */
static const char *in_the_way(const pgc_clone *clone, const pgc_entry *entry)
{
    bool is_key = pgc_entry_is(entry, "FK CONSTRAINT");
    if (is_key && find(clone, ((const pgc_constraint *)entry->object)->referenced) < 0)
        return "it refers to a table that is not copied with it";
    if (!clone->options->part->is_silent && (is_key || pgc_entry_is(entry, "TRIGGER")))
        return "it would fire on what the stream writes: session_replication_role = replica is not allowed on the "
               "target";
    return NULL;
}

/* Of what fills a table or a sequence of one: it has no entry for the extension's sake, and so says not what it needs. NULL: of none. */
static pgc_entry *extension_of(const choice *choice, const pgc_entry *entry)
{
    const pgc_object *object = clone_entry_of_extension(entry);
    for (int i = 0; object && i < object->need_count; i++) {
        int id = object->needs[i];
        if (id > 0 && id <= choice->clone->entries.max_id && choice->by_id[id] && pgc_entry_is(choice->by_id[id], "EXTENSION"))
            return choice->by_id[id];
    }
    return NULL;
}

static bool hangs(const choice *choice, const pgc_entry *entry)
{
    static const char *const notes[] = {"COMMENT",      "ACL", "SEQUENCE SET", "SEQUENCE OWNED BY", "TABLE ATTACH",
                                        "INDEX ATTACH", NULL};
    const pgc_relation *relation = clone_entry_relation(entry);
    if (relation)
        return find(choice->clone, relation->object.oid) >= 0;
    const pgc_entry *extension = extension_of(choice, entry);
    if (extension && is_kept(choice, extension))
        return true;
    if (pgc_entry_is(entry, "TABLE DATA") && entry->object)
        return clone_part_group(choice->clone, ((const pgc_table_data *)entry->object)->relation) >= 0;
    if (extension)
        return find(choice->clone, ((const pgc_relation *)entry->object)->owning_table) >= 0;
    return pgc_entry_is_one_of(entry, notes) && needs_are_kept(choice, entry);
}

static int keep_all(choice *choice, pgconvoy_error *err)
{
    pgc_clone *clone = choice->clone;
    for (int i = 0; i < clone->entries.count; i++)
        if (is_first(clone, clone->entries.items[i]))
            keep(choice, clone->entries.items[i]);
    for (choice->more = true; choice->more;) {
        choice->more = false;
        for (int i = 0; i < clone->entries.count; i++) {
            pgc_entry *entry = clone->entries.items[i];
            if (is_kept(choice, entry) || !hangs(choice, entry))
                continue;
            const char *why = in_the_way(clone, entry);
            pgc_entry *extension = extension_of(choice, entry);
            keep(choice, entry);
            if (extension)
                keep(choice, extension);
            if (why && clone_leave_out(clone, entry, why, err))
                return -1;
        }
    }
    return 0;
}

/* Entries do not say that they need the schema that they are in. */
static void keep_schemas(choice *choice)
{
    pgc_entries *entries = &choice->clone->entries;
    for (int i = 0; i < entries->count; i++) {
        if (!pgc_entry_is(entries->items[i], "SCHEMA"))
            continue;
        for (int n = 0; n < entries->count; n++)
            if (is_kept(choice, entries->items[n]) && entries->items[n]->schema &&
                strcmp(entries->items[n]->schema, entries->items[i]->tag) == 0) {
                keep(choice, entries->items[i]);
                break;
            }
    }
}

/* A sequence whose value could not be read has no entry for it. */
static int refuse_unread(const pgc_clone *clone, const pgc_entry *entry, pgconvoy_error *err)
{
    const pgc_relation *sequence = pgc_entry_is(entry, "SEQUENCE") ? (const pgc_relation *)entry->object : NULL;
    if (!sequence || !sequence->data || (sequence->sequence && sequence->sequence->value))
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "our role may not read the sequence %s.%s, which a table needs", entry->schema, entry->tag);
    char name[PGC_QUOTED_NAME_SIZE], role[PGC_QUOTED_NAME_SIZE];
    pgconvoy_error_hint(err, "at the source: GRANT SELECT ON SEQUENCE %s TO %s", pgc_quoted_name(entry->schema, entry->tag, name),
                        pgc_quoted_name(NULL, PQuser(pgc_catalog_connection(clone->catalog)), role));
    return -1;
}

int clone_part_choose(pgc_clone *clone, pgconvoy_error *err)
{
    if (!clone->options->part)
        return 0;
    pgc_entries *entries = &clone->entries;
    size_t ids = (size_t)entries->max_id + 1;
    choice choice = {.clone = clone,
                     .by_id = calloc(ids, sizeof *choice.by_id),
                     .kept = calloc(ids, 1),
                     .pending = calloc(ids, sizeof *choice.pending)};
    int result = choice.by_id && choice.kept && choice.pending ? 0 : pgc_error_out_of_memory(err);
    for (int i = 0; i < entries->count && result == 0; i++)
        choice.by_id[entries->items[i]->id] = entries->items[i];
    if (result == 0) {
        result = keep_all(&choice, err);
        keep_schemas(&choice);
    }
    if (result == 0)
        result = keep_all(&choice, err); /* notes on schemas */
    int kept = 0;
    for (int i = 0; i < entries->count && result == 0; i++) {
        pgc_entry *entry = entries->items[i];
        bool readable = true;
        if (!is_kept(&choice, entry))
            continue;
        result = refuse_unread(clone, entry, err);
        if (result == 0 && clone_extension_rows_are(entry) && clone_part_group(clone, ((const pgc_table_data *)entry->object)->relation) < 0)
            result = clone_extension_rows_readable(clone, entry, &readable, err);
        if (result == 0 && readable)
            entries->items[kept++] = entry;
    }
    if (result == 0)
        entries->count = kept;
    free(choice.by_id);
    free(choice.kept);
    free(choice.pending);
    return result;
}

/* ------------------------------------------------------------------ what the target cannot have */

static int group_of_entry(const pgc_clone *clone, const pgc_entry *entry)
{
    if (!entry->object)
        return -1;
    if (pgc_entry_is(entry, "TABLE"))
        return clone_part_group(clone, (const pgc_relation *)entry->object);
    return pgc_entry_is(entry, "TABLE DATA")
               ? clone_part_group(clone, ((const pgc_table_data *)entry->object)->relation)
               : -1;
}

/* Gives whether there are some that were not known. */
static bool mark_left_out(const pgc_clone *clone)
{
    bool more = false;
    for (int i = 0; i < clone->left_out_count; i++) {
        int group = group_of_entry(clone, clone->left_out[i].entry);
        if (group < 0 || clone->options->part->left_out[group])
            continue;
        clone->options->part->left_out[group] = more = true;
    }
    return more;
}

int clone_part_leave_out(pgc_clone *clone, pgconvoy_error *err)
{
    const pgc_clone_part *part = clone->options->part;
    if (!part)
        return 0;
    memset(part->left_out, 0, sizeof *part->left_out * (size_t)part->table_count);
    while (mark_left_out(clone)) {
        for (int i = 0; i < clone->entries.count; i++) {
            int group = group_of_entry(clone, clone->entries.items[i]);
            if (group >= 0 && part->left_out[group] &&
                clone_leave_out(clone, clone->entries.items[i], "its rows come as those of a table that is left out",
                                err))
                return -1;
        }
        if (clone_leave_out_all(clone, err))
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ names of indexes */

/*
 * Of the pipeline's other tables on the target, a row for an index that has a name which one of a table to be copied needs. At the source each name is there once, so
 * there that table is gone, or its index has another name by now.
 */
static int append_taken(const pgc_clone *clone, pgc_buffer *sql, pgconvoy_error *err)
{
    int count = 0;
    pgc_buffer_text(sql, "SELECT pg_catalog.format('%I.%I', v.s, v.i), pg_catalog.format('%I.%I', v.s, t.relname), 'pgconvoy_index_' || c.oid FROM (VALUES ");
    for (int i = 0; i < clone->item_count; i++) {
        const pgc_entry *entry = clone->items[i].entry;
        const pgc_relation *relation = entry && (pgc_entry_is(entry, "INDEX") || pgc_entry_is(entry, "CONSTRAINT")) ? clone_entry_relation(entry) : NULL;
        if (!relation)
            continue;
        const char *words[] = {relation->object.schema->object.name, entry->object->name, relation->object.name};
        for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
            pgc_buffer_text(sql, w ? ", " : count ? ", (" : "(");
            pgc_quote_literal(sql, words[w]);
        }
        pgc_buffer_byte(sql, ')');
        count++;
    }
    pgc_buffer_text(sql, count ? "" : "('', '', '')");
    pgc_buffer_text(sql, ") v (s, i, t) JOIN pg_catalog.pg_namespace n ON n.nspname = v.s JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = v.i "
                         "JOIN pg_catalog.pg_index x ON x.indexrelid = c.oid JOIN pg_catalog.pg_class t ON t.oid = x.indrelid AND t.relname <> v.t "
                         "JOIN pgconvoy.table_state s ON s.schema_name = v.s AND s.table_name = t.relname WHERE s.pipeline = ");
    pgc_quote_literal(sql, clone->options->name);
    return pgc_buffer_check(sql, err);
}

static int rename_index(const pgc_clone *clone, const PGresult *taken, int row, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 12);
    pgc_buffer_format(&sql, "ALTER INDEX %s RENAME TO %s", PQgetvalue(taken, row, 0), PQgetvalue(taken, row, 2));
    int result = pgc_buffer_check(&sql, err) ? -1 : pgc_execute(clone->target, sql.data, err);
    pgc_buffer_free(&sql);
    if (result == 0)
        pgc_log_info(clone->options->log, "index %s of the target's table %s is called %s from now on: an index of that name comes with another table", PQgetvalue(taken, row, 0),
                     PQgetvalue(taken, row, 1), PQgetvalue(taken, row, 2));
    return result;
}

int clone_part_make_room(const pgc_clone *clone, pgconvoy_error *err)
{
    if (!clone->options->part || pgc_mapping_renames(clone->options->mapping))
        return 0;
    PGresult *result = pgc_query(clone->target, "SELECT pg_catalog.to_regclass('pgconvoy.table_state') IS NOT NULL", err);
    bool others = result && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    const char *values[] = {clone->options->name};
    if (result && others) {
        result = pgc_query_params(clone->target, "SELECT EXISTS (SELECT FROM pgconvoy.table_state WHERE pipeline = $1)", 1, values, err);
        others = result && PQgetvalue(result, 0, 0)[0] == 't';
        PQclear(result);
    }
    if (!result || !others)
        return result ? 0 : -1;
    pgc_buffer sql;
    pgc_buffer_init(&sql, (size_t)1 << 28);
    PGresult *taken = append_taken(clone, &sql, err) ? NULL : pgc_query(clone->target, sql.data, err);
    pgc_buffer_free(&sql);
    int status = taken ? 0 : -1;
    for (int row = 0; row < PQntuples(taken) && status == 0; row++)
        status = rename_index(clone, taken, row, err);
    PQclear(taken);
    return status;
}

/* ------------------------------------------------------------------ the pipeline's checkpoint */

/* The sink knows the table by its name in the target. */
static void append_state(const pgc_clone *clone, const pgconvoy_table *table, pgconvoy_table_state state,
                         const char *copy_lsn, pgc_buffer *sql)
{
    const char *schema, *name;
    pgc_mapping_target(clone->options->mapping, table->schema, table->name, &schema, &name);
    pgc_pgsink_append_table_state(sql, clone->options->name, schema, name, state, copy_lsn);
}

int clone_part_append_begin(const pgc_clone *clone, pgc_buffer *sql, pgconvoy_error *err)
{
    const pgc_clone_part *part = clone->options->part;
    pgc_pgsink_append_pipeline(sql, clone->options->name, part->source_id);
    for (int i = 0; i < part->table_count; i++)
        if (!part->left_out[i]) {
            append_state(clone, part->tables[i], PGCONVOY_TABLE_COPYING, "'0/0'", sql);
            pgc_pgsink_append_known(sql, clone->options->name, part->tables[i], pgc_mapping_renames(clone->options->mapping));
        }
    return pgc_buffer_check(sql, err);
}

/* Rows of a table are all of one snapshot: that of this run, or of the earlier one that has finished them. (PostgreSQL 12 has no min(pg_lsn).) */
static void append_lsn(const pgc_clone *clone, int group, pgc_buffer *lsn)
{
    int count = 0;
    pgc_buffer_reset(lsn);
    pgc_buffer_text(lsn, "coalesce((SELECT lsn FROM pgconvoy.copy_item WHERE name = ");
    pgc_quote_literal(lsn, clone->options->name);
    for (int i = 0; i < clone->item_count; i++) {
        if (clone->items[i].kind != CLONE_ROWS || !clone->items[i].table || clone->items[i].table->group != group)
            continue;
        pgc_buffer_text(lsn, count++ ? ", " : " AND item IN (");
        pgc_quote_literal(lsn, clone->items[i].key);
    }
    pgc_buffer_format(lsn, "%s ORDER BY lsn LIMIT 1), '%s'::pg_lsn)", count ? ")" : " AND false", clone->snapshot);
}

int clone_part_append_end(const pgc_clone *clone, pgc_buffer *sql, pgconvoy_error *err)
{
    const pgc_clone_part *part = clone->options->part;
    pgc_buffer lsn;
    pgc_buffer_init(&lsn, 1 << 24);
    for (int i = 0; i < part->table_count && !lsn.failed; i++) {
        if (part->left_out[i])
            continue;
        append_lsn(clone, i, &lsn);
        append_state(clone, part->tables[i], PGCONVOY_TABLE_CATCHING_UP, lsn.data, sql);
    }
    int result = pgc_buffer_check(&lsn, err);
    pgc_buffer_free(&lsn);
    return result;
}

void clone_part_append_later(const pgc_clone *clone, pgc_buffer *sql)
{
    int count = 0;
    for (int i = 0; i < clone->item_count; i++)
        count += clone->items[i].later;
    if (count)
        pgc_log_info(clone->options->log,
                     "foreign keys between tables that were copied at different times are checked when the stream has "
                     "caught up: %d",
                     count);
    for (int i = 0; i < clone->item_count; i++) {
        if (!clone->items[i].later)
            continue;
        pgc_buffer_text(sql, "; INSERT INTO pgconvoy.copy_item (name, item) VALUES (");
        pgc_quote_literal(sql, clone->options->name);
        pgc_buffer_text(sql, ", " CLONE_LATER " || ");
        pgc_quote_literal(sql, clone->items[i].entry->create);
        pgc_buffer_text(sql, ") ON CONFLICT DO NOTHING");
    }
}

/* ------------------------------------------------------------------ progress */

void clone_part_report(const pgc_clone *clone)
{
    const pgc_clone_part *part = clone->options->part;
    int64_t *sums = part->progress ? calloc(2 * (size_t)part->table_count + 1, sizeof *sums) : NULL;
    if (!sums)
        return;
    for (int i = 0; i < clone->table_count; i++) {
        const clone_table *table = &clone->tables[i];
        if (table->group < 0)
            continue;
        sums[2 * table->group] += atomic_load(&table->rows_copied);
        sums[2 * table->group + 1] += atomic_load(&table->bytes_copied);
    }
    for (int i = 0; i < part->table_count; i++)
        part->progress(part->progress_arg, i, sums[2 * i], sums[2 * i + 1]);
    free(sums);
}
