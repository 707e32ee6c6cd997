"""Transactions as their coordinators know them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.control.nodes import check
from kafkapy.control.values import Transaction
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.describe_transactions import DescribeTransactionsRequest, DescribeTransactionsResponse
from kafkapy_wire.messages.list_transactions import ListTransactionsRequest, ListTransactionsResponse

if TYPE_CHECKING:
    from kafkapy.control.nodes import ControlledNodes


async def list_transactions(nodes: ControlledNodes) -> list[Transaction]:
    """All transactional ids, in order, with their present or last transaction."""
    found: list[Transaction] = []
    for node in nodes.asked_brokers():
        listed = await nodes.ask(node, ListTransactionsRequest(), ListTransactionsResponse)
        if listed.error_code == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
            continue
        check(listed.error_code)
        ids = [each.transactional_id for each in listed.transaction_states]
        if not ids:
            continue
        answer = await nodes.ask(node, DescribeTransactionsRequest(transactional_ids=ids), DescribeTransactionsResponse)
        found += [
            Transaction(
                transactional_id=each.transactional_id,
                state=each.transaction_state,
                producer_id=each.producer_id,
                producer_epoch=each.producer_epoch,
                coordinator=node.node_id,
                partitions=tuple((topic.topic, index) for topic in each.topics for index in topic.partitions),
            )
            for each in answer.transaction_states
            if each.error_code == ErrorCode.NONE
        ]
    return sorted(found, key=lambda transaction: transaction.transactional_id)


async def describe_transaction(nodes: ControlledNodes, transactional_id: str) -> Transaction:
    """The present or last transaction of an id. Raises LookupError: there is no such transactional id."""
    for transaction in await list_transactions(nodes):
        if transaction.transactional_id == transactional_id:
            return transaction
    raise LookupError(f"there is no transactional id {transactional_id!r}")
