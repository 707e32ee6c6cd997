"""The assertion by which this node proves to a token endpoint who it is: signed anew for each token."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from kafkapy.settings.client_assertion import ClientAssertion

FILE_BYTES_MAX: Final = 1024 * 1024


def signed(assertion: ClientAssertion, now_seconds: float) -> str:
    """Raises OSError, ValueError: a file is not what it should be. Blocks. Needs PyJWT where it is not in a file."""
    if assertion.file:
        return _read(assertion.file).strip()
    import jwt

    now = int(now_seconds)
    header, payload = _template(assertion)
    payload = {
        **dict(assertion.claims),
        **payload,
        "iat": now,
        "exp": now + assertion.expires_seconds,
        "nbf": now - assertion.begins_seconds,
        **({"jti": str(uuid.uuid4())} if assertion.has_id else {}),
    }
    try:
        made: str = jwt.encode(payload, _key(assertion), algorithm=assertion.algorithm, headers=header)
    except (jwt.PyJWTError, TypeError) as error:
        raise ValueError(
            f"sasl.oauthbearer.assertion.private.key.file does not sign with {assertion.algorithm}: {error}"
        ) from None
    return made


def _key(assertion: ClientAssertion) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    passphrase = None if assertion.passphrase is None else assertion.passphrase.encode()
    try:
        return load_pem_private_key(_read(assertion.key_file).encode(), passphrase)
    except (ValueError, TypeError):
        raise ValueError(
            "sasl.oauthbearer.assertion.private.key.file is no private key in PEM, or another one than "
            "sasl.oauthbearer.assertion.private.key.passphrase opens"
        ) from None


def _template(assertion: ClientAssertion) -> tuple[dict[str, Any], dict[str, Any]]:
    if not assertion.template_file:
        return {}, {}
    try:
        content = json.loads(_read(assertion.template_file))
        parts = [content.get(part, {}) for part in ("header", "payload")]
    except (ValueError, AttributeError, RecursionError):
        parts = [None]
    if not all(isinstance(part, dict) for part in parts):
        raise ValueError("sasl.oauthbearer.assertion.template.file is no JSON with objects header and payload")
    header, payload = parts
    assert isinstance(header, dict)
    assert isinstance(payload, dict)
    return header, payload


def _read(path: str) -> str:
    with Path(path).open("rb") as file:
        return str(file.read(FILE_BYTES_MAX), "utf-8", "replace")
