/*
 * Views and materialized views. A view that is part of a loop is made twice: first as a stand-in with the same columns, which others can refer to, then whole, as a rule (CREATE OR REPLACE VIEW).
 */
#include "catalog/relation_write.h"

static const char *query_of(pgc_ddl *ddl, const pgc_relation *view)
{
    if (!view->query)
        pgc_ddl_fail(ddl, "query to obtain definition of view \"%s\" returned no data", view->object.name);
    return view->query ? view->query : "";
}

void pgc_ddl_view_definition(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *view)
{
    if (pgc_relation_has_options(view->options)) {
        pgc_buffer_text(out, " WITH (");
        if (!pgc_ddl_reloptions(ddl, out, view->options, ""))
            pgc_catalog_warn(ddl->catalog, NULL, "could not parse %s array", "reloptions");
        pgc_buffer_text(out, ")");
    }
    pgc_buffer_text(out, " AS\n");
    pgc_buffer_text(out, query_of(ddl, view));
    if (view->check_option)
        pgc_buffer_format(out, "\n  WITH %s CHECK OPTION", view->check_option);
}

/* The same columns, of the same types and collations, since CREATE OR REPLACE cannot change those. */
void pgc_ddl_view_stand_in(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *view)
{
    pgc_buffer_text(out, " AS\nSELECT");
    for (int c = 0; c < view->column_count; c++) {
        const pgc_column *column = &view->columns[c];
        pgc_buffer_format(out, "%s\n    NULL::%s", c > 0 ? "," : "", column->type);
        pgc_ddl_collate(ddl, out, column->collation);
        pgc_buffer_format(out, " AS %s", pgc_ddl_name(ddl, column->name));
    }
}

void pgc_ddl_create_view(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *view, const char *name)
{
    pgc_buffer_format(out, "CREATE VIEW %s", name);
    if (view->dummy_view)
        pgc_ddl_view_stand_in(ddl, out, view);
    else
        pgc_ddl_view_definition(ddl, out, view);
    pgc_buffer_text(out, ";\n");
}

void pgc_ddl_create_materialized_view(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *view, const char *name)
{
    pgc_buffer_format(out, "CREATE %sMATERIALIZED VIEW %s", view->persistence == 'u' ? "UNLOGGED " : "", name);
    pgc_ddl_storage_options(ddl, out, view);
    pgc_buffer_text(out, " AS\n");
    pgc_buffer_text(out, query_of(ddl, view));
    /* it is filled at the very end, when all that it reads is there */
    pgc_buffer_text(out, "\n  WITH NO DATA;\n");
    pgc_ddl_depends_on_extension(ddl, out, &view->object, "MATERIALIZED VIEW", name);
}
