/*
 * The ClickHouse sink from the inside: what its files share. sink.c has the operations, the other files one part each:
 *
 *   target.c      TARGET and its options             layout.c    a table as ClickHouse has it, and rows in its form
 *   server.c      statements over HTTP, versions     schema.c    tables made, checked, finished
 *   text.c        quoting, answers as text           alter.c     tables changed
 *   types.c       the type map                       checkpoint.c  position and table states
 *   encode.c      values as RowBinary                copy.c, block.c  rows of a table copy
 *   gather.c, apply.c, partial.c  changes            compare.c   what verify asks
 *   rights.c      what the user may do
 *
 * ClickHouse has no transactions, so all that is written must do no harm when it is written again after a crash. A
 * table with a key is a ReplacingMergeTree: each row has the position of the commit that it comes from as _version, the
 * last one wins, and a deleted row is one with _deleted = 1. What has no key (rows that are a multiset, and the history
 * of changes) has the position too, and what a crash left behind the checkpoint is removed before the stream goes on.
 *
 * Threads: the sink's own session (control) is used under its lock; a writer and all that hangs on it belong to one
 * thread, and so does a load of a copy, whose rows another one sends (copy.c).
 */
#ifndef PGC_CLICKHOUSE_INTERNAL_H
#define PGC_CLICKHOUSE_INTERNAL_H

#include "apply/compact.h"
#include "base/log.h"
#include "net/http.h"
#include "sink/unmappable.h"

#include <pthread.h>

#define PGC_CLICKHOUSE_CHECKPOINT "pgconvoy_checkpoint"

/* ---- types.c */

typedef enum pgc_clickhouse_kind {
    PGC_CLICKHOUSE_AS_TEXT = 0, /* String: PostgreSQL's own text form */
    PGC_CLICKHOUSE_CHARACTERS,  /* String: the characters as they come */
    PGC_CLICKHOUSE_BYTES,       /* String: the bytes of a bytea */
    PGC_CLICKHOUSE_JSON,
    PGC_CLICKHOUSE_BOOL,
    PGC_CLICKHOUSE_UINT8, /* a boolean of a server without Bool */
    PGC_CLICKHOUSE_INT16,
    PGC_CLICKHOUSE_INT32,
    PGC_CLICKHOUSE_INT64,
    PGC_CLICKHOUSE_UINT32,
    PGC_CLICKHOUSE_UINT64,
    PGC_CLICKHOUSE_FLOAT32,
    PGC_CLICKHOUSE_FLOAT64,
    PGC_CLICKHOUSE_DECIMAL,
    PGC_CLICKHOUSE_DATE32,
    PGC_CLICKHOUSE_DATETIME64,
    PGC_CLICKHOUSE_UUID,
    PGC_CLICKHOUSE_ENUM,
    PGC_CLICKHOUSE_ARRAY,
    PGC_CLICKHOUSE_VECTOR /* Array(Float32) */
} pgc_clickhouse_kind;

typedef struct pgc_clickhouse_type_options {
    pgc_unmappable unmappable; /* TEXT: columns whose type has values that ClickHouse's cannot hold are String */
    int numeric_width, numeric_scale; /* of numeric without a precision; 0: String */
    bool arrays_always, arrays_text;  /* arrays=array: also where the column may be NULL; arrays=text: never */
    bool json_native, enums_text;
} pgc_clickhouse_type_options;

typedef struct pgc_clickhouse_label {
    const char *text;
    int32_t number;
} pgc_clickhouse_label;

typedef struct pgc_clickhouse_type {
    pgc_clickhouse_kind kind;
    bool nullable;
    uint8_t width, scale;        /* DECIMAL; ENUM: width is 1 or 2 bytes */
    const pgconvoy_type *source; /* through domains */
    const struct pgc_clickhouse_type *element;
    pgc_clickhouse_label *labels; /* ENUM: in the order of their texts */
    int label_count;
} pgc_clickhouse_type;

/* What a server has, by its version. */
typedef struct pgc_clickhouse_capabilities {
    int major, minor;
    bool datetime64, date32, boolean, decimal256, is_deleted, deduplication_token, frames, optimize_on_insert, mutations_sync, comments,
        rename_column, replace_view, json, window, drop_sync, check_grant;
} pgc_clickhouse_capabilities;

/* The ClickHouse type of a column. in_key: a column of the table's key, which is never NULL. NULL when out of memory.
 */
pgc_clickhouse_type *pgc_clickhouse_type_of(const pgconvoy_column *column, bool in_key,
                                            const pgc_clickhouse_type_options *options,
                                            const pgc_clickhouse_capabilities *has, pgc_arena *arena);
void pgc_clickhouse_type_sql(const pgc_clickhouse_type *type, pgc_buffer *out);
/* A type as the target tells it: kind, width, scale and nullable. What is no kind of ours is AS_TEXT. */
void pgc_clickhouse_type_read(pgc_clickhouse_type *type, const char *sql);
/* True when new_ holds all values of old, and ClickHouse's cast gives of each what PostgreSQL's gives. */
bool pgc_clickhouse_type_is_wider(const pgc_clickhouse_type *old, const pgc_clickhouse_type *new_);
/* The format in which values are asked for. */
pgconvoy_format pgc_clickhouse_type_format(const pgc_clickhouse_type *type);
/* Takes labels and their numbers from the type that the target's column has ("Enum8('a' = 1, 'b' = 2)"), and gives
 * those that are new numbers of their own: *added says whether there are such. */
int pgc_clickhouse_type_adopt_labels(pgc_clickhouse_type *type, const char *sql, pgc_arena *arena, bool *added,
                                     pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- encode.c */

typedef struct pgc_clickhouse_encoder {
    pgc_arena *arena; /* reset for each value that needs it */
    pgc_buffer scratch;
} pgc_clickhouse_encoder;

int pgc_clickhouse_encoder_init(pgc_clickhouse_encoder *encoder, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_clickhouse_encoder_free(pgc_clickhouse_encoder *encoder);
#define PGC_CLICKHOUSE_CANNOT_HOLD 1
/* Appends a value that is neither NULL nor unchanged as RowBinary, without the byte of Nullable.
 * PGC_CLICKHOUSE_CANNOT_HOLD: err says what the type cannot hold. */
int pgc_clickhouse_encode(pgc_clickhouse_encoder *encoder, const pgc_clickhouse_type *type, const pgconvoy_value *value,
                          pgc_buffer *out, pgconvoy_error *err) PGC_MUST_CHECK;
/* The same of an array or vector in the format Native: its elements' values go to out, whether they are NULL to nulls. */
int pgc_clickhouse_encode_elements(pgc_clickhouse_encoder *encoder, const pgc_clickhouse_type *type,
                                   const pgconvoy_value *value, uint64_t *count, pgc_buffer *nulls, pgc_buffer *out,
                                   pgconvoy_error *err) PGC_MUST_CHECK;
/* Appends what stands for no value: NULL where that can be, else zero or empty. */
void pgc_clickhouse_encode_default(const pgc_clickhouse_type *type, pgc_buffer *out);
/* Zero or empty. */
void pgc_clickhouse_encode_zero(const pgc_clickhouse_type *type, pgc_buffer *out);
void pgc_clickhouse_encode_text(const char *text, size_t length, pgc_buffer *out);
void pgc_clickhouse_encode_count(uint64_t count, pgc_buffer *out);

/* ---- target.c */

typedef struct pgc_clickhouse_target {
    char *text;     /* what the others point into */
    pgc_buffer url; /* http://host:port/ */
    const char *user, *password, *database;
    const char *ca_file, *client_cert, *client_key, *proxy;
    bool insecure;
    pgc_http_encoding compression;
    bool compression_given;
    const char *cluster, *replica_path;
    bool replicated, history;
    int commit_interval_ms;
    const char *view_suffix;
    pgc_clickhouse_type_options types;
    pgc_buffer settings; /* "&name=value", for every statement */
} pgc_clickhouse_target;

int pgc_clickhouse_target_parse(const char *text, pgc_clickhouse_target *target, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_clickhouse_target_free(pgc_clickhouse_target *target);

/* ---- text.c */

/* Appends `name`. */
void pgc_clickhouse_identifier(pgc_buffer *out, const char *name);
/* Appends 'text'. */
void pgc_clickhouse_literal(pgc_buffer *out, const char *text);

/* An answer in TabSeparated: rows of fields, taken apart in place. */
typedef struct pgc_clickhouse_rows {
    char *at;
} pgc_clickhouse_rows;
pgc_clickhouse_rows pgc_clickhouse_rows_of(pgc_http_response *response);
/* The next row's fields, NUL-terminated, and NULL for NULL; false when there is none. A row of another count of fields
 * is read as far as it goes. */
bool pgc_clickhouse_rows_next(pgc_clickhouse_rows *rows, char **fields, int count);

/* ---- server.c */

typedef struct pgc_clickhouse_session {
    const pgc_clickhouse_target *target;
    const pgc_clickhouse_capabilities *has;
    pgc_http *http;
    pgc_buffer authorization, url;
    uint64_t number; /* of statements, for their ids */
    char id[40];
} pgc_clickhouse_session;

int pgc_clickhouse_session_open(pgc_clickhouse_session *session, const pgc_clickhouse_target *target,
                                const pgc_clickhouse_capabilities *has, pgconvoy_log *log,
                                pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_clickhouse_session_close(pgc_clickhouse_session *session);
int pgc_clickhouse_read_version(pgc_clickhouse_session *session, pgc_clickhouse_capabilities *has,
                                pgconvoy_error *err) PGC_MUST_CHECK;
/* Runs a statement that may be run twice. sql is what a buffer has: its failure is err's. */
int pgc_clickhouse_run(pgc_clickhouse_session *session, const pgc_buffer *sql, const char *doing,
                       pgconvoy_error *err) PGC_MUST_CHECK;
/* Runs a query; the answer is the caller's to free when 0 is returned. */
int pgc_clickhouse_select(pgc_clickhouse_session *session, const pgc_buffer *sql, const char *doing,
                          pgc_http_response *response, pgconvoy_error *err) PGC_MUST_CHECK;
/* INSERT INTO … FORMAT … with its data, which is compressed on its way or is so already. repeatable: rows that come
 * twice do no harm. */
int pgc_clickhouse_insert(pgc_clickhouse_session *session, const pgc_buffer *sql, const pgc_buffer *data, bool encoded,
                          bool repeatable, const char *doing, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- the sink */

/* A table as check_table met it, to find those that get the same name. */
typedef struct pgc_clickhouse_seen {
    char *schema, *name, *target;
} pgc_clickhouse_seen;

/* A table as the checkpoint has it. */
typedef struct pgc_clickhouse_known {
    char *schema, *name;
    const char *how; /* one of PGC_CLICKHOUSE_MADE …, "" when nothing is known of it any more */
    pgconvoy_table_state state;
    pgconvoy_lsn lsn;
} pgc_clickhouse_known;

typedef struct pgc_clickhouse_sink {
    const pgconvoy_sink_config *config;
    pgc_clickhouse_target target;
    pgc_clickhouse_capabilities has;
    size_t gather_bytes; /* changes that may be gathered before they are applied */
    size_t insert_bytes; /* of one INSERT, about; of a copy in its encoding */

    pthread_mutex_t lock; /* guards what follows */
    pgc_clickhouse_session control;
    bool checkpoint_ready;   /* its table is there */
    uint64_t checkpoint_row; /* the number of the last row written to it */
    pgconvoy_lsn lsn;        /* the checkpoint's */
    bool known_read;         /* known is what the checkpoint says */
    pgc_clickhouse_known *known;
    size_t known_count, known_capacity;
    pgc_arena *checkpoint_arena;
    pgc_clickhouse_seen *seen;
    size_t seen_count, seen_capacity;

    pthread_mutex_t load_lock; /* guards the list, and which load is whose */
    struct pgc_clickhouse_load *loads;
} pgc_clickhouse_sink;

/* ---- layout.c */

/* How rows are kept. */
typedef enum pgc_clickhouse_form {
    PGC_CLICKHOUSE_KEYED,    /* the last version of each row */
    PGC_CLICKHOUSE_MULTISET, /* rows that come (_sign > 0) and go (_sign < 0) */
    PGC_CLICKHOUSE_HISTORY   /* a row for each change */
} pgc_clickhouse_form;

typedef struct pgc_clickhouse_layout {
    const pgconvoy_table *table;
    pgc_arena *arena;
    pgc_clickhouse_form form;
    const char *name, *view;     /* in the target, not quoted */
    pgc_clickhouse_type **types; /* of the table's columns */
    const char **names;          /* of the columns in the target */
    const char **types_there;    /* the target's own words for their types, once its columns were matched */
    bool *absent;                /* columns that the target does not have any more; see gather.c */
    bool *warned;                /* columns of which it was said that a value became NULL */
    const char *doing;           /* "inserting into table public.users" */
} pgc_clickhouse_layout;

pgc_clickhouse_layout *pgc_clickhouse_layout_new(const pgc_clickhouse_sink *sink, const pgconvoy_table *table,
                                                 pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_clickhouse_layout_free(pgc_clickhouse_layout *layout);
/* Appends `database`.`table`, and with on_cluster the clause that a definition needs. */
void pgc_clickhouse_table_name(const pgc_clickhouse_sink *sink, const char *name, bool on_cluster, pgc_buffer *out);
/* The columns that the sink adds, ends with one without a name. */
typedef struct pgc_clickhouse_own_column {
    const char *name, *type;
} pgc_clickhouse_own_column;
const pgc_clickhouse_own_column *pgc_clickhouse_own_columns(const pgc_clickhouse_sink *sink, pgc_clickhouse_form form);
/* Appends the names of all columns, those of the sink's own at the end, with commas. */
void pgc_clickhouse_column_names(const pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout, bool with_own,
                                 pgc_buffer *out);
/* The name of a table in the target; appends it. */
void pgc_clickhouse_target_name(const pgconvoy_table *table, pgc_buffer *out);

/* What a row has besides its values. */
typedef struct pgc_clickhouse_mark {
    pgconvoy_lsn lsn;      /* of the commit, 0 for rows of a copy */
    bool deleted;          /* KEYED */
    int64_t sign;          /* MULTISET */
    const char *operation; /* HISTORY: and what follows */
    uint32_t sequence;
    int64_t time; /* microseconds since 1970 */
    pgconvoy_lsn change_lsn;
} pgc_clickhouse_mark;

/*
 * Appends a row. values NULL, or a value that is PGCONVOY_UNCHANGED: stands empty there. A value that cannot be held is
 * dealt with as the options say, an error names table, column and key. *not_nullable gets a column that had a NULL but
 * cannot (-1 otherwise): the row is not whole then, and 0 is returned all the same.
 */
int pgc_clickhouse_put_row(const pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout,
                           pgc_clickhouse_encoder *encoder, const pgconvoy_value *values,
                           const pgc_clickhouse_mark *mark, pgc_buffer *out, int *not_nullable,
                           pgconvoy_error *err) PGC_MUST_CHECK;
/* The same with the values of the key alone, in the order of table->key. */
int pgc_clickhouse_put_key(const pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout,
                           pgc_clickhouse_encoder *encoder, const pgconvoy_value *key, const pgc_clickhouse_mark *mark,
                           pgc_buffer *out, pgconvoy_error *err) PGC_MUST_CHECK;
/* One value with the byte of Nullable before it. */
int pgc_clickhouse_put_value(const pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout,
                             pgc_clickhouse_encoder *encoder, int column, const pgconvoy_value *values,
                             const pgconvoy_value *value, pgc_buffer *out, int *not_nullable,
                             pgconvoy_error *err) PGC_MUST_CHECK;

/* A value that the target's type cannot hold, as err says: 0 when NULL is to be in its place, else the error. */
int pgc_clickhouse_without_place(const pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout, int column,
                                 const pgconvoy_value *values, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- block.c */

typedef struct pgc_clickhouse_block pgc_clickhouse_block;

/* Whether the table's rows can be sent so. */
bool pgc_clickhouse_block_can_hold(const pgc_clickhouse_layout *layout);
pgc_clickhouse_block *pgc_clickhouse_block_new(const pgc_clickhouse_sink *sink, const pgc_clickhouse_layout *layout,
                                               pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_clickhouse_block_free(pgc_clickhouse_block *block);
/* Adds rows of a copy. *not_nullable as in put_row; the block is worth nothing then, and after an error. */
int pgc_clickhouse_block_add(pgc_clickhouse_block *block, pgc_clickhouse_encoder *encoder, const pgconvoy_rows *rows,
                             int *not_nullable, pgconvoy_error *err) PGC_MUST_CHECK;
size_t pgc_clickhouse_block_bytes(const pgc_clickhouse_block *block);
size_t pgc_clickhouse_block_rows(const pgc_clickhouse_block *block);
/* Appends the block to a body, in Native; it is empty afterwards. */
int pgc_clickhouse_block_put(pgc_clickhouse_block *block, pgc_http_encoder *encoder, pgc_buffer *body,
                             pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- schema.c */

int pgc_clickhouse_check_table(void *sink, const pgconvoy_table *table, pgconvoy_if_exists if_exists,
                               pgconvoy_error *err);
int pgc_clickhouse_prepare_table(void *sink, const pgconvoy_table *table, pgconvoy_if_exists if_exists,
                                 pgconvoy_error *err);
int pgc_clickhouse_finish_table(void *sink, const pgconvoy_table *table, const pgconvoy_table_status *status,
                                pgconvoy_error *err);
/* Appends ENGINE's value: "MergeTree(arguments)", or the replicated one of it. */
void pgc_clickhouse_engine(const pgc_clickhouse_sink *sink, const char *table, const char *engine,
                           const char *arguments, pgc_buffer *out);
/* Makes the view of the current rows anew. */
int pgc_clickhouse_make_view(pgc_clickhouse_sink *sink, pgc_clickhouse_session *session,
                             const pgc_clickhouse_layout *layout, pgconvoy_error *err) PGC_MUST_CHECK;
/* DROP TABLE IF EXISTS of a table or view. A replicated one is gone from the keeper when that ends: its path may be
 * wanted at once. */
void pgc_clickhouse_drop_table(const pgc_clickhouse_sink *sink, const char *name, pgc_buffer *sql);
int pgc_clickhouse_truncate(pgc_clickhouse_sink *sink, pgc_clickhouse_session *session, const char *name,
                            pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- columns.c */

typedef struct pgc_clickhouse_columns {
    size_t count;
    const char **names, **types;
    int *numbers; /* of the source's columns, 0 where it is not known */
    bool *sorted; /* is in ORDER BY */
} pgc_clickhouse_columns;
/* The columns that a table has; none when it is not there. In the arena. */
int pgc_clickhouse_column_list(pgc_clickhouse_sink *sink, pgc_clickhouse_session *session, const char *name,
                               pgc_arena *arena, pgc_clickhouse_columns *columns, pgconvoy_error *err) PGC_MUST_CHECK;
const char *pgc_clickhouse_column_type(const pgc_clickhouse_columns *columns, const char *name);
/* The place of the source's column among them, by its number, and where that is not known by its name; -1 when it is
 * not there. */
int pgc_clickhouse_column_find(const pgc_clickhouse_columns *columns, const pgconvoy_column *column);
/*
 * Compares the columns of the target's table with those of layout. With may_alter labels that are new are added, and
 * NULL allowed where it must be; a column that is Nullable there is so in layout from now on. A column that is not
 * there is an error, or with may_lack noted in layout->absent.
 */
int pgc_clickhouse_match_columns(pgc_clickhouse_sink *sink, pgc_clickhouse_session *session,
                                 pgc_clickhouse_layout *layout, bool may_lack, bool may_alter,
                                 pgconvoy_error *err) PGC_MUST_CHECK;
/* Refuses a table that is not like one of ours, with the columns that layout has. Changes nothing. */
int pgc_clickhouse_look_at_columns(pgc_clickhouse_sink *sink, pgc_clickhouse_session *session,
                                   pgc_clickhouse_layout *layout, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_clickhouse_make_nullable(pgc_clickhouse_sink *sink, pgc_clickhouse_session *session,
                                 pgc_clickhouse_layout *layout, int column, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- checkpoint.c */

/* How a table came to be this pipeline's. */
#define PGC_CLICKHOUSE_MADE "made"
#define PGC_CLICKHOUSE_EMPTIED "emptied"   /* it was there and was truncated */
#define PGC_CLICKHOUSE_APPENDED "appended" /* it was there and kept its rows */

int pgc_clickhouse_read_checkpoint(void *sink, pgconvoy_checkpoint *checkpoint, pgconvoy_error *err);
/* The following under the sink's lock. */
/* How this pipeline came to have the table; "" when it is not its own. */
int pgc_clickhouse_checkpoint_owned(pgc_clickhouse_sink *sink, const char *schema, const char *name, const char **how,
                                    pgconvoy_error *err) PGC_MUST_CHECK;
/* Stores position (0: leave it) and states in one INSERT of one block. how NULL: as it was. */
int pgc_clickhouse_checkpoint_store(pgc_clickhouse_sink *sink, pgconvoy_lsn lsn, const pgconvoy_table_status *tables,
                                    size_t count, const char *how, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_clickhouse_checkpoint_forget(pgc_clickhouse_sink *sink); /* frees what is known */
int pgc_clickhouse_checkpoint_rename(pgc_clickhouse_sink *sink, const pgconvoy_table *from, const pgconvoy_table *to,
                                     pgconvoy_error *err) PGC_MUST_CHECK;
/* Whether a table of this name (not quoted) is in the database. */
int pgc_clickhouse_table_exists(pgc_clickhouse_sink *sink, pgc_clickhouse_session *session, const char *name,
                                bool *exists, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_clickhouse_drop(void *sink, pgconvoy_error *err);

/* ---- writers */

/* A table that the stream has met. */
typedef struct pgc_clickhouse_stream_table {
    const pgconvoy_table *table;
    pgc_clickhouse_layout *layout;
    pgc_compact *compact;     /* not for HISTORY */
    pgc_buffer history;       /* rows, ready to be sent */
    pgconvoy_lsn last_lsn;    /* commit of the last change that was gathered */
    pgconvoy_lsn written_lsn; /* what the target's rows had reached when the table was met: up to here changes may be
                                 repetitions */
} pgc_clickhouse_stream_table;

#define PGC_CLICKHOUSE_RECENT 256

typedef struct pgc_clickhouse_writer {
    pgc_clickhouse_sink *sink;
    pgc_clickhouse_session session;
    pgc_clickhouse_encoder encoder;
    pgc_buffer body; /* rows in RowBinary */

    struct pgc_clickhouse_load *load; /* table copy: copy.c */

    /* stream: gather.c */
    pgc_clickhouse_stream_table **tables;
    size_t table_count, table_capacity;
    pgc_clickhouse_stream_table *recent[PGC_CLICKHOUSE_RECENT]; /* by oid: where a table is looked for first */
    size_t gathered_bytes;
    int64_t committed_at; /* monotonic, microseconds; 0: never */
    bool told_rename;     /* a trial: of a table, which has its old name here still */
} pgc_clickhouse_writer;

/* ---- copy.c */

typedef struct pgc_clickhouse_load pgc_clickhouse_load;
/* A range begins: writer->load has its rows. It is whole, or given up. */
int pgc_clickhouse_copy_begin(pgc_clickhouse_writer *writer, const pgconvoy_table *table,
                              pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_clickhouse_write_rows(void *writer, const pgconvoy_rows *rows, pgconvoy_error *err);
void pgc_clickhouse_copy_park(pgc_clickhouse_writer *writer);
void pgc_clickhouse_copy_abort(pgc_clickhouse_writer *writer);
/* All ranges of the table are whole: after it their rows are in the target. From any thread. */
int pgc_clickhouse_copy_finish(pgc_clickhouse_sink *sink, const pgconvoy_table *table,
                               pgconvoy_error *err) PGC_MUST_CHECK;
/* What an earlier attempt has left of a table is not sent any more. */
void pgc_clickhouse_copy_forget(pgc_clickhouse_sink *sink, uint32_t oid);
void pgc_clickhouse_loads_free(pgc_clickhouse_sink *sink);
/* Sends the rows in body, which is empty afterwards. */
int pgc_clickhouse_send_rows(const pgc_clickhouse_sink *sink, pgc_clickhouse_session *session,
                             const pgc_clickhouse_layout *layout, pgc_buffer *body, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- gather.c, apply.c, partial.c */

int pgc_clickhouse_write_changes(void *writer, const pgconvoy_changes *changes, pgconvoy_error *err);
pgc_clickhouse_stream_table *pgc_clickhouse_stream_table_find(const pgc_clickhouse_writer *writer,
                                                              const pgconvoy_table *source);
int pgc_clickhouse_stream_table_of(pgc_clickhouse_writer *writer, const pgconvoy_table *source,
                                   pgc_clickhouse_stream_table **found, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_clickhouse_stream_table_forget(pgc_clickhouse_writer *writer, const pgconvoy_table *source);
void pgc_clickhouse_forget_all(pgc_clickhouse_writer *writer);
int pgc_clickhouse_apply_all(pgc_clickhouse_writer *writer, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_clickhouse_apply_table(pgc_clickhouse_writer *writer, pgc_clickhouse_stream_table *table,
                               pgconvoy_error *err) PGC_MUST_CHECK;
/* Rows that lack values which only the target's rows have: MOVE items, and UPDATE items that are not complete. */
int pgc_clickhouse_apply_partial(pgc_clickhouse_writer *writer, pgc_clickhouse_stream_table *table,
                                 const pgc_compact_result *result, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- rights.c */

int pgc_clickhouse_check_privileges(void *sink, bool *is_known, pgconvoy_error *err);

/* ---- alter.c */

int pgc_clickhouse_change_schema(void *writer, const pgconvoy_table *old_table, const pgconvoy_table *new_table,
                                 pgconvoy_error *err);

#endif
