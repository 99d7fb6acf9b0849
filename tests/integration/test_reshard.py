"""`hopcount reshard`: the counts go to another number of shards, each once, whatever happens on the way."""
import collections
import hashlib
import re
import struct
import time

import pytest

from faults.counts import read_counts
from faults.proxy import Proxy
from faults.topology import Cluster
from faults.trial import flood, mint_links
from harness import tokens
from harness.build import ROOT
from harness.funnel import Year, read_sums
from harness.wait import wait_until
from test_funnel import check_lists, check_rows, compare, start_year

# No client is counted before ten minutes have passed: all wait, and are moved so.
FAST = {"redis": {"timeout_ms": 300, "flush_ms": 20}, "labels": {"repeat_max": 0, "gateway_networks_s": 600}}
INVOICES = 250  # enough for lists of more than a page


class Cutter(Proxy):
    """Ends all connections for good when so many commands have passed."""

    limit = 0

    def take_strike(self, name, frame):
        self.limit -= 1
        if self.limit == 0:
            self.refuse()


def reshard(daemon, *arguments, status=0):
    done = daemon.cli("reshard", "-c", daemon.config_path, *arguments)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def set_shards(daemon, n):
    daemon.write_config({"redis": {"shards": n}})


def wait_cause(daemon):
    wait_until(lambda: daemon.metrics().get('hopcount_redis_refusal{cause="shards"}') == 1, 20, "it says why it waits")


def wait_total(clients, links, n):
    """Metrics are a second old."""
    def total():
        counts = read_counts(*clients)
        return sum(counts.links[tokens.link_id(token)] for token in links)
    wait_until(lambda: total() == n, 60, lambda: f"{n} clicks of the links are counted, there are {total()}")


def wait_facts(client):
    """Until all facts of invoices are added: before that, counts can't be moved."""
    wait_until(lambda: not any(client.xlen(key) for key in client.scan_iter("hc:{s*}:fq")), 20, "facts are added")


def shards_in_use(client):
    return {int(key[5:7], 16) for key in client.scan_iter("hc:{s*") if re.match(rb".*:(t|[loc]a?):", key)}


def hours_beside_series(client):
    """Keys of a day's people by the hour of three campaigns, in the shards of their series."""
    series = (key.split(b":") for key in client.scan_iter("hc:*:t:*:90[0-2]:*"))
    return {b":".join((*name[:2], b"uh", *name[3:5], b"20261122")) for name in series}


def waiting(client):
    """Clicks of people who are not counted yet, by slot and person, of campaigns and of all campaigns."""
    sums, slots = collections.Counter(), {}
    for key in client.scan_iter("hc:{s*}:w:*"):
        shard, slot = key.split(b":")[1], int(key.split(b":")[-1])
        slots.setdefault(shard, set()).add(slot)
        records = client.get(key)
        for who, brand, campaign, change in struct.iter_unpack(">QIHH", records):
            for scope in (2, 4):
                if change & scope:
                    sums[slot, who, brand, campaign, change & 1, scope] += (change >> 3) - 4096
    for shard, of in slots.items():
        listed = client.zrange(b"hc:%s:ws" % shard, 0, -1)
        assert of <= {int(slot) for slot in listed}, "each is in the set of its shard"
    return {key: n for key, n in sums.items() if n and key[1] < 5000}


def statistics(daemon):
    """What people see, of everything."""
    asked = ["/v1/campaigns", "/v1/revocations", "/v1/events", "/v1/funnel?from=400d&group_by=campaign,variant"]
    asked += ["/v1/stats?from=400d&clients=true&group_by=time"]
    asked += [f"/v1/stats?from=400d&group_by={group}" for group in
              ("kind", "campaign", "label", "reason", "country", "device", "variant", "channel", "delay")]
    answers = {path: daemon.api("GET", path) for path in asked}
    for answer in answers.values():
        for moving in ("as_of", "lag_s", "to", "from", "clients_as_of"):
            answer.pop(moving, None)
    return answers


@pytest.mark.parametrize("before, after", [(2, 16), (16, 4)])
def test_all_counts_are_the_same_however_often_it_is_interrupted(make_hopcountd, make_proxy, redis, rng, before, after):
    now = int(time.time())
    year = Year(rng, INVOICES, now)
    pods = start_year(make_hopcountd, year, redis, now, {**FAST, "redis": {**FAST["redis"], "shards": before}})
    cells = year.truth.sums()[0]
    wait_until(lambda: read_sums(redis.client(), at_rest=False)[0] == cells, 60, "the year is counted")
    compare(year, redis.client(), pods)
    pods[1].shut_down()
    pods[1].write_keys([(1, "mint", pods[0].key)])
    pods[1].start()
    # Of no invoice, so that the year's truth still holds.
    links = [pods[0].mint("view", 0, client=5000 + n, campaign=900 + n % 3) for n in range(20)]
    flood(pods[0].port, links, 300)
    pods[0].api("PUT", "/v1/campaigns/2", {"name": "Reminder 2"})
    pods[0].api("POST", "/v1/revocations", {"scope": "object", "brand": "acme", "id": 77, "issued_before": "2026-01-01T00:00:00Z"}, 202)
    wait_total([redis.client()], links, 300)
    seen, cells = statistics(pods[0]), read_sums(redis.client())
    people = waiting(redis.client())
    assert len(people) > 50
    # A day's people by the hour, beside the series of their campaign.
    for key in hours_beside_series(redis.client()):
        redis.client().set(key, key.split(b"}")[1])
    assert shards_in_use(redis.client()) == set(range(before))

    # It does not begin while processes count.
    set_shards(pods[0], after)
    said = reshard(pods[0], status=1)
    assert "these processes count in this Redis" in said and f"restart them with redis.shards: {after}" in said
    assert redis.client().get("hc:{s00}:shards") == b"%d" % before

    # With the new number they answer, and count nothing yet; that of two logs not all is in Redis changes nothing.
    for pod in pods:
        if before < after:
            redis.stop()
            flood(pod.port, links, 200)
            pod.kill()
            redis.cont()
        else:
            pod.shut_down()
        set_shards(pod, after)
        pod.start()
        wait_cause(pod)
        wait_until(lambda: pod.metrics()["hopcount_state_known"] == 1, 20, "what it knew of objects is still known")
        assert flood(pod.port, links, 200).n_received == 200

    # Cut off again and again, it goes on where it stopped.
    proxy, n_cut, limit = Cutter(redis.port, rng).start(), 0, 12
    url = pods[0].config["redis"]["url"]
    while True:
        proxy.limit = limit
        pods[0].write_config({"redis": {"url": proxy.url}})
        done = pods[0].cli("reshard", "-c", pods[0].config_path)
        proxy.stop()
        if done.returncode == 0:
            break
        assert "connection" in done.stderr or "does not answer" in done.stderr, done.stderr
        n_cut, limit = n_cut + 1, limit * 5 // 2
        proxy = Cutter(redis.port, rng).start()
    assert n_cut >= 4
    pods[0].write_config({"redis": {"url": url}})
    assert f"the counts are in {after} shards" in done.stdout
    assert "nothing is to be done" in reshard(pods[0])

    extra = 400 + (400 if before < after else 0)
    wait_total([redis.client()], links, 300 + extra)
    assert shards_in_use(redis.client()) == set(range(after))
    assert not list(redis.client().scan_iter("hc:*:new:*")) and not redis.client().exists("hc:{s00}:reshard")
    totals = read_counts(redis.client()).totals()
    objects, clients = totals.pop("objects"), totals.pop("clients")
    assert len(set(totals.values())) == 1, totals
    # The newest click of each log has neither.
    assert (objects, clients) == (totals["links"] - 2 - 300 - extra, totals["links"] - 2)
    compare(year, redis.client(), pods)
    assert read_sums(redis.client()) == cells
    assert waiting(redis.client()) == people
    hours = hours_beside_series(redis.client())
    assert len(hours) == 3 and set(redis.client().keys("hc:*:uh:*:20261122")) == hours
    assert all(redis.client().get(key) == key.split(b"}")[1] for key in hours)
    now_seen = statistics(pods[1])
    assert now_seen["/v1/campaigns"] == seen["/v1/campaigns"] and now_seen["/v1/revocations"] == seen["/v1/revocations"]
    assert now_seen["/v1/funnel?from=400d&group_by=campaign,variant"] == seen["/v1/funnel?from=400d&group_by=campaign,variant"]
    for path in seen:
        if path.startswith("/v1/stats"):
            assert now_seen[path]["total"]["total"] == seen[path]["total"]["total"] + extra, path
            assert len(now_seen[path]["rows"]) >= len(seen[path]["rows"])
            assert now_seen[path]["total"].get("clients") == seen[path]["total"].get("clients"), path
    check_rows(pods[1], cells[0], now)
    check_lists(pods[0], year, now)


def test_fewer_shards_need_logs_that_were_applied_equally_far(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"redis": {**FAST["redis"], "shards": 16}, "labels": {"repeat_max": 0}})
    links = mint_links(daemon, 3)
    flood(daemon.port, links, 30)
    wait_total([redis.client()], links, 30)
    daemon.kill()  # before cursors of shards that had nothing to count have moved
    set_shards(daemon, 2)
    said = reshard(daemon, status=1)
    assert "not applied equally far" in said and "Let a process with redis.shards: 16" in said
    assert re.search(r"^log \w{32}: applied up to", said, re.M)
    assert redis.client().get("hc:{s00}:shards") == b"16" and not redis.client().exists("hc:{s00}:reshard")

    set_shards(daemon, 16)
    daemon.start()
    wait_facts(redis.client())
    daemon.shut_down()
    set_shards(daemon, 2)
    reshard(daemon)
    daemon.start()
    flood(daemon.port, links, 30)
    wait_total([redis.client()], links, 60)
    read_counts(redis.client()).check_agreement()
    daemon.shut_down()


def test_a_log_that_was_lost_is_named(make_hopcountd, redis):
    """Of what a pod left whose disk is gone the rest can't be counted, into however many shards."""
    daemon = make_hopcountd(redis, FAST, start=False)
    set_shards(daemon, 1)
    log, other = "0123456789abcdef" * 2, "fedcba9876543210" * 2
    redis.client().mset({"hc:{s00}:shards": 4, f"hc:{{s01}}:cur:{log}": 5, f"hc:{{s02}}:cur:{other}": 7})
    assert "2 logs were not applied equally far" in reshard(daemon, status=1)
    assert "1 log was not applied equally far" in reshard(daemon, "--lost", log, status=1)
    reshard(daemon, "--lost", f"{log},{other}")
    assert redis.client().mget(f"hc:{{s00}}:cur:{log}", f"hc:{{s00}}:cur:{other}") == [b"5", b"7"]


def test_facts_that_wait_are_added_first(make_hopcountd, redis):
    daemon = make_hopcountd(redis, FAST, start=False)
    set_shards(daemon, 4)
    redis.client().set("hc:{s00}:shards", 1)
    redis.client().xadd("hc:{s00}:fq", {"f": b""})
    assert "1 fact waits in Redis" in reshard(daemon, status=1)
    assert redis.client().get("hc:{s00}:shards") == b"1" and not redis.client().exists("hc:{s00}:reshard")
    redis.client().xtrim("hc:{s00}:fq", maxlen=0)
    reshard(daemon)


def test_one_redis_grows_into_a_cluster(make_hopcountd, make_topology, redis):
    daemon = make_hopcountd(redis, FAST)
    links = mint_links(daemon, 30)
    flood(daemon.port, links, 300)
    wait_total([redis.client()], links, 300)
    cluster = make_topology(Cluster, n_nodes=3)
    daemon.write_config({"redis": {"url": cluster.url, "shards": 16}})
    reshard(daemon, "--from", redis.url, "--prepare")
    assert "processes count in this Redis" in reshard(daemon, "--from", redis.url, status=1)
    daemon.shut_down()
    daemon.start()
    wait_cause(daemon)
    flood(daemon.port, links, 100)
    assert "name it with --from" in reshard(daemon, status=1)
    said = reshard(daemon, "--from", redis.url)
    assert "the counts are in 16 shards" in said
    wait_total(cluster.read(), links, 400)
    counts = read_counts(*cluster.read())
    counts.check_agreement()
    assert counts.total == 400
    assert redis.client().get("hc:{s00}:shards") == b"moved"
    assert "were moved to another" in reshard(daemon, "--from", redis.url, status=1)
    daemon.shut_down()


def test_nothing_is_moved_into_tables_meanwhile(redis):
    """The copy of a table is made before or after that of what was added to it."""
    client = redis.client()
    script = (ROOT / "service/ledger/merge.lua").read_text()
    record = b"\x01" + bytes(15)
    table = b"HCT1" + struct.pack(">IQ", 7, 32) + record
    keys = ["hc:{s00}:la:00", "hc:{s00}:shards", "hc:{s00}:l:000"]

    def merge():
        return client.eval(script, 3, *keys, hashlib.sha1(record).hexdigest(), 16, b"", 1, b"", 0, table)

    for number, is_moved in (("1>4", 0), ("moved", 0), ("4", 0), ("1", 1)):
        client.mset({keys[0]: record, keys[1]: number})
        assert merge() == is_moved
        assert client.mget(keys[0], keys[2]) == ([b"", table] if is_moved else [record, None])
    client.set(keys[0], record)
    client.delete(keys[1], keys[2])
    assert merge() == 0


def test_what_makes_no_sense_is_refused(make_hopcountd, redis):
    daemon = make_hopcountd(redis, FAST, start=False)
    assert "nothing is to be moved" in reshard(daemon, status=1)
    assert "--prepare is for --from" in reshard(daemon, "--prepare", status=2)
    redis.client().set("hc:{s00}:shards", "3")
    assert "does not understand" in reshard(daemon, status=1)
    redis.client().set("hc:{s00}:shards", "1")
    redis.client().set("hc:{s00}:reshard", "1 8 same copy")
    set_shards(daemon, 4)
    assert "finish that with redis.shards: 8 first" in reshard(daemon, status=1)
    private = make_hopcountd(None, FAST, name="private", start=False)
    assert "has no redis.url" in reshard(private, status=1)
