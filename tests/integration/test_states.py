"""What a mailed link does after its invoice was paid, cancelled, replaced; after it was revoked."""
import time

import pytest

from harness.wait import wait_until

PAY = "https://billing.acme.example/index.php?rp=/invoice/{}/pay"
VIEW = "https://billing.acme.example/viewinvoice.php?id={}"
PEOPLE = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                        "Chrome/129.0.0.0 Safari/537.36", "Accept-Language": "de-DE,de;q=0.9"}


@pytest.fixture
def pods(make_hopcountd, redis):
    """Two pods of one key."""
    first = make_hopcountd(redis, name="pod0")
    second = make_hopcountd(redis, name="pod1", start=False)
    second.key = first.key
    second.write_keys([(1, "mint", first.key)])
    second.start()
    wait_until(lambda: all(pod.metrics()["hopcount_state_known"] == 1 for pod in (first, second)))
    return [first, second]


def tell(pod, kind, number=[0], **fields):
    number[0] += 1
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1000 + 2 * number[0]))
    answer = pod.api("POST", "/v1/events", {"id": f"e{number[0]}", "type": kind, "at": at} | fields, 202)
    assert answer["outcome"] == "accepted"


def ask(pod, token):
    return pod.get(f"/{token}", headers=tuple(PEOPLE.items()))


def leads(pod, token):
    reply = ask(pod, token)
    return reply.status, reply.location


def everywhere(pods, token, want):
    for pod in pods:
        wait_until(lambda: leads(pod, token) == want)


def test_the_life_of_an_invoice(pods):
    """Mailed, paid, refunded, credited, replaced by a new one which is paid; both pods agree."""
    pay, view = (pods[0].mint(kind, 1234, client=77, campaign=12) for kind in ("pay", "view"))
    everywhere(pods, pay, (302, PAY.format(1234)))
    for kind, lead in (("invoice.partly_paid", (302, PAY.format(1234))), ("invoice.paid", (302, VIEW.format(1234))),
                       ("invoice.refunded", (302, VIEW.format(1234))), ("invoice.unpaid", (302, PAY.format(1234))),
                       ("invoice.credited", (302, VIEW.format(1234)))):
        tell(pods[1], kind, object=1234)
        everywhere(pods, pay, lead)
        assert leads(pods[0], view) == (302, VIEW.format(1234))
    tell(pods[0], "invoice.replaced", object=1234, by=1301)
    everywhere(pods, pay, (302, PAY.format(1301)))
    everywhere(pods, view, (302, VIEW.format(1301)))
    tell(pods[0], "invoice.paid", object=1301)
    everywhere(pods, pay, (302, VIEW.format(1301)))
    other = pods[0].mint("pay", 1235)
    assert leads(pods[1], other) == (302, PAY.format(1235))


def test_of_one_moment_the_more_final_state_holds(pods):
    token = pods[0].mint("pay", 77)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ")
    for n, kind in enumerate(("invoice.paid", "invoice.partly_paid", "invoice.unpaid")):
        pods[0].api("POST", "/v1/events", {"id": f"same-{n}", "type": kind, "object": 77, "at": at}, 202)
    wait_until(lambda: pods[0].metrics()["hopcount_clicks_pending"] == 0)
    everywhere(pods, token, (302, VIEW.format(77)))


def test_a_cancelled_invoice_is_explained(pods):
    token = pods[0].mint("pay", 9)
    tell(pods[0], "invoice.cancelled", object=9)
    everywhere(pods, token, (200, None))
    page = ask(pods[0], token)
    assert "nichts zu bezahlen".encode() in page.body and b"https://billing.acme.example/clientarea.php" in page.body
    wait_until(lambda: pods[0].clicks(token)["human"] >= 2)


@pytest.mark.parametrize("scope", ["link", "object", "client", "campaign"])
def test_revoked_and_not_any_more(pods, scope):
    token = pods[0].mint("view", 5, client=7, campaign=3)
    others = [pods[0].mint("view", 6, client=8, campaign=4), pods[0].mint("login", 5, client=8, campaign=4)]
    link = pods[0].api("GET", f"/v1/links/{token}")["id"]
    number = {"link": link, "object": 5, "client": 7, "campaign": 3}[scope]
    answer = pods[0].api("POST", "/v1/revocations", {"scope": scope, "brand": "acme", "id": number}, 202)
    assert answer["scope"] == scope
    everywhere(pods, token, (404, None))
    unknown = ask(pods[0], "0" * 45)
    assert ask(pods[0], token).body == unknown.body
    assert leads(pods[1], others[0])[0] == 302
    for pod in pods:
        (row,) = pod.api("GET", "/v1/revocations")["revocations"]
        assert (row["scope"], row["id"], row["by"]) == (scope, str(number), "test")
    later = pods[0].api("POST", "/v1/links", {"kind": "view", "object": 5, "client": 7, "campaign": 3, "ttl": "never",
                                              "issued": "2031-01-01T00:00:00Z"}, 201)["token"]
    if scope != "link":
        assert leads(pods[0], later)[0] == 302  # issued after it
    pods[1].api("DELETE", f"/v1/revocations/{scope}/acme/{number}", status=202)
    everywhere(pods, token, (302, VIEW.format(5)))
    assert pods[0].api("GET", "/v1/revocations")["revocations"] == []


def test_a_revoked_link_may_say_so(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"brands": [{
        "name": "acme", "hosts": ["go.acme.example"], "preset": "whmcs", "revoked": "page",
        "billing_url": "https://billing.acme.example"}]})
    token = daemon.mint("view", 5)
    daemon.api("POST", "/v1/revocations", {"scope": "link", "brand": "acme", "id": token}, 202)
    wait_until(lambda: leads(daemon, token) == (410, None))
    assert "zurückgezogen".encode() in ask(daemon, token).body


BAD_REVOCATIONS = [
    ({"scope": "world", "brand": "acme", "id": 1}, "must be link, object, client or campaign"),
    ({"scope": "object", "brand": "initech", "id": 1}, "must be a brand"),
    ({"scope": "object", "brand": "acme", "id": 0}, "whole number from 1"),
    ({"scope": "campaign", "brand": "acme", "id": 65536}, "whole number from 1"),
    ({"scope": "link", "brand": "acme", "id": "123"}, "16 digits"),
    ({"scope": "link", "brand": "acme", "id": "0" * 45}, "16 digits"),
    ({"scope": "object", "brand": "acme", "id": 1, "issued_before": "soon"}, "must be a time"),
    ({"scope": "object", "brand": "acme", "id": 1, "why": "leaked"}, "no such field"),
]


def test_bad_revocations_change_nothing(hopcountd):
    for body, want in BAD_REVOCATIONS:
        reply = hopcountd.admin("POST", "/v1/revocations", body, key=True)
        assert reply.status == 400 and want in reply.text, f"{body}: {reply.text}"
    assert hopcountd.admin("DELETE", "/v1/revocations/object/acme", key=True).status == 404
    assert hopcountd.admin("DELETE", "/v1/revocations/object/acme/x", key=True).status == 400
    assert hopcountd.metrics()["hopcount_events_accepted_total"] == 0


def test_an_opted_out_client_is_counted_in_sums_only(pods):
    token = pods[0].mint("view", 5, client=7, campaign=3)
    ask(pods[0], token)
    wait_until(lambda: pods[0].clicks(token)["human"] == 1)
    tell(pods[0], "client.opted_out", client=7, n=2)
    time_of_it = time.monotonic()
    wait_until(lambda: all(pod.metrics()["hopcount_state_entries"] == 1 for pod in pods))
    assert time.monotonic() >= time_of_it
    for pod in pods:
        assert leads(pod, token) == (302, VIEW.format(5))
    query = "/v1/stats?brand=acme&campaign=3&group_by=label"
    wait_until(lambda: pods[0].api("GET", query)["total"]["human"] == 3)
    assert pods[0].clicks(token)["human"] == 1
    assert pods[0].api("GET", "/v1/clients/7")["clicks"]["human"] == 1
    assert pods[0].api("GET", "/v1/objects/5")["clicks"]["human"] == 1
    tell(pods[0], "client.opted_in", client=7)
    wait_until(lambda: leads(pods[0], token)[0] == 302 and pods[0].clicks(token)["human"] > 1)


def test_a_brand_may_count_sums_only(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"brands": [{
        "name": "acme", "hosts": ["go.acme.example"], "preset": "whmcs", "tracking": "aggregate",
        "billing_url": "https://billing.acme.example"}]})
    token = daemon.mint("view", 5, client=7, campaign=3)
    assert ask(daemon, token).status == 302
    wait_until(lambda: daemon.api("GET", "/v1/stats?campaign=3&group_by=label")["total"]["human"] == 1)
    assert daemon.clicks(token)["total"] == 0
    assert not [key for key in redis.client().scan_iter("hc:*") if key.split(b":")[2] in (b"l", b"o", b"c", b"u", b"v")]


WHEN = {"kind": "pay", "when": {"paid": "https://billing.acme.example/thanks?id={object}", "unpaid": "login",
                               "replaced": "page"}}


def test_the_brand_says_where_it_leads(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"brands": [{
        "name": "acme", "hosts": ["go.acme.example"], "preset": "whmcs",
        "billing_url": "https://billing.acme.example",
        "targets": [WHEN, {"kind": 4, "name": "renew", "object": "other",
                           "url": "https://billing.acme.example/cart.php?gid={object}"}]}]})
    pay, renew = daemon.mint("pay", 5), daemon.mint(4, 5)
    tell(daemon, "invoice.unpaid", object=5)
    wait_until(lambda: leads(daemon, pay) == (302, "https://billing.acme.example/clientarea.php"))
    tell(daemon, "invoice.paid", object=5)
    wait_until(lambda: leads(daemon, pay) == (302, "https://billing.acme.example/thanks?id=5"))
    tell(daemon, "invoice.replaced", object=5, by=6)
    wait_until(lambda: leads(daemon, pay) == (200, None))
    daemon.api("POST", "/v1/revocations", {"scope": "object", "brand": "acme", "id": 5}, 202)
    wait_until(lambda: leads(daemon, pay)[0] == 404)
    assert leads(daemon, renew) == (302, "https://billing.acme.example/cart.php?gid=5")


REFUSED = [("page", "unpaid", "something to pay"), ("reserve", "paid", "no kind 'reserve'"),
           ("ftp://x/{object}", "paid", "http"), ("A b", "paid", "is no kind, page, same or template")]


@pytest.mark.parametrize("value, state, want", REFUSED)
def test_a_wrong_when_stops_the_start(make_hopcountd, redis, value, state, want):
    daemon = make_hopcountd(redis, {"brands": [{
        "name": "acme", "hosts": ["go.acme.example"], "preset": "whmcs",
        "billing_url": "https://billing.acme.example",
        "targets": [{"kind": "pay", "when": {state: value}}]}]}, start=False)
    done = daemon.check()
    assert done.returncode != 0 and want in done.stderr, done.stderr


def test_a_balance_link_leads_to_all_unpaid_invoices(hopcountd):
    token = hopcountd.mint(15, 0, client=7)
    assert leads(hopcountd, token) == (302, "https://billing.acme.example/clientarea.php?action=masspay&all=true")
