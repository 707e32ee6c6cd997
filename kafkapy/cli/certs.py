"""`kafkapy certs`: certificates for tests, in every format that Kafka's clients read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kafkapy.client.command_line import complain, positive_count, print_json, wants_json

if TYPE_CHECKING:
    import argparse

DAYS_MAX = 36_500

EPILOG = (
    "The directory then has ca.crt and truststore.p12, truststore.jks; and of each name NAME.key, NAME.crt, NAME.pem, "
    "NAME.p12, NAME.jks and NAME.properties: `kafkapy DIR/server.properties` starts a broker with TLS, and "
    "`kafkapy topics list --command-config DIR/client.properties` asks it."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "directory", metavar="DIR", help="where the files go; an authority that is there already is kept"
    )
    parser.add_argument(
        "--host",
        action="append",
        metavar="HOST",
        help="a host or address of the servers; may be given more than once (default: localhost, 127.0.0.1 and ::1)",
    )
    parser.add_argument(
        "--server",
        action="append",
        metavar="NAME",
        help="a server, such as a node of a cluster; may be given more than once (default: server)",
    )
    parser.add_argument(
        "--client",
        action="append",
        metavar="NAME",
        help="a client, whose principal is User:CN=NAME; may be given more than once (default: client)",
    )
    parser.add_argument("--password", metavar="PASSWORD", help="of the PKCS12 and JKS stores (default: changeit)")
    parser.add_argument("--days", type=positive_count, metavar="N", help="how long they hold (default: 365)")
    parser.add_argument("--json", action="store_true", default=False, help="print what was made as JSON")


def run(arguments: argparse.Namespace) -> int:
    from kafkapy.tls.making import DAYS, HOSTS, PASSWORD, CertificateFiles, NotInstalled

    servers, clients = arguments.server or ["server"], arguments.client or ["client"]
    names = [*servers, *clients]
    wrong = _what_is_wrong(names, arguments)
    if wrong is not None:
        complain("certs", wrong)
        return 1
    try:
        files = CertificateFiles(
            Path(arguments.directory), password=arguments.password or PASSWORD, days=arguments.days or DAYS
        )
        for name in servers:
            files.add_server(name, hosts=tuple(arguments.host or HOSTS))
        for name in clients:
            files.add_client(name)
    except NotInstalled as error:
        complain("certs", str(error))
        return 1
    except OSError as error:
        complain("certs", f"cannot write to {arguments.directory} ({error.strerror})")
        return 1
    except ValueError as error:  # a host that no certificate can name, or a damaged authority
        complain("certs", str(error))
        return 1
    if wants_json(arguments):
        print_json({"directory": str(files.directory.absolute()), "servers": servers, "clients": clients})
    else:
        for name in names:
            print(f"{files.path(name, '.properties')}")
    return 0


def _what_is_wrong(names: list[str], arguments: argparse.Namespace) -> str | None:
    from kafkapy.tls.making import is_name_of_files

    for name in names:
        if not is_name_of_files(name):
            return f"{name!r} cannot be a name: letters, digits and . _ - @ can, but for `ca` and `truststore`"
    if len(set(names)) < len(names):
        return "each server and client needs a name of its own"
    if (arguments.days or 1) > DAYS_MAX:
        return f"--days {arguments.days} is more than a certificate can hold: {DAYS_MAX} are the most"
    return None
