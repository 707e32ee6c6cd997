"""The clusters of a test session: one of each kind, brought back to a fresh state for each test."""

from __future__ import annotations

import gc
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Final

from kafkapy.control import faults, state
from kafkapy.control.values import NotYet
from kafkapy.control.waits import UNFINISHED
from kafkapy.log_lines import shown
from kafkapy.testing.errors import HangingKafka, not_fired
from kafkapy.testing.given_values import seed_source, topics_with_texts
from kafkapy.testing.kafka import Kafka
from kafkapy.testing.options import check_topics
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkapy.control.values import Connection, Group, Transaction
    from kafkapy.testing.libraries import Clients
    from kafkapy.testing.options import SeedSource, Topics

CLUSTERS_MAX: Final = 4
"""How many kinds are kept running; the one that was used longest ago is stopped for another."""
LEAVING_SECONDS: Final = 0.1
"""How long the connections of clients that were just closed may take to end."""
LOG_LINES_SHOWN: Final = 100
REQUESTS_SHOWN: Final = 20
"""The latest ones of each client."""


class ClientLeftOpen(UserWarning):
    """A client that a test has made was still connected at the end of the test."""


class Pool:
    """Starts clusters when they are first asked for."""

    def __init__(self) -> None:
        self._running: dict[str, Kafka] = {}

    def use(self, *, topics: Topics | None = None, seed: SeedSource | None = None, **kind: Any) -> Used:
        """A cluster of this kind with a fresh state, these topics and what the seed has.

        Raises KafkaNotStarted; ValueError: there is no such kind, or InvalidSeed; KafkaError: a topic is refused.
        """
        check_topics(topics or {})
        key = repr(sorted(kind.items()))
        kafka = self._running.pop(key, None)
        if kafka is None:
            while len(self._running) >= CLUSTERS_MAX:
                _stop(self._running.pop(next(iter(self._running))))
        elif not _is_fresh(kafka):
            kafka = None
        if kafka is None:
            kafka = Kafka(**kind)
            kafka.__enter__()
        self._running[key] = kafka
        if topics or seed is not None:
            kafka._call(state.begin_with, topics_with_texts(topics or {}), None if seed is None else seed_source(seed))
        return Used(kafka)

    def stop(self) -> None:
        """Raises HangingTeardown, and what a cluster has ended with by itself."""
        running, self._running = self._running, {}
        with ExitStack() as stops:
            for kafka in running.values():
                stops.callback(_stop, kafka)


class Used:
    """A cluster while one test uses it."""

    def __init__(self, kafka: Kafka) -> None:
        self.kafka = kafka
        self._connected = set(kafka.connections())
        self._log_lines = len(kafka.log)
        self.clients: list[Clients] = []
        """Those that the fixtures have made."""

    def missed_faults(self) -> list[str]:
        """A line for each fault that must fire and never did in this test, also before a reset."""
        return not_fired(self.kafka._call(faults.missed_faults))

    def left_open(self, *, has_failed: bool = False) -> list[str]:
        """A line for each client that was connected in this test and still is.

        Where the test `has_failed`, its report keeps its clients; the test is not to blame for those of the fixtures.
        """
        not_closable = {each for clients in self.clients for each in clients.not_closable} if has_failed else set()
        if self._opened():
            # Clients of confluent-kafka end with their object, and `pytest.raises` keeps the test's frame in a cycle.
            gc.collect()
        until = time.monotonic() + LEAVING_SECONDS
        while (opened := self._opened()) and time.monotonic() < until:
            time.sleep(LEAVING_SECONDS / 20)
        lines = []
        for client_id in sorted({each.client_id or "" for each in opened} - not_closable):
            of_client = [each for each in opened if (each.client_id or "") == client_id]
            addresses = ", ".join(each.address for each in of_client)
            lines.append(
                f"client {client_id!r} ({of_client[0].software}) was left open: connected from {addresses}"
                f"{self._held_by(client_id)}"
            )
        return lines

    def seen(self) -> str:
        """What the cluster knows now, for the report of a test that has failed.

        Where a look at it fails, the report says so, and has the rest: a cluster that is broken must not hide anything.
        """
        lines: list[str] = []
        looks = (self._topics, self._groups, self._transactions, self._connections, self._faults, self._requests)
        for look in (*looks, self._log):
            try:
                lines += look()
            except HangingKafka as error:
                return "\n".join([*lines, str(error)])
            except Exception as error:
                lines.append(f"{look.__name__[1:]}: they cannot be shown: {type(error).__name__}: {shown(str(error))}")
        return "\n".join(lines)

    def _topics(self) -> Iterator[str]:
        for topic in self.kafka.topics():
            ends = ", ".join(str(each.high_watermark) for each in self.kafka.topic(topic).partitions)
            yield f"topic {topic}: high watermarks {ends}"

    def _groups(self) -> Iterator[str]:
        for group in self._described_groups():
            yield f"group {shown(group.group_id)}: {group.state}, lag {group.total_lag}"
            for member in group.members:
                given = ", ".join(f"{topic}-{index}" for topic, index in member.partitions) or "nothing"
                yield f"    {shown(member.client_id)} at {member.host} has {given}"
            for (topic, index), offset in sorted(group.offsets.items()):
                yield f"    committed {topic}-{index}: {offset}"

    def _transactions(self) -> Iterator[str]:
        for transaction in self.kafka.transactions():
            where = ", ".join(f"{topic}-{index}" for topic, index in transaction.partitions)
            yield f"transaction {shown(transaction.transactional_id)}: {transaction.state} {where}"
            if transaction.state in UNFINISHED:
                yield from self._held_up(transaction)

    def _held_up(self, transaction: Transaction) -> Iterator[str]:
        """The partitions where readers with read_committed wait for the end of this open transaction."""
        for topic, index in transaction.partitions:
            with suppress(LookupError, KafkaError, NotYet):
                found = self.kafka.topic(topic).partitions[index]
                if found.last_stable_offset < found.high_watermark:
                    yield (
                        f"    {topic}-{index}: last stable offset {found.last_stable_offset}, high watermark "
                        f"{found.high_watermark}: read_committed waits for the end of open transactions"
                    )

    def _connections(self) -> Iterator[str]:
        for each in self.kafka.connections():
            yield f"connection from {each.address} to node {each.node}: {shown(str(each.client_id))} ({each.software})"

    def _faults(self) -> Iterator[str]:
        for each in self.kafka.faults.all():
            yield f"{each}: {each.matched} requests matched, fired for {each.fired}"

    def _requests(self) -> Iterator[str]:
        for client_id, exchanges in self.kafka.recorded().by_client().items():
            yield f"requests of {client_id!r}:"
            yield from (f"    {exchange}" for exchange in exchanges[-REQUESTS_SHOWN:])

    def _log(self) -> list[str]:
        return self.kafka.log[self._log_lines :][-LOG_LINES_SHOWN:]

    def _described_groups(self) -> Iterator[Group]:
        """All that can be described now: one may end meanwhile, or its coordinator may be moving."""
        for group_id in self.kafka.groups():
            with suppress(LookupError, KafkaError, NotYet):
                yield self.kafka.group(group_id)

    def _opened(self) -> list[Connection]:
        # One that has asked nothing yet may be a node's.
        asking = [each for each in self.kafka.connections() if each.client_id is not None]
        return [each for each in asking if each not in self._connected]

    def _held_by(self, client_id: str) -> str:
        with suppress(LookupError, KafkaError, NotYet):
            held = [
                f"; member of group {group.group_id!r} with "
                f"{', '.join(f'{topic}-{index}' for topic, index in member.partitions)}"
                for group in self._described_groups()
                for member in group.members
                if member.client_id == client_id
            ]
            return "".join(held)
        return ""


def _is_fresh(kafka: Kafka) -> bool:
    """Whether a cluster could be brought back to a fresh state; one that could not, or has ended, is stopped."""
    try:
        kafka._call(state.begin_test)
    except Exception:  # a test may have broken it in any way: the next test has another
        with suppress(Exception):
            _stop(kafka)
        return False
    except BaseException:  # as Ctrl-C: nobody will stop it
        _stop(kafka)
        raise
    return True


def _stop(kafka: Kafka) -> None:
    kafka._stop()
