"""Logs that an earlier process left behind, written here as proto/FORMATS.md describes them."""
import hashlib
import struct
import time

from harness.tokens import link_id
from harness.wait import wait_until
from read_log import HEADER, MAGIC, RECORD, siphash24

PAY = 2
DAY_S = 86400
LOG_ID = bytes(range(16))


def seal(block):
    return block + siphash24(LOG_ID, block)[:4]


def record(position, token, time_s, campaign=7):
    """A click of the brand that every daemon of the tests has."""
    brand = int.from_bytes(hashlib.blake2b(b"acme", digest_size=32).digest()[:4], "big")
    kind = 1 << 28 | PAY << 24
    block = struct.pack("<QQqQIIIIH2sBBBBBBH", position, int(link_id(token), 16),
                        int(time_s * 1000), 0, brand, 1, 1, kind, campaign, b"DE", 1, 0, 0, 0, 0, 0,
                        0)
    return seal(block)


def write_segment(state_dir, sequence, records):
    """One that begins with the first of `records`; None among them leaves a slot empty."""
    first = struct.unpack_from("<Q", records[0])[0]
    time_ms = struct.unpack_from("<q", records[0], 16)[0]
    head = seal(struct.pack("<8sII16sQqIQ", MAGIC, 1, sequence, LOG_ID, first, time_ms,
                            len(records), 0))
    assert len(head) == HEADER
    directory = state_dir / "logs" / LOG_ID.hex()
    directory.mkdir(parents=True, exist_ok=True)
    body = b"".join(r or bytes(RECORD) for r in records)
    (directory / f"{sequence:08}.seg").write_bytes(head + body)


def conservation(metrics):
    accepted = metrics["hopcount_clicks_accepted_total"] + metrics["hopcount_clicks_recovered_total"]
    rest = (metrics["hopcount_clicks_applied"] + metrics["hopcount_clicks_pending"]
            + metrics.total("hopcount_clicks_dropped_total"))
    return accepted, rest


def wait_applied(daemon):
    wait_until(lambda: daemon.metrics()["hopcount_clicks_pending"] == 0, 20, "all is applied")
    return daemon.metrics()


def test_a_batch_that_is_full_just_behind_a_gap_counts_nothing_twice(make_hopcountd, redis):
    """What a batch sums up has room for so many campaigns and hours: here it ends a few clicks
    behind a segment that is missing."""
    daemon = make_hopcountd(redis, start=False)
    token = daemon.mint("pay", 1)
    now = int(time.time()) // 3600 * 3600

    def click(position, n):
        return record(position, token, now - 3600 * n, campaign=1 + n)

    records = [click(i, min(i, 99)) for i in range(256)]
    records += [click(256 + i, 100 + i) for i in range(150)]
    gap = 20
    behind = [click(406 + gap + i, 250 + i) for i in range(200)]
    write_segment(daemon.state_dir, 0, records)
    write_segment(daemon.state_dir, 2, behind)
    daemon.start()
    metrics = wait_applied(daemon)
    assert daemon.clicks(token)["total"] == len(records) + len(behind)
    assert metrics['hopcount_clicks_dropped_total{reason="damaged"}'] == gap
    assert metrics["hopcount_clicks_recovered_total"] == len(records) + gap + len(behind)
    accepted, rest = conservation(metrics)
    assert accepted == rest
    daemon.shut_down()


def test_damaged_records_are_dropped_once_however_often_they_are_replayed(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"redis": {"batch_max": 70}}, start=False)
    token = daemon.mint("pay", 1)
    records = [record(i, token, time.time()) for i in range(1000)]
    for i in range(5, 900, 50):
        records[i] = None if i % 100 < 50 else records[i][:20] + b"?" + records[i][21:]
    n_damaged = len(range(5, 900, 50))
    write_segment(daemon.state_dir, 0, records)
    daemon.start()
    wait_applied(daemon)
    cursor = f"hc:{{s00}}:cur:{LOG_ID.hex()}"
    for lost_from in (0, 333):
        # As after a failover: the counts go back, and the cursor with them.
        client = redis.client()
        client.flushall()
        if lost_from:
            client.set(cursor, lost_from)
        wait_until(lambda: client.get(cursor) == b"1000", 40, "it is replayed")
        metrics = wait_applied(daemon)
        n_left = n_damaged - len([i for i in range(5, 900, 50) if i < lost_from])
        assert daemon.clicks(token)["total"] == 1000 - lost_from - n_left
        assert metrics['hopcount_clicks_dropped_total{reason="damaged"}'] == n_damaged
        accepted, rest = conservation(metrics)
        assert accepted == rest == 1000
    daemon.shut_down()


def count_old_log(make_hopcountd, redis, days, cursor=None):
    """Starts on a log of 100 clicks that is so old; returns the daemon and what it counts."""
    daemon = make_hopcountd(redis, start=False)
    token = daemon.mint("pay", 1)
    then = time.time() - days * DAY_S
    write_segment(daemon.state_dir, 0, [record(i, token, then) for i in range(100)])
    if cursor:
        redis.client().set(f"hc:{{s00}}:cur:{LOG_ID.hex()}", cursor)
    daemon.start()
    metrics = wait_applied(daemon)
    counted = daemon.clicks(token)["total"]
    daemon.shut_down()
    return metrics["hopcount_clicks_lost_gap_total"], counted


def test_a_log_without_a_cursor_is_counted_while_a_cursor_would_live(make_hopcountd, redis):
    assert count_old_log(make_hopcountd, redis, 29) == (0, 100)


def test_a_log_whose_cursor_may_have_expired_is_not_counted_again(make_hopcountd, redis):
    """A process that is stopped leaves segments that it retained; started on them after a month it
    must not take the cursor that is gone for one that never was."""
    assert count_old_log(make_hopcountd, redis, 31) == (100, 0)


def test_an_old_log_whose_cursor_is_there_is_counted_from_it(make_hopcountd, redis):
    assert count_old_log(make_hopcountd, redis, 31, cursor=60) == (0, 40)
