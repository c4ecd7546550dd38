"""Snowflake's SQL on DuckDB, for the stand-in (standin_snowflake.py): statements of kinds that are known here, translated word by word. What is not known is refused, so that
nothing passes here by chance.

DuckDB knows names without regard to case; Snowflake's quoted names are case-sensitive, others are upper case. So names are spelled for DuckDB with a mark before each upper-case
letter. Transactions are DuckDB's; DDL commits an open one, as Snowflake's does.
"""
import re

import standin_snowflake_data as data
from standin_duckdb import DuckDB, SqlError, literal, quoted

# Words that stand for themselves.
WORDS = set("""SELECT FROM WHERE AND OR NOT NULL IS IN AS ON USING INTO VALUES INSERT UPDATE DELETE SET MERGE WHEN MATCHED THEN JOIN LEFT INNER CROSS FULL OUTER GROUP BY ORDER
    HAVING LIMIT ASC DESC DISTINCT ALL UNION EXISTS BETWEEN CASE ELSE END CAST TRUE FALSE QUALIFY OVER PARTITION WITH EXCEPT LIKE NULLS FIRST LAST TARGET ROWS""".split())
# Functions of the same name and meaning in DuckDB.
FUNCTIONS = set("COUNT MAX MIN SUM COALESCE ROW_NUMBER LENGTH CONCAT NULLIF UPPER LOWER ANY_VALUE RANK SUBSTR ABS MOD".split())
# Functions that are macros here (MACROS), with the number of arguments that they may have.
RENAMED = {"IFF": ("if", 3), "CURRENT_TIMESTAMP": ("now", 0), "PARSE_JSON": ("sf_parse_json", 1, 2), "TO_ARRAY": ("sf_to_array", 1), 
           "TO_DOUBLE": ("sf_to_double", 1), "TO_BINARY": ("sf_to_binary", 2), "TO_DATE": ("sf_to_date", 2), "TO_TIME": ("sf_to_time", 2), "TO_BOOLEAN": ("sf_to_boolean", 1),
           "TO_TIMESTAMP_NTZ": ("sf_to_timestamp_ntz", 2), "TO_TIMESTAMP_TZ": ("sf_to_timestamp_tz", 2), "EQUAL_NULL": ("sf_equal_null", 2), "TO_VARCHAR": ("sf_to_varchar", 1),
           "CURRENT_VERSION": ("sf_version", 0), "IS_NULL_VALUE": ("sf_is_null_value", 1), "TO_JSON": ("sf_to_varchar", 1)}
# The formats of TO_VARCHAR that are known here.
FORMATS = {"HEX": "hex({})", "YYYY-MM-DD": "strftime({}, '%Y-%m-%d')", "HH24:MI:SS.FF6": "strftime(DATE '2000-01-01' + {}, '%H:%M:%S.%f')",
           "YYYY-MM-DD HH24:MI:SS.FF6": "strftime({}, '%Y-%m-%d %H:%M:%S.%f')", "YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM": "strftime({}, '%Y-%m-%d %H:%M:%S.%f') || '+00:00'"}
DAY, CLOCK = r"\d{4}-\d{2}-\d{2}", r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?"
ZONE = r" ?(Z|[+-]\d{2}(:?\d{2})?)"


def checked(pattern, value, what):
    return f"CASE WHEN x IS NULL THEN NULL WHEN regexp_full_match(x, '{pattern}') THEN {value} ELSE error('{what} ''' || x || ''' is not recognized') END"


NUMBER = r"\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*"
FLOAT = r"\s*([-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?|NaN|nan|NAN|[-+]?(inf|INF|infinity|Infinity|INFINITY))\s*"
MACROS = {
    "sf_limit(x)": "CASE WHEN strlen(x) > 16777216 THEN error('String is too long (' || strlen(x) || ' bytes) and would be truncated') ELSE x END",
    "sf_parse_json(x, o := '')": "CASE WHEN x IS NULL THEN NULL WHEN json_valid(x) THEN sf_limit(x)::JSON ELSE error('Error parsing JSON: ' || x) END",
    "sf_to_array(x)": "CASE WHEN x IS NULL OR json_type(x) = 'NULL' THEN NULL WHEN json_type(x) = 'ARRAY' THEN x ELSE json_array(x) END",
    "sf_to_double(x)": checked(FLOAT, "trim(x)::DOUBLE", "Numeric value"),
    "sf_to_binary(x, f)": "CASE WHEN x IS NULL THEN NULL WHEN f = 'HEX' AND regexp_full_match(x, '([0-9a-fA-F]{2})*') THEN unhex(x) ELSE error('The following string is not a "
                          "legal hex-encoded value: ' || x) END",
    "sf_to_date(x, f)": checked(DAY, "x::DATE", "Date"),
    "sf_to_time(x, f)": checked(CLOCK, "x::TIME", "Time"),
    "sf_to_timestamp_ntz(x, f)": checked(f"{DAY}[ T]{CLOCK}", "x::TIMESTAMP", "Timestamp"),
    "sf_to_timestamp_tz(x, f)": checked(f"{DAY}[ T]{CLOCK}{ZONE}", "x::TIMESTAMPTZ", "Timestamp"),
    "sf_to_boolean(x)": checked(r"(?i)true|t|yes|y|on|1|false|f|no|n|off|0", "lower(x) IN ('true', 't', 'yes', 'y', 'on', '1')", "Boolean value"),
    "sf_number(x)": checked(NUMBER, "trim(x)", "Numeric value"),
    "sf_equal_null(x, y)": "x IS NOT DISTINCT FROM y",
    "sf_to_varchar(x)": "x::VARCHAR",
    # numbers that are equal are one, whatever their type; the null of JSON may be one with NULL
    "sf_hashed(x)": "CASE WHEN x IS NULL OR (typeof(x) = 'JSON' AND x::VARCHAR = 'null') THEN NULL WHEN regexp_matches(typeof(x), '^(DECIMAL|DOUBLE)') THEN regexp_replace(regexp_replace(regexp_replace("
                    "x::VARCHAR, '([.][0-9]*?)0+$', '\\1'), '[.]$', ''), '^-0$', '0') ELSE x::VARCHAR END",
    "sf_signed(x)": "(x::HUGEINT - 9223372036854775808)::BIGINT",
    "sf_is_null_value(x)": "json_type(x) = 'NULL'",
    "sf_version()": "'10.0.0 (a stand-in)'",
    "sf_divide(x, y)": "CASE WHEN y = 0 THEN error('Division by zero' || substr(y::VARCHAR, 1, 0)) ELSE x / y END",
}
TOKEN = re.compile(r"""\s+|--[^\n]*|"(?:[^"]|"")+"|'(?:[^'\\]|''|\\.)*'|\$\$.*?\$\$|\d+(?:\.\d+)?|[A-Za-z_][A-Za-z0-9_$]*|::|<=|>=|!=|<>|\|\||=>|[-+*/=<>(),;.\[\]:?%]""", re.S)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0"}
REFUSED = {"USE": "USE", "PUT": "PUT", "GET": "GET", "LIST": "LIST"}


def failure(code, message, sql_state=None):
    problem = SqlError(message, code)
    problem.sql_state = sql_state
    return problem


def missing(kind, name):
    return failure("002003", f"SQL compilation error:\n{kind} '{name}' does not exist or not authorized.", "42S02" if kind == "Object" else "02000")


def spelled(name):
    return re.sub(r"[A-Z^]", lambda match: "^" + match.group().lower(), name)


def unspelled(name):
    return re.sub(r"\^(.)", lambda match: match.group(1).upper(), name)


def column_name(name):
    return quoted(spelled(name))


def identifier(token):
    """The name that a token stands for."""
    return token[1:-1].replace('""', '"') if token.startswith('"') else token.upper()


def is_identifier(token):
    return token.startswith('"') or re.match(r"[A-Za-z_]", token) is not None


def string(token):
    """The text of a literal: both '' and a backslash escape."""
    if token.startswith("$$"):
        return token[2:-2]
    return re.sub(r"''|\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", lambda match: "'" if match.group() == "''" else chr(int(match.group(1)[1:], 16))
                  if match.group(1)[0] in "ux" and len(match.group(1)) > 1 else ESCAPES.get(match.group(1), match.group(1)), token[1:-1], flags=re.S)


class Words:
    """The words of one statement, and where it stands in its request's text."""

    def __init__(self, words, text, at):
        self.words, self.text, self.at = words, text, at


def split_statements(text):
    found, words, begin, at = [], [], None, 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            line = text[:at].count("\n") + 1
            raise failure("001003", f"SQL compilation error:\nparse error line {line} at position {at - (text.rfind(chr(10), 0, at) + 1)} near '{ord(text[at])}'.", "42000")
        token = match.group()
        if token == ";":
            if words:
                found.append(Words(words, text[begin:at], begin))
            words = []
        elif not token.isspace() and not token.startswith("--"):
            if not words:
                begin = at
            words.append(token)
        at = match.end()
    if words:
        found.append(Words(words, text[begin:], begin))
    return found


class Table:
    def __init__(self, columns):
        self.columns = columns      # data.Column, in order
        self.generation = 0         # of a name that was used before

    def find(self, name):
        return next((column for column in self.columns if column.name == name), None)


class Engine(DuckDB):
    """What the account holds: {database: {schema: {table: Table}}}, rows in DuckDB."""

    def __init__(self, service):
        super().__init__("2GB")     # a table of 1,600 columns, each made of a text
        self.service = service
        self.databases = {}
        self.made = 0               # tables that were ever made
        for head, body in MACROS.items():
            self.run(f"CREATE MACRO {head} AS {body}")
        self.run('CREATE SCHEMA "%information"')

    # ---- objects

    @staticmethod
    def schema_name(database, schema):
        return quoted(spelled(database + "." + schema))

    def name(self, path):
        return f"{self.schema_name(*path[:2])}.{quoted(spelled(path[2]))}"

    def create_database(self, name):
        self.databases[name] = {}

    def schema(self, database, schema):
        if "USAGE" in self.service.denied or database not in self.databases:
            raise missing("Database", database)
        if schema not in self.databases[database]:
            raise missing("Schema", f"{database}.{schema}")
        return self.databases[database][schema]

    def create_schema(self, database, schema):
        self.databases[database][schema] = {}
        self.run(f"CREATE SCHEMA {self.schema_name(database, schema)}")

    def drop_schema(self, database, schema):
        for name in list(self.databases[database][schema]):
            self.drop_table((database, schema, name))
        del self.databases[database][schema]
        self.run(f"DROP SCHEMA {self.schema_name(database, schema)}")

    def table(self, path):
        found = self.schema(*path[:2]).get(path[2])
        if not found:
            raise missing("Object", ".".join(path))
        return found

    def create_table(self, path, columns):
        table = Table(columns)
        self.made += 1
        table.generation = self.made
        self.run(f"CREATE TABLE {self.name(path)} (" + ", ".join(f"{column_name(column.name)} {column.duckdb()}" for column in columns) + ")")
        self.schema(*path[:2])[path[2]] = table

    def drop_table(self, path):
        del self.schema(*path[:2])[path[2]]
        self.run(f"DROP TABLE {self.name(path)}")
        self.service.streaming.table_dropped(path)

    def tables(self, database, schema):
        return sorted(self.databases.get(database, {}).get(schema, {}))

    def describe(self, database):
        """INFORMATION_SCHEMA as tables of the moment."""
        schemata, tables, columns = [], [], []
        for schema, found in self.databases[database].items():
            schemata.append((database, schema))
            for name, table in found.items():
                tables.append((database, schema, name, "BASE TABLE"))
                for place, column in enumerate(table.columns):
                    columns.append((database, schema, name, column.name, place + 1, column.shown(), column.precision, column.scale, column.length, column.comment, "YES"))
        for name, head, rows in (("SCHEMATA", "CATALOG_NAME VARCHAR, SCHEMA_NAME VARCHAR", schemata),
                                 ("TABLES", "TABLE_CATALOG VARCHAR, TABLE_SCHEMA VARCHAR, TABLE_NAME VARCHAR, TABLE_TYPE VARCHAR", tables),
                                 ("COLUMNS", "TABLE_CATALOG VARCHAR, TABLE_SCHEMA VARCHAR, TABLE_NAME VARCHAR, COLUMN_NAME VARCHAR, ORDINAL_POSITION BIGINT, DATA_TYPE VARCHAR, "
                                  "NUMERIC_PRECISION BIGINT, NUMERIC_SCALE BIGINT, CHARACTER_MAXIMUM_LENGTH BIGINT, COMMENT VARCHAR, IS_NULLABLE VARCHAR", columns)):
            fields = ", ".join(f"{column_name(field.split()[0])} {field.split()[1]}" for field in head.split(", "))
            self.run(f'CREATE OR REPLACE TABLE "%information".{quoted(spelled(name))} ({fields})')
            values = ", ".join("(" + ", ".join("NULL" if value is None else str(value) if isinstance(value, int) else literal(value) for value in row) + ")" for row in rows)
            if values:
                self.run(f'INSERT INTO "%information".{quoted(spelled(name))} VALUES {values}')


class Session:
    """The session of one request: its database and schema, and its transaction."""

    def __init__(self, service, database, schema, warehouse):
        self.service, self.engine = service, service.engine
        self.database, self.schema_name, self.warehouse = database, schema, warehouse
        self.open = False

    def close(self):
        if self.open:
            self.engine.run("ROLLBACK")
            self.open = False

    # ---- statements

    def execute(self, statement, several, bindings=None):
        """(columns as (name, type, more), rows of texts) of a statement."""
        words = statement.words
        kind = tuple(word.upper() for word in words[:3])
        if kind[0] in REFUSED or (kind[0] in ("BEGIN", "COMMIT", "ROLLBACK") and not several):
            name = REFUSED.get(kind[0]) or {"BEGIN": "TRANSACTION_BEGIN", "COMMIT": "TRANSACTION_COMMIT", "ROLLBACK": "TRANSACTION_ROLLBACK"}[kind[0]]
            raise failure("391911", f"Command not supported by SQL API: {name}", "0A000")
        if bindings:
            raise failure("standin", "the stand-in has no bindings")
        if kind[0] == "BEGIN" and kind[1:] in ((), ("TRANSACTION",), ("WORK",)):
            if not self.open:
                self.engine.run("BEGIN")
                self.open = True
            return data.done("Statement executed successfully.")
        if kind[0] in ("COMMIT", "ROLLBACK") and kind[1:] in ((), ("WORK",)):
            if self.open:
                self.engine.run(kind[0])
                self.open = False
            return data.done("Statement executed successfully.")
        if kind[0] in ("SELECT", "WITH"):
            return self.query(words)
        if kind[0] in ("INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE"):
            return self.change(kind, words)
        if kind[0] in ("CREATE", "ALTER", "DROP"):
            if self.open:
                self.engine.run("COMMIT")
                self.open = False
            return Definition(self, words).run()
        raise failure("standin", f"the stand-in does not know statements that begin with {' '.join(words[:3])}")

    def need_warehouse(self):
        if self.warehouse != self.service.warehouse:
            raise failure("000606", "No active warehouse selected in the current session.  Select an active warehouse with the 'use warehouse' command.\n", "57P03")

    def query(self, words):
        if any(word.upper() == "FROM" for word in words):
            self.need_warehouse()
        names, rows, _ = self.run(self.translate(words))
        return [(unspelled(name), "text", {"length": 16777216, "byteLength": 16777216}) for name in names], rows

    def run(self, sql):
        """DuckDB's errors as the service would word them, as far as they are known."""
        try:
            return self.engine.run(sql)
        except SqlError as problem:
            text = str(problem)
            for sign, code, state in (("Division by zero", "100051", "22012"), ("is not recognized", "100038", "22018"), ("Error parsing JSON", "100069", "22P02"),
                                      ("is too long", "100078", "22000"), ("not a legal hex-encoded", "100037", "22018")):
                if sign in text:
                    found = re.search(r"Error: (.*?)( in |$)", text, re.S)
                    raise failure(code, found.group(1) if found else text, state)
            if "Binder Error" in text or "Catalog Error" in text:
                raise failure("000904", f"SQL compilation error: {text}", "42000")
            raise failure("100038", text, "22018")

    def change(self, kind, words):
        self.need_warehouse()
        at = 1 + (kind[1] == "INTO") + (kind[1:3] == ("OVERWRITE", "INTO")) * 2
        if kind[0] == "TRUNCATE":
            at = 2 if kind[1] == "TABLE" else 1
        if kind[0] == "DELETE":
            at = 2
        path, end = self.chain(words, at)
        self.engine.table(path)
        self.service.permit(kind[0], f"table '{path[2]}'")
        if kind[0] == "TRUNCATE":
            changed = self.run(f"DELETE FROM {self.engine.name(path)}")[2]
        elif kind[0] == "MERGE":
            self.deterministic(words)
            changed = self.run(self.translate(words))[2]
        else:
            if kind[:2] == ("INSERT", "OVERWRITE"):
                raise failure("standin", "the stand-in does not know INSERT OVERWRITE")
            changed = self.run(self.translate(words))[2]
        return [("number of rows changed", "fixed", {"precision": 19, "scale": 0})], [[str(changed)]]

    def deterministic(self, words):
        """ERROR_ON_NONDETERMINISTIC_MERGE: no row of the target may be matched by two rows of the source."""
        uppers = [word.upper() for word in words]
        using, depth, on, when = uppers.index("USING"), 0, None, None
        for at in range(using, len(words)):
            depth += {"(": 1, ")": -1}.get(words[at], 0)
            if depth == 0 and uppers[at] == "ON" and on is None:
                on = at
            if depth == 0 and uppers[at] == "WHEN":
                when = at
                break
        if on is None or when is None:
            raise failure("001003", "SQL compilation error:\nsyntax error in MERGE", "42000")
        into, source, condition = words[2:using], words[using + 1:on], words[on + 1:when]
        alias = into[-1] if len(into) > 1 and uppers[1 + len(into) - 1] in ("AS",) or "AS" in uppers[2:using] else None
        target = self.translate(["FROM", *into]).removeprefix("FROM ")
        marked = quoted(spelled(identifier(alias))) if alias else self.engine.name(self.chain(words, 2)[0])
        found = self.run(f"SELECT 1 FROM {target} JOIN {self.translate(['FROM', *source]).removeprefix('FROM ')} ON {self.translate(condition)} "
                         f"GROUP BY {marked}.rowid HAVING count(*) > 1 LIMIT 1")
        if found[1]:
            raise failure("100090", "Duplicate row detected during DML action\nRow Values: [...]", "42P18")

    # ---- names

    def chain(self, words, at):
        """The table of this session that the dotted name at this place is, and what follows."""
        parts = [identifier(words[at])]
        at += 1
        while at + 1 < len(words) and words[at] == ".":
            parts.append(identifier(words[at + 1]))
            at += 2
        return self.path(parts), at

    def path(self, parts):
        whole = [self.database, self.schema_name][:3 - len(parts)] + parts
        if len(whole) != 3 or None in whole:
            raise failure("090105", "Cannot perform operation. This session does not have a current database.", "22000")
        return tuple(whole)

    def source(self, words, at, known):
        """DuckDB's name of what stands in a FROM, and what follows."""
        if at + 1 < len(words) and words[at + 1] != "." and identifier(words[at]) in known:
            return column_name(identifier(words[at])), at + 1
        path, end = self.chain(words, at)
        if path[1] == "INFORMATION_SCHEMA":
            if "USAGE" in self.service.denied or path[0] not in self.engine.databases:
                raise missing("Database", path[0])
            self.engine.describe(path[0])
            return f'"%information".{quoted(spelled(path[2]))}', end
        self.engine.table(path)
        return self.engine.name(path), end

    # ---- words

    def translate(self, words):
        uppers = [word.upper() for word in words]
        known = {identifier(words[at - 1]) for at in range(1, len(words) - 1) if uppers[at] == "AS" and words[at + 1] == "(" and is_identifier(words[at - 1])}
        out, at = [], 0
        while at < len(words):
            word, upper = words[at], uppers[at]
            following = words[at + 1] if at + 1 < len(words) else ""
            previous = uppers[at - 1] if at else ""
            if word.startswith(("'", "$$")):
                out.append(literal(string(word)))
            elif is_identifier(word) and previous in ("FROM", "JOIN", "INTO", "USING", "UPDATE") and not (previous == "UPDATE" and upper == "SET") \
                    and uppers[at - 2:at - 1] != ["DISTINCT"]:
                name, at = self.source(words, at, known)
                out.append(name)
                continue
            elif upper == "LISTAGG" and following == "(":
                name, at = self.listagg(words, uppers, at)
                out.append(name)
                continue
            elif upper == "HASH" and following == "(":
                end = closing(words, at + 1)
                out.append("sf_signed(hash(row(" + ", ".join(f"sf_hashed({self.translate(part)})" for part in arguments(words[at + 2:end])) + ")))")
                at = end
            elif upper == "TO_VARCHAR" and following == "(" and "," in words[at:closing(words, at + 1)]:
                end = closing(words, at + 1)
                value, layout = arguments(words[at + 2:end])
                if string(layout[0]) not in FORMATS:
                    raise failure("standin", f"the stand-in does not know TO_VARCHAR's format {layout[0]}")
                out.append(FORMATS[string(layout[0])].format(self.translate(value)))
                at = end
            elif upper in RENAMED and following == "(" and previous != ".":
                out.append(RENAMED[upper][0])
            elif upper == "TO_NUMBER" and following == "(":
                end = closing(words, at + 1)
                if words[end - 4] != "," or words[end - 2] != ",":
                    raise failure("standin", "the stand-in knows TO_NUMBER(x, precision, scale) only")
                out.append(f"CAST(sf_number({self.translate(words[at + 2:end - 4])}) AS DECIMAL({words[end - 3]}, {words[end - 1]}))")
                at = end
            elif upper in FUNCTIONS and following == "(":
                out.append(upper)
            elif re.match(r"[A-Za-z_]", word) and following == "(" and upper not in WORDS and previous not in ("INTO", "TABLE") and not (at >= 2 and uppers[at - 2] == "INTO"):
                if previous != "." and upper not in ("AS",):
                    raise failure("002140", f"SQL compilation error:\nUnknown function {upper}", "42601")
                out.append(column_name(identifier(word)))
            elif word == "::":
                kind, at = data.read_type(words, at + 1, failure)
                out.append("::" + kind.duckdb())
                continue
            elif word == "[":
                at = self.element(words, out, at)
                continue
            elif word.isdigit() and following == "/" and uppers[at + 2:at + 3] and words[at + 3:at + 4] == ["("]:
                end = closing(words, at + 3)
                out.append(f"sf_divide({word}, {self.translate(words[at + 2:end + 1])})")
                at = end
            elif word == "/":
                raise failure("standin", "the stand-in knows a division of a number by a function only")
            elif word.startswith('"') or (re.match(r"[A-Za-z_]", word) and upper not in WORDS):
                out.append(column_name(identifier(word)))
            else:
                out.append(word)
            at += 1
        return " ".join(out).replace(" . ", ".").replace(" ::", "::")

    def listagg(self, words, uppers, at):
        """LISTAGG(x [, 'y']) WITHIN GROUP (ORDER BY z)"""
        end = closing(words, at + 1)
        if uppers[end + 1:end + 3] != ["WITHIN", "GROUP"] or words[end + 3] != "(":
            raise failure("standin", "the stand-in knows LISTAGG … WITHIN GROUP only")
        last = closing(words, end + 3)
        inside = words[at + 2:end]
        separator = "''"
        if "," in inside:
            comma = inside.index(",")
            inside, separator = inside[:comma], literal(string(inside[comma + 1]))
        return f"sf_limit(string_agg({self.translate(inside)}, {separator} {self.translate(words[end + 4:last])}))", last + 1

    @staticmethod
    def element(words, out, at):
        """name[i], the ith item of a VARIANT; with ::VARCHAR its text, NULL for the null of JSON."""
        if not words[at + 1].isdigit() or words[at + 2] != "]":
            raise failure("standin", "the stand-in knows items of arrays by their number only")
        parts = [out.pop()]
        while out and out[-1] == ".":
            parts[:0] = [out.pop(-2), out.pop()]
        name = "".join(parts)
        if words[at + 3:at + 4] == ["::"]:
            if words[at + 4].upper() not in ("VARCHAR", "TEXT", "STRING"):
                raise failure("standin", "the stand-in knows items of arrays as VARCHAR only")
            out.append(f"json_extract_string({name}, '$[{words[at + 1]}]')")
            return at + 5
        out.append(f"json_extract({name}, '$[{words[at + 1]}]')")
        return at + 3


def closing(words, at):
    """Where the parenthesis closes that opens here."""
    depth = 0
    for place in range(at, len(words)):
        depth += {"(": 1, ")": -1}.get(words[place], 0)
        if depth == 0:
            return place
    raise failure("001003", "SQL compilation error:\nsyntax error unexpected '<EOF>'.", "42000")


def arguments(words):
    """The words of each argument of a function."""
    found, depth = [[]], 0
    for word in words:
        depth += {"(": 1, ")": -1}.get(word, 0)
        if word == "," and depth == 0:
            found.append([])
        else:
            found[-1].append(word)
    return found


class Definition:
    """One statement that makes, changes or removes a schema or a table."""

    def __init__(self, session, words):
        self.session, self.engine, self.service = session, session.engine, session.service
        self.words, self.uppers, self.at = words, [word.upper() for word in words], 0

    def take(self, *wanted):
        """Whether these words come next, which they then are no more."""
        if tuple(self.uppers[self.at:self.at + len(wanted)]) == wanted:
            self.at += len(wanted)
            return True
        return False

    def need(self, *wanted):
        if not self.take(*wanted):
            raise failure("001003", f"SQL compilation error:\nsyntax error unexpected '{' '.join(self.words[self.at:self.at + 2]) or '<EOF>'}', wanted {' '.join(wanted)}", "42000")

    def path(self):
        path, self.at = self.session.chain(self.words, self.at)
        return path

    def identifier(self):
        if self.at >= len(self.words) or not is_identifier(self.words[self.at]):
            self.need("a name")
        self.at += 1
        name = identifier(self.words[self.at - 1])
        if len(name) > 255:
            raise failure("001059", f"SQL compilation error:\nIdentifier is too long: {name}", "42601")
        return name

    def end(self):
        if self.at < len(self.words):
            self.need("<EOF>")

    def run(self):
        for words, method in ((("CREATE", "SCHEMA"), self.create_schema), (("CREATE", "TABLE"), self.create_table), (("CREATE", "TRANSIENT", "TABLE"), self.create_table),
                              (("ALTER", "TABLE"), self.alter_table), (("DROP", "TABLE"), self.drop_table), (("DROP", "SCHEMA"), self.drop_schema)):
            if self.take(*words):
                return data.done(method())
        raise failure("standin", f"the stand-in does not know statements that begin with {' '.join(self.words[:3])}")

    def schema(self):
        parts = [self.identifier()]
        if self.take("."):
            parts.append(self.identifier())
        database, schema = ([self.session.database] + parts)[-2:]
        if database not in self.engine.databases:
            raise missing("Database", database)
        return database, schema

    def drop_schema(self):
        optional = self.take("IF", "EXISTS")
        database, schema = self.schema()
        self.end()
        if schema not in self.engine.databases[database]:
            if optional:
                return f"Drop statement executed successfully ({schema} already dropped)."
            raise missing("Schema", f"{database}.{schema}")
        self.service.permit("DROP SCHEMA", f"schema '{schema}'")
        self.engine.drop_schema(database, schema)
        return f"{schema} successfully dropped."

    def create_schema(self):
        optional = self.take("IF", "NOT", "EXISTS")
        database, schema = self.schema()
        if self.take("DATA_RETENTION_TIME_IN_DAYS", "="):
            self.at += 1
        self.end()
        if schema in self.engine.databases[database]:
            if optional:
                return f"{schema} already exists, statement succeeded."
            raise failure("002002", f"SQL compilation error:\nObject '{schema}' already exists.", "42710")
        self.service.permit("CREATE SCHEMA", f"database '{database}'")
        self.engine.create_schema(database, schema)
        return f"Schema {schema} successfully created."

    def create_table(self):
        optional = self.take("IF", "NOT", "EXISTS")
        path = self.path()
        there = self.engine.schema(*path[:2])
        self.need("(")
        columns = [self.column()]
        while self.take(","):
            columns.append(self.column())
        self.need(")")
        while self.at < len(self.words):
            if self.take("DATA_RETENTION_TIME_IN_DAYS", "=") or self.take("COMMENT", "="):
                self.at += 1
            elif self.take("CLUSTER", "BY"):
                self.at = closing(self.words, self.at) + 1
            else:
                self.end()
        names = [column.name for column in columns]
        if len(set(names)) < len(names):
            raise failure("002025", "SQL compilation error:\nduplicate column name", "42S21")
        if path[2] in there:
            if optional:
                return f"{path[2]} already exists, statement succeeded."
            raise failure("002002", f"SQL compilation error:\nObject '{'.'.join(path)}' already exists.", "42710")
        self.service.permit("CREATE TABLE", f"schema '{path[1]}'")
        self.engine.create_table(path, columns)
        return f"Table {path[2]} successfully created."

    def column(self):
        name = self.identifier()
        column, self.at = data.read_type(self.words, self.at, failure)
        column.name = name
        while True:
            if self.take("COMMENT"):
                column.comment = string(self.words[self.at])
                self.at += 1
            elif not self.take("NULL"):
                return column

    def alter_table(self):
        optional = self.take("IF", "EXISTS")
        path = self.path()
        if path[2] not in self.engine.schema(*path[:2]) and optional:
            return "Statement executed successfully."
        table = self.engine.table(path)
        self.service.permit("ALTER TABLE", f"table '{path[2]}'")
        name = self.engine.name(path)
        if self.take("RENAME", "TO"):
            self.rename_table(path, self.path())
        elif self.take("RENAME", "COLUMN"):
            column, _, new = self.existing(table), self.need("TO"), self.identifier()
            if table.find(new):
                raise failure("002025", f"SQL compilation error:\nduplicate column name '{new}'", "42S21")
            self.engine.run(f"ALTER TABLE {name} RENAME COLUMN {column_name(column.name)} TO {column_name(new)}")
            column.name = new
        elif self.take("ADD", "COLUMN") or self.take("ADD"):
            optional = self.take("IF", "NOT", "EXISTS")
            column = self.column()
            if table.find(column.name) and not optional:
                raise failure("001430", f"SQL compilation error:\ncolumn '{column.name}' already exists", "42601")
            if not table.find(column.name):
                self.engine.run(f"ALTER TABLE {name} ADD COLUMN {column_name(column.name)} {column.duckdb()}")
                table.columns.append(column)
        elif self.take("DROP", "COLUMN"):
            optional = self.take("IF", "EXISTS")
            if not (optional and self.at < len(self.words) and not table.find(identifier(self.words[self.at]))):
                column = self.existing(table)
                if len(table.columns) == 1:
                    raise failure("002216", "SQL compilation error:\ncannot drop the only column of a table", "42601")
                self.engine.run(f"ALTER TABLE {name} DROP COLUMN {column_name(column.name)}")
                table.columns.remove(column)
            else:
                self.at += 1
        elif self.take("ALTER", "COLUMN") or self.take("MODIFY", "COLUMN"):
            column = self.existing(table)
            self.need("SET", "DATA", "TYPE")
            kind, self.at = data.read_type(self.words, self.at, failure)
            if not column.widens_to(kind):
                raise failure("002108", f"SQL compilation error: cannot change column {column.name} from type {column.text()} to {kind.text()}", "22000")
            self.engine.run(f"ALTER TABLE {name} ALTER COLUMN {column_name(column.name)} TYPE {kind.duckdb()}")
            column.take_type(kind)
        else:
            raise failure("standin", f"the stand-in does not know ALTER TABLE … {' '.join(self.words[self.at:self.at + 3])}")
        self.end()
        self.service.streaming.table_changed(path)
        return "Statement executed successfully."

    def existing(self, table):
        name = self.identifier()
        column = table.find(name)
        if not column:
            raise failure("000904", f"SQL compilation error: error line 1 at position 0\ninvalid identifier '{name}'", "42000")
        return column

    def rename_table(self, path, new):
        there = self.engine.schema(*new[:2])
        if new[2] in there:
            raise failure("002002", f"SQL compilation error:\nObject '{'.'.join(new)}' already exists.", "42710")
        if path[:2] != new[:2]:
            raise failure("standin", "the stand-in does not move tables between schemas")
        self.engine.run(f"ALTER TABLE {self.engine.name(path)} RENAME TO {quoted(spelled(new[2]))}")
        there[new[2]] = there.pop(path[2])
        self.service.streaming.table_dropped(path)

    def drop_table(self):
        optional = self.take("IF", "EXISTS")
        path = self.path()
        self.end()
        if path[2] not in self.engine.schema(*path[:2]) and optional:
            return f"Drop statement executed successfully ({path[2]} already dropped)."
        self.engine.table(path)
        self.service.permit("DROP TABLE", f"table '{path[2]}'")
        self.engine.drop_table(path)
        return f"{path[2]} successfully dropped."
