"""One canonical form for a value, whatever wrote it: PostgreSQL's text, DuckDB's text, a JSON line.

Where two systems write the same value differently (1e+20 and 1e20, BC before or after the time, `mons` and `months`), both are
brought to one form here; everything else is compared as text, byte by byte.
"""
import json
import re
import struct

ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def copy_fields(line):
    """A line of COPY text as a list of strings, None for NULL."""
    if "\\" not in line:
        return line.split("\t")
    return [None if field == "\\N" else
            re.sub(r"\\(.)", lambda match: ESCAPES.get(match.group(1), match.group(1)), field, flags=re.S)
            for field in line.split("\t")]


class Number(str):
    """The text of a JSON number that is not whole: kept as it was written."""


def json_value(value):
    """A JSON value, as parsed by loads(), in one hashable form."""
    if isinstance(value, dict):
        return ("object", tuple(sorted((name, json_value(item)) for name, item in value.items())))
    if isinstance(value, list):
        return ("array", tuple(json_value(item) for item in value))
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, Number)):
        return ("number", str(value))
    return value


def loads(text):
    return json.loads(text, parse_float=Number, parse_constant=Number)


def loose(value):
    """A composite value as JSON, whoever made it: numbers that say the same are the same, also when they are written as strings."""
    if isinstance(value, dict):
        return tuple(sorted((name, loose(item)) for name, item in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(loose(item) for item in value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and value.startswith("{") and value.endswith("}"):
        return loose(list(array("text", value)))  # an array that was asked for as text
    try:
        return repr(float(value))
    except ValueError:
        return value


def real(text):
    return repr(struct.unpack("f", struct.pack("f", float(text)))[0])


def double(text):
    return repr(float(text))


def boolean(text):
    return {"t": "true", "f": "false"}.get(text, text)


def numeric(text):
    """DuckDB leaves out a lone zero before the point."""
    return re.sub(r"^(-?)\.", r"\g<1>0.", text)


def nested_numeric(text):
    """Within a list DuckDB's JSON leaves out zeros at the end, too."""
    text = numeric(text)
    return text.rstrip("0").rstrip(".") if re.fullmatch(r"-?\d+\.\d+", text) else text


def nested_bytes(text):
    """PostgreSQL's \\x00ff and DuckDB's \\x00\\xFF, with the printable ones as themselves."""
    if re.fullmatch(r"\\x(?:[0-9a-f]{2})*", text):
        return text
    return "\\x" + re.sub(r"\\x([0-9A-F]{2})|(.)", lambda match: (match.group(1) or f"{ord(match.group(2)):02x}").lower(), text)


def moment(text):
    """BC at the end, whatever was said; no trailing zeros of the second's fraction."""
    if " (BC)" in text:
        text = text.replace(" (BC)", "") + " BC"
    return re.sub(r"(\.\d*?)0+(?=[^\d]|$)", lambda match: match.group(1).rstrip("."), text)


def interval(text):
    """(months, days, microseconds) of PostgreSQL's or DuckDB's text."""
    months = days = microseconds = 0
    for number, unit in re.findall(r"([+-]?\d+) (year|mon|day)", text):
        if unit == "year":
            months += 12 * int(number)
        elif unit == "mon":
            months += int(number)
        else:
            days += int(number)
    time = re.search(r"([+-]?)(\d+):(\d\d):(\d\d)(?:\.(\d+))?", text)
    if time:
        sign, hours, minutes, seconds, fraction = time.groups()
        microseconds = ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000000
        microseconds += int((fraction or "0").ljust(6, "0")[:6])
        if sign == "-":
            microseconds = -microseconds
    return f"{months} months {days} days {microseconds} us"


NESTED = {"numeric": nested_numeric, "bytea": nested_bytes}

SCALARS = {
    "numeric": numeric,
    "boolean": boolean,
    "real": real,
    "double precision": double,
    "date": moment,
    "timestamp without time zone": moment,
    "timestamp with time zone": moment,
    "time without time zone": moment,
    "time with time zone": moment,
    "interval": interval,
    "json": lambda text: json_value(loads(text)),
    "jsonb": lambda text: json_value(loads(text)),
}


def scalar(type_name, text, nested=False):
    """The canonical form of a value of this type, from either system's text; nested: as an element of an array."""
    function = nested and NESTED.get(type_name) or SCALARS.get(type_name)
    return function(text) if function and text is not None else text


def array(type_name, text):
    """PostgreSQL's text of an array as nested tuples of canonical values (bounds left out)."""
    delimiter = ";" if type_name == "box" else ","
    position = text.index("=") + 1 if text.startswith("[") else 0

    def parse(at):
        items = []
        at += 1
        while text[at] != "}":
            if text[at] == "{":
                item, at = parse(at)
                items.append(item)
            elif text[at] == '"':
                at += 1
                characters = []
                while text[at] != '"':
                    if text[at] == "\\":
                        at += 1
                    characters.append(text[at])
                    at += 1
                at += 1
                items.append(scalar(type_name, "".join(characters), True))
            else:
                end = re.compile("[" + delimiter + "}]").search(text, at).start()
                word = text[at:end]
                items.append(None if word == "NULL" else scalar(type_name, word, True))
                at = end
            if text[at] == delimiter:
                at += 1
        return tuple(items), at + 1

    return parse(position)[0]
