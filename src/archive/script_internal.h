/* What the files of the script share: its state, and what is known of an entry by its description. */
#ifndef PGC_ARCHIVE_SCRIPT_INTERNAL_H
#define PGC_ARCHIVE_SCRIPT_INTERNAL_H

#include "archive/script.h"

/* ---- script_kinds.c: entries by their description */

typedef enum script_owner {
    SCRIPT_OWNER_UNKNOWN, /* has a DROP and an owner, but nobody knows how to give it away */
    SCRIPT_OWNER_NONE,    /* no owner of its own */
    SCRIPT_OWNER_BY_NAME, /* ALTER … schema.tag OWNER TO */
    SCRIPT_OWNER_BY_DROP, /* the name has arguments or more, as the DROP spells it */
    SCRIPT_OWNER_LARGE_OBJECT,
    SCRIPT_OWNER_LARGE_OBJECTS /* one command for each object of the entry */
} script_owner;

#define SCRIPT_SPECIAL      0x0001u /* sets the session, no object */
#define SCRIPT_DATABASE     0x0002u /* the database itself: with --create only */
#define SCRIPT_ACL          0x0004u
#define SCRIPT_FOLLOWS      0x0008u /* a choice of entries takes it with the object that it belongs to */
#define SCRIPT_PUBLICATION  0x0010u
#define SCRIPT_SUBSCRIPTION 0x0020u
#define SCRIPT_POLICY       0x0040u
#define SCRIPT_DATA         0x0080u /* its definition is data: SETVAL, large objects */
#define SCRIPT_POST_ACL     0x0100u
#define SCRIPT_CONSTRAINT   0x0200u /* dropped by DROP CONSTRAINT */
#define SCRIPT_NO_IF_EXISTS 0x0400u /* its DROP has no IF EXISTS */
#define SCRIPT_AS_TABLE     0x0800u /* ALTER TABLE gives it away, until 15 */
#define SCRIPT_STATISTICS   0x2000u
#define SCRIPT_T            0x4000u /* chosen by -t, -I, -P, -T of a restore */
#define SCRIPT_I            0x8000u
#define SCRIPT_P            0x10000u
#define SCRIPT_TRIGGER      0x20000u
#define SCRIPT_CHOOSABLE    (SCRIPT_T | SCRIPT_I | SCRIPT_P | SCRIPT_TRIGGER)
#define SCRIPT_LARGE_OBJECT 0x40000u

typedef struct script_kind {
    const char *description;
    unsigned traits; /* SCRIPT_… */
    script_owner owner;
} script_kind;

/* Never NULL: an unknown description gives a row without traits. */
const script_kind *script_kind_of(const pgc_entry *entry);
/* The tag begins with this. */
bool script_tag_begins(const pgc_entry *entry, const char *prefix);
/* A COMMENT, SECURITY LABEL or ACL of a large object is data as the object is. */
bool script_is_large_object(const pgc_entry *entry);

/* ---- the script */

/* What the session that runs the script has set; NULL: not known. In the arena. */
typedef struct script_session {
    const char *user, *schema, *tablespace, *access_method;
} script_session;

struct pgc_script {
    const pgc_script_options *options;
    const pgc_archive_head *head;
    pgc_entries *entries;
    const pgc_script *original; /* of a fork: owns what is shared */
    pgc_arena *arena;
    int major;
    int max_id;
    pgc_entry **by_id;     /* [id], NULL where there is none */
    unsigned char *writes; /* [id]: PGC_WRITES_… */
    bool data_only;        /* as asked for, or because no definition is written */
    const char *encoding, *search_path; /* from the special entries, or NULL */
    bool standard_strings;
    script_session session;
    bool has_acl_pass, has_post_acl_pass;
    int transaction_size, transaction_count; /* objects of a transaction, and of the one that is open; 0: none is */
    char *found_names; /* one byte for each name of the choices: it was met (strict_names) */
};

/* ---- script_choose.c */
/* Decides for every entry; fills writes, data_only and the passes. */
int script_choose(pgc_script *script, pgconvoy_error *err) PGC_MUST_CHECK;
/* Reads list_file: puts the listed entries last, in its order, and gives a byte for each id: listed. */
int script_read_list(pgc_script *script, unsigned char **listed, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- script_session.c */
void script_fixed_settings(pgc_script *script, pgc_buffer *out);
void script_forget_session(pgc_script *script);
void script_connect(pgc_script *script, pgc_buffer *out, const char *database);
void script_become(pgc_script *script, pgc_buffer *out, const char *user);
void script_become_owner(pgc_script *script, pgc_buffer *out, const pgc_entry *entry);
void script_select_schema(pgc_script *script, pgc_buffer *out, const char *schema);
void script_select_tablespace(pgc_script *script, pgc_buffer *out, const char *tablespace);
void script_select_access_method(pgc_script *script, pgc_buffer *out, const char *access_method);

/* ---- script_transaction.c: --transaction-size; nothing without it */
/* A transaction begins with the session. */
void script_transaction_begin(pgc_script *script, pgc_buffer *out);
/* So many more objects were written: when the transaction is full another begins; between: the text that does it. */
void script_transaction_count(pgc_script *script, pgc_buffer *out, int objects, const char *between);
/* A definition of several commands counts as so many objects; that it is one is counted by script_transaction_count. */
void script_transaction_add_commands(pgc_script *script, const pgc_entry *entry);
/* The command that follows cannot be in a transaction. */
void script_transaction_leave(pgc_script *script, pgc_buffer *out, const char *end);
#define SCRIPT_BETWEEN "COMMIT;\nBEGIN;\n\n"

/* ---- script_entry.c */
#define LITERAL(text) text, sizeof(text) - 1
/* Commands for each of the large objects of a BLOB METADATA entry, whose definition is their oids, one a line: before, the oid, after; then an empty line. */
void script_for_each_oid(pgc_script *script, pgc_buffer *out, const pgc_entry *objects, const char *before, size_t before_length, const char *after, size_t after_length);

/* ---- script_drop.c */
void script_drops(pgc_script *script, pgc_buffer *out);

/* ---- script_text.c: names, values and lines */
void script_name(const pgc_script *script, pgc_buffer *out, const char *name);
void script_qualified(const pgc_script *script, pgc_buffer *out, const char *schema, const char *name);
void script_literal(const pgc_script *script, pgc_buffer *out, const char *text);
/* A comment's line: line ends become blanks. NULL: missing. */
void script_line(pgc_buffer *out, const char *text, const char *missing);
void script_timestamp(pgc_buffer *out, const char *what, int64_t unix_seconds);
void script_say(const pgc_script *script, const char *format, ...) PGCONVOY_PRINTF(2, 3);
void script_warn(const pgc_script *script, const char *format, ...) PGCONVOY_PRINTF(2, 3);

#endif
