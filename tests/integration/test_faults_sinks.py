"""All sinks at once while half of all faults happen: each has every record once (tests/sinks/audit, in short)."""
import re
import subprocess

from harness.build import ROOT, patience


def test_every_sink_has_each_record_once_after_faults(rng):
    done = subprocess.run(["timeout", "-s", "INT", str(patience(240)), ROOT / "tests/sinks/audit", "--seed", str(rng.randrange(1 << 31)),
                           "--clicks", "1000", "--rate", "1000", "--faults", "14", "--verbose"], capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    total = re.search(r"^([\d,]+) records in \d+ logs\.$", done.stdout, re.M)[1]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if line.startswith("| ")][1:]
    assert {row[0] for row in rows} >= {"file", "webhook", "clickhouse (double)", "kafka (double)",
                                       "kafka (librdkafka's mock), 100 a message", "stream"}
    assert all(row[3:] == [total, total, total, "0", "0"] for row in rows), rows
