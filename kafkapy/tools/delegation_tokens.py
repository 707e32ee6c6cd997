"""Create, renew, expire and show delegation tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.client.errors import ClientError
from kafkapy.tools.tool_parser import add_connection_arguments, check_principals, only_action, run_tool, table
from kafkapy_wire.integer_text import INT64_MAX, parse_integer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from kafkapy.client.cluster import Cluster
    from kafkapy.client.delegation_tokens import Token

_ACTIONS = {
    "create": ("max_life_time_period",),
    "renew": ("hmac", "renew_time_period"),
    "expire": ("hmac", "expiry_time_period"),
    "describe": (),
}
"""What each action must have."""
_COLUMNS = ("TOKENID", "HMAC", "OWNER", "REQUESTER", "RENEWERS", "ISSUEDATE", "EXPIRYDATE", "MAXDATE")
_WIDTHS = (15, 30, 15, 15, 25, 15, 15, 15)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_connection_arguments(parser)
    for action in _ACTIONS:
        parser.add_argument(f"--{action}", action="store_true")
    for option in ("--owner-principal", "--renewer-principal"):
        parser.add_argument(option, action="append", default=[], metavar="TYPE:NAME")
    for option in ("--max-life-time-period", "--renew-time-period", "--expiry-time-period"):
        parser.add_argument(option, metavar="MS", help="-1: what the brokers' settings say")
    parser.add_argument("--hmac", metavar="BASE64")


def run(arguments: argparse.Namespace) -> int:
    body = {"create": _create, "renew": _renew, "expire": _expire, "describe": _describe}

    def checked(given: argparse.Namespace, cluster: Cluster) -> int:
        action = only_action(given, *_ACTIONS)
        for attribute in _ACTIONS[action]:
            if getattr(given, attribute) is None:
                raise ClientError(f'Missing required argument "[{attribute.replace("_", "-")}]"')
        check_principals((*given.owner_principal, *given.renewer_principal))
        return body[action](given, cluster)

    return run_tool(arguments, checked)


def _create(given: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.delegation_tokens import create_token

    period_ms = _milliseconds(given.max_life_time_period)
    renewers = ", ".join(given.renewer_principal)
    print(f"Calling create token operation with renewers :[{renewers}] , max-life-time-period :{period_ms}")
    owner = given.owner_principal[0] if given.owner_principal else None
    token = create_token(cluster, owner, given.renewer_principal, period_ms)
    print(f"Created delegation token with tokenId : {token.token_id}")
    _print([token])
    return 0


def _renew(given: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.delegation_tokens import renew_token

    period_ms = _milliseconds(given.renew_time_period)
    print(f"Calling renew token operation with hmac :{given.hmac} , renew-time-period :{period_ms}")
    expires_ms = renew_token(cluster, _hmac(given), period_ms)
    print(f"Completed renew operation. New expiry date : {_date(expires_ms)}", end="")
    return 0


def _expire(given: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.delegation_tokens import expire_token

    period_ms = _milliseconds(given.expiry_time_period)
    print(f"Calling expire token operation with hmac :{given.hmac} , expire-time-period :{period_ms}")
    expires_ms = expire_token(cluster, _hmac(given), period_ms)
    print(f"Completed expire operation. New expiry date : {_date(expires_ms)}", end="")
    return 0


def _describe(given: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.delegation_tokens import describe_tokens

    owners = given.owner_principal
    if owners:
        print(f"Calling describe token operation for owners: [{', '.join(owners)}]")
    else:
        print("Calling describe token operation for current user.")
    # Without owners Apache Kafka's tool asks for those of an empty list, too, and gets none.
    tokens = describe_tokens(cluster, owners)
    print(f"Total number of tokens : {len(tokens)}", end="")
    _print(tokens)
    return 0


def _print(tokens: Sequence[Token]) -> None:
    from base64 import b64encode

    for cells in (
        _COLUMNS,
        *(
            (
                token.token_id,
                b64encode(token.hmac).decode(),
                token.owner,
                token.requester,
                f"[{', '.join(token.renewers)}]",
                *map(_date, (token.issued_ms, token.expires_ms, token.max_ms)),
            )
            for token in tokens
        ),
    ):
        print(f"\n{table(cells, _WIDTHS, [])}")


def _date(timestamp_ms: int) -> str:
    from datetime import datetime

    return datetime.fromtimestamp(timestamp_ms / 1000).astimezone().strftime("%Y-%m-%dT%H:%M")


def _milliseconds(text: str) -> int:
    """Raises ClientError."""
    number = parse_integer(text, -1, INT64_MAX)
    if number is None:
        raise ClientError(f"{text!r} is no number of milliseconds, and not -1")
    return number


def _hmac(given: argparse.Namespace) -> bytes:
    """Raises ClientError."""
    from base64 import b64decode

    try:
        return b64decode(given.hmac, validate=True)
    except ValueError:
        raise ClientError(f"--hmac {given.hmac}: it is not base64, as --create prints it") from None
