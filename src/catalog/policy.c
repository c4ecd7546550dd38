/* Row security: ENABLE ROW LEVEL SECURITY for a table that has it, and each policy. */
#include "catalog/dependent_shared.h"

static bool may_have_policies(const pgc_relation *relation)
{
    return (relation->object.wanted & PGC_PART_POLICY) && (relation->kind == PGC_RELKIND_TABLE || relation->kind == PGC_RELKIND_PARTITIONED);
}

static pgc_policy *add(pgc_catalog *catalog, uint32_t class_oid, uint32_t oid, const char *name, pgc_relation *relation, pgconvoy_error *err)
{
    pgc_policy *policy = dependent_add(catalog, PGC_KIND_POLICY, sizeof *policy, class_oid, oid, name, relation, err);
    if (!policy)
        return NULL;
    policy->relation = relation;
    relation->object.available |= PGC_PART_POLICY;
    return policy;
}

/* They stand for no row of a catalog: class 0 keeps pg_depend's rows about the table away from them. */
static int add_row_security(pgc_catalog *catalog, pgconvoy_error *err)
{
    for (int i = 0; i < catalog->relation_count; i++) {
        pgc_relation *relation = catalog->relations[i];
        if (may_have_policies(relation) && relation->row_security &&
            !add(catalog, 0, relation->object.oid, relation->object.name, relation, err))
            return -1;
    }
    return 0;
}

int pgc_take_policies(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    if (catalog->options->no_policies)
        return 0;
    if (add_row_security(catalog, err) != 0)
        return -1;
    int oid = pgc_rows_column(rows, "oid"), on = pgc_rows_column(rows, "polrelid"), name = pgc_rows_column(rows, "polname"),
        command = pgc_rows_column(rows, "polcmd"), permissive = pgc_rows_column(rows, "polpermissive"), roles = pgc_rows_column(rows, "roles"),
        using_expression = pgc_rows_column(rows, "using_expression"), check_expression = pgc_rows_column(rows, "check_expression");
    for (int row = 0; row < rows->count; row++) {
        pgc_relation *relation = pgc_catalog_relation(catalog, pgc_rows_oid(rows, row, on));
        if (!relation || !may_have_policies(relation))
            continue;
        pgc_policy *policy = add(catalog, PGC_PG_POLICY, pgc_rows_oid(rows, row, oid), pgc_rows_text(rows, row, name), relation, err);
        if (!policy)
            return -1;
        policy->policy_name = policy->object.name;
        policy->command = pgc_rows_char(rows, row, command);
        policy->permissive = pgc_rows_bool(rows, row, permissive);
        policy->roles = pgc_rows_text(rows, row, roles);
        policy->using_expression = pgc_rows_text(rows, row, using_expression);
        policy->check_expression = pgc_rows_text(rows, row, check_expression);
    }
    return 0;
}

static void write_row_security(pgc_ddl *ddl, const pgc_policy *policy)
{
    const pgc_object *relation = &policy->relation->object;
    if (pgc_object_writes(&policy->object, PGC_PART_DEFINITION))
        PGC_ENTRY(ddl, .object = &policy->object, .description = "ROW SECURITY", .section = PGC_SECTION_POST_DATA, .dependencies = &relation->id,
                  .dependency_count = 1, .create = pgc_ddl_format(ddl, "ALTER TABLE %s ENABLE ROW LEVEL SECURITY;", pgc_ddl_object_name(ddl, relation)));
}

static const char *command_words(pgc_ddl *ddl, char command)
{
    static const struct {
        char letter;
        const char *words;
    } commands[] = {{'*', ""}, {'r', " FOR SELECT"}, {'a', " FOR INSERT"}, {'w', " FOR UPDATE"}, {'d', " FOR DELETE"}};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (commands[i].letter == command)
            return commands[i].words;
    pgc_ddl_fail(ddl, "unexpected policy command type: %c", command);
    return "";
}

void pgc_write_policy(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_policy *policy = (const pgc_policy *)object;
    if (!policy->policy_name) {
        write_row_security(ddl, policy);
        return;
    }
    const pgc_object *relation = &policy->relation->object;
    const char *name = pgc_ddl_name(ddl, policy->policy_name);
    if (pgc_object_writes(object, PGC_PART_DEFINITION)) {
        const char *place = pgc_ddl_format(ddl, "%s ON %s", name, pgc_ddl_object_name(ddl, relation));
        pgc_buffer *create = pgc_ddl_buffer(ddl);
        pgc_buffer_format(create, "CREATE POLICY %s%s%s", place, policy->permissive ? "" : " AS RESTRICTIVE", command_words(ddl, policy->command));
        if (policy->roles)
            pgc_buffer_format(create, " TO %s", policy->roles);
        if (policy->using_expression)
            pgc_buffer_format(create, " USING (%s)", policy->using_expression);
        if (policy->check_expression)
            pgc_buffer_format(create, " WITH CHECK (%s)", policy->check_expression);
        pgc_buffer_text(create, ";\n");
        PGC_ENTRY(ddl, .object = object, .tag = pgc_ddl_format(ddl, "%s %s", relation->name, object->name), .description = "POLICY",
                  .section = PGC_SECTION_POST_DATA, .create = create->data, .drop = pgc_ddl_format(ddl, "DROP POLICY %s;\n", place));
    }
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment(ddl, object, pgc_ddl_format(ddl, "POLICY %s ON", name), pgc_ddl_name(ddl, relation->name), object->schema->object.name);
}

int pgc_compare_policy(const pgc_catalog *catalog, const pgc_object *a, const pgc_object *b)
{
    (void)catalog;
    return strcmp(((const pgc_policy *)a)->relation->object.name, ((const pgc_policy *)b)->relation->object.name);
}
