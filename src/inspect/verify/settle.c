/*
 * Rows that differed are looked at again while changes flow: the row at the source, then, once the stream has passed
 * all that was visible there, the row at the target, then the source again. A row that stood still at the source and
 * yet differs is a difference. One that moved is followed: a target that shows what the source showed before keeps up.
 * What moves all the time and was never caught in step is said to be unsettled, and counts as no difference.
 */
#include "inspect/verify/verify_internal.h"

#include "base/clock.h"
#include "base/hash.h"

#include <stdlib.h>

#define KEYED_AT_ONCE 2000
#define HASHES_AT_ONCE 50000
#define CHASES 40 /* quick looks at rows that move */
#define MOST_SEEN 4096
#define MOST_CONFIRMED 1000 /* more than anybody asks for */
#define NOBODY_US INT64_C(5000000)

/* A row under observation; values as hashes, 0: not there. */
typedef struct look {
    const char *const *key;
    uint64_t *seen; /* what the source has shown */
    int seen_count, seen_capacity;
    uint64_t last[2];
    int confirmed; /* how often the same difference was seen while the source stood still */
    bool done;
    verify_difference found;
} look;

/* What an end showed of the rows. */
typedef struct shown {
    pgc_arena *arena; /* of the rowset, as there may be many rounds; NULL: nothing was looked at */
    verify_rowset rows;
} shown;

static void forget(shown *shown)
{
    if (!shown->arena)
        return;
    verify_rowset_free(&shown->rows);
    pgc_arena_free(shown->arena);
    shown->arena = NULL;
}

static uint64_t hash_text(const char *text)
{
    uint64_t hash = pgc_hash_text(PGC_HASH_START, text);
    return hash ? hash : 1;
}

static uint64_t value_of(const verify_rowset *rows, const char *const *key, int *copies)
{
    int row = verify_rowset_find(rows, key);
    const char *value = row < 0 ? NULL : PQgetvalue(rows->result, row, rows->parts);
    if (copies)
        *copies = value ? atoi(value) : 0;
    return value ? hash_text(value) : 0;
}

static bool was_seen(const look *look, uint64_t value)
{
    for (int i = 0; i < look->seen_count; i++)
        if (look->seen[i] == value)
            return true;
    return false;
}

static int remember(look *look, uint64_t value, pgc_arena *arena, pgconvoy_error *err)
{
    if (was_seen(look, value) || look->seen_count == MOST_SEEN)
        return 0;
    if (look->seen_count == look->seen_capacity) {
        int capacity = look->seen_capacity ? look->seen_capacity * 4 : 4;
        uint64_t *seen = pgc_arena_alloc(arena, sizeof *seen * (size_t)capacity);
        if (!seen)
            return pgc_error_out_of_memory(err);
        if (look->seen_count)
            memcpy(seen, look->seen, sizeof *seen * (size_t)look->seen_count);
        look->seen = seen;
        look->seen_capacity = capacity;
    }
    look->seen[look->seen_count++] = value;
    return 0;
}

/* ------------------------------------------------------------------ looking */

static int select_rows(verify_session *session, verify_table *table, int side, const look *looks, int count,
                       pgconvoy_error *err)
{
    pgc_buffer *sql = &session->sql[side];
    const char *const **keys = malloc(sizeof *keys * (size_t)(count + 1));
    if (!keys)
        return pgc_error_out_of_memory(err);
    int left = 0;
    for (int i = 0; i < count; i++)
        if (!looks[i].done)
            keys[left++] = looks[i].key;
    pgc_buffer_reset(sql);
    pgc_buffer_text(sql, "SELECT ");
    verify_sql_keys(session->verify, table, side, sql);
    pgc_buffer_text(sql, ", ");
    verify_sql_value(session->verify, table, side, sql);
    verify_sql_from(session->verify, table, side, sql);
    verify_sql_key_is_in(session->verify, table, side, keys, left, sql);
    verify_sql_group(table, sql);
    free(keys);
    return 0;
}

static int take(shown *shown, PGresult *result, const verify_table *table, pgconvoy_error *err)
{
    shown->arena = pgc_arena_new(64 << 10);
    if (shown->arena)
        return verify_rowset_init(&shown->rows, result, verify_key_parts(table), shown->arena, err);
    PQclear(result);
    return pgc_error_out_of_memory(err);
}

static int look_at(verify_session *session, verify_table *table, int side, const look *looks, int count, shown *shown,
                   pgconvoy_error *err)
{
    if (select_rows(session, table, side, looks, count, err))
        return -1;
    PGresult *result = verify_query(session, side, err);
    return result ? take(shown, result, table, err) : -1;
}

static int look_at_both(verify_session *session, verify_table *table, const look *looks, int count, shown *source,
                        shown *target, pgconvoy_error *err)
{
    PGresult *results[2];
    if (select_rows(session, table, VERIFY_SOURCE, looks, count, err) ||
        select_rows(session, table, VERIFY_TARGET, looks, count, err) || verify_query_both(session, results, err))
        return -1;
    if (take(source, results[VERIFY_SOURCE], table, err)) {
        PQclear(results[VERIFY_TARGET]);
        return -1;
    }
    return take(target, results[VERIFY_TARGET], table, err);
}

/* ------------------------------------------------------------------ waiting */

static void say_still(pgc_verify *verify)
{
    pthread_mutex_lock(&verify->lock);
    bool said = verify->is_still;
    verify->is_still = true;
    pthread_mutex_unlock(&verify->lock);
    if (!said)
        pgc_log_warning(verify->options->log,
                        "nobody streams through %s, so what the target lacks of the source now counts as a difference",
                        verify->flow.slots.data);
}

static bool is_still(pgc_verify *verify)
{
    pthread_mutex_lock(&verify->lock);
    bool still = verify->is_still || verify->flow.slot_count == 0;
    pthread_mutex_unlock(&verify->lock);
    return still;
}

static int pause_for(pgc_verify *verify, int ms, pgconvoy_error *err)
{
    for (; ms > 0; ms -= 50) {
        if (verify_stopped(verify, err))
            return -1;
        pgc_clock_sleep_ms(ms < 50 ? ms : 50);
    }
    return 0;
}

int verify_stream_wait(pgc_verify *verify, PGconn *source, bool *passed, pgconvoy_error *err)
{
    *passed = false;
    pgconvoy_lsn lsn;
    if (verify_flow_mark(source, &lsn, err))
        return -1;
    int64_t begun = pgc_clock_monotonic_us(), active = begun;
    for (;;) {
        verify_passed how;
        if (verify_flow_passed(&verify->flow, source, lsn, &how, err) ||
            verify_stopped(verify, err))
            return -1;
        int64_t now = pgc_clock_monotonic_us();
        active = how == VERIFY_NOBODY_STREAMS ? active : now;
        *passed = how == VERIFY_HAS_PASSED;
        if (*passed)
            return 0;
        if (now - active > NOBODY_US)
            say_still(verify);
        if (now - active > NOBODY_US || now - begun > verify->options->wait_us)
            return 0;
        pgc_clock_sleep_ms(20);
    }
}

/* Without a stream a pause has to do. */
static int wait_for_stream(verify_session *session, int round, bool *passed, pgconvoy_error *err)
{
    *passed = false;
    if (is_still(session->verify))
        return pause_for(session->verify, round == 0 ? 100 : round == 1 ? 300 : 600, err);
    return verify_stream_wait(session->verify, session->conn[VERIFY_SOURCE], passed, err);
}

/* ------------------------------------------------------------------ judging */

static void conclude(look *look, const verify_table *table, const int copies[2], const uint64_t values[2])
{
    look->found = (verify_difference){.key = look->key, .copies = {copies[0], copies[1]}};
    if (table->key_count)
        look->found.kind = !values[VERIFY_TARGET]   ? VERIFY_MISSING
                           : !values[VERIFY_SOURCE] ? VERIFY_EXTRA
                                                    : VERIFY_CHANGED;
    else
        look->found.kind = copies[VERIFY_SOURCE] > copies[VERIFY_TARGET] ? VERIFY_MISSING : VERIFY_EXTRA;
}

/* One look at one row; sets done when it is known to be the same, or confirmed. */
static int judge(look *look, const verify_table *table, const shown *first, const shown *target, const shown *last,
                 pgc_arena *arena, pgconvoy_error *err)
{
    int copies[2];
    uint64_t before = value_of(&first->rows, look->key, NULL),
             there = value_of(&target->rows, look->key, &copies[VERIFY_TARGET]),
             after = value_of(&last->rows, look->key, &copies[VERIFY_SOURCE]);
    if (there == before || there == after || was_seen(look, there)) {
        /* what was seen once may be what a row that is now lost showed then: only while the source moves does it prove
         * anything */
        if (there == before || there == after || before != after) {
            look->done = true;
            return 0;
        }
    }
    if (before != after) {
        look->confirmed = 0;
        return remember(look, before, arena, err) || remember(look, after, arena, err) ? -1 : 0;
    }
    bool same = look->confirmed > 0 && look->last[0] == before && look->last[1] == there;
    look->confirmed = same ? look->confirmed + 1 : 1;
    look->last[0] = before;
    look->last[1] = there;
    conclude(look, table, copies, (const uint64_t[2]){after, there});
    return remember(look, before, arena, err);
}

/* source: what it showed at the end of the round before, and then at the end of this one. Where nothing streams both
 * ends are looked at together, as a look may be a pass over the table. */
static int one_round(verify_session *session, verify_table *table, look *looks, int count, int round, shown *source,
                     bool *passed, pgconvoy_error *err)
{
    shown target = {0}, after = {0};
    int status = source->arena ? 0 : look_at(session, table, VERIFY_SOURCE, looks, count, source, err);
    if (status == 0)
        status = wait_for_stream(session, round, passed, err);
    if (status == 0 && is_still(session->verify))
        status = look_at_both(session, table, looks, count, &after, &target, err);
    else if (status == 0)
        status = look_at(session, table, VERIFY_TARGET, looks, count, &target, err) ||
                 look_at(session, table, VERIFY_SOURCE, looks, count, &after, err);
    for (int i = 0; i < count && status == 0; i++)
        if (!looks[i].done)
            status = judge(&looks[i], table, source, &target, &after, session->leaf, err);
    forget(&target);
    forget(source);
    *source = after;
    return status ? -1 : 0;
}

/* How many are neither the same nor confirmed; all_move: and none of them ever stood still. */
static int open_looks(look *looks, int count, int needed, bool *all_move)
{
    int open = 0;
    *all_move = true;
    for (int i = 0; i < count; i++) {
        if (looks[i].done || looks[i].confirmed >= needed)
            continue;
        open++;
        if (looks[i].confirmed)
            *all_move = false;
    }
    return open;
}

/* Rows that change all the time: many looks at both ends in short time, until the target shows what the source has
 * shown. */
static int chase(verify_session *session, verify_table *table, look *looks, int count, pgconvoy_error *err)
{
    for (int turn = 0; turn < CHASES; turn++) {
        bool all_move;
        if (open_looks(looks, count, 1, &all_move) == 0)
            break;
        shown source = {0}, target = {0};
        int status = look_at_both(session, table, looks, count, &source, &target, err);
        for (int i = 0; i < count && status == 0; i++) {
            if (looks[i].done)
                continue;
            uint64_t here = value_of(&source.rows, looks[i].key, NULL),
                     there = value_of(&target.rows, looks[i].key, NULL);
            if (here == there || (was_seen(&looks[i], there) && here != looks[i].seen[looks[i].seen_count - 1]))
                looks[i].done = true;
            else
                status = remember(&looks[i], here, session->leaf, err);
        }
        forget(&source);
        forget(&target);
        if (status)
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ some rows at a time */

static int report(verify_session *session, verify_table *table, look *looks, int count, pgconvoy_error *err)
{
    verify_difference *rows = pgc_arena_alloc(session->leaf, sizeof *rows * (size_t)(count + 1));
    if (!rows)
        return pgc_error_out_of_memory(err);
    int found = 0, unsettled = 0;
    for (int i = 0; i < count; i++) {
        if (looks[i].done)
            continue;
        if (looks[i].confirmed)
            rows[found++] = looks[i].found;
        else
            unsettled++;
    }
    session->unsettled += unsettled;
    return found ? verify_differing(session, table, rows, found, err) : 0;
}

static int look_again(verify_session *session, verify_table *table, look *looks, int count, shown *source,
                      pgconvoy_error *err)
{
    int64_t begun = pgc_clock_monotonic_us();
    bool all_move = true;
    for (int round = 0;; round++) {
        bool passed = false;
        if (open_looks(looks, count, MOST_CONFIRMED, &all_move) == 0)
            return 0; /* the chase has caught them all */
        if (one_round(session, table, looks, count, round, source, &passed, err))
            return -1;
        /* a stream that has passed twice leaves no doubt; without one only time can tell */
        if (open_looks(looks, count, passed ? 2 : 3, &all_move) == 0 ||
            pgc_clock_monotonic_us() - begun > session->verify->options->wait_us)
            return 0;
        if (all_move && round > 1 && table->key_count && chase(session, table, looks, count, err))
            return -1;
    }
}

static int settle_some(verify_session *session, verify_table *table, const char *const *const *keys, int count,
                       pgconvoy_error *err)
{
    look *looks = pgc_arena_zalloc(session->leaf, sizeof *looks * (size_t)count);
    if (!looks)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < count; i++)
        looks[i].key = keys[i];
    shown source = {0};
    int status = look_again(session, table, looks, count, &source, err);
    forget(&source);
    return status ? -1 : report(session, table, looks, count, err);
}

int verify_settle(verify_session *session, verify_table *table, const char *const *const *keys, int count,
                  pgconvoy_error *err)
{
    int at_once = table->key_count ? KEYED_AT_ONCE : HASHES_AT_ONCE;
    for (int first = 0; first < count; first += at_once) {
        int some = count - first < at_once ? count - first : at_once;
        if (settle_some(session, table, keys + first, some, err))
            return -1;
    }
    return 0;
}
