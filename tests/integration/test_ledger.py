"""The ledger against real Redis servers that die, lose data, refuse, hang and lie.

The oracle is always the clients' own tally: what they received is counted, once.
"""
import collections
import contextlib
import datetime
import json
import pathlib
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest
import redis as redis_client

from harness import counters
from harness.build import ROOT, patience
from harness.ports import free_port
from harness.process import Process
from harness.redisd import RedisServer
from harness.wait import wait_until

FAST = {"redis": {"timeout_ms": 300, "flush_ms": 20}}
# So many clicks come into a batch that they are summed up, and not counted one by one.
IN_SUMS = {"redis": {"timeout_ms": 300, "flush_ms": 500}}
# Clients are counted two seconds after their clicks.
COUNT_SOON = {"gateway_links_s": 1, "gateway_networks_s": 1, "gateway_two_links_ms": 0}


def mint_links(daemon, n=20):
    return [daemon.mint("pay", 1000 + i, client=1 + i, campaign=7, channel="mail")
            for i in range(n)]


@contextlib.contextmanager
def running(load):
    """Breaks things while clients click."""
    yield load
    load.stop()


def click_all(daemon, make_load, links, n=200):
    return make_load(daemon, links, n_clients=4, n_clicks=n).join()


def settle(daemon, links, tally, seconds=30):
    """Waits until everything is applied, and compares."""
    counted = daemon.wait_counted(tally.n_received, links, seconds)
    tally.check(counted)
    return counted


def log_of(daemon):
    return daemon.stderr_path.read_text()


def wait_log(daemon, text, seconds=20):
    wait_until(lambda: text in log_of(daemon), seconds, f"the log says {text!r}")


# --- Redis dies, restarts, loses ---

@pytest.mark.tsan
def test_redis_killed_and_restarted_under_load_loses_and_doubles_nothing(
        make_hopcountd, make_load, redis):
    daemon = make_hopcountd(redis, FAST)
    links = mint_links(daemon)
    with running(make_load(daemon, links, n_clients=4, pause_s=0.001)) as load:
        for _ in range(3):
            load.wait_clicks()
            redis.restart()
        load.wait_clicks()
    settle(daemon, links, load.tally)
    daemon.shut_down()


def test_a_cut_tail_of_the_append_only_file_is_replayed(make_hopcountd, make_load, redis):
    daemon = make_hopcountd(redis, FAST)
    links = mint_links(daemon)
    tally = click_all(daemon, make_load, links)
    settle(daemon, links, tally)
    for n in (1, 400, 3000):
        redis.kill()
        aof = max(redis.directory.glob("appendonlydir/*.incr.aof"))
        with open(aof, "r+b") as file:
            file.truncate(max(0, aof.stat().st_size - n))
        redis.start()
        tally.add(click_all(daemon, make_load, links, 50))
        settle(daemon, links, tally)
        # What Redis left of the transaction in the file would be applied at its next restart.
        info = redis.client().info("persistence")
        assert (info["aof_rewrites"], info["aof_rewrite_in_progress"]) == (1, 0)
    assert "ledger.replay" in log_of(daemon)
    daemon.shut_down()


@pytest.mark.tsan
def test_a_redis_that_was_emptied_gets_everything_that_is_retained(
        make_hopcountd, make_load, redis):
    daemon = make_hopcountd(redis, FAST)
    links = mint_links(daemon)
    tally = click_all(daemon, make_load, links)
    settle(daemon, links, tally)
    redis.client().flushall()
    tally.add(click_all(daemon, make_load, links, 20))
    settle(daemon, links, tally)
    # Also with no click to notice it by.
    redis.client().flushall()
    wait_until(lambda: len(redis.client().keys("hc:*:cur:*")) > 1, 30, "cursors came back")
    settle(daemon, links, tally)
    daemon.shut_down()


def test_a_gap_that_the_log_no_longer_holds_is_reported_and_passed(
        make_hopcountd, make_load, redis):
    small = {"ledger": {"segment_bytes": 65536, "retain_s": 0}, "public": {"workers": 1}}
    daemon = make_hopcountd(redis, {**FAST, **small})
    links = mint_links(daemon)
    tally = click_all(daemon, make_load, links, 3000)
    settle(daemon, links, tally)
    # Until segments are deleted there is no gap: all would be replayed.
    logs = lambda: json.loads(daemon.cli("ledger", daemon.state_dir, "--json").stdout)["logs"]
    wait_until(lambda: logs()[0]["first"] > 0, 10, "segments are deleted", pause=0.1)
    redis.client().flushall()
    after = click_all(daemon, make_load, links, 100)
    wait_log(daemon, "ledger.lost")
    lost = sum(int(n) for n in re.findall(r"at=ledger.lost n=(\d+)", log_of(daemon)))
    assert 0 < lost <= 3000
    counted = sum(daemon.wait_counted(3100 - lost, links).values())
    assert counted == 3100 - lost
    assert after.n_received == 100
    daemon.shut_down()


# --- Redis refuses ---

def config_set(name, value):
    return lambda server: server.client().config_set(name, value)


REFUSALS = [
    ("oom", config_set("maxmemory", "1"), config_set("maxmemory", "0")),
    ("noreplicas", config_set("min-replicas-to-write", "1"),
     config_set("min-replicas-to-write", "0")),
    ("readonly", lambda s: s.client().execute_command("REPLICAOF", "127.0.0.1", "1"),
     lambda s: s.client().execute_command("REPLICAOF", "NO", "ONE")),
    ("noperm", lambda s: s.client().execute_command("ACL", "SETUSER", "default", "-append"),
     lambda s: s.client().execute_command("ACL", "SETUSER", "default", "+append")),
]


@pytest.mark.parametrize("cause,begin,end", REFUSALS, ids=[r[0] for r in REFUSALS])
def test_a_refusal_is_waited_out_and_named_once(make_hopcountd, make_load, redis, cause, begin,
                                                end):
    daemon = make_hopcountd(redis, FAST)
    links = mint_links(daemon)
    tally = click_all(daemon, make_load, links, 100)
    settle(daemon, links, tally)
    begin(redis)
    if cause == "oom":
        redis.client().config_set("maxmemory-policy", "noeviction")
    tally.add(click_all(daemon, make_load, links, 100))
    wait_log(daemon, f"at=redis.{cause} ")
    wait_until(lambda: daemon.metrics().get(f'hopcount_redis_refusal{{cause="{cause}"}}'), 10)
    tally.add(click_all(daemon, make_load, links, 500))  # it tries again meanwhile
    assert daemon.is_ready()
    end(redis)
    settle(daemon, links, tally)
    assert log_of(daemon).count(f"at=redis.{cause} ") == 1
    assert "ledger.recovered" in log_of(daemon)
    daemon.shut_down()


def test_a_redis_that_may_evict_cursors_is_warned_of(make_hopcountd, make_load, make_redis):
    for name, policy, warns in (("sound", "noeviction", 0), ("leaky", "volatile-lru", 1)):
        server = make_redis(name, maxmemory="100mb", maxmemory_policy=policy)
        daemon = make_hopcountd(server, FAST, name=f"hopcountd-{name}")
        links = mint_links(daemon)
        settle(daemon, links, click_all(daemon, make_load, links, 20))
        assert log_of(daemon).count("at=ledger.eviction ") == warns
        daemon.shut_down()


def is_busy(server):
    try:
        return not server.client().ping()
    except redis_client.ResponseError as error:
        return str(error).startswith("BUSY")


def test_a_script_that_keeps_redis_busy_is_waited_out(make_hopcountd, make_load, make_redis):
    server = make_redis(busy_reply_threshold="100")
    daemon = make_hopcountd(server, {"redis": {"timeout_ms": 5000, "flush_ms": 20}})
    links = mint_links(daemon)
    tally = click_all(daemon, make_load, links, 50)
    settle(daemon, links, tally)

    def keep_busy():
        with pytest.raises(redis_client.ResponseError):
            server.client().eval("while true do end", 0)

    busy = threading.Thread(target=keep_busy)
    busy.start()
    try:
        wait_until(lambda: is_busy(server), 10, "Redis says that it is busy")
        tally.add(click_all(daemon, make_load, links, 50))
        wait_log(daemon, "at=redis.busy ")
    finally:
        server.client().script_kill()
        busy.join(10)
    settle(daemon, links, tally)
    daemon.shut_down()


def test_flushed_scripts_are_sent_again(make_hopcountd, make_load, redis):
    daemon = make_hopcountd(redis, FAST)
    links = mint_links(daemon)
    tally = click_all(daemon, make_load, links, 50)
    for _ in range(5):
        redis.client().script_flush()
        tally.add(click_all(daemon, make_load, links, 50))
    settle(daemon, links, tally)
    daemon.shut_down()


def test_a_wrong_password_is_named_and_redirects_go_on(make_hopcountd, make_load, make_redis,
                                                       tmp_path):
    server = make_redis(requirepass="right")
    password = tmp_path / "password"
    password.write_text("wrong\n")
    password.chmod(0o600)
    daemon = make_hopcountd(
        server.url.replace(":right@", ""),
        {"redis": {"timeout_ms": 300, "flush_ms": 20, "password_file": str(password)}})
    links = mint_links(daemon)
    tally = click_all(daemon, make_load, links, 50)
    wait_log(daemon, "WRONGPASS")
    assert "redis.password_file" in daemon.stderr()
    assert daemon.is_ready() and tally.n_received == 50
    server.client().config_set("requirepass", "wrong")
    settle(daemon, links, tally)
    daemon.shut_down()


def test_the_shipped_acl_rule_is_enough_and_no_more(make_hopcountd, make_load, redis, tmp_path):
    rule = [line for line in (ROOT / "deploy/redis-acl.conf").read_text().splitlines()
            if line.startswith("user ")][0].replace("CHANGE-ME", "secret").split()
    redis.client().execute_command("ACL", "SETUSER", *rule[1:])
    redis.client().execute_command("ACL", "SETUSER", "default", "off")
    password = tmp_path / "password"
    password.write_text("secret\n")
    password.chmod(0o600)
    daemon = make_hopcountd(redis, {"redis": {"username": "hopcount", "flush_ms": 20,
                                              "password_file": str(password)}, "labels": COUNT_SOON})
    links = mint_links(daemon)
    # Enough clicks of one link for its table to be summed up, too.
    tally = click_all(daemon, make_load, links, 500)
    settle(daemon, links, tally)
    assert daemon.api("GET", "/v1/stats?brand=acme&interval=day&group_by=kind")["rows"]
    wait_until(lambda: daemon.api("GET", "/v1/stats?brand=acme&interval=day&clients=true")["total"]["clients"] > 0, 20,
               "clients are counted")
    assert "NOPERM" not in log_of(daemon)
    user = redis_client.Redis(unix_socket_path=str(redis.socket_path), username="hopcount",
                              password="secret")
    for refused in (("FLUSHALL",), ("GET", "other"), ("KEYS", "*"), ("CONFIG", "GET", "*")):
        with pytest.raises(redis_client.exceptions.NoPermissionError):
            user.execute_command(*refused)
    # Of a cluster whose slots are moving; this server is none.
    with pytest.raises(redis_client.exceptions.ResponseError, match="cluster support disabled"):
        user.execute_command("ASKING")
    daemon.shut_down()


# --- keys that are not what they should be ---

def test_a_key_of_the_wrong_type_costs_its_own_increments_and_no_others(
        make_hopcountd, make_load, redis):
    client = redis.client()
    daemon = make_hopcountd(redis, {**IN_SUMS, "labels": COUNT_SOON})
    links = mint_links(daemon)
    tally = click_all(daemon, make_load, links, 200)
    settle(daemon, links, tally)
    slots = b"hc:{s00}:ws"
    series = [k for k in client.keys("hc:*:t:*:h:c:*")]
    table = client.keys("hc:*:oa:*")[0]
    foreign = client.keys("hc:*:ca:*")[0]
    assert series
    for key in series:
        client.delete(key)
        client.set(key, "not a series")
    client.delete(table)
    client.rpush(table, "not a string")
    client.set(foreign, "not a table")
    client.delete(slots)
    client.rpush(slots, "no set of slots")
    # Who was counted already doesn't wait again; on a slow machine that may be all of them.
    links.append(daemon.mint("pay", 2000, client=500, campaign=7, channel="mail"))
    tally.add(click_all(daemon, make_load, links, 200))
    settle(daemon, links, tally)
    wait_log(daemon, "ledger.set_aside")
    aside = {k.decode(): int(v) for k, v in client.hgetall("hc:{s00}:rejected").items()}
    assert set(aside) == {k.decode() for k in [*series, table, foreign, slots]}
    assert client.get(foreign) == b"not a table"
    assert all(client.get(key) == b"not a series" for key in series)
    assert daemon.metrics().total("hopcount_increments_rejected_total") > 0
    daemon.shut_down()


def test_people_whom_an_older_build_has_listed_are_counted(make_hopcountd, redis):
    """Older builds list slots in a string, an entry for each addition, and may go on doing so beside this one."""
    client, brand = redis.client(), counters.brand_number("acme")
    daemon = make_hopcountd(redis, {**FAST, "labels": COUNT_SOON})
    wait_until(lambda: client.get("hc:{s00}:shards"))
    first, want = int(time.time()) // 10 - 8640, collections.Counter()
    for i in range(1500):
        slot, who = first + i, struct.pack(">QIHH", 1 + i, int(brand, 16), 3, 4097 << 3 | 4)  # of all campaigns
        want[f"{datetime.datetime.fromtimestamp(slot * 10, datetime.timezone.utc):%Y%m%d}"] += 1
        for _ in range(1 + i % 2):
            client.append(f"hc:{{s00}}:w:{slot}", who)
            client.append("hc:{s00}:wq", struct.pack(">II", slot, len(who)))

    def counted():
        return {day: client.pfcount(f"hc:{{s00}}:u:{brand}:*:{day}") for day in want}

    wait_until(lambda: all(abs(n / want[day] - 1) < 0.05 for day, n in counted().items()), 40,
               lambda: f"{want}, now {counted()}")
    wait_until(lambda: counters.nobody_waits(client))
    assert not client.get("hc:{s00}:wq")
    daemon.shut_down()


def test_what_a_full_key_does_not_take_is_set_aside(make_hopcountd, make_load, redis):
    client = redis.client()
    client.config_set("proto-max-bulk-len", "1mb")
    daemon = make_hopcountd(redis, IN_SUMS)
    links = mint_links(daemon)
    tally = click_all(daemon, make_load, links, 200)
    settle(daemon, links, tally)
    full = client.keys("hc:*:t:*:\\*:h:l:*")
    for key in full:
        client.set(key, counters.record("label", 0, 2, 0, 0, 0) * 2**17)
    tally.add(click_all(daemon, make_load, links, 200))
    settle(daemon, links, tally)
    wait_log(daemon, "maximum allowed size")
    assert set(client.hkeys("hc:{s00}:rejected")) == set(full)
    daemon.shut_down()


def click_one_link(client, daemon, make_load):
    """A link with a click: (links, tally, key of what was added, keys of the four tables, the record that was added)."""
    links = mint_links(daemon, 1)
    tally = click_all(daemon, make_load, links, 1)
    settle(daemon, links, tally)
    [added] = client.keys("hc:*:la:??")
    shard, quad = added[:len("hc:{s00}:")], int(added[-2:], 16)
    tables = [shard + f"l:{4 * quad + i:03x}".encode() for i in range(4)]
    return links, tally, added, tables, client.get(added)[:16]


def grow(client, added, record, n):
    """Adds the same click n times or more, as so many batches would have; the next makes the ledger look.  How often."""
    n += (-client.strlen(added) // 16 - n - 1) % 256
    client.append(added, record * n)
    return n


def test_what_was_added_to_tables_is_moved_into_them_and_counts_the_same(make_hopcountd, make_load, redis):
    client, daemon = redis.client(), make_hopcountd(redis, FAST)
    links, tally, added, tables, record = click_one_link(client, daemon, make_load)
    assert not client.exists(*tables)
    # The same click, 1000 times over, as so many batches would have written it.
    tally.received[links[0]] += grow(client, added, record, 1000)

    def is_moved():
        tally.add(click_all(daemon, make_load, links, 5))
        return client.exists(*tables)

    wait_until(is_moved, 30, "the table is there", pause=0.1)
    [table] = [table for table in client.mget(tables) if table]
    assert table[:4] == b"HCT1" and int.from_bytes(table[8:16]) == len(table) <= 64
    assert client.strlen(added) < 4096
    settle(daemon, links, tally)
    daemon.shut_down()


def test_more_than_can_be_read_at_once_is_moved_part_by_part(make_hopcountd, make_load, redis):
    client, daemon = redis.client(), make_hopcountd(redis, FAST)
    links, tally, added, tables, record = click_one_link(client, daemon, make_load)
    tally.received[links[0]] += grow(client, added, record, 50 << 16)

    def is_moved():
        tally.add(click_all(daemon, make_load, links, 5))
        wait_until(lambda: daemon.metrics()["hopcount_clicks_pending"] == 0, 20)
        tally.received[links[0]] += grow(client, added, record, 16)
        return client.strlen(added) < 4 << 20

    wait_until(is_moved, 60, lambda: f"{client.strlen(added)} bytes are not moved yet")
    assert sum(client.strlen(table) for table in tables) < 4096
    settle(daemon, links, tally)
    daemon.shut_down()


def test_tables_of_an_older_build_are_taken_over(make_hopcountd, make_load, redis):
    """It appended to the tables themselves, and their heads have no generation."""
    client, daemon = redis.client(), make_hopcountd(redis, FAST)
    links, tally, added, tables, record = click_one_link(client, daemon, make_load)
    own = tables[record[1] >> 6]
    head = b"HCT1" + struct.pack(">IQ", 0, 32)
    client.set(own, head + 21 * record)
    tally.received[links[0]] += 21
    settle(daemon, links, tally)
    tally.received[links[0]] += grow(client, added, record, 1000)

    def is_moved():
        tally.add(click_all(daemon, make_load, links, 5))
        client.append(own, record)  # it still runs
        tally.received[links[0]] += 1
        return client.getrange(own, 4, 7) != bytes(4) and client.strlen(added) < 4096

    wait_until(is_moved, 30, "the table has a generation", pause=0.1)
    settle(daemon, links, tally)
    daemon.shut_down()


def test_processes_that_move_the_same_at_once_lose_nothing(make_hopcountd, make_load, redis):
    client = redis.client()
    first = make_hopcountd(redis, FAST, "first")
    second = make_hopcountd(redis, FAST, "second", start=False)
    second.key = first.key
    second.write_keys([(1, "mint", first.key)])
    second.start()
    links, tally, added, tables, record = click_one_link(client, first, make_load)
    generations = set()
    for _ in range(30):
        wait_until(lambda: all(daemon.metrics()["hopcount_clicks_pending"] == 0 for daemon in (first, second)), 20)
        tally.received[links[0]] += grow(client, added, record, 600)
        for daemon in (first, second):
            tally.add(click_all(daemon, make_load, links, 3))
        generations |= {client.getrange(table, 4, 7) for table in tables} - {b""}
    assert len(generations) > 5, generations
    settle(first, links, tally)
    second.shut_down()
    first.shut_down()


@pytest.mark.parametrize("of_type", ["string", "list"])
def test_a_table_that_is_somebody_elses_stays_and_nothing_else_is_lost(make_hopcountd, make_load, redis, of_type):
    client, daemon = redis.client(), make_hopcountd(redis, FAST)
    links, tally, added, tables, record = click_one_link(client, daemon, make_load)
    foreign = tables[(record[1] >> 6) ^ 1]
    if of_type == "string":
        client.set(foreign, "not a table")
    else:
        client.rpush(foreign, "not a string")
    dump = client.dump(foreign)

    def is_moved():
        tally.received[links[0]] += grow(client, added, record, 600)
        tally.add(click_all(daemon, make_load, links, 5))
        wait_until(lambda: daemon.metrics()["hopcount_clicks_pending"] == 0, 20)
        return client.exists(tables[record[1] >> 6])

    wait_until(is_moved, 30, "what is added goes to its own table")
    settle(daemon, links, tally)
    for _ in range(5):
        is_moved()
    settle(daemon, links, tally)
    if of_type == "string":
        wait_log(daemon, "holds what is not ours")
    assert client.dump(foreign) == dump
    daemon.shut_down()


def sum_up(series):
    sums = collections.Counter()
    for *cell, count in counters.records(series):
        sums[tuple(cell)] += count
    return +sums


def test_a_series_that_has_grown_is_summed_up_counts_the_same_and_still_expires(
        make_hopcountd, make_load, redis):
    client = redis.client()
    daemon = make_hopcountd(redis, IN_SUMS)
    links = mint_links(daemon, 1)
    tally = click_all(daemon, make_load, links, 100)
    settle(daemon, links, tally)
    keys = client.keys("hc:*:t:*:\\*:[hdm]:l:*") + client.keys("hc:*:t:*:7:[hd]:*")
    assert len(keys) == 5
    more = counters.record("label", 1, 2, 0, 0, 1) * 1500
    for key in keys:
        client.append(key, more)

    def are_summed_up():
        tally.add(click_all(daemon, make_load, links, 100))
        return all(client.get(key)[:4] == b"HCS1" for key in keys)

    wait_until(are_summed_up, 30, "the series are summed up", pause=0.1)
    settle(daemon, links, tally)
    for key in keys:
        [lone] = client.keys(key.split(b":t:")[0] + b":t:*:" + (b"\\*" if b"*" in key else b"7") + b":a:*") or [b"none"]
        text, alone = client.mget(key, lone)  # of one moment: clicks are moved from one to the other
        n_lone = sum(n for *_, n in counters.lone_records(alone or b""))
        assert len(text) < 8192
        assert client.ttl(key) > 86400
        sums = sum_up(text)
        assert sum(n for cell, n in sums.items() if cell[0] == 0) + n_lone == 1500 + tally.n_received, (key, sums)
    daemon.shut_down()


def test_a_day_that_is_over_is_summed_up(make_hopcountd, make_load, redis):
    client = redis.client()
    daemon = make_hopcountd(redis, IN_SUMS)
    links = mint_links(daemon, 1)
    today = datetime.datetime.now(datetime.timezone.utc).date()
    begin = f"hc:{{s00}}:t:{counters.brand_number('acme')}"
    day_before, before = today - datetime.timedelta(days=1), []
    for tail in (f"*:h:c:{day_before:%Y%m%d}", f"*:d:c:{day_before:%Y%m%d}", f"7:h:{day_before:%Y%m%d}"):
        before.append(f"{begin}:{tail}")
        client.set(before[-1], counters.record("country", 3, 2, 0x4445, 0, 2) * 20, ex=1000000)
    tally = click_all(daemon, make_load, links, 100)
    settle(daemon, links, tally)
    wait_until(lambda: all(client.strlen(key) == 16 for key in before), 20, "the day before is summed up")
    for key in before:
        assert sum_up(client.get(key)) == {(1, 3, 2, 0x4445, 0): 40}
        assert client.ttl(key) > 900000
    daemon.shut_down()


def seed_lone(client, clicks):
    """Every click as a lone one."""
    text = collections.defaultdict(bytes)
    for click in clicks:
        for key in counters.lone_keys(click):
            text[f"hc:{{s00}}:t:{counters.brand_number(click.brand)}:{key}"] += counters.lone_record(click)
    for key, records in text.items():
        client.set(key, records, ex=1000000)
    return list(text)


def test_lone_clicks_of_a_busy_day_move_to_the_series_and_are_counted_once_all_the_while(make_hopcountd, redis):
    """A few clicks stay what they are; 256 of a day become sums, and whoever asks meanwhile sees each once."""
    client = redis.client()
    daemon = make_hopcountd(redis, FAST)
    now = datetime.datetime.now(datetime.timezone.utc)
    other = now.replace(day=1 if now.day > 14 else 28)
    # One more click of a campaign, and its text is over 4 KiB.
    campaigns, n_quiet = range(1, 9), 20
    clicks = [counters.Click("acme", now.replace(hour=i % 3) if i >= n_quiet else other, 2, campaign, i % 2, "DE", i % 4)
              for campaign in campaigns for i in range(341)]
    keys = seed_lone(client, clicks)
    query = f"/v1/stats?brand=acme&from={now.year}-01-01&to={now.year}-12-31&interval=day"
    n_asked = 0

    def ask(more):
        nonlocal n_asked
        n_asked += 1  # never the same, for an answer is kept for a second
        return daemon.api("GET", f"{query}&limit={1000 + n_asked}&{more}")["total"]

    def totals():
        # Of the clicks that follow no country is known.
        assert ask("group_by=device&country=DE")["total"] == len(clicks)
        return ask("group_by=campaign")["total"], ask("group_by=device&campaign=" + ",".join(map(str, campaigns)))["total"]

    assert totals() == (len(clicks), len(clicks))
    for i, campaign in enumerate(campaigns):
        daemon.click(daemon.mint("pay", campaign, campaign=campaign))
        for total in totals():
            assert len(clicks) <= total <= len(clicks) + i + 1
    wait_until(lambda: all(client.strlen(key) <= 12 * (1 + n_quiet * len(campaigns)) + 120 for key in keys), 20,
               "the clicks of the busy day are moved")
    wait_until(lambda: totals() == (len(clicks) + len(campaigns),) * 2, 20, "all are counted")
    for campaign in campaigns:
        [key] = client.keys(f"hc:*:t:*:{campaign}:h:{now:%Y%m%d}")
        hours = collections.Counter()
        for cell, n in sum_up(client.get(key)).items():
            hours[cell[1]] += n if cell[0] == 0 else 0
        assert sum(hours.values()) >= 341 - n_quiet and {0, 1, 2} <= set(hours), hours
        assert client.ttl(key) > 86400
        [key] = client.keys(f"hc:*:x:*:{campaign}:{now:%Y%m%d}")
        n_in_cells = sum(counters.cell_counts(client.get(key)))
        assert 341 - n_quiet <= n_in_cells <= 342 and client.ttl(key) > 91 * 86400
    assert all(client.ttl(key) > 900000 for key in keys)
    daemon.shut_down()


# --- Redis hangs, lies, cuts ---

@pytest.mark.tsan
def test_a_frozen_redis_is_left_and_found_again(make_hopcountd, make_load, redis):
    daemon = make_hopcountd(redis, FAST)
    links = mint_links(daemon)
    tally = click_all(daemon, make_load, links, 100)
    settle(daemon, links, tally)
    redis.send(signal.SIGSTOP)
    try:
        tally.add(click_all(daemon, make_load, links, 300))
        wait_log(daemon, "in time")
    finally:
        redis.send(signal.SIGCONT)
    settle(daemon, links, tally)
    daemon.shut_down()


class Liar(threading.Thread):
    """Between the ledger and Redis: passes bytes on, and spoils every so many replies."""

    def __init__(self, port, spoil, every=5):
        super().__init__(daemon=True)
        self.target, self.spoil, self.every, self.n = port, spoil, every, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.honest = False

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self.forward, args=(client, server), daemon=True).start()
            threading.Thread(target=self.backward, args=(server, client), daemon=True).start()

    def forward(self, client, server):
        try:
            while data := client.recv(65536):
                server.sendall(data)
        except OSError:
            pass
        self.close(client, server)

    def backward(self, server, client):
        try:
            while data := server.recv(65536):
                self.n += 1
                if not self.honest and self.n % self.every == 0:
                    data = self.spoil(data)
                    client.sendall(data)
                    break
                client.sendall(data)
        except OSError:
            pass
        self.close(client, server)

    @staticmethod
    def close(*sockets):
        for s in sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()


LIES = {
    "swallowed": lambda data: b"",
    "cut": lambda data: data[:len(data) // 2],
    "garbage": lambda data: b"\x00HTTP/1.1 200 OK\r\n\r\n" + data,
    "huge": lambda data: b"$9999999999999999999\r\n",
    "array": lambda data: b"*2147483647\r\n" + data,
    "twice": lambda data: data + data,
    "another answer": lambda data: b"+OK\r\n",
}


@pytest.mark.tsan
@pytest.mark.parametrize("lie", LIES)
def test_a_reply_that_is_spoilt_after_the_command_ran_is_counted_once(
        make_hopcountd, make_load, redis, lie):
    liar = Liar(redis.port, LIES[lie])
    liar.start()
    daemon = make_hopcountd(f"redis://127.0.0.1:{liar.port}/0", FAST)
    links = mint_links(daemon)
    with running(make_load(daemon, links, n_clients=2, pause_s=0.001)) as load:
        load.wait_clicks(100)
        wait_until(lambda: liar.n > 30, 60, "many replies to be spoilt")
    liar.honest = True
    settle(daemon, links, load.tally)
    daemon.shut_down()
    liar.listener.close()


def test_a_name_that_does_not_resolve_is_no_reason_not_to_redirect(make_hopcountd, make_load):
    daemon = make_hopcountd("redis://redis.invalid:6379/0", FAST)
    links = mint_links(daemon)
    assert click_all(daemon, make_load, links, 50).n_received == 50
    wait_log(daemon, "resolve")
    assert daemon.is_ready()
    daemon.shut_down()


# --- TLS ---

@pytest.fixture
def certificates(tmp_path):
    """A CA, a server's and a client's certificate: {name: path}."""
    directory = tmp_path / "tls"
    directory.mkdir()

    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True,
                       cwd=directory, timeout=60)

    for ca in ("ca", "other-ca"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", f"{ca}.key", "-out", f"{ca}.pem", "-days", "2", "-subj", f"/CN={ca}")
    for name, alt in (("server", "DNS:redis.example,IP:127.0.0.1"), ("client", "DNS:client")):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (directory / f"{name}.ext").write_text(f"subjectAltName={alt}\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-out", f"{name}.pem", "-days", "2", "-extfile", f"{name}.ext")
    return {path.name: path for path in directory.iterdir()}


@pytest.fixture
def tls_redis(make_redis, certificates):
    port = free_port()
    server = make_redis(tls_port=port, tls_cert_file=certificates["server.pem"],
                        tls_key_file=certificates["server.key"],
                        tls_ca_cert_file=certificates["ca.pem"], tls_auth_clients="yes")
    server.tls_port = port
    return server


def tls_config(certificates, ca="ca.pem", client=True):
    tls = {"tls_ca": str(certificates[ca])}
    if client:
        tls.update(tls_cert=str(certificates["client.pem"]), tls_key=str(certificates["client.key"]))
    return {"redis": {**FAST["redis"], **tls}}


@pytest.mark.tsan
def test_clicks_are_counted_over_tls_with_a_client_certificate(
        make_hopcountd, make_load, tls_redis, certificates):
    daemon = make_hopcountd(f"rediss://127.0.0.1:{tls_redis.tls_port}/0",
                            tls_config(certificates))
    links = mint_links(daemon)
    with running(make_load(daemon, links, n_clients=4, pause_s=0.001)) as load:
        load.wait_clicks()
        tls_redis.restart()
        load.wait_clicks()
    settle(daemon, links, load.tally)
    daemon.shut_down()


@pytest.mark.parametrize("url,config,error", [
    ("rediss://127.0.0.1:{port}/0", {"ca": "other-ca.pem"}, "TLS: self-signed certificate"),
    ("rediss://127.0.0.1:{port}/0?server_name=other.example", {}, "TLS: hostname mismatch"),
    ("rediss://127.0.0.1:{port}/0", {"client": False}, "127.0.0.1:{port}: "),
    ("rediss://127.0.0.1:{plain}/0", {}, "127.0.0.1:{plain}: no TLS connection in time"),
], ids=["another CA", "another name", "no client certificate", "no TLS there"])
def test_a_peer_that_is_not_the_one_is_refused_and_the_log_says_why(
        make_hopcountd, make_load, tls_redis, certificates, url, config, error):
    ports = {"port": tls_redis.tls_port, "plain": tls_redis.port}
    daemon = make_hopcountd(url.format(**ports), tls_config(certificates, **config))
    links = mint_links(daemon)
    assert click_all(daemon, make_load, links, 20).n_received == 20
    wait_log(daemon, error.format(**ports))
    assert tls_redis.client().dbsize() == 0
    daemon.shut_down()


# --- shards, cluster, sentinels ---

def test_sixteen_shards_count_the_same(make_hopcountd, make_load, redis):
    daemon = make_hopcountd(redis, {"redis": {"shards": 16, "flush_ms": 20}})
    links = mint_links(daemon, 50)
    with running(make_load(daemon, links, n_clients=4, pause_s=0.001)) as load:
        load.wait_clicks(1000)
        redis.restart()
        load.wait_clicks(1000)
    settle(daemon, links, load.tally)
    daemon.kill()
    daemon.start()
    settle(daemon, links, load.tally)
    stats = daemon.api("GET", "/v1/stats?brand=acme&interval=day&group_by=kind")
    assert stats["total"]["total"] == load.tally.n_received + load.tally.n_unanswered
    tags = {k[:9] for k in redis.client().keys("hc:*")}
    assert len(tags) == 16
    daemon.shut_down()


def test_a_process_with_another_number_of_shards_counts_nothing_until_it_is_put_right(
        make_hopcountd, make_load, redis):
    # Without repeats: the logs hold the clicks and no more.
    config = {shards: {"redis": {"shards": shards, "flush_ms": 20}, "labels": {"repeat_max": 0}} for shards in (4, 16)}
    daemon = make_hopcountd(redis, config[4])
    links = mint_links(daemon)
    first = click_all(daemon, make_load, links, 100)
    settle(daemon, links, first)
    daemon.shut_down()
    before = set(redis.client().scan_iter())

    daemon.write_config(config[16])
    daemon.start()
    wait_log(daemon, "redis.shards is 16, but this Redis holds counts in 4 shards")
    assert click_all(daemon, make_load, links, 50).n_received == 50
    wait_until(lambda: daemon.metrics()['hopcount_redis_refusal{cause="shards"}'] == 1, 10, "it says why")
    # The first 100 are still in the log, and how far they were counted in 16 shards nobody knows.
    wait_until(lambda: daemon.metrics()["hopcount_clicks_pending"] == 150, 10, "all clicks wait")
    new = set(redis.client().scan_iter()) - before
    # The pod's own entry, and which server each shard is on: nothing that counts.
    assert {key.split(b"}:")[1].split(b":")[0] for key in new} <= {b"pods", b"server"}, new
    daemon.kill()

    daemon.write_config(config[4])
    daemon.start()
    daemon.wait_counted(150, links)
    daemon.shut_down()


def test_the_number_of_shards_is_written_again_after_a_flush(make_hopcountd, make_load, redis):
    daemon = make_hopcountd(redis, FAST)
    links = mint_links(daemon)
    settle(daemon, links, click_all(daemon, make_load, links, 20))
    client = redis.client()
    assert client.get("hc:{s00}:shards") == b"1"
    client.flushall()
    redis.restart()
    wait_until(lambda: redis.client().get("hc:{s00}:shards") == b"1", 20, "the number is back")
    daemon.shut_down()


def cluster_port():
    """The cluster's bus has the port that is 10,000 higher."""
    while (port := free_port()) > 55535:
        pass
    return port


class ClusterNode(RedisServer):
    def __init__(self, directory, name):
        super().__init__(directory, name, cluster_port(), cluster_enabled="yes", cluster_node_timeout="1500",
                         repl_diskless_sync_delay="0",
                         cluster_config_file="nodes.conf")


@pytest.fixture
def cluster(tmp_path, processes):
    """Three masters and a replica of each."""
    nodes = [ClusterNode(tmp_path / f"node{i}", f"node{i}") for i in range(6)]
    for node in nodes:
        processes.append(node)
        node.start()
    subprocess.run(["redis-cli", "--cluster", "create",
                    *[f"127.0.0.1:{n.port}" for n in nodes], "--cluster-replicas", "1",
                    "--cluster-yes"], check=True, capture_output=True, timeout=patience(60))
    wait_until(lambda: all(n.client().cluster("info").get("cluster_state") == "ok"
                           for n in nodes), 30, "the cluster is up")
    wait_until(lambda: all(n.client().info("replication").get("master_link_status", "up") == "up"
                           for n in nodes), 30, "the replicas are in step")
    return nodes


def cluster_url(nodes):
    return "cluster://" + ",".join(f"127.0.0.1:{n.port}" for n in nodes[:2])


def redis_cli(*arguments):
    return subprocess.run(["redis-cli", *map(str, arguments)], capture_output=True, text=True,
                          timeout=patience(60))


def test_a_cluster_that_is_resharded_under_load_counts_once(make_hopcountd, make_load, cluster):
    daemon = make_hopcountd(cluster_url(cluster), {"redis": {"shards": 16, "flush_ms": 20,
                                                             "timeout_ms": 1000}})
    links = mint_links(daemon, 40)
    ids = {n.port: n.client().cluster("myid").decode()
           if isinstance(n.client().cluster("myid"), bytes) else n.client().cluster("myid")
           for n in cluster[:3]}
    with running(make_load(daemon, links, n_clients=4, pause_s=0.002)) as load:
        load.wait_clicks()
        for source, target in ((0, 1), (1, 2)):
            wait_until(lambda: redis_cli("--cluster", "check", f"127.0.0.1:{cluster[0].port}")
                       .returncode == 0, 30, "the nodes agree", pause=0.5)
            done = redis_cli("--cluster", "reshard", f"127.0.0.1:{cluster[0].port}",
                             "--cluster-from", ids[cluster[source].port], "--cluster-to",
                             ids[cluster[target].port], "--cluster-slots", 3000, "--cluster-yes")
            assert done.returncode == 0, done.stdout[-2000:]
        load.wait_clicks()
    settle(daemon, links, load.tally, 60)
    daemon.shut_down()


def test_a_cluster_master_that_dies_is_replaced(make_hopcountd, make_load, cluster):
    daemon = make_hopcountd(cluster_url(cluster), {"redis": {"shards": 16, "flush_ms": 20,
                                                             "timeout_ms": 1000}})
    links = mint_links(daemon, 40)
    with running(make_load(daemon, links, n_clients=4, pause_s=0.002)) as load:
        load.wait_clicks()
        cluster[0].kill()
        wait_until(lambda: any(n.role() == "master" for n in cluster[3:]), 40, "a replica was elected")
        load.wait_clicks()
    settle(daemon, links, load.tally, 60)
    daemon.shut_down()


class Sentinel(Process):
    def __init__(self, directory, name, master_port):
        super().__init__(name, directory)
        self.port = free_port()
        (self.directory / "sentinel.conf").write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self.directory}\n"
            f"sentinel monitor main 127.0.0.1 {master_port} 2\n"
            "sentinel down-after-milliseconds main 1000\n"
            "sentinel failover-timeout main 4000\n")

    def command(self):
        return ["redis-sentinel", self.directory / "sentinel.conf"]


@pytest.fixture
def sentinels(tmp_path, processes, make_redis):
    """(master, replica, three sentinels)"""
    master = make_redis("master", repl_diskless_sync_delay="0")
    replica = make_redis("replica", replicaof=f"127.0.0.1 {master.port}")
    watchers = [Sentinel(tmp_path / f"sentinel{i}", f"sentinel{i}", master.port)
                for i in range(3)]
    for watcher in watchers:
        processes.append(watcher)
        watcher.spawn()
    first = redis_client.Redis(port=watchers[0].port)

    def all_known():
        try:
            info = first.sentinel_master("main")
        except redis_client.RedisError:
            return False
        return info["num-other-sentinels"] == 2 and info["num-slaves"] == 1

    wait_until(all_known, 30, "the sentinels know each other")
    return master, replica, watchers


@pytest.mark.parametrize("lagging", [False, True], ids=["in step", "lagging replica"])
def test_a_failover_loses_and_doubles_nothing(make_hopcountd, make_load, sentinels, lagging):
    master, replica, watchers = sentinels
    hosts = ",".join(["127.0.0.1:1"] + [f"127.0.0.1:{w.port}" for w in watchers])
    daemon = make_hopcountd(f"sentinel://{hosts}/main", FAST)
    links = mint_links(daemon)
    with running(make_load(daemon, links, n_clients=4, pause_s=0.002)) as load:
        load.wait_clicks()
        if lagging:
            # It gets no more, but looks like a replica of the master to the sentinels.
            replica.client().config_set("masterauth", "cut")
            replica.client().execute_command("CLIENT", "KILL", "TYPE", "master")
            master.client().config_set("requirepass", "cut")
            master.client(password="cut").config_set("requirepass", "")
            load.wait_clicks(300)
        master.kill()
        wait_until(lambda: replica.role() == "master", 40, "the replica was elected")
        load.wait_clicks()
    settle(daemon, links, load.tally, 60)
    master.start()  # the old master comes back
    wait_until(lambda: master.role() == "slave", 40, "it is made a replica")
    tally = load.tally
    tally.add(click_all(daemon, make_load, links, 100))
    settle(daemon, links, tally, 60)
    daemon.shut_down()


# --- the private Redis ---

def private_pid(daemon):
    client = redis_client.Redis(unix_socket_path=str(daemon.state_dir / "redis/redis.sock"))
    return client.info("server")["process_id"]


def is_alive(pid):
    return pathlib.Path(f"/proc/{pid}").exists()


def test_the_private_redis_ends_with_its_hopcountd_and_starts_again_when_it_dies(
        make_hopcountd, make_load):
    daemon = make_hopcountd(config=FAST)
    links = mint_links(daemon)
    tally = click_all(daemon, make_load, links, 100)
    settle(daemon, links, tally)
    first = private_pid(daemon)
    subprocess.run(["kill", "-9", str(first)], check=True)
    tally.add(click_all(daemon, make_load, links, 100))
    settle(daemon, links, tally)
    second = private_pid(daemon)
    assert second != first

    daemon.send(signal.SIGKILL)
    wait_until(lambda: not is_alive(second), 15, "the private Redis follows its hopcountd")
    daemon.child.wait(10)
    daemon.start()
    settle(daemon, links, tally)
    third = private_pid(daemon)
    daemon.shut_down()
    wait_until(lambda: not is_alive(third), 15, "it was stopped")
    assert (daemon.state_dir / "redis/redis.conf").read_text().count("port 0") == 1
