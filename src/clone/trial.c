/*
 * What the target cannot have is found by trying: definitions run there, with no rows, in a transaction that is undone.
 * So a missing library, type, locale or privilege, and what an older server does not know yet, are known by name before
 * anything is changed. Things go in pieces of many, one by one only where a piece is refused. An object whose like was
 * refused is not tried: it is what needs that.
 *
 * A server has room for so many locks (max_locks_per_transaction); where thousands of tables do not fit, and nothing
 * hints at trouble, there is no trial, and the copy itself meets what there is.
 */
#include "clone/clone_internal.h"

#include "postgres/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE 100
#define MOST 500 /* entries, where nothing hints at trouble */
#define SHOWN 6
#define WHY_BYTES 200

typedef struct trial {
    pgc_clone *clone;
    pgc_script *script;
    pgc_buffer text;
    unsigned char *refused; /* by id: it, or what it needs; or it is not tried */
    char named[1400];
    int count;
    bool given_up;
} trial;

/* What comes of rows is not tried without them, nor what would wait for other servers. */
static bool is_tried(const pgc_entry *entry)
{
    static const char *const descriptions[] = {"ENCODING",      "STDSTRINGS",    "SEARCHPATH",
                                               "TABLE DATA",    "BLOBS",         "BLOB",
                                               "BLOB METADATA", "SEQUENCE SET",  "MATERIALIZED VIEW DATA",
                                               "SUBSCRIPTION",  "EVENT TRIGGER", NULL};
    for (const char *const *d = descriptions; *d; d++)
        if (pgc_entry_is(entry, *d))
            return false;
    return !entry->has_data && !clone_is_left_out(entry) && strncmp(entry->tag, "LARGE OBJECT", 12) != 0;
}

/* section: its own, or, of a comment and the like, that of what came before. */
static bool is_of_later(const trial *trial, pgc_section section)
{
    const pgc_clone *clone = trial->clone;
    bool everything = clone->options->skip_unavailable ||
                      clone->target_version / 10000 < pgc_catalog_server_version(clone->catalog) / 10000;
    return !everything && section == PGC_SECTION_POST_DATA;
}

static bool needs_refused(const trial *trial, const pgc_entry *entry)
{
    for (int i = 0; i < entry->dependency_count; i++) {
        int id = entry->dependencies[i];
        if (id > 0 && id <= trial->clone->entries.max_id && trial->refused[id])
            return true;
    }
    return false;
}

/* ------------------------------------------------------------------ running */

/* Is it the definition that is refused, or has something else happened? A missing file (58P01) is a library that is not
 * there. */
static bool is_refusal(const pgconvoy_error *err)
{
    static const char *const others[] = {"08", "40", "53", "55", "57", "58", NULL};
    if (err->sqlstate[0] == '\0')
        return false;
    for (const char *const *other = others; *other; other++)
        if (strncmp(err->sqlstate, *other, 2) == 0 && strcmp(err->sqlstate, "58P01") != 0 &&
            strcmp(err->sqlstate, "55000") != 0)
            return false;
    return true;
}

/* *good: it ran. What fails is undone, and the script forgets what it knew of the session. */
static int run(trial *trial, const char *what, bool *good, pgconvoy_error *err)
{
    pgc_buffer_text(&trial->text, "RELEASE SAVEPOINT pgconvoy;");
    /* by itself: of a text that cannot be parsed nothing is run */
    if (pgc_buffer_check(&trial->text, err) || pgc_execute(trial->clone->target, "SAVEPOINT pgconvoy", err))
        return -1;
    PGresult *result = PQexec(trial->clone->target, trial->text.data);
    ExecStatusType status = PQresultStatus(result);
    *good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
    if (!*good)
        pgc_connection_error(trial->clone->target, result, what, err);
    PQclear(result);
    pgc_buffer_reset(&trial->text);
    if (*good)
        return 0;
    trial->given_up = strcmp(err->sqlstate, "53200") == 0;
    if (!is_refusal(err))
        return -1;
    pgc_buffer_text(&trial->text, "ROLLBACK TO SAVEPOINT pgconvoy;");
    pgconvoy_error undoing = {0};
    if (pgc_script_session(trial->script, &trial->text, &undoing) ||
        pgc_execute(trial->clone->target, trial->text.data, &undoing)) {
        pgc_error_copy(err, &undoing);
        return -1;
    }
    pgc_buffer_reset(&trial->text);
    return 0;
}

static int note(trial *trial, const pgc_entry *entry, const pgconvoy_error *why, pgconvoy_error *err)
{
    char name[300], reason[WHY_BYTES];
    clone_entry_name(entry, name, sizeof name);
    const char *cause = strstr(why->message, ": ");
    snprintf(reason, sizeof reason, "%.*s", WHY_BYTES - 1, cause ? cause + 2 : why->message);
    size_t length = strlen(trial->named);
    if (trial->count++ < SHOWN)
        snprintf(trial->named + length, sizeof trial->named - length, "%s%s (%s)", length ? ", " : "", name, reason);
    trial->refused[entry->id] = 1;
    return clone_leave_out(trial->clone, entry, reason, err);
}

static int try_one(trial *trial, const pgc_entry *entry, pgconvoy_error *err)
{
    char name[300];
    bool good;
    if (needs_refused(trial, entry)) {
        trial->refused[entry->id] = 1;
        return 0;
    }
    if (pgc_script_entry(trial->script, entry, &trial->text, err) ||
        run(trial, clone_entry_name(entry, name, sizeof name), &good, err))
        return -1;
    if (good)
        return 0;
    pgconvoy_error why = {0};
    pgc_error_copy(&why, err);
    pgc_error_clear(err);
    return note(trial, entry, &why, err);
}

static int try_piece(trial *trial, const pgc_entry *const *piece, int count, pgconvoy_error *err)
{
    bool good;
    for (int i = 0; i < count; i++)
        if (pgc_script_entry(trial->script, piece[i], &trial->text, err))
            return -1;
    if (run(trial, "trying", &good, err))
        return -1;
    if (!good)
        pgc_error_clear(err);
    for (int i = 0; i < count && !good; i++)
        if (try_one(trial, piece[i], err))
            return -1;
    return 0;
}

static int try_all(trial *trial, pgconvoy_error *err)
{
    const pgc_entry *piece[PIECE];
    int count = 0;
    const pgc_entries *entries = &trial->clone->entries;
    for (int pass = PGC_PASS_MAIN; pass <= PGC_PASS_ACL; pass++) {
        pgc_section section = PGC_SECTION_PRE_DATA;
        for (int i = 0; i < entries->count; i++) {
            const pgc_entry *entry = entries->items[i];
            section = entry->section != PGC_SECTION_NONE ? entry->section : section;
            if ((int)pgc_entry_pass(entry) == pass && is_tried(entry)) {
                if (is_of_later(trial, section) || needs_refused(trial, entry))
                    trial->refused[entry->id] = 1;
                else
                    piece[count++] = entry;
            } else if (pgc_entry_is(entry, "SUBSCRIPTION") || pgc_entry_is(entry, "EVENT TRIGGER")) {
                trial->refused[entry->id] = 1; /* nor comments on them */
            }
            if (count == PIECE || (i == entries->count - 1 && count > 0)) {
                if (try_piece(trial, piece, count, err))
                    return -1;
                count = 0;
            }
        }
    }
    return 0;
}

/* ------------------------------------------------------------------ what comes of it */

static int refuse(const trial *trial, pgconvoy_error *err)
{
    char more[32] = "";
    if (trial->count > SHOWN)
        snprintf(more, sizeof more, " and %d more", trial->count - SHOWN);
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the target cannot have %d object%s: %s%s", trial->count,
                       trial->count == 1 ? "" : "s", trial->named, more);
    pgconvoy_error_hint(err, "mend it there, leave them out (-T, -N), or say --skip-unavailable to go on without them "
                             "and what needs them; nothing was changed");
    return -1;
}

/* Where trouble is not to be expected, and there is a great deal to try. */
static bool is_spared(const pgc_clone *clone)
{
    int count = 0;
    if (clone->resumes || clone->dump.data_only)
        return true;
    if (clone->options->skip_unavailable ||
        clone->target_version / 10000 < pgc_catalog_server_version(clone->catalog) / 10000)
        return false;
    for (int i = 0; i < clone->entries.count; i++)
        count += is_tried(clone->entries.items[i]) && clone->entries.items[i]->section == PGC_SECTION_PRE_DATA;
    return count > MOST;
}

static int begin(trial *trial, pgconvoy_error *err)
{
    pgc_clone *clone = trial->clone;
    pgc_buffer_text(&trial->text, "BEGIN;");
    if (clone->role_sql)
        pgc_buffer_text(&trial->text, clone->role_sql);
    if (clone_state_append_drops(clone, &trial->text, err) || pgc_script_session(trial->script, &trial->text, err) ||
        pgc_buffer_check(&trial->text, err))
        return -1;
    int result = pgc_execute(clone->target, trial->text.data, err);
    pgc_buffer_reset(&trial->text);
    return result;
}

int clone_trial(pgc_clone *clone, pgconvoy_error *err)
{
    if (is_spared(clone))
        return 0;
    trial trial = {.clone = clone, .refused = calloc((size_t)clone->entries.max_id + 1, 1)};
    pgc_buffer_init(&trial.text, (size_t)1 << 30);
    trial.script = pgc_script_fork(clone->script, err);
    int result = !trial.refused                            ? pgc_error_out_of_memory(err)
                 : trial.script && begin(&trial, err) == 0 ? try_all(&trial, err)
                                                           : -1;
    pgc_script_free(trial.script);
    pgc_buffer_free(&trial.text);
    free(trial.refused);
    pgconvoy_error undoing = {0};
    if (PQstatus(clone->target) == CONNECTION_OK && PQtransactionStatus(clone->target) != PQTRANS_IDLE &&
        pgc_execute(clone->target, "ROLLBACK", &undoing) && result == 0) {
        pgc_error_copy(err, &undoing);
        result = -1;
    }
    if (trial.given_up) {
        pgc_log_info(clone->options->log, "definitions were not tried beforehand: they need more locks than the "
                                          "target's max_locks_per_transaction has room for");
        pgc_error_clear(err);
        result = 0;
    }
    if (result == 0 && trial.count > 0 && !clone->options->skip_unavailable)
        result = refuse(&trial, err);
    return result == 0 ? clone_leave_out_all(clone, err) : -1;
}
