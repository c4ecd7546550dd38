/* The first thing that is missing is told; where tables are at fault the first few are named together. */
#include "source/postgres/requirements.h"
#include "postgres/quote.h"

#include <stdio.h>
#include <stdlib.h>

#define NAMES_MAX 5

static int refuse(pgconvoy_error *err, const char *hint, const char *format, ...) PGCONVOY_PRINTF(3, 4);

static int refuse(pgconvoy_error *err, const char *hint, const char *format, ...)
{
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "%s", message);
    pgconvoy_error_hint(err, "%s", hint);
    return -1;
}

/* Managed services give the right to replicate by membership instead of by the role's attribute. */
static const char server_sql[] =
    "SELECT pg_catalog.current_setting('wal_level'), r.rolsuper OR r.rolreplication OR EXISTS (SELECT FROM "
    "pg_catalog.pg_roles m "
    "WHERE m.rolname IN ('rds_replication', 'rds_superuser', 'cloudsqlsuperuser', 'alloydbsuperuser', "
    "'azure_pg_admin') "
    "AND pg_catalog.pg_has_role(m.oid, 'MEMBER')), current_user, "
    "pg_catalog.current_setting('max_replication_slots')::pg_catalog.int4, "
    "(SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots), "
    "pg_catalog.current_setting('max_wal_senders')::pg_catalog.int4, "
    "(SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication), "
    "EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $1), "
    "pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'), pg_catalog.current_database() "
    "FROM pg_catalog.pg_roles r WHERE r.rolname = current_user";

static int judge_server(const pgc_postgres_source *source, const PGresult *result, pgconvoy_error *err)
{
    const char *role = PQgetvalue(result, 0, 2);
    if (source->config.two_phase && source->server_version < 150000)
        return refuse(err, "leave it out: prepared transactions then come when they are committed",
                      "--two-phase: PostgreSQL %d does not send transactions when they are prepared; 15 is the first that does",
                      source->server_version / 10000);
    if (strcmp(PQgetvalue(result, 0, 0), "logical") != 0)
        return refuse(err,
                      "ALTER SYSTEM SET wal_level = logical, and restart the server (on a managed service: its "
                      "parameter for logical replication)",
                      "wal_level of the source is %s, not logical", PQgetvalue(result, 0, 0));
    if (source->in_recovery && source->server_version < 160000)
        return refuse(err, "connect to the primary, or stream from a standby of PostgreSQL 16 or later",
                      "the source is a standby, which cannot be streamed from before PostgreSQL 16");
    if (source->in_recovery && !source->publication.exists)
        return refuse(err, "make the publication on the primary and name it by --publication",
                      "the source is a standby and has no publication %s", source->publication_name);
    if (!pgc_result_bool(result, 0, 1)) {
        char hint[256];
        snprintf(hint, sizeof hint, "as a superuser: ALTER ROLE \"%.63s\" REPLICATION (on a managed service: grant its replication role)", role);
        return refuse(err, hint, "role %s may not replicate", role);
    }
    if (pgc_result_int64(result, 0, 6) >= pgc_result_int64(result, 0, 5))
        return refuse(err, "raise max_wal_senders on the source, or end a replication connection that is not needed",
                      "all of the source's %s WAL senders are in use", PQgetvalue(result, 0, 5));
    bool has_slot = pgc_result_bool(result, 0, 7);
    if (!has_slot && pgc_result_int64(result, 0, 4) >= pgc_result_int64(result, 0, 3))
        return refuse(
            err,
            "drop a slot that is not needed (see pg_replication_slots), or raise max_replication_slots on the source",
            "all of the source's %s replication slots are in use", PQgetvalue(result, 0, 3));
    if (!source->publication.exists && !pgc_result_bool(result, 0, 8)) {
        const char *database = PQgetvalue(result, 0, 9);
        char hint[320];
        snprintf(hint, sizeof hint, "GRANT CREATE ON DATABASE \"%.63s\" TO \"%.63s\", or have a publication made and name it by --publication",
                 database, role);
        return refuse(err, hint, "role %s may not make a publication in database \"%s\"", role, database);
    }
    return 0;
}

int pgc_requirements_check_server(pgc_postgres_source *source, pgconvoy_error *err)
{
    if (!source->config.streaming)
        return 0;
    PGconn *conn = pgc_source_conn(source, err);
    if (!conn)
        return -1;
    const char *values[] = {source->slot_name};
    PGresult *result = pgc_query_params(conn, server_sql, 1, values, err);
    if (!result)
        return -1;
    int failed = PQntuples(result) == 1 ? judge_server(source, result, err) : 0;
    PQclear(result);
    return failed;
}

/* "a, b and 3 more" of the first column. */
static void join_names(const PGresult *result, char *text, size_t size)
{
    int count = PQntuples(result);
    size_t used = 0;
    text[0] = '\0';
    for (int row = 0; row < count && row < NAMES_MAX && used < size; row++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", row ? ", " : "", PQgetvalue(result, row, 0));
    if (count > NAMES_MAX && used < size)
        snprintf(text + used, size - used, " and %d more", count - NAMES_MAX);
}

/*
 * Runs a query that names the tables at fault. Gives how many, and their names; -1 on failure.
 */
static int faulty(PGconn *conn, const char *sql, const uint32_t *oids, size_t count, char *names, size_t size,
                  pgconvoy_error *err)
{
    PGresult *result = pgc_query_oids(conn, sql, oids, count, err);
    if (!result)
        return -1;
    int found = PQntuples(result);
    join_names(result, names, size);
    PQclear(result);
    return found;
}

#define FROM_RELATIONS                                                                                                 \
    "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace " \
    "n "                                                                                                               \
    "ON n.oid = c.relnamespace WHERE c.oid = ANY ($1::pg_catalog.oid[]) AND "

static const char unreadable_sql[] = FROM_RELATIONS
    "NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND (pg_catalog.has_table_privilege(c.oid, 'SELECT') OR "
    "(SELECT pg_catalog.bool_and(pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')) FROM "
    "pg_catalog.pg_attribute a "
    "WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))) ORDER BY 1";

/* A publication may list some of the columns: the right to one of them is then all that can be asked for here. */
static const char unreadable_columns_sql[] =
    FROM_RELATIONS "NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND "
                   "pg_catalog.has_any_column_privilege(c.oid, 'SELECT')) ORDER BY 1";

static const char row_security_sql[] = FROM_RELATIONS "pg_catalog.row_security_active(c.oid) ORDER BY 1";

static const char not_owned_sql[] = FROM_RELATIONS "NOT pg_catalog.pg_has_role(c.relowner, 'USAGE') ORDER BY 1";

/* Everything that is read: tables, and partitions of tables. malloc'ed. */
static uint32_t *part_oids(const pgc_postgres_source *source, size_t *count, pgconvoy_error *err)
{
    size_t total = 0;
    for (size_t i = 0; i < source->table_count; i++)
        total += (size_t)((const pgc_source_table *)source->tables[i])->part_count;
    uint32_t *oids = malloc((total + 1) * sizeof *oids);
    if (!oids) {
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    *count = 0;
    for (size_t i = 0; i < source->table_count; i++) {
        const pgc_source_table *table = (const pgc_source_table *)source->tables[i];
        for (int p = 0; p < table->part_count; p++)
            oids[(*count)++] = table->parts[p].oid;
    }
    return oids;
}

static int check_reading(pgc_postgres_source *source, PGconn *conn, pgconvoy_error *err)
{
    size_t count;
    uint32_t *oids = part_oids(source, &count, err);
    if (!oids)
        return -1;
    char names[700];
    bool lists = source->publication.exists && source->server_version >= 150000;
    int failed = faulty(conn, lists ? unreadable_columns_sql : unreadable_sql, oids, count, names, sizeof names, err);
    if (failed > 0)
        failed = refuse(err, "GRANT SELECT ON the tables and USAGE ON their schemas TO the role",
                        "role %s may not read %s", PQuser(conn), names);
    if (failed == 0) {
        failed = faulty(conn, row_security_sql, oids, count, names, sizeof names, err);
        if (failed > 0)
            failed = refuse(
                err, "ALTER ROLE … BYPASSRLS as a superuser, connect as the tables' owner, or leave them out by -T",
                "row-level security hides rows from role %s in %s", PQuser(conn), names);
    }
    free(oids);
    return failed;
}

static int check_ownership(pgc_postgres_source *source, PGconn *conn, pgconvoy_error *err)
{
    if (!source->config.streaming || source->publication.exists)
        return 0;
    uint32_t *oids = malloc((source->table_count + 1) * sizeof *oids);
    if (!oids)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < source->table_count; i++)
        oids[i] = source->tables[i]->oid;
    char names[700];
    int failed = faulty(conn, not_owned_sql, oids, source->table_count, names, sizeof names, err);
    if (failed > 0)
        failed = refuse(
            err, "connect as the tables' owner, or have a superuser make a publication and name it by --publication",
            "role %s does not own %s, and so may not publish them", PQuser(conn), names);
    free(oids);
    return failed;
}

typedef struct name_list {
    char text[700];
    int count;
    char first[PGC_QUOTED_NAME_SIZE];
} name_list;

static void add_name(name_list *list, const pgc_part *part)
{
    size_t used = strlen(list->text);
    if (list->count == 0)
        pgc_quoted_name(part->schema, part->name, list->first);
    if (list->count++ < NAMES_MAX)
        snprintf(list->text + used, sizeof list->text - used, "%s%s.%s", used ? ", " : "", part->schema, part->name);
}

/* What is said of tables without an identity, and of those whose identity is the whole row with generated columns, which are not sent. */
static const struct {
    const char *one, *more, *warning, *mend;
} identity_words[] = {
    {"table has no replica identity but sees", "tables have no replica identity but see", "no replica identity", "ALTER TABLE %s REPLICA IDENTITY FULL, or add a primary key"},
    {"table has REPLICA IDENTITY FULL with a generated column, which is not published, and sees", "tables have REPLICA IDENTITY FULL with generated columns, which are not published, and see",
     "REPLICA IDENTITY FULL with a generated column, which is not published", "give %s a primary key, and ALTER TABLE … REPLICA IDENTITY DEFAULT"},
};
#define IDENTITY_FAULTS ((int)(sizeof identity_words / sizeof *identity_words))

static int refuse_identity(const name_list *changed, int fault, pgconvoy_error *err)
{
    char mend[PGC_QUOTED_NAME_SIZE + 100];
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "%d %s updates or deletes, which the source would refuse once published: %s%s", changed->count,
                       changed->count == 1 ? identity_words[fault].one : identity_words[fault].more, changed->text, changed->count > NAMES_MAX ? " …" : "");
    snprintf(mend, sizeof mend, identity_words[fault].mend, changed->first);
    pgconvoy_error_hint(err, "%s, or leave the table out by -T; --skip-check replica_identity begins in spite of it", mend);
    return -1;
}

/*
 * From the moment it is published a table without a usable replica identity refuses UPDATE and DELETE on the source
 * itself: a table that has had some must not come to that by us.
 */
static int check_identities(pgc_postgres_source *source, pgconvoy_error *err)
{
    const pgc_publication *publication = &source->publication;
    if (!source->config.streaming || (publication->exists && !publication->updates && !publication->deletes))
        return 0;
    name_list changed[IDENTITY_FAULTS] = {0}, quiet[IDENTITY_FAULTS] = {0};
    for (size_t i = 0; i < source->table_count; i++) {
        const pgc_source_table *table = (const pgc_source_table *)source->tables[i];
        for (int p = 0; p < table->part_count; p++) {
            const pgc_part *part = &table->parts[p];
            int fault = part->replica_identity == 'f'; /* of the words above */
            if (!part->identity_usable)
                add_name(part->was_changed ? &changed[fault] : &quiet[fault], part);
        }
    }
    for (int fault = 0; fault < IDENTITY_FAULTS; fault++) {
        if (changed[fault].count > 0 && !source->config.any_identity)
            return refuse_identity(&changed[fault], fault, err);
        if (changed[fault].count > 0)
            pgc_log_warning(source->config.log, "%s, so that the source refuses updates and deletes from now on: %s%s", identity_words[fault].warning, changed[fault].text,
                            changed[fault].count > NAMES_MAX ? " …" : "");
        if (quiet[fault].count > 0)
            pgc_log_once(source->config.log, PGCONVOY_LOG_WARNING, "%s, so that the source will refuse updates and deletes: %s%s", identity_words[fault].warning, quiet[fault].text,
                         quiet[fault].count > NAMES_MAX ? " …" : "");
    }
    return 0;
}

/* ---- --columns, --where and new names */

static const pgconvoy_table *mapped_table(const pgc_postgres_source *source, const pgc_mapped_table *mapped)
{
    for (size_t i = 0; i < source->table_count; i++)
        if (strcmp(source->tables[i]->name, mapped->name) == 0 && strcmp(source->tables[i]->schema, mapped->schema) == 0)
            return source->tables[i];
    return NULL;
}

static bool has_column(const pgconvoy_table *table, const char *name)
{
    for (int i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return true;
    return false;
}

static int check_columns(const pgc_mapped_table *mapped, const pgconvoy_table *table, pgconvoy_error *err)
{
    const char *missing = NULL;
    for (int i = 0; i < mapped->column_count; i++)
        missing = has_column(table, mapped->columns[i]) ? missing : mapped->columns[i];
    for (int i = 0; i < mapped->renamed_count; i++)
        missing = has_column(table, mapped->renamed[i].from) ? missing : mapped->renamed[i].from;
    return missing ? refuse(err, "see --columns and --map-column; names are those of the source, folded to lower case unless quoted",
                            "table %s.%s has no column \"%s\" that is moved", mapped->schema, mapped->name, missing)
                   : 0;
}

static int check_where(PGconn *conn, const pgc_mapped_table *mapped, pgconvoy_error *err)
{
    if (!mapped->where)
        return 0;
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 20);
    pgc_buffer_text(&sql, "SELECT 1 FROM ONLY ");
    pgc_quote_qualified(&sql, mapped->schema, mapped->name);
    pgc_buffer_format(&sql, " WHERE (%s\n) LIMIT 0", mapped->where);
    int result = pgc_buffer_check(&sql, err) ? -1 : pgc_execute(conn, sql.data, err);
    pgc_buffer_free(&sql);
    if (result != 0) {
        pgc_error_prefix(err, "the condition for the rows of %s.%s", mapped->schema, mapped->name);
        pgconvoy_error_hint(err, "give --where 'SCHEMA.TABLE=CONDITION' a condition over the table's columns");
    }
    return result;
}

/* A server before 15 cannot leave out columns and rows of a stream, and a publication of somebody else's has its own choice. */
static int check_choice(const pgc_postgres_source *source, const pgc_mapped_table *mapped, pgconvoy_error *err)
{
    if ((mapped->column_count == 0 && !mapped->where) || !source->config.streaming)
        return 0;
    const char *option = mapped->where ? "--where" : "--columns";
    if (source->server_version < 150000)
        return refuse(err, "leave it out, or use copy", "%s for %s.%s: PostgreSQL %d streams all columns and rows of a table; 15 is the first that can leave out some",
                      option, mapped->schema, mapped->name, source->server_version / 10000);
    if (source->publication.exists && !source->publication.ours)
        return refuse(err, "leave it out, and choose by the publication: ALTER PUBLICATION … SET TABLE … (columns) WHERE (condition)",
                      "%s for %s.%s: publication %s says which columns and rows are streamed", option, mapped->schema, mapped->name, source->publication_name);
    return 0;
}

/* What is there already goes on as it was made; tables may have gone since. */
static int check_mapping(pgc_postgres_source *source, PGconn *conn, pgconvoy_error *err)
{
    const pgc_mapped_table *tables;
    int count = pgc_mapping_tables(source->config.mapping, &tables);
    for (int i = 0; i < count; i++) {
        if (check_choice(source, &tables[i], err) != 0)
            return -1;
        if (source->publication.exists && source->publication.ours)
            continue;
        const pgconvoy_table *table = mapped_table(source, &tables[i]);
        if (!table)
            return refuse(err, "names are those of the source, SCHEMA.TABLE; see also -t and -n", "there is no table %s.%s among those that are moved",
                          tables[i].schema, tables[i].name);
        if (check_columns(&tables[i], table, err) != 0 || check_where(conn, &tables[i], err) != 0)
            return -1;
    }
    return 0;
}

/* Said once, where the pipeline begins. */
static int warn_of_large_objects(const pgc_postgres_source *source, PGconn *conn, pgconvoy_error *err)
{
    if (!source->config.streaming || source->publication.exists)
        return 0;
    PGresult *result = pgc_query(conn, "SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata", err);
    if (!result)
        return -1;
    if (pgc_result_int64(result, 0, 0) > 0)
        pgc_log_warning(source->config.log, "left out: %s large object%s: of what is not rows of a table the server sends nothing (pgconvoy copy takes them along, once)",
                        PQgetvalue(result, 0, 0), strcmp(PQgetvalue(result, 0, 0), "1") == 0 ? "" : "s");
    PQclear(result);
    return 0;
}

int pgc_requirements_check_tables(pgc_postgres_source *source, pgconvoy_error *err)
{
    PGconn *conn = pgc_source_conn(source, err);
    if (!conn || check_reading(source, conn, err) != 0 || check_ownership(source, conn, err) != 0)
        return -1;
    return check_identities(source, err) || check_mapping(source, conn, err) || warn_of_large_objects(source, conn, err) ? -1 : 0;
}
