"""DefaultPrincipalData: a message without an API key.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, field


class DefaultPrincipalData(Message, kind="data", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    type: str = field("string", "0+", default="")
    name: str = field("string", "0+", default="")
    token_authenticated: bool = field("bool", "0+", default=False)
