#!/usr/bin/python3
"""Plays mail gateways, previews and people to real hopcountds; precision and recall of the labels.

    tests/labels/simulate.py [--seeds N,N-N…] [--mails N] [--pods N] [--at-a-time N]

Each seed is another world, played to hopcountds of its own.  Clients' addresses come as from a trusted proxy, each request goes to any of the pods, which share
a Redis, as behind a load balancer.  Windows of seconds are shortened by SCALE, in the configuration
and in what is played (actors.py) alike.  replay.py does without pods and shortening.
"""
import argparse
import collections
import concurrent.futures
import pathlib
import queue
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import actors  # noqa: E402
import read_log  # noqa: E402
import replay  # noqa: E402
from harness import tokens  # noqa: E402
from harness.build import BUILD  # noqa: E402
from harness.daemon import Hopcountd, merge  # noqa: E402
from harness.rawhttp import Closed, Connection  # noqa: E402
from harness.redisd import RedisServer  # noqa: E402
from harness.wait import patience, wait_until  # noqa: E402

LABELS = ["human", "scanner", "bot", "prefetch", "probe"]
CONFIG = {
    "public": {"workers": 2, "client_address": "forwarded", "trusted_proxies": ["127.0.0.1"]},
    "labels": {"gateway_links_s": actors.LINKS_S // actors.SCALE,
               "gateway_two_links_ms": actors.TWO_LINKS_MS // actors.SCALE,
               "gateway_networks_s": actors.NETWORKS_S // actors.SCALE},
}
PREPARE_S = patience(15)  # for pods that start beside others


def early_s(start_s):
    """labels.early_s for a play that starts then, with tokens issued a minute before.

    Tokens know the minute that they were issued in: a click is early until early_s and a minute after
    that minute began.  A minute can't be shortened, but what is left of this time when the play starts.
    """
    phase_s = start_s % 60
    return round(phase_s + (actors.EARLY_S + 60 - phase_s) / actors.SCALE)


class Sender(threading.Thread):
    """A proxy's connections to the pods: takes requests from a queue."""

    def __init__(self, pods, todo, rng):
        super().__init__(daemon=True)
        self.pods, self.todo, self.rng = pods, todo, rng
        self.connections = {}
        self.failure = None

    def send(self, pod, token, method, headers):
        for last_try in (False, True):
            connection = self.connections.get(pod.port)
            if connection is None:
                connection = self.connections[pod.port] = Connection("127.0.0.1", pod.port, 30)
            try:
                return connection.request(f"/{token}", method=method, headers=headers)
            except (Closed, ConnectionError):  # idle for too long
                del self.connections[pod.port]
                if last_try:
                    raise

    def run(self):
        try:
            for token, method, headers in iter(self.todo.get, None):
                reply = self.send(self.rng.choice(self.pods), token, method, headers)
                assert reply.status == 302, reply
        except Exception as error:  # told by play()
            self.failure = error


def play(pods, world, start_s, n_senders=8):
    """Sends everything at its time; returns by how many seconds the latest request was late."""
    assert time.time() < start_s, f"the pods took longer than {PREPARE_S} s to start"
    time.sleep(start_s - time.time())
    todo = queue.Queue()
    senders = [Sender(pods, todo, random.Random(world.rng.random())) for _ in range(n_senders)]
    for sender in senders:
        sender.start()
    start, late = time.monotonic(), 0
    for at_s, _, token, _, _, method, headers in world.requests:
        time.sleep(max(0, start + at_s - time.monotonic()))
        late = max(late, time.monotonic() - start - at_s)
        todo.put((token, method, headers))
    for _ in senders:
        todo.put(None)
    for sender in senders:
        sender.join(60)
        if sender.failure or sender.is_alive():
            raise AssertionError(f"a request was not answered: {sender.failure}")
    return late


def labels_in_logs(pods):
    """{link id: Counter of labels}, relabelled clicks by their new one."""
    found = collections.defaultdict(collections.Counter)
    for pod in pods:
        for log in read_log.read_logs(pod.state_dir):
            for click in log.clicks():
                found[click["link"]][LABELS[click["label"]]] += 1
                if click["type"] == 2:
                    found[click["link"]][LABELS[click["old_label"]]] -= 1
    return found


def labels_by_one_pod(pods, settings):
    """The same as one pod would have labelled these clicks: what the logs hold, replayed."""
    clicks = sorted((click for pod in pods for log in read_log.read_logs(pod.state_dir) for click in log.clicks()
                     if click["type"] == 1), key=lambda click: click["time_ms"])
    judged = [click for click in clicks if LABELS[click["label"]] in ("human", "probe")]
    reasons = replay.judge(BUILD, {**replay.defaults(BUILD), **settings}, [
        f"{click['time_ms']} 0 {click['client']} {int(click['link'], 16)} {click['network']} "
        f"{int(LABELS[click['label']] == 'probe')} {click['hints']} {click['issued_min']}\n" for click in judged])
    found = collections.defaultdict(collections.Counter)
    for click, reason in zip(judged, reasons):
        found[click["link"]][replay.LABELS.get(reason, "scanner")] += 1
    for click in clicks:
        if LABELS[click["label"]] not in ("human", "probe"):
            found[click["link"]][LABELS[click["label"]]] += 1
    return found


class Outcome:
    """matrix[truth, label] and by_who[who, truth, label]: how many clicks."""

    def __init__(self, world, found, by_one_pod):
        self.otherwise = {link: (dict(+found[link]), dict(by_one_pod[link])) for link in by_one_pod
                          if +found[link] != by_one_pod[link]}
        self.matrix, self.by_who = collections.Counter(), collections.Counter()
        truths = collections.defaultdict(list)
        for _, _, token, who, truth, _, _ in world.requests:
            truths[tokens.link_id(token)].append((who, truth))
        for link, clicks in truths.items():
            self._match(clicks, collections.Counter(found.get(link, {})))

    def _match(self, clicks, labels):
        """Logs don't say who clicked: of one link, as many as can be are taken to be right."""
        wrong = []
        for who, truth in clicks:
            if labels[truth] > 0:
                labels[truth] -= 1
                self._note(who, truth, truth)
            else:
                wrong.append((who, truth))
        for (who, truth), label in zip(wrong, list(labels.elements()) + ["lost"] * len(wrong)):
            self._note(who, truth, label)

    def _note(self, who, truth, label):
        self.matrix[truth, label] += 1
        self.by_who[who, truth, label] += 1

    def n(self, truth):
        return sum(n for (is_, _), n in self.matrix.items() if is_ == truth)

    def recall(self, label):
        return self.matrix[label, label] / max(1, self.n(label))

    def precision(self, label):
        named = sum(n for (_, as_), n in self.matrix.items() if as_ == label)
        return self.matrix[label, label] / max(1, named)

    @property
    def gateways_found(self):
        """Share of the gateways' GETs that aren't counted as people's."""
        return 1 - self.matrix["scanner", "human"] / max(1, self.n("scanner"))

    @property
    def people_mistaken(self):
        return 1 - self.recall("human")

    def table(self):
        columns = [label for label in LABELS + ["lost"]
                   if any(as_ == label for _, as_ in self.matrix)]
        lines = [f"{'is':<24}" + "".join(f"{label:>10}" for label in columns)]
        for truth in LABELS:
            lines.append(f"{truth:<24}" + "".join(f"{self.matrix[truth, c]:>10}" for c in columns))
        for who, truth in sorted({(who, truth) for who, truth, _ in self.by_who}):
            lines.append(f"  {who + ', ' + truth:<22}"
                         + "".join(f"{self.by_who[who, truth, c]:>10}" for c in columns))
        for label in LABELS:
            lines.append(f"{label:<10} precision {100 * self.precision(label):6.2f} %"
                         f"   recall {100 * self.recall(label):6.2f} %")
        lines.append(f"gateways found {100 * self.gateways_found:.2f} %,"
                     f" people mistaken {100 * self.people_mistaken:.2f} %")
        return "\n".join(lines)


def summary(outcomes):
    """Recall and precision of each label by seed, and the worst of all seeds."""
    def shares(outcome):
        return [share for label in LABELS for share in (outcome.recall(label), outcome.precision(label))]

    def row(name, values):
        return f"{name:<8}" + "".join(f"{100 * value:>8.2f}" for value in values)
    rows = {seed: shares(outcome) + [outcome.gateways_found, outcome.people_mistaken]
            for seed, outcome in sorted(outcomes.items())}
    columns = list(zip(*rows.values()))
    worst = [min(column) for column in columns[:-1]] + [max(columns[-1])]
    heads = [name for label in LABELS for name in (label, "")] + ["gateways", "people"]
    subs = ["recall", "prec."] * len(LABELS) + ["found", "mistaken"]
    return "\n".join([f"{'%':<8}" + "".join(f"{h:>8}" for h in heads),
                      f"{'seed':<8}" + "".join(f"{h:>8}" for h in subs),
                      *(row(seed, values) for seed, values in rows.items()), row("worst", worst)])


def run(pods, seed, n_mails, start_s, settings):
    """Plays `n_mails` mails and more to the pods, so configured; the Outcome, printed."""
    world = actors.World(pods[0].key, random.Random(seed), start_s - 60)
    actors.plan(world, n_mails)
    late = play(pods, world, start_s)
    n = len(world.requests)
    # Totals stay when clicks are relabelled: in Redis, too, once everything is applied.
    wait_until(lambda: pods[0].api("GET", "/v1/stats?brand=acme")["total"]["total"] == n, 30,
               f"{n} clicks are counted", pause=0.3)
    found = labels_in_logs(pods)
    outcome = Outcome(world, found, labels_by_one_pod(pods, settings))
    print(f"seed {seed}: {n} clicks in {world.requests[-1][0]:.0f} s, the latest one {late:.2f} s late\n"
          f"{outcome.table()}\n{len(outcome.otherwise)} links are labelled otherwise than by one pod\n", flush=True)

    def agrees():
        total = pods[0].api("GET", "/v1/stats?brand=acme")["total"]
        human = sum(labels["human"] for labels in found.values())
        return (total["total"], total["human"]) == (n, human)
    wait_until(agrees, 10, "Redis counts what the logs say", pause=0.3)
    return outcome


def run_seed(directory, seed, n_mails, n_pods):
    """The Outcome of a world that is played to pods and a Redis of its own."""
    started = []
    try:
        redis = RedisServer(directory / f"redis{seed}")
        started.append(redis)
        redis.start()
        start_s = time.time() + PREPARE_S
        config = merge(CONFIG, {"labels": {"early_s": early_s(start_s)}})
        pods = make_pods(directory / f"seed{seed}", redis, n_pods, config, started.append)
        outcome = run(pods, seed, n_mails, start_s, config["labels"])
    finally:
        for process in reversed(started):
            process.cleanup()
    for process in started:
        process.assert_no_sanitizer_report()
    return outcome


def run_seeds(directory, seeds, n_mails, n_pods=2, at_a_time=3):
    """{seed: Outcome}.  A world is idle for most of its time: some go side by side."""
    with concurrent.futures.ThreadPoolExecutor(at_a_time) as pool:
        runs = {seed: pool.submit(run_seed, directory, seed, n_mails, n_pods) for seed in seeds}
        outcomes = {seed: future.result() for seed, future in runs.items()}
    print(summary(outcomes))
    return outcomes


def make_pods(directory, redis, n_pods, config, track):
    """hopcountds that share Redis and key; each is handed to `track` before it starts."""
    pods = []
    for i in range(n_pods):
        (directory / f"pod{i}").mkdir(parents=True, exist_ok=True)
        pod = Hopcountd(directory / f"pod{i}", redis, config, f"pod{i}")
        if pods:
            pod.key = pods[0].key
            pod.write_keys([(1, "mint", pod.key)])
        track(pod)
        pods.append(pod)
    for pod in pods:
        pod.start()
    wait_acquainted(pods)
    return pods


def wait_acquainted(pods):
    """Until the pods know of one another, they share no clicks: that takes some ten seconds."""
    wait_until(lambda: all(pod.metrics().get("hopcount_pods", len(pods)) == len(pods)
                           for pod in pods), 40, "the pods know of one another", pause=0.2)


def read_seeds(text):
    """`1,5-7` -> [1, 5, 6, 7]"""
    ends = (part.split("-") for part in text.split(","))
    return [seed for end in ends for seed in range(int(end[0]), int(end[-1]) + 1)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=read_seeds, default=[1])
    parser.add_argument("--mails", type=int, default=500)
    parser.add_argument("--pods", type=int, default=2)
    parser.add_argument("--at-a-time", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hopcount-labels-") as directory:
        run_seeds(pathlib.Path(directory), args.seeds, args.mails, args.pods, args.at_a_time)


if __name__ == "__main__":
    main()
