/* A checkpoint file: what was stored is read back, by another process too, and a torn tail does not count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apply/checkpoint_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct fixture {
    char folder[64], state_dir[96], path[128];
    pgconvoy_sink_config config;
    pgconvoy_error err;
    pgconvoy_checkpoint_file *file;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/pgc-checkpoint-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->state_dir, sizeof f->state_dir, "%s/a/b", f->folder);
    snprintf(f->path, sizeof f->path, "%s/checkpoint", f->state_dir);
    f->config = (pgconvoy_sink_config){.state_dir = f->state_dir, .source_id = "7391/sh\top", .pipeline_name = "p"};
    f->file = pgconvoy_checkpoint_file_open(&f->config, &f->err);
    *state = f;
    return f->file ? 0 : -1;
}

static int teardown(void **state)
{
    fixture *f = *state;
    char path[160];
    pgconvoy_checkpoint_file_close(f->file);
    unlink(f->path);
    rmdir(f->state_dir);
    snprintf(path, sizeof path, "%s/a", f->folder);
    rmdir(path);
    int left = rmdir(f->folder);
    free(f);
    return left; /* a temporary file left behind is a failure too */
}

static void reopen(fixture *f)
{
    pgconvoy_checkpoint_file_close(f->file);
    f->file = pgconvoy_checkpoint_file_open(&f->config, &f->err);
    if (!f->file)
        fail_msg("%s", f->err.message);
}

static void store(fixture *f, pgconvoy_lsn lsn, const pgconvoy_table_status *tables, size_t count, const char *note)
{
    assert_int_equal(pgconvoy_checkpoint_file_store(f->file, lsn, tables, count, note, &f->err), 0);
}

static pgconvoy_checkpoint read_back(fixture *f)
{
    pgconvoy_checkpoint checkpoint;
    assert_int_equal(pgconvoy_checkpoint_file_read(f->file, &checkpoint, &f->err), 0);
    return checkpoint;
}

static void nothing_is_made_before_the_first_store(void **state)
{
    fixture *f = *state;
    pgconvoy_checkpoint checkpoint = read_back(f);
    assert_null(checkpoint.source_id);
    assert_int_equal(checkpoint.lsn, 0);
    assert_int_equal(checkpoint.table_count, 0);
    assert_null(pgconvoy_checkpoint_file_note(f->file));
    assert_int_equal(access(f->state_dir, F_OK), -1);
}

static void what_is_stored_is_read_back_by_the_next_process(void **state)
{
    fixture *f = *state;
    const pgconvoy_table_status tables[] = {{"public", "users", PGCONVOY_TABLE_COPYING, 0},
                                            {"o\td\nd", "na\\me = 1\r", PGCONVOY_TABLE_LIVE, UINT64_C(0x1600000001)}};
    store(f, 0, tables, 2, "a note\nof two lines");
    const pgconvoy_table_status later = {"public", "users", PGCONVOY_TABLE_CATCHING_UP, 77};
    store(f, UINT64_C(0xFFFFFFFFFFFFFFFE), &later, 1, NULL);
    reopen(f);
    pgconvoy_checkpoint checkpoint = read_back(f);
    assert_string_equal(checkpoint.source_id, "7391/sh\top");
    assert_true(checkpoint.lsn == UINT64_C(0xFFFFFFFFFFFFFFFE));
    assert_int_equal(checkpoint.table_count, 2);
    assert_string_equal(checkpoint.tables[0].name, "users");
    assert_int_equal(checkpoint.tables[0].state, PGCONVOY_TABLE_CATCHING_UP);
    assert_int_equal(checkpoint.tables[0].copy_lsn, 77);
    assert_string_equal(checkpoint.tables[1].schema, "o\td\nd");
    assert_string_equal(checkpoint.tables[1].name, "na\\me = 1\r");
    assert_true(checkpoint.tables[1].copy_lsn == UINT64_C(0x1600000001));
    assert_string_equal(pgconvoy_checkpoint_file_note(f->file), "a note\nof two lines");
    assert_int_equal(pgc_checkpoint_file_table_state(f->file, "public", "users"), PGCONVOY_TABLE_CATCHING_UP);
    assert_int_equal(pgc_checkpoint_file_table_state(f->file, "public", "nobody"), PGCONVOY_TABLE_WAITING);
}

static void position_zero_leaves_the_position_alone(void **state)
{
    fixture *f = *state;
    const pgconvoy_table_status table = {"s", "t", PGCONVOY_TABLE_LIVE, 1};
    store(f, 100, NULL, 0, NULL);
    store(f, 0, &table, 1, NULL);
    reopen(f);
    assert_int_equal(read_back(f).lsn, 100);
}

static void only_the_user_can_read_it(void **state)
{
    fixture *f = *state;
    struct stat info;
    store(f, 1, NULL, 0, NULL);
    assert_int_equal(stat(f->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(stat(f->state_dir, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
}

/* Cuts the file at each byte, as a crash in the middle of a write does. */
static void a_torn_tail_does_not_count(void **state)
{
    fixture *f = *state;
    char whole[4096];
    store(f, 100, NULL, 0, "first");
    struct stat info;
    assert_int_equal(stat(f->path, &info), 0);
    off_t first = info.st_size;
    store(f, 200, NULL, 0, "second");
    int fd = open(f->path, O_RDWR);
    ssize_t length = read(fd, whole, sizeof whole);
    assert_true(length > first && length < (ssize_t)sizeof whole);
    for (ssize_t cut = length; cut >= first; cut--) {
        assert_int_equal(ftruncate(fd, cut), 0);
        reopen(f);
        assert_int_equal(read_back(f).lsn, cut == length ? 200 : 100);
        assert_string_equal(pgconvoy_checkpoint_file_note(f->file), cut == length ? "second" : "first");
    }
    /* and it goes on from there */
    store(f, 300, NULL, 0, NULL);
    reopen(f);
    assert_int_equal(read_back(f).lsn, 300);
    close(fd);
}

static void a_damaged_or_foreign_file_is_refused(void **state)
{
    fixture *f = *state;
    static const char *const contents[] = {"", "hello\n", "pgconvoy checkpoint 1\nlsn\t0/1\n= 00000000\n",
                                           "pgconvoy checkpoint 2\n= 00000000\n"};
    store(f, 1, NULL, 0, NULL);
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        FILE *file = fopen(f->path, "w");
        fputs(contents[i], file);
        fclose(file);
        assert_null(pgconvoy_checkpoint_file_open(&f->config, &f->err));
        assert_int_equal(f->err.code, PGCONVOY_ERROR_STATE);
        assert_non_null(strstr(f->err.message, f->path));
    }
}

static void it_stays_small_over_many_commits_and_forgets_nothing(void **state)
{
    fixture *f = *state;
    char name[16];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "t%d", i);
        const pgconvoy_table_status table = {"s", name, PGCONVOY_TABLE_LIVE, (pgconvoy_lsn)i + 1};
        store(f, 0, &table, 1, NULL);
    }
    char note[1001];
    memset(note, 'n', sizeof note);
    note[1000] = '\0';
    for (int i = 1; i <= 400; i++)
        store(f, (pgconvoy_lsn)i, NULL, 0, note);
    struct stat info;
    assert_int_equal(stat(f->path, &info), 0);
    assert_true(info.st_size < 200000);
    reopen(f);
    pgconvoy_checkpoint checkpoint = read_back(f);
    assert_int_equal(checkpoint.lsn, 400);
    assert_int_equal(checkpoint.table_count, 100);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "t%d", i);
        assert_string_equal(checkpoint.tables[i].name, name);
        assert_int_equal(checkpoint.tables[i].copy_lsn, i + 1);
    }
}

static void a_store_that_fails_is_made_good_by_the_next(void **state)
{
    fixture *f = *state;
    if (geteuid() == 0) {
        /* root writes everywhere: a folder in the way of the temporary file stands in for a full disk */
        char blocker[160];
        snprintf(blocker, sizeof blocker, "%s.new", f->path);
        char parent[160];
        snprintf(parent, sizeof parent, "%s/a", f->folder);
        assert_int_equal(mkdir(parent, 0700), 0);
        assert_int_equal(mkdir(f->state_dir, 0700), 0);
        assert_int_equal(mkdir(blocker, 0700), 0);
        assert_int_equal(pgconvoy_checkpoint_file_store(f->file, 5, NULL, 0, NULL, &f->err), -1);
        assert_true(f->err.hint[0] != '\0');
        assert_int_equal(rmdir(blocker), 0);
    }
    store(f, 6, NULL, 0, NULL);
    reopen(f);
    assert_int_equal(read_back(f).lsn, 6);
}

static void remove_forgets_everything_and_may_be_repeated(void **state)
{
    fixture *f = *state;
    const pgconvoy_table_status table = {"s", "t", PGCONVOY_TABLE_LIVE, 1};
    store(f, 9, &table, 1, "note");
    assert_int_equal(pgconvoy_checkpoint_file_remove(f->file, &f->err), 0);
    assert_int_equal(pgconvoy_checkpoint_file_remove(f->file, &f->err), 0);
    assert_int_equal(access(f->path, F_OK), -1);
    assert_int_equal(read_back(f).table_count, 0);
    assert_null(pgconvoy_checkpoint_file_note(f->file));
}

#define HOLDS(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOLDS(nothing_is_made_before_the_first_store),
        HOLDS(what_is_stored_is_read_back_by_the_next_process),
        HOLDS(position_zero_leaves_the_position_alone),
        HOLDS(only_the_user_can_read_it),
        HOLDS(a_torn_tail_does_not_count),
        HOLDS(a_damaged_or_foreign_file_is_refused),
        HOLDS(it_stays_small_over_many_commits_and_forgets_nothing),
        HOLDS(a_store_that_fails_is_made_good_by_the_next),
        HOLDS(remove_forgets_everything_and_may_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
