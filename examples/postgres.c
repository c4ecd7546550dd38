/* Copies a database into another PostgreSQL server, with all that belongs to its tables, and follows its changes until
 * they are caught up:
 *
 *     postgres postgres://here/shop postgres://there/shop
 *
 * Tables arrive as they are at the source: keys, indexes, constraints, triggers, what they need. Run it again and it
 * takes only what has changed since. */
#include <pgconvoy.h>

#include <stdio.h>

/* Objects belong to the target's user, and nobody is granted anything: the roles of one server are not those of
 * another. A switch takes no value. */
static const struct {
    const char *name, *value;
} options[] = {{"until", "caught-up"}, {"index-jobs", "2"}, {"no-owner", NULL}, {"no-acl", NULL}};

static int sync_into(pgconvoy_pipeline *pipeline, pgconvoy_error *err)
{
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (pgconvoy_pipeline_set(pipeline, options[i].name, options[i].value, err) != 0)
            return -1;
    return pgconvoy_pipeline_run(pipeline, PGCONVOY_SYNC, err);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s SOURCE TARGET\n", argv[0]);
        return 2;
    }
    pgconvoy_error *err = pgconvoy_error_new();
    pgconvoy_pipeline *pipeline = pgconvoy_pipeline_new(argv[1], argv[2], err);
    int failed = !pipeline || sync_into(pipeline, err) != 0;
    if (failed)
        fprintf(stderr, "%s\n%s\n", pgconvoy_error_message(err), pgconvoy_error_get_hint(err));
    pgconvoy_pipeline_free(pipeline);
    pgconvoy_error_free(err);
    return failed;
}
