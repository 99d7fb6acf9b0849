"""Which processes share a Redis: each says how it is, and the health of each tells of all."""
import datetime
import http.client
import json
import signal
import time

import pytest

from harness import openapi
from harness.build import ROOT
from harness.wait import wait_clear_of_midnight, wait_until
from test_visitors import IS_PLAIN, faketime


def pods(daemon):
    reply = daemon.admin("GET", "/v1/health", key=True)
    openapi.check_reply("GET", "/v1/health", reply)
    return daemon.api("GET", "/v1/health")["pods"]


def test_each_pod_knows_of_all(make_hopcountd, redis):
    one = make_hopcountd(redis, name="one")
    two = make_hopcountd(redis, name="two")

    for daemon in (one, two):
        wait_until(lambda: len(pods(daemon)) == 2, 30, "both pods are known", pause=0.5)
        assert [pod["self"] for pod in pods(daemon)].count(True) == 1
        assert all(pod["connected"] and pod["pending"] == 0 for pod in pods(daemon))

    two.kill()
    wait_until(lambda: max(pod["seen_s"] for pod in pods(one)) > 8, 30, "one of them fell silent",
               pause=0.5)
    assert [pod["seen_s"] for pod in pods(one) if pod["self"]][0] < 8
    # Whoever starts on its state_dir goes on with its line.
    two.start()
    wait_until(lambda: max(pod["seen_s"] for pod in pods(one)) < 8, 30, "it is back", pause=0.5)
    assert len(pods(one)) == 2
    two.shut_down()
    wait_until(lambda: len(pods(one)) == 1, 30, "it has taken its leave", pause=0.5)
    assert redis.client().ttl(redis.client().keys("hc:{s00}:pods:*")[0]) > 3600


def test_lines_that_are_none_of_ours_are_passed_over(hopcountd, redis):
    wait_until(lambda: len(pods(hopcountd)) == 1, 30, "its own line is known", pause=0.5)
    key = redis.client().keys("hc:{s00}:pods:*")[0]
    (good,) = redis.client().hvals(key)
    redis.client().hset(key, mapping={"0" * 16: "{", "1" * 16: "[]", "2" * 16: '{"host":1}',
                                      "short": "{}", "3" * 16: "x" * 5000,
                                      "4" * 16: good})
    wait_until(lambda: len(pods(hopcountd)) > 1, 30, "the good line among them is read", pause=0.5)
    assert len(pods(hopcountd)) == 2


def test_health_is_told_while_redis_is_down(hopcountd, redis):
    wait_until(lambda: len(pods(hopcountd)) == 1, 30, "its own line is known", pause=0.5)
    redis.kill()
    wait_until(lambda: hopcountd.api("GET", "/v1/health")["status"] == "degraded", 20,
               "the health says that Redis is gone", pause=0.5)
    health = hopcountd.api("GET", "/v1/health")
    assert health["redis"]["error"] and not health["redis"]["answers"]
    assert len(health["pods"]) == 1
    # Of itself it tells what is, not what it could tell Redis last.
    wait_until(lambda: not pods(hopcountd)[0]["connected"], 5, "it says that it isn't connected")
    assert pods(hopcountd)[0]["self"] and pods(hopcountd)[0]["alive"] and pods(hopcountd)[0]["seen_s"] == 0
    redis.start()
    wait_until(lambda: hopcountd.api("GET", "/v1/health")["status"] == "ok", 30,
               "all is well again", pause=0.5)


def as_of(daemon, target="/v1/stats?from=24h&group_by=kind"):
    """Unix time of as_of and the lag, or None when it isn't known."""
    reply = daemon.admin("GET", target, key=True)
    openapi.check_reply("GET", target, reply)
    answer = json.loads(reply.text)
    if "figures" in answer:
        answer = answer["figures"]
    if answer.get("as_of") is None:
        return None
    return datetime.datetime.fromisoformat(answer["as_of"].replace("Z", "+00:00")).timestamp(), answer["lag_s"]


def open_live(daemon):
    connection = http.client.HTTPConnection("127.0.0.1", daemon.admin_port, timeout=20)
    connection.request("GET", "/v1/live", headers={"Authorization": f"Bearer {daemon.api_key}"})
    reply = connection.getresponse()
    assert reply.status == 200
    return reply


def next_event(reply):
    while True:
        line = reply.readline().decode()
        assert line, "the stream ended"
        if line.startswith("data: "):
            event = json.loads(line[6:])
            openapi.check_schema("LiveCounts", event)
            return event


def events_until(reply, test, what, n=60):
    seen = []
    while len(seen) < n:
        seen.append(next_event(reply))
        if test(seen[-1]):
            return seen
    raise AssertionError(f"{what} did not come: {seen[-3:]}")


def test_live_is_of_all_pods(make_hopcountd, redis):
    wait_clear_of_midnight(60)
    one = make_hopcountd(redis, name="one")
    two = make_hopcountd(redis, name="two")
    wait_until(lambda: len(pods(one)) == 2, 30, "both pods are known", pause=0.5)

    stream = open_live(one)
    first = next_event(stream)
    assert (first["today"]["total"], first["new"], first["pods"]) == (0, None, 2)
    link = two.mint("pay", 1)
    for _ in range(3):
        two.click(link)
    one.click(one.mint("pay", 1))
    seen = events_until(stream, lambda event: event["today"]["total"] == 4, "four clicks")
    # Differences add up to the total, and one stream says what the other does.
    assert sum(event["new"]["total"] for event in seen) == 4
    assert next_event(open_live(two))["today"] == seen[-1]["today"]
    assert seen[-1]["pod"]["accepted"] == 1 and next_event(open_live(two))["pod"]["accepted"] == 3


def test_as_of_waits_for_the_pod_that_is_behind(make_hopcountd, make_proxy, redis):
    wait_clear_of_midnight(60)
    proxy = make_proxy(redis.port)
    one = make_hopcountd(redis, name="one")
    two = make_hopcountd(f"redis://127.0.0.1:{proxy.port}/0", name="two")
    wait_until(lambda: len(pods(one)) == 2, 30, "both pods are known", pause=0.5)
    wait_until(lambda: as_of(one), 10, "as_of is known")
    cut = time.time()
    proxy.refuse()
    two.click(two.mint("pay", 1))
    # It may have clicks that nobody can see: as_of stays at what it said last.
    wait_until(lambda: as_of(one)[1] > 5, 20, "the lag to be told", pause=0.5)
    assert as_of(one)[0] <= cut + 1
    health, _ = as_of(one, "/v1/health")
    assert health <= cut + 1
    # What it says itself is no better, and the counts are said not to be known.
    event = next_event(open_live(two))
    assert (event["redis_up"], event["today"], event["new"]) == (False, None, None)
    assert event["pending"] == 1 and event["lag_s"] > 3
    proxy.heal()
    wait_until(lambda: as_of(one)[0] > cut + 2, 40, "as_of to go on", pause=0.5)
    seen = events_until(open_live(two), lambda event: event["redis_up"], "Redis is back")
    assert seen[-1]["today"]["total"] == 1


def test_live_says_that_redis_is_down_and_comes_back(hopcountd, redis):
    wait_clear_of_midnight(60)
    stream = open_live(hopcountd)
    hopcountd.click(hopcountd.mint("pay", 1))
    events_until(stream, lambda event: event["redis_up"] and event["today"]["total"] == 1, "a click")
    redis.send(signal.SIGSTOP)  # the worst kind: it takes commands and never answers
    try:
        seen = events_until(stream, lambda event: not event["redis_up"], "the stall is told", 10)
        assert seen[-1]["today"] is None and seen[-1]["new"] is None
        hopcountd.click(hopcountd.mint("pay", 2))
    finally:
        redis.send(signal.SIGCONT)
    seen = events_until(stream, lambda event: event["today"] and event["today"]["total"] == 2, "the second click")
    assert sum(event["new"]["total"] for event in seen if event["new"]) == 1


def test_the_shipped_acl_rule_lets_pods_come_and_go(make_hopcountd, redis, tmp_path):
    rule = [line for line in (ROOT / "deploy/redis-acl.conf").read_text().splitlines() if line.startswith("user ")]
    client = redis.client()
    client.execute_command("ACL", "SETUSER", *rule[0].replace("CHANGE-ME", "secret").split()[1:])
    password = tmp_path / "password"
    password.write_text("secret\n")
    password.chmod(0o600)
    config = {"redis": {"username": "hopcount", "password_file": str(password)}}
    one = make_hopcountd(redis, config, name="one")
    two = make_hopcountd(redis, config, name="two")
    wait_until(lambda: len(pods(one)) == 2, 30, "both pods are known", pause=0.5)
    two.shut_down()
    assert len({pod for key in client.keys("hc:{s00}:pods:*") for pod in client.hkeys(key)}) == 1
    assert not [entry for entry in client.acl_log() if b"hopcount" in str(entry).encode()]


def clock_of(daemon):
    return daemon.metrics().get("hopcount_clock_ahead_seconds")


def is_near(seconds, want):
    return seconds is not None and abs(seconds - want) < 1


@pytest.mark.skipif(not IS_PLAIN, reason="a preloaded library and a sanitizer's don't go together")
def test_a_clock_that_is_not_that_of_redis_is_told(make_hopcountd, redis, tmp_path):
    """In the metrics, the health, and once an hour in the log."""
    clock, environment = faketime(tmp_path)

    def set_ahead(seconds):
        new = tmp_path / "clock.new"
        new.write_text(f"{seconds:+d}\n")
        new.replace(clock)
    set_ahead(0)
    daemon = make_hopcountd(redis, environment=environment)
    wait_until(lambda: is_near(clock_of(daemon), 0), 30, "the clocks are the same")
    assert daemon.api("GET", "/v1/health")["status"] == "ok"
    for ahead, way in ((90, "ahead of"), (-90, "behind")):
        set_ahead(ahead)
        wait_until(lambda: is_near(clock_of(daemon), ahead), 30, lambda: f"{way}: {clock_of(daemon)}")  # pylint: disable=cell-var-from-loop
        reply = daemon.admin("GET", "/v1/health", key=True)
        openapi.check_reply("GET", "/v1/health", reply)
        health = daemon.api("GET", "/v1/health")
        assert health["status"] == "clocks_differ" and health["redis"]["clocks_differ"] is True
        assert is_near(health["redis"]["clock_ahead_s"], ahead)
    line, = daemon.log_lines("ledger.clock")
    assert "ahead of" in str(line) and "NTP" in str(line)
    set_ahead(0)
    wait_until(lambda: is_near(clock_of(daemon), 0), 30, "the clock is set")
    wait_until(lambda: daemon.api("GET", "/v1/health")["status"] == "ok", 30, "all is well")
    assert daemon.api("GET", "/v1/health")["redis"]["clocks_differ"] is False


def test_an_answer_of_redis_that_takes_long_is_no_wrong_clock(make_hopcountd, redis):
    """The clock is compared to when the question was sent, and to when it was answered."""
    daemon = make_hopcountd(redis, {"redis": {"timeout_ms": 20000}})
    wait_until(lambda: is_near(clock_of(daemon), 0), 30, "the clocks are the same")
    redis.client().execute_command("CLIENT", "PAUSE", 3000, "ALL")
    redis.client().ping()  # waits
    for _ in range(20):
        assert is_near(clock_of(daemon), 0)
        time.sleep(0.1)
    daemon.shut_down()
