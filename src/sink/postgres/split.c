/* Groups are kept as a forest in which the root of a tree is its group (union and find). */
#include "sink/postgres/split.h"

#include "postgres/value.h"

#include <stdlib.h>

/* ---- slices */

bool pgc_pgsink_key_can_slice(const pgconvoy_table *table)
{
    for (int i = 0; i < table->key_count; i++) {
        uint32_t oid = table->columns[table->key[i]].type->oid;
        if (oid != PGC_INT2 && oid != PGC_INT4 && oid != PGC_INT8 && oid != PGC_UUID)
            return false;
    }
    return table->key_count > 0;
}

/* The finish of splitmix64: every bit of the number has a say in every bit of the outcome. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static bool add_value(const pgconvoy_type *type, const pgconvoy_value *value, uint64_t *hash)
{
    pgconvoy_error ignored = {0};
    if (value->length <= 0)
        return false;
    if (type->oid != PGC_UUID) {
        int64_t number;
        if (pgc_value_int64(type, value, &number, &ignored) != 0)
            return false;
        *hash = mix(*hash ^ (uint64_t)number);
        return true;
    }
    uint8_t bytes[16];
    if (pgc_value_uuid(value, bytes, &ignored) != 0)
        return false;
    for (int half = 0; half < 2; half++) {
        uint64_t word = 0;
        for (int i = 0; i < 8; i++)
            word = word << 8 | bytes[8 * half + i];
        *hash = mix(*hash ^ word);
    }
    return true;
}

bool pgc_pgsink_slice_of(const pgconvoy_table *table, const int *key, int key_count, const pgconvoy_value *row,
                         unsigned slices, unsigned *slice)
{
    uint64_t hash = 0;
    for (int i = 0; i < key_count; i++)
        if (!add_value(table->columns[key[i]].type, &row[key[i]], &hash))
            return false;
    *slice = (unsigned)(hash % slices);
    return true;
}

const pgconvoy_value *pgc_pgsink_row_of(const pgconvoy_change *change)
{
    return change->old ? change->old : change->new_;
}

bool pgc_pgsink_changes_slice(const pgconvoy_change *change, unsigned slices)
{
    const pgconvoy_table *table = change->table;
    unsigned from, to;
    if (change->operation != PGCONVOY_UPDATE || !change->old)
        return false;
    /* what cannot be told is taken for a change */
    return !pgc_pgsink_slice_of(table, table->key, table->key_count, change->old, slices, &from) ||
           !pgc_pgsink_slice_of(table, table->key, table->key_count, change->new_, slices, &to) || from != to;
}

/* ---- groups */

typedef struct node {
    struct node *next; /* in its slot */
    struct node *up;   /* itself: a root */
    uint32_t oid;
    bool bound; /* to another, or to itself */
    /* of a root, in this batch */
    int part;
    size_t weight; /* changes of tables that wait for a part */
} node;

#define SLOTS 1024

struct pgc_pgsink_groups {
    node *slots[SLOTS];
};

pgc_pgsink_groups *pgc_pgsink_groups_new(void)
{
    return calloc(1, sizeof(pgc_pgsink_groups));
}

void pgc_pgsink_groups_free(pgc_pgsink_groups *groups)
{
    for (size_t i = 0; groups && i < SLOTS; i++)
        for (node *n; (n = groups->slots[i]) != NULL;) {
            groups->slots[i] = n->next;
            free(n);
        }
    free(groups);
}

static node *node_of(pgc_pgsink_groups *groups, uint32_t oid)
{
    node **slot = &groups->slots[oid % SLOTS];
    while (*slot && (*slot)->oid != oid)
        slot = &(*slot)->next;
    if (*slot)
        return *slot;
    node *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    *made = (node){.up = made, .oid = oid, .part = PGSINK_NO_PART};
    return *slot = made;
}

static node *root_of(node *n)
{
    for (; n->up != n; n = n->up)
        n->up = n->up->up;
    return n;
}

int pgc_pgsink_groups_bind(pgc_pgsink_groups *groups, uint32_t one, uint32_t other, pgconvoy_error *err)
{
    node *a = node_of(groups, one), *b = a ? node_of(groups, other) : NULL;
    if (!b)
        return pgc_error_out_of_memory(err);
    a->bound = b->bound = true;
    root_of(a)->up = root_of(b);
    return 0;
}

void pgc_pgsink_groups_begin(pgc_pgsink_groups *groups)
{
    for (size_t i = 0; i < SLOTS; i++)
        for (node *n = groups->slots[i]; n; n = n->next) {
            n->part = PGSINK_NO_PART;
            n->weight = 0;
        }
}

static int heavier_first(const void *left, const void *right)
{
    const pgc_pgsink_share *a = left, *b = right;
    if (a->changes != b->changes)
        return a->changes > b->changes ? -1 : 1;
    return a->relation < b->relation ? -1 : a->relation > b->relation;
}

static int lightest(const size_t *loads, unsigned parts)
{
    unsigned least = 0;
    for (unsigned i = 1; i < parts; i++)
        if (loads[i] < loads[least])
            least = i;
    return (int)least;
}

/* Half of what a part should have, or more, in one table: worth a statement for each part instead of one. */
static bool is_large(size_t changes, size_t total, unsigned parts)
{
    return changes * 2 * parts >= total;
}

int pgc_pgsink_groups_share(pgc_pgsink_groups *groups, pgc_pgsink_share *shares, size_t count, size_t *loads,
                            unsigned parts, pgconvoy_error *err)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        node *n = node_of(groups, shares[i].relation);
        if (!n)
            return pgc_error_out_of_memory(err);
        total += shares[i].changes;
        root_of(n)->weight += shares[i].changes;
    }
    qsort(shares, count, sizeof *shares, heavier_first);
    for (size_t i = 0; i < count; i++) {
        node *n = node_of(groups, shares[i].relation), *root = root_of(n);
        if (root->part == PGSINK_NO_PART) {
            bool sliced = shares[i].sliceable && !n->bound && is_large(root->weight, total, parts);
            root->part = sliced ? PGSINK_SLICED : lightest(loads, parts);
            for (unsigned p = 0; sliced && p < parts; p++)
                loads[p] += root->weight / parts;
        }
        /* a group is weighed once; tables that come to one that has its part, when they come */
        if (root->part >= 0)
            loads[root->part] += root->weight;
        root->weight = 0;
        shares[i].part = root->part;
    }
    return 0;
}
