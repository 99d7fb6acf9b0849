"""A double of ClickHouse's HTTP port: the documented rules of insert_deduplication_token, and faults.

It keeps rows of RowBinary, one block an INSERT; a token that is in the window makes an INSERT a
success without rows.  `faults` is called with each INSERT and says what happens: None, "lose the
reply" (the rows are there), "refuse" (they aren't), "forget" (the window is empty from now on, and the
reply is lost), "hang up" (before anything is read).
"""
import collections
import re
import struct
import urllib.parse

from .endpoint import Answer, Endpoint

TEXT, U16, U32, U64, I64, LOG = "text", "<H", "<I", "<Q", "<q", "log"
COLUMNS = [("log", LOG), ("position", U64), ("written_at", U32), ("type", TEXT), ("time", I64), ("brand", TEXT),
           ("kind", TEXT), ("link", U64), ("object", U64), ("client", U64), ("campaign", U16),
           ("channel", TEXT), ("variant", TEXT), ("label", TEXT), ("reason", TEXT),
           ("old_label", TEXT), ("old_reason", TEXT), ("country", TEXT), ("device", TEXT),
           ("browser", TEXT), ("system", TEXT), ("referrer", TEXT), ("value", U32), ("amount", I64),
           ("currency", TEXT)]


def decode_rows(data):
    rows, at = [], 0
    while at < len(data):
        row = {}
        for name, kind in COLUMNS:
            if kind == TEXT:
                size, at = data[at], at + 1
                row[name], at = data[at:at + size].decode(), at + size
            elif kind == LOG:
                row[name], at = data[at:at + 16].hex(), at + 16
            else:
                row[name], = struct.unpack_from(kind, data, at)
                at += struct.calcsize(kind)
        rows.append(row)
    return rows


class ClickHouseDouble(Endpoint):
    def __init__(self, window=100, knows_tokens=True):
        super().__init__(self.serve)
        self.rows, self.tokens = [], collections.deque(maxlen=window)
        self.knows_tokens = knows_tokens
        self.faults = lambda n: None
        self.n_inserts = self.n_asked = self.n_duplicates = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def keep(self, rows):
        self.rows += rows

    def positions(self, log, begin, end):
        """The positions of a log's rows from `begin` to before `end`, as often as they are there."""
        return [row["position"] for row in self.rows if row["log"] == log and begin <= row["position"] < end]

    def serve(self, request):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)
        if "query" in query:
            return self.insert(request, query)
        self.n_asked += 1
        found = re.fullmatch(r"SELECT count\(\), max\(position\) FROM \S+ WHERE log = unhex\('(\w+)'\) AND "
                             r"position >= (\d+) AND position < (\d+) FORMAT TabSeparated",
                             request.body.decode())
        positions = self.positions(found[1], int(found[2]), int(found[3]))
        return Answer(body=f"{len(positions)}\t{max(positions, default=0)}\n".encode())

    def insert(self, request, query):
        assert query["query"][0].startswith("INSERT INTO hopcount.clicks (log,position,")
        token = query.get("insert_deduplication_token", [None])[0]
        if token and not self.knows_tokens:
            return Answer(500, body=b"Code: 115, e.displayText() = DB::Exception: Unknown setting "
                                    b"insert_deduplication_token\n")
        self.n_inserts += 1
        fault = self.faults(self.n_inserts)
        if fault == "refuse":
            return Answer(500, body=b"Code: 241. DB::Exception: Memory limit (total) exceeded\nmore\n")
        if fault == "hang up":
            return Answer(lost=True)
        if token and token in self.tokens:
            self.n_duplicates += 1
        else:
            self.keep(decode_rows(request.body))
            self.tokens.append(token)
        if fault == "forget":
            self.tokens.clear()
        return Answer(lost=fault in ("lose the reply", "forget"))
