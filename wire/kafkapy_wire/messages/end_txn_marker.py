"""EndTxnMarker: a message without an API key.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, field


class EndTxnMarker(Message, kind="data", versions="0", flexible="none"):
    """Version 0; none flexible."""

    coordinator_epoch: int = field("int32", "0+", default=0)
