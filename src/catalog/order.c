/*
 * The order of a dump. First by rank, schema, name and what else tells two objects apart, so that equal schemas give equal dumps; then a topological sort that moves as little as it can: from the end
 * backwards, always the last object on which nothing that is not placed yet depends. Where dependencies go in circles, loops.c breaks them and the sort begins again.
 */
#include "catalog/order.h"

#include "catalog/dependent.h"
#include "catalog/kinds.h"

#include <stdlib.h>

/* ------------------------------------------------------------------ by name */

static int compare_schemas(const pgc_object *a, const pgc_object *b)
{
    if (a->schema && b->schema)
        return strcmp(a->schema->object.name, b->schema->object.name);
    return (a->schema == NULL) - (b->schema == NULL); /* those in no schema after the others */
}

static int compare(const void *x, const void *y, void *arg)
{
    const pgc_object *a = *(pgc_object *const *)x, *b = *(pgc_object *const *)y;
    int order = pgc_kinds[a->kind].rank - pgc_kinds[b->kind].rank;
    if (order == 0)
        order = compare_schemas(a, b);
    if (order == 0)
        order = strcmp(a->name, b->name);
    if (order == 0)
        order = (int)a->kind - (int)b->kind;
    if (order == 0 && pgc_kinds[a->kind].compare)
        order = pgc_kinds[a->kind].compare(arg, a, b);
    if (order == 0)
        order = (a->oid > b->oid) - (a->oid < b->oid);
    return order;
}

/* ------------------------------------------------------------------ boundaries */

static int add_boundaries(pgc_catalog *catalog, pgconvoy_error *err)
{
    pgc_object *pre = pgc_catalog_add(catalog, PGC_KIND_PRE_DATA_BOUNDARY, sizeof *pre, 0, 0, "PRE-DATA BOUNDARY", NULL, err);
    if (!pre)
        return -1;
    pgc_object *post = pgc_catalog_add(catalog, PGC_KIND_POST_DATA_BOUNDARY, sizeof *post, 0, 0, "POST-DATA BOUNDARY", NULL, err);
    if (!post)
        return -1;
    catalog->pre_data_boundary = pre->id;
    catalog->post_data_boundary = post->id;
    return pgc_object_needs(catalog, post, pre->id, err);
}

/* Rules and constraints stand after the data only when they are written by themselves. */
static bool is_part_of_another(const pgc_object *object)
{
    if (object->kind == PGC_KIND_RULE)
        return !((const pgc_rule *)object)->separate;
    if (object->kind == PGC_KIND_CONSTRAINT || object->kind == PGC_KIND_FOREIGN_KEY)
        return !((const pgc_constraint *)object)->separate;
    return false;
}

/* Statistics of a relation stand with the data, or, for what is made after them, behind. */
static pgc_section section_of(const pgc_object *object)
{
    if (object->kind == PGC_KIND_RELATION_STATISTICS)
        return pgc_relation_statistics_section(object);
    return is_part_of_another(object) ? PGC_SECTION_NONE : pgc_kinds[object->kind].section;
}

static int keep_sections(pgc_catalog *catalog, pgconvoy_error *err)
{
    pgc_object *pre = catalog->by_id[catalog->pre_data_boundary], *post = catalog->by_id[catalog->post_data_boundary];
    for (int i = 0; i < catalog->object_count; i++) {
        pgc_object *object = catalog->objects[i];
        int result = 0;
        switch (section_of(object)) {
        case PGC_SECTION_PRE_DATA:
            result = pgc_object_needs(catalog, pre, object->id, err);
            break;
        case PGC_SECTION_DATA:
            result = pgc_object_needs(catalog, object, pre->id, err);
            if (result == 0)
                result = pgc_object_needs(catalog, post, object->id, err);
            break;
        case PGC_SECTION_POST_DATA:
            result = pgc_object_needs(catalog, object, post->id, err);
            break;
        case PGC_SECTION_NONE:
            break;
        }
        if (result != 0)
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ by need */

/* A heap with the largest number on top. */
typedef struct heap {
    int *items;
    int count;
} heap;

static void push(heap *h, int item)
{
    int at = h->count++;
    for (; at > 0 && h->items[(at - 1) / 2] < item; at = (at - 1) / 2)
        h->items[at] = h->items[(at - 1) / 2];
    h->items[at] = item;
}

static int pop(heap *h)
{
    int top = h->items[0], last = h->items[--h->count];
    int at = 0;
    for (int child; (child = 2 * at + 1) < h->count; at = child) {
        if (child + 1 < h->count && h->items[child + 1] > h->items[child])
            child++;
        if (h->items[child] <= last)
            break;
        h->items[at] = h->items[child];
    }
    h->items[at] = last;
    return top;
}

typedef struct sorting {
    int *dependents; /* [id]: how many objects that are not placed yet need it */
    int *place;      /* [id]: index in objects[] */
    heap ready;
    pgc_object **sorted;
} sorting;

static void count_dependents(const pgc_catalog *catalog, sorting *s)
{
    memset(s->dependents, 0, (size_t)(catalog->max_id + 1) * sizeof *s->dependents);
    for (int i = 0; i < catalog->object_count; i++) {
        const pgc_object *object = catalog->objects[i];
        s->place[object->id] = i;
        for (int n = 0; n < object->need_count; n++)
            s->dependents[object->needs[n]]++;
    }
}

/* Fills sorted[] from its end; gives how many objects could not be placed, which then stand at its beginning, by id. */
static int sort_by_need(const pgc_catalog *catalog, sorting *s)
{
    int left = catalog->object_count;
    count_dependents(catalog, s);
    s->ready.count = 0;
    for (int i = 0; i < catalog->object_count; i++)
        if (s->dependents[catalog->objects[i]->id] == 0)
            push(&s->ready, i);
    while (s->ready.count > 0) {
        pgc_object *object = catalog->objects[pop(&s->ready)];
        s->sorted[--left] = object;
        for (int n = 0; n < object->need_count; n++)
            if (--s->dependents[object->needs[n]] == 0)
                push(&s->ready, s->place[object->needs[n]]);
    }
    if (left == 0)
        return 0;
    int stuck = 0;
    for (int id = 1; id <= catalog->max_id; id++)
        if (s->dependents[id] > 0)
            s->sorted[stuck++] = catalog->objects[s->place[id]];
    return stuck;
}

static int sort_until_done(pgc_catalog *catalog, sorting *s, pgconvoy_error *err)
{
    for (int stuck; (stuck = sort_by_need(catalog, s)) > 0;)
        if (pgc_loops_break(catalog, s->sorted, stuck, err) != 0)
            return -1;
    memcpy(catalog->objects, s->sorted, (size_t)catalog->object_count * sizeof *catalog->objects);
    return 0;
}

int pgc_catalog_order(pgc_catalog *catalog, pgconvoy_error *err)
{
    if (add_boundaries(catalog, err) != 0 || keep_sections(catalog, err) != 0)
        return -1;
    qsort_r(catalog->objects, (size_t)catalog->object_count, sizeof *catalog->objects, compare, catalog);
    size_t ids = (size_t)catalog->max_id + 1, objects = (size_t)catalog->object_count;
    sorting s = {.dependents = malloc(ids * sizeof(int)),
                 .place = malloc(ids * sizeof(int)),
                 .ready.items = malloc(objects * sizeof(int)),
                 .sorted = malloc(objects * sizeof(pgc_object *))};
    int result = -1;
    if (s.dependents && s.place && s.ready.items && s.sorted)
        result = sort_until_done(catalog, &s, err);
    else
        pgc_error_out_of_memory(err);
    free(s.dependents);
    free(s.place);
    free(s.ready.items);
    free(s.sorted);
    return result;
}
