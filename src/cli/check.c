/* check: the items of src/inspect/check by the options that the job itself would have; and the same before a job
 * begins. */
#include "cli/check.h"

#include "base/log.h"
#include "pipeline/options.h"
#include "postgres/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What a check is made of, as a command line says it. */
typedef struct asked {
    pgc_options settings;
    pgc_check_options options;
    char name[64];
    char *state_dir;
    char **skip;
} asked;

pgc_choice cli_choice(const pgc_options *settings)
{
    return (pgc_choice){.include_tables = settings->include_tables.items,
                        .include_table_count = settings->include_tables.count,
                        .exclude_tables = settings->exclude_tables.items,
                        .exclude_table_count = settings->exclude_tables.count,
                        .include_schemas = settings->include_schemas.items,
                        .include_schema_count = settings->include_schemas.count,
                        .exclude_schemas = settings->exclude_schemas.items,
                        .exclude_schema_count = settings->exclude_schemas.count};
}

int cli_pipeline_settings(const cli_arguments *arguments, pgc_options *settings, pgconvoy_error *err)
{
    pgc_options_init(settings);
    for (size_t i = 0; i < arguments->setting_count; i++)
        if (arguments->settings[i].is_pipelines &&
            pgc_options_set(settings, arguments->settings[i].option->name, arguments->settings[i].value, err))
            return -1;
    return 0;
}

static int add_skip(asked *asked, const char *item, pgconvoy_error *err)
{
    char **skip = realloc(asked->skip, (asked->options.skip_count + 1) * sizeof *skip);
    if (!skip)
        return pgc_error_out_of_memory(err);
    asked->skip = skip;
    if (!(skip[asked->options.skip_count] = strdup(item)))
        return pgc_error_out_of_memory(err);
    asked->options.skip_count++;
    return 0;
}

/* The items that --skip-check names, which comes once or several times; several at once by commas. */
static int set_skips(asked *asked, const cli_arguments *arguments, pgconvoy_error *err)
{
    for (size_t i = 0; i < arguments->setting_count; i++) {
        if (strcmp(arguments->settings[i].option->name, "skip-check") != 0)
            continue;
        char *rest = strdup(arguments->settings[i].value);
        if (!rest)
            return pgc_error_out_of_memory(err);
        for (char *start = rest, *word; (word = strsep(&start, ",")) != NULL;)
            if (add_skip(asked, word, err)) {
                free(rest);
                return -1;
            }
        free(rest);
    }
    return 0;
}

bool cli_skips_check(const cli_arguments *arguments, const char *item)
{
    size_t length = strlen(item);
    for (size_t i = 0; i < arguments->setting_count; i++) {
        if (strcmp(arguments->settings[i].option->name, "skip-check") != 0)
            continue;
        for (const char *word = arguments->settings[i].value; word; word = strchr(word, ',')) {
            word += *word == ',';
            if (strncmp(word, item, length) == 0 && (word[length] == '\0' || word[length] == ','))
                return true;
        }
    }
    return false;
}

static bool is_given(const cli_arguments *arguments, const char *option)
{
    const char *value = cli_setting_value(arguments, option);
    return value && strcmp(value, "false") != 0;
}

static int ask_for(asked *asked, const cli_arguments *arguments, pgc_check_job job, pgconvoy_error *err)
{
    const char *target = arguments->operand_count > 1 ? arguments->operands[1] : NULL;
    if (cli_pipeline_settings(arguments, &asked->settings, err) || set_skips(asked, arguments, err))
        return -1;
    pgc_options_derive_name(arguments->operands[0], target ? target : "", asked->name);
    if (asked->settings.name)
        snprintf(asked->name, sizeof asked->name, "%s", asked->settings.name);
    char *dir = cli_state_dir(arguments, err);
    asked->state_dir = dir ? cli_state_path(dir, asked->name, NULL, err) : NULL;
    free(dir);
    if (!asked->state_dir)
        return -1;
    static const struct {
        const char *option, *item;
    } answers[] = {{"roles", "roles"},
                   {"no-tablespaces", "tablespaces"},
                   {"skip-unavailable", "tablespaces"},
                   {"skip-unavailable", "extensions"},
                   {"skip-unavailable", "types"},
                   {"data-only", "names_in_the_way"},
                   {"data-only", "extensions"},
                   {"data-only", "tablespaces"},
                   {"data-only", "roles"}};
    bool nobodys = is_given(arguments, "no-owner") && is_given(arguments, "no-acl");
    if (nobodys && add_skip(asked, "roles", err))
        return -1;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        if (is_given(arguments, answers[i].option) && add_skip(asked, answers[i].item, err))
            return -1;
    char *const *skip = asked->skip;
    asked->options = (pgc_check_options){.source = arguments->operands[0],
                                         .target = target,
                                         .job = job,
                                         .name = asked->name,
                                         .publication = asked->settings.publication,
                                         .slot = asked->settings.slot,
                                         .choice = cli_choice(&asked->settings),
                                         .mapping = asked->settings.mapping,
                                         .if_exists = asked->settings.if_exists,
                                         .jobs = asked->settings.jobs,
                                         .partitions_as_leaves = asked->settings.partitions_as_leaves,
                                         .two_phase = asked->settings.two_phase,
                                         .via = cli_setting_value(arguments, "via"),
                                         .state_dir = asked->state_dir,
                                         .skip = skip,
                                         .skip_count = asked->options.skip_count};
    return 0;
}

static void free_asked(asked *asked)
{
    for (size_t i = 0; i < asked->options.skip_count; i++)
        free(asked->skip[i]);
    free(asked->skip);
    free(asked->state_dir);
    pgc_options_free(&asked->settings);
}

static int refuse_failed(const pgc_check_report *report, pgconvoy_error *err)
{
    for (int i = 0; i < report->count; i++) {
        const pgc_check_result *result = &report->results[i];
        if (result->status != PGC_CHECK_FAILED || result->overruled || strstr(result->item, "_connection"))
            continue;
        const pgc_check_finding *finding = &result->findings[0];
        for (int j = 0; j < result->count; j++)
            if (result->findings[j].status == PGC_CHECK_FAILED)
                finding = &result->findings[j];
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "%s", finding->says);
        pgconvoy_error_hint(err, "%s; pgconvoy check looks at all else, --skip-check %s begins in spite of it",
                            finding->mend ? finding->mend : "mend it", result->item);
        return -1;
    }
    return 0;
}

int cli_check_at_start(const cli_arguments *arguments, pgc_check_job job, pgconvoy_error *err)
{
    asked asked = {0};
    pgc_check_report report = {0};
    int result = ask_for(&asked, arguments, job, err);
    asked.options.at_start = true;
    if (result == 0)
        result = pgc_check_run(&asked.options, &report, err);
    if (result == 0)
        result = refuse_failed(&report, err);
    if (report.arena)
        pgc_check_report_free(&report);
    free_asked(&asked);
    return result;
}

bool cli_wants_colours(void)
{
    const char *no_colour = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && !(no_colour && no_colour[0]);
}

int cli_print(const pgc_buffer *text, pgconvoy_error *err)
{
    if (pgc_buffer_check(text, err))
        return -1;
    if (fwrite(text->data, 1, text->length, stdout) == text->length && fflush(stdout) == 0)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "cannot write to standard output: %s", strerror(errno));
    return -1;
}

/* A copy of a database into PostgreSQL is a clone, but for what a publication has (copy.c). */
static pgc_check_job job_asked_for(const cli_arguments *arguments)
{
    const char *name = cli_setting_value(arguments, "for");
    pgc_check_job job = name ? pgc_check_job_named(name) : PGC_CHECK_SYNC;
    bool of_pipeline = cli_setting_value(arguments, "publication") || cli_setting_value(arguments, "slot") ||
                       cli_setting_value(arguments, "partitions");
    bool is_server = arguments->operand_count > 1 && pgc_connection_is_uri(arguments->operands[1]);
    return job == PGC_CHECK_COPY && is_server && !of_pipeline ? PGC_CHECK_CLONE : job;
}

int cli_run_check(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err)
{
    (void)command;
    asked asked = {0};
    pgc_check_report report = {0};
    pgc_buffer out;
    pgc_buffer_init(&out, (size_t)1 << 30);
    int result = ask_for(&asked, arguments, job_asked_for(arguments), err);
    if (result == 0)
        result = pgc_check_run(&asked.options, &report, err);
    if (result == 0) {
        if (cli_setting_value(arguments, "json"))
            pgc_check_report_json(&report, &out);
        else
            pgc_check_report_text(&report, cli_wants_colours(), &out);
        result = cli_print(&out, err);
    }
    int status = result          ? (err->code == PGCONVOY_ERROR_USAGE ? CLI_EXIT_USAGE : CLI_EXIT_FAILED)
                 : report.failed ? CLI_EXIT_DIFFERS
                                 : CLI_EXIT_OK;
    pgc_buffer_free(&out);
    if (report.arena)
        pgc_check_report_free(&report);
    free_asked(&asked);
    return status;
}
