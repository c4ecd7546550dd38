"""Dumps by pg_dump and by us, side by side, and what must be equal about them."""
import os
import re
import shutil
import subprocess

from command import PGCONVOY
from server import client

# What differs from run to run: the key of \restrict, and who dumped when.
KEY = re.compile(rb"^\\(un)?restrict .*$", re.M)
WHO = re.compile(rb"^-- (Dumped (from database version|by)|Started on|Completed on) .*\n", re.M)
# Numbers of entries are ours to choose.
NUMBERS = re.compile(rb"^-- (TOC entry |Dependencies: |Data Pos: ).*\n", re.M)


def normal(text):
    return NUMBERS.sub(b"", WHO.sub(b"", KEY.sub(rb"\\restrict", text)))


EVERYTHING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../every_kind_of_object_dumps_as_pg_dump_does")


def statements(major, debian, names, folder):
    """The SQL files of a folder, for a server: a line may end in `--@ 14+`, `--@ debian` or `--@ never`."""
    lines, sources = [], []
    for name in names:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            sources += file
    for line in sources:
        body, _, note = line.rstrip("\n").partition("--@")
        words = note.split()
        wanted = "never" not in words and ("debian" not in words or debian)
        for word in words:
            if match := re.fullmatch(r"(\d+)\+", word):
                wanted = wanted and major >= int(match[1])
        if wanted:
            lines.append(body)
    return "\n".join(lines)


def everything(server, debian):
    """Makes the database "everything", which has one of every kind of object."""
    server.sql("CREATE ROLE dump_owner; CREATE ROLE dump_reader; CREATE ROLE dump_other; CREATE ROLE dump_super SUPERUSER;")
    server.sql("CREATE DATABASE everything; ALTER DATABASE everything SET work_mem = '5MB'; ALTER ROLE dump_reader IN DATABASE everything SET search_path = app, public;"
               "COMMENT ON DATABASE everything IS 'all of it'; GRANT CONNECT ON DATABASE everything TO dump_reader")
    text = statements(server.version, debian, ("everything.sql", "types.sql", "tables.sql"), EVERYTHING)
    done = subprocess.run([client("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", server.socket_conninfo("everything")], text=True, input=text,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr


class Pair:
    """pg_dump and pgconvoy over one database. Differences are gathered, and named together by done(). The stock programs are Debian's, or those of a folder."""

    def __init__(self, s, server, database, programs=None):
        self.s, self.server, self.database = s, server, database
        self.programs = programs or os.path.dirname(client("pg_dump"))
        self.commands = {"theirs": [os.path.join(self.programs, "pg_dump")], "ours": [PGCONVOY, "dump"]}
        self.problems = []

    def dump(self, who, options, database=None):
        done = subprocess.run([*self.commands[who], *options, "-d", self.server.socket_conninfo(database or self.database)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        if done.returncode:
            self.problems.append(f"{who}: {options} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-300:]}")
        return done.stdout

    def same(self, what, theirs, ours):
        theirs, ours = normal(theirs), normal(ours)
        if not theirs:
            self.problems.append(f"{what}: nothing to compare with")
        if theirs == ours:
            print(f"equal: {what} ({theirs.count(10)} lines)")
            return
        files = {}
        for who, text in (("theirs", theirs), ("ours", ours)):
            files[who] = os.path.join(self.s.folder, f"{what}.{who}".replace(" ", "_").replace("/", "_"))
            with open(files[who], "wb") as file:
                file.write(text)
        diff = subprocess.run(["diff", "-a", "-U1", "--speed-large-files", files["theirs"], files["ours"]],
                              stdout=subprocess.PIPE).stdout
        lines = [line for line in diff.decode(errors="replace").splitlines()[2:] if line[:1] in "+-"]
        self.problems.append(f"{what}: {len(lines)} lines differ:\n" + "\n".join(line[:160] for line in lines[:12]))

    def compare(self, what, options):
        """Plain text with these options is the same."""
        self.same(what, self.dump("theirs", options), self.dump("ours", options))

    def archive(self, what, options):
        """The stock pg_restore lists the same contents of both archives, and makes the same text of them."""
        listed, text = {}, {}
        for who in self.commands:
            path = os.path.join(self.s.folder, f"{what}.{who}.archive".replace(" ", "_"))
            self.dump(who, [*options, "-f", path])
            restore = [os.path.join(self.programs, "pg_restore")]
            listed[who] = subprocess.run([*restore, "-l", path], stdout=subprocess.PIPE).stdout
            listed[who] = re.sub(rb"(?m)^(;.*\n|\d+; \d+ \d+ )", b"", listed[who])
            text[who] = subprocess.run([*restore, "-f", "-", path], stdout=subprocess.PIPE).stdout
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.unlink(path)
        self.same(what + ", contents", listed["theirs"], listed["ours"])
        self.same(what + ", restored", text["theirs"], text["ours"])

    def psql(self, database, text):
        """The errors of text in a database."""
        done = subprocess.run([client("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=0", "-d", self.server.socket_conninfo(database)],
                              input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return [line for line in done.stderr.decode(errors="replace").splitlines() if "ERROR:" in line or "error:" in line]

    def round_trip(self, what, options):
        """Our dump into a new database, by psql or our restore, and dumped again by us: the same."""
        name = f"again_{len(self.problems)}_{abs(hash(what)) % 100000}"
        self.server.sql(f"CREATE DATABASE {name} TEMPLATE template0")
        if "-Fc" in options or "-Fd" in options:
            path = os.path.join(self.s.folder, name)
            self.dump("ours", [*options, "-f", path])
            done = subprocess.run([PGCONVOY, "restore", "-j2", "-d", self.server.socket_conninfo(name), path],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            errors = done.stdout.splitlines() if done.returncode else []
        else:
            errors = self.psql(name, self.dump("ours", options))
        if errors:
            self.problems.append(f"{what}: {len(errors)} errors in restoring: " + "; ".join(errors[:3]))
        again = self.dump("ours", [], name)
        self.same(what + ", restored and dumped again", self.dump("ours", []), again)
        self.server.sql(f"DROP DATABASE {name}", check=False)

    def done(self):
        assert not self.problems, "\n".join(self.problems)
