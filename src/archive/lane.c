/* Several writers, one file; see lane.h. */
#include "archive/lane.h"

#include <stdlib.h>

void pgc_lanes_init(pgc_lanes *lanes, pgc_file *file, const char *path)
{
    *lanes = (pgc_lanes){.file = file, .path = path};
    pthread_mutex_init(&lanes->lock, NULL);
}

static void free_lane(pgc_lane *lane)
{
    if (!lane->straight)
        pgc_file_abandon(lane->file);
    free(lane);
}

void pgc_lanes_free(pgc_lanes *lanes)
{
    for (pgc_lane *lane = lanes->waiting, *next; lane; lane = next) {
        next = lane->next;
        free_lane(lane);
    }
    pthread_mutex_destroy(&lanes->lock);
}

pgc_lane *pgc_lane_begin(pgc_lanes *lanes, int number, int64_t *position, pgconvoy_error *err)
{
    pgc_lane *lane = calloc(1, sizeof *lane);
    if (!lane) {
        (void)pgc_error_out_of_memory(err);
        return NULL;
    }
    *lane = (pgc_lane){.lanes = lanes, .number = number, .position = position};
    pthread_mutex_lock(&lanes->lock);
    lane->straight = !lanes->busy && (!lanes->in_order || number == lanes->next) && (!lanes->patches || pgc_file_can_patch(lanes->file));
    lanes->busy |= lane->straight;
    pthread_mutex_unlock(&lanes->lock);
    if (lane->straight) {
        lane->file = lanes->file;
        if (position)
            *position = pgc_file_position(lanes->file);
        return lane;
    }
    lane->file = pgc_file_spool(lanes->path, err);
    if (lane->file)
        return lane;
    free(lane);
    return NULL;
}

/* Takes one that may be added now; the lock is held. */
static pgc_lane *take_waiting(pgc_lanes *lanes)
{
    for (pgc_lane **at = &lanes->waiting; *at; at = &(*at)->next) {
        pgc_lane *lane = *at;
        if (lanes->in_order && lane->number != lanes->next)
            continue;
        *at = lane->next;
        return lane;
    }
    return NULL;
}

int pgc_lane_end(pgc_lane *lane, pgconvoy_error *err)
{
    pgc_lanes *lanes = lane->lanes;
    int result = 0;
    pthread_mutex_lock(&lanes->lock);
    if (lane->straight) {
        lanes->busy = false;
        lanes->next++;
        free(lane);
    } else { /* at the end, so that what ended first is added first */
        pgc_lane **last = &lanes->waiting;
        while (*last)
            last = &(*last)->next;
        lane->next = NULL;
        *last = lane;
    }
    for (pgc_lane *ready; !lanes->busy && result == 0 && (ready = take_waiting(lanes));) {
        lanes->busy = true;
        pthread_mutex_unlock(&lanes->lock);
        if (ready->position)
            *ready->position = pgc_file_position(lanes->file);
        result = pgc_file_append_spool(lanes->file, ready->file, err);
        free_lane(ready);
        pthread_mutex_lock(&lanes->lock);
        lanes->busy = false;
        lanes->next++;
    }
    pthread_mutex_unlock(&lanes->lock);
    return result;
}

void pgc_lane_abandon(pgc_lane *lane)
{
    if (!lane)
        return;
    pgc_lanes *lanes = lane->lanes;
    if (lane->straight) {
        pthread_mutex_lock(&lanes->lock);
        lanes->busy = false;
        pthread_mutex_unlock(&lanes->lock);
    }
    free_lane(lane);
}
