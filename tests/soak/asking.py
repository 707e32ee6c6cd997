"""What tools and consoles ask."""

from __future__ import annotations

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
)
from kafkapy_wire.messages.describe_groups import DescribeGroupsRequest, DescribeGroupsResponse
from kafkapy_wire.messages.describe_producers import DescribeProducersRequest, DescribeProducersResponse, TopicRequest
from kafkapy_wire.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from kafkapy_wire.messages.list_transactions import ListTransactionsRequest, ListTransactionsResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse
from tests.shell.running_node import BROKER, TOPIC
from tests.soak.world import EVENTS, LEDGER, World

PAUSE_SECONDS = 0.1


def questions() -> list[tuple[Message, type[Message]]]:
    configs = [
        DescribeConfigsResource(resource_type=TOPIC, resource_name=EVENTS, configuration_keys=None),
        DescribeConfigsResource(resource_type=BROKER, resource_name="1", configuration_keys=None),
    ]
    return [
        (MetadataRequest(topics=None), MetadataResponse),
        (DescribeConfigsRequest(resources=configs[:1], include_synonyms=True), DescribeConfigsResponse),
        (DescribeConfigsRequest(resources=configs[1:]), DescribeConfigsResponse),
        (DescribeGroupsRequest(groups=["shared-0", "readers"]), DescribeGroupsResponse),
        (ListGroupsRequest(), ListGroupsResponse),
        (ListTransactionsRequest(), ListTransactionsResponse),
        (
            DescribeProducersRequest(topics=[TopicRequest(name=LEDGER, partition_indexes=[0])]),
            DescribeProducersResponse,
        ),
    ]


async def administrator(world: World) -> None:
    """Asks everything, in any order."""
    async with world.connect() as client:
        for request, response_class in world.random.sample(questions(), len(questions())):
            answer = await client.ask(request, response_class)
            # The first transaction of the run has the coordinator's topic created and read at this time.
            allowed = [ErrorCode.COORDINATOR_LOAD_IN_PROGRESS] if isinstance(request, ListTransactionsRequest) else []
            world.tally.error(type(request).__name__, getattr(answer, "error_code", 0), allowed)
            world.tally.done["questions"] += 1
            await world.pace.pause(PAUSE_SECONDS)
