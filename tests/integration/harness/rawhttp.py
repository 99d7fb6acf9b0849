"""HTTP/1 over a plain socket: what is sent is exactly the bytes given."""
import socket

from .build import patience


class Closed(Exception):
    """The peer closed before a whole reply was there; `.rest` is what had come."""

    def __init__(self, rest):
        super().__init__(f"closed after {rest!r}")
        self.rest = rest


class Reply:
    """Status, fields (names in lower case; the last of a name wins) and body of a reply."""

    def __init__(self, head, body):
        self.head = head
        self.body = body
        lines = head.decode("latin-1").split("\r\n")
        version, status, *reason = lines[0].split(" ", 2)
        self.version, self.status = version, int(status)
        self.reason = reason[0] if reason else ""
        self.fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        self.headers = {name.lower(): value for name, value in self.fields}

    @property
    def location(self):
        return self.headers.get("location")

    def __repr__(self):
        return f"<Reply {self.status} {self.headers} {self.body[:200]!r}>"


class Connection:
    """One TCP connection.  `receive()` reads one reply, in the order of the requests."""

    def __init__(self, host, port, seconds=10, source=None):
        self.socket = socket.create_connection(
            (host, port), patience(seconds), source_address=source)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            raise Closed(self.rest)
        self.rest += data

    def receive(self, method="GET"):
        """The next reply; `method` tells whether it may have a body.  Raises Closed."""
        while True:
            while b"\r\n\r\n" not in self.rest:
                self._more()
            head, _, rest = self.rest.partition(b"\r\n\r\n")
            reply = Reply(head, b"")
            if reply.status >= 200:
                break
            self.rest = rest  # 100 Continue
        length = int(reply.headers.get("content-length", 0))
        if method == "HEAD" or reply.status in (204, 304):
            length = 0
        start = len(head) + 4
        while len(self.rest) < start + length:
            self._more()
        reply.body = self.rest[start:start + length]
        self.rest = self.rest[start + length:]
        return reply

    def is_closed(self):
        """Reads on: True when the peer closed, False when it says something more."""
        if self.rest:
            return False
        try:
            data = self.socket.recv(1)
        except ConnectionError:
            return True
        self.rest += data
        return not data

    def request(self, path="/", host="go.acme.example", method="GET", headers=(), body=b""):
        """Sends a well-formed request and returns its reply."""
        self.send(request_bytes(path, host, method, headers, body))
        return self.receive(method)


def request_bytes(path, host="go.acme.example", method="GET", headers=(), body=b""):
    fields = dict(headers)
    if body or method == "POST":
        fields.setdefault("Content-Length", str(len(body)))
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body
