/* The rows of the restore command's options, and the combinations that are refused: with pg_restore's words, so that scripts that look for them find them. */
#include "cli/restore.h"

#include <limits.h>

#define AT(member) offsetof(cli_restore, member)
#define SCRIPT(member) AT(script.member)
#define SWITCH CLI_PG_ROW_SWITCH
#define LAST CLI_PG_ROW_LAST
#define TEXT CLI_PG_ROW_TEXT
#define NAMES CLI_PG_ROW_NAMES
#define GENERAL CLI_PG_GENERAL
#define CONTENT CLI_PG_CONTENT
#define CONNECTION CLI_PG_CONNECTION
#define HIDDEN CLI_PG_HIDDEN

const cli_pg_option cli_restore_options[] = {
    TEXT("dbname", 'd', "NAME", GENERAL, AT(address.dbname), "restore into this database: a name, a URI or key=value text"),
    TEXT("file", 'f', "FILENAME", GENERAL, AT(file), "write a script to this file (- for standard output)"),
    TEXT("format", 'F', "FORMAT", GENERAL, AT(format), "c custom, d directory, t tar; found out when it is not given"),
    SWITCH("list", 'l', GENERAL, AT(list), "list the archive's contents"),
    SWITCH("verbose", 'v', GENERAL, SCRIPT(verbose), "say what is being done, and at the end how much it was"),
    LAST("version", 'V', GENERAL, AT(version), "say which version this is, then exit"),
    LAST("help", '?', GENERAL, AT(help), "show this, then exit"),

    SWITCH("data-only", 'a', CONTENT, SCRIPT(data_only), "only the data, not the definitions"),
    SWITCH("clean", 'c', CONTENT, SCRIPT(clean), "drop what is there before it is made"),
    SWITCH("create", 'C', CONTENT, SCRIPT(create_database), "make the database, and restore into it"),
    SWITCH("exit-on-error", 'e', CONTENT, SCRIPT(exit_on_error), "stop at the first error instead of going on"),
    NAMES("index", 'I', "NAME", CONTENT, SCRIPT(indexes), "only this index"),
    {"jobs", 'j', "NUM", "connections that restore at once", CONTENT, CLI_PG_NUMBER, SCRIPT(jobs), 1, INT_MAX, 0},
    TEXT("use-list", 'L', "FILENAME", CONTENT, SCRIPT(list_file), "only what this list (see --list) has, in its order"),
    NAMES("schema", 'n', "NAME", CONTENT, SCRIPT(schemas), "only what is in this schema"),
    NAMES("exclude-schema", 'N', "NAME", CONTENT, SCRIPT(exclude_schemas), "nothing that is in this schema"),
    SWITCH("no-owner", 'O', CONTENT, SCRIPT(no_owner), "leave everything to whoever restores"),
    NAMES("function", 'P', "NAME(args)", CONTENT, SCRIPT(functions), "only this function"),
    SWITCH("schema-only", 's', CONTENT, SCRIPT(schema_only), "only the definitions, no data"),
    TEXT("superuser", 'S', "NAME", CONTENT, SCRIPT(superuser), "superuser that disables triggers"),
    NAMES("table", 't', "NAME", CONTENT, SCRIPT(tables), "only this table, view or sequence"),
    NAMES("trigger", 'T', "NAME", CONTENT, SCRIPT(triggers), "only this trigger"),
    SWITCH("no-privileges", 'x', CONTENT, SCRIPT(no_acl), "no GRANT and REVOKE"),
    SWITCH("single-transaction", '1', CONTENT, SCRIPT(single_transaction), "all or nothing"),
    SWITCH("disable-triggers", 0, CONTENT, SCRIPT(disable_triggers), "disable triggers while only data are restored"),
    SWITCH("enable-row-security", 0, CONTENT, SCRIPT(enable_row_security), "restore with row security"),
    NAMES("filter", 0, "FILENAME", CONTENT, AT(filters), "take and leave objects as this file says"),
    SWITCH("if-exists", 0, CONTENT, SCRIPT(if_exists), "drop with IF EXISTS"),
    SWITCH("no-comments", 0, CONTENT, SCRIPT(no_comments), "no comments on objects"),
    SWITCH("no-data", 0, CONTENT, AT(no_data), "no data"),
    SWITCH("no-data-for-failed-tables", 0, CONTENT, SCRIPT(no_data_for_failed_tables), "no data for tables that could not be made"),
    SWITCH("no-policies", 0, CONTENT, SCRIPT(no_policies), "no row security policies"),
    SWITCH("no-publications", 0, CONTENT, SCRIPT(no_publications), "no publications"),
    SWITCH("no-schema", 0, CONTENT, AT(no_schema), "no definitions"),
    SWITCH("no-security-labels", 0, CONTENT, SCRIPT(no_security_labels), "no security labels"),
    SWITCH("no-statistics", 0, CONTENT, SCRIPT(no_statistics), "no planner statistics"),
    SWITCH("no-subscriptions", 0, CONTENT, SCRIPT(no_subscriptions), "no subscriptions"),
    SWITCH("no-table-access-method", 0, CONTENT, SCRIPT(no_table_access_method), "no access methods of tables"),
    SWITCH("no-tablespaces", 0, CONTENT, SCRIPT(no_tablespaces), "no tablespaces"),
    TEXT("restrict-key", 0, "RESTRICT_KEY", CONTENT, SCRIPT(restrict_key), "key of \\restrict in a script, instead of a random one"),
    NAMES("section", 0, "SECTION", CONTENT, AT(sections), "only this section: pre-data, data or post-data"),
    SWITCH("statistics", 0, CONTENT, AT(statistics), "with planner statistics, where the archive has them"),
    SWITCH("statistics-only", 0, CONTENT, SCRIPT(statistics_only), "only planner statistics"),
    SWITCH("strict-names", 0, CONTENT, SCRIPT(strict_names), "fail when a name that was given is not in the archive"),
    {"transaction-size", 0, "N", "commit after every N objects; implies --exit-on-error", CONTENT, CLI_PG_NUMBER, SCRIPT(transaction_size), 1, INT_MAX, 0},
    SWITCH("use-set-session-authorization", 0, CONTENT, SCRIPT(use_set_session_authorization),
           "set owners by SET SESSION AUTHORIZATION, not by ALTER … OWNER"),

    TEXT("host", 'h', "HOSTNAME", CONNECTION, AT(address.host), "server's host or socket folder"),
    TEXT("port", 'p', "PORT", CONNECTION, AT(address.port), "server's port"),
    TEXT("username", 'U', "NAME", CONNECTION, AT(address.user), "user to connect as"),
    SWITCH("no-password", 'w', CONNECTION, AT(no_password), "never ask for a password"),
    SWITCH("password", 'W', CONNECTION, AT(password), "ask for the password before connecting"),
    TEXT("role", 0, "ROLENAME", CONNECTION, SCRIPT(role), "SET ROLE to this before the restore"),

    SWITCH("no-acl", 0, HIDDEN, SCRIPT(no_acl), ""),
    SWITCH("no-reconnect", 'R', HIDDEN, AT(ignored), ""),
    {.name = NULL},
};

static const cli_pg_filter filters[] = {
    {"function", SCRIPT(functions), 0},
    {"index", SCRIPT(indexes), 0},
    {"schema", SCRIPT(schemas), SCRIPT(exclude_schemas)},
    {"table", SCRIPT(tables), 0},
    {"trigger", SCRIPT(triggers), 0},
    {NULL, 0, 0},
};

int cli_restore_parse(int argc, char **argv, cli_restore *restore, pgconvoy_error *err)
{
    int operand = cli_pg_parse(cli_restore_options, argc, argv, restore, err);
    if (operand < 0)
        return -1;
    if (restore->help || restore->version)
        return 0;
    if (operand < argc)
        restore->archive = argv[operand++];
    if (operand >= argc)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "too many command-line arguments (first is \"%s\")", argv[operand]);
    return -1;
}

static int refuse(pgconvoy_error *err, pgconvoy_error_code code, const char *message)
{
    pgconvoy_error_set(err, code, "%s", message);
    return -1;
}

/* In the order in which pg_restore refuses. */
static int check_combinations(const cli_restore *restore, pgconvoy_error *err)
{
    const pgc_script_options *s = &restore->script;
    const char *dbname = restore->address.dbname;
    const struct {
        bool refused;
        pgconvoy_error_code code;
        const char *message;
    } rows[] = {
        {!dbname && !restore->file && !restore->list, PGCONVOY_ERROR_CONFIG, "one of -d/--dbname and -f/--file must be specified"},
        {dbname && restore->file, PGCONVOY_ERROR_USAGE, "options -d/--dbname and -f/--file cannot be used together"},
        {dbname && s->restrict_key, PGCONVOY_ERROR_CONFIG, "options -d/--dbname and --restrict-key cannot be used together"},
        {s->restrict_key && !pgc_restrict_key_valid(s->restrict_key), PGCONVOY_ERROR_CONFIG, "invalid restrict key"},
        {s->data_only && s->schema_only, PGCONVOY_ERROR_CONFIG, "options -s/--schema-only and -a/--data-only cannot be used together"},
        {s->schema_only && s->statistics_only, PGCONVOY_ERROR_CONFIG, "options -s/--schema-only and --statistics-only cannot be used together"},
        {s->data_only && s->statistics_only, PGCONVOY_ERROR_CONFIG, "options -a/--data-only and --statistics-only cannot be used together"},
        {s->schema_only && restore->no_schema, PGCONVOY_ERROR_CONFIG, "options -s/--schema-only and --no-schema cannot be used together"},
        {s->data_only && restore->no_data, PGCONVOY_ERROR_CONFIG, "options -a/--data-only and --no-data cannot be used together"},
        {s->statistics_only && s->no_statistics, PGCONVOY_ERROR_CONFIG, "options --statistics-only and --no-statistics cannot be used together"},
        {restore->statistics && s->no_statistics, PGCONVOY_ERROR_CONFIG, "options --statistics and --no-statistics cannot be used together"},
        {s->schema_only && restore->statistics, PGCONVOY_ERROR_CONFIG, "options -s/--schema-only and --statistics cannot be used together"},
        {s->data_only && restore->statistics, PGCONVOY_ERROR_CONFIG, "options -a/--data-only and --statistics cannot be used together"},
        {s->data_only && s->clean, PGCONVOY_ERROR_CONFIG, "options -c/--clean and -a/--data-only cannot be used together"},
        {s->single_transaction && s->transaction_size, PGCONVOY_ERROR_CONFIG,
         "options -1/--single-transaction and --transaction-size cannot be used together"},
        {s->create_database && s->single_transaction, PGCONVOY_ERROR_CONFIG, "options -C/--create and -1/--single-transaction cannot be used together"},
        {s->single_transaction && s->jobs > 1, PGCONVOY_ERROR_CONFIG, "cannot specify both --single-transaction and multiple jobs"},
        {s->if_exists && !s->clean, PGCONVOY_ERROR_CONFIG, "option --if-exists requires option -c/--clean"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].refused)
            return refuse(err, rows[i].code, rows[i].message);
    return 0;
}

/* The first letter decides, as in pg_restore. */
static int take_format(cli_restore *restore, pgconvoy_error *err)
{
    static const struct {
        const char *letters;
        pgc_archive_format format;
    } formats[] = {{"cC", PGC_ARCHIVE_CUSTOM}, {"dD", PGC_ARCHIVE_DIRECTORY}, {"tT", PGC_ARCHIVE_TAR}};
    if (!restore->format || !restore->format[0])
        return 0;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strchr(formats[i].letters, restore->format[0]))
            restore->archive_format = formats[i].format;
    if (restore->archive_format != PGC_ARCHIVE_UNKNOWN)
        return 0;
    if (restore->format[0] == 'p' || restore->format[0] == 'P') {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "archive format \"%s\" is not supported; please use psql", restore->format);
        return -1;
    }
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "unrecognized archive format \"%s\"; please specify \"c\", \"d\", or \"t\"", restore->format);
    return -1;
}

int cli_restore_check(cli_restore *restore, pgconvoy_error *err)
{
    pgc_script_options *script = &restore->script;
    for (int i = 0; i < restore->filters.count; i++)
        if (cli_pg_read_filter(filters, restore, restore->filters.items[i], err))
            return -1;
    if (cli_pg_sections(&restore->sections, &script->sections, err) || check_combinations(restore, err) || take_format(restore, err))
        return -1;
    script->schema_only |= restore->no_data;
    script->data_only |= restore->no_schema;
    script->exit_on_error |= script->single_transaction || script->transaction_size > 0;
    if (script->jobs == 0)
        script->jobs = 1;
    if (restore->password || restore->no_password)
        restore->address.prompt = restore->password ? PGC_PROMPT_ALWAYS : PGC_PROMPT_NEVER;
    if (!restore->address.dbname && !script->restrict_key) {
        if (pgc_restrict_key(restore->key, err))
            return -1;
        script->restrict_key = restore->key;
    }
    return 0;
}

void cli_restore_help(const char *program, pgc_buffer *out)
{
    pgc_buffer_format(out, "%s restores an archive of pg_dump's formats, as pg_restore does.\n\nUsage:\n  %s [OPTION]... [FILE]\n", program, program);
    cli_pg_help(cli_restore_options, "Options controlling the restore", out);
    pgc_buffer_text(out, "\nThe options -I, -n, -N, -P, -t, -T, and --section can be combined and specified\nmultiple times to select multiple objects.\n"
                         "\nIf no input file name is supplied, then standard input is used.\n");
}

void cli_restore_markdown(pgc_buffer *out)
{
    cli_pg_markdown(cli_restore_options, "restore", out);
}
