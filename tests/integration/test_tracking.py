"""How much of a click is counted: tracking full, aggregate and off, by brand and kind, and Sec-GPC."""
import csv
import io
import json

import pytest

from harness.wait import wait_until

PEOPLE = (("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                         "Chrome/129.0.0.0 Safari/537.36"), ("Accept-Language", "de-DE,de;q=0.9"))
VIEW = "https://billing.acme.example/viewinvoice.php?id={}"
PAY = "https://billing.acme.example/index.php?rp=/invoice/{}/pay"
LIST = "https://billing.acme.example/list?of={object},{client}"


def brand(targets=(), **more):
    return {"name": "acme", "hosts": ["go.acme.example"], "preset": "whmcs",
            "billing_url": "https://billing.acme.example", "targets": list(targets)} | more


def campaign(daemon):
    return daemon.api("GET", "/v1/stats?brand=acme&campaign=3&group_by=label")["total"]["human"]


def test_a_kind_that_is_not_tracked_gets_the_billing_system_s_url(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"brands": [brand([{"kind": "view", "tracking": "off"},
                                                      {"kind": 4, "name": "list", "url": LIST, "tracking": "off"}])]})
    plain = daemon.api("POST", "/v1/links", {"kind": "view", "object": 5, "client": 7, "campaign": 3}, 201)
    assert (plain["id"], plain["token"], plain["url"], plain["expires_at"], plain["expired"]) == (
        None, None, VIEW.format(5), None, False)
    sealed = daemon.api("POST", "/v1/links", [{"kind": "pay", "object": 5}, {"kind": "view", "object": 6}], 201)
    assert [link["token"] is None for link in sealed] == [False, True]

    mint = lambda *more, **kwargs: daemon.cli("mint", "-c", daemon.config_path, *more, **kwargs)
    assert mint("view", "--object", "5").stdout == VIEW.format(5) + "\n"
    link = json.loads(mint("view", "--object", "5", "--json").stdout)
    assert (link["id"], link["token"], link["url"], link["expires_at"]) == (None, None, VIEW.format(5), None)
    done = mint("--batch", input="kind,object,client\nview,5,7\nlist,5,7\npay,5,7\n")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["id"] == "", row["token"] == "", row["expires_at"] == "") for row in rows] == [
        (True, True, True)] * 2 + [(False, False, False)]
    assert [row["url"] for row in rows[:2]] == [VIEW.format(5), "https://billing.acme.example/list?of=5,7"]

    # A link that was mailed before still leads there, and is not counted.
    token, pay = daemon.mint("view", 5, client=7, campaign=3), daemon.mint("pay", 5, client=7, campaign=3)
    for link, lead in ((token, VIEW), (pay, PAY)):
        assert daemon.get(f"/{link}", headers=PEOPLE).location == lead.format(5)
    wait_until(lambda: daemon.clicks(pay)["human"] == 1)
    assert campaign(daemon) == 1 and daemon.clicks(token)["total"] == 0


def test_a_minter_that_has_only_the_key_can_learn_it(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"brands": [
        brand([{"kind": "view", "tracking": "off"}, {"kind": "pay", "tracking": "full"}], tracking="aggregate"),
        brand() | {"name": "umbrella", "hosts": ["go.umbrella.example"]}]})
    told = {each["name"]: {kind["name"]: kind["tracking"] for kind in each["kinds"]}
            for each in daemon.api("GET", "/v1/brands")["brands"]}
    assert told["acme"] == dict.fromkeys(told["acme"], "aggregate") | {"view": "off", "pay": "full"}
    assert set(told["umbrella"].values()) == {"full"}


def test_it_needs_no_key(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"brands": [brand(tracking="off")]})
    daemon.write_keys([(1, "verify", daemon.key)])
    daemon.reload()
    wait_until(lambda: daemon.admin("POST", "/v1/links", {"kind": "view", "object": 5}, key=True).status == 201)
    assert daemon.cli("mint", "-c", daemon.config_path, "view", "--object", "9").stdout == VIEW.format(9) + "\n"


def test_a_kind_may_count_more_or_less_than_its_brand(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"brands": [brand([{"kind": "pay", "tracking": "full"}], tracking="aggregate")]})
    view, pay = (daemon.mint(kind, 5, client=7, campaign=3) for kind in ("view", "pay"))
    for token in (view, pay):
        assert daemon.get(f"/{token}", headers=PEOPLE).status == 302
    wait_until(lambda: campaign(daemon) == 2)
    assert (daemon.clicks(view)["total"], daemon.clicks(pay)["human"]) == (0, 1)


@pytest.mark.parametrize("gpc, by_link", [(None, 2), ("ignore", 2), ("aggregate", 1)])
def test_a_browser_may_ask_for_it(make_hopcountd, redis, gpc, by_link):
    daemon = make_hopcountd(redis, {"brands": [brand()]} | ({"labels": {"gpc": gpc}} if gpc else {}))
    token = daemon.mint("view", 5, client=7, campaign=3)
    for value in ("1", "0"):  # only 1 means it
        assert daemon.get(f"/{token}", headers=(*PEOPLE, ("Sec-GPC", value))).location == VIEW.format(5)
    wait_until(lambda: campaign(daemon) == 2)
    assert daemon.clicks(token)["human"] == by_link
    assert daemon.api("GET", "/v1/clients/7")["clicks"]["human"] == by_link


REFUSED = [
    (brand([{"kind": 4, "name": "x", "url": "https://a.example/{token}", "tracking": "off"}]), "holds {token}"),
    (brand([{"kind": "view", "tracking": "some"}]), "tracking"),
    (brand([{"kind": "view", "tracking": "off", "max_uses": 3}]), "counts clicks by link"),
]


@pytest.mark.parametrize("config, says", REFUSED)
def test_what_does_not_go_together_stops_the_start(make_hopcountd, redis, config, says):
    done = make_hopcountd(redis, {"brands": [config]}, start=False).check()
    assert done.returncode != 0 and says in done.stderr, done.stderr
