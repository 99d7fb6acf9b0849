"""The admin address under attack: strict heads, deadlines, caps, and probes that nothing can hold.

What bounds are checked is memory (resident, and of the kernel's sockets), descriptors, and how a
canary's probes do beside the attack compared with the same without it.
"""
import contextlib
import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest
import redis as redis_client

from attack.pressure import MB, kernel_mb, n_descriptors, resident_mb
from harness.build import build_type, patience
from harness.rawhttp import Closed, Connection
from harness.wait import wait_until

GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n"


def dial(daemon, seconds=20):
    return Connection("127.0.0.1", daemon.admin_port, seconds)


def probe(daemon, path="/livez"):
    """How long a probe took on a connection of its own, in seconds; it must be answered."""
    begin = time.monotonic()
    with dial(daemon) as connection:
        reply = connection.request(path, "x")
    assert reply.status == 200, reply
    return time.monotonic() - begin


def probes(daemon, n=60):
    """The time that 95 of 100 probes took no longer than."""
    times = []
    for i in range(n):
        times.append(probe(daemon, ("/livez", "/readyz", "/metrics")[i % 3]))
        time.sleep(0.005)  # the canary's own pace
    return sorted(times)[int(n * 0.95)]


@contextlib.contextmanager
def held(daemon, n, first_bytes):
    """n connections that have sent `first_bytes` and go no further."""
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(n):
            connections.append(stack.enter_context(dial(daemon)))
            with contextlib.suppress(OSError):
                connections[-1].send(first_bytes)
        yield connections


# --- strict heads ---

HEADS = [
    ("a plain request", GET + b"\r\n", 200),
    ("empty lines before it", b"\r\n\r\n" + GET + b"\r\n", 200),
    ("HTTP/1.0 without Host", b"GET /livez HTTP/1.0\r\n\r\n", 200),
    ("the absolute form", b"GET http://x/livez HTTP/1.1\r\nHost: y\r\n\r\n", 200),
    ("haproxy's plain check", b"OPTIONS / HTTP/1.0\r\n\r\n", 204),
    ("a method that no path takes", b"PATCH /livez HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    ("a method that nobody knows", b"BREW /livez HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    ("a method in lower case", b"get /livez HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    ("HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("HTTP/1.2", b"GET /livez HTTP/1.2\r\nHost: x\r\n\r\n", 505),
    ("a handshake of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("a bare LF", b"GET /livez HTTP/1.1\nHost: x\n\n", 400),
    ("a bare LF behind one field", b"GET /livez HTTP/1.1\r\nHost: x\na: b\r\n\r\n", 400),
    ("a bare CR in a value", GET + b"a: b\rc\r\n\r\n", 400),
    ("a NUL in a value", GET + b"a: b\0c\r\n\r\n", 400),
    ("a folded field", GET + b"a: b\r\n c\r\n\r\n", 400),
    ("a blank before the colon", GET + b"a : b\r\n\r\n", 400),
    ("an empty field name", GET + b": b\r\n\r\n", 400),
    ("a field without a colon", GET + b"abc\r\n\r\n", 400),
    ("a name that is no token", GET + b"a@b: c\r\n\r\n", 400),
    ("no target", b"GET HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("a relative target", b"GET livez HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("a target of *", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("a blank in the target", b"GET /live z HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("a fragment in the target", b"GET /livez#x HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("HTTP/1.1 without Host", b"GET /livez HTTP/1.1\r\n\r\n", 400),
    ("two Hosts", GET + b"Host: y\r\n\r\n", 400),
    ("a bad Host", b"GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("two lengths that agree", b"POST /v1/links HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    ("two lengths that differ", b"POST /v1/links HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    ("a list of lengths", b"POST /v1/links HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 2\r\n\r\n{}", 400),
    ("a length with a sign", b"POST /v1/links HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}", 400),
    ("a negative length", b"POST /v1/links HTTP/1.1\r\nHost: x\r\nContent-Length: -2\r\n\r\n{}", 400),
    ("a length in hex", b"POST /v1/links HTTP/1.1\r\nHost: x\r\nContent-Length: 0x2\r\n\r\n{}", 400),
    ("a length of GET", GET + b"Content-Length: 2\r\n\r\n{}", 400),
    ("a length beyond all", b"POST /v1/links HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
    ("chunks", b"POST /v1/links HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("chunks, with a blank before the colon",
     b"POST /v1/links HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    ("chunks and a length",
     b"POST /v1/links HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    ("an odd expectation", GET + b"Expect: tea\r\n\r\n", 417),
    ("a request line of 9 KiB", b"GET /livez?" + b"x" * 9216 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    ("a head of 40 KiB", GET + b"a: " + b"x" * 20000 + b"\r\nb: " + b"x" * 20000 + b"\r\n\r\n", 431),
    ("129 fields", GET + b"a: b\r\n" * 128 + b"\r\n", 431),
]


def test_heads_are_read_as_strictly_as_on_the_public_port(hopcountd):
    for name, head, status in HEADS:
        with dial(hopcountd) as connection:
            connection.send(head)
            reply = connection.receive()
            assert reply.status == status, f"{name}: {reply}"
            # A refused head is the last: what follows it can't be told from a body.
            if status in (400, 413, 414, 417, 431, 501, 505):
                assert reply.headers["connection"] == "close", name
                assert json.loads(reply.body)["status"] == status, name
                connection.send(b"\r\n")
                assert connection.is_closed(), name
        probe(hopcountd)


def test_a_head_means_the_same_in_whatever_pieces_it_comes(hopcountd, rng):
    for name, head, status in HEADS:
        with dial(hopcountd) as connection:
            at = 0
            while at < len(head):
                n = rng.choice((1, 2, 7, 1460, 9000))
                with contextlib.suppress(OSError):  # it may have been refused already
                    connection.send(head[at:at + n])
                at += n
            try:
                assert connection.receive().status == status, name
            except Closed:
                pytest.fail(f"{name}: closed without a reply")


@pytest.mark.tsan
def test_requests_are_answered_in_order_on_one_connection(hopcountd):
    with dial(hopcountd) as connection:
        connection.send(GET + b"\r\n" + b"GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n" + GET + b"\r\n"
                        + b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n" + GET + b"Connection: close\r\n\r\n")
        assert [connection.receive(method).status for method in ("GET", "GET", "GET", "HEAD", "GET")] == [
            200, 404, 200, 200, 200]
        assert connection.is_closed()


def test_who_has_said_all_is_answered(hopcountd):
    """Like `nc`, which closes its sending side behind the request."""
    for target, status in (("/livez", 200), ("/v1/openapi.json", 200), ("/v1/stats", 401)):
        with dial(hopcountd) as connection:
            connection.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")
            connection.socket.shutdown(socket.SHUT_WR)
            assert connection.receive().status == status
            assert connection.is_closed()


# --- deadlines ---

@pytest.mark.parametrize("name, first, drop", [
    ("a head", b"GET /livez HTTP/1.1\r\nHost: x\r\na: ", b"x"),
    ("a body", b"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{", b" "),
])
def test_a_byte_now_and_then_does_not_keep_a_connection(hopcountd, name, first, drop):
    with dial(hopcountd, 60) as connection:
        connection.send(first)
        connection.socket.settimeout(0.5)
        reply = b""
        begin = time.monotonic()
        while not reply:
            assert time.monotonic() - begin < patience(25), f"{name} is waited for without end"
            try:
                reply = connection.socket.recv(65536)
            except TimeoutError:
                connection.send(drop)
        assert reply.startswith(b"HTTP/1.1 408 "), reply


# --- bodies ---

def post(daemon, target, length, key=None, body=None, fields=""):
    """The reply to a request whose body is announced and, with `body`, sent."""
    with dial(daemon) as connection:
        bearer = f"Authorization: Bearer {key}\r\n" if key else ""
        connection.send(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{bearer}{fields}"
                        f"Content-Length: {length}\r\n\r\n")
        if body is not None:
            with contextlib.suppress(OSError):
                connection.send(body)
        return connection.receive()


def test_a_long_body_is_for_who_has_a_key_and_a_route_that_takes_it(hopcountd):
    key = hopcountd.api_key
    links = json.dumps([{"brand": "acme", "kind": "pay", "object": n} for n in range(1, 1000)]).encode()
    for name, reply, status in (
        ("to sign in", post(hopcountd, "/v1/session", 4097), 413),
        ("to sign in, short", post(hopcountd, "/v1/session", 4096, body=b'{"key":"hc_x"}'.ljust(4096)), 401),
        ("links without a key", post(hopcountd, "/v1/links", MB), 401),
        ("links with a wrong key", post(hopcountd, "/v1/links", MB, f"{key}x"), 401),
        ("links with a key", post(hopcountd, "/v1/links", MB, key, links.ljust(MB)), 201),
        ("more links than anybody has", post(hopcountd, "/v1/links", 5 * MB, key), 413),
        ("to a path that takes none", post(hopcountd, "/v1/stats", MB, key), 405),
        ("to no path", post(hopcountd, "/nothing", MB, key), 404),
    ):
        assert reply.status == status, f"{name}: {reply}"


def test_a_body_that_will_not_be_read_is_not_asked_for(hopcountd):
    expect = "Expect: 100-continue\r\n"
    with dial(hopcountd) as connection:
        connection.send(f"POST /v1/links HTTP/1.1\r\nHost: x\r\n{expect}Content-Length: {MB}\r\n\r\n")
        assert connection.receive().status == 401
    with dial(hopcountd) as connection:
        connection.send(f"POST /v1/links HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {hopcountd.api_key}\r\n{expect}"
                        "Content-Length: 27\r\n\r\n")
        connection._more()
        assert connection.rest == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.send(b'{"kind":"view","object":12}')
        assert connection.receive().status == 201


# --- caps, and a canary ---

def long_body(length):
    return (b"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % length)


UNFINISHED = (
    ("4 MB but for a byte, to sign in", long_body(4 * MB) + b" " * (4 * MB - 1)),
    ("64 KiB but for a byte, of links",
     b"POST /v1/links HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n" + b" " * 65535),
    ("half a head", GET + b"a: " + b"x" * 30000),
    ("nothing", b""),
)


def test_unfinished_requests_take_little_memory_and_give_it_back(daemon):
    calm = probes(daemon)
    before = resident_mb(daemon)
    left = []
    for _ in range(3):  # under load the first may take less than the others
        for name, first in UNFINISHED:
            with held(daemon, 300, first):
                taken = resident_mb(daemon) - before
                assert taken < (60 if build_type() == "Release" else 120), f"{name}: {taken} MB"
                assert kernel_mb(daemon.admin_port) < 60, name
                assert probes(daemon) < max(10 * calm, patience(0.3)), name
                metrics = daemon.metrics()
                assert metrics["hopcount_admin_connections"] <= metrics["hopcount_admin_connections_max"]
        wait_until(lambda: daemon.metrics()["hopcount_admin_connections"] < 20, 20, "the connections to be gone")
        left.append(resident_mb(daemon))
    # AddressSanitizer keeps what was freed for a while, and finds what is lost itself.
    assert left[-1] - max(left[:-1]) < (10 if build_type() == "Release" else 50), left
    if build_type() == "Release":  # AddressSanitizer gives nothing back
        wait_until(lambda: resident_mb(daemon) - before < 20, 20, "the memory to be given back")


@pytest.mark.tsan
def test_json_without_a_key_holds_no_probe(daemon):
    calm = probes(daemon)
    body = b'{"key":[' + b"1," * 1000000 + b"1]}"
    stop = threading.Event()

    def flood():
        while not stop.is_set():
            with contextlib.suppress(OSError, Closed), dial(daemon) as connection:
                connection.send(long_body(len(body)) + body)
                connection.receive()

    threads = [threading.Thread(target=flood) for _ in range(20)]
    before = resident_mb(daemon)
    for thread in threads:
        thread.start()
    try:
        assert probes(daemon) < max(20 * calm, patience(0.5))
        assert resident_mb(daemon) - before < 40
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.tsan
def test_a_key_that_keeps_the_api_busy_holds_no_probe(daemon):
    """4 MB of JSON, authorised, takes the API thread a while: not the front."""
    stop = threading.Event()
    body = ("[" + ",".join(['{"kind":"nonsense"}'] * 150000) + "]").encode()

    def flood():
        while not stop.is_set():
            with contextlib.suppress(OSError, Closed):
                post(daemon, "/v1/links", len(body), daemon.api_key, body)

    calm = probes(daemon)
    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        assert probes(daemon) < max(20 * calm, patience(0.5))
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_requests_of_clients_that_have_gone_do_not_pile_up(daemon):
    """While the API thread is busy with one request, many come whose clients reset the connection."""
    before = resident_mb(daemon)
    body = ("[" + ",".join(['{"kind":"nonsense"}'] * 200000) + "]").encode()
    busy = threading.Thread(target=post, args=(daemon, "/v1/links", len(body), daemon.api_key, body))
    busy.start()
    for _ in range(3000):
        with socket.create_connection(("127.0.0.1", daemon.admin_port), timeout=patience(10)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.sendall(b"GET /v1/stats HTTP/1.1\r\nHost: x\r\na: " + b"x" * 20000 + b"\r\n\r\n")
    assert daemon.metrics()["hopcount_admin_requests"] <= daemon.metrics()["hopcount_admin_connections_max"]
    busy.join()
    wait_until(lambda: daemon.metrics()["hopcount_admin_requests"] == 1, 10, "all to be forgotten")
    assert resident_mb(daemon) - before < 250  # ASan keeps for a while what was freed
    probe(daemon)


def test_who_does_not_read_holds_little_and_not_for_long(daemon):
    before = resident_mb(daemon)
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", daemon.admin_port))
            sock.setblocking(False)
            with contextlib.suppress(OSError):
                sock.send(b"GET /dashboard/chart.min.js HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
        wait_until(lambda: daemon.metrics()["hopcount_admin_connections"] > 100, 10, "the connections")
        assert resident_mb(daemon) - before < 40
        assert kernel_mb(daemon.admin_port) < 60
        wait_until(lambda: kernel_mb(daemon.admin_port) < 2, 40, "the replies that nobody takes to be dropped")
        probe(daemon)


def test_too_many_connections_of_one_address_end_none_of_others(make_hopcountd, redis):
    daemon = make_hopcountd(redis)
    other = http.client.HTTPConnection("127.0.0.1", daemon.admin_port, timeout=patience(10),
                                       source_address=("127.0.0.2", 0))
    other.request("GET", "/livez")
    assert other.getresponse().read()
    with held(daemon, 600, GET):
        metrics = daemon.metrics()
        assert metrics["hopcount_admin_connections"] <= metrics["hopcount_admin_connections_max"]
        assert metrics["hopcount_admin_connections_evicted_total"] > 0
        mine = other.sock
        other.request("GET", "/livez")
        assert other.getresponse().status == 200 and other.sock is mine
    other.close()


# --- out of descriptors ---

def set_limit(daemon, n):
    subprocess.run(["prlimit", f"--pid={daemon.pid}", f"--nofile={n}:"], check=True)


def test_probes_are_answered_when_there_are_no_descriptors(make_hopcountd, redis):
    daemon = make_hopcountd(redis)
    link = daemon.mint("pay", 1)
    daemon.click(link)
    limit = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)[0]
    set_limit(daemon, n_descriptors(daemon))
    with held(daemon, 40, b"") as connections:
        for path in ("/livez", "/readyz", "/metrics") * 5:
            probe(daemon, path)
        metrics = daemon.metrics()
        assert metrics["process_open_fds"] >= metrics["process_max_fds"] - 10
        assert connections[0].is_closed()  # the longest idle one gave its descriptor
    assert daemon.is_running()
    set_limit(daemon, limit)
    wait_until(lambda: daemon.click(link), 10, "the public port to accept")
    wait_until(lambda: daemon.clicks(link)["total"] == 2, 20, "the clicks to be counted")
    daemon.shut_down()


def test_a_flood_of_the_public_port_holds_no_probe(make_hopcountd, redis):
    """One recipient with a valid link, and as many connections as there are descriptors."""
    daemon = make_hopcountd(redis, wrapper=["prlimit", "--nofile=256:256"])
    link = daemon.mint("pay", 1)
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            with contextlib.suppress(OSError):
                connection = stack.enter_context(daemon.connect(seconds=2))
                connection.send(f"GET /{link} HTTP/1.1\r\nHost: go.acme.example\r\n\r\n")
        for _ in range(10):
            probe(daemon)
    wait_until(lambda: daemon.click(link), 10, "the public port to accept")
    daemon.shut_down()


def test_what_needs_a_descriptor_and_gets_none_is_tried_again(make_hopcountd, redis):
    """The resolver and links to Redis (after it has been away), the keeper's segments, and a reload."""
    daemon = make_hopcountd(redis, {"ledger": {"segment_bytes": 65536}, "redis": {
        "url": redis.url.replace("127.0.0.1", "localhost")}})
    link = daemon.mint("pay", 1)
    daemon.click(link)
    limit = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)[0]
    with dial(daemon) as probing, daemon.connect() as clicking:
        assert probing.request("/livez", "x").status == 200
        assert clicking.request(f"/{link}").status == 302
        redis.kill()
        wait_until(lambda: b"hopcount_redis_up 0" in probing.request("/metrics", "x").body, 20, "Redis to be missed")
        set_limit(daemon, n_descriptors(daemon))
        redis.start()
        for _ in range(3000):  # several segments
            assert clicking.request(f"/{link}").status == 302
        assert probing.request("/readyz", "x").status == 200
        daemon.reload()
        assert probing.request("/readyz", "x").status == 200
    set_limit(daemon, limit)
    dropped = daemon.metrics().total("hopcount_clicks_dropped_total")
    daemon.wait_counted(3002 - dropped, [link], 60)
    assert daemon.metrics().total("hopcount_clicks_dropped_total") == dropped
    daemon.shut_down()


def test_a_private_redis_that_dies_without_descriptors_comes_back(make_hopcountd):
    daemon = make_hopcountd()
    link = daemon.mint("pay", 1)
    daemon.click(link)
    daemon.wait_counted(1, [link])
    limit = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)[0]
    client = redis_client.Redis(unix_socket_path=str(daemon.state_dir / "redis/redis.sock"))
    child = client.info("server")["process_id"]
    client.close()
    with daemon.connect() as clicking, dial(daemon) as probing:
        assert clicking.request(f"/{link}").status == 302
        assert probing.request("/readyz", "x").status == 200
        set_limit(daemon, 8)  # also of those that its end sets free, none can be had again
        os.kill(child, signal.SIGKILL)
        wait_until(lambda: daemon.log_lines("redis.start") or len(daemon.log_lines("redis.ended")) > 1, 30,
                   "a start in vain")
        assert clicking.request(f"/{link}").status == 302
        assert probing.request("/readyz", "x").status == 200
        set_limit(daemon, limit)
    daemon.wait_counted(3, [link], 60)
    daemon.shut_down()


def test_a_geo_file_that_comes_without_descriptors_is_read_later(make_hopcountd, redis, tmp_path):
    """It is looked at every ten seconds; what could not be opened must not count as seen."""
    geo = tmp_path / "country.mmdb"
    daemon = make_hopcountd(redis, {"geo": {"country": str(geo)}})
    limit = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)[0]
    set_limit(daemon, n_descriptors(daemon) - 1)
    geo.write_bytes(b"no database")
    wait_until(lambda: daemon.log_lines("geo.bad"), 40, "the log to tell of it")
    set_limit(daemon, limit)
    wait_until(lambda: len(daemon.log_lines("geo.bad")) > 1, 40, "the file to be read")
    assert ["Too many open files" in line for line in daemon.log_lines("geo.bad")] == [True, False]
    daemon.shut_down()
