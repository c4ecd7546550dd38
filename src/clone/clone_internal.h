/* What the files of a copy share: the copy as a whole, what it has to do as items, and a session that does them. */
#ifndef PGC_CLONE_INTERNAL_H
#define PGC_CLONE_INTERNAL_H

#include "archive/restore_order.h"
#include "archive/script.h"
#include "catalog/catalog.h"
#include "catalog/relation.h"
#include "clone/clone.h"
#include "clone/names.h"

#include <pthread.h>
#include <stdatomic.h>

/* From here on a table has a transaction, its keys' indexes a command, and its foreign keys a check of their own; what is smaller is done many at a time. */
#define CLONE_LARGE_BYTES ((int64_t)1 << 20)

typedef enum clone_kind {
    CLONE_DEFINITION, /* SQL from the script */
    CLONE_ROWS,
    CLONE_LARGE_OBJECTS,
    CLONE_JOIN /* nothing to do by itself: all parts of a table are there */
} clone_kind;

/* A table whose rows are copied. */
typedef struct clone_table {
    const pgc_relation *relation;
    const char *condition;  /* of its rows, for WHERE; or NULL */
    const char *text_types; /* those for which rows go as text; NULL: binary */
    int64_t bytes, blocks;
    bool is_heap;
    bool is_ours;      /* made by this copy, so that it may be emptied */
    bool is_there;          /* the target had it */
    bool is_anew;      /* it was altered at the source, and is made once more */
    bool is_torn;      /* some of its ranges are there, and do not fit the others */
    bool through_root; /* rows go into the root of its partitions */
    int parts;
    atomic_int parts_left;
    atomic_int_least64_t rows_copied, bytes_copied, begun_us, ended_us;
    int analyze_id; /* of the entry that gathers its statistics; 0: none does */
    int group;      /* of a part: the table among part->tables that it is, or is a partition of */
} clone_table;

/* Not copied, and why. */
typedef struct clone_left_out {
    const pgc_entry *entry;
    const char *why;
} clone_left_out;

/* Something that needs a column that is not copied: its catalog row. */
typedef struct clone_needing {
    uint32_t class_oid, oid;
    const char *column; /* "a.t.c" */
} clone_needing;

/* What is done in one go: one for each entry, at the same place. */
typedef struct clone_item {
    pgc_entry *entry;
    clone_kind kind;
    const char *key;    /* what the state calls it */
    clone_table *table; /* of rows */
    int64_t first_block, end_block; /* of rows; -1: open on that side */
    int64_t bytes;      /* about; of what is built on a table: the table's */
    int64_t bytes_passed; /* of rows, when it was done last */
    bool pre_data, alone, done;
    bool later; /* when the stream has caught up */
    bool is_put_off; /* its rows were refused, and wait for those of other tables; guarded by the clone's lock once the sessions have it back */
    int begun_at;    /* one more than the items of rows that were done when it was begun last */
    int put_off_at;  /* that, of when it was refused last; 0: it never was */
} clone_item;

struct pgc_clone {
    const pgc_clone_options *options;
    atomic_bool stop;      /* asked for, or since a session has failed */
    atomic_bool asked;     /* by pgc_clone_stop */
    atomic_int finished;   /* items of all attempts: whether there is progress between two */
    int64_t begun_us;
    bool begun; /* an attempt has come as far as changing the target: both ends were as they should be */

    /* ---- of an attempt */
    pgc_dump_options dump;
    pgc_catalog *catalog;
    PGconn *target;
    int target_version;
    pgc_entries entries;
    bool has_entries;
    pgc_archive_head head;
    pgc_script_options script_options;
    pgc_script *script;
    pgc_arena *arena;
    clone_item *items;
    int item_count;
    clone_table *tables;
    int table_count;
    const char *snapshot;     /* what it sees, as text that is the same when nothing was written in between */
    bool resumes;             /* an earlier run has left its state */
    bool other_snapshot;      /* and it saw another one */
    clone_names finished_items; /* by key */
    clone_names present;      /* what the target has: "kind schema.name" */
    clone_left_out *left_out; /* in the order found */
    int left_out_count, left_out_capacity;
    const char *role_sql; /* makes the roles that the target lacks; or NULL */
    int role_count;
    uint32_t *part_oids;      /* of a part: all tables that it takes, in order */
    int *part_groups;         /* of each: the table among part->tables; -1: its definition alone */
    int part_count;
    clone_needing *needing;
    int needing_count, needing_capacity;

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    pgc_restore_order *order;
    struct clone_session **sessions;
    int session_count, running;
    int large_rows, large_builds; /* being done */
    int reads_left;               /* items that read from the source */
    int rows_done, put_off;       /* items of rows */
    bool tries_again;             /* one that was put off is being done */
    bool failed;
    pgconvoy_error first_error;
};

/* Two connections and a script whose state belongs to the target's one. */
typedef struct clone_session {
    pgc_clone *clone;
    pthread_t thread;
    PGconn *source, *target;
    PGcancel *cancel_source, *cancel_target; /* guarded by clone->lock */
    pgc_script *script;
    pgc_buffer text;
    char *piece;
    bool is_main;  /* target is the clone's own */
    bool is_stale; /* a table is no more as its snapshot has it: nothing more in this one */
} clone_session;

/* ---- plan.c: from the catalog to items */
int clone_plan_read(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;  /* catalog and entries */
int clone_plan_forget_roles(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK; /* owners and privileges are left out from here on */
int clone_plan_make(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;  /* items, when it is known what the target has and what is finished */
int clone_plan_say(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;   /* --dry-run */

/* What the state calls it: the same from run to run, as long as the object is. NULL when out of memory. */
const char *clone_entry_key(pgc_clone *clone, const pgc_entry *entry, const char *suffix);

/* ---- part.c: a copy that is the beginning of a stream */
int clone_part_read(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;   /* which tables belong to it, before the catalog is read */
/* The tables were looked at before the snapshot was there: one that is another in it would be made so, and the pipeline would take it for what it knows. An error that heals by another look. */
int clone_part_check(const pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;
int clone_part_choose(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK; /* of the entries those that they need, and that hang on them */
/* Renames what has the names of its indexes on other tables of the pipeline's, as they are no more at the source. */
int clone_part_make_room(const pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;
/* The place among part->tables of a table or of that which it is a partition of; -1: it is none, or its rows are not copied. */
int clone_part_group(const pgc_clone *clone, const pgc_relation *relation);
/* What was done before and what is done now are not of one snapshot: foreign keys may hold only when the stream has caught up. */
bool clone_part_is_mixed(const pgc_clone *clone);
/* An entry that looks at rows of two tables, and then waits for the stream. */
bool clone_part_waits(const pgc_entry *entry);
void clone_part_report(const pgc_clone *clone);
/* Of a table that is left out all is: its partitions, and what needs them. After all else that leaves something out. */
int clone_part_leave_out(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;
/* Append what the pipeline's checkpoint is to say at the beginning, and at the end. */
int clone_part_append_begin(const pgc_clone *clone, pgc_buffer *sql, pgconvoy_error *err) PGC_MUST_CHECK;
/* Appends what remembers the items that wait until the stream has caught up. */
void clone_part_append_later(const pgc_clone *clone, pgc_buffer *sql);
int clone_part_append_end(const pgc_clone *clone, pgc_buffer *sql, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- left_out.c: what is not copied. Keeps the entry and a copy of why; clone_leave_out_all then takes it off the entries, with all that needs it. */
int clone_leave_out(pgc_clone *clone, const pgc_entry *entry, const char *why, pgconvoy_error *err) PGC_MUST_CHECK;
int clone_leave_out_all(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;
void clone_say_left_out(const pgc_clone *clone);
/* The table or sequence of an extension that an entry fills, which has no entry of its own that it could need; NULL: it is no such one. */
const pgc_object *clone_entry_of_extension(const pgc_entry *entry);
/* "table a.t", into name. */
const char *clone_entry_name(const pgc_entry *entry, char *name, size_t size);

/* ---- extension_rows.c: rows that an extension keeps for its user, in a table of its own */
bool clone_extension_rows_are(const pgc_entry *entry);
/* All other tables' rows wait for them. */
int clone_extension_rows_first(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;
/* May our role read them at the source? When not, it is said. */
int clone_extension_rows_readable(const pgc_clone *clone, const pgc_entry *entry, bool *readable, pgconvoy_error *err) PGC_MUST_CHECK;
/* For --if-exists truncate: appends commands that take away those that the target has, where our role may. */
int clone_extension_rows_append_deletes(const pgc_clone *clone, pgc_buffer *sql, pgconvoy_error *err) PGC_MUST_CHECK;
/* May our role write them on the target? When not, and there are some, it is said. */
int clone_extension_rows_writable(clone_session *session, const clone_item *item, bool *writable, pgconvoy_error *err) PGC_MUST_CHECK;
/* Of a sequence of an extension that the target has already: may and should its value be set? true of all else. */
int clone_extension_sequence_is_behind(const pgc_clone *clone, const pgc_entry *entry, bool *is_behind, pgconvoy_error *err) PGC_MUST_CHECK;
/* Appends the commands that begin to take them on the target; _end: those that are not there yet are written. */
void clone_extension_rows_append_target(const clone_item *item, pgc_buffer *sql);
int clone_extension_rows_end(clone_session *session, const clone_item *item, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- map_columns.c: tables of which only some columns or rows are copied */
int clone_map_catalog(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK; /* checks the mapping by the catalog; away with the columns that are not wanted */
int clone_map_leave_out(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK; /* what needs those */
/* The mapping of a table's column: its own, or of the ancestor from which it has the column. NULL: none. */
const pgc_mapped_table *clone_map_of_column(const pgc_clone *clone, const pgc_relation *relation, const char *column);

/* ---- map_schemas.c: schemas under other names, in all that is defined */
int clone_map_schemas(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;
/* A further entry, the first of all. */
int clone_map_make_schema(pgc_clone *clone, const char *schema, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- map.c: other names in the target */
int clone_map_entries(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;
/* Entries of tables that the target has under their new names speak of those. */
int clone_map_present(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;
/* The names that it has at the end: of an entry's table or the like, or the entry's own. */
void clone_map_final(const pgc_clone *clone, const pgc_entry *entry, const char **schema, const char **name);
/* The relation that an entry makes, or whose rows it brings; or NULL. */
const pgc_relation *clone_map_relation(const pgc_entry *entry);
/* It makes a sequence of a table that the target has under its new name, and so has one. */
bool clone_map_brings_no_sequence(const pgc_clone *clone, const pgc_entry *entry);
bool clone_map_renames(const pgc_clone *clone, const pgc_relation *relation);
/* Appends the commands that give tables and columns that this copy has made their new names. */
void clone_map_rename(const pgc_clone *clone, pgc_buffer *sql);
/* Appends a table's name on the target while the copy is at work. */
void clone_map_append(const pgc_clone *clone, const pgc_relation *relation, pgc_buffer *sql);

/* ---- tables.c: sizes and types of the tables whose rows are copied, and how they are cut */
int clone_tables_read(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;
/* extension_types.c: types of extensions, of those that the tables (an array of oids as text) have, whose values go in binary: another such array. */
int clone_extension_types(const pgc_clone *clone, const char *tables, pgc_buffer *agreed, pgconvoy_error *err) PGC_MUST_CHECK;
clone_table *clone_tables_find(const pgc_clone *clone, const pgc_relation *relation);
/* In how many ranges; 1: whole. */
int clone_tables_parts(const pgc_clone *clone, const clone_table *table);

/* ---- keys.c: constraints of large tables as several entries; analyzing */
int clone_keys_split(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;
/* A new entry with its dependencies; NULL when out of memory. */
pgc_entry *clone_entry_add(pgc_clone *clone, const char *description, const char *tag, const char *schema, const char *create, const int *dependencies, int count);
/* Adds one more dependency; -1 when out of memory. */
int clone_entry_depend(pgc_clone *clone, pgc_entry *entry, int id) PGC_MUST_CHECK;
/* The table that an entry is built on, or NULL. */
const pgc_relation *clone_entry_relation(const pgc_entry *entry);

/* ---- check.c: before the first change */
int clone_check(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;
/* Marks the entries that the target has: its schemas, and with if_exists append or truncate all others and what hangs on its tables. */
int clone_leave_out_present(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;
bool clone_is_left_out(const pgc_entry *entry);
bool clone_is_present(const pgc_clone *clone, const pgc_entry *entry);
/* Does the target have it, under the name that it has there at the end? */
bool clone_has_relation(const pgc_clone *clone, const pgc_relation *relation);

/* ---- roles.c */
int clone_roles_check(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK; /* refuses, or finds how to make them when asked to */

/* ---- trial.c: definitions that the target refuses, found before anything is changed */
int clone_trial(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- disk.c: room for it, as far as can be known */
int clone_disk_check(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- state*.c: what is finished, on the target; _lock: runs kept apart; _again, _altered: what is done once more */
int clone_state_lock(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK; /* ends what an earlier run has left running */
int clone_state_join(const pgc_clone *clone, PGconn *target, pgconvoy_error *err) PGC_MUST_CHECK; /* a further session */
int clone_state_read(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;
int clone_state_begin(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK; /* makes it, or makes ready to go on */
int clone_state_end(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;   /* removes it */
/* Appends what --if-exists drop takes away. */
int clone_state_append_drops(pgc_clone *clone, pgc_buffer *sql, pgconvoy_error *err) PGC_MUST_CHECK;
/* What was left out when the copy began stays out. */
int clone_state_leave_out(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;
/* Appends the command that marks these items. */
void clone_state_mark(const pgc_clone *clone, pgc_buffer *sql, const int *places, int count);
/* Before a table's key: with what it was made by, so that one that was altered since is known. */
#define CLONE_DEFINED "DEFINED "
void clone_state_append_definition(const clone_item *item, pgc_buffer *key);
/* state_altered.c: tables that were altered at the source since they were made go, with what hangs on them, and are to be done again. */
int clone_state_remake(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;
/* Rows of tables that were only begun, or, with --consistent, of all: away with them, to be copied again. */
int clone_state_redo(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- session.c */
int clone_session_open(clone_session *session, pgconvoy_error *err) PGC_MUST_CHECK; /* the target's side */
int clone_session_source(clone_session *session, pgconvoy_error *err) PGC_MUST_CHECK; /* the source's, when there is none yet */
int clone_session_reset(clone_session *session, pgconvoy_error *err) PGC_MUST_CHECK; /* after a rollback */
void clone_session_close(clone_session *session);
bool clone_session_lost_source(clone_session *session); /* or its transaction there */
/* Nothing more is read from the source: no transaction there holds back what is deleted from now on. With the lock. */
void clone_sessions_release_snapshot(pgc_clone *clone);
/* Runs all commands of sql on the target; an error names what. */
int clone_session_run(clone_session *session, const char *sql, const char *what, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- batch.c: some items in one transaction */
int clone_batch_run(clone_session *session, const int *places, int count, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- rows.c */
/* Inside of a transaction; whole: it is the transaction's only item, so that a table of ours may be emptied and its rows frozen. */
int clone_rows(clone_session *session, clone_item *item, bool alone, pgconvoy_error *err) PGC_MUST_CHECK;
/* Appends "(a, b)", or without parentheses; no generated columns. false: there is no column, and nothing was appended. */
bool clone_rows_append_columns(const pgc_relation *table, pgc_buffer *sql, bool parentheses);
int clone_large_objects(clone_session *session, clone_item *item, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- workers.c: many sessions */
/* Rows that were refused may come after those of other tables, if any have come since they were refused last. */
bool clone_may_put_off(const clone_session *session, const clone_item *item, const pgconvoy_error *err);
int clone_work(pgc_clone *clone, pgconvoy_error *err) PGC_MUST_CHECK;
/* Tells how far it is; done: for the last time. */
void clone_report(pgc_clone *clone, bool done);

#endif
