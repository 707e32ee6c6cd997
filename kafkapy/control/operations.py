"""The table of all operations, by the name that every door has for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkapy.control import (
    bugs,
    client_metrics,
    connections,
    export,
    faults,
    groups,
    leadership,
    members,
    membership,
    recording,
    records,
    seeding,
    state,
    time,
    topics,
    transactions,
    waits,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kafkapy.control.nodes import ControlledNodes

    Operation = Callable[..., Awaitable[Any]]

OPERATIONS: dict[str, Operation] = {
    "topics": topics.list_topics,
    "topic": topics.describe_topic,
    "create_topic": topics.create_topic,
    "delete_topics": topics.delete_topics,
    "records": records.read_records,
    "produce": records.produce,
    "groups": groups.list_groups,
    "group": groups.describe_group,
    "commit_offsets": groups.commit_offsets,
    "delete_group": groups.delete_group,
    "transactions": transactions.list_transactions,
    "transaction": transactions.describe_transaction,
    "connections": connections.list_connections,
    "close_connections": connections.close_connections,
    "client_metrics": client_metrics.list_client_metrics,
    "wait_for_topic": waits.wait_for_topic,
    "wait_for_records": waits.wait_for_records,
    "wait_for_group": waits.wait_for_group,
    "wait_for_lag": waits.wait_for_lag,
    "wait_for_transaction": waits.wait_for_transaction,
    "wait_for_client": waits.wait_for_client,
    "wait_for_client_metrics": waits.wait_for_client_metrics,
    "add_faults": faults.add_faults,
    "faults": faults.list_faults,
    "fault": faults.describe_fault,
    "remove_fault": faults.remove_fault,
    "clear_faults": faults.clear_faults,
    "release_fault": faults.release_fault,
    "wait_for_fault": faults.wait_for_fault,
    "unfired_faults": faults.unfired_faults,
    "recorded": recording.recorded,
    "clear_recording": recording.clear_recording,
    "wait_for_requests": recording.wait_for_requests,
    "time": time.read_time,
    "freeze_time": time.freeze_time,
    "release_time": time.release_time,
    "advance_time": time.advance_time,
    "jump_time": time.jump_time,
    "nodes": members.list_nodes,
    "stop_node": members.stop_node,
    "kill_node": members.kill_node,
    "start_node": members.start_node,
    "restart_node": members.restart_node,
    "wipe_node": members.wipe_node,
    "pause_node": members.pause_node,
    "resume_node": members.resume_node,
    "set_rack": members.set_rack,
    "add_node": membership.add_node,
    "remove_node": membership.remove_node,
    "cut_link": members.cut_link,
    "heal_link": members.heal_link,
    "move_leader": leadership.move_leader,
    "shrink_isr": leadership.shrink_isr,
    "expand_isr": leadership.expand_isr,
    "move_group_coordinator": leadership.move_group_coordinator,
    "move_transaction_coordinator": leadership.move_transaction_coordinator,
    "seed": seeding.seed,
    "export": export.export,
    "reset": state.reset,
    "take_snapshot": state.take_snapshot,
    "restore_snapshot": state.restore_snapshot,
    "snapshots": state.list_snapshots,
    "take_bugs": bugs.take_bugs,
}
"""The first argument of each are the `ControlledNodes`."""

OF_THE_KIT: dict[str, Operation] = {
    "seed_from": seeding.seed_from,
    "export_to_file": export.export_to_file,
    "begin_test": state.begin_test,
    "begin_with": state.begin_with,
    "missed_faults": faults.missed_faults,
}
"""Those that name files, or belong to the life of a test: for the test kit alone."""

ALL_OPERATIONS = {**OPERATIONS, **OF_THE_KIT}
NAMES: dict[Operation, str] = {operation: name for name, operation in ALL_OPERATIONS.items()}


async def perform(nodes: ControlledNodes, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """The result of an operation. Raises what it raises."""
    return await ALL_OPERATIONS[name](nodes, *arguments, **named)
