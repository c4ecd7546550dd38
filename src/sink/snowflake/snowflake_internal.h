/*
 * The Snowflake sink from the inside: what its files share. sink.c has the operations, the other files one part each:
 *
 *   target.c      TARGET and its options            checkpoint.c  the checkpoint's tables and transactions
 *   auth.c        tokens from a private key         schema.c      tables made, looked at, filled from their copy
 *   service.c     requests and their errors         alter.c       tables changed
 *   sql.c         statements over the SQL API       stage.c       rows as lines of a channel
 *   channel.c     Snowpipe Streaming                merge.c       the SQL that brings them to their table
 *   types.c       the type map                      layout.c      a table as Snowflake has it
 *   encode.c      values as text                    compare.c     what verify asks
 *
 * What becomes of changes, tables and the position between these is what it shares with others (sink/staged.h).
 *
 * How nothing is lost and nothing comes twice: rows only ever go into a table of changes, under a batch's name that
 * nobody else has, each line with its number. One transaction counts the lines, takes each of them once, brings them
 * to where they belong, and moves the checkpoint (`step`) on from where this process knows it to be. So neither a line
 * that the service has twice, nor one that it has not, nor what is left of a process that was killed can do harm.
 */
#ifndef PGC_SINK_SNOWFLAKE_INTERNAL_H
#define PGC_SINK_SNOWFLAKE_INTERNAL_H

#include "base/log.h"
#include "format/json_read.h"
#include "net/http_pool.h"
#include "sink/staged.h"

#include <pthread.h>

#define PGC_SF_SQL_MAX PGC_STAGED_SQL_MAX /* the longest text of a request's statements */
#define PGC_SF_ROW_MAX ((size_t)16 << 20) /* VARCHAR and VARIANT hold no more */

/* ---- target.c */

typedef struct pgc_sf_type_options {
    pgc_unmappable unmappable;
    bool numeric_text, numeric_number; /* numeric without precision: VARCHAR (both false too), or NUMBER(38, 9) */
    bool arrays_text, json_text;
} pgc_sf_type_options;

typedef struct pgc_sf_target {
    char *text;                      /* what the others point into */
    const char *user, *account;      /* account as it was written */
    const char *database, *schema;   /* upper case */
    const char *warehouse, *role;    /* NULL: the user's default */
    const char *key_file, *endpoint; /* endpoint NULL: made of the account */
    bool history;                    /* mode=history */
    pgc_sf_type_options types;
} pgc_sf_target;

/* Reads "snowflake://USER@ACCOUNT/DATABASE/SCHEMA?option=value&…"; a usage error names what is wrong. */
int pgc_sf_target_parse(const char *text, pgc_sf_target *target, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_sf_target_free(pgc_sf_target *target);

/* ---- types.c */

typedef enum pgc_sf_kind {
    PGC_SF_BOOLEAN,
    PGC_SF_INTEGER, /* NUMBER(38, 0) */
    PGC_SF_NUMBER,  /* of the source's precision and scale */
    PGC_SF_FLOAT,
    PGC_SF_CHARACTERS, /* VARCHAR: the characters themselves */
    PGC_SF_AS_TEXT,    /* VARCHAR: PostgreSQL's text form */
    PGC_SF_BINARY,
    PGC_SF_DATE,
    PGC_SF_TIME,
    PGC_SF_NTZ,
    PGC_SF_TZ,
    PGC_SF_VARIANT,
    PGC_SF_ARRAY,
    PGC_SF_VECTOR /* ARRAY: pgvector's, whose text is a JSON array of numbers */
} pgc_sf_kind;

typedef struct pgc_sf_type {
    pgc_sf_kind kind;
    int precision, scale;         /* of numbers */
    const pgconvoy_type *source;  /* domains taken off */
    const pgconvoy_type *element; /* of an ARRAY, likewise */
    pgc_sf_kind element_kind;
} pgc_sf_type;

/* Never fails: what has no type of its own is text. key: the column is compared with others. */
pgc_sf_type pgc_sf_type_of(const pgconvoy_type *type, int32_t typmod, bool key, const pgc_sf_type_options *options);
/* Appends "NUMBER(10, 2)", as DDL has it. */
void pgc_sf_put_type(const pgc_sf_type *type, pgc_buffer *out);
/* Appends the expression that makes a value of the type of a text. */
void pgc_sf_put_cast(const pgc_sf_type *type, const char *text, pgc_buffer *out);
/* What stands before and behind a column where rows are compared as a whole: VARIANTs are compared as texts. */
bool pgc_sf_type_compares(const pgc_sf_type *type);

/* A column as the information schema has it. */
typedef struct pgc_sf_there {
    const char *type; /* "NUMBER" */
    int precision, scale;
} pgc_sf_there;
/* Whether such a column takes all values of the type; *same: it is just that type. */
bool pgc_sf_type_fits(const pgc_sf_there *there, const pgc_sf_type *type, bool *same);
/* Whether Snowflake can change the column to the type with all its values. */
bool pgc_sf_type_widens(const pgc_sf_there *there, const pgc_sf_type *type);

/* ---- encode.c */

/*
 * Appends the value as a JSON string, of which pgc_sf_put_cast makes it again. 0; or 1 with why (static) when
 * Snowflake's type cannot hold it, and nothing is appended; or -1. Not for NULL and unchanged.
 */
int pgc_sf_encode(pgc_staged_encoder *encoder, const pgc_sf_type *type, const pgconvoy_value *value, pgc_buffer *out,
                  const char **why, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- layout.c */

/* A table and what it is in Snowflake. */
typedef struct pgc_sf_layout {
    PGC_STAGED_LAYOUT;
    pgc_sf_type *types;
} pgc_sf_layout;

/* The layout whose first part this is. */
static inline const pgc_sf_layout *pgc_sf_layout_of(const pgc_staged_layout *base)
{
    return (const pgc_sf_layout *)base;
}

typedef struct pgc_sf_sink pgc_sf_sink;
pgc_sf_layout *pgc_sf_layout_new(const pgc_sf_sink *sink, const pgconvoy_table *table,
                                 pgconvoy_error *err) PGC_MUST_CHECK;
static inline void pgc_sf_layout_free(pgc_sf_layout *layout)
{
    pgc_staged_layout_free(layout ? &layout->base : NULL);
}
/* Appends the columns of CREATE TABLE, with commas. */
void pgc_sf_layout_definitions(const pgc_sf_sink *sink, const pgc_sf_layout *layout, pgc_buffer *sql);
/* Appends " TYPE COMMENT '…'" of a column. */
void pgc_sf_layout_definition(const pgc_sf_layout *layout, int column, pgc_buffer *sql);

/* ---- the sink */

/* Lines of a table that a writer has sent and the service has committed. */
typedef struct pgc_sf_batch {
    char table[96], name[64];
    uint64_t lines;
    bool pieces; /* some rows are of several lines */
} pgc_sf_batch;

typedef struct pgc_sf_auth pgc_sf_auth;

struct pgc_sf_sink {
    PGC_STAGED_SINK; /* prefix and process in upper case */
    pgc_sf_target target;
    char endpoint[300];
    pgc_sf_auth *auth;
    pgc_http_pool *pool;
    char changes[96];     /* the stream's table of changes (checkpoint.c) */
    pgc_sf_batch *copied; /* batches of table copies that are complete; under the lock */
    size_t copied_count, copied_capacity;
};

/* The sink whose first part this is. */
static inline pgc_sf_sink *pgc_sf_sink_of(pgc_staged_sink *base)
{
    return (pgc_sf_sink *)base;
}

extern const pgconvoy_sink pgc_sink_snowflake; /* sink.c */

/* ---- auth.c */

/* Reads the private key; the settings are those of the sink's pool. */
int pgc_sf_auth_open(pgc_sf_sink *sink, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_sf_auth_free(pgc_sf_auth *auth);
/* Appends a token for the account's own host: a JWT signed with the key. */
int pgc_sf_auth_jwt(pgc_sf_sink *sink, pgc_buffer *token, pgconvoy_error *err) PGC_MUST_CHECK;
/* Appends the base URL and a token of the streaming service's host, which it asks for when it must. */
int pgc_sf_auth_ingest(pgc_sf_sink *sink, pgc_buffer *base, pgc_buffer *token, pgconvoy_error *err) PGC_MUST_CHECK;
/* A token was refused: the next one is another. */
void pgc_sf_auth_refused(pgc_sf_sink *sink, bool ingest, const char *token);
/* A UUID of random numbers. */
#define PGC_SF_UUID_SIZE 37
int pgc_sf_uuid(char uuid[PGC_SF_UUID_SIZE], pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- service.c */

typedef struct pgc_sf_request {
    const char *method, *path;
    bool ingest; /* to the streaming service's host */
    const char *body;
    size_t length;
    const char *content_type; /* NULL: JSON */
    bool compressed;          /* the body goes as gzip */
    const char *doing;        /* for errors: "creating table shop.users" */
    int accepts;              /* a status besides 2xx that is no error, or 0 */
    bool once;                /* an answer that is not clear is given back instead of asking again */
} pgc_sf_request;

typedef struct pgc_sf_answer {
    int status; /* 200 to 299, or what the request accepts; else that of the refusal; 0: there was no answer */
    const pgc_json *body; /* NULL: none, or no JSON */
    const char *text;     /* the same as it came */
    char code[48];        /* of a refusal */
} pgc_sf_answer;

/* Sends the request with a token until it has an answer. All of the answer lives in the arena; it is filled on failure
 * too. An error names what was being done, and what to do about it. */
int pgc_sf_call(pgc_sf_sink *sink, const pgc_sf_request *request, pgc_arena *arena, pgc_sf_answer *answer,
                pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- sql.c */

/* Runs one statement, or (several) more of them with ";" between them, to the end. A request whose outcome is not
 * known is sent again in a way that does not run it twice. */
int pgc_sf_run(pgc_sf_sink *sink, const pgc_buffer *sql, bool several, const char *doing,
               pgconvoy_error *err) PGC_MUST_CHECK;
/* A query with its rows in the arena: rows[i * columns + j], NULL for NULL. missing (may be NULL): says that something
 * of it is not there, which is no error then. */
int pgc_sf_select(pgc_sf_sink *sink, const pgc_buffer *sql, const char *doing, int columns, pgc_arena *arena,
                  const char ***rows, size_t *count, bool *missing, pgconvoy_error *err) PGC_MUST_CHECK;
/* Appends "DATABASE"."SCHEMA"."name". */
void pgc_sf_quote_table(const pgc_sf_sink *sink, const char *name, pgc_buffer *out);
void pgc_sf_quote_column(pgc_buffer *out, const char *name);
/* Appends a string literal. */
void pgc_sf_quote_text(pgc_buffer *out, const char *text);

/* ---- channel.c */

typedef struct pgc_sf_channel pgc_sf_channel;

/* A channel of our own into a table of changes. */
pgc_sf_channel *pgc_sf_channel_open(pgc_sf_sink *sink, const char *table, pgconvoy_error *err) PGC_MUST_CHECK;
const char *pgc_sf_channel_table(const pgc_sf_channel *channel);
/* Adds a line; sends when there are enough of them. */
int pgc_sf_channel_add(pgc_sf_channel *channel, const char *line, size_t length, pgconvoy_error *err) PGC_MUST_CHECK;
/* Waits until all lines are committed there. */
int pgc_sf_channel_wait(pgc_sf_channel *channel, pgconvoy_error *err) PGC_MUST_CHECK;
/* NULL is let be. */
void pgc_sf_channel_close(pgc_sf_channel *channel);

/* ---- stage.c */

/* Rows of a table on their way: a batch of lines in a channel. */
typedef struct pgc_sf_stage pgc_sf_stage;

pgc_sf_stage *pgc_sf_stage_new(pgc_sf_sink *sink, pgc_sf_channel *channel, const pgc_sf_layout *layout,
                               pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_sf_stage_free(pgc_sf_stage *stage);
int pgc_sf_stage_add(pgc_sf_stage *stage, const pgc_staged_row *row, pgconvoy_error *err) PGC_MUST_CHECK;
const pgc_sf_batch *pgc_sf_stage_batch(const pgc_sf_stage *stage);
const pgc_sf_layout *pgc_sf_stage_layout(const pgc_sf_stage *stage);
const pgc_staged_contents *pgc_sf_stage_contents(const pgc_sf_stage *stage);
/* Makes a table of changes, where there is none of its name. */
int pgc_sf_stage_make(pgc_sf_sink *sink, const char *table, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- merge.c */

/* Appends statements that bring a stage's rows to their table, and forget its lines. */
void pgc_sf_merge_sql(const pgc_sf_sink *sink, const pgc_sf_stage *stage, pgc_buffer *sql);
/* Appends INSERT INTO target SELECT … FROM the batches of a copy. */
void pgc_sf_fill_sql(const pgc_sf_sink *sink, const pgc_sf_layout *layout, const pgc_sf_batch *const *batches,
                     size_t count, pgconvoy_lsn lsn, pgc_buffer *sql);

/* ---- checkpoint.c, as pgc_staged_service has them */

#define PGC_SF_PIPELINES "_PGCONVOY_PIPELINES"
#define PGC_SF_TABLES "_PGCONVOY_TABLES"
/* Makes the target's schema, where it is not there. options: what stands behind its name. */
int pgc_sf_schema_make(pgc_sf_sink *sink, const char *options, const char *doing, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_sf_make_checkpoint(pgc_staged_sink *sink, pgconvoy_error *err);
int pgc_sf_add_pipeline(pgc_staged_sink *sink, pgconvoy_error *err);
void pgc_sf_known(pgc_staged_sink *sink);
int pgc_sf_make_changes(pgc_staged_sink *sink, pgconvoy_error *err);
void pgc_sf_drop_changes(pgc_staged_sink *sink);
void pgc_sf_put_begin(const pgc_staged_sink *sink, pgc_buffer *sql);
void pgc_sf_put_end(const pgc_staged_sink *sink, const char *name, pgc_buffer *sql);
int pgc_sf_run_commit(pgc_staged_sink *sink, const pgc_buffer *sql, const pgc_staged_commit *commit, const char *name,
                      pgconvoy_error *err);
int pgc_sf_run_pending(pgc_staged_sink *sink, const char *pending, const pgc_buffer *forget, pgconvoy_error *err);
int pgc_sf_clean(pgc_staged_sink *sink, pgconvoy_error *err);
int pgc_sf_run_drop(pgc_staged_sink *sink, const pgc_buffer *sql, pgconvoy_error *err);

/* ---- schema.c, likewise */

int pgc_sf_columns(pgc_staged_sink *sink, const char *table, pgc_arena *arena, pgc_staged_columns *columns,
                   pgconvoy_error *err);
bool pgc_sf_column_fits(const pgc_staged_layout *layout, int column, const pgc_staged_column *there);
void pgc_sf_put_type_there(const pgc_staged_column *there, pgc_buffer *out);
void pgc_sf_put_column_type(const pgc_staged_layout *layout, int column, pgc_buffer *out);
int pgc_sf_make_table(pgc_staged_sink *sink, const pgc_staged_layout *layout, const char *doing, pgconvoy_error *err);
int pgc_sf_drop_table(pgc_staged_sink *sink, const char *table, const char *doing, pgconvoy_error *err);
int pgc_sf_make_copy(pgc_staged_sink *sink, const pgc_staged_layout *layout, char *name, size_t size,
                     pgconvoy_error *err);
int pgc_sf_put_fill(pgc_staged_sink *sink, const pgc_staged_layout *layout, const char *copy, pgconvoy_lsn lsn,
                    pgc_arena *arena, pgc_buffer *sql, pgconvoy_error *err);
/* Notes that a batch of a table copy is complete: put_fill takes no others. */
int pgc_sf_note_copied(pgc_sf_sink *sink, const pgc_sf_batch *batch, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- alter.c, likewise */

void pgc_sf_put_later(const pgc_staged_writer *writer, pgc_buffer *out);
/* Does what follows a commit, or tells it in a trial; it may be done twice. */
int pgc_sf_run_later(pgc_staged_sink *sink, const char *later, pgconvoy_error *err);
int pgc_sf_add_column(const pgc_staged_alteration *a, int column, pgconvoy_error *err);
int pgc_sf_change_type(const pgc_staged_alteration *a, int old, int column, pgconvoy_error *err);

#endif
