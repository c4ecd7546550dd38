/* A writer's thread that applies piles, one at a time, while changes are gathered in the other pile. */
#include "sink/postgres/bulk.h"

#include "base/background.h"

#include <stdlib.h>

struct pgc_pgsink_background {
    pgc_background *thread;
    pgc_pgsink_writer *writer; /* its connection and all that hangs on it are the thread's while that is busy */
    pgc_pgsink_pile *pile;
    bool lands;
    pgconvoy_lsn lsn;
};

static int apply_pile(void *arg, pgconvoy_error *err)
{
    const pgc_pgsink_background *background = arg;
    if (pgc_pgsink_pile_apply(background->writer, background->pile, err) != 0)
        return -1;
    if (background->lsn != 0)
        return pgc_pgsink_stream_go_on(background->writer, background->lsn, err);
    return background->lands ? pgc_pgsink_land(background->writer, err) : 0;
}

pgc_pgsink_background *pgc_pgsink_background_new(pgc_pgsink_writer *writer)
{
    pgc_pgsink_background *background = calloc(1, sizeof *background);
    if (!background)
        return NULL;
    background->writer = writer;
    if ((background->thread = pgc_background_new()) != NULL)
        return background;
    pgc_log_info(writer->sink->config->log, "there is no thread to apply changes while more are read: they take turns");
    free(background);
    return NULL;
}

void pgc_pgsink_background_free(pgc_pgsink_background *background)
{
    if (background)
        pgc_background_free(background->thread);
    free(background);
}

bool pgc_pgsink_background_is_busy(const pgc_pgsink_background *background)
{
    return pgc_background_is_busy(background->thread);
}

void pgc_pgsink_background_start(pgc_pgsink_background *background, pgc_pgsink_pile *pile, bool lands,
                                 pgconvoy_lsn lsn)
{
    background->pile = pile;
    background->lands = lands;
    background->lsn = lsn;
    pgc_background_start(background->thread, apply_pile, background);
}

int pgc_pgsink_background_finish(pgc_pgsink_background *background, pgconvoy_error *err)
{
    return pgc_background_finish(background->thread, err);
}
