"""The latest offset of each key in the dirty part of a log: what compaction keeps a record or drops it by."""

from collections.abc import Iterable
from typing import Final

# Longer keys are known by a digest, shorter ones by themselves: a digest is as long as no key that stands for itself.
_DIGEST_BYTES: Final = 20

ENTRY_BYTES: Final = 160
"""Memory of one entry: a place in the table (up to 64 bytes after it has grown), the key (53) and the offset (32)."""


class OffsetMap:
    """Offsets by key, of at most about `capacity` keys. `latest_offset`: all records up to it have been taken in.

    Apache Kafka always keeps 16 bytes of MD5 a key, in 24 bytes an entry. A Python entry takes more, so the same
    log.cleaner.dedupe.buffer.size holds fewer keys here; what does not fit is left for the next cleaning.
    """

    __slots__ = ("capacity", "latest_offset", "offsets")

    def __init__(self, memory_bytes: int, load_factor: float = 1.0) -> None:
        self.capacity = max(1, int(memory_bytes * load_factor) // ENTRY_BYTES)
        self.latest_offset = -1
        self.offsets: dict[bytes, int] = {}

    @property
    def is_full(self) -> bool:
        return len(self.offsets) >= self.capacity

    def put(self, keys: Iterable[bytes], offsets: Iterable[int]) -> None:
        """Take in records in the order of their offsets; the keys are `short_keys`."""
        self.offsets.update(zip(keys, offsets, strict=False))


def short_keys(keys: list[bytes]) -> list[bytes]:
    """Each key as the map knows it."""
    if max(map(len, keys), default=0) < _DIGEST_BYTES:
        return keys
    from hashlib import blake2b  # loads OpenSSL, which a broker may never need

    return [key if len(key) < _DIGEST_BYTES else blake2b(key, digest_size=_DIGEST_BYTES).digest() for key in keys]
