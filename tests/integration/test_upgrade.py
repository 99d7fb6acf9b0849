"""A pod of the release before this one and a pod of this one at one Redis; a state_dir that goes from one to the
other and back (deploy/CHANGELOG.md, "Upgrade and downgrade")."""
import re

import pytest

from faults.counts import read_counts
from faults.trial import CONFIG, flood, mint_links
from harness import tokens
from harness.build import HOPCOUNTD
from harness.daemon import Hopcountd
from harness.load import Tally
from harness.wait import wait_until

PEOPLE = (("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                         "Chrome/129.0.0.0 Safari/537.36"), ("Accept-Language", "de-DE,de;q=0.9"))


class Pod(Hopcountd):
    """With a program that can be exchanged while it is down."""

    program = HOPCOUNTD

    def command(self):
        return [self.program, "-c", self.config_path]


@pytest.fixture
def pods(old_program, tmp_path, processes, redis):
    """The old one and the new one, of one key."""
    old, new = (Pod(tmp_path / name, redis, CONFIG, name) for name in ("old", "new"))
    old.program = old_program
    new.key = old.key
    new.write_keys([(1, "mint", old.key)])
    processes += [old, new]
    for pod in (old, new):
        pod.start()
    wait_until(lambda: all(pod.metrics()["hopcount_state_known"] == 1 for pod in (old, new)))
    return old, new


def wait_counted(redis, tally, pods):
    wait_until(lambda: read_counts(redis.client()).total >= tally.n_received, 60, lambda: pods[0].stderr_tail())
    counts = read_counts(redis.client())
    tally.check({token: counts.links[tokens.link_id(token)] for token in tally.received})
    counts.check_agreement(but=["cells"])
    check_coverage(pods[1], counts)


def check_coverage(new, counts):
    """A release that counts by one dimension only leaves out what the other counts by several: that is said."""
    answer = new.api("GET", "/v1/stats?brand=acme&from=2d&group_by=device,browser"
                             f"&limit={1 + counts.total % 9000}")  # none that is kept
    assert answer["coverage"]["share"] == counts.cells * 10000 // counts.total / 10000
    assert answer["total"]["total"] == counts.cells <= counts.total


@pytest.mark.release
def test_both_count_into_one_redis_and_a_state_dir_goes_from_one_to_the_other_and_back(pods, redis, old_program):
    old, new = pods
    links, tally = mint_links(new, 20), Tally()
    for _ in range(3):
        for pod in pods:
            tally.add(flood(pod.port, links, 500))
    wait_counted(redis, tally, pods)

    for n, program in enumerate((HOPCOUNTD, old_program, HOPCOUNTD)):
        redis.stop()
        tally.add(flood(old.port, links, 700))
        old.kill()
        redis.cont()
        old.program = program  # an upgrade, a downgrade, an upgrade again
        old.start()
        tally.add(flood(old.port, links, 100 + n))
        wait_counted(redis, tally, pods)
        assert not list((old.state_dir / "set-aside").glob("*"))
    for pod in pods:
        assert pod.metrics()["hopcount_increments_rejected_total"] == 0
        assert pod.metrics().total("hopcount_clicks_dropped_total") == 0
        pod.shut_down()


@pytest.mark.release
def test_what_one_is_told_the_other_knows(pods):
    old, new = pods
    for n, (teller, other) in enumerate(((old, new), (new, old))):
        token = new.mint("pay", 50 + n)
        teller.api("POST", "/v1/events", {"id": f"paid-{n}", "type": "invoice.paid", "object": 50 + n,
                                          "at": "2026-11-01T12:00:00Z"}, 202)
        for pod in (teller, other):
            wait_until(lambda pod=pod, token=token: "viewinvoice" in (pod.get(f"/{token}").location or ""), 20)

        once = new.mint("login", 60 + n, once=True, client=7)
        page = teller.get(f"/{once}", headers=PEOPLE)
        view = re.search(r'name="view" value="([0-9a-z]{45})"', page.body.decode())[1]
        pressed = other.get(f"/{once}", method="POST", body=f"view={view}".encode(), headers=(
            *PEOPLE, ("Content-Type", "application/x-www-form-urlencoded")))
        assert pressed.status == 303, pressed
        for pod in pods:
            wait_until(lambda pod=pod, once=once: pod.get(f"/{once}", headers=PEOPLE).status == 410, 20)
