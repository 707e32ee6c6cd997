"""The principal of a connection, and its bytes in an Envelope."""

from __future__ import annotations

import pytest

from kafkapy.security.principal import ANONYMOUS, KafkaPrincipal, deserialized, serialized, user
from kafkapy_wire.errors import MalformedMessage


def test_principals_are_equal_by_type_and_name_alone() -> None:
    """A principal that came by a delegation token has the ACLs of its owner."""
    assert user("alice") == KafkaPrincipal("User", "alice", is_token_authenticated=True)
    assert len({user("alice"), KafkaPrincipal.parse("User:alice")}) == 1
    assert user("alice") != KafkaPrincipal("Group", "alice")
    assert KafkaPrincipal.parse("User:ANONYMOUS") == ANONYMOUS


@pytest.mark.parametrize("name", ["alice", "", "CN=a,O=b:c", "ä☃"])
def test_a_name_may_have_any_characters(name: str) -> None:
    principal = KafkaPrincipal.parse(f"User:{name}")
    assert (principal.type, principal.name) == ("User", name)
    assert deserialized(serialized(principal)) == principal


def test_an_envelope_tells_that_a_token_was_used() -> None:
    assert deserialized(serialized(KafkaPrincipal("User", "a", is_token_authenticated=True))).is_token_authenticated
    assert not deserialized(serialized(user("a"))).is_token_authenticated


def test_a_type_may_be_empty_as_in_apache_kafka() -> None:
    assert KafkaPrincipal.parse(":alice") == KafkaPrincipal("", "alice")


@pytest.mark.parametrize("text", ["", "alice"])
def test_a_principal_without_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="principalType:principalName"):
        KafkaPrincipal.parse(text)


@pytest.mark.parametrize("content", [None, b"\0\1", b"\0\0", b"\0\0\x05User"])
def test_bytes_that_are_no_principal_are_refused(content: bytes | None) -> None:
    with pytest.raises(MalformedMessage):
        deserialized(content)
