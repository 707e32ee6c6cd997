"""Requests of very many entries."""

from __future__ import annotations

from kafkapy.apis import API_MODULES
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest, CreateTopicsResponse
from kafkapy_wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.heartbeat import HeartbeatRequest
from tests.apis.long_arrays import array_paths, request_with
from tests.attack.scenario import Ground, Scenario

TOPIC, BROKER = 2, 4
FRAME_BYTES_MAX = 100_000_000


def describe_one_broker(ground: Ground) -> None:
    attacker = ground.attacker()
    resource = DescribeConfigsResource(resource_type=BROKER, resource_name="1", configuration_keys=None)
    frame = attacker.frame(DescribeConfigsRequest(resources=[resource] * 2_000, include_synonyms=True), 4)
    for _ in range(ground.scaled(10)):
        assert attacker.answered_or_closed(frame) > 0


def describe_all_topics(ground: Ground) -> None:
    attacker = ground.attacker()
    names = [f"topic-{number}" for number in range(ground.scaled(2_000))]
    topics = [CreatableTopic(name=name, num_partitions=1, replication_factor=1) for name in names]
    attacker.ask(CreateTopicsRequest(topics=topics, timeout_ms=60_000), CreateTopicsResponse, 7)
    resources = [
        DescribeConfigsResource(resource_type=TOPIC, resource_name=name, configuration_keys=None) for name in names
    ]
    frame = attacker.frame(DescribeConfigsRequest(resources=resources, include_synonyms=True), 4)
    for _ in range(ground.scaled(10)):
        assert attacker.answered_or_closed(frame) > 0


def every_array(ground: Ground) -> None:
    """90,000 entries in each array of each request: as many as are taken."""
    setup = ground.attacker()
    setup.create_topic("orders", 3)
    for key_type in (0, 1):
        setup.ask(FindCoordinatorRequest(key_type=key_type, coordinator_keys=["a"]), FindCoordinatorResponse, 4)
    for key in API_MODULES:
        version = API_VERSIONS[key].max_version
        for path in array_paths(key):
            attacker = ground.attacker()
            request = request_with(key, path, ground.scaled(90_000), "orders")
            assert attacker.answered_or_closed(attacker.frame(request, version)) > 0, (ApiKey(key).name, path)
            attacker.close()


def more_than_anybody_needs(ground: Ground) -> None:
    """A hundred megabytes of elements of one or two bytes each."""
    size = min(FRAME_BYTES_MAX, ground.scaled(FRAME_BYTES_MAX))
    attacker = ground.attacker()
    described = attacker.frame(DescribeConfigsRequest(), 4)
    # The array's length is the compact varint 1 behind the header: in its place one of millions, and as many empty
    # names of one byte with what follows them.
    for start, element in ((described[:-4], b"\0\1\1\0"), (metadata_start(ground), b"\0" * 16 + b"\1\0")):
        count = size // len(element)
        content = start[4:] + varint(count + 1) + element * count + b"\0\0\0"
        closed = ground.attacker()
        assert closed.answered_or_closed(len(content).to_bytes(4, "big") + content) <= 1_000
    tagged = attacker.frame(HeartbeatRequest(group_id="g"), 4)
    count = size // 2
    content = tagged[4:-1] + varint(count) + b"\1\0" * count
    assert ground.attacker().answered_or_closed(len(content).to_bytes(4, "big") + content) == -1


def metadata_start(ground: Ground) -> bytes:
    from kafkapy_wire.messages.metadata import MetadataRequest

    return ground.attacker().frame(MetadataRequest(topics=[]), 12)[:-4]


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


SCENARIOS = [
    Scenario(
        "one broker described 2,000 times",
        "14 kB that were answered with 55 MB, after eleven seconds",
        describe_one_broker,
        cpu_seconds_max=3,
        memory_mb_max=120,
    ),
    Scenario(
        "2,000 topics described",
        "what user interfaces ask for",
        describe_all_topics,
        cpu_seconds_max=5,
        memory_mb_max=130,
    ),
    Scenario(
        "90,000 entries in every array", "one request for each array of each API", every_array, 25, 250, log_kb_max=60
    ),
    Scenario(
        "millions of elements",
        "as many as 100 MB can hold",
        more_than_anybody_needs,
        cpu_seconds_max=5,
        memory_mb_max=300,
    ),
]
