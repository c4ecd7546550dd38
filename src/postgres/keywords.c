/*
 * The words that PostgreSQL's grammar keeps for itself in at least one place: those whose category in pg_get_keywords() is not U, as the servers 13 to 18 give them (12 has all of
 * 13 but "normalize"). A word that a later server reserves may stand bare in an earlier one, and must, where a dump is to look as that server's own pg_dump writes it.
 */
#include "postgres/keywords.h"

#include <stdlib.h>
#include <string.h>

typedef struct keyword {
    const char *word;
    int since, until; /* major versions; 0: no bound */
} keyword;

/* Sorted by word, for bsearch. */
static const keyword keywords[] = {
    {"all", 0, 0}, {"analyse", 0, 0}, {"analyze", 0, 0}, {"and", 0, 0}, {"any", 0, 0}, {"array", 0, 0}, {"as", 0, 0}, {"asc", 0, 0},
    {"asymmetric", 0, 0}, {"authorization", 0, 0}, {"between", 0, 0}, {"bigint", 0, 0}, {"binary", 0, 0}, {"bit", 0, 0}, {"boolean", 0, 0},
    {"both", 0, 0}, {"case", 0, 0}, {"cast", 0, 0}, {"char", 0, 0}, {"character", 0, 0}, {"check", 0, 0}, {"coalesce", 0, 0}, {"collate", 0, 0},
    {"collation", 0, 0}, {"column", 0, 0}, {"concurrently", 0, 0}, {"constraint", 0, 0}, {"create", 0, 0}, {"cross", 0, 0}, {"current_catalog", 0, 0},
    {"current_date", 0, 0}, {"current_role", 0, 0}, {"current_schema", 0, 0}, {"current_time", 0, 0}, {"current_timestamp", 0, 0},
    {"current_user", 0, 0}, {"dec", 0, 0}, {"decimal", 0, 0}, {"default", 0, 0}, {"deferrable", 0, 0}, {"desc", 0, 0}, {"distinct", 0, 0},
    {"do", 0, 0}, {"else", 0, 0}, {"end", 0, 0}, {"except", 0, 0}, {"exists", 0, 0}, {"extract", 0, 0}, {"false", 0, 0}, {"fetch", 0, 0},
    {"float", 0, 0}, {"for", 0, 0}, {"foreign", 0, 0}, {"freeze", 0, 0}, {"from", 0, 0}, {"full", 0, 0}, {"grant", 0, 0}, {"greatest", 0, 0},
    {"group", 0, 0}, {"grouping", 0, 0}, {"having", 0, 0}, {"ilike", 0, 0}, {"in", 0, 0}, {"initially", 0, 0}, {"inner", 0, 0}, {"inout", 0, 0},
    {"int", 0, 0}, {"integer", 0, 0}, {"intersect", 0, 0}, {"interval", 0, 0}, {"into", 0, 0}, {"is", 0, 0}, {"isnull", 0, 0}, {"join", 0, 0},
    {"json", 17, 0}, {"json_array", 16, 0}, {"json_arrayagg", 16, 0}, {"json_exists", 17, 0}, {"json_object", 16, 0}, {"json_objectagg", 16, 0},
    {"json_query", 17, 0}, {"json_scalar", 17, 0}, {"json_serialize", 17, 0}, {"json_table", 17, 0}, {"json_value", 17, 0}, {"lateral", 0, 0},
    {"leading", 0, 0}, {"least", 0, 0}, {"left", 0, 0}, {"like", 0, 0}, {"limit", 0, 0}, {"localtime", 0, 0}, {"localtimestamp", 0, 0},
    {"merge_action", 17, 0}, {"national", 0, 0}, {"natural", 0, 0}, {"nchar", 0, 0}, {"none", 0, 0}, {"normalize", 13, 0}, {"not", 0, 0},
    {"notnull", 0, 0}, {"null", 0, 0}, {"nullif", 0, 0}, {"numeric", 0, 0}, {"offset", 0, 0}, {"on", 0, 0}, {"only", 0, 0}, {"or", 0, 0},
    {"order", 0, 0}, {"out", 0, 0}, {"outer", 0, 0}, {"overlaps", 0, 0}, {"overlay", 0, 0}, {"placing", 0, 0}, {"position", 0, 0},
    {"precision", 0, 0}, {"primary", 0, 0}, {"real", 0, 0}, {"references", 0, 0}, {"returning", 0, 0}, {"right", 0, 0}, {"row", 0, 0},
    {"select", 0, 0}, {"session_user", 0, 0}, {"setof", 0, 0}, {"similar", 0, 0}, {"smallint", 0, 0}, {"some", 0, 0}, {"substring", 0, 0},
    {"symmetric", 0, 0}, {"system_user", 16, 0}, {"table", 0, 0}, {"tablesample", 0, 0}, {"then", 0, 0}, {"time", 0, 0}, {"timestamp", 0, 0},
    {"to", 0, 0}, {"trailing", 0, 0}, {"treat", 0, 0}, {"trim", 0, 0}, {"true", 0, 0}, {"union", 0, 0}, {"unique", 0, 0}, {"user", 0, 0},
    {"using", 0, 0}, {"values", 0, 0}, {"varchar", 0, 0}, {"variadic", 0, 0}, {"verbose", 0, 0}, {"when", 0, 0}, {"where", 0, 0}, {"window", 0, 0},
    {"with", 0, 0}, {"xmlattributes", 0, 0}, {"xmlconcat", 0, 0}, {"xmlelement", 0, 0}, {"xmlexists", 0, 0}, {"xmlforest", 0, 0},
    {"xmlnamespaces", 0, 0}, {"xmlparse", 0, 0}, {"xmlpi", 0, 0}, {"xmlroot", 0, 0}, {"xmlserialize", 0, 0}, {"xmltable", 0, 0},
};

static int compare(const void *word, const void *row)
{
    return strcmp(word, ((const keyword *)row)->word);
}

bool pgc_keyword_needs_quotes(const char *word, int server_version)
{
    const keyword *found = bsearch(word, keywords, sizeof keywords / sizeof *keywords, sizeof *keywords, compare);
    int major = server_version / 10000;
    return found && major >= found->since && (!found->until || major <= found->until);
}
