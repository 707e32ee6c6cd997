"""What kafka-configs keeps of users, client ids and addresses: their quotas, and passwords of SASL/SCRAM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.client.errors import ClientError
from kafkapy_wire.integer_text import INT32_MAX, parse_integer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kafkapy.client.cluster import Cluster

    Entities = Sequence[tuple[str, str | None]]
    """Types of entities, and their names: "" is the default, None is each."""

TYPES = {"users": "user", "clients": "client-id", "ips": "ip"}
"""Kafka's words for the types in this tool, and in the protocol."""
_SHOWN = {"user": "user-principal", "client-id": "client-id", "ip": "ip"}
_OF_CLIENTS = ("producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate")
_QUOTAS = {"users": _OF_CLIENTS, "clients": _OF_CLIENTS, "ips": ("connection_creation_rate",)}
_ITERATIONS_MIN = _ITERATIONS_DEFAULT = 4_096


def alter(entities: Entities, added: Mapping[str, str], deleted: Sequence[str], cluster: Cluster) -> None:
    """Raises ClientError."""
    _check_names(entities)
    kind = entities[0][0]
    mechanisms = _mechanisms(entities)
    kinds = "quota and SCRAM credential" if mechanisms else "quota"
    known = (*_QUOTAS[kind], *mechanisms)
    for names, done in ((list(added), "added"), (deleted, "deleted")):
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ClientError(
                f"Only {kinds} configs can be {done} for '{kind}' using --bootstrap-server. Unexpected config names: "
                f"{','.join(unknown)}"
            )
    of_scram = [name for name in (*added, *deleted) if name in mechanisms]
    if not of_scram:
        _alter_quotas(cluster, entities, added, deleted)
        return
    if len(of_scram) < len(added) + len(deleted):
        raise ClientError(
            f"Cannot alter both quota and SCRAM credential configs simultaneously for '{kind}' using "
            "--bootstrap-server."
        )
    _alter_passwords(cluster, entities[0][1] or "", added, deleted)


def _check_names(entities: Entities) -> None:
    """Raises ClientError."""
    import socket

    for kind, name in entities:
        if name is None:
            raise ClientError(
                "An entity-name or default entity must be specified with --alter of users, clients, brokers or ips"
            )
        if kind == "ips" and name:
            try:
                socket.getaddrinfo(name, None)
            except (OSError, UnicodeError):
                raise ClientError(
                    f"The entity name for ips must be a valid IP or resolvable host, but it is: {name}"
                ) from None


def _mechanisms(entities: Entities) -> tuple[str, ...]:
    """Of SCRAM, where the entity may have a password."""
    from kafkapy.client.users import MECHANISMS

    return tuple(MECHANISMS) if [kind for kind, _ in entities] == ["users"] else ()


def _alter_quotas(cluster: Cluster, entities: Entities, added: Mapping[str, str], deleted: Sequence[str]) -> None:
    """Raises ClientError."""
    from kafkapy.client.quotas import alter_quotas, describe_quotas

    entity = {TYPES[kind]: name or None for kind, name in entities}
    values = {}
    for name, text in added.items():
        try:
            values[name] = float(text)
        except ValueError:
            raise ClientError(f"Cannot parse quota configuration value for {name}: {text}") from None
    if deleted:
        present = {name for quotas in describe_quotas(cluster, entity, is_strict=True) for name in quotas.values}
        missing = [name for name in deleted if name not in present]
        if missing:
            raise ClientError(f"Invalid config(s): {','.join(missing)}")
    alter_quotas(cluster, entity, values, deleted)


def _alter_passwords(cluster: Cluster, user: str, added: Mapping[str, str], deleted: Sequence[str]) -> None:
    """Raises ClientError."""
    from kafkapy.client.users import remove_credentials, set_password

    if not user:
        raise ClientError(
            "The use of --entity-default or --user-defaults is not allowed with User SCRAM Credentials using "
            "--bootstrap-server."
        )
    given = {mechanism: _iterations_and_password(mechanism, text) for mechanism, text in added.items()}
    for mechanism, (iterations, password) in given.items():
        set_password(cluster, user, password, mechanism, iterations)
    remove_credentials(cluster, user, deleted)


def _iterations_and_password(mechanism: str, text: str) -> tuple[int, str]:
    """Of `iterations=8192,password=secret`. Raises ClientError, which does not show the password."""
    iterations_part, comma, password_part = text.partition(",password=")
    if not comma:
        iterations_part, password_part = "", text.removeprefix("password=")
        if password_part == text:
            password_part = ""
    iterations: int | None = _ITERATIONS_DEFAULT
    if iterations_part:
        digits = iterations_part.removeprefix("iterations=")
        iterations = parse_integer(digits, 0, INT32_MAX) if digits != iterations_part else None
    if iterations is None or not password_part:
        raise ClientError(
            f"Invalid credential property {mechanism}: write {mechanism}=[iterations=8192,password=secret], or without "
            "iterations"
        )
    if iterations < _ITERATIONS_MIN:
        raise ClientError(
            f"Iterations {iterations} is less than the minimum {_ITERATIONS_MIN} required for {mechanism}"
        )
    return iterations, password_part


def describe(entities: Entities, cluster: Cluster) -> None:
    from kafkapy.client.quotas import describe_quotas

    named = {TYPES[kind]: name or None for kind, name in entities if name is not None}
    of_any_name = [TYPES[kind] for kind, name in entities if name is None]
    for quotas in describe_quotas(cluster, named, of_any_name, is_strict=True):
        parts = [_part(kind, quotas.entity[kind]) for kind in _SHOWN if kind in quotas.entity]
        values = ", ".join(f"{name}={java_double(value)}" for name, value in quotas.values.items())
        print(f"Quota configs for {', '.join(parts)} are {values}")
    if [kind for kind, _ in entities] == ["users"] and entities[0][1] != "":
        _describe_passwords(entities[0][1], cluster)


def _part(kind: str, name: str | None) -> str:
    return f"the default {_SHOWN[kind]}" if name is None else f"{_SHOWN[kind]} '{name}'"


def _describe_passwords(user: str | None, cluster: Cluster) -> None:
    from kafkapy.client.users import credentials

    by_user: dict[str, list[str]] = {}
    for one in credentials(cluster):
        if user in (None, one.user):
            by_user.setdefault(one.user, []).append(f"{one.mechanism}=iterations={one.iterations}")
    for name, told in by_user.items():
        print(f"SCRAM credential configs for user-principal '{name}' are {', '.join(told)}")


def java_double(value: float) -> str:
    """As Java prints a double: 1024.0, 1.048576E7."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(float(value))
    digits, _, exponent = f"{value!r}".partition("e")
    if exponent:
        mantissa = digits if "." in digits else f"{digits}.0"
        return f"{mantissa}E{int(exponent)}"
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    whole, _, fraction = digits.partition(".")
    significant = (whole + fraction).strip("0")
    power = len(whole) - 1 if whole.strip("0") else -(len(fraction) - len(fraction.lstrip("0"))) - 1
    return f"{sign}{significant[0]}.{significant[1:] or '0'}E{power}"
