/*
 * A large transaction while a backlog is read. The server streams it in blocks as it reads, long before it comes to the commit: the target would
 * wait for all that time. Its changes are handed over at once, beside being put aside, as a transaction that is in progress. Where the commit is the
 * next thing that the server tells, it is only said; whatever else comes before it (another transaction, a rollback, a changed definition, the end of
 * the backlog), all is taken back, and the transaction comes once more at its commit.
 *
 * It is not tried where another transaction ended after it began: there others will end before it, too.
 */
#include "source/postgres/assemble_internal.h"

void pgc_assembler_allow_tentative(pgc_assembler *a, pgconvoy_lsn from, pgconvoy_lsn until)
{
    a->tentative_from = from;
    a->tentative_until = until;
}

/* Without the LSN of its first change nothing is known of when it began. */
static bool is_promising(const pgc_assembler *a, pgconvoy_lsn lsn)
{
    return lsn != 0 && lsn >= a->tentative_from && lsn >= a->config.skip_before && lsn >= a->passed && lsn < a->tentative_until && !a->config.ddl_log;
}

int pgc_tentative_block(pgc_assembler *a, pgconvoy_lsn lsn, bool first, pgconvoy_error *err)
{
    if (a->tentative && a->stream == a->tentative && lsn >= a->tentative_until)
        return pgc_tentative_end(a, err);
    if (a->tentative || !first || !is_promising(a, lsn))
        return 0;
    pgc_assembler_begin(a, pgc_spilled_xid(a->stream), lsn, 0);
    a->open.begin_lsn = lsn;
    a->open.facts.in_progress = true;
    a->tentative = a->stream;
    return 0;
}

/* A table of ours may be described for the first time, and any as it is known. */
static bool tells_nothing_new(pgc_assembler *a, const pgc_pgoutput_reader *reader)
{
    pgc_pgoutput_reader ahead = *reader;
    pgc_relation_entry *entry = pgc_relation_find(a->relations, pgc_pgoutput_int32(&ahead));
    return entry && (entry->described ? pgc_relation_is_as_described(entry, reader) : entry->told != NULL);
}

static bool is_ddl(const pgc_pgoutput_reader *reader)
{
    pgc_pgoutput_reader ahead = *reader;
    pgc_pgoutput_logical_message message;
    pgconvoy_error ignored;
    return pgc_pgoutput_read_message(&ahead, &message, &ignored) || pgc_assembler_is_ddl(message.prefix);
}

int pgc_tentative_message(pgc_assembler *a, pgconvoy_lsn lsn, pgc_pgoutput_reader *reader, pgconvoy_error *err)
{
    if (!a->tentative || a->stream != a->tentative)
        return 0;
    if ((reader->type == 'R' && !tells_nothing_new(a, reader)) || (reader->type == 'M' && is_ddl(reader)))
        return pgc_tentative_end(a, err);
    if (pgc_assembler_apply(a, lsn, reader, err))
        return -1;
    return a->open.unfit ? pgc_tentative_end(a, err) : 0;
}

int pgc_tentative_commit(pgc_assembler *a, const pgc_pgoutput_commit *commit, pgconvoy_error *err)
{
    pgc_log_debug(a->config.log, "transaction %u was handed over before its commit was read", commit->xid);
    pgc_spill_drop(a->spill, a->tentative);
    a->tentative = NULL;
    a->open.facts.in_progress = false;
    a->open.facts.commit_lsn = commit->commit_lsn;
    a->open.facts.commit_time = commit->commit_time;
    a->open.shared = NULL; /* what is handed over from here on has the new facts */
    return pgc_assembler_commit(a, commit->end_lsn, err);
}

int pgc_tentative_end(pgc_assembler *a, pgconvoy_error *err)
{
    if (!a->tentative)
        return 0;
    a->tentative = NULL;
    pgc_log_debug(a->config.log, "transaction %u waits for its commit: something else comes before that", a->open.facts.xid);
    return pgc_assembler_roll_back(a, err);
}

bool pgc_tentative_is_over(const pgc_assembler *a)
{
    return a->tentative && a->place == PGC_PGOUTPUT_OUTSIDE && a->heard >= a->tentative_until;
}
