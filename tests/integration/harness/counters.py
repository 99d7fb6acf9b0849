"""Time series of clicks in Redis, as proto/FORMATS.md says, made without the program."""
import collections
import datetime
import hashlib
import struct

UTC = datetime.timezone.utc
DIMENSIONS = {"label": (0, "l"), "country": (1, "c"), "device": (2, "d"), "variant": (3, "v"), "channel": (4, "n"),
              "reason": (5, "r"), "browser": (6, "b"), "system": (7, "s"), "referrer": (8, "f"),
              "campaign": (10, "p")}

Click = collections.namedtuple("Click", "brand time kind campaign label country device variant channel referrer",
                               defaults=(0, 0, 0, 0))


def brand_number(brand):
    return hashlib.blake2b(brand.encode(), digest_size=32).hexdigest()[:8]


def value_of(click, dimension):
    if dimension == "country":
        return int.from_bytes(click.country.encode(), "big") if click.country else 0
    return getattr(click, dimension, 0)


def record(dimension, bucket, kind, value, automated, count):
    """A record of a series."""
    return struct.pack(">HHi", 2 << 14 | DIMENSIONS[dimension][0] << 10 | bucket << 5 | kind << 1 | automated,
                       value, count)


def records(series):
    """What the records of a series say: (number of the dimension, bucket, kind, value, automated, count)."""
    for cell, value, count in struct.iter_unpack(">HHi", series):
        if cell >> 14 == 2:
            yield cell >> 10 & 15, cell >> 5 & 31, cell >> 1 & 15, value, cell & 1, count


def places(click, dimension):
    """The keys that a click goes under, without their beginning, and the buckets there."""
    time = click.time.astimezone(UTC)
    letter = DIMENSIONS[dimension][1]
    yield f"*:h:{letter}:{time:%Y%m%d}", time.hour
    yield f"*:d:{letter}:{time:%Y%m%d}", time.day
    yield f"*:m:{letter}:{time:%Y%m}", 0
    if dimension != "campaign":
        yield f"{click.campaign}:h:{time:%Y%m%d}", time.hour
        yield f"{click.campaign}:d:{time:%Y%m}", time.day


def seed(client, clicks):
    """Adds the clicks to the series of hours, days and months of all dimensions, in one shard."""
    counts = collections.Counter()
    for click in clicks:
        for dimension in DIMENSIONS:
            for key, bucket in places(click, dimension):
                counts[f"hc:{{s00}}:t:{brand_number(click.brand)}:{key}", dimension, bucket, click.kind,
                       value_of(click, dimension), int(click.label != 0)] += 1
    pipeline = client.pipeline(transaction=False)
    for (key, *cell), n in counts.items():
        pipeline.append(key, record(*cell, n))
    pipeline.execute()


def seed_clients(client, brand, campaign, day, numbers, letter="u"):
    """Adds clients, or visitors (letter v), to the HyperLogLogs of a day and its month."""
    for period in (f"{day:%Y%m%d}", f"{day:%Y%m}"):
        client.pfadd(f"hc:{{s00}}:{letter}:{brand_number(brand)}:{campaign}:{period}", *map(str, numbers))


def nobody_waits(client):
    """All clicks have waited for as long as they might be a mail gateway's; so all clients are counted."""
    return not any(client.get(key) for key in client.scan_iter("hc:{s*}:wq"))
