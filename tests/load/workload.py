"""A load made by chance, from a seed: tables with keys and columns of many types, and sessions that change them.

    workload = Workload(random.Random(1))
    server.sql(workload.schema())
    workload.start(server, sessions=4); …; workload.pause(); …; workload.resume(); …; workload.stop()

Transactions have savepoints and rollbacks, hot rows, wide values that stay TOASTed, changes of keys, values that change hands under
unique constraints (immediate and deferred), foreign keys that cascade, identities and generated columns, TRUNCATE, now and then thousands of rows. A statement that
fails is part of the load: its transaction is then rolled back, or goes on from a savepoint.

What a session sends comes from the seed; how the sessions interleave does not.
"""
import os
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

FUNCTION = """
-- random text, which is not compressed away: TOASTed out of line
CREATE FUNCTION wide(seed int) RETURNS text LANGUAGE sql STABLE AS
    $$ SELECT string_agg(md5((seed * 1000 + i)::text), '') FROM generate_series(1, 100 + abs(seed) % 200) AS i $$;
"""

# How a key's n-th value is written; the same small numbers come again and again, so that sessions meet on rows.
KEYS = {
    "int": "({0})", "bigint": "({0})::bigint", "text": "('key ' || ({0}))", "uuid": "md5(({0})::text)::uuid",
    "numeric": "(({0}) / 4.0)::numeric", "timestamptz": "('2000-01-01 UTC'::timestamptz + ({0}) * interval '7 hours')",
    "date": "('0044-03-15 BC'::date + ({0}))", "bytea": "int4send(({0})::int)", "varchar(40)": "('k' || ({0}))::varchar(40)",
    "smallint": "({0})::smallint", "oid": "({0})::oid",
}
COLUMNS = {
    "int": "({0})::int", "bigint": "({0})::bigint * 1000000007", "text": "'text \\ ' || ({0}) || E'\\t\\n\"'", "boolean": "({0}) % 2 = 0",
    "numeric": "CASE ({0}) % 7 WHEN 0 THEN 'NaN' ELSE ({0}) / 7.0 END::numeric", "double precision": "({0}) / 3.0::float8",
    "jsonb": "jsonb_build_object('n', ({0}), 'list', ARRAY[({0}), NULL])", "json": "json_build_object('n', ({0}))",
    "int[]": "ARRAY[({0})::int, NULL, 3]", "text[]": "ARRAY['a\"b', NULL, '{{' || ({0})]", "bytea": "decode(md5(({0})::text), 'hex')",
    "date": "'2001-02-03'::date + ({0})", "timestamptz": "'1999-12-31 23:59 UTC'::timestamptz + ({0}) * interval '1.5 s'",
    "interval": "make_interval(months => ({0}), secs => ({0}) / 8.0)", "inet": "'10.0.0.0'::inet + ({0})",
    "mood": "(ARRAY['sad', 'ok', 'happy']::mood[])[1 + ({0}) % 3]", "int4range": "int4range(({0}), ({0}) + 5)",
    "time": "'00:00'::time + ({0}) * interval '1 min'", "varchar(80)": "'v' || ({0})", "point": "point(({0}), 1)",
}
IDENTITIES = ["key", "key", "key", "key", "index", "full", "full without key", "two columns", "only inserted"]


class RandomTable:
    """One table: its definition, and statements that change it."""

    def __init__(self, rng, number, others):
        self.name = rng.choice(["t{}", "T {}", "tab_{}"]).format(number)
        self.identity = rng.choice(IDENTITIES)
        self.key_type = rng.choice(list(KEYS))
        self.columns = {f"c{i}": rng.choice(list(COLUMNS)) for i in range(rng.randint(1, 6))}
        self.unique = rng.choice([None, None, "immediate", "deferred", "deferred"])
        self.keys = rng.choice([20, 100, 400])
        parents = [other for other in others if other.identity in ("key", "full")]
        self.parent = rng.choice(parents) if parents and rng.random() < 0.4 and self.identity != "only inserted" else None
        self.cascade = rng.choice(["ON DELETE CASCADE ON UPDATE CASCADE", "ON DELETE SET NULL", "DEFERRABLE INITIALLY DEFERRED"])
        self.numbered = rng.choice([None, "ALWAYS", "ALWAYS", "BY DEFAULT"])
        self.quoted = f'"{self.name}"'

    def has_rows_found(self):
        return self.identity != "only inserted"

    def schema(self):
        lines = [f"k {self.key_type}", "k2 int NOT NULL DEFAULT 0", "n int", "w text", "u int"]
        lines += [f"{name} {kind}" for name, kind in self.columns.items()]
        if self.identity in ("key", "full"):
            lines.append("PRIMARY KEY (k)")
        elif self.identity == "two columns":
            lines.append("PRIMARY KEY (k2, k)")
        if self.unique:
            lines.append("UNIQUE (u)" + (" DEFERRABLE INITIALLY DEFERRED" if self.unique == "deferred" else ""))
        if self.parent:
            lines.append(f"parent {self.parent.key_type} REFERENCES {self.parent.quoted} {self.cascade}")
        if self.numbered:  # the last ones: an INSERT leaves them out
            lines += [f"s int GENERATED {self.numbered} AS IDENTITY", "doubled int GENERATED ALWAYS AS (n * 2) STORED"]
        text = f"CREATE TABLE {self.quoted} ({', '.join(lines)});\nALTER TABLE {self.quoted} ALTER w SET STORAGE EXTERNAL;\n"
        if self.identity == "index":
            text += (f'ALTER TABLE {self.quoted} ALTER k SET NOT NULL; CREATE UNIQUE INDEX "{self.name} index" ON {self.quoted} (k);\n'
                     f'ALTER TABLE {self.quoted} REPLICA IDENTITY USING INDEX "{self.name} index";\n')
        elif self.identity in ("full", "full without key"):
            text += f"ALTER TABLE {self.quoted} REPLICA IDENTITY FULL;\n"
        return text

    # ---- statements

    def key(self, number):
        return KEYS[self.key_type].format(number)

    def _row(self, rng, number):
        wide = rng.choice(["NULL", "'short'", f"wide({rng.randint(0, 50)})", f"wide({rng.randint(0, 50)})"])
        row = [self.key(number), str(rng.randint(0, 1)), str(rng.randint(0, 9)), wide,
               "NULL" if rng.random() < 0.5 else str(rng.randint(0, 60))]
        row += ["NULL" if rng.random() < 0.2 else COLUMNS[kind].format(f"{number} + {rng.randint(0, 99)}") for kind in self.columns.values()]
        if self.parent:
            hit = self.parent.key(rng.randrange(self.parent.keys))
            row.append(rng.choice(["NULL", f"(SELECT k FROM {self.parent.quoted} WHERE k = {hit})", hit]))
        return row

    def insert(self, rng):
        row = self._row(rng, rng.randrange(self.keys))
        conflict = rng.choice(["", " ON CONFLICT DO NOTHING"]) if self.unique != "deferred" else ""
        return f"INSERT INTO {self.quoted} VALUES ({', '.join(row)}){conflict}"

    def insert_many(self, rng, count):
        row = self._row(rng, f"i + {rng.choice([0, 1000, 5000])}")
        row[4] = "NULL"
        if "wide" in row[3] and count > 300:
            row[3] = "'short'"
        conflict = " ON CONFLICT DO NOTHING" if self.unique != "deferred" and self.identity != "full without key" else ""
        return f"INSERT INTO {self.quoted} SELECT {', '.join(row)} FROM generate_series(1, {count}) AS i{conflict}"

    def where(self, rng):
        number = rng.choice([0, 1, 2, rng.randrange(self.keys), rng.randrange(self.keys), rng.randrange(self.keys)])
        return rng.choice([f"k = {self.key(number)}"] * 4 + [f"n = {rng.randint(0, 9)} AND u % 5 = {rng.randint(0, 4)}"])

    def update(self, rng):
        settings = [f"n = {rng.randint(0, 9)}", f"n = n + 1, u = {rng.randint(0, 60)}", f"w = wide({rng.randint(0, 50)})", "w = NULL",
                    f"k2 = 1 - k2, n = {rng.randint(0, 9)}", f"w = w || 'x', n = {rng.randint(0, 9)}"]
        column, kind = rng.choice(list(self.columns.items()))
        settings += [f"{column} = {COLUMNS[kind].format(rng.randint(0, 999))}", f"{column} = NULL"]
        if self.numbered:
            settings += ["s = DEFAULT", f"s = DEFAULT, k2 = 1 - k2, n = {rng.randint(0, 9)}"]
        if self.parent:
            settings.append(f"parent = (SELECT k FROM {self.parent.quoted} WHERE k = {self.parent.key(rng.randrange(self.parent.keys))})")
        return f"UPDATE {self.quoted} SET {rng.choice(settings)} WHERE {self.where(rng)}"

    def change_key(self, rng):
        return (f"UPDATE {self.quoted} SET k = {self.key(rng.randrange(self.keys))}{rng.choice(['', ', n = 0', ', w = NULL', ', s = DEFAULT' if self.numbered else ''])} "
                f"WHERE k = {self.key(rng.randrange(self.keys))}")

    def swap(self, rng):
        """Two rows change their unique values, or their keys: by way of a third, or at once where the constraint can wait."""
        a, b = rng.randrange(self.keys), rng.randrange(self.keys)
        if self.unique == "deferred":
            return f"UPDATE {self.quoted} SET u = CASE u WHEN {a % 61} THEN {b % 61} ELSE {a % 61} END WHERE u IN ({a % 61}, {b % 61})"
        if self.unique == "immediate":
            return (f"UPDATE {self.quoted} SET u = -1 WHERE u = {a % 61}; UPDATE {self.quoted} SET u = {a % 61} WHERE u = {b % 61}; "
                    f"UPDATE {self.quoted} SET u = {b % 61} WHERE u = -1")
        third = self.key(9999)
        return (f"UPDATE {self.quoted} SET k = {third} WHERE k = {self.key(a)}; UPDATE {self.quoted} SET k = {self.key(a)} WHERE k = {self.key(b)}; "
                f"UPDATE {self.quoted} SET k = {self.key(b)} WHERE k = {third}")

    def delete(self, rng):
        return f"DELETE FROM {self.quoted} WHERE {self.where(rng)}"

    def replace(self, rng):
        """A row goes and another comes in its place."""
        row = self._row(rng, rng.randrange(self.keys))
        return f"DELETE FROM {self.quoted} WHERE k = {row[0]}; INSERT INTO {self.quoted} VALUES ({', '.join(row)})"

    def statement(self, rng):
        if not self.has_rows_found():
            return self.insert(rng)
        return rng.choice([self.insert] * 5 + [self.update] * 6 + [self.change_key] * 2 + [self.swap, self.delete, self.delete, self.replace])(rng)


class Workload:
    def __init__(self, seed, tables=None):
        rng = random.Random(seed)
        self.seed = seed
        self.tables = []
        for number in range(tables or rng.randint(5, 12)):
            self.tables.append(RandomTable(rng, number, self.tables))
        self.threads, self.stopping, self.running = [], False, threading.Event()
        self.busy = 0
        self.lock = threading.Lock()
        self.sent = 0
        self.running.set()

    def schema(self):
        return FUNCTION + "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');\n" + "".join(table.schema() for table in self.tables)

    def fill(self):
        rng = random.Random(self.seed + 1)
        rows = "".join(f"SET session_replication_role = replica; {table.insert_many(rng, table.keys // 2)};\n" for table in self.tables)
        # a foreign key holds, or it could not be made on the target
        return rows + "".join(f"UPDATE {table.quoted} AS c SET parent = NULL WHERE NOT EXISTS (SELECT FROM {table.parent.quoted} AS p "
                              "WHERE p.k = c.parent);\n" for table in self.tables if table.parent)

    # ---- transactions

    def _some(self, rng, count):
        """Statements, some inside savepoints that are kept or rolled back, one in another."""
        out = []
        while count > 0:
            if count > 2 and rng.random() < 0.15:
                inner = rng.randint(1, count - 1)
                name = rng.choice("abc")
                out.append(f"SAVEPOINT {name}")
                out += self._some(rng, inner)
                out.append(rng.choice([f"ROLLBACK TO {name}", f"ROLLBACK TO {name}", f"RELEASE {name}", "SELECT 1"]))
                count -= inner
                continue
            out.append(rng.choice(self.tables).statement(rng))
            count -= 1
        return out

    def transaction(self, rng):
        kind = rng.random()
        if kind < 0.35:
            return rng.choice(self.tables).statement(rng) + ";\n"
        if kind < 0.40:
            many = rng.choice(self.tables)
            body = [many.insert_many(rng, rng.choice([50, 300, 3000]))] + self._some(rng, rng.randint(0, 4))
            if many.has_rows_found() and many.identity != "full without key":
                body.append(rng.choice([f"UPDATE {many.quoted} SET n = n + 1", f"DELETE FROM {many.quoted} WHERE n < 5",
                                        f"UPDATE {many.quoted} SET w = NULL WHERE n > 5", "SELECT 1"]))
        elif kind < 0.415:
            body = [f"TRUNCATE {rng.choice(self.tables).quoted} CASCADE"] + self._some(rng, rng.randint(0, 4))
        elif kind < 0.44:
            body = [f"SELECT pg_logical_emit_message({rng.choice(['true', 'false'])}, 'load', 'said')"] + self._some(rng, 2)
        else:
            body = self._some(rng, rng.choice([2, 4, 8, 30]))
        if rng.random() < 0.1:
            body.insert(rng.randrange(len(body) + 1), f"SELECT pg_sleep({rng.choice([0.01, 0.1, 0.3])})")
        return "BEGIN;\n" + ";\n".join(body) + ";\n" + ("ROLLBACK" if rng.random() < 0.08 else "COMMIT") + ";\n"

    # ---- sessions

    def _open(self, server, database, rng):
        session = subprocess.Popen([*server.psql_command(database, "-v", "ON_ERROR_STOP=0")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True, bufsize=1)
        # with a savepoint around each statement of a transaction, or with the transaction lost by the first that fails
        session.stdin.write(f"\\set ON_ERROR_ROLLBACK {rng.choice(['on', 'off'])}\n"
                            "SET lock_timeout = '2s'; SET statement_timeout = '20s';\n")
        return session

    def _work(self, server, database, rng):
        session = None
        while not self.stopping:
            self.running.wait()
            with self.lock:
                if not self.running.is_set():
                    continue
                self.busy += 1
            try:
                if session is None or session.poll() is not None:
                    session = self._open(server, database, rng)
                session.stdin.write(self.transaction(rng) + "\\echo\n\\echo done\n")
                session.stdin.flush()
                while True:
                    line = session.stdout.readline()
                    if line == "" or line == "done\n":
                        break
                self.sent += 1
            except OSError:
                pass  # the server was restarted under it
            finally:
                with self.lock:
                    self.busy -= 1
            if session.poll() is not None:
                time.sleep(0.1)
        if session is not None:
            session.kill()
            session.wait()

    def start(self, server, sessions=4, database="postgres"):
        for number in range(sessions):
            rng = random.Random(self.seed * 1000 + number)
            thread = threading.Thread(target=self._work, args=(server, database, rng), daemon=True)
            self.threads.append(thread)
            thread.start()

    def pause(self):
        """Waits until no session has a transaction under way."""
        with self.lock:
            self.running.clear()
        while self.busy:
            time.sleep(0.02)

    def resume(self):
        self.running.set()

    def stop(self):
        self.stopping = True
        self.running.set()
        for thread in self.threads:
            thread.join()
