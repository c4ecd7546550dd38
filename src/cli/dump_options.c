/* The rows of the dump command's options, and the command line taken apart by them. */
#include "cli/dump.h"

#include <limits.h>

#define AT(member) offsetof(cli_dump, member)
#define OPTION(member) AT(options.member)
#define SWITCH CLI_PG_ROW_SWITCH
#define LAST CLI_PG_ROW_LAST
#define TEXT CLI_PG_ROW_TEXT
#define NAMES CLI_PG_ROW_NAMES
#define GENERAL CLI_PG_GENERAL
#define CONTENT CLI_PG_CONTENT
#define CONNECTION CLI_PG_CONNECTION
#define HIDDEN CLI_PG_HIDDEN

const cli_pg_option cli_dump_options[] = {
    TEXT("file", 'f', "FILENAME", GENERAL, AT(file), "write to this file (a folder, for the directory format) instead of standard output"),
    TEXT("format", 'F', "FORMAT", GENERAL, AT(format), "c custom, d directory, t tar, p plain SQL (default)"),
    {"jobs", 'j', "NUM", "connections that dump at once (directory format)", GENERAL, CLI_PG_NUMBER, OPTION(jobs), 1, INT_MAX, 0},
    SWITCH("verbose", 'v', GENERAL, AT(verbose), "say what is being done, and at the end how much it was"),
    SWITCH("progress", 0, GENERAL, AT(progress), "show on standard error how far the data are"),
    LAST("version", 'V', GENERAL, AT(version), "say which version this is, then exit"),
    TEXT("compress", 'Z', "METHOD[:DETAIL]", GENERAL, AT(compress),
         "gzip, lz4, zstd or none, with a level or details (gzip:9, zstd:level=3,long); a number alone is gzip's level"),
    TEXT("lock-wait-timeout", 0, "TIMEOUT", GENERAL, OPTION(lock_wait_timeout), "fail after waiting this long for a table's lock"),
    SWITCH("no-sync", 0, GENERAL, AT(no_sync), "do not wait until the disk has everything"),
    TEXT("sync-method", 0, "METHOD", GENERAL, AT(sync_method), "how the disk is waited for: fsync, or syncfs (taken as fsync)"),
    LAST("help", '?', GENERAL, AT(help), "show this, then exit"),

    SWITCH("data-only", 'a', CONTENT, OPTION(data_only), "only the data, not the definitions"),
    SWITCH("large-objects", 'b', CONTENT, OPTION(large_objects), "with large objects, also when only some tables or schemas are dumped"),
    SWITCH("no-large-objects", 'B', CONTENT, OPTION(no_large_objects), "without large objects"),
    SWITCH("clean", 'c', CONTENT, OPTION(clean), "drop what is there before it is made"),
    SWITCH("create", 'C', CONTENT, OPTION(create_database), "make the database too"),
    NAMES("extension", 'e', "PATTERN", CONTENT, OPTION(include_extensions), "only these extensions"),
    TEXT("encoding", 'E', "ENCODING", CONTENT, OPTION(encoding), "write in this encoding"),
    NAMES("schema", 'n', "PATTERN", CONTENT, OPTION(include_schemas), "only these schemas"),
    NAMES("exclude-schema", 'N', "PATTERN", CONTENT, OPTION(exclude_schemas), "not these schemas"),
    SWITCH("no-owner", 'O', CONTENT, OPTION(no_owner), "leave everything to whoever restores a plain dump"),
    SWITCH("schema-only", 's', CONTENT, OPTION(schema_only), "only the definitions, no data"),
    TEXT("superuser", 'S', "NAME", CONTENT, OPTION(superuser), "superuser that disables triggers in a plain dump"),
    NAMES("table", 't', "PATTERN", CONTENT, OPTION(include_tables), "only these tables"),
    NAMES("exclude-table", 'T', "PATTERN", CONTENT, OPTION(exclude_tables), "not these tables"),
    SWITCH("no-privileges", 'x', CONTENT, OPTION(no_acl), "no GRANT and REVOKE"),
    SWITCH("binary-upgrade", 0, CONTENT, OPTION(binary_upgrade), "for pg_upgrade only"),
    SWITCH("column-inserts", 0, CONTENT, OPTION(column_inserts), "data as INSERT commands with the columns' names"),
    SWITCH("disable-dollar-quoting", 0, CONTENT, OPTION(disable_dollar_quoting), "quote function bodies as SQL's standard does"),
    SWITCH("disable-triggers", 0, CONTENT, OPTION(disable_triggers), "disable triggers while a data-only dump is restored"),
    SWITCH("enable-row-security", 0, CONTENT, OPTION(enable_row_security), "dump the rows that row security lets this user see"),
    NAMES("exclude-extension", 0, "PATTERN", CONTENT, OPTION(exclude_extensions), "not these extensions"),
    NAMES("exclude-table-and-children", 0, "PATTERN", CONTENT, OPTION(exclude_tables_and_children), "not these tables, nor their partitions and children"),
    NAMES("exclude-table-data", 0, "PATTERN", CONTENT, OPTION(exclude_table_data), "not the data of these tables"),
    NAMES("exclude-table-data-and-children", 0, "PATTERN", CONTENT, OPTION(exclude_table_data_and_children),
          "not the data of these tables, nor of their partitions and children"),
    {"extra-float-digits", 0, "NUM", "precision of floating-point values", CONTENT, CLI_PG_NUMBER, OPTION(extra_float_digits), -15, 3,
     OPTION(has_extra_float_digits)},
    NAMES("filter", 0, "FILENAME", CONTENT, AT(filters), "take and leave objects as this file says"),
    SWITCH("if-exists", 0, CONTENT, OPTION(if_exists), "drop with IF EXISTS"),
    NAMES("include-foreign-data", 0, "PATTERN", CONTENT, OPTION(include_foreign_data), "with the data of foreign tables on these servers"),
    SWITCH("inserts", 0, CONTENT, OPTION(inserts), "data as INSERT commands, not as COPY"),
    SWITCH("load-via-partition-root", 0, CONTENT, OPTION(load_via_partition_root), "load partitions through the root table"),
    SWITCH("no-comments", 0, CONTENT, OPTION(no_comments), "no comments on objects"),
    SWITCH("no-data", 0, CONTENT, AT(no_data), "no data"),
    SWITCH("no-policies", 0, CONTENT, OPTION(no_policies), "no row security policies"),
    SWITCH("no-publications", 0, CONTENT, OPTION(no_publications), "no publications"),
    SWITCH("no-schema", 0, CONTENT, AT(no_schema), "no definitions"),
    SWITCH("no-security-labels", 0, CONTENT, OPTION(no_security_labels), "no security labels"),
    SWITCH("no-statistics", 0, CONTENT, AT(no_statistics), "no planner statistics (default)"),
    SWITCH("no-subscriptions", 0, CONTENT, OPTION(no_subscriptions), "no subscriptions"),
    SWITCH("no-table-access-method", 0, CONTENT, OPTION(no_table_access_method), "no access methods of tables"),
    SWITCH("no-tablespaces", 0, CONTENT, OPTION(no_tablespaces), "no tablespaces"),
    SWITCH("no-toast-compression", 0, CONTENT, OPTION(no_toast_compression), "no compression methods of columns"),
    SWITCH("no-unlogged-table-data", 0, CONTENT, OPTION(no_unlogged_table_data), "not the data of unlogged tables"),
    SWITCH("on-conflict-do-nothing", 0, CONTENT, OPTION(on_conflict_do_nothing), "INSERT commands that pass over rows that are there"),
    SWITCH("quote-all-identifiers", 0, CONTENT, OPTION(quote_all_identifiers), "quote all names, not only key words"),
    TEXT("restrict-key", 0, "RESTRICT_KEY", CONTENT, OPTION(restrict_key), "key of \\restrict in a plain dump, instead of a random one"),
    {"rows-per-insert", 0, "NROWS", "rows in one INSERT command; implies --inserts", CONTENT, CLI_PG_NUMBER, OPTION(rows_per_insert), 1, INT_MAX, 0},
    NAMES("section", 0, "SECTION", CONTENT, AT(sections), "only this section: pre-data, data or post-data"),
    SWITCH("sequence-data", 0, CONTENT, OPTION(sequence_data), "with the values of sequences, also in a schema-only dump"),
    SWITCH("serializable-deferrable", 0, CONTENT, OPTION(serializable_deferrable), "wait until the dump can be free of anomalies"),
    TEXT("snapshot", 0, "SNAPSHOT", CONTENT, OPTION(snapshot), "dump this exported snapshot"),
    SWITCH("statistics", 0, CONTENT, OPTION(statistics), "with planner statistics (servers from 18 on)"),
    SWITCH("statistics-only", 0, CONTENT, OPTION(statistics_only), "only planner statistics (servers from 18 on)"),
    SWITCH("strict-names", 0, CONTENT, OPTION(strict_names), "fail when a pattern of -e, -n or -t matches nothing"),
    NAMES("table-and-children", 0, "PATTERN", CONTENT, OPTION(include_tables_and_children), "only these tables, with their partitions and children"),
    SWITCH("use-set-session-authorization", 0, CONTENT, OPTION(use_set_session_authorization),
           "set owners by SET SESSION AUTHORIZATION, not by ALTER … OWNER"),

    TEXT("dbname", 'd', "DBNAME", CONNECTION, OPTION(address.dbname), "database: a name, a URI or key=value text"),
    TEXT("host", 'h', "HOSTNAME", CONNECTION, OPTION(address.host), "server's host or socket folder"),
    TEXT("port", 'p', "PORT", CONNECTION, OPTION(address.port), "server's port"),
    TEXT("username", 'U', "NAME", CONNECTION, OPTION(address.user), "user to connect as"),
    SWITCH("no-password", 'w', CONNECTION, AT(no_password), "never ask for a password"),
    SWITCH("password", 'W', CONNECTION, AT(password), "ask for the password before connecting"),
    TEXT("role", 0, "ROLENAME", CONNECTION, OPTION(role), "SET ROLE to this before the dump"),

    SWITCH("attribute-inserts", 0, HIDDEN, OPTION(column_inserts), NULL),
    SWITCH("blobs", 0, HIDDEN, OPTION(large_objects), NULL),
    SWITCH("no-acl", 0, HIDDEN, OPTION(no_acl), NULL),
    SWITCH("no-blobs", 0, HIDDEN, OPTION(no_large_objects), NULL),
    SWITCH("no-reconnect", 'R', HIDDEN, AT(ignored), NULL),
    {.name = NULL},
};

int cli_dump_parse(int argc, char **argv, cli_dump *dump, pgconvoy_error *err)
{
    int operand = cli_pg_parse(cli_dump_options, argc, argv, dump, err);
    if (operand < 0)
        return -1;
    if (dump->help || dump->version)
        return 0;
    if (operand < argc && !dump->options.address.dbname)
        dump->options.address.dbname = argv[operand++];
    if (operand >= argc)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "too many command-line arguments (first is \"%s\")", argv[operand]);
    return -1;
}
