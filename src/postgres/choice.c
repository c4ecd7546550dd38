#include "postgres/choice.h"

#include "postgres/patterns.h"
#include "postgres/working_tables.h"

typedef int (*pattern_condition)(const char *pattern, pgc_buffer *out, pgconvoy_error *err);

bool pgc_choice_is_given(const pgc_choice *choice)
{
    return choice->include_table_count || choice->exclude_table_count || choice->include_schema_count ||
           choice->exclude_schema_count;
}

/* " AND (a OR b)", with NOT where they are left out; nothing for an empty list. */
static int add_list(char *const *patterns, size_t count, bool out_of_it, pattern_condition condition, pgc_buffer *out,
                    pgconvoy_error *err)
{
    if (count == 0)
        return 0;
    pgc_buffer_text(out, out_of_it ? " AND NOT (" : " AND (");
    for (size_t i = 0; i < count; i++) {
        if (i)
            pgc_buffer_text(out, " OR ");
        if (condition(patterns[i], out, err))
            return -1;
    }
    pgc_buffer_byte(out, ')');
    return 0;
}

int pgc_choice_condition(const pgc_choice *choice, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_buffer_text(out, "(n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgconvoy', 'pg_toast') "
                         "AND n.nspname !~ '^pg_(temp|toast_temp)_'");
    bool named = choice->include_table_count > 0;
    if (!named)
        pgc_buffer_text(out, " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = "
                             "'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.objsubid = 0 "
                             "AND d.deptype = 'e') AND NOT " PGC_WORKING_SCHEMA_SQL("n"));
    if (add_list(choice->include_tables, choice->include_table_count, false, pgc_pattern_table_condition, out, err))
        return -1;
    if (!named &&
        (add_list(choice->include_schemas, choice->include_schema_count, false, pgc_pattern_schema_condition, out,
                  err) ||
         add_list(choice->exclude_schemas, choice->exclude_schema_count, true, pgc_pattern_schema_condition, out, err)))
        return -1;
    if (add_list(choice->exclude_tables, choice->exclude_table_count, true, pgc_pattern_table_condition, out, err))
        return -1;
    pgc_buffer_byte(out, ')');
    return pgc_buffer_check(out, err);
}
