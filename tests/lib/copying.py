"""What must be equal about a database and its copy: all that the stock pg_dump writes of them, the rows of each table in any order."""
import re
import subprocess

from server import client


def dump(server, database, *options):
    """The lines of a dump, those of each table's rows sorted: where a row stands in a table is not its meaning."""
    done = subprocess.run([client("pg_dump"), *options, "-d", server.socket_conninfo(database)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    lines, rows = [], None
    for line in done.stdout.split(b"\n"):
        if re.match(rb"\\(un)?restrict|-- Dumped ", line):
            continue
        if rows is None:
            lines.append(line)
            if line.startswith(b"COPY ") and line.endswith(b"FROM stdin;"):
                rows = []
        elif line == b"\\.":
            lines += sorted(rows) + [line]
            rows = None
        else:
            rows.append(line)
    return lines


def same(what, expected, found):
    if expected == found:
        return print(f"equal: {what} ({len(found)} lines)")
    of_expected, of_found = set(expected), set(found)
    missing, extra = [line for line in expected if line not in of_found], [line for line in found if line not in of_expected]
    shown = [b"- " + line for line in missing[:8]] + [b"+ " + line for line in extra[:8]] or [b"(the order of the lines)"]
    raise AssertionError(f"{what}: {len(missing)} lines missing, {len(extra)} too many\n" + "\n".join(line[:200].decode(errors="replace") for line in shown))


def nothing_of_ours(server, database):
    assert server.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgconvoy'", database) == "0", "the copy's state was left in the target"
    left = server.sql("SELECT count(*) FROM pg_class WHERE relkind = 'i' AND NOT (SELECT indisvalid FROM pg_index WHERE indexrelid = pg_class.oid)", database)
    assert left == "0", f"{left} indexes are not valid"
    assert server.sql("SELECT count(*) FROM pg_constraint WHERE NOT convalidated", database) == server.sql(
        "SELECT count(*) FROM pg_constraint WHERE NOT convalidated", database)


def restored(server, source, name):
    """A database made by pg_dump and psql, as the one to compare with where a restore cannot give the same (columns of inheritance children)."""
    server.sql(f"CREATE DATABASE {name} TEMPLATE template0")
    text = subprocess.run([client("pg_dump"), "-d", server.socket_conninfo(source)], stdout=subprocess.PIPE, check=True).stdout
    subprocess.run([client("psql"), "-X", "-q", "-d", server.socket_conninfo(name)], input=text, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return name
