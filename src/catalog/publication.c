/* Publications, and the tables and schemas that are in them. All of them are dumped only when everything is. */
#include "catalog/dependent_shared.h"

int pgc_take_publications(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "oid"), name = pgc_rows_column(rows, "pubname"), owner = pgc_rows_column(rows, "pubowner"),
        all_tables = pgc_rows_column(rows, "puballtables"), inserts = pgc_rows_column(rows, "pubinsert"), updates = pgc_rows_column(rows, "pubupdate"),
        deletes = pgc_rows_column(rows, "pubdelete"), truncates = pgc_rows_column(rows, "pubtruncate"), via_root = pgc_rows_column(rows, "pubviaroot"),
        generated = pgc_rows_column(rows, "pubgencols");
    for (int row = 0; row < rows->count; row++) {
        pgc_publication *publication = pgc_catalog_add(catalog, PGC_KIND_PUBLICATION, sizeof *publication, PGC_PG_PUBLICATION, pgc_rows_oid(rows, row, oid),
                                                       pgc_rows_text(rows, row, name), NULL, err);
        if (!publication)
            return -1;
        publication->object.owner = pgc_catalog_role(catalog, pgc_rows_oid(rows, row, owner));
        publication->all_tables = pgc_rows_bool(rows, row, all_tables);
        publication->inserts = pgc_rows_bool(rows, row, inserts);
        publication->updates = pgc_rows_bool(rows, row, updates);
        publication->deletes = pgc_rows_bool(rows, row, deletes);
        publication->truncates = pgc_rows_bool(rows, row, truncates);
        publication->via_root = pgc_rows_bool(rows, row, via_root);
        publication->stored_generated = pgc_rows_char(rows, row, generated) == 's';
        if (pgc_select_object(catalog, &publication->object, err) != 0)
            return -1;
    }
    return 0;
}

/* Until 17 what is left out of the dump is left out of the publications in it; from 18 on a publication is what it is. */
static bool may_be_held(const pgc_catalog *catalog, const pgc_object *held, unsigned parts)
{
    return catalog->version >= 180000 || (held->wanted & parts);
}

/* What a publication holds is wanted with everything, whatever its schema. */
static int select_member(pgc_catalog *catalog, pgc_object *object, pgconvoy_error *err)
{
    bool member;
    if (pgc_select_by_extension(catalog, object, &member, err) != 0)
        return -1;
    if (!member)
        object->wanted = pgc_options_include_everything(catalog->options) ? PGC_PART_ALL : 0;
    return 0;
}

static pgc_publication *find_publication(const pgc_catalog *catalog, uint32_t oid)
{
    return (pgc_publication *)pgc_catalog_find(catalog, PGC_PG_PUBLICATION, oid);
}

int pgc_take_publication_schemas(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "oid"), publication = pgc_rows_column(rows, "pnpubid"), schema = pgc_rows_column(rows, "pnnspid");
    for (int row = 0; row < rows->count; row++) {
        pgc_publication *holder = find_publication(catalog, pgc_rows_oid(rows, row, publication));
        pgc_schema *held = pgc_catalog_schema(catalog, pgc_rows_oid(rows, row, schema));
        if (!holder || !held || !may_be_held(catalog, &held->object, PGC_PART_ALL))
            continue;
        pgc_publication_schema *member = pgc_catalog_add(catalog, PGC_KIND_PUBLICATION_SCHEMA, sizeof *member, PGC_PG_PUBLICATION_NAMESPACE,
                                                         pgc_rows_oid(rows, row, oid), held->object.name, NULL, err);
        if (!member)
            return -1;
        member->object.owner = holder->object.owner;
        member->publication = holder;
        member->schema = held;
        if (select_member(catalog, &member->object, err) != 0)
            return -1;
    }
    return 0;
}

int pgc_take_publication_tables(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "oid"), publication = pgc_rows_column(rows, "prpubid"), table = pgc_rows_column(rows, "prrelid"),
        filter = pgc_rows_column(rows, "filter"), columns = pgc_rows_column(rows, "columns");
    for (int row = 0; row < rows->count; row++) {
        pgc_publication *holder = find_publication(catalog, pgc_rows_oid(rows, row, publication));
        pgc_relation *held = pgc_catalog_relation(catalog, pgc_rows_oid(rows, row, table));
        if (!holder || !held || !may_be_held(catalog, &held->object, PGC_PART_DEFINITION))
            continue;
        pgc_publication_table *member = dependent_add(catalog, PGC_KIND_PUBLICATION_TABLE, sizeof *member, PGC_PG_PUBLICATION_REL,
                                                      pgc_rows_oid(rows, row, oid), held->object.name, held, err);
        if (!member)
            return -1;
        /* nobody owns it; but it must be restored by who may change the publication */
        member->object.owner = holder->object.owner;
        member->publication = holder;
        member->relation = held;
        member->filter = pgc_rows_text(rows, row, filter);
        member->columns = pgc_rows_text(rows, row, columns);
        if (select_member(catalog, &member->object, err) != 0)
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ writing */

static void write_actions(pgc_buffer *out, const pgc_publication *publication)
{
    const struct {
        bool published;
        const char *word;
    } actions[] = {{publication->inserts, "insert"}, {publication->updates, "update"}, {publication->deletes, "delete"}, {publication->truncates, "truncate"}};
    const char *comma = "";
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (!actions[i].published)
            continue;
        pgc_buffer_format(out, "%s%s", comma, actions[i].word);
        comma = ", ";
    }
}

void pgc_write_publication(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_publication *publication = (const pgc_publication *)object;
    const char *name = pgc_ddl_name(ddl, object->name);
    if (pgc_object_writes(object, PGC_PART_DEFINITION)) {
        pgc_buffer *create = pgc_ddl_buffer(ddl);
        pgc_buffer_format(create, "CREATE PUBLICATION %s%s WITH (publish = '", name, publication->all_tables ? " FOR ALL TABLES" : "");
        write_actions(create, publication);
        pgc_buffer_format(create, "'%s%s);\n", publication->via_root ? ", publish_via_partition_root = true" : "",
                          publication->stored_generated ? ", publish_generated_columns = stored" : "");
        PGC_ENTRY(ddl, .object = object, .description = "PUBLICATION", .section = PGC_SECTION_POST_DATA, .create = create->data,
                  .drop = pgc_ddl_format(ddl, "DROP PUBLICATION %s;\n", name));
    }
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment(ddl, object, "PUBLICATION", name, NULL);
    if (pgc_object_writes(object, PGC_PART_SECURITY_LABEL))
        pgc_ddl_security_label(ddl, object, "PUBLICATION", name, NULL);
}

/* No DROP for what is in a publication: it goes with the table or the schema. */
void pgc_write_publication_schema(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_publication_schema *member = (const pgc_publication_schema *)object;
    const char *publication = member->publication->object.name;
    if (pgc_object_writes(object, PGC_PART_DEFINITION))
        PGC_ENTRY(ddl, .object = object, .tag = pgc_ddl_format(ddl, "%s %s", publication, object->name), .schema = object->name,
                  .description = "PUBLICATION TABLES IN SCHEMA", .section = PGC_SECTION_POST_DATA,
                  .create = pgc_ddl_format(ddl, "ALTER PUBLICATION %s ADD TABLES IN SCHEMA %s;\n", pgc_ddl_name(ddl, publication),
                                           pgc_ddl_name(ddl, object->name)));
}

void pgc_write_publication_table(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_publication_table *member = (const pgc_publication_table *)object;
    const char *publication = member->publication->object.name;
    if (!pgc_object_writes(object, PGC_PART_DEFINITION))
        return;
    pgc_buffer *create = pgc_ddl_buffer(ddl);
    pgc_buffer_format(create, "ALTER PUBLICATION %s ADD TABLE ONLY %s", pgc_ddl_name(ddl, publication), pgc_ddl_object_name(ddl, object));
    if (member->columns) {
        char **columns;
        int count = pgc_parse_array(ddl->scratch, member->columns, &columns);
        if (count < 0)
            pgc_ddl_fail(ddl, "could not parse %s array", "prattrs");
        pgc_buffer_text(create, " (");
        for (int i = 0; i < count; i++)
            pgc_buffer_format(create, "%s%s", i ? ", " : "", pgc_ddl_name(ddl, columns[i]));
        pgc_buffer_byte(create, ')');
    }
    if (member->filter) /* the server gives no parentheses around a mere TRUE */
        pgc_buffer_format(create, " WHERE (%s)", member->filter);
    pgc_buffer_text(create, ";\n");
    PGC_ENTRY(ddl, .object = object, .tag = pgc_ddl_format(ddl, "%s %s", publication, object->name), .description = "PUBLICATION TABLE",
              .section = PGC_SECTION_POST_DATA, .create = create->data);
}

/* By the publication's name: schema and name are those of the table or schema in it. */
int pgc_compare_publication_table(const pgc_catalog *catalog, const pgc_object *a, const pgc_object *b)
{
    (void)catalog;
    return strcmp(((const pgc_publication_table *)a)->publication->object.name, ((const pgc_publication_table *)b)->publication->object.name);
}

int pgc_compare_publication_schema(const pgc_catalog *catalog, const pgc_object *a, const pgc_object *b)
{
    (void)catalog;
    return strcmp(((const pgc_publication_schema *)a)->publication->object.name, ((const pgc_publication_schema *)b)->publication->object.name);
}
