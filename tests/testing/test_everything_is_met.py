"""Every fault, verb and clock action has a test in which an unmodified client meets it; this table says which.

What there is to meet is read off the code, so that a new field of rules or a new operation without such a test fails
here. A test counts if it, with the functions, fixtures and values of its module that it uses, says the word and has a
client library.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pytest

from kafkapy.control.operations import OF_THE_KIT, OPERATIONS
from kafkapy.control.signatures import LOOKING
from kafkapy.faults.rule_fields import FIELDS
from kafkapy.faults.values import OneOf
from kafkapy.testing.generate import SOURCES

ROOT = Path(__file__).parents[2]
FACES = [ROOT / "kafkapy" / "testing" / name for name in SOURCES]
CLIENT_LIBRARIES = {"aiokafka", "confluent_kafka", "kafka"}
IMPORTED = re.compile(r"^\s*from (\w+) import", re.MULTILINE)

HERE = "compat_tests/testing"
PYTHON_CLIENTS = "tests/faults/test_clients.py::test_what_passes_costs_no_record_and_makes_none_twice"
GROUPS = "tests/faults/test_clients.py::test_a_group_reads_every_record_once"
TRANSACTIONS = "tests/faults/test_clients.py::test_a_transaction_whose_answers_are_lost_is_committed_once"
RULES = f"{HERE}/test_rules_that_clients_meet.py"
ONE_CLIENT = f"{RULES}::test_a_rule_about_one_client_leaves_the_other_alone"
SOMETHING_ELSE = f"{RULES}::test_a_rule_about_something_else_is_not_met"
SENDERS = f"{RULES}::test_requests_of_clients_are_not_those_of_nodes"
BLACK_HOLE = f"{RULES}::test_a_black_hole_is_left_when_the_client_has_waited_enough"
GONE = f"{RULES}::test_requests_that_are_held_go_on_when_the_fault_is_gone"
RETRIED = f"{HERE}/test_faults_and_recording.py::test_an_error_is_retried_and_stored_once"
HELD = f"{HERE}/test_faults_and_recording.py::test_a_request_is_held_until_it_is_released"
VERBS = f"{HERE}/test_verbs_that_clients_meet.py"
ONE_NODE = f"{HERE}/test_kafka.py"
THREE_NODES = f"{HERE}/test_kafka_cluster.py"
NODE_VERBS = f"{HERE}/test_nodes_that_pause_and_move.py"
MEMBERSHIP = f"{HERE}/test_nodes_that_come_and_go.py"
CUT = f"{THREE_NODES}::test_an_isr_shrinks_while_links_are_cut_and_writes_are_refused"

FAULTS = {
    # which requests
    "api": PYTHON_CLIENTS,
    "version": ONE_CLIENT,
    "broker": f"{VERBS}::test_fetches_of_followers_that_are_held_keep_a_producer_waiting",
    "listener": SOMETHING_ELSE,
    "sender=clients": SENDERS,
    "sender=nodes": f"{VERBS}::test_fetches_of_followers_that_are_held_keep_a_producer_waiting",
    "sender=anyone": SENDERS,
    "client_id": ONE_CLIENT,
    "client_software": ONE_CLIENT,
    "client_version": ONE_CLIENT,
    "principal": SOMETHING_ELSE,
    "topic": SOMETHING_ELSE,
    "topic_id": f"{RULES}::test_a_topic_is_met_by_its_id",
    "partition": SOMETHING_ELSE,
    "group": f"{RULES}::test_one_group_is_refused_and_another_one_reads",
    "member": f"{RULES}::test_a_member_is_fenced_by_its_instance_id",
    "transactional_id": TRANSACTIONS,
    "where": TRANSACTIONS,
    # when
    "skip": f"{RULES}::test_so_many_pass_before_the_one_that_is_met",
    "nth": PYTHON_CLIENTS,
    "every": PYTHON_CLIENTS,
    "probability": PYTHON_CLIENTS,
    "seed": PYTHON_CLIENTS,
    "times": PYTHON_CLIENTS,
    "must_fire": RETRIED,
    # what happens to a request
    "hold=before": HELD,
    "hold=after": "tests/faults/test_clients.py::test_a_record_is_not_acknowledged_while_its_produce_is_held",
    "delay_ms": PYTHON_CLIENTS,
    "answer_delay_ms": PYTHON_CLIENTS,
    "jitter_ms": PYTHON_CLIENTS,
    "error": PYTHON_CLIENTS,
    "at": GROUPS,
    "message": f"{RULES}::test_the_message_of_an_error_reaches_the_user",
    "applied": PYTHON_CLIENTS,
    "disconnect=before": PYTHON_CLIENTS,
    "disconnect=middle": PYTHON_CLIENTS,
    "disconnect=after": PYTHON_CLIENTS,
    "reset_peer=before": PYTHON_CLIENTS,
    "reset_peer=middle": PYTHON_CLIENTS,
    "reset_peer=after": PYTHON_CLIENTS,
    "black_hole=before": BLACK_HOLE,
    "black_hole=after": BLACK_HOLE,
    "timeout_ms": PYTHON_CLIENTS,
    "throttle_time_ms": f"{RULES}::test_a_throttled_producer_is_told_for_how_long",
    "edit": f"{RULES}::test_an_edited_answer_is_believed",
    "corrupt_crc": "tests/faults/test_clients.py::test_damaged_records_are_noticed_by_a_client_that_checks",
    "stale_metadata": f"{RULES}::test_stale_metadata_lacks_what_was_made_since",
    # what happens to its connection
    "latency_ms": PYTHON_CLIENTS,
    "bandwidth_bytes_per_second": PYTHON_CLIENTS,
    "upload_bytes_per_second": PYTHON_CLIENTS,
    "slicer_bytes": PYTHON_CLIENTS,
    "slicer_variation_bytes": PYTHON_CLIENTS,
    "slicer_delay_ms": f"{RULES}::test_a_pause_between_slices_keeps_the_rest_until_the_fault_is_gone",
    "limit_data_bytes": PYTHON_CLIENTS,
    "slow_close_ms": PYTHON_CLIENTS,
}
"""By field, and by each choice where a field is one of several words."""

VERBS_AND_CLOCK = {
    "create_topic": f"{ONE_NODE}::test_a_group_and_its_lag",
    "delete_topics": f"{VERBS}::test_a_producer_goes_on_in_a_topic_that_was_deleted_and_made_again",
    "produce": f"{ONE_NODE}::test_records_are_plain_values_and_clients_read_them",
    "commit_offsets": f"{ONE_NODE}::test_a_group_goes_on_from_offsets_that_the_test_has_committed",
    "delete_group": f"{VERBS}::test_a_group_that_was_deleted_begins_anew",
    "close_connections": f"{ONE_NODE}::test_connections_can_be_closed",
    "add_faults": RETRIED,
    "remove_fault": GONE,
    "clear_faults": GONE,
    "release_fault": HELD,
    "clear_recording": f"{VERBS}::test_a_cleared_recording_has_what_clients_ask_from_then_on",
    "freeze_time": f"{VERBS}::test_records_get_the_time_that_the_clock_shows",
    "release_time": f"{VERBS}::test_records_get_the_time_that_the_clock_shows",
    "advance_time": f"{ONE_NODE}::test_a_member_that_is_silent_for_its_session_is_out_when_time_has_moved",
    "jump_time": f"{VERBS}::test_jumps_come_to_the_end_of_a_transaction",
    "stop_node": f"{VERBS}::test_a_producer_follows_leaders_that_stop_and_start_and_restart",
    "kill_node": f"{THREE_NODES}::test_a_killed_leader_is_replaced_and_comes_back",
    "start_node": f"{VERBS}::test_a_producer_follows_leaders_that_stop_and_start_and_restart",
    "restart_node": f"{VERBS}::test_a_producer_follows_leaders_that_stop_and_start_and_restart",
    "wipe_node": f"{VERBS}::test_a_wiped_node_serves_what_it_has_fetched_again",
    "pause_node": f"{NODE_VERBS}::test_a_paused_leader_is_replaced_after_its_session",
    "resume_node": f"{NODE_VERBS}::test_aiokafka_waits_for_a_paused_node",
    "set_rack": f"{NODE_VERBS}::test_clients_and_placement_see_another_rack",
    "add_node": f"{MEMBERSHIP}::test_an_added_broker_leads_and_leaves_under_a_producer",
    "remove_node": f"{MEMBERSHIP}::test_an_added_broker_leads_and_leaves_under_a_producer",
    "shrink_isr": f"{NODE_VERBS}::test_a_follower_stays_out_of_the_isr_until_it_may_join",
    "expand_isr": f"{NODE_VERBS}::test_a_follower_stays_out_of_the_isr_until_it_may_join",
    "seed": f"{HERE}/test_seeds.py::test_clients_read_what_was_seeded",
    "cut_link": CUT,
    "heal_link": CUT,
    "move_leader": f"{THREE_NODES}::test_a_leader_moves_under_a_producer",
    "move_group_coordinator": f"{THREE_NODES}::test_a_coordinator_moves_under_a_group",
    "move_transaction_coordinator": f"{VERBS}::test_a_transaction_is_committed_by_the_coordinator_that_it_has_moved_to",
    "reset": f"{ONE_NODE}::test_reset_keeps_connections_and_forgets_everything_else",
    "take_snapshot": f"{ONE_NODE}::test_a_snapshot_is_gone_back_to",
    "restore_snapshot": f"{ONE_NODE}::test_a_snapshot_is_gone_back_to",
    "take_bugs": f"{HERE}/test_plugin.py::test_a_bug_of_the_broker_fails_the_test_that_met_it",
}
"""By the name of the operation: all that change something."""

SAID_OTHERWISE = {"take_bugs": "kafkapy has made a mistake of its own"}
"""What a test says instead where it meets an operation through the fixtures."""


def test_every_field_of_rules_is_met() -> None:
    fields = {name: field for name, field in FIELDS.items() if field.kind}
    found = {
        word
        for name, field in fields.items()
        for word in ([f"{name}={choice}" for choice in field.read.choices] if isinstance(field.read, OneOf) else [name])
    }
    assert found ^ set(FAULTS) == set(), "add a test with an unmodified client, and its line above"


def test_every_operation_that_changes_something_is_met() -> None:
    assert set(OPERATIONS) - LOOKING ^ set(VERBS_AND_CLOCK) == set(), (
        "add a test with an unmodified client, and its line above"
    )


@pytest.mark.parametrize(("word", "test"), FAULTS.items(), ids=FAULTS)
def test_a_client_meets_the_fault(word: str, test: str) -> None:
    said = said_by(test)
    name, _, choice = word.partition("=")
    assert name in said.words, f"{test} does not name {name}"
    assert not choice or choice in said.words, f"{test} does not name {choice}"
    assert said.libraries, f"{test} has no client"


@pytest.mark.parametrize(("word", "test"), VERBS_AND_CLOCK.items(), ids=VERBS_AND_CLOCK)
def test_a_client_meets_the_operation(word: str, test: str) -> None:
    said = said_by(test)
    assert said.words & {word, methods().get(word), SAID_OTHERWISE.get(word)}, f"{test} does not call {word}"
    assert said.libraries, f"{test} has no client"


class Said(NamedTuple):
    words: set[str]
    """Texts, and names of attributes and arguments."""
    libraries: set[str]


@cache
def said_by(test: str) -> Said:
    """What a test says. Raises KeyError: there is no such test."""
    path, _, name = test.partition("::")
    module = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    definitions = dict(_definitions(module))
    words: set[str] = set()
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        name = waiting.pop()
        seen.add(name)
        for node in ast.walk(definitions[name]):
            words |= _words(node)
            used = node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else ""
            if used in definitions and used not in seen:  # an argument may be a fixture
                waiting.append(used)
    imported = {found for word in words for found in IMPORTED.findall(word)}  # in the text of a test run of its own
    libraries = {found for found in words if found in CLIENT_LIBRARIES and _is_imported(found, module)}
    return Said(words, (libraries | imported) & CLIENT_LIBRARIES)


def _definitions(module: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    for statement in module.body:
        match statement:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, statement
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name, statement


def _words(node: ast.AST) -> set[str]:
    match node:
        case ast.Constant(value=str(text)) | ast.Attribute(attr=text) | ast.keyword(arg=str(text)):
            return {text}
    return set()


def _is_imported(library: str, module: ast.Module) -> bool:
    return f"importorskip('{library}')" in ast.unparse(module)


@cache
def methods() -> dict[str, str]:
    """The method of the test kit for each operation."""
    names = {function.__name__: name for name, function in {**OPERATIONS, **OF_THE_KIT}.items()}
    found = {}
    for method in chain.from_iterable(ast.walk(ast.parse(face.read_text(encoding="utf-8"))) for face in FACES):
        if not isinstance(method, ast.FunctionDef):
            continue
        for call in ast.walk(method):
            match call:
                case ast.Call(func=ast.Attribute(attr="_call"), args=[ast.Attribute(attr=function), *_]):
                    found[names[function]] = method.name
    return found
