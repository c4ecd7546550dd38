/*
 * The tables whose rows are copied: how large they are, by their files (pg_class.relpages is of no use for a table that was never analyzed), and whether their rows can pass as they are in COPY's binary form. That is so
 * where every value's bytes mean the same at both ends: the built-in types that are listed here, arrays of them, domains over them, and enums, which go by their labels. Arrays and composites of other types carry
 * oids, which differ; types of extensions may change their form with the extension's version; regclass and the like are oids.
 */
#include "clone/clone_internal.h"
#include "postgres/connection.h"
#include "postgres/quote.h"

#include <stdlib.h>
#include <strings.h>

#define TID_RANGE_SCAN_VERSION 140000
#define LEAST_PART_BYTES       ((int64_t)32 << 20)
#define MOST_PARTS             1000

static const char table_query[] =
    "WITH RECURSIVE base(oid, final) AS ("
    "SELECT oid, oid FROM pg_catalog.pg_type WHERE typtype <> 'd' UNION ALL "
    "SELECT t.oid, b.final FROM pg_catalog.pg_type t JOIN base b ON t.typbasetype = b.oid WHERE t.typtype = 'd'), "
    "other AS (SELECT a.attrelid, pg_catalog.string_agg(DISTINCT pg_catalog.format_type(a.atttypid, NULL), ', ') AS types "
    "FROM pg_catalog.pg_attribute a JOIN base b ON b.oid = a.atttypid JOIN pg_catalog.pg_type t ON t.oid = b.final "
    "LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A' "
    "WHERE a.attrelid = ANY ($1::pg_catalog.oid[]) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND t.typtype <> 'e' AND t.oid <> ALL ($2::pg_catalog.oid[]) "
    "AND NOT (t.oid < 16384 AND coalesce(e.oid, t.oid) < 16384 AND coalesce(e.typname, t.typname) = ANY ('{"
    "bool,bytea,char,name,int8,int2,int4,text,oid,json,jsonb,jsonpath,point,lseg,path,box,polygon,line,circle,float4,float8,macaddr,macaddr8,inet,cidr,"
    "bpchar,varchar,date,time,timestamp,timestamptz,interval,timetz,bit,varbit,numeric,uuid,pg_lsn,tsvector,tsquery,xid,xid8,cid,tid,"
    "int4range,int8range,numrange,tsrange,tstzrange,daterange,int4multirange,int8multirange,nummultirange,tsmultirange,tstzmultirange,datemultirange"
    "}'::pg_catalog.name[])) GROUP BY 1) "
    "SELECT c.oid, CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_table_size(c.oid) ELSE 0 END, "
    "CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::pg_catalog.int8 ELSE 0 END, "
    "coalesce(m.amname = 'heap', false), o.types, c.relkind = 'r' AND c.relfilenode <> pg_catalog.pg_relation_filenode(c.oid), "
    /* what names stand for now is told by functions, the rest by the snapshot */
    "CASE WHEN c.oid IS DISTINCT FROM pg_catalog.to_regclass(pg_catalog.format('%I.%I', n.nspname, c.relname))::pg_catalog.oid THEN true "
    "ELSE EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND "
    "(pg_catalog.pg_identify_object_as_address('pg_catalog.pg_class'::pg_catalog.regclass, c.oid, a.attnum)).object_names[3] IS DISTINCT FROM a.attname) END "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam LEFT JOIN other o ON o.attrelid = c.oid "
    "WHERE c.oid = ANY ($1::pg_catalog.oid[])";

static int compare(const void *a, const void *b)
{
    uint32_t x = ((const clone_table *)a)->relation->object.oid, y = ((const clone_table *)b)->relation->object.oid;
    return (x > y) - (x < y);
}

static clone_table *find(const pgc_clone *clone, uint32_t oid)
{
    int low = 0, high = clone->table_count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (clone->tables[middle].relation->object.oid < oid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < clone->table_count && clone->tables[low].relation->object.oid == oid ? &clone->tables[low] : NULL;
}

clone_table *clone_tables_find(const pgc_clone *clone, const pgc_relation *relation)
{
    return find(clone, relation->object.oid);
}

static void append_condition(pgc_buffer *condition, const char *more)
{
    if (!more)
        return;
    if (condition->length > 0)
        pgc_buffer_text(condition, " AND ");
    pgc_buffer_format(condition, "(%s\n)", more); /* a line end, lest a comment at its end hide the parenthesis */
}

/* A condition for a table is one for its partitions and children. */
static void append_mapped_conditions(const pgc_clone *clone, const pgc_relation *relation, pgc_buffer *condition)
{
    const pgc_mapped_table *mapped = pgc_mapping_table(clone->options->mapping, relation->object.schema->object.name, relation->object.name);
    append_condition(condition, mapped ? mapped->where : NULL);
    for (int i = 0; i < relation->parent_count; i++)
        append_mapped_conditions(clone, relation->parents[i], condition);
}

/* filter: that of an extension's table, "WHERE …". */
static int set_condition(pgc_clone *clone, clone_table *table, const char *filter, pgconvoy_error *err)
{
    pgc_buffer condition;
    pgc_buffer_init(&condition, 1 << 24);
    append_condition(&condition, filter && strncasecmp(filter, "WHERE ", 6) == 0 ? filter + 6 : filter);
    append_mapped_conditions(clone, table->relation, &condition);
    int result = pgc_buffer_check(&condition, err);
    if (result == 0 && condition.length > 0 && !(table->condition = pgc_arena_strdup(clone->arena, condition.data)))
        result = pgc_error_out_of_memory(err);
    pgc_buffer_free(&condition);
    return result;
}

static int list(pgc_clone *clone, pgconvoy_error *err)
{
    clone->tables = pgc_arena_zalloc(clone->arena, sizeof *clone->tables * (size_t)(clone->entries.count + 1));
    if (!clone->tables)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < clone->entries.count; i++) {
        const pgc_entry *entry = clone->entries.items[i];
        if (!entry->has_data || !entry->object || entry->object->kind != PGC_KIND_TABLE_DATA)
            continue;
        clone_table *table = &clone->tables[clone->table_count++];
        table->relation = ((const pgc_table_data *)entry->object)->relation;
        table->parts = 1;
        table->group = clone_part_group(clone, table->relation);
        if (set_condition(clone, table, ((const pgc_table_data *)entry->object)->filter, err))
            return -1;
    }
    qsort(clone->tables, (size_t)clone->table_count, sizeof *clone->tables, compare);
    return 0;
}

/*
 * TRUNCATE and what rewrites a table are not held back by a snapshot: its rows are in a file that the snapshot does not see. Nor are names: COPY takes them as they are now, when another column may have the name
 * of one that was dropped.
 */
static int changed_since(const pgc_relation *relation, const char *what, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "table %s.%s was %s after the copy's snapshot was taken", relation->object.schema->object.name, relation->object.name, what);
    pgconvoy_error_hint(err, "run the copy again: it takes another snapshot");
    pgconvoy_error_retriable(err, true);
    return -1;
}

static int take(pgc_clone *clone, const PGresult *result, pgconvoy_error *err)
{
    for (int i = 0; i < PQntuples(result); i++) {
        clone_table *table = find(clone, (uint32_t)strtoul(PQgetvalue(result, i, 0), NULL, 10));
        if (!table)
            continue;
        table->bytes = strtoll(PQgetvalue(result, i, 1), NULL, 10);
        table->blocks = strtoll(PQgetvalue(result, i, 2), NULL, 10);
        table->is_heap = PQgetvalue(result, i, 3)[0] == 't';
        if (PQgetvalue(result, i, 5)[0] == 't')
            return changed_since(table->relation, "truncated or rewritten", err);
        if (PQgetvalue(result, i, 6)[0] == 't')
            return changed_since(table->relation, "altered", err);
        if (!PQgetisnull(result, i, 4) && !(table->text_types = pgc_arena_strdup(clone->arena, PQgetvalue(result, i, 4))))
            return pgc_error_out_of_memory(err);
    }
    return 0;
}

int clone_tables_read(pgc_clone *clone, pgconvoy_error *err)
{
    if (list(clone, err))
        return -1;
    pgc_buffer oids;
    pgc_buffer_init(&oids, (size_t)clone->table_count * 12 + 16);
    for (int i = 0; i < clone->table_count; i++)
        pgc_array_add_oid(&oids, clone->tables[i].relation->object.oid);
    pgc_array_end(&oids);
    pgc_buffer agreed;
    pgc_buffer_init(&agreed, 1 << 16);
    int result = pgc_buffer_check(&oids, err);
    if (result == 0)
        result = clone_extension_types(clone, oids.data, &agreed, err);
    if (result == 0) {
        const char *values[] = {oids.data, agreed.data};
        PGresult *rows = pgc_query_params(pgc_catalog_connection(clone->catalog), table_query, 2, values, err);
        result = rows ? take(clone, rows, err) : -1;
        PQclear(rows);
    }
    pgc_buffer_free(&agreed);
    pgc_buffer_free(&oids);
    return result;
}

/*
 * A table is cut only when it alone would keep one session busy after all else is done: two streams into one table wait for each other at its end, and neither can bring frozen rows. An index is about half the
 * work of its table's rows.
 */
int clone_tables_parts(const pgc_clone *clone, const clone_table *table)
{
    int jobs = clone->options->jobs;
    int64_t asked = clone->options->part_bytes;
    if (asked > 0 && table->is_heap && table->is_ours && !table->through_root && table->blocks >= 2 && pgc_catalog_server_version(clone->catalog) >= TID_RANGE_SCAN_VERSION)
        return (int)(table->bytes / asked < MOST_PARTS ? (table->bytes + asked - 1) / asked : MOST_PARTS) ? : 1;
    if (jobs < 2 || asked > 0 || !table->is_heap || !table->is_ours || table->through_root || table->blocks < 2 || pgc_catalog_server_version(clone->catalog) < TID_RANGE_SCAN_VERSION)
        return 1;
    double work = 0;
    for (int i = 0; i < clone->table_count; i++)
        work += (double)clone->tables[i].bytes * (1.0 + 0.5 * clone->tables[i].relation->index_count);
    if (table->bytes < 2 * LEAST_PART_BYTES || (double)table->bytes < 1.25 * work / jobs)
        return 1;
    int64_t parts = table->bytes / LEAST_PART_BYTES;
    return parts > 2 * (int64_t)jobs ? 2 * jobs : (int)parts;
}
