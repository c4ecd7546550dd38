/* What stands behind the "?" of a target is set by the sink's table, or refused with what there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sink/target_options.h"

#include <stdio.h>
#include <string.h>

typedef struct target {
    const char *path;
    bool is_big;
    bool is_json;
    int mode;
    const char *other;
} target;

static const char *const modes[] = {"one", "two", "three", NULL}, *const texts[] = {"text", "json", NULL};
static const pgc_target_option options[] = {
    {"path", "a path", pgc_target_set_some_text, offsetof(target, path), NULL},
    {"big", "on or off", pgc_target_set_switch, offsetof(target, is_big), NULL},
    {"json", "text or json", pgc_target_set_switch, offsetof(target, is_json), texts},
    {"mode", "one, two or three", pgc_target_set_word, offsetof(target, mode), modes},
};

static int take_other(void *arg, const char *name, const char *value, pgconvoy_error *err)
{
    target *t = arg;
    if (strncmp(name, "x.", 2) != 0)
        return 0;
    t->other = value;
    if (*value)
        return 1;
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "%s is empty", name);
    return -1;
}

static const pgc_target_options known = {.sink = "test:",
                                         .list = options,
                                         .count = sizeof options / sizeof *options,
                                         .other = take_other,
                                         .more = ", and x.NAME"};

static int read_text(char *copy, size_t size, const char *text, target *t, pgconvoy_error *err)
{
    memset(t, 0, sizeof *t);
    memset(err, 0, sizeof *err);
    snprintf(copy, size, "%s", text);
    return pgc_target_options_read(&known, t, copy, err);
}

static void each_option_sets_its_field(void **state)
{
    (void)state;
    char text[200];
    target t;
    pgconvoy_error err;
    assert_int_equal(
        read_text(text, sizeof text, "test:file?path=/a%20b%26c&big=on&json=json&mode=three&x.y=z", &t, &err), 0);
    assert_string_equal(text, "test:file");
    assert_string_equal(t.path, "/a b&c");
    assert_true(t.is_big);
    assert_true(t.is_json);
    assert_int_equal(t.mode, 2);
    assert_string_equal(t.other, "z");
    assert_int_equal(read_text(text, sizeof text, "test:file", &t, &err), 0);
    assert_null(t.path);
}

static void what_does_not_fit_is_refused_with_what_there_is(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says, *hint;
    } cases[] = {
        {"f?mode=four", "target option mode is not one, two or three", "mode=VALUE"},
        {"f?mode", "target option mode is not one, two or three", "mode=VALUE"},
        {"f?big=yes", "target option big is not on or off", ""},
        {"f?json=on", "target option json is not text or json", ""},
        {"f?path=", "target option path is not a path", ""},
        {"f?path=a%2", "target option path is not a path", "%XX"},
        {"f?colour=red", "test: targets have no option \"colour\"", "there are path, big, json and mode, and x.NAME"},
        {"f?x.y", "test: targets have no option \"x.y\"", ""},
        {"f?x.y=", "x.y is empty", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        target t;
        pgconvoy_error err;
        assert_int_equal(read_text(text, sizeof text, cases[i].text, &t, &err), -1);
        assert_int_equal(err.code, PGCONVOY_ERROR_USAGE);
        assert_string_equal(err.message, cases[i].says);
        assert_non_null(strstr(err.hint, cases[i].hint));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_option_sets_its_field),
        cmocka_unit_test(what_does_not_fit_is_refused_with_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
