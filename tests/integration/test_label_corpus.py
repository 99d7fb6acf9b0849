"""What the program makes of lists of user agents (tests/labels/corpus.py)."""
import pathlib
import sys

import pytest

from harness.build import BUILD

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "labels"))

import corpus  # noqa: E402


@pytest.fixture(scope="module")
def results():
    human, machine = corpus.measure(BUILD)
    corpus.print_results("Listed", human, machine)
    return human, machine


@pytest.fixture(scope="module")
def unlisted():
    human, machine = corpus.measure_unlisted(BUILD)
    corpus.print_results("Unlisted", human, machine)
    return human, machine


def test_the_corpus_is_large_enough_to_tell(results):
    """One wrong agent must weigh less than the aims."""
    human, machine = results
    assert len(human.all) > 4000
    assert len(machine.all) > 2000


def test_machines_are_found(results):
    assert results[1].share_wrong <= 0.01, results[1].wrong


def test_people_are_not_taken_for_machines(results):
    assert results[0].share_wrong <= 0.001, results[0].wrong


def test_no_browser_of_todays_traffic_is_taken_for_a_machine(results):
    """By its share of the traffic: not even a rare one."""
    weights = corpus.weights()
    wrong = {row[0]: weights[row[0]] for row in results[0].wrong if row[0] in weights}
    assert len(weights) > 500 and sum(weights.values()) == pytest.approx(1, abs=0.01)
    assert sum(wrong.values()) == 0, wrong


def test_machines_that_no_list_has_are_found(unlisted):
    """Of each list and kind, which the rules were not made from."""
    for name, rows in unlisted[1].by_source.items():
        wrong = [row for row in rows if row in unlisted[1].wrong]
        assert len(wrong) <= 0.03 * len(rows), (name, wrong)
    assert len(unlisted[1].all) > 300


def test_people_that_no_list_has_are_not_taken_for_machines(unlisted):
    assert len(unlisted[0].all) > 500
    assert unlisted[0].share_wrong <= 0.001, unlisted[0].wrong


def test_what_is_easily_mistaken_is_not(results):
    for result in results:
        assert not [row for row in result.by_source["agents.json"] if row in result.wrong]


def test_device_browser_and_system_of_people_are_known(results):
    """Few browsers are OTHER; a device or system that is makes statistics by it useless."""
    rows = results[0].all
    for column, limit in ((2, 0.01), (3, 0.03), (4, 0.01)):
        others = [row for row in rows if row[column] == "other"]
        assert len(others) <= limit * len(rows), others


def test_devices_are_those_that_the_list_names():
    want = corpus.devices()
    wrong = [(row, want[row[0]]) for row in corpus.classify(BUILD, want) if row[2] != want[row[0]]]
    assert len(want) > 500
    assert len(wrong) <= 0.005 * len(want), wrong


def test_words_that_only_look_like_machines():
    """Phones whose names hold `bot`, `spider`, `google` … as a model or inside of a word."""
    chrome = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36"
    models = ["CUBOT X70", "CUBOT_NOTE_S", "Cubot King Kong 9", "Pixel 9 Pro XL", "Robotphone",
              "Pixel 7a Build/AP3A.240617.008", "SM-S938B", "moto g(60)", "Redmi Note 13",
              "Yetiphone", "Nokia G42 5G", "Fairphone 5"]
    agents = [f"Mozilla/5.0 (Linux; Android 14; {model}) {chrome}{app}"
              for model in models for app in ("", " GSA/16.30.58")]
    assert [row for row in corpus.classify(BUILD, agents) if row[1] != "none"] == []
