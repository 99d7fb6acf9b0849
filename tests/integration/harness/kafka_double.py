"""A double of a Kafka broker that keeps what it is sent: the documented rules of idempotent producers, and faults.

librdkafka's own mock (kafka_cluster.py) looks at no sequence numbers; this one takes a batch of a producer only
if it follows the one before, answers a batch of the last five again without taking it again, and refuses the
rest, as Kafka does.  It is one broker with one topic, speaks the versions below and takes no compression.
`faults` is called with each batch and says what happens: None, "lose the reply" (it is taken), "hang up" (it
isn't), "hang" (it is taken, and never answered), "hang before" (it isn't), "forget" (what was known of producers is
forgotten), "late" (it is taken, and the answer is REQUEST_TIMED_OUT), or a number, which is the error of the
answer to a batch that isn't taken.
"""
import collections
import socketserver
import struct
import threading

PRODUCE, FETCH, METADATA, HANDSHAKE, VERSIONS, INIT_PRODUCER, AUTHENTICATE = 0, 1, 3, 17, 18, 22, 36
NOT_LEADER, TIMED_OUT, NOT_ENOUGH_REPLICAS, AUTHORIZATION_FAILED = 6, 7, 19, 29
UNSUPPORTED_VERSION, OUT_OF_ORDER, DUPLICATE, UNKNOWN_PRODUCER = 35, 45, 46, 59


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, layout):
        values = struct.unpack_from(">" + layout, self.data, self.at)
        self.at += struct.calcsize(">" + layout)
        return values if len(values) > 1 else values[0]

    def text(self):
        size = self.take("h")
        value, self.at = self.data[self.at:self.at + max(0, size)], self.at + max(0, size)
        return value.decode()

    def bytes(self):
        size = self.take("i")
        value, self.at = self.data[self.at:self.at + size], self.at + size
        return value


class KafkaServer(socketserver.ThreadingTCPServer):
    """Frames and the question for versions; `handlers` are {api: (version, function of the request's Reader)}, which
    give the reply, or None to close the connection."""

    daemon_threads, allow_reuse_address = True, True

    def __init__(self, handlers):
        self.handlers = handlers
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def versions(self, version):
        if version > 0:
            return struct.pack(">hi", UNSUPPORTED_VERSION, 0)  # it asks again with an older one
        known = {VERSIONS: 0, **{api: version for api, (version, _) in self.handlers.items()}}
        return struct.pack(">hi", 0, len(known)) + b"".join(struct.pack(">hhh", api, 0, v) for api, v in known.items())

    def handle_error(self, *_):
        pass  # a client that has gone

    def on_replied(self, api):
        """The reply to a request has left."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            while head := self.rfile.read(4):
                request = Reader(self.rfile.read(struct.unpack(">I", head)[0]))
                api, version, number = request.take("hhi")
                request.text()  # the client's name
                reply = self.server.versions(version) if api == VERSIONS else self.server.handlers[api][1](request)
                if reply is None:
                    return
                self.wfile.write(struct.pack(">Ii", 4 + len(reply), number) + reply)
                self.server.on_replied(api)


class KafkaDouble(KafkaServer):
    def __init__(self, topic="hopcount.clicks", n_partitions=4):
        self.topic, self.n_partitions, self.lock = topic, n_partitions, threading.Lock()
        self.batches = []                                # the records of each, as they were sent
        self.ends = collections.Counter()                # partition -> offset
        self.producers = {}                              # (partition, id, epoch) -> (first, last, offset) of the last five
        self.n_producers = self.n_duplicates = 0
        self.faults, self.held = lambda n: None, threading.Event()
        self.n_batches = 0
        super().__init__({PRODUCE: (3, self.produce), FETCH: (4, None), METADATA: (1, self.metadata),
                          INIT_PRODUCER: (0, self.init_producer)})

    @property
    def brokers(self):
        return f"127.0.0.1:{self.port}"

    def metadata(self, _):
        partitions = b"".join(struct.pack(">hiiiiii", 0, i, 1, 1, 1, 1, 1) for i in range(self.n_partitions))
        return (struct.pack(">ii", 1, 1) + text("127.0.0.1") + struct.pack(">i", self.port) + struct.pack(">h", -1)
                + struct.pack(">iih", 1, 1, 0) + text(self.topic) + struct.pack(">?i", False, self.n_partitions) + partitions)

    def init_producer(self, _):
        with self.lock:
            self.n_producers += 1
            return struct.pack(">ihqh", 0, 0, self.n_producers, 0)

    def produce(self, request):
        request.text()
        acks, _, _ = request.take("hii")
        topic = request.text()
        n_partitions, partition = request.take("ii")
        assert acks == -1 and topic == self.topic and n_partitions == 1, (acks, topic, n_partitions)
        with self.lock:
            outcome = self.take(partition, request.bytes())
        if outcome is None:
            return None
        if isinstance(outcome, str):
            self.held.wait(60)
            return None
        error, offset = outcome
        return struct.pack(">i", 1) + text(self.topic) + struct.pack(">iihqqi", 1, partition, error, offset, -1, 0)

    def take(self, partition, batch):
        """(error, offset), None to hang up, or "hang"."""
        self.n_batches += 1
        fault = self.faults(self.n_batches)
        if isinstance(fault, int):
            return fault, -1
        if fault in ("hang up", "hang before"):
            return None if fault == "hang up" else "hang"
        if fault == "forget":
            self.producers.clear()
        outcome = self.append(partition, batch)
        if fault == "lose the reply":
            return None
        if fault == "hang":
            return "hang"
        return (TIMED_OUT, -1) if fault == "late" else outcome

    def append(self, partition, batch):
        """KIP-98: a batch of a producer follows its last one, or is one of its last five, or is refused."""
        attributes, = struct.unpack_from(">h", batch, 21)
        producer, epoch, first, n = struct.unpack_from(">qhii", batch, 43)
        assert batch[16] == 2 and attributes & 7 == 0 and producer > 0 and n > 0, (batch[16], attributes, producer, n)
        seen = self.producers.get((partition, producer, epoch))
        last = first + n - 1
        if seen is None and first != 0:
            return UNKNOWN_PRODUCER, -1
        seen = self.producers.setdefault((partition, producer, epoch), collections.deque(maxlen=5))
        for known_first, known_last, offset in seen:
            if (known_first, known_last) == (first, last):
                self.n_duplicates += 1
                return 0, offset
        expected = seen[-1][1] + 1 if seen else 0
        if first != expected:
            return DUPLICATE if first < expected else OUT_OF_ORDER, -1
        offset = self.ends[partition]
        self.ends[partition] += n
        seen.append((first, last, offset))
        self.keep(batch)
        return 0, offset

    def keep(self, batch):
        self.batches.append(batch[61:])

    def heal(self):
        self.faults = lambda n: None
        self.held.set()
        self.held = threading.Event()

    def close(self):
        self.heal()
        self.shutdown()
        self.server_close()
