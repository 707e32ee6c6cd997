"""`AuthorizerSettings`: what the authorizer reads from the settings. Two of its names are in none of Kafka's lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from kafkapy.settings.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

STANDARD_AUTHORIZER: Final = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
SUPER_USERS: Final = "super.users"
ALLOWS_WITHOUT_ACLS: Final = "allow.everyone.if.no.acl.found"


class AuthorizerSettings(NamedTuple):
    super_users: tuple[str, ...] = ()
    """`User:admin`: who may do everything."""
    allows_without_acls: bool = False
    """Whether everybody may do everything to a resource that no ACL is about."""


def authorizer_settings(given: Mapping[str, str]) -> AuthorizerSettings:
    """Raises SettingsError, in Kafka's words and with what to write: a super user that is no principal."""
    users = [user.strip() for user in given.get(SUPER_USERS, "").split(";")]
    for user in users:
        kind, colon, _ = user.partition(":")
        if user and not (kind and colon):
            raise SettingsError(
                f"{SUPER_USERS}: expected a string in format principalType:principalName but got {user}: write "
                f"User:{user.lstrip(':')}",
                SUPER_USERS,
            )
    allows = given.get(ALLOWS_WITHOUT_ACLS, "").strip().lower() == "true"
    return AuthorizerSettings(tuple(user for user in users if user), allows)
