/* The pgconvoy command: takes the line apart, finds the command's row, runs it, and says in one line why it failed. */
#include "cli/cli.h"
#include "cli/console.h"
#include "cli/dump.h"
#include "cli/restore.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int print(const pgc_buffer *text)
{
    return fwrite(text->data, 1, text->length, stdout) == text->length && fflush(stdout) == 0 ? CLI_EXIT_OK
                                                                                              : CLI_EXIT_FAILED;
}

static int print_help(const cli_arguments *arguments)
{
    pgc_buffer text;
    pgc_buffer_init(&text, 1 << 20);
    const cli_command *command = arguments->command ? cli_command_find(arguments->command) : NULL;
    if (command && command->run)
        cli_help_command(command, &text);
    else
        cli_help_general(&text);
    int status = print(&text);
    pgc_buffer_free(&text);
    return status;
}

static int print_markdown(void)
{
    pgc_buffer text;
    pgc_buffer_init(&text, 1 << 20);
    cli_help_markdown(&text);
    int status = print(&text);
    pgc_buffer_free(&text);
    return status;
}

static bool is_named(const char *program, const char *name)
{
    const char *slash = strrchr(program, '/');
    return strcmp(slash ? slash + 1 : program, name) == 0;
}

/* The row of the command that is to be run, or NULL and err. */
static const cli_command *find_command(const cli_arguments *arguments, pgconvoy_error *err)
{
    if (!arguments->command) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "no command was given");
        pgconvoy_error_hint(err, "write pgconvoy sync SOURCE TARGET, say; pgconvoy --help lists the commands");
        return NULL;
    }
    const cli_command *command = cli_command_find(arguments->command);
    if (!command) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "there is no command \"%.40s\"",
                           strpbrk(arguments->command, ":@=") ? "…" : arguments->command);
        pgconvoy_error_hint(err, "pgconvoy --help lists the commands");
        return NULL;
    }
    if (!command->run) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the command %s is not in this version (%s)", command->name,
                           pgconvoy_version());
        pgconvoy_error_hint(err, "pgconvoy --help lists the commands that are");
        return NULL;
    }
    return command;
}

static int check_operands(const cli_command *command, const cli_arguments *arguments, pgconvoy_error *err)
{
    int count = (int)arguments->operand_count;
    if (count >= command->min_operands && count <= command->max_operands)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "%s takes %s, but %d operand%s given", command->name,
                       command->operands, count, count == 1 ? " was" : "s were");
    pgconvoy_error_hint(err, "see pgconvoy %s --help", command->name);
    return -1;
}

static int run(cli_arguments *arguments, pgconvoy_error *err)
{
    const cli_command *command = find_command(arguments, err);
    if (!command)
        return err->code == PGCONVOY_ERROR_USAGE ? CLI_EXIT_USAGE : CLI_EXIT_FAILED;
    const char *config = cli_setting_value(arguments, "config");
    int result = 0;
    if (config)
        result = cli_config_read(command, config, arguments, err);
    if (result == 0)
        result = cli_settings_check(command, arguments, err);
    if (result == 0)
        result = check_operands(command, arguments, err);
    if (result != 0)
        return err->code == PGCONVOY_ERROR_USAGE ? CLI_EXIT_USAGE : CLI_EXIT_FAILED;
    return command->run(command, arguments, err);
}

/*
 * A standard descriptor that was closed must not become a connection to a server, into which lines would then be written. In place of
 * standard output stands one that cannot be written, so that the sink refuses it.
 */
static void fill_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) != fd)
            _exit(CLI_EXIT_FAILED);
}

/*
 * Commands with a command line of their own, as PostgreSQL's program of that name has it: its letters mean other things than the pipelines' do. A link of the program's
 * name is the command.
 */
static const struct {
    const char *command, *program;
    int (*main)(const char *program, int argc, char **argv);
} own_lines[] = {{"dump", "pg_dump", cli_dump_main}, {"restore", "pg_restore", cli_restore_main}};

/* Runs such a command when this is one; gives its exit status, -1 otherwise. */
static int run_own_line(int argc, char **argv)
{
    char shown[64];
    for (size_t i = 0; argc > 0 && i < sizeof own_lines / sizeof own_lines[0]; i++) {
        if (is_named(argv[0], own_lines[i].program))
            return own_lines[i].main(own_lines[i].program, argc, argv);
        if (argc > 1 && strcmp(argv[1], own_lines[i].command) == 0) {
            snprintf(shown, sizeof shown, "pgconvoy %s", own_lines[i].command);
            return own_lines[i].main(shown, argc - 1, argv + 1);
        }
    }
    return -1;
}

int main(int argc, char **argv)
{
    fill_standard_descriptors();
    pgconvoy_error err = {0};
    cli_arguments arguments = {0};
    int own_status = run_own_line(argc, argv);
    if (own_status >= 0)
        return own_status;
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return printf("pgconvoy %s\n", pgconvoy_version()) > 0 ? CLI_EXIT_OK : CLI_EXIT_FAILED;
    if (argc == 2 && strcmp(argv[1], "--help-markdown") == 0)
        return print_markdown();
    int status = CLI_EXIT_USAGE;
    int parsed = cli_arguments_parse(argc, argv, &arguments, &err);
    for (int i = 1; i < argc; i++)
        cli_mask_passwords(argv[i]);
    if (parsed == 0)
        status = arguments.help ? print_help(&arguments) : run(&arguments, &err);
    if (status != CLI_EXIT_OK && err.message[0])
        cli_say_error(&arguments, &err);
    cli_arguments_free(&arguments);
    return status;
}
