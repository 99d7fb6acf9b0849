"""Links that are good for one use: by a press of the button, and by the API."""
import concurrent.futures
import json
import re
import signal
import struct
import time

import pytest

from harness import counters, openapi
from harness.build import ROOT, patience
from harness.ports import free_port
from harness.rawhttp import request_bytes
from harness.wait import wait_until

LOGIN = "https://billing.acme.example/clientarea.php"
PEOPLE = (("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                         "Chrome/129.0.0.0 Safari/537.36"), ("Accept-Language", "de-DE,de;q=0.9"))
FORM = ("Content-Type", "application/x-www-form-urlencoded")
PRESSES = 1000


def make_pods(make_hopcountd, redis, config=None):
    """Two pods of one key, both connected."""
    first = make_hopcountd(redis, config, name="pod0")
    second = make_hopcountd(redis, config, name="pod1", start=False)
    second.key = first.key
    second.write_keys([(1, "mint", first.key)])
    second.start()
    wait_until(lambda: all(pod.metrics()["hopcount_state_known"] == 1 for pod in (first, second)))
    return [first, second]


@pytest.fixture
def pods(make_hopcountd, redis):
    return make_pods(make_hopcountd, redis)


def once(pod, kind="login", **fields):
    return pod.mint(kind, fields.pop("object", 5), once=True, client=7, **fields)


def open_page(pod, token):
    reply = pod.get(f"/{token}", headers=PEOPLE)
    assert reply.status == 200, reply
    return re.search(r'name="view" value="([0-9a-z]{45})"', reply.body.decode())[1]


def press(pod, token, view):
    reply = pod.get(f"/{token}", method="POST", headers=PEOPLE + (FORM,), body=f"view={view}".encode())
    assert reply.location == (LOGIN if reply.status == 303 else None)
    return reply


def press_until_sure(pod, token, view):
    """Presses until Redis can say what comes of it."""
    replies = []

    def is_sure():
        replies.append(press(pod, token, view))
        return replies[-1].status != 503
    wait_until(is_sure, 40, "Redis can confirm a use", pause=0.2)
    return replies[-1].status


def test_one_press_uses_the_link_up(pods):
    token = once(pods[0])
    views = [open_page(pods[0], token), open_page(pods[1], token)]
    assert open_page(pods[0], token)  # a look uses nothing up
    assert press(pods[1], token, views[0]).status == 303
    assert press(pods[0], token, views[0]).status == 303  # people press twice
    late = press(pods[1], token, views[1])
    assert late.status == 410 and "schon benutzt" in late.body.decode() and LOGIN in late.body.decode()
    for pod in pods:
        wait_until(lambda pod=pod: pod.get(f"/{token}", headers=PEOPLE).status == 410)
    assert press(pods[0], token, views[0]).status == 303  # still the same view
    shown = pods[0].api("GET", f"/v1/links/{token}")
    assert shown["once"] and shown["used_up"] and "It was used" in shown["why"]
    assert press(pods[0], once(pods[0], object=6), views[0]).status == 403


def test_the_same_view_much_later_is_another_use(pods, redis):
    token = once(pods[0])
    view = open_page(pods[0], token)
    assert press(pods[0], token, view).status == 303
    (key,) = redis.client().keys("hc:*:once:*")
    assert 30 * 86400 < redis.client().ttl(key) + 7200 < 31 * 86400 + 7200  # as long as the link
    used_by, at = redis.client().get(key).split()
    redis.client().set(key, b"%s %d" % (used_by, int(at) - 10001))
    assert press(pods[0], token, view).status == 410
    forever = once(pods[0], object=8, ttl=0)
    assert press(pods[0], forever, open_page(pods[1], forever)).status == 303
    assert sorted(redis.client().ttl(key) for key in redis.client().keys("hc:*:once:*"))[0] == -1


def test_a_use_that_redis_has_forgotten_is_known_to_the_pods(pods, redis):
    token = once(pods[0])
    views = [open_page(pods[0], token) for _ in range(2)]
    assert press(pods[0], token, views[0]).status == 303
    wait_until(lambda: pods[1].get(f"/{token}").status == 410)
    for key in redis.client().keys("hc:*:once:*"):
        redis.client().delete(key)
    assert press(pods[1], token, views[1]).status == 410


def press_all(pods, token, views):
    """All views at once, each on a connection of its own; the statuses in the order of the views."""
    connections = [pods[i % 2].connect(seconds=30) for i in range(len(views))]
    for connection, view in zip(connections, views):
        connection.send(request_bytes(f"/{token}", method="POST", headers=PEOPLE + (FORM,),
                                      body=f"view={view}".encode()))
    statuses = []
    for connection in connections:
        statuses.append(connection.receive().status)
        connection.close()
    return statuses


def open_many(pods, token, n):
    with pods[0].connect(seconds=30) as connection:
        pages = [connection.request(f"/{token}", headers=PEOPLE).body.decode() for _ in range(n)]
    return [re.search(r'name="view" value="([0-9a-z]{45})"', page)[1] for page in pages]


def test_a_thousand_presses_at_once_use_it_once(pods):
    token = once(pods[0])
    statuses = press_all(pods, token, open_many(pods, token, PRESSES))
    print(f"{PRESSES} presses: " + ", ".join(f"{statuses.count(s)} x {s}" for s in sorted(set(statuses))))
    assert statuses.count(303) == 1
    assert set(statuses) <= {303, 410, 503}
    wait_until(lambda: all(pod.get(f"/{token}").status == 410 for pod in pods))


def test_requests_behind_a_press_are_answered_in_order(pods):
    token, plain = once(pods[0]), pods[0].mint("view", 5)
    view = open_page(pods[0], token)
    body = f"view={view}".encode()
    with pods[0].connect() as connection:
        connection.send(request_bytes(f"/{plain}") +
                        request_bytes(f"/{token}", method="POST", headers=(FORM,), body=body) +
                        request_bytes("/robots.txt") +
                        request_bytes(f"/{token}", method="POST", headers=(FORM, ("Connection", "close")), body=body) +
                        request_bytes("/robots.txt"))
        assert [connection.receive().status for _ in range(4)] == [302, 303, 200, 303]
        assert connection.is_closed()
    gone = pods[0].connect()
    gone.send(request_bytes(f"/{token}", method="POST", headers=(FORM,), body=body))
    gone.close()
    wait_until(lambda: pods[0].metrics()["hopcount_connections"] == 0)


def test_without_redis_nothing_is_used_and_links_go_on(pods, redis):
    token, plain = once(pods[0]), pods[0].mint("view", 5)
    views = [open_page(pods[0], token) for _ in range(2)]
    redis.send(signal.SIGSTOP)  # frozen: it answers nothing
    with concurrent.futures.ThreadPoolExecutor() as pool:
        begun = time.monotonic()
        waiting = pool.submit(press, pods[0], token, views[0])
        while not waiting.done():
            pods[0].click(plain)
            pods[1].click(plain)
        took_s = time.monotonic() - begun
    reply = waiting.result()
    assert reply.status == 503 and reply.headers["retry-after"] and LOGIN in reply.body.decode()
    print(f"503 after {took_s:.2f} s")
    assert took_s < patience(5)
    redis.send(signal.SIGCONT)
    # The frozen server has used it for the first view, if the script came to run.
    first = press_until_sure(pods[0], token, views[0])
    second = press_until_sure(pods[1], token, views[1])
    assert first == 303 and second == 410
    other = once(pods[0], object=9)
    view = open_page(pods[0], other)
    redis.kill()
    wait_until(lambda: press(pods[0], other, view).status == 503)
    pods[0].click(plain)


def test_a_server_that_was_another_before_waits(pods, redis):
    """A use is put off while processes may still have to tell it of uses that it lost."""
    token = once(pods[0])
    view = open_page(pods[0], token)
    wait_until(lambda: redis.client().hget("hc:{s00}:server", "run"))
    redis.client().hset("hc:{s00}:server", "run", "0" * 40)
    assert press(pods[0], token, view).status == 503
    since = redis.client().hget("hc:{s00}:server", "since")
    redis.client().hset("hc:{s00}:server", "since", int(since) - 10001)
    assert press(pods[0], token, view).status == 303


def test_a_server_that_is_a_replica_now_uses_nothing(pods, redis):
    token = once(pods[0])
    view = open_page(pods[0], token)
    redis.client().execute_command("REPLICAOF", "127.0.0.1", free_port())  # READONLY
    assert press(pods[0], token, view).status == 503
    assert use(pods[0], pods[0].mint("login", 0, client=9), "x", 503)
    redis.client().execute_command("REPLICAOF", "NO", "ONE")
    assert press_until_sure(pods[1], token, view) == 303


def test_minting(pods, tmp_path):
    minted = pods[0].api("POST", "/v1/links", {"kind": "login", "client": 7, "once": True}, 201)
    assert press(pods[0], minted["token"], open_page(pods[1], minted["token"])).status == 303
    done = pods[0].cli("mint", "-c", pods[0].config_path, "login", "--client", 7, "--once")
    assert done.returncode == 0, done.stderr
    url = done.stdout.split()[-1]
    assert "one press uses it up" in pods[0].cli("inspect", "-c", pods[0].config_path, url).stdout


def test_the_rights_of_the_documented_user_are_enough(make_redis, make_hopcountd, tmp_path):
    redis = make_redis()
    rule = [line for line in (ROOT / "deploy/redis-acl.conf").read_text().splitlines() if line.startswith("user ")]
    redis.client().execute_command("ACL", "SETUSER", *rule[0].replace("CHANGE-ME", "secret").split()[1:])
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "password").chmod(0o600)
    daemon = make_hopcountd(redis, {"redis": {"username": "hopcount", "password_file": str(tmp_path / "password")}})
    assert redis.client().execute_command("ACL", "DRYRUN", "hopcount", "WAIT", "1", "100") in (b"OK", "OK")
    token = once(daemon)
    views = [open_page(daemon, token) for _ in range(2)]
    assert press_until_sure(daemon, token, views[0]) == 303
    assert press(daemon, token, views[1]).status == 410


def test_the_private_redis_will_do(make_hopcountd):
    daemon = make_hopcountd()
    token = once(daemon)
    views = [open_page(daemon, token) for _ in range(2)]
    assert press_until_sure(daemon, token, views[0]) == 303
    assert press_until_sure(daemon, token, views[1]) == 410
    daemon.terminate()
    daemon.start()  # and another server
    assert press_until_sure(daemon, token, views[1]) == 410
    other = once(daemon, object=6)
    assert press_until_sure(daemon, other, open_page(daemon, other)) == 303


# --- the billing system's own page ---

def use(pod, token, view=None, status=200, query=""):
    body = {"view": view} if view is not None else None
    reply = pod.admin("POST", f"/v1/links/{token}/use{query}", body, key=True)
    assert reply.status == status, reply.text
    reply.json = json.loads(reply.text)
    return reply


def test_the_api_uses_a_login_link(pods):
    token = pods[0].mint("login", 0, client=7)
    first = pods[0].api("POST", f"/v1/links/{token}/use", {"view": "tab-1"}, 200)
    link = pods[0].api("GET", f"/v1/links/{token}")
    assert first == {"outcome": "first", "id": link["id"], "kind": "login", "object": 0, "client": 7}
    assert pods[1].api("POST", f"/v1/links/{token}/use", {"view": "tab-1"}, 200)["outcome"] == "repeated"
    for view in ("tab-2", None):
        assert "used" in use(pods[1], token, view, 410).text
    wait_until(lambda: pods[0].get(f"/{token}", headers=PEOPLE).status == 410)
    no_view = pods[0].mint("login", 0, client=8)
    assert use(pods[0], no_view).json["outcome"] == "first"
    assert "used" in use(pods[0], no_view, status=410).text
    assert use(pods[0], once(pods[0], "view", object=77), "x").json["kind"] == "view"


def test_a_clients_timeline_has_the_links_that_it_used_up(pods, redis):
    def rows(client):
        reply = pods[1].admin("GET", f"/v1/clients/{client}/timeline", key=True)
        openapi.check_reply("GET", f"/v1/clients/{client}/timeline", reply)
        return [(row["type"], row.get("kind"), row["object"]) for row in json.loads(reply.text)["rows"]]

    def used(client):
        return {row[1:] for row in rows(client) if row[0] == "link.used"}
    pods[0].api("POST", "/v1/events", {"id": "1", "type": "client.opted_out", "client": 8}, 202)
    wait_until(lambda: rows(8) == [("client.opted_out", None, None)] and pods[0].api("GET", "/v1/clients/8/timeline")["opted_out"])
    first = once(pods[0], campaign=3)
    view = open_page(pods[0], first)
    assert press(pods[0], first, view).status == press(pods[1], first, view).status == 303  # people press twice
    for client in (7, 8, 9):
        assert use(pods[0], pods[0].mint("login", 0, client=client)).json["outcome"] == "first"
    hidden = pods[0].mint("login", 5, once=True, client=8)
    assert press(pods[0], hidden, open_page(pods[0], hidden)).status == 303
    wait_until(lambda: used(7) == {("login", 5), ("login", None)} and used(9) == {("login", None)}, 20, lambda: str(rows(7)))
    assert len(rows(7)) == len(set(rows(7)))
    assert used(8) == set()  # who must not be tracked
    assert [event["type"] for event in pods[0].api("GET", "/v1/events")["events"]] == ["client.opted_out"]
    done = pods[0].cli("erase", "-c", pods[0].config_path, "--client", 7)
    assert done.returncode == 0 and ", 2 used links" in done.stdout, done
    assert used(7) == set() and used(9) == {("login", None)}
    assert redis.client().ttl("hc:{s00}:used") > 29 * 86400


def test_a_timeline_has_the_newest_of_a_long_stream(make_hopcountd, redis):
    daemon = make_hopcountd(redis)
    head = bytes([13, 1, 0, 0]) + bytes.fromhex(counters.brand_number("acme"))
    entries = [head + struct.pack(">IIQHHIQ", 0, client, 0, 3, 0, 2, 1795348800000) for client in (5, 6, 7)]
    redis.client().eval("""for i = 1, 20001 do
        redis.call('XADD', KEYS[1], '*', 'e', ARGV[i == 1 and 1 or i == 20001 and 3 or 2]) end""", 1, "hc:{s00}:told", *entries)

    def asked(client):
        return [row["type"] for row in daemon.api("GET", f"/v1/clients/{client}/timeline")["rows"]]
    assert asked(5) == [] and asked(7) == ["link.renewal_requested"]
    # A Redis user of before has no right to read it backwards.
    redis.client().execute_command("ACL", "SETUSER", "default", "-xrevrange")
    assert asked(5) == ["link.renewal_requested"] and asked(7) == []


def test_links_that_the_api_does_not_use(pods):
    assert use(pods[0], "0" * 45, "x", 404)
    assert "expired" in use(pods[0], pods[0].mint("login", 0, ttl=1, issued_s=1750000000), "x", 410).text
    assert "nly links of kind login" in use(pods[0], pods[0].mint("view", 5), "x", 409).text
    revoked = pods[0].mint("login", 0, client=9)
    pods[0].api("POST", "/v1/revocations", {"scope": "client", "brand": "acme", "id": 9}, 202)
    wait_until(lambda: pods[0].api("GET", f"/v1/links/{revoked}")["revoked"])
    assert "revoked" in use(pods[0], revoked, "x", 410).text
    token = pods[0].mint("login", 0, client=10)
    for body in ({"view": ""}, {"view": "x" * 65}, {"view": 7}, {"views": "x"}, [], "x", {"view": "a\n"}):
        reply = pods[0].admin("POST", f"/v1/links/{token}/use", body, key=True)
        assert reply.status == 400, (body, reply.text)
    key = pods[0].add_api_key("stats:read", "reader")
    pods[0].reload()
    wait_until(lambda: pods[0].admin("GET", f"/v1/links/{token}", key=key).status == 200)
    assert pods[0].admin("POST", f"/v1/links/{token}/use", {"view": "x"}, key=key).status == 403
    assert use(pods[0], token, "x").json["outcome"] == "first"


def test_the_api_without_redis(pods, redis):
    token = pods[0].mint("login", 0, client=7)
    redis.kill()
    reply = use(pods[0], token, "x", 503)
    assert reply.headers["Retry-After"]
