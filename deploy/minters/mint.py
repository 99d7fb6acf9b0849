#!/usr/bin/env python3
"""Mints hopcount links. Python 3.6 or later, its standard library alone.

    key = load_key("/etc/hopcount/keys", "acme")
    url = mint(key, "acme", "https://go.acme.example", "pay", 1234, client=77, ttl="30d")

As a program it makes a link of each line of its input:

    echo "pay 1234 client=77 ttl=30d" | ./mint.py /etc/hopcount/keys acme https://go.acme.example
"""
import hashlib
import re
import sys
import time

DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
KINDS = ["", "view", "pay", "login"]
TTLS = "never 15m 1h 6h 1d 2d 3d 7d 14d 30d 45d 60d 90d 120d 180d 366d".split()
CHANNELS = "unknown mail sms pdf qr portal chat other".split()
EPOCH_S = 1704067200  # 2024-01-01T00:00Z


def load_key(path, brand):
    """(kid, 32 bytes): the key of a key file that mints links of the brand."""
    with open(path, encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            fields = line.split()
            if not fields or fields[0].startswith("#"):
                continue
            if len(fields) < 3 or not re.fullmatch("[0-9A-Fa-f]{64}", fields[2]):
                raise ValueError("%s:%d: is no key line" % (path, number))
            brands = fields[3].split(",") if len(fields) > 3 else [brand]
            if fields[1] == "mint" and brand in brands:
                return _number("kid", fields[0], 255), bytes.fromhex(fields[2])
    raise ValueError("%s: has no mint key for the brand '%s'" % (path, brand))


def mint(key, brand, base_url, kind, object, client=0, campaign=0, ttl="30d", channel="mail",
         variant="", arg="", issued=None, silent=False, once=False):
    """A link as text; ValueError names a value that can't be in one.

    kind is view, pay, login or 4 to 15, as your configuration names them; issued are Unix seconds, now
    unless given; variant is "" or A to G; silent links are not counted; once links work once.
    """
    kid, secret = key
    name = brand.encode()
    if not 1 <= len(name) <= 63:
        raise ValueError("brand: has %d bytes, 1 to 63 are possible" % len(name))
    if not re.fullmatch("[A-Za-z0-9._~-]{0,48}", arg):
        raise ValueError("arg: '%s' is not up to 48 of A-Z a-z 0-9 . _ ~ -" % arg)
    code = KINDS.index(kind) if kind in KINDS[1:] else _number("kind", kind, 15)
    if code == 0:
        raise ValueError("kind: 0 is none")
    issued_min = (int(time.time() if issued is None else issued) - EPOCH_S) // 60
    flags = (_place("channel", channel, CHANNELS) << 5 | _place("variant", variant, ["", *"ABCDEFG"]) << 2
             | bool(silent) << 1 | bool(once))
    plain = (bytes([code << 4 | _place("ttl", ttl, TTLS)])
             + _number("object", object, 2**32 - 1).to_bytes(4, "big")
             + _number("client", client, 2**32 - 1).to_bytes(4, "big")
             + _number("campaign", campaign, 2**16 - 1).to_bytes(2, "big")
             + _number("issued", issued_min, 2**24 - 1).to_bytes(3, "big")
             + bytes([flags]) + arg.encode())
    bound = bytes([kid, len(name)]) + name
    tag = hashlib.blake2b(b"\1" + bound + plain, key=secret, digest_size=32).digest()[:12]
    pad = hashlib.blake2b(b"\2" + bound + tag, key=secret, digest_size=64).digest()
    sealed = bytes([kid]) + tag + bytes(a ^ b for a, b in zip(plain, pad))
    bits = "".join("{:08b}".format(byte) for byte in sealed)
    bits += "0" * (-len(bits) % 5)
    text = "".join(DIGITS[int(bits[at:at + 5], 2)] for at in range(0, len(bits), 5))
    return base_url.rstrip("/") + "/" + text


def _number(name, value, most):
    if not re.fullmatch("[0-9]{1,10}", str(value)) or int(value) > most:
        raise ValueError("%s: '%s' is no number from 0 to %d" % (name, value, most))
    return int(value)


def _place(name, value, words):
    if value not in words:
        raise ValueError("%s: '%s' is none of %s" % (name, value, " ".join(words).strip()))
    return words.index(value)


def _mint_line(key, brand, base_url, line):
    kind, object, *rest = line.split() + [""] * (2 - len(line.split()))
    more = dict(word.partition("=")[::2] for word in rest)
    known = ("client", "campaign", "ttl", "channel", "variant", "arg", "issued", "silent", "once")
    for name in more:
        if name not in known:
            raise ValueError("'%s' is no field; there are %s" % (name, " ".join(known)))
    for name in ("silent", "once"):
        if name in more:
            more[name] = _place(name, more[name], ["no", "yes"])
    if "issued" in more:
        more["issued"] = _number("issued", more["issued"], 9999999999)
    return mint(key, brand, base_url, kind, object, **more)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: mint.py KEY_FILE BRAND BASE_URL < lines of KIND OBJECT [client=N …]")
    at = "key"
    try:
        loaded = load_key(sys.argv[1], sys.argv[2])
        for at, text in enumerate(sys.stdin, 1):
            if text.strip():
                print(_mint_line(loaded, sys.argv[2], sys.argv[3], text))
    except (OSError, ValueError) as error:
        sys.exit("mint.py: %s" % error if at == "key" else "mint.py: line %d: %s" % (at, error))
