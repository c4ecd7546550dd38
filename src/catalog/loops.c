/*
 * Where dependencies go in circles. The catalogs know some by nature (a view needs its rule and the rule its view; a base type its functions and they the type), others come from how users use them. Each has a
 * rule here that says which dependency to give up and what is then written differently: a shell type first, a view without its query first, a default or check in a command of its own.
 */
#include "catalog/order.h"

#include "catalog/dependent.h"
#include "catalog/kinds.h"

#include <stdlib.h>

/* ------------------------------------------------------------------ mends: each gives up what closes the loop between a and b */

typedef int mend(pgc_catalog *catalog, pgc_object *a, pgc_object *b, pgconvoy_error *err);

/* The function is made with a shell type in place of the type. */
static int type_and_function(pgc_catalog *catalog, pgc_object *type, pgc_object *function, pgconvoy_error *err)
{
    pgc_shell_type *shell = ((pgc_type *)type)->shell;
    pgc_object_no_longer_needs(function, type->id);
    if (!shell)
        return 0;
    if (function->wanted)
        shell->object.wanted = function->wanted | PGC_PART_DEFINITION;
    return pgc_object_needs(catalog, function, shell->object.id, err);
}

/* b is written as a part of a (a view's rule, a table's check or default, a domain's check, a partition's index). */
static int part_of(pgc_catalog *catalog, pgc_object *a, pgc_object *b, pgconvoy_error *err)
{
    (void)catalog;
    (void)err;
    pgc_object_no_longer_needs(b, a->id);
    return 0;
}

/* b is written by itself, after a. part_of may have taken its need of a away before. */
static int apart(pgc_catalog *catalog, pgc_object *a, pgc_object *b, bool after_data, pgconvoy_error *err)
{
    pgc_object_no_longer_needs(a, b->id);
    pgc_object_no_longer_needs(b, a->id);
    if (pgc_object_needs(catalog, b, a->id, err) != 0)
        return -1;
    return after_data ? pgc_object_needs(catalog, b, catalog->post_data_boundary, err) : 0;
}

static int rule_apart(pgc_catalog *catalog, pgc_object *view, pgc_object *rule, pgconvoy_error *err)
{
    ((pgc_relation *)view)->dummy_view = true;
    ((pgc_rule *)rule)->separate = true;
    return apart(catalog, view, rule, true, err);
}

static int check_apart(pgc_catalog *catalog, pgc_object *owner, pgc_object *check, pgconvoy_error *err)
{
    ((pgc_constraint *)check)->separate = true;
    return apart(catalog, owner, check, true, err);
}

static int default_apart(pgc_catalog *catalog, pgc_object *table, pgc_object *column_default, pgconvoy_error *err)
{
    ((pgc_column_default *)column_default)->separate = true;
    return apart(catalog, table, column_default, false, err);
}

/* What follows the boundary in the loop need not stand before the data: a materialized view or function that uses a primary key (GROUP BY). */
static int postpone(pgc_catalog *catalog, pgc_object *boundary, pgc_object *next, pgconvoy_error *err)
{
    (void)catalog;
    (void)err;
    pgc_object_no_longer_needs(boundary, next->id);
    if (next->kind == PGC_KIND_FUNCTION)
        ((pgc_function *)next)->postponed = true;
    else if (next->kind == PGC_KIND_RELATION && ((pgc_relation *)next)->kind == PGC_RELKIND_MATVIEW)
        ((pgc_relation *)next)->postponed = true;
    return 0;
}

/* ------------------------------------------------------------------ which two belong to each other */

typedef bool match(const pgc_object *a, const pgc_object *b);

static char relkind(const pgc_object *object)
{
    return object->kind == PGC_KIND_RELATION ? ((const pgc_relation *)object)->kind : 0;
}

static bool type_with_function(const pgc_object *a, const pgc_object *b)
{
    return a->kind == PGC_KIND_TYPE && b->kind == PGC_KIND_FUNCTION;
}

static bool is_select_rule(const pgc_object *view, const pgc_object *rule)
{
    const pgc_rule *r = (const pgc_rule *)rule;
    return rule->kind == PGC_KIND_RULE && r->event == '1' && r->instead && &r->relation->object == view;
}

static bool view_with_rule(const pgc_object *a, const pgc_object *b)
{
    return relkind(a) == PGC_RELKIND_VIEW && is_select_rule(a, b);
}

static bool any_view_with_rule(const pgc_object *a, const pgc_object *b)
{
    return (relkind(a) == PGC_RELKIND_VIEW || relkind(a) == PGC_RELKIND_MATVIEW) && is_select_rule(a, b);
}

static bool matview_with_boundary(const pgc_object *a, const pgc_object *b)
{
    return relkind(a) == PGC_RELKIND_MATVIEW && b->kind == PGC_KIND_PRE_DATA_BOUNDARY;
}

static bool function_with_boundary(const pgc_object *a, const pgc_object *b)
{
    return a->kind == PGC_KIND_FUNCTION && b->kind == PGC_KIND_PRE_DATA_BOUNDARY;
}

static bool is_check(const pgc_object *object)
{
    if (object->kind != PGC_KIND_CONSTRAINT)
        return false;
    char type = ((const pgc_constraint *)object)->type;
    return type == 'c' || type == 'n';
}

static bool table_with_check(const pgc_object *a, const pgc_object *b)
{
    return a->kind == PGC_KIND_RELATION && is_check(b) && ((const pgc_constraint *)b)->relation == (const pgc_relation *)a;
}

static bool domain_with_check(const pgc_object *a, const pgc_object *b)
{
    return a->kind == PGC_KIND_TYPE && is_check(b) && ((const pgc_constraint *)b)->domain == (const pgc_type *)a;
}

static bool table_with_default(const pgc_object *a, const pgc_object *b)
{
    return a->kind == PGC_KIND_RELATION && b->kind == PGC_KIND_COLUMN_DEFAULT &&
           ((const pgc_column_default *)b)->relation == (const pgc_relation *)a;
}

static bool partition_index_with_root(const pgc_object *a, const pgc_object *b)
{
    return a->kind == PGC_KIND_INDEX && b->kind == PGC_KIND_INDEX && ((const pgc_index *)a)->parent == b->oid;
}

/* The root's need of its partitions' indexes goes: a is the partition's. */
static int partition_first(pgc_catalog *catalog, pgc_object *partition, pgc_object *root, pgconvoy_error *err)
{
    (void)catalog;
    (void)err;
    pgc_object_no_longer_needs(partition, root->id);
    return 0;
}

typedef struct loop_rule {
    bool pair;      /* the loop is these two alone; else there are others in it */
    bool postpones; /* b is the boundary: the mend is for it and what follows it in the loop */
    match *match;
    mend *mend;
} loop_rule;

/* The first that matches is taken: what costs least stands first. */
static const loop_rule rules[] = {
    {true, false, type_with_function, type_and_function},
    {true, false, any_view_with_rule, part_of},
    {false, false, view_with_rule, rule_apart},
    {false, true, matview_with_boundary, postpone},
    {false, true, function_with_boundary, postpone},
    {true, false, table_with_check, part_of},
    {false, false, table_with_check, check_apart},
    {true, false, table_with_default, part_of},
    {true, false, partition_index_with_root, partition_first},
    {false, false, table_with_default, default_apart},
    {true, false, domain_with_check, part_of},
    {false, false, domain_with_check, check_apart},
};

/* ------------------------------------------------------------------ mending one loop */

static bool apply(pgc_catalog *catalog, const loop_rule *rule, pgc_object **loop, int count, int *result, pgconvoy_error *err)
{
    if (rule->pair != (count == 2) || count < 2)
        return false;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++)
            if (i != j && rule->match(loop[i], loop[j])) {
                *result = rule->postpones ? rule->mend(catalog, loop[j], loop[(j + 1) % count], err)
                                          : rule->mend(catalog, loop[i], loop[j], err);
                return true;
            }
    return false;
}

static bool are_all(pgc_kind kind, pgc_object **loop, int count)
{
    for (int i = 0; i < count; i++)
        if (loop[i]->kind != kind)
            return false;
    return true;
}

static void name_all(pgc_object **loop, int count, bool kinds, pgc_buffer *out)
{
    for (int i = 0; i < count; i++) {
        if (kinds)
            pgc_buffer_format(out, "%s%s %s", i ? ", " : "", pgc_kinds[loop[i]->kind].name, loop[i]->name);
        else
            pgc_buffer_format(out, "%s%s", i ? ", " : "", loop[i]->name);
    }
}

/* No rule knows this loop: it is broken at its first object, and the user is told. */
static void give_up(pgc_catalog *catalog, pgc_object **loop, int count)
{
    pgc_buffer names;
    pgc_buffer_init(&names, 16384);
    if (are_all(PGC_KIND_TABLE_DATA, loop, count)) {
        name_all(loop, count, false, &names);
        pgc_catalog_warn(catalog,
                         "You might not be able to restore the dump without using --disable-triggers or temporarily dropping the constraints. "
                         "Consider using a full dump instead of a --data-only dump to avoid this problem.",
                         "there are circular foreign-key constraints %s: %s", count > 1 ? "among these tables" : "on this table",
                         names.data ? names.data : "");
    } else {
        name_all(loop, count, true, &names);
        pgc_catalog_warn(catalog, NULL, "could not resolve dependency loop among these items: %s", names.data ? names.data : "");
    }
    pgc_buffer_free(&names);
    pgc_object_no_longer_needs(loop[0], loop[count > 1 ? 1 : 0]->id);
}

static int mend_loop(pgc_catalog *catalog, pgc_object **loop, int count, pgconvoy_error *err)
{
    int result = 0;
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++)
        if (apply(catalog, &rules[r], loop, count, &result, err))
            return result;
    /* A table that needs itself: one of its columns uses another, or, of a partition key, the whole row. */
    if (count == 1 && loop[0]->kind == PGC_KIND_RELATION)
        pgc_object_no_longer_needs(loop[0], loop[0]->id);
    else
        give_up(catalog, loop, count);
    return 0;
}

/* ------------------------------------------------------------------ finding loops */

typedef struct search {
    const pgc_catalog *catalog;
    bool *done;     /* [id]: in a loop that was mended in this round, or not in any */
    int *no_way_to; /* [id]: from it there is no way to this start */
    bool *on_path;  /* [id] */
    pgc_object **path;
    int *next; /* [depth]: the need to follow next */
} search;

static bool enters(const search *s, const pgc_object *object, int start)
{
    return !s->done[object->id] && s->no_way_to[object->id] != start && !s->on_path[object->id];
}

static bool leads_to(const pgc_object *object, int start)
{
    for (int i = 0; i < object->need_count; i++)
        if (object->needs[i] == start)
            return true;
    return false;
}

static void forget_path(search *s, int depth)
{
    for (int i = 0; i < depth; i++)
        s->on_path[s->path[i]->id] = false;
}

/*
 * Depth first along the needs, in their order, for a way back to start; path[] then has the loop and its length is given, 0 when there is none. An object that needs start itself ends the search at once,
 * so that of two ways the shorter is likelier found. Without recursion, since chains can be as long as the database has objects.
 */
static int find_loop(search *s, pgc_object *start)
{
    if (!enters(s, start, start->id))
        return 0;
    int depth = 0;
    s->path[0] = start;
    s->next[0] = -1;
    while (depth >= 0) {
        pgc_object *object = s->path[depth];
        if (s->next[depth] < 0) {
            s->on_path[object->id] = true;
            s->next[depth] = 0;
            if (leads_to(object, start->id)) {
                forget_path(s, depth + 1);
                return depth + 1;
            }
        }
        pgc_object *further = NULL;
        while (!further && s->next[depth] < object->need_count) {
            pgc_object *needed = pgc_catalog_object(s->catalog, object->needs[s->next[depth]++]);
            if (needed && enters(s, needed, start->id))
                further = needed;
        }
        if (further) {
            s->path[++depth] = further;
            s->next[depth] = -1;
        } else {
            s->no_way_to[object->id] = start->id;
            s->on_path[object->id] = false;
            depth--;
        }
    }
    return 0;
}

static int break_all(search *s, pgc_catalog *catalog, pgc_object **stuck, int count, pgconvoy_error *err)
{
    bool broken = false;
    for (int i = 0; i < count; i++) {
        int length = find_loop(s, stuck[i]);
        if (length == 0) {
            s->done[stuck[i]->id] = true;
            continue;
        }
        /* The loop may close behind its end: from the start to where the path is now is what leads back to it. */
        if (mend_loop(catalog, s->path, length, err) != 0)
            return -1;
        broken = true;
        for (int n = 0; n < length; n++)
            s->done[s->path[n]->id] = true;
    }
    if (!broken)
        pgconvoy_error_set(err, PGCONVOY_ERROR_INTERNAL, "could not identify dependency loop");
    return broken ? 0 : -1;
}

int pgc_loops_break(pgc_catalog *catalog, pgc_object **stuck, int count, pgconvoy_error *err)
{
    size_t ids = (size_t)catalog->max_id + 1, objects = (size_t)catalog->object_count;
    search s = {.catalog = catalog,
                .done = calloc(ids, sizeof(bool)),
                .no_way_to = calloc(ids, sizeof(int)),
                .on_path = calloc(ids, sizeof(bool)),
                .path = malloc((objects + 1) * sizeof(pgc_object *)),
                .next = malloc((objects + 1) * sizeof(int))};
    int result = -1;
    if (s.done && s.no_way_to && s.on_path && s.path && s.next)
        result = break_all(&s, catalog, stuck, count, err);
    else
        pgc_error_out_of_memory(err);
    free(s.done);
    free(s.no_way_to);
    free(s.on_path);
    free(s.path);
    free(s.next);
    return result;
}
