"""Certificates for tests: a certificate authority, servers and clients, in every format that clients read.

By the library `cryptography`: `pip install './kafkapy[tls]'`. Keys are of the curve P-256, which every client speaks
and which costs a fraction of RSA. They are for tests: the files lie open, and their password is well known.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from kafkapy.tls import jks, pem

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes as AnyPublicKey

PASSWORD: Final = "changeit"  # Java's own
HOSTS: Final = ("localhost", "127.0.0.1", "::1")
DAYS: Final = 365
_CLOCKS_DIFFER: Final = timedelta(hours=1)


class NotInstalled(Exception):
    """The library is not there. The message says what to do."""


class Issued(NamedTuple):
    """A key and its certificate."""

    name: str
    key: bytes
    """PKCS #8, as DER."""
    certificate: bytes
    """DER."""

    @property
    def key_pem(self) -> str:
        return pem.encode(pem.PRIVATE_KEY, self.key)

    @property
    def certificate_pem(self) -> str:
        return pem.encode(pem.CERTIFICATE, self.certificate)


class Authority:
    """A certificate authority with a new key."""

    def __init__(
        self, name: str = "kafkapy test CA", *, days: int = DAYS, known: tuple[bytes, bytes] | None = None
    ) -> None:
        """`known`: the key in PEM, and the certificate as DER, of one that was made before. Raises NotInstalled;
        ValueError: they are damaged.
        """
        try:
            from cryptography import x509
            from cryptography.hazmat.primitives.asymmetric import ec
            from cryptography.hazmat.primitives.serialization import load_pem_private_key
        except ImportError:
            raise NotInstalled(
                "certificates are made with the library cryptography, which is not installed: pip install cryptography"
            ) from None
        self._days = days
        if known is None:
            self._key = ec.generate_private_key(ec.SECP256R1())
            self._name = _name(name)
            self.certificate = _der(
                self._sign(self._name, self._key.public_key(), _for_authority(self._key.public_key()))
            )
        else:
            self._key = cast("EllipticCurvePrivateKey", load_pem_private_key(known[0], None))
            self.certificate = known[1]
            self._name = x509.load_der_x509_certificate(self.certificate).subject

    @property
    def key_pem(self) -> str:
        return pem.encode(pem.PRIVATE_KEY, _pkcs8(self._key))

    @property
    def certificate_pem(self) -> str:
        return pem.encode(pem.CERTIFICATE, self.certificate)

    def issue(
        self,
        name: str,
        *,
        hosts: Sequence[str] = (),
        organization: str | None = None,
        begins: datetime | None = None,
        ends: datetime | None = None,
    ) -> Issued:
        """A certificate for servers at these hosts, and for clients. `begins` and `ends`: other times than usual."""
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        extensions = _for_end(hosts, self._key.public_key())
        certificate = self._sign(_name(name, organization), key.public_key(), extensions, begins, ends)
        return Issued(name, _pkcs8(key), _der(certificate))

    def certify(self, name: str, key: AnyPublicKey, *, hosts: Sequence[str] = ()) -> str:
        """A certificate, in PEM, for a key of any kind that somebody else has."""
        certificate = self._sign(_name(name), key, _for_end(hosts, self._key.public_key()))
        return pem.encode(pem.CERTIFICATE, _der(certificate))

    def _sign(
        self,
        subject: x509.Name,
        key: AnyPublicKey,
        extensions: Iterable[tuple[x509.ExtensionType, bool]],
        begins: datetime | None = None,
        ends: datetime | None = None,
    ) -> x509.Certificate:
        from cryptography import x509
        from cryptography.hazmat.primitives.hashes import SHA256

        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins or now - _CLOCKS_DIFFER)
            .not_valid_after(ends or now + timedelta(days=self._days))
        )
        for extension, is_critical in extensions:
            builder = builder.add_extension(extension, critical=is_critical)
        return builder.sign(self._key, SHA256())


def _name(name: str, organization: str | None = None) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    attributes = [] if organization is None else [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _for_authority(key: EllipticCurvePublicKey) -> list[tuple[x509.ExtensionType, bool]]:
    from cryptography import x509

    return [
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (_key_usage(signs_certificates=True), True),
        (x509.SubjectKeyIdentifier.from_public_key(key), False),
    ]


def _for_end(hosts: Sequence[str], authority: EllipticCurvePublicKey) -> list[tuple[x509.ExtensionType, bool]]:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage(signs_certificates=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), False),
    ]
    if hosts:
        extensions.append((x509.SubjectAlternativeName([_alternative_name(host) for host in hosts]), False))
    return extensions


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative_name(host: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _der(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    encoded: bytes = certificate.public_bytes(Encoding.DER)
    return encoded


def _pkcs8(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    encoded: bytes = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return encoded


# Files

SAFE_NAME_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@")
OF_AUTHORITY: Final = ("ca", "truststore")


def is_name_of_files(name: str) -> bool:
    """Whether a server or a client may have this name, by which its files are called."""
    is_safe = bool(name) and SAFE_NAME_LETTERS.issuperset(name) and not name.startswith((".", "-"))
    return is_safe and name not in OF_AUTHORITY


class CertificateFiles:
    """A directory with certificates. Of each name there are

        NAME.key, NAME.crt     the private key and the certificate, in PEM
        NAME.pem               both, as ssl.keystore.type=PEM wants them
        NAME.p12, NAME.jks     the same as PKCS #12 and JKS
        NAME.properties        settings of a Kafka client, or server, that uses them

    and of the authority `ca.key`, `ca.crt`, `truststore.p12` and `truststore.jks`. One that is there is kept.
    """

    def __init__(self, directory: Path, *, password: str = PASSWORD, days: int = DAYS) -> None:
        """Makes the authority, if there is none, and its files. Raises NotInstalled, OSError; ValueError: the files of
        the authority are damaged.
        """
        self.directory = directory
        self.password = password
        directory.mkdir(parents=True, exist_ok=True)
        if self.ca.exists() and self.path("ca", ".key").exists():
            (block, *_) = pem.blocks(self.ca.read_text(encoding="utf-8")) or [pem.Block("", b"")]
            self.authority = Authority(days=days, known=(self.path("ca", ".key").read_bytes(), block.content))
            return
        self.authority = Authority(days=days)
        certificate = self.authority.certificate
        self._write("ca.key", self.authority.key_pem, is_secret=True)
        self._write("ca.crt", self.authority.certificate_pem)
        self._write("truststore.p12", _trust_store_p12(certificate, password))
        trusted = (jks.TrustedEntry("ca", certificate),)
        self._write("truststore.jks", jks.write(password, trusted=trusted, time_ms=_now_ms()))

    @property
    def ca(self) -> Path:
        return self.directory / "ca.crt"

    def path(self, name: str, suffix: str) -> Path:
        return self.directory / f"{name}{suffix}"

    def add_server(self, name: str = "server", *, hosts: Sequence[str] = HOSTS) -> Issued:
        """Files of a server. Raises OSError."""
        issued = self._add(name, hosts)
        self._write(f"{name}.properties", self._server_properties(name))
        return issued

    def add_client(self, name: str = "client") -> Issued:
        """Files of a client, whose principal is `User:CN=<name>`. Raises OSError."""
        issued = self._add(name, ())
        self._write(f"{name}.properties", self._client_properties(name))
        return issued

    def add(self, issued: Issued) -> None:
        """The files of a certificate that was issued already. Raises OSError."""
        name, authority = issued.name, self.authority.certificate
        self._write(f"{name}.key", issued.key_pem, is_secret=True)
        self._write(f"{name}.crt", issued.certificate_pem)
        self._write(f"{name}.pem", issued.key_pem + issued.certificate_pem, is_secret=True)
        self._write(f"{name}.p12", _key_store_p12(issued, authority, self.password), is_secret=True)
        store = jks.write(self.password, key=(name, issued.key, (issued.certificate, authority)), time_ms=_now_ms())
        self._write(f"{name}.jks", store, is_secret=True)

    def _add(self, name: str, hosts: Sequence[str]) -> Issued:
        issued = self.authority.issue(name, hosts=hosts)
        self.add(issued)
        return issued

    def key_store_settings(self, name: str, store_type: str = pem.PEM) -> dict[str, str]:
        """`ssl.keystore.*` of a server or a client, with a store in PEM, PKCS12 or JKS."""
        if store_type == pem.PEM:
            return {"ssl.keystore.type": store_type, "ssl.keystore.location": str(self.path(name, ".pem").absolute())}
        suffix = ".p12" if store_type == "PKCS12" else ".jks"
        return {
            "ssl.keystore.type": store_type,
            "ssl.keystore.location": str(self.path(name, suffix).absolute()),
            "ssl.keystore.password": self.password,
            "ssl.key.password": self.password,
        }

    def trust_store_settings(self, store_type: str = pem.PEM) -> dict[str, str]:
        """`ssl.truststore.*`, with a store in PEM, PKCS12 or JKS."""
        if store_type == pem.PEM:
            return {"ssl.truststore.type": store_type, "ssl.truststore.location": str(self.ca.absolute())}
        suffix = ".p12" if store_type == "PKCS12" else ".jks"
        return {
            "ssl.truststore.type": store_type,
            "ssl.truststore.location": str(self.path("truststore", suffix).absolute()),
            "ssl.truststore.password": self.password,
        }

    def _server_properties(self, name: str) -> str:
        listener = {
            "listeners": "SSL://localhost:9092",
            "security.inter.broker.protocol": "SSL",
            "ssl.client.auth": "requested",
        }
        return _properties({**listener, **self.key_store_settings(name), **self.trust_store_settings()})

    def _client_properties(self, name: str) -> str:
        protocol = {"security.protocol": "SSL"}
        return _properties({**protocol, **self.key_store_settings(name), **self.trust_store_settings()})

    def _write(self, name: str, content: str | bytes, *, is_secret: bool = False) -> None:
        path = self.directory / name
        path.unlink(missing_ok=True)  # whoever reads the old one goes on reading it
        path.touch(mode=0o600 if is_secret else 0o644)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))


def _properties(settings: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1_000)


def _key_store_p12(issued: Issued, authority: bytes, password: str) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_der_private_key, pkcs12

    key = cast("EllipticCurvePrivateKey", load_der_private_key(issued.key, None))
    store: bytes = pkcs12.serialize_key_and_certificates(
        issued.name.encode("utf-8"),
        key,
        x509.load_der_x509_certificate(issued.certificate),
        [x509.load_der_x509_certificate(authority)],
        BestAvailableEncryption(password.encode("utf-8")),
    )
    return store


def _trust_store_p12(certificate: bytes, password: str) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

    entry = pkcs12.PKCS12Certificate(x509.load_der_x509_certificate(certificate), b"ca")
    store: bytes = pkcs12.serialize_java_truststore([entry], BestAvailableEncryption(password.encode("utf-8")))
    return store
