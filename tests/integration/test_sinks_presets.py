"""Webhooks in the words of web analytics, against doubles that take only what the documentation of Google's
Measurement Protocol and of Matomo's Tracking HTTP API allows."""
import json
import re
import urllib.parse

import pytest
import yaml

from harness.build import ROOT
from harness.endpoint import Answer, Endpoint
from harness.wait import wait_until
from test_sinks import FAST, sample
from test_sinks_webhook import BROWSER, write_secrets

WEB = {"sink": "web", "kind": "webhook"}
RESERVED = {"click", "session_start", "first_visit", "user_engagement", "error", "screen_view", "page_view"}
COUNTRY = re.compile(r"[A-Z]{2}")


def check_ga4(request):
    """Reference of the payload: what must be there, what may, and how long it may be."""
    url = urllib.parse.urlsplit(request.path)
    assert request.method == "POST" and url.path == "/mp/collect"
    assert urllib.parse.parse_qs(url.query) == {"measurement_id": ["G-ABC123"], "api_secret": ["s3cret-T0ken"]}
    assert request.headers["content-type"] == "application/json" and len(request.body) < 130000
    body = json.loads(request.body)
    assert set(body) <= {"client_id", "user_id", "timestamp_micros", "user_location", "consent", "events"}
    assert re.fullmatch(r"[0-9a-f]{16}", body["client_id"])
    assert isinstance(body["timestamp_micros"], int) and body["timestamp_micros"] > 1.7e15
    assert body["consent"] == {"ad_user_data": "DENIED", "ad_personalization": "DENIED"}
    assert COUNTRY.fullmatch(body.get("user_location", {"country_id": "DE"})["country_id"])
    event, = body["events"]
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}", event["name"]) and event["name"] not in RESERVED
    assert len(event["params"]) <= 25
    for name, value in event["params"].items():
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}", name)
        assert name == "items" or len(str(value)) <= 100
    assert re.fullmatch(r"\d+", event["params"]["session_id"]) and event["params"]["engagement_time_msec"] > 0
    if event["name"] == "purchase":
        assert re.fullmatch("[A-Z]{3}", event["params"]["currency"]) and event["params"]["transaction_id"]
        assert isinstance(event["params"]["value"], (int, float)) and event["params"]["items"][0]["item_id"]
    return body


def check_matomo(request):
    """Bulk tracking: a list of queries and the token, which `cdt` and `country` need."""
    assert request.method == "POST" and request.path == "/matomo.php"
    body = json.loads(request.body)
    assert set(body) == {"requests", "token_auth"} and body["token_auth"] == "0123456789abcdef0123456789abcdef"
    found = []
    for text in body["requests"]:
        assert text.startswith("?")
        query = dict(urllib.parse.parse_qsl(text[1:], strict_parsing=True))
        assert (query["idsite"], query["rec"], query["apiv"], query["send_image"]) == ("7", "1", "1", "0")
        assert re.fullmatch(r"[0-9a-f]{16}", query["cid"]) and re.fullmatch(r"\d{10}", query["cdt"])
        if query.get("idgoal") == "0":
            assert query["ec_id"] and float(query["revenue"]) >= 0
        else:
            assert query["ca"] == "1" and query["e_c"] and query["e_a"]
            assert urllib.parse.urlsplit(query["url"]).scheme == "https"
        found.append(query)
    assert [query["cdt"] for query in found] == sorted(query["cdt"] for query in found)
    return found


@pytest.fixture
def double():
    """`taken` is what each request held; a request that breaks a rule is a fault of the test."""
    server = Endpoint()
    server.taken, server.faults = [], []

    def answer(request):
        try:
            server.taken.append(server.check(request))
        except Exception as fault:  # in a thread of the server; the test looks
            server.faults.append((request.path, request.body, repr(fault)))
        return Answer(204)
    server.answer = answer
    yield server
    server.close()
    assert server.faults == []


def preset(double, tmp_path, **more):
    key = tmp_path / "hash-key"
    key.write_text("0123456789abcdef\n")
    key.chmod(0o600)
    token = tmp_path / "token"
    token.write_text("s3cret-T0ken\n" if more["preset"] == "ga4" else "0123456789abcdef0123456789abcdef\n")
    token.chmod(0o600)
    path = "/mp/collect" if more["preset"] == "ga4" else "/matomo.php"
    sink = {"name": "web", "type": "webhook", "url": f"http://127.0.0.1:{double.port}{path}", "allow_private": True,
            "hold_s": 0, "flush_ms": 50, "fields": "hashed", "hash_key_file": str(key), "token_file": str(token)}
    sink.update({"measurement_id": "G-ABC123"} if more["preset"] == "ga4" else {"site_id": 7})
    sink.update(more)
    # One worker writes one log, so that clicks come in the order in which they were made.
    return {"public": {"workers": 1}, "sinks": [{name: value for name, value in sink.items() if value is not None}]}


def story(daemon):
    """Two clicks of one person, one of another, a robot's, a payment with an amount and one without."""
    daemon.click(daemon.mint("pay", 1, client=77, campaign=12, channel="mail", variant=2), headers=BROWSER)
    daemon.click(daemon.mint("view", 1, client=77), headers=BROWSER)
    daemon.click(daemon.mint("view", 2, client=78), headers=BROWSER)
    daemon.click(daemon.mint("view", 3, client=79))  # no browser
    daemon.api("POST", "/v1/events", [
        {"id": "p1", "type": "invoice.paid", "brand": "acme", "object": 1, "client": 77, "amount": 11905, "currency": "EUR"},
        {"id": "p2", "type": "invoice.paid", "brand": "acme", "object": 2, "client": 78}], 202)
    erased = daemon.cli("erase", "-c", daemon.config_path, "--client", 79)
    assert erased.returncode == 0, erased.stderr
    wait_until(lambda: sample(daemon, "lag_clicks", **WEB) == 0 and not list((daemon.state_dir / "sinks").glob("erased.*")),
               30, "all is sent")


def test_google_analytics_gets_people_and_payments(make_hopcountd, redis, double, tmp_path):
    double.check = check_ga4
    daemon = make_hopcountd(redis, {**FAST, **preset(double, tmp_path, preset="ga4")})
    story(daemon)
    wait_until(lambda: len(double.taken) == 4, 20, lambda: f"all are there: {double.taken} {double.faults}")
    events = [(body["client_id"], body["events"][0]) for body in double.taken]
    clicks = [(who, event["params"]) for who, event in events if event["name"] == "billing_link_click"]
    assert [params["link_kind"] for _, params in clicks] == ["pay", "view", "view"]
    assert clicks[0][1] | {"session_id": ""} == {
        "session_id": "", "engagement_time_msec": 1, "link_kind": "pay", "channel": "mail", "label": "human",
        "brand": "acme", "campaign_id": "12", "variant": "B"}
    assert clicks[0][0] == clicks[1][0] != clicks[2][0]
    (payer, purchase), = [(who, event["params"]) for who, event in events if event["name"] == "purchase"]
    assert payer == clicks[0][0] and (purchase["value"], purchase["currency"]) == (119.05, "EUR")
    assert sample(daemon, "sent_total", **WEB) == 4


def test_matomo_gets_people_and_payments_in_bulk(make_hopcountd, redis, double, tmp_path):
    double.check = check_matomo
    daemon = make_hopcountd(redis, {**FAST, **preset(double, tmp_path, preset="matomo")})
    story(daemon)
    wait_until(lambda: sum(map(len, double.taken)) == 4, 20, lambda: f"all are there: {double.taken} {double.faults}")
    queries = [query for found in double.taken for query in found]
    pay, = [query for query in queries if query.get("e_a") == "click_pay"]
    assert pay["url"] == ("https://go.acme.example/pay?mtm_source=hopcount&mtm_medium=mail&mtm_campaign=12"
                          "&mtm_content=B") and (pay["e_c"], pay["e_n"], pay["_rcn"]) == ("acme", "campaign_12", "12")
    order, = [query for query in queries if query.get("idgoal") == "0"]
    assert order["revenue"] == "119.05" and order["cid"] == pay["cid"]


def test_a_click_waits_until_analytics_are_back_and_comes_under_its_own_time(make_hopcountd, redis, double, tmp_path):
    """Each request holds one record, so nothing that was taken is sent again with what was refused."""
    double.check = check_ga4
    refused = []
    take = double.answer

    def answer(request):
        if len(refused) < 2 and len(double.taken) == 2:
            refused.append(request.body)
            return Answer(503, {"Retry-After": "1"})
        return take(request)
    double.answer = answer
    daemon = make_hopcountd(redis, {**FAST, **preset(double, tmp_path, preset="ga4")})
    for object_id in range(1, 6):
        daemon.click(daemon.mint("view", object_id, client=100 + object_id), headers=BROWSER)
    wait_until(lambda: len(double.taken) == 5, 30, lambda: f"all are there: {len(double.taken)} {double.faults}")
    assert refused[0] == refused[1] and len({body["client_id"] for body in double.taken}) == 5
    assert sample(daemon, "sent_total", **WEB) == 5


def test_what_was_refused_for_long_is_listed_and_sent_again_one_by_one(make_hopcountd, redis, double, tmp_path):
    double.check = check_ga4
    take, double.answer = double.answer, lambda request: Answer(400)
    daemon = make_hopcountd(redis, {**FAST, **preset(double, tmp_path, preset="ga4", give_up_s=1)})
    for object_id in range(1, 5):
        daemon.click(daemon.mint("view", object_id, client=100 + object_id), headers=BROWSER)
        daemon.click(daemon.mint("view", 50 + object_id, client=200 + object_id))  # a robot's, passed over
    wait_until(lambda: sample(daemon, "lag_clicks", **WEB) == 0 and sample(daemon, "failed_ranges", **WEB) == 4, 60,
               lambda: f"all are given up: {sample(daemon, 'failed_ranges', **WEB)}")
    double.answer = take
    assert daemon.cli("sinks", "retry", "web", "-c", daemon.config_path).returncode == 0
    wait_until(lambda: len(double.taken) == 4 and sample(daemon, "failed_ranges", **WEB) == 0, 30,
               lambda: f"all are there: {len(double.taken)}")
    assert len({body["client_id"] for body in double.taken}) == 4


@pytest.mark.parametrize("changes, words", [
    ({"preset": "ga5"}, "preset: 'ga5'"),
    ({"preset": "ga4", "measurement_id": None}, "measurement_id: is missing"),
    ({"preset": "ga4", "measurement_id": "UA-12345-1"}, "measurement_id: is none"),
    ({"preset": "ga4", "token_file": None}, "token_file: is missing; preset: ga4 needs the API secret"),
    ({"preset": "ga4", "token_file": "/nowhere"}, "/nowhere"),
    ({"preset": "ga4", "token_file": "BAD"}, "holds no token"),
    ({"preset": "ga4", "batch_max": 5}, "batch_max: is not for preset: ga4"),
    ({"preset": "ga4", "site_id": 1}, "site_id: is for preset: matomo"),
    ({"preset": "ga4", "fields": "all", "hash_key_file": None}, "fields: must be hashed for a preset"),
    ({"preset": "ga4", "types": ["click", "relabel"]}, "types: 'relabel' has no place in web analytics"),
    ({"preset": "ga4", "secret_file": "SECRET"}, "secret_file: signs Standard Webhooks"),
    ({"preset": "matomo", "site_id": None}, "site_id: is missing"),
    ({"preset": "matomo", "site_id": 0}, "site_id"),
    ({"preset": "matomo", "token_file": None}, "token_file: is missing; preset: matomo needs a token_auth"),
    ({"preset": "matomo", "measurement_id": "G-1"}, "measurement_id: is for preset: ga4"),
    ({"preset": "none"}, "token_file: is for preset: ga4 or matomo"),
], ids=str)
def test_a_bad_preset_stops_the_start(make_hopcountd, redis, double, tmp_path, changes, words):
    changes = dict(changes)
    if changes.get("token_file") == "BAD":
        (tmp_path / "bad").write_text("a&b=c\n")
        (tmp_path / "bad").chmod(0o600)
        changes["token_file"] = str(tmp_path / "bad")
    if changes.get("secret_file") == "SECRET":
        changes["secret_file"] = write_secrets(tmp_path / "secrets", b"x" * 32)
    if changes["preset"] == "none":
        changes["site_id"] = None
    daemon = make_hopcountd(redis, preset(double, tmp_path, **changes), start=False)
    done = daemon.check()
    assert done.returncode == 1 and words in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1 and re.search(r"\.yaml:\d+: sinks\[0\]", done.stderr)


def test_the_examples_of_the_readme_are_right(make_hopcountd, redis, tmp_path):
    text = (ROOT / "deploy/webhooks/README.md").read_text()
    sinks = [sink for body in re.findall(r"^```yml\n(.*?)^```$", text, re.M | re.S) for sink in yaml.safe_load(body)]
    assert [sink["name"] for sink in sinks] == ["zapier", "n8n", "hubspot", "ga4", "matomo"]
    daemon = make_hopcountd(redis, {"sinks": sinks}, start=False)
    write_secrets(daemon.config_path.parent / "secret", b"x" * 32)
    for name in ("hash-key", "ga4-secret", "matomo-token"):
        (daemon.config_path.parent / name).write_text("0123456789abcdef\n")
        (daemon.config_path.parent / name).chmod(0o600)
    daemon.add_api_key()
    done = daemon.check()
    assert done.returncode == 0, done.stderr
