/* The table of descriptions: what a script has to know of an entry beyond its texts. */
#include "archive/script_internal.h"

#include <string.h>

#define BY_NAME SCRIPT_OWNER_BY_NAME
#define BY_DROP SCRIPT_OWNER_BY_DROP
#define OWNERLESS SCRIPT_OWNER_NONE
#define UNKNOWN SCRIPT_OWNER_UNKNOWN

static const script_kind kinds[] = {
    {"ENCODING", SCRIPT_SPECIAL, UNKNOWN},
    {"STDSTRINGS", SCRIPT_SPECIAL, UNKNOWN},
    {"SEARCHPATH", SCRIPT_SPECIAL, UNKNOWN},
    {"DATABASE", SCRIPT_DATABASE, BY_NAME},
    {"DATABASE PROPERTIES", SCRIPT_DATABASE | SCRIPT_NO_IF_EXISTS, OWNERLESS},
    {"ACL", SCRIPT_ACL | SCRIPT_FOLLOWS, UNKNOWN},
    {"ACL LANGUAGE", SCRIPT_ACL, UNKNOWN},
    {"DEFAULT ACL", SCRIPT_ACL, UNKNOWN},
    {"COMMENT", SCRIPT_FOLLOWS, UNKNOWN},
    {"SECURITY LABEL", SCRIPT_FOLLOWS, UNKNOWN},
    {"SCHEMA", 0, BY_NAME},
    {"TYPE", 0, BY_NAME},
    {"DOMAIN", 0, BY_NAME},
    {"COLLATION", 0, BY_NAME},
    {"CONVERSION", 0, BY_NAME},
    {"TABLE", SCRIPT_T, BY_NAME},
    {"VIEW", SCRIPT_T | SCRIPT_AS_TABLE, BY_NAME},
    {"MATERIALIZED VIEW", SCRIPT_T | SCRIPT_AS_TABLE, BY_NAME},
    {"SEQUENCE", SCRIPT_T | SCRIPT_AS_TABLE, BY_NAME},
    {"FOREIGN TABLE", SCRIPT_T, BY_NAME},
    {"TABLE DATA", SCRIPT_T, UNKNOWN},
    {"MATERIALIZED VIEW DATA", SCRIPT_T | SCRIPT_POST_ACL, UNKNOWN},
    {"SEQUENCE SET", SCRIPT_T | SCRIPT_DATA, UNKNOWN},
    {"STATISTICS DATA", SCRIPT_STATISTICS, UNKNOWN},
    {"INDEX", SCRIPT_I, OWNERLESS},
    {"FUNCTION", SCRIPT_P, BY_DROP},
    {"PROCEDURE", SCRIPT_P, BY_DROP},
    {"AGGREGATE", SCRIPT_P, BY_DROP},
    {"TRIGGER", SCRIPT_TRIGGER, OWNERLESS},
    {"OPERATOR", 0, BY_DROP},
    {"OPERATOR CLASS", 0, BY_DROP},
    {"OPERATOR FAMILY", 0, BY_DROP},
    {"TEXT SEARCH DICTIONARY", 0, BY_NAME},
    {"TEXT SEARCH CONFIGURATION", 0, BY_NAME},
    {"STATISTICS", 0, BY_NAME},
    {"PROCEDURAL LANGUAGE", 0, BY_NAME},
    {"FOREIGN DATA WRAPPER", 0, BY_NAME},
    {"SERVER", 0, BY_NAME},
    {"EVENT TRIGGER", SCRIPT_POST_ACL, BY_NAME},
    {"PUBLICATION", SCRIPT_PUBLICATION, BY_NAME},
    {"PUBLICATION TABLE", SCRIPT_PUBLICATION, UNKNOWN},
    {"PUBLICATION TABLES IN SCHEMA", SCRIPT_PUBLICATION, UNKNOWN},
    {"SUBSCRIPTION", SCRIPT_SUBSCRIPTION, BY_NAME},
    {"SUBSCRIPTION TABLE", SCRIPT_SUBSCRIPTION, UNKNOWN},
    {"CAST", 0, OWNERLESS},
    {"DEFAULT", SCRIPT_NO_IF_EXISTS, OWNERLESS},
    {"CONSTRAINT", SCRIPT_CONSTRAINT, OWNERLESS},
    {"CHECK CONSTRAINT", SCRIPT_CONSTRAINT, OWNERLESS},
    {"FK CONSTRAINT", SCRIPT_CONSTRAINT, OWNERLESS},
    {"RULE", 0, OWNERLESS},
    {"ROW SECURITY", SCRIPT_POLICY, OWNERLESS},
    {"POLICY", SCRIPT_POLICY, OWNERLESS},
    {"USER MAPPING", 0, OWNERLESS},
    {"BLOB", SCRIPT_DATA | SCRIPT_LARGE_OBJECT, SCRIPT_OWNER_LARGE_OBJECT},
    {"BLOB METADATA", SCRIPT_DATA | SCRIPT_LARGE_OBJECT, SCRIPT_OWNER_LARGE_OBJECTS}, /* 17 */
    {"BLOBS", 0, UNKNOWN},
    {"BLOB COMMENTS", 0, UNKNOWN},
};

static const script_kind other = {"", 0, UNKNOWN};

const script_kind *script_kind_of(const pgc_entry *entry)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].description, entry->description) == 0)
            return &kinds[i];
    return &other;
}

bool script_tag_begins(const pgc_entry *entry, const char *prefix)
{
    return strncmp(entry->tag, prefix, strlen(prefix)) == 0;
}

bool script_is_large_object(const pgc_entry *entry)
{
    const script_kind *kind = script_kind_of(entry);
    return (kind->traits & SCRIPT_LARGE_OBJECT) ||
           ((kind->traits & SCRIPT_FOLLOWS) &&
            (script_tag_begins(entry, "LARGE OBJECT ") || script_tag_begins(entry, "LARGE OBJECTS ")));
}

pgc_pass pgc_entry_pass(const pgc_entry *entry)
{
    const script_kind *kind = script_kind_of(entry);
    if (kind->traits & SCRIPT_ACL)
        return PGC_PASS_ACL;
    /* What is said of an event trigger can only be said when it is there; what is known of an index or a filled view stands behind the filling. */
    if ((kind->traits & SCRIPT_POST_ACL) || ((kind->traits & SCRIPT_STATISTICS) && entry->section == PGC_SECTION_POST_DATA) ||
        ((kind->traits & SCRIPT_FOLLOWS) && script_tag_begins(entry, "EVENT TRIGGER ")))
        return PGC_PASS_POST_ACL;
    return PGC_PASS_MAIN;
}
