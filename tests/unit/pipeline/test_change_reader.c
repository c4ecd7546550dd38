/* Who reads from the source: one thread at a time, in order, whatever the other is doing. The source is made by hand, as it has to say who asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "pipeline/change_reader.h"

#include <pthread.h>
#include <stdlib.h>

#define FEW  ((size_t)500)
#define MANY ((size_t)1 << 20)

typedef struct source {
    size_t (*bytes)(unsigned number); /* of a batch */
    unsigned count, next;             /* then it fails, where it is to, or nothing more comes */
    int pause_ms;                     /* before each */
    bool fails;
    pthread_t writer;
    atomic_bool busy;
    atomic_int twice, by_writer, by_other, asked_by_other;
} source;

static int source_next(void *state, int timeout_ms, pgc_change_batch **batch, pgconvoy_error *err)
{
    source *source = state;
    bool by_writer = pthread_equal(pthread_self(), source->writer);
    atomic_fetch_add(&source->twice, atomic_exchange(&source->busy, true) ? 1 : 0);
    atomic_fetch_add(&source->asked_by_other, by_writer ? 0 : 1);
    int got = source->next < source->count;
    pgc_clock_sleep_ms(got ? source->pause_ms : timeout_ms < 5 ? timeout_ms : 5);
    if (got) {
        pgc_arena *arena = pgc_arena_new(1024);
        *batch = pgc_arena_zalloc(arena, sizeof **batch);
        **batch = (pgc_change_batch){.arena = arena, .bytes = source->bytes(source->next), .at_boundary = true, .position = ++source->next};
        atomic_fetch_add(by_writer ? &source->by_writer : &source->by_other, 1);
    } else if (source->fails) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONNECTION, "the source breaks");
        got = -1;
    }
    atomic_store(&source->busy, false);
    return got;
}

static int source_heartbeat(void *state, pgconvoy_error *err)
{
    (void)state, (void)err;
    return 0;
}

static void source_wake(void *state)
{
    (void)state;
}

static const pgc_source_ops source_ops = {.name = "hand-made", .stream_next = source_next, .stream_heartbeat = source_heartbeat, .stream_wake = source_wake};

typedef struct fixture {
    source source;
    pgc_options options;
    pgc_counters counters;
    pgc_run run;
    pgc_change_reader *reader;
    unsigned taken;
    pgconvoy_error err;
} fixture;

static fixture *begin(source source)
{
    fixture *f = calloc(1, sizeof *f);
    f->source = source;
    f->source.writer = pthread_self();
    pgc_options_init(&f->options);
    f->run = (pgc_run){.options = &f->options, .source_ops = &source_ops, .source = &f->source, .counters = &f->counters};
    f->reader = pgc_change_reader_start(&f->run, &f->err);
    assert_non_null(f->reader);
    return f;
}

/* One batch, which must be the next. */
static void take(fixture *f)
{
    pgc_change_batch *batch;
    pgc_queue_result got;
    while ((got = pgc_change_reader_next(f->reader, 20, &batch)) == PGC_QUEUE_TIMEOUT) {
    }
    assert_int_equal(got, PGC_QUEUE_OK);
    assert_true(batch->position == ++f->taken);
    pgc_change_batch_free(batch);
}

static void end(fixture *f)
{
    pgc_change_reader_end(f->reader);
    assert_int_equal(atomic_load(&f->source.twice), 0);
    free(f);
}

static size_t few(unsigned number)
{
    (void)number;
    return FEW;
}

static size_t many(unsigned number)
{
    (void)number;
    return MANY;
}

/* Bursts of large batches between quiet ones. */
static size_t mixed(unsigned number)
{
    return number % 97 < 20 ? MANY : FEW;
}

static void batches_come_in_order_whoever_reads_them(void **state)
{
    (void)state;
    fixture *f = begin((source){.bytes = mixed, .count = 3000});
    while (f->taken < f->source.count) {
        take(f);
        if (f->taken % 500 == 0)
            pgc_clock_sleep_ms(120); /* so that the other takes over */
    }
    assert_true(atomic_load(&f->counters.received_lsn) == 3000);
    assert_true(atomic_load(&f->source.by_writer) > 0);
    assert_true(atomic_load(&f->source.by_other) > 0);
    end(f);
}

static void a_quiet_stream_is_read_by_who_writes(void **state)
{
    (void)state;
    fixture *f = begin((source){.bytes = few, .count = 40, .pause_ms = 2});
    while (f->taken < f->source.count)
        take(f);
    assert_true(atomic_load(&f->source.by_other) >= 1); /* at its beginning there may be a backlog */
    assert_true(atomic_load(&f->source.by_writer) >= 5);
    end(f);
}

static void much_is_read_beside_the_writing(void **state)
{
    (void)state;
    fixture *f = begin((source){.bytes = many, .count = 40});
    while (f->taken < f->source.count)
        take(f);
    assert_int_equal(atomic_load(&f->source.by_writer), 0);
    end(f);
}

static void the_source_is_heard_while_the_writing_takes_long(void **state)
{
    (void)state;
    fixture *f = begin((source){.bytes = few, .count = 30, .pause_ms = 2});
    while (f->taken < 10)
        take(f);
    int before = atomic_load(&f->source.asked_by_other);
    for (int waited = 0; waited < 5000 && atomic_load(&f->source.asked_by_other) <= before; waited += 10)
        pgc_clock_sleep_ms(10);
    assert_true(atomic_load(&f->source.asked_by_other) > before);
    while (f->taken < f->source.count)
        take(f);
    end(f);
}

static void a_failure_comes_after_all_that_was_read(void **state)
{
    (void)state;
    size_t (*const kinds[])(unsigned) = {few, many};
    for (int i = 0; i < 2; i++) {
        fixture *f = begin((source){.bytes = kinds[i], .count = 10, .fails = true});
        while (f->taken < f->source.count)
            take(f);
        pgc_change_batch *batch;
        pgc_queue_result got;
        while ((got = pgc_change_reader_next(f->reader, 20, &batch)) == PGC_QUEUE_TIMEOUT) {
        }
        assert_int_equal(got, PGC_QUEUE_CLOSED);
        assert_string_equal(pgc_change_reader_failure(f->reader)->message, "the source breaks");
        assert_int_equal(pgc_change_reader_next(f->reader, 20, &batch), PGC_QUEUE_CLOSED);
        end(f);
    }
}

static size_t huge(unsigned number)
{
    return number % 3 == 1 ? (size_t)1 << 40 : MANY;
}

static void a_huge_batch_is_written_before_more_is_read(void **state)
{
    (void)state;
    fixture *f = begin((source){.bytes = huge, .count = 12});
    while (f->taken < f->source.count) {
        take(f);
        pgc_clock_sleep_ms(20); /* time for the other to read on */
        int there = atomic_load(&f->source.by_writer) + atomic_load(&f->source.by_other);
        unsigned next_huge = f->taken / 3 * 3 + 2; /* counted from 1: the second, the fifth … */
        assert_true(there <= (int)next_huge);
        if (huge(f->taken - 1) > MANY)
            assert_int_equal(there, f->taken);
    }
    end(f);
}

static void a_huge_batch_in_hand_stops_nobody_from_ending(void **state)
{
    (void)state;
    fixture *f = begin((source){.bytes = huge, .count = 12});
    take(f);
    take(f);
    end(f);
}

static void it_ends_with_much_unread(void **state)
{
    (void)state;
    fixture *f = begin((source){.bytes = many, .count = 100000});
    take(f);
    assert_null(pgc_change_reader_failure(f->reader));
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_come_in_order_whoever_reads_them),
        cmocka_unit_test(a_quiet_stream_is_read_by_who_writes),
        cmocka_unit_test(much_is_read_beside_the_writing),
        cmocka_unit_test(the_source_is_heard_while_the_writing_takes_long),
        cmocka_unit_test(a_failure_comes_after_all_that_was_read),
        cmocka_unit_test(a_huge_batch_is_written_before_more_is_read),
        cmocka_unit_test(a_huge_batch_in_hand_stops_nobody_from_ending),
        cmocka_unit_test(it_ends_with_much_unread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
