"""Kafka, against librdkafka's own mock cluster (tests/sinks/kafka_mock.c) with injected errors.

The mock keeps no memory of producers, so a message that a broker took and whose answer was an error
comes twice here; a reader knows it by log and position, as after a crash.
"""
import json
import subprocess

import pytest

from faults.trial import flood, mint_links
from harness.build import BUILD
from harness.wait import wait_until
from test_sinks import FAST, audit, sample

BUS = {"sink": "bus", "kind": "kafka"}


class Cluster:
    def __init__(self, topic="hopcount.clicks"):
        self.child = subprocess.Popen([BUILD / "tests" / "kafka_mock", topic], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.brokers = self.child.stdout.readline().strip()

    def tell(self, command):
        self.child.stdin.write(command + "\n")
        self.child.stdin.flush()
        lines = list(iter(lambda: self.child.stdout.readline().strip(), "ok"))
        return [json.loads(line) for line in lines if line != "end"]

    def read(self):
        """(records, each once by log and position; how many messages there are)."""
        messages, records = self.tell("read"), {}
        for message in messages:
            record = json.loads(message["value"])
            assert message["key"] == message["log"] == record["log"]
            assert int(message["position"]) == record["position"]
            records[record["log"], record["position"]] = record
        return list(records.values()), len(messages)

    def close(self):
        self.child.stdin.close()
        self.child.wait(20)


@pytest.fixture
def cluster():
    made = Cluster()
    yield made
    made.close()


def bus(cluster, **more):
    return {"sinks": [{"name": "bus", "type": "kafka", "brokers": cluster.brokers,
                       "topic": "hopcount.clicks", "flush_ms": 50, "timeout_ms": 3000, **more}]}


def wait_all(daemon, n):
    wait_until(lambda: sample(daemon, "lag_clicks", **BUS) == 0
               and sample(daemon, "sent_total", **BUS) >= n, 60,
               lambda: f"{n} are sent: {sample(daemon, 'sent_total', **BUS)}")


def cause(daemon):
    return next((key for key in daemon.metrics() if key.startswith("hopcount_sink_last_error{")), "")


def test_every_record_is_a_message(make_hopcountd, redis, cluster):
    daemon = make_hopcountd(redis, {**FAST, **bus(cluster)})
    flood(daemon.port, mint_links(daemon, 10), 3000)
    wait_all(daemon, 3000)
    records, n = cluster.read()
    assert audit(records) == n == 3000
    assert {record["brand"] for record in records} == {"acme"}


def test_errors_and_brokers_that_are_down_lose_nothing(make_hopcountd, redis, cluster):
    daemon = make_hopcountd(redis, {**FAST, **bus(cluster, batch_max=200)})
    links = mint_links(daemon, 10)
    cluster.tell("errors 6")
    flood(daemon.port, links, 1000)
    cluster.tell("fail")
    flood(daemon.port, links, 1000)
    wait_all(daemon, 2000)
    cluster.tell("down")
    flood(daemon.port, links, 500)
    wait_until(lambda: sample(daemon, "up", **BUS) == 0, 40, "it says so")
    assert cause(daemon)
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == 2500, 20, "Redis has them")
    cluster.tell("up")
    wait_all(daemon, 2500)
    records, _ = cluster.read()
    assert audit(records) == 2500


def test_a_killed_process_sends_the_range_again(make_hopcountd, redis, cluster, rng):
    daemon = make_hopcountd(redis, {**FAST, **bus(cluster, batch_max=100)})
    links = mint_links(daemon, 10)
    for _ in range(3):
        flood(daemon.port, links, 500)
        wait_until(lambda: sample(daemon, "sent_total", **BUS) > rng.randrange(1, 400), 20, "some is sent")
        daemon.kill()
        daemon.start()
    wait_all(daemon, 1500)
    records, n = cluster.read()
    assert audit(records) == 1500 and n >= 1500


@pytest.mark.parametrize("changes,words", [
    ({"options": {"security.protokol": "ssl"}}, "options: No such configuration property"),
    ({"options": {"security.protocol": "pigeon"}}, "options: Invalid value"),
    ({"options": {"sasl.password": "x"}}, "name its file in password_file"),
    ({"topic": None}, "topic: is missing"),
    ({"url": "http://127.0.0.1/"}, "url: is not for a sink of type kafka"),
], ids=str)
def test_a_bad_bus_stops_the_start(make_hopcountd, redis, cluster, changes, words):
    sink = {key: value for key, value in {**bus(cluster)["sinks"][0], **changes}.items()
            if value is not None}
    done = make_hopcountd(redis, {"sinks": [sink]}, start=False).check()
    assert done.returncode == 1 and words in done.stderr, done.stderr


@pytest.mark.parametrize("brokers,words", [
    ("nowhere.invalid:9092", "resolve"),
    ("127.0.0.1:1", "refused"),
])
def test_a_bus_that_cannot_be_reached_is_said(make_hopcountd, redis, cluster, brokers, words):
    daemon = make_hopcountd(redis, {**FAST, **bus(cluster, brokers=brokers, timeout_ms=1000)})
    daemon.click(daemon.mint("view", 1))
    wait_until(lambda: words in cause(daemon), 30, lambda: cause(daemon))
    daemon.shut_down()


def test_a_topic_that_is_not_there_is_said_and_filled_when_it_is(make_hopcountd, redis, cluster):
    cluster.tell("no topic")
    daemon = make_hopcountd(redis, {**FAST, **bus(cluster, options={"topic.metadata.propagation.max.ms": "200"})})
    flood(daemon.port, mint_links(daemon, 5), 300)
    wait_until(lambda: "Unknown topic" in cause(daemon), 30, lambda: cause(daemon))
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == 300, 20, "Redis has them")
    cluster.tell("topic")
    wait_all(daemon, 300)
    records, _ = cluster.read()
    assert audit(records) == 300 and cause(daemon) == ""
