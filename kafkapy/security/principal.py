"""Who a client is: the principal of its connection, and how it is passed on in an Envelope."""

from __future__ import annotations

from typing import Final

from kafkapy_wire.codec import decode, encode
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.messages.default_principal_data import DefaultPrincipalData

USER: Final = "User"
_VERSION_BYTES: Final = 2
_VERSION: Final = 0


class KafkaPrincipal:
    """A principal as ACLs name it: `User:alice`. Immutable; equal by type and name alone, as in Apache Kafka."""

    __slots__ = ("is_token_authenticated", "name", "type")

    def __init__(self, type_: str, name: str, *, is_token_authenticated: bool = False) -> None:
        self.type = type_
        self.name = name
        self.is_token_authenticated = is_token_authenticated
        """Whether it has authenticated with a delegation token, by which it can get no further ones."""

    @classmethod
    def parse(cls, text: str) -> KafkaPrincipal:
        """From `User:alice`. Raises ValueError with Apache Kafka's words."""
        type_, colon, name = text.partition(":")
        if not colon:
            raise ValueError(f"expected a string in format principalType:principalName but got {text}")
        return cls(type_, name)

    def __str__(self) -> str:
        return f"{self.type}:{self.name}"

    def __repr__(self) -> str:
        return f"KafkaPrincipal({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KafkaPrincipal) and (self.type, self.name) == (other.type, other.name)

    def __hash__(self) -> int:
        return hash((self.type, self.name))


ANONYMOUS: Final = KafkaPrincipal(USER, "ANONYMOUS")


def user(name: str) -> KafkaPrincipal:
    return KafkaPrincipal(USER, name)


def serialized(principal: KafkaPrincipal) -> bytes:
    """As in an Envelope (KIP-590): the version, and DefaultPrincipalData in it."""
    data = DefaultPrincipalData(
        type=principal.type, name=principal.name, token_authenticated=principal.is_token_authenticated
    )
    return _VERSION.to_bytes(_VERSION_BYTES, "big") + encode(data, _VERSION)


def deserialized(content: bytes | None) -> KafkaPrincipal:
    """The principal of an Envelope. Raises MalformedMessage."""
    if content is None or int.from_bytes(content[:_VERSION_BYTES], "big") != _VERSION:
        raise MalformedMessage("the principal is in a version that is not known")
    data = decode(DefaultPrincipalData, memoryview(content)[_VERSION_BYTES:], _VERSION)
    return KafkaPrincipal(data.type, data.name, is_token_authenticated=data.token_authenticated)
