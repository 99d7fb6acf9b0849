"""The commands of bench/ run and print figures; what the figures are is not for a test to say."""
import json
import os
import subprocess
import sys

import pytest

from harness.build import BUILD, ROOT

pytestmark = pytest.mark.release


def bench(command, *arguments):
    """The output of a command of bench/, on the build that is tested."""
    run = subprocess.run([ROOT / "bench" / command, *arguments], capture_output=True, text=True, timeout=300,
                         env=dict(os.environ, HOPCOUNT_BENCH_BUILD=str(BUILD)))
    assert run.returncode == 0, run.stderr[-2000:] + run.stdout[-2000:]
    return run.stdout


def test_compare_measures_each_load_of_each_server(tmp_path):
    path = tmp_path / "figures.json"
    text = bench("compare", "--quick", "--no-deps", "--only", "floor,hopcount,hopcount-frozen,hopcount-stopped", "--json", path)
    figures = json.loads(path.read_text())
    assert set(figures) == {"floor", "hopcount", "hopcount-frozen", "hopcount-stopped"}
    for by_load in figures.values():
        assert set(by_load) == {"keep-alive", "pipelined", "new-connections", "open-loop"}
        for rounds in by_load.values():
            assert len(rounds) == 2
            assert all(r["requests"] > 0 and r["bad"] == 0 and r["cpu_us"] > 0 for r in rounds)
    assert all(r["store_us"] > 0 for r in figures["hopcount"]["keep-alive"])
    assert "| hopcount |" in text


def test_compare_names_a_server_that_it_does_not_know():
    run = subprocess.run([ROOT / "bench" / "compare", "--only", "hopcount,apache"], capture_output=True, text=True,
                         timeout=60)
    assert run.returncode == 2 and "unknown server apache; one of: floor, hopcount" in run.stderr


def test_figures_of_another_processor_stay_beside_those_of_this_one():
    sys.path.insert(0, str(ROOT / "bench"))
    import report
    old = "2026-11-20, Intel(R) Xeon(R), 2 cores.\n\n| a |\n|---|\n| 1 |\n\n2026-11-21, AMD EPYC, 2 cores.\n\n| a |\n|---|\n| 2 |\n"
    new = "2026-11-28, AMD EPYC, 4 cores.\n\n| a |\n|---|\n| 3 |"
    assert report.merge_parts(old, new) == old.split("\n\n2026-11-21")[0] + "\n\n" + new
    assert report.merge_parts("", new) == new
    assert report.merge_parts(old, "2026-11-28, ARM, 4 cores.") == old + "\n2026-11-28, ARM, 4 cores."
    assert report.machine().split(", ")[1] == report.processor()


def test_profile_says_where_instructions_go():
    text = bench("profile")
    assert "token_open" in text or "blake2b" in text


def test_grow_asks_for_statistics_of_a_year():
    text = bench("grow", "--only", "statistics", "--clicks", "20000", "--rate", "1000")
    rows = [line for line in text.splitlines() if line.startswith(("| a year by ", "| 30 days by "))]
    assert len(rows) == 9
    assert all(float(cell.replace(",", "")) > 0 for row in rows for cell in row.split("|")[2:-1])
    assert "20,000 clicks: Redis spent " in text


def test_grow_asks_for_the_funnel_of_a_year_and_a_list():
    text = bench("grow", "--only", "funnel", "--clicks", "2000")
    row = next(line for line in text.splitlines() if line.startswith("| 2,000 |"))
    p50, p99, _, _, listed, seconds, _, of_invoice, of_click, _ = (
        float(cell.replace(",", "")) for cell in row.split("|")[2:-1])
    assert 0 < p50 <= p99 and listed > 100 and seconds >= 0
    assert 19 < of_click <= 24 < of_invoice, "what is kept of an invoice whose click is all that is known"


def test_grow_names_a_part_that_it_does_not_know():
    run = subprocess.run([ROOT / "bench" / "grow", "--only", "links,years"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 2 and "no part years; there are: connections" in run.stderr


def test_grow_says_what_a_sink_costs_and_what_hung_ones_do():
    text = bench("grow", "--only", "sinks,hung-sinks", "--clicks", "20000", "--live", "2000", "--rate", "1000", "--sinks", "file;kafka")
    for name in ("file", "kafka"):
        row, = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
        assert float(row.split("|")[5]) > 0 and float(row.split("|")[9]) > 0
    assert "| p99 µs |" in text and "| p99 of 20 ms, µs |" in text
