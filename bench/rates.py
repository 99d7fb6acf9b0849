"""CPU per request at the rates that users have, by two clients, and without any request.

A server that is never saturated sleeps between requests: each wakes it, and its other threads.  So
the servers are offered the same rates, parts of what nginx takes in the closed loop, by the open
loop of bench/load; then wrk, which isn't ours, drives them with a path made by a script for each
request.
"""
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import time

import servers
from report import drive, wait_quiet

SHARES = (0.01, 0.10, 0.25, 0.50, 0.75)
IDLE_S = 3
WRK_SCRIPT = """\
wrk.headers["Host"] = "localhost"
local paths, at = {}, 0
for line in io.lines(os.getenv("BENCH_PATHS")) do paths[#paths + 1] = line end
request = function()
  at = at % #paths + 1
  return wrk.format("GET", paths[at])
end
"""


def threads_of(pids):
    """(name, CPU seconds, wake-ups) of each thread of these processes so far."""
    found = {}
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            try:
                name = (task / "comm").read_text().strip()
                cpu = int((task / "schedstat").read_text().split()[0]) / 1e9
                woken = int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", (task / "status").read_text(), re.M)[1])
            except OSError:
                continue
            found[task.name] = (name, cpu, woken)
    return found


def idle(server):
    """Without requests: CPU in µs and wake-ups of each thread, per second."""
    pids = server.pids()
    wait_quiet(pids)
    before, began = threads_of(pids), time.monotonic()
    time.sleep(IDLE_S)
    seconds = time.monotonic() - began
    after = threads_of(pids)
    return {"cpu_us": sum(after[t][1] - before[t][1] for t in after if t in before) / seconds * 1e6,
            "wakeups": {after[t][0] + f" {t}": (after[t][2] - before[t][2]) / seconds for t in after if t in before}}


def drive_by_wrk(server, seconds):
    """One run of wrk, 64 connections, and the CPU the server spent on each request."""
    script = server.folder / "paths.lua"
    script.write_text(WRK_SCRIPT)
    pids, store = server.pids(), server.store_pids()
    before = servers.cpu_of(pids)[0]
    run = subprocess.run(["taskset", "-c", str(os.cpu_count() - 1), "wrk", "-t1", "-c64", f"-d{max(1, round(seconds))}s",
                          "-s", script, f"http://127.0.0.1:{server.port}"], capture_output=True, text=True,
                         env={**os.environ, "BENCH_PATHS": str(server.folder / "paths")})
    wait_quiet(pids + store)
    n = int((re.search(r"(\d+) requests in", run.stdout) or ["", "0"])[1])
    if run.returncode or n == 0 or "Non-2xx or 3xx" in run.stdout or "Socket errors" in run.stdout:
        raise RuntimeError(f"{server.name}: wrk: {run.stdout}{run.stderr}")
    return {"requests": n, "rate": n / seconds, "cpu_us": (servers.cpu_of(pids)[0] - before) / n * 1e6}


def with_threads(server, run):
    """What run() returns, and "threads": (CPU µs, wake-ups) of each of the server's threads, per request."""
    before = threads_of(server.pids())
    result = run()
    after = threads_of(server.pids())
    result["threads"] = {}
    for tid, (name, cpu, woken) in after.items():
        _, cpu_before, woken_before = before.get(tid, (name, 0.0, 0))
        at = result["threads"].setdefault(name, [0.0, 0.0])
        at[0] += (cpu - cpu_before) / result["requests"] * 1e6
        at[1] += (woken - woken_before) / result["requests"]
    return result


def measure(running, rounds, seconds, full_rate):
    """Figures by server and load; the servers take turns within each round."""
    loads = {f"{share:.0%} ({int(full_rate * share):,}/s)": int(full_rate * share) for share in SHARES}
    figures = {name: {load: [] for load in [*loads, "wrk", "idle"]} for name in running}
    for _ in range(rounds):
        for load, rate in loads.items():
            # A rate that leaves few requests in a round gets more time.
            long = max(seconds, min(5, 5000 / rate))
            for name, server in running.items():
                figures[name][load].append(with_threads(server, lambda: drive(
                    server, ["--connections", "64", "--depth", "16", "--rate", str(rate)], long)))
        for name, server in running.items():
            if shutil.which("wrk"):
                figures[name]["wrk"].append(with_threads(server, lambda: drive_by_wrk(server, seconds)))
            figures[name]["idle"].append(idle(server))
    return figures


def ratio(figures, name, base, load):
    """Round by round, so that both had the same machine: (median, least, most)."""
    pairs = [a["cpu_us"] / b["cpu_us"] for a, b in zip(figures[name][load], figures[base][load])]
    return statistics.median(pairs), min(pairs), max(pairs)


def wakeups(runs):
    """Of all threads, per second: the median of the runs; and which threads they are."""
    by_thread = {}
    for run in runs:
        for thread, n in run["wakeups"].items():
            by_thread.setdefault(thread, []).append(n)
    parts = {thread.split()[0]: statistics.median(n) for thread, n in by_thread.items()}
    said = ", ".join(f"{thread} {n:.1f}" for thread, n in sorted(parts.items(), key=lambda p: -p[1]) if n >= 0.1)
    return statistics.median(sum(r["wakeups"].values()) for r in runs), said


def table_of_threads(figures, name, title):
    """Where the time is: CPU and wake-ups of each thread at each load; threads that never take 0.05 µs together."""
    loads = {load: runs for load, runs in figures[name].items() if load != "idle" and runs}
    found = {load: {thread: [statistics.median(run["threads"].get(thread, [0, 0])[i] for run in runs) for i in (0, 1)]
                    for thread in runs[0]["threads"]} for load, runs in loads.items()}
    threads = sorted({thread for by_thread in found.values() for thread in by_thread},
                     key=lambda thread: -max(by_thread.get(thread, [0])[0] for by_thread in found.values()))
    shown = [t for t in threads if max(by_thread.get(t, [0])[0] for by_thread in found.values()) >= 0.05]
    lines = [f"| {title}, CPU µs (wake-ups) a request | " + " | ".join([*shown, "others"]) + " |", "|" + "---|" * (len(shown) + 2)]
    for load, by_thread in found.items():
        cells = ["%.2f (%.3f)" % tuple(by_thread.get(t, [0, 0])) for t in shown]
        rest = [sum(by_thread.get(t, [0, 0])[i] for t in threads if t not in shown) for i in (0, 1)]
        lines.append("| " + " | ".join([load, *cells, "%.2f (%.3f)" % tuple(rest)]) + " |")
    return "\n".join(lines)


def table(figures, titles):
    """A row for each load: CPU µs per request of each server, and the ratio to nginx."""
    names = list(figures)
    others = [n for n in names if n != "nginx"] if "nginx" in names else []
    head = ["offered", *(f"{titles[n]}, CPU µs" for n in names), *(f"{titles[n]} ÷ nginx (min…max)" for n in others),
            *(f"{titles[n]}, p99 µs" for n in names), *(f"{titles[n]}, p99.9 µs" for n in names)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for load in figures[names[0]]:
        runs = {n: figures[n][load] for n in names}
        if load == "idle" or not all(runs.values()):
            continue
        cells = [load, *(f"{statistics.median(r['cpu_us'] for r in runs[n]):.2f}" for n in names),
                 *("%.2f (%.2f…%.2f)" % ratio(figures, n, "nginx", load) for n in others)]
        for key in ("p99_us", "p999_us"):
            cells += [f"{statistics.median(r[key] for r in runs[n]):.0f}" if key in runs[n][0] else "–" for n in names]
        lines.append("| " + " | ".join(cells) + " |")
    for n in names:
        lines += ["", table_of_threads(figures, n, titles[n])]
    for n in names:
        woken, said = wakeups(figures[n]["idle"])
        cpu = statistics.median(r["cpu_us"] for r in figures[n]["idle"])
        lines.append("")
        lines.append(f"{titles[n]} without requests: {cpu:,.0f} µs of CPU and {woken:.1f} wake-ups a second"
                     + (f" ({said})." if said else "."))
    return "\n".join(lines)
