/* The data of one entry: which way they are read, and what all ways share. */
#include "archive/data_internal.h"
#include "postgres/connection.h"

bool pgc_data_are_inserts(const pgc_dump_options *options)
{
    return options->inserts || options->column_inserts || options->rows_per_insert > 0;
}

const pgc_relation *pgc_data_target_table(const pgc_data_source *source)
{
    return pgc_relation_load_target(source->options->load_via_partition_root, source->table->relation);
}

void pgc_data_append_blocks(pgc_buffer *sql, pgc_block_range blocks)
{
    const char *word = " WHERE ";
    if (blocks.first >= 0) {
        pgc_buffer_format(sql, "%sctid >= '(%lld,0)'", word, (long long)blocks.first);
        word = " AND ";
    }
    if (blocks.end >= 0)
        pgc_buffer_format(sql, "%sctid < '(%lld,0)'", word, (long long)blocks.end);
}

int pgc_data_emit(pgc_data_source *source, const char *bytes, size_t length, pgconvoy_error *err)
{
    if (length == 0)
        return 0;
    source->totals->bytes += (int64_t)length;
    return source->target->write(source->target->arg, bytes, length, err);
}

/* Servers that keep dumps from reading through foreign tables unasked (restrict_nonsystem_relation_kind) are told when it is meant. */
static int restrict_relations(PGconn *conn, const char *kinds, pgconvoy_error *err)
{
    const char *values[] = {kinds};
    PGresult *result = pgc_query_params(conn,
                                        "SELECT pg_catalog.set_config(name, $1, false) FROM pg_catalog.pg_settings WHERE name = 'restrict_nonsystem_relation_kind'", 1,
                                        values, err);
    PQclear(result);
    return result ? 0 : -1;
}

static int read_table(pgc_data_source *source, pgconvoy_error *err)
{
    bool foreign = source->table->relation->kind == PGC_RELKIND_FOREIGN;
    if (foreign && restrict_relations(source->conn, "view", err))
        return -1;
    int result = pgc_data_are_inserts(source->options) ? pgc_data_insert_rows(source, err) : pgc_data_copy_rows(source, err);
    if (result == 0 && foreign)
        result = restrict_relations(source->conn, "view, foreign-table", err);
    return result;
}

static void say(const pgc_data_source *source)
{
    const pgc_entry *entry = source->entry;
    pgc_buffer what;
    pgc_buffer_init(&what, 4096);
    if (source->table)
        pgc_buffer_format(&what, "dumping contents of table \"%s.%s\"", entry->schema ? entry->schema : "", entry->tag);
    else
        pgc_buffer_text(&what, "saving large objects");
    if (!what.failed)
        source->options->progress(source->options->arg, what.data);
    pgc_buffer_free(&what);
}

int pgc_data_read_blocks(pgc_catalog *catalog, PGconn *conn, const pgc_entry *entry, pgc_block_range blocks, const pgc_data_target *target, pgc_data_totals *totals,
                         pgconvoy_error *err)
{
    const pgc_object *object = entry->object;
    if (!object || (object->kind != PGC_KIND_TABLE_DATA && object->kind != PGC_KIND_LARGE_OBJECT_DATA)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "entry %d (%s %s) has no data that could be read", entry->id, entry->description, entry->tag);
        return -1;
    }
    pgc_data_totals unused = {0};
    pgc_arena *scratch = pgc_arena_new(16 << 10);
    if (!scratch)
        return pgc_error_out_of_memory(err);
    pgc_data_source source = {
        .catalog = catalog,
        .options = catalog->options,
        .conn = conn,
        .entry = entry,
        .table = object->kind == PGC_KIND_TABLE_DATA ? (const pgc_table_data *)object : NULL,
        .blocks = blocks,
        .target = target,
        .totals = totals ? totals : &unused,
        .ddl = {.catalog = catalog, .options = catalog->options, .version = catalog->version, .scratch = scratch, .err = err},
    };
    if (blocks.first < 0 && catalog->options->progress)
        say(&source);
    int result = source.table ? read_table(&source, err) : pgc_data_copy_large_objects(&source, err);
    if (result == 0 && source.ddl.failed)
        result = -1;
    if (result == 0 && blocks.end < 0)
        source.totals->entries++;
    pgc_arena_free(scratch);
    return result;
}

int pgc_data_read(pgc_catalog *catalog, PGconn *conn, const pgc_entry *entry, const pgc_data_target *target, pgc_data_totals *totals, pgconvoy_error *err)
{
    return pgc_data_read_blocks(catalog, conn, entry, PGC_ALL_BLOCKS, target, totals, err);
}
