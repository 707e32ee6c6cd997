"""The TLS of a node as settings and files are now: of its listeners, and of its connections to other nodes.

A change of a setting or of a store makes new contexts, in a worker thread; handshakes from then on use them, and
connections go on as they are. What cannot be used is told in the log, and the old one holds. Stores are looked at by
the clock: there is no other way that every platform and every file system has.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import trio

from kafkapy.settings.errors import SettingsError
from kafkapy.tls.contexts import ClientTls, ListenerTls
from kafkapy.tls.stores import KeyStore, store_files

if TYPE_CHECKING:
    from kafkapy.settings import Settings
    from kafkapy.settings.current import CurrentSettings
    from kafkapy.settings.security import SecuritySettings
    from kafkapy.tls.stores import NameOf

logger = logging.getLogger("kafkapy.tls")

WATCH_SECONDS: Final = 2.0
"""How often files are looked at; by the machine's clock, as files change by it."""

Tls = TypeVar("Tls", ListenerTls, ClientTls)
Inputs = tuple[object, ...]


class CurrentTls:
    """Made once a node, if a listener or a connection of it has TLS."""

    def __init__(self, settings: CurrentSettings) -> None:
        """Loads the stores. Raises SettingsError. Blocks."""
        now = settings.now
        self._settings = settings
        self._listeners = {
            one.name: _Kept(partial(ListenerTls, has_sasl=one.has_sasl), one.name, now)
            for one in now.listeners
            if one.has_tls
        }
        self._clients: dict[str, _Kept[ClientTls]] = {}
        if now.has_others:  # else nobody is there yet: the first that comes is asked soon enough
            self.to_controllers()
            if now.quorum.is_broker:
                self.to_brokers()
        self._changed = trio.Event()

    def listener(self, name: str) -> ListenerTls:
        """That of a listener of this node."""
        return self._listeners[name].tls

    def to_controllers(self) -> ClientTls | None:
        """For connections to other controllers; None: without TLS. Raises SettingsError, blocks: at the first call."""
        return self._client(self._settings.now.controller_listener_name)

    def to_brokers(self) -> ClientTls | None:
        """For connections to other brokers, as `to_controllers`."""
        return self._client(self._settings.now.inter_broker_listener_name)

    def _client(self, name: str) -> ClientTls | None:
        kept = self._clients.get(name)
        if kept is None:
            now = self._settings.now
            if not now.security_protocol(name).endswith("SSL"):
                return None
            kept = self._clients[name] = _Kept(ClientTls, name, now)
        return kept.tls

    async def run(self) -> None:
        """Follow the settings and the files until cancelled."""
        self._settings.subscribe(lambda _: self._changed.set())
        while True:
            with trio.move_on_after(WATCH_SECONDS):
                await self._changed.wait()
            self._changed = trio.Event()
            for listener in self._listeners.values():
                await listener.follow(self._settings.now)
            for client in list(self._clients.values()):
                await client.follow(self._settings.now)


def check_change(before: Settings, after: Settings) -> None:
    """Whether listeners could have the TLS of `after`, which a client asks for. Raises SettingsError. Blocks."""
    for listener in before.listeners:
        if listener.has_tls:
            security = after.listener_security(listener.name)
            if _of_tls(security) != _of_tls(before.listener_security(listener.name)):
                changed = ListenerTls(security, after.listener_setting_name(listener.name))
                old: _Kept[ListenerTls] = _Kept(ListenerTls, listener.name, before, or_none=True)
                if old.loaded is not None:
                    _check_identity(old.loaded.key_store, changed.key_store, security)


class _Kept(Generic[Tls]):
    """The TLS of one listener, or of connections to the listeners of that name."""

    def __init__(
        self, make: Callable[[SecuritySettings, NameOf], Tls], name: str, settings: Settings, *, or_none: bool = False
    ) -> None:
        """Raises SettingsError, but not where it may be `or_none`. Blocks."""
        self._make: Callable[[SecuritySettings, NameOf], Tls] = make
        self._name = name
        self._inputs = self._inputs_of(settings)
        self.loaded: Tls | None = None
        try:
            self.loaded = self._load(settings)
        except SettingsError:
            if not or_none:
                raise

    @property
    def tls(self) -> Tls:
        assert self.loaded is not None
        return self.loaded

    def _load(self, settings: Settings) -> Tls:
        return self._make(settings.listener_security(self._name), settings.listener_setting_name(self._name))

    def _inputs_of(self, settings: Settings) -> Inputs:
        security: SecuritySettings = settings.listener_security(self._name)
        return (_of_tls(security), *map(_signature, store_files(security)))

    async def follow(self, settings: Settings) -> None:
        """Load it anew if what it is made from has changed."""
        inputs = self._inputs_of(settings)
        if inputs == self._inputs:
            return
        self._inputs = inputs
        try:
            made = await trio.to_thread.run_sync(self._load, settings)
            if made.key_store is not None and self.tls.key_store is not None:
                _check_identity(self.tls.key_store, made.key_store, settings.listener_security(self._name))
        except (SettingsError, OSError, ValueError) as error:  # whatever a file may hold, the node goes on
            logger.error("the TLS of listener %s stays as it was: %s", self._name, error)
            return
        self.loaded = made
        whose = "no key" if made.key_store is None else f"the certificate of {made.key_store.certificate.subject}"
        logger.info("the TLS of listener %s was loaded anew: %s", self._name, whose)


def _of_tls(security: SecuritySettings) -> Mapping[str, object]:
    return {name: value for name, value in vars(security).items() if name.startswith("ssl_")}


def _signature(path: str) -> tuple[object, ...]:
    """Differs when the file was written or replaced."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return (path,)
    return (path, status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev)


def _check_identity(old: KeyStore, new: KeyStore, security: SecuritySettings) -> None:
    """As in Apache Kafka, a node keeps its name unless that may change. Raises SettingsError."""
    was, now = old.certificate, new.certificate
    if not security.ssl_allow_dn_changes and was.subject.lower() != now.subject.lower():
        raise SettingsError(
            f"Keystore DistinguishedName does not match:  existing={{DN={was.subject}}}, new={{DN={now.subject}}}: set "
            "ssl.allow.dn.changes=true where the node is started, or keep the name",
            new.setting,
        )
    if not security.ssl_allow_san_changes and not now.alternative_names >= was.alternative_names:
        raise SettingsError(
            f"Keystore SubjectAltNames do not match:  existing={{SAN={_listed(was.alternative_names)}}}, "
            f"new={{SAN={_listed(now.alternative_names)}}}: set ssl.allow.san.changes=true where the node is started, "
            "or keep the names",
            new.setting,
        )


def _listed(names: frozenset[str]) -> str:
    return f"[{', '.join(sorted(names))}]"
