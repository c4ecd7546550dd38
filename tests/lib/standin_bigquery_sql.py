"""GoogleSQL on DuckDB, for the stand-in (standin_bigquery.py): a script is cut into statements of kinds that are known here, and each is translated
word by word. What is not known is refused, so that nothing passes here by chance.
"""
import json
import re
import tempfile

from standin_duckdb import DuckDB, SqlError, literal, quoted

TYPES = {"STRING": "VARCHAR", "BYTES": "BLOB", "INTEGER": "BIGINT", "INT64": "BIGINT", "FLOAT": "DOUBLE", "FLOAT64": "DOUBLE", "BOOLEAN": "BOOLEAN",
         "BOOL": "BOOLEAN", "TIMESTAMP": "TIMESTAMPTZ", "DATETIME": "TIMESTAMP", "DATE": "DATE", "TIME": "TIME", "NUMERIC": "DECIMAL(38,9)",
         "BIGNUMERIC": "VARCHAR", "JSON": "JSON"}
# Words that stand for themselves.
WORDS = set("""SELECT FROM WHERE AND OR NOT NULL IS IN AS ON USING INTO VALUES INSERT UPDATE DELETE SET MERGE WHEN MATCHED THEN JOIN LEFT INNER CROSS
    GROUP BY ORDER HAVING LIMIT ASC DESC DISTINCT ALL UNION EXISTS BETWEEN CASE ELSE END CAST TRUE FALSE QUALIFY OVER PARTITION ROW_NUMBER COUNT MAX MIN SUM
    COALESCE IF WITH EXCEPT ROW TARGET SOURCE CREATE TEMP TABLE DROP ALTER ADD COLUMN RENAME TO TRUNCATE DATA TYPE UNNEST ANY_VALUE LOGICAL_OR
    STARTS_WITH CONCAT LENGTH STRUCT FARM_FINGERPRINT ABS MOD SUBSTR""".split())
TOKEN = re.compile(r"\s+|`[^`]+`|'(?:[^'\\]|\\.)*'|\d+(?:\.\d+)?|[A-Za-z_@][A-Za-z0-9_]*|<=|>=|!=|<>|\|\||[-+*/=<>(),;.\[\]]", re.S)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "\\": "\\", "'": "'", '"': '"', "`": "`", "?": "?"}


def unescaped(text):
    def one(match):
        kind = match.group(1)
        if kind[0] in "xuU":
            return chr(int(kind[1:], 16))
        if kind not in ESCAPES:
            raise SqlError(f"Syntax error: Illegal escape sequence: \\{kind}")
        return ESCAPES[kind]
    return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", one, text[1:-1], flags=re.S)


def tokens(text):
    at, found = 0, []
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise SqlError(f"Syntax error: Illegal input character {text[at]!r}")
        at = match.end()
        if not match.group().isspace():
            found.append(match.group())
    return found


def field_type(field):
    kind = TYPES[field["type"]]
    return kind + "[]" if field.get("mode") == "REPEATED" else kind


class Engine(DuckDB):
    """A schema for each dataset."""

    def __init__(self, project):
        super().__init__()
        self.project = project
        self.scripts = 0
        self.run("CREATE MACRO farm_fingerprint(x) AS (hash(x)::HUGEINT - 9223372036854775808)::BIGINT")  # another number, but of the same kind

    # ---- what the service does to tables

    @staticmethod
    def name(dataset, table):
        return f"{quoted(dataset)}.{quoted(table)}"

    def create_dataset(self, dataset):
        self.run(f"CREATE SCHEMA {quoted(dataset)}")

    def drop_dataset(self, dataset):
        self.run(f"DROP SCHEMA {quoted(dataset)}")

    def create_table(self, dataset, table, fields):
        columns = ", ".join(f"{quoted(field['name'])} {field_type(field)}" for field in fields)
        self.run(f"CREATE TABLE {self.name(dataset, table)} ({columns})")

    def add_column(self, dataset, table, field):
        self.run(f"ALTER TABLE {self.name(dataset, table)} ADD COLUMN {quoted(field['name'])} {field_type(field)}")

    def drop_table(self, dataset, table):
        self.run(f"DROP TABLE {self.name(dataset, table)}")

    def count(self, dataset, table):
        return int(self.run(f"SELECT count(*) FROM {self.name(dataset, table)}")[1][0][0])

    def load(self, dataset, table, fields, rows, truncate):
        def value(field):
            column = quoted(field["name"])
            kind = field_type(field)
            if field.get("mode") == "REPEATED":
                inner = f"list_transform({column}, x -> unhex(x))" if field["type"] == "BYTES" else f"{column}::{kind}"
                return f"coalesce({inner}, [])"
            return f"unhex({column})" if field["type"] == "BYTES" else f"{column}::{kind}"
        if truncate:
            self.run(f"DELETE FROM {self.name(dataset, table)}")
        if not rows:
            return
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            names, longest = [field["name"] for field in fields], 1 << 20
            for row in rows:
                line = json.dumps(dict(zip(names, row)), ensure_ascii=False) + "\n"
                longest = max(longest, len(line.encode()) + 1)
                file.write(line)
            file.flush()
            columns = ", ".join(f"{literal(field['name'])}: '{'VARCHAR[]' if field.get('mode') == 'REPEATED' else 'VARCHAR'}'" for field in fields)
            self.run(f"INSERT INTO {self.name(dataset, table)} SELECT {', '.join(map(value, fields))} FROM read_json({literal(file.name)}, "
                     f"format = 'newline_delimited', columns = {{{columns}}}, maximum_object_size = {longest})")

    # ---- scripts

    def script(self, text, service):
        """Runs a script; the schema and rows of its last SELECT."""
        self.temporary = set()
        self.scripts += 1
        statements, current, depth = [], [], 0
        for token in tokens(text):
            upper = token.upper()
            # IF … THEN … END IF is one statement with statements in it; IF( is a function
            if token == ";" and depth == 0:
                statements.append(current)
                current = []
                continue
            if not current and upper == "IF":
                depth += 1
            if depth and upper == "IF" and current and current[-1].upper() == "END":
                depth -= 1
            current.append(token)
        if current:
            statements.append(current)
        self.in_transaction = False
        answer = [], []
        try:
            for statement in statements:
                if statement:
                    answer = self.statement(statement, service) or answer
            if self.in_transaction:
                self.run("ROLLBACK")
        except SqlError:
            if self.in_transaction:
                self.run("ROLLBACK")
            raise
        finally:
            for name in self.temporary:
                self.run(f"DROP TABLE IF EXISTS temp.{quoted(name)}")
        return answer

    def statement(self, words, service):
        kind = tuple(word.upper() for word in words[:3])
        if kind[:2] == ("BEGIN", "TRANSACTION") and len(words) == 2:
            if self.in_transaction:
                raise SqlError("Transactions cannot be nested")
            self.run("BEGIN")
            self.in_transaction = True
        elif kind[:2] == ("COMMIT", "TRANSACTION") and len(words) == 2:
            if not self.in_transaction:
                raise SqlError("There is no active transaction to commit")
            self.run("COMMIT")
            self.in_transaction = False
        elif kind[0] == "IF":
            self.conditional(words, service)
        elif kind[0] == "RAISE":
            if kind != ("RAISE", "USING", "MESSAGE") or len(words) != 5 or words[3] != "=":
                raise SqlError("Syntax error: RAISE USING MESSAGE = 'text'")
            raise SqlError(unescaped(words[4]))
        elif kind[0] == "MERGE":
            self.merge(words, service)
        elif kind[0] in ("INSERT", "UPDATE", "DELETE"):
            if kind[0] != "INSERT" and "WHERE" not in [word.upper() for word in words]:
                raise SqlError(f"{kind[0]} must have a WHERE clause")
            self.writes(words, service)
            self.run(self.translate(words, service))
        elif kind[:2] == ("TRUNCATE", "TABLE") and len(words) == 3:
            self.writes(words, service)
            self.run(f"DELETE FROM {self.table(words[2], service)}")
        elif kind == ("CREATE", "TEMP", "TABLE"):
            self.temporary.add(words[3].strip("`"))
            self.run(self.translate(words, service))
        elif kind[:2] in (("ALTER", "TABLE"), ("DROP", "TABLE")):
            if self.in_transaction:
                raise SqlError("DDL on permanent tables is not supported inside a transaction")
            self.define(words, service)
        elif kind[0] in ("SELECT", "WITH"):
            names, rows, _ = self.run(self.translate(words, service))
            return [{"name": name, "type": "STRING", "mode": "NULLABLE"} for name in names], rows
        else:
            raise SqlError(f"the stand-in does not know statements that begin with {' '.join(words[:3])}")
        return None

    def writes(self, words, service):
        if not any(word.startswith("`") and "." in word for word in words[:4]):
            return  # a temporary table
        service.permit("bigquery.tables.updateData", "Table " + next(word for word in words if "." in word).strip("`"))

    def conditional(self, words, service):
        uppers = [word.upper() for word in words]
        then = uppers.index("THEN")
        if uppers[-2:] != ["END", "IF"]:
            raise SqlError("Syntax error: IF without END IF")
        _, rows, _ = self.run("SELECT " + self.translate(words[1:then], service))
        if rows[0][0] == "true":
            current = []
            for word in words[then + 1:-2]:
                if word == ";":
                    self.statement(current, service)
                    current = []
                else:
                    current.append(word)

    def define(self, words, service):
        """ALTER TABLE and DROP TABLE of tables, and what the service knows of them."""
        uppers = [word.upper() for word in words]
        if uppers[0] == "DROP":
            optional = uppers[2:4] == ["IF", "EXISTS"]
            dataset, table = self.parts(words[-1])
            if (dataset, table) not in service.tables and optional:
                return
            service.permit("bigquery.tables.delete", f"Table {dataset}.{table}")
            service.table_of(dataset, table)
            del service.tables[dataset, table]
            self.drop_table(dataset, table)
            return
        optional = uppers[2:4] == ["IF", "EXISTS"]
        if optional:
            words, uppers = words[:2] + words[4:], uppers[:2] + uppers[4:]
        service.permit("bigquery.tables.update", f"Table {words[2]}")
        dataset, table = self.parts(words[2])
        if optional and (dataset, table) not in service.tables:
            return
        try:
            found = service.table_of(dataset, table)
        except Exception as problem:
            raise SqlError(str(problem), "notFound")
        fields = found["schema"]["fields"]
        at, name = 3, self.name(dataset, table)
        clustered = [field.lower() for field in found.get("clustering", {}).get("fields", [])]

        def find(column):
            return next((field for field in fields if field["name"].lower() == column.lower()), None)

        while at < len(words):
            if uppers[at:at + 2] == ["ADD", "COLUMN"]:
                at += 2
                optional = uppers[at:at + 3] == ["IF", "NOT", "EXISTS"]
                at += 3 if optional else 0
                column, at = words[at].strip("`"), at + 1
                repeated = uppers[at] == "ARRAY"
                kind = uppers[at + 2] if repeated else uppers[at]
                at += 4 if repeated else 1
                if kind not in TYPES:
                    raise SqlError(f"Type not found: {kind}")
                options = {}
                if uppers[at:at + 2] == ["OPTIONS", "("]:
                    if uppers[at + 2:at + 4] != ["DESCRIPTION", "="] or words[at + 5] != ")":
                        raise SqlError("the stand-in knows the option description only")
                    options, at = {"description": unescaped(words[at + 4])}, at + 6
                if not find(column):
                    field = {**options, "name": column, "type": kind, "mode": "REPEATED" if repeated else "NULLABLE"}
                    self.add_column(dataset, table, field)
                    if repeated:
                        self.run(f"UPDATE {name} SET {quoted(column)} = []")
                    fields.append(field)
                elif not optional:
                    raise SqlError(f"Column already exists: {column}", "duplicate")
            elif uppers[at:at + 2] == ["DROP", "COLUMN"]:
                at += 2
                optional = uppers[at:at + 2] == ["IF", "EXISTS"]
                at += 2 if optional else 0
                column, at = words[at].strip("`"), at + 1
                if find(column):
                    if column.lower() in clustered:
                        raise SqlError(f"ALTER TABLE DROP COLUMN of a clustering column is not allowed: {column}")
                    self.run(f"ALTER TABLE {name} DROP COLUMN {quoted(column)}")
                    fields.remove(find(column))
                elif not optional:
                    raise SqlError(f"Column not found: {column}")
            elif uppers[at:at + 2] == ["RENAME", "COLUMN"]:
                at += 2
                optional = uppers[at:at + 2] == ["IF", "EXISTS"]
                at += 2 if optional else 0
                old, new = words[at].strip("`"), words[at + 2].strip("`")
                at += 3
                if find(old):
                    if old.lower() in clustered:
                        raise SqlError(f"renaming a clustering column is not allowed: {old}")
                    self.run(f"ALTER TABLE {name} RENAME COLUMN {quoted(old)} TO {quoted(new)}")
                    find(old)["name"] = new
                elif not optional:
                    raise SqlError(f"Column not found: {old}")
            elif uppers[at:at + 2] == ["ALTER", "COLUMN"]:
                column = words[at + 2].strip("`")
                if uppers[at + 3:at + 6] != ["SET", "DATA", "TYPE"]:
                    raise SqlError("the stand-in knows ALTER COLUMN … SET DATA TYPE only")
                kind, field = uppers[at + 6], find(column)
                at += 7
                widening = {"INTEGER": ("NUMERIC", "BIGNUMERIC", "FLOAT64"), "INT64": ("NUMERIC", "BIGNUMERIC", "FLOAT64"),
                            "NUMERIC": ("BIGNUMERIC", "FLOAT64"), "BIGNUMERIC": ("FLOAT64",)}
                if not field:
                    raise SqlError(f"Column not found: {column}")
                if field["type"] != kind:
                    if kind not in widening.get(field["type"], ()):
                        raise SqlError(f"ALTER TABLE ALTER COLUMN SET DATA TYPE requires that the existing column type ({field['type']}) is assignable "
                                       f"to the new type ({kind})")
                    self.run(f"ALTER TABLE {name} ALTER COLUMN {quoted(column)} TYPE {TYPES[kind]}")
                    field["type"] = kind
            elif uppers[at:at + 2] == ["RENAME", "TO"]:
                new = words[at + 2].strip("`")
                at += 3
                if (dataset, new) in service.tables:
                    raise SqlError(f"Already Exists: Table {dataset}.{new}", "duplicate")
                self.run(f"ALTER TABLE {name} RENAME TO {quoted(new)}")
                service.tables[dataset, new] = service.tables.pop((dataset, table))
                service.tables[dataset, new]["tableReference"] = {"projectId": self.project, "datasetId": dataset, "tableId": new}
                table, name = new, self.name(dataset, new)
            else:
                raise SqlError(f"the stand-in does not know ALTER TABLE … {' '.join(words[at:at + 3])}")
            if at < len(words) and words[at] == ",":
                at += 1
            elif at < len(words):
                raise SqlError(f"Syntax error: Unexpected {words[at]}")

    def merge(self, words, service):
        """A source row that matches rows of the target must be the only one: DuckDB would take either."""
        self.writes(words, service)
        uppers = [word.upper() for word in words]
        using, depth = uppers.index("USING"), 0
        on = when = None
        for at in range(using, len(words)):
            depth += {"(": 1, ")": -1}.get(words[at], 0)
            if depth == 0 and uppers[at] == "ON" and on is None:
                on = at
            if depth == 0 and uppers[at] == "WHEN":
                when = at
                break
        target, source, condition = words[1 + (uppers[1] == "INTO"):using], words[using + 1:on], words[on + 1:when]
        translated = [self.translate(part, service) for part in (target, source, condition)]
        twice = self.run(f"SELECT 1 FROM {translated[0]} JOIN {translated[1]} ON {translated[2]} GROUP BY {target[-1]}.rowid HAVING count(*) > 1 LIMIT 1")
        if twice[1]:
            raise SqlError("UPDATE/MERGE must match at most one source row for each target row")
        self.run(self.translate(words, service))

    def parts(self, name):
        parts = name.strip("`").split(".")
        if len(parts) != 3 or parts[0] != self.project:
            raise SqlError(f"Table name {name} must be written as project.dataset.table here")
        return parts[1], parts[2]

    def table(self, name, service):
        dataset, table = self.parts(name)
        if (dataset, table) not in service.tables:
            raise SqlError(f"Not found: Table {self.project}:{dataset}.{table}", "notFound")
        return self.name(dataset, table)

    def translate(self, words, service):
        out, at = [], 0
        while at < len(words):
            word = words[at]
            upper = word.upper()
            following = words[at + 1] if at + 1 < len(words) else ""
            if word.startswith("`"):
                out.append(self.table(word, service) if "." in word else quoted(word.strip("`")))
            elif word.startswith("'"):
                out.append(literal(unescaped(word)))
            elif upper == "CURRENT_TIMESTAMP" and following == "(":
                out.append("now()")
                at += 2
            elif upper == "TO_JSON_STRING" and following == "(":
                out.append("to_json")
            elif upper == "STRUCT" and following == "(":
                out.append("row")
            elif upper == "IF" and following == "(":
                out.append("if")
            elif upper == "ARRAY" and following == "<":
                out.append(TYPES[words[at + 2].upper()] + "[]")
                at += 3
            elif upper in TYPES and (not out or out[-1] != ".") and (out and out[-1].upper() in ("AS", "TYPE")):
                out.append(TYPES[upper])
            elif re.match(r"[A-Za-z_@]", word) and upper not in WORDS and following == "(":
                raise SqlError(f"Function not found: {word}")
            else:
                out.append(word)
            at += 1
        return " ".join(out).replace(" . ", ".")
