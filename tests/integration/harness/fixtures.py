"""Fixtures of the tests on the real program: servers, started for one test and ended with it.

Each conftest.py takes them all over.  The programs are taken from $HOPCOUNT_BUILD (default: build/).  Random choices come from the
`seed` fixture, which is printed; HOPCOUNT_SEED=N repeats a run.
"""
import os
import random

import pytest

from faults.proxy import Proxy
from faults.trial import CONFIG, Trial

from .build import BUILD, HOPCOUNTD, build_type
from .daemon import Hopcountd, merge
from .load import Load
from .previous import old_program  # noqa: F401
from .redisd import RedisServer
from .workers import put_files_that_share_first, pytest_xdist_make_scheduler  # noqa: F401


def pytest_configure(config):
    for marker in ("alone: measures time, so that nothing may run beside it",
                   "attack: of the stage `attack`, not of `integration`",
                   "soak: long; only with tests/run --soak",
                   "tsan: worth its time under ThreadSanitizer",
                   "release: measures or packages; skipped unless the build type is Release"):
        config.addinivalue_line("markers", marker)


def pytest_report_header():
    return f"programs: {BUILD} ({build_type() or 'no build'})"


def pytest_collection_modifyitems(config, items):
    if not HOPCOUNTD.exists():
        raise pytest.UsageError(f"no hopcountd in {BUILD}: build it, or set HOPCOUNT_BUILD")
    if build_type() != "Release":
        for item in items:
            if item.get_closest_marker("release"):
                item.add_marker(pytest.mark.skip(reason="needs a Release build"))
    if hasattr(config, "workerinput"):
        put_files_that_share_first(items)


@pytest.fixture
def seed():
    """A number to seed random.Random with; shown when the test fails."""
    number = int(os.environ.get("HOPCOUNT_SEED", random.randrange(1 << 32)))
    print(f"HOPCOUNT_SEED={number}")
    return number


@pytest.fixture
def rng(seed):
    return random.Random(seed)


@pytest.fixture
def processes():
    """A list: every process put in is ended after the test, and its sanitizer report looked for."""
    started = []
    yield started
    for process in reversed(started):
        process.cleanup()
    for process in started:
        process.assert_no_sanitizer_report()


@pytest.fixture
def make_redis(tmp_path, processes):
    """make_redis(name="redis", **options) -> a started RedisServer; options are directives."""
    def make(name="redis", start=True, **options):
        server = RedisServer(tmp_path / name, name, **options)
        processes.append(server)
        return server.start() if start else server
    return make


@pytest.fixture
def redis(make_redis):
    return make_redis()


@pytest.fixture
def make_hopcountd(tmp_path, processes):
    """make_hopcountd(redis=None, config={...}, name="hopcountd") -> a Hopcountd, started."""
    def make(redis=None, config=None, name="hopcountd", start=True, **kwargs):
        daemon = Hopcountd(tmp_path / name, redis, config, name, **kwargs)
        processes.append(daemon)
        return daemon.start() if start else daemon
    return make


@pytest.fixture
def hopcountd(make_hopcountd, redis):
    """A started daemon with one brand, two workers and a redis-server beside it."""
    return make_hopcountd(redis)


@pytest.fixture
def make_load():
    """make_load(daemon, links, …) -> a started Load; stopped after the test."""
    loads = []

    def make(daemon, links, **kwargs):
        load = Load(daemon.port, links, **kwargs).start()
        loads.append(load)
        return load
    yield make
    for load in loads:
        load.stopping.set()


@pytest.fixture
def make_proxy(rng):
    """make_proxy(port) -> a started fault proxy in front of a loopback port."""
    proxies = []

    def make(port):
        proxies.append(Proxy(port, rng).start())
        return proxies[-1]
    yield make
    for proxy in proxies:
        proxy.stop()


@pytest.fixture
def make_trial(make_hopcountd, redis):
    """make_trial(row, fault, url=redis, config={}) -> a Trial on a daemon with short waits."""
    def make(row, fault, url=None, config=None, read=None, **kwargs):
        daemon = make_hopcountd(url or redis, merge(CONFIG, config or {}), **kwargs)
        return Trial(row, fault, daemon, read or (lambda: [redis.client()]))
    return make


@pytest.fixture
def make_topology(tmp_path, processes, rng):
    """make_topology(Sentinels) -> started servers of faults/topology.py."""
    topologies = []

    def make(kind, **kwargs):
        topology = kind(tmp_path / "servers", rng, **kwargs)
        processes.extend(topology.processes)
        topologies.append(topology)
        return topology.start()
    yield make
    for topology in topologies:
        topology.stop()
