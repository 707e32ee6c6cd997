"""aiokafka: what every client gets done, and two thousand topics at once."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from compat_tests.broker import Broker
from compat_tests.client_program import ClientProgram
from compat_tests.client_scenarios import ClientScenarios, StaticMemberScenarios
from compat_tests.deadlines import PATIENCE_SECONDS

aiokafka = pytest.importorskip("aiokafka")
aiokafka_admin = pytest.importorskip("aiokafka.admin")


@pytest.fixture(params=["none", "gzip", "snappy", "lz4", "zstd"])
def codec(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestAiokafka(ClientScenarios, StaticMemberScenarios):
    no_call_for = frozenset({"delete_group_again_error"})

    @pytest.fixture
    def client(self, tmp_path: Path) -> ClientProgram:
        return ClientProgram([sys.executable, str(Path(__file__).with_name("aiokafka_program.py"))], tmp_path)


def test_a_pattern_finds_its_topics_among_two_thousand(broker: Broker, new_name: Callable[..., str]) -> None:
    """All are made by one request; one consumer knows by a pattern only which of them it wants."""
    prefix = new_name("many")
    names = [f"{prefix}-{n:04}" for n in range(2_000)]
    written = names[::100]

    async def story() -> list[str]:
        admin = aiokafka_admin.AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap, request_timeout_ms=60_000)
        await admin.start()
        producer = aiokafka.AIOKafkaProducer(bootstrap_servers=broker.bootstrap)
        await producer.start()
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=broker.bootstrap,
            group_id=new_name("group"),
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        try:
            await admin.create_topics([aiokafka_admin.NewTopic(name, 1, 1) for name in names])
            # Apache Kafka answers before its broker has replayed the new topics.
            while True:
                if set(names) <= set(await admin.list_topics()):
                    break
                await asyncio.sleep(0.05)
            for name in written:
                await producer.send_and_wait(name, name.encode())
            consumer.subscribe(pattern=rf"^{re.escape(prefix)}-\d\d00$")
            await consumer.start()
            found = [(await consumer.getone()).value.decode() for _ in written]
            assert {partition.topic for partition in consumer.assignment()} == set(written)
            await admin.delete_topics(names)
            return found
        finally:
            await consumer.stop()
            await producer.stop()
            await admin.close()

    found = asyncio.run(asyncio.wait_for(story(), 2 * PATIENCE_SECONDS))
    assert sorted(found) == written
