/* Indexes as they are read: with the constraint that an index may belong to, and, once all are there, the attachment of each partition's index to that of its parent. */
#include "catalog/dependent_shared.h"

#include <stdlib.h>

typedef struct columns {
    int oid, relation, name, file_node, options, unique, plain, classes, collations, flags, keys, key_count, column_count, clustered, identity, nulls_not_distinct, tablespace, parent,
        statistics_columns, statistics_targets;
    int constraint, type, constraint_name, deferrable, deferred, period, constraint_definition;
} columns;

static columns find_columns(const pgc_rows *rows)
{
    return (columns){
        .oid = pgc_rows_column(rows, "oid"),
        .relation = pgc_rows_column(rows, "indrelid"),
        .name = pgc_rows_column(rows, "relname"),
        .file_node = pgc_rows_column(rows, "relfilenode"),
        .options = pgc_rows_column(rows, "reloptions"),
        .unique = pgc_rows_column(rows, "indisunique"),
        .plain = pgc_rows_column(rows, "plain"),
        .classes = pgc_rows_column(rows, "indclass"),
        .collations = pgc_rows_column(rows, "indcollation"),
        .flags = pgc_rows_column(rows, "indoption"),
        .keys = pgc_rows_column(rows, "indkey"),
        .key_count = pgc_rows_column(rows, "indnkeyatts"),
        .column_count = pgc_rows_column(rows, "indnatts"),
        .clustered = pgc_rows_column(rows, "indisclustered"),
        .identity = pgc_rows_column(rows, "indisreplident"),
        .nulls_not_distinct = pgc_rows_column(rows, "indnullsnotdistinct"),
        .tablespace = pgc_rows_column(rows, "spcname"),
        .parent = pgc_rows_column(rows, "inhparent"),
        .statistics_columns = pgc_rows_column(rows, "statistics_columns"),
        .statistics_targets = pgc_rows_column(rows, "statistics_targets"),
        .constraint = pgc_rows_column(rows, "constraint_oid"),
        .type = pgc_rows_column(rows, "contype"),
        .constraint_name = pgc_rows_column(rows, "conname"),
        .deferrable = pgc_rows_column(rows, "condeferrable"),
        .deferred = pgc_rows_column(rows, "condeferred"),
        .period = pgc_rows_column(rows, "conperiod"),
        .constraint_definition = pgc_rows_column(rows, "constraint_definition"),
    };
}

static int take_constraint(pgc_catalog *catalog, const pgc_rows *rows, int row, const columns *c, pgc_index *index, pgconvoy_error *err)
{
    pgc_constraint *constraint = dependent_add(catalog, PGC_KIND_CONSTRAINT, sizeof *constraint, PGC_PG_CONSTRAINT, pgc_rows_oid(rows, row, c->constraint),
                                               pgc_rows_text(rows, row, c->constraint_name), index->relation, err);
    if (!constraint)
        return -1;
    constraint->object.wanted = index->relation->object.wanted;
    constraint->relation = index->relation;
    constraint->type = pgc_rows_char(rows, row, c->type);
    constraint->definition = pgc_rows_text(rows, row, c->constraint_definition);
    constraint->index_id = index->object.id;
    constraint->deferrable = pgc_rows_bool(rows, row, c->deferrable);
    constraint->deferred = pgc_rows_bool(rows, row, c->deferred);
    constraint->without_overlaps = pgc_rows_bool(rows, row, c->period);
    constraint->local = constraint->separate = constraint->validated = true;
    index->constraint_id = constraint->object.id;
    return 0;
}

/* The next number of "1 2 3"; 0 after the last. */
static uint32_t next_number(const char **text)
{
    char *end = NULL;
    unsigned long number = *text ? strtoul(*text, &end, 10) : 0;
    if (end)
        *text = end;
    return (uint32_t)number;
}

/* Does a key have nothing said but its column: its type's default operator class (known here for the commonest types, by their fixed oids), its column's collation, ascending, nulls last? */
static bool is_plain_key(const pgc_column *column, uint32_t operator_class, uint32_t collation, uint32_t flags)
{
    static const struct {
        uint32_t type, operator_class, collation;
    } defaults[] = {{20, 3124, 0},   {21, 1979, 0},   {23, 1978, 0},   {25, 3126, 100}, {26, 1981, 0},  {701, 3123, 0},
                    {1043, 3126, 100}, {1082, 3122, 0}, {1114, 3128, 0}, {1184, 3127, 0}, {1700, 3125, 0}};
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        if (defaults[i].type == column->type_oid)
            return flags == 0 && operator_class == defaults[i].operator_class && collation == (column->collation ? column->collation : defaults[i].collation);
    return false;
}

static bool has_plain_keys(const pgc_rows *rows, int row, const columns *c, const pgc_index *index)
{
    const pgc_relation *relation = index->relation;
    const char *classes = pgc_rows_peek(rows, row, c->classes), *collations = pgc_rows_peek(rows, row, c->collations), *flags = pgc_rows_peek(rows, row, c->flags);
    for (int i = 0; i < index->column_count; i++) {
        uint32_t class = next_number(&classes), collation = next_number(&collations), flag = next_number(&flags), number = index->columns[i];
        if (number < 1 || number > (uint32_t)relation->column_count || !is_plain_key(&relation->columns[number - 1], class, collation, flag))
            return false;
    }
    return true;
}

static pgc_index *take_one(pgc_catalog *catalog, const pgc_rows *rows, int row, const columns *c, pgc_relation *relation, pgconvoy_error *err)
{
    pgc_index *index = dependent_add(catalog, PGC_KIND_INDEX, sizeof *index, PGC_PG_CLASS, pgc_rows_oid(rows, row, c->oid),
                                     pgc_rows_text(rows, row, c->name), relation, err);
    if (!index)
        return NULL;
    index->object.wanted = relation->object.wanted;
    index->relation = relation;
    index->unique = pgc_rows_bool(rows, row, c->unique);
    index->tablespace = pgc_rows_text_or_empty(rows, row, c->tablespace);
    index->options = pgc_rows_text_or_empty(rows, row, c->options);
    index->statistics_columns = pgc_rows_text(rows, row, c->statistics_columns);
    index->statistics_values = pgc_rows_text(rows, row, c->statistics_targets);
    index->file_node = pgc_rows_oid(rows, row, c->file_node);
    index->key_count = pgc_rows_int(rows, row, c->key_count);
    index->column_count = pgc_rows_oids(rows, row, c->keys, &index->columns);
    index->clustered = pgc_rows_bool(rows, row, c->clustered);
    index->replica_identity = pgc_rows_bool(rows, row, c->identity);
    index->nulls_not_distinct = pgc_rows_bool(rows, row, c->nulls_not_distinct);
    index->parent = pgc_rows_oid(rows, row, c->parent);
    index->needs_definition = !pgc_rows_oid(rows, row, c->constraint) && !(pgc_rows_bool(rows, row, c->plain) && has_plain_keys(rows, row, c, index));
    if (pgc_rows_oid(rows, row, c->constraint) && take_constraint(catalog, rows, row, c, index, err) != 0)
        return NULL;
    return index;
}

int pgc_take_indexes(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    columns c = find_columns(rows);
    for (int row = 0, count; row < rows->count; row += count) {
        count = rows_alike(rows, row, c.relation);
        pgc_relation *relation = pgc_catalog_relation(catalog, pgc_rows_oid(rows, row, c.relation));
        if (!relation)
            continue;
        relation->indexes = pgc_arena_alloc(catalog->arena, (size_t)count * sizeof *relation->indexes);
        if (!relation->indexes)
            return pgc_error_out_of_memory(err);
        for (int i = 0; i < count; i++) {
            pgc_index *index = take_one(catalog, rows, row + i, &c, relation, err);
            if (!index)
                return -1;
            relation->indexes[relation->index_count++] = index;
        }
    }
    return 0;
}

static pgc_index *find_index(const pgc_catalog *catalog, uint32_t oid)
{
    pgc_object *object = pgc_catalog_find(catalog, PGC_PG_CLASS, oid);
    return object && object->kind == PGC_KIND_INDEX ? (pgc_index *)object : NULL;
}

int pgc_take_index_definitions(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "oid"), definition = pgc_rows_column(rows, "definition");
    for (int row = 0; row < rows->count; row++) {
        pgc_index *index = find_index(catalog, pgc_rows_oid(rows, row, oid));
        if (!index || !(index->definition = pgc_rows_text(rows, row, definition))) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "the index with OID %u has no definition", pgc_rows_oid(rows, row, oid));
            return -1;
        }
    }
    return 0;
}

/* ------------------------------------------------------------------ attachments */

static int remember_attachment(pgc_catalog *catalog, pgc_index *parent, int id, pgconvoy_error *err)
{
    if (parent->attach_count == parent->attach_capacity) {
        int capacity = parent->attach_capacity ? 2 * parent->attach_capacity : 8;
        int *ids = pgc_arena_alloc(catalog->arena, (size_t)capacity * sizeof *ids);
        if (!ids)
            return pgc_error_out_of_memory(err);
        if (parent->attach_count)
            memcpy(ids, parent->attach_ids, (size_t)parent->attach_count * sizeof *ids);
        parent->attach_ids = ids;
        parent->attach_capacity = capacity;
    }
    parent->attach_ids[parent->attach_count++] = id;
    return 0;
}

/*
 * pg_depend knows nothing of attachments, so what they need is said here: both indexes, and both tables, so that a parallel
 * restore does not attach while it does something else to one of the tables.
 */
static int attach(pgc_catalog *catalog, pgc_index *index, pgc_index *parent, pgconvoy_error *err)
{
    pgc_index_attach *attach = dependent_add(catalog, PGC_KIND_INDEX_ATTACH, sizeof *attach, 0, 0, index->object.name, index->relation, err);
    if (!attach)
        return -1;
    attach->parent = parent;
    attach->partition = index;
    const int needs[] = {index->object.id, parent->object.id, index->relation->object.id, parent->relation->object.id};
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++)
        if (pgc_object_needs(catalog, &attach->object, needs[i], err) != 0)
            return -1;
    return remember_attachment(catalog, parent, attach->object.id, err);
}

/* A foreign key to a partitioned table can be made when its index is valid there: when all partitions' indexes are attached, those of their partitions too. */
static int need_attachments(pgc_catalog *catalog, pgc_object *key, const pgc_index *index, pgconvoy_error *err)
{
    for (int i = 0; i < index->attach_count; i++) {
        const pgc_index_attach *attach = (const pgc_index_attach *)pgc_catalog_object(catalog, index->attach_ids[i]);
        if (pgc_object_needs(catalog, key, index->attach_ids[i], err) != 0 || (attach && need_attachments(catalog, key, attach->partition, err) != 0))
            return -1;
    }
    return 0;
}

int pgc_indexes_inherit(pgc_catalog *catalog, pgconvoy_error *err)
{
    for (int i = 0; i < catalog->relation_count; i++) {
        const pgc_relation *relation = catalog->relations[i];
        if (!relation->is_partition || !relation->parent_count)
            continue;
        for (int k = 0; k < relation->index_count; k++) {
            pgc_index *index = relation->indexes[k];
            pgc_index *parent = index->parent ? find_index(catalog, index->parent) : NULL;
            if (parent && attach(catalog, index, parent, err) != 0)
                return -1;
        }
    }
    for (int i = 0; i < catalog->object_count; i++) {
        pgc_object *object = catalog->objects[i];
        if (object->kind != PGC_KIND_FOREIGN_KEY)
            continue;
        const pgc_index *index = find_index(catalog, ((const pgc_constraint *)object)->referenced_index);
        if (index && need_attachments(catalog, object, index, err) != 0)
            return -1;
    }
    return 0;
}
