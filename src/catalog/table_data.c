/*
 * Data as objects: the rows of a table, the value of a sequence, the refresh of a materialized view. Their entries hold no data yet; COPY or INSERT reads it when the archive is written.
 */
#include "catalog/kinds.h"

#define BLOCK_BYTES 8192

/* ------------------------------------------------------------------ which there are */

/* Views have no rows, partitioned tables have theirs in partitions, and those of a foreign table are elsewhere, unless its server was named. */
static bool has_data(const pgc_catalog *catalog, const pgc_relation *relation)
{
    switch (relation->kind) {
    case PGC_RELKIND_TABLE:
    case PGC_RELKIND_MATVIEW:
    case PGC_RELKIND_SEQUENCE:
        break;
    case PGC_RELKIND_FOREIGN:
        if (!pgc_oids_have(&catalog->include_servers, relation->foreign_server))
            return false;
        break;
    default:
        return false;
    }
    if (relation->persistence == 'u' && catalog->options->no_unlogged_table_data)
        return false;
    return !pgc_oids_have(&catalog->exclude_data, relation->object.oid);
}

static pgc_kind data_kind(const pgc_relation *relation)
{
    if (relation->kind == PGC_RELKIND_MATVIEW)
        return PGC_KIND_MATVIEW_REFRESH;
    return relation->kind == PGC_RELKIND_SEQUENCE ? PGC_KIND_SEQUENCE_VALUE : PGC_KIND_TABLE_DATA;
}

int pgc_table_data_add_one(pgc_catalog *catalog, pgc_relation *relation, const char *filter, pgconvoy_error *err)
{
    if (relation->data || !has_data(catalog, relation))
        return 0; /* a configuration table of an extension may have its data already */
    /* class 0, so that no row of pg_depend is taken to speak of it */
    pgc_table_data *data = pgc_catalog_add(catalog, data_kind(relation), sizeof *data, 0, relation->object.oid, relation->object.name,
                                           relation->object.schema, err);
    if (!data)
        return -1;
    data->relation = relation;
    data->filter = filter;
    data->object.owner = relation->object.owner;
    data->object.available |= PGC_PART_DATA;
    data->object.wanted = PGC_PART_ALL;
    relation->data = data;
    relation->interesting = true;
    return pgc_object_needs(catalog, &data->object, relation->object.id, err);
}

bool pgc_wants_sequence_data(const pgc_catalog *catalog)
{
    return catalog->options->sequence_data || (catalog->options->binary_upgrade && catalog->version < 180000);
}

int pgc_table_data_add(pgc_catalog *catalog, pgconvoy_error *err)
{
    const pgc_dump_options *o = catalog->options;
    if (o->schema_only && !pgc_wants_sequence_data(catalog))
        return 0;
    for (int i = 0; i < catalog->relation_count; i++) {
        pgc_relation *relation = catalog->relations[i];
        if (!(relation->object.wanted & PGC_PART_DATA) || (o->schema_only && relation->kind != PGC_RELKIND_SEQUENCE))
            continue;
        if (pgc_table_data_add_one(catalog, relation, NULL, err) != 0)
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ after what */

/* Finds the materialized views whose contents a view's query needs, through views and through other materialized views. */
typedef struct reach {
    pgc_catalog *catalog;
    pgc_object **select_rules; /* [object id of a view] */
    int *seen;                 /* [object id]: by whose search */
    int *stack;
    int depth;
} reach;

static void push(reach *search, int id, int by)
{
    if (search->seen[id] != by) {
        search->seen[id] = by;
        search->stack[search->depth++] = id;
    }
}

/* What the view's ON SELECT rule needs that is a view itself. */
static void push_read_views(reach *search, const pgc_object *view, int by)
{
    const pgc_object *rule = search->select_rules[view->id];
    for (int i = 0; rule && i < rule->need_count; i++) {
        const pgc_object *needed = pgc_catalog_object(search->catalog, rule->needs[i]);
        if (!needed || needed->kind != PGC_KIND_RELATION || needed == view)
            continue;
        char kind = ((const pgc_relation *)needed)->kind;
        if (kind == PGC_RELKIND_VIEW || kind == PGC_RELKIND_MATVIEW)
            push(search, needed->id, by);
    }
}

/* One that reads another that is not populated cannot be refreshed, and so is left as it is made: empty. */
static int follow(reach *search, pgc_relation *view, pgconvoy_error *err)
{
    int by = view->object.id;
    search->depth = 0;
    push_read_views(search, &view->object, by);
    while (search->depth > 0) {
        pgc_object *object = pgc_catalog_object(search->catalog, search->stack[--search->depth]);
        const pgc_relation *other = (const pgc_relation *)object;
        push_read_views(search, object, by);
        if (other->kind != PGC_RELKIND_MATVIEW || !other->data || other == view)
            continue;
        if (pgc_object_needs(search->catalog, &view->data->object, other->data->object.id, err) != 0)
            return -1;
        view->populated &= other->populated;
    }
    return 0;
}

static int order_refreshes(pgc_catalog *catalog, pgconvoy_error *err)
{
    size_t ids = (size_t)catalog->max_id + 1;
    reach search = {.catalog = catalog};
    bool any = false;
    for (int i = 0; i < catalog->relation_count && !any; i++)
        any = catalog->relations[i]->kind == PGC_RELKIND_MATVIEW && catalog->relations[i]->data;
    if (!any)
        return 0;
    search.select_rules = pgc_arena_zalloc(catalog->arena, ids * sizeof *search.select_rules);
    search.seen = pgc_arena_zalloc(catalog->arena, ids * sizeof *search.seen);
    search.stack = pgc_arena_zalloc(catalog->arena, ids * sizeof *search.stack);
    if (!search.select_rules || !search.seen || !search.stack)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < catalog->object_count; i++) {
        const pgc_rule *rule = (const pgc_rule *)catalog->objects[i];
        if (rule->object.kind == PGC_KIND_RULE && rule->event == '1' && rule->relation)
            search.select_rules[rule->relation->object.id] = catalog->objects[i];
    }
    for (int i = 0; i < catalog->relation_count; i++) {
        pgc_relation *view = catalog->relations[i];
        if (view->kind == PGC_RELKIND_MATVIEW && view->data && follow(&search, view, err) != 0)
            return -1;
    }
    return 0;
}

/* With data alone, the foreign keys are in force while rows come in: a table's rows come after those that they refer to. */
static int order_by_foreign_keys(pgc_catalog *catalog, pgconvoy_error *err)
{
    for (int i = 0; i < catalog->object_count; i++) {
        const pgc_constraint *key = (const pgc_constraint *)catalog->objects[i];
        if (key->object.kind != PGC_KIND_FOREIGN_KEY || !key->relation || !key->relation->data)
            continue;
        const pgc_relation *referenced = pgc_catalog_relation(catalog, key->referenced);
        if (referenced && referenced->data &&
            pgc_object_needs(catalog, &key->relation->data->object, referenced->data->object.id, err) != 0)
            return -1;
    }
    return 0;
}

int pgc_table_data_dependencies(pgc_catalog *catalog, pgconvoy_error *err)
{
    if (catalog->options->schema_only)
        return 0;
    if (order_refreshes(catalog, err) != 0)
        return -1;
    return catalog->options->data_only ? order_by_foreign_keys(catalog, err) : 0;
}

/* ------------------------------------------------------------------ entries */

const pgc_relation *pgc_relation_load_target(bool through_root, const pgc_relation *relation)
{
    const pgc_relation *root = relation;
    bool unsafe = false;
    while (root->is_partition && root->parent_count == 1) {
        root = root->parents[0];
        unsafe |= root->unsafe_partitions;
    }
    return through_root || unsafe ? root : relation;
}

/* The columns that COPY has: those that are not generated; with parentheses, "" when there are none. */
static const char *column_list(pgc_ddl *ddl, const pgc_relation *relation)
{
    pgc_buffer *out = pgc_ddl_buffer(ddl);
    const char *before = "(";
    for (int c = 0; c < relation->column_count; c++) {
        const pgc_column *column = &relation->columns[c];
        if (column->dropped || column->generated)
            continue;
        pgc_buffer_format(out, "%s%s", before, pgc_ddl_name(ddl, column->name));
        before = ", ";
    }
    if (before[0] == '(')
        return "";
    pgc_buffer_byte(out, ')');
    return out->failed ? "" : out->data;
}

/* The comment by which a restore knows that the rows go in through the root. A line end in a name must not end it. */
static const char *root_note(pgc_ddl *ddl, const char *target)
{
    char *note = (char *)pgc_ddl_format(ddl, "-- load via partition root %s", target);
    for (char *c = note; *c; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    return note;
}

void pgc_write_table_data(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_dump_options *o = ddl->options;
    const pgc_relation *relation = ((const pgc_table_data *)object)->relation;
    if (!pgc_object_writes(object, PGC_PART_DATA))
        return;
    const pgc_relation *target = pgc_relation_load_target(o->load_via_partition_root, relation);
    const char *name = pgc_ddl_object_name(ddl, &target->object);
    bool inserts = o->inserts || o->column_inserts || o->rows_per_insert > 0;
    PGC_ENTRY(ddl, .object = object, .tag = object->name, .description = "TABLE DATA", .section = PGC_SECTION_DATA,
              .create = target != relation ? root_note(ddl, name) : NULL,
              .copy = inserts ? NULL : pgc_ddl_format(ddl, "COPY %s %s FROM stdin;\n", name, column_list(ddl, relation)),
              .dependencies = &relation->object.id, .dependency_count = 1, .has_data = true,
              .data_size = (relation->pages + relation->toast_pages) * BLOCK_BYTES);
}

void pgc_write_matview_refresh(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_relation *view = ((const pgc_table_data *)object)->relation;
    if (!view->populated || !pgc_object_writes(object, PGC_PART_DATA))
        return;
    PGC_ENTRY(ddl, .object = object, .tag = object->name, .description = "MATERIALIZED VIEW DATA", .section = PGC_SECTION_POST_DATA,
              .create = pgc_ddl_format(ddl, "REFRESH MATERIALIZED VIEW %s;\n", pgc_ddl_object_name(ddl, &view->object)),
              .dependencies = object->needs, .dependency_count = object->need_count);
}
