/* The state of the session that runs a script: what is set once at the beginning, and what follows the entries. */
#include "archive/script_internal.h"
#include "postgres/quote.h"

void script_fixed_settings(pgc_script *script, pgc_buffer *out)
{
    const pgc_script_options *options = script->options;
    pgc_buffer_text(out, "SET statement_timeout = 0;\nSET lock_timeout = 0;\nSET idle_in_transaction_session_timeout = 0;\n");
    if (script->major >= 17)
        pgc_buffer_text(out, "SET transaction_timeout = 0;\n");
    if (script->encoding)
        pgc_buffer_format(out, "SET client_encoding = '%s';\n", script->encoding);
    pgc_buffer_format(out, "SET standard_conforming_strings = %s;\n", script->standard_strings ? "on" : "off");
    if (options->role) {
        pgc_buffer_text(out, "SET ROLE ");
        script_name(script, out, options->role);
        pgc_buffer_text(out, ";\n");
    }
    if (script->search_path)
        pgc_buffer_text(out, script->search_path);
    pgc_buffer_text(out, "SET check_function_bodies = false;\nSET xmloption = content;\nSET client_min_messages = warning;\n");
    if (!script->standard_strings)
        pgc_buffer_text(out, "SET escape_string_warning = off;\n");
    pgc_buffer_format(out, "SET row_security = %s;\n", options->enable_row_security ? "on" : "off");
    script_transaction_begin(script, out);
    pgc_buffer_byte(out, '\n');
}

void script_forget_session(pgc_script *script)
{
    script->session = (script_session){0};
}

int pgc_script_session(pgc_script *script, pgc_buffer *out, pgconvoy_error *err)
{
    script_forget_session(script);
    script_fixed_settings(script, out);
    return pgc_buffer_check(out, err);
}

static bool is_plain(const char *name)
{
    for (const char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '_' || *c == '.'))
            return false;
    return true;
}

/*
 * A name that is not plain goes through a connection string inside of a quoted identifier, which psql takes apart the same way in every encoding. A line end
 * in it would end the command and begin another: such a name has been refused (pgc_script_new).
 */
static void add_connect(pgc_script *script, pgc_buffer *out, const char *database)
{
    if (is_plain(database)) {
        pgc_buffer_text(out, "\\connect ");
        script_name(script, out, database);
        pgc_buffer_byte(out, '\n');
        return;
    }
    pgc_buffer connection;
    pgc_buffer_init(&connection, 1 << 16);
    pgc_buffer_text(&connection, "dbname='");
    for (const char *c = database; *c; c++) {
        if (*c == '\'' || *c == '\\')
            pgc_buffer_byte(&connection, '\\');
        pgc_buffer_byte(&connection, *c);
    }
    pgc_buffer_byte(&connection, '\'');
    pgc_buffer_text(out, "\\encoding SQL_ASCII\n\\connect -reuse-previous=on ");
    if (connection.failed)
        out->failed = true;
    else
        pgc_quote_identifier(out, connection.data);
    pgc_buffer_byte(out, '\n');
    pgc_buffer_free(&connection);
}

void script_connect(pgc_script *script, pgc_buffer *out, const char *database)
{
    const char *key = script->options->restrict_key;
    if (key)
        pgc_buffer_format(out, "\\unrestrict %s\n", key);
    add_connect(script, out, database);
    if (key)
        pgc_buffer_format(out, "\\restrict %s\n", key);
    pgc_buffer_byte(out, '\n');
    script_forget_session(script);
    script_fixed_settings(script, out);
}

/* True when it is not so already; then it is from now on. */
static bool changes(pgc_script *script, pgc_buffer *out, const char **have, const char *want)
{
    if (*have && strcmp(*have, want) == 0)
        return false;
    *have = pgc_arena_strdup(script->arena, want);
    if (!*have)
        out->failed = true;
    return true;
}

void script_become(pgc_script *script, pgc_buffer *out, const char *user)
{
    user = user ? user : "";
    if (!changes(script, out, &script->session.user, user))
        return;
    pgc_buffer_text(out, "SET SESSION AUTHORIZATION ");
    if (user[0])
        script_literal(script, out, user);
    else
        pgc_buffer_text(out, "DEFAULT");
    pgc_buffer_text(out, ";\n\n");
}

void script_become_owner(pgc_script *script, pgc_buffer *out, const pgc_entry *entry)
{
    if (!script->options->no_owner && script->options->use_set_session_authorization)
        script_become(script, out, entry->owner);
}

void script_select_schema(pgc_script *script, pgc_buffer *out, const char *schema)
{
    /* An archive with a SEARCHPATH entry names everything with its schema; only older ones rely on the path. */
    if (script->search_path || !schema || !schema[0] || !changes(script, out, &script->session.schema, schema))
        return;
    pgc_buffer_text(out, "SET search_path = ");
    script_name(script, out, schema);
    pgc_buffer_text(out, strcmp(schema, "pg_catalog") == 0 ? ";\n\n" : ", pg_catalog;\n\n");
}

void script_select_tablespace(pgc_script *script, pgc_buffer *out, const char *tablespace)
{
    if (script->options->no_tablespaces || !tablespace || !changes(script, out, &script->session.tablespace, tablespace))
        return;
    pgc_buffer_text(out, "SET default_tablespace = ");
    if (tablespace[0])
        script_name(script, out, tablespace);
    else
        pgc_buffer_text(out, "''");
    pgc_buffer_text(out, ";\n\n");
}

void script_select_access_method(pgc_script *script, pgc_buffer *out, const char *access_method)
{
    if (script->options->no_table_access_method || !access_method || !changes(script, out, &script->session.access_method, access_method))
        return;
    pgc_buffer_text(out, "SET default_table_access_method = ");
    script_name(script, out, access_method);
    pgc_buffer_text(out, ";\n\n");
}
