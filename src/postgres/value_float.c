/*
 * float4 and float8. Binary form: the IEEE 754 bits, big-endian. Text form: the fewest digits that read back as the
 * same number, which is what servers from 12 on send whatever extra_float_digits says above 0; "Infinity", "-Infinity",
 * "NaN".
 *
 * The digits come from the Schubfach method (Raffaello Giulietti, "The Schubfach way to render doubles"): scale the two
 * ends of the interval of decimals that round to the number by a power of ten so that it holds at least one integer,
 * and pick. As in PostgreSQL the ends themselves do not count, so that the text reads back the same whatever a reader
 * does with ties.
 */
#include "postgres/value_internal.h"
#include "postgres/value_float_table.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

/* ------------------------------------------------------------- shortest text */

typedef struct decimal {
    uint64_t digits;
    int exponent; /* the number is digits × 10^exponent */
} decimal;

/* floor(log10(2^e)), floor(log10(3/4 × 2^e)) and floor(log2(10^e)), exact over the range of doubles. */
static int log10_of_pow2(int e)
{
    return (int)((int64_t)e * 1262611 >> 22);
}

static int log10_of_three_quarters_pow2(int e)
{
    return (int)(((int64_t)e * 1262611 - 524031) >> 22);
}

static int log2_of_pow10(int e)
{
    return (int)((int64_t)e * 1741647 >> 19);
}

/* The product's highest 64 bits; the lowest bit tells whether anything but zeros was cut off. */
static uint64_t multiply_to_odd(int power, uint64_t factor)
{
    uint64_t high = power_of_ten[power - FIRST_POWER].high, low = power_of_ten[power - FIRST_POWER].low;
    unsigned __int128 x = (unsigned __int128)low * factor;
    unsigned __int128 y = (unsigned __int128)high * factor + (uint64_t)(x >> 64);
    return (uint64_t)(y >> 64) | ((uint64_t)y > 1); /* the table rounds up: a remainder of 1 is none */
}

/* The number is significand × 2^exponent; lower_is_closer when the next number below is half as far away as the next
 * above. */
static decimal shortest(uint64_t significand, int exponent, bool lower_is_closer)
{
    int k = lower_is_closer ? log10_of_three_quarters_pow2(exponent) : log10_of_pow2(exponent);
    int shift = exponent + log2_of_pow10(-k) + 1;
    uint64_t quadruple = 4 * significand; /* in quarters of a unit, so that the ends are integers */
    uint64_t lower = multiply_to_odd(-k, (quadruple - 2 + lower_is_closer) << shift) + 1;
    uint64_t middle = multiply_to_odd(-k, quadruple << shift);
    uint64_t upper = multiply_to_odd(-k, (quadruple + 2) << shift) - 1;

    uint64_t s = middle / 4;
    if (s >= 10) { /* one digit fewer, if exactly one such number is inside */
        uint64_t t = s / 10;
        bool down = lower <= 40 * t, up = 40 * t + 40 <= upper;
        if (down != up)
            return (decimal){t + up, k + 1};
    }
    bool down = lower <= 4 * s, up = 4 * s + 4 <= upper;
    if (down != up)
        return (decimal){s + up, k};
    bool round_up = middle > 4 * s + 2 || (middle == 4 * s + 2 && (s & 1));
    return (decimal){s + round_up, k};
}

/* Zeros at the end become part of the exponent; there are many when a number has few digits, so they go in strides. */
static void strip_zeros(decimal *d)
{
    static const struct {
        uint64_t factor;
        int zeros;
    } strides[] = {{100000000, 8}, {10000, 4}, {100, 2}, {10, 1}};
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        while (d->digits % strides[i].factor == 0) {
            d->digits /= strides[i].factor;
            d->exponent += strides[i].zeros;
        }
}

/*
 * Digits with point and exponent as PostgreSQL sets them: plain from 0.0001 up to but not including 10^plain_digits,
 * else with an exponent of at least two digits.
 */
static char *put_decimal(char *p, decimal d, int plain_digits)
{
    strip_zeros(&d);
    char text[20];
    int count = (int)(pgc_put_uint64(text, d.digits) - text);
    int point = count + d.exponent; /* digits before the point */
    if (point > plain_digits || point < -3) {
        *p++ = text[0];
        if (count > 1) {
            *p++ = '.';
            memcpy(p, text + 1, (size_t)count - 1);
            p += count - 1;
        }
        *p++ = 'e';
        *p++ = point > 0 ? '+' : '-';
        unsigned e = (unsigned)(point > 0 ? point - 1 : 1 - point);
        return e < 10 ? pgc_put_two(p, e) : pgc_put_uint64(p, e);
    }
    if (point <= 0) {
        *p++ = '0';
        *p++ = '.';
        memset(p, '0', (size_t)-point);
        p += -point;
        memcpy(p, text, (size_t)count);
        return p + count;
    }
    int whole = point < count ? point : count;
    memcpy(p, text, (size_t)whole);
    p += whole;
    if (point >= count) {
        memset(p, '0', (size_t)(point - count));
        return p + (point - count);
    }
    *p++ = '.';
    memcpy(p, text + whole, (size_t)(count - whole));
    return p + (count - whole);
}

static char *put_word(char *p, const char *word)
{
    size_t length = strlen(word);
    memcpy(p, word, length);
    return p + length;
}

char *pgc_put_float8(char *p, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int exponent = (int)(bits >> 52 & 0x7FF);
    if (exponent == 0x7FF && fraction)
        return put_word(p, "NaN");
    if (bits >> 63)
        *p++ = '-';
    if (exponent == 0x7FF)
        return put_word(p, "Infinity");
    if (exponent == 0 && fraction == 0)
        return put_word(p, "0");
    decimal d = exponent == 0 ? shortest(fraction, -1074, false)
                              : shortest(fraction | UINT64_C(1) << 52, exponent - 1075, fraction == 0 && exponent > 1);
    return put_decimal(p, d, 15);
}

char *pgc_put_float4(char *p, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    uint32_t fraction = bits & ((UINT32_C(1) << 23) - 1);
    int exponent = (int)(bits >> 23 & 0xFF);
    if (exponent == 0xFF && fraction)
        return put_word(p, "NaN");
    if (bits >> 31)
        *p++ = '-';
    if (exponent == 0xFF)
        return put_word(p, "Infinity");
    if (exponent == 0 && fraction == 0)
        return put_word(p, "0");
    decimal d = exponent == 0 ? shortest(fraction, -149, false)
                              : shortest(fraction | UINT32_C(1) << 23, exponent - 150, fraction == 0 && exponent > 1);
    return put_decimal(p, d, 6);
}

int pgc_write_float8(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    (void)type;
    if (value->length != 8)
        return pgc_value_malformed(err, "float8", "its binary form must have 8 bytes");
    char *p = pgc_room(out, PGC_FLOAT_TEXT_SIZE);
    if (p)
        pgc_wrote(out, pgc_put_float8(p, pgc_double_of_bits(pgc_load64((const uint8_t *)value->data))));
    return 0;
}

int pgc_write_float4(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    (void)type;
    if (value->length != 4)
        return pgc_value_malformed(err, "float4", "its binary form must have 4 bytes");
    char *p = pgc_room(out, PGC_FLOAT_TEXT_SIZE);
    if (p)
        pgc_wrote(out, pgc_put_float4(p, pgc_float_of_bits(pgc_load32((const uint8_t *)value->data))));
    return 0;
}

/* ----------------------------------------------------------------- from text */

/* Up to 15 digits and a power of ten up to 22 are both exact as doubles, and so is one operation on them rounded
 * rightly. */
static bool read_plain(const char *p, const char *end, double *out)
{
    static const double ten_to[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    bool negative = p < end && *p == '-', point = false;
    p += negative;
    uint64_t digits = 0;
    int count = 0, behind = 0;
    for (; p < end; p++) {
        if (*p == '.' && !point)
            point = true;
        else if (*p >= '0' && *p <= '9' && count < 15) {
            digits = digits * 10 + (uint64_t)(*p - '0');
            count++;
            behind += point;
        } else
            return false;
    }
    double v = (double)digits / ten_to[behind];
    *out = negative ? -v : v;
    return count > 0;
}

bool pgc_read_double(const char *text, size_t length, double *out)
{
    if (read_plain(text, text + length, out))
        return true;
    char copy[64]; /* a server's text has at most 24 characters */
    if (length == 0 || length >= sizeof copy || text[0] == ' ' || memchr(text, 'x', length) ||
        memchr(text, 'X', length))
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* the program may have one with a decimal comma */
    if (!c_locale)
        return false;
    char *end;
    *out = strtod_l(copy, &end, c_locale);
    freelocale(c_locale);
    return end == copy + length;
}

int pgc_value_double(const pgconvoy_value *value, double *out, pgconvoy_error *err)
{
    if (pgc_value_present(value, "float", err))
        return -1;
    const uint8_t *p = (const uint8_t *)value->data;
    if (value->format == PGCONVOY_TEXT) {
        if (!pgc_read_double(value->data, (size_t)value->length, out))
            return pgc_value_malformed(err, "float", "not a number");
        return 0;
    }
    if (value->length == 8)
        *out = pgc_double_of_bits(pgc_load64(p));
    else if (value->length == 4)
        *out = (double)pgc_float_of_bits(pgc_load32(p));
    else
        return pgc_value_malformed(err, "float", "its binary form must have 4 or 8 bytes");
    return 0;
}
