"""Precision and recall of the labels on played gateways, previews and people, over two pods."""
import os
import pathlib
import random
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "labels"))

import simulate  # noqa: E402
from test_label_gateways import needs_gateways  # noqa: E402


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """The aims are about shares, so the seed is fixed; HOPCOUNT_SEED=N plays another run."""
    directory = tmp_path_factory.mktemp("simulator")
    started = []
    try:
        redis = simulate.RedisServer(directory / "redis")
        started.append(redis)
        pods = simulate.make_pods(directory, redis.start(), 2, started.append)
        yield simulate.run(pods, random.Random(int(os.environ.get("HOPCOUNT_SEED", 1))), 500)
    finally:
        for process in reversed(started):
            process.cleanup()
    for process in started:
        process.assert_no_sanitizer_report()


def test_no_click_is_lost(outcome):
    assert sum(outcome.matrix.values()) > 2000
    assert not [key for key in outcome.matrix if key[1] == "lost"]


@pytest.mark.parametrize("label", ["bot", "prefetch", "probe"])
def test_what_says_so_itself_is_told(outcome, label):
    assert outcome.n(label) >= 10
    assert outcome.recall(label) == outcome.precision(label) == 1


def test_people_are_not_taken_for_machines(outcome):
    assert outcome.n("human") > 500
    assert outcome.people_mistaken <= 0.01


@needs_gateways
def test_gateways_are_found(outcome):
    assert outcome.n("scanner") > 1000
    assert outcome.gateways_found >= 0.95


@needs_gateways
def test_what_is_called_a_gateway_is_one(outcome):
    """Of the clicks that statistics call a scanner's, few are a person's."""
    assert outcome.precision("scanner") >= 0.98
