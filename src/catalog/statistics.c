/* Extended statistics: CREATE STATISTICS. They go with their schema, but only where their table goes too. */
#include "catalog/dependent_shared.h"

int pgc_take_statistics(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "oid"), name = pgc_rows_column(rows, "stxname"), schema = pgc_rows_column(rows, "stxnamespace"),
        owner = pgc_rows_column(rows, "stxowner"), on = pgc_rows_column(rows, "stxrelid"), target = pgc_rows_column(rows, "stxstattarget"),
        definition = pgc_rows_column(rows, "definition");
    for (int row = 0; row < rows->count; row++) {
        pgc_statistics *statistics = pgc_catalog_add(catalog, PGC_KIND_STATISTICS, sizeof *statistics, PGC_PG_STATISTIC_EXT, pgc_rows_oid(rows, row, oid),
                                                     pgc_rows_text(rows, row, name), pgc_catalog_schema(catalog, pgc_rows_oid(rows, row, schema)), err);
        if (!statistics)
            return -1;
        pgc_object *object = &statistics->object;
        object->owner = pgc_catalog_role(catalog, pgc_rows_oid(rows, row, owner));
        statistics->relation = pgc_catalog_relation(catalog, pgc_rows_oid(rows, row, on));
        /* the default is NULL from 17 on, -1 before */
        statistics->target = pgc_rows_peek(rows, row, target) ? pgc_rows_int(rows, row, target) : -1;
        statistics->definition = pgc_rows_text(rows, row, definition);
        bool member;
        if (pgc_select_by_extension(catalog, object, &member, err) != 0)
            return -1;
        if (!member)
            object->wanted = object->schema ? object->schema->object.wanted_inside : 0;
        if (!member && (!statistics->relation || !(statistics->relation->object.wanted & PGC_PART_DEFINITION)))
            object->wanted = 0;
    }
    return 0;
}

void pgc_write_statistics(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_statistics *statistics = (const pgc_statistics *)object;
    const char *name = pgc_ddl_object_name(ddl, object);
    if (pgc_object_writes(object, PGC_PART_DEFINITION) && statistics->definition) {
        pgc_buffer *create = pgc_ddl_buffer(ddl);
        pgc_buffer_format(create, "%s;\n", statistics->definition);
        if (statistics->target >= 0)
            pgc_buffer_format(create, "ALTER STATISTICS %s SET STATISTICS %d;\n", name, statistics->target);
        PGC_ENTRY(ddl, .object = object, .description = "STATISTICS", .section = PGC_SECTION_POST_DATA, .create = create->data,
                  .drop = pgc_ddl_format(ddl, "DROP STATISTICS %s;\n", name));
    }
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment(ddl, object, "STATISTICS", pgc_ddl_name(ddl, object->name), object->schema->object.name);
}
