/*
 * The source's server: what it must have, and what there must be left of it. Queries run with search_path = pg_catalog.
 * A mend that is SQL can be run as it stands; what else is to be known of it is a comment.
 */
#include "inspect/check/check_internal.h"

#define ROLES_THAT_REPLICATE                                                                                           \
    "('rds_replication', 'rds_superuser', 'cloudsqlsuperuser', 'alloydbsuperuser', 'azure_pg_admin')"

/* The client's address is the machine's own where it is none or a loopback one. */
#define NO_TLS_SQL                                                                                                     \
    "SELECT 'warned', format('the connection from %s is not encrypted', inet_client_addr()), "                         \
    "'write sslmode=require (or verify-full) into the connection string; the server needs ssl = on' "                  \
    "FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND NOT ssl AND inet_client_addr() IS NOT NULL "                    \
    "AND NOT inet_client_addr() <<= '127.0.0.0/8' AND inet_client_addr() <> '::1'"

/* Others' transactions cannot be seen without the right to: then nothing can be said. */
#define LONG_TRANSACTIONS_SQL                                                                                          \
    "SELECT 'warned', format('a transaction of %s (%s, pid %s) is open for %s: a slot is ready only when it has "      \
    "ended, and it holds vacuum back', "                                                                               \
    "usename, coalesce(nullif(application_name, ''), 'no application name'), pid, date_trunc('second', "               \
    "clock_timestamp() - xact_start)), "                                                                               \
    "format('SELECT pg_terminate_backend(%s);', pid) FROM pg_stat_activity "                                           \
    "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND (backend_xid IS NOT NULL OR backend_xmin "  \
    "IS NOT NULL) "                                                                                                    \
    "AND application_name !~ '^pgconvoy ' "                                                                            \
    "AND (state LIKE 'idle in transaction%' AND clock_timestamp() - state_change > interval '3 s' OR "                 \
    "clock_timestamp() - xact_start > interval '1 min') "                                                              \
    "UNION ALL SELECT 'unchecked', format('role %I may not see the transactions of other roles', current_user), "      \
    "format('GRANT pg_read_all_stats TO %I;', current_user) "                                                          \
    "WHERE NOT pg_has_role('pg_read_all_stats', 'USAGE')"

const check_item pgc_check_source_items[] = {
    {.name = "source_tls",
     .jobs = ALL_JOBS,
     .passed = "the connection is encrypted, or stays on this machine",
     .sql = NO_TLS_SQL},
    {.name = "source_version",
     .jobs = ALL_JOBS,
     .refused_anyway = true,
     .passed = "the source's version is among 12 to 18",
     .sql = "SELECT CASE WHEN v < 120000 THEN 'failed' ELSE 'warned' END, format('the source is PostgreSQL %s; 12 to "
            "18 are what this version was tested with', current_setting('server_version')), "
            "CASE WHEN v < 120000 THEN 'upgrade the source to 12 or later, or move it by its own pg_dump' END "
            "FROM (SELECT current_setting('server_version_num')::int) x (v) WHERE v < 120000 OR v >= 190000"},
    {.name = "source_standby",
     .jobs = STREAMS,
     .refused_anyway = true,
     .params = "p",
     .passed = "the source is a primary, or a standby that can be streamed from",
     .sql = "SELECT 'failed', CASE WHEN v < 160000 THEN 'the source is a standby, and changes can be streamed from one "
            "only since PostgreSQL 16' ELSE format('the source is a standby without publication %s', $1::text) END, "
            "CASE WHEN v < 160000 THEN 'connect to the primary' ELSE format('CREATE PUBLICATION %I FOR ALL TABLES; -- "
            "on the primary; and name it by --publication', $1::text) END "
            "FROM (SELECT current_setting('server_version_num')::int) x (v) WHERE pg_is_in_recovery() AND (v < 160000 "
            "OR NOT EXISTS (SELECT FROM pg_publication WHERE pubname = $1::text))"},
    {.name = "wal_level",
     .jobs = STREAMS,
     .refused_anyway = true,
     .passed = "wal_level is logical",
     .sql = "SELECT 'failed', format('wal_level is %s: changes can be read from the WAL only when it is logical', "
            "current_setting('wal_level')), "
            "'ALTER SYSTEM SET wal_level = logical; -- and restart the server; on a managed service: its parameter for "
            "logical replication' WHERE current_setting('wal_level') <> 'logical'"},
    {.name = "max_replication_slots",
     .jobs = STREAMS,
     .refused_anyway = true,
     .params = "s",
     .passed = "a replication slot is free",
     .sql = "SELECT 'failed', format('all %s replication slots are in use', allowed), format('ALTER SYSTEM SET "
            "max_replication_slots = %s; -- and restart the server; or drop a slot that nobody needs "
            "(pg_replication_slots)', used + 5) "
            "FROM (SELECT current_setting('max_replication_slots')::int, (SELECT count(*) FROM pg_replication_slots)) "
            "x (allowed, used) "
            "WHERE used >= allowed AND NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1::text)"},
    {.name = "max_wal_senders",
     .jobs = STREAMS,
     .refused_anyway = true,
     .passed = "WAL senders are free",
     .sql =
         "SELECT CASE WHEN used >= allowed THEN 'failed' ELSE 'warned' END, format('%s of %s WAL senders are in use', "
         "used, allowed), format('ALTER SYSTEM SET max_wal_senders = %s; -- and restart the server', used + 8) "
         "FROM (SELECT current_setting('max_wal_senders')::int, (SELECT count(*) FROM pg_stat_replication)) x "
         "(allowed, used) WHERE allowed - used < 2"},
    {.name = "max_slot_wal_keep_size",
     .jobs = STREAMS,
     .min_version = 130000,
     .passed = "no limit of size makes a slot invalid",
     .sql = "SELECT 'warned', format('a slot that is %s behind is made invalid, and then everything must be copied "
            "again', current_setting('max_slot_wal_keep_size')), "
            "'ALTER SYSTEM SET max_slot_wal_keep_size = -1; SELECT pg_reload_conf(); -- or a size that outages will "
            "not reach, when the disk has less' WHERE current_setting('max_slot_wal_keep_size') <> '-1'"},
    {.name = "wal_sender_timeout",
     .jobs = STREAMS,
     .passed = "wal_sender_timeout leaves room for feedback every 10 s",
     .sql = "SELECT 'warned', format('wal_sender_timeout is %s: a stream whose feedback is a little late is cut', "
            "current_setting('wal_sender_timeout')), 'ALTER SYSTEM SET wal_sender_timeout = ''60s''; SELECT "
            "pg_reload_conf();' "
            "FROM pg_settings WHERE name = 'wal_sender_timeout' AND setting::int BETWEEN 1 AND 19999"},
    {.name = "idle_replication_slot_timeout",
     .jobs = STREAMS,
     .min_version = 180000,
     .passed = "no time limit makes an idle slot invalid",
     .sql = "SELECT 'warned', format('a slot that nobody reads for %s is made invalid, and then everything must be "
            "copied again', current_setting('idle_replication_slot_timeout')), "
            "'ALTER SYSTEM SET idle_replication_slot_timeout = 0; SELECT pg_reload_conf();' FROM pg_settings WHERE "
            "name = 'idle_replication_slot_timeout' AND setting <> '0'"},
    {.name = "replication_privilege",
     .jobs = STREAMS,
     .refused_anyway = true,
     .passed = "the role may replicate",
     .sql = "SELECT 'failed', format('role %I may not replicate', current_user), format('ALTER ROLE %I REPLICATION; -- "
            "as a superuser; on a managed service: grant its replication role', current_user) "
            "FROM pg_roles r WHERE rolname = current_user AND NOT (rolsuper OR rolreplication OR EXISTS (SELECT FROM "
            "pg_roles m WHERE m.rolname IN " ROLES_THAT_REPLICATE " AND pg_has_role(m.oid, 'MEMBER')))"},
    {.name = "replication_slot",
     .jobs = STREAMS,
     .refused_anyway = true,
     .params = "s",
     .passed = "the slot is free to be made, or can be gone on with",
     .sql = "SELECT 'failed', format('slot %s %s', slot_name, CASE WHEN plugin IS DISTINCT FROM 'pgoutput' THEN 'is of "
            "' || coalesce('plugin ' || plugin, 'physical replication') || ' and not of pgoutput' "
            "WHEN database <> current_database() THEN 'belongs to database ' || database ELSE 'is in use by pid ' || "
            "active_pid END), "
            "CASE WHEN active_pid IS NOT NULL THEN format('SELECT pg_terminate_backend(%s); -- or stop the pipeline "
            "that reads from it', active_pid) "
            "ELSE format('SELECT pg_drop_replication_slot(%L); -- if nobody needs it; or name another by --slot', "
            "slot_name) END "
            "FROM pg_replication_slots WHERE slot_name = $1::text AND (plugin IS DISTINCT FROM 'pgoutput' OR database "
            "<> current_database() OR active_pid IS NOT NULL)"},
    {.name = "slot_is_valid",
     .jobs = STREAMS,
     .min_version = 130000,
     .refused_anyway = true,
     .params = "s",
     .passed = "the slot's WAL is there",
     .sql = "SELECT CASE wal_status WHEN 'lost' THEN 'failed' ELSE 'warned' END, format('slot %s %s', slot_name, CASE "
            "wal_status WHEN 'lost' THEN 'was invalidated: its WAL is gone' ELSE 'will soon lose its WAL (' || "
            "wal_status || ')' END), "
            "CASE wal_status WHEN 'lost' THEN format('SELECT pg_drop_replication_slot(%L); -- then sync again with "
            "--if-exists truncate', slot_name) ELSE 'run the pipeline, or raise max_slot_wal_keep_size' END "
            "FROM pg_replication_slots WHERE slot_name = $1::text AND wal_status IN ('lost', 'unreserved')"},
    {.name = "publication_privilege",
     .jobs = STREAMS,
     .refused_anyway = true,
     .params = "p",
     .passed = "the publication is there, or may be made",
     .sql = "SELECT 'failed', format('role %I may not make a publication in database %I', current_user, "
            "current_database()), format('GRANT CREATE ON DATABASE %I TO %I;', current_database(), current_user) "
            "WHERE NOT EXISTS (SELECT FROM pg_publication WHERE pubname = $1::text) AND NOT "
            "has_database_privilege(current_database(), 'CREATE')"},
    {.name = "publication",
     .jobs = STREAMS,
     .params = "p",
     .passed = "the publication sends inserts, updates, deletes and truncates",
     .sql = "SELECT 'warned', format('publication %s does not publish %s: the target will not see them', pubname, "
            "concat_ws(', ', CASE WHEN NOT pubinsert THEN 'insert' END, CASE WHEN NOT pubupdate THEN 'update' END, "
            "CASE WHEN NOT pubdelete THEN 'delete' END, CASE WHEN NOT pubtruncate THEN 'truncate' END)), format('ALTER "
            "PUBLICATION %I SET (publish = ''insert, update, delete, truncate'');', pubname) "
            "FROM pg_publication WHERE pubname = $1::text AND NOT (pubinsert AND pubupdate AND pubdelete AND "
            "pubtruncate)"},
    {.name = "long_transactions",
     .jobs = STREAMS,
     .passed = "no transaction is open that a slot would wait long for",
     .sql = LONG_TRANSACTIONS_SQL},
    {.name = "prepared_transactions",
     .jobs = STREAMS,
     .params = "s",
     .passed = "no prepared transaction is left open",
     .sql = "SELECT CASE WHEN EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1::text) THEN 'warned' ELSE "
            "'failed' END, format('the prepared transaction %L in database %s is open since %s: a slot cannot be made "
            "before it has ended', gid, database, date_trunc('second', prepared)), "
            "format('ROLLBACK PREPARED %L; -- or COMMIT PREPARED, in database %s', gid, database) FROM "
            "pg_prepared_xacts WHERE clock_timestamp() - prepared > interval '3 s' ORDER BY prepared"},
    {.name = "two_phase",
     .jobs = PGC_CHECK_SYNC | PGC_CHECK_STREAM,
     .refused_anyway = true,
     .params = "w",
     .passed = "the source sends transactions when they are prepared, where --two-phase asks for that",
     .sql = "SELECT 'failed', format('PostgreSQL %s does not send transactions when they are prepared; 15 is the first that does', "
            "current_setting('server_version')), 'leave out --two-phase: they then come when they are committed' "
            "WHERE $1::boolean AND current_setting('server_version_num')::int < 150000"},
    {.name = "source_connections",
     .jobs = ALL_JOBS,
     .params = "j",
     .passed = "connections are left for the job",
     .sql = "SELECT CASE WHEN allowed - used < 2 THEN 'failed' ELSE 'warned' END, format('%s of %s connections are in "
            "use, and the job takes up to %s', used, allowed, $1::int + 4), 'ALTER SYSTEM SET max_connections = ' || "
            "used + $1::int + 20 || '; -- and restart the server; or fewer --jobs' "
            "FROM (SELECT current_setting('max_connections')::int - "
            "current_setting('superuser_reserved_connections')::int, (SELECT sum(numbackends) FROM pg_stat_database)) "
            "x (allowed, used) WHERE allowed - used < $1::int + 4"},
    {.name = "ddl_capture",
     .jobs = PGC_CHECK_SYNC | PGC_CHECK_STREAM,
     .passed = "the role may make event triggers, which see every change of a definition",
     .sql = "SELECT 'warned', CASE WHEN pg_is_in_recovery() THEN 'the source is a standby, where no event trigger can "
            "be made' ELSE format('role %I may not make event triggers', current_user) END || ': a changed definition "
            "is seen only with the next change of a row of its table', "
            "CASE WHEN pg_is_in_recovery() THEN 'connect to the primary' ELSE format('ALTER ROLE %I SUPERUSER; -- or "
            "connect as one; without it keep to added and dropped columns', current_user) END "
            "FROM pg_roles r WHERE rolname = current_user AND (pg_is_in_recovery() OR NOT (rolsuper OR EXISTS (SELECT "
            "FROM pg_roles m WHERE m.rolname IN " ROLES_THAT_REPLICATE
            " AND m.rolname <> 'rds_replication' AND pg_has_role(m.oid, 'MEMBER'))))"},
    {.name = "large_objects",
     .jobs = MOVES | PGC_CHECK_SUBSCRIBE,
     .passed = "there are no large objects",
     .sql = "SELECT 'warned', format('the database has %s large objects, which are not rows of a table and are not "
            "moved', count(*)), 'pgconvoy copy takes them along, into PostgreSQL, once; or keep them in a column of "
            "type bytea' "
            "FROM pg_largeobject_metadata HAVING count(*) > 0"},
    /* each extension says by a condition which rows are its user's; a query in a query, as the tables are only known there */
    {.name = "extension_rows",
     .jobs = STREAMS,
     .params = "t",
     .passed = "no extension keeps rows of its user's in tables that are left out",
     .sql = "SELECT 'warned', format('extension %I keeps rows of its user in %I.%I, and changes of them are not followed', extname, nspname, relname), "
            "format('name it with -t ''%I.%I'', beside the other tables; or, into PostgreSQL, bring at the end what is missing there: pgconvoy copy --data-only -t ''%I.%I'' …', "
            "nspname, relname, nspname, relname) "
            "FROM pg_extension x CROSS JOIN unnest(extconfig, extcondition) e (oid, condition) JOIN pg_class c ON c.oid = e.oid AND relkind = 'r' "
            "JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid <> ALL ($1::oid[]) AND CASE WHEN has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') "
            "THEN query_to_xml(format('SELECT 1 FROM (SELECT FROM %I.%I %s' || chr(10) || ') x LIMIT 1', nspname, relname, condition), false, true, '')::text LIKE '%<row%' END ORDER BY nspname, relname"},
    {.name = "temporary_tables",
     .jobs = ALL_JOBS,
     .passed = "no session has temporary tables",
     .sql = "SELECT 'warned', format('%s temporary tables of running sessions stay behind (%s)', count(*), "
            "string_agg(quote_ident(relname), ', ' ORDER BY relname) FILTER (WHERE place <= 5)), 'make them permanent "
            "tables if their rows are wanted' "
            "FROM (SELECT relname, row_number() OVER (ORDER BY relname) FROM pg_class WHERE relpersistence = 't' AND "
            "relkind = 'r') x (relname, place) HAVING count(*) > 0"},
    {.name = "source_collation_version",
     .jobs = PGC_CHECK_CLONE | STREAMS,
     .min_version = 150000,
     .passed = "collations are of the version that their indexes were built with",
     .sql = "SELECT 'warned', format('database %I was made with version %s of its collation, and the system now has "
            "%s: indexes over text may be wrong', datname, datcollversion, pg_database_collation_actual_version(oid)), "
            "format('REINDEX DATABASE %I; ALTER DATABASE %I REFRESH COLLATION VERSION;', datname, datname) FROM "
            "pg_database WHERE datname = current_database() AND datcollversion <> "
            "pg_database_collation_actual_version(oid) "
            "UNION ALL SELECT 'warned', format('collation %I.%I is of version %s, and the system now has %s: indexes "
            "that use it may be wrong', n.nspname, collname, collversion, pg_collation_actual_version(c.oid)), "
            "format('ALTER COLLATION %I.%I REFRESH VERSION; -- after REINDEX of what uses it', n.nspname, collname) "
            "FROM pg_collation c JOIN pg_namespace n ON n.oid = collnamespace "
            "WHERE collversion <> pg_collation_actual_version(c.oid) AND collencoding IN (-1, (SELECT encoding FROM "
            "pg_database WHERE datname = current_database()))"},
    {.name = "columns_and_rows",
     .jobs = STREAMS,
     .max_version = 149999,
     .refused_anyway = true,
     .params = "m",
     .passed = "all columns and rows of the tables are streamed",
     .sql = "SELECT 'failed', format('--columns or --where for %I.%I: PostgreSQL %s streams all columns and rows of a "
            "table', s, n, current_setting('server_version_num')::int / 10000), 'leave it out, or copy with it; 15 is "
            "the first that can leave out some' FROM json_to_recordset($1::json) m (s text, n text, less boolean) "
            "WHERE less ORDER BY 2"},
    {.name = NULL},
};
