"""One fault on one running hopcountd, and the verdict: was a click lost or counted twice?

Two oracles, which know nothing of each other: the conservation law of the daemon's own metrics, and
the clients' tally of redirects received against what Redis holds (counts.py), link by link.
"""
import contextlib
import socket

from harness import tokens
from harness.load import BROWSER, Load, Tally
from harness.rawhttp import request_bytes
from harness.wait import wait_until

from . import report
from .counts import read_counts

# Short waits, so that a test sees a time-out and what comes after it.
CONFIG = {
    "public": {"requests_max": 1000000000},
    "redis": {"timeout_ms": 500, "flush_ms": 20},
    "ledger": {"segment_bytes": 65536},
    # All clicks are of one network: relabellings would take places in the log that are no clicks.
    "labels": {"repeat_max": 0},
}


def mint_links(daemon, n, first=1000):
    """Links of different kinds, objects, clients and campaigns (none of them 0)."""
    return [daemon.mint(("view", "pay", "login")[i % 3], first + i, client=1 + i,
                        campaign=1 + i % 5, channel="mail") for i in range(n)]


def flood(port, links, n, host="go.acme.example"):
    """`n` clicks, pipelined on one connection: the tally.  For backlogs, not for latencies."""
    tally, burst = Tally(), 200
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        for start in range(0, n, burst):
            chosen = [links[i % len(links)] for i in range(start, min(n, start + burst))]
            sock.sendall(b"".join(request_bytes(f"/{token}", host, headers={"User-Agent": BROWSER})
                                  for token in chosen))
            data = b""
            while data.count(b"\r\n\r\n") < len(chosen):
                more = sock.recv(1 << 18)
                assert more, f"closed after {data[-500:]!r}"
                data += more
            assert data.count(b"HTTP/1.1 302 ") == len(chosen), data[:500]
            tally.received.update(chosen)
    return tally


def conserve(metrics):
    """What came in, and where it is: two numbers that must be equal when nothing moves."""
    came = metrics["hopcount_clicks_accepted_total"] + metrics["hopcount_clicks_recovered_total"]
    there = (metrics["hopcount_clicks_applied"] + metrics["hopcount_clicks_pending"]
             + metrics.total("hopcount_clicks_dropped_total"))
    return came, there


def dropped(metrics):
    return int(metrics.total("hopcount_clicks_dropped_total"))


class Trial:
    """`read()` gives the clients of all Redis servers that hold counts."""

    def __init__(self, row, fault, daemon, read, n_links=40):
        self.row, self.fault, self.daemon, self.read = row, fault, daemon, read
        self.links = mint_links(daemon, n_links)
        self.before, self.during, self.after = Tally(), Tally(), Tally()
        self.n_lost_reported = 0

    def wait_known(self):
        """Until it is known what became of objects, links to log in are answered 503."""
        wait_until(lambda: self.daemon.metrics()["hopcount_state_known"] == 1, 30, "states are known", pause=0.05)

    # --- clicks ---

    @contextlib.contextmanager
    def load(self, tally, n_clients=4, pause_s=0.002, links=None):
        """Clicks while the body runs."""
        load = Load(self.daemon.port, links or self.links, n_clients, pause_s=pause_s)
        try:
            with load:
                yield load
        finally:
            tally.add(load.tally)

    def click_before(self, n=1000):
        self.wait_known()
        with self.load(self.before) as load:
            load.wait_clicks(n)
        self.wait_applied()

    def click_during(self, n=1500):
        with self.load(self.during) as load:
            load.wait_clicks(n)

    def click_after(self, n=500):
        with self.load(self.after) as load:
            load.wait_clicks(n)

    def flood(self, n):
        self.during.add(flood(self.daemon.port, self.links, n))

    @property
    def tally(self):
        tally = Tally()
        for each in (self.before, self.during, self.after):
            tally.add(each)
        return tally

    # --- verdict ---

    def check_conservation(self, seconds=20):
        """Waits until the numbers are of one moment; returns the metrics."""
        last = {}

        def holds():
            last["metrics"] = self.daemon.metrics()
            came, there = conserve(last["metrics"])
            return came == there

        def text():
            m = last["metrics"]
            return (f"accepted + recovered = applied + pending + dropped, {conserve(m)}: "
                    + str({k: v for k, v in m.items() if "clicks" in k}))
        wait_until(holds, seconds, text, pause=0.05)
        return last["metrics"]

    def wait_applied(self, seconds=30):
        """Nothing is pending, and the law holds."""
        def applied():
            return self.daemon.metrics()["hopcount_clicks_pending"] == 0
        wait_until(applied, seconds,
                   lambda: f"pending clicks are applied\n{self.daemon.stderr_tail()}", pause=0.02)
        return self.check_conservation()

    def counts(self):
        return read_counts(*self.read())

    def counts_now(self):
        """The daemon says that all is applied; but a batch of ours may still be under way, and be
        applied while the counters are read one after the other."""
        wanted, last = self.tally.n_received - self.n_lost_reported, {}

        def enough():
            last["counts"] = self.counts()
            return last["counts"].total >= wanted and last["counts"].agree()
        with contextlib.suppress(AssertionError):
            wait_until(enough, 15, pause=0.1)
        return last["counts"]

    def verdict(self, n_lost_reported=0, agree=True, applied=True):
        """Waits for recovery, compares, and writes the row.  Returns the counts of Redis.

        `n_lost_reported` clicks were reported as lost by metrics: exactly they may be missing.
        """
        self.n_lost_reported = n_lost_reported
        if applied:
            self.wait_applied()
        counts, tally = self.counts_now(), self.tally
        by_id = {tokens.link_id(token): token for token in self.links}
        counted = {by_id[link]: n for link, n in counts.links.items() if n}
        n_counted = sum(counted.values())
        lost = max(0, tally.n_received - n_counted)
        doubled = sum(max(0, counted.get(token, 0) - tally.received[token]
                          - tally.unanswered[token]) for token in self.links)
        report.write(self, n_counted, lost - min(lost, n_lost_reported), doubled, n_lost_reported)
        assert not tally.other, f"replies that were no redirect: {dict(tally.other)}"
        assert doubled == 0, f"{doubled} counted twice; {tally}"
        if n_lost_reported:
            assert lost <= n_lost_reported <= lost + tally.n_unanswered, (
                f"{lost} lost, {n_lost_reported} reported as lost; {tally}")
        else:
            tally.check(counted)
        if agree:
            counts.check_agreement()
        return counts
