/* Follows a database and writes every row and change to standard output, a JSON object a line:
 *
 *     stdout postgres://localhost/shop | jq .
 *
 * With a second operand it stops there: `caught-up`, or an LSN. */
#include <pgconvoy.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s SOURCE [caught-up|LSN]\n", argv[0]);
        return 2;
    }
    pgconvoy_error *err = pgconvoy_error_new();
    pgconvoy_pipeline *pipeline = pgconvoy_pipeline_new(argv[1], "-", err);
    int failed = pipeline == NULL;
    if (!failed && argc > 2)
        failed = pgconvoy_pipeline_set(pipeline, "until", argv[2], err);
    if (!failed)
        failed = pgconvoy_pipeline_run(pipeline, PGCONVOY_SYNC, err);
    if (failed)
        fprintf(stderr, "%s\n%s\n", pgconvoy_error_message(err), pgconvoy_error_get_hint(err));
    pgconvoy_pipeline_free(pipeline);
    pgconvoy_error_free(err);
    return failed ? 1 : 0;
}
