"""Sinks: every record of the click log reaches each of them once, whatever happens to it."""
import collections
import csv
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import time

import pytest

from faults.trial import flood, mint_links
from faults.resolver import Resolver, behind
from harness import tokens
from harness.build import ROOT, patience
from harness.clickhouse_double import ClickHouseDouble
from harness.daemon import BRAND
from harness.endpoint import Answer, Endpoint
from harness.ports import free_port
from harness.load import Load
from harness.wait import wait_until

FAST = {"redis": {"timeout_ms": 500, "flush_ms": 20}, "ledger": {"segment_bytes": 65536},
        "labels": {"repeat_max": 0}}
SLOW_FILES = {"name": "slow", "type": "file", "rotate_s": 3600}


def file_sink(path, **more):
    return {"name": "archive", "type": "file", "path": str(path), "rotate_s": 1, **more}


def read_file(path):
    data = path.read_bytes()
    if path.suffix == ".zst":
        data = subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout
    if ".csv" in path.name:
        return list(csv.DictReader(io.StringIO(data.decode())))
    return [json.loads(line) for line in data.splitlines()]


def read_files(folder):
    """All records; each file must be as its manifest says."""
    records = []
    for path in sorted(folder.glob("*-*-*.*")) if folder.exists() else ():
        if path.name.endswith((".manifest.json", ".new")):
            continue
        rows = read_file(path)
        stem = path.name.split(".")[0]
        manifest = json.loads((folder / f"{stem}.manifest.json").read_text())
        assert manifest["file"] == path.name and manifest["rows"] == len(rows)
        assert manifest["bytes"] == path.stat().st_size
        digest = hashlib.blake2b(path.read_bytes(), digest_size=32).hexdigest()
        assert manifest["blake2b_256"] == digest
        assert stem == f"{manifest['log']}-{manifest['from']:012}-{manifest['to']:012}"
        records += rows
    return records


def audit(records):
    """count = distinct = max - min + 1 for each log: nothing is missing, nothing is there twice."""
    positions = collections.defaultdict(list)
    for record in records:
        positions[record["log"]].append(int(record["position"]))
    for log, found in positions.items():
        assert len(found) == len(set(found)) == max(found) - min(found) + 1, f"log {log}"
    return sum(len(found) for found in positions.values())


def clicks_by_link(records):
    return collections.Counter(record["link"] for record in records if record["type"] == "click")


def sample(daemon, name, sink="archive", kind="file"):
    return daemon.metrics()[f'hopcount_sink_{name}{{sink="{sink}",type="{kind}"}}']


def wait_sent(daemon, n, **which):
    wait_until(lambda: sample(daemon, "sent_total", **which) >= n
               and sample(daemon, "lag_clicks", **which) == 0, 30,
               lambda: f"{n} records are sent: {sample(daemon, 'sent_total', **which)}")


@pytest.mark.parametrize("shape", [{}, {"format": "csv"}, {"compress": True},
                                   {"format": "csv", "compress": True}], ids=str)
def test_files_hold_every_click_once(make_hopcountd, redis, tmp_path, shape):
    folder = tmp_path / "archive"
    daemon = make_hopcountd(redis, {**FAST, "sinks": [file_sink(folder, **shape)]})
    token = daemon.mint("pay", 4711, client=77, campaign=12, channel="mail", variant=2)
    daemon.click(token)
    flood(daemon.port, mint_links(daemon, 20), 1000)
    wait_sent(daemon, 1001)
    records = read_files(folder)
    assert audit(records) == 1001
    record, = [r for r in records if r["link"] == tokens.link_id(token)]
    assert {name: str(record[name]) for name in
            ("type", "brand", "kind", "object", "client", "campaign", "channel", "variant", "label")} == {
        "type": "click", "brand": "acme", "kind": "pay", "object": "4711", "client": "77",
        "campaign": "12", "channel": "mail", "variant": "B", "label": "bot"}
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["time"])
    assert not list(folder.glob("*.new"))


def test_events_relabellings_and_opt_outs(make_hopcountd, redis, tmp_path):
    folder = tmp_path / "archive"
    daemon = make_hopcountd(redis, {**FAST, "sinks": [file_sink(folder)]})
    browser = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
               "Accept-Language": "de", "Accept": "text/html"}
    daemon.api("POST", "/v1/events", [
        {"id": "p1", "type": "invoice.paid", "brand": "acme", "object": 9, "amount": 1250,
         "currency": "EUR", "at": "2026-11-22T12:00:00Z"},
        {"id": "o1", "type": "client.opted_out", "brand": "acme", "client": 5}], 202)
    wait_until(lambda: daemon.metrics()["hopcount_state_entries"] >= 2, what="the states are known")
    for object in (1, 2, 3):  # a burst: a gateway's
        daemon.click(daemon.mint("view", object, client=8, channel="mail"), headers=browser)
    daemon.click(daemon.mint("view", 4, client=5), headers=browser)
    wait_until(lambda: daemon.metrics().total("hopcount_clicks_relabelled_total") == 3, 20,
               "they are relabelled")
    wait_sent(daemon, 9)
    records = read_files(folder)
    assert audit(records) == 9
    by_type = collections.defaultdict(list)
    for record in records:
        by_type[record["type"]].append(record)
    paid, = by_type["invoice.paid"]
    assert (paid["object"], paid["amount"], paid["currency"]) == (9, 1250, "EUR")
    assert paid["time"] == "2026-11-22T12:00:00.000Z"
    assert by_type["client.opted_out"][0]["client"] == 5
    assert {(r["old_label"], r["label"], r["client"]) for r in by_type["relabel"]} == {
        ("human", "scanner", 8)}
    assert [set(r) for r in by_type["omitted"]] == [{"log", "position", "type"}]
    assert {r["client"] for r in by_type["click"]} == {8}


def test_hashed_and_counted_fields_name_nobody(make_hopcountd, redis, tmp_path):
    key = tmp_path / "hash-key"
    key.write_text("0123456789abcdef\n")
    key.chmod(0o600)
    hashed = file_sink(tmp_path / "hashed", fields="hashed", hash_key_file=str(key))
    counts = file_sink(tmp_path / "counts", name="counts", fields="counts")
    daemon = make_hopcountd(redis, {**FAST, "sinks": [hashed, counts]})
    for object, client in ((1, 7), (2, 7), (3, 8)):
        daemon.click(daemon.mint("view", object, client=client))
    wait_sent(daemon, 3)
    wait_sent(daemon, 3, sink="counts")
    records = read_files(tmp_path / "hashed")
    assert audit(records) == 3 and len({r["client"] for r in records}) == 2
    assert all(re.fullmatch("[0-9a-f]{16}", r[name]) for r in records
               for name in ("link", "object", "client"))
    for record in read_files(tmp_path / "counts"):
        assert not {"link", "object", "client"} & set(record)


def test_filters_let_pass_what_they_name(make_hopcountd, redis, tmp_path):
    daemon = make_hopcountd(redis, {**FAST, "sinks": [
        file_sink(tmp_path / "pay", types=["click"], labels=["bot"], brands=["acme"], kinds="pay")]})
    daemon.click(daemon.mint("view", 1))
    daemon.click(daemon.mint("pay", 2))
    daemon.click(daemon.mint("pay", 3), method="HEAD")
    wait_sent(daemon, 1)
    assert [r["object"] for r in read_files(tmp_path / "pay")] == [2]


def test_a_killed_process_sends_the_rest_and_nothing_twice(make_hopcountd, redis, tmp_path, rng):
    folder = tmp_path / "archive"
    daemon = make_hopcountd(redis, {**FAST, "sinks": [
        file_sink(folder, rotate_records=300, compress=True)]})
    links = mint_links(daemon, 20)
    total, unanswered = collections.Counter(), collections.Counter()
    for _ in range(4):
        with Load(daemon.port, links, 4) as load:
            load.wait_clicks(rng.randrange(200, 1500))
            daemon.kill()
        total += load.tally.received
        unanswered += load.tally.unanswered
        daemon.start()
    wait_until(lambda: sample(daemon, "lag_clicks") == 0, 30, "all is sent")
    records = read_files(folder)
    audit(records)
    found = clicks_by_link(records)
    for token in links:
        least = total[token]
        assert least <= found[tokens.link_id(token)] <= least + unanswered[token]


def test_sigterm_empties_the_sinks(make_hopcountd, redis, tmp_path):
    folder = tmp_path / "archive"
    daemon = make_hopcountd(redis, {**FAST, "sinks": [file_sink(folder, rotate_s=3600)]})
    flood(daemon.port, mint_links(daemon, 5), 500)
    assert not read_files(folder)
    daemon.shut_down()
    assert audit(read_files(folder)) == 500


def test_a_broken_sink_harms_nothing_else_and_catches_up(make_hopcountd, redis, tmp_path):
    broken, sound = tmp_path / "deep" / "broken", tmp_path / "sound"
    broken.parent.mkdir()
    daemon = make_hopcountd(redis, {**FAST, "sinks": [
        file_sink(broken, name="broken"), file_sink(sound)]})
    shutil.rmtree(broken.parent)
    links = mint_links(daemon, 10)
    flood(daemon.port, links, 2000)
    wait_sent(daemon, 2000)
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == 2000, 20, "Redis has them")
    wait_until(lambda: sample(daemon, "up", sink="broken") == 0, 20, "it says that it is down")
    metrics = daemon.metrics()
    assert any(k.startswith('hopcount_sink_last_error{sink="broken"') and "No such file" in k
               for k in metrics), metrics
    assert sample(daemon, "oldest_seconds", sink="broken") > 0
    assert sample(daemon, "lag_clicks", sink="broken") == 2000
    broken.parent.mkdir()
    wait_sent(daemon, 2000, sink="broken")
    assert audit(read_files(broken)) == audit(read_files(sound)) == 2000
    assert sample(daemon, "up", sink="broken") == 1


def test_what_the_disk_budget_takes_from_a_sink_is_counted(make_hopcountd, redis, tmp_path):
    broken, sound = tmp_path / "deep" / "broken", tmp_path / "sound"
    broken.parent.mkdir()
    daemon = make_hopcountd(redis, {**FAST, "ledger": {
        "segment_bytes": 65536, "disk_max_bytes": 2 << 20, "retain_max_bytes": 65536}, "sinks": [
            file_sink(broken, name="broken"), file_sink(sound)]})
    shutil.rmtree(broken.parent)
    links, n = mint_links(daemon, 10), 60000  # 3.8 MB of records
    for i in range(6):
        flood(daemon.port, links, n // 6)
        wait_sent(daemon, (i + 1) * n // 6)  # the sound one keeps up
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == n, 30, "Redis has them")
    wait_sent(daemon, n)
    assert daemon.metrics().total("hopcount_clicks_dropped_total") == 0
    broken.parent.mkdir()
    wait_until(lambda: sample(daemon, "lag_clicks", sink="broken") == 0, 60, "it goes on")
    lost = sample(daemon, "lost_clicks_total", sink="broken")
    assert lost > 0 and audit(read_files(sound)) == n
    assert len(read_files(broken)) + lost == n
    assert sample(daemon, "lost_clicks_total") == 0


def test_the_ledger_command_shows_sinks_and_drains_them(make_hopcountd, redis, tmp_path):
    folder = tmp_path / "archive"
    daemon = make_hopcountd(redis, {**FAST, "sinks": [file_sink(folder, rotate_s=3600)]})
    flood(daemon.port, mint_links(daemon, 5), 700)
    wait_until(lambda: sample(daemon, "lag_clicks") == 700, 20, "the sink waits for more")
    daemon.kill()
    shown = daemon.cli("ledger", "-c", daemon.config_path)
    assert "sink archive: 700 records pending, 0 sent, 0 lost, 0 ranges failed" in shown.stdout, shown
    drained = daemon.cli("ledger", "drain", daemon.state_dir, "-c", daemon.config_path)
    assert drained.returncode == 0, drained.stderr
    assert "sink archive has got all" in drained.stdout
    assert audit(read_files(folder)) == 700
    view = json.loads(daemon.cli("ledger", "-c", daemon.config_path, "--json").stdout)
    sink, = view["sinks"]
    assert (sink["pending"], sink["sent"], sink["lost"]) == (0, 700, 0)


def test_a_damaged_state_stops_the_start(make_hopcountd, redis, tmp_path):
    daemon = make_hopcountd(redis, {**FAST, "sinks": [file_sink(tmp_path / "archive")]})
    daemon.shut_down()
    state = daemon.state_dir / "sinks" / "archive" / "state.json"
    state.write_text(state.read_text()[:20])
    code, text = daemon.start_refused()
    assert code == 1 and "archive/state.json: is no state of a sink" in text
    assert state.read_text()


BAD_SINKS = [
    ("no name", {"name": None}, "name: is missing"),
    ("a name with a slash", {"name": "a/b"}, "name: 'a/b' is not a name"),
    ("an unknown type", {"type": "pigeon"}, "type"),
    ("no path", {"path": None}, "path: is missing"),
    ("a folder whose parent isn't there", {"path": "/nowhere/at/all"}, "path: /nowhere/at/all"),
    ("a file in place of the folder", {"path": "/etc/hostname"}, "Not a directory"),
    ("a format that there isn't", {"format": "xml"}, "format"),
    ("a type of record that there isn't", {"types": ["visit"]}, "types: 'visit' is no type"),
    ("a label that there isn't", {"labels": ["robot"]}, "labels: 'robot' is no label"),
    ("a brand that there isn't", {"brands": ["nobody"]}, "there is no brand 'nobody'"),
    ("hashes without a key", {"fields": "hashed"}, "hash_key_file"),
    ("a key that isn't there", {"fields": "hashed", "hash_key_file": "/nowhere/key"},
     "/nowhere/key"),
    ("an unknown key", {"rotate": 3}, "unknown key"),
    ("rotation by no time", {"rotate_s": 0}, "rotate_s"),
]


@pytest.mark.parametrize("what,changes,words", BAD_SINKS, ids=[row[0] for row in BAD_SINKS])
def test_a_bad_sink_stops_the_start(make_hopcountd, redis, tmp_path, what, changes, words):
    sink = {**file_sink(tmp_path / "archive"), **changes}
    daemon = make_hopcountd(redis, {"sinks": [{k: v for k, v in sink.items() if v is not None}]},
                            start=False)
    done = daemon.check()
    assert done.returncode == 1 and words in done.stderr, done.stderr
    assert re.search(r"hopcount\.yaml:\d+: sinks\[0\]", done.stderr), done.stderr
    assert not daemon.state_dir.exists()


def test_two_sinks_of_one_name_stop_the_start(make_hopcountd, redis, tmp_path):
    daemon = make_hopcountd(redis, {"sinks": [file_sink(tmp_path), file_sink(tmp_path)]}, start=False)
    assert "sinks[1].name: 'archive' is there twice" in daemon.check().stderr


def test_two_sinks_in_one_folder_stop_the_start(make_hopcountd, redis, tmp_path):
    """Both name files by log and positions: what one had written would be replaced by the other."""
    sinks = [file_sink(tmp_path), {**file_sink(tmp_path), "name": "people", "labels": "human"}]
    daemon = make_hopcountd(redis, {"sinks": sinks}, start=False)
    done = daemon.check()
    assert done.returncode == 1 and "sinks[1].path: is the folder of sink 'archive' already" in done.stderr, done.stderr


def test_an_erased_client_reaches_every_sink(make_hopcountd, redis, tmp_path):
    """Those too that ask for other types only; a sink of another brand isn't told."""
    key = tmp_path / "hash-key"
    key.write_text("0123456789abcdef\n")
    key.chmod(0o600)
    hook, double = Endpoint(), ClickHouseDouble()
    double_sink = {"name": "warehouse", "type": "clickhouse", "url": double.url, "table": "hopcount.clicks", "flush_ms": 50}
    other = {**BRAND, "name": "bcme", "hosts": ["go.bcme.example"], "base_url": "https://go.bcme.example"}
    daemon = make_hopcountd(redis, {**FAST, "brands": [BRAND, other], "sinks": [
        file_sink(tmp_path / "archive"),
        file_sink(tmp_path / "hashed", name="hashed", fields="hashed", hash_key_file=str(key)),
        file_sink(tmp_path / "counts", name="counts", fields="counts"),
        file_sink(tmp_path / "other", name="other", brands=["bcme"]),
        {"name": "crm", "type": "webhook", "url": hook.url, "allow_private": True, "hold_s": 0, "flush_ms": 50,
         "types": ["click"], "labels": ["human"], "kinds": ["view"]},
        {"name": "live", "type": "stream"}, double_sink]})
    daemon.click(daemon.mint("view", 1, client=77))
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == 1, 20, "the click is counted")
    daemon.shut_down()
    done = daemon.cli("erase", "-c", daemon.config_path, "--brand", "acme", "--client", 77)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == (
        "client 77: the sinks are told as soon as hopcountd runs"), (done.stdout, done.stderr)
    assert list((daemon.state_dir / "sinks").glob("erased.*"))
    daemon.start()

    def erased(records):
        return [record for record in records if record["type"] == "client.erased"]

    def of_stream():
        return [json.loads(fields[b"record"]) for _, fields in redis.client().xrange("hc:{stream}:live")]

    def of_hook():
        return [record for request in hook.requests for record in json.loads(request.body)["data"]]
    wait_until(lambda: erased(of_hook()) and erased(of_stream()) and erased(double.rows)
               and erased(read_files(tmp_path / "counts")) and erased(read_files(tmp_path / "hashed"))
               and erased(read_files(tmp_path / "archive")), 30, "all are told")
    plain = erased(read_files(tmp_path / "archive"))[-1]
    assert (plain["brand"], plain["client"], "kind" in plain, "object" in plain) == ("acme", 77, False, False)
    assert plain == erased(of_stream())[-1] == erased(of_hook())[-1]
    hashed = read_files(tmp_path / "hashed")
    assert {record["client"] for record in hashed} == {erased(hashed)[-1]["client"]} != {77}
    assert "client" not in erased(read_files(tmp_path / "counts"))[-1]
    assert erased(double.rows)[-1]["client"] == 77
    assert read_files(tmp_path / "other") == []
    assert not list((daemon.state_dir / "sinks").glob("erased.*"))
    # The event is for the sinks: Redis keeps nothing of it.
    assert not [key for key in redis.client().scan_iter(match="hc:*:ev:*")]
    wait_until(lambda: daemon.metrics()["hopcount_clicks_pending"] == 0, 20, "it waits for nothing")
    hook.close()
    double.close()


def test_files_become_parquet_as_the_readme_says(make_hopcountd, redis, tmp_path):
    """By DuckDB; an erased client is in the files, and not in what is made of them."""
    if not (ROOT / "tests/node_modules/@duckdb").exists():
        pytest.skip("deploy/install-deps test brings DuckDB from npm")
    daemon = make_hopcountd(redis, {**FAST, "sinks": [file_sink(tmp_path / "archive", compress=True)]})
    flood(daemon.port, mint_links(daemon, 20), 500)
    daemon.click(daemon.mint("pay", 900001, client=900077, campaign=12))
    daemon.api("POST", "/v1/events", {"id": "p", "type": "invoice.paid", "brand": "acme", "object": 900002,
                                      "client": 900078, "amount": 1250, "currency": "EUR"}, 202)
    wait_sent(daemon, 502)
    erased = daemon.cli("erase", "-c", daemon.config_path, "--client", 900077)
    assert erased.returncode == 0, erased.stderr
    wait_sent(daemon, 503)
    daemon.click(daemon.mint("view", 900003, client=900077))  # a new one, after it
    wait_sent(daemon, 504)
    convert, look = re.findall(r"^```sql\n(.*?)^```$", (ROOT / "deploy/README.md").read_text(), re.M | re.S)

    def duckdb(sql):
        done = subprocess.run(["node", ROOT / "tests/sinks/duckdb.mjs"], input=sql, text=True, capture_output=True,
                              cwd=tmp_path, timeout=patience(120))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    duckdb(convert)
    audits = duckdb(look)
    assert all(row["n"] == row["different"] == row["range"] for row in audits)
    assert sum(int(row["n"]) for row in audits) == 504
    rows = duckdb("SELECT type, object, client, amount FROM 'clicks.parquet' WHERE campaign = 12 OR type != 'click' "
                  "OR object = '900003' ORDER BY type, object")
    assert rows == [{"type": "click", "object": "900003", "client": "900077", "amount": None},
                    {"type": "click", "object": None, "client": None, "amount": None},
                    {"type": "client.erased", "object": None, "client": None, "amount": None},
                    {"type": "invoice.paid", "object": "900002", "client": "900078", "amount": "1250"}]


def test_a_resolver_that_stalls_holds_up_no_stop(make_hopcountd, redis, tmp_path):
    """It would answer neither the sink nor the check of a target for half a minute and more."""
    resolver = Resolver()
    daemon = make_hopcountd(redis, {
        **FAST, "checks": {"pace_ms": 0, "every_s": 1},
        "sinks": [{"name": "crm", "type": "webhook", "url": "http://crm.hopcount.example/", "hold_s": 0, "flush_ms": 20}],
    }, wrapper=behind(resolver, tmp_path, timeout_s=30))
    daemon.click(daemon.mint("view", 1))
    wait_until(lambda: resolver.n_questions >= 3, 20, "both have asked")
    begin = time.monotonic()
    daemon.shut_down()
    assert time.monotonic() - begin < 25
    resolver.close()


def test_a_stop_waits_for_no_sink_that_is_known_to_be_down(make_hopcountd, redis, tmp_path):
    """One is refused, one is off; a third that works gets all before the end, and the first what it missed later."""
    gone, closed = Endpoint(lambda request: Answer(410)), free_port()
    hook = {"type": "webhook", "allow_private": True, "hold_s": 0, "flush_ms": 20}
    daemon = make_hopcountd(redis, {**FAST, "sinks": [
        {**hook, "name": "refused", "url": f"http://127.0.0.1:{closed}/"}, {**hook, "name": "off", "url": gone.url},
        file_sink(tmp_path / "archive")]})
    flood(daemon.port, mint_links(daemon, 5), 100)
    wait_until(lambda: sample(daemon, "up", "off", "webhook") == 0
               and len(re.findall("at=sink.later sink=refused", daemon.stderr())) >= 2, 30, "both are known to be down")
    flood(daemon.port, mint_links(daemon, 5), 100)
    daemon.shut_down()
    assert "at=stop.sinks_down" in daemon.stderr() and "at=stop.pending" not in daemon.stderr()
    assert audit(read_files(tmp_path / "archive")) == 200
    back = Endpoint(port=closed)
    daemon.start()
    wait_sent(daemon, 200, sink="refused", kind="webhook")
    assert audit([record for request in back.requests for record in json.loads(request.body)["data"]]) == 200
    gone.close()
    back.close()


@pytest.fixture
def last_100_kb(tmp_path):
    """A disk of 2 MiB with 100 KB left on it, and the file that takes the rest."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    path = tmp_path / "disk"
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", path], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"a tmpfs can't be mounted here: {done.stderr.strip()}")
    free = os.statvfs(path)
    (path / "ballast").write_bytes(bytes(free.f_bavail * free.f_frsize - 100000))
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def test_a_disk_with_100_kb_left_is_said_and_what_was_begun_is_taken_away(make_hopcountd, redis, last_100_kb):
    folder = last_100_kb / "archive"
    daemon = make_hopcountd(redis, {**FAST, "sinks": [file_sink(folder)]})
    flood(daemon.port, mint_links(daemon, 10), 2000)  # 600 KB of JSON
    wait_until(lambda: any("No space left" in key for key in daemon.metrics()), 30, "it says that there is no room")
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == 2000, 20, "Redis has them")
    wait_until(lambda: not list(folder.glob("*.new")), 20, "nothing half written is left")
    (last_100_kb / "ballast").unlink()
    wait_sent(daemon, 2000)
    assert audit(read_files(folder)) == 2000
    assert not [key for key in daemon.metrics() if key.startswith("hopcount_sink_last_error{")]
