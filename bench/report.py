"""What bench/compare and bench/grow share: building, driving, tables, plots, bench/README.md."""
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import time

import servers

ROOT = servers.ROOT
# Root may do it, other users mostly not.
MAY_BE_FIRST = subprocess.run(["chrt", "--fifo", "1", "true"], stderr=subprocess.DEVNULL).returncode == 0


def build():
    """A Release build, of its own unless HOPCOUNT_BENCH_BUILD names one: no other is measured."""
    folder = pathlib.Path(os.environ.get("HOPCOUNT_BENCH_BUILD", ROOT / "build-bench"))
    subprocess.run(["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"],
                   check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", folder, "--target", "all", "bench"], check=True, stdout=subprocess.DEVNULL)
    os.environ["HOPCOUNT_BUILD"] = str(folder)


def wait_quiet(pids, seconds=30):
    """Until these processes use less than 2 % of a core, and at least 0.25 s."""
    step, end = 0.25, time.monotonic() + seconds
    used = servers.cpu_of(pids)[0]
    while time.monotonic() < end:
        time.sleep(step)
        before, used = used, servers.cpu_of(pids)[0]
        if used - before < 0.02 * step:
            return


def drive(server, load_options, seconds, alone=True):
    """One run of the load generator; its figures plus the CPU the server spent meanwhile.

    With `alone` also what it spends until it is quiet again.
    """
    argv = ["taskset", "-c", str(os.cpu_count() - 1), os.environ["HOPCOUNT_BUILD"] + "/bench/load", "--port",
            str(server.port), "--paths", str(server.folder / "paths"), "--seconds", str(seconds),
            "--status", server.status] + load_options
    if server.location:
        argv += ["--location", server.location]
    if MAY_BE_FIRST and "--rate" in load_options and os.cpu_count() - 1 not in server.cpus:
        # Its latencies are the server's, not those of its waiting for a store on the same core.
        argv = ["chrt", "--fifo", "1"] + argv
    pids, store = server.pids(), server.store_pids()
    before, store_before = servers.cpu_of(pids), servers.cpu_of(store)
    run = subprocess.run(argv, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"{server.name}: {run.stderr.strip()}")
    result = json.loads(run.stdout)
    if alone:
        wait_quiet(pids + store)  # what was put off (the ledger's batches) belongs to the requests
    after, store_after = servers.cpu_of(pids), servers.cpu_of(store)
    n = max(1, result["requests"])
    if result["bad"]:
        raise RuntimeError(f"{server.name}: {result['bad']} of {n} replies were not as expected")
    split = max(1e-9, after[1] + after[2] - before[1] - before[2])
    result["cpu_us"] = (after[0] - before[0]) / n * 1e6
    result["user_us"] = result["cpu_us"] * (after[1] - before[1]) / split
    result["system_us"] = result["cpu_us"] * (after[2] - before[2]) / split
    result["store_us"] = (store_after[0] - store_before[0]) / n * 1e6
    return result


def cell(value):
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def markdown(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(cell, row)) + " |" for row in rows])


def plot_lines(head, rows, name):
    """Each figure over the first column, both axes logarithmic where the sizes are."""
    import matplotlib
    matplotlib.use("svg")
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, len(head) - 1, figsize=(3.2 * (len(head) - 1), 2.6), squeeze=False)
    for i, ax in enumerate(axes[0], 1):
        ax.plot([r[0] for r in rows], [r[i] for r in rows], marker="o", color="#2a6f97")
        ax.set_xscale("log")
        ax.set_ylim(bottom=0)
        ax.set_xlabel(head[0])
        ax.set_title(head[i], fontsize=9)
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    fig.tight_layout()
    fig.savefig(ROOT / "bench" / name, metadata={"Date": None})


def processor():
    return next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")


def machine():
    """The first line of whatever is measured here."""
    return (f"{datetime.date.today()}, {processor()}, {os.cpu_count()} cores, Linux {platform.release().split('-')[0]}, "
            "a shared virtual machine")


def plot_name(name):
    """Of a plot's file in bench/: each processor has its own."""
    words = re.findall("[a-z0-9]+", processor().lower().replace("(r)", "").replace("(tm)", ""))
    return f"{'-'.join([name, *words])}.svg"


def merge_parts(old, new):
    """`old` with the part of new's processor replaced by `new`, or with `new` behind it.  A part begins with a line
    of machine()."""
    parts = [part for part in re.split(r"^(?=\d{4}-\d\d-\d\d, )", old, flags=re.M) if part.strip()]
    of = {part.split(", ")[1]: part.strip() for part in parts}
    of[new.split(", ")[1]] = new.strip()
    return "\n\n".join(of.values())


def fill_readme(mark, text, title=""):
    """Writes what begins with machine() between two marks in bench/README.md, in place of what this processor has
    there.  `title` stands before all processors."""
    path = ROOT / "bench" / "README.md"
    begin, end = f"<!-- {mark}: begin -->\n", f"\n<!-- {mark}: end -->"
    head, rest = path.read_text().split(begin)
    old, rest = rest.split(end)
    if old.startswith("### "):
        old = old.split("\n", 1)[1]
    path.write_text(head + begin + (f"{title}\n\n" if title else "") + merge_parts(old, text) + end + rest)
