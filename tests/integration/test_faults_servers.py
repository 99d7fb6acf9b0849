"""Faults of several Redis servers: failover by sentinels, a cluster that changes (rows 6, 7 and 13
of the fault matrix)."""

import pytest

from faults.topology import Cluster, Sentinels
from harness.wait import wait_until

SHARDS = {"redis": {"shards": 16}}


@pytest.fixture
def sentinels(make_topology):
    return make_topology(Sentinels)


@pytest.fixture
def cluster(make_topology):
    return make_topology(Cluster)


@pytest.fixture
def trial_on(make_trial):
    def make(row, fault, topology, **kwargs):
        return make_trial(row, fault, topology, read=topology.read, **kwargs)
    return make


# --- rows 6 and 7: sentinels ---

def test_failover_to_a_replica_that_lags(trial_on, sentinels):
    trial = trial_on(6, "failover to a replica whose replication was cut", sentinels)
    trial.click_before()
    with trial.load(trial.during) as load:
        master, replica = sentinels.cut_replication()
        load.wait_clicks(1000)
        behind = sum(sentinels_counts(master).values()) - sum(sentinels_counts(replica).values())
        master.kill()
        sentinels.wait_failover(master)
        load.wait_clicks(300)
    trial.verdict()
    assert behind > 100, "the replica was to lag"
    assert trial.daemon.metrics()["hopcount_clicks_replayed_total"] >= behind - 50


def sentinels_counts(server):
    """The cursors of a server by log."""
    client = server.client()
    return {key: int(client.get(key)) for key in client.keys("hc:*:cur:*")}


def test_the_old_master_comes_back_with_stray_writes(trial_on, sentinels):
    trial = trial_on(7, "master frozen, replica promoted, old master wakes up", sentinels)
    trial.click_before()
    master = sentinels.master()
    with trial.load(trial.during) as load:
        master.stop()
        sentinels.wait_failover(master)
        load.wait_clicks(300)
        master.cont()
        load.wait_clicks(300)
    # What it takes now, before it is a replica, is of another that doesn't ask the sentinels.
    if master.role() == "master":
        master.client().set("stray", "write")
    with trial.load(trial.during):
        sentinels.wait_whole()
    assert sentinels.master() is not master
    trial.click_after()
    trial.verdict()


def test_two_failovers_there_and_back(trial_on, sentinels):
    trial = trial_on(7, "failover, the old master is a replica and promoted again", sentinels)
    trial.click_before()
    for _ in range(2):
        with trial.load(trial.during):
            master = sentinels.master()
            master.kill()
            sentinels.wait_failover(master)
            master.start()
        sentinels.wait_whole()
    trial.click_after()
    trial.verdict()


# --- row 13: cluster ---

def test_slots_that_move_under_load(trial_on, cluster):
    trial = trial_on(13, "cluster: 3000 slots move under load", cluster, config=SHARDS)
    trial.click_before()
    masters = cluster.masters()
    with trial.load(trial.during):
        cluster.reshard(masters[0], masters[1], 1500)
        cluster.reshard(masters[1], masters[2], 1500)
    trial.click_after()
    trial.verdict()


def test_a_slot_that_stays_half_migrated(trial_on, cluster):
    """ASK for the keys that are gone, TRYAGAIN for a batch of which some are."""
    trial = trial_on(13, "cluster: a slot half migrated for 2000 clicks (ASK, TRYAGAIN)", cluster,
                     config=SHARDS)
    trial.click_before()
    source, target = cluster.masters()[:2]
    slot, keys = next(
        (slot, keys) for slot, keys in ((s, keys_of(source, s)) for s in counter_slots(source))
        if len(keys) > 3)
    names = {node: cluster.node_id(node) for node in (source, target)}
    target.client().execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", names[source])
    source.client().execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", names[target])
    with trial.load(trial.during) as load:
        for key in keys[:len(keys) // 2]:
            source.client().execute_command("MIGRATE", "127.0.0.1", target.port, key, 0, 2000)
        load.wait_clicks(2000)
    assert trial.daemon.metrics()["hopcount_clicks_pending"] > 0, "that shard was to wait"
    while keys := keys_of(source, slot):
        for key in keys:
            source.client().execute_command("MIGRATE", "127.0.0.1", target.port, key, 0, 2000)
    for node in (target, source):
        node.client().execute_command("CLUSTER", "SETSLOT", slot, "NODE", names[target])
    trial.click_after()
    trial.verdict()


def keys_of(node, slot):
    return node.client().execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1000)


def counter_slots(node):
    client = node.client()
    return sorted({client.execute_command("CLUSTER", "KEYSLOT", key)
                   for key in client.keys("hc:*")})


def test_a_master_of_the_cluster_is_killed_and_replaced(trial_on, cluster):
    trial = trial_on(13, "cluster: kill -9 of a master, its replica takes over", cluster,
                     config=SHARDS)
    trial.click_before()
    victim = cluster.masters()[0]
    with trial.load(trial.during) as load:
        victim.kill()
        wait_until(lambda: len(cluster.masters()) == 3, 40, "its replica takes over", pause=0.05)
        load.wait_clicks()
    victim.start()
    cluster.wait_whole()
    trial.click_after()
    trial.verdict()


def test_a_cluster_that_is_down(trial_on, make_topology):
    cluster = make_topology(Cluster, n_nodes=3)
    for node in cluster.nodes:
        node.client().config_set("cluster-require-full-coverage", "yes")
    trial = trial_on(13, "cluster: CLUSTERDOWN, a master without replica is away", cluster,
                     config=SHARDS)
    trial.click_before()
    cluster.nodes[0].kill()
    with trial.load(trial.during) as load:
        wait_until(lambda: cluster.state(cluster.nodes[1]) == "fail", 20, "the cluster is down")
        load.wait_clicks(1000)
    assert trial.check_conservation()["hopcount_clicks_pending"] > 0
    cluster.nodes[0].start()
    trial.click_after()
    trial.verdict()


def test_script_flush_on_all_nodes(trial_on, cluster):
    trial = trial_on(13, "cluster: SCRIPT FLUSH on all nodes, 10 times", cluster, config=SHARDS)
    trial.click_before()
    with trial.load(trial.during) as load:
        for _ in range(10):
            for node in cluster.masters():
                node.client().script_flush()
            load.wait_clicks(100)
    trial.verdict()
