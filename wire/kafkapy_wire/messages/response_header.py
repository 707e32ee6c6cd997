"""ResponseHeader: a message without an API key.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, field


class ResponseHeader(Message, kind="header", versions="0-1", flexible="1+"):
    """Versions 0-1; 1+ flexible."""

    correlation_id: int = field("int32", "0+", default=0)
