"""What the billing system tells: POST /v1/events, and how all pods learn of it."""
import concurrent.futures
import statistics
import struct
import time

import pytest

from faults.proxy import Proxy
from faults.told import OBJECT, STATES, key_of
from harness.build import patience
from harness.wait import wait_until

BRANDS = [{"name": "acme", "hosts": ["go.acme.example"], "base_url": "https://go.acme.example", "preset": "whmcs",
           "billing_url": "https://billing.acme.example"},
          {"name": "globex", "hosts": ["go.globex.example"], "base_url": "https://go.globex.example",
           "preset": "whmcs", "billing_url": "https://billing.globex.example"}]


def stamp(seconds_ago=0):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds_ago))


def event(number, **changes):
    return {"id": f"evt-{number}", "type": "invoice.paid", "object": 1000 + number, "at": stamp()} | changes


def post(daemon, body, status=202):
    return daemon.api("POST", "/v1/events", body, status)


def entries(daemon):
    return daemon.metrics()["hopcount_state_entries"]


def test_an_event_is_accepted_once(hopcountd):
    first = event(1)
    assert post(hopcountd, first) == {"id": "evt-1", "outcome": "accepted"}
    wait_until(lambda: entries(hopcountd) == 1)
    assert post(hopcountd, first) == {"id": "evt-1", "outcome": "duplicate"}
    why = 'object "0" is not a whole number from 1 to 4294967295.'
    assert post(hopcountd, [first, event(2), event(2), event(3, object=0)]) == [
        {"id": "evt-1", "outcome": "duplicate"}, {"id": "evt-2", "outcome": "accepted"},
        {"id": "evt-2", "outcome": "duplicate"},
        {"id": "evt-3", "outcome": "refused", "why": why, "errors": [{"field": "object", "detail": why}]}]
    assert hopcountd.metrics()["hopcount_events_accepted_total"] == 2
    wait_until(lambda: entries(hopcountd) == 2)


def test_a_repetition_that_redis_could_not_tell_changes_nothing(hopcountd, redis):
    """Two posts at once are both accepted; the script applies one."""
    hopcountd.api("POST", "/v1/events", [event(n) for n in range(50)], 202)
    redis.kill()
    again = post(hopcountd, [event(n) for n in range(50)])
    assert {one["outcome"] for one in again} == {"accepted"}
    redis.start()
    wait_until(lambda: hopcountd.metrics()["hopcount_redis_up"] == 1)
    wait_until(lambda: entries(hopcountd) == 50)
    wait_until(lambda: len(list(redis.client().scan_iter("hc:*:ev:*"))) == 50)
    news = redis.client().xrange("hc:{s00}:state")
    wait_until(lambda: sum(len(fields[b"e"]) for _, fields in redis.client().xrange("hc:{s00}:state")) == 50 * 16)
    assert news


BAD = [
    ("no object at all", [], "takes from 1 to 1000 events"),
    ("too many", [event(n) for n in range(1001)], "takes from 1 to 1000 events"),
    ("a text", ["paid"], "An event must be an object"),
    ("an unknown type", event(1, type="invoice.stolen"), "is none of invoice.paid"),
    ("mails of no campaign", {"id": "x", "type": "mail.sent", "n": 5}, "is missing; an event mail.sent needs it"),
    ("mails, but how many", {"id": "x", "type": "mail.sent", "campaign": 5}, "is missing: how many mails"),
    ("no mails", {"id": "x", "type": "mail.sent", "campaign": 5, "n": 0}, "how many mails were sent, 1 or more"),
    ("five mails of one object", {"id": "x", "type": "mail.sent", "campaign": 5, "object": 1, "n": 5}, "is 1 of one object"),
    ("a client without an object", {"id": "x", "type": "mail.sent", "campaign": 5, "client": 1, "n": 5}, "goes with object only"),
    ("a channel that is none", {"id": "x", "type": "mail.sent", "campaign": 5, "n": 5, "channel": "fax"}, "is none of unknown mail"),
    ("a currency that doesn't exist", event(1, amount=5, currency="XQQ"), "is not a currency of ISO 4217"),
    ("no type", {"id": "x"}, "is missing"),
    ("no id", {"type": "invoice.paid", "object": 1}, "is missing"),
    ("an id too long", event(1, id="x" * 65), "at most 64 fit"),
    ("no object", {"id": "x", "type": "invoice.paid"}, "needs it"),
    ("an object too large", event(1, object=4294967296), "is not a whole number"),
    ("a negative object", event(1, object=-1), "is not a whole number"),
    ("half an object", event(1, object=1.5), "is not a whole number"),
    ("an unknown field", event(1, colour="red"), "colour is no field of an event"),
    ("a field of another type", event(1, n=3), "says nothing of an event invoice.paid"),
    ("an unknown brand", event(1, brand="initech"), "is no brand"),
    ("in the future", event(1, at=stamp(-3600)), "lies in the future"),
    ("before there were links", event(1, at="2023-12-31T23:59:59Z"), "is not a time"),
    ("no time", event(1, at="yesterday"), "is not a time"),
    ("20 digits of money", event(1, amount="12345678901234567890", currency="EUR"), "is not a whole number of cents"),
    ("negative money", event(1, amount=-5, currency="EUR"), "is not a whole number of cents"),
    ("money without a currency", event(1, amount=5), "go together"),
    ("a currency that is none", event(1, amount=5, currency="Euro"), "three letters as EUR"),
    ("replaced by nothing", event(1, type="invoice.replaced"), "needs it"),
    ("replaced by itself", event(1, type="invoice.replaced", by=1001), "is the object itself"),
    ("opted out, but who", {"id": "x", "type": "client.opted_out"}, "needs it"),
]


def test_bad_events_change_nothing(hopcountd):
    for name, body, want in BAD:
        reply = hopcountd.admin("POST", "/v1/events", body, key=True)
        assert reply.status in (400, 413) or (isinstance(body, list) and reply.status == 202), f"{name}: {reply.text}"
        assert want in reply.text and '"accepted"' not in reply.text, f"{name}: {reply.text}"
    assert hopcountd.metrics()["hopcount_events_accepted_total"] == 0


def test_numbers_come_as_text_too(hopcountd):
    answer = post(hopcountd, event(1, object="1234", client=77.0, amount="1999.0", currency="eur"))
    assert answer["outcome"] == "accepted"


def test_a_key_needs_the_scope_and_the_brand(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"brands": BRANDS}, start=False)
    reader = daemon.add_api_key("stats:read", name="reader")
    acme = daemon.add_api_key("events:write", name="acme", brands="acme")
    daemon.start()
    assert daemon.admin("POST", "/v1/events", event(1)).status == 401
    assert daemon.admin("POST", "/v1/events", event(1), key=reader).status == 403
    assert daemon.admin("POST", "/v1/events", event(1, brand="globex"), key=acme).status == 403
    assert daemon.admin("POST", "/v1/events", event(1), key=acme).status == 202  # its only brand
    assert daemon.admin("POST", "/v1/events", event(1), key=True).status == 400  # which of the two?


@pytest.mark.tsan
def test_events_survive_kills_and_a_redis_that_is_away(make_hopcountd, redis):
    daemon = make_hopcountd(redis)
    redis.kill()
    for n in range(20):
        assert post(daemon, event(n))["outcome"] == "accepted"
    daemon.kill()
    daemon.start()
    for n in range(20, 40):
        assert post(daemon, event(n))["outcome"] == "accepted"
    redis.start()
    wait_until(lambda: entries(daemon) == 40, 30)
    assert len(list(redis.client().scan_iter("hc:*:ev:*"))) == 40


def test_the_later_event_holds_in_any_order(hopcountd, redis):
    for n, (kind, ago) in enumerate([("invoice.paid", 10), ("invoice.unpaid", 60), ("invoice.cancelled", 30)]):
        post(hopcountd, {"id": f"order-{n}", "type": kind, "object": 7, "at": stamp(ago)})
    wait_until(lambda: len(list(redis.client().scan_iter("hc:*:ev:*"))) == 3)
    (key,) = redis.client().scan_iter("hc:*:e:*")
    wait_until(lambda: redis.client().strlen(key) == 3 * 16)
    table = redis.client().get(key)
    latest = max(table[at + 8:at + 16] for at in range(0, len(table), 16))
    assert latest[0] >> 4 == 1 and latest[-1] == 3  # of an object, paid


@pytest.mark.alone
@pytest.mark.tsan
def test_pods_learn_of_it_within_a_second(make_hopcountd, redis, capsys):
    """1,000 events, one after the other; from each POST's answer until the other pod knows of it."""
    pods = [make_hopcountd(redis, {"admin": {"rate_per_min": 1000000}}, name=f"pod{n}") for n in range(2)]
    wait_until(lambda: all(pod.metrics()["hopcount_state_known"] == 1 for pod in pods))
    sent, delays = [], []

    def watch():
        while len(delays) < 1000:
            known, now = int(entries(pods[1])), time.monotonic()
            delays.extend(now - sent[n] for n in range(len(delays), known))
            time.sleep(0.005)  # how exactly it is measured

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        for n in range(1000):
            sent.append(time.monotonic())
            post(pods[0], event(n))
        watching.result(patience(60))
    wait_until(lambda: entries(pods[0]) == 1000)
    median, worst = statistics.median(delays), max(delays)
    with capsys.disabled():
        print(f"\nfrom POST to the other pod, 1,000 events: median {median:.2f} s, worst {worst:.2f} s")
    assert worst < patience(20)


def test_a_pod_that_missed_the_stream_loads_all(make_hopcountd, redis):
    """The stream was trimmed while the pod was away, and then emptied altogether."""
    pods = [make_hopcountd(redis, name=f"pod{n}") for n in range(2)]
    post(pods[0], [event(n) for n in range(10)])
    wait_until(lambda: entries(pods[1]) == 10)
    pods[1].terminate()
    post(pods[0], [event(n) for n in range(10, 20)])
    wait_until(lambda: entries(pods[0]) == 20)
    redis.client().xtrim("hc:{s00}:state", maxlen=0, approximate=False)
    pods[1].start()
    wait_until(lambda: entries(pods[1]) == 20)
    redis.client().delete("hc:{s00}:state")
    post(pods[0], event(20))
    wait_until(lambda: entries(pods[1]) == 21 and entries(pods[0]) == 21)


class CuttingProxy(Proxy):
    """Cuts the connection off after each 200 tables of states."""

    n_tables = 0

    def alter(self, frame):
        if frame.startswith(b"$640\r\n"):
            self.n_tables += 1
            if self.n_tables % 200 == 0:
                self.reset()
        return frame


def test_a_load_goes_on_where_it_was_cut_off(make_hopcountd, redis, rng):
    at_ms, client = int(time.time() * 1000) - 1704067200000, redis.client().pipeline()
    value = OBJECT << 60 | at_ms * 32 // 1000 << 24 | STATES["paid"]
    for bucket in range(1024):
        client.set(f"hc:{{s00}}:e:{bucket:03x}", b"".join(
            struct.pack(">QQ", key_of(OBJECT, bucket * 40 + n + 1), value) for n in range(40)))
    client.execute()
    proxy = CuttingProxy(redis.port, rng).start()
    try:
        daemon = make_hopcountd(proxy.url)
        wait_until(lambda: daemon.metrics()["hopcount_state_known"] == 1, 40, "all is loaded")
        assert entries(daemon) == 40 * 1024
        assert 1024 <= proxy.n_tables < 1500, "what has come is not asked for again"
    finally:
        proxy.stop()


def test_a_restart_without_redis_knows_what_was_known(make_hopcountd, redis):
    daemon = make_hopcountd(redis)
    post(daemon, [event(n) for n in range(30)])
    wait_until(lambda: entries(daemon) == 30)
    daemon.terminate()
    redis.kill()
    daemon.start()
    metrics = daemon.metrics()
    assert metrics["hopcount_state_entries"] == 30
    assert metrics["hopcount_state_known"] == 1
    assert metrics["hopcount_state_age_seconds"] == -1


def test_a_damaged_file_is_set_aside(make_hopcountd, redis):
    daemon = make_hopcountd(redis)
    post(daemon, [event(n) for n in range(30)])
    wait_until(lambda: entries(daemon) == 30)
    daemon.terminate()
    path = daemon.state_dir / "state"
    whole = path.read_bytes()
    for name, damaged in (("cut short", whole[:-1]), ("newer version", whole[:7] + b"\2" + whole[8:]),
                          ("cut short", whole[:11] + b"\2" + whole[12:]),
                          ("not a state file", b"HCLICKS\n" + whole[8:]), ("cut short", whole[:20]),
                          ("damaged", whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])):
        path.write_bytes(damaged)
        daemon.start()
        assert name in daemon.stderr()
        assert (daemon.state_dir / "state.set-aside").exists()
        wait_until(lambda: entries(daemon) == 30)  # from Redis
        daemon.terminate()
        assert path.read_bytes() != damaged
