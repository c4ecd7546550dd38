/* A small archive for tests; see archive_fixture.h. */
#include "archive_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LARGE_ROWS 40000

const uint32_t fixture_objects[] = {16400, 16401, 3000000000, 0};

/* ------------------------------------------------------------------ what is in it */

static int two_dependencies[] = {2, 1};

void fixture_entries(pgc_entries *entries, int server_major)
{
    static const pgc_entry all[ENTRY_COUNT] = {
        [ENCODING] = {.id = 1, .tag = "ENCODING", .description = "ENCODING", .section = PGC_SECTION_PRE_DATA, .create = "SET client_encoding = 'UTF8';\n"},
        [TABLE] = {.id = 2, .class_oid = 1259, .oid = 4000000000, .tag = "the \"t\"", .description = "TABLE", .schema = "public", .tablespace = "", .access_method = "heap",
                   .relation_kind = 'r', .owner = "me", .section = PGC_SECTION_PRE_DATA, .create = "CREATE TABLE public.t (a text);\n", .drop = "DROP TABLE public.t;\n"},
        [FUNCTION] = {.id = 3, .class_oid = 1255, .oid = 16390, .tag = "f()", .description = "FUNCTION", .schema = "public", .owner = "me", .section = PGC_SECTION_PRE_DATA,
                      .create = "CREATE FUNCTION f() …;\n", .drop = "DROP FUNCTION f();\n", .dependencies = two_dependencies, .dependency_count = 2},
        [LARGE] = {.id = 10, .oid = 16384, .tag = "large", .description = "TABLE DATA", .schema = "public", .owner = "me", .section = PGC_SECTION_DATA,
                   .copy = "COPY public.large (a, b) FROM stdin;\n", .dependencies = two_dependencies, .dependency_count = 1, .has_data = true},
        [EMPTY] = {.id = 11, .oid = 16385, .tag = "empty", .description = "TABLE DATA", .schema = "public", .owner = "me", .section = PGC_SECTION_DATA,
                   .copy = "COPY public.empty (a) FROM stdin;\n", .has_data = true},
        [SMALL] = {.id = 12, .oid = 16386, .tag = "small", .description = "TABLE DATA", .schema = "public", .owner = "me", .section = PGC_SECTION_DATA,
                   .copy = "COPY public.small (a) FROM stdin;\n", .has_data = true},
        [OBJECTS] = {.id = 13, .tag = "BLOBS", .description = "BLOBS", .section = PGC_SECTION_DATA, .has_data = true},
    };
    pgconvoy_error err = {0};
    assert_int_equal(pgc_entries_init(entries, &err), 0);
    for (int i = 0; i < ENTRY_COUNT; i++) {
        pgc_entry *entry = pgc_entries_add(entries);
        assert_non_null(entry);
        *entry = all[i];
        entry->position = -1;
        if (!entry->owner)
            entry->owner = "";
        if (server_major < 17)
            entry->relation_kind = 0;
        if (entry->id > entries->max_id)
            entries->max_id = entry->id;
    }
}

void fixture_data(int which, pgc_buffer *data)
{
    pgc_buffer_init(data, 64 << 20);
    for (uint32_t i = 0, x = 1; which == LARGE && i < LARGE_ROWS; i++) {
        x = x * 1664525 + 1013904223;
        pgc_buffer_format(data, "%u\trow %08x of many, and what all of them have\t%u\n", i, x, x % 97);
    }
    if (which == SMALL)
        pgc_buffer_text(data, "one\n\\N\nthree\n");
    pgc_buffer_text(data, "\\.\n\n\n");
}

void fixture_object(uint32_t oid, pgc_buffer *data)
{
    pgc_buffer_init(data, 64 << 20);
    for (uint32_t i = 0; oid != 16401 && i < oid % 100000; i++)
        pgc_buffer_byte(data, (char)(i * oid >> 7));
}

/* ------------------------------------------------------------------ where */

char *fixture_folder(void)
{
    const char *where = getenv("TMPDIR");
    char *folder;
    assert_true(asprintf(&folder, "%s/pgconvoy-archive-XXXXXX", where && *where ? where : "/tmp") > 0);
    assert_non_null(mkdtemp(folder));
    return folder;
}

const char *fixture_path(const char *folder, const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

void fixture_clean(char *folder)
{
    char command[4200];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
    free(folder);
}

void fixture_run(const char *command, pgc_buffer *out)
{
    char bytes[65536];
    FILE *program = popen(command, "r");
    assert_non_null(program);
    pgc_buffer_init(out, 256 << 20);
    for (size_t got; (got = fread(bytes, 1, sizeof bytes, program)) > 0;)
        pgc_buffer_append(out, bytes, got);
    if (pclose(program) != 0)
        fail_msg("failed: %s", command);
}

/* ------------------------------------------------------------------ writing */

pgc_archive_settings fixture_settings(const char *path, pgc_archive_format format, const char *compression)
{
    pgc_archive_settings settings = {.path = path, .format = format, .server_major = 15, .sync = false};
    pgconvoy_error err = {0};
    assert_int_equal(pgc_compression_parse(compression, &settings.compression, &err), 0);
    settings.head = (pgc_archive_head){.created = 1700000000, .database_name = "shop", .server_version = "15.20 (Debian)", .dump_version = "15.20 (pgconvoy)"};
    settings.restore_sql = format == PGC_ARCHIVE_TAR ? "-- restored by hand\n" : NULL;
    return settings;
}

static void must(int result, const pgconvoy_error *err)
{
    if (result != 0)
        fail_msg("%s", err->message);
}

static void write_pieces(pgc_archive_data *data, const pgc_buffer *bytes)
{
    pgconvoy_error err = {0};
    for (size_t at = 0, size = 1; at < bytes->length; at += size, size = size * 3 % 70001 + 1) {
        if (size > bytes->length - at)
            size = bytes->length - at;
        must(pgc_archive_write(data, bytes->data + at, size, &err), &err);
    }
}

void fixture_write_entry(pgc_archive_writer *writer, pgc_entry *entry, int which)
{
    pgconvoy_error err = {0};
    pgc_buffer bytes;
    pgc_archive_data *data = pgc_archive_begin_data(writer, entry, &err);
    must(data ? 0 : -1, &err);
    for (const uint32_t *oid = fixture_objects; which == OBJECTS && *oid; oid++) {
        must(pgc_archive_begin_large_object(data, *oid, &err), &err);
        fixture_object(*oid, &bytes);
        write_pieces(data, &bytes);
        pgc_buffer_free(&bytes);
        must(pgc_archive_end_large_object(data, &err), &err);
    }
    if (which != OBJECTS) {
        fixture_data(which, &bytes);
        write_pieces(data, &bytes);
        pgc_buffer_free(&bytes);
    }
    must(pgc_archive_end_data(data, &err), &err);
}

void fixture_write(const pgc_archive_settings *settings)
{
    pgconvoy_error err = {0};
    pgc_entries entries;
    fixture_entries(&entries, settings->server_major);
    pgc_archive_writer *writer = pgc_archive_create(settings, &entries, &err);
    must(writer ? 0 : -1, &err);
    for (int i = 0; i < ENTRY_COUNT; i++)
        if (entries.items[i]->has_data)
            fixture_write_entry(writer, entries.items[i], i);
    must(pgc_archive_finish(writer, &err), &err);
    pgc_entries_free(&entries);
}

/* ------------------------------------------------------------------ reading */

static int take(void *arg, const char *bytes, size_t length, pgconvoy_error *err)
{
    (void)err;
    pgc_buffer_append(arg, bytes, length);
    return 0;
}

static int take_object(void *arg, uint32_t oid, pgconvoy_error *err)
{
    (void)err;
    if (oid)
        pgc_buffer_format(arg, "%u:", oid);
    return 0;
}

int fixture_read(pgc_archive_reader *reader, const pgc_entry *entry, pgc_buffer *data, pgconvoy_error *err)
{
    const pgc_data_target target = {.write = take, .large_object = take_object, .arg = data};
    pgc_buffer_init(data, 256 << 20);
    return pgc_archive_read_data(reader, entry, &target, err);
}

static void expect_text(const char *got, const char *wanted)
{
    assert_true(!got == !wanted);
    if (got)
        assert_string_equal(got, wanted);
}

static void expect_entry(const pgc_entry *got, const pgc_entry *wanted)
{
    assert_int_equal(got->id, wanted->id);
    assert_int_equal(got->class_oid, wanted->class_oid);
    assert_int_equal(got->oid, wanted->oid);
    assert_int_equal(got->section, wanted->section);
    assert_int_equal(got->has_data, wanted->has_data);
    assert_int_equal(got->relation_kind, wanted->relation_kind);
    expect_text(got->tag, wanted->tag);
    expect_text(got->description, wanted->description);
    expect_text(got->schema, wanted->schema);
    expect_text(got->tablespace, wanted->tablespace);
    expect_text(got->access_method, wanted->access_method);
    expect_text(got->owner, wanted->owner);
    expect_text(got->create, wanted->create);
    expect_text(got->drop, wanted->drop);
    expect_text(got->copy, wanted->copy);
    assert_int_equal(got->dependency_count, wanted->dependency_count);
    for (int i = 0; i < got->dependency_count; i++)
        assert_int_equal(got->dependencies[i], wanted->dependencies[i]);
}

static void expect_data(pgc_archive_reader *reader, const pgc_entry *entry, int which)
{
    pgconvoy_error err = {0};
    pgc_buffer got, wanted, object;
    must(fixture_read(reader, entry, &got, &err), &err);
    if (which == OBJECTS) {
        pgc_buffer_init(&wanted, 64 << 20);
        for (const uint32_t *oid = fixture_objects; *oid; oid++) {
            pgc_buffer_format(&wanted, "%u:", *oid);
            fixture_object(*oid, &object);
            pgc_buffer_append(&wanted, object.data, object.length);
            pgc_buffer_free(&object);
        }
    } else
        fixture_data(which, &wanted);
    assert_int_equal(got.length, wanted.length);
    if (got.length > 0)
        assert_memory_equal(got.data, wanted.data, got.length);
    pgc_buffer_free(&got);
    pgc_buffer_free(&wanted);
}

void fixture_expect(const char *path, const pgc_archive_settings *settings)
{
    pgconvoy_error err = {0};
    pgc_entries wanted;
    fixture_entries(&wanted, settings->server_major);
    pgc_archive_reader *reader = pgc_archive_open(path, PGC_ARCHIVE_UNKNOWN, &err);
    must(reader ? 0 : -1, &err);
    const pgc_archive_head *head = pgc_archive_read_head(reader);
    assert_int_equal(head->format, settings->format);
    assert_int_equal(head->compression.method, settings->compression.method);
    assert_int_equal(head->created, settings->head.created);
    assert_string_equal(head->database_name, "shop");
    assert_string_equal(head->server_version, "15.20 (Debian)");
    assert_string_equal(head->dump_version, "15.20 (pgconvoy)");
    const pgc_entries *entries = pgc_archive_read_entries(reader);
    assert_int_equal(entries->count, ENTRY_COUNT);
    assert_int_equal(entries->max_id, 13);
    for (int i = 0; i < ENTRY_COUNT; i++)
        expect_entry(entries->items[i], wanted.items[i]);
    for (int i = 0; i < ENTRY_COUNT; i++)
        if (entries->items[i]->has_data)
            expect_data(reader, entries->items[i], i);
    pgc_archive_close(reader);
    pgc_entries_free(&wanted);
}
