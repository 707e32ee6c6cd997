"""Write docs/authorization.md: which operations each API asks for, from the cases that are compared with Apache Kafka.

python docs/make_authorization.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compat_tests.differential.authorization import Allowed
    from compat_tests.differential.authorization_requests import Case

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "authorization.md"

BEGINNING = """\
# Authorization

Without `authorizer.class.name` every client may do everything. With

```properties
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin
```

a client may do what an ACL allows to its principal: `User:` and the name that it has logged in with, `User:ANONYMOUS`
without a login, with TLS what `ssl.principal.mapping.rules` make of its certificate. The guide
[Testing with users, ACLs and TLS](guides/security.md) has it all in one place, from the certificates to the first
refusal; ACLs are made with `kafkapy acls`, `kafka-acls`, every admin client, and
[in seed files](seeds.md).

* An ACL is about the resource of its name (literal), of every name that begins so (prefixed), or of all names (`*`).
* One that denies wins over all that allow. `User:*` is everybody; a host is an address, a range, or `*`.
* Who may Read, Write, Delete or Alter may Describe, too; who may AlterConfigs may DescribeConfigs. Denying one does not
  deny the other.
* A resource without any ACL is closed to all but `super.users`, unless `allow.everyone.if.no.acl.found=true`.
* A change holds for requests that come after its answer, on the broker that a client asks as soon as it has heard of
  it.
* What is denied is a line of the logger `kafkapy.authorizer` (allowed operations at debug level), at most 20 a second:
  `Principal = User:shop is Denied operation = WRITE from host = 127.0.0.1 on resource = Topic:LITERAL:orders`.

## What each API asks for

`compat_tests/differential/test_authorization.py` sends each of these requests to kafkapy and to Apache Kafka 4.4.0 with
all of the operations, with none, with all but one, and with each alone, and compares the answers. Most requests need
all of what is named. Others are answered by what there is of it: topics and groups that a client may not describe are
left out of lists, a topic that it may not describe is one that does not exist, authorized operations are told one by
one, and where the cluster's operation is named beside a topic's, either does.

| API | request | operations |
|---|---|---|
"""

CONTROLLER = """\

At a controller's listener, where nodes and `--bootstrap-controller` ask:

| API | request | operations |
|---|---|---|
"""

END = """\

These have no case there:

| API | why |
|---|---|
"""


def api_of(message: str) -> str:
    return message.removesuffix("Request")


def in_words(needs: Iterable[Allowed]) -> str:
    """`Read, Write` of the topic, and so on: what is asked of two topics alike is said once."""
    operations: dict[str, dict[str, None]] = {}
    for need in needs:
        kind = "".join(part.capitalize() for part in need.resource_type.name.split("_"))
        operation = "".join(part.capitalize() for part in need.operation.name.split("_"))
        operations.setdefault(kind, {})[operation] = None
    return (
        "; ".join(f"{kind}: {', '.join(names)}" for kind, names in operations.items())
        or "Cluster: ClusterAction (tried without it only)"
    )


def rows(cases: Iterable[Case]) -> Iterator[str]:
    for case in cases:
        yield f"| {api_of(case.request.__name__)} | {case.name.removeprefix('controller, ')} | {in_words(case.needs)} |"


def page() -> str:
    sys.path.insert(0, str(ROOT))
    from compat_tests.differential.test_authorization import ALL_CASES, ELSEWHERE
    from kafkapy_wire.api_keys import request_class

    cases = sorted(ALL_CASES, key=lambda case: case.request.__name__)
    text = BEGINNING + "\n".join(rows(case for case in cases if not case.at_controller)) + "\n"
    text += CONTROLLER + "\n".join(rows(case for case in cases if case.at_controller)) + "\n"
    elsewhere = [f"| {api_of(request_class(api_key).__name__)} | {why} |" for api_key, why in ELSEWHERE.items()]
    return text + END + "\n".join(elsewhere) + "\n"


def main() -> int:
    text = page()
    if sys.argv[1:] == ["--check"]:
        if PAGE.read_text() != text:
            print(f"{PAGE} is not what its sources say: run python docs/make_authorization.py", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
