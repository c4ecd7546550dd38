"""The stand-in's rules for types, and for rows of newline-delimited JSON (standin_snowflake.py)."""
import datetime
import decimal
import json
import re

MOST = 16777216
EXACT = decimal.Context(prec=120)
# Snowflake's names of types: (what INFORMATION_SCHEMA calls them, DuckDB's, how many numbers may stand behind them)
TYPES = {"VARCHAR": ("TEXT", "VARCHAR", 1), "TEXT": ("TEXT", "VARCHAR", 1), "STRING": ("TEXT", "VARCHAR", 1), "CHAR": ("TEXT", "VARCHAR", 1), "NUMBER": ("NUMBER", None, 2),
         "DECIMAL": ("NUMBER", None, 2), "NUMERIC": ("NUMBER", None, 2), "INT": ("NUMBER", None, 0), "INTEGER": ("NUMBER", None, 0), "BIGINT": ("NUMBER", None, 0),
         "SMALLINT": ("NUMBER", None, 0), "FLOAT": ("FLOAT", "DOUBLE", 0), "DOUBLE": ("FLOAT", "DOUBLE", 0), "REAL": ("FLOAT", "DOUBLE", 0), "BOOLEAN": ("BOOLEAN", "BOOLEAN", 0),
         "DATE": ("DATE", "DATE", 0), "TIME": ("TIME", "TIME", 1), "TIMESTAMP_NTZ": ("TIMESTAMP_NTZ", "TIMESTAMP", 1), "DATETIME": ("TIMESTAMP_NTZ", "TIMESTAMP", 1),
         "TIMESTAMP_TZ": ("TIMESTAMP_TZ", "TIMESTAMPTZ", 1), "TIMESTAMP_LTZ": ("TIMESTAMP_LTZ", "TIMESTAMPTZ", 1), "BINARY": ("BINARY", "BLOB", 1), "VARBINARY": ("BINARY", "BLOB", 1),
         "VARIANT": ("VARIANT", "JSON", 0), "ARRAY": ("ARRAY", "JSON", 0), "OBJECT": ("OBJECT", "JSON", 0)}


class Column:
    def __init__(self, kind, numbers=()):
        self.name, self.comment = None, None
        self.kind = TYPES[kind][0]
        self.precision = self.scale = self.length = None
        if self.kind == "NUMBER":
            self.precision, self.scale = (list(numbers) + [38, 0][len(numbers):])[:2]
        elif self.kind in ("TEXT", "BINARY"):
            self.length = numbers[0] if numbers else MOST if self.kind == "TEXT" else MOST // 2
        self.engine = TYPES[kind][1] or f"DECIMAL({self.precision},{self.scale})"

    def duckdb(self):
        return self.engine

    def shown(self):
        return self.kind

    def text(self):
        return f"NUMBER({self.precision},{self.scale})" if self.kind == "NUMBER" else f"VARCHAR({self.length})" if self.kind == "TEXT" else self.kind

    def widens_to(self, other):
        """What ALTER COLUMN may do without rewriting rows."""
        if self.kind != other.kind:
            return False
        if self.kind == "NUMBER":
            return self.scale == other.scale and other.precision >= self.precision
        return self.length is None or other.length >= self.length

    def take_type(self, other):
        self.precision, self.scale, self.length, self.engine = other.precision, other.scale, other.length, other.engine


def read_type(words, at, failure):
    """The type that stands at this place, and what follows."""
    name = words[at].upper() if at < len(words) else "<EOF>"
    if name not in TYPES:
        raise failure("002040", f"SQL compilation error:\nUnsupported data type '{name}'.", "42601")
    numbers, at = [], at + 1
    if words[at:at + 1] == ["("]:
        end = words.index(")", at)
        numbers = [int(word) for word in words[at + 1:end] if word != ","]
        at = end + 1
    if len(numbers) > TYPES[name][2] or (TYPES[name][0] == "NUMBER" and numbers and not 1 <= numbers[0] <= 38) or (len(numbers) == 2 and not 0 <= numbers[1] <= min(numbers[0], 37)):
        raise failure("002041", f"SQL compilation error:\ninvalid type [{name}({','.join(map(str, numbers))})]", "42601")
    return Column(name, numbers), at


def done(message):
    return [("status", "text", {"length": MOST})], [[message]]


# ---- rows of a stream

class Bad(Exception):
    pass


class Raw(str):
    """A number of the line as it was written."""


def lines_of(content):
    """The JSON objects of a request's rows; Bad for what is not RFC 8259, or has no newline behind it."""
    if content and not content.endswith(b"\n"):
        raise Bad("each JSON text must be followed by a newline character")

    def constant(word):
        raise Bad(f"{word} is not JSON")

    def pairs(found):
        if len({name for name, _ in found}) < len(found):
            raise Bad("a field is there twice")
        return dict(found)

    rows = []
    for line in content.split(b"\n")[:-1]:
        try:
            row = json.loads(line.decode("utf-8"), parse_int=Raw, parse_float=Raw, parse_constant=constant, object_pairs_hook=pairs)
        except ValueError as problem:
            raise Bad(str(problem))
        if not isinstance(row, dict):
            raise Bad("a row is an object")
        rows.append(row)
    return rows


def moment(pattern, kind):
    def read(value):
        match = re.fullmatch(pattern, value)
        try:
            groups = [int(group) for group in match.groups() if group is not None]
            (datetime.time if kind == "Time" else datetime.datetime)(*groups)
        except (AttributeError, ValueError):
            raise Bad(f"{kind} '{value}' is not recognized")
        return value
    return read


DAY, CLOCK = r"(\d{4})-(\d{2})-(\d{2})", r"(\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?"
READERS = {"DATE": moment(DAY, "Date"), "TIME": moment(CLOCK, "Time"), "TIMESTAMP_NTZ": moment(f"{DAY}[ T]{CLOCK}", "Timestamp"),
           "TIMESTAMP_TZ": moment(rf"{DAY}[ T]{CLOCK} ?(?:Z|[+-]\d\d(?::?\d\d)?)", "Timestamp")}


def raw_json(value):
    return value if isinstance(value, Raw) else "[" + ",".join(map(raw_json, value)) + "]" if isinstance(value, list) else \
        "{" + ",".join(f"{json.dumps(name)}:{raw_json(item)}" for name, item in value.items()) + "}" if isinstance(value, dict) else json.dumps(value)


def read_value(column, value):
    """DuckDB's text of a value for this column, or Bad."""
    if column.kind in ("VARIANT", "ARRAY", "OBJECT"):
        return raw_json(value)
    if value is None:
        return None
    if isinstance(value, (dict, list)):
        if column.kind != "TEXT":
            raise Bad(f"Failed to cast variant value to {column.text()}")
        value = raw_json(value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if column.kind == "TEXT":
        if len(text.encode()) > column.length:
            raise Bad(f"String of {len(text.encode())} bytes is too long and would be truncated")
        return text
    if column.kind == "NUMBER":
        try:
            number = decimal.Decimal(text).quantize(decimal.Decimal(1).scaleb(-column.scale), rounding=decimal.ROUND_HALF_UP, context=EXACT)
        except decimal.InvalidOperation:
            raise Bad(f"Numeric value '{text}' is not recognized")
        if abs(number) >= decimal.Decimal(10) ** (column.precision - column.scale):
            raise Bad(f"Number out of representable range: type {column.text()}, value {text}")
        return format(number, "f")
    if column.kind == "FLOAT":
        if not re.fullmatch(r"[-+]?(\d+(\.\d*)?([eE][-+]?\d+)?|inf|infinity)|nan", text, re.I):
            raise Bad(f"Numeric value '{text}' is not recognized")
        return text
    if column.kind == "BOOLEAN":
        if text.lower() not in ("true", "false", "t", "f", "yes", "no", "y", "n", "on", "off", "1", "0"):
            raise Bad(f"Boolean value '{text}' is not recognized")
        return "true" if text.lower() in ("true", "t", "yes", "y", "on", "1") else "false"
    if column.kind == "BINARY":
        if not re.fullmatch(r"([0-9A-Fa-f]{2})*", text) or len(text) // 2 > column.length:
            raise Bad(f"The following string is not a legal hex-encoded value: '{text[:40]}'")
        return text
    return READERS["TIMESTAMP_TZ" if column.kind == "TIMESTAMP_LTZ" else column.kind](text)


def read_row(columns, row):
    """A row's values in the order of the columns, matched by name whatever its case, as a pipe with MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE does; what has no column is ignored."""
    by_name = {}
    for column in columns:
        if column.name.upper() in by_name:
            raise Bad(f"column names {column.name} and {by_name[column.name.upper()]} differ in their case only")
        by_name[column.name.upper()] = column.name
    given = {by_name.get(name.upper()): value for name, value in row.items()}
    return [read_value(column, given[column.name]) if column.name in given else None for column in columns]
