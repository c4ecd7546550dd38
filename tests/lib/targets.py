"""What pgconvoy writes to, seen from a test: its URI, and the rows that stand in it, to be compared with the source's.

Each target gives the rows of a table as a list of tuples in the canonical form of values.py, together with a function that
brings the source's rows to the same form.
"""
import collections
import os
import subprocess

import values
from command import BUILD
from server import TOP, quote_ident


def duckdb_query_program():
    """Builds duckdb_query when it is not there or older than its source."""
    source = os.path.join(TOP, "tests/lib/duckdb_query.c")
    program = os.path.join(BUILD, "duckdb_query")
    if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
        library = os.path.join(TOP, "third_party/duckdb")
        own = [f"-I{library}", f"-L{library}", f"-Wl,-rpath,{library}"] if os.path.exists(library) else []
        scratch = f"{program}.{os.getpid()}"
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-D_GNU_SOURCE", "-o", scratch, source, *own, "-lduckdb"],
                       check=True)
        os.rename(scratch, program)
    return program


def duckdb_query(path, sql, write=False):
    """The rows of a query (or of several) on a DuckDB file, as lines of COPY text."""
    command = [duckdb_query_program(), *(["-w"] if write else []), path]
    done = subprocess.run(command, input=sql, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
                          errors="surrogateescape")
    if done.returncode:
        raise RuntimeError(f"{done.stderr.strip()}: {sql[:500]}")
    return done.stdout[:-1].split("\n") if done.stdout else []


def is_composite(kind):
    """DuckDB types that are compared as JSON on both sides."""
    return "STRUCT(" in kind or kind.endswith("[][]")


def sorted_rows(rows):
    return sorted(rows, key=repr)


class PostgresTarget:
    name = "postgres"

    def __init__(self, server, database):
        self.server = server
        self.database = database
        self.uri = server.uri(database)

    def exists(self):
        return bool(self.server.tables(self.database))

    def query(self, sql):
        return self.server.sql(sql, self.database)

    def rows(self, schema, table, columns):
        names = ", ".join(quote_ident(name) for name, _ in columns)
        lines = self.server.copy_out(f"SELECT {names} FROM {quote_ident(schema)}.{quote_ident(table)}", self.database)
        return lines if lines != [""] else []

    def source_rows(self, source, database, schema, table, columns, where=""):
        """Both ends write COPY text: lines are compared as they are."""
        names = ", ".join(quote_ident(name) for name, _ in columns)
        lines = source.copy_out(f"SELECT {names} FROM {quote_ident(schema)}.{quote_ident(table)} {where}", database)
        return lines if lines != [""] else []


class DuckdbTarget:
    name = "duckdb"

    def __init__(self, path):
        self.path = path
        self.uri = "duckdb:" + path

    def exists(self):
        return os.path.exists(self.path)

    def query(self, sql):
        return "\n".join(duckdb_query(self.path, sql))

    def types(self, schema, table):
        """{column: DuckDB's type}"""
        lines = duckdb_query(self.path, "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = "
                             f"'{schema}' AND table_name = '{table.replace(chr(39), chr(39) * 2)}'")
        return dict(values.copy_fields(line) for line in lines)

    def rows(self, schema, table, columns):
        types = self.types(schema, table)
        if not types:
            raise AssertionError(f"table {schema}.{table} is not in {self.path}")
        expressions, readers = [], []
        for name, pg_type in columns:
            column, kind = quote_ident(name), types.get(name)
            if kind is None:
                raise AssertionError(f"column {name} of {schema}.{table} is not in the DuckDB file")
            if kind == "BLOB":
                expressions.append(f"'\\x' || lower(hex({column}))")
                readers.append(None)
            elif is_composite(kind):
                expressions.append(f"to_json({column})")
                readers.append(lambda text: values.loose(values.loads(text)))
            elif kind.endswith("]"):
                expressions.append(f"to_json({column})")
                readers.append(lambda text, element=pg_type: self._nested(element, values.loads(text)))
            else:
                # DuckDB's own text of a time with zone counts in doubles, and rounds what is far away.
                expressions.append(f"CASE WHEN isfinite({column}) THEN make_timestamp(epoch_us({column}))::VARCHAR || '+00' "
                                   f"ELSE {column}::VARCHAR END" if kind == "TIMESTAMP WITH TIME ZONE" else column)
                readers.append(self._reader(pg_type, kind))
        lines = duckdb_query(self.path, f"SELECT {', '.join(expressions)} FROM {quote_ident(schema)}.{quote_ident(table)}")
        return self._read(lines, readers)

    @staticmethod
    def _reader(pg_type, kind):
        """None: compared as text, as it stands."""
        if kind == "VARCHAR":
            return None
        return (lambda text: values.scalar(pg_type, text)) if pg_type in values.SCALARS else None

    @staticmethod
    def _read(lines, readers):
        if not any(readers):
            return lines
        rows = []
        for line in lines:
            fields = values.copy_fields(line)
            rows.append(tuple(reader(field) if reader and field is not None else field
                              for reader, field in zip(readers, fields)))
        return rows

    def _nested(self, pg_type, value):
        element = pg_type.removesuffix("[]")
        if isinstance(value, list) and element not in ("json", "jsonb"):
            return tuple(self._nested(pg_type, item) for item in value)
        if isinstance(value, list) and pg_type != element:
            return tuple(self._nested(element, item) for item in value)
        if value is None or element in ("json", "jsonb"):
            return values.json_value(value)
        return values.scalar(element, str(value).lower() if isinstance(value, bool) else str(value), True)

    def source_rows(self, source, database, schema, table, columns, where=""):
        types = self.types(schema, table)
        names = ", ".join(f"to_jsonb({quote_ident(name)})" if is_composite(types.get(name, "")) else quote_ident(name)
                          for name, _ in columns)
        lines = source.copy_out(f"SELECT {names} FROM {quote_ident(schema)}.{quote_ident(table)} {where}", database)
        readers = []
        for name, pg_type in columns:
            kind = types.get(name, "")
            if is_composite(kind):
                readers.append(lambda text: values.loose(values.loads(text)))
            elif kind.endswith("]"):
                readers.append(lambda text, element=pg_type.removesuffix("[]"): values.array(element, text))
            elif kind == "BLOB":
                readers.append(None)
            else:
                readers.append(self._reader(pg_type, kind))
        return self._read(lines if lines != [""] else [], readers)


class StdoutTarget:
    """The lines that pgconvoy wrote, of all runs into one file, replayed as a reader would."""
    name = "stdout"
    uri = "-"

    def __init__(self, path):
        self.path = path
        self.messages = []
        self.operations = collections.Counter()

    def exists(self):
        return os.path.exists(self.path) and os.path.getsize(self.path) > 0

    def lines(self):
        with open(self.path, encoding="utf-8", errors="strict") as file:
            for line in file:
                # A killed run may leave half a line; the next run of the command starts a line of its own.
                if line.endswith("}\n"):
                    yield line

    def replay(self):
        """{(schema, table): {identity: [row]}} with a row as {column: value}."""
        tables = collections.defaultdict(dict)
        last = (0, -1)
        self.operations.clear()
        self.messages.clear()
        for line in self.lines():
            change = values.loads(line)
            operation = change["op"]
            if "seq" in change:
                high, low = change["commit_lsn"].split("/")
                place = (int(high, 16) << 32 | int(low, 16), change["seq"])
                if place <= last:
                    continue  # a repetition after a crash
                last = place
            self.operations[operation] += 1
            if operation == "message":
                self.messages.append(change)
            if operation in ("begin", "commit", "message", "schema", "ddl"):
                continue
            table = tables[change["schema"], change["table"]]
            if operation == "truncate":
                table.clear()
                continue
            key = change["key"]
            new = change.get("new", {})
            if operation == "insert" or operation == "copy":
                table.setdefault(identity(key, new), []).append(new)
                continue
            rows = table.get(identity(key, None), [])
            if not rows:
                raise AssertionError(f"{operation} of a row that is not there: {line[:500]}")
            old = rows.pop()
            if not rows:
                del table[identity(key, None)]
            if operation == "update":
                for name in change.get("unchanged", []):
                    new[name] = old[name]
                new_key = {name: new[name] for name in key}  # in the key's order, which may not be the table's
                in_order = {name: new[name] for name in old if name in new}
                in_order.update(new)
                table.setdefault(identity(new_key, None), []).append(in_order)
        return tables

    def rows(self, schema, table, columns):
        if not hasattr(self, "replayed") or self.replayed_size != os.path.getsize(self.path):
            self.replayed, self.replayed_size = self.replay(), os.path.getsize(self.path)
        readers = [self._reader(pg_type) for _, pg_type in columns]
        return [tuple(reader(row[name]) if row[name] is not None else None for reader, (name, _) in zip(readers, columns))
                for rows in self.replayed[schema, table].values() for row in rows]

    @staticmethod
    def _reader(pg_type):
        if pg_type in ("json", "jsonb"):
            return values.json_value
        if pg_type == "boolean":
            return lambda value: "t" if value is True else "f" if value is False else value
        return str

    def source_rows(self, source, database, schema, table, columns, where=""):
        names = ", ".join(quote_ident(name) for name, _ in columns)
        lines = source.copy_out(f"SELECT {names} FROM {quote_ident(schema)}.{quote_ident(table)} {where}", database)
        json_columns = {at for at, (_, pg_type) in enumerate(columns) if pg_type in ("json", "jsonb")}
        return [tuple(values.json_value(values.loads(field)) if at in json_columns and field is not None else field
                      for at, field in enumerate(values.copy_fields(line)))
                for line in (lines if lines != [""] else [])]


def identity(key, new):
    """What a row is found by: the values of its key; of all of its columns where it has none."""
    source = key if key or new is None else new
    return tuple(values.json_value(value) if type(value) in (dict, list) else value for value in source.values())
