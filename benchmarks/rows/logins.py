"""Logins by SASL on new connections: how many a second, and CPU time of the broker for each.

Clients hash the password of SCRAM anew for each login, as clients do: their time is in the rate, not in the CPU.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from benchmarks.measurement import Better, Figures, LifecycleRow, Metric, Scale
from benchmarks.peers import Broker, Launch, Peer
from benchmarks.raw_client import Address, Connection, UnexpectedAnswer
from compat_tests.ports import free_ports
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse,
    ScramCredentialUpsertion,
)
from kafkapy_wire.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from kafkapy_wire.messages.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse
from kafkapy_wire.sasl.client import ClientExchange, PlainClient, ScramClient

USER, PASSWORD = "alice", "alice-secret"
MECHANISMS: Final[dict[str, Callable[[], ClientExchange]]] = {
    "PLAIN": lambda: PlainClient(USER, PASSWORD),
    "SCRAM-SHA-256": lambda: ScramClient("SCRAM-SHA-256", USER, PASSWORD),
}
SCRAM_SHA_256 = 1
ITERATIONS = 4_096
LOGINS = 1_000
AT_ONCE = 8  # clients
WARM_UP_ROUNDS = 3
HANDSHAKE_VERSION, AUTHENTICATE_VERSION = 1, 2

RATE = {
    mechanism: Metric(
        f"logins_{mechanism.lower()}_per_second", f"Logins by {mechanism}, {AT_ONCE} clients", "1/s", Better.HIGHER
    )
    for mechanism in MECHANISMS
}
CPU = {
    mechanism: Metric(f"logins_{mechanism.lower()}_cpu_us", "... broker CPU for each", "µs") for mechanism in MECHANISMS
}


def measure(peer: Peer, _scale: Scale) -> Figures:
    with peer.home(durable=False) as home:
        (port,) = free_ports(1)
        with peer.started(dataclasses.replace(home, settings=_settings(home, port))) as broker:
            address = (broker.address[0], port)
            _store_user(broker)
            for _ in range(WARM_UP_ROUNDS):
                _logins(broker, address)
            return _logins(broker, address)


def _logins(broker: Broker, address: Address) -> Figures:
    figures = {}
    for mechanism, make in MECHANISMS.items():

        def log_in(_: int, mechanism: str = mechanism, make: Callable[[], ClientExchange] = make) -> None:
            log_in_once(address, mechanism, make())

        with ThreadPoolExecutor(AT_ONCE) as clients:
            list(clients.map(log_in, range(AT_ONCE)))  # its threads are started
            cpu_begin, begin = broker.cpu_seconds(), time.perf_counter()
            list(clients.map(log_in, range(LOGINS)))
            seconds, cpu_seconds = time.perf_counter() - begin, broker.cpu_seconds() - cpu_begin
        figures[RATE[mechanism].key] = LOGINS / seconds
        figures[CPU[mechanism].key] = cpu_seconds / LOGINS * 1e6
    return figures


def log_in_once(address: Address, mechanism: str, exchange: ClientExchange) -> None:
    """Raises UnexpectedAnswer: the broker refuses it."""
    with Connection(address) as connection:
        handshake = SaslHandshakeRequest(mechanism=mechanism)
        told = connection.call(ApiKey.SASL_HANDSHAKE, handshake, HANDSHAKE_VERSION, SaslHandshakeResponse)
        _refuse(told.error_code, None)
        token: bytes | None = exchange.first()
        while token is not None:
            request = SaslAuthenticateRequest(auth_bytes=token)
            answer = connection.call(ApiKey.SASL_AUTHENTICATE, request, AUTHENTICATE_VERSION, SaslAuthenticateResponse)
            _refuse(answer.error_code, answer.error_message)
            token = exchange.step(answer.auth_bytes)


def _refuse(error_code: int, message: str | None) -> None:
    if error_code:
        raise UnexpectedAnswer(f"a login: error {error_code} {message or ''}")


def _store_user(broker: Broker) -> None:
    """Return when the user can log in by SCRAM."""
    salt = b"a salt of its own"
    credential = ScramCredentialUpsertion(
        name=USER,
        mechanism=SCRAM_SHA_256,
        iterations=ITERATIONS,
        salt=salt,
        salted_password=hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, ITERATIONS),
    )
    with Connection(broker.address) as connection:
        request = AlterUserScramCredentialsRequest(upsertions=[credential])
        answer = connection.call(ApiKey.ALTER_USER_SCRAM_CREDENTIALS, request, 0, AlterUserScramCredentialsResponse)
    if [result.error_code for result in answer.results] != [ErrorCode.NONE]:
        raise UnexpectedAnswer(f"the user's password: {answer}")


def _settings(launch: Launch, port: int) -> dict[str, str]:
    (controller_port,) = launch.controller_ports
    listeners = {"PLAINTEXT": launch.port, "SASL": port, "CONTROLLER": controller_port}
    modules = {
        "plain": f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
        "scram-sha-256": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
    }
    return {
        "listeners": ",".join(f"{name}://127.0.0.1:{number}" for name, number in listeners.items()),
        "advertised.listeners": ",".join(
            f"{name}://127.0.0.1:{number}" for name, number in listeners.items() if name != "CONTROLLER"
        ),
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.name.sasl.sasl.enabled.mechanisms": ",".join(MECHANISMS),
        **{f"listener.name.sasl.{name}.sasl.jaas.config": module for name, module in modules.items()},
    }


LOGINS_ROW = LifecycleRow(
    name="logins",
    metrics=tuple(metric for mechanism in MECHANISMS for metric in (RATE[mechanism], CPU[mechanism])),
    measure=measure,
    time_limit_seconds=120.0,
    rounds_max=3,
)
