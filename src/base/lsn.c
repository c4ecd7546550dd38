/* LSN text: two hexadecimal halves with a slash, as type pg_lsn has it (PostgreSQL manual, section 8.20). */
#include "base/error.h"

#include <stdio.h>

const char *pgconvoy_lsn_to_text(pgconvoy_lsn lsn, char *text)
{
    snprintf(text, PGCONVOY_LSN_TEXT_SIZE, "%X/%X", (unsigned)(lsn >> 32), (unsigned)lsn);
    return text;
}

/* Up to eight hexadecimal digits; returns how many there were, 0 when none or too many. */
static int read_half(const char *text, uint32_t *half)
{
    int n = 0;
    uint32_t value = 0;
    for (;; n++) {
        char c = text[n];
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = (unsigned)(c - 'A') + 10;
        else
            break;
        if (n == 8)
            return 0;
        value = value << 4 | digit;
    }
    *half = value;
    return n;
}

int pgconvoy_lsn_from_text(const char *text, pgconvoy_lsn *lsn)
{
    uint32_t high, low;
    int n = read_half(text, &high);
    if (n == 0 || text[n] != '/')
        return -1;
    int m = read_half(text + n + 1, &low);
    if (m == 0 || text[n + 1 + m] != '\0')
        return -1;
    *lsn = (pgconvoy_lsn)high << 32 | low;
    return 0;
}
