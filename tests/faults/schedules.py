#!/usr/bin/python3
"""Random schedules of faults, each from a seed: what was seen once can be seen again.

    tests/faults/schedules.py --seed 7                 this schedule, step by step
    tests/faults/schedules.py --seed 1 --count 200     the schedules 1 … 200
    … --topology single|sentinel|cluster               instead of what the seed says
    … --jobs 2                                         at a time

A schedule is a hopcountd and a Redis of some topology, clients that click and a billing system that sends
events all the time, and some steps of one or two faults at once.  Then everything is mended, and the
clients' tally must be what Redis holds, link by link, in all tables; the daemon's metrics must conserve;
and what became of each invoice must be what Redis, the daemon and a second pod say.
"""
import argparse
import collections
import concurrent.futures
import contextlib
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

if __name__ == "__main__":
    sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "integration"),
                    str(pathlib.Path(__file__).resolve().parents[1])]

from harness.daemon import Hopcountd, merge  # noqa: E402

from faults.proxy import STRIKES  # noqa: E402
from faults.told import Told  # noqa: E402
from faults.topology import Cluster, Sentinels, Single  # noqa: E402
from faults.trial import CONFIG, Trial, dropped  # noqa: E402

N_STEPS = (3, 7)
N_LINKS = 60


class World:
    """What a schedule may break."""

    def __init__(self, directory, rng, topology):
        self.rng, self.topology_name = rng, topology
        self.topology = {"single": Single, "sentinel": Sentinels, "cluster": Cluster}[topology](
            directory, rng)
        self.directory, self.daemon, self.other, self.trial, self.told = directory, None, None, None, None

    def start(self):
        self.topology.start()
        n_workers = self.rng.choice([1, 2, 3])
        config = merge(CONFIG, {
            "public": {"workers": n_workers},
            "admin": {"rate_per_min": 1000000},
            "redis": {"shards": 16 if self.topology_name == "cluster" else self.rng.choice([1, 4]),
                      "batch_max": self.rng.choice([64, 4096]),
                      "flush_ms": self.rng.choice([5, 50])}})
        self.daemon = Hopcountd(self.directory / "hopcountd", self.topology, config).start()
        self.other = Hopcountd(self.directory / "other", self.topology, config)
        self.other.key = self.daemon.key
        self.other.write_keys([(1, "mint", self.daemon.key)])
        self.other.start()
        self.trial = Trial(0, "a random schedule", self.daemon, self.topology.read, N_LINKS)
        self.told = Told([self.daemon, self.other], random.Random(self.rng.random()))

    def clean_up(self):
        self.topology.stop()
        for process in [self.daemon, self.other] + self.topology.processes:
            if process is not None:
                process.cleanup()


# --- faults: generators that begin, yield, and end ---

def kill_daemon(w):
    w.daemon.kill()
    yield
    w.daemon.start()


def restart_daemon(w):
    w.daemon.terminate()
    yield
    w.daemon.start()


def freeze_daemon(w):
    w.daemon.stop()
    yield
    w.daemon.cont()


def reload_daemon(w):
    if w.daemon.is_running():
        w.daemon.reload()
    yield


def kill_redis(w):
    w.topology.redis.kill()
    yield
    w.topology.redis.start()


def cut_redis(w):
    """A power cut of Redis' machine: its file ends somewhere."""
    redis = w.topology.redis
    redis.kill()
    files = list((redis.directory / "appendonlydir").glob("*.incr.aof"))
    newest = max(files, key=lambda path: int(path.name.split(".")[-3]))
    size = newest.stat().st_size
    os.truncate(newest, max(0, size - w.rng.randrange(1, w.rng.choice([200, 5000, 1000000]))))
    yield
    redis.start()


def freeze_redis(w):
    w.topology.redis.stop()
    yield
    w.topology.redis.cont()


def flush_redis(w):
    with contextlib.suppress(Exception):
        w.topology.redis.client(socket_timeout=1).flushall()
    yield


def flush_scripts(w):
    with contextlib.suppress(Exception):
        w.topology.redis.client(socket_timeout=1).script_flush()
    yield


def kill_clients(w):
    with contextlib.suppress(Exception):
        w.topology.redis.client(socket_timeout=1).client_kill_filter(_type="normal")
    yield


def refuse_writes(w):
    name, bad, good = w.rng.choice([("maxmemory", "1mb", "0"), ("min-replicas-to-write", "1", "0")])
    with contextlib.suppress(Exception):
        w.topology.redis.client(socket_timeout=1).config_set(name, bad)
    yield
    with contextlib.suppress(Exception):  # one that was restarted has forgotten it
        w.topology.redis.client(socket_timeout=5).config_set(name, good)


def proxy_fault(name):
    def fault(w):
        action = getattr(w.topology.proxy, name)
        action(w.rng.choice([0.02, 0.3, 0.7])) if name == "delay" else action()
        yield
        w.topology.proxy.heal()
    fault.__name__ = f"proxy_{name}"
    return fault


def proxy_strike(w):
    w.topology.proxy.strike(*w.rng.choices(list(STRIKES), k=w.rng.randrange(1, 5)))
    yield


def half_close(w):
    w.topology.proxy.half_close(w.rng.choice(["client", "server"]))
    yield


def kill_master(w):
    """The replica is promoted; the old master comes back as its replica."""
    s = w.topology
    master = s.master()
    if master is None:
        return
    master.kill()
    s.wait_failover(master)
    yield
    master.start()
    s.wait_whole()


def kill_master_that_was_ahead(w):
    """The replica has got nothing for a while when it is promoted."""
    s = w.topology
    s.wait_whole()
    master, replica = s.cut_replication()
    time.sleep(w.rng.uniform(0.1, 1))
    master.kill()
    s.wait_failover(master)
    yield
    replica.client().config_set("masterauth", "")
    master.start()
    s.wait_whole()


def freeze_master(w):
    """It doesn't know that it is the master no more, and takes writes when it wakes up."""
    s = w.topology
    s.wait_whole()
    master = s.master()
    master.stop()
    s.wait_failover(master)
    yield
    master.cont()
    s.wait_whole()


def kill_replica(w):
    replica = w.topology.replica()
    if replica is None:
        return
    replica.kill()
    yield
    replica.start()
    w.topology.wait_whole()


def kill_sentinel(w):
    watcher = w.rng.choice(w.topology.watchers[1:])
    watcher.kill()
    yield
    watcher.spawn()


def kill_node(w):
    """A master of the cluster; its replica takes over, or it is back before."""
    c = w.topology
    node = w.rng.choice(c.masters())
    node.kill()
    if w.rng.random() < 0.7:
        time.sleep(2)  # longer than cluster-node-timeout
    yield
    node.start()
    c.wait_whole()


def freeze_node(w):
    c = w.topology
    node = w.rng.choice(c.masters())
    node.stop()
    time.sleep(w.rng.choice([0.3, 2.5]))
    yield
    node.cont()
    c.wait_whole()


def reshard(w):
    c = w.topology
    c.wait_whole()
    source, target = w.rng.sample(c.masters(), 2)
    c.reshard(source, target, w.rng.choice([200, 1000]))
    yield


def flush_node_scripts(w):
    for node in w.topology.masters():
        with contextlib.suppress(Exception):
            node.client(socket_timeout=1).script_flush()
    yield


DAEMON = [kill_daemon, kill_daemon, restart_daemon, freeze_daemon, reload_daemon]
FAULTS = {
    "single": DAEMON + [
        kill_redis, cut_redis, cut_redis, freeze_redis, flush_redis, flush_scripts, kill_clients,
        refuse_writes, proxy_strike, proxy_strike, proxy_strike, half_close] + [
        proxy_fault(n) for n in ("hold", "hold", "drop", "delay", "dribble", "refuse", "reset")],
    "sentinel": DAEMON + [kill_master, kill_master_that_was_ahead, freeze_master, kill_replica,
                          kill_sentinel],
    "cluster": DAEMON + [kill_node, freeze_node, reshard, flush_node_scripts],
}
# Of one of these groups only one at a time: they break the same process.
GROUPS = [
    {"kill_daemon", "restart_daemon", "freeze_daemon", "reload_daemon"},
    {"kill_redis", "cut_redis", "freeze_redis", "flush_redis", "flush_scripts", "kill_clients",
     "refuse_writes", "kill_master", "kill_master_that_was_ahead", "freeze_master",
     "kill_replica", "kill_sentinel", "kill_node", "freeze_node", "reshard", "flush_node_scripts"},
    {"proxy_hold", "proxy_drop", "proxy_delay", "proxy_dribble", "proxy_refuse", "proxy_reset",
     "proxy_strike", "half_close"},
]


def group_of(fault):
    return next(i for i, group in enumerate(GROUPS) if fault.__name__ in group)


def choose_step(rng, topology):
    """One fault, or two or three of different groups."""
    chosen = {}
    for fault in rng.sample(FAULTS[topology], rng.choice([1, 1, 2, 2, 3])):
        chosen.setdefault(group_of(fault), fault)
    return list(chosen.values())


def run_step(world, faults):
    rng, under_way = world.rng, []
    # The waits are the schedule's own: faults that come at once, or one after the other.
    for fault in faults:
        generator = fault(world)
        if next(generator, "over") != "over":
            under_way.append(generator)
        time.sleep(rng.choice([0, 0.05, 0.3]))
    time.sleep(rng.choice([0.05, 0.3, 0.8]))
    rng.shuffle(under_way)
    for generator in under_way:
        next(generator, None)
    time.sleep(rng.choice([0, 0.1, 0.4]))


def run_schedule(seed, topology=None, say=lambda text: None):
    """Runs it and returns one line about it; AssertionError for a lost or doubled click."""
    rng = random.Random(seed)
    chosen = rng.choice(["single"] * 7 + ["sentinel"] * 2 + ["cluster"])
    topology = topology or chosen
    directory = pathlib.Path(tempfile.mkdtemp(prefix=f"hopcount-schedule-{seed}-"))
    world, steps, passed = World(directory, rng, topology), [], False
    try:
        world.start()
        with world.told, world.trial.load(world.trial.during, n_clients=3, pause_s=0.003):
            time.sleep(rng.choice([0.1, 0.4]))
            for _ in range(rng.randrange(*N_STEPS)):
                faults = choose_step(rng, topology)
                steps.append("+".join(fault.__name__ for fault in faults))
                say(steps[-1])
                run_step(world, faults)
        counts, metrics = verdict(world)
        passed = True
        return (f"seed {seed} {topology}: {world.trial.during}, counted {counts.total}, "
                f"{world.told.n_accepted} events, "
                f"replayed {metrics['hopcount_clicks_replayed_total']:.0f}: {' '.join(steps)}")
    except BaseException as failure:
        raise AssertionError(
            f"seed {seed} {topology}, steps {' '.join(steps)}, files in {directory}: {failure!r}"
        ) from failure
    finally:
        world.clean_up()
        if passed:
            shutil.rmtree(directory, ignore_errors=True)


def verdict(world):
    trial = world.trial
    metrics = trial.wait_applied(60)
    # Drops can only be of this last start: a daemon that was killed has told nobody.  None are
    # expected: the disk is there, and no cap is near.
    assert dropped(metrics) == 0, metrics
    assert metrics["hopcount_clicks_lost_gap_total"] == 0
    tally = trial.tally
    counts = trial.counts_now()
    by_id = collections.Counter()
    from harness import tokens
    for token in trial.links:
        by_id[token] = counts.links[tokens.link_id(token)]
    tally.check(by_id)
    counts.check_agreement()
    world.told.verdict(trial.read)
    for daemon in (world.daemon, world.other):
        daemon.assert_no_sanitizer_report()
    return counts, metrics


# --- the command line ---

def run_alone(arguments, seed):
    """In a process of its own: a schedule that hangs or dies takes nobody with it."""
    command = [sys.executable, __file__, "--seed", str(seed)]
    if arguments.topology:
        command += ["--topology", arguments.topology]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired as failure:
        return seed, False, f"seed {seed}: hangs: {failure.stdout}"
    lines = done.stdout.splitlines() + done.stderr.splitlines()
    return seed, done.returncode == 0, (lines[-1] if done.returncode == 0 else "\n".join(lines))


def run_many(arguments):
    missed = []
    seeds = range(arguments.seed, arguments.seed + arguments.count)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for seed, passed, text in pool.map(lambda s: run_alone(arguments, s), seeds):
            print("ok  " if passed else "MISS", text, flush=True)
            if not passed:
                missed.append(seed)
    print(f"{arguments.count - len(missed)} schedules without a miss, {len(missed)} with: {missed}")
    return bool(missed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--topology", choices=FAULTS)
    arguments = parser.parse_args()
    if arguments.count > 1:
        return run_many(arguments)
    try:
        print(run_schedule(arguments.seed, arguments.topology, print))
    except AssertionError:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
