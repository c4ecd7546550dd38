/*
 * Queries over rows. A row's canonical form is the text of ROW(its columns by name): it depends neither on the order of
 * the columns nor, with the settings of our connections, on the server's version or locale, and tells NULL from an
 * empty string. Its 64-bit hash is summed up exactly (sum of bigint is numeric), so that a range is one line however
 * its rows stand.
 */
#include "inspect/verify/verify_internal.h"

/* The hash of a text as bigint. */
static void hash_of(const pgc_verify *verify, const char *before, pgc_buffer *out, const pgc_buffer *text)
{
    pgc_buffer_text(out, before);
    pgc_buffer_text(out, verify->by_md5 ? "('x' || substr(md5(" : "hashtextextended(");
    if (verify->as_utf8)
        pgc_buffer_text(out, "encode(convert_to(");
    pgc_buffer_append(out, text->data, text->length);
    if (verify->as_utf8)
        pgc_buffer_text(out, ", 'UTF8'), 'base64')");
    pgc_buffer_text(out, verify->by_md5 ? "), 1, 16))::bit(64)::bigint" : " COLLATE \"C\", 0)");
    if (text->failed)
        out->failed = true;
}

static void column(const verify_column *column, int side, pgc_buffer *out)
{
    pgc_buffer_text(out, "t.");
    pgc_quote_identifier(out, column->at[side]);
}

void verify_sql_hash(const pgc_verify *verify, const verify_table *table, int side, pgc_buffer *out)
{
    pgc_buffer row;
    pgc_buffer_init(&row, VERIFY_SQL_LIMIT);
    pgc_buffer_text(&row, "ROW(");
    for (int i = 0; i < table->column_count; i++) {
        pgc_buffer_text(&row, i ? ", " : "");
        column(&table->columns[i], side, &row);
    }
    pgc_buffer_text(&row, ")::text");
    hash_of(verify, "", out, &row);
    pgc_buffer_free(&row);
}

void verify_sql_key_part(const pgc_verify *verify, const verify_table *table, int side, int part, pgc_buffer *out)
{
    if (table->key_count)
        column(&table->columns[table->keys[part]], side, out);
    else
        verify_sql_hash(verify, table, side, out);
}

void verify_sql_keys(const pgc_verify *verify, const verify_table *table, int side, pgc_buffer *out)
{
    for (int part = 0; part < verify_key_parts(table); part++) {
        pgc_buffer_text(out, part ? ", " : "");
        verify_sql_key_part(verify, table, side, part, out);
    }
}

static const char *type_of(const verify_table *table, int side, int part)
{
    return table->key_count ? table->columns[table->keys[part]].type[side] : "bigint";
}

/* 'value'::type, … */
static void literals(const verify_table *table, int side, const char *const *key, pgc_buffer *out)
{
    for (int part = 0; part < verify_key_parts(table); part++) {
        pgc_buffer_text(out, part ? ", " : "");
        pgc_quote_literal(out, key[part]);
        pgc_buffer_format(out, "::%s", type_of(table, side, part));
    }
}

void verify_sql_name(const verify_table *table, int side, pgc_buffer *out)
{
    pgc_quote_qualified(out, table->at[side].schema, table->at[side].name);
}

/* A sample is chosen by a hash of the key, so that both ends choose the same rows. */
static void sample(const pgc_verify *verify, const verify_table *table, int side, pgc_buffer *out)
{
    pgc_buffer keys;
    pgc_buffer_init(&keys, VERIFY_SQL_LIMIT);
    pgc_buffer_text(&keys, "ROW(");
    verify_sql_keys(verify, table, side, &keys);
    pgc_buffer_text(&keys, ", 'sample')::text");
    hash_of(verify, " AND abs(", out, &keys);
    pgc_buffer_format(out, " %% 100000) < %d", (int)(verify->options->sample * 1000));
    pgc_buffer_free(&keys);
}

void verify_sql_from(const pgc_verify *verify, const verify_table *table, int side, pgc_buffer *out)
{
    pgc_buffer_format(out, " FROM %s", table->only[side] ? "ONLY " : "");
    verify_sql_name(table, side, out);
    pgc_buffer_text(out, " AS t WHERE true");
    if (side == VERIFY_SOURCE && table->filter)
        pgc_buffer_format(out, " AND (%s)", table->filter);
    if (table->where && (side == VERIFY_SOURCE || !table->mapped)) /* it speaks of the source's names */
        pgc_buffer_format(out, " AND (%s\n)", table->where);
    if (verify->options->sample < 100)
        sample(verify, table, side, out);
}

static void bound(const pgc_verify *verify, const verify_table *table, int side, const char *comparison,
                  const char *const *key, pgc_buffer *out)
{
    bool many = verify_key_parts(table) > 1;
    pgc_buffer_text(out, many ? " AND (" : " AND ");
    verify_sql_keys(verify, table, side, out);
    pgc_buffer_format(out, "%s %s %s", many ? ")" : "", comparison, many ? "(" : "");
    literals(table, side, key, out);
    pgc_buffer_text(out, many ? ")" : "");
}

void verify_sql_range(const pgc_verify *verify, const verify_table *table, int side, const verify_range *range,
                      pgc_buffer *out)
{
    if (range->low)
        bound(verify, table, side, ">=", range->low, out);
    if (range->high)
        bound(verify, table, side, "<", range->high, out);
}

void verify_sql_bucket(const pgc_verify *verify, const verify_table *table, int side,
                       const char *const *const *thresholds, int count, pgc_buffer *out)
{
    bool many = verify_key_parts(table) > 1;
    pgc_buffer_format(out, "width_bucket(%s", many ? "ROW(" : "");
    if (many) {
        verify_sql_keys(verify, table, side, out);
        pgc_buffer_byte(out, ')');
    } else {
        pgc_buffer_byte(out, '(');
        verify_sql_key_part(verify, table, side, 0, out);
        pgc_buffer_format(out, ")::%s", type_of(table, side, 0));
    }
    pgc_buffer_text(out, ", ARRAY[");
    for (int i = 0; i < count; i++) {
        pgc_buffer_text(out, i ? ", " : "");
        pgc_buffer_text(out, many ? "ROW(" : "");
        literals(table, side, thresholds[i], out);
        pgc_buffer_text(out, many ? ")" : "");
    }
    pgc_buffer_text(out, "])");
}

void verify_sql_key_is_in(const pgc_verify *verify, const verify_table *table, int side, const char *const *const *keys,
                          int count, pgc_buffer *out)
{
    bool many = verify_key_parts(table) > 1;
    pgc_buffer_text(out, many ? " AND (" : " AND ");
    verify_sql_keys(verify, table, side, out);
    pgc_buffer_text(out, many ? ") IN (VALUES " : " IN (");
    for (int i = 0; i < count; i++) {
        pgc_buffer_text(out, i ? ", " : "");
        pgc_buffer_text(out, many ? "(" : "");
        literals(table, side, keys[i], out);
        pgc_buffer_text(out, many ? ")" : "");
    }
    pgc_buffer_byte(out, ')');
}

void verify_sql_value(const pgc_verify *verify, const verify_table *table, int side, pgc_buffer *out)
{
    pgc_buffer_text(out, "count(*)");
    if (!table->key_count)
        return; /* the key is the hash */
    pgc_buffer_text(out, " || ' ' || sum(");
    verify_sql_hash(verify, table, side, out);
    pgc_buffer_byte(out, ')');
}

void verify_sql_group(const verify_table *table, pgc_buffer *out)
{
    pgc_buffer_text(out, " GROUP BY ");
    for (int part = 0; part < verify_key_parts(table); part++)
        pgc_buffer_format(out, "%s%d", part ? ", " : "", part + 1);
}
