/*
 * interval: months, days and microseconds, which do not convert into each other. Binary form (interval_send):
 * microseconds, days, months. Text form: IntervalStyle postgres, "1 year 2 mons -3 days +04:05:06.7". Since version 17
 * all fields at their ends are an infinity.
 */
#include "postgres/value_datetime.h"

static bool is_infinite(const pgc_interval *i, bool *negative)
{
    *negative = i->months < 0;
    return (i->months == INT32_MAX && i->days == INT32_MAX && i->us == INT64_MAX) ||
           (i->months == INT32_MIN && i->days == INT32_MIN && i->us == INT64_MIN);
}

/* What was written so far, which decides blanks and plus signs. */
typedef struct progress {
    bool any, negative;
} progress;

static char *put_part(char *p, progress *done, int64_t v, const char *unit)
{
    if (v == 0)
        return p;
    if (done->any)
        *p++ = ' ';
    if (done->negative && v > 0)
        *p++ = '+';
    p = pgc_put_int64(p, v);
    *p++ = ' ';
    size_t length = strlen(unit);
    memcpy(p, unit, length);
    p += length;
    if (v != 1)
        *p++ = 's';
    *done = (progress){true, v < 0};
    return p;
}

static char *put_clock(char *p, const progress *done, int64_t us)
{
    if (done->any)
        *p++ = ' ';
    if (us < 0 || done->negative)
        *p++ = us < 0 ? '-' : '+';
    uint64_t magnitude = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
    uint64_t seconds = magnitude / 1000000, hours = seconds / 3600;
    p = hours < 100 ? pgc_put_two(p, (uint32_t)hours) : pgc_put_uint64(p, hours);
    *p++ = ':';
    p = pgc_put_two(p, (uint32_t)(seconds / 60 % 60));
    *p++ = ':';
    p = pgc_put_two(p, (uint32_t)(seconds % 60));
    return pgc_put_fraction(p, (unsigned)(magnitude % 1000000));
}

int pgc_write_interval(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    (void)type;
    pgc_interval i;
    if (pgc_value_interval(value, &i, err))
        return -1;
    bool negative;
    if (is_infinite(&i, &negative)) {
        pgc_buffer_text(out, negative ? "-infinity" : "infinity");
        return 0;
    }
    char *p = pgc_room(out, 128);
    if (!p)
        return 0;
    progress done = {false, false};
    p = put_part(p, &done, i.months / 12, "year");
    p = put_part(p, &done, i.months % 12, "mon");
    p = put_part(p, &done, i.days, "day");
    if (!done.any || i.us != 0)
        p = put_clock(p, &done, i.us);
    pgc_wrote(out, p);
    return 0;
}

/* ----------------------------------------------------------------- from text */

/* hours:minutes:seconds after the sign; *us gathered below zero, where there is room for the smallest. */
static const char *read_clock(int64_t hours, const char *p, const char *end, int64_t *us)
{
    int64_t minutes, seconds, fraction, v;
    p = pgc_read_digits(p, end, 2, &minutes);
    if (!p || p == end || *p != ':')
        return NULL;
    p = pgc_read_digits(p + 1, end, 2, &seconds);
    p = p ? pgc_read_fraction(p, end, &fraction) : NULL;
    if (!p || minutes > 59 || seconds > 60)
        return NULL;
    if (__builtin_mul_overflow(hours, INT64_C(-3600000000), &v) ||
        __builtin_sub_overflow(v, (minutes * 60 + seconds) * 1000000 + fraction, us))
        return NULL;
    return p;
}

static bool add_to(int32_t *field, int64_t v, int factor)
{
    int64_t sum;
    if (__builtin_mul_overflow(v, factor, &v) || __builtin_add_overflow(v, *field, &sum) || sum < INT32_MIN ||
        sum > INT32_MAX)
        return false;
    *field = (int32_t)sum;
    return true;
}

static bool add_unit(pgc_interval *out, int64_t v, const char *unit, size_t length)
{
    if (length > 1 && unit[length - 1] == 's')
        length--;
    if (pgc_text_is(unit, length, "year"))
        return add_to(&out->months, v, 12);
    if (pgc_text_is(unit, length, "mon"))
        return add_to(&out->months, v, 1);
    return pgc_text_is(unit, length, "day") && add_to(&out->days, v, 1);
}

static bool read_interval(const char *p, const char *end, pgc_interval *out)
{
    memset(out, 0, sizeof *out);
    if (p == end)
        return false;
    for (bool first = true; p < end; first = false) {
        if (!first && *p++ != ' ')
            return false;
        bool negative = p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+'))
            p++;
        int64_t v;
        p = pgc_read_digits(p, end, 18, &v);
        if (!p || p == end)
            return false;
        if (*p == ':') {
            p = read_clock(v, p + 1, end, &out->us);
            if (!p || p != end || (!negative && out->us == INT64_MIN))
                return false;
            out->us = negative ? out->us : -out->us;
            return true;
        }
        if (*p++ != ' ')
            return false;
        const char *unit = p;
        while (p < end && *p != ' ')
            p++;
        if (!add_unit(out, negative ? -v : v, unit, (size_t)(p - unit)))
            return false;
    }
    return true;
}

int pgc_value_interval(const pgconvoy_value *value, pgc_interval *out, pgconvoy_error *err)
{
    if (pgc_value_present(value, "interval", err))
        return -1;
    const char *text = value->data;
    size_t length = (size_t)value->length;
    if (value->format == PGCONVOY_BINARY) {
        if (length != 16)
            return pgc_value_malformed(err, "interval", "its binary form must have 16 bytes");
        const uint8_t *p = (const uint8_t *)text;
        out->us = (int64_t)pgc_load64(p);
        out->days = (int32_t)pgc_load32(p + 8);
        out->months = (int32_t)pgc_load32(p + 12);
        return 0;
    }
    if (pgc_text_is(text, length, "infinity"))
        *out = (pgc_interval){INT32_MAX, INT32_MAX, INT64_MAX};
    else if (pgc_text_is(text, length, "-infinity"))
        *out = (pgc_interval){INT32_MIN, INT32_MIN, INT64_MIN};
    else if (!read_interval(text, text + length, out))
        return pgc_value_malformed(err, "interval", "not in IntervalStyle postgres");
    return 0;
}
