/* Security labels: SECURITY LABEL FOR provider ON …; all those of an object and its columns in one entry. */
#include "catalog/kinds.h"
#include "catalog/note.h"

#define LABELS_MAX ((size_t)256 << 20)

PGC_TAKE(security_labels)
{
    return pgc_notes_take(catalog, rows, PGC_PART_SECURITY_LABEL, &catalog->labels, &catalog->label_count, err);
}

const pgc_note *pgc_catalog_labels(const pgc_catalog *catalog, uint32_t class_oid, uint32_t oid, int *count)
{
    return pgc_notes_find(catalog->labels, catalog->label_count, class_oid, oid, count);
}

/* What the labels of one object are written on. */
typedef struct label_target {
    const char *kind, *name, *schema;
} label_target;

static void append_label(pgc_ddl *ddl, pgc_buffer *out, const label_target *target, const char *column, const pgc_note *label)
{
    pgc_buffer_format(out, "SECURITY LABEL FOR %s ON %s ", pgc_ddl_name(ddl, label->provider), column ? "COLUMN" : target->kind);
    if (target->schema && target->schema[0])
        pgc_buffer_format(out, "%s.", pgc_ddl_name(ddl, target->schema));
    pgc_buffer_text(out, target->name);
    if (column)
        pgc_buffer_format(out, ".%s", pgc_ddl_name(ddl, column));
    pgc_buffer_format(out, " IS %s;\n", pgc_ddl_literal(ddl, label->text));
}

static void write_labels(pgc_ddl *ddl, const label_target *target, const char *owner, int depends_on, const char *commands)
{
    PGC_ENTRY(ddl, .id = -1, .tag = pgc_ddl_format(ddl, "%s %s", target->kind, target->name), .schema = target->schema ? target->schema : "",
              .owner = owner ? owner : "", .description = "SECURITY LABEL", .section = PGC_SECTION_NONE, .create = commands,
              .dependencies = &depends_on, .dependency_count = 1);
}

/* The object's labels with this column number, and with object not NULL those of its columns, too. */
static void gather(pgc_ddl *ddl, const label_target *target, const pgc_object *object, uint32_t class_oid, uint32_t oid, int column,
                   pgc_buffer *out)
{
    int count;
    const pgc_note *labels = pgc_catalog_labels(ddl->catalog, class_oid, oid, &count);
    for (int i = 0; i < count; i++) {
        const char *name = object && labels[i].column != 0 ? pgc_notes_column(object, labels[i].column) : NULL;
        if (name || labels[i].column == column)
            append_label(ddl, out, target, name, &labels[i]);
    }
}

static void write_gathered(pgc_ddl *ddl, const label_target *target, const char *owner, const pgc_object *object, uint32_t class_oid,
                           uint32_t oid, int column, int depends_on)
{
    if (ddl->options->no_security_labels || !pgc_notes_wanted(ddl->options, target->kind))
        return;
    /* not one of the writer's buffers: one call for each large object of a group */
    pgc_buffer commands;
    pgc_buffer_init(&commands, LABELS_MAX);
    gather(ddl, target, object, class_oid, oid, column, &commands);
    if (commands.failed)
        pgc_ddl_fail(ddl, "out of memory");
    else if (commands.length)
        write_labels(ddl, target, owner, depends_on, commands.data);
    pgc_buffer_free(&commands);
}

void pgc_ddl_security_label_on(pgc_ddl *ddl, const char *kind, const char *name, const char *schema, const char *owner, uint32_t class_oid,
                               uint32_t oid, int column, int depends_on)
{
    write_gathered(ddl, &(label_target){kind, name, schema}, owner, NULL, class_oid, oid, column, depends_on);
}

void pgc_ddl_security_label(pgc_ddl *ddl, const pgc_object *object, const char *kind, const char *name, const char *schema)
{
    write_gathered(ddl, &(label_target){kind, name, schema}, object->owner, object, object->class_oid, object->oid, 0, object->id);
}
