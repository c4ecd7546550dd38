"""ClickHouse servers for tests, and ClickHouse as a target: `chdb`, the engine of a current ClickHouse behind tests/lib/chdb_front.py, and `server`, Debian's
clickhouse-server. scripts/install-clickhouse fetches both into third_party/."""
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

import values
from server import TOP, free_port, quote_ident, wait_for

HOME = os.path.join(TOP, "third_party/clickhouse")


def fetch(part):
    """False, with the reason printed, when this part cannot be had."""
    done = subprocess.run([os.path.join(TOP, "scripts/install-clickhouse"), part], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        print(f"SKIPPED\nthere is no ClickHouse ({part}) to test with: {done.stdout.strip()}")
    return done.returncode == 0


class ClickhouseError(RuntimeError):
    pass


class ClickhouseServer:
    """part: chdb or server. grants: of chdb's user, whole statements less what follows TO; None: all that it may do."""

    def __init__(self, folder, part="chdb", grants=None):
        self.folder, self.part, self.process, self.grants = folder, part, None, grants
        os.makedirs(folder, exist_ok=True)
        if part == "server":
            self.configure()
        self.start()

    def configure(self):
        self.port = free_port()
        with open(os.path.join(self.folder, "config.xml"), "w") as file:
            file.write(f"""<yandex><logger><level>warning</level><log>{self.folder}/server.log</log><errorlog>{self.folder}/error.log</errorlog></logger>
<http_port>{self.port}</http_port><tcp_port>{free_port()}</tcp_port><listen_host>127.0.0.1</listen_host><path>{self.folder}/data/</path><tmp_path>{self.folder}/tmp/</tmp_path>
<user_files_path>{self.folder}/files/</user_files_path><mark_cache_size>16777216</mark_cache_size><users_config>users.xml</users_config><default_profile>default</default_profile>
<default_database>default</default_database><timezone>UTC</timezone></yandex>""")
        with open(os.path.join(self.folder, "users.xml"), "w") as file:
            file.write("""<yandex><profiles><default><max_threads>2</max_threads></default><reader><readonly>1</readonly></reader></profiles><users><default><password></password><networks><ip>::/0</ip></networks>
<profile>default</profile><quota>default</quota></default><reader><password></password><networks><ip>::/0</ip></networks><profile>reader</profile><quota>default</quota></reader></users><quotas><default></default></quotas></yandex>""")

    def start(self):
        log = open(os.path.join(self.folder, "output"), "ab")
        if self.part == "chdb":
            port_file = os.path.join(self.folder, "port")
            self.process = subprocess.Popen([sys.executable, os.path.join(TOP, "tests/lib/chdb_front.py"), os.path.join(HOME, "chdb/libchdb.so"),
                                             os.path.join(self.folder, "data"), port_file], stdout=log, stderr=log, start_new_session=True, env={**os.environ, **self.users()})
            wait_for(lambda: os.path.exists(port_file) or self.process.poll() is not None, 120, "chDB listens")
            self.port = int(open(port_file).read())
        else:
            root = os.path.join(HOME, "server")
            libraries = sorted({folder for folder, _, names in os.walk(root) if any(".so" in name for name in names)})
            self.process = subprocess.Popen([find(root, "clickhouse-server"), f"--config-file={self.folder}/config.xml"], stdout=log, stderr=log, start_new_session=True,
                                            env={**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)})
            wait_for(lambda: self.answers() or self.process.poll() is not None, 120, "clickhouse-server answers")
        assert self.process.poll() is None, open(log.name).read()

    def users(self):
        if self.grants is None:
            return {}
        file = os.path.join(self.folder, "users.xml")
        with open(file, "w") as out:
            out.write(f"""<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users><default><password></password><networks><ip>::/0</ip></networks><profile>default</profile>
<quota>default</quota><grants>{"".join(f"<query>{grant}</query>" for grant in self.grants)}</grants></default></users></clickhouse>""")
        return {"CHDB_USERS": file}

    def answers(self):
        try:
            return self.query("SELECT 1") == "1\n"
        except (OSError, ClickhouseError):
            return False

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def query(self, sql):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/?query_id=test-{time.monotonic_ns()}", sql.encode())
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.read().decode(errors="surrogateescape")
        except urllib.error.HTTPError as problem:
            raise ClickhouseError(problem.read().decode()) from None

    def definitions(self):
        """Statements that defined something, as they came (chdb)."""
        with open(os.path.join(self.folder, "data.definitions")) as file:
            return file.read().splitlines()

    def uri(self, database="target", options="", port=None):
        return f"clickhouse://127.0.0.1:{port or self.port}/{database}{options}"


def find(root, name):
    for folder, _, names in os.walk(root):
        if name in names and "bin" in folder:
            return os.path.join(folder, name)
    raise RuntimeError(f"no {name} in {root}")


def quote(name):
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


class ClickhouseTarget:
    name = "clickhouse"

    def __init__(self, server, database="target", options="?commit_interval=20"):
        self.server, self.database = server, database
        self.uri = server.uri(database, options)
        server.query(f"CREATE DATABASE IF NOT EXISTS {quote(database)}")

    @staticmethod
    def table(schema, name, view=True):
        return ("" if schema == "public" else schema + "_") + name + ("_current" if view else "")

    def exists(self):
        return self.server.query(f"SELECT count() FROM system.tables WHERE database = '{self.database}'") != "0\n"

    def query(self, sql):
        return self.server.query(sql).rstrip("\n")

    def types(self, schema, table):
        literal = self.table(schema, table, False).replace("\\", "\\\\").replace("'", "\\'")
        lines = self.query(f"SELECT name, type FROM system.columns WHERE database = '{self.database}' AND table = '{literal}' FORMAT JSONCompact")
        return dict(json.loads(lines)["data"])

    def rows(self, schema, table, columns):
        types = self.types(schema, table)
        names = ", ".join(as_text(name, types[name], pg_type) for name, pg_type in columns)
        text = self.query(f"SELECT {names} FROM {quote(self.database)}.{quote(self.table(schema, table))} FORMAT TabSeparated")
        return [tuple(canonical(types[name], field) for (name, _), field in zip(columns, values.copy_fields(line)))
                for line in text.split("\n") if line] if columns else []

    def source_rows(self, source, database, schema, table, columns, where=""):
        types = self.types(schema, table)
        names = ", ".join(quote_ident(name) for name, _ in columns)
        lines = source.copy_out(f"SELECT {names} FROM {quote_ident(schema)}.{quote_ident(table)} {where}", database)
        return [tuple(canonical(types.get(name, ""), field, pg_type) for (name, pg_type), field in zip(columns, values.copy_fields(line)))
                for line in (lines if lines != [""] else [])]


def bare(kind):
    return kind[9:-1] if kind.startswith("Nullable(") else kind


def as_text(name, kind, pg_type):
    """The expression that gives a column in a form that canonical() reads."""
    column = quote(name)
    if pg_type == "bytea":
        return f"lower(hex({column}))"
    if bare(kind).startswith("Array("): # the old server has no toJSONString
        return f"concat('[', arrayStringConcat(arrayMap(x -> if(isNull(x), 'null', concat('\"', replaceAll(replaceAll(assumeNotNull(toString(x)), '\\\\', '\\\\\\\\'), '\"', '\\\\\"'), '\"')), {column}), ','), ']')"
    if bare(kind).startswith("Decimal"):
        return f"toString({column})"
    return column


def canonical(kind, text, pg_type=None):
    """A field as the source (pg_type given) or ClickHouse writes it, in one form."""
    kind = bare(kind)
    if text is None or kind in ("String", "JSON"):
        if text is not None and pg_type == "bytea":
            return text.removeprefix("\\x")
        return text
    if kind.startswith("Array("):
        items = values.array(pg_type.removesuffix("[]"), text) if pg_type else json.loads(text)
        return tuple(None if item is None else str(item) for item in items)
    if kind in ("Bool", "UInt8"):
        return text in ("t", "true", "1")
    if kind.startswith("Float"):
        return repr(float(text))
    if kind.startswith("DateTime64"):
        text = text.removesuffix("+00")
        seconds, _, fraction = text.partition(".")
        return seconds + "." + fraction.ljust(6, "0")
    if kind.startswith("Decimal"):
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if text in ("-0", "") else text
    return text
