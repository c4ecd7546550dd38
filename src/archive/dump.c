/* A whole dump: the catalog is read and ordered, becomes entries, and they are written as text or into an archive. */
#include "archive/dump_internal.h"

#include "archive/data_ahead.h"
#include "archive/output.h"
#include "base/clock.h"
#include "catalog/catalog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct dump {
    pgc_dump_options options; /* as asked for, and what follows from it */
    const pgc_dump_output *output;
    pgc_catalog *catalog;
    pgc_entries entries;
    pgc_archive_head head;
    pgc_script_options script_options;
    pgc_script *script;
    pgc_data_totals totals;
    char dump_version[96];
    char key[PGC_RESTRICT_KEY_SIZE];
} dump;

pgc_compression pgc_dump_default_compression(pgc_archive_format format)
{
    bool gzip = format == PGC_ARCHIVE_CUSTOM || format == PGC_ARCHIVE_DIRECTORY;
    return (pgc_compression){.method = gzip ? PGC_COMPRESSION_GZIP : PGC_COMPRESSION_NONE, .level = PGC_COMPRESSION_DEFAULT};
}

static void say(const dump *dump, const char *what)
{
    if (dump->options.progress)
        dump->options.progress(dump->options.arg, what);
}

static bool is_plain(const dump *dump)
{
    return dump->output->format == PGC_ARCHIVE_PLAIN;
}

/* ------------------------------------------------------------------ from the database to entries */

/* An entry that sets the session. */
static int add_special(dump *dump, int place, const char *name, const char *sql, pgconvoy_error *err)
{
    pgc_entries *entries = &dump->entries;
    pgc_entry *entry = pgc_entries_add(entries);
    if (!entry)
        return pgc_error_out_of_memory(err);
    entry->id = ++entries->max_id;
    entry->tag = entry->description = name;
    entry->section = PGC_SECTION_PRE_DATA;
    entry->create = pgc_arena_strdup(entries->arena, sql);
    if (!entry->create)
        return pgc_error_out_of_memory(err);
    memmove(entries->items + place + 1, entries->items + place, (size_t)(entries->count - 1 - place) * sizeof *entries->items);
    entries->items[place] = entry;
    return 0;
}

static int add_specials(dump *dump, pgconvoy_error *err)
{
    char encoding[128];
    snprintf(encoding, sizeof encoding, "saving encoding = %s", pgc_catalog_encoding(dump->catalog));
    say(dump, encoding);
    say(dump, "saving standard_conforming_strings = on");
    say(dump, "saving search_path = ");
    snprintf(encoding, sizeof encoding, "SET client_encoding = '%s';\n", pgc_catalog_encoding(dump->catalog));
    if (add_special(dump, 0, "ENCODING", encoding, err) != 0)
        return -1;
    if (add_special(dump, 1, "STDSTRINGS", "SET standard_conforming_strings = 'on';\n", err) != 0)
        return -1;
    return add_special(dump, 2, "SEARCHPATH", "SELECT pg_catalog.set_config('search_path', '', false);\n", err);
}

static int read_catalog(dump *dump, pgconvoy_error *err)
{
    pgc_dump_options *options = &dump->options;
    dump->catalog = pgc_catalog_open(options, err);
    if (!dump->catalog)
        return -1;
    /* A standby has no rows of unlogged tables. */
    options->no_unlogged_table_data |= pgc_catalog_is_standby(dump->catalog);
    if (pgc_catalog_read(dump->catalog, err) != 0 || pgc_catalog_order(dump->catalog, err) != 0)
        return -1;
    if (pgc_entries_init(&dump->entries, err) != 0 || pgc_catalog_entries(dump->catalog, &dump->entries, err) != 0)
        return -1;
    return add_specials(dump, err);
}

/* ------------------------------------------------------------------ what is written of them */

/* The dump's options as those of a script. */
static pgc_script_options script_options_of(const dump *dump)
{
    const pgc_dump_options *from = &dump->options;
    return (pgc_script_options){
        .schema_only = from->schema_only,
        .data_only = from->data_only,
        .sections = from->sections,
        .clean = from->clean,
        .if_exists = from->if_exists,
        .create_database = from->create_database,
        .no_owner = from->no_owner,
        .no_acl = from->no_acl,
        .no_comments = from->no_comments,
        .no_publications = from->no_publications,
        .no_security_labels = from->no_security_labels,
        .no_subscriptions = from->no_subscriptions,
        .no_tablespaces = from->no_tablespaces,
        .no_table_access_method = from->no_table_access_method,
        .no_policies = from->no_policies,
        .disable_triggers = from->disable_triggers,
        .use_set_session_authorization = from->use_set_session_authorization,
        .enable_row_security = from->enable_row_security,
        .disable_dollar_quoting = from->disable_dollar_quoting,
        .binary_upgrade = from->binary_upgrade,
        .sequence_data = from->sequence_data || from->binary_upgrade,
        .statistics = from->statistics,
        .statistics_only = from->statistics_only,
        .include_everything = pgc_options_include_everything(from),
        .inserts = from->inserts,
        .column_inserts = from->column_inserts,
        .quote_all_identifiers = from->quote_all_identifiers,
        .verbose = dump->output->verbose,
        .superuser = from->superuser,
        .restrict_key = is_plain(dump) ? from->restrict_key ? from->restrict_key : dump->key : NULL,
        .encoding = from->encoding,
        .lock_wait_timeout = from->lock_wait_timeout,
        .jobs = from->jobs,
        .progress = is_plain(dump) ? from->progress : NULL,
        .arg = from->arg,
    };
}

static int make_script(dump *dump, pgconvoy_error *err)
{
    const char *version = pgc_catalog_server_version_text(dump->catalog);
    /* What the text is written like: the pg_dump of the server's own release. */
    snprintf(dump->dump_version, sizeof dump->dump_version, "%.*s (pgconvoy %s)", (int)strcspn(version, " "), version, pgconvoy_version());
    dump->head = (pgc_archive_head){.format = dump->output->format,
                                    .compression = dump->output->compression,
                                    .created = (int64_t)time(NULL),
                                    .database_name = pgc_catalog_database_name(dump->catalog),
                                    .server_version = version,
                                    .dump_version = dump->dump_version};
    if (!dump->options.restrict_key && pgc_restrict_key(dump->key, err) != 0)
        return -1;
    dump->script_options = script_options_of(dump);
    dump->script = pgc_script_new(&dump->script_options, &dump->head, &dump->entries, err);
    return dump->script ? 0 : -1;
}

static bool is_written(void *arg, const pgc_entry *entry)
{
    return pgc_script_writes(((dump *)arg)->script, entry) != 0;
}

static bool has_written_data(void *arg, const pgc_entry *entry)
{
    return entry->has_data && (pgc_script_writes(((dump *)arg)->script, entry) & PGC_WRITES_DATA) != 0;
}

/* ------------------------------------------------------------------ plain SQL */

/* Where the text goes: an output that has its name when it is whole, or the end of a file that has it already. */
typedef struct plain {
    dump *dump;
    pgc_data_ahead *ahead;
    pgc_output *output;
    FILE *appended;
} plain;

static int plain_write(void *arg, const char *text, size_t length, pgconvoy_error *err)
{
    plain *plain = arg;
    const pgc_dump_output *output = plain->dump->output;
    if (output->progress)
        output->progress(output->progress_arg, &plain->dump->totals);
    if (plain->output)
        return pgc_output_write(plain->output, text, length, err);
    if (fwrite(text, 1, length, plain->appended) == length)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "could not write to \"%s\": %s", plain->dump->output->path, strerror(errno));
    return -1;
}

static int plain_read(void *arg, const pgc_entry *entry, const pgc_data_target *target, pgconvoy_error *err)
{
    plain *plain = arg;
    return pgc_data_ahead_read(plain->ahead, entry, target, &plain->dump->totals, err);
}

static int plain_open(plain *plain, pgconvoy_error *err)
{
    const pgc_dump_output *output = plain->dump->output;
    if (!output->append || !output->path) {
        plain->output = pgc_output_open(output->path, &output->compression, output->sync, err);
        return plain->output ? 0 : -1;
    }
    plain->appended = fopen(output->path, "a");
    if (plain->appended)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "could not open output file \"%s\": %s", output->path, strerror(errno));
    return -1;
}

static int plain_close(plain *plain, bool whole, pgconvoy_error *err)
{
    if (plain->output && whole)
        return pgc_output_close(plain->output, err);
    pgc_output_abandon(plain->output);
    if (plain->appended && fclose(plain->appended) != 0 && whole) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "could not close output file: %s", strerror(errno));
        return -1;
    }
    return whole ? 0 : -1;
}

static int write_plain(dump *dump, pgconvoy_error *err)
{
    plain plain = {.dump = dump};
    if (plain_open(&plain, err) != 0)
        return -1;
    const pgc_script_run run = {.write = plain_write, .read_data = plain_read, .arg = &plain};
    plain.ahead = pgc_data_ahead_new(dump->catalog, &dump->entries, has_written_data, dump, err);
    bool whole = plain.ahead && pgc_script_write(dump->script, &run, err) == 0;
    pgc_data_ahead_free(plain.ahead);
    return plain_close(&plain, whole, err);
}

/* ------------------------------------------------------------------ archives */

/* What pgc_data_write_all calls back with. */
static void on_progress(void *arg, const pgc_data_totals *totals)
{
    dump *dump = arg;
    dump->output->progress(dump->output->progress_arg, totals);
}

static int write_archive_with(dump *dump, const char *restore_sql, pgconvoy_error *err)
{
    const pgc_dump_output *output = dump->output;
    const pgc_archive_settings settings = {.path = output->path,
                                           .format = output->format,
                                           .compression = output->compression,
                                           .sync = output->sync,
                                           .head = dump->head,
                                           .server_major = pgc_catalog_server_version(dump->catalog) / 10000,
                                           .restore_sql = restore_sql};
    pgc_archive_writer *writer = pgc_archive_create(&settings, &dump->entries, err);
    if (!writer)
        return -1;
    if (pgc_data_write_all(dump->catalog, &dump->entries, has_written_data, dump, writer, output->format, output->progress ? on_progress : NULL,
                           &dump->totals, err) != 0) {
        pgc_archive_abandon(writer);
        return -1;
    }
    return pgc_archive_finish(writer, err);
}

/* An archive lists only what is written: a restore would look for the data of the others. */
static void drop_unwritten(dump *dump)
{
    pgc_entries *entries = &dump->entries;
    int kept = 0;
    for (int i = 0; i < entries->count; i++)
        if (is_written(dump, entries->items[i]))
            entries->items[kept++] = entries->items[i];
    entries->count = kept;
}

static int write_archive(dump *dump, pgconvoy_error *err)
{
    if (pgc_catalog_entry_dependencies(dump->catalog, &dump->entries, is_written, dump, err) != 0)
        return -1;
    drop_unwritten(dump);
    if (dump->output->format != PGC_ARCHIVE_TAR)
        return write_archive_with(dump, NULL, err);
    pgc_buffer restore_sql;
    pgc_buffer_init(&restore_sql, SIZE_MAX / 2);
    int result = pgc_dump_tar_script(&dump->script_options, dump->key, &dump->head, &dump->entries, &restore_sql, err);
    if (result == 0)
        result = write_archive_with(dump, restore_sql.data, err);
    pgc_buffer_free(&restore_sql);
    return result;
}

/* ------------------------------------------------------------------ the whole */

static void add_consequences(dump *dump)
{
    pgc_dump_options *options = &dump->options;
    /* An archive has the database's entry, in case a restore is to make it. */
    options->create_database |= !is_plain(dump);
    options->statistics |= options->statistics_only;
    if (pgc_options_include_everything(options) && !options->schema_only && !options->no_large_objects)
        options->large_objects = true;
}

static void count(const dump *dump, int64_t begun_us)
{
    pgc_dump_totals *totals = dump->output->totals;
    if (!totals)
        return;
    *totals = (pgc_dump_totals){.data = dump->totals, .seconds = (double)(pgc_clock_monotonic_us() - begun_us) / 1e6};
    for (int i = 0; i < dump->entries.count; i++)
        totals->objects += (pgc_script_writes(dump->script, dump->entries.items[i]) & (PGC_WRITES_SCHEMA | PGC_WRITES_DATA)) != 0;
}

int pgc_dump(const pgc_dump_options *options, const pgc_dump_output *output, pgconvoy_error *err)
{
    int64_t begun_us = pgc_clock_monotonic_us();
    dump dump = {.options = *options, .output = output};
    add_consequences(&dump);
    int result = read_catalog(&dump, err);
    if (result == 0)
        result = make_script(&dump, err);
    if (result == 0)
        result = is_plain(&dump) ? write_plain(&dump, err) : write_archive(&dump, err);
    if (result == 0)
        count(&dump, begun_us);
    pgc_script_free(dump.script);
    if (dump.entries.arena)
        pgc_entries_free(&dump.entries);
    if (dump.catalog)
        pgc_catalog_close(dump.catalog);
    return result;
}
