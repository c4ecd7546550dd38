/* HTTP clients that several threads share: each takes one that nobody is using, and gives it back. Thread-safe. */
#ifndef PGC_NET_HTTP_POOL_H
#define PGC_NET_HTTP_POOL_H

#include "net/http.h"

typedef struct pgc_http_pool pgc_http_pool;

/* The texts that settings point to must stay valid until the pool is freed. */
pgc_http_pool *pgc_http_pool_new(const pgc_http_settings *settings, pgconvoy_error *err) PGC_MUST_CHECK;
/* All clients must have been given back. */
void pgc_http_pool_free(pgc_http_pool *pool);

pgc_http *pgc_http_pool_take(pgc_http_pool *pool, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_http_pool_give(pgc_http_pool *pool, pgc_http *http);

#endif
