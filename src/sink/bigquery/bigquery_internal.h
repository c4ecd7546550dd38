/*
 * The BigQuery sink from the inside: what its files share. sink.c has the operations, the other files one part each:
 *
 *   target.c      TARGET and its options            checkpoint.c  the dataset, the checkpoint's tables and scripts
 *   service.c     requests and their errors         schema.c      tables made and looked at
 *   job.c         jobs: queries, loads, waiting     alter.c       tables changed
 *   types.c       the type map                      stage.c       rows into a file, the file into a staging table
 *   encode.c      values as JSON                    merge.c       the SQL that brings them to their table
 *   layout.c      a table as BigQuery has it        compare.c     what verify asks
 *
 * What becomes of changes, tables and the position between these is what it shares with others (sink/staged.h).
 *
 * How nothing is lost and nothing comes twice: rows only ever go into staging tables of a name of their own, by load
 * jobs. One script, a transaction, brings them to where they belong, and the checkpoint with them. It begins by looking
 * whether the checkpoint still stands where this process left it (`step`), so that what is left of a process that was
 * killed cannot apply anything after its successor has begun.
 */
#ifndef PGC_SINK_BIGQUERY_INTERNAL_H
#define PGC_SINK_BIGQUERY_INTERNAL_H

#include "base/log.h"
#include "format/json_read.h"
#include "net/http_pool.h"
#include "net/token.h"
#include "sink/staged.h"

#include <pthread.h>

#define PGC_BQ_SQL_MAX PGC_STAGED_SQL_MAX /* a query's longest text */

/* ---- target.c */

typedef struct pgc_bq_type_options {
    pgc_unmappable unmappable;
    bool numeric_text, numeric_big; /* numeric without precision: STRING (both false too), or BIGNUMERIC */
    bool arrays_text, json_text;
} pgc_bq_type_options;

typedef struct pgc_bq_target {
    char *text; /* what the others point into */
    const char *project, *dataset, *location, *endpoint, *credentials, *token_file;
    bool history; /* mode=history */
    pgc_bq_type_options types;
} pgc_bq_target;

/* Reads "bigquery://PROJECT/DATASET?option=value&…"; a usage error names what is wrong. */
int pgc_bq_target_parse(const char *text, pgc_bq_target *target, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_bq_target_free(pgc_bq_target *target);

/* ---- types.c */

typedef enum pgc_bq_kind {
    PGC_BQ_BOOL,
    PGC_BQ_INT64,
    PGC_BQ_FLOAT64,
    PGC_BQ_NUMERIC,
    PGC_BQ_BIGNUMERIC,
    PGC_BQ_CHARACTERS, /* STRING: the characters themselves */
    PGC_BQ_AS_TEXT,    /* STRING: PostgreSQL's text form */
    PGC_BQ_BYTES,
    PGC_BQ_DATE,
    PGC_BQ_TIME,
    PGC_BQ_DATETIME,
    PGC_BQ_TIMESTAMP,
    PGC_BQ_JSON,
    PGC_BQ_VECTOR /* pgvector's, whose text is a JSON array of numbers */
} pgc_bq_kind;

typedef struct pgc_bq_type {
    pgc_bq_kind kind;
    bool repeated;
    const pgconvoy_type *source;  /* domains taken off */
    const pgconvoy_type *element; /* of a repeated one, likewise */
} pgc_bq_type;

/* Never fails: what has no type of its own is text. key: the column is compared with others. */
pgc_bq_type pgc_bq_type_of(const pgconvoy_type *type, int32_t typmod, bool key, const pgc_bq_type_options *options);
/* "INT64", "STRING" …, as the API and SQL both call it. */
const char *pgc_bq_type_name(const pgc_bq_type *type);
bool pgc_bq_type_clusters(const pgc_bq_type *type);

/* ---- encode.c */

/*
 * Appends the value as JSON. 0; or 1 with why (static) when BigQuery's type cannot hold it, and nothing is appended; or
 * -1. Not for NULL and unchanged.
 */
int pgc_bq_encode(pgc_staged_encoder *encoder, const pgc_bq_type *type, const pgconvoy_value *value, pgc_buffer *out,
                  const char **why, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- layout.c */

/* A table and what it is in BigQuery. */
typedef struct pgc_bq_layout {
    PGC_STAGED_LAYOUT;
    pgc_bq_type *types;
} pgc_bq_layout;

/* The layout whose first part this is. */
static inline const pgc_bq_layout *pgc_bq_layout_of(const pgc_staged_layout *base)
{
    return (const pgc_bq_layout *)base;
}

typedef struct pgc_bq_sink pgc_bq_sink;
/* Refuses two columns that would get the same name. */
pgc_bq_layout *pgc_bq_layout_new(const pgc_bq_sink *sink, const pgconvoy_table *table,
                                 pgconvoy_error *err) PGC_MUST_CHECK;
static inline void pgc_bq_layout_free(pgc_bq_layout *layout)
{
    pgc_staged_layout_free(layout ? &layout->base : NULL);
}
/* Appends {"name":…,"type":…} objects of the table's columns, with commas. */
void pgc_bq_layout_fields(const pgc_bq_sink *sink, const pgc_bq_layout *layout, pgc_buffer *out);
/* Appends ,"clustering":{…} where the key allows it. */
void pgc_bq_layout_clustering(const pgc_bq_layout *layout, pgc_buffer *out);

/* ---- the sink */

struct pgc_bq_sink {
    PGC_STAGED_SINK;
    pgc_bq_target target;
    pgc_token_source *tokens;
    pgc_http_pool *pool;
    char location[64]; /* of the dataset; "" while it is not there and none was asked for */
};

/* The sink whose first part this is. */
static inline pgc_bq_sink *pgc_bq_sink_of(pgc_staged_sink *base)
{
    return (pgc_bq_sink *)base;
}

/* ---- service.c */

/* What a request came to. */
typedef struct pgc_bq_answer {
    int status;           /* 200 to 299, or one of those that the caller said it takes */
    const pgc_json *body; /* NULL: none */
    char session[1024];   /* Location of an upload that was begun */
    char range[64];       /* Range of a 308 */
} pgc_bq_answer;

typedef struct pgc_bq_request {
    const char *method, *path; /* path: below the endpoint, or a whole URL */
    const char *body;          /* JSON, or bytes of an upload; NULL: none */
    size_t length;
    const char *content_range; /* of an upload; NULL: the body is JSON */
    const char *doing;         /* for errors: "creating table shop.users" */
    int accepts;               /* a status besides 2xx that is no error (404, 409, 308), or 0 */
    bool once;                 /* is not sent again after a lost connection: the caller looks what became of it */
} pgc_bq_request;

/*
 * Sends the request until it has an answer that is not "later" (429, 5xx, lost connections; with pauses), with a token.
 * Everything of the answer lives in the arena. An error names what was being done, and what to do about it.
 */
int pgc_bq_call(pgc_bq_sink *sink, const pgc_bq_request *request, pgc_arena *arena, pgc_bq_answer *answer,
                pgconvoy_error *err) PGC_MUST_CHECK;
/* A request without a body, to a path that was built in a buffer. accepts: as in the request. */
int pgc_bq_ask(pgc_bq_sink *sink, const char *method, const pgc_buffer *path, int accepts, const char *doing,
               pgc_arena *arena, pgc_bq_answer *answer, pgconvoy_error *err) PGC_MUST_CHECK;
/* A POST of JSON, likewise. */
int pgc_bq_post(pgc_bq_sink *sink, const pgc_buffer *path, const pgc_buffer *body, int accepts, const char *doing,
                pgc_arena *arena, pgc_bq_answer *answer, pgconvoy_error *err) PGC_MUST_CHECK;
/* Appends `project.dataset.name` in back-quotes. */
void pgc_bq_quote_table(const pgc_bq_sink *sink, const char *name, pgc_buffer *out);
void pgc_bq_quote_column(pgc_buffer *out, const char *name);
/* Appends a string literal of GoogleSQL. */
void pgc_bq_quote_text(pgc_buffer *out, const char *text);
/* Whether what failed for this reason may be better in a while; and what to do about it. */
bool pgc_bq_reason_passes(const char *reason);
void pgc_bq_reason_hint(const char *reason, pgconvoy_error *err);
int pgc_bq_tokens_open(pgc_bq_sink *sink, pgconvoy_error *err) PGC_MUST_CHECK;
/* A POST that makes something which may be there already. */
int pgc_bq_create(pgc_bq_sink *sink, const pgc_buffer *path, const pgc_buffer *body, const char *doing,
                  pgconvoy_error *err) PGC_MUST_CHECK;
/* Appends what stands in requests for a table, or (NULL) for the dataset. */
void pgc_bq_put_reference(const pgc_bq_sink *sink, const char *table, pgc_buffer *out);
/* The paths of the dataset, of its tables, and of one of them. */
void pgc_bq_dataset_path(const pgc_bq_sink *sink, pgc_buffer *out);
void pgc_bq_tables_path(const pgc_bq_sink *sink, pgc_buffer *out);
void pgc_bq_table_path(const pgc_bq_sink *sink, const char *table, pgc_buffer *out);

/* ---- job.c */

/*
 * Runs a script under a job id made of key, and waits for its end. When that job is there already it is the one that is
 * waited for; one that failed is followed by another attempt where that may help.
 */
int pgc_bq_run_script(pgc_bq_sink *sink, const char *key, const pgc_buffer *sql, const char *doing,
                      pgconvoy_error *err) PGC_MUST_CHECK;
/* A query that changes nothing, with its rows in the arena: rows[i * columns + j], NULL for NULL. *missing says that a
 * table of it is not there. */
int pgc_bq_select(pgc_bq_sink *sink, const pgc_buffer *sql, const char *doing, int columns, pgc_arena *arena,
                  const char ***rows, size_t *count, bool *missing, pgconvoy_error *err) PGC_MUST_CHECK;
/* Uploads size bytes from fd as rows of a staging table, and begins to load them. */
int pgc_bq_load_begin(pgc_bq_sink *sink, int fd, int64_t size, const char *table, const char *fields,
                      const char *job_id, const char *doing, pgconvoy_error *err) PGC_MUST_CHECK;
/* Waits for a load to end. */
int pgc_bq_load_wait(pgc_bq_sink *sink, const char *job_id, const char *doing, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- stage.c */

/* Rows on their way into a staging table: a compressed file without a name, and after pgc_bq_stage_send a load job. */
typedef struct pgc_bq_stage pgc_bq_stage;

pgc_bq_stage *pgc_bq_stage_new(pgc_bq_sink *sink, const pgc_bq_layout *layout, pgconvoy_error *err) PGC_MUST_CHECK;
void pgc_bq_stage_free(pgc_bq_stage *stage);
int pgc_bq_stage_add(pgc_bq_stage *stage, const pgc_staged_row *row, pgconvoy_error *err) PGC_MUST_CHECK;
/* Uploads what was added and begins to load it into a table of its own, or into the one given (of a table copy). */
int pgc_bq_stage_send(pgc_bq_stage *stage, const char *into, pgconvoy_error *err) PGC_MUST_CHECK;
/* Waits until it is loaded. */
int pgc_bq_stage_wait(pgc_bq_stage *stage, pgconvoy_error *err) PGC_MUST_CHECK;
int64_t pgc_bq_stage_bytes(const pgc_bq_stage *stage);
const char *pgc_bq_stage_table(const pgc_bq_stage *stage);
const pgc_bq_layout *pgc_bq_stage_layout(const pgc_bq_stage *stage);
const pgc_staged_contents *pgc_bq_stage_contents(const pgc_bq_stage *stage);
/* The fields of such a table as the API writes them. */
void pgc_bq_stage_fields(const pgc_bq_stage *stage, pgc_buffer *out);
#define PGC_BQ_FIELDS_MAX ((size_t)8 << 20) /* of a table's schema as text */

/*
 * Makes a table of these fields (the JSON objects of its schema, with commas between them), where there is none of its
 * name (tables.insert). more is what else belongs into the request's body, begun by a comma; or "".
 */
int pgc_bq_table_make(pgc_bq_sink *sink, const char *table, const char *fields, const char *more, const char *doing,
                      pgconvoy_error *err) PGC_MUST_CHECK;
/* Makes a table of these fields that goes by itself after some days. */
int pgc_bq_stage_make(pgc_bq_sink *sink, const char *table, const char *fields, int days,
                      pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_bq_table_drop(pgc_bq_sink *sink, const char *table, const char *doing, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- merge.c */

/* Appends statements that bring a stage's rows to their table. number tells temporary tables of one script apart. */
void pgc_bq_merge_sql(const pgc_bq_sink *sink, const pgc_bq_stage *stage, int number, pgc_buffer *sql);
/* Appends INSERT INTO target SELECT … FROM a copy. */
void pgc_bq_fill_sql(const pgc_bq_sink *sink, const pgc_bq_layout *layout, const char *copy, pgconvoy_lsn lsn,
                     pgc_buffer *sql);

/* ---- sink.c */

extern const pgconvoy_sink pgc_sink_bigquery;
/* Looks whether the dataset is there, and where. */
int pgc_bq_find_dataset(pgc_bq_sink *sink, pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- checkpoint.c, as pgc_staged_service has them */

#define PGC_BQ_PIPELINES "_pgconvoy_pipelines"
#define PGC_BQ_TABLES "_pgconvoy_tables"
/* Makes the dataset where it is not there. more: what else belongs into the request's body, begun by a comma; or "". */
int pgc_bq_make_dataset(pgc_bq_sink *sink, const char *more, pgconvoy_error *err) PGC_MUST_CHECK;
int pgc_bq_make_checkpoint(pgc_staged_sink *sink, pgconvoy_error *err);
int pgc_bq_add_pipeline(pgc_staged_sink *sink, pgconvoy_error *err);
void pgc_bq_put_begin(const pgc_staged_sink *sink, pgc_buffer *sql);
void pgc_bq_put_end(const pgc_staged_sink *sink, const char *name, pgc_buffer *sql);
int pgc_bq_run_commit(pgc_staged_sink *sink, const pgc_buffer *sql, const pgc_staged_commit *commit, const char *name,
                      pgconvoy_error *err);
int pgc_bq_run_pending(pgc_staged_sink *sink, const char *pending, const pgc_buffer *forget, pgconvoy_error *err);
int pgc_bq_run_drop(pgc_staged_sink *sink, const pgc_buffer *sql, pgconvoy_error *err);

/* ---- schema.c, likewise */

int pgc_bq_columns(pgc_staged_sink *sink, const char *table, pgc_arena *arena, pgc_staged_columns *columns,
                   pgconvoy_error *err);
bool pgc_bq_column_fits(const pgc_staged_layout *layout, int column, const pgc_staged_column *there);
void pgc_bq_put_type_there(const pgc_staged_column *there, pgc_buffer *out);
void pgc_bq_put_column_type(const pgc_staged_layout *layout, int column, pgc_buffer *out);
int pgc_bq_make_table(pgc_staged_sink *sink, const pgc_staged_layout *layout, const char *doing, pgconvoy_error *err);
int pgc_bq_make_copy(pgc_staged_sink *sink, const pgc_staged_layout *layout, char *name, size_t size,
                     pgconvoy_error *err);
/* The fields of a table, as the API has them, in the arena. */
int pgc_bq_get_fields(pgc_bq_sink *sink, const char *table, pgc_arena *arena, bool *there, const pgc_json **fields,
                      pgconvoy_error *err) PGC_MUST_CHECK;

/* ---- alter.c, likewise */

void pgc_bq_put_later(const pgc_staged_writer *writer, pgc_buffer *sql);
int pgc_bq_add_column(const pgc_staged_alteration *a, int column, pgconvoy_error *err);
int pgc_bq_change_type(const pgc_staged_alteration *a, int old, int column, pgconvoy_error *err);

#endif
