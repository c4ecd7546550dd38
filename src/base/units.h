/*
 * The one place for numbers with units as people read and write them: sizes, counts, durations. Thread-safe.
 */
#ifndef PGC_BASE_UNITS_H
#define PGC_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Reads a size: digits, then nothing, B, kB, MB, GB or TB (powers of 1024; also K, M, G, T, KiB …, in either case, a
 * space before the unit allowed). Returns 0, or -1 when text is no size or is more than a size_t holds.
 */
int pgc_size_parse(const char *text, size_t *bytes) __attribute__((warn_unused_result));

#define PGC_UNITS_TEXT_SIZE 32

/* Each writes into text (PGC_UNITS_TEXT_SIZE bytes) and returns it. */

/* "0 B", "999 B", "1.2 kB", "34 MB", "1.7 GB": at most three digits before the unit's step, powers of 1024. */
const char *pgc_size_to_text(int64_t bytes, char *text);

/* "0", "999", "12,345", "1,234,567": a count with its thousands set apart. */
const char *pgc_count_to_text(int64_t count, char *text);

/* "950", "1.2k", "34k", "5.6M": a count where there is little room, powers of 1000. */
const char *pgc_count_to_short_text(int64_t count, char *text);

/* "0 ms", "850 ms", "12.3 s", "4:05" (minutes), "3:04:05" (hours), "5 d 3 h". Negative counts as 0. */
const char *pgc_duration_to_text(int64_t us, char *text);

#endif
