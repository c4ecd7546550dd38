/*
 * A whole table is read by COPY's own scan, anything else by a query. TRUNCATE and the forms of ALTER TABLE that
 * rewrite a table are not held back by a snapshot: read afterwards, the table looks empty. So the relation is locked
 * first (the lock lasts as long as the reader's transaction) and its file in the snapshot compared with its file now.
 */
#include "source/postgres/copy_sql.h"
#include "postgres/value.h"

static const pgconvoy_type *base_of(const pgconvoy_type *type)
{
    while (type->kind == PGCONVOY_TYPE_DOMAIN && type->element)
        type = type->element;
    return type;
}

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
    type = base_of(type);
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
    pgc_buffer_format(
        sql, "SELECT relfilenode = pg_catalog.pg_relation_filenode(oid) FROM pg_catalog.pg_class WHERE oid = %u; COPY ",
        range->relation_oid);
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
