"""How long a test of a cluster may take: on a busy machine elections and sessions take their time, too."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.produce import ProduceResponse
from tests.partitions.partition_lab import batch
from tests.shell.running_node import produce_request, trio_test

if TYPE_CHECKING:
    from tests.shell.running_node import Client

SECONDS_MAX = 90

cluster_test = partial(trio_test, seconds_max=SECONDS_MAX)


async def produce_patiently(client: Client, topic: str, partition: int = 0) -> None:
    """One record, which all replicas have: followers that have just found their leader again have the time for it."""
    request = produce_request(topic, batch(b"x"), partition)
    request.timeout_ms = SECONDS_MAX * 1_000
    answer = await client.ask(request, ProduceResponse, 12)
    assert answer.responses[0].partition_responses[0].error_code == ErrorCode.NONE, answer
