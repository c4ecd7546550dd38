/* Text search: parsers, templates, dictionaries, configurations and their mappings. */
#include "catalog/named.h"

/* ------------------------------------------------------------------ parsers and templates: lists of functions */

typedef struct function_clause {
    const char *column, *word;
} function_clause;

static const function_clause parser_clauses[] = {
    {"prsstart", "START"}, {"prstoken", "GETTOKEN"}, {"prsend", "END"}, {"prsheadline", "HEADLINE"}, {"prslextype", "LEXTYPES"}, {0}};
static const function_clause template_clauses[] = {{"tmplinit", "INIT"}, {"tmpllexize", "LEXIZE"}, {0}};

#define MAX_CLAUSES 5

/* A parser or a template. */
typedef struct ts_functions {
    pgc_object object;
    const char *functions[MAX_CLAUSES]; /* in the order of the clauses, as regproc prints them; NULL for all when it is not written */
} ts_functions;

static int take_functions(const pgc_rows *rows, pgc_kind kind, uint32_t class_oid, const function_clause *clauses, pgconvoy_error *err)
{
    pgc_named_columns columns = pgc_named_columns_find(rows);
    for (int i = 0; i < rows->count; i++) {
        ts_functions *object = pgc_named_take(rows, i, &columns, kind, sizeof *object, class_oid, err);
        if (!object)
            return -1;
        for (int c = 0; clauses[c].column && pgc_named_wanted(rows->catalog, &object->object); c++)
            object->functions[c] = pgc_rows_text_or_empty(rows, i, pgc_rows_column(rows, clauses[c].column));
    }
    return 0;
}

int pgc_take_ts_parsers(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    (void)catalog;
    return take_functions(rows, PGC_KIND_TS_PARSER, PGC_PG_TS_PARSER, parser_clauses, err);
}

int pgc_take_ts_templates(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    (void)catalog;
    return take_functions(rows, PGC_KIND_TS_TEMPLATE, PGC_PG_TS_TEMPLATE, template_clauses, err);
}

static void write_functions(pgc_ddl *ddl, const pgc_object *object, const char *kind, const function_clause *clauses)
{
    const ts_functions *with = (const ts_functions *)object;
    if (!with->functions[0])
        return;
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    pgc_buffer_format(create, "CREATE %s %s (\n", kind, pgc_ddl_object_name(ddl, object));
    const char *comma = "";
    for (int c = 0; clauses[c].column; c++) {
        if (strcmp(with->functions[c], "-") == 0)
            continue;
        pgc_buffer_format(create, "%s    %s = %s", comma, clauses[c].word, with->functions[c]);
        comma = ",\n";
    }
    pgc_buffer_text(create, " );\n");
    pgc_named_write(ddl, object, kind, pgc_ddl_name(ddl, object->name), create);
}

void pgc_write_ts_parser(pgc_ddl *ddl, const pgc_object *object)
{
    write_functions(ddl, object, "TEXT SEARCH PARSER", parser_clauses);
}

void pgc_write_ts_template(pgc_ddl *ddl, const pgc_object *object)
{
    write_functions(ddl, object, "TEXT SEARCH TEMPLATE", template_clauses);
}

/* ------------------------------------------------------------------ dictionaries */

typedef struct ts_dictionary {
    pgc_object object;
    uint32_t template;
    const char *options; /* as CREATE takes them, or NULL */
} ts_dictionary;

int pgc_take_ts_dictionaries(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    pgc_named_columns columns = pgc_named_columns_find(rows);
    int template = pgc_rows_column(rows, "dicttemplate"), options = pgc_rows_column(rows, "dictinitoption");
    for (int i = 0; i < rows->count; i++) {
        ts_dictionary *dictionary = pgc_named_take(rows, i, &columns, PGC_KIND_TS_DICTIONARY, sizeof *dictionary, PGC_PG_TS_DICT, err);
        if (!dictionary)
            return -1;
        dictionary->template = pgc_rows_oid(rows, i, template);
        if (pgc_named_wanted(catalog, &dictionary->object))
            dictionary->options = pgc_rows_text(rows, i, options);
    }
    return 0;
}

void pgc_write_ts_dictionary(pgc_ddl *ddl, const pgc_object *object)
{
    const ts_dictionary *dictionary = (const ts_dictionary *)object;
    if (!pgc_named_wanted(ddl->catalog, object))
        return;
    const pgc_object *template = pgc_catalog_find(ddl->catalog, PGC_PG_TS_TEMPLATE, dictionary->template);
    if (!template) {
        pgc_ddl_fail(ddl, "text search template %u of dictionary \"%s\" not found", dictionary->template, object->name);
        return;
    }
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    pgc_buffer_format(create, "CREATE TEXT SEARCH DICTIONARY %s (\n    TEMPLATE = %s", pgc_ddl_object_name(ddl, object), pgc_ddl_object_name(ddl, template));
    if (dictionary->options)
        pgc_buffer_format(create, ",\n    %s", dictionary->options);
    pgc_buffer_text(create, " );\n");
    pgc_named_write(ddl, object, "TEXT SEARCH DICTIONARY", pgc_ddl_name(ddl, object->name), create);
}

/* ------------------------------------------------------------------ configurations */

typedef struct ts_mapping {
    const char *token;
    uint32_t dictionary;
} ts_mapping;

typedef struct ts_configuration {
    pgc_object object;
    uint32_t parser;
    const ts_mapping *mappings;
    int mapping_count;
} ts_configuration;

int pgc_take_ts_configurations(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    (void)catalog;
    pgc_named_columns columns = pgc_named_columns_find(rows);
    int parser = pgc_rows_column(rows, "cfgparser");
    for (int i = 0; i < rows->count; i++) {
        ts_configuration *configuration =
            pgc_named_take(rows, i, &columns, PGC_KIND_TS_CONFIGURATION, sizeof *configuration, PGC_PG_TS_CONFIG, err);
        if (!configuration)
            return -1;
        configuration->parser = pgc_rows_oid(rows, i, parser);
    }
    return 0;
}

/* The rows come sorted by configuration and token. */
int pgc_take_ts_configuration_maps(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "mapcfg"), alias = pgc_rows_column(rows, "alias"), dictionary = pgc_rows_column(rows, "mapdict");
    ts_mapping *mappings = pgc_arena_alloc(catalog->arena, (size_t)rows->count * sizeof *mappings + 1);
    if (!mappings)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < rows->count; i++) {
        ts_configuration *configuration = (ts_configuration *)pgc_catalog_find(catalog, PGC_PG_TS_CONFIG, pgc_rows_oid(rows, i, oid));
        if (!configuration || !pgc_named_wanted(catalog, &configuration->object))
            continue;
        mappings[i] = (ts_mapping){.token = pgc_rows_text_or_empty(rows, i, alias), .dictionary = pgc_rows_oid(rows, i, dictionary)};
        if (!configuration->mapping_count)
            configuration->mappings = &mappings[i];
        configuration->mapping_count++;
    }
    return 0;
}

/* As the server prints it: pg_catalog is always searched, other schemas are not. */
static const char *dictionary_name(pgc_ddl *ddl, uint32_t oid)
{
    const pgc_object *dictionary = pgc_catalog_find(ddl->catalog, PGC_PG_TS_DICT, oid);
    if (!dictionary || !dictionary->schema) {
        pgc_ddl_fail(ddl, "text search dictionary %u not found", oid);
        return "";
    }
    return strcmp(dictionary->schema->object.name, "pg_catalog") == 0 ? pgc_ddl_name(ddl, dictionary->name) : pgc_ddl_object_name(ddl, dictionary);
}

/* One ALTER for each token, with all of its dictionaries. */
static void append_mappings(pgc_ddl *ddl, pgc_buffer *out, const ts_configuration *configuration)
{
    const char *name = pgc_ddl_object_name(ddl, &configuration->object);
    for (int i = 0; i < configuration->mapping_count; i++) {
        const ts_mapping *mapping = &configuration->mappings[i];
        const char *dictionary = dictionary_name(ddl, mapping->dictionary);
        if (i > 0 && strcmp(mapping->token, mapping[-1].token) == 0)
            pgc_buffer_format(out, ", %s", dictionary);
        else
            pgc_buffer_format(out, "%s\nALTER TEXT SEARCH CONFIGURATION %s\n    ADD MAPPING FOR %s WITH %s", i > 0 ? ";\n" : "", name,
                              pgc_ddl_name(ddl, mapping->token), dictionary);
    }
    if (configuration->mapping_count)
        pgc_buffer_text(out, ";\n");
}

void pgc_write_ts_configuration(pgc_ddl *ddl, const pgc_object *object)
{
    const ts_configuration *configuration = (const ts_configuration *)object;
    if (!pgc_named_wanted(ddl->catalog, object))
        return;
    const pgc_object *parser = pgc_catalog_find(ddl->catalog, PGC_PG_TS_PARSER, configuration->parser);
    if (!parser) {
        pgc_ddl_fail(ddl, "text search parser %u of configuration \"%s\" not found", configuration->parser, object->name);
        return;
    }
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    pgc_buffer_format(create, "CREATE TEXT SEARCH CONFIGURATION %s (\n    PARSER = %s );\n", pgc_ddl_object_name(ddl, object),
                      pgc_ddl_object_name(ddl, parser));
    append_mappings(ddl, create, configuration);
    pgc_named_write(ddl, object, "TEXT SEARCH CONFIGURATION", pgc_ddl_name(ddl, object->name), create);
}
