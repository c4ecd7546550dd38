/* The chosen tables at the source. $1 is an array of their oids, partitions among them. Queries run with search_path =
 * pg_catalog. */
#include "inspect/check/check_internal.h"
#include "postgres/identity.h"

#define FROM_TABLES "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY ($1::oid[]) "
#define NAME "format('%I.%I', n.nspname, c.relname)"
#define ORDER " ORDER BY n.nspname, c.relname"

/* UPDATE and DELETE can be published; stored generated columns are where that is needed. */
#define HAS_IDENTITY PGC_IDENTITY_USABLE_SQL("c", PGC_UNSENT_VIRTUAL)
#define WAS_CHANGED "(pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid) > 0)"

const check_item pgc_check_table_items[] = {
    {.name = "tables",
     .jobs = ALL_JOBS,
     .refused_anyway = true,
     .params = "t",
     .passed = "there are tables to move",
     .sql = "SELECT 'failed', format('there is no table to move in database %I', current_database()), 'check the "
            "database, and the patterns of -t, -T, -n and -N' WHERE cardinality($1::oid[]) = 0"},
    {.name = "table_privilege",
     .jobs = ALL_JOBS,
     .refused_anyway = true,
     .params = "t",
     .passed = "the role may read all tables",
     .sql = "SELECT 'failed', format('role %I may not read %s', current_user, " NAME
            "), format('GRANT USAGE ON SCHEMA %I TO %I; GRANT SELECT ON %I.%I TO %I;', n.nspname, current_user, "
            "n.nspname, c.relname, current_user) " FROM_TABLES
            "AND c.relkind <> 'f' AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, "
            "'SELECT') AND (has_table_privilege(c.oid, 'SELECT') OR "
            "(SELECT bool_and(has_column_privilege(c.oid, attnum, 'SELECT')) FROM pg_attribute WHERE attrelid = c.oid "
            "AND attnum > 0 AND NOT attisdropped)))" ORDER},
    {.name = "table_ownership",
     .jobs = STREAMS,
     .refused_anyway = true,
     .params = "tp",
     .passed = "the role may publish all tables",
     .sql = "SELECT 'failed', format('role %I does not own %s, and so may not publish it', current_user, " NAME
            "), format('GRANT %I TO %I; -- or have the owner make a publication, and name it by --publication', "
            "pg_get_userbyid(c.relowner), current_user) " FROM_TABLES
            "AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND NOT pg_has_role(c.relowner, 'USAGE') AND NOT "
            "EXISTS (SELECT FROM pg_publication WHERE pubname = $2::text)" ORDER},
    {.name = "row_security",
     .jobs = ALL_JOBS,
     .refused_anyway = true,
     .params = "t",
     .passed = "no row-level security hides rows",
     .sql = "SELECT 'failed', format('row-level security hides rows of %s from role %I', " NAME
            ", current_user), format('ALTER ROLE %I BYPASSRLS; -- as a superuser; or connect as the owner of the "
            "table', current_user) " FROM_TABLES "AND row_security_active(c.oid)" ORDER},
    {.name = "publication_tables",
     .jobs = STREAMS,
     .params = "tp",
     .passed = "the publication has all chosen tables",
     .sql = "SELECT 'warned', format('%s is not in publication %s: it is left out', " NAME
            ", p.pubname), format('ALTER PUBLICATION %I ADD TABLE %I.%I;', p.pubname, n.nspname, c.relname) "
            "FROM pg_publication p, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY "
            "($1::oid[]) AND p.pubname = $2::text AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT "
            "c.relispartition "
            "AND NOT EXISTS (SELECT FROM pg_publication_tables t WHERE t.pubname = p.pubname AND (t.schemaname, "
            "t.tablename) IN (SELECT bn.nspname, b.relname FROM pg_class b JOIN pg_namespace bn ON bn.oid = "
            "b.relnamespace "
            "WHERE b.oid = c.oid OR b.oid IN (SELECT relid FROM pg_partition_tree(c.oid))))" ORDER},
    {.name = "replica_identity",
     .jobs = STREAMS,
     .refused_anyway = true,
     .params = "tp",
     .passed = "updates and deletes of every table can be published",
     .sql =
         "SELECT CASE WHEN " WAS_CHANGED " THEN 'failed' ELSE 'warned' END, format('%s has %s: %sonce "
                                         "it is published the source itself refuses UPDATE and DELETE on it', " NAME
         ", CASE c.relreplident WHEN 'f' THEN 'REPLICA IDENTITY FULL with a virtual generated column' ELSE 'no replica identity' END, CASE WHEN " WAS_CHANGED " THEN 'it sees updates or deletes, and ' ELSE '' END), "
         "format(CASE c.relreplident WHEN 'f' THEN 'ALTER TABLE %I.%I REPLICA IDENTITY DEFAULT; -- and give it a primary key, or leave it out by -T' "
         "ELSE 'ALTER TABLE %I.%I REPLICA IDENTITY FULL; -- or give it a primary key, or leave it out by -T' END, "
         "n.nspname, c.relname) " FROM_TABLES "AND c.relkind = 'r' AND c.relpersistence = 'p' AND NOT " HAS_IDENTITY
         " AND NOT EXISTS (SELECT FROM pg_publication WHERE pubname = $2::text AND NOT pubupdate AND NOT "
         "pubdelete)" ORDER},
    {.name = "unlogged_tables",
     .jobs = STREAMS,
     .params = "t",
     .passed = "no table is unlogged",
     .sql = "SELECT 'warned', format('%s is unlogged: its changes are not in the WAL, and it is left out', " NAME
            "), format('ALTER TABLE %I.%I SET LOGGED;', n.nspname, c.relname) " FROM_TABLES
            "AND c.relpersistence = 'u' AND c.relkind = 'r'" ORDER},
    {.name = "foreign_tables",
     .jobs = MOVES | STREAMS,
     .params = "t",
     .passed = "no table is a foreign one",
     .sql = "SELECT 'warned', format('%s is a foreign table: its rows are another server''s, and it is left out', " NAME
            "), format('-T %L, or move it from its own server', " NAME ") " FROM_TABLES "AND c.relkind = 'f'" ORDER},
    {.name = "sequences",
     .jobs = MOVES | DEFINES,
     .passed = "no sequence is nearly used up",
     .sql = "SELECT 'warned', format('sequence %I.%I has used %s %% of its "
            "values', schemaname, sequencename, round(100 * used, 1)), "
            "format(CASE WHEN data_type::text = 'bigint' THEN 'ALTER SEQUENCE %1$I.%2$I NO MAXVALUE NO MINVALUE;' ELSE "
            "'ALTER SEQUENCE %1$I.%2$I AS bigint;%3$s' END, schemaname, sequencename, "
            "(SELECT format(' ALTER TABLE %s ALTER COLUMN %I TYPE bigint;', refobjid::regclass, attname) FROM "
            "pg_depend d JOIN pg_attribute a ON a.attrelid = refobjid AND a.attnum = refobjsubid WHERE d.classid = "
            "'pg_class'::regclass AND d.objid = seq AND d.deptype IN ('a', 'i') AND d.refclassid = "
            "'pg_class'::regclass AND refobjsubid > 0)) "
            "FROM (SELECT s.schemaname, s.sequencename, s.data_type, c.oid AS seq, CASE WHEN increment_by > 0 THEN "
            "(last_value::numeric - min_value) / nullif(max_value::numeric - min_value, 0) ELSE (max_value - "
            "last_value::numeric) / nullif(max_value::numeric - min_value, 0) END AS used "
            "FROM pg_sequences s JOIN pg_namespace n ON n.nspname = s.schemaname JOIN pg_class c ON c.relnamespace = "
            "n.oid AND c.relname = s.sequencename WHERE NOT cycle AND last_value IS NOT NULL) x WHERE used >= 0.8 "
            "ORDER BY used DESC"},
    {.name = "source_encoding",
     .jobs = MOVES | DEFINES,
     .passed = "the source's encoding says what its bytes are",
     .sql = "SELECT 'warned', 'the database is SQL_ASCII: its text may hold bytes of any encoding, and what is not "
            "UTF-8 will be refused or kept as bytes', "
            "'CREATE DATABASE new ENCODING ''UTF8'' TEMPLATE template0; -- and load a dump into it' "
            "FROM pg_database WHERE datname = current_database() AND "
            "pg_encoding_to_char(encoding) = 'SQL_ASCII'"},
    {.name = NULL},
};
