/* TARGET: bigquery://PROJECT/DATASET?option=value&…, its options as rows of a table. */
#include "sink/bigquery/bigquery_internal.h"

#include <stdlib.h>

static int set_mode(pgc_bq_target *target, const char *value)
{
    target->history = strcmp(value, "history") == 0;
    return target->history || strcmp(value, "current") == 0 ? 0 : -1;
}

static int set_unmappable(pgc_bq_target *target, const char *value)
{
    static const char *const names[] = {"error", "text", "null"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], value) != 0)
            continue;
        target->types.unmappable = (pgc_bq_unmappable)i;
        return 0;
    }
    return -1;
}

static int set_numeric(pgc_bq_target *target, const char *value)
{
    target->types.numeric_text = strcmp(value, "text") == 0;
    target->types.numeric_big = strcmp(value, "bignumeric") == 0;
    return target->types.numeric_text || target->types.numeric_big || strcmp(value, "exact") == 0 ? 0 : -1;
}

static int set_arrays(pgc_bq_target *target, const char *value)
{
    target->types.arrays_text = strcmp(value, "text") == 0;
    return target->types.arrays_text || strcmp(value, "repeated") == 0 ? 0 : -1;
}

static int set_json(pgc_bq_target *target, const char *value)
{
    target->types.json_text = strcmp(value, "text") == 0;
    return target->types.json_text || strcmp(value, "json") == 0 ? 0 : -1;
}

static int set_location(pgc_bq_target *target, const char *value)
{
    target->location = value;
    return *value && strlen(value) < 60 ? 0 : -1;
}

static int set_endpoint(pgc_bq_target *target, const char *value)
{
    size_t length = strlen(value);
    target->endpoint = value;
    return (strncmp(value, "https://", 8) == 0 || strncmp(value, "http://", 7) == 0) && value[length - 1] != '/' ? 0
                                                                                                                 : -1;
}

static int set_credentials(pgc_bq_target *target, const char *value)
{
    target->credentials = value;
    return *value ? 0 : -1;
}

static int set_token_file(pgc_bq_target *target, const char *value)
{
    target->token_file = value;
    return *value ? 0 : -1;
}

static const struct option {
    const char *name, *values;
    int (*set)(pgc_bq_target *target, const char *value);
} options[] = {
    {"mode", "current or history", set_mode},
    {"unmappable", "error, text or null", set_unmappable},
    {"numeric", "exact, text or bignumeric", set_numeric},
    {"arrays", "repeated or text", set_arrays},
    {"json", "json or text", set_json},
    {"location", "a location such as EU or europe-west3", set_location},
    {"endpoint", "a URL without a slash at its end", set_endpoint},
    {"credentials", "the path of a service account's key", set_credentials},
    {"token_file", "the path of a file with a token", set_token_file},
};
#define OPTION_COUNT (sizeof options / sizeof *options)

static int set_option(pgc_bq_target *target, char *text, pgconvoy_error *err)
{
    char *value = strchr(text, '=');
    if (value)
        *value++ = '\0';
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(options[i].name, text) != 0)
            continue;
        if (value && options[i].set(target, value) == 0)
            return 0;
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "target option %s is not %s", text, options[i].values);
        return -1;
    }
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "bigquery: targets have no option \"%s\"", text);
    pgconvoy_error_hint(
        err, "there are mode, unmappable, numeric, arrays, json, location, endpoint, credentials and token_file");
    return -1;
}

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
    char *project = target->text + strlen("bigquery://"), *save;
    char *start = strchr(project, '?');
    if (start)
        *start++ = '\0';
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
    for (char *one = start ? strtok_r(start, "&", &save) : NULL; one; one = strtok_r(NULL, "&", &save))
        if (set_option(target, one, err) != 0)
            return -1;
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
