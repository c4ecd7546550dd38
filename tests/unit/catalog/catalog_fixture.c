/* See catalog_fixture.h. */
#include "catalog_fixture.h"

#define MAX_CELLS 32

static const pgc_dump_options no_options = {.sections = PGC_SECTIONS_ALL};

/* Cuts a line at its "|"s, without the blanks around them; gives how many cells there are. */
static int cut(char *line, char **cells)
{
    int count = 0;
    for (char *next; line; line = next) {
        next = strstr(line, " | ");
        if (next) {
            *next = '\0';
            next += 3;
        }
        while (*line == ' ')
            line++;
        size_t length = strlen(line);
        while (length > 0 && line[length - 1] == ' ')
            line[--length] = '\0';
        assert_true(count < MAX_CELLS);
        cells[count++] = line;
    }
    return count;
}

static void add_row(PGresult *result, int row, char *line)
{
    char *cells[MAX_CELLS];
    int count = cut(line, cells);
    if (row < 0) {
        PGresAttDesc columns[MAX_CELLS] = {0};
        for (int i = 0; i < count; i++)
            columns[i].name = cells[i];
        assert_true(PQsetResultAttrs(result, count, columns));
        return;
    }
    assert_int_equal(count, PQnfields(result));
    for (int i = 0; i < count; i++) {
        bool is_null = strcmp(cells[i], "~") == 0;
        assert_true(PQsetvalue(result, row, i, is_null ? NULL : cells[i], is_null ? -1 : (int)strlen(cells[i])));
    }
}

void catalog_take(pgc_catalog *catalog, take_function *take, const char *table)
{
    char *text = strdup(table), *rest = text;
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    int row = -1;
    for (char *line; (line = strsep(&rest, "\n")) && *line; row++)
        add_row(result, row, line);
    pgc_rows rows = {.result = result, .catalog = catalog, .count = PQntuples(result)};
    pgconvoy_error err = {0};
    if (take(catalog, &rows, &err) != 0)
        fail_msg("%s", err.message);
    PQclear(result);
    free(text);
}

pgc_catalog *catalog_new(const pgc_dump_options *options, int version)
{
    pgc_catalog *catalog = calloc(1, sizeof *catalog);
    assert_non_null(catalog);
    catalog->options = options ? options : &no_options;
    catalog->arena = pgc_arena_new(4096);
    catalog->version = version;
    catalog_take(catalog, pgc_take_roles, "oid | rolname\n10 | alice\n11 | bob\n");
    catalog_take(catalog, pgc_take_schemas,
                 "oid  | nspname    | nspowner | nspacl | default_acl\n"
                 "11   | pg_catalog | 10       | ~      | ~\n"
                 "2200 | public     | 10       | ~      | ~\n"
                 "2201 | My Schema  | 11       | ~      | ~\n");
    /* The schemas are not what is tested. */
    for (int i = 0; i < catalog->object_count; i++)
        catalog->objects[i]->wanted = 0;
    return catalog;
}

pgc_buffer catalog_sql(pgc_catalog *catalog)
{
    pgconvoy_error err = {0};
    pgc_entries entries;
    pgc_buffer out;
    pgc_buffer_init(&out, 1 << 20);
    if (pgc_entries_init(&entries, &err) != 0 || pgc_catalog_order(catalog, &err) != 0 || pgc_catalog_entries(catalog, &entries, &err) != 0)
        fail_msg("%s", err.message);
    for (int i = 0; i < entries.count; i++) {
        const pgc_entry *entry = entries.items[i];
        pgc_buffer_format(&out, "-- %s %s\n%s", entry->description, entry->tag, entry->create ? entry->create : "");
    }
    pgc_buffer_text(&out, "");
    pgc_entries_free(&entries);
    return out;
}

void assert_sql(pgc_catalog *catalog, const char *expected)
{
    pgc_buffer sql = catalog_sql(catalog);
    assert_false(sql.failed);
    assert_string_equal(sql.data, expected);
    pgc_buffer_free(&sql);
}
