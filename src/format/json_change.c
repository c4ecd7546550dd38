/*
 * Changes as JSON lines. Most of a line is the same as in the line before: the names of a table's columns are escaped
 * once and kept (json_table.c), the transaction's part is made once for each transaction. What remains for a change are
 * its values.
 */
#include "format/json_change.h"

#include "base/clock.h"
#include "format/json_table.h"
#include "format/json_text.h"
#include "postgres/value.h"

#include <stdlib.h>

#define SHORT_BYTES 256 /* longer values are worth a call or two more */

struct pgc_json_writer {
    pgc_json_tables tables;
    pgc_buffer scratch; /* text of a value that came in binary */
    /* the transaction of the last line and its text: ,"commit_lsn":…,"xid":…,"time":… */
    pgconvoy_lsn commit_lsn;
    uint32_t xid;
    int64_t commit_time;
    char head[160];
    size_t head_length; /* 0: none yet */
    int64_t second;     /* whose text is in time */
    char time[PGC_TIME_TEXT_SIZE];
    size_t time_length;
    pgconvoy_lsn last_lsn;
};

pgc_json_writer *pgc_json_writer_new(void)
{
    pgc_json_writer *writer = calloc(1, sizeof *writer);
    if (writer)
        pgc_buffer_init(&writer->scratch, SIZE_MAX / 2);
    return writer;
}

void pgc_json_writer_free(pgc_json_writer *writer)
{
    if (!writer)
        return;
    pgc_json_tables_free(&writer->tables);
    pgc_buffer_free(&writer->scratch);
    free(writer);
}

void pgc_json_writer_begin(pgc_json_writer *writer)
{
    writer->tables.generation++;
    if (writer->scratch.capacity > 1 << 20)
        pgc_buffer_free(&writer->scratch); /* one huge value should not pin its memory */
}

/* ---- small pieces, into room that the caller reserved */

static char *put(char *to, const char *text, size_t length)
{
    memcpy(to, text, length);
    return to + length;
}
#define PUT(to, literal) put(to, literal, sizeof literal - 1)

static char *put_hex(char *to, uint32_t value)
{
    static const char digits[] = "0123456789ABCDEF";
    int shift = value ? (31 - __builtin_clz(value)) & ~3 : 0;
    for (; shift >= 0; shift -= 4)
        *to++ = digits[value >> shift & 15];
    return to;
}

static char *put_lsn(char *to, pgconvoy_lsn lsn)
{
    *to++ = '"';
    to = put_hex(to, (uint32_t)(lsn >> 32));
    *to++ = '/';
    to = put_hex(to, (uint32_t)lsn);
    *to++ = '"';
    return to;
}

static char *put_unsigned(char *to, uint32_t value)
{
    char digits[10];
    int n = 0;
    do
        digits[n++] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    while (n > 0)
        *to++ = digits[--n];
    return to;
}

/* Of two commits in one second only the microseconds differ. */
static char *put_time(pgc_json_writer *writer, char *to, int64_t unix_us)
{
    int64_t second = unix_us / 1000000, us = unix_us % 1000000;
    if (us < 0 || second != writer->second || writer->time_length == 0) {
        writer->time_length = pgc_time_to_text(unix_us, writer->time);
        writer->second = us < 0 ? INT64_MIN : second;
    } else
        for (char *digit = writer->time + writer->time_length - 2, *first = digit - 5; digit >= first; us /= 10)
            *digit-- = (char)('0' + us % 10);
    return put(to, writer->time, writer->time_length);
}

static void remember_transaction(pgc_json_writer *writer, const pgconvoy_transaction *transaction)
{
    if (writer->head_length > 0 && writer->commit_lsn == transaction->commit_lsn && writer->xid == transaction->xid &&
        writer->commit_time == transaction->commit_time)
        return;
    writer->commit_lsn = transaction->commit_lsn;
    writer->xid = transaction->xid;
    writer->commit_time = transaction->commit_time;
    char *to = PUT(writer->head, ",\"commit_lsn\":");
    to = put_lsn(to, transaction->commit_lsn);
    to = PUT(to, ",\"xid\":");
    to = put_unsigned(to, transaction->xid);
    to = PUT(to, ",\"time\":\"");
    to = put_time(writer, to, transaction->commit_time);
    *to++ = '"';
    writer->head_length = (size_t)(to - writer->head);
}

static const struct {
    const char *text;
    size_t length;
} openings[] = {
#define OPENING(name)                                                                                                  \
    {                                                                                                                  \
        "{\"op\":\"" name "\",\"lsn\":", sizeof "{\"op\":\"" name "\",\"lsn\":" - 1                                    \
    }
    [0] = OPENING("copy"),
    [PGCONVOY_BEGIN] = OPENING("begin"),
    [PGCONVOY_INSERT] = OPENING("insert"),
    [PGCONVOY_UPDATE] = OPENING("update"),
    [PGCONVOY_DELETE] = OPENING("delete"),
    [PGCONVOY_TRUNCATE] = OPENING("truncate"),
    [PGCONVOY_MESSAGE] = OPENING("message"),
    [PGCONVOY_SCHEMA] = OPENING("schema"),
    [PGCONVOY_COMMIT] = OPENING("commit"),
    [PGCONVOY_DDL] = OPENING("ddl"),
};

/* {"op":…,"lsn":… and, with a transaction, its part; with sequence >= 0 that too. */
static void write_head(pgc_json_writer *writer, int operation, pgconvoy_lsn lsn,
                       const pgconvoy_transaction *transaction, int64_t sequence, pgc_buffer *out)
{
    if (transaction)
        remember_transaction(writer, transaction);
    writer->last_lsn = lsn;
    if (!pgc_buffer_reserve(out, 64 + sizeof writer->head + 32))
        return;
    char *to = out->data + out->length;
    to = put(to, openings[operation].text, openings[operation].length);
    to = put_lsn(to, lsn);
    if (transaction)
        to = put(to, writer->head, writer->head_length);
    if (sequence >= 0) {
        to = PUT(to, ",\"seq\":");
        to = put_unsigned(to, (uint32_t)sequence);
    }
    out->length = (size_t)(to - out->data);
}

/* ---- values */

static void write_text_value(const pgc_json_column *column, const char *data, size_t length, pgc_buffer *out)
{
    switch (column->kind) {
    case PGC_JSON_NUMBER:
        if (!pgc_json_is_number(data, length))
            break; /* NaN and the infinities */
        pgc_buffer_append(out, data, length);
        return;
    case PGC_JSON_BOOL:
        if (length > 0 && data[0] == 't')
            pgc_buffer_append(out, "true", 4);
        else
            pgc_buffer_append(out, "false", 5);
        return;
    case PGC_JSON_JSON:
        pgc_json_verbatim(out, data, length);
        return;
    case PGC_JSON_STRING:
        break;
    }
    pgc_json_string_n(out, data, length);
}

static int write_value(pgc_json_writer *writer, const pgc_json_column *column, const pgconvoy_value *value,
                       pgc_buffer *out, pgconvoy_error *err)
{
    if (value->length < 0) {
        pgc_buffer_append(out, "null", 4);
        return 0;
    }
    if (value->format == PGCONVOY_TEXT) {
        write_text_value(column, value->data, (size_t)value->length, out);
        return 0;
    }
    pgc_buffer_reset(&writer->scratch);
    if (pgc_value_to_text(column->type, value, &writer->scratch, err) != 0 ||
        pgc_buffer_check(&writer->scratch, err) != 0)
        return -1;
    write_text_value(column, writer->scratch.data ? writer->scratch.data : "", writer->scratch.length, out);
    return 0;
}

/* Short values, the most of all: name and value into room that is reserved once. False: left to write_value. */
static inline bool write_short(const pgc_json_column *column, size_t comma, const pgconvoy_value *value,
                               pgc_buffer *out)
{
    int32_t length = value->length;
    if (length > SHORT_BYTES || (length >= 0 && (value->format != PGCONVOY_TEXT || column->kind == PGC_JSON_JSON)))
        return false;
    size_t needed = column->label_length + 6 * SHORT_BYTES + 8;
    if (out->capacity - out->length <= needed && !pgc_buffer_reserve(out, needed))
        return true; /* the failure sticks to out */
    char *to = put(out->data + out->length, column->label + comma, column->label_length - comma);
    if (length < 0)
        to = PUT(to, "null");
    else if (column->kind == PGC_JSON_NUMBER && pgc_json_is_number(value->data, (size_t)length))
        to = put(to, value->data, (size_t)length);
    else if (column->kind == PGC_JSON_BOOL)
        to = length > 0 && value->data[0] == 't' ? PUT(to, "true") : PUT(to, "false");
    else
        to = pgc_json_put_string(to, value->data, (size_t)length);
    out->length = (size_t)(to - out->data);
    return true;
}

/* Appends {…} with the count columns that which lists (NULL: the first count). Unchanged values are left out. */
static int write_object(pgc_json_writer *writer, const pgc_json_table *table, const int *which, int count,
                        const pgconvoy_value *values, const pgconvoy_value *fallback, pgc_buffer *out,
                        pgconvoy_error *err)
{
    size_t comma = 1; /* the first name goes without the comma it is kept with */
    pgc_buffer_byte(out, '{');
    for (int n = 0; n < count; n++) {
        int i = which ? which[n] : n;
        const pgconvoy_value *value = &values[i];
        if (value->length == PGCONVOY_UNCHANGED && fallback)
            value = &fallback[i];
        if (value->length == PGCONVOY_UNCHANGED)
            continue;
        const pgc_json_column *column = &table->columns[i];
        if (!write_short(column, comma, value, out)) {
            pgc_buffer_append(out, column->label + comma, column->label_length - comma);
            if (write_value(writer, column, value, out, err) != 0) {
                pgc_error_prefix(err, "column %s of table %s.%s", table->table->columns[i].name, table->table->schema,
                                 table->table->name);
                return -1;
            }
        }
        comma = 0;
    }
    pgc_buffer_byte(out, '}');
    return 0;
}

/* ,"unchanged":["a","b"] when there are any. */
static void write_unchanged(const pgc_json_table *table, const pgconvoy_value *values, pgc_buffer *out)
{
    bool any = false;
    for (int i = 0; i < table->column_count; i++) {
        if (values[i].length != PGCONVOY_UNCHANGED)
            continue;
        const pgc_json_column *column = &table->columns[i];
        if (!any)
            pgc_buffer_text(out, ",\"unchanged\":[");
        /* the label is ,"name": and the list wants "name" */
        pgc_buffer_append(out, column->label + !any, column->label_length - 1 - !any);
        any = true;
    }
    if (any)
        pgc_buffer_byte(out, ']');
}

/* ,"schema":…,"table":…,"key":{…} and then "old" and "new" where they are given; ends the line. */
static int write_row_body(pgc_json_writer *writer, const pgc_json_table *table, const pgconvoy_value *old,
                          char old_kind, const pgconvoy_value *new_values, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_buffer_append(out, table->prefix, table->prefix_length);
    const pgconvoy_value *first = old ? old : new_values;
    if (!first)
        pgc_buffer_append(out, "{}", 2);
    else if (write_object(writer, table, table->key, table->key_count, first, old ? new_values : NULL, out, err) != 0)
        return -1;
    if (old) {
        bool key_only = old_kind == 'K';
        pgc_buffer_text(out, ",\"old\":");
        if (write_object(writer, table, key_only ? table->key : NULL, key_only ? table->key_count : table->column_count,
                         old, NULL, out, err) != 0)
            return -1;
    }
    if (new_values) {
        pgc_buffer_append(out, ",\"new\":", 7);
        if (write_object(writer, table, NULL, table->column_count, new_values, NULL, out, err) != 0)
            return -1;
        write_unchanged(table, new_values, out);
    }
    pgc_buffer_append(out, "}\n", 2);
    return 0;
}

/* ---- lines */

/* Takes back what a failed line left, so that out holds whole lines only. */
static int end_line(pgc_buffer *out, size_t start, int result, pgconvoy_error *err)
{
    if (result == 0)
        result = pgc_buffer_check(out, err);
    if (result != 0) {
        out->length = start;
        if (out->data)
            out->data[start] = '\0';
    }
    return result;
}

int pgc_json_write_row(pgc_json_writer *writer, const pgconvoy_rows *rows, size_t row, pgc_buffer *out,
                       pgconvoy_error *err)
{
    const pgc_json_table *table = pgc_json_tables_get(&writer->tables, rows->table, err);
    if (!table)
        return -1;
    size_t start = out->length;
    write_head(writer, 0, rows->snapshot_lsn, NULL, -1, out);
    int result = write_row_body(writer, table, NULL, 0, rows->values + row * (size_t)table->column_count, out, err);
    return end_line(out, start, result, err);
}

static void write_columns(const pgconvoy_table *table, pgc_buffer *out)
{
    pgc_buffer_text(out, ",\"schema\":");
    pgc_json_string(out, table->schema);
    pgc_buffer_text(out, ",\"table\":");
    pgc_json_string(out, table->name);
    pgc_buffer_text(out, ",\"columns\":[");
    for (int i = 0; i < table->column_count; i++) {
        const pgconvoy_column *column = &table->columns[i];
        pgc_buffer_text(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        pgc_json_string(out, column->name);
        pgc_buffer_text(out, ",\"type\":");
        pgc_json_string(out, column->type_sql ? column->type_sql : column->type->name);
        pgc_buffer_text(out, column->in_key ? ",\"key\":true}" : ",\"key\":false}");
    }
    pgc_buffer_text(out, "]}\n");
}

int pgc_json_write_schema(pgc_json_writer *writer, const pgconvoy_table *table, pgc_buffer *out, pgconvoy_error *err)
{
    size_t start = out->length;
    write_head(writer, PGCONVOY_SCHEMA, writer->last_lsn, NULL, -1, out);
    pgc_buffer_append(out, writer->head, writer->head_length);
    write_columns(table, out);
    return end_line(out, start, 0, err);
}

int pgc_json_write_restarted_copy(const pgconvoy_table *table, pgconvoy_lsn lsn, pgc_buffer *out, pgconvoy_error *err)
{
    char text[PGCONVOY_LSN_TEXT_SIZE];
    size_t start = out->length;
    pgc_buffer_format(out, "{\"op\":\"truncate\",\"lsn\":\"%s\",\"schema\":", pgconvoy_lsn_to_text(lsn, text));
    pgc_json_string(out, table->schema);
    pgc_buffer_text(out, ",\"table\":");
    pgc_json_string(out, table->name);
    pgc_buffer_text(out, ",\"restarted_copy\":true}\n");
    return end_line(out, start, 0, err);
}

static void write_truncate(const pgconvoy_change *change, const pgc_json_table *table, pgc_buffer *out)
{
    pgc_buffer_append(out, table->prefix, table->prefix_length - (sizeof ",\"key\":" - 1));
    if (change->flags & PGCONVOY_TRUNCATE_CASCADE)
        pgc_buffer_text(out, ",\"cascade\":true");
    if (change->flags & PGCONVOY_TRUNCATE_RESTART_IDENTITY)
        pgc_buffer_text(out, ",\"restart_identity\":true");
    pgc_buffer_append(out, "}\n", 2);
}

static void write_message(const pgconvoy_change *change, pgc_buffer *out)
{
    pgc_buffer_text(out, ",\"prefix\":");
    pgc_json_string(out, change->prefix ? change->prefix : "");
    const char *content = change->content ? change->content : "";
    if (pgc_json_is_plain_text(content, change->content_length)) {
        pgc_buffer_text(out, ",\"content\":");
        pgc_json_string_n(out, content, change->content_length);
    } else {
        pgc_buffer_text(out, ",\"content_base64\":");
        pgc_json_base64(out, content, change->content_length);
    }
    bool transactional = change->flags & PGCONVOY_MESSAGE_TRANSACTIONAL;
    pgc_buffer_text(out, transactional ? ",\"transactional\":true}\n" : ",\"transactional\":false}\n");
}

static void write_text(const char *key, const char *text, pgc_buffer *out)
{
    pgc_buffer_text(out, key);
    if (text)
        pgc_json_string(out, text);
    else
        pgc_buffer_text(out, "null");
}

static void write_ddl(const pgconvoy_ddl *ddl, pgc_buffer *out)
{
    write_text(",\"tag\":", ddl->tag, out);
    write_text(",\"command\":", ddl->command, out);
    write_text(",\"search_path\":", ddl->search_path, out);
    pgc_buffer_text(out, ",\"objects\":[");
    for (size_t i = 0; i < ddl->object_count; i++) {
        const pgconvoy_ddl_object *object = &ddl->objects[i];
        pgc_buffer_text(out, i ? "," : "");
        write_text("{\"type\":", object->type, out);
        write_text(",\"identity\":", object->identity, out);
        pgc_buffer_text(out, object->dropped ? ",\"dropped\":true}" : "}");
    }
    pgc_buffer_text(out, "]}\n");
}

/* The end of a BEGIN or COMMIT line. */
static void write_boundary(const pgconvoy_change *change, pgc_buffer *out)
{
    const pgconvoy_transaction *transaction = change->transaction;
    if (transaction && change->operation == PGCONVOY_COMMIT) {
        char text[PGCONVOY_LSN_TEXT_SIZE];
        pgc_buffer_text(out, ",\"end_lsn\":\"");
        pgc_buffer_text(out, pgconvoy_lsn_to_text(transaction->end_lsn, text));
        pgc_buffer_byte(out, '"');
    }
    if (transaction && transaction->origin) {
        pgc_buffer_text(out, ",\"origin\":");
        pgc_json_string(out, transaction->origin);
    }
    pgc_buffer_append(out, "}\n", 2);
}

int pgc_json_write_change(pgc_json_writer *writer, const pgconvoy_change *change, pgc_buffer *out, pgconvoy_error *err)
{
    int operation = change->operation;
    size_t start = out->length;
    const pgc_json_table *table = NULL;
    if (change->table && !(table = pgc_json_tables_get(&writer->tables, change->table, err)))
        return -1;
    bool is_boundary = operation == PGCONVOY_BEGIN || operation == PGCONVOY_COMMIT;
    if (operation < PGCONVOY_BEGIN || operation > PGCONVOY_DDL ||
        (!table && !is_boundary && operation != PGCONVOY_MESSAGE && operation != PGCONVOY_DDL)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "a change of kind %d came without a table", operation);
        return -1;
    }
    /* a message outside of any transaction belongs to none, whatever its transaction says */
    const pgconvoy_transaction *transaction = change->transaction;
    if (operation == PGCONVOY_MESSAGE && !(change->flags & PGCONVOY_MESSAGE_TRANSACTIONAL))
        transaction = NULL;
    write_head(writer, operation, change->lsn, transaction,
               is_boundary || !transaction ? -1 : (int64_t)change->sequence, out);
    int result = 0;
    switch (operation) {
    case PGCONVOY_BEGIN:
    case PGCONVOY_COMMIT:
        write_boundary(change, out);
        break;
    case PGCONVOY_MESSAGE:
        write_message(change, out);
        break;
    case PGCONVOY_DDL:
        write_ddl(change->ddl, out);
        break;
    case PGCONVOY_SCHEMA:
        write_columns(change->table, out);
        break;
    case PGCONVOY_TRUNCATE:
        write_truncate(change, table, out);
        break;
    default:
        result = write_row_body(writer, table, change->old, change->old_kind, change->new_, out, err);
    }
    return end_line(out, start, result, err);
}
