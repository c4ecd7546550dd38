/* CREATE FUNCTION and CREATE PROCEDURE, and how functions are named. */
#include "catalog/function.h"
#include "catalog/setting.h"

const char *pgc_ddl_argument_types(pgc_ddl *ddl, const pgc_function *function)
{
    pgc_buffer *types = pgc_ddl_buffer(ddl);
    pgc_buffer_text(types, "");
    for (int i = 0; i < function->argument_count; i++) {
        const pgc_type *type = pgc_catalog_type(ddl->catalog, function->argument_types[i]);
        if (!type)
            pgc_ddl_fail(ddl, "type with OID %u of an argument of function \"%s\" is not there", function->argument_types[i], function->object.name);
        pgc_buffer_format(types, "%s%s", i ? ", " : "", type ? type->formatted : "");
    }
    return types->data ? types->data : "";
}

const char *pgc_ddl_function_reference(pgc_ddl *ddl, const pgc_function *function)
{
    return pgc_ddl_format(ddl, "%s(%s)", pgc_ddl_object_name(ddl, &function->object), pgc_ddl_argument_types(ddl, function));
}

/* ------------------------------------------------------------------ the parts of the command */

/* Words for the values of a catalog column, but for its default. */
static const struct {
    char value;
    const char *text;
} volatilities[] = {{'i', " IMMUTABLE"}, {'s', " STABLE"}}, parallels[] = {{'s', " PARALLEL SAFE"}, {'r', " PARALLEL RESTRICTED"}};

static void write_attributes(pgc_ddl *ddl, pgc_buffer *create, const pgc_function_detail *detail)
{
    pgc_buffer_format(create, "\n    LANGUAGE %s", pgc_ddl_name(ddl, detail->language));
    if (detail->transforms)
        pgc_buffer_format(create, " TRANSFORM %s", detail->transforms);
    if (detail->kind == 'w')
        pgc_buffer_text(create, " WINDOW");
    for (size_t i = 0; i < sizeof volatilities / sizeof *volatilities; i++)
        if (detail->volatility == volatilities[i].value)
            pgc_buffer_text(create, volatilities[i].text);
    pgc_buffer_format(create, "%s%s%s", detail->strict ? " STRICT" : "", detail->security_definer ? " SECURITY DEFINER" : "",
                      detail->leakproof ? " LEAKPROOF" : "");
    if (detail->cost)
        pgc_buffer_format(create, " COST %s", detail->cost);
    if (detail->rows)
        pgc_buffer_format(create, " ROWS %s", detail->rows);
    if (detail->support)
        pgc_buffer_format(create, " SUPPORT %s", detail->support);
    for (size_t i = 0; i < sizeof parallels / sizeof *parallels; i++)
        if (detail->parallel == parallels[i].value)
            pgc_buffer_text(create, parallels[i].text);
}

static void write_settings(pgc_ddl *ddl, pgc_buffer *create, const char *settings)
{
    char **items;
    int count = settings ? pgc_parse_array(ddl->scratch, settings, &items) : 0;
    if (count < 0)
        pgc_ddl_fail(ddl, "could not parse proconfig array");
    for (int i = 0; i < count; i++) {
        char *value = items[i] ? strchr(items[i], '=') : NULL;
        if (!value)
            continue;
        *value++ = '\0';
        pgc_buffer_format(create, "\n    SET %s TO ", pgc_ddl_name(ddl, items[i]));
        pgc_ddl_setting_value(ddl, create, items[i], value);
    }
}

/* Dollar quotes read best, but where the text is a mere symbol in a library plain ones do. */
static void write_body(pgc_ddl *ddl, pgc_buffer *create, const pgc_function_detail *detail)
{
    pgc_buffer_text(create, "\n    ");
    if (detail->body) {
        pgc_buffer_format(create, "%s;\n", detail->body);
        return;
    }
    pgc_buffer_text(create, "AS ");
    if (detail->binary[0])
        pgc_buffer_text(create, pgc_ddl_literal(ddl, detail->binary));
    if (detail->binary[0] && detail->source[0])
        pgc_buffer_text(create, ", ");
    if (!detail->binary[0] || detail->source[0]) {
        if (ddl->options->disable_dollar_quoting || (detail->binary[0] && !strpbrk(detail->source, "'\\")))
            pgc_buffer_text(create, pgc_ddl_literal(ddl, detail->source));
        else
            pgc_ddl_dollar_quoted(ddl, create, detail->source, NULL);
    }
    pgc_buffer_text(create, ";\n");
}

static void write_definition(pgc_ddl *ddl, const pgc_function *function, const char *keyword)
{
    const pgc_object *object = &function->object;
    const pgc_function_detail *detail = function->detail;
    if (!detail->arguments) {
        pgc_ddl_fail(ddl, "the definition of function \"%s\" was not read", object->name);
        return;
    }
    const char *schema = pgc_ddl_name(ddl, object->schema->object.name), *qualified = pgc_ddl_format(ddl, "%s.%s", schema, function->signature);
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    pgc_buffer_format(create, "CREATE %s %s(%s)", keyword, pgc_ddl_object_name(ddl, object), detail->arguments);
    if (detail->kind != 'p')
        pgc_buffer_format(create, " RETURNS %s", detail->result ? detail->result : "");
    write_attributes(ddl, create, detail);
    write_settings(ddl, create, detail->settings);
    write_body(ddl, create, detail);
    pgc_ddl_depends_on_extension(ddl, create, object, keyword, qualified);
    pgc_ddl_extension_member(ddl, create, object, keyword, function->signature, object->schema->object.name);
    PGC_ENTRY(ddl, .object = object, .tag = pgc_ddl_format(ddl, "%s(%s)", object->name, pgc_ddl_argument_types(ddl, function)), .description = keyword,
              .section = function->postponed ? PGC_SECTION_POST_DATA : PGC_SECTION_PRE_DATA, .create = create->data,
              .drop = pgc_ddl_format(ddl, "DROP %s %s;\n", keyword, qualified));
}

PGC_WRITER(function)
{
    const pgc_function *function = (const pgc_function *)object;
    const pgc_function_detail *detail = function->detail;
    const char *keyword = detail->kind == 'p' ? "PROCEDURE" : "FUNCTION", *schema = object->schema->object.name;
    if (!function->signature) {
        pgc_ddl_fail(ddl, "the arguments of function \"%s\" were not read", object->name);
        return;
    }
    if (pgc_object_writes(object, PGC_PART_DEFINITION))
        write_definition(ddl, function, keyword);
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment(ddl, object, keyword, function->signature, schema);
    if (pgc_object_writes(object, PGC_PART_SECURITY_LABEL))
        pgc_ddl_security_label(ddl, object, keyword, function->signature, schema);
    if (pgc_object_writes(object, PGC_PART_ACL))
        pgc_ddl_acl(ddl, object->id, 0, keyword, function->signature, NULL, schema, NULL, object->owner, &object->acl);
}
