/*
 * Subscriptions, always without connecting: whether the publisher can be reached, and may be, is for who restores. The connection may hold a password, which is why only a superuser can
 * dump one; it goes into the entry and nowhere else.
 */
#include "catalog/dependent_shared.h"

#include <strings.h>

int pgc_take_subscription_count(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    (void)err;
    if (rows->count > 0 && pgc_rows_int(rows, 0, 0) > 0)
        pgc_catalog_warn(catalog, NULL, "subscriptions not dumped because current user is not a superuser");
    return 0;
}

static void take_options(const pgc_rows *rows, int row, pgc_subscription *subscription)
{
    subscription->binary = pgc_rows_bool(rows, row, pgc_rows_column(rows, "subbinary"));
    subscription->streaming = pgc_rows_char(rows, row, pgc_rows_column(rows, "substream"));
    char two_phase = pgc_rows_char(rows, row, pgc_rows_column(rows, "subtwophasestate"));
    subscription->two_phase = two_phase ? two_phase : 'd';
    subscription->disable_on_error = pgc_rows_bool(rows, row, pgc_rows_column(rows, "subdisableonerr"));
    subscription->password_optional = pgc_rows_char(rows, row, pgc_rows_column(rows, "subpasswordrequired")) == 'f';
    subscription->run_as_owner = pgc_rows_bool(rows, row, pgc_rows_column(rows, "subrunasowner"));
    subscription->failover = pgc_rows_bool(rows, row, pgc_rows_column(rows, "subfailover"));
    subscription->enabled = pgc_rows_bool(rows, row, pgc_rows_column(rows, "subenabled"));
    const char *origin = pgc_rows_text(rows, row, pgc_rows_column(rows, "suborigin"));
    subscription->origin = origin ? origin : "any";
    subscription->origin_position = pgc_rows_text(rows, row, pgc_rows_column(rows, "remote_lsn"));
}

int pgc_take_subscriptions(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int oid = pgc_rows_column(rows, "oid"), name = pgc_rows_column(rows, "subname"), owner = pgc_rows_column(rows, "subowner"),
        connection = pgc_rows_column(rows, "subconninfo"), slot = pgc_rows_column(rows, "subslotname"), commit = pgc_rows_column(rows, "subsynccommit"),
        publications = pgc_rows_column(rows, "subpublications");
    for (int row = 0; row < rows->count; row++) {
        pgc_subscription *subscription = pgc_catalog_add(catalog, PGC_KIND_SUBSCRIPTION, sizeof *subscription, PGC_PG_SUBSCRIPTION,
                                                         pgc_rows_oid(rows, row, oid), pgc_rows_text(rows, row, name), NULL, err);
        if (!subscription)
            return -1;
        subscription->object.owner = pgc_catalog_role(catalog, pgc_rows_oid(rows, row, owner));
        subscription->connection = pgc_rows_text_or_empty(rows, row, connection);
        subscription->slot = pgc_rows_text(rows, row, slot);
        subscription->synchronous_commit = pgc_rows_text_or_empty(rows, row, commit);
        subscription->publications = pgc_rows_text(rows, row, publications);
        take_options(rows, row, subscription);
        if (pgc_select_object(catalog, &subscription->object, err) != 0)
            return -1;
    }
    return 0;
}

int pgc_take_subscription_tables(pgc_catalog *catalog, const pgc_rows *rows, pgconvoy_error *err)
{
    int subscription = pgc_rows_column(rows, "srsubid"), table = pgc_rows_column(rows, "srrelid"), state = pgc_rows_column(rows, "srsubstate"),
        position = pgc_rows_column(rows, "srsublsn");
    for (int row = 0; row < rows->count; row++) {
        pgc_subscription *holder = (pgc_subscription *)pgc_catalog_find(catalog, PGC_PG_SUBSCRIPTION, pgc_rows_oid(rows, row, subscription));
        pgc_relation *held = pgc_catalog_relation(catalog, pgc_rows_oid(rows, row, table));
        if (!holder || !held)
            continue;
        /* the row has no oid of its own: the table's and the subscription's stand for it, and its needs are said here */
        pgc_subscription_table *member = dependent_add(catalog, PGC_KIND_SUBSCRIPTION_TABLE, sizeof *member, held->object.oid, holder->object.oid,
                                                       held->object.name, held, err);
        if (!member || pgc_object_needs(catalog, &member->object, holder->object.id, err) != 0 ||
            pgc_object_needs(catalog, &member->object, held->object.id, err) != 0)
            return -1;
        member->object.owner = holder->object.owner;
        member->object.wanted &= holder->object.wanted;
        member->subscription = holder;
        member->relation = held;
        member->state = pgc_rows_char(rows, row, state);
        member->position = pgc_rows_text(rows, row, position);
    }
    return 0;
}

/* ------------------------------------------------------------------ writing */

/* 18's default is parallel, so that there "off" has to be said; before, it is the other way round. */
static const char *streaming_words(const pgc_ddl *ddl, char streaming)
{
    switch (streaming) {
    case 't':
        return ", streaming = on";
    case 'p':
        return ", streaming = parallel";
    default:
        return ddl->version >= 180000 ? ", streaming = off" : "";
    }
}

static void write_options(pgc_ddl *ddl, pgc_buffer *out, const pgc_subscription *s)
{
    pgc_buffer_format(out, "WITH (connect = false, slot_name = %s", s->slot ? pgc_ddl_literal(ddl, s->slot) : "NONE");
    pgc_buffer_text(out, s->binary ? ", binary = true" : "");
    pgc_buffer_text(out, streaming_words(ddl, s->streaming));
    pgc_buffer_text(out, s->two_phase != 'd' ? ", two_phase = on" : "");
    pgc_buffer_text(out, s->disable_on_error ? ", disable_on_error = true" : "");
    pgc_buffer_text(out, s->password_optional ? ", password_required = false" : "");
    pgc_buffer_text(out, s->run_as_owner ? ", run_as_owner = true" : "");
    pgc_buffer_text(out, s->failover ? ", failover = true" : "");
    if (strcmp(s->synchronous_commit, "off") != 0)
        pgc_buffer_format(out, ", synchronous_commit = %s", pgc_ddl_name(ddl, s->synchronous_commit));
    if (strcasecmp(s->origin, "any") != 0)
        pgc_buffer_format(out, ", origin = %s", s->origin);
    pgc_buffer_text(out, ");\n");
}

/* From 17 on a subscription goes on after the upgrade where it was before. */
static void write_upgrade(pgc_ddl *ddl, pgc_buffer *out, const pgc_subscription *s, const char *name)
{
    if (!ddl->options->binary_upgrade || ddl->version < 170000)
        return;
    if (s->origin_position)
        pgc_buffer_format(out,
                          "\n-- For binary upgrade, must preserve the remote_lsn for the subscriber's replication origin.\n"
                          "SELECT pg_catalog.binary_upgrade_replorigin_advance(%s, '%s');\n",
                          pgc_ddl_literal(ddl, s->object.name), s->origin_position);
    if (s->enabled)
        pgc_buffer_format(out, "\n-- For binary upgrade, must preserve the subscriber's running state.\nALTER SUBSCRIPTION %s ENABLE;\n", name);
}

void pgc_write_subscription(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_subscription *subscription = (const pgc_subscription *)object;
    const char *name = pgc_ddl_name(ddl, object->name);
    if (pgc_object_writes(object, PGC_PART_DEFINITION)) {
        char **publications;
        int count = pgc_parse_array(ddl->scratch, subscription->publications, &publications);
        if (count < 0)
            pgc_ddl_fail(ddl, "could not parse %s array", "subpublications");
        pgc_buffer *create = pgc_ddl_buffer(ddl);
        pgc_buffer_format(create, "CREATE SUBSCRIPTION %s CONNECTION %s PUBLICATION ", name, pgc_ddl_literal(ddl, subscription->connection));
        for (int i = 0; i < count; i++)
            pgc_buffer_format(create, "%s%s", i ? ", " : "", pgc_ddl_name(ddl, publications[i]));
        pgc_buffer_byte(create, ' ');
        write_options(ddl, create, subscription);
        write_upgrade(ddl, create, subscription, name);
        PGC_ENTRY(ddl, .object = object, .description = "SUBSCRIPTION", .section = PGC_SECTION_POST_DATA, .create = create->data,
                  .drop = pgc_ddl_format(ddl, "DROP SUBSCRIPTION %s;\n", name));
    }
    if (pgc_object_writes(object, PGC_PART_COMMENT))
        pgc_ddl_comment(ddl, object, "SUBSCRIPTION", name, NULL);
    if (pgc_object_writes(object, PGC_PART_SECURITY_LABEL))
        pgc_ddl_security_label(ddl, object, "SUBSCRIPTION", name, NULL);
}

void pgc_write_subscription_table(pgc_ddl *ddl, const pgc_object *object)
{
    const pgc_subscription_table *member = (const pgc_subscription_table *)object;
    if (!pgc_object_writes(object, PGC_PART_DEFINITION))
        return;
    const char *position = member->position && member->position[0] ? pgc_ddl_literal(ddl, member->position) : "NULL";
    PGC_ENTRY(ddl, .object = object, .tag = pgc_ddl_format(ddl, "%s %s", member->subscription->object.name, object->name),
              .description = "SUBSCRIPTION TABLE", .section = PGC_SECTION_POST_DATA,
              .create = pgc_ddl_format(ddl,
                                       "\n-- For binary upgrade, must preserve the subscriber table.\n"
                                       "SELECT pg_catalog.binary_upgrade_add_sub_rel_state(%s, %u, '%c', %s);\n",
                                       pgc_ddl_literal(ddl, member->subscription->object.name), member->relation->object.oid, member->state, position));
}

/* By the subscription's name: schema and name are those of the table. */
int pgc_compare_subscription_table(const pgc_catalog *catalog, const pgc_object *a, const pgc_object *b)
{
    (void)catalog;
    return strcmp(((const pgc_subscription_table *)a)->subscription->object.name, ((const pgc_subscription_table *)b)->subscription->object.name);
}
