"""The assertions that a node shows to a token endpoint in place of a secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from kafkapy.security.sasl.client_assertion import signed
from kafkapy.security.sasl.node_tokens import fetched
from kafkapy.settings.client_assertion import ClientAssertion
from kafkapy.settings.token_endpoint import TokenEndpoint

if TYPE_CHECKING:
    from pathlib import Path

jwt = pytest.importorskip("jwt")
serialization: Any = pytest.importorskip("cryptography.hazmat.primitives.serialization")
ec: Any = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
rsa: Any = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")

NOW = 1_000_000.0
CLAIMS = (("aud", "provider"), ("iss", "me"), ("sub", "node"))


def key_file(directory: Path, algorithm: str = "RS256", passphrase: str | None = None) -> tuple[Path, Any]:
    """A private key in a file, and its public key."""
    key: Any = (
        rsa.generate_private_key(65_537, 2_048) if algorithm == "RS256" else ec.generate_private_key(ec.SECP256R1())
    )
    protection: Any = (
        serialization.NoEncryption()
        if passphrase is None
        else serialization.BestAvailableEncryption(passphrase.encode())
    )
    file = directory / "key.pem"
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection))
    return file, key.public_key()


def assertion(file: Path, **changes: Any) -> ClientAssertion:
    made = ClientAssertion("", str(file), None, "RS256", CLAIMS, "", 300, 60, has_id=False)
    return made._replace(**changes)


def claims_of(text: str, key: Any, algorithm: str = "RS256") -> dict[str, Any]:
    options: Any = {"verify_exp": False, "verify_aud": False, "verify_nbf": False, "verify_iat": False}
    claims: dict[str, Any] = jwt.decode(text, key, algorithms=[algorithm], options=options)
    return claims


@pytest.mark.parametrize(("algorithm", "passphrase"), [("RS256", None), ("RS256", "s3cret"), ("ES256", "s3cret")])
def test_claims_are_signed_with_the_key(algorithm: str, passphrase: str | None, tmp_path: Path) -> None:
    file, public = key_file(tmp_path, algorithm, passphrase)
    text = signed(assertion(file, algorithm=algorithm, passphrase=passphrase), NOW)
    assert claims_of(text, public, algorithm) == {
        "aud": "provider",
        "iss": "me",
        "sub": "node",
        "iat": int(NOW),
        "exp": int(NOW) + 300,
        "nbf": int(NOW) - 60,
    }
    assert jwt.get_unverified_header(text) == {"alg": algorithm, "typ": "JWT"}


def test_a_template_wins_over_claims_and_the_clock_over_a_template(tmp_path: Path) -> None:
    file, public = key_file(tmp_path)
    template = tmp_path / "template.json"
    template.write_text(json.dumps({"header": {"kid": "k1"}, "payload": {"sub": "other", "exp": 1, "more": [1]}}))
    texts = [signed(assertion(file, template_file=str(template), has_id=True), NOW) for _ in range(2)]
    first, second = (claims_of(text, public) for text in texts)
    assert (first["sub"], first["more"], first["iss"], first["exp"]) == ("other", [1], "me", int(NOW) + 300)
    assert first["jti"] != second["jti"]
    assert jwt.get_unverified_header(texts[0])["kid"] == "k1"


def test_an_assertion_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "assertion"
    file.write_text("a.b.c\n")
    assert signed(assertion(tmp_path / "no-key")._replace(file=str(file)), NOW) == "a.b.c"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"passphrase": "wrong"}, "private.key.file is no private key in PEM, or another one than"),
        ({"passphrase": None}, "private.key.file is no private key in PEM, or another one than"),
        ({"algorithm": "ES256"}, "private.key.file does not sign with ES256"),
    ],
)
def test_a_key_that_does_not_sign_is_told_by_its_setting(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    file, _ = key_file(tmp_path, passphrase="s3cret")
    with pytest.raises(ValueError, match=told) as caught:
        signed(assertion(file, **{"passphrase": "s3cret", **changes}), NOW)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"header": []}', '{"payload": "x"}', "[" * 100_000])
def test_a_template_that_is_none_is_told_by_its_setting(text: str, tmp_path: Path) -> None:
    file, _ = key_file(tmp_path)
    template = tmp_path / "template.json"
    template.write_text(text)
    with pytest.raises(ValueError, match=r"template.file is no JSON with objects"):
        signed(assertion(file, template_file=str(template)), NOW)


@pytest.mark.parametrize("is_bearer", [False, True])
def test_a_provider_is_shown_an_assertion_and_no_secret(is_bearer: bool, tmp_path: Path) -> None:
    from kafkapy.testing import IdentityProvider

    file, public = key_file(tmp_path)
    asked: list[tuple[str | None, dict[str, list[str]]]] = []

    class Provider(IdentityProvider):
        def answer_token(self, authorization: str | None, body: str) -> tuple[int, dict[str, object]]:
            asked.append((authorization, parse_qs(body)))
            return 200, {"access_token": self.token("node")}

    with Provider() as provider:
        endpoint = TokenEndpoint(
            provider.token_url, "my-id", "", "a b", 5.0, (), "jaas", assertion(file), is_bearer=is_bearer
        )
        assert fetched(endpoint).count(".") == 2
    ((authorization, fields),) = asked
    assert authorization is None
    field = "assertion" if is_bearer else "client_assertion"
    assert claims_of(fields.pop(field)[0], public)["iss"] == "me"
    if is_bearer:
        assert fields == {"grant_type": ["urn:ietf:params:oauth:grant-type:jwt-bearer"], "scope": ["a b"]}
    else:
        assert fields == {
            "grant_type": ["client_credentials"],
            "client_assertion_type": ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"],
            "client_id": ["my-id"],
            "scope": ["a b"],
        }
