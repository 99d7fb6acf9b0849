"""Precision and recall of the labels on played gateways, previews and people, over two pods."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "labels"))

import simulate  # noqa: E402
from test_label_gateways import needs_gateways  # noqa: E402


# The aims are about shares, so the worlds are the same each time; HOPCOUNT_SEED=N,N-N plays others.
SEEDS = simulate.read_seeds(os.environ.get("HOPCOUNT_SEED", "1-3"))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Some worlds, side by side."""
    return simulate.run_seeds(tmp_path_factory.mktemp("simulator"), SEEDS, 400)


@pytest.fixture(params=SEEDS, ids=lambda seed: f"seed {seed}")
def outcome(request, outcomes):
    return outcomes[request.param]


def test_no_click_is_lost(outcome):
    assert sum(outcome.matrix.values()) > 1500
    assert not [key for key in outcome.matrix if key[1] == "lost"]


@pytest.mark.parametrize("label", ["bot", "prefetch", "probe"])
def test_what_says_so_itself_is_told(outcome, label):
    assert outcome.n(label) >= 5
    assert outcome.recall(label) == outcome.precision(label) == 1


def test_people_are_not_taken_for_machines(outcome):
    assert outcome.n("human") > 400
    assert outcome.people_mistaken <= 0.01


def test_several_pods_label_as_one_would(outcome):
    """The clicks of their logs, in the order of time, given to one."""
    assert outcome.otherwise == {}


@needs_gateways
def test_gateways_are_found(outcome):
    assert outcome.n("scanner") > 800
    assert outcome.gateways_found >= 0.95


@needs_gateways
def test_what_is_called_a_gateway_is_one(outcome):
    """Of the clicks that statistics call a scanner's, few are a person's."""
    assert outcome.precision("scanner") >= 0.98


def test_the_table_of_seeds(outcomes, capsys):
    """Its last line is the worst of each column."""
    with capsys.disabled():
        print()
        print(simulate.summary(outcomes))
    *rows, worst = [[float(n) for n in line.split()[1:]] for line in simulate.summary(outcomes).splitlines()[2:]]
    assert worst == [min(column) for column in list(zip(*rows))[:-1]] + [max(row[-1] for row in rows)]
