/*
 * Rows as INSERT commands. They are read through a cursor, so that the server makes the same plan, and gives the same order, as for any other dump, and row by row, so that no more than one row is held however
 * large rows are.
 */
#include "archive/data_internal.h"
#include "postgres/connection.h"
#include "postgres/quote.h"

#define PIECE_BYTES (256 << 10)
#define MOST_BYTES  ((size_t)INT32_MAX) /* of one row, which the server bounds to 1 GB, quoted */

/* Types by their oids in pg_type, which never change. */
enum { BOOL = 16, INT8 = 20, INT2 = 21, INT4 = 23, OID = 26, FLOAT4 = 700, FLOAT8 = 701, BIT = 1560, VARBIT = 1562, NUMERIC = 1700 };

static const char fetch_rows[] = "FETCH ALL FROM pgconvoy_rows";

typedef struct inserter {
    pgc_data_source *source;
    pgc_buffer out;
    const char *beginning; /* INSERT INTO … VALUES */
    bool *generated;       /* for each field: it is written as DEFAULT */
    int field_count;
    int rows_per_command, rows_in_command;
} inserter;

/* Numbers stand without quotes, but NaN and the infinities are no numbers to the parser. */
static void append_number(inserter *inserter, const char *value)
{
    size_t length = strlen(value);
    if (strspn(value, "0123456789 +-eE.") == length)
        pgc_buffer_append(&inserter->out, value, length);
    else
        pgc_buffer_format(&inserter->out, "'%s'", value);
}

static void append_bits(inserter *inserter, const char *value)
{
    pgc_buffer_format(&inserter->out, "B'%s'", value);
}

static void append_bool(inserter *inserter, const char *value)
{
    pgc_buffer_text(&inserter->out, strcmp(value, "t") == 0 ? "true" : "false");
}

/* A quote is doubled; a backslash is none in a dump's literals (standard_conforming_strings), and no encoding of a client has a quote inside of a longer character. */
static void append_literal(inserter *inserter, const char *value)
{
    pgc_quote_literal(&inserter->out, value);
}

typedef void append_value(inserter *inserter, const char *value);

static append_value *value_form(Oid type)
{
    switch (type) {
    case INT2: case INT4: case INT8: case OID: case FLOAT4: case FLOAT8: case NUMERIC:
        return append_number;
    case BIT: case VARBIT:
        return append_bits;
    case BOOL:
        return append_bool;
    default:
        return append_literal;
    }
}

/*
 * SELECT the columns. One that is generated is left out where columns are named; else it is read as NULL, which is cheaper than its value, and written as DEFAULT.
 */
static int append_query(inserter *inserter, pgc_buffer *sql, pgconvoy_error *err)
{
    pgc_data_source *source = inserter->source;
    const pgc_table_data *data = source->table;
    const pgc_relation *table = data->relation;
    inserter->generated = pgc_arena_zalloc(source->ddl.scratch, sizeof *inserter->generated * (size_t)(table->column_count + 1));
    if (!inserter->generated)
        return pgc_error_out_of_memory(err);
    pgc_buffer_text(sql, "DECLARE pgconvoy_rows CURSOR FOR SELECT ");
    for (int i = 0; i < table->column_count; i++) {
        const pgc_column *column = &table->columns[i];
        if (column->dropped || (column->generated && source->options->column_inserts))
            continue;
        pgc_buffer_format(sql, "%s%s", inserter->field_count ? ", " : "", column->generated ? "NULL" : pgc_ddl_name(&source->ddl, column->name));
        inserter->generated[inserter->field_count++] = column->generated != 0;
    }
    pgc_buffer_format(sql, " FROM ONLY %s", pgc_ddl_object_name(&source->ddl, &table->object));
    if (data->filter)
        pgc_buffer_format(sql, " %s", data->filter);
    pgc_data_append_blocks(sql, source->blocks);
    return pgc_buffer_check(sql, err);
}

/* All of the command that does not depend on the row; of a table without columns, the whole command. */
static int make_beginning(inserter *inserter, pgconvoy_error *err)
{
    pgc_data_source *source = inserter->source;
    const pgc_relation *table = source->table->relation;
    pgc_buffer *out = &inserter->out;
    pgc_buffer_format(out, "INSERT INTO %s ", pgc_ddl_object_name(&source->ddl, &pgc_data_target_table(source)->object));
    if (inserter->field_count == 0) {
        pgc_buffer_text(out, "DEFAULT VALUES;\n");
    } else {
        const char *before = "(";
        for (int i = 0; source->options->column_inserts && i < table->column_count; i++)
            if (!table->columns[i].dropped && !table->columns[i].generated) {
                pgc_buffer_format(out, "%s%s", before, pgc_ddl_name(&source->ddl, table->columns[i].name));
                before = ", ";
            }
        pgc_buffer_format(out, "%s%sVALUES", source->options->column_inserts ? ") " : "", table->needs_overriding ? "OVERRIDING SYSTEM VALUE " : "");
    }
    if (pgc_buffer_check(out, err))
        return -1;
    inserter->beginning = pgc_arena_strndup(source->ddl.scratch, out->data, out->length);
    pgc_buffer_reset(out);
    return inserter->beginning ? 0 : pgc_error_out_of_memory(err);
}

static void end_command(inserter *inserter)
{
    pgc_buffer_text(&inserter->out, inserter->source->options->on_conflict_do_nothing ? " ON CONFLICT DO NOTHING;\n" : ";\n");
    inserter->rows_in_command = 0;
}

static void append_row(inserter *inserter, const PGresult *row)
{
    pgc_buffer *out = &inserter->out;
    if (inserter->rows_in_command == 0)
        pgc_buffer_text(out, inserter->beginning);
    if (inserter->field_count == 0)
        return;
    if (inserter->rows_per_command == 1)
        pgc_buffer_text(out, " (");
    else
        pgc_buffer_text(out, inserter->rows_in_command > 0 ? ",\n\t(" : "\n\t(");
    for (int field = 0; field < inserter->field_count; field++) {
        if (field > 0)
            pgc_buffer_text(out, ", ");
        if (inserter->generated[field])
            pgc_buffer_text(out, "DEFAULT");
        else if (PQgetisnull(row, 0, field))
            pgc_buffer_text(out, "NULL");
        else
            value_form(PQftype(row, field))(inserter, PQgetvalue(row, 0, field));
    }
    pgc_buffer_byte(out, ')');
    if (++inserter->rows_in_command >= inserter->rows_per_command)
        end_command(inserter);
}

static int flush(inserter *inserter, pgconvoy_error *err)
{
    if (pgc_buffer_check(&inserter->out, err))
        return -1;
    int result = pgc_data_emit(inserter->source, inserter->out.data, inserter->out.length, err);
    pgc_buffer_reset(&inserter->out);
    return result;
}

static int take_row(inserter *inserter, const PGresult *row, pgconvoy_error *err)
{
    switch (PQresultStatus(row)) {
    case PGRES_TUPLES_OK: /* the end */
        return 0;
    case PGRES_SINGLE_TUPLE:
        append_row(inserter, row);
        inserter->source->totals->rows++;
        return inserter->out.length < PIECE_BYTES && !inserter->out.failed ? 0 : flush(inserter, err);
    default:
        pgc_connection_error(inserter->source->conn, row, fetch_rows, err);
        return -1;
    }
}

static int write_rows(inserter *inserter, const char *query, pgconvoy_error *err)
{
    PGconn *conn = inserter->source->conn;
    if (pgc_execute(conn, query, err))
        return -1;
    if (!PQsendQuery(conn, fetch_rows) || !PQsetSingleRowMode(conn)) {
        pgc_connection_error(conn, NULL, fetch_rows, err);
        return -1;
    }
    int result = 0;
    PGresult *row;
    while (result == 0 && (row = PQgetResult(conn))) {
        result = take_row(inserter, row, err);
        PQclear(row);
    }
    if (result)
        return result;
    if (inserter->rows_in_command > 0)
        end_command(inserter);
    if (inserter->source->blocks.end < 0)
        pgc_buffer_text(&inserter->out, "\n\n");
    if (flush(inserter, err))
        return -1;
    return pgc_execute(conn, "CLOSE pgconvoy_rows", err);
}

int pgc_data_insert_rows(pgc_data_source *source, pgconvoy_error *err)
{
    inserter inserter = {
        .source = source,
        .rows_per_command = source->options->rows_per_insert > 0 ? source->options->rows_per_insert : 1,
    };
    pgc_buffer_init(&inserter.out, MOST_BYTES);
    pgc_buffer query;
    pgc_buffer_init(&query, 2 << 20);
    int result = append_query(&inserter, &query, err);
    if (result == 0)
        result = make_beginning(&inserter, err);
    if (result == 0)
        result = write_rows(&inserter, query.data, err);
    pgc_buffer_free(&query);
    pgc_buffer_free(&inserter.out);
    return result;
}
