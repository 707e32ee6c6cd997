"""One member of a consumer group in a process of its own, for tests that kill it.

    python group_member.py BOOTSTRAP GROUP TOPIC SESSION_TIMEOUT_MS

Prints a JSON line for each assignment it gets (`{"assigned": [0, 1]}`) and for each record (`{"value": "..."}`), and
commits what it printed.
"""

from __future__ import annotations

import json
import sys

from confluent_kafka import Consumer


def main(bootstrap: str, group: str, topic: str, session_timeout_ms: str) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "session.timeout.ms": int(session_timeout_ms),
            "heartbeat.interval.ms": int(session_timeout_ms) // 4,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )

    def say(**event: object) -> None:
        print(json.dumps(event), flush=True)

    consumer.subscribe(
        [topic],
        on_assign=lambda _, partitions: say(assigned=sorted(p.partition for p in partitions)),
        on_revoke=lambda *_: say(assigned=[]),
    )
    while True:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            say(value=(message.value() or b"").decode())
            consumer.commit(message=message, asynchronous=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
