/* cutover: the switch to a pipeline's target. When it is done, the process that ran the pipeline is stopped. */
#include "cli/cli.h"
#include "cli/console.h"
#include "cli/stop_signals.h"

#include "base/clock.h"
#include "base/log.h"
#include "inspect/cutover/cutover.h"
#include "pipeline/options.h"
#include "postgres/connection.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define STOP_WITHIN_MS 30000

typedef struct cutover {
    cli_stop_signals signals;
    cli_console *console;
    pgconvoy_log log;
    pgc_options settings;
    pgc_cutover_options options;
    pgc_cutover *cutover;
    char *state_dir, *source, *target, *slot, *publication;
    const char *(*given)[2]; /* what the pipeline was given, too */
} cutover;

static bool is_on(const cli_arguments *arguments, const char *name)
{
    const char *value = cli_setting_value(arguments, name);
    return value && strcmp(value, "false") != 0;
}

/* The ends are those that the pipeline noted, without passwords, unless they are given. */
static int find_ends(cutover *cutover, const cli_arguments *arguments, pgconvoy_error *err)
{
    const char *name = arguments->operands[0];
    bool given = arguments->operand_count == 3;
    if (strchr(name, '/') || pgc_connection_is_uri(name) || arguments->operand_count == 2) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE,
                           "cutover takes the name of a pipeline, and both of its ends or none");
        pgconvoy_error_hint(
            err,
            "write pgconvoy cutover NAME, or pgconvoy cutover NAME SOURCE TARGET; pgconvoy status lists the names");
        return -1;
    }
    cutover->source = given ? strdup(arguments->operands[1]) : cli_pipeline_note(cutover->state_dir, name, "source");
    cutover->target = given ? strdup(arguments->operands[2]) : cli_pipeline_note(cutover->state_dir, name, "target");
    cutover->slot = cli_pipeline_note(cutover->state_dir, name, "slot");
    cutover->publication = cli_pipeline_note(cutover->state_dir, name, "publication");
    if (!cutover->source || !cutover->target) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "nothing is known of a pipeline %s in %s", name,
                           cutover->state_dir);
        pgconvoy_error_hint(err, "name its ends (pgconvoy cutover %s SOURCE TARGET), or its folder with --state-dir",
                            name);
        return -1;
    }
    if (pgc_connection_is_uri(cutover->target))
        return pgc_connection_check_uri(cutover->source, err);
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "cutover is for PostgreSQL targets; that of %s is another one",
                       name);
    pgconvoy_error_hint(err, "for other targets stop the writers, then pgconvoy sync … --until caught-up");
    return -1;
}

/* All settings of the pipeline's, and those among them that say what it takes and under which names. */
static int take_settings(cutover *cutover, const cli_arguments *arguments, size_t *count, pgconvoy_error *err)
{
    static const char *const names[] = {"skip-unavailable", "map-schema", "map-table", "map-column", "columns", "where"};
    *count = 0;
    cutover->given = calloc(arguments->setting_count + 1, sizeof *cutover->given);
    if (!cutover->given)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < arguments->setting_count; i++) {
        const cli_setting *setting = &arguments->settings[i];
        if (!setting->is_pipelines)
            continue;
        if (pgc_options_set(&cutover->settings, setting->option->name, setting->value, err))
            return -1;
        for (size_t n = 0; n < sizeof names / sizeof *names; n++)
            if (strcmp(setting->option->name, names[n]) == 0) {
                cutover->given[*count][0] = setting->option->name;
                cutover->given[(*count)++][1] = setting->value;
            }
    }
    return 0;
}

static int set_options(cutover *cutover, const cli_arguments *arguments, pgconvoy_error *err)
{
    size_t given;
    if (take_settings(cutover, arguments, &given, err))
        return -1;
    const char *wait = cli_setting_value(arguments, "wait");
    char *end = NULL;
    double seconds = wait ? strtod(wait, &end) : 60;
    if (wait && (end == wait || *end || !(seconds > 0 && seconds <= 86400))) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--wait cannot be \"%s\"", wait);
        pgconvoy_error_hint(err, "give a number of seconds up to 86400");
        return -1;
    }
    if (is_on(arguments, "reverse") && !is_on(arguments, "lock-source")) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--reverse goes with --lock-source");
        pgconvoy_error_hint(err, "add it: the way back begins where the target stands while nobody writes");
        return -1;
    }
    cutover->log = (pgconvoy_log){.write = cli_console_log, .arg = cutover->console};
    cutover->options = (pgc_cutover_options){
        .source = cutover->source,
        .target = cutover->target,
        .name = arguments->operands[0],
        .slot = cutover->settings.slot ? cutover->settings.slot : cutover->slot,
        .publication = cutover->settings.publication ? cutover->settings.publication : cutover->publication,
        .lock_source = is_on(arguments, "lock-source"),
        .verify = is_on(arguments, "verify"),
        .reverse = is_on(arguments, "reverse"),
        .undo = is_on(arguments, "undo"),
        .skip_unavailable = cutover->settings.skip_unavailable,
        .mapping = cutover->settings.mapping,
        .settings = (const char *const(*)[2])cutover->given,
        .setting_count = given,
        .dry_run = cutover->settings.dry_run,
        .wait_us = (int64_t)(seconds * 1e6),
        .jobs = cutover->settings.jobs,
        .state_dir = cutover->state_dir,
        .log = &cutover->log,
    };
    return 0;
}

/* ------------------------------------------------------------------ the pipeline's process */

/* Who holds a lock on the file, as the kernel lists it; 0 when nobody is listed. */
static pid_t holder(int fd)
{
    struct stat file;
    char line[256], mark[64];
    pid_t found = 0;
    FILE *locks = fstat(fd, &file) == 0 ? fopen("/proc/locks", "re") : NULL;
    if (!locks)
        return 0;
    snprintf(mark, sizeof mark, " %02x:%02x:%llu ", major(file.st_dev), minor(file.st_dev),
             (unsigned long long)file.st_ino);
    while (found == 0 && fgets(line, sizeof line, locks)) {
        int pid;
        if (strstr(line, mark) && strstr(line, "FLOCK") && sscanf(line, "%*s %*s %*s %*s %d", &pid) == 1 && pid > 0)
            found = pid;
    }
    fclose(locks);
    return found;
}

/* Asks it to stop, as SIGTERM does, and waits until it has given its lock back. True when nobody runs the pipeline any
 * more. */
static bool stop_pipeline(const cutover *cutover)
{
    pgconvoy_error err;
    char *path = cli_state_path(cutover->state_dir, cutover->options.name, "lock", &err);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    free(path);
    if (fd < 0)
        return false;
    bool stopped = flock(fd, LOCK_EX | LOCK_NB) == 0;
    pid_t pid = stopped ? 0 : holder(fd);
    if (pid > 0 && kill(pid, SIGTERM) == 0)
        for (int waited = 0; !stopped && waited < STOP_WITHIN_MS; waited += 20) {
            pgc_clock_sleep_ms(20);
            stopped = flock(fd, LOCK_EX | LOCK_NB) == 0;
        }
    close(fd);
    return stopped;
}

/* ------------------------------------------------------------------ running */

static void on_signal(void *arg)
{
    cutover *cutover = arg;
    pgc_cutover_stop(cutover->cutover);
    cli_console_log(cutover->console, PGCONVOY_LOG_INFO, "asked to stop: the switch is given up");
}

static int run(cutover *cutover, pgc_buffer *report, int64_t *differences, pgconvoy_error *err)
{
    cutover->cutover = pgc_cutover_new(&cutover->options, err);
    if (!cutover->cutover)
        return -1;
    cutover->signals.stop = on_signal;
    cutover->signals.arg = cutover;
    int result = -1;
    if (cli_stop_signals_wait(&cutover->signals))
        result = pgc_cutover_run(cutover->cutover, report, differences, err);
    else
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "cannot start a thread");
    cli_stop_signals_end(&cutover->signals);
    if (result == 0 && !cutover->options.dry_run && !cutover->options.undo)
        pgc_buffer_text(report,
                        stop_pipeline(cutover)
                            ? "the pipeline is stopped; pgconvoy drop removes its slot and publication\n"
                            : "stop the pipeline where it runs; pgconvoy drop removes its slot and publication\n");
    pgc_cutover_free(cutover->cutover);
    return result;
}

static void free_all(cutover *cutover)
{
    pgc_options_free(&cutover->settings);
    char *texts[] = {cutover->state_dir, cutover->source, cutover->target, cutover->slot, cutover->publication};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    free(cutover->given);
    cli_console_free(cutover->console);
}

int cli_run_cutover(const cli_command *command, cli_arguments *arguments, pgconvoy_error *err)
{
    cutover cutover = {0};
    pgc_buffer report;
    int64_t differences = 0;
    pgc_buffer_init(&report, (size_t)64 << 20);
    cli_stop_signals_block(&cutover.signals);
    pgc_options_init(&cutover.settings);
    cutover.console = cli_console_new(command->name, arguments, err);
    cutover.state_dir = cutover.console ? cli_state_dir(arguments, err) : NULL;
    int result = cutover.state_dir ? 0 : -1;
    if (result == 0)
        result = find_ends(&cutover, arguments, err);
    if (result == 0)
        result = set_options(&cutover, arguments, err);
    if (result == 0)
        result = run(&cutover, &report, &differences, err);
    if (report.length && !report.failed)
        fwrite(report.data, 1, report.length, stdout);
    bool written = fflush(stdout) == 0;
    pgc_buffer_free(&report);
    free_all(&cutover);
    if (result == 0)
        return written ? CLI_EXIT_OK : CLI_EXIT_FAILED;
    if (differences)
        return CLI_EXIT_DIFFERS;
    return err->code == PGCONVOY_ERROR_USAGE ? CLI_EXIT_USAGE : CLI_EXIT_FAILED;
}
