/*
 * Items of access control lists, read and written. Two sorts of quoting lie over each other: the role names inside an item have the server's own (double quotes around what has other than letters, digits
 * and underscores, a quote doubled), and the item as a whole is an element of an array.
 */
#include "catalog/acl_item.h"

#include "catalog/read.h"

/* Letters of any language count as such for the server, depending on its locale; to quote those is always understood. */
static bool is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Takes a role's name off *text, up to an = outside of quotes or the end. NULL when a quote is not closed, or out of memory. */
static const char *take_role(pgc_arena *arena, const char **text)
{
    char *name = pgc_arena_bytes(arena, *text, strlen(*text) + 1);
    if (!name)
        return NULL;
    char *to = name;
    const char *c = *text;
    bool quoted = false;
    for (; *c && (quoted || *c != '='); c++) {
        if (*c != '"')
            *to++ = *c;
        else if (quoted && c[1] == '"')
            *to++ = *c++;
        else
            quoted = !quoted;
    }
    *to = '\0';
    *text = c;
    return quoted ? NULL : name;
}

static bool parse_item(pgc_arena *arena, const char *text, pgc_acl_item *item)
{
    item->grantee = take_role(arena, &text);
    if (!item->grantee || *text != '=')
        return false;
    const char *slash = strchr(++text, '/');
    if (!slash)
        return false;
    item->privileges = pgc_arena_strndup(arena, text, (size_t)(slash - text));
    text = slash + 1;
    item->grantor = take_role(arena, &text);
    return item->privileges && item->grantor && *text == '\0';
}

int pgc_acl_parse(pgc_arena *arena, const char *text, pgc_acl_item **items)
{
    *items = NULL;
    if (!text || !text[0])
        return 0;
    char **texts;
    int count = pgc_parse_array(arena, text, &texts);
    if (count <= 0)
        return count;
    *items = pgc_arena_zalloc(arena, (size_t)count * sizeof **items);
    if (!*items)
        return -1;
    for (int i = 0; i < count; i++)
        if (!texts[i] || !parse_item(arena, texts[i], &(*items)[i]))
            return -1;
    return count;
}

/* A role's name with an item's quoting, every byte then escaped for the array, whose element is always in quotes. */
static void append_role(pgc_buffer *array, const char *name)
{
    bool plain = true;
    for (const char *c = name; *c; c++)
        plain = plain && is_plain((unsigned char)*c);
    if (!plain)
        pgc_buffer_text(array, "\\\"");
    for (const char *c = name; *c; c++) {
        if (*c == '"')
            pgc_buffer_text(array, "\\\"");
        if (*c == '"' || *c == '\\')
            pgc_buffer_byte(array, '\\');
        pgc_buffer_byte(array, *c);
    }
    if (!plain)
        pgc_buffer_text(array, "\\\"");
}

void pgc_acl_append(pgc_buffer *array, const char *grantee, const char *privileges, const char *grantor)
{
    pgc_buffer_text(array, array->length ? ",\"" : "{\"");
    append_role(array, grantee);
    pgc_buffer_byte(array, '=');
    pgc_buffer_text(array, privileges);
    pgc_buffer_byte(array, '/');
    append_role(array, grantor);
    pgc_buffer_byte(array, '"');
}
