"""One-time links while servers fail: whatever Redis loses, no link lets two views in."""
import concurrent.futures
import re
import time

import pytest

from faults.topology import Cluster, Sentinels
from harness.wait import wait_until

FORM = ("Content-Type", "application/x-www-form-urlencoded")
VIEWS = 1000


@pytest.fixture
def make_pods(make_hopcountd):
    def make(url, shards=1):
        config = {"redis": {"shards": shards}}
        first = make_hopcountd(url, config, name="pod0")
        second = make_hopcountd(url, config, name="pod1", start=False)
        second.key = first.key
        second.write_keys([(1, "mint", first.key)])
        second.start()
        wait_until(lambda: all(pod.metrics()["hopcount_state_known"] == 1 for pod in (first, second)), 40)
        return [first, second]
    return make


def views_of(pod, token, n):
    with pod.connect(seconds=30) as connection:
        pages = [connection.request(f"/{token}").body.decode() for _ in range(n)]
    return [re.search(r'name="view" value="([0-9a-z]{45})"', page)[1] for page in pages]


def press(pod, token, view):
    return pod.get(f"/{token}", method="POST", headers=(FORM,), body=f"view={view}".encode()).status


def press_until_sure(pods, token, view):
    """Presses, now here, now there, until it is said what comes of it; all that was said."""
    said = []
    end = time.monotonic() + 90
    while not said or said[-1] == 503:
        assert time.monotonic() < end, f"only 503: {len(said)}"
        said.append(press(pods[len(said) % 2], token, view))
        if said[-1] == 503:
            time.sleep(0.2)  # as a person would, and not to keep both cores busy
    return said


def who_got_in(pods, token, views, during):
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        presses = [pool.submit(press_until_sure, pods, token, view) for view in views]
        during()
        said = [done.result() for done in presses]
    flat = [status for one in said for status in one]
    print(f"{len(views)} views, {len(flat)} presses: " +
          ", ".join(f"{flat.count(s)} x {s}" for s in sorted(set(flat))))
    assert set(flat) <= {303, 410, 503}
    return [view for view, one in zip(views, said) if 303 in one]


def test_presses_through_a_failover(make_pods, make_topology):
    sentinels = make_topology(Sentinels)
    pods = make_pods(sentinels.url)
    token = pods[0].mint("login", 0, client=7, once=True)

    def fail_over():
        master = sentinels.master()
        master.kill()
        sentinels.wait_failover(master)
    winners = who_got_in(pods, token, views_of(pods[0], token, VIEWS), fail_over)
    assert len(winners) == 1
    for pod in pods:
        wait_until(lambda pod=pod: pod.get(f"/{token}").status == 410, 40)


def test_a_replica_that_lags_gets_no_second_use(make_pods, make_topology):
    """Without a replica that confirms it nobody is let in, so that nothing can be forgotten."""
    sentinels = make_topology(Sentinels)
    pods = make_pods(sentinels.url)
    used, fresh = (pods[0].mint("login", n, client=7, once=True) for n in (1, 2))
    views = {token: views_of(pods[0], token, 3) for token in (used, fresh)}
    assert press_until_sure(pods, used, views[used][0])[-1] == 303
    wait_until(lambda: sentinels.master().client().hget("hc:{s00}:server", "replicas") == b"1")
    master, replica = sentinels.cut_replication()
    wait_until(lambda: master.client().info("replication")["connected_slaves"] == 0)
    assert {press(pod, fresh, views[fresh][0]) for pod in pods} == {503}
    master.kill()
    sentinels.wait_failover(master)
    assert press_until_sure(pods, used, views[used][1])[-1] == 410
    assert press_until_sure(pods, fresh, views[fresh][1])[-1] == 303
    assert press_until_sure(pods, fresh, views[fresh][0])[-1] == 410
    assert replica is sentinels.master()


def test_every_shard_of_a_cluster_uses_links_up(make_pods, make_topology):
    pods = make_pods(make_topology(Cluster).url, 16)
    for number in range(12):
        token = pods[0].mint("login", number, client=7, once=True)
        views = views_of(pods[0], token, 2)
        assert press_until_sure(pods, token, views[0])[-1] == 303
        assert press_until_sure(pods, token, views[0])[-1] == 303
        assert press_until_sure(pods, token, views[1])[-1] == 410
