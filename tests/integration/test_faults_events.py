"""Events through faults, beside clicks: none lost, none applied twice, and all pods say the same (rows 1 to 15
and 18 to 20 of the fault matrix)."""
import contextlib
import pathlib
import resource
import time

import pytest

from faults.disk import Disk, fill, small_disk, syncs_fail
from faults.proxy import STRIKES
from faults.refusals import REFUSALS
from faults.resolver import Resolver, behind
from faults.told import Told, states_in
from faults.topology import Cluster, Sentinels
from faults.trial import dropped
from harness.build import build_type
from harness.daemon import BRAND
from harness.wait import wait_until

CONFIG = {"admin": {"rate_per_min": 1000000}}
# Links to log in lead on although it is not known what became of them.
OPEN = {"brands": [{**BRAND, "targets": [{"kind": "login", "until_known": "open"}]}]}
plain_only = pytest.mark.skipif(build_type() != "Release",
                                reason="a preloaded library and a sanitizer's don't go together")


@pytest.fixture
def make_told(make_trial, make_hopcountd, redis, rng):
    """make_told(row, fault, …) -> (trial, told): two pods, of which the trial's is told and clicked."""
    def make(row, fault, url=None, read=None, pod_url=None, config=None, environment=None, wrapper=None):
        config = CONFIG | (config or {})
        trial = make_trial(row, f"events: {fault}", url or redis, config=config, read=read,
                           environment=environment, **({"wrapper": wrapper} if wrapper else {}))
        other = make_hopcountd(pod_url or url or redis, {k: v for k, v in config.items() if k != "state_dir"},
                               name="other", start=False)
        other.key = trial.daemon.key
        other.write_keys([(1, "mint", other.key)])
        other.start()
        if not wrapper:  # else Redis is out of reach from the beginning
            trial.wait_known()
        return trial, Told([trial.daemon, other], rng)
    return make


def end(trial, told):
    told.verdict(trial.read)
    trial.verdict()


@pytest.mark.tsan
def test_kill_9_of_the_pod_that_is_told(make_told):
    trial, told = make_told(1, "kill -9 of hopcountd under load, 3 times")
    with told, trial.load(trial.during) as load:
        for _ in range(3):
            load.wait_clicks(200)
            trial.daemon.kill()
            trial.daemon.start()
        load.wait_clicks(200)
    end(trial, told)


def test_sigterm_and_a_new_start(make_told):
    """As in a rollout: what was accepted is applied or stays for the next start."""
    trial, told = make_told(2, "SIGTERM under load, 2 times")
    with told, trial.load(trial.during) as load:
        for _ in range(2):
            load.wait_clicks(200)
            assert trial.daemon.terminate() == 0
            trial.daemon.start()
        load.wait_clicks(200)
    end(trial, told)


def test_kill_9_of_redis(make_told, redis):
    trial, told = make_told(4, "kill -9 of Redis under load, 2 times")
    with told, trial.load(trial.during) as load:
        for _ in range(2):
            load.wait_clicks(300)
            redis.kill()
            load.wait_clicks(300)
            redis.start()
        load.wait_clicks(200)
    end(trial, told)


def test_a_redis_that_loses_all(make_told, redis):
    trial, told = make_told(5, "FLUSHALL under load")
    with told, trial.load(trial.during) as load:
        load.wait_clicks(600)
        redis.client().flushall()
        load.wait_clicks(600)
    end(trial, told)


def test_a_frozen_redis(make_told, redis):
    trial, told = make_told(9, "SIGSTOP of Redis for 3 s")
    with told, trial.load(trial.during) as load:
        load.wait_clicks(300)
        redis.stop()
        time.sleep(3)  # the fault's own length
        redis.cont()
        load.wait_clicks(300)
    end(trial, told)


def test_a_redis_that_is_unreachable_until_the_log_is_full(make_told, make_proxy, redis):
    """An event for which the log has no room is not accepted, so that the sender keeps it."""
    proxy = make_proxy(redis.port)
    trial, told = make_told(20, "Redis unreachable until the log is full", proxy.url, pod_url=redis, config={
        "public": {"workers": 1}, "ledger": {
            "segment_bytes": 65536, "disk_max_bytes": 1048576, "memory_max_bytes": 65536,
            "retain_max_bytes": 1048576}})
    with told, trial.load(trial.during) as load:
        told.wait_accepted(50)
        proxy.refuse()
        told.wait_accepted(50)
        trial.flood(40000)
        assert trial.daemon.metrics()['hopcount_clicks_dropped_total{reason="disk_cap"}'] > 0
        proxy.heal()
        told.wait_accepted(50)
        load.wait_clicks(200)
    told.verdict(trial.read)
    trial.verdict(n_lost_reported=dropped(trial.wait_applied(60)))


@pytest.mark.parametrize("cause", ["oom", "readonly", "noperm"])
def test_a_redis_that_refuses(make_told, redis, cause):
    trial, told = make_told(11, f"Redis refuses: {cause}")
    with told, trial.load(trial.during) as load:
        load.wait_clicks(200)
        heal = REFUSALS[cause](redis)
        wait_until(lambda: trial.daemon.metrics().get(f'hopcount_redis_refusal{{cause="{cause}"}}') == 1, 20,
                   "the cause is told")
        told.wait_accepted(50)
        heal()
        load.wait_clicks(200)
    end(trial, told)


@plain_only
def test_the_wall_clock_jumps_by_a_day(make_told, tmp_path):
    library = next(iter(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
    if library is None:
        pytest.skip("libfaketime is not installed")
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    trial, told = make_told(15, "the wall clock jumps by a day", environment={
        "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"})
    with told, trial.load(trial.during) as load:
        told.wait_accepted(50)
        clock.write_text("+1d\n")
        told.wait_accepted(50)
        load.wait_clicks(200)
    end(trial, told)


@pytest.mark.parametrize("kind", STRIKES)
def test_replies_that_are_broken(make_told, make_proxy, redis, kind):
    proxy = make_proxy(redis.port)
    trial, told = make_told(8, f"reply to a batch: {STRIKES[kind]}", proxy.url, pod_url=redis)
    with told, trial.load(trial.during):
        for i in range(1, 4):
            proxy.strike(kind)
            wait_until(lambda i=i: proxy.n_struck >= i, 20, f"reply {i} is struck")
            told.wait_accepted(20)
    end(trial, told)


def test_failover_to_a_replica_that_lags(make_told, make_topology):
    sentinels = make_topology(Sentinels)
    trial, told = make_told(6, "failover to a replica whose replication was cut", sentinels, read=sentinels.read)
    with told, trial.load(trial.during) as load:
        load.wait_clicks(300)
        master, _ = sentinels.cut_replication()
        load.wait_clicks(500)
        master.kill()
        sentinels.wait_failover(master)
        load.wait_clicks(300)
    end(trial, told)


def test_an_old_master_wakes_up(make_told, make_topology):
    sentinels = make_topology(Sentinels)
    trial, told = make_told(7, "master frozen, replica promoted, old master wakes up", sentinels, read=sentinels.read)
    with told, trial.load(trial.during) as load:
        load.wait_clicks(200)
        master = sentinels.master()
        master.stop()
        sentinels.wait_failover(master)
        told.wait_accepted(50)
        master.cont()
        told.wait_accepted(50)
        sentinels.wait_whole()
        load.wait_clicks(200)
    assert sentinels.master() is not master
    end(trial, told)


def test_a_table_of_states_that_is_not_ours(make_told, redis):
    """What it should hold is set aside and told; all other events are applied."""
    trial, told = make_told(12, "WRONGTYPE on a table of states")
    client, first = redis.client(), told.opt_out_one()
    wait_until(lambda: states_in([client]), 20, "it is applied")
    table = next(client.scan_iter("hc:{s00}:e:???", count=1000))
    client.delete(table)
    client.rpush(table, "not ours")
    with told, trial.load(trial.during) as load:
        told.wait_accepted(150)
        load.wait_clicks(200)
    # It may have been told of again; no other of these few clients is in the same of 1,024 tables.
    del told.truth[first]
    trial.wait_applied()
    trial.verdict(agree=False)
    client.delete(table)
    told.verdict(trial.read)
    assert trial.daemon.log_lines("ledger.set_aside")


def test_a_resolver_that_stalls(make_told, redis, tmp_path):
    resolver = Resolver()
    trial, told = make_told(18, "the name of the Redis host is not resolved, then it is",
                            f"redis://redis.hopcount.example:{redis.port}/0", pod_url=redis, config=OPEN,
                            wrapper=behind(resolver, tmp_path))
    with told, trial.load(trial.during) as load:
        wait_until(lambda: "resolve" in trial.daemon.stderr(), 30, "the log says so")
        told.wait_accepted(50)
        resolver.answers = True
        told.wait_accepted(50)
        load.wait_clicks(200)
    end(trial, told)
    resolver.close()


def test_descriptors_run_out(make_told):
    """An event that finds no descriptor is not answered, and told again by its sender."""
    trial, told = make_told(19, "no descriptors for 2 s")
    with told, trial.load(trial.during) as load, contextlib.ExitStack() as crowd:
        load.wait_clicks(200)
        before = resource.prlimit(trial.daemon.pid, resource.RLIMIT_NOFILE)
        n_open = len(list(pathlib.Path(f"/proc/{trial.daemon.pid}/fd").iterdir()))
        resource.prlimit(trial.daemon.pid, resource.RLIMIT_NOFILE, (n_open + 4, before[1]))
        for _ in range(60):
            crowd.enter_context(trial.daemon.connect())
        time.sleep(2)  # the fault's own length
        resource.prlimit(trial.daemon.pid, resource.RLIMIT_NOFILE, before)
        told.wait_accepted(50)
        load.wait_clicks(200)
    end(trial, told)


def test_a_master_of_the_cluster_is_replaced(make_told, make_topology):
    cluster = make_topology(Cluster)
    trial, told = make_told(13, "cluster: kill -9 of a master", cluster, read=cluster.read,
                            config={"redis": {"shards": 16}})
    victim = cluster.masters()[0]
    with told, trial.load(trial.during) as load:
        load.wait_clicks(300)
        victim.kill()
        wait_until(lambda: len(cluster.masters()) == 3, 40, "its replica takes over", pause=0.05)
        load.wait_clicks(300)
    victim.start()
    cluster.wait_whole()
    end(trial, told)


@plain_only
def test_a_power_cut_with_durability_click(make_told, make_proxy, redis, tmp_path):
    """What was answered is on the disk; Redis has nothing of it yet."""
    disk, proxy = Disk(tmp_path), make_proxy(redis.port)
    trial, told = make_told(3, "power cut, 4 times, durability: click", proxy.url, pod_url=redis,
                            config={"ledger": {"durability": "click"}}, environment=disk.environment)
    n_lost = 0
    with told, trial.load(trial.during) as load:
        for _ in range(4):
            proxy.hold()
            told.wait_accepted(20)
            load.wait_clicks(200)
            trial.daemon.kill()
            n_lost += disk.cut_power(trial.daemon)
            proxy.reset()
            proxy.heal()
            trial.daemon.start()
        load.wait_clicks(200)
    print(f"{n_lost} bytes were not on the disk")
    end(trial, told)


@pytest.fixture(name="small_disk")
def small_disk_fixture(tmp_path):
    yield from small_disk(tmp_path / "disk")


def test_a_full_disk_turns_to_memory_and_back(make_told, small_disk):
    trial, told = make_told(14, "disk full, then room again", config={
        "state_dir": str(small_disk / "state"), "public": {"workers": 1}})
    with told, trial.load(trial.during) as load:
        load.wait_clicks(200)
        filler = fill(small_disk)
        for _ in range(4):
            trial.flood(2000)
        wait_until(lambda: trial.daemon.metrics()["hopcount_log_degraded"] == 1, 20, "it is degraded")
        told.wait_accepted(100)
        filler.unlink()
        wait_until(lambda: trial.daemon.metrics()["hopcount_log_degraded"] == 0, 60, "it is not")
        told.wait_accepted(50)
    told.verdict(trial.read)
    trial.verdict(n_lost_reported=dropped(trial.wait_applied()))


@plain_only
def test_syncs_that_fail_cost_no_event(make_told):
    trial, told = make_told(14, "EIO of every sync, durability: click", environment=syncs_fail(),
                            config={"ledger": {"durability": "click"}})
    with told, trial.load(trial.during) as load:
        told.wait_accepted(50)
        load.wait_clicks(300)
    assert trial.daemon.metrics()["hopcount_log_last_errno"] == 5
    end(trial, told)
