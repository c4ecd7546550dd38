/* The parts of the command: its line taken apart, its file, its passwords masked, its view cut to the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int parse(cli_arguments *arguments, pgconvoy_error *err, const char *line)
{
    char *copy = strdup(line), *argv[32] = {"pgconvoy"};
    int argc = 1;
    memset(arguments, 0, sizeof *arguments);
    for (char *word = strtok(copy, " "); word && argc < 32; word = strtok(NULL, " "))
        argv[argc++] = word;
    int result = cli_arguments_parse(argc, argv, arguments, err);
    free(copy); /* what was parsed must not point into it */
    return result;
}

static void options_may_stand_before_between_and_behind_the_operands(void **state)
{
    (void)state;
    static const char *const lines[] = {"sync -j4 --name=n -t a src - -t b", "--name n -j 4 sync src -t a - --table=b",
                                        "sync --name n --jobs=4 -ta --table b -- src -"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        cli_arguments arguments;
        pgconvoy_error err = {0};
        if (parse(&arguments, &err, lines[i]) != 0)
            fail_msg("%s: %s", lines[i], err.message);
        assert_string_equal(arguments.command, "sync");
        assert_int_equal(arguments.operand_count, 2);
        assert_string_equal(arguments.operands[0], "src");
        assert_string_equal(arguments.operands[1], "-");
        assert_string_equal(cli_setting_value(&arguments, "name"), "n");
        assert_string_equal(cli_setting_value(&arguments, "jobs"), "4");
        assert_int_equal(arguments.setting_count, 4);
        cli_arguments_free(&arguments);
    }
}

static void behind_two_dashes_all_are_operands(void **state)
{
    (void)state;
    cli_arguments arguments;
    pgconvoy_error err = {0};
    assert_int_equal(parse(&arguments, &err, "sync -- -x --y"), 0);
    assert_string_equal(arguments.operands[0], "-x");
    assert_string_equal(arguments.operands[1], "--y");
    cli_arguments_free(&arguments);
}

static void a_wrong_option_is_a_usage_error_that_names_it(void **state)
{
    (void)state;
    static const char *const lines[][2] = {
        {"sync --nonsense a b", "--nonsense"},
        {"sync -Q", "-Q"},
        {"sync --jobs", "--jobs"},
        {"sync -j", "-j"},
        {"sync --dry-run=yes", "--dry-run"},
        {"sync --=x", "--"},
        {"sync --a-name-that-is-longer-than-any-option-could-ever-be-in-this-program-of-ours a", "--a-name"}};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        cli_arguments arguments;
        pgconvoy_error err = {0};
        assert_int_equal(parse(&arguments, &err, lines[i][0]), -1);
        assert_int_equal(err.code, PGCONVOY_ERROR_USAGE);
        assert_non_null(strstr(err.message, lines[i][1]));
        cli_arguments_free(&arguments);
    }
}

static void an_option_of_another_command_or_a_wrong_choice_is_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {"status --jobs 4", "drop --json x", "sync --progress loud a b",
                                        "sync --log-level 3 a b"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        cli_arguments arguments;
        pgconvoy_error err = {0};
        assert_int_equal(parse(&arguments, &err, lines[i]), 0);
        assert_int_equal(cli_settings_check(cli_command_find(arguments.command), &arguments, &err), -1);
        assert_int_equal(err.code, PGCONVOY_ERROR_USAGE);
        cli_arguments_free(&arguments);
    }
}

static void every_option_has_a_row_of_its_own(void **state)
{
    (void)state;
    for (const pgconvoy_option *option = pgconvoy_pipeline_options(); option->name; option++) {
        bool is_pipelines;
        assert_ptr_equal(cli_option_find(option->name, 0, CLI_MOVE, &is_pipelines), option);
        assert_true(is_pipelines);
        if (option->letter)
            assert_ptr_equal(cli_option_find(NULL, option->letter, CLI_MOVE, &is_pipelines), option);
    }
    for (const cli_option *row = cli_options; row->option.name; row++) {
        bool is_pipelines;
        assert_ptr_equal(cli_option_find(row->option.name, 0, row->kinds, &is_pipelines), &row->option);
        assert_false(is_pipelines);
    }
}

static void passwords_are_masked_and_nothing_else(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"postgres://user:secret@host:5432/db", "postgres://user:xxxxxx@host:5432/db"},
        {"postgresql://user:s@cr:t@h1:1,h2:2/db?sslmode=require",
         "postgresql://user:xxxxxx@h1:1,h2:2/db?sslmode=require"},
        {"postgres://user@host:5432/db", "postgres://user@host:5432/db"},
        {"postgres://host:5432/db@x:y", "postgres://host:5432/db@x:y"},
        {"postgres://host/db?user=u&password=secret&port=1", "postgres://host/db?user=u&password=xxxxxx&port=1"},
        {"host=h password=secret dbname=d", "host=h password=xxxxxx dbname=d"},
        {"host=h password = 'se \\' cret' dbname=d", "host=h password = 'xxxxxxxxxx' dbname=d"},
        {"sslpassword=abc", "sslpassword=xxx"},
        {"passwordless", "passwordless"},
        {"-", "-"},
        {"duckdb:file.db", "duckdb:file.db"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "%s", texts[i][0]);
        cli_mask_passwords(text);
        assert_string_equal(text, texts[i][1]);
    }
}

/* Reads a configuration file of this content over a command line. */
static int read_config(const char *content, const char *line, cli_arguments *arguments, pgconvoy_error *err)
{
    char path[] = "/tmp/pgc-config-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, content, strlen(content)), (int)strlen(content));
    close(fd);
    assert_int_equal(parse(arguments, err, line), 0);
    int result = cli_config_read(cli_command_find("sync"), path, arguments, err);
    unlink(path);
    return result;
}

static void a_file_gives_settings_and_the_command_line_wins(void **state)
{
    (void)state;
    cli_arguments arguments;
    pgconvoy_error err = {0};
    int result = read_config("# a pipeline\nsource: host=h dbname=d\ntarget: duckdb:f\nname: from_file\njobs: 2\n"
                             "table: [a, 'public.*']\nschema: s\ndry-run: yes\nprogress: none\n",
                             "sync --jobs 8", &arguments, &err);
    if (result != 0)
        fail_msg("%s", err.message);
    assert_int_equal(arguments.operand_count, 2);
    assert_string_equal(arguments.operands[0], "host=h dbname=d");
    assert_string_equal(arguments.operands[1], "duckdb:f");
    assert_string_equal(cli_setting_value(&arguments, "jobs"), "8");
    assert_string_equal(cli_setting_value(&arguments, "name"), "from_file");
    assert_string_equal(cli_setting_value(&arguments, "dry-run"), "true");
    assert_string_equal(cli_setting_value(&arguments, "progress"), "none");
    int tables = 0;
    for (size_t i = 0; i < arguments.setting_count; i++)
        tables += strcmp(arguments.settings[i].option->name, "table") == 0;
    assert_int_equal(tables, 2);
    cli_arguments_free(&arguments);
}

static void operands_win_over_the_file(void **state)
{
    (void)state;
    cli_arguments arguments;
    pgconvoy_error err = {0};
    assert_int_equal(read_config("source: a\ntarget: b\n", "sync c d", &arguments, &err), 0);
    assert_int_equal(arguments.operand_count, 2);
    assert_string_equal(arguments.operands[0], "c");
    cli_arguments_free(&arguments);
}

static void a_wrong_file_is_refused_with_its_line(void **state)
{
    (void)state;
    static const char *const contents[][2] = {
        {"jobs: 2\nnonsense: 1\n", "line 2"},      {"- a\n- b\n", "line 1"}, {"jobs:\n  a: 1\n", "line 2"},
        {"jobs: 2\n\ndry-run: maybe\n", "line 3"}, {"a: [\n", "not YAML"},   {"config: other\n", "config"},
        {"table:\n - a\n - [b]\n", "line 3"},      {"json: true\n", "json"}};
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        cli_arguments arguments;
        pgconvoy_error err = {0};
        assert_int_equal(read_config(contents[i][0], "sync a b", &arguments, &err), -1);
        assert_int_equal(err.code, PGCONVOY_ERROR_USAGE);
        if (!strstr(err.message, contents[i][1]))
            fail_msg("%s is not in: %s", contents[i][1], err.message);
        cli_arguments_free(&arguments);
    }
}

static const pgconvoy_table_progress tables[] = {
    {"public", "done", PGCONVOY_TABLE_LIVE, 10, 100, 5, 8192, 1000},
    {"public", "half", PGCONVOY_TABLE_COPYING, 500, 50000, 1000, 81920, 10000000},
    {"public", "more\nthan was \x1b[2Jestimated, with a name that is far too long for any terminal one could think of",
     PGCONVOY_TABLE_COPYING, 3000, 1, 1000, 8192, 5000000},
    {"public", "waiting", PGCONVOY_TABLE_WAITING, 0, 0, -1, 0, 0},
};
static const pgconvoy_progress copying = {.phase = PGCONVOY_PHASE_COPYING,
                                          .elapsed_us = 10000000,
                                          .table_count = 4,
                                          .tables = tables,
                                          .rows_copied = 3510,
                                          .bytes_copied = 50101};

static void only_what_is_finished_is_done(void **state)
{
    (void)state;
    assert_true(cli_table_share(&tables[0]) == 1);
    assert_true(cli_table_share(&tables[1]) == 0.5);
    assert_true(cli_table_share(&tables[2]) == 0.99);
    assert_true(cli_table_share(&tables[3]) == -1);
    assert_int_equal(cli_tables_done(&copying), 1);
    double all = cli_total_share(&copying);
    assert_true(all > 0.5 && all < 0.6);
    assert_int_equal(cli_time_left(0.5, 10000000), 10000000);
    assert_int_equal(cli_time_left(0.001, 10000000), -1);
    assert_int_equal(cli_time_left(1, 10000000), 0);
}

static void the_view_fits_every_terminal(void **state)
{
    (void)state;
    pgconvoy_progress progress = copying;
    progress.durable_lsn = 77;
    for (int width = 20; width < 200; width += 7)
        for (int height = 3; height < 40; height++) {
            pgc_buffer out;
            int lines = 0, line_count;
            const cli_rates rates = {.bytes_per_s = 5};
            pgc_buffer_init(&out, 1 << 20);
            cli_progress_block("pgconvoy sync x", &progress, &rates, width, height, &out, &line_count);
            for (char *rest = out.data, *line; (line = strsep(&rest, "\n")) != NULL && rest; lines++) {
                int columns = 0;
                for (const char *c = line; *c; c++) {
                    assert_true((unsigned char)*c >= 0x20);
                    columns += ((unsigned char)*c & 0xC0) != 0x80;
                }
                assert_true(columns < width);
            }
            assert_int_equal(lines, line_count);
            assert_true(line_count <= height);
            pgc_buffer_free(&out);
        }
}

static void a_meter_measures_the_last_seconds(void **state)
{
    (void)state;
    cli_meter meter = {0};
    assert_int_equal(cli_meter_update(&meter, 0, 0), 0);
    assert_int_equal(cli_meter_update(&meter, 1000000, 500), 500);
    int64_t rate = 0;
    for (int i = 2; i < 100; i++)
        rate = cli_meter_update(&meter, i * 1000000, 500 + (i - 1) * 10);
    assert_int_equal(rate, 10);
    assert_int_equal(cli_meter_update(&meter, 100000000, 5), 0); /* it began again */
}

static void progress_as_json_has_all_its_tables(void **state)
{
    (void)state;
    pgc_buffer out;
    const cli_rates rates = {0};
    pgc_buffer_init(&out, 1 << 20);
    cli_progress_json("n\"ame", &copying, &rates, true, &out);
    assert_non_null(strstr(out.data, "\"pipeline\":\"n\\\"ame\",\"phase\":\"copying\",\"elapsed_ms\":10000"));
    assert_non_null(strstr(out.data, "\"table\":\"half\",\"state\":\"copying\",\"rows_copied\":500"));
    assert_null(strchr(out.data, '\n'));
    pgc_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_may_stand_before_between_and_behind_the_operands),
        cmocka_unit_test(behind_two_dashes_all_are_operands),
        cmocka_unit_test(a_wrong_option_is_a_usage_error_that_names_it),
        cmocka_unit_test(an_option_of_another_command_or_a_wrong_choice_is_refused),
        cmocka_unit_test(every_option_has_a_row_of_its_own),
        cmocka_unit_test(passwords_are_masked_and_nothing_else),
        cmocka_unit_test(a_file_gives_settings_and_the_command_line_wins),
        cmocka_unit_test(operands_win_over_the_file),
        cmocka_unit_test(a_wrong_file_is_refused_with_its_line),
        cmocka_unit_test(only_what_is_finished_is_done),
        cmocka_unit_test(the_view_fits_every_terminal),
        cmocka_unit_test(a_meter_measures_the_last_seconds),
        cmocka_unit_test(progress_as_json_has_all_its_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
