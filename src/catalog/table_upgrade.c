/*
 * What binary upgrade adds to a relation, so that the files of the old server fit the new one's catalogs: the same oids and files, the same columns in the same places, dropped ones too, and the same transaction ids.
 * Inheritance and typed tables are set up by ALTER, since CREATE would choose an order of columns of its own.
 */
#include "catalog/relation_write.h"

/* ------------------------------------------------------------------ oids */

static void set_oid(pgc_buffer *out, const char *what, uint32_t oid)
{
    pgc_buffer_format(out, "SELECT pg_catalog.binary_upgrade_set_next_%s('%u'::pg_catalog.oid);\n", what, oid);
}

static void column_versions(pgc_buffer *out, const pgc_relation *relation)
{
    pgc_buffer_text(out, "\n-- For binary upgrade, must preserve the attribute versions\n"
                         "SELECT pg_catalog.binary_upgrade_set_next_attribute_versions('{");
    for (int c = 0; c < relation->column_count; c++) {
        uint64_t version = relation->columns[c].version;
        pgc_buffer_format(out, "%s%X/%X", c > 0 ? "," : "", (unsigned)(version >> 32), (unsigned)version);
    }
    pgc_buffer_text(out, "}'::pg_catalog.pg_lsn[]);\n\n");
}

void pgc_ddl_upgrade_oids(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *relation)
{
    const pgc_relation_storage *storage = relation->storage;
    if (!storage) {
        pgc_ddl_fail(ddl, "the files of relation \"%s\" were not read", relation->object.name);
        return;
    }
    if (relation->row_type && relation->kind != PGC_RELKIND_SEQUENCE) {
        pgc_buffer_text(out, "\n-- For binary upgrade, must preserve pg_type oid\n");
        set_oid(out, "pg_type_oid", relation->row_type);
        pgc_buffer_text(out, "\n");
        if (storage->array_type) {
            pgc_buffer_text(out, "\n-- For binary upgrade, must preserve pg_type array oid\n");
            set_oid(out, "array_pg_type_oid", storage->array_type);
            pgc_buffer_text(out, "\n");
        }
    }
    if (storage->column_versions && relation->kind != PGC_RELKIND_SEQUENCE)
        column_versions(out, relation);
    pgc_buffer_text(out, "\n-- For binary upgrade, must preserve pg_class oids and relfilenodes\n");
    set_oid(out, "heap_pg_class_oid", relation->object.oid);
    if (relation->kind != PGC_RELKIND_PARTITIONED) {
        if (storage->file)
            set_oid(out, "heap_relfilenode", storage->file);
        if (storage->toast) {
            set_oid(out, "toast_pg_class_oid", storage->toast);
            set_oid(out, "toast_relfilenode", storage->toast_file);
            set_oid(out, "index_pg_class_oid", storage->toast_index);
            set_oid(out, "index_relfilenode", storage->toast_index_file);
        }
    }
    pgc_buffer_text(out, "\n");
}

/* ------------------------------------------------------------------ columns */

static const char *foreign(const pgc_relation *table)
{
    return table->kind == PGC_RELKIND_FOREIGN ? "FOREIGN " : "";
}

static void missing_values(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *relation, const char *name)
{
    for (int c = 0; c < relation->column_count; c++) {
        const pgc_column *column = &relation->columns[c];
        if (column->missing_value && column->missing_value[0])
            pgc_buffer_format(out, "\n-- set missing value.\nSELECT pg_catalog.binary_upgrade_set_missing_value(%s::pg_catalog.regclass,%s,%s);\n\n",
                              pgc_ddl_literal(ddl, name), pgc_ddl_literal(ddl, column->name), pgc_ddl_literal(ddl, column->missing_value));
    }
}

/* Before 18, one UPDATE for each column. */
static void columns_one_by_one(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *table, const char *name)
{
    for (int c = 0; c < table->column_count; c++) {
        const pgc_column *column = &table->columns[c];
        if (column->dropped)
            pgc_buffer_format(out,
                              "\n-- For binary upgrade, recreate dropped column.\n"
                              "UPDATE pg_catalog.pg_attribute\nSET attlen = %d, attalign = '%c', attbyval = false\n"
                              "WHERE attname = %s\n  AND attrelid = %s::pg_catalog.regclass;\n"
                              "ALTER %sTABLE ONLY %s DROP COLUMN %s;\n",
                              column->length, column->align, pgc_ddl_literal(ddl, column->name), pgc_ddl_literal(ddl, name), foreign(table), name,
                              pgc_ddl_name(ddl, column->name));
        else if (!column->local)
            pgc_buffer_format(out,
                              "\n-- For binary upgrade, recreate inherited column.\n"
                              "UPDATE pg_catalog.pg_attribute\nSET attislocal = false\n"
                              "WHERE attname = %s\n  AND attrelid = %s::pg_catalog.regclass;\n",
                              pgc_ddl_literal(ddl, column->name), pgc_ddl_literal(ddl, name));
    }
}

/* ---- from 17 on, one for all of a table: what the server knows of the table is then thrown away once, and not for each column */

/* Before the first item what begins the command, before others a comma. */
static void next_item(pgc_buffer *out, int *items, const char *begin, const char *between)
{
    pgc_buffer_text(out, (*items)++ == 0 ? begin : between);
}

static void dropped_columns(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *table, const char *name)
{
    int items = 0;
    for (int c = 0; c < table->column_count; c++) {
        const pgc_column *column = &table->columns[c];
        if (!column->dropped)
            continue;
        next_item(out, &items,
                  "\n-- For binary upgrade, recreate dropped columns.\nUPDATE pg_catalog.pg_attribute\n"
                  "SET attlen = v.dlen, attalign = v.dalign, attbyval = false\nFROM (VALUES ",
                  ",\n             ");
        pgc_buffer_format(out, "(%s, %d, '%c')", pgc_ddl_literal(ddl, column->name), column->length, column->align);
    }
    if (items == 0)
        return;
    pgc_buffer_format(out, ") v(dname, dlen, dalign)\nWHERE attrelid = %s::pg_catalog.regclass\n  AND attname = v.dname;\n",
                      pgc_ddl_literal(ddl, name));
    for (int c = 0; c < table->column_count; c++)
        if (table->columns[c].dropped)
            pgc_buffer_format(out, "ALTER %sTABLE ONLY %s DROP COLUMN %s;\n", foreign(table), name, pgc_ddl_name(ddl, table->columns[c].name));
}

static void inherited_columns(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *table, const char *name)
{
    const char *begin = pgc_ddl_format(ddl,
                                       "\n-- For binary upgrade, recreate inherited columns.\nUPDATE pg_catalog.pg_attribute\n"
                                       "SET attislocal = false\nWHERE attrelid = %s::pg_catalog.regclass\n  AND attname IN (",
                                       pgc_ddl_literal(ddl, name));
    int items = 0;
    for (int c = 0; c < table->column_count; c++) {
        const pgc_column *column = &table->columns[c];
        if (column->dropped || column->local)
            continue;
        next_item(out, &items, begin, ", ");
        pgc_buffer_text(out, pgc_ddl_literal(ddl, column->name));
    }
    if (items > 0)
        pgc_buffer_text(out, ");\n");
}

/* Inherited NOT NULL constraints: by name, or by column where the name was left to the server. */
static void inherited_not_null(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *table, const char *name, bool named)
{
    const char *begin = pgc_ddl_format(ddl,
                                       "UPDATE pg_catalog.pg_constraint\nSET conislocal = false\n"
                                       "WHERE contype = 'n' AND conrelid = %s::pg_catalog.regclass AND\n%s IN (",
                                       pgc_ddl_literal(ddl, name), named ? "conname" : "conkey");
    int items = 0;
    for (int c = 0; c < table->column_count; c++) {
        const pgc_column *column = &table->columns[c];
        if (!column->not_null || column->not_null_local || column->not_null_named != named)
            continue;
        next_item(out, &items, begin, ", ");
        if (named)
            pgc_buffer_text(out, pgc_ddl_literal(ddl, column->not_null_name));
        else
            pgc_buffer_format(out, "'{%d}'", column->number);
    }
    if (items > 0)
        pgc_buffer_text(out, ");\n");
}

static void columns_together(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *table, const char *name)
{
    dropped_columns(ddl, out, table, name);
    inherited_columns(ddl, out, table, name);
    if (ddl->version < 180000)
        return;
    inherited_not_null(ddl, out, table, name, true);
    inherited_not_null(ddl, out, table, name, false);
}

/* ------------------------------------------------------------------ inheritance, typed tables */

static bool is_inherited(const pgc_relation *table, const pgc_constraint *check)
{
    return !check->separate && !check->local && !table->is_partition; /* a partition has them already */
}

static void inherited_checks(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *table, const char *name)
{
    bool together = ddl->version >= 170000;
    pgc_buffer *names = pgc_ddl_buffer(ddl);
    int items = 0;
    for (int i = 0; i < table->check_read_count; i++) {
        const pgc_constraint *check = table->checks[i];
        if (!is_inherited(table, check))
            continue;
        const char *literal = pgc_ddl_literal(ddl, check->object.name);
        if (!together || items == 0)
            pgc_buffer_format(out, "\n-- For binary upgrade, set up inherited constraint%s.\n", together ? "s" : "");
        next_item(names, &items, "", ", ");
        pgc_buffer_text(names, literal);
        pgc_buffer_format(out, "ALTER %sTABLE ONLY %s ADD CONSTRAINT %s %s;\n", foreign(table), name, pgc_ddl_name(ddl, check->object.name),
                          check->definition);
        if (!together)
            pgc_buffer_format(out,
                              "UPDATE pg_catalog.pg_constraint\nSET conislocal = false\nWHERE contype = 'c' AND conname = %s\n"
                              "  AND conrelid = %s::pg_catalog.regclass;\n",
                              literal, pgc_ddl_literal(ddl, name));
    }
    if (together && items > 0)
        pgc_buffer_format(out,
                          "UPDATE pg_catalog.pg_constraint\nSET conislocal = false\nWHERE contype = 'c' AND conrelid = %s::pg_catalog.regclass\n"
                          "  AND conname IN (%s);\n",
                          pgc_ddl_literal(ddl, name), names->data ? names->data : "");
}

static void inheritance(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *table, const char *name)
{
    inherited_checks(ddl, out, table, name);
    if (table->parent_count > 0 && !table->is_partition) {
        pgc_buffer_text(out, "\n-- For binary upgrade, set up inheritance this way.\n");
        for (int p = 0; p < table->parent_count; p++)
            pgc_buffer_format(out, "ALTER %sTABLE ONLY %s INHERIT %s;\n", foreign(table), name, pgc_ddl_object_name(ddl, &table->parents[p]->object));
    }
    const pgc_type *type = pgc_catalog_type(ddl->catalog, table->of_type);
    if (type)
        pgc_buffer_format(out, "\n-- For binary upgrade, set up typed tables this way.\nALTER TABLE ONLY %s OF %s;\n", name, type->formatted);
}

/* ------------------------------------------------------------------ transaction ids, state */

static void transaction_ids(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *relation, const char *name)
{
    pgc_buffer_format(out,
                      "\n-- For binary upgrade, set heap's relfrozenxid and relminmxid\nUPDATE pg_catalog.pg_class\n"
                      "SET relfrozenxid = '%u', relminmxid = '%u'\nWHERE oid = %s::pg_catalog.regclass;\n",
                      relation->frozen_xid, relation->min_multixid, pgc_ddl_literal(ddl, name));
    if (relation->toast_oid)
        pgc_buffer_format(out,
                          "\n-- For binary upgrade, set toast's relfrozenxid and relminmxid\nUPDATE pg_catalog.pg_class\n"
                          "SET relfrozenxid = '%u', relminmxid = '%u'\nWHERE oid = '%u';\n",
                          relation->toast_frozen_xid, relation->toast_min_multixid, relation->toast_oid);
}

void pgc_ddl_upgrade_table(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *relation, const char *name)
{
    missing_values(ddl, out, relation, name);
    if (relation->kind != PGC_RELKIND_MATVIEW) {
        (ddl->version >= 170000 ? columns_together : columns_one_by_one)(ddl, out, relation, name);
        inheritance(ddl, out, relation, name);
    }
    if (relation->kind == PGC_RELKIND_TABLE || relation->kind == PGC_RELKIND_MATVIEW)
        transaction_ids(ddl, out, relation, name);
    /* its rows come with its file, whatever state those views are in that it reads */
    if (relation->kind == PGC_RELKIND_MATVIEW && relation->populated)
        pgc_buffer_format(out,
                          "\n-- For binary upgrade, mark materialized view as populated\nUPDATE pg_catalog.pg_class\n"
                          "SET relispopulated = 't'\nWHERE oid = %s::pg_catalog.regclass;\n",
                          pgc_ddl_literal(ddl, name));
}
