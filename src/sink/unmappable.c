/* See unmappable.h. */
#include "sink/unmappable.h"

#include "base/log.h"
#include "postgres/value.h"

#define KEY_TEXT 120

void pgc_unmappable_put_key(const pgconvoy_table *table, const pgconvoy_value *row, const pgconvoy_value *key,
                            pgc_buffer *out)
{
    for (int i = 0; (row || key) && i < table->key_count; i++) {
        const pgconvoy_value *value = row ? &row[table->key[i]] : &key[i];
        const pgconvoy_column *column = &table->columns[table->key[i]];
        pgc_buffer text;
        pgconvoy_error unread;
        pgc_buffer_init(&text, (size_t)64 << 20);
        bool known = value->length >= 0 && pgc_value_to_text(column->type, value, &text, &unread) == 0 && text.data;
        pgc_buffer_format(out, "%s%s = %.*s", i > 0 ? ", " : "", column->name, KEY_TEXT, known ? text.data : "?");
        pgc_buffer_free(&text);
    }
}

void pgc_unmappable_say_where(const pgconvoy_table *table, const char *name, const pgconvoy_value *row,
                              const pgconvoy_value *key, pgconvoy_error *err)
{
    pgc_buffer which;
    pgc_buffer_init(&which, 4096);
    pgc_unmappable_put_key(table, row, key, &which);
    pgc_error_prefix(err, "column %s of table %s.%s%s%s", name, table->schema, table->name,
                     which.length ? ", row with " : "", which.length ? which.data : "");
    pgc_buffer_free(&which);
}

void pgc_unmappable_leave_out(pgconvoy_log *log, bool *warned, pgconvoy_error *err)
{
    pgconvoy_log_write(log, *warned ? PGCONVOY_LOG_DEBUG : PGCONVOY_LOG_WARNING, "%s; the value becomes NULL",
                       err->message);
    *warned = true;
    pgc_error_clear(err);
}
