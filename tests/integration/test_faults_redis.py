"""Faults of a single Redis and of the way to it (rows 4, 5, 8, 9, 10, 11, 12, 13, 18, 20 of the
fault matrix)."""
import json
import os
import pathlib
import re
import time

import pytest
import redis as redis_py

from faults.proxy import HUGE, STRIKES
from faults.refusals import REFUSALS
from faults.trial import dropped
from harness import counters
from harness.build import patience
from harness.wait import wait_until

# Seconds that row 9 freezes Redis: 60 with HOPCOUNT_FREEZE_S=60.
FREEZE_S = float(os.environ.get("HOPCOUNT_FREEZE_S", "6"))
LOST_CONFIG = {"ledger": {"retain_s": 0, "retain_max_bytes": 0}}
CAPPED = {"ledger": {"disk_max_bytes": 1048576, "memory_max_bytes": 65536,
                     "retain_max_bytes": 1048576}}


# --- row 4: killed ---

def test_kill_9_of_redis_under_load_and_restart(make_trial, redis):
    trial = make_trial(4, "kill -9 of Redis under load, 3 times")
    trial.click_before()
    with trial.load(trial.during) as load:
        for _ in range(3):
            load.wait_clicks()
            redis.kill()
            load.wait_clicks()
            redis.start()
    trial.click_after()
    trial.verdict()


def cut_append_only_file(redis, rng, n_bytes_max):
    """Cuts the tail off the newest append-only file, as a crash of the machine can."""
    newest = max((redis.directory / "appendonlydir").glob("*.incr.aof"),
                 key=lambda path: path.stat().st_mtime)
    size = newest.stat().st_size
    cut = rng.randrange(1, max(2, min(n_bytes_max, size)))
    os.truncate(newest, size - cut)
    return cut


@pytest.mark.parametrize("n_bytes_max", [200, 20000, 2000000])
def test_kill_9_of_redis_and_the_tail_of_its_append_only_file_is_cut(make_trial, redis, rng,
                                                                     n_bytes_max):
    trial = make_trial(4, f"kill -9 of Redis, append-only file cut by up to {n_bytes_max} bytes")
    trial.click_before()
    for _ in range(3):
        with trial.load(trial.during) as load:
            load.wait_clicks(400)
            redis.kill()
            print("cut", cut_append_only_file(redis, rng, n_bytes_max))
            redis.start()
            load.wait_clicks(200)
    metrics = trial.wait_applied()
    trial.verdict()
    assert metrics["hopcount_clicks_lost_gap_total"] == 0


# --- row 5: emptied ---

@pytest.mark.parametrize("how", ["FLUSHALL", "restarted empty"])
def test_an_emptied_redis_is_filled_again_from_what_is_retained(make_trial, make_redis, how):
    redis = make_redis("volatile", appendonly="no")
    trial = make_trial(5, f"{how}, all clicks retained", redis,
                       read=lambda: [redis.client()])
    trial.click_before()
    with trial.load(trial.during) as load:
        load.wait_clicks()
        redis.client().flushall() if how == "FLUSHALL" else redis.restart()
        load.wait_clicks()
    trial.wait_applied()
    trial.verdict()
    assert trial.daemon.metrics()["hopcount_clicks_replayed_total"] > 0


def test_flushall_while_nobody_clicks_is_noticed_too(make_trial, redis):
    trial = make_trial(5, "FLUSHALL while nobody clicks")
    trial.click_before()
    redis.client().flushall()
    wait_until(lambda: trial.daemon.metrics()["hopcount_clicks_replayed_total"] > 0, 40,
               "the cursors are looked at")
    trial.verdict()


def test_what_is_no_longer_retained_is_reported_as_a_gap(make_trial, redis):
    trial = make_trial(5, "FLUSHALL, older clicks no longer retained", config=LOST_CONFIG)
    for _ in range(5):
        trial.flood(2000)
    trial.wait_applied()

    def deleted():
        logs = json.loads(trial.daemon.cli("ledger", trial.daemon.state_dir, "--json").stdout)
        return sum(log["tail"] - log["first"] for log in logs["logs"]) < 5000
    wait_until(deleted, 30, "applied segments are deleted", pause=0.1)
    redis.client().flushall()
    trial.click_after()
    metrics = trial.wait_applied()
    gap = int(metrics["hopcount_clicks_lost_gap_total"])
    assert 5000 < gap <= 10000
    trial.verdict(n_lost_reported=gap + dropped(metrics))
    assert trial.daemon.log_lines("ledger.lost"), trial.daemon.stderr_tail()


# --- row 8: replies ---

@pytest.mark.parametrize("kind", STRIKES)
def test_a_batch_whose_reply_is_broken_is_applied_once(make_trial, make_proxy, redis, kind):
    proxy = make_proxy(redis.port)
    trial = make_trial(8, f"reply to a batch: {STRIKES[kind]}", proxy.url)
    trial.click_before(500)
    with trial.load(trial.during):
        for i in range(1, 5):
            proxy.strike(kind)
            wait_until(lambda i=i: proxy.n_struck >= i, 20, f"reply {i} is struck")
    trial.verdict()


def peak_bytes(daemon):
    """The most memory that the process has had; its own count starts anew from now on."""
    status = pathlib.Path(f"/proc/{daemon.pid}/status").read_text()
    pathlib.Path(f"/proc/{daemon.pid}/clear_refs").write_text("5")
    return 1024 * int(re.search(r"^VmHWM:\s+(\d+)", status, re.MULTILINE).group(1))


@pytest.mark.parametrize("kind", HUGE)
def test_a_huge_reply_to_a_batch_takes_little_memory(make_trial, make_proxy, redis, kind):
    """What the limits of a reply allow, and what the sanitizer keeps of freed memory."""
    proxy = make_proxy(redis.port)
    trial = make_trial(8, f"reply to a batch: {kind}", proxy.url)
    trial.click_before(500)
    before = peak_bytes(trial.daemon)
    with trial.load(trial.during):
        proxy.strike(kind)
        wait_until(lambda: proxy.n_struck >= 1, 20, "the reply is struck")
        wait_until(lambda: trial.daemon.log_lines("redis.down"), 60, "the connection is dropped")
    grown = peak_bytes(trial.daemon) - before
    print(f"{kind}: {grown / 1e6:.0f} MB")
    assert grown < 450e6
    trial.verdict()


def test_replies_that_come_byte_by_byte_late_or_not_at_all(make_trial, make_proxy, redis):
    proxy = make_proxy(redis.port)
    trial = make_trial(8, "delayed, dribbled, held, dropped, reset, half closed", proxy.url)
    trial.click_before(500)
    with trial.load(trial.during) as load:
        for fault in (lambda: proxy.delay(0.1), proxy.dribble, proxy.hold, proxy.drop,
                      proxy.refuse, proxy.reset, proxy.half_close,
                      lambda: proxy.half_close("server")):
            fault()
            load.wait_clicks(2000)
            proxy.heal()
            load.wait_clicks(200)
    trial.verdict()


def test_a_batch_that_comes_late_on_an_old_connection_is_refused(make_trial, make_proxy, redis):
    """Held so long that a new connection replays it, and only then let through."""
    proxy = make_proxy(redis.port)
    trial = make_trial(8, "held batches delivered after their replay", proxy.url)
    trial.click_before(500)
    for _ in range(3):
        with trial.load(trial.during) as load:
            n_accepted = proxy.n_accepted
            proxy.hold()
            wait_until(lambda: proxy.n_accepted > n_accepted, 20, "the ledger connects anew")
            load.wait_clicks(300)
            proxy.heal()
            load.wait_clicks(300)
    trial.verdict()


# --- rows 9, 10, 20: away ---

def test_a_frozen_redis(make_trial, redis):
    trial = make_trial(9, f"SIGSTOP of Redis for {FREEZE_S:g} s")
    trial.click_before()
    redis.stop()
    with trial.load(trial.during):
        time.sleep(FREEZE_S)  # the fault's own length
    metrics = trial.check_conservation()
    assert metrics["hopcount_clicks_pending"] > 0
    assert metrics["hopcount_redis_up"] == 0, "our own timer has ended the connection"
    assert trial.daemon.is_ready()
    redis.cont()
    trial.verdict()


def fill(trial, n):
    """Clicks until the log's cap is reached and more; the metrics then."""
    trial.flood(n)
    metrics = trial.check_conservation()
    assert metrics['hopcount_clicks_dropped_total{reason="disk_cap"}'] > 0, metrics
    return metrics


def test_a_redis_that_is_unreachable_for_long(make_trial, make_proxy, redis):
    proxy = make_proxy(redis.port)
    trial = make_trial(10, "Redis unreachable until the log is full", proxy.url, config=CAPPED)
    trial.click_before()
    proxy.refuse()
    trial.click_during()
    metrics = fill(trial, 40000)
    # 16 segments of 1,023 records; each worker's last and spare one, and those of labels, hold fewer.
    assert metrics["hopcount_clicks_pending"] >= 8000
    assert metrics["hopcount_log_disk_bytes"] <= 1048576
    trial.click_during(500)
    proxy.heal()
    trial.click_after()
    metrics = trial.wait_applied(60)
    trial.verdict(n_lost_reported=dropped(metrics))


def test_full_logs_are_drained_in_order_when_redis_returns(make_trial, redis):
    trial = make_trial(20, "the worker's log full while Redis is down, then Redis returns",
                       config={**CAPPED, "public": {"workers": 1}})
    redis.kill()
    trial.flood(10000)
    fill(trial, 30000)
    redis.start()
    client, positions = redis.client(), []

    def drained():
        metrics = trial.daemon.metrics()
        positions.append(max([int(client.get(key) or 0) for key in client.keys("hc:*:cur:*")],
                             default=0))
        return metrics["hopcount_clicks_pending"] == 0
    wait_until(drained, 60, "the log is drained")
    assert positions == sorted(positions)
    trial.click_after()
    metrics = trial.wait_applied()
    trial.verdict(n_lost_reported=dropped(metrics))


# --- row 11: refused ---

@pytest.mark.parametrize("cause", REFUSALS)
def test_a_redis_that_refuses(make_trial, redis, cause):
    trial = make_trial(11, f"Redis refuses: {cause}")
    trial.click_before()
    heal = REFUSALS[cause](redis)
    with trial.load(trial.during) as load:
        load.wait_clicks()
        wait_until(lambda: trial.daemon.metrics().get(f'hopcount_redis_refusal{{cause="{cause}"}}') == 1, 20,
                   lambda: f"the cause is told\n{trial.daemon.stderr_tail()}")
        load.wait_clicks(1500)
    metrics = trial.check_conservation()
    assert metrics["hopcount_clicks_pending"] > 0, "it was to refuse"
    assert trial.daemon.is_ready()
    assert metrics.get(f'hopcount_redis_refusal{{cause="{cause}"}}') == 1, trial.daemon.stderr_tail()
    lines = [line for line in trial.daemon.stderr().splitlines() if f"at=redis.{cause} " in line]
    assert lines, f"the cause is not named:\n{trial.daemon.stderr_tail()}"
    assert len(lines) <= 5, f"the cause is repeated: {lines}"
    heal()
    trial.click_after()
    trial.verdict()
    assert trial.daemon.metrics().total("hopcount_redis_refusal") == 0


# --- row 12: a key of another's ---

def test_a_counter_of_a_wrong_type_is_set_aside_and_all_others_go_on(make_trial, redis):
    trial = make_trial(12, "WRONGTYPE on two keys, a third is full")
    trial.click_before()
    client = redis.client()
    series = next(client.scan_iter("hc:*:t:*:\\*:h:c:*", count=1000)).decode()
    table = next(client.scan_iter("hc:*:oa:*", count=1000)).decode()
    full = next(client.scan_iter("hc:*:t:*:\\*:d:d:*", count=1000)).decode()
    client.delete(series, table)
    client.set(series, "not a series")
    client.lpush(table, "not a string")
    client.config_set("proto-max-bulk-len", "1mb")
    client.set(full, counters.record("device", 1, 1, 0, 0, 0) * 2**17)
    trial.click_during()
    metrics = trial.wait_applied()
    assert metrics["hopcount_increments_rejected_total"] > 0
    counts = trial.verdict(agree=False)
    assert {series, table, full} <= set(counts.rejected), counts.rejected
    # What lone clicks add to the series is set aside when they are moved, in its own time.
    wait_until(lambda: sum(map(int, client.hvals("hc:{s00}:rejected"))) ==
               trial.daemon.metrics()["hopcount_increments_rejected_total"], 20, "all is counted that was set aside")
    whole = {n for (campaign, interval, dim), n in counts.series.items()
             if campaign == "*" and (interval, dim) not in {("h", "c"), ("d", "d")}}
    assert whole == {counts.total}, counts.series
    assert trial.daemon.log_lines("ledger.set_aside")


# --- row 13: the script ---

def test_script_flush_under_load(make_trial, redis):
    trial = make_trial(13, "SCRIPT FLUSH under load, 20 times")
    trial.click_before()
    with trial.load(trial.during) as load:
        for _ in range(20):
            redis.client().script_flush()
            load.wait_clicks(100)
    trial.verdict()


def test_the_private_redis_is_started_again(make_hopcountd):
    """The same promise without a redis.url; only that a click after the kill is counted."""
    daemon = make_hopcountd()
    token = daemon.mint()
    daemon.click(token)
    daemon.wait_counted(1, [token])
    started = time.monotonic()
    pid = int(redis_py.Redis(unix_socket_path=str(daemon.state_dir / "redis/redis.sock"))
              .info("server")["process_id"])
    os.kill(pid, 9)
    daemon.click(token)
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == 2, 30,
               daemon.stderr_tail)
    assert time.monotonic() - started < patience(30)
