/* See mapping.h. Lists are short, and so are looked through from their beginning. */
#include "apply/mapping.h"

#include "base/arena.h"
#include "postgres/quote.h"

#include <stdlib.h>

struct pgc_mapping {
    pgc_arena *arena;
    pgc_mapped_name *schemas;
    int schema_count;
    pgc_mapped_table *tables;
    int table_count;
};

static const struct form {
    const char *option, *shape;
    int names; /* before the equals sign */
} forms[] = {
    [PGC_MAPPING_SCHEMA] = {"map-schema", "SCHEMA=NEW", 1},
    [PGC_MAPPING_TABLE] = {"map-table", "SCHEMA.TABLE=NEW or SCHEMA.TABLE=NEW_SCHEMA.NEW", 2},
    [PGC_MAPPING_COLUMN] = {"map-column", "SCHEMA.TABLE.COLUMN=NEW", 3},
    [PGC_MAPPING_COLUMNS] = {"columns", "SCHEMA.TABLE=COLUMN,COLUMN,…", 2},
    [PGC_MAPPING_WHERE] = {"where", "SCHEMA.TABLE=CONDITION", 2},
};

pgc_mapping *pgc_mapping_new(pgconvoy_error *err)
{
    pgc_mapping *mapping = calloc(1, sizeof *mapping);
    if (mapping && (mapping->arena = pgc_arena_new(4096)))
        return mapping;
    free(mapping);
    (void)pgc_error_out_of_memory(err);
    return NULL;
}

void pgc_mapping_free(pgc_mapping *mapping)
{
    if (!mapping)
        return;
    pgc_arena_free(mapping->arena);
    free(mapping);
}

/* ------------------------------------------------------------------ taking a line apart */

static int refuse(pgc_mapping_kind kind, const char *text, const char *why, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "--%s \"%s\": %s", forms[kind].option, text, why);
    pgconvoy_error_hint(err, "give %s; names are folded to lower case unless they stand in double quotes",
                        forms[kind].shape);
    return -1;
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\n");
}

/* One name, from *at on, which is then behind it; NULL when there is none. */
static const char *take_name(pgc_mapping *mapping, const char **at)
{
    const char *from = skip_blanks(*at);
    char *name = pgc_arena_bytes(mapping->arena, from, strlen(from) + 1);
    size_t length = 0;
    if (!name)
        return NULL;
    if (*from == '"') {
        for (from++; *from && (*from != '"' || from[1] == '"'); from++) {
            name[length++] = *from;
            from += *from == '"';
        }
        if (*from++ != '"')
            return NULL;
    } else {
        for (; *from && !strchr(".=, \t\n\"", *from); from++)
            name[length++] = (char)(*from >= 'A' && *from <= 'Z' ? *from + ('a' - 'A') : *from);
    }
    name[length] = '\0';
    *at = skip_blanks(from);
    return length > 0 ? name : NULL;
}

/* "a.b.c" as count names; false when there are more or fewer of them. */
static bool take_names(pgc_mapping *mapping, const char **at, const char **names, int count)
{
    for (int i = 0; i < count; i++) {
        if (i > 0 && *(*at)++ != '.')
            return false;
        if (!(names[i] = take_name(mapping, at)))
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------ keeping it */

/* A list with room for one more at its end, zeroed; NULL when out of memory. */
static void *with_one_more(pgc_mapping *mapping, const void *list, int count, size_t size)
{
    char *longer = pgc_arena_zalloc(mapping->arena, size * (size_t)(count + 1));
    if (longer && count > 0)
        memcpy(longer, list, size * (size_t)count);
    return longer;
}

static pgc_mapped_table *find(const pgc_mapping *mapping, const char *schema, const char *name)
{
    for (int i = 0; mapping && i < mapping->table_count; i++)
        if (strcmp(mapping->tables[i].schema, schema) == 0 && strcmp(mapping->tables[i].name, name) == 0)
            return &mapping->tables[i];
    return NULL;
}

static pgc_mapped_table *find_or_add(pgc_mapping *mapping, const char *schema, const char *name)
{
    pgc_mapped_table *table = find(mapping, schema, name);
    if (table)
        return table;
    pgc_mapped_table *tables = with_one_more(mapping, mapping->tables, mapping->table_count, sizeof *tables);
    if (!tables)
        return NULL;
    mapping->tables = tables;
    table = &tables[mapping->table_count++];
    table->schema = schema;
    table->name = name;
    return table;
}

static int add_schema(pgc_mapping *mapping, const char *from, const char *text, const char *at, pgconvoy_error *err)
{
    const char *to = take_name(mapping, &at);
    if (!to || *at)
        return refuse(PGC_MAPPING_SCHEMA, text, "no name of a schema behind the equals sign", err);
    for (int i = 0; i < mapping->schema_count; i++)
        if (strcmp(mapping->schemas[i].from, from) == 0)
            return refuse(PGC_MAPPING_SCHEMA, text, "the schema has been given another name already", err);
    pgc_mapped_name *schemas = with_one_more(mapping, mapping->schemas, mapping->schema_count, sizeof *schemas);
    if (!schemas)
        return pgc_error_out_of_memory(err);
    schemas[mapping->schema_count++] = (pgc_mapped_name){.from = from, .to = to};
    mapping->schemas = schemas;
    return 0;
}

static int add_table(pgc_mapping *mapping, pgc_mapped_table *table, const char *text, const char *at,
                     pgconvoy_error *err)
{
    const char *first = take_name(mapping, &at), *second = NULL;
    bool has_schema = first && *at == '.';
    if (has_schema) {
        at++;
        second = take_name(mapping, &at);
    }
    if (!first || (has_schema && !second) || *at)
        return refuse(PGC_MAPPING_TABLE, text, "no name of a table behind the equals sign", err);
    if (table->to_name)
        return refuse(PGC_MAPPING_TABLE, text, "the table has been given another name already", err);
    table->to_schema = second ? first : NULL;
    table->to_name = second ? second : first;
    return 0;
}

static int add_column(pgc_mapping *mapping, pgc_mapped_table *table, const char *column, const char *text,
                      const char *at, pgconvoy_error *err)
{
    const char *to = take_name(mapping, &at);
    if (!to || *at)
        return refuse(PGC_MAPPING_COLUMN, text, "no name of a column behind the equals sign", err);
    for (int i = 0; i < table->renamed_count; i++) {
        if (strcmp(table->renamed[i].from, column) == 0)
            return refuse(PGC_MAPPING_COLUMN, text, "the column has been given another name already", err);
        if (strcmp(table->renamed[i].to, to) == 0)
            return refuse(PGC_MAPPING_COLUMN, text, "another column has been given this name already", err);
    }
    pgc_mapped_name *renamed = with_one_more(mapping, table->renamed, table->renamed_count, sizeof *renamed);
    if (!renamed)
        return pgc_error_out_of_memory(err);
    renamed[table->renamed_count++] = (pgc_mapped_name){.from = column, .to = to};
    table->renamed = renamed;
    return 0;
}

static int add_columns(pgc_mapping *mapping, pgc_mapped_table *table, const char *text, const char *at,
                       pgconvoy_error *err)
{
    if (table->column_count > 0)
        return refuse(PGC_MAPPING_COLUMNS, text, "the table's columns have been given already", err);
    for (bool more = true; more; at += more) {
        const char *column = take_name(mapping, &at);
        if (!column || (*at && *at != ','))
            return refuse(PGC_MAPPING_COLUMNS, text, "no list of columns behind the equals sign", err);
        const char **columns = with_one_more(mapping, table->columns, table->column_count, sizeof *columns);
        if (!columns)
            return pgc_error_out_of_memory(err);
        columns[table->column_count++] = column;
        table->columns = columns;
        more = *at == ',';
    }
    return 0;
}

static int add_where(pgc_mapping *mapping, pgc_mapped_table *table, const char *text, const char *at,
                     pgconvoy_error *err)
{
    at = skip_blanks(at);
    if (!*at)
        return refuse(PGC_MAPPING_WHERE, text, "no condition behind the equals sign", err);
    if (table->where)
        return refuse(PGC_MAPPING_WHERE, text, "the table has a condition already; join the two by AND", err);
    return (table->where = pgc_arena_strdup(mapping->arena, at)) ? 0 : pgc_error_out_of_memory(err);
}

int pgc_mapping_add(pgc_mapping *mapping, pgc_mapping_kind kind, const char *text, pgconvoy_error *err)
{
    const char *names[3] = {NULL}, *at = text;
    if (!take_names(mapping, &at, names, forms[kind].names) || *at++ != '=')
        return refuse(kind, text, "not understood", err);
    if (kind == PGC_MAPPING_SCHEMA)
        return add_schema(mapping, names[0], text, at, err);
    pgc_mapped_table *table = find_or_add(mapping, names[0], names[1]);
    if (!table)
        return pgc_error_out_of_memory(err);
    switch (kind) {
    case PGC_MAPPING_TABLE:
        return add_table(mapping, table, text, at, err);
    case PGC_MAPPING_COLUMN:
        return add_column(mapping, table, names[2], text, at, err);
    case PGC_MAPPING_COLUMNS:
        return add_columns(mapping, table, text, at, err);
    default:
        return add_where(mapping, table, text, at, err);
    }
}

/* ------------------------------------------------------------------ asking */

bool pgc_mapping_is_empty(const pgc_mapping *mapping)
{
    return !mapping || (mapping->schema_count == 0 && mapping->table_count == 0);
}

int pgc_mapping_schemas(const pgc_mapping *mapping, const pgc_mapped_name **schemas)
{
    *schemas = mapping ? mapping->schemas : NULL;
    return mapping ? mapping->schema_count : 0;
}

int pgc_mapping_tables(const pgc_mapping *mapping, const pgc_mapped_table **tables)
{
    *tables = mapping ? mapping->tables : NULL;
    return mapping ? mapping->table_count : 0;
}

const pgc_mapped_table *pgc_mapping_table(const pgc_mapping *mapping, const char *schema, const char *name)
{
    return find(mapping, schema, name);
}

const char *pgc_mapping_schema(const pgc_mapping *mapping, const char *schema)
{
    for (int i = 0; mapping && schema && i < mapping->schema_count; i++)
        if (strcmp(mapping->schemas[i].from, schema) == 0)
            return mapping->schemas[i].to;
    return schema;
}

void pgc_mapping_target(const pgc_mapping *mapping, const char *schema, const char *name, const char **to_schema,
                        const char **to_name)
{
    const pgc_mapped_table *table = find(mapping, schema, name);
    *to_schema = table && table->to_schema ? table->to_schema : pgc_mapping_schema(mapping, schema);
    *to_name = table && table->to_name ? table->to_name : name;
}

void pgc_mapping_source(const pgc_mapping *mapping, const char *to_schema, const char *to_name, const char **schema,
                        const char **name)
{
    const char *its_schema, *its_name;
    for (int i = 0; mapping && i < mapping->table_count; i++) {
        const pgc_mapped_table *table = &mapping->tables[i];
        pgc_mapping_target(mapping, table->schema, table->name, &its_schema, &its_name);
        if (strcmp(its_schema, to_schema) == 0 && strcmp(its_name, to_name) == 0) {
            *schema = table->schema;
            *name = table->name;
            return;
        }
    }
    *schema = to_schema;
    *name = to_name;
    for (int i = 0; mapping && i < mapping->schema_count; i++)
        if (strcmp(mapping->schemas[i].to, to_schema) == 0)
            *schema = mapping->schemas[i].from;
}

bool pgc_mapping_renames(const pgc_mapping *mapping)
{
    for (int i = 0; mapping && i < mapping->table_count; i++)
        if (mapping->tables[i].to_name || mapping->tables[i].renamed_count > 0)
            return true;
    return mapping && mapping->schema_count > 0;
}

const char *pgc_mapped_column(const pgc_mapped_table *table, const char *column)
{
    for (int i = 0; table && i < table->renamed_count; i++)
        if (strcmp(table->renamed[i].from, column) == 0)
            return table->renamed[i].to;
    return column;
}

bool pgc_mapped_has(const pgc_mapped_table *table, const char *column)
{
    bool has = !table || table->column_count == 0;
    for (int i = 0; !has && i < table->column_count; i++)
        has = strcmp(table->columns[i], column) == 0;
    return has;
}

/* ------------------------------------------------------------------ as text */

static void describe(pgc_mapping_kind kind, const char *schema, const char *name, pgc_buffer *out)
{
    pgc_buffer_format(out, "--%s ", forms[kind].option);
    pgc_quote_identifier(out, schema);
    if (name) {
        pgc_buffer_byte(out, '.');
        pgc_quote_identifier(out, name);
    }
}

static void describe_table(const pgc_mapped_table *table, pgc_buffer *out)
{
    if (table->to_name) {
        describe(PGC_MAPPING_TABLE, table->schema, table->name, out);
        pgc_buffer_byte(out, '=');
        if (table->to_schema) {
            pgc_quote_identifier(out, table->to_schema);
            pgc_buffer_byte(out, '.');
        }
        pgc_quote_identifier(out, table->to_name);
        pgc_buffer_byte(out, ' ');
    }
    for (int i = 0; i < table->renamed_count; i++) {
        describe(PGC_MAPPING_COLUMN, table->schema, table->name, out);
        pgc_buffer_byte(out, '.');
        pgc_quote_identifier(out, table->renamed[i].from);
        pgc_buffer_byte(out, '=');
        pgc_quote_identifier(out, table->renamed[i].to);
        pgc_buffer_byte(out, ' ');
    }
    for (int i = 0; i < table->column_count; i++) {
        if (i == 0)
            describe(PGC_MAPPING_COLUMNS, table->schema, table->name, out);
        pgc_buffer_byte(out, i == 0 ? '=' : ',');
        pgc_quote_identifier(out, table->columns[i]);
        if (i == table->column_count - 1)
            pgc_buffer_byte(out, ' ');
    }
    if (table->where) {
        describe(PGC_MAPPING_WHERE, table->schema, table->name, out);
        pgc_buffer_format(out, "=%s ", table->where);
    }
}

void pgc_mapping_describe(const pgc_mapping *mapping, pgc_buffer *out)
{
    for (int i = 0; mapping && i < mapping->schema_count; i++) {
        describe(PGC_MAPPING_SCHEMA, mapping->schemas[i].from, NULL, out);
        pgc_buffer_byte(out, '=');
        pgc_quote_identifier(out, mapping->schemas[i].to);
        pgc_buffer_byte(out, ' ');
    }
    for (int i = 0; mapping && i < mapping->table_count; i++)
        describe_table(&mapping->tables[i], out);
}
