/* Tar headers; see tar.h and docs/dump-format.md. */
#include "archive/tar.h"

#include <stdio.h>
#include <string.h>

/* Where a field stands, and how long it is. */
typedef struct field {
    int at, length;
} field;

static const field mode_field = {100, 8}, user_field = {108, 8}, group_field = {116, 8}, size_field = {124, 12}, time_field = {136, 12}, sum_field = {148, 8},
                   major_field = {329, 8}, minor_field = {337, 8};
#define TYPE_AT       156
#define MAGIC_AT      257
#define USER_NAME_AT  265
#define GROUP_NAME_AT 297

/* Octal digits and a space; what does not fit: 0x80 and base 256, the highest byte first. */
static void put_number(char *block, field field, uint64_t number)
{
    char *at = block + field.at;
    int digits = field.length - 1;
    bool octal = digits * 3 >= 64 || number < (uint64_t)1 << (digits * 3);
    at[octal ? digits : 0] = octal ? ' ' : (char)0x80;
    for (int i = digits - 1; i >= 0; i--) {
        at[octal ? i : i + 1] = octal ? (char)('0' + (number & 7)) : (char)(number & 255);
        number >>= octal ? 3 : 8;
    }
}

static bool get_number(const char *block, field field, uint64_t *number)
{
    const unsigned char *at = (const unsigned char *)block + field.at;
    int i = 0;
    *number = 0;
    if (at[0] == 0x80) {
        for (i = 1; i < field.length; i++) {
            if (*number >> 55)
                return false;
            *number = *number << 8 | at[i];
        }
        return true;
    }
    while (i < field.length && at[i] == ' ')
        i++;
    for (; i < field.length && at[i] >= '0' && at[i] <= '7'; i++)
        *number = *number << 3 | (uint64_t)(at[i] - '0');
    return i == field.length || at[i] == ' ' || at[i] == '\0';
}

/* Of all bytes, those of the sum itself taken for spaces. */
static uint64_t sum_of(const char *block)
{
    uint64_t sum = 0;
    for (int i = 0; i < PGC_TAR_BLOCK; i++)
        sum += i >= sum_field.at && i < sum_field.at + sum_field.length ? ' ' : (unsigned char)block[i];
    return sum;
}

void pgc_tar_make_header(char block[PGC_TAR_BLOCK], const char *name, int64_t size, int64_t modified)
{
    memset(block, 0, PGC_TAR_BLOCK);
    snprintf(block, PGC_TAR_NAME, "%s", name);
    put_number(block, mode_field, 0600);
    put_number(block, user_field, 04000);
    put_number(block, group_field, 02000);
    put_number(block, size_field, (uint64_t)size);
    put_number(block, time_field, (uint64_t)modified);
    block[TYPE_AT] = '0';
    memcpy(block + MAGIC_AT, "ustar\00000", 8);
    memcpy(block + USER_NAME_AT, "postgres", 8);
    memcpy(block + GROUP_NAME_AT, "postgres", 8);
    put_number(block, major_field, 0);
    put_number(block, minor_field, 0);
    put_number(block, sum_field, sum_of(block));
}

pgc_tar_kind pgc_tar_read_header(const char block[PGC_TAR_BLOCK], char name[PGC_TAR_NAME + 1], int64_t *size)
{
    uint64_t sum, length;
    bool empty = true;
    for (int i = 0; i < PGC_TAR_BLOCK && empty; i++)
        empty = block[i] == 0;
    if (empty)
        return PGC_TAR_EMPTY;
    if (!get_number(block, sum_field, &sum) || sum != sum_of(block) || !get_number(block, size_field, &length) || length > INT64_MAX - PGC_TAR_BLOCK)
        return PGC_TAR_BROKEN;
    memcpy(name, block, PGC_TAR_NAME);
    name[PGC_TAR_NAME] = '\0';
    *size = (int64_t)length;
    return PGC_TAR_MEMBER;
}
