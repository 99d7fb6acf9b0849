"""Ports that nobody has, as far as one can know."""
import socket

_given = set()


def free_port(host="127.0.0.1"):
    """A TCP port that was free just now and is given out once per test run."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
            port = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port
