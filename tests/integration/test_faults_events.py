"""Events through faults, beside clicks: none lost, none applied twice, and all pods say the same (rows 1, 4, 5,
6, 8, 9 and 13 of the fault matrix)."""
import time

import pytest

from faults.proxy import STRIKES
from faults.told import Told
from faults.topology import Cluster, Sentinels
from harness.wait import wait_until

CONFIG = {"admin": {"rate_per_min": 1000000}}


@pytest.fixture
def make_told(make_trial, make_hopcountd, redis, rng):
    """make_told(row, fault, …) -> (trial, told): two pods, of which the trial's is told and clicked."""
    def make(row, fault, url=None, read=None, pod_url=None, config=None):
        config = CONFIG | (config or {})
        trial = make_trial(row, f"events: {fault}", url or redis, config=config, read=read)
        other = make_hopcountd(pod_url or url or redis, config, name="other", start=False)
        other.key = trial.daemon.key
        other.write_keys([(1, "mint", other.key)])
        other.start()
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
