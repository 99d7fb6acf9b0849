"""Which processes share a Redis: each says how it is, and the health of each tells of all."""
import time

from harness import openapi
from harness.wait import wait_until


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
    assert redis.client().ttl(redis.client().keys("hc:{s00}:pods:*")[0]) > 3600


def test_lines_that_are_none_of_ours_are_passed_over(hopcountd, redis):
    wait_until(lambda: len(pods(hopcountd)) == 1, 30, "its own line is known", pause=0.5)
    key = redis.client().keys("hc:{s00}:pods:*")[0]

    redis.client().hset(key, mapping={"0" * 16: "{", "1" * 16: "[]", "2" * 16: '{"host":1}',
                                      "short": "{}", "3" * 16: "x" * 5000})
    time.sleep(6)
    assert len(pods(hopcountd)) == 1


def test_health_is_told_while_redis_is_down(hopcountd, redis):
    wait_until(lambda: len(pods(hopcountd)) == 1, 30, "its own line is known", pause=0.5)
    redis.kill()
    wait_until(lambda: hopcountd.api("GET", "/v1/health")["status"] == "degraded", 20,
               "the health says that Redis is gone", pause=0.5)
    health = hopcountd.api("GET", "/v1/health")
    assert health["redis"]["error"] and not health["redis"]["answers"]
    assert len(health["pods"]) == 1
    redis.start()
    wait_until(lambda: hopcountd.api("GET", "/v1/health")["status"] == "ok", 30,
               "all is well again", pause=0.5)
