"""The certificates of a cluster with TLS, and what a client library is told of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from kafkapy.cluster import BROKER_LISTENER, CONTROLLER_LISTENER
from kafkapy.errors import StartupError
from kafkapy.testing.options import MUTUAL

if TYPE_CHECKING:
    from kafkapy.testing.options import Options

SERVER: Final = "server"
CLIENT: Final = "client"
"""The client that there is always."""


class MadeCertificates(NamedTuple):
    directory: str
    settings: dict[str, str]
    """Of the nodes, by Kafka's names."""


def make_certificates(directory: Path, options: Options) -> MadeCertificates:
    """Those of the nodes and of the clients. Raises StartupError: the library that makes them is not installed."""
    from kafkapy.tls.making import HOSTS, CertificateFiles, NotInstalled

    try:
        files = CertificateFiles(directory / "certificates")
    except NotInstalled as error:
        raise StartupError(str(error)) from None
    files.add_server(SERVER, hosts=tuple(dict.fromkeys((options.host, *HOSTS))))
    files.add_client(CLIENT)
    protocol = "SASL_SSL" if options.users.passwords else "SSL"
    settings = {
        "listener.security.protocol.map": f"{BROKER_LISTENER}:{protocol},{CONTROLLER_LISTENER}:SSL",
        **files.key_store_settings(SERVER),
        **files.trust_store_settings(),
        f"listener.name.{BROKER_LISTENER.lower()}.ssl.client.auth": "required"
        if options.tls == MUTUAL
        else "requested",
    }
    return MadeCertificates(str(files.directory), settings)


def identity_of(directory: str, name: str | None) -> ClientIdentity:
    """That of a client of this name, which gets a certificate if it has none yet. Raises ValueError."""
    from kafkapy.tls.making import CertificateFiles, is_name_of_files

    identity = ClientIdentity(Path(directory), name)
    if name is not None and not identity.certificate.exists():
        if not is_name_of_files(name):
            raise ValueError(f"{name!r} cannot be a name of a certificate: letters, digits and . _ - @ can")
        CertificateFiles(identity.directory).add_client(name)
    return identity


class ClientIdentity(NamedTuple):
    """What a client has: the authority that it trusts, and perhaps a certificate of its own."""

    directory: Path
    name: str | None

    @property
    def ca(self) -> Path:
        return self.directory / "ca.crt"

    @property
    def certificate(self) -> Path:
        return self.directory / f"{self.name}.crt"

    @property
    def key(self) -> Path:
        return self.directory / f"{self.name}.key"

    def as_files(self) -> dict[str, object]:
        own = {} if self.name is None else {"certificate": str(self.certificate), "key": str(self.key)}
        return {"ca": str(self.ca), **own}

    def of_librdkafka(self) -> dict[str, object]:
        config: dict[str, object] = {"ssl.ca.location": str(self.ca)}
        if self.name is not None:
            config |= {"ssl.certificate.location": str(self.certificate), "ssl.key.location": str(self.key)}
        return config

    def of_java(self) -> dict[str, object]:
        trust = {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(self.ca)}
        config: dict[str, object] = {**trust}
        if self.name is not None:
            store = str(self.directory / f"{self.name}.pem")
            config |= {"ssl.keystore.type": "PEM", "ssl.keystore.location": store}
        return config

    def of_kafkajs(self) -> dict[str, object]:
        files = {"ca": self.ca} if self.name is None else {"ca": self.ca, "cert": self.certificate, "key": self.key}
        texts: dict[str, object] = {option: path.read_text(encoding="utf-8") for option, path in files.items()}
        return {"ssl": {**texts, "ca": [texts["ca"]]}}

    def of_kafka_python(self) -> dict[str, object]:
        config: dict[str, object] = {"ssl_cafile": str(self.ca)}
        if self.name is not None:
            config |= {"ssl_certfile": str(self.certificate), "ssl_keyfile": str(self.key)}
        return config

    def of_aiokafka(self) -> dict[str, object]:
        import ssl

        context = ssl.create_default_context(cafile=self.ca)
        if self.name is not None:
            context.load_cert_chain(self.certificate, self.key)
        return {"ssl_context": context}
