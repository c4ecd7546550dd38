/* The table of commands. */
#include "cli/cli.h"

const cli_command cli_commands[] = {
    {"sync", "SOURCE TARGET", "copy, then stream without a gap; runs until stopped", CLI_MOVE | CLI_STREAMS, 2, 2, PGCONVOY_SYNC,
     cli_run_move},
    {"copy", "SOURCE TARGET", "all rows, once; into PostgreSQL the whole database, with all that is defined in it", CLI_MOVE | CLI_COPY, 2, 2,
     PGCONVOY_COPY, cli_run_copy},
    {"stream", "SOURCE TARGET", "changes from the slot's position on, no table copy", CLI_MOVE | CLI_STREAMS, 2, 2, PGCONVOY_STREAM,
     cli_run_move},
    {"status", "[NAME]", "a pipeline's tables, positions, lag, rates", CLI_STATUS, 0, 1, 0, cli_run_status},
    {"drop", "NAME [SOURCE [TARGET]]",
     "removes what a pipeline left at both ends: slot, publication, state; not the tables", CLI_DROP, 1, 3, 0,
     cli_run_drop},
    {"dump", "[DBNAME]", "a database as SQL or an archive; options and files are pg_dump's", 0, 0, 1, 0, cli_run_dump},
    {"restore", "[ARCHIVE]", "an archive of pg_dump's formats into a database or a script; options are pg_restore's", 0, 0, 1, 0, cli_run_restore},
    {"check", "SOURCE [TARGET]", "what would stop or spoil a sync or a copy, each item with its mend", CLI_CHECK | CLI_MOVE | CLI_COPY, 1, 2, 0, cli_run_check},
    {"plan", "SOURCE [TARGET]", "size and change rate; which mechanism suits, why, and what it takes", CLI_PLAN, 1, 2, 0, cli_run_plan},
    {"verify", "SOURCE TARGET", "compares schema, rows and sequences; names what differs", CLI_VERIFY, 2, 2, 0, cli_run_verify},
    {"link", "SOURCE TARGET", "makes SOURCE's tables foreign tables of TARGET (postgres_fdw)", CLI_LINK, 2, 2, 0, cli_run_link},
    {"subscribe", "SOURCE TARGET", "replication by PostgreSQL's own publication and subscription; goes on when the command has ended", CLI_SUBSCRIBE, 2, 2, 0,
     cli_run_subscribe},
    {"cutover", "NAME [SOURCE TARGET]", "drain a pipeline, set sequences, verify, stop, so that applications can move to its target", CLI_CUTOVER, 1, 3, 0, cli_run_cutover},
    {"serve", "", NULL, 0, 0, 0, 0, NULL},
    {.name = NULL},
};

const cli_command *cli_command_find(const char *name)
{
    for (const cli_command *command = cli_commands; command->name; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}
