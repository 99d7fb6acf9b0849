"""deploy/quickstart: from built programs to clickable links, and back to nothing."""
import fcntl
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request

import pytest

from harness.build import BUILD, ROOT, patience
from harness.ports import free_port
from harness.wait import wait_until

QUICKSTART = ROOT / "deploy/quickstart"


class Quickstart:
    """deploy/quickstart with ports and a folder of its own, on the programs of the build."""

    def __init__(self, directory):
        self.directory = directory
        self.port, self.admin_port, self.demo_port = free_port(), free_port(), free_port()
        self.options = [
            "--build", BUILD, "--dir", directory, "--port", self.port,
            "--admin-port", self.admin_port, "--demo-port", self.demo_port]

    def command(self, *more):
        return [str(part) for part in (QUICKSTART, *self.options, *more)]

    def run(self, *more):
        return subprocess.run(self.command(*more), text=True, capture_output=True,
                              timeout=patience(90), stdin=subprocess.DEVNULL)

    def pids(self):
        return [int(path.read_text().split()[0]) for path in self.directory.glob("*.pid")]

    def stats(self):
        """What the API counts, asked by the very curl command that quickstart prints."""
        text = (self.directory / "links.txt").read_text()
        command = re.search(r"by curl +(curl .*?')\n", text, re.S)[1]
        done = subprocess.run(["bash", "-c", command + " -fsS"], capture_output=True, text=True,
                              timeout=patience(20))
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def quickstart():
    # Not tmp_path: with several workers it is so long that no socket fits into it.
    with tempfile.TemporaryDirectory(prefix="hopcount-") as folder:
        started = Quickstart(pathlib.Path(folder) / 'quick "st\'rt\\')
        yield started
        started.run("--stop")


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def links_in(text):
    return re.findall(r"http://localhost:\d+/[0-9a-z]{45,}", text)


def follow(url):
    with urllib.request.urlopen(url, timeout=patience(10)) as reply:
        return reply.geturl(), reply.read().decode()


def test_the_printed_links_land_on_the_demo_pages_and_are_counted(quickstart):
    done = quickstart.run("--detach")
    assert done.returncode == 0, done.stdout + done.stderr
    view, pay, login = links_in(done.stdout)

    url, page = follow(view)
    assert url == f"http://localhost:{quickstart.demo_port}/viewinvoice.php?id=1234"
    assert "Invoice #1234" in page
    url, page = follow(pay)
    assert url.endswith("/index.php?rp=/invoice/1234/pay") and "Pay invoice #1234" in page
    assert f"{quickstart.port}/" in login

    wait_until(lambda: '"total":2' in quickstart.stats().replace(" ", ""), 20,
               lambda: f"two clicks in {quickstart.stats()}")

    pids = quickstart.pids()
    assert len(pids) == 2 and all(map(is_alive, pids))
    again = quickstart.run("--detach")
    assert again.returncode == 1 and "--stop" in again.stderr

    assert quickstart.run("--stop").returncode == 0
    assert not any(map(is_alive, pids)) and not quickstart.pids()


def test_a_second_run_keeps_the_keys_so_that_old_links_go_on_working(quickstart):
    first = links_in(quickstart.run("--detach").stdout)
    assert quickstart.run("--stop").returncode == 0
    second = links_in(quickstart.run("--detach").stdout)
    assert len(first) == len(second) == 3
    assert "Invoice #1234" in follow(first[0])[1]


def test_a_second_one_at_a_time_is_refused(quickstart):
    quickstart.directory.mkdir()
    with open(quickstart.directory / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = quickstart.run("--detach")
    assert done.returncode == 1 and "another quickstart" in done.stderr and "--dir" in done.stderr
    assert not quickstart.pids()


def test_ctrl_c_stops_everything(quickstart):
    with subprocess.Popen(quickstart.command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, start_new_session=True, stdin=subprocess.DEVNULL,
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
                          ) as child:
        text = ""
        for line in child.stdout:
            text += line
            if "Ctrl-C" in line:
                break
        assert "Ctrl-C" in text, text
        pids = quickstart.pids()
        assert len(pids) == 2 and all(map(is_alive, pids))
        os.killpg(child.pid, signal.SIGINT)
        child.wait(patience(60))
    wait_until(lambda: not any(map(is_alive, pids)), 10, "nothing is left running")


@pytest.mark.parametrize("option", ["port", "admin-port", "demo-port"])
def test_a_port_that_is_taken_is_named_with_the_option_that_helps(quickstart, option):
    port = getattr(quickstart, option.replace("-", "_"))
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        done = quickstart.run("--detach")
    assert done.returncode == 1
    assert str(port) in done.stderr and f"--{option}" in done.stderr, done.stderr
    assert not quickstart.pids()


@pytest.mark.parametrize("arguments, word", [
    (["--port", "0"], "port"), (["--port", "x"], "port"), (["--port"], "--port"),
    (["--frob"], "--frob"), (["--host", "a b"], "a b"), (["--dir", "/proc/nowhere"], "--dir"),
    (["--dir", "/tmp/" + "x" * 100], "--dir"),
])
def test_bad_options_are_named(quickstart, arguments, word):
    done = quickstart.run("--detach", *arguments)
    shutil.rmtree("/tmp/" + "x" * 100, ignore_errors=True)
    assert done.returncode == 1 and word in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_stop_leaves_a_stranger_with_the_same_pid_alone(quickstart):
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as stranger:
        quickstart.directory.mkdir()
        (quickstart.directory / "hopcountd.pid").write_text(f"{stranger.pid} 1\n")
        assert quickstart.run("--stop").returncode == 0
        # A signal that --stop had sent would end it before it could answer.
        stranger.stdin.write(b"alive\n")
        stranger.stdin.flush()
        assert stranger.stdout.readline() == b"alive\n"
        stranger.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="already a normal user")
def test_a_normal_user_can_run_it():
    # Each run of pytest closes the folders above tmp_path to other users, those of runs beside it too.
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, 65534, 65534)
        run_as_nobody(pathlib.Path(folder))


def run_as_nobody(home):
    quickstart = Quickstart(home / "quickstart")
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env",
                 f"HOME={home}"]
    try:
        done = subprocess.run([*as_nobody, *quickstart.command("--detach")], text=True,
                              capture_output=True, timeout=patience(90))
        assert done.returncode == 0, done.stderr
        assert "Invoice #1234" in follow(links_in(done.stdout)[0])[1]
    finally:
        subprocess.run([*as_nobody, *quickstart.command("--stop")], timeout=patience(60),
                       check=True)
