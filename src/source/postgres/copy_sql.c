/*
 * A whole table is read by COPY's own scan, anything else by a query. TRUNCATE and the forms of ALTER TABLE that
 * rewrite a table are not held back by a snapshot: read afterwards, the table looks empty. So the relation is locked
 * first (the lock lasts as long as the reader's transaction) and its file in the snapshot compared with its file now.
 *
 * COPY takes names as they are now, and rows as they were: a column that was dropped and added again, or that has
 * changed names with another, would be read in the place of the one that was meant. So is a table. What a name stood for
 * in the snapshot is told by the catalog, which is read like any table; what it stands for now is told by functions that
 * look names up as a command does.
 */
#include "source/postgres/copy_sql.h"
#include "postgres/value.h"

void pgc_copy_plan_make(pgc_copy_plan *plan, const pgconvoy_table *table, const pgconvoy_format *formats, bool raw_only)
{
    int text = 0;
    for (int i = 0; i < table->column_count; i++) {
        plan->as_text[i] = !formats || formats[i] != PGCONVOY_BINARY || !pgc_types_can_send(table->columns[i].type);
        text += plan->as_text[i];
    }
    /* without columns either form will do: what was asked for cannot be seen, and binary rows are the shorter */
    bool all_text = text > 0 && (raw_only || text == table->column_count);
    plan->format = all_text ? PGCONVOY_TEXT : PGCONVOY_BINARY;
    plan->has_casts = !all_text && text > 0;
    if (all_text)
        memset(plan->as_text, 0, (size_t)table->column_count * sizeof *plan->as_text);
}

/*
 * Is CAST (column AS text) what the type's output function gives? Not where a cast function exists: true for 't',
 * blanks of char(n) trimmed, a netmask added to inet. Users can make casts for their own types.
 */
static bool cast_is_output(const pgconvoy_type *type)
{
    type = pgc_type_base(type);
    if (strcmp(type->schema, "pg_catalog") != 0)
        return false;
    switch (type->oid) {
    case PGC_BOOL:
    case PGC_CHAR:
    case PGC_BPCHAR:
    case PGC_NAME:
    case PGC_INET:
    case PGC_CIDR:
    case PGC_XML:
        return false;
    default:
        return true;
    }
}

static void column_as_text(const pgconvoy_column *column, pgc_buffer *sql)
{
    if (cast_is_output(column->type)) {
        pgc_quote_identifier(sql, column->name);
        pgc_buffer_text(sql, "::pg_catalog.text");
        return;
    }
    /* not IS NULL, which is true for a row value that has nothing but NULLs in it */
    pgc_buffer_text(sql, "CASE WHEN pg_catalog.num_nulls(");
    pgc_quote_identifier(sql, column->name);
    pgc_buffer_text(sql, ") = 0 THEN pg_catalog.format('%s', ");
    pgc_quote_identifier(sql, column->name);
    pgc_buffer_text(sql, ") END");
}

static void column_list(const pgconvoy_table *table, const pgc_copy_plan *plan, pgc_buffer *sql)
{
    for (int i = 0; i < table->column_count; i++) {
        if (i)
            pgc_buffer_text(sql, ", ");
        if (plan->as_text[i])
            column_as_text(&table->columns[i], sql);
        else
            pgc_quote_identifier(sql, table->columns[i].name);
    }
}

static void conditions(const pgc_range *range, const char *row_filter, pgc_buffer *sql)
{
    const char *word = " WHERE ";
    if (range->first_block >= 0) {
        pgc_buffer_format(sql, "%sctid >= '(%lld,0)'::pg_catalog.tid", word, (long long)range->first_block);
        word = " AND ";
    }
    if (range->end_block >= 0) {
        pgc_buffer_format(sql, "%sctid < '(%lld,0)'::pg_catalog.tid", word, (long long)range->end_block);
        word = " AND ";
    }
    if (row_filter) {
        pgc_buffer_text(sql, word);
        pgc_buffer_byte(sql, '(');
        pgc_buffer_text(sql, row_filter);
        pgc_buffer_byte(sql, ')');
    }
}

static const pgc_part *part_of(const pgc_source_table *own, uint32_t oid)
{
    for (int i = 0; i < own->part_count; i++)
        if (own->parts[i].oid == oid)
            return &own->parts[i];
    return NULL;
}

/* COPY takes a table by name only as a whole, and no generated columns. */
static bool is_plain(const pgc_source_table *own, const pgc_range *range, const pgc_copy_plan *plan)
{
    if (range->first_block >= 0 || range->end_block >= 0 || own->row_filter || plan->has_casts ||
        own->part_count == 0 || own->table.column_count == 0)
        return false;
    for (int i = 0; i < own->table.column_count; i++)
        if (own->table.columns[i].generated)
            return false;
    return true;
}

/* The columns as they are known, by their numbers, against the table's in the snapshot. */
static void same_as_known(const pgc_source_table *own, pgc_buffer *sql)
{
    bool any = false;
    pgc_buffer_format(
        sql, "(SELECT t.relnatts = %d FROM pg_catalog.pg_class t WHERE t.oid = %u)", own->natts, own->table.oid);
    for (int i = 0; i < own->table.column_count; i++) {
        const pgconvoy_column *column = &own->table.columns[i];
        if (column->number == 0)
            continue;
        pgc_buffer_text(sql, any ? ", " : " AND NOT EXISTS (SELECT FROM (VALUES ");
        pgc_buffer_format(sql, "(%d, %u::pg_catalog.oid, %d, ", column->number, column->type->oid, column->typmod);
        pgc_quote_literal(sql, column->name);
        pgc_buffer_byte(sql, ')');
        any = true;
    }
    if (any)
        pgc_buffer_format(sql,
                          ") k (number, type, typmod, name) LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = %u AND "
                          "a.attnum = k.number WHERE (a.attname, a.atttypid, a.atttypmod) IS DISTINCT FROM "
                          "(k.name::pg_catalog.name, k.type, k.typmod))",
                          own->table.oid);
}

/* One row: whether the relation has its file still, and whether names mean what they meant. */
static void unchanged_sql(const pgc_source_table *own, uint32_t relation, const char *name, pgc_buffer *sql)
{
    pgc_buffer_text(sql, "SELECT c.relfilenode = pg_catalog.pg_relation_filenode(c.oid), CASE WHEN c.oid IS DISTINCT FROM "
                         "pg_catalog.to_regclass(");
    pgc_quote_literal(sql, name);
    pgc_buffer_text(
        sql, ")::pg_catalog.oid THEN false ELSE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = "
             "c.oid AND a.attnum > 0 AND NOT a.attisdropped AND (pg_catalog.pg_identify_object_as_address("
             "'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, a.attnum)).object_names[3] IS DISTINCT FROM "
             "a.attname) AND ");
    same_as_known(own, sql);
    pgc_buffer_format(sql, " END FROM pg_catalog.pg_class c WHERE c.oid = %u; COPY ", relation);
}

int pgc_copy_sql(const pgc_range *range, const pgc_copy_plan *plan, pgc_buffer *sql, pgconvoy_error *err)
{
    const pgc_source_table *own = (const pgc_source_table *)range->table; /* the source's own pointer */
    const pgc_part *part = part_of(own, range->relation_oid);
    pgc_buffer name;
    pgc_buffer_init(&name, 4096);
    pgc_quote_qualified(&name, part ? part->schema : own->table.schema, part ? part->name : own->table.name);
    if (pgc_buffer_check(&name, err) != 0) {
        pgc_buffer_free(&name);
        return -1;
    }
    pgc_buffer_format(sql, "SELECT FROM ONLY %s WHERE false; ", name.data);
    unchanged_sql(own, range->relation_oid, name.data, sql);
    if (is_plain(own, range, plan)) {
        pgc_buffer_text(sql, name.data);
        pgc_buffer_text(sql, " (");
        column_list(range->table, plan, sql);
        pgc_buffer_byte(sql, ')');
    } else {
        pgc_buffer_text(sql, "(SELECT ");
        column_list(range->table, plan, sql);
        pgc_buffer_format(sql, " FROM ONLY %s", name.data);
        conditions(range, own->row_filter, sql);
        pgc_buffer_byte(sql, ')');
    }
    pgc_buffer_text(sql, plan->format == PGCONVOY_BINARY ? " TO STDOUT (FORMAT binary)" : " TO STDOUT");
    pgc_buffer_free(&name);
    return pgc_buffer_check(sql, err);
}
