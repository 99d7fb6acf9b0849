"""Ports that nobody else has, however many test runs share the machine."""
import contextlib
import random
import socket

# Below the range from which the system takes ports for connections: while a server is down to be
# restarted, no connection may be given its port.
FIRST, LAST = 12000, 21999
BLOCK = 50

_mine = []  # the locks of this process's blocks, held until it ends
_left = []  # ports of the newest block that were not handed out yet
_given = []


def _lock_block(first):
    """Whether the ports from `first` on are this process's now.

    The lock is an abstract Unix socket, which belongs to the same network namespace as the ports
    do and goes away with the process, however that ends.  A port that is only looked at can be
    given to two processes before either server listens.
    """
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        lock.bind(f"\0hopcount-test-ports-{first}")
    except OSError:
        lock.close()
        return False
    _mine.append(lock)
    return True


def _next_port():
    if not _left:
        blocks = list(range(FIRST, LAST + 1, BLOCK))
        random.SystemRandom().shuffle(blocks)
        first = next(filter(_lock_block, blocks), None)
        # All blocks are taken: what this process gave out long ago is free again, most likely.
        _left.extend(range(first, first + BLOCK) if first else _given)
        assert _left, "other test runs have all ports"
    return _left.pop(0)


def free_port(host="127.0.0.1"):
    """A TCP port that is free, and that is given to nobody else while this process lives."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        port = _next_port()
        with socket.socket(family, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.bind((host, port))
            if port not in _given:
                _given.append(port)
            return port
