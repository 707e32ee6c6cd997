"""A container of kafkapy with the control API:  python control_program.py IMAGE

Adds a fault by HTTP, sends a record, and prints what has become of both as JSON.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from typing import Any

from kafka import KafkaProducer

from kafkapy.testing.containers import KafkapyContainer


def main(image: str) -> None:
    with KafkapyContainer(image, topics=["orders"], control=True) as kafka:

        def ask(operation: str, **arguments: Any) -> Any:
            request = urllib.request.Request(
                f"{kafka.get_control_url()}/v1/{operation}",
                json.dumps(arguments).encode(),
                {"Authorization": f"Bearer {kafka.control_token}"},
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)

        rule = {"api": "Produce", "error": "NOT_LEADER_OR_FOLLOWER", "times": 1}
        [added] = ask("add_faults", rules=[rule])
        producer = KafkaProducer(bootstrap_servers=kafka.get_bootstrap_server(), retry_backoff_ms=10)
        producer.send("orders", b"1 tea").get(30)
        producer.close()
        records = ask("records", topic="orders")
        fired = ask("fault", fault_id=added["fault_id"])["fired"]
        print(json.dumps({"fired": fired, "read": [record["value"] for record in records]}))


if __name__ == "__main__":
    main(sys.argv[1])
