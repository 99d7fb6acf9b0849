#!/usr/bin/python3
"""Reads the click logs of a state_dir as proto/FORMATS.md describes them ("Click record", "Click
log"), with nothing but Python's standard library: proof that a stranger can.

    read_log.py STATE_DIR           a JSON object per click, a log after the other
    read_log.py --sum STATE_DIR     a JSON object per log: id, first, end, clicks, lost, unused
"""
import json
import os
import re
import stat
import struct
import sys

RECORD = 64
HEADER = 64
MAGIC = b"HCLICKS\n"
FIRST_NONE = 2**64 - 1
MASK = 2**64 - 1


def siphash24(key, data):
    """SipHash-2-4 (Aumasson and Bernstein, 2012), 8 bytes."""

    def rotate(x, n):
        return (x << n | x >> (64 - n)) & MASK

    def rounds(v, n):
        a, b, c, d = v
        for _ in range(n):
            a = (a + b) & MASK
            c = (c + d) & MASK
            b = rotate(b, 13) ^ a
            d = rotate(d, 16) ^ c
            a = rotate(a, 32)
            a = (a + d) & MASK
            c = (c + b) & MASK
            d = rotate(d, 21) ^ a
            b = rotate(b, 17) ^ c
            c = rotate(c, 32)
        return [a, b, c, d]

    k0, k1 = struct.unpack("<QQ", key)
    v = [
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    ]
    whole = len(data) // 8 * 8
    tail = data[whole:] + bytes(7 - len(data) % 8) + bytes([len(data) % 256])
    for (m,) in struct.iter_unpack("<Q", data[:whole] + tail):
        v[3] ^= m
        v = rounds(v, 2)
        v[0] ^= m
    v[2] ^= 0xFF
    v = rounds(v, 4)
    return struct.pack("<Q", v[0] ^ v[1] ^ v[2] ^ v[3])


def is_sealed(block, log_id):
    return siphash24(log_id, block[:60])[:4] == block[60:64]


def decode_record(slot, log_id, position=None):
    """The click in a slot as a dict, or None when it is empty or damaged."""
    (pos, link, time_ms, visitor, brand, obj, client, packed, campaign) = struct.unpack_from(
        "<QQqQIIIIH", slot
    )
    country, route, label, reason, device, family, referrer, origin = struct.unpack_from(
        "<2sBBBBBBH", slot, 50
    )
    click = {
        "position": pos,
        "link": "%016x" % link,
        "time_ms": time_ms,
        "visitor": visitor,
        "brand": "%08x" % brand,
        "object": obj,
        "client": client,
        "issued_min": packed & 0xFFFFFF,
        "type": packed >> 28,
        "kind": packed >> 24 & 15,
        "campaign": campaign,
        "country": country.decode("latin-1") if country != b"\0\0" else None,
        "channel": route & 7,
        "variant": route >> 3 & 7,
        "label": label & 15,
        "old_label": label >> 4,
        "reason": reason,
        "device": device,
        "browser": family & 15,
        "system": family >> 4,
        "referrer": referrer,
        "network": origin & 0x3FFF if packed >> 28 == 1 else 0,
        "hints": origin >> 14 if packed >> 28 == 1 else 0,
        "old_reason": origin & 255 if packed >> 28 == 2 else 0,
    }
    if position is not None and pos != position:
        return None
    if not is_sealed(slot, log_id):
        return None
    in_range = (
        click["type"] in (1, 2)
        and click["kind"] >= 1
        and (click["country"] is None or re.fullmatch("[A-Z]{2}", click["country"]))
        and route < 64
        and click["label"] <= 4
        and click["old_label"] <= 4
        and device <= 3
        and referrer <= 4
        and (click["type"] == 1 or origin <= 255)
    )
    return click if in_range else None


class Unusable(Exception):
    pass


def read_segment(path, log_id, sequence):
    """(first, slots) of a segment, the slots up to the last that is not empty."""
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise Unusable("not a regular file")
    with open(path, "rb") as file:
        data = file.read()
    head = data[:HEADER]
    if len(head) < HEADER or head[:8] != MAGIC:
        raise Unusable("not a segment")
    version, number, ident, first, _, capacity, reserved = struct.unpack_from("<II16sQqIQ", head, 8)
    if version > 1:
        raise Unusable("of a newer version")
    if (
        version != 1
        or not is_sealed(head, ident)
        or reserved != 0
        or capacity == 0
        or (first >= 2**63 and first != FIRST_NONE)
    ):
        raise Unusable("damaged header")
    if ident != log_id or number != sequence:
        raise Unusable("of another log or number")
    body = data[HEADER : HEADER + capacity * RECORD]
    body += bytes(-len(body) % RECORD)
    slots = [body[at : at + RECORD] for at in range(0, len(body), RECORD)]
    while slots and not any(slots[-1]):
        slots.pop()
    if slots and first == FIRST_NONE:
        for i, slot in enumerate(slots):
            click = decode_record(slot, log_id)
            if click and i <= click["position"] < 2**63:
                first = click["position"] - i
                break
        else:
            raise Unusable("no readable record")
    return first, slots


class Log:
    """What is left of one log."""

    def __init__(self, path):
        self.id = os.path.basename(path)
        self.unused = []
        self.segments = []
        log_id = bytes.fromhex(self.id)
        for name in sorted(os.listdir(path)):
            if name.endswith(".seg.new"):
                continue
            match = re.fullmatch(r"(\d{8})\.seg", name)
            try:
                if not match:
                    raise Unusable("not a segment")
                first, slots = read_segment(os.path.join(path, name), log_id, int(match[1]))
                if any(first == other for other, _ in self.segments if slots):
                    raise Unusable("begins where another does")
            except Unusable as why:
                self.unused.append((name, str(why)))
                continue
            if slots:
                self.segments.append((first, slots))
        self.segments.sort(key=lambda segment: segment[0])
        self.log_id = log_id
        self.first = self.segments[0][0] if self.segments else 0
        self.end = self.segments[-1][0] + len(self.segments[-1][1]) if self.segments else 0

    def clicks(self):
        for i, (first, slots) in enumerate(self.segments):
            end = self.segments[i + 1][0] if i + 1 < len(self.segments) else self.end
            for at, slot in enumerate(slots[: end - first]):
                click = decode_record(slot, self.log_id, first + at)
                if click:
                    yield click

    def summary(self):
        n = sum(1 for _ in self.clicks())
        return {
            "id": self.id,
            "first": self.first,
            "end": self.end,
            "clicks": n,
            "lost": self.end - self.first - n,
            "unused": len(self.unused),
        }


def read_logs(state_dir):
    """The logs of a state_dir, by name."""
    top = os.path.join(state_dir, "logs")
    for name in sorted(os.listdir(top)) if os.path.isdir(top) else []:
        path = os.path.join(top, name)
        if re.fullmatch("[0-9a-f]{32}", name) and os.path.isdir(path):
            yield Log(path)


def main(args):
    only_sum = args[:1] == ["--sum"]
    rest = args[1:] if only_sum else args
    if len(rest) != 1:
        sys.exit("usage: read_log.py [--sum] STATE_DIR")
    for log in read_logs(rest[0]):
        for item in [log.summary()] if only_sum else log.clicks():
            print(json.dumps(item))


if __name__ == "__main__":
    main(sys.argv[1:])
