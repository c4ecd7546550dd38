/*
 * Servers that are gone without a word: their host has lost power, or something on the way has forgotten the connection. Nothing tells so. What was sent
 * is sent again and again by the kernel, for a quarter of an hour by default, and keepalives are only for connections with nothing to send.
 */
#ifndef PGC_POSTGRES_SILENCE_H
#define PGC_POSTGRES_SILENCE_H

#include <libpq-fe.h>

/*
 * From now on until it is closed: once its server has acknowledged nothing for as long as keepalives wait for one (keepalives_idle + keepalives_interval ×
 * keepalives_count), while something was sent to it, the connection is shut down, so that whoever waits for it fails. Nothing happens without TCP or
 * keepalives. A server that is busy, and takes no more bytes, is not meant: its kernel answers.
 */
void pgc_silence_watch(PGconn *conn);
/* After how many seconds of silence it was given up; 0: it was not. Of any thread. */
int pgc_silence_seconds(const PGconn *conn);

#endif
