/* Objects of JSON as they are written: members by name, each behind a comma but the first. Names are our own words. */
#ifndef PGC_FORMAT_JSON_OBJECT_H
#define PGC_FORMAT_JSON_OBJECT_H

#include "base/buffer.h"

/* A comma, unless an object or a list has just begun. */
void pgc_json_comma(pgc_buffer *out);
/* "text", or null. */
void pgc_json_nullable(pgc_buffer *out, const char *text);
/* The beginnings of an object in a list, and of a member that is a list: {, and "name":[. */
void pgc_json_object(pgc_buffer *out);
void pgc_json_list(pgc_buffer *out, const char *name);
/* "name": behind a comma where there has to be one. */
void pgc_json_name(pgc_buffer *out, const char *name);
/* The same with a value; text may be NULL. */
void pgc_json_member_text(pgc_buffer *out, const char *name, const char *text);
void pgc_json_member_number(pgc_buffer *out, const char *name, int64_t number);
void pgc_json_member_bool(pgc_buffer *out, const char *name, bool value);
/* "schema":…,"table":… */
void pgc_json_member_table(pgc_buffer *out, const char *schema, const char *table);

#endif
