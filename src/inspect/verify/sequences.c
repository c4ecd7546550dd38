/* Sequences: the target's must not be behind, or it would give out values that are taken. One that runs ahead is in
 * order. */
#include "inspect/verify/verify_internal.h"

#include "base/clock.h"
#include "postgres/sequence_values.h"

#define CARRY_US INT64_C(25000000) /* a stream that carries sequences over does so at intervals */

/* Those that belong to a column of a chosen table; and others that are chosen themselves, by -t even those of a table
 * that is not. */
static int compose_condition(const pgc_verify *verify, pgc_buffer *out, pgconvoy_error *err)
{
    pgc_buffer choice;
    pgc_buffer_init(&choice, VERIFY_SQL_LIMIT);
    int status = pgc_choice_condition(&verify->options->choice, &choice, err);
    static const char owned[] = "EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class c ON c.oid = "
                                "d.refobjid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                                "WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = s.seqrelid "
                                "AND d.refclassid = d.classid AND d.deptype IN ('a', 'i') AND ";
    bool by_name = verify->options->choice.include_table_count > 0;
    if (status == 0)
        pgc_buffer_format(out, "(%s%s) OR (%s AND NOT %s%s)))", owned, choice.data, choice.data, owned,
                          by_name ? "false" : "true");
    pgc_buffer_free(&choice);
    return status ? -1 : pgc_buffer_check(out, err);
}

static int read_source(pgc_verify *verify, pgc_sequence_values *values, pgconvoy_error *err)
{
    pgc_buffer condition;
    pgc_buffer_init(&condition, VERIFY_SQL_LIMIT);
    PGconn *conn = verify->conn[VERIFY_SOURCE];
    int status = compose_condition(verify, &condition, err);
    if (status == 0)
        status = pgc_execute(conn, "RESET search_path", err) ||
                 pgc_sequence_values_read(conn, condition.data, verify->arena, values, err) ||
                 pgc_execute(conn, "SET search_path = pg_catalog", err);
    pgc_buffer_free(&condition);
    return status ? -1 : 0;
}

static int read_target(pgc_verify *verify, pgc_sequence_values *values, pgconvoy_error *err)
{
    return pgc_sequence_values_read(verify->conn[VERIFY_TARGET], "n.nspname !~ '^pg_'", verify->arena, values, err);
}

/* At the target, under its schema's new name, or where a table that has moved has taken its own sequences along. */
const pgc_sequence_value *pgc_verify_sequence_there(const pgc_mapping *mapping, const pgc_sequence_values *target,
                                                    const pgc_sequence_value *here)
{
    const pgc_sequence_value *there =
        pgc_sequence_values_find(target, pgc_mapping_schema(mapping, here->schema), here->name);
    const pgc_mapped_table *tables = NULL;
    int count = mapping ? pgc_mapping_tables(mapping, &tables) : 0;
    for (int i = 0; i < count && !there; i++)
        if (tables[i].to_schema && strcmp(tables[i].schema, here->schema) == 0)
            there = pgc_sequence_values_find(target, tables[i].to_schema, here->name);
    return there;
}

static bool any_is_behind(const pgc_verify *verify, const pgc_sequence_values *source,
                          const pgc_sequence_values *target)
{
    for (size_t i = 0; i < source->count; i++) {
        const pgc_sequence_value *there =
            pgc_verify_sequence_there(verify->options->mapping, target, &source->items[i]);
        if (there && pgc_sequence_is_behind(there, &source->items[i]))
            return true;
    }
    return false;
}

static int note(pgc_verify *verify, const pgc_sequence_value *source, const pgc_sequence_value *target,
                pgconvoy_error *err)
{
    char what[300], here[32], there[32];
    snprintf(what, sizeof what, "SEQUENCE %s.%s", source->schema, source->name);
    verify_finding *finding =
        verify_finding_add(&verify->sequences, verify->arena, target ? VERIFY_CHANGED : VERIFY_MISSING, what);
    if (!finding)
        return pgc_error_out_of_memory(err);
    snprintf(here, sizeof here, "%lld", (long long)pgc_sequence_next(source));
    snprintf(there, sizeof there, "%lld", target ? (long long)pgc_sequence_next(target) : 0LL);
    return verify_detail_add(finding, verify->arena, "next value", here, target ? there : NULL, err);
}

static void mend(pgc_verify *verify, const pgc_sequence_value *source, const pgc_sequence_value *target)
{
    pgc_sequence_value mended = *source;
    if (target)
        mended.schema = target->schema;
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 16);
    pgc_sequence_set_sql(&mended, &sql);
    verify_repair(verify, verify->repair_sequence, sql.failed ? "" : sql.data);
    pgc_buffer_free(&sql);
}

/* What a stream carries over comes in a while: then it is looked at again. */
static int wait_for_carrying(pgc_verify *verify, const pgc_sequence_values *source, pgc_sequence_values *target,
                             pgconvoy_error *err)
{
    int64_t begun = pgc_clock_monotonic_us();
    verify_passed how = VERIFY_NOBODY_STREAMS;
    while (verify->flow.slot_count && any_is_behind(verify, source, target)) {
        if (verify_stopped(verify, err) ||
            verify_flow_passed(&verify->flow, verify->conn[VERIFY_SOURCE], UINT64_MAX, &how, err))
            return -1;
        if (how == VERIFY_NOBODY_STREAMS || pgc_clock_monotonic_us() - begun > CARRY_US)
            return 0;
        pgc_clock_sleep_ms(200);
        if (read_target(verify, target, err))
            return -1;
    }
    return 0;
}

int verify_sequences(pgc_verify *verify, pgconvoy_error *err)
{
    pgc_sequence_values source = {0}, target = {0};
    if (read_source(verify, &source, err) || read_target(verify, &target, err) ||
        wait_for_carrying(verify, &source, &target, err))
        return -1;
    for (size_t i = 0; i < source.count; i++) {
        const pgc_sequence_value *here = &source.items[i],
                                 *there = pgc_verify_sequence_there(verify->options->mapping, &target, here);
        if (there && !pgc_sequence_is_behind(there, here))
            continue;
        mend(verify, here, there);
        if ((there || !verify_compares_schema(verify)) &&
            note(verify, here, there, err)) /* one that is not there is among the objects */
            return -1;
    }
    verify->sequence_count = (int)source.count;
    return 0;
}
