/* A report as people read it, and as programs do. */
#include "inspect/check/check.h"

#include "format/json_object.h"

#define SHOWN 5 /* findings of an item, to people */

static const struct {
    const char *name, *shown, *colour;
} statuses[] = {{"passed", "passed", "\033[32m"},
                {"warned", "warned", "\033[33m"},
                {"unchecked", "not checked", "\033[33m"},
                {"failed", "FAILED", "\033[31m"}};

static int width_of(const pgc_check_report *report)
{
    size_t width = 0;
    for (int i = 0; i < report->count; i++)
        if (strlen(report->results[i].item) > width)
            width = strlen(report->results[i].item);
    return (int)width;
}

static void add_result(const pgc_check_result *result, int width, bool colours, pgc_buffer *out)
{
    const char *shown = result->overruled ? "overruled" : statuses[result->status].shown;
    pgc_buffer_format(out, "  %s%-11s%s  %-*s  ", colours ? statuses[result->status].colour : "", shown,
                      colours ? "\033[0m" : "", width, result->item);
    if (result->count == 0)
        pgc_buffer_format(out, "%s\n", result->says);
    for (int i = 0; i < result->count && i < SHOWN; i++) {
        const pgc_check_finding *finding = &result->findings[i];
        if (i)
            pgc_buffer_format(out, "  %-11s  %-*s  ", "", width, "");
        pgc_buffer_format(out, "%s\n", finding->says);
        if (finding->mend)
            pgc_buffer_format(out, "  %-11s  %-*s    mend: %s\n", "", width, "", finding->mend);
    }
    if (result->count > SHOWN)
        pgc_buffer_format(out, "  %-11s  %-*s  and %d more (--json has them all)\n", "", width, "",
                          result->count - SHOWN);
}

/* Without a connection to an end most items say the same. */
static bool is_out_of_reach(const pgc_check_result *result)
{
    return result->count == 1 && result->status == PGC_CHECK_UNCHECKED &&
           strstr(result->findings[0].says, " could not be connected to");
}

static void add_end(const pgc_check_report *report, bool of_target, int width, bool colours, pgc_buffer *out)
{
    int left_out = 0;
    const char *why = "";
    for (int i = 0; i < report->count; i++) {
        const pgc_check_result *result = &report->results[i];
        if (result->of_target != of_target)
            continue;
        if (!is_out_of_reach(result)) {
            add_result(result, width, colours, out);
            continue;
        }
        left_out++;
        why = result->findings[0].says;
    }
    if (left_out)
        pgc_buffer_format(out, "  %-11s  %-*s  %d items, since %s\n", statuses[PGC_CHECK_UNCHECKED].shown, width, "…",
                          left_out, why);
}

static void add_count(pgc_buffer *out, int count, const char *what)
{
    if (count)
        pgc_buffer_format(out, ", %d %s", count, what);
}

void pgc_check_report_text(const pgc_check_report *report, bool colours, pgc_buffer *out)
{
    int width = width_of(report);
    const char *bold = colours ? "\033[1m" : "", *plain = colours ? "\033[0m" : "";
    for (int end = 0; end < 2; end++) {
        const char *where = end ? report->target : report->source;
        if (!where[0])
            continue;
        pgc_buffer_format(out, "%s%s%s: %s\n", bold, end ? "target" : "source", plain, where);
        add_end(report, end == 1, width, colours, out);
        pgc_buffer_byte(out, '\n');
    }
    pgc_buffer_format(out, "%d of %d passed (%d %%)", report->passed, report->count,
                      report->count ? report->passed * 100 / report->count : 0);
    add_count(out, report->warned, "warned");
    add_count(out, report->failed, "failed");
    add_count(out, report->unchecked, "not checked");
    add_count(out, report->overruled, "overruled");
    pgc_buffer_byte(out, '\n');
}

static void add_json_result(const pgc_check_result *result, pgc_buffer *out)
{
    pgc_json_object(out);
    pgc_json_member_text(out, "item", result->item);
    pgc_json_member_text(out, "end", result->of_target ? "target" : "source");
    pgc_json_member_text(out, "status", statuses[result->status].name);
    pgc_json_member_bool(out, "overruled", result->overruled);
    pgc_json_member_text(out, "says", result->count ? NULL : result->says);
    pgc_json_list(out, "findings");
    for (int i = 0; i < result->count; i++) {
        pgc_json_object(out);
        pgc_json_member_text(out, "status", statuses[result->findings[i].status].name);
        pgc_json_member_text(out, "says", result->findings[i].says);
        pgc_json_member_text(out, "mend", result->findings[i].mend);
        pgc_buffer_byte(out, '}');
    }
    pgc_buffer_text(out, "]}");
}

void pgc_check_report_json(const pgc_check_report *report, pgc_buffer *out)
{
    pgc_buffer_byte(out, '{');
    pgc_json_member_text(out, "job", pgc_check_job_name(report->job));
    pgc_json_member_bool(out, "ok", report->failed == 0);
    pgc_json_member_text(out, "source", report->source);
    pgc_json_member_text(out, "target", report->target[0] ? report->target : NULL);
    pgc_json_member_number(out, "total", report->count);
    pgc_json_member_number(out, "passed", report->passed);
    pgc_json_member_number(out, "warned", report->warned);
    pgc_json_member_number(out, "failed", report->failed);
    pgc_json_member_number(out, "unchecked", report->unchecked);
    pgc_json_member_number(out, "overruled", report->overruled);
    pgc_json_list(out, "items");
    for (int i = 0; i < report->count; i++)
        add_json_result(&report->results[i], out);
    pgc_buffer_text(out, "]}\n");
}
