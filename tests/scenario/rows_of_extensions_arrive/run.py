#!/usr/bin/env python3
"""Rows that an extension keeps for its user, as PostGIS keeps coordinate systems and pg_cron jobs, come with the tables that need the extension, before their rows; those that the extension brought itself stay as they are."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))
import scenario

# A function of the extension reads the table, though it is IMMUTABLE, as PostGIS's ST_Transform does.
PLACES = """
CREATE TYPE place AS (x float8, y float8);
CREATE TABLE systems (id int PRIMARY KEY, factor float8 NOT NULL); INSERT INTO systems SELECT i, i FROM generate_series(1, 500) i;
SELECT pg_catalog.pg_extension_config_dump('systems', 'WHERE id >= 1000');
CREATE FUNCTION moved(p @extschema@.place, system int) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS 'DECLARE f float8; BEGIN
  SELECT factor INTO f FROM @extschema@.systems WHERE id = system;
  IF NOT FOUND THEN RAISE EXCEPTION ''no system %'', system; END IF;
  RETURN p.x * f; END';
CREATE TABLE networks (id serial PRIMARY KEY, name text UNIQUE); SELECT pg_catalog.pg_extension_config_dump('networks', '');
SELECT pg_catalog.pg_extension_config_dump('networks_id_seq', '');
"""
# No table needs it.
JOBS = """
CREATE SCHEMA jobs; CREATE TABLE jobs.job (id bigserial PRIMARY KEY, command text);
SELECT pg_catalog.pg_extension_config_dump('jobs.job', ''); SELECT pg_catalog.pg_extension_config_dump('jobs.job_id_seq', '');
"""
SHOP = """
CREATE EXTENSION places; CREATE EXTENSION jobs; INSERT INTO systems VALUES (1001, 2), (1002, 3); INSERT INTO networks (name) VALUES ('n'); INSERT INTO jobs.job (command) VALUES ('SELECT 1');
CREATE TABLE at_first (id int PRIMARY KEY, p place, m float8 GENERATED ALWAYS AS (moved(p, 1001)) STORED, fill text);
INSERT INTO at_first (id, p, fill) SELECT i, format('(%s,%s)', i, i)::place, repeat('x', 300) FROM generate_series(1, 20000) i; CREATE TABLE item (id int PRIMARY KEY)
"""


def begin(s):
    settings = s.own_extensions({"places": PLACES, "jobs": JOBS}, 18)
    source, target = (s.server(settings, scenario.embedded_postgres(18)) for _ in range(2))
    source.create_database("shop", SHOP)
    return source, target


def whole(target, database, systems="502 2003 5", networks="1 n"):
    """The extension's own 500 rows and the user's, as wanted: how many, the sum of their factors over ids from 1000 on."""
    found = target.sql("SELECT count(*), sum(id) FILTER (WHERE id > 500), sum(factor) FILTER (WHERE id > 500) FROM systems", database).replace("|", " ")
    assert found == systems, f"{database}: {found}"
    found = target.sql("SELECT string_agg(id || ' ' || name, ', ') FROM networks", database)
    assert found == networks, f"{database}: {found}"


def rows(target, database):
    found = target.sql("SELECT count(*), sum(m)::bigint FROM at_first", database)
    assert found == "20000|400020000", f"{database}: {found}"


def copied(s):
    """Whatever --if-exists says, the extension's own rows are left alone, and a row that is there is no error."""
    source, target = begin(s)

    def copy(database, *options):
        s.pgconvoy("copy", source.uri("shop"), target.uri(database), "--name", f"{database}{len(options)}", *options).ok()

    target.create_database("plain")
    copy("plain", "-j", "1")
    whole(target, "plain")
    rows(target, "plain")
    assert target.sql("SELECT command FROM jobs.job", "plain") == "SELECT 1"
    for mode in ("append", "truncate", "drop", "error"):
        target.create_database(mode, "CREATE EXTENSION places; INSERT INTO systems VALUES (1001, 2), (1003, 7)")
        copy(mode, *(["--if-exists", mode] if mode != "error" else []))
        whole(target, mode, "503 3006 12" if mode in ("append", "error") else "502 2003 5")
        rows(target, mode)
    target.create_database("twice")
    copy("twice", "--schema-only")
    copy("twice", "--data-only", "-j", "2")
    whole(target, "twice")
    rows(target, "twice")


def synced(s):
    """Those of an extension that a table needs come with the first copy; whoever names their table has it followed. Of an extension that none needs nothing comes, not by FOR ALL TABLES either."""
    source, target = begin(s)
    there = {"there": "CREATE EXTENSION places; INSERT INTO systems VALUES (1001, 2)", "ahead": "CREATE EXTENSION places; SELECT setval('networks_id_seq', 5)"}
    for database, options in (("plain", []), ("there", []), ("ahead", []), ("everything", ["--publication", "everything"])):
        target.create_database(database, there.get(database, "SELECT 1"))
        if database == "everything":
            source.sql("CREATE PUBLICATION everything FOR ALL TABLES", "shop")
        run = s.pgconvoy("sync", source.uri("shop"), target.uri(database), "--name", database, "--until", "caught-up", *options).ok()
        assert "copied the rows of public.systems that an extension keeps for its user (2)" in run.stderr, run.error_tail()
        whole(target, database)
        rows(target, database)
        assert target.sql("SELECT count(*) FROM pg_extension WHERE extname = 'jobs'", database) == "0"
        assert target.sql("INSERT INTO networks (name) VALUES ('next') RETURNING id", database) == ("6" if database == "ahead" else "2"), f"{database}: the numbers do not go on"
    target.create_database("named")
    run = s.pgconvoy("sync", source.uri("shop"), target.uri("named"), "--name", "named", "-t", "at_first", "-t", "systems", "-t", "jobs.job")
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
    source.sql("UPDATE systems SET factor = 11 WHERE id = 1002; INSERT INTO systems VALUES (1003, 1); INSERT INTO jobs.job (command) VALUES ('SELECT 2')", "shop")
    scenario.wait_for(lambda: target.sql("SELECT count(*) FROM jobs.job", "named") == "2", 30, "the job is there")
    run.stop()
    whole(target, "named", "503 3006 14")
    assert target.sql("SELECT string_agg(command, ', ' ORDER BY id) FROM jobs.job", "named") == "SELECT 1, SELECT 2"


def without_rights(s):
    """A role that may not read them, or not write them: said, and all else goes on. Sequences that are nobody's business may be unreadable."""
    source, target = begin(s)
    source.sql("""CREATE ROLE plain LOGIN REPLICATION; GRANT CREATE ON DATABASE shop TO plain; ALTER TABLE at_first OWNER TO plain; CREATE SCHEMA other; CREATE SEQUENCE other.free; SELECT nextval('other.free');
                  CREATE TABLE other.numbered (id serial PRIMARY KEY); CREATE SEQUENCE theirs; CREATE TABLE mine (id int PRIMARY KEY DEFAULT nextval('theirs')); ALTER TABLE mine OWNER TO plain""", "shop")
    target.sql("CREATE ROLE plain LOGIN; GRANT SET ON PARAMETER session_replication_role TO plain")
    source.sql("ALTER TABLE at_first DROP COLUMN m", "shop")
    for database, uris, says in (("unread", ("plain", "postgres"), "may not read it"), ("unwritten", ("postgres", "plain"), "may not write it on the target")):
        target.create_database(database, "CREATE EXTENSION places; GRANT ALL ON SCHEMA public TO plain")
        target.sql(f"GRANT CREATE ON DATABASE {database} TO plain")
        run = s.pgconvoy("sync", source.uri("shop", user=uris[0]), target.uri(database, user=uris[1]), "--name", database, "-t", "at_first", "--until", "caught-up").ok()
        assert run.stderr.count("the rows of public.systems that an extension keeps for its user are not copied: our role " + says) == 1, run.error_tail()
        assert target.sql("SELECT count(*) FROM at_first", database) == "20000"
        whole(target, database, "500  ", "")
    target.create_database("sequence", "CREATE EXTENSION places")
    s.pgconvoy("sync", source.uri("shop", user="plain"), target.uri("sequence"), "--name", "sequence", "-t", "mine").fails(1, ["public.theirs", "GRANT SELECT ON SEQUENCE public.theirs TO plain"])
    assert "pgconvoy_sequence" not in source.slots(), "a slot was made"


CASES = {"copied": copied, "synced": synced, "without_rights": without_rights}
scenario.run(lambda s: CASES[s.case](s), list(CASES))
