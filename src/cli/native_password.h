/* The password that a server keeps for another one: never an operand, never shown. */
#ifndef PGC_CLI_NATIVE_PASSWORD_H
#define PGC_CLI_NATIVE_PASSWORD_H

#include "cli/cli.h"

/*
 * From --password-file or, with --password, from the terminal. *password is malloc'ed, NULL when neither is given; free
 * it with cli_native_password_free, which overwrites it.
 */
int cli_native_password(const cli_arguments *arguments, char **password, pgconvoy_error *err) PGC_MUST_CHECK;
void cli_native_password_free(char *password);

#endif
