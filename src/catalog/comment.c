/* Comments: COMMENT ON …, each an entry of its own that depends on the object's. */
#include "catalog/kinds.h"
#include "catalog/note.h"

PGC_TAKE(comments)
{
    return pgc_notes_take(catalog, rows, PGC_PART_COMMENT, &catalog->comments, &catalog->comment_count, err);
}

const pgc_note *pgc_catalog_comments(const pgc_catalog *catalog, uint32_t class_oid, uint32_t oid, int *count)
{
    return pgc_notes_find(catalog->comments, catalog->comment_count, class_oid, oid, count);
}

static void write_comment(pgc_ddl *ddl, const char *kind, const char *name, const char *schema, const char *owner, int depends_on, const char *text)
{
    const char *prefix = schema && schema[0] ? pgc_ddl_format(ddl, "%s.", pgc_ddl_name(ddl, schema)) : "";
    PGC_ENTRY(ddl, .id = -1, .tag = pgc_ddl_format(ddl, "%s %s", kind, name), .schema = schema ? schema : "", .owner = owner ? owner : "",
              .description = "COMMENT", .section = PGC_SECTION_NONE,
              .create = pgc_ddl_format(ddl, "COMMENT ON %s %s%s IS %s;\n", kind, prefix, name, pgc_ddl_literal(ddl, text)),
              .dependencies = &depends_on, .dependency_count = 1);
}

void pgc_ddl_comment_on(pgc_ddl *ddl, const char *kind, const char *name, const char *schema, const char *owner, uint32_t class_oid, uint32_t oid,
                        int column, int depends_on, const char *initial)
{
    if (ddl->options->no_comments || !pgc_notes_wanted(ddl->options, kind))
        return;
    int count;
    const char *text = NULL;
    const pgc_note *notes = pgc_catalog_comments(ddl->catalog, class_oid, oid, &count);
    for (int i = 0; i < count && !text; i++)
        if (notes[i].column == column)
            text = notes[i].text;
    if (initial) /* a new database has this comment already: nothing to say, unless it was changed or taken away */
        text = !text ? "" : strcmp(text, initial) == 0 ? NULL : text;
    if (text)
        write_comment(ddl, kind, name, schema, owner, depends_on, text);
}

void pgc_ddl_comment(pgc_ddl *ddl, const pgc_object *object, const char *kind, const char *name, const char *schema)
{
    pgc_ddl_comment_on(ddl, kind, name, schema, object->owner, object->class_oid, object->oid, 0, object->id, NULL);
    if (object->kind != PGC_KIND_RELATION || ddl->options->no_comments || !pgc_notes_wanted(ddl->options, kind))
        return;
    int count;
    const pgc_note *notes = pgc_catalog_comments(ddl->catalog, object->class_oid, object->oid, &count);
    for (int i = 0; i < count; i++) {
        const char *column = pgc_notes_column(object, notes[i].column);
        if (column)
            write_comment(ddl, "COLUMN", pgc_ddl_format(ddl, "%s.%s", name, pgc_ddl_name(ddl, column)), schema, object->owner, object->id,
                          notes[i].text);
    }
}
