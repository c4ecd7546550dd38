/* TARGET: snowflake://USER@ACCOUNT/DATABASE/SCHEMA?option=value&…, its options as rows of a table. */
#include "sink/snowflake/snowflake_internal.h"

#include "net/http.h"
#include "sink/target_options.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>

static int set_numeric(void *arg, const pgc_target_option *option, const char *value)
{
    pgc_sf_target *target = arg;
    int place = pgc_target_word(value, option->words);
    target->types.numeric_text = place == 1;
    target->types.numeric_number = place == 2;
    return place < 0 ? -1 : 0;
}

#define FIELD(NAME) offsetof(pgc_sf_target, NAME)

static const pgc_target_option options[] = {
    {"mode", "current or history", pgc_target_set_switch, FIELD(history), PGC_TARGET_WORDS("current", "history")},
    PGC_UNMAPPABLE_OPTION(FIELD(types.unmappable)),
    {"numeric", "exact, text or number", set_numeric, 0, PGC_TARGET_WORDS("exact", "text", "number")},
    {"arrays", "array or text", pgc_target_set_switch, FIELD(types.arrays_text), PGC_TARGET_WORDS("array", "text")},
    {"json", "variant or text", pgc_target_set_switch, FIELD(types.json_text), PGC_TARGET_WORDS("variant", "text")},
    {"warehouse", "the name of a warehouse", pgc_target_set_some_text, FIELD(warehouse), NULL},
    {"role", "the name of a role", pgc_target_set_some_text, FIELD(role), NULL},
    {"private_key_file", "the path of a private key", pgc_target_set_some_text, FIELD(key_file), NULL},
    {"endpoint", "a URL without a slash at its end", pgc_target_set_url, FIELD(endpoint), NULL},
};
static const pgc_target_options known = {
    .sink = "snowflake:", .list = options, .count = sizeof options / sizeof *options};

static bool is_name(const char *text, const char *more)
{
    if (!text || !*text)
        return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr(more, *text))
            return false;
    return true;
}

/* As Snowflake reads a name without quotes (docs: "Identifier requirements"). */
static void fold(const char *name)
{
    for (char *c = (char *)name; c && *c; c++)
        *c = (char)toupper((unsigned char)*c);
}

static char *cut(char *text, char at)
{
    char *rest = text ? strchr(text, at) : NULL;
    if (rest)
        *rest++ = '\0';
    return rest;
}

static int parse(pgc_sf_target *target, pgconvoy_error *err)
{
    char *user = target->text + strlen("snowflake://");
    if (pgc_target_options_read(&known, target, user, err) != 0)
        return -1;
    char *account = cut(user, '@'), *database = cut(account, '/'), *schema = cut(database, '/');
    if (!pgc_http_unescape(user) || !*user || !is_name(account, "-_.") || !is_name(database, "_$") ||
        !is_name(schema, "_$")) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE,
                           "the target names no user, account, database and schema of Snowflake");
        pgconvoy_error_hint(err, "write it as snowflake://USER@ACCOUNT/DATABASE/SCHEMA; the names of database and "
                                 "schema have letters, digits, underscores and dollar signs");
        return -1;
    }
    target->user = user;
    target->account = account;
    target->database = database;
    target->schema = schema;
    fold(user);
    fold(database);
    fold(schema);
    fold(target->warehouse);
    fold(target->role);
    return 0;
}

int pgc_sf_target_parse(const char *text, pgc_sf_target *target, pgconvoy_error *err)
{
    memset(target, 0, sizeof *target);
    target->text = strdup(text);
    if (!target->text)
        return pgc_error_out_of_memory(err);
    if (parse(target, err) == 0)
        return 0;
    pgc_sf_target_free(target);
    return -1;
}

void pgc_sf_target_free(pgc_sf_target *target)
{
    free(target->text);
    target->text = NULL;
}
