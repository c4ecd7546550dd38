"""What the stand-in for Snowflake refuses and answers, asked by a client of the test's own over HTTP: a rule that is not seen to be held holds nobody."""
import base64
import gzip
import json
import os
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import standin
import standin_snowflake


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def jwt(service, key=None, **claims):
    """A JWT as the documentation has it, but for the claims that are given."""
    now = int(service.now())
    name = f"{service.account.upper()}.{service.user.upper()}"
    claims = {"iss": f"{name}.{service.key.fingerprint}", "sub": name, "iat": now, "exp": now + 3540, **claims}
    signed = encoded(b'{"alg": "RS256", "typ": "JWT"}') + b"." + encoded(json.dumps(claims).encode())
    done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", (key or service.key).path], input=signed, stdout=subprocess.PIPE, check=True)
    return (signed + b"." + encoded(done.stdout)).decode()


class Client:
    def __init__(self, service):
        self.service, self.token = service, jwt(service)

    def ask(self, method, url, body=None, **headers):
        """(status, body) of a request; a header that is None is left out."""
        if not url.startswith("http"):
            url = self.service.endpoint + url
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json", "Content-Type": "application/json", "User-Agent": "test/1.0",
                   **{name.replace("_", "-"): value for name, value in headers.items()}}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {name: value for name, value in headers.items() if value is not None}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, text, packed = answer.status, answer.read(), answer.headers.get("Content-Encoding")
        except urllib.error.HTTPError as problem:
            status, text, packed = problem.code, problem.read(), None
        text = gzip.decompress(text) if packed == "gzip" else text
        try:
            return status, json.loads(text or b"null")
        except ValueError:
            return status, text.decode()

    def sql(self, statement, count=None, query="", wait=True, **more):
        body = {"statement": statement, "database": "SHOP", "schema": "PG", "warehouse": "WH", "role": "LOADER_ROLE", **more}
        if count is not None:
            body["parameters"] = {"MULTI_STATEMENT_COUNT": str(count)}
        status, answer = self.ask("POST", "/api/v2/statements" + query, body)
        while wait and status == 202:
            status, answer = self.ask("GET", "/api/v2/statements/" + answer["statementHandle"])
        return status, answer

    def rows(self, statement):
        status, answer = self.sql(statement)
        assert status == 200, answer
        rows = answer["data"]
        for part in range(1, len(answer["resultSetMetaData"]["partitionInfo"])):
            rows += self.ask("GET", f"/api/v2/statements/{answer['statementHandle']}?partition={part}")[1]["data"]
        return rows

    # ---- streaming

    def scoped(self):
        status, host = self.ask("GET", "/v2/streaming/hostname")
        assert status == 200, host
        self.host = host if isinstance(host, str) else host["hostname"]
        form = urllib.parse.urlencode({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "scope": self.host}).encode()
        status, token = self.ask("POST", "/oauth/token", form, Content_Type="application/x-www-form-urlencoded")
        assert status == 200, token
        self.stream_token = token if isinstance(token, str) else token["token"]

    def stream(self, method, path, body=None, pipe="T-STREAMING", data="", **headers):
        return self.ask(method, f"http://{self.host}/v2/streaming/{data}databases/SHOP/schemas/PG/pipes/{pipe}{path}", body, Authorization=f"Bearer {self.stream_token}", **headers)

    def open(self, channel="C", **body):
        status, answer = self.stream("PUT", f"/channels/{channel}", body)
        assert status == 200, answer
        return answer["next_continuation_token"], answer["channel_status"]

    def append(self, token, rows, channel="C", offset=None, **headers):
        body = rows if isinstance(rows, bytes) else "".join(json.dumps(row) + "\n" for row in rows).encode()
        query = f"?continuationToken={token}" + (f"&offsetToken={offset}" if offset is not None else "")
        return self.stream("POST", f"/channels/{channel}/rows{query}", body, data="data/", **{"Content_Type": "application/x-ndjson", **headers})

    def committed(self, offset, channel="C"):
        """The channel's status once this offset is committed."""
        for _ in range(1000):
            status, answer = self.stream("POST", ":bulk-channel-status", {"channel_names": [channel, "NONE"]})
            assert status == 200 and "NONE" not in answer["channel_statuses"], answer
            if answer["channel_statuses"][channel]["last_committed_offset_token"] == offset:
                return answer["channel_statuses"][channel]
            time.sleep(0.01)
        raise AssertionError(f"offset {offset} is never committed: {answer}")


def refused(answer, status, code, says=""):
    assert answer[0] == status and answer[1]["code"] == code and says in answer[1]["message"], answer


def signing_in(service, client):
    """Who signs wrongly, or at the wrong time, does not get in; why is not told."""
    name = f"{service.account.upper()}.{service.user.upper()}"
    other = standin.RsaKey(os.path.dirname(service.key.path), "other")
    for key, claims in ((other, {}), (None, {"iss": f"{name}.SHA256:x"}), (None, {"iss": f"{name}.{other.fingerprint}"}), (None, {"sub": "SHOP.LOADER"}),
                        (None, {"iat": int(time.time()) - 100}), (None, {"iat": int(time.time()) + 100}), (None, {"exp": int(time.time()) + 7200}), (None, {"exp": int(time.time()) - 1})):
        client.token = jwt(service, key, **claims)
        refused(client.sql("SELECT 1"), 401, "390144", "JWT token is invalid.")
        assert client.ask("GET", "/v2/streaming/hostname")[0] == 401
    client.token = "no.jwt.atall"
    refused(client.sql("SELECT 1"), 401, "390144")
    client.token = jwt(service)
    refused(client.ask("POST", "/api/v2/statements", {"statement": "SELECT 1"}, Authorization=None), 400, "390146")
    refused(client.ask("POST", "/api/v2/statements", {"statement": "SELECT 1"}, X_Snowflake_Authorization_Token_Type="OAUTH"), 401, "390303")


def requests(service, client):
    """Headers, fields and numbers of statements are as published."""
    refused(client.ask("POST", "/api/v2/statements", {"statement": "SELECT 1"}, User_Agent=""), 400, "391903")
    refused(client.ask("POST", "/api/v2/statements", {"statement": "SELECT 1"}, Accept="text/html"), 400, "391902")
    refused(client.ask("POST", "/api/v2/statements", b"<x/>", Content_Type="text/xml"), 415, "391902")
    refused(client.ask("POST", "/api/v2/statements", b"{"), 400, "390142")
    refused(client.sql("SELECT 1", sql="SELECT 1"), 400, "390142", "sql")
    refused(client.ask("POST", "/api/v2/statements", {"statement": "SELECT 1", "parameters": {"MULTI_STATEMENT_COUNT": 1}}), 400, "390142")
    refused(client.ask("POST", "/api/v2/statements", {"statement": "SELECT 1", "parameters": {"AUTOCOMMIT": "true"}}), 400, "391901")
    refused(client.ask("POST", "/api/v2/statements?requestId=1", {"statement": "SELECT 1"}), 400, "391901")
    refused(client.ask("POST", "/api/v3/statements", {"statement": "SELECT 1"}), 404, "390404")
    refused(client.ask("DELETE", "/api/v2/statements"), 405, "390405")
    refused(client.sql("SELECT 1", role="ACCOUNTADMIN"), 400, "390186")
    refused(client.sql(""), 400, "000900")
    refused(client.sql("SELECT 1; SELECT 2"), 422, "000008", "Actual statement count 2")
    refused(client.sql("SELECT 1", 2), 422, "000008")
    for words in ("BEGIN", "COMMIT", "USE SCHEMA PG", "PUT x y"):
        refused(client.sql(words), 422, "391911")
    refused(client.sql("DELETE FROM T", warehouse="NONE"), 422, "000606")
    refused(client.ask("GET", f"/api/v2/statements/{uuid.uuid4()}"), 422, "000709")


def statements(service, client):
    """Sessions, transactions, retries, partitions and names are as published."""
    assert client.sql("CREATE SCHEMA IF NOT EXISTS SHOP.PG")[0] == 200
    assert client.sql('CREATE TABLE T ("a" NUMBER(10,0), A VARCHAR(5) COMMENT \'x\', V VARIANT) DATA_RETENTION_TIME_IN_DAYS = 0')[0] == 200
    refused(client.sql("CREATE TABLE PG.T (X INT)"), 422, "002002", "already exists")
    refused(client.sql("CREATE TABLE U (X JSONB)"), 422, "002040")
    refused(client.sql("CREATE TABLE U (X NUMBER(39,0))"), 422, "002041")
    refused(client.sql('SELECT * FROM "t"'), 422, "002003", "does not exist or not authorized")
    refused(client.sql('SELECT "A", "a", "x" FROM T'), 422, "000904")
    refused(client.sql("SELECT SECRET(1)"), 422, "002140")
    refused(client.sql("SELECT 1 / IFF(1 = 2, 1, 0) AS X"), 422, "100051", "Division by zero")
    refused(client.sql("SELECT TO_DATE('0001-01-01 BC', 'AUTO')"), 422, "100038")
    refused(client.sql("SELECT TO_DATE('infinity', 'AUTO')"), 422, "100038")
    refused(client.sql("SELECT TO_NUMBER('NaN', 10, 2)"), 422, "100038")
    refused(client.sql("SELECT PARSE_JSON('{')"), 422, "100069")
    # a transaction is one request; a failure in it undoes it, and DDL in it does not let it be undone
    insert = "INSERT INTO T SELECT 1, 'x', PARSE_JSON('{\"n\": null}')"
    assert client.sql(f"BEGIN TRANSACTION; {insert}; COMMIT", 0)[1]["data"] == [["Multiple statements executed successfully."]]
    refused(client.sql(f"BEGIN; {insert}; SELECT 1 / IFF(2 = 1, 1, 0); COMMIT", 0), 422, "100132", "Division by zero")
    assert client.sql(f"BEGIN; {insert}", 0)[0] == 200
    assert client.rows("SELECT COUNT(*) FROM T") == [["1"]]
    refused(client.sql(f"BEGIN; {insert}; CREATE TABLE D (X INT); SELECT 1 / IFF(2 = 1, 1, 0); COMMIT", 5), 422, "100132")
    assert client.rows("SELECT COUNT(*) FROM T") == [["2"]]
    refused(client.sql("BEGIN; TRUNCATE TABLE T; SELECT 1 / IFF(2 = 1, 1, 0)", 3), 422, "100132")
    assert client.rows("SELECT COUNT(*) FROM T") == [["2"]]
    refused(client.sql("MERGE INTO T AS X USING (SELECT 1 AS K UNION ALL SELECT 1 AS K) AS S ON X.\"a\" = S.K WHEN MATCHED THEN UPDATE SET A = 'y'"), 422, "100090")
    # the same request id: with retry=true it runs once, without it twice; what failed runs again
    query = f"?requestId={uuid.uuid4()}"
    assert client.sql(insert, query=query)[0] == client.sql(insert, query=query + "&retry=true")[0] == 200
    assert client.rows("SELECT COUNT(*) FROM T") == [["3"]]
    assert client.sql(insert, query=query)[0] == 200 and service.ran_twice
    assert client.rows("SELECT COUNT(*) FROM T") == [["4"]]
    service.ran_twice.clear()
    query = f"?requestId={uuid.uuid4()}"
    refused(client.sql("INSERT INTO D2 SELECT 1", query=query), 422, "002003")
    assert client.sql("CREATE TABLE D2 (X INT)")[0] == 200 and client.sql("INSERT INTO D2 SELECT 1", query=query + "&retry=true")[0] == 200
    # results in partitions
    assert client.sql("INSERT INTO D2 SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6")[0] == 200
    status, answer = client.sql("SELECT X FROM D2 ORDER BY X")
    assert len(answer["resultSetMetaData"]["partitionInfo"]) == 2 and len(answer["data"]) == 5, answer
    assert client.rows("SELECT X FROM D2 ORDER BY X") == [[str(number)] for number in range(1, 7)]
    refused(client.ask("GET", f"/api/v2/statements/{answer['statementHandle']}?partition=2"), 400, "391922")
    # what is changed of a table
    refused(client.sql('ALTER TABLE T ALTER COLUMN "a" SET DATA TYPE NUMBER(5,0)'), 422, "002108")
    refused(client.sql('ALTER TABLE T ALTER COLUMN "a" SET DATA TYPE FLOAT'), 422, "002108")
    assert client.sql('ALTER TABLE T ALTER COLUMN "a" SET DATA TYPE NUMBER(19,0)')[0] == 200
    refused(client.sql('ALTER TABLE T RENAME COLUMN "b" TO "c"'), 422, "000904")
    assert client.rows("SELECT C.COLUMN_NAME, C.DATA_TYPE, C.NUMERIC_PRECISION, C.COMMENT FROM SHOP.INFORMATION_SCHEMA.COLUMNS AS C WHERE C.TABLE_NAME = 'T' ORDER BY "
                       "C.ORDINAL_POSITION") == [["a", "NUMBER", "19", None], ["A", "TEXT", None, "x"], ["V", "VARIANT", None, None]]
    service.denied = {"CREATE TABLE"}
    refused(client.sql("CREATE TABLE DENIED (X INT)"), 422, "003001", "Insufficient privileges")
    service.denied = set()


def streams(service, client):
    """Channels, tokens, and rows that do not fit, are as published."""
    assert client.sql("DROP TABLE T")[0] == 200 and client.sql("CREATE TABLE T (N NUMBER(3,0), S VARCHAR(5), V VARIANT)")[0] == 200
    client.scoped()
    good, client.stream_token = client.stream_token, client.token
    refused(client.stream("PUT", "/channels/C", {}), 401, "UNAUTHORIZED")  # a JWT is no scoped token
    client.stream_token = good
    refused(client.ask("GET", f"http://{client.host}/v2/streaming/hostname"), 404, "NOT_FOUND")
    refused(client.stream("PUT", "/channels/C", {}, pipe="NONE-STREAMING"), 404, "ERR_PIPE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED")
    refused(client.stream("PUT", "/channels/C", {}, pipe="T"), 404, "ERR_PIPE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED")
    refused(client.stream("PUT", "/channels/C", {"offset": "1"}), 400, "BAD_REQUEST")
    refused(client.append("1_0", []), 404, "ERR_CHANNEL_DOES_NOT_EXIST_OR_IS_NOT_AUTHORIZED")
    token, status = client.open()
    assert status["last_committed_offset_token"] is None and status["channel_status_code"] in ("SUCCESS", "ACTIVE"), status
    service.streaming.lag = 1000000
    answer = client.append(token, [{"N": 1}], offset="0001")
    assert answer[0] == 200, answer
    for wrong, code in ((token, "ERR_CHANNEL_HAS_INVALID_ROW_SEQUENCER"), ("7_0", "STALE_CONTINUATION_TOKEN_SEQUENCER"), ("", "STALE_CONTINUATION_TOKEN_SEQUENCER")):
        answer = client.append(wrong, [{"N": 1}])
        assert answer[0] in (400, 409) and answer[1]["code"] == code, answer
    assert client.rows("SELECT COUNT(*) FROM T") == [["0"]]  # it was answered, and is not there
    refused(client.stream("PUT", "/channels/C", {"fail_on_uncommitted_rows": True}), 409, "ERR_CHANNEL_HAS_UNCOMMITTED_DATA")
    # opened again, what was not committed is thrown away
    service.streaming.lag = 0
    new, status = client.open()
    assert status["last_committed_offset_token"] is None
    assert client.append(token, [{"N": 1}])[1]["code"] == "STALE_CONTINUATION_TOKEN_SEQUENCER"
    status, answer = client.append(new, [{"N": 1, "s": "x", "V": {"a": 1}, "unknown": 2}, {"N": 1000}, {"S": "too long"}, {"N": 2, "V": None}], offset="0004")
    assert status == 200, answer
    status = client.committed("0004")
    assert status["rows_inserted"] == 2 and status.get("rows_errors", status.get("rows_error_count")) == 2 and "too long" in status["last_error_message"], status
    assert client.rows("SELECT N, S, V FROM T ORDER BY N") == [["1", "x", '{"a":1}'], ["2", None, "null"]], client.rows("SELECT N, S, V FROM T ORDER BY N")
    token, status = client.open()
    assert status["last_committed_offset_token"] == "0004"
    # what a request may hold
    refused(client.append(token, b'{"N": 1}'), 400, "INVALID_PAYLOAD", "newline")
    refused(client.append(token, b'{"N": NaN}\n'), 400, "INVALID_PAYLOAD")
    refused(client.append(token, b'{"N": 1, "N": 2}\n'), 400, "INVALID_PAYLOAD")
    refused(client.append(token, [{"S": "x" * 4000000}]), 413, "PAYLOAD_TOO_LARGE")
    refused(client.append(token, [{"N": 1}], Content_Type="application/json"), 415, "UNSUPPORTED_MEDIA_TYPE")
    assert client.append(token, gzip.compress(b'{"N": 3}\n'), offset="0005", Content_Encoding="gzip")[0] == 200
    client.committed("0005")
    # the table goes, and another one comes under its name
    assert client.sql("DROP TABLE T")[0] == 200 and client.sql("CREATE TABLE T (N NUMBER(3,0))")[0] == 200
    assert client.append(token, [{"N": 1}])[1]["code"] == "ERR_TABLE_DOES_NOT_EXIST_NOT_AUTHORIZED"
    token, status = client.open()
    assert status["last_committed_offset_token"] is None and client.append(token, [{"N": 1}])[1]["code"] == "STALE_PIPE_CACHE"
    token, status = client.open()
    assert client.append(token, [{"N": 1}], offset="1")[0] == 200
    client.committed("1")
    assert client.stream("DELETE", "/channels/C")[0] == 200
    refused(client.append(token, []), 404, "ERR_CHANNEL_DOES_NOT_EXIST_OR_IS_NOT_AUTHORIZED")
    # scoped tokens run out
    service.streaming.scoped = {token: 0 for token in service.streaming.scoped}
    refused(client.stream("PUT", "/channels/C", {}), 401, "UNAUTHORIZED")


def ended(service):
    """A statement runs by itself, whoever listens: one whose answer is lost may still run."""
    for statement in list(service.statements.values()):
        assert statement.done.wait(60), statement.body


def faulty(service, client):
    """A fault is met at the request that it was meant for, before or after it is done."""
    service.fault(service.requests + 1, "before", 503)
    refused(client.sql("CREATE TABLE F (X INT)", wait=False), 503, "390503")
    service.fault(service.requests + 1, "after", 500)
    refused(client.sql("CREATE TABLE F (X INT)", wait=False), 500, "390500")
    ended(service)
    while client.sql("CREATE TABLE F (X INT)")[0] == 200:
        raise AssertionError("a request that fails after it is done was not done")
    for kind in ("cut_before", "cut_half", "cut_after"):
        service.fault(service.requests + 1, kind)
        try:
            client.sql(f"CREATE TABLE {kind} (X INT)", wait=False)
        except OSError:
            continue
        raise AssertionError(f"a connection was not cut: {kind}")
    ended(service)
    assert client.rows("SELECT TABLE_NAME FROM SHOP.INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME LIKE 'CUT%'") == [["CUT_AFTER"]]


def hold(folder):
    service = standin_snowflake.Snowflake(folder)
    try:
        client = Client(service)
        for part in (signing_in, requests, statements, streams, faulty):
            part(service, client)
    finally:
        service.close()
