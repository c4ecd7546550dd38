/* The one place for quoting identifiers and values (PostgreSQL manual, section 4.1; DuckDB quotes the same way). Thread-safe. */
#ifndef PGC_POSTGRES_QUOTE_H
#define PGC_POSTGRES_QUOTE_H

#include "base/buffer.h"

/* Appends "name" with quotes, always. */
void pgc_quote_identifier(pgc_buffer *out, const char *name);
/* Appends name with quotes only when it needs them on a server of this version (150020), as quote_ident() and pg_dump do: anything but a-z, 0-9 and _, a digit first, a key word. always: with quotes anyway. */
void pgc_quote_identifier_if_needed(pgc_buffer *out, const char *name, int server_version, bool always);
/* Appends "schema"."name". */
void pgc_quote_qualified(pgc_buffer *out, const char *schema, const char *name);
/* For a sentence with SQL in it that people run: schema.name, or name alone where schema is NULL, each with quotes where it needs them on any server. Fills out, which is given back. */
#define PGC_QUOTED_NAME_SIZE 280
const char *pgc_quoted_name(const char *schema, const char *name, char out[PGC_QUOTED_NAME_SIZE]);
/* Appends 'text'. standard_conforming_strings is on for our connections. */
void pgc_quote_literal(pgc_buffer *out, const char *text);
/* Appends an element to the text of an array: '{' or a comma, and "text", quoted whatever it is. The buffer has nothing but this array, which is ended by pgc_array_end. (PostgreSQL manual, section 8.15.6) */
void pgc_quote_array_element(pgc_buffer *array, const char *text);
/* The same of an OID, which needs no quotes. */
void pgc_array_add_oid(pgc_buffer *array, uint32_t oid);
/* Ends the text of an array, also of one that has no element. */
void pgc_array_end(pgc_buffer *array);
void pgc_quote_literal_n(pgc_buffer *out, const char *text, size_t length);

#endif
