/* --help of the dump command, and its table in docs/commands.md. */
#include "cli/dump.h"

void cli_dump_help(const char *program, pgc_buffer *out)
{
    pgc_buffer_format(out, "%s dumps a database as SQL or as an archive, as pg_dump does.\n\nUsage:\n  %s [OPTION]... [DBNAME]\n", program, program);
    cli_pg_help(cli_dump_options, "Options controlling the output content", out);
    pgc_buffer_text(out, "\nIf no database name is supplied, then the PGDATABASE environment\nvariable value is used.\n");
}

void cli_dump_markdown(pgc_buffer *out)
{
    cli_pg_markdown(cli_dump_options, "dump", out);
}
