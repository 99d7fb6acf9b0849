"""HyperLogLogs of Redis (FORMATS.md "People by the hour"), written from their description."""
REGISTERS, MASK, FACTOR, SEED = 16384, (1 << 64) - 1, 0xc6a4a7935bd1e995, 0xadc83b19


def hash_of(element):
    """MurmurHash64A."""
    hashed, whole = SEED ^ len(element) * FACTOR & MASK, len(element) // 8 * 8
    for i in range(0, whole, 8):
        word = int.from_bytes(element[i:i + 8], "little") * FACTOR & MASK
        hashed = (hashed ^ (word ^ word >> 47) * FACTOR & MASK) * FACTOR & MASK
    if element[whole:]:
        hashed = (hashed ^ int.from_bytes(element[whole:], "little")) * FACTOR & MASK
    hashed = (hashed ^ hashed >> 47) * FACTOR & MASK
    return hashed ^ hashed >> 47


def place(element):
    """Register and rank."""
    rest = hash_of(element) >> 14 | 1 << 50
    return hash_of(element) % REGISTERS, (rest & -rest).bit_length()


def element_at(register, rank):
    """8 bytes that are counted there: the hash backwards."""
    back = pow(FACTOR, -1, 1 << 64)
    hashed = (1 << rank - 1 if rank <= 50 else 0) << 14 | register
    for _ in range(2):
        hashed = (hashed ^ hashed >> 47) * back & MASK
    word = (hashed ^ SEED ^ 8 * FACTOR & MASK) * back & MASK
    return ((word ^ word >> 47) * back & MASK).to_bytes(8, "little")


def record(hour, element):
    register, rank = place(element)
    return (hour << 20 | register << 6 | rank).to_bytes(4, "big")


def registers(text):
    """The ranks that a HyperLogLog holds, by register."""
    assert text[:4] == b"HYLL" and text[5:8] == bytes(3) and text[4] < 2
    body, at, ranks = text[16:], 0, {}
    if text[4] == 0:
        number = int.from_bytes(body, "little")
        return {i: rank for i in range(REGISTERS) if (rank := number >> 6 * i & 63)}
    while body:
        if body[0] < 64:
            n, used, rank = body[0] + 1, 1, 0
        elif body[0] < 128:
            n, used, rank = (body[0] - 64) * 256 + body[1] + 1, 2, 0
        else:
            n, used, rank = body[0] % 4 + 1, 1, (body[0] - 128) // 4 + 1
        ranks.update({i: rank for i in range(at, at + n) if rank})
        at, body = at + n, body[used:]
    assert at == REGISTERS
    return ranks
