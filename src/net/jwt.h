/*
 * JSON web tokens (RFC 7515, RFC 7519) signed with an RSA key (RS256), by OpenSSL. Thread-safe.
 */
#ifndef PGC_NET_JWT_H
#define PGC_NET_JWT_H

#include "base/buffer.h"

typedef struct pgc_jwt_key pgc_jwt_key;

/* A private key as PEM text; passphrase NULL for a key that is not encrypted. what names it in errors ("the key in
 * FILE"). */
pgc_jwt_key *pgc_jwt_key_read(const char *pem, const char *passphrase, const char *what,
                              pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_jwt_key_free(pgc_jwt_key *key);

/* Appends HEADER.CLAIMS.SIGNATURE. claims is a JSON object; key_id (may be NULL) goes into the header. */
int pgc_jwt_sign(const pgc_jwt_key *key, const char *key_id, const char *claims, pgc_buffer *out,
                 pgconvoy_error *err) PGC_MUST_CHECK;

/* Appends base64 of the SHA-256 of the public key (DER): by which a service may tell keys apart. */
int pgc_jwt_key_fingerprint(const pgc_jwt_key *key, pgc_buffer *out, pgconvoy_error *err) PGC_MUST_CHECK;

#endif
