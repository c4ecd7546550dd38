/*
 * What must hold of one value that is known in both formats: the binary form written as text is the text, and each
 * reader gives the same for both, down into arrays and composites.
 */
#ifndef TEST_VALUE_AGREE_H
#define TEST_VALUE_AGREE_H

#include "postgres/value.h"

/* Returns true, or false after saying on standard error what does not hold; what names the value. */
bool value_agrees(const char *what, const pgconvoy_type *type, const pgconvoy_value *binary,
                  const pgconvoy_value *text);

#endif
