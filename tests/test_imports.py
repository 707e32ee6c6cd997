"""Imports run one way: between the packages, between the rooms of `kafkapy`, and between modules.

Every import counts, those for type checking and those inside functions, too: a reader follows them all the same.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT = Path(__file__).parent.parent
ROOTS = {
    "kafkapy_wire": ROOT / "wire" / "kafkapy_wire",
    "kafkapy_log": ROOT / "log" / "kafkapy_log",
    "kafkapy_controller": ROOT / "controller" / "kafkapy_controller",
    "kafkapy": ROOT / "kafkapy",
}
MAY_IMPORT = {
    "kafkapy_wire": {"kafkapy_wire"},
    "kafkapy_log": {"kafkapy_wire", "kafkapy_log"},
    "kafkapy_controller": {"kafkapy_wire", "kafkapy_controller"},
    "kafkapy": set(ROOTS),
}
SANS_IO = {
    "kafkapy_wire": {"trio", "socket", "asyncio"},
    "kafkapy_controller": {"trio", "socket", "asyncio", "os", "time"},
}

# The rooms of `kafkapy`, from the ground up, and why each stands where it does. A room may import from the floors below
# its own, never from its own floor or above.
FLOORS: tuple[dict[str, str], ...] = (
    {
        "errors": "what ends a node or a connection: needs nothing",
        "bugs": "where tracebacks of our own are kept: needs nothing",
        "suspension": "whether a node is suspended now: needs nothing",
        "turns": "shares of the event loop, by the machine's clock: needs nothing",
        "workers": "threads for one kind of work: needs nothing",
        "collector": "when Python looks for garbage: needs nothing",
        "high_watermark": "what waits for an offset of a log: needs nothing",
        "nearest": "what a misspelt name was meant to be: needs nothing",
        "loggers": "the levels of a node's loggers: needs nothing",
        "log_lines": "how a line of the log looks, whatever a client has sent: needs nothing",
        "settings": "texts to typed attributes: asks nobody what they are for",
    },
    {
        "long_messages": "long messages decoded and encoded in turns",
        "ephemeral": "a directory that is gone afterwards; where none can be made, nothing starts",
        "seeds": "what a file says of topics, records and groups, for a broker to begin with: shares of the event loop",
        "tls": "keys and certificates by settings; needs no other part of a node, so that its clients may use it, too",
        "clock": "time and timers; what a timer's callback raises goes to `bugs`",
        "releases": "what brokers of each release announce; a name that is none is refused as a setting is",
        "strictness": "where a broker is no kinder than Apache Kafka; a name that is none is refused as a setting is",
        "pending": "an answer that comes later, or is refused with one of `errors`",
    },
    {
        "security": "who a client is and what it may do: by settings and images that it is given",
        "told_clients": "who does not come to the address that the settings advertise: on a clock",
    },
    {
        "quotas": "what clients use of their quotas: by images, on a clock, by who they are",
        "peers": "requests to other nodes: needs only the time, and is told who leads",
    },
    {
        "partitions": "logs with a role: appends, commits and cleans without knowing who asks",
    },
    {
        "metadata": "a log like the partitions', whose records become images; its errors go to their disk watch",
        "fetching": "reads partitions for one client, and waits for their news",
    },
    {
        "coordinators": "state in internal topics: appends to partitions, follows images",
        "replication": "followers fetch from leaders, leaders propose ISRs: moves the offsets of partitions",
    },
    {
        "sharing": "what share groups get of partitions: stores its state through the share coordinator",
        "telemetry": "metrics that clients push: who is asked for which, in the assignors' order of names",
        "producing": "from a Produce to partitions: asks the transaction coordinator first, then waits for acks",
    },
    {
        "broker": "names the parts that requests use, so it knows every room that has one",
    },
    {
        "context": "one request: its header, its client, and the broker's parts",
    },
    {
        "apis": "one module an API key: translates between a message and the rooms below",
    },
    {
        "faults": "what is done to requests, answers and connections because a test wants it: stages of a dispatcher",
        "network": "bytes to requests to bytes: looks handlers up in the table of `apis`",
        "housekeeping": "chores by the clock: calls the broker's parts, and no request calls it",
    },
    {
        "recording": "what went over connections, taken at the dispatcher",
    },
    {
        "node": "builds all of it, starts it and stops it in order",
    },
    {
        "cluster": "several nodes in one process",
    },
    {
        "control": "what is asked of a running node from outside its protocol: faults, time, state",
    },
    {
        "testing": "the test kit: nodes in a test, moved by `control`",
    },
    {
        "cli": "the command line: starts a node, or is a client of one",
    },
    {
        "image": "what the container image runs: a start with the image's defaults",
    },
    {
        "tools": "Kafka's own command names: words for the command line, its client, and the image's start",
    },
    {
        "__main__": "`python -m kafkapy` is the command line",
    },
)
# These import no room, so that nothing of a broker can be the cause of what they find; these alone may import them.
APART = {
    "dump": ("prints Kafka's files: it reads any broker's", {"cli"}),
    "client": ("the command line's Kafka client: it speaks to any broker", {"cli", "image", "tools"}),
    "history": ("the checker of histories: sans-IO", {"cli"}),
}
PUBLIC = {"kafkapy.testing", "kafkapy.testing.containers", "kafkapy.releases", "kafkapy.tools"}
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported_packages(path: Path) -> set[str]:
    """Top-level names of every import in a file."""
    names: set[str] = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{path}: a relative import hides where it goes"
            names.add(node.module.partition(".")[0])
    return names


def imported_names(path: Path) -> set[str]:
    """The modules of every import in a file; of `from package import name` the package."""
    names: set[str] = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names.add(node.module)
    return names


@cache
def modules(package: str) -> dict[str, Path]:
    """Path of each module, by its dotted name; a package is its `__init__`."""
    found = {}
    for path in sorted(ROOTS[package].rglob("*.py")):
        parts = path.relative_to(ROOTS[package]).with_suffix("").parts
        found[".".join((package, *(part for part in parts if part != "__init__")))] = path
    assert found
    return found


@cache
def import_graph(package: str) -> dict[str, frozenset[str]]:
    """Module -> modules of the same package that it imports. What a package re-exports is imported from its `__init__`,
    which in turn imports the module that has it.
    """
    known = modules(package)
    graph = {}
    for name, path in known.items():
        imported: set[str] = set()
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Import):
                imported.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    submodule = f"{node.module}.{alias.name}"
                    imported.add(submodule if submodule in known else str(node.module))
        graph[name] = frozenset(imported & known.keys() - {name})
    return graph


def circles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Nodes that can be reached from themselves, those of one circle together, each circle sorted.

    What has no arrow left into it or out of it is in no circle: taking such nodes away until none is left leaves the
    circles, and the ways between them.
    """
    arrows = {(start, end) for start, ends in graph.items() for end in ends}
    while True:
        starts, ends = {start for start, _ in arrows}, {end for _, end in arrows}
        kept = {(start, end) for start, end in arrows if start in ends and end in starts}
        if kept == arrows:
            break
        arrows = kept
    reached = {start: _reachable(start, arrows) for start, _ in arrows}
    found = {frozenset(end for end in ends if start in reached[end]) for start, ends in reached.items()}
    return sorted(sorted(circle) for circle in found if circle)


def _reachable(start: str, arrows: set[tuple[str, str]]) -> set[str]:
    reached: set[str] = set()
    new = {start}
    while new:
        new = {end for begin, end in arrows if begin in new} - reached
        reached |= new
    return reached


def room_of(module: str) -> str:
    """`kafkapy.apis.fetch` is of the room `apis`."""
    return module.split(".")[1]


@pytest.mark.parametrize("package", ROOTS)
def test_imports_run_one_way(package: str) -> None:
    for path in modules(package).values():
        ours = {name for name in imported_packages(path) if name in ROOTS}
        assert ours <= MAY_IMPORT[package], f"{path} imports {ours - MAY_IMPORT[package]}"


def test_a_circle_is_found_and_a_way_between_circles_is_none() -> None:
    graph = {"a": "b", "b": "cd", "c": "a", "d": "e", "e": "fg", "f": "e", "g": "", "h": "a"}
    assert circles(graph) == [["a", "b", "c"], ["e", "f"]]
    assert circles({"a": "bc", "b": "c", "c": ""}) == []


@pytest.mark.parametrize("package", ROOTS)
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    graph = import_graph(package)
    for circle in circles(graph):
        arrows = [f"{name} -> {other}" for name in circle for other in sorted(graph[name]) if other in circle]
        pytest.fail("a circle of imports:\n" + "\n".join(arrows))


def test_a_room_imports_only_from_the_floors_below() -> None:
    upward = []
    for name, imported in import_graph("kafkapy").items():
        if name == "kafkapy":
            assert not imported, "whoever asks for the version would import a room"
            continue
        for other in imported - {"kafkapy"}:
            here, there = room_of(name), room_of(other)
            if here == there:
                continue
            if there in APART:
                allowed = here in APART[there][1]
            else:
                allowed = here not in APART and FLOOR_OF[there] < FLOOR_OF[here]
            if not allowed:
                upward.append(f"{name} -> {other}")
    assert not upward, "\n".join(sorted(upward))


def test_every_room_has_its_floor() -> None:
    rooms = {room_of(name) for name in modules("kafkapy") if name != "kafkapy"}
    assert rooms <= FLOOR_OF.keys() | APART.keys(), rooms - FLOOR_OF.keys() - APART.keys()
    missing = FLOOR_OF.keys() | APART.keys()
    missing -= rooms
    assert missing == set()


@pytest.mark.parametrize("package", SANS_IO)
def test_cores_do_no_io(package: str) -> None:
    for path in modules(package).values():
        forbidden = imported_packages(path) & SANS_IO[package]
        assert not forbidden, f"{path} imports {forbidden}"


def test_compat_tests_stay_outside() -> None:
    """They use the command line, Kafka's tools among it, the test kit, the table of releases, and the wire package (to
    speak the protocol); never the insides.
    """
    for path in sorted((ROOT / "compat_tests").rglob("*.py")):
        inside = imported_packages(path) & {"kafkapy_log", "kafkapy_controller"}
        inside |= {name for name in imported_names(path) if f"{name}.".startswith("kafkapy.")} - PUBLIC
        assert not inside, f"{path} imports {inside}"
