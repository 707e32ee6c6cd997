"""Who the nodes of a cluster are for an authorizer: users that may do everything, or they could not form a cluster.

At the listener of brokers they log in if clients have to, or have a certificate; at that of controllers they have a
certificate, or none and are anonymous, as nobody else can be where clients must log in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy.testing.users import NODE_USER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.testing.options import Options

AUTHORIZER: Final = "authorizer.class.name"
SUPER_USERS: Final = "super.users"
EVERYONE: Final = "allow.everyone.if.no.acl.found"
ANONYMOUS: Final = "User:ANONYMOUS"
SERVER_NAME: Final = "CN=server"
"""That of the certificate of all nodes."""


def node_settings(options: Options) -> dict[str, str]:
    """By which the nodes may do what nodes have to; none without an authorizer. Raises ValueError: they could not."""
    settings = options.settings
    if not settings.get(AUTHORIZER, "").strip():
        return {}
    principals = [each for each in settings.get(SUPER_USERS, "").split(";") if each.strip()]
    if options.users.passwords:
        principals.append(f"User:{NODE_USER}")
    if options.tls:
        principals.append(f"User:{_name_of_the_certificate(settings)}")
    elif options.users.passwords:
        principals.append(ANONYMOUS)
    elif _are_several(options) and ANONYMOUS not in principals and settings.get(EVERYONE, "").strip() != "true":
        raise ValueError(
            f"{AUTHORIZER} in a cluster of several nodes: without users and without TLS the nodes are {ANONYMOUS}, as "
            f"clients are, and may not form a cluster; give users= or tls=, or {SUPER_USERS}={ANONYMOUS}"
        )
    made = {SUPER_USERS: ";".join(principals)}
    return {**made, "listener.name.controller.ssl.client.auth": "required"} if options.tls else made


def _are_several(options: Options) -> bool:
    return options.nodes > 1 or bool(options.controllers)


def _name_of_the_certificate(settings: Mapping[str, str]) -> str:
    """Raises SettingsError, NoMatchingRule."""
    from kafkapy.tls.principal_mapping import PrincipalMapping

    return PrincipalMapping(settings.get("ssl.principal.mapping.rules", "") or "DEFAULT").name_of(SERVER_NAME)
