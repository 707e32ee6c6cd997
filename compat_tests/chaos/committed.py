"""Committed offsets of groups, asked for without a client library.

librdkafka 2.16 ends the process when an admin client is told that a coordinator has moved: rd_kafka_handle_OffsetFetch
has a consumer group look for it, and there is none.
"""

from __future__ import annotations

import random
from typing import Any

from compat_tests import client_login
from compat_tests.differential.peer import Connection, ConnectionClosed, api_key_of
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup

ANSWER_SECONDS_MAX = 3.0
FIND_COORDINATOR_VERSION = 4
OFFSET_FETCH_VERSION = 8

Place = tuple[str, int]
Address = tuple[str, int]


class NotTold(Exception):
    """Nobody has told: the text says why."""


class CommittedOffsets:
    """Keeps a connection to the coordinator of each group."""

    def __init__(self, bootstrap: str, chance: random.Random, user: str) -> None:
        pairs = (each.rpartition(":") for each in bootstrap.split(","))
        self._addresses = [(host, int(port)) for host, _, port in pairs]
        self._chance = chance
        self._user = user
        self._coordinators: dict[str, tuple[Address, Connection]] = {}

    def close(self) -> None:
        for _, connection in self._coordinators.values():
            connection.close()
        self._coordinators.clear()

    def ask(self, group: str) -> tuple[Address, dict[Place, int]]:
        """Who has answered, and the offsets by topic and partition; those of no open transaction. Raises NotTold."""
        try:
            return self._ask(group)
        except (OSError, ConnectionClosed) as failed:
            self._forget(group)
            raise NotTold(repr(failed)) from failed
        except NotTold:
            self._forget(group)
            raise

    def _forget(self, group: str) -> None:
        if (found := self._coordinators.pop(group, None)) is not None:
            found[1].close()

    def _ask(self, group: str) -> tuple[Address, dict[Place, int]]:
        if group not in self._coordinators:
            found = self._find(group)
            self._coordinators[group] = (
                found,
                client_login.raw_connection(self._user, *found, patience=ANSWER_SECONDS_MAX),
            )
        address, connection = self._coordinators[group]
        request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group, topics=None)], require_stable=True)
        answer = _answer(connection, request, OFFSET_FETCH_VERSION).groups[0]
        _check(answer.error_code)
        for partition in (each for topic in answer.topics for each in topic.partitions):
            _check(partition.error_code)
        return address, {
            (topic.name, partition.partition_index): partition.committed_offset
            for topic in answer.topics
            for partition in topic.partitions
            if partition.committed_offset >= 0
        }

    def _find(self, group: str) -> Address:
        address = self._chance.choice(self._addresses)
        connection = client_login.raw_connection(self._user, *address, patience=ANSWER_SECONDS_MAX)
        try:
            request = FindCoordinatorRequest(key_type=0, coordinator_keys=[group])
            found = _answer(connection, request, FIND_COORDINATOR_VERSION).coordinators[0]
        finally:
            connection.close()
        _check(found.error_code)
        return found.host, found.port


def _answer(connection: Connection, request: Any, version: int) -> Any:
    return connection.receive(api_key_of(request), version, connection.post(request, version))


def _check(code: int) -> None:
    if code:
        raise NotTold(ErrorCode(code).name)
