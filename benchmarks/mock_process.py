"""librdkafka's mock cluster with one broker: prints `MOCK PORT <port>` and serves until SIGTERM.

The mock lives inside a client. confluent-kafka has no call that tells its address (rd_kafka_mock_cluster_bootstraps in
C), but the client learns it from the mock's own metadata.
"""

from __future__ import annotations

import signal

from confluent_kafka import Producer

ANSWER_TIMEOUT_SECONDS = 30


def main() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = producer.list_topics(timeout=ANSWER_TIMEOUT_SECONDS).brokers.values()
    print(f"MOCK PORT {broker.port}", flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
