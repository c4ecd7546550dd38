/*
 * Several connections that apply the piles of a batch together. The first of them is the stream's own. Each has a
 * transaction of its own, a thread, and what it knows of the tables. A pile is not copied: its changes are dealt out
 * into a pile for each, which has the order, while the values stay where they are.
 *
 * None waits for another on the server: no row, no key and no other constraint is written by two of them (split.h). So
 * all can be done before the first commits.
 */
#include "sink/postgres/bulk.h"
#include "sink/postgres/parts.h"
#include "sink/postgres/split.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct member {
    pgc_pgsink_writer *writer;
    pgc_pgsink_background *background;
    pgc_pgsink_pile pile;
    bool given;       /* is at it, or its outcome was not asked for */
    bool open;        /* its transaction */
    bool stale;       /* its statements are to be forgotten before the next transaction */
    pgc_buffer taken; /* pointers to the tables of the batch that it has, or has a slice of */
} member;

struct pgc_pgsink_team {
    pgc_pgsink_writer *writer;
    unsigned count;
    member *members;
    size_t *loads, *planned;   /* changes of the batch that each was given; and with those that are shared out */
    pgc_pgsink_groups *groups; /* NULL: not known */
};

/* ---- beginning and end */

static int open_member(pgc_pgsink_team *team, unsigned number, pgconvoy_error *err)
{
    member *m = &team->members[number];
    pgc_buffer_init(&m->taken, (size_t)1 << 30);
    m->pile.arena = pgc_arena_new((size_t)1 << 16);
    if (!m->pile.arena)
        return pgc_error_out_of_memory(err);
    m->writer = number == 0 ? team->writer : pgc_pgsink_writer_open(team->writer->sink, (int)number, err);
    if (!m->writer || (number > 0 && pgc_pgsink_origin_setup(m->writer, err) != 0))
        return -1;
    m->background = pgc_pgsink_background_new(m->writer);
    if (m->background)
        return 0;
    pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "cannot start a thread to apply changes");
    return -1;
}

pgc_pgsink_team *pgc_pgsink_team_new(pgc_pgsink_writer *writer, pgconvoy_error *err)
{
    pgc_pgsink_team *team = calloc(1, sizeof *team);
    unsigned count = (unsigned)writer->sink->config->apply_jobs;
    if (team) {
        team->writer = writer;
        team->members = calloc(count, sizeof *team->members);
        team->loads = calloc(count, sizeof *team->loads);
        team->planned = calloc(count, sizeof *team->planned);
    }
    if (!team || !team->members || !team->loads || !team->planned) {
        pgc_pgsink_team_free(team);
        pgc_error_out_of_memory(err);
        return NULL;
    }
    for (; team->count < count; team->count++)
        if (open_member(team, team->count, err) != 0) {
            team->count++; /* what there is of it is freed too */
            pgc_pgsink_team_free(team);
            return NULL;
        }
    return team;
}

void pgc_pgsink_team_free(pgc_pgsink_team *team)
{
    if (!team)
        return;
    for (unsigned i = 0; i < team->count; i++)
        pgc_pgsink_background_free(team->members[i].background);
    for (unsigned i = 0; i < team->count; i++) {
        member *m = &team->members[i];
        if (m->pile.arena) {
            pgc_pgsink_pile_clear(&m->pile);
            pgc_arena_free(m->pile.arena);
        }
        pgc_buffer_free(&m->taken);
        if (i > 0)
            pgc_pgsink_writer_close(m->writer);
    }
    pgc_pgsink_groups_free(team->groups);
    free(team->members);
    free(team->loads);
    free(team->planned);
    free(team);
}

void pgc_pgsink_team_forget(pgc_pgsink_team *team)
{
    pgc_pgsink_groups_free(team->groups);
    team->groups = NULL;
    for (unsigned i = 1; i < team->count; i++)
        team->members[i].stale = true;
}

/* ---- who has which table */

/* Foreign keys, of all tables: those that are not the stream's may bind two that are. */
static int load_groups(pgc_pgsink_team *team, pgconvoy_error *err)
{
    static const char sql[] = "SELECT conrelid, confrelid FROM pg_constraint WHERE contype = 'f'";
    if (team->groups)
        return 0;
    pgc_pgsink_groups *groups = pgc_pgsink_groups_new();
    if (!groups)
        return pgc_error_out_of_memory(err);
    PGresult *result = NULL;
    if (pgc_pgsink_land(team->writer, err) == 0)
        result = pgc_pgsink_query(team->writer->conn, sql, 0, NULL, "looking at the foreign keys of the target", err);
    int status = result ? 0 : -1;
    for (int row = 0; status == 0 && row < PQntuples(result); row++)
        status = pgc_pgsink_groups_bind(groups, (uint32_t)strtoul(PQgetvalue(result, row, 0), NULL, 10),
                                        (uint32_t)strtoul(PQgetvalue(result, row, 1), NULL, 10), err);
    PQclear(result);
    if (status == 0)
        team->groups = groups;
    else
        pgc_pgsink_groups_free(groups);
    return status;
}

static int note_taken(pgc_pgsink_team *team, pgc_pgsink_gathered *table, pgconvoy_error *err)
{
    for (unsigned i = 0; i < team->count; i++) {
        pgc_buffer *taken = &team->members[i].taken;
        if (table->share != PGSINK_SLICED && table->share != (int)i)
            continue;
        pgc_buffer_append(taken, &table, sizeof table);
        if (pgc_buffer_check(taken, err) != 0)
            return -1;
    }
    return 0;
}

/* Gives the tables of the pile that are new in the batch to one of us, or to all. */
static int share_out(pgc_pgsink_team *team, const pgc_pgsink_pile *pile, pgconvoy_error *err)
{
    size_t count = 0;
    for (const pgc_pgsink_part *part = pile->parts; part; part = part->next)
        count += part->gathered->share == PGSINK_NO_PART;
    if (count == 0)
        return 0;
    pgc_pgsink_share *shares = calloc(count, sizeof *shares);
    if (!shares)
        return pgc_error_out_of_memory(err);
    size_t filled = 0;
    for (const pgc_pgsink_part *part = pile->parts; part; part = part->next)
        if (part->gathered->share == PGSINK_NO_PART)
            shares[filled++] = (pgc_pgsink_share){.owner = part->gathered,
                                                  .relation = part->gathered->relation,
                                                  .changes = part->count,
                                                  .sliceable = part->gathered->sliceable};
    int status = load_groups(team, err);
    memcpy(team->planned, team->loads, team->count * sizeof *team->loads);
    if (status == 0)
        status = pgc_pgsink_groups_share(team->groups, shares, count, team->planned, team->count, err);
    for (size_t i = 0; i < count && status == 0; i++) {
        pgc_pgsink_gathered *table = shares[i].owner;
        table->share = shares[i].part;
        status = note_taken(team, table, err);
    }
    free(shares);
    return status;
}

/* The table as the member has it: what its thread uses is its own. */
static pgc_pgsink_gathered *member_table(const pgc_pgsink_team *team, pgc_pgsink_gathered *table, unsigned number)
{
    if (!table->members && !(table->members = calloc(team->count, sizeof *table->members)))
        return NULL;
    table->member_count = team->count;
    if (table->members[number])
        return table->members[number];
    pgc_pgsink_gathered *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    made->table = table->table;
    made->way = table->way;
    made->scans = table->scans;
    if (table->compacts[0] && !(made->compacts[0] = pgc_compact_new(table->table))) { /* a member has one pile */
        free(made);
        return NULL;
    }
    return table->members[number] = made;
}

static int deal_one(pgc_pgsink_team *team, pgc_pgsink_waiting *waiting, pgconvoy_error *err)
{
    pgc_pgsink_gathered *table = waiting->gathered;
    unsigned number = (unsigned)table->share;
    if (table->share == PGSINK_SLICED &&
        !pgc_pgsink_slice_of(table->table, table->table->key, table->table->key_count,
                             waiting->old ? waiting->old : waiting->new_, team->count, &number)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_DATA, "a key of %s.%s is not what its type says", table->table->schema,
                           table->table->name);
        return -1;
    }
    pgc_pgsink_gathered *own = member_table(team, table, number);
    if (!own)
        return pgc_error_out_of_memory(err);
    return pgc_pgsink_pile_append(&team->members[number].pile, own, waiting, err);
}

/* ---- applying */

static int begin(member *m, pgconvoy_error *err)
{
    pgc_pgsink_writer *writer = m->writer;
    if (m->open)
        return 0;
    if (writer->number > 0) {
        if (m->stale &&
            pgc_pgsink_execute(writer->conn, "DEALLOCATE ALL", "forgetting statements on the target", err) != 0)
            return -1;
        if (m->stale)
            pgc_pgsink_targets_clear(writer);
        m->stale = false;
        pgc_buffer lock;
        pgc_buffer_init(&lock, 65536);
        pgc_pgsink_parts_lock_sql(writer->sink, PGSINK_PARTS_WRITES, &lock);
        int status = pgc_buffer_check(&lock, err);
        writer->in_transaction = true;
        if (status == 0)
            status = pgc_pgsink_fly_sql(writer, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", NULL, 0, err);
        if (status == 0)
            status = pgc_pgsink_fly_sql(writer, lock.data, NULL, 0, err);
        pgc_buffer_free(&lock);
        if (status != 0)
            return -1;
    }
    m->open = true;
    return 0;
}

/* The writer's transaction begins by waiting until nobody of an earlier process writes parts (sink.c). It must have passed
 * that before one of us does, and what was sent is not always on its way. */
static int settle_writer(pgc_pgsink_team *team, pgconvoy_error *err)
{
    for (unsigned i = 1; i < team->count; i++)
        if (team->members[i].open)
            return 0;
    return pgc_pgsink_land(team->writer, err);
}

int pgc_pgsink_team_start(pgc_pgsink_team *team, pgc_pgsink_pile *pile, pgconvoy_error *err)
{
    if (share_out(team, pile, err) != 0 || settle_writer(team, err) != 0)
        return -1;
    for (pgc_pgsink_waiting *waiting = pile->first, *next; waiting; waiting = next) {
        next = waiting->next;
        if (deal_one(team, waiting, err) != 0)
            return -1;
    }
    pile->first = pile->last = NULL;
    for (unsigned i = 0; i < team->count; i++) {
        member *m = &team->members[i];
        team->loads[i] += m->pile.count;
        if (m->pile.count > 0 && begin(m, err) != 0)
            return -1;
    }
    for (unsigned i = 0; i < team->count; i++) {
        member *m = &team->members[i];
        m->given = m->pile.count > 0;
        if (m->given)
            pgc_pgsink_background_start(m->background, &m->pile, true, 0);
    }
    return 0;
}

bool pgc_pgsink_team_is_busy(const pgc_pgsink_team *team)
{
    for (unsigned i = 0; i < team->count; i++)
        if (team->members[i].given && pgc_pgsink_background_is_busy(team->members[i].background))
            return true;
    return false;
}

int pgc_pgsink_team_finish(pgc_pgsink_team *team, pgconvoy_error *err)
{
    int status = 0;
    for (unsigned i = 0; i < team->count; i++) {
        member *m = &team->members[i];
        pgconvoy_error error = {0};
        if (!m->given)
            continue;
        m->given = false;
        if (pgc_pgsink_background_finish(m->background, &error) == 0)
            continue;
        /* of several failures the one that says most: a lost connection may be the others' doing */
        if (status == 0 || (err->retriable && !error.retriable))
            pgc_error_copy(err, &error);
        status = -1;
    }
    return status;
}

/* ---- the end of a batch */

static int send_part(const member *m, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    const pgc_pgsink_writer *writer = m->writer;
    size_t count = m->taken.length / sizeof(pgc_pgsink_gathered *);
    pgc_pgsink_piece *pieces = calloc(count + 1, sizeof *pieces);
    const char **names = calloc(32 * (count + 1), sizeof *names); /* a key has at most so many columns */
    pgc_buffer tables, conflicts;
    pgc_buffer_init(&tables, (size_t)1 << 28);
    pgc_buffer_init(&conflicts, (size_t)1 << 28);
    int status = pieces && names ? 0 : pgc_error_out_of_memory(err);
    for (size_t i = 0; i < count && status == 0; i++) {
        const pgc_pgsink_gathered *table;
        memcpy(&table, m->taken.data + i * sizeof table, sizeof table);
        pieces[i].oid = table->table->oid;
        if (table->share != PGSINK_SLICED)
            continue;
        pieces[i].slices = (unsigned)writer->sink->config->apply_jobs;
        pieces[i].slice = (unsigned)writer->number;
        pieces[i].key = names + 32 * i;
        pieces[i].key_count = table->table->key_count;
        for (int k = 0; k < table->table->key_count; k++)
            names[32 * i + (size_t)k] = table->table->columns[table->table->key[k]].name;
    }
    if (status == 0) {
        pgc_pgsink_pieces_text(pieces, count, &tables);
        pgc_pgsink_conflicts_text(writer, false, &conflicts);
        status = pgc_buffer_check(&tables, err) != 0 ? -1 : pgc_buffer_check(&conflicts, err);
    }
    if (status == 0) {
        char part[16], text[PGCONVOY_LSN_TEXT_SIZE];
        snprintf(part, sizeof part, "%d", writer->number);
        const char *values[PGSINK_PART_VALUES] = {writer->sink->config->pipeline_name, part,
                                                  pgconvoy_lsn_to_text(lsn, text), tables.data, conflicts.data};
        if (PQsendQueryParams(writer->conn, pgc_pgsink_part_sql(), PGSINK_PART_VALUES, NULL, values, NULL, NULL, 0) !=
            1) {
            pgc_pgsink_error(writer->conn, NULL, "storing a part of a batch on the target", err);
            status = -1;
        }
    }
    pgc_buffer_free(&tables);
    pgc_buffer_free(&conflicts);
    free(names);
    free(pieces);
    return status;
}

/* The answer to what was sent to the member; tag: what it must say. */
static int take_answer(const member *m, const char *tag, const char *doing, pgconvoy_error *err)
{
    int status = 0;
    bool any = false;
    for (PGresult *result; (result = PQgetResult(m->writer->conn)) != NULL; PQclear(result)) {
        any = true;
        if (status == 0 &&
            (PQresultStatus(result) != PGRES_COMMAND_OK || strncmp(PQcmdStatus(result), tag, strlen(tag)) != 0)) {
            pgc_pgsink_error(m->writer->conn, result, doing, err);
            status = -1;
        }
    }
    if (!any) {
        pgc_pgsink_error(m->writer->conn, NULL, doing, err);
        status = -1;
    }
    return status;
}

/* Has all answer that have something open, whatever the first ones say. */
static int take_answers(pgc_pgsink_team *team, unsigned sent, const char *tag, const char *doing, pgconvoy_error *err)
{
    int status = 0;
    for (unsigned i = 1; i < sent; i++) {
        pgconvoy_error error = {0};
        if (!team->members[i].open || take_answer(&team->members[i], tag, doing, &error) == 0)
            continue;
        if (status == 0)
            pgc_error_copy(err, &error);
        status = -1;
    }
    return status;
}

int pgc_pgsink_team_store(pgc_pgsink_team *team, pgconvoy_lsn lsn, pgconvoy_error *err)
{
    unsigned sent = 1;
    int status = 0;
    for (; sent < team->count && status == 0; sent++)
        if (team->members[sent].open)
            status = send_part(&team->members[sent], lsn, err);
    if (status != 0)
        return -1; /* what was sent is given up with its transaction */
    if (take_answers(team, sent, "INSERT", "storing a part of a batch on the target", err) != 0)
        return -1;
    for (unsigned i = 1; i < team->count; i++)
        pgc_pgsink_conflicts_hand_over(team->members[i].writer, team->writer);
    return 0;
}

static void end_batch(pgc_pgsink_team *team)
{
    for (unsigned i = 0; i < team->count; i++) {
        member *m = &team->members[i];
        pgc_pgsink_gathered *table;
        for (size_t at = 0; at < m->taken.length; at += sizeof table) {
            memcpy(&table, m->taken.data + at, sizeof table);
            table->share = PGSINK_NO_PART;
        }
        pgc_buffer_reset(&m->taken);
        m->open = false;
        team->loads[i] = 0;
    }
    if (team->groups)
        pgc_pgsink_groups_begin(team->groups);
}

int pgc_pgsink_team_commit(pgc_pgsink_team *team, pgconvoy_error *err)
{
    static const char doing[] = "committing a part of a batch on the target";
    unsigned sent = 1;
    int status = 0;
    for (; sent < team->count && status == 0; sent++) {
        member *m = &team->members[sent];
        if (m->open && PQsendQuery(m->writer->conn, "COMMIT") != 1) {
            pgc_pgsink_error(m->writer->conn, NULL, doing, err);
            status = -1;
            break;
        }
    }
    pgconvoy_error error = {0};
    if (take_answers(team, sent, "COMMIT", doing, &error) != 0 && status == 0) {
        pgc_error_copy(err, &error);
        status = -1;
    }
    if (status != 0)
        return -1;
    for (unsigned i = 1; i < team->count; i++)
        team->members[i].writer->in_transaction = false;
    end_batch(team);
    return 0;
}

void pgc_pgsink_team_abort(pgc_pgsink_team *team)
{
    pgconvoy_error ignored = {0};
    if (pgc_pgsink_team_finish(team, &ignored) != 0)
        pgc_log_debug(team->writer->sink->config->log, "what was being applied is given up: %s", ignored.message);
    for (unsigned i = 0; i < team->count; i++) {
        pgc_pgsink_pile_clear(&team->members[i].pile);
        if (i > 0)
            pgc_pgsink_writer_give_up(team->members[i].writer);
    }
    end_batch(team);
}
