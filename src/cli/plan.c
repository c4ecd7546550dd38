/* plan: sizes, rates, and the way that suits (src/inspect/plan.h). */
#include "cli/check.h"

#include "inspect/plan.h"
#include "sink/registry.h"
#include "postgres/connection.h"

#include <stdlib.h>

#define SAMPLE_US INT64_C(10000000)

/* "10s", "10", "500ms", "2min" */
static int parse_duration(const char *text, int64_t *us)
{
    static const struct {
        const char *unit;
        int64_t us;
    } units[] = {{"", 1000000}, {"s", 1000000}, {"ms", 1000}, {"min", 60000000}};
    char *end;
    double value = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (end != text && strcmp(end, units[i].unit) == 0 && value >= 0 && value <= 86400) {
            *us = (int64_t)(value * (double)units[i].us);
            return 0;
        }
    return -1;
}

static int read_sample(const cli_arguments *arguments, int64_t *us, pgconvoy_error *err)
{
    const char *text = cli_setting_value(arguments, "sample");
    *us = SAMPLE_US;
    if (!text || parse_duration(text, us) == 0)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--sample cannot be \"%s\"", text);
    pgconvoy_error_hint(err, "give a time such as 10s, 500ms or 2min");
    return -1;
}

int cli_run_plan(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err)
{
    (void)command;
    pgc_options settings = {0};
    pgc_plan plan = {.table_count = 0};
    pgc_plan_options options = {.source = arguments->operands[0],
                                .target = arguments->operand_count > 1 ? arguments->operands[1] : NULL};
    pgc_buffer out;
    pgc_buffer_init(&out, (size_t)1 << 30);
    int result = read_sample(arguments, &options.sample_us, err) || cli_pipeline_settings(arguments, &settings, err);
    if (result == 0 && options.target && !pgc_connection_is_uri(options.target) &&
        !pgc_sink_for_target(options.target, err))
        result = -1;
    options.choice = cli_choice(&settings);
    options.jobs = settings.jobs;
    if (result == 0)
        result = pgc_plan_make(&options, &plan, err);
    if (result == 0) {
        if (cli_setting_value(arguments, "json"))
            pgc_plan_json(&plan, &out);
        else
            pgc_plan_text(&plan, cli_wants_colours(), &out);
        result = cli_print(&out, err);
    }
    pgc_plan_free(&plan);
    pgc_buffer_free(&out);
    pgc_options_free(&settings);
    if (result == 0)
        return CLI_EXIT_OK;
    return err->code == PGCONVOY_ERROR_USAGE ? CLI_EXIT_USAGE : CLI_EXIT_FAILED;
}
