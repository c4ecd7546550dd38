/*
 * Types of extensions whose binary form can go from one server to another as it is, where both have the extension in
 * the same version: it says nothing of the server it comes from.
 */
#ifndef PGC_POSTGRES_EXTENSION_TYPES_H
#define PGC_POSTGRES_EXTENSION_TYPES_H

#include "postgres/connection.h"

#define PGC_EXTENSION_VERSION_SIZE 64

bool pgc_extension_type_is_listed(const char *extension, const char *type);

/* SQL: a list of ('extension', 'type'), … for IN. */
void pgc_extension_types_sql(pgc_buffer *sql);

/* The version that the server has, or would make; "" where it has none. */
int pgc_extension_version(PGconn *conn, const char *extension, char version[PGC_EXTENSION_VERSION_SIZE],
                          pgconvoy_error *err) PGC_MUST_CHECK;

#endif
