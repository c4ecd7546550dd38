/* See numbers.h. The best of all ways to give ascending numbers to the message's columns, by dynamic programming. */
#include "source/postgres/numbers.h"

#include "base/error.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* What cannot be weighs more than all names: but a publication's list of columns may have changed. */
enum { SAME_NAME = 4, SAME_TYPE = 2, SAME_TYPMOD = 1, LEFT_OUT = -100, NOT_THERE_BEFORE = -100 };

#define NONE (INT_MIN / 2)

const pgconvoy_column *pgc_column_of_number(const pgconvoy_table *table, int number)
{
    for (int i = 0; table && number > 0 && i < table->column_count; i++)
        if (table->columns[i].number == number)
            return &table->columns[i];
    return NULL;
}

static int highest_number(const pgconvoy_table *table)
{
    int highest = 0;
    for (int i = 0; table && i < table->column_count; i++)
        if (table->columns[i].number > highest)
            highest = table->columns[i].number;
    return highest;
}

static int likeness(const pgconvoy_column *column, const pgc_relation_column *sent)
{
    if (!column)
        return 0;
    bool same_type = column->type->oid == sent->type_oid;
    return (strcmp(column->name, sent->name) == 0 ? SAME_NAME : 0) + (same_type ? SAME_TYPE : 0) +
           (same_type && column->typmod == sent->typmod ? SAME_TYPMOD : 0);
}

/* What is known of each number. */
typedef struct places {
    int count;
    const pgconvoy_column **now, **before;
    int *live; /* how many columns of the catalog have this number or a lower one */
    int known; /* the highest number of a version that the stream told */
    int *best; /* of the columns so far, with the last one at this number */
    int *next;
    short *from; /* for each column and number: the number of the column before */
} places;

static int likeness_at(const places *p, const pgc_relation_column *sent, int number)
{
    int newly = !p->before[number] && number <= p->known ? NOT_THERE_BEFORE : 0;
    return likeness(p->now[number], sent) + likeness(p->before[number], sent) + newly;
}

/* A column that the catalog has was there when one with a higher number was. */
static void place(places *p, const pgc_relation_column *sent, int column)
{
    int best = NONE, from = 0;
    for (int number = 0; number <= p->count; number++) {
        p->next[number] = NONE;
        if (number > 0 && best > NONE) {
            p->next[number] = best + likeness_at(p, sent, number) + LEFT_OUT * p->live[number - 1];
            p->from[(size_t)column * ((size_t)p->count + 1) + (size_t)number] = (short)from;
        }
        if (p->best[number] > NONE && p->best[number] - LEFT_OUT * p->live[number] > best) {
            best = p->best[number] - LEFT_OUT * p->live[number];
            from = number;
        }
    }
    int *swap = p->best;
    p->best = p->next;
    p->next = swap;
}

static void read_back(const places *p, int columns, int *numbers)
{
    int at = 0;
    for (int number = 1; number <= p->count; number++)
        if (p->best[number] > p->best[at] || at == 0)
            at = number;
    for (int i = columns - 1; i >= 0; i--) {
        numbers[i] = p->now[at] || p->before[at] ? at : 0;
        at = p->from[(size_t)i * ((size_t)p->count + 1) + (size_t)at];
    }
}

int pgc_columns_number(const pgc_stream_relation *relation, const pgc_numbering *numbering, int *numbers, pgconvoy_error *err)
{
    int columns = relation->column_count, natts = numbering->natts;
    if (natts < columns) { /* a table that was made anew under its oid's name: nothing is known of it */
        memset(numbers, 0, (size_t)columns * sizeof *numbers);
        return 0;
    }
    size_t count = (size_t)natts + 1;
    places p = {.count = natts, .known = numbering->told ? highest_number(numbering->before) : 0};
    p.now = calloc(2 * count, sizeof *p.now);
    p.live = calloc(3 * count, sizeof *p.live);
    p.from = calloc(count * ((size_t)columns + 1), sizeof *p.from);
    int failed = !p.now || !p.live || !p.from ? pgc_error_out_of_memory(err) : 0;
    if (!failed) {
        p.before = p.now + count;
        p.best = p.live + count;
        p.next = p.best + count;
        for (int number = 1; number <= natts; number++) {
            p.now[number] = pgc_column_of_number(numbering->now, number);
            p.before[number] = pgc_column_of_number(numbering->before, number);
            p.live[number] = p.live[number - 1] + (p.now[number] != NULL);
            p.best[number] = NONE;
        }
        for (int i = 0; i < columns; i++)
            place(&p, &relation->columns[i], i);
        read_back(&p, columns, numbers);
    }
    free((void *)p.now);
    free(p.live);
    free(p.from);
    return failed;
}
