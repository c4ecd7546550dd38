/*
 * Optimizer statistics (pg_dump --statistics, 18): calls that put them back, so that a restored database plans well before it was analyzed. Indexes name
 * their columns by number, as the names of those with expressions may change.
 */
#include "catalog/dependent_shared.h"

#define MAX_NEEDS 4 /* the relation or index, its constraint, a refresh */

/* The columns of pg_stats that pg_restore_attribute_stats takes, in the order in which they are written. */
static const struct {
    const char *name, *type;
} arguments[PGC_COLUMN_STATISTICS] = {
    {"inherited", "boolean"},
    {"null_frac", "real"},
    {"avg_width", "integer"},
    {"n_distinct", "real"},
    {"most_common_vals", "text"},
    {"most_common_freqs", "real[]"},
    {"histogram_bounds", "text"},
    {"correlation", "real"},
    {"most_common_elems", "text"},
    {"most_common_elem_freqs", "real[]"},
    {"elem_count_histogram", "real[]"},
    {"range_length_histogram", "text"},
    {"range_empty_frac", "real"},
    {"range_bounds_histogram", "text"},
};

static pgc_relation_statistics *add(pgc_catalog *catalog, const pgc_rows *rows, int row, pgconvoy_error *err)
{
    uint32_t of = pgc_rows_oid(rows, row, pgc_rows_column(rows, "oid"));
    pgc_object *about = pgc_catalog_find(catalog, PGC_PG_CLASS, of);
    pgc_index *index = about && about->kind == PGC_KIND_INDEX ? (pgc_index *)about : NULL;
    pgc_relation *relation = index ? index->relation : (pgc_relation *)about;
    pgc_relation_statistics *statistics = dependent_add(catalog, PGC_KIND_RELATION_STATISTICS, sizeof *statistics, 0, 0, about->name, relation, err);
    if (!statistics)
        return NULL;
    statistics->object.owner = NULL;
    statistics->object.available |= PGC_PART_STATISTICS;
    statistics->relation = relation;
    statistics->index = index;
    statistics->pages = pgc_rows_int(rows, row, pgc_rows_column(rows, "relpages"));
    statistics->rows = pgc_rows_text_or_empty(rows, row, pgc_rows_column(rows, "reltuples"));
    statistics->visible = pgc_rows_int(rows, row, pgc_rows_column(rows, "relallvisible"));
    statistics->frozen = pgc_rows_int(rows, row, pgc_rows_column(rows, "relallfrozen"));
    bool failed = pgc_object_needs(catalog, &statistics->object, about->id, err) != 0 ||
                  (index && index->constraint_id && pgc_object_needs(catalog, &statistics->object, index->constraint_id, err) != 0);
    return failed ? NULL : statistics;
}

static void take_column(const pgc_rows *rows, int row, const int *columns, pgc_column_statistics *column)
{
    column->name = pgc_rows_text(rows, row, pgc_rows_column(rows, "attname"));
    column->number = pgc_rows_int(rows, row, pgc_rows_column(rows, "attnum"));
    for (int i = 0; i < PGC_COLUMN_STATISTICS; i++)
        column->values[i] = pgc_rows_text(rows, row, columns[i]);
}

int pgc_take_relation_statistics(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "oid"), name = pgc_rows_column(rows, "attname"), columns[PGC_COLUMN_STATISTICS];
    for (int i = 0; i < PGC_COLUMN_STATISTICS; i++)
        columns[i] = pgc_rows_column(rows, arguments[i].name);
    for (int row = 0, count; row < rows->count; row += count) {
        count = rows_alike(rows, row, oid);
        /* an index that is not valid was not read */
        if (!pgc_catalog_find(catalog, PGC_PG_CLASS, pgc_rows_oid(rows, row, oid)))
            continue;
        pgc_relation_statistics *statistics = add(catalog, rows, row, err);
        if (!statistics)
            return -1;
        if (!pgc_rows_peek(rows, row, name))
            continue;
        statistics->columns = pgc_arena_alloc(catalog->arena, (size_t)count * sizeof *statistics->columns);
        if (!statistics->columns)
            return pgc_error_out_of_memory(err);
        statistics->column_count = count;
        for (int i = 0; i < count; i++)
            take_column(rows, row + i, columns, &statistics->columns[i]);
    }
    return 0;
}

int pgc_relation_statistics_link(pgc_catalog *catalog, pgconvoy_error *err)
{
    for (int i = 0; catalog->options->statistics && i < catalog->object_count; i++) {
        pgc_object *object = catalog->objects[i];
        if (object->kind != PGC_KIND_RELATION_STATISTICS)
            continue;
        const pgc_relation_statistics *statistics = (const pgc_relation_statistics *)object;
        const pgc_relation *relation = statistics->relation;
        if (!statistics->index && relation->kind == PGC_RELKIND_MATVIEW && relation->data &&
            pgc_object_needs(catalog, object, relation->data->object.id, err) != 0)
            return -1;
    }
    return 0;
}

/* REFRESH gives a materialized view new storage and forgets what was known of the old one; and a view that has to wait for an index is itself made behind the data. */
pgc_section pgc_relation_statistics_section(const pgc_object *object)
{
    const pgc_relation_statistics *statistics = (const pgc_relation_statistics *)object;
    const pgc_relation *relation = statistics->relation;
    bool late = statistics->index || (relation->kind == PGC_RELKIND_MATVIEW && (relation->data || relation->postponed));
    return late ? PGC_SECTION_POST_DATA : PGC_SECTION_DATA;
}

/* ------------------------------------------------------------------ writing */

static void begin_call(pgc_ddl *ddl, pgc_buffer *out, const pgc_object *about, const char *function)
{
    pgc_buffer_format(out, "SELECT * FROM pg_catalog.%s(\n\t'version', '%d'::integer,\n\t'schemaname', %s,\n\t'relname', %s", function, ddl->version,
                      pgc_ddl_literal(ddl, about->schema->object.name), pgc_ddl_literal(ddl, about->name));
}

static void write_relation(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation_statistics *statistics)
{
    begin_call(ddl, out, &statistics->object, "pg_restore_relation_stats");
    /* before 14, 0 rows could also mean that nobody had looked, for which newer servers have -1 */
    bool unknown = ddl->version < 140000 && strcmp(statistics->rows, "0") == 0;
    pgc_buffer_format(out, ",\n\t'relpages', '%d'::integer,\n\t'reltuples', '%s'::real,\n\t'relallvisible', '%d'::integer", statistics->pages,
                      unknown ? "-1" : statistics->rows, statistics->visible);
    if (ddl->version >= 180000)
        pgc_buffer_format(out, ",\n\t'relallfrozen', '%d'::integer", statistics->frozen);
    pgc_buffer_text(out, "\n);\n");
}

static void write_column(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation_statistics *statistics, const pgc_column_statistics *column)
{
    begin_call(ddl, out, &statistics->object, "pg_restore_attribute_stats");
    if (statistics->index)
        pgc_buffer_format(out, ",\n\t'attnum', '%d'::smallint", column->number);
    else
        pgc_buffer_format(out, ",\n\t'attname', %s", pgc_ddl_literal(ddl, column->name));
    for (int i = 0; i < PGC_COLUMN_STATISTICS; i++)
        if (column->values[i])
            pgc_buffer_format(out, ",\n\t'%s', %s::%s", arguments[i].name, pgc_ddl_literal(ddl, column->values[i]), arguments[i].type);
    pgc_buffer_text(out, "\n);\n");
}

/* What it is about, and what resets it; not the boundaries between the sections, which no archive has. */
static int needs_without_boundaries(const pgc_ddl *ddl, const pgc_object *object, int *needs)
{
    int count = 0;
    for (int i = 0; i < object->need_count && count < MAX_NEEDS; i++)
        if (object->needs[i] != ddl->catalog->pre_data_boundary && object->needs[i] != ddl->catalog->post_data_boundary)
            needs[count++] = object->needs[i];
    return count;
}

void pgc_write_relation_statistics(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_relation_statistics *statistics = (const pgc_relation_statistics *)object;
    if (!pgc_object_writes(object, PGC_PART_STATISTICS))
        return;
    int needs[MAX_NEEDS], count = needs_without_boundaries(ddl, object, needs);
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    write_relation(ddl, create, statistics);
    for (int i = 0; i < statistics->column_count; i++)
        write_column(ddl, create, statistics, &statistics->columns[i]);
    PGC_ENTRY(ddl, .object = object, .id = -1, .owner = "", .description = "STATISTICS DATA", .section = pgc_relation_statistics_section(object),
              .create = create->data, .dependencies = needs, .dependency_count = count);
}
