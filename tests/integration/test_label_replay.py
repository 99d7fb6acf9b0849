"""The detection of mail gateways over many worlds (tests/labels/replay.py): no luck of a seed."""
import pathlib
import sys

import pytest

from harness.build import BUILD

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "labels"))

import actors  # noqa: E402
import replay  # noqa: E402

SEEDS = range(1, 41)


@pytest.fixture(scope="module")
def results():
    found = replay.measure(BUILD, SEEDS, 500)
    print(replay.table(found), replay.by_who(found), sep="\n\n")
    return found


def test_the_play_keeps_to_the_defaults():
    """actors.py lets people come when the windows are over: it has to know them."""
    settings = replay.defaults(BUILD)
    assert (actors.LINKS_S, actors.NETWORKS_S, actors.EARLY_S) == tuple(
        settings[name] for name in ("gateway_links_s", "gateway_networks_s", "early_s"))


def test_gateways_are_found_in_every_world(results):
    assert {seed: result.found for seed, result in results.items() if result.found < 0.95} == {}


def test_people_are_not_taken_for_gateways_in_any_world(results):
    assert {seed: result.mistaken for seed, result in results.items() if result.mistaken > 0.01} == {}


def test_on_the_whole_it_is_better_than_that(results):
    """The mean of all worlds: where a change of the detection shows first."""
    n = len(results)
    assert sum(result.found for result in results.values()) / n > 0.985
    assert sum(result.mistaken for result in results.values()) / n < 0.003


@pytest.mark.parametrize("changes", [{"threshold": 10000}, {"gateway_links": 100, "gateway_networks": 100}])
def test_settings_that_find_nothing_show(changes):
    """The measure can fail."""
    (result,) = replay.measure(BUILD, [1], 100, changes.items()).values()
    assert result.found < 0.5


def test_settings_that_accuse_everyone_show():
    (result,) = replay.measure(BUILD, [1], 100, {"gateway_links": 2, "gateway_links_s": 3600}.items()).values()
    assert result.mistaken > 0.01
