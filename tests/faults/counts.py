"""What Redis holds, read by FORMATS.md alone and with nothing of hopcount's own code.

Every kind of counter is summed up by itself, so that they can be compared with the clients' tally
and with each other: a batch that was applied by half would show.
"""
import collections
import struct


class Counts:
    def __init__(self):
        self.links = collections.Counter()    # link id, 16 hex digits -> clicks
        self.objects = collections.Counter()  # number -> clicks
        self.clients = collections.Counter()
        self.series = collections.Counter()   # (campaign or "*", "h", "d" or "m", dim letter) -> clicks
        self.cells = 0
        self.human = self.automated = 0
        self.cursors = {}                     # (shard, log id) -> position
        self.rejected = collections.Counter()

    @property
    def total(self):
        return sum(self.links.values())

    def totals(self):
        """The clicks that each kind of counters holds (each has an object, a client, a campaign)."""
        totals = {"links": self.total, "objects": sum(self.objects.values()),
                  "clients": sum(self.clients.values()), "cells": self.cells}
        for (campaign, interval, dim), n in self.series.items():
            if campaign == "*" and dim != "o":  # pages of ours: the clicks that led to one
                totals[f"series {interval}.{dim}"] = n
        return totals

    def agree(self, but=()):
        return len({n for name, n in self.totals().items() if name not in but}) <= 1

    def check_agreement(self, but=()):
        """`but`: counters that an older release doesn't know."""
        assert self.agree(but), f"the counters disagree: {self.totals()}"


def _add_table(counts, letter, quad, key, table):
    assert len(table) % 16 == 0, f"{key} has {len(table)} bytes"
    for at in range(0, len(table), 16):
        record = table[at:at + 16]
        tag = record[0]
        if tag == ord("H"):
            continue
        if letter == "l":
            link = f"{quad:02x}{record[1:8].hex()}"
            human, automated = _link_record(tag, record)
            counts.links[link] += human + automated
            counts.human += human
            counts.automated += automated
        else:
            assert tag == 5, f"a record of tag {tag} in table {letter}"
            number, _, _, count = struct.unpack(">IIB6s", record[1:])
            into = counts.objects if letter == "o" else counts.clients
            into[number] += int.from_bytes(count, "big", signed=True)


def _link_record(tag, record):
    if tag == 1:
        return struct.unpack(">hh", record[12:])
    if tag == 2:
        return record[15] >> 4, record[15] & 15
    count, = struct.unpack(">q", record[8:])
    assert tag in (3, 4), f"a record of tag {tag} in table l"
    return (count, 0) if tag == 3 else (0, count)


def _add_series(counts, campaign, interval, series):
    assert len(series) % 8 == 0, f"the series {campaign}:{interval} has {len(series)} bytes"
    for at in range(0, len(series), 8):
        cell, _, count = struct.unpack(">HHi", series[at:at + 8])
        if at == 0 and series[:4] == b"HCS1":
            continue
        assert cell >> 14 == 2, f"a record of tag {cell >> 14} in the series {campaign}:{interval}"
        counts.series[campaign, interval, "lcdvnrbsfepo"[cell >> 10 & 15]] += count


def _add_cells(counts, key, cells):
    assert len(cells) % 8 == 0, f"{key} has {len(cells)} bytes"
    for at in range(0, len(cells), 8):
        cell, = struct.unpack(">Q", cells[at:at + 8])
        if at == 0 and cells[:4] == b"HCX1":
            continue
        assert cell >> 62 == 2, f"a record of tag {cell >> 62} in {key}"
        counts.cells += (cell & 0x7ff ^ 0x400) - 0x400


def _add_lone(counts, campaign, records):
    """Clicks that are not in the series yet count in all of them, and those of a campaign stand for its cells."""
    assert len(records) % 12 == 0, f"the lone clicks of {campaign} have {len(records)} bytes"
    for at in range(0, len(records), 12):
        record = records[at:at + 12]
        if at == 0 and record[:4] == b"HCS1":
            continue
        assert record[0] >> 6 == 3, f"a record of tag {record[0] >> 6} among the lone clicks of {campaign}"
        count = int.from_bytes(record[11:], signed=True)
        counts.cells += count if campaign != "*" else 0
        for interval in "hdm" if campaign == "*" else "hd":
            for dim in "lcdvnrbsfe" + ("p" if campaign == "*" else ""):
                counts.series[campaign, interval, dim] += count


def _read_key(counts, client, key):
    shard, _, rest = key.removeprefix("hc:{s").partition("}:")
    kind, *parts = rest.split(":")
    if kind == "cur":
        counts.cursors[int(shard, 16), parts[0]] = int(client.get(key) or 0)
    elif kind in ("l", "o", "c") and client.type(key) == b"string":
        _add_table(counts, kind, int(parts[0], 16) // 4, key, client.get(key) or b"")
    elif kind in ("la", "oa", "ca") and client.type(key) == b"string":
        _add_table(counts, kind[0], int(parts[0], 16), key, client.get(key) or b"")
    elif kind == "t" and parts[2] == "a" and client.type(key) == b"string" and client.strlen(key) % 12 == 0:
        _add_lone(counts, parts[1], client.get(key) or b"")
    elif kind == "t" and parts[2] != "a" and client.type(key) == b"string" and client.strlen(key) % 8 == 0:
        _add_series(counts, parts[1], parts[2], client.get(key) or b"")
    elif kind == "x" and client.type(key) == b"string" and client.strlen(key) % 8 == 0:
        _add_cells(counts, key, client.get(key) or b"")
    elif kind == "rejected":
        for name, n in client.hgetall(key).items():
            counts.rejected[name.decode()] += int(n)


def read_counts(*clients):
    """Sums up over all servers given (the masters of a cluster)."""
    counts = Counts()
    for client in clients:
        for key in client.scan_iter("hc:*", count=1000):
            _read_key(counts, client, key.decode())
    return counts
