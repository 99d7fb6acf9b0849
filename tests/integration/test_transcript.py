"""One invoice's life over two pods, told as it happens: mail, scanner, person, payment, receipt, credit note,
replacement.  Run with -s to read it."""
import time

import pytest

from harness.wait import wait_until

PAY = "https://billing.acme.example/index.php?rp=/invoice/{}/pay"
LOGIN = "https://billing.acme.example/clientarea.php"
VIEW = "https://billing.acme.example/viewinvoice.php?id={}"
PERSON = (("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
                         "Gecko) Version/17.5 Mobile/15E148 Safari/604.1"), ("Accept-Language", "de-DE,de;q=0.9"),
          ("X-Forwarded-For", "198.51.100.20"))
SCANNER = (("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                          "Chrome/129.0.0.0 Safari/537.36"), ("X-Forwarded-For", "203.0.113.7"))
CONFIG = {"public": {"client_address": "forwarded", "trusted_proxies": ["127.0.0.1"]},
          "labels": {"gateway_links_s": 1, "gateway_two_links_ms": 500}}


class Story:
    def __init__(self, pods, capsys):
        self.pods, self.capsys, self.began, self.n_events = pods, capsys, time.monotonic(), 0

    def say(self, what, outcome):
        with self.capsys.disabled():
            print(f"{time.monotonic() - self.began:7.2f} s  {what:<58} {outcome}")

    def click(self, who, pod, kind, token, headers, want):
        reply = self.pods[pod].get(f"/{token}", headers=headers)
        self.say(f"{who} opens the {kind} link, pod{pod}", f"{reply.status} {reply.location or 'a page'}")
        assert (reply.status, reply.location) == want
        return reply

    def tell(self, pod, kind, **fields):
        """An event, and the wait until both pods know of it."""
        self.n_events += 1
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60 + 2 * self.n_events))
        answer = self.pods[pod].api("POST", "/v1/events", {"id": f"s{self.n_events}", "type": kind, "at": at,
                                                           **fields}, 202)
        self.say(f"billing tells pod{pod}: {kind} {fields}", answer["outcome"])
        assert answer["outcome"] == "accepted"

    def known(self, token, state, newest=None):
        began = time.monotonic()
        for pod in self.pods:
            wait_until(lambda: self.shown(pod, token) == (state, newest), 20)
        self.say(f"both pods know: {state}", f"after {time.monotonic() - began:.2f} s more")

    @staticmethod
    def shown(pod, token):
        link = pod.api("GET", f"/v1/links/{token}")
        return link["state"], link["replaced_by"]


@pytest.fixture
def story(make_hopcountd, redis, capsys):
    first = make_hopcountd(redis, CONFIG, name="pod0")
    second = make_hopcountd(redis, CONFIG, name="pod1", start=False)
    second.key = first.key
    second.write_keys([(1, "mint", first.key)])
    second.start()
    wait_until(lambda: all(pod.metrics()["hopcount_state_known"] == 1 for pod in (first, second)))
    # Gateways are found across pods once these know of one another.
    wait_until(lambda: all(pod.metrics()["hopcount_pods"] == 2 for pod in (first, second)), 40, pause=0.2)
    with capsys.disabled():
        print()
    return Story([first, second], capsys)


def test_one_invoice_s_life(story):
    first, second = story.pods
    fields = {"object": 4711, "client": 77, "campaign": 12, "channel": "mail"}
    links = {kind: first.api("POST", "/v1/links", {"kind": kind, **fields}, 201)["token"]
             for kind in ("pay", "view", "login")}
    pay = links["pay"]
    story.say("a mail about invoice 4711 goes out", f"{len(links)} links, the pay link expires "
              + first.api("GET", f"/v1/links/{pay}")["expires_at"])
    for n, (kind, token) in enumerate(links.items()):
        story.click("a mail gateway", n % 2, kind, token, SCANNER,
                    (302, {"pay": PAY, "view": VIEW, "login": LOGIN}[kind].format(4711)))
    wait_until(lambda: [first.clicks(token)["automated"] for token in links.values()] == [1, 1, 1], 20)
    story.say("its clicks are a scanner's", f"pay link: {first.clicks(pay)}")
    time.sleep(2)  # a person comes after the gateway's window of a second
    story.click("the client", 1, "pay", pay, PERSON, (302, PAY.format(4711)))
    wait_until(lambda: first.clicks(pay) == {"total": 2, "human": 1, "automated": 1}, 20)
    story.say("that is a person's", f"pay link: {first.clicks(pay)}")
    story.tell(1, "invoice.paid", object=4711, amount=11900, currency="EUR")
    story.known(pay, "paid")
    story.click("the client", 0, "pay", pay, PERSON, (302, VIEW.format(4711)))
    story.tell(0, "invoice.credited", object=4711)
    story.known(pay, "credited")
    story.click("the client", 1, "pay", pay, PERSON, (302, VIEW.format(4711)))
    story.tell(0, "invoice.replaced", object=4711, by=4712)
    story.known(pay, "replaced", 4712)
    story.click("the client", 0, "pay", pay, PERSON, (302, PAY.format(4712)))
    story.tell(1, "invoice.paid", object=4712, amount=9900, currency="EUR")
    for pod in story.pods:
        wait_until(lambda: pod.api("GET", f"/v1/links/{pay}")["target"] == VIEW.format(4712), 20)
    story.click("the client", 0, "pay", pay, PERSON, (302, VIEW.format(4712)))
    wait_until(lambda: first.clicks(pay) == {"total": 6, "human": 5, "automated": 1}, 20,
               lambda: f"six clicks, one of them a scanner's: {first.clicks(pay)}")
    story.say("counted, each once", f"pay link: {first.clicks(pay)}")
    story.say("why it leads there", second.api("GET", f"/v1/links/{pay}")["why"])
