/* Sequences: CREATE SEQUENCE, or the identity of a column, which is a sequence too; whose they are; and where they go on. */
#include "catalog/relation_write.h"

#include "catalog/kinds.h"

/* What a sequence of a type runs to when nothing is said. */
static const struct limits {
    const char *type, *up_to, *down_to;
} limits[] = {
    {"smallint", "32767", "-32768"},
    {"integer", "2147483647", "-2147483648"},
    {"bigint", "9223372036854775807", "-9223372036854775808"},
};

static const struct limits *limits_of(const char *type)
{
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (strcmp(limits[i].type, type) == 0)
            return &limits[i];
    return NULL;
}

/* MINVALUE or MAXVALUE, or that it is the usual one. */
static void limit(pgc_buffer *out, const char *what, const char *value, const char *usual)
{
    if (strcmp(value, usual) == 0)
        pgc_buffer_format(out, "    NO %s\n", what);
    else
        pgc_buffer_format(out, "    %s %s\n", what, value);
}

static void parameters(pgc_ddl *ddl, pgc_buffer *out, const pgc_sequence *sequence)
{
    const struct limits *usual = limits_of(sequence->type);
    if (!usual) {
        pgc_ddl_fail(ddl, "unrecognized sequence type: %s", sequence->type);
        return;
    }
    bool down = sequence->increment[0] == '-';
    pgc_buffer_format(out, "    START WITH %s\n    INCREMENT BY %s\n", sequence->start, sequence->increment);
    limit(out, "MINVALUE", sequence->minimum, down ? usual->down_to : "1");
    limit(out, "MAXVALUE", sequence->maximum, down ? "-1" : usual->up_to);
    pgc_buffer_format(out, "    CACHE %s%s", sequence->cache, sequence->cycle ? "\n    CYCLE" : "");
}

static const pgc_column *owning_column(pgc_ddl *ddl, const pgc_relation *sequence, const pgc_relation *table)
{
    if (table && sequence->owning_column > 0 && sequence->owning_column <= table->column_count)
        return &table->columns[sequence->owning_column - 1];
    pgc_ddl_fail(ddl, "failed sanity check, parent table with OID %u of sequence with OID %u not found", sequence->owning_table,
                 sequence->object.oid);
    return NULL;
}

static void identity(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *sequence, const char *name)
{
    const pgc_relation *table = pgc_catalog_relation(ddl->catalog, sequence->owning_table);
    const pgc_column *column = owning_column(ddl, sequence, table);
    if (!column)
        return;
    pgc_buffer_format(out, "ALTER TABLE %s ALTER COLUMN %s ADD GENERATED %s AS IDENTITY (\n    SEQUENCE NAME %s\n",
                      pgc_ddl_object_name(ddl, &table->object), pgc_ddl_name(ddl, column->name),
                      column->identity == 'a' ? "ALWAYS" : column->identity == 'd' ? "BY DEFAULT" : "", name);
    /* before 15 there is no such clause, and every sequence is logged */
    if (ddl->version >= 150000 && sequence->persistence != table->persistence)
        pgc_buffer_format(out, "    %s\n", sequence->persistence == 'u' ? "UNLOGGED" : "LOGGED");
    parameters(ddl, out, sequence->sequence);
    pgc_buffer_text(out, "\n);\n");
}

static void create(pgc_ddl *ddl, pgc_buffer *out, const pgc_relation *sequence, const char *name)
{
    pgc_buffer_format(out, "CREATE %sSEQUENCE %s\n", sequence->persistence == 'u' ? "UNLOGGED " : "", name);
    if (strcmp(sequence->sequence->type, "bigint") != 0)
        pgc_buffer_format(out, "    AS %s\n", sequence->sequence->type);
    parameters(ddl, out, sequence->sequence);
    pgc_buffer_text(out, ";\n");
}

/* An entry of its own, behind the sequence's: it cannot run before the sequence has been given to the owner of the table. */
static void owned_by(pgc_ddl *ddl, const pgc_relation *sequence, const char *name)
{
    const pgc_relation *table = pgc_catalog_relation(ddl->catalog, sequence->owning_table);
    if (table && !pgc_object_writes(&table->object, PGC_PART_DEFINITION))
        return;
    const pgc_column *column = owning_column(ddl, sequence, table);
    if (!column)
        return;
    PGC_ENTRY(ddl, .object = &sequence->object, .id = -1, .no_catalog_row = true, .tag = sequence->object.name, .description = "SEQUENCE OWNED BY",
              .section = PGC_SECTION_PRE_DATA,
              .create = pgc_ddl_format(ddl, "ALTER SEQUENCE %s OWNED BY %s.%s;\n", name, pgc_ddl_object_name(ddl, &table->object),
                                       pgc_ddl_name(ddl, column->name)),
              .dependencies = &sequence->object.id, .dependency_count = 1);
}

void pgc_write_sequence(pgc_ddl *ddl, const pgc_relation *sequence)
{
    const pgc_object *object = &sequence->object;
    const char *name = pgc_ddl_object_name(ddl, object);
    pgc_buffer *out = pgc_ddl_buffer(ddl);
    if (!sequence->sequence || !sequence->sequence->type) {
        pgc_ddl_fail(ddl, "query to get data of sequence \"%s\" returned %d rows (expected 1)", object->name, 0);
        return;
    }
    if (ddl->options->binary_upgrade)
        pgc_ddl_upgrade_oids(ddl, out, sequence);
    if (sequence->is_identity_sequence)
        identity(ddl, out, sequence, name);
    else
        create(ddl, out, sequence, name);
    pgc_ddl_extension_member(ddl, out, object, "SEQUENCE", pgc_ddl_name(ddl, object->name), object->schema ? object->schema->object.name : NULL);
    /* an identity goes with its column */
    PGC_ENTRY(ddl, .object = object, .tag = object->name, .description = "SEQUENCE", .section = PGC_SECTION_PRE_DATA, .create = out->data,
              .drop = sequence->is_identity_sequence ? "" : pgc_ddl_format(ddl, "DROP SEQUENCE %s;\n", name));
    if (sequence->owning_table && !sequence->is_identity_sequence)
        owned_by(ddl, sequence, name);
}

void pgc_write_sequence_value(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_table_data *data = (const pgc_table_data *)object;
    const pgc_object *sequence = &data->relation->object;
    if (!pgc_object_writes(object, PGC_PART_DATA))
        return;
    bool is_known = data->relation->sequence && data->relation->sequence->value;
    if (!is_known && ddl->options->only_tables)
        return; /* whose of all sequences are wanted is known only later, and most may be nobody's business here */
    if (!is_known) {
        pgc_ddl_fail(ddl, "permission denied for sequence %s", sequence->name); /* or, on a standby, it is unlogged */
        return;
    }
    PGC_ENTRY(ddl, .object = sequence, .id = -1, .no_catalog_row = true, .tag = sequence->name, .description = "SEQUENCE SET",
              .section = PGC_SECTION_DATA,
              .create = pgc_ddl_format(ddl, "SELECT pg_catalog.setval(%s, %s);\n", pgc_ddl_literal(ddl, pgc_ddl_object_name(ddl, sequence)),
                                       data->relation->sequence->value),
              .dependencies = &sequence->id, .dependency_count = 1);
}
