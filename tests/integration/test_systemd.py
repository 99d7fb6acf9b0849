"""What systemd does with hopcountd, done here: sockets that outlive it, the watchdog, the score of its unit."""
import ctypes
import os
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest

from faults.trial import mint_links
from harness.build import ROOT, patience
from harness.ports import free_port
from harness.wait import wait_until

# Descriptor 3, 4 … as systemd passes them; LISTEN_PID is the process that bash becomes.
PASSED = ["bash", "-c", 'eval "$MOVE"; LISTEN_PID=$$ exec "$@"', "bash"]


def listening(port, n=1):
    made = []
    for _ in range(n):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen(4096)
        made.append(sock)
    return made


@pytest.fixture
def make_passed(make_hopcountd, redis):
    """make_passed(sockets, port) -> a hopcountd, not started, that gets the sockets."""
    def make(sockets, port, **config):
        fds = [sock.fileno() for sock in sockets]
        assert min(fds) > 2 + len(fds)
        move = " ".join(f"exec {3 + i}<&{fd} {fd}<&-;" for i, fd in enumerate(fds))
        daemon = make_hopcountd(redis, {"public": {"listen": f"127.0.0.1:{port}", "workers": 2, **config}},
                                start=False, wrapper=PASSED,
                                environment={"LISTEN_FDS": str(len(fds)), "MOVE": move})
        daemon.pass_fds = fds
        daemon.sockets = sockets  # open as long as systemd would keep them
        daemon.port = port
        return daemon
    return make


def high(sockets):
    """The same sockets at descriptors that bash does not overwrite while it moves them."""
    return [socket.socket(fileno=os.dup2(sock.detach(), 100 + i)) for i, sock in enumerate(sockets)]


@pytest.mark.parametrize("n_sockets", [1, 2])
def test_no_connection_is_refused_while_it_restarts(make_passed, n_sockets):
    port = free_port()
    daemon = make_passed(high(listening(port, n_sockets)), port).start()
    links, done, failed, n = mint_links(daemon, 3), threading.Event(), [], 0

    def click():
        nonlocal n
        while not done.is_set():
            try:
                with socket.create_connection(("127.0.0.1", port), patience(30)) as sock:
                    sock.sendall(f"GET /{links[n % 3]} HTTP/1.1\r\nHost: go.acme.example\r\n"
                                 "Connection: close\r\n\r\n".encode())
                    answer = sock.recv(4096)
                assert answer.startswith(b"HTTP/1.1 302 "), answer
                n += 1
            except Exception as error:  # noqa: BLE001
                failed.append(error)
    client = threading.Thread(target=click)
    client.start()
    for _ in range(2):
        before = n
        wait_until(lambda: n > before + 20 or failed, 20, "clicks are answered")
        daemon.shut_down()
        daemon.start()
    before = n
    wait_until(lambda: n > before + 20 or failed, 20, "clicks are answered")
    done.set()
    client.join(patience(60))
    assert failed == []
    assert sum(daemon.wait_counted(n, links).values()) == n


@pytest.mark.parametrize("n_sockets, other_port, says", [
    (1, True, "the socket unit has a socket of an address that is not named here"),
    (3, False, "the socket unit has 3 sockets of 127.0.0.1:"),
])
def test_sockets_that_nobody_would_answer_stop_the_start(make_passed, n_sockets, other_port, says):
    port = free_port()
    daemon = make_passed(high(listening(port, n_sockets)), free_port() if other_port else port)
    daemon.add_api_key()
    status, told = daemon.start_refused()
    assert status == 1 and says in told, told


class Manager:
    """Hears what a service tells systemd."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(path))
        self.sock.setblocking(False)

    def heard(self):
        found = []
        try:
            while True:
                found.append(self.sock.recv(4096).decode())
        except BlockingIOError:
            return found


def test_the_watchdog_is_fed_only_while_all_workers_turn(make_hopcountd, redis, tmp_path):
    manager = Manager(tmp_path / "notify")
    daemon = make_hopcountd(redis, environment={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "3000000"})
    wait_until(lambda: "WATCHDOG=1" in manager.heard(), 20, "it is fed")
    time.sleep(1.5)  # nor is an idle worker one that hangs
    assert "at=watchdog" not in daemon.stderr()
    worker = next(int(task) for task in os.listdir(f"/proc/{daemon.pid}/task")
                  if open(f"/proc/{daemon.pid}/task/{task}/comm").read() == "worker-1\n")
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    # The thread alone is stopped.  (Seize, interrupt, detach.)
    assert ptrace(0x4206, worker, None, None) == 0, os.strerror(ctypes.get_errno())
    assert ptrace(0x4207, worker, None, None) == 0
    wait_until(lambda: "at=watchdog.stuck worker=1" in daemon.stderr(), 20, "it is noticed")
    manager.heard()
    time.sleep(2.5)  # two rounds in which it must not be fed
    assert "WATCHDOG=1" not in manager.heard()
    os.waitpid(worker, 0x40000000)  # __WALL: the stop
    assert ptrace(17, worker, None, None) == 0
    wait_until(lambda: "WATCHDOG=1" in manager.heard(), 20, "it is fed again")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
def test_the_units_are_valid_and_the_service_is_hardened(tmp_path):
    unit = (ROOT / "deploy/systemd/hopcount.service.in").read_text().replace("@BIN@", "/usr/bin").replace("@ETC@", "/etc")
    unit = unit.replace("/usr/bin/hopcountd", "/bin/true")
    (tmp_path / "hopcount.service").write_text(unit)
    shutil.copy(ROOT / "deploy/systemd/hopcount.socket", tmp_path)
    told = subprocess.run(["systemd-analyze", "verify", tmp_path / "hopcount.service", tmp_path / "hopcount.socket"],
                          capture_output=True, text=True, timeout=patience(30)).stderr
    assert not [line for line in told.splitlines() if "hopcount." in line], told
    told = subprocess.run(["systemd-analyze", "security", "--offline=true", tmp_path / "hopcount.service"],
                          capture_output=True, text=True, timeout=patience(30)).stdout
    score = float(re.search(r"Overall exposure level for hopcount\.service: ([\d.]+)", told)[1])
    assert score <= 1.7, told
