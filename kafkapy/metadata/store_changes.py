"""Dynamic settings of a listener's TLS: they are refused where the stores that they name cannot be used."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import trio

from kafkapy.settings import Settings
from kafkapy.settings.alter import applied, incremental_changes
from kafkapy.settings.catalog import broker_definitions
from kafkapy.settings.errors import SettingsError
from kafkapy_controller.image import ConfigResourceType
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from kafkapy.metadata.altering import ResourceChange
    from kafkapy_controller.image import MetadataImage

_OF_TLS = ".ssl."


async def refused_stores(settings: Settings, image: MetadataImage, change: ResourceChange) -> KafkaError | None:
    """Why the stores of `change` are refused, if it changes some of this node.

    Whatever else is wrong with the change is told by the controller. Files are read in a worker thread.
    """
    if change.resource_type != ConfigResourceType.BROKER or change.name != str(settings.node.node_id):
        return None
    if not any(_OF_TLS in name for name, _, _ in change.operations):
        return None
    current = image.resource_configs(change.resource_type, change.name)
    try:
        if change.replaces:
            values = {name: value for name, _, value in change.operations if value is not None}
        else:
            values = applied(incremental_changes(change.operations, current, broker_definitions()), current)
        after = Settings(settings.given, dynamic_default=settings.dynamic_default, dynamic_broker=values)
    except (KafkaError, SettingsError):
        return None
    from kafkapy.tls.current import check_change

    try:
        await trio.to_thread.run_sync(partial(check_change, settings, after))
    except SettingsError as error:
        return KafkaError(
            ErrorCode.INVALID_REQUEST, f"Validation of dynamic config update of SSLFactory failed: {error}"
        )
    return None
