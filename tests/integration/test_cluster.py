"""The cluster drill: a balancer, pods and Redis in namespaces of their own, and what is done to them."""
import json
import subprocess

import pytest

from harness.build import BUILD, ROOT, patience

SPACE = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
BRIDGE = "ip link add br0 type bridge && ip link add v type veth peer name w && mount -t tmpfs tmpfs /run"


def has_namespaces():
    """Containers often allow none."""
    return subprocess.run([*SPACE, "sh", "-c", BRIDGE], capture_output=True, timeout=60).returncode == 0


def drill(store, seed, old_program, *options, minutes=0):
    """What is drawn and told stays in tests/out/cluster/."""
    if not has_namespaces():
        pytest.skip("no network namespaces are to be had here")
    out = ROOT / "tests/out/cluster" / (f"{store}-soak" if minutes else store)
    done = subprocess.run([ROOT / "tests/cluster/drill", "--store", store, "--seed", str(seed), "--from", old_program,
                           "--out", out, *options], capture_output=True, text=True, timeout=minutes * 60 + patience(150),
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOPCOUNT_BUILD": str(BUILD)})
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((out / "timeline.json").read_text())
    assert told["failures"] == [] and told["answered"] == told["sent"] <= told["counted"]
    assert "<svg" in (out / "timeline.svg").read_text()
    return {phase["phase"] for phase in told["phases"]}


stores = pytest.mark.parametrize("store", ["sentinel", "cluster"])


@stores
def test_no_click_is_lost_or_counted_twice_whatever_is_done_to_a_cluster(store, seed, old_program):
    assert {"one pod goes back", "kill a pod", "cut the master from all", "swap the geo file"} <= drill(store, seed, old_program)


@pytest.mark.soak
@stores
def test_nor_when_all_is_done_again_and_again(store, seed, old_program):
    drill(store, seed, old_program, "--soak", "10", minutes=10)
