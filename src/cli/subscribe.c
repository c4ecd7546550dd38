/* subscribe: PostgreSQL's own logical replication, made and watched (src/native/subscribe.h). */
#include "cli/check.h"
#include "cli/console.h"
#include "cli/native_password.h"
#include "cli/stop_signals.h"

#include "native/subscribe.h"
#include "postgres/connection.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct subscribe {
    cli_console *console;
    pgconvoy_log log;
    pgc_options settings;
    char name[64];
    char *password;
    atomic_bool stop;
    cli_stop_signals signals;
} subscribe;

static int print_line(void *arg, const char *line)
{
    (void)arg;
    return puts(line) < 0 ? -1 : 0;
}

static void on_progress(void *arg, const pgconvoy_progress *progress)
{
    subscribe *subscribe = arg;
    cli_console_progress(subscribe->console, subscribe->name, progress);
}

static bool is_stopped(void *arg)
{
    return atomic_load(&((subscribe *)arg)->stop);
}

static void on_signal(void *arg)
{
    atomic_store(&((subscribe *)arg)->stop, true);
}

/* Each of these is another thing to do. */
static int refuse_together(const cli_arguments *arguments, pgconvoy_error *err)
{
    static const char *const deeds[] = {"refresh", "drop", "to-sync", "from-sync"};
    const char *given = NULL;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        if (!cli_setting_value(arguments, deeds[i]))
            continue;
        if (given) {
            pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--%s and --%s cannot be had together", given, deeds[i]);
            pgconvoy_error_hint(err, "one after the other");
            return -1;
        }
        given = deeds[i];
    }
    return 0;
}

static int run(subscribe *subscribe, const cli_arguments *arguments, pgconvoy_error *err)
{
    pgc_options *settings = &subscribe->settings;
    pgc_options_derive_name(arguments->operands[0], arguments->operands[1], subscribe->name);
    if (settings->name)
        snprintf(subscribe->name, sizeof subscribe->name, "%s", settings->name);
    if (settings->until == PGC_UNTIL_LSN) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE,
                           "subscribe cannot stop at an LSN, since the servers go on by themselves");
        pgconvoy_error_hint(err, "give --until caught-up");
        return -1;
    }
    if (refuse_together(arguments, err))
        return -1;
    bool wants_json = cli_setting_value(arguments, "json") && !settings->dry_run;
    pgc_buffer json;
    pgc_buffer_init(&json, 64 << 20);
    pgc_subscribe_options options = {.source = arguments->operands[0],
                                     .target = arguments->operands[1],
                                     .name = subscribe->name,
                                     .publication = settings->publication,
                                     .via = cli_setting_value(arguments, "via"),
                                     .password = subscribe->password,
                                     .with = cli_setting_value(arguments, "with"),
                                     .choice = cli_choice(settings),
                                     .if_exists = settings->if_exists,
                                     .until_caught_up = settings->until == PGC_UNTIL_CAUGHT_UP,
                                     .refresh = cli_setting_value(arguments, "refresh") != NULL,
                                     .drop = cli_setting_value(arguments, "drop") != NULL,
                                     .to_pipeline = cli_setting_value(arguments, "to-sync") != NULL,
                                     .from_pipeline = cli_setting_value(arguments, "from-sync") != NULL,
                                     .dry_run = settings->dry_run,
                                     .stopped = is_stopped,
                                     .stopped_arg = subscribe,
                                     .log = &subscribe->log,
                                     .progress = on_progress,
                                     .progress_arg = subscribe,
                                     .progress_interval_ms = cli_console_interval_ms(subscribe->console),
                                     .line = print_line,
                                     .json = wants_json ? &json : NULL};
    subscribe->signals.stop = on_signal;
    subscribe->signals.arg = subscribe;
    if (!cli_stop_signals_wait(&subscribe->signals)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "cannot start a thread");
        return -1;
    }
    int result = pgc_subscribe_run(&options, err);
    if (result == 0 && wants_json)
        result = cli_print(&json, err);
    pgc_buffer_free(&json);
    return result;
}

int cli_run_subscribe(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err)
{
    subscribe subscribe = {0};
    cli_stop_signals_block(&subscribe.signals);
    subscribe.console = cli_console_new(command->name, arguments, err);
    subscribe.log = (pgconvoy_log){.write = cli_console_log, .arg = subscribe.console};
    int result = subscribe.console ? 0 : -1;
    if (result == 0)
        result = pgc_connection_check_uri(arguments->operands[0], err) ||
                 pgc_connection_check_uri(arguments->operands[1], err) ||
                 cli_pipeline_settings(arguments, &subscribe.settings, err) ||
                 cli_native_password(arguments, &subscribe.password, err) || run(&subscribe, arguments, err);
    cli_stop_signals_end(&subscribe.signals);
    cli_native_password_free(subscribe.password);
    pgc_options_free(&subscribe.settings);
    cli_console_free(subscribe.console);
    if (result == 0)
        return CLI_EXIT_OK;
    return err->code == PGCONVOY_ERROR_USAGE ? CLI_EXIT_USAGE : CLI_EXIT_FAILED;
}
