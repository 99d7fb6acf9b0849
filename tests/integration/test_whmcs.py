"""WHMCS: PHPUnit in tests/whmcs, against a harness made from WHMCS's documentation."""
import shutil
import subprocess

import pytest

from harness.build import ROOT


@pytest.mark.skipif(not shutil.which("phpunit"), reason="needs phpunit")
@pytest.mark.parametrize("name", ["HookTest", "TokenTest"])
def test_whmcs(name):
    done = subprocess.run(["phpunit", "--no-configuration", "--do-not-cache-result",
                           ROOT / f"tests/whmcs/{name}.php"],
                          text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
