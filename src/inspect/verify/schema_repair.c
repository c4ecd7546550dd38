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

/* How far a name reaches, which may be quoted and have a schema before it. */
static size_t name_length(const char *text)
{
    size_t at = 0;
    for (bool quoted = false; text[at] && (quoted || !strchr(" ;\n", text[at])); at++)
        quoted ^= text[at] == '"';
    return at;
}

/* "… DETACH PARTITION b;" of "… ATTACH PARTITION b FOR VALUES …;" and the like: other is what undoes the words. */
static bool undo_words(pgc_buffer *out, const char *create, const char *words, const char *other)
{
    const char *at = strstr(create, words);
    if (at)
        pgc_buffer_format(out, "%.*s%s%.*s;\n", (int)(at - create), create, other, (int)name_length(at + strlen(words)),
                          at + strlen(words));
    return at != NULL;
}

/* What is not an object but belongs to two. */
static bool take_apart(pgc_buffer *out, const pgc_entry *entry)
{
    static const struct {
        const char *kind, *words, *other;
    } rows[] = {
        {"TABLE ATTACH", " ATTACH PARTITION ", " DETACH PARTITION "},
        {"PUBLICATION TABLE", " ADD TABLE ONLY ", " DROP TABLE ONLY "},
        {"PUBLICATION TABLES IN SCHEMA", " ADD TABLES IN SCHEMA ", " DROP TABLES IN SCHEMA "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (pgc_entry_is(entry, rows[i].kind))
            return undo_words(out, entry->create, rows[i].words, rows[i].other);
    return false;
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
    else if (pgc_entry_is(entry, "INDEX ATTACH"))
        pgc_buffer_format(&out, "-- %s goes with its table's DETACH\n", entry->tag);
    else if (!take_apart(&out, entry))
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

/* What it publishes; not of which tables, where it is of all. */
static bool publication_to(pgc_buffer *out, const char *source, const char *target)
{
    const char *with = strstr(source, " WITH ("), *there = strstr(target, " WITH (");
    bool same =
        with && there && with - source == there - target && strncmp(source, target, (size_t)(with - source)) == 0;
    if (same)
        pgc_buffer_format(out, "ALTER PUBLICATION %.*s SET %s", (int)name_length(source + 19), source + 19, with + 6);
    return same;
}

/* What stands behind a command, each a line of its own: an index is one to cluster by, or tells rows apart. Those of
 * the target alone are taken back, those of the source come; false when one is not known. */
static bool line_back(pgc_buffer *out, const char *line, size_t length)
{
    static const struct {
        const char *has, *back;
    } kinds[] = {{" CLUSTER ON ", " SET WITHOUT CLUSTER"},
                 {" REPLICA IDENTITY USING INDEX ", " REPLICA IDENTITY DEFAULT"},
                 {" SET STATISTICS ", " SET STATISTICS -1"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const char *at = memmem(line, length, kinds[i].has, strlen(kinds[i].has));
        if (at) {
            pgc_buffer_format(out, "%.*s%s;\n", (int)(at - line), line, kinds[i].back);
            return true;
        }
    }
    return length == 0;
}

/* The same object, so that it need not be made again, as others may depend on it. */
static bool change_what_follows(pgc_buffer *out, const char *source, const char *target)
{
    const char *end = strstr(source, ";\n");
    size_t first = end ? (size_t)(end - source) + 2 : 0;
    if (!end || strncmp(source, target, first) != 0)
        return false;
    for (const char *line = target + first, *next; *line; line = next) {
        size_t length = strcspn(line, "\n");
        next = line + length + (line[length] == '\n');
        if (!line_back(out, line, length)) {
            pgc_buffer_reset(out);
            return false;
        }
    }
    pgc_buffer_text(out, source + first);
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
    } else if (take_apart(out, target)) {
        pgc_buffer_text(out, source->create);
    } else if (pgc_entry_is(source, "PUBLICATION") && publication_to(out, source->create, target->create)) {
        return;
    } else if (pgc_entry_is(source, "ACL")) {
        invert_acl(out, target->create);
        pgc_buffer_text(out, source->create);
    } else if (pgc_entry_is_one_of(source, saying)) {
        pgc_buffer_text(out, source->create);
    } else if (pgc_entry_is_one_of(source, made_again) && target->drop) {
        if (!change_what_follows(out, source->create, target->create))
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
