"""The scripts that count people by the hour, in strings of records and in HyperLogLogs: whatever becomes of the people,
the hours are what PFADD alone would have made of them."""
import contextlib
import pathlib
import struct

import pytest
import redis as redis_py

from harness import hll
from harness.wait import wait_until

SERVICE = pathlib.Path(__file__).resolve().parents[2] / "service"
ADD = "".join((SERVICE / "ledger" / name).read_text() for name in ("append.lua", "hll.lua", "people_add.lua"))
COUNT = (SERVICE / "ledger" / "hll.lua").read_text() + (SERVICE / "admin" / "stats" / "people_count.lua").read_text()
DAYS = ("20261027", "20261028")
LEN_MAX, TTL = 2048, 3000


def packed(items):
    out = b"\xdd" + struct.pack(">I", len(items))
    for item in items:
        out += b"\xce" + struct.pack(">I", item) if isinstance(item, int) else b"\xda" + struct.pack(">H", len(item)) + item
    return out


class Counted:
    """People of a campaign as they are added by the script, and beside them by PFADD."""

    def __init__(self, server, letter="v", campaign=7):
        self.client, self.letter, self.campaign = server.client(), letter, campaign
        self.client.set("hc:{s00}:shards", 1)

    def key(self, period, kind=""):
        return f"hc:{{s00}}:{self.letter}{kind}:00000007:{self.campaign}:{period}"

    def string(self, day):
        return self.client.get(self.key(day, "h")) or b""

    def send(self, *runs, with_hours=True):
        """Runs: (day, hour, people)."""
        keys, items = ["hc:{s00}:shards", "hc:{s00}:rejected", "hc:{s00}:moment"], []
        for day, hour, people in runs:
            keys += [self.key(day, "h")] * with_hours + [self.key(day), self.key(day[:6])]
            records = b"".join(hll.record(hour, who) for who in people) if len(people) <= LEN_MAX // 4 and with_hours else b""
            items += [len(people), 2 + with_hours, hour, records, *people]
        return self.client.eval(ADD, len(keys), *keys, 1, TTL, 4000, 5000, LEN_MAX, packed(items))

    def add(self, day, hour, people, **more):
        for key in (f"{day}{hour:02}", day, day[:6]):
            self.client.pfadd(f"plain:{self.letter}:{self.campaign}:{key}", *people)
        answer = self.send((day, hour, people), **more)
        assert answer[0] == 1
        return answer[1]

    def count(self, *spans):
        """By the script: spans are (day, first hour, hour behind the last)."""
        hours = [self.key(f"{day}{hour:02}") for day, first, end in spans for hour in range(first, end)]
        keys = ["hc:{s00}:moment", *(self.key(day, "h") for day, _, _ in spans), *hours]
        return self.client.eval(COUNT, len(keys), *keys, *(hour for span in spans for hour in span[1:]))

    def plain(self, *spans):
        return self.client.pfcount(*(f"plain:{self.letter}:{self.campaign}:{day}{hour:02}"
                                     for day, first, end in spans for hour in range(first, end)))

    def check(self, *more):
        for spans in (((DAYS[0], 0, 24),), ((DAYS[1], 0, 24),), ((DAYS[0], 23, 24), (DAYS[1], 0, 23)), *more):
            assert self.count(*spans) == self.plain(*spans), spans
        for period in (*DAYS, DAYS[0][:6]):
            assert self.client.pfcount(self.key(period)) == self.client.pfcount(f"plain:{self.letter}:{self.campaign}:{period}")
        assert not self.client.exists("hc:{s00}:moment")

    def assert_split(self, day):
        """Its hours are HyperLogLogs that hold what PFADD makes."""
        assert self.string(day) == b"H" and 0 < self.client.ttl(self.key(day, "h")) <= TTL
        for hour in range(24):
            ours, plain = (self.client.get(key) for key in
                           (self.key(f"{day}{hour:02}"), f"plain:{self.letter}:{self.campaign}:{day}{hour:02}"))
            assert (ours is None) == (plain is None), hour
            if ours:
                assert hll.registers(ours) == hll.registers(plain), hour
                assert 0 < self.client.ttl(self.key(f"{day}{hour:02}")) <= TTL


@pytest.fixture
def people(rng):
    known = {4: [], 8: []}

    def make(n, size=8):
        """Some of them have been here before."""
        known[size] += [rng.randbytes(size) for _ in range(n)]
        return rng.sample(known[size], n)
    return make


def test_elements_are_counted_where_redis_counts_them(redis, rng):
    client = redis.client()
    for size in range(40):
        element = rng.randbytes(size)
        client.delete("one")
        client.pfadd("one", element)
        assert hll.registers(client.get("one")) == dict([hll.place(element)])
    for rank in (1, 32, 33, 50, 51):
        assert hll.place(hll.element_at(77, rank)) == (77, rank)


@pytest.mark.parametrize("letter,size", [("u", 4), ("v", 8)])
def test_hours_are_what_pfadd_makes(redis, rng, people, letter, size):
    """Small campaigns and large, in any order, some of it twice."""
    n_split = 0
    for campaign in range(12):
        counted, sent = Counted(redis, letter, campaign), []
        most = rng.choice((1, 3, 40, 300, 1500, 6000))
        for _ in range(60 if most < 1000 else 12):
            sent.append((rng.choice(DAYS), rng.randrange(24), people(rng.randint(1, most), size)))
            if rng.random() < 0.1:
                sent.append(rng.choice(sent))
            assert counted.add(*sent[-1]) == 0
        counted.check(*(((day, first, rng.randint(first + 1, 24)),) for day in DAYS for first in (0, 5, rng.randrange(24))))
        for day in DAYS:
            if counted.string(day) == b"H":
                counted.assert_split(day)
                n_split += 1
            else:
                assert 0 <= len(counted.string(day)) <= LEN_MAX
                assert not counted.client.keys(counted.key(day + "*"))[1:]  # the day alone
    assert 2 <= n_split < 24


def test_each_side_of_the_limit(redis, people):
    counted = Counted(redis)
    for n in (400, 112):
        counted.add(DAYS[0], 9, people(n))
    assert len(counted.string(DAYS[0])) == LEN_MAX
    counted.check()
    counted.add(DAYS[0], 10, people(1))
    counted.assert_split(DAYS[0])
    counted.check()
    counted.add(DAYS[0], 10, people(1))
    counted.assert_split(DAYS[0])
    counted.add(DAYS[1], 3, people(LEN_MAX // 4))
    assert len(counted.string(DAYS[1])) == LEN_MAX
    counted.add(DAYS[1], 3, people(LEN_MAX // 4 + 1))
    counted.assert_split(DAYS[1])
    counted.check()
    counted.campaign = 8
    counted.add(DAYS[1], 3, people(LEN_MAX // 4 + 1))
    counted.assert_split(DAYS[1])
    counted.campaign = 9
    counted.add(DAYS[1], 3, people(5), with_hours=False)
    assert not counted.string(DAYS[1]) and counted.count((DAYS[1], 0, 24)) == 0


def test_ranks_that_a_sparse_hyperloglog_does_not_have(redis, people):
    for campaign, rank in enumerate((31, 32, 33, 50, 51)):
        counted = Counted(redis, campaign=campaign)
        odd = [hll.element_at(register, rank) for register in (0, 1, 8000, 16383)]
        counted.add(DAYS[0], 0, [hll.element_at(1, 3), *odd, hll.element_at(8000, 30)])
        counted.check()
        counted.add(DAYS[0], 1, people(LEN_MAX // 4))
        counted.assert_split(DAYS[0])
        counted.check()


def test_hours_of_an_older_build_stand_beside_strings(redis, people):
    counted = Counted(redis)
    for hour in (8, 9, 10):
        both = people(30)
        for key in (counted.key(f"{DAYS[0]}{hour:02}"), f"plain:v:7:{DAYS[0]}{hour:02}"):
            counted.client.pfadd(key, *both)
            counted.client.expire(key, TTL)
        for key in (DAYS[0], DAYS[0][:6]):
            counted.client.pfadd(counted.key(key), *both)
            counted.client.pfadd(f"plain:v:7:{key}", *both)
        counted.add(DAYS[0], hour, both[:10] + people(20))
        counted.check(((DAYS[0], 8, 10),))
    counted.add(DAYS[0], 9, people(500))
    counted.assert_split(DAYS[0])
    counted.check()


@pytest.mark.parametrize("n_done", [0, 1, 12, 24])
def test_a_day_that_was_split_in_part_is_split_again(redis, people, n_done):
    """Whatever ended the script between two hours: those that were made stay, the string is there still."""
    counted = Counted(redis)
    for hour in range(24):
        counted.add(DAYS[0], hour, people(21))
    string = counted.string(DAYS[0])
    assert len(string) == 24 * 21 * 4
    for hour in range(n_done):
        counted.client.set(counted.key(f"{DAYS[0]}{hour:02}"), counted.client.get(f"plain:v:7:{DAYS[0]}{hour:02}"), ex=TTL)
    counted.client.set("hc:{s00}:moment", counted.client.get(f"plain:v:7:{DAYS[0]}00"), ex=1)
    counted.check()
    last = people(9)
    counted.add(DAYS[0], 5, last)
    counted.assert_split(DAYS[0])
    counted.add(DAYS[0], 5, last)
    counted.assert_split(DAYS[0])
    counted.check()


def test_redis_without_memory(redis, people):
    """People are refused and added when there is memory again, and hours in strings can't be counted so long."""
    counted = Counted(redis)
    counted.add(DAYS[0], 5, people(500))
    before, more, many = counted.string(DAYS[0]), people(30), people(600)
    counted.client.config_set("maxmemory", 1)
    for run in ((DAYS[0], 6, more), (DAYS[0], 6, many), (DAYS[1], 6, more), (DAYS[1], 6, many)):
        with pytest.raises(redis_py.ResponseError, match="OOM|maxmemory"):
            counted.send(run)
    assert counted.string(DAYS[0]) == before and not counted.string(DAYS[1])
    assert counted.count((DAYS[0], 0, 24)) == -1 and counted.count((DAYS[1], 0, 24)) == 0
    counted.client.config_set("maxmemory", 0)
    for run in ((DAYS[0], 6, more), (DAYS[0], 6, many), (DAYS[1], 6, more)):
        assert counted.add(*run) == 0
    counted.assert_split(DAYS[0])
    counted.check()


@pytest.mark.parametrize("command", ["append", "expire", "get", "hincrby", "pfadd", "pfmerge", "set"])
def test_a_command_is_refused_for_a_while(redis, people, command):
    """In the middle of the script, again and again: no string is too long meanwhile, and nothing stays for ever."""
    counted = Counted(redis)
    client, both = counted.client, people(20)
    for key in (counted.key(f"{DAYS[0]}05"), f"plain:v:7:{DAYS[0]}05"):  # of an older build
        client.pfadd(key, *both)
        client.expire(key, TTL)
    counted.add(DAYS[0], 5, both)
    counted.add(DAYS[0], 6, people(450))
    runs = [(DAYS[0], 7, people(60)), (DAYS[1], 3, people(4)), (DAYS[1], 3, people(5)), (DAYS[1], 4, people(600))]
    client.execute_command("ACL", "SETUSER", "default", f"-{command}")
    for run in runs * 3:
        with contextlib.suppress(redis_py.ResponseError):
            counted.send(run)
        assert max(client.strlen(counted.key(day, "h")) for day in DAYS) <= LEN_MAX
    client.execute_command("ACL", "SETUSER", "default", "+@all")
    for run in runs:
        assert counted.add(*run) == 0
    wait_until(lambda: not client.exists("hc:{s00}:moment"), what="without EXPIRE it is gone a second later")
    counted.check()
    for day in DAYS:
        counted.assert_split(day)
    assert min(client.ttl(key) for key in client.scan_iter("hc:*:v*")) > 0


def test_what_is_not_ours_is_set_aside(redis, people):
    counted = Counted(redis)
    client, string = counted.client, counted.key(DAYS[0], "h")
    for foreign in (b"abc", b"Hello", b"HYLL"[:3] + bytes(2)):
        client.set(string, foreign)
        assert counted.add(DAYS[0], 5, people(3)) == 3
        assert counted.add(DAYS[0], 5, people(600)) == 600
        assert counted.string(DAYS[0]) == foreign
    client.delete(string)
    client.rpush(string, "a list")
    assert counted.add(DAYS[0], 5, people(3)) == 3
    assert client.lrange(string, 0, -1) == [b"a list"]
    assert int(client.hget("hc:{s00}:rejected", string)) == 3 * 603 + 3
    client.delete(string)
    # An hour among those that a string is split into.
    for hour in range(24):
        client.delete(f"plain:v:7:{DAYS[0]}{hour:02}")
        assert counted.add(DAYS[0], hour, people(21)) == 0
    client.rpush(counted.key(f"{DAYS[0]}07"), "a list")
    client.set(counted.key(f"{DAYS[0]}08"), "no HyperLogLog")
    assert counted.add(DAYS[0], 3, people(21)) == 42
    client.delete(counted.key(f"{DAYS[0]}07"), counted.key(f"{DAYS[0]}08"),
                  f"plain:v:7:{DAYS[0]}07", f"plain:v:7:{DAYS[0]}08")
    counted.assert_split(DAYS[0])


def test_counting_leaves_nothing_in_the_append_only_file(make_redis, people):
    server = make_redis(appendonly="yes", appendfsync="always", auto_aof_rewrite_percentage=0)
    counted = Counted(server)
    counted.add(DAYS[0], 5, people(50))

    def written():
        return sum(path.stat().st_size for path in pathlib.Path(server.directory).rglob("*.aof"))
    before = written()
    assert counted.count((DAYS[0], 0, 24)) == counted.plain((DAYS[0], 0, 24))
    assert written() == before
