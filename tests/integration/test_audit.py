"""The audit log: who did what at the admin address, when and from where; kept, asked, erased."""
import csv
import io
import json

import pytest

from harness.daemon import BRAND
from harness.wait import wait_until
from test_admin_sessions import JSON, WRONG, ask, cookie_of, sign_in

BRANDS = [BRAND, {**BRAND, "name": "globex", "hosts": ["go.globex.example"],
                  "base_url": "https://go.globex.example"}]


@pytest.fixture
def daemon(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"brands": BRANDS, "public": {
        "trusted_proxies": ["127.0.0.9"], "client_address": "forwarded"}}, start=False)
    daemon.api_key = daemon.add_api_key()
    daemon.chief = daemon.add_api_key("stats:read,admin", name="chief")
    daemon.branch = daemon.add_api_key("admin", name="branch", brands="globex")
    return daemon.start()


def page(daemon, key=None, **params):
    query = "&".join(f"{name}={value}" for name, value in params.items())
    reply = ask(daemon, target=f"/v1/audit?{query}", Authorization=f"Bearer {key or daemon.chief}")
    assert reply.status == 200, reply.body
    return reply.json


def entries(daemon, **params):
    return page(daemon, **params)["entries"]


def shown(daemon, **params):
    """(action, who, brand, what, client) of each, the oldest first."""
    return [tuple(e[name] for name in ("action", "who", "brand", "what", "client"))
            for e in reversed(entries(daemon, **params))]


def test_who_did_what_and_from_where(daemon, redis):
    """Each action has an entry; those of brands are seen by keys of these brands; pages and CSV hold all."""
    key = {"Authorization": f"Bearer {daemon.api_key}"}
    cookie = cookie_of(sign_in(daemon, daemon.chief))
    csrf = ask(daemon, Cookie=cookie).json["csrf_token"]
    assert ask(daemon, "DELETE", Cookie=cookie, X_CSRF_Token=csrf).status == 204
    for _ in range(3):
        assert sign_in(daemon, WRONG, source="127.0.0.9", X_Forwarded_For="192.0.2.7").status == 401
    assert ask(daemon, "PUT", "/v1/campaigns/12", {"name": "=Reminder, \"B\"", "brand": "globex"}, **key, **JSON).status == 200
    daemon.api("POST", "/v1/revocations", {"scope": "client", "brand": "globex", "id": "77"}, status=202)
    daemon.api("POST", "/v1/revocations", {"scope": "object", "brand": "acme", "id": "4711"}, status=202)
    daemon.api("DELETE", "/v1/revocations/object/acme/4711", status=202)
    sent = [{"id": f"e{n}", "type": "mail.sent", "brand": "acme", "campaign": 12, "object": n + 1,
             "client": 7} for n in range(5)]
    daemon.api("POST", "/v1/events:batch", sent, status=202)
    assert ask(daemon, target="/v1/stats.csv?brand=acme&group_by=kind", **key).status == 200
    daemon.api("GET", "/v1/stats?brand=acme&group_by=kind")  # reading alone is not an export
    for path in ("clients/7/timeline?brand=acme", "clients/7/timeline?brand=acme&for=file", "objects/1/timeline?brand=acme&for=file"):
        saved = ask(daemon, target=f"/v1/{path}", **key)
        assert saved.status == 200
    assert ask(daemon, target="/v1/clients/7/timeline?brand=acme&for=me", **key).json["parameter"] == "for"
    wait_until(lambda: len(entries(daemon)) == 11, 20, lambda: f"eleven entries, not {shown(daemon)}")
    assert shown(daemon) == [
        ("sign_in", "chief", None, None, None),
        ("sign_out", "chief", None, None, None),
        ("sign_in_refused", None, None, "no such API key", None),
        ("name", "test", "globex", 'campaign 12: =Reminder, "B"', None),
        ("revoke", "test", "globex", "client", 77),
        ("revoke", "test", "acme", "object 4711", None),
        ("unrevoke", "test", "acme", "object 4711", None),
        ("events", "test", "acme", None, None),
        ("export", "test", "acme", "stats.csv", None),
        ("export", "test", "acme", "client", 7),
        ("export", "test", "acme", "object 1", None),
    ]
    refused, events = (entries(daemon, action=action)[0] for action in ("sign_in_refused", "events"))
    assert refused["address"] == "192.0.2.7" and refused["n"] == 1 and events["n"] == 5
    assert [e["action"] for e in entries(daemon, key=daemon.branch)] == ["revoke", "name"]
    assert [e["who"] for e in entries(daemon, who="chief")] == ["chief"] * 2
    # In pages, which hold each entry once.
    paged, more = [], {}
    while more is not None:
        part = page(daemon, limit=2, **more)
        paged += part["entries"]
        more = part["next_page"] and {"page": part["next_page"]}
    assert paged == entries(daemon)
    reply = ask(daemon, target="/v1/audit.csv?action=name", Authorization=f"Bearer {daemon.chief}")
    rows = list(csv.DictReader(io.StringIO(reply.body.decode())))
    assert [(row["who"], row["what"]) for row in rows] == [("test", 'campaign 12: =Reminder, "B"')]
    listed = daemon.cli("audit", "--url", f"http://127.0.0.1:{daemon.admin_port}", "--key", daemon.chief,
                        "--action", "revoke", "--json")
    assert [json.loads(line)["client"] for line in listed.stdout.splitlines()] == [None, 77], listed.stderr
    # Repetitions that were counted are written before the process ends well, or are log lines.
    daemon.shut_down()
    kept = b"".join(redis.client().zrange("hc:{s00}:audit", 0, -1)).decode()
    assert ('"what":"no such API key","n":2' in kept
            or 'action=sign_in_refused who="" brand=- what="no such API key" n=2' in daemon.stderr())


def test_what_makes_no_sense_is_refused(daemon):
    for query, parameter in [("action=x", "action"), ("limit=0", "limit"), ("limit=1001", "limit"), ("page=7", "page"),
                             ("page=1-2-3", "page"), ("sort=at", "sort")]:
        reply = ask(daemon, target=f"/v1/audit?{query}", Authorization=f"Bearer {daemon.chief}")
        assert (reply.status, reply.json["parameter"]) == (400, parameter)
    for path in ("audit", "audit.csv"):
        reply = ask(daemon, target=f"/v1/{path}?x=1&action=x&limit=0&page=7&y=2",
                    Authorization=f"Bearer {daemon.chief}").json
        assert [error["field"] for error in reply["errors"]] == ["x", "y", "action", "limit", "page"], path
    reply = ask(daemon, target="/v1/audit", Authorization=f"Bearer {daemon.api_key}")
    assert reply.status == 403 and "admin" in reply.json["detail"]


def test_an_erased_client_leaves_the_log(daemon):
    daemon.api("POST", "/v1/revocations", {"scope": "client", "brand": "acme", "id": "77"}, status=202)
    daemon.api("POST", "/v1/revocations", {"scope": "client", "brand": "acme", "id": "78"}, status=202)
    daemon.api("POST", "/v1/revocations", {"scope": "client", "brand": "globex", "id": "77"}, status=202)
    wait_until(lambda: len(entries(daemon)) == 3, 20)
    before = entries(daemon)
    done = daemon.cli("erase", "-c", daemon.config_path, "--client", 77, "--brand", "acme")
    assert (done.returncode, done.stdout) == (0, "client 77: 0 clicks, 1 entry of the audit log erased\n"), done.stderr
    after = entries(daemon)
    assert [(e["action"], e["brand"], e["what"], e["client"]) for e in after] == [
        ("erase", "acme", "client (erased)", None), ("revoke", "globex", "client", 77),
        ("revoke", "acme", "client", 78), ("revoke", "acme", "client (erased)", None)]
    assert [(e["id"], e["at"]) for e in after[1:]] == [(e["id"], e["at"]) for e in before]
    assert "@" in after[0]["who"]


def test_what_is_done_while_redis_is_down_is_noted_when_it_is_back(daemon, redis):
    sign_in(daemon, daemon.chief)
    wait_until(lambda: len(entries(daemon)) == 1, 20)
    redis.stop()  # it is frozen
    assert sign_in(daemon, daemon.chief).status == 200
    redis.cont()
    wait_until(lambda: ask(daemon, target="/v1/audit?", Authorization=f"Bearer {daemon.chief}").status == 200
               and len(entries(daemon)) == 1 + 1, 30, "the second entry")
    assert daemon.metrics()["hopcount_admin_audit_lost_total"] == 0
