"""Events beside the clicks of a trial, and the verdict: what became of each invoice and client, by all that
was accepted, is what Redis holds and what every pod says."""
import hashlib
import http.client
import json
import threading
import time

from harness.wait import wait_until

STATES = {"unpaid": 1, "partly_paid": 2, "paid": 3, "credited": 4, "refunded": 5, "cancelled": 6}
NAMES = {number: name for name, number in STATES.items()}
# So many that no invoice has more payments and refunds than are kept of one (FUNNEL_MONEY_MAX), however
# long a schedule takes.
N_INVOICES, N_CLIENTS, FIRST = 120, 12, 900000
EPOCH_S, MASK = 1704067200, 2**64 - 1
OBJECT, OPTED_OUT = 1, 7


def key_of(kind, number, brand="acme"):
    """The key of a state, by FORMATS.md alone."""
    brand_id = int.from_bytes(hashlib.blake2b(brand.encode(), digest_size=32).digest()[:4], "big")
    x = (brand_id << 32 | number) ^ kind * 0x9e3779b97f4a7c15 & MASK
    for factor in (0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53):
        x = (x ^ x >> 33) * factor & MASK
    return x ^ x >> 33


def states_in(clients):
    """{key: value}, the greatest of each, over the tables of states of all servers."""
    held = {}
    for client in clients:
        for name in client.scan_iter("hc:{s??}:e:???", count=1000):
            table = client.get(name) or b""
            assert len(table) % 16 == 0, name
            for at in range(0, len(table), 16):
                key, value = (int.from_bytes(table[at + i:at + i + 8], "big") for i in (0, 8))
                held[key] = max(value, held.get(key, 0))
    return held


class Told:
    """Sends events to the first pod while the body of `with` runs: in any order of their times, some twice."""

    def __init__(self, pods, rng):
        self.pods, self.rng = pods, rng
        self.truth = {}  # (kind, number) -> (time, what), the greatest
        self.sent, self.n_accepted, self.n_again, self.n_unanswered = [], 0, 0, 0
        self._stop = threading.Event()
        self._thread = None
        self._failure = None

    def __enter__(self):
        self._stop.clear()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        if self._failure:
            raise self._failure

    def _run(self):
        try:
            while not self._stop.is_set():
                if self.sent and self.rng.random() < 0.1:
                    self._send(*self.rng.choice(self.sent), again=True)
                else:
                    self._send(*self._make())
                time.sleep(0.005)  # a pace, not a wait
        except Exception as failure:  # pylint: disable=broad-except
            self._failure = failure

    def _make(self):
        at = int(time.time()) - self.rng.randrange(600)
        event = {"id": f"told-{len(self.sent)}", "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))}
        if self.rng.random() < 0.3:
            subject = OPTED_OUT, FIRST + self.rng.randrange(N_CLIENTS)
            what = self.rng.randrange(2)
            event |= {"type": ("client.opted_in", "client.opted_out")[what], "client": subject[1]}
        else:
            subject = OBJECT, FIRST + self.rng.randrange(N_INVOICES)
            what = self.rng.choice(list(NAMES))
            event |= {"type": f"invoice.{NAMES[what]}", "object": subject[1]}
        self.sent.append((event, subject, (at, what)))
        return self.sent[-1]

    def _send(self, event, subject, value, again=False):
        """Until it is answered: a pod that was killed may have taken it, or not."""
        def answered():
            try:
                reply = self.pods[0].admin("POST", "/v1/events", event, key=True)
            except (OSError, http.client.HTTPException):
                self.n_unanswered += 1
                return None
            if reply.status == 503:  # no room in the log: not accepted
                self.n_unanswered += 1
                return None
            assert reply.status == 202, f"{reply.status} {reply.text}"
            return reply.text
        text = wait_until(answered, 40, "the event is answered", pause=0.02)
        assert '"accepted"' in text or '"duplicate"' in text, text
        self.n_accepted += not again
        self.n_again += again
        self.truth[subject] = max(value, self.truth.get(subject, (0, 0)))

    def opt_out_one(self):
        """One event of a client, outside of `with`; its subject."""
        at, subject = int(time.time()) - 600, (OPTED_OUT, FIRST)
        event = {"id": "told-first", "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)),
                 "type": "client.opted_out", "client": FIRST}
        self._send(event, subject, (at, 1))
        return subject

    def wait_accepted(self, n):
        """Waits for `n` more events than there are now."""
        before = self.n_accepted
        wait_until(lambda: self.n_accepted >= before + n or self._failure, 60, f"{n} events are accepted")

    def verdict(self, read):
        """Waits until Redis and each pod say what was accepted."""
        def held():
            tables, wrong = states_in(read()), {}
            for (kind, number), (at, what) in self.truth.items():
                value = tables.get(key_of(kind, number), 0)
                have = EPOCH_S + (value >> 24 & 0xfffffffff) // 32, value & 0xffffff
                if have != (at, what):
                    wrong[kind, number] = have, (at, what)
            return wrong

        def said(pod):
            return {(kind, number): self._ask(pod, kind, number) for (kind, number), (_, what) in self.truth.items()
                    if self._ask(pod, kind, number) != (NAMES[what] if kind == OBJECT else bool(what))}
        wait_until(lambda: not held(), 60, lambda: f"Redis holds what was told: {held()}", pause=0.2)
        for pod in self.pods:
            wait_until(lambda: not said(pod), 60, lambda: f"{pod.name} knows what was told: {said(pod)}", pause=0.2)
        paid = sum(1 for event, *_ in self.sent if event["type"] in ("invoice.paid", "invoice.partly_paid"))

        def payments(pod):
            """In = what became of them, by outcome; nothing waits any more."""
            metrics = pod.metrics()
            became = sum(n for name, n in metrics.items() if name.startswith("hopcount_payments{"))
            return metrics.get("hopcount_payments_in"), became, metrics.get("hopcount_funnel_waiting")
        for pod in self.pods:
            wait_until(lambda: payments(pod) == (paid, paid, 0), 60,
                       lambda: f"{pod.name}: payments in, weighed, waiting: {payments(pod)}, not {(paid, paid, 0)}", pause=0.2)
        print(f"events: {self.n_accepted} accepted, {self.n_again} sent again, {self.n_unanswered} without an answer, "
              f"{len(self.truth)} states")

    @staticmethod
    def _ask(pod, kind, number):
        token = pod.mint("view", number if kind == OBJECT else 0, client=number if kind == OPTED_OUT else 0)
        reply = pod.admin("GET", f"/v1/links/{token}", key=True)
        if reply.status != 200:
            return reply.status
        link = json.loads(reply.text)
        return link["state"] if kind == OBJECT else link["opted_out"]
