"""Clients who take their time on either port, and a canary that clicks beside them.

The canary's p99 is compared with its own before the attack; memory and descriptors have bounds that
don't grow with what the attackers send.
"""
import contextlib
import threading

import pytest

from attack.pressure import Crowd, canary_p99_s, kernel_mb, n_descriptors, resident_mb
from harness.build import patience
from harness.wait import wait_until

N = 400
HOST = b"Host: go.acme.example\r\n"

# (name, first bytes, the bytes that follow now and then, what the attackers' sockets can take in)
SLOW = [
    ("heads, a byte now and then", b"GET / HTTP/1.1\r\n" + HOST + b"a: ", b"x", None),
    ("heads, almost 32 KiB of them", b"GET / HTTP/1.1\r\n" + HOST + b"a: " + b"x" * 32000, b"", None),
    ("bodies, a byte now and then",
     b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4000000\r\n\r\n", b"x", None),
    ("bodies that are poured in", b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4000000\r\n\r\n",
     b"x" * 16384, None),
    ("readers of redirects", (b"GET /%s HTTP/1.1\r\n" + HOST + b"\r\n") * 400, b"", 4096),
    ("readers of pages", (b"GET /nothing HTTP/1.1\r\n" + HOST + b"\r\n") * 400, b"", 4096),
    ("nothing at all", b"", b"", None),
]


@contextlib.contextmanager
def nagging(crowd, drop):
    """Sends `drop` to each of the crowd again and again meanwhile, as fast as they take turns."""
    stop = threading.Event()

    def nag():
        while not stop.wait(0.05):  # the attack's own pace
            crowd.send(drop)
    thread = threading.Thread(target=nag)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("port", ["public", "admin"])
def test_who_is_slow_holds_nobody_up_and_little_memory(daemon, port):
    """The admin port's own probes are measured in test_admin.py: here, clicks beside both."""
    link = daemon.mint("pay", 1)
    number = {"public": daemon.port, "admin": daemon.admin_port}[port]
    canary_p99_s(daemon, link)  # what is done once is done
    calm, before = canary_p99_s(daemon, link), resident_mb(daemon)
    files = n_descriptors(daemon)
    for name, first, drop, window in SLOW:
        with Crowd(number, N, receive_bytes=window) as crowd:
            crowd.send(first.replace(b"%s", link.encode()))
            with nagging(crowd, drop) if drop else contextlib.nullcontext():
                p99 = canary_p99_s(daemon, link)
                resident, kernel = resident_mb(daemon) - before, kernel_mb(number)
                held = n_descriptors(daemon) - files
            print(f"{port}, {name}: canary {p99 * 1000:.1f} ms, calm {calm * 1000:.1f} ms; "
                  f"{resident:.0f} MB resident, {kernel:.1f} MB in the kernel, {held} descriptors")
            assert p99 < max(20 * calm, patience(0.1)), name
            assert resident < 80, name
            assert kernel < 0.3 * N, name
            assert held <= N + 20, name
        wait_until(lambda: n_descriptors(daemon) <= files + 20, 30, f"{name}: the descriptors to be given back")
    daemon.shut_down()
