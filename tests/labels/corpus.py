#!/usr/bin/python3
"""What the lists of agents make of a corpus of known ones: confusion table, recall, mistakes.

    tests/labels/corpus.py [BUILD]      BUILD (build/) holds tests/label_agents

Machines are the instances that come with crawler-user-agents: they prove that no pattern was lost
or cut short on its way into the program, not that unknown machines are found.  People are browsers
seen by web sites in five years from 2018 on: the `user-agents` packages and `top-user-agents`.
Both have agents that are hard to get right, from agents.json.
"""
import collections
import gzip
import json
import pathlib
import re
import subprocess
import sys

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


def read(path):
    if not path.exists():
        raise SystemExit(f"{path} is not there; {REMEDY}")
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)


def own(who):
    return [agent for _, agent in read(HERE / "agents.json")[who]]


def people():
    """The set of agents of each source."""
    sources = {}
    for package, name in PEOPLE.items():
        agents = (item if isinstance(item, str) else item["userAgent"]
                  for item in read(MODULES / package / name))
        sources[package] = {agent for agent in agents if not NO_PERSON.search(agent)}
    sources["agents.json"] = set(own("people"))
    return sources


def machines():
    found = read(MODULES / "crawler-user-agents" / "crawler-user-agents.json")
    instances = (text.replace("\n", " ") for entry in found for text in entry.get("instances", []))
    return {"crawler-user-agents": set(instances), "agents.json": set(own("machines"))}


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


def measure(build):
    """(people, machines), each a Result."""
    return (Result(build, people(), lambda reason: reason == "none"),
            Result(build, machines(), lambda reason: reason not in ("none", "unclassified")))


def print_table(results):
    reasons = sorted(set().union(*(result.reasons for result in results.values())),
                     key=lambda reason: (reason != "none", reason))
    print(f"{'is':<10}{'agents':>8}" + "".join(f"{reason:>14}" for reason in reasons))
    for truth, result in results.items():
        print(f"{truth:<10}{len(result.all):>8}"
              + "".join(f"{result.reasons[reason]:>14}" for reason in reasons))


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parents[1] / "build").resolve()
    human, machine = measure(build)
    print_table({"person": human, "machine": machine})
    print(f"machines found: {100 - 100 * machine.share_wrong:.2f} %"
          f"   people taken for machines: {100 * human.share_wrong:.2f} %")
    for result in human, machine:
        for name, rows in result.by_source.items():
            n_wrong = sum(row in result.wrong for row in rows)
            print(f"  {name:<22}{len(rows):>6} agents, {n_wrong} wrong")
    for truth, result in ("person", human), ("machine", machine):
        for row in result.wrong:
            print(f"wrong, a {truth}: {row[1]}: {row[0]}")


if __name__ == "__main__":
    main()
