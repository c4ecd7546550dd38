"""A stand-in for a server of a version that cannot be had: it says the version, and either answers every query with an error or hands everything on to a real server behind it."""
import os
import socket
import struct
import threading


def message(kind, *parts):
    body = b"".join(parts)
    return kind + struct.pack("!I", len(body) + 4) + body


def text(value):
    return value.encode() + b"\0"


def take(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise ConnectionError("the other end has closed")
        data += more
    return data


def relay(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        target.close()


class StandIn:
    """Listens on a socket in a folder, as a server on port 5432 does. behind: path of a real server's socket."""

    def __init__(self, folder, version, behind=None):
        self.version, self.behind, self.folder, self.queries = version, behind, folder, []
        os.makedirs(folder, exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.join(folder, ".s.PGSQL.5432"))
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def conninfo(self, database="postgres"):
        return f"host={self.folder} port=5432 user=postgres dbname={database}"

    def close(self):
        self.listener.close()

    def accept(self):
        try:
            while True:
                threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()
        except OSError:
            pass

    def serve(self, connection):
        try:
            startup = take(connection, struct.unpack("!I", take(connection, 4))[0] - 4)
            if self.behind:
                self.hand_on(connection, startup)
            else:
                self.answer(connection)
        except OSError:
            pass
        finally:
            connection.close()

    def hand_on(self, connection, startup):
        server = socket.socket(socket.AF_UNIX)
        server.connect(self.behind)
        server.sendall(struct.pack("!I", len(startup) + 4) + startup)
        kind = b""
        while kind not in (b"Z", b"E"):
            kind = take(server, 1)
            body = take(server, struct.unpack("!I", take(server, 4))[0] - 4)
            if kind == b"S" and body.startswith(b"server_version\0"):
                body = text("server_version") + text(self.version)
            connection.sendall(message(kind, body))
        threading.Thread(target=relay, args=(server, connection), daemon=True).start()
        relay(connection, server)

    def answer(self, connection):
        connection.sendall(message(b"R", struct.pack("!I", 0)))
        for name, value in (("server_version", self.version), ("server_encoding", "UTF8"), ("client_encoding", "UTF8"), ("standard_conforming_strings", "on")):
            connection.sendall(message(b"S", text(name), text(value)))
        connection.sendall(message(b"K", struct.pack("!II", 1, 1)) + message(b"Z", b"I"))
        while take(connection, 1) == b"Q":
            self.queries.append(take(connection, struct.unpack("!I", take(connection, 4))[0] - 4))
            connection.sendall(message(b"E", b"SERROR\0C42704\0Mthis server has nothing of the kind\0\0") + message(b"Z", b"I"))
