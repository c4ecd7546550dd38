/*
 * The change stream between a scripted source and a recording sink: what is confirmed, when it commits, how it stops. Both stand-ins are made by hand
 * here because what is tested is the order of calls, which no real server shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "pipeline/run.h"

#include <stdlib.h>
#include <string.h>

/* ---- a source that plays a script of batches */

typedef struct step {
    int inserts;          /* row changes in this batch */
    int commits;          /* COMMITs after them */
    bool at_boundary;
    pgconvoy_lsn position;
    bool fail;            /* the stream breaks here */
} step;

typedef struct script {
    const step *steps;
    size_t count, next;
    atomic_ullong confirmed;
    atomic_int heartbeats;
    pgconvoy_lsn mark;
    pgconvoy_lsn copy_lsn_told;
    pgc_stream_wishes wishes;
    const char *letters; /* instead of steps: one batch, see make_prepared_batch */
} script;

static pgconvoy_column column = {.name = "id"};
static pgconvoy_table table = {.oid = 1, .version = 1, .schema = "public", .name = "t", .column_count = 1, .columns = &column};
static pgconvoy_table table_2 = {.oid = 1, .version = 2, .schema = "public", .name = "t", .column_count = 1, .columns = &column};

static pgc_change_batch *make_batch(const step *step)
{
    pgc_arena *arena = pgc_arena_new(4096);
    pgc_change_batch *batch = pgc_arena_zalloc(arena, sizeof *batch);
    pgconvoy_transaction *transaction = pgc_arena_zalloc(arena, sizeof *transaction);
    transaction->commit_time = 1000000;
    size_t count = (size_t)(step->inserts + step->commits);
    pgconvoy_change *items = pgc_arena_zalloc(arena, (count + 1) * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        items[i].operation = i < (size_t)step->inserts ? PGCONVOY_INSERT : PGCONVOY_COMMIT;
        items[i].table = &table;
        items[i].transaction = transaction;
    }
    batch->arena = arena;
    batch->changes = (pgconvoy_changes){.items = items, .count = count};
    batch->bytes = 4096;
    batch->row_changes = step->inserts;
    batch->at_boundary = step->at_boundary;
    batch->position = step->position;
    return batch;
}

/*
 * A letter for each change: b begins a transaction that is prepared by P, B one that is committed by C, t one that is in progress, and is committed by C
 * or taken back by X; i is an insert; K and R end what was prepared.
 * Those that end something are at 110, 120 …
 */
static pgc_change_batch *make_lettered_batch(const char *letters)
{
    static const char known[] = "BbtiPCKRX";
    static const pgconvoy_operation operations[] = {PGCONVOY_BEGIN,  PGCONVOY_BEGIN,           PGCONVOY_BEGIN,             PGCONVOY_INSERT,  PGCONVOY_PREPARE,
                                                    PGCONVOY_COMMIT, PGCONVOY_COMMIT_PREPARED, PGCONVOY_ROLLBACK_PREPARED, PGCONVOY_ROLLBACK};
    step step = {.at_boundary = true, .inserts = (int)strlen(letters), .position = 100};
    pgc_change_batch *batch = make_batch(&step);
    pgconvoy_change *items = (pgconvoy_change *)batch->changes.items;
    pgconvoy_transaction *transaction = NULL;
    for (size_t i = 0; letters[i]; i++) {
        if (strchr("BbtKR", letters[i])) {
            transaction = pgc_arena_zalloc(batch->arena, sizeof *transaction);
            *transaction = (pgconvoy_transaction){.xid = 7, .commit_time = 1000000, .gid = strchr("Bt", letters[i]) ? NULL : "it", .in_progress = letters[i] == 't'};
        }
        items[i].operation = (uint8_t)operations[strchr(known, letters[i]) - known];
        items[i].transaction = transaction;
        if (strchr("PCKR", letters[i]))
            transaction->end_lsn = batch->position += 10;
    }
    return batch;
}

static int script_next(void *source, int timeout_ms, pgc_change_batch **batch, pgconvoy_error *err)
{
    script *script = source;
    if (script->letters && script->next++ == 0) {
        *batch = make_lettered_batch(script->letters);
        return 1;
    }
    if (script->letters || script->next >= script->count) {
        pgc_clock_sleep_ms(timeout_ms > 5 ? 5 : timeout_ms);
        return 0;
    }
    const step *step = &script->steps[script->next++];
    if (step->fail) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONNECTION, "the script breaks");
        pgconvoy_error_retriable(err, true);
        return -1;
    }
    *batch = make_batch(step);
    return 1;
}

static void script_confirm(void *source, pgconvoy_lsn lsn)
{
    atomic_store(&((script *)source)->confirmed, lsn);
}

static int script_heartbeat(void *source, pgconvoy_error *err)
{
    (void)err;
    atomic_fetch_add(&((script *)source)->heartbeats, 1);
    return 0;
}

static int script_begin(void *source, pgconvoy_lsn from, const pgc_stream_wishes *wishes, pgconvoy_error *err)
{
    (void)from, (void)err;
    ((script *)source)->wishes = *wishes;
    return 0;
}

static void script_wake(void *source)
{
    (void)source;
}

static void script_end(void *source)
{
    (void)source;
}

static int script_health(void *source, pgc_source_health *health, pgconvoy_error *err)
{
    (void)source, (void)err;
    *health = (pgc_source_health){.end_of_wal = 1};
    return 0;
}

static int script_mark(void *source, pgconvoy_lsn *lsn, pgconvoy_error *err)
{
    (void)err;
    *lsn = ((script *)source)->mark;
    return 0;
}

static void script_copy_lsn(void *source, const pgconvoy_table *table, pgconvoy_lsn lsn)
{
    (void)table;
    ((script *)source)->copy_lsn_told = lsn;
}

static int script_prepared(void *source, const pgconvoy_prepared *prepared, size_t count, pgconvoy_lsn from, pgconvoy_error *err)
{
    (void)prepared, (void)err;
    assert_int_equal(count, 1);
    ((script *)source)->copy_lsn_told = from;
    return 0;
}

static const pgc_source_ops script_ops = {
    .name = "script",
    .stream_begin = script_begin,
    .stream_next = script_next,
    .stream_wake = script_wake,
    .stream_heartbeat = script_heartbeat,
    .stream_confirm = script_confirm,
    .stream_end = script_end,
    .stream_set_copy_lsn = script_copy_lsn,
    .stream_set_prepared = script_prepared,
    .health = script_health,
    .mark_position = script_mark,
};

/* ---- a sink that writes down what happens: b begin, i insert, s schema, c commit, a abort, d made durable; B P K R, a prepared transaction's steps */

typedef struct record {
    char calls[256];
    pgconvoy_lsn committed[32];
    pgconvoy_table_state live_state[32];
    int commits;
    int events;
    script *script;
    atomic_bool *stop;
    int slow_ms;
    bool confirmed_too_early;
    bool fail_write;
    int good_writes; /* before that */
    pgconvoy_lsn durable; /* of a sink that commits first: */
    bool fail_durable;
} record;

static void note(record *record, char call)
{
    size_t length = strlen(record->calls);
    if (length + 1 < sizeof record->calls && (length == 0 || call != 'i' || record->calls[length - 1] != 'i'))
        record->calls[length] = call;
}

static pgconvoy_format record_format(void *sink, const pgconvoy_column *column)
{
    (void)sink, (void)column;
    return PGCONVOY_TEXT;
}

static int record_open_writer(void *sink, void **writer, pgconvoy_error *err)
{
    (void)err;
    *writer = sink;
    return 0;
}

static int record_begin(void *writer, const pgconvoy_table *table, pgconvoy_error *err)
{
    (void)table, (void)err;
    note(writer, 'b');
    return 0;
}

static int record_changes(void *writer, const pgconvoy_changes *changes, pgconvoy_error *err)
{
    record *record = writer;
    for (size_t i = 0; i < changes->count; i++) {
        record->events += changes->items[i].operation != PGCONVOY_INSERT;
        note(record, 'i');
    }
    pgc_clock_sleep_ms(record->slow_ms);
    if (record->fail_write && record->good_writes-- <= 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "the record is full");
        return -1;
    }
    return 0;
}

static int record_schema(void *writer, const pgconvoy_table *old_table, const pgconvoy_table *new_table, pgconvoy_error *err)
{
    (void)err;
    assert_ptr_equal(old_table, &table);
    assert_ptr_equal(new_table, &table_2);
    note(writer, 's');
    return 0;
}

static int record_commit(void *writer, pgconvoy_lsn lsn, const pgconvoy_table_status *tables, size_t count, pgconvoy_error *err)
{
    (void)err;
    record *record = writer;
    if (atomic_load(&record->script->confirmed) >= lsn)
        record->confirmed_too_early = true;
    record->live_state[record->commits] = count > 0 ? tables[0].state : PGCONVOY_TABLE_WAITING;
    record->committed[record->commits++] = lsn;
    note(record, 'c');
    return 0;
}

static int record_late_commit(void *writer, pgconvoy_lsn lsn, const pgconvoy_table_status *tables, size_t count, pgconvoy_error *err)
{
    record *record = writer;
    record->confirmed_too_early |= atomic_load(&record->script->confirmed) > record->durable;
    return record_commit(writer, lsn, tables, count, err) != 0 ? -1 : 1;
}

static int record_make_durable(void *writer, pgconvoy_error *err)
{
    record *record = writer;
    record->confirmed_too_early |= atomic_load(&record->script->confirmed) > record->durable;
    note(record, 'd');
    if (record->fail_durable && record->commits > 0) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "the disk is full");
        return -1;
    }
    if (record->commits > 0)
        record->durable = record->committed[record->commits - 1];
    return 0;
}

static int record_read_prepared(void *sink, const pgconvoy_prepared **prepared, size_t *count, pgconvoy_error *err)
{
    static const pgconvoy_prepared one = {.xid = 9, .lsn = 50};
    (void)sink, (void)err;
    *prepared = &one;
    *count = 1;
    return 0;
}

static int record_begin_prepared(void *writer, const pgconvoy_transaction *transaction, pgconvoy_error *err)
{
    assert_string_equal(transaction->gid, "it");
    (void)err;
    note(writer, 'B');
    return 0;
}

static int record_prepare(void *writer, const pgconvoy_transaction *transaction, pgconvoy_error *err)
{
    int failed = record_commit(writer, transaction->end_lsn, NULL, 0, err);
    ((record *)writer)->calls[strlen(((record *)writer)->calls) - 1] = 'P';
    return failed;
}

static int record_end_prepared(void *writer, const pgconvoy_transaction *transaction, bool commit, pgconvoy_error *err)
{
    int failed = record_commit(writer, transaction->end_lsn, NULL, 0, err);
    ((record *)writer)->calls[strlen(((record *)writer)->calls) - 1] = commit ? 'K' : 'R';
    return failed;
}

static void record_abort(void *writer)
{
    note(writer, 'a');
}

static void record_close(void *writer)
{
    (void)writer;
}

#define RECORD RECORD_THAT(record_commit)
#define RECORD_THAT(commits)                                                                                           \
    .version = PGCONVOY_SINK_VERSION, .column_format = record_format, .open_writer = record_open_writer,              \
    .begin = record_begin, .write_changes = record_changes, .change_schema = record_schema, .commit = commits,         \
    .abort = record_abort, .close_writer = record_close

static const pgconvoy_sink record_ops = {
    .name = "record",
    RECORD,
};

static const pgconvoy_sink late_ops = {
    .name = "record that commits first",
    RECORD_THAT(record_late_commit),
    .make_durable = record_make_durable,
};

static const pgconvoy_sink tentative_ops = {
    .name = "record that takes back",
    .capabilities = PGCONVOY_SINK_TENTATIVE,
    RECORD,
};

static const pgconvoy_sink preparing_ops = {
    .name = "preparing record",
    .capabilities = PGCONVOY_SINK_TWO_PHASE,
    RECORD,
    .read_prepared = record_read_prepared,
    .begin_prepared = record_begin_prepared,
    .prepare = record_prepare,
    .end_prepared = record_end_prepared,
};

/* ---- running */

typedef struct fixture {
    script script;
    record record;
    pgc_options options;
    pgc_counters counters;
    atomic_bool stop;
    pgconvoy_log log;
    pgc_table_state state;
    pgc_run run;
    pgconvoy_error err;
} fixture;

static void ignore_log(void *arg, pgconvoy_log_level level, const char *line)
{
    (void)arg, (void)level, (void)line;
}

static fixture *prepare(const step *steps, size_t count, pgconvoy_lsn until)
{
    fixture *f = calloc(1, sizeof *f);
    f->script.steps = steps;
    f->script.count = count;
    f->record.script = &f->script;
    pgc_options_init(&f->options);
    f->options.until = until ? PGC_UNTIL_LSN : PGC_UNTIL_STOPPED;
    f->options.until_lsn = until;
    f->log.write = ignore_log;
    atomic_store(&f->state.table, &table);
    atomic_store(&f->state.state, PGCONVOY_TABLE_CATCHING_UP);
    f->state.copy_lsn = 150;
    f->run = (pgc_run){.options = &f->options, .log = &f->log, .source_ops = &script_ops, .source = &f->script,
                       .sink_ops = &record_ops, .sink = &f->record, .states = {&f->state, 1}, .counters = &f->counters,
                       .stop = &f->stop, .lsn = 100};
    return f;
}

static void nothing_is_confirmed_before_the_sink_has_committed_it(void **state)
{
    (void)state;
    static const step steps[] = {{2, 1, true, 200, false}, {1, 1, true, 300, false}};
    fixture *f = prepare(steps, 2, 300);
    assert_int_equal(pgc_change_stream_run(&f->run, &f->err), 0);
    assert_false(f->record.confirmed_too_early);
    assert_true(atomic_load(&f->script.confirmed) == 300);
    assert_true(f->record.committed[f->record.commits - 1] == 300);
    assert_int_equal(atomic_load(&f->counters.changes), 3);
    assert_int_equal(atomic_load(&f->counters.transactions), 2);
    free(f);
}

/* At the end, and at the beginning for what an earlier process had left. */
static void what_is_committed_is_confirmed_once_it_is_durable(void **state)
{
    (void)state;
    static const step steps[] = {{2, 1, true, 200, false}, {1, 1, true, 300, false}};
    fixture *f = prepare(steps, 2, 300);
    f->run.sink_ops = &late_ops;
    assert_int_equal(pgc_change_stream_run(&f->run, &f->err), 0);
    assert_false(f->record.confirmed_too_early);
    assert_true(atomic_load(&f->script.confirmed) == 300);
    assert_true(f->record.durable == 300);
    assert_true(atomic_load(&f->counters.durable_lsn) == 300);
    assert_int_equal(f->record.calls[0], 'd');
    assert_int_equal(f->record.calls[strlen(f->record.calls) - 1], 'd');
    assert_int_equal(atomic_load(&f->counters.changes), 3);
    assert_int_equal(atomic_load(&f->counters.transactions), 2);
    free(f);
}

static void *stop_when_confirmed(void *arg)
{
    fixture *f = arg;
    for (int i = 0; i < 1000 && atomic_load(&f->script.confirmed) < 200; i++)
        pgc_clock_sleep_ms(10);
    atomic_store(&f->stop, true);
    return NULL;
}

static void what_is_committed_is_durable_soon_though_nothing_more_comes(void **state)
{
    (void)state;
    static const step steps[] = {{2, 1, true, 200, false}};
    fixture *f = prepare(steps, 1, 0);
    f->run.sink_ops = &late_ops;
    pthread_t thread;
    pthread_create(&thread, NULL, stop_when_confirmed, f);
    assert_int_equal(pgc_change_stream_run(&f->run, &f->err), 0);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&f->script.confirmed) == 200);
    assert_string_equal(f->record.calls, "dbicd"); /* once, and not again at the end */
    assert_false(f->record.confirmed_too_early);
    free(f);
}

static void what_cannot_be_made_durable_is_not_confirmed(void **state)
{
    (void)state;
    static const step steps[] = {{2, 1, true, 200, false}};
    fixture *f = prepare(steps, 1, 0);
    f->run.sink_ops = &late_ops;
    f->record.fail_durable = true;
    assert_int_equal(pgc_change_stream_run(&f->run, &f->err), -1);
    assert_string_equal(f->err.message, "the disk is full");
    assert_true(atomic_load(&f->script.confirmed) == 0);
    assert_true(atomic_load(&f->counters.durable_lsn) == 100);
    free(f);
}

static void a_sink_transaction_ends_only_at_a_transaction_boundary(void **state)
{
    (void)state;
    static const step steps[] = {{5, 0, false, 0, false}, {5, 0, false, 0, false}, {5, 1, true, 200, false}};
    fixture *f = prepare(steps, 3, 200);
    f->record.slow_ms = 30; /* the queue runs empty in the middle of the transaction */
    assert_int_equal(pgc_change_stream_run(&f->run, &f->err), 0);
    assert_string_equal(f->record.calls, "bic");
    assert_int_equal(f->record.commits, 1);
    free(f);
}

static void events_stay_away_from_a_sink_that_does_not_keep_them(void **state)
{
    (void)state;
    static const step steps[] = {{2, 1, true, 200, false}};
    fixture *f = prepare(steps, 1, 200);
    assert_int_equal(pgc_change_stream_run(&f->run, &f->err), 0);
    assert_int_equal(f->record.events, 0);
    free(f);
}

static void an_idle_position_is_committed_before_it_is_confirmed(void **state)
{
    (void)state;
    static const step steps[] = {{0, 0, true, 500, false}};
    fixture *f = prepare(steps, 1, 500);
    assert_int_equal(pgc_change_stream_run(&f->run, &f->err), 0);
    assert_string_equal(f->record.calls, "bc");
    assert_true(f->record.committed[0] == 500);
    assert_true(atomic_load(&f->script.confirmed) == 500);
    free(f);
}

static void a_table_is_live_once_the_stream_has_passed_its_copy(void **state)
{
    (void)state;
    static const step early[] = {{1, 1, true, 140, false}};
    fixture *f = prepare(early, 1, 140);
    assert_int_equal(pgc_change_stream_run(&f->run, &f->err), 0);
    assert_int_equal(f->record.live_state[0], PGCONVOY_TABLE_WAITING);
    assert_int_equal(atomic_load(&f->state.state), PGCONVOY_TABLE_CATCHING_UP);
    assert_true(f->script.copy_lsn_told == 150);
    free(f);
    static const step late[] = {{1, 1, true, 150, false}};
    f = prepare(late, 1, 150);
    assert_int_equal(pgc_change_stream_run(&f->run, &f->err), 0);
    assert_int_equal(f->record.live_state[0], PGCONVOY_TABLE_LIVE);
    assert_int_equal(atomic_load(&f->state.state), PGCONVOY_TABLE_LIVE);
    free(f);
}

static void a_broken_stream_aborts_what_is_half_written(void **state)
{
    (void)state;
    static const step steps[] = {{5, 0, false, 0, false}, {0, 0, false, 0, true}};
    fixture *f = prepare(steps, 2, 0);
    assert_int_equal(pgc_change_stream_run(&f->run, &f->err), -1);
    assert_string_equal(f->record.calls, "bia");
    assert_string_equal(f->err.message, "the script breaks");
    assert_true(f->err.retriable);
    assert_true(atomic_load(&f->script.confirmed) == 0);
    free(f);
}

static void a_failing_sink_ends_the_stream_with_its_reason(void **state)
{
    (void)state;
    static const step steps[] = {{1, 1, true, 200, false}, {1, 1, true, 300, false}};
    fixture *f = prepare(steps, 2, 0);
    f->record.fail_write = true;
    assert_int_equal(pgc_change_stream_run(&f->run, &f->err), -1);
    assert_string_equal(f->err.message, "the record is full");
    assert_true(atomic_load(&f->script.confirmed) == 0);
    assert_non_null(strchr(f->record.calls, 'a'));
    free(f);
}

static void *stop_soon(void *arg)
{
    pgc_clock_sleep_ms(100);
    atomic_store((atomic_bool *)arg, true);
    return NULL;
}

static void stop_leaves_a_half_transaction_for_the_next_run(void **state)
{
    (void)state;
    static const step steps[] = {{1, 1, true, 200, false}, {5, 0, false, 0, false}};
    fixture *f = prepare(steps, 2, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, stop_soon, &f->stop);
    assert_int_equal(pgc_change_stream_run(&f->run, &f->err), 0);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&f->script.confirmed) <= 200);
    assert_int_equal(f->record.calls[strlen(f->record.calls) - 1], 'a');
    free(f);
}

/* What came before each step is committed, and what comes after it begins anew. */
static void each_step_of_a_prepared_transaction_is_by_itself(void **state)
{
    (void)state;
    fixture *f = prepare(NULL, 0, 150);
    f->run.sink_ops = &preparing_ops;
    f->run.ahead_lsn = 105;
    f->options.two_phase = true;
    f->script.letters = "BiCbiPBiCRK";
    assert_int_equal(pgc_change_stream_run(&f->run, &f->err), 0);
    assert_string_equal(f->record.calls, "bicBiPbicRK");
    static const pgconvoy_lsn expected[] = {110, 120, 130, 140, 150};
    assert_int_equal(f->record.commits, 5);
    assert_memory_equal(f->record.committed, expected, sizeof expected);
    assert_false(f->record.confirmed_too_early);
    assert_true(atomic_load(&f->script.confirmed) == 150);
    assert_int_equal(atomic_load(&f->counters.prepared), 0); /* one that was there, one more, two that ended */
    assert_int_equal(atomic_load(&f->counters.transactions), 3);
    free(f);
}

static void a_stream_without_two_phase_does_not_go_on_where_something_is_prepared(void **state)
{
    (void)state;
    static const step steps[] = {{1, 1, true, 200, false}};
    fixture *f = prepare(steps, 1, 200);
    f->run.sink_ops = &preparing_ops;
    assert_int_equal(pgc_change_stream_run(&f->run, &f->err), -1);
    assert_int_equal(f->err.code, PGCONVOY_ERROR_STATE);
    assert_non_null(strstr(f->err.hint, "--two-phase"));
    assert_string_equal(f->record.calls, "");
    free(f);
}

static fixture *prepare_tentative(const char *letters, pgconvoy_lsn until)
{
    fixture *f = prepare(NULL, 0, until);
    f->run.sink_ops = &tentative_ops;
    f->script.letters = letters;
    return f;
}

/* What came before it is committed first, so that only its own changes are taken back; what is still in the batch then is not even written. */
static void a_transaction_in_progress_is_alone_and_may_be_taken_back(void **state)
{
    (void)state;
    fixture *f = prepare_tentative("BiCtiXtXBiCtiCBiC", 140);
    assert_int_equal(pgc_change_stream_run(&f->run, &f->err), 0);
    assert_string_equal(f->record.calls, "bicbababicbic");
    static const pgconvoy_lsn expected[] = {110, 120, 140}; /* what comes after its commit may go with it */
    assert_int_equal(f->record.commits, 3);
    assert_memory_equal(f->record.committed, expected, sizeof expected);
    assert_false(f->record.confirmed_too_early);
    assert_int_equal(atomic_load(&f->counters.transactions), 4);
    assert_true(f->script.wishes.tentative_from == 100);
    free(f);
}

static void a_failure_of_one_in_progress_is_told_apart(void **state)
{
    (void)state;
    static const char *const letters[] = {"BiC", "BiCti", "BiCtiXBi", "tiCBi"};
    static const bool expected[] = {false, true, false, false};
    static const int good[] = {0, 1, 1, 0}; /* writes before the one that fails */
    for (int i = 0; i < 4; i++) {
        fixture *f = prepare_tentative(letters[i], 0);
        f->record.fail_write = true;
        f->record.good_writes = good[i];
        assert_int_equal(pgc_change_stream_run(&f->run, &f->err), -1);
        assert_true(f->run.failed_in_progress == expected[i]);
        free(f);
    }
}

static pgconvoy_lsn wished(fixture *f)
{
    f->script.letters = "BiC";
    assert_int_equal(pgc_change_stream_run(&f->run, &f->err), 0);
    pgconvoy_lsn from = f->script.wishes.tentative_from;
    free(f);
    return from;
}

static void transactions_in_progress_are_asked_for_where_they_can_be_taken_back(void **state)
{
    (void)state;
    fixture *f = prepare_tentative(NULL, 110);
    f->run.ahead_lsn = 105; /* other connections may have more than the position tells */
    assert_int_equal(wished(f), 105);
    f = prepare_tentative(NULL, 110);
    f->run.sink_ops = &record_ops;
    assert_int_equal(wished(f), 0);
    f = prepare_tentative(NULL, 110);
    f->run.waits_for_commits = true;
    assert_int_equal(wished(f), 0);
    f = prepare_tentative(NULL, 110);
    f->options.apply_jobs = 2;
    assert_int_equal(wished(f), 0);
    f = prepare_tentative(NULL, 110);
    f->options.on_conflict = "error";
    assert_int_equal(wished(f), 0);
    f = prepare_tentative(NULL, 110);
    f->options.on_conflict = "source";
    assert_int_equal(wished(f), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_confirmed_before_the_sink_has_committed_it),
        cmocka_unit_test(what_is_committed_is_confirmed_once_it_is_durable),
        cmocka_unit_test(what_is_committed_is_durable_soon_though_nothing_more_comes),
        cmocka_unit_test(what_cannot_be_made_durable_is_not_confirmed),
        cmocka_unit_test(a_sink_transaction_ends_only_at_a_transaction_boundary),
        cmocka_unit_test(events_stay_away_from_a_sink_that_does_not_keep_them),
        cmocka_unit_test(an_idle_position_is_committed_before_it_is_confirmed),
        cmocka_unit_test(a_table_is_live_once_the_stream_has_passed_its_copy),
        cmocka_unit_test(a_broken_stream_aborts_what_is_half_written),
        cmocka_unit_test(a_failing_sink_ends_the_stream_with_its_reason),
        cmocka_unit_test(stop_leaves_a_half_transaction_for_the_next_run),
        cmocka_unit_test(each_step_of_a_prepared_transaction_is_by_itself),
        cmocka_unit_test(a_stream_without_two_phase_does_not_go_on_where_something_is_prepared),
        cmocka_unit_test(a_transaction_in_progress_is_alone_and_may_be_taken_back),
        cmocka_unit_test(a_failure_of_one_in_progress_is_told_apart),
        cmocka_unit_test(transactions_in_progress_are_asked_for_where_they_can_be_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
