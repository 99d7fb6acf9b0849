"""`hopcount ledger`: what is in a state_dir, and applying what a hopcountd left there."""
import hashlib
import json
import re

import pytest

from faults.counts import read_counts
from faults.trial import flood, mint_links
from harness import tokens
from harness.daemon import merge
from harness.wait import wait_until

# Floods of a few links from one network are no repeats here: the logs hold what was clicked and no more.
FAST = {"redis": {"timeout_ms": 300, "flush_ms": 20}, "ledger": {"segment_bytes": 65536},
        "labels": {"repeat_max": 0}}


@pytest.fixture
def daemon(make_hopcountd, redis):
    return make_hopcountd(redis, FAST)


def show(daemon, *arguments):
    done = daemon.cli("ledger", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def fingerprint(directory):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(directory.rglob("*")) if path.is_file()}


def orphan(daemon, redis, n):
    """Leaves `n` clicks in the state_dir of a daemon that is gone, and none of them in Redis."""
    links = mint_links(daemon, 20)
    redis.kill()
    tally = flood(daemon.port, links, n)
    daemon.kill()
    return links, tally


def check_counted(redis, links, tally):
    counts = read_counts(redis.client())
    # Links that are minted again a minute later are others.
    tally.check({token: counts.links[tokens.link_id(token)] for token in {*links, *tally.received}})
    counts.check_agreement()


def test_it_shows_logs_cursors_and_lag_beside_a_running_daemon(daemon, redis):
    links = mint_links(daemon, 10)
    flood(daemon.port, links, 500)
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == 500, what="all is applied")
    view = show(daemon, "-c", daemon.config_path)
    assert sum(log["tail"] for log in view["logs"]) == 500
    assert (view["pending"], view["gone"], view["set_aside"]) == (0, 0, 0)

    redis.stop()
    flood(daemon.port, links, 300)
    redis_less = show(daemon, daemon.state_dir)
    assert sum(log["tail"] for log in redis_less["logs"]) == 800
    assert "pending" not in redis_less
    redis.cont()
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == 800, what="all is applied")
    text = daemon.cli("ledger", daemon.state_dir, "--redis", redis.url).stdout
    assert re.search(r"^\d+ logs?: 800 clicks counted, 0 pending, and 0 relabels and events pending \(0 bytes\), "
                     r"lag 0\.0 s$", text, re.M), text


def test_it_counts_what_is_pending_and_changes_no_file(daemon, redis):
    _, tally = orphan(daemon, redis, 3000)
    redis.start()
    before = fingerprint(daemon.state_dir)
    view = show(daemon, daemon.state_dir, "--redis", redis.url)
    assert view["pending"] == tally.n_received == 3000
    assert view["lag_s"] > 0
    assert fingerprint(daemon.state_dir) == before


def test_drain_applies_an_orphan_once_however_often_it_is_called(daemon, redis):
    links, tally = orphan(daemon, redis, 5000)
    redis.start()
    for _ in range(3):
        done = daemon.cli("ledger", "drain", daemon.state_dir, "--redis", redis.url)
        assert done.returncode == 0, done.stderr
        assert "all 5000 records" in done.stdout
        assert "without -c FILE no uses of links" in done.stderr
        check_counted(redis, links, tally)
    assert show(daemon, daemon.state_dir, "--redis", redis.url)["pending"] == 0


def test_drain_after_a_part_was_applied_and_redis_lost_it_again(daemon, redis):
    links = mint_links(daemon, 20)
    tally = flood(daemon.port, links, 1000)
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == 1000, what="all is applied")
    _, more = orphan(daemon, redis, 1000)
    tally.add(more)
    redis.start()
    redis.client().flushall()
    done = daemon.cli("ledger", "drain", daemon.state_dir, "-c", daemon.config_path)
    assert done.returncode == 0, done.stderr
    check_counted(redis, links, tally)


def test_drain_counts_log_lines_held_back_before_it_ends(make_hopcountd, redis):
    """Each batch says what was set aside, dozens of them within the last second."""
    daemon = make_hopcountd(redis, merge(FAST, {"redis": {"batch_max": 16}}))
    orphan(daemon, redis, 400)
    redis.start()
    pipeline = redis.client().pipeline(transaction=False)
    for quad in range(256):
        pipeline.rpush(f"hc:{{s00}}:oa:{quad:02x}", "no table")
    pipeline.execute()
    done = daemon.cli("ledger", "drain", daemon.state_dir, "-c", daemon.config_path)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if " at=ledger.set_aside " in line]
    repeated = [int(found[1]) for line in lines if (found := re.search(r" repeated=(\d+)", line))]
    assert len(lines) - len(repeated) + sum(repeated) >= 400 / 16, done.stderr


def test_drain_leaves_a_running_daemon_alone(daemon, redis):
    done = daemon.cli("ledger", "drain", daemon.state_dir, "--redis", redis.url)
    assert done.returncode == 1 and str(daemon.pid) in done.stderr, done.stderr


def test_drain_says_what_is_left_when_redis_does_not_answer(daemon, redis):
    orphan(daemon, redis, 1000)
    done = daemon.cli("ledger", "drain", daemon.state_dir, "--redis", redis.url, "--patience", 1)
    assert done.returncode == 1
    assert "1000 records are left in" in done.stderr and "Connection refused" in done.stderr
    shown = daemon.cli("ledger", daemon.state_dir, "--redis", redis.url)
    assert shown.returncode == 1 and "Connection refused" in shown.stderr


def test_drain_reports_what_is_damaged_and_applies_the_rest(daemon, redis):
    _, tally = orphan(daemon, redis, 1000)
    redis.start()
    path = max((daemon.state_dir / "logs").glob("*/*.seg"),
               key=lambda path: path.read_bytes().count(b"\0" * 64) * -1)
    with open(path, "r+b") as file:
        file.seek(64 + 64 * 10 + 20)
        byte = file.read(1)
        file.seek(64 + 64 * 10 + 20)
        file.write(bytes([byte[0] ^ 1]))
    (path.parent / "00000099.seg").write_bytes(b"foreign")
    done = daemon.cli("ledger", "drain", daemon.state_dir, "--redis", redis.url)
    assert done.returncode == 0, done.stderr
    assert "1 click can't be counted any more" in done.stdout
    assert read_counts(redis.client()).total == tally.n_received - 1
    assert "1 file is set aside" in daemon.cli("ledger", daemon.state_dir).stdout


@pytest.mark.parametrize("arguments,code,says", [
    ((), 2, "name a state_dir"),
    (("one", "two"), 2, "'two' is one word too many"),
    (("drain",), 2, "drain takes one state_dir"),
    (("drain", "."), 2, "which Redis"),
    (("drain", ".", "--redis", "redis://127.0.0.1:1", "--json"), 2, "--json is not for drain"),
    (("drain", ".", "--redis", "redis://127.0.0.1:1", "--patience", "0"), 2, "--patience 0"),
    ((".", "--patience", "5"), 2, "--patience is for drain"),
    ((".", "--redis", "redis://127.0.0.1:1", "--shards", "3"), 1, "a power of two"),
    ((".", "--redis", "http://127.0.0.1:1"), 1, "starts with none of"),
    (("/no/such/dir",), 1, "/no/such/dir"),
    (("drain", "/no/such/dir", "--redis", "redis://127.0.0.1:1"), 1, "/no/such/dir"),
    (("drain", "/etc/passwd", "--redis", "redis://127.0.0.1:1"), 1, "is no directory"),
    (("-c", "/no/such/file"), 1, "/no/such/file"),
])
def test_a_command_line_that_makes_no_sense(make_hopcountd, arguments, code, says):
    done = make_hopcountd(start=False).cli("ledger", *arguments)
    assert done.returncode == code and says in done.stderr, (done.returncode, done.stderr)
