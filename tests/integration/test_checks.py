"""Links are watched: `hopcount check`, and what hopcountd looks at by itself."""
import json
import ssl
import subprocess
import threading

import pytest

from harness import openapi
from harness.endpoint import Answer, Endpoint
from harness.tls import make_certificate
from harness.wait import wait_until

BIG = b"x" * (256 << 10)


class Pages:
    """The billing system, as bad as it gets; `now` replaces the answer of a path."""

    def __init__(self):
        self.never, self.now = threading.Event(), {}
        self.server = Endpoint(self.answer)
        self.url = f"http://127.0.0.1:{self.server.port}"

    def answer(self, request):
        return self.now.get(request.path) or {
            "/good": Answer(body=b"<h1>Invoice 7</h1>"),
            "/missing": Answer(404),
            "/broken": Answer(500),
            "/busy": Answer(429),
            "/silent": Answer(wait=self.never),
            "/late_text": Answer(body=BIG + b"Invoice" + BIG * 40),
            "/early_text": Answer(body=BIG[:-7] + b"Invoice" + BIG * 40),
            "/chain": Answer(302, {"Location": "/chain/2"}),
            "/chain/2": Answer(301, {"Location": "/good"}),
            "/round": Answer(302, {"Location": "/round"}),
            "/cookie": Answer(302, {"Location": "/cookie", "Set-Cookie": "seen=1"})
            if "cookie" not in request.headers else Answer(body=b"Invoice"),
            "/elsewhere": Answer(302, {"Location": "ftp://127.0.0.1/"}),
        }.get(request.path, Answer(body=b"Invoice"))

    def close(self):
        self.never.set()
        self.server.close()


@pytest.fixture
def pages():
    double = Pages()
    yield double
    double.close()


def target(number, url, **more):
    return {"kind": number, "name": url.rpartition("/")[2], "url": url, **more}


def config_of(daemon, urls, **checks):
    """A brand whose links start at the daemon's public port; a kind for each URL."""
    targets = [each if isinstance(each, dict) else target(number, each) for number, each in enumerate(urls, 4)]
    return {"brands": [{"name": "acme", "hosts": ["127.0.0.1"], "base_url": f"http://127.0.0.1:{daemon.port}",
                        "targets": targets}],
            "checks": {"pace_ms": 0, **checks}}


def found_by(daemon, *arguments, status=0):
    """{(target, way): what hopcount check says}."""
    done = daemon.cli("check", "-c", daemon.config_path, "--json", *arguments)
    assert done.returncode == status, (done.stdout, done.stderr)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {(each["target"], each["way"]): each for each in found}


def test_check_of_good_and_broken_targets_directly_and_by_link(make_hopcountd, redis, pages):
    names = ["good", "missing", "broken", "busy", "late_text", "early_text", "chain", "round", "cookie",
             "elsewhere"]
    daemon = make_hopcountd(redis, start=False)
    daemon.config["brands"] = []
    daemon.write_config(config_of(
        daemon, [f"{pages.url}/{name}" for name in names],
        samples=[{"brand": "acme", "kind": name, "must_contain": "Invoice"} for name in names]))
    daemon.start()
    found = found_by(daemon, status=1)
    assert len(found) == 2 * len(names)
    for way in ("direct", "link"):
        of = {name: found[name, way] for name in names}
        assert {name: each["verdict"] for name, each in of.items()} == {
            "good": "up", "missing": "down", "broken": "down", "busy": "later",
            "late_text": "down", "early_text": "up", "chain": "up", "round": "down", "cookie": "up",
            "elsewhere": "down"}
        assert of["missing"]["why"] == "it answers 404" and of["busy"]["why"] == "it answers 429"
        assert of["late_text"]["why"] == "the page lacks 'Invoice'"
        assert of["round"]["why"] == "more than 10 redirects"
        steps = [(each["status"], each["to"].removeprefix(pages.url)) for each in of["chain"]["redirects"]]
        assert steps == [(302, "/chain")] * (way == "link") + [(302, "/chain/2"), (301, "/good")]
    assert found["good", "link"]["url"] == f"http://127.0.0.1:{daemon.port}/…"  # a token is a secret
    assert daemon.metrics()["hopcount_clicks_accepted_total"] == 0  # such links aren't counted


def test_check_of_a_page_that_never_answers(make_hopcountd, redis, pages):
    daemon = make_hopcountd(redis, start=False)
    daemon.write_config(config_of(daemon, [f"{pages.url}/silent"], timeout_ms=1000))
    found = found_by(daemon, "--direct", status=1)["silent", "direct"]
    assert found["verdict"] == "down" and "timed out" in found["why"] and found["status"] is None


def test_check_by_a_link_whose_host_is_not_hopcountd(make_hopcountd, redis, pages):
    daemon = make_hopcountd(redis, start=False)
    daemon.write_config(config_of(daemon, [f"{pages.url}/good"]))
    daemon.config["brands"][0]["base_url"] = pages.url
    daemon.write_config()
    found = found_by(daemon, status=1)
    assert found["good", "direct"]["verdict"] == "up"
    assert "does base_url lead to hopcountd?" in found["good", "link"]["why"]


def test_check_of_rules_states_and_pages_with_a_button(make_hopcountd, redis, pages):
    daemon = make_hopcountd(redis, start=False)
    daemon.write_config(config_of(daemon, [
        target(4, f"{pages.url}/a/{{object}}", confirm=True,
               rules=[{"variant": ["B"], "url": f"{pages.url}/b"}, {"country": ["DE"], "url": f"{pages.url}/c"},
                      {"language": ["fr"], "url": f"{pages.url}/d"}],
               when={"paid": f"{pages.url}/e/{{object}}"}) | {"name": "a"},
        {"kind": 5, "name": "out", "page": "opt_out"}],
        samples=[{"brand": "acme", "kind": "a", "object": 77, "must_contain": "Invoice"}]))
    daemon.start()
    found = found_by(daemon)
    assert set(found) == {("a", "direct"), ("a", "link"), ("a rules[0]", "direct"), ("a rules[0]", "link"),
                          ("a rules[1]", "direct"), ("a rules[2]", "direct"), ("a rules[2]", "link"),
                          ("a when paid", "direct"), ("out", "link")}
    assert {each.path for each in pages.server.requests} == {"/a/77", "/b", "/c", "/d", "/e/77"}
    assert found["a", "link"]["redirects"] == []  # its button is not pressed
    assert all(each["verdict"] == "up" for each in found.values())


@pytest.mark.parametrize("days, name, says", [
    (-1, "127.0.0.1", "expired"),
    (30, "192.0.2.1", "no alternative certificate subject name matches|does not match"),
])
def test_check_of_certificates_that_are_wrong(make_hopcountd, redis, tmp_path, days, name, says):
    cert, key = make_certificate(tmp_path, name, days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = Endpoint(context=context)
    daemon = make_hopcountd(redis, start=False)
    daemon.write_config(config_of(daemon, [f"https://127.0.0.1:{server.port}/good"], tls_ca=str(cert)))
    why = found_by(daemon, "--direct", status=1)["good", "direct"]["why"]
    assert any(each in why for each in says.split("|")), why
    server.close()


@pytest.mark.parametrize("sample, says", [
    ({"kind": "sell"}, "checks.samples[0].kind: brand 'acme' has no kind 'sell'"),
    ({"kind": "view"}, "checks.samples[0].object: is missing; the target of 'view' has {object}"),
])
def test_samples_that_fit_no_target_stop_the_start(make_hopcountd, sample, says):
    daemon = make_hopcountd(config={"checks": {"samples": [{"brand": "acme", **sample}]}}, start=False)
    done = daemon.check()
    assert done.returncode != 0 and says in done.stderr
    done = daemon.cli("check", "-c", daemon.config_path)
    assert done.returncode == 1 and says in done.stderr


# --- by hopcountd itself ---

def targets(daemon, **key):
    """{(target, way): what GET /v1/targets says}."""
    reply = daemon.admin("GET", "/v1/targets", key=key.get("key", True))
    assert reply.status == 200, reply.text
    openapi.check_reply("GET", "/v1/targets", reply)
    return {(each["target"], each["way"]): each for each in json.loads(reply.text)["targets"]}


def wait_for(daemon, target, state, way="direct"):
    return wait_until(lambda: (found := targets(daemon)[target, way])["state"] == state and found, 40,
                      lambda: f"{target} is {state}: {targets(daemon)[target, way]}")


def history(daemon, target, way="direct"):
    """The newest last."""
    path = f"/v1/targets/{targets(daemon)[target, way]['id']}"
    reply = daemon.admin("GET", path, key=True)
    openapi.check_reply("GET", path, reply)
    return json.loads(reply.text)["history"][::-1]


def test_a_page_that_fails_is_called_down_after_some_failures_and_up_again(make_hopcountd, redis, pages):
    daemon = make_hopcountd(redis, start=False)
    daemon.write_config(config_of(
        daemon, [f"{pages.url}/page", f"{pages.url}/busy", {"kind": 6, "name": "need", "url": f"{pages.url}/{{object}}"}],
        every_s=1, failures=3, retry_s=1, samples=[{"brand": "acme", "kind": "page", "must_contain": "Invoice"}]))
    daemon.start()
    up = wait_for(daemon, "page", "up", "link")
    assert up["redirects"] == [{"status": 302, "to": f"{pages.url}/page"}] and up["failures"] == 0
    assert up["url"] == f"http://127.0.0.1:{daemon.port}/…" and up["must_contain"] == "Invoice"
    wait_for(daemon, "page", "up")
    assert wait_until(lambda: (each := targets(daemon)["busy", "direct"])["verdict"] and each, 20)["state"] == "unknown"
    assert targets(daemon)["need", "direct"]["state"] == "no_sample"
    metrics = daemon.metrics()
    assert metrics['hopcount_target_up{brand="acme",target="page",way="link"}'] == 1
    assert 'hopcount_target_up{brand="acme",target="busy",way="link"}' not in metrics  # nothing is known
    assert metrics["hopcount_checker"] == 1

    pages.now["/page"] = Answer(404)
    down = wait_for(daemon, "page", "down")
    assert down["failures"] >= 3 and down["why"] == "it answers 404"
    assert daemon.metrics()['hopcount_target_up{brand="acme",target="page",way="direct"}'] == 0
    found = history(daemon, "page")
    first = next(i for i, each in enumerate(found) if each["verdict"] == "down")
    assert all(each["verdict"] == "up" for each in found[:first])
    assert 'at=check.down brand=acme target="page" way=direct why="it answers 404"' in daemon.stderr()

    del pages.now["/page"]
    wait_for(daemon, "page", "up")
    wait_for(daemon, "page", "up", "link")
    assert daemon.metrics()["hopcount_clicks_accepted_total"] == 0


def test_a_reload_changes_what_is_looked_at(make_hopcountd, redis, pages):
    daemon = make_hopcountd(redis, start=False)
    daemon.write_config(config_of(daemon, [f"{pages.url}/one"], every_s=1))
    daemon.start()
    wait_for(daemon, "one", "up")
    daemon.write_config(config_of(daemon, [f"{pages.url}/two"], every_s=3600))
    daemon.reload()
    wait_until(lambda: ("two", "direct") in targets(daemon), 20)
    assert ("one", "direct") not in targets(daemon)
    wait_for(daemon, "two", "up")
    wait_until(lambda: "keys=checks.every_s remedy=restart" in daemon.stderr(), 20)


def test_one_pod_looks_and_another_takes_over(make_hopcountd, redis, pages):
    every_s, pods = 2, []
    for name in ("one", "two"):
        pod = make_hopcountd(redis, name=name, start=False)
        pod.write_config(config_of(pod, [f"{pages.url}/page{number}" for number in range(5)], every_s=every_s))
        pod.write_config({"brands": [pod.config["brands"][0] | {"tracking": "off"}]})  # no links
        pods.append(pod)
    pods[1].write_keys([(1, "mint", pods[0].key)])
    for pod in pods:
        pod.start()
    checker = wait_until(lambda: next((pod for pod in pods if pod.metrics()["hopcount_checker"]), None), 40)
    other, = (pod for pod in pods if pod is not checker)
    for number in range(5):
        wait_for(other, f"page{number}", "up")  # what one finds all know
    wait_until(lambda: len(history(other, "page0")) >= 3, 40)
    assert other.metrics()["hopcount_checker"] == 0
    checker.kill()
    before = len(history(other, "page0"))
    wait_until(lambda: other.metrics()["hopcount_checker"] == 1, 40)
    wait_until(lambda: len(history(other, "page0")) >= before + 2, 40)

    asked = len(pages.server.requests)
    lists = {key: [json.loads(text)["at"] for text in redis.client().lrange(key, 0, -1)]
             for key in redis.client().keys("hc:{s00}:check:*")}
    assert len(lists) == 5
    for times in lists.values():
        assert all(b - a >= every_s * 1000 for a, b in zip(times, times[1:])), times  # none twice in a period
    # 4 requests at a time: some were under way at the kill, and some are now.
    assert asked <= sum(map(len, lists.values())) + 4 + 4


def test_targets_by_keys_and_without_checks(make_hopcountd, redis, pages):
    daemon = make_hopcountd(redis, start=False)
    daemon.write_config({"brands": [
        *config_of(daemon, [f"{pages.url}/one"])["brands"],
        {"name": "bcme", "hosts": ["go.bcme.example"], "home": f"{pages.url}/home"}], "checks": {"every_s": 3600}})
    limited = daemon.add_api_key("stats:read", "limited", brands="bcme")
    daemon.start()
    assert set(targets(daemon)) == {("one", "direct"), ("one", "link"), ("home", "direct")}
    assert set(targets(daemon, key=limited)) == {("home", "direct")}
    hidden = targets(daemon)["one", "direct"]["id"]
    for key, path, status in [(limited, hidden, 404), (True, "0" * 16, 404), (True, "x", 404), (True, hidden, 200),
                              ("hc_wrong", hidden, 401)]:
        assert daemon.admin("GET", f"/v1/targets/{path}", key=key).status == status

    quiet = make_hopcountd(redis, name="quiet")
    assert quiet.api("GET", "/v1/targets") == {"enabled": False, "every_s": 0, "checker": False, "targets": []}
    assert "hopcount_target_up" not in quiet.admin("GET", "/metrics").text
