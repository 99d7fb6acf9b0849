"""A Redis that answers garbage: to any command, at any time, in any piece of a reply.

Whether it is bytes that are no reply, replies of another kind or well-formed lies (a digit changed):
redirects go on, memory and descriptors stay, and when Redis is itself again each click is counted
once, for the cursor is beside the counts, and what was sent is kept for a while.
"""
import random
import threading

import pytest

from attack.pressure import ASAN_THAT_FORGETS, canary_p99_s, n_descriptors, resident_mb
from faults.proxy import GARBAGE, Proxy
from harness.build import patience
from harness.wait import wait_until

NO_REPLY = [
    GARBAGE, b"\r\n", b"\0" * 4096, b"+" + b"x" * 70000, b"*-7\r\n", b"$-9\r\n", b"*99999999999999999999\r\n",
    b"$99999999999\r\n", b"*1\r\n" * 5000, b"$5\r\nabcdefgh\r\n", b":12x\r\n", b":\r\n", b"*\r\n", b"$x\r\n",
    b"%1\r\n+a\r\n+b\r\n", b"~1\r\n:1\r\n", b"_\r\n", b"#t\r\n", b",nan\r\n", b">2\r\n+message\r\n+x\r\n",
    b"(" + b"9" * 400 + b"\r\n", b"-\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 100,
]
OTHER_KINDS = [
    b":7\r\n", b":-1\r\n", b":9223372036854775807\r\n", b"$-1\r\n", b"*-1\r\n", b"+OK\r\n", b"+QUEUED\r\n", b"$0\r\n\r\n",
    b"*0\r\n", b"*1\r\n*1\r\n*0\r\n", b"*3\r\n$-1\r\n$-1\r\n$-1\r\n", b"$3\r\nabc\r\n", b"$8\r\n\0\0\0\0\0\0\0\0\r\n",
    b"*2\r\n:0\r\n$3\r\nabc\r\n", b"-ERR no such thing\r\n", b"-WRONGTYPE x\r\n", b"-MOVED 1 127.0.0.1:1\r\n",
    b"-MOVED x\r\n", b"-ASK 16384 :0\r\n", b"-NOSCRIPT\r\n", b"-LOADING\r\n", b"-READONLY\r\n", b"-NOAUTH\r\n",
    b"-" + b"E" * 5000 + b"\r\n", b"*2\r\n$1\r\n0\r\n*1\r\n$4000\r\n" + b"k" * 4000 + b"\r\n",
]


def no_reply(rng, frame):
    return rng.choice(NO_REPLY)


def cut(rng, frame):
    return frame[:rng.randrange(len(frame))] + rng.choice(NO_REPLY)


def noise(rng, frame):
    return bytes(rng.randrange(256) for _ in range(rng.randrange(1, 200)))


def other_kind(rng, frame):
    return rng.choice(OTHER_KINDS)


def too_many(rng, frame):
    return frame * rng.randrange(2, 50)


def changed(rng, frame):
    """A few bytes of a real reply are other ones."""
    data = bytearray(frame)
    for _ in range(rng.randrange(1, 4)):
        data[rng.randrange(len(data))] = rng.choice([rng.randrange(256), ord(rng.choice("0123456789-*$:+\r\n"))])
    return bytes(data)


GARBAGE_KINDS = [no_reply, cut, noise, other_kind, too_many, changed]


class Garbler(Proxy):
    """While `kinds` has any, one reply in `one_in`, to whatever command, is made into something else."""

    def __init__(self, port, rng):
        super().__init__(port, rng)
        self.kinds, self.one_in, self.n_garbled = [], 3, 0
        self.mutex = threading.Lock()

    def alter(self, frame):
        with self.mutex:
            if not self.kinds or self.rng.randrange(self.one_in):
                return frame
            self.n_garbled += 1
            return self.rng.choice(self.kinds)(self.rng, frame)


@pytest.fixture
def garbler(redis, seed):
    proxy = Garbler(redis.port, random.Random(seed)).start()
    yield proxy
    proxy.stop()


def ask_everything(daemon, link):
    """Questions of the admin address that Redis answers; any status is right, but there must be one."""
    for path in (f"/v1/links/{link}", "/v1/objects/1", "/v1/campaigns", "/v1/clients/1",
                 "/v1/stats?brand=acme&interval=day&group_by=kind", "/v1/stats?brand=acme&interval=hour&group_by=campaign"):
        reply = daemon.admin("GET", path, key=True)
        assert reply.status in (200, 404, 500, 502, 503, 504), f"{path}: {reply.status} {reply.text}"


def attack(trial, garbler, kinds, n_garbled):
    """Clicks, questions and restarts of connections until so many replies were garbled."""
    daemon, link = trial.daemon, trial.links[0]
    calm = canary_p99_s(daemon, daemon.mint("view", 1, silent=True))
    before, files = resident_mb(daemon), n_descriptors(daemon)
    garbler.n_garbled, garbler.kinds = 0, kinds
    with trial.load(trial.during):
        def enough():
            if not garbler.rng.randrange(4):
                garbler.reset()  # its hand-shakes are answered with garbage, too
            ask_everything(daemon, link)
            return garbler.n_garbled >= n_garbled
        wait_until(enough, 60, lambda: f"{n_garbled} replies were garbled, {garbler.n_garbled} are")
    p99 = trial.during.quantile_s(0.99)
    grown = resident_mb(daemon) - before
    print(f"{garbler.n_garbled} garbled: p99 {p99 * 1000:.1f} ms, calm {calm * 1000:.1f} ms, {grown:.0f} MB more")
    assert p99 < max(30 * calm, patience(0.1))
    assert grown < 60
    assert n_descriptors(daemon) <= files + 20
    garbler.kinds = []
    garbler.reset()
    wait_until(lambda: daemon.metrics()["hopcount_redis_up"] == 1, 30, "Redis to be up again")


N = 60


@pytest.mark.parametrize("kind", GARBAGE_KINDS, ids=lambda kind: kind.__name__)
def test_garbage_costs_no_click(make_trial, garbler, kind):
    trial = make_trial(8, f"garbage to any command: {kind.__name__}", garbler.url, environment=ASAN_THAT_FORGETS)
    trial.click_before(300)
    attack(trial, garbler, [kind], N)
    trial.click_after(300)
    trial.verdict()
    trial.daemon.shut_down()


@pytest.mark.soak
def test_garbage_for_long(make_trial, garbler):
    trial = make_trial(8, "garbage for long", garbler.url, environment=ASAN_THAT_FORGETS)
    for _ in range(10):
        attack(trial, garbler, GARBAGE_KINDS, 300)
    trial.verdict()
    trial.daemon.shut_down()
