"""The clients that ask which metrics they shall push, and push them (KIP-714).

What Apache Kafka does, oddities included: a client is known until its connection closes or it is silent for three push
intervals; one that comes too early hears THROTTLING_QUOTA_EXCEEDED; after its last push (`terminating`) it may ask for
nothing more. 16,384 clients are known at most, and the one that was silent longest is forgotten.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

from kafkapy.log_lines import shown
from kafkapy.telemetry.instances import ClientInstance
from kafkapy_controller.image import ConfigResourceType
from kafkapy_wire.compression import Compression
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.uuid import ONE_UUID, ZERO_UUID, Uuid, random_uuid, uuid_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kafkapy.settings.current import CurrentSettings
    from kafkapy.telemetry.received import ReceivedMetrics
    from kafkapy.telemetry.subscriptions import Asked, Subscription
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage

logger = logging.getLogger("kafkapy.telemetry")

INSTANCES_MAX: Final = 16_384
EXPIRY_MIN_MS: Final = 60_000
_INTERVALS_UNTIL_EXPIRY: Final = 3
_RESERVED: Final = frozenset({ZERO_UUID, ONE_UUID})
_COMPRESSIONS: Final = frozenset(map(int, Compression))
_MAY_ASK_AGAIN: Final = frozenset({ErrorCode.UNKNOWN_SUBSCRIPTION_ID, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE})


class AskingClient(NamedTuple):
    """Who sends a request."""

    connection: int
    """The number of its connection."""
    client_id: str | None
    software_name: str
    software_version: str
    address: str
    port: int
    when_closed: Callable[[Callable[[], None]], None]
    """Call that when the connection is closed."""

    def attributes(self, client_instance_id: Uuid) -> Mapping[str, str]:
        """By the names that patterns of subscriptions have for them."""
        return {
            "client_instance_id": uuid_text(client_instance_id),
            "client_software_name": self.software_name,
            "client_software_version": self.software_version,
            "client_source_address": self.address,
            "client_source_port": str(self.port),
            **({} if self.client_id is None else {"client_id": self.client_id}),
        }


class ClientMetrics:
    """All of it at one broker. What a broker does not know of a client, because another one does, is made anew."""

    def __init__(self, settings: CurrentSettings, image: Callable[[], MetadataImage]) -> None:
        self._received: ReceivedMetrics | None = None
        self._settings = settings
        self._image = image
        self._subscriptions: list[Subscription] | None = None
        self._asked: dict[Asked, Asked] = {}
        self._version = 0
        self._instances: OrderedDict[Uuid, ClientInstance] = OrderedDict()
        self._by_connection: dict[int, Uuid] = {}

    @property
    def received(self) -> ReceivedMetrics:
        """The newest pushes; made when the first one comes, or somebody looks."""
        if self._received is None:
            from kafkapy.telemetry.received import ReceivedMetrics

            self._received = ReceivedMetrics()
        return self._received

    @property
    def has_receiver(self) -> bool:
        """Whether pushed metrics are kept, and the APIs announced: the settings name the receiver."""
        return self._settings.now.receives_client_metrics

    def follow_metadata(self, _image: MetadataImage, delta: MetadataDelta) -> None:
        """If subscriptions have changed, clients are asked for what they say now from the next request on."""
        if any(resource_type == ConfigResourceType.CLIENT_METRICS for resource_type, _ in delta.changed_configs):
            self._subscriptions = None
            self._asked.clear()
            self._version += 1

    def get(self, client_instance_id: Uuid, client: AskingClient, now_ms: int) -> ClientInstance:
        """What a client shall push: GetTelemetrySubscriptions. Raises KafkaError."""
        if client_instance_id == ZERO_UUID:
            client_instance_id = random_uuid()
        instance = self._instance(client_instance_id, client, now_ms)
        if not instance.may_get(now_ms) and instance.last_error not in _MAY_ASK_AGAIN:
            raise KafkaError(ErrorCode.THROTTLING_QUOTA_EXCEEDED)
        instance.last_error = ErrorCode.NONE
        return instance

    def check_push(
        self,
        client_instance_id: Uuid,
        client: AskingClient,
        now_ms: int,
        *,
        subscription_id: int,
        compression: int,
        size: int,
        is_terminating: bool,
    ) -> ClientInstance:
        """The client that may push: PushTelemetry. Raises KafkaError."""
        if client_instance_id in _RESERVED:
            raise KafkaError(ErrorCode.INVALID_REQUEST)
        instance = self._instance(client_instance_id, client, now_ms)
        error = ErrorCode.NONE
        if instance.is_terminating:
            error = ErrorCode.INVALID_REQUEST
        elif not instance.may_push(now_ms) and not is_terminating:
            error = ErrorCode.THROTTLING_QUOTA_EXCEEDED
        elif subscription_id != instance.subscription_id:
            error = ErrorCode.UNKNOWN_SUBSCRIPTION_ID
        elif compression not in _COMPRESSIONS:
            error = ErrorCode.UNSUPPORTED_COMPRESSION_TYPE
        elif size > self._settings.now.quotas.telemetry_max_bytes:
            error = ErrorCode.TELEMETRY_TOO_LARGE
        # Apache Kafka takes the last request's word for it, also that of a refused one.
        instance.is_terminating = is_terminating
        instance.last_error = error
        if error is not ErrorCode.NONE:
            raise KafkaError(error)
        return instance

    def refuse_push(self, instance: ClientInstance) -> KafkaError:
        """The error of a push that could not be decompressed, or to more than is allowed."""
        instance.last_error = ErrorCode.INVALID_RECORD
        return KafkaError(ErrorCode.INVALID_RECORD)

    def keep(self, instance: ClientInstance, client: AskingClient, data: bytes, now_ms: int) -> None:
        """Keep what was pushed, if the settings name the receiver."""
        if not data or not self.has_receiver:
            return
        from kafkapy.telemetry.received import Push

        push = Push(
            client_instance_id=instance.client_instance_id,
            client_id=client.client_id or "",
            software=f"{client.software_name} {client.software_version}",
            address=f"{client.address}:{client.port}",
            time_ms=now_ms,
            is_terminating=instance.is_terminating,
            data=data,
        )
        self.received.add(push)
        logger.debug(
            "client %s (%s) at %s has pushed %d bytes of metrics as %s",
            shown(push.client_id),
            shown(push.software),
            push.address,
            len(data),
            uuid_text(push.client_instance_id),
        )

    def _instance(self, client_instance_id: Uuid, client: AskingClient, now_ms: int) -> ClientInstance:
        instance = self._instances.get(client_instance_id)
        if instance is not None and instance.expires_at_ms <= now_ms:
            instance = None
        if instance is None or instance.subscriptions_version < self._version:
            from kafkapy.telemetry.subscriptions import asked_of, subscriptions_of  # with the first client

            if self._subscriptions is None:
                self._subscriptions = subscriptions_of(self._image())
            asked = asked_of(client.attributes(client_instance_id), self._subscriptions)
            asked = self._asked.setdefault(asked, asked)  # most clients are asked for the same
            instance = ClientInstance(client_instance_id, asked, self._version)
            self._instances[client_instance_id] = instance
            self._remember_connection(client, client_instance_id)
            if len(self._instances) > INSTANCES_MAX:
                self._instances.popitem(last=False)
        self._instances.move_to_end(client_instance_id)
        instance.expires_at_ms = now_ms + max(EXPIRY_MIN_MS, _INTERVALS_UNTIL_EXPIRY * instance.asked.push_interval_ms)
        return instance

    def _remember_connection(self, client: AskingClient, client_instance_id: Uuid) -> None:
        if client.connection not in self._by_connection:
            client.when_closed(lambda: self._closed(client.connection))
        self._by_connection[client.connection] = client_instance_id

    def _closed(self, connection: int) -> None:
        """Forget the last client instance that was made for this connection."""
        client_instance_id = self._by_connection.pop(connection, None)
        if client_instance_id is not None:
            self._instances.pop(client_instance_id, None)
