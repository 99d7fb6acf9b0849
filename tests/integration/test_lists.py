"""Whole lists of invoices (`limit=all`): in one reply, a piece at a time, while all else goes on."""
import http.client
import socket
import struct
import time

import pytest

from harness.funnel import EPOCH_S, brand_number
from harness.wait import wait_until

INVOICES = 100_000
BLOCKS = INVOICES // 64 + 1
CAMPAIGN = 7
LIST = f"campaign={CAMPAIGN}&from=30d&limit=all"


def fill(client, now):
    """Invoices 1 to INVOICES as the batch script keeps them: all mailed, the odd ones clicked."""
    sent = (now - 86400 - EPOCH_S) // 60
    month = time.strftime("%Y%m", time.gmtime(EPOCH_S + sent * 60))
    pipe = client.pipeline(transaction=False)
    for block in range(BLOCKS):
        text = b""
        for object in range(max(1, block * 64), min(block * 64 + 64, INVOICES + 1)):
            facts = struct.pack(">BI", 1 << 4, object + 5) + struct.pack(">BHBBH", 2 << 4, CAMPAIGN, 1, sent >> 16, sent & 0xffff)
            if object % 2:
                facts += struct.pack(">BHBBHI", 3 << 4 | 2, CAMPAIGN, 1, sent >> 16, sent & 0xffff, now - 3600 - EPOCH_S)
            text += struct.pack(">BH", object % 64, len(facts)) + facts
        pipe.set(f"hc:{{s00}}:f:{brand_number()}:{block:07x}", text)
    pipe.set(f"hc:{{s00}}:fi:{brand_number()}:{CAMPAIGN}:{month}", b"".join(struct.pack(">I", n) for n in range(BLOCKS)))
    pipe.execute()


@pytest.fixture
def daemon(make_hopcountd, redis):
    fill(redis.client(), int(time.time()))
    return make_hopcountd(redis)


def block_reads(redis):
    return redis.client().info("commandstats").get("cmdstat_mget", {"calls": 0})["calls"]


def open_list(daemon, query=LIST, what="unclicked"):
    """A client that asks and then takes next to nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", daemon.admin_port))
    client.settimeout(60)
    client.sendall(f"GET /v1/{what}?{query} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {daemon.api_key}\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(64)
    assert head.startswith(b"HTTP/1.1 200 ") and b"Transfer-Encoding: chunked\r\n" in head, head
    return client


@pytest.mark.alone
def test_a_whole_list_is_one_reply(daemon, capsys):
    begin = time.monotonic()
    table = daemon.admin("GET", f"/v1/clicked?{LIST}&format=csv", key=True)
    seconds = time.monotonic() - begin
    assert table.getheader("Transfer-Encoding") == "chunked"
    assert table.getheader("Content-Disposition") == 'attachment; filename="hopcount-clicked.csv"'
    lines = table.text.split("\r\n")
    assert [line.split(",")[0] for line in lines[1:-1]] == [str(n) for n in range(1, INVOICES + 1, 2)]
    with capsys.disabled():
        print(f"\n{len(lines) - 2} rows, {len(table.text) / 1e6:.1f} MB of CSV in {seconds:.2f} s")
    whole = daemon.api("GET", f"/v1/unclicked?{LIST}")
    assert [row["object"] for row in whole["rows"]] == list(range(2, INVOICES + 1, 2))
    assert whole["next_page"] is None and whole["as_of"]
    page = daemon.api("GET", f"/v1/unclicked?campaign={CAMPAIGN}&from=30d&limit=3")
    assert page["rows"] == whole["rows"][:3] and page["next_page"] == 8
    assert {key: page[key] for key in ("brand", "campaign")} == {key: whole[key] for key in ("brand", "campaign")}
    assert whole["rows"][0] == {"object": 2, "client": 7, "sent_at": page["rows"][0]["sent_at"], "first_click_at": None,
                                "last_click_at": None, "channel": "mail", "variant": "none", "state": None}
    rest = daemon.api("GET", f"/v1/unclicked?{LIST}&page=99990")
    assert [row["object"] for row in rest["rows"]] == list(range(99990, INVOICES + 1, 2))
    assert daemon.api("GET", "/v1/clicked?campaign=8&limit=all")["rows"] == []
    head = daemon.admin("HEAD", f"/v1/clicked?{LIST}", key=True)
    assert head.status == 200 and head.text == ""
    for limit in ("0", "10001", "every"):
        reply = daemon.admin("GET", f"/v1/clicked?campaign=7&limit={limit}", key=True)
        assert reply.status == 400 and "from 1 to 10000, or all" in reply.text


def test_slow_readers_hold_up_nothing(daemon, redis):
    """Four clients ask for lists and read nothing: no more is read from Redis for them than was sent."""
    idle = daemon.metrics()["hopcount_admin_requests"]
    link = daemon.mint("pay", 5)
    readers = [open_list(daemon) for _ in range(4)]
    reply = daemon.admin("GET", f"/v1/unclicked?{LIST}", key=True)
    assert reply.status == 503 and "oo many whole lists" in reply.text and reply.getheader("Retry-After")
    for _ in range(20):
        daemon.click(link)
        assert len(daemon.api("GET", f"/v1/clicked?campaign={CAMPAIGN}&from=30d&limit=5")["rows"]) == 5
        assert daemon.api("GET", "/v1/funnel?from=30d")["rows"] is not None
    daemon.wait_counted(20, [link])
    whole = 4 * BLOCKS // 32
    others = 20 * 4
    assert block_reads(redis) < others + whole / 2, "lists are read ahead of their clients"
    wait_until(lambda: daemon.metrics()["hopcount_admin_requests"] == idle, 60, "they are cut off")
    assert block_reads(redis) < others + whole / 2
    for reader in readers:
        with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            while reader.recv(65536):
                pass
            raise http.client.IncompleteRead(b"")
        reader.close()
    assert len(daemon.api("GET", f"/v1/clicked?{LIST}")["rows"]) == INVOICES // 2


def test_a_reader_that_goes_away_ends_it(daemon, redis):
    idle = daemon.metrics()["hopcount_admin_requests"]
    for _ in range(8):
        open_list(daemon).close()
    wait_until(lambda: daemon.metrics()["hopcount_admin_requests"] == idle, 60)
    assert block_reads(redis) < 8 * BLOCKS // 32 / 2


def test_a_list_that_breaks_off_is_seen_to(make_hopcountd, redis):
    """Redis goes away in the middle: the client must not take what it has for all."""
    fill(redis.client(), int(time.time()))
    daemon = make_hopcountd(redis)
    reader = open_list(daemon)
    redis.kill()
    got = b""
    with pytest.raises(ConnectionResetError):
        while part := reader.recv(65536):
            got += part
        raise AssertionError(f"it ended like a whole reply, after {len(got)} bytes")
    assert not got.endswith(b"0\r\n\r\n")


def test_it_stops_while_a_client_reads_a_list(daemon):
    readers = [open_list(daemon) for _ in range(2)]
    daemon.shut_down()
    for reader in readers:
        reader.close()
