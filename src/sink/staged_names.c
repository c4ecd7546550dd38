/* Names and words of staging sinks; see staged.h. */
#include "sink/staged.h"

#include "postgres/value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define KEY_TEXT 120

int pgc_staged_make_names(const pgconvoy_sink_config *config, char prefix[PGC_STAGED_PREFIX_SIZE],
                          char process[PGC_STAGED_PROCESS_SIZE], pgconvoy_error *err)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325), number; /* FNV-1a */
    const char *const parts[] = {config->pipeline_name, "/", config->source_id ? config->source_id : ""};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (const char *c = parts[i]; *c; c++)
            hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_RESOURCE, "there is no randomness to be had: %s", strerror(errno));
        return -1;
    }
    snprintf(prefix, PGC_STAGED_PREFIX_SIZE, "pgconvoy_%08" PRIx32, (uint32_t)(hash ^ hash >> 32));
    snprintf(process, PGC_STAGED_PROCESS_SIZE, "%012" PRIx64, number >> 16);
    return 0;
}

void pgc_staged_key_text(const pgconvoy_table *table, const pgc_staged_row *row, pgc_buffer *out)
{
    for (int i = 0; i < table->key_count; i++) {
        const pgconvoy_value *value = row->row ? &row->row[table->key[i]] : &row->key[i];
        const pgconvoy_column *column = &table->columns[table->key[i]];
        pgc_buffer text;
        pgconvoy_error unread;
        pgc_buffer_init(&text, (size_t)64 << 20);
        bool known = value->length >= 0 && pgc_value_to_text(column->type, value, &text, &unread) == 0 && text.data;
        pgc_buffer_format(out, "%s%s = %.*s", i > 0 ? ", " : "", column->name, KEY_TEXT, known ? text.data : "?");
        pgc_buffer_free(&text);
    }
}

static const char *const state_words[] = {
    [PGCONVOY_TABLE_WAITING] = "waiting",         [PGCONVOY_TABLE_COPYING] = "copying",
    [PGCONVOY_TABLE_CATCHING_UP] = "catching up", [PGCONVOY_TABLE_LIVE] = "live",
    [PGCONVOY_TABLE_FAILED] = "failed",
};
#define STATE_COUNT (sizeof state_words / sizeof *state_words)

const char *pgc_staged_state_word(pgconvoy_table_state state)
{
    return state_words[(size_t)state < STATE_COUNT ? (size_t)state : 0];
}

pgconvoy_table_state pgc_staged_state_of(const char *word)
{
    for (size_t i = 0; word && i < STATE_COUNT; i++)
        if (strcmp(state_words[i], word) == 0)
            return (pgconvoy_table_state)i;
    return PGCONVOY_TABLE_WAITING;
}
