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


def lone_record(click, count=1):
    """A lone click: all dimensions in one record."""
    time = click.time.astimezone(UTC)
    return struct.pack(">BBBBHHBBBb", 0xc0 | time.day, time.hour << 3 | click.label, click.kind << 4 | click.device,
                       click.variant << 3 | click.channel, click.campaign, value_of(click, "country"), 0, 0,
                       click.referrer << 4, count)


def lone_records(text):
    """What lone clicks say: (day, hour, kind, label, campaign, count)."""
    for day, hour, kind, _, campaign, _, _, _, _, count in struct.iter_unpack(">BBBBHHBBBb", text):
        if day >> 6 == 3:
            yield day & 31, hour >> 3, kind >> 4, hour & 7, campaign, count


def lone_countries(text):
    """How many of the lone clicks came from each country, by its number."""
    found = collections.Counter()
    for day, _, _, _, _, country, _, _, _, count in struct.iter_unpack(">BBBBHHBBBb", text):
        found[country] += count if day >> 6 == 3 else 0
    return found


def lone_keys(click):
    time = click.time.astimezone(UTC)
    return [f"{campaign}:a:{time:%Y%m}" for campaign in (click.campaign, "*")]


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


def seed(client, clicks, with_lone=True):
    """Adds the clicks to the series of hours, days and months of all dimensions, in one shard; every third to the
    lone clicks instead."""
    counts, lone = collections.Counter(), collections.defaultdict(bytes)
    for i, click in enumerate(clicks):
        if with_lone and i % 3 == 2:
            for key in lone_keys(click):
                lone[f"hc:{{s00}}:t:{brand_number(click.brand)}:{key}"] += lone_record(click)
            continue
        for dimension in DIMENSIONS:
            for key, bucket in places(click, dimension):
                counts[f"hc:{{s00}}:t:{brand_number(click.brand)}:{key}", dimension, bucket, click.kind,
                       value_of(click, dimension), int(click.label != 0)] += 1
    pipeline = client.pipeline(transaction=False)
    for (key, *cell), n in counts.items():
        pipeline.append(key, record(*cell, n))
    for key, records in lone.items():
        pipeline.append(key, records)
    pipeline.execute()


def cell(click, count=1):
    """A record of cells: `count` clicks that are all like this one, less than a minute after their mail."""
    country = 0 if not click.country else 1 + (ord(click.country[0]) - 65) * 26 + ord(click.country[1]) - 65
    number = 2
    for value, bits in ((click.time.astimezone(UTC).hour, 5), (click.kind, 4), (country, 10), (click.device, 2),
                        (0, 4), (0, 4), (click.channel, 3), (click.variant, 3), (click.referrer, 3),
                        (click.label, 3), (0, 6), (0, 4), (count & 0x7ff, 11)):
        number = number << bits | value
    return struct.pack(">Q", number)


def cell_counts(cells):
    """The counts of records of cells."""
    for (number,) in struct.iter_unpack(">Q", cells):
        if number >> 62 == 2:
            yield (number & 0x7ff ^ 0x400) - 0x400


def seed_cells(client, clicks, with_lone=True):
    """Adds the clicks to the cells of their campaigns and days, in one shard, but for those that seed() has made lone
    ones."""
    pipeline = client.pipeline(transaction=False)
    for i, click in enumerate(clicks):
        if with_lone and i % 3 == 2:
            continue
        day = click.time.astimezone(UTC)
        pipeline.append(f"hc:{{s00}}:x:{brand_number(click.brand)}:{click.campaign}:{day:%Y%m%d}", cell(click))
    pipeline.execute()


def seed_clients(client, brand, campaign, day, numbers, letter="u"):
    """Adds clients, or visitors (letter v), to the HyperLogLogs of a day and its month."""
    for period in (f"{day:%Y%m%d}", f"{day:%Y%m}"):
        client.pfadd(f"hc:{{s00}}:{letter}:{brand_number(brand)}:{campaign}:{period}", *map(str, numbers))


def nobody_waits(client):
    """All clicks have waited for as long as they might be a mail gateway's; so all clients are counted."""
    return not any(client.zcard(key) for key in client.scan_iter("hc:{s*}:ws"))
