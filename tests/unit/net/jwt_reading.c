/* See jwt_reading.h. */
#include "jwt_reading.h"

#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

EVP_PKEY *jwt_make_key(const char *passphrase, char **pem)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    BIO *text = BIO_new(BIO_s_mem());
    char *data;
    if (!key || !text ||
        PEM_write_bio_PKCS8PrivateKey(text, key, passphrase ? EVP_aes_128_cbc() : NULL, passphrase,
                                      passphrase ? (int)strlen(passphrase) : 0, NULL, NULL) != 1)
        abort();
    long length = BIO_get_mem_data(text, &data);
    *pem = strndup(data, (size_t)length);
    BIO_free(text);
    return key;
}

/* base64url without padding; the length, or -1. */
static int decode(const char *text, size_t length, unsigned char *to, size_t size)
{
    unsigned char padded[8192];
    if (length + 4 > sizeof padded || length / 4 * 3 + 3 >= size)
        return -1;
    for (size_t i = 0; i < length; i++) {
        if (strchr("+/=", text[i]))
            return -1;
        padded[i] = (unsigned char)(text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
    }
    size_t missing = (4 - length % 4) % 4;
    memset(padded + length, '=', missing);
    int got = EVP_DecodeBlock(to, padded, (int)(length + missing));
    return got < 0 ? -1 : got - (int)missing;
}

bool jwt_read(const char *text, EVP_PKEY *key, read_jwt *jwt)
{
    unsigned char signature[2048];
    const char *first = strchr(text, '.'), *second = first ? strchr(first + 1, '.') : NULL;
    memset(jwt, 0, sizeof *jwt);
    if (!second)
        return false;
    int header = decode(text, (size_t)(first - text), (unsigned char *)jwt->header, sizeof jwt->header),
        claims = decode(first + 1, (size_t)(second - first - 1), (unsigned char *)jwt->claims, sizeof jwt->claims),
        length = decode(second + 1, strlen(second + 1), signature, sizeof signature);
    if (header < 0 || claims < 0 || length < 0)
        return false;
    jwt->header[header] = jwt->claims[claims] = '\0';
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    jwt->is_signed =
        context && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
        EVP_DigestVerify(context, signature, (size_t)length, (const unsigned char *)text, (size_t)(second - text)) == 1;
    EVP_MD_CTX_free(context);
    return true;
}
