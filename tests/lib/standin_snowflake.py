"""A stand-in for Snowflake, for the tests: it is not Snowflake, and nothing here can show what only the real service does.

It holds requests to what is published of two REST APIs, each on a port of its own: the SQL API (/api/v2/statements: headers, key-pair JWTs, request ids, statements that
go on by themselves, results in partitions, error bodies) and Snowpipe Streaming (standin_snowflake_streaming.py). SQL is run on DuckDB: statements of kinds that are known by
name, translated word by word (standin_snowflake_sql.py).

Where the published pages differ, or leave a choice, the stand-in takes one by chance, so that a client which knows only one of them is found: whether a statement is answered
at once or by 202, whether the hostname and the scoped token come as text or as JSON, what a good channel's status is called.
"""
import gzip
import json
import random
import re
import threading
import time
import traceback
import urllib.parse
import uuid

from standin import Front, Refused, RsaKey, StandIn, unknown_fields
from standin_duckdb import SqlError
from standin_snowflake_sql import Engine, Session, split_statements
from standin_snowflake_streaming import Streaming, StreamError

SKEW = 60          # seconds that a JWT may be old, or of the future
LIFETIME = 3600
PARTITION_ROWS = 5  # of the first one; each is twice the size of the one before it
UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
PARAMETERS = """binary_output_format client_result_chunk_size date_output_format multi_statement_count query_tag rows_per_resultset time_output_format
    timestamp_ltz_output_format timestamp_ntz_output_format timestamp_output_format timestamp_tz_output_format timezone use_cached_result""".split()
STATEMENT = {"statement": None, "timeout": None, "database": None, "schema": None, "warehouse": None, "role": None,
             "bindings": {"*": {"type": None, "value": None}}, "parameters": {"*": None}}


class ApiError(Refused):
    """An error of the SQL API."""

    def __init__(self, status, code, message, sql_state=None, handle=None):
        super().__init__(message)
        self.status, self.code, self.message, self.sql_state, self.handle = status, code, message, sql_state, handle

    def answer(self):
        body = {"code": self.code, "message": self.message}
        if self.sql_state:
            body["sqlState"] = self.sql_state
        if self.handle:
            body["statementHandle"] = self.handle
        return self.status, {}, body


class Statement:
    """One request's statements: run by themselves, whoever still listens."""

    def __init__(self, service, body, request_id):
        self.service, self.body, self.request_id = service, body, request_id
        self.handle = str(uuid.uuid4())
        self.created = int(time.time() * 1000)
        self.error, self.result, self.children = None, ([], []), []
        self.done = threading.Event()
        self.cancelled = False
        self.late = 0      # how often its answer is still withheld

    def start(self):
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            if self.service.statement_hook:
                self.service.statement_hook(self)
            with self.service.lock:
                self.execute()
        except ApiError as problem:
            self.error = problem
        except SqlError as problem:
            self.error = ApiError(422, problem.reason, str(problem), getattr(problem, "sql_state", None))
        except Exception as problem:  # a defect of the stand-in: it must not hang the client
            traceback.print_exc()
            self.error = ApiError(422, "standin", f"the stand-in failed: {problem!r}")
        finally:
            self.done.set()

    def execute(self):
        body, service = self.body, self.service
        service.streaming.settle()
        warehouse = body.get("warehouse", service.default_warehouse)
        text = body.get("statement") or ""
        parameters = {name.lower(): value for name, value in body.get("parameters", {}).items()}
        wanted = int(parameters.get("multi_statement_count", "1"))
        statements = split_statements(text)
        if not statements:
            raise ApiError(400, "000900", "Empty SQL statement.")
        if wanted and len(statements) != wanted:
            raise ApiError(422, "000008", f"Actual statement count {len(statements)} did not match the desired statement count {wanted}.", "0A000")
        if len(statements) > 1 and body.get("bindings"):
            raise ApiError(422, "000002", "Unsupported feature 'binding in multi-statement requests'", "0A000")
        if len(statements) > 1 and warehouse != service.warehouse:
            raise ApiError(422, "000606", "No active warehouse selected in the current session.", "57P03")
        session = Session(service, body.get("database"), body.get("schema"), warehouse)
        try:
            for place, statement in enumerate(statements):
                try:
                    result = session.execute(statement, len(statements) > 1, body.get("bindings"))
                except SqlError as problem:
                    if len(statements) == 1:
                        raise
                    line = text[:statement.at].count("\n") + 1
                    position = statement.at - (text.rfind("\n", 0, statement.at) + 1)
                    shown = statement.text if len(statement.text) <= 30 else statement.text[:30] + " ..."
                    raise ApiError(422, "100132", "JavaScript execution error: Uncaught Execution of multiple statements failed on statement "
                                   f"\"{shown}\" (at line {line}, position {position}).\n{problem} in SYSTEM$MULTISTMT at '    throw `Execution of multiple "
                                   "statements failed on statement {0} (at line {1}, position {2}).`.replace('{1}', LINES[i])' position 4\n"
                                   "stackstrace: \nSYSTEM$MULTISTMT line: 10", "P0000")
                child = Statement(service, body, None)
                child.result = result
                child.done.set()
                self.children.append(child)
        finally:
            session.close()  # an open transaction is rolled back
        if len(self.children) == 1:
            self.result, self.children = self.children[0].result, []
        else:
            self.result = [("multiple statement execution", "text", {})], [["Multiple statements executed successfully."]]
            for child in self.children:
                service.statements[child.handle] = child

    def pending(self):
        return {"code": "333334", "message": "Asynchronous execution in progress. Use provided query id to perform query monitoring and management.",
                "statementHandle": self.handle, "statementStatusUrl": f"/api/v2/statements/{self.handle}"}

    def partitions(self):
        rows, parts, at, size = self.result[1], [], 0, PARTITION_ROWS
        while at < len(rows) or not parts:
            parts.append(rows[at:at + size])
            at, size = at + size, size * 2
        return parts

    def result_set(self):
        columns, rows = self.result
        parts = self.partitions()
        body = {"resultSetMetaData": {"numRows": len(rows), "format": "jsonv2", "partitionInfo": [
                    {"rowCount": len(part), "uncompressedSize": len(json.dumps(part))} for part in parts],
                    "rowType": [{"name": name, "database": "", "schema": "", "table": "", "type": kind, "nullable": True, "collation": None, "scale": None,
                                 "precision": None, "length": None, "byteLength": None, **more} for name, kind, more in columns]},
                "data": parts[0], "code": "090001", "statementStatusUrl": f"/api/v2/statements/{self.handle}?requestId={uuid.uuid4()}",
                "sqlState": "00000", "statementHandle": self.handle, "message": "Statement executed successfully.", "createdOn": self.created,
                "requestId": self.request_id or str(uuid.uuid4())}
        if self.children:
            body["statementHandles"] = [child.handle for child in self.children]
        return body


class Snowflake(StandIn):
    """An account with one user, its key, a role, a warehouse and a database; schemas and tables are made by clients."""

    def __init__(self, folder, account="myorg-shop", user="LOADER", role="LOADER_ROLE", warehouse="WH", database="SHOP", seed=None):
        super().__init__()
        self.random = random.Random(seed)
        self.account, self.user, self.role, self.warehouse, self.database = account, user, role, warehouse, database
        self.default_warehouse = None         # the user's
        self.key = RsaKey(folder, "rsa_key")
        self.registered = self.key            # whose public half the user has
        self.engine = Engine(self)
        self.engine.create_database(database)
        self.statements, self.by_request = {}, {}
        self.clock_skew = 0                   # what the service's clock is ahead by
        self.denied = set()                   # privileges that the role lacks: "CREATE TABLE", "CREATE SCHEMA", "INSERT" …, "OPERATE" (pipes)
        self.statement_hook = None            # called with each Statement before it runs
        self.ran_twice = []                   # request ids that were sent again without retry=true
        self.late = None                      # how often a statement is answered by 202 first; by chance
        self.endpoint = "http://" + self.fronts[0].address
        self.ingest = Front(self)
        self.fronts.append(self.ingest)
        self.streaming = Streaming(self)

    def close(self):
        super().close()
        self.engine.close()

    def now(self):
        return time.time() + self.clock_skew

    def send(self, handler, status, headers, answer, half):
        handler.date_time_string = lambda *_: time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(self.now()))
        super().send(handler, status, headers, answer, half)

    def injected(self, front, path, code, reason, message):
        if path.startswith("/v2/streaming"):
            return StreamError(code, reason or {401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND", 409: "ERR_CHANNEL_MUST_BE_REOPENED",
                                                429: "TOO_MANY_REQUESTS"}.get(code, "INTERNAL_ERROR"), message)
        return ApiError(code, reason or {401: "390144", 403: "390422", 404: "390404", 429: "390505", 503: "390503", 504: "390504"}.get(code, "390500"), message)

    def permit(self, privilege, what):
        if privilege in self.denied:
            problem = SqlError(f"SQL access control error:\nInsufficient privileges to operate on {what}", "003001")
            problem.sql_state = "42501"
            raise problem

    # ---- requests

    ROUTES = [
        ("POST", r"/api/v2/statements/?", "submit"),
        ("GET", rf"/api/v2/statements/({UUID})", "status"),
        ("POST", rf"/api/v2/statements/({UUID})/cancel", "cancel"),
    ]

    def route(self, front, handler, path, arguments, body):
        if front is self.ingest or path.startswith(("/v2/streaming", "/oauth/")):
            return self.streaming.route(front, handler, path, arguments, body)
        for method, pattern, name in self.ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method != handler.command:
                raise ApiError(405, "390405", "Method Not Allowed")
            if match:
                self.authorize(handler)
                self.check_headers(handler)
                return getattr(self, name)(arguments, body, *match.groups()[:1])
        raise ApiError(404, "390404", f"no such endpoint: {handler.command} {path}")

    @staticmethod
    def check_headers(handler):
        if handler.command == "POST" and handler.headers.get("Content-Type", "application/json").partition(";")[0].strip() != "application/json":
            raise ApiError(415, "391902", "Unsupported media type in the request header Content-Type")
        accept = handler.headers.get("Accept", "")
        if not any(kind.partition(";")[0].strip() in ("application/json", "*/*") for kind in accept.split(",")):
            raise ApiError(400, "391902", f"Unsupported Accept header {accept!r} is specified")
        if not re.match(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?", handler.headers.get("User-Agent", "")):
            raise ApiError(400, "391903", "Invalid or empty User-Agent header set")

    def authorize(self, handler):
        """The key-pair JWT of a request: its reason for being refused is not told to the client."""
        scheme, _, token = handler.headers.get("Authorization", "").partition(" ")
        if not token:
            raise ApiError(400, "390146", "Missing authorization token.")
        if handler.headers.get("X-Snowflake-Authorization-Token-Type", "KEYPAIR_JWT") != "KEYPAIR_JWT" or scheme != "Bearer":
            raise ApiError(401, "390303", "Invalid OAuth access token.")
        why = self.why_not(token)
        if why:
            self.log.append("refused: " + why)
            raise ApiError(401, "390144", f"JWT token is invalid. [{uuid.uuid4()}]")

    def why_not(self, token):
        try:
            head, claims = self.registered.claims(token)
        except (ValueError, UnicodeDecodeError):
            return "JWT_TOKEN_INVALID_SIGNATURE"
        name = f"{self.account.partition('.')[0].upper()}.{self.user.upper()}"
        if head.get("alg") != "RS256" or head.get("typ", "JWT") != "JWT":
            return "JWT_TOKEN_INVALID_ALGORITHM"
        if claims.get("sub") != name:
            return "JWT_TOKEN_INVALID_USER_IN_SUBJECT"
        if claims.get("iss") != f"{name}.{self.registered.fingerprint}":
            return "JWT_TOKEN_INVALID_PUBLIC_KEY_FINGERPRINT_MISMATCH"
        if not isinstance(claims.get("iat"), int) or not isinstance(claims.get("exp"), int):
            return "JWT_TOKEN_MISSING_ISSUE_OR_EXPIRATION_TIME"
        if abs(self.now() - claims["iat"]) > SKEW:
            return "JWT_TOKEN_INVALID_ISSUE_TIME"
        if claims["exp"] < self.now() or claims["exp"] - claims["iat"] > LIFETIME:
            return "JWT_TOKEN_INVALID_EXPIRATION_TIME"
        return None

    # ---- statements

    def submit(self, arguments, body):
        for name in arguments:
            if name not in ("requestId", "retry", "async", "nullable"):
                raise ApiError(400, "391901", f"unknown query parameter {name}")
        request_id = arguments.get("requestId")
        if request_id is not None and not re.fullmatch(UUID, request_id):
            raise ApiError(400, "391901", "requestId is not a UUID")
        try:
            given = json.loads(body)
        except ValueError:
            raise ApiError(400, "390142", "Incoming request does not contain a valid payload.")
        self.check_body(given)
        with self.lock:
            found = self.by_request.get(request_id) if request_id else None
            if found and found.body.get("statement") != given.get("statement"):
                raise ApiError(400, "standin", "a request id was used again for another statement")
            if found and arguments.get("retry") != "true":
                self.ran_twice.append(request_id)
                found = None
            if found and found.done.is_set() and found.error:
                found = None  # it failed: it is run again
            if not found:
                found = Statement(self, given, request_id)
                self.statements[found.handle] = found
                if request_id:
                    self.by_request[request_id] = found
                found.late = self.random.choice((0, 0, 0, 0, 0, 0, 1, 2)) if self.late is None else self.late
                found.start()
        if arguments.get("async") == "true":
            return 202, {}, found.pending()
        return self.outcome(found, 45 if not found.late else 0)

    def check_body(self, given):
        if not isinstance(given, dict):
            raise ApiError(400, "390142", "Incoming request does not contain a valid payload.")
        shape = {**STATEMENT, "bindings": given.get("bindings") and {"*": {"type": None, "value": [None] if any(
            isinstance(binding, dict) and isinstance(binding.get("value"), list) for binding in given["bindings"].values()) else None}} or {}}
        wrong = unknown_fields(shape, given)
        if wrong:
            raise ApiError(400, "390142", f"Incoming request does not contain a valid payload: {wrong}")
        for name, value in given.get("parameters", {}).items():
            if name.lower() not in PARAMETERS:
                raise ApiError(400, "391901", f"the SQL API has no parameter {name}")
            if not isinstance(value, str) and name.lower() == "multi_statement_count":
                raise ApiError(400, "390142", "MULTI_STATEMENT_COUNT is a string")
        for binding in given.get("bindings", {}).values():
            values = binding.get("value") if isinstance(binding.get("value"), list) else [binding.get("value")]
            if not all(value is None or isinstance(value, str) for value in values):
                raise ApiError(400, "390142", "the values of bindings are strings")
        if len(given.get("statement") or "") > 1 << 20:
            raise ApiError(422, "001038", "SQL compilation error: SQL text is longer than 1 MB", "42000")
        if given.get("role", self.role) != self.role:
            raise ApiError(400, "390186", f"Role '{given['role']}' specified in the connect string is not granted to this user.")

    def outcome(self, statement, wait):
        if not statement.done.wait(wait):
            return 202, {}, statement.pending()
        if statement.late > 0:
            statement.late -= 1
            return 202, {}, statement.pending()
        if statement.error:
            statement.error.handle = statement.error.handle or statement.handle
            raise statement.error
        links = {"Link": f'</api/v2/statements/{statement.handle}?requestId={uuid.uuid4()}&partition=0>; rel="first"'}
        return 200, links, statement.result_set()

    def known(self, handle):
        found = self.statements.get(handle)
        if not found:
            raise ApiError(422, "000709", f"Statement {handle} not found", "02000", handle)
        return found

    def status(self, arguments, _body, handle):
        found = self.known(handle)
        if set(arguments) - {"requestId", "partition"}:
            raise ApiError(400, "391901", f"unknown query parameter among {sorted(arguments)}")
        if not found.done.wait(0.05) or found.error or found.late or "partition" not in arguments or arguments["partition"] == "0":
            return self.outcome(found, 0)
        parts = found.partitions()
        if not arguments["partition"].isdigit() or int(arguments["partition"]) >= len(parts):
            raise ApiError(400, "391922", f"Invalid partition {arguments['partition']}: the valid range is [0, {len(parts) - 1}]")
        packed = gzip.compress(json.dumps({"data": parts[int(arguments["partition"])]}).encode())
        return 200, {"Content-Encoding": "gzip", "Content-Type": "application/json"}, packed

    def cancel(self, _arguments, _body, handle):
        found = self.known(handle)
        return 200, {}, {"code": "000604", "sqlState": "57014", "message": "SQL execution canceled", "statementHandle": found.handle,
                         "statementStatusUrl": f"/api/v2/statements/{found.handle}"}
