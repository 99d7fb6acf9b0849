"""Pages with a button, and the presses that come back."""
import json
import re

import pytest

from harness.wait import wait_until

TARGET = "https://billing.acme.example/viewinvoice.php?id={}"
PEOPLE = (("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                         "Chrome/129.0.0.0 Safari/537.36"), ("Accept-Language", "de-DE,de;q=0.9"))
FORM = ("Content-Type", "application/x-www-form-urlencoded")
CONFIRMED = {"brands": [{
    "name": "acme", "hosts": ["go.acme.example"], "preset": "whmcs",
    "billing_url": "https://billing.acme.example", "targets": [{"kind": "view", "confirm": True}]}]}


@pytest.fixture
def daemon(make_hopcountd, redis):
    return make_hopcountd(redis, CONFIRMED)


def open_page(pod, token):
    """The page with the button, and the hidden field in it."""
    reply = pod.get(f"/{token}", headers=PEOPLE)
    assert reply.status == 200, reply
    return reply, re.search(r'name="view" value="([0-9a-z]{45})"', reply.body.decode())[1]


def press(pod, token, view, headers=(), connection=None):
    body = b"" if view is None else f"view={view}".encode()
    asked = connection.request if connection else pod.get
    return asked(f"/{token}", method="POST", headers=PEOPLE + (FORM, *headers), body=body)


def test_the_page_has_no_effect_and_the_press_leads_on(daemon):
    token = daemon.mint("view", 5, client=7)
    head = daemon.get(f"/{token}", method="HEAD", headers=PEOPLE)
    assert head.status == 200 and head.body == b""
    page, view = open_page(daemon, token)
    text = page.body.decode()
    assert "button     a page with a button comes first" in daemon.cli("inspect", "-c", daemon.config_path, token).stdout
    assert text.count("<form") == 1 and text.count("<button") == 1 and '<form method="post">' in text
    assert "no-store" in page.headers["cache-control"] and page.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert TARGET.format(5) not in text
    assert open_page(daemon, token)[1] != view
    with daemon.connect() as connection:
        for _ in range(2):  # the connection goes on, and the link is not used up
            reply = press(daemon, token, view, connection=connection)
            assert (reply.status, reply.location) == (303, TARGET.format(5))
            assert "no-store" in reply.headers["cache-control"] and reply.headers["content-length"] == "0"
    wait_until(lambda: daemon.clicks(token)["total"] == 3)  # two views and a HEAD; presses add nothing
    assert daemon.metrics()["hopcount_clicks_accepted_total"] == 3


def test_pods_take_the_pages_of_each_other(daemon, make_hopcountd, redis):
    other = make_hopcountd(redis, CONFIRMED, name="pod1", start=False)
    other.write_keys([(1, "mint", daemon.key)])
    other.start()
    token = daemon.mint("view", 5)
    assert press(other, token, open_page(daemon, token)[1]).status == 303


REFUSED_PRESSES = [
    ("without a view", None, ()),
    ("with a wrong one", "0" * 45, ()),
    ("from a frame", True, (("Sec-Fetch-Dest", "iframe"),)),
    ("from another site", True, (("Sec-Fetch-Site", "cross-site"),)),
    ("from another origin", True, (("Origin", "https://evil.example"),)),
]


def test_presses_that_come_from_elsewhere(daemon):
    token, other = daemon.mint("view", 5), daemon.mint("view", 6)
    view = open_page(daemon, token)[1]
    with daemon.connect() as connection:
        for name, field, headers in REFUSED_PRESSES:
            reply = press(daemon, token, view if field is True else field, headers, connection)
            assert reply.status == 403, name
            assert "noch einmal".encode() in reply.body and b'href=""' in reply.body
    assert press(daemon, other, view).status == 403
    assert press(daemon, token, view, (("Sec-Fetch-Site", "same-origin"), ("Origin", "null"))).status == 303
    assert sum(n for name, n in daemon.metrics().items() if 'outcome="view"' in name) == len(REFUSED_PRESSES) + 1


START = "POST /{token} HTTP/1.1\r\nHost: go.acme.example\r\n"
URLENCODED = "Content-Type: application/x-www-form-urlencoded\r\n"
REFUSED = [
    ("HTTP/1.0", "POST /{token} HTTP/1.0\r\nHost: go.acme.example\r\n" + URLENCODED + "Content-Length: 50\r\n\r\n", 505),
    ("no length", START + URLENCODED + "\r\n", 411),
    ("2 KiB", START + URLENCODED + "Content-Length: 2048\r\n\r\n" + "x" * 2048, 413),
    ("chunks", START + URLENCODED + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("two lengths", START + URLENCODED + "Content-Length: 50\r\nContent-Length: 50\r\n\r\n", 400),
    ("JSON", START + "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}", 415),
    ("no type", START + "Content-Length: 50\r\n\r\n", 415),
    ("waits to be told", START + URLENCODED + "Content-Length: 50\r\nExpect: 100-continue\r\n\r\n", 417),
    ("a link without a button", START.replace("{token}", "{plain}") + URLENCODED + "Content-Length: 0\r\n\r\n", 405),
    ("no link", START.replace("{token}", "nothing") + URLENCODED + "Content-Length: 0\r\n\r\n", 405),
    ("the home", START.replace("/{token}", "/") + URLENCODED + "Content-Length: 0\r\n\r\n", 405),
    ("an expired link", START.replace("{token}", "{expired}") + URLENCODED + "Content-Length: 0\r\n\r\n", 410),
]


def test_posts_that_are_no_presses(daemon):
    names = {"token": daemon.mint("view", 5), "plain": daemon.mint("pay", 5),
             "expired": daemon.mint("view", 5, ttl=1, issued_s=1750000000)}
    for name, text, status in REFUSED:
        with daemon.connect() as connection:
            connection.send(text.format(**names))
            reply = connection.receive()
            assert (name, reply.status, reply.headers["connection"]) == (name, status, "close")
            assert connection.is_closed()
    assert daemon.metrics()["hopcount_clicks_accepted_total"] == 0
    assert daemon.get("/robots.txt").status == 200


def test_a_body_that_comes_in_pieces_or_never(make_hopcountd, redis):
    daemon = make_hopcountd(redis, CONFIRMED | {"public": {"head_s": 1}})
    token = daemon.mint("view", 5)
    view = open_page(daemon, token)[1]
    head = START.format(token=token) + URLENCODED + f"Content-Length: {5 + len(view)}\r\n\r\n"
    with daemon.connect() as connection:
        for byte in head + "view=" + view:
            connection.send(byte)
        connection.send("GET /robots.txt HTTP/1.1\r\nHost: go.acme.example\r\n\r\n")
        assert [connection.receive().status for _ in range(2)] == [303, 200]
        connection.send(head + "view=")
        assert connection.receive().status == 408


def test_an_invoice_that_is_paid_has_no_button(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"brands": [{
        "name": "acme", "hosts": ["go.acme.example"], "preset": "whmcs", "billing_url": "https://billing.acme.example",
        "targets": [{"kind": "pay", "confirm": True, "when": {"paid": "page"}}]}]})
    token = daemon.mint("pay", 5)
    view = open_page(daemon, token)[1]
    daemon.api("POST", "/v1/events", {"id": "e1", "type": "invoice.paid", "object": 5, "at": "2026-01-01T00:00:00Z"}, 202)
    wait_until(lambda: "nichts zu bezahlen" in daemon.get(f"/{token}", headers=PEOPLE).body.decode())
    assert "nichts zu bezahlen" in press(daemon, token, view).body.decode()
    why = daemon.api("GET", f"/v1/links/{daemon.mint('pay', 6)}")["why"]
    assert why.endswith("A page with a button comes first.")


# --- opting out ---

OPT_OUT = {"brands": [{
    "name": "acme", "hosts": ["go.acme.example"], "preset": "whmcs", "billing_url": "https://billing.acme.example",
    "targets": [{"kind": 5, "name": "opt-out", "page": "opt_out"}]}]}
ONE_CLICK = b"List-Unsubscribe=One-Click"
PARTS = b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'


def is_out(pod, client):
    return pod.api("GET", f"/v1/links/{pod.mint('view', 1, client=client)}")["opted_out"]


def test_a_client_opts_out_by_a_page(make_hopcountd, redis):
    daemon = make_hopcountd(redis, OPT_OUT)
    token = daemon.mint(5, 0, client=7, campaign=3, ttl=0)
    page, view = open_page(daemon, token)
    assert "widersprechen" in page.body.decode()
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert "opts client 7 out" in daemon.api("GET", f"/v1/links/{token}")["why"]
    told = daemon.cli("inspect", "-c", daemon.config_path, token).stdout
    assert "leads to   a page of the service" in told and "button     opts the client out" in told
    assert not is_out(daemon, 7)
    assert press(daemon, token, None).status == 403
    assert press(daemon, token, view, (("Sec-Fetch-Site", "cross-site"),)).status == 403
    done = press(daemon, token, view)
    assert done.status == 200 and "Widerspruch ist gespeichert" in done.body.decode() and b"<form" not in done.body
    wait_until(lambda: is_out(daemon, 7))
    assert not is_out(daemon, 8)
    seen = daemon.mint("view", 1, client=7)
    daemon.click(seen, headers=PEOPLE)
    daemon.click(daemon.mint("view", 1, client=8), headers=PEOPLE)
    wait_until(lambda: daemon.metrics()["hopcount_clicks_pending"] == 0)
    assert daemon.clicks(seen)["total"] == 0


def test_a_mail_program_opts_a_client_out(make_hopcountd, redis):
    """RFC 8058: a POST by no browser and from no page, in either form, that gets no redirect."""
    daemon = make_hopcountd(redis, OPT_OUT | {"ledger": {"durability": "click"}})
    for client, (kind, body) in enumerate(((FORM[1], ONE_CLICK), ("multipart/form-data; boundary=x", PARTS)), 7):
        token = daemon.mint(5, 0, client=client, ttl=0)
        wrong = daemon.get(f"/{token}", method="POST", headers=(("Content-Type", kind),), body=b"List-Unsubscribe=1")
        assert wrong.status == 403
        reply = daemon.get(f"/{token}", method="POST", headers=(("Content-Type", kind),), body=body)
        assert (reply.status, reply.location) == (200, None)
        wait_until(lambda client=client: is_out(daemon, client))
    confirmed = daemon.mint("view", 1, client=9)
    assert daemon.get(f"/{confirmed}", method="POST", headers=(FORM,), body=ONE_CLICK).status == 405


def test_a_link_to_opt_out_names_a_client(make_hopcountd, redis):
    daemon = make_hopcountd(redis, OPT_OUT)
    reply = daemon.admin("POST", "/v1/links", {"kind": "opt-out", "ttl": "never"}, key=True)
    assert reply.status == 400 and '"parameter":"client"' in reply.text.replace(" ", "")
    assert daemon.api("POST", "/v1/links", {"kind": "opt-out", "client": 7}, 201)
    assert daemon.get(f"/{daemon.mint(5, 0)}").status == 404


WRONG_PAGES = [
    ({"kind": "pay", "page": "opt_out"}, "take one from 4 to 15"),
    ({"kind": 5, "name": "out", "page": "opt_out", "url": "https://x.example/"}, "stands in place of url"),
    ({"kind": 5, "name": "out", "page": "opt_out", "confirm": True}, "stands in place of url"),
    ({"kind": 5, "page": "opt_out"}, "needs a name"),
    ({"kind": 5, "name": "out", "page": "optout"}, "opt_out"),
]


@pytest.mark.parametrize("target, want", WRONG_PAGES)
def test_a_wrong_page_stops_the_start(make_hopcountd, redis, target, want):
    brand = OPT_OUT["brands"][0] | {"targets": [target]}
    done = make_hopcountd(redis, {"brands": [brand]}, start=False).check()
    assert done.returncode != 0 and want in done.stderr, done.stderr


# --- a fresh link in place of an expired one ---

RENEW = {"brands": [{
    "name": "acme", "hosts": ["go.acme.example"], "preset": "whmcs", "billing_url": "https://billing.acme.example",
    "expired": {"renew": True}}]}
LONG_AGO = 1750000000


def expired_page(pod, token):
    reply = pod.get(f"/{token}", headers=PEOPLE)
    assert reply.status == 410
    return reply.body.decode(), re.search(r'name="view" value="([0-9a-z]{45})"', reply.body.decode())


def told(pod, query=""):
    return pod.api("GET", f"/v1/events{query}")


def test_a_client_asks_for_a_fresh_link(make_hopcountd, redis):
    daemon = make_hopcountd(redis, RENEW)
    tokens = [daemon.mint("pay", n, client=77, campaign=12, ttl=1, issued_s=LONG_AGO) for n in (1, 2)]
    page, view = expired_page(daemon, tokens[0])
    assert "abgelaufen" in page and "Neuen Link schicken" in page and "clientarea.php" in page
    assert "<input" in page and 'type="text"' not in page and 'type="email"' not in page
    assert told(daemon) == {"events": [], "next": "0-0"}
    answers = {press(daemon, tokens[0], view[1]).body for _ in range(3)}
    answers.add(press(daemon, tokens[1], expired_page(daemon, tokens[1])[1][1]).body)
    (answer,) = answers  # the first of a link, another of it, one of another link: all the same
    assert "unterwegs" in answer.decode() and b"<form" not in answer
    wait_until(lambda: len(told(daemon)["events"]) == 2)
    first, second = told(daemon)["events"]
    link = daemon.api("GET", f"/v1/links/{tokens[0]}")
    assert {k: first[k] for k in ("type", "brand", "link", "object", "client", "campaign", "kind", "text_version")} == {
        "type": "link.renewal_requested", "brand": "acme", "link": link["id"], "object": 1, "client": 77,
        "campaign": 12, "kind": "pay", "text_version": None}
    assert told(daemon, f"?after={first['id']}")["events"] == [second]
    assert told(daemon, "?limit=1") == {"events": [first], "next": first["id"]}
    assert told(daemon, "?type=client.opted_out")["events"] == []
    assert told(daemon, f"?after={told(daemon)['next']}")["events"] == []
    for query in ("?type=invoice.paid", "?type=x", "?after=now", "?limit=0", "?limit=1001", "?brand=acme"):
        assert daemon.admin("GET", f"/v1/events{query}", key=True).status == 400
    assert daemon.admin("GET", "/v1/events", key=daemon.add_api_key("stats:read", "reader")).status in (401, 403)
    assert daemon.metrics()["hopcount_clicks_accepted_total"] == 0


def test_a_key_sees_the_wishes_of_its_brands(make_hopcountd, redis):
    brands = [RENEW["brands"][0] | {"name": name, "hosts": [f"go.{name}.example"], "expired": {"renew": True}}
              for name in ("acme", "bolt")]
    daemon = make_hopcountd(redis, {"brands": brands}, start=False)
    daemon.api_key = daemon.add_api_key()
    bolt = daemon.add_api_key(name="bolt", brands="bolt")
    daemon.start()
    for name in ("acme", "bolt"):
        token, host = daemon.mint("pay", 1, brand=name, client=1, ttl=1, issued_s=LONG_AGO), f"go.{name}.example"
        page = daemon.get(f"/{token}", host=host).body.decode()
        body = "view=" + re.search(r'name="view" value="([0-9a-z]{45})"', page)[1]
        assert daemon.get(f"/{token}", host=host, method="POST", headers=(FORM,), body=body.encode()).status == 200
    wait_until(lambda: len(told(daemon)["events"]) == 2)
    seen = json.loads(daemon.admin("GET", "/v1/events?limit=1", key=bolt).text)
    assert [event["brand"] for event in seen["events"]] in (["bolt"], [])
    seen = json.loads(daemon.admin("GET", "/v1/events", key=bolt).text)
    assert [event["brand"] for event in seen["events"]] == ["bolt"]


def test_wishes_that_do_not_count(make_hopcountd, redis):
    daemon = make_hopcountd(redis, RENEW)
    token, other = (daemon.mint("pay", n, client=n, ttl=1, issued_s=LONG_AGO) for n in (1, 2))
    view = expired_page(daemon, token)[1][1]
    assert press(daemon, token, None).status == 403
    assert press(daemon, other, view).status == 403
    assert press(daemon, token, view, (("Sec-Fetch-Dest", "iframe"),)).status == 403
    daemon.api("POST", "/v1/revocations", {"scope": "client", "brand": "acme", "id": 1}, 202)
    wait_until(lambda: daemon.api("GET", f"/v1/links/{token}")["revoked"])
    revoked = press(daemon, token, view)
    assert revoked.body == press(daemon, other, expired_page(daemon, other)[1][1]).body
    wait_until(lambda: told(daemon)["events"])
    assert [event["client"] for event in told(daemon)["events"]] == [2]
    valid = daemon.mint("pay", 3, client=3)
    assert press(daemon, valid, view).status == 405


def test_a_brand_that_does_not_renew_offers_nothing(make_hopcountd, redis):
    daemon = make_hopcountd(redis)
    token = daemon.mint("pay", 1, ttl=1, issued_s=LONG_AGO)
    page, view = expired_page(daemon, token)
    assert view is None and "<form" not in page
    assert press(daemon, token, "0" * 45).status == 410


def test_opting_out_is_told_too(make_hopcountd, redis):
    daemon = make_hopcountd(redis, OPT_OUT)
    token = daemon.mint(5, 0, client=7, campaign=3, ttl=0)
    assert press(daemon, token, open_page(daemon, token)[1]).status == 200
    assert daemon.get(f"/{token}", method="POST", headers=(FORM,), body=ONE_CLICK).status == 200
    wait_until(lambda: len(told(daemon)["events"]) == 2)
    events = told(daemon, "?type=client.opted_out")["events"]
    assert [(event["client"], event["campaign"], event["link"]) for event in events] == [(7, 3, None)] * 2
    assert events[0]["text_version"] > 0 and events[1]["text_version"] is None


def test_what_is_told_by_all_shards_comes_in_order(make_hopcountd, redis):
    daemon = make_hopcountd(redis, RENEW | {"redis": {"shards": 16}, "public": {"workers": 1}})
    tokens = [daemon.mint("pay", n, client=n, ttl=1, issued_s=LONG_AGO) for n in range(1, 11)]
    for token in tokens:
        assert press(daemon, token, expired_page(daemon, token)[1][1]).status == 200
    wait_until(lambda: len(told(daemon)["events"]) == 10)
    seen, after = [], "0-0"
    while page := told(daemon, f"?limit=3&after={after}"):
        if not page["events"]:
            break
        seen += page["events"]
        after = page["next"]
    assert sorted(event["client"] for event in seen) == list(range(1, 11))
    assert [event["id"] for event in seen] == [event["id"] for event in told(daemon)["events"]]


# --- pages of ours, by campaign ---

def test_pages_that_links_led_to_are_counted_by_campaign(make_hopcountd, redis):
    """They are no clicks: what counts clicks and events does not count them."""
    daemon = make_hopcountd(redis, {"brands": [RENEW["brands"][0] | {"targets": [
        {"kind": "login", "confirm": True}, {"kind": "pay", "when": {"paid": "page"}}]}]})
    old = {"ttl": 1, "issued_s": LONG_AGO}
    expired = [daemon.mint("pay", n, campaign=12, **old) for n in (1, 2)]
    for token in (*expired, daemon.mint("view", 3, campaign=13, **old), daemon.mint("pay", 4, campaign=12, silent=True, **old)):
        daemon.get(f"/{token}", headers=PEOPLE)
    daemon.get(f"/{expired[0]}", headers=(("User-Agent", "curl/8.0"),))
    press(daemon, expired[0], expired_page(daemon, expired[0])[1][1])
    login = daemon.mint("login", 0, client=77, campaign=12)
    press(daemon, login, re.search(r'name="view" value="([0-9a-z]{45})"',
                                   daemon.get(f"/{login}", headers=PEOPLE).body.decode())[1])
    pay, view = daemon.mint("pay", 5, campaign=12), daemon.mint("view", 6, campaign=12)
    daemon.api("POST", "/v1/events", {"id": "p", "type": "invoice.paid", "object": 5}, 202)
    daemon.api("POST", "/v1/revocations", {"scope": "object", "brand": "acme", "id": 6}, 202)
    wait_until(lambda: daemon.api("GET", f"/v1/links/{view}")["revoked"] and
               daemon.api("GET", f"/v1/links/{pay}")["state"] == "paid")
    assert [daemon.get(f"/{token}", headers=PEOPLE).status for token in (pay, view)] == [200, 404]

    def pages(query):
        rows = daemon.api("GET", f"/v1/stats?brand=acme&from=24h&group_by={query}")["rows"]
        return {row["key"]: (row["human"], row["automated"]) for row in rows}
    want = {"expired": (3, 1), "renewed": (1, 0), "button": (1, 0), "pressed": (1, 0), "settled": (1, 0), "revoked": (1, 0)}
    wait_until(lambda: pages("page&campaign=12") == want)
    assert pages("page") == want | {"expired": (4, 1)}
    assert pages("page&page=used,expired") == {"expired": (4, 1)}
    assert pages("campaign,page&campaign=13") == {"13,expired": (1, 0)}
    assert pages("campaign") == {"12": (2, 0)}  # the page with the button, and that of the paid invoice
    metrics = daemon.metrics()
    assert metrics["hopcount_clicks_accepted_total"] == 2
    assert metrics["hopcount_events_accepted_total"] == 3  # a payment, a revocation, a wish for a fresh link
