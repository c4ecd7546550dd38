/* Reads functions, procedures and window functions; aggregates share the part that they have in common. */
#include "catalog/function.h"

#include "postgres/quote.h"

/* name(arguments), as commands about the function take it. */
static int set_signature(pgc_catalog *catalog, pgc_function *function, const char *arguments, pgconvoy_error *err)
{
    if (!arguments)
        return 0;
    bool star = function->object.kind == PGC_KIND_AGGREGATE && function->argument_count == 0;
    pgc_buffer text;
    pgc_buffer_init(&text, 1u << 20);
    pgc_quote_identifier_if_needed(&text, function->object.name, catalog->version, catalog->options->quote_all_identifiers);
    pgc_buffer_format(&text, "(%s)", star ? "*" : arguments);
    int result = pgc_buffer_check(&text, err);
    if (result == 0 && !(function->signature = pgc_arena_strdup(catalog->arena, text.data)))
        result = pgc_error_out_of_memory(err);
    pgc_buffer_free(&text);
    return result;
}

pgc_function *pgc_function_take(const pgc_rows *rows, int row, const pgc_named_columns *columns, pgc_kind kind, pgconvoy_error *err)
{
    pgc_function *function = pgc_named_take(rows, row, columns, kind, sizeof *function, PGC_PG_PROC, err);
    if (!function)
        return NULL;
    function->argument_count = pgc_rows_oids(rows, row, pgc_rows_column(rows, "proargtypes"), &function->argument_types);
    const char *arguments = pgc_rows_peek(rows, row, pgc_rows_column(rows, "identity_arguments"));
    return set_signature(rows->catalog, function, arguments, err) == 0 ? function : NULL;
}

typedef struct detail_columns {
    int kind, language, arguments, result, transforms, volatility, parallel, strict, security_definer, leakproof, cost, rows, support, settings, body,
        source, binary;
} detail_columns;

static detail_columns find_columns(const pgc_rows *rows)
{
    return (detail_columns){.kind = pgc_rows_column(rows, "prokind"),
                            .language = pgc_rows_column(rows, "lanname"),
                            .arguments = pgc_rows_column(rows, "arguments"),
                            .result = pgc_rows_column(rows, "result"),
                            .transforms = pgc_rows_column(rows, "transforms"),
                            .volatility = pgc_rows_column(rows, "provolatile"),
                            .parallel = pgc_rows_column(rows, "proparallel"),
                            .strict = pgc_rows_column(rows, "proisstrict"),
                            .security_definer = pgc_rows_column(rows, "prosecdef"),
                            .leakproof = pgc_rows_column(rows, "proleakproof"),
                            .cost = pgc_rows_column(rows, "cost"),
                            .rows = pgc_rows_column(rows, "rows"),
                            .support = pgc_rows_column(rows, "support"),
                            .settings = pgc_rows_column(rows, "proconfig"),
                            .body = pgc_rows_column(rows, "body"),
                            .source = pgc_rows_column(rows, "prosrc"),
                            .binary = pgc_rows_column(rows, "probin")};
}

static const pgc_function_detail *take_detail(const pgc_rows *rows, int r, const detail_columns *c)
{
    pgc_function_detail *detail = pgc_arena_zalloc(rows->catalog->arena, sizeof *detail);
    if (!detail)
        return NULL;
    *detail = (pgc_function_detail){.kind = pgc_rows_char(rows, r, c->kind),
                                    .language = pgc_rows_text_or_empty(rows, r, c->language),
                                    .arguments = pgc_rows_text_or_empty(rows, r, c->arguments),
                                    .result = pgc_rows_text(rows, r, c->result),
                                    .transforms = pgc_rows_text(rows, r, c->transforms),
                                    .volatility = pgc_rows_char(rows, r, c->volatility),
                                    .parallel = pgc_rows_char(rows, r, c->parallel),
                                    .strict = pgc_rows_bool(rows, r, c->strict),
                                    .security_definer = pgc_rows_bool(rows, r, c->security_definer),
                                    .leakproof = pgc_rows_bool(rows, r, c->leakproof),
                                    .cost = pgc_rows_text(rows, r, c->cost),
                                    .rows = pgc_rows_text(rows, r, c->rows),
                                    .support = pgc_rows_text(rows, r, c->support),
                                    .settings = pgc_rows_text(rows, r, c->settings),
                                    .body = pgc_rows_text(rows, r, c->body)};
    if (!detail->body) {
        detail->source = pgc_rows_text_or_empty(rows, r, c->source);
        detail->binary = pgc_rows_text_or_empty(rows, r, c->binary);
    }
    return detail;
}

/* What is not defined here may still be named, to grant on it: all that is needed then is whether it is a procedure. */
static const pgc_function_detail undefined_function = {.kind = 'f'}, undefined_procedure = {.kind = 'p'};

PGC_TAKE(functions)
{
    (void)catalog;
    int language = pgc_rows_column(rows, "prolang"), result_type = pgc_rows_column(rows, "prorettype"), defined = pgc_rows_column(rows, "defined");
    pgc_named_columns names = pgc_named_columns_find(rows);
    detail_columns columns = find_columns(rows);
    for (int r = 0; r < rows->count; r++) {
        pgc_function *function = pgc_function_take(rows, r, &names, PGC_KIND_FUNCTION, err);
        if (!function)
            return -1;
        function->language = pgc_rows_oid(rows, r, language);
        function->result_type = pgc_rows_oid(rows, r, result_type);
        function->detail = pgc_rows_bool(rows, r, defined)               ? take_detail(rows, r, &columns)
                           : pgc_rows_char(rows, r, columns.kind) == 'p' ? &undefined_procedure
                                                                         : &undefined_function;
        if (!function->detail)
            return pgc_error_out_of_memory(err);
    }
    return 0;
}

int pgc_compare_function(const pgc_catalog *catalog, const pgc_object *a, const pgc_object *b)
{
    const pgc_function *one = (const pgc_function *)a, *other = (const pgc_function *)b;
    int order = one->argument_count - other->argument_count;
    for (int i = 0; i < one->argument_count && order == 0; i++)
        order = pgc_compare_type_oids(catalog, one->argument_types[i], other->argument_types[i]);
    return order;
}
