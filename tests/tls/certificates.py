"""Certificates for tests: made once a process, as each costs some milliseconds."""

from __future__ import annotations

import ssl
import tempfile
from functools import cache
from pathlib import Path

from kafkapy.tls.making import Authority, CertificateFiles


@cache
def certificates() -> CertificateFiles:
    """Of a server `server` and the clients `alice` and `bob`, in a directory that lives as long as the process."""
    directory = tempfile.TemporaryDirectory(prefix="kafkapy-certificates-")
    _directories.append(directory)
    files = CertificateFiles(Path(directory.name))
    files.add_server()
    files.add_client("alice")
    files.add_client("bob")
    return files


_directories: list[tempfile.TemporaryDirectory[str]] = []


@cache
def other_authority() -> Authority:
    """One that nobody trusts."""
    return Authority("another CA")


def server_settings(store_type: str = "PEM", **others: str) -> dict[str, str]:
    """Of a node with one listener with TLS; `others` with `_` for `.`."""
    files = certificates()
    return {
        "listeners": "SSL://127.0.0.1:0",
        **files.key_store_settings("server", store_type),
        **files.trust_store_settings(store_type),
        **{name.replace("_", "."): value for name, value in others.items()},
    }


def client_context(name: str | None = None) -> ssl.SSLContext:
    """As a client has it that trusts the authority; with the certificate of `name`."""
    files = certificates()
    context = ssl.create_default_context(cafile=files.ca)
    if name is not None:
        context.load_cert_chain(files.path(name, ".crt"), files.path(name, ".key"))
    return context
