/*
 * Privileges as commands. What is written is the difference between the privileges that an object has once it was made (those of its kind and owner, or those that initdb or an extension's script gave it)
 * and those that it has: items of the first that are not in the second are revoked, the others granted. An item that both have is left alone, one that differs in a single letter is revoked and granted anew.
 */
#include "catalog/acl_item.h"
#include "catalog/kinds.h"

#define ACL_MAX ((size_t)64 << 20)

/* Which privileges a kind of object has, in the order in which they are written. */
static const struct acl_kind {
    const char *name;
    const char *letters;
    const char *column_letters; /* of its columns */
} kinds[] = {
    {"TABLE", "raxdtDmw", "raxw"},
    {"TABLES", "raxdtDmw", NULL},
    {"SEQUENCE", "rUw", NULL},
    {"SEQUENCES", "rUw", NULL},
    {"FUNCTION", "X", NULL},
    {"FUNCTIONS", "X", NULL},
    {"PROCEDURE", "X", NULL},
    {"PROCEDURES", "X", NULL},
    {"LANGUAGE", "U", NULL},
    {"SCHEMA", "CU", NULL},
    {"SCHEMAS", "CU", NULL},
    {"DATABASE", "CcT", NULL},
    {"TABLESPACE", "C", NULL},
    {"TYPE", "U", NULL},
    {"TYPES", "U", NULL},
    {"FOREIGN DATA WRAPPER", "U", NULL},
    {"FOREIGN SERVER", "U", NULL},
    {"FOREIGN TABLE", "r", NULL},
    {"PARAMETER", "sA", NULL},
    {"LARGE OBJECT", "rw", NULL},
    {"LARGE OBJECTS", "rw", NULL},
};

/* A privilege's letter, the same for every kind that has it. from: the first server version that has it, 0 for all. */
static const struct privilege {
    char letter;
    int from;
    const char *word;
} privileges[] = {
    {'r', 0, "SELECT"},   {'a', 0, "INSERT"},  {'w', 0, "UPDATE"},    {'d', 0, "DELETE"}, {'D', 0, "TRUNCATE"},
    {'x', 0, "REFERENCES"}, {'t', 0, "TRIGGER"}, {'m', 170000, "MAINTAIN"}, {'X', 0, "EXECUTE"}, {'U', 0, "USAGE"},
    {'C', 0, "CREATE"},   {'c', 0, "CONNECT"}, {'T', 0, "TEMPORARY"}, {'s', 0, "SET"},    {'A', 0, "ALTER SYSTEM"},
};

/* What the commands for one object have in common. */
typedef struct acl_target {
    pgc_ddl *ddl;
    const char *name, *column, *schema, *kind, *owner, *prefix;
    const char *letters;
} acl_target;

static const char *letters_of(const char *kind, bool column)
{
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        if (strcmp(kinds[k].name, kind) == 0)
            return column && kinds[k].column_letters ? kinds[k].column_letters : kinds[k].letters;
    return NULL;
}

static const struct privilege *privilege_of(char letter)
{
    size_t p = 0;
    while (privileges[p].letter != letter)
        p++;
    return &privileges[p];
}

typedef enum grant_option { WITHOUT_OPTION, WITH_OPTION, WITH_OR_WITHOUT } grant_option;

static void append_word(const acl_target *target, pgc_buffer *list, const char *word)
{
    pgc_buffer_format(list, "%s%s", list->length ? "," : "", word);
    if (target->column)
        pgc_buffer_format(list, "(%s)", target->column);
}

/* Appends the privileges of an item that have, or have not, the grant option; ALL when these are all that the kind has. */
static void append_privileges(const acl_target *target, pgc_buffer *list, const pgc_acl_item *item, grant_option option)
{
    bool all = true;
    for (const char *letter = target->letters; *letter; letter++) {
        const struct privilege *privilege = privilege_of(*letter);
        if (target->ddl->version < privilege->from)
            continue;
        const char *found = strchr(item->privileges, *letter);
        if (found && (option == WITH_OR_WITHOUT || (found[1] == '*') == (option == WITH_OPTION)))
            append_word(target, list, privilege->word);
        else
            all = false;
    }
    if (all) {
        pgc_buffer_reset(list);
        append_word(target, list, "ALL");
    }
}

/* The same as text; NULL for none. */
static const char *privilege_list(const acl_target *target, const pgc_acl_item *item, grant_option option)
{
    pgc_buffer list;
    pgc_buffer_init(&list, ACL_MAX);
    append_privileges(target, &list, item, option);
    const char *text = list.length ? pgc_arena_bytes(target->ddl->scratch, list.data, list.length + 1) : NULL;
    if (list.failed || (list.length && !text))
        pgc_ddl_fail(target->ddl, "out of memory");
    pgc_buffer_free(&list);
    return text;
}

static void append_command(const acl_target *target, pgc_buffer *out, const char *verb, const char *list, const char *preposition,
                           const char *grantee, const char *end)
{
    pgc_buffer_format(out, "%s%s %s ON %s ", target->prefix, verb, list, target->kind);
    if (target->schema && target->schema[0])
        pgc_buffer_format(out, "%s.", pgc_ddl_name(target->ddl, target->schema));
    /* Default privileges name no object; pg_dump left a blank for its name until version 16. */
    const char *blank = target->name[0] || target->ddl->version < 160000 ? " " : "";
    pgc_buffer_format(out, "%s%s%s %s%s;\n", target->name, blank, preposition, grantee[0] ? pgc_ddl_name(target->ddl, grantee) : "PUBLIC", end);
}

static void append_grants(const acl_target *target, pgc_buffer *out, const pgc_acl_item *item)
{
    const char *plain = privilege_list(target, item, WITHOUT_OPTION);
    const char *with_option = privilege_list(target, item, WITH_OPTION);
    bool as_other = item->grantor[0] && (!target->owner || strcmp(target->owner, item->grantor) != 0);
    if (!plain && !with_option)
        return;
    if (as_other)
        pgc_buffer_format(out, "SET SESSION AUTHORIZATION %s;\n", pgc_ddl_name(target->ddl, item->grantor));
    if (plain)
        append_command(target, out, "GRANT", plain, "TO", item->grantee, "");
    if (with_option)
        append_command(target, out, "GRANT", with_option, "TO", item->grantee, " WITH GRANT OPTION");
    if (as_other)
        pgc_buffer_text(out, "RESET SESSION AUTHORIZATION;\n");
}

static bool has_item(const pgc_acl_item *items, int count, const pgc_acl_item *item)
{
    for (int i = 0; i < count; i++)
        if (strcmp(items[i].grantee, item->grantee) == 0 && strcmp(items[i].privileges, item->privileges) == 0 &&
            strcmp(items[i].grantor, item->grantor) == 0)
            return true;
    return false;
}

/* Does the owner grant this to itself? Those grants come first, so that it has what it grants to others. */
static bool is_owners_own(const acl_target *target, const pgc_acl_item *item)
{
    return target->owner && strcmp(item->grantee, target->owner) == 0 && (!item->grantor[0] || strcmp(item->grantor, target->owner) == 0);
}

bool pgc_ddl_acl_commands(pgc_ddl *ddl, pgc_buffer *out, const char *name, const char *column, const char *schema, const char *kind,
                          const char *acl, const char *default_acl, const char *owner, const char *prefix)
{
    if (!acl || !acl[0])
        return true;
    acl_target target = {ddl, name, column, schema, kind, owner && owner[0] ? owner : NULL, prefix ? prefix : "", letters_of(kind, column)};
    pgc_acl_item *items, *defaults;
    int count = pgc_acl_parse(ddl->scratch, acl, &items);
    int default_count = pgc_acl_parse(ddl->scratch, default_acl, &defaults);
    if (count < 0 || default_count < 0 || !target.letters)
        return false;
    for (int i = 0; i < default_count; i++) {
        const char *list = has_item(items, count, &defaults[i]) ? NULL : privilege_list(&target, &defaults[i], WITH_OR_WITHOUT);
        if (list)
            append_command(&target, out, "REVOKE", list, "FROM", defaults[i].grantee, "");
    }
    /* in the order of the list: a grant comes after the one with the grant option that it rests on */
    for (int others = 0; others < 2; others++)
        for (int i = 0; i < count; i++)
            if (is_owners_own(&target, &items[i]) == !others && !has_item(defaults, default_count, &items[i]))
                append_grants(&target, out, &items[i]);
    return true;
}

/* In binary upgrade, what an extension's script granted is granted with a note to the server to keep it as the object's initial privileges. */
static bool append_initial(pgc_ddl *ddl, pgc_buffer *out, const char *name, const char *column, const char *schema, const char *kind,
                           const char *owner, const pgc_acl *acl)
{
    pgc_buffer_text(out, "SELECT pg_catalog.binary_upgrade_set_record_init_privs(true);\n");
    bool parsed = pgc_ddl_acl_commands(ddl, out, name, column, schema, kind, acl->initial, acl->default_acl, owner, "");
    pgc_buffer_text(out, "SELECT pg_catalog.binary_upgrade_set_record_init_privs(false);\n");
    return parsed;
}

/* Appends all commands; fails in ddl. */
static void append_all(pgc_ddl *ddl, pgc_buffer *out, const char *name, const char *column, const char *schema, const char *kind,
                       const char *owner, const pgc_acl *acl)
{
    bool has_initial = acl->initial && acl->initial[0];
    const char *base = has_initial ? acl->initial : acl->default_acl;
    const char *now = has_initial && !acl->acl ? acl->default_acl : acl->acl;
    if (ddl->options->binary_upgrade && acl->initial_kind == 'e' && has_initial &&
        !append_initial(ddl, out, name, column, schema, kind, owner, acl))
        pgc_ddl_fail(ddl, "could not parse initial ACL list (%s) or default (%s) for object \"%s\" (%s)", acl->initial,
                     acl->default_acl ? acl->default_acl : "", name, kind);
    if (!pgc_ddl_acl_commands(ddl, out, name, column, schema, kind, now, base, owner, ""))
        pgc_ddl_fail(ddl, "could not parse ACL list (%s) or default (%s) for object \"%s\" (%s)", now, base ? base : "", name, kind);
    if (out->failed)
        pgc_ddl_fail(ddl, "out of memory");
}

int pgc_ddl_acl(pgc_ddl *ddl, int object_id, int alternative_id, const char *kind, const char *name, const char *column,
                const char *schema, const char *tag, const char *owner, const pgc_acl *acl)
{
    const pgc_dump_options *options = ddl->options;
    /* large objects' privileges count as data */
    if (options->no_acl || (options->data_only && strcmp(kind, "LARGE OBJECT") != 0))
        return 0;
    /* not one of the writer's buffers: it may call this for each of its columns */
    pgc_buffer commands;
    pgc_buffer_init(&commands, ACL_MAX);
    append_all(ddl, &commands, name, column, schema, kind, owner, acl);
    int id = 0;
    if (commands.length && !ddl->failed) {
        if (!tag)
            tag = column ? pgc_ddl_format(ddl, "COLUMN %s.%s", name, column) : pgc_ddl_format(ddl, "%s %s", kind, name);
        int needs[2] = {object_id, alternative_id};
        id = PGC_ENTRY(ddl, .id = -1, .tag = tag, .schema = schema ? schema : "", .owner = owner ? owner : "", .description = "ACL",
                       .section = PGC_SECTION_NONE, .create = commands.data, .dependencies = needs,
                       .dependency_count = alternative_id ? 2 : 1)
                 ->id;
    }
    pgc_buffer_free(&commands);
    return id;
}
