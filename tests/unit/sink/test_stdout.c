/*
 * Standard output: what is in the file after a crash, an abort, a second run. Descriptor 1 is a scratch file while a
 * test runs; a crash is a sink that is left as it is and opened once more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const pgconvoy_sink pgc_sink_stdout, pgc_sink_template;
static const pgconvoy_sink *const ops = &pgc_sink_stdout;

static const pgconvoy_type int4 = {.oid = 23, .name = "int4"};
static const pgconvoy_column columns[] = {{.name = "id", .type = &int4, .type_sql = "integer", .in_key = true}};
static const int key[] = {0};
static const pgconvoy_table one = {.oid = 1,
                                   .version = 1,
                                   .schema = "s",
                                   .name = "one",
                                   .column_count = 1,
                                   .columns = columns,
                                   .replica_identity = 'd',
                                   .key_count = 1,
                                   .key = key};
static const pgconvoy_table two = {.oid = 2,
                                   .version = 1,
                                   .schema = "s",
                                   .name = "two",
                                   .column_count = 1,
                                   .columns = columns,
                                   .replica_identity = 'd',
                                   .key_count = 1,
                                   .key = key};

typedef struct fixture {
    char folder[64], path[96], state_dir[96], checkpoint[128];
    int old_stdout;
    pgconvoy_log log;
    pgconvoy_sink_config config;
    pgconvoy_error err;
    void *sink, *writer;
    char content[65536];
} fixture;

static void silent(void *arg, pgconvoy_log_level level, const char *line)
{
    (void)arg, (void)level, (void)line;
}

static void redirect(const char *path, int flags)
{
    int fd = open(path, flags | O_CREAT, 0600);
    assert_true(fd >= 0);
    dup2(fd, STDOUT_FILENO);
    close(fd);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/pgc-stdout-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/out", f->folder);
    snprintf(f->state_dir, sizeof f->state_dir, "%s/state", f->folder);
    snprintf(f->checkpoint, sizeof f->checkpoint, "%s/checkpoint", f->state_dir);
    f->log.write = silent;
    f->config = (pgconvoy_sink_config){.target = "-",
                                       .pipeline_name = "p",
                                       .source_id = "1/db",
                                       .state_dir = f->state_dir,
                                       .writers = 2,
                                       .log = &f->log};
    fflush(stdout);
    f->old_stdout = dup(STDOUT_FILENO);
    redirect(f->path, O_WRONLY | O_APPEND);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    dup2(f->old_stdout, STDOUT_FILENO);
    close(f->old_stdout);
    if (f->writer)
        ops->close_writer(f->writer);
    if (f->sink)
        ops->close(f->sink);
    unlink(f->path);
    unlink(f->checkpoint);
    rmdir(f->state_dir);
    rmdir(f->folder);
    free(f);
    return 0;
}

/* A new process would do this; what the old one had in memory is gone. */
static void start(fixture *f)
{
    if (f->writer)
        ops->close_writer(f->writer);
    if (f->sink)
        ops->close(f->sink);
    f->writer = f->sink = NULL;
    assert_int_equal(ops->open(&f->config, &f->sink, &f->err), 0);
}

static void open_writer(fixture *f)
{
    if (ops->open_writer(f->sink, &f->writer, &f->err) != 0)
        fail_msg("%s", f->err.message);
}

static void prepare(fixture *f, const pgconvoy_table *table)
{
    assert_int_equal(ops->prepare_table(f->sink, table, PGCONVOY_IF_EXISTS_ERROR, &f->err), 0);
}

static void finish(fixture *f, const pgconvoy_table *table)
{
    const pgconvoy_table_status status = {table->schema, table->name, PGCONVOY_TABLE_CATCHING_UP, 10};
    assert_int_equal(ops->finish_table(f->sink, table, &status, &f->err), 0);
}

static void copy(fixture *f, const pgconvoy_table *table, const char *id)
{
    const pgconvoy_value value = {id, (int32_t)strlen(id), PGCONVOY_TEXT};
    const pgconvoy_rows rows = {.table = table, .row_count = 1, .values = &value, .snapshot_lsn = 10};
    assert_int_equal(ops->begin(f->writer, table, &f->err), 0);
    assert_int_equal(ops->write_rows(f->writer, &rows, &f->err), 0);
    assert_int_equal(ops->commit(f->writer, 0, NULL, 0, &f->err), 0);
}

/* count inserts in a transaction that is not committed yet. */
static void insert(fixture *f, int count)
{
    const pgconvoy_transaction transaction = {.xid = 1, .commit_lsn = 20};
    const pgconvoy_value value = {"5", 1, PGCONVOY_TEXT};
    const pgconvoy_change change = {
        .operation = PGCONVOY_INSERT, .transaction = &transaction, .table = &one, .new_ = &value, .lsn = 15};
    const pgconvoy_changes changes = {.items = &change, .count = 1};
    assert_int_equal(ops->begin(f->writer, NULL, &f->err), 0);
    for (int i = 0; i < count; i++)
        assert_int_equal(ops->write_changes(f->writer, &changes, &f->err), 0);
}

static void commit(fixture *f, pgconvoy_lsn lsn)
{
    assert_int_equal(ops->commit(f->writer, lsn, NULL, 0, &f->err), 0);
}

/* How many lines have this in them; "" for all. */
static int lines(fixture *f, const char *part)
{
    FILE *file = fopen(f->path, "r");
    int count = 0;
    while (fgets(f->content, sizeof f->content, file))
        count += strstr(f->content, part) != NULL;
    fclose(file);
    return count;
}

static void append(const char *path, const char *text)
{
    FILE *file = fopen(path, "a");
    fputs(text, file);
    fclose(file);
}

#define MANY 3000 /* inserts that need more than one flush */

static void what_a_crash_left_behind_the_checkpoint_is_cut_off(void **state)
{
    fixture *f = *state;
    start(f);
    open_writer(f);
    insert(f, 1);
    commit(f, 30);
    insert(f, MANY);
    assert_true(lines(f, "") > 1); /* a part of it is out already */
    start(f);
    open_writer(f);
    assert_int_equal(lines(f, ""), 1);
    insert(f, 2);
    commit(f, 40);
    assert_int_equal(lines(f, "\"insert\""), 3);
}

static void opening_alone_cuts_nothing(void **state)
{
    fixture *f = *state;
    start(f);
    open_writer(f);
    insert(f, 1);
    commit(f, 30);
    append(f->path, "{\"op\":\"insert\"}\n");
    start(f); /* a dry run, or a second process that is refused later */
    assert_int_equal(lines(f, ""), 2);
}

static void the_lines_of_others_are_left_alone(void **state)
{
    fixture *f = *state;
    start(f);
    open_writer(f);
    insert(f, 1);
    commit(f, 30);
    append(f->path, "somebody else's line\n");
    start(f);
    open_writer(f);
    assert_int_equal(lines(f, ""), 2);
}

static void another_file_is_left_alone(void **state)
{
    fixture *f = *state;
    char other[128];
    start(f);
    open_writer(f);
    insert(f, 1);
    commit(f, 30);
    snprintf(other, sizeof other, "%s/other", f->folder);
    append(other, "{\"op\":\"insert\",\"and\":\"much longer than what was written to the first file, so that its "
                  "offset lies inside of "
                  "this line, which is none of ours even though it begins like one of them does\"}\n");
    redirect(other, O_WRONLY | O_APPEND);
    start(f);
    open_writer(f);
    strcpy(f->path, other);
    assert_int_equal(lines(f, ""), 1);
    snprintf(other, sizeof other, "%s/out", f->folder);
    unlink(other);
}

static void an_aborted_transaction_leaves_no_line(void **state)
{
    fixture *f = *state;
    start(f);
    open_writer(f);
    insert(f, MANY);
    assert_true(lines(f, "") > 0);
    ops->abort(f->writer);
    assert_int_equal(lines(f, ""), 0);
    insert(f, 1);
    commit(f, 30);
    assert_int_equal(lines(f, ""), 1);
}

static void a_copy_that_begins_again_takes_back_its_lines(void **state)
{
    fixture *f = *state;
    start(f);
    prepare(f, &one);
    prepare(f, &two);
    open_writer(f);
    copy(f, &one, "1");
    copy(f, &two, "2");
    finish(f, &two);
    copy(f, &one, "3"); /* behind the checkpoint */
    start(f);
    prepare(f, &one);
    open_writer(f);
    copy(f, &one, "1");
    finish(f, &one);
    assert_int_equal(lines(f, "\"op\":\"truncate\""), 1);
    assert_int_equal(lines(f, "\"table\":\"one\",\"restarted_copy\":true"), 1);
    assert_int_equal(lines(f, "\"id\":3"), 0);
    assert_int_equal(lines(f, "\"table\":\"two\""), 1);
}

static void a_first_copy_takes_nothing_back(void **state)
{
    fixture *f = *state;
    start(f);
    prepare(f, &one);
    open_writer(f);
    copy(f, &one, "1");
    finish(f, &one);
    assert_int_equal(lines(f, ""), 1);
}

static void a_checkpoint_that_another_process_has_moved_is_not_cut_to(void **state)
{
    fixture *f = *state;
    void *stale, *writer;
    start(f);
    open_writer(f);
    insert(f, 1);
    commit(f, 30);
    assert_int_equal(ops->open(&f->config, &stale, &f->err), 0);
    insert(f, 1);
    commit(f, 40);
    assert_int_equal(ops->open_writer(stale, &writer, &f->err), -1);
    assert_true(f->err.retriable);
    assert_int_equal(lines(f, ""), 2);
    ops->close(stale);
}

static void a_reader_that_has_gone_is_an_error_with_a_hint(void **state)
{
    fixture *f = *state;
    int ends[2];
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[1]);
    close(ends[0]);
    start(f);
    open_writer(f);
    insert(f, 1);
    assert_int_equal(ops->commit(f->writer, 30, NULL, 0, &f->err), -1);
    assert_false(f->err.retriable);
    assert_non_null(strstr(f->err.message, "standard output"));
    assert_non_null(strstr(f->err.hint, "ended"));
    ops->abort(f->writer);
}

static void a_full_disk_is_named(void **state)
{
    fixture *f = *state;
    redirect("/dev/full", O_WRONLY);
    start(f);
    open_writer(f);
    insert(f, 1);
    assert_int_equal(ops->commit(f->writer, 30, NULL, 0, &f->err), -1);
    assert_non_null(strstr(f->err.hint, "space"));
    pgconvoy_checkpoint checkpoint;
    assert_int_equal(ops->read_checkpoint(f->sink, &checkpoint, &f->err), 0);
    assert_int_equal(checkpoint.lsn, 0); /* never more than is out */
}

/* The sink to start from is a whole sink: it goes through the calls of a pipeline. */
static void the_template_is_a_whole_sink(void **state)
{
    fixture *f = *state;
    const pgconvoy_sink *t = &pgc_sink_template;
    void *sink, *writer;
    pgconvoy_checkpoint checkpoint;
    const pgconvoy_table_status live = {"s", "one", PGCONVOY_TABLE_LIVE, 10};
    assert_int_equal(t->open(&f->config, &sink, &f->err), 0);
    assert_int_equal(t->check_table(sink, &one, PGCONVOY_IF_EXISTS_ERROR, &f->err), 0);
    assert_int_equal(t->prepare_table(sink, &one, PGCONVOY_IF_EXISTS_ERROR, &f->err), 0);
    assert_int_equal(t->open_writer(sink, &writer, &f->err), 0);
    assert_int_equal(t->begin(writer, &one, &f->err), 0);
    assert_int_equal(t->commit(writer, 0, NULL, 0, &f->err), 0);
    assert_int_equal(t->finish_table(sink, &one, &live, &f->err), 0);
    assert_int_equal(t->begin(writer, NULL, &f->err), 0);
    t->abort(writer);
    assert_int_equal(t->begin(writer, NULL, &f->err), 0);
    assert_int_equal(t->commit(writer, 50, &live, 1, &f->err), 0);
    t->close_writer(writer);
    t->close(sink);
    assert_int_equal(t->open(&f->config, &sink, &f->err), 0);
    assert_int_equal(t->read_checkpoint(sink, &checkpoint, &f->err), 0);
    assert_int_equal(checkpoint.lsn, 50);
    assert_int_equal(checkpoint.tables[0].state, PGCONVOY_TABLE_LIVE);
    assert_int_equal(t->drop(sink, &f->err), 0);
    t->close(sink);
}

#define HOLDS(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOLDS(what_a_crash_left_behind_the_checkpoint_is_cut_off),
        HOLDS(opening_alone_cuts_nothing),
        HOLDS(the_lines_of_others_are_left_alone),
        HOLDS(another_file_is_left_alone),
        HOLDS(an_aborted_transaction_leaves_no_line),
        HOLDS(a_copy_that_begins_again_takes_back_its_lines),
        HOLDS(a_first_copy_takes_nothing_back),
        HOLDS(a_checkpoint_that_another_process_has_moved_is_not_cut_to),
        HOLDS(a_reader_that_has_gone_is_an_error_with_a_hint),
        HOLDS(a_full_disk_is_named),
        HOLDS(the_template_is_a_whole_sink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
