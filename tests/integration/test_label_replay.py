"""The detection of mail gateways over many worlds (tests/labels/replay.py): no luck of a seed."""
import collections
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
    names = ("gateway_links_s", "gateway_networks_s", "early_s", "gateway_two_links_ms", "repeat_max")
    assert (actors.LINKS_S, actors.NETWORKS_S, actors.EARLY_S, actors.TWO_LINKS_MS, actors.REPEAT_MAX) == tuple(
        settings[name] for name in names)


def test_gateways_are_found_in_every_world(results):
    assert {seed: result.found for seed, result in results.items() if result.found < 0.95} == {}


def test_people_are_not_taken_for_gateways_in_any_world(results):
    assert {seed: result.mistaken for seed, result in results.items() if result.mistaken > 0.01} == {}


def test_on_the_whole_it_is_better_than_that(results):
    """The mean of all worlds: where a change of the detection shows first."""
    n = len(results)
    assert sum(result.found for result in results.values()) / n > 0.985
    assert sum(result.mistaken for result in results.values()) / n < 0.003


def share_of(results, who, truth):
    """Which share of these clicks is taken for a machine's."""
    by_who = sum((result.by_who for result in results.values()), collections.Counter())
    n = by_who[who, truth, True] + by_who[who, truth, False]
    assert n >= 100, f"{who} is played"
    return by_who[who, truth, True] / n


@pytest.mark.parametrize("who, truth, least, most", [
    ("late gateway", "scanner", 0.98, 1),  # two links within two seconds, half an hour after the mail
    ("pay at once", "human", 0, 0.01),     # two links within four to nine seconds, of a fresh mail
    ("flood", "bot", 1, 1),
    ("flood", "unseen", 0, 0.01),          # the first clicks of it
    ("sandbox", "unseen", 0, 0.01),        # README.md says that nobody finds these two
    ("single look", "unseen", 0, 0.01),
])
def test_who_is_told_and_who_is_not(results, who, truth, least, most):
    assert least <= share_of(results, who, truth) <= most


@pytest.mark.parametrize("n_pods", [2, 3])
def test_several_pods_say_what_one_says(n_pods):
    """Every click of every pattern gets the same label, to whatever pods the clicks of a client go."""
    settings = replay.defaults(BUILD)
    for seed in range(1, 11):
        world, clicks = replay.plan(seed, 500)
        one, several = (replay.label(BUILD, settings, world, clicks, n) for n in (1, n_pods))
        assert len(one) > 2000
        assert [(seed, *a) for a, b in zip(one, several) if a != b] == []


START_MS, CLIENT, HOUR_OLD = 1795000000000, 77, (1795000000 - 3600 - replay.EPOCH_S) // 60


def line(at_ms, pod, link, network, client=CLIENT):
    return f"{START_MS + at_ms} {pod} {client} {link} {network} 0 0 {HOUR_OLD}\n"


@pytest.mark.parametrize("name, clicks, want", [
    ("a burst at one pod, and a person at the other 20 s later",
     [(0, 0, 1, 1), (400, 0, 2, 2), (800, 0, 3, 1), (20800, 1, 1, 3)], "LLL."),
    ("a burst over both pods, and a person at a third one",
     [(0, 0, 1, 1), (400, 1, 2, 2), (800, 0, 3, 1), (20800, 2, 1, 3)], "LLL."),
    ("three networks at three pods, and a person after that",
     [(0, 0, 1, 1), (5000, 1, 1, 2), (10000, 2, 1, 3), (40000, 0, 1, 4)], "NNN."),
    ("two links at once at two pods", [(0, 0, 1, 1), (1, 1, 2, 1)], "LL"),
    ("two links, slowly, at two pods", [(0, 0, 1, 1), (4000, 1, 2, 1)], ".."),
    ("twelve clicks of one link, at two pods in turn",
     [(1000 * i, i % 2, 1, 1) for i in range(12)], "..........RR"),
    ("twelve clicks of one link at once, at three pods",
     [(10 * i, i % 3, 1, 1) for i in range(12)], "..........RR"),
    ("eleven clicks of one link, of which ten are in any minute",
     [(6001 * i, i % 2, 1, 1) for i in range(11)], "..........."),
    ("twelve clicks of one link by two networks",
     [(1000 * i, i % 2, 1, 1 + i % 2) for i in range(12)], "............"),
])
def test_patterns_over_pods(name, clicks, want):
    letters = {"none": ".", "many_links": "L", "many_networks": "N", "signs": "S", "repeat": "R"}
    lines = [line(*click) for click in clicks]
    for n_pods in (1, 2, 3):
        reasons = replay.judge(BUILD, replay.defaults(BUILD), lines, n_pods)
        assert "".join(letters[reason] for reason in reasons) == want, f"{n_pods} pods"


def test_one_client_s_flood_hides_nobody_else_s_gateway():
    """However many clicks one client makes, and whatever links and networks it has."""
    settings = {**replay.defaults(BUILD), "repeat_max": 0}
    gateways = [line(2000 * n, 0, 1000 + 10 * mail + n, 9, 5000 + mail) for mail in range(10) for n in range(2)]
    flood = [line(1 + i // 90, 0, 1 + i % 7, 1 + i % 100) for i in range(170000)]
    lines = sorted(gateways + flood, key=lambda text: int(text.split()[0]))
    reasons = replay.judge(BUILD, settings, lines)
    found = [reason for text, reason in zip(lines, reasons) if int(text.split()[2]) >= 5000]
    assert found == ["many_links"] * 20


@pytest.mark.parametrize("changes", [{"threshold": 10000}, {"gateway_links": 100, "gateway_networks": 100, "gateway_two_links_ms": 0}])
def test_settings_that_find_nothing_show(changes):
    """The measure can fail."""
    (result,) = replay.measure(BUILD, [1], 100, changes.items()).values()
    assert result.found < 0.5


def test_settings_that_accuse_everyone_show():
    (result,) = replay.measure(BUILD, [1], 100, {"gateway_links": 2, "gateway_links_s": 3600}.items()).values()
    assert result.mistaken > 0.01
