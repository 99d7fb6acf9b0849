"""Folders and files that others may change, or read though they hold a password: refused at the start."""
import os
import pathlib

import pytest

OTHER = 12345  # a user that is nobody here
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def folder(path, mode=0o700, owner=None):
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    if owner is not None:
        os.chown(path, owner, owner)


def link(path, to):
    path.parent.mkdir(exist_ok=True, mode=0o700)
    to.mkdir(mode=0o700, exist_ok=True)
    path.symlink_to(to)


# What the state_dir is before the start, and the words of the line that refuses it; None: it starts.
FOLDERS = [
    ("nothing: it is made", lambda s: None, None),
    ("a folder that all may read", lambda s: folder(s, 0o755), None),
    ("a folder that all may write", lambda s: folder(s, 0o777), ["0777", "chmod go-w"]),
    ("a folder that the group may write", lambda s: folder(s, 0o770), ["0770", "chmod go-w"]),
    ("a folder that all may write, like /tmp", lambda s: folder(s, 0o1777), ["1777", "chmod go-w"]),
    ("another's folder", lambda s: folder(s, 0o700, OTHER), [str(OTHER), "chown"]),
    ("a link to a good folder", lambda s: link(s, s.parent / "elsewhere"), ["is a link"]),
    ("a link to nothing", lambda s: s.symlink_to(s.parent / "nothing"), ["is a link"]),
    ("a file", lambda s: s.write_text("x"), ["Not a directory"]),
    ("logs that all may write", lambda s: (folder(s), folder(s / "logs", 0o777)), ["logs", "chmod go-w"]),
    ("another's logs", lambda s: (folder(s), folder(s / "logs", 0o700, OTHER)), ["logs", "chown"]),
    ("logs that are a link", lambda s: (folder(s), link(s / "logs", s.parent / "elsewhere")), ["logs"]),
    ("a lock that is a link", lambda s: (folder(s), (s / "lock").symlink_to("elsewhere")), ["lock"]),
    ("a folder for Redis that all may write", lambda s: (folder(s), folder(s / "redis", 0o777)),
     ["state/redis", "chmod go-w"]),
    ("another's folder for Redis", lambda s: (folder(s), folder(s / "redis", 0o700, OTHER)),
     ["state/redis", "chown"]),
    ("a folder for Redis that is a link", lambda s: (folder(s), link(s / "redis", s.parent / "elsewhere")),
     ["state/redis", "is a link"]),
    ("a folder above that all may write", lambda s: (folder(s), s.parent.chmod(0o777)), ["replace", "chmod o-w"]),
    ("a folder above like /tmp", lambda s: (folder(s), s.parent.chmod(0o1777)), None),
]


@needs_root
@pytest.mark.parametrize("prepare, words", [row[1:] for row in FOLDERS], ids=[row[0] for row in FOLDERS])
def test_the_folder_of_the_clicks_is_our_own(make_hopcountd, prepare, words):
    daemon = make_hopcountd(start=False)
    daemon.api_key = daemon.add_api_key()
    prepare(daemon.state_dir)
    if words is None:
        daemon.start().shut_down()
        return
    code, stderr = daemon.start_refused()
    lines = [line for line in stderr.splitlines() if str(daemon.state_dir) in line]
    assert code == 1 and len(lines) == 1, stderr
    assert all(word in lines[0] for word in words), lines[0]


@needs_root
def test_a_folder_in_a_volume_that_all_may_write_is_our_own(make_hopcountd, tmp_path):
    """As Kubernetes mounts an emptyDir."""
    volume = tmp_path / "volume"
    volume.mkdir()
    mount = f'mount -t tmpfs -o mode=2777 tmpfs {volume} && exec "$@"'
    daemon = make_hopcountd(start=False, wrapper=["unshare", "--mount", "sh", "-c", mount, "sh"])
    daemon.write_config({"state_dir": f"{volume}/state"})
    daemon.start().shut_down()
    daemon.write_config({"state_dir": f"{volume}/in/state"})
    daemon.wrapper[4] = mount.replace("&& exec", f"&& mkdir -m 0777 {volume}/in && exec")
    code, stderr = daemon.start_refused()
    assert code == 1 and f"{volume}/in" in stderr and "chmod o-w" in stderr, stderr
    daemon.write_config({"state_dir": str(volume)})
    code, stderr = daemon.start_refused()
    assert code == 1 and "chmod go-w" in stderr, stderr


@needs_root
def test_a_folder_that_a_read_only_disk_lacks_is_said_to_be_missing_for_that(make_hopcountd):
    daemon = make_hopcountd(start=False)
    daemon.add_api_key()
    folder(daemon.state_dir)
    mount = f'mount -t tmpfs -o ro,mode=700 tmpfs {daemon.state_dir} && exec "$@"'
    daemon.wrapper = ["unshare", "--mount", "sh", "-c", mount, "sh"]
    code, stderr = daemon.start_refused()
    assert code == 1 and f"cannot make {daemon.state_dir}/redis: Read-only file system" in stderr, stderr


@needs_root
def test_a_slash_behind_a_link_does_not_hide_it(make_hopcountd):
    daemon = make_hopcountd(start=False)
    daemon.add_api_key()
    link(daemon.state_dir, daemon.state_dir.parent / "elsewhere")
    daemon.write_config({"state_dir": f"{daemon.state_dir}//"})
    code, stderr = daemon.start_refused()
    assert code == 1 and "is a link" in stderr, stderr


def test_a_link_in_the_place_of_redis_conf_is_replaced_and_what_it_leads_to_is_not_written(
        make_hopcountd, tmp_path):
    daemon = make_hopcountd(start=False)
    victim = tmp_path / "victim"
    victim.write_text("precious\n")
    for name in ("redis.conf", "redis.conf.new"):
        folder(daemon.state_dir)
        folder(daemon.state_dir / "redis")
        (daemon.state_dir / "redis" / name).symlink_to(victim)
    daemon.start()
    daemon.shut_down()
    assert victim.read_text() == "precious\n"
    config = daemon.state_dir / "redis/redis.conf"
    assert not config.is_symlink() and "appendonly yes" in config.read_text()


# --- secrets ---

FILES = [
    ("only ours", 0o600, True),
    ("the group may read it", 0o640, True),
    ("others may read it", 0o604, False),
    ("others may write it", 0o602, False),
    ("the group may write it", 0o660, False),
]


@pytest.mark.parametrize("mode, is_good", [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_a_password_file_is_for_us_alone(make_hopcountd, make_redis, tmp_path, mode, is_good):
    path = tmp_path / "password"
    path.write_text("secret\n")
    path.chmod(mode)
    redis = make_redis(requirepass="secret")
    url = f"redis://127.0.0.1:{redis.port}/0"
    daemon = make_hopcountd(config={"redis": {"url": url, "password_file": str(path)}}, start=False)
    check_start(daemon, path, is_good)


@pytest.mark.parametrize("mode, is_good", [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_a_configuration_with_a_password_is_for_us_alone(make_hopcountd, make_redis, mode, is_good):
    redis = make_redis(requirepass="secret")
    daemon = make_hopcountd(redis, start=False)
    daemon.config_path.chmod(mode)
    check_start(daemon, daemon.config_path, is_good)


def test_a_configuration_without_a_password_may_be_read_by_all(make_hopcountd, redis):
    daemon = make_hopcountd(redis, start=False)
    daemon.config_path.chmod(0o644)
    check_start(daemon, daemon.config_path, True)


def check_start(daemon, path, is_good):
    daemon.api_key = daemon.add_api_key()
    if is_good:
        daemon.start()
        token = daemon.mint("pay", 1)
        daemon.click(token)
        daemon.wait_counted(1, [token])
        daemon.shut_down()
        return
    code, stderr = daemon.start_refused()
    assert code == 1 and "secret" not in stderr, stderr
    lines = [line for line in stderr.splitlines() if str(path) in line and "chmod" in line]
    assert len(lines) == 1 and pathlib.Path(path).name in lines[0], stderr
