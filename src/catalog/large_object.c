/*
 * Large objects: what they are, not their bytes. A database may have millions of them. Up to version 16 each has an entry of its own, and one entry holds all the bytes; from 17 on pg_dump, and so do we for such a
 * server, puts a thousand with one owner and one set of privileges together, each group with an entry of data, which can be dumped and restored side by side.
 */
#include "catalog/large_object.h"

#include "catalog/kinds.h"

#define GROUP_MAX 1000
#define GUESSED_BYTES (INT64_C(8) << 20) /* of one: high, so that a group is begun before most tables */
#define FIRST_GROUPING_VERSION 170000

typedef struct lo_columns {
    int oid, owner, acl, default_acl;
} lo_columns;

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* How many rows from this one on belong together. */
static int group_size(const pgc_rows *rows, const lo_columns *columns, int row)
{
    int count = 1;
    while (count < GROUP_MAX && row + count < rows->count &&
           pgc_rows_oid(rows, row, columns->owner) == pgc_rows_oid(rows, row + count, columns->owner) &&
           same_text(pgc_rows_peek(rows, row, columns->acl), pgc_rows_peek(rows, row + count, columns->acl)))
        count++;
    return count;
}

static const char *group_name(pgc_catalog *catalog, uint32_t first, uint32_t last)
{
    char name[32];
    if (first == last)
        snprintf(name, sizeof name, "%u", first);
    else
        snprintf(name, sizeof name, "%u..%u", first, last);
    return pgc_arena_strdup(catalog->arena, name);
}

/* An object for count rows from this one on. */
static pgc_large_object *add(pgc_catalog *catalog, const pgc_rows *rows, const lo_columns *columns, int row, int count, pgc_kind kind,
                             pgconvoy_error *err)
{
    uint32_t *oids = pgc_arena_alloc(catalog->arena, (size_t)count * sizeof *oids);
    if (!oids) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    for (int i = 0; i < count; i++)
        oids[i] = pgc_rows_oid(rows, row + i, columns->oid);
    const char *name = group_name(catalog, oids[0], oids[count - 1]);
    pgc_large_object *lo = pgc_catalog_add(catalog, kind, sizeof *lo, PGC_PG_LARGEOBJECT, oids[0], name, NULL, err);
    if (!lo)
        return NULL;
    lo->oids = oids;
    lo->count = count;
    lo->object.owner = pgc_catalog_role(catalog, pgc_rows_oid(rows, row, columns->owner));
    lo->object.acl.acl = pgc_rows_text(rows, row, columns->acl);
    lo->object.acl.default_acl = pgc_rows_text(rows, row, columns->default_acl);
    lo->object.available |= PGC_PART_DATA | (lo->object.acl.acl ? PGC_PART_ACL : 0);
    /* an upgrade copies the table with the bytes; which large objects there are, it wants to be told */
    lo->object.wanted = catalog->options->binary_upgrade ? PGC_PART_ALL & ~PGC_PART_DATA : PGC_PART_ALL;
    for (int i = 1; i < count; i++)
        if (pgc_catalog_add_alias(catalog, PGC_PG_LARGEOBJECT, oids[i], &lo->object, err) != 0)
            return NULL;
    return lo;
}

static int add_data(pgc_catalog *catalog, const pgc_large_object *group, pgconvoy_error *err)
{
    pgc_large_object_data *data = pgc_catalog_add(catalog, PGC_KIND_LARGE_OBJECT_DATA, sizeof *data, 0, 0, group ? group->object.name : "BLOBS",
                                                  NULL, err);
    if (!data)
        return -1;
    data->group = group;
    data->object.owner = group ? group->object.owner : NULL;
    data->object.available |= PGC_PART_DATA;
    data->object.wanted = PGC_PART_ALL;
    return group ? pgc_object_needs(catalog, &data->object, group->object.id, err) : 0;
}

PGC_TAKE(large_objects)
{
    lo_columns columns = {pgc_rows_column(rows, "oid"), pgc_rows_column(rows, "lomowner"), pgc_rows_column(rows, "lomacl"),
                          pgc_rows_column(rows, "default_acl")};
    bool grouped = catalog->version >= FIRST_GROUPING_VERSION;
    for (int row = 0, count; row < rows->count; row += count) {
        count = grouped ? group_size(rows, &columns, row) : 1;
        const pgc_large_object *lo = add(catalog, rows, &columns, row, count, grouped ? PGC_KIND_LARGE_OBJECT_GROUP : PGC_KIND_LARGE_OBJECT, err);
        if (!lo || (grouped && add_data(catalog, lo, err) != 0))
            return -1;
    }
    return rows->count > 0 && !grouped ? add_data(catalog, NULL, err) : 0;
}

/* ------------------------------------------------------------------ writing */

PGC_WRITER(large_object)
{
    if (pgc_object_writes(object, PGC_PART_DEFINITION))
        PGC_ENTRY(ddl, .object = object, .tag = object->name, .description = "BLOB", .section = PGC_SECTION_PRE_DATA,
                  .create = pgc_ddl_format(ddl, "SELECT pg_catalog.lo_create('%s');\n", object->name),
                  .drop = pgc_ddl_format(ddl, "SELECT pg_catalog.lo_unlink('%s');\n", object->name));
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment(ddl, object, "LARGE OBJECT", object->name, NULL);
    if (pgc_object_writes(object, PGC_PART_SECURITY_LABEL))
        pgc_ddl_security_label(ddl, object, "LARGE OBJECT", object->name, NULL);
    if (pgc_object_writes(object, PGC_PART_ACL))
        pgc_ddl_acl(ddl, object->id, 0, "LARGE OBJECT", object->name, NULL, NULL, NULL, object->owner, &object->acl);
}

/* Comments and labels are each of one large object; there are few of them. */
static void write_notes(pgc_ddl *ddl, const pgc_large_object *group)
{
    const pgc_object *object = &group->object;
    for (int i = 0; i < group->count; i++) {
        const char *name = pgc_ddl_format(ddl, "%u", group->oids[i]);
        if (pgc_object_writes(object, PGC_PART_COMMENT))
            pgc_ddl_comment_on(ddl, "LARGE OBJECT", name, NULL, object->owner, object->class_oid, group->oids[i], 0, object->id, NULL);
        if (pgc_object_writes(object, PGC_PART_SECURITY_LABEL))
            pgc_ddl_security_label_on(ddl, "LARGE OBJECT", name, NULL, object->owner, object->class_oid, group->oids[i], 0, object->id);
    }
}

/* The definition is a list of oids, which whoever restores turns into commands; so are the privileges of the first one, for all. */
PGC_WRITER(large_object_group)
{
    const pgc_large_object *group = (const pgc_large_object *)object;
    if (pgc_object_writes(object, PGC_PART_DEFINITION)) {
        pgc_buffer *list = pgc_ddl_buffer(ddl);
        for (int i = 0; i < group->count; i++)
            pgc_buffer_format(list, "%u\n", group->oids[i]);
        PGC_ENTRY(ddl, .object = object, .tag = object->name, .description = "BLOB METADATA", .section = PGC_SECTION_DATA, .create = list->data,
                  .drop = "-- dummy");
    }
    if (pgc_object_writes(object, PGC_PART_COMMENT | PGC_PART_SECURITY_LABEL))
        write_notes(ddl, group);
    if (pgc_object_writes(object, PGC_PART_ACL))
        pgc_ddl_acl(ddl, object->id, 0, "LARGE OBJECT", pgc_ddl_format(ddl, "%u", group->oids[0]), NULL, NULL,
                    group->count > 1 ? pgc_ddl_format(ddl, "LARGE OBJECTS %s", object->name) : NULL, object->owner, &object->acl);
}

PGC_WRITER(large_object_data)
{
    const pgc_large_object *group = ((const pgc_large_object_data *)object)->group;
    if (!pgc_object_writes(object, PGC_PART_DATA))
        return;
    /* how large they are is not known without reading them: all of them together are begun first */
    int needs[1] = {group ? group->object.id : 0};
    PGC_ENTRY(ddl, .object = object, .tag = object->name, .description = "BLOBS", .section = PGC_SECTION_DATA, .has_data = true,
              .dependencies = needs, .dependency_count = group ? 1 : 0, .data_size = group ? group->count * GUESSED_BYTES : INT64_C(1) << 44);
}
