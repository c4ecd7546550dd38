/* Copies a database into a DuckDB file, follows its changes until they are caught up, and says on the way how far it
 * is:
 *
 *     duckdb postgres://localhost/shop shop.duckdb
 *
 * Run it again and it takes only what has changed since. */
#include <pgconvoy.h>

#include <stdio.h>

static void say_progress(void *arg, const pgconvoy_progress *progress)
{
    (void)arg;
    fprintf(stderr, "%lld rows copied, %lld changes, %lld bytes behind\n", (long long)progress->rows_copied,
            (long long)progress->changes, (long long)progress->lag_bytes);
}

static int sync_into(pgconvoy_pipeline *pipeline, pgconvoy_error *err)
{
    if (pgconvoy_pipeline_set(pipeline, "until", "caught-up", err) != 0)
        return -1;
    pgconvoy_pipeline_on_progress(pipeline, 1000, say_progress, NULL);
    return pgconvoy_pipeline_run(pipeline, PGCONVOY_SYNC, err);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s SOURCE FILE\n", argv[0]);
        return 2;
    }
    char target[4096];
    snprintf(target, sizeof target, "duckdb:%s", argv[2]);
    pgconvoy_error *err = pgconvoy_error_new();
    pgconvoy_pipeline *pipeline = pgconvoy_pipeline_new(argv[1], target, err);
    int failed = !pipeline || sync_into(pipeline, err) != 0;
    if (failed)
        fprintf(stderr, "%s\n%s\n", pgconvoy_error_message(err), pgconvoy_error_get_hint(err));
    pgconvoy_pipeline_free(pipeline);
    pgconvoy_error_free(err);
    return failed;
}
