#!/usr/bin/python3
"""Many worlds of simulate.py in seconds: their clicks go to the detection of mail gateways alone.

    tests/labels/replay.py [--seeds N,N-N…] [--mails N] [--pods N] [--build DIR] [--mistakes] [NAME=VALUE…]

No server and no waiting: what the program's own code (label_clicks.c) makes of the same plan of requests,
in the time of life.  That tells whether the aims are met by luck of a seed.  With several pods each click
goes to any of them, and they tell one another over a Redis that is played.  NAME=VALUE tries other
settings, by their names in the configuration's group `labels`.
"""
import argparse
import collections
import pathlib
import random
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import actors  # noqa: E402
from harness import tokens  # noqa: E402

SETTINGS = ["gateway_links", "gateway_links_s", "gateway_two_links_ms", "gateway_networks", "gateway_networks_s",
            "early_s", "weight_links", "weight_networks", "weight_early", "weight_head", "weight_asn", "weight_range",
            "threshold", "repeat_max"]
EPOCH_S = 1704067200  # when tokens begin to count minutes
START_S = 1795000000 // 60 * 60
LABELS = {"none": "human", "head": "probe", "repeat": "bot"}  # of a reason; of any other: scanner
Click = collections.namedtuple("Click", "at_ms link who truth network is_head")


def defaults(build):
    """The program's own, from --help-config."""
    text = subprocess.run([build / "hopcountd", "--help-config"], capture_output=True, text=True, check=True).stdout
    return {name: int(re.search(rf"^labels\.{name}$.*?default: (\d+)", text, re.M | re.S)[1]) for name in SETTINGS}


def network_of(address, rng, known):
    """The /24 or /48 as its 14 bits, which two may share by chance."""
    network = ":".join(address.split(":")[:3]) if ":" in address else address.rsplit(".", 1)[0]
    if network not in known:
        known[network] = rng.randrange(1, 1 << 14)
    return known[network]


def plan(seed, n_mails):
    """The world of a seed, and its clicks in order of time."""
    rng = random.Random(seed)
    known, numbers = {}, random.Random(seed)
    # Tokens know the minute of their issue, so it matters when in a minute the mails are sent.
    world = actors.World(bytes(32), rng, START_S + numbers.uniform(0, 60))
    actors.plan(world, n_mails)
    return world, [Click(int(1000 * at_s * actors.SCALE), link, who, truth,
                         network_of(headers["X-Forwarded-For"], numbers, known), method == "HEAD")
                   for at_s, _, link, who, truth, method, headers in world.requests]


def is_looked_at(click):
    """What declares itself does not get there."""
    return not click.who.startswith("preview")


def judge(build, settings, lines, n_pods=1):
    """The reasons that label_clicks.c gives to clicks, lines as it reads them."""
    values = [str(settings[name] * (1000 if name.endswith("_s") else 1)) for name in SETTINGS]
    done = subprocess.run([build / "tests" / "label_clicks", str(n_pods), *values], input="".join(lines),
                          capture_output=True, text=True, check=True, timeout=60)
    reasons = done.stdout.split()
    if len(reasons) != len(lines):
        raise ValueError(f"{len(lines)} clicks, {len(reasons)} answers")
    return reasons


def reasons_of(build, settings, world, clicks, n_pods=1):
    """For each click that is looked at (click, reason)."""
    looked_at = [click for click in clicks if is_looked_at(click)]
    start_ms, lines, rng = int(1000 * world.start_s), [], random.Random(n_pods)
    for click in looked_at:
        client, issued_s = world.links[click.link]
        lines.append(f"{start_ms + click.at_ms} {rng.randrange(n_pods)} {client} "
                     f"{int(tokens.link_id(click.link), 16)} {click.network} {int(click.is_head)} 0 "
                     f"{int(issued_s - EPOCH_S) // 60}\n")
    return list(zip(looked_at, judge(build, settings, lines, n_pods)))


def label(build, settings, world, clicks, n_pods=1):
    """For each click that is looked at whether it is taken for a machine's."""
    return [(click, reason not in ("none", "head"))
            for click, reason in reasons_of(build, settings, world, clicks, n_pods)]


class Result:
    """How many gateways' GETs were found, and people's clicks mistaken."""

    def __init__(self, marked, world):
        self.by_who = collections.Counter((click.who, click.truth, mark) for click, mark in marked)
        self.n = collections.Counter(click.truth for click, _ in marked)
        self.found = sum(mark for click, mark in marked if click.truth == "scanner") / self.n["scanner"]
        self.mistaken = sum(mark for click, mark in marked if click.truth == "human") / self.n["human"]
        n_marked = sum(mark for click, mark in marked if click.truth != "bot")
        self.precision = sum(mark for click, mark in marked if click.truth == "scanner") / max(1, n_marked)
        self.mails = self._mails_with_mistakes(marked, world)

    @staticmethod
    def _mails_with_mistakes(marked, world):
        by_client = collections.defaultdict(list)
        for click, mark in marked:
            by_client[world.links[click.link][0]].append((click, mark))
        return [clicks for clicks in by_client.values()
                if any(mark and click.truth == "human" for click, mark in clicks)]


def measure(build, seeds, n_mails, changes=(), n_pods=1):
    """{seed: Result}"""
    settings = {**defaults(build), **dict(changes)}
    results = {}
    for seed in seeds:
        world, clicks = plan(seed, n_mails)
        results[seed] = Result(label(build, settings, world, clicks, n_pods), world)
    return results


def table(results):
    lines = [f"{'seed':<8}{'gateways found':>16}{'precision':>12}{'people mistaken':>18}"]
    for seed, result in sorted(results.items()):
        lines.append(f"{seed:<8}{100 * result.found:>14.2f} %{100 * result.precision:>10.2f} %"
                     f"{100 * result.mistaken:>16.2f} %")
    worst = (min(r.found for r in results.values()), min(r.precision for r in results.values()),
             max(r.mistaken for r in results.values()))
    lines.append(f"{'worst':<8}{100 * worst[0]:>14.2f} %{100 * worst[1]:>10.2f} %{100 * worst[2]:>16.2f} %")
    return "\n".join(lines)


def by_who(results):
    """Of all seeds together."""
    total = sum((result.by_who for result in results.values()), collections.Counter())
    lines = [f"{'who':<30}{'human':>10}{'machine':>10}"]
    for who, truth in sorted({key[:2] for key in total}):
        lines.append(f"{f'{who}, {truth}':<30}{total[who, truth, False]:>10}{total[who, truth, True]:>10}")
    return "\n".join(lines)


def mistakes(results):
    """The clicks of each mail in which a person was mistaken."""
    for seed, result in sorted(results.items()):
        for mail in result.mails:
            links = list(dict.fromkeys(click.link for click, _ in mail))
            yield f"seed {seed}"
            for click, mark in mail:
                yield (f"  {click.at_ms / 1000:8.1f} s  link {links.index(click.link)}  network {click.network:<6}"
                       f"{'HEAD' if click.is_head else 'GET':<5} {click.who}, {click.truth}"
                       f"{' -> machine' if mark else ''}")


def main():
    from simulate import read_seeds
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=read_seeds, default=list(range(1, 101)))
    parser.add_argument("--mails", type=int, default=500)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2] / "build")
    parser.add_argument("--pods", type=int, default=1)
    parser.add_argument("--mistakes", action="store_true")
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE")
    args = parser.parse_args()
    changes = [(name, int(value)) for name, value in (text.split("=") for text in args.settings)]
    results = measure(args.build.resolve(), args.seeds, args.mails, changes, args.pods)
    print(table(results), by_who(results), sep="\n\n")
    if args.mistakes:
        print(*mistakes(results), sep="\n")


if __name__ == "__main__":
    main()
