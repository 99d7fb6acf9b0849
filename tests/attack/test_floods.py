"""Floods of one link, and of agents that nobody has seen: numbers and labels of others stay right."""
import contextlib
import itertools
import socket
import threading
import time

import pytest

from attack.pressure import ASAN_THAT_FORGETS, canary_p99_s, resident_mb
from harness.build import patience
from harness.load import BROWSER
from harness.rawhttp import request_bytes
from harness.wait import wait_until

CONFIG = {
    "redis": {"flush_ms": 20},
    "public": {"workers": 2, "client_address": "forwarded", "trusted_proxies": ["127.0.0.1"], "requests_max": 1000000},
}
N_MAILS = 30
FLOODER = "203.0.113.9"


@contextlib.contextmanager
def flood(daemon, make_request):
    """Pipelines make_request(0), make_request(1) … as fast as they are answered; yields a list of
    one number, how many were answered."""
    stop, answered = threading.Event(), [0]

    def run():
        with socket.create_connection(("127.0.0.1", daemon.port), patience(20)) as sock:
            numbers = itertools.count()
            while not stop.is_set():
                sock.sendall(b"".join(make_request(next(numbers)) for _ in range(100)))
                data = b""
                while data.count(b"\r\n\r\n") < 100:
                    more = sock.recv(1 << 18)
                    if not more:
                        return
                    data += more
                answered[0] += data.count(b"HTTP/1.1 302 ")
    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_until(lambda: answered[0] > 2000, 20, "the flood to be on")
        yield answered
    finally:
        stop.set()
        thread.join()
    assert answered[0] > 2000


@pytest.fixture
def daemon(make_hopcountd, redis):
    return make_hopcountd(redis, CONFIG, environment=ASAN_THAT_FORGETS)


def of_one_link(daemon):
    link = daemon.mint("view", 7, client=7)
    return lambda n: request_bytes(f"/{link}", headers={"User-Agent": BROWSER, "X-Forwarded-For": FLOODER})


def of_links_of_one_client(daemon):
    links = [daemon.mint("view", 1000 + i, client=7) for i in range(500)]
    return lambda n: request_bytes(f"/{links[n % 500]}", headers={"User-Agent": BROWSER, "X-Forwarded-For": FLOODER})


def of_new_networks(daemon):
    link = daemon.mint("view", 7, client=7)
    return lambda n: request_bytes(f"/{link}", headers={
        "User-Agent": BROWSER, "X-Forwarded-For": f"100.{n >> 16 & 63}.{n >> 8 & 255}.{n & 255}"})


def of_new_agents(daemon):
    link = daemon.mint("view", 7, client=7)
    return lambda n: request_bytes(f"/{link}", headers={
        "User-Agent": f"{BROWSER} Flood/{n}", "X-Forwarded-For": FLOODER})


def of_new_bots(daemon):
    link = daemon.mint("view", 7, client=7)
    return lambda n: request_bytes(f"/{link}", headers={
        "User-Agent": f"spam{n}/{n}.{n} (new; +http://{n}.example)", "X-Forwarded-For": FLOODER})


FLOODS = [of_one_link, of_links_of_one_client, of_new_networks, of_new_agents, of_new_bots]


def click_mails(daemon, network, agent=BROWSER):
    """A gateway opens the three links of each mail: their tokens."""
    mails = [[daemon.mint("view", 1 + i, client=network * 1000 + mail, issued_s=time.time() - 3600)
              for i in range(3)] for mail in range(N_MAILS)]
    for mail in mails:
        for token in mail:
            daemon.click(token, headers={"User-Agent": agent, "X-Forwarded-For": f"198.51.{network}.7"})
    return [token for mail in mails for token in mail]


def n_automated(daemon, links):
    return sum(daemon.clicks(token)["automated"] for token in links)


@pytest.mark.parametrize("make", FLOODS, ids=lambda make: make.__name__.replace("_", " "))
def test_a_flood_spoils_no_label_of_others(daemon, make):
    """Gateways are found, declared bots are bots, people are people, and memory stays."""
    canary = daemon.mint("pay", 1, client=5000)
    calm, request = canary_p99_s(daemon, canary), make(daemon)
    with flood(daemon, request):
        before = resident_mb(daemon)
        p99 = canary_p99_s(daemon, canary)
        gateway = click_mails(daemon, 51)
        people = [daemon.mint("view", 20 + i, client=6000 + i) for i in range(20)]
        for i, token in enumerate(people):
            daemon.click(token, headers={"User-Agent": BROWSER, "X-Forwarded-For": f"198.{i}.77.7"})
        bots = [daemon.mint("view", 50 + i, client=7000 + i) for i in range(20)]
        for i, token in enumerate(bots):
            daemon.click(token, headers={"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)",
                                         "X-Forwarded-For": f"198.{i}.78.7"})
        grown = resident_mb(daemon) - before
    print(f"canary {p99 * 1000:.1f} ms, calm {calm * 1000:.1f} ms, {grown:.0f} MB more")
    wait_until(lambda: daemon.metrics()["hopcount_clicks_pending"] == 0, 60, "the clicks to be applied")
    wait_until(lambda: n_automated(daemon, gateway) == 3 * N_MAILS, 20,
               lambda: f"all clicks of gateways found, {n_automated(daemon, gateway)} of {3 * N_MAILS} were", pause=0.2)
    assert n_automated(daemon, bots) == len(bots)
    assert n_automated(daemon, people) == 0
    # Clicks of a flood are people's up to labels.repeat_max a minute for each network.
    assert p99 < max(30 * calm, patience(0.2))
    assert grown < 60
    daemon.shut_down()


def test_one_recipient_makes_few_people(daemon):
    link = daemon.mint("view", 7, client=7)
    begin = time.monotonic()
    with flood(daemon, lambda n: request_bytes(f"/{link}", headers={
            "User-Agent": BROWSER, "X-Forwarded-For": FLOODER})) as answered:
        wait_until(lambda: answered[0] > 10000, 60, "10,000 clicks")
    minutes = 2 + (time.monotonic() - begin) // 60
    daemon.wait_counted(answered[0], [link], 60)
    wait_until(lambda: daemon.clicks(link)["human"] <= 10 * minutes, 20,
               lambda: f"few people's clicks: {daemon.clicks(link)}", pause=0.1)
    assert daemon.clicks(link)["total"] == answered[0]
    daemon.shut_down()
