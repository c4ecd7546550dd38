/* Handles to cancel by: libpq's are made by whoever has the connection, and may then be used by any thread. */
#include "archive/restore_internal.h"

#include <stdlib.h>

struct pgc_restore_sessions {
    pthread_mutex_t lock;
    PGcancel **cancels;
    int count, capacity;
};

pgc_restore_sessions *pgc_restore_sessions_new(pgconvoy_error *err)
{
    pgc_restore_sessions *sessions = calloc(1, sizeof *sessions);
    if (!sessions)
        (void)pgc_error_out_of_memory(err);
    else
        pthread_mutex_init(&sessions->lock, NULL);
    return sessions;
}

void pgc_restore_sessions_free(pgc_restore_sessions *sessions)
{
    if (!sessions)
        return;
    pthread_mutex_destroy(&sessions->lock);
    free(sessions->cancels);
    free(sessions);
}

void pgc_restore_sessions_cancel(pgc_restore_sessions *sessions)
{
    char why[256];
    pthread_mutex_lock(&sessions->lock);
    for (int i = 0; i < sessions->count; i++)
        (void)PQcancel(sessions->cancels[i], why, sizeof why);
    pthread_mutex_unlock(&sessions->lock);
}

PGcancel *restore_sessions_add(pgc_restore_sessions *sessions, PGconn *conn)
{
    PGcancel *cancel = PQgetCancel(conn);
    pthread_mutex_lock(&sessions->lock);
    if (cancel && sessions->count == sessions->capacity) {
        int capacity = sessions->capacity ? 2 * sessions->capacity : 8;
        PGcancel **cancels = realloc(sessions->cancels, sizeof(PGcancel *) * (size_t)capacity);
        if (cancels) {
            sessions->cancels = cancels;
            sessions->capacity = capacity;
        }
    }
    bool room = sessions->count < sessions->capacity;
    if (cancel && room)
        sessions->cancels[sessions->count++] = cancel;
    pthread_mutex_unlock(&sessions->lock);
    if (!room) {
        PQfreeCancel(cancel);
        cancel = NULL;
    }
    return cancel;
}

void restore_sessions_remove(pgc_restore_sessions *sessions, PGcancel *cancel)
{
    pthread_mutex_lock(&sessions->lock);
    for (int i = 0; i < sessions->count; i++)
        if (sessions->cancels[i] == cancel) {
            sessions->cancels[i] = sessions->cancels[--sessions->count];
            break;
        }
    pthread_mutex_unlock(&sessions->lock);
    PQfreeCancel(cancel);
}
