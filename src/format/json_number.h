/* Whether the numbers of a JSON text survive readers that have no others than 64-bit integers and doubles. */
#ifndef PGC_FORMAT_JSON_NUMBER_H
#define PGC_FORMAT_JSON_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

/* text is well-formed JSON, and NUL-terminated where it ends or later. */
bool pgc_json_numbers_survive(const char *text, size_t length);

#endif
