"""What is wrong stops the start: exit code 1, one line that names file, line, key and remedy."""
import os
import socket

import pytest

from harness.wait import wait_until

# (what is wrong, changes to a good configuration, words that the line must hold)
BAD_CONFIGURATIONS = [
    ("an unknown key", {"publik": {"listen": "127.0.0.1:1"}}, ["publik"]),
    ("an unknown key inside a mapping", {"public": {"workerz": 3}}, ["workerz"]),
    ("a text where a number belongs", {"public": {"drain_delay_s": "soon"}}, ["drain_delay_s"]),
    ("a mapping where a text belongs", {"state_dir": {"path": "x"}}, ["state_dir"]),
    ("a number below its range", {"public": {"drain_delay_s": -1}}, ["drain_delay_s"]),
    ("too many workers", {"public": {"workers": 100000}}, ["workers"]),
    ("an address without a port", {"public": {"listen": "127.0.0.1"}}, ["listen"]),
    ("an unknown word", {"public": {"client_address": "guess"}}, ["client_address"]),
    ("a network that is none", {"public": {"trusted_proxies": ["10.0.0.0/33"]}},
     ["trusted_proxies"]),
    ("no brand at all", {"brands": []}, ["brands"]),
    ("a preset that does not exist", {"brands": [{"preset": "wmcs"}]}, ["preset", "wmcs"]),
    ("a billing URL that is none", {"brands": [{"billing_url": "billing.acme.example"}]},
     ["billing_url"]),
    ("a scheme that is no web page", {"brands": [{"billing_url": "javascript:alert(1)"}]},
     ["billing_url"]),
    ("a template with an unknown value",
     {"brands": [{"targets": [{"kind": 4, "name": "renew", "url": "https://a.example/{objekt}"}]}]},
     ["objekt"]),
    ("a template whose host is a value",
     {"brands": [{"targets": [{"kind": 4, "name": "renew", "url": "https://{arg}/x"}]}]}, ["url"]),
    ("a kind outside 1 to 15",
     {"brands": [{"targets": [{"kind": 16, "name": "renew", "url": "https://a.example/"}]}]},
     ["kind"]),
    ("a Redis URL of an unknown scheme", {"redis": {"url": "http://127.0.0.1/"}}, ["redis"]),
    ("a Redis URL whose port is none", {"redis": {"url": "redis://127.0.0.1:99999"}},
     ["redis.url", "port"]),
    ("a password file of Redis that does not exist",
     {"redis": {"url": "redis://127.0.0.1", "password_file": "/nowhere/password"}},
     ["redis.url", "/nowhere/password", "No such file"]),
    ("a password file of Redis that is a folder",
     {"redis": {"url": "redis://127.0.0.1", "password_file": "/tmp"}},
     ["redis.url", "/tmp", "Is a directory"]),
    ("authorities of Redis that do not exist",
     {"redis": {"url": "rediss://127.0.0.1", "tls_ca": "/nowhere/ca.pem"}},
     ["redis.url", "/nowhere/ca.pem", "No such file"]),
    ("a certificate for Redis that does not exist",
     {"redis": {"url": "rediss://127.0.0.1", "tls_cert": "/nowhere/cert.pem",
                "tls_key": "/nowhere/key.pem"}},
     ["redis.url", "/nowhere/cert.pem", "No such file"]),
    ("a key file that does not exist", {"keys": "/nowhere/keys"}, ["/nowhere/keys"]),
]


def with_brand_changes(daemon, changes):
    """A list of brand changes is laid over the brands one by one; [] stays empty."""
    if changes.get("brands"):
        brands = [dict(brand, **change) for brand, change
                  in zip(daemon.config["brands"], changes["brands"])]
        changes = {**changes, "brands": brands}
    return changes


def assert_one_line(code, stderr, words):
    lines = [line for line in stderr.splitlines() if line]
    assert code == 1, (code, stderr)
    assert len(lines) == 1, stderr
    for word in words:
        assert word in lines[0], lines[0]


@pytest.mark.parametrize("what, changes, words", BAD_CONFIGURATIONS,
                         ids=[case[0] for case in BAD_CONFIGURATIONS])
def test_a_bad_configuration_stops_the_start_and_names_the_place(make_hopcountd, what, changes,
                                                                 words):
    daemon = make_hopcountd(start=False)
    daemon.write_config(with_brand_changes(daemon, changes))
    code, stderr = daemon.start_refused()
    assert_one_line(code, stderr, [f"{daemon.config_path}:", *words])
    done = daemon.check()
    assert_one_line(done.returncode, done.stderr, words)


def test_the_line_named_is_the_line_of_the_key(make_hopcountd):
    daemon = make_hopcountd(start=False)
    good = daemon.config_path.read_text()
    daemon.config_path.write_text(good + "publik: 1\n")
    code, stderr = daemon.start_refused()
    assert_one_line(code, stderr, [f"{daemon.config_path}:{len(good.splitlines()) + 1}:"])


def test_text_that_is_no_yaml_is_named_with_its_line(make_hopcountd):
    daemon = make_hopcountd(start=False)
    daemon.config_path.write_text("public: {\n")
    code, stderr = daemon.start_refused()
    assert_one_line(code, stderr, [f"{daemon.config_path}"])


def test_a_configuration_file_that_is_not_there_is_named(make_hopcountd):
    daemon = make_hopcountd(start=False)
    daemon.config_path.unlink()
    code, stderr = daemon.start_refused()
    assert_one_line(code, stderr, [str(daemon.config_path), "No such file"])


def test_any_address_as_the_proxy_that_names_people_is_refused(make_hopcountd):
    daemon = make_hopcountd(start=False)
    daemon.add_api_key()
    daemon.write_config({"public": {"trusted_proxies": ["10.1.2.3", "0.0.0.0/0"]}, "admin": {
        "proxy": {"user_header": "X-User"}, "users": [{"user": "a", "role": "admin"}]}})
    words = [f"{daemon.config_path}:", "public.trusted_proxies", "admin.proxy", "0.0.0.0/0", "own address"]
    code, stderr = daemon.start_refused()
    assert_one_line(code, stderr, words)
    done = daemon.check()
    assert_one_line(done.returncode, done.stderr, words)
    daemon.write_config({"public": {"trusted_proxies": ["10.1.2.3"]}})
    done = daemon.check()
    assert done.returncode == 0, done.stderr


def test_a_good_configuration_passes_the_check(make_hopcountd):
    daemon = make_hopcountd(start=False)
    daemon.add_api_key()
    done = daemon.check()
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text, words", [
    ("1 mint 00\n", ["keys:1"]),
    ("0 mint " + "ab" * 32 + "\n", ["keys:1"]),
    ("256 mint " + "ab" * 32 + "\n", ["keys:1"]),
    ("1 print " + "ab" * 32 + "\n", ["keys:1", "mint, verify or revoked"]),
    ("1 mint " + "ab" * 32 + "\n1 verify " + "cd" * 32 + "\n", ["keys:2"]),
    ("# nothing\n", ["keys"]),
], ids=["a short key", "kid 0", "kid 256", "an unknown state", "a kid twice", "no key"])
def test_a_bad_key_file_stops_the_start_and_names_the_line(make_hopcountd, text, words):
    daemon = make_hopcountd(start=False)
    daemon.keys_path.write_text(text)
    code, stderr = daemon.start_refused()
    assert_one_line(code, stderr, words)
    assert "ab" * 8 not in stderr and "cd" * 8 not in stderr, "key bytes in an error"


@pytest.mark.parametrize("mode", [0o604, 0o606], ids=["readable", "writable"])
def test_a_key_file_that_others_may_touch_is_refused(make_hopcountd, mode):
    daemon = make_hopcountd(start=False)
    daemon.keys_path.chmod(mode)
    code, stderr = daemon.start_refused()
    assert_one_line(code, stderr, ["keys"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_key_file_that_can_t_be_read_is_named(make_hopcountd):
    daemon = make_hopcountd(start=False)
    daemon.keys_path.chmod(0)
    code, stderr = daemon.start_refused()
    assert_one_line(code, stderr, ["keys", "Permission denied"])


@pytest.mark.parametrize("part", ["public", "admin"])
def test_a_port_in_use_is_named(make_hopcountd, redis, part):
    daemon = make_hopcountd(redis, start=False)
    daemon.add_api_key()
    port = {"public": daemon.port, "admin": daemon.admin_port}[part]
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        code, stderr = daemon.start_refused()
    assert code == 1
    errors = [line for line in stderr.splitlines() if str(port) in line]
    assert len(errors) == 1 and "in use" in errors[0], stderr


def test_a_second_process_on_the_state_dir_is_refused_and_the_first_goes_on(make_hopcountd, redis):
    first = make_hopcountd(redis, name="first")
    second = make_hopcountd(redis, {"state_dir": str(first.state_dir)}, "second", start=False)
    second.add_api_key()
    code, stderr = second.start_refused()
    assert code == 1
    errors = [line for line in stderr.splitlines() if str(first.state_dir) in line]
    assert len(errors) == 1, stderr

    token = first.mint("pay", 1)
    first.click(token)
    assert first.wait_counted(1, [token]) == {token: 1}
    first.shut_down()


def test_a_bad_configuration_at_reload_changes_nothing(hopcountd):
    token = hopcountd.mint("view", 5)
    good = hopcountd.config_path.read_text()
    hopcountd.config_path.write_text(good + "publik: 1\n")
    hopcountd.reload()
    wait_until(lambda: "publik" in hopcountd.stderr(), 10, "the reload is refused in the log")
    assert hopcountd.click(token).location.endswith("viewinvoice.php?id=5")
    hopcountd.config_path.write_text(good)
    hopcountd.shut_down()


def test_a_reload_without_a_brand_says_that_its_links_end(hopcountd):
    """A brand that is renamed is another one: the name is sealed into its links."""
    token = hopcountd.mint("view", 5)
    brand, name = dict(hopcountd.config["brands"][0]), hopcountd.config["brands"][0]["name"]
    hopcountd.write_config({"brands": [{**brand, "name": f"{name}-hosting"}]})
    hopcountd.reload()
    wait_until(lambda: "at=reload.done" in hopcountd.stderr(), 10, "it has reloaded")
    assert f"level=warn at=reload.brand_gone brand={name} " in hopcountd.stderr()
    assert hopcountd.get(f"/{token}").status == 404
    hopcountd.write_config({"brands": [brand]})
    hopcountd.reload()
    wait_until(lambda: hopcountd.stderr().count("at=reload.done") == 2, 10, "it has reloaded again")
    assert hopcountd.stderr().count("reload.brand_gone") == 2, "now the new one is gone"
    assert hopcountd.click(token).location.endswith("viewinvoice.php?id=5")
    hopcountd.shut_down()


def test_a_good_configuration_at_reload_is_used_from_then_on(hopcountd):
    token = hopcountd.mint("view", 5)
    assert hopcountd.click(token).location == "https://billing.acme.example/viewinvoice.php?id=5"
    brand = dict(hopcountd.config["brands"][0], billing_url="https://members.acme.example/sub")
    hopcountd.write_config({"brands": [brand]})
    hopcountd.reload()
    wait_until(lambda: hopcountd.click(token).location
               == "https://members.acme.example/sub/viewinvoice.php?id=5", 10, "the new target")
    hopcountd.shut_down()
