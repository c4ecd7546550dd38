/* The rows of an answer, and the text of a query: what it is for this server, with the oids of the relations that it is about. How queries are run: read_run.c. */
#include "catalog/read.h"

#include "catalog/dependent.h"

#include <stdlib.h>

/* ------------------------------------------------------------------ rows */

int pgc_rows_column(const pgc_rows *rows, const char *name)
{
    return PQfnumber(rows->result, name);
}

const char *pgc_rows_peek(const pgc_rows *rows, int row, int column)
{
    if (column < 0 || PQgetisnull(rows->result, row, column))
        return NULL;
    return PQgetvalue(rows->result, row, column);
}

const char *pgc_rows_text(const pgc_rows *rows, int row, int column)
{
    const char *value = pgc_rows_peek(rows, row, column);
    if (!value)
        return NULL;
    return value[0] ? pgc_arena_strdup(rows->catalog->arena, value) : "";
}

const char *pgc_rows_text_or_empty(const pgc_rows *rows, int row, int column)
{
    const char *value = pgc_rows_text(rows, row, column);
    return value ? value : "";
}

uint32_t pgc_rows_oid(const pgc_rows *rows, int row, int column)
{
    const char *value = pgc_rows_peek(rows, row, column);
    return value ? (uint32_t)strtoul(value, NULL, 10) : 0;
}

int pgc_rows_int(const pgc_rows *rows, int row, int column)
{
    return (int)pgc_rows_int64(rows, row, column);
}

int64_t pgc_rows_int64(const pgc_rows *rows, int row, int column)
{
    const char *value = pgc_rows_peek(rows, row, column);
    return value ? strtoll(value, NULL, 10) : 0;
}

double pgc_rows_double(const pgc_rows *rows, int row, int column)
{
    const char *value = pgc_rows_peek(rows, row, column);
    return value ? strtod(value, NULL) : 0;
}

bool pgc_rows_bool(const pgc_rows *rows, int row, int column)
{
    return pgc_rows_char(rows, row, column) == 't';
}

char pgc_rows_char(const pgc_rows *rows, int row, int column)
{
    const char *value = pgc_rows_peek(rows, row, column);
    return value ? value[0] : 0;
}

int pgc_rows_schema(const pgc_rows *rows, int row, int column, pgc_schema **schema, pgconvoy_error *err)
{
    uint32_t oid = pgc_rows_oid(rows, row, column);
    *schema = oid ? pgc_catalog_schema(rows->catalog, oid) : NULL;
    if (*schema || !oid)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "schema with OID %u does not exist", oid);
    return -1;
}

int pgc_rows_oids(const pgc_rows *rows, int row, int column, uint32_t **oids)
{
    *oids = NULL;
    const char *value = pgc_rows_peek(rows, row, column);
    if (!value)
        return 0;
    int capacity = 0;
    for (const char *c = value; *c; c++)
        capacity += *c == ' ' || *c == ',';
    uint32_t *items = pgc_arena_alloc(rows->catalog->arena, (size_t)(capacity + 1) * sizeof *items);
    if (!items)
        return 0;
    int count = 0;
    for (const char *c = value; *c;) {
        char *end;
        unsigned long number = strtoul(c, &end, 10);
        if (end == c) {
            c++;
            continue;
        }
        items[count++] = (uint32_t)number;
        c = end;
    }
    *oids = items;
    return count;
}

/* One element from *text on into word; false when it is not well formed. */
static bool array_element(const char **text, char *word, bool *quoted)
{
    const char *c = *text;
    *quoted = *c == '"';
    if (*quoted) {
        for (c++; *c && *c != '"'; c++) {
            if (*c == '\\' && c[1])
                c++;
            *word++ = *c;
        }
        if (*c++ != '"')
            return false;
    } else {
        for (; *c && *c != ',' && *c != '}'; c++) {
            if (*c == '\\' && c[1])
                c++;
            *word++ = *c;
        }
    }
    *word = '\0';
    *text = c;
    return *c == ',' || *c == '}';
}

int pgc_parse_array(pgc_arena *arena, const char *text, char ***items)
{
    *items = NULL;
    size_t length = text ? strlen(text) : 0;
    if (length < 2 || text[0] != '{' || text[length - 1] != '}')
        return -1;
    if (length == 2)
        return 0;
    char **list = pgc_arena_alloc(arena, length * sizeof *list);
    char *word = pgc_arena_alloc(arena, length + 1);
    if (!list || !word)
        return -1;
    int count = 0;
    for (const char *c = text + 1; *c;) {
        bool quoted;
        if (!array_element(&c, word, &quoted))
            return -1;
        list[count++] = !quoted && strcmp(word, "NULL") == 0 ? NULL : pgc_arena_strdup(arena, word);
        if (*c++ == '}')
            break;
    }
    *items = list;
    return count;
}

/* ------------------------------------------------------------------ queries */

/* Does a note such as "14+", "12-" or "14-16" hold for this major version? */
static bool note_holds(const char *note, int major)
{
    char *end;
    long from = strtol(note, &end, 10);
    if (*end == '+')
        return major >= from;
    if (*end != '-')
        return major == from;
    long until = strtol(end + 1, NULL, 10);
    return until ? major >= from && major <= until : major <= from;
}

static void append_oid(pgc_buffer *out, uint32_t oid)
{
    pgc_buffer_format(out, "%s%u", out->data[out->length - 1] == '{' ? "" : ",", oid);
}

/* The places in the list of relations between which a part is. */
static void bounds(const pgc_catalog *catalog, const pgc_read_part *part, int *from, int *until)
{
    *from = (int)((int64_t)catalog->relation_count * part->number / part->count);
    *until = (int)((int64_t)catalog->relation_count * (part->number + 1) / part->count);
}

/* Of all relations those between two places, so that a query that costs the server much for each can be sent in parts. */
static void append_relations(const pgc_catalog *catalog, const pgc_read_part *part, bool chosen, pgc_buffer *out)
{
    int from, until;
    bounds(catalog, part, &from, &until);
    pgc_buffer_text(out, "'{");
    for (int i = from; i < until && !out->failed; i++) {
        const pgc_relation *relation = catalog->relations[i];
        if (relation->interesting && (!chosen || (relation->object.wanted & (PGC_PART_DEFINITION | PGC_PART_DATA | PGC_PART_POLICY))))
            append_oid(out, relation->object.oid);
    }
    pgc_buffer_text(out, "}'::pg_catalog.oid[]");
}

static void append_tables(const pgc_catalog *catalog, const pgc_read_part *part, pgc_buffer *out)
{
    append_relations(catalog, part, false, out);
}

static void append_chosen(const pgc_catalog *catalog, const pgc_read_part *part, pgc_buffer *out)
{
    append_relations(catalog, part, true, out);
}

static void append_schemas(const pgc_catalog *catalog, const pgc_read_part *part, pgc_buffer *out)
{
    (void)part;
    pgc_buffer_text(out, "'{");
    for (int i = 0; i < catalog->object_count && !out->failed; i++) {
        const pgc_object *object = catalog->objects[i];
        if (object->kind == PGC_KIND_SCHEMA && (object->wanted_inside & PGC_PART_DEFINITION))
            append_oid(out, object->oid);
    }
    pgc_buffer_text(out, "}'::pg_catalog.oid[]");
}

static void append_indexes(const pgc_catalog *catalog, const pgc_read_part *part, pgc_buffer *out)
{
    int from, until;
    bounds(catalog, part, &from, &until);
    pgc_buffer_text(out, "'{");
    for (int i = from; i < until && !out->failed; i++)
        for (int k = 0; k < catalog->relations[i]->index_count; k++)
            if (catalog->relations[i]->indexes[k]->needs_definition)
                append_oid(out, catalog->relations[i]->indexes[k]->object.oid);
    pgc_buffer_text(out, "}'::pg_catalog.oid[]");
}

static void append_part(const pgc_catalog *catalog, const pgc_read_part *part, pgc_buffer *out)
{
    (void)catalog;
    pgc_buffer_format(out, "%d", part->number);
}

static void append_parts(const pgc_catalog *catalog, const pgc_read_part *part, pgc_buffer *out)
{
    (void)catalog;
    pgc_buffer_format(out, "%d", part->count);
}

static void append_upgrade(const pgc_catalog *catalog, const pgc_read_part *part, pgc_buffer *out)
{
    (void)part;
    pgc_buffer_text(out, catalog->options->binary_upgrade ? "true" : "false");
}

static void append_line(const pgc_catalog *catalog, const pgc_read_part *part, const char *line, size_t length, pgc_buffer *out)
{
    static const struct {
        const char *word;
        void (*append)(const pgc_catalog *catalog, const pgc_read_part *part, pgc_buffer *out);
    } places[] = {{":tables", append_tables}, {":chosen", append_chosen}, {":schemas", append_schemas}, {":upgrade", append_upgrade}, {":indexes", append_indexes}, {":parts", append_parts}, {":part", append_part}};
    enum { PLACES = sizeof places / sizeof *places };
    for (size_t i = 0; i < length; i++) {
        size_t p = 0;
        for (; p < PLACES; p++) {
            size_t word = strlen(places[p].word);
            if (length - i >= word && memcmp(line + i, places[p].word, word) == 0 && (i == 0 || line[i - 1] != ':')) {
                places[p].append(catalog, part, out);
                i += word - 1;
                break;
            }
        }
        if (p == PLACES)
            pgc_buffer_byte(out, line[i]);
    }
    pgc_buffer_byte(out, '\n');
}

int pgc_read_sql(const pgc_catalog *catalog, const char *sql, const pgc_read_part *part, pgc_buffer *out, pgconvoy_error *err)
{
    int major = catalog->version / 10000;
    for (const char *line = sql; *line;) {
        size_t length = strcspn(line, "\n");
        const char *note = memmem(line, length, "--@", 3);
        size_t kept = note ? (size_t)(note - line) : length;
        if (!note || note_holds(note + 3 + strspn(note + 3, " "), major))
            append_line(catalog, part, line, kept, out);
        line += length + (line[length] == '\n');
    }
    return pgc_buffer_check(out, err);
}
