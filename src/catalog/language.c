/* Procedural languages. Those of an extension come with it; a language of the user's is made from its functions. */
#include "catalog/kinds.h"

typedef struct language {
    pgc_object object;
    bool trusted;
    uint32_t handler, inline_handler, validator;
} language;

PGC_TAKE(languages)
{
    int oid = pgc_rows_column(rows, "oid"), name = pgc_rows_column(rows, "lanname"), owner = pgc_rows_column(rows, "lanowner"),
        trusted = pgc_rows_column(rows, "lanpltrusted"), handler = pgc_rows_column(rows, "lanplcallfoid"),
        inline_handler = pgc_rows_column(rows, "laninline"), validator = pgc_rows_column(rows, "lanvalidator"), acl = pgc_rows_column(rows, "lanacl"),
        acldefault = pgc_rows_column(rows, "acldefault");
    for (int r = 0; r < rows->count; r++) {
        language *l = pgc_catalog_add(catalog, PGC_KIND_LANGUAGE, sizeof *l, PGC_PG_LANGUAGE, pgc_rows_oid(rows, r, oid),
                                      pgc_rows_text(rows, r, name), NULL, err);
        if (!l)
            return -1;
        l->trusted = pgc_rows_bool(rows, r, trusted);
        l->handler = pgc_rows_oid(rows, r, handler);
        l->inline_handler = pgc_rows_oid(rows, r, inline_handler);
        l->validator = pgc_rows_oid(rows, r, validator);
        l->object.owner = pgc_catalog_role(catalog, pgc_rows_oid(rows, r, owner));
        l->object.acl.acl = pgc_rows_text(rows, r, acl);
        l->object.acl.default_acl = pgc_rows_text(rows, r, acldefault);
        if (l->object.acl.acl)
            l->object.available |= PGC_PART_ACL;
        if (pgc_select_global(catalog, &l->object, PGC_PART_ACL, err) != 0)
            return -1;
    }
    return 0;
}

/* A function of the language, when the dump has it too. */
static const pgc_function *dumped_function(const pgc_ddl *ddl, uint32_t oid)
{
    const pgc_function *function = oid ? pgc_catalog_function(ddl->catalog, oid) : NULL;
    return function && function->object.wanted ? function : NULL;
}

static void write_definition(pgc_ddl *ddl, const language *l, const char *name)
{
    const struct {
        const char *keyword;
        uint32_t oid;
    } functions[] = {{"HANDLER", l->handler}, {"INLINE", l->inline_handler}, {"VALIDATOR", l->validator}};
    bool all = l->handler != 0;
    for (int i = 0; i < 3; i++)
        all = all && (!functions[i].oid || dumped_function(ddl, functions[i].oid));
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    if (all)
        pgc_buffer_format(create, "CREATE %sPROCEDURAL LANGUAGE %s", l->trusted ? "TRUSTED " : "", name);
    else /* its functions are the server's: it makes the language from its name, or has it already */
        pgc_buffer_format(create, "CREATE OR REPLACE PROCEDURAL LANGUAGE %s", name);
    for (int i = 0; i < 3 && all; i++)
        if (functions[i].oid)
            pgc_buffer_format(create, " %s %s", functions[i].keyword, pgc_ddl_object_name(ddl, &dumped_function(ddl, functions[i].oid)->object));
    pgc_buffer_text(create, ";\n");
    pgc_ddl_extension_member(ddl, create, &l->object, "LANGUAGE", name, NULL);
    PGC_ENTRY(ddl, .object = &l->object, .description = "PROCEDURAL LANGUAGE", .section = PGC_SECTION_PRE_DATA, .create = create->data,
              .drop = pgc_ddl_format(ddl, "DROP PROCEDURAL LANGUAGE %s;\n", name));
}

PGC_WRITER(language)
{
    const language *l = (const language *)object;
    const char *name = pgc_ddl_name(ddl, object->name);
    if (pgc_object_writes(object, PGC_PART_DEFINITION))
        write_definition(ddl, l, name);
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment(ddl, object, "LANGUAGE", name, NULL);
    if (pgc_object_writes(object, PGC_PART_SECURITY_LABEL))
        pgc_ddl_security_label(ddl, object, "LANGUAGE", name, NULL);
    if (l->trusted && pgc_object_writes(object, PGC_PART_ACL)) /* nothing can be granted on others */
        pgc_ddl_acl(ddl, object->id, 0, "LANGUAGE", name, NULL, NULL, NULL, object->owner, &object->acl);
}
