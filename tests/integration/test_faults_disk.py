"""Faults of the disk and of the machine: a power cut, a full, broken or read-only disk, a clock
that jumps, a resolver that stalls, descriptors that run out (rows 3, 14, 15, 18, 19 of the fault
matrix)."""
import collections
import contextlib
import errno
import os
import pathlib
import resource
import socket
import subprocess
import time

import pytest

from faults.disk import HEADER, RECORD, cut_power, fill, segments, small_disk, syncs_fail
from faults.resolver import Resolver, behind
from faults.trial import dropped
from harness import counters
from harness.build import build_type
from harness.daemon import BRAND
from harness.rawhttp import Closed, request_bytes
from harness.wait import wait_until

# Links to log in lead on although it is not known what became of them.
OPEN = {"brands": [{**BRAND, "targets": [{"kind": "login", "until_known": "open"}]}]}
IS_PLAIN = build_type() == "Release"


# --- row 3: power cut ---

def test_a_power_cut_takes_no_more_than_the_last_sync_interval(make_trial, make_proxy, redis, rng):
    sync_ms = 200
    proxy = make_proxy(redis.port)
    trial = make_trial(3, "power cut, 8 times: the unsynced part of the log cut, torn or flipped",
                       proxy.url, config={"ledger": {"sync_ms": sync_ms}})
    daemon, n_reported, n_at_risk = trial.daemon, 0, 0
    trial.click_before()
    for _ in range(8):
        proxy.hold()
        with trial.load(trial.during, pause_s=0.004):
            time.sleep(0.7)  # several sync intervals, which are what is tested
            # A sync that has begun by then is of what came before; it may take its time.
            cut_ms = int(time.time() * 1000) - 2 * sync_ms
            daemon.kill()
            n_at_risk += cut_power(daemon, rng, cut_ms)
            proxy.reset()
            proxy.heal()
            daemon.start()
        metrics = trial.wait_applied()
        n_reported += int(metrics['hopcount_clicks_dropped_total{reason="damaged"}'])
    counts = trial.counts_now()
    lost = trial.tally.n_received - counts.total
    # Lost at the end of a log, nothing follows that would tell of them.
    assert lost <= n_at_risk, "more was lost than was at risk"
    assert n_reported <= n_at_risk
    assert len({log for _, log in counts.cursors}) >= 9, "each start has logs of its own"
    trial.verdict(n_lost_reported=max(0, lost))


def test_a_power_cut_when_redis_had_more_than_the_disk(make_trial, redis):
    """Applied from memory, then lost on the disk: the cursor is beyond the log's end."""
    trial = make_trial(3, "power cut of clicks that Redis has already",
                       config={"ledger": {"durability": "process"}})
    trial.click_before()
    trial.click_during(500)
    trial.wait_applied()
    trial.daemon.kill()
    for path in segments(trial.daemon):
        os.truncate(path, HEADER + RECORD * 10)
    trial.daemon.start()
    trial.click_after()
    trial.verdict()


# --- row 14: disk full, broken, read-only ---

@pytest.fixture(name="small_disk")
def small_disk_fixture(tmp_path):
    yield from small_disk(tmp_path / "disk")


def cpu_s(daemon):
    return daemon.metrics()["process_cpu_seconds_total"]


def assert_no_spin(daemon, seconds=2):
    """A thread that tries again without a pause would take all of this."""
    before, started = cpu_s(daemon), time.monotonic()
    time.sleep(seconds)  # what is measured: the CPU of so many seconds
    used, took = cpu_s(daemon) - before, time.monotonic() - started
    assert used < took / 2, f"{used:.2f} s of CPU in {took:.2f} s of doing nothing"


def test_a_full_disk_turns_to_memory_and_back(make_trial, small_disk):
    # One worker: the log of one that nobody clicks on stays in memory, and says so, until a click.
    trial = make_trial(14, "disk full, then room again", config={
        "state_dir": str(small_disk / "state"), "public": {"workers": 1}})
    trial.click_before()
    filler = fill(small_disk)
    for _ in range(4):
        trial.flood(2000)
    wait_until(lambda: trial.daemon.metrics()["hopcount_log_degraded"] == 1, 20, "it is degraded")
    trial.click_during()
    assert trial.daemon.is_ready()
    assert_no_spin(trial.daemon)
    filler.unlink()
    with trial.load(trial.after):
        wait_until(lambda: trial.daemon.metrics()["hopcount_log_degraded"] == 0, 60, "it is not")
    metrics = trial.wait_applied()
    trial.verdict(n_lost_reported=dropped(metrics))


def test_a_full_disk_while_redis_is_down_drops_only_beyond_the_cap(make_trial, make_proxy, redis,
                                                                   small_disk):
    proxy = make_proxy(redis.port)
    trial = make_trial(14, "disk full while Redis is down", proxy.url, config={
        "state_dir": str(small_disk / "state"), "ledger": {"memory_max_bytes": 1048576}})
    trial.click_before()
    proxy.refuse()
    for _ in range(40):
        trial.flood(2000)
    trial.click_during(500)
    metrics = trial.check_conservation()
    assert metrics["hopcount_log_degraded"] == 1
    assert dropped(metrics) > 0 and metrics["hopcount_clicks_pending"] > 20000
    proxy.heal()
    metrics = trial.wait_applied(60)
    trial.click_after()
    trial.verdict(n_lost_reported=dropped(trial.wait_applied()))


def test_a_read_only_state_dir_turns_to_memory_and_back(make_trial, small_disk):
    trial = make_trial(14, "state_dir read-only, then writable", config={
        "state_dir": str(small_disk / "state"), "public": {"workers": 1}})
    trial.click_before()
    daemon = trial.daemon
    # Files that are open for writing keep a disk from being remounted: with the daemon gone.
    assert daemon.terminate() == 0
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    daemon.start()
    assert daemon.metrics()["hopcount_log_degraded"] == 1
    assert daemon.metrics()["hopcount_log_last_errno"] == errno.EROFS
    trial.click_during()
    assert_no_spin(daemon)
    trial.wait_applied()
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    # What comes now goes to the disk again.
    def is_on_disk():
        trial.flood(1000)
        return daemon.metrics()["hopcount_log_degraded"] == 0
    wait_until(is_on_disk, 60, "it is not", pause=0.2)
    metrics = trial.wait_applied()
    trial.verdict(n_lost_reported=dropped(metrics))


@pytest.mark.skipif(not IS_PLAIN, reason="a preloaded library and a sanitizer's don't go together")
def test_syncs_that_fail_are_told_and_cost_no_click(make_trial, redis):
    """EIO of every fdatasync and msync, by libfiu."""
    environment = syncs_fail()
    trial = make_trial(14, "EIO of every sync", environment=environment)
    trial.click_before()
    trial.click_during()
    metrics = trial.check_conservation()
    assert metrics["hopcount_log_last_errno"] == 5, metrics
    assert_no_spin(trial.daemon)
    trial.verdict()


SLOW_SYNC = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static int slow(const char *name, int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);

    nanosleep(&(struct timespec){.tv_nsec = 100000000}, 0);
    return real(fd);
}
int fsync(int fd) { return slow("fsync", fd); }
int fdatasync(int fd) { return slow("fdatasync", fd); }
"""


@pytest.mark.skipif(not IS_PLAIN, reason="a preloaded library and a sanitizer's don't go together")
def test_kill_9_loses_nothing_while_the_disk_takes_its_time(make_trial, redis, tmp_path):
    """Segments are there before they are synced."""
    source, library = tmp_path / "slow.c", tmp_path / "slow.so"
    source.write_text(SLOW_SYNC)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    trial = make_trial(1, "kill -9 while each sync takes 0.1 s, 3 times",
                       config={"ledger": {"segment_bytes": 262144}}, environment={"LD_PRELOAD": str(library)})
    trial.click_before()
    with trial.load(trial.during, n_clients=8, pause_s=0.0) as load:
        for _ in range(3):
            load.wait_clicks(2000)
            trial.daemon.kill()
            trial.daemon.start()
    trial.verdict()


# --- row 15: the clock ---

@pytest.mark.skipif(not IS_PLAIN, reason="a preloaded library and a sanitizer's don't go together")
@pytest.mark.parametrize("days", [1, -1])
def test_the_wall_clock_jumps_by_a_day(make_trial, redis, tmp_path, days):
    library = next(iter(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
    if library is None:
        pytest.skip("libfaketime is not installed")
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    trial = make_trial(15, f"the wall clock jumps by {days:+d} day", environment={
        "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"})
    daemon = trial.daemon
    short = daemon.mint("view", 5, client=1, campaign=1, ttl=4)  # a day
    daemon.click(short)
    trial.before.received[short] += 1
    trial.click_before()
    n_before = trial.tally.n_received
    clock.write_text(f"{days:+d}d\n")
    trial.click_during()
    trial.wait_applied()
    assert daemon.get(f"/{short}").status == (410 if days > 0 else 302), "expiry is of the wall clock"
    if days < 0:
        trial.during.received[short] += 1
    trial.click_during(500)
    trial.links.append(short)
    counts = trial.verdict()
    by_day = collections.Counter()
    client = redis.client()
    for key in client.scan_iter("hc:*:t:*:\\*:h:l:*", count=1000):
        by_day[key.decode()[-8:]] += sum(n for *_, n in counters.records(client.get(key)))
    for key in client.scan_iter("hc:*:t:*:\\*:a:*", count=1000):
        for day, *_, n in counters.lone_records(client.get(key)):
            by_day[f"{key.decode()[-6:]}{day:02}"] += n
    today = time.strftime("%Y%m%d", time.gmtime())
    jumped = time.strftime("%Y%m%d", time.gmtime(time.time() + 86400 * days))
    assert by_day == {today: n_before, jumped: counts.total - n_before}, by_day


# --- row 18: DNS ---

def test_a_resolver_that_stalls(make_trial, make_hopcountd, redis, tmp_path):
    resolver = Resolver()
    wrapper = behind(resolver, tmp_path)
    trial = make_trial(18, "the name of the Redis host is not resolved, then it is",
                       f"redis://redis.hopcount.example:{redis.port}/0", config=OPEN,
                       wrapper=wrapper)
    with trial.load(trial.during) as load:
        wait_until(lambda: "resolve" in trial.daemon.stderr(), 30, "the log says so")
        load.wait_clicks()
    metrics = trial.check_conservation()
    assert resolver.n_questions > 0 and metrics["hopcount_redis_up"] == 0
    assert metrics["hopcount_clicks_pending"] > 0 and trial.daemon.is_ready()
    assert "resolve" in trial.daemon.stderr(), trial.daemon.stderr_tail()
    resolver.answers = True
    trial.wait_applied()
    trial.click_after()
    trial.verdict()
    resolver.close()


# --- row 19: descriptors ---

@contextlib.contextmanager
def many_sockets(n):
    """Raises our own limit; a list to put sockets in, closed at the end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < n + 500:
        pytest.skip(f"{n} sockets need a limit of descriptors above {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, n + 500), hard))
    sockets = []
    try:
        yield sockets
    finally:
        for sock in sockets:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect_quietly(trial, n, first=b""):
    """Connections that say nothing more than `first`; those that fail are none of ours."""
    sockets = []
    for _ in range(n):
        with contextlib.suppress(OSError):
            sock = socket.create_connection(("127.0.0.1", trial.daemon.port), 5)
            sockets.append(sock)
            if first:
                sock.sendall(first)
    return sockets


def test_ten_thousand_idle_and_five_hundred_slow_clients(make_trial):
    trial = make_trial(19, "10,000 idle and 500 slow clients", config={
        "public": {"connections_max": 16384, "idle_s": 600, "head_s": 60}})
    trial.click_before()
    memory = trial.daemon.metrics()["process_resident_memory_bytes"]
    with many_sockets(10500) as sockets:
        sockets += connect_quietly(trial, 10000)
        slow = connect_quietly(trial, 500, request_bytes(f"/{trial.links[0]}")[:-4])
        sockets += slow
        assert len(sockets) > 10000
        with trial.load(trial.during):
            for i in range(20):
                for sock in slow:
                    with contextlib.suppress(OSError):
                        sock.sendall(b"x")
                time.sleep(0.1)  # the slow clients' own pace
        grown = trial.daemon.metrics()["process_resident_memory_bytes"] - memory
        assert grown < (1 if IS_PLAIN else 8) * len(sockets) * 16384, f"grew by {grown}"
    trial.verdict()


def test_descriptors_run_out(make_trial):
    trial = make_trial(19, "descriptors run out (limit 200)",
                       wrapper=["sh", "-c", "ulimit -n 200; exec \"$@\"", "sh"])
    trial.click_before()
    with many_sockets(1000) as sockets:
        sockets += connect_quietly(trial, 600)
        canaries = 0
        for token in trial.links:
            with contextlib.suppress(OSError, Closed):
                if trial.daemon.get(f"/{token}").status == 302:
                    trial.during.received[token] += 1
                    canaries += 1
        assert canaries == len(trial.links), "a new client pushes out the longest idle one"
        assert_no_spin(trial.daemon, 1)
    trial.click_after()
    trial.verdict()
