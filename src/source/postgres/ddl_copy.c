/* A command of DDL copied whole, so that it lives as long as the batch it goes with. Free of libpq. */
#include "source/postgres/assemble_internal.h"

#include <string.h>

/* Where one copy failed the whole has. */
typedef struct copier {
    pgc_arena *arena;
    bool failed;
} copier;

static void *copy_bytes(copier *c, const void *data, size_t size)
{
    void *copy = size > 0 ? pgc_arena_alloc(c->arena, size) : NULL;
    if (copy)
        memcpy(copy, data, size);
    else if (size > 0)
        c->failed = true;
    return copy;
}

static const char *copy_text(copier *c, const char *text)
{
    return text ? copy_bytes(c, text, strlen(text) + 1) : NULL;
}

static const char *const *copy_settings(copier *c, const char *const *settings)
{
    size_t count = 0;
    while (settings && settings[count])
        count++;
    const char **copy = settings ? copy_bytes(c, settings, (count + 1) * sizeof *copy) : NULL;
    for (size_t i = 0; i < count && copy; i++)
        copy[i] = copy_text(c, settings[i]);
    return copy;
}

const pgconvoy_ddl *pgc_ddl_copy(pgc_arena *arena, const pgconvoy_ddl *ddl)
{
    copier c = {.arena = arena};
    pgconvoy_ddl *copy = copy_bytes(&c, ddl, sizeof *ddl);
    if (!copy)
        return NULL;
    copy->tag = copy_text(&c, ddl->tag);
    copy->command = copy_text(&c, ddl->command);
    copy->search_path = copy_text(&c, ddl->search_path);
    copy->settings = copy_settings(&c, ddl->settings);
    copy->recopied = copy_bytes(&c, ddl->recopied, ddl->recopied_count * sizeof *ddl->recopied);
    copy->tables = copy_bytes(&c, ddl->tables, ddl->table_count * sizeof(pgconvoy_table *));
    pgconvoy_ddl_object *objects = copy_bytes(&c, ddl->objects, ddl->object_count * sizeof *objects);
    for (size_t i = 0; i < ddl->object_count && objects; i++) {
        objects[i].type = copy_text(&c, objects[i].type);
        objects[i].schema = copy_text(&c, objects[i].schema);
        objects[i].name = copy_text(&c, objects[i].name);
        objects[i].identity = copy_text(&c, objects[i].identity);
        objects[i].definition = copy_text(&c, objects[i].definition);
    }
    copy->objects = objects;
    return c.failed ? NULL : copy;
}
