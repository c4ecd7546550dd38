/* Whether the target's own server reaches the source, tried by what will be used, and rolled back. */
#ifndef PGC_NATIVE_REACH_H
#define PGC_NATIVE_REACH_H

#include "native/address.h"

typedef enum native_way { NATIVE_SUBSCRIPTION, NATIVE_FOREIGN_SERVER } native_way;

/* 0: it does. -1 and err with the server's own words; its SQLSTATE begins with 08 when it was the connection, else the
 * role may not try. */
int native_reach(PGconn *target, const native_address *address, native_way way, pgconvoy_error *err) PGC_MUST_CHECK;

/* Whether a failure of the target's was that its server does not reach the source. */
bool native_is_out_of_reach(const pgconvoy_error *why);

#endif
