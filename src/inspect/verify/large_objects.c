/*
 * Large objects, which copy takes along and a stream does not: each server hashes their content itself, in pieces, and
 * both ends are gone through together in the order of their numbers. Small ones are mended by the script.
 */
#include "inspect/verify/verify_internal.h"

#include <stdlib.h>

#define PAGE 1000 /* objects asked for at a time: each stays open in its server until the query has ended */
#define PAGE_TEXT "1000"
#define PIECE_TEXT "16777216"           /* bytes that a server hashes at a time */
#define MOST_IN_SCRIPT INT64_C(1 << 20) /* bytes */
#define TO_READ_TEXT "262144"           /* INV_READ */
#define TO_WRITE_TEXT "131072"          /* INV_WRITE */

/* The larger ones first would be quicker, but only their numbers are the same at both ends. */
#define OBJECTS_SQL                                                                                                    \
    "SELECT oid, size, pg_get_userbyid(owner), (SELECT md5(string_agg(md5(lo_get(oid, i * " PIECE_TEXT ", " PIECE_TEXT \
    ")), '' ORDER BY i)) FROM generate_series(0, (size - 1) / " PIECE_TEXT                                             \
    ") i) FROM (SELECT oid, lomowner AS owner, "                                                                       \
    "lo_lseek64(lo_open(oid, " TO_READ_TEXT "), 0, 2) AS size FROM pg_largeobject_metadata WHERE oid > $1::oid "       \
    "ORDER BY oid LIMIT " PAGE_TEXT ") o ORDER BY oid"

enum { OF_OID, OF_SIZE, OF_OWNER, OF_HASH };

/* An end's objects, a page of them at a time. */
typedef struct side {
    PGresult *page;
    int at;
    char after[24];
    bool is_last;
} side;

static const char *value(const side *side, int column)
{
    return PQgetvalue(side->page, side->at, column);
}

/* So that value() is of the next object; *there: there is one. */
static int advance(pgc_verify *verify, int which, side *side, bool *there, pgconvoy_error *err)
{
    if (side->page && ++side->at < PQntuples(side->page)) {
        *there = true;
        return 0;
    }
    *there = false;
    if (side->is_last)
        return 0;
    if (side->page)
        snprintf(side->after, sizeof side->after, "%s", PQgetvalue(side->page, side->at - 1, OF_OID));
    PQclear(side->page);
    const char *values[] = {side->after};
    side->page =
        verify_stopped(verify, err) ? NULL : pgc_query_params(verify->conn[which], OBJECTS_SQL, 1, values, err);
    if (!side->page) {
        pgc_error_prefix(err, "comparing large objects at the %s", which ? "target" : "source");
        if (strcmp(err->sqlstate, "42501") == 0)
            pgconvoy_error_hint(err, "connect as a role that may read them, or leave them out by --no-large-objects");
        return -1;
    }
    side->at = 0;
    side->is_last = PQntuples(side->page) < PAGE;
    *there = PQntuples(side->page) > 0;
    return 0;
}

/* ------------------------------------------------------------------ the script */

/* Its content, as SQL writes bytes; false when it is too large for a script, or cannot be had. */
static bool content(pgc_verify *verify, const side *source, pgc_buffer *out)
{
    if (strtoll(value(source, OF_SIZE), NULL, 10) > MOST_IN_SCRIPT)
        return false;
    const char *values[] = {value(source, OF_OID)};
    pgconvoy_error unused = {0};
    PGresult *result = pgc_query_params(verify->conn[VERIFY_SOURCE], "SELECT lo_get($1::oid)", 1, values, &unused);
    if (result)
        pgc_quote_literal(out, PQgetvalue(result, 0, 0));
    PQclear(result);
    return result != NULL;
}

static void mend(pgc_verify *verify, verify_kind kind, const side *source, const side *target, bool same_owner)
{
    if (!verify->options->repair)
        return;
    pgc_buffer out, bytes;
    pgc_buffer_init(&out, VERIFY_SQL_LIMIT);
    pgc_buffer_init(&bytes, VERIFY_SQL_LIMIT);
    const char *oid = value(kind == VERIFY_EXTRA ? target : source, OF_OID);
    bool same = kind == VERIFY_CHANGED && strcmp(value(source, OF_HASH), value(target, OF_HASH)) == 0;
    if (kind == VERIFY_EXTRA) {
        pgc_buffer_format(&out, "SELECT lo_unlink(%s);\n", oid);
    } else if (!same && !content(verify, source, &bytes)) {
        pgc_buffer_format(&out, "-- by hand: large object %s has %s bytes (psql: \\lo_export, \\lo_import)\n", oid,
                          value(source, OF_SIZE));
    } else {
        if (kind == VERIFY_MISSING)
            pgc_buffer_format(&out, "SELECT lo_from_bytea(%s, %s);\n", oid, bytes.data);
        else if (!same)
            pgc_buffer_format(&out,
                              "SELECT lo_truncate64(lo_open(%s, " TO_WRITE_TEXT "), 0);\nSELECT lo_put(%s, 0, %s);\n",
                              oid, oid, bytes.data);
        if (!same_owner && !verify->options->dump.no_owner) {
            pgc_buffer_format(&out, "ALTER LARGE OBJECT %s OWNER TO ", oid);
            pgc_quote_identifier(&out, value(source, OF_OWNER));
            pgc_buffer_text(&out, ";\n");
        }
    }
    if (out.failed || bytes.failed)
        atomic_store(&verify->repair_failed, true);
    else
        verify_repair(verify, kind == VERIFY_EXTRA ? verify->repair_delete : verify->repair_write, out.data);
    pgc_buffer_free(&bytes);
    pgc_buffer_free(&out);
}

/* ------------------------------------------------------------------ comparing */

static int note(pgc_verify *verify, verify_kind kind, const side *source, const side *target, pgconvoy_error *err)
{
    static const struct {
        const char *name;
        int column;
    } properties[] = {{"size", OF_SIZE}, {"md5 of its pieces", OF_HASH}, {"owner", OF_OWNER}};
    char what[60];
    snprintf(what, sizeof what, "LARGE OBJECT %s", value(source ? source : target, OF_OID));
    verify_finding *finding = verify_finding_add(&verify->schema, verify->arena, kind, what);
    if (!finding)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        const char *here = source ? value(source, properties[i].column) : NULL,
                   *there = target ? value(target, properties[i].column) : NULL;
        bool differs = !here || !there || strcmp(here, there) != 0;
        if (differs && verify_detail_add(finding, verify->arena, properties[i].name, here, there, err))
            return -1;
    }
    return 0;
}

static int compare(pgc_verify *verify, const side *source, const side *target, pgconvoy_error *err)
{
    bool same_owner = source && target && strcmp(value(source, OF_OWNER), value(target, OF_OWNER)) == 0;
    bool same = source && target && strcmp(value(source, OF_HASH), value(target, OF_HASH)) == 0;
    if (same && (same_owner || verify->options->dump.no_owner))
        return 0;
    verify_kind kind = !target ? VERIFY_MISSING : !source ? VERIFY_EXTRA : VERIFY_CHANGED;
    mend(verify, kind, source, target, same_owner);
    return note(verify, kind, source, target, err);
}

/* As copy takes them: when all is compared, or when they are asked for. */
static bool are_wanted(const pgc_verify *verify)
{
    const pgc_verify_options *options = verify->options;
    return verify_compares_schema(verify) && !options->no_rows && !options->no_large_objects &&
           (options->large_objects || !pgc_choice_is_given(&options->choice));
}

int verify_large_objects(pgc_verify *verify, pgconvoy_error *err)
{
    if (!are_wanted(verify))
        return 0;
    if (verify->flow.slot_count && !verify->options->large_objects)
        return 0; /* a stream does not carry them */
    side sides[2] = {{.after = "0"}, {.after = "0"}};
    bool there[2];
    int status = advance(verify, VERIFY_SOURCE, &sides[0], &there[0], err) ||
                 advance(verify, VERIFY_TARGET, &sides[1], &there[1], err);
    while (status == 0 && (there[0] || there[1])) {
        unsigned long source = there[0] ? strtoul(value(&sides[0], OF_OID), NULL, 10) : ~0UL,
                      target = there[1] ? strtoul(value(&sides[1], OF_OID), NULL, 10) : ~0UL;
        status = compare(verify, source <= target ? &sides[0] : NULL, target <= source ? &sides[1] : NULL, err);
        verify->object_count += source <= target;
        if (status == 0 && source <= target)
            status = advance(verify, VERIFY_SOURCE, &sides[0], &there[0], err);
        if (status == 0 && target <= source)
            status = advance(verify, VERIFY_TARGET, &sides[1], &there[1], err);
    }
    PQclear(sides[0].page);
    PQclear(sides[1].page);
    return status ? -1 : 0;
}
