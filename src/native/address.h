/* Where a source is, as the target's own server has to be told it: options of a foreign server, the connection text of
 * a subscription. */
#ifndef PGC_NATIVE_ADDRESS_H
#define PGC_NATIVE_ADDRESS_H

#include "postgres/connection.h"

typedef struct native_address native_address;

/*
 * uri: the source as the user wrote it, conn: a connection to it, which knows what libpq added. via: key=value words
 * that hold where the target sees the source elsewhere than we do, or NULL. password: NULL is the connection's own.
 */
native_address *native_address_new(const char *uri, PGconn *conn, const char *via, const char *password,
                                   pgconvoy_error *err) PGC_MUST_CHECK;
void native_address_free(native_address *address);

/* "host '…', port '…'": without user and password. */
void native_address_server_options(const native_address *address, pgc_buffer *out);
/* "user '…', password '…'". masked: the password's place is taken by stars. */
void native_address_user_options(const native_address *address, bool masked, pgc_buffer *out);
/* "host=… user=… password=…" as one SQL literal. */
void native_address_conninfo_literal(const native_address *address, bool masked, pgc_buffer *out);
bool native_address_has_password(const native_address *address);

#endif
