"""Every command of `hopcount`, on the real program."""
import concurrent.futures
import csv
import fcntl
import hashlib
import http.server
import io
import json
import os
import pty
import re
import shlex
import shutil
import ssl
import stat
import struct
import subprocess
import termios
import threading
import urllib.parse

import pytest
import yaml

from harness import tokens
from harness.build import HOPCOUNT, patience
from harness.endpoint import Endpoint

KEY = bytes(range(32))
GOOD = "07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m"
ISSUED = "2026-11-22T12:00:00Z"
ISSUED_S = 1795348800
COMMANDS = ["keygen", "apikey", "mint", "inspect", "check", "doctor", "event", "revoke", "stats", "top", "annotate", "report", "audit", "erase", "ledger", "sinks", "reshard",
            "completion", "man"]
BRANDS = [
    {"name": "acme", "hosts": ["go.acme.example"], "base_url": "https://go.acme.example",
     "preset": "whmcs", "billing_url": "https://billing.acme.example",
     "targets": [{"kind": 4, "name": "renew",
                  "url": "https://billing.acme.example/cart.php?gid={object}&c={arg}"}]},
    {"name": "bcme", "hosts": ["go.bcme.example"], "base_url": "https://go.bcme.example",
     "preset": "whmcs", "billing_url": "https://billing.bcme.example"},
]


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if name != "HOPCOUNT_API_KEY"}
    return {**kept, "LC_ALL": "C.UTF-8", "TZ": "UTC", "ASAN_OPTIONS": "exitcode=99", **more}


def run(*arguments, stdin="", status=0, env=None):
    """Runs hopcount; the finished process, whose exit code must be as said."""
    done = subprocess.run([str(part) for part in (HOPCOUNT, *arguments)], input=stdin.encode(),
                          capture_output=True, timeout=patience(60), env=environment(**(env or {})))
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done


def fails(*arguments, says, status=1, **kwargs):
    """Runs hopcount, which must fail with one line that holds each of `says`."""
    done = run(*arguments, status=status, **kwargs)
    assert done.stderr.count("\n") == 1, done.stderr
    for text in [says] if isinstance(says, str) else says:
        assert text in done.stderr
    return done


@pytest.fixture
def make_config(tmp_path):
    """make_config(brands=BRANDS, keys="1 mint …") -> the path of a configuration."""
    def make(brands=BRANDS, keys=f"1 mint {KEY.hex()}\n"):
        (tmp_path / "keys").write_text(keys)
        (tmp_path / "keys").chmod(0o600)
        path = tmp_path / "hopcount.yaml"
        path.write_text(yaml.safe_dump({
            "public": {"listen": "127.0.0.1:0"}, "admin": {"listen": "127.0.0.1:8081"},
            "state_dir": str(tmp_path / "state"), "keys": "keys", "checks": {"pace_ms": 0},
            "brands": brands}))
        return path
    return make


@pytest.fixture
def config(make_config):
    return make_config()


# --- the program ---

def test_a_role_stands_for_scopes(tmp_path):
    for role, scopes in [("read", "stats:read"), ("name", "stats:read,links:write"),
                         ("admin", "stats:read,links:write,events:write,admin")]:
        run("apikey", "--name", role, "--role", role, "--add", tmp_path / "keys")
        assert f"{role} {scopes} " in (tmp_path / "keys").read_text()
    for wrong in (("--role", "root"), ("--role", "read", "--scope", "admin"), ()):
        assert "role" in run("apikey", "--name", "x", *wrong, status=2).stderr


def test_help_names_every_command():
    text = run("--help").stdout
    assert [line.split()[0] for line in text.splitlines() if line.startswith("  ")] == COMMANDS
    assert run("-h").stdout == text
    assert run(status=2).stderr == text


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command):
    text = run(command, "--help").stdout
    assert text.startswith(f"usage: hopcount {command} ")
    assert "--help" in text
    assert run("help", command).stdout == text


@pytest.mark.parametrize("page, section, holds", [
    ("hopcount", 1, [*COMMANDS, "--group-by NAME", "HOPCOUNT_API_KEY", "Safe Links"]),
    ("hopcount.yaml", 5, ["public.drain_delay_s", "brands[].targets[].url", "Takes true or false; default: "]),
    ("hopcountd", 8, ["--help-config", "SIGTERM drains", "NOTIFY_SOCKET"]),
])
def test_manual_pages_are_clean_and_hold_what_the_help_says(page, section, holds):
    text = run("man", page).stdout
    assert text.splitlines()[1].startswith(f".TH {page} {section} ")
    shown = subprocess.run(["groff", "-man", "-K", "utf8", "-T", "utf8", "-P", "-c", "-ww", "-rLL=200n"],
                           input=text.encode(), capture_output=True, timeout=patience(20))
    assert shown.stderr == b""
    shown = re.sub(".\b", "", shown.stdout.decode())
    for words in holds:
        assert words in shown, words
    narrow = subprocess.run(["groff", "-man", "-K", "utf8", "-T", "utf8", "-P", "-c", "-rLL=60n"], input=text.encode(),
                            capture_output=True, timeout=patience(20)).stdout.decode()
    assert "\u2010" not in narrow  # no key and no header is cut, for they are copied


def test_version():
    assert re.fullmatch(r"hopcount \d+\.\d+\.\d+\n", run("--version").stdout)


@pytest.mark.parametrize("arguments, says", [
    (["mnit"], "no command 'mnit'; did you mean mint? See: hopcount"),
    (["complete"], "no command 'complete'; see: hopcount"),  # too far from `completion`
    (["help", "inspct"], "no command 'inspct'; did you mean inspect?"),
    (["help", "x" * 5000], "no command 'xxx"),
    (["mint", "--objct", "1"], "no option '--objct'; did you mean --object? See: hopcount mint --help"),
    (["hlep"], "no command 'hlep'; did you mean help? See: hopcount"),
    (["mint", "--cleint=1"], "no option '--cleint=1'; did you mean --client?"),
    (["mint", "--frobnicate", "1"], "no option '--frobnicate'; see"),
    (["mint", "-x"], "no option '-x'"),
    (["mint", "pay", "--object"], "--object needs a value"),
    (["mint", "pay", "--object", "1", "--object", "2"], "--object is given twice"),
    (["mint", "--object", "1"], "which KIND"),
    (["mint", "pay", "view", "--object", "1"], "'view' is one word too many"),
    (["mint", "--batch", "--json"], "--batch writes CSV"),
    (["keygen", "x"], "'x' is one word too many"),
    (["keygen", "--brands", "acme,"], "--brands: the brands are not names"),
    (["keygen", "--brands", "acme, globex"], "--brands: the brands are not names"),
    (["apikey", "--name", "a", "--scope", "stats:read", "--brands", "Acme"], "--brands: the brands are not names"),
    (["apikey", "--name", "a", "--scope", "stats:read", "--brands", "a,a"], "--brands: the brand 'a' is named twice"),
    (["apikey", "--name", "a"], "--name is needed, and --scope or --role"),
    (["apikey", "--name", "a b", "--scope", "stats:read"], "--name is 1 to 63"),
    (["apikey", "--name", "a", "--scope", "stats:all"], "--scope is a list of"),
    (["inspect"], "which URL"),
    (["stats", "--json", "--csv"], "--json or --csv"),
    (["event"], "which TYPE of event"),
    (["event", "invoice.paid", "invoice.unpaid"], "'invoice.unpaid' is one word too many"),
    (["event", "invoice.paid", "--type", "invoice.paid"], "the type is given twice"),
    (["event", "--batch", "--id", "1"], "--id names one event"),
    (["completion", "tcsh"], "no completion for 'tcsh'"),
    (["completion", "bash", "-c", "x"], "-c is for brands and kinds"),
    (["man"], "name one page"),
    (["top", "--every", "0"], "--every is a number of seconds, 1 to 3600"),
    (["top", "--every", "2s"], "--every is a number of seconds"),
    (["top", "x"], "'x' is one word too many"),
    (["man", "hopcount.8"], "no page 'hopcount.8'"),
    (["completion"], "name one shell"),
])
def test_a_command_line_that_makes_no_sense_gets_a_line_and_exit_code_2(arguments, says):
    done = fails(*arguments, says=says, status=2)
    assert "--help" in done.stderr
    assert done.stdout == ""


def test_a_full_disk_is_told():
    with open("/dev/full", "w") as full:
        done = subprocess.run([HOPCOUNT, "keygen"], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=patience(20), env=environment())
    assert done.returncode == 1
    assert "cannot write the output: No space left on device" in done.stderr


# --- keygen, apikey ---

def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_keygen_prints_a_line_for_a_key_file():
    first, second = run("keygen").stdout, run("keygen").stdout
    assert re.fullmatch(r"1 mint [0-9a-f]{64}\n", first)
    assert first != second


def test_keygen_adds_as_verify_behind_what_is_there(tmp_path):
    path = tmp_path / "keys"
    path.write_text("# ours\n1 revoked " + "00" * 32 + "\n\n7 mint " + "11" * 32)
    path.chmod(0o640)
    before = path.read_text()
    done = run("keygen", "--add", path)
    assert done.stdout == "" and "added key 8" in done.stderr
    text = path.read_text()
    assert text.startswith(before + "\n")
    assert re.fullmatch(r"8 verify [0-9a-f]{64}\n", text[len(before) + 1:])
    assert mode_of(path) == 0o640
    assert os.listdir(tmp_path) == ["keys"]


def test_keygen_starts_a_new_file_that_mints_and_that_only_its_owner_reads(tmp_path):
    path = tmp_path / "keys"
    run("keygen", "--add", path)
    assert re.fullmatch(r"1 mint [0-9a-f]{64}\n", path.read_text())
    assert mode_of(path) == 0o600


@pytest.mark.parametrize("command, says", [
    (["keygen"], r"1 mint [0-9a-f]{64}\n"),
    (["apikey", "--name", "a", "--scope", "stats:read"], r"a stats:read [0-9a-f]{64}\nhc_\w+\n"),
])
def test_a_new_file_that_a_shell_makes_for_a_key_is_closed_to_others(tmp_path, command, says):
    path = tmp_path / "keys"
    line = " ".join([str(HOPCOUNT), *command, ">", str(path)])
    subprocess.run(["sh", "-c", f"umask 022; {line}"], check=True, env=environment(), stderr=subprocess.DEVNULL)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert re.fullmatch(says, path.read_text())


def test_a_key_is_not_written_behind_what_others_can_read(tmp_path):
    path = tmp_path / "keys"
    path.write_text("# keys\n")
    path.chmod(0o644)
    with open(path, "a") as out:
        done = subprocess.run([HOPCOUNT, "keygen"], stdout=out, stderr=subprocess.PIPE, text=True, env=environment())
    assert done.returncode == 1 and "others have access to the file" in done.stderr
    assert "add it with --add FILE, or run first: chmod go= FILE" in done.stderr
    with open(path, "a") as out:
        done = subprocess.run([HOPCOUNT, "apikey", "--name", "x", "--role", "read", "--add", tmp_path / "api-keys"], stdout=out,
                              stderr=subprocess.PIPE, text=True, env=environment())
    assert done.returncode == 1 and "printed to; run first: chmod go= FILE" in done.stderr
    assert path.read_text() == "# keys\n" and not (tmp_path / "api-keys").exists()
    path.chmod(0o600)
    with open(path, "a") as out:
        subprocess.run([HOPCOUNT, "keygen"], stdout=out, check=True, env=environment())
    assert path.read_text().startswith("# keys\n1 mint ")


def test_keys_for_some_brands_are_written_as_they_are_read(tmp_path, make_config):
    keys, api_keys = tmp_path / "new-keys", tmp_path / "api-keys"
    run("keygen", "--add", keys, "--brands", "bcme")
    run("apikey", "--name", "a", "--scope", "stats:read", "--brands", "acme,bcme", "--add", api_keys)
    assert re.fullmatch(r"1 mint [0-9a-f]{64} bcme\n", keys.read_text())
    assert re.fullmatch(r"a stats:read [0-9a-f]{64} acme,bcme\n", api_keys.read_text())
    own = make_config(keys=keys.read_text())
    run("mint", "-c", own, "pay", "--brand", "bcme", "--object", "1")
    fails("mint", "-c", own, "pay", "--brand", "acme", "--object", "1",
          says="no key of the key file mints for brand 'acme'")


def test_keygen_follows_a_link_and_leaves_it_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "keys"
    run("keygen", "--add", tmp_path / "real" / "keys")
    link.symlink_to(tmp_path / "real" / "keys")
    run("keygen", "--add", link)
    assert link.is_symlink()
    assert len(link.read_text().splitlines()) == 2


def test_keygen_many_at_once_all_succeed(tmp_path):
    path = tmp_path / "keys"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: run("keygen", "--add", path), range(16)))
    lines = path.read_text().splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(1, 17))
    assert len({line.split()[2] for line in lines}) == 16
    assert [line.split()[1] for line in lines] == ["mint"] + ["verify"] * 15


def test_keygen_fills_gaps_and_says_when_all_are_taken(tmp_path):
    path = tmp_path / "keys"
    path.write_text("".join(f"{kid} verify {kid:064x}\n" for kid in range(1, 256) if kid != 9))
    path.chmod(0o600)
    run("keygen", "--add", path)
    assert path.read_text().splitlines()[-1].startswith("9 verify ")
    fails("keygen", "--add", path, says="all 255 key numbers are taken")


@pytest.mark.parametrize("text, mode, says", [
    ("1 mint 00\n", 0o600, "keys:1: key 1 is not of 64 hexadecimal digits"),
    (f"1 mint {'00' * 32}\n", 0o644, "chmod o-r"),
    ("", 0o600, "holds no key"),
])
def test_keygen_leaves_a_file_alone_that_is_no_good(tmp_path, text, mode, says):
    path = tmp_path / "keys"
    path.write_text(text)
    path.chmod(mode)
    fails("keygen", "--add", path, says=[str(path), says])
    assert path.read_text() == text


def test_keygen_names_a_folder_that_is_not_there(tmp_path):
    fails("keygen", "--add", tmp_path / "no" / "keys", says="cannot open its folder: No such file")


def test_apikey_prints_the_key_once_and_keeps_its_hash(tmp_path):
    path = tmp_path / "api-keys"
    key = run("apikey", "--name", "a", "--scope", "stats:read,links:write", "--add",
              path).stdout.strip()
    other = run("apikey", "--name", "b", "--scope", "events:write", "--add", path).stdout.strip()
    assert re.fullmatch(r"hc_[0-9a-z]{52}", key) and key != other
    digest = [hashlib.blake2b(text.encode(), digest_size=32).hexdigest() for text in (key, other)]
    assert path.read_text() == (f"a stats:read,links:write {digest[0]}\n"
                                f"b events:write {digest[1]}\n")
    assert mode_of(path) == 0o600


def test_apikey_without_a_file_prints_the_line_for_it(tmp_path):
    line, key = run("apikey", "--name", "a", "--scope", "stats:read").stdout.splitlines()
    digest = hashlib.blake2b(key.encode(), digest_size=32).hexdigest()
    assert line == f"a stats:read {digest}"


def test_apikey_refuses_a_name_that_is_taken(tmp_path):
    path = tmp_path / "api-keys"
    run("apikey", "--name", "a", "--scope", "stats:read", "--add", path)
    before = path.read_text()
    fails("apikey", "--name", "a", "--scope", "stats:read", "--add", path,
          says=[str(path), "there is a key 'a' already"])
    assert path.read_text() == before


# --- mint, one link ---

def test_mint_makes_the_link_of_the_specification(config):
    done = run("mint", "-c", config, "--brand", "acme", "pay", "--object", 1234, "--client", 77,
               "--campaign", 12, "--ttl", "30d", "--channel", "mail", "--issued", ISSUED)
    assert done.stdout == f"https://go.acme.example/{GOOD}\n"
    assert done.stderr == ""


def test_mint_takes_30_days_by_mail_issued_now_when_nothing_is_said(config):
    link = json.loads(run("mint", "-c", config, "--brand", "acme", "view", "--object", 0,
                          "--json").stdout)
    assert (link["ttl"], link["channel"], link["client"], link["campaign"]) == ("30d", "mail", 0, 0)
    assert link["variant"] is None and link["arg"] is None
    assert link["silent"] is False and link["once"] is False
    assert link["url"] == f"https://go.acme.example/{link['token']}"
    assert link["id"] == tokens.link_id(link["token"])


def test_mint_takes_every_field(config):
    link = json.loads(run(
        "mint", "-c", config, "--brand", "acme", "renew", "--object", 4294967295, "--client",
        4294967295, "--campaign", 65535, "--ttl", "never", "--channel", "qr", "--variant", "g",
        "--arg", "Az09._~-", "--issued", "2026-11-22T13:00:30+01:00", "--silent",
        "--json").stdout)
    token = tokens.seal(KEY, "acme", 4, 4294967295, client=4294967295, campaign=65535, ttl=0,
                        channel="qr", variant=7, arg="Az09._~-", issued_s=ISSUED_S, silent=True)
    assert link == {
        "id": tokens.link_id(token), "token": token, "url": f"https://go.acme.example/{token}",
        "expires_at": None, "brand": "acme", "kind": "renew", "object": 4294967295,
        "client": 4294967295, "campaign": 65535, "ttl": "never", "channel": "qr", "variant": "G",
        "arg": "Az09._~-", "issued_at": ISSUED, "silent": True, "once": False}


def test_mint_needs_no_brand_when_there_is_one(make_config):
    config = make_config(BRANDS[:1])
    assert run("mint", "-c", config, "pay", "--object", 1).stdout.startswith("https://go.acme.")


@pytest.mark.parametrize("arguments, says", [
    (["pay", "--object", "1"], "brand: is missing"),
    (["pay", "--object", "1", "--brand", "ccme"], '"ccme" is no brand'),
    (["pay", "--brand", "acme"], "object: is missing"),
    (["buy", "--object", "1", "--brand", "acme"], "which has: view pay login renew"),
    (["renew", "--object", "1", "--arg", "x", "--brand", "bcme"], '"renew" is no kind'),
    (["pay", "--object", "-1", "--brand", "acme"], 'object: "-1" is not a whole number'),
    (["pay", "--object", "4294967296", "--brand", "acme"], "from 0 to 4294967295"),
    (["pay", "--object", "1", "--client", "x", "--brand", "acme"], "client:"),
    (["pay", "--object", "1", "--campaign", "65536", "--brand", "acme"], "from 0 to 65535"),
    (["pay", "--object", "1", "--ttl", "31d", "--brand", "acme"], "ttl:"),
    (["pay", "--object", "1", "--due", "tomorrow", "--brand", "acme"], 'due: "tomorrow" is not a day'),
    (["pay", "--object", "1", "--due", "2026-12-31", "--ttl", "30d", "--brand", "acme"], "due: and ttl both"),
    (["pay", "--object", "1", "--channel", "post", "--brand", "acme"], "channel:"),
    (["pay", "--object", "1", "--variant", "H", "--brand", "acme"], "variant:"),
    (["pay", "--object", "1", "--issued", "yesterday", "--brand", "acme"], "issued:"),
    (["pay", "--object", "1", "--issued", "2023-12-31T23:59:59Z", "--brand", "acme"], "issued:"),
    (["pay", "--object", "1", "--arg", "a/b", "--brand", "acme"], "arg:"),
    (["pay", "--object", "1", "--arg", "a" * 49, "--brand", "acme"], "at most 48"),
    (["renew", "--object", "1", "--brand", "acme"], "arg: is missing"),
    (["pay", "--object", "1\x1b[2J", "--brand", "acme"], "\\x1b"),
])
def test_mint_names_the_field_that_is_wrong(config, arguments, says):
    assert fails("mint", "-c", config, *arguments, says=says).stdout == ""


def test_mint_needs_a_key_that_mints(make_config):
    config = make_config(keys=f"1 verify {KEY.hex()}\n")
    fails("mint", "-c", config, "--brand", "acme", "pay", "--object", 1, says="no key")


def test_mint_names_a_configuration_that_is_not_there(tmp_path):
    fails("mint", "-c", tmp_path / "no.yaml", "pay", "--object", 1, says=str(tmp_path / "no.yaml"))


def test_files_may_begin_with_a_byte_order_mark(make_config):
    path = make_config(keys=f"\ufeff1 mint {KEY.hex()}\n")
    path.write_text("\ufeff" + path.read_text())
    run("mint", "-c", path, "pay", "--brand", "acme", "--object", "1")


# --- mint --batch ---

def mint_batch(config, text, *more, status=0):
    done = run("mint", "-c", config, "--batch", *more, stdin=text, status=status)
    return list(csv.DictReader(io.StringIO(done.stdout, newline=""))), done


def test_a_batch_mints_what_single_calls_mint(config):
    rows, done = mint_batch(config, (
        "brand,kind,object,client,campaign,ttl,channel,variant,arg,issued,silent,once\n"
        f"acme,pay,1234,77,12,30d,mail,,,{ISSUED},,\n"
        f"bcme,view,1,2,3,never,sms,A,abc,{ISSUED},yes,no\n"))
    assert done.stderr == ""
    assert list(rows[0])[:4] == ["id", "token", "url", "expires_at"]
    assert rows[0]["token"] == GOOD
    assert rows[0]["url"] == f"https://go.acme.example/{GOOD}"
    assert rows[0]["id"] == tokens.link_id(GOOD)
    assert rows[0]["expires_at"] == "2026-12-22T12:00:00Z"
    assert (rows[0]["brand"], rows[0]["object"], rows[0]["variant"]) == ("acme", "1234", "")
    assert rows[1]["token"] == tokens.seal(KEY, "bcme", "view", 1, client=2, campaign=3, ttl=0,
                                           channel="sms", variant=1, arg="abc", issued_s=ISSUED_S,
                                           silent=True)
    assert rows[1]["expires_at"] == ""


def test_options_stand_in_for_columns_that_are_missing_or_empty(config):
    rows, _ = mint_batch(config, "Object,Campaign\n5,\n6,9\n", "--brand", "acme", "--kind", "pay",
                         "--campaign", "7", "--issued", ISSUED, "--ttl", "1h")
    assert [row["token"] for row in rows] == [
        tokens.seal(KEY, "acme", "pay", 5, campaign=7, ttl=2, channel="mail", issued_s=ISSUED_S),
        tokens.seal(KEY, "acme", "pay", 6, campaign=9, ttl=2, channel="mail", issued_s=ISSUED_S)]


def test_a_row_says_how_long_by_ttl_or_by_due_whatever_the_option_says(config):
    text = "object,ttl,due\n1,,\n2,1h,\n3,,2026-12-22\n4,1h,2026-12-22\n"
    common = ("--brand", "acme", "--kind", "pay", "--issued", ISSUED)
    for option, default in (("--ttl=90d", 12), ("--due=2027-01-21", 12)):
        rows, done = mint_batch(config, text, *common, option, status=1)
        assert [row["token"] for row in rows] == [
            tokens.seal(KEY, "acme", "pay", n, ttl=ttl, channel="mail", issued_s=ISSUED_S)
            for n, ttl in ((1, default), (2, 2), (3, 11))]
        assert "line 5: due: and ttl both" in done.stderr


def test_rows_say_which_links_are_good_for_one_use(config):
    rows, done = mint_batch(config, "object,once\n1,yes\n2,no\n3,\n4,maybe\n", "--brand", "acme", "--kind", "pay",
                            "--issued", ISSUED, status=1)
    assert [row["token"] for row in rows] == [
        tokens.seal(KEY, "acme", "pay", n, ttl=9, channel="mail", issued_s=ISSUED_S, once=n == 1) for n in (1, 2, 3)]
    assert "line 5: once:" in done.stderr


def test_quotes_crlf_a_byte_order_mark_and_blank_lines(config):
    rows, done = mint_batch(
        config, '\ufeffkind,object,note\r\n\r\n"pay","1","a ""b"", c\r\nd"\r\nview,2,plain', "--brand",
        "acme", "--pass")
    assert done.stderr == ""
    assert [row["note"] for row in rows] == ['a "b", c\r\nd', "plain"]
    assert [row["object"] for row in rows] == ["1", "2"]


def test_bad_rows_are_named_by_line_and_the_others_are_minted(config):
    rows, done = mint_batch(config, (
        "brand,kind,object\n"           # 1
        "acme,pay,1\n"                  # 2
        "acme,pay,x\n"                  # 3
        '"acme","pay","2"\n'            # 4
        "acme,pay\n"                    # 5
        'acme,pay,"3\n'                 # 6
        "acme,pay,4\n"                  # 7
        "\n"                            # 8
        "ccme,pay,5\n"                  # 9
        "acme,pay,6,7\n"                # 10
        "acme,login,8\n"), status=1)    # 11
    assert [row["object"] for row in rows] == ["1", "2", "4", "8"]
    reported = [int(line.split()[2].rstrip(":")) for line in done.stderr.splitlines()
                if line.startswith("hopcount: line ")]
    assert reported == [3, 5, 6, 9, 10]
    assert "line 3: object:" in done.stderr and "line 9: brand:" in done.stderr
    assert done.stderr.splitlines()[-1] == "hopcount: 5 rows were bad, 4 links minted"


def test_lines_are_counted_through_quoted_line_ends(config):
    _, done = mint_batch(config, 'kind,object,note\npay,1,"a\nb\nc"\npay,x,\n', "--brand", "acme",
                         "--pass", status=1)
    assert "line 5: object:" in done.stderr


# One and the same table, two links, as programs write it: the first value is what was passed on in the column `note`.
WRITTEN = [
    ("a byte order mark before a quoted name", '\ufeff"kind","object","client"\r\n"pay","1003","7"\r\n"view","2",""\r\n'),
    ("semicolons", "kind;object;client\r\npay;1003;7\r\nview;2;\r\n"),
    ("semicolons, a byte order mark and quotes", '\ufeff"kind";"object";"client"\n"pay";"1003";"7"\n"view";"2";""\n'),
    ("tabs", "kind\tobject\tclient\npay\t1003\t7\nview\t2\t\n"),
    ("bars", "kind|object|client\npay|1003|7\nview|2|\n"),
    ("sep=", "sep=;\r\nkind;object;client\r\npay;1003;7\r\nview;2;\r\n"),
    ("sep= with a byte order mark, in capitals and quotes", '\ufeff"SEP=\t"\r\nkind\tobject\tclient\r\npay\t1003\t7\r\nview\t2\t'
     "\r\n"),
    ("sep= of a mark that is not looked for", "sep=^\nkind^object^client\npay^1003^7\nview^2^\n"),
    ("rows of no-break spaces", "kind,object,client\n\u00a0,,\npay,1003,7\n\u00a0\nview,2,\n"),
    ("blanks around values", " kind , object , client \n pay , 1003 , 7 \n view , 2 , \n"),
    ("blanks around and in quotes", '"kind" , "object", "client"\n "pay" ," 1003 ", "7" \n"view ",2, ""\n'),
    ("no-break spaces and tabs", "kind,\u00a0object\u00a0,client\npay,\u00a01003 \u00a0,7\nview\t,\t2,\n"),
    ("CR alone", "kind,object,client\rpay,1003,7\rview,2,\r"),
    ("CRLF, and none at the end", "kind,object,client\r\npay,1003,7\r\nview,2,"),
    ("empty rows of separators", ",,\nkind,object,client\n,,\npay,1003,7\n , ,\n\nview,2,\n,,\n,,\n"),
    ("empty columns", "kind,object,client,,,\npay,1003,7,,,\nview,2,,,,\n"),
    ("empty columns in between", ";kind;;object;client\n;pay;;1003;7\n;view;;2;\n"),
    ("fewer fields where they are empty", "kind,object,client,campaign,arg\npay,1003,7\nview,2\n"),
    ("more fields, empty", "kind,object,client\npay,1003,7,,\nview,2,,,,\n"),
    ("another case and order", "OBJECT,Client,Kind\n1003,7,pay\n2,,view\n"),
    ("quoted numbers", 'kind,object,client\n"pay","1003","7"\n"view","2",""\n'),
    ("whole numbers with a point", "kind,object,client\npay,1003.0,7.00\nview,2.0,\n"),
    ("zeros before", "kind,object,client\npay,0000000001003,007\nview,02,0\n"),
    ("NULL as mysql and phpMyAdmin write it", 'kind,object,client,arg\n"pay","1003","7",NULL\n"view","2",NULL,NULL\n'),
    ("NULL as mysqldump and psql write it", "kind\tobject\tclient\targ\npay\t1003\t7\t\\N\nview\t2\t\\N\t\\N\n"),
    ("kinds by number", "kind;object;client\n2;1003;7\n1;2;0\n"),
    ("times by the name that the API gives them", "kind,object,client,issued_at\npay,1003,7,\nview,2,,\n"),
]


@pytest.mark.parametrize("text", [text for _, text in WRITTEN], ids=[name for name, _ in WRITTEN])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_table_is_read_as_programs_write_it(config, text, encoding):
    if encoding != "utf-8":
        text = "\ufeff" + text.lstrip("\ufeff")
    done = subprocess.run([HOPCOUNT, "mint", "-c", config, "--batch", "--brand", "acme", "--issued", ISSUED],
                          input=text.encode(encoding), capture_output=True, timeout=patience(60), env=environment())
    assert (done.returncode, done.stderr.decode()) == (0, "")
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode(), newline="")))
    assert [row["token"] for row in rows] == [
        tokens.seal(KEY, "acme", "pay", 1003, client=7, ttl=9, channel="mail", issued_s=ISSUED_S),
        tokens.seal(KEY, "acme", "view", 2, ttl=9, channel="mail", issued_s=ISSUED_S)]
    assert all("" not in row and None not in row for row in rows)


def test_a_converted_table_is_whole_however_it_is_read(config):
    n = 30_000
    text = "\ufeffkind\tobject\tnote\n" + "".join(f"pay\t{i}\té{i} € 𝄞\n" for i in range(n))
    child = subprocess.Popen([HOPCOUNT, "mint", "-c", config, "--batch", "--brand", "acme", "--pass"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    data = text.encode("utf-16-le")
    # Writes that end inside of characters.
    feeder = threading.Thread(target=lambda: ([child.stdin.write(data[i:i + 4097]) and child.stdin.flush()
                                               for i in range(0, len(data), 4097)], child.stdin.close()))
    feeder.start()
    out, err = child.stdout.read().decode(), child.stderr.read().decode()
    feeder.join()
    assert (child.wait(patience(60)), err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert [(row["object"], row["note"]) for row in rows] == [(str(i), f"é{i} € 𝄞") for i in range(n)]


@pytest.mark.parametrize("text, says", [
    (b"\xff\xfek\0i\0n\0d\0,\0o", "cannot read the rows: it ends inside a character of UTF-16"),
    (b"\xff\xfe\0\xdck\0", "cannot read the rows: it holds what is no character of UTF-16"),
])
def test_a_text_that_is_no_utf_16_is_told(config, text, says):
    done = subprocess.run([HOPCOUNT, "mint", "-c", config, "--batch", "--brand", "acme"], input=text,
                          capture_output=True, timeout=patience(60), env=environment())
    assert done.returncode == 1 and says in done.stderr.decode() and done.stdout == b""


@pytest.mark.parametrize("row, says", [
    ("pay,1,7,x", "has 4 fields, the header has 3"),
    ('pay,"1,003",7', 'object: "1,003" is not a whole number'),
    ("pay,1.003,7", 'object: "1.003" is not a whole number'),
    ("pay,1 003,7", 'object: "1 003" is not a whole number'),
    ("pay,4.29E+09,7", 'object: "4.29E+09" is not a whole number'),
    ("pay,4294967296,7", 'object: "4294967296" is not a whole number from 0 to 4294967295'),
    ("pay,8589934593,7", 'object: "8589934593" is not a whole number from 0 to 4294967295'),
    ("pay,18446744073709551617,7", "object:"),
    ("pay,-1,7", "object:"),
    ("pay,1,4294967296", "client:"),
    ("258,1,7", 'kind: "258" is no kind'),
    ("4294967298,1,7", 'kind: "4294967298" is no kind'),
    ('pay,"NULL",7', "object:"),
    ("pay,NULL,7", "object: is missing"),
    ("pay", "object: is missing"),
])
def test_a_value_that_could_mean_another_is_refused(config, row, says):
    rows, done = mint_batch(config, f"kind,object,client\n{row}\npay,2,\n", "--brand", "acme", status=1)
    assert f"line 2: {says}" in done.stderr
    assert [r["object"] for r in rows] == ["2"]


def test_a_row_that_was_cut_off_is_not_minted(config):
    rows, done = mint_batch(config, "object,kind,client\n5,pay,1\n67,pay", "--brand", "acme", status=1)
    assert "line 3: is cut off" in done.stderr and [row["object"] for row in rows] == ["5"]


def test_a_column_without_a_name_holds_nothing_or_is_passed(config):
    text = ",kind,object\n0,pay,1\n,pay,2\n"
    rows, done = mint_batch(config, text, "--brand", "acme", status=1)
    assert 'line 2: column 1, which has no name, holds "0"' in done.stderr
    assert [row["object"] for row in rows] == ["2"]
    rows, _ = mint_batch(config, text, "--brand", "acme", "--pass")
    assert [(row[""], row["object"]) for row in rows] == [("0", "1"), ("", "2")]


def test_lines_are_counted_by_any_line_end(config):
    _, done = mint_batch(config, 'sep=;\rkind;object\r\r"pay";"x"\rpay;y\r', "--brand", "acme", status=1)
    assert [line.split(":")[1] for line in done.stderr.splitlines()[:2]] == [" line 4", " line 5"]


@pytest.mark.parametrize("text, says", [
    ("", "the table is empty"),
    ("\n\n", "the table is empty"),
    ("kind,objct\npay,1\n", 'line 1: there is no field "objct"'),
    ("kind,object,kind\npay,1,pay\n", "line 1: there are two columns 'kind'"),
    ('kind,"object\npay,1\n', "line 1: a quote"),
    ("x" * 70000 + "\n", "line 1: the row is longer than 64 KiB"),
    ("kind,client\npay,1\n", "line 1: there is no column 'object'; add it, or give --object"),
    ("object\n1\n", "line 1: there is no column 'kind'; add it, or give --kind"),
    ("\0".join("kind,object\npay,1\n"), "line 1: holds a zero byte"),  # as of UTF-16
    ("kind:object\npay:1\n", "line 1: cannot tell what separates the columns of \"kind:object\""),
    ("kind object\npay 1\n", "line 1: cannot tell"),
    ("kind^object\n", "The fields are: brand kind object"),
    ("art;nummer\npay;1\n", 'line 1: there is no field "art"'),
    ("sep=;\nkind,object\npay,1\n", 'line 2: there is no field "kind,object"'),
])
def test_a_bad_header_mints_nothing(config, text, says):
    done = fails("mint", "-c", config, "--batch", "--brand", "acme", stdin=text, says=says)
    assert done.stdout == ""


def test_a_row_that_is_too_long_is_skipped(config):
    rows, done = mint_batch(config, (
        "kind,object,note\npay,1,a\npay,2," + "x" * 3_000_000 + '\npay,3,"' + "y\n" * 40_000
        + "pay,4,b\n"), "--brand", "acme", "--pass", status=1)
    assert [row["object"] for row in rows] == ["1", "4"]
    assert "line 3: the row is longer" in done.stderr
    assert "line 4: the row is longer" in done.stderr


def test_a_zero_byte_is_named_and_ends_no_field(config):
    rows, done = mint_batch(config, "kind,object,note\npay,1\0,a\npay,2,b\0\npay,3,c\n", "--brand",
                            "acme", "--pass", status=1)
    assert [row["object"] for row in rows] == ["3"]
    assert done.stderr.count("holds a zero byte") == 2


def test_a_large_table_comes_out_whole(config):
    n = 30_000
    text = "kind,object,client,note\n" + "".join(
        f'pay,{i},{i % 97},"{"q" * (i % 40)}, ""{i}"""\n' for i in range(n))
    rows, done = mint_batch(config, text, "--brand", "acme", "--pass", "--issued", ISSUED)
    assert done.stderr == ""
    assert [int(row["object"]) for row in rows] == list(range(n))
    for i in (0, 1, n // 2, n - 1):
        assert rows[i]["note"] == f'{"q" * (i % 40)}, "{i}"'
        assert rows[i]["token"] == tokens.seal(KEY, "acme", "pay", i, client=i % 97, ttl=9,
                                               channel="mail", issued_s=ISSUED_S)


def test_a_batch_ends_when_nobody_reads_it(config):
    rows = "kind,object\n" + "pay,1\n" * 200_000
    with open("/dev/full", "w") as full:
        done = subprocess.run([HOPCOUNT, "mint", "-c", config, "--batch", "--brand", "acme"],
                              input=rows, stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=patience(60), env=environment())
    assert done.returncode == 1
    assert done.stderr == "hopcount: cannot write the links: No space left on device\n"


def test_the_progress_bar_is_for_terminals(config, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("kind,object\n" + "pay,1\n" * 600_000)
    arguments = [HOPCOUNT, "mint", "-c", config, "--batch", "--brand", "acme"]
    master, slave = pty.openpty()
    with open(rows) as stdin:
        child = subprocess.Popen(arguments, stdin=stdin, stdout=subprocess.DEVNULL, stderr=slave,
                                 env=environment())
    os.close(slave)
    shown = b""
    try:
        while chunk := os.read(master, 65536):
            shown += chunk
    except OSError:
        pass  # the other end is closed
    os.close(master)
    assert child.wait(patience(60)) == 0
    assert re.search(rb"\[#*-*\] +\d+ %  \d+ links, \d+/s", shown)
    assert shown.endswith(b"\r\x1b[K")
    with open(rows) as stdin:
        done = subprocess.run(arguments, stdin=stdin, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, timeout=patience(60), env=environment())
    assert done.stderr == b""


# --- inspect ---

def test_inspect_says_what_a_link_holds_and_where_it_leads(config):
    text = run("inspect", "-c", config, f"https://go.acme.example/{GOOD}").stdout
    for line in (r"leads to +https://billing\.acme\.example/index\.php\?rp=/invoice/1234/pay",
                 r"expires +2026-12-22T12:00:00Z, (in|EXPIRED) ", r"brand +acme",
                 r"kind +pay \(2\)", r"object +1234", r"client +77", r"campaign +12",
                 r"issued +2026-11-22T12:00:00Z", r"channel +mail",
                 rf"link id +{tokens.link_id(GOOD)}", r"key +1, which mints"):
        assert re.search(line, text), (line, text)


def test_inspect_as_json(config):
    url = f"https://go.acme.example/{GOOD.upper()}.?utm_source=x"
    found = json.loads(run("inspect", "-c", config, "--json", url).stdout)
    assert found["url"] == url and found["token"] == GOOD
    assert found["id"] == tokens.link_id(GOOD)
    assert found["target"] == "https://billing.acme.example/index.php?rp=/invoice/1234/pay"
    assert (found["brand"], found["kind"], found["object"], found["client"]) == (
        "acme", "pay", 1234, 77)
    assert (found["issued_at"], found["expires_at"]) == (ISSUED, "2026-12-22T12:00:00Z")


def test_inspect_of_an_expired_link_says_so(config):
    token = tokens.seal(KEY, "acme", "view", 1, ttl=1, issued_s=ISSUED_S - 366 * 86400)
    assert ", EXPIRED " in run("inspect", "-c", config, token).stdout
    found = json.loads(run("inspect", "-c", config, "--json", token).stdout)
    assert found["expired"] is True and found["valid"] is False


def test_inspect_takes_the_token_alone_whatever_its_brand(config):
    token = tokens.seal(KEY, "bcme", "view", 9)
    found = json.loads(run("inspect", "-c", config, "--json", token).stdout)
    assert found["brand"] == "bcme" and found["expires_at"] is None


@pytest.mark.parametrize("url, says", [
    ("https://go.acme.example/favicon.ico", "not the text of a token"),
    (f"https://go.acme.example/{GOOD[:-1]}n", "not the text of a token"),
    (f"https://go.acme.example/{GOOD[:-2]}8m", "the tag is wrong"),
    (f"https://go.bcme.example/{GOOD}", "a link of brand 'acme'"),
    (f"https://elsewhere.example/{GOOD}", "a link of brand 'acme'"),
    ("0f" + GOOD[2:], "its key is not in the key file, or revoked"),
])
def test_inspect_says_why_a_link_does_not_open(config, url, says):
    fails("inspect", "-c", config, url, says=[url, says])
    found = json.loads(run("inspect", "-c", config, "--json", url, status=1).stdout)
    assert found["valid"] is False and says in found["error"]


def test_inspect_goes_on_behind_a_bad_link(config):
    done = run("inspect", "-c", config, "x", GOOD, status=1)
    assert "object     1234" in done.stdout and '"x": ' in done.stderr


def wrapped(url):
    """What two gateways make of a link, one behind the other."""
    inner = f"https://urldefense.com/v3/__{url}__;!!Abc!def$"
    return ("https://eur01.safelinks.protection.outlook.com/?url=" +
            urllib.parse.quote(inner, safe="") + "&data=05&reserved=0")


def test_inspect_takes_off_what_gateways_wrap_around_a_link_and_says_so(config):
    link = f"https://go.acme.example/{GOOD}"
    text = run("inspect", "-c", config, wrapped(link)).stdout
    assert re.search(rf"wrapped +by Safe Links\n +wrapped +by URL Defense v3\n +unwrapped +{link}\n", text)
    assert "object     1234" in text
    found = json.loads(run("inspect", "-c", config, "--json", wrapped(link)).stdout)
    assert (found["object"], found["unwrapped"]) == (1234, link)
    assert found["wrapped_by"] == ["Safe Links", "URL Defense v3"]
    assert "wrapped_by" not in json.loads(run("inspect", "-c", config, "--json", link).stdout)


@pytest.mark.parametrize("url, says", [
    ("https://protect-eu.mimecast.com/s/AbC?domain=go.acme.example", "Mimecast wrapped this link, and only its server knows"),
    ("https://urldefense.com/v3/__https://go.acme", "URL Defense v3 wrapped this link, but the link inside is cut off"),
])
def test_inspect_says_of_what_is_wrapped_when_it_cannot_get_at_it(config, url, says):
    fails("inspect", "-c", config, url, says=says)
    assert says in json.loads(run("inspect", "-c", config, "--json", url, status=1).stdout)["error"]


def test_inspect_reads_links_from_the_input_whatever_blanks_are_around_them(config):
    other = tokens.seal(KEY, "bcme", "view", 9)
    given = f"  https://go.acme.example/{GOOD}\t\r\n\n \n{other}"
    found = [json.loads(line) for line in
             run("inspect", "-c", config, "--json", "-", stdin=given).stdout.splitlines()]
    assert [(one["brand"], one["object"]) for one in found] == [("acme", 1234), ("bcme", 9)]
    assert found[1]["url"] == other
    done = run("inspect", "-c", config, "-", stdin=f"x\n{GOOD}\n", status=1)
    assert "object     1234" in done.stdout and '"x": ' in done.stderr
    assert "object     1234" in run("inspect", "-c", config, f" {GOOD} \n").stdout


def test_times_are_local_for_people_and_utc_for_programs(config):
    berlin = {"TZ": "Europe/Berlin"}
    assert re.search(r"issued +2026-11-22T13:00:00\+01:00\n", run("inspect", "-c", config, GOOD, env=berlin).stdout)
    found = json.loads(run("inspect", "-c", config, "--json", GOOD, env=berlin).stdout)
    assert found["issued_at"] == ISSUED


@pytest.mark.parametrize("words, answer", [
    (["audit"], {"entries": [{"at": "TIME", "action": "sign_in", "who": "lead", "n": 1}], "next_page": None}),
    (["revoke", "--list"], {"revocations": [{"scope": "object", "brand": "acme", "id": "5", "issued_before": "TIME", "at": "TIME", "by": "lead"}]}),
    (["annotate", "--list"], {"annotations": [{"id": "0123456789abcdef", "at": "TIME", "text": "Prices rose", "by": "lead"}]}),
])
def test_times_of_the_service_are_local_too(make_server, key_file, words, answer):
    answer = json.loads(json.dumps(answer).replace("TIME", "2026-11-22T12:00:00Z"))
    url, _ = make_server(answer_json(answer))
    asked = (*words, "--url", url, "--key-file", key_file)
    berlin = {"TZ": "Europe/Berlin"}
    text = run(*asked, env=berlin).stdout
    assert "2026-11-22T13:00:00+01:00" in text and "12:00:00Z" not in text
    assert "2026-11-22T12:00:00Z" in run(*asked, "--json", env=berlin).stdout


# --- check and stats, against a server of the test's own ---

@pytest.fixture
def make_server():
    """make_server(answer) -> (URL, requests); answer(path) -> (status, fields, body)."""
    servers = []

    def make(answer):
        requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                requests.append((self.path, dict(self.headers)))
                status, fields, body = answer(self.path)
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}", requests

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


def billing(url):
    return [{"name": "acme", "hosts": ["go.acme.example"], "base_url": "https://go.acme.example",
             "preset": "whmcs", "billing_url": url, "home": f"{url}/home",
             "targets": [{"kind": 4, "name": "renew", "url": f"{url}/renew?a={{arg}}",
                          "rules": [{"variant": ["B"], "url": f"{url}/renew-b/{{object}}"},
                                    {"country": ["DE"], "language": ["de"], "device": ["phone"],
                                     "url": f"{url}/renew-de"}]}]}]


def check(config, *arguments, status=0):
    """hopcount check of the pages themselves (test_checks.py has the links); what it found."""
    done = run("check", "-c", config, "--direct", "--json", *arguments, status=status)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_check_asks_every_target_rule_and_home(make_server, make_config):
    url, requests = make_server(lambda path: (302, {"Location": "/login"}, b"") if "area" in path
                                else (403, {}, b"") if "view" in path
                                else (200, {}, b"x" * 500_000))
    config = make_config(billing(url))
    done = run("check", "-c", config, "--direct", "--object", 42, "--arg", "key")
    assert {path for path, _ in requests} == {
        "/home", "/viewinvoice.php?id=42", "/index.php?rp=/invoice/42/pay", "/clientarea.php",
        "/clientarea.php?action=masspay&all=true", "/clientarea.php?action=productdetails&id=42",
        "/clientarea.php?action=domaindetails&id=42", "/supporttickets.php", "/renew?a=key", "/renew-b/42", "/renew-de",
        "/login"}
    assert f"302 to {url}/login" in done.stdout
    assert "10 of 11 targets answer, of 1 nothing is known" in done.stdout
    found = check(config)
    assert len(found) == 11 and all(each["ok"] and each["way"] == "direct" for each in found)
    assert [each["target"] for each in found if each["verdict"] == "later"] == ["view"]
    assert {"home", "pay", "renew", "renew rules[0]", "renew rules[1]"} < {each["target"] for each in found}


def test_check_names_what_is_down_and_fails(make_server, make_config):
    url, _ = make_server(lambda path: (404 if "renew-b" in path else 502 if "home" in path else 200,
                                       {}, b""))
    config = make_config(billing(url))
    done = run("check", "-c", config, "--direct", status=1)
    down = [line for line in done.stdout.splitlines() if line.startswith("DOWN")]
    assert len(down) == 2
    assert any("404" in line and "/renew-b/1" in line for line in down)
    assert "2 of 11 targets do not answer" in done.stderr


def test_check_tells_down_from_later(make_server, make_config):
    want = {200: "up", 300: "up", 401: "up", 403: "later", 429: "later", 503: "later", 404: "down", 410: "down",
            500: "down", 502: "down"}
    url, _ = make_server(lambda path: (int(path[1:]), {}, b""))
    config = make_config([{"name": "acme", "hosts": ["go.acme.example"],
                           "targets": [{"kind": 4, "name": "any", "url": f"{url}/{{object}}"}]}])
    for status, verdict in want.items():
        found, = check(config, "--object", status, status=int(verdict == "down"))
        assert (found["verdict"], found["status"]) == (verdict, status)
        assert found["why"] == (None if verdict == "up" else f"it answers {status}")


def test_check_says_when_a_certificate_expires_soon(make_config, tmp_path):
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-out", cert, "-days", "5", "-subj", "/CN=billing",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = Endpoint(context=context)
    config = make_config(billing(f"https://127.0.0.1:{server.port}"))
    done = run("check", "-c", config, "--direct", "--ca", cert)
    assert "a certificate expires in 4 days" in done.stdout or "expires in 5 days" in done.stdout
    assert check(config, "--ca", cert)[0]["certificate_days"] in (4, 5)  # 5: made in this very second
    assert "certificate" in check(config, status=1)[0]["why"]  # nobody vouches for it
    server.close()


def test_check_of_a_server_that_is_down(make_config):
    found = check(make_config(billing("http://127.0.0.1:9")), status=1)
    assert len(found) == 11
    assert all(each["status"] is None and "connect" in each["why"] for each in found)


@pytest.mark.parametrize("arguments, says, status", [
    (["--brand", "ccme"], "no brand 'ccme'", 1),
    (["--object", "x"], "--object and --client are numbers", 2),
    (["--arg", "a/b"], "arg has other characters", 1),
])
def test_check_refuses(config, arguments, says, status):
    fails("check", "-c", config, *arguments, says=says, status=status)


STATS = {
    "brand": "acme", "from": "2026-11-20T00:00:00Z", "to": "2026-11-23T00:00:00Z", "tz": "UTC",
    "interval": "day", "group_by": "time", "as_of": "2026-11-22T12:00:00Z", "n_rows": 3,
    "rows": [{"key": "2026-11-20T00:00:00Z", "total": 80, "human": 60, "automated": 20},
             {"key": "2026-11-21T00:00:00Z", "total": 0, "human": 0, "automated": 0},
             {"key": "2026-11-22T00:00:00Z", "total": 10, "human": 1, "automated": 9}],
    "total": {"total": 90, "human": 61, "automated": 29},
}


def answer_json(value, status=200):
    return lambda path: (status, {"Content-Type": "application/json"}, json.dumps(value).encode())


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "key"
    path.write_text("hc_secret\n")
    return path


def test_stats_as_a_table_with_bars(make_server, key_file):
    url, requests = make_server(answer_json(STATS))
    done = run("stats", "--url", url + "/", "--key-file", key_file, "--brand", "acme", "--from",
               "2026-11-20", "--group-by", "time", "--tz", "Europe/Berlin", "--kind", "a b&c")
    path, fields = requests[0]
    assert path == ("/v1/stats?brand=acme&kind=a%20b%26c&from=2026-11-20&group_by=time"
                    "&tz=Europe%2FBerlin")
    assert fields["Authorization"] == "Bearer hc_secret"
    lines = done.stdout.splitlines()
    assert "people    █ ▁" in lines and "machines  █ ▄" in lines
    row = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("2026-11-2")
           and " to " not in line}
    # 80 columns: what labels and counts leave.
    assert row["2026-11-20T00:00:00Z"] == ["80", "60", "20", "█" * 18 + "░" * 6]
    assert row["2026-11-21T00:00:00Z"] == ["0", "0", "0"]
    assert row["2026-11-22T00:00:00Z"] == ["10", "1", "9", "█" + "░" * 2]
    assert lines[-1].split() == ["total", "90", "61", "29"]


def test_stats_draws_ascii_where_there_is_no_utf_8(make_server, key_file):
    url, _ = make_server(answer_json(STATS))
    done = run("stats", "--url", url, "--key-file", key_file, env={"LC_ALL": "C"})
    assert "#" * 18 + "-" * 6 in done.stdout
    assert done.stdout.isascii()


BY_TIME_AND_CAMPAIGN = {
    **STATS, "group_by": "time,campaign", "n_rows": 6,
    "rows": [{"key": f"2026-11-2{day},{campaign}", "time": f"2026-11-2{day}", "campaign": campaign,
              **({"name": "Second notice"} if campaign == "2" else {}), "total": human + machines,
              "human": human, "automated": machines}
             for day, campaign, human, machines in ((0, "1", 8, 1), (0, "2", 0, 90), (1, "1", 0, 0),
                                                    (1, "2", 0, 45), (2, "1", 4, 9), (2, "2", 0, 0))],
}


def test_stats_by_time_and_more_gets_a_curve_for_each(make_server, key_file):
    url, _ = make_server(answer_json(BY_TIME_AND_CAMPAIGN))
    lines = run("stats", "--url", url, "--key-file", key_file).stdout.splitlines()
    at = [i for i, line in enumerate(lines) if line.startswith("campaign ")][0]
    assert lines[at].split() == ["campaign", "total", "human", "automated", "people", "over", "time"]
    assert lines[at + 1].split() == ["2", "Second", "notice", "135", "0", "135", "█▄"]  # nobody: machines
    assert lines[at + 2].split(maxsplit=4) == ["1", "22", "12", "10", "█ ▄"]  # people, whose middle is 0
    assert lines[at + 3].split() == ["total", "90", "61", "29"]
    plain = run("stats", "--url", url, "--key-file", key_file, env={"LC_ALL": "C"}).stdout
    assert plain.isascii() and "# :" in plain


def in_terminal(columns, *arguments, **variables):
    """What the command writes to a terminal so wide."""
    primary, secondary = pty.openpty()
    fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen([HOPCOUNT, *map(str, arguments)], stdout=secondary, stdin=subprocess.DEVNULL,
                             env=environment(**variables))
    os.close(secondary)
    out = b""
    while True:
        try:
            read = os.read(primary, 65536)
        except OSError:  # the end, as Linux says it
            break
        if not read:
            break
        out += read
    os.close(primary)
    assert child.wait(20) == 0
    return out.decode().splitlines()


@pytest.mark.parametrize("columns", [60, 80, 132])
def test_stats_fits_the_terminal(make_server, key_file, columns):
    long = {**STATS, "group_by": "campaign", "rows": [
        {**row, "key": str(i), "name": "A name that is rather long for a campaign"}
        for i, row in enumerate(STATS["rows"])]}
    many = {**STATS, "n_rows": 300, "rows": [{**STATS["rows"][i % 3], "key": f"{i:03}"} for i in range(300)]}
    for answer in (STATS, long, many, BY_TIME_AND_CAMPAIGN):
        url, _ = make_server(answer_json(answer))
        lines = in_terminal(columns, "stats", "--url", url, "--key-file", key_file)
        assert max(map(len, lines)) <= max(columns, 61), answer["group_by"]
        assert lines[-1].split()[0] in ("total", "(3") and len(lines) > 5


def test_stats_into_a_file_is_marked_for_spreadsheets(make_server, key_file, tmp_path):
    csv = "campaign,name,total\r\n1,Überfällig,3\r\n".encode()
    url, _ = make_server(lambda path: (200, {"Content-Type": "text/csv"}, csv))
    arguments = [HOPCOUNT, "stats", "--url", url, "--key-file", key_file, "--csv"]
    assert subprocess.run(arguments, capture_output=True, check=True, timeout=20).stdout == csv
    path = tmp_path / "clicks.csv"
    with path.open("wb") as file:
        subprocess.run(arguments, stdout=file, check=True, timeout=20)
    assert path.read_bytes() == b"\xef\xbb\xbf" + csv
    # What is added to a file that holds something is no beginning of one.
    with path.open("ab") as file:
        file.write(b"more\r\n")
        file.flush()
        subprocess.run(arguments, stdout=file, check=True, timeout=20)
    assert path.read_bytes() == b"\xef\xbb\xbf" + csv + b"more\r\n" + csv


def test_stats_defuses_names_that_would_steer_the_terminal(make_server, key_file):
    hostile = {**STATS, "group_by": "campaign", "n_rows": 5, "rows": [
        {"key": "12", "name": "a\x1b[2Jb\u009bc\n\u00fc" + "x" * 300, "total": 1, "human": 1,
         "automated": 0}]}
    url, _ = make_server(answer_json(hostile))
    text = run("stats", "--url", url, "--key-file", key_file).stdout
    assert "12 a?[2Jb?c?\u00fcxxx" in text
    assert "\x1b" not in text and "\u009b" not in text
    assert max(map(len, text.splitlines())) < 120
    assert "(1 of 5 rows; --limit shows more)" in text


def test_stats_of_several_dimensions_say_what_they_cover(make_server, key_file):
    url, requests = make_server(answer_json({**STATS, "coverage": {"from": "2026-11-21T00:00:00Z", "share": 0.1234}}))
    text = run("stats", "--url", url, "--key-file", key_file, "--tz", "UTC", "--country", "DE,AT", "--device", "phone").stdout
    assert requests[0][0] == "/v1/stats?tz=UTC&country=DE,AT&device=phone"
    assert "of 12.34 % of the clicks: " in text and "from 2026-11-21T00:00:00Z on" in text
    url, _ = make_server(answer_json({**STATS, "coverage": {"from": "2026-11-20T00:00:00Z", "share": 1}}))
    assert "of the clicks" not in run("stats", "--url", url, "--key-file", key_file).stdout


def test_stats_passes_json_and_csv_through(make_server, key_file):
    url, requests = make_server(answer_json(STATS))
    assert json.loads(run("stats", "--url", url, "--key-file", key_file, "--json").stdout) == STATS
    run("stats", "--url", url, "--csv", env={"HOPCOUNT_API_KEY": "hc_other"})
    assert requests[0][1]["Accept"] == "application/json"
    assert requests[1][1]["Accept"] == "text/csv"
    assert requests[1][1]["Authorization"] == "Bearer hc_other"
    for zone, asked in (("Europe/Berlin", "/v1/stats?tz=Europe%2FBerlin"), ("CET-1CEST", "/v1/stats")):
        run("stats", "--url", url, "--key-file", key_file, env={"TZ": zone})
        assert requests[-1][0] == asked


@pytest.mark.parametrize("status, body, says", [
    (401, {}, "does not know this API key"),
    (403, {}, "--scope stats:read"),
    (400, {"detail": "tz is no zone.", "parameter": "tz"}, "answers 400: tz is no zone."),
    (400, {"detail": "tz is no zone. 1 more is wrong; `errors` says which.",
           "errors": [{"field": "tz", "detail": "tz is no zone."}, {"field": "from", "detail": "from is no time."}]},
     "answers 400: tz is no zone. from is no time.\n"),
    (400, {"detail": "tz is no zone.", "errors": [{"field": "tz", "detail": "tz is no zone."}]}, "answers 400: tz is no zone."),
    (400, {"detail": "something", "errors": [{"field": "tz"}, 7]}, "answers 400: something"),
    (400, {"detail": "something", "errors": 7}, "answers 400: something"),
    (503, {"detail": "no Redis"}, "answers 503: no Redis"),
    (200, {"hello": 1}, "is not a statistic"),
    (200, [], "is not a statistic"),
    (200, {**STATS, "rows": [{"key": "x"}]}, "is not a statistic"),
    (302, {}, "answers 302"),
])
def test_stats_explains_what_it_gets(make_server, key_file, status, body, says):
    url, _ = make_server(answer_json(body, status))
    fails("stats", "--url", url, "--key-file", key_file, says=says)


def test_stats_of_nobody(key_file, tmp_path):
    fails("stats", "--url", "http://127.0.0.1:9", "--key-file", key_file,
          says=["http://127.0.0.1:9", "is hopcountd running"])
    fails("stats", "--url", "http://127.0.0.1:9", says="an API key is needed")
    (tmp_path / "empty").write_text("")
    fails("stats", "--key-file", tmp_path / "empty", says="holds no API key")
    fails("stats", "--key-file", tmp_path / "none", says="cannot open")


def test_stats_of_a_running_hopcountd(hopcountd, tmp_path):
    link = hopcountd.mint("pay", 1, campaign=5)
    hopcountd.click(link)
    hopcountd.wait_counted(1, [link])
    key = tmp_path / "key"
    key.write_text(hopcountd.api_key)
    done = run("stats", "--url", f"http://127.0.0.1:{hopcountd.admin_port}", "--key-file", key,
               "--brand", "acme", "--group-by", "kind")
    assert re.search(r"^pay +1 ", done.stdout, re.MULTILINE), done.stdout
    by_config = run("stats", "-c", hopcountd.config_path, "--key-file", key, "--group-by", "kind",
                    "--json")
    assert json.loads(by_config.stdout)["total"]["total"] == 1
    text = run("top", "-c", hopcountd.config_path, "--key-file", key).stdout
    assert re.search(r": ok\n1 alive, 0 silent; \d+\.\d clicks/s counted, 0 pending, lag 0\.0 s$", text, re.M), text
    assert re.search(r"^\S+ +\d+\.\d+\.\d+ +0m +\d+\.\d +0 +0\.0  counts$", text, re.M), text
    assert re.search(r"^redirect +1$", text, re.M) and "\033" not in text


HEALTH = {
    "status": "degraded", "host": "a", "figures": {"pods": 2, "pods_silent": 1, "pending": 7, "lag_s": 41.5},
    "pods": [{"host": "pod-a", "version": "0.1.0", "started_at": "2026-01-01T00:00:00Z", "seen_s": 0,
              "lag_s": 0, "pending": 0, "clicks_per_s": 12.5, "connected": True, "alive": True},
             {"host": "pod-b\033[2J", "version": "0.0.9", "started_at": "?", "seen_s": 55, "lag_s": 41.5,
              "pending": 7, "clicks_per_s": None, "connected": False, "alive": False}],
    "requests": {"redirect": 100}, "anomalies": [{"brand": "acme", "campaign": 12, "what": "stopped"}],
    "sinks": [{"name": "crm", "type": "webhook", "pending": 3, "lag_s": 9, "sent": 10, "lost": 2, "failed": 1,
               "off": True, "error": "401 of crm.example"}],
}


def test_top_shows_the_fleet_plainly_where_no_terminal_is(make_server, key_file):
    url, _ = make_server(answer_json(HEALTH))
    text = run("top", "--url", url, "--key-file", key_file).stdout
    for line in (r"2 alive, 1 silent; 12\.5 clicks/s counted, 7 pending, lag 41\.5 s",
                 r"pod-a +0\.1\.0 +\d+d\d\dh +12\.5 +0 +0\.0  counts",
                 r"pod-b\?\[2J +0\.0\.9 +\? +\? +7 +41\.5  silent for 55 s", r"redirect +100",
                 r"crm +webhook +3 +9\.0 +10 +2  off: 401 of crm\.example, 1 range failed",
                 r"acme +12  people stopped clicking"):
        assert re.search(rf"^{line}\s*$", text, re.M), (line, text)
    assert "\033" not in text


def test_top_on_a_terminal_has_colors_unless_they_are_unwanted(make_server, key_file):
    url, _ = make_server(answer_json(HEALTH))
    asked = ("top", "--once", "--url", url, "--key-file", key_file)
    assert "\033[31m" in "".join(in_terminal(100, *asked, TERM="xterm"))
    assert "\033" not in "".join(in_terminal(100, *asked, TERM="xterm", NO_COLOR="1"))


# --- completion ---

def complete(line):
    """What bash offers at the end of `line`."""
    words = line.split(" ")
    script = (f'source <("{HOPCOUNT}" completion bash); COMP_WORDS=({line} ""); '
              f'COMP_CWORD={len(words) - 1}; COMP_WORDS[COMP_CWORD]="{words[-1]}"; _hopcount; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script], text=True, capture_output=True, check=True,
                          timeout=patience(20), env=environment())
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("line, want", [
    ("hopcount ke", ["keygen"]),
    ("hopcount mint --obj", ["--object"]),
    ("hopcount mint --channel m", ["mail"]),
    ("hopcount mint pa", ["pay"]),
    ("hopcount mint --ttl 1", ["15m", "1h", "1d", "14d", "120d", "180d"]),
    ("hopcount mint --object ", []),
    ("hopcount event invoice.pa", ["invoice.paid", "invoice.partly_paid"]),
    ("hopcount event --b", ["--brand", "--by", "--batch"]),
    ("hopcount revoke c", ["client", "campaign"]),
    ("hopcount revoke --un", ["--undo"]),
    ("hopcount stats --interval ", ["hour", "day", "month"]),
    ("hopcount completion z", ["zsh"]),
    ("hopcount help insp", ["inspect"]),
])
def test_bash_completes(line, want):
    assert complete(line) == want


@pytest.mark.parametrize("line, want", [
    ("mint -c {} --brand ", ["acme", "bcme"]),
    ("stats --config {} --brand b", ["bcme"]),
    ("mint --config {} ", ["view", "pay", "login", "renew"]),
    ("mint --config /nowhere re", []),
])
def test_completion_knows_brands_and_kinds_of_the_configuration(config, line, want):
    found = complete(f"{HOPCOUNT} {line.format(config)}")
    assert [word for word in found if not word.startswith("--")] == want


@pytest.mark.skipif(not shutil.which("fish"), reason="there is no fish")
@pytest.mark.parametrize("line, want", [
    ("ke", ["keygen"]), ("mint --obj", ["--object"]), ("mint --channel m", ["mail"]),
    ("mint pa", ["pay"]), ("mint -c {} --brand b", ["bcme"]), ("mint -c {} re", ["renew"]),
    ("help insp", ["inspect"]), ("stats --group-by ti", ["time"]),
])
def test_fish_completes(config, tmp_path, line, want):
    script = tmp_path / "hopcount.fish"
    script.write_text(run("completion", "fish").stdout)
    path = f"{HOPCOUNT.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"source {script}; complete -C 'hopcount {line.format(config)}'"],
        text=True, capture_output=True, timeout=patience(20),
        env=environment(HOME=str(tmp_path), PATH=path))
    assert done.stderr == "" and [each.split("\t")[0] for each in done.stdout.splitlines()] == want


def test_bash_completes_files(tmp_path):
    (tmp_path / "some.yaml").touch()
    assert complete(f"hopcount mint -c {tmp_path}/so") == [f"{tmp_path}/some.yaml"]


# In place of a person at a prompt: what would be listed for the line goes to a file, then the shell ends.
ZSHRC = """
autoload -Uz compinit && compinit -D -u
source {script}
compadd() {{
    local -a found
    if (( ! ${{@[(I)-[OAD]*]}} )); then
        builtin compadd -A found "$@"
        print -rl -- $found >>{found}
    fi
    builtin compadd "$@"
}}
zle-line-init() {{
    BUFFER={line} CURSOR=1000
    zle list-choices 2>>{errors}
    exit
}}
zle -N zle-line-init
"""


@pytest.mark.skipif(not shutil.which("zsh"), reason="there is no zsh")
@pytest.mark.parametrize("line, want", [
    ("ke", ["keygen"]), ("mint --obj", ["--object"]), ("mint --channel m", ["mail"]), ("mint pa", ["pay"]),
    ("mint -c {} --brand b", ["bcme"]), ("mint -c {} re", ["renew"]), ("help insp", ["inspect"]), ("completion z", ["zsh"]),
])
def test_zsh_completes(config, tmp_path, line, want):
    script, found, errors = tmp_path / "_hopcount", tmp_path / "found", tmp_path / "errors"
    script.write_text(run("completion", "zsh").stdout)
    (tmp_path / ".zshrc").write_text(ZSHRC.format(
        script=script, found=found, errors=errors, line=shlex.quote(f"hopcount {line.format(config)}")))
    near, far = os.openpty()
    try:
        shell = subprocess.Popen(["zsh", "-i"], stdin=far, stdout=far, stderr=far, start_new_session=True, env=environment(
            HOME=str(tmp_path), ZDOTDIR=str(tmp_path), TERM="vt100", PATH=f"{HOPCOUNT.parent}:{os.environ['PATH']}"))
        shell.wait(patience(20))
    finally:
        os.close(near)
        os.close(far)
    assert errors.read_text() == ""
    assert found.read_text().split() == want
