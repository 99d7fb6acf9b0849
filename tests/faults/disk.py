"""Faults of a disk: what a power cut leaves of the log, a disk that is full, syncs that fail."""
import contextlib
import os
import pathlib
import struct
import subprocess

import pytest

RECORD, HEADER = 64, 64


def segments(daemon):
    return sorted((daemon.state_dir / "logs").glob("*/*.seg"))


def records_after(path, time_ms):
    """The slots of a segment that hold clicks from `time_ms` on: what may not be on the disk."""
    data = path.read_bytes()
    found = []
    for at in range(HEADER, len(data) - RECORD + 1, RECORD):
        made_ms, = struct.unpack_from("<q", data, at + 16)
        if made_ms >= time_ms and data[at:at + RECORD] != bytes(RECORD):
            found.append(at)
    return found


def cut_power(daemon, rng, since_ms):
    """Does to the files what a power cut can: of what was not synced, any part is missing.

    Returns how many clicks that takes at most.
    """
    n_at_risk = 0
    for path in segments(daemon):
        slots = records_after(path, since_ms)
        n_at_risk += len(slots)
        if not slots:
            continue
        how = rng.choice(["cut", "holes", "tail of zeros", "bit"])
        with open(path, "r+b") as file:
            if how == "cut":
                file.truncate(rng.randrange(slots[0], slots[-1] + RECORD))
            elif how == "holes":
                for at in rng.sample(slots, rng.randrange(1, len(slots) + 1)):
                    file.seek(at)
                    file.write(bytes(RECORD))
            elif how == "tail of zeros":
                first = rng.randrange(slots[0], slots[-1] + RECORD)
                file.seek(first)
                file.write(bytes(slots[-1] + RECORD - first))
            else:
                at = rng.choice(slots) + rng.randrange(RECORD)
                file.seek(at)
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ 1 << rng.randrange(8)]))
        print(f"power cut: {how}, {len(slots)} at risk in {path.name}")
    return n_at_risk


# What a sync puts on the disk is copied to a folder of its own, a file for each segment; the header of a segment says
# which it is (FORMATS.md "Click log").
COPY_SYNCED = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int msync(void *addr, size_t len, int flags)
{
    int (*real)(void *, size_t, int) = (int (*)(void *, size_t, int))dlsym(RTLD_NEXT, "msync");
    int failed = real(addr, len, flags), fd;
    const unsigned char *head = addr;
    char path[512], fresh[544], id[33];
    uint32_t sequence;

    if (failed || len < 64 || memcmp(head, "HCLICKS\n", 8) != 0)
        return failed;
    memcpy(&sequence, head + 12, 4);
    for (int i = 0; i < 16; i++)
        sprintf(id + 2 * i, "%02x", head[16 + i]);
    snprintf(path, sizeof(path), "%s/%s-%08u", getenv("SYNCED_DIR"), id, sequence);
    snprintf(fresh, sizeof(fresh), "%s.%d", path, (int)gettid());
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, addr, len) != (ssize_t)len || rename(fresh, path) != 0)
        abort();
    close(fd);
    return 0;
}
"""


class Disk:
    """Knows what of the segments was synced, and forgets the rest when the power is cut."""

    def __init__(self, folder):
        source, library = folder / "synced.c", folder / "synced.so"
        source.write_text(COPY_SYNCED)
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        self.synced = folder / "synced"
        self.synced.mkdir()
        self.environment = {"LD_PRELOAD": str(library), "SYNCED_DIR": str(self.synced)}

    def cut_power(self, daemon):
        """Returns how many bytes of the segments were not on the disk."""
        n_lost = 0
        for path in segments(daemon):
            synced = self.synced / f"{path.parent.name}-{path.stem}"
            was, now = path.read_bytes(), synced.read_bytes() if synced.exists() else None
            if now is None:
                path.unlink()
            elif was != now:
                path.write_bytes(now)
                n_lost += sum(a != b for a, b in zip(was, now))
        return n_lost


def small_disk(path):
    """Mounts a tmpfs of 2 MiB at `path` while a test runs: `yield from` it in a fixture."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", path],
                          capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"a tmpfs can't be mounted here: {done.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def fill(folder):
    """Fills the disk; returns the file that does, to be deleted."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
    return filler


def _preload_of(library):
    for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"):
        path = pathlib.Path(folder) / library
        if path.exists():
            return str(path)
    return None


def syncs_fail():
    """The environment of a process whose every sync fails with EIO, by libfiu."""
    run, posix = _preload_of("fiu_run_preload.so"), _preload_of("fiu_posix_preload.so")
    for folder in ("/usr/lib/fiu", "/usr/lib/x86_64-linux-gnu/fiu", "/usr/local/lib"):
        run = run or next(map(str, pathlib.Path(folder).glob("fiu_run_preload.so")), None)
        posix = posix or next(map(str, pathlib.Path(folder).glob("fiu_posix_preload.so")), None)
    if not run or not posix:
        pytest.skip("libfiu's preload libraries (fiu-utils) are not installed")
    failures = "\n".join(f"enable name=posix/io/{name},failinfo=5"
                         for name in ("sync/fdatasync", "sync/fsync"))
    return {"LD_PRELOAD": f"{run} {posix}", "FIU_ENABLE": failures}
