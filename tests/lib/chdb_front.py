#!/usr/bin/env python3
"""A ClickHouse server for tests: the engine of a current ClickHouse (libchdb) behind the part of ClickHouse's HTTP interface that pgconvoy uses.

    chdb_front.py LIBRARY FOLDER PORT_FILE [PASSWORD]

CHDB_USERS in the environment names a file as the real server's users.xml, with what the user `default` may do.

It listens on a free port of 127.0.0.1, which it writes into PORT_FILE, and keeps its data in FOLDER. With a PASSWORD it wants that of the user `default`.
Bodies that are cut short are refused, and so is a statement whose query_id is under way, as the real server does both.

The engine has no cluster: definitions for one are done without ON CLUSTER and by the plain engine. They are kept as they came in FOLDER.definitions, one a line.
"""
import base64
import ctypes
import http.server
import os
import re
import sys
import threading
import urllib.parse


class Engine:
    def __init__(self, library, folder):
        lib = ctypes.CDLL(library)
        lib.chdb_connect.restype = ctypes.POINTER(ctypes.c_void_p)
        lib.chdb_connect.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)]
        lib.chdb_query_n.restype = ctypes.c_void_p
        lib.chdb_query_n.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
        for name, kind in [("buffer", ctypes.c_void_p), ("length", ctypes.c_size_t), ("error", ctypes.c_char_p)]:
            function = getattr(lib, "chdb_result_" + name)
            function.restype, function.argtypes = kind, [ctypes.c_void_p]
        lib.chdb_destroy_query_result.argtypes = [ctypes.c_void_p]
        arguments = [b"clickhouse", b"--path=" + folder.encode()]
        if "CHDB_USERS" in os.environ:
            arguments += [option + os.environ["CHDB_USERS"].encode() for option in (b"--config-file=", b"--users_config=")]
        self.lib = lib
        self.connection = lib.chdb_connect(len(arguments), (ctypes.c_char_p * len(arguments))(*arguments))
        if not self.connection:
            raise RuntimeError("libchdb did not start")
        self.lock = threading.Lock()

    def query(self, sql, form=b"TabSeparated"):
        with self.lock:
            result = self.lib.chdb_query_n(self.connection[0], sql, len(sql), form, len(form))
            try:
                error = self.lib.chdb_result_error(result)
                if error:
                    raise ValueError(error.decode(errors="replace"))
                length = self.lib.chdb_result_length(result)
                return ctypes.string_at(self.lib.chdb_result_buffer(result), length) if length else b""
            finally:
                self.lib.chdb_destroy_query_result(result)


ON_CLUSTER = re.compile(rb" ON CLUSTER `[^`]*`")
REPLICATED = re.compile(rb"ENGINE = Replicated(\w+)\('(?:[^'\\]|\\.)*', '[^']*'(?:, )?")


def alone(sql):
    """The statement for a server that is no cluster's."""
    return REPLICATED.sub(rb"ENGINE = \1(", ON_CLUSTER.sub(b"", sql))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # an answer's head and body are two packets: the second one would wait 40 ms for the first one's acknowledgement
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, text):
        code = re.search(r"Code: (\d+)", text)
        self.answer(500, text.encode(), [("X-ClickHouse-Exception-Code", code.group(1))] if code else [])

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) != length:
            self.close_connection = True
            return
        password = self.server.password
        if password is not None and self.headers.get("Authorization") != "Basic " + base64.b64encode(b"default:" + password.encode()).decode():
            return self.refuse("Code: 516. DB::Exception: default: Authentication failed: password is incorrect")
        parameters = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query, keep_blank_values=True))
        query_id = parameters["query_id"]
        with self.server.running_lock:
            if query_id in self.server.running:
                return self.refuse(f"Code: 216. DB::Exception: Query with id = {query_id} is already running")
            self.server.running.add(query_id)
        try:
            if "query" in parameters:
                result = self.insert(parameters, body)
            else:
                if re.match(rb"(CREATE|DROP|ALTER|TRUNCATE|RENAME) ", body):
                    with open(self.server.definitions, "ab") as file:
                        file.write(body.replace(b"\n", b" ") + b"\n")
                result = self.server.engine.query(alone(body))
            self.answer(200, result)
        except ValueError as problem:
            self.refuse(str(problem))
        finally:
            with self.server.running_lock:
                self.server.running.discard(query_id)

    def insert(self, parameters, body):
        """Data go by a file: what stands inline in a statement is cut at newline bytes."""
        match = re.fullmatch(r"(INSERT INTO .*) FORMAT (RowBinary|Native)", parameters["query"], re.S)
        encoding = self.headers.get("Content-Encoding")
        file = os.memfd_create("rows")
        try:
            os.write(file, body) == len(body) or os._exit(3)
            settings = [f"{name} = '{parameters[name]}'" for name in parameters
                        if name in ("insert_deduplication_token", "optimize_on_insert", "input_format_binary_read_json_as_string")]
            sql = f"{match.group(1)} FROM INFILE '/proc/self/fd/{file}'"
            sql += f" COMPRESSION '{encoding}'" if encoding else " COMPRESSION 'none'"
            sql += " SETTINGS " + ", ".join(settings) if settings else ""
            return self.server.engine.query(f"{sql} FORMAT {match.group(2)}".encode())
        finally:
            os.close(file)


def main():
    library, folder, port_file = sys.argv[1:4]
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG: ends with the test that started it, however that ends
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.password = sys.argv[4] if len(sys.argv) > 4 else None
    server.engine = Engine(library, folder)
    server.definitions = folder.rstrip("/") + ".definitions"
    server.running, server.running_lock = set(), threading.Lock()
    with open(port_file + ".new", "w") as file:
        file.write(str(server.server_port))
    os.rename(port_file + ".new", port_file)
    server.serve_forever()


main()
