/* Lists of properties, read and written by a table. */
#include "catalog/property.h"

const char *const *pgc_properties_take(const pgc_rows *rows, int row, const pgc_property *properties, int count, pgconvoy_error *err)
{
    const char **values = pgc_arena_zalloc(rows->catalog->arena, (size_t)count * sizeof *values);
    if (!values) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    for (int i = 0; i < count; i++)
        values[i] = pgc_rows_text(rows, row, pgc_rows_column(rows, properties[i].column));
    return values;
}

void pgc_properties_write(pgc_ddl *ddl, pgc_buffer *out, const pgc_property *properties, int count, const char *const *values)
{
    const char *before = "(\n    ";
    for (int i = 0; i < count; i++) {
        if (!values[i])
            continue;
        pgc_buffer_format(out, "%s%s", before, properties[i].keyword);
        before = ",\n    ";
        if (properties[i].form != PGC_PROPERTY_FLAG)
            pgc_buffer_format(out, " = %s", properties[i].form == PGC_PROPERTY_LITERAL ? pgc_ddl_literal(ddl, values[i]) : values[i]);
    }
    pgc_buffer_text(out, "\n)");
}
