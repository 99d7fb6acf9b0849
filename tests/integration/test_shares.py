"""Links that share a view: what they show, everything they must not, and when they end."""
import datetime
import hashlib
import json

import pytest

from harness import counters, openapi
from harness.counters import UTC, Click
from harness.daemon import BRAND
from harness.wait import wait_until

BRANDS = [BRAND, {**BRAND, "name": "globex", "hosts": ["go.globex.example"],
                  "base_url": "https://go.globex.example"}]
DAY = datetime.datetime(2026, 11, 3, 12, tzinfo=UTC)
VIEW = {"brand": "acme", "name": "For the agency", "page": "overview",
        "filters": {"from": "2026-11-01", "to": "2026-11-30", "campaign": "2,3", "kind": "pay", "compare": "year", "who": "total"}}
PERIOD = "from=2026-11-01&to=2026-11-30"
INSIDE = f"{PERIOD}&campaign=2,3&kind=pay"


@pytest.fixture
def daemon(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"brands": BRANDS}, start=False)
    add_keys(daemon)
    counters.seed(redis.client(), [Click(brand, DAY, 2, campaign, 0, "DE") for brand, campaign, n in
                                   (("acme", 2, 5), ("acme", 3, 7), ("acme", 4, 11), ("globex", 2, 13)) for _ in range(n)])
    return daemon.start()


def add_keys(daemon):
    daemon.lead = daemon.add_api_key("stats:read,links:write", name="lead")
    daemon.branch = daemon.add_api_key("stats:read,links:write", name="branch", brands="globex")
    daemon.reader = daemon.add_api_key("stats:read", name="reader")
    daemon.writer = daemon.add_api_key("links:write", name="writer")
    daemon.chief = daemon.add_api_key("stats:read,admin", name="chief")


def ask(daemon, method, target, body=None, status=200, key=None):
    reply = daemon.admin(method, target, body, key=key or daemon.lead)
    openapi.check_reply(method, target, reply)
    assert reply.status == status, f"{method} {target} {body}: {reply.status} {reply.text}"
    return json.loads(reply.text) if "json" in (reply.getheader("Content-Type") or "") else reply.text


def share(daemon, key=None, **more):
    return ask(daemon, "POST", "/v1/shares", {**VIEW, **more}, 201, key)


def works(daemon, link):
    reply = daemon.admin("GET", "/v1/shared", key=link["token"])
    openapi.check_reply("GET", "/v1/shared", reply)
    assert reply.status in (200, 401), reply.text
    return reply.status == 200


def test_a_link_shows_its_view_and_nothing_else(daemon):
    for campaign in (3, 4, 5):
        ask(daemon, "PUT", f"/v1/campaigns/{campaign}?brand=acme", {"name": f"Letter {campaign}"}, key=daemon.lead)
    link = share(daemon, filters={**VIEW["filters"], "campaign": "2,3,5"})
    shown = ask(daemon, "GET", "/v1/shared", key=link["token"])  # nobody clicked the fifth
    assert shown["campaigns"] == [{"id": 3, "name": "Letter 3"}, {"id": 5, "name": "Letter 5"}]
    link = share(daemon)
    token = link["token"]
    shown = ask(daemon, "GET", "/v1/shared", key=token)
    assert shown.pop("campaigns") == [{"id": 3, "name": "Letter 3"}]
    assert shown == {name: value for name, value in link.items() if name not in ("token", "path", "by", "made_at")}
    assert link["path"] == f"/dashboard/shared#{token}" and shown["filters"] == VIEW["filters"] and link["by"] == "lead"
    life = datetime.datetime.fromisoformat(link["expires_at"]) - datetime.datetime.fromisoformat(link["made_at"])
    assert life == datetime.timedelta(days=30)
    # What the page asks.
    for query, total in ((INSIDE, 12), (f"brand=acme&{INSIDE}&compare=year&group_by=time,label", 12),
                         (INSIDE.replace("2,3", "3"), 7), (INSIDE.replace("11-30", "11-15") + "&country=DE", 12),
                         (INSIDE.replace("2026-11-01", "2026-11-10"), 0)):
        answer = ask(daemon, "GET", f"/v1/stats?{query}", key=token)
        assert (answer["brand"], answer["total"]["total"]) == ("acme", total), query
    assert daemon.admin("HEAD", f"/v1/stats?{INSIDE}", key=token).status == 200
    ask(daemon, "GET", f"/v1/funnel?{INSIDE}&group_by=campaign", key=token)
    for at in ("2026-11-05", "2026-12-05"):
        ask(daemon, "POST", "/v1/annotations", {"brand": "acme", "at": at, "text": "x"}, 201)
    # The notes are the brand's; who works there is nobody's business.
    (noted,) = ask(daemon, "GET", f"/v1/annotations?brand=acme&{PERIOD}")["annotations"]
    assert (noted["at"], noted["by"]) == ("2026-11-05", "lead") and noted["made_at"]
    assert ask(daemon, "GET", f"/v1/annotations?{PERIOD}", key=token)["annotations"] == [
        {name: value for name, value in noted.items() if name not in ("by", "made_at")}]
    ask(daemon, "GET", "/v1/annotations?from=2026-11-01&to=2026-12-31", status=403, key=token)
    ask(daemon, "GET", "/v1/annotations", status=403, key=token)
    # Of another brand, filter, period or time zone.
    for query in (f"brand=globex&{INSIDE}", INSIDE.replace("&campaign=2,3", ""), INSIDE.replace("2,3", "2,3,4"), INSIDE.replace("2,3", "4"),
                  INSIDE.replace("2,3", ""), INSIDE.replace("2,3", "2,,4"), INSIDE.replace("&kind=pay", ""), INSIDE.replace("pay", "view"),
                  INSIDE.replace("pay", "2"), INSIDE.replace("2026-11-01", "2026-10-31"), INSIDE.replace("2026-11-30", "2026-12-01"),
                  INSIDE.replace("from=2026-11-01&", ""), INSIDE.replace("2026-11-01", "1y"),
                  INSIDE.replace("2026-11-01", "2026-11-31"), f"{INSIDE}&tz=Pacific/Kiritimati", f"{INSIDE}&compare=previous",
                  f"{INSIDE}&compare=2020-01-01", f"{INSIDE}&compare=weekday"):
        for path in ("stats", "funnel"):
            assert ask(daemon, "GET", f"/v1/{path}?{query}", status=403, key=token)["parameter"], query
    # Other routes, and other methods.
    for path in ("stats.csv", "funnel.csv", "conversions", "clicked", "unclicked.csv", "unpaid", "top/clients", "top/links", "clients", "clients/7",
                 "clients/7/timeline", "objects", "objects/1/timeline", "campaigns", "brands", "targets", "health", "events", "revocations",
                 "audit", "audit.csv", "views", "shares", "links/0123456789abcdef", "live"):
        refused = daemon.admin("GET", f"/v1/{path}", key=token)
        assert refused.status == 403, f"{path}: {refused.status} {refused.text}"
    for method, path, body in (("POST", "links", {"kind": "pay", "object": 1}), ("POST", "shares", VIEW), ("POST", "views", VIEW), ("POST", "events", {}),
                               ("POST", "annotations", {"at": "2026-11-05", "text": "x"}), ("POST", "revocations", {}),
                               ("PUT", "campaigns/2", {"name": "x"}), ("DELETE", "campaigns/2", None), ("DELETE", f"shares/{link['id']}", None),
                               ("DELETE", f"annotations/{link['id']}", None)):
        refused = daemon.admin(method, f"/v1/{path}", body, key=token)
        assert refused.status == 403, f"{method} {path}: {refused.status} {refused.text}"
    assert daemon.admin("POST", "/v1/stats", {}, key=token).status == 405
    assert daemon.admin("POST", "/v1/session", {"key": token}).status in (401, 403)  # it signs nobody in
    ask(daemon, "GET", "/v1/shared", status=404)  # by an API key


def test_a_page_of_one_sort_asks_for_its_figures_alone(daemon):
    for page, allowed in (("overview", {"stats", "funnel", "annotations"}), ("campaigns", {"stats", "funnel", "annotations"}), ("funnel", {"funnel"})):
        link = share(daemon, page=page, filters={"from": "2026-11-01", "to": "2026-11-30"}, tz="Europe/Berlin")
        for path in ("stats", "funnel", "annotations"):
            ask(daemon, "GET", f"/v1/{path}?{PERIOD}&tz=Europe/Berlin", status=200 if path in allowed else 403, key=link["token"])
            ask(daemon, "GET", f"/v1/{path}?{PERIOD}", status=403, key=link["token"])  # days of UTC begin an hour later
            ask(daemon, "GET", f"/v1/{path}?tz=Europe/Berlin", status=403, key=link["token"])
    # A period that goes along with time.
    link = share(daemon, filters={"from": "30d"})
    for query, status in (("from=30d", 200), ("from=7d", 200), ("from=24h", 200), ("from=31d", 403), ("from=90d", 403), ("", 403),
                          ("from=2020-01-01", 403), ("from=30d&compare=previous", 200), ("from=30d&compare=year", 403)):
        ask(daemon, "GET", f"/v1/stats?{query}", status=status, key=link["token"])


def test_a_link_ends_on_all_pods(make_hopcountd, redis):
    """When it is revoked, expires, or its maker, the maker's scope, or the key that sealed it is gone."""
    one, two = (make_hopcountd(redis, {"brands": BRANDS}, f"pod{i}", start=False) for i in range(2))
    add_keys(one)
    two.api_keys_path.write_text(one.api_keys_path.read_text())
    two.api_keys_path.chmod(0o600)
    for pod in (one, two):
        pod.write_keys([(1, "mint", one.key)])
        pod.start()
    two.lead = one.lead

    def both(link, wanted):
        assert [works(pod, link) for pod in (one, two)] == [wanted, wanted]

    first, second, third = share(one), share(two, name="Second"), share(one, name="Third", days=365)
    for link in (first, second, third):
        both(link, True)
    assert {s["name"] for s in ask(two, "GET", "/v1/shares?brand=acme")["shares"]} == {"For the agency", "Second", "Third"}
    assert "hcs_" not in json.dumps(ask(two, "GET", "/v1/shares?brand=acme"))
    ask(two, "DELETE", f"/v1/shares/{first['id']}?brand=globex", status=404)
    ask(two, "DELETE", f"/v1/shares/{first['id']}?brand=acme", status=204)
    both(first, False)
    # Expired, as Redis says; that the text itself expires too, a unit test shows.
    key = next(iter(redis.client().keys("hc:{s00}:shares:*")))
    kept = json.loads(redis.client().hget(key, second["id"]))
    redis.client().hset(key, second["id"], json.dumps({**kept, "expires_at": "2026-01-01T00:00:00Z"}))
    both(second, False)
    assert [s["name"] for s in ask(one, "GET", "/v1/shares?brand=acme")["shares"]] == ["Third"]
    fourth = share(one, name="Fourth")
    assert not redis.client().hexists(key, second["id"])
    # The text changed; of another's record; none.
    text = fourth["token"]
    for changed in (text[:-1], text + "A", text[:20] + ("A" if text[20] != "A" else "B") + text[21:], "hcs_", "hcs_" + "A" * 126, text.swapcase()):
        assert one.admin("GET", "/v1/shared", key=changed).status == 401
    # The maker loses a scope; another key of the same name is not the maker.
    lines = one.api_keys_path.read_text()
    for changed in (lines.replace("lead stats:read,links:write", "lead links:write"), "".join(
            line + "\n" for line in lines.splitlines() if not line.startswith("lead "))):
        for pod in (one, two):
            pod.api_keys_path.write_text(changed)
            pod.reload()
        wait_until(lambda: not works(one, fourth) and not works(two, fourth), 20, "the link ends with what its maker may")
        for pod in (one, two):
            pod.api_keys_path.write_text(lines)
            pod.reload()
        wait_until(lambda: works(one, fourth) and works(two, fourth), 20, "the maker is back")
    # The key that sealed it is revoked; one that only verifies by now is good.
    for keys, wanted in (([(1, "verify", one.key), (2, "mint", b"Z" * 32)], True), ([(2, "mint", b"Z" * 32)], False)):
        for pod in (one, two):
            pod.write_keys(keys)
            pod.reload()
        wait_until(lambda: works(one, fourth) == works(two, fourth) == wanted and works(one, share(one, name="New")), 20, f"it is {wanted}")
        both(third, wanted)


def test_what_makes_no_sense_is_refused_and_the_audit_log_says_who_shared(daemon, redis):
    for field, value in (("name", ""), ("page", "links"), ("filters", {"client": "7"}), ("tz", "Mars"), ("tz", 7), ("days", 0), ("days", 366),
                         ("days", "30"), ("days", 1.5), ("brand", 7), ("colour", "red")):
        refused = ask(daemon, "POST", "/v1/shares", {**VIEW, field: value}, 400)
        assert refused["parameter"].partition(".")[0] == field, refused
    for key in (daemon.reader, daemon.writer, daemon.branch):
        ask(daemon, "POST", "/v1/shares", VIEW, 403, key)
    ask(daemon, "GET", "/v1/shares?brand=acme", status=403, key=daemon.reader)
    link = share(daemon, days=1)
    assert ask(daemon, "GET", f"/v1/stats?{INSIDE}&format=csv", key=link["token"]).startswith("\ufefftime,")
    ask(daemon, "DELETE", f"/v1/shares/{link['id']}?brand=acme", status=204)

    def audit():
        return [(e["action"], e["who"], e["brand"], e["what"]) for e in
                reversed(ask(daemon, "GET", "/v1/audit", key=daemon.chief)["entries"])]
    wait_until(lambda: len(audit()) == 3, 20, lambda: f"three entries, not {audit()}")
    assert audit() == [("share", "lead", "acme", f"{link['id']}: For the agency, until {link['expires_at']}"),
                       ("export", f"share:{link['id']}", "acme", "stats, campaign 2,3"),
                       ("unshare", "lead", "acme", f"{link['id']}: For the agency")]
    # As many as a brand may have, of which those that are over don't count.
    kept = {**VIEW, "tz": "UTC", "by": "b", "made_at": "2026-11-22T00:00:00Z"}
    key = f"hc:{{s00}}:shares:{counters.brand_number('acme')}"
    redis.client().hset(key, mapping={f"{n:016x}": json.dumps({**kept, "expires_at": "2999-01-01T00:00:00Z"}) for n in range(200)})
    assert "200 shared views" in ask(daemon, "POST", "/v1/shares", VIEW, 403)["detail"]
    redis.client().hset(key, f"{7:016x}", json.dumps({**kept, "expires_at": "2020-01-01T00:00:00Z"}))
    share(daemon)


def test_a_link_asks_as_often_as_a_key_and_not_at_its_cost(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"brands": BRANDS, "public": {"trusted_proxies": ["127.0.0.1/32"]}, "admin": {
        "rate_per_min": 5, "proxy": {"user_header": "X-User"}, "users": [{"user": "*@acme.example", "role": "read"}]}}, start=False)
    add_keys(daemon)
    daemon.start()
    link = share(daemon)
    assert [daemon.admin("GET", "/v1/shared", key=link["token"]).status for _ in range(6)] == [200] * 5 + [429]
    ask(daemon, "GET", "/v1/shares?brand=acme")
    # Nor at the cost of a person whose name has the same hash, of 512.
    person = next(name for name in (f"p{n}@acme.example" for n in range(100000))
                  if rate_place(f"proxy:{name}") == rate_place(f"share:{link['id']}"))
    assert daemon.admin("GET", "/v1/brands", headers={"X-User": person}).status == 200


def rate_place(who):
    """service/admin/auth.c:place_of"""
    return (int.from_bytes(hashlib.blake2b(who.encode(), digest_size=32).digest()[:8], "big") >> 24) % 512


def test_no_page_of_ours_is_indexed_or_told_elsewhere(daemon):
    for path in ("/dashboard/shared", "/dashboard/"):
        reply = daemon.admin("GET", path)
        assert reply.status == 200 and reply.getheader("X-Robots-Tag") == "noindex, nofollow"
        assert reply.getheader("Referrer-Policy") == "no-referrer"
