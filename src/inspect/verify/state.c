/*
 * What an interrupted run has finished: a line for each table that was found equal, in a file of the state folder that
 * is named after both ends and what was asked. A table with differences is compared again, as they are to be in the
 * report. The file goes when a run comes to its end.
 */
#include "inspect/verify/verify_internal.h"
#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t add(uint64_t hash, const char *text)
{
    return pgc_hash_byte(pgc_hash_text(hash, text), 31);
}

static int compose_path(pgc_verify *verify, pgconvoy_error *err)
{
    const pgc_verify_options *options = verify->options;
    char sample[32];
    snprintf(sample, sizeof sample, "%.3f", options->sample);
    uint64_t hash = PGC_HASH_START;
    const char *texts[] = {options->name, options->slot, options->publication, sample};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        hash = add(hash, texts[i]);
    for (int i = 0; i < options->where.count; i++)
        hash = add(hash, options->where.items[i]);
    pgc_buffer mapping;
    pgc_buffer_init(&mapping, 1 << 20);
    if (options->mapping)
        pgc_mapping_describe(options->mapping, &mapping);
    hash = add(hash, mapping.length ? mapping.data : NULL);
    pgc_buffer_free(&mapping);
    for (int side = 0; side < 2; side++) {
        pgc_buffer place;
        pgc_buffer_init(&place, 1 << 16);
        pgc_connection_place(side ? options->target : options->source, &place);
        hash = add(hash, place.data);
        pgc_buffer_free(&place);
    }
    if (asprintf(&verify->state_path, "%s/verify-%016llx", options->state_dir, (unsigned long long)hash) < 0) {
        verify->state_path = NULL;
        return pgc_error_out_of_memory(err);
    }
    return 0;
}

int verify_make_folder(const char *path)
{
    char *copy = strdup(path);
    int status = copy ? 0 : -1;
    for (char *at = copy ? copy + 1 : NULL; status == 0 && at;) {
        at = strchr(at, '/');
        if (at)
            *at = '\0';
        status = mkdir(copy, 0700) && errno != EEXIST ? -1 : 0;
        if (at)
            *at++ = '/';
    }
    free(copy);
    return status;
}

/* A line is "schema TAB table TAB rows"; names with a tab or line end in them are just compared again. */
static int take_line(pgc_verify *verify, char *line)
{
    char *table = strchr(line, '\t'), *rows = table ? strchr(table + 1, '\t') : NULL;
    if (!rows || !strchr(rows, '\n'))
        return 0; /* cut short by a crash */
    *table++ = '\0';
    *rows++ = '\0';
    for (int i = 0; i < verify->table_count; i++)
        if (strcmp(verify->tables[i].schema, line) == 0 && strcmp(verify->tables[i].name, table) == 0) {
            verify->tables[i].is_before = true;
            verify->tables[i].row_count[0] = verify->tables[i].row_count[1] = atoll(rows);
            return 1;
        }
    return 0;
}

int verify_state_read(pgc_verify *verify, pgconvoy_error *err)
{
    if (compose_path(verify, err))
        return -1;
    FILE *file = verify->options->restart ? NULL : fopen(verify->state_path, "re");
    int taken = 0;
    char *line = NULL;
    size_t room = 0;
    while (file && getline(&line, &room, file) > 0)
        taken += take_line(verify, line);
    free(line);
    if (file)
        fclose(file);
    if (taken)
        pgc_log_info(verify->options->log,
                     "going on after an interrupted run, which found %d tables equal; --restart compares them again",
                     taken);
    /* a state that cannot be kept does not stop the work */
    if (verify_make_folder(verify->options->state_dir) == 0)
        verify->state = fopen(verify->state_path, taken ? "ae" : "we");
    return 0;
}

void verify_state_table(pgc_verify *verify, const verify_table *table)
{
    if (!verify->state || strpbrk(table->schema, "\t\n") || strpbrk(table->name, "\t\n"))
        return;
    fprintf(verify->state, "%s\t%s\t%lld\n", table->schema, table->name, (long long)table->row_count[0]);
    fflush(verify->state);
}

void verify_state_end(pgc_verify *verify)
{
    if (verify->state)
        unlink(verify->state_path);
}
