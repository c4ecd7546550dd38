/* A plan as people read it, and as programs do. */
#include "inspect/plan.h"

#include "base/units.h"
#include "format/json_object.h"

#include <stdio.h>

#define SHOWN 15 /* tables */

static void add_table(const pgc_plan_table *table, pgc_buffer *out)
{
    char rows[PGC_UNITS_TEXT_SIZE], size[PGC_UNITS_TEXT_SIZE], toast[PGC_UNITS_TEXT_SIZE], indexes[PGC_UNITS_TEXT_SIZE],
        changes[PGC_UNITS_TEXT_SIZE];
    pgc_buffer_format(out, "  %-40s %15s %10s %10s %10s %12s\n", table->name, pgc_count_to_text(table->rows, rows),
                      pgc_size_to_text(table->table_bytes, size), pgc_size_to_text(table->toast_bytes, toast),
                      pgc_size_to_text(table->index_bytes, indexes), pgc_count_to_text(table->changes, changes));
}

void pgc_plan_text(const pgc_plan *plan, bool colours, pgc_buffer *out)
{
    const char *bold = colours ? "\033[1m" : "", *plain = colours ? "\033[0m" : "";
    char a[PGC_UNITS_TEXT_SIZE], b[PGC_UNITS_TEXT_SIZE], c[PGC_UNITS_TEXT_SIZE];
    double seconds = plan->sample_us > 0 ? (double)plan->sample_us / 1e6 : 1;
    pgc_buffer_format(out, "%ssource%s: %s\n", bold, plain, plan->source);
    if (plan->target[0])
        pgc_buffer_format(out, "%starget%s: %s\n", bold, plain, plan->target);
    pgc_buffer_format(out, "\n  %-40s %15s %10s %10s %10s %12s\n", "table", "rows", "size", "TOAST", "indexes",
                      "changes");
    for (int i = 0; i < plan->table_count && i < SHOWN; i++)
        add_table(&plan->tables[i], out);
    if (plan->table_count > SHOWN)
        pgc_buffer_format(out, "  … and %d more\n", plan->table_count - SHOWN);
    pgc_plan_table all = {.rows = plan->rows,
                          .table_bytes = plan->table_bytes,
                          .toast_bytes = plan->toast_bytes,
                          .index_bytes = plan->index_bytes,
                          .changes = plan->changes};
    snprintf(all.name, sizeof all.name, "all %d tables", plan->table_count);
    add_table(&all, out);
    pgc_buffer_format(out, "\nin %s: %s changes (%.1f/s), %s of WAL", pgc_duration_to_text(plan->sample_us, a),
                      pgc_count_to_text(plan->changes, b), (double)plan->changes / seconds,
                      pgc_size_to_text(plan->wal_bytes, c));
    pgc_buffer_format(out, "; a round trip takes %.1f ms", (double)plan->round_trip_us / 1000);
    if (plan->read.us > 0)
        pgc_buffer_format(out, "; one connection reads %s/s", pgc_size_to_text((int64_t)((double)plan->read.bytes * 1e6 / (double)plan->read.us), a));
    if (plan->packed.us > 0)
        pgc_buffer_format(out, ", or %s/s of text that it compresses to %.0f %%", pgc_size_to_text((int64_t)((double)plan->packed.bytes * 1e6 / (double)plan->packed.us), a),
                          (double)plan->packed_bytes * 100 / (double)(plan->packed.bytes + 1));
    pgc_buffer_format(out, "\n\n%srecommended: %s%s, since %s\n\n", bold, pgc_plan_way_name(plan->recommended), plain,
                      plan->reason);
    for (int i = 0; i < PGC_PLAN_WAYS; i++)
        pgc_buffer_format(out, "%s %-8s  about %8s, %8s   %s\n             %s\n",
                          i == (int)plan->recommended ? "→" : " ", pgc_plan_way_name((pgc_plan_way)i),
                          pgc_duration_to_text(plan->ways[i].time_us, a),
                          pgc_size_to_text(plan->ways[i].space_bytes, b), plan->ways[i].note, plan->ways[i].command);
}

static void add_sizes(pgc_buffer *out, int64_t rows, int64_t table, int64_t toast, int64_t indexes, int64_t changes)
{
    pgc_json_member_number(out, "rows", rows);
    pgc_json_member_number(out, "table_bytes", table);
    pgc_json_member_number(out, "toast_bytes", toast);
    pgc_json_member_number(out, "index_bytes", indexes);
    pgc_json_member_number(out, "changes", changes);
}

static void json_table(const pgc_plan_table *table, pgc_buffer *out)
{
    pgc_json_object(out);
    pgc_json_member_text(out, "table", table->name);
    add_sizes(out, table->rows, table->table_bytes, table->toast_bytes, table->index_bytes, table->changes);
    pgc_buffer_byte(out, '}');
}

static void json_way(const pgc_plan *plan, pgc_plan_way way, pgc_buffer *out)
{
    pgc_json_object(out);
    pgc_json_member_text(out, "way", pgc_plan_way_name(way));
    pgc_json_member_number(out, "time_us", plan->ways[way].time_us);
    pgc_json_member_number(out, "space_bytes", plan->ways[way].space_bytes);
    pgc_json_member_text(out, "note", plan->ways[way].note);
    pgc_json_member_text(out, "command", plan->ways[way].command);
    pgc_buffer_byte(out, '}');
}

void pgc_plan_json(const pgc_plan *plan, pgc_buffer *out)
{
    pgc_buffer_byte(out, '{');
    pgc_json_member_text(out, "recommended", pgc_plan_way_name(plan->recommended));
    pgc_json_member_text(out, "reason", plan->reason);
    pgc_json_member_text(out, "source", plan->source);
    pgc_json_member_text(out, "target", plan->target[0] ? plan->target : NULL);
    pgc_json_member_number(out, "table_count", plan->table_count);
    add_sizes(out, plan->rows, plan->table_bytes, plan->toast_bytes, plan->index_bytes, plan->changes);
    pgc_json_member_number(out, "sample_us", plan->sample_us);
    pgc_json_member_number(out, "wal_bytes", plan->wal_bytes);
    pgc_json_member_number(out, "round_trip_us", plan->round_trip_us);
    pgc_json_member_number(out, "read_bytes", plan->read.bytes);
    pgc_json_member_number(out, "read_us", plan->read.us);
    pgc_json_member_number(out, "text_bytes", plan->packed.bytes);
    pgc_json_member_number(out, "text_us", plan->packed.us);
    pgc_json_member_number(out, "compressed_bytes", plan->packed_bytes);
    pgc_json_member_bool(out, "is_standby", plan->is_standby);
    pgc_json_member_bool(out, "wal_level_is_logical", plan->wal_is_logical);
    pgc_json_list(out, "tables");
    for (int i = 0; i < plan->table_count; i++)
        json_table(&plan->tables[i], out);
    pgc_buffer_byte(out, ']');
    pgc_json_list(out, "ways");
    for (int i = 0; i < PGC_PLAN_WAYS; i++)
        json_way(plan, (pgc_plan_way)i, out);
    pgc_buffer_text(out, "]}\n");
}
