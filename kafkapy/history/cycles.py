"""Circles of transactions, in the manner of Adya: edges mean "must come before".

* wr: a transaction polled, with read_committed, what another had written.
* ww: of two transactions that wrote to one partition, the one with the lower offset comes first.
* rw: a transaction polled up to an offset, and another wrote the next.

A circle of wr edges alone is `G1c`, an anomaly: each of these transactions read what another had not yet committed.
In Kafka writes of different transactions interleave freely, and a poll may stop anywhere: circles that need a ww edge
(`G0`, with only such; `G1c-ww`) or an rw edge (`G2`) are counted as allowed.

Transactions that were committed are judged; single sends and polls are part of no wr circle. One anomaly is reported
for each strongly connected set of transactions, with one circle in it. Orders of time and of processes are not used, so
that a stale but consistent view is no anomaly.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from itertools import pairwise

from kafkapy.history.observations import Observations
from kafkapy.history.records import REFUSED
from kafkapy.history.transactions import Outcome

__all__ = ["check_cycles"]

Graph = dict[int, set[int]]
_NAMED_IN_TEXT_MAX = 5


def check_cycles(observed: Observations) -> None:
    committed = {transaction.index for transaction in observed.transactions if transaction.outcome is Outcome.COMMITTED}
    reads = _read_graph(observed, committed)
    for component in _components(reads):
        _report(observed, reads, component)
    writers = _writers(observed, committed)
    writes = _write_graph(writers)
    interleaved = {frozenset(component) for component in _components(writes)}
    observed.findings.allow("G0", len(interleaved))
    read_circles = {frozenset(component) for component in _components(reads)}
    both = _joined(reads, writes)
    _add_reads_of_order(observed, committed, writers, both)
    with_writes = {frozenset(component) for component in _components(both)}
    observed.findings.allow("G1c-ww", len(with_writes - interleaved - read_circles))
    _add_read_writes(observed, committed, writers, both)
    with_all = {frozenset(component) for component in _components(both)}
    observed.findings.allow("G2", len(with_all - with_writes))


def _read_graph(observed: Observations, committed: set[int]) -> Graph:
    graph: Graph = {}
    for reader in observed.transactions:
        if reader.index in committed:
            for writer in reader.read_from:
                if writer in committed:
                    graph.setdefault(writer, set()).add(reader.index)
    return graph


def _writers(observed: Observations, committed: set[int]) -> dict[int, list[tuple[int, int]]]:
    """Partition index -> (offset, transaction), ascending, the first of each run of one transaction."""
    records = observed.records
    writers: dict[int, list[tuple[int, int]]] = {}
    for index in committed:
        for record in observed.transactions[index].sends:
            if records.offset[record] >= 0 and not records.state[record] & REFUSED:
                writers.setdefault(records.partition[record], []).append((records.offset[record], index))
    for partition, written in writers.items():
        written.sort()
        writers[partition] = [
            write for position, write in enumerate(written) if not position or written[position - 1][1] != write[1]
        ]
    return writers


def _write_graph(writers: dict[int, list[tuple[int, int]]]) -> Graph:
    graph: Graph = {}
    for written in writers.values():
        for (_, before), (_, after) in pairwise(written):
            graph.setdefault(before, set()).add(after)
    return graph


def _joined(first: Graph, second: Graph) -> Graph:
    joined = {node: set(after) for node, after in first.items()}
    for node, after in second.items():
        joined.setdefault(node, set()).update(after)
    return joined


def _add_reads_of_order(
    observed: Observations, committed: set[int], writers: dict[int, list[tuple[int, int]]], graph: Graph
) -> None:
    """Who polled an offset comes after the last transaction that wrote at or below it, through single sends, too."""
    for index in committed:
        for partition, highest in observed.transactions[index].reads.items():
            written = writers.get(partition, [])
            position = bisect_right(written, (highest, 1 << 62))
            if position and written[position - 1][1] != index:
                graph.setdefault(written[position - 1][1], set()).add(index)


def _add_read_writes(
    observed: Observations, committed: set[int], writers: dict[int, list[tuple[int, int]]], graph: Graph
) -> None:
    for index in committed:
        for partition, highest in observed.transactions[index].reads.items():
            written = writers.get(partition, [])
            position = bisect_right(written, (highest, 1 << 62))
            if position < len(written) and written[position][1] != index:
                graph.setdefault(index, set()).add(written[position][1])


def _components(graph: Graph) -> Iterator[list[int]]:
    """The strongly connected sets of two nodes and more (Tarjan's algorithm, without recursion)."""
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    on_path: set[int] = set()
    path: list[int] = []
    for root in graph:
        if root in number:
            continue
        work: list[tuple[int, Iterator[int]]] = []
        _enter(root, graph, number, low, on_path, path, work)
        while work:
            node, successors = work[-1]
            for successor in successors:
                if successor not in number:
                    _enter(successor, graph, number, low, on_path, path, work)
                    break
                if successor in on_path:
                    low[node] = min(low[node], number[successor])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    component = [path.pop()]
                    while component[-1] != node:
                        component.append(path.pop())
                    on_path.difference_update(component)
                    if len(component) > 1:
                        yield component


def _enter(
    node: int,
    graph: Graph,
    number: dict[int, int],
    low: dict[int, int],
    on_path: set[int],
    path: list[int],
    work: list[tuple[int, Iterator[int]]],
) -> None:
    number[node] = low[node] = len(number)
    on_path.add(node)
    path.append(node)
    work.append((node, iter(graph.get(node, ()))))


def _report(observed: Observations, graph: Graph, component: list[int]) -> None:
    circle = _circle(graph, set(component))
    parts, lines = [], []
    pairs = list(zip(circle, [*circle[1:], circle[0]], strict=True))
    for writer, reader in pairs[:_NAMED_IN_TEXT_MAX]:
        line = observed.transactions[reader].read_from[writer]
        parts.append(f"{observed.transactions[reader]} polled (line {line}) what {observed.transactions[writer]} wrote")
        lines += [observed.transactions[writer].begin_line, line]
    if len(pairs) > _NAMED_IN_TEXT_MAX:
        parts.append(f"and so on, {len(pairs)} in the circle")
    if len(component) > len(circle):
        parts.append(f"{len(component)} transactions hang together in this way")
    observed.findings.add("G1c", sorted(lines), "; ".join(parts))


def _circle(graph: Graph, component: set[int]) -> list[int]:
    """The shortest circle through one node of the component."""
    start = min(component)
    came_from: dict[int, int] = {}
    waiting = deque([start])
    while waiting:
        node = waiting.popleft()
        for successor in sorted(graph.get(node, ())):
            if successor == start:
                circle = [node]
                while circle[-1] != start:
                    circle.append(came_from[circle[-1]])
                return circle[::-1]
            if successor in component and successor not in came_from:
                came_from[successor] = node
                waiting.append(successor)
    raise AssertionError(f"no circle through {start} in a strongly connected set")
