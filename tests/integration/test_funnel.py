"""Which mail was clicked, which click earned a payment: the sums of events and clicks in any order, through faults."""
import calendar
import os
import struct
import time
from collections import Counter

import pytest

from faults.refusals import out_of_memory
from faults.topology import Sentinels
from harness.daemon import BRAND
from harness.funnel import Year, brand_number, quantile, read_sums, rows_of, step_begin
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


EMPTY = rows_of({}, 0, 0, [])[None]


def compare_row(row, want, name, has_sent=True):
    """Of kinds there are no mails: one mail has links of several."""
    assert row["sent"] == (want["sent"] if has_sent else None), name
    assert (row["clicked"], row["paid"]) == (want["clicked"], want["paid"]), name
    assert row["amount"] == {currency: n for currency, n in want["amount"].items() if n}, name
    for field, steps in (("sent_to_click_s", want["sent_to_click"]), ("click_to_pay_s", want["click_to_pay"])):
        spread = {part: quantile(steps, n + 1) for n, part in enumerate(("q1", "median", "q3"))}
        assert row[field] == (spread if sum(steps.values()) else None), f"{name}: {field}"


def check_rows(daemon, cells, now):
    """By all that rows can be told apart by, of a year and of some weeks that begin and end anywhere."""
    def moment(time_s):
        return time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(time_s))
    year, weeks = now // 3600 * 3600 - 365 * 86400, now // 3600 * 3600 - 100 * 86400
    # Begins on the 3rd and ends on the 27th: what is outside is taken from the months.
    first, last = (calendar.timegm((*time.gmtime(now - days * 86400)[:2], day, 7, 0, 0))
                   for days, day in ((150, 3), (60, 27)))
    for start, end in ((year, now // 3600 * 3600 + 3600), (weeks, weeks + 47 * 86400 + 5 * 3600), (first, last)):
        for groups in (["campaign"], ["variant"], ["channel"], ["kind"], ["campaign", "variant"], ["kind", "campaign"]):
            answer = daemon.api("GET", f"/v1/funnel?from={moment(start)}&to={moment(end)}&group_by={','.join(groups)}")
            want = rows_of(cells, start, end, groups)
            compare_row(answer["total"], want.pop(None), f"{groups}: total")
            assert {row["key"] for row in answer["rows"]} == set(want)
            for row in answer["rows"]:
                compare_row(row, want[row["key"]], f"{groups}: {row['key']}", "kind" not in groups)
                assert row["pay_rate"] is None or abs(row["pay_rate"] - row["paid"] / row["clicked"]) < 1e-5
        for query, route in (("variant=B", (2, 1)), ("variant=none&channel=mail,sms", (0, 1)), ("channel=sms", (0, 2))):
            answer = daemon.api("GET", f"/v1/funnel?from={moment(start)}&to={moment(end)}&{query}")
            want = rows_of({key: n for key, n in cells.items() if key[4:6] == route}, start, end, ["campaign"])
            compare_row(answer["total"], want.pop(None, EMPTY), f"{query}: total")
            assert {row["key"] for row in answer["rows"]} == set(want)
            for row in answer["rows"]:
                compare_row(row, want[row["key"]], f"{query}: {row['key']}")
    answer = daemon.api("GET", f"/v1/funnel?from={moment(weeks)}&to={moment(weeks + 30 * 86400)}&compare=previous&campaign=2")
    compare_row(answer["previous"]["total"], rows_of({k: n for k, n in cells.items() if k[1] == 2}, weeks - 30 * 86400, weeks, [])[None],
                "the period before")
    steps = rows_of({k: n for k, n in cells.items() if k[1] == 2}, weeks, weeks + 30 * 86400, [])[None]["click_to_pay"]
    assert answer["total"]["click_to_pay"] == [
        {"from_s": step_begin(step), "to_s": step_begin(step + 1), "n": n} for step, n in sorted(steps.items()) if n]
    table = daemon.admin("GET", f"/v1/funnel?from={moment(year)}&group_by=campaign", headers={"Accept": "text/csv"}, key=True)
    lines = table.text.split("\r\n")
    assert lines[0].startswith("campaign,name,sent,clicked,paid,amount_") and len(lines) == 6
    for groups in ("campaign", "campaign,variant"):
        rows = daemon.api("GET", f"/v1/funnel?from={moment(year)}&group_by={groups}")["rows"]
        for sort, value in (("click_rate", lambda row: row["clicked"] / row["sent"]), ("sent", lambda row: row["sent"]),
                            ("conversion_rate", lambda row: row["paid"] / row["sent"]), ("paid", lambda row: row["paid"])):
            sorted_rows = daemon.api("GET", f"/v1/funnel?from={moment(year)}&group_by={groups}&sort={sort}")["rows"]
            key = lambda row: (bool(row["sent"]), value(row) if row["sent"] or sort == "paid" else 0, row["sent"])  # noqa: E731
            order = key if sort != "paid" else lambda row: (value(row), row["sent"])
            assert [row["key"] for row in sorted_rows] == [row["key"] for row in sorted(rows, key=order, reverse=True)], sort
    for bad in ("sort=rate", "sort=sent&group_by=time"):
        assert '"sort"' in daemon.admin("GET", f"/v1/funnel?{bad}", key=True).text


def check_statistics(daemon, cells, now):
    """/v1/stats of payments: by the time of the mail."""
    start = now // 3600 * 3600 - 366 * 86400
    since = "from=" + time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(start))
    total = rows_of(cells, start, now + 3600, [])[None]
    answer = daemon.api("GET", f"/v1/stats?metric=conversions&{since}&interval=month&tz=Europe/Berlin")
    assert sum(row["conversions"] for row in answer["rows"]) == answer["total"]["conversions"] == total["paid"]
    answer = daemon.api("GET", f"/v1/stats?metric=amount&{since}&group_by=campaign,variant")
    sums = Counter()
    for row in answer["rows"]:
        sums.update(row["amount"])
    assert sums == answer["total"]["amount"] == {k: n for k, n in total["amount"].items() if n}
    for query, want in (("metric=money", "must be clicks, conversions or amount"),
                        ("metric=amount&group_by=country", "payments are not counted by country"),
                        ("metric=amount&clients=true", "of clicks only"),
                        ("metric=amount&country=DE", "picks clicks only, and no payments")):
        reply = daemon.admin("GET", f"/v1/stats?{query}", key=True)
        assert reply.status == 400 and want in reply.text, reply.text


def read_list(daemon, what, query, limit):
    """All pages of a list."""
    rows, page = [], 0
    while page is not None:
        answer = daemon.api("GET", f"/v1/{what}?{query}&limit={limit}&page={page}")
        assert len(answer["rows"]) <= limit
        rows += answer["rows"]
        page = answer["next_page"]
    assert [row["object"] for row in rows] == sorted({row["object"] for row in rows})
    return {row["object"]: row for row in rows}


def check_lists(daemon, year, now):
    start, end = now // 3600 * 3600 - 200 * 86400, now // 3600 * 3600 - 20 * 86400
    moment = [time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(time_s)) for time_s in (start, end)]
    query = f"campaign=2&from={moment[0]}&to={moment[1]}"
    clicks = {object: sorted(click for click in clicks if click[1] == 2) for object, clicks in year.truth.clicks.items()}
    mailed = {object for object, sent in year.mailed[2].items() if start <= sent < end}
    clicked = read_list(daemon, "clicked", query, 7)
    assert set(clicked) == {object for object in mailed if clicks.get(object)}
    for object, row in clicked.items():
        first, last = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(clicks[object][n][0])) for n in (0, -1))
        assert (row["first_click_at"], row["last_click_at"], row["channel"]) == (first, last, "mail")
        assert row["client"] == year.client_of[object]
    assert set(read_list(daemon, "unclicked", query, 10000)) == {object for object in mailed if not clicks.get(object)}
    for more, wanted in (("variant=B&channel=mail", lambda click: click[3] == 2), ("kind=pay", lambda click: click[2] == 2),
                         ("channel=sms", lambda click: False)):
        found = set(read_list(daemon, "clicked", f"{query}&{more}", 10000))
        assert found == {object for object in mailed if any(map(wanted, clicks.get(object, [])))}, more
    assert set(read_list(daemon, "unclicked", f"{query}&kind=pay", 10000)) == {
        object for object in mailed if not any(click[2] == 2 for click in clicks.get(object, []))}
    wait_until(lambda: daemon.metrics()["hopcount_state_known"] == 1)
    owed = {object for object in mailed if year.is_owed(object)}
    assert set(read_list(daemon, "unpaid", query, 100)) == owed
    table = daemon.admin("GET", f"/v1/unpaid?{query}&limit=10", headers={"Accept": "text/csv"}, key=True)
    lines = table.text.split("\r\n")
    assert lines[0] == "object,client,sent_at,first_click_at,last_click_at,channel,variant,state" and len(lines) == 12
    assert int(table.getheader("Next-Page")) == sorted(owed)[10]
    path = daemon.directory / "unpaid.csv"
    path.write_text(table.text)
    done = daemon.cli("mint", "-c", daemon.config_path, "--batch", "--from-list", path, "pay", "--campaign", "9")
    assert done.returncode == 0, done.stderr
    minted = done.stdout.splitlines()
    assert minted[0] == "id,token,url,expires_at,object,client" and len(minted) == 11
    link = daemon.api("GET", f"/v1/links/{minted[1].split(',')[1]}")
    assert (link["object"], link["client"], link["campaign"]) == (sorted(owed)[0], year.client_of[sorted(owed)[0]], 9)
    client = year.client_of[sorted(owed)[0]]
    tell(daemon, "client.opted_out", client=client)
    wait_until(lambda: client not in {row["client"] for row in read_list(daemon, "unpaid", query, 1000).values()}, 20)
    for bad, want in (("from=30d", "the number of one campaign"), ("campaign=1,2", "the number of one campaign"),
                      ("campaign=1&page=x", "next_page"), ("campaign=1&limit=10001", "from 1 to 10000")):
        reply = daemon.admin("GET", f"/v1/clicked?{bad}", key=True)
        assert reply.status == 400 and want in reply.text, reply.text


def start_year(make_hopcountd, year, url, now, config=None):
    """Two pods that find the logs of the year."""
    pods = [make_hopcountd(url, config, name=f"pod{n}", start=False) for n in range(2)]
    for n, pod in enumerate(pods):
        pod.state_dir.mkdir(parents=True)
        pod.state_dir.chmod(0o700)
        write_log(pod.state_dir, bytes([n]) * 16, year.logs[n], (now - 3600) * 1000)
        pod.start()
    return pods


def is_counted(pod):
    """All of its log is in Redis, and in the sums of the funnel."""
    metrics = pod.metrics()
    return metrics["hopcount_clicks_pending"] == 0 and pod.metrics().get("hopcount_funnel_waiting") == 0


def compare(year, client, pods):
    wait_until(lambda: all(is_counted(pod) for pod in pods), 120 + INVOICES // 200, "all is counted")
    cells, payments = read_sums(client)
    want_cells, want_payments = year.truth.sums()
    assert cells == want_cells, describe(cells, want_cells)
    assert payments == Counter({k: n for k, n in want_payments.items() if n})
    assert_conserved(payments)
    return cells, payments


def print_rows(daemon, cells, now):
    """The rows of the year beside the truth, and how long a query takes; HOPCOUNT_INVOICES=100000 for a large one."""
    start = now // 3600 * 3600 - 365 * 86400
    path = "/v1/funnel?group_by=campaign&from=" + time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(start))
    truth, took = rows_of(cells, start, now + 3600, ["campaign"]), []
    for n in range(20):
        began = time.monotonic()
        answer = daemon.api("GET", f"{path}&limit={100 + n}")  # no answer that was kept
        took.append(time.monotonic() - began)
    for row in answer["rows"]:
        want = truth[row["key"]]
        print(f"campaign {row['key']}: sent {row['sent']} ({want['sent']}), clicked {row['clicked']} ({want['clicked']}), "
              f"paid {row['paid']} ({want['paid']}), EUR {row['amount'].get('EUR', 0)} ({want['amount']['EUR']})")
    print(f"a year by campaign: median {1000 * sorted(took)[10]:.1f} ms, longest {1000 * max(took):.1f} ms")


@pytest.mark.alone
def test_a_year_of_two_pods_is_as_it_was(make_hopcountd, redis, rng, capsys):
    now = int(time.time())
    year = Year(rng, INVOICES, now)
    pods = start_year(make_hopcountd, year, redis, now)
    started = time.monotonic()
    while pods[1].metrics()["hopcount_clicks_pending"] > 0 and time.monotonic() - started < 60:
        pods[1].kill()
        pods[1].start()
    cells, payments = compare(year, redis.client(), pods)
    with capsys.disabled():
        print(f"\n{sum(map(len, year.logs))} records of {INVOICES} invoices in {time.monotonic() - started:.1f} s; "
              f"{dict(payments)}")
    assert pods[0].metrics()["hopcount_increments_rejected_total"] == 0
    check_rows(pods[1], cells, now)
    check_statistics(pods[1], cells, now)
    with capsys.disabled():
        print_rows(pods[1], cells, now)
    check_lists(pods[0], year, now)


def test_redis_is_killed_while_it_counts(make_hopcountd, redis, rng):
    """What it had not written down yet is applied again, payments and all; 16 shards add up to one truth."""
    now = int(time.time())
    year = Year(rng, INVOICES // 4, now)
    pods = start_year(make_hopcountd, year, redis, now, {"redis": {"shards": 16}})
    for _ in range(3):
        if all(pod.metrics()["hopcount_clicks_pending"] == 0 for pod in pods):
            break
        redis.kill()
        redis.start()
        wait_until(lambda: all(pod.metrics()["hopcount_redis_up"] == 1 for pod in pods), 30)
    cells, _ = compare(year, redis.client(), pods)
    check_rows(pods[0], cells, now)


def test_a_failover_to_a_replica_that_lags(make_hopcountd, make_topology, rng):
    """Sums, facts and cursors have gone back together."""
    sentinels = make_topology(Sentinels)
    now = int(time.time())
    year = Year(rng, INVOICES // 4, now)
    master, _ = sentinels.cut_replication()
    pods = start_year(make_hopcountd, year, sentinels.url, now)
    wait_until(lambda: outcomes(master).get("in", 0) > 20, 30)
    master.kill()
    sentinels.wait_failover(master)
    # Until the pods have asked the new master for its cursors, all that the old one had counts as applied.
    payments = year.truth.sums()[1]["in"]
    wait_until(lambda: outcomes(sentinels.master()).get("in", 0) >= payments, 120)
    compare(year, sentinels.master().client(), pods)
    assert sum(pod.metrics()["hopcount_clicks_replayed_total"] for pod in pods) > 0


BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


def stamp(seconds_ago):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds_ago))


def tell(daemon, type, object=0, ago=0, **fields):
    tell.n = getattr(tell, "n", 0) + 1
    body = {"id": f"told-{tell.n}", "type": type, "at": stamp(ago)} | ({"object": object} if object else {}) | fields
    assert daemon.api("POST", "/v1/events", body, 202)["outcome"] == "accepted"


def outcomes(server):
    return {field.decode(): int(n) for field, n in server.client().hgetall("hc:{s00}:payments").items() if int(n)}


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
    wait_until(lambda: {key[1:6]: n for key, n in read_sums(redis.client(), at_rest=False)[0].items() if key[2] == 1}
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
    wait_until(lambda: hopcountd.metrics()["hopcount_increments_rejected_total"] == 2, 20, "both are counted")
    assert client.get("hc:{s00}:f:" + BRAND_ID + ":0000000") == b"not ours"


def test_a_queue_that_is_not_ours(hopcountd, redis):
    """Clicks are counted all the same; what they say of invoices is set aside, and the key stays as it is."""
    client = redis.client()
    client.set("hc:{s00}:fq", "not ours")
    hopcountd.click(hopcountd.mint("pay", 5, campaign=1), headers=BROWSER)
    wait_until(lambda: hopcountd.metrics()["hopcount_increments_rejected_total"] == 1, 20, "it is set aside")
    wait_until(lambda: hopcountd.metrics()["hopcount_clicks_pending"] == 0, 20, "the click is counted")
    assert client.get("hc:{s00}:fq") == b"not ours"
    client.delete("hc:{s00}:fq")
    tell(hopcountd, "invoice.paid", 5, **EURO)
    wait_until(lambda: outcomes(redis) == {"in": 1, "no_click": 1}, 20, lambda: str(outcomes(redis)))


def test_a_process_that_dies_holds_up_the_others_for_a_moment(hopcountd, redis):
    """It had taken the facts of the shard; another one goes on when its name has expired."""
    redis.client().set("hc:{s00}:ft", "another", px=3000)
    tell(hopcountd, "invoice.paid", 5, **EURO)
    wait_until(lambda: hopcountd.metrics().get("hopcount_funnel_waiting") == 1, 20, "it waits")
    wait_until(lambda: outcomes(redis) == {"in": 1, "no_click": 1}, 20, lambda: str(outcomes(redis)))
    wait_until(lambda: hopcountd.metrics().get("hopcount_funnel_waiting") == 0, 20)
    assert redis.client().xlen("hc:{s00}:fq") == 0


@pytest.mark.parametrize("by_another", [False, True], ids=["by itself", "by another process"])
def test_redis_that_no_longer_refuses_facts_is_no_refusal_though_nobody_clicks(hopcountd, redis, by_another):
    """Facts are taken when the process that had taken them is gone; Redis is out of memory then, and later no more."""
    client = redis.client()
    client.set("hc:{s00}:ft", "another")
    tell(hopcountd, "invoice.paid", 5, **EURO)
    wait_until(lambda: hopcountd.metrics().get("hopcount_funnel_waiting") == 1, 20, "it waits")
    heal = out_of_memory(redis)
    client.delete("hc:{s00}:ft")
    wait_until(lambda: hopcountd.metrics().total("hopcount_redis_refusal") == 1, 20, hopcountd.stderr_tail)
    if by_another:
        client.delete("hc:{s00}:fq")
    heal()
    wait_until(lambda: hopcountd.metrics().get("hopcount_funnel_waiting") == 0, 40, hopcountd.stderr_tail)
    assert outcomes(redis) == ({} if by_another else {"in": 1, "no_click": 1})
    wait_until(lambda: hopcountd.metrics().total("hopcount_redis_refusal") == 0, 20, "Redis refuses nothing, though nobody clicks")


def test_links_are_mailed_as_they_are_made(hopcountd, redis):
    """Two links of one mail are one mail, however often they are made again."""
    links = [{"kind": kind, "object": 5, "client": 7, "campaign": 3, "variant": "B", "issued": "2026-01-05T12:00:30Z",
              "sent": True} for kind in ("view", "pay")]
    for _ in range(2):
        hopcountd.api("POST", "/v1/links", links, 201)
    hopcountd.api("POST", "/v1/links", links[0] | {"object": 6, "sent": False}, 201)
    hopcountd.api("POST", "/v1/links", links[0] | {"object": 7}, 201)
    wait_until(lambda: [(key[1:], n) for key, n in read_sums(redis.client(), at_rest=False)[0].items()] == [((3, 1, 0, 2, 1, 0), 2)], 20,
               lambda: str(read_sums(redis.client(), at_rest=False)))
    for changes, want in (({"sent": "yes"}, "must be true or false"), ({"object": 0, "kind": "login"}, "which invoice was mailed")):
        reply = hopcountd.admin("POST", "/v1/links", links[0] | changes, key=True)
        assert reply.status == 400 and want in reply.text, reply.text
