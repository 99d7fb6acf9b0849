"""Webhooks by Standard Webhooks: signed, repeated under one id, never twice where the receiver looks at it."""
import base64
import hashlib
import hmac
import json
import re
import secrets
import ssl
import subprocess
import threading

import pytest

from faults.trial import flood, mint_links
from harness.endpoint import Answer, Endpoint
from harness.wait import wait_until
from test_sinks import FAST, audit, sample

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
           "Accept-Language": "de", "Accept": "text/html"}
CRM = {"sink": "crm", "kind": "webhook"}


@pytest.fixture
def endpoint():
    server = Endpoint()
    yield server
    server.close()


def crm(endpoint, **more):
    sink = {"name": "crm", "type": "webhook", "url": endpoint.url, "allow_private": True, "hold_s": 0,
            "flush_ms": 50, **more}
    return {"sinks": [{key: value for key, value in sink.items() if value is not None}]}


def delivered(requests):
    """The records of each id once, as a receiver keeps them that has seen an id before."""
    by_id = {}
    for request in requests:
        body = json.loads(request.body)
        data = body["data"] if isinstance(body["data"], list) else [body["data"]]
        by_id.setdefault(request.headers["webhook-id"], data)
    return [record for data in by_id.values() for record in data]


def all_is_sent(daemon):
    return sample(daemon, "lag_clicks", **CRM) == 0 and sample(daemon, "sent_total", **CRM) > 0


def write_secrets(path, *values):
    path.write_text("".join(f"whsec_{base64.b64encode(value).decode()}\n" for value in values))
    path.chmod(0o600)
    return str(path)


def test_each_request_is_signed_with_both_secrets(make_hopcountd, redis, endpoint, tmp_path):
    keys = secrets.token_bytes(32), secrets.token_bytes(24)
    daemon = make_hopcountd(redis, {**FAST, **crm(endpoint, secret_file=write_secrets(
        tmp_path / "secrets", *keys))})
    flood(daemon.port, mint_links(daemon, 10), 1200)
    wait_until(lambda: all_is_sent(daemon), 20, "all is sent")
    assert audit(delivered(endpoint.requests)) == 1200
    for request in endpoint.requests:
        head = request.headers
        signed = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + request.body
        wanted = ["v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
                  for key in keys]
        assert head["webhook-signature"].split() == wanted
        assert len(json.loads(request.body)["data"]) <= 500


def test_a_second_answer_is_not_that_to_the_next_request(make_hopcountd, redis, endpoint):
    """An endpoint or a proxy that answers twice on one connection, and then takes nothing for a while."""
    taken, n = [], 0

    def answer(request):
        nonlocal n
        n += 1
        if n <= 12 and n % 4 != 1:  # after one that is answered twice, some that are refused
            return Answer(503, {"Retry-After": "1"})
        taken.append(request)
        return Answer(times=2)
    endpoint.answer = answer
    daemon = make_hopcountd(redis, {**FAST, **crm(endpoint, batch_max=100)})
    flood(daemon.port, mint_links(daemon, 10), 1000)
    wait_until(lambda: all_is_sent(daemon), 60, "all is sent")
    assert audit(delivered(taken)) == 1000


def test_an_event_by_itself(make_hopcountd, redis, endpoint):
    daemon = make_hopcountd(redis, {**FAST, **crm(endpoint, batch_max=1, types=["invoice.paid"])})
    daemon.click(daemon.mint("view", 1))
    daemon.api("POST", "/v1/events", {
        "id": "p", "type": "invoice.paid", "brand": "acme", "object": 9, "amount": 100,
        "currency": "EUR", "at": "2026-11-22T12:00:00Z"}, 202)
    wait_until(lambda: endpoint.requests, 20, "the event is sent")
    body = json.loads(endpoint.requests[0].body)
    assert (body["type"], body["timestamp"]) == ("invoice.paid", "2026-11-22T12:00:00Z")
    assert body["data"]["object"] == 9
    wait_until(lambda: sample(daemon, "lag_clicks", **CRM) == 0, 20, "the rest is passed over")
    assert len(endpoint.requests) == 1


def test_a_gateways_clicks_reach_no_crm_as_people(make_hopcountd, redis, endpoint):
    daemon = make_hopcountd(redis, {**FAST, "labels": {
        "repeat_max": 0, "gateway_links_s": 1, "gateway_networks_s": 1, "gateway_two_links_ms": 0},
        **crm(endpoint, hold_s=3, types=["click", "relabel"], labels=["human"])})
    for object in (1, 2, 3):
        daemon.click(daemon.mint("view", object, client=8, channel="mail"), headers=BROWSER)
    daemon.click(daemon.mint("view", 4, client=9, channel="mail"), headers=BROWSER)
    wait_until(lambda: all_is_sent(daemon), 40, "all is sent")
    assert [record["client"] for record in delivered(endpoint.requests)] == [9]


@pytest.mark.parametrize("fault", ["lost", "twice", 500, 429, 302])
def test_a_range_is_repeated_under_its_id(make_hopcountd, redis, endpoint, fault, rng):
    hard = set()

    def answer(request):
        """The first time something goes wrong; what the receiver took it keeps by its id."""
        key = request.headers["webhook-id"]
        if key in hard:
            return Answer()
        hard.add(key)
        if fault == "lost":
            return Answer(lost=True)
        if fault == "twice":
            return Answer(200, body=b"x" * (10 << 20))  # an answer of 10 MB is no reason to repeat
        return Answer(fault, {"Location": "http://127.0.0.1:1/", "Retry-After": "1"})

    endpoint.answer = answer
    daemon = make_hopcountd(redis, {**FAST, **crm(endpoint)})
    flood(daemon.port, mint_links(daemon, 10), 600)
    wait_until(lambda: all_is_sent(daemon), 40, "all is sent")
    assert audit(delivered(endpoint.requests)) == 600
    ids = [request.headers["webhook-id"] for request in endpoint.requests]
    repeated = {key for key in ids if ids.count(key) > 1}
    assert repeated == (set() if fault == "twice" else set(ids))
    bodies = {(request.headers["webhook-id"], request.body) for request in endpoint.requests}
    assert len(bodies) == len(set(ids))  # the same id, the same bytes


def test_a_killed_process_repeats_what_it_may_have_sent(make_hopcountd, redis, endpoint, rng):
    daemon = make_hopcountd(redis, {**FAST, **crm(endpoint, batch_max=50)})
    links = mint_links(daemon, 10)
    for _ in range(4):
        seen = len(endpoint.requests) + rng.randrange(1, 6)
        flood(daemon.port, links, 400)
        wait_until(lambda: len(endpoint.requests) >= seen, 20, "some is sent")
        daemon.kill()
        daemon.start()
    wait_until(lambda: all_is_sent(daemon), 40, "all is sent")
    assert audit(delivered(endpoint.requests)) == 1600


def test_410_turns_it_off_until_it_is_asked_for(make_hopcountd, redis, endpoint):
    endpoint.answer = lambda request: Answer(410)
    daemon = make_hopcountd(redis, {**FAST, **crm(endpoint)})
    daemon.click(daemon.mint("view", 1))
    wait_until(lambda: sample(daemon, "up", **CRM) == 0, 20, "it is off")
    n = len(endpoint.requests)
    daemon.shut_down()
    daemon.start()
    daemon.click(daemon.mint("view", 2))
    wait_until(lambda: sample(daemon, "lag_clicks", **CRM) == 2, 20, "it waits")
    assert len(endpoint.requests) == n
    assert "off: the endpoint answers 410" in daemon.cli("sinks", "-c", daemon.config_path).stdout
    endpoint.answer = lambda request: Answer()
    assert daemon.cli("sinks", "retry", "crm", "-c", daemon.config_path).returncode == 0
    wait_until(lambda: sample(daemon, "lag_clicks", **CRM) == 0, 20, "it goes on")
    assert sorted(r["object"] for r in delivered(endpoint.requests)) == [1, 2]


def test_what_fails_for_long_is_listed_and_sent_again(make_hopcountd, redis, endpoint):
    endpoint.answer = lambda request: Answer(400)
    daemon = make_hopcountd(redis, {**FAST, "ledger": {**FAST["ledger"], "retain_s": 0},
                                    **crm(endpoint, give_up_s=1)})
    flood(daemon.port, mint_links(daemon, 5), 300)
    wait_until(lambda: sample(daemon, "lag_clicks", **CRM) == 0, 30, "it was given up")
    wait_until(lambda: sample(daemon, "failed_ranges", **CRM) > 0, 20, "it says so")
    shown = json.loads(daemon.cli("sinks", "-c", daemon.config_path, "--json").stdout)
    wait_until(lambda: json.loads(daemon.cli("sinks", "-c", daemon.config_path, "--json").stdout)[
        "failed"], 20, "it is listed")
    assert shown["sink"] == "crm"
    daemon.shut_down()
    daemon.start()
    n = len(endpoint.requests)
    endpoint.answer = lambda request: Answer()
    assert daemon.cli("sinks", "retry", "crm", "-c", daemon.config_path).returncode == 0
    wait_until(lambda: sample(daemon, "failed_ranges", **CRM) == 0
               and sample(daemon, "sent_total", **CRM) == 300, 30, "it is sent again")
    assert audit(delivered(endpoint.requests[n:])) == 300


def test_a_hung_endpoint_holds_up_neither_clicks_nor_the_end(make_hopcountd, redis, endpoint):
    released = threading.Event()
    endpoint.answer = lambda request: Answer(wait=released)
    daemon = make_hopcountd(redis, {**FAST, **crm(endpoint, timeout_ms=60000)})
    flood(daemon.port, mint_links(daemon, 5), 100)
    wait_until(lambda: endpoint.requests, 20, "a request hangs")
    flood(daemon.port, mint_links(daemon, 5), 1000)
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == 1100, 20, "Redis has all")
    daemon.shut_down()
    released.set()
    endpoint.answer = lambda request: Answer()
    daemon.start()
    wait_until(lambda: all_is_sent(daemon), 20, "the next start goes on")
    assert audit(delivered(endpoint.requests)) == 1100


def test_a_yes_that_comes_too_late_counts_once(make_hopcountd, redis, endpoint):
    """The first answer is 200, long after the request was given up; it is asked again under the same id."""
    released = threading.Event()
    endpoint.answer = lambda request: Answer(wait=None if endpoint.requests[1:] else released)
    daemon = make_hopcountd(redis, {**FAST, **crm(endpoint, timeout_ms=300)})
    flood(daemon.port, mint_links(daemon, 5), 100)
    wait_until(lambda: endpoint.requests[1:], 30, "it is sent again")
    released.set()
    wait_until(lambda: all_is_sent(daemon), 20, "all is sent")
    first, second = endpoint.requests[:2]
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert sample(daemon, "sent_total", **CRM) == 100 == audit(delivered(endpoint.requests))
    assert "timed out" in daemon.stderr().lower() or "timeout" in daemon.stderr().lower()


def cause(daemon):
    for key in daemon.metrics():
        if key.startswith('hopcount_sink_last_error{sink="crm"'):
            return key
    return ""


@pytest.fixture
def tls(tmp_path):
    """A certificate of another name."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj",
                    "/CN=other.example", "-addext", "subjectAltName=DNS:other.example"],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = Endpoint(context=context)
    yield server, str(cert)
    server.close()


def test_a_certificate_of_another_name_is_refused(make_hopcountd, redis, tls):
    server, cert = tls
    daemon = make_hopcountd(redis, {**FAST, **crm(server, tls_ca=cert)})
    daemon.click(daemon.mint("view", 1))
    wait_until(lambda: re.search("certificate|subject", cause(daemon)), 20, lambda: cause(daemon))
    assert not server.requests


@pytest.mark.parametrize("changes,words", [
    ({"allow_private": None}, "private network"),
    ({"allow_private": None, "url": "http://[::ffff:127.0.0.1]:9/"}, "private network"),
    ({"url": "http://nowhere.invalid/"}, "resolve"),
    ({"url": "http://127.0.0.1:1/"}, "refused|connect"),
    ({"timeout_ms": 200}, "timed out|Timeout"),
], ids=str)
def test_what_cannot_be_reached_is_said(make_hopcountd, redis, endpoint, changes, words):
    released = threading.Event()
    endpoint.answer = lambda request: Answer(wait=released)
    daemon = make_hopcountd(redis, {**FAST, **crm(endpoint, **changes)})
    daemon.click(daemon.mint("view", 1))
    wait_until(lambda: re.search(words, cause(daemon)), 30, lambda: f"{words}: {cause(daemon)}")
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == 1, 20, "Redis has the click")
    released.set()


@pytest.mark.parametrize("changes,words", [
    ({"url": None}, "url: is missing"),
    ({"url": "ftp://crm.example/"}, "url: is no URL"),
    ({"url": "https://user:pw@crm.example/"}, "holds a user name"),
    ({"secret_file": "/nowhere"}, "/nowhere"),
    ({"secret_file": "SHORT"}, "is no secret"),
    ({"path": "x"}, "path: is not for a sink of type webhook"),
    ({"batch_max": 501}, "batch_max"),
    ({"hold_s": 5}, "is shorter than labels.gateway_links_s"),
], ids=str)
def test_a_bad_webhook_stops_the_start(make_hopcountd, redis, endpoint, tmp_path, changes, words):
    if changes.get("secret_file") == "SHORT":
        changes = {"secret_file": write_secrets(tmp_path / "s", b"short")}
    daemon = make_hopcountd(redis, crm(endpoint, **changes), start=False)
    done = daemon.check()
    assert done.returncode == 1 and words in done.stderr, done.stderr
