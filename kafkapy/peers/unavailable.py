"""What a request to another node fails with."""

from __future__ import annotations


class PeerUnavailable(Exception):
    """The request has no answer: no connection, none in time, or bytes that are no answer. The message says why.

    The peer may have done what was asked.
    """
