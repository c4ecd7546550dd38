"""What the stand-ins for hosted services share: an HTTP server whose Nth request can be made to fail, the rule that a body has only the fields that an API
publishes, and keys that sign JWTs. A stand-in is not the service: it holds clients to what is published.

A fault is one of: before (an error is told, nothing is done), after (it is done, then an error is told), cut_before, cut_after, cut_half (the connection is cut
in the midst of the body, or of the answer where there is none), slow. Requests are counted from 1.
"""
import base64
import functools
import hashlib
import http.server
import json
import os
import subprocess
import threading
import time
import traceback
import urllib.parse

SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")


class Cut(Exception):
    """The connection is closed without a word (more)."""


class Refused(Exception):
    """The base of a service's own errors; answer() is what the client is sent."""

    def answer(self):
        raise NotImplementedError


def unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def unknown_fields(shape, body, where=""):
    """What is wrong with a body, by name: ('unknown', where, field) or ('kind', where, wanted); None when it is as its shape has it.

    A shape is a dict of fields ("*" for any name), a list of one kind of item, or None for any scalar."""
    if shape is None:
        return ("kind", where, "a value") if isinstance(body, (dict, list)) else None
    if isinstance(shape, list):
        if not isinstance(body, list):
            return "kind", where, "a list"
        return next(filter(None, (unknown_fields(shape[0], item, f"{where}[{at}]") for at, item in enumerate(body))), None)
    if not isinstance(body, dict):
        return "kind", where, "an object"
    for name, value in body.items():
        if name not in shape and "*" not in shape:
            return "unknown", where, name
        found = unknown_fields(shape.get(name, shape.get("*")), value, f"{where}.{name}" if where else name)
        if found:
            return found
    return None


class RsaKey:
    """A private key in a file, and what its owner's service does with the public half."""

    def __init__(self, folder, name):
        self.path = os.path.join(folder, name + ".pem")
        subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.path], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        done = subprocess.run(["openssl", "rsa", "-in", self.path, "-noout", "-modulus"], check=True, capture_output=True, text=True)
        self.modulus = int(done.stdout.strip().partition("=")[2], 16)
        with open(self.path) as file:
            self.private_key = file.read()

    @functools.cached_property
    def fingerprint(self):
        """SHA-256 of the public key as it stands in a certificate (DER)."""
        der = subprocess.run(["openssl", "rsa", "-in", self.path, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
        return "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()

    def verify(self, signed, signature):
        size = (self.modulus.bit_length() + 7) // 8
        if len(signature) != size:
            return False
        found = pow(int.from_bytes(signature, "big"), 65537, self.modulus).to_bytes(size, "big")
        wanted = SHA256_PREFIX + hashlib.sha256(signed).digest()
        return found == b"\x00\x01" + b"\xff" * (size - 3 - len(wanted)) + b"\x00" + wanted

    def claims(self, token):
        """(header, claims) of a JWT that this key has signed; ValueError for anything else."""
        head, claims, signature = token.split(".")
        signed = f"{head}.{claims}".encode()
        if not self.verify(signed, unpadded(signature)):
            raise ValueError("signature")
        return json.loads(unpadded(head)), json.loads(unpadded(claims))


class Front:
    """A port of a stand-in. Its owner has route(front, handler, path, arguments, body) -> (status, headers, answer): a dict is sent as JSON, text as it is."""

    def __init__(self, owner):
        self.owner = owner
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_any(self):
                owner.serve(self, front)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_any

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_):
                pass  # clients that leave

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class StandIn:
    """The frame: counts requests, lets those fail that a test wants to fail, and sends answers."""

    def __init__(self):
        self.lock = threading.RLock()
        self.faults = {}          # number of the request: what happens to it
        self.requests, self.log = 0, []
        self.fronts = [Front(self)]

    def close(self):
        for front in self.fronts:
            front.close()

    def fault(self, at, kind, code=503, reason="", seconds=1):
        self.faults[at] = (kind, code, reason, seconds)

    # ---- what a service says of itself

    def route(self, front, handler, path, arguments, body):
        raise NotImplementedError

    def injected(self, front, path, code, reason, message):
        """The service's own error of this code."""
        raise NotImplementedError

    def take_half(self, handler, path, arguments, body):
        """What of a body arrived before its connection was cut; most services forget it."""

    # ---- requests

    def serve(self, handler, front):
        with self.lock:
            self.requests += 1
            fault = self.faults.pop(self.requests, None)
        kind = fault[0] if fault else None
        length = int(handler.headers.get("Content-Length") or 0)
        halved = kind == "cut_half" and length > 1
        body = handler.rfile.read(length // 2 if halved else length)
        where = urllib.parse.urlsplit(handler.path)
        arguments = dict(urllib.parse.parse_qsl(where.query, keep_blank_values=True))
        self.log.append(f"{handler.command} {where.path}")
        try:
            if kind == "slow":
                time.sleep(fault[3])
            if kind == "cut_before":
                raise Cut
            if kind == "before":
                raise self.injected(front, where.path, fault[1], fault[2], "an injected error")
            if halved:
                self.take_half(handler, where.path, arguments, body)
                raise Cut
            status, headers, answer = self.route(front, handler, where.path, arguments, body)
            if kind == "cut_after":
                raise Cut
            if kind == "after":
                raise self.injected(front, where.path, fault[1], fault[2], "an injected error, after it was done")
        except Cut:
            self.cut(handler)
            return
        except Refused as problem:
            status, headers, answer = problem.answer()
        except Exception:  # a defect of the stand-in, seen in the test's output; the client gets an error that no test expects
            traceback.print_exc()
            status, headers, answer = 400, {}, {"code": "standin", "message": "the stand-in failed: " + traceback.format_exc(limit=-1)}
        self.send(handler, status, headers, answer, kind == "cut_half")

    @staticmethod
    def cut(handler):
        handler.close_connection = True
        handler.connection.close()

    def send(self, handler, status, headers, answer, half):
        text = b"" if answer is None else answer if isinstance(answer, bytes) else answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        if text and "Content-Type" not in headers:
            handler.send_header("Content-Type", "text/plain; charset=UTF-8" if isinstance(answer, str) else "application/json; charset=UTF-8")
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text[:len(text) // 2] if half else text)
        if half:
            handler.wfile.flush()
            self.cut(handler)
