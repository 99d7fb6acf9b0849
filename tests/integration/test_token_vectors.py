"""proto/vectors/token.json against a reading of FORMATS.md alone: nothing here knows the C code."""
import hashlib
import hmac
import json
import re

import pytest

from harness.build import ROOT

DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
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


HEX2 = "[0-9A-Fa-f]{2}"
BYTE = re.compile(f"%25({HEX2})|%({HEX2})|(.)", re.DOTALL)
DIGIT = "[0-9A-TV-Za-tv-z]"
BLANK = r"[\x00-\x20\x7f-\xff+]"
PAIR = "(?:[01][0-9A-Fa-f]|20|7[Ff]|[89A-Fa-f][0-9A-Fa-f]|2[Bb]|3[Dd])"
MARKUP = "&#?[0-9A-Za-z]{1,16};|<[^<>]{1,16}>"
BREAKS = [re.compile(f"{BLANK}|[!>]|={pair}|{MARKUP}", re.DOTALL) for pair in (f"(?:{PAIR})?", "")]


def canonical(digits):
    return digits.lower().translate(str.maketrans("oil", "011"))


def decode(digits):
    """The bytes of a string of digits."""
    bits = "".join(f"{DIGITS.index(digit):05b}" for digit in canonical(digits))
    n_bytes = len(bits) // 8
    fill = bits[8 * n_bytes:]
    if not 28 <= n_bytes <= 76 or len(fill) >= 5 or "1" in fill:
        raise Malformed
    return int(bits[:8 * n_bytes], 2).to_bytes(n_bytes, "big")


def read(raw, breaks):
    """"Token text", one reading: the whole, the other ends, and the digits before the first quoted byte."""
    items = [(chr(int(m[1] or m[2], 16)) if m[1] or m[2] else m[3], bool(m[1] or m[2]))
             for m in BYTE.finditer(raw)]
    text = "".join(char for char, _ in items)
    at, digits, ends, encoded_yet, quoted_at = 0, "", [], False, None
    while at < len(text):
        gap = breaks.match(text, at)
        if gap:
            if re.match("=.", gap[0]) and quoted_at is None:
                quoted_at = len(digits)
            ends.append(digits)
            at = gap.end()
        elif re.match(DIGIT, text[at]):
            if items[at][1] and not encoded_yet:
                ends.append(digits)
                encoded_yet = True
            digits += text[at]
            at += 1
        elif not digits and not re.match("[0-9A-Za-z]", text[at]):
            at += 1
        else:
            break
    whole = re.sub("https?$", "", digits, flags=re.IGNORECASE) if text[at:at + 1] == ":" else digits
    return whole, ends, quoted_at


def is_whole(digits):
    try:
        return bool(decode(digits))
    except Malformed:
        return False


def strings(text):
    """"Token text": what is opened, in this order."""
    yield (first := re.match(f"{DIGIT}*", text)[0])
    raw = text.encode()[:2048].decode("latin-1")
    whole, ends, quoted_at = read(raw, BREAKS[0])
    readings = [(whole, ends)]
    if quoted_at is not None:
        whole, ends, _ = read(raw, BREAKS[1])
        readings.append((whole, [end for end in ends if len(end) > quoted_at]))
    queues = []
    for whole, ends in readings:
        whole = whole if whole != first and is_whole(whole) else None
        others = dict.fromkeys(end for end in ends if len(end) > len(first) and is_whole(end) and end != whole)
        queues.append([whole, *others])
    turns = [queue[i] for i in range(max(map(len, queues))) for queue in queues if i < len(queue) and queue[i]]
    yield from turns[:5]


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
    """(kid, T, P, the canonical text)"""
    why = Malformed
    for digits in strings(text) if len(text.encode()) >= 45 else ():
        try:
            return *open_digits(digits, brand), canonical(digits)
        except (Malformed, UnknownKey, Forged) as error:
            why = type(error) if why is Malformed else why
    raise why


def open_digits(digits, brand):
    data = decode(digits)
    kid, tag, covered = data[0], data[1:13], data[13:]
    if kid not in KEYS:
        raise UnknownKey
    plain = xor(covered, blake2b(KEYS[kid], 2, kid, brand, tag, 64))
    if not hmac.compare_digest(tag, blake2b(KEYS[kid], 1, kid, brand, plain, 32)[:12]):
        raise Forged
    if plain[0] >> 4 == 0 or not re.fullmatch(rb"[A-Za-z0-9._~-]*", plain[15:]):
        raise Malformed
    return kid, tag, plain


def fields_of(plain):
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
    kid, tag, plain, text = open_token(case["text"], case["brand"])
    assert kid == case["kid"]
    assert fields_of(plain) == case["fields"]
    assert tag[:8].hex() == case["link_id"]
    assert text == case["token"]
    assert encode(seal(KEYS[kid], kid, case["brand"], write(case["fields"]))) == case["token"]
    issued_s = 1704067200 + 60 * case["fields"]["issued_min"]
    ttl_s = TTL_S[case["fields"]["ttl_code"]]
    assert issued_s == case["issued_s"]
    assert case["expires_s"] == (None if ttl_s is None else issued_s + ttl_s)


@pytest.mark.parametrize("case", VECTORS["changed"], ids=names)
def test_a_token_that_was_changed_on_its_way_opens(case):
    assert open_token(case["text"], case["brand"])[3] == case["token"]


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=names)
def test_an_invalid_token_is_refused_for_its_reason(case):
    with pytest.raises(REASONS[case["reason"]]):
        open_token(case["text"], case["brand"])


def test_the_vectors_cover_what_they_should():
    valid = VECTORS["valid"]
    assert len(valid) >= 24 and len(VECTORS["invalid"]) >= 40 and len(VECTORS["changed"]) >= 100
    assert {case["fields"]["kind"] for case in valid} == set(range(1, 16))
    assert {case["fields"]["ttl_code"] for case in valid} == set(range(16))
    assert {case["fields"]["channel"] for case in valid} == set(range(8))
    assert {case["fields"]["variant"] for case in valid} == set(range(8))
    assert {1, 48} <= {len(case["fields"]["arg"]) for case in valid}
    assert {case["reason"] for case in VECTORS["invalid"]} == set(REASONS)
