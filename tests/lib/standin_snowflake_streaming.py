"""Snowpipe Streaming's REST API (high-performance architecture, named channels) of the stand-in for Snowflake.

What is appended is answered before it is durable: rows and their offset token are committed a while later, together. A row that does not fit is left out, counted, and its offset
passes nevertheless (ON_ERROR is CONTINUE). Opening a channel again throws away what was not committed, and makes the tokens of before stale.
"""
import base64
import gzip
import json
import re
import tempfile
import time
import urllib.parse
import uuid

import standin_snowflake_data as data
from standin import Refused, unknown_fields
from standin_duckdb import SqlError, literal

LIMIT = 4_000_000      # 4 MB of rows, as they come over the wire
RATE = 10              # requests a second and channel, which are soft: they are counted, not refused
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class StreamError(Refused):
    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def answer(self):
        return self.status, {}, {"code": self.code, "message": self.message}


class Channel:
    def __init__(self, path, pipe, name, generation):
        self.path, self.pipe, self.name, self.generation = path, pipe, name, generation
        self.client_sequencer = self.row_sequencer = 0
        self.offset = None
        self.pending = []                       # (when, rows, offset token)
        self.created = int(time.time() * 1000)
        self.parsed = self.inserted = self.errors = 0
        self.last_error = self.last_error_at = self.last_error_offset = None
        self.code = None                        # what is wrong with it

    def token(self):
        return f"{self.client_sequencer}_{self.row_sequencer}"


class Streaming:
    def __init__(self, service):
        self.service, self.engine, self.random = service, service.engine, service.random
        self.scoped = {}                        # token: until when
        self.token_seconds = 3600
        self.channels = {}
        self.lag = 0.05                         # seconds within which an append is committed
        self.stale_pipes = set()                # names that stand for another table than before
        self.good = self.random.choice(("SUCCESS", "ACTIVE"))
        self.as_text = self.random.choice((True, False))
        self.opened = self.appended = 0

    # ---- requests

    ROUTES = [
        ("GET", r"/v2/streaming/hostname", "hostname"),
        ("POST", r"/oauth/token", "token"),
        ("PUT", r"/v2/streaming/databases/([^/]+)/schemas/([^/]+)/pipes/([^/]+)/channels/([^/]+)", "open"),
        ("DELETE", r"/v2/streaming/databases/([^/]+)/schemas/([^/]+)/pipes/([^/]+)/channels/([^/]+)", "drop"),
        ("POST", r"/v2/streaming/data/databases/([^/]+)/schemas/([^/]+)/pipes/([^/]+)/channels/([^/]+)/rows", "append"),
        ("POST", r"/v2/streaming/databases/([^/]+)/schemas/([^/]+)/pipes/([^/]+):bulk-channel-status", "status"),
    ]

    def route(self, front, handler, path, arguments, body):
        for method, pattern, name in self.ROUTES:
            match = re.fullmatch(pattern, path)
            if not match or method != handler.command:
                continue
            control = name in ("hostname", "token")
            if control != (front is not self.service.ingest):
                raise StreamError(404, "NOT_FOUND", "this host does not serve " + path)
            if control:
                self.service.authorize(handler)
                return getattr(self, name)(handler, body)
            self.authorize(handler)
            names = [self.resolved(part) for part in match.groups()]
            request_id = arguments.pop("requestId", None)
            if request_id is not None:
                try:
                    uuid.UUID(request_id)
                except ValueError:
                    raise StreamError(400, "BAD_REQUEST", "requestId is not a UUID")
            with self.service.lock:
                self.settle()
                return getattr(self, name)(handler, arguments, body, *names)
        raise StreamError(404, "NOT_FOUND", f"no such endpoint: {handler.command} {path}")

    @staticmethod
    def resolved(part):
        """Names in the URI are resolved as in SQL: upper case unless they are quoted."""
        name = urllib.parse.unquote(part)
        if name.startswith('"') and name.endswith('"') and len(name) > 1:
            return name[1:-1].replace('""', '"')
        return name.upper()

    def hostname(self, _handler, _body):
        return 200, {}, self.service.ingest.address if self.as_text else {"hostname": self.service.ingest.address}

    def token(self, handler, body):
        if handler.headers.get("Content-Type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            raise StreamError(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type must be application/x-www-form-urlencoded")
        form = dict(urllib.parse.parse_qsl(body.decode()))
        if form.get("grant_type") != GRANT:
            raise StreamError(400, "unsupported_grant_type", f"unsupported grant type {form.get('grant_type')}")
        if form.get("scope") != self.service.ingest.address:
            raise StreamError(400, "invalid_scope", f"invalid scope {form.get('scope')}")
        until = time.time() + self.token_seconds
        parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "none"}, {"exp": int(until), "jti": uuid.uuid4().hex})]
        scoped = ".".join(parts) + ".x"
        self.scoped[scoped] = until
        return 200, {}, scoped if self.as_text else {"token": scoped}

    def authorize(self, handler):
        scheme, _, token = handler.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or self.scoped.get(token, 0) < time.time():
            raise StreamError(401, "UNAUTHORIZED", "the scoped token is missing, unknown or has expired")
        if "OPERATE" in self.service.denied:
            raise StreamError(403, "ERR_PIPE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED", "The supplied pipe does not exist or is not authorized")

    # ---- pipes

    def table_of(self, database, schema, pipe):
        """The table of a default pipe, (path, table)."""
        found = re.fullmatch(r"(.+)-STREAMING", pipe)
        try:
            if not found:
                raise SqlError("no such pipe")
            path = database, schema, found.group(1)
            return path, self.engine.table(path)
        except SqlError:
            raise StreamError(404, "ERR_PIPE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED", f"The supplied pipe {pipe} does not exist or is not authorized")

    def table_dropped(self, path):
        """What was open against it cannot be used any more; a table of this name that is made again is noticed late."""
        for channel in self.channels.values():
            if channel.path == path:
                channel.code, channel.pending = "ERR_TABLE_DOES_NOT_EXIST_NOT_AUTHORIZED", []
                self.stale_pipes.add(path)

    def table_changed(self, path):
        for channel in self.channels.values():
            if channel.path == path:
                channel.code, channel.pending = "ERR_CHANNEL_MUST_BE_REOPENED", []

    # ---- channels

    def body_of(self, handler, body, shape):
        if handler.headers.get("Content-Type", "").partition(";")[0] != "application/json":
            raise StreamError(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type must be application/json")
        try:
            given = json.loads(body or b"{}")
        except ValueError:
            raise StreamError(400, "BAD_REQUEST", "the payload is not JSON")
        wrong = unknown_fields(shape, given)
        if wrong:
            raise StreamError(400, "BAD_REQUEST", f"the payload is not as it should be: {wrong}")
        return given

    @staticmethod
    def only(arguments, *names):
        for name in arguments:
            if name not in names:
                raise StreamError(400, "BAD_REQUEST", f"unknown query parameter {name}")

    def open(self, handler, arguments, body, database, schema, pipe, name):
        self.only(arguments)
        given = self.body_of(handler, body, {"offset_token": None, "fail_on_uncommitted_rows": None})
        path, table = self.table_of(database, schema, pipe)
        key = (*path, name)
        channel = self.channels.get(key)
        if channel and channel.pending and given.get("fail_on_uncommitted_rows") is True:
            raise StreamError(409, "ERR_CHANNEL_HAS_UNCOMMITTED_DATA", "the channel has uncommitted rows")
        if not channel or channel.generation != table.generation:
            channel = self.channels[key] = Channel(path, pipe, urllib.parse.unquote(handler.path.partition("?")[0].rpartition("/")[2]), table.generation)
            if sum(other.path == path for other in self.channels.values()) > 2000:
                raise StreamError(400, "ERR_CHANNEL_LIMIT_EXCEEDED_FOR_TABLE", "Channel limit exceeded for the given pipe")
        channel.code, channel.pending = None, []
        channel.client_sequencer += 1
        channel.row_sequencer = 0
        self.opened += 1
        if "offset_token" in given:
            channel.offset = given["offset_token"]
        if path in self.stale_pipes:
            self.stale_pipes.discard(path)
            channel.code = "STALE_PIPE_CACHE"
        return 200, {}, {"next_continuation_token": channel.token(), "channel_status": self.status_of(channel, "rows_error_count")}

    def status_of(self, channel, errors):
        database, schema, _ = channel.path
        return {"database_name": database, "schema_name": schema, "pipe_name": channel.pipe, "channel_name": channel.name,
                "channel_status_code": channel.code or self.good, "last_committed_offset_token": channel.offset, "created_on_ms": channel.created,
                "rows_inserted": channel.inserted, "rows_parsed": channel.parsed, errors: channel.errors, "last_error_offset_upper_bound": channel.last_error_offset,
                "last_error_message": channel.last_error, "last_error_timestamp": channel.last_error_at, "snowflake_avg_processing_latency_ms": 50}

    def append(self, handler, arguments, body, database, schema, pipe, name):
        self.only(arguments, "continuationToken", "offsetToken", "startOffsetToken", "endOffsetToken")
        if handler.headers.get("Content-Type", "").partition(";")[0] != "application/x-ndjson":
            raise StreamError(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type must be application/x-ndjson")
        if ("offsetToken" in arguments) == ("endOffsetToken" in arguments) and "offsetToken" in arguments:
            raise StreamError(400, "BAD_REQUEST", "offsetToken and endOffsetToken exclude each other")
        if len(body) > LIMIT:
            raise StreamError(413, "PAYLOAD_TOO_LARGE", f"the rows are {len(body)} bytes; 4 MB are allowed")
        path, table = self.table_of(database, schema, pipe)
        channel = self.channels.get((*path, name))
        if not channel:
            raise StreamError(404, "ERR_CHANNEL_DOES_NOT_EXIST_OR_IS_NOT_AUTHORIZED", "The channel does not exist or is not authorized")
        if channel.code == "STALE_PIPE_CACHE":
            raise StreamError(400, "STALE_PIPE_CACHE", "A pipe with this name was recently dropped. The server cache has been updated. Please reopen the channel and try again")
        if channel.code or channel.generation != table.generation:
            raise StreamError(409, channel.code or "ERR_CHANNEL_MUST_BE_REOPENED", "The channel must be reopened")
        client, _, row = arguments.get("continuationToken", "").partition("_")
        if client != str(channel.client_sequencer):
            raise StreamError(self.random.choice((400, 409)), "STALE_CONTINUATION_TOKEN_SEQUENCER",
                              "Channel sequencer in the continuation token is stale. Please reopen the channel")
        if row != str(channel.row_sequencer):
            raise StreamError(self.random.choice((400, 409)), "ERR_CHANNEL_HAS_INVALID_ROW_SEQUENCER", "The row sequencer is not valid. Please reopen the channel")
        encoding = handler.headers.get("Content-Encoding", "")
        if encoding not in ("", "gzip"):
            raise StreamError(415, "UNSUPPORTED_ENCODING", f"the stand-in does not know Content-Encoding {encoding}")
        try:
            rows = data.lines_of(gzip.decompress(body) if encoding else body)
        except (data.Bad, OSError, EOFError) as problem:
            raise StreamError(400, "INVALID_PAYLOAD", f"the rows are not NDJSON: {problem}")
        channel.row_sequencer += 1
        self.appended += 1
        offset = arguments.get("endOffsetToken", arguments.get("offsetToken"))
        channel.pending.append((time.time() + self.random.random() * self.lag, rows, offset))
        return 200, {}, {"next_continuation_token": channel.token()}

    def drop(self, _handler, arguments, _body, database, schema, pipe, name):
        self.only(arguments)
        path, _table = self.table_of(database, schema, pipe)
        if not self.channels.pop((*path, name), None):
            raise StreamError(404, "ERR_CHANNEL_DOES_NOT_EXIST_OR_IS_NOT_AUTHORIZED", "The channel does not exist or is not authorized")
        return 200, {}, None

    def status(self, handler, arguments, body, database, schema, pipe):
        self.only(arguments)
        given = self.body_of(handler, body, {"channel_names": [None]})
        path, _table = self.table_of(database, schema, pipe)
        found = {channel.name: channel for key, channel in self.channels.items() if key[:3] == path}
        return 200, {}, {"channel_statuses": {name: self.status_of(found[name], "rows_errors" if self.as_text else "rows_error_count")
                                              for name in given.get("channel_names", []) if name in found}}

    # ---- what is committed later

    def settle(self):
        """Commits what is due, each append's rows together with its offset."""
        for channel in self.channels.values():
            while channel.pending and channel.pending[0][0] <= time.time():
                _, rows, offset = channel.pending.pop(0)
                self.commit(channel, rows, offset)

    def commit(self, channel, rows, offset):
        table, good = self.engine.table(channel.path), []
        for row in rows:
            channel.parsed += 1
            try:
                good.append(data.read_row(table.columns, row))
            except data.Bad as problem:
                channel.errors += 1
                channel.last_error, channel.last_error_offset, channel.last_error_at = str(problem), offset, int(time.time() * 1000)
        self.insert(channel.path, table.columns, good)
        channel.inserted += len(good)
        if offset is not None:
            channel.offset = offset

    def insert(self, path, columns, rows):
        if not rows:
            return
        names = [f"c{at}" for at in range(len(columns))]
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            longest = 1 << 20
            for row in rows:
                line = json.dumps(dict(zip(names, row)), ensure_ascii=False) + "\n"
                longest = max(longest, len(line.encode()) + 1)
                file.write(line)
            file.flush()
            given = ", ".join(f"{name}: 'VARCHAR'" for name in names)
            values = ", ".join(f"unhex({name})" if column.kind == "BINARY" else f"{name}::{column.duckdb()}" for name, column in zip(names, columns))
            self.engine.run(f"INSERT INTO {self.engine.name(path)} SELECT {values} FROM read_json({literal(file.name)}, format = 'newline_delimited', "
                            f"columns = {{{given}}}, maximum_object_size = {longest})")
