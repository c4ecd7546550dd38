/*
 * What the event triggers write comes in up to three messages for a command: what it dropped, which tables it rewrote,
 * and at its end what it made or changed. Of a query with several commands each is found by its number among those of its tag, which
 * the triggers count. Of what PL/pgSQL ran it is the next one of its tag: they come in their order, and it may run again from the start.
 */
#include "source/postgres/ddl.h"
#include "apply/sql_script.h"
#include "apply/sql_text.h"
#include "source/postgres/ddl_table.h"

#include <stdlib.h>
#include <string.h>

#define REWROTE_FOR_DEFAULT 2 /* pg_event_trigger_table_rewrite_reason(), in event_trigger.h */
#define REWROTE_FOR_TYPE 4

/* What PL/pgSQL ran, or a query whose commands nobody has counted, and how far they have come. */
typedef struct passage {
    const char *text, *at;
} passage;

typedef struct rewrite {
    struct rewrite *next;
    uint32_t oid;
    int reason;
} rewrite;

struct pgc_ddl_reader {
    pgc_stream_tables *tables;
    const char *key;
    bool warned;
    pgc_arena *arena; /* of one transaction, but for what is found */
    pgconvoy_lsn commit_lsn;
    pgc_sql_script query; /* the last that came */
    passage uncounted, nested;
    const pgc_json *dropped; /* since the last command's end */
    rewrite *rewrites;
    pgconvoy_ddl ddl; /* the last that was read */
    bool knows_parents;
    pgc_oid_map parents; /* of tables of ours: what is done to one is done to them */
};

pgc_ddl_reader *pgc_ddl_reader_new(pgc_stream_tables *tables, const char *key)
{
    pgc_ddl_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return NULL;
    reader->tables = tables;
    reader->key = key;
    reader->arena = pgc_arena_new(1 << 14);
    if (reader->arena)
        return reader;
    free(reader);
    return NULL;
}

void pgc_ddl_reader_free(pgc_ddl_reader *reader)
{
    if (!reader)
        return;
    pgc_arena_free(reader->arena);
    pgc_oid_map_free(&reader->parents);
    free(reader);
}

static void begin_transaction(pgc_ddl_reader *reader, pgconvoy_lsn commit_lsn)
{
    if (reader->commit_lsn == commit_lsn)
        return;
    pgc_arena_reset(reader->arena);
    reader->commit_lsn = commit_lsn;
    reader->query = (pgc_sql_script){0};
    reader->uncounted = reader->nested = (passage){0};
    reader->dropped = NULL;
    reader->rewrites = NULL;
}

/* ---- the command's text */

static bool find_next(passage *passage, const char *tag, const char **command, size_t *length)
{
    const char *end = passage->text + strlen(passage->text);
    while (pgc_sql_next_command(&passage->at, end, command, length))
        if (pgc_sql_is_of_tag(*command, *length, tag))
            return true;
    return false;
}

/* text NULL: the same as before. */
static bool go_on(passage *passage, const char *text, const char *tag, const char **command, size_t *length)
{
    if (text && (!passage->text || strcmp(passage->text, text) != 0))
        passage->text = passage->at = text;
    if (!passage->text || find_next(passage, tag, command, length))
        return passage->text != NULL;
    passage->at = passage->text; /* the same text once more: a loop, or a client that sends it again in the transaction */
    return find_next(passage, tag, command, length);
}

static int find_nth(pgc_ddl_reader *reader, const char *text, const char *tag, size_t nth, const pgc_sql_command **found,
                    pgconvoy_error *err)
{
    pgc_sql_script *query = &reader->query;
    *found = NULL;
    if (text && (!query->text || strcmp(query->text, text) != 0) &&
        pgc_sql_script_read(query, text, reader->arena, err) != 0)
        return -1;
    *found = pgc_sql_script_nth(query, tag, nth);
    return 0;
}

/* NULL where it is not known. */
static int command_of(pgc_ddl_reader *reader, const pgc_json *end, const char *tag, const char **out,
                      pgconvoy_error *err)
{
    const char *text = pgc_json_get_text(end, "text");
    size_t nth = (size_t)pgc_json_number(end, "nth", 0);
    pgc_sql_command command = {0};
    *out = NULL;
    if (!text && !pgc_json_truth(end, "again"))
        return 0;
    if (nth > 0) {
        const pgc_sql_command *found;
        if (find_nth(reader, text, tag, nth, &found, err) != 0)
            return -1;
        if (found)
            command = *found;
    } else if (!go_on(pgc_json_truth(end, "nested") ? &reader->nested : &reader->uncounted, text, tag, &command.text, &command.length)) {
        command.text = NULL;
    }
    if (command.text && !(*out = pgc_arena_strndup(reader->arena, command.text, command.length)))
        return pgc_error_out_of_memory(err);
    return 0;
}

/* ---- tables of ours */

static const pgc_source_table *ours(const pgc_ddl_reader *reader, uint32_t oid)
{
    const pgc_postgres_source *source = reader->tables->source;
    const pgc_source_table *loaded = oid ? pgc_source_find_table(source, oid) : NULL;
    return loaded ? (const pgc_source_table *)pgc_stream_tables_current(source, &loaded->table) : NULL;
}

static bool has_no_copy(const pgc_source_table *table)
{
    return table->copy_lsn == UINT64_MAX;
}

/* Its rows came in a copy that was made after the command. */
static bool copied_since(const pgc_ddl_reader *reader, uint32_t oid)
{
    const pgc_source_table *loaded = pgc_source_find_table(reader->tables->source, oid);
    return loaded && !has_no_copy(loaded) && reader->commit_lsn < loaded->copy_lsn;
}

/* All tables of the database are the pipeline's, those to come too. */
static bool takes_all(const pgc_postgres_source *source)
{
    const pgc_source_config *config = &source->config;
    const char *const *const lists[] = {config->include_tables, config->exclude_tables, config->include_schemas,
                                        config->exclude_schemas};
    for (size_t i = 0; i < 4; i++)
        if (lists[i] && lists[i][0])
            return false;
    return source->publication.ours || source->publication.all_tables;
}

static bool is_table(const pgconvoy_ddl_object *object)
{
    return strcmp(object->type, "table") == 0;
}

static int learn_parents(pgc_ddl_reader *reader, pgconvoy_error *err)
{
    const pgc_postgres_source *source = reader->tables->source;
    if (reader->knows_parents || takes_all(source))
        return 0;
    uint32_t *oids = malloc((source->table_count + 1) * sizeof *oids);
    PGconn *conn = oids ? pgc_stream_tables_catalog(reader->tables, err) : NULL;
    for (size_t i = 0; i < source->table_count && oids; i++)
        oids[i] = source->tables[i]->oid;
    PGresult *result = conn ? pgc_query_oids(conn,
                                             "WITH RECURSIVE up (oid) AS (SELECT inhparent FROM pg_catalog.pg_inherits WHERE inhrelid = ANY "
                                             "($1::pg_catalog.oid[]) UNION SELECT inhparent FROM pg_catalog.pg_inherits JOIN up ON inhrelid = up.oid) "
                                             "SELECT oid FROM up",
                                             oids, source->table_count, err)
                            : NULL;
    int failed = result ? 0 : oids ? -1 : pgc_error_out_of_memory(err);
    for (int row = 0; !failed && row < PQntuples(result); row++)
        failed = pgc_oid_map_put(&reader->parents, pgc_result_oid(result, row, 0), reader, err);
    reader->knows_parents = !failed;
    PQclear(result);
    free(oids);
    return failed;
}

/* With all tables everything is carried over, else what is part of tables of ours, or of those that they are part of. */
static bool is_wanted(const pgc_ddl_reader *reader, const pgconvoy_ddl_object *object)
{
    return takes_all(reader->tables->source) || ours(reader, object->table_oid) ||
           (object->table_oid && pgc_oid_map_get(&reader->parents, object->table_oid));
}

/* A table that was made under the name of one that was dropped, and copied since, has the place of that one. */
static bool is_replaced(const pgc_ddl_reader *reader, const pgconvoy_ddl_object *dropped)
{
    const pgc_postgres_source *source = reader->tables->source;
    for (size_t i = 0; i < source->table_count && dropped->schema && dropped->name; i++) {
        const pgconvoy_table *table = source->tables[i];
        if (table->oid != dropped->oid && strcmp(table->name, dropped->name) == 0 &&
            strcmp(table->schema, dropped->schema) == 0 && copied_since(reader, table->oid))
            return true;
    }
    return false;
}

static int read_objects(pgc_ddl_reader *reader, const pgc_json *list, bool dropped, pgconvoy_error *err)
{
    pgconvoy_ddl *ddl = &reader->ddl;
    pgconvoy_ddl_object *objects =
        pgc_arena_zalloc(reader->arena, ((list ? (size_t)list->count : 0) + 1) * sizeof *objects);
    if (!objects)
        return pgc_error_out_of_memory(err);
    bool unwanted = false;
    for (const pgc_json *item = list ? list->first : NULL; item; item = item->next) {
        pgconvoy_ddl_object *object = &objects[ddl->object_count];
        *object = (pgconvoy_ddl_object){.type = pgc_json_get_text(item, "type"),
                                        .schema = pgc_json_get_text(item, "schema"),
                                        .name = pgc_json_get_text(item, "name"),
                                        .identity = pgc_json_get_text(item, "identity"),
                                        .definition = pgc_json_get_text(item, "definition"),
                                        .oid = (uint32_t)pgc_json_number(item, "oid", 0),
                                        .table_oid = (uint32_t)pgc_json_number(item, "table", 0),
                                        .dropped = dropped,
                                        .original = !dropped || pgc_json_truth(item, "original")};
        if (!object->type || (!object->identity && dropped) || (dropped && is_table(object) && is_replaced(reader, object)))
            continue;
        if (dropped && !is_table(object) && strcmp(object->type, "table column") != 0)
            object->table_oid = 0;
        if (is_wanted(reader, object))
            ddl->object_count++;
        else
            unwanted = true;
        ddl->copied |= !dropped && copied_since(reader, object->table_oid);
    }
    /* a command is done as a whole or not at all; what was dropped is named one by one */
    if (unwanted && !dropped)
        ddl->object_count = 0;
    ddl->objects = objects;
    return 0;
}

static int add_recopied(pgc_ddl_reader *reader, uint32_t oid, size_t room, pgconvoy_error *err)
{
    pgconvoy_ddl *ddl = &reader->ddl;
    if (!ddl->recopied && !(ddl->recopied = pgc_arena_alloc(reader->arena, (room + 1) * sizeof *ddl->recopied)))
        return pgc_error_out_of_memory(err);
    ((uint32_t *)ddl->recopied)[ddl->recopied_count++] = oid;
    return 0;
}

static int rewrite_reasons(const pgc_ddl_reader *reader, uint32_t oid, bool partitioned)
{
    int reasons = 0;
    for (const rewrite *r = reader->rewrites; r; r = r->next)
        if (r->oid == oid || partitioned) /* of a partitioned table its leaves are rewritten */
            reasons |= r->reason;
    return reasons;
}

/* ---- whether the command gives values that another server would not give */

static bool is_of_the_moment(const pgc_sql_token *word)
{
    static const char *const names[] = {"CURRENT_DATE",
                                        "CURRENT_TIME",
                                        "CURRENT_TIMESTAMP",
                                        "LOCALTIME",
                                        "LOCALTIMESTAMP",
                                        "CURRENT_USER",
                                        "SESSION_USER",
                                        "USER",
                                        "CURRENT_ROLE",
                                        "NOW",
                                        "TRANSACTION_TIMESTAMP",
                                        "STATEMENT_TIMESTAMP",
                                        "AGE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (pgc_sql_token_is(word, names[i]))
            return true;
    return false;
}

/* The names in it that a parenthesis follows, as a text array's literal. */
static bool functions_of(const char *command, pgc_buffer *names)
{
    const char *at = command, *end = command + strlen(command);
    pgc_sql_token before = {0};
    pgc_buffer_byte(names, '{');
    for (pgc_sql_token token; (token = pgc_sql_next_token(&at, end)).kind != PGC_SQL_END; before = token) {
        if (is_of_the_moment(&token))
            return false;
        if (token.kind == PGC_SQL_QUOTED_WORD) /* seldom enough to be taken for volatile */
            return false;
        if (token.kind != PGC_SQL_OTHER || *token.start != '(' || before.kind != PGC_SQL_WORD)
            continue;
        pgc_buffer_text(names, names->length > 1 ? "," : "");
        for (size_t i = 0; i < before.length; i++)
            pgc_buffer_byte(names, (char)(before.start[i] >= 'A' && before.start[i] <= 'Z' ? before.start[i] + 32
                                                                                           : before.start[i]));
    }
    pgc_buffer_byte(names, '}');
    return true;
}

static int is_volatile(pgc_ddl_reader *reader, const char *command, bool *found, pgconvoy_error *err)
{
    pgc_buffer names;
    pgc_buffer_init(&names, (size_t)1 << 26);
    *found = true;
    int failed = 0;
    if (functions_of(command, &names)) {
        PGconn *conn = pgc_stream_tables_catalog(reader->tables, err);
        const char *values[] = {names.data};
        PGresult *result =
            !conn || pgc_buffer_check(&names, err) != 0
                ? NULL
                : pgc_query_params(conn,
                                   "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc WHERE provolatile = 'v' AND "
                                   "proname = ANY ($1::pg_catalog.text[]))",
                                   1, values, err);
        failed = result ? 0 : -1;
        *found = result && pgc_result_bool(result, 0, 0);
        PQclear(result);
    }
    pgc_buffer_free(&names);
    return failed;
}

static int gives_unknown_values(pgc_ddl_reader *reader, const pgc_json *table, const pgc_source_table *before,
                                bool *unknown, pgconvoy_error *err)
{
    const char *kind = pgc_json_get_text(table, "kind"), *command = reader->ddl.command;
    int reasons = rewrite_reasons(reader, before->table.oid, kind && kind[0] == 'p');
    bool known = !before->numbered_by_names && pgc_oid_map_get(&reader->tables->source->streamed, before->table.oid) != NULL;
    *unknown = (reasons & REWROTE_FOR_DEFAULT) && pgc_ddl_table_has_unknown(table, before, known);
    if (*unknown || !(reasons & REWROTE_FOR_TYPE))
        return 0;
    bool by_expression = !command || pgc_sql_has_word(command, strlen(command), "USING");
    if (!command || (by_expression && !reader->tables->source->config.ddl_as_text)) {
        *unknown = true;
        return 0;
    }
    return is_volatile(reader, command, unknown, err);
}

/* ---- the tables as they are after the command */

/* Rows that a partition had before it became one were sent only where it was a table of ours by itself. */
static int read_attached(pgc_ddl_reader *reader, const pgc_json *attached, size_t room, pgconvoy_error *err)
{
    for (const pgc_json *item = attached ? attached->first : NULL; item; item = item->next) {
        uint32_t root = (uint32_t)pgc_json_number(item, "root", 0), parent = (uint32_t)pgc_json_number(item, "parent", 0);
        uint32_t oid = ours(reader, root) ? root : parent;
        bool told = false;
        for (size_t i = 0; i < reader->ddl.recopied_count; i++)
            told |= reader->ddl.recopied[i] == oid;
        if (!told && ours(reader, oid) && !ours(reader, (uint32_t)pgc_json_number(item, "child", 0)) && !copied_since(reader, oid) &&
            add_recopied(reader, oid, room, err) != 0)
            return -1;
    }
    return 0;
}

static int read_tables(pgc_ddl_reader *reader, const pgc_json *list, const pgc_json *attached, pgconvoy_error *err)
{
    pgconvoy_ddl *ddl = &reader->ddl;
    size_t room = (list ? (size_t)list->count : 0) + (attached ? (size_t)attached->count : 0) + 1;
    const pgconvoy_table **tables = pgc_arena_alloc(reader->arena, room * sizeof(pgconvoy_table *));
    if (!tables)
        return pgc_error_out_of_memory(err);
    ddl->tables = tables;
    bool made = strncmp(ddl->tag, "CREATE TABLE", 12) == 0;
    for (const pgc_json *item = list ? list->first : NULL; item; item = item->next) {
        uint32_t oid = (uint32_t)pgc_json_number(item, "oid", 0);
        const pgc_source_table *before = ours(reader, oid);
        pgc_source_table *built = NULL;
        bool unknown = false;
        if (!before || copied_since(reader, oid))
            continue;
        if (gives_unknown_values(reader, item, before, &unknown, err) != 0 ||
            pgc_ddl_table_build(reader->tables, item, before, &built, err) != 0)
            return -1;
        /* one that was made anew under the name of a table that was dropped while nobody looked */
        if ((unknown || (made && !has_no_copy(before))) && add_recopied(reader, oid, room, err) != 0)
            return -1;
        if (!built)
            continue;
        if (pgc_oid_map_put(&reader->tables->source->streamed, oid, built, err) != 0)
            return -1;
        tables[ddl->table_count++] = &built->table;
    }
    return read_attached(reader, attached, room, err);
}

static bool is_made_of(const pgconvoy_type *type, uint32_t oid)
{
    if (!type || type->oid == oid)
        return type != NULL;
    for (int i = 0; i < type->field_count; i++)
        if (is_made_of(type->fields[i].type, oid))
            return true;
    return is_made_of(type->element, oid);
}

static bool has_column_of(const pgconvoy_table *table, uint32_t type)
{
    for (int i = 0; i < table->column_count; i++)
        if (is_made_of(table->columns[i].type, type))
            return true;
    return false;
}

/* Rows have a label by another name now. A sink that does not rename it in its type has to have them anew. */
static int read_renamed_label(pgc_ddl_reader *reader, const pgc_json *objects, pgconvoy_error *err)
{
    const pgc_postgres_source *source = reader->tables->source;
    const char *command = reader->ddl.command;
    if (source->config.ddl_as_text || source->config.ddl_as_events || strcmp(reader->ddl.tag, "ALTER TYPE") != 0 || reader->ddl.recopied_count > 0 ||
        (command && !(pgc_sql_has_word(command, strlen(command), "RENAME") && pgc_sql_has_word(command, strlen(command), "VALUE"))))
        return 0;
    for (size_t i = 0; i < source->table_count && objects && objects->first; i++) {
        const pgc_source_table *table = ours(reader, ((const pgconvoy_table *)source->tables[i])->oid);
        if (table && has_column_of(&table->table, (uint32_t)pgc_json_number(objects->first, "oid", 0)) && !copied_since(reader, table->table.oid) &&
            add_recopied(reader, table->table.oid, source->table_count, err) != 0)
            return -1;
    }
    return 0;
}

static int read_settings(pgc_ddl_reader *reader, const pgc_json *settings, pgconvoy_error *err)
{
    size_t count = settings ? (size_t)settings->count : 0, at = 0;
    const char **list = pgc_arena_alloc(reader->arena, (2 * count + 1) * sizeof *list);
    if (!list)
        return pgc_error_out_of_memory(err);
    for (const pgc_json *item = settings ? settings->first : NULL; item; item = item->next)
        if (item->type == PGC_JSON_TEXT) {
            list[at++] = item->name;
            list[at++] = item->text;
        }
    list[at] = NULL;
    reader->ddl.settings = list;
    return 0;
}

/* ---- the messages */

static int read_end(pgc_ddl_reader *reader, const pgc_json *end, pgc_ddl_seen *seen, pgconvoy_error *err)
{
    pgconvoy_ddl *ddl = &reader->ddl;
    const char *tag = pgc_json_get_text(end, "tag"), *failure = pgc_json_get_text(end, "failure");
    const pgc_json *objects = pgc_json_get(end, "objects"), *dropped = reader->dropped;
    *ddl = (pgconvoy_ddl){.tag = tag, .search_path = pgc_json_get_text(end, "path"), .by_leaves = !reader->tables->source->publication.via_root};
    if (failure) {
        pgc_log_warning(reader->tables->source->config.log, "the source could not tell what a command %s did: %s", tag,
                        failure);
        seen->ddl = ddl;
        return 0;
    }
    reader->dropped = NULL;
    bool drops = strncmp(tag, "DROP ", 5) == 0;
    if (command_of(reader, end, tag, &ddl->command, err) != 0)
        return -1;
    if (drops ? !dropped : !objects || objects->type != PGC_JSON_ARRAY)
        return 0; /* of temporary objects, or nothing was there to be done */
    if (read_settings(reader, pgc_json_get(end, "settings"), err) != 0 || learn_parents(reader, err) != 0 ||
        read_objects(reader, drops ? dropped : objects, drops, err) != 0 ||
        read_tables(reader, pgc_json_get(end, "tables"), pgc_json_get(end, "attached"), err) != 0 ||
        (!drops && read_renamed_label(reader, objects, err) != 0))
        return -1;
    reader->rewrites = NULL;
    seen->ddl = ddl->object_count > 0 || ddl->recopied_count > 0 ? ddl : NULL;
    seen->tables = (const pgconvoy_table **)ddl->tables;
    seen->table_count = ddl->table_count;
    if (!drops && strncmp(tag, "CREATE TABLE", 12) == 0 && ddl->object_count > 0)
        atomic_store(&reader->tables->source->saw_unknown, true); /* time to look at the tables */
    return 0;
}

static int read_rewrite(pgc_ddl_reader *reader, const pgc_json *message, pgconvoy_error *err)
{
    rewrite *seen = pgc_arena_alloc(reader->arena, sizeof *seen);
    if (!seen)
        return pgc_error_out_of_memory(err);
    *seen = (rewrite){reader->rewrites, (uint32_t)pgc_json_number(message, "oid", 0),
                      (int)pgc_json_number(message, "reason", 0)};
    reader->rewrites = seen;
    return 0;
}

int pgc_ddl_reader_read(void *arg, const pgc_ddl_message *sent, pgc_ddl_seen *seen, pgconvoy_error *err)
{
    pgc_ddl_reader *reader = arg;
    begin_transaction(reader, sent->commit_lsn);
    const pgc_json *root = pgc_json_read(reader->arena, sent->content, sent->length, err);
    if (!root) {
        if (err->code != PGCONVOY_ERROR_DATA)
            return -1;
        pgc_error_clear(err); /* not written by our triggers */
    }
    const char *key = pgc_json_get_text(root, "key");
    const pgc_json *message = pgc_json_get(root, "ddl");
    const char *event = pgc_json_get_text(message, "event");
    if (!key || strcmp(key, reader->key) != 0 || !event) {
        if (!reader->warned)
            pgc_log_warning(
                reader->tables->source->config.log,
                "a message of a changed definition has not the key of the source's event triggers, and is left out");
        reader->warned = true;
        return 0;
    }
    if (strcmp(event, "sql_drop") == 0)
        reader->dropped = pgc_json_get(message, "objects");
    else if (strcmp(event, "table_rewrite") == 0)
        return read_rewrite(reader, message, err);
    else if (pgc_json_get_text(message, "tag"))
        return read_end(reader, message, seen, err);
    return 0;
}
