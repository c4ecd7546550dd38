/* What makes an object of the target that of the source: by its kind, its definition again, a command of its own, or a
 * note that it has to be done by hand. */
#include "inspect/verify/schema.h"

#include "catalog/relation.h"

#include <stdlib.h>

/* Rows come before what is built on them and what is said of it. */
static FILE *piece_of(pgc_verify *verify, const pgc_entry *entry)
{
    return entry->section == PGC_SECTION_PRE_DATA ? verify->repair_define : verify->repair_build;
}

static void say(pgc_verify *verify, FILE *piece, const pgc_buffer *text)
{
    if (text->failed)
        atomic_store(&verify->repair_failed, true);
    else if (text->length)
        verify_repair(verify, piece, text->data);
}

/* "ALTER TABLE public.t OWNER TO …" from "DROP TABLE public.t;". */
static void owner_to(pgc_buffer *out, const pgc_entry *target, const char *owner)
{
    const char *drop = target->drop ? target->drop : "";
    if (strncmp(drop, "DROP ", 5) != 0) {
        pgc_buffer_format(out, "-- by hand: the owner of %s %s\n", target->description, target->tag);
        return;
    }
    pgc_buffer_format(out, "ALTER %.*s OWNER TO ", (int)strcspn(drop + 5, ";"), drop + 5);
    pgc_quote_identifier(out, owner);
    pgc_buffer_text(out, ";\n");
}

/* One GRANT the other way round: what it gave is taken, what it took is given. */
static void invert_line(pgc_buffer *out, const char *line, size_t length)
{
    bool grants = strncmp(line, "GRANT ", 6) == 0, revokes = strncmp(line, "REVOKE ", 7) == 0;
    const char *word = grants ? " TO " : " FROM ", *with = " WITH GRANT OPTION";
    char *text = strndup(line, length), *to = NULL;
    for (char *at = text; at && (grants || revokes) && (at = strstr(at, word)) != NULL; at++)
        to = at; /* the last one: names may have the word in them */
    if (to) {
        char *who = to + strlen(word), *end = strrchr(who, ';'), *option = strstr(who, with);
        *to = '\0';
        if (end)
            *end = '\0';
        if (option)
            *option = '\0';
        pgc_buffer_format(out, "%s %s %s %s;\n", grants ? "REVOKE" : "GRANT", text + (grants ? 6 : 7),
                          grants ? "FROM" : "TO", who);
    }
    free(text);
}

/* Back to the privileges that such an object has by default. */
static void invert_acl(pgc_buffer *out, const char *create)
{
    for (const char *end = create + strlen(create); end > create;) {
        const char *line = end - 1;
        while (line > create && line[-1] != '\n')
            line--;
        invert_line(out, line, (size_t)(end - line));
        end = line;
    }
}

static void unsay_comment(pgc_buffer *out, const char *create)
{
    const char *text = strstr(create, " IS '");
    if (text)
        pgc_buffer_format(out, "%.*s IS NULL;\n", (int)(text - create), create);
}

void verify_mend_missing(pgc_verify *verify, const pgc_entry *entry, bool has_owner)
{
    pgc_buffer out;
    pgc_buffer_init(&out, VERIFY_SQL_LIMIT);
    pgc_buffer_format(&out, "%s\n", entry->create);
    if (has_owner && entry->owner[0] && !verify->options->dump.no_owner)
        owner_to(&out, entry, entry->owner);
    if (pgc_entry_is(entry, "TABLE"))
        pgc_buffer_format(&out, "-- its rows are for the next run of verify, or for pgconvoy copy\n");
    say(verify, piece_of(verify, entry), &out);
    pgc_buffer_free(&out);
}

void verify_mend_extra(pgc_verify *verify, const pgc_entry *entry)
{
    pgc_buffer out;
    pgc_buffer_init(&out, VERIFY_SQL_LIMIT);
    if (pgc_entry_is(entry, "ACL"))
        invert_acl(&out, entry->create);
    else if (pgc_entry_is(entry, "COMMENT"))
        unsay_comment(&out, entry->create);
    else if (entry->drop && entry->drop[0])
        pgc_buffer_format(&out, "%s", entry->drop);
    else
        pgc_buffer_format(&out, "-- by hand: %s %s is too much\n", entry->description, entry->tag);
    say(verify, verify->repair_drop, &out);
    pgc_buffer_free(&out);
}

/* "ALTER TABLE … ALTER COLUMN … SET GENERATED …" of "… ADD GENERATED … AS IDENTITY (…". */
static void identity_to(pgc_buffer *out, const char *create)
{
    const char *add = strstr(create, " ADD GENERATED "), *as = add ? strstr(add, " AS IDENTITY (") : NULL;
    if (as)
        pgc_buffer_format(out, "%.*s SET%.*s;\n", (int)(add - create), create, (int)(as - add - 4), add + 4);
}

/* Its parameters; how far it has come is another matter. */
static bool sequence_to(pgc_buffer *out, const pgc_entry *source, const pgc_entry *target)
{
    const pgc_relation *here = (const pgc_relation *)source->object, *there = (const pgc_relation *)target->object;
    const pgc_sequence *to = here->sequence, *from = there->sequence;
    if (!to || !from || here->is_identity_sequence != there->is_identity_sequence ||
        here->persistence != there->persistence)
        return false;
    if (here->is_identity_sequence)
        identity_to(out, source->create);
    pgc_buffer_text(out, "ALTER SEQUENCE ");
    pgc_quote_qualified(out, target->schema, target->tag);
    if (strcmp(to->type, from->type) != 0)
        pgc_buffer_format(out, " AS %s", to->type);
    pgc_buffer_format(out, " INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s%s CYCLE;\n", to->increment,
                      to->minimum, to->maximum, to->start, to->cache, to->cycle ? "" : " NO");
    return true;
}

/* CREATE OR REPLACE where there is such a thing. */
static bool replace(pgc_buffer *out, const pgc_entry *source)
{
    static const char *const kinds[] = {"FUNCTION", "PROCEDURE", "VIEW", NULL};
    if (!pgc_entry_is_one_of(source, kinds) || strncmp(source->create, "CREATE ", 7) != 0)
        return false;
    pgc_buffer_format(out, "CREATE OR REPLACE %s", source->create + 7);
    return true;
}

static void define_again(pgc_verify *verify, pgc_buffer *out, const pgc_entry *source, const pgc_entry *target)
{
    static const char *const saying[] = {"COMMENT",      "DEFAULT",        "SEQUENCE OWNED BY",
                                         "ROW SECURITY", "SECURITY LABEL", NULL};
    static const char *const made_again[] = {
        "INDEX",      "CONSTRAINT",    "FK CONSTRAINT", "CHECK CONSTRAINT",  "TRIGGER", "RULE", "POLICY",
        "STATISTICS", "EVENT TRIGGER", "CAST",          "PUBLICATION TABLE", NULL};
    if (pgc_entry_is(source, "TABLE")) {
        verify_table_mend(verify, source, target);
    } else if (pgc_entry_is(source, "ACL")) {
        invert_acl(out, target->create);
        pgc_buffer_text(out, source->create);
    } else if (pgc_entry_is_one_of(source, saying)) {
        pgc_buffer_text(out, source->create);
    } else if (pgc_entry_is_one_of(source, made_again) && target->drop) {
        pgc_buffer_format(out, "%s%s", target->drop, source->create);
    } else if (!(pgc_entry_is(source, "SEQUENCE") ? sequence_to(out, source, target) : replace(out, source))) {
        pgc_buffer_format(out, "-- by hand: %s %s.%s is defined otherwise\n", source->description,
                          source->schema ? source->schema : "", source->tag);
    }
}

void verify_mend_changed(pgc_verify *verify, const pgc_entry *source, const pgc_entry *target, bool same,
                         bool same_owner, bool same_space)
{
    if (!verify->options->repair)
        return;
    pgc_buffer out;
    pgc_buffer_init(&out, VERIFY_SQL_LIMIT);
    if (!same)
        define_again(verify, &out, source, target);
    if (!same_owner)
        owner_to(&out, target, source->owner);
    if (!same_space)
        pgc_buffer_format(&out, "-- by hand: %s %s.%s is in another tablespace\n", source->description,
                          source->schema ? source->schema : "", source->tag);
    say(verify, piece_of(verify, source), &out);
    pgc_buffer_free(&out);
}
