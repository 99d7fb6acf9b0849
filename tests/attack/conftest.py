"""The fixtures of the integration tests, those of attacks, and the folders that tests import from."""
import os
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)
sys.path.insert(0, os.path.join(TESTS, "integration"))

import pytest  # noqa: E402

from attack.pressure import ASAN_THAT_FORGETS, descriptors_for_both_ends  # noqa: E402
from harness.fixtures import *  # noqa: E402,F401,F403


def pytest_itemcollected(item):
    item.add_marker("attack")


@pytest.fixture(autouse=True)
def many_descriptors():
    with descriptors_for_both_ends(8192):
        yield


@pytest.fixture
def daemon(make_hopcountd, redis):
    """With what it takes for its resident memory to mean something under AddressSanitizer, too."""
    return make_hopcountd(redis, environment=ASAN_THAT_FORGETS)
