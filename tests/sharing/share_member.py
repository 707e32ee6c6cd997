"""A member of a share group at a node: heartbeats, share fetches, acknowledgements over one connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
import trio.testing

from kafkapy_wire.messages.describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
    DescribeShareGroupOffsetsResponse,
)
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from kafkapy_wire.messages.share_acknowledge import ShareAcknowledgeRequest, ShareAcknowledgeResponse
from kafkapy_wire.messages.share_fetch import (
    AcknowledgementBatch,
    FetchPartition,
    FetchTopic,
    ShareFetchRequest,
    ShareFetchResponse,
)
from kafkapy_wire.messages.share_group_heartbeat import ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy_wire.uuid import Uuid
    from tests.shell.running_node import Client

ACCEPT, RELEASE, REJECT, RENEW = 1, 2, 3, 4
GROUP = "sharers"
GROUP_RESOURCE = 32
Acks = list[tuple[int, int, int]]
"""(first offset, last offset, type)"""


class ShareMember:
    def __init__(self, client: Client, topic_id: Uuid, name: str = "alice", group: str = GROUP) -> None:
        self._client = client
        self._topic_id = topic_id
        self.name = name
        self.group = group
        self.epoch = 0
        self._session_epoch = -1
        self.assigned: set[int] = set()

    async def heartbeat(self, *topics: str, epoch: int | None = None) -> ShareGroupHeartbeatResponse:
        request = ShareGroupHeartbeatRequest(
            group_id=self.group,
            member_id=self.name,
            member_epoch=self.epoch if epoch is None else epoch,
            subscribed_topic_names=[*topics] if topics else None,
        )
        response = await self._client.ask(request, ShareGroupHeartbeatResponse)
        if not response.error_code and epoch != -1:
            self.epoch = response.member_epoch
        if response.assignment is not None:
            self.assigned = {index for topic in response.assignment.topic_partitions for index in topic.partitions}
        return response

    async def join(self, *topics: str) -> None:
        """Until there is something to read."""
        response = await self.heartbeat(*topics, epoch=0)
        assert not response.error_code, response
        while not self.assigned:
            await trio.lowlevel.checkpoint()
            await self.heartbeat()

    async def fetch(
        self,
        partitions: list[int] | None = None,
        *,
        acks: Acks | None = None,
        wait_ms: int = 0,
        max_records: int = 500,
        renews: bool = False,
    ) -> ShareFetchResponse:
        """The next of the session. Acknowledgements are those of partition 0."""
        self._session_epoch += 1
        begins = self._session_epoch == 0
        wanted = {index: FetchPartition(partition_index=index) for index in (partitions or [0] if begins else [])}
        if acks:
            wanted.setdefault(0, FetchPartition(partition_index=0)).acknowledgement_batches = batches(acks)
        topics = [FetchTopic(topic_id=self._topic_id, partitions=[*wanted.values()])] if wanted else []
        request = ShareFetchRequest(
            group_id=self.group,
            member_id=self.name,
            share_session_epoch=self._session_epoch,
            max_wait_ms=wait_ms,
            min_bytes=0 if renews else 1,
            max_bytes=0 if renews else 1 << 20,
            max_records=0 if renews else max_records,
            batch_size=max_records,
            is_renew_ack=renews,
            topics=topics,
        )
        return await self._client.ask(request, ShareFetchResponse)

    async def leave_session(self) -> None:
        """What it has and has not acknowledged is released; its next fetch begins a session."""
        self._session_epoch = -1
        request = ShareFetchRequest(
            group_id=self.group, member_id=self.name, share_session_epoch=-1, max_wait_ms=0, max_bytes=0, max_records=0
        )
        answer = await self._client.ask(request, ShareFetchResponse)
        assert not answer.error_code, answer

    async def acquire(self, **more: int) -> list[tuple[int, int, int]]:
        """(first offset, last offset, delivery count) of all that the member gets, once there is something."""
        while True:
            found = acquired(await self.fetch(**more))  # type: ignore[arg-type]
            if found:
                return found
            await trio.lowlevel.checkpoint()

    async def acknowledge(self, acks: Acks, index: int = 0) -> ShareAcknowledgeResponse:
        from kafkapy_wire.messages import share_acknowledge as module

        self._session_epoch += 1
        partition = module.AcknowledgePartition(
            partition_index=index,
            acknowledgement_batches=[
                module.AcknowledgementBatch(first_offset=first, last_offset=last, acknowledge_types=[kind])
                for first, last, kind in acks
            ],
        )
        topic = module.AcknowledgeTopic(topic_id=self._topic_id, partitions=[partition])
        request = ShareAcknowledgeRequest(
            group_id=self.group, member_id=self.name, share_session_epoch=self._session_epoch, topics=[topic]
        )
        return await self._client.ask(request, ShareAcknowledgeResponse)


def batches(acks: Acks) -> list[AcknowledgementBatch]:
    return [
        AcknowledgementBatch(first_offset=first, last_offset=last, acknowledge_types=[kind])
        for first, last, kind in acks
    ]


def acquired(response: ShareFetchResponse) -> list[tuple[int, int, int]]:
    assert not response.error_code, response
    return [
        (records.first_offset, records.last_offset, records.delivery_count)
        for topic in response.responses
        for partition in topic.partitions
        for records in partition.acquired_records
    ]


async def set_group(client: Client, settings: Mapping[str, str], group: str = GROUP) -> None:
    """Settings of the group."""
    configs = [AlterableConfig(name=name, value=value) for name, value in settings.items()]
    resource = AlterConfigsResource(resource_type=GROUP_RESOURCE, resource_name=group, configs=configs)
    request = IncrementalAlterConfigsRequest(resources=[resource])
    (answer,) = (await client.ask(request, IncrementalAlterConfigsResponse)).responses
    assert not answer.error_code, answer.error_message


async def progress(client: Client, group: str = GROUP) -> dict[int, tuple[int, int]]:
    """Partition -> (start offset, lag)."""
    asked = DescribeShareGroupOffsetsRequestGroup(group_id=group, topics=None)
    request = DescribeShareGroupOffsetsRequest(groups=[asked])
    (answer,) = (await client.ask(request, DescribeShareGroupOffsetsResponse)).groups
    assert not answer.error_code, answer
    return {
        partition.partition_index: (partition.start_offset, partition.lag)
        for topic in answer.topics
        for partition in topic.partitions
    }
