"""What the four APIs of delegation tokens share: who may ask for them, and how their expiry moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.security.delegation_tokens import NO_TOKENS
from kafkapy.security.principal import ANONYMOUS
from kafkapy_controller.decision import Decision, Steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending
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


async def commit_expiry(
    context: NodeContext,
    hmac: bytes,
    period_ms: int,
    decide_expiry: Callable[[MetadataImage, TokenSettings, DelegationTokenRecord | None, str, int, int], Decision[int]],
) -> Pending[int]:
    """Move when the token with this HMAC expires; the answer is the new time in ms since the epoch.

    decide_expiry  what renewing or expiring decides of: image, settings, token, principal, period_ms, now_ms
    """
    now_ms = context.node.clock.now_ms()

    def decide(image: MetadataImage) -> Steps[Decision[int]]:
        yield
        token = _token_with(hmac, image, context)
        return decide_expiry(image, settings_of(context), token, str(context.client.principal), period_ms, now_ms)

    return await context.node.controller.commit_in_steps(decide)


def _token_with(hmac: bytes, image: MetadataImage, context: NodeContext) -> DelegationTokenRecord | None:
    tokens = context.node.tokens
    return None if tokens is None else tokens.hmacs.find(image.delegation_tokens, hmac)
