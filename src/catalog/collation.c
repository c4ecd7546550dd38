/* Collations: of the C library, of ICU, and (from 17 on) of PostgreSQL itself. */
#include "catalog/named.h"

typedef struct collation_detail {
    char provider;
    bool deterministic;
    const char *collate, *ctype; /* libc's, or NULL */
    const char *locale;          /* the other providers', or NULL */
    const char *rules, *version; /* or NULL */
} collation_detail;

int pgc_take_collations(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    pgc_named_columns columns = pgc_named_columns_find(rows);
    int encoding = pgc_rows_column(rows, "collencoding"), provider = pgc_rows_column(rows, "collprovider"),
        deterministic = pgc_rows_column(rows, "collisdeterministic"), collate = pgc_rows_column(rows, "collate"), ctype = pgc_rows_column(rows, "ctype"),
        locale = pgc_rows_column(rows, "locale"), rules = pgc_rows_column(rows, "rules"), version = pgc_rows_column(rows, "collversion");
    for (int i = 0; i < rows->count; i++) {
        pgc_collation *collation = pgc_named_take(rows, i, &columns, PGC_KIND_COLLATION, sizeof *collation, PGC_PG_COLLATION, err);
        if (!collation)
            return -1;
        collation->encoding = pgc_rows_int(rows, i, encoding);
        if (!pgc_named_wanted(catalog, &collation->object))
            continue;
        collation_detail *detail = pgc_arena_alloc(catalog->arena, sizeof *detail);
        if (!detail)
            return pgc_error_out_of_memory(err);
        *detail = (collation_detail){
            .provider = pgc_rows_char(rows, i, provider),
            .deterministic = pgc_rows_bool(rows, i, deterministic),
            .collate = pgc_rows_text(rows, i, collate),
            .ctype = pgc_rows_text(rows, i, ctype),
            .locale = pgc_rows_text(rows, i, locale),
            .rules = pgc_rows_text(rows, i, rules),
            .version = pgc_rows_text(rows, i, version),
        };
        collation->detail = detail;
    }
    return 0;
}

int pgc_compare_collation(const pgc_catalog *catalog, const pgc_object *a, const pgc_object *b)
{
    (void)catalog;
    return ((const pgc_collation *)a)->encoding - ((const pgc_collation *)b)->encoding;
}

static void append_option(pgc_ddl *ddl, pgc_buffer *out, const char *word, const char *value)
{
    pgc_buffer_format(out, ", %s = %s", word, pgc_ddl_literal(ddl, value ? value : ""));
}

static const char *provider_name(char provider)
{
    static const struct {
        char provider;
        const char *name;
    } providers[] = {{'c', "libc"}, {'i', "icu"}, {'b', "builtin"}, {'d', "default"}};
    for (size_t i = 0; i < sizeof providers / sizeof *providers; i++)
        if (providers[i].provider == provider)
            return providers[i].name;
    return NULL;
}

void pgc_write_collation(pgc_ddl *ddl, const pgc_object *object)
{
    const collation_detail *detail = ((const pgc_collation *)object)->detail;
    if (!detail)
        return;
    const char *provider = provider_name(detail->provider);
    if (!provider) {
        pgc_ddl_fail(ddl, "unrecognized collation provider: %c", detail->provider);
        return;
    }
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    pgc_buffer_format(create, "CREATE COLLATION %s (provider = %s", pgc_ddl_object_name(ddl, object), provider);
    if (!detail->deterministic)
        pgc_buffer_text(create, ", deterministic = false");

    bool libc = detail->provider == 'c', valid = true;
    if (detail->provider == 'd') {
        valid = !detail->collate && !detail->ctype && !detail->locale; /* cannot be made again; there only for pg_catalog itself */
    } else if (libc && detail->collate && detail->ctype && strcmp(detail->collate, detail->ctype) == 0) {
        valid = !detail->locale;
        append_option(ddl, create, "locale", detail->collate);
    } else if (libc) {
        valid = detail->collate && detail->ctype && !detail->locale;
        append_option(ddl, create, "lc_collate", detail->collate);
        append_option(ddl, create, "lc_ctype", detail->ctype);
    } else {
        valid = detail->locale && !detail->collate && !detail->ctype;
        append_option(ddl, create, "locale", detail->locale);
    }
    if (!valid)
        pgc_catalog_warn(ddl->catalog, NULL, "invalid collation \"%s\"", object->name);
    if (detail->provider == 'i' && detail->rules)
        append_option(ddl, create, "rules", detail->rules);
    /* Otherwise the server that it is restored on finds out which version it has. */
    if (ddl->options->binary_upgrade && detail->version)
        append_option(ddl, create, "version", detail->version);
    pgc_buffer_text(create, ");\n");
    pgc_named_write(ddl, object, "COLLATION", pgc_ddl_name(ddl, object->name), create);
}
