/*
 * Columns of the interesting relations, with what belongs to them: defaults, CHECK constraints, privileges; and what of it comes from parents and need not be said again.
 */
#include "catalog/dependent.h"
#include "catalog/kinds.h"

#include <stdlib.h>

bool pgc_column_is_written(bool binary_upgrade, const pgc_relation *relation, const pgc_column *column)
{
    return binary_upgrade || (!column->dropped && (column->local || relation->is_partition));
}

enum {
    TABLE, NUMBER, NAME, TYPE_OID, TYPE, MODIFIER, STATISTICS, STORAGE, TYPE_STORAGE, NOT_NULL, DROPPED, LENGTH, ALIGN, LOCAL, IDENTITY, GENERATED, COMPRESSION,
    OPTIONS, COLLATION, FDW_OPTIONS, MISSING, NN_NAME, NN_LOCAL, NN_NO_INHERIT, NN_INVALID, NN_COMMENT, COLUMN_COUNT
};

static const char *const column_names[COLUMN_COUNT] = {
    [TABLE] = "attrelid", [NUMBER] = "attnum", [NAME] = "attname", [TYPE_OID] = "atttypid", [TYPE] = "type", [MODIFIER] = "atttypmod", [STATISTICS] = "statistics_target",
    [STORAGE] = "attstorage", [TYPE_STORAGE] = "typstorage", [NOT_NULL] = "attnotnull", [DROPPED] = "attisdropped", [LENGTH] = "attlen",
    [ALIGN] = "attalign", [LOCAL] = "attislocal", [IDENTITY] = "attidentity", [GENERATED] = "attgenerated", [COMPRESSION] = "attcompression",
    [OPTIONS] = "options", [COLLATION] = "collation", [FDW_OPTIONS] = "fdw_options", [MISSING] = "missing_value", [NN_NAME] = "not_null_name",
    [NN_LOCAL] = "not_null_local", [NN_NO_INHERIT] = "not_null_no_inherit", [NN_INVALID] = "not_null_invalid",
    [NN_COMMENT] = "not_null_comment",
};

/* Is this the name that the server gives a NOT NULL constraint? (It cuts long ones; those are then written out, which does no harm.) */
static bool has_default_name(const pgc_relation *relation, const pgc_column *column)
{
    const char *name = column->not_null_name;
    size_t table = strlen(relation->object.name), own = strlen(column->name);
    return strncmp(name, relation->object.name, table) == 0 && name[table] == '_' && strncmp(name + table + 1, column->name, own) == 0 &&
           strcmp(name + table + 1 + own, "_not_null") == 0;
}

/*
 * From 18 on NOT NULL is a constraint with a name. Its name is written where it is not the default one, where a comment refers to it, and in binary upgrade where an inherited one has to be found again by UPDATE.
 * One that is not validated is a constraint object of its own (constraint_read.c).
 */
static void fill_not_null(const pgc_catalog *catalog, const pgc_relation *relation, pgc_column *column, const pgc_rows *rows, int row, const int *at)
{
    if (catalog->version < 180000) {
        column->not_null_local = true; /* until a parent is found that has it */
        return;
    }
    column->not_null_name = pgc_rows_text(rows, row, at[NN_NAME]);
    column->not_null_local = pgc_rows_bool(rows, row, at[NN_LOCAL]);
    column->not_null_no_inherit = pgc_rows_bool(rows, row, at[NN_NO_INHERIT]);
    column->not_null_invalid = pgc_rows_bool(rows, row, at[NN_INVALID]);
    column->not_null_comment = column->not_null_invalid ? NULL : pgc_rows_text(rows, row, at[NN_COMMENT]);
    column->not_null = column->not_null_name && !column->not_null_invalid;
    if (column->not_null)
        column->not_null_named = column->not_null_comment || !has_default_name(relation, column) ||
                                 (catalog->options->binary_upgrade && !relation->is_partition && !column->not_null_local);
}

/* format_type(): the query leaves out what is the type's own name, which is known already. */
static const char *type_name(const pgc_catalog *catalog, const pgc_rows *rows, int row, const int *at)
{
    const char *name = pgc_rows_text(rows, row, at[TYPE]);
    if (name)
        return name;
    const pgc_type *type = pgc_catalog_type(catalog, pgc_rows_oid(rows, row, at[TYPE_OID]));
    return type ? type->formatted : ""; /* a dropped column has none */
}

/* Minor releases of 2026 keep a column's version among its options, where no command can set it. It is taken out of them. */
static void fill_options(const pgc_catalog *catalog, pgc_column *column, const char *options)
{
    static const char word[] = "pg_attver=";
    column->options = "";
    if (!options || !options[0])
        return;
    const char *at = strncmp(options, word, sizeof word - 1) == 0 ? options : strstr(options, ", pg_attver=");
    if (!at) {
        column->options = pgc_arena_strdup(catalog->arena, options);
        return;
    }
    char *rest;
    column->version = strtoull(strchr(at, '=') + 1, &rest, 10);
    if (at == options) {
        rest += strspn(rest, ", ");
        if (!rest[0])
            return; /* nearly always: there was nothing else */
    }
    size_t before = (size_t)(at - options), length = strlen(rest);
    char *kept = pgc_arena_bytes(catalog->arena, options, before + length + 1);
    if (kept) {
        memcpy(kept + before, rest, length + 1);
        column->options = kept;
    }
}

static void fill(const pgc_catalog *catalog, pgc_relation *relation, pgc_column *column, const pgc_rows *rows, int row, const int *at)
{
    *column = (pgc_column){
        .name = pgc_rows_text_or_empty(rows, row, at[NAME]),
        .type = type_name(catalog, rows, row, at),
        .type_oid = pgc_rows_oid(rows, row, at[TYPE_OID]),
        .type_modifier = pgc_rows_int(rows, row, at[MODIFIER]),
        .number = pgc_rows_int(rows, row, at[NUMBER]),
        .statistics_target = pgc_rows_int(rows, row, at[STATISTICS]),
        .storage = pgc_rows_char(rows, row, at[STORAGE]),
        .type_storage = pgc_rows_char(rows, row, at[TYPE_STORAGE]),
        .identity = pgc_rows_char(rows, row, at[IDENTITY]),
        .generated = pgc_rows_char(rows, row, at[GENERATED]),
        .compression = pgc_rows_char(rows, row, at[COMPRESSION]),
        .align = pgc_rows_char(rows, row, at[ALIGN]),
        .length = pgc_rows_int(rows, row, at[LENGTH]),
        .dropped = pgc_rows_bool(rows, row, at[DROPPED]),
        .local = pgc_rows_bool(rows, row, at[LOCAL]),
        .not_null = pgc_rows_bool(rows, row, at[NOT_NULL]),
        .collation = pgc_rows_oid(rows, row, at[COLLATION]),
        .fdw_options = pgc_rows_text_or_empty(rows, row, at[FDW_OPTIONS]),
        .missing_value = pgc_rows_text(rows, row, at[MISSING]),
    };
    fill_options(catalog, column, pgc_rows_peek(rows, row, at[OPTIONS]));
    fill_not_null(catalog, relation, column, rows, row, at);
    relation->needs_overriding |= column->identity == 'a';
}

int pgc_take_columns(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int at[COLUMN_COUNT];
    for (int c = 0; c < COLUMN_COUNT; c++)
        at[c] = pgc_rows_column(rows, column_names[c]);
    for (int row = 0, next; row < rows->count; row = next) {
        uint32_t oid = pgc_rows_oid(rows, row, at[TABLE]);
        for (next = row + 1; next < rows->count && pgc_rows_oid(rows, next, at[TABLE]) == oid;)
            next++;
        pgc_relation *relation = pgc_catalog_relation(catalog, oid);
        if (!relation)
            continue;
        relation->columns = pgc_arena_alloc(catalog->arena, (size_t)(next - row) * sizeof *relation->columns);
        if (!relation->columns)
            return pgc_error_out_of_memory(err);
        for (int r = row; r < next; r++) {
            fill(catalog, relation, &relation->columns[relation->column_count++], rows, r, at);
            if (relation->columns[relation->column_count - 1].number != relation->column_count) {
                pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "invalid column numbering in table \"%s\"", relation->object.name);
                return -1;
            }
        }
    }
    return 0;
}

/* ------------------------------------------------------------------ defaults */

static pgc_column_default *add_default(pgc_catalog *catalog, pgc_relation *relation, pgc_column *column, uint32_t oid, const char *expression,
                                       pgconvoy_error *err)
{
    pgc_column_default *d = pgc_catalog_add(catalog, PGC_KIND_COLUMN_DEFAULT, sizeof *d, oid ? PGC_PG_ATTRDEF : 0, oid, relation->object.name,
                                            relation->object.schema, err);
    if (!d)
        return NULL;
    d->relation = relation;
    d->number = column->number;
    d->expression = expression;
    d->object.owner = relation->object.owner;
    d->object.wanted = relation->object.wanted;
    column->column_default = d;
    return d;
}

/*
 * A default is a part of CREATE TABLE where the column is; else, and on a view, it is set afterwards. What generates a column cannot be set afterwards, nor need it be: where the column is inherited, so is the expression.
 * A default inside must not come after the table, so the table needs it; where that cannot be, sorting makes it separate.
 */
int pgc_take_column_defaults(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "oid"), table = pgc_rows_column(rows, "adrelid"), number = pgc_rows_column(rows, "adnum");
    int expression = pgc_rows_column(rows, "expression");
    for (int row = 0; row < rows->count; row++) {
        pgc_relation *relation = pgc_catalog_relation(catalog, pgc_rows_oid(rows, row, table));
        int n = pgc_rows_int(rows, row, number);
        if (!relation || n <= 0 || n > relation->column_count) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "invalid adnum value %d for table \"%s\"", n, relation ? relation->object.name : "");
            return -1;
        }
        pgc_column *column = &relation->columns[n - 1];
        if (column->dropped)
            continue;
        pgc_column_default *d = add_default(catalog, relation, column, pgc_rows_oid(rows, row, oid), pgc_rows_text_or_empty(rows, row, expression), err);
        if (!d)
            return -1;
        d->separate = !column->generated && (relation->kind == PGC_RELKIND_VIEW ||
                                             !pgc_column_is_written(catalog->options->binary_upgrade, relation, column));
        if (!d->separate && pgc_object_needs(catalog, &relation->object, d->object.id, err) != 0)
            return -1;
    }
    return 0;
}

int pgc_compare_column_default(const pgc_catalog *catalog, const pgc_object *a, const pgc_object *b)
{
    (void)catalog;
    return ((const pgc_column_default *)a)->number - ((const pgc_column_default *)b)->number;
}

/* ------------------------------------------------------------------ checks */

enum { K_OID, K_TABLE, K_NAME, K_DEFINITION, K_LOCAL, K_VALIDATED, CHECK_COLUMNS };

static const char *const check_columns[CHECK_COLUMNS] = {
    [K_OID] = "oid", [K_TABLE] = "conrelid", [K_NAME] = "conname",
    [K_DEFINITION] = "definition", [K_LOCAL] = "conislocal", [K_VALIDATED] = "convalidated",
};

static int add_check(pgc_catalog *catalog, pgc_relation *relation, const pgc_rows *rows, int row, const int *at, pgconvoy_error *err)
{
    pgc_constraint *check = pgc_catalog_add(catalog, PGC_KIND_CONSTRAINT, sizeof *check, PGC_PG_CONSTRAINT, pgc_rows_oid(rows, row, at[K_OID]),
                                            pgc_rows_text(rows, row, at[K_NAME]), relation->object.schema, err);
    if (!check)
        return -1;
    check->relation = relation;
    check->type = 'c';
    check->definition = pgc_rows_text_or_empty(rows, row, at[K_DEFINITION]);
    check->local = pgc_rows_bool(rows, row, at[K_LOCAL]);
    check->validated = pgc_rows_bool(rows, row, at[K_VALIDATED]);
    /* what was never validated might not hold for the rows that are loaded: it comes after them */
    check->separate = !check->validated;
    check->object.owner = relation->object.owner;
    check->object.wanted = relation->object.wanted;
    relation->checks[relation->check_read_count++] = check;
    return check->separate ? 0 : pgc_object_needs(catalog, &relation->object, check->object.id, err);
}

int pgc_take_checks(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int at[CHECK_COLUMNS];
    for (int c = 0; c < CHECK_COLUMNS; c++)
        at[c] = pgc_rows_column(rows, check_columns[c]);
    for (int row = 0, next; row < rows->count; row = next) {
        uint32_t oid = pgc_rows_oid(rows, row, at[K_TABLE]);
        for (next = row + 1; next < rows->count && pgc_rows_oid(rows, next, at[K_TABLE]) == oid;)
            next++;
        pgc_relation *relation = pgc_catalog_relation(catalog, oid);
        if (!relation)
            continue;
        if (next - row != relation->check_count) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "expected %d check constraint%s on table \"%s\" but found %d", relation->check_count,
                               relation->check_count == 1 ? "" : "s", relation->object.name, next - row);
            return -1;
        }
        relation->checks = pgc_arena_alloc(catalog->arena, (size_t)(next - row) * sizeof *relation->checks);
        if (!relation->checks)
            return pgc_error_out_of_memory(err);
        for (int r = row; r < next; r++)
            if (add_check(catalog, relation, rows, r, at, err) != 0)
                return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ privileges of columns */

int pgc_take_column_acls(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int table = pgc_rows_column(rows, "attrelid"), name = pgc_rows_column(rows, "attname"), acl = pgc_rows_column(rows, "attacl");
    int kind = pgc_rows_column(rows, "privtype"), initial = pgc_rows_column(rows, "initprivs");
    for (int row = 0, next; row < rows->count; row = next) {
        uint32_t oid = pgc_rows_oid(rows, row, table);
        for (next = row + 1; next < rows->count && pgc_rows_oid(rows, next, table) == oid;)
            next++;
        pgc_relation *relation = pgc_catalog_relation(catalog, oid);
        if (!relation)
            continue;
        relation->column_acls = pgc_arena_alloc(catalog->arena, (size_t)(next - row) * sizeof *relation->column_acls);
        if (!relation->column_acls)
            return pgc_error_out_of_memory(err);
        for (int r = row; r < next; r++)
            relation->column_acls[relation->column_acl_count++] = (pgc_column_acl){
                .column = pgc_rows_text_or_empty(rows, r, name),
                .acl = {.acl = pgc_rows_text(rows, r, acl),
                        .default_acl = "{}",
                        .initial_kind = pgc_rows_char(rows, r, kind),
                        .initial = pgc_rows_text(rows, r, initial)},
            };
        relation->has_column_acls = true;
        relation->object.available |= PGC_PART_ACL;
    }
    return 0;
}

/* ------------------------------------------------------------------ what comes from parents */

/* A relation's column by name; it is mostly at the same place as its child's, number. */
static const pgc_column *column_named(const pgc_relation *relation, const char *name, int number)
{
    if (number <= relation->column_count && strcmp(relation->columns[number - 1].name, name) == 0)
        return &relation->columns[number - 1];
    for (int c = 0; c < relation->column_count; c++)
        if (strcmp(relation->columns[c].name, name) == 0)
            return &relation->columns[c];
    return NULL;
}

/* What the parents' columns of the same name have. */
typedef struct heritage {
    bool not_null;       /* one of them is NOT NULL */
    bool valid_not_null; /* 18: with a constraint that was validated */
    bool has_default;
    bool generated, generated_alike, generated_otherwise;
} heritage;

static heritage heritage_of(const pgc_catalog *catalog, const pgc_relation *relation, const pgc_column *column)
{
    heritage from = {0};
    for (int p = 0; p < relation->parent_count; p++) {
        const pgc_column *above = column_named(relation->parents[p], column->name, column->number);
        if (!above)
            continue;
        const pgc_column_default *expression = above->column_default, *own = column->column_default;
        from.not_null |= above->not_null;
        from.valid_not_null |= above->not_null_name && !above->not_null_invalid;
        if (above->generated) {
            from.generated = true;
            if (expression && own && strcmp(expression->expression, own->expression) == 0)
                from.generated_alike = true;
            else
                from.generated_otherwise = true;
        } else if (expression && (catalog->version < 160000 || strcmp(expression->expression, "NULL") != 0)) {
            from.has_default = true;
        }
    }
    return from;
}

/* A column without a default, whose parent has one, needs DEFAULT NULL, or it would get its parent's. */
static int add_default_null(pgc_catalog *catalog, pgc_relation *relation, pgc_column *column, pgconvoy_error *err)
{
    pgc_column_default *d = add_default(catalog, relation, column, 0, "NULL", err);
    if (!d)
        return -1;
    d->separate = !pgc_column_is_written(catalog->options->binary_upgrade, relation, column);
    return d->separate ? pgc_object_needs(catalog, &d->object, relation->object.id, err) : 0;
}

static int inherit(pgc_catalog *catalog, pgc_relation *relation, pgc_column *column, pgconvoy_error *err)
{
    heritage from = heritage_of(catalog, relation, column);
    if (catalog->version < 180000) {
        column->not_null_inherited = from.not_null;
        column->not_null_local = !from.not_null;
    } else if (!from.valid_not_null) {
        column->not_null_local = true; /* valid here, though no parent has it validated: it must be said here */
    }
    if (from.has_default && !column->column_default && !catalog->options->data_only && add_default_null(catalog, relation, column, err) != 0)
        return -1;
    /* a generation expression is inherited; partitions and tables of a binary upgrade are made alone first, and so have to have it */
    bool alike = catalog->version < 160000 ? from.generated : from.generated_alike && !from.generated_otherwise;
    if (alike && !relation->is_partition && !catalog->options->binary_upgrade)
        column->column_default = NULL;
    return 0;
}

int pgc_columns_inherit(pgc_catalog *catalog, pgconvoy_error *err)
{
    for (int i = 0; i < catalog->relation_count; i++) {
        pgc_relation *relation = catalog->relations[i];
        if (!relation->object.wanted || relation->parent_count == 0)
            continue;
        for (int c = 0; c < relation->column_count; c++)
            if (!relation->columns[c].dropped && inherit(catalog, relation, &relation->columns[c], err) != 0)
                return -1;
    }
    return 0;
}
