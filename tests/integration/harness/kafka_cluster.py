"""librdkafka's mock cluster in a process of its own (tests/sinks/kafka_mock.c)."""
import json
import subprocess

from .build import BUILD


def records_of(message):
    """The records in a message, which must be as its headers say."""
    records = [json.loads(line) for line in message["value"].split("\n")]
    assert len(records) == 1 or message["schema"] == "hopcount.records/1", message
    assert message["key"] == message["log"] == records[0]["log"]
    assert int(message["position"]) == records[0]["position"]
    return records


class Cluster:
    """`kept`, a path: every message is kept there, where the mock itself forgets the oldest."""

    def __init__(self, topic="hopcount.clicks", kept=None):
        self.kept = kept
        self.child = subprocess.Popen([BUILD / "tests" / "kafka_mock", topic, *([kept] if kept else [])], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.brokers = self.child.stdout.readline().strip()

    def tell(self, command):
        self.child.stdin.write(command + "\n")
        self.child.stdin.flush()
        lines = list(iter(lambda: self.child.stdout.readline().strip(), "ok"))
        return [json.loads(line) for line in lines if line != "end"]

    def read(self):
        """(records, each once by log and position; how many messages there are)."""
        messages, records = self.tell("read"), {}
        for message in messages:
            for record in records_of(message):
                records[record["log"], record["position"]] = record
        return list(records.values()), len(messages)

    def read_kept(self):
        """Every message that there ever was, one by one."""
        told, = self.tell("kept")
        assert told["missed"] == 0, f"the mock has forgotten {told['missed']} messages before they were read"
        with open(self.kept, encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)

    def close(self):
        self.child.stdin.close()
        self.child.wait(20)
