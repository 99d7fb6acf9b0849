"""How a test run is shared out among the workers of pytest-xdist (`-n`).

Each test goes to the worker that is free, so that one long file holds nobody up; the tests of a
file whose fixtures serve the whole module stay together, for each worker would make them anew.
"""
import functools

import pytest


@functools.lru_cache(maxsize=None)
def _shares_fixtures(path):
    return 'scope="module"' in path.read_text()


def put_files_that_share_first(items):
    """These are the longest units of work: begun last, they would leave the other workers idle."""
    items.sort(key=lambda item: not _shares_fixtures(item.path))


@pytest.hookimpl(optionalhook=True)  # unknown where pytest-xdist isn't installed
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling  # pylint: disable=import-outside-toplevel

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = nodeid.partition("::")[0]
            return path if _shares_fixtures(config.rootpath / path) else nodeid

    return Scheduler(config, log)
