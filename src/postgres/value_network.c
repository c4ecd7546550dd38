/*
 * inet, cidr, macaddr, macaddr8. Binary form of an address (network_send): family, bits of the netmask, whether it is a
 * cidr, number of bytes, the bytes from the highest on.
 */
#include "postgres/value_internal.h"

enum { FAMILY_INET = 2, FAMILY_INET6 = 3 };

int pgc_write_macaddr(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    static const char digit[16] = "0123456789abcdef";
    if (value->length != (type->oid == PGC_MACADDR8 ? 8 : 6))
        return pgc_value_malformed(err, pgc_type_label(type), "its binary form has not the right length");
    char *p = pgc_room(out, 3 * (size_t)value->length);
    if (!p)
        return 0;
    for (int i = 0; i < value->length; i++) {
        uint8_t byte = (uint8_t)value->data[i];
        if (i > 0)
            *p++ = ':';
        *p++ = digit[byte >> 4];
        *p++ = digit[byte & 15];
    }
    pgc_wrote(out, p);
    return 0;
}

static char *put_ipv4(char *p, const uint8_t *bytes)
{
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            *p++ = '.';
        p = pgc_put_uint64(p, bytes[i]);
    }
    return p;
}

static char *put_hex_word(char *p, unsigned word)
{
    static const char digit[16] = "0123456789abcdef";
    bool any = false;
    for (int shift = 12; shift >= 0; shift -= 4) {
        unsigned nibble = word >> shift & 15;
        any = any || nibble != 0 || shift == 0;
        if (any)
            *p++ = digit[nibble];
    }
    return p;
}

/* The first of the longest runs of zero words, of at least two words; length 0 when there is none. */
static int longest_zeros(const unsigned word[8], int *length)
{
    int best = 0;
    *length = 0;
    for (int i = 0; i < 8;) {
        int j = i;
        while (j < 8 && word[j] == 0)
            j++;
        if (j - i >= 2 && j - i > *length) {
            best = i;
            *length = j - i;
        }
        i = j > i ? j : i + 1;
    }
    return best;
}

static char *put_ipv6(char *p, const uint8_t *bytes)
{
    unsigned word[8];
    for (int i = 0; i < 8; i++)
        word[i] = pgc_load16(bytes + 2 * i);
    int zeros, start = longest_zeros(word, &zeros);
    /* an IPv4 address inside is shown as one */
    bool mixed = start == 0 && (zeros == 6 || (zeros == 5 && word[5] == 0xffff));
    for (int i = 0; i < 8; i++) {
        if (zeros > 0 && i == start) {
            *p++ = ':';
            i += zeros - 1;
            if (i == 7)
                *p++ = ':';
            continue;
        }
        if (i > 0)
            *p++ = ':';
        if (mixed && i == 6)
            return put_ipv4(p, bytes + 12);
        p = put_hex_word(p, word[i]);
    }
    return p;
}

int pgc_write_inet(const pgconvoy_type *type, const pgconvoy_value *value, pgc_buffer *out, pgconvoy_error *err)
{
    const uint8_t *bytes = (const uint8_t *)value->data;
    if (value->length < 4)
        return pgc_value_malformed(err, pgc_type_label(type), "its binary form is too short");
    bool six = bytes[0] == FAMILY_INET6;
    if (!six && bytes[0] != FAMILY_INET)
        return pgc_value_malformed(err, pgc_type_label(type), "an unknown address family");
    unsigned bits = bytes[1], all_bits = six ? 128 : 32;
    if (bits > all_bits || bytes[3] != all_bits / 8 || (unsigned)value->length != 4 + all_bits / 8)
        return pgc_value_malformed(err, pgc_type_label(type), "its parts do not fit its address family");
    char *p = pgc_room(out, 64);
    if (!p)
        return 0;
    p = six ? put_ipv6(p, bytes + 4) : put_ipv4(p, bytes + 4);
    if (bits < all_bits || type->oid == PGC_CIDR) {
        *p++ = '/';
        p = pgc_put_uint64(p, bits);
    }
    pgc_wrote(out, p);
    return 0;
}
