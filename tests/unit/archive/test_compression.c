/* Compression by itself: streams of every size come back, whoever compresses; what -Z says is understood and refused as pg_dump does; tar's numbers. */
#include "archive_fixture.h"
#include "archive/compress.h"
#include "archive/output.h"
#include "archive/tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEGABYTE ((size_t)1024 * 1024)

static int take(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    (void)err;
    pgc_buffer_append(arg, bytes, length);
    return 0;
}

/* kind 0: zeros, 1: like text, 2: noise */
static char *make_bytes(size_t length, int kind)
{
    char *bytes = malloc(length + 1);
    assert_non_null(bytes);
    uint64_t x = 88172645463325252;
    for (size_t i = 0; i < length; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        bytes[i] = kind == 0 ? '\0' : kind == 1 ? (char)(' ' + (x & 63)) : (char)x;
    }
    return bytes;
}

static void expect_back(const pgc_compression *compression, pgc_stream_kind kind, const pgc_buffer *packed, const char *bytes, size_t length)
{
    pgconvoy_error err = {0};
    pgc_buffer got;
    pgc_buffer_init(&got, 64 * MEGABYTE);
    pgc_decompressor *decompressor = pgc_decompressor_open(compression->method, kind, (pgc_byte_target){take, &got}, &err);
    assert_non_null(decompressor);
    for (size_t at = 0, size = 1; at < packed->length; at += size, size = size * 5 % 100003 + 1) {
        if (size > packed->length - at)
            size = packed->length - at;
        if (pgc_decompressor_write(decompressor, packed->data + at, size, &err) != 0)
            fail_msg("%s", err.message);
    }
    assert_int_equal(pgc_decompressor_close(decompressor, &err), 0);
    assert_int_equal(got.length, length);
    assert_true(length == 0 || memcmp(got.data, bytes, length) == 0);
    pgc_buffer_free(&got);
}

static void pack_and_expect(const char *text, pgc_stream_kind kind, int threads)
{
    static const size_t lengths[] = {0, 1, 1000, MEGABYTE - 1, MEGABYTE, MEGABYTE + 1, 2 * MEGABYTE + 17};
    pgconvoy_error err = {0};
    pgc_compression compression;
    assert_int_equal(pgc_compression_parse(text, &compression, &err), 0);
    pgc_compress_pool *pool = pgc_compress_pool_new(&compression, kind, threads, &err);
    assert_non_null(pool);
    for (size_t i = 0; i < 3 * sizeof lengths / sizeof *lengths; i++) {
        size_t length = lengths[i / 3];
        char *bytes = make_bytes(length, (int)(i % 3));
        pgc_buffer packed;
        pgc_buffer_init(&packed, 64 * MEGABYTE);
        pgc_compressor *compressor = pgc_compressor_open(pool, (pgc_byte_target){take, &packed}, &err);
        assert_non_null(compressor);
        assert_int_equal(pgc_compressor_write(compressor, bytes, length / 3, &err), 0);
        assert_int_equal(pgc_compressor_write(compressor, bytes + length / 3, length - length / 3, &err), 0);
        assert_int_equal(pgc_compressor_close(compressor, &err), 0);
        expect_back(&compression, kind, &packed, bytes, length);
        pgc_buffer_free(&packed);
        free(bytes);
    }
    pgc_compress_pool_free(pool);
}

static void streams_of_every_size_come_back(void **state)
{
    static const char *const methods[] = {"none", "gzip", "gzip:1", "lz4", "lz4:3", "zstd:1"};
    (void)state;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        for (int threads = 0; threads <= 3; threads += 3) {
            pack_and_expect(methods[i], PGC_STREAM_FILE, threads);
            if (strncmp(methods[i], "gzip", 4) == 0) /* the others make no difference */
                pack_and_expect(methods[i], PGC_STREAM_BLOCK, threads);
        }
}

static void a_stream_may_be_abandoned_at_any_time(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    const pgc_compression gzip = {.method = PGC_COMPRESSION_GZIP, .level = PGC_COMPRESSION_DEFAULT};
    char *bytes = make_bytes(6 * MEGABYTE, 1);
    pgc_compress_pool *pool = pgc_compress_pool_new(&gzip, PGC_STREAM_BLOCK, 2, &err);
    for (size_t length = 0; length <= 6 * MEGABYTE; length += MEGABYTE * 3 / 4) {
        pgc_buffer packed;
        pgc_buffer_init(&packed, 64 * MEGABYTE);
        pgc_compressor *compressor = pgc_compressor_open(pool, (pgc_byte_target){take, &packed}, &err);
        assert_int_equal(pgc_compressor_write(compressor, bytes, length, &err), 0);
        pgc_compressor_abandon(compressor);
        pgc_buffer_free(&packed);
    }
    pgc_compress_pool_free(pool);
    free(bytes);
}

static void broken_streams_are_refused(void **state)
{
    static const pgc_compression_method methods[] = {PGC_COMPRESSION_GZIP, PGC_COMPRESSION_LZ4, PGC_COMPRESSION_ZSTD};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        pgconvoy_error err = {0};
        pgc_buffer got;
        pgc_buffer_init(&got, MEGABYTE);
        pgc_decompressor *decompressor = pgc_decompressor_open(methods[i], PGC_STREAM_FILE, (pgc_byte_target){take, &got}, &err);
        assert_int_equal(pgc_decompressor_write(decompressor, "no such data at all", 19, &err), -1);
        assert_int_equal(err.code, PGCONVOY_ERROR_DATA);
        pgc_decompressor_abandon(decompressor);
        decompressor = pgc_decompressor_open(methods[i], PGC_STREAM_BLOCK, (pgc_byte_target){take, &got}, &err);
        assert_int_equal(pgc_decompressor_close(decompressor, &err), -1);
        assert_string_equal(err.message, "could not uncompress data: it ends early");
        pgc_buffer_free(&got);
    }
}

static void an_empty_file_is_an_empty_large_object_as_pg_dump_writes_it(void **state)
{
    static const pgc_compression_method methods[] = {PGC_COMPRESSION_LZ4, PGC_COMPRESSION_ZSTD};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pgconvoy_error err = {0};
        pgc_decompressor *decompressor = pgc_decompressor_open(methods[i], PGC_STREAM_FILE, (pgc_byte_target){take, NULL}, &err);
        assert_int_equal(pgc_decompressor_close(decompressor, &err), 0);
    }
}

/* ------------------------------------------------------------------ -Z */

static void what_z_says_is_understood(void **state)
{
    static const struct {
        const char *text;
        pgc_compression wanted;
    } cases[] = {
        {"0", {PGC_COMPRESSION_NONE, 0, false, 0}},
        {"1", {PGC_COMPRESSION_GZIP, 1, false, 0}},
        {"9", {PGC_COMPRESSION_GZIP, 9, false, 0}},
        {"none", {PGC_COMPRESSION_NONE, PGC_COMPRESSION_DEFAULT, false, 0}},
        {"gzip", {PGC_COMPRESSION_GZIP, PGC_COMPRESSION_DEFAULT, false, 0}},
        {"gzip:-1", {PGC_COMPRESSION_GZIP, PGC_COMPRESSION_DEFAULT, false, 0}},
        {"gzip:level=3", {PGC_COMPRESSION_GZIP, 3, false, 0}},
        {"lz4:12", {PGC_COMPRESSION_LZ4, 12, false, 0}},
        {"zstd:-5", {PGC_COMPRESSION_ZSTD, -5, false, 0}},
        {"zstd:level=19,long,workers=4", {PGC_COMPRESSION_ZSTD, 19, true, 4}},
        {"zstd:long=off", {PGC_COMPRESSION_ZSTD, PGC_COMPRESSION_DEFAULT, false, 0}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pgconvoy_error err = {0};
        pgc_compression got;
        if (pgc_compression_parse(cases[i].text, &got, &err) != 0)
            fail_msg("%s: %s", cases[i].text, err.message);
        assert_int_equal(got.method, cases[i].wanted.method);
        assert_int_equal(got.level, cases[i].wanted.level);
        assert_int_equal(got.long_distance, cases[i].wanted.long_distance);
        assert_int_equal(got.workers, cases[i].wanted.workers);
    }
}

static void what_z_cannot_say_is_refused_as_by_pg_dump(void **state)
{
    static const char *const cases[][2] = {
        {"15", "-Z/--compress must be in range 0..9"},
        {"-1", "-Z/--compress must be in range 0..9"},
        {"garbage", "unrecognized compression algorithm: \"garbage\""},
        {"none:1", "invalid compression specification: compression algorithm \"none\" does not accept a compression level"},
        {"gzip:10", "invalid compression specification: compression algorithm \"gzip\" expects a compression level between 1 and 9 (default at -1)"},
        {"lz4:13", "invalid compression specification: compression algorithm \"lz4\" expects a compression level between 1 and 12 (default at 0)"},
        {"gzip:long", "invalid compression specification: compression algorithm \"gzip\" does not support long-distance mode"},
        {"gzip:workers=3", "invalid compression specification: compression algorithm \"gzip\" does not accept a worker count"},
        {"gzip:", "invalid compression specification: found empty string where a compression option was expected"},
        {"gzip:level", "invalid compression specification: compression option \"level\" requires a value"},
        {"gzip:level=x", "invalid compression specification: value for compression option \"level\" must be an integer"},
        {"zstd:long=perhaps", "invalid compression specification: value for compression option \"long\" must be a Boolean value"},
        {"gzip:speed=3", "invalid compression specification: unrecognized compression option: \"speed\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pgconvoy_error err = {0};
        pgc_compression compression;
        assert_int_equal(pgc_compression_parse(cases[i][0], &compression, &err), -1);
        assert_string_equal(err.message, cases[i][1]);
    }
}

/* ------------------------------------------------------------------ plain output */

static void plain_output_is_what_the_usual_programs_read(void **state)
{
    static const char *const cases[][2] = {{"none", "cat"}, {"gzip", "gzip -dc"}, {"9", "gzip -dc"}, {"lz4", "lz4 -dc"}, {"zstd:3", "zstd -qdc"}};
    (void)state;
    char *folder = fixture_folder(), *path = strdup(fixture_path(folder, "out"));
    char *bytes = make_bytes(3 * MEGABYTE + 5, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char command[9000];
        pgconvoy_error err = {0};
        pgc_compression compression;
        pgc_buffer got;
        snprintf(command, sizeof command, "command -v %.*s >/dev/null", (int)strcspn(cases[i][1], " "), cases[i][1]);
        if (system(command) != 0)
            continue;
        assert_int_equal(pgc_compression_parse(cases[i][0], &compression, &err), 0);
        pgc_output *output = pgc_output_open(path, &compression, true, &err);
        assert_non_null(output);
        assert_int_equal(pgc_output_write(output, bytes, 3 * MEGABYTE + 5, &err), 0);
        assert_int_equal(pgc_output_close(output, &err), 0);
        snprintf(command, sizeof command, "%s <'%s'", cases[i][1], path);
        fixture_run(command, &got);
        assert_int_equal(got.length, 3 * MEGABYTE + 5);
        assert_memory_equal(got.data, bytes, got.length);
        pgc_buffer_free(&got);
    }
    free(bytes);
    free(path);
    fixture_clean(folder);
}

static void tar_headers_hold_sizes_beyond_8_gigabytes(void **state)
{
    static const int64_t sizes[] = {0, 1, 511, 512, 8589934591, 8589934592, INT64_C(1) << 45};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char block[PGC_TAR_BLOCK], name[PGC_TAR_NAME + 1];
        int64_t size;
        pgc_tar_make_header(block, "4711.dat", sizes[i], 1700000000);
        assert_int_equal(pgc_tar_read_header(block, name, &size), PGC_TAR_MEMBER);
        assert_string_equal(name, "4711.dat");
        assert_true(size == sizes[i]);
        block[3] ^= 1;
        assert_int_equal(pgc_tar_read_header(block, name, &size), PGC_TAR_BROKEN);
        memset(block, 0, sizeof block);
        assert_int_equal(pgc_tar_read_header(block, name, &size), PGC_TAR_EMPTY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_of_every_size_come_back),
        cmocka_unit_test(a_stream_may_be_abandoned_at_any_time),
        cmocka_unit_test(broken_streams_are_refused),
        cmocka_unit_test(an_empty_file_is_an_empty_large_object_as_pg_dump_writes_it),
        cmocka_unit_test(what_z_says_is_understood),
        cmocka_unit_test(what_z_cannot_say_is_refused_as_by_pg_dump),
        cmocka_unit_test(plain_output_is_what_the_usual_programs_read),
        cmocka_unit_test(tar_headers_hold_sizes_beyond_8_gigabytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
