"""The stand-in's rules for names, columns and rows of newline-delimited JSON (standin_bigquery.py)."""
import base64
import binascii
import datetime
import decimal
import json
import re
import unicodedata

SCALARS = {"STRING", "BYTES", "INTEGER", "INT64", "FLOAT", "FLOAT64", "BOOLEAN", "BOOL", "TIMESTAMP", "DATE", "TIME", "DATETIME", "NUMERIC",
           "BIGNUMERIC", "JSON"}
SAME = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}
CLUSTERABLE = {"BIGNUMERIC", "BOOLEAN", "DATE", "DATETIME", "INTEGER", "NUMERIC", "STRING", "TIMESTAMP"}
FORBIDDEN = ("_TABLE_", "_FILE_", "_PARTITION", "_ROW_TIMESTAMP", "__ROOT__", "_COLIDENTIFIER", "_CHANGE_SEQUENCE_NUMBER", "_CHANGE_TYPE",
             "_CHANGE_TIMESTAMP")
LIMITS = {"NUMERIC": (decimal.Decimal("99999999999999999999999999999.999999999"), 9),
          "BIGNUMERIC": (decimal.Decimal("578960446186580977117854925043439539266.34992332820282019728792003956564819967"), 38)}
EXACT = decimal.Context(prec=120)


def kind_of(field):
    return SAME.get(field["type"], field["type"])


def check_table_name(name, error):
    good = all(unicodedata.category(letter)[0] in "LMN" or unicodedata.category(letter) in ("Pc", "Pd", "Zs") for letter in name)
    if not name or len(name.encode()) > 1024 or not good:
        raise error(400, "invalid", f'Invalid table ID "{name}".')


def check_fields(fields, error):
    seen = set()
    for field in fields:
        name, kind = field.get("name", ""), field.get("type")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,299}", name) or name.upper().startswith(FORBIDDEN):
            raise error(400, "invalid", f'Invalid field name "{name}". Fields must contain the allowed characters, and be at most 300 characters long.')
        if name.lower() in seen:
            raise error(400, "invalid", f"Duplicate field name: {name}")
        seen.add(name.lower())
        if kind not in SCALARS:
            raise error(400, "invalid", f"Invalid value for type: {kind} is not a valid value")
        if field.get("mode", "NULLABLE") not in ("NULLABLE", "REQUIRED", "REPEATED"):
            raise error(400, "invalid", f"Invalid value for mode: {field['mode']} is not a valid value")
    if len(fields) > 10000:
        raise error(400, "invalid", "Too many columns: at most 10000 are allowed")


def check_clustering(fields, clustering, error):
    if clustering is None:
        return
    names = clustering.get("fields", [])
    if not 1 <= len(names) <= 4:
        raise error(400, "invalid", "Clustering is supported on 1 to 4 columns")
    for name in names:
        field = next((field for field in fields if field["name"] == name), None)
        if field is None:
            raise error(400, "invalid", f"The field specified for clustering cannot be found in the schema. Invalid field: {name}.")
        if kind_of(field) not in CLUSTERABLE or field.get("mode") == "REPEATED":
            raise error(400, "invalid", f"Field {name} has type {field['type']}, which cannot be clustered by")


def check_same(given, there, table, error):
    def shape(fields):
        return {field["name"].lower(): (kind_of(field), field.get("mode", "NULLABLE")) for field in fields}
    given, there = shape(given), shape(there)
    for name, what in given.items():
        if name not in there:
            raise error(400, "invalid", f"Provided Schema does not match Table {table}. Cannot add fields (field: {name})")
        if there[name] != what:
            raise error(400, "invalid", f"Provided Schema does not match Table {table}. Field {name} has changed type from "
                        f"{there[name][0]} to {what[0]}")


class Bad(Exception):
    pass


def integer(value):
    if isinstance(value, bool) or not re.fullmatch(r"-?\d+", str(value)) or not -2**63 <= int(value) < 2**63:
        raise Bad("integer")
    return str(int(value))


def real(value):
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"-?(\d+(\.\d*)?([eE][-+]?\d+)?|inf|Infinity)|NaN|nan|\+?inf", text):
        raise Bad("double")
    return text


def boolean(value):
    if not isinstance(value, bool) and str(value).lower() not in ("true", "false", "t", "f", "1", "0"):
        raise Bad("boolean")
    return "true" if str(value).lower() in ("true", "t", "1") else "false"


def numeric(kind):
    def read(value):
        try:
            number = decimal.Decimal(str(value))
        except decimal.InvalidOperation:
            raise Bad(kind.lower())
        if not number.is_finite() or abs(number) > LIMITS[kind][0]:
            raise Bad(kind.lower())
        rounded = number.quantize(decimal.Decimal(1).scaleb(-LIMITS[kind][1]), context=EXACT)
        return format(rounded.normalize(EXACT), "f")
    return read


def string(value):
    if not isinstance(value, str):
        raise Bad("string")
    if "\0" in value:
        raise Bad("string")
    return value


def octets(value):
    try:
        return base64.b64decode(string(value), validate=True).hex()
    except (binascii.Error, ValueError):
        raise Bad("bytes")


DATE = r"(\d{4})-(\d{2})-(\d{2})"
CLOCK = r"(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?"


def moment(pattern, kind):
    def read(value):
        match = re.fullmatch(pattern, str(value))
        if not match:
            raise Bad(kind)
        groups = [int(group) for group in match.groups() if group is not None]
        try:
            if kind == "time":
                datetime.time(*groups[:3])
            else:
                datetime.datetime(*groups[:6 if kind != "date" else 3])
        except ValueError:
            raise Bad(kind)
        return str(value)
    return read


def exact_numbers(text):
    """JSON numbers are 64-bit integers or doubles; one that is neither cannot be stored as it is."""
    def whole(digits):
        if not -2**63 <= int(digits) < 2**64:
            return fraction(digits)
        return int(digits)

    def fraction(digits):
        number = float(digits)
        if number in (float("inf"), float("-inf")) or decimal.Decimal(repr(number)) != decimal.Decimal(digits):
            raise Bad("json")
        return number
    return whole, fraction


READERS = {"STRING": string, "BYTES": octets, "INTEGER": integer, "FLOAT": real, "BOOLEAN": boolean, "NUMERIC": numeric("NUMERIC"),
           "BIGNUMERIC": numeric("BIGNUMERIC"), "DATE": moment(DATE, "date"), "TIME": moment(CLOCK, "time"),
           "DATETIME": moment(DATE + "[T ]" + CLOCK, "datetime"),
           "TIMESTAMP": moment(DATE + "[T ]" + CLOCK + "(?:Z|\\+00:00| UTC)", "timestamp")}


class Raw(str):
    """A number of the line as it was written."""


def cooked(value):
    """A value of a JSON column with its numbers as JSON keeps them."""
    if isinstance(value, dict):
        return {name: cooked(item) for name, item in value.items()}
    if isinstance(value, list):
        return [cooked(item) for item in value]
    if isinstance(value, Raw):
        whole, fraction = exact_numbers(value)
        return whole(value) if re.fullmatch(r"-?\d+", value) else fraction(value)
    return value


def read_value(field, value):
    kind = kind_of(field)
    if field.get("mode") == "REPEATED":
        if value is None:
            return []
        if not isinstance(value, list):
            raise Bad("array")
        if any(item is None for item in value):
            raise Bad("array: Only optional fields can be set to NULL")
        return [read_value({"type": kind, "mode": "REQUIRED", "name": field["name"]}, item) for item in value]
    if value is None:
        if field.get("mode") == "REQUIRED":
            raise Bad("required")
        return None
    if kind == "JSON":
        return json.dumps(cooked(value), ensure_ascii=False)
    if isinstance(value, (dict, list)):
        raise Bad(kind.lower())
    if isinstance(value, Raw) and kind == "STRING":
        raise Bad("string")
    return READERS[kind](str(value) if isinstance(value, Raw) else value)


def read_rows(content, fields, ignore_unknown, error):
    """The rows as lists of texts (None, or lists of them), or the errors of a job that read one that is bad."""
    rows, at = [], 0
    by_name = {field["name"].lower(): place for place, field in enumerate(fields)}
    for line in content.split(b"\n"):
        start, at = at, at + len(line) + 1
        if not line.strip():
            continue
        try:
            what = "JSON"
            if len(line) > 100 << 20:
                raise Bad("row: Row size is larger than: 104857600.")
            given = json.loads(line.decode("utf-8"), parse_int=Raw, parse_float=Raw, parse_constant=Raw)
            row = [[] if field.get("mode") == "REPEATED" else None for field in fields]
            for name, value in given.items():
                place = by_name.get(name.lower())
                if place is None:
                    if ignore_unknown:
                        continue
                    raise Bad(f"unknown: No such field: {name}.")
                what = name
                row[place] = read_value(fields[place], value)
            for field, value in zip(fields, row):
                if value is None and field.get("mode") == "REQUIRED":
                    what = field["name"]
                    raise Bad("required: Only optional fields can be set to NULL")
            rows.append(row)
        except (Bad, ValueError) as problem:
            text = str(problem)
            why = text.partition(": ")[2] if ": " in text and isinstance(problem, Bad) else f"Could not convert value to {text}."
            failed = error(400, "invalid", "Error while reading data, error message: JSON table encountered too many errors, giving up. Rows: "
                           f"{len(rows) + 1}; errors: 1. Please look into the errors[] collection for more details.")
            failed.errors = [failed.proto(), {"reason": "invalid", "message": "Error while reading data, error message: JSON processing encountered "
                             f"too many errors, giving up. Rows: {len(rows) + 1}; errors: 1; max bad: 0; error percent: 0"},
                             {"reason": "invalid", "message": "Error while reading data, error message: JSON parsing error in row starting at "
                              f"position {start}: {why} Field: {what}"}]
            raise failed
    return rows
