"""FindCoordinator (API key 10), versions 0-6: the coordinator of a group, a transactional id or a share partition.

v1 key_type, error_message, throttle_time_ms    v3 flexible    v4 several keys at once (KIP-699)
v6 share partitions: the key is GROUP_ID:TOPIC_ID:PARTITION (KIP-932)

Errors  INVALID_REQUEST            a key type that does not exist, or not in this version; a malformed share key
        COORDINATOR_NOT_AVAILABLE  the coordinator's topic could not be created; or its partition has no leader that
                                   is running and serves this listener
Differs: the first request creates the coordinator's topic and waits until it exists, and all wait until a coordinator
         is loaded; Apache Kafka creates it in the background and answers COORDINATOR_NOT_AVAILABLE meanwhile, and waits
         for no loading (--strict new-coordinators). If __consumer_offsets has a record that cannot be read, Apache
         Kafka answers NOT_COORDINATOR to all requests about the groups of that partition; here the record is skipped,
         with a line in the log. If a request names more than 100 keys, one that it names twice is answered once.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from kafkapy.apis.told_address import note_coordinator
from kafkapy.coordinators.share import SharePartitionKey
from kafkapy.pending import Pending, all_in_turns, all_of, attempt, settled
from kafkapy.turns import unique_in_turns
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.find_coordinator import Coordinator, FindCoordinatorResponse

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Protocol, TypeVar

    from kafkapy.context import RequestContext
    from kafkapy_controller.image import Endpoint
    from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest

    Key = TypeVar("Key", contravariant=True)

    class _Coordinator(Protocol[Key]):
        """Of groups, transactional ids or share partitions."""

        def when_ready(self, key: Key, /) -> Pending[None]: ...

        def coordinator_of(self, key: Key, /) -> int: ...


FIRST_VERSION_WITH_KEY_TYPE = 1
FIRST_VERSION_WITH_KEYS = 4
FIRST_VERSION_WITH_SHARE_KEYS = 6

ANSWERED_AT_ONCE_MAX = 100

NO_NODE = -1
INVALID_REQUEST_TEXT = (
    "This most likely occurs because of a request being malformed by the client library or the message was sent to an "
    "incompatible broker. See the broker logs for more details."
)
NOT_AVAILABLE_TEXT = "The coordinator is not available."


class CoordinatorType(IntEnum):
    """What a key names."""

    GROUP = 0
    TRANSACTION = 1
    SHARE = 2


def handle(
    request: FindCoordinatorRequest, context: RequestContext
) -> Pending[FindCoordinatorResponse] | Coroutine[object, object, FindCoordinatorResponse]:
    version = context.api_version
    key_type = request.key_type if version >= FIRST_VERSION_WITH_KEY_TYPE else CoordinatorType.GROUP
    if version >= FIRST_VERSION_WITH_KEYS:
        if len(request.coordinator_keys) > ANSWERED_AT_ONCE_MAX:
            return _find_in_turns(request, key_type, context)
        found = [_find_one_of_many(key, key_type, context) for key in request.coordinator_keys]
        return all_of(found).map(lambda coordinators: FindCoordinatorResponse(coordinators=coordinators))

    def answer(found: tuple[int, Endpoint]) -> FindCoordinatorResponse:
        broker_id, endpoint = found
        # Without an error Apache Kafka answers the message "NONE".
        return FindCoordinatorResponse(
            error_message="NONE",
            node_id=broker_id,
            host=context.advertised_host(endpoint),
            port=endpoint.port,
        )

    def refuse(error: KafkaError) -> FindCoordinatorResponse:
        return FindCoordinatorResponse(
            error_code=error.code, error_message=_text(error.code), node_id=NO_NODE, port=NO_NODE
        )

    return attempt(lambda: _find(request.key, key_type, context)).map(answer).otherwise(refuse)


async def _find_in_turns(
    request: FindCoordinatorRequest, key_type: int, context: RequestContext
) -> FindCoordinatorResponse:
    keys = await unique_in_turns(request.coordinator_keys)
    found = await all_in_turns(lambda key: _find_one_of_many(key, key_type, context), keys)
    return FindCoordinatorResponse(coordinators=found)


def _find_one_of_many(key: str, key_type: int, context: RequestContext) -> Pending[Coordinator]:
    def answer(found: tuple[int, Endpoint]) -> Coordinator:
        broker_id, endpoint = found
        host = context.advertised_host(endpoint)
        return Coordinator(key=key, error_message="", node_id=broker_id, host=host, port=endpoint.port)

    def refuse(error: KafkaError) -> Coordinator:
        # As in Apache Kafka, only a key type that does not exist at all gets a message here.
        is_known_type = key_type in CoordinatorType.__members__.values()
        message = "" if is_known_type else _text(error.code)
        return Coordinator(key=key, error_code=error.code, error_message=message, node_id=NO_NODE, port=NO_NODE)

    return attempt(lambda: _find(key, key_type, context)).map(answer).otherwise(refuse)


def _find(key: str, key_type: int, context: RequestContext) -> Pending[tuple[int, Endpoint]]:
    """The coordinating broker. Raises KafkaError INVALID_REQUEST; is refused with COORDINATOR_NOT_AVAILABLE."""
    broker = context.broker
    match key_type:
        case CoordinatorType.GROUP:
            found = _found(broker.groups, key, context)
        case CoordinatorType.TRANSACTION:
            found = _found(broker.transactions, key, context)
        case CoordinatorType.SHARE:
            share_partition = _share_partition(key, context.api_version)
            found = _found(broker.share_coordinator, share_partition, context)
        case _:
            raise KafkaError(ErrorCode.INVALID_REQUEST)
    return found.map(lambda broker_id: _endpoint(broker_id, context)).otherwise(_not_available)


def _found(coordinator: _Coordinator[Key], key: Key, context: RequestContext) -> Pending[int]:
    strictness = context.node.strictness
    if strictness is None or not strictness.new_coordinators:
        return coordinator.when_ready(key).map(lambda _: coordinator.coordinator_of(key))
    broker_id = coordinator.coordinator_of(key)
    if broker_id != NO_NODE:
        return settled(broker_id)
    # Answered when the topic is there, and not before, so that the next request finds the coordinator.
    return coordinator.when_ready(key).map(lambda _: NO_NODE)


def _endpoint(broker_id: int, context: RequestContext) -> tuple[int, Endpoint]:
    """The broker with its endpoint on the client's listener. Raises KafkaError(COORDINATOR_NOT_AVAILABLE)."""
    broker = context.broker.metadata.image.brokers.get(broker_id)
    endpoint = None if broker is None or broker.fenced else broker.endpoints.get(context.client.listener_name)
    if endpoint is None:
        raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    note_coordinator(endpoint, broker_id, context)
    return broker_id, endpoint


def _not_available(error: KafkaError) -> tuple[int, Endpoint]:
    raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE) from error


def _share_partition(key: str, api_version: int) -> SharePartitionKey:
    """Raises KafkaError(INVALID_REQUEST)."""
    try:
        if api_version >= FIRST_VERSION_WITH_SHARE_KEYS:
            return SharePartitionKey.parse(key)
    except ValueError as error:
        raise KafkaError(ErrorCode.INVALID_REQUEST) from error
    raise KafkaError(ErrorCode.INVALID_REQUEST)


def _text(error: ErrorCode) -> str:
    return INVALID_REQUEST_TEXT if error is ErrorCode.INVALID_REQUEST else NOT_AVAILABLE_TEXT


def error_response(request: FindCoordinatorRequest, error: KafkaError) -> FindCoordinatorResponse:
    if not request.coordinator_keys:  # before version 4
        return FindCoordinatorResponse(
            error_code=error.code, error_message=error.message, node_id=NO_NODE, port=NO_NODE
        )
    return FindCoordinatorResponse(
        coordinators=[
            Coordinator(key=key, error_code=error.code, error_message=error.message, node_id=NO_NODE, port=NO_NODE)
            for key in request.coordinator_keys
        ]
    )
