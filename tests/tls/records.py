"""Records of TLS 1.3 as a client has them that keeps to no rule: Python's `ssl` sends only what is right.

The handshake is that of `ssl`, whose key log tells the secret of the client's records; from then on they are made here.
"""

from __future__ import annotations

import hashlib
import hmac
import socket
import ssl
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ALERT, HANDSHAKE, APPLICATION_DATA = 21, 22, 23
KEY_UPDATE: Final = b"\x18\0\0\1\0"
"""`send new keys from now on`, without asking for the same."""
KEY_UPDATE_ASKING: Final = b"\x18\0\0\1\1"
HASHES: Final = {"TLS_AES_128_GCM_SHA256": ("sha256", 16), "TLS_AES_256_GCM_SHA384": ("sha384", 32)}
IV_BYTES: Final = 12


class OwnRecords:
    """What is sent over a TLS connection after the handshake. The answers are not looked at."""

    def __init__(self, port: int, context: ssl.SSLContext, key_log: Path) -> None:
        """`context` is for TLS 1.3; `key_log` names a file that is not there, and will not be afterwards."""
        context.keylog_filename = str(key_log)
        self.socket = socket.create_connection(("127.0.0.1", port))
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tls = self._handshake(context)
            lines = [line.split() for line in key_log.read_text().splitlines()]
        except BaseException:
            self.socket.close()
            raise
        finally:
            key_log.unlink(missing_ok=True)
        cipher = tls.cipher()
        assert cipher is not None
        self._hash, self._key_bytes = HASHES[cipher[0]]
        (secret,) = (line[2] for line in lines if line[:1] == ["CLIENT_TRAFFIC_SECRET_0"])
        self._use(bytes.fromhex(secret))

    def _handshake(self, context: ssl.SSLContext) -> ssl.SSLObject:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self.socket.sendall(outgoing.read())
                received = self.socket.recv(1 << 16)
                if not received:
                    raise ConnectionResetError("the handshake was refused") from None
                incoming.write(received)
            else:
                self.socket.sendall(outgoing.read())
                return tls

    def _use(self, secret: bytes) -> None:
        self._secret = secret
        self._cipher = AESGCM(self._expanded("key", self._key_bytes))
        self._iv = int.from_bytes(self._expanded("iv", IV_BYTES), "big")
        self._number = 0

    def _expanded(self, label: str, size: int) -> bytes:
        """HKDF-Expand-Label of RFC 8446, with no context and a size of at most one hash."""
        name = b"tls13 " + label.encode()
        info = size.to_bytes(2, "big") + bytes([len(name)]) + name + b"\0"
        return hmac.digest(self._secret, info + b"\1", self._hash)[:size]

    def record(self, content: bytes, kind: int = APPLICATION_DATA, padding: int = 0) -> bytes:
        """The next record. It has to be sent before those that are made later."""
        inner = content + bytes([kind]) + bytes(padding)
        header = bytes([APPLICATION_DATA, 3, 3]) + (len(inner) + 16).to_bytes(2, "big")
        nonce = (self._iv ^ self._number).to_bytes(IV_BYTES, "big")
        self._number += 1
        return header + self._cipher.encrypt(nonce, inner, header)

    def key_update(self, content: bytes = KEY_UPDATE) -> bytes:
        """A record that says so; the later ones have new keys."""
        record = self.record(content, HANDSHAKE)
        self._use(self._expanded("traffic upd", hashlib.new(self._hash).digest_size))
        return record

    def close(self) -> None:
        self.socket.close()
