"""Signing in to the dashboard, its sessions, and the streams that hang on a key or a session."""
import json

import pytest

from harness.rawhttp import Connection
from harness.wait import wait_until
from test_gateways import make_pods

JSON = {"Content-Type": "application/json"}
WRONG = "hc_" + "0" * 52


def ask(daemon, method="GET", target="/v1/session", body=None, source="127.0.0.1", **fields):
    """One request from `source`; fields are named with _ for -."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    with Connection("127.0.0.1", daemon.admin_port, source=(source, 0)) as connection:
        reply = connection.request(target, headers.pop("Host", "x"), method, headers,
                                   json.dumps(body).encode() if body is not None else b"")
    reply.json = json.loads(reply.body) if b"{" in reply.body else None
    return reply


def sign_in(daemon, key=None, **kwargs):
    return ask(daemon, "POST", body={"key": key or daemon.api_key}, **JSON, **kwargs)


def cookie_of(reply):
    return reply.headers["set-cookie"].partition(";")[0]


def is_signed_in(daemon, cookie):
    return ask(daemon, Cookie=cookie).json["signed_in"]


# --- wrong keys ---

def test_wrong_keys_keep_nobody_from_signing_in_with_a_right_one(hopcountd):
    """110 wrong ones from 11 addresses, and then the right one, from one of them and from another."""
    open_connections = []
    replies = []
    for n in range(110):
        connection = Connection("127.0.0.1", hopcountd.admin_port, 30, source=(f"127.0.0.{2 + n % 11}", 0))
        body = json.dumps({"key": WRONG}).encode()
        connection.send(f"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                        f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        open_connections.append(connection)
    for source in ("127.0.0.2", "127.0.0.99"):
        assert sign_in(hopcountd, source=source).status == 200
    for connection in open_connections:
        with connection:
            replies.append(connection.receive())
    assert {reply.status for reply in replies} == {401, 429}
    assert all(0 < int(reply.headers["retry-after"]) <= 60 for reply in replies if reply.status == 429)


def test_a_wrong_key_too_many_is_answered_late(hopcountd):
    for _ in range(10):
        assert sign_in(hopcountd, WRONG).status == 401
    with Connection("127.0.0.1", hopcountd.admin_port, 30) as late:
        body = json.dumps({"key": WRONG}).encode()
        late.send(f"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                  f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        late.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):  # nor is anybody else kept waiting by it
            late.socket.recv(1)
        assert sign_in(hopcountd).status == 200
        late.socket.settimeout(30)
        assert late.receive().status == 429
    hopcountd.shut_down()


@pytest.mark.tsan
def test_refusals_that_are_held_back_do_not_hold_up_the_end(hopcountd):
    for _ in range(10):
        sign_in(hopcountd, WRONG)
    body = json.dumps({"key": WRONG}).encode()
    connections = [Connection("127.0.0.1", hopcountd.admin_port, 30) for _ in range(100)]
    for connection in connections:
        connection.send(f"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                        f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    hopcountd.shut_down()
    for connection in connections:
        connection.close()


# --- sessions ---

def test_however_many_sign_in_nobody_is_signed_out(make_hopcountd, redis):
    daemon = make_hopcountd(redis)
    cookies = [cookie_of(sign_in(daemon)) for _ in range(300)]
    assert len(set(cookies)) == 300
    assert all(is_signed_in(daemon, cookie) for cookie in (cookies[0], cookies[-1]))


def test_a_session_survives_a_restart_and_is_known_to_every_pod(make_hopcountd, redis):
    """Also what may be changed by it; a pod with other keys, and a key that is gone, know nothing of it."""
    one, two = make_pods(make_hopcountd, redis, 2)
    signed_in = sign_in(one)
    cookie, csrf = cookie_of(signed_in), signed_in.json["csrf_token"]
    one.shut_down()
    one.spawn()
    wait_until(one.is_ready, 20, "it is ready again")
    assert ask(one, Cookie=cookie).json["csrf_token"] == csrf
    assert not is_signed_in(two, cookie)  # it has another key of the same name
    two.api_keys_path.write_text(one.api_keys_path.read_text())
    two.reload()
    wait_until(lambda: is_signed_in(two, cookie), 20, "the other pod knows the key")
    assert ask(two, Cookie=cookie).json["csrf_token"] == csrf
    assert ask(two, target="/v1/stats?brand=acme", Cookie=cookie).status == 200
    named = ask(two, "PUT", "/v1/campaigns/12", {"name": "x"}, Cookie=cookie, X_CSRF_Token=csrf, **JSON)
    assert named.status == 200
    # The key goes from one pod's file: there the session is over, and also its cookie's next use.
    two.api_keys_path.write_text("")
    two.reload()
    wait_until(lambda: not is_signed_in(two, cookie), 20, "the session ends with its key")
    assert is_signed_in(one, cookie)
    # All keys of links are exchanged.
    one.keys_path.write_text(f"2 mint {'5a' * 32}\n")
    one.reload()
    wait_until(lambda: not is_signed_in(one, cookie), 20, "the session ends with the key that sealed it")


def test_a_session_is_signed_out_where_it_was_asked_and_cookies_that_are_none_are_passed_over(hopcountd):
    signed_in = sign_in(hopcountd)
    cookie = cookie_of(signed_in)
    name, _, text = cookie.partition("=")
    for other in ("", "x", "0" * 64, text[:-1], text + "A", text.swapcase(), "A" * 4000, "%00" * 20, text.replace(text[20], "!")):
        reply = ask(hopcountd, Cookie=f"{name}={other}")
        assert (reply.status, reply.json["signed_in"]) == (200, False), other
    assert ask(hopcountd, Cookie=f"a=b; {cookie}; c=d").json["signed_in"]
    assert "set-cookie" not in ask(hopcountd, Cookie=cookie).headers  # it was sealed just now


def test_the_rate_is_the_keys_whatever_it_comes_with(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"admin": {"rate_per_min": 6}})
    cookies = [cookie_of(sign_in(daemon)) for _ in range(3)]
    bearer = {"Authorization": f"Bearer {daemon.api_key}"}
    left = [int(ask(daemon, target="/v1/brands", **fields).headers["x-ratelimit-remaining"])
            for fields in (bearer, *({"Cookie": cookie} for cookie in cookies))]
    assert left == [5, 4, 3, 2]


# --- what a proxy in front says ---

TLS = [{"X_Forwarded_Proto": "https"}, {"X_Forwarded_Proto": "https, http"}, {"Forwarded": "for=192.0.2.1;proto=https"},
       {"Forwarded": 'proto="https";host=x'}, {"Origin": "https://x"}]
PLAIN = [{}, {"X_Forwarded_Proto": "http"}, {"Forwarded": "proto=http"}, {"Origin": "http://x"}]


def test_over_tls_the_cookie_is_the_hosts_own(hopcountd):
    for fields in TLS:
        reply = sign_in(hopcountd, **fields)
        assert reply.status == 200, fields
        name, _, rest = reply.headers["set-cookie"].partition("=")
        assert name == "__Host-hopcount_session" and "; Secure" in rest and "; Path=/;" in rest, fields
        assert "domain" not in rest.lower()
        assert reply.headers["strict-transport-security"].startswith("max-age=")
        assert is_signed_in(hopcountd, cookie_of(reply))
    for fields in PLAIN:
        reply = sign_in(hopcountd, **fields)
        assert reply.headers["set-cookie"].startswith("hopcount_session=") and "Secure" not in reply.headers["set-cookie"]
        assert "strict-transport-security" not in reply.headers, fields


def test_over_tls_a_cookie_that_a_neighbour_could_set_does_not_count(hopcountd):
    cookie = cookie_of(sign_in(hopcountd))
    assert ask(hopcountd, Cookie=cookie).json["signed_in"]
    assert not ask(hopcountd, Cookie=cookie, X_Forwarded_Proto="https").json["signed_in"]


@pytest.mark.parametrize("trusted", [["127.0.0.0/8"], []])
def test_signing_in_works_behind_a_proxy_that_changes_host_if_it_is_trusted(make_hopcountd, redis, trusted):
    daemon = make_hopcountd(redis, {"public": {"trusted_proxies": trusted}})
    cases = (
        ("the proxy passes Host on", {"Host": "hop.example", "Origin": "https://hop.example"}, True),
        ("without the port", {"Host": "hop.example", "Origin": "https://hop.example:8443"}, True),
        ("by X-Forwarded-Host", {"X_Forwarded_Host": "hop.example", "Origin": "https://hop.example"}, bool(trusted)),
        ("of two proxies", {"X_Forwarded_Host": "hop.example, inner", "Origin": "http://hop.example"}, bool(trusted)),
        ("by Forwarded", {"Forwarded": 'for=192.0.2.1;host="hop.example:8443"', "Origin": "https://hop.example:8443"},
         bool(trusted)),
        ("another site", {"X_Forwarded_Host": "hop.example", "Origin": "https://evil.example"}, False),
        ("another site that ends like it", {"Host": "hop.example", "Origin": "https://evil-hop.example"}, False),
        ("another site that begins like it", {"Host": "hop.example", "Origin": "https://hop.example.evil.example"}, False),
        ("no origin that could be shown", {"X_Forwarded_Host": "hop.example", "Origin": "null"}, False),
        ("the browser says so", {"Origin": "https://hop.example", "Sec_Fetch_Site": "same-origin"}, True),
        ("the browser says no", {"Host": "hop.example", "Origin": "https://hop.example", "Sec_Fetch_Site": "cross-site"},
         False),
    )
    for name, fields, is_let_in in cases:
        fields = {"Host": "127.0.0.1:8081", **fields}
        assert sign_in(daemon, **fields).status == (200 if is_let_in else 403), name


def test_a_page_of_another_site_ends_no_session(hopcountd):
    """Not even one that knows the session's token; and whatever the other site's scheme is."""
    signed_in = sign_in(hopcountd)
    fields = {"Cookie": cookie_of(signed_in), "X_CSRF_Token": signed_in.json["csrf_token"]}
    for name, more, status in (("https", {"Origin": "https://evil.example"}, 403), ("http", {"Origin": "http://evil.example"}, 403),
                               ("the browser says so", {"Sec_Fetch_Site": "cross-site"}, 403),
                               ("no token", {"X_CSRF_Token": "0" * 64}, 403), ("our own", {"Origin": "http://x"}, 204)):
        assert is_signed_in(hopcountd, cookie_of(signed_in)), name
        assert ask(hopcountd, "DELETE", **{**fields, **more}).status == status, name
    assert not is_signed_in(hopcountd, cookie_of(signed_in))


# --- streams ---

class Stream:
    """GET /v1/live, read line by line."""

    def __init__(self, daemon, **fields):
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        self.connection = Connection("127.0.0.1", daemon.admin_port, 20)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.connection.send(f"GET /v1/live HTTP/1.1\r\nHost: x\r\n{lines}\r\n")
        self.file = self.connection.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])

    def next_event(self):
        for line in self.file:
            if line.startswith(b"data: "):
                return json.loads(line[6:])
        return None

    def close(self):
        self.file.close()
        self.connection.close()


@pytest.mark.tsan
def test_a_stream_ends_when_its_key_is_taken_away(make_hopcountd, redis):
    daemon = make_hopcountd(redis, start=False)
    other = daemon.add_api_key(name="other")
    daemon.start()
    ends, goes_on = (Stream(daemon, Authorization=f"Bearer {key}") for key in (other, daemon.api_key))
    by_cookie = Stream(daemon, Cookie=cookie_of(sign_in(daemon, other)))
    assert ends.next_event() and goes_on.next_event() and by_cookie.next_event()
    lines = daemon.api_keys_path.read_text().splitlines(keepends=True)
    daemon.api_keys_path.write_text("".join(line for line in lines if not line.startswith("other ")))
    daemon.reload()
    wait_until(lambda: ends.next_event() is None, 20, "the stream of the key to end")
    wait_until(lambda: by_cookie.next_event() is None, 20, "the stream of its session to end")
    assert goes_on.next_event()
    for stream in (ends, goes_on, by_cookie):
        stream.close()


def test_a_stream_ends_when_its_session_is_signed_out(hopcountd):
    signed_in = sign_in(hopcountd)
    cookie, csrf = cookie_of(signed_in), signed_in.json["csrf_token"]
    other = cookie_of(sign_in(hopcountd))
    ends, goes_on = Stream(hopcountd, Cookie=cookie), Stream(hopcountd, Cookie=other)
    assert ends.next_event() and goes_on.next_event()
    assert ask(hopcountd, "DELETE", Cookie=cookie, X_CSRF_Token=csrf).status == 204
    wait_until(lambda: ends.next_event() is None, 20, "the stream to end")
    assert goes_on.next_event()
    ends.close()
    goes_on.close()


def test_the_streams_of_one_key_leave_places_for_others(make_hopcountd, redis):
    daemon = make_hopcountd(redis, start=False)
    other = daemon.add_api_key(name="other")
    daemon.start()
    cookies = [cookie_of(sign_in(daemon)) for _ in range(4)]
    streams = [Stream(daemon, Cookie=cookies[n % 4]) for n in range(65)]
    assert [stream.status for stream in streams] == [200] * 64 + [503]
    streams.append(Stream(daemon, Authorization=f"Bearer {other}"))
    assert streams[-1].status == 200 and streams[-1].next_event()
    for stream in streams:
        stream.close()


# --- the log ---

def test_what_a_key_does_is_logged_by_its_name(hopcountd):
    signed_in = sign_in(hopcountd)
    ask(hopcountd, "POST", "/v1/links", [{"kind": "pay", "object": 1}, {"kind": "pay", "object": 2}],
        Authorization=f"Bearer {hopcountd.api_key}", **JSON)
    ask(hopcountd, "PUT", "/v1/campaigns/12", {"name": "Spring sale"}, Authorization=f"Bearer {hopcountd.api_key}", **JSON)
    ask(hopcountd, "DELETE", Cookie=cookie_of(signed_in), X_CSRF_Token=signed_in.json["csrf_token"])
    for at, what in (("admin.sign_in", ""), ("admin.mint", "links=2"), ("admin.campaign", "campaign=12"),
                     ("admin.sign_out", "")):
        wait_until(lambda at=at: hopcountd.log_lines(at), 10, at)
        line = hopcountd.log_lines(at)[0]
        assert "level=info" in line and "key=test" in line and what in line, line
    log = hopcountd.stderr()
    assert hopcountd.api_key not in log and "Spring" not in log
    assert cookie_of(signed_in).partition("=")[2] not in log
