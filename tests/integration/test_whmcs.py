"""The WHMCS addon: PHPUnit in tests/whmcs, in a harness made from WHMCS's documentation, with the real
hopcountd. Each of its tests counts as one here. And drills: what becomes of mails when the service dies."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import pytest

from harness.build import ROOT, patience
from harness.daemon import BRAND, Hopcountd
from harness.process import Process
from harness.redisd import RedisServer
from harness.wait import wait_until

TESTS = ROOT / "tests/whmcs"
MODULE = ROOT / "deploy/whmcs/modules/addons/hopcount"
ISSUED_S = 1795348800  # 2026-11-22T12:00:00Z
CHANNELS = ["unknown", "mail", "sms", "pdf", "qr", "portal", "chat", "other"]
NAMES = [f"{path.stem}::{name}" for path in sorted(TESTS.glob("*Test.php"))
         for name in re.findall(r"public function (test_\w+)", path.read_text())]
BRANDS = [
    {**BRAND, "billing_url": "https://billing.acme.example/members", "expired": {"renew": True},
     "targets": [{"kind": "login",
                  "url": "https://billing.acme.example/members/index.php?m=hopcount&token={token}"},
                 {"kind": 4, "name": "opt_out", "page": "opt_out"}]},
    {**BRAND, "name": "umbrella", "hosts": ["go.umbrella.example"], "base_url": "https://go.umbrella.example",
     "billing_url": "https://billing.umbrella.example",
     "targets": [{"kind": 5, "name": "terms", "url": "https://www.umbrella.example/terms", "tracking": "off"}]},
]
LIBRARIES = pathlib.Path("/usr/share/php")
pytestmark = pytest.mark.skipif(
    not (shutil.which("phpunit") and (LIBRARIES / "Illuminate").exists() and (LIBRARIES / "smarty4").exists()),
    reason="needs phpunit, php-illuminate-database, smarty4")


def start_service(folder):
    """hopcountd with two brands, its Redis, and `daemon.bed`, the file that tells PHP where it is."""
    redis = RedisServer(folder / "redis", "redis")
    daemon = Hopcountd(folder / "hopcountd", redis, {"brands": BRANDS})
    redis.start()
    reader = daemon.add_api_key("stats:read", "reader")
    writer = daemon.add_api_key(name="whmcs")
    daemon.start()
    daemon.bed = folder / "bed.json"
    daemon.bed.write_text(json.dumps({
        "admin": f"http://127.0.0.1:{daemon.admin_port}", "public": f"http://127.0.0.1:{daemon.port}",
        "key": f"1 mint {daemon.key.hex()}", "api_key": writer, "reader_key": reader}))
    return daemon, redis


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    daemon, redis = start_service(tmp_path_factory.mktemp("whmcs"))
    yield daemon
    for process in (daemon, redis):
        process.cleanup()
    daemon.assert_no_sanitizer_report()


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory):
    """A MariaDB on a socket, as WHMCS has one; with an empty system database, so without users."""
    folder = tmp_path_factory.mktemp("mariadb")
    (folder / "data").mkdir()
    socket = folder / "s"
    database = Process("mariadbd", folder)
    database.command = lambda: [
        "mariadbd", "--no-defaults", "--skip-grant-tables", "--skip-networking", f"--socket={socket}",
        f"--datadir={folder}/data", f"--pid-file={folder}/pid", "--innodb-flush-method=nosync", "--user=root",
        "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--sync-frm=0"]
    database.spawn()
    make = f"""(new PDO('mysql:unix_socket={socket}', 'root', ''))->exec('CREATE DATABASE whmcs CHARACTER SET utf8mb4');"""
    wait_until(lambda: subprocess.run(["php", "-r", make], capture_output=True, timeout=60).returncode == 0, 30,
               lambda: f"MariaDB takes connections\n{database.stderr_tail()}")
    yield socket
    database.cleanup()


def php_environment(service, database=None):
    return {**os.environ, "HOPCOUNT_BED": str(service.bed), "HOPCOUNT_MARIADB": str(database or "")}


def run_phpunit(service, paths, folder, database=None):
    """What became of each test, {Class::name: [failures]}: of all its cases."""
    found = {}
    for path in paths:
        junit = folder / f"{path.stem}.xml"
        done = subprocess.run(
            ["phpunit", "--no-configuration", "--do-not-cache-result", "--log-junit", junit, path], text=True,
            capture_output=True, timeout=patience(300), env=php_environment(service, database))
        assert junit.exists(), done.stdout + done.stderr
        print(done.stdout)  # JourneyTest tells what happened; AdminTest how long pages took
        for case in ElementTree.parse(junit).getroot().iter("testcase"):
            name = f"{path.stem}::{case.get('name').split(' with data set')[0]}"
            failures = found.setdefault(name, [])
            failures += [f"{case.get('name')}: {each.text}" for each in case
                         if each.tag in ("failure", "error", "skipped", "warning")]
        if done.returncode and not any(found.values()):
            found.setdefault(f"{path.stem}::", []).append(done.stdout + done.stderr)
    return found


@pytest.fixture(scope="module")
def results(service, tmp_path_factory):
    return run_phpunit(service, sorted(TESTS.glob("*Test.php")), tmp_path_factory.mktemp("junit"))


@pytest.mark.parametrize("name", NAMES)
def test_whmcs(results, name):
    failures = results.get(name, ["it did not run", *results.get(name.split("::")[0] + "::", [])])
    assert not failures, "\n".join(failures)


needs_mariadb = pytest.mark.skipif(not shutil.which("mariadbd"), reason="needs mariadb-server-core, php-mysql")


@needs_mariadb
@pytest.mark.parametrize("name", ["MailTest", "EventsTest"])
def test_the_same_on_mariadb(service, mariadb, tmp_path, name):
    failures = run_phpunit(service, [TESTS / f"{name}.php"], tmp_path, mariadb)
    assert failures and not any(failures.values()), failures


@needs_mariadb
def test_many_processes_at_one_database(service, mariadb):
    """Pages and the cron at once: each template has one number, each payment is told once."""
    crowd = []
    try:
        for number in range(4):
            crowd.append(subprocess.Popen(
                ["php", TESTS / "crowd.php", str(number)], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                env=php_environment(service, mariadb)))
            assert crowd[-1].stdout.readline() == "ready\n"
        for wanted in ({"counted": 40}, {}):
            for process in crowd:
                process.stdin.write("\n")
                process.stdin.flush()
            for process in crowd if wanted else crowd[:1]:
                outcome = json.loads(process.stdout.readline())
                assert wanted.items() <= outcome.items(), outcome
    finally:
        for process in crowd:
            process.kill()
            process.wait()
    assert outcome["campaigns"] == [f"Template {i}" for i in range(8)]
    assert sorted(outcome["paid"]) == [f"invoice:{9000000 + i}" for i in range(10)]
    assert outcome["status"] == ["sent"]


def test_php_makes_the_links_of_the_command_line(service):
    """Of any fields, and of a day on which an invoice is due."""
    due = ["2026-11-01", "2026-12-01", "2026-12-31", "2027-06-30", "2027-12-31", "2020-01-01"]
    program = f"""
        namespace WHMCS\\Module\\Addon\\Hopcount;
        require '{MODULE}/lib/autoload.php';
        foreach (json_decode('{json.dumps(due)}') as $i => $day) {{
            echo Token::seal(1, hex2bin('{service.key.hex()}'), 'acme', ['kind' => 1 + $i % 3,
                'object' => 1000 + $i * 104729, 'client' => $i * 77, 'campaign' => $i, 'channel' => $i % 8,
                'issued_min' => Token::minutes({ISSUED_S} + $i * 3600),
                'ttl_code' => Links::ttlForDue(strtotime("$day UTC"), {ISSUED_S} + $i * 3600)]), "\n";
        }}"""
    done = subprocess.run(["php", "-d", "error_reporting=-1", "-r", program], text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    for i, day in enumerate(due):
        rfc3339 = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ISSUED_S + i * 3600))
        cli = service.cli("mint", "-c", service.config_path, "--brand", "acme", str(1 + i % 3), "--object",
                          str(1000 + i * 104729), "--client", str(i * 77), "--campaign", str(i), "--channel",
                          CHANNELS[i % 8], "--issued", rfc3339, "--due", day)
        assert cli.stdout.strip().rpartition("/")[2] == done.stdout.split()[i], (day, cli.stderr)


# --- drills ---

SODIUM = ["php"]
NO_SODIUM = ["php", "-d", "disable_functions=sodium_crypto_generichash"]  # links by the API


class Drill:
    """A run of mails in a process of its own (tests/whmcs/drill.php)."""

    def __init__(self, daemon, command, mails):
        self.process = subprocess.Popen(
            [*command, TESTS / "drill.php", str(mails)], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=php_environment(daemon))

    def read(self):
        line = self.process.stdout.readline()
        assert line, f"the drill ended with {self.process.wait(60)}"
        return json.loads(line)

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.read()

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(60) == 0


@pytest.fixture
def drill(tmp_path, processes):
    """drill(command, mails) -> (Drill, hopcountd), in whose middle the test may do something to it."""
    drills = []

    def make(command, mails):
        daemon, redis = start_service(tmp_path)
        processes.extend([redis, daemon])
        drills.append(Drill(daemon, command, mails))
        return drills[-1], daemon
    yield make
    for each in drills:
        each.process.kill()
        each.process.wait()


def tell(what, outcome):
    print(f"{what}: {outcome['mails']} mails, {outcome['counted']} with counted links, {outcome['own']} with "
          f"WHMCS's own; added {outcome['added_ms']:.0f} ms in all, median {outcome['median_ms']} ms, "
          f"worst {outcome['worst_ms']} ms, second worst {outcome['second_worst_ms']} ms")


@pytest.mark.parametrize("how", ["dead", "silent"])
@pytest.mark.parametrize("command", [SODIUM, NO_SODIUM], ids=["sodium", "no sodium"])
def test_all_mails_of_a_run_go_out_while_the_service_is_down(drill, command, how):
    """Of 1,000 mails none is lost or broken; without sodium one waits for the service, and no other."""
    run, daemon = drill(command, 1000)
    if how == "dead":
        daemon.kill()
    else:
        daemon.stop()
    assert run.read() == {"half": True}
    outcome = run.go_on()
    tell(f"service {how}, {'sodium' if command is SODIUM else 'no sodium'}", outcome)
    assert outcome["mails"] == 1000 and outcome["broken"] == 0
    assert outcome["counted" if command is SODIUM else "own"] == 1000
    # 200 ms for the mail that waited; what the others cost is the database's.
    assert outcome["added_ms"] < 1000 * 200 / 10
    assert len(outcome["log"]) == (0 if command is SODIUM else 1), "said once, not per mail"
    if how == "silent":
        daemon.cont()
    run.end()


def test_the_service_dies_in_the_middle_of_a_run(drill):
    """Scaled; HOPCOUNT_WHMCS_MAILS=10000 runs the whole. What waited is counted once when it is back."""
    mails = int(os.environ.get("HOPCOUNT_WHMCS_MAILS", 1000))
    run, daemon = drill(NO_SODIUM, mails)
    assert run.read() == {"half": True}
    daemon.kill()
    outcome = run.go_on()
    tell("service dies in the middle", outcome)
    # A single answer that takes too long, on a loaded machine, makes the mails of a minute do without.
    assert outcome["broken"] == 0 and outcome["counted"] + outcome["own"] == mails
    assert outcome["own"] >= mails / 2 and outcome["counted"] > 0
    waiting = run.go_on()
    assert waiting["waiting"] >= outcome["counted"], "mails with counted links, and names of campaigns"
    daemon.start()
    waiting = run.go_on()
    assert waiting["waiting"] == 0 and waiting["refused"] == 0 and waiting["log"] == [], waiting
    run.end()
