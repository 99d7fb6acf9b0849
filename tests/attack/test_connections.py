"""The machine of a public connection: whatever pieces a client sends in, however it leaves.

Many connections at a time send random requests in random pieces.  Some stay and compare each reply
with what the same request is answered alone; some say all and close their side; some leave in the
middle, with or without a reset.  Each has a link of its own, so that clicks are compared by client.
"""
import contextlib
import random
import socket
import struct

import pytest

from attack.pressure import n_descriptors
from faults.counts import read_counts
from faults.trial import conserve
from harness import tokens
from harness.load import BROWSER
from harness.wait import wait_until

HOST = "go.acme.example"
N_CLIENTS = 120
PROXY_V1 = b"PROXY TCP4 198.51.100.7 127.0.0.1 4711 80\r\n"
PROXY_V2 = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton("198.51.100.7")
            + socket.inet_aton("127.0.0.1") + b"\x12\x67\0\x50")

# What a connection goes on after: (request, method, status, clicks of the client's link).
KEEPING = [
    (b"GET /{link} HTTP/1.1\r\nHost: {host}\r\n\r\n", "GET", 302, 1),
    (b"GET /{link} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\n\r\n", "GET", 302, 1),
    (b"HEAD /{link} HTTP/1.1\r\nhost:{host}\r\n\r\n", "HEAD", 302, 1),
    (b"GET /{link}?utm_source=mail HTTP/1.1\r\nHost: {host}\r\nCookie: {long}\r\n\r\n", "GET", 302, 1),
    (b"GET /%20{link}%20Pay HTTP/1.1\r\nHost: {host}:8443\r\n\r\n", "GET", 302, 1),
    (b"GET http://{host}/{link} HTTP/1.1\r\nHost: {host}\r\n\r\n", "GET", 302, 1),
    (b"\r\nGET /{link} HTTP/1.1\r\nHost: {host}\r\n\r\n", "GET", 302, 1),
    (b"GET /{silent} HTTP/1.1\r\nHost: {host}\r\n\r\n", "GET", 302, 0),
    (b"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n", "GET", 302, 0),
    (b"GET /robots.txt HTTP/1.1\r\nHost: {host}\r\n\r\n", "GET", 200, 0),
    (b"GET /nothing HTTP/1.1\r\nHost: {host}\r\n\r\n", "GET", 404, 0),
    (b"HEAD /nothing HTTP/1.1\r\nHost: {host}\r\n\r\n", "HEAD", 404, 0),
    (b"GET /{expired} HTTP/1.1\r\nHost: {host}\r\n\r\n", "GET", 410, 0),
]
# What is the last that a connection is answered; what comes behind it must not count.
ENDING = [
    (b"GET /{link} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n", "GET", 302, 1),
    (b"GET /{link} HTTP/1.0\r\nHost: {host}\r\n\r\n", "GET", 302, 1),
    (b"POST /{link} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\n\r\na=b", "POST", 405, 0),
    (b"GET /{link} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\n\r\nabc", "GET", 400, 0),
    (b"GET /{link} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "GET", 400, 0),
    (b"GET /{link} HTTP/1.1\r\n\r\n", "GET", 400, 0),
    (b"GET /{link} HTTP/1.1\nHost: {host}\n\n", "GET", 400, 0),
    (b"GET /{link} HTTP/1.1\r\nHost: {host}\r\na: b\r\n c\r\n\r\n", "GET", 400, 0),
    (b"DELETE /{link} HTTP/1.1\r\nHost: {host}\r\n\r\n", "GET", 405, 0),
    (b"BREW /{link} HTTP/1.1\r\nHost: {host}\r\n\r\n", "GET", 501, 0),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET", 505, 0),
    (b"GET /{link}?{line} HTTP/1.1\r\nHost: {host}\r\n\r\n", "GET", 414, 0),
    (b"GET /{link} HTTP/1.1\r\nHost: {host}\r\na: {head}\r\n\r\n", "GET", 431, 0),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "GET", 400, 0),
]
WAYS = ["stays", "stays", "says all", "leaves", "resets"]


def fill(text, daemon, link, rng):
    values = {b"link": link.encode(), b"host": HOST.encode(), b"agent": BROWSER.encode(),
              b"long": b"c=0; " * rng.randrange(1, 800), b"line": b"x" * 9000, b"head": b"x" * 34000,
              b"silent": daemon.silent.encode(), b"expired": daemon.expired.encode()}
    for name, value in values.items():
        text = text.replace(b"{" + name + b"}", value)
    return text


class Client:
    """One connection's script: bytes, where they are cut, and what is to come back."""

    def __init__(self, daemon, rng, number, header):
        self.rng, self.number, self.way = rng, number, rng.choice(WAYS)
        self.link = daemon.mint("view", 10 + number)
        requests = rng.choices(KEEPING, k=rng.randrange(1, 20))
        if rng.random() < 0.5:
            requests.append(rng.choice(ENDING))
        self.replies = [(method, status) for _, method, status, _ in requests]
        self.clicks = sum(row[3] for row in requests)
        self.data = header + b"".join(fill(row[0], daemon, self.link, rng) for row in requests)
        if requests[-1] in ENDING:
            self.data += fill(KEEPING[0][0], daemon, self.link, rng)  # not to be answered
        self.size = max(rng.choice([1, 3, 40, 700, 20000]), len(self.data) // 400)  # not for ever
        self.leaves_at = rng.randrange(len(self.data)) if self.way in ("leaves", "resets") else None
        self.at = 0
        self.connection = daemon.connect(seconds=5)

    def step(self):
        """Sends a piece; False: there is nothing more to send."""
        if self.leaves_at is not None and self.at >= self.leaves_at:
            if self.way == "resets":
                self.connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return False
        piece = self.data[self.at:self.at + self.rng.randrange(1, 2 * self.size)]
        self.at += len(piece)
        with contextlib.suppress(OSError):  # refused already: what comes is the reply to that
            self.connection.send(piece)
        if self.at < len(self.data) or self.leaves_at is not None:
            return True
        if self.way == "says all":
            with contextlib.suppress(OSError):
                self.connection.socket.shutdown(socket.SHUT_WR)
        return False

    def check_replies(self):
        if self.leaves_at is not None:
            return
        for i, (method, status) in enumerate(self.replies):
            reply = self.connection.receive(method)
            assert reply.status == status, f"client {self.number}, {self.way}, request {i}: {reply}"
        self.connection.close()


def play(daemon, rng, first, header):
    """A crowd of clients, one piece of one of them at a time; returns them when all are done."""
    crowd = [Client(daemon, rng, first + i, header) for i in range(N_CLIENTS)]
    sending = list(crowd)
    while sending:
        client = rng.choice(sending)
        if not client.step():
            sending.remove(client)
            client.check_replies()
    return crowd


def check(daemon, redis, crowd):
    """Each click once: of who stayed all, of who left no more than were sent."""
    last = {}

    def applied():
        last["metrics"] = metrics = daemon.metrics()
        came, there = conserve(metrics)
        return came == there and metrics["hopcount_clicks_pending"] == 0 and metrics["hopcount_connections"] == 0
    wait_until(applied, 20, lambda: f"all connections to be gone, and all clicks to be applied: {last}")
    counts = read_counts(redis.client())
    for client in crowd:
        n = counts.links[tokens.link_id(client.link)]
        least = client.clicks if client.leaves_at is None else 0
        assert least <= n <= client.clicks, f"client {client.number}, {client.way}: {n} of {client.clicks}"


def run_rounds(make_hopcountd, redis, seed, n_rounds, public, header=b""):
    daemon = make_hopcountd(redis, {"public": {"head_s": 60, **public}, "redis": {"flush_ms": 20}})
    daemon.silent = daemon.mint("view", 1, silent=True)
    daemon.expired = daemon.mint("view", 2, ttl=1, issued_s=1750000000)
    rng = random.Random(seed)
    before, crowds = None, []
    for i in range(n_rounds):
        crowds += play(daemon, rng, i * N_CLIENTS, header)
        check(daemon, redis, crowds)
        before = before or n_descriptors(daemon)
        assert n_descriptors(daemon) <= before + 4, "descriptors are left behind"
    daemon.shut_down()


WHENCE = [("no proxy", {}, b""),
          ("the PROXY protocol, version 1",
           {"client_address": "proxy_protocol", "trusted_proxies": ["127.0.0.0/8"]}, PROXY_V1),
          ("the PROXY protocol, version 2",
           {"client_address": "proxy_protocol", "trusted_proxies": ["127.0.0.0/8"]}, PROXY_V2)]


@pytest.mark.parametrize("public, header", [row[1:] for row in WHENCE], ids=[row[0] for row in WHENCE])
def test_requests_mean_the_same_in_whatever_pieces_they_come(make_hopcountd, redis, seed, public, header):
    run_rounds(make_hopcountd, redis, seed, 3, public, header)


@pytest.mark.soak
@pytest.mark.parametrize("public, header", [row[1:] for row in WHENCE], ids=[row[0] for row in WHENCE])
def test_many_connections_in_random_pieces(make_hopcountd, redis, seed, public, header):
    run_rounds(make_hopcountd, redis, seed, 100, public, header)
