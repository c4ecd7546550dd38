/* CREATE TABLE of all sorts: plain, unlogged, partitioned, inheriting, typed, foreign; and what only ALTER COLUMN can say. */
#include "catalog/relation_write.h"

/* ------------------------------------------------------------------ columns */

static bool writes_default(const pgc_column *column)
{
    return column->column_default && !column->column_default->separate;
}

/* A column that is written says NOT NULL unless a parent does; parts that are made alone and attached later have to say it. */
static bool writes_not_null(const pgc_ddl *ddl, const pgc_relation *table, const pgc_column *column)
{
    return column->not_null && (column->not_null_local || table->is_partition || ddl->options->binary_upgrade);
}

static void not_null_clause(pgc_ddl *ddl, pgc_buffer *out, const pgc_column *column, const char *of_column)
{
    if (column->not_null_named)
        pgc_buffer_format(out, "CONSTRAINT %s ", pgc_ddl_name(ddl, column->not_null_name));
    pgc_buffer_format(out, "NOT NULL%s%s", of_column ? " " : "", of_column ? of_column : "");
    if (column->not_null_no_inherit)
        pgc_buffer_text(out, " NO INHERIT");
}

static void column_clause(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *table, const pgc_column *column, bool typed)
{
    pgc_buffer_text(out, pgc_ddl_name(ddl, column->name));
    if (column->dropped) {
        /* in binary upgrade; its type is forgotten, and its length and alignment are set afterwards */
        pgc_buffer_text(out, " INTEGER /* dummy */");
        return;
    }
    if (!typed)
        pgc_buffer_format(out, " %s", column->type);
    if (writes_default(column)) {
        const char *expression = column->column_default->expression;
        if (column->generated)
            pgc_buffer_format(out, " GENERATED ALWAYS AS (%s)%s", expression, column->generated == 's' ? " STORED" : "");
        else
            pgc_buffer_format(out, " DEFAULT %s", expression);
    }
    if (writes_not_null(ddl, table, column)) {
        pgc_buffer_text(out, " ");
        not_null_clause(ddl, out, column, NULL);
    }
    pgc_ddl_collate(ddl, out, column->collation);
}

/* Between two parts of the list, or before the first. */
static void next_part(pgc_buffer *out, int *parts)
{
    pgc_buffer_text(out, (*parts)++ == 0 ? " (\n    " : ",\n    ");
}

void pgc_ddl_table_columns(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *table)
{
    bool upgrade = ddl->options->binary_upgrade;
    bool typed = table->of_type && !upgrade;
    int parts = 0;
    for (int c = 0; c < table->column_count; c++) {
        const pgc_column *column = &table->columns[c];
        if (pgc_column_is_written(upgrade, table, column)) {
            if (typed && !writes_default(column) && !writes_not_null(ddl, table, column))
                continue; /* the type says it all */
            next_part(out, &parts);
            column_clause(ddl, out, table, column, typed);
        } else if (ddl->version >= 180000 && !column->dropped && column->not_null && column->not_null_local) {
            /* an inherited column with a NOT NULL constraint of its own */
            next_part(out, &parts);
            not_null_clause(ddl, out, column, pgc_ddl_name(ddl, column->name));
        }
    }
    /* ATTACH PARTITION expects the parent's constraints to be there already */
    for (int i = 0; i < table->check_read_count; i++) {
        const pgc_constraint *check = table->checks[i];
        if (check->separate || (!check->local && !table->is_partition))
            continue;
        next_part(out, &parts);
        pgc_buffer_format(out, "CONSTRAINT %s %s", pgc_ddl_name(ddl, check->object.name), check->definition);
    }
    if (parts > 0)
        pgc_buffer_text(out, "\n)");
    else if (!typed)
        pgc_buffer_text(out, " (\n)");
}

/* ------------------------------------------------------------------ the command */

void pgc_ddl_storage_options(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *relation)
{
    const struct {
        const char *options, *prefix;
    } parts[] = {{relation->options, ""}, {relation->toast_options, "toast."}};
    const char *before = "\nWITH (";
    for (int i = 0; i < 2; i++) {
        if (!pgc_relation_has_options(parts[i].options))
            continue;
        pgc_buffer_text(out, before);
        if (!pgc_ddl_reloptions(ddl, out, parts[i].options, parts[i].prefix))
            pgc_catalog_warn(ddl->catalog, NULL, "could not parse %s array", "reloptions");
        before = ", ";
    }
    if (before[0] == ',')
        pgc_buffer_text(out, ")");
}

static void inherits(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *table)
{
    /* binary upgrade sets this up later, so that the columns keep their order */
    if (table->parent_count == 0 || table->is_partition || ddl->options->binary_upgrade)
        return;
    pgc_buffer_text(out, "\nINHERITS (");
    for (int p = 0; p < table->parent_count; p++)
        pgc_buffer_format(out, "%s%s", p > 0 ? ", " : "", pgc_ddl_object_name(ddl, &table->parents[p]->object));
    pgc_buffer_text(out, ")");
}

static const char *type_name(pgc_ddl *ddl, uint32_t oid)
{
    const pgc_type *type = pgc_catalog_type(ddl->catalog, oid);
    if (!type || !type->formatted)
        pgc_ddl_fail(ddl, "type with OID %u, which a table is made of, was not found", oid);
    return type && type->formatted ? type->formatted : "";
}

void pgc_ddl_create_table(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *table, const char *name)
{
    bool partitioned = table->kind == PGC_RELKIND_PARTITIONED, foreign = table->kind == PGC_RELKIND_FOREIGN;
    /* 18 takes no UNLOGGED for what has no storage; a server that was upgraded may still have it */
    bool unlogged = table->persistence == 'u' && !(partitioned && ddl->version >= 180000);
    pgc_buffer_format(out, "CREATE %s%s %s", unlogged ? "UNLOGGED " : "", pgc_relation_kind_name(table), name);
    if (table->of_type && !ddl->options->binary_upgrade)
        pgc_buffer_format(out, " OF %s", type_name(ddl, table->of_type));
    pgc_ddl_table_columns(ddl, out, table);
    inherits(ddl, out, table);
    if (partitioned && !table->partition_key)
        pgc_ddl_fail(ddl, "partitioned table \"%s\" has no partition key", table->object.name);
    else if (partitioned)
        pgc_buffer_format(out, "\nPARTITION BY %s", table->partition_key);
    if (foreign && !table->foreign_server_name)
        pgc_ddl_fail(ddl, "foreign table \"%s\" has no server", table->object.name);
    else if (foreign)
        pgc_buffer_format(out, "\nSERVER %s", pgc_ddl_name(ddl, table->foreign_server_name));
    pgc_ddl_storage_options(ddl, out, table);
    if (foreign && table->server_options && table->server_options[0])
        pgc_buffer_format(out, "\nOPTIONS (\n    %s\n)", table->server_options);
    pgc_buffer_text(out, ";\n");
}

/* ------------------------------------------------------------------ ALTER COLUMN */

static const char *storage_name(char storage)
{
    switch (storage) {
    case 'p':
        return "PLAIN";
    case 'e':
        return "EXTERNAL";
    case 'x':
        return "EXTENDED";
    case 'm':
        return "MAIN";
    default:
        return NULL;
    }
}

static const char *compression_name(char compression)
{
    return compression == 'p' ? "pglz" : compression == 'l' ? "lz4" : NULL;
}

static void alter_column(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *relation, const pgc_column *column, const char *name)
{
    const char *of_column = pgc_ddl_name(ddl, column->name);
    const char *command = pgc_ddl_format(ddl, "ALTER %sTABLE ONLY %s ALTER COLUMN %s", relation->kind == PGC_RELKIND_FOREIGN ? "FOREIGN " : "",
                                         name, of_column);
    const char *storage = column->storage != column->type_storage ? storage_name(column->storage) : NULL;
    const char *compression = ddl->options->no_toast_compression ? NULL : compression_name(column->compression);
    if (ddl->version < 180000 && column->not_null && column->not_null_local &&
        !pgc_column_is_written(ddl->options->binary_upgrade, relation, column))
        pgc_buffer_format(out, "%s SET NOT NULL;\n", command);
    if (column->statistics_target >= 0)
        pgc_buffer_format(out, "%s SET STATISTICS %d;\n", command, column->statistics_target);
    if (storage)
        pgc_buffer_format(out, "%s SET STORAGE %s;\n", command, storage);
    if (compression)
        pgc_buffer_format(out, "%s SET COMPRESSION %s;\n", command, compression);
    if (column->options[0])
        pgc_buffer_format(out, "%s SET (%s);\n", command, column->options);
    if (relation->kind == PGC_RELKIND_FOREIGN && column->fdw_options[0])
        pgc_buffer_format(out, "ALTER FOREIGN TABLE %s%s ALTER COLUMN %s OPTIONS (\n    %s\n);\n", ddl->version >= 170000 ? "ONLY " : "", name, of_column,
                          column->fdw_options);
}

static bool has_alterations(const pgc_column *column)
{
    return column->not_null || column->statistics_target >= 0 || column->storage != column->type_storage || column->compression ||
           column->options[0] || column->fdw_options[0];
}

void pgc_ddl_alter_columns(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *relation, const char *name)
{
    for (int c = 0; c < relation->column_count; c++) {
        const pgc_column *column = &relation->columns[c];
        if (!column->dropped && has_alterations(column))
            alter_column(ddl, out, relation, column, name);
    }
}
