"""Ports that nobody has, as far as one can know."""
import contextlib
import random
import socket

# Below the range from which the system takes ports for connections: while a server is down to be
# restarted, no connection may be given its port.
FIRST, LAST = 12000, 21999

_given = set()


def free_port(host="127.0.0.1"):
    """A TCP port that was free just now and is given out once per test run."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        port = random.SystemRandom().randrange(FIRST, LAST + 1)
        if port in _given:
            continue
        with socket.socket(family, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.bind((host, port))
            _given.add(port)
            return port
