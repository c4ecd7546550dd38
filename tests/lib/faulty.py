"""A proxy between pgconvoy and an HTTP server that makes one request fail: before it arrives, after it was done (the answer is lost), or cut half-way through its body."""
import socket
import threading

from server import free_port


class FaultyProxy:
    def __init__(self, target_port):
        self.target_port, self.port = target_port, free_port()
        self.lock = threading.Lock()  # guards what follows
        self.count = self.failed = self.number = 0
        self.kind = ""
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def fail(self, number, kind):
        """From now on requests are counted from 1; this one fails. 0: none."""
        with self.lock:
            self.count, self.number, self.kind = 0, number, kind

    def close(self):
        self.listener.close()

    def cut_all(self):
        pass

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    @staticmethod
    def _message(stream):
        """Head and body of one message, or None at the end."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            if not line:
                return None
            head += line
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        if b"chunked" in head.lower():
            body = b""
            while True:
                size = stream.readline()
                chunk = stream.read(int(size, 16) + 2)
                body += size + chunk
                if int(size, 16) == 0:
                    return head, body
        return head, stream.read(length)

    def _serve(self, near):
        try:
            with near, socket.create_connection(("127.0.0.1", self.target_port)) as far:
                source, answers = near.makefile("rb"), far.makefile("rb")
                while (request := self._message(source)) is not None:
                    with self.lock:
                        self.count += 1
                        kind = self.kind if self.count == self.number else ""
                        self.failed += bool(kind)
                    if kind == "before":
                        return
                    if kind == "half":
                        far.sendall(request[0] + request[1][:len(request[1]) // 2])
                        return
                    far.sendall(request[0] + request[1])
                    answer = self._message(answers)
                    if kind == "after" or answer is None:
                        return
                    near.sendall(answer[0] + answer[1])
        except OSError:
            pass
