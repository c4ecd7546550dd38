"""Changes of columns made by chance, from a seed, mixed with rows: what can be followed where the source's role may make no event triggers.

    workload = ColumnWorkload(server, "database", random.Random(1), away=False)
    workload.prepare(); workload.step(); …; workload.touch()

away: no pipeline is at work between them. A column that is dropped and added alike again is then the same one to all that can be seen, and is left out.
names: tables change their names, too.
"""
from ddl_workload import TYPES, VALUES, WIDER, DdlWorkload


class ColumnWorkload(DdlWorkload):
    def __init__(self, server, database, rng, away, names=False):
        super().__init__(server, database, rng)
        self.away, self.names = away, names

    def prepare(self):
        self._run("CREATE TYPE mood AS ENUM ('sad'); CREATE TYPE pair AS (n int)")  # which the other workload's look asks for
        for n in range(4):
            self._run(f"CREATE TABLE t{n} (id bigint PRIMARY KEY, a int, b text, c numeric(12,3)); INSERT INTO t{n} SELECT g, g, 'row ' || g, g / 8.0 FROM generate_series(1, 50) g")
        self._run("CREATE TABLE parted (id bigint PRIMARY KEY, a int, b text) PARTITION BY RANGE (id); CREATE TABLE parted1 PARTITION OF parted FOR VALUES FROM (MINVALUE) TO (50000);"
                  "CREATE TABLE parted2 PARTITION OF parted DEFAULT")

    def _change(self, table):
        kind = self.rng.choice(TYPES)
        value = VALUES[kind].format(self.rng.randint(1, 1000))
        new, between = self._new("c"), self._new("s")
        name, old = self._column(table)
        other, _ = self._column(table)
        wider = self.rng.choice(WIDER.get(old, ["text"]))
        alter = f"ALTER TABLE {table}"
        commands = [f"{alter} ADD COLUMN {new} {kind}", f"{alter} ADD COLUMN {new} {kind} DEFAULT {value}", f"{alter} ADD COLUMN {new} {kind} DEFAULT {value} NOT NULL",
                    f"{alter} DROP COLUMN {name}", f"{alter} RENAME COLUMN {name} TO {self._new('r')}", f"{alter} ALTER COLUMN {name} TYPE {wider} USING {name}::{wider}",
                    f"{alter} RENAME {name} TO {between}; {alter} RENAME {other} TO {name}; {alter} RENAME {between} TO {other}",
                    f"{alter} DROP COLUMN {name}, ADD COLUMN {new} {kind} DEFAULT {value}"]
        if not self.away and kind != old:
            commands.append(f"{alter} DROP COLUMN {name}, ADD COLUMN {name} {kind} DEFAULT {value}")
        return self.rng.choice(commands)

    def _rename(self, table):
        name, other, between = (text.split(".", 1)[-1] for text in (table, self._table(), self._new("b")))
        trade = f"ALTER TABLE {table} RENAME TO {between}; ALTER TABLE {other} RENAME TO {name}; ALTER TABLE {between} RENAME TO {other}"
        renew = (f"DROP TABLE IF EXISTS spare; CREATE TABLE fresh (LIKE {table} INCLUDING ALL); INSERT INTO fresh SELECT * FROM {table}; ALTER TABLE {table} RENAME TO spare; "
                 f"ALTER TABLE fresh RENAME TO {name}")
        return self.rng.choice([trade, renew, f"ALTER TABLE {table} RENAME TO {self._new('n')}"])

    def _commands(self):
        commands = []
        for _ in range(self.rng.randint(1, 4)):
            table = self._table()
            commands += [self._change(table), self._rows_of(table)]
        return commands + ([self._rename(self._table())] if self.names and self.rng.random() < 0.5 else [])

    def touch(self):
        """A row of each table, which tells of its columns."""
        self._look()
        for table in self.tables:
            row = self.rng.randint(200000, 900000)
            self._run(f"INSERT INTO {table} (id) VALUES ({row}) ON CONFLICT DO NOTHING; UPDATE {table} SET id = id + 1000000 WHERE id = {row};"
                      + "".join(f"ALTER TABLE {table} ALTER {name} DROP NOT NULL;" for name, _ in self.columns.get(table, [])))
