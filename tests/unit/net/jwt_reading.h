/* JSON web tokens from the other side: taken apart, and their signatures checked with the public key. */
#ifndef PGC_TEST_JWT_READING_H
#define PGC_TEST_JWT_READING_H

#include <stdbool.h>

#include <openssl/evp.h>

typedef struct read_jwt {
    char header[1024], claims[4096];
    bool is_signed; /* by the key that was given */
} read_jwt;

/* A new RSA key, and its PEM text, which is the caller's to free; encrypted when passphrase is not NULL. */
EVP_PKEY *jwt_make_key(const char *passphrase, char **pem);
/* False when text is no token at all. */
bool jwt_read(const char *text, EVP_PKEY *key, read_jwt *jwt);

#endif
