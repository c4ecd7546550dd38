/* Operators. All are read, since other objects name them; those that the dump writes have their details beside them. */
#include "catalog/named.h"

typedef struct operator_detail {
    /* As regprocedure and regtype print them; "-" for none. */
    const char *code, *left, *right, *restriction, *join;
    uint32_t commutator, negator;
    bool merges, hashes;
} operator_detail;

/* ------------------------------------------------------------------ reading */

static const operator_detail *take_detail(const pgc_rows *rows, int row)
{
    operator_detail *detail = pgc_arena_zalloc(rows->catalog->arena, sizeof *detail);
    if (!detail)
        return NULL;
    detail->code = pgc_rows_text(rows, row, pgc_rows_column(rows, "code_name"));
    detail->left = pgc_rows_text(rows, row, pgc_rows_column(rows, "left_name"));
    detail->right = pgc_rows_text(rows, row, pgc_rows_column(rows, "right_name"));
    detail->restriction = pgc_rows_text(rows, row, pgc_rows_column(rows, "rest_name"));
    detail->join = pgc_rows_text(rows, row, pgc_rows_column(rows, "join_name"));
    detail->commutator = pgc_rows_oid(rows, row, pgc_rows_column(rows, "oprcom"));
    detail->negator = pgc_rows_oid(rows, row, pgc_rows_column(rows, "oprnegate"));
    detail->merges = pgc_rows_bool(rows, row, pgc_rows_column(rows, "oprcanmerge"));
    detail->hashes = pgc_rows_bool(rows, row, pgc_rows_column(rows, "oprcanhash"));
    return detail;
}

int pgc_take_operators(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    pgc_named_columns columns = pgc_named_columns_find(rows);
    int kind = pgc_rows_column(rows, "oprkind"), left = pgc_rows_column(rows, "oprleft"), right = pgc_rows_column(rows, "oprright"),
        code = pgc_rows_column(rows, "oprcode");
    for (int i = 0; i < rows->count; i++) {
        pgc_operator *operator = pgc_named_take(rows, i, &columns, PGC_KIND_OPERATOR, sizeof *operator, PGC_PG_OPERATOR, err);
        if (!operator)
            return -1;
        operator->type = pgc_rows_char(rows, i, kind);
        operator->left = pgc_rows_oid(rows, i, left);
        operator->right = pgc_rows_oid(rows, i, right);
        operator->code = pgc_rows_oid(rows, i, code);
        if (!pgc_named_wanted(catalog, &operator->object))
            continue;
        operator->detail = take_detail(rows, i);
        if (!operator->detail)
            return pgc_error_out_of_memory(err);
    }
    return 0;
}

/* Prefix before postfix before infix ones, then by what they work on. */
int pgc_compare_operator(const pgc_catalog *catalog, const pgc_object *a, const pgc_object *b)
{
    const pgc_operator *x = (const pgc_operator *)a, *y = (const pgc_operator *)b;
    int order = y->type - x->type;
    if (order == 0)
        order = pgc_compare_type_oids(catalog, x->left, y->left);
    return order ? order : pgc_compare_type_oids(catalog, x->right, y->right);
}

/* ------------------------------------------------------------------ writing */

/* ",\n    word = function": the function's name alone, since CREATE OPERATOR looks for the arguments itself. */
static void append_function(pgc_buffer *out, const char *word, const char *procedure)
{
    if (!procedure || strcmp(procedure, "-") == 0)
        return;
    size_t length = 0;
    for (bool quoted = false; procedure[length] && (quoted || procedure[length] != '('); length++)
        quoted ^= procedure[length] == '"';
    pgc_buffer_format(out, "%s    %s = ", out->length ? ",\n" : "", word);
    pgc_buffer_append(out, procedure, length);
}

/* Always with its schema: an operator and its negator need not be in the same one. */
static void append_operator(pgc_ddl *ddl, pgc_buffer *out, const char *word, uint32_t oid)
{
    if (!oid)
        return;
    const pgc_object *other = pgc_catalog_find(ddl->catalog, PGC_PG_OPERATOR, oid);
    if (other && other->schema)
        pgc_buffer_format(out, ",\n    %s = OPERATOR(%s.%s)", word, pgc_ddl_name(ddl, other->schema->object.name), other->name);
    else
        pgc_catalog_warn(ddl->catalog, NULL, "could not find operator with OID %u", oid);
}

void pgc_write_operator(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_operator *operator = (const pgc_operator *)object;
    const operator_detail *detail = operator->detail;
    /* One without code is only the promise of a commutator or negator. */
    if (!detail || !operator->code || !object->schema)
        return;
    if (operator->type == 'r')
        pgc_catalog_warn(ddl->catalog, NULL, "postfix operators are not supported anymore (operator \"%s\")", detail->code);

    bool has_left = operator->type != 'l', has_right = operator->type != 'r';
    pgc_buffer *body = pgc_ddl_buffer(ddl), *create = pgc_ddl_buffer(ddl);
    append_function(body, "FUNCTION", detail->code);
    if (has_left)
        pgc_buffer_format(body, ",\n    LEFTARG = %s", detail->left);
    if (has_right)
        pgc_buffer_format(body, ",\n    RIGHTARG = %s", detail->right);
    append_operator(ddl, body, "COMMUTATOR", detail->commutator);
    append_operator(ddl, body, "NEGATOR", detail->negator);
    if (detail->merges)
        pgc_buffer_text(body, ",\n    MERGES");
    if (detail->hashes)
        pgc_buffer_text(body, ",\n    HASHES");
    append_function(body, "RESTRICT", detail->restriction);
    append_function(body, "JOIN", detail->join);

    pgc_buffer_format(create, "CREATE OPERATOR %s.%s (\n%s\n);\n", pgc_ddl_name(ddl, object->schema->object.name), object->name, body->data);
    const char *name = pgc_ddl_format(ddl, "%s (%s, %s)", object->name, has_left ? detail->left : "NONE", has_right ? detail->right : "NONE");
    pgc_named_write(ddl, object, "OPERATOR", name, create);
}
