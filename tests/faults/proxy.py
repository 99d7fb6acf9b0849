"""A TCP proxy between hopcountd and Redis that breaks what passes through it.

    proxy = Proxy(server.port).start()
    proxy.hold()                       nothing passes; what was sent comes late, after heal()
    proxy.drop()                       nothing passes; what was sent is gone
    proxy.delay(0.2)                   everything comes later
    proxy.dribble()                    replies come byte by byte
    proxy.refuse()                     connects are refused, connections reset
    proxy.reset() / half_close()       once, all connections there are
    proxy.strike("swallow")            once, the reply to the next batch; see STRIKES
    proxy.heal()                       as if nothing had been
"""
import collections
import random
import socket
import struct
import threading
import time

from .resp import Frames, command_name

BATCHES = (b"EVALSHA", b"EVAL")

# What can happen to the reply of a command that ran.
STRIKES = {
    "swallow": "the connection ends before the reply",
    "mute": "the reply never comes, the connection stays",
    "cut": "the connection ends within the reply",
    "cut_mute": "the reply stops in its middle, the connection stays",
    "garbage": "bytes that are no reply",
    "wrong": "a reply of another kind",
    "late": "the reply comes after the client's patience",
}
GARBAGE = b"\x16\x03\x01 HTTP/1.1 400 Bad Request\r\n\r\n*9999999999\r\n"

NUMBERS = b"*1048576\r\n" + b":1\r\n" * 1048576
# Replies that a server which is right would never send, as functions, for they are long.
HUGE = {
    "an array of eleven million numbers": lambda: b"*11\r\n" + NUMBERS * 11,
    "an array of eleven million empty arrays": lambda: b"*8\r\n" + NUMBERS.replace(
        b":1", b"*0") * 8,
    "arrays that announce a million elements": lambda: b"*1048576\r\n" * 8 + b":1\r\n" * 100000,
    "a text of 100 MB": lambda: b"$100000000\r\n" + bytes(100000000) + b"\r\n",
    "a million texts of 128 KiB": lambda: b"*1048576\r\n" + (
        b"$131071\r\n" + bytes(131071) + b"\r\n") * 700,
    "a status without end": lambda: b"+" + b"a" * 100000000,
}


class Connection:
    """A client and its server; two threads copy."""

    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server = proxy, client, server
        self.is_struck = False
        self.commands = collections.deque()  # [name, strike] of those without a reply yet
        self.closing = threading.Event()

    def start(self):
        for run in (self._copy_commands, self._copy_replies):
            threading.Thread(target=self._guard, args=(run,), daemon=True).start()

    def close(self, reset=False):
        if self.closing.is_set():
            return
        self.closing.set()
        for sock in (self.client, self.server):
            try:
                if reset:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
        self.proxy.forget(self)

    def _guard(self, run):
        try:
            run()
        except (OSError, ValueError):
            pass
        self.close()

    def _read(self, sock):
        """Bytes, or None at the end."""
        while not self.closing.is_set():
            try:
                return sock.recv(1 << 18) or None
            except socket.timeout:
                continue
        return None

    def _may_pass(self):
        """Waits as the proxy says; False: what was read is to be thrown away."""
        proxy = self.proxy
        while proxy.mode == "hold" and not self.closing.is_set():
            time.sleep(0.005)  # polls
        if proxy.delay_s:
            time.sleep(proxy.delay_s)  # the fault itself
        return proxy.mode != "drop" and not self.closing.is_set()

    def _copy_commands(self):
        frames = Frames()
        while (data := self._read(self.client)) is not None:
            for frame in frames.feed(data):
                if not self._may_pass():
                    continue
                name = command_name(frame)
                # One each: what follows on a connection that is done for may get no reply at all.
                strike = None if self.is_struck else self.proxy.take_strike(name, frame)
                self.is_struck = self.is_struck or strike not in (None, "wrong")
                self.commands.append((name, strike))
                self.server.sendall(frame)

    def _copy_replies(self):
        frames = Frames()
        while (data := self._read(self.server)) is not None:
            for frame in frames.feed(data):
                name, strike = self.commands.popleft() if self.commands else (b"", None)
                if self._may_pass() and not self._pass_reply(self.proxy.alter(frame), strike):
                    return
                self.proxy.n_replies[name] += 1

    def _pass_reply(self, frame, strike):
        """False: the connection is to end."""
        if strike:
            self.proxy.n_struck += 1
        if strike in ("cut", "cut_mute"):
            self.client.sendall(frame[:self.proxy.rng.randrange(1, len(frame))])
        elif strike == "garbage":
            self.client.sendall(GARBAGE)
        elif strike == "wrong":
            self.client.sendall(self.proxy.rng.choice(
                [b":7\r\n", b"$-1\r\n", b"+OK\r\n", b"*0\r\n", b"*2\r\n:1\r\n:2\r\n",
                 b"*2\r\n:0\r\n$3\r\nabc\r\n"]))
        elif strike in HUGE:
            self.client.settimeout(60)
            self.client.sendall(HUGE[strike]())
        elif strike == "late":
            time.sleep(self.proxy.late_s)  # the fault itself
            self.client.sendall(frame)
        elif strike is None and self.proxy.mode == "dribble":
            for i in range(len(frame)):
                self.client.sendall(frame[i:i + 1])
        elif strike is None:
            self.client.sendall(frame)
        if strike in ("mute", "cut_mute"):
            self.closing.wait(60)
        return strike not in ("swallow", "cut", "mute", "cut_mute")


class Proxy:
    def __init__(self, target_port, rng=None):
        self.target_port = target_port
        self.rng = rng or random.Random(1)
        self.mode, self.delay_s, self.late_s = "pass", 0.0, 1.0
        self.strikes = collections.deque()
        self.n_struck = 0  # strikes that have hit
        self.n_accepted = 0
        self.n_replies = collections.Counter()
        self.connections, self.lock = set(), threading.Lock()
        self.listener = None
        self.port = None

    # --- life ---

    def start(self):
        self._listen()
        return self

    def stop(self):
        self._stop_listening()
        self.reset()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def _listen(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port or 0))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self.listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _stop_listening(self):
        listener, self.listener = self.listener, None
        if listener is None:
            return
        listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        listener.close()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.n_accepted += 1
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.target_port), 5)
        except OSError:
            client.close()
            return
        for sock in (client, server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(0.5)
        connection = Connection(self, client, server)
        with self.lock:
            self.connections.add(connection)
        connection.start()

    def forget(self, connection):
        with self.lock:
            self.connections.discard(connection)

    def _all(self):
        with self.lock:
            return list(self.connections)

    # --- faults ---

    def alter(self, frame):
        """What the client gets in place of a reply, whatever the command; for a proxy made from this."""
        return frame

    def hold(self):
        self.mode = "hold"

    def drop(self):
        self.mode = "drop"

    def dribble(self):
        self.mode = "dribble"

    def delay(self, seconds):
        self.delay_s = seconds

    def refuse(self):
        self._stop_listening()
        self.reset()

    def reset(self):
        for connection in self._all():
            connection.close(reset=True)

    def half_close(self, side="client"):
        """Says "no more" to the client (to the server): the other direction stays open."""
        for connection in self._all():
            try:
                getattr(connection, side).shutdown(socket.SHUT_WR)
            except OSError:
                pass

    def strike(self, *kinds):
        """The replies to the next batches, one each."""
        assert set(kinds) <= set(STRIKES) | set(HUGE), kinds
        self.strikes.extend(kinds)

    def take_strike(self, command, frame):
        # Other scripts have no cursor; one that the pods send meanwhile must not take the strike.
        if command not in BATCHES or b":cur:" not in frame:
            return None
        with self.lock:
            return self.strikes.popleft() if self.strikes else None

    def heal(self):
        dropped = self.mode == "drop"
        self.strikes.clear()
        self.delay_s, self.mode = 0.0, "pass"
        if dropped:
            self.reset()  # their streams have holes
        if self.listener is None:
            self._listen()
