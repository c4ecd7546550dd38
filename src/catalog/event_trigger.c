/* Event triggers. They belong to the database as a whole. */
#include "catalog/dependent_shared.h"

int pgc_take_event_triggers(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "oid"), name = pgc_rows_column(rows, "evtname"), event = pgc_rows_column(rows, "evtevent"),
        owner = pgc_rows_column(rows, "evtowner"), enabled = pgc_rows_column(rows, "evtenabled"), function = pgc_rows_column(rows, "function"),
        tags = pgc_rows_column(rows, "tags");
    for (int row = 0; row < rows->count; row++) {
        pgc_event_trigger *trigger = pgc_catalog_add(catalog, PGC_KIND_EVENT_TRIGGER, sizeof *trigger, PGC_PG_EVENT_TRIGGER, pgc_rows_oid(rows, row, oid),
                                                     pgc_rows_text(rows, row, name), NULL, err);
        if (!trigger)
            return -1;
        trigger->object.owner = pgc_catalog_role(catalog, pgc_rows_oid(rows, row, owner));
        trigger->event = pgc_rows_text(rows, row, event);
        trigger->tags = pgc_rows_text_or_empty(rows, row, tags);
        trigger->function = pgc_rows_text(rows, row, function);
        trigger->enabled = pgc_rows_char(rows, row, enabled);
        if (pgc_select_object(catalog, &trigger->object, err) != 0)
            return -1;
    }
    return 0;
}

void pgc_write_event_trigger(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_event_trigger *trigger = (const pgc_event_trigger *)object;
    const char *name = pgc_ddl_name(ddl, object->name);
    if (pgc_object_writes(object, PGC_PART_DEFINITION)) {
        pgc_buffer *create = pgc_ddl_buffer(ddl);
        pgc_buffer_format(create, "CREATE EVENT TRIGGER %s ON %s", name, pgc_ddl_name(ddl, trigger->event));
        if (trigger->tags[0])
            pgc_buffer_format(create, "\n         WHEN TAG IN (%s)", trigger->tags);
        pgc_buffer_format(create, "\n   EXECUTE FUNCTION %s();\n", trigger->function);
        if (trigger->enabled != 'O')
            pgc_buffer_format(create, "\nALTER EVENT TRIGGER %s %s;\n", name, pgc_enabled_words(trigger->enabled));
        pgc_ddl_extension_member(ddl, create, object, "EVENT TRIGGER", name, NULL);
        PGC_ENTRY(ddl, .object = object, .description = "EVENT TRIGGER", .section = PGC_SECTION_POST_DATA, .create = create->data,
                  .drop = pgc_ddl_format(ddl, "DROP EVENT TRIGGER %s;\n", name));
    }
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment(ddl, object, "EVENT TRIGGER", name, NULL);
    if (pgc_object_writes(object, PGC_PART_SECURITY_LABEL))
        pgc_ddl_security_label(ddl, object, "EVENT TRIGGER", name, NULL);
}
