/* Foreign-data wrappers, and foreign servers with the users' mappings to them. */
#include "catalog/named.h"

typedef struct wrapper {
    pgc_object object;
    const char *handler, *validator; /* "-" for none */
    const char *options;             /* ready for OPTIONS (…), "" for none */
} wrapper;

typedef struct user_mapping {
    const char *user, *options;
} user_mapping;

typedef struct server {
    pgc_object object;
    uint32_t wrapper;
    const char *type, *version, *options; /* "" for none */
    const user_mapping *mappings;
    int mapping_count;
} server;

/* ------------------------------------------------------------------ reading */

int pgc_take_foreign_data_wrappers(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    (void)catalog;
    pgc_named_columns columns = pgc_named_columns_find(rows);
    int handler = pgc_rows_column(rows, "handler"), validator = pgc_rows_column(rows, "validator"), options = pgc_rows_column(rows, "options");
    for (int i = 0; i < rows->count; i++) {
        wrapper *w = pgc_named_take(rows, i, &columns, PGC_KIND_FOREIGN_DATA_WRAPPER, sizeof *w, PGC_PG_FDW, err);
        if (!w)
            return -1;
        w->handler = pgc_rows_text_or_empty(rows, i, handler);
        w->validator = pgc_rows_text_or_empty(rows, i, validator);
        w->options = pgc_rows_text_or_empty(rows, i, options);
    }
    return 0;
}

int pgc_take_foreign_servers(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    (void)catalog;
    pgc_named_columns columns = pgc_named_columns_find(rows);
    int wrapper = pgc_rows_column(rows, "srvfdw"), type = pgc_rows_column(rows, "srvtype"), version = pgc_rows_column(rows, "srvversion"),
        options = pgc_rows_column(rows, "options");
    for (int i = 0; i < rows->count; i++) {
        server *s = pgc_named_take(rows, i, &columns, PGC_KIND_FOREIGN_SERVER, sizeof *s, PGC_PG_FOREIGN_SERVER, err);
        if (!s)
            return -1;
        s->wrapper = pgc_rows_oid(rows, i, wrapper);
        s->type = pgc_rows_text_or_empty(rows, i, type);
        s->version = pgc_rows_text_or_empty(rows, i, version);
        s->options = pgc_rows_text_or_empty(rows, i, options);
        s->object.available |= PGC_PART_USER_MAPPING;
    }
    return 0;
}

/* The rows come sorted by server. */
int pgc_take_user_mappings(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "srvid"), user = pgc_rows_column(rows, "usename"), options = pgc_rows_column(rows, "options");
    user_mapping *mappings = pgc_arena_alloc(catalog->arena, (size_t)rows->count * sizeof *mappings + 1);
    if (!mappings)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < rows->count; i++) {
        server *s = (server *)pgc_catalog_find(catalog, PGC_PG_FOREIGN_SERVER, pgc_rows_oid(rows, i, oid));
        if (!s || !pgc_object_writes(&s->object, PGC_PART_USER_MAPPING))
            continue;
        mappings[i] = (user_mapping){.user = pgc_rows_text_or_empty(rows, i, user), .options = pgc_rows_text_or_empty(rows, i, options)};
        if (!s->mapping_count)
            s->mappings = &mappings[i];
        s->mapping_count++;
    }
    return 0;
}

/* ------------------------------------------------------------------ writing */

static void append_options(pgc_buffer *out, const char *options)
{
    if (options[0])
        pgc_buffer_format(out, " OPTIONS (\n    %s\n)", options);
    pgc_buffer_text(out, ";\n");
}

static void write_acl(pgc_ddl *ddl, const pgc_object *object, const char *kind, const char *name)
{
    if (pgc_object_writes(object, PGC_PART_ACL))
        pgc_ddl_acl(ddl, object->id, 0, kind, name, NULL, NULL, NULL, object->owner, &object->acl);
}

void pgc_write_foreign_data_wrapper(pgc_ddl *ddl, const pgc_object *object)
{
    const wrapper *w = (const wrapper *)object;
    if (ddl->options->data_only)
        return;
    const char *name = pgc_ddl_name(ddl, object->name);
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    pgc_buffer_format(create, "CREATE FOREIGN DATA WRAPPER %s", name);
    if (strcmp(w->handler, "-") != 0)
        pgc_buffer_format(create, " HANDLER %s", w->handler);
    if (strcmp(w->validator, "-") != 0)
        pgc_buffer_format(create, " VALIDATOR %s", w->validator);
    append_options(create, w->options);
    pgc_named_write(ddl, object, "FOREIGN DATA WRAPPER", name, create);
    write_acl(ddl, object, "FOREIGN DATA WRAPPER", name);
}

/* Entries of their own, which belong to no catalog row that a dump may show and depend on nothing: the server's rank has them in place. */
static void write_user_mappings(pgc_ddl *ddl, const server *s, const char *server_name)
{
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    for (int i = 0; i < s->mapping_count; i++) {
        const user_mapping *mapping = &s->mappings[i];
        pgc_buffer_reset(create);
        const char *name = pgc_ddl_format(ddl, "USER MAPPING FOR %s SERVER %s", pgc_ddl_name(ddl, mapping->user), server_name);
        pgc_buffer_format(create, "CREATE %s", name);
        append_options(create, mapping->options);
        PGC_ENTRY(ddl, .id = -1, .tag = pgc_ddl_format(ddl, "USER MAPPING %s SERVER %s", mapping->user, s->object.name), .owner = s->object.owner,
                  .description = "USER MAPPING", .section = PGC_SECTION_PRE_DATA, .create = create->data, .drop = pgc_ddl_format(ddl, "DROP %s;\n", name));
    }
}

void pgc_write_foreign_server(pgc_ddl *ddl, const pgc_object *object)
{
    const server *s = (const server *)object;
    if (ddl->options->data_only)
        return;
    const pgc_object *wrapper = pgc_catalog_find(ddl->catalog, PGC_PG_FDW, s->wrapper);
    if (!wrapper) {
        pgc_ddl_fail(ddl, "foreign-data wrapper %u of server \"%s\" not found", s->wrapper, object->name);
        return;
    }
    const char *name = pgc_ddl_name(ddl, object->name);
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    pgc_buffer_format(create, "CREATE SERVER %s", name);
    if (s->type[0])
        pgc_buffer_format(create, " TYPE %s", pgc_ddl_literal(ddl, s->type));
    if (s->version[0])
        pgc_buffer_format(create, " VERSION %s", pgc_ddl_literal(ddl, s->version));
    pgc_buffer_format(create, " FOREIGN DATA WRAPPER %s", pgc_ddl_name(ddl, wrapper->name));
    append_options(create, s->options);
    pgc_named_write(ddl, object, "SERVER", name, create);
    write_acl(ddl, object, "FOREIGN SERVER", name);
    if (pgc_object_writes(object, PGC_PART_USER_MAPPING))
        write_user_mappings(ddl, s, name);
}
