/* Tokens as the other side sees them: their signatures hold with the public key, and with no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "jwt_reading.h"
#include "net/jwt.h"

static void a_signature_holds_with_the_public_key_alone(void **state)
{
    (void)state;
    char *pem, *other_pem;
    EVP_PKEY *key = jwt_make_key(NULL, &pem), *other = jwt_make_key(NULL, &other_pem);
    pgconvoy_error err = {0};
    pgc_jwt_key *ours = pgc_jwt_key_read(pem, NULL, "the key", &err);
    assert_non_null(ours);
    /* claims of every length, so that all endings of base64 come */
    char claims[64] = "{\"a\":\"";
    for (size_t i = 0; i < 12; i++) {
        pgc_buffer text;
        read_jwt jwt;
        memset(claims + 6, 'x', i);
        memcpy(claims + 6 + i, "\xff\"}", 4);
        pgc_buffer_init(&text, 65536);
        assert_int_equal(pgc_jwt_sign(ours, i % 2 ? "key \"7\"" : NULL, claims, &text, &err), 0);
        assert_true(jwt_read(text.data, key, &jwt));
        assert_string_equal(jwt.claims, claims);
        assert_string_equal(jwt.header, i % 2 ? "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"key \\\"7\\\"\"}"
                                              : "{\"alg\":\"RS256\",\"typ\":\"JWT\"}");
        assert_true(jwt.is_signed);
        assert_true(jwt_read(text.data, other, &jwt));
        assert_false(jwt.is_signed);
        char *claim = strchr(text.data, '.') + 3; /* one letter of the claims changed */
        *claim = *claim == 'A' ? 'B' : 'A';
        assert_true(jwt_read(text.data, key, &jwt));
        assert_false(jwt.is_signed);
        pgc_buffer_free(&text);
    }
    pgc_jwt_key_free(ours);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    free(pem);
    free(other_pem);
}

static void an_encrypted_key_wants_its_passphrase(void **state)
{
    (void)state;
    char *pem;
    EVP_PKEY *key = jwt_make_key("open sesame", &pem);
    pgconvoy_error err = {0};
    pgc_jwt_key *ours = pgc_jwt_key_read(pem, "open sesame", "the key", &err);
    assert_non_null(ours);
    pgc_jwt_key_free(ours);
    static const char *const wrong[] = {NULL, "", "open"};
    for (size_t i = 0; i < 3; i++) {
        assert_null(pgc_jwt_key_read(pem, wrong[i], "the key in K", &err));
        assert_int_equal(err.code, PGCONVOY_ERROR_CONFIG);
        assert_non_null(strstr(err.message, "the key in K"));
        assert_non_null(strstr(err.hint, "passphrase"));
        assert_null(strstr(err.message, "sesame"));
    }
    EVP_PKEY_free(key);
    free(pem);
}

static void what_is_no_rsa_key_is_refused(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    char *data;
    BIO *text = BIO_new(BIO_s_mem());
    EVP_PKEY *curve = EVP_EC_gen("P-256");
    assert_true(text && curve && PEM_write_bio_PrivateKey(text, curve, NULL, NULL, 0, NULL, NULL) == 1);
    long length = BIO_get_mem_data(text, &data);
    char *pem = strndup(data, (size_t)length);
    const char *const texts[] = {"", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", pem};
    for (size_t i = 0; i < 3; i++) {
        assert_null(pgc_jwt_key_read(texts[i], NULL, "the key in K", &err));
        assert_string_equal(err.message, "the key in K is no RSA private key in PEM form");
    }
    free(pem);
    EVP_PKEY_free(curve);
    BIO_free(text);
}

static void a_fingerprint_is_that_of_the_public_part(void **state)
{
    (void)state;
    char *pem;
    EVP_PKEY *key = jwt_make_key(NULL, &pem);
    pgconvoy_error err = {0};
    pgc_jwt_key *ours = pgc_jwt_key_read(pem, NULL, "the key", &err);
    unsigned char *der = NULL, hash[32], wanted[64];
    unsigned size;
    int length = i2d_PUBKEY(key, &der);
    assert_int_equal(EVP_Digest(der, (size_t)length, hash, &size, EVP_sha256(), NULL), 1);
    EVP_EncodeBlock(wanted, hash, (int)size);
    pgc_buffer text;
    pgc_buffer_init(&text, 1024);
    assert_int_equal(pgc_jwt_key_fingerprint(ours, &text, &err), 0);
    assert_string_equal(text.data, (char *)wanted);
    pgc_buffer_free(&text);
    OPENSSL_free(der);
    pgc_jwt_key_free(ours);
    EVP_PKEY_free(key);
    free(pem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_holds_with_the_public_key_alone),
        cmocka_unit_test(an_encrypted_key_wants_its_passphrase),
        cmocka_unit_test(what_is_no_rsa_key_is_refused),
        cmocka_unit_test(a_fingerprint_is_that_of_the_public_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
