/*
 * numeric. Binary form (send function numeric_send): four words (number of digits, weight, sign, display scale), then
 * digits in base 10000, the first of them worth 10000^weight. Text form: decimal digits, never an exponent.
 */
#include "postgres/value_internal.h"

enum {
    SIGN_POSITIVE = 0x0000,
    SIGN_NEGATIVE = 0x4000,
    SIGN_NAN = 0xC000,
    SIGN_INFINITY = 0xD000,
    SIGN_MINUS_INFINITY = 0xF000
};

typedef struct numeric {
    int digit_count;
    int weight;
    bool negative;
    int scale; /* digits after the point that are shown */
    pgc_numeric_kind kind;
    const uint8_t *digits; /* two bytes each */
} numeric;

static int digit_at(const numeric *n, int i)
{
    return i >= 0 && i < n->digit_count ? pgc_load16(n->digits + 2 * (size_t)i) : 0;
}

static int open_binary(const pgconvoy_value *value, numeric *n, pgconvoy_error *err)
{
    const uint8_t *p = (const uint8_t *)value->data;
    if (value->length < 8)
        return pgc_value_malformed(err, "numeric", "its binary form is too short");
    n->digit_count = pgc_load16(p);
    n->weight = (int16_t)pgc_load16(p + 2);
    unsigned sign = pgc_load16(p + 4);
    n->scale = pgc_load16(p + 6);
    n->digits = p + 8;
    n->negative = sign == SIGN_NEGATIVE;
    if (value->length != 8 + 2 * n->digit_count)
        return pgc_value_malformed(err, "numeric", "its digits do not fill its length");
    switch (sign) {
    case SIGN_POSITIVE:
    case SIGN_NEGATIVE:
        n->kind = PGC_NUMERIC_FINITE;
        break;
    case SIGN_NAN:
        n->kind = PGC_NUMERIC_NAN;
        return 0;
    case SIGN_INFINITY:
        n->kind = PGC_NUMERIC_INFINITY;
        return 0;
    case SIGN_MINUS_INFINITY:
        n->kind = PGC_NUMERIC_MINUS_INFINITY;
        return 0;
    default:
        return pgc_value_malformed(err, "numeric", "an unknown sign");
    }
    if (n->scale > 0x3FFF)
        return pgc_value_malformed(err, "numeric", "its scale is out of range");
    for (int i = 0; i < n->digit_count; i++)
        if (digit_at(n, i) > 9999)
            return pgc_value_malformed(err, "numeric", "a digit is above 9999");
    return 0;
}

static char *put_digit(char *p, unsigned digit)
{
    p[0] = (char)('0' + digit / 1000);
    p[1] = (char)('0' + digit / 100 % 10);
    p[2] = (char)('0' + digit / 10 % 10);
    p[3] = (char)('0' + digit % 10);
    return p + 4;
}

int pgc_write_numeric(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    (void)type;
    numeric n;
    if (open_binary(value, &n, err))
        return -1;
    if (n.kind != PGC_NUMERIC_FINITE) {
        static const char *const name[] = {
            [PGC_NUMERIC_NAN] = "NaN", [PGC_NUMERIC_INFINITY] = "Infinity", [PGC_NUMERIC_MINUS_INFINITY] = "-Infinity"};
        pgc_buffer_text(out, name[n.kind]);
        return 0;
    }
    size_t whole = n.weight >= 0 ? ((size_t)n.weight + 1) * 4 : 1;
    char *p = pgc_room(out, 1 + whole + 1 + (size_t)n.scale + 4);
    if (!p)
        return 0;
    if (n.negative)
        *p++ = '-';
    int i = 0;
    while (i < n.digit_count && i <= n.weight && digit_at(&n, i) == 0) /* a server sends no leading zeros */
        i++;
    if (i > n.weight || digit_at(&n, i) == 0)
        *p++ = '0';
    else {
        p = pgc_put_uint64(p, (uint64_t)digit_at(&n, i));
        for (i++; i <= n.weight; i++)
            p = put_digit(p, (unsigned)digit_at(&n, i));
    }
    if (n.scale > 0) {
        *p++ = '.';
        char *end = p + n.scale;
        for (int place = n.weight + 1; p < end;
             place++) /* the last digit may write over the end; room was made for that */
            p = put_digit(p, (unsigned)digit_at(&n, place < 0 ? -1 : place));
        p = end;
    }
    pgc_wrote(out, p);
    return 0;
}

/* ------------------------------------------------------- as a scaled integer */

/* A number of at most 38 digits that is put together from the left. */
typedef struct scaled {
    unsigned __int128 value;
    bool too_big;
} scaled;

static const uint64_t ten_to[] = {1, 10, 100, 1000, 10000};

#define TEN_TO_19 UINT64_C(10000000000000000000)
#define TEN_TO_38 ((unsigned __int128)TEN_TO_19 * TEN_TO_19)

/* value = value × 10^power + digit; power at most 4. */
static void shift_in(scaled *s, int power, unsigned digit)
{
    static const unsigned __int128 limit[] = {TEN_TO_38, TEN_TO_38 / 10, TEN_TO_38 / 100, TEN_TO_38 / 1000,
                                              TEN_TO_38 / 10000};
    if (s->value >= limit[power])
        s->too_big = true;
    else
        s->value = s->value * ten_to[power] + digit;
}

/* Zeros on the right, so many that a non-zero value may become too big. */
static void shift(scaled *s, int64_t power)
{
    for (; power > 0 && s->value != 0 && !s->too_big; power -= 4)
        shift_in(s, power < 4 ? (int)power : 4, 0);
}

static int64_t exponent_of(const numeric *n, int i, int scale)
{
    return 4 * ((int64_t)n->weight - i) + scale;
}

/* True when the number is exact at that scale. */
static bool scale_binary(const numeric *n, int scale, scaled *s)
{
    int i = 0;
    for (; i < n->digit_count && exponent_of(n, i, scale) >= 0 && !s->too_big; i++)
        shift_in(s, 4, (unsigned)digit_at(n, i));
    if (i == n->digit_count) {
        if (i > 0)
            shift(s, exponent_of(n, i - 1, scale));
        return !s->too_big;
    }
    int64_t cut = -exponent_of(n, i, scale); /* so many decimal digits of this one are behind the scale */
    if (cut > 0 && cut < 4 && !s->too_big) {
        unsigned digit = (unsigned)digit_at(n, i++);
        if (digit % ten_to[cut] != 0)
            return false;
        shift_in(s, (int)(4 - cut), (unsigned)(digit / ten_to[cut]));
    }
    for (; i < n->digit_count; i++)
        if (digit_at(n, i) != 0)
            return false;
    return !s->too_big;
}

/* 1 exact, 0 not, -1 malformed. */
static int scale_text(const char *p, const char *end, int scale, scaled *s)
{
    bool exact = true, any = false, point = false;
    int64_t behind = 0; /* digits behind the point that were taken in */
    const char *dot = memchr(p, '.', (size_t)(end - p));
    int64_t whole = (dot ? dot : end) - p;
    for (; p < end; p++) {
        if (*p == '.' && !point) {
            point = true;
            continue;
        }
        if (*p < '0' || *p > '9')
            return -1;
        any = true;
        int64_t exponent = point ? scale - behind - 1 : --whole + scale;
        behind += point;
        if (exponent >= 0)
            shift_in(s, 1, (unsigned)(*p - '0'));
        else if (*p != '0')
            exact = false;
    }
    if (!any)
        return -1;
    if (scale > behind)
        shift(s, scale - behind);
    return exact && !s->too_big;
}

int pgc_value_decimal(const pgconvoy_value *value, int scale, __int128 *out, pgc_numeric_kind *kind,
                      pgconvoy_error *err)
{
    if (pgc_value_present(value, "numeric", err))
        return -1;
    scaled s = {0};
    bool negative, exact;
    *kind = PGC_NUMERIC_FINITE;
    if (value->format == PGCONVOY_BINARY) {
        numeric n;
        if (open_binary(value, &n, err))
            return -1;
        *kind = n.kind;
        if (n.kind != PGC_NUMERIC_FINITE)
            return 0;
        negative = n.negative;
        exact = scale_binary(&n, scale, &s);
    } else {
        const char *p = value->data, *end = p + value->length;
        if (pgc_text_is(p, (size_t)value->length, "NaN"))
            *kind = PGC_NUMERIC_NAN;
        else if (pgc_text_is(p, (size_t)value->length, "Infinity"))
            *kind = PGC_NUMERIC_INFINITY;
        else if (pgc_text_is(p, (size_t)value->length, "-Infinity"))
            *kind = PGC_NUMERIC_MINUS_INFINITY;
        if (*kind != PGC_NUMERIC_FINITE)
            return 0;
        negative = p < end && *p == '-';
        int outcome = scale_text(p + negative, end, scale, &s);
        if (outcome < 0)
            return pgc_value_malformed(err, "numeric", "not a decimal number");
        exact = outcome == 1;
    }
    if (!exact)
        return 0;
    *out = negative ? -(__int128)s.value : (__int128)s.value;
    return 1;
}
