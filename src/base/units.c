/*
 * Numbers with units. Sizes step by 1024, as PostgreSQL's own settings and pg_size_pretty do; plain counts step by
 * 1000.
 */
#include "base/units.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The power of 1024 that a unit stands for, or -1. "k", "kB" and "KiB" are the same here. */
static int unit_power(const char *unit)
{
    static const char letters[] = "kmgt";
    if (*unit == '\0' || strcasecmp(unit, "b") == 0)
        return 0;
    const char *letter = strchr(letters, tolower((unsigned char)*unit));
    if (!letter)
        return -1;
    unit++;
    if (*unit != '\0' && strcasecmp(unit, "b") != 0 && strcasecmp(unit, "ib") != 0)
        return -1;
    return (int)(letter - letters) + 1;
}

int pgc_size_parse(const char *text, size_t *bytes)
{
    while (*text == ' ')
        text++;
    if (!isdigit((unsigned char)*text))
        return -1;
    size_t number = 0;
    for (; isdigit((unsigned char)*text); text++)
        if (__builtin_mul_overflow(number, (size_t)10, &number) ||
            __builtin_add_overflow(number, (size_t)(*text - '0'), &number))
            return -1;
    while (*text == ' ')
        text++;
    int power = unit_power(text);
    if (power < 0)
        return -1;
    for (int i = 0; i < power; i++)
        if (__builtin_mul_overflow(number, (size_t)1024, &number))
            return -1;
    *bytes = number;
    return 0;
}

/* number with one decimal below ten, none above; bumps to the next unit where rounding would show the step itself. */
static const char *scaled(int64_t number, int64_t step, const char *const *units, int unit_count, char *text)
{
    double value = (double)number;
    int unit = 0;
    while (unit + 1 < unit_count && value >= (double)step - 0.5) {
        value /= (double)step;
        unit++;
    }
    if (unit == 0 || value >= 9.95)
        snprintf(text, PGC_UNITS_TEXT_SIZE, "%.0f%s", value, units[unit]);
    else
        snprintf(text, PGC_UNITS_TEXT_SIZE, "%.1f%s", value, units[unit]);
    return text;
}

const char *pgc_size_to_text(int64_t bytes, char *text)
{
    static const char *const units[] = {" B", " kB", " MB", " GB", " TB", " PB"};
    return scaled(bytes < 0 ? 0 : bytes, 1024, units, 6, text);
}

const char *pgc_count_to_short_text(int64_t count, char *text)
{
    static const char *const units[] = {"", "k", "M", "G", "T", "P"};
    return scaled(count < 0 ? 0 : count, 1000, units, 6, text);
}

const char *pgc_count_to_text(int64_t count, char *text)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)count);
    char *to = text;
    for (int i = 0; i < length; i++) {
        *to++ = digits[i];
        int left = length - 1 - i;
        if (digits[i] != '-' && left > 0 && left % 3 == 0)
            *to++ = ',';
    }
    *to = '\0';
    return text;
}

const char *pgc_duration_to_text(int64_t us, char *text)
{
    if (us < 0)
        us = 0;
    long long seconds = (long long)(us / 1000000);
    if (us < 999500)
        snprintf(text, PGC_UNITS_TEXT_SIZE, "%lld ms", (long long)((us + 500) / 1000));
    else if (us < INT64_C(60000000))
        snprintf(text, PGC_UNITS_TEXT_SIZE, "%.1f s", (double)us / 1e6);
    else if (us < INT64_C(3600000000))
        snprintf(text, PGC_UNITS_TEXT_SIZE, "%lld:%02lld", seconds / 60, seconds % 60);
    else if (seconds < 2 * 86400)
        snprintf(text, PGC_UNITS_TEXT_SIZE, "%lld:%02lld:%02lld", seconds / 3600, seconds / 60 % 60, seconds % 60);
    else
        snprintf(text, PGC_UNITS_TEXT_SIZE, "%lld d %lld h", seconds / 86400, seconds / 3600 % 24);
    return text;
}
