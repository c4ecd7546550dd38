/* TARGET: bigquery://PROJECT/DATASET?option=value&…, its options as rows of a table. */
#include "sink/bigquery/bigquery_internal.h"

#include "sink/target_options.h"

#include <stddef.h>
#include <stdlib.h>

static int set_numeric(void *arg, const pgc_target_option *option, const char *value)
{
    pgc_bq_target *target = arg;
    int place = pgc_target_word(value, option->words);
    target->types.numeric_text = place == 1;
    target->types.numeric_big = place == 2;
    return place < 0 ? -1 : 0;
}

static int set_location(void *target, const pgc_target_option *option, const char *value)
{
    return strlen(value) < 60 ? pgc_target_set_some_text(target, option, value) : -1;
}

#define FIELD(NAME) offsetof(pgc_bq_target, NAME)

static const pgc_target_option options[] = {
    {"mode", "current or history", pgc_target_set_switch, FIELD(history), PGC_TARGET_WORDS("current", "history")},
    PGC_UNMAPPABLE_OPTION(FIELD(types.unmappable)),
    {"numeric", "exact, text or bignumeric", set_numeric, 0, PGC_TARGET_WORDS("exact", "text", "bignumeric")},
    {"arrays", "repeated or text", pgc_target_set_switch, FIELD(types.arrays_text),
     PGC_TARGET_WORDS("repeated", "text")},
    {"json", "json or text", pgc_target_set_switch, FIELD(types.json_text), PGC_TARGET_WORDS("json", "text")},
    {"location", "a location such as EU or europe-west3", set_location, FIELD(location), NULL},
    {"endpoint", "a URL without a slash at its end", pgc_target_set_url, FIELD(endpoint), NULL},
    {"credentials", "the path of a service account's key", pgc_target_set_some_text, FIELD(credentials), NULL},
    {"token_file", "the path of a file with a token", pgc_target_set_some_text, FIELD(token_file), NULL},
};
static const pgc_target_options known = {
    .sink = "bigquery:", .list = options, .count = sizeof options / sizeof *options};

static bool is_name(const char *text, const char *more)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    if (!*text)
        return false;
    for (; *text; text++)
        if (!strchr(letters, *text) && !strchr(more, *text))
            return false;
    return true;
}

static int parse(pgc_bq_target *target, pgconvoy_error *err)
{
    char *project = target->text + strlen("bigquery://");
    if (pgc_target_options_read(&known, target, project, err) != 0)
        return -1;
    char *dataset = strchr(project, '/');
    if (dataset)
        *dataset++ = '\0';
    if (!dataset || !is_name(project, "-.:") || !is_name(dataset, "_")) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "the target names no project and dataset of BigQuery");
        pgconvoy_error_hint(
            err, "write it as bigquery://PROJECT/DATASET; a dataset's name has letters, digits and underscores");
        return -1;
    }
    target->project = project;
    target->dataset = dataset;
    return 0;
}

int pgc_bq_target_parse(const char *text, pgc_bq_target *target, pgconvoy_error *err)
{
    memset(target, 0, sizeof *target);
    target->endpoint = "https://bigquery.googleapis.com";
    target->text = strdup(text);
    if (!target->text)
        return pgc_error_out_of_memory(err);
    if (parse(target, err) == 0)
        return 0;
    pgc_bq_target_free(target);
    return -1;
}

void pgc_bq_target_free(pgc_bq_target *target)
{
    free(target->text);
    target->text = NULL;
}
