"""The states of a classic group and the only ways between them."""

from __future__ import annotations

from enum import Enum


class ClassicGroupState(Enum):
    """Named as DescribeGroups and ListGroups name them.

    EMPTY                 no members, perhaps offsets. A join leads to PREPARING_REBALANCE.
    PREPARING_REBALANCE   members must join again; heartbeats get REBALANCE_IN_PROGRESS. All joined, or the
                          rebalance timeout passed: COMPLETING_REBALANCE, or EMPTY when no member is left.
    COMPLETING_REBALANCE  members have the new generation and wait for the leader's assignment. Its SyncGroup leads to
                          STABLE; a join with new metadata, a member lost: PREPARING_REBALANCE.
    STABLE                SyncGroup answers at once. A new, changed or lost member, or the leader joining again leads to
                          PREPARING_REBALANCE.
    DEAD                  deleted. Nothing leads out of it; a new group may take the name.
    """

    EMPTY = "Empty"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


_EMPTY, _PREPARING, _COMPLETING, _STABLE, _DEAD = ClassicGroupState

PREVIOUS_STATES: dict[ClassicGroupState, frozenset[ClassicGroupState]] = {
    _EMPTY: frozenset({_PREPARING}),
    _PREPARING: frozenset({_EMPTY, _COMPLETING, _STABLE}),
    _COMPLETING: frozenset({_PREPARING}),
    _STABLE: frozenset({_COMPLETING}),
    _DEAD: frozenset(ClassicGroupState),
}
"""From which states each state may be entered. Replay is not bound by it: a log tells of results, not of phases."""

GENERATION_MAX = 2**31 - 1
FIRST_GENERATION = 0
"""Follows the highest that fits into a message. (Apache Kafka's becomes negative, which elsewhere means: no member.)"""
