"""`hopcount erase` on a real Redis: afterwards nothing there names the client, all else is kept."""
import concurrent.futures
import hashlib
import itertools
import json
import shutil
import struct
import threading
import time

import pytest
import yaml

from harness import openapi
from harness.daemon import BRAND
from harness.endpoint import Answer, Endpoint
from harness.files import contents
from harness.wait import wait_until
from faults.trial import flood, mint_links
from test_gateways import make_pods

CLIENT = 77
OTHER = 78
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
BRANDS = [BRAND, {**BRAND, "name": "bcme", "hosts": ["go.bcme.example"],
                  "base_url": "https://go.bcme.example"}]


def clicks_of(daemon, client, brand="acme"):
    return daemon.api("GET", f"/v1/clients/{client}?brand={brand}")["clicks"]["total"]


def tables(redis):
    """All tables of clients, and what was added to them: key -> bytes."""
    client = redis.client()
    return {key: client.get(key) for match in ("hc:{s*}:c:*", "hc:{s*}:ca:*") for key in client.scan_iter(match=match)}


def name_of(number, brand="acme"):
    """How a record of a table begins that names the client."""
    brand_id = hashlib.blake2b(brand.encode(), digest_size=32).digest()[:4]
    return b"\x05" + struct.pack(">I", number) + brand_id


def table_of(redis, number):
    """The key of the table that the client is counted in, and its bytes."""
    return next((k, t) for k, t in tables(redis).items() if name_of(number) in t)


def records_of(redis, number, brand="acme"):
    return [table[at:at + 16] for table in tables(redis).values()
            for at in range(0, len(table), 16)
            if table[at:at + 9] == name_of(number, brand)]


def make_clicks(daemon):
    """Clicks of two clients and two brands; the tokens, and how often each was clicked."""
    links = {
        daemon.mint("view", 1, client=CLIENT): 3,
        daemon.mint("pay", 1, client=CLIENT, campaign=12): 2,
        daemon.mint("pay", 2, client=OTHER, campaign=12): 4,
    }
    foreign = daemon.mint("view", 3, brand="bcme", client=CLIENT)
    for token, n in links.items():
        for _ in range(n):
            daemon.click(token, headers=BROWSER)
    daemon.click(foreign, host="go.bcme.example", headers=BROWSER)
    wait_until(lambda: clicks_of(daemon, CLIENT) == 5 and clicks_of(daemon, OTHER) == 4
               and clicks_of(daemon, CLIENT, "bcme") == 1, 20, "all clicks are counted")
    return links


def erase(daemon, client=CLIENT, brand="acme", status=0):
    done = daemon.cli("erase", "-c", daemon.config_path, "--client", client, "--brand", brand)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done


@pytest.mark.parametrize("shards", [1, 16])
def test_nothing_names_the_client_and_everything_else_stays(make_hopcountd, redis, shards):
    daemon = make_hopcountd(redis, {"brands": BRANDS, "redis": {"shards": shards}})
    links = make_clicks(daemon)
    assert records_of(redis, CLIENT) and records_of(redis, CLIENT, "bcme")
    assert erase(daemon).stdout == "client 77: 5 clicks, 1 invoice erased\n"
    assert not records_of(redis, CLIENT) and records_of(redis, CLIENT, "bcme")
    assert clicks_of(daemon, OTHER) == 4
    wait_until(lambda: clicks_of(daemon, CLIENT) == 0, 20, "the API finds no click of the client")
    assert clicks_of(daemon, CLIENT, "bcme") == 1
    # Sums that name nobody, and the links themselves, stay.
    assert daemon.counted(links) == links
    assert daemon.api("GET", "/v1/stats?brand=acme")["total"]["total"] == 9
    assert daemon.get(f"/{next(iter(links))}", headers=BROWSER).status == 302
    assert erase(daemon, brand="bcme").stdout == "client 77: 1 click, 1 invoice erased\n"


@pytest.mark.parametrize("shards", [1, 16])
def test_what_pods_tell_one_another_of_the_client_goes_too(make_hopcountd, redis, shards):
    """The list of its newest clicks, and which of them were claimed; another client's stay."""
    pods = make_pods(make_hopcountd, redis, 2, {"redis": {"shards": shards, "flush_ms": 20}})
    for number in (CLIENT, OTHER):
        for pod, object_id in zip(itertools.cycle(pods), (1, 2, 3, 4)):
            pod.click(pod.mint("view", object_id, client=number), headers=BROWSER)
    client = redis.client()

    def kept(number):
        return {key.split(b":")[2] for key in client.scan_iter(match=f"hc:*:gw*:*:{number:08x}", count=1000)}
    wait_until(lambda: kept(CLIENT) == kept(OTHER) == {b"gw", b"gwd"}, 20, "the pods have told one another")
    wait_until(lambda: clicks_of(pods[0], CLIENT) == 4, 20, "the clicks are counted")
    assert erase(pods[0]).stdout == "client 77: 4 clicks erased\n"
    assert kept(CLIENT) == set() and kept(OTHER) == {b"gw", b"gwd"}
    everything = b"".join(key for key in client.scan_iter(count=1000))
    assert f"{CLIENT:08x}".encode() not in everything


def waiting_of(redis, number):
    """The records of a client's clicks that wait for their people to be counted."""
    client = redis.client()
    who = struct.pack(">Q", number) + hashlib.blake2b(b"acme", digest_size=32).digest()[:4]
    return [text[at:at + 16] for key in client.scan_iter(match="hc:{s*}:w:*", count=1000)
            for text in [client.get(key) or b""] for at in range(0, len(text), 16) if text[at:at + 12] == who]


@pytest.mark.parametrize("shards", [1, 16])
def test_who_waits_to_be_counted_is_taken_out_and_others_are_counted(make_hopcountd, redis, shards):
    """For a minute or more, clicks by people wait with the number of their client."""
    daemon = make_hopcountd(redis, {"brands": BRANDS, "redis": {"shards": shards}})
    make_clicks(daemon)
    wait_until(lambda: waiting_of(redis, CLIENT) and waiting_of(redis, OTHER), 20, "clicks wait")
    before, client = waiting_of(redis, OTHER), redis.client()
    # Some slots are listed as older builds list them.
    for key in list(client.scan_iter(match="hc:{s*}:w:*", count=1000))[::2]:
        shard, slot = key.split(b":")[1], key.split(b":")[3]
        client.zrem(b"hc:%s:ws" % shard, slot)
        client.append(b"hc:%s:wq" % shard, struct.pack(">II", int(slot), 16))
    erase(daemon)
    assert not waiting_of(redis, CLIENT) and waiting_of(redis, OTHER) == before
    assert erase(daemon).stdout == "client 77: nothing is counted\n"


def test_by_the_api_with_the_scope_an_entry_and_the_sinks(make_hopcountd, redis, tmp_path):
    daemon = make_hopcountd(redis, {"brands": BRANDS, "sinks": [
        {"name": "archive", "type": "file", "path": str(tmp_path / "archive"), "rotate_s": 1}]}, start=False)
    admin, other = daemon.add_api_key("stats:read,admin", "boss"), daemon.add_api_key("admin", "there", "bcme")
    daemon.start()
    make_clicks(daemon)
    path = f"/v1/clients/{CLIENT}?brand=acme"

    def ask(target, key, status):
        reply = daemon.admin("DELETE", target, key=key)
        openapi.check_reply("DELETE", target, reply)
        assert reply.status == status, reply.text
        return json.loads(reply.text)
    assert "scope" in ask(path, True, 403)["detail"]
    ask(path, other, 403)
    ask("/v1/clients/0?brand=acme", admin, 400)
    ask(f"/v1/clients/{CLIENT}?brand=nobody", admin, 400)
    assert clicks_of(daemon, CLIENT) == 5
    erased = ask(path, admin, 200)
    assert (erased["brand"], erased["id"], erased["erased"]["clicks"], erased["erased"]["invoices"]) == ("acme", CLIENT, 5, 1)
    assert erased["erased"]["waiting"] > 0
    progress = erased["progress"]
    steps = {each["step"]: each for each in progress["steps"]}
    assert {name: steps[name]["n"] for name in erased["erased"]} == erased["erased"]
    assert {steps[name]["state"] for name in erased["erased"]} == {"done"}
    assert steps["logs"]["state"] == "waiting" and steps["logs"]["until"] > progress["at"] and not progress["is_over"]
    assert steps["sinks"]["state"] in ("waiting", "done")
    progress_path = f"/v1/erasures/{progress['erasure']}"

    def now():
        reply = daemon.admin("GET", progress_path, key=admin)
        openapi.check_reply("GET", progress_path, reply)
        return json.loads(reply.text)
    wait_until(lambda: {each["step"]: each["state"] for each in now()["steps"]}["sinks"] == "done", 30, lambda: str(now()))
    assert now()["at"] == progress["at"] and not now()["is_over"]
    for target, key in ((progress_path, other), ("/v1/erasures/0000000000000000", admin), ("/v1/erasures/x", admin)):
        assert daemon.admin("GET", target, key=key).status == 404, target
    assert daemon.admin("GET", progress_path, key=True).status == 403
    assert not records_of(redis, CLIENT) and not waiting_of(redis, CLIENT) and records_of(redis, CLIENT, "bcme")
    assert clicks_of(daemon, CLIENT) == 0
    assert ask(path, admin, 200)["erased"]["clicks"] == 0
    entries = [each for each in json.loads(daemon.admin("GET", "/v1/audit?action=erase", key=admin).text)["entries"]]
    assert [(each["who"], each["brand"], each["client"], each["what"]) for each in entries] == [
        ("boss", "acme", None, "client (erased)")] * 2

    def told():
        return [json.loads(line) for file in (tmp_path / "archive").glob("*.jsonl") for line in file.read_text().splitlines()
                if '"client.erased"' in line]
    wait_until(lambda: len(told()) == 2, 30, "the sink is told")
    assert {(each["brand"], each["client"]) for each in told()} == {("acme", CLIENT)}


def test_an_erasure_by_the_api_while_redis_is_away(make_hopcountd, make_redis):
    server = make_redis()
    daemon = make_hopcountd(server, start=False)
    admin = daemon.add_api_key("admin", "boss")
    daemon.start()
    server.kill()
    reply = daemon.admin("DELETE", f"/v1/clients/{CLIENT}", key=admin)
    assert reply.status == 503 and "Redis does not answer" in json.loads(reply.text)["title"]
    daemon.terminate()  # one that is under way ends, and is answered


def test_an_erasure_is_over_when_the_logs_are_gone_and_another_process_tells_what_it_knows(make_hopcountd, redis, tmp_path):
    config = {"ledger": {"retain_s": 0}, "sinks": [{"name": "archive", "type": "file", "path": str(tmp_path / "archive"), "rotate_s": 1}]}
    pods = make_pods(make_hopcountd, redis, 2, config)
    admin = pods[0].add_api_key("admin", "boss")
    pods[1].api_keys_path.write_text(pods[0].api_keys_path.read_text())
    for pod in pods:
        pod.reload()
    wait_until(lambda: all(pod.admin("GET", "/v1/erasures/x", key=admin).status == 404 for pod in pods), 20, "the key is known")
    erasure = json.loads(pods[0].admin("DELETE", f"/v1/clients/{CLIENT}", key=admin).text)["progress"]["erasure"]

    def steps(pod):
        progress = json.loads(pod.admin("GET", f"/v1/erasures/{erasure}", key=admin).text)
        return progress["is_over"], {each["step"]: each["state"] for each in progress["steps"]}
    wait_until(lambda: steps(pods[1])[1]["logs"] == "elsewhere", 40, lambda: str(steps(pods[1])))
    assert steps(pods[1])[1]["sinks"] == "elsewhere" and not steps(pods[1])[0]
    # The sinks are told by the log of events, which goes on to a new segment by the next event only.
    assert steps(pods[0])[1]["logs"] == "waiting" and steps(pods[0])[1]["sinks"] == "done" and not steps(pods[0])[0]
    pods[0].api("POST", "/v1/events", [{"id": "o1", "type": "client.opted_out", "brand": "acme", "client": OTHER}], 202)
    wait_until(lambda: steps(pods[0])[0], 20, lambda: str(steps(pods[0])))
    assert steps(pods[0])[1]["logs"] == "done" and steps(pods[0])[1]["sinks"] == "done"


# --- how far an erasure is, after restarts ---

@pytest.fixture
def endpoint():
    """It refuses everything until a test has it answer."""
    server = Endpoint(lambda request: Answer(503))
    yield server
    server.close()


def start_with(daemon, endpoint=None, archive=None, **ledger):
    """With these sinks; a key that may erase, too."""
    sinks = [{"name": "crm", "type": "webhook", "url": endpoint.url, "allow_private": True, "hold_s": 0, "flush_ms": 50,
              "give_up_s": 3600}] if endpoint else []
    sinks += [{"name": "archive", "type": "file", "path": str(archive), "rotate_s": 1}] if archive else []
    daemon.write_config({"ledger": {"retain_s": 0, **ledger}, "sinks": sinks, "redis": {"flush_ms": 20}})
    if not hasattr(daemon, "boss"):
        daemon.boss = daemon.add_api_key("admin,events:write", "boss")
    daemon.start()
    return daemon.boss


def erase_by_api(daemon, key):
    reply = daemon.admin("DELETE", f"/v1/clients/{CLIENT}?brand=acme", key=key)
    assert reply.status == 200, reply.text
    return json.loads(reply.text)["progress"]["erasure"]


def progress_of(daemon, key, erasure):
    """Whether it is over, and the steps that take longer, by name."""
    path = f"/v1/erasures/{erasure}"
    reply = daemon.admin("GET", path, key=key)
    openapi.check_reply("GET", path, reply)
    progress = json.loads(reply.text)
    return progress["is_over"], {each["step"]: each for each in progress["steps"] if each["step"] in ("sinks", "logs")}


def sinks_of(daemon, key, erasure):
    """The state of the step `sinks`, and the sinks that it names."""
    step = progress_of(daemon, key, erasure)[1]["sinks"]
    assert step["n"] == len(step["names"]), step
    return step["state"], step["names"]


def logs_of(daemon):
    return {path.name for path in (daemon.state_dir / "logs").iterdir()}


@pytest.mark.parametrize("end", ["shut_down", "kill"])
def test_a_sink_that_is_told_after_a_restart(make_hopcountd, redis, endpoint, end):
    daemon = make_hopcountd(redis, start=False)
    key = start_with(daemon, endpoint)
    erasure = erase_by_api(daemon, key)
    assert sinks_of(daemon, key, erasure) == ("waiting", ["crm"])
    wait_until(lambda: '"events"' in (daemon.state_dir / "sinks/crm/state.json").read_text(), 20, "the sink's state is written")
    getattr(daemon, end)()
    daemon.start()
    assert sinks_of(daemon, key, erasure) == ("waiting", ["crm"])
    endpoint.answer = lambda request: Answer()
    wait_until(lambda: sinks_of(daemon, key, erasure) == ("done", []), 40, lambda: str(progress_of(daemon, key, erasure)))
    wait_until(lambda: progress_of(daemon, key, erasure)[0], 40, lambda: str(progress_of(daemon, key, erasure)))


def test_a_sink_that_was_told_by_a_log_that_is_deleted(make_hopcountd, redis, tmp_path):
    daemon = make_hopcountd(redis, start=False)
    key = start_with(daemon, archive=tmp_path / "archive")
    erasure = erase_by_api(daemon, key)
    wait_until(lambda: sinks_of(daemon, key, erasure) == ("done", []), 40, "the sink is told")
    before = logs_of(daemon)
    for _ in range(2):
        daemon.shut_down()
        daemon.start()
        wait_until(lambda: not logs_of(daemon) & before, 40, "the logs of the first start are deleted")
        assert sinks_of(daemon, key, erasure) == ("done", [])
    wait_until(lambda: progress_of(daemon, key, erasure)[0], 40, lambda: str(progress_of(daemon, key, erasure)))


def test_what_a_sink_will_never_be_told_is_lost(make_hopcountd, redis, endpoint, tmp_path):
    """Its log was removed while nobody looked.  Another sink had been told."""
    daemon = make_hopcountd(redis, start=False)
    key = start_with(daemon, endpoint, tmp_path / "archive")
    erasure = erase_by_api(daemon, key)
    wait_until(lambda: '"client.erased"' in "".join(path.read_text() for path in (tmp_path / "archive").glob("*.jsonl")), 40,
               "the other sink is told")
    assert sinks_of(daemon, key, erasure) == ("waiting", ["crm"])
    daemon.shut_down()
    shutil.rmtree(daemon.state_dir / "logs")
    daemon.start()
    wait_until(lambda: sinks_of(daemon, key, erasure) == ("lost", ["crm"]), 20, lambda: str(progress_of(daemon, key, erasure)))
    daemon.shut_down()
    endpoint.answer = lambda request: Answer()
    daemon.start()
    wait_until(lambda: progress_of(daemon, key, erasure)[1]["logs"]["state"] == "done", 40,
               lambda: str(progress_of(daemon, key, erasure)))
    assert sinks_of(daemon, key, erasure) == ("lost", ["crm"]) and not progress_of(daemon, key, erasure)[0]
    again = erase_by_api(daemon, key)
    wait_until(lambda: sinks_of(daemon, key, again) == ("done", []), 40, lambda: str(progress_of(daemon, key, again)))
    assert sinks_of(daemon, key, erasure) == ("lost", ["crm"])


def test_what_the_disk_budget_takes_from_a_sink_is_lost(make_hopcountd, redis, endpoint):
    daemon = make_hopcountd(redis, start=False)
    key = start_with(daemon, endpoint, segment_bytes=65536, disk_max_bytes=1 << 20, retain_max_bytes=65536)
    erasure = erase_by_api(daemon, key)
    links, n = mint_links(daemon, 10), 0

    def is_lost():
        """Clicks, and an event now and then, by which the log goes on to the next segment."""
        nonlocal n
        n += 1
        flood(daemon.port, links, 2000)
        event = {"id": f"o{n}", "type": "client.opted_out", "brand": "acme", "client": OTHER}
        daemon.admin("POST", "/v1/events", [event], key=key)
        return sinks_of(daemon, key, erasure) == ("lost", ["crm"])
    assert sinks_of(daemon, key, erasure) == ("waiting", ["crm"])
    wait_until(is_lost, 60, lambda: str(progress_of(daemon, key, erasure)))
    daemon.shut_down()
    endpoint.answer = lambda request: Answer()
    daemon.start()
    wait_until(lambda: daemon.metrics().total("hopcount_sink_lag_clicks") == 0, 60, "the sink has what is left")
    assert sinks_of(daemon, key, erasure) == ("lost", ["crm"])


def test_a_sink_that_is_off(make_hopcountd, redis, endpoint):
    """No log waits for it, so what it has not got is lost in time."""
    endpoint.answer = lambda request: Answer(410)
    daemon = make_hopcountd(redis, start=False)
    key = start_with(daemon, endpoint)
    erasure = erase_by_api(daemon, key)
    wait_until(lambda: daemon.metrics()['hopcount_sink_up{sink="crm",type="webhook"}'] == 0, 20, "the sink is off")
    assert sinks_of(daemon, key, erasure) == ("waiting", ["crm"])
    daemon.shut_down()
    daemon.start()
    wait_until(lambda: sinks_of(daemon, key, erasure) == ("lost", ["crm"]), 40, lambda: str(progress_of(daemon, key, erasure)))
    endpoint.answer = lambda request: Answer()
    assert daemon.cli("sinks", "retry", "crm", "-c", daemon.config_path).returncode == 0
    again = erase_by_api(daemon, key)
    wait_until(lambda: sinks_of(daemon, key, again) == ("done", []), 40, lambda: str(progress_of(daemon, key, again)))
    assert sinks_of(daemon, key, erasure) == ("lost", ["crm"])


def test_sinks_that_come_and_go(make_hopcountd, redis, endpoint, tmp_path):
    """Those count that were there when the client was erased; one that is taken out is told nothing more."""
    daemon = make_hopcountd(redis, start=False)
    key = start_with(daemon, endpoint)
    erasure = erase_by_api(daemon, key)
    state = daemon.state_dir / "sinks/crm/state.json"
    wait_until(lambda: '"events"' in state.read_text(), 20, "the sink's state is written")
    before = logs_of(daemon)
    daemon.shut_down()
    start_with(daemon, archive=tmp_path / "archive")
    assert sinks_of(daemon, key, erasure) == ("lost", ["crm"])
    wait_until(lambda: not logs_of(daemon) & before, 40, "the logs of the first start are deleted")
    daemon.shut_down()
    endpoint.answer = lambda request: Answer()
    start_with(daemon, endpoint, tmp_path / "archive")
    wait_until(lambda: sinks_of(daemon, key, erasure) == ("lost", ["crm"]), 20, lambda: str(progress_of(daemon, key, erasure)))
    again = erase_by_api(daemon, key)
    wait_until(lambda: sinks_of(daemon, key, again) == ("done", []), 40, lambda: str(progress_of(daemon, key, again)))
    daemon.shut_down()
    start_with(daemon, archive=tmp_path / "archive")
    assert sinks_of(daemon, key, again) == ("done", [])  # by the state that the sink has left
    daemon.shut_down()
    state.unlink()
    daemon.start()
    assert sinks_of(daemon, key, again) == ("lost", ["crm"])


def test_the_record_of_an_older_build(make_hopcountd, redis, tmp_path):
    """It names a process, and no state_dir: who was that process is gone."""
    daemon = make_hopcountd(redis, start=False)
    key = start_with(daemon, archive=tmp_path / "archive")
    record = {"brand": "acme", "at": 1795611723045, "logs_until": 1795611733045, "sinks": 1, "position": 0,
              "process": "0123456789abcdef", "host": "there",
              "erased": {name: 0 for name in ("clicks", "invoices", "requests", "uses", "waiting", "audit_entries")}}
    redis.client().set("hc:{s00}:erasure:00000000000000ab", json.dumps(record))
    is_over, steps = progress_of(daemon, key, "00000000000000ab")
    assert not is_over and {(each["state"], each["host"]) for each in steps.values()} == {("elsewhere", "there")}


def test_what_an_older_build_reads_of_a_record(make_hopcountd, redis, tmp_path):
    """How many sinks there are, and `process`: without one it says "elsewhere"."""
    daemon = make_hopcountd(redis, start=False)
    key = start_with(daemon, archive=tmp_path / "archive")
    erasure = erase_by_api(daemon, key)
    record = json.loads(redis.client().get(f"hc:{{s00}}:erasure:{erasure}"))
    assert record["sinks"] == 1 and "process" not in record and record["host"]
    assert "client" not in record


def test_what_waits_for_the_invoices_is_waited_for(hopcountd, redis):
    """Else it would bring the client back a moment later."""
    hopcountd.click(hopcountd.mint("pay", 5, client=CLIENT), headers=BROWSER)
    wait_until(lambda: clicks_of(hopcountd, CLIENT) == 1, 20, "the click is counted")
    hopcountd.terminate()
    brand = int.from_bytes(hashlib.blake2b(b"acme", digest_size=32).digest()[:4], "big")
    client = redis.client()
    wait_until(lambda: client.xlen("hc:{s00}:fq") == 0, 20, "the click is the invoice's")
    queued = struct.pack(">IIB", brand, 6, 5) + b"\x10" + struct.pack(">I", CLIENT)
    client.xadd("hc:{s00}:fq", {"f": queued})
    with concurrent.futures.ThreadPoolExecutor() as pool:
        erasing = pool.submit(erase, hopcountd)
        hopcountd.start()
        assert "1 invoice erased" in erasing.result(60).stdout
    assert client.xlen("hc:{s00}:fq") == 0 and not records_of(redis, CLIENT)


def test_a_gateway_recognised_after_an_erasure_leaves_nobody_below_zero(make_hopcountd, redis):
    """Its earlier clicks are relabelled, but the client's counts no longer hold them."""
    daemon = make_hopcountd(redis, {"redis": {"flush_ms": 20}})
    first, second, third = [daemon.mint("view", object_id, client=CLIENT, issued_s=time.time() - 3600)
                            for object_id in (1, 2, 3)]
    for token in (first, second):
        daemon.click(token, headers=BROWSER)
    wait_until(lambda: clicks_of(daemon, CLIENT) == 2, 20, "the clicks are counted")
    erase(daemon)
    daemon.click(third, headers=BROWSER)
    wait_until(lambda: daemon.metrics().total("hopcount_clicks_relabelled_total") == 3, 20, "a gateway is recognised")
    wait_until(lambda: all(daemon.clicks(token)["automated"] == 1 for token in (first, second, third)), 20,
               "that is counted")
    want = {"total": 1, "human": 0, "automated": 1}
    reply = daemon.api("GET", f"/v1/clients/{CLIENT}?brand=acme")
    assert reply["clicks"] == want and reply["kinds"] == {"view": want}
    (row,) = daemon.api("GET", "/v1/top/clients?brand=acme&sort=total")["rows"]
    assert row == {"id": CLIENT, **want}


@pytest.mark.parametrize("shards", [1, 16])
def test_what_the_client_asked_for_goes_too(make_hopcountd, redis, shards):
    """Opt-outs are told to the billing system for 30 days; 600 are more than one answer of Redis holds."""
    daemon = make_hopcountd(redis, {"brands": BRANDS, "redis": {"shards": shards}})
    events = [{"id": f"o{i}", "type": "client.opted_out", "brand": brand, "client": client}
              for i, (brand, client) in enumerate([("acme", CLIENT), ("bcme", CLIENT)]
                                                  + [("acme", 1000 + n) for n in range(600)]
                                                  + [("acme", CLIENT), ("acme", OTHER)])]
    daemon.api("POST", "/v1/events", events, 202)
    client = redis.client()

    def told():
        """(brand, client) of all entries."""
        return [entry[b"e"][4:8] + entry[b"e"][12:16] for key in client.scan_iter(match="hc:*:told", count=1000)
                for _, entry in client.xrange(key)]
    name = hashlib.blake2b(b"acme", digest_size=32).digest()[:4] + struct.pack(">I", CLIENT)
    wait_until(lambda: len(told()) == 604, 20, lambda: f"all are told: {len(told())}")
    before = told()
    assert erase(daemon).stdout == "client 77: 0 clicks, 2 requests erased\n"
    assert sorted(told()) == sorted(entry for entry in before if entry != name)
    answer = daemon.api("GET", "/v1/events?limit=1000")["events"]
    assert not [event for event in answer if (event["brand"], event["client"]) == ("acme", CLIENT)]
    assert erase(daemon).stdout == "client 77: nothing is counted\n"


def test_the_rights_of_a_ledger_are_enough(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"brands": BRANDS})
    make_clicks(daemon)
    redis.client().execute_command("ACL", "SETUSER", "default", "-del", "-unlink")
    assert "erased" in erase(daemon).stdout


def test_twice_is_as_good_as_once(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"brands": BRANDS})
    make_clicks(daemon)
    erase(daemon)
    before = tables(redis)
    assert erase(daemon).stdout == "client 77: nothing is counted\n"
    assert erase(daemon, client=4294967295).stdout == "client 4294967295: nothing is counted\n"
    assert tables(redis) == before


def test_beside_a_ledger_that_appends_and_one_that_compacts(make_hopcountd, redis):
    """What they write meanwhile to the client's table is kept."""
    daemon = make_hopcountd(redis, {"brands": BRANDS})
    make_clicks(daemon)
    record = records_of(redis, OTHER)[0]
    key, before = table_of(redis, CLIENT)
    stop = threading.Event()
    appended = []

    def others():
        client = redis.client()
        while not stop.is_set() and len(appended) < 20000:
            client.append(key, record)
            appended.append(1)
            if len(appended) % 500 == 0:  # as a compaction does, in one step
                client.eval("local t = redis.call('GET', KEYS[1]) "
                            "redis.call('SET', KEYS[1], string.sub(t, 17) .. string.sub(t, 1, 16))",
                            1, key)
    thread = threading.Thread(target=others)
    thread.start()
    try:
        assert "erased" in erase(daemon).stdout
    finally:
        stop.set()
        thread.join()
    after = tables(redis)[key]
    assert not records_of(redis, CLIENT)
    assert after.count(record) == before.count(record) + len(appended)


def test_what_is_not_ours_is_left_alone(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"brands": BRANDS})
    make_clicks(daemon)
    key, _ = table_of(redis, CLIENT)
    redis.client().append(key, b"not a record....")
    before = tables(redis)
    done = erase(daemon, status=1)
    assert key.decode() in done.stderr and "nothing was changed" in done.stderr
    assert tables(redis) == before


def test_with_the_private_redis(make_hopcountd):
    daemon = make_hopcountd()
    daemon.click(daemon.mint(client=CLIENT), headers=BROWSER)
    wait_until(lambda: clicks_of(daemon, CLIENT) == 1, 20, "the click is counted")
    done = daemon.cli("erase", "-c", daemon.config_path, "--client", CLIENT)
    assert (done.returncode, done.stdout) == (0, "client 77: 1 click, 1 invoice erased\n"), done.stderr


@pytest.mark.parametrize("arguments, says, status", [
    ([], "--client: a number from 1 to 4294967295 is needed", 2),
    (["--client", "0"], "--client: a number", 2),
    (["--client", "4294967296"], "--client: a number", 2),
    (["--client", "-1"], "--client: a number", 2),
    (["--client", "7x"], "--client: a number", 2),
    (["--client", "7", "8"], "'8' is one word too many", 2),
    (["--client", "7"], "--brand: which one?", 1),
    (["--client", "7", "--brand", "nobody"], "no brand 'nobody'", 1),
])
def test_refusals(make_hopcountd, make_redis, arguments, says, status):
    daemon = make_hopcountd(make_redis(start=False), {"brands": BRANDS}, start=False)
    done = daemon.cli("erase", "-c", daemon.config_path, *arguments)
    assert done.returncode == status and says in done.stderr
    assert done.stderr.count("\n") == 1


def test_nothing_is_erased_where_the_sinks_cannot_be_told(make_hopcountd, redis, tmp_path):
    """On another machine, say, that has the configuration and not the state_dir."""
    daemon = make_hopcountd(redis, {"brands": BRANDS, "sinks": [
        {"name": "archive", "type": "file", "path": str(tmp_path / "archive")}]})
    make_clicks(daemon)
    elsewhere = yaml.safe_load(daemon.config_path.read_text())
    elsewhere["state_dir"] = str(tmp_path / "elsewhere")
    path = tmp_path / "elsewhere.yaml"
    path.write_text(yaml.safe_dump(elsewhere))
    done = daemon.cli("erase", "-c", path, "--client", CLIENT, "--brand", "acme")
    assert done.returncode == 1 and f"{tmp_path}/elsewhere/sinks: No such file" in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1 and done.stdout == ""
    assert clicks_of(daemon, CLIENT) == 5


def test_a_redis_that_is_down_is_named(make_hopcountd, make_redis):
    server = make_redis(start=False)
    daemon = make_hopcountd(server, {"brands": BRANDS}, start=False)
    done = erase(daemon, status=1)
    assert f"127.0.0.1:{server.port}" in done.stderr and done.stderr.count("\n") == 1


def test_the_append_only_file_forgets_when_it_is_rewritten(make_hopcountd, redis):
    """As the README says: until then it holds the commands of the past."""
    def holds():
        return any(name_of(CLIENT) in content for content in contents(redis.directory, "*.aof"))
    client = redis.client()

    def is_quiet():
        return client.info("persistence")["aof_rewrite_in_progress"] == 0
    daemon = make_hopcountd(redis, {"brands": BRANDS})
    make_clicks(daemon)
    wait_until(is_quiet, 20, "the ledger's own rewriting is done")
    daemon.click(daemon.mint("view", 1, client=CLIENT), headers=BROWSER)
    wait_until(lambda: clicks_of(daemon, CLIENT) == 6, 20, "one more click is counted")
    erase(daemon)
    assert holds()
    client.bgrewriteaof()
    wait_until(lambda: not holds(), 20, "the append-only file no longer names the client")
