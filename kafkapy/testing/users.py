"""Users of a cluster of the test kit, who log in by SASL: the settings of its nodes, and the logins of clients."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from kafkapy.cluster import BROKER_LISTENER
from kafkapy.control.arguments import InvalidArgument, check, shown
from kafkapy.nearest import did_you_mean
from kafkapy_controller.scram import SCRAM_MECHANISMS, ScramArgument, credential_record
from kafkapy_wire.sasl.jaas import PLAIN_MODULE, SCRAM_MODULE, jaas_config

if TYPE_CHECKING:
    from kafkapy_wire.record_formats.metadata import UserScramCredentialRecord

MECHANISMS: Final = ("PLAIN", *SCRAM_MECHANISMS)
NODE_USER: Final = "kafkapy-node"
"""As whom the nodes of a cluster log in at one another."""
ITERATIONS: Final = 4_096


class ClientLogin(NamedTuple):
    """How a client logs in."""

    mechanism: str
    user: str
    password: str

    def __repr__(self) -> str:
        return f"ClientLogin({self.mechanism!r}, {self.user!r})"


class Users(NamedTuple):
    """Who can log in, and by which mechanisms."""

    passwords: Mapping[str, str]
    mechanisms: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Users({list(self.passwords)}, {self.mechanisms})"

    def login(self, user: str | None, mechanism: str | None) -> ClientLogin | None:
        """That of `user` by `mechanism`, the first of all unless they are said. None: nobody has to log in.

        Raises ValueError: there is no such user or mechanism.
        """
        if not self.passwords:
            if user is not None or mechanism is not None:
                raise ValueError('there are no users: give them to Kafka(users={"alice": "secret"})')
            return None
        name = next(iter(self.passwords)) if user is None else user
        if name not in self.passwords:
            known = ", ".join(self.passwords)
            raise ValueError(f"there is no user {name!r}{did_you_mean(name, self.passwords)}: there are {known}")
        chosen = self.mechanisms[0] if mechanism is None else mechanism
        if chosen not in self.mechanisms:
            known = ", ".join(self.mechanisms)
            raise ValueError(
                f"no user can log in by {chosen!r}{did_you_mean(chosen, self.mechanisms)}: give it to mechanisms=, "
                f"which has {known}"
            )
        return ClientLogin(chosen, name, self.passwords[name])


NOBODY: Final = Users({}, MECHANISMS)


def users_of(users: Mapping[str, str] | None, mechanisms: Iterable[str]) -> Users:
    """The same for another thread or process. Raises InvalidArgument."""
    if users is not None and not isinstance(users, Mapping):
        raise InvalidArgument("users", f'{{"alice": "secret"}}, a password for each, is expected: not {shown(users)}')
    for name, password in (users or {}).items():
        check(str, name, "users: a name")
        check(str, password, f"users: the password of {name!r}")
        if not name or not password or name == NODE_USER:
            raise InvalidArgument("users", f"a user has a name and a password, and is not {NODE_USER!r}")
    return Users(dict(users or {}), _mechanisms(mechanisms, has_users=bool(users)))


def _mechanisms(mechanisms: Iterable[str], *, has_users: bool) -> tuple[str, ...]:
    """Raises InvalidArgument: one is not served, or there is nobody to use them."""
    if isinstance(mechanisms, str) or not isinstance(mechanisms, Iterable):
        raise InvalidArgument("mechanisms", f'["PLAIN"] is expected, and not {shown(mechanisms)}')
    names = tuple(mechanisms)
    for name in names:
        if name not in MECHANISMS:
            raise InvalidArgument(
                "mechanisms", f"there is no {shown(name)}{did_you_mean(str(name), MECHANISMS)}: {', '.join(MECHANISMS)}"
            )
    if names and not has_users:
        raise InvalidArgument("mechanisms", 'nobody could log in: give users={"alice": "secret"}, too')
    return names or MECHANISMS


class ClusterUsers:
    """What the nodes of one cluster need, so that its users can log in and they can at one another."""

    def __init__(self, users: Users) -> None:
        self._users = {**users.passwords, NODE_USER: secrets.token_urlsafe(24)} if users.passwords else {}
        self._mechanisms = users.mechanisms

    def settings(self) -> dict[str, str]:
        """Those of every node; empty if there are no users."""
        if not self._users:
            return {}
        node = {"username": NODE_USER, "password": self._users[NODE_USER]}
        passwords = {f"user_{name}": text for name, text in self._users.items()}
        modules = dict.fromkeys(SCRAM_MECHANISMS, jaas_config(SCRAM_MODULE, node))
        modules["PLAIN"] = jaas_config(PLAIN_MODULE, {**node, **passwords})
        prefix = f"listener.name.{BROKER_LISTENER.lower()}"
        return {
            "listener.security.protocol.map": f"{BROKER_LISTENER}:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            "sasl.enabled.mechanisms": ",".join(self._mechanisms),
            "sasl.mechanism.inter.broker.protocol": self._mechanisms[0],
            **{f"{prefix}.{name.lower()}.sasl.jaas.config": modules[name] for name in self._mechanisms},
        }

    def credentials(self) -> list[UserScramCredentialRecord]:
        """What the metadata of the cluster begins with."""
        return [
            credential_record(ScramArgument(mechanism, name, ITERATIONS, None, password, None), secrets.token_bytes(16))
            for mechanism in self._mechanisms
            if mechanism in SCRAM_MECHANISMS
            for name, password in self._users.items()
        ]
