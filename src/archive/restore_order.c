/* A count of what is missing for each entry, and a heap of those for which nothing is. */
#include "archive/restore_order.h"

#include <stdlib.h>

#define CONFLICTS_MAX 256 /* ready entries looked at before one waits: a few sessions cannot hold so many up for long */

typedef enum node_state { WAITING, READY, RUNNING, DONE } node_state;

/* The passes, with the privileges of schemas before all others: who grants on what was granted to it (SET SESSION AUTHORIZATION) needs the schema, too, and no dependency says so. */
typedef enum restore_stage { STAGE_MAIN, STAGE_SCHEMA_ACL, STAGE_ACL, STAGE_POST_ACL } restore_stage;

typedef struct node {
    const pgc_entry *entry;
    int *needs; /* places; a table in post-data stands for its data */
    int need_count, missing;
    int *needed_by;
    int needed_by_count;
    int64_t bytes;
    int table_data; /* place, or -1 */
    bool locks;     /* exclusively the tables among its needs */
    node_state state;
    restore_stage stage;
} node;

struct pgc_restore_order {
    pgc_arena *arena;
    node *nodes;
    int count;
    int *heap, heap_count;
    int *running, running_count;
    restore_stage stage;
    bool (*may_begin)(void *arg, int place); /* NULL: any may */
    void *may_begin_arg;
    int left; /* how far pgc_restore_order_left has looked */
};

static bool described(const node *node, const char *description)
{
    return strcmp(node->entry->description, description) == 0;
}

/* ------------------------------------------------------------------ the heap: larger before smaller, then by place */

static bool comes_before(const pgc_restore_order *order, int a, int b)
{
    int64_t x = order->nodes[a].bytes, y = order->nodes[b].bytes;
    return x != y ? x > y : a < b;
}

static void push(pgc_restore_order *order, int place)
{
    int at = order->heap_count++;
    for (int up; at > 0 && comes_before(order, place, order->heap[up = (at - 1) / 2]); at = up)
        order->heap[at] = order->heap[up];
    order->heap[at] = place;
}

static int pop(pgc_restore_order *order)
{
    int first = order->heap[0], last = order->heap[--order->heap_count], at = 0;
    for (int down; (down = 2 * at + 1) < order->heap_count; at = down) {
        if (down + 1 < order->heap_count && comes_before(order, order->heap[down + 1], order->heap[down]))
            down++;
        if (!comes_before(order, order->heap[down], last))
            break;
        order->heap[at] = order->heap[down];
    }
    order->heap[at] = last;
    return first;
}

static void make_ready(pgc_restore_order *order, int place)
{
    node *node = &order->nodes[place];
    if (node->state != WAITING || node->missing > 0 || node->stage != order->stage)
        return;
    node->state = READY;
    push(order, place);
}

/* ------------------------------------------------------------------ making it */

static int *allocate(pgc_restore_order *order, int count)
{
    return pgc_arena_zalloc(order->arena, sizeof(int) * ((size_t)count + 1));
}

static int max_id(const pgc_entries *entries)
{
    int max = 0;
    for (int i = 0; i < entries->count; i++)
        if (entries->items[i]->id > max)
            max = entries->items[i]->id;
    return max;
}

/* place_of: by id, -1 where the archive has none. */
static void find_table_data(pgc_restore_order *order, const int *place_of, int max)
{
    for (int i = 0; i < order->count; i++) {
        const pgc_entry *entry = order->nodes[i].entry;
        if (!described(&order->nodes[i], "TABLE DATA") || entry->dependency_count == 0)
            continue;
        int table = entry->dependencies[0];
        if (table > 0 && table <= max && place_of[table] >= 0)
            order->nodes[place_of[table]].table_data = i;
    }
}

/*
 * What is made after the data waits for a table's data, not for the table; its size is that of the data it works on. Most of it is ALTER TABLE, which locks the table; CREATE INDEX alone may run beside another.
 */
static int take_needs(pgc_restore_order *order, node *node, const int *place_of, int max)
{
    const pgc_entry *entry = node->entry;
    bool after_data = entry->section == PGC_SECTION_POST_DATA;
    node->needs = allocate(order, entry->dependency_count);
    if (!node->needs)
        return -1;
    for (int i = 0; i < entry->dependency_count; i++) {
        int id = entry->dependencies[i], place = id > 0 && id <= max ? place_of[id] : -1;
        if (place < 0)
            continue;
        if (after_data && order->nodes[place].table_data >= 0)
            place = order->nodes[place].table_data;
        if (after_data && described(&order->nodes[place], "TABLE DATA") && node->bytes < order->nodes[place].entry->data_size)
            node->bytes = order->nodes[place].entry->data_size;
        node->needs[node->need_count++] = place;
        order->nodes[place].needed_by_count++;
    }
    node->locks = after_data && !described(node, "INDEX");
    return 0;
}

static int link_back(pgc_restore_order *order)
{
    for (int i = 0; i < order->count; i++) {
        order->nodes[i].needed_by = allocate(order, order->nodes[i].needed_by_count);
        if (!order->nodes[i].needed_by)
            return -1;
        order->nodes[i].needed_by_count = 0;
    }
    for (int i = 0; i < order->count; i++)
        for (int n = 0; n < order->nodes[i].need_count; n++) {
            node *needed = &order->nodes[order->nodes[i].needs[n]];
            needed->needed_by[needed->needed_by_count++] = i;
            order->nodes[i].missing += needed->state != DONE;
        }
    return 0;
}

static restore_stage stage_of(const pgc_entry *entry)
{
    switch (pgc_entry_pass(entry)) {
    case PGC_PASS_ACL:
        return strncmp(entry->tag, "SCHEMA ", 7) == 0 ? STAGE_SCHEMA_ACL : STAGE_ACL;
    case PGC_PASS_POST_ACL:
        return STAGE_POST_ACL;
    default:
        return STAGE_MAIN;
    }
}

static int fill(pgc_restore_order *order, const pgc_entries *entries, const bool *done)
{
    int max = max_id(entries);
    int *place_of = allocate(order, max);
    order->nodes = pgc_arena_zalloc(order->arena, sizeof *order->nodes * ((size_t)entries->count + 1));
    order->heap = allocate(order, entries->count);
    order->running = allocate(order, entries->count);
    if (!place_of || !order->nodes || !order->heap || !order->running)
        return -1;
    order->count = entries->count;
    for (int id = 0; id <= max; id++)
        place_of[id] = -1;
    for (int i = 0; i < order->count; i++) {
        pgc_entry *entry = entries->items[i];
        place_of[entry->id] = i;
        order->nodes[i] = (node){.entry = entry, .bytes = entry->data_size, .table_data = -1, .stage = stage_of(entry), .state = done[i] ? DONE : WAITING};
    }
    find_table_data(order, place_of, max);
    for (int i = 0; i < order->count; i++)
        if (take_needs(order, &order->nodes[i], place_of, max))
            return -1;
    return link_back(order);
}

static void begin_stage(pgc_restore_order *order, restore_stage stage)
{
    order->stage = stage;
    for (int i = 0; i < order->count; i++)
        make_ready(order, i);
}

pgc_restore_order *pgc_restore_order_new(const pgc_entries *entries, const bool *done, pgconvoy_error *err)
{
    pgc_restore_order *order = calloc(1, sizeof *order);
    if (order)
        order->arena = pgc_arena_new(256 << 10);
    if (!order || !order->arena || fill(order, entries, done)) {
        pgc_restore_order_free(order);
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    begin_stage(order, STAGE_MAIN);
    return order;
}

void pgc_restore_order_free(pgc_restore_order *order)
{
    if (order)
        pgc_arena_free(order->arena);
    free(order);
}

/* ------------------------------------------------------------------ using it */

static bool is_table(const node *node)
{
    return described(node, "TABLE") || described(node, "TABLE DATA");
}

/* Does a lock a table that b works on? */
static bool locks_out(const pgc_restore_order *order, const node *a, const node *b)
{
    for (int i = 0; a->locks && i < a->need_count; i++)
        for (int n = 0; is_table(&order->nodes[a->needs[i]]) && n < b->need_count; n++)
            if (a->needs[i] == b->needs[n])
                return true;
    return false;
}

static bool can_run(const pgc_restore_order *order, const node *node)
{
    for (int i = 0; i < order->running_count; i++) {
        const struct node *other = &order->nodes[order->running[i]];
        if (locks_out(order, node, other) || locks_out(order, other, node))
            return false;
    }
    return true;
}

/* The first ready entry that can run; those before it go back. */
static int take_ready(pgc_restore_order *order)
{
    int aside[CONFLICTS_MAX], aside_count = 0, found = -1;
    while (found < 0 && order->heap_count > 0 && aside_count < CONFLICTS_MAX) {
        int place = pop(order);
        if ((!order->may_begin || order->may_begin(order->may_begin_arg, place)) && can_run(order, &order->nodes[place]))
            found = place;
        else
            aside[aside_count++] = place;
    }
    while (aside_count > 0)
        push(order, aside[--aside_count]);
    return found;
}

int pgc_restore_order_next(pgc_restore_order *order)
{
    int place = take_ready(order);
    while (place < 0 && order->running_count == 0 && order->stage < STAGE_POST_ACL) {
        begin_stage(order, order->stage + 1);
        place = take_ready(order);
    }
    if (place >= 0) {
        order->nodes[place].state = RUNNING;
        order->running[order->running_count++] = place;
    }
    return place;
}

static void finish(pgc_restore_order *order, int place)
{
    node *node = &order->nodes[place];
    node->state = DONE;
    for (int i = 0; i < node->needed_by_count; i++) {
        order->nodes[node->needed_by[i]].missing--;
        make_ready(order, node->needed_by[i]);
    }
}

static void stop_running(pgc_restore_order *order, int place)
{
    for (int i = 0; i < order->running_count; i++)
        if (order->running[i] == place) {
            order->running[i] = order->running[--order->running_count];
            break;
        }
}

void pgc_restore_order_done(pgc_restore_order *order, int place)
{
    stop_running(order, place);
    finish(order, place);
}

void pgc_restore_order_put_back(pgc_restore_order *order, int place)
{
    stop_running(order, place);
    order->nodes[place].state = READY;
    push(order, place);
}

void pgc_restore_order_limit(pgc_restore_order *order, bool (*may_begin)(void *arg, int place), void *arg)
{
    order->may_begin = may_begin;
    order->may_begin_arg = arg;
}

int pgc_restore_order_ready(const pgc_restore_order *order)
{
    return order->heap_count;
}

bool pgc_restore_order_is_over(const pgc_restore_order *order)
{
    return order->running_count == 0 && order->heap_count == 0 && order->stage == STAGE_POST_ACL;
}

int pgc_restore_order_left(pgc_restore_order *order)
{
    for (; order->left < order->count; order->left++)
        if (order->nodes[order->left].state == WAITING) {
            order->nodes[order->left].state = DONE;
            return order->left++;
        }
    return -1;
}
