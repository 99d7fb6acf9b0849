"""People whose clicks wait, and are counted, while Redis refuses at one moment or another, or another process is faster:
everybody is counted once, and statistics are answered meanwhile."""
import collections
import datetime
import itertools
import struct
import threading

import pytest

from faults.proxy import Proxy
from harness import counters, hll
from harness.counters import brand_number, nobody_waits
from harness.daemon import merge
from harness.wait import wait_until
from test_people_hours import LEN_MAX
from test_visitors import CONFIG

SLOW = merge(CONFIG, {"redis": {"timeout_ms": 20000}})
UTC = datetime.timezone.utc
LETTERS = {False: "u", True: "v"}
HOUR = 10
SLOTS = 300  # of 128 at a time
LARGE = 1000  # a campaign; all others have one person
CLICKS = 100000


def sort_of(frame):
    """Which part of counting people a command is."""
    if b":cur:" in frame:
        return None  # a batch
    if b"REPL_NONE" in frame:
        return "count"
    if b"}:rejected\r\n" in frame and b"}:moment\r\n" in frame:
        return "add"
    if b"}:wq\r\n" in frame:
        return "slots"
    if b"}:ws\r\n" in frame and b"EVAL" in frame:
        return "done"
    return "load" if frame[:40].find(b"MGET") > 0 and b"}:w:" in frame else None


class Moments(Proxy):
    """Does something before the n-th command of a sort passes on; see await_moment()."""

    def __init__(self, port):
        super().__init__(port)
        self.waiting, self.seen, self.most = None, collections.Counter(), 0
        self.reached = threading.Event()

    def await_moment(self, sort, n, act):
        self.reached.clear()
        self.seen.clear()
        self.waiting = (sort, n, act)

    def take_strike(self, command, frame):
        sort = sort_of(frame)
        self.seen[sort] += 1
        if sort == "add":
            self.most = max(self.most, self.seen[sort] - self.seen["added"])
        if self.waiting and self.waiting[:2] == (sort, self.seen[sort]):
            act, self.waiting = self.waiting[2], None
            act()
            self.reached.set()
        return super().take_strike(command, frame)

    def alter(self, frame):
        self.seen["added"] += frame.startswith(b"*3\r\n:1\r\n:0\r\n$0\r\n")
        return frame


@pytest.fixture
def make_moments(redis):
    proxies = []

    def make():
        proxies.append(Moments(redis.port).start())
        return proxies[-1]
    yield make
    for proxy in proxies:
        proxy.stop()


@pytest.fixture
def moments(make_moments):
    return make_moments()


def record(who, campaign, is_visitor=False, n=1):
    """A click that waits, of its campaign and of all."""
    return struct.pack(">QIHH", who, int(brand_number("acme"), 16), campaign, n + 4096 << 3 | 6 | is_visitor)


def add_slot(pipeline, slot, records):
    """As a batch does."""
    pipeline.append(f"hc:{{s00}}:w:{slot}", b"".join(records))
    pipeline.expire(f"hc:{{s00}}:w:{slot}", 30 * 86400)
    pipeline.zadd("hc:{s00}:ws", {slot: slot * 2**21 + len(records)})


class People:
    """Clicks of an hour that wait, and beside them PFADD of everybody."""

    def __init__(self, client, daemon):
        self.client, self.daemon, self.brand, self.known = client, daemon, brand_number("acme"), itertools.count(1)
        wait_until(lambda: client.get("hc:{s00}:shards"), what="the number of shards is agreed on")

    def seed(self, days_ago):
        """Of a day of its own; one campaign has too many people for a string, each other one person."""
        day = datetime.datetime.now(UTC).replace(hour=HOUR, minute=0, second=0, microsecond=0) - datetime.timedelta(days_ago)
        pipeline, first = self.client.pipeline(transaction=False), int(day.timestamp()) // 10
        series = f"t:{self.brand}:*:h:l:{day:%Y%m%d}"
        pipeline.append(f"hc:{{s00}}:{series}", counters.record("label", HOUR, 1, 0, 0, CLICKS))
        for i in range(SLOTS):
            records = []
            for campaign, is_visitor in [(LARGE, i % 4 == 3)] * 3 + [(i, False)]:
                who = next(self.known)
                records.append(record(who, campaign, is_visitor))
                for scope in (campaign, "*"):
                    for period in (f"{day:%Y%m%d}", f"{day:%Y%m}"):
                        pipeline.pfadd(f"plain:{LETTERS[is_visitor]}:{scope}:{period}",
                                       who.to_bytes(8 if is_visitor else 4, "big"))
            add_slot(pipeline, first + i, records)
        pipeline.execute()
        return day

    def hour_registers(self, name, day):
        """Of the string and the HyperLogLog together."""
        string = self.client.get(f"hc:{{s00}}:{name.replace(':', 'h:', 1)}:{day:%Y%m%d}") or b""
        found = collections.Counter()
        assert len(string) <= LEN_MAX
        for (number,) in struct.iter_unpack(">I", string if string != b"H" else b""):
            assert number >> 20 == HOUR
            found[number >> 6 & 0x3fff] = max(found[number >> 6 & 0x3fff], number & 63)
        text = self.client.get(f"hc:{{s00}}:{name}:{day:%Y%m%d}{HOUR}")
        for register, rank in hll.registers(text).items() if text else ():
            found[register] = max(found[register], rank)
        return dict(found)

    def check(self, day):
        for letter, campaign in itertools.product("uv", ("*", LARGE, 0, 127, 128, SLOTS - 1)):
            name, plain = f"{letter}:{self.brand}:{campaign}", f"plain:{letter}:{campaign}"
            for period in (f"{day:%Y%m%d}", f"{day:%Y%m}"):
                assert self.client.pfcount(f"hc:{{s00}}:{name}:{period}") == self.client.pfcount(f"{plain}:{period}"), name
            want = self.client.get(f"{plain}:{day:%Y%m%d}")
            assert self.hour_registers(name, day) == (hll.registers(want) if want else {}), name
        for key in (*self.client.scan_iter("hc:*:u*"), *self.client.scan_iter("hc:*:v*")):
            assert self.client.ttl(key) > 0, key

    def ask(self, day, more=""):
        answer = self.daemon.api("GET", f"/v1/stats?brand=acme&from={day:%Y-%m-%dT%H:00:00Z}&to={day:%Y-%m-%dT11:00:00Z}"
                                        f"&clients=true{more}")
        return answer["total"]["clients"], answer["total"]["visitors"], answer["clients_by"]

    def plain(self, day, letter):
        return self.client.pfcount(f"plain:{letter}:*:{day:%Y%m%d}")

    def truth(self, day):
        return self.plain(day, "u"), self.plain(day, "v")


def out_of_memory(client):
    client.config_set("maxmemory", 1)
    return lambda: client.config_set("maxmemory", 0)


def read_only(client):
    client.replicaof("127.0.0.1", "1")
    return lambda: client.replicaof("NO", "ONE")


def too_few_replicas(client):
    client.config_set("min-replicas-to-write", 1)
    return lambda: client.config_set("min-replicas-to-write", 0)


def forbidden(*commands):
    def forbid(client):
        client.execute_command("ACL", "SETUSER", "default", *(f"-{command}" for command in commands))
        return lambda: client.execute_command("ACL", "SETUSER", "default", "+@all")
    return forbid


# The last takes effect behind the first write of a script.
REFUSALS = {"OOM": out_of_memory, "READONLY": read_only, "NOPERM": forbidden("expire", "pfmerge", "zrem")}
# Before which command: the first and the second page, the parcels of people, the end of a page.
MOMENTS = (("slots", 1), ("load", 1), ("add", 1), ("add", 2), ("done", 1), ("slots", 2))


@pytest.mark.parametrize("cause", REFUSALS)
def test_redis_begins_to_refuse_at_any_moment(make_hopcountd, redis, moments, cause):
    daemon = make_hopcountd(moments.url, CONFIG)
    client = redis.client()
    people, days = People(client, daemon), []
    for i, (sort, n) in enumerate(MOMENTS):
        heal = []
        moments.await_moment(sort, n, lambda: heal.append(REFUSALS[cause](client)))  # pylint: disable=cell-var-from-loop
        days.append(people.seed(2 + i))
        wait_until(moments.reached.is_set, 30, f"{sort} {n} comes", pause=0.05)
        wait_until(lambda: daemon.metrics().total("hopcount_redis_refusal") == 1, 20,
                   lambda: f"Redis refuses at {sort} {n}: {daemon.stderr_tail()}", pause=0.05)
        clients, visitors, _ = people.ask(days[-1], f"&limit={900 - i}")
        assert clients <= people.truth(days[-1])[0] and visitors <= people.truth(days[-1])[1]
        heal[0]()
        wait_until(lambda: nobody_waits(client), 60, lambda: f"all are counted after {sort} {n}: {daemon.stderr_tail()}", pause=0.1)
        for day in days:
            people.check(day)
        wait_until(lambda: daemon.metrics().total("hopcount_redis_refusal") == 0, 20, "Redis refuses nothing, though nobody clicks")
        wait_until(lambda: people.ask(days[-1], f"&limit={800 - i}") == (*people.truth(days[-1]), "hours"), 20,  # pylint: disable=cell-var-from-loop
                   lambda: f"{people.ask(days[-1])}", pause=0.3)
    assert not client.exists("hc:{s00}:rejected") and not client.exists("hc:{s00}:moment")
    wait_until(lambda: not client.keys("hc:*:w:*"), 20, "what waited is gone", pause=0.2)


@pytest.mark.parametrize("refuse", [out_of_memory, read_only, too_few_replicas, forbidden("set")],
                         ids=["OOM", "READONLY", "NOREPLICAS", "NOPERM"])
def test_hours_were_known_and_can_not_be_counted_a_moment_later(make_hopcountd, redis, moments, refuse):
    """Redis begins to refuse between the question whose hours are known and the count: it is by days then."""
    daemon = make_hopcountd(moments.url, CONFIG)
    client = redis.client()
    people = People(client, daemon)
    day = people.seed(3)
    wait_until(lambda: nobody_waits(client), 30, "all are counted", pause=0.1)
    client.append(f"hc:{{s00}}:t:{people.brand}:5:h:{day:%Y%m%d}", counters.record("label", HOUR, 1, 0, 0, CLICKS))

    def ask(limit):
        return people.ask(day, f"&campaign=5&limit={limit}")  # one person, in a string
    moments.await_moment("count", 3, lambda: None)  # behind those of clients and visitors of a day
    assert ask(900) == (1, 0, "hours") and moments.reached.is_set() and moments.seen["count"] == 4
    heal = []
    moments.await_moment("count", 3, lambda: heal.append(refuse(client)))
    assert ask(899) == (1, 0, "days") and moments.reached.is_set()
    assert ask(898) == (1, 0, "days")
    heal[0]()
    assert ask(897) == (1, 0, "hours")


def test_another_process_has_counted_a_slot_meanwhile(make_hopcountd, make_moments, redis):
    """It has emptied the slot, and as many others have clicked since: whoever ends later must not forget them."""
    client, go_on, slow, fast = redis.client(), threading.Event(), make_moments(), make_moments()
    slow.await_moment("add", 1, lambda: go_on.wait(60))
    fast.await_moment("add", 1, lambda: wait_until(lambda: slow.seen["add"], 20, "the other process has read the slot, too"))
    for name, proxy in (("slow", slow), ("fast", fast)):
        make_hopcountd(proxy.url, SLOW, name)
    slot = int(datetime.datetime.now(UTC).timestamp()) // 10 - 8640
    key = f"hc:{{s00}}:u:{brand_number('acme')}:7:{datetime.datetime.fromtimestamp(slot * 10, UTC):%Y%m%d}"
    add_slot(client, slot, [record(100 + i, 7) for i in range(3)])
    wait_until(lambda: client.pfcount(key) == 3 and nobody_waits(client), 30, "one process has counted the slot", pause=0.02)
    assert slow.waiting is None and not slow.reached.is_set()
    add_slot(client, slot, [record(200 + i, 7) for i in range(3)])
    go_on.set()
    wait_until(lambda: client.pfcount(key) == 6, 20, lambda: f"all are counted: {client.pfcount(key)}", pause=0.1)
    wait_until(lambda: nobody_waits(client), 20, "the slot is done with")


def test_people_of_very_many_campaigns_come_bit_by_bit(make_hopcountd, redis, moments):
    """One slot with thousands of campaigns: the answers to all commands at once would come too late."""
    daemon, client = make_hopcountd(moments.url, CONFIG), redis.client()
    wait_until(lambda: client.get("hc:{s00}:shards"), what="the number of shards is agreed on")
    slot, campaigns = int(datetime.datetime.now(UTC).timestamp()) // 10 - 8640, 9000
    add_slot(client, slot, [record(1 + i, i % campaigns) for i in range(12000)])
    wait_until(lambda: nobody_waits(client), 60, "all are counted", pause=0.1)
    assert moments.seen["add"] >= campaigns / 128 and moments.most <= 4
    day, plain = f"{datetime.datetime.fromtimestamp(slot * 10, UTC):%Y%m%d}", "plain"
    client.pfadd(plain, *((1 + i).to_bytes(4, "big") for i in range(12000)))
    assert client.pfcount(f"hc:{{s00}}:u:{brand_number('acme')}:*:{day}") == client.pfcount(plain)
    assert [client.pfcount(f"hc:{{s00}}:u:{brand_number('acme')}:{campaign}:{day}") for campaign in (0, 2999, 3000, 8999)] == [2, 2, 1, 1]
    assert not daemon.log_lines("redis.down")


def test_what_an_older_build_has_listed_stays_listed_until_it_can_be_moved(make_hopcountd, redis, moments):
    """Somebody else's key is in the place of the set of slots, and goes."""
    daemon, client, slots = make_hopcountd(moments.url, CONFIG), redis.client(), "hc:{s00}:ws"
    wait_until(lambda: client.get("hc:{s00}:shards"), what="the number of shards is agreed on")
    client.rpush(slots, "no set of slots")
    slot = int(datetime.datetime.now(UTC).timestamp()) // 10 - 8640
    for i in range(5):
        client.append(f"hc:{{s00}}:w:{slot + i}", record(1 + i, 7))
        client.append("hc:{s00}:wq", struct.pack(">II", slot + i, 16))
    moments.seen.clear()
    wait_until(lambda: moments.seen["slots"] > 2, 20, "it is looked for slots")
    client.delete(slots)
    key = f"hc:{{s00}}:u:{brand_number('acme')}:7:{datetime.datetime.fromtimestamp(slot * 10 + 40, UTC):%Y%m}"
    wait_until(lambda: client.pfcount(key) == 5, 20, lambda: f"all are counted: {client.pfcount(key)}", pause=0.1)
    daemon.shut_down()


def test_slots_of_any_time_and_keys_that_are_not_ours(make_hopcountd, redis):
    """Of a clock that was far off, of somebody else's, and without a key: none holds up the others."""
    daemon, client, slots = make_hopcountd(redis, CONFIG), redis.client(), "hc:{s00}:ws"
    wait_until(lambda: client.get("hc:{s00}:shards"), what="the number of shards is agreed on")
    now = int(datetime.datetime.now(UTC).timestamp()) // 10
    for slot in (0, 1, now - 8640, now + 8640 * 400, 2**32 - 1):
        add_slot(client, slot, [record(1 + slot, 7)])
    for i, value in enumerate((b"", b"abc", b"no record of ours", None)):
        client.zadd(slots, {now - 8000 + i: (now - 8000 + i) * 2**21 + 5})
        if value is not None:
            client.set(f"hc:{{s00}}:w:{now - 8000 + i}", value)
    client.rpush(f"hc:{{s00}}:w:{now - 8001}", "a list")
    client.zadd(slots, {now - 8001: (now - 8001) * 2**21 + 1})
    wait_until(lambda: nobody_waits(client), 30, lambda: f"all are counted: {client.zrange(slots, 0, -1)}", pause=0.1)
    assert client.lrange(f"hc:{{s00}}:w:{now - 8001}", 0, -1) == [b"a list"]
    days = collections.Counter(key.decode().split(":")[-1] for key in client.scan_iter(f"hc:*:u:{brand_number('acme')}:7:????????"))
    when = [datetime.datetime.fromtimestamp(slot * 10, UTC) for slot in (0, now - 8640, now + 8640 * 400, 2**32 - 1)]
    assert days == {f"{day:%Y%m%d}": 1 for day in when}
    assert client.pfcount(f"hc:{{s00}}:u:{brand_number('acme')}:7:19700101") == 2
    ended = datetime.datetime.now(UTC)

    def counted_to():
        as_of = daemon.api("GET", "/v1/stats?brand=acme&interval=day&clients=true")["clients_as_of"]
        return as_of and datetime.datetime.fromisoformat(as_of)
    wait_until(lambda: (counted_to() or ended) > ended, 20, lambda: f"everybody is counted up to now: {counted_to()}", pause=0.3)
    daemon.shut_down()
