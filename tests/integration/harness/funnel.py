"""What became of invoices, worked out a second time: from the list of all that happened, by an
independent reading of FORMATS.md "Invoices" and "Funnel"; and the sums as Redis has them."""
import calendar
import hashlib
import struct
import time as clock
import zlib
from collections import Counter, defaultdict

EPOCH_S = 1704067200
OUTCOMES = ["credited", "no_click", "before_click", "too_late", "opted_out", "replaced", "taken_back"]
RANK = {"invoice.unpaid": 0, "invoice.partly_paid": 1, "invoice.paid": 2, "invoice.credited": 3, "invoice.refunded": 4}


def delay_step(seconds):
    """Two steps an octave of seconds + 2."""
    n, octave = max(seconds, 0) + 2, 0
    while n >> octave >= 4:
        octave += 1
    return min(octave * 2 + (n >> octave) - 2, 63)


def code(currency):
    return int.from_bytes((currency or "\0\0\0").encode(), "big")


class Truth:
    """All that happened.  Times are Unix seconds; a click by a scanner is not told at all."""

    def __init__(self, window_s=30 * 86400):
        self.window_s = window_s
        self.clicks = defaultdict(list)  # object -> [(time, campaign, kind, variant, channel, issued minute)]
        self.money = defaultdict(list)   # object -> [(time, type, amount or None, currency, opted out)]
        self.cells = Counter()           # (hour, campaign, metric, kind, variant, channel, value) -> n

    def mails(self, time, campaign, n=1, variant=0, channel=1):
        self.cells[self.hour(time // 60 * 60), campaign, 1, 0, variant, channel, 0] += n

    def click(self, object, time, campaign, kind, issued, variant=0, channel=1):
        self.clicks[object].append((time, campaign, kind, variant, channel, (issued - EPOCH_S) // 60))

    def event(self, object, time, type, amount=None, currency=None, opted_out=False):
        self.money[object].append((time, type, amount, currency, opted_out))

    @staticmethod
    def hour(time):
        return (time - EPOCH_S) // 3600

    def sums(self):
        """The cells, and payments by what became of them."""
        cells = Counter(self.cells)
        for object in set(self.clicks) | set(self.money):
            self.weigh(cells, sorted(self.clicks[object]), self.money[object])
        cells = Counter({key: n for key, n in cells.items() if n})
        payments = Counter()
        for (_, _, metric, *_), n in cells.items():
            if 16 <= metric < 32:
                payments[OUTCOMES[metric - 16]] += n
        payments["in"] = sum(1 for events in self.money.values() for one in events
                             if one[1] in ("invoice.paid", "invoice.partly_paid"))
        return cells, payments

    def weigh(self, cells, clicks, money):
        def once(seen, click, metric, delay_metric, delay):
            _, campaign, kind, variant, channel, issued = click
            for k in (0, kind):
                if (campaign, k) not in seen:
                    seen.add((campaign, k))
                    cells[issued // 60, campaign, metric, k, variant, channel, 0] += 1
                    cells[issued // 60, campaign, delay_metric, k, variant, channel, delay_step(delay)] += 1
        seen = set()
        for click in clicks:
            once(seen, click, 2, 5, click[0] - EPOCH_S - click[5] * 60)
        payments = self.settle(money)
        seen = set()
        for payment in payments:
            time, amount, currency = payment["time"], payment["amount"], payment["currency"]
            outcome, click = payment["outcome"], None
            if outcome is None:
                outcome, click = self.find_click(clicks, payment)
            cells[self.hour(time), 0, 16 + OUTCOMES.index(outcome), 0, 0, 0, 0] += 1
            if payment["taken"]:
                cells[self.hour(time), 0, 32 + 6, 0, 0, 0, code(currency)] += payment["taken"]
            rest = (amount or 0) - payment["taken"]
            if rest:
                cells[self.hour(time), 0, 32 + OUTCOMES.index(outcome), 0, 0, 0, code(currency)] += rest
            if click:
                once(seen, click, 3, 6, time - click[0])
                if rest:
                    cells[click[5] // 60, click[1], 4, click[2], click[3], click[4], code(currency)] += rest

    @staticmethod
    def settle(money):
        """Payments in the order of time; `outcome` of those that earn nothing whatever was clicked."""
        payments = []
        for time, type, amount, currency, opted_out in sorted(
                money, key=lambda one: (one[0], RANK[one[1]], code(one[3]), one[2] or 0)):
            live = [one for one in payments if one["outcome"] is None]
            if type in ("invoice.paid", "invoice.partly_paid"):
                if type == "invoice.paid":
                    for one in live:
                        if one["type"] == "invoice.paid":
                            one["outcome"] = "replaced"
                payments.append({"time": time, "type": type, "amount": amount, "currency": currency, "taken": 0,
                                 "outcome": None, "opted_out": opted_out})
                continue
            left = None if type == "invoice.unpaid" or amount is None else amount
            for one in reversed(live):
                if left is None or one["amount"] is None:
                    one["taken"], one["outcome"] = one["amount"] or 0, "taken_back"
                    if left is not None:
                        break
                elif one["currency"] == currency:
                    part = min(left, one["amount"] - one["taken"])
                    one["taken"] += part
                    left -= part
                    if one["taken"] == one["amount"]:
                        one["outcome"] = "taken_back"
                    if left == 0:
                        break
        return payments

    def find_click(self, clicks, payment):
        before = [click for click in clicks if click[0] <= payment["time"]]
        if payment["opted_out"]:
            return "opted_out", None
        if not before:
            return ("before_click" if clicks else "no_click"), None
        if payment["time"] - before[-1][0] > self.window_s:
            return "too_late", None
        return "credited", before[-1]


def brand_number(name="acme"):
    return hashlib.blake2b(name.encode(), digest_size=32).digest()[:4].hex()


def read_series(text):
    """(campaign, metric, kind, variant, channel, hour, value) -> n"""
    cells = Counter()
    for at in range(0, len(text), 16):
        campaign, metric, route, high, low, n = struct.unpack(">HBHBHq", text[at:at + 16])
        place = (route >> 11, route >> 8 & 7, route >> 5 & 7, route & 31)
        if metric in (69, 70):  # eight steps, a byte each
            for step, count in enumerate(text[at + 8:at + 16]):
                if count:
                    cells[campaign, metric - 64, *place, (high << 16 | low) + step] += count
        elif metric != 0xff:
            cells[campaign, metric, *place, high << 16 | low] += n
    return cells


def read_sums(client, brand="acme", at_rest=True):
    """The same as Truth.sums(): cells from the series of days, after a look at those of months, unless they may change."""
    days, months, payments = Counter(), Counter(), Counter()
    for key in client.scan_iter(f"hc:*:f[sk]:{brand_number(brand)}:*"):
        period = key.decode().rsplit(":", 1)[1]
        for (campaign, metric, kind, variant, channel, hour, value), n in read_series(client.get(key)).items():
            if len(period) == 6:
                months[period, campaign, metric, kind, variant, channel, value] += n
            else:
                start = calendar.timegm((int(period[:4]), int(period[4:6]), int(period[6:]), 0, 0, 0))
                days[(start - EPOCH_S) // 3600 + hour, campaign, metric, kind, variant, channel, value] += n
    for (hour, campaign, metric, kind, variant, channel, value), n in days.items():
        month = clock.strftime("%Y%m", clock.gmtime(EPOCH_S + hour * 3600))
        months[month, campaign, metric, kind, variant, channel, value] -= n
    assert not at_rest or not any(months.values()), "days and months differ"
    for key in client.scan_iter("hc:*:payments"):
        payments.update({field.decode(): int(n) for field, n in client.hgetall(key).items()})
    return Counter({key: n for key, n in days.items() if n}), Counter({k: n for k, n in payments.items() if n})


# --- a year that never was: logs as two pods would have left them ---

KIND = {"view": 1, "pay": 2}
EVENT = {"invoice.paid": 1, "invoice.partly_paid": 2, "invoice.unpaid": 3, "invoice.refunded": 5,
         "invoice.credited": 6, "mail.sent": 8}
BRAND = struct.pack("<I", int(brand_number(), 16))


def click_record(link, time, object, client, campaign, kind, issued, variant, channel, label=0, old_label=None):
    """All of a click record but its position and checksum; with `old_label` a relabelling."""
    minute = (issued - EPOCH_S) // 60
    type_ = 1 if old_label is None else 2
    return struct.pack("<QqQ4sIIIH2sBBBBBBH", link, time * 1000, 0, BRAND, object, client,
                       minute | (type_ << 4 | kind) << 24, campaign, b"DE", channel | variant << 3,
                       label | (old_label or 0) << 4, 9 if label else 0, 1, 0, 0, 0)


def event_record(number, type, time, object=0, client=0, amount=None, currency=None, campaign=0, variant=0, channel=0,
                 value=0):
    letters = code(currency)
    word = letters | (3 << 4 | EVENT[type]) << 24
    return (struct.pack("<Qqq4sIIIHI", 0, time * 1000, amount or 0, BRAND, object, client, word, campaign, value)
            + bytes([channel | variant << 3]) + struct.pack("<Q", number)[:5])


class Year:
    """Invoices of a year, each reminded up to four times, clicked, paid; by a random generator."""

    DAY = 86400

    def __init__(self, rng, invoices, end, pods=2):
        self.rng, self.end = rng, end
        self.truth = Truth()
        self.logs = [[] for _ in range(pods)]  # records without position and checksum
        self.numbers = 0
        self.client_of = {}
        self.mailed = defaultdict(dict)  # campaign -> object -> when
        for object in range(1, invoices + 1):
            self.invoice(object)
        for log in self.logs:
            rng.shuffle(log)
            # What a log that does not begin with a click holds is not among the pending clicks.
            first = next(at for at, record in enumerate(log) if record[39] >> 4 == 1)
            log[0], log[first] = log[first], log[0]
            # The newest comes last: a log whose end is a month old may have been counted.
            log.append(click_record(1, end - 60, 0, 0, 0, 1, end - 600, 0, 0, label=2))

    def put(self, record):
        self.rng.choice(self.logs).append(record)

    def event(self, object, client, type, time, amount=None, currency=None):
        if time > self.end:
            return
        self.numbers += 1
        record = event_record(self.numbers, type, time, object, client, amount, currency)
        self.put(record)
        if self.rng.random() < 0.05:
            self.put(record)  # sent twice
        self.truth.event(object, time, type, amount, currency)

    def is_owed(self, object):
        """The newest event says so; a credit note or refund over a part of it does not."""
        newest = max(self.truth.money[object], key=lambda one: (one[0], RANK[one[1]]), default=(0, "invoice.unpaid"))
        return newest[1] in ("invoice.unpaid", "invoice.partly_paid")

    def invoice(self, object):
        rng, day = self.rng, self.DAY
        made = self.end - rng.randrange(365 * day)
        client = self.client_of[object] = rng.randrange(1, 1 + object // 2 + 1)
        currency = rng.choice(["EUR", "EUR", "USD", "JPY"])
        amount = rng.randrange(500, 200000)
        pays = rng.choices([None, rng.expovariate(1 / (12 * day)), rng.uniform(30, 90) * day], [15, 80, 5])[0]
        paid = None if pays is None else made + int(pays)
        last_click = None
        for step, after in enumerate((0, 14, 21, 30)):
            sent = made + after * day
            if sent > self.end or (paid and paid < sent):
                break
            click = self.mail(object, client, step + 1, sent, paid)
            last_click = click or last_click
        if last_click and paid and rng.random() < 0.7:
            paid = last_click + int(rng.lognormvariate(7, 2.5))  # most pay after a click
        if paid:
            self.pay(object, client, paid, amount, currency)

    def mail(self, object, client, campaign, sent, paid):
        """One reminder and what is clicked of it; the time of the last click by a person."""
        rng = self.rng
        variant = rng.choice([1, 2]) if campaign == 2 else 0
        self.numbers += 1
        self.put(event_record(self.numbers, "mail.sent", sent, object, client, campaign=campaign, variant=variant,
                              channel=1, value=1))
        self.truth.mails(sent, campaign, variant=variant)
        self.mailed[campaign][object] = sent
        links = {kind: zlib.crc32(f"{object} {campaign} {kind}".encode()) for kind in ("view", "pay")}
        # Of two clicks of one link in one minute only the first is told (FORMATS.md "Invoices"), and which
        # one that is depends on the pods: here, a minute has one click of a link at most.
        taken = set()

        def click(kind, time, label=0, old_label=None):
            self.put(click_record(links[kind], time, object, client, campaign, KIND[kind], sent, variant, 1, label,
                                  old_label))
        if rng.random() < 0.3:  # a gateway that opens all links, and is found now or later
            for kind in links:
                at = sent + rng.randrange(1, 60)
                if at > self.end:
                    continue
                taken.add((kind, at // 60))
                if rng.random() < 0.5:
                    click(kind, at, label=1)
                else:
                    click(kind, at)
                    click(kind, at, label=1, old_label=0)
        last = None
        for _ in range(rng.choices([0, 1, 2, 3], [40, 40, 15, 5])[0]):
            kind, at = rng.choice(["view", "pay"]), sent + int(rng.lognormvariate(9, 2))
            while (kind, at // 60) in taken:
                at += 60
            if at > self.end:
                continue
            taken.add((kind, at // 60))
            click(kind, at)
            self.truth.click(object, at, campaign, KIND[kind], sent, variant)
            last = max(at, last or at)
        return last

    def pay(self, object, client, at, amount, currency):
        rng, day = self.rng, self.DAY
        if rng.random() < 0.1:
            self.event(object, client, "invoice.partly_paid", at - 3600, amount // 3, currency)
            amount -= amount // 3
        if rng.random() < 0.05:
            self.event(object, client, "invoice.paid", at)  # no amount is told
        else:
            self.event(object, client, "invoice.paid", at, amount, currency)
        chance = rng.random()
        if chance < 0.03:
            self.event(object, client, "invoice.refunded", at + day, amount, currency)
        elif chance < 0.06:
            self.event(object, client, "invoice.credited", at + 2 * day, amount // 4, currency)
        elif chance < 0.08:
            self.event(object, client, "invoice.unpaid", at + day)
            self.event(object, client, "invoice.paid", at + 3 * day, amount, currency)
        elif chance < 0.10:
            self.event(object, client, "invoice.paid", at + 600, amount + 100, currency)  # twice, other amounts


def rows_of(cells, start, end, groups):
    """What GET /v1/funnel must answer of these cells: {key: {sent, clicked, paid, amount, …}}, and under None the total."""
    rows = defaultdict(lambda: {"sent": 0, "clicked": 0, "paid": 0, "amount": Counter(), "sent_to_click": Counter(),
                                "click_to_pay": Counter()})
    for (hour, campaign, metric, kind, variant, channel, value), n in cells.items():
        time = EPOCH_S + hour * 3600
        if not start <= time < end or metric >= 16:
            continue
        place = {"campaign": str(campaign), "kind": {1: "view", 2: "pay"}.get(kind),
                 "variant": ["none", *"ABCDEFG"][variant], "channel": ["unknown", "mail"][channel]}
        keys = []
        if metric == 4 or kind == 0:
            keys.append(None)
        if metric == 4 or (kind != 0) == ("kind" in groups):
            keys.append(",".join(place[group] for group in groups))
        for key in keys:
            row = rows[key]
            if metric in (1, 2, 3):
                row[[None, "sent", "clicked", "paid"][metric]] += n
            elif metric == 4:
                row["amount"][value.to_bytes(3, "big").decode()] += n
            else:
                row["sent_to_click" if metric == 5 else "click_to_pay"][value] += n
    return rows


def step_begin(step):
    return ((2 + step % 2) << step // 2) - 2


def quantile(steps, quarters):
    total, below = sum(steps.values()), 0
    for step in sorted(steps):
        below += steps[step]
        if 4 * below >= quarters * total:
            return (step_begin(step) + step_begin(step + 1)) // 2
    return None
