"""A stream in the Redis of the counters: entries and cursor move together."""
import json

import pytest

from faults.trial import flood, mint_links
from harness.wait import wait_until
from test_sinks import FAST, audit, sample

LIVE = {"sink": "live", "kind": "stream"}
KEY = "hc:{stream}:live"
CONFIG = {**FAST, "sinks": [{"name": "live", "type": "stream", "flush_ms": 20, "batch_max": 100}]}


def entries(redis, key=KEY):
    found = []
    for _, fields in redis.client().xrange(key):
        fields = {(k.decode() if isinstance(k, bytes) else k): (v.decode() if isinstance(v, bytes) else v)
                  for k, v in fields.items()}
        record = json.loads(fields["record"])
        assert (record["log"], str(record["position"])) == (fields["log"], fields["position"])
        found.append(record)
    return found


def wait_all(daemon):
    wait_until(lambda: sample(daemon, "lag_clicks", **LIVE) == 0, 40, "all is sent")


@pytest.fixture
def daemon(make_hopcountd, redis):
    return make_hopcountd(redis, CONFIG)


def test_every_record_is_an_entry_once_through_kills(daemon, redis, rng):
    links = mint_links(daemon, 10)
    for _ in range(3):
        flood(daemon.port, links, 800)
        wait_until(lambda: redis.client().xlen(KEY) > rng.randrange(1, 500), 20, "some is there")
        daemon.kill()
        daemon.start()
    wait_all(daemon)
    assert audit(entries(redis)) == 2400


def test_what_redis_loses_comes_again(daemon, redis):
    links = mint_links(daemon, 10)
    flood(daemon.port, links, 500)
    wait_all(daemon)
    redis.client().flushall()  # the newest writes are lost: here all of them
    flood(daemon.port, links, 300)
    wait_until(lambda: redis.client().xlen(KEY) == 800, 30, lambda: redis.client().xlen(KEY))
    wait_all(daemon)
    assert audit(entries(redis)) == 800


def test_redis_is_killed_under_load(daemon, redis):
    links = mint_links(daemon, 10)
    for _ in range(2):
        flood(daemon.port, links, 500)
        redis.kill()
        flood(daemon.port, links, 500)
        wait_until(lambda: sample(daemon, "up", **LIVE) == 0, 30, "it says so")
        redis.start()
    wait_all(daemon)
    assert audit(entries(redis)) == 2000


def test_a_new_sink_begins_with_what_the_logs_hold_and_the_cap_cuts_the_oldest(daemon, redis):
    flood(daemon.port, mint_links(daemon, 10), 3000)
    wait_all(daemon)
    daemon.shut_down()
    daemon.write_config({"sinks": [{"name": "young", "type": "stream", "max_len": 1000}]})
    daemon.start()
    wait_until(lambda: sample(daemon, "sent_total", sink="young", kind="stream") == 3000, 30,
               lambda: sample(daemon, "sent_total", sink="young", kind="stream"))
    assert 1000 <= len(entries(redis, "hc:{stream}:young")) < 1300
    assert sample(daemon, "lost_clicks_total", sink="young", kind="stream") == 0


def test_a_key_of_another_type_is_said(make_hopcountd, redis):
    redis.client().set(KEY, "x")
    daemon = make_hopcountd(redis, CONFIG)
    daemon.click(daemon.mint("view", 1))
    wait_until(lambda: any("WRONGTYPE" in key for key in daemon.metrics()), 20, "it is said")
    redis.client().delete(KEY)
    wait_all(daemon)
    assert len(entries(redis)) == 1
