/*
 * A PostgreSQL target: by itself, and beside the source (facts of one end are asked of the other). Queries run with
 * search_path = pg_catalog. Other targets are looked at through their sinks (sink.c).
 */
#include "inspect/check/check_internal.h"

#define LOADS (MOVES | DEFINES) /* rows come into tables of the target */

/* As the target will have them. */
#define TABLE_NAMES_SQL                                                                                                \
    "SELECT coalesce(json_agg(json_build_object('schema', coalesce(t.ts, m.ts, nspname), 'name', coalesce(t.tn, "      \
    "relname))), '[]') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "                                 \
    "LEFT JOIN json_to_recordset($2::json) m (s text, n text, ts text) ON m.s = nspname AND m.n IS NULL "              \
    "LEFT JOIN json_to_recordset($2::json) t (s text, n text, ts text, tn text) ON t.s = nspname AND t.n = relname "   \
    "WHERE c.oid = ANY ($1::oid[])"

const check_item pgc_check_target_items[] = {
    {.name = "target_tls",
     .end = TARGET_END,
     .jobs = ALL_JOBS,
     .passed = "the connection is encrypted, or stays on this machine",
     .sql = "SELECT 'warned', format('the connection from %s is not encrypted', inet_client_addr()), 'write "
            "sslmode=require (or verify-full) into the connection string; the server needs ssl = on' "
            "FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND NOT ssl AND inet_client_addr() IS NOT NULL AND NOT "
            "inet_client_addr() <<= '127.0.0.0/8' AND inet_client_addr() <> '::1'"},
    {.name = "target_read_only",
     .end = TARGET_END,
     .jobs = ALL_JOBS,
     .passed = "the target can be written",
     .params = "s", /* what a cutover has made read-only is not for the pipeline that is its way back */
     .sql = "SELECT 'failed', CASE WHEN pg_is_in_recovery() THEN 'the target is a standby, which cannot be written' "
            "ELSE 'transactions of the target are read-only by default' END, "
            "CASE WHEN pg_is_in_recovery() THEN 'name its primary' ELSE format('SET default_transaction_read_only = "
            "off; ALTER ROLE %I IN DATABASE %I SET default_transaction_read_only = off;', current_user, "
            "current_database()) END WHERE current_setting('transaction_read_only') = 'on' AND (pg_is_in_recovery() "
            "OR 'pgconvoy_' || current_setting('pgconvoy.way_back', true) IS DISTINCT FROM $1::text)"},
    {.name = "target_privilege",
     .end = TARGET_END,
     .jobs = MOVES,
     .refused_anyway = true,
     .params = "f",
     .facts_params = "tm",
     .passed = "the role may create schemas in the target, as far as they are not there",
     .facts_sql = TABLE_NAMES_SQL,
     .sql = "SELECT 'failed', format('role %I may not create schema %s in database %I', current_user, string_agg(quote_ident(s), ', ' ORDER BY s), "
            "current_database()), format('GRANT CREATE ON DATABASE %I TO %I;', current_database(), current_user) "
            "FROM (SELECT schema FROM json_to_recordset($1::json) s (schema text) UNION SELECT 'pgconvoy') s (s) WHERE NOT has_database_privilege(current_database(), 'CREATE') "
            "AND NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = s) HAVING count(*) > 0"},
    {.name = "target_privilege",
     .end = TARGET_END,
     .jobs = ALL_JOBS & ~MOVES,
     .refused_anyway = true,
     .passed = "the role may create schemas in the target",
     .sql = "SELECT 'failed', format('role %I may not create schemas in database %I', current_user, "
            "current_database()), format('GRANT CREATE ON DATABASE %I TO %I;', current_database(), current_user) WHERE "
            "NOT has_database_privilege(current_database(), 'CREATE')"},
    {.name = "target_connections",
     .end = TARGET_END,
     .jobs = LOADS,
     .params = "j",
     .passed = "connections are left for the job",
     .sql = "SELECT CASE WHEN allowed - used < 2 THEN 'failed' ELSE 'warned' END, format('%s of %s connections are in "
            "use, and the job takes up to %s', used, allowed, $1::int + 4), 'ALTER SYSTEM SET max_connections = ' || "
            "used + $1::int + 20 || '; -- and restart the server; or fewer --jobs' "
            "FROM (SELECT current_setting('max_connections')::int - "
            "current_setting('superuser_reserved_connections')::int, (SELECT sum(numbackends) FROM pg_stat_database)) "
            "x (allowed, used) WHERE allowed - used < $1::int + 4"},
    {.name = "session_replication_role",
     .end = TARGET_END,
     .jobs = MOVES,
     .passed = "the target's triggers and foreign keys can be kept out of what is written",
     .max_version = 149999,
     .sql = "SELECT 'warned', format('role %I may not set session_replication_role: triggers and foreign keys of the "
            "target apply to what is written', current_user), format('ALTER ROLE %I SUPERUSER; -- only then, before "
            "PostgreSQL 15', current_user) "
            "FROM pg_roles WHERE rolname = current_user AND NOT rolsuper"},
    {.name = "session_replication_role",
     .end = TARGET_END,
     .jobs = MOVES,
     .passed = "the target's triggers and foreign keys can be kept out of what is written",
     .min_version = 150000,
     .sql = "SELECT 'warned', format('role %I may not set session_replication_role: triggers and foreign keys of the "
            "target apply to what is written', current_user), format('GRANT SET ON PARAMETER session_replication_role "
            "TO %I;', current_user) "
            "WHERE NOT has_parameter_privilege('session_replication_role', 'SET')"},
    {.name = "replication_origin",
     .end = TARGET_END,
     .jobs = PGC_CHECK_SYNC | PGC_CHECK_STREAM,
     .passed = "what is written can be marked with its origin",
     .sql = "SELECT 'warned', format('role %I may not use replication origins: consumers of the target cannot tell the "
            "stream''s changes from its own', current_user), "
            "format('GRANT EXECUTE ON FUNCTION pg_replication_origin_create(text), pg_replication_origin_oid(text), "
            "pg_replication_origin_session_setup(text) TO %I;', current_user) "
            "WHERE NOT (has_function_privilege('pg_replication_origin_create(text)', 'EXECUTE') AND "
            "has_function_privilege('pg_replication_origin_oid(text)', 'EXECUTE') AND "
            "has_function_privilege('pg_replication_origin_session_setup(text)', 'EXECUTE'))"},
    {.name = "subscription_privilege",
     .end = TARGET_END,
     .jobs = PGC_CHECK_SUBSCRIBE,
     .passed = "the role may make subscriptions",
     .sql = "SELECT 'failed', format('role %I may not make subscriptions', current_user), CASE WHEN v >= 160000 THEN "
            "format('GRANT pg_create_subscription TO %I;', current_user) ELSE format('ALTER ROLE %I SUPERUSER; -- only "
            "then, before PostgreSQL 16', current_user) END "
            "FROM (SELECT current_setting('server_version_num')::int) x (v), pg_roles r WHERE r.rolname = current_user "
            "AND NOT rolsuper AND NOT EXISTS (SELECT FROM pg_roles m WHERE m.rolname IN ('pg_create_subscription', "
            "'rds_superuser', 'cloudsqlsuperuser', 'alloydbsuperuser', 'azure_pg_admin') AND pg_has_role(m.oid, "
            "'USAGE'))"},
    {.name = "max_logical_replication_workers",
     .end = TARGET_END,
     .jobs = PGC_CHECK_SUBSCRIBE,
     .passed = "workers are free for a subscription",
     .sql = "SELECT 'failed', format('%s of %s workers of logical replication are in use', used, allowed), "
            "format('ALTER SYSTEM SET max_logical_replication_workers = %s; -- and restart the server', used + 8) "
            "FROM (SELECT current_setting('max_logical_replication_workers')::int, (SELECT count(*) FROM "
            "pg_stat_subscription WHERE pid IS NOT NULL)) x (allowed, used) WHERE allowed - used < 2"},
    {.name = "link_extension",
     .end = TARGET_END,
     .jobs = PGC_CHECK_LINK,
     .passed = "postgres_fdw is there, or can be made",
     .sql =
         "SELECT 'failed', CASE WHEN a.name IS NULL THEN 'the target''s server does not have the extension "
         "postgres_fdw' ELSE format('role %I may not make the extension postgres_fdw', current_user) END, "
         "CASE WHEN a.name IS NULL THEN 'install it there (on Debian: the package postgresql-contrib, or postgresql of "
         "the same version)' ELSE 'CREATE EXTENSION postgres_fdw; -- as a superuser' END "
         "FROM pg_roles r LEFT JOIN pg_available_extensions a ON a.name = 'postgres_fdw' WHERE rolname = current_user "
         "AND a.installed_version IS NULL AND (a.name IS NULL OR NOT (rolsuper OR EXISTS (SELECT FROM pg_roles m WHERE "
         "m.rolname IN ('rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin') AND pg_has_role(m.oid, 'USAGE'))))"},
    {.name = "target_collation_version",
     .end = TARGET_END,
     .jobs = LOADS,
     .min_version = 150000,
     .passed = "collations are of the version that their indexes were built with",
     .sql = "SELECT 'warned', format('database %I was made with version %s of its collation, and the system now has "
            "%s: indexes over text may be wrong', datname, datcollversion, pg_database_collation_actual_version(oid)), "
            "format('REINDEX DATABASE %I; ALTER DATABASE %I REFRESH COLLATION VERSION;', datname, datname) FROM "
            "pg_database WHERE datname = current_database() AND datcollversion <> "
            "pg_database_collation_actual_version(oid)"},
    {.name = NULL},
};

/* Names, versions and places of the extensions whose types the chosen tables use. */
#define USED_EXTENSIONS_SQL                                                                                            \
    "SELECT coalesce(json_agg(json_build_object('name', extname, 'version', extversion)), '[]') FROM pg_extension e "  \
    "WHERE EXISTS (SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "                                   \
    "JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid IN (t.oid, t.typelem, t.typbasetype) AND "        \
    "d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass "                                                     \
    "WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped AND d.refobjid = e.oid)"
#define ALL_EXTENSIONS_SQL                                                                                             \
    "SELECT coalesce(json_agg(json_build_object('name', extname, 'version', extversion)), '[]') FROM pg_extension "    \
    "WHERE extname <> 'plpgsql'"

#define EXTENSIONS_SQL(missing_status)                                                                                 \
    "SELECT CASE WHEN a.name IS NULL THEN 'failed' WHEN a.installed_version IS NULL THEN '" missing_status             \
    "' ELSE 'warned' END, "                                                                                            \
    "CASE WHEN a.name IS NULL THEN format('the target''s server does not have the extension %s', s.name) WHEN "        \
    "a.installed_version IS NULL THEN format('the target does not have the extension %s, whose types are used', "      \
    "s.name) "                                                                                                         \
    "ELSE format('extension %s is of version %s at the source and %s at the target', s.name, s.version, "              \
    "a.installed_version) END, "                                                                                       \
    "CASE WHEN a.name IS NULL THEN format('install it on the target''s server (on Debian: a package such as "          \
    "postgresql-%s-%s)', current_setting('server_version_num')::int / 10000, s.name) WHEN a.installed_version IS "     \
    "NULL THEN format('CREATE EXTENSION %I;', s.name) "                                                                \
    "ELSE format('ALTER EXTENSION %I UPDATE TO %L; -- at the end that is older', s.name, greatest(s.version, "         \
    "a.installed_version)) END "                                                                                       \
    "FROM json_to_recordset($1::json) s (name text, version text) LEFT JOIN pg_available_extensions a ON a.name = "    \
    "s.name "                                                                                                          \
    "WHERE a.name IS NULL OR (a.installed_version IS NULL AND '" missing_status                                        \
    "' <> 'passed') OR a.installed_version <> s.version ORDER BY s.name"

/* Names of the roles that own the chosen tables, or are granted something on them. */
#define OWNING_ROLES_SQL                                                                                               \
    "SELECT coalesce(json_agg(DISTINCT rolname), '[]') FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner OR "      \
    "r.oid IN (SELECT grantee FROM aclexplode(c.relacl)) OR r.oid IN (SELECT unnest(polroles) FROM pg_policy WHERE "     \
    "polrelid = c.oid) WHERE c.oid = ANY ($1::oid[])"

/* A database's locale: the names of its libc ones, and of another provider's when it has one (15, 17). */
#define LOCALE_SQL                                                                                                     \
    "datcollate || ' / ' || datctype || CASE to_jsonb(d) ->> 'datlocprovider' WHEN 'i' THEN ' / icu ' WHEN 'b' THEN "  \
    "' / builtin ' ELSE '' END || coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', '')"

const check_item pgc_check_pair_items[] = {
    {.name = "target_is_source",
     .end = TARGET_END,
     .jobs = ALL_JOBS,
     .params = "f",
     .passed = "the two ends are different databases",
     .facts_sql = "SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()) "
                  "FROM pg_control_system()",
     .sql = "SELECT 'failed', 'the target is the source itself', 'name another database as TARGET' FROM "
            "pg_control_system() WHERE system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = "
            "current_database()) = $1::text"},
    {.name = "max_prepared_transactions",
     .end = TARGET_END,
     .jobs = PGC_CHECK_SYNC | PGC_CHECK_STREAM,
     .refused_anyway = true,
     .params = "wf",
     .passed = "the target can have as many prepared transactions as the source, where --two-phase asks for them",
     .facts_sql = "SELECT current_setting('max_prepared_transactions')",
     .sql = "SELECT CASE here WHEN 0 THEN 'failed' ELSE 'warned' END, format('max_prepared_transactions is %s, and %s at the source', here, there), "
            "format('ALTER SYSTEM SET max_prepared_transactions = %s; -- and restart the server; or leave out --two-phase', greatest(there, 10)) "
            "FROM (SELECT current_setting('max_prepared_transactions')::int, $2::int) x (here, there) "
            "WHERE $1::boolean AND (here = 0 OR here < there)"},
    {.name = "versions",
     .end = TARGET_END,
     .jobs = LOADS,
     .params = "f",
     .passed = "the target is as new as the source, or newer",
     .facts_sql = "SELECT current_setting('server_version')",
     .sql = "SELECT 'warned', format('the target (PostgreSQL %s) is older than the source (%s): what it does not know "
            "yet will be refused', current_setting('server_version'), $1::text), 'upgrade the target, or leave out "
            "what is new' "
            "WHERE substring(current_setting('server_version') FROM '^\\d+')::int < substring($1::text FROM "
            "'^\\d+')::int"},
    {.name = "extensions",
     .end = TARGET_END,
     .jobs = PGC_CHECK_LINK | PGC_CHECK_SUBSCRIBE,
     .params = "f",
     .facts_params = "t",
     .passed = "the extensions of the tables' types are at both ends, of one version",
     .facts_sql = USED_EXTENSIONS_SQL,
     .sql = EXTENSIONS_SQL("failed")},
    {.name = "extensions",
     .end = TARGET_END,
     .jobs = MOVES,
     .refused_anyway = true,
     .params = "f",
     .facts_params = "t",
     .passed = "the target's server has the extensions of the tables' types",
     .facts_sql = USED_EXTENSIONS_SQL,
     .sql = EXTENSIONS_SQL("passed")},
    {.name = "extensions",
     .end = TARGET_END,
     .jobs = PGC_CHECK_CLONE,
     .refused_anyway = true,
     .params = "f",
     .passed = "the target's server has all extensions of the source",
     .facts_sql = ALL_EXTENSIONS_SQL,
     .sql = EXTENSIONS_SQL("passed")},
    {.name = "encoding",
     .end = TARGET_END,
     .jobs = LOADS | PGC_CHECK_LINK,
     .params = "f",
     .passed = "text of the source fits into the target's encoding",
     .facts_sql = "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()",
     .sql = "SELECT CASE WHEN target = 'SQL_ASCII' OR source = 'SQL_ASCII' OR pg_char_to_encoding(source) = 6 OR "
            "EXISTS (SELECT FROM pg_conversion WHERE conforencoding = pg_char_to_encoding(source) AND contoencoding = "
            "pg_char_to_encoding(target)) THEN 'warned' ELSE 'failed' END, "
            "format('the source is in %s and the target in %s: %s', source, target, CASE WHEN target = 'SQL_ASCII' "
            "THEN 'the target does not check what it is given' ELSE 'characters that it lacks are refused' END), "
            "'CREATE DATABASE new ENCODING ''' || source || ''' LC_COLLATE ''C'' LC_CTYPE ''C'' TEMPLATE template0; "
            "-- and name it as TARGET; with a locale of that encoding, if there is one' FROM "
            "(SELECT pg_encoding_to_char(encoding), $1::text FROM pg_database WHERE datname = current_database()) x "
            "(target, source) WHERE target <> source AND target <> 'UTF8'"},
    {.name = "collation",
     .end = TARGET_END,
     .jobs = LOADS,
     .params = "f",
     .passed = "both databases sort text alike",
     .facts_sql = "SELECT " LOCALE_SQL " FROM pg_database d WHERE datname = current_database()",
     .sql = "SELECT 'warned', format('the source sorts text by %s and the target by %s: ORDER BY and ranges of text "
            "may differ', $1::text, " LOCALE_SQL "), "
            "format('CREATE DATABASE new LC_COLLATE %L LC_CTYPE %L%s TEMPLATE template0; -- and name it as TARGET', "
            "split_part($1::text, ' / ', 1), split_part($1::text, ' / ', 2), "
            "CASE split_part(split_part($1::text, ' / ', 3), ' ', 1) WHEN 'icu' THEN format(' LOCALE_PROVIDER icu "
            "ICU_LOCALE %L', substr(split_part($1::text, ' / ', 3), 5)) WHEN 'builtin' THEN format(' LOCALE_PROVIDER "
            "builtin BUILTIN_LOCALE %L', substr(split_part($1::text, ' / ', 3), 9)) ELSE '' END) FROM pg_database d "
            "WHERE datname = current_database() AND " LOCALE_SQL " <> $1::text"},
    {.name = "column_collations",
     .end = TARGET_END,
     .jobs = MOVES | PGC_CHECK_LINK,
     .params = "f",
     .facts_params = "t",
     .passed = "the target has the collations of all columns",
     .facts_sql = "SELECT coalesce(json_agg(DISTINCT jsonb_build_object('schema', n.nspname, 'name', collname, "
                  "'provider', CASE collprovider WHEN 'i' THEN 'icu' ELSE 'libc' END, 'locale', coalesce(to_jsonb(c) "
                  "->> 'colllocale', to_jsonb(c) ->> 'colliculocale', collcollate))), '[]') FROM pg_attribute a JOIN "
                  "pg_collation c ON c.oid = attcollation "
                  "JOIN pg_namespace n ON n.oid = collnamespace WHERE attrelid = ANY ($1::oid[]) AND NOT attisdropped "
                  "AND attnum > 0 AND n.nspname <> 'pg_catalog'",
     .sql = "SELECT 'warned', format('the target does not have the collation %I.%I of a column', s.schema, s.name), "
            "'CREATE SCHEMA IF NOT EXISTS ' || quote_ident(s.schema) || '; ' || format('CREATE COLLATION %I.%I "
            "(provider = %s, locale = %L);', s.schema, s.name, s.provider, coalesce(s.locale, 'und')) "
            "FROM json_to_recordset($1::json) s (schema text, name text, provider text, locale text) WHERE NOT EXISTS "
            "(SELECT FROM pg_collation c JOIN pg_namespace n ON n.oid = collnamespace WHERE (n.nspname, collname) = "
            "(s.schema, s.name))"},
    {.name = "target_schemas",
     .end = TARGET_END,
     .jobs = LOADS,
     .params = "fi",
     .facts_params = "tm",
     .passed = "the role may create tables in the schemas that are there, as far as they are not there",
     .facts_sql = TABLE_NAMES_SQL,
     .sql = "SELECT 'failed', format('role %I may not create tables in schema %I', current_user, n.nspname), "
            "format('GRANT CREATE, USAGE ON SCHEMA %I TO %I;', n.nspname, current_user) "
            "FROM (SELECT n.oid, n.nspname, bool_or(c.oid IS NULL OR $2::text = 'drop') AS makes FROM json_to_recordset($1::json) s (schema text, name text) "
            "JOIN pg_namespace n ON n.nspname = s.schema LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.name GROUP BY 1, 2) n "
            "WHERE NOT (has_schema_privilege(n.oid, 'USAGE') AND (has_schema_privilege(n.oid, 'CREATE') OR NOT makes)) ORDER BY n.nspname"},
    {.name = "names_in_the_way",
     .end = TARGET_END,
     .jobs = DEFINES,
     .refused_anyway = true,
     .params = "fi",
     .facts_params = "tm",
     .passed = "no table of the target is in the way",
     .facts_sql = TABLE_NAMES_SQL,
     .sql = "SELECT 'failed', format('%I.%I is in the target already', n.nspname, c.relname), format('DROP TABLE %I.%I "
            "CASCADE; -- or --if-exists append, truncate or drop', n.nspname, c.relname) "
            "FROM json_to_recordset($1::json) s (schema text, name text) JOIN pg_namespace n ON n.nspname = s.schema "
            "JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.name WHERE $2::text = 'error' "
            "AND NOT EXISTS (SELECT FROM pg_class WHERE relname = 'copy' AND relnamespace = (SELECT oid FROM "
            "pg_namespace WHERE nspname = 'pgconvoy')) ORDER BY 2"},
    {.name = "tablespaces",
     .end = TARGET_END,
     .jobs = PGC_CHECK_CLONE,
     .params = "f",
     .facts_params = "t",
     .passed = "the target has the tablespaces of all tables",
     .facts_sql = "SELECT coalesce(json_agg(DISTINCT spcname), '[]') FROM pg_class c JOIN pg_tablespace s ON s.oid = "
                  "c.reltablespace WHERE c.oid = ANY ($1::oid[]) OR c.oid IN (SELECT indexrelid FROM pg_index WHERE "
                  "indrelid = ANY ($1::oid[]))",
     .sql = "SELECT 'failed', format('the target''s server has no tablespace %I', s), format('CREATE TABLESPACE %I "
            "LOCATION ''/a/folder/there''; -- or --no-tablespaces', s) FROM json_array_elements_text($1::json) s WHERE "
            "s NOT IN (SELECT spcname FROM pg_tablespace)"},
    {.name = "tablespaces",
     .end = TARGET_END,
     .jobs = PGC_CHECK_SYNC,
     .refused_anyway = true,
     .params = "fi",
     .facts_params = "t",
     .passed = "the target has the tablespaces of the tables that it does not have",
     .facts_sql =
         "SELECT coalesce(json_agg(json_build_object('space', spcname, 'schema', n.nspname, 'name', t.relname)), "
         "'[]') FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace JOIN LATERAL (SELECT t.oid UNION "
         "SELECT relid FROM pg_partition_tree(t.oid) UNION SELECT indexrelid FROM pg_index WHERE indrelid = "
         "t.oid) x (oid) ON true JOIN pg_class c ON c.oid = x.oid JOIN pg_tablespace s ON s.oid = "
         "c.reltablespace WHERE t.oid = ANY ($1::oid[])",
     .sql =
         "SELECT DISTINCT 'failed', format('the target''s server has no tablespace %I', space), format('CREATE "
         "TABLESPACE %I LOCATION ''/a/folder/there''; -- or --skip-unavailable', space) FROM "
         "json_to_recordset($1::json) s (space text, schema text, name text) WHERE space NOT IN (SELECT spcname FROM "
         "pg_tablespace) AND NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
         "(n.nspname, c.relname) = (s.schema, s.name) AND $2::text <> 'drop')"},
    {.name = "roles",
     .end = TARGET_END,
     .jobs = PGC_CHECK_SYNC,
     .params = "f",
     .facts_params = "t",
     .passed = "the target has the roles that own the tables and are granted something on them",
     .facts_sql = OWNING_ROLES_SQL,
     .sql = "SELECT 'warned', format('the target''s server has no role %I: owners and privileges are left out, and policies for it', s), "
            "format('CREATE ROLE %I; -- or sync with --roles, or with -O -x', s) FROM "
            "json_array_elements_text($1::json) s WHERE s NOT IN (SELECT rolname FROM pg_roles)"},
    {.name = "roles",
     .end = TARGET_END,
     .jobs = PGC_CHECK_CLONE,
     .refused_anyway = true,
     .params = "f",
     .facts_params = "t",
     .passed = "the target has the roles that own the tables and are granted something on them",
     .facts_sql = OWNING_ROLES_SQL,
     .sql = "SELECT 'failed', format('the target''s server has no role %I', s), format('CREATE ROLE %I; -- or copy "
            "with --roles, or with -O -x', s) FROM json_array_elements_text($1::json) s WHERE s NOT IN (SELECT rolname "
            "FROM pg_roles)"},
    {.name = NULL},
};
