"""Kafka, against librdkafka's own mock cluster (tests/sinks/kafka_mock.c) with injected errors, and against a
double of ours that knows the rules of idempotent producers.

The mock keeps no memory of producers, so a message that a broker took and whose answer was an error
comes twice here; a reader knows it by log and position, as after a crash.
"""
import re
import ssl
import struct

import pytest

from faults.trial import flood, mint_links
from harness.endpoint import Endpoint
from harness.kafka_cluster import Cluster, records_of
from harness.kafka_double import (AUTHENTICATE, AUTHORIZATION_FAILED, HANDSHAKE, METADATA, NOT_ENOUGH_REPLICAS, NOT_LEADER,
                                  PRODUCE, KafkaDouble, KafkaServer, text)
from harness.tls import make_certificate
from harness.wait import wait_until
from test_sinks import FAST, audit, sample

BUS = {"sink": "bus", "kind": "kafka"}


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


def test_several_records_share_a_message(make_hopcountd, redis, cluster):
    daemon = make_hopcountd(redis, {**FAST, **bus(cluster, message_records=50, batch_max=170)})
    links = mint_links(daemon, 10)
    flood(daemon.port, links, 1000)
    wait_all(daemon, 1000)
    cluster.tell("lose 200")
    flood(daemon.port, links, 1000)
    daemon.kill()
    daemon.start()
    wait_until(lambda: len(cluster.read()[0]) == 2000, 60, "all are there")
    records, n = cluster.read()
    assert audit(records) == 2000 and 2000 / 50 <= n < 2000 / 10
    messages = [records_of(message) for message in cluster.tell("read")]
    assert max(len(message) for message in messages) == 50
    for message in messages:
        assert [record["position"] for record in message] == list(
            range(message[0]["position"], message[0]["position"] + len(message)))


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


def test_whatever_a_broker_answers_each_record_is_there_once(make_hopcountd, redis, rng):
    """Twice never, as long as the process lives: the broker knows a batch that comes again, five under way at a time."""
    double = KafkaDouble()
    faults = ["lose the reply", "hang up", "late", NOT_LEADER, NOT_ENOUGH_REPLICAS]
    double.faults = lambda n: rng.choice(faults) if rng.random() < 0.3 else None
    daemon = make_hopcountd(redis, {**FAST, **bus(double, batch_max=1000, timeout_ms=20000, options={
        "batch.num.messages": "20", "reconnect.backoff.max.ms": "100", "retry.backoff.ms": "10"})})
    flood(daemon.port, mint_links(daemon, 10), 3000)
    wait_until(lambda: double.n_batches > 60, 30, "some batches came")
    double.heal()
    wait_all(daemon, 3000)
    found = re.findall(rb'"log":"(\w+)","position":(\d+)', b"".join(double.batches))
    again = len(daemon.log_lines("sink.later"))
    assert len(set(found)) == 3000 and (len(found) == 3000 or again), (len(found), again)
    double.faults = lambda n: AUTHORIZATION_FAILED
    flood(daemon.port, mint_links(daemon, 1), 10)
    wait_until(lambda: "authorization failed" in cause(daemon), 30, lambda: cause(daemon))
    double.faults = lambda n: "forget"  # each batch but the first of a producer is of nobody
    flood(daemon.port, mint_links(daemon, 1), 10)
    wait_all(daemon, 3020)
    assert len(set(re.findall(rb'"position":(\d+)', b"".join(double.batches)))) >= 1510
    double.close()


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
    ({"message_records": 501}, "message_records: '501' is not valid; give a whole number from 1 to 500"),
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


class Refusing(KafkaServer):
    """A broker that knows SASL and nobody's password: librdkafka's mock has none.  `seen` are what it was told."""

    WRONG = 58  # SASL_AUTHENTICATION_FAILED

    def __init__(self):
        self.seen = []
        super().__init__({METADATA: (1, None), PRODUCE: (3, None), HANDSHAKE: (1, self.shake), AUTHENTICATE: (0, self.refuse)})

    def shake(self, _):
        return struct.pack(">hi", 0, 1) + text("PLAIN")

    def refuse(self, request):
        self.seen.append(request.bytes())
        return struct.pack(">h", self.WRONG) + text("no such user or password") + struct.pack(">i", 0)


def wait_said(daemon, words):
    """The sink says what is wrong, nothing was sent, Redis has the click all the same."""
    daemon.click(daemon.mint("view", 1))
    wait_until(lambda: re.search(words, cause(daemon)), 30, lambda: f"{words}: {cause(daemon)}")
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == 1, 20, "Redis has the click")
    wait_until(lambda: sample(daemon, "up", **BUS) == 0, 30, "it is down")
    assert sample(daemon, "lag_clicks", **BUS) == 1 and sample(daemon, "sent_total", **BUS) == 0


def test_a_wrong_password_is_said(make_hopcountd, redis, tmp_path):
    password = tmp_path / "password"
    password.write_text("pa55-word\n")
    password.chmod(0o600)
    with Refusing() as broker:
        daemon = make_hopcountd(redis, {**FAST, "sinks": [{
            "name": "bus", "type": "kafka", "brokers": f"127.0.0.1:{broker.port}", "topic": "t",
            "flush_ms": 50, "timeout_ms": 1000, "username": "hopcount", "password_file": str(password),
            "options": {"security.protocol": "sasl_plaintext", "sasl.mechanisms": "PLAIN"}}]})
        wait_said(daemon, "(?i)authentication.*no such user or password")
        assert set(broker.seen) == {b"\0hopcount\0pa55-word"}
        daemon.shut_down()
        assert "at=sink.later" in daemon.stderr() and "pa55-word" not in daemon.stderr()
        broker.shutdown()


def test_a_brokers_certificate_of_another_name_is_refused(make_hopcountd, redis, tmp_path):
    cert, key = make_certificate(tmp_path, "other.example", 2)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    broker = Endpoint(context=context)
    daemon = make_hopcountd(redis, {**FAST, "sinks": [{
        "name": "bus", "type": "kafka", "brokers": f"127.0.0.1:{broker.port}", "topic": "t", "flush_ms": 50,
        "timeout_ms": 1000, "options": {"security.protocol": "ssl", "ssl.ca.location": str(cert)}}]})
    wait_said(daemon, "(?i)certificate")
    broker.close()


def test_a_topic_that_is_deleted_is_said_and_filled_when_it_is_back(make_hopcountd, redis, cluster):
    daemon = make_hopcountd(redis, {**FAST, **bus(cluster, options={
        "topic.metadata.propagation.max.ms": "200", "topic.metadata.refresh.interval.ms": "200"})})
    links = mint_links(daemon, 5)
    flood(daemon.port, links, 100)
    wait_all(daemon, 100)
    cluster.tell("no topic")
    n = 100
    while "Unknown topic" not in cause(daemon):  # the producer may not know it yet
        daemon.click(links[0])
        n += 1
        assert n < 1000 and daemon.is_running()
        wait_until(lambda: sample(daemon, "lag_clicks", **BUS) == 0 or cause(daemon), 30, "it is sent, or said why not")
    cluster.tell("topic")
    wait_all(daemon, n)
    records, _ = cluster.read()
    assert audit(records) == n


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
