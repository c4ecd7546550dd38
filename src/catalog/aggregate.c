/* Aggregates: functions to the catalog, lists of options to CREATE AGGREGATE. */
#include "catalog/function.h"

static const pgc_property options[] = {
    {"SFUNC", "aggtransfn", PGC_PROPERTY_WORD},
    {"STYPE", "state_type", PGC_PROPERTY_WORD},
    {"SSPACE", "state_space", PGC_PROPERTY_WORD},
    {"INITCOND", "agginitval", PGC_PROPERTY_LITERAL},
    {"FINALFUNC", "aggfinalfn", PGC_PROPERTY_WORD},
    {"FINALFUNC_EXTRA", "final_extra", PGC_PROPERTY_FLAG},
    {"FINALFUNC_MODIFY", "final_modify", PGC_PROPERTY_WORD},
    {"COMBINEFUNC", "aggcombinefn", PGC_PROPERTY_WORD},
    {"SERIALFUNC", "aggserialfn", PGC_PROPERTY_WORD},
    {"DESERIALFUNC", "aggdeserialfn", PGC_PROPERTY_WORD},
    {"MSFUNC", "aggmtransfn", PGC_PROPERTY_WORD},
    {"MINVFUNC", "aggminvtransfn", PGC_PROPERTY_WORD},
    {"MSTYPE", "moving_type", PGC_PROPERTY_WORD},
    {"MSSPACE", "moving_space", PGC_PROPERTY_WORD},
    {"MINITCOND", "aggminitval", PGC_PROPERTY_LITERAL},
    {"MFINALFUNC", "aggmfinalfn", PGC_PROPERTY_WORD},
    {"MFINALFUNC_EXTRA", "moving_final_extra", PGC_PROPERTY_FLAG},
    {"MFINALFUNC_MODIFY", "moving_final_modify", PGC_PROPERTY_WORD},
    {"SORTOP", "sort_operator", PGC_PROPERTY_WORD},
    {"HYPOTHETICAL", "hypothetical", PGC_PROPERTY_FLAG},
    {"PARALLEL", "parallel", PGC_PROPERTY_WORD},
};

enum { OPTIONS = sizeof options / sizeof *options };

PGC_TAKE(aggregates)
{
    int defined = pgc_rows_column(rows, "defined"), arguments = pgc_rows_column(rows, "arguments");
    pgc_named_columns names = pgc_named_columns_find(rows);
    for (int r = 0; r < rows->count; r++) {
        pgc_function *aggregate = pgc_function_take(rows, r, &names, PGC_KIND_AGGREGATE, err);
        if (!aggregate)
            return -1;
        if (!pgc_rows_bool(rows, r, defined))
            continue;
        pgc_aggregate_detail *detail = pgc_arena_zalloc(catalog->arena, sizeof *detail);
        if (!detail)
            return pgc_error_out_of_memory(err);
        detail->arguments = pgc_rows_text_or_empty(rows, r, arguments);
        detail->values = pgc_properties_take(rows, r, options, OPTIONS, err);
        if (!detail->values)
            return -1;
        aggregate->detail = detail;
    }
    return 0;
}

static void write_definition(pgc_ddl *ddl, const pgc_function *aggregate)
{
    const pgc_object *object = &aggregate->object;
    const pgc_aggregate_detail *detail = aggregate->detail;
    if (!detail) {
        pgc_ddl_fail(ddl, "the definition of aggregate \"%s\" was not read", object->name);
        return;
    }
    bool star = aggregate->argument_count == 0;
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    pgc_buffer_format(create, "CREATE AGGREGATE %s(%s) ", pgc_ddl_object_name(ddl, object), star ? "*" : detail->arguments);
    pgc_properties_write(ddl, create, options, OPTIONS, detail->values);
    pgc_buffer_text(create, ";\n");
    pgc_ddl_extension_member(ddl, create, object, "AGGREGATE", aggregate->signature, object->schema->object.name);
    PGC_ENTRY(ddl, .object = object, .tag = pgc_ddl_format(ddl, "%s(%s)", object->name, star ? "*" : pgc_ddl_argument_types(ddl, aggregate)),
              .description = "AGGREGATE", .section = PGC_SECTION_PRE_DATA, .create = create->data,
              .drop = pgc_ddl_format(ddl, "DROP AGGREGATE %s.%s;\n", pgc_ddl_name(ddl, object->schema->object.name), aggregate->signature));
}

PGC_WRITER(aggregate)
{
    const pgc_function *aggregate = (const pgc_function *)object;
    const char *schema = object->schema->object.name;
    if (!aggregate->signature) {
        pgc_ddl_fail(ddl, "the arguments of aggregate \"%s\" were not read", object->name);
        return;
    }
    if (pgc_object_writes(object, PGC_PART_DEFINITION))
        write_definition(ddl, aggregate);
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment(ddl, object, "AGGREGATE", aggregate->signature, schema);
    if (pgc_object_writes(object, PGC_PART_SECURITY_LABEL))
        pgc_ddl_security_label(ddl, object, "AGGREGATE", aggregate->signature, schema);
    if (pgc_object_writes(object, PGC_PART_ACL)) {
        /* there is no GRANT ON AGGREGATE: as a function it has neither a star nor ORDER BY among its arguments */
        const char *name = pgc_ddl_format(ddl, "%s(%s)", pgc_ddl_name(ddl, object->name), pgc_ddl_argument_types(ddl, aggregate));
        pgc_ddl_acl(ddl, object->id, 0, "FUNCTION", name, NULL, schema, NULL, object->owner, &object->acl);
    }
}
