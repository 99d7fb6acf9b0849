"""A name server that stalls, and a process that asks no other."""
import contextlib
import os
import socket
import struct
import subprocess
import threading

import pytest


class Resolver:
    """A name server of the test's own; silent, until it is told to answer with 127.0.0.1."""

    ADDRESS = "127.0.0.153"

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.ADDRESS, 53))
        self.socket.settimeout(0.1)
        self.answers, self.n_questions, self.is_closed = False, 0, False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def close(self):
        """The next one can have the address: a socket that a thread reads from stays open."""
        self.is_closed = True
        self.thread.join()
        self.socket.close()

    def _run(self):
        while not self.is_closed:
            with contextlib.suppress(OSError):
                question, client = self.socket.recvfrom(2048)
                self.n_questions += 1
                if not self.answers:
                    continue
                end = question.index(b"\0", 12) + 5
                is_v4 = question[end - 4:end - 2] == b"\0\1"
                record = b"\xc0\x0c\0\1\0\1" + struct.pack(">IH", 1, 4) + bytes([127, 0, 0, 1])
                self.socket.sendto(question[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_v4 else b"\0\0")
                                   + bytes(4) + question[12:end] + (record if is_v4 else b""),
                                   client)


def behind(resolver, folder, timeout_s=1):
    """What to start a process with, so that it asks this resolver; skips the test where that can't be made."""
    if os.geteuid() != 0:
        pytest.skip("a resolver of one's own needs root")
    resolv, nsswitch = folder / "resolv.conf", folder / "nsswitch.conf"
    resolv.write_text(f"nameserver {resolver.ADDRESS}\noptions timeout:{timeout_s} attempts:1\n")
    nsswitch.write_text("hosts: dns\n")
    wrapper = folder / "in-a-mount-namespace"
    wrapper.write_text(f"#!/bin/sh\nmount --bind {resolv} /etc/resolv.conf &&\n"
                       f"mount --bind {nsswitch} /etc/nsswitch.conf && exec \"$@\"\n")
    wrapper.chmod(0o755)
    if subprocess.run(["unshare", "-m", wrapper, "true"], capture_output=True).returncode != 0:
        pytest.skip("no mount namespace can be made here")
    return ["unshare", "-m", wrapper]
