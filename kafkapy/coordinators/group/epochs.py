"""Epochs of groups that the coordinator assigns, and of their members."""

from __future__ import annotations

from typing import Final

LAST_EPOCH: Final = 2**31 - 1
"""A record has no room for more. No group gets there by itself: somebody has written the record."""


def next_epoch(epoch: int) -> int:
    """The last one is followed by itself: nothing is assigned any more, but members can leave, and the group be
    deleted. In Apache Kafka it is followed by the smallest number there is, and nothing is assigned, either.
    """
    return min(epoch + 1, LAST_EPOCH)
