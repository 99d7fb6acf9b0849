"""Keys that are for some brands: on every route of the admin API, in its answers, and in links."""
import datetime
import http.client
import json
import urllib.parse

import pytest

from harness import counters, openapi, tokens
from harness.build import patience
from harness.counters import UTC, Click
from harness.daemon import BRAND
from harness.wait import wait_clear_of_midnight, wait_until

NAMES = ["acme", "globex", "initech"]
BRANDS = [{**BRAND, "name": name, "hosts": [f"go.{name}.example"], "base_url": f"https://go.{name}.example",
           "billing_url": f"https://billing.{name}.example"} for name in NAMES]
DAY = datetime.datetime(2026, 11, 3, 12, tzinfo=UTC)
PERIOD = "from=2026-11-01&to=2026-11-30"


@pytest.fixture
def daemon(make_hopcountd, redis):
    """Three brands; keys for all, for one and for two of them; `acme` has 1 click, `globex` 2, `initech` 4."""
    daemon = make_hopcountd(redis, {"brands": BRANDS}, start=False)
    daemon.all = daemon.add_api_key(name="all")
    daemon.one = daemon.add_api_key(name="one", brands="globex")
    daemon.two = daemon.add_api_key(name="two", brands="initech,acme")
    counters.seed(redis.client(), [Click(name, DAY, 2, 1, 0, "DE") for i, name in enumerate(NAMES) for _ in range(1 << i)])
    daemon.start()
    return daemon


def ask(daemon, key, target, status=200, method="GET", body=None):
    reply = daemon.admin(method, target, body, key=key)
    openapi.check_reply(method, target, reply)
    assert reply.status == status, f"{method} {target}: {reply.status} {reply.text}"
    return json.loads(reply.text) if "json" in (reply.getheader("Content-Type") or "") else reply.text


@pytest.mark.parametrize("target", ["/v1/stats?", f"/v1/stats?{PERIOD}&group_by=campaign&", "/v1/objects/1?", "/v1/clients/1?",
                                    "/v1/campaigns?", "/v1/top/objects?", "/v1/top/clients?", "/v1/live?"])
def test_a_route_refuses_a_brand_that_the_key_is_not_for(daemon, target):
    for key, brand in ((daemon.one, "acme"), (daemon.one, "initech"), (daemon.two, "globex")):
        assert ask(daemon, key, f"{target}brand={brand}", 403)["parameter"] == "brand"
    assert ask(daemon, daemon.one, f"{target}brand=nobody", 400)["parameter"] == "brand"
    if "live" not in target:
        ask(daemon, daemon.one, f"{target}brand=globex")
        ask(daemon, daemon.one, target.rstrip("?&"))  # of the one brand there is
        ask(daemon, daemon.two, f"{target}brand=acme")


def test_statistics_are_of_the_brands_of_the_key(daemon):
    for _ in range(2):  # the second answer is kept from the first
        for key, total in ((daemon.all, 7), (daemon.one, 2), (daemon.two, 5)):
            for more in ("&group_by=kind", "&group_by=time", "&group_by=country", "&clients=true"):
                answer = ask(daemon, key, f"/v1/stats?{PERIOD}{more}")
                assert answer["total"]["total"] == total
                assert sum(row["total"] for row in answer["rows"]) == total
                csv = daemon.admin("GET", f"/v1/stats?{PERIOD}{more}&format=csv", key=key).text.splitlines()
                column = csv[0].split(",").index("total")
                assert sum(int(line.split(",")[column]) for line in csv[1:]) == total
    assert ask(daemon, daemon.one, f"/v1/stats?{PERIOD}")["brand"] == "globex"
    assert ask(daemon, daemon.two, f"/v1/stats?{PERIOD}")["brand"] is None


def test_lists_hold_the_brands_of_the_key(daemon):
    for key, names in ((daemon.all, NAMES), (daemon.one, ["globex"]), (daemon.two, ["acme", "initech"])):
        assert [brand["name"] for brand in ask(daemon, key, "/v1/brands")["brands"]] == names
    ask(daemon, daemon.all, "/v1/top/links")
    ask(daemon, daemon.one, "/v1/top/links", 403)


def test_campaigns_are_named_for_the_brands_of_the_key(daemon):
    for key, brand, status in ((daemon.one, "acme", 403), (daemon.one, "globex", 200), (daemon.one, None, 200),
                               (daemon.two, "globex", 403), (daemon.two, None, 400)):
        for in_body in (True, False):
            target = "/v1/campaigns/5" + (f"?brand={brand}" if brand and not in_body else "")
            body = {"name": "First", **({"brand": brand} if brand and in_body else {})}
            ask(daemon, key, target, status, "PUT", body)
    assert ask(daemon, daemon.all, "/v1/campaigns?brand=acme")["campaigns"] == []
    assert ask(daemon, daemon.one, "/v1/campaigns")["campaigns"] == [{"id": 5, "name": "First"}]


def test_links_are_minted_and_shown_of_the_brands_of_the_key(daemon):
    link = {"kind": "pay", "object": 1}
    for key, brand, status in ((daemon.one, "globex", 201), (daemon.one, None, 201), (daemon.one, "acme", 403),
                               (daemon.one, "nobody", 400), (daemon.two, "acme", 201), (daemon.two, None, 400),
                               (daemon.two, "globex", 403), (daemon.all, "acme", 201)):
        one = {**link, **({"brand": brand} if brand else {})}
        got = ask(daemon, key, "/v1/links", status, "POST", one)
        many = ask(daemon, key, "/v1/links", status, "POST", [one, one])
        if status == 201:
            assert got["brand"] == (brand or "globex") and len(many) == 2
        else:
            assert (got["parameter"], many["parameter"]) == ("brand", "[0].brand")
    token = daemon.mint("pay", 1, brand="acme")
    whole = urllib.parse.quote(f"https://go.acme.example/{token}", safe="")
    for what in (token, whole):
        for tail in ("", "/qr.svg"):
            ask(daemon, daemon.two, f"/v1/links/{what}{tail}")
            ask(daemon, daemon.one, f"/v1/links/{what}{tail}", 404)
            ask(daemon, daemon.one, f"/v1/links/{what}{tail}?brand=globex", 404)
            ask(daemon, daemon.one, f"/v1/links/{what}{tail}?brand=acme", 403)


def test_health_hides_what_counts_all_brands_alike(daemon):
    limited, whole = (ask(daemon, key, "/v1/health") for key in (daemon.one, daemon.all))
    for field in ("ledger", "log", "workers", "requests"):
        assert limited[field] is None and whole[field] is not None
    assert limited["status"] == whole["status"]


def first_event(daemon, key, query=""):
    """The first event of a stream that knows the counts of today."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.admin_port, timeout=patience(20))
    try:
        connection.request("GET", f"/v1/live{query}", headers={"Authorization": f"Bearer {key}"})
        reply = connection.getresponse()
        assert reply.status == 200
        while True:
            line = reply.readline().decode()
            assert line, "the stream ended"
            event = json.loads(line[6:]) if line.startswith("data: ") else {"today": None}
            if event["today"]:
                openapi.check_schema("LiveCounts", event)
                return event
    finally:
        connection.close()


def test_live_counts_are_of_the_brands_of_the_key(daemon, redis):
    wait_clear_of_midnight(30)
    now = datetime.datetime.now(UTC)
    counters.seed(redis.client(), [Click(name, now, 2, 1, 0, "DE") for i, name in enumerate(NAMES) for _ in range(1 << i)])
    for key, query, total in ((daemon.all, "", 7), (daemon.one, "", 2), (daemon.two, "", 5), (daemon.two, "?brand=acme", 1)):
        event = first_event(daemon, key, query)
        assert event["today"]["total"] == total
        assert (event["pod"] is None) == (key != daemon.all)


def test_a_reload_changes_the_brands_of_a_key(daemon):
    text = daemon.api_keys_path.read_text()
    daemon.api_keys_path.write_text(text.replace(" globex\n", " acme\n"))
    daemon.reload()
    wait_until(lambda: daemon.admin("GET", "/v1/stats?brand=acme", key=daemon.one).status == 200, 10, "the new brands")
    assert daemon.admin("GET", "/v1/stats?brand=globex", key=daemon.one).status == 403
    daemon.api_keys_path.write_text(text.replace(" globex\n", " nobody\n"))
    daemon.reload()
    wait_until(lambda: daemon.metrics()["hopcount_config_last_reload_successful"] == 0, 10, "the failure")
    assert daemon.admin("GET", "/v1/stats?brand=acme", key=daemon.one).status == 200


# --- keys that seal links ---

def test_a_link_opens_only_for_the_brands_of_its_key(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"brands": BRANDS}, start=False)
    other = bytes(range(32))
    daemon.keys_path.write_text(f"1 mint {daemon.key.hex()} acme,globex\n9 verify {other.hex()} globex\n")
    daemon.start()
    for kid, key, brand, status in ((1, daemon.key, "acme", 302), (1, daemon.key, "globex", 302),
                                    (1, daemon.key, "initech", 404), (9, other, "globex", 302), (9, other, "acme", 404)):
        token = tokens.seal(key, brand, "pay", 7, kid=kid, ttl=9)
        reply = daemon.get(f"/{token}", host=f"go.{brand}.example")
        assert reply.status == status, (kid, brand)
        ask(daemon, True, f"/v1/links/{token}", 200 if status == 302 else 404)
    ask(daemon, True, "/v1/links", 201, "POST", {"brand": "acme", "kind": "pay", "object": 1})
    ask(daemon, True, "/v1/links", 503, "POST", {"brand": "initech", "kind": "pay", "object": 1})
    wait_until(lambda: ask(daemon, True, "/v1/objects/7?brand=globex")["clicks"]["total"] == 2, 20, "the clicks")
    assert ask(daemon, True, "/v1/objects/7?brand=initech")["clicks"]["total"] == 0
    token = tokens.seal(other, "acme", "pay", 7, kid=9, ttl=9)
    said = daemon.cli("inspect", "-c", daemon.config_path, f"https://go.acme.example/{token}")
    assert "its key is not for the brand" in said.stdout + said.stderr


def test_brands_that_are_not_there_stop_the_start(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"brands": BRANDS}, start=False)
    daemon.keys_path.write_text(f"# keys\n1 mint {daemon.key.hex()} acme,nobody\n")
    assert "keys:2: key 1 is for the brand 'nobody'" in daemon.start_refused()[1]
    daemon.write_keys([(1, "mint", daemon.key)])
    daemon.add_api_key(name="lost", brands="nobody")
    assert "the key 'lost' is for the brand 'nobody'" in daemon.start_refused()[1]
