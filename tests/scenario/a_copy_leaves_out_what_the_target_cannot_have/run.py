#!/usr/bin/env python3
"""What the target's server cannot have (it is older, lacks an extension, a library, a tablespace, or the role may not) is named before anything is changed; --skip-unavailable goes on without it and what needs it."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))
import scenario

NEWER = """
CREATE TABLE t (id int PRIMARY KEY, v text, w int); INSERT INTO t SELECT i, i, i FROM generate_series(1, 500) i;
CREATE UNIQUE INDEX nulls ON t (v) NULLS NOT DISTINCT; CREATE INDEX plain ON t (w);
CREATE VIEW invoker WITH (security_invoker = true) AS SELECT * FROM t; CREATE VIEW on_it AS SELECT count(*) FROM invoker;
CREATE PUBLICATION p FOR TABLES IN SCHEMA public; CREATE TABLE generated (id int, twice int GENERATED ALWAYS AS (2 * id) VIRTUAL); INSERT INTO generated VALUES (1);
CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END;
CREATE TABLE uses_f (id int DEFAULT f()); CREATE ROLE keeper; GRANT MAINTAIN ON t TO keeper
"""


def empty(server, database):
    return server.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace", database) + server.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgconvoy'", database)


def older(s):
    source, target = s.server({}, scenario.embedded_postgres(18)), s.server({}, scenario.embedded_postgres(13))
    source.create_database("source", NEWER)
    target.create_database("target")
    run = s.pgconvoy("copy", source.uri("source"), target.uri("target"), "--roles").fails(1, ["the target cannot have", "older", "invoker", "nothing was changed", "--skip-unavailable"])
    assert empty(target, "target") == "00" and target.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'keeper'") == "0", "something was changed"
    run = s.pgconvoy("copy", source.uri("source"), target.uri("target"), "--roles", "--skip-unavailable").ok()
    for what in ("index public.nulls", "view public.invoker", "view public.on_it (needs view public.invoker)", "table public.generated", "function public.f()"):
        assert f"left out: {what}" in run.stderr, run.stderr
    assert target.sql("SELECT count(*) FROM t", "target") == "500" and target.sql("SELECT to_regclass('plain') IS NOT NULL AND to_regclass('nulls') IS NULL", "target") == "t"


def without(s):
    source, target = s.server(), s.server()
    place = os.path.join(s.folder, "place")
    os.mkdir(place)
    subprocess.run(["chown", "--reference", source.data, place], check=True)
    source.sql(f"CREATE TABLESPACE fast LOCATION '{place}'")
    source.create_database("source", "CREATE TABLE t (id int) TABLESPACE fast; INSERT INTO t VALUES (1); CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (2); CREATE VIEW v AS SELECT * FROM t JOIN u USING (id)")
    target.create_database("target")
    s.pgconvoy("copy", source.uri("source"), target.uri("target"), "--skip-check", "tablespaces").fails(1, ["the target cannot have 1 object", "table public.t", "fast"])
    assert empty(target, "target") == "00"
    run = s.pgconvoy("copy", source.uri("source"), target.uri("target"), "--skip-unavailable").ok()
    assert "left out: table public.t" in run.stderr and "left out: view public.v (needs table public.t)" in run.stderr, run.stderr
    assert target.sql("SELECT id FROM u", "target") == "2" and target.sql("SELECT to_regclass('t') IS NULL", "target") == "t"
    # a role that may make tables, but not what needs a superuser
    target.sql("CREATE ROLE plain LOGIN; CREATE DATABASE his OWNER plain")
    source.create_database("other", "CREATE FUNCTION f(cstring, int) RETURNS bool LANGUAGE internal AS 'boolin'; CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
    s.pgconvoy("copy", source.uri("other"), target.uri("his", user="plain"), "-O", "-x").fails(1, ["function public.f(cstring, integer)", "permission denied"])
    s.pgconvoy("copy", source.uri("other"), target.uri("his", user="plain"), "-O", "-x", "--skip-unavailable").ok()
    assert target.sql("SELECT id FROM t", "his") == "1"


SCHEDULER = """
CREATE SCHEMA jobs; CREATE SEQUENCE jobs.number; CREATE TABLE jobs.job (id bigint PRIMARY KEY DEFAULT nextval('jobs.number'), command text);
SELECT pg_catalog.pg_extension_config_dump('jobs.job', ''); SELECT pg_catalog.pg_extension_config_dump('jobs.number', '');
"""


def scheduler(s):
    """An extension with rows of its own, as pg_cron has them, that the target's server lacks: no more than it and its rows stay away."""
    source, target = s.server(s.own_extensions({"scheduler": SCHEDULER})), s.server()
    source.sql("CREATE EXTENSION scheduler; INSERT INTO jobs.job (command) VALUES ('SELECT 1'); CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 3);"
               "CREATE VIEW waiting AS SELECT * FROM jobs.job")
    target.create_database("streamed")
    s.pgconvoy("sync", source.uri(), target.uri("streamed"), "--name", "t", "--until", "caught-up").ok()
    assert target.sql("SELECT string_agg(id::text, ',') FROM t", "streamed") == "1,2,3"
    target.create_database("copied")
    s.pgconvoy("copy", source.uri(), target.uri("copied")).fails(1, ["scheduler"])
    assert empty(target, "copied") == "00", "something was changed"
    run = s.pgconvoy("copy", source.uri(), target.uri("copied"), "--skip-unavailable").ok()
    for what in ("extension scheduler", "view public.waiting (needs extension scheduler)"):
        assert f"left out: {what}" in run.stderr, run.stderr
    assert target.sql("SELECT string_agg(id::text, ',') FROM t", "copied") == "1,2,3"
    assert target.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'jobs'", "copied") == "0"


def policies(s):
    """Policies for roles that the target lacks: a copy names them before anything is changed, a sync goes on without them, and says so; --roles makes the roles, with -O -x too."""
    source, target = s.server(), s.server()
    source.sql("CREATE ROLE app; CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON t TO app USING (id > 1); COMMENT ON POLICY mine ON t IS 'x'; CREATE POLICY whole ON t USING (true)")

    def there():
        return target.sql("SELECT string_agg(polname, ' ' ORDER BY 1) FROM pg_policy", "target")
    target.create_database("target")
    s.pgconvoy("copy", source.uri(), target.uri("target"), "-O", "-x").fails(1, ["1 role that row-level security policies are for: app", "--roles", "--skip-unavailable"])
    assert empty(target, "target") == "00", "something was changed"
    for command, policies_there in ((["copy", "-O", "-x", "--skip-unavailable"], "whole"), (["sync", "--until", "caught-up", "--name", "p"], "whole"), (["sync", "--until", "caught-up", "--name", "q", "-O", "-x", "--roles"], "mine whole"),
                                    (["copy", "-O", "-x", "--roles"], "mine whole")):
        target.sql("DROP DATABASE target")
        target.sql("DROP ROLE IF EXISTS app")
        target.create_database("target")
        run = s.pgconvoy(command[0], source.uri(), target.uri("target"), *command[1:]).ok()
        assert there() == policies_there, (command, there())
        assert ('left out: policy public.t mine (the target\'s server has no role "app"; --roles makes it)' in run.stderr) == ("--roles" not in command), run.error_tail()


CASES = {"without": without, "older": older, "scheduler": scheduler, "policies": policies}
scenario.run(lambda s: CASES[s.case](s), list(CASES))
