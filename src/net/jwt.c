/* Keys and signatures; see jwt.h. What OpenSSL says of a key is not repeated: it may quote the key. */
#include "net/jwt.h"

#include "format/json_text.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

struct pgc_jwt_key {
    EVP_PKEY *key;
};

#define JWT_MAX ((size_t)64 << 10)

static int give_passphrase(char *to, int size, int writing, void *passphrase)
{
    (void)writing;
    size_t length = passphrase ? strlen(passphrase) : 0;
    if (length == 0 || length > (size_t)size) /* 0 is an error, so that nobody is asked on the terminal */
        return 0;
    memcpy(to, passphrase, length);
    return (int)length;
}

pgc_jwt_key *pgc_jwt_key_read(const char *pem, const char *passphrase, const char *what, pgconvoy_error *err)
{
    BIO *text = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *found = text ? PEM_read_bio_PrivateKey(text, NULL, give_passphrase, (void *)passphrase) : NULL;
    BIO_free(text);
    pgc_jwt_key *key = NULL;
    if (!found || EVP_PKEY_base_id(found) != EVP_PKEY_RSA) {
        bool encrypted = strstr(pem, "ENCRYPTED") != NULL;
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "%s is no RSA private key%s", what,
                           encrypted ? " that can be read with the passphrase given" : " in PEM form");
        pgconvoy_error_hint(err, encrypted ? "give the passphrase that the key was encrypted with"
                                           : "download the key again");
    } else if (!(key = calloc(1, sizeof *key))) {
        pgc_error_out_of_memory(err);
    }
    if (!key) {
        EVP_PKEY_free(found);
        return NULL;
    }
    key->key = found;
    return key;
}

void pgc_jwt_key_free(pgc_jwt_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->key);
    free(key);
}

/* base64url without padding (RFC 7515, appendix C). */
static void base64url(pgc_buffer *out, const void *data, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *bytes = data;
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        unsigned group =
            (unsigned)bytes[i] << 16 | (left > 1 ? (unsigned)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
        for (size_t digit = 0; digit < 4 && digit <= left; digit++)
            pgc_buffer_byte(out, digits[group >> (18 - 6 * digit) & 63]);
    }
}

static int sign(const pgc_jwt_key *key, const char *text, size_t length, pgc_buffer *out, pgconvoy_error *err)
{
    unsigned char signature[1024]; /* of keys of up to 8192 bits */
    size_t size = sizeof signature;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context && EVP_PKEY_get_size(key->key) <= (int)sizeof signature &&
                EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->key) == 1 &&
                EVP_DigestSign(context, signature, &size, (const unsigned char *)text, length) == 1;
    EVP_MD_CTX_free(context);
    if (!done) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the private key cannot sign a token");
        return -1;
    }
    base64url(out, signature, size);
    return 0;
}

int pgc_jwt_sign(const pgc_jwt_key *key, const char *key_id, const char *claims, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_buffer header, text;
    pgc_buffer_init(&header, JWT_MAX);
    pgc_buffer_init(&text, JWT_MAX);
    pgc_buffer_text(&header, "{\"alg\":\"RS256\",\"typ\":\"JWT\"");
    if (key_id) {
        pgc_buffer_text(&header, ",\"kid\":");
        pgc_json_string(&header, key_id);
    }
    pgc_buffer_byte(&header, '}');
    int result = pgc_buffer_check(&header, err);
    if (result == 0) {
        base64url(&text, header.data, header.length);
        pgc_buffer_byte(&text, '.');
        base64url(&text, claims, strlen(claims));
        result = pgc_buffer_check(&text, err);
    }
    if (result == 0) {
        pgc_buffer_append(out, text.data, text.length);
        pgc_buffer_byte(out, '.');
        result = sign(key, text.data, text.length, out, err);
    }
    if (result == 0)
        result = pgc_buffer_check(out, err);
    pgc_buffer_free(&header);
    pgc_buffer_free(&text);
    return result;
}

int pgc_jwt_key_fingerprint(const pgc_jwt_key *key, pgc_buffer *out, pgconvoy_error *err)
{
    unsigned char *der = NULL, hash[EVP_MAX_MD_SIZE], text[4 * EVP_MAX_MD_SIZE];
    unsigned size = 0;
    int length = i2d_PUBKEY(key->key, &der);
    bool done = length > 0 && EVP_Digest(der, (size_t)length, hash, &size, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    if (!done) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the private key has no public part");
        return -1;
    }
    EVP_EncodeBlock(text, hash, (int)size);
    pgc_buffer_text(out, (const char *)text);
    return pgc_buffer_check(out, err);
}
