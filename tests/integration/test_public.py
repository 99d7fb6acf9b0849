"""The public port as clients see it: replies, framing, limits, draining."""
import concurrent.futures
import html
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness.build import patience
from harness.load import BROWSER
from harness.rawhttp import Closed, Connection, request_bytes
from harness.wait import wait_until

HOST = "go.acme.example"
TARGET = "https://billing.acme.example/viewinvoice.php?id=1234"
ONE_WORKER = {"public": {"workers": 1}}
IMF_DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d "
                      r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT")


@pytest.fixture
def daemon(make_hopcountd, redis):
    return make_hopcountd(redis, ONE_WORKER)


def total(daemon, outcome):
    return sum(value for name, value in daemon.metrics().items()
               if name.startswith("hopcount_requests_total{") and f'outcome="{outcome}"' in name)


def ended(daemon, reason):
    return daemon.metrics()[f'hopcount_connections_ended_total{{reason="{reason}"}}']


# --- replies ---

def test_a_link_is_a_302_with_exactly_these_fields(daemon):
    reply = daemon.get(f"/{daemon.mint()}")
    assert (reply.version, reply.status, reply.body) == ("HTTP/1.1", 302, b"")
    date = reply.headers.pop("date")
    assert IMF_DATE.fullmatch(date)
    assert reply.headers == {
        "location": TARGET,
        "cache-control": "private, no-store",
        "referrer-policy": "no-referrer",
        "x-robots-tag": "noindex, nofollow",
        "content-length": "0",
    }
    assert len(reply.fields) == 6


def test_head_gets_the_head_of_a_get_and_counts_as_a_probe(daemon):
    token = daemon.mint()
    browser = {"User-Agent": BROWSER}
    with daemon.connect() as connection:
        got = connection.request(f"/{token}", headers=browser)
        head = connection.request(f"/{token}", method="HEAD", headers=browser)
        assert connection.request("/robots.txt", method="HEAD").body == b""
        assert connection.request("/robots.txt").body.startswith(b"User-agent: *\nDisallow: /")
    for reply in (got, head):
        reply.headers.pop("date")
    assert head.headers == got.headers and head.body == b""
    daemon.wait_counted(2, [token])
    assert daemon.clicks(token) == {"total": 2, "human": 1, "automated": 1}


CHANGES = {
    "a slash": "/{}/", "utm": "/{}?utm_source=mail&utm_medium=email", "a slash and fbclid": "/{}/?fbclid=IwAR0",
    "a full stop": "/{}.", "an empty query": "/{}?", "a bracket": "/{})", "an opening one": "/{}(",
    "an encoded quote": "/{}%27", "utm without a question mark": "/{}&utm_source=x",
    "an encoded question mark": "/{}%3Futm_source=x", "one encoded twice": "/{}%253Futm_source%253Dx",
    "quoted-printable": "/{}=20", "text behind it": "/{}%20Pay%20now", "an encoded slash": "/{}%2F",
    "a second copy": "/{0}https://go.acme.example/{0}", "two slashes before it": "//{}", "a blank before it": "/%20{}",
    "a dot before it": "/./{}", "an encoded slash before it": "/%2F{}", "in brackets": "/%3C{}%3E",
    "an entity": "/{}&gt;", "a zero-width space": "/{}%E2%80%8B",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_mail_programs_put_around_a_link_is_forgiven(daemon, change):
    assert daemon.click(change.format(daemon.mint())[1:]).location == TARGET


INSIDE = ["%20", "%0A", "%0D%0A", "%09", "%C2%A0", "%C2%AD", "%E2%80%8B", "%3D%0A", "%3D%0D%0A", "=", "%253D%250A"]


@pytest.mark.parametrize("inside", INSIDE)
@pytest.mark.parametrize("arg", ["", "A7-north_2026.q4", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuv"],
                         ids=["no argument", "an argument", "the longest argument"])
def test_what_mail_programs_put_inside_a_link_is_left_out_and_it_counts_once(daemon, inside, arg):
    token = daemon.mint(arg=arg)
    third = len(token) // 3
    broken = token[:third] + inside + token[third:2 * third] + inside + token[2 * third:]
    assert daemon.click(broken).location == TARGET
    assert daemon.click(broken + "%20Pay%20now").location == TARGET
    daemon.wait_counted(2, [token])


def test_a_wrong_link_is_the_same_404_whatever_stands_around_it(daemon):
    token = daemon.mint()
    wrong = token[:30] + ("0" if token[30] != "0" else "1") + token[31:]
    replies = [daemon.get(change.format(wrong)) for change in ["/{}", *CHANGES.values()]]
    replies += [daemon.get(f"/{wrong[:20]}{inside}{wrong[20:]}") for inside in INSIDE]
    assert {(reply.status, reply.body) for reply in replies} == {(404, replies[0].body)}
    assert total(daemon, "redirect") == 0


@pytest.mark.parametrize("target, status", [
    (b"/%s#top", 302), (b"/%s\xc2\xa0Pay", 302), (b"/%s\xe2\x80\x9d?utm_source=x", 302), (b"/%s?n=M\xfcller#x", 302),
    (b"/\xc2\xa0%s", 400), (b"/#%s", 400), (b"/caf\xe9", 400), (b"/#", 400)])
def test_raw_bytes_and_fragments_are_passed_over_behind_a_link_and_in_a_query(daemon, target, status):
    token = daemon.mint()
    if b"%s" in target:
        target = target % token.encode()
    with daemon.connect() as connection:
        connection.send(b"GET " + target + b" HTTP/1.1\r\nHost: " + HOST.encode() + b"\r\n\r\n")
        reply = connection.receive()
    assert reply.status == status
    assert ("connection" in reply.headers) == (status == 400)


def test_a_link_in_capitals_works(daemon):
    assert daemon.click(daemon.mint().upper()).location == TARGET


OFFICE = ["ms-office", "Microsoft Office Existence Discovery", "Mozilla/4.0 (compatible; ms-office; MSOffice 16)",
          "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Excel 16.0.4266; Pro)",
          "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Trident/7.0; ms-office)",
          "Mozilla/5.0 (Macintosh; Intel Mac OS X) Word/14.20.0"]


@pytest.mark.parametrize("agent", OFFICE)
def test_an_office_program_gets_a_page_that_leads_on_and_its_click_is_counted(daemon, agent):
    token = daemon.mint("pay")
    with daemon.connect() as connection:
        page = connection.request(f"/{token}", headers={"User-Agent": agent})
        head = connection.request(f"/{token}", method="HEAD", headers={"User-Agent": agent})
        browser = connection.request(f"/{token}", headers={"User-Agent": BROWSER})
    assert page.status == head.status == 200 and browser.status == 302
    url = html.escape(browser.location)
    assert f'<meta http-equiv="refresh" content="0;url={url}">' in page.body.decode()
    assert f'href="{url}"' in page.body.decode()
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "private, no-store"
    assert head.body == b"" and head.headers["content-length"] == str(len(page.body))
    daemon.wait_counted(3, [token])
    assert total(daemon, "onward") == 2 and total(daemon, "redirect") == 1


def test_an_office_program_at_a_silent_link_is_not_counted(daemon):
    assert daemon.get(f"/{daemon.mint(silent=True)}", headers={"User-Agent": OFFICE[0]}).status == 200
    daemon.click(token := daemon.mint())
    daemon.wait_counted(1, [token])


def test_an_expired_link_is_a_410_that_helps(daemon):
    reply = daemon.get(f"/{daemon.mint(ttl=1, issued_s=1750000000)}")
    assert reply.status == 410
    assert b"clientarea.php" in reply.body or b"billing.acme.example" in reply.body
    assert reply.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in reply.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/x", "/favicon.ico", "/" + "0" * 45, "//", "/x/y"])
def test_what_is_no_link_is_a_404_and_the_connection_stays(daemon, path):
    with daemon.connect() as connection:
        reply = connection.request(path)
        assert reply.status == 404 and b"acme" in reply.body
        assert path.encode() not in reply.body or len(path) < 3
        assert connection.request(f"/{daemon.mint()}").status == 302


def test_a_link_of_one_brand_is_void_on_the_host_of_another(make_hopcountd, redis):
    daemon = make_hopcountd(redis, ONE_WORKER, start=False)
    other = dict(daemon.config["brands"][0], name="bolt", hosts=["go.bolt.example"],
                 base_url="https://go.bolt.example")
    daemon.write_config({"brands": [daemon.config["brands"][0], other]})
    daemon.start()
    token = daemon.mint()
    assert daemon.get(f"/{token}", host="go.bolt.example").status == 404
    assert daemon.get(f"/{token}", host="GO.ACME.EXAMPLE:8443").status == 302


def test_an_unknown_host_is_a_404_that_reflects_nothing(daemon):
    reply = daemon.get(f"/{daemon.mint()}?q=reflected", host="evil.example")
    assert reply.status == 404
    assert b"evil" not in reply.body and b"reflected" not in reply.body and b"acme" not in reply.body
    assert reply.headers["connection"] == "close"


def test_the_home_is_redirected_to(daemon):
    reply = daemon.get("/")
    assert (reply.status, reply.location) == (302, "https://www.acme.example/")


def test_only_links_that_opened_are_counted(daemon):
    silent, expired, good = daemon.mint(silent=True), daemon.mint(ttl=1, issued_s=1750000000), daemon.mint()
    for path in (f"/{silent}", f"/{expired}", "/nothing", "/", "/robots.txt"):
        daemon.get(path)
    daemon.get(f"/{good}", method="POST")
    daemon.click(good)
    daemon.wait_counted(1, [good])
    assert daemon.metrics()["hopcount_clicks_accepted_total"] == 1
    assert total(daemon, "silent") == 1
    assert daemon.clicks(silent)["total"] == 0


# --- what is refused ---

BAD_REQUESTS = [
    ("a body", "GET / HTTP/1.1\r\nHost: {h}\r\nContent-Length: 4\r\n\r\nabcd", 400),
    ("Transfer-Encoding", "GET / HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("two hosts", "GET / HTTP/1.1\r\nHost: {h}\r\nHost: {h}\r\n\r\n", 400),
    ("no host", "GET / HTTP/1.1\r\n\r\n", 400),
    ("a folded field", "GET / HTTP/1.1\r\nHost: {h}\r\nX: a\r\n b\r\n\r\n", 400),
    ("a bare line feed", "GET / HTTP/1.1\nHost: {h}\n\n", 400),
    ("a relative target", "GET x HTTP/1.1\r\nHost: {h}\r\n\r\n", 400),
    ("DELETE", "DELETE / HTTP/1.1\r\nHost: {h}\r\n\r\n", 405),
    ("POST", "POST / HTTP/1.1\r\nHost: {h}\r\nContent-Length: 0\r\n\r\n", 405),
    ("an unknown method", "BREW / HTTP/1.1\r\nHost: {h}\r\n\r\n", 501),
    ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("OPTIONS of a link", "OPTIONS /x HTTP/1.1\r\nHost: {h}\r\n\r\n", 405),
    ("a line of 9 KiB", "GET /" + "a" * 9216 + " HTTP/1.1\r\nHost: {h}\r\n\r\n", 414),
    ("a head of 33 KiB", "GET / HTTP/1.1\r\nHost: {h}\r\n" + "X: " + "a" * 33792 + "\r\n\r\n", 431),
    ("129 fields", "GET / HTTP/1.1\r\nHost: {h}\r\n" + "X: a\r\n" * 128 + "\r\n", 431),
    ("an unknown expectation", "GET / HTTP/1.1\r\nHost: {h}\r\nExpect: tea\r\n\r\n", 417),
]


@pytest.mark.parametrize("what, request_text, status", BAD_REQUESTS,
                         ids=[case[0] for case in BAD_REQUESTS])
def test_a_refusal_is_readable_although_more_was_sent(daemon, what, request_text, status):
    """Behind the refused request comes a good one, which must not be answered."""
    with daemon.connect() as connection:
        connection.send(request_text.format(h=HOST).encode() + request_bytes(f"/{daemon.mint()}"))
        reply = connection.receive()
        assert reply.status == status
        assert reply.headers["connection"] == "close"
        assert ("allow" in reply.headers) == (status == 405)
        assert connection.is_closed()


def test_a_head_split_anywhere_behind_a_good_request_is_answered_the_same(daemon):
    data = request_bytes("/", HOST) + request_bytes(f"/{daemon.mint()}", HOST)
    for cut in range(1, len(data), 7):
        with daemon.connect() as connection:
            connection.send(data[:cut])
            time.sleep(0.001)  # that they come as two pieces is likely, and both are right
            connection.send(data[cut:])
            assert connection.receive().location == "https://www.acme.example/"
            assert connection.receive().location == TARGET


@pytest.mark.parametrize("target, fields", [
    ("/{}", "Cookie: " + "c=0123456789abcdef; " * 800 + "\r\n"),
    ("/{}", "".join(f"Cookie: c{i}={'x' * 3000}\r\n" for i in range(10))),
    ("/{}", "".join(f"X-Field-{i}: {i}\r\n" for i in range(127))),
    ("/{}?" + "utm_content=mail&" * 200, ""),
    ("/{}?" + "a" * 8100, "Cookie: " + "c" * 24000 + "\r\n"),
], ids=["a cookie of 16 KB", "ten cookies, 30 KB", "128 fields", "a query of 3 KB", "all but 32 KiB"])
@pytest.mark.parametrize("piece", [1 << 20, 1000], ids=["whole", "in pieces"])
def test_heads_as_long_as_browsers_send_them(daemon, target, fields, piece):
    head = f"GET {target.format(daemon.mint())} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n".encode()
    with daemon.connect() as connection:
        for _ in range(2):
            for at in range(0, len(head), piece):
                connection.send(head[at:at + piece])
            assert connection.receive().location == TARGET


@pytest.mark.parametrize("request_text", [
    "OPTIONS / HTTP/1.0\r\n\r\n", "OPTIONS / HTTP/1.1\r\nHost: lb.example\r\nConnection: close\r\n\r\n",
], ids=["haproxy's option httpchk", "in HTTP/1.1"])
def test_a_check_of_a_balancer_that_names_no_host_is_answered(daemon, request_text):
    with daemon.connect() as connection:
        connection.send(request_text)
        reply = connection.receive()
        assert (reply.status, reply.body) == (200, b"")
        assert reply.headers["allow"] == "GET, HEAD"
        assert connection.is_closed()
    assert total(daemon, "options") == 1


def test_byte_by_byte(daemon):
    with daemon.connect() as connection:
        for byte in request_bytes(f"/{daemon.mint()}"):
            connection.send(bytes([byte]))
        assert connection.receive().location == TARGET


# --- connections ---

def test_pipelined_requests_are_answered_in_order_and_counted_once(daemon):
    tokens = [daemon.mint(object=i) for i in range(10)]
    with daemon.connect() as connection:
        connection.send(b"".join(request_bytes(f"/{token}") for token in tokens * 20))
        for i in range(200):
            assert connection.receive().location.endswith(f"?id={i % 10}")
    assert set(daemon.wait_counted(200, tokens).values()) == {20}


def test_a_client_that_reads_late_gets_every_reply(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"public": {"workers": 1, "requests_max": 1000000}})
    n = 20000
    request = request_bytes(f"/{daemon.mint()}")
    with Connection("127.0.0.1", daemon.port, seconds=30) as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        connection.socket.setblocking(False)
        data, n_sent, stalled = memoryview(request * n), 0, 0
        while n_sent < len(data) and stalled < 50:
            try:
                n_sent += connection.socket.send(data[n_sent:n_sent + 65536])
                stalled = 0
            except BlockingIOError:
                stalled += 1
                time.sleep(0.01)  # the client's own pace
        assert daemon.get("/").status == 302, "others are served meanwhile"
        connection.socket.setblocking(True)
        connection.socket.settimeout(patience(30))
        for _ in range(n_sent // len(request)):
            assert connection.receive().status == 302


def test_http_1_0_closes_unless_asked(daemon):
    with daemon.connect() as connection:
        connection.send(f"GET / HTTP/1.0\r\nHost: {HOST}\r\nConnection: keep-alive\r\n\r\n")
        assert connection.receive().headers["connection"] == "keep-alive"
        connection.send(f"GET / HTTP/1.0\r\nHost: {HOST}\r\n\r\n")
        assert connection.receive().headers["connection"] == "close"
        assert connection.is_closed()


def test_the_request_limit_of_a_connection(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"public": {"workers": 1, "requests_max": 3}})
    with daemon.connect() as connection:
        assert "connection" not in connection.request("/").headers
        assert "connection" not in connection.request("/").headers
        assert connection.request("/").headers["connection"] == "close"
        assert connection.is_closed()


def test_idle_connections_and_slow_heads_are_ended(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"public": {"workers": 1, "idle_s": 1, "head_s": 1}})
    with daemon.connect() as idle, daemon.connect() as slow:
        slow.send("GET / HTTP/1.1\r\n")
        assert slow.receive().status == 408
        assert slow.is_closed() and idle.is_closed()
    assert total(daemon, "timeout") == 1
    assert ended(daemon, "idle") == 1


def test_a_probe_that_connects_and_says_nothing_is_let_in(daemon):
    """Balancers probe like that; the kernel holds connections back until they say something or close."""
    before = ended(daemon, "client")
    for _ in range(3):
        socket.create_connection(("127.0.0.1", daemon.port), patience(5)).close()
    wait_until(lambda: ended(daemon, "client") == before + 3, 5, "the probes have come and gone")


def test_who_is_silent_at_first_is_answered(daemon):
    with daemon.connect() as connection:
        time.sleep(2.5)  # longer than the kernel holds a silent connection back
        assert connection.request(f"/{daemon.mint()}").location == TARGET


def test_bytes_that_trickle_do_not_prolong_the_time_of_a_head(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"public": {"workers": 1, "head_s": 1}})
    with daemon.connect() as connection:
        try:
            for _ in range(1000):
                connection.send("X")
                time.sleep(0.02)  # the trickle's own pace
        except OSError:
            pass
        else:
            pytest.fail("a thousand bytes, one by one, were waited for")


def test_the_longest_idle_connection_makes_room(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"public": {"workers": 1, "connections_max": 16}})
    old = [daemon.connect() for _ in range(16)]
    for connection in old:
        assert connection.request("/").status == 302
    with daemon.connect() as late:
        assert late.request("/").status == 302
        open_ones = sum(not closed(connection) for connection in old)
    assert open_ones == 15
    for connection in old:
        connection.close()


def closed(connection):
    """Whether the peer has closed, without waiting."""
    connection.socket.setblocking(False)
    try:
        return connection.socket.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def kernel_bytes(daemon):
    """What the kernel holds for each of the daemon's connections, in both directions."""
    listed = subprocess.run(["ss", "-tmnOH", "state", "established", "sport", "=", f":{daemon.port}"],
                            capture_output=True, text=True, check=True).stdout
    return [int(r) + int(t) + int(w)
            for r, t, w in re.findall(r"skmem:\(r(\d+),rb\d+,t(\d+),tb\d+,f\d+,w(\d+)", listed)]


@pytest.mark.attack
def test_clients_that_do_not_read_hold_little_memory_and_others_are_served(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"public": {"workers": 1, "requests_max": 1000000}})
    token = daemon.mint()
    requests = request_bytes(f"/{token}") * 300
    clients = [daemon.connect() for _ in range(20)]
    for client in clients:
        client.socket.setblocking(False)
    most = 0

    def stalled():
        nonlocal most
        n_sent = 0
        for client in clients:
            try:
                n_sent += client.socket.send(requests)
            except OSError:
                pass
        most = max([most, *kernel_bytes(daemon)])
        assert daemon.get(f"/{token}").location == TARGET
        return n_sent == 0

    wait_until(stalled, 30, "nothing more is read from any of them")
    wait_until(lambda: ended(daemon, "send_timeout") == 20, 30, "who takes nothing is closed")
    assert 0 < most < 400_000
    for client in clients:
        client.close()


def leave_descriptors(daemon, n):
    """From now on the daemon can open so many more files than it has."""
    in_use = len(list((daemon_proc(daemon) / "fd").iterdir()))
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (in_use + n, in_use + n))


@pytest.mark.attack
def test_out_of_descriptors_idle_connections_make_room_and_those_in_use_go_on(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"public": {"workers": 1, "connections_max": 1000}})
    token = daemon.mint()
    done = threading.Event()
    statuses = []

    def use(canary):
        """A connection that is in use all the time: a newcomer may wait a second for room."""
        while not done.wait(0.05):
            statuses.append(canary.request("/").status)

    with daemon.connect() as canary, concurrent.futures.ThreadPoolExecutor() as pool:
        assert canary.request("/").status == 302
        leave_descriptors(daemon, 20)
        in_use = pool.submit(use, canary)
        try:
            crowd = [daemon.connect() for _ in range(60)]
            wait_until(lambda: sum(map(closed, crowd)) >= 40, 20, "the crowd is let in, each in place of another")
            for _ in range(5):
                assert daemon.get(f"/{token}").location == TARGET
        finally:
            done.set()
        in_use.result(10)
        assert set(statuses) == {302}
        assert daemon.stderr().count("at=public.accept") < 5
        for connection in crowd:
            connection.close()


@pytest.mark.attack
def test_out_of_descriptors_it_pauses_when_all_connections_are_in_use(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"public": {"workers": 1, "connections_max": 1000, "head_s": 30}})
    with daemon.connect() as canary:
        assert canary.request("/").status == 302
        leave_descriptors(daemon, 20)
        crowd = [daemon.connect() for _ in range(60)]
        for connection in crowd:
            connection.send("GET /")
        wait_until(lambda: "at=public.accept" in daemon.stderr(), 10, "the pause is logged")
        before = cpu_ticks(daemon)
        for _ in range(20):
            assert canary.request("/").status == 302
            time.sleep(0.05)  # a second in all, of which little may be worked
        assert cpu_ticks(daemon) - before < 50, "it spins"
        assert daemon.stderr().count("at=public.accept") < 5
        for connection in crowd:
            connection.close()
        wait_until(lambda: answers(daemon), 10, "it accepts again")
        assert daemon.metrics()["hopcount_accept_pauses_total"] > 0


def daemon_proc(daemon):
    return pathlib.Path("/proc") / str(daemon.pid)


def cpu_ticks(daemon):
    fields = (daemon_proc(daemon) / "stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def answers(daemon):
    try:
        return daemon.get("/").status == 302
    except (OSError, Closed):
        return False


def test_workers_are_as_many_as_the_cores_it_may_use(make_hopcountd, redis):
    usable = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(usable)})
        daemon = make_hopcountd(redis, {"public": {"workers": "auto"}})
    finally:
        os.sched_setaffinity(0, usable)
    assert daemon.metrics()["hopcount_workers"] == 1
    daemon.shut_down()


# --- client addresses ---

def test_ipv4_and_ipv6_are_served_side_by_side(make_hopcountd, redis):
    daemon = make_hopcountd(redis, ONE_WORKER, start=False)
    daemon.write_config({"public": {"listen": [f"127.0.0.1:{daemon.port}", f"[::1]:{daemon.port}"]}})
    daemon.start()
    for address in ("127.0.0.1", "::1"):
        with Connection(address, daemon.port) as connection:
            assert connection.request("/").status == 302


def test_an_ipv6_wildcard_serves_ipv4_too(make_hopcountd, redis):
    daemon = make_hopcountd(redis, ONE_WORKER, start=False)
    daemon.write_config({"public": {"listen": f"[::]:{daemon.port}"}})
    daemon.start()
    for address in ("127.0.0.1", "::1"):
        with Connection(address, daemon.port) as connection:
            assert connection.request("/").status == 302


PROXY_V1 = b"PROXY TCP4 198.51.100.7 127.0.0.1 4711 80\r\n"
PROXY_V2 = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton("198.51.100.7")
            + socket.inet_aton("127.0.0.1") + b"\x12\x67\0\x50")


@pytest.mark.parametrize("header", [PROXY_V1, PROXY_V2], ids=["version 1", "version 2"])
def test_the_proxy_protocol(make_hopcountd, redis, header):
    daemon = make_hopcountd(redis, {"public": {
        "workers": 1, "client_address": "proxy_protocol", "trusted_proxies": ["127.0.0.0/8"]}})
    with daemon.connect() as connection:
        connection.send(header + request_bytes(f"/{daemon.mint()}"))
        assert connection.receive().location == TARGET
        assert connection.request("/").status == 302
    with daemon.connect() as connection:
        connection.send(request_bytes("/"))
        with pytest.raises(Closed):
            connection.receive()


# --- the end ---

def test_sigterm_goes_on_accepting_says_close_and_then_ends(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"public": {"workers": 2, "drain_delay_s": 2}})
    token = daemon.mint()
    with daemon.connect() as early, daemon.connect() as half:
        assert "connection" not in early.request(f"/{token}").headers
        half.send(request_bytes(f"/{token}")[:-2])
        daemon.send(signal.SIGTERM)
        wait_until(lambda: daemon.admin("GET", "/readyz").status == 503, 5, "readiness turns")
        # Readiness turns first, then each worker learns of it.
        wait_until(lambda: all(daemon.get("/").headers.get("connection") == "close" for _ in range(16)), 5,
                   "both workers drain")
        assert daemon.click(token).headers["connection"] == "close"
        assert early.request(f"/{token}").headers["connection"] == "close"
        half.send(b"\r\n")
        assert half.receive().headers["connection"] == "close"
    assert daemon.wait() == 0
    daemon.start()
    assert daemon.clicks(token)["total"] == 4
    daemon.shut_down()


def test_a_head_begun_before_the_end_is_answered(make_hopcountd, redis):
    daemon = make_hopcountd(redis, ONE_WORKER)
    token = daemon.mint()
    with daemon.connect() as half:
        half.send(request_bytes(f"/{token}")[:-2])
        wait_until(lambda: daemon.metrics()["hopcount_connections_unfinished_heads"] == 1, 5,
                   "the head has come")
        daemon.send(signal.SIGTERM)
        wait_until(lambda: not answers(daemon), 10, "the port is closed")
        half.send(b"\r\n")
        assert half.receive().location == TARGET
    assert daemon.wait() == 0


def connect_until_refused(daemon):
    """Connections that say nothing, one every 20 ms, until the port is closed."""
    silent = []
    daemon.send(signal.SIGTERM)
    wait_until(lambda: daemon.get("/").headers.get("connection") == "close", 5, "the drain has begun")
    with pytest.raises(OSError):
        while True:
            silent.append(daemon.connect())
            time.sleep(0.02)  # the clients' own pace
    assert len(silent) > 4
    return silent


def test_who_has_just_connected_at_the_end_is_answered(make_hopcountd, redis):
    """A request may come some milliseconds after its connection."""
    daemon = make_hopcountd(redis, {"public": {"workers": 1, "drain_delay_s": 2}})
    token = daemon.mint()
    late = connect_until_refused(daemon)[-4]  # the very last may have been refused without a word
    reply = late.request(f"/{token}")
    assert reply.location == TARGET and reply.headers["connection"] == "close"
    assert daemon.wait() == 0


def test_who_connects_before_the_end_and_says_nothing_is_told(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"public": {"workers": 1, "drain_delay_s": 2}})
    silent = connect_until_refused(daemon)
    assert daemon.wait() == 0
    assert all(connection.is_closed() for connection in silent)


@pytest.mark.tsan
def test_sigterm_under_load_loses_no_click(make_hopcountd, make_load, redis):
    daemon = make_hopcountd(redis, {"public": {"workers": 2, "drain_delay_s": 1}})
    links = [daemon.mint("pay", i) for i in range(1, 21)]
    load = make_load(daemon, links, n_clients=6, n_clicks=1000000)
    load.wait_clicks()
    daemon.send(signal.SIGTERM)
    assert daemon.wait() == 0
    load.stopping.set()
    tally = load.join()
    assert tally.n_received > 0
    daemon.start()
    tally.check(daemon.counted(links))
    daemon.shut_down()


def test_a_second_sigterm_ends_at_once(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"public": {"workers": 1, "drain_delay_s": 600}})
    daemon.send(signal.SIGTERM)
    wait_until(lambda: "at=stop.drain" in daemon.stderr(), 5, "it drains")
    daemon.send(signal.SIGTERM)
    assert daemon.wait() == 0


def test_sigint_does_not_wait_for_load_balancers(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"public": {"workers": 1, "drain_delay_s": 600}})
    daemon.send(signal.SIGINT)
    assert daemon.wait() == 0


@pytest.mark.tsan
def test_reloads_under_load_answer_every_request(make_hopcountd, make_load, redis):
    daemon = make_hopcountd(redis, {"public": {"workers": 2}})
    links = [daemon.mint("pay", i) for i in range(1, 11)]
    load = make_load(daemon, links, n_clients=4)
    for _ in range(10):
        daemon.reload()
        load.wait_clicks(100)
    tally = load.stop()
    assert tally.n_received >= 1000 and tally.n_unanswered == 0
    wait_until(lambda: "at=reload.done" in daemon.stderr(), 5, "the reload is logged")
    daemon.shut_down()


def test_the_service_manager_is_told(make_hopcountd, redis, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(patience(10))
        daemon = make_hopcountd(redis, ONE_WORKER, environment={"NOTIFY_SOCKET": path})
        assert manager.recv(200) == b"READY=1"
        daemon.reload()
        assert manager.recv(200).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert manager.recv(200) == b"READY=1"
        daemon.shut_down()
        assert manager.recv(200) == b"STOPPING=1"


def test_durability_click_answers_and_counts_the_same(make_hopcountd, make_load, redis):
    daemon = make_hopcountd(redis, {"public": {"workers": 2}, "ledger": {"durability": "click"}})
    links = [daemon.mint("pay", i) for i in range(1, 6)]
    tally = make_load(daemon, links, n_clients=4, n_clicks=200).join()
    assert tally.n_received == 200
    tally.check(daemon.wait_counted(200, links))
    daemon.shut_down()


def priorities(pid):
    """The nice value of each thread, by name."""
    found = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        name, rest = (task / "stat").read_text().split("(", 1)[1].rsplit(") ", 1)
        found[name] = int(rest.split()[16])
    return found


def test_what_is_no_redirect_gives_way(daemon):
    own = priorities("self")[pathlib.Path("/proc/self/comm").read_text().strip()]
    nicer = min(own + 5, 19)
    want = {"worker-0": own, "keeper": own, "ledger": nicer, "admin": nicer}
    wait_until(lambda: want.items() <= priorities(daemon.pid).items(), 10, f"the priorities are {want}")
    daemon.shut_down()
