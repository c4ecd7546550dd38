/* Tables before their copy: their names, and what is to be done with one that is there; and rows of a query. */
#include "sink/staged.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names */

int pgc_staged_note_name(pgc_staged_seen *seen, const pgc_staged_layout *layout, const char *service, const char *place,
                         pgconvoy_error *err)
{
    char table[300];
    snprintf(table, sizeof table, "%s.%s", layout->table->schema, layout->table->name);
    for (size_t i = 0; i < seen->count; i++) {
        if (strcmp(seen->items[i].name, layout->name) != 0)
            continue;
        if (strcmp(seen->items[i].table, table) == 0)
            return 0;
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "tables %s and %s would both be %s in %s", seen->items[i].table,
                           table, layout->name, service);
        pgconvoy_error_hint(err, "leave one of them out, or send it into another %s with a pipeline of its own", place);
        return -1;
    }
    pgc_staged_name *grown = realloc(seen->items, (seen->count + 1) * sizeof *grown);
    if (!grown)
        return pgc_error_out_of_memory(err);
    seen->items = grown;
    pgc_staged_name *added = &grown[seen->count++];
    *added = (pgc_staged_name){strdup(layout->name), strdup(table)};
    return added->name && added->table ? 0 : pgc_error_out_of_memory(err);
}

void pgc_staged_seen_free(pgc_staged_seen *seen)
{
    for (size_t i = 0; i < seen->count; i++) {
        free(seen->items[i].name);
        free(seen->items[i].table);
    }
    free(seen->items);
    *seen = (pgc_staged_seen){0};
}

/* ---- what is to be done */

pgc_staged_verdict pgc_staged_plan_table(pgc_staged_plan *plan, bool there, bool matches, pgconvoy_if_exists if_exists)
{
    bool made = plan->how && strcmp(plan->how, PGC_STAGED_MADE) == 0;
    if (there && !plan->how && if_exists == PGCONVOY_IF_EXISTS_ERROR)
        return PGC_STAGED_IN_THE_WAY;
    plan->drop = there && (if_exists == PGCONVOY_IF_EXISTS_DROP || (made && !matches));
    plan->make = plan->drop || (!there && matches);
    if (plan->make)
        plan->how = PGC_STAGED_MADE;
    else if (!matches)
        return PGC_STAGED_UNLIKE;
    else if (!plan->how)
        plan->how = if_exists == PGCONVOY_IF_EXISTS_TRUNCATE ? PGC_STAGED_EMPTIED : PGC_STAGED_APPENDED;
    return PGC_STAGED_FINE;
}

/* ---- rows of a query */

const char **pgc_staged_rows_add(pgc_staged_rows *rows, pgconvoy_error *err)
{
    size_t columns = (size_t)rows->columns;
    if (rows->count == rows->capacity) {
        size_t wanted = rows->capacity ? rows->capacity * 2 : 64;
        const char **grown = pgc_arena_zalloc(rows->arena, wanted * columns * sizeof *grown);
        if (!grown) {
            pgc_error_out_of_memory(err);
            return NULL;
        }
        if (rows->count > 0)
            memcpy(grown, rows->values, rows->count * columns * sizeof *grown);
        rows->values = grown;
        rows->capacity = wanted;
    }
    return rows->values + rows->count++ * columns;
}
