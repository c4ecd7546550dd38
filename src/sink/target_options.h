/* The options behind the "?" of a TARGET, as rows of a table of each sink. */
#ifndef PGC_SINK_TARGET_OPTIONS_H
#define PGC_SINK_TARGET_OPTIONS_H

#include "pgconvoy.h"

#include "base/error.h"

#include <stddef.h>

/* For an option that is one of these. */
#define PGC_TARGET_WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

typedef struct pgc_target_option {
    const char *name;
    const char *values; /* as an error shows them: "on or off" */
    /* Gives -1 when value is none of these. The value lives as long as the text that was read. */
    int (*set)(void *target, const struct pgc_target_option *option, const char *value);
    size_t field;             /* of the target's struct, for a setter that serves several options */
    const char *const *words; /* for pgc_target_set_word and pgc_target_set_switch: ends with NULL */
} pgc_target_option;

typedef struct pgc_target_options {
    const char *sink; /* "duckdb:", as errors name its targets */
    const pgc_target_option *list;
    size_t count;
    /* A name that is not in the list: 1 when it was taken, 0 when there is none such. May be NULL. */
    int (*other)(void *target, const char *name, const char *value, pgconvoy_error *err);
    const char *more; /* what the hint adds to the names; may be NULL */
} pgc_target_options;

/*
 * Cuts the options off from text at its "?" and sets each one, NAME=VALUE with "&" between them and %XX in a value (RFC
 * 3986, section 2.1). Text is overwritten: the values stay in it.
 */
int pgc_target_options_read(const pgc_target_options *known, void *target, char *text,
                            pgconvoy_error *err) PGC_MUST_CHECK;

/* The place of value among words, which end with NULL; -1 when it is none of them. */
int pgc_target_word(const char *value, const char *const *words);

/* Setters of the field of an option: a text (const char *), one that is not empty, one that is an http URL without a
 * slash at its end, the second of two words, "off" and "on" where it has none (bool), the place among its words (int).
 */
int pgc_target_set_text(void *target, const pgc_target_option *option, const char *value);
int pgc_target_set_some_text(void *target, const pgc_target_option *option, const char *value);
int pgc_target_set_url(void *target, const pgc_target_option *option, const char *value);
int pgc_target_set_switch(void *target, const pgc_target_option *option, const char *value);
int pgc_target_set_word(void *target, const pgc_target_option *option, const char *value);

#endif
