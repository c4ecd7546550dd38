/* Operations for sinks that have nothing to do there; each does what its name says (include/pgconvoy.h). */
#include "base/error.h"

/* Text: the form that every sink can take as it is. */
pgconvoy_format pgconvoy_sink_default_column_format_text(void *sink, const pgconvoy_column *column)
{
    (void)sink;
    (void)column;
    return PGCONVOY_TEXT;
}

/* Every table is welcome. */
int pgconvoy_sink_default_check_table(void *sink, const pgconvoy_table *table, pgconvoy_if_exists if_exists,
                                      pgconvoy_error *err)
{
    (void)sink;
    (void)table;
    (void)if_exists;
    (void)err;
    return 0;
}

/* Each change names its own columns, so new ones need no preparation. */
int pgconvoy_sink_default_change_schema(void *writer, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                                        pgconvoy_error *err)
{
    (void)writer;
    (void)old_table;
    (void)new_table;
    (void)err;
    return 0;
}
