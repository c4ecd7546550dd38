/* Numbers of JSON texts, digit by digit; see json_number.h. */
#include "format/json_number.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The digits of a number without its point and the zeros around them, and the power of ten of the last one. */
static size_t significant(const char *text, size_t length, char *digits, size_t size, long *power)
{
    size_t count = 0, i = 0;
    long scale = 0;
    bool behind = false;
    for (; i < length && text[i] != 'e' && text[i] != 'E'; i++) {
        if (text[i] == '.') {
            behind = true;
        } else if (text[i] >= '0' && text[i] <= '9') {
            scale -= behind;
            if ((count == 0 && text[i] == '0'))
                continue;
            if (count < size)
                digits[count] = text[i];
            count++;
        }
    }
    if (i < length)
        scale += strtol(text + i + 1, NULL, 10);
    while (count > 0 && count <= size && digits[count - 1] == '0')
        count--, scale++;
    *power = count == 0 ? 0 : scale;
    return count;
}

/* Others than 64-bit integers and doubles would come back different. text is NUL-terminated where it ends or later. */
static bool number_survives(const char *text, size_t length)
{
    char digits[40], again[40], copy[64], printed[40];
    long power, power_again;
    size_t count = significant(text, length, digits, sizeof digits, &power);
    if (count == 0 || (count <= 15 && power > -290 && power + (long)count < 290))
        return true;
    if (count > 20 || length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (strspn(copy, "-0123456789") == length) {
        char *end;
        unsigned long long whole = strtoull(copy + (copy[0] == '-'), &end, 10);
        if (copy[0] == '-' ? whole <= (unsigned long long)INT64_MAX + 1 && length <= 20
                           : length < 20 || (length == 20 && copy[0] == '1'))
            return true;
    }
    double value = strtod(copy, NULL);
    for (int precision = 15; precision <= 17; precision++) {
        int printed_length = snprintf(printed, sizeof printed, "%.*e", precision - 1, value);
        size_t count_again = significant(printed, (size_t)printed_length, again, sizeof again, &power_again);
        if (strtod(printed, NULL) == value && count_again == count && power_again == power &&
            memcmp(again, digits, count) == 0)
            return true;
    }
    return false;
}

bool pgc_json_numbers_survive(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"') {
            for (i++; i < length && text[i] != '"'; i++)
                i += text[i] == '\\';
        } else if (text[i] == '-' || (text[i] >= '0' && text[i] <= '9')) {
            size_t end = i;
            while (end < length && (strchr("+-.eE", text[end]) || (text[end] >= '0' && text[end] <= '9')) && text[end])
                end++;
            if (!number_survives(text + i, end - i))
                return false;
            i = end - 1;
        }
    }
    return true;
}
