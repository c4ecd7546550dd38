/*
 * Relations as pg_class has them, and who inherits from whom. All are read, whatever is wanted: a column's type, a parent or a sequence's owner may be anywhere. What needs more than this (columns, texts) is read later of those
 * that are interesting, once they are locked.
 */
#include "catalog/kinds.h"

enum {
    OID, NAME, SCHEMA, KIND, ROW_TYPE, OWNER, CHECKS, INDEXES, RULES, TRIGGERS, PAGES, ROWS, PERSISTENCE, POPULATED, REPLICA_IDENTITY,
    ROW_SECURITY, FORCE_ROW_SECURITY, PARTITION, OF_TYPE, FROZEN_XID, MIN_MULTIXID, ACL, ACL_DEFAULT, OPTIONS, CHECK_OPTION, TABLESPACE,
    ACCESS_METHOD, TOAST_OID, TOAST_PAGES, TOAST_OPTIONS, TOAST_FROZEN_XID, TOAST_MIN_MULTIXID, OWNING_TABLE, OWNING_COLUMN, IS_IDENTITY,
    FOREIGN_SERVER, COLUMN_COUNT
};

static const char *const column_names[COLUMN_COUNT] = {
    [OID] = "oid", [NAME] = "relname", [SCHEMA] = "relnamespace", [KIND] = "relkind", [ROW_TYPE] = "reltype", [OWNER] = "relowner",
    [CHECKS] = "relchecks", [INDEXES] = "relhasindex", [RULES] = "relhasrules", [TRIGGERS] = "relhastriggers", [PAGES] = "relpages",
    [ROWS] = "reltuples", [PERSISTENCE] = "relpersistence", [POPULATED] = "relispopulated", [REPLICA_IDENTITY] = "relreplident",
    [ROW_SECURITY] = "relrowsecurity", [FORCE_ROW_SECURITY] = "relforcerowsecurity", [PARTITION] = "relispartition", [OF_TYPE] = "reloftype",
    [FROZEN_XID] = "relfrozenxid", [MIN_MULTIXID] = "relminmxid", [ACL] = "relacl", [ACL_DEFAULT] = "acldefault", [OPTIONS] = "reloptions",
    [CHECK_OPTION] = "check_option", [TABLESPACE] = "tablespace", [ACCESS_METHOD] = "access_method", [TOAST_OID] = "toast_oid",
    [TOAST_PAGES] = "toast_pages", [TOAST_OPTIONS] = "toast_options", [TOAST_FROZEN_XID] = "toast_frozenxid",
    [TOAST_MIN_MULTIXID] = "toast_minmxid", [OWNING_TABLE] = "owning_table", [OWNING_COLUMN] = "owning_column", [IS_IDENTITY] = "is_identity",
    [FOREIGN_SERVER] = "foreign_server",
};

static void fill(pgc_relation *relation, const pgc_rows *rows, int row, const int *at)
{
    relation->kind = pgc_rows_char(rows, row, at[KIND]);
    relation->persistence = pgc_rows_char(rows, row, at[PERSISTENCE]);
    relation->populated = pgc_rows_bool(rows, row, at[POPULATED]);
    relation->replica_identity = pgc_rows_char(rows, row, at[REPLICA_IDENTITY]);
    relation->tablespace = pgc_rows_text_or_empty(rows, row, at[TABLESPACE]);
    relation->options = pgc_rows_text_or_empty(rows, row, at[OPTIONS]);
    relation->check_option = pgc_rows_text(rows, row, at[CHECK_OPTION]);
    relation->toast_options = pgc_rows_text_or_empty(rows, row, at[TOAST_OPTIONS]);
    relation->access_method = pgc_rows_text(rows, row, at[ACCESS_METHOD]);
    relation->has_indexes = pgc_rows_bool(rows, row, at[INDEXES]);
    relation->has_rules = pgc_rows_bool(rows, row, at[RULES]);
    relation->has_triggers = pgc_rows_bool(rows, row, at[TRIGGERS]);
    relation->row_security = pgc_rows_bool(rows, row, at[ROW_SECURITY]);
    relation->force_row_security = pgc_rows_bool(rows, row, at[FORCE_ROW_SECURITY]);
    relation->frozen_xid = pgc_rows_oid(rows, row, at[FROZEN_XID]);
    relation->min_multixid = pgc_rows_oid(rows, row, at[MIN_MULTIXID]);
    relation->toast_oid = pgc_rows_oid(rows, row, at[TOAST_OID]);
    relation->toast_frozen_xid = pgc_rows_oid(rows, row, at[TOAST_FROZEN_XID]);
    relation->toast_min_multixid = pgc_rows_oid(rows, row, at[TOAST_MIN_MULTIXID]);
    relation->check_count = pgc_rows_int(rows, row, at[CHECKS]);
    relation->row_type = pgc_rows_oid(rows, row, at[ROW_TYPE]);
    relation->of_type = pgc_rows_oid(rows, row, at[OF_TYPE]);
    relation->foreign_server = pgc_rows_oid(rows, row, at[FOREIGN_SERVER]);
    relation->owning_table = pgc_rows_oid(rows, row, at[OWNING_TABLE]);
    relation->owning_column = pgc_rows_int(rows, row, at[OWNING_COLUMN]);
    relation->is_identity_sequence = pgc_rows_bool(rows, row, at[IS_IDENTITY]);
    /* relpages is an integer that means an unsigned number of blocks */
    relation->pages = (uint32_t)pgc_rows_int64(rows, row, at[PAGES]);
    relation->toast_pages = (uint32_t)pgc_rows_int64(rows, row, at[TOAST_PAGES]);
    relation->rows = pgc_rows_double(rows, row, at[ROWS]);
    relation->is_partition = pgc_rows_bool(rows, row, at[PARTITION]);
}

static int add_relation(pgc_catalog *catalog, const pgc_rows *rows, int row, const int *at, pgconvoy_error *err)
{
    pgc_schema *schema = pgc_catalog_schema(catalog, pgc_rows_oid(rows, row, at[SCHEMA]));
    pgc_relation *relation = pgc_catalog_add(catalog, PGC_KIND_RELATION, sizeof *relation, PGC_PG_CLASS, pgc_rows_oid(rows, row, at[OID]),
                                             pgc_rows_text(rows, row, at[NAME]), schema, err);
    if (!relation)
        return -1;
    pgc_object *object = &relation->object;
    object->owner = pgc_catalog_role(catalog, pgc_rows_oid(rows, row, at[OWNER]));
    object->acl.acl = pgc_rows_text(rows, row, at[ACL]);
    object->acl.default_acl = pgc_rows_text(rows, row, at[ACL_DEFAULT]);
    object->available |= PGC_PART_DATA | (object->acl.acl ? PGC_PART_ACL : 0);
    fill(relation, rows, row, at);
    /* a composite type's relation is there for the sake of dependencies: its type is what gets written */
    if (relation->kind == PGC_RELKIND_COMPOSITE)
        object->wanted = 0;
    else if (pgc_select_relation(catalog, relation, err) != 0)
        return -1;
    relation->interesting = (object->wanted & (PGC_PART_DEFINITION | PGC_PART_DATA)) != 0;
    return 0;
}

/*
 * A sequence that a column owns is dumped with the column's table. One that makes an identity is a part of the table and cannot be had without it; any other may have been chosen by itself as well, or be wanted
 * in other parts than a table that belongs to an extension.
 */
static int select_owned_sequences(pgc_catalog *catalog, pgconvoy_error *err)
{
    for (int i = 0; i < catalog->relation_count; i++) {
        pgc_relation *sequence = catalog->relations[i];
        if (!sequence->owning_table)
            continue;
        pgc_relation *table = pgc_catalog_relation(catalog, sequence->owning_table);
        if (!table) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "failed sanity check, parent table with OID %u of sequence with OID %u not found",
                               sequence->owning_table, sequence->object.oid);
            return -1;
        }
        if (sequence->is_identity_sequence)
            sequence->object.wanted = table->object.wanted;
        else
            sequence->object.wanted |= table->object.wanted;
        if (sequence->object.wanted)
            sequence->interesting = table->interesting = true;
    }
    return 0;
}

int pgc_take_relations(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int at[COLUMN_COUNT];
    for (int c = 0; c < COLUMN_COUNT; c++)
        at[c] = pgc_rows_column(rows, column_names[c]);
    for (int row = 0; row < rows->count; row++)
        if (add_relation(catalog, rows, row, at, err) != 0)
            return -1;
    return select_owned_sequences(catalog, err);
}

/* ------------------------------------------------------------------ inheritance */

int pgc_take_inherits(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int child_column = pgc_rows_column(rows, "inhrelid"), parent_column = pgc_rows_column(rows, "inhparent");
    for (int row = 0, next; row < rows->count; row = next) {
        uint32_t oid = pgc_rows_oid(rows, row, child_column);
        for (next = row + 1; next < rows->count && pgc_rows_oid(rows, next, child_column) == oid;)
            next++;
        pgc_relation *child = pgc_catalog_relation(catalog, oid);
        if (!child)
            continue; /* an index */
        child->parents = pgc_arena_alloc(catalog->arena, (size_t)(next - row) * sizeof *child->parents);
        if (!child->parents)
            return pgc_error_out_of_memory(err);
        for (int r = row; r < next; r++) {
            pgc_relation *parent = pgc_catalog_relation(catalog, pgc_rows_oid(rows, r, parent_column));
            if (!parent) {
                pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "failed sanity check, parent OID %u of table \"%s\" (OID %u) not found",
                                   pgc_rows_oid(rows, r, parent_column), child->object.name, oid);
                return -1;
            }
            child->parents[child->parent_count++] = parent;
        }
    }
    return 0;
}

/* A partition is made as a table of its own and attached by an object of its own, so that it can be restored without its parent. Nothing in pg_depend speaks of that object. */
static int add_attachment(pgc_catalog *catalog, pgc_relation *partition, pgconvoy_error *err)
{
    if (partition->parent_count != 1) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "invalid number of parents %d for table \"%s\"", partition->parent_count,
                           partition->object.name);
        return -1;
    }
    pgc_partition_attach *attach = pgc_catalog_add(catalog, PGC_KIND_PARTITION_ATTACH, sizeof *attach, 0, 0, partition->object.name,
                                                   partition->object.schema, err);
    if (!attach)
        return -1;
    attach->parent = partition->parents[0];
    attach->partition = partition;
    attach->object.owner = partition->object.owner;
    attach->object.wanted = PGC_PART_ALL;
    if (pgc_object_needs(catalog, &attach->object, partition->object.id, err) != 0)
        return -1;
    return pgc_object_needs(catalog, &attach->object, attach->parent->object.id, err);
}

int pgc_relations_link(pgc_catalog *catalog, pgconvoy_error *err)
{
    for (int i = 0; i < catalog->relation_count; i++) {
        pgc_relation *relation = catalog->relations[i];
        if (!relation->object.wanted)
            continue;
        for (int p = 0; p < relation->parent_count; p++)
            relation->parents[p]->interesting = true;
        if (relation->is_partition && add_attachment(catalog, relation, err) != 0)
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ of the interesting ones */

int pgc_take_partitioning(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "oid"), key = pgc_rows_column(rows, "key"), bound = pgc_rows_column(rows, "bound");
    int unsafe = pgc_rows_column(rows, "unsafe");
    for (int row = 0; row < rows->count; row++) {
        pgc_relation *relation = pgc_catalog_relation(catalog, pgc_rows_oid(rows, row, oid));
        if (!relation) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "failed sanity check, table OID %u appearing in pg_partitioned_table not found",
                               pgc_rows_oid(rows, row, oid));
            return -1;
        }
        relation->partition_key = pgc_rows_text(rows, row, key);
        relation->partition_bound = pgc_rows_text(rows, row, bound);
        relation->unsafe_partitions = pgc_rows_bool(rows, row, unsafe);
    }
    return 0;
}

int pgc_take_foreign_tables(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    (void)err;
    int oid = pgc_rows_column(rows, "ftrelid"), server = pgc_rows_column(rows, "srvname"), options = pgc_rows_column(rows, "options");
    for (int row = 0; row < rows->count; row++) {
        pgc_relation *relation = pgc_catalog_relation(catalog, pgc_rows_oid(rows, row, oid));
        if (!relation)
            continue;
        relation->foreign_server_name = pgc_rows_text(rows, row, server);
        relation->server_options = pgc_rows_text_or_empty(rows, row, options);
    }
    return 0;
}

int pgc_take_relation_storage(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "oid"), file = pgc_rows_column(rows, "relfilenode"), toast = pgc_rows_column(rows, "reltoastrelid");
    int toast_file = pgc_rows_column(rows, "toast_file"), toast_index = pgc_rows_column(rows, "toast_index");
    int toast_index_file = pgc_rows_column(rows, "toast_index_file"), array_type = pgc_rows_column(rows, "typarray");
    int column_versions = pgc_rows_column(rows, "column_versions");
    for (int row = 0; row < rows->count; row++) {
        pgc_relation *relation = pgc_catalog_relation(catalog, pgc_rows_oid(rows, row, oid));
        if (!relation)
            continue;
        pgc_relation_storage *storage = pgc_arena_alloc(catalog->arena, sizeof *storage);
        if (!storage)
            return pgc_error_out_of_memory(err);
        *storage = (pgc_relation_storage){
            .file = pgc_rows_oid(rows, row, file),
            .toast = pgc_rows_oid(rows, row, toast),
            .toast_file = pgc_rows_oid(rows, row, toast_file),
            .toast_index = pgc_rows_oid(rows, row, toast_index),
            .toast_index_file = pgc_rows_oid(rows, row, toast_index_file),
            .array_type = pgc_rows_oid(rows, row, array_type),
            .column_versions = pgc_rows_bool(rows, row, column_versions),
        };
        relation->storage = storage;
    }
    return 0;
}
