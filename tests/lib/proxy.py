"""A TCP proxy on loopback whose connections can be cut, to stand for a bad network."""
import random
import select
import socket
import threading

from server import free_port


class Proxy:
    def __init__(self, target_port):
        self.target_port = target_port
        self.port = free_port()
        self.lock = threading.Lock()  # guards pairs, refusing
        self.pairs = []
        self.refusing = False
        self.closing = False
        self.cuts = 0
        self.awaited = None  # (text, what is done before it goes on)
        self.last_word = None  # what the next session hears with its first ReadyForQuery
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(32)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self.closing:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                refusing = self.refusing
            if refusing:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.target_port))
            except OSError:
                near.close()
                continue
            with self.lock:
                self.pairs.append((near, far))
            threading.Thread(target=self._pump, args=(near, far), daemon=True).start()

    def _pump(self, near, far):
        ends = {near: far, far: near}
        try:
            while True:
                for end in select.select([near, far], [], [], 60)[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    if end is near:
                        self._meet(data)
                    last_word = self._take_last_word(data) if end is far else b""
                    ends[end].sendall(data + last_word)
                    if last_word:
                        return
        except (OSError, ValueError):
            pass
        finally:
            self._drop((near, far))

    def before(self, text, act):
        """act() is called once, before the next message of a client that has text goes on to the server."""
        with self.lock:
            self.awaited = (text.encode(), act)

    def _meet(self, data):
        with self.lock:
            text, act = self.awaited or (None, None)
            if text is None or text not in data:
                return
            self.awaited = None
        act()

    def end_next_session(self, message):
        """The next session is ended by an administrator just as it begins, with this message."""
        fields = b"".join(kind + text + b"\0" for kind, text in ((b"S", b"FATAL"), (b"V", b"FATAL"), (b"C", b"57P01"), (b"M", message.encode()))) + b"\0"
        with self.lock:
            self.last_word = b"E" + (len(fields) + 4).to_bytes(4, "big") + fields

    def _take_last_word(self, data):
        with self.lock:
            word = self.last_word if data.endswith(b"Z\0\0\0\5I") else None
            if word:
                self.last_word = None
        return word or b""

    def _drop(self, pair):
        with self.lock:
            if pair in self.pairs:
                self.pairs.remove(pair)
        for end in pair:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def cut(self, rng=random):
        """Drops one connection, chosen by rng; gives whether there was one."""
        with self.lock:
            pair = rng.choice(self.pairs) if self.pairs else None
        if pair:
            self.cuts += 1
            self._drop(pair)
        return pair is not None

    def cut_all(self):
        with self.lock:
            pairs = list(self.pairs)
        for pair in pairs:
            self.cuts += 1
            self._drop(pair)

    def refuse(self, refusing):
        with self.lock:
            self.refusing = refusing

    def close(self):
        self.closing = True
        self.listener.close()
        self.cut_all()
