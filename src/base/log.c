/* The log: one line at a time, formatted on the stack so that a full heap can still be reported. */
#include "base/log.h"
#include "base/hash.h"

#include <stdarg.h>
#include <stdio.h>

const char *pgc_log_level_name(pgconvoy_log_level level)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    return (unsigned)level < 4 ? names[level] : "info";
}

static void write_line(pgconvoy_log *log, pgconvoy_log_level level, bool once, const char *format, va_list args)
{
    char line[2048];
    vsnprintf(line, sizeof line, format, args);
    uint64_t hash = once ? pgc_hash_text(PGC_HASH_START, line) : 0;
    if (once && log && __atomic_exchange_n(&log->said[hash % (sizeof log->said / sizeof *log->said)], hash, __ATOMIC_RELAXED) == hash)
        return;
    if (log && log->write)
        log->write(log->arg, level, line);
    else if (level >= PGCONVOY_LOG_WARNING)
        fprintf(stderr, "pgconvoy: %s: %s\n", pgc_log_level_name(level), line);
}

void pgconvoy_log_write(pgconvoy_log *log, pgconvoy_log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(log, level, false, format, args);
    va_end(args);
}

void pgc_log_once(pgconvoy_log *log, pgconvoy_log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(log, level, true, format, args);
    va_end(args);
}
