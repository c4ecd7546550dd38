/*
 * The catalog as a whole: its connections, its objects and how they are found, and the steps of reading in their order.
 */
#include "catalog/catalog_internal.h"

#include "catalog/kinds.h"
#include "catalog/patterns.h"
#include "catalog/session.h"
#include "postgres/connection.h"
#include "postgres/notice.h"

#include <stdlib.h>

#define NEWEST_MAJOR 18

/* Where objects are found by their catalog row: open addressing, a power of two, at most half full. */
struct pgc_index_slot {
    uint32_t class_oid, oid;
    void *found;
};

/* ------------------------------------------------------------------ looking up */

static size_t slot_of(uint32_t class_oid, uint32_t oid, size_t slots)
{
    uint64_t hash = ((uint64_t)class_oid << 32 | oid) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(hash >> 32) & (slots - 1);
}

static void put(pgc_index_slot *slots, size_t count, uint32_t class_oid, uint32_t oid, void *found)
{
    size_t at = slot_of(class_oid, oid, count);
    while (slots[at].found && (slots[at].class_oid != class_oid || slots[at].oid != oid))
        at = (at + 1) & (count - 1);
    slots[at] = (pgc_index_slot){class_oid, oid, found};
}

static int insert(pgc_index_slot **slots, size_t *count, size_t *used, uint32_t class_oid, uint32_t oid, void *found, pgconvoy_error *err)
{
    if ((*used + 1) * 2 > *count) {
        size_t larger = *count ? *count * 2 : 8192;
        pgc_index_slot *fresh = calloc(larger, sizeof *fresh);
        if (!fresh)
            return pgc_error_out_of_memory(err);
        for (size_t i = 0; i < *count; i++)
            if ((*slots)[i].found)
                put(fresh, larger, (*slots)[i].class_oid, (*slots)[i].oid, (*slots)[i].found);
        free(*slots);
        *slots = fresh;
        *count = larger;
    }
    put(*slots, *count, class_oid, oid, found);
    (*used)++;
    return 0;
}

static void *look(const pgc_index_slot *slots, size_t count, uint32_t class_oid, uint32_t oid)
{
    if (count == 0)
        return NULL;
    for (size_t at = slot_of(class_oid, oid, count); slots[at].found; at = (at + 1) & (count - 1))
        if (slots[at].class_oid == class_oid && slots[at].oid == oid)
            return slots[at].found;
    return NULL;
}

pgc_object *pgc_catalog_find(const pgc_catalog *catalog, uint32_t class_oid, uint32_t oid)
{
    return look(catalog->slots, catalog->slot_count, class_oid, oid);
}

static void *find_kind(const pgc_catalog *catalog, uint32_t class_oid, uint32_t oid)
{
    return oid ? pgc_catalog_find(catalog, class_oid, oid) : NULL;
}

pgc_relation *pgc_catalog_relation(const pgc_catalog *catalog, uint32_t oid)
{
    pgc_object *object = find_kind(catalog, PGC_PG_CLASS, oid);
    return object && object->kind == PGC_KIND_RELATION ? (pgc_relation *)object : NULL;
}

pgc_type *pgc_catalog_type(const pgc_catalog *catalog, uint32_t oid)
{
    return find_kind(catalog, PGC_PG_TYPE, oid);
}

pgc_function *pgc_catalog_function(const pgc_catalog *catalog, uint32_t oid)
{
    return find_kind(catalog, PGC_PG_PROC, oid);
}

pgc_schema *pgc_catalog_schema(const pgc_catalog *catalog, uint32_t oid)
{
    return find_kind(catalog, PGC_PG_NAMESPACE, oid);
}

pgc_object *pgc_catalog_object(const pgc_catalog *catalog, int id)
{
    return id > 0 && id <= catalog->max_id && id < catalog->by_id_capacity ? catalog->by_id[id] : NULL;
}

int pgc_catalog_add_member(pgc_catalog *catalog, uint32_t class_oid, uint32_t oid, pgc_extension *extension, pgconvoy_error *err)
{
    return insert(&catalog->members, &catalog->member_slots, &catalog->member_used, class_oid, oid, extension, err);
}

pgc_extension *pgc_catalog_owning_extension(const pgc_catalog *catalog, uint32_t class_oid, uint32_t oid)
{
    return look(catalog->members, catalog->member_slots, class_oid, oid);
}

/* ------------------------------------------------------------------ adding */

static int grow(void **items, int *capacity, size_t item, int wanted, pgconvoy_error *err)
{
    if (wanted <= *capacity)
        return 0;
    int larger = *capacity ? *capacity * 2 : 1024;
    while (larger < wanted)
        larger *= 2;
    void *fresh = realloc(*items, (size_t)larger * item);
    if (!fresh)
        return pgc_error_out_of_memory(err);
    memset((char *)fresh + (size_t)*capacity * item, 0, (size_t)(larger - *capacity) * item);
    *items = fresh;
    *capacity = larger;
    return 0;
}

static int note_relation(pgc_catalog *catalog, pgc_object *object, pgconvoy_error *err)
{
    if (grow((void **)&catalog->relations, &catalog->relation_capacity, sizeof *catalog->relations, catalog->relation_count + 1, err) != 0)
        return -1;
    catalog->relations[catalog->relation_count++] = (pgc_relation *)object;
    return 0;
}

void *pgc_catalog_add(pgc_catalog *catalog, pgc_kind kind, size_t size, uint32_t class_oid, uint32_t oid, const char *name,
                      pgc_schema *schema, pgconvoy_error *err)
{
    pgc_object *object = pgc_arena_zalloc(catalog->arena, size);
    if (!object || !name) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    if (grow((void **)&catalog->objects, &catalog->object_capacity, sizeof *catalog->objects, catalog->object_count + 1, err) != 0 ||
        grow((void **)&catalog->by_id, &catalog->by_id_capacity, sizeof *catalog->by_id, catalog->max_id + 2, err) != 0)
        return NULL;
    *object = (pgc_object){.kind = kind,
                           .id = ++catalog->max_id,
                           .class_oid = class_oid,
                           .oid = oid,
                           .name = name,
                           .schema = schema,
                           .available = PGC_PART_DEFINITION,
                           .wanted = PGC_PART_ALL,
                           .wanted_inside = PGC_PART_ALL};
    if (oid && insert(&catalog->slots, &catalog->slot_count, &catalog->slot_used, class_oid, oid, object, err) != 0)
        return NULL;
    if (kind == PGC_KIND_RELATION && note_relation(catalog, object, err) != 0)
        return NULL;
    catalog->objects[catalog->object_count++] = object;
    catalog->by_id[object->id] = object;
    return object;
}

int pgc_catalog_add_alias(pgc_catalog *catalog, uint32_t class_oid, uint32_t oid, pgc_object *object, pgconvoy_error *err)
{
    return insert(&catalog->slots, &catalog->slot_count, &catalog->slot_used, class_oid, oid, object, err);
}

int pgc_object_needs(pgc_catalog *catalog, pgc_object *object, int id, pgconvoy_error *err)
{
    if (object->need_count == object->need_capacity) {
        int capacity = object->need_capacity ? object->need_capacity * 2 : 4;
        int *needs = pgc_arena_alloc(catalog->arena, (size_t)capacity * sizeof *needs);
        if (!needs)
            return pgc_error_out_of_memory(err);
        if (object->need_count)
            memcpy(needs, object->needs, (size_t)object->need_count * sizeof *needs);
        object->needs = needs;
        object->need_capacity = capacity;
    }
    object->needs[object->need_count++] = id;
    return 0;
}

void pgc_object_no_longer_needs(pgc_object *object, int id)
{
    int kept = 0;
    for (int i = 0; i < object->need_count; i++)
        if (object->needs[i] != id)
            object->needs[kept++] = object->needs[i];
    object->need_count = kept;
}

/* ------------------------------------------------------------------ messages */

void pgc_catalog_say(const pgc_catalog *catalog, const char *what)
{
    if (!catalog->options->progress)
        return;
    char text[160];
    snprintf(text, sizeof text, "reading %s", what);
    catalog->options->progress(catalog->options->arg, text);
}

void pgc_catalog_warn(const pgc_catalog *catalog, const char *hint, const char *format, ...)
{
    if (!catalog->options->warning)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    catalog->options->warning(catalog->options->arg, text, hint);
}

static void server_says(void *arg, const char *message)
{
    pgc_catalog_warn(arg, NULL, "the server says: %.*s", (int)strcspn(message, "\n"), message);
}

/* ------------------------------------------------------------------ opening and closing */

static int note_version(pgc_catalog *catalog, pgconvoy_error *err)
{
    catalog->version = PQserverVersion(catalog->conn);
    const char *text = PQparameterStatus(catalog->conn, "server_version");
    catalog->version_text = strdup(text ? text : "");
    if (!catalog->version_text)
        return pgc_error_out_of_memory(err);
    if (catalog->version / 10000 > NEWEST_MAJOR)
        pgc_catalog_warn(catalog, "compare the outcome with that server's own pg_dump",
                         "the server has version %s, newer than %d, the newest known: what it has that older ones have not is not dumped",
                         catalog->version_text, NEWEST_MAJOR);
    return 0;
}

static int ask_recovery(pgc_catalog *catalog, pgconvoy_error *err)
{
    return pgc_query_truth(catalog->conn, "SELECT pg_catalog.pg_is_in_recovery()", 0, NULL, &catalog->is_standby, err);
}

pgc_catalog *pgc_catalog_open(const pgc_dump_options *options, pgconvoy_error *err)
{
    pgc_catalog *catalog = calloc(1, sizeof *catalog);
    if (!catalog || !(catalog->arena = pgc_arena_new(1 << 20))) {
        free(catalog);
        pgc_error_out_of_memory(err);
        return NULL;
    }
    catalog->options = options;
    catalog->conn = pgc_session_open(options, options->snapshot, &catalog->password, err);
    if (!catalog->conn || note_version(catalog, err) != 0 || ask_recovery(catalog, err) != 0) {
        pgc_catalog_close(catalog);
        return NULL;
    }
    pgc_notice_take(catalog->conn, server_says, catalog);
    return catalog;
}

void pgc_catalog_close(pgc_catalog *catalog)
{
    if (!catalog)
        return;
    PQfinish(catalog->second);
    PQfinish(catalog->conn);
    if (catalog->password)
        explicit_bzero(catalog->password, strlen(catalog->password));
    free(catalog->password);
    free(catalog->version_text);
    free(catalog->snapshot);
    free(catalog->objects);
    free(catalog->by_id);
    free(catalog->slots);
    free(catalog->members);
    free(catalog->relations);
    pgc_oids *all[] = {&catalog->include_schemas, &catalog->exclude_schemas, &catalog->include_tables, &catalog->exclude_tables,
                       &catalog->exclude_data, &catalog->include_extensions, &catalog->exclude_extensions, &catalog->include_servers};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]->items);
    pgc_arena_free(catalog->arena);
    free(catalog);
}

pgc_relation **pgc_catalog_relations(const pgc_catalog *catalog, int *count)
{
    *count = catalog->relation_count;
    return catalog->relations;
}

PGconn *pgc_catalog_connection(pgc_catalog *catalog)
{
    return catalog->conn;
}

int pgc_catalog_share_snapshot(pgc_catalog *catalog, pgconvoy_error *err)
{
    if (catalog->snapshot)
        return 0;
    if (catalog->options->snapshot) {
        catalog->snapshot = strdup(catalog->options->snapshot);
        return catalog->snapshot ? 0 : pgc_error_out_of_memory(err);
    }
    PGresult *answer = pgc_query(catalog->conn, "SELECT pg_catalog.pg_export_snapshot()", err);
    if (!answer)
        return -1;
    catalog->snapshot = strdup(PQgetvalue(answer, 0, 0));
    PQclear(answer);
    return catalog->snapshot ? 0 : pgc_error_out_of_memory(err);
}

PGconn *pgc_catalog_session(pgc_catalog *catalog, pgconvoy_error *err)
{
    char *password = catalog->password ? strdup(catalog->password) : NULL;
    pgc_dump_options options = *catalog->options;
    options.address.prompt = PGC_PROMPT_NEVER; /* whoever was to be asked was asked for the first */
    PGconn *conn = pgc_session_open(&options, catalog->snapshot, &password, err);
    if (password)
        explicit_bzero(password, strlen(password));
    free(password);
    if (conn)
        pgc_notice_take(conn, server_says, catalog);
    else
        pgc_connection_snapshot_error(err); /* the first session had it */
    return conn;
}

int pgc_catalog_server_version(const pgc_catalog *catalog)
{
    return catalog->version;
}

const char *pgc_catalog_server_version_text(const pgc_catalog *catalog)
{
    return catalog->version_text;
}

bool pgc_catalog_is_standby(const pgc_catalog *catalog)
{
    return catalog->is_standby;
}

const char *pgc_catalog_database_name(const pgc_catalog *catalog)
{
    return PQdb(catalog->conn);
}

const char *pgc_catalog_encoding(const pgc_catalog *catalog)
{
    return pg_encoding_to_char(PQclientEncoding(catalog->conn));
}
