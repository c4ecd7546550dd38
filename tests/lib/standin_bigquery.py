"""A stand-in for BigQuery, for the tests: it is not BigQuery, and nothing here can show what only the real service does.

It holds requests to what the REST API (v2) publishes: paths, field names (an unknown one is refused), states of jobs, job ids used twice, resumable
uploads in pieces of 256 KiB, names and types of columns, error bodies. SQL is run on DuckDB: scripts are cut into statements, each kind of which is known
by name, and translated word by word (standin_bigquery_sql.py). Tokens are given for JWTs whose signature, audience, scope and times hold.

`faults` makes the Nth request fail, before or after it was done, or cuts its connection. Requests are counted from 1.
"""
import gzip
import hashlib
import json
import os
import re
import threading
import time
import traceback
import urllib.parse
import uuid

import standin_bigquery_data as data
from standin import Refused, RsaKey, StandIn, unknown_fields
from standin_bigquery_sql import Engine
from standin_duckdb import SqlError

SCOPES = {"https://www.googleapis.com/auth/bigquery", "https://www.googleapis.com/auth/cloud-platform"}
SKEW = 300
PIECE = 256 * 1024

# What a body may hold: a dict of fields, a list of one kind of item, or None for any scalar.
TABLE_REFERENCE = {"projectId": None, "datasetId": None, "tableId": None}
FIELD = {"name": None, "type": None, "mode": None, "description": None, "precision": None, "scale": None, "maxLength": None, "fields": [{}],
         "rangeElementType": {"type": None}, "defaultValueExpression": None, "collation": None}
SCHEMA = {"fields": [FIELD]}
CLUSTERING = {"fields": [None]}
TABLE = {"tableReference": TABLE_REFERENCE, "schema": SCHEMA, "clustering": CLUSTERING, "expirationTime": None, "description": None,
         "friendlyName": None, "labels": {"*": None}, "kind": None, "etag": None, "id": None}
DATASET = {"datasetReference": {"projectId": None, "datasetId": None}, "location": None, "description": None, "labels": {"*": None},
           "defaultTableExpirationMs": None, "friendlyName": None}
LOAD = {"destinationTable": TABLE_REFERENCE, "sourceFormat": None, "schema": SCHEMA, "createDisposition": None, "writeDisposition": None,
        "maxBadRecords": None, "ignoreUnknownValues": None, "autodetect": None, "encoding": None, "schemaUpdateOptions": [None],
        "clustering": CLUSTERING, "jsonExtension": None}
QUERY = {"query": None, "useLegacySql": None, "priority": None, "useQueryCache": None, "maximumBytesBilled": None,
         "defaultDataset": {"projectId": None, "datasetId": None}, "destinationTable": TABLE_REFERENCE, "writeDisposition": None}
JOB = {"jobReference": {"projectId": None, "jobId": None, "location": None},
       "configuration": {"load": LOAD, "query": QUERY, "labels": {"*": None}, "jobTimeoutMs": None, "dryRun": None}}
QUERY_REQUEST = {"query": None, "useLegacySql": None, "timeoutMs": None, "maxResults": None, "location": None, "requestId": None, "dryRun": None,
                 "defaultDataset": {"projectId": None, "datasetId": None}, "labels": {"*": None}, "useQueryCache": None, "kind": None,
                 "jobCreationMode": None, "formatOptions": {"useInt64Timestamp": None}}


class ApiError(Refused):
    def __init__(self, code, reason, message, location=None):
        super().__init__(message)
        self.code, self.reason, self.message, self.location = code, reason, message, location

    def proto(self):
        proto = {"reason": self.reason, "message": self.message}
        if self.location:
            proto["location"] = self.location
        return proto

    def answer(self):
        status = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ALREADY_EXISTS",
                  429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}.get(self.code, "INTERNAL")
        error = {"code": self.code, "message": self.message, "errors": [{**self.proto(), "domain": "global"}], "status": status}
        return self.code, {}, {"error": error}


def hold_to(shape, body, where):
    """Refuses a body with a field that the API does not have."""
    wrong = unknown_fields(shape, body, where)
    if wrong and wrong[0] == "unknown":
        raise ApiError(400, "invalid", f'Invalid JSON payload received. Unknown name "{wrong[2]}" at \'{wrong[1]}\': Cannot find field.')
    if wrong:
        raise ApiError(400, "invalid", f"Invalid value at '{wrong[1]}', expected {wrong[2]}")


def need(body, *path):
    for name in path:
        if not isinstance(body, dict) or name not in body or body[name] in ("", None):
            raise ApiError(400, "required", "Required parameter is missing: " + ".".join(path))
        body = body[name]
    return body


class Keys(RsaKey):
    """A service account: its RSA key, and the JSON file that a client is given."""

    def __init__(self, folder, name="account"):
        super().__init__(folder, name)
        self.email = f"{name}@shop.iam.gserviceaccount.com"
        self.key_id = hashlib.sha1(self.private_key.encode()).hexdigest()

    def write(self, path, token_uri, project):
        with open(path, "w") as file:
            json.dump({"type": "service_account", "project_id": project, "private_key_id": self.key_id, "private_key": self.private_key,
                       "client_email": self.email, "client_id": "1", "auth_uri": "https://accounts.google.com/o/oauth2/auth",
                       "token_uri": token_uri}, file)
        return path


class Job:
    def __init__(self, standin, reference, configuration):
        self.standin, self.reference, self.configuration = standin, reference, configuration
        self.state, self.error, self.errors = "PENDING", None, []
        self.rows, self.schema, self.output_rows, self.changed = [], [], 0, None
        self.done = threading.Event()
        self.seen = 0

    def run(self, work):
        def body():
            self.state = "RUNNING"
            try:
                work(self)
            except ApiError as problem:
                self.error = problem.proto()
                self.errors = getattr(problem, "errors", None) or [self.error]
            except SqlError as problem:
                self.error = {"reason": problem.reason, "location": "query", "message": str(problem)}
                self.errors = [self.error]
            except Exception as problem:  # a defect of the stand-in: it must not hang the client
                traceback.print_exc()
                self.error = {"reason": "invalid", "message": f"the stand-in failed: {problem!r}"}
                self.errors = [self.error]
            self.state = "DONE"
            self.done.set()
        self.thread = threading.Thread(target=body, daemon=True)
        self.thread.start()

    def resource(self):
        kind = "LOAD" if "load" in self.configuration else "QUERY"
        state = self.state
        # a job is seen in each of its states by who asks often enough
        if self.seen < 2:
            state = ("PENDING", "RUNNING")[self.seen]
        self.seen += 1
        status = {"state": state}
        if state == "DONE" and self.error:
            status["errorResult"] = self.error
        if state == "DONE" and self.errors:
            status["errors"] = self.errors
        statistics = {"creationTime": str(int(time.time() * 1000))}
        if kind == "LOAD" and state == "DONE":
            statistics["load"] = {"outputRows": str(self.output_rows), "badRecords": "0"}
        return {"kind": "bigquery#job", "id": f"{self.reference['projectId']}:{self.reference['location']}.{self.reference['jobId']}",
                "jobReference": self.reference, "configuration": {**self.configuration, "jobType": kind}, "status": status,
                "statistics": statistics, "user_email": self.standin.keys.email}


class BigQuery(StandIn):
    """The service. `project` exists; datasets are made by clients."""

    def __init__(self, folder, project="shop-project", location="EU"):
        super().__init__()
        self.project, self.location = project, location
        self.keys = Keys(folder)
        self.engine = Engine(project)
        self.datasets, self.tables, self.jobs, self.uploads, self.tokens = {}, {}, {}, {}, {}
        self.token_seconds = 3600
        self.clock_skew = 0       # what the service's clock is ahead by
        self.denied = set()       # permissions that the account lacks: "bigquery.tables.create" …
        self.job_hook = None      # called with each job before it runs
        self.endpoint = "http://" + self.fronts[0].address
        self.key_file = self.keys.write(os.path.join(folder, "account.json"), self.endpoint + "/token", project)

    def close(self):
        super().close()
        self.engine.close()

    def injected(self, front, path, code, reason, message):
        return ApiError(code, reason or "backendError", message)

    def take_half(self, handler, path, arguments, body):
        """What of an upload arrived before its connection was cut is kept in whole pieces."""
        upload = self.uploads.get(arguments.get("upload_id"))
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", handler.headers.get("Content-Range", ""))
        if upload is not None and match and int(match.group(1)) == len(upload["data"]):
            upload["data"] += body[:len(body) // PIECE * PIECE]

    ROUTES = [
        ("POST", r"/token", "token"),
        ("GET", r"/bigquery/v2/projects/([^/]+)/datasets/([^/]+)", "get_dataset"),
        ("POST", r"/bigquery/v2/projects/([^/]+)/datasets", "insert_dataset"),
        ("DELETE", r"/bigquery/v2/projects/([^/]+)/datasets/([^/]+)", "delete_dataset"),
        ("GET", r"/bigquery/v2/projects/([^/]+)/datasets/([^/]+)/tables/([^/]+)", "get_table"),
        ("GET", r"/bigquery/v2/projects/([^/]+)/datasets/([^/]+)/tables", "list_tables"),
        ("POST", r"/bigquery/v2/projects/([^/]+)/datasets/([^/]+)/tables", "insert_table"),
        ("PATCH", r"/bigquery/v2/projects/([^/]+)/datasets/([^/]+)/tables/([^/]+)", "patch_table"),
        ("DELETE", r"/bigquery/v2/projects/([^/]+)/datasets/([^/]+)/tables/([^/]+)", "delete_table"),
        ("POST", r"/bigquery/v2/projects/([^/]+)/jobs", "insert_job"),
        ("GET", r"/bigquery/v2/projects/([^/]+)/jobs/([^/]+)", "get_job"),
        ("POST", r"/bigquery/v2/projects/([^/]+)/queries", "query"),
        ("GET", r"/bigquery/v2/projects/([^/]+)/queries/([^/]+)", "query_results"),
        ("POST", r"/upload/bigquery/v2/projects/([^/]+)/jobs", "begin_upload"),
        ("PUT", r"/upload/bigquery/v2/projects/([^/]+)/jobs", "put_upload"),
    ]

    def route(self, front, handler, path, arguments, body):
        try:
            return self.dispatch(handler, path, arguments, body)
        except SqlError as problem:
            raise ApiError(400, problem.reason, str(problem), "query")

    def dispatch(self, handler, path, arguments, body):
        for method, pattern, name in self.ROUTES:
            match = re.fullmatch(pattern, path)
            if not match or method != handler.command:
                continue
            names = [urllib.parse.unquote(part) for part in match.groups()]
            if name == "token":
                return self.token(handler, body)
            self.authorize(handler)
            if names[0] != self.project:
                raise ApiError(404, "notFound", f"Not found: Project {names[0]}")
            if name in ("begin_upload", "put_upload"):
                return getattr(self, name)(handler, arguments, body)
            try:
                given = json.loads(body) if body else None
            except ValueError:
                raise ApiError(400, "parseError", "Parse Error")
            return getattr(self, name)(arguments, given, *names[1:])
        raise ApiError(404, "notFound", f"no such method: {handler.command} {path}")

    def authorize(self, handler):
        scheme, _, token = handler.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or self.tokens.get(token, 0) < time.time():
            raise ApiError(401, "authError", "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or "
                           "other valid authentication credential.", "Authorization")

    def permit(self, permission, what):
        if permission in self.denied:
            raise ApiError(403, "accessDenied", f"Access Denied: {what}: User does not have {permission} permission for {what.lower()}.")

    # ---- tokens

    def token(self, handler, body):
        form = dict(urllib.parse.parse_qsl(body.decode()))
        try:
            if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
                raise ValueError("unsupported_grant_type", "Invalid grant_type: " + str(form.get("grant_type")))
            try:
                head, claims = self.keys.claims(form["assertion"])
            except ValueError:
                raise ValueError("invalid_grant", "Invalid JWT Signature.")
            now = time.time() + self.clock_skew
            if head.get("alg") != "RS256" or head.get("typ") != "JWT":
                raise ValueError("invalid_grant", "Invalid JWT: wrong header")
            if claims.get("iss") != self.keys.email:
                raise ValueError("invalid_grant", "Invalid grant: account not found")
            if claims.get("aud") != self.endpoint + "/token":
                raise ValueError("invalid_grant", "Invalid JWT: Failed audience check.")
            if not SCOPES & set(str(claims.get("scope", "")).split()):
                raise ValueError("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
            if not claims["iat"] <= now + SKEW or not now - SKEW <= claims["exp"] or not 0 < claims["exp"] - claims["iat"] <= 3600:
                raise ValueError("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                                 "timeframe. Check your iat and exp values in the JWT claim.")
        except ValueError as problem:
            error, text = problem.args if len(problem.args) == 2 else ("invalid_grant", "Bad Request")
            return 400, {}, {"error": error, "error_description": text}
        except KeyError:
            return 400, {}, {"error": "invalid_request", "error_description": "Bad Request"}
        return 200, {}, self.grant()

    def grant(self):
        token = "ya29." + uuid.uuid4().hex
        self.tokens[token] = time.time() + self.token_seconds
        return {"access_token": token, "expires_in": int(self.token_seconds), "token_type": "Bearer"}

    # ---- datasets and tables

    def get_dataset(self, _arguments, _body, dataset):
        self.permit("bigquery.datasets.get", f"Dataset {self.project}:{dataset}")
        return 200, {}, self.dataset_of(dataset)

    def dataset_of(self, dataset):
        if dataset not in self.datasets:
            raise ApiError(404, "notFound", f"Not found: Dataset {self.project}:{dataset}")
        return self.datasets[dataset]

    def insert_dataset(self, _arguments, body):
        hold_to(DATASET, body, "dataset")
        name = need(body, "datasetReference", "datasetId")
        self.permit("bigquery.datasets.create", f"Project {self.project}")
        if not re.fullmatch(r"[A-Za-z0-9_]{1,1024}", name):
            raise ApiError(400, "invalid", f'Invalid dataset ID "{name}". Dataset IDs must be alphanumeric (plus underscores) and must be at most '
                           "1024 characters long.")
        with self.lock:
            if name in self.datasets:
                raise ApiError(409, "duplicate", f"Already Exists: Dataset {self.project}:{name}")
            self.datasets[name] = {"kind": "bigquery#dataset", "location": self.location, **body}
            self.engine.create_dataset(name)
        return 200, {}, self.datasets[name]

    def delete_dataset(self, arguments, _body, dataset):
        self.permit("bigquery.datasets.delete", f"Dataset {self.project}:{dataset}")
        with self.lock:
            self.dataset_of(dataset)
            tables = [table for of, table in self.tables if of == dataset]
            if tables and arguments.get("deleteContents") != "true":
                raise ApiError(400, "resourceInUse", f"Dataset {self.project}:{dataset} is still in use")
            for table in tables:
                del self.tables[dataset, table]
                self.engine.drop_table(dataset, table)
            del self.datasets[dataset]
            self.engine.drop_dataset(dataset)
        return 204, {}, None

    def table_of(self, dataset, table):
        self.dataset_of(dataset)
        found = self.tables.get((dataset, table))
        if not found:
            raise ApiError(404, "notFound", f"Not found: Table {self.project}:{dataset}.{table}")
        return found

    def get_table(self, _arguments, _body, dataset, table):
        self.permit("bigquery.tables.get", f"Table {self.project}:{dataset}.{table}")
        with self.lock:
            found = self.table_of(dataset, table)
            return 200, {}, {**found, "numRows": str(self.engine.count(dataset, table))}

    def list_tables(self, arguments, _body, dataset):
        self.dataset_of(dataset)
        size = int(arguments.get("maxResults", 50))
        names = sorted(name for (of, name) in self.tables if of == dataset and name > arguments.get("pageToken", ""))
        answer = {"kind": "bigquery#tableList", "totalItems": len(names),
                  "tables": [{"tableReference": self.tables[dataset, name]["tableReference"], "type": "TABLE"} for name in names[:size]]}
        if len(names) > size:
            answer["nextPageToken"] = names[size - 1]
        return 200, {}, answer

    def insert_table(self, _arguments, body, dataset):
        hold_to(TABLE, body, "table")
        name = need(body, "tableReference", "tableId")
        self.permit("bigquery.tables.create", f"Dataset {self.project}:{dataset}")
        with self.lock:
            self.dataset_of(dataset)
            self.make_table(dataset, name, body)
            return 200, {}, self.tables[dataset, name]

    def make_table(self, dataset, name, body):
        data.check_table_name(name, ApiError)
        if (dataset, name) in self.tables:
            raise ApiError(409, "duplicate", f"Already Exists: Table {self.project}:{dataset}.{name}")
        fields = body.get("schema", {}).get("fields", [])
        data.check_fields(fields, ApiError)
        data.check_clustering(fields, body.get("clustering"), ApiError)
        self.engine.create_table(dataset, name, fields)
        self.tables[dataset, name] = {"kind": "bigquery#table", "type": "TABLE", **body,
                                      "tableReference": {"projectId": self.project, "datasetId": dataset, "tableId": name}}

    def patch_table(self, _arguments, body, dataset, table):
        hold_to(TABLE, body, "table")
        self.permit("bigquery.tables.update", f"Table {self.project}:{dataset}.{table}")
        with self.lock:
            found = self.table_of(dataset, table)
            if "schema" in body:
                fields, old = body["schema"]["fields"], found["schema"]["fields"]
                data.check_fields(fields, ApiError)
                names = {field["name"].lower() for field in fields}
                for field in old:
                    if field["name"].lower() not in names:
                        raise ApiError(400, "invalid", f"Provided Schema does not match Table {self.project}:{dataset}.{table}. Field "
                                       f"{field['name']} is missing in new schema")
                have = {field["name"].lower() for field in old}
                for field in fields:
                    if field["name"].lower() not in have:
                        if field.get("mode") == "REQUIRED":
                            raise ApiError(400, "invalid", f"Cannot add required fields to an existing schema. (field: {field['name']})")
                        self.engine.add_column(dataset, table, field)
            found.update(body)
            return 200, {}, found

    def delete_table(self, _arguments, _body, dataset, table):
        self.permit("bigquery.tables.delete", f"Table {self.project}:{dataset}.{table}")
        with self.lock:
            self.table_of(dataset, table)
            del self.tables[dataset, table]
            self.engine.drop_table(dataset, table)
        return 204, {}, None

    # ---- jobs

    def new_job(self, body, work):
        hold_to(JOB, body, "job")
        configuration = need(body, "configuration")
        if len({"load", "query"} & set(configuration)) != 1:
            raise ApiError(400, "required", "Required parameter is missing: configuration")
        reference = body.get("jobReference", {})
        identifier = reference.get("jobId") or "job_" + uuid.uuid4().hex
        if reference.get("projectId", self.project) != self.project:
            raise ApiError(400, "invalid", "Value of jobReference.projectId must be the project of the request")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,1024}", identifier):
            raise ApiError(400, "invalid", f'Invalid job ID "{identifier}". Job IDs must be alphanumeric (plus underscores and dashes) and must be '
                           "at most 1024 characters long.")
        self.permit("bigquery.jobs.create", f"Project {self.project}")
        with self.lock:
            if identifier in self.jobs:
                raise ApiError(409, "duplicate", f"Already Exists: Job {self.project}:{self.location}.{identifier}")
            job = Job(self, {"projectId": self.project, "jobId": identifier, "location": self.location}, configuration)
            self.jobs[identifier] = job
        if self.job_hook:
            self.job_hook(job)
        job.run(work)
        return job

    def insert_job(self, _arguments, body):
        if "load" in body.get("configuration", {}):
            raise ApiError(400, "required", "Load configuration must specify at least one source URI")
        query = need(body, "configuration", "query")
        hold_to(JOB, body, "job")
        if query.get("useLegacySql") is not False:
            raise ApiError(400, "invalidQuery", "the stand-in has GoogleSQL only: useLegacySql must be false", "query")
        return 200, {}, self.new_job(body, lambda job: self.run_query(job, need(query, "query"))).resource()

    def run_query(self, job, text):
        if len(text) > 1024 * 1024:
            raise ApiError(400, "invalidQuery", "The query is too large. The maximum standard SQL query length is 1024.00K characters", "query")
        with self.lock:
            job.schema, job.rows = self.engine.script(text, self)

    def job_of(self, identifier, arguments):
        job = self.jobs.get(identifier)
        if not job or arguments.get("location", self.location) != self.location:
            raise ApiError(404, "notFound", f"Not found: Job {self.project}:{identifier}")
        return job

    def get_job(self, arguments, _body, identifier):
        if "location" not in arguments and self.location not in ("US", "EU"):
            raise ApiError(404, "notFound", f"Not found: Job {self.project}:{identifier}")
        return 200, {}, self.job_of(identifier, arguments).resource()

    def query(self, _arguments, body):
        hold_to(QUERY_REQUEST, body, "")
        if body.get("useLegacySql") is not False:
            raise ApiError(400, "invalidQuery", "the stand-in has GoogleSQL only: useLegacySql must be false", "query")
        text = need(body, "query")
        job = self.new_job({"configuration": {"query": {"query": text, "useLegacySql": False}}}, lambda job: self.run_query(job, text))
        return self.results(job, body.get("timeoutMs", 10000))

    def query_results(self, arguments, _body, identifier):
        return self.results(self.job_of(identifier, arguments), int(arguments.get("timeoutMs", 10000)))

    def results(self, job, timeout_ms):
        answer = {"kind": "bigquery#queryResponse", "jobReference": job.reference, "jobComplete": job.done.wait(int(timeout_ms) / 1000)}
        if not answer["jobComplete"]:
            return 200, {}, answer
        if job.error:
            raise ApiError(403 if job.error["reason"] == "accessDenied" else 400, job.error["reason"], job.error["message"],
                           job.error.get("location"))
        answer.update(schema={"fields": job.schema}, totalRows=str(len(job.rows)),
                      rows=[{"f": [{"v": value} for value in row]} for row in job.rows])
        return 200, {}, answer

    # ---- uploads

    def begin_upload(self, handler, arguments, body):
        kind = arguments.get("uploadType")
        if kind == "resumable":
            given = json.loads(body)
            hold_to(JOB, given, "job")
            need(given, "configuration", "load", "destinationTable", "tableId")
            self.permit("bigquery.jobs.create", f"Project {self.project}")
            if given.get("jobReference", {}).get("jobId") in self.jobs:
                raise ApiError(409, "duplicate", f"Already Exists: Job {self.project}:{self.location}.{given['jobReference']['jobId']}")
            identifier = "upload-" + uuid.uuid4().hex
            self.uploads[identifier] = {"job": given, "data": b"", "answer": None}
            where = f"{self.endpoint}/upload/bigquery/v2/projects/{self.project}/jobs?uploadType=resumable&upload_id={identifier}"
            return 200, {"Location": where}, None
        if kind == "multipart":
            match = re.fullmatch(r'multipart/related;\s*boundary="?([^";]+)"?', handler.headers.get("Content-Type", ""))
            if not match:
                raise ApiError(400, "badContent", "Media type is not supported. Valid media types: [multipart/related]")
            parts = body.split(b"--" + match.group(1).encode())[1:-1]
            heads = [part.partition(b"\r\n\r\n") for part in parts]
            if len(heads) != 2 or b"application/json" not in heads[0][0].lower():
                raise ApiError(400, "badContent", "a multipart upload has two parts: the job as JSON, and the data")
            return 200, {}, self.load_job(json.loads(heads[0][2]), heads[1][2][:-2]).resource()
        raise ApiError(400, "invalid", "uploadType must be resumable or multipart")

    def put_upload(self, handler, arguments, body):
        upload = self.uploads.get(arguments.get("upload_id"))
        if upload is None:
            raise ApiError(404, "notFound", "Not found: upload")
        with self.lock:
            if upload["answer"]:
                return upload["answer"]
            have = len(upload["data"])
            ranges = handler.headers.get("Content-Range", "")
            query = re.fullmatch(r"bytes \*/(\d+|\*)", ranges)
            piece = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", ranges)
            if query:
                if not (query.group(1).isdigit() and int(query.group(1)) == have):
                    return self.incomplete(have)
            elif piece:
                first, last, total = int(piece.group(1)), int(piece.group(2)), piece.group(3)
                if last - first + 1 != len(body) or (total.isdigit() and last >= int(total)):
                    raise ApiError(400, "badRequest", "Content-Range does not fit the body")
                if first > have:
                    raise ApiError(400, "badRequest", f"Invalid request. There were {first - have} byte(s) missing before it.")
                if not (total.isdigit() and last + 1 == int(total)) and len(body) % PIECE:
                    raise ApiError(400, "badRequest", "Invalid request. The number of bytes uploaded is required to be equal or greater than "
                                   "262144, except for the final request (it's recommended to be the exact multiple of 262144).")
                upload["data"] = upload["data"][:first] + body
                if not (total.isdigit() and last + 1 == int(total)):
                    return self.incomplete(len(upload["data"]))
            elif not ranges:
                upload["data"] = body
            else:
                raise ApiError(400, "badRequest", "Failed to parse Content-Range header.")
            job = self.load_job(upload["job"], upload["data"])
            upload["answer"] = 200, {}, job.resource()
            return upload["answer"]

    @staticmethod
    def incomplete(have):
        return 308, {"Range": f"bytes=0-{have - 1}"} if have else {}, None

    def load_job(self, body, content):
        load = need(body, "configuration", "load")
        return self.new_job(body, lambda job: self.run_load(job, load, content))

    def run_load(self, job, load, content):
        destination = need(load, "destinationTable")
        dataset, table = need(destination, "datasetId"), need(destination, "tableId")
        if load.get("sourceFormat") != "NEWLINE_DELIMITED_JSON":
            raise ApiError(400, "invalid", "the stand-in loads NEWLINE_DELIMITED_JSON only")
        if content[:2] == b"\x1f\x8b":
            if len(content) > 4 << 30:
                raise ApiError(400, "invalid", "gzip files are limited to 4 GB")
            content = gzip.decompress(content)
        self.permit("bigquery.tables.updateData", f"Table {self.project}:{dataset}.{table}")
        with self.lock:
            self.dataset_of(dataset)
            if (dataset, table) not in self.tables:
                if load.get("createDisposition", "CREATE_IF_NEEDED") == "CREATE_NEVER":
                    raise ApiError(404, "notFound", f"Not found: Table {self.project}:{dataset}.{table}")
                self.permit("bigquery.tables.create", f"Dataset {self.project}:{dataset}")
                self.make_table(dataset, table, {"schema": need(load, "schema"), **({"clustering": load["clustering"]} if "clustering" in load else {})})
            found = self.tables[dataset, table]
            fields = found["schema"]["fields"]
            if "schema" in load:
                data.check_same(load["schema"]["fields"], fields, f"{self.project}:{dataset}.{table}", ApiError)
            rows = data.read_rows(content, fields, bool(load.get("ignoreUnknownValues")), ApiError)
            disposition = load.get("writeDisposition", "WRITE_APPEND")
            if disposition == "WRITE_EMPTY" and self.engine.count(dataset, table):
                raise ApiError(409, "duplicate", f"Already Exists: Table {self.project}:{dataset}.{table}")
            self.engine.load(dataset, table, fields, rows, disposition == "WRITE_TRUNCATE")
            job.output_rows = len(rows)
