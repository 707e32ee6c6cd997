"""The test kit in a process of its own: `kit_process.py start kafkapy|mock` or `kit_process.py state`.

Prints one line of JSON. It is run by the interpreter of kafkapy's installation, or by one that has confluent-kafka for
the mock, and imports nothing before its clock runs that a test would not have, too.
"""

import json
import sys
import time
from contextlib import AbstractContextManager
from typing import Any

TIMEOUT_SECONDS = 30
TESTS = 50
RECORDS = 100
SNAPSHOTS = 5
# ApiVersions v0 with correlation id 1 and no client id, behind its length.
API_VERSIONS = bytes.fromhex("0000000a 0012 0000 00000001 ffff")


def start(library: str) -> dict[str, float]:
    """Seconds from the first import to a broker that has answered, and to the next one in the same process."""
    make = {"kafkapy": _kafkapy, "mock": _mock}[library]
    seconds = []
    for _ in range(2):
        begin = time.perf_counter()
        with make():
            seconds.append(time.perf_counter() - begin)
    return {"first": seconds[0], "second": seconds[1]}


def _kafkapy() -> AbstractContextManager[object]:
    from contextlib import ExitStack

    from kafkapy.testing import Kafka

    with ExitStack() as stack:
        kafka = stack.enter_context(Kafka())
        _ask(kafka.bootstrap_servers)
        return stack.pop_all()


def _mock() -> AbstractContextManager[object]:
    from contextlib import nullcontext

    from confluent_kafka import Producer

    producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    producer.list_topics(timeout=TIMEOUT_SECONDS)  # a client of another library cannot reach it: this one asks
    return nullcontext(producer)


def _ask(bootstrap: str) -> None:
    """Returns when the broker has answered ApiVersions."""
    import socket

    host, port = bootstrap.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_SECONDS) as connection:
        connection.sendall(API_VERSIONS)
        assert len(connection.recv(8)) == 8


def state() -> dict[str, float]:
    """Milliseconds, medians, of what comes between two tests; each test leaves topics, records and a group."""
    import statistics

    from kafkapy.testing import Kafka

    reset, take, restore = [], [], []
    with Kafka(topics={"orders": 3}) as kafka:
        for number in range(TESTS):
            _use(kafka)
            begin = time.perf_counter()
            kafka.reset()
            reset.append(time.perf_counter() - begin)
            assert kafka.topics() == ["orders"], number
        _use(kafka)
        for number in range(SNAPSHOTS):
            begin = time.perf_counter()
            kafka.take_snapshot(f"snapshot-{number}")
            taken = time.perf_counter()
            kafka.produce("orders", "one more")
            again = time.perf_counter()
            kafka.restore_snapshot(f"snapshot-{number}")
            restore.append(time.perf_counter() - again)
            take.append(taken - begin)
            assert len(kafka.records("orders")) == RECORDS
    measured = {"reset": reset, "take": take, "restore": restore}
    return {name: statistics.median(seconds) * 1e3 for name, seconds in measured.items()}


def _use(kafka: Any) -> None:
    kafka.produce("orders", *(b"%d" % number for number in range(RECORDS)))
    kafka.produce("payments", *(b"%d" % number for number in range(RECORDS)))
    kafka.create_topic("parcels", 3)
    kafka.commit_offsets("shop", {("orders", 0): 1})


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    print(json.dumps(start(*arguments) if what == "start" else state()))
