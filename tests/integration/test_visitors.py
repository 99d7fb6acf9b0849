"""People who follow links that name no client: told apart by address and agent, under a salt that the
pods share for a day and then forget."""
import datetime
import json
import os
import pathlib
import shutil
import time

import pytest
import redis as redis_py

import read_log
from harness.build import build_type
from harness.load import BROWSER
from harness.files import contents
from harness.wait import wait_until
from harness.counters import brand_number, nobody_waits
from harness.daemon import merge
from test_gateways import CONFIG as GATEWAYS, make_pods, mint_mail

# Clients are counted when no gateway can follow any more, which is two seconds after the click.
CONFIG = merge(GATEWAYS, {"labels": {"gateway_links_s": 1, "gateway_networks_s": 1, "gateway_two_links_ms": 0}})
IS_PLAIN = build_type() == "Release"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"


def click(daemon, address, agent=BROWSER, client=0, **fields):
    token = daemon.mint("view", 1, client=client, issued_s=time.time() - 3600, **fields)
    daemon.click(token, headers={"User-Agent": agent, "X-Forwarded-For": address})
    return token


def people(daemon, query="", day=None):
    period = f"&from={day}&to={day}" if day else ""
    reply = daemon.admin("GET", f"/v1/stats?brand=acme&interval=day&clients=true{period}{query}", key=True)
    if reply.status == 503:  # the API may notice later than the ledger that Redis is back
        return None
    assert reply.status == 200, reply.text
    total = json.loads(reply.text)["total"]
    return total["human"], total["clients"], total["visitors"]


def wait_people(daemon, want, query="", day=None):
    last = []
    wait_until(lambda: last.append(people(daemon, query, day)) or last[-1] == want, 20,
               lambda: f"human clicks, clients, visitors {want}; now {last[-1:]}", pause=0.1)


def records(*daemons):
    return [record for daemon in daemons for log in read_log.read_logs(daemon.state_dir)
            for record in log.clicks()]


@pytest.mark.tsan
@pytest.mark.parametrize("shards", [1, 16])
def test_two_pods_count_a_visitor_once(make_hopcountd, redis, shards):
    config = {**CONFIG, "redis": {**CONFIG["redis"], "shards": shards}}
    first, second = make_pods(make_hopcountd, redis, 2, config)
    for pod in (first, second, first):
        click(pod, "198.51.100.7", campaign=5)
        click(pod, "2001:db8::1", campaign=5)
    wait_people(first, (6, 0, 2))
    click(second, "::ffff:198.51.100.7", campaign=5)      # the same, written otherwise
    click(second, "198.51.100.7", FIREFOX, campaign=5)    # another agent
    click(second, "198.51.100.8", campaign=6)             # a neighbour, of another campaign
    click(second, "198.51.100.8", "curl/8.5.0")           # no person
    click(first, "198.51.100.9", client=42)               # a client, who needs no hash
    wait_people(first, (10, 1, 4))
    wait_people(second, (8, 0, 3), "&campaign=5")
    for record in records(first, second):
        is_visitor = record["client"] == 0 and record["label"] == 0
        assert (record["visitor"] != 0) == is_visitor
        assert (record["network"] != 0) == (record["client"] != 0)


def test_people_are_counted_anew_when_redis_has_lost_them(make_hopcountd, redis):
    """Those who were counted are not sent again; but what was sent may be gone."""
    (daemon,) = make_pods(make_hopcountd, redis, 1, CONFIG)
    for n in (1, 2):  # in a batch each
        click(daemon, "198.51.100.7", campaign=5)
        click(daemon, "198.51.100.8", client=42, campaign=5)
        wait_people(daemon, (2 * n, 1, 1))
    redis.client().flushall()
    click(daemon, "198.51.100.8", client=42, campaign=5)
    wait_people(daemon, (5, 1, 1))
    redis.terminate()
    wait_until(lambda: daemon.metrics()["hopcount_redis_up"] == 0, 20, "the connection's end was noticed")
    redis.start()  # empty
    wait_until(lambda: daemon.metrics()["hopcount_redis_up"] == 1, 20, "connected again")
    wait_people(daemon, (5, 1, 1))
    wait_people(daemon, (5, 1, 1), "&campaign=5")


def test_people_set_aside_are_counted_when_there_is_a_place_for_them(make_hopcountd, redis):
    (daemon,) = make_pods(make_hopcountd, redis, 1, CONFIG)
    click(daemon, "198.51.100.8", client=42)
    wait_people(daemon, (1, 1, 0))
    client = redis.client()
    keys = client.keys("hc:*:u:*") + client.keys("hc:*:uh:*")
    assert len(keys) == 6  # of the campaign and of all, of the day's hours, the day and the month
    for key in keys:
        client.delete(key)
        client.rpush(key, "no HyperLogLog")
    click(daemon, "198.51.100.9", client=43)
    wait_until(lambda: daemon.metrics()["hopcount_increments_rejected_total"] > 0, 20, "they are set aside")
    client.delete(*keys)
    click(daemon, "198.51.100.9", client=43)
    wait_people(daemon, (3, 1, 0))


def figures_of(daemon):
    """What the metrics, the page of health, and `hopcount ledger` say that was counted."""
    health = json.loads(daemon.admin("GET", "/v1/health", key=True).text)
    shown = json.loads(daemon.cli("ledger", "-c", str(daemon.config_path), "--json").stdout)
    return (daemon.metrics()["hopcount_clicks_applied"], health["ledger"]["applied"], shown["clicks"],
            shown["clicks_pending"])


def distinct(client, campaign, letter="u"):
    """The clients or visitors of yesterday and today, and of their months, without the API's limit: the days'
    figure and the months' must be the same."""
    days, months = set(), set()
    for n in (0, 1):
        day = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=n)
        days.add(f"{day:%Y%m%d}")
        months.add(f"{day:%Y%m}")
    keys = [key.decode() for key in client.scan_iter(f"hc:*:{letter}:{brand_number('acme')}:{campaign}:*")]
    figures = [client.pfcount(*of) if (of := [key for key in keys if key.split(":")[-1] in periods]) else 0
               for periods in (days, months)]
    assert figures[0] == figures[1]
    return figures[0]


@pytest.mark.parametrize("shards", [1, 16])
def test_clients_are_never_more_than_clicks_by_people(make_hopcountd, redis, shards):
    """Gateways open all mails, a few clients click; then the process dies.  Each click is counted once, everywhere."""
    config = merge(CONFIG, {"redis": {"shards": shards}, "labels": {"gateway_two_links_ms": 2500}})
    (daemon,) = make_pods(make_hopcountd, redis, 1, config)
    server = redis.client()
    for n in range(20):
        for link in mint_mail(daemon, 3, client=500 + n, campaign=n % 3):
            daemon.click(link, headers={"User-Agent": BROWSER, "X-Forwarded-For": f"192.0.2.{n}"})
    for n in range(3):
        click(daemon, "198.51.100.8", client=42 + n, campaign=1)
    wait_until(lambda: people(daemon)[0] == 3, 20, lambda: f"the gateways' clicks are no people's: {people(daemon)}")
    wait_until(lambda: figures_of(daemon) == (63, 63, 63, 0), 20, lambda: f"63 clicks: {figures_of(daemon)}")
    assert distinct(server, "*") <= 3, "nobody needs to be counted yet, and no gateway's client ever"
    for restarts in (1, 2):
        if restarts == 1:
            daemon.kill()
        else:
            daemon.terminate()
        daemon.start()
        click(daemon, "198.51.100.8", client=42, campaign=1)
        n = 63 + restarts
        wait_until(lambda: figures_of(daemon) == (n, n, n, 0), 20, lambda: f"{n} clicks: {figures_of(daemon)}")
        wait_until(lambda: nobody_waits(server), 30, "all are counted", pause=0.2)
        assert people(daemon)[:2] == (3 + restarts, 3)
        assert [distinct(server, campaign) for campaign in ("*", 0, 1, 2)] == [3, 0, 3, 0]
    # Relabellings are on disk, too, and are told apart.
    kinds = daemon.cli("ledger", "-c", str(daemon.config_path)).stdout
    assert "  relabels  " in kinds and "64 clicks counted" not in kinds and "65 clicks counted, 0 pending" in kinds
    # The answer says up to when they are counted: all of them, after a while.
    clicked = datetime.datetime.now(datetime.timezone.utc)
    wait_until(lambda: datetime.datetime.fromisoformat(
        daemon.api("GET", "/v1/stats?brand=acme&interval=day&clients=true")["clients_as_of"]) > clicked, 20,
        "all clicks so far are counted", pause=0.2)


def test_a_pod_takes_back_what_another_has_sent(make_hopcountd, redis):
    """One pod logs the clicks, another the one by which they are a gateway's."""
    config = merge(CONFIG, {"labels": {"gateway_two_links_ms": 2500}})
    first, second = make_pods(make_hopcountd, redis, 2, config)
    one, two, three = mint_mail(first, 3, client=700)
    for pod, link in ((first, one), (first, two), (second, three)):
        pod.click(link, headers={"User-Agent": BROWSER, "X-Forwarded-For": "192.0.2.7"})
    click(second, "198.51.100.8", client=42)
    wait_until(lambda: people(first)[0] == 1, 20, lambda: f"one click is a person's: {people(first)}")
    wait_people(second, (1, 1, 0))
    assert distinct(redis.client(), "*") == 1


def test_the_command_shows_them(make_hopcountd, redis):
    (daemon,) = make_pods(make_hopcountd, redis, 1, CONFIG)
    click(daemon, "198.51.100.7")
    click(daemon, "198.51.100.8")
    click(daemon, "198.51.100.8", client=42)
    wait_people(daemon, (3, 1, 2))
    key_file = pathlib.Path(daemon.state_dir).parent / "api-key"
    key_file.write_text(daemon.api_key + "\n")
    command = ["stats", "-c", str(daemon.config_path), "--key-file", str(key_file), "--brand", "acme"]
    out = daemon.cli(*command, "--clients").stdout
    lines = {line.split("  ")[0]: line.split() for line in out.splitlines() if "  " in line}
    assert lines["distinct clients"][2] == "1" and lines["visitors"][1] == "2", out
    assert "visitors" not in daemon.cli(*command).stdout


def test_nothing_that_says_who_it_was_is_kept(make_hopcountd, redis):
    pods = make_pods(make_hopcountd, redis, 2, CONFIG)
    for i, pod in enumerate(pods):
        click(pod, f"198.51.100.{40 + i}", BROWSER)
        click(pod, f"198.51.100.{50 + i}", FIREFOX, client=77)
    wait_people(pods[0], (4, 1, 2))
    client = redis.client()
    wait_until(lambda: nobody_waits(client), 20, "what waits is forgotten when it is counted", pause=0.2)
    wait_until(lambda: not client.keys("hc:*:w:*"), 20, "so are its keys", pause=0.2)
    (salt_key,) = client.keys("hc:{s00}:salt:*")
    assert 0 < client.ttl(salt_key) <= 2 * 86400
    salt = client.get(salt_key)
    assert len(bytes.fromhex(salt.decode())) == 16
    hashes = [record["visitor"].to_bytes(8, order) for record in records(*pods)
              for order in ("big", "little") if record["visitor"]]
    assert len(hashes) == 4
    for key in client.scan_iter():
        kind, kept = client.type(key), b""
        if kind == b"list":  # what pods tell one another: of clients, and without a visitor
            kept = b"".join(client.lrange(key, 0, -1))
        value = key + (client.dump(key) or b"") + kept
        for secret in (b"198.51.100", bytes([198, 51, 100]), b"Firefox", b"Chrome", *hashes):
            assert secret not in value, key
        assert key == salt_key or salt not in value
    for pod in pods:
        log = pod.stderr_tail(1000000)
        for secret in ("198.51.100", "Firefox/", "Chrome/", salt.decode()):
            assert secret not in log


def test_without_redis_nobody_is_a_visitor_and_clicks_count_all_the_same(make_hopcountd, redis):
    redis.terminate()
    daemon = make_hopcountd(redis, CONFIG)
    for _ in range(3):
        click(daemon, "198.51.100.7")
    assert [record["visitor"] for record in records(daemon)] == [0, 0, 0]
    redis.start()
    wait_until(lambda: daemon.metrics()["hopcount_pods"] == 1, 30, "the salt is agreed on", pause=0.1)
    click(daemon, "198.51.100.7")
    wait_people(daemon, (4, 0, 1))


@pytest.mark.parametrize("value", ["", "0123456789abcdef", "g" * 32, "0" * 32, "ab" * 17])
def test_what_is_no_salt_is_not_taken_for_one(make_hopcountd, redis, value):
    days = int(time.time() // 86400)
    for day in (days, days + 1):  # midnight may pass
        redis.client().set(f"hc:{{s00}}:salt:{day}", value)
    (daemon,) = make_pods(make_hopcountd, redis, 1, CONFIG)
    click(daemon, "198.51.100.7")
    click(daemon, "198.51.100.7", client=42)
    wait_until(lambda: (people(daemon) or [0])[0] == 2, 20, "both clicks are counted")
    assert [bool(record["visitor"]) for record in records(daemon)] == [False, False]
    assert sorted(bool(record["network"]) for record in records(daemon)) == [False, True]


def faketime(tmp_path):
    library = next(iter(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
    if library is None:
        pytest.skip("libfaketime is not installed")
    clock = tmp_path / "clock"
    return clock, {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
                   "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}


def day_of(moment):
    return str(datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).date())


def set_clock(clock, moment):
    """A relative offset, replaced in one step: the daemon reads it at any time."""
    new = pathlib.Path(f"{clock}.new")
    new.write_text(f"{moment - time.time():+.0f}\n")
    os.replace(new, clock)


@pytest.mark.skipif(not IS_PLAIN, reason="a preloaded library and a sanitizer's don't go together")
@pytest.mark.parametrize("has_redis", [True, False], ids=["midnight", "midnight without Redis"])
def test_at_midnight_the_salt_changes(make_hopcountd, redis, tmp_path, has_redis):
    """A visitor of both days is two, whom nothing links; and the old salt is not used any longer."""
    clock, environment = faketime(tmp_path)
    midnight = (int(time.time()) // 86400 + 1) * 86400
    days = [day_of(midnight + s) for s in (-1, 0)]
    set_clock(clock, midnight - 120)
    daemon = make_hopcountd(redis, CONFIG, environment=environment)
    wait_until(lambda: daemon.metrics()["hopcount_pods"] == 1, 30, "the salt is agreed on", pause=0.1)
    for _ in range(2):
        click(daemon, "198.51.100.7")
    wait_people(daemon, (2, 0, 1), day=days[0])
    old = {record["visitor"] for record in records(daemon)}
    assert len(old) == 1 and 0 not in old
    if not has_redis:
        redis.terminate()
        wait_until(lambda: daemon.metrics()["hopcount_redis_up"] == 0, 20, "Redis is away")
    # While yesterday's salt may serve until there is a new one; and when it may no longer.
    set_clock(clock, midnight + (1 if has_redis else 400))
    new = set()

    def changed():
        click(daemon, "198.51.100.7")
        new.update({record["visitor"] for record in records(daemon)} - old)
        return new
    wait_until(changed, 20, "another hash, or none", pause=0.2)
    assert (0 in new) != has_redis and len(new) == 1
    if not has_redis:
        redis.start()
        wait_until(lambda: daemon.metrics()["hopcount_redis_up"] == 1, 20, "Redis is back")
        wait_until(lambda: len(redis.client().keys("hc:{s00}:salt:*")) > 1 or
                   daemon.metrics()["hopcount_pods"] == 1, 20, "a salt of the new day", pause=0.1)
        click(daemon, "198.51.100.7")
    client = redis.client()
    wait_until(lambda: client.exists(f"hc:{{s00}}:salt:{midnight // 86400}"), 20, "a salt of the new day")
    wait_until(lambda: people(daemon, day=days[1])[2] in (1, 2), 20,
               lambda: f"one visitor, at most two by the old salt's grace: {people(daemon, day=days[1])}", pause=0.1)
    first, second = (client.get(f"hc:{{s00}}:salt:{midnight // 86400 + n}") for n in (-1, 0))
    assert second and first != second


@pytest.mark.skipif(not IS_PLAIN, reason="a preloaded library and a sanitizer's don't go together")
def test_the_private_redis_forgets_salts_on_the_disk_too(make_hopcountd, tmp_path):
    """When a day is over its append-only file is written anew, without what Redis has forgotten."""
    clock, environment = faketime(tmp_path)
    # The server's clock is that of life: preloading and its allocator don't go together.
    server = tmp_path / "bin" / "redis-server"
    server.parent.mkdir()
    server.write_text(f"#!/bin/sh\nunset LD_PRELOAD\nexec {shutil.which('redis-server')} \"$@\"\n")
    server.chmod(0o755)
    environment["PATH"] = f"{server.parent}:{os.environ['PATH']}"
    midnight = (int(time.time()) // 86400 + 1) * 86400
    set_clock(clock, midnight - 60)
    daemon = make_hopcountd(None, CONFIG, environment=environment)
    client = redis_py.Redis(unix_socket_path=str(daemon.state_dir / "redis" / "redis.sock"))

    def salt_key(day):
        return f"hc:{{s00}}:salt:{midnight // 86400 + day}"

    def on_disk(text):
        return any(text in content for content in contents(daemon.state_dir / "redis"))
    first = wait_until(lambda: client.get(salt_key(-1)), 20, "a salt of the first day", pause=0.1)
    click(daemon, "198.51.100.7")
    wait_people(daemon, (1, 0, 1), day=day_of(midnight - 1))
    wait_until(lambda: on_disk(first), 20, "Redis writes it down")
    client.expire(salt_key(-1), 0)  # two days pass
    assert on_disk(first)
    set_clock(clock, midnight + 30)
    second = wait_until(lambda: client.get(salt_key(0)), 20, "a salt of the next day", pause=0.1)
    wait_until(lambda: not on_disk(first), 20, "the first is forgotten", pause=0.1)
    wait_until(lambda: on_disk(second), 20, "the second is not")
    wait_people(daemon, (1, 0, 1), day=day_of(midnight - 1))
