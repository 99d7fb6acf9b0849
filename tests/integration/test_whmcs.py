"""The WHMCS hook: PHPUnit in tests/whmcs, against a harness made from WHMCS's documentation."""
import shutil
import subprocess

import pytest

from harness.build import ROOT


@pytest.mark.skipif(not shutil.which("phpunit"), reason="needs phpunit")
def test_the_hook_holds_in_a_harness_of_whmcs():
    done = subprocess.run(["phpunit", "--no-configuration", "--do-not-cache-result",
                           ROOT / "tests/whmcs/HookTest.php"],
                          text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
