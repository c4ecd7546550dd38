/* What follows from the options of a dump, and the combinations that are refused: with pg_dump's words, so that scripts that look for them find them. */
#include "archive/script.h"
#include "cli/dump.h"

#include <strings.h>

#define PLACE(list) offsetof(cli_dump, options.list)

static const cli_pg_filter filters[] = {
    {"extension", PLACE(include_extensions), PLACE(exclude_extensions)},
    {"foreign_data", PLACE(include_foreign_data), 0},
    {"schema", PLACE(include_schemas), PLACE(exclude_schemas)},
    {"table", PLACE(include_tables), PLACE(exclude_tables)},
    {"table_and_children", PLACE(include_tables_and_children), PLACE(exclude_tables_and_children)},
    {"table_data", 0, PLACE(exclude_table_data)},
    {"table_data_and_children", 0, PLACE(exclude_table_data_and_children)},
    {NULL, 0, 0},
};

static int refuse(pgconvoy_error *err, const char *message)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "%s", message);
    return -1;
}

static int take_format(cli_dump *dump, pgconvoy_error *err)
{
    static const struct {
        const char *letter, *name;
        pgc_archive_format format;
    } formats[] = {{"p", "plain", PGC_ARCHIVE_PLAIN},
                   {"c", "custom", PGC_ARCHIVE_CUSTOM},
                   {"d", "directory", PGC_ARCHIVE_DIRECTORY},
                   {"t", "tar", PGC_ARCHIVE_TAR},
                   {"a", "append", PGC_ARCHIVE_PLAIN}}; /* what pg_dumpall asks for */
    const char *given = dump->format ? dump->format : "p";
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcasecmp(given, formats[i].letter) == 0 || strcasecmp(given, formats[i].name) == 0) {
            dump->output.format = formats[i].format;
            dump->output.append = formats[i].letter[0] == 'a';
            return 0;
        }
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "invalid output format \"%s\" specified", given);
    return -1;
}

static int take_compression(cli_dump *dump, pgconvoy_error *err)
{
    dump->output.compression = pgc_dump_default_compression(dump->output.format);
    if (!dump->compress)
        return 0;
    if (pgc_compression_parse(dump->compress, &dump->output.compression, err) != 0) {
        err->code = PGCONVOY_ERROR_CONFIG; /* nothing that --help would mend */
        return -1;
    }
    if (dump->output.format == PGC_ARCHIVE_TAR && dump->output.compression.method != PGC_COMPRESSION_NONE)
        return refuse(err, "compression is not supported by tar archive format");
    return 0;
}

static int take_sync_method(cli_dump *dump, pgconvoy_error *err)
{
    if (!dump->sync_method || strcmp(dump->sync_method, "fsync") == 0 || strcmp(dump->sync_method, "syncfs") == 0)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "unrecognized sync method: %s", dump->sync_method);
    return -1;
}

/* Before the format is looked at; in the order in which pg_dump refuses. */
static int check_combinations(const cli_dump *dump, pgconvoy_error *err)
{
    const pgc_dump_options *o = &dump->options;
    bool schema_only = o->schema_only, data_only = o->data_only, foreign = o->include_foreign_data.count > 0;
    bool inserts = o->inserts || o->column_inserts || o->rows_per_insert > 0;
    const struct {
        bool refused;
        const char *message;
    } rows[] = {
        {schema_only && data_only, "options -s/--schema-only and -a/--data-only cannot be used together"},
        {schema_only && o->statistics_only, "options -s/--schema-only and --statistics-only cannot be used together"},
        {data_only && o->statistics_only, "options -a/--data-only and --statistics-only cannot be used together"},
        {schema_only && dump->no_schema, "options -s/--schema-only and --no-schema cannot be used together"},
        {data_only && dump->no_data, "options -a/--data-only and --no-data cannot be used together"},
        {o->statistics_only && dump->no_statistics, "options --statistics-only and --no-statistics cannot be used together"},
        {o->statistics && dump->no_statistics, "options --statistics and --no-statistics cannot be used together"},
        {schema_only && o->statistics, "options -s/--schema-only and --statistics cannot be used together"},
        {data_only && o->statistics, "options -a/--data-only and --statistics cannot be used together"},
        {schema_only && foreign, "options -s/--schema-only and --include-foreign-data cannot be used together"},
        {o->jobs > 1 && foreign, "option --include-foreign-data is not supported with parallel backup"},
        {data_only && o->clean, "options -c/--clean and -a/--data-only cannot be used together"},
        {o->if_exists && !o->clean, "option --if-exists requires option -c/--clean"},
        {o->on_conflict_do_nothing && !inserts,
         "option --on-conflict-do-nothing requires option --inserts, --rows-per-insert, or --column-inserts"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].refused)
            return refuse(err, rows[i].message);
    return 0;
}

static int check_format(const cli_dump *dump, pgconvoy_error *err)
{
    const pgc_dump_options *o = &dump->options;
    bool plain = dump->output.format == PGC_ARCHIVE_PLAIN;
    if (o->restrict_key && plain && !pgc_restrict_key_valid(o->restrict_key))
        return refuse(err, "invalid restrict key");
    if (o->restrict_key && !plain)
        return refuse(err, "option --restrict-key can only be used with --format=plain");
    if (o->jobs > 1 && dump->output.format != PGC_ARCHIVE_DIRECTORY)
        return refuse(err, "parallel backup only supported by the directory format");
    if (dump->output.format == PGC_ARCHIVE_DIRECTORY && (!dump->file || !dump->file[0]))
        return refuse(err, "no output directory specified");
    return 0;
}

int cli_dump_check(cli_dump *dump, pgconvoy_error *err)
{
    pgc_dump_options *options = &dump->options;
    for (int i = 0; i < dump->filters.count; i++)
        if (cli_pg_read_filter(filters, dump, dump->filters.items[i], err) != 0)
            return -1;
    if (cli_pg_sections(&dump->sections, &options->sections, err) != 0 || take_sync_method(dump, err) != 0 || check_combinations(dump, err) != 0)
        return -1;
    options->inserts |= options->column_inserts || options->rows_per_insert > 0;
    options->schema_only |= dump->no_data;
    options->data_only |= dump->no_schema;
    if (dump->no_statistics)
        options->statistics = false;
    if (dump->password || dump->no_password)
        options->address.prompt = dump->password ? PGC_PROMPT_ALWAYS : PGC_PROMPT_NEVER;
    options->one_session = options->jobs == 1 || options->serializable_deferrable;
    if (options->jobs == 0)
        options->jobs = 1;
    if (take_format(dump, err) != 0 || take_compression(dump, err) != 0 || check_format(dump, err) != 0)
        return -1;
    dump->output.path = dump->file && dump->file[0] ? dump->file : NULL;
    dump->output.sync = !dump->no_sync;
    dump->output.verbose = dump->verbose;
    return 0;
}
