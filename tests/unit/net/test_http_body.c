/* Bodies made in parts: however they are cut, what is read back is what was put in, once for each body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lz4frame.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "net/http.h"

#define LENGTH 700001

static const pgc_http_encoding encodings[] = {PGC_HTTP_IDENTITY, PGC_HTTP_GZIP, PGC_HTTP_LZ4, PGC_HTTP_ZSTD};

/* Half of it repeats itself, half is by chance. */
static char *some_bytes(void)
{
    char *bytes = malloc(LENGTH);
    assert_non_null(bytes);
    uint32_t chance = 7;
    for (size_t i = 0; i < LENGTH; i++) {
        chance = chance * 1664525u + 1013904223u;
        bytes[i] = (i / 65536) % 2 ? (char)(chance >> 24) : "abcdefg"[i % 7];
    }
    return bytes;
}

/* Gives how many bytes came out; all of body must be used. */
static size_t read_back(pgc_http_encoding encoding, const pgc_buffer *body, char *out, size_t room)
{
    size_t given = room, taken = body->length;
    switch (encoding) {
    case PGC_HTTP_GZIP: {
        z_stream z = {.next_in = (Bytef *)body->data,
                      .avail_in = (uInt)body->length,
                      .next_out = (Bytef *)out,
                      .avail_out = (uInt)room};
        assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
        assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
        given = z.total_out;
        taken = z.total_in;
        inflateEnd(&z);
        break;
    }
    case PGC_HTTP_LZ4: {
        LZ4F_dctx *lz4;
        assert_false(LZ4F_isError(LZ4F_createDecompressionContext(&lz4, LZ4F_VERSION)));
        assert_int_equal(LZ4F_decompress(lz4, out, &given, body->data, &taken, NULL), 0); /* the frame has ended */
        LZ4F_freeDecompressionContext(lz4);
        break;
    }
    case PGC_HTTP_ZSTD:
        given = ZSTD_decompress(out, room, body->data, body->length);
        assert_false(ZSTD_isError(given));
        break;
    default:
        given = body->length;
        memcpy(out, body->data, given);
    }
    assert_int_equal(taken, body->length);
    return given;
}

static void add_in_parts(pgc_http_encoder *encoder, const char *bytes, size_t length, size_t part, pgc_buffer *body)
{
    pgconvoy_error err = {0};
    for (size_t at = 0; at < length; at += part) {
        size_t size = length - at < part ? length - at : part;
        assert_int_equal(pgc_http_encoder_add(encoder, bytes + at, size, body, &err), 0);
    }
}

static void a_body_in_parts_is_whole_however_it_is_cut(void **state)
{
    (void)state;
    static const size_t parts[] = {1, 777, 65536, 100003, LENGTH};
    char *bytes = some_bytes(), *back = malloc(LENGTH + 1);
    for (size_t e = 0; e < sizeof encodings / sizeof *encodings; e++) {
        pgconvoy_error err = {0};
        pgc_http_encoder *encoder = pgc_http_encoder_new(encodings[e], &err);
        assert_non_null(encoder);
        for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) { /* one body after the other */
            pgc_buffer body;
            pgc_buffer_init(&body, (size_t)8 << 20);
            size_t length = parts[p] == 1 ? 70000 : LENGTH;
            add_in_parts(encoder, bytes, length, parts[p], &body);
            assert_int_equal(pgc_http_encoder_end(encoder, &body, &err), 0);
            assert_int_equal(read_back(encodings[e], &body, back, LENGTH + 1), length);
            assert_memory_equal(back, bytes, length);
            pgc_buffer_free(&body);
        }
        pgc_http_encoder_free(encoder);
    }
    free(bytes);
    free(back);
}

static void nothing_of_a_body_that_was_given_up_is_in_the_next_one(void **state)
{
    (void)state;
    char *bytes = some_bytes(), *back = malloc(LENGTH + 1);
    for (size_t e = 0; e < sizeof encodings / sizeof *encodings; e++) {
        pgconvoy_error err = {0};
        pgc_buffer body;
        pgc_buffer_init(&body, (size_t)8 << 20);
        pgc_http_encoder *encoder = pgc_http_encoder_new(encodings[e], &err);
        assert_non_null(encoder);
        add_in_parts(encoder, bytes, 100000, 33333, &body);
        pgc_buffer_reset(&body);
        pgc_http_encoder_reset(encoder);
        add_in_parts(encoder, "the other", 9, 4, &body);
        assert_int_equal(pgc_http_encoder_end(encoder, &body, &err), 0);
        assert_int_equal(read_back(encodings[e], &body, back, LENGTH + 1), 9);
        assert_memory_equal(back, "the other", 9);
        pgc_buffer_free(&body);
        pgc_http_encoder_free(encoder);
    }
    free(bytes);
    free(back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_in_parts_is_whole_however_it_is_cut),
        cmocka_unit_test(nothing_of_a_body_that_was_given_up_is_in_the_next_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
