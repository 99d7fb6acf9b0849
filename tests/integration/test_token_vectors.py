"""proto/vectors/token.json against a reading of FORMATS.md alone: nothing here knows the C code."""
import hashlib
import hmac
import json
import re

import pytest

from harness.build import ROOT

DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
MARKS = "!\"')*,.:;=>?\\]_`|}~"
TTL_S = [None, 15 * 60, 3600, 6 * 3600] + [
    days * 86400 for days in (1, 2, 3, 7, 14, 30, 45, 60, 90, 120, 180, 366)]
VECTORS = json.loads((ROOT / "proto/vectors/token.json").read_text())
KEYS = {key["kid"]: bytes.fromhex(key["key"]) for key in VECTORS["keys"] if key["state"] != "revoked"}


class Malformed(Exception):
    pass


class UnknownKey(Exception):
    pass


class Forged(Exception):
    pass


REASONS = {"malformed": Malformed, "unknown_key": UnknownKey, "forged": Forged}


def is_marks(rest):
    """"Token text", step 2."""
    while rest:
        escape = re.match(r"%([0-9A-Fa-f]{2})", rest)
        if escape:
            byte = int(escape[1], 16)
            if byte < 0x80 and chr(byte) not in MARKS + " \t\r\n":
                return False
            rest = rest[3:]
        elif rest[0] in MARKS:
            rest = rest[1:]
        else:
            return False
    return True


def canonical(text):
    """"Token text", step 1: the digits, and what follows."""
    run = re.match(r"[0-9A-TV-Za-tv-z]*", text, re.ASCII)[0]
    return run.lower().replace("o", "0").replace("i", "1").replace("l", "1"), text[len(run):]


def decode(text):
    digits, rest = canonical(text)
    bits = "".join(f"{DIGITS.index(digit):05b}" for digit in digits)
    n_bytes = len(bits) // 8
    fill = bits[8 * n_bytes:]
    if not 28 <= n_bytes <= 76 or len(fill) >= 5 or "1" in fill or not is_marks(rest):
        raise Malformed
    return int(bits[:8 * n_bytes], 2).to_bytes(n_bytes, "big")


def encode(data):
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    return "".join(DIGITS[int(bits[at:at + 5], 2)] for at in range(0, len(bits), 5))


def blake2b(key, prefix, kid, brand, rest, size):
    brand = brand.encode()
    message = bytes([prefix, kid, len(brand)]) + brand + rest
    return hashlib.blake2b(message, key=key, digest_size=size).digest()


def xor(left, right):
    return bytes(a ^ b for a, b in zip(left, right))


def seal(key, kid, brand, plain):
    tag = blake2b(key, 1, kid, brand, plain, 32)[:12]
    return bytes([kid]) + tag + xor(plain, blake2b(key, 2, kid, brand, tag, 64))


def open_token(text, brand):
    """(kid, T, P)"""
    data = decode(text)
    kid, tag, covered = data[0], data[1:13], data[13:]
    if kid not in KEYS:
        raise UnknownKey
    plain = xor(covered, blake2b(KEYS[kid], 2, kid, brand, tag, 64))
    if not hmac.compare_digest(tag, blake2b(KEYS[kid], 1, kid, brand, plain, 32)[:12]):
        raise Forged
    if plain[0] >> 4 == 0 or not re.fullmatch(rb"[A-Za-z0-9._~-]*", plain[15:]):
        raise Malformed
    return kid, tag, plain


def read(plain):
    number = int.from_bytes
    return {
        "kind": plain[0] >> 4, "object": number(plain[1:5], "big"),
        "client": number(plain[5:9], "big"), "campaign": number(plain[9:11], "big"),
        "issued_min": number(plain[11:14], "big"), "ttl_code": plain[0] & 15,
        "channel": plain[14] >> 5, "variant": plain[14] >> 2 & 7, "silent": bool(plain[14] & 2),
        "once": bool(plain[14] & 1), "arg": plain[15:].decode(),
    }


def write(fields):
    return (bytes([fields["kind"] << 4 | fields["ttl_code"]])
            + fields["object"].to_bytes(4, "big") + fields["client"].to_bytes(4, "big")
            + fields["campaign"].to_bytes(2, "big") + fields["issued_min"].to_bytes(3, "big")
            + bytes([fields["channel"] << 5 | fields["variant"] << 2 | fields["silent"] << 1
                     | fields["once"]]) + fields["arg"].encode())


def names(case):
    return case["name"]


@pytest.mark.parametrize("case", VECTORS["valid"], ids=names)
def test_a_valid_token_opens_to_its_fields_and_seals_to_its_text(case):
    kid, tag, plain = open_token(case["text"], case["brand"])
    assert kid == case["kid"]
    assert read(plain) == case["fields"]
    assert tag[:8].hex() == case["link_id"]
    assert canonical(case["text"])[0] == case["token"]
    assert encode(seal(KEYS[kid], kid, case["brand"], write(case["fields"]))) == case["token"]
    issued_s = 1704067200 + 60 * case["fields"]["issued_min"]
    ttl_s = TTL_S[case["fields"]["ttl_code"]]
    assert issued_s == case["issued_s"]
    assert case["expires_s"] == (None if ttl_s is None else issued_s + ttl_s)


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=names)
def test_an_invalid_token_is_refused_for_its_reason(case):
    with pytest.raises(REASONS[case["reason"]]):
        open_token(case["text"], case["brand"])


def test_the_vectors_cover_what_they_should():
    valid = VECTORS["valid"]
    assert len(valid) >= 24 and len(VECTORS["invalid"]) >= 40
    assert {case["fields"]["kind"] for case in valid} == set(range(1, 16))
    assert {case["fields"]["ttl_code"] for case in valid} == set(range(16))
    assert {case["fields"]["channel"] for case in valid} == set(range(8))
    assert {case["fields"]["variant"] for case in valid} == set(range(8))
    assert {1, 48} <= {len(case["fields"]["arg"]) for case in valid}
    assert {case["reason"] for case in VECTORS["invalid"]} == set(REASONS)
