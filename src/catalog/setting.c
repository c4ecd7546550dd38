/*
 * Values of configuration variables. Those that are lists of names are stored with their elements quoted as identifiers; as SQL that would not do for each element (one that is empty or too long for a name), so the
 * list is taken apart and its elements are written as literals.
 */
#include "catalog/setting.h"

#include <ctype.h>
#include <strings.h>

#define SETTING_MAX ((size_t)16 << 20)

static bool is_list_of_names(const char *name)
{
    static const char *const lists[] = {"local_preload_libraries",  "search_path",      "session_preload_libraries",
                                        "shared_preload_libraries", "temp_tablespaces", "unix_socket_directories"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (strcasecmp(name, lists[i]) == 0)
            return true;
    return false;
}

static const char *skip_space(const char *c)
{
    while (isspace((unsigned char)*c))
        c++;
    return c;
}

/* The next element of a list into word; gives what follows it, or NULL when the list is not well formed. */
static const char *next_element(const char *c, char *word)
{
    if (*c == '"') {
        for (c++; *c != '"' || c[1] == '"'; c++) {
            if (!*c)
                return NULL;
            c += *c == '"'; /* the first of two */
            *word++ = *c;
        }
        c++;
    } else {
        const char *start = c;
        while (*c && *c != ',' && !isspace((unsigned char)*c))
            *word++ = *c++;
        if (c == start)
            return NULL;
    }
    *word = '\0';
    c = skip_space(c);
    return *c == ',' || !*c ? c : NULL;
}

/* The elements as literals; false when the list is not well formed. */
static bool append_list(pgc_ddl *ddl, pgc_buffer *out, const char *value)
{
    char *word = pgc_arena_alloc(ddl->scratch, strlen(value) + 1);
    if (!word)
        return false;
    const char *c = skip_space(value);
    for (const char *comma = ""; *c || *comma; comma = ", ") {
        c = next_element(c, word);
        if (!c)
            return false;
        pgc_buffer_format(out, "%s%s", comma, pgc_ddl_literal(ddl, word));
        if (!*c)
            break;
        c = skip_space(c + 1);
    }
    return true;
}

void pgc_ddl_setting_value(pgc_ddl *ddl, pgc_buffer *out, const char *name, const char *value)
{
    if (!is_list_of_names(name)) {
        pgc_buffer_text(out, pgc_ddl_literal(ddl, value));
        return;
    }
    /* not one of the writer's buffers: a database may have a list for each of many roles */
    pgc_buffer list;
    pgc_buffer_init(&list, SETTING_MAX);
    if (append_list(ddl, &list, value))
        pgc_buffer_append(out, list.data, list.length);
    if (list.failed)
        pgc_ddl_fail(ddl, "out of memory");
    pgc_buffer_free(&list);
}
