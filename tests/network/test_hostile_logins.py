"""Hostile logins, by a seed: whatever comes, the node has no bug, nobody gets in, and honest clients are served."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from kafkapy.security.principal import ANONYMOUS
from kafkapy_wire.messages.metadata import MetadataRequest
from kafkapy_wire.messages.sasl_authenticate import SaslAuthenticateRequest
from kafkapy_wire.messages.sasl_handshake import SaslHandshakeRequest
from kafkapy_wire.sasl import jaas, scram
from kafkapy_wire.sasl.client import unsecured_token
from tests.network.test_logins import VERSIONS, is_served, log_in, node_with_logins
from tests.shell.running_node import SIZE, Client, connect, trio_test

if TYPE_CHECKING:
    from pathlib import Path

BEARER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"
SETTINGS = {
    "sasl_enabled_mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
    "listener_name_sasl_plaintext_oauthbearer_sasl_jaas_config": f"{BEARER} required;",
    "connection_failed_authentication_delay_ms": "0",
    "sasl_server_max_receive_size": "5000",
}
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI", "", "X" * 200)
TOKENS = (
    b"\0alice\0wrong",
    b"n,,n=alice,r=fyko+d2lbbFgONRv9qkxdawL",
    b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    b"n,,\x01auth=Bearer " + unsecured_token({"unsecuredLoginStringClaim_sub": "eve"}, 0.0).encode() + b"\x01\x01",
    b"\x01",
    b"",
)
CONNECTIONS = 60
STEPS_MAX = 6


def mutated(random: Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((0, 1, 1, 2, 8))):
        match random.randrange(4):
            case 0 if changed:
                changed[random.randrange(len(changed))] = random.randrange(256)
            case 1 if changed:
                del changed[random.randrange(len(changed)) :]
            case 2:
                at = random.randrange(len(changed) + 1)
                changed[at:at] = random.randbytes(random.choice((1, 3, 100)))
            case _:
                changed += changed[: random.randrange(len(changed) + 1)]
    return bytes(changed)


def step(random: Random, client: Client) -> bytes:
    """Bytes of a client that knows no password."""
    match random.randrange(8):
        case 0:
            return client.frame(VERSIONS, 3)
        case 1 | 2 | 3:
            handshake = SaslHandshakeRequest(mechanism=random.choice(MECHANISMS))
            return client.frame(handshake, random.choice((0, 1, 1)))
        case 4:
            return client.frame(MetadataRequest(), 12)
        case 5:
            token = mutated(random, random.choice(TOKENS))
            return SIZE.pack(len(token)) + token
        case 6:
            return mutated(random, client.frame(SaslAuthenticateRequest(auth_bytes=random.choice(TOKENS))))
        case _:
            token = mutated(random, random.choice(TOKENS))
            return client.frame(SaslAuthenticateRequest(auth_bytes=token), random.randrange(3))


@pytest.mark.parametrize("seed", range(4))
def test_nobody_gets_in_by_nonsense(seed: int, tmp_path: Path) -> None:
    random = Random(seed)

    @trio_test
    async def run() -> None:
        async with node_with_logins(tmp_path, **SETTINGS) as node:
            seen: list[object] = []
            for _ in range(CONNECTIONS):
                async with connect(node) as client:
                    before = set(node.server.connections)
                    for _ in range(random.randrange(1, STEPS_MAX)):
                        try:
                            await client.stream.send_all(step(random, client))
                        except trio.BrokenResourceError:
                            break
                    await trio.testing.wait_all_tasks_blocked()
                    seen += [each.client.principal for each in before | set(node.server.connections)]
            assert set(seen) <= {ANONYMOUS}
            assert not node.bugs.kept
            async with connect(node) as client:
                await log_in(client)
                assert await is_served(client)

    run()


@pytest.mark.parametrize("seed", range(20))
def test_parsers_refuse_what_they_cannot_read(seed: int) -> None:
    random = Random(seed)
    text = 'S { a.B required x="y\\"z" w=1; };'
    assert scram.parse_client_first(TOKENS[1]).name == "alice"
    assert jaas.parse_jaas_file(text)["S"][0].options == {"x": 'y"z', "w": "1"}
    for _ in range(300):
        content = mutated(random, random.choice(TOKENS))
        with suppress(scram.InvalidScramMessage):
            scram.parse_client_first(content)
        with suppress(scram.InvalidScramMessage):
            scram.parse_client_final(content)
        changed = str(mutated(random, text.encode()), "utf-8", "replace")
        with suppress(jaas.InvalidJaas):
            jaas.parse_jaas_file(changed)
