"""The fault matrix as a table: a line per fault, from the newest run of each.

    /usr/bin/python3 -m faults.report        (in tests/) prints it
"""
import fcntl
import json
import pathlib

OUT = pathlib.Path(__file__).resolve().parents[1] / "out"
LINES = OUT / "fault-matrix.jsonl"
TABLE = OUT / "fault-matrix.md"
HEAD = """# Faults and what came out of them

sent: requests of the clients; received: redirects that arrived; unanswered: sent, no reply came (may count);
lost, doubled: against the clients' tally; reported: clicks that metrics said were lost, with a reason.

| row | fault | sent | received | counted | lost | doubled | reported | p99 before | p99 during |
|---|---|---|---|---|---|---|---|---|---|
"""


def write(trial, n_counted, lost, doubled, reported):
    """Adds the line of a trial, and writes the table anew."""
    tally = trial.tally
    line = {
        "row": trial.row, "fault": trial.fault,
        "sent": tally.n_received + tally.n_unanswered + sum(tally.other.values()),
        "received": tally.n_received, "counted": n_counted, "lost": lost, "doubled": doubled,
        "reported": reported,
        "p99_before_ms": milliseconds(trial.before), "p99_during_ms": milliseconds(trial.during),
    }
    print(json.dumps(line))
    OUT.mkdir(exist_ok=True)
    with open(LINES, "a", encoding="utf-8") as out:
        fcntl.flock(out, fcntl.LOCK_EX)  # other workers write theirs
        out.write(json.dumps(line) + "\n")
        out.flush()
        TABLE.write_text(table())


def milliseconds(tally):
    return round(tally.quantile_s(0.99) * 1000, 2) if tally.latencies_s else None


def newest_lines():
    """The last line written of each fault, in the order of the matrix."""
    newest = {}
    if LINES.exists():
        for text in LINES.read_text().splitlines():
            line = json.loads(text)
            newest[line["row"], line["fault"]] = line
    return [newest[key] for key in sorted(newest)]


def table():
    def ms(value):
        return "-" if value is None else f"{value:.1f} ms"
    rows = [f"| {line['row']} | {line['fault']} | {line['sent']} | {line['received']} "
            f"| {line['counted']} | {line['lost']} | {line['doubled']} | {line['reported']} "
            f"| {ms(line['p99_before_ms'])} | {ms(line['p99_during_ms'])} |"
            for line in newest_lines()]
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(table(), end="")
