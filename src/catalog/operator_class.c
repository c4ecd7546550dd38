/*
 * Operator classes and families, with the operators and support functions in them. What was named in CREATE OPERATOR CLASS belongs to the class; what was added to the family is written with the family. A
 * family that CREATE OPERATOR CLASS made by itself is written before its class, empty.
 */
#include "catalog/named.h"

/* An OPERATOR or FUNCTION clause. */
typedef struct group_item {
    bool is_operator;
    int number;
    const char *name;        /* with its arguments */
    uint32_t sort_family;    /* of an operator FOR ORDER BY, or 0 */
    const char *left, *right; /* of a function: the types that it is for */
} group_item;

typedef struct group_detail {
    /* of a class */
    const char *input_type, *key_type; /* key_type NULL: the same */
    uint32_t family;
    bool is_default;
    /* of both */
    const group_item *items;
    int item_count;
} group_detail;

/* ------------------------------------------------------------------ reading */

static int take_groups(pgc_catalog *catalog, const pgc_rows *rows, pgc_kind kind, uint32_t class_oid, pgconvoy_error *err)
{
    pgc_named_columns columns = pgc_named_columns_find(rows);
    int method = pgc_rows_column(rows, "access_method"), input = pgc_rows_column(rows, "input_type"), key = pgc_rows_column(rows, "key_type"),
        family = pgc_rows_column(rows, "opcfamily"), is_default = pgc_rows_column(rows, "opcdefault");
    for (int i = 0; i < rows->count; i++) {
        pgc_operator_group *group = pgc_named_take(rows, i, &columns, kind, sizeof *group, class_oid, err);
        if (!group)
            return -1;
        group->access_method = pgc_rows_oid(rows, i, method);
        if (!pgc_named_wanted(catalog, &group->object))
            continue;
        group_detail *detail = pgc_arena_zalloc(catalog->arena, sizeof *detail);
        if (!detail)
            return pgc_error_out_of_memory(err);
        detail->input_type = pgc_rows_text(rows, i, input);
        detail->key_type = pgc_rows_text(rows, i, key);
        detail->family = pgc_rows_oid(rows, i, family);
        detail->is_default = pgc_rows_bool(rows, i, is_default);
        group->detail = detail;
    }
    return 0;
}

int pgc_take_operator_classes(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    return take_groups(catalog, rows, PGC_KIND_OPERATOR_CLASS, PGC_PG_OPCLASS, err);
}

int pgc_take_operator_families(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    return take_groups(catalog, rows, PGC_KIND_OPERATOR_FAMILY, PGC_PG_OPFAMILY, err);
}

static group_detail *detail_of(const pgc_catalog *catalog, uint32_t class_oid, uint32_t oid)
{
    const pgc_operator_group *group = (const pgc_operator_group *)pgc_catalog_find(catalog, class_oid, oid);
    return group ? (group_detail *)group->detail : NULL;
}

/* The rows come sorted by class or family, so that the items of each stand together. */
int pgc_take_operator_class_items(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int class_oid = pgc_rows_column(rows, "class"), oid = pgc_rows_column(rows, "oid"), item = pgc_rows_column(rows, "item"),
        number = pgc_rows_column(rows, "number"), name = pgc_rows_column(rows, "item_name"), sort_family = pgc_rows_column(rows, "sort_family"),
        left = pgc_rows_column(rows, "left_name"), right = pgc_rows_column(rows, "right_name");
    group_item *items = pgc_arena_alloc(catalog->arena, (size_t)rows->count * sizeof *items + 1);
    if (!items)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < rows->count; i++) {
        group_detail *detail = detail_of(catalog, pgc_rows_oid(rows, i, class_oid), pgc_rows_oid(rows, i, oid));
        if (!detail)
            continue;
        items[i] = (group_item){
            .is_operator = pgc_rows_char(rows, i, item) == 'o',
            .number = pgc_rows_int(rows, i, number),
            .name = pgc_rows_text_or_empty(rows, i, name),
            .sort_family = pgc_rows_oid(rows, i, sort_family),
            .left = pgc_rows_text_or_empty(rows, i, left),
            .right = pgc_rows_text_or_empty(rows, i, right),
        };
        if (!detail->item_count)
            detail->items = &items[i];
        detail->item_count++;
    }
    return 0;
}

int pgc_compare_operator_group(const pgc_catalog *catalog, const pgc_object *a, const pgc_object *b)
{
    const pgc_operator_group *x = (const pgc_operator_group *)a, *y = (const pgc_operator_group *)b;
    const pgc_object *p = pgc_catalog_find(catalog, PGC_PG_AM, x->access_method), *q = pgc_catalog_find(catalog, PGC_PG_AM, y->access_method);
    return p && q ? strcmp(p->name, q->name) : 0;
}

/* ------------------------------------------------------------------ writing */

static void append_items(pgc_ddl *ddl, pgc_buffer *out, const group_detail *detail, bool first)
{
    for (int i = 0; i < detail->item_count; i++) {
        const group_item *item = &detail->items[i];
        pgc_buffer_text(out, first ? "" : " ,\n    ");
        first = false;
        if (!item->is_operator) {
            pgc_buffer_format(out, "FUNCTION %d (%s, %s) %s", item->number, item->left, item->right, item->name);
            continue;
        }
        pgc_buffer_format(out, "OPERATOR %d %s", item->number, item->name);
        const pgc_object *family = item->sort_family ? pgc_catalog_find(ddl->catalog, PGC_PG_OPFAMILY, item->sort_family) : NULL;
        if (family)
            pgc_buffer_format(out, " FOR ORDER BY %s", pgc_ddl_object_name(ddl, family));
    }
}

/* The access method's name; NULL, and the dump has failed, when the catalog is broken. */
static const char *method_name(pgc_ddl *ddl, const pgc_operator_group *group)
{
    const pgc_object *method = pgc_catalog_find(ddl->catalog, PGC_PG_AM, group->access_method);
    if (!method)
        pgc_ddl_fail(ddl, "access method %u of \"%s\" not found", group->access_method, group->object.name);
    return method ? pgc_ddl_name(ddl, method->name) : NULL;
}

void pgc_write_operator_class(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_operator_group *group = (const pgc_operator_group *)object;
    const group_detail *detail = group->detail;
    const char *method = detail ? method_name(ddl, group) : NULL;
    if (!method)
        return;
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    pgc_buffer_format(create, "CREATE OPERATOR CLASS %s\n    %sFOR TYPE %s USING %s", pgc_ddl_object_name(ddl, object),
                      detail->is_default ? "DEFAULT " : "", detail->input_type, method);
    const pgc_object *family = pgc_catalog_find(ddl->catalog, PGC_PG_OPFAMILY, detail->family);
    if (family)
        pgc_buffer_format(create, " FAMILY %s", pgc_ddl_object_name(ddl, family));
    pgc_buffer_text(create, " AS\n    ");
    /* The grammar wants one clause at least: a class with nothing in it stores what it takes in, which says nothing. */
    const char *storage = detail->key_type ? detail->key_type : detail->item_count ? NULL : detail->input_type;
    if (storage)
        pgc_buffer_format(create, "STORAGE %s", storage);
    append_items(ddl, create, detail, !storage);
    pgc_buffer_text(create, ";\n");
    pgc_named_write(ddl, object, "OPERATOR CLASS", pgc_ddl_format(ddl, "%s USING %s", pgc_ddl_name(ddl, object->name), method), create);
}

void pgc_write_operator_family(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_operator_group *group = (const pgc_operator_group *)object;
    const group_detail *detail = group->detail;
    const char *method = detail ? method_name(ddl, group) : NULL;
    if (!method)
        return;
    const char *name = pgc_ddl_object_name(ddl, object);
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    pgc_buffer_format(create, "CREATE OPERATOR FAMILY %s USING %s;\n", name, method);
    if (detail->item_count) {
        pgc_buffer_format(create, "ALTER OPERATOR FAMILY %s USING %s ADD\n    ", name, method);
        append_items(ddl, create, detail, true);
        pgc_buffer_text(create, ";\n");
    }
    pgc_named_write(ddl, object, "OPERATOR FAMILY", pgc_ddl_format(ddl, "%s USING %s", pgc_ddl_name(ddl, object->name), method), create);
}
