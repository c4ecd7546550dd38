/*
 * The change stream: batches from the source (change_reader.h) are written to the sink. A sink transaction is committed at a transaction boundary as soon as nothing more is waiting; under backlog it gathers more first, up to
 * a share of the memory budget. Only positions that the sink has made durable are confirmed: by the commit that carries them, or a little after it where
 * the sink commits first and makes it durable when asked (pgconvoy_sink.make_durable).
 */
#include "pipeline/change_reader.h"

#include "apply/change.h"
#include "base/clock.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

/* A change is held by libpq as it came, by its batch, and as the sink sends it. */
#define TIMES_HELD        3
/* While idle the position moves with the source's WAL; it is made durable in the sink this often. */
#define IDLE_COMMIT_US    INT64_C(1000000)
/* Under backlog a sink transaction is committed at the latest after this. */
#define BACKLOG_COMMIT_US INT64_C(3000000)
/* What the sink has committed and not made durable is made so after this. */
#define LATE_US           INT64_C(100000)
/* A table that could not join is looked at again when the stream is so old, at the soonest. */
#define LOOK_AGAIN_US     INT64_C(10000000)

typedef struct stream {
    pgc_run *run;
    pgc_change_reader *reader;
    void *writer;
    bool open;              /* a sink transaction is open */
    int64_t opened_us;
    bool at_boundary;
    bool tentative;         /* such transactions are asked for in a backlog: */
    bool in_progress;       /* what is open is a transaction that may not commit */
    pgconvoy_lsn position;  /* of the last boundary that was handed over */
    pgconvoy_lsn until;     /* 0: none */
    bool exact;             /* ends before the first transaction that commits at until or later: it is not to be handed over yet */
    bool cut;               /* that one has come */
    size_t gathered_bytes;  /* in the open sink transaction */
    int64_t pending_changes, pending_transactions;
    int64_t last_commit_us; /* commit time of the last transaction handed to the sink */
    int64_t last_idle_commit_us;
    int64_t late_us;            /* since when something is committed that is not durable; 0: nothing is */
    bool warned_of_size;
    bool changes_schema;        /* a command of DDL is in the open sink transaction */
    pgconvoy_lsn passed;        /* the end of the last transaction that was handed over whole */
    pgc_table_state **recopied; /* to be copied anew, told to the sink with the next commit */
    size_t recopied_count;
    bool leaves_rows; /* a table waits for its copy, which brings what its changes would */
    bool looks_again; /* a table that could not join may be able to by now */
} stream;

/* ---- the writing side */

static int begin_if_needed(stream *stream, pgconvoy_error *err)
{
    if (stream->open)
        return 0;
    if (stream->run->sink_ops->begin(stream->writer, NULL, err) != 0)
        return -1;
    stream->open = true;
    stream->opened_us = pgc_clock_monotonic_us();
    return 0;
}

static bool is_recopied(const stream *stream, const pgc_table_state *state)
{
    for (size_t i = 0; i < stream->recopied_count; i++)
        if (stream->recopied[i] == state)
            return true;
    return false;
}

/* Tables whose copy the stream has now passed are live; told to the sink with the commit that carries the position. */
static size_t collect_live(stream *stream, pgconvoy_table_status **statuses)
{
    pgc_table_states *states = &stream->run->states;
    size_t count = 0;
    *statuses = NULL;
    for (size_t i = 0; i < stream->recopied_count; i++) {
        if (!*statuses && !(*statuses = calloc(states->count + stream->recopied_count, sizeof **statuses)))
            return 0;
        (*statuses)[count] = pgc_table_state_status(stream->recopied[i]);
        (*statuses)[count].copy_lsn = 0;
        (*statuses)[count++].state = PGCONVOY_TABLE_WAITING;
    }
    for (size_t i = 0; i < states->count; i++) {
        pgc_table_state *state = &states->items[i];
        if (atomic_load(&state->state) != PGCONVOY_TABLE_CATCHING_UP || state->copy_lsn > stream->position || is_recopied(stream, state))
            continue;
        if (!*statuses && !(*statuses = calloc(states->count + stream->recopied_count, sizeof **statuses)))
            return 0; /* not lost: the next commit tries again */
        (*statuses)[count] = pgc_table_state_status(state);
        (*statuses)[count++].state = PGCONVOY_TABLE_LIVE;
    }
    return count;
}

static void mark_live(stream *stream)
{
    pgc_table_states *states = &stream->run->states;
    for (size_t i = 0; i < states->count; i++)
        if (atomic_load(&states->items[i].state) == PGCONVOY_TABLE_CATCHING_UP &&
            states->items[i].copy_lsn <= stream->position)
            atomic_store(&states->items[i].state, PGCONVOY_TABLE_LIVE);
}

static bool brings_heartbeat(const pgc_run *run, pgconvoy_lsn position)
{
    pgconvoy_lsn lsn = atomic_load(&run->heartbeat_lsn);
    return lsn && position >= lsn;
}

/* What was open is the sink's. */
static void was_committed(stream *stream)
{
    stream->open = stream->changes_schema = false;
    stream->gathered_bytes = 0;
    stream->run->lsn = stream->position;
    stream->last_idle_commit_us = pgc_clock_monotonic_us();
}

/* From commit to durable. A heartbeat is timed by our own clock alone, a transaction by the server's and ours. */
static void measure_lag(const stream *stream)
{
    pgc_run *run = stream->run;
    if (brings_heartbeat(run, run->lsn)) {
        atomic_store(&run->counters->commit_lag_us, pgc_clock_monotonic_us() - atomic_load(&run->heartbeat_us));
        atomic_store(&run->heartbeat_lsn, 0);
    } else if (stream->pending_transactions > 0 && stream->last_commit_us) {
        int64_t lag = pgc_clock_unix_us() - stream->last_commit_us;
        atomic_store(&run->counters->commit_lag_us, lag > 0 ? lag : 0);
    }
}

/* All that was committed, and the position with it. */
static void became_durable(stream *stream)
{
    pgc_run *run = stream->run;
    stream->late_us = 0;
    run->source_ops->stream_confirm(run->source, run->lsn);
    atomic_store(&run->counters->durable_lsn, run->lsn);
    atomic_fetch_add(&run->counters->changes, stream->pending_changes);
    atomic_fetch_add(&run->counters->transactions, stream->pending_transactions);
    if (stream->last_commit_us)
        atomic_store(&run->counters->last_commit_us, stream->last_commit_us);
    measure_lag(stream);
    stream->pending_changes = stream->pending_transactions = 0;
}

static int make_durable(stream *stream, pgconvoy_error *err)
{
    if (stream->run->sink_ops->make_durable(stream->writer, err) != 0)
        return -1;
    became_durable(stream);
    return 0;
}

static int commit(stream *stream, pgconvoy_error *err)
{
    pgc_run *run = stream->run;
    if (begin_if_needed(stream, err) != 0)
        return -1;
    pgconvoy_table_status *statuses;
    size_t count = collect_live(stream, &statuses);
    int result = run->sink_ops->commit(stream->writer, stream->position, statuses, count, err);
    bool all_told = count >= stream->recopied_count;
    free(statuses);
    if (result < 0)
        return -1;
    if (stream->recopied_count > 0 && all_told) { /* the next attempt begins with their copy */
        stream->recopied_count = 0;
        atomic_store(&run->tables_changed, true);
    }
    if (count > 0)
        mark_live(stream);
    was_committed(stream);
    if (result == 0)
        became_durable(stream);
    else if (!stream->late_us)
        stream->late_us = stream->last_idle_commit_us;
    return 0;
}

static int write_run(stream *stream, const pgconvoy_change *items, size_t count, pgconvoy_error *err)
{
    if (count == 0)
        return 0;
    if (begin_if_needed(stream, err) != 0) /* after a step of a prepared transaction */
        return -1;
    pgconvoy_changes changes = {.items = items, .count = count, .source_lsn = atomic_load(&stream->run->counters->source_lsn)};
    return stream->run->sink_ops->write_changes(stream->writer, &changes, err);
}

static int add_recopied(stream *stream, pgc_table_state *state, pgconvoy_error *err)
{
    if (is_recopied(stream, state))
        return 0;
    pgc_table_state **grown = realloc(stream->recopied, (stream->recopied_count + 1) * sizeof(pgc_table_state *));
    if (!grown)
        return pgc_error_out_of_memory(err);
    stream->recopied = grown;
    grown[stream->recopied_count++] = state;
    return 0;
}

/* The sink cannot follow a change of the table, for the reason in err, but can have it as it is now. */
static int leave_to_copy(stream *stream, pgc_table_state *state, pgconvoy_error *err)
{
    pgc_log_info(stream->run->log, "%s: the table is copied anew", err->message);
    pgc_error_clear(err);
    atomic_store(&state->state, PGCONVOY_TABLE_WAITING);
    stream->leaves_rows = true;
    return add_recopied(stream, state, err);
}

static bool is_left_to_copy(stream *stream, const pgconvoy_change *change)
{
    const pgc_table_state *state = stream->leaves_rows && change->table ? pgc_table_states_find(&stream->run->states, change->table->oid) : NULL;
    return state && atomic_load(&state->state) == PGCONVOY_TABLE_WAITING;
}

static int follow_schema(stream *stream, const pgconvoy_table *table, pgconvoy_error *err)
{
    pgc_run *run = stream->run;
    pgc_table_state *state = pgc_table_states_find(&run->states, table->oid);
    if (!state || state->table == table)
        return 0;
    int at = atomic_load(&state->state);
    bool is_in_sink = at == PGCONVOY_TABLE_CATCHING_UP || at == PGCONVOY_TABLE_LIVE;
    if (state->table->columns != table->columns) /* else it is told as it is, once */
        pgc_log_info(run->log, "the columns of %s.%s have changed on the source", table->schema, table->name);
    if (is_in_sink && begin_if_needed(stream, err) != 0)
        return -1;
    const pgconvoy_table *before = state->table;
    int left = is_in_sink ? run->sink_ops->change_schema(stream->writer, before, table, err) : 0;
    if (left < 0 || (left > 0 && leave_to_copy(stream, state, err) != 0))
        return -1;
    if (is_in_sink && !left && (strcmp(before->schema, table->schema) != 0 || strcmp(before->name, table->name) != 0))
        atomic_store(&state->state, PGCONVOY_TABLE_CATCHING_UP); /* the next commit says under its new name that it is live */
    state->table = table;
    return 0;
}

/* Tables whose rows are to be copied anew: durably so with the commit that carries the command. */
static int mark_recopied(stream *stream, const pgconvoy_ddl *ddl, pgconvoy_error *err)
{
    pgc_run *run = stream->run;
    for (size_t i = 0; i < ddl->recopied_count; i++) {
        pgc_table_state *state = pgc_table_states_find(&run->states, ddl->recopied[i]);
        int at = state ? atomic_load(&state->state) : PGCONVOY_TABLE_FAILED;
        if (at != PGCONVOY_TABLE_CATCHING_UP && at != PGCONVOY_TABLE_LIVE)
            continue;
        pgc_log_info(run->log, "after %s only the source knows the rows of %s.%s: it is copied anew", ddl->tag, state->table->schema,
                     state->table->name);
        if (add_recopied(stream, state, err) != 0)
            return -1;
    }
    return 0;
}

/* What stands against a table may be gone by a command: a partition that is in its own way at the target until it is detached there, too. */
static bool may_free_a_table(const stream *stream)
{
    const pgc_table_states *states = &stream->run->states;
    for (size_t i = 0; i < states->count; i++)
        if (atomic_load(&states->items[i].state) == PGCONVOY_TABLE_FAILED)
            return true;
    return false;
}

static int follow_ddl(stream *stream, const pgconvoy_ddl *ddl, pgconvoy_error *err)
{
    const pgconvoy_sink *sink_ops = stream->run->sink_ops;
    if (sink_ops->capabilities & PGCONVOY_SINK_DDL) {
        if (begin_if_needed(stream, err) != 0)
            return -1;
        stream->changes_schema = true;
        if (sink_ops->apply_ddl(stream->writer, ddl, err) != 0)
            return -1;
    }
    stream->looks_again = stream->looks_again || may_free_a_table(stream);
    return mark_recopied(stream, ddl, err);
}

static bool is_event(const pgconvoy_change *change)
{
    return change->operation == PGCONVOY_DDL || change->operation == PGCONVOY_BEGIN || change->operation == PGCONVOY_COMMIT ||
           change->operation == PGCONVOY_MESSAGE;
}

/*
 * A transaction of the source with DDL ends the sink's: what it locks is free soon, and what comes later may use what only committed definitions
 * allow (a new label of an enum).
 */
static int commit_schema(stream *stream, const pgconvoy_change *change, pgconvoy_error *err)
{
    stream->at_boundary = true;
    if (change->transaction->end_lsn > stream->position)
        stream->position = change->transaction->end_lsn;
    return commit(stream, err) != 0 ? -1 : begin_if_needed(stream, err);
}

/* ---- a transaction that is in progress: alone in the sink's, so that it can be taken back */

static bool opens_in_progress(const pgconvoy_change *change)
{
    return change->operation == PGCONVOY_BEGIN && change->transaction && change->transaction->in_progress;
}

static void take_back(stream *stream, const pgconvoy_change *rollback)
{
    pgc_log_debug(stream->run->log, "transaction %u is taken back: it may not commit", rollback->transaction->xid);
    stream->run->sink_ops->abort(stream->writer);
    stream->open = stream->in_progress = false;
    stream->gathered_bytes = 0;
    stream->pending_changes -= rollback->sequence;
}

/* ---- prepared transactions: each step is by itself, and makes its own position durable */

static bool is_two_phase(const pgconvoy_change *change)
{
    return change->operation == PGCONVOY_PREPARE || change->operation == PGCONVOY_COMMIT_PREPARED ||
           change->operation == PGCONVOY_ROLLBACK_PREPARED || (change->operation == PGCONVOY_BEGIN && change->transaction && change->transaction->gid);
}

/* What came before a step. */
static int settle(stream *stream, pgconvoy_error *err)
{
    if (stream->passed > stream->position)
        stream->position = stream->passed;
    return stream->open ? commit(stream, err) : 0;
}

static int follow_two_phase(stream *stream, const pgconvoy_change *change, pgconvoy_error *err)
{
    pgc_run *run = stream->run;
    const pgconvoy_sink *sink_ops = run->sink_ops;
    const pgconvoy_transaction *transaction = change->transaction;
    bool prepares = change->operation == PGCONVOY_PREPARE, commits = change->operation == PGCONVOY_COMMIT_PREPARED;
    if (change->operation == PGCONVOY_BEGIN) {
        if (settle(stream, err) != 0 || sink_ops->begin_prepared(stream->writer, transaction, err) != 0)
            return -1;
        stream->open = true;
        stream->opened_us = pgc_clock_monotonic_us();
        return 0;
    }
    if (prepares ? sink_ops->prepare(stream->writer, transaction, err) != 0
                 : settle(stream, err) != 0 || sink_ops->end_prepared(stream->writer, transaction, commits, err) != 0)
        return -1;
    if (commits) {
        stream->pending_transactions++;
        stream->last_commit_us = transaction->commit_time;
    }
    atomic_fetch_add(&run->counters->prepared, prepares ? 1 : -1);
    stream->position = transaction->end_lsn;
    was_committed(stream);
    became_durable(stream);
    return 0;
}

/*
 * Hands a batch to the sink: schema changes by their own call, between the rows before and after; events only to a sink that keeps them. The batch is
 * ours, so what the sink does not want is closed up in place.
 */
static int write_batch(stream *stream, pgc_change_batch *batch, pgconvoy_error *err)
{
    bool keeps_events = (stream->run->sink_ops->capabilities & PGCONVOY_SINK_KEEPS_EVENTS) != 0;
    pgconvoy_change *items = (pgconvoy_change *)batch->changes.items;
    size_t start = 0, kept = 0;
    for (size_t i = 0; i < batch->changes.count; i++) {
        const pgconvoy_change *change = &items[i];
        if (stream->exact && change->transaction && change->transaction->commit_lsn >= stream->until) {
            stream->cut = true;
            break;
        }
        if (opens_in_progress(change)) {
            if (write_run(stream, items + start, kept - start, err) != 0 || settle(stream, err) != 0 || begin_if_needed(stream, err) != 0)
                return -1;
            stream->in_progress = true;
            start = kept;
            continue;
        }
        if (change->operation == PGCONVOY_ROLLBACK) {
            take_back(stream, change);
            start = kept;
            continue;
        }
        if (change->operation == PGCONVOY_COMMIT) {
            stream->in_progress = false;
            stream->pending_transactions++;
            stream->last_commit_us = change->transaction->commit_time;
            stream->passed = change->transaction->end_lsn;
        }
        if (is_two_phase(change)) {
            if (write_run(stream, items + start, kept - start, err) != 0 || follow_two_phase(stream, change, err) != 0)
                return -1;
            start = kept;
            continue;
        }
        if (change->operation == PGCONVOY_SCHEMA) {
            if (write_run(stream, items + start, kept - start, err) != 0 || follow_schema(stream, change->table, err) != 0)
                return -1;
            start = kept;
            continue;
        }
        if (change->operation == PGCONVOY_DDL) {
            if (write_run(stream, items + start, kept - start, err) != 0 || follow_ddl(stream, change->ddl, err) != 0)
                return -1;
            start = kept;
        }
        if ((keeps_events || !is_event(change)) && !is_left_to_copy(stream, change)) {
            if (kept != i)
                items[kept] = items[i];
            kept++;
        }
        if (change->operation == PGCONVOY_COMMIT && stream->changes_schema) {
            if (write_run(stream, items + start, kept - start, err) != 0 || commit_schema(stream, &items[i], err) != 0)
                return -1;
            start = kept;
        }
    }
    return write_run(stream, items + start, kept - start, err);
}

/* What is too large for the memory is moved all the same, or it would stop the stream for good. */
static void warn_of_size(stream *stream, const pgc_change_batch *batch)
{
    size_t most = stream->run->options->memory_bytes / TIMES_HELD;
    for (size_t i = 0; batch->bytes > most && i < batch->changes.count && !stream->warned_of_size; i++) {
        const pgconvoy_change *change = &batch->changes.items[i];
        size_t bytes = pgc_change_bytes(change);
        char has[PGC_UNITS_TEXT_SIZE], takes[PGC_UNITS_TEXT_SIZE];
        if (bytes <= most)
            continue;
        stream->warned_of_size = true;
        pgc_log_warning(stream->run->log, "a change of %s.%s has %s, which takes some %s on its way: more than --memory", change->table->schema,
                        change->table->name, pgc_size_to_text((int64_t)bytes, has), pgc_size_to_text((int64_t)(bytes * TIMES_HELD), takes));
    }
}

static int take_batch(stream *stream, pgc_change_batch *batch, pgconvoy_error *err)
{
    int result = 0;
    if (batch->changes.count > 0 && !stream->cut) {
        warn_of_size(stream, batch);
        stream->gathered_bytes += batch->bytes;
        stream->pending_changes += batch->row_changes;
        if (!is_two_phase(&batch->changes.items[0]) && !opens_in_progress(&batch->changes.items[0]))
            result = begin_if_needed(stream, err);
        if (result == 0)
            result = write_batch(stream, batch, err);
    }
    /* what comes after may be of tables that have no copy yet, and is not seen here: it is to come again */
    bool beyond = stream->cut || (stream->exact && batch->position > stream->until);
    pgconvoy_lsn position = beyond ? stream->until : batch->position;
    stream->at_boundary = stream->cut || batch->at_boundary;
    if (stream->at_boundary && position > stream->position)
        stream->position = position;
    pgc_change_batch_free(batch);
    return result;
}

static bool reached_until(const stream *stream)
{
    return stream->until && stream->at_boundary && stream->position >= stream->until;
}

/* Whether the stream should end here, at a boundary, once what is open is durable. */
static bool is_over(const stream *stream)
{
    return reached_until(stream) || pgc_run_stopped(stream->run) || atomic_load(&stream->run->tables_changed);
}

static bool fills_memory(const stream *stream)
{
    const pgc_run *run = stream->run;
    bool hands_on = (run->sink_ops->capabilities & PGCONVOY_SINK_HANDS_ON) && run->options->apply_jobs <= 1;
    return !hands_on && stream->gathered_bytes >= run->options->memory_bytes / 4;
}

/* Whether the open sink transaction should be committed now; flowing: a batch came just before. */
static bool commit_is_due(const stream *stream, bool flowing)
{
    const pgc_run *run = stream->run;
    if (!stream->at_boundary)
        return false;
    int64_t now = pgc_clock_monotonic_us();
    if (stream->open) {
        if (is_over(stream) || fills_memory(stream) || now - stream->opened_us >= BACKLOG_COMMIT_US)
            return true;
        return pgc_change_reader_is_empty(stream->reader) && !(flowing && pgc_run_is_behind(run));
    }
    if (stream->position <= run->lsn)
        return false;
    return is_over(stream) || brings_heartbeat(run, stream->position) || now - stream->last_idle_commit_us >= IDLE_COMMIT_US;
}

static bool is_late(const stream *stream)
{
    return stream->late_us && !stream->open && (is_over(stream) || pgc_clock_monotonic_us() - stream->late_us >= LATE_US);
}

/* How long to wait for the next batch before looking around: not at all while something waits to be committed and nothing more comes. */
static int wait_ms(const stream *stream)
{
    return stream->open ? 20 : stream->late_us ? (int)(LATE_US / 2000) : 200;
}

static int write_changes(stream *stream, pgconvoy_error *err)
{
    pgc_run *run = stream->run;
    int64_t began_us = pgc_clock_monotonic_us();
    for (;;) {
        pgc_change_batch *batch = NULL;
        pgc_queue_result got = pgc_change_reader_next(stream->reader, wait_ms(stream), &batch);
        if (got == PGC_QUEUE_OK && take_batch(stream, batch, err) != 0) {
            run->failed_in_progress = stream->in_progress;
            return -1;
        }
        if ((commit_is_due(stream, got == PGC_QUEUE_OK) && commit(stream, err) != 0) || (is_late(stream) && make_durable(stream, err) != 0))
            return -1;
        bool at_end = atomic_load(&run->counters->durable_lsn) >= atomic_load(&run->counters->source_lsn);
        bool done = reached_until(stream) && !stream->open && run->lsn >= stream->until;
        if (at_end)
            atomic_store(&run->counters->phase, PGCONVOY_PHASE_STREAMING);
        /* each look begins the stream anew: not within a backlog, nor with every command */
        if (stream->looks_again && (done || (at_end && pgc_clock_monotonic_us() - began_us >= LOOK_AGAIN_US)))
            atomic_store(&run->tables_changed, true);
        if (done)
            return 0;
        if (pgc_run_stopped(run) || (atomic_load(&run->tables_changed) && stream->at_boundary && !stream->open))
            return 0;
        if (got == PGC_QUEUE_CLOSED) {
            const pgconvoy_error *failure = pgc_change_reader_failure(stream->reader);
            if (!failure)
                return 0;
            pgc_error_copy(err, failure);
            run->failed_in_progress = stream->tentative && err->code == PGCONVOY_ERROR_RESOURCE;
            return -1;
        }
    }
}

static bool wants_binary(const pgc_run *run)
{
    if (run->lsn < run->text_until)
        return false;
    for (size_t i = 0; i < run->states.count; i++) {
        const pgconvoy_table *table = run->states.items[i].table;
        for (int c = 0; c < table->column_count; c++)
            if (run->sink_ops->column_format(run->sink, &table->columns[c]) != PGCONVOY_BINARY)
                return false;
    }
    return true;
}

/*
 * Where the sink can take a transaction back, large ones are applied while they are read. Not with rules for conflicts, which look at the commit's time or
 * end the pipeline, nor by several connections, whose parts are told apart by where a transaction commits.
 */
static pgconvoy_lsn tentative_from(const stream *stream)
{
    const pgc_run *run = stream->run;
    const pgc_options *options = run->options;
    bool wanted = (run->sink_ops->capabilities & PGCONVOY_SINK_TENTATIVE) && !run->waits_for_commits && !stream->exact && !options->two_phase &&
                  options->apply_jobs <= 1 && (!options->on_conflict || strcmp(options->on_conflict, "source") == 0);
    return !wanted ? 0 : run->ahead_lsn > run->lsn ? run->ahead_lsn : run->lsn;
}

static int stream_with_threads(stream *stream, pgconvoy_error *err)
{
    stream->reader = pgc_change_reader_start(stream->run, err);
    if (!stream->reader)
        return -1;
    pgc_watcher *watcher = pgc_watcher_start(stream->run);
    int result = write_changes(stream, err);
    pgc_change_reader_end(stream->reader);
    pgc_watcher_end(watcher);
    free(stream->recopied);
    stream->recopied = NULL;
    stream->recopied_count = 0;
    /* what was not committed comes again */
    if (stream->open)
        stream->run->sink_ops->abort(stream->writer);
    return result;
}

static int set_until(stream *stream, pgconvoy_error *err)
{
    pgc_run *run = stream->run;
    if (run->options->until == PGC_UNTIL_LSN)
        stream->until = run->options->until_lsn;
    if (run->options->until == PGC_UNTIL_CAUGHT_UP)
        return run->source_ops->mark_position(run->source, &stream->until, err);
    return 0;
}

/* Rows of tables that have no copy yet are left out: all that they have now will be in it. */
static void set_copy_lsns(const pgc_run *run)
{
    for (size_t i = 0; i < run->states.count; i++) {
        const pgc_table_state *state = &run->states.items[i];
        int at = atomic_load(&state->state);
        bool left_out = at != PGCONVOY_TABLE_CATCHING_UP && at != PGCONVOY_TABLE_LIVE;
        run->source_ops->stream_set_copy_lsn(run->source, state->table, left_out ? UINT64_MAX : state->copy_lsn);
    }
}

/* What is prepared in the sink is to be ended there: only a stream that knows how may go on. */
static int tell_prepared(pgc_run *run, pgconvoy_error *err)
{
    const pgconvoy_prepared *prepared;
    size_t count;
    if (!(run->sink_ops->capabilities & PGCONVOY_SINK_TWO_PHASE))
        return 0;
    if (run->sink_ops->read_prepared(run->sink, &prepared, &count, err) != 0)
        return -1;
    if (count > 0 && !run->options->two_phase) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_STATE, "the target has %zu prepared transaction%s of this pipeline that %s not ended", count,
                           count == 1 ? "" : "s", count == 1 ? "has" : "have");
        pgconvoy_error_hint(err, "run it with --two-phase until they are committed or rolled back at the source");
        return -1;
    }
    if (!run->options->two_phase)
        return 0;
    atomic_store(&run->counters->prepared, (long long)count);
    return run->source_ops->stream_set_prepared(run->source, prepared, count, run->ahead_lsn > run->lsn ? run->ahead_lsn : run->lsn, err);
}

static int run_stream(stream *stream, pgconvoy_error *err)
{
    pgc_run *run = stream->run;
    char text[PGCONVOY_LSN_TEXT_SIZE];
    stream->last_idle_commit_us = pgc_clock_monotonic_us();
    atomic_store(&run->counters->phase, PGCONVOY_PHASE_CATCHING_UP);
    atomic_store(&run->counters->durable_lsn, run->lsn);
    set_copy_lsns(run);
    int result = run->sink_ops->open_writer(run->sink, &stream->writer, err);
    if (result == 0) {
        pgc_stream_wishes wishes = {.binary = wants_binary(run), .tentative_from = tentative_from(stream)};
        stream->tentative = wishes.tentative_from != 0;
        /* first what an earlier process may have left */
        result = (run->sink_ops->make_durable && run->sink_ops->make_durable(stream->writer, err) != 0) || tell_prepared(run, err) != 0
                     ? -1
                     : run->source_ops->stream_begin(run->source, run->lsn, &wishes, err);
        if (result == 0) {
            pgc_log_info(run->log, "streaming changes from %s (%s values)", pgconvoy_lsn_to_text(run->lsn, text),
                         wishes.binary ? "binary" : "text");
            result = stream_with_threads(stream, err);
            run->source_ops->stream_end(run->source);
        }
        run->sink_ops->close_writer(stream->writer);
    }
    return result;
}

int pgc_change_stream_run(pgc_run *run, pgconvoy_error *err)
{
    stream stream = {.run = run, .at_boundary = true, .position = run->lsn};
    bool done;
    if (set_until(&stream, err) != 0 || run_stream(&stream, err) != 0 || pgc_carry_sequences(run, err) != 0)
        return -1;
    return pgc_copier_complete(run, &done, err);
}

int pgc_change_stream_find_start(pgc_run *run, pgconvoy_error *err)
{
    pgc_position_status status;
    if (run->lsn)
        return 0;
    if (run->source_ops->position_status(run->source, &status, err) != 0)
        return -1;
    run->lsn = status.spool_start && status.spool_end >= status.confirmed_lsn ? status.spool_start : status.confirmed_lsn;
    return 0;
}

int pgc_change_stream_catch_up(pgc_run *run, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    stream stream = {.run = run, .at_boundary = true, .position = run->lsn, .until = lsn, .exact = true};
    return run_stream(&stream, err);
}
