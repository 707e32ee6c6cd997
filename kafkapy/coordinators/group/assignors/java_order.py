"""The order in which `java.util.HashMap` and `HashSet` give their elements.

Kafka's assignors take members and topics as these tables give them, so that who gets the odd partition depends on it. A
group that moves between Apache Kafka and this broker should keep its partitions, and equal inputs should give equal
assignments: tests compare them with those of Kafka's own classes.

An element is in the bucket `(hash ^ hash >>> 16) & (capacity - 1)`; within a bucket the first one put comes first.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from kafkapy_wire.uuid import Uuid

T = TypeVar("T")

_MASK = 0xFFFFFFFF
_FIRST_CAPACITY = 16
CACHED_STRINGS_MAX = 4_096


@lru_cache(CACHED_STRINGS_MAX)
def string_hash(text: str) -> int:
    """`String.hashCode`, as an unsigned number."""
    code = 0
    units = text.encode("utf-16-be", "surrogatepass")
    for index in range(0, len(units), 2):
        code = (31 * code + (units[index] << 8 | units[index + 1])) & _MASK
    return code


def uuid_hash(uuid: Uuid) -> int:
    """`org.apache.kafka.common.Uuid.hashCode`, as an unsigned number."""
    both = int.from_bytes(uuid[:8]) ^ int.from_bytes(uuid[8:])
    return (both >> 32 ^ both) & _MASK


def signed_halves(uuid: Uuid) -> tuple[int, int]:
    """The key by which `Uuid.compareTo` sorts."""
    return int.from_bytes(uuid[:8], signed=True), int.from_bytes(uuid[8:], signed=True)


def string_key(text: str) -> bytes:
    """The key by which `String.compareTo` sorts."""
    return text.encode("utf-16-be", "surrogatepass")


def member_order(member_ids: Collection[str]) -> list[str]:
    """The keys of a map that was filled one by one."""
    return _in_buckets(member_ids, string_hash, _grown_capacity(len(member_ids)))


def computed_order(calls: Sequence[str]) -> list[str]:
    """The keys of a map with room for all calls of `computeIfAbsent`. They put a key before the others of its bucket.

    A call grows the map when it is full, whether or not it then puts a key.
    """
    names = [*dict.fromkeys(calls)]
    count_before_last_call = len(names) - (calls.index(names[-1]) == len(calls) - 1) if names else 0
    capacity = 1 << (max(len(calls), 1) - 1).bit_length()
    while count_before_last_call > capacity * 3 // 4:
        capacity *= 2
    return _in_buckets(names[::-1], string_hash, capacity)


def topic_order(topic_ids: Collection[Uuid]) -> list[Uuid]:
    """The elements of a set that was made of a collection."""
    return _in_buckets(topic_ids, uuid_hash, _copied_capacity(len(topic_ids)))


def assigned_topic_order(topic_ids: Collection[Uuid]) -> list[Uuid]:
    """The keys of a map that was filled one by one."""
    return _in_buckets(topic_ids, uuid_hash, _grown_capacity(len(topic_ids)))


def partition_order(partitions: Collection[int]) -> Iterable[int]:
    """The elements of a set of partition indexes that was made of a sorted collection."""
    return _in_buckets(sorted(partitions), int, _copied_capacity(len(partitions)))


def place_order(places: Collection[tuple[Uuid, int]], count: int) -> list[tuple[Uuid, int]]:
    """The keys (topic id, partition) of a map with room for `count`, in which they were put by `computeIfAbsent`: that
    puts each before the others of its bucket.
    """
    return _in_buckets([*places][::-1], _place_hash, _roomy_capacity(count))


def grown_place_order(places: Collection[tuple[Uuid, int]]) -> list[tuple[Uuid, int]]:
    """The elements of a set that was filled one by one."""
    return _in_buckets(places, _place_hash, _grown_capacity(len(places)))


def grown_number_order(numbers: Collection[int]) -> list[int]:
    """The elements of a set that was filled one by one."""
    return _in_buckets(numbers, int, _grown_capacity(len(numbers)))


def _place_hash(place: tuple[Uuid, int]) -> int:
    return (31 * uuid_hash(place[0]) + place[1]) & _MASK


def _roomy_capacity(count: int) -> int:
    """As Kafka's assignors ask for it: with room for one more."""
    return 1 << (int((count + 1) / 0.75 + 1) - 1).bit_length()


def _grown_capacity(count: int) -> int:
    capacity = _FIRST_CAPACITY
    while count > capacity * 3 // 4:
        capacity *= 2
    return capacity


def _copied_capacity(count: int) -> int:
    wanted = max(int(count / 0.75) + 1, _FIRST_CAPACITY)
    return 1 << (wanted - 1).bit_length()


def _in_buckets(elements: Iterable[T], hash_of: Callable[[T], int], capacity: int) -> list[T]:
    def bucket(element: T) -> int:
        code = hash_of(element)
        return (code ^ code >> 16) & capacity - 1

    return sorted(elements, key=bucket)
