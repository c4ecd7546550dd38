/* Triggers: CREATE TRIGGER and whether it fires; of a partition's own ones made by the parent's only the latter. */
#include "catalog/dependent_shared.h"

int pgc_take_triggers(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "oid"), on = pgc_rows_column(rows, "tgrelid"), name = pgc_rows_column(rows, "tgname"),
        enabled = pgc_rows_column(rows, "tgenabled"), definition = pgc_rows_column(rows, "definition"), from_parent = pgc_rows_column(rows, "from_parent");
    for (int row = 0, count; row < rows->count; row += count) {
        count = rows_alike(rows, row, on);
        pgc_relation *relation = pgc_catalog_relation(catalog, pgc_rows_oid(rows, row, on));
        if (!relation || !(relation->object.wanted & PGC_PART_DEFINITION))
            continue;
        relation->triggers = pgc_arena_alloc(catalog->arena, (size_t)count * sizeof *relation->triggers);
        if (!relation->triggers)
            return pgc_error_out_of_memory(err);
        for (int i = row; i < row + count; i++) {
            pgc_trigger *trigger = dependent_add(catalog, PGC_KIND_TRIGGER, sizeof *trigger, PGC_PG_TRIGGER, pgc_rows_oid(rows, i, oid),
                                                 pgc_rows_text(rows, i, name), relation, err);
            if (!trigger)
                return -1;
            trigger->relation = relation;
            trigger->enabled = pgc_rows_char(rows, i, enabled);
            trigger->internal_partition = pgc_rows_bool(rows, i, from_parent);
            trigger->definition = pgc_rows_text(rows, i, definition);
            relation->triggers[relation->trigger_count++] = trigger;
        }
    }
    return 0;
}

static void write_enabled(pgc_ddl *ddl, pgc_buffer *out, const pgc_trigger *trigger, const char *name)
{
    pgc_buffer_format(out, "\nALTER %sTABLE %s %s TRIGGER %s;\n", trigger->relation->kind == PGC_RELKIND_FOREIGN ? "FOREIGN " : "",
                      pgc_ddl_object_name(ddl, &trigger->relation->object), pgc_enabled_words(trigger->enabled), name);
}

void pgc_write_trigger(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_trigger *trigger = (const pgc_trigger *)object;
    const pgc_object *relation = &trigger->relation->object;
    const char *name = pgc_ddl_name(ddl, object->name);
    const char *place = pgc_ddl_format(ddl, "%s ON %s", name, pgc_ddl_object_name(ddl, relation));
    if (pgc_object_writes(object, PGC_PART_DEFINITION)) {
        pgc_buffer *create = pgc_ddl_buffer(ddl);
        if (!trigger->internal_partition) {
            pgc_buffer_format(create, "%s;\n", trigger->definition);
            pgc_ddl_depends_on_extension(ddl, create, object, "TRIGGER", place);
        }
        if (trigger->internal_partition || trigger->enabled != 'O')
            write_enabled(ddl, create, trigger, name);
        PGC_ENTRY(ddl, .object = object, .tag = pgc_ddl_format(ddl, "%s %s", relation->name, object->name), .description = "TRIGGER",
                  .section = PGC_SECTION_POST_DATA, .create = create->data,
                  .drop = trigger->internal_partition ? "" : pgc_ddl_format(ddl, "DROP TRIGGER %s;\n", place));
    }
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment(ddl, object, pgc_ddl_format(ddl, "TRIGGER %s ON", name), pgc_ddl_name(ddl, relation->name), object->schema->object.name);
}

const char *pgc_enabled_words(char enabled)
{
    switch (enabled) {
    case 'D':
        return "DISABLE";
    case 'A':
        return "ENABLE ALWAYS";
    case 'R':
        return "ENABLE REPLICA";
    default:
        return "ENABLE";
    }
}

int pgc_compare_trigger(const pgc_catalog *catalog, const pgc_object *a, const pgc_object *b)
{
    (void)catalog;
    return strcmp(((const pgc_trigger *)a)->relation->object.name, ((const pgc_trigger *)b)->relation->object.name);
}
