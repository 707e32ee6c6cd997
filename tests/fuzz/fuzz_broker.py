"""Hostile, random and merely odd requests to a running node, for as long as asked.

    python -m tests.fuzz.fuzz_broker --seconds 600 --seed 7
    python -m tests.fuzz.fuzz_broker --seconds 600 --seed 7 --secured

Holds: whatever a client sends, the node logs no internal error, goes on serving others, keeps their records, and starts
again from its directory. With `--secured` the node has an authorizer, and the clients log in as somebody who has some
rights, others at each start. A failure prints the seed of the round that found it: `--seed SEED --rounds 1` repeats it,
as long as it does not need what earlier rounds left behind.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import trio

from kafkapy.apis import API_MODULES
from kafkapy.node import Node
from kafkapy_controller.acl import AclOperation, PatternType, PermissionType, ResourceType
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey, request_class, request_header_version
from kafkapy_wire.codec import encode
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Struct, parse_versions
from kafkapy_wire.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasRequestEntityData,
    AlterClientQuotasRequestEntryData,
    AlterClientQuotasResponse,
    OpData,
)
from kafkapy_wire.messages.create_acls import AclCreation, CreateAclsRequest, CreateAclsResponse
from kafkapy_wire.messages.fetch import FetchRequest
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from kafkapy_wire.messages.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse
from kafkapy_wire.sasl.jaas import PLAIN_MODULE
from kafkapy_wire.uuid import Uuid
from tests.fuzz.fuzz_wire import mutated, random_message
from tests.fuzz.rounds import InternalErrors, parser_of_rounds, run_as_command, run_rounds
from tests.shell.running_node import Client, batch, connect, running_node

REQUESTS_PER_ROUND = 20
ANSWER_SECONDS_MAX = 0.2
TOPICS = ("orders", "a", "payments-2026")
NAMES = (
    *TOPICS,
    "",
    "1",
    "a-group",
    "range",
    "retention.ms",
    "message.max.bytes",
    "1000",
    "compact",
    "__consumer_offsets",
)
NUMBERS = (0, 0, 0, 1, 1, 2, -1, -2, 3, 4, 10, 100)
SECURED_NAMES = (
    *NAMES,
    *("User:mallory", "User:*", "User", "mallory", "*", "kafka-cluster", "127.0.0.1", "10.0.0.0/8", "/a"),
    *("user", "client-id", "producer_byte_rate", "request_percentage", "controller_mutation_rate"),
    *("SCRAM-SHA-256", "PLAIN", "share.version", "metrics", "interval.ms", "match", "true"),
)
RECORDS = batch([b"some", b"records"], timestamp=1_700_000_000_000)


ADMINISTRATOR, MALLORY = "honest", "mallory"  # each is its own password


class Kind(NamedTuple):
    """What node is asked, with which names in the requests."""

    settings: Mapping[str, str]
    names: tuple[str, ...]
    users: tuple[str, ...] = ()
    """Who the odd clients are. The honest one is `ADMINISTRATOR`; without users nobody logs in."""


OPEN = Kind({}, NAMES)
SECURED = Kind(
    {
        "listeners": "SASL_PLAINTEXT://127.0.0.1:0",
        "security.inter.broker.protocol": "SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": (
            f'{PLAIN_MODULE} required username="honest" password="honest" user_honest="honest" user_mallory="mallory";'
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{ADMINISTRATOR}",
        "delegation.token.secret.key": "a-secret",
    },
    SECURED_NAMES,
    (MALLORY, MALLORY, MALLORY, ADMINISTRATOR),
)
RIGHTS = 12


def make_plausible(
    source: random.Random, struct: Struct, version: int, topic_ids: list[Uuid], names: tuple[str, ...] = NAMES
) -> None:
    """Names and ids that exist, and small numbers: most requests then get past the first check."""
    for field in struct.__fields__:
        if version not in parse_versions(field.versions):
            continue
        value = getattr(struct, field.name)
        if isinstance(value, list):
            for element in value:
                if isinstance(element, Struct):
                    make_plausible(source, element, version, topic_ids, names)
            if value and isinstance(value[0], str):
                value[0] = source.choice(names)
            elif value and isinstance(value[0], int):
                value[0] = source.choice(NUMBERS)
        elif isinstance(value, Struct):
            make_plausible(source, value, version, topic_ids, names)
        elif source.random() < 0.6:
            if isinstance(value, str):
                setattr(struct, field.name, source.choice(names))
            elif isinstance(value, int) and not isinstance(value, bool):
                number = source.choice(NUMBERS)
                setattr(struct, field.name, abs(number) if field.kind == "uint16" else number)
            elif field.kind == "uuid" and topic_ids:
                setattr(struct, field.name, source.choice(topic_ids))


def random_request(source: random.Random, topic_ids: list[Uuid], names: tuple[str, ...] = NAMES) -> bytes:
    """A frame of some API that is served: every field of its version set to something."""
    key = source.choice(list(API_MODULES))
    version = source.randint(API_VERSIONS[key].min_version, API_VERSIONS[key].max_version)
    request = random_message(source, request_class(key), version)
    if source.random() < 0.8:
        make_plausible(source, request, version, topic_ids, names)
    if isinstance(request, FetchRequest):
        request.max_wait_ms = source.choice((-1, 0, 10))
    if key is ApiKey.PRODUCE and source.random() < 0.8:
        for topic in request.topic_data:  # type: ignore[attr-defined]
            for data in topic.partition_data:
                data.records = source.choice((RECORDS, RECORDS, RECORDS * 2, mutated(source, RECORDS)))
    header = RequestHeader(
        request_api_key=key,
        request_api_version=version,
        correlation_id=source.randint(-5, 5),
        client_id=source.choice((None, "", "a-client", "größe")),
    )
    return encode(header, request_header_version(key, version)) + encode(request, version)


def random_bytes(source: random.Random, topic_ids: list[Uuid], names: tuple[str, ...] = NAMES) -> bytes:
    """What one connection sends: frames that are right, nearly right, or no frames at all."""
    sent = b""
    for _ in range(source.choice((1, 1, 1, 2, 5))):
        content = random_request(source, topic_ids, names)
        kind = source.random()
        if kind < 0.3:
            content = mutated(source, content)
        elif kind < 0.4:
            content = content[:8] + source.randbytes(source.randrange(100))
        sent += len(content).to_bytes(4, "big") + content
    kind = source.random()
    if kind < 0.1:
        return source.randbytes(source.randrange(1, 200))
    if kind < 0.2:
        return sent[: source.randrange(len(sent))]
    return sent


@asynccontextmanager
async def entered(node: Node, user: str | None) -> AsyncIterator[Client]:
    """A client that has logged in, where there is a user."""
    async with connect(node) as client:
        if user is not None:
            await client.ask(SaslHandshakeRequest(mechanism="PLAIN"), SaslHandshakeResponse)
            token = f"\0{user}\0{user}".encode()
            answer = await client.ask(SaslAuthenticateRequest(auth_bytes=token), SaslAuthenticateResponse)
            assert answer.error_code == ErrorCode.NONE, answer
        yield client


async def give_rights(source: random.Random, client: Client, names: tuple[str, ...]) -> None:
    """Some to `MALLORY`, and no quota of others to the administrator."""
    rights = [
        AclCreation(
            resource_type=source.choice((ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID)),
            resource_name=source.choice(names) or "*",
            resource_pattern_type=source.choice((PatternType.LITERAL, PatternType.PREFIXED)),
            principal=f"User:{MALLORY}",
            host="*",
            operation=source.choice([operation for operation in AclOperation if operation > AclOperation.ANY]),
            permission_type=source.choice((PermissionType.ALLOW, PermissionType.ALLOW, PermissionType.DENY)),
        )
        for _ in range(RIGHTS)
    ]
    for right in rights[: RIGHTS // 4]:
        right.resource_type, right.resource_name = ResourceType.CLUSTER, "kafka-cluster"
        right.resource_pattern_type = PatternType.LITERAL
    created = await client.ask(CreateAclsRequest(creations=rights), CreateAclsResponse)
    assert created.results, created
    entity = [
        AlterClientQuotasRequestEntityData(entity_type="user", entity_name=ADMINISTRATOR),
        AlterClientQuotasRequestEntityData(entity_type="client-id", entity_name=client.client_id),
    ]
    keys = ("producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate")
    quotas = AlterClientQuotasRequestEntryData(entity=entity, ops=[OpData(key=key, value=1e9) for key in keys])
    altered = await client.ask(AlterClientQuotasRequest(entries=[quotas]), AlterClientQuotasResponse)
    assert altered.entries[0].error_code == ErrorCode.NONE, altered


async def run_round(seed: int, node: Node, errors: InternalErrors, kind: Kind = OPEN) -> None:
    """A few odd connections, then an honest client that finds everything in order."""
    source = random.Random(seed)
    for _ in range(REQUESTS_PER_ROUND):
        sent = random_bytes(source, [*node.broker.metadata.image.topics_by_id], kind.names)
        async with entered(node, source.choice(kind.users) if kind.users else None) as client:
            with trio.move_on_after(ANSWER_SECONDS_MAX):
                try:
                    await client.stream.send_all(sent)
                    await client.stream.send_eof()
                    while True:
                        await client.receive_frame()
                except (EOFError, trio.BrokenResourceError):
                    pass
    if errors.seen:
        raise AssertionError("\n".join(errors.seen))
    with trio.fail_after(60):
        async with entered(node, ADMINISTRATOR if kind.users else None) as client:
            await check(client, f"honest-{seed}")


async def check(client: Client, topic: str) -> None:
    await client.create_topic(topic)
    assert await client.produce(topic, b"a", b"b") == 0
    assert await client.values(topic) == [b"a", b"b"]
    await client.delete_topic(topic)


async def run(first: int, rounds_max: int | None, deadline: float, directory: Path, kind: Kind = OPEN) -> int:
    """As `run_rounds`; all nodes on the same directory."""
    errors = InternalErrors()

    @asynccontextmanager
    async def rounds_of_node(seed: int) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
        async with running_node(directory, kind.settings) as node:
            async with entered(node, ADMINISTRATOR if kind.users else None) as client:
                if kind.users:
                    await give_rights(random.Random(seed), client, kind.names)
                for topic in TOPICS:
                    if topic not in node.broker.metadata.image.topics:
                        await client.create_topic(topic, 2)
            yield partial(run_round, node=node, errors=errors, kind=kind)

    with errors.listening():
        return await run_rounds(first, rounds_max, deadline, rounds_of_node)


def main() -> int:
    parser = parser_of_rounds("Fuzz a running node.")
    parser.add_argument("--secured", action="store_true", help="by clients with some rights, of a node with ACLs")
    options = parser.parse_args()
    return run_as_command(options, partial(run, kind=SECURED if options.secured else OPEN))


if __name__ == "__main__":
    raise SystemExit(main())
