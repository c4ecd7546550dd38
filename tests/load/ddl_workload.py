"""Changes of definitions made by chance, from a seed, mixed with rows:

    workload = DdlWorkload(server, "database", random.Random(1))
    workload.prepare(); workload.step(); …

What there is to be changed is read from the catalog before each step, so a statement that fails is part of the load. A step is a few
commands in one of several styles: one by one, in a transaction (which may be rolled back, whole or to a savepoint), in a DO block, in a
function, as one query of several commands, under a search_path.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import server as servers

ident = servers.quote_ident
VALUES = {"integer": "{0}", "bigint": "{0} * 1000000007::bigint", "text": "'text ' || {0}", "boolean": "{0} % 2 = 0", "numeric": "{0} / 7.0",
          "numeric(12,3)": "{0} / 8.0", "date": "'2001-02-03'::date + {0}", "timestamp with time zone": "'1999-12-31 UTC'::timestamptz + {0} * interval '1 h'",
          "jsonb": "jsonb_build_object('n', {0})", "integer[]": "ARRAY[{0}, NULL]", "uuid": "md5({0}::text)::uuid", "bytea": "decode(md5({0}::text), 'hex')",
          "character varying(40)": "'v' || {0}", "double precision": "{0} / 3.0::float8", "mood": "'sad'"}
TYPES = [name for name in VALUES if name != "mood"]
SCHEMAS = "(n.nspname IN ('public', 'app', 'Other One') OR n.nspname ~ '^moves')"
WIDER = {"integer": ["bigint", "numeric", "text"], "character varying(40)": ["text"], "numeric(12,3)": ["numeric"], "date": ["timestamp with time zone"],
         "bigint": ["numeric"]}


class DdlWorkload:
    def __init__(self, server, database, rng):
        self.server, self.database, self.rng = server, database, rng
        self.number = 0

    def prepare(self):
        self._run("CREATE TYPE mood AS ENUM ('sad'); CREATE TYPE pair AS (n int, mood mood); CREATE SCHEMA app; CREATE SCHEMA \"Other One\"; CREATE SCHEMA moves0;")
        for schema in ("public", "app", '"Other One"', "moves0"): # what a copy of tables takes along is there at both ends
            self._run(f"CREATE TABLE {schema}.{self._new('t')} (id bigint PRIMARY KEY, mood mood, n int, pair pair, moods mood[]);")

    # ---- what there is

    def _run(self, text, one_query=False):
        command = self.server.psql_command(self.database)
        command = [part for part in command if part != "ON_ERROR_STOP=1" and part != "-v"] + (["-c", text] if one_query else ["-f", "-"])
        subprocess.run(command, input=None if one_query else text, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)

    def _rows(self, sql):
        return [row.split("\t") for row in self.server.sql(f"COPY ({sql}) TO STDOUT", self.database).split("\n") if row]

    def _look(self):
        self.tables = [row[0] for row in self._rows(
            "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p') "
            f"AND NOT relispartition AND {SCHEMAS} ORDER BY 1")]
        columns = self._rows("SELECT attrelid::regclass, attrelid::text, quote_ident(attname), format_type(atttypid, atttypmod) FROM pg_attribute a JOIN pg_class c ON "
                             "c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0 "
                             f"AND NOT attisdropped AND attgenerated = '' AND attname <> 'id' AND {SCHEMAS} ORDER BY 2, attnum")
        names = {row[0]: row[1] for row in self._rows("SELECT c.oid, format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace")}
        self.labels = self._objects("SELECT enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid WHERE typname = 'mood' ORDER BY enumsortorder")
        self.fields = self._rows("SELECT quote_ident(attname), format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'pair'::regclass AND NOT attisdropped ORDER BY attnum")
        self.parts = self._rows("SELECT inhrelid::regclass, inhparent::regclass FROM pg_inherits i JOIN pg_class c ON c.oid = inhparent AND relkind = 'p' JOIN pg_class l ON "
                                "l.oid = inhrelid AND l.relkind = 'r' ORDER BY 1")
        self.moves = self._objects("SELECT nspname FROM pg_namespace WHERE nspname ~ '^moves' ORDER BY 1")
        self.columns = {}
        for _, oid, name, kind in columns:
            self.columns.setdefault(names.get(oid), []).append((name, kind))

    def _objects(self, sql):
        return [row[0] for row in self._rows(sql)]

    def _value(self, kind, number):
        """An expression of that type, or NULL."""
        if kind == "mood":
            return "'" + self.rng.choice(self.labels or ["sad"]) + "'"
        if kind == "mood[]":
            return f"ARRAY[{self._value('mood', number)}, NULL, {self._value('mood', number)}]::mood[]"
        if kind == "pair":
            return f"ROW({', '.join(self._value(field, number) for _, field in self.fields)})::pair"
        return VALUES.get(kind, "NULL").format(number)

    def _new(self, prefix):
        self.number += 1
        return self.rng.choice([f"{prefix}{self.number}", f'"{prefix.upper()} {self.number}"'])

    def _table(self):
        return self.rng.choice(self.tables) if self.tables else "public.nothing"

    def _column(self, table):
        found = self.columns.get(table)
        return self.rng.choice(found) if found else ("nothing", "integer")

    # ---- commands

    def _create_table(self):
        schema = self.rng.choice(["public.", "app.", '"Other One".', ""])
        columns = [f"{self._new('c')} {self.rng.choice(TYPES)}" for _ in range(self.rng.randint(0, 3))]
        name = schema + self._new("t")
        if self.rng.random() < 0.2:
            part, rest = schema + self._new("p"), schema + self._new("p")
            if self.rng.random() < 0.6:
                return (f"CREATE TABLE {name} ({', '.join(['id bigint PRIMARY KEY', *columns])}) PARTITION BY RANGE (id); "
                        f"CREATE TABLE {part} PARTITION OF {name} FOR VALUES FROM (MINVALUE) TO (50000); CREATE TABLE {rest} PARTITION OF {name} DEFAULT")
            return (f"CREATE TABLE {name} ({', '.join(['id bigint PRIMARY KEY', *columns])}) PARTITION BY HASH (id); "
                    f"CREATE TABLE {part} PARTITION OF {name} FOR VALUES WITH (MODULUS 1, REMAINDER 0)")
        return f"CREATE TABLE {name} ({', '.join(['id bigint PRIMARY KEY', *columns])})"

    def _add_column(self, table):
        kind = self.rng.choice(TYPES)
        value = VALUES[kind].format(self.rng.randint(1, 1000))
        name = self._new("c")
        return self.rng.choice([f"ALTER TABLE {table} ADD COLUMN {name} {kind}", f"ALTER TABLE {table} ADD COLUMN {name} {kind} DEFAULT {value}",
                                f"ALTER TABLE {table} ADD COLUMN {name} {kind} DEFAULT {value} NOT NULL", f"ALTER TABLE {table} ADD {name} timestamptz DEFAULT now()",
                                f"ALTER TABLE {table} ADD {name} bigint GENERATED ALWAYS AS (id + 1) STORED", f"ALTER TABLE {table} ADD {name} mood DEFAULT 'sad'",
                                f"ALTER TABLE {table} ADD {name} int DEFAULT 1, ADD {self._new('c')} text, ALTER {name} SET DEFAULT 2"]
                               + [f"ALTER TABLE {table} ADD {name} uuid DEFAULT md5(random()::text)::uuid"] * (self.rng.random() < 0.2))

    def _of_column(self, table):
        name, kind = self._column(table)
        wider = self.rng.choice(WIDER.get(kind, ["text"]))
        other, _ = self._column(table)
        between, another = self._new("s"), self.rng.choice(TYPES)
        return self.rng.choice([
            f"ALTER TABLE {table} DROP COLUMN {name}", f"ALTER TABLE {table} RENAME COLUMN {name} TO {self._new('r')}",
            f"ALTER TABLE {table} RENAME {name} TO {between}; ALTER TABLE {table} RENAME {other} TO {name}; ALTER TABLE {table} RENAME {between} TO {other}",
            f"ALTER TABLE {table} ALTER COLUMN {name} TYPE {wider} USING {name}::{wider}", f"ALTER TABLE {table} ALTER {name} SET DEFAULT NULL",
            f"ALTER TABLE {table} ALTER {name} DROP DEFAULT", f"ALTER TABLE {table} ALTER {name} DROP NOT NULL", f"ALTER TABLE {table} ALTER {name} SET STATISTICS 7",
            f"ALTER TABLE {table} ADD CONSTRAINT {self._new('k')} CHECK ({name} IS NOT NULL OR id <> 0)", f"CREATE INDEX {self._new('i')} ON {table} ({name})",
            f"CREATE INDEX {self._new('i')} ON {table} ((id % 10), {name}) WHERE id > 5", f"COMMENT ON COLUMN {table}.{name} IS 'said; so'",
            f"ALTER TABLE {table} DROP COLUMN {name}, ADD COLUMN {name} {kind} DEFAULT {VALUES.get(kind, 'NULL').format(4)}",
            f"ALTER TABLE {table} DROP COLUMN {name}, ADD COLUMN {name} {another} DEFAULT {VALUES[another].format(5)}",
            f"ALTER TABLE {table} DROP COLUMN {name}; ALTER TABLE {table} ADD {name} {another}"])

    def _of_table(self, table):
        schema = self.rng.choice(["public", "app", '"Other One"'])
        return self.rng.choice([
            f"ALTER TABLE {table} RENAME TO {self._new('t')}", f"ALTER TABLE {table} SET SCHEMA {schema}", f"COMMENT ON TABLE {table} IS 'by chance'",
            f"CREATE VIEW {schema}.{self._new('v')} AS SELECT id FROM {table}", f"CREATE UNIQUE INDEX {self._new('u')} ON {table} (id DESC)",
            f"CREATE STATISTICS {schema}.{self._new('st')} ON id, {self._column(table)[0]} FROM {table}", f"CREATE POLICY {self._new('po')} ON {table} USING (true)",
            f"CREATE TRIGGER {self._new('tr')} AFTER TRUNCATE ON {table} EXECUTE FUNCTION suppress_redundant_updates_trigger()", f"TRUNCATE {table}"]
            + [f"DROP TABLE {table} CASCADE"] * (len(self.tables) > 3) + [f"CREATE TABLE {schema}.{self._new('l')} (LIKE {table} INCLUDING ALL)"])

    def _of_others(self):
        drop = self._objects("SELECT format('DROP %s %s', CASE relkind WHEN 'i' THEN 'INDEX' WHEN 'v' THEN 'VIEW' END, c.oid::regclass) FROM pg_class c "
                             "JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname IN ('public', 'app', 'Other One') AND relkind IN ('i', 'v') ORDER BY 1")
        constraints = self._objects("SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint JOIN pg_namespace n ON "
                                    "n.oid = connamespace WHERE contype = 'c' AND conrelid <> 0 AND nspname IN ('public', 'app', 'Other One') ORDER BY 1")
        return self.rng.choice([f"CREATE SEQUENCE app.{self._new('sq')} INCREMENT 3", f"CREATE TYPE {self._new('ty')} AS (a int, b text)",
                                f"CREATE OR REPLACE FUNCTION app.fn(i int) RETURNS int LANGUAGE sql AS $$ SELECT i + {self.rng.randint(1, 9)}; $$",
                                f"ALTER TYPE mood ADD VALUE '{self._new('m').strip(chr(34))}'", f"CREATE DOMAIN app.{self._new('d')} AS int CHECK (VALUE > 0)",
                                "CREATE TEMP TABLE t1 (id int); ALTER TABLE t1 ADD x int; DROP TABLE t1", self._create_table()]
                               + drop[:3] + constraints[:2])

    def _rows_of(self, table):
        name, kind = self._column(table)
        value = self._value(kind, "g")
        first = self.rng.randint(1, 100000)
        return self.rng.choice([f"INSERT INTO {table} (id) SELECT g FROM generate_series({first}, {first + 5}) g ON CONFLICT DO NOTHING",
                                f"UPDATE {table} SET {name} = {self._value(kind, '(id % 1000)::int')} WHERE id % 3 = 0",
                                f"DELETE FROM {table} WHERE id % 11 = 0", f"INSERT INTO {table} (id, {name}) SELECT g, {value} FROM generate_series({first}, {first + 3}) g"])

    def _of_types(self):
        field = self.rng.choice(self.fields)[0] if self.fields else "nothing"
        label = self.rng.choice([label for label in self.labels if label != "sad"] or ["none"])
        kind = self.rng.choice(["int", "text", "mood"])
        return self.rng.choice([f"ALTER TYPE public.mood RENAME VALUE '{label}' TO '{self._new('m').strip(chr(34))}'", f"ALTER TYPE public.mood ADD VALUE '{self._new('m').strip(chr(34))}' BEFORE 'sad'",
                                f"ALTER TYPE public.pair ADD ATTRIBUTE {self._new('f')} {kind} CASCADE", f"ALTER TYPE public.pair DROP ATTRIBUTE {field} CASCADE",
                                f"ALTER TYPE public.pair RENAME ATTRIBUTE {field} TO {self._new('f')} CASCADE"])

    def _of_names(self):
        """Names that go from one to another."""
        one, other, between = self._table(), self._table(), self._new("t")
        schema, name = one.rsplit(".", 1)[0], one.rsplit(".", 1)[-1]
        leaf, parent = self.rng.choice(self.parts) if self.parts else ("nothing", "nothing")
        moving = self.rng.choice(self.moves) if self.moves else "nothing"
        commands = [f"ALTER TABLE {one} RENAME TO {between}; CREATE TABLE {one} (LIKE {schema}.{between} INCLUDING ALL); INSERT INTO {one} (id) SELECT id FROM {schema}.{between}; DROP TABLE {schema}.{between} CASCADE",
                    f"ALTER SCHEMA {moving} RENAME TO moves{self.number}", f"ALTER TABLE {one} SET SCHEMA {moving}", f"ALTER TABLE {parent} DETACH PARTITION {leaf}",
                    f"CREATE TABLE app.{between} PARTITION OF {parent} FOR VALUES FROM (50000) TO (60000)"]
        if other.rsplit(".", 1)[0] == schema and other != one:
            commands += [f"ALTER TABLE {one} RENAME TO {between}; ALTER TABLE {other} RENAME TO {name}; ALTER TABLE {schema}.{between} RENAME TO {other.rsplit('.', 1)[-1]}"] * 3
        return self.rng.choice(commands)

    def _commands(self):
        commands = []
        for _ in range(self.rng.randint(1, 4)):
            table = self._table()
            commands += [self.rng.choice([self._add_column, self._of_column, self._of_column, self._of_table, lambda _: self._of_others(), lambda _: self._of_types(),
                                          lambda _: self._of_names()])(table), self._rows_of(table)]
        return commands

    def step(self):
        self._look()
        commands = self._commands()
        text = "; ".join(commands) + ";"
        path = self.rng.choice(["", "SET search_path = app, public; ", 'SET search_path = "Other One", public; '])
        style = self.rng.choice(["plain", "plain", "transaction", "block", "function", "query", "savepoint", "rolled back", "replica"])
        if style == "transaction":
            text = f"BEGIN; {text} COMMIT;"
        elif style == "rolled back":
            text = f"BEGIN; {text} ROLLBACK;"
        elif style == "savepoint":
            text = f"BEGIN; {commands[0]}; SAVEPOINT s; {'; '.join(commands[1:])}; ROLLBACK TO s; {commands[-1]}; COMMIT;"
        elif style == "block":
            text = "DO $do$ BEGIN " + " ".join(f"EXECUTE $x${command}$x$;" for command in commands) + " END $do$;"
        elif style == "function":
            text = f"CREATE OR REPLACE FUNCTION app.migrate() RETURNS void LANGUAGE plpgsql AS $do$ BEGIN {text} END $do$; SELECT app.migrate();"
        elif style == "replica":
            text = f"SET session_replication_role = replica; {text}"
        self._run(path + text, one_query=style == "query")
        return style, commands
