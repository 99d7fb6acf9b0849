"""Time series of clicks in Redis, as proto/FORMATS.md says, made without the program."""
import collections
import datetime
import hashlib

UTC = datetime.timezone.utc
LETTERS = {"label": "l", "country": "c", "device": "d", "variant": "v", "channel": "n", "reason": "r",
           "browser": "b", "system": "s", "referrer": "f", "campaign": "p"}

Click = collections.namedtuple("Click", "brand time kind campaign label country device variant channel referrer",
                               defaults=(0, 0, 0, 0))


def brand_number(brand):
    return hashlib.blake2b(brand.encode(), digest_size=32).hexdigest()[:8]


def value_of(click, dimension):
    if dimension == "country":
        return click.country or "--"
    return getattr(click, dimension, 0)


def seed(client, clicks):
    """Adds the clicks to hour and day series of all dimensions, in one shard."""
    counts = collections.Counter()
    for click in clicks:
        time = click.time.astimezone(UTC)
        automated = int(click.label != 0)
        for dimension, letter in LETTERS.items():
            value = value_of(click, dimension)
            for campaign in ("*",) if dimension == "campaign" else ("*", click.campaign):
                key = f"hc:{{s00}}:t:{brand_number(click.brand)}:{campaign}"
                tail = f"{click.kind}.{value}.{automated}"
                counts[f"{key}:h:{letter}:{time:%Y%m%d}", f"{time:%H}.{tail}"] += 1
                counts[f"{key}:d:{letter}:{time:%Y%m}", f"{time:%d}.{tail}"] += 1
    pipeline = client.pipeline(transaction=False)
    for (key, field), n in counts.items():
        pipeline.hincrby(key, field, n)
    pipeline.execute()


def seed_clients(client, brand, campaign, day, numbers, letter="u"):
    """Adds clients, or visitors (letter v), to the HyperLogLogs of a day and its month."""
    for period in (f"{day:%Y%m%d}", f"{day:%Y%m}"):
        client.pfadd(f"hc:{{s00}}:{letter}:{brand_number(brand)}:{campaign}:{period}", *map(str, numbers))
