/* The log: leveled lines to a callback. The pipeline owns it; everybody below is handed a pointer. Thread-safe. */
#ifndef PGC_BASE_LOG_H
#define PGC_BASE_LOG_H

#include "base/error.h"

struct pgconvoy_log {
    void (*write)(void *arg, pgconvoy_log_level level, const char *line); /* NULL: warnings and errors to standard error */
    void *arg;
    uint64_t said[512]; /* hashes of what pgc_log_once has said, each at its place */
};

#define pgc_log_debug(log, ...)   pgconvoy_log_write(log, PGCONVOY_LOG_DEBUG, __VA_ARGS__)
#define pgc_log_info(log, ...)    pgconvoy_log_write(log, PGCONVOY_LOG_INFO, __VA_ARGS__)
#define pgc_log_warning(log, ...) pgconvoy_log_write(log, PGCONVOY_LOG_WARNING, __VA_ARGS__)
#define pgc_log_error(log, ...)   pgconvoy_log_write(log, PGCONVOY_LOG_ERROR, __VA_ARGS__)

/* The same line again is left out (but after some hundreds of others). Thread-safe. */
void pgc_log_once(pgconvoy_log *log, pgconvoy_log_level level, const char *format, ...) PGCONVOY_PRINTF(3, 4);

/* "debug", "info", "warning", "error". */
const char *pgc_log_level_name(pgconvoy_log_level level);

#endif
