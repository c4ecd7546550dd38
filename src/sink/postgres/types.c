/*
 * Types on the target. The built-in ones are there. An enum, domain, composite or range of the source is used when the
 * target has one of the same name, and made otherwise; a type of an extension comes with its extension. Constraints and
 * defaults of a domain are left out on purpose: the source has checked its values already, and a check that calls a
 * function of the source's could not be made here.
 */
#include "sink/postgres/types.h"
#include "postgres/extension_types.h"
#include "postgres/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Below this, OIDs are given by hand and are the same on every server; from here on initdb gives them out. */
#define FIRST_GENERATED_OID 10000u

static bool base_is_portable(uint32_t oid)
{
    /* reg… types hold OIDs; aclitem has no binary form at all */
    static const uint32_t text_only[] = {24, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191, 1033};
    for (size_t i = 0; i < sizeof text_only / sizeof *text_only; i++)
        if (text_only[i] == oid)
            return false;
    return oid < FIRST_GENERATED_OID;
}

/* An extension stands among the types by its bare name, which none of them has; pointer: its version on the target. NULL: not
 * met yet. */
static const pgc_pgsink_mark *find_extension(pgc_pgsink *sink, const char *name)
{
    pthread_mutex_lock(&sink->lock);
    const pgc_pgsink_mark *mark = sink->good_types;
    while (mark && strcmp(mark->text, name) != 0)
        mark = mark->next;
    pthread_mutex_unlock(&sink->lock);
    return mark;
}

/* Asks the target once. NULL: it cannot be known, which is no failure, as text serves as well. */
static const pgc_pgsink_mark *ask_for_extension(pgc_pgsink *sink, const pgconvoy_type *type)
{
    char version[PGC_EXTENSION_VERSION_SIZE];
    pgconvoy_error err = {0};
    PGconn *conn = pgc_pgsink_borrow(sink, &err);
    bool known = conn && pgc_extension_version(conn, type->extension, version, &err) == 0;
    pgc_pgsink_give_back(sink, conn);
    if (!known)
        return NULL;
    pthread_mutex_lock(&sink->lock);
    pgc_pgsink_mark *mark = pgc_arena_alloc(sink->arena, sizeof *mark);
    const char *name = pgc_arena_strdup(sink->arena, type->extension), *there = pgc_arena_strdup(sink->arena, version);
    if (mark && name && there) {
        *mark = (pgc_pgsink_mark){sink->good_types, there, name};
        sink->good_types = mark;
    }
    pthread_mutex_unlock(&sink->lock);
    bool same = type->extension_version && strcmp(type->extension_version, version) == 0;
    pgc_log_info(sink->config->log, "values of extension %s go %s: version %s at the source, %s at the target",
                 type->extension, same ? "in binary" : "as text", type->extension_version ? type->extension_version : "?",
                 version[0] ? version : "none");
    return mark && name && there ? mark : NULL;
}

static bool extension_agrees(pgc_pgsink *sink, const pgconvoy_type *type)
{
    if (!type->extension_version || !pgc_extension_type_is_listed(type->extension, type->name))
        return false;
    const pgc_pgsink_mark *mark = find_extension(sink, type->extension);
    if (!mark)
        mark = ask_for_extension(sink, type);
    return mark && strcmp(mark->pointer, type->extension_version) == 0;
}

bool pgc_pgsink_type_is_portable(pgc_pgsink *sink, const pgconvoy_type *type)
{
    switch (type->kind) {
    case PGCONVOY_TYPE_BASE:
        return type->extension ? extension_agrees(sink, type) : base_is_portable(type->oid);
    case PGCONVOY_TYPE_ENUM: /* the label's characters */
        return true;
    case PGCONVOY_TYPE_ARRAY: /* holds the element's OID */
        return type->element && type->element->oid < FIRST_GENERATED_OID && pgc_pgsink_type_is_portable(sink, type->element);
    case PGCONVOY_TYPE_DOMAIN:
    case PGCONVOY_TYPE_RANGE:
    case PGCONVOY_TYPE_MULTIRANGE:
        return type->element && pgc_pgsink_type_is_portable(sink, type->element);
    case PGCONVOY_TYPE_COMPOSITE: /* holds the OIDs of its fields */
        return false;
    }
    return false;
}

bool pgc_pgsink_type_is_built_in(const pgconvoy_type *type)
{
    return !type->extension && type->oid < PGC_FIRST_USER_OID;
}

/* ---- what is known already */

static bool known_good(pgc_pgsink *sink, const char *name)
{
    bool found = false;
    pthread_mutex_lock(&sink->lock);
    for (const pgc_pgsink_mark *mark = sink->good_types; mark && !found; mark = mark->next)
        found = strcmp(mark->text, name) == 0;
    pthread_mutex_unlock(&sink->lock);
    return found;
}

static void remember_good(pgc_pgsink *sink, const char *name)
{
    pthread_mutex_lock(&sink->lock);
    pgc_pgsink_mark *mark = pgc_arena_alloc(sink->arena, sizeof *mark);
    const char *text = pgc_arena_strdup(sink->arena, name);
    if (mark && text) {
        *mark = (pgc_pgsink_mark){.next = sink->good_types, .text = text};
        sink->good_types = mark;
    }
    pthread_mutex_unlock(&sink->lock); /* without memory it is merely asked for again */
}

static int qualified_name(const pgconvoy_type *type, pgc_buffer *name, pgconvoy_error *err)
{
    pgc_buffer_init(name, 4096);
    pgc_quote_qualified(name, type->schema, type->name);
    if (pgc_buffer_check(name, err) == 0)
        return 0;
    pgc_buffer_free(name);
    return -1;
}

/* ---- what is there */

typedef enum presence { ABSENT, PRESENT, FAILED } presence;

static bool has_label(const PGresult *result, const char *label)
{
    for (int row = 0; row < PQntuples(result); row++)
        if (strcmp(PQgetvalue(result, row, 0), label) == 0)
            return true;
    return false;
}

static int labels_check(PGconn *conn, const pgconvoy_type *type, const char *oid, pgconvoy_error *err)
{
    const char *values[] = {oid};
    PGresult *result = pgc_pgsink_query(conn, "SELECT enumlabel FROM pg_enum WHERE enumtypid = $1::oid", 1, values,
                                        "reading the labels of an enum on the target", err);
    if (!result)
        return -1;
    int status = 0;
    for (int i = 0; i < type->label_count && status == 0; i++) {
        if (has_label(result, type->labels[i]))
            continue;
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "enum %s.%s on the target has no label '%s'", type->schema,
                           type->name, type->labels[i]);
        pgconvoy_error_hint(err, "on the target: ALTER TYPE \"%s\".\"%s\" ADD VALUE '%s'", type->schema, type->name,
                            type->labels[i]);
        status = -1;
    }
    PQclear(result);
    return status;
}

/* Whether a type of this name is on the target; one of another kind is refused, and with_labels an enum that lacks some. */
static presence look(PGconn *conn, const pgconvoy_type *type, bool with_labels, const char *what, pgconvoy_error *err)
{
    static const char kinds[] = {
        [PGCONVOY_TYPE_BASE] = 'b',      [PGCONVOY_TYPE_ARRAY] = 'b',     [PGCONVOY_TYPE_ENUM] = 'e',
        [PGCONVOY_TYPE_DOMAIN] = 'd',    [PGCONVOY_TYPE_COMPOSITE] = 'c', [PGCONVOY_TYPE_RANGE] = 'r',
        [PGCONVOY_TYPE_MULTIRANGE] = 'm'};
    const char *values[] = {type->schema, type->name};
    PGresult *result =
        pgc_pgsink_query(conn,
                         "SELECT t.oid, t.typtype FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace "
                         "WHERE n.nspname = $1 AND t.typname = $2 AND t.typisdefined",
                         2, values, "looking for a type on the target", err);
    if (!result)
        return FAILED;
    presence found = PQntuples(result) == 1 ? PRESENT : ABSENT;
    if (found == PRESENT && PQgetvalue(result, 0, 1)[0] != kinds[type->kind]) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                           "%s: type %s.%s on the target is of another kind than on the source", what, type->schema,
                           type->name);
        pgconvoy_error_hint(err, "rename or drop that type on the target");
        found = FAILED;
    } else if (found == PRESENT && with_labels && type->kind == PGCONVOY_TYPE_ENUM &&
               labels_check(conn, type, PQgetvalue(result, 0, 0), err) != 0) {
        found = FAILED;
    }
    PQclear(result);
    return found;
}

/* An extension that is installed, but without the type where the source has it, is in another schema or of another
 * version. */
static int check_extension(PGconn *conn, const pgconvoy_type *type, const char *what, pgconvoy_error *err)
{
    const char *values[] = {type->extension};
    PGresult *result =
        pgc_pgsink_query(conn,
                         "SELECT (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace "
                         " WHERE e.extname = $1), EXISTS (SELECT FROM pg_available_extensions WHERE name = $1)",
                         1, values, "looking for an extension on the target", err);
    if (!result)
        return -1;
    int status = 0;
    if (!PQgetisnull(result, 0, 0)) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                           "%s: extension %s on the target is in schema %s and has no type %s.%s there", what,
                           type->extension, PQgetvalue(result, 0, 0), type->schema, type->name);
        pgconvoy_error_hint(err, "on the target: ALTER EXTENSION \"%s\" SET SCHEMA \"%s\", or UPDATE it",
                            type->extension, type->schema);
        status = -1;
    } else if (PQgetvalue(result, 0, 1)[0] != 't') {
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG,
                           "%s: type %s needs extension %s, which the target's server does not have", what, type->name,
                           type->extension);
        pgconvoy_error_hint(err, "install the extension's package on the target's server, or leave the table out");
        status = -1;
    }
    PQclear(result);
    return status;
}

static int refuse_base(const pgconvoy_type *type, const char *what, pgconvoy_error *err)
{
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "%s: type %s.%s is not on the target and cannot be made there", what,
                       type->schema, type->name);
    pgconvoy_error_hint(err, pgc_pgsink_type_is_built_in(type)
                                 ? "the target's server is too old for it; leave the table out, or upgrade the target"
                                 : "create the type on the target, or leave the table out");
    if (!pgc_pgsink_type_is_built_in(type))
        pgc_error_sqlstate(err, PGC_ERROR_UNDEFINED_OBJECT); /* sync brings its definition with the tables that it makes */
    return -1;
}

/* What a type is made of comes first. Calls step for each part. */
typedef int step_fn(pgc_pgsink *sink, PGconn *conn, const pgconvoy_type *type, const char *what, pgconvoy_error *err);

static int each_part(pgc_pgsink *sink, PGconn *conn, const pgconvoy_type *type, const char *what, step_fn *step,
                     pgconvoy_error *err)
{
    if (type->element && step(sink, conn, type->element, what, err) != 0)
        return -1;
    for (int i = 0; i < type->field_count; i++)
        if (step(sink, conn, type->fields[i].type, what, err) != 0)
            return -1;
    return 0;
}

int pgc_pgsink_type_check(pgc_pgsink *sink, PGconn *conn, const pgconvoy_type *type, const char *what,
                          pgconvoy_error *err)
{
    pgc_buffer name;
    if (type->lost)
        return 0;
    if (qualified_name(type, &name, err) != 0)
        return -1;
    int status = 0;
    if (!known_good(sink, name.data)) {
        status = type->extension ? 0 : each_part(sink, conn, type, what, pgc_pgsink_type_check, err);
        presence found = FAILED;
        /* the array of a type comes and goes with it, and is named by the server */
        if (status == 0 && type->kind == PGCONVOY_TYPE_ARRAY && type->element)
            found = PRESENT;
        else if (status == 0)
            /* a stream that goes on brings labels by their commands */
            found = look(conn, type, !sink->config->ddl_by_text || atomic_load(&sink->lsn) == 0, what, err);
        if (found == FAILED)
            status = -1;
        else if (found == ABSENT && type->extension)
            status = check_extension(conn, type, what, err);
        else if (found == ABSENT && (pgc_pgsink_type_is_built_in(type) || type->kind == PGCONVOY_TYPE_BASE))
            status = refuse_base(type, what, err);
        if (found == PRESENT && type->kind != PGCONVOY_TYPE_ARRAY)
            remember_good(sink, name.data);
    }
    pgc_buffer_free(&name);
    return status;
}

/* ---- making what is missing */

/* The type with its modifier as SQL; the server itself spells it. */
static int append_type_sql(PGconn *conn, const pgconvoy_type *type, int32_t typmod, pgc_buffer *out,
                           pgconvoy_error *err)
{
    char modifier[16];
    snprintf(modifier, sizeof modifier, "%d", typmod);
    bool is_array = type->kind == PGCONVOY_TYPE_ARRAY && type->element;
    const pgconvoy_type *named = is_array ? type->element : type;
    const char *values[] = {named->schema, named->name, modifier};
    const char *sql =
        is_array
            ? "SELECT format_type(t.typarray, $3::int) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace "
              "WHERE n.nspname = $1 AND t.typname = $2"
            : "SELECT format_type(t.oid, $3::int) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace "
              "WHERE n.nspname = $1 AND t.typname = $2";
    PGresult *result = pgc_pgsink_query(conn, sql, 3, values, "naming a type on the target", err);
    if (!result)
        return -1;
    bool found = PQntuples(result) == 1;
    if (found)
        pgc_buffer_text(out, PQgetvalue(result, 0, 0));
    else
        pgconvoy_error_set(err, PGCONVOY_ERROR_SINK, "type %s.%s is not on the target", type->schema, type->name);
    PQclear(result);
    return found ? 0 : -1;
}

static int definition(PGconn *conn, const pgconvoy_type *type, const char *name, pgc_buffer *sql, pgconvoy_error *err)
{
    switch (type->kind) {
    case PGCONVOY_TYPE_ENUM:
        pgc_buffer_format(sql, "CREATE TYPE %s AS ENUM (", name);
        for (int i = 0; i < type->label_count; i++) {
            pgc_buffer_text(sql, i ? ", " : "");
            pgc_quote_literal(sql, type->labels[i]);
        }
        pgc_buffer_byte(sql, ')');
        return 0;
    case PGCONVOY_TYPE_DOMAIN:
        pgc_buffer_format(sql, "CREATE DOMAIN %s AS ", name);
        return append_type_sql(conn, type->element, type->typmod, sql, err);
    case PGCONVOY_TYPE_COMPOSITE:
        pgc_buffer_format(sql, "CREATE TYPE %s AS (", name);
        for (int i = 0; i < type->field_count; i++) {
            pgc_buffer_text(sql, i ? ", " : "");
            pgc_quote_identifier(sql, type->fields[i].name);
            pgc_buffer_byte(sql, ' ');
            pgc_buffer_text(sql, type->fields[i].type_sql);
        }
        pgc_buffer_byte(sql, ')');
        return 0;
    case PGCONVOY_TYPE_RANGE:
        pgc_buffer_format(sql, "CREATE TYPE %s AS RANGE (SUBTYPE = ", name);
        if (append_type_sql(conn, type->element, -1, sql, err) != 0)
            return -1;
        pgc_buffer_byte(sql, ')');
        return 0;
    default:
        pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "type %s is not on the target and cannot be made there", name);
        pgconvoy_error_hint(err, "create the type on the target, or leave the table out");
        return -1;
    }
}

static int create_missing(PGconn *conn, const pgconvoy_type *type, const char *name, const char *what,
                          pgconvoy_error *err)
{
    pgc_buffer sql;
    char doing[400];
    snprintf(doing, sizeof doing, "creating type %.300s on the target", name);
    pgc_buffer_init(&sql, PGSINK_SQL_LIMIT);
    int status = strcmp(type->schema, "pg_catalog") == 0 ? 0 : pgc_pgsink_create_schema(conn, type->schema, err);
    if (status == 0 && type->extension) {
        snprintf(doing, sizeof doing, "creating extension %.300s on the target", type->extension);
        pgc_buffer_text(&sql, "CREATE EXTENSION IF NOT EXISTS ");
        pgc_quote_identifier(&sql, type->extension);
        pgc_buffer_text(&sql, " WITH SCHEMA ");
        pgc_quote_identifier(&sql, type->schema);
        pgc_buffer_text(&sql, " CASCADE");
    } else if (status == 0) {
        status = definition(conn, type, name, &sql, err);
    }
    if (status == 0)
        status = pgc_pgsink_execute_buffer(conn, &sql, doing, err);
    pgc_buffer_free(&sql);
    if (status == 0 && type->extension && look(conn, type, false, what, err) == ABSENT)
        status = check_extension(conn, type, what, err);
    return status;
}

int pgc_pgsink_type_create(pgc_pgsink *sink, PGconn *conn, const pgconvoy_type *type, const char *what,
                           pgconvoy_error *err)
{
    pgc_buffer name;
    if (type->lost || pgc_pgsink_type_is_built_in(type))
        return 0;
    if (qualified_name(type, &name, err) != 0)
        return -1;
    int status = 0;
    if (!known_good(sink, name.data)) {
        status = type->extension ? 0 : each_part(sink, conn, type, what, pgc_pgsink_type_create, err);
        if (status == 0 && !(type->kind == PGCONVOY_TYPE_ARRAY && type->element)) {
            presence found = look(conn, type, false, what, err);
            if (found == FAILED)
                status = -1;
            else if (found == ABSENT)
                status = create_missing(conn, type, name.data, what, err);
        }
    }
    pgc_buffer_free(&name);
    return status;
}

/* Its place is after the next label before it that is there (with all, each before it is by now), else before the next one after it. */
static int add_label(pgc_pgsink *sink, const pgconvoy_type *type, const char *schema, const char *name, int label, const PGresult *there, bool all,
                     pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 65536);
    pgc_buffer_text(&sql, "ALTER TYPE ");
    pgc_quote_qualified(&sql, schema, name);
    pgc_buffer_text(&sql, " ADD VALUE IF NOT EXISTS ");
    pgc_quote_literal(&sql, type->labels[label]);
    int before = label - 1, next = label + 1;
    while (before >= 0 && !all && !has_label(there, type->labels[before]))
        before--;
    while (next < type->label_count && !has_label(there, type->labels[next]))
        next++;
    if (before >= 0 || next < type->label_count) {
        pgc_buffer_text(&sql, before >= 0 ? " AFTER " : " BEFORE ");
        pgc_quote_literal(&sql, type->labels[before >= 0 ? before : next]);
    }
    PGconn *conn = pgc_pgsink_borrow(sink, err);
    int status = conn ? pgc_pgsink_execute_buffer(conn, &sql, "adding a label to an enum on the target", err) : -1;
    if (conn)
        pgc_pgsink_give_back(sink, conn);
    pgc_buffer_free(&sql);
    return status;
}

/*
 * The target has a label that the source has not: it may have been renamed there, and the command that says so is still to come. Until then the
 * new name is not to be taken.
 */
static bool may_be_renamed(const PGresult *there, const pgconvoy_type *type)
{
    int current = type->label_count - type->former_label_count;
    for (int row = 0; row < PQntuples(there); row++) {
        int i = 0;
        while (i < current && strcmp(type->labels[i], PQgetvalue(there, row, 0)) != 0)
            i++;
        if (i == current)
            return true;
    }
    return false;
}

/* schema, name: what it is called on the target. conn: sees what the transaction under way has changed. */
static int extend(pgc_pgsink *sink, PGconn *conn, const pgconvoy_type *type, const char *schema, const char *name, pgc_pgsink_labels which, pgconvoy_error *err)
{
    /* in a trial it would be committed. Where commands come they bring labels, and may hold a lock on the type */
    if (sink->config->tell || (sink->config->ddl_by_text && !sink->config->lacks_label))
        return 0;
    const char *values[] = {schema, name};
    PGresult *result =
        pgc_pgsink_query(conn,
                         "SELECT e.enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid "
                         "JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = $1 AND t.typname = $2",
                         2, values, "reading the labels of an enum on the target", err);
    int status = result ? 0 : -1;
    /* none at all: no such enum, which is for others to say */
    bool all = which == PGSINK_LABELS_ALL ||
               (which == PGSINK_LABELS_NEW && status == 0 && ((sink->config->lacks_label && !sink->config->ddl_by_text) || !may_be_renamed(result, type)));
    for (int i = 0; i < type->label_count && status == 0 && PQntuples(result) > 0; i++)
        if ((all || (which == PGSINK_LABEL_MET && strcmp(type->labels[i], type->met_label) == 0)) && !has_label(result, type->labels[i]))
            status = add_label(sink, type, schema, name, i, result, all, err);
    PQclear(result);
    return status;
}

int pgc_pgsink_enum_extend(pgc_pgsink *sink, PGconn *conn, const pgconvoy_type *type, const pgc_pgsink_column *column, pgc_pgsink_labels which, pgconvoy_error *err)
{
    if (type->kind == PGCONVOY_TYPE_ENUM)
        return which == PGSINK_LABEL_MET && !type->met_label
                   ? 0
                   : extend(sink, conn, type, column ? column->type_schema : type->schema, column ? column->type_name : type->name, which, err);
    if (type->kind == PGCONVOY_TYPE_ARRAY && type->element && column) {
        const pgc_pgsink_column element = {.type_schema = column->element_schema, .type_name = column->element_name};
        return pgc_pgsink_enum_extend(sink, conn, type->element, &element, which, err);
    }
    if (type->kind != PGCONVOY_TYPE_BASE && type->element)
        return pgc_pgsink_enum_extend(sink, conn, type->element, NULL, which, err);
    for (int i = 0; i < type->field_count; i++)
        if (pgc_pgsink_enum_extend(sink, conn, type->fields[i].type, NULL, which, err) != 0)
            return -1;
    return 0;
}
