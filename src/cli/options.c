/* Options: the pipeline's rows and the command's own, as one list. */
#include "cli/cli.h"

static const char *const progress_choices[] = {"auto", "tty", "plain", "json", "none", NULL};
static const char *const format_choices[] = {"text", "json", NULL};
static const char *const job_choices[] = {"sync", "stream", "copy", "subscribe", "link", NULL};
static const char *const repair_choices[] = {"sql", NULL};
static const char *const level_choices[] = {"debug", "info", "warning", "error", NULL};

const cli_option cli_options[] = {
    {{"config", 0, "FILE", "none", "the same settings as YAML; what the command line says wins"},
     CLI_MOVE | CLI_LINK | CLI_SUBSCRIBE | CLI_DROP,
     NULL},
    {{"progress", 0, "auto|tty|plain|json|none", "auto",
      "progress on standard error; auto is a live view on a terminal, else lines"},
     CLI_MOVE | CLI_SUBSCRIBE,
     progress_choices},
    {{"log-format", 0, "text|json", "text", "how the log on standard error is written"},
     CLI_PLAN | CLI_MOVE | CLI_LINK | CLI_SUBSCRIBE | CLI_DROP | CLI_STATUS | CLI_VERIFY | CLI_CUTOVER,
     format_choices},
    {{"log-level", 0, "debug|info|warning|error", "info", "the least important lines that are written"},
     CLI_MOVE | CLI_LINK | CLI_SUBSCRIBE | CLI_DROP | CLI_VERIFY | CLI_CUTOVER,
     level_choices},
    {{"ddl-dry-run", 0, "SQL", "none", "say what these commands would do at the target; nothing is changed at either end"}, CLI_STREAMS, NULL},
    {{"consistent", 0, NULL, "off", "an interrupted copy of a source that has changed since copies all rows again"}, CLI_COPY, NULL},
    {{"filter", 0, "FILE", "none", "what to take, as lines \"include|exclude table|schema|table_data|extension PATTERN\""}, CLI_COPY, NULL},
    {{"table-and-children", 0, "PATTERN", "none", "as -t, with their partitions and children"}, CLI_COPY, NULL},
    {{"exclude-table-and-children", 0, "PATTERN", "none", "as -T, with their partitions and children"}, CLI_COPY, NULL},
    {{"exclude-table-data", 0, "PATTERN", "none", "these tables without their rows"}, CLI_COPY, NULL},
    {{"exclude-table-data-and-children", 0, "PATTERN", "none", "likewise, with their partitions and children"}, CLI_COPY, NULL},
    {{"extension", 'e', "PATTERN", "all", "only these extensions"}, CLI_COPY, NULL},
    {{"exclude-extension", 0, "PATTERN", "none", "not these extensions"}, CLI_COPY, NULL},
    {{"schema-only", 's', NULL, "off", "definitions, no rows"}, CLI_COPY, NULL},
    {{"data-only", 'a', NULL, "off", "rows and sequences' values, into tables that are there"}, CLI_COPY, NULL},
    {{"no-comments", 0, NULL, "off", "no comments"}, CLI_COPY | CLI_VERIFY, NULL},
    {{"no-publications", 0, NULL, "off", "no publications"}, CLI_COPY | CLI_VERIFY, NULL},
    {{"no-subscriptions", 0, NULL, "off", "no subscriptions"}, CLI_COPY, NULL},
    {{"no-security-labels", 0, NULL, "off", "no security labels"}, CLI_COPY | CLI_VERIFY, NULL},
    {{"no-tablespaces", 0, NULL, "off", "all objects in the target's default tablespace"}, CLI_COPY | CLI_VERIFY, NULL},
    {{"no-large-objects", 'B', NULL, "off", "no large objects"}, CLI_COPY | CLI_VERIFY, NULL},
    {{"large-objects", 'b', NULL, "off", "large objects, also when only some tables or schemas are chosen"}, CLI_COPY | CLI_VERIFY, NULL},
    {{"no-policies", 0, NULL, "off", "no row security policies"}, CLI_COPY | CLI_VERIFY, NULL},
    {{"no-unlogged-table-data", 0, NULL, "off", "no rows of unlogged tables"}, CLI_COPY, NULL},
    {{"no-table-access-method", 0, NULL, "off", "all tables by the target's default access method"}, CLI_COPY, NULL},
    {{"no-toast-compression", 0, NULL, "off", "no compression methods of columns"}, CLI_COPY, NULL},
    {{"refresh", 0, NULL, "off", "take in the tables that are new at the source"}, CLI_SUBSCRIBE, NULL},
    {{"to-sync", 0, NULL, "off", "make the subscription a pipeline, which sync goes on with, without a new copy"}, CLI_SUBSCRIBE, NULL},
    {{"from-sync", 0, NULL, "off", "make a pipeline of sync a subscription, without a new copy"}, CLI_SUBSCRIBE, NULL},
    {{"with", 0, "NAME=VALUE,…", "by the versions", "parameters of CREATE SUBSCRIPTION, such as origin=none"}, CLI_SUBSCRIBE, NULL},
    {{"sample", 0, "TIME", "10s", "how long changes are counted"}, CLI_PLAN, NULL},
    {{"for", 0, "sync|stream|copy|subscribe|link", "sync", "what is to be done"}, CLI_CHECK, job_choices},
    {{"skip-check", 0, "ITEM[,ITEM]", "none", "begin although these items of a check fail; may be repeated"}, CLI_MOVE | CLI_CHECK, NULL},
    {{"into", 0, "SCHEMA", "the source's database name", "the schema of the target for the foreign tables"}, CLI_LINK, NULL},
    {{"materialize", 0, "NAME=TABLE|QUERY", "none", "a copy of a linked table or of a query, refreshed when it is there already; may be repeated"}, CLI_LINK, NULL},
    {{"writable", 0, NULL, "off", "the foreign tables may be written"}, CLI_LINK, NULL},
    {{"via", 0, "WORDS", "as we do", "how the target's server reaches the source: \"host=… port=…\""}, CLI_LINK | CLI_SUBSCRIBE | CLI_CHECK, NULL},
    {{"password-file", 0, "FILE", "none", "the password for the source that the target keeps; the first line of FILE"}, CLI_LINK | CLI_SUBSCRIBE, NULL},
    {{"password", 'W', NULL, "off", "ask for that password"}, CLI_LINK | CLI_SUBSCRIBE, NULL},
    {{"drop", 0, NULL, "off", "undo it"}, CLI_LINK | CLI_SUBSCRIBE, NULL},
    {{"sample", 0, "PERCENT", "100", "compare only so many of each table's rows"}, CLI_VERIFY, NULL},
    {{"repair", 0, "sql", "none", "write a script that mends the target; it is not run"}, CLI_VERIFY, repair_choices},
    {{"repair-file", 0, "FILE", "pgconvoy-repair.sql", "where the script is written"}, CLI_VERIFY, NULL},
    {{"show", 0, "N", "20", "so many differing rows of a table are shown with their values"}, CLI_VERIFY, NULL},
    {{"wait", 0, "SECONDS", "60", "how long the stream is waited for, and what differs is looked at again while changes flow"}, CLI_VERIFY | CLI_CUTOVER, NULL},
    {{"lock-source", 0, NULL, "off", "make the source read-only and end its other sessions; undone when the switch is given up"}, CLI_CUTOVER, NULL},
    {{"verify", 0, NULL, "off", "compare sequences and rows while writes are held"}, CLI_CUTOVER, NULL},
    {{"reverse", 0, NULL, "off", "have the opposite pipeline ready before the switch, so that going back loses nothing; with --lock-source"}, CLI_CUTOVER, NULL},
    {{"undo", 0, NULL, "off", "make the source writable again, as it was before a cutover"}, CLI_CUTOVER, NULL},
    {{"restart", 0, NULL, "off", "compare all tables, also those that an interrupted run has finished"}, CLI_VERIFY, NULL},
    {{"no-schema", 0, NULL, "off", "do not compare the schema"}, CLI_VERIFY, NULL},
    {{"no-sequences", 0, NULL, "off", "do not compare sequences"}, CLI_VERIFY, NULL},
    {{"no-rows", 0, NULL, "off", "do not compare rows"}, CLI_VERIFY, NULL},
    {{"json", 0, NULL, "off", "one JSON document on standard output"}, CLI_PLAN | CLI_STATUS | CLI_VERIFY | CLI_CHECK | CLI_LINK | CLI_SUBSCRIBE, NULL},
    {{"help", 0, NULL, NULL, "this text"}, CLI_LINK | CLI_SUBSCRIBE | CLI_PLAN | CLI_MOVE | CLI_DROP | CLI_STATUS | CLI_VERIFY | CLI_CUTOVER | CLI_CHECK, NULL},
    {{.name = NULL}, 0, NULL},
};

/* Those of the pipeline's options that mean something without moving anything. */
static unsigned kinds_of(const pgconvoy_option *option)
{
    static const struct {
        const char *name;
        unsigned kinds;
    } others[] = {
        {"table", CLI_LINK | CLI_SUBSCRIBE | CLI_PLAN},        {"exclude-table", CLI_LINK | CLI_SUBSCRIBE | CLI_PLAN},
        {"schema", CLI_LINK | CLI_SUBSCRIBE | CLI_PLAN},       {"exclude-schema", CLI_LINK | CLI_SUBSCRIBE | CLI_PLAN},
        {"dry-run", CLI_LINK | CLI_SUBSCRIBE},
        {"jobs", CLI_PLAN},
        {"name", CLI_SUBSCRIBE},
        {"state-dir", CLI_SUBSCRIBE | CLI_LINK},
        {"publication", CLI_SUBSCRIBE},
        {"until", CLI_SUBSCRIBE},
        {"if-exists", CLI_SUBSCRIBE},
        {"name", CLI_DROP | CLI_VERIFY},
        {"table", CLI_VERIFY},
        {"exclude-table", CLI_VERIFY},
        {"schema", CLI_VERIFY},
        {"exclude-schema", CLI_VERIFY},
        {"publication", CLI_DROP | CLI_VERIFY | CLI_CUTOVER},
        {"slot", CLI_DROP | CLI_VERIFY | CLI_CUTOVER},
        {"dry-run", CLI_CUTOVER},
        {"skip-unavailable", CLI_CUTOVER},
        {"jobs", CLI_VERIFY | CLI_CUTOVER},
        {"memory", CLI_VERIFY},
        {"map-schema", CLI_VERIFY | CLI_CUTOVER},
        {"map-table", CLI_VERIFY | CLI_CUTOVER},
        {"map-column", CLI_VERIFY | CLI_CUTOVER},
        {"columns", CLI_VERIFY | CLI_CUTOVER},
        {"where", CLI_VERIFY | CLI_CUTOVER},
        {"no-owner", CLI_VERIFY},
        {"no-acl", CLI_VERIFY},
        {"state-dir", CLI_DROP | CLI_STATUS | CLI_VERIFY | CLI_CUTOVER}};
    unsigned kinds = CLI_MOVE;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(option->name, others[i].name) == 0)
            kinds |= others[i].kinds;
    return kinds;
}

static bool is_it(const pgconvoy_option *option, const char *name, char letter)
{
    return name ? strcmp(option->name, name) == 0 : option->letter == letter;
}

const pgconvoy_option *cli_option_find(const char *name, char letter, unsigned kinds, bool *is_pipelines)
{
    *is_pipelines = true;
    for (const pgconvoy_option *option = pgconvoy_pipeline_options(); option->name; option++)
        if (is_it(option, name, letter) && (kinds_of(option) & kinds))
            return option;
    *is_pipelines = false;
    for (const cli_option *row = cli_options; row->option.name; row++)
        if (is_it(&row->option, name, letter) && (row->kinds & kinds))
            return &row->option;
    return NULL;
}

void cli_options_walk(unsigned kind, void (*fn)(void *arg, const pgconvoy_option *option), void *arg)
{
    for (const pgconvoy_option *option = pgconvoy_pipeline_options(); option->name; option++)
        if (kinds_of(option) & kind)
            fn(arg, option);
    for (const cli_option *row = cli_options; row->option.name; row++)
        if (row->kinds & kind)
            fn(arg, &row->option);
}

const char *cli_setting_value(const cli_arguments *arguments, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < arguments->setting_count; i++)
        if (strcmp(arguments->settings[i].option->name, name) == 0)
            value = arguments->settings[i].value;
    return value;
}

static bool is_choice(const char *const *choices, const char *value)
{
    for (; *choices; choices++)
        if (strcmp(*choices, value) == 0)
            return true;
    return false;
}

int cli_settings_check(const cli_command *command, const cli_arguments *arguments, pgconvoy_error *err)
{
    for (size_t i = 0; i < arguments->setting_count; i++) {
        const cli_setting *setting = &arguments->settings[i];
        bool is_pipelines;
        if (!cli_option_find(setting->option->name, 0, command->kind, &is_pipelines)) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "%s takes no option --%s", command->name,
                               setting->option->name);
            pgconvoy_error_hint(err, "see pgconvoy %s --help", command->name);
            return -1;
        }
        for (const cli_option *row = cli_options; row->option.name; row++)
            if (&row->option == setting->option && row->choices && !is_choice(row->choices, setting->value)) {
                pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--%s cannot be \"%s\"", row->option.name,
                                   setting->value);
                pgconvoy_error_hint(err, "give one of %s", row->option.argument);
                return -1;
            }
    }
    return 0;
}
