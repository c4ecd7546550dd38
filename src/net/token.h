/*
 * Where a service's access token comes from: given in the environment or a file, or asked for with a service account's
 * key (OAuth 2.0 with a JWT, RFC 7523). Thread-safe. No error and no log line holds a token or a key.
 */
#ifndef PGC_NET_TOKEN_H
#define PGC_NET_TOKEN_H

#include "net/http.h"

typedef struct pgc_token_source pgc_token_source;

/* A token as it is. */
pgc_token_source *pgc_token_given(const char *token, pgconvoy_error *err) PGC_MUST_CHECK;
/* A file that somebody else keeps current: it is read again when the token is refused. */
pgc_token_source *pgc_token_in_file(const char *path, pgconvoy_error *err) PGC_MUST_CHECK;
/* The JSON key file of a Google service account. settings are those of the requests for tokens. */
pgc_token_source *pgc_token_of_service_account(const char *path, const char *scope, const pgc_http_settings *settings,
                                               pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_token_source_free(pgc_token_source *source);

/* Appends a token that is good for some minutes at least, as far as is known. */
int pgc_token_get(pgc_token_source *source, pgc_buffer *token, pgconvoy_error *err) PGC_MUST_CHECK;
/* The service refused this token: the next get asks for another. False when there is no other to be had. */
bool pgc_token_refused(pgc_token_source *source, const char *token);

/* Appends what a file with a token or a key holds. */
int pgc_token_read_file(const char *path, pgc_buffer *text, pgconvoy_error *err) PGC_MUST_CHECK;

/* The project that a service account's key names; NULL when there is none. */
const char *pgc_token_project(const pgc_token_source *source);

#endif
