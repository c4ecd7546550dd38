/* The one error object that travels up (see include/pgconvoy.h). It has no pointers, so that it may live on the stack and be copied. */
#ifndef PGC_BASE_ERROR_H
#define PGC_BASE_ERROR_H

#include "pgconvoy.h"

#define PGC_MUST_CHECK PGCONVOY_MUST_CHECK

struct pgconvoy_error {
    pgconvoy_error_code code;
    bool retriable;
    char sqlstate[6];
    char message[1024];
    char hint[768];
};

void pgc_error_clear(pgconvoy_error *err);
void pgc_error_sqlstate(pgconvoy_error *err, const char *sqlstate);
/* SQLSTATE class 40: the server gave way to others (a deadlock, say), and the same may go well the next time. */
bool pgc_error_was_rolled_back(const pgconvoy_error *err);
#define PGC_ERROR_UNDEFINED_OBJECT "42704"
#define PGC_ERROR_DIVISION_BY_ZERO "22012"
#define PGC_ERROR_NOT_NULL "23502"
#define PGC_ERROR_FOREIGN_KEY "23503"
/* Of our own: rows of the stream have a type that the source has dropped since, and whose binary form nobody knows. */
#define PGC_ERROR_LOST_TYPE "PGC01"
void pgc_error_copy(pgconvoy_error *to, const pgconvoy_error *from);

/* Puts "prefix: " before the message. */
void pgc_error_prefix(pgconvoy_error *err, const char *format, ...) PGCONVOY_PRINTF(2, 3);

/* The error for "out of memory"; returns -1 so that a caller can return it. */
int pgc_error_out_of_memory(pgconvoy_error *err);

#endif
