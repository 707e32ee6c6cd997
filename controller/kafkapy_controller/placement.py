"""Which brokers hold the replicas of new partitions, and which may.

As in Apache Kafka: leaders go round the racks, and within a rack round its brokers; followers continue over the other
racks, so that each rack gets its share of leaders and replicas. Brokers that are fenced may follow but not lead, those
in controlled shutdown get no replicas until they are down, which is when they are fenced. Where the round starts is
random, otherwise the first broker would lead the only partition of every small topic.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from kafkapy_controller.image import MIGRATING_DIRECTORY, UNASSIGNED_DIRECTORY, BrokerImage, MetadataImage
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.uuid import Uuid


def place_replicas(
    brokers: Iterable[BrokerImage], partition_count: int, replication_factor: int, random: Random
) -> list[tuple[int, ...]]:
    """Choose the replicas of each partition, its preferred leader first.

    Raises KafkaError INVALID_REPLICATION_FACTOR: there are too few brokers, or all are fenced.
    """
    usable = sorted(
        (each for each in brokers if each.has_room and (each.fenced or not each.in_controlled_shutdown)),
        key=lambda broker: broker.broker_id,
    )
    unfenced_count = sum(not broker.fenced for broker in usable)
    if replication_factor <= 0:
        raise KafkaError(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"Invalid replication factor {replication_factor}: the replication factor must be positive.",
        )
    if not unfenced_count:
        raise KafkaError(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            "All brokers are currently fenced, or have all their log directories cordoned.",
        )
    if replication_factor > len(usable):
        raise KafkaError(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"The target replication factor of {replication_factor} cannot be reached because only {len(usable)} "
            "broker(s) are registered or some brokers have all their log directories cordoned.",
        )
    if len(usable) == 1:
        return [(usable[0].broker_id,)] * partition_count
    racks = _Racks(usable, unfenced_count, random)
    return [racks.place(replication_factor) for _ in range(partition_count)]


def check_manual_replicas(
    image: MetadataImage, replicas: tuple[int, ...], replication_factor: int | None = None
) -> None:
    """Check a manual assignment of one partition, which must have `replication_factor` replicas if that is given.

    Raises KafkaError INVALID_REPLICA_ASSIGNMENT. Apache Kafka looks at the lowest broker id first.
    """
    code = ErrorCode.INVALID_REPLICA_ASSIGNMENT
    if not replicas:
        raise KafkaError(code, "The manual partition assignment includes an empty replica list.")
    previous: int | None = None
    for broker_id in sorted(replicas):
        broker = image.brokers.get(broker_id)
        if broker is None:
            raise KafkaError(
                code,
                f"The manual partition assignment includes broker {broker_id}, but no such broker is registered.",
            )
        if not broker.has_room:
            raise KafkaError(
                code,
                f"The manual partition assignment includes broker {broker_id}, but all its log directories are "
                "cordoned.",
            )
        if broker_id == previous:
            raise KafkaError(code, f"The manual partition assignment includes the broker {broker_id} more than once.")
        previous = broker_id
    if replication_factor is not None and len(replicas) != replication_factor:
        raise KafkaError(
            code,
            f"The manual partition assignment includes a partition with {len(replicas)} replica(s), but this is not "
            f"consistent with previous partitions, which have {replication_factor} replica(s).",
        )


def default_directory(image: MetadataImage, broker_id: int) -> Uuid:
    """The directory of a new replica: the broker's only one; else UNASSIGNED, and the broker chooses (KIP-858)."""
    log_dirs = image.brokers[broker_id].log_dirs
    if not log_dirs:
        return MIGRATING_DIRECTORY
    return log_dirs[0] if len(log_dirs) == 1 else UNASSIGNED_DIRECTORY


class _Rack:
    """The brokers of one rack. Each turn (one partition) begins one broker further."""

    def __init__(self, brokers: list[BrokerImage], random: Random) -> None:
        self.unfenced = [broker.broker_id for broker in brokers if not broker.fenced]
        self.fenced = [broker.broker_id for broker in brokers if broker.fenced]
        self._unfenced_start = random.randrange(len(self.unfenced) or 1)
        self._fenced_start = random.randrange(len(self.fenced) or 1)
        self._waiting: list[int] = []
        self._unfenced_waiting = 0

    def begin_turn(self, turn: int) -> None:
        """Order the brokers for this turn; the next one to take is last."""
        unfenced = _rotated(self.unfenced, self._unfenced_start + turn)
        self._waiting = (unfenced + _rotated(self.fenced, self._fenced_start + turn))[::-1]
        self._unfenced_waiting = len(unfenced)

    def shuffle(self, random: Random) -> None:
        random.shuffle(self.unfenced)
        random.shuffle(self.fenced)

    def next_leader(self) -> int | None:
        return self.next_replica() if self._unfenced_waiting else None

    def next_replica(self) -> int | None:
        self._unfenced_waiting -= 1
        return self._waiting.pop() if self._waiting else None


class _Racks:
    def __init__(self, brokers: list[BrokerImage], unfenced_count: int, random: Random) -> None:
        by_name: dict[str, list[BrokerImage]] = {}
        for broker in brokers:
            by_name.setdefault(broker.rack or "", []).append(broker)
        self._racks = [_Rack(members, random) for _, members in sorted(by_name.items())]
        self._unfenced_count = unfenced_count
        self._random = random
        self._turn = 0
        self._first = random.randrange(len(self._racks))

    def place(self, replication_factor: int) -> tuple[int, ...]:
        """One partition's replicas. There are enough brokers: `place_replicas` has counted them."""
        if self._turn == self._unfenced_count > 1:
            # Every broker has led once: use another order, so that a leader gets other followers in the next round.
            self._random.shuffle(self._racks)
            for rack in self._racks:
                rack.shuffle(self._random)
            self._turn = 0
        count = len(self._racks)
        round_of_racks = [(self._first + i) % count for i in range(count)]
        for rack in self._racks:
            rack.begin_turn(self._turn)
        leader_rack, leader = next(
            (index, leader) for index in round_of_racks if (leader := self._racks[index].next_leader()) is not None
        )
        replicas = [leader]
        # The leader's rack has had its turn in the first round.
        visits = [index for index in round_of_racks if index != leader_rack] + round_of_racks * replication_factor
        for index in visits:
            if len(replicas) == replication_factor:
                break
            replica = self._racks[index].next_replica()
            if replica is not None:
                replicas.append(replica)
        assert len(replicas) == replication_factor, (replicas, replication_factor)
        self._turn += 1
        self._first = (self._first + 1) % count
        return tuple(replicas)


def _rotated(items: list[int], by: int) -> list[int]:
    start = by % len(items) if items else 0
    return items[start:] + items[:start]
