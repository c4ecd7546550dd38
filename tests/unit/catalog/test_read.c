/* Reading: the notes and places in a query, rows, and arrays as text. */
#include "catalog_fixture.h"

static void assert_query(const pgc_catalog *catalog, const char *sql, const char *expected)
{
    pgconvoy_error err;
    pgc_buffer out;
    pgc_buffer_init(&out, 10000);
    assert_int_equal(pgc_read_sql(catalog, sql, &(pgc_read_part){0, 1}, &out, &err), 0);
    assert_string_equal(out.data, expected);
    pgc_buffer_free(&out);
}

static void a_line_is_kept_for_the_versions_in_its_note(void **state)
{
    (void)state;
    static const char sql[] = "SELECT a\n, b --@ 14+\n, c --@ 13-\n, d --@ 13-14\n, e --@ 15\nFROM t\n";
    static const struct {
        int version;
        const char *kept;
    } rows[] = {{120022, "SELECT a\n, c \nFROM t\n"},
                {130000, "SELECT a\n, c \n, d \nFROM t\n"},
                {140011, "SELECT a\n, b \n, d \nFROM t\n"},
                {150004, "SELECT a\n, b \n, e \nFROM t\n"},
                {180001, "SELECT a\n, b \nFROM t\n"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pgc_catalog *catalog = catalog_new(NULL, rows[i].version);
        assert_query(catalog, sql, rows[i].kept);
        pgc_catalog_close(catalog);
    }
}

static void places_are_filled_in_but_casts_are_none(void **state)
{
    (void)state;
    pgc_dump_options upgrade = {.sections = PGC_SECTIONS_ALL, .binary_upgrade = true};
    pgc_catalog *catalog = catalog_new(&upgrade, 150000);
    pgconvoy_error err;
    for (uint32_t oid = 16400; oid < 16403; oid++) {
        pgc_relation *relation = pgc_catalog_add(catalog, PGC_KIND_RELATION, sizeof *relation, PGC_PG_CLASS, oid, "t", NULL, &err);
        assert_non_null(relation);
        relation->interesting = oid != 16401;
        relation->object.wanted = oid == 16402 ? PGC_PART_DATA : 0;
    }
    assert_query(catalog, "x::tables :tables", "x::tables '{16400,16402}'::pg_catalog.oid[]\n");
    assert_query(catalog, ":chosen", "'{16402}'::pg_catalog.oid[]\n");
    assert_query(catalog, ":upgrade", "true\n");
    assert_query(catalog, ":schemas", "'{2200,2201}'::pg_catalog.oid[]\n");
    pgc_catalog_close(catalog);
}

/* The server works on some of them while the others wait: every relation is in one part, whatever the number of parts. */
static void the_parts_of_a_query_are_all_its_relations(void **state)
{
    (void)state;
    enum { RELATIONS = 7 };
    pgc_relation relations[RELATIONS] = {0}, *list[RELATIONS];
    for (int i = 0; i < RELATIONS; i++) {
        relations[i].object.oid = 20000 + (uint32_t)i;
        relations[i].interesting = i != 3;
        list[i] = &relations[i];
    }
    pgc_catalog catalog = {.version = 150000, .relations = list, .relation_count = RELATIONS};
    for (int parts = 1; parts <= 9; parts++) {
        int seen[RELATIONS] = {0};
        for (int number = 0; number < parts; number++) {
            pgconvoy_error err;
            pgc_buffer out;
            pgc_buffer_init(&out, 10000);
            assert_int_equal(pgc_read_sql(&catalog, ":tables\n", &(pgc_read_part){number, parts}, &out, &err), 0);
            for (int i = 0; i < RELATIONS; i++) {
                char oid[16];
                snprintf(oid, sizeof oid, "%u", relations[i].object.oid);
                seen[i] += strstr(out.data, oid) != NULL;
            }
            pgc_buffer_free(&out);
        }
        for (int i = 0; i < RELATIONS; i++)
            assert_int_equal(seen[i], i != 3);
    }
}

static int look_at_rows(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    (void)catalog;
    (void)err;
    int number = pgc_rows_column(rows, "number"), word = pgc_rows_column(rows, "word"), list = pgc_rows_column(rows, "list"),
        missing = pgc_rows_column(rows, "missing");
    assert_int_equal(missing, -1);
    assert_int_equal(pgc_rows_oid(rows, 0, number), 4294967295u);
    assert_int_equal(pgc_rows_int64(rows, 0, number), 4294967295);
    assert_string_equal(pgc_rows_text(rows, 0, word), "true");
    assert_true(pgc_rows_bool(rows, 0, word));
    assert_int_equal(pgc_rows_char(rows, 0, word), 't');
    assert_null(pgc_rows_text(rows, 1, word));
    assert_string_equal(pgc_rows_text_or_empty(rows, 1, word), "");
    assert_int_equal(pgc_rows_char(rows, 1, word), 0);
    assert_null(pgc_rows_text(rows, 0, missing));
    assert_int_equal(pgc_rows_oid(rows, 0, missing), 0);
    assert_false(pgc_rows_bool(rows, 0, missing));
    uint32_t *oids;
    assert_int_equal(pgc_rows_oids(rows, 0, list, &oids), 3);
    assert_int_equal(oids[0], 1);
    assert_int_equal(oids[2], 30);
    assert_int_equal(pgc_rows_oids(rows, 1, list, &oids), 2);
    assert_int_equal(oids[1], 5);
    return 0;
}

static void values_are_read_by_their_column_and_absent_ones_are_nothing(void **state)
{
    (void)state;
    pgc_catalog *catalog = catalog_new(NULL, 150000);
    catalog_take(catalog, look_at_rows, "number | word | list\n4294967295 | true | 1 2 30\n0 | ~ | {4,5}\n");
    pgc_catalog_close(catalog);
}

static void arrays_are_taken_apart(void **state)
{
    (void)state;
    pgc_arena *arena = pgc_arena_new(1000);
    char **items;
    assert_int_equal(pgc_parse_array(arena, "{}", &items), 0);
    assert_int_equal(pgc_parse_array(arena, "{a,\"b c\",NULL,\"NULL\",\"say \\\"x\\\\\",\"\"}", &items), 6);
    assert_string_equal(items[0], "a");
    assert_string_equal(items[1], "b c");
    assert_null(items[2]);
    assert_string_equal(items[3], "NULL");
    assert_string_equal(items[4], "say \"x\\");
    assert_string_equal(items[5], "");
    assert_int_equal(pgc_parse_array(arena, "a,b", &items), -1);
    assert_int_equal(pgc_parse_array(arena, "{a", &items), -1);
    assert_int_equal(pgc_parse_array(arena, "{\"a}", &items), -1);
    assert_int_equal(pgc_parse_array(arena, NULL, &items), -1);
    pgc_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_kept_for_the_versions_in_its_note),
        cmocka_unit_test(places_are_filled_in_but_casts_are_none),
        cmocka_unit_test(the_parts_of_a_query_are_all_its_relations),
        cmocka_unit_test(values_are_read_by_their_column_and_absent_ones_are_nothing),
        cmocka_unit_test(arrays_are_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
