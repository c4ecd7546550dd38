/*
 * --transaction-size: a restore as a series of transactions of so many objects each. They are commands of the script's
 * text, so that a file and a server get the same. What a definition's commands count for, and the text between two
 * transactions, are pg_restore's (PostgreSQL 17).
 */
#include "archive/script_internal.h"

void script_transaction_begin(pgc_script *script, pgc_buffer *out)
{
    if (script->transaction_size == 0)
        return;
    pgc_buffer_text(out, "\nBEGIN;\n");
    script->transaction_count = 0;
}

void script_transaction_count(pgc_script *script, pgc_buffer *out, int objects, const char *between)
{
    if (script->transaction_size == 0)
        return;
    script->transaction_count += objects;
    if (script->transaction_count < script->transaction_size)
        return;
    pgc_buffer_text(out, between);
    script->transaction_count = 0;
}

/* Semicolons tell well enough how many commands there are, but not in a function's body. */
void script_transaction_add_commands(pgc_script *script, const pgc_entry *entry)
{
    if (script->transaction_size == 0 || strcmp(entry->description, "FUNCTION") == 0 ||
        strcmp(entry->description, "PROCEDURE") == 0)
        return;
    int semicolons = 0;
    for (const char *at = strchr(entry->create, ';'); at; at = strchr(at + 1, ';'))
        semicolons++;
    if (semicolons > 1)
        script->transaction_count += semicolons - 1;
}

void script_transaction_leave(pgc_script *script, pgc_buffer *out, const char *end)
{
    if (script->transaction_size > 0)
        pgc_buffer_text(out, end);
}
