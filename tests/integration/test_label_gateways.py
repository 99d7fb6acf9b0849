"""Mail gateways told by what they do: on two pods behind a load balancer, and by their networks."""
import itertools
import pathlib
import re
import sys

import pytest

from harness import tokens
from harness.build import ROOT
from harness.load import BROWSER
from harness.wait import wait_until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "labels"))

from simulate import wait_acquainted  # noqa: E402

# The configuration's thresholds are put to use.
TELLS_GATEWAYS = any(
    re.search(r"(->|\.)gateway_links\b", path.read_text())
    for path in (ROOT / "service").rglob("*.c") if path.parent.name != "config")
needs_gateways = pytest.mark.skipif(
    not TELLS_GATEWAYS, reason="nothing in service/ reads labels.gateway_links yet")
pytestmark = needs_gateways

PROXY = {"client_address": "forwarded", "trusted_proxies": ["127.0.0.1"]}
CONFIG = {"public": PROXY}
RANGES = {**CONFIG, "labels": {"ranges": ["203.0.113.0/24", "2001:db8:9::/48"]}}
numbers = itertools.count(1)


@pytest.fixture
def pods(make_hopcountd, redis):
    """Two hopcountds on one Redis, with one key."""
    first = make_hopcountd(redis, CONFIG, "first")
    second = make_hopcountd(redis, CONFIG, "second", start=False)
    second.key = first.key
    second.write_keys([(1, "mint", first.key)])
    second.start()
    wait_acquainted([first, second])
    return first, second


def mail(daemon, n_links=4, client=None):
    """The links of one mail to one client."""
    client = client or 1000 + next(numbers)
    return [daemon.mint("view", 1000 + next(numbers), client=client, campaign=3, channel="mail")
            for _ in range(n_links)]


def follow(daemon, token, address, agent=BROWSER, **kwargs):
    fields = {"User-Agent": agent, "X-Forwarded-For": address}
    assert daemon.get(f"/{token}", headers=fields, **kwargs).status == 302


def wait_labelled(daemon, links, human, automated):
    """Waits until the counts of the links together are as said."""
    last = {}

    def as_said():
        counts = [daemon.clicks(token) for token in links]
        last.update({name: sum(count[name] for count in counts) for name in ("human", "automated")})
        return (last["human"], last["automated"]) == (human, automated)
    wait_until(as_said, 20, lambda: f"{human} human, {automated} automated; counted {last}",
               pause=0.1)


def test_a_burst_of_links_is_a_gateway_s_and_its_first_clicks_are_relabelled(pods):
    links = mail(pods[0])
    for token in links:
        follow(pods[0], token, "198.51.100.7")
    wait_labelled(pods[0], links, 0, 4)


def test_so_it_is_when_each_click_lands_on_another_pod(pods):
    links = mail(pods[0])
    for token, pod in zip(links, itertools.cycle(pods)):
        follow(pod, token, "198.51.100.7")
    wait_labelled(pods[0], links, 0, 4)
    assert pods[0].api("GET", "/v1/stats?brand=acme")["total"]["total"] == 4


def test_several_networks_on_one_link_are_a_gateway_s_on_whatever_pod(pods):
    links = mail(pods[0], 1)
    for i, pod in zip(range(5), itertools.cycle(pods)):
        follow(pod, links[0], f"198.51.{100 + i}.7")
    wait_labelled(pods[0], links, 0, 5)


def test_many_people_behind_one_address_stay_people(pods):
    mails = [mail(pods[0], 2) for _ in range(20)]
    for links, pod in zip(mails, itertools.cycle(pods)):
        follow(pod, links[0], "198.51.100.7")
    wait_labelled(pods[0], [links[0] for links in mails], 20, 0)


def test_one_link_clicked_again_and_again_is_a_person_s(pods):
    links = mail(pods[0], 1)
    for pod in pods * 3:
        follow(pod, links[0], "198.51.100.7")
    wait_labelled(pods[0], links, 6, 0)


def test_links_without_a_client_are_nobody_s_mail(pods):
    """Everyone's newsletter: client 0 is no client, so its links are nobody's siblings."""
    links = [pods[0].mint("view", 1000 + next(numbers)) for _ in range(5)]
    for i, (token, pod) in enumerate(zip(links, itertools.cycle(pods))):
        follow(pod, token, f"198.51.{100 + i}.7")
    wait_labelled(pods[0], links, 5, 0)


@pytest.mark.parametrize("address, automated", [
    ("203.0.113.9", 1),
    ("203.0.114.9", 0),
    ("::ffff:203.0.113.9", 1),
    ("[::ffff:203.0.113.9]:4711", 1),
    ("2001:db8:9::1", 1),
    ("2001:db8:a::1", 0),
    ("203.0.113.9, 198.51.100.2", 0),  # the client wrote the first; the proxy saw the second
])
def test_a_known_network_is_told_by_the_address_that_a_trusted_proxy_saw(
        make_hopcountd, redis, address, automated):
    daemon = make_hopcountd(redis, RANGES)
    (token,) = mail(daemon, 1)
    follow(daemon, token, address)
    wait_labelled(daemon, [token], 1 - automated, automated)


def test_an_address_that_nobody_vouches_for_is_not_believed(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {**RANGES, "public": {"client_address": "direct"}})
    (token,) = mail(daemon, 1)
    follow(daemon, token, "203.0.113.9")
    wait_labelled(daemon, [token], 1, 0)


def test_nothing_of_an_address_stays_in_redis(pods, redis):
    links = mail(pods[0])
    for token in links:
        follow(pods[0], token, "198.51.100.7")
    wait_labelled(pods[0], links, 0, 4)
    client = redis.client()
    for key in client.scan_iter():
        value = key + (client.dump(key) or b"")
        assert b"198.51.100" not in value and bytes([198, 51, 100]) not in value, key
        if tokens.link_id(links[0]).encode() in key:
            assert client.ttl(key) > 0
