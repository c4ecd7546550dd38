/* The log: one line at a time, formatted on the stack so that a full heap can still be reported. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

const char *pgc_log_level_name(pgconvoy_log_level level)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    return (unsigned)level < 4 ? names[level] : "info";
}

void pgconvoy_log_write(pgconvoy_log *log, pgconvoy_log_level level, const char *format, ...)
{
    char line[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (log && log->write)
        log->write(log->arg, level, line);
    else if (level >= PGCONVOY_LOG_WARNING)
        fprintf(stderr, "pgconvoy: %s: %s\n", pgc_log_level_name(level), line);
}
