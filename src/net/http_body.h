/* Bodies in their encoding. Private to src/net. */
#ifndef PGC_NET_HTTP_BODY_H
#define PGC_NET_HTTP_BODY_H

#include "net/http.h"

/* Appends data in an encoding other than PGC_HTTP_IDENTITY, as one whole frame or member. */
int pgc_http_encode(pgc_http_encoding encoding, const void *data, size_t length, pgc_buffer *out,
                    pgconvoy_error *err) PGC_MUST_CHECK;

#endif
