/*
 * The database itself, for --create: CREATE DATABASE with what cannot be changed later, then its comment, labels and privileges, and an entry with the properties that can be set, since CREATE DATABASE must stand
 * alone. What is written is for a server of the source's version or later: the locale's provider can be named from 15 on. A binary upgrade, though, of an older server leads to 15 at least, and speaks its language.
 */
#include "catalog/kinds.h"
#include "catalog/setting.h"

#define LO_RELATION 2613u /* pg_largeobject and its index */
#define LO_INDEX    2683u

struct pgc_database {
    uint32_t oid;
    const char *name, *owner, *encoding, *collate, *ctype, *locale, *icu_rules, *collation_version, *tablespace, *description;
    char provider; /* 'c' libc, 'i' icu, 'b' builtin; 0 before 15 */
    const char *frozen_xid, *min_multixid, *connection_limit;
    bool is_template;
    pgc_acl acl;
    const char *providers, *labels; /* of security labels: arrays of the same length */
    const char *settings, *role_names, *role_settings;
    /* of pg_largeobject and of its index, which an upgrade takes over as they are */
    struct lo_storage {
        const char *frozen_xid, *min_multixid, *file;
    } lo, lo_index;
    bool lo_index_first; /* in pg_class, which is the order in which they are written */
};

PGC_TAKE(database)
{
    struct pgc_database *database = pgc_arena_zalloc(catalog->arena, sizeof *database);
    if (!database)
        return pgc_error_out_of_memory(err);
    const struct {
        const char *name;
        const char **place;
    } texts[] = {
        {"datname", &database->name}, {"encoding", &database->encoding}, {"datcollate", &database->collate}, {"datctype", &database->ctype},
        {"locale", &database->locale}, {"daticurules", &database->icu_rules}, {"datcollversion", &database->collation_version},
        {"tablespace", &database->tablespace}, {"description", &database->description}, {"datfrozenxid", &database->frozen_xid},
        {"datminmxid", &database->min_multixid}, {"datconnlimit", &database->connection_limit}, {"datacl", &database->acl.acl},
        {"default_acl", &database->acl.default_acl}, {"providers", &database->providers}, {"labels", &database->labels},
        {"settings", &database->settings}, {"role_names", &database->role_names}, {"role_settings", &database->role_settings},
        {"lo_frozen_xid", &database->lo.frozen_xid}, {"lo_min_multixid", &database->lo.min_multixid}, {"lo_file", &database->lo.file},
        {"lo_index_frozen_xid", &database->lo_index.frozen_xid}, {"lo_index_min_multixid", &database->lo_index.min_multixid},
        {"lo_index_file", &database->lo_index.file},
    };
    if (rows->count != 1) {
        pgconvoy_error_set(err, PGCONVOY_ERROR_SOURCE, "query returned %d rows instead of one: the database's own", rows->count);
        return -1;
    }
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++)
        *texts[t].place = pgc_rows_text(rows, 0, pgc_rows_column(rows, texts[t].name));
    database->oid = pgc_rows_oid(rows, 0, pgc_rows_column(rows, "oid"));
    database->owner = pgc_catalog_role(catalog, pgc_rows_oid(rows, 0, pgc_rows_column(rows, "datdba")));
    database->provider = pgc_rows_char(rows, 0, pgc_rows_column(rows, "datlocprovider"));
    database->is_template = pgc_rows_bool(rows, 0, pgc_rows_column(rows, "datistemplate"));
    database->lo_index_first = pgc_rows_bool(rows, 0, pgc_rows_column(rows, "lo_index_first"));
    catalog->database = database;
    return 0;
}

/* ------------------------------------------------------------------ CREATE DATABASE */

/* " KEYWORD = 'text'", nothing for NULL. */
static void append_option(pgc_ddl *ddl, pgc_buffer *out, const char *keyword, const char *text)
{
    if (text)
        pgc_buffer_format(out, " %s = %s", keyword, pgc_ddl_literal(ddl, text));
}

static const char *text_or_null(const char *text)
{
    return text && text[0] ? text : NULL;
}

static void append_locale(pgc_ddl *ddl, pgc_buffer *out, const struct pgc_database *database)
{
    const char *collate = text_or_null(database->collate), *ctype = text_or_null(database->ctype);
    char letter = database->provider ? database->provider : ddl->options->binary_upgrade ? 'c' : 0;
    const char *provider = letter == 'b' ? "builtin" : letter == 'c' ? "libc" : letter == 'i' ? "icu" : NULL;
    if (provider)
        pgc_buffer_format(out, " LOCALE_PROVIDER = %s", provider);
    else if (letter)
        pgc_ddl_fail(ddl, "unrecognized locale provider: %c", letter);
    if (ddl->version >= 130000 && collate && ctype && strcmp(collate, ctype) == 0) {
        append_option(ddl, out, "LOCALE", collate);
    } else {
        append_option(ddl, out, "LC_COLLATE", collate);
        append_option(ddl, out, "LC_CTYPE", ctype);
    }
    append_option(ddl, out, database->provider == 'b' ? "BUILTIN_LOCALE" : "ICU_LOCALE", database->locale);
    append_option(ddl, out, "ICU_RULES", database->icu_rules);
}

static int write_create(pgc_ddl *ddl, const struct pgc_database *database, const char *name)
{
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    bool upgrade = ddl->options->binary_upgrade;
    pgc_buffer_format(create, "CREATE DATABASE %s WITH TEMPLATE = template0", name);
    if (upgrade)
        pgc_buffer_format(create, " OID = %u", database->oid);
    if (upgrade && ddl->version >= 180000)
        pgc_buffer_text(create, " STRATEGY = FILE_COPY");
    append_option(ddl, create, "ENCODING", text_or_null(database->encoding));
    append_locale(ddl, create, database);
    /* the version that the collation has where the dump is restored is what counts there, unless the indexes come along */
    append_option(ddl, create, "COLLATION_VERSION", upgrade ? database->collation_version : NULL);
    if (text_or_null(database->tablespace) && strcmp(database->tablespace, "pg_default") != 0 && !ddl->options->no_tablespaces)
        pgc_buffer_format(create, " TABLESPACE = %s", pgc_ddl_name(ddl, database->tablespace));
    pgc_buffer_text(create, ";\n");
    const pgc_object row = {.class_oid = PGC_PG_DATABASE, .oid = database->oid, .name = database->name, .owner = database->owner};
    pgc_entry *entry = PGC_ENTRY(ddl, .id = -1, .object = &row, .tag = database->name, .description = "DATABASE", .section = PGC_SECTION_PRE_DATA,
                                 .create = create->data, .drop = pgc_ddl_format(ddl, "DROP DATABASE %s;\n", name));
    entry->object = NULL; /* the row was only lent: a database is no object of its own catalog */
    return entry->id;
}

/* ------------------------------------------------------------------ what is said of it */

static void write_note(pgc_ddl *ddl, const struct pgc_database *database, const char *name, int id, const char *description, const char *commands)
{
    PGC_ENTRY(ddl, .id = -1, .tag = pgc_ddl_format(ddl, "DATABASE %s", name), .owner = database->owner, .description = description,
              .section = PGC_SECTION_NONE, .create = commands, .dependencies = &id, .dependency_count = 1);
}

static void write_labels(pgc_ddl *ddl, const struct pgc_database *database, const char *name, int id)
{
    char **providers, **labels;
    int count = pgc_parse_array(ddl->scratch, database->providers, &providers);
    if (ddl->options->no_security_labels || count <= 0 || pgc_parse_array(ddl->scratch, database->labels, &labels) != count)
        return;
    pgc_buffer *commands = pgc_ddl_buffer(ddl);
    for (int i = 0; i < count; i++)
        pgc_buffer_format(commands, "SECURITY LABEL FOR %s ON DATABASE %s IS %s;\n", pgc_ddl_name(ddl, providers[i]), name,
                          pgc_ddl_literal(ddl, labels[i]));
    write_note(ddl, database, name, id, "SECURITY LABEL", commands->data);
}

/* ------------------------------------------------------------------ properties */

/* "ALTER … SET name TO value;" for a setting as the catalog has it, name=value. */
static void append_setting(pgc_ddl *ddl, pgc_buffer *out, const char *alter, const char *setting)
{
    const char *equals = setting ? strchr(setting, '=') : NULL;
    if (!equals)
        return;
    const char *name = pgc_ddl_format(ddl, "%.*s", (int)(equals - setting), setting);
    pgc_buffer_format(out, "%s SET %s TO ", alter, pgc_ddl_name(ddl, name));
    pgc_ddl_setting_value(ddl, out, name, equals + 1);
    pgc_buffer_text(out, ";\n");
}

static void append_settings(pgc_ddl *ddl, pgc_buffer *out, const struct pgc_database *database, const char *name)
{
    char **settings, **roles;
    const char *alter = pgc_ddl_format(ddl, "ALTER DATABASE %s", name);
    int count = pgc_parse_array(ddl->scratch, database->settings, &settings);
    for (int i = 0; i < count; i++)
        append_setting(ddl, out, alter, settings[i]);
    count = pgc_parse_array(ddl->scratch, database->role_settings, &settings);
    if (count <= 0 || pgc_parse_array(ddl->scratch, database->role_names, &roles) != count)
        return;
    for (int i = 0; i < count; i++)
        append_setting(ddl, out, pgc_ddl_format(ddl, "ALTER ROLE %s IN DATABASE %s", pgc_ddl_name(ddl, roles[i]), name), settings[i]);
}

static void write_properties(pgc_ddl *ddl, const struct pgc_database *database, const char *name)
{
    pgc_buffer *create = pgc_ddl_buffer(ddl), *drop = pgc_ddl_buffer(ddl);
    if (text_or_null(database->connection_limit) && strcmp(database->connection_limit, "-1") != 0)
        pgc_buffer_format(create, "ALTER DATABASE %s CONNECTION LIMIT = %s;\n", name, database->connection_limit);
    if (database->is_template) {
        pgc_buffer_format(create, "ALTER DATABASE %s IS_TEMPLATE = true;\n", name);
        /* a template cannot be dropped, and there is no ALTER DATABASE IF EXISTS */
        pgc_buffer_format(drop, "UPDATE pg_catalog.pg_database SET datistemplate = false WHERE datname = %s;\n",
                          pgc_ddl_literal(ddl, database->name));
    }
    append_settings(ddl, create, database, name);
    if (ddl->options->binary_upgrade)
        pgc_buffer_format(create,
                          "\n-- For binary upgrade, set datfrozenxid and datminmxid.\n"
                          "UPDATE pg_catalog.pg_database\nSET datfrozenxid = '%s', datminmxid = '%s'\nWHERE datname = %s;\n",
                          database->frozen_xid, database->min_multixid, pgc_ddl_literal(ddl, database->name));
    if (create->length)
        PGC_ENTRY(ddl, .id = -1, .tag = database->name, .owner = database->owner, .description = "DATABASE PROPERTIES",
                  .section = PGC_SECTION_PRE_DATA, .create = create->data, .drop = drop->data ? drop->data : "");
}

/* ------------------------------------------------------------------ binary upgrade */

/* The table of large objects is taken over as a file: its name and its horizons must be those it had. */
static void write_large_object_table(pgc_ddl *ddl, const struct pgc_database *database)
{
    const struct {
        const char *what;
        uint32_t oid;
        const struct lo_storage *storage;
    } relations[] = {{"heap", LO_RELATION, &database->lo}, {"index", LO_INDEX, &database->lo_index}};
    pgc_buffer *files = pgc_ddl_buffer(ddl), *horizons = pgc_ddl_buffer(ddl);
    for (int i = 0; i < 2; i++) {
        int r = database->lo_index_first ? 1 - i : i;
        pgc_buffer_format(files, "SELECT pg_catalog.binary_upgrade_set_next_%s_relfilenode('%s'::pg_catalog.oid);\n", relations[r].what,
                          relations[r].storage->file);
        pgc_buffer_format(horizons, "UPDATE pg_catalog.pg_class\nSET relfrozenxid = '%s', relminmxid = '%s'\nWHERE oid = %u;\n",
                          relations[r].storage->frozen_xid, relations[r].storage->min_multixid, relations[r].oid);
    }
    PGC_ENTRY(ddl, .id = -1, .tag = "pg_largeobject", .description = "pg_largeobject", .section = PGC_SECTION_PRE_DATA,
              .create = pgc_ddl_format(ddl,
                                       "\n-- For binary upgrade, preserve pg_largeobject and index relfilenodes\n%s"
                                       "TRUNCATE pg_catalog.pg_largeobject;\n"
                                       "\n-- For binary upgrade, set pg_largeobject relfrozenxid and relminmxid\n%s",
                                       files->data, horizons->data));
}

void pgc_write_database(pgc_ddl *ddl)
{
    const struct pgc_database *database = ddl->catalog->database;
    if (!database)
        return;
    const char *name = pgc_ddl_name(ddl, database->name);
    int id = write_create(ddl, database, name);
    if (text_or_null(database->description) && !ddl->options->no_comments)
        write_note(ddl, database, name, id, "COMMENT",
                   pgc_ddl_format(ddl, "COMMENT ON DATABASE %s IS %s;\n", name, pgc_ddl_literal(ddl, database->description)));
    write_labels(ddl, database, name, id);
    pgc_ddl_acl(ddl, id, 0, "DATABASE", name, NULL, NULL, NULL, database->owner, &database->acl);
    write_properties(ddl, database, name);
    if (ddl->options->binary_upgrade)
        write_large_object_table(ddl, database);
}
