"""Reading for a consumer that may not read every topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.fetching.reading import FetchTerms, Reading
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.fetching.fetch_key import FetchKey
    from kafkapy.fetching.reading import ReplicaSelector
    from kafkapy.fetching.sessions import FetchedPartition
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.partitions.manager import PartitionManager
    from kafkapy.partitions.partition import Partition


class AuthorizedReading(Reading):
    """Partitions of topics that it may not read have TOPIC_AUTHORIZATION_FAILED, also those of a session's that the
    request does not name.
    """

    __slots__ = ("_may_read",)

    def __init__(
        self,
        may_read: Callable[[str], bool],
        wanted: dict[FetchKey, FetchedPartition],
        terms: FetchTerms,
        partitions: PartitionManager,
        disk: DiskWatch,
        selector: ReplicaSelector | None = None,
    ) -> None:
        super().__init__(wanted, terms, partitions, disk, selector)
        self._may_read = may_read

    def _find(self, wanted: FetchedPartition) -> Partition:
        name = wanted.topic_name
        if not name and self._terms.by_id:
            name = self._partitions.topic_name(wanted.topic_id)
        if name and not self._may_read(name):
            raise KafkaError(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
        return super()._find(wanted)
