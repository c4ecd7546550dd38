/*
 * Which table had which name when this pipeline last began: of the attempts before in this process, and by a file in the pipeline's folder of the processes before.
 * The checkpoint has names alone, and one name may mean another table by now.
 */
#include "pipeline/run.h"
#include "pipeline/state_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "tables"
#define HEADER "pgconvoy tables 1 of "

void pgc_known_tables_free(pgc_known_tables *known)
{
    for (size_t i = 0; i < known->count; i++) {
        free(known->items[i].schema);
        free(known->items[i].name);
    }
    free(known->items);
    memset(known, 0, sizeof *known);
}

static int compare_names(const void *a, const void *b)
{
    const struct pgc_known_table *one = a, *other = b;
    int by_name = strcmp(one->name, other->name);
    return by_name ? by_name : strcmp(one->schema, other->schema);
}

static void sort(pgc_known_tables *known)
{
    if (known->count > 0)
        qsort(known->items, known->count, sizeof *known->items, compare_names);
}

/* What had the name; NULL: nothing. */
static const struct pgc_known_table *find(const pgc_known_tables *known, const pgconvoy_table *table)
{
    const struct pgc_known_table wanted = {.schema = (char *)table->schema, .name = (char *)table->name};
    return known->count > 0 ? bsearch(&wanted, known->items, known->count, sizeof *known->items, compare_names) : NULL;
}

static bool is_known(const pgc_known_tables *known, uint32_t oid)
{
    for (size_t i = 0; i < known->count; i++)
        if (known->items[i].oid == oid)
            return true;
    return false;
}

void pgc_known_tables_compare(const pgc_known_tables *known, pgc_run *run, bool names_follow)
{
    for (size_t i = 0; i < run->states.count; i++) {
        pgc_table_state *state = &run->states.items[i];
        const pgconvoy_table *table = atomic_load(&state->table);
        const struct pgc_known_table *before = state->known ? find(known, table) : NULL;
        if (!before || before->oid == table->oid || (names_follow && is_known(known, table->oid)))
            continue;
        pgc_log_info(run->log, "table %s.%s was made anew on the source", table->schema, table->name);
        atomic_store(&state->state, PGCONVOY_TABLE_WAITING);
        state->copy_lsn = 0;
        state->made_anew = true;
    }
}

int pgc_known_tables_remember(pgc_known_tables *known, const pgc_table_states *states, pgconvoy_error *err)
{
    pgc_known_tables_free(known);
    known->items = calloc(states->count + 1, sizeof *known->items);
    if (!known->items)
        return pgc_error_out_of_memory(err);
    for (size_t i = 0; i < states->count; i++) {
        const pgconvoy_table *table = atomic_load(&states->items[i].table);
        struct pgc_known_table *item = &known->items[known->count++];
        item->oid = table->oid;
        item->schema = strdup(table->schema);
        item->name = strdup(table->name);
        if (!item->schema || !item->name)
            return pgc_error_out_of_memory(err);
    }
    sort(known);
    return 0;
}

/* ---- from one process to the next */

/* A name may have any byte but 0, so each is told by its length. */
int pgc_known_tables_store(const pgc_known_tables *known, const pgc_state_dir *state_dir, const char *source_id, pgconvoy_error *err)
{
    pgc_buffer text;
    pgc_buffer_init(&text, (size_t)1 << 28);
    pgc_buffer_format(&text, HEADER "%s\n", source_id);
    for (size_t i = 0; i < known->count; i++) {
        const struct pgc_known_table *item = &known->items[i];
        pgc_buffer_format(&text, "%u %zu %zu %s%s\n", item->oid, strlen(item->schema), strlen(item->name), item->schema, item->name);
    }
    int result = pgc_state_dir_write(state_dir, FILE_NAME, &text, err);
    pgc_buffer_free(&text);
    return result;
}

static char *read_text(FILE *file, size_t length)
{
    char *text = length < 1024 ? calloc(1, length + 1) : NULL; /* names have 63 bytes */
    if (text && fread(text, 1, length, file) == length)
        return text;
    free(text);
    return NULL;
}

static bool read_one(FILE *file, pgc_known_tables *known)
{
    size_t schema, name;
    struct pgc_known_table item;
    struct pgc_known_table *items = realloc(known->items, (known->count + 1) * sizeof *items);
    if (!items)
        return false;
    known->items = items;
    if (fscanf(file, "%u %zu %zu", &item.oid, &schema, &name) != 3 || fgetc(file) != ' ')
        return false;
    item.schema = read_text(file, schema);
    item.name = item.schema ? read_text(file, name) : NULL;
    if (!item.name) {
        free(item.schema);
        return false;
    }
    known->items[known->count++] = item;
    return true;
}

void pgc_known_tables_load(pgc_known_tables *known, const pgc_state_dir *state_dir, const char *source_id)
{
    char *path, *line = NULL;
    size_t room = 0, header = strlen(HEADER);
    if (asprintf(&path, "%s/" FILE_NAME, state_dir->path) < 0)
        return;
    FILE *file = fopen(path, "re");
    free(path);
    if (file && getline(&line, &room, file) > 0 && strncmp(line, HEADER, header) == 0) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line + header, source_id) == 0)
            while (read_one(file, known))
                ;
        sort(known);
    }
    free(line);
    if (file)
        fclose(file);
}
