/*
 * Runs the readers. Their queries are sent one after another in pipeline fashion over up to two connections: while the answer to one is turned into objects here, the servers work on the next ones. The
 * answers are taken in the order of the table, whichever connection they came over.
 */
#include "catalog/read.h"

#include "postgres/connection.h"

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

static void append_relations(const pgc_catalog *catalog, bool chosen, pgc_buffer *out)
{
    pgc_buffer_text(out, "'{");
    for (int i = 0; i < catalog->relation_count && !out->failed; i++) {
        const pgc_relation *relation = catalog->relations[i];
        if (relation->interesting && (!chosen || (relation->object.wanted & (PGC_PART_DEFINITION | PGC_PART_DATA | PGC_PART_POLICY))))
            append_oid(out, relation->object.oid);
    }
    pgc_buffer_text(out, "}'::pg_catalog.oid[]");
}

static void append_tables(const pgc_catalog *catalog, pgc_buffer *out)
{
    append_relations(catalog, false, out);
}

static void append_chosen(const pgc_catalog *catalog, pgc_buffer *out)
{
    append_relations(catalog, true, out);
}

static void append_schemas(const pgc_catalog *catalog, pgc_buffer *out)
{
    pgc_buffer_text(out, "'{");
    for (int i = 0; i < catalog->object_count && !out->failed; i++) {
        const pgc_object *object = catalog->objects[i];
        if (object->kind == PGC_KIND_SCHEMA && (object->wanted_inside & PGC_PART_DEFINITION))
            append_oid(out, object->oid);
    }
    pgc_buffer_text(out, "}'::pg_catalog.oid[]");
}

static void append_upgrade(const pgc_catalog *catalog, pgc_buffer *out)
{
    pgc_buffer_text(out, catalog->options->binary_upgrade ? "true" : "false");
}

static void append_line(const pgc_catalog *catalog, const char *line, size_t length, pgc_buffer *out)
{
    static const struct {
        const char *word;
        void (*append)(const pgc_catalog *catalog, pgc_buffer *out);
    } places[] = {{":tables", append_tables}, {":chosen", append_chosen}, {":schemas", append_schemas}, {":upgrade", append_upgrade}};
    enum { PLACES = sizeof places / sizeof *places };
    for (size_t i = 0; i < length; i++) {
        size_t p = 0;
        for (; p < PLACES; p++) {
            size_t word = strlen(places[p].word);
            if (length - i >= word && memcmp(line + i, places[p].word, word) == 0 && (i == 0 || line[i - 1] != ':')) {
                places[p].append(catalog, out);
                i += word - 1;
                break;
            }
        }
        if (p == PLACES)
            pgc_buffer_byte(out, line[i]);
    }
    pgc_buffer_byte(out, '\n');
}

int pgc_read_sql(const pgc_catalog *catalog, const char *sql, pgc_buffer *out, pgconvoy_error *err)
{
    int major = catalog->version / 10000;
    for (const char *line = sql; *line;) {
        size_t length = strcspn(line, "\n");
        const char *note = memmem(line, length, "--@", 3);
        size_t kept = note ? (size_t)(note - line) : length;
        if (!note || note_holds(note + 3 + strspn(note + 3, " "), major))
            append_line(catalog, line, kept, out);
        line += length + (line[length] == '\n');
    }
    return pgc_buffer_check(out, err);
}

/* ------------------------------------------------------------------ running */

static bool applies(const pgc_catalog *catalog, const pgc_reader *reader)
{
    int major = catalog->version / 10000;
    return reader->sql[0] && (!reader->from || major >= reader->from) && (!reader->until || major <= reader->until) &&
           (!reader->wanted || reader->wanted(catalog));
}

static int send(pgc_catalog *catalog, PGconn *conn, const pgc_reader *reader, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 256u << 20);
    int result = pgc_read_sql(catalog, reader->sql, &sql, err);
    if (result == 0 && !PQsendQuery(conn, sql.data)) {
        pgc_connection_error(conn, NULL, "sending a query", err);
        result = -1;
    }
    pgc_buffer_free(&sql);
    if (result != 0)
        pgc_error_prefix(err, "reading %s", reader->what);
    return result;
}

/* The answer to what was sent; NULL and err when it is an error. */
static PGresult *receive(PGconn *conn, const pgc_reader *reader, pgconvoy_error *err)
{
    PGresult *answer = NULL;
    for (PGresult *next; (next = PQgetResult(conn));) {
        PQclear(answer);
        answer = next;
    }
    if (PQresultStatus(answer) == PGRES_TUPLES_OK)
        return answer;
    char doing[128];
    snprintf(doing, sizeof doing, "reading %s", reader->what);
    pgc_connection_error(conn, answer, doing, err);
    PQclear(answer);
    return NULL;
}

static int take(pgc_catalog *catalog, const pgc_reader *reader, PGresult *answer, pgconvoy_error *err)
{
    pgc_rows rows = {.result = answer, .catalog = catalog, .count = PQntuples(answer)};
    int result = reader->take(catalog, &rows, err);
    PQclear(answer);
    if (result != 0)
        pgc_error_prefix(err, "reading %s", reader->what);
    return result;
}

#define MAX_READERS 80

typedef struct lane {
    PGconn *conn;
    int reader; /* whose answer is awaited, -1: none */
} lane;

/* Sends the next unsent query over a lane that is free; gives the next one not sent. */
static int fill(pgc_catalog *catalog, const pgc_reader *const *list, int count, int next, lane *lanes, int lane_count, pgconvoy_error *err)
{
    for (int l = 0; l < lane_count && next < count; l++) {
        if (lanes[l].reader >= 0)
            continue;
        if (send(catalog, lanes[l].conn, list[next], err) != 0)
            return -1;
        lanes[l].reader = next++;
    }
    return next;
}

/* Waits for whichever answer comes first and puts it among the answers. */
static int collect(const pgc_reader *const *list, lane *lanes, int lane_count, PGresult **answers, int wanted, pgconvoy_error *err)
{
    lane *first = NULL;
    for (int l = 0; l < lane_count; l++)
        if (lanes[l].reader == wanted)
            first = &lanes[l];
    if (!first)
        return 0; /* it is there already */
    answers[wanted] = receive(first->conn, list[wanted], err);
    first->reader = -1;
    return answers[wanted] ? 0 : -1;
}

static void drain(lane *lanes, int lane_count)
{
    for (int l = 0; l < lane_count; l++)
        for (PGresult *next; lanes[l].reader >= 0 && (next = PQgetResult(lanes[l].conn));)
            PQclear(next);
}

/* An answer that came over the other lane while an earlier one was awaited. */
static int look_aside(const pgc_reader *const *list, lane *lanes, int lane_count, PGresult **answers, pgconvoy_error *err)
{
    for (int l = 0; l < lane_count; l++) {
        if (lanes[l].reader < 0)
            continue;
        if (!PQconsumeInput(lanes[l].conn) || PQisBusy(lanes[l].conn))
            continue;
        int reader = lanes[l].reader;
        answers[reader] = receive(lanes[l].conn, list[reader], err);
        lanes[l].reader = -1;
        if (!answers[reader])
            return -1;
    }
    return 0;
}

int pgc_read(pgc_catalog *catalog, const pgc_reader *readers, bool parallel, pgconvoy_error *err)
{
    const pgc_reader *list[MAX_READERS];
    PGresult *answers[MAX_READERS] = {0};
    int count = 0;
    for (const pgc_reader *r = readers; r->what && count < MAX_READERS; r++)
        if (applies(catalog, r))
            list[count++] = r;
    lane lanes[2] = {{catalog->conn, -1}, {catalog->second, -1}};
    int lane_count = parallel && catalog->second ? 2 : 1;
    int next = 0, result = 0;
    for (int i = 0; i < count && result == 0; i++) {
        /* with one lane, a query in advance would need this one's rows taken: the readers of the first table depend on each other's work only through C */
        next = fill(catalog, list, count, next, lanes, lane_count, err);
        pgc_catalog_say(catalog, list[i]->what);
        if (next < 0 || (!answers[i] && collect(list, lanes, lane_count, answers, i, err) != 0)) {
            result = -1;
            break;
        }
        if ((result = look_aside(list, lanes, lane_count, answers, err)) == 0 &&
            (next = fill(catalog, list, count, next, lanes, parallel ? lane_count : 0, err)) < 0)
            result = -1;
        PGresult *answer = answers[i];
        answers[i] = NULL;
        if (result == 0)
            result = take(catalog, list[i], answer, err);
        else
            PQclear(answer);
    }
    drain(lanes, lane_count);
    for (int i = 0; i < count; i++)
        PQclear(answers[i]);
    return result;
}
