"""Mail gateways are told by what they do: several links of one client, or several networks, at a
time.  Their clicks move from human to automated, and the totals stay."""
import itertools
import time

import pytest

import read_log
from faults.topology import Cluster
from harness import tokens
from harness.daemon import merge
from harness.load import BROWSER
from harness.wait import wait_until

CONFIG = {
    "redis": {"flush_ms": 20},
    "public": {"workers": 2, "client_address": "forwarded", "trusted_proxies": ["127.0.0.1"]},
}
clients = itertools.count(1000)


def mint_mail(daemon, n, client=None, **fields):
    """`n` links of one mail to one client, an hour old."""
    client = next(clients) if client is None else client
    fields.setdefault("issued_s", time.time() - 3600)
    return [daemon.mint("view", 1 + i, client=client, **fields) for i in range(n)]


def click(daemon, token, network=1, **kwargs):
    return daemon.click(token, headers={"User-Agent": BROWSER,
                                        "X-Forwarded-For": f"198.51.{network}.7"}, **kwargs)


def totals(daemon):
    return daemon.api("GET", "/v1/stats?brand=acme&interval=day")["total"]


def assert_counted(daemon, human, automated):
    """Waits for that, in the statistics; then it must be so in the links' tables, too."""
    want = {"total": human + automated, "human": human, "automated": automated}
    last = {}

    def is_so():
        last.update(totals(daemon))
        return all(last[key] == want[key] for key in want)
    wait_until(is_so, 20, lambda: f"{want}, now {last}", pause=0.05)


def assert_conserved(daemon, n_clicks, n_relabels):
    def is_so():
        metrics = daemon.metrics()
        return (metrics["hopcount_clicks_accepted_total"] == n_clicks
                and metrics["hopcount_clicks_applied"] == n_clicks
                and metrics.total("hopcount_clicks_dropped_total") == 0
                and metrics.total("hopcount_clicks_relabelled_total") == n_relabels)
    wait_until(is_so, 20, lambda: f"{n_clicks} clicks, {n_relabels} relabelled: "
               f"{ {k: v for k, v in daemon.metrics().items() if 'clicks_' in k} }")


def test_three_links_within_seconds_are_a_gateways(make_hopcountd, redis):
    daemon = make_hopcountd(redis, CONFIG)
    links = mint_mail(daemon, 3)
    for link in links:
        click(daemon, link)
    assert_counted(daemon, 0, 3)
    for link in links:
        assert daemon.clicks(link) | {"first_at": 0, "last_at": 0} == {
            "total": 1, "human": 0, "automated": 1, "first_at": 0, "last_at": 0}
    rows = daemon.api("GET", "/v1/stats?brand=acme&interval=day&group_by=reason")["rows"]
    assert {row["key"]: row["total"] for row in rows if row["total"]} == {"many_links": 3}
    assert_conserved(daemon, 3, 3)


def test_what_people_do_stays_theirs(make_hopcountd, redis):
    daemon = make_hopcountd(redis, CONFIG)
    for link in mint_mail(daemon, 2, channel="portal"):  # in two tabs
        click(daemon, link)
    (once,) = mint_mail(daemon, 1)
    for network in (1, 2, 1):  # twice, and from Wi-Fi to mobile
        click(daemon, once, network)
    for _ in range(5):  # colleagues behind one address
        click(daemon, mint_mail(daemon, 1)[0])
    for link in mint_mail(daemon, 4, client=0):  # of nobody in particular
        click(daemon, link)
    silent = mint_mail(daemon, 3, silent=True)
    for link in silent:
        click(daemon, link)
    assert_counted(daemon, 14, 0)
    assert_conserved(daemon, 14, 0)


def test_three_networks_are_a_gateways(make_hopcountd, redis):
    (daemon,) = make_pods(make_hopcountd, redis, 1)  # the salt of networks is agreed on
    (link,) = mint_mail(daemon, 1)
    for network in (1, 2):
        click(daemon, link, network)
    assert_counted(daemon, 2, 0)
    click(daemon, link, 3)
    assert_counted(daemon, 0, 3)


def test_two_links_at_once_are_a_gateways(make_hopcountd, redis):
    daemon = make_hopcountd(redis, CONFIG)
    for link in mint_mail(daemon, 2):
        click(daemon, link)
    assert_counted(daemon, 0, 2)
    assert_conserved(daemon, 2, 2)


def reasons_of(daemon):
    rows = daemon.api("GET", "/v1/stats?brand=acme&interval=day&group_by=reason")["rows"]
    return {row["key"]: row["total"] for row in rows if row["total"]}


@pytest.mark.parametrize("name, fields, n, most", [
    ("a client's link", {"client": 5}, 25, 10),
    ("as many as a person may", {"client": 5}, 10, 10),
    ("one more", {"client": 5}, 11, 10),
    ("a link that names nobody", {"client": 0}, 25, 10),
    ("of which any number may be", {"client": 5}, 25, 0),
    ("of which two may be", {"client": 5}, 25, 2),
])
def test_one_link_again_and_again(make_hopcountd, redis, name, fields, n, most):
    config = merge(CONFIG, {"labels": {"repeat_max": most}})
    (daemon,) = make_pods(make_hopcountd, redis, 1, config)  # visitors are told apart by the salt
    (link,) = mint_mail(daemon, 1, **fields)
    for _ in range(n):
        click(daemon, link)
    human = min(n, most or n)
    assert_counted(daemon, human, n - human)
    assert reasons_of(daemon).get("repeat", 0) == n - human
    assert_conserved(daemon, n, n - human)
    assert daemon.clicks(link)["human"] == human


def test_everyone_s_link_is_opened_by_many(make_hopcountd, redis):
    """Behind one network, each with an agent of his own; the first doesn't stop."""
    (daemon,) = make_pods(make_hopcountd, redis, 1)  # visitors are told apart by the salt
    link = daemon.mint("login", 0)
    for _ in range(15):
        click(daemon, link)
    assert_counted(daemon, 10, 5)
    for n in range(15):
        daemon.click(link, headers={"User-Agent": f"{BROWSER} Version/{n}", "X-Forwarded-For": "198.51.1.7"})
    assert_counted(daemon, 25, 5)


def test_a_listed_network_is_a_gateways(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {**CONFIG, "labels": {"ranges": ["198.51.9.0/24"]}})
    for client in (0, 5):
        (link,) = mint_mail(daemon, 1, client=client)
        click(daemon, link, 9)
        click(daemon, link, 8)
    assert_counted(daemon, 2, 2)


def test_head_and_then_get_soon_after_minting_is_a_gateways(make_hopcountd, redis):
    (daemon,) = make_pods(make_hopcountd, redis, 1)
    (link,) = mint_mail(daemon, 1, issued_s=time.time())
    click(daemon, link, method="HEAD")
    click(daemon, link)
    assert_counted(daemon, 0, 2)
    assert_conserved(daemon, 2, 1)


def test_relabellings_are_applied_once_whatever_happens(make_hopcountd, redis):
    daemon = make_hopcountd(redis, CONFIG)
    for link in mint_mail(daemon, 3):
        click(daemon, link)
    assert_counted(daemon, 0, 3)
    daemon.kill()
    daemon.start()
    (link,) = mint_mail(daemon, 1)
    click(daemon, link)
    assert_counted(daemon, 1, 3)
    # All is replayed from the logs.
    redis.client().flushall()
    assert_counted(daemon, 1, 3)


def test_a_burst_while_redis_is_down(make_hopcountd, redis):
    daemon = make_hopcountd(redis, CONFIG)
    links = mint_mail(daemon, 4)
    click(daemon, links[0])
    assert_counted(daemon, 1, 0)
    redis.terminate()
    for link in links[1:]:
        click(daemon, link)
    redis.start()
    wait_until(lambda: daemon.metrics()["hopcount_redis_up"] == 1, 20, "connected again")
    assert_counted(daemon, 0, 4)


def make_pods(make_hopcountd, redis, n, config=None):
    pods = [make_hopcountd(redis, config or CONFIG, f"pod{i}", start=False) for i in range(n)]
    for pod in pods:
        pod.key = pods[0].key
        pod.write_keys([(1, "mint", pod.key)])
        pod.start()
    wait_until(lambda: all(pod.metrics()["hopcount_pods"] == n for pod in pods), 40,
               f"{n} pods know of one another", pause=0.2)
    return pods


def play_siblings(pods, before=(0, 0)):
    """Clicks that are gateways' by what came to several pods, and two of a person; the person's link."""
    for _ in range(20):
        for pod, link in zip(itertools.cycle(pods), mint_mail(pods[0], 3)):
            click(pod, link)
    (link,) = mint_mail(pods[0], 1)
    for pod, network in zip(itertools.cycle(pods), (1, 2, 3)):
        click(pod, link, network)
    (person,) = mint_mail(pods[0], 1)
    for pod in pods[:2]:
        click(pod, person)
    assert_counted(pods[0], before[0] + 2, before[1] + 63)
    return person


def assert_relabelled_once(pods, n):
    """By one pod each, in what is counted and in what is logged."""
    assert sum(pod.metrics().total("hopcount_clicks_relabelled_total") for pod in pods) == n
    relabelled = [(record["client"], record["link"], record["time_ms"]) for pod in pods
                  for log in read_log.read_logs(pod.state_dir) for record in log.clicks() if record["type"] == 2]
    assert len(relabelled) == n


@pytest.mark.tsan
@pytest.mark.parametrize("shards, n_pods", [(16, 2), (256, 3)])
def test_siblings_over_several_shards(make_hopcountd, redis, shards, n_pods):
    """A client's list and claims are in the shard of the client."""
    config = merge(CONFIG, {"redis": {"shards": shards}})
    pods = make_pods(make_hopcountd, redis, n_pods, config)
    play_siblings(pods)
    assert_relabelled_once(pods, 63)
    client = redis.client()
    used = {key.split(b":")[1] for key in client.scan_iter("hc:*:gw*:*", count=10000)}
    assert len(used) > 8, used
    for kind in (b"gw", b"gwd"):
        assert client.keys(b"hc:{s*}:" + kind + b":*")


def test_siblings_on_a_cluster(make_hopcountd, make_topology):
    """Each shard's commands go to the master that has its slot; after a failover, to the new one."""
    cluster = make_topology(Cluster)
    config = merge(CONFIG, {"redis": {"shards": 16, "timeout_ms": 500}})
    pods = make_pods(make_hopcountd, cluster.url, 2, config)
    play_siblings(pods)
    assert_relabelled_once(pods, 63)
    assert all(server.client().keys("hc:*:gw*:*") for server in cluster.masters())
    # The master that holds the salt and who is alive goes down for good.
    (lost,) = [server for server in cluster.masters() if server.client().keys("hc:{s00}:alive")]
    lost.kill()
    killed_s = time.time()
    wait_until(lambda: len(cluster.masters()) == 3, 60, "a replica has taken over", pause=0.1)
    wait_until(lambda: any(server.client().zcount("hc:{s00}:alive", killed_s + 1, "+inf") == 2
                           for server in cluster.masters() if server.client().keys("hc:{s00}:alive")), 40,
               "the pods know of one another again", pause=0.2)
    wait_until(lambda: pods[0].admin("GET", "/v1/stats?brand=acme", key=True).status == 200, 40,
               "the counters can be read again", pause=0.2)
    play_siblings(pods, before=(2, 63))
    assert_relabelled_once(pods, 126)


@pytest.mark.tsan
def test_siblings_that_come_to_several_pods(make_hopcountd, redis):
    pods = make_pods(make_hopcountd, redis, 2)
    person = play_siblings(pods)
    assert_relabelled_once(pods, 63)
    seen = {}
    for pod in pods:
        for log in read_log.read_logs(pod.state_dir):
            for record in log.clicks():
                seen.setdefault(record["type"], []).append(record)
    assert len(seen[1]) == len(seen[2]) + 2 == 65
    # Both pods give a network the same number: of one client's three links all clicks agree.
    by_client = {}
    for record in seen[1]:
        by_client.setdefault((record["client"], record["link"]), set()).add(record["network"])
    assert len(by_client[person_key(person, seen[1])]) == 1
    # Nothing about people stays in Redis for long, and no address was ever there.
    client = redis.client()
    for key in client.keys("hc:*:gw*:*"):
        assert 0 < client.ttl(key) <= 3600
    salts = client.keys("hc:{s00}:salt:*")
    assert salts and all(0 < client.ttl(key) <= 2 * 86400 for key in salts)


def test_a_person_after_a_burst_stays_one_at_another_pod(make_hopcountd, redis):
    """The other pod learns of the burst together with the person's click."""
    config = merge(CONFIG, {"labels": {"gateway_links_s": 1, "gateway_two_links_ms": 0}})
    pods = make_pods(make_hopcountd, redis, 2, config)
    mails = [mint_mail(pods[0], 3) for _ in range(20)]
    for links in mails:
        for link, network in zip(links, (1, 2, 1)):
            click(pods[0], link, network)
    burst_s = time.time()
    assert_counted(pods[0], 0, 60)
    wait_until(lambda: time.time() > burst_s + 1, 5, "they are no longer amid the burst")
    for links in mails:
        click(pods[1], links[0], 3)
    assert_counted(pods[0], 20, 60)
    assert_relabelled_once(pods, 60)


def test_a_link_again_and_again_at_two_pods(make_hopcountd, redis):
    pods = make_pods(make_hopcountd, redis, 2)
    (link,) = mint_mail(pods[0], 1)
    for i in range(24):
        click(pods[i % 2], link)
    assert_counted(pods[0], 10, 14)
    assert_relabelled_once(pods, 14)


def person_key(token, records):
    link = tokens.link_id(token)
    (client,) = {record["client"] for record in records if record["link"] == link}
    return client, link


def calls_of_scripts(redis):
    stats = redis.client().info("commandstats")
    return sum(stats.get(name, {}).get("calls", 0) for name in ("cmdstat_eval", "cmdstat_evalsha"))


def test_without_the_right_to_share_each_pod_looks_for_itself(make_hopcountd, redis):
    redis.client().execute_command("ACL", "SETUSER", "default", "-rpush", "-zremrangebyscore")
    daemon = make_hopcountd(redis, CONFIG)
    for link in mint_mail(daemon, 3):
        click(daemon, link)
    assert_counted(daemon, 0, 3)
    before = calls_of_scripts(redis)
    wait_until(lambda: calls_of_scripts(redis) > before + 10, 30, "scripts are called again and again")
    told = [line for line in daemon.stderr().splitlines() if "ledger.siblings" in line]
    assert all("rights of redis-acl.conf" in line for line in told), told
    assert 1 <= len(told) <= 2, "one line for each refused command, not for each time"
