"""Who may ask for delegation tokens, of the four APIs about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.security.delegation_tokens import NO_TOKENS
from kafkapy.security.principal import ANONYMOUS

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_controller.delegation_tokens import TokenSettings
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.record_formats.metadata import DelegationTokenRecord


def may_ask(context: NodeContext) -> bool:
    """Whether the client has authenticated, and not by a token: who has stolen one gets no others.

    A broker has checked the connection of a request that it has forwarded.
    """
    client = context.client
    if client.principal.is_token_authenticated:
        return False
    if context.is_forwarded:
        return True
    protocol = client.security_protocol
    return protocol != "PLAINTEXT" and not (protocol == "SSL" and client.principal == ANONYMOUS)


def settings_of(context: NodeContext) -> TokenSettings:
    tokens = context.node.tokens
    return NO_TOKENS if tokens is None else tokens.settings


def token_with(hmac: bytes, image: MetadataImage, context: NodeContext) -> DelegationTokenRecord | None:
    tokens = context.node.tokens
    return None if tokens is None else tokens.hmacs.find(image.delegation_tokens, hmac)
