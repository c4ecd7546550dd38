/* The report: for people by part, with what differs named line by line; and the same as one JSON document. */
#include "inspect/verify/verify_internal.h"

#include "base/clock.h"
#include "base/units.h"
#include "format/json_object.h"

#define MOST_OBJECTS 200 /* lines of schema differences that people are shown */

static int64_t found_in(const verify_table *table)
{
    return table->found[0] + table->found[1] + table->found[2] + (table->is_absent ? 1 : 0);
}

/* ------------------------------------------------------------------ for people */

/* A value on one line. */
static void value(const char *text, pgc_buffer *out)
{
    if (!text) {
        pgc_buffer_text(out, "NULL");
        return;
    }
    pgc_buffer_byte(out, '\'');
    for (; *text; text++) {
        if (*text == '\n')
            pgc_buffer_text(out, "\\n");
        else
            pgc_buffer_byte(out, *text);
    }
    pgc_buffer_byte(out, '\'');
}

static void finding(const verify_finding *finding, const char *indent, bool with_details, pgc_buffer *out)
{
    pgc_buffer_format(out, "%s%-8s %s\n", indent, verify_kind_name(finding->kind), finding->what);
    for (const verify_detail *detail = with_details ? finding->details : NULL; detail; detail = detail->next) {
        pgc_buffer_format(out, "%s         %s: source ", indent, detail->name);
        value(detail->value[VERIFY_SOURCE], out);
        pgc_buffer_text(out, ", target ");
        value(detail->value[VERIFY_TARGET], out);
        pgc_buffer_byte(out, '\n');
    }
}

static void part(const char *title, const verify_findings *findings, int compared, const char *noun, pgc_buffer *out)
{
    char text[PGC_UNITS_TEXT_SIZE];
    pgc_buffer_format(out, "%s: %s %s compared, ", title, pgc_count_to_text(compared, text), noun);
    if (findings->count)
        pgc_buffer_format(out, "%d differ\n", findings->count);
    else
        pgc_buffer_text(out, "no difference\n");
    int shown = 0;
    for (const verify_finding *f = findings->first; f && shown < MOST_OBJECTS; f = f->next, shown++)
        finding(f, "  ", f->kind == VERIFY_CHANGED, out);
    if (findings->count > shown)
        pgc_buffer_format(out, "  … and %d more; --json has them all\n", findings->count - shown);
}

static void table_report(const verify_table *table, pgc_buffer *out)
{
    char text[PGC_UNITS_TEXT_SIZE];
    if (table->is_absent) {
        pgc_buffer_format(out, "  %s.%s: is not at the target\n", table->schema, table->name);
        return;
    }
    if (found_in(table)) {
        pgc_buffer_format(out, "  %s.%s:", table->schema, table->name);
        const char *separator = " ";
        for (int kind = 0; kind < 3; kind++)
            if (table->found[kind]) {
                pgc_buffer_format(out, "%s%s %s", separator, pgc_count_to_text(table->found[kind], text),
                                  verify_kind_name((verify_kind)kind));
                separator = ", ";
            }
        pgc_buffer_format(out, " of %s rows\n", pgc_count_to_text(table->row_count[VERIFY_SOURCE], text));
        for (const verify_finding *f = table->findings.first; f; f = f->next)
            finding(f, "    ", true, out);
    }
    if (table->unsettled)
        pgc_buffer_format(out, "  %s.%s: %lld rows change so fast that they could not be compared; they do not count\n",
                          table->schema, table->name, (long long)table->unsettled);
}

static void rows_report(const pgc_verify *verify, pgc_buffer *out)
{
    int64_t rows = 0;
    int differ = 0;
    for (int i = 0; i < verify->table_count; i++) {
        rows += verify->tables[i].row_count[VERIFY_SOURCE];
        differ += found_in(&verify->tables[i]) ? 1 : 0;
    }
    char text[PGC_UNITS_TEXT_SIZE], tables[PGC_UNITS_TEXT_SIZE];
    pgc_buffer_format(out, "rows: %s rows of %s tables compared", pgc_count_to_text(rows, text),
                      pgc_count_to_text(verify->table_count, tables));
    if (verify->options->sample < 100)
        pgc_buffer_format(out, " (a sample of %g %%)", verify->options->sample);
    if (differ)
        pgc_buffer_format(out, ", %d tables differ\n", differ);
    else
        pgc_buffer_text(out, ", no difference\n");
    for (int i = 0; i < verify->table_count; i++)
        table_report(&verify->tables[i], out);
}

void pgc_verify_report(const pgc_verify *verify, pgc_buffer *out)
{
    const pgc_verify_options *options = verify->options;
    bool is_postgres = pgc_connection_is_uri(options->target); /* of others only columns and rows are compared */
    char text[PGC_UNITS_TEXT_SIZE];
    if (!options->no_schema && (is_postgres || verify->schema.count))
        part("schema", &verify->schema, verify->object_count, "objects", out);
    if (!options->no_sequences && is_postgres)
        part("sequences", &verify->sequences, verify->sequence_count, "sequences", out);
    if (!options->no_rows)
        rows_report(verify, out);
    pgc_buffer_format(out, "took %s\n", pgc_duration_to_text(pgc_clock_monotonic_us() - verify->begun_us, text));
}

/* ------------------------------------------------------------------ JSON */

static void json_finding(const verify_finding *finding, const char *name, pgc_buffer *out)
{
    pgc_json_comma(out);
    pgc_buffer_byte(out, '{');
    pgc_json_member_text(out, "kind", verify_kind_name(finding->kind));
    pgc_json_member_text(out, name, finding->what);
    pgc_json_name(out, "details");
    pgc_buffer_byte(out, '[');
    for (const verify_detail *detail = finding->details; detail; detail = detail->next) {
        pgc_json_comma(out);
        pgc_buffer_byte(out, '{');
        pgc_json_member_text(out, "name", detail->name);
        pgc_json_member_text(out, "source", detail->value[VERIFY_SOURCE]);
        pgc_json_member_text(out, "target", detail->value[VERIFY_TARGET]);
        pgc_buffer_byte(out, '}');
    }
    pgc_buffer_text(out, "]}");
}

/* A list of findings; name: what each is of. */
static void json_findings(const char *member, const verify_findings *findings, const char *name, pgc_buffer *out)
{
    pgc_json_name(out, member);
    pgc_buffer_byte(out, '[');
    for (const verify_finding *finding = findings->first; finding; finding = finding->next)
        json_finding(finding, name, out);
    pgc_buffer_byte(out, ']');
}

static void json_table(const verify_table *table, pgc_buffer *out)
{
    pgc_json_comma(out);
    pgc_buffer_byte(out, '{');
    pgc_json_member_table(out, table->schema, table->name);
    pgc_json_name(out, "key");
    pgc_buffer_byte(out, '[');
    for (int i = 0; i < table->key_count; i++) {
        pgc_json_comma(out);
        pgc_json_nullable(out, table->columns[table->keys[i]].name);
    }
    pgc_buffer_byte(out, ']');
    pgc_json_member_bool(out, "at_target", !table->is_absent);
    pgc_json_member_number(out, "source_rows", table->row_count[VERIFY_SOURCE]);
    pgc_json_member_number(out, "target_rows", table->row_count[VERIFY_TARGET]);
    for (int kind = 0; kind < 3; kind++)
        pgc_json_member_number(out, verify_kind_name((verify_kind)kind), table->found[kind]);
    pgc_json_member_number(out, "unsettled", table->unsettled);
    json_findings("rows", &table->findings, "key", out);
    pgc_buffer_byte(out, '}');
}

void pgc_verify_json(const pgc_verify *verify, pgc_buffer *out)
{
    int64_t differences = verify->schema.count + verify->sequences.count;
    for (int i = 0; i < verify->table_count; i++)
        differences += found_in(&verify->tables[i]);
    pgc_buffer_byte(out, '{');
    pgc_json_member_bool(out, "equal", differences == 0);
    pgc_json_member_number(out, "differences", differences);
    pgc_json_name(out, "seconds");
    pgc_buffer_format(out, "%.3f", (double)(pgc_clock_monotonic_us() - verify->begun_us) / 1e6);
    json_findings("schema", &verify->schema, "object", out);
    json_findings("sequences", &verify->sequences, "object", out);
    pgc_json_name(out, "tables");
    pgc_buffer_byte(out, '[');
    for (int i = 0; i < verify->table_count; i++)
        json_table(&verify->tables[i], out);
    pgc_buffer_text(out, "]}\n");
}
