"""A container of kafkapy's image for testcontainers-python.

It needs the package testcontainers: `pip install './kafkapy[containers]'`, where ./kafkapy is a checkout of kafkapy.

    with KafkapyContainer() as kafka:
        producer = KafkaProducer(bootstrap_servers=kafka.get_bootstrap_server())

Docker chooses the port on this machine. Clients in containers of the same network take
`get_bootstrap_server_in_network()`. With `KafkapyContainer(control=True)` faults, time and the rest of the control API
are at `get_control_url()`, for who has `control_token`. It needs Docker; `kafkapy.testing.Kafka` does not.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from kafkapy.settings.environment import variable_of

if TYPE_CHECKING:
    from testcontainers.core.network import Network

__all__ = ["IMAGE", "KafkapyContainer"]

IMAGE = "kafkapy:latest"
_READY = "Kafka Server started"
_START_SECONDS_MAX = 60
_PORT = 9092
_NETWORK_PORT = 29092
_CONTROL_PORT = 9090
# The broker starts when it has been told what to advertise. It takes the place of the shell, which would not pass on
# the signal to stop.
_ADVERTISED = "/tmp/advertised.listeners"
_SCRIPT = f"""
until [ -s {_ADVERTISED} ]; do sleep 0.02; done
exec /etc/kafka/docker/run "KAFKA_ADVERTISED_LISTENERS=$(cat {_ADVERTISED})"
"""


class KafkapyContainer(DockerContainer):  # type: ignore[misc]  # untyped where testcontainers is not installed
    """One broker. `settings` have Kafka's names; `topics` are there from the start."""

    def __init__(
        self,
        image: str = IMAGE,
        *,
        settings: Mapping[str, str] | None = None,
        topics: Sequence[str] = (),
        cluster_id: str | None = None,
        control: bool = False,
        network: Network | None = None,
        network_alias: str = "kafka",
        **options: Any,
    ) -> None:
        """A topic is a name, or as KAFKA_CREATE_TOPICS has it: `name:partitions:replicas:cleanup.policy`.

        `control`: serve the control API, see docs/control-api.md. `network` is one of testcontainers', where the broker
        has the name `network_alias`. `options` are those of testcontainers' DockerContainer.
        """
        super().__init__(image, command=["sh", "-c", _SCRIPT], **options)
        self._network_alias = network_alias
        if network is not None:
            self.with_network(network)
            self.with_network_aliases(network_alias)
        self.with_exposed_ports(_PORT)
        own = {
            "listeners": f"PLAINTEXT://:{_PORT},NETWORK://:{_NETWORK_PORT}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,NETWORK:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
        }
        for name, value in {**own, **(settings or {})}.items():
            self.with_env(variable_of(name), value)
        if topics:
            self.with_env("KAFKA_CREATE_TOPICS", ",".join(topics))
        if cluster_id is not None:
            self.with_env("CLUSTER_ID", cluster_id)
        self.control_token = secrets.token_urlsafe() if control else None
        """Who asks the control API sends it: `Authorization: Bearer ...`."""
        if self.control_token is not None:
            self.with_exposed_ports(_CONTROL_PORT)
            self.with_env("KAFKAPY_CONTROL", f"0.0.0.0:{_CONTROL_PORT}")
            self.with_env("KAFKAPY_CONTROL_TOKEN", self.control_token)

    def start(self) -> Self:
        """Start the container; return when clients can connect."""
        super().start()
        advertised = f"PLAINTEXT://{self.get_bootstrap_server()},NETWORK://{self.get_bootstrap_server_in_network()}"
        # Under another name first: the broker must not read one half of it.
        script = f'echo "$1" > {_ADVERTISED}.part && mv {_ADVERTISED}.part {_ADVERTISED}'
        exit_code, output = self.exec(["sh", "-c", script, "sh", advertised])
        if exit_code != 0:
            raise RuntimeError(f"the container of {self.image} cannot be told its address: {output!r}")
        LogMessageWaitStrategy(_READY).with_startup_timeout(_START_SECONDS_MAX).wait_until_ready(self)
        return self

    def get_bootstrap_server(self) -> str:
        """`host:port` for clients on this machine."""
        return f"{self.get_container_host_ip()}:{self.get_exposed_port(_PORT)}"

    def get_control_url(self) -> str:
        """Where the control API is. Raises RuntimeError: it was not asked for."""
        if self.control_token is None:
            raise RuntimeError("the control API was not asked for: KafkapyContainer(control=True)")
        return f"http://{self.get_container_host_ip()}:{self.get_exposed_port(_CONTROL_PORT)}"

    def get_bootstrap_server_in_network(self) -> str:
        """`host:port` for clients in containers of the same network."""
        return f"{self._network_alias}:{_NETWORK_PORT}"
