"""The cluster drill in short: a balancer, pods and Redis in namespaces of their own, and what is done to them."""
import json
import subprocess

import pytest

from harness.build import BUILD, ROOT, patience

SPACE = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
BRIDGE = "ip link add br0 type bridge && ip link add v type veth peer name w && mount -t tmpfs tmpfs /run"


def has_namespaces():
    """Containers often allow none."""
    return subprocess.run([*SPACE, "sh", "-c", BRIDGE], capture_output=True, timeout=60).returncode == 0


def test_no_click_is_lost_or_counted_twice_whatever_is_done_to_a_cluster(tmp_path, seed):
    if not has_namespaces():
        pytest.skip("no network namespaces are to be had here")
    done = subprocess.run([ROOT / "tests/cluster/drill", "--seed", str(seed), "--out", tmp_path],
                          capture_output=True, text=True, timeout=patience(150),
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOPCOUNT_BUILD": str(BUILD)})
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "timeline.json").read_text())
    assert told["failures"] == [] and told["answered"] <= told["counted"] <= told["sent"]
    assert "<svg" in (tmp_path / "timeline.svg").read_text()
