"""What the program makes of its configuration file, beyond refusing it."""
import pytest

WARNING = "at=redis.unencrypted"


@pytest.mark.parametrize("url, is_warned", [
    ("redis://192.0.2.7:6379", True),
    ("valkey://192.0.2.7", True),
    ("redis://127.0.0.1:1", False),
    ("rediss://192.0.2.7", False),
    ("sentinel://127.0.0.1:1,192.0.2.7/main", True),
])
def test_a_plain_connection_to_another_host_is_warned_of(make_hopcountd, url, is_warned):
    daemon = make_hopcountd(config={"redis": {"url": url}})
    lines = [line for line in daemon.stderr().splitlines() if WARNING in line]
    assert len(lines) == is_warned, daemon.stderr()
    if is_warned:
        assert "level=warn" in lines[0] and "192.0.2.7" in lines[0] and "remedy=" in lines[0]


@pytest.mark.parametrize("encode", [
    lambda text: text.encode("utf-8-sig"),
    lambda text: text.replace("\n", "\r\n").encode("utf-8-sig"),
    lambda text: text.encode("utf-16"),
], ids=["UTF-8 with a mark", "the same with CR LF", "UTF-16"])
def test_a_configuration_as_editors_on_windows_save_it(make_hopcountd, encode):
    daemon = make_hopcountd(start=False)
    daemon.add_api_key()
    daemon.config_path.write_bytes(encode(daemon.config_path.read_text()))
    done = daemon.check()
    assert done.returncode == 0, done.stderr
