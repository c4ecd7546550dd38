/* Roles belong to a server, not to a database: those that own or are granted something must be there before the copy begins, or are made, without passwords and superuser rights. */
#include "clone/clone_internal.h"

#include "postgres/connection.h"
#include "postgres/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who is granted what, by pg_shdepend; of the target, who there is. */
static const char granted_query[] =
    "SELECT r.rolname, d.classid, d.objid FROM pg_catalog.pg_shdepend d JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid "
    "WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND d.deptype <> 'o' "
    "AND d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())";
/* Whom a policy is for, which is neither owning nor a privilege. */
static const char policy_query[] =
    "SELECT r.rolname, d.objid FROM pg_catalog.pg_shdepend d JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid "
    "WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND d.deptype = 'r' AND d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass "
    "AND d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())";
static const char role_query[] =
    "SELECT rolname, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = $1";
static const char member_query[] =
    "SELECT g.rolname, m.rolname FROM pg_catalog.pg_auth_members a JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles m ON m.oid = a.member";

typedef struct roles {
    pgc_clone *clone;
    clone_names there, missing;
    const char **order; /* of the missing ones */
    int count;
} roles;

static int need(roles *roles, const char *name, pgconvoy_error *err)
{
    if (!name || !name[0] || strncmp(name, "pg_", 3) == 0 || clone_names_have(&roles->there, name) || clone_names_have(&roles->missing, name))
        return 0;
    const char *copy = pgc_arena_strdup(roles->clone->arena, name);
    const char **order = realloc(roles->order, sizeof *order * (size_t)(roles->count + 1));
    if (order)
        roles->order = order;
    if (!copy || !order)
        return pgc_error_out_of_memory(err);
    order[roles->count++] = copy;
    return clone_names_add(&roles->missing, copy, NULL, err);
}

static int read_there(roles *roles, pgconvoy_error *err)
{
    PGresult *result = pgc_query(roles->clone->target, "SELECT rolname FROM pg_catalog.pg_roles", err);
    int status = result ? 0 : -1;
    for (int i = 0; status == 0 && i < PQntuples(result); i++) {
        const char *name = pgc_arena_strdup(roles->clone->arena, PQgetvalue(result, i, 0));
        status = name ? clone_names_add(&roles->there, name, NULL, err) : pgc_error_out_of_memory(err);
    }
    PQclear(result);
    return status;
}

static int compare_objects(const void *a, const void *b)
{
    return memcmp(a, b, 2 * sizeof(uint32_t));
}

/* Roles granted something on what is copied. */
static int need_granted(roles *roles, pgconvoy_error *err)
{
    pgc_clone *clone = roles->clone;
    bool all = pgc_options_include_everything(&clone->dump) && !clone->options->part;
    uint32_t (*objects)[2] = calloc((size_t)clone->entries.count + 1, sizeof *objects);
    if (!objects)
        return pgc_error_out_of_memory(err);
    for (int i = 0; i < clone->entries.count; i++) {
        const pgc_object *object = clone->entries.items[i]->object;
        objects[i][0] = object ? object->class_oid : clone->entries.items[i]->class_oid;
        objects[i][1] = object ? object->oid : clone->entries.items[i]->oid;
    }
    qsort(objects, (size_t)clone->entries.count, sizeof *objects, compare_objects);
    PGresult *result = pgc_query(pgc_catalog_connection(clone->catalog), granted_query, err);
    int status = result ? 0 : -1;
    for (int i = 0; status == 0 && i < PQntuples(result); i++) {
        uint32_t key[2] = {(uint32_t)strtoul(PQgetvalue(result, i, 1), NULL, 10), (uint32_t)strtoul(PQgetvalue(result, i, 2), NULL, 10)};
        if (all || bsearch(key, objects, (size_t)clone->entries.count, sizeof *objects, compare_objects))
            status = need(roles, PQgetvalue(result, i, 0), err);
    }
    PQclear(result);
    free(objects);
    return status;
}

static int leave_policy(const roles *roles, const pgc_entry *policy, const char *role, pgconvoy_error *err)
{
    char why[160];
    if (!clone_names_have(&roles->missing, role))
        return 0;
    snprintf(why, sizeof why, "the target's server has no role \"%.80s\"; --roles makes it", role);
    return clone_leave_out(roles->clone, policy, why, err);
}

/* Needs the roles that policies are for; or, when it is known which are missing, leaves out their policies. */
static int look_at_policies(roles *roles, bool leave_out, pgconvoy_error *err)
{
    const pgc_entries *entries = &roles->clone->entries;
    const pgc_entry **policies = calloc((size_t)entries->count + 1, sizeof *policies);
    int count = 0;
    for (int i = 0; policies && i < entries->count; i++)
        if (pgc_entry_is(entries->items[i], "POLICY") && entries->items[i]->object)
            policies[count++] = entries->items[i];
    PGresult *result = policies ? pgc_query(pgc_catalog_connection(roles->clone->catalog), policy_query, err) : NULL;
    int status = result ? 0 : policies ? -1 : pgc_error_out_of_memory(err);
    for (int row = 0; status == 0 && row < PQntuples(result); row++) {
        const char *role = PQgetvalue(result, row, 0);
        uint32_t oid = (uint32_t)strtoul(PQgetvalue(result, row, 1), NULL, 10);
        for (int i = 0; i < count && status == 0; i++)
            if (policies[i]->object->oid == oid)
                status = leave_out ? leave_policy(roles, policies[i], role, err) : need(roles, role, err);
    }
    PQclear(result);
    free(policies);
    return status;
}

static int need_all(roles *roles, pgconvoy_error *err)
{
    pgc_clone *clone = roles->clone;
    for (int i = 0; i < clone->entries.count && !clone->dump.no_owner; i++) {
        const pgc_entry *entry = clone->entries.items[i];
        /* entries without a DROP own nothing by themselves: comments and the like */
        if (entry->drop && entry->drop[0] && need(roles, entry->owner, err))
            return -1;
    }
    if (look_at_policies(roles, false, err))
        return -1;
    return clone->dump.no_acl ? 0 : need_granted(roles, err);
}

static bool gives_nothing(const pgc_clone *clone)
{
    return clone->dump.no_owner && clone->dump.no_acl;
}

static int refuse(const roles *roles, pgconvoy_error *err)
{
    char names[600] = "";
    for (int i = 0; i < roles->count && i < 8; i++) {
        size_t length = strlen(names);
        snprintf(names + length, sizeof names - length, "%s%s", i ? ", " : "", roles->order[i]);
    }
    bool for_policies = gives_nothing(roles->clone);
    pgconvoy_error_set(err, PGCONVOY_ERROR_CONFIG, "the target's server lacks %d role%s that %s: %s%s", roles->count, roles->count == 1 ? "" : "s",
                       for_policies ? "row-level security policies are for" : "own or are granted what is copied", names, roles->count > 8 ? ", …" : "");
    pgconvoy_error_hint(err, for_policies ? "--roles makes them (without passwords and superuser rights); or leave out their policies with --skip-unavailable"
                                          : "--roles makes them (without passwords and superuser rights); or leave owners and privileges out with -O -x");
    return -1;
}

static int append_role(const roles *roles, const char *name, pgc_buffer *sql, pgconvoy_error *err)
{
    const char *values[] = {name};
    PGresult *result = pgc_query_params(pgc_catalog_connection(roles->clone->catalog), role_query, 1, values, err);
    if (!result)
        return -1;
    if (PQntuples(result) > 0) {
        pgc_buffer_text(sql, "CREATE ROLE ");
        pgc_quote_identifier(sql, name);
        pgc_buffer_format(sql, "%s%s%s%s CONNECTION LIMIT %s;", PQgetvalue(result, 0, 1)[0] == 't' ? " INHERIT" : " NOINHERIT", PQgetvalue(result, 0, 2)[0] == 't' ? " CREATEROLE" : "",
                          PQgetvalue(result, 0, 3)[0] == 't' ? " CREATEDB" : "", PQgetvalue(result, 0, 4)[0] == 't' ? " LOGIN" : "", PQgetvalue(result, 0, 5));
    }
    PQclear(result);
    return 0;
}

/* Memberships of the new roles, among roles that are there or new. */
static int append_memberships(const roles *roles, pgc_buffer *sql, pgconvoy_error *err)
{
    PGresult *result = pgc_query(pgc_catalog_connection(roles->clone->catalog), member_query, err);
    if (!result)
        return -1;
    for (int i = 0; i < PQntuples(result); i++) {
        const char *group = PQgetvalue(result, i, 0), *member = PQgetvalue(result, i, 1);
        bool new_group = clone_names_have(&roles->missing, group), new_member = clone_names_have(&roles->missing, member);
        /* a membership in a role that was there would give rights that nobody was asked for */
        if (!new_group || !(new_member || clone_names_have(&roles->there, member)))
            continue;
        pgc_buffer_text(sql, "GRANT ");
        pgc_quote_identifier(sql, group);
        pgc_buffer_text(sql, " TO ");
        pgc_quote_identifier(sql, member);
        pgc_buffer_byte(sql, ';');
    }
    PQclear(result);
    return 0;
}

static int make(const roles *roles, pgconvoy_error *err)
{
    pgc_buffer sql;
    pgc_buffer_init(&sql, 1 << 24);
    int result = 0;
    for (int i = 0; i < roles->count && result == 0; i++)
        result = append_role(roles, roles->order[i], &sql, err);
    if (result == 0)
        result = append_memberships(roles, &sql, err);
    if (result == 0)
        result = pgc_buffer_check(&sql, err);
    roles->clone->role_count = roles->count;
    if (result == 0 && !(roles->clone->role_sql = pgc_arena_strdup(roles->clone->arena, sql.data)))
        result = pgc_error_out_of_memory(err);
    pgc_buffer_free(&sql);
    return result;
}

/* A stream needs rows, whoever they belong to. Privileges alone may be given by the target's user, to whom all belongs then. */
static int forget(const roles *roles, pgconvoy_error *err)
{
    pgc_clone *clone = roles->clone;
    if (gives_nothing(clone))
        return 0;
    bool may_give = strcmp(PQparameterStatus(clone->target, "is_superuser"), "on") == 0 || clone->dump.no_owner;
    if (may_give && roles->count == 0)
        return 0;
    if (may_give)
        pgc_log_warning(clone->options->log, "owners and privileges are left out: the target's server lacks %d role%s, such as %s; --roles makes them", roles->count,
                        roles->count == 1 ? "" : "s", roles->order[0]);
    else
        pgc_log_info(clone->options->log, "owners and privileges are left out: only a superuser of the target can give them");
    return clone_plan_forget_roles(clone, err);
}

int clone_roles_check(pgc_clone *clone, pgconvoy_error *err)
{
    roles roles = {.clone = clone};
    int result = read_there(&roles, err);
    if (result == 0)
        result = need_all(&roles, err);
    if (result == 0 && clone->options->part && !clone->options->roles) {
        result = forget(&roles, err) || look_at_policies(&roles, true, err) ? -1 : 0;
    } else if (result == 0 && roles.count > 0 && !clone->options->roles && clone->options->skip_unavailable && gives_nothing(clone)) {
        result = look_at_policies(&roles, true, err);
    } else if (result == 0 && roles.count > 0) {
        if (!clone->options->roles)
            result = refuse(&roles, err);
        else
            result = make(&roles, err);
    }
    clone_names_free(&roles.there);
    clone_names_free(&roles.missing);
    free(roles.order);
    return result;
}
