#!/usr/bin/env python3
"""Writes value_float_table.h: the powers of ten that value_float.c multiplies by.

For each exponent e the table has the 128 highest bits of 10^e, rounded up.
    python3 src/postgres/value_float.py > src/postgres/value_float_table.h
"""
FIRST, LAST = -292, 324


def significand(e):
    """10^e as an integer of exactly 128 bits, times a power of two, rounded up."""
    numerator, denominator = (10**e, 1) if e >= 0 else (1, 10**-e)
    shift = 127 - (numerator.bit_length() - denominator.bit_length())
    for s in (shift, shift + 1):
        n, d = (numerator << s, denominator) if s >= 0 else (numerator, denominator << -s)
        g = -(-n // d)
        if g.bit_length() == 128:
            return g
    raise AssertionError(e)


print("/* Made by value_float.py: the 128 highest bits of 10^e, rounded up, for e from %d to %d. */" % (FIRST, LAST))
print("#define FIRST_POWER (%d)" % FIRST)
print("#define LAST_POWER  %d" % LAST)
print("static const struct { uint64_t high, low; } power_of_ten[] = {")
line = ""
for e in range(FIRST, LAST + 1):
    g = significand(e)
    line += " {0x%016x, 0x%016x}," % (g >> 64, g & (2**64 - 1))
    if line.count("{") == 3 or e == LAST:
        print("   " + line)
        line = ""
print("};")
