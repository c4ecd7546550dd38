/* The steps of reading a catalog in their order, and of writing its objects down as entries. */
#include "catalog/kinds.h"
#include "base/grow.h"
#include "catalog/dependent.h"
#include "catalog/lock.h"
#include "catalog/patterns.h"

#include <libpq-fe.h>
#include <stdlib.h>

/* From this many relations on a second connection is worth its making. */
#define RELATIONS_FOR_TWO 100

/* A second session for reading; going on with one is no failure (a limit on connections, a pooler). */
static void second_session(pgc_catalog *catalog)
{
    int interesting = 0;
    for (int i = 0; i < catalog->relation_count; i++)
        interesting += catalog->relations[i]->interesting;
    pgconvoy_error ignored = {0};
    if (interesting < RELATIONS_FOR_TWO || catalog->second || catalog->options->serializable_deferrable ||
        pgc_catalog_share_snapshot(catalog, &ignored) != 0)
        return;
    catalog->second = pgc_catalog_session(catalog, &ignored);
}

static void end_second_session(pgc_catalog *catalog)
{
    PQfinish(catalog->second);
    catalog->second = NULL;
}

static int add_data(pgc_catalog *catalog, pgconvoy_error *err)
{
    bool data = !catalog->options->schema_only && !catalog->options->statistics_only;
    if ((data || pgc_wants_sequence_data(catalog)) && pgc_table_data_add(catalog, err) != 0)
        return -1;
    if (data && pgc_extension_data_add(catalog, err) != 0)
        return -1;
    if (data && pgc_table_data_dependencies(catalog, err) != 0)
        return -1;
    return pgc_relation_statistics_link(catalog, err);
}

int pgc_catalog_read(pgc_catalog *catalog, pgconvoy_error *err)
{
    if (pgc_catalog_expand_patterns(catalog, err) != 0 || pgc_read(catalog, pgc_readers_first, false, err) != 0 ||
        pgc_extension_config_mark(catalog, err) != 0 || pgc_relations_link(catalog, err) != 0 || pgc_catalog_lock(catalog, err) != 0)
        return -1;
    second_session(catalog);
    int result = pgc_read(catalog, pgc_readers, true, err);
    if (result == 0)
        result = pgc_read(catalog, pgc_readers_last, true, err);
    end_second_session(catalog);
    if (result != 0 || pgc_columns_inherit(catalog, err) != 0 || pgc_indexes_inherit(catalog, err) != 0)
        return -1;
    return add_data(catalog, err);
}

/* With --data-only these are all that is written. */
static bool is_data(pgc_kind kind)
{
    return kind == PGC_KIND_TABLE_DATA || kind == PGC_KIND_SEQUENCE_VALUE || kind == PGC_KIND_LARGE_OBJECT ||
           kind == PGC_KIND_LARGE_OBJECT_GROUP || kind == PGC_KIND_LARGE_OBJECT_DATA || kind == PGC_KIND_MATVIEW_REFRESH || kind == PGC_KIND_RELATION_STATISTICS;
}

static void write_object(pgc_ddl *ddl, pgc_object *object)
{
    const pgc_kind_row *kind = &pgc_kinds[object->kind];
    object->wanted &= object->available;
    if (!object->wanted || !kind->write || (ddl->options->data_only && !is_data(object->kind)))
        return;
    kind->write(ddl, object);
    pgc_ddl_after_object(ddl);
}

int pgc_catalog_entries(pgc_catalog *catalog, pgc_entries *entries, pgconvoy_error *err)
{
    pgc_ddl ddl;
    if (pgc_ddl_init(&ddl, catalog, entries, err) != 0)
        return -1;
    if (entries->max_id < catalog->max_id)
        entries->max_id = catalog->max_id;
    if (catalog->options->create_database) {
        pgc_write_database(&ddl);
        pgc_ddl_after_object(&ddl);
    }
    for (int i = 0; i < catalog->object_count && !ddl.failed; i++)
        write_object(&ddl, catalog->objects[i]);
    int result = ddl.failed ? -1 : 0;
    pgc_ddl_free(&ddl);
    return result;
}

/* ------------------------------------------------------------------ dependencies among entries */

typedef struct search {
    const pgc_catalog *catalog;
    const bool *written; /* by id */
    int *found;
    int count, capacity;
} search;

static int append(search *s, int id, pgconvoy_error *err)
{
    if (pgc_grow_int(&s->found, s->count, &s->capacity, sizeof *s->found, err) != 0)
        return -1;
    s->found[s->count++] = id;
    return 0;
}

/* What an object needs and is written; through what is not written, what that needs. Loops were broken by the ordering. */
static int follow(search *s, const pgc_object *object, pgconvoy_error *err)
{
    if (object->kind == PGC_KIND_PRE_DATA_BOUNDARY || object->kind == PGC_KIND_POST_DATA_BOUNDARY)
        return 0;
    for (int i = 0; i < object->need_count; i++) {
        int id = object->needs[i];
        const pgc_object *needed = pgc_catalog_object(s->catalog, id);
        if (s->written[id] ? append(s, id, err) != 0 : needed && follow(s, needed, err) != 0)
            return -1;
    }
    return 0;
}

/* A key's index is not written by itself, and needs more than the key says: the extension of an operator class. */
static int follow_index(search *s, const pgc_object *object, pgconvoy_error *err)
{
    const pgc_object *index = object->kind == PGC_KIND_CONSTRAINT ? pgc_catalog_object(s->catalog, ((const pgc_constraint *)object)->index_id) : NULL;
    int first = s->count;
    if (index && follow(s, index, err) != 0)
        return -1;
    int kept = first;
    for (int i = first; i < s->count; i++) { /* not the key itself, nor its like of another partition */
        const pgc_object *needed = pgc_catalog_object(s->catalog, s->found[i]);
        if (needed && pgc_kinds[needed->kind].section == PGC_SECTION_PRE_DATA)
            s->found[kept++] = s->found[i];
    }
    s->count = kept;
    return 0;
}

static int depend(search *s, pgc_entries *entries, pgc_entry *entry, pgconvoy_error *err)
{
    const pgc_object *object = pgc_catalog_object(s->catalog, entry->id);
    if (entry->dependency_count > 0 || !object || object->need_count == 0)
        return 0;
    s->count = 0;
    if (follow(s, object, err) != 0 || follow_index(s, object, err) != 0)
        return -1;
    if (s->count == 0)
        return 0;
    entry->dependencies = pgc_arena_alloc(entries->arena, (size_t)s->count * sizeof(int));
    if (!entry->dependencies)
        return pgc_error_out_of_memory(err);
    memcpy(entry->dependencies, s->found, (size_t)s->count * sizeof(int));
    entry->dependency_count = s->count;
    return 0;
}

int pgc_catalog_entry_dependencies(pgc_catalog *catalog, pgc_entries *entries, bool (*is_written)(void *arg, const pgc_entry *entry), void *arg,
                                   pgconvoy_error *err)
{
    int highest = entries->max_id > catalog->max_id ? entries->max_id : catalog->max_id;
    bool *written = calloc((size_t)highest + 1, sizeof *written);
    if (!written)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < entries->count; i++)
        written[entries->items[i]->id] = is_written(arg, entries->items[i]);
    search s = {.catalog = catalog, .written = written};
    int result = 0;
    for (int i = 0; i < entries->count && result == 0; i++)
        if (written[entries->items[i]->id])
            result = depend(&s, entries, entries->items[i], err);
    free(s.found);
    free(written);
    return result;
}
