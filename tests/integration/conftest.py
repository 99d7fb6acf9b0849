"""The fixtures of harness/fixtures.py, and the folders that tests import from."""
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, os.path.dirname(os.path.dirname(__file__)))

from harness.fixtures import *  # noqa: E402,F401,F403
