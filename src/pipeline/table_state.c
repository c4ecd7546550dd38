/* Table states: see table_state.h. The checkpoint is matched by name, since oids differ after a restore of the source. */
#include "pipeline/table_state.h"

#include <stdlib.h>
#include <string.h>

static const pgconvoy_table_status *find_status(const pgconvoy_checkpoint *checkpoint, const pgconvoy_table *table)
{
    for (size_t i = 0; i < checkpoint->table_count; i++)
        if (strcmp(checkpoint->tables[i].name, table->name) == 0 &&
            strcmp(checkpoint->tables[i].schema, table->schema) == 0)
            return &checkpoint->tables[i];
    return NULL;
}

int pgc_table_states_init(pgc_table_states *states, const pgconvoy_table *const *tables, size_t count,
                          const pgconvoy_checkpoint *checkpoint, pgconvoy_error *err)
{
    states->items = calloc(count ? count : 1, sizeof *states->items);
    if (!states->items)
        return pgc_error_out_of_memory(err);
    states->count = count;
    for (size_t i = 0; i < count; i++) {
        pgc_table_state *state = &states->items[i];
        atomic_store(&state->table, tables[i]);
        const pgconvoy_table_status *status = find_status(checkpoint, tables[i]);
        if (!status)
            continue;
        state->known = true;
        state->copy_lsn = status->copy_lsn;
        atomic_store(&state->state, (int)status->state);
    }
    return 0;
}

void pgc_table_states_free(pgc_table_states *states)
{
    free(states->items);
    memset(states, 0, sizeof *states);
}

pgc_table_state *pgc_table_states_find(pgc_table_states *states, uint32_t oid)
{
    for (size_t i = 0; i < states->count; i++)
        if (atomic_load(&states->items[i].table)->oid == oid)
            return &states->items[i];
    return NULL;
}

size_t pgc_table_states_unfinished(const pgc_table_states *states)
{
    size_t count = 0;
    for (size_t i = 0; i < states->count; i++) {
        int state = atomic_load(&states->items[i].state);
        count += state == PGCONVOY_TABLE_WAITING || state == PGCONVOY_TABLE_COPYING;
    }
    return count;
}

pgconvoy_table_status pgc_table_state_status(const pgc_table_state *state)
{
    const pgconvoy_table *table = state->table;
    pgconvoy_table_status status = {table->schema, table->name,
                                    (pgconvoy_table_state)atomic_load(&state->state), state->copy_lsn};
    return status;
}
