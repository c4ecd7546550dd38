/* Values of configuration variables as ALTER … SET and CREATE FUNCTION … SET take them. */
#ifndef PGC_CATALOG_SETTING_H
#define PGC_CATALOG_SETTING_H

#include "catalog/ddl.h"

/* Appends the value of a variable, quoted; a list of names (search_path) as a list of literals. */
void pgc_ddl_setting_value(pgc_ddl *ddl, pgc_buffer *out, const char *name, const char *value);

#endif
