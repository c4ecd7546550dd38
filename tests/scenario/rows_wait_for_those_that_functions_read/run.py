#!/usr/bin/env python3
"""Rows whose CHECK, generated column or domain calls a function that reads other tables come after those, in whatever order that is; rows that no others help are refused with the reason, and nothing is lost."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))
import copying
import scenario

# each is larger than what it needs, and so would come before it; b_middle needs d_last, and a_first needs both
TABLES = """
CREATE TABLE d_last (id int PRIMARY KEY); INSERT INTO d_last VALUES (1), (2);
CREATE FUNCTION is_there(id int) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN EXISTS (SELECT FROM public.d_last d WHERE d.id = is_there.id); END $$;
CREATE TABLE b_middle (id int PRIMARY KEY, d int CHECK (is_there(d)), fill text); INSERT INTO b_middle SELECT i, 1 + i % 2, repeat('x', 100) FROM generate_series(1, 600) i;
CREATE FUNCTION doubled(id int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ DECLARE r int; BEGIN
    SELECT b.d * 2 INTO r FROM public.b_middle b JOIN public.d_last USING (id) WHERE b.id = doubled.id; IF NOT FOUND THEN RAISE 'no % in b_middle', id; END IF; RETURN r; END $$;
CREATE TABLE a_first (id int PRIMARY KEY, two int GENERATED ALWAYS AS (doubled(1 + 0 * id)) STORED, fill text); INSERT INTO a_first (id, fill) SELECT i, repeat('y', 200) FROM generate_series(1, 4000) i;
CREATE DOMAIN known AS int CHECK (public.is_there(VALUE)); CREATE TABLE c_domain (id int PRIMARY KEY, k known, fill text); INSERT INTO c_domain SELECT i, 2, repeat('z', 100) FROM generate_series(1, 100) i;
CREATE INDEX ON a_first (two)
"""


def whole(s):
    source, target = s.server(), s.server()
    source.create_database("source", TABLES)
    for number, (command, options) in enumerate((("copy", ["-j", "1"]), ("copy", ["-j", "3"]), ("sync", ["--until", "caught-up"]))):
        target.sql(f"CREATE DATABASE t{number}")
        run = s.pgconvoy(command, source.socket_conninfo("source"), target.socket_conninfo(f"t{number}"), "--name", f"t{number}", *options).ok()
        assert "trying again when the rows of the other tables are there" in run.stderr, run.error_tail()
        if command == "copy":
            assert "4,702 rows, 919 kB in" in run.stderr, f"not what came in, or with what was refused: {run.error_tail()}"
            copying.same(f"{command} {options}", copying.dump(source, "source"), copying.dump(target, f"t{number}"))
            copying.nothing_of_ours(target, f"t{number}")
        else:
            for table in ("a_first", "b_middle", "c_domain", "d_last"):
                assert source.copy_out(f"SELECT * FROM {table} ORDER BY id", "source") == target.copy_out(f"SELECT * FROM {table} ORDER BY id", f"t{number}"), table


def hopeless(s):
    """A row that was right once, and is not any more: refused when all that may help is there; it goes on when that is mended."""
    source, target = s.server(), s.server()
    source.create_database("source", TABLES + "; DELETE FROM d_last WHERE id = 2")
    target.sql("CREATE DATABASE target")
    command = ["copy", source.socket_conninfo("source"), target.socket_conninfo("target"), "-j", "2"]
    run = s.pgconvoy(*command)
    run.fails(1, ["violates check constraint"])
    assert target.sql("SELECT count(*) FROM d_last", "target") == "1", "what can be copied was not"
    source.sql("INSERT INTO d_last VALUES (2)", "source")
    target.sql("INSERT INTO d_last VALUES (2)", "target")
    s.pgconvoy(*command).ok()
    copying.same("after the mend", copying.dump(source, "source"), copying.dump(target, "target"))


CASES = {"whole": whole, "hopeless": hopeless}
scenario.run(lambda s: CASES[s.case](s), list(CASES))
