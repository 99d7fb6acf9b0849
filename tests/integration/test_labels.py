"""Labels end to end: what was requested on the public port, and what the statistics say of it."""
import itertools
import socket
import time

import pytest

import read_log
from harness import tokens
from harness.build import patience
from harness.load import BROWSER
from harness.files import contents
from harness.wait import wait_until

HUMAN, SCANNER, BOT, PREFETCH, PROBE = range(5)
REASONS = ["none", "unclassified", "head", "prefetch", "preview", "crawler", "link_preview",
           "library", "no_agent", "many_links", "many_networks", "signs",
           "unknown_program", "repeat"]
LABELS = ["human", "scanner", "bot", "prefetch", "probe"]
PHONE = ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 "
         "(KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1")
CUBOT = ("Mozilla/5.0 (Linux; Android 13; CUBOT P80) AppleWebKit/537.36 (KHTML, like Gecko) "
         "Chrome/141.0.0.0 Mobile Safari/537.36")
objects = itertools.count(1)

CASES = [  # a sentence, method, fields, label, reason
    ("a browser", "GET", {"User-Agent": BROWSER}, "human", "none"),
    ("a phone whose name ends in bot", "GET", {"User-Agent": CUBOT}, "human", "none"),
    ("a browser's HEAD", "HEAD", {"User-Agent": BROWSER}, "probe", "head"),
    ("a crawler's HEAD", "HEAD", {"User-Agent": "Googlebot/2.1"}, "probe", "head"),
    ("Chrome loads ahead", "GET", {"User-Agent": BROWSER, "Sec-Purpose": "prefetch"},
     "prefetch", "prefetch"),
    ("Chrome renders ahead", "GET",
     {"User-Agent": BROWSER, "Sec-Purpose": "prefetch;prerender"}, "prefetch", "prefetch"),
    ("an older Chrome loads ahead", "GET", {"User-Agent": BROWSER, "Purpose": "prefetch"},
     "prefetch", "prefetch"),
    ("an older Firefox loads ahead", "GET", {"User-Agent": BROWSER, "X-Moz": "prefetch"},
     "prefetch", "prefetch"),
    ("Safari shows a preview", "GET", {"User-Agent": PHONE, "X-Purpose": "preview"},
     "prefetch", "preview"),
    ("a purpose of no meaning", "GET", {"User-Agent": BROWSER, "Purpose": "fun"},
     "human", "none"),
    ("a crawler", "GET",
     {"User-Agent": "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"},
     "bot", "crawler"),
    ("Slack's preview", "GET",
     {"User-Agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"},
     "bot", "link_preview"),
    ("WhatsApp's preview", "GET", {"User-Agent": "WhatsApp/2.25.27.80 A"}, "bot", "link_preview"),
    ("curl", "GET", {"User-Agent": "curl/8.5.0"}, "bot", "library"),
    ("Python's requests", "GET", {"User-Agent": "python-requests/2.32.5"}, "bot", "library"),
    ("Go", "GET", {"User-Agent": "Go-http-client/1.1"}, "bot", "library"),
    ("no agent", "GET", {}, "bot", "no_agent"),
    ("an empty agent", "GET", {"User-Agent": ""}, "bot", "no_agent"),
    ("an agent of 8 KB", "GET", {"User-Agent": BROWSER + " x" * 3900}, "human", "none"),
    ("a crawler's name behind 7 KB", "GET", {"User-Agent": BROWSER + " x" * 3500 + " Googlebot"},
     "human", "none"),  # nobody looks that far: AGENT_TEXT_MAX
    ("an agent that is no UTF-8", "GET", {"User-Agent": BROWSER + " \xff\xfe\xc3("},
     "human", "none"),
    ("a crawler in no UTF-8", "GET", {"User-Agent": "\xff\xfe Googlebot/2.1"}, "bot", "crawler"),
    ("an agent made to match slowly", "GET", {"User-Agent": "Mozilla/5.0 (" + "(a" * 500},
     "bot", "unknown_program"),
]


def clicks_of(daemon, token):
    """The records of a link in the click logs, oldest first."""
    link = tokens.link_id(token)
    found = [click for log in read_log.read_logs(daemon.state_dir) for click in log.clicks()
             if click["link"] == link]
    return sorted(found, key=lambda click: click["time_ms"])


def mint(daemon, **fields):
    return daemon.mint("view", next(objects), **fields)


@pytest.mark.parametrize("what, method, headers, label, reason", CASES, ids=[c[0] for c in CASES])
def test_a_click_has_its_label_and_the_reply_of_every_other(shared, what, method, headers, label,
                                                            reason):
    token = mint(shared)
    reply = shared.get(f"/{token}", method=method, headers=headers)
    assert reply.status == 302 and reply.location.startswith("https://billing.acme.example/")
    (click,) = clicks_of(shared, token)
    assert LABELS[click["label"]] == label
    assert reason in (None, REASONS[click["reason"]])
    automated = int(label != "human")
    wait_until(lambda: shared.clicks(token)["total"] == 1, 20, "the click is counted")
    clicks = shared.clicks(token)
    assert (clicks["human"], clicks["automated"]) == (1 - automated, automated)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One daemon for all cases: each has a link of its own."""
    from harness.daemon import Hopcountd
    daemon = Hopcountd(tmp_path_factory.mktemp("labels"), config={
        "public": {"workers": 1, "client_address": "forwarded", "trusted_proxies": ["127.0.0.1"]}})
    daemon.start()
    yield daemon
    daemon.cleanup()
    daemon.assert_no_sanitizer_report()


def test_statistics_count_each_label_and_each_reason(make_hopcountd, redis):
    daemon = make_hopcountd(redis)
    want = {}
    for _, method, headers, label, reason in CASES:
        if reason:
            daemon.get(f"/{mint(daemon)}", method=method, headers=headers)
            for name, key in ("label", label), ("reason", reason):
                want.setdefault(name, {}).setdefault(key, 0)
                want[name][key] += 1
    n = sum(want["label"].values())
    query = "/v1/stats?brand=acme&interval=day&group_by="
    wait_until(lambda: daemon.api("GET", query + "label")["total"]["total"] == n, 20,
               "all clicks are counted")
    for name, counts in want.items():
        reply = daemon.api("GET", query + name)
        assert {row["key"]: row["total"] for row in reply["rows"]} == counts
        assert reply["total"] == {"total": n, "human": want["label"]["human"],
                                  "automated": n - want["label"]["human"]}


def test_device_browser_and_system_are_counted(make_hopcountd, redis):
    daemon = make_hopcountd(redis)
    for agent in (PHONE, CUBOT, CUBOT):
        daemon.get(f"/{mint(daemon)}", headers={"User-Agent": agent})
    query = "/v1/stats?brand=acme&interval=day&group_by="
    for name, want in (("device", {"phone": 3}), ("browser", {"safari": 1, "chrome": 2}),
                       ("system", {"ios": 1, "android": 2})):
        wait_until(lambda: {row["key"]: row["human"] for row in
                            daemon.api("GET", query + name)["rows"]} == want, 20,
                   f"{name}: {want}")


def test_a_silent_link_is_counted_for_nobody(shared):
    token = mint(shared, silent=True)
    for method, agent in ("GET", BROWSER), ("HEAD", BROWSER), ("GET", "curl/8.5.0"):
        assert shared.get(f"/{token}", method=method, headers={"User-Agent": agent}).status == 302
    assert clicks_of(shared, token) == []


def test_a_referrer_is_kept_by_its_class_alone(shared):
    token = mint(shared)
    for referrer in ("https://mail.google.com/mail/u/0/?q=secret", "https://www.google.com/",
                     "https://l.facebook.com/", "https://shop.example/?q=secret", None):
        fields = {"User-Agent": BROWSER, **({"Referer": referrer} if referrer else {})}
        shared.get(f"/{token}", headers=fields)
    assert [click["referrer"] for click in clicks_of(shared, token)] == [1, 2, 3, 4, 0]
    for log in contents(shared.state_dir / "logs", "*.seg"):
        assert b"secret" not in log and b"google" not in log


@pytest.mark.parametrize("address", ["203.0.113.77", "2001:db8:4d4d:1::77"])
def test_nothing_a_request_says_of_its_sender_is_in_a_log_or_in_redis(make_hopcountd, redis, address):
    """Neither of clients nor of visitors, neither of good links nor of bad ones, and at debug level."""
    daemon = make_hopcountd(redis, {"log_level": "debug", "public": {
        "client_address": "forwarded", "trusted_proxies": ["127.0.0.1"]}})
    said = {"User-Agent": BROWSER + " zzagent", "Accept-Language": "tlh-zzlang", "Cookie": "a=zzcookie",
            "Referer": "https://mail.google.com/zzreferer?zzreferer", "X-Real-IP": address}
    links = [mint(daemon, client=client) for client in (7, 7, 7, 0)]
    for i, path in enumerate([*links, links[0][:-1], "zzpath"]):
        hop = "Forwarded" if i % 2 else "X-Forwarded-For"
        daemon.get(f"/{path}?utm_source=zzquery&email=zzquery",
                   headers={**said, hop: f'for="[{address}]"' if i % 2 and ":" in address
                            else f"for={address}" if i % 2 else address})
    wait_until(lambda: daemon.api("GET", "/v1/stats?brand=acme")["total"]["total"] == 4, 20,
               "the clicks are counted")
    daemon.shut_down()
    binary = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    kept = contents(daemon.state_dir / "logs")
    client = redis.client()
    kept += [key + (client.dump(key) or b"") for key in client.scan_iter()]
    kept += contents(redis.directory, "*.aof")
    kept.append(daemon.stderr().encode())
    assert any(b"hc:{s00}" in part for part in kept)
    for text in (address.encode(), binary, binary[:6], b"Mozilla", b"Gecko", b"zzagent", b"zzlang",
                 b"zzcookie", b"zzreferer", b"google", b"zzquery", b"zzpath", *map(str.encode, links)):
        assert not [part for part in kept if text in part], text


ADDRESSES = [
    "203.0.113.9", "::ffff:203.0.113.9", "[::ffff:203.0.113.9]:4711", "2001:db8::9",
    "203.0.113.9, 198.51.100.2", "unknown", "999.1.1.1", "", "x" * 2000,
    ", ".join(["198.51.100.1"] * 300), "::ffff:203.0.113.9, 127.0.0.1",
]


@pytest.mark.parametrize("address", ADDRESSES, ids=lambda text: text[:30] or "empty")
def test_whatever_a_proxy_says_of_the_address_the_client_gets_to_the_page(shared, address):
    token = mint(shared)
    start = time.monotonic()
    reply = shared.get(f"/{token}", headers={"User-Agent": BROWSER, "X-Forwarded-For": address})
    assert reply.status == 302
    assert time.monotonic() - start < patience(5)
    (click,) = clicks_of(shared, token)
    assert LABELS[click["label"]] == "human"


def test_a_flood_of_new_agents_delays_no_click(shared):
    """Beyond the work of a second a new browser is a person's, and says why; a machine is one."""
    token = mint(shared)
    with shared.connect() as connection:
        for first in range(0, 3000, 100):
            batch = b"".join(
                (f"GET /{token} HTTP/1.1\r\nHost: go.acme.example\r\n"
                 f"User-Agent: {BROWSER} Flood/{n}\r\n\r\n").encode()
                for n in range(first, first + 100))
            connection.send(batch)
            for _ in range(100):
                assert connection.receive().status == 302
    clicks = [click for click in clicks_of(shared, token) if click["type"] == 1]
    assert len(clicks) == 3000 and {click["label"] for click in clicks} == {HUMAN}
    known = [click for click in clicks if click["reason"] == 0]
    assert len(known) < 3000, "some came too fast to be looked at"
    assert {click["reason"] for click in clicks} == {0, 1}


@pytest.mark.parametrize("keys, change", [
    ("labels", {"labels": {"ranges": ["198.51.9.0/24"]}}),
    ("labels", {"labels": {"threshold": 99}}),
    ("geo", {"geo": {"country": "country.mmdb"}}),
    ("redis", {"redis": {"flush_ms": 999}}),
    ("admin.rate_per_min,retention,log_level",
     {"admin": {"rate_per_min": 9}, "retention": {"hours_days": 9}, "log_level": "debug"}),
    ("geo,labels", {"labels": {"asns": ["AS64496"]}, "geo": {"asn": "asn.mmdb"}}),
    ("public,ledger", {"public": {"idle_s": 29}, "ledger": {"retain_s": 899}})])
def test_what_needs_a_restart_says_so_on_a_reload(make_hopcountd, redis, keys, change):
    daemon = make_hopcountd(redis)
    daemon.write_config(change)
    daemon.reload()
    wait_until(lambda: "at=reload.done" in daemon.stderr(), 20, "it has reloaded")
    assert f"at=reload.ignored keys={keys} remedy=restart" in daemon.stderr()
    daemon.shut_down()
    daemon.start()
    daemon.reload()
    wait_until(lambda: daemon.stderr().count("at=reload.done") == 2, 20, "it has reloaded again")
    assert daemon.stderr().count("at=reload.ignored") == 1
