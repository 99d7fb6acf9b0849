"""The admin address: probes, metrics, keys, links, objects, clients, campaigns, live counts."""
import base64
import http.client
import json
import re
import signal
import socket
import time
import urllib.parse

import pytest
import yaml

from harness import openapi, tokens
from harness.build import ROOT, patience
from harness.daemon import BRAND
from harness.wait import wait_clear_of_midnight, wait_until

GLOBEX = {**BRAND, "name": "globex", "hosts": ["go.globex.example"], "base_url": "https://go.globex.example",
          "billing_url": "https://billing.globex.example"}
TWO_BRANDS = {"brands": [{**BRAND, "targets": [
    {"kind": "4", "name": "renew", "url": "https://billing.acme.example/renew/{arg}"}]}, GLOBEX]}


def ask(daemon, method, target, body=None, status=None, key=True, headers=None):
    """A reply that is as the document of the API promises; its `.json` is the body."""
    reply = daemon.admin(method, target, body, headers, key)
    openapi.check_reply(method, target, reply)
    if status is not None:
        assert reply.status == status, f"{method} {target}: {reply.status} {reply.text}"
    is_json = "json" in (reply.getheader("Content-Type") or "") and method != "HEAD"
    reply.json = json.loads(reply.text) if is_json and reply.text else None
    return reply


def problem(daemon, method, target, body=None, status=400, **kwargs):
    """The `parameter` of a problem."""
    reply = ask(daemon, method, target, body, status, **kwargs)
    assert reply.getheader("Content-Type") == "application/problem+json"
    assert reply.json["status"] == status
    return reply.json.get("parameter")


# --- probes and metrics ---

def test_probes_need_no_key_and_no_redis(hopcountd, redis):
    assert ask(hopcountd, "GET", "/livez", key=None, status=200).json == {"status": "pass"}
    redis.kill()
    assert ask(hopcountd, "GET", "/readyz", key=None, status=200).json == {"status": "pass"}
    assert ask(hopcountd, "HEAD", "/livez", key=None, status=200).text == ""


def test_readiness_ends_with_the_drain_and_liveness_does_not(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"public": {"drain_delay_s": 2}})
    daemon.send(signal.SIGTERM)
    wait_until(lambda: daemon.admin("GET", "/readyz").status == 503, 5, "readiness to end")
    assert ask(daemon, "GET", "/readyz", key=None).json == {"status": "fail", "output": "draining"}
    ask(daemon, "GET", "/livez", key=None, status=200)


def test_metrics_are_in_the_format_and_by_the_conventions(hopcountd):
    hopcountd.click(hopcountd.mint("pay", 1))
    text = ask(hopcountd, "GET", "/metrics", key=None, status=200).text
    helps, types, seen = {}, {}, set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, _, help_text = line[7:].partition(" ")
            assert name not in helps and help_text.endswith("."), line
            helps[name] = help_text
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split()
            types[name] = kind
        else:
            sample = re.fullmatch(r'([a-z_]+)(\{[a-z_]+="[^"\\]*"(,[a-z_]+="[^"\\]*")*\})? (\S+)', line)
            assert sample, line
            assert line.rpartition(" ")[0] not in seen, line
            seen.add(line.rpartition(" ")[0])
            name, value = sample.group(1), float(sample.group(4))
            assert name in helps and name in types, line
            assert name.startswith(("hopcount_", "process_")), line
            assert (types[name] == "counter") == name.endswith("_total"), line
            assert types[name] != "counter" or value >= 0, line
    assert text.endswith("\n")
    assert set(helps) == set(types)  # a family may have no sample for now


def conserved(metrics):
    return (metrics["hopcount_clicks_accepted_total"] + metrics["hopcount_clicks_recovered_total"]
            == metrics["hopcount_clicks_applied"] + metrics["hopcount_clicks_pending"]
            + metrics.total("hopcount_clicks_dropped_total"))


def test_what_is_accepted_is_applied_pending_or_dropped(make_hopcountd, make_load, redis):
    daemon = make_hopcountd(redis)
    links = [daemon.mint("pay", n) for n in range(1, 11)]
    make_load(daemon, links, n_clients=2, n_clicks=300).join()
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == 300, 10, "300 clicks applied")
    metrics = daemon.metrics()
    assert metrics["hopcount_clicks_accepted_total"] == 300
    assert metrics['hopcount_requests_total{outcome="redirect",status="302"}'] == 300
    assert conserved(metrics)
    redis.kill()
    make_load(daemon, links, n_clients=2, n_clicks=100).join()
    wait_until(lambda: daemon.metrics()["hopcount_clicks_pending"] == 100, 10, "100 clicks pending")
    metrics = daemon.metrics()
    assert metrics["hopcount_clicks_accepted_total"] == 400 and conserved(metrics)
    assert metrics["hopcount_redis_up"] == 0 and metrics["hopcount_lag_bytes"] == 6400
    redis.start()
    wait_until(lambda: daemon.metrics()["hopcount_clicks_pending"] == 0, 20, "nothing pending")
    assert conserved(daemon.metrics())


def test_a_reload_that_fails_is_seen_in_the_metrics(hopcountd):
    before = hopcountd.metrics()
    assert before["hopcount_config_last_reload_successful"] == 1
    hopcountd.write_config({"brands": [{**BRAND, "preset": "nonsense"}]})
    hopcountd.reload()
    wait_until(lambda: hopcountd.metrics()["hopcount_config_last_reload_successful"] == 0, 10, "the failure")
    assert hopcountd.metrics()["hopcount_config_reload_failures_total"] == 1
    hopcountd.write_config({"brands": [BRAND]})
    hopcountd.reload()
    wait_until(lambda: hopcountd.metrics()["hopcount_config_last_reload_successful"] == 1, 10, "the success")


def test_changed_files_are_loaded_by_themselves_if_asked_for(make_hopcountd, tmp_path):
    """Mounted as Kubernetes does: a folder, a link to it that is swapped, and links through that."""
    mounted = tmp_path / "mounted"
    daemon = make_hopcountd(start=False, config={"reload": "change"})

    def mount(number, keys):
        (mounted / f"..{number}").mkdir(parents=True)
        (mounted / f"..{number}/keys").write_text(keys)
        (mounted / f"..{number}/keys").chmod(0o440)
        (mounted / "..new").symlink_to(f"..{number}")
        (mounted / "..new").rename(mounted / "..data")

    def reloads():
        return len(daemon.log_lines("reload.done")), len(daemon.log_lines("reload.failed"))

    first, second = f"1 mint {daemon.key.hex()}\n", f"1 verify {daemon.key.hex()}\n2 mint {bytes(32).hex()}\n"
    mount(1, first)
    (mounted / "keys").symlink_to("..data/keys")
    daemon.write_config({"keys": str(mounted / "keys")})
    daemon.start()
    token = tokens.seal(bytes(32), "acme", "view", 7, kid=2, ttl=9)
    assert daemon.get(f"/{token}").status == 404
    mount(2, second)
    wait_until(lambda: daemon.get(f"/{token}").status == 302, 20, "the new key")
    mount(3, "2 mint nonsense\n")
    wait_until(lambda: reloads() == (1, 1), 20, "the bad file")
    assert daemon.get(f"/{token}").status == 302
    mount(4, first)
    wait_until(lambda: daemon.get(f"/{token}").status == 404, 20, "the old key")
    daemon.write_config({"brands": [{**BRAND, "home": "https://other.example/"}]})
    wait_until(lambda: daemon.get("/").location == "https://other.example/", 20, "the new home page")
    wait_until(lambda: reloads()[0] == 3, 20, "the line of the third, which comes when the page is there")
    assert reloads() == (3, 1), "a bad file was read more than once"

    # A file that only a refused configuration names is mended.
    other = tmp_path / "other-keys"
    other.write_text("2 mint nonsense\n")
    other.chmod(0o440)
    daemon.write_config({"keys": str(other)})
    wait_until(lambda: reloads() == (3, 2), 20, "the bad file that is new")
    other.write_text(second)
    wait_until(lambda: daemon.get(f"/{token}").status == 302, 20, "the new key in the other file")
    assert reloads() == (4, 2)
    daemon.shut_down()


# --- keys ---

def test_a_key_is_asked_for_and_its_scope_looked_at(make_hopcountd, redis):
    daemon = make_hopcountd(redis, start=False)
    reader = daemon.add_api_key("stats:read", "reader")
    writer = daemon.add_api_key("links:write", "writer")
    daemon.start()
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer nonsense"},
                    {"Authorization": f"Basic {base64.b64encode(reader.encode()).decode()}"},
                    {"Authorization": reader}, {"Authorization": f"Bearer {reader}x"},
                    {"Authorization": f"Bearer {reader[:-1]}"}):
        reply = ask(daemon, "GET", "/v1/stats", key=None, headers=headers, status=401)
        assert reply.getheader("WWW-Authenticate").startswith("Bearer ")
    assert ask(daemon, "GET", "/v1/stats", key=reader, status=200)
    assert ask(daemon, "GET", "/v1/stats", key=None, headers={"Authorization": f"bearer   {reader}"}, status=200)
    assert "links:write" in ask(daemon, "POST", "/v1/links", {"kind": "pay"}, 403, reader).json["detail"]
    ask(daemon, "POST", "/v1/links", {"kind": "pay", "object": 1}, 201, writer)
    assert "stats:read" in ask(daemon, "GET", "/v1/stats", None, 403, writer).json["detail"]


def test_a_key_taken_away_is_refused_after_a_reload(make_hopcountd, redis):
    daemon = make_hopcountd(redis, start=False)
    other = daemon.add_api_key("stats:read", "other")
    daemon.start()
    ask(daemon, "GET", "/v1/stats", key=other, status=200)
    lines = daemon.api_keys_path.read_text().splitlines()
    daemon.api_keys_path.write_text("".join(f"{line}\n" for line in lines if not line.startswith("other ")))
    daemon.reload()
    wait_until(lambda: daemon.admin("GET", "/v1/stats", key=other).status == 401, 10, "the key to be refused")
    ask(daemon, "GET", "/v1/stats", status=200)


def test_a_key_has_so_many_requests_in_a_minute(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"admin": {"rate_per_min": 5}}, start=False)
    other = daemon.add_api_key("stats:read", "other")
    daemon.start()
    for left in (4, 3, 2, 1, 0):
        reply = ask(daemon, "GET", "/v1/stats", status=200)
        assert reply.getheader("X-RateLimit-Limit") == "5"
        assert reply.getheader("X-RateLimit-Remaining") == str(left)
        assert 0 < int(reply.getheader("X-RateLimit-Reset")) <= 60
    reply = ask(daemon, "GET", "/v1/stats", status=429)
    assert (reply.reason, reply.json["type"]) == ("Too Many Requests", "/problems/too-many-requests")
    assert 0 < int(reply.getheader("Retry-After")) <= 60
    ask(daemon, "GET", "/v1/stats", key=other, status=200)
    ask(daemon, "GET", "/metrics", key=None, status=200)


# --- links ---

def test_a_link_is_minted_followed_and_shown(make_hopcountd, redis):
    daemon = make_hopcountd(redis, TWO_BRANDS)
    fields = {"brand": "acme", "kind": "pay", "object": 1234, "client": 77, "campaign": 12, "ttl": "7d",
              "channel": "sms", "variant": "B", "issued_at": "2026-11-22T12:00:30Z"}
    minted = ask(daemon, "POST", "/v1/links", fields, 201).json
    assert minted["token"] == daemon.mint("pay", 1234, client=77, campaign=12, ttl=7, channel="sms", variant=2,
                                          issued_s=tokens.EPOCH_S + 60 * ((1795348800 - tokens.EPOCH_S) // 60))
    assert minted["url"] == f"https://go.acme.example/{minted['token']}"
    assert (minted["issued_at"], minted["expires_at"]) == ("2026-11-22T12:00:00Z", "2026-11-29T12:00:00Z")
    fresh = ask(daemon, "POST", "/v1/links", {**fields, "issued_at": None}, 201).json
    shown = ask(daemon, "GET", f"/v1/links/{fresh['token']}", status=200).json
    assert {k: shown[k] for k in fields if k not in ("ttl", "issued_at")} == {
        k: v for k, v in fields.items() if k not in ("ttl", "issued_at")}
    assert shown["target"] == "https://billing.acme.example/index.php?rp=/invoice/1234/pay"
    assert (shown["id"], shown["clicks"]["total"], shown["first_click_at"]) == (fresh["id"], 0, None)
    daemon.click(fresh["token"])
    daemon.click(fresh["token"], headers=[("User-Agent", "Googlebot/2.1")])
    wait_until(lambda: daemon.clicks(fresh["token"])["total"] == 2, 10, "two clicks")
    shown = ask(daemon, "GET", f"/v1/links/{fresh['token']}").json
    assert shown["first_click_at"] <= shown["last_click_at"]
    for form in (fresh["url"], fresh["url"] + "?x=1", fresh["url"].upper(), fresh["token"] + ".",
                 f"http://go.acme.example:8080/{fresh['token']}/"):
        quoted = urllib.parse.quote(form, safe="")
        assert ask(daemon, "GET", f"/v1/links/{quoted}", status=200).json["id"] == fresh["id"], form


def test_many_links_are_minted_at_once_or_none(make_hopcountd, redis):
    daemon = make_hopcountd(redis, TWO_BRANDS)
    links = [{"brand": "acme", "kind": "view", "object": n} for n in range(10000)]
    minted = ask(daemon, "POST", "/v1/links", links, 201).json
    assert [m["token"] for m in minted[:3]] == [ask(daemon, "POST", "/v1/links", {**link, "issued": m["issued_at"]},
                                                    201).json["token"] for link, m in zip(links[:3], minted)]
    assert len({m["id"] for m in minted}) == 10000
    links[9999]["object"] = -1
    assert problem(daemon, "POST", "/v1/links", links) == "[9999].object"
    assert problem(daemon, "POST", "/v1/links", [{}] * 10001, 413) is None
    assert ask(daemon, "POST", "/v1/links", [], 201).json == []


def test_each_path_has_one_form(two_brands):
    link = {"brand": "acme", "kind": "pay", "object": 1, "issued_at": "2026-11-22T12:00:00Z"}
    event = {"id": "1", "brand": "acme", "type": "invoice.paid", "object": 1}
    for path, one, status in (("/v1/links", link, 201), ("/v1/events", event, 202)):
        batch = ask(two_brands, "POST", f"{path}:batch", [one], status)
        assert batch.getheader("Deprecation") is None and len(batch.json) == 1
        assert ask(two_brands, "POST", path, one, status).getheader("Deprecation") is None
        old = ask(two_brands, "POST", path, [one], status)
        assert old.getheader("Deprecation") == "@1795824000" and f"<{path}:batch>" in old.getheader("Link")
        assert problem(two_brands, "POST", f"{path}:batch", one) is None
    for path in ("stats", "funnel", "clicked", "unclicked", "unpaid"):
        query = "brand=acme&campaign=3&from=7d" if path != "stats" else "brand=acme&from=7d"
        new = ask(two_brands, "GET", f"/v1/{path}.csv?{query}", status=200)
        assert new.getheader("Deprecation") is None and new.getheader("Content-Type").startswith("text/csv")
        for old in (ask(two_brands, "GET", f"/v1/{path}?{query}&format=csv", status=200),
                    ask(two_brands, "GET", f"/v1/{path}?{query}", headers={"Accept": "text/csv"}, status=200)):
            assert old.getheader("Deprecation") and f"</v1/{path}.csv>" in old.getheader("Link")
            assert old.text.removeprefix("\ufeff").splitlines()[0] == new.text.splitlines()[0]
        file = ask(two_brands, "GET", f"/v1/{path}.csv?{query}&for=spreadsheet", status=200)
        assert "attachment" in file.getheader("Content-Disposition")
        assert file.text.startswith("\ufeff") == (path in ("stats", "funnel"))
        assert problem(two_brands, "GET", f"/v1/{path}.csv?{query}&for=people") == "for"
        assert ask(two_brands, "GET", f"/v1/{path}?{query}").getheader("Deprecation") is None
    new = ask(two_brands, "GET", "/v1/conversions?brand=acme", status=200)
    assert new.json["metric"] == "conversions" and new.getheader("Deprecation") is None
    old = ask(two_brands, "GET", "/v1/stats?brand=acme&metric=conversions", status=200)
    assert old.getheader("Deprecation") and {**old.json, "as_of": 0, "lag_s": 0} == {**new.json, "as_of": 0, "lag_s": 0}
    assert problem(two_brands, "GET", "/v1/conversions?brand=acme&metric=clicks") == "metric"


LINK_FAULTS = [
    ({"kind": "nope"}, "kind"), ({"kind": 16}, "kind"), ({"kind": 0}, "kind"), ({"kind": None}, "kind"), ({}, "kind"),
    ({"kind": True}, "kind"), ({"kind": "pay", "brand": "nope"}, "brand"), ({"kind": "pay", "brand": 1}, "brand"),
    ({"kind": "pay", "object": -1}, "object"), ({"kind": "pay", "object": 2**32}, "object"),
    ({"kind": "pay"}, "object"), ({"kind": "pay", "object": None}, "object"), ({"kind": "pay", "object": ""}, "object"),
    ({"kind": 100002, "object": 1}, "kind"), ({"kind": 2**32 + 2, "object": 1}, "kind"),
    ({"kind": "100002", "object": 1}, "kind"), ({"kind": 2**64 + 2, "object": 1}, "kind"),
    ({"kind": -254, "object": 1}, "kind"), ({"kind": 258, "object": 1}, "kind"), ({"kind": 2.5, "object": 1}, "kind"),
    ({"kind": "02", "object": 1}, "kind"),
    *(({"kind": "pay", "object": 1, field: value}, field)
      for field, top in (("object", 2**32), ("client", 2**32), ("campaign", 2**16))
      for value in (top, float(top), str(top), f"{top}.0", top + 2**32, 2**63, 2**64 + 1, 10**30, -1, "-1", 0.5, "0.5",
                    "1.0e0", "+1", "1,003", "1.003", "1 003", "1'003", "0x10", "x", True, [], {}, [1], "\u0661")),
    ({"kind": "pay", "client": 2**32}, "client"), ({"kind": "pay", "campaign": 65536}, "campaign"),
    ({"kind": "pay", "ttl": "29d"}, "ttl"), ({"kind": "pay", "ttl": 9}, "ttl"),
    ({"kind": "pay", "channel": "fax"}, "channel"), ({"kind": "pay", "variant": "H"}, "variant"),
    ({"kind": "pay", "variant": "AB"}, "variant"), ({"kind": "pay", "arg": "a b"}, "arg"),
    ({"kind": "pay", "arg": "a" * 49}, "arg"), ({"kind": "pay", "arg": 1}, "arg"), ({"kind": "renew"}, "arg"),
    ({"kind": "pay", "issued_at": "2023-12-31T23:59:59Z"}, "issued_at"),
    ({"kind": "pay", "issued_at": "2056-01-01T00:00:00Z"}, "issued_at"),
    ({"kind": "pay", "issued": "2026-02-30T00:00:00Z"}, "issued"), ({"kind": "pay", "silent": 1}, "silent"),
    ({"kind": "pay", "once": "yes"}, "once"), ({"kind": "pay", "once": 1}, "once"),
    ({"kind": "pay", "due": "soon"}, "due"), ({"kind": "pay", "due": "2026-12-31", "ttl": "30d"}, "due"),
    ({"kind": "pay", "objekt": 1}, "objekt"),
    ({"kind": "pay", "x" * 500: 1}, None),
]


@pytest.fixture
def two_brands(make_hopcountd, redis):
    return make_hopcountd(redis, TWO_BRANDS)


def test_a_bad_field_of_a_link_is_named(two_brands):
    for fields, parameter in LINK_FAULTS:
        got = problem(two_brands, "POST", "/v1/links", {"brand": "acme", **fields})
        assert parameter is None or got == parameter, fields
        got = problem(two_brands, "POST", "/v1/links",
                      [{"brand": "acme", "kind": "pay", "object": 1}, {"brand": "acme", **fields}])
        assert parameter is None or got == f"[1].{parameter}", fields
    assert problem(two_brands, "POST", "/v1/links", {"kind": "pay"}) == "brand"
    for number in ("1e999", "-1e400", "1" + "0" * 400):
        body = '{"brand":"acme","kind":"pay","object":1, "client" : ' + number + "}"
        assert problem(two_brands, "POST", "/v1/links", body) == "client"
        assert problem(two_brands, "POST", "/v1/links", f"[{number}]") in (None, "[0]")
    for body in ("", "nonsense", "3", "\"text\"", '{"kind":"pay","kind":"view"}', '{"kind":"pa', b'{"kind":"\xff"}',
                 "[" * 3000):
        problem(two_brands, "POST", "/v1/links", body)


def test_the_limits_of_a_link_are_inside(two_brands):
    for fields in ({"object": 2**32 - 1, "client": 2**32 - 1, "campaign": 65535}, {"arg": "a" * 48}, {"arg": ""},
                   {"kind": 2}, {"kind": "2"}, {"kind": 4, "arg": "x"}, {"variant": "g"}, {"ttl": "never"},
                   {"issued_at": "2024-01-01T00:00:00Z"}, {"silent": True, "once": False}, {"once": True},
                   {"once": None}, {"due": "2026-12-31"}, {"due": "2026-12-31T00:00:00+02:00"}, {"due": "", "ttl": "1h"}):
        link = ask(two_brands, "POST", "/v1/links", {"brand": "acme", "kind": "pay", "object": 1, **fields}, 201).json
        ask(two_brands, "GET", f"/v1/links/{link['token']}?brand=acme", status=200)


def test_numbers_are_taken_as_other_programs_write_them(two_brands):
    want = {"object": 1003, "client": 2**32 - 1, "campaign": 65535}
    for as_written in (str, float, lambda n: f"{n}.0", lambda n: f" {n} ", lambda n: f"000000000000{n}",
                       lambda n: f"{n}.000"):
        fields = {name: as_written(n) for name, n in want.items()}
        for body in ({"brand": "acme", "kind": "pay", **fields}, [{"brand": "acme", "kind": "2", **fields}],
                     b"\xef\xbb\xbf" + json.dumps({"brand": "acme", "kind": 2, **fields}).encode()):
            minted = ask(two_brands, "POST", "/v1/links", body, 201).json
            token = (minted[0] if isinstance(minted, list) else minted)["token"]
            shown = ask(two_brands, "GET", f"/v1/links/{token}", status=200).json
            assert {name: shown[name] for name in want} == want, body
            assert shown["kind"] == "pay"


def test_an_object_is_needed_where_the_target_holds_one(make_hopcountd, redis):
    brand = {**BRAND, "targets": [{"kind": "4", "name": "home", "url": "https://billing.acme.example/"}]}
    daemon = make_hopcountd(redis, {"brands": [brand]})
    link = ask(daemon, "POST", "/v1/links", {"kind": "home", "client": 7}, 201).json
    assert ask(daemon, "GET", f"/v1/links/{link['token']}", status=200).json["object"] == 0
    assert problem(daemon, "POST", "/v1/links", {"kind": "pay", "client": 7}) == "object"


def test_what_is_no_link_is_not_found(two_brands):
    token = two_brands.mint("pay", 1)
    forged = token[:10] + ("0" if token[10] != "0" else "1") + token[11:]
    for text in (forged, "nonsense", "0" * 45, f"https://go.acme.example/{forged}", "https://go.acme.example/",
                 "https://go.acme.example", f"https://nowhere.example/{token}", f"https://go.globex.example/{token}",
                 "://", "https://", "\u00fc"):
        ask(two_brands, "GET", f"/v1/links/{urllib.parse.quote(text, safe='')}", status=404)
    ask(two_brands, "GET", f"/v1/links/{token}?brand=globex", status=404)
    assert problem(two_brands, "GET", f"/v1/links/{token}?brand=nope") == "brand"
    problem(two_brands, "GET", "/v1/links/%zz")
    problem(two_brands, "GET", "/v1/links/%00")
    problem(two_brands, "GET", "/v1/links/" + "x" * 1025)


def test_an_expired_link_is_still_shown(two_brands):
    token = two_brands.mint("pay", 1, ttl=1, issued_s=tokens.EPOCH_S)
    shown = ask(two_brands, "GET", f"/v1/links/{token}", status=200).json
    assert shown["expired"] is True and shown["expires_at"] == "2024-01-01T00:15:00Z"


# --- objects, clients, the most clicked ---

def test_objects_and_clients_sum_their_links_up(two_brands):
    daemon = two_brands
    for n_clicks, link in ((3, daemon.mint("pay", 10, client=5)), (2, daemon.mint("view", 10, client=6)),
                           (1, daemon.mint("pay", 11, client=5)), (4, daemon.mint("pay", 0, client=0))):
        for _ in range(n_clicks):
            daemon.click(link)
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == 10, 10, "ten clicks")
    shown = ask(daemon, "GET", "/v1/objects/10?brand=acme", status=200).json
    assert (shown["id"], shown["brand"], shown["clicks"]["total"]) == (10, "acme", 5)
    assert {kind: c["total"] for kind, c in shown["kinds"].items()} == {"pay": 3, "view": 2}
    assert ask(daemon, "GET", "/v1/objects/10?brand=acme&kind=view").json["clicks"]["total"] == 2
    assert ask(daemon, "GET", "/v1/objects/10?brand=globex").json["clicks"]["total"] == 0
    assert ask(daemon, "GET", "/v1/clients/5?brand=acme").json["clicks"]["total"] == 4
    assert ask(daemon, "GET", "/v1/clients/4294967295?brand=acme", status=200).json["clicks"]["total"] == 0

    top = ask(daemon, "GET", "/v1/top/objects?brand=acme&sort=total", status=200).json["rows"]
    assert [(row["id"], row["total"]) for row in top] == [(10, 5), (11, 1)]
    top = ask(daemon, "GET", "/v1/top/clients?brand=acme&kind=pay&limit=1&sort=total").json["rows"]
    assert [(row["id"], row["total"]) for row in top] == [(5, 4)]
    top = ask(daemon, "GET", "/v1/top/links?sort=total").json["rows"]
    assert [row["total"] for row in top] == [4, 3, 2, 1]
    assert top[0]["id"] == ask(daemon, "GET", f"/v1/links/{link}").json["id"]


def test_bad_parameters_of_objects_clients_and_lists_are_named(two_brands):
    for target, parameter in (("/v1/objects/0?brand=acme", "id"), ("/v1/objects/4294967296?brand=acme", "id"),
                              ("/v1/objects/x?brand=acme", "id"), ("/v1/objects/-1?brand=acme", "id"),
                              ("/v1/clients/1", "brand"), ("/v1/clients/1?brand=nope", "brand"),
                              ("/v1/clients/1?brand=acme&kind=nope", "kind"), ("/v1/clients/1?brand=acme&x=", "x"),
                              ("/v1/top/links?brand=acme", "brand"), ("/v1/top/links?kind=pay", "kind"),
                              ("/v1/top/objects", "brand"), ("/v1/top/objects?brand=acme&limit=101", "limit"),
                              ("/v1/top/objects?brand=acme&sort=up", "sort"),
                              ("/v1/top/clients?brand=acme&kind=nope", "kind")):
        assert problem(two_brands, "GET", target) == parameter, target
    ask(two_brands, "GET", "/v1/top/everything", status=404)


# --- campaigns ---

def test_campaigns_are_named_and_listed(two_brands):
    for number, name in ((300, "Third"), (2, "Zweite Mahnung \u00fc"), (65535, "x" * 200)):
        ask(two_brands, "PUT", f"/v1/campaigns/{number}", {"name": name, "brand": "acme"}, 200)
    ask(two_brands, "PUT", "/v1/campaigns/2?brand=acme", {"name": "<b>Second</b>"}, 200)
    listed = ask(two_brands, "GET", "/v1/campaigns?brand=acme", status=200).json
    assert [(c["id"], c["name"]) for c in listed["campaigns"]] == [
        (2, "<b>Second</b>"), (300, "Third"), (65535, "x" * 200)]
    assert ask(two_brands, "GET", "/v1/campaigns?brand=globex").json["campaigns"] == []
    assert [(b["name"], len(b["kinds"])) for b in ask(two_brands, "GET", "/v1/brands").json["brands"]] == [
        ("acme", 8), ("globex", 7)]


def test_a_new_name_shows_in_statistics_at_once(two_brands):
    two_brands.click(two_brands.mint("pay", 1, campaign=12))
    target = "/v1/stats?brand=acme&from=24h&group_by=campaign"
    wait_until(lambda: ask(two_brands, "GET", target).json["rows"], 10, "the click")
    for name in ("First", "Second", "Third"):
        ask(two_brands, "PUT", "/v1/campaigns/12?brand=acme", {"name": name}, 200)
        assert [row["name"] for row in ask(two_brands, "GET", target).json["rows"]] == [name]


def all_pages(daemon, target, name):
    """All there is in a paged list, and how many pages it took."""
    rows, page, n = [], "", 0
    while page is not None:
        reply = ask(daemon, "GET", f"{target}{page}", status=200).json
        rows += reply[name]
        n += 1
        page = None if reply["next_page"] is None else f"&page={reply['next_page']}"
    return rows, n


def test_all_campaigns_are_listed_by_pages_and_lose_their_names(two_brands):
    for campaign in (12, 13, 0):
        two_brands.click(two_brands.mint("pay", 1, campaign=campaign))
    for number, name in ((12, "First"), (300, "Third")):
        ask(two_brands, "PUT", f"/v1/campaigns/{number}?brand=acme", {"name": name}, 200)
    target = "/v1/campaigns?brand=acme&limit=1"
    wait_until(lambda: len(all_pages(two_brands, f"{target}&of=all", "campaigns")[0]) == 3, 20, "the clicks")
    rows, n_pages = all_pages(two_brands, f"{target}&of=all", "campaigns")
    assert [(row["id"], row["name"], row["clicks"]["total"]) for row in rows] == [
        (12, "First", 1), (13, None, 1), (300, "Third", 0)] and n_pages == 3
    assert all_pages(two_brands, target, "campaigns") == ([{"id": 12, "name": "First"}, {"id": 300, "name": "Third"}], 2)
    ask(two_brands, "DELETE", "/v1/campaigns/12?brand=acme", status=204)
    ask(two_brands, "DELETE", "/v1/campaigns/12?brand=acme", status=404)
    assert problem(two_brands, "DELETE", "/v1/campaigns/0?brand=acme") == "id"
    rows = all_pages(two_brands, f"{target}&of=all", "campaigns")[0]
    assert [(row["id"], row["name"]) for row in rows] == [(12, None), (13, None), (300, "Third")]
    for query, parameter in (("limit=0", "limit"), ("of=none", "of"), ("page=x", "page")):
        assert problem(two_brands, "GET", f"/v1/campaigns?brand=acme&{query}") == parameter


def test_objects_and_clients_are_listed_by_pages(two_brands):
    daemon = two_brands
    clicked = {object: object % 3 + 1 for object in range(1000, 1030)}
    for object, client in clicked.items():
        daemon.click(daemon.mint("pay", object, client=client))
    events = [{"id": str(n), "brand": "acme", "type": "invoice.paid", "object": n} for n in (1000, 5000, 5001)]
    events += [{"id": "r", "brand": "acme", "type": "invoice.replaced", "object": 5002, "by": 1001},
               {"id": "o", "brand": "acme", "type": "client.opted_out", "client": 77},
               {"id": "g", "brand": "globex", "type": "invoice.paid", "object": 9}]
    ask(daemon, "POST", "/v1/events:batch", events, 202)
    ask(daemon, "POST", "/v1/revocations", {"scope": "client", "brand": "acme", "id": "2"}, 202)
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == 30
               and daemon.metrics()["hopcount_state_entries"] >= 7, 20, "clicks and events")
    for limit in (7, 1000):
        rows, n_pages = all_pages(daemon, f"/v1/objects?brand=acme&limit={limit}", "objects")
        assert n_pages == (5 if limit == 7 else 1)
        found = {row["id"]: row for row in rows}
        assert len(found) == len(rows) and sorted(found) == [*clicked, 5000, 5001, 5002]
    assert sum(row["clicks"]["total"] for row in rows) == 30
    assert [found[n]["state"] for n in (1000, 1001, 5000, 5002)] == ["paid", None, "paid", "replaced"]
    assert found[5002]["replaced_by"] == 1001 and not found[1000]["revoked"]
    rows, n_pages = all_pages(daemon, "/v1/clients?brand=acme&limit=1", "clients")
    assert n_pages == 4 and {row["id"]: (row["clicks"]["total"], row["opted_out"], row["revoked"]) for row in rows} == {
        1: (10, False, False), 2: (10, False, True), 3: (10, False, False), 77: (0, True, False)}
    assert [row["id"] for row in all_pages(daemon, "/v1/objects?brand=globex", "objects")[0]] == [9]
    for query, parameter in (("limit=1001", "limit"), ("page=-1", "page"), ("page=9999999999999999", "page")):
        assert problem(daemon, "GET", f"/v1/objects?brand=acme&{query}") == parameter


def test_bad_campaigns_are_refused(two_brands):
    target = "/v1/campaigns/2?brand=acme"
    for name in ("", "x" * 201, "x" * 10240, "a\nb", "a\x1b[31mb", "\u0085", None, 5, ["x"], " ", "x ", " x",
                 "invoice\u202efdp", "a\u2028b", "\ufeffx", "\u00a0", "\u200b", "\u200b\u200bx", "\u3000x", "x\u2003"):
        assert problem(two_brands, "PUT", target, {"name": name}) == "name", name
    assert problem(two_brands, "PUT", target, {}) == "name"
    assert problem(two_brands, "PUT", target, []) == "name"
    reply = ask(two_brands, "PUT", target, {"name": "a\x00b"}, 400)
    assert "holds a NUL" in reply.json["detail"]
    assert problem(two_brands, "PUT", target, {"name": "x", "color": "red"}) == "color"
    assert problem(two_brands, "PUT", target, {"name": "x", "brand": "acme"}) == "brand"  # as in the address
    for number in ("0", "65536", "x"):
        assert problem(two_brands, "PUT", f"/v1/campaigns/{number}?brand=acme", {"name": "x"}) == "id"
    assert problem(two_brands, "PUT", "/v1/campaigns/2", {"name": "x"}) == "brand"
    assert ask(two_brands, "GET", "/v1/campaigns?brand=acme").json["campaigns"] == []


# --- keys, by the dashboard ---

def test_signing_in_takes_a_key_and_nothing_else(hopcountd):
    def sign_in(body):
        return ask(hopcountd, "POST", "/v1/session", body, key=None, headers={"Content-Type": "application/json"})

    assert sign_in({"key": hopcountd.api_key}).status == 200
    assert sign_in({"key": "hc_nonsense"}).getheader("WWW-Authenticate").startswith("Bearer")
    for body in ({}, {"key": 1}, {"key": None}, [], {"key": hopcountd.api_key, "remember": True}):
        assert sign_in(body).status == 400, body


# --- the description of the API ---

def test_the_description_is_served_as_it_was_written_and_as_json(hopcountd):
    written = ask(hopcountd, "GET", "/v1/openapi.yaml", key=None, status=200)
    assert written.text == (ROOT / "proto" / "openapi.yaml").read_text()
    for _ in range(2):
        served = ask(hopcountd, "GET", "/v1/openapi.json", key=None, status=200)
        assert served.json == yaml.safe_load(written.text)
    assert served.getheader("ETag")
    ask(hopcountd, "GET", "/v1/openapi.json?x=1", key=None, status=400)
    moved = hopcountd.admin("GET", "/docs")
    assert (moved.status, moved.getheader("Location")) == (302, "dashboard/api")
    assert "reference.js" in hopcountd.admin("GET", "/dashboard/api").text


def test_each_page_of_the_dashboard_has_an_address_and_a_mistyped_one_has_none(hopcountd):
    html = {"Accept": "text/html"}
    for name in ("", "campaigns", "funnel", "links", "targets", "health", "audit", "shared", "api"):
        assert hopcountd.admin("GET", f"/dashboard/{name}", headers=html).status == 200, name
    for name in ("unknown", "campaigns/12"):
        assert hopcountd.admin("GET", f"/dashboard/{name}", headers=html).status == 404, name


def test_a_link_is_looked_up_as_gateways_have_changed_it(hopcountd):
    token = hopcountd.mint("view", 5)
    safe = f"https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fgo.acme.example%2F{token}&data=x"

    def look(url, status=200):
        return ask(hopcountd, "GET", f"/v1/links/{urllib.parse.quote(url, safe='')}", status=status).json

    assert (look(token)["object"], look(token)["wrapped_by"]) == (5, [])
    assert (look(safe)["object"], look(safe)["wrapped_by"]) == (5, ["Safe Links"])
    assert look(f"https://urldefense.com/v3/__{safe}__;!!a!b$")["wrapped_by"] == ["URL Defense v3", "Safe Links"]
    assert look("https://protect-eu.mimecast.com/s/AbC?domain=go.acme.example", 404)["detail"].startswith("Mimecast wrapped this link, and only its server")
    assert "cut off" in look(safe[:60], 404)["detail"]


# --- problems ---

def test_all_that_is_wrong_is_said_at_once(two_brands):
    def errors(method, target, body=None, **kwargs):
        reply = ask(two_brands, method, target, body, **kwargs).json
        assert reply["parameter"] == reply["errors"][0]["field"]
        assert reply["detail"].startswith(reply["errors"][0]["detail"])
        for error in reply["errors"]:  # whole sentences that name their fields
            assert error["detail"].startswith(error["field"] + " ") and error["detail"].endswith("."), error
        return reply["type"].removeprefix("/problems/"), [error["field"] for error in reply["errors"]]

    link = {"brand": "acme", "kind": "pay", "ttl": "29d", "once": 1, "colour": "red"}
    assert errors("POST", "/v1/links", link) == ("invalid-fields", ["once", "colour", "ttl", "object"])
    assert errors("POST", "/v1/links", [{"brand": "acme", "kind": "pay"}, 1, {"brand": "globex", "kind": 99}]) == (
        "invalid-fields", ["[0].object", "[1]", "[2].kind"])
    assert errors("POST", "/v1/events", {"id": "", "type": "invoice.paid", "brand": "acme", "client": 0, "amount": 1}) == (
        "invalid-fields", ["id", "client", "object", "currency"])
    assert errors("POST", "/v1/revocations", {"scope": "world", "issued_before": 1}) == (
        "invalid-fields", ["issued_before", "brand", "scope"])
    assert errors("PUT", "/v1/campaigns/7?brand=acme", {"name": "", "color": 1}) == ("invalid-fields", ["color", "name"])
    assert errors("GET", "/v1/stats?tz=Mars&limit=0&kind=nope&brand=acme") == (
        "invalid-parameters", ["kind", "tz", "limit"])
    assert errors("GET", "/v1/stats?x=1&brand=acme&y=2") == ("invalid-parameters", ["x", "y"])
    for path, wrong, fields in (("stats", "from=nope&limit=0", ["x", "from", "limit"]), ("stats.csv", "metric=nope", ["x", "metric"]),
                                ("conversions", "limit=0", ["x", "limit"]), ("funnel", "sort=nope", ["x", "sort"]),
                                ("unpaid", "tz=Mars", ["x", "tz"]), ("campaigns", "of=nope&limit=0", ["x", "of", "limit"]),
                                ("objects", "limit=0", ["x", "limit"]), ("clients", "page=nope", ["x", "page"]), ("top/clients", "limit=5", ["x"])):
        for query, named in ((f"brand=acme&x=1&{wrong}", fields), ("brand=acme&x=1", ["x"])):
            assert errors("GET", f"/v1/{path}?{query}") == ("invalid-parameters", named), (path, query)
    for target, named in (("top/clients?brand=acme&x=1&limit=0&sort=nope&kind=nope&y=2", ["x", "y", "kind", "limit", "sort"]),
                          ("top/links?brand=acme&x=1&kind=pay", ["x", "brand", "kind"]),
                          ("annotations?x=1&tz=Mars&from=nope", ["x", "tz", "from", "brand"]),
                          ("annotations?brand=acme&to=nope&y=1&x=2", ["y", "x", "to"]),
                          ("views?brand=nope&x=1", ["x", "brand"]), ("views?x=1", ["x", "brand"]), ("live?brand=nope&x=1", ["x", "brand"]),
                          ("live?x=1", ["x"]), ("revocations?x=1&y=2", ["x", "y"])):
        assert errors("GET", f"/v1/{target}") == ("invalid-parameters", named), target
    for target in ("annotations/1", "views/1"):
        assert errors("DELETE", f"/v1/{target}?x=1") == ("invalid-parameters", ["x", "brand"]), target
    many = ask(two_brands, "POST", "/v1/links", [{"brand": "acme", "kind": "pay"}] * 150, 400).json
    assert len(many["errors"]) == 100 and "149 more are wrong" in many["detail"]
    refused = ask(two_brands, "POST", "/v1/events", [{"id": "1", "type": "invoice.paid", "at": "?"}], 202).json[0]
    assert [error["field"] for error in refused["errors"]] == ["brand", "at", "object"]
    assert refused["why"] == "brand is missing, and there are several brands."


def test_each_kind_of_problem_has_a_page(hopcountd):
    kinds = openapi.DOCUMENT["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]
    everything = hopcountd.admin("GET", "/problems/")
    assert everything.status == 200 and everything.text.count("<li>") == len(kinds)
    for kind in kinds:
        page = hopcountd.admin("GET", kind)
        assert page.status == 200 and kind in page.text and "`" not in page.text, page.text
        assert page.getheader("Content-Type").startswith("text/html") and page.getheader("Content-Security-Policy")
        assert f'href="{kind.removeprefix("/problems/")}"' in everything.text
    assert hopcountd.admin("GET", "/problems/nonsense").status == 404


def test_a_problem_is_of_its_kind(hopcountd):
    for kind, method, target, body in (
            ("not-found", "GET", "/v1/nothing", None), ("method-not-allowed", "PUT", "/v1/links", None),
            ("unknown-link", "GET", "/v1/links/nonsense", None), ("invalid-json", "POST", "/v1/links", "{"),
            ("too-large", "POST", "/v1/links", [{}] * 10001), ("invalid-fields", "POST", "/v1/links", {}),
            ("invalid-parameters", "GET", "/v1/objects/0", None)):
        reply = ask(hopcountd, method, target, body).json
        assert reply["type"] == f"/problems/{kind}" and reply["detail"][-1] == ".", reply
    assert ask(hopcountd, "GET", "/v1/stats", key=None).json["type"] == "/problems/no-api-key"


# --- paths, methods, odd requests ---

def test_unknown_paths_and_methods(hopcountd):
    for target in ("/v1", "/v1/", "/v1/link", "/v1/links/", "/v1/links/a/b", "/metrics/", "/v1/../metrics", "//livez",
                   "/%6civez"):
        ask(hopcountd, "GET", target, status=404)
    for method, target, allow in (("POST", "/livez", "GET, HEAD"), ("GET", "/v1/links", "POST"),
                                  ("POST", "/v1/campaigns/1", "PUT, DELETE"), ("PUT", "/v1/stats", "GET, HEAD")):
        reply = hopcountd.admin(method, target, key=True)
        assert (reply.status, reply.getheader("Allow")) == (405, allow)
        openapi.check_schema("Problem", json.loads(reply.text))
    for method in ("PATCH", "OPTIONS"):
        reply = ask(hopcountd, method, "/livez", status=405)
        assert (reply.getheader("Allow"), reply.json["status"]) == ("GET, HEAD", 405)
        ask(hopcountd, method, "/nothing", status=404)


def test_odd_requests_do_not_stop_the_address(hopcountd):
    for request in (b"\r\n\r\n", b"GET\r\n\r\n", b"GET /livez HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00",
                    b"GET /" + b"x" * 70000 + b" HTTP/1.1\r\n\r\n", b"GET /livez HTTP/1.1\r\n" + b"a: b\r\n" * 20000,
                    b"POST /v1/links HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
                    b"POST /v1/links HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                    b"POST /v1/links HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                    b"GET http://[::1/ HTTP/1.1\r\n\r\n", b"GET /v1/stats?%zz HTTP/1.1\r\n\r\n",
                    b"GET /livez?a=b#c HTTP/1.1\r\nHost: x\r\n\r\n", b"OPTIONS * HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", hopcountd.admin_port), timeout=patience(5)) as sock:
            try:
                sock.sendall(request)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):
                    pass
            except OSError:
                pass
        ask(hopcountd, "GET", "/livez", key=None, status=200)


# --- Redis is away ---

def test_without_redis_counts_are_503_and_come_back(hopcountd, redis):
    token = hopcountd.mint("pay", 1)
    targets = (f"/v1/links/{token}", "/v1/stats", "/v1/objects/1", "/v1/clients/1", "/v1/campaigns", "/v1/top/links")
    redis.kill()
    for target in targets:
        reply = ask(hopcountd, "GET", target, status=503)
        assert int(reply.getheader("Retry-After")) >= 1
    assert ask(hopcountd, "PUT", "/v1/campaigns/1", {"name": "x"}, 503)
    ask(hopcountd, "POST", "/v1/links", {"kind": "pay", "object": 1}, 201)
    redis.start()
    for target in targets:
        wait_until(lambda: hopcountd.admin("GET", target, key=True).status == 200, 20, target)


def send_and_leave(daemon, target, how):
    """Asks, and closes without reading: politely, or with a reset."""
    sock = socket.create_connection(("127.0.0.1", daemon.admin_port), timeout=patience(5))
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    sock.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {daemon.api_key}\r\n\r\n".encode())
    return sock


@pytest.mark.parametrize("how", ["close", "reset"])
def test_clients_that_leave_while_redis_is_frozen_do_no_harm(make_hopcountd, redis, how):
    """A reply of Redis must never find the memory of a client that has gone."""
    daemon = make_hopcountd(redis, {"redis": {"timeout_ms": 1000}})
    token = daemon.mint("pay", 1)
    targets = (f"/v1/links/{token}", "/v1/stats?from=1y&group_by=kind", "/v1/objects/1", "/v1/live", "/v1/top/links",
               "/v1/stats?clients=true")
    redis.send(signal.SIGSTOP)
    try:
        socks = [send_and_leave(daemon, target, how) for target in targets * 10]
        ask(daemon, "GET", "/livez", key=None, status=200)
        for sock in socks[::2]:
            sock.close()
        begin = time.monotonic()
        ask(daemon, "GET", "/v1/stats", status=503)
        assert time.monotonic() - begin < patience(8)
    finally:
        redis.send(signal.SIGCONT)
    for sock in socks:
        sock.close()
    wait_until(lambda: daemon.admin("GET", "/v1/stats", key=True).status == 200, 20, "the statistics to be back")
    daemon.shut_down()


# --- live ---

def read_events(daemon, target, n):
    """The data of the first n events of a stream."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.admin_port, timeout=patience(10))
    try:
        connection.request("GET", target, headers={"Authorization": f"Bearer {daemon.api_key}"})
        reply = connection.getresponse()
        assert (reply.status, reply.getheader("Content-Type")) == (200, "text/event-stream")
        events = []
        while len(events) < n:
            line = reply.readline().decode()
            assert line, "the stream ended"
            if line.startswith("data: "):
                events.append(json.loads(line[6:]))
                openapi.check_schema("LiveCounts", events[-1])
        return events
    finally:
        connection.close()


def test_live_counts_follow_the_clicks(two_brands):
    wait_clear_of_midnight(60)
    first = read_events(two_brands, "/v1/live?brand=acme", 1)[0]
    assert first["redis_up"] and first["today"]["total"] == 0
    for _ in range(5):
        two_brands.click(two_brands.mint("pay", 1))
    wait_until(lambda: read_events(two_brands, "/v1/live?brand=acme", 1)[0]["today"]["total"] == 5, 10, "five clicks")
    events = read_events(two_brands, "/v1/live", 2)
    assert [event["pod"]["accepted"] for event in events] == [5, 5]
    assert events[0]["at"] < events[1]["at"]
    assert events[0]["new"] is None and events[1]["new"] == {"total": 0, "human": 0, "automated": 0}
    assert read_events(two_brands, "/v1/live?brand=globex", 1)[0]["today"]["total"] == 0
    assert problem(two_brands, "GET", "/v1/live?brand=nope") == "brand"


def test_the_shipped_acl_rule_is_enough_for_all_that_is_asked(make_hopcountd, redis, tmp_path):
    rule = [line for line in (ROOT / "deploy/redis-acl.conf").read_text().splitlines() if line.startswith("user ")]
    client = redis.client()
    client.execute_command("ACL", "SETUSER", *rule[0].replace("CHANGE-ME", "secret").split()[1:])
    password = tmp_path / "password"
    password.write_text("secret\n")
    password.chmod(0o600)
    daemon = make_hopcountd(redis, {**TWO_BRANDS, "redis": {"username": "hopcount", "password_file": str(password)}})
    token = daemon.mint("pay", 1)
    daemon.click(token)
    wait_until(lambda: read_events(daemon, "/v1/live?brand=acme", 1)[0]["today"]["total"] == 1, 10, "the click")
    for target in (f"/v1/links/{token}", "/v1/objects/1?brand=acme", "/v1/clients/1?brand=acme", "/v1/campaigns",
                   "/v1/stats?brand=acme&clients=true", "/v1/stats?brand=acme&group_by=label&interval=hour",
                   "/v1/top/links?brand=acme", "/v1/live?brand=globex"):
        read_events(daemon, target, 1) if "live" in target else ask(daemon, "GET", target)
    assert not [entry for entry in client.acl_log() if b"hopcount" in str(entry).encode()]


def is_streaming(daemon):
    with send_and_leave(daemon, "/v1/live", "close") as sock:
        return sock.recv(12) == b"HTTP/1.1 200"


def test_streams_are_bounded_and_end_with_the_drain(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"public": {"drain_delay_s": 5}})
    socks = [send_and_leave(daemon, "/v1/live", "close") for _ in range(64)]
    wait_until(lambda: ask(daemon, "GET", "/v1/live", status=503), 5, "the limit")
    for sock in socks[:32]:
        sock.close()
    wait_until(lambda: is_streaming(daemon), 10, "a free place")
    daemon.send(signal.SIGTERM)
    whole = socks[-1].makefile("rb").read()
    assert whole.startswith(b"HTTP/1.1 200 OK") and whole.endswith(b"\r\n0\r\n\r\n")
    for sock in socks:
        sock.close()
