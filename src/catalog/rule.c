/*
 * Rules. A view needs its ON SELECT rule and the rule needs its view: where that loop is alone, the ordering drops the second need and CREATE VIEW makes both; where other objects
 * are in it (the view uses a function that uses the view's row type), the view is made with a stand-in for its query and the rule, later, is CREATE OR REPLACE VIEW.
 */
#include "catalog/dependent_shared.h"
#include "catalog/relation_write.h"

static bool is_query_of_view(const pgc_rule *rule)
{
    return (rule->relation->kind == PGC_RELKIND_VIEW || rule->relation->kind == PGC_RELKIND_MATVIEW) && rule->event == '1' && rule->instead;
}

int pgc_take_rules(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "oid"), name = pgc_rows_column(rows, "rulename"), on = pgc_rows_column(rows, "ev_class"),
        event = pgc_rows_column(rows, "ev_type"), instead = pgc_rows_column(rows, "is_instead"), enabled = pgc_rows_column(rows, "ev_enabled"),
        definition = pgc_rows_column(rows, "definition");
    for (int row = 0; row < rows->count; row++) {
        pgc_relation *relation = pgc_catalog_relation(catalog, pgc_rows_oid(rows, row, on));
        if (!relation)
            continue;
        pgc_rule *rule = dependent_add(catalog, PGC_KIND_RULE, sizeof *rule, PGC_PG_REWRITE, pgc_rows_oid(rows, row, oid), pgc_rows_text(rows, row, name),
                                       relation, err);
        if (!rule)
            return -1;
        rule->object.wanted = relation->object.wanted;
        rule->relation = relation;
        rule->event = pgc_rows_char(rows, row, event);
        rule->instead = pgc_rows_bool(rows, row, instead);
        rule->enabled = pgc_rows_char(rows, row, enabled);
        rule->definition = pgc_rows_text(rows, row, definition);
        rule->separate = !is_query_of_view(rule);
        /* what a view's query needs then decides where the view stands */
        pgc_object *first = rule->separate ? &rule->object : &relation->object;
        const pgc_object *needed = rule->separate ? &relation->object : &rule->object;
        if (pgc_object_needs(catalog, first, needed->id, err) != 0)
            return -1;
    }
    return 0;
}

/* A view cannot lose its ON SELECT rule; it gets its stand-in back, which needs next to nothing. */
static void write_drop(pgc_ddl *ddl, pgc_buffer *out, const pgc_rule *rule)
{
    const char *relation = pgc_ddl_object_name(ddl, &rule->relation->object);
    if (!is_query_of_view(rule)) {
        pgc_buffer_format(out, "DROP RULE %s ON %s;\n", pgc_ddl_name(ddl, rule->object.name), relation);
        return;
    }
    pgc_buffer_format(out, "CREATE OR REPLACE VIEW %s", relation);
    pgc_ddl_view_stand_in(ddl, out, rule->relation);
    pgc_buffer_text(out, ";\n");
}

void pgc_write_rule(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_rule *rule = (const pgc_rule *)object;
    if (!rule->separate)
        return;
    const pgc_object *relation = &rule->relation->object;
    const char *name = pgc_ddl_name(ddl, object->name);
    if (pgc_object_writes(object, PGC_PART_DEFINITION)) {
        pgc_buffer *create = pgc_ddl_buffer(ddl), *drop = pgc_ddl_buffer(ddl);
        if (is_query_of_view(rule)) {
            pgc_buffer_format(create, "CREATE OR REPLACE VIEW %s", pgc_ddl_object_name(ddl, relation));
            pgc_ddl_view_definition(ddl, create, rule->relation);
            pgc_buffer_text(create, ";\n");
        } else {
            pgc_buffer_format(create, "%s\n", rule->definition ? rule->definition : "");
        }
        if (rule->enabled != 'O')
            pgc_buffer_format(create, "ALTER TABLE %s %s RULE %s;\n", pgc_ddl_object_name(ddl, relation), pgc_enabled_words(rule->enabled), name);
        write_drop(ddl, drop, rule);
        PGC_ENTRY(ddl, .object = object, .tag = pgc_ddl_format(ddl, "%s %s", relation->name, object->name), .description = "RULE",
                  .section = PGC_SECTION_POST_DATA, .create = create->data, .drop = drop->data);
    }
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment(ddl, object, pgc_ddl_format(ddl, "RULE %s ON", name), pgc_ddl_name(ddl, relation->name), object->schema->object.name);
}

int pgc_compare_rule(const pgc_catalog *catalog, const pgc_object *a, const pgc_object *b)
{
    (void)catalog;
    return strcmp(((const pgc_rule *)a)->relation->object.name, ((const pgc_rule *)b)->relation->object.name);
}
