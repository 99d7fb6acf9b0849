"""Clients of local days: of the hours that their clicks are of, as long as people are kept by the hour.  Few people of
a day are in a string, many in HyperLogLogs (FORMATS.md "People by the hour")."""
import collections
import datetime
import itertools
import zoneinfo

import pytest

from harness import hll
from harness.counters import brand_number, nobody_waits
from harness.daemon import merge
from harness.load import BROWSER
from harness.wait import wait_until
from test_visitors import CONFIG, IS_PLAIN, faketime, set_clock

UTC = datetime.timezone.utc
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
# Around the days of 25 hours of both zones: (hour of UTC, clients who click in it).
CLICKS = [("2026-10-24T21", (1, 2)),   # the 24th in both
          ("2026-10-24T22", (1, 3)),   # the 25th in Berlin
          ("2026-10-25T03", (2,)),     # the 24th in New York
          ("2026-10-25T04", (2, 4)),   # the 25th in both
          ("2026-10-25T22", (5,)),     # of the 25 hours of Berlin the last
          ("2026-10-25T23", (5, 1)),   # the 26th there
          ("2026-10-26T04", (6,)),     # the 26th in both
          ("2026-11-01T03", (1,)),     # the 31st in New York
          ("2026-11-01T04", (2, 3)),   # the 1st
          ("2026-11-02T04", (4, 3)),   # the last of its 25 hours
          ("2026-11-02T05", (5, 3))]   # the 2nd


def moment(hour):
    return datetime.datetime.fromisoformat(f"{hour}:30:00+00:00")


def click(daemon, at, client):
    token = daemon.mint("view", 1, client=client, campaign=client % 2, issued_s=at.timestamp() - 3600)
    daemon.click(token, headers={"User-Agent": BROWSER, "X-Forwarded-For": f"198.51.100.{client}"})


def truth(zone, first, last, campaign=None):
    """{local day: (clicks, clients)} and the clients of all of them."""
    days, n = collections.defaultdict(set), collections.Counter()
    for hour, clients in CLICKS:
        day = str(moment(hour).astimezone(zoneinfo.ZoneInfo(zone)).date())
        picked = [client for client in clients if campaign in (None, client % 2)]
        if first <= day <= last:
            n[day] += len(picked)
            days[day].update(picked)
    return ({day: (n[day], len(clients)) for day, clients in days.items() if clients},
            len(set(itertools.chain(*days.values()))))


def ask(daemon, zone, first, last, more=""):
    return daemon.api("GET", f"/v1/stats?brand=acme&from={first}&to={last}&interval=day&clients=true&tz={zone}{more}")


def figures(answer):
    return {row["key"]: (row["human"], row["clients"]) for row in answer["rows"] if row["human"]}


def string_keys(client, day=""):
    return list(client.scan_iter(f"hc:*:uh:{brand_number('acme')}:*:{day}*"))


def hour_keys(client, day=""):
    return [key for key in client.scan_iter(f"hc:*:u:{brand_number('acme')}:*:{day}*") if len(key.split(b":")[-1]) == 10]


def count_as_an_older_build(client, day, end):
    """The hours before `end` are HyperLogLogs, as they are of a build that knows no strings."""
    for key in string_keys(client, day):
        string, ttl = client.get(key), client.ttl(key)
        records = [string[at:at + 4] for at in range(0, len(string), 4)]
        for hour, clients in CLICKS:
            for number in clients:
                record = hll.record(int(hour[-2:]), number.to_bytes(4, "big"))
                if hour.startswith(f"{day[:4]}-{day[4:6]}-{day[6:]}") and int(hour[-2:]) < end and record in records:
                    client.pfadd(key.replace(b":uh:", b":u:") + hour[-2:].encode(), number.to_bytes(4, "big"))
        client.set(key, b"".join(record for record in records if record[0] << 4 | record[1] >> 4 >= end), ex=ttl)


@pytest.mark.skipif(not IS_PLAIN, reason="a preloaded library and a sanitizer's don't go together")
@pytest.mark.parametrize("shards", [1, 16])
def test_clients_of_a_local_day_are_those_of_its_clicks(make_hopcountd, redis, tmp_path, shards):
    clock, environment = faketime(tmp_path)
    set_clock(clock, moment(CLICKS[0][0]).timestamp())
    daemon = make_hopcountd(redis, merge(CONFIG, {"redis": {"shards": shards}}), environment=environment)
    client = redis.client()
    for i, (hour, clients) in enumerate(CLICKS):
        set_clock(clock, moment(hour).timestamp())
        for number in clients:
            click(daemon, moment(hour), number)
        if i in (3, 8):
            daemon.kill() if i == 3 else daemon.terminate()
            daemon.start()
    n, last = sum(len(clients) for _, clients in CLICKS), {}

    def counted():
        last.update(daemon.api("GET", "/v1/stats?brand=acme&from=2026-10-24&to=2026-11-02&group_by=label"))
        return last["total"]["human"] == last["total"]["total"] == n and nobody_waits(client)
    wait_until(counted, 30, lambda: f"{n} clicks are people's, and all of those are counted: {last}", pause=0.2)
    spans = (("2026-10-24", "2026-10-26"), ("2026-10-25", "2026-10-25"), ("2026-10-31", "2026-11-02"))
    assert string_keys(client) and not hour_keys(client)
    for older in (0, 1, 2):  # in strings; then of an older build, of whose days this one has counted a part
        if older:
            count_as_an_older_build(client, ("20261024", "20261025")[older - 1], (24, 22)[older - 1])
            assert len(hour_keys(client)) > 0
        for zone, (first, last), campaign in itertools.product((BERLIN, NEW_YORK, "UTC"), spans, (None, 1)):
            answer = ask(daemon, zone, first, last, ("" if campaign is None else f"&campaign={campaign}") + f"&limit={990 - older}")
            days, clients = truth(zone, first, last, campaign)
            assert (figures(answer), answer["total"]["clients"]) == (days, clients), (zone, first, campaign)
            assert answer["clients_by"] == "hours"
    some = daemon.api("GET", "/v1/stats?brand=acme&from=2026-10-24T22:00:00Z&to=2026-10-25T04:00:00Z&clients=true")
    assert (some["total"]["human"], some["total"]["clients"], some["clients_by"]) == (3, 3, "hours")
    # As after an older process, or when their time is over: a row without its hours has no figure.
    client.delete(*hour_keys(client, "20261024"), *string_keys(client, "20261024"))
    for zone, by, rows in ((BERLIN, "hours", 1), (NEW_YORK, "days", 2)):
        answer = ask(daemon, zone, "2026-10-24", "2026-10-26", "&limit=999")
        known = {row["key"]: (row["human"], row["clients"]) for row in answer["rows"] if "clients" in row}
        assert answer["clients_by"] == by and len(known) == rows, zone
        assert known.items() <= truth(zone, "2026-10-24", "2026-10-26")[0].items(), (zone, known)
        assert answer["total"]["clients"] == 6 <= answer["total"]["human"]
    assert ask(daemon, "UTC", "2026-10-24", "2026-10-26", "&limit=998")["clients_by"] == "hours"


HOURS = ("2026-10-24T20", "2026-10-24T22", "2026-10-25T02", "2026-10-25T03", "2026-10-25T05", "2026-10-25T21", "2026-10-25T23")
LARGE, SMALL = 1, 2


@pytest.mark.skipif(not IS_PLAIN, reason="a preloaded library and a sanitizer's don't go together")
@pytest.mark.parametrize("shards", [1, 16])
def test_a_campaign_grows_within_a_day(make_hopcountd, redis, tmp_path, rng, shards):
    """Its people are in a string first and in HyperLogLogs then; another campaign's stay in one.  All are counted as if
    each hour had been a HyperLogLog from the beginning."""
    clock, environment = faketime(tmp_path)
    set_clock(clock, moment(HOURS[0]).timestamp())
    daemon = make_hopcountd(redis, merge(CONFIG, {"redis": {"shards": shards}}), environment=environment)
    client, n, by_zone = redis.client(), collections.Counter(), collections.defaultdict(set)

    def counted():
        total = daemon.api("GET", f"/v1/stats?brand=acme&from=2026-10-24&to=2026-10-26&group_by=label&limit={100 + n[None] % 800}")["total"]
        return total["human"] == total["total"] == n[None] and nobody_waits(client)

    def of(campaign, day, kind="h"):
        keys = client.keys(f"hc:*:u{kind}:{brand_number('acme')}:{campaign}:{day}")
        return client.get(keys[0]) if keys else None
    for i, hour in enumerate(HOURS):
        set_clock(clock, moment(hour).timestamp())
        clicks = [(LARGE, who) for who in rng.sample(range(10, 800), 240)] + [(SMALL, who) for who in (1, 2, rng.randint(3, 9))]
        for campaign, who in clicks + [click for click in clicks[::20]]:
            token = daemon.mint("view", 1, client=who, campaign=campaign, issued_s=moment(hour).timestamp() - 3600)
            daemon.click(token, headers={"User-Agent": BROWSER, "X-Forwarded-For": f"198.18.{who // 200}.{who % 200}"})
            n[None] += 1
            for scope in (campaign, "*"):
                client.pfadd(f"plain:{scope}:{hour}", who.to_bytes(4, "big"))
            for zone, scope in itertools.product((BERLIN, NEW_YORK, "UTC"), (campaign, "*")):
                day = str(moment(hour).astimezone(zoneinfo.ZoneInfo(zone)).date())
                by_zone[zone, day, scope].add(f"plain:{scope}:{hour}")
                n[zone, day, scope] += 1
        if i == 4:
            daemon.kill()  # in the middle of what makes the day too large
            daemon.start()
        wait_until(counted, 30, lambda: f"{n[None]} clicks are people's, and all of those are counted", pause=0.2)
        if i == 3:
            assert 480 * 4 <= len(of(LARGE, "20261025")) <= 2048
    assert of(LARGE, "20261025") == of("*", "20261025") == b"H" and 480 * 4 <= len(of(LARGE, "20261024")) <= 2048
    assert len(of(SMALL, "20261025")) >= 15 * 4 and not client.keys(f"hc:*:u:*:{SMALL}:20261025[0-9]*")
    for hour in HOURS[2:]:
        assert hll.registers(of(LARGE, "20261025" + hour[-2:], "")) == hll.registers(client.get(f"plain:{LARGE}:{hour}"))
    for zone, scope in itertools.product((BERLIN, NEW_YORK, "UTC"), (LARGE, SMALL, "*")):
        answer = ask(daemon, zone, "2026-10-24", "2026-10-26", "" if scope == "*" else f"&campaign={scope}")
        want = {day: (n[zone, day, scope], min(n[zone, day, scope], client.pfcount(*keys)))
                for (of_zone, day, of_scope), keys in by_zone.items() if (of_zone, of_scope) == (zone, scope)}
        assert figures(answer) == want and answer["clients_by"] == "hours", (zone, scope)
        assert answer["total"]["clients"] == client.pfcount(*(f"plain:{scope}:{hour}" for hour in HOURS)), (zone, scope)


def test_a_process_that_counts_days_only_is_noticed(make_hopcountd, redis):
    """`client_hours_days: 0` counts as a process of the version before does: its people are missing in the hours."""
    older = make_hopcountd(redis, merge(CONFIG, {"retention": {"client_hours_days": 0}}), "older")
    client, now = redis.client(), datetime.datetime.now(UTC)
    query = f"/v1/stats?brand=acme&from={now:%Y-%m-%dT%H:00:00Z}&clients=true"

    def counted(daemon, clients):
        total = daemon.api("GET", query)["total"]
        return total["human"] == total["clients"] == clients and nobody_waits(client)
    click(older, now, 1)
    wait_until(lambda: counted(older, 1), 30, "a client is counted", pause=0.2)
    assert not hour_keys(client) and not string_keys(client)
    older.terminate()
    newer = make_hopcountd(redis, CONFIG, "newer")
    click(newer, now, 3)
    wait_until(lambda: counted(newer, 2), 30, "another one too, and the first is not lost", pause=0.2)
    if now.hour > 0:  # midnight of UTC needs no hours
        assert newer.api("GET", query)["clients_by"] == "days"
    strings = string_keys(client)
    assert len(strings) == 2 and all(0 < client.ttl(key) <= 35 * 86400 for key in strings)
    assert {client.get(key) for key in strings} == {hll.record(now.hour, (3).to_bytes(4, "big"))}
    for key in client.scan_iter("hc:*:u:*"):
        assert client.pfcount(key) == 2


def test_hours_can_not_be_counted_while_redis_refuses_to_write(make_hopcountd, redis):
    """To count a string a key is written for a moment: without it people are counted by days."""
    daemon, client, now = make_hopcountd(redis, CONFIG), redis.client(), datetime.datetime.now(UTC)
    query = f"/v1/stats?brand=acme&from={now:%Y-%m-%dT%H:00:00Z}&clients=true"
    click(daemon, now, 1)
    wait_until(lambda: daemon.api("GET", query)["total"]["clients"] == 1 and nobody_waits(client), 30, "a client is counted", pause=0.2)
    assert daemon.api("GET", query + "&limit=998")["clients_by"] == "hours" and string_keys(client)
    client.config_set("maxmemory", 1)
    answer = daemon.api("GET", query + "&limit=997")
    assert answer["total"]["clients"] == 1 and (answer["clients_by"] == "days" or now.hour == 0)  # midnight needs no hours
    client.config_set("maxmemory", 0)
    assert daemon.api("GET", query + "&limit=996")["clients_by"] == "hours"
