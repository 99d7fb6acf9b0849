"""Labels by agent, measured on public lists of agents: machines found, people left alone."""
import collections
import json
import subprocess

import pytest

from harness.build import BUILD, ROOT, patience

LISTS = ROOT / "tests" / "label" / "node_modules"
DEVICES = {"mobile": "phone", "tablet": "tablet", "desktop": "desktop"}
# What the list of crawlers calls a crawler and we don't: pages inside apps, which people read.
PEOPLE_IN_THE_LIST = {r"AP3A\.240617\.008", r"Code\/1\.", "MetaIAB Facebook"}


def load(name):
    path = LISTS / name
    assert path.exists(), f"{path} is missing: run deploy/install-deps test"
    return json.loads(path.read_text())


def label(agents):
    """(reason, device, browser, system) of each agent."""
    result = subprocess.run(
        [BUILD / "tests" / "label_agents"], input="\n".join(agents) + "\n", text=True,
        capture_output=True, check=True, timeout=patience(60))
    rows = [tuple(line.split()) for line in result.stdout.splitlines()]
    assert len(rows) == len(agents)
    return rows


@pytest.fixture(scope="module")
def machines():
    return [instance.replace("\n", " ")
            for entry in load("crawler-user-agents/crawler-user-agents.json")
            if entry["pattern"] not in PEOPLE_IN_THE_LIST
            for instance in entry.get("instances", [])]


@pytest.fixture(scope="module")
def people():
    """Agents of browsers as they were seen on the web, with the kind of device."""
    return {row["userAgent"]: row["deviceCategory"]
            for row in load("user-agents/dist/user-agents.json")}


def test_machines_are_found_and_people_are_not_taken_for_them(machines, people):
    found = collections.Counter(row[0] for row in label(machines))
    mistaken = [(agent, row[0]) for agent, row in zip(people, label(list(people)))
                if row[0] != "none"]
    print(f"{'':>10} {'machine':>8} {'person':>8}")
    print(f"{'machines':>10} {len(machines) - found['none']:>8} {found['none']:>8}")
    print(f"{'people':>10} {len(mistaken):>8} {len(people) - len(mistaken):>8}")
    assert len(machines) > 2000 and len(people) > 500
    assert found["none"] <= 0.01 * len(machines), found
    assert len(mistaken) <= 0.001 * len(people), mistaken


def test_devices_are_those_that_the_list_names(people):
    rows = label(list(people))
    wrong = [(agent, want, row[1]) for (agent, want), row in zip(people.items(), rows)
             if DEVICES[want] != row[1]]
    assert len(wrong) <= 0.005 * len(people), wrong[:20]


def test_browsers_and_systems_are_seldom_unknown(people):
    rows = label(list(people))
    assert sum(row[2] == "other" for row in rows) <= 0.01 * len(rows)
    assert sum(row[3] == "other" for row in rows) <= 0.01 * len(rows)


def test_words_that_only_look_like_machines(people):
    """Phones and apps whose names hold `bot`, `spider`, `google` … inside of a word or as a model."""
    chrome = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36"
    models = ["CUBOT X70", "CUBOT_NOTE_S", "Cubot King Kong 9", "Pixel 9 Pro XL", "Robotphone",
              "Pixel 7a Build/AP3A.240617.008", "SM-S938B", "moto g(60)", "Redmi Note 13",
              "Yetiphone", "Nokia G42 5G", "Fairphone 5"]
    agents = [f"Mozilla/5.0 (Linux; Android 14; {model}) {chrome}" for model in models]
    agents += [f"Mozilla/5.0 (Linux; Android 14; {model}) {chrome} GSA/16.30.58"
               for model in models]
    assert [(a, row[0]) for a, row in zip(agents, label(agents)) if row[0] != "none"] == []
