/* Reads the options of a TARGET by the table that its sink has of them. */
#include "sink/target_options.h"

#include "base/buffer.h"
#include "net/http.h"

#include <string.h>

int pgc_target_word(const char *value, const char *const *words)
{
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], value) == 0)
            return i;
    }
    return -1;
}

static void *field_of(void *target, const pgc_target_option *option)
{
    return (char *)target + option->field;
}

int pgc_target_set_text(void *target, const pgc_target_option *option, const char *value)
{
    *(const char **)field_of(target, option) = value;
    return 0;
}

int pgc_target_set_some_text(void *target, const pgc_target_option *option, const char *value)
{
    return *value ? pgc_target_set_text(target, option, value) : -1;
}

int pgc_target_set_url(void *target, const pgc_target_option *option, const char *value)
{
    bool is_url = strncmp(value, "https://", 8) == 0 || strncmp(value, "http://", 7) == 0;
    return is_url && value[strlen(value) - 1] != '/' ? pgc_target_set_text(target, option, value) : -1;
}

int pgc_target_set_switch(void *target, const pgc_target_option *option, const char *value)
{
    static const char *const off_and_on[] = {"off", "on", NULL};
    int place = pgc_target_word(value, option->words ? option->words : off_and_on);
    *(bool *)field_of(target, option) = place == 1;
    return place < 0 ? -1 : 0;
}

int pgc_target_set_word(void *target, const pgc_target_option *option, const char *value)
{
    int place = pgc_target_word(value, option->words);
    if (place >= 0)
        *(int *)field_of(target, option) = place;
    return place < 0 ? -1 : 0;
}

static int unknown(const pgc_target_options *known, const char *name, pgconvoy_error *err)
{
    pgc_buffer list;
    pgc_buffer_init(&list, 4096);
    for (size_t i = 0; i < known->count; i++)
        pgc_buffer_format(&list, "%s%s", i == 0 ? "" : i + 1 == known->count ? " and " : ", ", known->list[i].name);
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "%s targets have no option \"%s\"", known->sink, name);
    pgconvoy_error_hint(err, "there are %s%s", list.data ? list.data : "", known->more ? known->more : "");
    pgc_buffer_free(&list);
    return -1;
}

static int set(const pgc_target_options *known, void *target, char *text, pgconvoy_error *err)
{
    const pgc_target_option *option = NULL;
    char *value = strchr(text, '=');
    if (value)
        *value++ = '\0';
    for (size_t i = 0; i < known->count && !option; i++) {
        if (strcmp(known->list[i].name, text) == 0)
            option = &known->list[i];
    }
    bool is_readable = value && pgc_http_unescape(value);
    if (option && is_readable && option->set(target, option, value) == 0)
        return 0;
    if (option) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "target option %s is not %s", text, option->values);
        pgconvoy_error_hint(err, "write it as %s=VALUE, with %%XX for &, ? and %% in it", text);
        return -1;
    }
    int taken = known->other && is_readable ? known->other(target, text, value, err) : 0;
    if (taken == 0)
        return unknown(known, text, err);
    return taken > 0 ? 0 : -1;
}

int pgc_target_options_read(const pgc_target_options *known, void *target, char *text, pgconvoy_error *err)
{
    char *save, *options = strchr(text, '?');
    if (!options)
        return 0;
    *options++ = '\0';
    for (char *one = strtok_r(options, "&", &save); one; one = strtok_r(NULL, "&", &save)) {
        if (set(known, target, one, err) != 0)
            return -1;
    }
    return 0;
}
