/*
 * The script that makes the target what the source is. It is gathered in pieces, as what is found comes in another
 * order than it has to be mended in: first what is too much, then definitions, rows, sequences, and at last indexes and
 * constraints.
 */
#include "inspect/verify/verify_internal.h"

#include <errno.h>
#include <unistd.h>

static FILE **const *pieces_of(pgc_verify *verify, FILE ***pieces)
{
    FILE **all[] = {&verify->repair_drop,
                    &verify->repair_define,
                    &verify->repair_delete,
                    &verify->repair_write,
                    &verify->repair_sequence,
                    &verify->repair_build,
                    NULL};
    memcpy(pieces, all, sizeof all);
    return pieces;
}
#define PIECES 7

static int cannot(const char *what, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "cannot write %s: %s", what, strerror(errno));
    pgconvoy_error_hint(err, "make room, or name another folder with TMPDIR or --repair-file");
    return -1;
}

int verify_repair_begin(pgc_verify *verify, pgconvoy_error *err)
{
    FILE **pieces[PIECES];
    if (!verify->options->repair)
        return 0;
    for (FILE **const *piece = pieces_of(verify, pieces); *piece; piece++)
        if (!(**piece = tmpfile()))
            return cannot("a temporary file for the repair script", err);
    return 0;
}

void verify_repair(pgc_verify *verify, FILE *piece, const char *text)
{
    if (piece && fputs(text, piece) < 0)
        atomic_store(&verify->repair_failed, true);
}

int verify_repair_item(verify_session *session, pgconvoy_error *err)
{
    FILE **pieces[] = {&session->repair_delete, &session->repair_write};
    if (!session->verify->options->repair)
        return 0;
    for (int i = 0; i < 2; i++) {
        if (!*pieces[i] && !(*pieces[i] = tmpfile()))
            return cannot("a temporary file for the repair script", err);
        if (ftell(*pieces[i]) == 0)
            continue;
        rewind(*pieces[i]);
        if (ftruncate(fileno(*pieces[i]), 0))
            return cannot("a temporary file for the repair script", err);
    }
    return 0;
}

static void append(pgc_verify *verify, FILE *from, FILE *to)
{
    char bytes[16384];
    size_t got;
    if (!from || ftell(from) == 0)
        return;
    rewind(from);
    while ((got = fread(bytes, 1, sizeof bytes, from)) > 0)
        if (fwrite(bytes, 1, got, to) != got)
            atomic_store(&verify->repair_failed, true);
    if (ferror(from))
        atomic_store(&verify->repair_failed, true);
}

void verify_repair_item_done(verify_session *session)
{
    if (!session->verify->options->repair)
        return;
    append(session->verify, session->repair_delete, session->verify->repair_delete);
    append(session->verify, session->repair_write, session->verify->repair_write);
}

/* In which text of both ends is written. */
static const char *encoding_of(const pgc_verify *verify)
{
    const PGconn *target = verify->conn[VERIFY_TARGET];
    return target ? pg_encoding_to_char(PQclientEncoding(target)) : "UTF8";
}

/* The settings are those under which the rows were read; triggers and foreign keys are not for rows that the source has
 * taken already. */
static const char head[] =
    "-- Makes the target what the source is, by what pgconvoy verify has found. Read it before you run it, with\n"
    "-- psql -X -v ON_ERROR_STOP=1 -f THIS_FILE TARGET, while nothing else writes to the target; then verify again.\n"
    "BEGIN;\n"
    "SET client_encoding = '%s';\nSET standard_conforming_strings = on;\nSET datestyle = ISO;\nSET intervalstyle = "
    "postgres;\nSET timezone = 'UTC';\n"
    "SET bytea_output = hex;\nSET extra_float_digits = 3;\nSET lc_monetary = 'C';\nSET xmloption = content;\nSET "
    "row_security = off;\nSET check_function_bodies = off;\n"
    "SET search_path = pg_catalog;\n"
    "-- so that triggers and foreign keys do not fire; a role that may not set this has to put rows in order by hand\n"
    "SET session_replication_role = replica;\n";

static int write_script(pgc_verify *verify, FILE *out)
{
    FILE **pieces[PIECES];
    bool failed = fprintf(out, head, encoding_of(verify)) < 0;
    for (FILE **const *piece = pieces_of(verify, pieces); *piece; piece++)
        append(verify, **piece, out);
    return failed || fputs("COMMIT;\n", out) < 0 || atomic_load(&verify->repair_failed) ? -1 : 0;
}

int verify_repair_end(pgc_verify *verify, pgconvoy_error *err)
{
    const char *path = verify->options->repair;
    if (!path)
        return 0;
    FILE *out = fopen(path, "we");
    if (!out)
        return cannot(path, err);
    int status = write_script(verify, out);
    if (fclose(out) || status)
        return cannot(path, err);
    pgc_log_info(verify->options->log, "the repair script is %s; it was not run", path);
    return 0;
}

void verify_repair_close(pgc_verify *verify)
{
    FILE **pieces[PIECES];
    for (FILE **const *piece = pieces_of(verify, pieces); *piece; piece++)
        if (**piece) {
            fclose(**piece);
            **piece = NULL;
        }
}
