"""What people keep for a brand: annotations, saved views."""
import json
import re

import pytest

from harness import openapi
from harness.daemon import BRAND
from harness.wait import wait_until

BRANDS = [BRAND, {**BRAND, "name": "globex", "hosts": ["go.globex.example"],
                  "base_url": "https://go.globex.example"}]
HEX = "0123456789abcdef"


@pytest.fixture
def daemon(make_hopcountd, redis):
    """Two brands; keys that may write for all and for globex alone, that may only read, and that see the audit log."""
    daemon = make_hopcountd(redis, {"brands": BRANDS}, start=False)
    daemon.lead = daemon.add_api_key("stats:read,links:write", name="lead")
    daemon.branch = daemon.add_api_key("stats:read,links:write", name="branch", brands="globex")
    daemon.reader = daemon.add_api_key("stats:read", name="reader")
    daemon.chief = daemon.add_api_key("stats:read,admin", name="chief")
    return daemon.start()


def ask(daemon, method, target, body=None, status=200, key=None):
    reply = daemon.admin(method, target, body, key=key or daemon.lead)
    openapi.check_reply(method, target, reply)
    assert reply.status == status, f"{method} {target} {body}: {reply.status} {reply.text}"
    return json.loads(reply.text) if "json" in (reply.getheader("Content-Type") or "") else reply.text


def audit(daemon):
    """(action, who, brand, what) of each entry, the oldest first."""
    return [(e["action"], e["who"], e["brand"], e["what"])
            for e in reversed(ask(daemon, "GET", "/v1/audit", key=daemon.chief)["entries"])]


def annotate(daemon, at, text="New template", brand="acme", status=201, key=None):
    return ask(daemon, "POST", "/v1/annotations", {"brand": brand, "at": at, "text": text}, status, key)


def texts(daemon, query="brand=acme"):
    return [(a["at"], a["text"]) for a in ask(daemon, "GET", f"/v1/annotations?{query}", key=daemon.reader)["annotations"]]


def test_annotations_are_made_listed_by_period_and_taken_away(daemon):
    made = [annotate(daemon, at, text)["id"] for at, text in (
        ("2026-11-22", "New template went out"), ("2026-11-20T14:59:59+01:00", "Prices rose"), ("2026-11-01", "Zweite Mahnung ü"))]
    annotate(daemon, "2026-11-22", "Elsewhere", "globex", key=daemon.branch)
    assert texts(daemon) == [("2026-11-01", "Zweite Mahnung ü"), ("2026-11-20T13:00:00Z", "Prices rose"),
                             ("2026-11-22", "New template went out")]
    assert texts(daemon, "brand=globex") == [("2026-11-22", "Elsewhere")]
    # A date is the whole local day, an hour begins when it does.
    for query, wanted in (("from=2026-11-20&to=2026-11-22", 2), ("from=2026-11-23&to=2026-11-23", 0),
                          ("from=2026-11-22T23:00:00Z&to=2026-11-23T12:00:00Z", 1),
                          ("from=2026-11-22T23:00:00Z&to=2026-11-23T12:00:00Z&tz=Europe/Berlin", 0),
                          ("from=2026-11-20T14:00:00Z&to=2026-11-21", 0), ("from=2026-11-20T13:00:00Z&to=2026-11-21", 1)):
        assert len(texts(daemon, f"brand=acme&{query}")) == wanted, query
    ask(daemon, "DELETE", f"/v1/annotations/{made[1]}?brand=globex", status=404)
    ask(daemon, "DELETE", f"/v1/annotations/{made[1]}?brand=acme", status=204)
    ask(daemon, "DELETE", f"/v1/annotations/{made[1]}?brand=acme", status=404)
    assert len(texts(daemon)) == 2
    wait_until(lambda: len(audit(daemon)) == 5, 20, lambda: f"five entries, not {audit(daemon)}")
    assert audit(daemon) == [
        ("annotate", "lead", "acme", "2026-11-22: New template went out"),
        ("annotate", "lead", "acme", "2026-11-20T13:00:00Z: Prices rose"),
        ("annotate", "lead", "acme", "2026-11-01: Zweite Mahnung ü"),
        ("annotate", "branch", "globex", "2026-11-22: Elsewhere"),
        ("unannotate", "lead", "acme", "2026-11-20T13:00:00Z: Prices rose")]


def test_annotations_that_make_no_sense_are_refused(daemon, redis):
    for at, text, parameters in (("2026-02-30", "x", ["at"]), ("yesterday", "x", ["at"]), (7, "", ["at", "text"]),
                                 ("2026-11-22", "x" * 201, ["text"]), ("2026-11-22", " x", ["text"]),
                                 ("2026-11-22", "a\u202eb", ["text"]), ("2026-11-22", None, ["text"])):
        refused = annotate(daemon, at, text, status=400)
        assert [e["field"] for e in refused["errors"]] == parameters, (at, text)
    assert annotate(daemon, "2026-11-22", "ü" * 200)["text"] == "ü" * 200
    assert ask(daemon, "POST", "/v1/annotations", {"at": "2026-11-22", "text": "x"}, 400)["parameter"] == "brand"
    assert ask(daemon, "POST", "/v1/annotations", {"at": "2026-11-22", "text": "x", "brand": "acme", "colour": "red"},
               400)["parameter"] == "colour"
    annotate(daemon, "2026-11-22", brand="acme", status=403, key=daemon.branch)
    annotate(daemon, "2026-11-22", status=403, key=daemon.reader)
    ask(daemon, "DELETE", f"/v1/annotations/{HEX}?brand=acme", status=403, key=daemon.reader)
    for query in ("from=x", "to=x", "from=2026-11-22&to=2026-11-21", "tz=Mars", "limit=3"):
        ask(daemon, "GET", f"/v1/annotations?brand=acme&{query}", status=400)
    # As many as a brand may have; what another version has written is left alone.
    key = next(key for key in redis.client().keys("hc:{s00}:notes:*"))
    redis.client().hset(key, mapping={f"{n:016x}": '{"at":"2026-11-22","text":"x","by":"b","made_at":"2026-11-22T00:00:00Z"}'
                                      for n in range(499)} | {"f" * 16: "no JSON"})
    assert "500 annotations" in annotate(daemon, "2026-11-22", status=403)["detail"]
    ask(daemon, "DELETE", f"/v1/annotations/{0:016x}?brand=acme", status=204)
    annotate(daemon, "2026-11-22")
    assert redis.client().hlen(key) == 501


def save(daemon, name="Payments", page="overview", filters=None, brand="acme", status=201, key=None):
    return ask(daemon, "POST", "/v1/views", {"brand": brand, "name": name, "page": page,
                                             "filters": {"from": "90d"} if filters is None else filters}, status, key)


def views(daemon, brand="acme"):
    return [(v["name"], v["page"], v["filters"]) for v in ask(daemon, "GET", f"/v1/views?brand={brand}", key=daemon.reader)["views"]]


def test_views_are_saved_renamed_and_deleted(daemon):
    filters = {"from": "ytd", "campaign": "2,3", "compare": "year"}
    first = save(daemon, "Reminders", "campaigns", filters)["id"]
    save(daemon)
    save(daemon, "Payments", brand="globex", key=daemon.branch)
    assert views(daemon) == [("Payments", "overview", {"from": "90d"}), ("Reminders", "campaigns", filters)]
    renamed = ask(daemon, "PUT", f"/v1/views/{first}?brand=acme", {"name": "Mahnungen ü"})
    assert (renamed["name"], renamed["page"], renamed["filters"], renamed["by"]) == ("Mahnungen ü", "campaigns", filters, "lead")
    assert ask(daemon, "PUT", f"/v1/views/{first}", {"brand": "acme", "filters": {"from": "7d"}})["name"] == "Mahnungen ü"
    assert ask(daemon, "PUT", f"/v1/views/{first}?brand=acme", {"name": "Payments"}, 400)["parameter"] == "name"
    assert ask(daemon, "PUT", f"/v1/views/{first}?brand=acme", {"name": "Mahnungen ü"})["name"] == "Mahnungen ü"  # its own
    save(daemon, status=400)
    ask(daemon, "PUT", f"/v1/views/{first}?brand=globex", {"name": "x"}, 404)
    ask(daemon, "DELETE", f"/v1/views/{first}?brand=acme", status=204)
    ask(daemon, "DELETE", f"/v1/views/{first}?brand=acme", status=404)
    assert views(daemon) == [("Payments", "overview", {"from": "90d"})]
    wait_until(lambda: len(audit(daemon)) == 7, 20, lambda: f"seven entries, not {audit(daemon)}")
    assert audit(daemon)[2:4] == [("save_view", "branch", "globex", "Payments"), ("save_view", "lead", "acme", "Mahnungen ü")]
    assert audit(daemon)[-1] == ("delete_view", "lead", "acme", "Mahnungen ü")


def test_views_that_make_no_sense_are_refused(daemon, redis):
    for name, page, filters, field in (("", "overview", {}, "name"), ("x" * 101, "overview", {}, "name"), ("x", "audit", {}, "page"),
                                       ("x", None, {}, "page"), ("x", "overview", [], "filters"), ("x", "overview", {"client": "7"}, "filters.client"),
                                       ("x", "overview", {"kind": 1}, "filters.kind"), ("x", "overview", {"kind": "p\n"}, "filters.kind"),
                                       ("x", "overview", {"kind": "x" * 257}, "filters.kind"), ("x", "overview", {"from": "soon"}, "filters.from"),
                                       ("x", "overview", {"to": "late"}, "filters.to"), ("x", "overview", {"from": "2026-11-22", "to": "2026-11-21"}, "filters.from")):
        assert [e["field"] for e in save(daemon, name, page, filters, status=400)["errors"]] == [field]
    view = save(daemon)["id"]
    for body in ([], {}, {"name": "x", "colour": "red"}):
        ask(daemon, "PUT", f"/v1/views/{view}?brand=acme", body, 400)
    ask(daemon, "PUT", f"/v1/views/{view}?brand=acme", {"name": "x"}, 403, daemon.reader)
    ask(daemon, "DELETE", f"/v1/views/{view}?brand=acme", status=403, key=daemon.reader)
    save(daemon, "x", status=403, key=daemon.reader)
    save(daemon, "x", status=403, key=daemon.branch)
    assert views(daemon) == [("Payments", "overview", {"from": "90d"})]
    key = next(key for key in redis.client().keys("hc:{s00}:views:*"))
    redis.client().hset(key, mapping={f"{n:016x}": json.dumps({"name": f"v{n}", "page": "overview", "filters": {}, "by": "b",
                                                               "made_at": "2026-11-22T00:00:00Z"}) for n in range(99)})
    assert "100 views" in save(daemon, "one more", status=403)["detail"]


def test_the_command_line_annotates(daemon):
    def annotate(*words, code=0, key=None):
        done = daemon.cli("annotate", *words, "--url", f"http://127.0.0.1:{daemon.admin_port}", "--key", key or daemon.lead)
        assert done.returncode == code, f"{words}: {done.returncode} {done.stdout} {done.stderr}"
        return done.stdout if code == 0 else done.stderr

    said = annotate("New template, 5 % off", "--brand", "acme", "--at", "2026-11-22T12:34:56Z")
    made = ask(daemon, "GET", "/v1/annotations?brand=acme")["annotations"][0]
    assert said == f"2026-11-22T12:00:00Z of acme: New template, 5 % off ({made['id']})\n"
    annotate("Prices rose", "--brand", "acme")  # today
    listed = annotate("--list", "--brand", "acme", key=daemon.reader)
    assert re.search(rf"^2026-11-22T12:00:00Z +{made['id']}  New template, 5 % off  \(lead\)$", listed, re.M), listed
    assert len(json.loads(annotate("--list", "--json", "--brand", "acme"))["annotations"]) == 2
    assert annotate("--remove", made["id"], "--brand", "acme") == f"{made['id']}: removed\n"
    assert "no annotation of that id" in annotate("--remove", made["id"], "--brand", "acme", code=1)
    assert "text must be" in annotate("x" * 201, "--brand", "acme", code=1).lower()
    assert "links:write" in annotate("x", "--brand", "acme", code=1, key=daemon.reader)
    for words in ((), ("a", "b"), ("--list", "--remove", made["id"]), ("--list", "a"), ("--remove", "../session"), ("a", "--json"),
                  ("a", "--brand", "acme/../x")):
        annotate(*words, code=2)
    assert len(ask(daemon, "GET", "/v1/annotations?brand=acme")["annotations"]) == 1
