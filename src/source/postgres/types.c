/*
 * One round reads the rows of all types that were asked for and are unknown, in four queries whatever their number;
 * what they are made of is the next round's. Types are linked when no more are missing: PostgreSQL allows no type to
 * contain itself, so the links end.
 */
#include "source/postgres/types.h"
#include "base/grow.h"
#include "base/log.h"
#include "source/postgres/postgres_internal.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct type_entry {
    pgconvoy_type type; /* first: the public pointer is the entry */
    uint32_t element_oid;
    uint32_t relation_oid; /* of a composite */
    bool has_send;
    bool linked;
    unsigned
        load; /* the load that read it: one that failed half-way leaves entries that are not linked, to be read again */
    uint32_t *field_type_oids;
} type_entry;

struct pgc_types {
    pgc_arena *arena;
    pgc_oid_map map;
    unsigned load;
    bool may_be_lost; /* for this load */
};

typedef struct oid_list {
    uint32_t *oids;
    size_t count, capacity;
} oid_list;

pgc_types *pgc_types_new(pgc_arena *arena)
{
    pgc_types *types = calloc(1, sizeof *types);
    if (types)
        types->arena = arena;
    return types;
}

void pgc_types_free(pgc_types *types)
{
    if (types)
        pgc_oid_map_free(&types->map);
    free(types);
}

const pgconvoy_type *pgc_types_find(const pgc_types *types, uint32_t oid)
{
    const type_entry *entry = pgc_oid_map_get(&types->map, oid);
    return entry && (entry->linked || entry->load == types->load) ? &entry->type : NULL;
}

bool pgc_types_can_send(const pgconvoy_type *type)
{
    const type_entry *entry = (const type_entry *)type;
    if (!entry->has_send || (type->element && !pgc_types_can_send(type->element)))
        return false;
    for (int i = 0; i < type->field_count; i++)
        if (!pgc_types_can_send(type->fields[i].type))
            return false;
    return true;
}

static int list_add(oid_list *list, uint32_t oid, pgconvoy_error *err)
{
    if (pgc_grow(&list->oids, list->count, &list->capacity, sizeof *list->oids, err) != 0)
        return -1;
    list->oids[list->count++] = oid;
    return 0;
}

static char *text_at(pgc_arena *arena, const PGresult *result, int row, int column)
{
    return pgc_arena_strdup(arena, PQgetvalue(result, row, column));
}

static pgconvoy_type_kind kind_of(char typtype, bool is_array)
{
    switch (typtype) {
    case 'e':
        return PGCONVOY_TYPE_ENUM;
    case 'd':
        return PGCONVOY_TYPE_DOMAIN;
    case 'c':
        return PGCONVOY_TYPE_COMPOSITE;
    case 'r':
        return PGCONVOY_TYPE_RANGE;
    case 'm':
        return PGCONVOY_TYPE_MULTIRANGE;
    default:
        return is_array ? PGCONVOY_TYPE_ARRAY : PGCONVOY_TYPE_BASE;
    }
}

/* An array is a base type of variable length with an element; point and box have elements too, but a fixed length. */
static const char types_sql[] =
    "SELECT t.oid, t.typtype, n.nspname, t.typname, e.extname, t.typtypmod, t.typdelim, t.typrelid, t.typsend <> 0, "
    "t.typtype = 'b' AND t.typlen = -1 AND t.typelem <> 0, "
    "CASE t.typtype WHEN 'b' THEN t.typelem WHEN 'd' THEN t.typbasetype WHEN 'r' THEN r.rngsubtype WHEN 'm' THEN %s "
    "ELSE 0 END, e.extversion "
    "FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace "
    "LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid %s"
    "LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid "
    "AND d.objsubid = 0 AND d.deptype = 'e' AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass "
    "LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid "
    "WHERE t.oid = ANY ($1::pg_catalog.oid[])";

static int read_type(pgc_types *types, const PGresult *result, int row, oid_list *next, pgconvoy_error *err)
{
    type_entry *entry = pgc_arena_zalloc(types->arena, sizeof *entry);
    if (!entry)
        return pgc_error_out_of_memory(err);
    entry->load = types->load;
    pgconvoy_type *type = &entry->type;
    type->oid = pgc_result_oid(result, row, 0);
    bool is_array = pgc_result_bool(result, row, 9);
    type->kind = kind_of(PQgetvalue(result, row, 1)[0], is_array);
    type->schema = text_at(types->arena, result, row, 2);
    type->name = text_at(types->arena, result, row, 3);
    type->extension = PQgetisnull(result, row, 4) ? NULL : text_at(types->arena, result, row, 4);
    type->extension_version = PQgetisnull(result, row, 11) ? NULL : text_at(types->arena, result, row, 11);
    type->typmod = type->kind == PGCONVOY_TYPE_DOMAIN ? atoi(PQgetvalue(result, row, 5)) : -1;
    type->delimiter = PQgetvalue(result, row, 6)[0];
    entry->relation_oid = type->kind == PGCONVOY_TYPE_COMPOSITE ? pgc_result_oid(result, row, 7) : 0;
    entry->has_send = pgc_result_bool(result, row, 8);
    if (type->kind != PGCONVOY_TYPE_BASE && type->kind != PGCONVOY_TYPE_ENUM && type->kind != PGCONVOY_TYPE_COMPOSITE)
        entry->element_oid = pgc_result_oid(result, row, 10);
    if (!type->schema || !type->name)
        return pgc_error_out_of_memory(err);
    if (entry->element_oid && list_add(next, entry->element_oid, err) != 0)
        return -1;
    return pgc_oid_map_put(&types->map, type->oid, entry, err);
}

/* A type that rows of the stream have and the catalog has not any more. */
static int add_lost(pgc_types *types, uint32_t oid, pgconvoy_error *err)
{
    type_entry *entry = pgc_arena_zalloc(types->arena, sizeof *entry);
    if (!entry)
        return pgc_error_out_of_memory(err);
    entry->type = (pgconvoy_type){.oid = oid, .schema = "pg_catalog", .name = "text", .typmod = -1, .delimiter = ',', .lost = true};
    entry->linked = true;
    return pgc_oid_map_put(&types->map, oid, entry, err);
}

static int read_rows(pgc_types *types, PGconn *conn, const oid_list *list, oid_list *next, pgconvoy_error *err)
{
    char sql[2048];
    bool multirange = PQserverVersion(conn) >= 140000;
    snprintf(sql, sizeof sql, types_sql, multirange ? "m.rngtypid" : "0",
             multirange ? "LEFT JOIN pg_catalog.pg_range m ON m.rngmultitypid = t.oid " : "");
    PGresult *result = pgc_query_oids(conn, sql, list->oids, list->count, err);
    if (!result)
        return -1;
    int failed = 0;
    for (int row = 0; row < PQntuples(result) && !failed; row++)
        failed = read_type(types, result, row, next, err);
    PQclear(result);
    for (size_t i = 0; i < list->count && !failed; i++) {
        const pgconvoy_type *type = pgc_types_find(types, list->oids[i]);
        if (type && (!type->lost || types->may_be_lost))
            continue;
        if (types->may_be_lost) {
            failed = add_lost(types, list->oids[i], err);
        } else {
            pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "a type (oid %u) was dropped while the source's catalog was read", list->oids[i]);
            pgconvoy_error_retriable(err, true);
            failed = -1;
        }
    }
    return failed;
}

/* How many rows from row on belong to the same type (column 0). */
static int run_length(const PGresult *result, int row)
{
    int end = row;
    while (end < PQntuples(result) && strcmp(PQgetvalue(result, end, 0), PQgetvalue(result, row, 0)) == 0)
        end++;
    return end - row;
}

static int read_labels(pgc_types *types, PGconn *conn, const oid_list *list, pgconvoy_error *err)
{
    PGresult *result = pgc_query_oids(conn,
                                      "SELECT enumtypid, enumlabel FROM pg_catalog.pg_enum "
                                      "WHERE enumtypid = ANY ($1::pg_catalog.oid[]) ORDER BY enumtypid, enumsortorder",
                                      list->oids, list->count, err);
    if (!result)
        return -1;
    int failed = 0;
    for (int row = 0, count; row < PQntuples(result) && !failed; row += count) {
        count = run_length(result, row);
        type_entry *entry = pgc_oid_map_get(&types->map, pgc_result_oid(result, row, 0));
        const char **labels = pgc_arena_alloc(types->arena, (size_t)count * sizeof *labels);
        for (int i = 0; labels && i < count; i++)
            labels[i] = text_at(types->arena, result, row + i, 1);
        entry->type.labels = labels;
        entry->type.label_count = count;
        if (!labels || !labels[count - 1])
            failed = pgc_error_out_of_memory(err);
    }
    PQclear(result);
    return failed;
}

static int read_field_run(pgc_types *types, const PGresult *result, int row, int count, oid_list *next,
                          pgconvoy_error *err)
{
    type_entry *entry = pgc_oid_map_get(&types->map, pgc_result_oid(result, row, 0));
    pgconvoy_column *fields = pgc_arena_zalloc(types->arena, (size_t)count * sizeof *fields);
    entry->field_type_oids = pgc_arena_alloc(types->arena, (size_t)count * sizeof *entry->field_type_oids);
    if (!fields || !entry->field_type_oids)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < count; i++) {
        fields[i].name = text_at(types->arena, result, row + i, 1);
        entry->field_type_oids[i] = pgc_result_oid(result, row + i, 2);
        fields[i].typmod = atoi(PQgetvalue(result, row + i, 3));
        fields[i].type_sql = text_at(types->arena, result, row + i, 4);
        if (!fields[i].name || !fields[i].type_sql)
            return pgc_error_out_of_memory(err);
        if (list_add(next, entry->field_type_oids[i], err) != 0)
            return -1;
    }
    entry->type.fields = fields;
    entry->type.field_count = count;
    return 0;
}

static int read_fields(pgc_types *types, PGconn *conn, const oid_list *list, oid_list *next, pgconvoy_error *err)
{
    PGresult *result = pgc_query_oids(
        conn,
        "SELECT t.oid, a.attname, a.atttypid, a.atttypmod, pg_catalog.format_type(a.atttypid, a.atttypmod) "
        "FROM pg_catalog.pg_type t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid "
        "WHERE t.oid = ANY ($1::pg_catalog.oid[]) AND t.typtype = 'c' AND a.attnum > 0 "
        "AND NOT a.attisdropped ORDER BY t.oid, a.attnum",
        list->oids, list->count, err);
    if (!result)
        return -1;
    int failed = 0;
    for (int row = 0, count; row < PQntuples(result) && !failed; row += count) {
        count = run_length(result, row);
        failed = read_field_run(types, result, row, count, next, err);
    }
    PQclear(result);
    return failed;
}

static void link_types(pgc_types *types)
{
    for (size_t i = 0; i < types->map.capacity; i++) {
        type_entry *entry = types->map.slots[i].value;
        if (!entry || entry->linked || entry->load != types->load)
            continue;
        entry->type.element = entry->element_oid ? pgc_types_find(types, entry->element_oid) : NULL;
        pgconvoy_column *fields = (pgconvoy_column *)entry->type.fields;
        for (int f = 0; f < entry->type.field_count; f++)
            fields[f].type = pgc_types_find(types, entry->field_type_oids[f]);
        entry->linked = true;
    }
}

static int load_round(pgc_types *types, PGconn *conn, const oid_list *list, oid_list *next, pgconvoy_error *err)
{
    oid_list enums = {0}, composites = {0};
    int failed = read_rows(types, conn, list, next, err);
    for (size_t i = 0; i < list->count && !failed; i++) {
        const pgconvoy_type *type = pgc_types_find(types, list->oids[i]);
        if (type->kind == PGCONVOY_TYPE_ENUM)
            failed = list_add(&enums, type->oid, err);
        else if (type->kind == PGCONVOY_TYPE_COMPOSITE)
            failed = list_add(&composites, type->oid, err);
    }
    if (!failed && enums.count)
        failed = read_labels(types, conn, &enums, err);
    if (!failed && composites.count)
        failed = read_fields(types, conn, &composites, next, err);
    free(enums.oids);
    free(composites.oids);
    return failed;
}

/* Those of oids that are not known, each once. */
static int unknown(const pgc_types *types, const uint32_t *oids, size_t count, oid_list *list, pgconvoy_error *err)
{
    pgc_oid_map seen = {0};
    int failed = 0;
    for (size_t i = 0; i < count && !failed; i++) {
        const pgconvoy_type *known = pgc_types_find(types, oids[i]);
        if (oids[i] == 0 || (known && !known->lost) || pgc_oid_map_get(&seen, oids[i]))
            continue;
        failed = pgc_oid_map_put(&seen, oids[i], list, err) || list_add(list, oids[i], err);
    }
    pgc_oid_map_free(&seen);
    return failed ? -1 : 0;
}

static int load(pgc_types *types, PGconn *conn, const uint32_t *oids, size_t count, pgconvoy_error *err)
{
    oid_list list = {0};
    types->load++;
    int failed = unknown(types, oids, count, &list, err);
    while (!failed && list.count) {
        oid_list next = {0}, found = {0};
        failed = load_round(types, conn, &list, &next, err);
        if (!failed)
            failed = unknown(types, next.oids, next.count, &found, err);
        free(next.oids);
        free(list.oids);
        list = found;
    }
    free(list.oids);
    if (!failed)
        link_types(types);
    return failed;
}

int pgc_types_load(pgc_types *types, PGconn *conn, const uint32_t *oids, size_t count, pgconvoy_error *err)
{
    types->may_be_lost = false;
    return load(types, conn, oids, count, err);
}

int pgc_types_load_sent(pgc_types *types, PGconn *conn, const uint32_t *oids, size_t count, bool *lost, pgconvoy_error *err)
{
    types->may_be_lost = true;
    if (load(types, conn, oids, count, err) != 0)
        return -1;
    *lost = false;
    for (size_t i = 0; i < count; i++)
        *lost |= oids[i] && pgc_types_find(types, oids[i])->lost;
    return 0;
}

/* ---- labels that came later */

static bool has_label(const char *const *labels, int count, const char *text, size_t length)
{
    for (int i = 0; i < count; i++)
        if (strncmp(labels[i], text, length) == 0 && labels[i][length] == '\0')
            return true;
    return false;
}

int pgc_types_learn_label(pgc_types *types, PGconn *conn, uint32_t oid, const char *text, size_t length, pgconvoy_log *log,
                          pgconvoy_error *err)
{
    type_entry *known = pgc_oid_map_get(&types->map, oid);
    if (has_label(known->type.labels, known->type.label_count, text, length))
        return 0; /* another table has met it */
    type_entry *entry = pgc_arena_alloc(types->arena, sizeof *entry);
    oid_list list = {&oid, 1, 1};
    if (!entry)
        return pgc_error_out_of_memory(err);
    *entry = *known;
    entry->type.label_count = 0;
    if (pgc_oid_map_put(&types->map, oid, entry, err) != 0)
        return -1;
    if (read_labels(types, conn, &list, err) != 0) {
        pgconvoy_error ignored; /* putting another value in a place that is there needs no memory */
        (void)!pgc_oid_map_put(&types->map, oid, known, &ignored);
        return -1;
    }
    int count = entry->type.label_count;
    const char **labels = pgc_arena_alloc(types->arena, (size_t)(count + known->type.label_count + 1) * sizeof *labels);
    char *label = pgc_arena_strndup(types->arena, text, length);
    if (!labels || !label)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < count; i++)
        labels[i] = entry->type.labels[i];
    for (int i = 0; i < known->type.label_count; i++)
        if (!has_label(labels, count, known->type.labels[i], strlen(known->type.labels[i])))
            labels[count++] = known->type.labels[i];
    if (!has_label(labels, count, text, length))
        labels[count++] = label;
    entry->type.labels = labels;
    entry->type.former_label_count = count - entry->type.label_count;
    entry->type.label_count = count;
    entry->type.met_label = label;
    pgc_log_info(log, "enum %s.%s has a new label '%s'", entry->type.schema, entry->type.name, label);
    return 0;
}

const pgconvoy_type *pgc_types_renew(pgc_types *types, const pgconvoy_type *type, pgconvoy_error *err)
{
    const type_entry *now = pgc_oid_map_get(&types->map, type->oid);
    const pgconvoy_type *element = now->type.element;
    if (element && !(element = pgc_types_renew(types, element, err)))
        return NULL;
    bool same = element == now->type.element;
    pgconvoy_column *fields = NULL;
    for (int i = 0; i < now->type.field_count; i++) {
        const pgconvoy_type *field = pgc_types_renew(types, now->type.fields[i].type, err);
        if (!field)
            return NULL;
        if (field == now->type.fields[i].type)
            continue;
        if (!fields && (fields = pgc_arena_alloc(types->arena, (size_t)now->type.field_count * sizeof *fields)))
            memcpy(fields, now->type.fields, (size_t)now->type.field_count * sizeof *fields);
        if (!fields) {
            pgc_error_out_of_memory(err);
            return NULL;
        }
        fields[i].type = field;
        same = false;
    }
    if (same)
        return &now->type;
    type_entry *entry = pgc_arena_alloc(types->arena, sizeof *entry);
    if (!entry) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    *entry = *now;
    entry->type.element = element;
    if (fields)
        entry->type.fields = fields;
    return pgc_oid_map_put(&types->map, type->oid, entry, err) == 0 ? &entry->type : NULL;
}
