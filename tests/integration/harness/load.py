"""Clients that click, and keep their own tally: the oracle of every fault test.

A redirect that a client received must be counted.  A request whose reply was never received may
be: the process can have died between counting and replying.
"""
import collections
import itertools
import random
import threading
import time

from .build import patience
from .rawhttp import Closed, Connection, request_bytes
from .wait import wait_until

BROWSER = ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")


class Tally:
    """What happened to the clicks of each link."""

    def __init__(self):
        self.received = collections.Counter()    # token -> redirects that arrived
        self.unanswered = collections.Counter()  # token -> sent, no reply came
        self.other = collections.Counter()       # status -> replies that were no redirect
        self.latencies_s = []                    # of each reply that arrived

    def add(self, other):
        self.received += other.received
        self.unanswered += other.unanswered
        self.other += other.other
        self.latencies_s += other.latencies_s

    @property
    def n_received(self):
        return sum(self.received.values())

    @property
    def n_unanswered(self):
        return sum(self.unanswered.values())

    def quantile_s(self, q):
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else 0.0

    def check(self, counted):
        """Compares with {token: total}: nothing lost, nothing counted twice."""
        assert not self.other, f"replies that were no redirect: {dict(self.other)}"
        for token in set(counted) | set(self.received) | set(self.unanswered):
            least = self.received[token]
            most = least + self.unanswered[token]
            have = counted.get(token, 0)
            assert least <= have <= most, (
                f"link {token}: counted {have}, received {least}, unanswered {most - least}")

    def __str__(self):
        return (f"{self.n_received} received, {self.n_unanswered} unanswered, "
                f"p99 {self.quantile_s(0.99) * 1000:.1f} ms")


class Load:
    """`n_clients` threads that click on random links until told to stop, or `n_clicks` in all.

        with Load(port, links, n_clients=4) as load:
            load.wait_clicks(500)
            ... break something ...
            load.wait_clicks(500)
        load.tally.check(daemon.counted(links))

    A client whose connection is lost opens another, and waits 10 ms if it can't.
    """

    def __init__(self, port, links, n_clients=4, n_clicks=None, pause_s=0.0, seed=None,
                 host="go.acme.example", headers=None, address="127.0.0.1"):
        self.port, self.links, self.address = port, list(links), address
        self.pause_s, self.host = pause_s, host
        self.headers = {"User-Agent": BROWSER, **(headers or {})}
        self.seed = random.randrange(1 << 32) if seed is None else seed
        self.stopping = threading.Event()
        self.tally = Tally()
        self.tickets = iter(range(n_clicks)) if n_clicks is not None else itertools.count()
        self.lock = threading.Lock()
        self.failures = []
        self.n_redirects = [0] * n_clients  # received so far by each client
        self.threads = [threading.Thread(target=self._run, args=(i,), daemon=True)
                        for i in range(n_clients)]

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        print(f"load: seed {self.seed}")
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        """Ends the clients and adds up their tallies."""
        self.stopping.set()
        return self.join()

    def join(self, seconds=120):
        """Waits till `n_clicks` have been made."""
        for thread in self.threads:
            thread.join(patience(seconds))
            assert not thread.is_alive(), "a client of the load hangs"
        assert not self.failures, self.failures
        return self.tally

    def wait_clicks(self, n=500, seconds=60):
        """Waits until `n` more redirects were received: a time measured in clicks."""
        goal = sum(self.n_redirects) + n
        wait_until(lambda: sum(self.n_redirects) >= goal or self.failures, seconds,
                   lambda: f"{n} clicks, {goal - sum(self.n_redirects)} are missing")
        assert not self.failures, self.failures

    def _take_ticket(self):
        with self.lock:
            return None if self.stopping.is_set() else next(self.tickets, None)

    def _run(self, number):
        chooser, tally = random.Random(self.seed + number), Tally()
        try:
            self._click_on(number, chooser, tally)
        except Exception as failure:  # shown by join(): a thread's own trace would be lost
            self.failures.append(repr(failure))
        with self.lock:
            self.tally.add(tally)

    def _click_on(self, number, chooser, tally):
        connection = None
        while self._take_ticket() is not None:
            connection = connection or self._connect()
            if connection is None:
                return
            token = chooser.choice(self.links)
            started = time.monotonic()
            try:
                connection.send(request_bytes(f"/{token}", self.host, headers=self.headers))
                reply = connection.receive()
            except (Closed, OSError):
                tally.unanswered[token] += 1
                connection.close()
                connection = None
                continue
            tally.latencies_s.append(time.monotonic() - started)
            if reply.status == 302:
                tally.received[token] += 1
                self.n_redirects[number] += 1
            else:
                tally.other[reply.status] += 1
            if reply.headers.get("connection", "").lower() == "close":
                connection.close()
                connection = None
            if self.pause_s:
                time.sleep(self.pause_s)  # the load's own pace
        if connection:
            connection.close()

    def _connect(self):
        while not self.stopping.is_set():
            try:
                return Connection(self.address, self.port)
            except OSError:
                time.sleep(0.01)
        return None
