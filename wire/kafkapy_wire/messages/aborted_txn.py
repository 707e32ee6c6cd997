"""AbortedTxn: a message without an API key.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, field


class AbortedTxn(Message, kind="data", versions="0", flexible="none"):
    """Version 0; none flexible."""

    producer_id: int = field("int64", "0+", default=0)
    first_offset: int = field("int64", "0+", default=0)
    last_offset: int = field("int64", "0+", default=0)
    last_stable_offset: int = field("int64", "0+", default=0)
