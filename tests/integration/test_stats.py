"""Statistics against a reading of the same clicks in Python."""
import collections
import datetime
import gzip
import http.client
import json
import re
import signal
import socket
import zoneinfo

import pytest

from harness import counters, openapi
from harness.counters import UTC, Click
from harness.wait import wait_until

HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Auckland"]
KINDS = {1: "view", 2: "pay", 3: "login", 4: "renew"}
LABELS = ["human", "scanner", "bot", "prefetch", "probe"]
DEVICES = ["other", "phone", "tablet", "desktop"]
CHANNELS = ["unknown", "mail", "sms", "pdf", "qr", "portal", "chat", "other"]
REFERRERS = ["none", "mail", "search", "social", "other"]
BRANDS = [
    {"name": name, "hosts": [f"go.{name}.example"], "base_url": f"https://go.{name}.example",
     "preset": "whmcs", "billing_url": f"https://billing.{name}.example",
     "targets": [{"kind": "4", "name": "renew", "url": f"https://billing.{name}.example/r"}]}
    for name in ("acme", "globex")]
CONFIG = {"brands": BRANDS}


def random_clicks(rng, n, first, days):
    return [Click(rng.choice(["acme", "acme", "globex"]),
                  first + datetime.timedelta(seconds=rng.randrange(days * 86400)),
                  rng.choice([1, 2, 2, 3, 4]), rng.choice([0, 1, 2, 12]), rng.choice([0, 0, 0, 1, 2, 3, 4]),
                  rng.choice(["DE", "US", "AT", None]), rng.randrange(4), rng.randrange(8), rng.randrange(8),
                  rng.randrange(5)) for _ in range(n)]


def iso(time):
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def name_of(click, group):
    return {
        "kind": lambda: KINDS[click.kind],
        "campaign": lambda: str(click.campaign),
        "label": lambda: LABELS[click.label],
        "country": lambda: click.country or "unknown",
        "device": lambda: DEVICES[click.device],
        "variant": lambda: "none" if click.variant == 0 else "ABCDEFG"[click.variant - 1],
        "channel": lambda: CHANNELS[click.channel],
        "referrer": lambda: REFERRERS[click.referrer],
    }[group]()


def time_name(click, interval, zone):
    """The row of time a click falls into: by the hour (UTC) it is in, as counters know no more."""
    hour = click.time.astimezone(UTC).replace(minute=0, second=0, microsecond=0).astimezone(zone)
    if interval == "hour":
        text = hour.isoformat()
        return text[:-6] + "Z" if text.endswith("+00:00") else text
    return hour.strftime("%Y-%m-%d" if interval == "day" else "%Y-%m")


def count(clicks, groups, interval, zone):
    rows = collections.defaultdict(lambda: [0, 0])
    for click in clicks:
        key = ",".join(time_name(click, interval, zone) if g == "time" else name_of(click, g) for g in groups)
        rows[key][click.label != 0] += 1
    return {key: tuple(pair) for key, pair in rows.items()}


def ask(daemon, target, status=200, headers=None):
    reply = daemon.admin("GET", target, headers=headers, key=True)
    openapi.check_reply("GET", target, reply)
    assert reply.status == status, f"{target}: {reply.status} {reply.text}"
    return json.loads(reply.text)


@pytest.fixture
def daemon(make_hopcountd, redis):
    return make_hopcountd(redis, CONFIG)


def test_random_queries_agree_with_a_reading_in_python(daemon, redis, rng):
    # Both changes of the clocks of 2026 lie within, in either hemisphere.
    first = datetime.datetime(2026, 2, 20, tzinfo=UTC)
    clicks = random_clicks(rng, 4000, first, 270)
    counters.seed(redis.client(), clicks)
    for _ in range(150):
        zone_name = rng.choice(ZONES)
        zone = zoneinfo.ZoneInfo(zone_name)
        begin = first + rng.randrange(260 * 24) * HOUR
        end = min(begin + rng.randrange(1, 90 * 24) * HOUR, first + 275 * DAY)
        interval = rng.choice(["hour", "day", "month"])
        groups = [rng.choice(["time", "kind", "campaign", "label", "country", "device", "variant", "channel",
                              "referrer"])]
        if rng.random() < 0.5:
            groups = list(dict.fromkeys([rng.choice(["time", "kind"])] + groups))
        brand = rng.choice(["acme", "globex"]) if "campaign" in groups else rng.choice(["acme", "globex", None])
        kinds = rng.choice([None, [2], [1, 4]])
        campaigns = rng.choice([None, None, [1], [0, 12]]) if brand else None
        query = f"from={iso(begin)}&to={iso(end)}&tz={zone_name}&interval={interval}" \
                f"&group_by={','.join(groups)}&limit=10000"
        query += f"&brand={brand}" if brand else ""
        query += "&kind=" + ",".join(KINDS[k] for k in kinds) if kinds else ""
        query += "&campaign=" + ",".join(map(str, campaigns)) if campaigns else ""
        print(query)
        wanted = [c for c in clicks if begin <= c.time < end and brand in (None, c.brand)
                  and (not kinds or c.kind in kinds) and (not campaigns or c.campaign in campaigns)]
        answer = ask(daemon, f"/v1/stats?{query}")
        got = {row["key"]: (row["human"], row["automated"]) for row in answer["rows"]}
        assert len(got) == len(answer["rows"]), "a key came twice"
        want = count(wanted, sorted(groups, key=lambda g: g != "time"), interval, zone)
        empty = {key for key, pair in got.items() if pair == (0, 0)}
        if answer["next_offset"] is None:
            assert {k: v for k, v in got.items() if k not in empty} == want
        assert not empty or "time" in groups
        assert answer["total"]["human"] == sum(c.label == 0 for c in wanted)
        assert answer["total"]["total"] == len(wanted)
        for row in answer["rows"]:
            assert row["total"] == row["human"] + row["automated"]


@pytest.mark.parametrize("zone,date,hours,first,last", [
    ("UTC", "2026-10-25", 24, "2026-10-25T00:00:00Z", "2026-10-25T23:00:00Z"),
    ("Europe/Berlin", "2026-10-25", 25, "2026-10-25T00:00:00+02:00", "2026-10-25T23:00:00+01:00"),
    ("Europe/Berlin", "2026-03-29", 23, "2026-03-29T00:00:00+01:00", "2026-03-29T23:00:00+02:00"),
])
def test_a_day_has_the_hours_its_zone_gives_it(daemon, zone, date, hours, first, last):
    rows = ask(daemon, f"/v1/stats?from={date}&to={date}&interval=hour&tz={zone}")["rows"]
    assert (len(rows), rows[0]["key"], rows[-1]["key"]) == (hours, first, last)
    assert len({row["key"] for row in rows}) == hours


def test_rows_of_time_are_whole_where_nobody_clicked(daemon, redis):
    time = datetime.datetime(2026, 11, 3, 12, 30, tzinfo=UTC)
    counters.seed(redis.client(), [Click("acme", time, 2, 1, 0, "DE"), Click("acme", time, 2, 1, 1, "DE")])
    answer = ask(daemon, "/v1/stats?brand=acme&from=2026-11-01&to=2026-11-05&interval=day&group_by=time,label")
    assert [row["key"] for row in answer["rows"]] == [
        f"2026-11-0{day},{label}" for day in range(1, 6) for label in ("human", "scanner")]
    assert [row["total"] for row in answer["rows"]] == [0, 0, 0, 0, 1, 1, 0, 0, 0, 0]
    assert answer["rows"][4]["time"] == "2026-11-03" and answer["rows"][4]["label"] == "human"


def test_every_dimension_goes_with_time_kind_and_campaign(daemon, redis):
    daemon.click(daemon.mint("pay", 1, campaign=12))
    wait_until(lambda: ask(daemon, "/v1/stats?from=24h&group_by=kind")["rows"], 10, "the click")
    for dimension in ("label", "country", "device", "variant", "channel", "reason", "browser", "system", "referrer",
                      "delay"):
        for other in ("time", "kind", "campaign"):
            rows = ask(daemon, f"/v1/stats?brand=acme&campaign=12&from=24h&group_by={other},{dimension}")["rows"]
            found = [row for row in rows if row["total"]]
            assert len(found) == 1 and found[0]["key"] == f"{found[0][other]},{found[0][dimension]}"


def test_the_period_before_is_compared(daemon, redis):
    day = datetime.datetime(2026, 11, 20, 8, tzinfo=UTC)
    counters.seed(redis.client(), [Click("acme", day - n * DAY, 2, 1, 0, "DE") for n in range(10) for _ in range(n)])
    answer = ask(daemon, "/v1/stats?brand=acme&from=2026-11-18&to=2026-11-20&interval=day&compare=previous")
    assert [row["total"] for row in answer["rows"]] == [2, 1, 0]
    assert (answer["previous"]["from"], answer["previous"]["to"]) == ("2026-11-15T00:00:00Z", "2026-11-18T00:00:00Z")
    assert [row["total"] for row in answer["previous"]["rows"]] == [5, 4, 3]
    assert answer["previous"]["total"]["total"] == 12
    # A day that isn't over is compared with as much of another: here both end before the clicks of 8:00.
    answer = ask(daemon, "/v1/stats?brand=acme&from=2d&to=2026-11-19T08:00:00Z&interval=day&compare=previous")
    assert [row["total"] for row in answer["rows"]] == [2, 0]
    assert (answer["previous"]["from"], answer["previous"]["to"]) == ("2026-11-16T00:00:00Z", "2026-11-17T08:00:00Z")
    assert [row["total"] for row in answer["previous"]["rows"]] == [4, 0]


def test_clicks_are_picked_by_one_dimension(daemon, redis, rng):
    """`country=DE` and the like: with time, kind, the campaigns that are named, and itself."""
    first = datetime.datetime(2026, 11, 1, tzinfo=UTC)
    clicks = random_clicks(rng, 2000, first, 6)
    counters.seed(redis.client(), clicks)
    base = "/v1/stats?brand=acme&from=2026-11-01&to=2026-11-06&interval=day"
    for name, wanted in (("country", ("DE", "unknown")), ("device", ("phone",)), ("channel", ("qr", "mail")),
                         ("label", ("scanner", "bot")), ("referrer", ("search",)), ("variant", ("A", "none"))):
        picked = [click for click in clicks if click.brand == "acme" and name_of(click, name) in wanted]
        for groups in (["time"], ["kind"], ["time", "kind"], [name], ["time", name]):
            rows = ask(daemon, f"{base}&{name}={','.join(wanted)}&group_by={','.join(groups)}")["rows"]
            want = count(picked, groups, "day", UTC)
            got = {row["key"]: (row["total"], row["human"]) for row in rows if row["total"]}
            assert got == {key: (human + machines, human) for key, (human, machines) in want.items()}, (name, groups)
        one = ask(daemon, f"{base}&{name}={wanted[0]}&group_by=campaign&campaign=1,2")["total"]["total"]
        assert one == sum(click.campaign in (1, 2) and name_of(click, name) == wanted[0] for click in picked)


def seed_plenty(client, brands, days, campaigns):
    """More clicks by people, hour by hour, than there are people."""
    counters.seed(client, [Click(brand, datetime.datetime(2026, 11, day, hour, tzinfo=UTC), 2, campaign, 0, "DE")
                           for brand in brands for day in days for campaign in campaigns for hour in range(24)
                           for _ in range(60)])


def test_distinct_clients_are_merged_and_not_added(daemon, redis):
    client = redis.client()
    seed_plenty(client, ["acme", "globex"], range(1, 4), (0, 7))
    for day, numbers in ((1, range(0, 100)), (2, range(50, 150)), (3, range(0, 10))):
        counters.seed_clients(client, "acme", "*", datetime.date(2026, 11, day), numbers)
        counters.seed_clients(client, "acme", 7, datetime.date(2026, 11, day), list(numbers)[:5])
        counters.seed_clients(client, "globex", "*", datetime.date(2026, 11, day), range(20))
    base = "/v1/stats?from=2026-11-01&to=2026-11-03&interval=day&clients=true"
    answer = ask(daemon, f"{base}&brand=acme")
    assert [row["clients"] for row in answer["rows"]] == pytest.approx([100, 100, 10], rel=0.03)
    assert answer["total"]["clients"] == pytest.approx(150, rel=0.03)
    assert ask(daemon, f"{base}&brand=acme&campaign=7")["total"]["clients"] == 10
    assert ask(daemon, base)["total"]["clients"] == pytest.approx(170, rel=0.03)
    # A month is one key, and its parts are days: the same clients.
    month = ask(daemon, "/v1/stats?brand=acme&from=2026-11-01&to=2026-11-30&interval=month&clients=true")
    assert month["rows"][0]["clients"] == pytest.approx(150, rel=0.03)
    # Days of another zone aren't counted by the row where people are known by days only.
    berlin = ask(daemon, f"{base}&brand=acme&tz=Europe/Berlin")
    assert "clients" not in berlin["rows"][0] and berlin["clients_by"] == "days"
    # A local day stands for the day that it shares most hours with, not for both that it touches.
    for zone, day, want in (("Europe/Berlin", 2, 100), ("America/New_York", 2, 100), ("Pacific/Auckland", 3, 100),
                            ("Europe/Berlin", 3, 10)):
        asked = f"/v1/stats?brand=acme&from=2026-11-0{day}&to=2026-11-0{day}&clients=true&tz={zone}"
        assert ask(daemon, asked)["total"]["clients"] == pytest.approx(want, rel=0.03), (zone, day)
    # Of hours, and of the first ones of a local day, it is all days that they touch.
    for asked, want in (("from=2026-11-02T22:00:00Z&to=2026-11-03T02:00:00Z", 110),
                        ("from=1d&to=2026-11-02T23:30:00Z&tz=Europe/Berlin", 100)):
        total = ask(daemon, f"/v1/stats?brand=acme&{asked}&clients=true")["total"]
        assert total["clients"] == pytest.approx(want, rel=0.03), asked


def test_visitors_are_told_apart_for_a_day_and_reported_beside_clients(daemon, redis):
    client = redis.client()
    seed_plenty(client, ["acme"], range(1, 4), (0,))
    for day in (1, 2):
        counters.seed_clients(client, "acme", "*", datetime.date(2026, 11, day), range(10))
        # Another salt, other hashes: nobody can tell who came again.
        counters.seed_clients(client, "acme", "*", datetime.date(2026, 11, day),
                              range(1000 * day, 1000 * day + 100), "v")
    base = "/v1/stats?brand=acme&from=2026-11-01&to=2026-11-03&interval=day&clients=true"
    answer = ask(daemon, base)
    assert [row["clients"] for row in answer["rows"]] == [10, 10, 0]
    assert [row["visitors"] for row in answer["rows"]] == pytest.approx([100, 100, 0], rel=0.03)
    assert (answer["total"]["clients"], answer["total"]["visitors"]) == (10, pytest.approx(200, rel=0.03))
    month = ask(daemon, "/v1/stats?brand=acme&from=2026-11-01&to=2026-11-30&interval=month&clients=true")
    assert month["rows"][0]["visitors"] == pytest.approx(200, rel=0.03)
    csv = daemon.admin("GET", base + "&format=csv", key=True).text.lstrip("\ufeff").splitlines()
    assert csv[0] == "time,total,human,automated,clients,visitors"
    assert re.fullmatch(r"2026-11-01,1440,1440,0,10,\d+", csv[1]) and csv[3] == "2026-11-03,1440,1440,0,0,0"
    # Not asked for: not there.
    assert not {"clients", "visitors"} & set(ask(daemon, base.replace("&clients=true", ""))["total"])


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/New_York"])
def test_there_are_never_more_people_than_clicks_by_people(daemon, redis, zone):
    """Clients of clicks that were relabelled stay in the HyperLogLogs, and local days are others than those."""
    client = redis.client()
    for day in (1, 2, 3):
        counters.seed_clients(client, "acme", "*", datetime.date(2026, 11, day), range(day * 100, day * 100 + 40))
        counters.seed_clients(client, "acme", "*", datetime.date(2026, 11, day), range(9, 30), "v")
    noon = datetime.datetime(2026, 11, 1, 12, tzinfo=UTC)
    counters.seed(client, [Click("acme", noon + n * DAY, 2, 0, label, "DE")
                           for n, people in enumerate((100, 14, 0)) for label, times in ((0, people), (1, 50))
                           for _ in range(times)])
    base = f"/v1/stats?brand=acme&group_by=time&clients=true&tz={zone}&compare=previous"
    for period in ("from=2026-11-01&to=2026-11-03", "from=2026-11-02&to=2026-11-02", "from=2026-11-03&to=2026-11-03",
                   "from=2026-11-02T11:00:00Z&to=2026-11-02T14:00:00Z", "from=24h&to=2026-11-03T00:00:00Z",
                   "from=1m&to=2026-11-30&interval=month"):
        answer = ask(daemon, f"{base}&{period}")
        for row in (answer["total"], answer["previous"]["total"], *answer["rows"]):
            assert row.get("clients", 0) <= row["human"] and row.get("visitors", 0) <= row["human"], (period, row)
        if "interval=month" in period:
            assert (answer["total"]["human"], answer["total"]["clients"]) == (114, 114)
        if period.startswith("from=2026-11-02&"):
            assert 0 < answer["total"]["clients"] <= 40


def test_pages(daemon, redis):
    time = datetime.datetime(2026, 11, 3, 12, tzinfo=UTC)
    counters.seed(redis.client(), [Click("acme", time, 2, n, 0, "DE") for n in range(1, 8) for _ in range(n)])
    seen, offset = [], 0
    while offset is not None:
        page = ask(daemon, "/v1/stats?brand=acme&from=2026-11-01&to=2026-11-30&group_by=campaign&limit=3"
                           f"&offset={offset}")
        assert page["n_rows"] == 7 and page["total"]["total"] == 28
        seen += page["rows"]
        offset = page["next_offset"]
    assert [row["key"] for row in seen] == ["7", "6", "5", "4", "3", "2", "1"]


CAMPAIGNS = 60000


@pytest.fixture
def many_campaigns(daemon, redis):
    """A day on which each of 60000 campaigns had a click; 7 had two and 8 had three."""
    key = f"hc:{{s00}}:t:{counters.brand_number('acme')}:*:d:p:20261103"
    points = [counters.record("campaign", 3, 2, n, 0, {7: 2, 8: 3}.get(n, 1)) for n in range(1, CAMPAIGNS + 1)]
    redis.client().set(key, b"".join(points))
    return daemon


def test_more_campaigns_than_an_answer_has_rows(many_campaigns):
    target = "/v1/stats?brand=acme&from=2026-11-03&to=2026-11-03&group_by=campaign"
    largest = ask(many_campaigns, target + "&limit=2")
    assert [(row["key"], row["total"]) for row in largest["rows"]] == [("8", 3), ("7", 2), ("(rest)", CAMPAIGNS - 2)]
    assert largest["total"]["total"] == CAMPAIGNS + 3 and largest["n_rows"] == CAMPAIGNS
    assert largest["next_offset"] == 2
    first = ask(many_campaigns, target)
    assert len(first["rows"]) == 1000 and first["next_offset"] == 1000
    for headers, more in (({"Accept": "text/csv"}, ""), ({}, "&format=csv")):
        lines = many_campaigns.admin("GET", target + more, headers=headers, key=True).text.splitlines()[1:]
        assert len({line.split(",")[0] for line in lines}) == len(lines) == CAMPAIGNS
        assert sum(int(line.split(",")[2]) for line in lines) == CAMPAIGNS + 3
    by_kind = ask(many_campaigns, target + ",kind&limit=1")
    assert by_kind["rows"][1] == {"key": "(rest),(rest)", "campaign": "(rest)", "kind": "(rest)",
                                  "total": CAMPAIGNS, "human": CAMPAIGNS, "automated": 0}


def test_no_spelling_of_a_query_gets_the_answer_of_another(daemon, redis):
    time = datetime.datetime(2026, 11, 3, 12, tzinfo=UTC)
    counters.seed(redis.client(), [Click("acme", time, 2, 1, 0, "DE"), Click("globex", time, 1, 2, 0, "DE")])
    good = "/v1/stats?brand=acme&campaign=1&from=2026-11-01&to=2026-11-30&group_by=kind"
    assert ask(daemon, good)["total"]["total"] == 1
    for bad, parameter in (
            ("/v1/stats?brand=acme%26campaign%3D1&from=2026-11-01&to=2026-11-30&group_by=kind", "brand"),
            ("/v1/stats?brand=acme&campaign=1%26from%3D2026-11-01&to=2026-11-30&group_by=kind", "campaign"),
            ("/v1/stats?brand=acme&campaign=1&from=2026-11-01%26to%3D2026-11-30&group_by=kind", "from"),
            ("/v1/stats?brand=acme&campaign=1&from=2026-11-01&to=2026-11-30%26group_by%3Dkind", "to")):
        assert ask(daemon, bad, status=400)["parameter"] == parameter
    other = "/v1/stats?brand=globex&from=2026-11-01&to=2026-11-30&group_by=kind"
    assert [row["key"] for row in ask(daemon, other)["rows"]] == ["view"]


def test_names_of_campaigns_reach_json_and_csv_safely(daemon, redis):
    time = datetime.datetime(2026, 11, 3, 12, tzinfo=UTC)
    counters.seed(redis.client(), [Click("acme", time, 2, n, 0, "DE") for n in (1, 2)])
    for number, name in ((1, '=HYPERLINK("http://evil.example")'), (2, '<script>alert(1)</script>, "ü"')):
        reply = daemon.admin("PUT", f"/v1/campaigns/{number}?brand=acme", {"name": name}, key=True)
        openapi.check_reply("PUT", f"/v1/campaigns/{number}", reply)
        assert reply.status == 200
    target = "/v1/stats?brand=acme&from=2026-11-01&to=2026-11-30&group_by=campaign"
    names = {row["key"]: row["name"] for row in ask(daemon, target)["rows"]}
    assert names == {"1": '=HYPERLINK("http://evil.example")', "2": '<script>alert(1)</script>, "ü"'}
    reply = daemon.admin("GET", target, headers={"Accept": "text/csv"}, key=True)
    openapi.check_reply("GET", target, reply)
    assert reply.getheader("X-Content-Type-Options") == "nosniff"
    assert reply.text == ('campaign,name,total,human,automated\r\n'
                          '1,"\'=HYPERLINK(""http://evil.example"")",1,1,0\r\n'
                          '2,"<script>alert(1)</script>, ""ü""",1,1,0\r\n')
    saved = daemon.admin("GET", target + "&format=csv", key=True)
    assert saved.text == "\ufeff" + reply.text
    assert saved.getheader("Content-Disposition") == 'attachment; filename="hopcount-stats.csv"'
    again = daemon.admin("GET", target + "&format=csv", key=True)  # from the cache
    assert again.getheader("Content-Disposition") == saved.getheader("Content-Disposition")


def test_hours_in_a_saved_file_are_times_to_a_spreadsheet(daemon, redis):
    time = datetime.datetime(2026, 11, 3, 12, 30, tzinfo=UTC)
    counters.seed(redis.client(), [Click("acme", time, 2, 1, 0, "DE")])
    target = "/v1/stats?brand=acme&from=2026-11-03&to=2026-11-03&interval=hour&tz=Europe/Berlin&group_by="
    for groups, head, row in (("time", "time,", "2026-11-03 13:00,1,1,0"),
                              ("time,label", "time,label,", "2026-11-03 13:00,human,1,1,0")):
        saved = daemon.admin("GET", f"{target}{groups}&format=csv", key=True).text
        assert saved.startswith("\ufeff" + head) and row in saved.split("\r\n")
        plain = daemon.admin("GET", target + groups, headers={"Accept": "text/csv"}, key=True).text
        assert row.replace(" 13:00", "T13:00:00+01:00") in plain.split("\r\n")
    days = daemon.admin("GET", "/v1/stats?brand=acme&from=2026-11-03&to=2026-11-03&format=csv&interval=day", key=True)
    assert "2026-11-03,1,1,0" in days.text.split("\r\n")


def test_an_etag_saves_the_body_until_a_count_changes(daemon, redis):
    time = datetime.datetime(2026, 11, 3, 12, tzinfo=UTC)
    target = "/v1/stats?brand=acme&from=2026-11-01&to=2026-11-30"
    counters.seed(redis.client(), [Click("acme", time, 2, 1, 0, "DE")])
    first = daemon.admin("GET", target, key=True)
    etag = first.getheader("ETag")
    same = daemon.admin("GET", target + "&limit=9999", headers={"If-None-Match": etag}, key=True)
    openapi.check_reply("GET", target, same)
    assert (same.status, same.text, same.getheader("ETag")) == (304, "", etag)
    counters.seed(redis.client(), [Click("acme", time, 2, 1, 0, "DE")])
    other = daemon.admin("GET", target + "&limit=9998", headers={"If-None-Match": etag}, key=True)
    assert other.status == 200 and other.getheader("ETag") != etag


def test_answers_are_kept_for_a_second_and_no_longer(daemon, redis):
    time = datetime.datetime(2026, 11, 3, 12, tzinfo=UTC)
    target = "/v1/stats?brand=acme&from=2026-11-01&to=2026-11-30&group_by=kind"
    assert ask(daemon, target)["total"]["total"] == 0
    counters.seed(redis.client(), [Click("acme", time, 2, 1, 0, "DE")])
    wait_until(lambda: ask(daemon, target)["total"]["total"] == 1, 10, "the answer to be made anew")


def test_who_asks_for_the_same_at_once_shares_one_answer(daemon, redis):
    time = datetime.datetime(2026, 11, 3, 12, tzinfo=UTC)
    counters.seed(redis.client(), [Click("acme", time, 2, 1, 0, "DE")])
    target = "/v1/stats?brand=acme&from=2026-11-01&to=2026-11-30&group_by=kind"
    ask(daemon, "/v1/stats?from=1d")  # the link is up
    redis.client().config_resetstat()
    redis.send(signal.SIGSTOP)
    socks = []
    try:
        for n in range(20):
            socks.append(socket.create_connection(("127.0.0.1", daemon.admin_port), timeout=20))
            head = f"GET {target} HTTP/1.0\r\nAuthorization: Bearer {daemon.api_key}\r\n"
            head += "Accept-Encoding: gzip\r\n" if n % 2 else ""
            socks[-1].sendall((head + "\r\n").encode())
        socks.pop(3).close()
        wait_until(lambda: daemon.metrics()["hopcount_admin_requests"] == 21, 5, "twenty to wait")
    finally:
        redis.send(signal.SIGCONT)
    for sock in socks:
        with sock:
            reply = sock.makefile("rb").read()
        assert reply.startswith(b"HTTP/1.0 200 OK") and b'"total":{"total":1,' in reply
    # One for the twenty; the ledger may have read people who wait to be counted by another.
    assert redis.client().info("commandstats")["cmdstat_mget"]["calls"] in (1, 2)


def test_gzip(daemon, redis):
    target = "/v1/stats?brand=acme&from=2026-11-01&to=2026-11-20&interval=hour"
    plain = daemon.admin("GET", target, key=True)
    raw = http.client.HTTPConnection("127.0.0.1", daemon.admin_port, timeout=20)
    raw.request("GET", target, headers={"Accept-Encoding": "gzip", "Authorization": f"Bearer {daemon.api_key}"})
    reply = raw.getresponse()
    body = reply.read()
    raw.close()
    assert reply.getheader("Content-Encoding") == "gzip"
    assert "Accept-Encoding" in reply.getheader("Vary")
    assert json.loads(gzip.decompress(body))["rows"] == json.loads(plain.text)["rows"]
    assert len(body) < len(plain.text) / 4
    assert plain.getheader("Content-Encoding") is None


REFUSED = [
    ("brand=nope", "brand"), ("frm=1d", "frm"), ("from=2026-02-30", "from"), ("to=yesterday", "to"),
    ("from=2026-11-02&to=2026-11-01", "from"), ("from=100y", "from"), ("tz=Mars/Olympus", "tz"),
    ("tz=../../etc/passwd", "tz"), ("tz=posixrules", "tz"), ("tz=right/Europe/Berlin", "tz"), ("tz=localtime", "tz"),
    ("from=2026-11-22T25:00:00Z", "from"), ("to=9999-12-31", "to"), ("from=-7d", "from"), ("tz=", "tz"),
    ("offset=99999999999999999999", "offset"), ("brand=%E2%80%AEacme", "brand"),
    ("interval=week", "interval"), ("group_by=page,country", "page"),
    ("group_by=nothing", "group_by"), ("group_by=campaign", "brand"), ("campaign=1", "brand"),
    ("brand=acme&campaign=x", "campaign"), ("kind=nothing", "kind"), ("from=2020-01-01&interval=hour", "interval"),
    ("limit=100000", "limit"), ("compare=next", "compare"), ("clients=maybe", "clients"), ("from=7d&from=8d", "from"),
    ("brand=%ff", "brand"), ("brand=%00", "brand"), ("brand=%zz", "brand"), ("brand=" + "x" * 1900, "brand"),
    ("from=20y&group_by=kind&tz=Asia/Tokyo&interval=day&campaign=" + ",".join(map(str, range(32))) + "&brand=acme",
     None),
]


@pytest.mark.parametrize("query,parameter", REFUSED)
def test_a_bad_parameter_is_named(daemon, query, parameter):
    reply = daemon.admin("GET", f"/v1/stats?{query}", key=True)
    openapi.check_reply("GET", "/v1/stats", reply)
    if parameter is None:
        assert reply.status in (200, 400)
        return
    assert reply.status == 400
    assert json.loads(reply.text)["parameter"] == parameter
    assert reply.getheader("Content-Type") == "application/problem+json"


def test_what_was_wrong_is_quoted(daemon):
    for query, said in (("from=2026-02-30", "'2026-02-30' is none"), ("to=%3Cb%3E", "'<b>' is none"),
                        ("tz=Mars/Olympus", "'Mars/Olympus'"), ("brand=" + "x" * 300, "xxx…'"),
                        ("group_by=campaign,campaign&brand=acme", "names campaign twice")):
        problem = ask(daemon, f"/v1/stats?{query}", status=400)
        assert said in problem["detail"], problem


def test_foreign_records_are_passed_over(daemon, redis):
    time = datetime.datetime(2026, 11, 3, 12, tzinfo=UTC)
    counters.seed(redis.client(), [Click("acme", time, 2, 1, 0, "DE")])
    key = f"hc:{{s00}}:t:{counters.brand_number('acme')}:*:m:l:202611"
    redis.client().append(key, b"nonsense" + bytes(8) + b"\xff" * 8
                          + counters.record("country", 0, 2, 0, 0, 5) + counters.record("label", 9, 2, 0, 0, 5))
    assert ask(daemon, "/v1/stats?brand=acme&from=2026-11-01&to=2026-11-30")["total"]["total"] == 1


def test_a_key_that_is_no_series_is_a_503_and_not_a_crash(daemon, redis):
    key = f"hc:{{s00}}:t:{counters.brand_number('acme')}:*:m:l:202611"
    target = "/v1/stats?brand=acme&from=2026-11-01&to=2026-11-30&interval=month"
    redis.client().set(key, "not a series")
    assert key in ask(daemon, target, status=503)["detail"]
    ask(daemon, target.replace("acme", "globex"))
    redis.client().delete(key)
    redis.client().hset(key, "not", "a string")
    assert ask(daemon, target + "&limit=9")["total"]["total"] == 0


def test_counts_that_a_relabelling_moved_and_sums_are_read_alike(daemon, redis):
    time = datetime.datetime(2026, 11, 3, 12, tzinfo=UTC)
    key = f"hc:{{s00}}:t:{counters.brand_number('acme')}:*:m:l:202611"
    counters.seed(redis.client(), [Click("acme", time, 2, 1, 0, "DE")] * 3)
    redis.client().append(key, counters.record("label", 0, 2, 0, 0, -1) + counters.record("label", 0, 2, 1, 1, 1))
    target = "/v1/stats?brand=acme&from=2026-11-01&to=2026-11-30&interval=month&group_by=label"
    rows = [(row["key"], row["human"], row["automated"]) for row in ask(daemon, target)["rows"]]
    assert rows == [("human", 2, 0), ("scanner", 0, 1)]
    whole = redis.client().get(key)
    redis.client().set(key, b"HCS1" + (len(whole) + 8).to_bytes(4, "big") + whole)
    again = ask(daemon, target + "&limit=9")["rows"]
    assert [(row["key"], row["human"], row["automated"]) for row in again] == rows


def test_counts_that_may_have_expired_are_said_to(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {**CONFIG, "retention": {"hours_days": 30, "days_days": 365}})
    now = datetime.datetime.now(UTC)

    def complete_from(query):
        text = ask(daemon, f"/v1/stats?brand=acme&{query}")["complete_from"]
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))

    assert complete_from("from=7d") == datetime.datetime.fromisoformat(
        ask(daemon, "/v1/stats?brand=acme&from=7d")["from"].replace("Z", "+00:00"))
    assert abs(complete_from("from=300d&interval=hour") - (now - 30 * DAY)) < DAY
    assert abs(complete_from("from=2y&interval=month") - (now - 365 * DAY)) < DAY
