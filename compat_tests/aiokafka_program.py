"""aiokafka behind the command line that `go/main.go` describes, so that its members can be killed like any other.

python aiokafka_program.py create|produce|consume|member|admin BOOTSTRAP ...
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

PATIENCE_SECONDS = 90.0
HEARTBEAT_INTERVAL_MS = 100  # how soon a member hears of a rebalance
CODECS = {"none": None, "gzip": "gzip", "snappy": "snappy", "lz4": "lz4", "zstd": "zstd"}


def say(line: object) -> None:
    print(json.dumps(line), flush=True)


def login() -> dict[str, Any]:
    """How it logs in, as the user that the environment names; nothing: without TLS and SASL."""
    user = os.environ.get("COMPAT_USER")
    if user is None:
        return {}
    return {
        "security_protocol": "SASL_SSL",
        "ssl_context": ssl.create_default_context(cafile=f"{os.environ['COMPAT_CERTIFICATES']}/ca.crt"),
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": user,
        "sasl_plain_password": os.environ["COMPAT_PASSWORD"],
    }


def to_base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def from_base64(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


async def until(what: str, condition: Callable[[], Awaitable[bool]]) -> None:
    """A broker may answer a change before each of its parts has seen it."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                if await condition():
                    return
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise TimeoutError(f"not within {PATIENCE_SECONDS:.0f} s: {what}") from None


@asynccontextmanager
async def started(client: Any) -> AsyncIterator[Any]:
    await client.start()
    try:
        yield client
    finally:
        await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())


async def create(bootstrap: str, topic: str, partitions: str) -> None:
    async with started(AIOKafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        await admin.create_topics([NewTopic(topic, int(partitions), 1)])
        await until("created", lambda: has_partitions(admin, topic, int(partitions)))


async def has_partitions(admin: AIOKafkaAdminClient, topic: str, count: int) -> bool:
    (described,) = await admin.describe_topics([topic])
    return len(described["partitions"]) == count


async def produce(bootstrap: str, topic: str, codec: str) -> None:
    producer = AIOKafkaProducer(
        **login(),
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        compression_type=CODECS[codec],
        linger_ms=2,
        max_request_size=16 << 20,
        retry_backoff_ms=50,
    )

    async def outcome(partition: int, delivery: asyncio.Future[Any]) -> None:
        try:
            metadata = await delivery
        except KafkaError as error:
            say({"partition": partition, "offset": -1, "error": error.errno})
        else:
            say({"partition": metadata.partition, "offset": metadata.offset, "error": 0})

    async with started(producer), asyncio.TaskGroup() as outcomes:
        while line := await asyncio.to_thread(sys.stdin.readline):
            record = json.loads(line)
            delivery = await producer.send(
                topic,
                partition=record["partition"],
                timestamp_ms=record["timestamp"],
                key=from_base64(record["key"]),
                value=from_base64(record["value"]),
                headers=[(header["key"], from_base64(header["value"])) for header in record["headers"]],
            )
            outcomes.create_task(outcome(record["partition"], delivery))
        await producer.flush()


async def consume(bootstrap: str, topic: str, count: str, start: str) -> None:
    left = int(count)
    unstarted = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest")
    async with started(unstarted) as consumer, asyncio.timeout(PATIENCE_SECONDS):
        if start != "earliest":
            offsets = await consumer.offsets_for_times(dict.fromkeys(consumer.assignment(), int(start)))
            for partition, offset in offsets.items():
                if offset is None:  # nothing that late
                    await consumer.seek_to_end(partition)
                else:
                    consumer.seek(partition, offset.offset)
        while left:
            for records in (await consumer.getmany(timeout_ms=100, max_records=left)).values():
                for record in records:
                    left -= 1
                    say(
                        {
                            "partition": record.partition,
                            "offset": record.offset,
                            "timestamp": record.timestamp,
                            "key": to_base64(record.key),
                            "value": to_base64(record.value),
                            "headers": [{"key": key, "value": to_base64(value)} for key, value in record.headers],
                        }
                    )


class SayAssigned(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka's stubs leave it untyped
    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        if revoked:
            say({"assigned": []})

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        say({"assigned": sorted(partition.partition for partition in assigned)})


async def member(bootstrap: str, group: str, topic: str, session_timeout_ms: str, instance_id: str = "") -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        group_instance_id=instance_id or None,
        session_timeout_ms=int(session_timeout_ms),
        heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    consumer.subscribe([topic], listener=SayAssigned())
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with started(consumer):
        while not stopping.is_set():
            for records in (await consumer.getmany(timeout_ms=50)).values():
                for record in records:
                    say({"value": record.value.decode()})
                try:
                    await consumer.commit()
                except KafkaError as error:
                    # A rebalance overtook this commit: the next owner reads those records again.
                    print(error, file=sys.stderr)


async def admin_round(bootstrap: str, topic: str, group: str, timestamp_ms: str) -> None:
    answers: dict[str, Any] = {}
    made, partition = f"{topic}-made", TopicPartition(topic, 0)
    definition = NewTopic(made, 2, 1, topic_configs={"retention.ms": "60000"})
    resource = ConfigResource(ConfigResourceType.TOPIC, made)
    altered = ConfigResource(ConfigResourceType.TOPIC, made, configs={"retention.ms": "120000"})
    async with started(AIOKafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        cluster = await admin.describe_cluster()
        answers["ports"] = [broker["port"] for broker in cluster["brokers"]]
        answers["has_controller"] = cluster["controller_id"] >= 0
        await admin.create_topics([definition])
        answers["create_again_error"] = error_of(await admin.create_topics([definition]))
        answers["invalid_name_error"] = error_of(await admin.create_topics([NewTopic("not a name!", 1, 1)]))
        answers["delete_unknown_error"] = error_of(await admin.delete_topics([f"{topic}-unknown"]))
        await until("created", lambda: has_partitions(admin, made, 2))
        await admin.create_partitions({made: NewPartitions(4)})
        await until("four partitions", lambda: has_partitions(admin, made, 4))
        answers["partitions"] = 4

        async def retention() -> str:
            (response,) = await admin.describe_configs([resource])
            ((*_, entries),) = response.resources
            return next(str(entry[1]) for entry in entries if entry[0] == "retention.ms")

        async def is_altered() -> bool:
            return await retention() != "60000"

        async def is_gone() -> bool:
            return made not in await admin.list_topics()

        answers["retention"] = [await retention()]
        await admin.alter_configs([altered])
        await until("altered", is_altered)
        answers["retention"].append(await retention())
        await admin.delete_topics([made])
        await until("deleted", is_gone)
        answers["topic_gone"] = True

        consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=None)
        async with started(consumer):
            answers["earliest"] = (await consumer.beginning_offsets([partition]))[partition]
            answers["latest"] = (await consumer.end_offsets([partition]))[partition]
            times = await consumer.offsets_for_times({partition: int(timestamp_ms)})
            answers["at_timestamp"] = times[partition].offset
            await admin.delete_records({partition: RecordsToDelete(before_offset=3)})
            answers["earliest_after_cut"] = (await consumer.beginning_offsets([partition]))[partition]

        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
        async with started(consumer):
            consumer.assign([partition])
            await consumer.commit({partition: 5})
        answers["committed"] = (await admin.list_consumer_group_offsets(group))[partition].offset
        answers["group_listed"] = group in [listed[0] for listed in await admin.list_consumer_groups()]
        (described,) = await admin.describe_consumer_groups([group])
        answers["group_state"] = described.groups[0][2]
    say(answers)


def error_of(response: Any) -> int:
    """The error code of the only topic in an answer to CreateTopics or DeleteTopics."""
    errors = response.topic_errors if hasattr(response, "topic_errors") else response.topic_error_codes
    return int(errors[0][1])


COMMANDS: dict[str, Callable[..., Any]] = {
    "create": create,
    "produce": produce,
    "consume": consume,
    "member": member,
    "admin": admin_round,
}

if __name__ == "__main__":
    asyncio.run(COMMANDS[sys.argv[1]](*sys.argv[2:]))
