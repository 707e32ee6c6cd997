"""Numbers in requests about ACLs with which Apache Kafka does not read them at all."""

from __future__ import annotations

from kafkapy.errors import CloseConnection

UNKNOWN = 0


def check_numbers(resource_type: int, pattern_type: int, operation: int, permission_type: int) -> None:
    """Raises CloseConnection. Other numbers that nobody knows are answered."""
    if UNKNOWN in (resource_type, pattern_type, operation, permission_type):
        raise CloseConnection("a request about ACLs has a type, operation or permission that is 0")
