"""Which mail was clicked, which click earned a payment: the sums of events and clicks in any order, through faults."""
import os
import struct
import time
from collections import Counter

from harness.daemon import BRAND
from harness.funnel import Year, brand_number, read_sums
from harness.wait import wait_until
from read_log import MAGIC, siphash24

BRAND_ID = brand_number()
INVOICES = int(os.environ.get("HOPCOUNT_INVOICES", 2500))


def write_log(state_dir, log_id, records, created_ms):
    """One segment with all records, as an earlier process would have left it."""
    def seal(block):
        return block + siphash24(log_id, block)[:4]
    head = seal(struct.pack("<8sII16sQqIQ", MAGIC, 1, 0, log_id, 0, created_ms, len(records), 0))
    directory = state_dir / "logs" / log_id.hex()
    directory.mkdir(parents=True, exist_ok=True)
    body = b"".join(seal(struct.pack("<Q", n) + record) for n, record in enumerate(records))
    (directory / "00000000.seg").write_bytes(head + body)


def describe(have, want):
    lines = [f"{key}: Redis {have[key]}, truth {want[key]}" for key in sorted(set(have) | set(want), key=str)
             if have[key] != want[key]]
    return f"{len(lines)} cells differ\n" + "\n".join(lines[:20])


def assert_conserved(payments):
    assert payments["in"] == sum(n for outcome, n in payments.items() if outcome != "in"), payments


def test_a_year_of_two_pods_is_as_it_was(make_hopcountd, redis, rng, capsys):
    now = int(time.time())
    year = Year(rng, INVOICES, now)
    pods = [make_hopcountd(redis, name=f"pod{n}", start=False) for n in range(2)]
    for n, pod in enumerate(pods):
        pod.state_dir.mkdir(parents=True)
        pod.state_dir.chmod(0o700)
        write_log(pod.state_dir, bytes([n]) * 16, year.logs[n], (now - 3600) * 1000)
        pod.start()
    started = time.monotonic()
    while pods[1].metrics()["hopcount_clicks_pending"] > 0 and time.monotonic() - started < 60:
        pods[1].kill()
        pods[1].start()
    wait_until(lambda: all(pod.metrics()["hopcount_clicks_pending"] == 0 for pod in pods), 120)
    cells, payments = read_sums(redis.client())
    want_cells, want_payments = year.truth.sums()
    with capsys.disabled():
        print(f"\n{sum(map(len, year.logs))} records of {INVOICES} invoices in {time.monotonic() - started:.1f} s; "
              f"{dict(payments)}")
    assert cells == want_cells, describe(cells, want_cells)
    assert payments == Counter({k: n for k, n in want_payments.items() if n})
    assert_conserved(payments)
    assert pods[0].metrics()["hopcount_increments_rejected_total"] == 0


BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


def stamp(seconds_ago):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds_ago))


def tell(daemon, type, object=0, ago=0, **fields):
    tell.n = getattr(tell, "n", 0) + 1
    body = {"id": f"told-{tell.n}", "type": type, "at": stamp(ago)} | ({"object": object} if object else {}) | fields
    assert daemon.api("POST", "/v1/events", body, 202)["outcome"] == "accepted"


def outcomes(redis):
    return {field.decode(): int(n) for field, n in redis.client().hgetall("hc:{s00}:payments").items() if int(n)}


EURO = {"amount": 1999, "currency": "EUR"}
# What is told of invoice 5, which was clicked now unless it says so; what must become of its payments.
PAYMENTS = [
    ("nobody clicked", False, [("invoice.paid", 0, EURO)], {"in": 1, "no_click": 1}),
    ("it came before the click", True, [("invoice.paid", 3600, EURO)], {"in": 1, "before_click": 1}),
    ("it came behind the click", True, [("invoice.paid", -60, EURO)], {"in": 1, "credited": 1}),
    ("without an amount", True, [("invoice.paid", -60, {})], {"in": 1, "credited": 1}),
    ("twice with other amounts: the later counts", True,
     [("invoice.paid", -60, EURO), ("invoice.paid", -90, {"amount": 5, "currency": "EUR"})],
     {"in": 2, "credited": 1, "replaced": 1}),
    ("in two parts", True, [("invoice.partly_paid", -60, EURO), ("invoice.paid", -90, EURO)], {"in": 2, "credited": 2}),
    ("refunded, and the refund came first", True, [("invoice.refunded", -90, EURO), ("invoice.paid", -60, EURO)],
     {"in": 1, "taken_back": 1}),
    ("in part", True, [("invoice.paid", -60, EURO), ("invoice.credited", -90, {"amount": 999, "currency": "EUR"})],
     {"in": 1, "credited": 1}),
    ("refunded in another currency", True,
     [("invoice.paid", -60, EURO), ("invoice.refunded", -90, {"amount": 1999, "currency": "USD"})],
     {"in": 1, "credited": 1}),
    ("unpaid again, then paid", True,
     [("invoice.paid", -60, EURO), ("invoice.unpaid", -70, {}), ("invoice.paid", -80, EURO)],
     {"in": 2, "credited": 1, "taken_back": 1}),
    ("by a client who opted out", True, [("client.opted_out", 0, {"client": 77}), ("invoice.paid", -60, EURO | {"client": 77})],
     {"in": 1, "opted_out": 1}),
]


def test_each_payment_has_an_answer(hopcountd, redis):
    """An event may be up to five minutes in the future, as clocks differ."""
    total = Counter()
    for n, (name, clicked, events, want) in enumerate(PAYMENTS):
        object = 100 * (n + 1)
        block = f"hc:{{s00}}:f:{BRAND_ID}:{object // 64:07x}"
        if clicked:
            hopcountd.click(hopcountd.mint("pay", object, campaign=n, channel=1), headers=BROWSER)
            wait_until(lambda block=block: redis.client().get(block), 20, f"{name}: the click")
        for type, ago, fields in events:
            tell(hopcountd, type, 0 if type.startswith("client") else object, ago, **fields)
            if type == "client.opted_out":
                wait_until(lambda: hopcountd.api("GET", f"/v1/links/{hopcountd.mint('pay', object, client=77)}")["opted_out"],
                           20, "the process knows who opted out")
        total.update(want)
        wait_until(lambda: outcomes(redis) == total, 20, lambda name=name: f"{name}: {outcomes(redis)}, not {total}")
    assert_conserved(total)
    tell(hopcountd, "mail.sent", 200, 86400, campaign=1)  # told after the clicks, and a day late
    tell(hopcountd, "mail.sent", 0, 86400, campaign=1, n=500, variant="B")
    wait_until(lambda: {key[1:6]: n for key, n in read_sums(redis.client())[0].items() if key[2] == 1}
               == {(1, 1, 0, 0, 1): 1, (1, 1, 0, 2, 1): 500}, 20)
    wait_until(lambda: hopcountd.metrics().get("hopcount_payments_in") == total["in"], 20)
    metrics = hopcountd.metrics()
    for outcome, n in total.items():
        assert outcome == "in" or metrics[f'hopcount_payments{{outcome="{outcome}"}}'] == n


def test_a_click_on_a_link_of_no_invoice_earns_nothing(make_hopcountd, redis):
    """The object of a service's link has a number, too."""
    daemon = make_hopcountd(redis, {"brands": [{**BRAND, "targets": [
        {"kind": 4, "name": "renew", "url": "https://billing.acme.example/cart?gid={object}", "object": "other"}]}]})
    daemon.click(daemon.mint(4, 5, campaign=12), headers=BROWSER)
    daemon.click(daemon.mint("pay", 6, campaign=12), headers=BROWSER)
    for object in (5, 6):
        tell(daemon, "invoice.paid", object, -60, **EURO)
    wait_until(lambda: outcomes(redis) == {"in": 2, "credited": 1, "no_click": 1}, 20, lambda: str(outcomes(redis)))


def test_what_is_not_ours_is_set_aside(hopcountd, redis):
    """Strings of another kind where invoices are kept: the batch goes on, nothing is overwritten."""
    client = redis.client()
    for key, put in (("0000000", lambda key: client.set(key, "not ours")), ("0000001", lambda key: client.rpush(key, "x"))):
        put("hc:{s00}:f:" + BRAND_ID + ":" + key)
    tell(hopcountd, "invoice.paid", 5, **EURO)
    tell(hopcountd, "invoice.paid", 65, **EURO)
    tell(hopcountd, "invoice.paid", 129, **EURO)
    wait_until(lambda: outcomes(redis) == {"in": 1, "no_click": 1}, 20, lambda: str(outcomes(redis)))
    assert hopcountd.metrics()["hopcount_increments_rejected_total"] == 2
    assert client.get("hc:{s00}:f:" + BRAND_ID + ":0000000") == b"not ours"
