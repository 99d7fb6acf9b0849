"""The server that hopcountd starts of its own: Redis or Valkey, whichever is there."""
import os
import shutil

import pytest

WORKERS = {"public": {"workers": 2}}


def mint_links(daemon, n):
    return [daemon.mint("pay", 1000 + i, client=1 + i, campaign=7, channel="mail")
            for i in range(n)]


@pytest.mark.parametrize("server", ["redis-server", "valkey-server"])
def test_clicks_are_counted_exactly_over_a_kill_and_a_restart(
        make_hopcountd, make_load, server):
    if not shutil.which(server):
        pytest.skip(f"{server} is not installed")
    daemon = make_hopcountd(config={**WORKERS, "redis": {"server": server}})
    links = mint_links(daemon, 10)
    tally = make_load(daemon, links, n_clients=4, n_clicks=300).join()
    tally.check(daemon.wait_counted(300, links))
    daemon.kill()
    daemon.start()
    second = make_load(daemon, links, n_clients=4, n_clicks=200).join()
    tally.add(second)
    tally.check(daemon.wait_counted(tally.n_received, links))
    daemon.shut_down()


HANGS = "hangs"
# What lies in the only folder of PATH: a program's name and the version it says it is.
FOUND = [
    ("only valkey-server", {"valkey-server": None}, None, None),
    ("a redis-server that is too old, and a valkey-server",
     {"redis-server": "6.2.14", "valkey-server": None}, None, None),
    ("only a redis-server that is too old", {"redis-server": "6.2.14"}, None,
     ["redis-server is version 6.2.14", "7.0 or newer"]),
    ("neither", {}, None, ["cannot run redis-server or valkey-server", "install", "redis.url"]),
    ("the one that was asked for is missing, another is there", {"redis-server": None}, "my-redis",
     ["cannot run my-redis"]),
    ("the one that was asked for", {"my-redis": None}, "my-redis", None),
    ("a redis-server that hangs, and a valkey-server",
     {"redis-server": HANGS, "valkey-server": None}, None, None),
    ("only a redis-server that hangs", {"redis-server": HANGS}, None,
     ["redis-server --version has not answered", "killed", "redis.server", "redis.url"]),
]


@pytest.mark.parametrize("found, asked, refused", [row[1:] for row in FOUND], ids=[row[0] for row in FOUND])
def test_the_server_is_one_that_is_there(make_hopcountd, tmp_path, found, asked, refused):
    real = shutil.which("redis-server") or shutil.which("valkey-server")
    path = tmp_path / "path"
    path.mkdir()
    for name, version in found.items():
        program = path / name
        action = f'echo "Redis server v={version} sha=0"' if version else f'exec {real} "$@"'
        if version == HANGS:
            action = f"echo $$ > {path}/pid\n{shutil.which('sleep')} 600"
        program.write_text(f"#!/bin/sh\n{action}\n")
        program.chmod(0o755)
    daemon = make_hopcountd(config={"redis": {"server": asked}} if asked else None,
                            environment={"PATH": str(path)}, start=False)
    daemon.api_key = daemon.add_api_key()
    if refused:
        code, text = daemon.start_refused()
        assert code == 1 and all(word in text for word in refused), text
    else:
        daemon.start().shut_down()
    if HANGS in found.values():
        with pytest.raises(ProcessLookupError):
            os.kill(int((path / "pid").read_text()), 0)


def test_commands_find_it_by_relative_paths(make_hopcountd):
    """As somebody types them in the folder of the configuration, whose state_dir is relative too."""
    daemon = make_hopcountd(start=False)
    folder = daemon.config_path.parent
    daemon.write_config({"state_dir": os.path.relpath(daemon.state_dir, folder)})
    daemon.start()
    link = daemon.mint(client=77)
    daemon.click(link)
    daemon.wait_counted(1, [link])
    for command, says in ((["ledger"], "1 click counted, 0 pending"), (["doctor"], "good  redis          version"),
                          (["erase", "--client", "77"], "client 77: 1 click")):
        done = daemon.cli(*command, "-c", daemon.config_path.name, cwd=folder)
        assert says in done.stdout, (command, done.stdout, done.stderr)
