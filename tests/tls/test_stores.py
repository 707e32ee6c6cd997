"""Stores are read in every format, and each that cannot be used is refused by the name of its setting."""

from __future__ import annotations

import os
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from kafkapy.settings import Settings, SettingsError
from kafkapy.settings.security import SecuritySettings
from kafkapy.tls import jks, pem
from kafkapy.tls.contexts import ClientTls, ListenerTls
from kafkapy.tls.making import Issued
from kafkapy.tls.stores import load_key_store, load_trust_store
from tests.tls.certificates import certificates, other_authority, server_settings

TYPES = ("PEM", "PKCS12", "JKS")


def security(given: dict[str, str]) -> SecuritySettings:
    return Settings({"listeners": "PLAINTEXT://:0", **given}).security


def plain(name: str) -> str:
    return name


def listener_tls(given: dict[str, str]) -> ListenerTls:
    return ListenerTls(security(given), plain)


def refusal(given: dict[str, str]) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        listener_tls({"ssl.client.auth": "required", **given})
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("store_type", TYPES)
def test_a_store_of_each_type_has_the_same_key_and_trust(store_type: str) -> None:
    given = security(server_settings(store_type))
    store, trusted = load_key_store(given, plain), load_trust_store(given, plain)
    assert store is not None
    assert trusted is not None
    assert store.certificate.subject == "CN=server"
    assert store.certificate.alternative_names == {"DNS:localhost", "IP:127.0.0.1", "IP:" + "0," * 15 + "1"}
    assert store.certificate.rsa_bits == 0
    assert store.key == certificates().path("server", ".key").read_text()
    assert trusted.certificates == (certificates().authority.certificate,)
    assert ListenerTls(given, plain).context.cert_store_stats()["x509"] == 0, "nobody is asked for a certificate"
    assert ClientTls(given, plain).context.cert_store_stats()["x509"] == 1


def test_a_store_of_the_type_jks_may_be_pkcs12_and_the_other_way_round() -> None:
    for written, said in (("JKS", "PKCS12"), ("PKCS12", "JKS")):
        given = {**server_settings(written), "ssl.keystore.type": said, "ssl.truststore.type": said}
        assert listener_tls(given).key_store.certificate.subject == "CN=server"
        assert load_trust_store(security(given), plain) is not None


def test_pem_in_settings() -> None:
    """ssl.keystore.key, ssl.keystore.certificate.chain, ssl.truststore.certificates; also on one line."""
    files = certificates()
    given = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.key": files.path("server", ".key").read_text(),
        "ssl.keystore.certificate.chain": files.path("server", ".crt").read_text().replace("\n", " "),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": files.ca.read_text(),
        "ssl.client.auth": "required",
    }
    tls = listener_tls(given)
    assert tls.key_store.certificate.subject == "CN=server"
    assert tls.context.cert_store_stats()["x509"] == 1


def encrypted_key(password: str) -> str:
    """As openssl writes it."""
    done = subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-passout", f"pass:{password}", "-in", certificates().path("server", ".key")],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_an_encrypted_key_needs_ssl_key_password(tmp_path: Path) -> None:
    store = tmp_path / "store.pem"
    store.write_text(encrypted_key("secret") + certificates().path("server", ".crt").read_text())
    given = {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(store)}
    assert listener_tls({**given, "ssl.key.password": "secret"}).key_store.certificate.subject == "CN=server"
    assert str(refusal(given)).endswith("has an encrypted key without its password: give ssl.key.password, too")
    wrong = refusal({**given, "ssl.key.password": "guess"})
    assert wrong.name == "ssl.key.password"
    assert str(wrong) == "ssl.key.password does not open the private key of ssl.keystore.location: correct it"


@pytest.mark.parametrize("store_type", ["PKCS12", "JKS"])
def test_a_wrong_password_is_told_by_its_setting(store_type: str) -> None:
    for which in ("keystore", "truststore"):
        name = f"ssl.{which}.password"
        error = refusal({**server_settings(store_type), name: "guess"})
        assert error.name == name
        assert str(error).startswith(f"{name} does not open /")
    if store_type == "JKS":
        error = refusal({**server_settings(store_type), "ssl.key.password": "guess"})
        assert error.name == "ssl.key.password"


def cases(directory: Path) -> Iterator[tuple[dict[str, str], str, str]]:
    """(settings, the setting at fault, what is told)"""
    files = certificates()
    key, crt = files.path("server", ".key").read_text(), files.path("server", ".crt").read_text()

    def written(name: str, content: str | bytes) -> str:
        path = directory / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def location(name: str, content: str | bytes, store_type: str = "PEM") -> dict[str, str]:
        given = {"ssl.keystore.type": store_type, "ssl.keystore.location": written(name, content)}
        return given if store_type == "PEM" else {**given, "ssl.keystore.password": files.password}

    where = "ssl.keystore.location"
    yield {}, where, "is not given, and a listener with TLS needs a key and its certificate"
    yield {where: "/no/such/store", "ssl.keystore.password": "x"}, where, "cannot be read (No such file or directory)"
    yield {where: str(directory), "ssl.keystore.password": "x"}, where, "cannot be read (Is a directory)"
    os.mkfifo(directory / "pipe")
    yield {where: str(directory / "pipe"), "ssl.keystore.password": "x"}, where, "cannot be read (a pipe or a device"
    yield {where: "/dev/zero", "ssl.keystore.password": "x"}, where, "cannot be read (a pipe or a device"
    yield {where: "a\0b", "ssl.keystore.password": "x"}, where, "is not a path"
    yield {where: "/x"}, where, "names a key store in JKS without its password: give ssl.keystore.password, too"
    yield {"ssl.keystore.password": "x"}, "ssl.keystore.password", "is given without a key store"
    yield {"ssl.keystore.type": "BKS", where: "/x"}, "ssl.keystore.type", "is BKS, which is not served: write PEM, JKS"
    yield location("empty", ""), where, "which is empty"
    yield location("no-key", crt), where, "has no BEGIN PRIVATE KEY"
    yield location("no-certificate", key), where, "has no BEGIN CERTIFICATE"
    yield location("not-base64", f"{key}-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----"), where, "is not PEM"
    yield (
        location("broken", key + pem.encode(pem.CERTIFICATE, b"\x30\x03abc")),
        where,
        "a certificate that cannot be read",
    )
    old = key.replace(" PRIVATE", " EC PRIVATE")
    yield location("pkcs1", old + crt), where, "openssl pkcs8 -topk8"
    yield {**location("p", key + crt), "ssl.keystore.password": "x"}, "ssl.keystore.password", "is given for PEM"
    other = files.path("alice", ".key").read_text()
    yield location("mismatch", other + crt), where, "a private key that does not belong to the certificate of CN=server"
    yield location("text", crt, "JKS"), where, "neither PKCS #12 nor JKS: write ssl.keystore.type=PEM"
    yield location("jceks", b"\xce\xce\xce\xce" + bytes(40), "JKS"), where, "neither PKCS #12 nor JKS: name a key store"
    yield location("half.p12", files.path("server", ".p12").read_bytes()[:500], "PKCS12"), "ssl.keystore.password", ""
    trust = location("trust.jks", files.path("truststore", ".jks").read_bytes(), "JKS")
    yield trust, where, "in which there is no private key"
    bare = jks.write(files.password, key=("bare", b"key", ()), time_ms=0)
    yield location("bare.jks", bare, "JKS"), where, "in which the key has no certificate"
    trust = location("trust.p12", files.path("truststore", ".p12").read_bytes(), "PKCS12")
    yield trust, where, "in which there is no private key"
    yield {"ssl.keystore.key": key}, "ssl.keystore.type", "is JKS, but a key in a setting is PEM"
    inline = {"ssl.keystore.type": "PEM", "ssl.keystore.key": key}
    yield inline, "ssl.keystore.key", "is given without its certificates"
    yield {**inline, "ssl.keystore.certificate.chain": crt, where: "/x"}, where, "both give a key"
    alone = {"ssl.keystore.certificate.chain": crt}
    yield alone, "ssl.keystore.certificate.chain", "is given without the private key"

    good = {"ssl.keystore.type": "PEM", where: str(files.path("server", ".pem"))}
    trust_at = "ssl.truststore.location"
    yield {**good, "ssl.truststore.password": "x"}, "ssl.truststore.password", "is given without a trust store"
    pem_trust = {**good, "ssl.truststore.type": "PEM"}
    yield {**pem_trust, trust_at: written("k", key)}, trust_at, "has no BEGIN CERTIFICATE"
    yield {**pem_trust, "ssl.truststore.certificates": "?"}, "ssl.truststore.certificates", "has no BEGIN CERTIFICATE"
    both = {**pem_trust, "ssl.truststore.certificates": crt, trust_at: "/x"}
    yield both, trust_at, "both give certificates"
    yield {**good, "ssl.truststore.certificates": crt}, "ssl.truststore.type", "certificates in a setting are PEM"
    broken = pem.encode(pem.CERTIFICATE, b"\x30\x03abc")
    yield {**pem_trust, trust_at: written("b", broken)}, trust_at, "a certificate that cannot be read"
    empty_jks = jks.write("changeit", time_ms=0)
    of_jks = {**good, trust_at: written("e", empty_jks), "ssl.truststore.password": "changeit"}
    yield of_jks, trust_at, "in which there is no trusted certificate"
    without = {**good, trust_at: str(files.path("truststore", ".p12"))}
    yield without, trust_at, "its password is missing: give ssl.truststore.password, too"


def test_whatever_cannot_be_used_is_refused_with_its_setting_and_what_to_do(tmp_path: Path) -> None:
    for given, name, told in cases(tmp_path):
        error = refusal(given)
        assert error.name == name, (given, str(error))
        assert str(error).startswith(name), str(error)
        assert told in str(error), str(error)
        assert "changeit" not in str(error)


def test_an_expired_certificate_and_one_that_does_not_hold_yet_are_refused(tmp_path: Path) -> None:
    files, now = certificates(), datetime.now(UTC)

    def given(issued: Issued) -> dict[str, str]:
        store = tmp_path / "store.pem"
        store.write_text(issued.key_pem + issued.certificate_pem)
        return {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(store)}

    expired = files.authority.issue("old", begins=now - timedelta(days=9), ends=now - timedelta(days=2))
    assert "has the certificate of CN=old, which has expired on 20" in str(refusal(given(expired)))
    early = files.authority.issue("new", begins=now + timedelta(days=2))
    assert "has the certificate of CN=new, which only holds from 20" in str(refusal(given(early)))


def test_a_trust_store_is_read_although_nobody_is_asked_for_a_certificate(tmp_path: Path) -> None:
    """As in Apache Kafka: else a dynamic setting would be taken that keeps the node from its next start."""
    for content in (b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n"):
        path = tmp_path / "trust.pem"
        path.write_bytes(content)
        with pytest.raises(SettingsError, match=r"^ssl\.truststore\.location "):
            listener_tls({**server_settings(), "ssl.truststore.location": str(path), "ssl.truststore.type": "PEM"})


def test_an_expired_signer_in_the_chain_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    given, now = server_settings(), datetime.now(UTC)
    old = certificates().authority.issue("old signer", begins=now - timedelta(days=9), ends=now - timedelta(days=1))
    path = tmp_path / "server.pem"
    path.write_text(Path(given["ssl.keystore.location"]).read_text() + old.certificate_pem)
    listener_tls({**given, "ssl.keystore.location": str(path)})
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("ssl.keystore.location has the certificate of CN=old signer in its chain, which has expired")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the key")
def test_a_key_for_rsa_pss_alone_stays_one_in_pkcs12(tmp_path: Path) -> None:
    key, crt, store = (str(tmp_path / name) for name in ("server.key", "server.crt", "server.p12"))
    for command in (
        f"genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out {key}",
        f"req -x509 -new -key {key} -subj /CN=server -days 2 -out {crt}",
        f"pkcs12 -export -inkey {key} -in {crt} -out {store} -passout pass:changeit",
    ):
        subprocess.run(["openssl", *command.split()], check=True, capture_output=True)
    given = {"ssl.keystore.location": store, "ssl.keystore.password": "changeit", "ssl.keystore.type": "PKCS12"}
    found = listener_tls(given).key_store
    assert found.certificate.subject == "CN=server"
    assert found.key.split() == Path(key).read_text().split()


PKCS12_OF_AN_UNKNOWN_CURVE = (
    "MIICgwIBAzCCAnwGCSqGSIb3DQEHAaCCAm0EggJpMIICZTCCAawGCSqGSIb3DQEHAaCCAZ0EggGZMIIBlTCCAZEGCyqGSIb3DQEM"
    "CgEDoIIBWTCCAVUGCiqGSIb3DQEJFgGgggFFBIIBQTCCAT0wgfygAwIBAgIUa+McgECi3hatCEkogspdobqmfl0wCgYIKoZIzj0E"
    "AwIwDDEKMAgGA1UEAwwBYjAgFw0yNjExMjkwMzM1MzZaGA8yMTI2MTEwNTAzMzUzNlowDDEKMAgGA1UEAwwBYjBAMBAGByqGSM49"
    "AgEGBSuBBAABAywABATmzXnT2UlcHfEbCHTjDyU9I0CjyAEUHxPbDaEHRDTu9srJ1LNo0AA9IqNTMFEwHQYDVR0OBBYEFEmV7kjh"
    "FS39lQFyi7xqiguDhfIzMB8GA1UdIwQYMBaAFEmV7kjhFS39lQFyi7xqiguDhfIzMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0E"
    "AwIDMAAwLQIVAVMWe0FaupSIxs7jUgPv/jOG60eCAhRICuaK6wTpg/gh6SY9DTBrLy3gBjElMCMGCSqGSIb3DQEJFTEWBBTohN3R"
    "uRYzcqwU5baTwd6q4m7FWjCBsgYJKoZIhvcNAQcBoIGkBIGhMIGeMIGbBgsqhkiG9w0BDAoBAaBlMGMCAQAwEAYHKoZIzj0CAQYF"
    "K4EEAAEETDBKAgEBBBUAtxTWj6zUyEW+EqApG/nmvda7KN+hLgMsAAQE5s1509lJXB3xGwh04w8lPSNAo8gBFB8T2w2hB0Q07vbK"
    "ydSzaNAAPSIxJTAjBgkqhkiG9w0BCRUxFgQU6ITd0bkWM3KsFOW2k8HequJuxVo="
)
"""Written by: openssl pkcs12 -export -keypbe NONE -certpbe NONE -nomac, with a key of the curve sect163k1."""


def test_a_key_that_no_library_reads_is_told_and_never_a_traceback(tmp_path: Path) -> None:
    """It would end a node that runs, when its key store is replaced by such a one."""
    path = tmp_path / "store.p12"
    path.write_bytes(b64decode(PKCS12_OF_AN_UNKNOWN_CURVE))
    for which in ("keystore", "truststore"):
        given = {
            **server_settings(),
            f"ssl.{which}.location": str(path),
            f"ssl.{which}.password": "changeit",
            f"ssl.{which}.type": "PKCS12",
        }
        assert f"ssl.{which}.password does not open {path}, or that file is damaged" in str(refusal(given))


def test_the_chain_of_a_pkcs12_store_is_put_in_order(tmp_path: Path) -> None:
    """An unrelated certificate in it is not sent to clients, which might refuse it."""
    from kafkapy.tls.certificate import Certificate
    from kafkapy.tls.stores import _in_order

    authority = Certificate(certificates().authority.certificate)
    server = Certificate(pem.blocks(certificates().path("server", ".crt").read_text())[0].content)
    unrelated = Certificate(other_authority().certificate)
    assert _in_order((server, unrelated, authority)) == (server, authority)


def test_errors_name_the_setting_of_the_listener() -> None:
    settings = Settings({"listeners": "SSL://:0", "listener.name.ssl.ssl.keystore.location": "/no/store"})
    with pytest.raises(SettingsError, match=r"^listener\.name\.ssl\.ssl\.keystore\.location names a key store in JKS"):
        ListenerTls(settings.listener_security("SSL"), settings.listener_setting_name("SSL"))


def test_damaged_jks_is_told_and_never_a_traceback() -> None:
    """Whatever byte is changed or cut off; without a password, as trust stores may be read."""
    whole = certificates().path("server", ".jks").read_bytes()
    random = Random(7)
    for _ in range(500):
        damaged = bytearray(whole)
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
        del damaged[random.randrange(len(damaged)) + 1 :]
        with pytest.raises((jks.MalformedJks, jks.WrongPassword)):
            jks.read(bytes(damaged), "changeit")
        try:
            store = jks.read(bytes(damaged), None)
            for entry in store.keys:
                entry.private_key("changeit")
        except (jks.MalformedJks, jks.WrongPassword):
            continue


@pytest.mark.skipif(shutil.which("keytool") is None, reason="no Java here")
def test_keytool_reads_our_jks_and_we_read_that_of_keytool(tmp_path: Path) -> None:
    store = tmp_path / "theirs.jks"
    what = ["-genkeypair", "-alias", "broker", "-keyalg", "RSA", "-dname", "CN=broker", "-validity", "9"]
    arguments = [*what, "-storetype", "JKS"]
    passwords = ["-storepass", "storing", "-keypass", "keying"]
    subprocess.run(["keytool", *arguments, "-keystore", store, *passwords], capture_output=True, check=True)
    entry = jks.read(store.read_bytes(), "storing").keys[0]
    given = {
        "ssl.keystore.location": str(store),
        "ssl.keystore.password": "storing",
        "ssl.key.password": "keying",
    }
    tls = listener_tls(given)
    assert (entry.alias, tls.key_store.certificate.subject) == ("broker", "CN=broker")
    assert tls.key_store.certificate.rsa_bits >= 2_048
    ours = certificates().path("server", ".jks")
    listed = subprocess.run(
        ["keytool", "-list", "-keystore", ours, "-storepass", "changeit"], capture_output=True, text=True, check=True
    )
    assert "server" in listed.stdout
    assert "PrivateKeyEntry" in listed.stdout
