#!/usr/bin/python3
"""What the program makes of lists of agents: confusion table, recall, mistakes.

    tests/labels/corpus.py [BUILD]      BUILD (build/) holds tests/label_agents

Listed: machines are the instances that come with crawler-user-agents, whose patterns are built in:
they prove that no pattern was lost or cut short on its way into the program.  People are browsers
seen by web sites in five years from 2018 on: the `user-agents` packages and `top-user-agents`.

Unlisted: what the rules were not made from, which tells what becomes of agents that nobody has seen:
the test sets of `woothee`, `random-useragent`, and unlisted.json.

Hard to get right: agents.json.
"""
import collections
import gzip
import json
import pathlib
import re
import subprocess
import sys

import yaml

HERE = pathlib.Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
REMEDY = "run: deploy/install-deps test"
PEOPLE = {  # package: the file with its agents
    "user-agents": "dist/user-agents.json",
    "user-agents-2023": "src/user-agents.json.gz",
    "user-agents-2022": "src/user-agents.json.gz",
    "user-agents-2021": "src/user-agents.json.gz",
    "user-agents-2018": "src/user-agents.json.gz",
    "top-user-agents": "src/index.json",
}
# Web sites' logs hold machines, too; these name themselves: headless Chrome; a scanner of shops for
# stolen card data; renderers; the simulator of WeChat's developers.  And what a fault of some program made: one word, or only digits.
NO_PERSON = re.compile(r"HeadlessChrome/|, Foregenix\)| splash | wkhtmltoimage |wechatdevtools|^[a-z]+$|^[0-9.]+$")

# Of the unlisted people: browsers of the nineties, which nothing in their agents tells from a library,
# and what is no browser: an app's own fetch, gateways and transcoders for phones, a music player.
NO_BROWSER = re.compile(r"^Mozilla/[1-4]\.\d+\w*(-\w+)? |CFNetwork|^Dalvik/|^iTunes/|^wii libnup"
                        r"|livedoor|rcdtokyo|Wireless Transcoder")


def read(path):
    if not path.exists():
        raise SystemExit(f"{path} is not there; {REMEDY}")
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)


def own(who):
    return {agent for _, agent in read(HERE / "agents.json")[who]}


def listed_people():
    """The set of agents of each source."""
    sources = {}
    for package, name in PEOPLE.items():
        agents = (item if isinstance(item, str) else item["userAgent"]
                  for item in read(MODULES / package / name))
        sources[package] = {agent for agent in agents if not NO_PERSON.search(agent)}
    sources["agents.json"] = own("people")
    return sources


def listed_machines():
    found = read(MODULES / "crawler-user-agents" / "crawler-user-agents.json")
    instances = (text.replace("\n", " ") for entry in found for text in entry.get("instances", []))
    return {"crawler-user-agents": set(instances), "agents.json": own("machines")}


def woothee(is_machine):
    """Its test sets: a file for each kind of agents, of which `target` is one."""
    folder = MODULES / "woothee" / "woothee" / "testsets"
    files = [file for file in folder.glob("*.yaml")
             if file.stem.startswith("crawler") == is_machine
             and file.stem.startswith(("crawler", "pc_windows", "smartphone", "mobilephone"))]
    agents = {entry["target"] for file in files for entry in yaml.safe_load(file.read_text())}
    if not agents:
        raise SystemExit(f"{folder}: no agents; {REMEDY}")
    return {agent for agent in agents if is_machine or not NO_BROWSER.search(agent)}


def random_useragent(folders, excluded=None):
    return {entry["userAgent"] for entry in read(MODULES / "random-useragent" / "useragent-data.json")
            if folders.search(entry["folder"])
            and not (excluded and excluded.search(entry["userAgent"]))}


def unlisted(who):
    kinds = read(HERE / "unlisted.json")[who]
    return {f"unlisted.json, {kind}": set(agents) for kind, agents in kinds.items()}


def unlisted_machines():
    folders = re.compile("Spiders|Downloaders|Libraries|Validators|Feed Readers")
    return {"woothee": woothee(True), "random-useragent": random_useragent(folders),
            **unlisted("machines")}


def unlisted_people():
    folders = re.compile("/Mobile Devices/(Browsers|Devices|OS)|Consoles$|^/Browsers - [^/]*$")
    return {"woothee": woothee(False), "random-useragent": random_useragent(folders, NO_BROWSER),
            **unlisted("people")}


def weights():
    """{agent: its share of the traffic} of the newest people."""
    found = collections.Counter()
    for item in read(MODULES / "user-agents" / PEOPLE["user-agents"]):
        found[item["userAgent"]] += item["weight"]
    return found


def devices():
    """{agent: phone, tablet or desktop} of the newest people, by the size of their screens."""
    names = {"mobile": "phone", "tablet": "tablet", "desktop": "desktop"}
    return {item["userAgent"]: names[item["deviceCategory"]]
            for item in read(MODULES / "user-agents" / PEOPLE["user-agents"])}


def classify(build, agents):
    """[(agent, reason, device, browser, system)], by the program's own code."""
    agents = sorted(agents)
    if any("\n" in agent for agent in agents):
        raise ValueError("an agent with a line end")
    done = subprocess.run([build / "tests" / "label_agents"], input="\n".join(agents) + "\n",
                          stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    lines = done.stdout.splitlines()
    if len(lines) != len(agents):
        raise ValueError(f"{len(agents)} agents, {len(lines)} answers")
    return [(agent, *line.split()) for agent, line in zip(agents, lines)]


class Result:
    """The reasons given to all agents of a truth, and those that are wrong."""

    def __init__(self, build, sources, is_right):
        self.by_source = {name: classify(build, agents) for name, agents in sources.items()}
        self.all = classify(build, set().union(*sources.values()))
        self.wrong = [row for row in self.all if not is_right(row[1])]
        self.reasons = collections.Counter(row[1] for row in self.all)

    @property
    def share_wrong(self):
        return len(self.wrong) / len(self.all)


def is_person(reason):
    return reason == "none"


def is_machine(reason):
    return reason not in ("none", "unclassified")


def measure(build):
    """(people, machines), each a Result, of the lists."""
    return Result(build, listed_people(), is_person), Result(build, listed_machines(), is_machine)


def measure_unlisted(build):
    """The same of what the rules were not made from."""
    return (Result(build, unlisted_people(), is_person),
            Result(build, unlisted_machines(), is_machine))


def print_table(results):
    reasons = sorted(set().union(*(result.reasons for result in results.values())),
                     key=lambda reason: (reason != "none", reason))
    print(f"{'is':<10}{'agents':>8}" + "".join(f"{reason:>14}" for reason in reasons))
    for truth, result in results.items():
        print(f"{truth:<10}{len(result.all):>8}"
              + "".join(f"{result.reasons[reason]:>14}" for reason in reasons))


def print_results(title, human, machine):
    print(title)
    print_table({"person": human, "machine": machine})
    print(f"machines found: {100 - 100 * machine.share_wrong:.2f} %"
          f"   people taken for machines: {100 * human.share_wrong:.2f} %")
    for result in human, machine:
        for name, rows in result.by_source.items():
            n_wrong = sum(row in result.wrong for row in rows)
            print(f"  {name:<52}{len(rows):>6} agents, {n_wrong} wrong")
    for truth, result in ("person", human), ("machine", machine):
        for row in result.wrong:
            print(f"wrong, a {truth}: {row[1]}: {row[0]}")


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parents[1] / "build").resolve()
    print_results("Listed", *measure(build))
    print_results("Unlisted", *measure_unlisted(build))


if __name__ == "__main__":
    main()
