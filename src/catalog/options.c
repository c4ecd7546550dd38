/* Small questions about the options that more than one file asks. */
#include "catalog/options.h"

bool pgc_options_include_everything(const pgc_dump_options *o)
{
    return o->include_tables.count == 0 && o->include_tables_and_children.count == 0 && o->include_schemas.count == 0 &&
           o->include_extensions.count == 0;
}
