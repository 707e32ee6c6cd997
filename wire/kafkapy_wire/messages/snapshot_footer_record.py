"""SnapshotFooterRecord: a message without an API key.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, field


class SnapshotFooterRecord(Message, kind="data", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    version: int = field("int16", "0+", default=0)
