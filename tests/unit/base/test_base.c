/* The ground floor: arenas, buffers, queues, LSN text, errors, time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/background.h"
#include "base/bell.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/grow.h"
#include "base/log.h"
#include "base/queue.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

static void an_arena_gives_aligned_memory_that_does_not_overlap(void **state)
{
    (void)state;
    pgc_arena *arena = pgc_arena_new(1024);
    char *last = NULL;
    for (int i = 1; i < 500; i++) {
        char *p = pgc_arena_alloc(arena, (size_t)i);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        memset(p, i & 0xff, (size_t)i);
        if (last)
            assert_int_equal((unsigned char)last[0], (i - 1) & 0xff);
        last = p;
    }
    assert_int_equal(pgc_arena_used(arena), 499 * 500 / 2);
    pgc_arena_reset(arena);
    assert_int_equal(pgc_arena_used(arena), 0);
    pgc_arena_free(arena);
}

static void an_arena_keeps_what_it_needs_again(void **state)
{
    (void)state;
    enum { BLOCKS = 8, KEPT = 4 };
    pgc_arena *arena = pgc_arena_new(1024);
    char *first[BLOCKS];
    int again = 0;
    pgc_arena_keep(arena, KEPT * 1024);
    for (int i = 0; i < BLOCKS; i++)
        assert_non_null(first[i] = pgc_arena_alloc(arena, 1024));
    pgc_arena_reset(arena);
    assert_int_equal(pgc_arena_used(arena), 0);
    for (int i = 0; i < KEPT + 1; i++) {
        char *p = pgc_arena_alloc(arena, 1024);
        for (int k = 0; k < BLOCKS; k++)
            again += p == first[k];
        memset(p, i, 1024);
    }
    assert_int_equal(again, KEPT + 1);
    pgc_arena_reset(arena);
    pgc_arena_reset(arena); /* what was not needed goes back */
    memset(pgc_arena_alloc(arena, 5000), 1, 5000);
    pgc_arena_free(arena);
}

static int released;

static void release(void *memory)
{
    released++;
    free(memory);
}

static void an_arena_gives_back_what_it_adopted(void **state)
{
    (void)state;
    pgc_arena *arena = pgc_arena_new(1024);
    released = 0;
    for (int round = 1; round <= 2; round++) {
        for (int i = 0; i < 3; i++)
            assert_int_equal(pgc_arena_adopt(arena, malloc(5000), 5000, release), 0);
        assert_true(pgc_arena_used(arena) >= 15000);
        memset(pgc_arena_alloc(arena, 2000), 1, 2000);
        if (round == 1)
            pgc_arena_reset(arena);
        else
            pgc_arena_free(arena);
        assert_int_equal(released, 3 * round);
    }
}

static void an_outsized_allocation_leaves_the_current_block_in_use(void **state)
{
    (void)state;
    pgc_arena *arena = pgc_arena_new(1024);
    char *small = pgc_arena_alloc(arena, 16);
    char *large = pgc_arena_alloc(arena, 100000);
    memset(large, 1, 100000);
    char *next = pgc_arena_alloc(arena, 16);
    assert_ptr_equal(next, small + 16);
    pgc_arena_free(arena);
}

static void an_arena_refuses_a_size_that_wraps(void **state)
{
    (void)state;
    pgc_arena *arena = pgc_arena_new(1024);
    assert_null(pgc_arena_alloc(arena, SIZE_MAX - 8));
    assert_null(pgc_arena_strndup(arena, "", SIZE_MAX));
    pgc_arena_free(arena);
}

static void a_buffer_stops_at_its_maximum_and_remembers(void **state)
{
    (void)state;
    pgc_buffer buffer;
    pgconvoy_error err = {0};
    pgc_buffer_init(&buffer, 100);
    pgc_buffer_text(&buffer, "0123456789");
    pgc_buffer_format(&buffer, "%d-%s", 42, "x");
    assert_string_equal(buffer.data, "012345678942-x");
    assert_int_equal(pgc_buffer_check(&buffer, &err), 0);
    for (int i = 0; i < 200; i++)
        pgc_buffer_byte(&buffer, 'y');
    assert_true(buffer.length < 100);
    assert_int_equal(pgc_buffer_check(&buffer, &err), -1);
    assert_int_equal(err.code, PGCONVOY_ERROR_RESOURCE);
    pgc_buffer_reset(&buffer);
    assert_int_equal(pgc_buffer_check(&buffer, &err), 0);
    pgc_buffer_free(&buffer);
}

static void an_lsn_survives_its_text(void **state)
{
    (void)state;
    static const pgconvoy_lsn lsns[] = {1, 0xFFFFFFFF, UINT64_C(0x16B374D848), UINT64_MAX};
    char text[PGCONVOY_LSN_TEXT_SIZE];
    pgconvoy_lsn back;
    for (size_t i = 0; i < sizeof lsns / sizeof *lsns; i++) {
        assert_int_equal(pgconvoy_lsn_from_text(pgconvoy_lsn_to_text(lsns[i], text), &back), 0);
        assert_true(back == lsns[i]);
    }
    assert_string_equal(pgconvoy_lsn_to_text(UINT64_C(0x16B374D848), text), "16/B374D848");
}

static void what_is_no_lsn_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "/", "0", "0/", "/0", "0/0 ", " 0/0", "123456789/0", "0/123456789", "g/0", "0/-1", "0x1/0"};
    pgconvoy_lsn lsn;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(pgconvoy_lsn_from_text(texts[i], &lsn), -1);
}

static void an_error_is_built_from_its_own_message(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    pgconvoy_error_set(&err, PGCONVOY_ERROR_SINK, "table %s is locked\n", "a.b");
    pgconvoy_error_hint(&err, "wait");
    pgconvoy_error_retriable(&err, true);
    assert_string_equal(err.message, "table a.b is locked");
    pgc_error_prefix(&err, "copying %s", "a.b");
    assert_string_equal(err.message, "copying a.b: table a.b is locked");
    assert_string_equal(err.hint, "wait");
    assert_true(err.retriable);
    pgconvoy_error_set(&err, PGCONVOY_ERROR_DATA, "again: %s", err.message);
    assert_string_equal(err.message, "again: copying a.b: table a.b is locked");
    assert_string_equal(err.hint, "");
    assert_false(err.retriable);
}

static void *ring(void *arg)
{
    pgc_bell_ring(arg);
    return NULL;
}

static void a_bell_wakes_who_waits_for_it(void **state)
{
    (void)state;
    pgc_bell bell;
    pthread_t thread;
    pgc_bell_init(&bell);
    assert_false(pgc_bell_wait(&bell, 0));
    assert_false(pgc_bell_wait(&bell, 20));
    assert_int_equal(pthread_create(&thread, NULL, ring, &bell), 0);
    assert_true(pgc_bell_wait(&bell, 60000));
    assert_true(pgc_bell_wait(&bell, 0)); /* it stays rung */
    pthread_join(thread, NULL);
    pgc_bell_free(&bell);
}

typedef struct job {
    pgc_queue *gate; /* it goes on when there is something in it */
    int times, status;
} job;

static int do_job(void *arg, pgconvoy_error *err)
{
    job *job = arg;
    void *item;
    pgc_queue_pop(job->gate, &item, -1);
    job->times++;
    if (job->status != 0)
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "the job failed for the %d. time", job->times);
    return job->status;
}

static void the_background_tells_each_outcome_once(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    job job = {.gate = pgc_queue_new(8, 100), .status = -1};
    pgc_background *background = pgc_background_new();
    assert_non_null(background);
    assert_int_equal(pgc_background_finish(background, &err), 0); /* nothing was started */
    pgc_background_start(background, do_job, &job);
    assert_true(pgc_background_is_busy(background));
    pgc_queue_push(job.gate, &job, 1, 0);
    assert_int_equal(pgc_background_finish(background, &err), -1);
    assert_string_equal(pgconvoy_error_message(&err), "the job failed for the 1. time");
    assert_false(pgc_background_is_busy(background));
    assert_int_equal(pgc_background_finish(background, &err), 0);
    job.status = 0;
    pgc_background_start(background, do_job, &job);
    pgc_queue_push(job.gate, &job, 1, 0);
    assert_int_equal(pgc_background_finish(background, &err), 0);
    /* what is under way is waited for */
    pgc_background_start(background, do_job, &job);
    pgc_queue_push(job.gate, &job, 1, 0);
    pgc_background_free(background);
    assert_int_equal(job.times, 3);
    pgc_queue_free(job.gate);
    pgc_background_free(NULL);
}

static void count_line(void *arg, pgconvoy_log_level level, const char *line)
{
    assert_int_equal(level, PGCONVOY_LOG_WARNING);
    *(int *)arg += (int)strlen(line);
}

static void a_line_that_is_said_once_is_not_said_again(void **state)
{
    (void)state;
    int length = 0;
    pgconvoy_log log = {.write = count_line, .arg = &length};
    for (int i = 0; i < 5; i++)
        pgc_log_once(&log, PGCONVOY_LOG_WARNING, "table %s", "a");
    assert_int_equal(length, 7);
    pgc_log_once(&log, PGCONVOY_LOG_WARNING, "table %s", "bc");
    assert_int_equal(length, 15);
    pgc_log_once(&log, PGCONVOY_LOG_WARNING, "table %s", "a");
    assert_int_equal(length, 15);
}

static void time_is_written_as_rfc_3339(void **state)
{
    (void)state;
    char text[PGC_TIME_TEXT_SIZE];
    pgc_time_to_text(INT64_C(1769860800123456), text);
    assert_string_equal(text, "2026-01-31T12:00:00.123456Z");
    pgc_time_to_text(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
}

static void a_queue_keeps_order_and_its_bounds(void **state)
{
    (void)state;
    int a = 1, b = 2, c = 3;
    void *item;
    pgc_queue *queue = pgc_queue_new(8, 100);
    assert_int_equal(pgc_queue_push(queue, &a, 60, 0), PGC_QUEUE_OK);
    assert_int_equal(pgc_queue_push(queue, &b, 60, 10), PGC_QUEUE_TIMEOUT);
    assert_int_equal(pgc_queue_push(queue, &b, 40, 0), PGC_QUEUE_OK);
    assert_int_equal(pgc_queue_pop(queue, &item, 0), PGC_QUEUE_OK);
    assert_ptr_equal(item, &a);
    assert_int_equal(pgc_queue_pop(queue, &item, 0), PGC_QUEUE_OK);
    assert_ptr_equal(item, &b);
    assert_int_equal(pgc_queue_pop(queue, &item, 10), PGC_QUEUE_TIMEOUT);
    /* an item above the bound must not be stuck */
    assert_int_equal(pgc_queue_push(queue, &c, 1000, 0), PGC_QUEUE_OK);
    pgc_queue_close(queue);
    assert_int_equal(pgc_queue_push(queue, &a, 1, 0), PGC_QUEUE_CLOSED);
    assert_int_equal(pgc_queue_pop(queue, &item, 0), PGC_QUEUE_OK);
    assert_ptr_equal(item, &c);
    assert_int_equal(pgc_queue_pop(queue, &item, 0), PGC_QUEUE_CLOSED);
    pgc_queue_free(queue);
}

enum { MANY = 20000 };

static void *push_many(void *arg)
{
    pgc_queue *queue = arg;
    for (uintptr_t i = 1; i <= MANY; i++)
        if (pgc_queue_push(queue, (void *)i, 7, -1) != PGC_QUEUE_OK)
            return NULL;
    pgc_queue_close(queue);
    return NULL;
}

static void a_queue_hands_everything_over_between_threads(void **state)
{
    (void)state;
    pgc_queue *queue = pgc_queue_new(4, 20);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, push_many, queue), 0);
    void *item;
    uintptr_t expected = 1;
    while (pgc_queue_pop(queue, &item, -1) == PGC_QUEUE_OK)
        assert_int_equal((uintptr_t)item, expected++);
    assert_int_equal(expected, MANY + 1);
    pthread_join(thread, NULL);
    pgc_queue_free(queue);
}

static void an_array_that_grows_keeps_what_it_has(void **state)
{
    (void)state;
    pgconvoy_error err;
    uint32_t *items = NULL;
    size_t capacity = 0;
    for (size_t count = 0; count < 1000; count++) {
        assert_int_equal(pgc_grow(&items, count, &capacity, sizeof *items, &err), 0);
        assert_true(capacity > count);
        items[count] = (uint32_t)count * 7;
    }
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(items[i], i * 7);
    free(items);
}

static void an_array_that_cannot_grow_is_as_it_was(void **state)
{
    (void)state;
    pgconvoy_error err = {0};
    char *items = malloc(1);
    const char *before = items;
    size_t capacity = SIZE_MAX / 2;
    assert_int_equal(pgc_grow(&items, capacity, &capacity, 1000, &err), -1);
    assert_ptr_equal(items, before);
    assert_int_equal(capacity, SIZE_MAX / 2);
    assert_true(err.message[0] != '\0');
    int places = INT_MAX;
    assert_int_equal(pgc_grow_int(&items, places, &places, 1, &err), -1);
    assert_int_equal(places, INT_MAX);
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_arena_gives_aligned_memory_that_does_not_overlap),
        cmocka_unit_test(an_arena_keeps_what_it_needs_again),
        cmocka_unit_test(an_arena_gives_back_what_it_adopted),
        cmocka_unit_test(an_outsized_allocation_leaves_the_current_block_in_use),
        cmocka_unit_test(an_arena_refuses_a_size_that_wraps),
        cmocka_unit_test(a_buffer_stops_at_its_maximum_and_remembers),
        cmocka_unit_test(an_lsn_survives_its_text),
        cmocka_unit_test(what_is_no_lsn_is_refused),
        cmocka_unit_test(an_error_is_built_from_its_own_message),
        cmocka_unit_test(time_is_written_as_rfc_3339),
        cmocka_unit_test(a_line_that_is_said_once_is_not_said_again),
        cmocka_unit_test(a_queue_keeps_order_and_its_bounds),
        cmocka_unit_test(an_array_that_grows_keeps_what_it_has),
        cmocka_unit_test(an_array_that_cannot_grow_is_as_it_was),
        cmocka_unit_test(a_queue_hands_everything_over_between_threads),
        cmocka_unit_test(the_background_tells_each_outcome_once),
        cmocka_unit_test(a_bell_wakes_who_waits_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
