"""Which of several log directories has a partition, and where a new one goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from kafkapy_log import DirectoryOffline, LogDirectories, StoreError, TopicPartition
from kafkapy_log.log_directories import PREFERENCES_MAX
from kafkapy_wire.uuid import Uuid, parse_uuid, random_uuid
from tests.log.test_log_store import NOW_MS, TOPIC_ID, append


def open_directories(
    base: Path, names: Sequence[str] = "abc", metadata: str = "a", *, fail: Sequence[str] = ()
) -> LogDirectories:
    for name in fail:
        (base / name).write_bytes(b"no directory")
    paths = [base / name for name in names]
    directories = LogDirectories.open(paths, base / metadata, node_id=1, now_ms=NOW_MS, fsync=False)
    directories.recover(NOW_MS)
    return directories


def id_of(directories: LogDirectories, name: str) -> Uuid:
    return next(parse_uuid(each.directory_id) for each in directories.stores if each.directory.name == name)


def place(directories: LogDirectories, partition: int, assigned: Uuid | None = None, topic: str = "t") -> str:
    return directories.place(topic, partition, assigned).directory.name


def create(directories: LogDirectories, partition: int, assigned: Uuid | None = None) -> None:
    log = directories.create("t", partition, TOPIC_ID, now_ms=NOW_MS, assigned=assigned)
    append(log)


def test_a_replica_goes_where_the_fewest_are_whether_they_have_files_or_not(tmp_path: Path) -> None:
    directories = open_directories(tmp_path)
    assert [place(directories, partition) for partition in range(4)] == ["a", "b", "c", "a"]
    assert place(directories, 1) == "b", "it stays where it was placed"
    create(directories, 3)
    directories.delete("t", 0)
    directories.delete("t", 3)
    assert [place(directories, partition) for partition in (4, 5)] == ["a", "a"]
    directories.close({})


def test_the_metadata_log_does_not_count(tmp_path: Path) -> None:
    directories = open_directories(tmp_path, "ab")
    directories.metadata.create("__cluster_metadata", 0, TOPIC_ID, now_ms=NOW_MS)
    assert [place(directories, partition) for partition in range(2)] == ["a", "b"]
    directories.close({})


def test_what_was_asked_for_wins_over_what_is_assigned_and_that_over_the_fewest(tmp_path: Path) -> None:
    directories = open_directories(tmp_path)
    c = id_of(directories, "c")
    assert [place(directories, partition, c) for partition in range(3)] == ["c", "c", "c"]
    directories.prefer("t", 3, directories.stores[1])
    assert place(directories, 3, c) == "b"
    assert place(directories, 4, random_uuid()) == "a", "nobody knows the directory, and none has failed"
    for partition in range(PREFERENCES_MAX + 10):
        directories.prefer("u", partition, directories.stores[2])
    assert place(directories, 0, topic="u") != "c", "the oldest ones are forgotten"
    assert place(directories, PREFERENCES_MAX, topic="u") == "c"
    directories.close({})


def test_cordoned_directories_are_passed_over_unless_all_are(tmp_path: Path) -> None:
    directories = open_directories(tmp_path)
    directories.cordoned = frozenset({tmp_path / "a", tmp_path / "c"})
    assert {place(directories, partition) for partition in range(3)} == {"b"}
    directories.cordoned = frozenset(store.directory for store in directories.stores)
    assert place(directories, 3) == "a"
    directories.close({})


def test_a_failed_directory_keeps_what_is_assigned_to_it(tmp_path: Path) -> None:
    directories = open_directories(tmp_path)
    b = id_of(directories, "b")
    for partition in range(6):
        create(directories, partition)
    gone = directories.take_offline(directories.stores[1], "it burns")
    assert gone == [TopicPartition("t", 1), TopicPartition("t", 4)]
    assert [(failed.path.name, failed.directory_id) for failed in directories.failed] == [("b", b)]
    assert TopicPartition("t", 1) not in directories
    with pytest.raises(DirectoryOffline):
        directories.create("t", 1, TOPIC_ID, now_ms=NOW_MS, assigned=b)
    assert place(directories, 6) in "ac", "what is assigned nowhere yet is new"
    assert not directories.can_lose(directories.metadata)
    assert directories.can_lose(directories.stores[1])
    directories.close({})


def test_a_directory_that_cannot_be_used_is_offline_and_that_of_the_metadata_is_needed(tmp_path: Path) -> None:
    for epoch in (-1, 7):
        directories = open_directories(tmp_path, "ab")
        assert directories.previous_broker_epoch == epoch
        directories.close({}, broker_epoch=7)
    directories = open_directories(tmp_path, "abc", fail="c")
    assert [each.path.name for each in directories.failed] == ["c"]
    assert [path.name for path in directories.paths] == ["a", "b", "c"]
    assert directories.previous_broker_epoch == -1, "nobody knows what is in the other"
    directories.close({})
    with pytest.raises(StoreError, match="is a file, not a directory"):
        open_directories(tmp_path, "ab", "c")


def test_a_copy_becomes_the_replica_and_a_crash_between_leaves_two(tmp_path: Path) -> None:
    directories = open_directories(tmp_path, "ab")
    create(directories, 0)
    source, target = directories.stores
    copy = target.create("t", 0, TOPIC_ID, now_ms=NOW_MS, future=True)
    append(copy)
    key = TopicPartition("t", 0)
    assert directories.futures() == [(target, key)]
    assert directories.store_of("t", 0) is source
    directories.swap(target, key)
    assert directories.store_of("t", 0) is target
    assert not directories.futures()
    assert (tmp_path / "b" / "t-0").is_dir()
    assert not (tmp_path / "a" / "t-0").exists()
    directories.close({})
    (tmp_path / "b" / "t-0").rename(tmp_path / "kept")
    (tmp_path / "a" / "t-0").mkdir()
    (tmp_path / "kept").rename(tmp_path / "b" / "t-0")
    directories = open_directories(tmp_path, "ab")
    ((other, found),) = directories.take_duplicates()
    assert (other.directory.name, found) == ("b", key)
    stray = directories.use_duplicate(other, key)
    assert stray.parent.name == "a"
    assert directories.store_of("t", 0) is other
    directories.close({})
