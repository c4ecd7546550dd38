/*
 * date, time, timetz, timestamp, timestamptz. Binary forms count from 2000-01-01 00:00 in days or microseconds
 * (PostgreSQL's date_send, timestamp_send, …); text forms are DateStyle ISO with TimeZone UTC. The calendar is the
 * proleptic Gregorian one, and the year before 1 is 1 BC, year 0 here.
 */
#include "postgres/value_datetime.h"

/* What servers accept: from Julian day 0 (4714-11-24 BC) on; dates to 5874897-12-31, timestamps to 294276-12-31. */
#define FIRST_DAY INT64_C(-2451545)
#define LAST_DAY INT64_C(2145031948)
#define FIRST_TIMESTAMP (FIRST_DAY * PGC_US_PER_DAY)
#define AFTER_TIMESTAMP INT64_C(9223371331200000000)
#define LAST_ZONE_SECONDS (16 * 3600 - 1)

/* ------------------------------------------------------------------ calendar */

/* Counts years from March on, so that the leap day is a year's last; 146097 days are 400 years. */
#define DAYS_TO_2000_FROM_MARCH_0 730425

void pgc_civil_of_day(int64_t day, int64_t *year, unsigned *month, unsigned *mday)
{
    int64_t z = day + DAYS_TO_2000_FROM_MARCH_0;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned day_of_era = (unsigned)(z - era * 146097);
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month_from_march = (5 * day_of_year + 2) / 153;
    *mday = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    *month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    *year = (int64_t)year_of_era + era * 400 + (*month <= 2);
}

static int64_t day_of_civil(int64_t year, int64_t month, int64_t mday)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + mday - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           DAYS_TO_2000_FROM_MARCH_0;
}

static int days_in_month(int64_t year, int64_t month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* ------------------------------------------------------------------- writing */

#define DATE_TEXT_SIZE 32
#define TIME_TEXT_SIZE 32

/* Without " BC", which closes the whole value: *bc says whether it must. */
static char *put_date(char *p, int64_t day, bool *bc)
{
    int64_t year;
    unsigned month, mday;
    pgc_civil_of_day(day, &year, &month, &mday);
    *bc = year <= 0;
    uint64_t shown = (uint64_t)(*bc ? 1 - year : year);
    p = shown > 9999 ? pgc_put_uint64(p, shown)
                     : pgc_put_two(pgc_put_two(p, (uint32_t)shown / 100), (uint32_t)shown % 100);
    *p++ = '-';
    p = pgc_put_two(p, month);
    *p++ = '-';
    return pgc_put_two(p, mday);
}

static char *put_bc(char *p, bool bc)
{
    if (!bc)
        return p;
    memcpy(p, " BC", 3);
    return p + 3;
}

char *pgc_put_fraction(char *p, unsigned us)
{
    if (us == 0)
        return p;
    *p++ = '.';
    int width = 6;
    for (; us % 10 == 0; us /= 10)
        width--;
    return pgc_put_padded(p, us, width);
}

static char *put_time(char *p, int64_t us)
{
    unsigned seconds = (unsigned)(us / 1000000);
    p = pgc_put_two(p, seconds / 3600);
    *p++ = ':';
    p = pgc_put_two(p, seconds / 60 % 60);
    *p++ = ':';
    p = pgc_put_two(p, seconds % 60);
    return pgc_put_fraction(p, (unsigned)(us % 1000000));
}

/* "+02", "-03:30", "+00:19:32". */
static char *put_zone(char *p, int32_t east)
{
    *p++ = east < 0 ? '-' : '+';
    unsigned seconds = (unsigned)(east < 0 ? -east : east);
    p = pgc_put_two(p, seconds / 3600);
    if (seconds % 3600 == 0)
        return p;
    *p++ = ':';
    p = pgc_put_two(p, seconds / 60 % 60);
    if (seconds % 60 == 0)
        return p;
    *p++ = ':';
    return pgc_put_two(p, seconds % 60);
}

int pgc_write_date(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    (void)type;
    int32_t days;
    if (pgc_value_date(value, &days, err))
        return -1;
    if (days == INT32_MIN || days == INT32_MAX) {
        pgc_buffer_text(out, days == INT32_MIN ? "-infinity" : "infinity");
        return 0;
    }
    char *p = pgc_room(out, DATE_TEXT_SIZE);
    if (!p)
        return 0;
    bool bc;
    p = put_date(p, days, &bc);
    pgc_wrote(out, put_bc(p, bc));
    return 0;
}

static int write_timestamp(const pgconvoy_value *value, bool zone, pgc_buffer *out, pgconvoy_error *err)
{
    int64_t us;
    if (pgc_value_timestamp(value, &us, err))
        return -1;
    if (us == INT64_MIN || us == INT64_MAX) {
        pgc_buffer_text(out, us == INT64_MIN ? "-infinity" : "infinity");
        return 0;
    }
    char *p = pgc_room(out, DATE_TEXT_SIZE + TIME_TEXT_SIZE);
    if (!p)
        return 0;
    int64_t day = us / PGC_US_PER_DAY, rest = us % PGC_US_PER_DAY;
    if (rest < 0) {
        rest += PGC_US_PER_DAY;
        day--;
    }
    bool bc;
    p = put_date(p, day, &bc);
    *p++ = ' ';
    p = put_time(p, rest);
    if (zone)
        p = put_zone(p, 0);
    pgc_wrote(out, put_bc(p, bc));
    return 0;
}

int pgc_write_timestamp(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    (void)type;
    return write_timestamp(value, false, out, err);
}

int pgc_write_timestamptz(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    (void)type;
    return write_timestamp(value, true, out, err);
}

int pgc_write_time(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    (void)type;
    int64_t us;
    if (pgc_value_time(value, &us, err))
        return -1;
    char *p = pgc_room(out, TIME_TEXT_SIZE);
    if (p)
        pgc_wrote(out, put_time(p, us));
    return 0;
}

int pgc_write_timetz(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    (void)type;
    int64_t us;
    int32_t zone;
    if (pgc_value_timetz(value, &us, &zone, err))
        return -1;
    char *p = pgc_room(out, TIME_TEXT_SIZE);
    if (p)
        pgc_wrote(out, put_zone(put_time(p, us), zone));
    return 0;
}

/* ------------------------------------------------------------- reading text */

static const char *skip(const char *p, const char *end, char c)
{
    return p && p < end && *p == c ? p + 1 : NULL;
}

/* "2000-01-31"; *year as written, still without BC. */
static const char *read_date(const char *p, const char *end, int64_t *year, int64_t *month, int64_t *mday)
{
    p = skip(pgc_read_digits(p, end, 7, year), end, '-');
    p = p ? skip(pgc_read_digits(p, end, 2, month), end, '-') : NULL;
    return p ? pgc_read_digits(p, end, 2, mday) : NULL;
}

/* ".123456" if there is one; at most six digits. */
const char *pgc_read_fraction(const char *p, const char *end, int64_t *us)
{
    *us = 0;
    if (p == end || *p != '.')
        return p;
    const char *start = p + 1;
    p = pgc_read_digits(start, end, 6, us);
    if (p)
        for (long width = p - start; width < 6; width++)
            *us *= 10;
    return p;
}

static const char *read_time(const char *p, const char *end, int64_t *us)
{
    int64_t hour, minute, second, fraction;
    p = skip(pgc_read_digits(p, end, 2, &hour), end, ':');
    p = p ? skip(pgc_read_digits(p, end, 2, &minute), end, ':') : NULL;
    p = p ? pgc_read_digits(p, end, 2, &second) : NULL;
    p = p ? pgc_read_fraction(p, end, &fraction) : NULL;
    if (!p || minute > 59 || second > 60)
        return NULL;
    *us = ((hour * 60 + minute) * 60 + second) * 1000000 + fraction;
    return *us <= PGC_US_PER_DAY ? p : NULL;
}

static const char *read_zone(const char *p, const char *end, int32_t *east)
{
    int64_t hour, minute = 0, second = 0;
    if (p == end || (*p != '+' && *p != '-'))
        return NULL;
    bool west = *p++ == '-';
    p = pgc_read_digits(p, end, 2, &hour);
    if (p && p < end && *p == ':')
        p = pgc_read_digits(p + 1, end, 2, &minute);
    if (p && p < end && *p == ':')
        p = pgc_read_digits(p + 1, end, 2, &second);
    int64_t seconds = (hour * 60 + minute) * 60 + second;
    if (!p || minute > 59 || second > 59 || seconds > LAST_ZONE_SECONDS)
        return NULL;
    *east = (int32_t)(west ? -seconds : seconds);
    return p;
}

/* Takes " BC" off the end. */
static bool cut_bc(const char *text, const char **end)
{
    if (*end - text < 3 || memcmp(*end - 3, " BC", 3) != 0)
        return false;
    *end -= 3;
    return true;
}

static bool civil_is_valid(int64_t year, int64_t month, int64_t mday)
{
    return month >= 1 && month <= 12 && mday >= 1 && mday <= days_in_month(year, month);
}

/* -1, 0 or 1: the text is -infinity, neither, or infinity. */
static int infinity_of(const pgconvoy_value *value)
{
    if (pgc_text_is(value->data, (size_t)value->length, "infinity"))
        return 1;
    return pgc_text_is(value->data, (size_t)value->length, "-infinity") ? -1 : 0;
}

/* ------------------------------------------------------------------- readers */

int pgc_value_date(const pgconvoy_value *value, int32_t *days, pgconvoy_error *err)
{
    if (pgc_value_present(value, "date", err))
        return -1;
    int64_t day;
    if (value->format == PGCONVOY_BINARY) {
        if (value->length != 4)
            return pgc_value_malformed(err, "date", "its binary form must have 4 bytes");
        *days = (int32_t)pgc_load32((const uint8_t *)value->data);
        if (*days == INT32_MIN || *days == INT32_MAX)
            return 0;
        day = *days;
    } else {
        int infinity = infinity_of(value);
        if (infinity) {
            *days = infinity > 0 ? INT32_MAX : INT32_MIN;
            return 0;
        }
        const char *p = value->data, *end = p + value->length;
        bool bc = cut_bc(p, &end);
        int64_t year, month, mday;
        if (read_date(p, end, &year, &month, &mday) != end || year < 1)
            return pgc_value_malformed(err, "date", "not an ISO date");
        year = bc ? 1 - year : year;
        if (!civil_is_valid(year, month, mday))
            return pgc_value_malformed(err, "date", "there is no such day");
        day = day_of_civil(year, month, mday);
    }
    if (day < FIRST_DAY || day > LAST_DAY)
        return pgc_value_malformed(err, "date", "out of range");
    *days = (int32_t)day;
    return 0;
}

/* Text to microseconds; a zone is subtracted where there is one. */
static bool read_timestamp(const pgconvoy_value *value, int64_t *us)
{
    const char *p = value->data, *end = p + value->length;
    bool bc = cut_bc(p, &end);
    int64_t year, month, mday, time;
    int32_t east = 0;
    p = skip(read_date(p, end, &year, &month, &mday), end, ' ');
    p = p ? read_time(p, end, &time) : NULL;
    if (p && p < end)
        p = read_zone(p, end, &east);
    if (!p || p != end || year < 1)
        return false;
    year = bc ? 1 - year : year;
    if (!civil_is_valid(year, month, mday))
        return false;
    int64_t midnight;
    return !__builtin_mul_overflow(day_of_civil(year, month, mday), PGC_US_PER_DAY, &midnight) &&
           !__builtin_add_overflow(midnight, time - INT64_C(1000000) * east, us);
}

int pgc_value_timestamp(const pgconvoy_value *value, int64_t *us, pgconvoy_error *err)
{
    if (pgc_value_present(value, "timestamp", err))
        return -1;
    if (value->format == PGCONVOY_BINARY) {
        if (value->length != 8)
            return pgc_value_malformed(err, "timestamp", "its binary form must have 8 bytes");
        *us = (int64_t)pgc_load64((const uint8_t *)value->data);
        if (*us == INT64_MIN || *us == INT64_MAX)
            return 0;
    } else {
        int infinity = infinity_of(value);
        if (infinity) {
            *us = infinity > 0 ? INT64_MAX : INT64_MIN;
            return 0;
        }
        if (!read_timestamp(value, us))
            return pgc_value_malformed(err, "timestamp", "not an ISO date and time");
    }
    if (*us < FIRST_TIMESTAMP || *us >= AFTER_TIMESTAMP)
        return pgc_value_malformed(err, "timestamp", "out of range");
    return 0;
}

int pgc_value_time(const pgconvoy_value *value, int64_t *us, pgconvoy_error *err)
{
    if (pgc_value_present(value, "time", err))
        return -1;
    if (value->format == PGCONVOY_BINARY) {
        if (value->length != 8)
            return pgc_value_malformed(err, "time", "its binary form must have 8 bytes");
        *us = (int64_t)pgc_load64((const uint8_t *)value->data);
        if (*us < 0 || *us > PGC_US_PER_DAY)
            return pgc_value_malformed(err, "time", "out of range");
        return 0;
    }
    const char *p = value->data, *end = p + value->length;
    if (read_time(p, end, us) != end)
        return pgc_value_malformed(err, "time", "not a time of day");
    return 0;
}

/* Binary: the time, then the seconds west of Greenwich. */
int pgc_value_timetz(const pgconvoy_value *value, int64_t *us, int32_t *zone_seconds, pgconvoy_error *err)
{
    if (pgc_value_present(value, "timetz", err))
        return -1;
    const char *p = value->data, *end = p + value->length;
    if (value->format == PGCONVOY_BINARY) {
        if (value->length != 12)
            return pgc_value_malformed(err, "timetz", "its binary form must have 12 bytes");
        *us = (int64_t)pgc_load64((const uint8_t *)p);
        int32_t west = (int32_t)pgc_load32((const uint8_t *)p + 8);
        if (*us < 0 || *us > PGC_US_PER_DAY || west < -LAST_ZONE_SECONDS || west > LAST_ZONE_SECONDS)
            return pgc_value_malformed(err, "timetz", "out of range");
        *zone_seconds = -west;
        return 0;
    }
    p = read_time(p, end, us);
    p = p ? read_zone(p, end, zone_seconds) : NULL;
    if (!p || p != end)
        return pgc_value_malformed(err, "timetz", "not a time of day with a zone");
    return 0;
}
