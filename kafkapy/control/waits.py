"""Waiting until something is so, in place of a sleep. Time-outs are real seconds, whatever the nodes' clock shows.

What is waited for is looked at every few milliseconds. A wait that is given up says what there was instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from kafkapy.control.client_metrics import list_client_metrics
from kafkapy.control.connections import list_connections
from kafkapy.control.groups import describe_group
from kafkapy.control.nodes import LOOK_AGAIN_SECONDS
from kafkapy.control.records import count_records, read_records
from kafkapy.control.topics import describe_topic
from kafkapy.control.transactions import describe_transaction
from kafkapy.control.values import NotYet
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeVar

    from kafkapy.control.nodes import ControlledNodes
    from kafkapy.control.values import ClientMetricsPush, Connection, Group, Isolation, Record, Topic, Transaction

    T = TypeVar("T")

TIMEOUT = 10.0
"""Seconds."""
STABLE = "Stable"
EMPTY = "Empty"
UNFINISHED = ("Ongoing", "PrepareCommit", "PrepareAbort")


async def wait_for_topic(nodes: ControlledNodes, name: str, partitions: int = 1, timeout: float = TIMEOUT) -> Topic:
    """Until a topic exists with at least so many partitions, and all of them are led. Raises NotYet."""

    async def look() -> Topic:
        return await describe_topic(nodes, name)

    def is_led(topic: Topic) -> bool:
        return len(topic.partitions) >= partitions and all(each.high_watermark >= 0 for each in topic.partitions)

    def said(topic: Topic) -> str:
        led = sum(each.high_watermark >= 0 for each in topic.partitions)
        return f"topic {name!r} has {len(topic.partitions)} partitions, of which {led} are led"

    return await _wait(look, is_led, said, f"topic {name!r} with {partitions} or more led partitions", timeout)


async def wait_for_records(
    nodes: ControlledNodes,
    topic: str,
    count: int = 1,
    partition: int | None = None,
    isolation: Isolation = "read_committed",
    timeout: float = TIMEOUT,
) -> list[Record]:
    """Until a consumer could read at least so many records of a topic; returns all that it could. Raises NotYet."""
    seen = -1
    found: list[Record] = []

    async def look() -> list[Record]:
        nonlocal seen, found
        if topic not in nodes.image.topics:
            seen, found = -1, []
            if count > 0:
                nodes.topic(topic)  # raises, with the name that is meant
        offsets = count_records(nodes, topic, isolation)
        if offsets != seen:  # otherwise nothing can have come
            found = await read_records(nodes, topic, partition, isolation) if topic in nodes.image.topics else []
            seen = offsets
        return found

    where = f"topic {topic!r}" if partition is None else f"partition {topic}-{partition}"
    return await _wait(
        look,
        lambda records: len(records) >= count,
        lambda records: f"{where} has {len(records)}",
        f"{count} records ({isolation}) in {where}",
        timeout,
    )


async def wait_for_group(
    nodes: ControlledNodes, group_id: str, members: int = 1, state: str | None = None, timeout: float = TIMEOUT
) -> Group:
    """Until a group has exactly so many members and this state (Kafka's words: Stable, Empty, ...), which is Stable,
    or Empty without members, unless it is given. Raises NotYet.
    """
    state = state or (STABLE if members else EMPTY)

    def said(group: Group) -> str:
        return f"group {group_id!r} is {group.state} with {_counted(len(group.members), 'member')}"

    return await _wait(
        lambda: describe_group(nodes, group_id),
        lambda group: group.state == state and len(group.members) == members,
        said,
        f"group {group_id!r} {state} with {_counted(members, 'member')}",
        timeout,
    )


async def wait_for_lag(nodes: ControlledNodes, group_id: str, lag: int = 0, timeout: float = TIMEOUT) -> Group:
    """Until a group has committed all but `lag` records of the partitions that it reads. Raises NotYet."""

    def said(group: Group) -> str:
        behind = ", ".join(
            f"{topic}-{index}: {behind}{'' if (topic, index) in group.offsets else ' (nothing is committed)'}"
            for (topic, index), behind in sorted(group.lag.items())
        )
        return f"group {group_id!r} has a lag of {group.total_lag} ({behind or 'it reads nothing'})"

    return await _wait(
        lambda: describe_group(nodes, group_id),
        lambda group: bool(group.lag) and group.total_lag <= lag,
        said,
        f"group {group_id!r} with a lag of at most {lag}",
        timeout,
    )


async def wait_for_transaction(nodes: ControlledNodes, transactional_id: str, timeout: float = TIMEOUT) -> Transaction:
    """Until the latest transaction of an id is over: committed or aborted, with its markers written. Raises NotYet."""
    return await _wait(
        lambda: describe_transaction(nodes, transactional_id),
        lambda transaction: transaction.state not in UNFINISHED,
        lambda transaction: f"transactional id {transactional_id!r} is {transaction.state}",
        f"the end of the transaction of {transactional_id!r}",
        timeout,
    )


async def wait_for_client(
    nodes: ControlledNodes, client_id: str, connected: bool = True, timeout: float = TIMEOUT
) -> list[Connection]:
    """Until a client is connected, or, if not `connected`, until all its connections are closed. Raises NotYet."""

    async def look() -> list[Connection]:
        return [each for each in await list_connections(nodes) if each.client_id == client_id]

    return await _wait(
        look,
        lambda found: bool(found) == connected,
        lambda found: f"client {client_id!r} has {_counted(len(found), 'connection')}",
        f"client {client_id!r} {'connected' if connected else 'gone'}",
        timeout,
    )


async def wait_for_client_metrics(
    nodes: ControlledNodes, client_id: str | None = None, count: int = 1, timeout: float = TIMEOUT
) -> list[ClientMetricsPush]:
    """Until a client, or any, has pushed its metrics so often. Raises NotYet, and what `client_metrics` raises."""
    return await _wait(
        lambda: list_client_metrics(nodes, client_id),
        lambda pushes: len(pushes) >= count,
        lambda pushes: f"there are {len(pushes)}",
        f"{_counted(count, 'push')} of metrics" + ("" if client_id is None else f" of client {client_id!r}"),
        timeout,
    )


async def _wait(
    look: Callable[[], Awaitable[T]],
    is_there: Callable[[T], bool],
    said: Callable[[T], str],
    wanted: str,
    timeout: float,
) -> T:
    """Look until it is there. What cannot be looked at now may be there later."""
    now = "nothing was looked at"
    with trio.move_on_after(timeout):
        while True:
            try:
                found = await look()
                if is_there(found):
                    return found
                now = said(found)
            except (LookupError, KafkaError) as error:
                now = str(error.args[0] if isinstance(error, LookupError) else error)
            await trio.sleep(LOOK_AGAIN_SECONDS)
    raise NotYet(f"waited {timeout:g} s for {wanted}; now {now}")


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")
