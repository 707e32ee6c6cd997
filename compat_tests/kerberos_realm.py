"""A Kerberos realm for tests: MIT's KDC on 127.0.0.1, with some principals and their keytabs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from compat_tests.apache_kafka import MissingTool
from compat_tests.ports import free_port
from compat_tests.tools import skip_or_fail

REALM = "KAFKAPY.TEST"
SERVICE = f"kafka/localhost@{REALM}"
START_SECONDS = 90
PASSWORD = "secret"
LOG = "kdc.log"


def tickets_issued(directory: Path, principal: str = SERVICE) -> int:
    """How often the KDC has given this principal a ticket-granting ticket."""
    lines = (directory / LOG).read_text().splitlines() if (directory / LOG).exists() else []
    return sum("AS_REQ" in line and "ISSUE" in line and principal in line for line in lines)


def tool(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if found is None:
        skip_or_fail(MissingTool(f"{name} (apt-get install krb5-kdc krb5-admin-server)"))
    return found


@contextmanager
def running_realm(directory: Path, *, service_ticket_seconds: int = 0) -> Iterator[None]:
    """`kafka.keytab` and `alice.keytab` are in the directory, and the environment says where the KDC is. Skips the test
    where there is no KDC, or fails it in CI. `service_ticket_seconds`: how long tickets of the service's own are valid.
    """
    if find_spec("gssapi") is None:
        skip_or_fail(MissingTool("gssapi (apt-get install libkrb5-dev, and the extra kerberos)"))
    server, admin, database = tool("krb5kdc"), tool("kadmin.local"), tool("kdb5_util")
    port = free_port()
    (directory / "krb5.conf").write_text(
        f"""
[libdefaults]
    default_realm = {REALM}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    udp_preference_limit = 1
[realms]
    {REALM} = {{
        kdc = 127.0.0.1:{port}
    }}
"""
    )
    (directory / "kdc.conf").write_text(
        f"""
[kdcdefaults]
    kdc_listen = 127.0.0.1:{port}
    kdc_tcp_listen = 127.0.0.1:{port}
[realms]
    {REALM} = {{
        database_name = {directory}/principal
        key_stash_file = {directory}/stash
    }}
[logging]
    kdc = FILE:{directory}/{LOG}
"""
    )
    environment = {
        "KRB5_CONFIG": str(directory / "krb5.conf"),
        "KRB5_KDC_PROFILE": str(directory / "kdc.conf"),
        "KRB5RCACHEDIR": str(directory),
    }
    patch = pytest.MonkeyPatch()
    for name, value in environment.items():
        patch.setenv(name, value)

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, timeout=START_SECONDS)

    run(database, "create", "-s", "-r", REALM, "-P", "master")
    lifetime = f'-maxlife "{service_ticket_seconds} seconds"' if service_ticket_seconds else ""
    for query in (
        f"addprinc -randkey {lifetime} {SERVICE}",
        f"addprinc -pw {PASSWORD} alice",
        f"addprinc -pw {PASSWORD} Bob/admin",
        f"ktadd -k {directory}/kafka.keytab {SERVICE}",
        f"ktadd -norandkey -k {directory}/alice.keytab alice",
    ):
        run(admin, "-r", REALM, "-q", query)
    kdc = subprocess.Popen([server, "-n", "-r", REALM], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert kdc.poll() is None, "the KDC has ended"
                assert time.monotonic() < until, "the KDC does not listen"
                time.sleep(0.05)
        yield
    finally:
        kdc.terminate()
        kdc.wait(START_SECONDS)
        patch.undo()
