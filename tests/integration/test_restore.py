"""Redis is lost altogether and comes back as it was when the last copy was made (deploy/README.md,
"Back up and restore"): what the logs hold is counted again, once; what they don't is named."""
import datetime
import json
import re
import shutil
import time

import pytest

from faults.counts import read_counts
from faults.trial import flood, mint_links
from harness import tokens
from harness.daemon import merge
from harness.load import Tally
from harness.wait import wait_until

CONFIG = {"redis": {"timeout_ms": 500, "flush_ms": 20}, "ledger": {"segment_bytes": 65536},
          "labels": {"repeat_max": 0}}


class Copied:
    """Redis with a copy of its data, made as deploy/README.md says."""

    def __init__(self, redis, aside, kind):
        self.redis, self.aside, self.kind = redis, aside, kind

    def make(self):
        data = self.redis.directory
        if self.kind == "aof":
            self.redis.client().config_set("auto-aof-rewrite-percentage", 0)
            wait_until(lambda: self.redis.client().info("persistence")["aof_rewrite_in_progress"] == 0, 20)
            shutil.copytree(data / "appendonlydir", self.aside / "appendonlydir")
        else:
            self.redis.client().save()
            shutil.copy(data / "dump.rdb", self.aside / "dump.rdb")
        return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def lose(self):
        self.redis.kill()
        shutil.rmtree(self.redis.directory / "appendonlydir")
        (self.redis.directory / "dump.rdb").unlink(missing_ok=True)

    def restore(self):
        # When Redis last started is told in whole seconds; nobody restores that fast.
        copied = time.time()
        wait_until(lambda: time.time() > copied + 2, 20, pause=0.1)
        shutil.copytree(self.aside, self.redis.directory, dirs_exist_ok=True)
        if self.kind == "rdb":
            self.redis.options["appendonly"] = "no"
        self.redis.start()
        self.redis.client().config_set("appendonly", "yes")


@pytest.fixture
def make_copied(redis, tmp_path):
    (tmp_path / "aside").mkdir()
    return lambda kind: Copied(redis, tmp_path / "aside", kind)


def wait_applied(daemon, n):
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == n, 60, lambda: f"{n} are applied; {daemon.stderr_tail()}")


def check_links(redis, links, tally):
    counted = read_counts(redis.client()).links
    tally.check({token: counted[tokens.link_id(token)] for token in links})


@pytest.mark.parametrize("kind", ["aof", "rdb"])
def test_what_the_logs_hold_is_counted_again_and_lost_logs_are_named(make_copied, make_hopcountd, redis, kind):
    copied = make_copied(kind)
    runs, rests, gone = pods = [make_hopcountd(redis, CONFIG, name=name) for name in ("runs", "rests", "gone")]
    links = [mint_links(pod, 10, first=1000 * (n + 1)) for n, pod in enumerate(pods)]
    tallies = [Tally() for _ in pods]

    def click(n, number):
        tallies[n].add(flood(pods[n].port, links[n], number))

    for n, number in enumerate((1000, 500, 300)):
        click(n, number)
        wait_applied(pods[n], number)
    copied_at = copied.make()
    for n, number in enumerate((700, 400)):
        click(n, number)
    wait_applied(runs, 1700)
    wait_applied(rests, 900)
    lost = flood(gone.port, links[2], 200)
    wait_applied(gone, 500)
    its_logs = {log["log"]: log["holds"] for log in json.loads(gone.cli("ledger", gone.state_dir, "--json").stdout)["logs"]}
    gone.shut_down()
    shutil.rmtree(gone.state_dir)
    rests.shut_down()

    copied.lose()
    click(0, 100)
    copied.restore()
    rests.start()
    wait_applied(runs, 1800)
    wait_until(lambda: rests.metrics()["hopcount_clicks_pending"] == 0, 60)
    for n in range(3):
        wait_until(lambda n=n: sum(read_counts(redis.client()).links[tokens.link_id(token)] for token in links[n])
                   == tallies[n].n_received, 60)
        check_links(redis, links[n], tallies[n])
    read_counts(redis.client()).check_agreement()
    assert runs.metrics()["hopcount_clicks_replayed_total"] == 700
    assert runs.metrics()["hopcount_clicks_lost_gap_total"] == 0 == rests.metrics()["hopcount_clicks_lost_gap_total"]

    # Of the third only the program that looks from outside can tell: 300 are there, its 200 are not.
    assert lost.n_received == 200
    say = lambda *more: runs.cli("ledger", "restored", "-c", runs.config_path, "--copied", copied_at, *more)  # noqa: E731
    told = {}

    def is_told():
        done = say("--json")
        assert done.returncode == 0, done.stderr
        told.update(json.loads(done.stdout))
        return {log["log"] for log in told["silent"]} <= set(its_logs)
    wait_until(is_told, 20, lambda: told)
    assert sum(log["applied"] for log in told["silent"] if its_logs[log["log"]] == "clicks") == 300
    text = say().stdout
    assert all(re.search(rf"^{log['log']} +{log['applied']}  ", text, re.M) for log in told["silent"]), text
    assert told["heard"] >= 2 and "is lost, unless their volumes are there" in text


def test_what_no_log_holds_any_more_is_said_to_the_click(make_copied, make_hopcountd, redis):
    copied = make_copied("aof")
    daemon = make_hopcountd(redis, merge(CONFIG, {"public": {"workers": 1}, "ledger": {"retain_s": 0}}))
    links = mint_links(daemon, 10)
    flood(daemon.port, links, 1000)
    wait_applied(daemon, 1000)
    copied.make()
    flood(daemon.port, links, 4000)
    wait_applied(daemon, 5000)
    log = {}

    def is_gone():
        logs = json.loads(daemon.cli("ledger", daemon.state_dir, "--json").stdout)["logs"]
        log.update(next(each for each in logs if each["tail"] == 5000))
        return log["first"] > 1000
    wait_until(is_gone, 20, lambda: log, pause=0.1)
    copied.lose()
    copied.restore()
    wait_until(lambda: daemon.metrics()["hopcount_clicks_lost_gap_total"] > 0, 60)
    wait_until(lambda: daemon.metrics()["hopcount_clicks_pending"] == 0, 60)
    n_lost = int(daemon.metrics()["hopcount_clicks_lost_gap_total"])
    assert 0 < n_lost < 4000
    wait_until(lambda: read_counts(redis.client()).total == 5000 - n_lost, 60)
    (line,) = daemon.log_lines("ledger.lost")
    assert f"n={n_lost} log={log['log']} from=1000 to={1000 + n_lost} since=" in line and "before=20" in line


@pytest.mark.parametrize("arguments,says", [
    ((), "when was the copy of Redis made? --copied TIME"),
    (("--copied", "yesterday"), "--copied yesterday: a time such as"),
    (("--copied", "2999-01-01T00:00:00Z"), "when Redis started: it is to say when the copy was made"),
])
def test_it_must_be_told_when_the_copy_was_made(hopcountd, arguments, says):
    done = hopcountd.cli("ledger", "restored", "-c", hopcountd.config_path, *arguments)
    assert done.returncode > 0 and says in done.stderr, done.stderr
