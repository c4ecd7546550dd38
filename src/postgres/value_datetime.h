/* What value_datetime.c and value_interval.c share. */
#ifndef PGC_POSTGRES_VALUE_DATETIME_H
#define PGC_POSTGRES_VALUE_DATETIME_H

#include "postgres/value_internal.h"

#define PGC_US_PER_DAY INT64_C(86400000000)

/* A day, counted from 2000-01-01, as year (0 is 1 BC), month and day of the month. */
void pgc_civil_of_day(int64_t day, int64_t *year, unsigned *month, unsigned *mday);
/* ".5" for 500000, nothing for 0. */
char *pgc_put_fraction(char *p, unsigned us);
/* Reads ".5" as 500000, and nothing as 0; NULL when malformed. */
const char *pgc_read_fraction(const char *p, const char *end, int64_t *us);

#endif
