"""Statistics of several dimensions at once, read from cells: against the click logs, and against a reading of
the same clicks in Python; and what is said where cells do not cover all clicks."""
import collections
import datetime
import itertools
import time
import zoneinfo

import pytest

import read_log
from bench import mmdb
from harness import counters
from harness.counters import UTC, Click
from harness.daemon import merge
from harness.wait import wait_until
from test_gateways import CONFIG as GATEWAYS, mint_mail
from test_stats import CHANNELS, CONFIG, DAY, DEVICES, HOUR, KINDS, LABELS, REFERRERS, ZONES, ask, count, iso, \
    name_of, random_clicks

BROWSERS = ["other", "chrome", "safari", "firefox", "edge", "opera", "samsung", "ie", "android", "yandex", "uc",
            "duckduckgo", "in_app", "mail"]
SYSTEMS = ["other", "windows", "macos", "ios", "android", "linux"]
REASONS = ["none", "unclassified", "head", "prefetch", "preview", "crawler", "link_preview", "library", "no_agent",
           "many_links", "many_networks", "signs", "unknown_program", "repeat"]
AGENTS = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile "
    "Safari/537.36",
    "curl/8.5.0", "",
]
NAMES = {
    "label": lambda c: LABELS[c["label"]], "country": lambda c: c["country"] or "unknown",
    "device": lambda c: DEVICES[c["device"]], "channel": lambda c: CHANNELS[c["channel"]],
    "variant": lambda c: ["none", *"ABCDEFG"][c["variant"]], "reason": lambda c: REASONS[c["reason"]],
    "browser": lambda c: BROWSERS[c["browser"]], "system": lambda c: SYSTEMS[c["system"]],
    "referrer": lambda c: REFERRERS[c["referrer"]], "kind": lambda c: KINDS[c["kind"]],
    "campaign": lambda c: str(c["campaign"]),
}


def truth_of(pods):
    """[(click, 1 or -1)]: what the logs say, a relabelling taking away what was said before."""
    told = []
    for pod in pods:
        for click in (c for log in read_log.read_logs(pod.state_dir) for c in log.clicks()):
            if click["type"] == 2:
                told.append(({**click, "label": click["old_label"], "reason": click["old_reason"]}, -1))
            told.append((click, 1))
    return told


def sums_of(told, dimensions):
    sums = collections.defaultdict(lambda: [0, 0])
    for click, n in told:
        sums[",".join(NAMES[d](click) for d in dimensions)][click["label"] != 0] += n
    return {key: tuple(pair) for key, pair in sums.items() if pair != [0, 0]}


def rows_of(answer):
    return {row["key"]: (row["human"], row["automated"]) for row in answer["rows"] if row["total"]}


def click_at_random(pods, rng, n):
    """Clicks of all sorts, and of gateways, which are relabelled."""
    for i in range(n):
        pod = rng.choice(pods)
        headers = {"User-Agent": rng.choice(AGENTS),
                   "X-Forwarded-For": rng.choice(["198.51.100.7", "203.0.113.9", "198.51.100.99"])}
        if rng.random() < 0.5:
            headers["Referer"] = rng.choice(["https://mail.google.com/", "https://www.bing.com/"])
        fields = {"channel": rng.choice(CHANNELS[:5]), "variant": rng.randrange(4),
                  "campaign": rng.choice([0, 7, 7, 40000]), "issued_s": time.time() - rng.choice([30, 4000, 90000])}
        if i % 20 == 0:  # a gateway opens all links of a mail
            for link in mint_mail(pods[0], 3, **fields):
                pod.click(link, headers={**headers, "User-Agent": AGENTS[1]})
        else:
            pod.click(pods[0].mint(rng.choice(["view", "pay", "login"]), 1 + i, client=5000 + i, **fields),
                      headers=headers)


def test_each_pair_of_dimensions_agrees_with_the_logs(make_hopcountd, redis, rng, tmp_path):
    """Of two processes, one of which is killed; with clicks that turn out to be a gateway's."""
    (tmp_path / "country.mmdb").write_bytes(mmdb.country_of("198.51.0.0/16", "DE"))
    config = merge(GATEWAYS, {"geo": {"country": str(tmp_path / "country.mmdb")}})
    pods = [make_hopcountd(redis, config, f"pod{i}", start=False) for i in range(2)]
    for pod in pods:
        pod.key = pods[0].key
        pod.write_keys([(1, "mint", pod.key)])
        pod.start()
    click_at_random(pods, rng, 60)
    pods[1].kill()
    pods[1].start()
    click_at_random(pods, rng, 60)

    def is_settled():
        told = truth_of(pods)
        answer = pods[0].api("GET", "/v1/stats?brand=acme&group_by=label&from=7d")
        return rows_of(answer) == sums_of(told, ["label"]) and \
            sum(n for click, n in told if click["reason"] == 9) >= 9
    wait_until(is_settled, 60, "all is counted, and relabelled", pause=0.2)
    told = truth_of(pods)
    for pair in itertools.combinations(NAMES, 2):
        path = f"/v1/stats?brand=acme&from=7d&limit=10000&group_by={','.join(pair)}"
        answer = ask(pods[0], path)
        assert rows_of(answer) == sums_of(told, pair), pair
        assert "coverage" not in answer or answer["coverage"]["share"] == 1, answer["coverage"]
        if "coverage" not in answer or "campaign" in pair or "kind" in pair:
            continue
        for key, sums in rng.sample(sorted(sums_of(told, pair).items()), 1):
            values = "&".join(f"{d}={value}" for d, value in zip(pair, key.split(",")))
            total = ask(pods[1], f"/v1/stats?brand=acme&from=7d&{values}")["total"]
            assert (total["human"], total["automated"]) == sums, values
    every = "&".join(f"{name}={NAMES[name](told[0][0])}" for name in NAMES if name not in ("kind", "campaign"))
    want = sum(n for click, n in told if all(NAMES[d](click) == NAMES[d](told[0][0]) for d in NAMES
                                             if d not in ("kind", "campaign")))
    assert ask(pods[0], f"/v1/stats?brand=acme&from=7d&{every}")["total"]["total"] == want


def test_random_queries_agree_with_a_reading_in_python(make_hopcountd, redis, rng):
    daemon = make_hopcountd(redis, CONFIG)
    first = datetime.datetime(2026, 9, 20, tzinfo=UTC)
    clicks = random_clicks(rng, 3000, first, 60)
    counters.seed(redis.client(), clicks)
    counters.seed_cells(redis.client(), clicks)
    dimensions = ["label", "country", "device", "variant", "channel", "referrer"]
    for _ in range(60):
        zone_name = rng.choice(ZONES)
        begin = first + rng.randrange(55 * 24) * HOUR
        end = min(begin + rng.randrange(1, 40 * 24) * HOUR, first + 62 * DAY)
        interval = rng.choice(["hour", "day", "month"])
        filters = {d: rng.sample(sorted({name_of(c, d) for c in clicks}), 2) for d in rng.sample(dimensions, 2)}
        groups = rng.choice([["time"], ["time", "country"], ["kind", "device"], ["campaign"], ["campaign", "label"],
                             ["country", "device"]])
        brand = "acme" if "campaign" in groups else rng.choice(["acme", "globex", None])
        campaigns = rng.choice([None, [1], [0, 12]]) if brand else None
        query = f"from={iso(begin)}&to={iso(end)}&tz={zone_name}&interval={interval}&limit=10000" \
                f"&group_by={','.join(groups)}"
        query += f"&brand={brand}" if brand else ""
        query += "&campaign=" + ",".join(map(str, campaigns)) if campaigns else ""
        query += "".join(f"&{d}={','.join(values)}" for d, values in filters.items())
        print(query)
        answer = ask(daemon, f"/v1/stats?{query}")
        wanted = [c for c in clicks if begin <= c.time < end and brand in (None, c.brand)
                  and (not campaigns or c.campaign in campaigns)
                  and all(name_of(c, d) in values for d, values in filters.items())]
        assert answer["coverage"] == {"from": answer["from"], "share": 1}
        assert answer["total"]["total"] == len(wanted)
        if answer["next_offset"] is None:
            assert rows_of(answer) == count(wanted, groups, interval, zoneinfo.ZoneInfo(zone_name))


@pytest.fixture
def seeded(make_hopcountd, redis):
    """Three days with a hundred clicks each: none in cells, half of them, all."""
    daemon = make_hopcountd(redis, CONFIG)
    days = [datetime.datetime(2026, 11, day, 12, tzinfo=UTC) for day in (1, 2, 3)]
    clicks = [Click("acme", day, 2, 7, 0, "DE", 1) for day in days for _ in range(100)]
    counters.seed(redis.client(), clicks, with_lone=False)
    counters.seed_cells(redis.client(), clicks[150:], with_lone=False)
    return daemon


BOTH = "brand=acme&country=DE&device=phone&tz=UTC"


COVERED = [
    ("from=2026-11-03&to=2026-11-03", 1, "2026-11-03T00:00:00Z", 100),
    ("from=2026-11-02&to=2026-11-03", 0.75, "2026-11-03T00:00:00Z", 150),
    ("from=2026-11-01&to=2026-11-03", 0.5, "2026-11-03T00:00:00Z", 150),
    ("from=2026-11-01&to=2026-11-02", 0.25, None, 50),
    ("from=2026-11-02T12:00:00Z&to=2026-11-02T13:00:00Z", 0.5, None, 50),
    ("from=2026-11-04&to=2026-11-05", 1, "2026-11-04T00:00:00Z", 0),
]


def test_an_answer_says_what_it_covers(seeded, redis):
    for period, share, since, total in COVERED:
        answer = ask(seeded, f"/v1/stats?{BOTH}&{period}")
        assert (answer["coverage"], answer["total"]["human"]) == ({"from": since, "share": share}, total), period
        text = seeded.admin("GET", f"/v1/stats.csv?{BOTH}&group_by=kind&{period}", key=True).text
        assert text.split() == ["kind,total,human,automated,coverage"] + \
            ([f"pay,{total},{total},0,{share:.4f}"] if total else []), period
    problem = ask(seeded, f"/v1/stats?{BOTH}&from=2026-11-01&to=2026-11-01", 400)
    assert "92 days" in problem["detail"] and problem["type"] == "/problems/counted-apart"
    # Of one dimension, all are counted.
    assert ask(seeded, "/v1/stats?brand=acme&country=DE&from=2026-11-01&to=2026-11-01")["total"]["total"] == 100
    # A period compared with may lack what the other has.
    answer = ask(seeded, f"/v1/stats?{BOTH}&from=2026-11-03&to=2026-11-03&compare=2026-11-01")
    assert (answer["coverage"]["share"], answer["previous"]["coverage"]["share"]) == (1, 0)
    assert "page" in ask(seeded, "/v1/stats?country=DE&page=expired", 400)["detail"].lower()
    # So many clicks would take too long.
    redis.client().append(f"hc:{{s00}}:t:{counters.brand_number('acme')}:*:d:p:20261110",
                          counters.record("campaign", 10, 2, 7, 0, 50000000))
    problem = ask(seeded, f"/v1/stats?{BOTH}&from=2026-11-01&to=2026-11-12", 400)
    assert "40 million" in problem["detail"]


def click_together(daemon, redis, links):
    """So many clicks in each batch that they are no lone ones."""
    redis.stop()
    with daemon.connect() as connection:
        for link in links:
            assert connection.request(f"/{link}", headers={"User-Agent": AGENTS[0]}).status == 302
    redis.cont()
    daemon.wait_counted(len(links), links)


def test_cells_that_are_off_are_not_written(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"retention": {"cells_days": 0}})
    click_together(daemon, redis, [daemon.mint("view", n) for n in range(1, 60)])
    assert redis.client().keys("hc:*:t:*:0:h:*")
    assert not redis.client().keys("hc:*:x:*")
    problem = ask(daemon, "/v1/stats?brand=acme&country=DE&device=phone", 400)
    assert "cells_days" in problem["detail"] and problem["type"] == "/problems/counted-apart"


def test_a_day_has_so_many_cells(make_hopcountd, redis):
    """What is beyond is said to be missing; all other counts have it."""
    daemon = make_hopcountd(redis, {"retention": {"cells_max_bytes": 4096}, "redis": {"batch_max": 50}})
    click_together(daemon, redis, [daemon.mint("view", n) for n in range(1, 602)])
    (key,) = redis.client().keys("hc:*:x:*")
    assert 4096 - 50 * 8 < redis.client().strlen(key) <= 4096
    assert redis.client().ttl(key) > 91 * 86400
    n_lone = sum(n for key_of_lone in redis.client().keys("hc:*:t:*:0:a:*")
                 for *_, n in counters.lone_records(redis.client().get(key_of_lone)))
    answer = ask(daemon, "/v1/stats?brand=acme&browser=firefox&system=linux&from=2d")
    assert answer["total"]["total"] == redis.client().strlen(key) // 8 + n_lone
    assert 0.6 < answer["coverage"]["share"] < 0.86 and answer["coverage"]["from"] is None
