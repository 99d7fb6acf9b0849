"""What an attack costs: memory (resident, and of the kernel's sockets), descriptors, and a canary."""
import contextlib
import os
import re
import resource
import socket
import subprocess

from harness.load import Load

MB = 1 << 20
# AddressSanitizer keeps what is freed for a while: for the shortest that finds a use after it.
ASAN_THAT_FORGETS = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=99:quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}


@contextlib.contextmanager
def descriptors_for_both_ends(n):
    """As many for this process, which holds the other ends of what it opens."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, n), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident_mb(daemon):
    with open(f"/proc/{daemon.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) / 1024


def kernel_mb(port):
    """What the kernel holds for the sockets of a port of the daemon, on the daemon's side."""
    done = subprocess.run(["ss", "-tmHnO", f"sport = :{port}"], capture_output=True, text=True, check=True)
    return sum(sum(map(int, row)) for row in re.findall(
        r"skmem:\(r(\d+),rb\d+,t(\d+),tb\d+,f\d+,w(\d+)", done.stdout)) / MB


def n_descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


def canary_p99_s(daemon, link, n=300):
    """What 99 of 100 clicks of one well-behaved client took no longer than; each must be answered.

    A connection that is closed makes the client open another: that is part of the time of a click.
    """
    load = Load(daemon.port, [link], n_clients=1, n_clicks=n, pause_s=0.002)
    with load:
        tally = load.join()
    assert tally.n_received == n and not tally.other, tally
    return tally.quantile_s(0.99)


class Crowd:
    """Sockets of attackers.  They never wait: what can't be sent is not sent."""

    def __init__(self, port, n, source="127.0.0.1", receive_bytes=None):
        self.sockets = []
        for _ in range(n):
            sock = socket.socket()
            if receive_bytes:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            sock.bind((source, 0))
            sock.settimeout(20)
            sock.connect(("127.0.0.1", port))
            sock.setblocking(False)
            self.sockets.append(sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in self.sockets:
            sock.close()

    def send(self, data):
        """To each, as much as it takes; returns how many bytes were taken."""
        taken = 0
        for sock in self.sockets:
            with contextlib.suppress(OSError):
                taken += sock.send(data)
        return taken
