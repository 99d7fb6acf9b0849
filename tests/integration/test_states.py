"""What a mailed link does after its invoice was paid, cancelled, replaced; after it was revoked."""
import json
import time

import pytest

from harness import openapi
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
    ({"scope": "object", "brand": "acme", "id": 2**32}, "whole number from 1 to 4294967295"),
    ({"scope": "campaign", "brand": "acme", "id": 65536}, "whole number from 1 to 65535"),
    ({"scope": "link", "brand": "acme", "id": "123"}, "16 digits"),
    ({"scope": "link", "brand": "acme", "id": "0" * 45}, "16 digits"),
    ({"scope": "object", "brand": "acme", "id": 1, "issued_before": "soon"}, "must be a time"),
    ({"scope": "object", "brand": "acme", "id": 1, "why": "leaked"}, "is no field"),
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


# --- what people are told of a link ---

def shown(pod, token):
    link = pod.api("GET", f"/v1/links/{token}")
    return link["target"], link["state"], link["replaced_by"], link["revoked"], link["opted_out"]


def test_a_link_is_shown_with_what_became_of_it(hopcountd):
    pay, renew = hopcountd.mint("pay", 1234, client=77), hopcountd.mint("login", 0, client=77)
    why = lambda token=pay: hopcountd.api("GET", f"/v1/links/{token}")["why"]
    assert shown(hopcountd, pay) == (PAY.format(1234), None, None, False, False)
    assert why() == "Nothing was said of invoice 1234: a click leads where a pay link leads."
    assert why(renew).startswith("It is about no invoice: a click leads where a login link leads.")
    for kind, target, state, says in (
            ("partly_paid", PAY.format(1234), "partly_paid", "Invoice 1234 is partly paid: a click leads where a pay"),
            ("paid", VIEW.format(1234), "paid", "Invoice 1234 is paid: a click leads where a view link leads."),
            ("cancelled", None, "cancelled", "Invoice 1234 is cancelled: a click gets a page that says there is noth")):
        tell(hopcountd, f"invoice.{kind}", object=1234)
        wait_until(lambda: shown(hopcountd, pay) == (target, state, None, False, False))
        assert why().startswith(says)
        assert leads(hopcountd, pay)[1] == target
    tell(hopcountd, "invoice.replaced", object=1234, by=1301)
    wait_until(lambda: shown(hopcountd, pay) == (PAY.format(1301), "replaced", 1301, False, False))
    assert why() == ("Invoice 1301 has replaced invoice 1234: a click leads where a pay link of invoice 1301 leads.")
    tell(hopcountd, "invoice.paid", object=1301)
    wait_until(lambda: shown(hopcountd, pay) == (VIEW.format(1301), "replaced", 1301, False, False))
    assert why().startswith("Invoice 1301 has replaced invoice 1234 and is paid: a click leads where a view")
    tell(hopcountd, "client.opted_out", client=77)
    wait_until(lambda: shown(hopcountd, pay) == (VIEW.format(1301), "replaced", 1301, False, True))
    assert why(renew).endswith("Client 77 has opted out of tracking: clicks count in sums of the campaign only.")
    hopcountd.api("POST", "/v1/revocations", {"scope": "client", "brand": "acme", "id": 77}, 202)
    wait_until(lambda: shown(hopcountd, pay) == (None, "replaced", 1301, True, True))
    assert why().startswith("It is revoked: a click is answered as one on an unknown link")
    assert leads(hopcountd, pay) == (404, None)


def test_an_expired_link_leads_to_a_page(hopcountd):
    token = hopcountd.mint("pay", 1, ttl=1, issued_s=1704067200)
    assert shown(hopcountd, token) == (None, None, None, False, False)
    assert leads(hopcountd, token) == (410, None)


def test_a_link_tells_of_the_configuration_of_its_brand(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"brands": [{
        "name": "acme", "hosts": ["go.acme.example"], "preset": "whmcs", "revoked": "page",
        "billing_url": "https://billing.acme.example",
        "targets": [WHEN, {"kind": 4, "name": "renew", "object": "other",
                           "url": "https://billing.acme.example/cart.php?gid={object}"}]}]})
    pay, renew = daemon.mint("pay", 5), daemon.mint(4, 5)
    tell(daemon, "invoice.paid", object=5)
    wait_until(lambda: shown(daemon, pay)[0] == "https://billing.acme.example/thanks?id=5")
    assert "where the configuration says for that" in daemon.api("GET", f"/v1/links/{pay}")["why"]
    assert shown(daemon, renew)[:2] == ("https://billing.acme.example/cart.php?gid=5", None)
    daemon.api("POST", "/v1/revocations", {"scope": "object", "brand": "acme", "id": 5}, 202)
    wait_until(lambda: "page that says it was withdrawn" in daemon.api("GET", f"/v1/links/{pay}")["why"])
    assert shown(daemon, renew)[3] is False


def test_inspect_explains_by_asking_the_service(hopcountd, tmp_path):
    token = hopcountd.mint("pay", 5)
    tell(hopcountd, "invoice.paid", object=5)
    wait_until(lambda: shown(hopcountd, token)[1] == "paid")
    (tmp_path / "key").write_text(hopcountd.api_key)

    def inspect(*more, status=0):
        done = hopcountd.cli("inspect", "-c", hopcountd.config_path, *more, token)
        assert done.returncode == status, done.stderr
        return done

    alone = inspect("--explain").stdout
    assert f"leads to   {PAY.format(5)}\n" in alone and "no state is known: the service was not asked" in alone
    for asked in ((), ("--url", f"http://127.0.0.1:{hopcountd.admin_port}")):
        told = inspect("--explain", "--key-file", tmp_path / "key", *asked).stdout
        assert f"leads to   {VIEW.format(5)}\n" in told and "state      paid\n" in told
        assert "why        Invoice 5 is paid: a click leads where a view link leads.\n" in told
    link = json.loads(inspect("--explain", "--json", "--key-file", tmp_path / "key").stdout)
    assert (link["target"], link["state"], link["revoked"], link["opted_out"]) == (VIEW.format(5), "paid", False, False)
    assert PAY.format(5) in inspect().stdout
    hopcountd.terminate()
    assert "is hopcountd running" in inspect("--explain", "--key-file", tmp_path / "key", status=1).stderr


def test_what_is_kept_of_an_invoice_and_a_client_is_told(hopcountd):
    def timeline(what, query=""):
        reply = hopcountd.admin("GET", f"/v1/{what}/timeline{query}", key=True)
        openapi.check_reply("GET", f"/v1/{what}/timeline", reply)
        return json.loads(reply.text)

    hopcountd.click(hopcountd.mint("view", 5, client=7, campaign=3), headers=PEOPLE)
    hopcountd.click(hopcountd.mint("pay", 6, client=8), headers=PEOPLE)
    hopcountd.api("POST", "/v1/events:batch", [
        {"id": "1", "type": "mail.sent", "object": 5, "client": 7, "campaign": 3},
        {"id": "2", "type": "invoice.paid", "object": 5, "client": 7, "amount": 1999, "currency": "EUR"},
        {"id": "3", "type": "invoice.paid", "object": 2000, "client": 7},
        {"id": "5", "type": "invoice.replaced", "object": 2000, "by": 2001},
        {"id": "4", "type": "client.opted_out", "client": 9}], 202)
    hopcountd.api("POST", "/v1/revocations", {"scope": "client", "id": "7"}, 202)
    wait_until(lambda: {row["type"] for row in timeline("clients/7")["rows"]} == {
        "mail.sent", "click", "invoice.paid", "state", "revoked"}, 20, lambda: str(timeline("clients/7")))
    shown = timeline("clients/7")
    assert sorted((one["id"], one["state"]) for one in shown["objects"]) == [(5, "paid"), (2000, "replaced")]
    assert shown["revoked"]["by"] == "test" and not shown["opted_out"] and shown["next_before"] is None
    assert [row["at"] for row in shown["rows"]] == sorted((row["at"] for row in shown["rows"]), reverse=True)
    assert [one["id"] for one in timeline("clients/7", "?before=64")["objects"]] == [5]
    of_five = timeline("objects/5")
    assert (of_five["client"], of_five["state"], of_five["revoked"]) == (7, "paid", None)
    assert [(row["amount"], row["currency"]) for row in of_five["rows"] if row["type"] == "invoice.paid"] == [(1999, "EUR")]
    assert [(row["kind"], row["campaign"]) for row in of_five["rows"] if row["type"] == "click"] == [("view", 3)]
    assert timeline("objects/2000")["replaced_by"] == 2001
    assert timeline("clients/9")["opted_out"] and timeline("clients/10")["rows"] == []
    for what in ("objects/0/timeline", "clients/x/timeline", "clients/7/timeline?before=x"):
        assert hopcountd.admin("GET", f"/v1/{what}", key=True).status == 400
