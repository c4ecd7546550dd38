/*
 * Records of a checkpoint file. Fields are separated by tabs; backslash, tab, newline and carriage return inside a
 * field are written \\ \t \n \r, so that a table may have any name.
 */
#include "apply/checkpoint_text.h"

#include <stdio.h>
#include <stdlib.h>

#define MAGIC "pgconvoy checkpoint 1\n"

static const char *const state_names[] = {"waiting", "copying", "catching_up", "live", "failed"};
#define STATE_COUNT (sizeof state_names / sizeof state_names[0])

/* ---- the state in memory */

void pgc_checkpoint_state_free(pgc_checkpoint_state *state)
{
    for (size_t i = 0; i < state->count; i++) {
        free(state->tables[i].schema);
        free(state->tables[i].name);
    }
    free(state->tables);
    free(state->slots);
    free(state->source_id);
    free(state->note);
    memset(state, 0, sizeof *state);
}

static uint32_t checksum(const char *data, size_t length, uint32_t hash)
{
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)data[i]) * UINT32_C(16777619); /* FNV-1a: against torn writes, not against people */
    return hash;
}
#define CHECKSUM_START UINT32_C(2166136261)

static size_t slot_of(const pgc_checkpoint_state *state, const char *schema, const char *name)
{
    uint32_t hash = checksum(schema, strlen(schema) + 1, CHECKSUM_START);
    size_t i = checksum(name, strlen(name), hash) & (state->slot_count - 1);
    for (; state->slots[i] != 0; i = (i + 1) & (state->slot_count - 1)) {
        const pgc_checkpoint_table *table = &state->tables[state->slots[i] - 1];
        if (strcmp(table->name, name) == 0 && strcmp(table->schema, schema) == 0)
            break;
    }
    return i;
}

pgc_checkpoint_table *pgc_checkpoint_state_find(const pgc_checkpoint_state *state, const char *schema, const char *name)
{
    if (state->count == 0)
        return NULL;
    uint32_t index = state->slots[slot_of(state, schema, name)];
    return index ? &state->tables[index - 1] : NULL;
}

static int grow(pgc_checkpoint_state *state)
{
    if (state->count < state->capacity)
        return 0;
    size_t capacity = state->capacity ? state->capacity * 2 : 32;
    pgc_checkpoint_table *tables = realloc(state->tables, capacity * sizeof *tables);
    if (!tables)
        return -1;
    state->tables = tables;
    uint32_t *slots = calloc(capacity * 2, sizeof *slots);
    if (!slots)
        return -1;
    free(state->slots);
    state->slots = slots;
    state->slot_count = capacity * 2;
    state->capacity = capacity;
    for (size_t i = 0; i < state->count; i++)
        slots[slot_of(state, tables[i].schema, tables[i].name)] = (uint32_t)i + 1;
    return 0;
}

int pgc_checkpoint_state_set_table(pgc_checkpoint_state *state, const pgconvoy_table_status *status)
{
    pgc_checkpoint_table *table = pgc_checkpoint_state_find(state, status->schema, status->name);
    if (!table) {
        if (grow(state) != 0)
            return -1;
        char *schema = strdup(status->schema), *name = strdup(status->name);
        if (!schema || !name) {
            free(schema);
            free(name);
            return -1;
        }
        size_t slot = slot_of(state, schema, name);
        table = &state->tables[state->count++];
        *table = (pgc_checkpoint_table){schema, name, PGCONVOY_TABLE_WAITING, 0};
        state->slots[slot] = (uint32_t)state->count;
    }
    table->state = status->state;
    table->copy_lsn = status->copy_lsn;
    return 0;
}

int pgc_checkpoint_state_set_text(char **field, const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        return -1;
    free(*field);
    *field = copy;
    return 0;
}

/* ---- writing */

static void append_field(pgc_buffer *out, const char *text)
{
    for (; *text; text++) {
        size_t plain = strcspn(text, "\\\t\n\r");
        pgc_buffer_append(out, text, plain);
        text += plain;
        if (*text == '\0')
            break;
        char escape[2] = {'\\', *text == '\t' ? 't' : *text == '\n' ? 'n' : *text == '\r' ? 'r' : '\\'};
        pgc_buffer_append(out, escape, 2);
    }
}

static void append_line(pgc_buffer *out, const char *word, const char *field)
{
    pgc_buffer_text(out, word);
    pgc_buffer_byte(out, '\t');
    append_field(out, field);
    pgc_buffer_byte(out, '\n');
}

void pgc_checkpoint_text_head(pgc_buffer *out, const char *source_id)
{
    pgc_buffer_text(out, MAGIC);
    if (source_id)
        append_line(out, "source", source_id);
}

void pgc_checkpoint_text_lsn(pgc_buffer *out, pgconvoy_lsn lsn)
{
    char text[PGCONVOY_LSN_TEXT_SIZE];
    append_line(out, "lsn", pgconvoy_lsn_to_text(lsn, text));
}

void pgc_checkpoint_text_note(pgc_buffer *out, const char *note)
{
    append_line(out, "note", note);
}

void pgc_checkpoint_text_table(pgc_buffer *out, const char *schema, const char *name, pgconvoy_table_state state,
                               pgconvoy_lsn copy_lsn)
{
    char text[PGCONVOY_LSN_TEXT_SIZE];
    pgc_buffer_format(out, "table\t%s\t%s\t", state_names[(unsigned)state < STATE_COUNT ? state : 0],
                      pgconvoy_lsn_to_text(copy_lsn, text));
    append_field(out, schema);
    pgc_buffer_byte(out, '\t');
    append_field(out, name);
    pgc_buffer_byte(out, '\n');
}

void pgc_checkpoint_text_end(pgc_buffer *out, size_t start)
{
    if (!out->failed)
        pgc_buffer_format(out, "= %08x\n", checksum(out->data + start, out->length - start, CHECKSUM_START));
}

/* ---- reading */

/* Takes the next field off *line, its escapes undone in place; NULL when there is none left. */
static char *next_field(char **line)
{
    char *field = *line;
    if (!field)
        return NULL;
    char *end = strchr(field, '\t');
    *line = end ? end + 1 : NULL;
    if (end)
        *end = '\0';
    char *to = field;
    for (const char *from = field; *from; from++) {
        if (*from == '\\' && from[1] != '\0') {
            from++;
            *to++ = *from == 't' ? '\t' : *from == 'n' ? '\n' : *from == 'r' ? '\r' : *from;
        } else
            *to++ = *from;
    }
    *to = '\0';
    return field;
}

static int read_table(char *line, pgc_checkpoint_state *state)
{
    const char *state_name = next_field(&line), *lsn = next_field(&line);
    pgconvoy_table_status status = {.schema = next_field(&line), .name = next_field(&line)};
    if (!status.name || pgconvoy_lsn_from_text(lsn, &status.copy_lsn) != 0)
        return -1;
    unsigned i = 0;
    while (i < STATE_COUNT && strcmp(state_name, state_names[i]) != 0)
        i++;
    if (i == STATE_COUNT)
        return -1;
    status.state = (pgconvoy_table_state)i;
    return pgc_checkpoint_state_set_table(state, &status);
}

static int read_line(char *line, pgc_checkpoint_state *state)
{
    const char *word = next_field(&line);
    if (strcmp(word, "table") == 0)
        return read_table(line, state);
    const char *field = next_field(&line);
    if (!field)
        return -1;
    if (strcmp(word, "lsn") == 0)
        return pgconvoy_lsn_from_text(field, &state->lsn);
    if (strcmp(word, "note") == 0)
        return pgc_checkpoint_state_set_text(&state->note, field);
    if (strcmp(word, "source") == 0)
        return pgc_checkpoint_state_set_text(&state->source_id, field);
    return -1;
}

/* The record that starts at text: the start of its closing line, or NULL when it is not whole. *next is what follows.
 */
static char *find_end(char *text, char *end, char **next)
{
    for (char *line = text; line < end;) {
        char *newline = memchr(line, '\n', (size_t)(end - line));
        if (!newline)
            return NULL;
        if (line[0] == '=') {
            char expected[16];
            snprintf(expected, sizeof expected, "= %08x", checksum(text, (size_t)(line - text), CHECKSUM_START));
            if ((size_t)(newline - line) != strlen(expected) || memcmp(line, expected, strlen(expected)) != 0)
                return NULL;
            *next = newline + 1;
            return line;
        }
        line = newline + 1;
    }
    return NULL;
}

int pgc_checkpoint_text_read(char *text, size_t length, pgc_checkpoint_state *state, size_t *valid, pgconvoy_error *err)
{
    char *end = text + length, *record = text, *next = NULL;
    *valid = 0;
    if (length < sizeof MAGIC - 1 || memcmp(text, MAGIC, sizeof MAGIC - 1) != 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "not a checkpoint of this version of pgconvoy");
        return -1;
    }
    for (char *stop; (stop = find_end(record, end, &next)) != NULL; record = next) {
        char *line = record == text ? text + sizeof MAGIC - 1 : record;
        while (line < stop) {
            char *newline = strchr(line, '\n');
            *newline = '\0';
            if (read_line(line, state) != 0) {
                pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "a line of it cannot be understood: \"%.40s\"", line);
                return -1;
            }
            line = newline + 1;
        }
        *valid = (size_t)(next - text);
    }
    if (*valid == 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "it is damaged");
        return -1;
    }
    return 0;
}
