/* The two servers of a link or a subscription, before anything is made: whether they are there and can take it. */
#ifndef PGC_NATIVE_ENDS_H
#define PGC_NATIVE_ENDS_H

#include "postgres/connection.h"

/* An error names the end. */
PGconn *native_connect_source(const char *uri, const char *program, pgconvoy_error *err) PGC_MUST_CHECK;
/* The target is refused when it is a standby or its transactions are read-only. */
PGconn *native_connect_target(const char *uri, const char *program, pgconvoy_error *err) PGC_MUST_CHECK;

/*
 * What hinders a subscription at the source. *is_standby: publications of its primary can be had there, and none can be
 * made. 0, or -1 and err.
 */
int native_check_publisher(PGconn *source, const char *publication, bool *is_standby,
                           pgconvoy_error *err) PGC_MUST_CHECK;

#endif
