"""What a broker does about its log directories: it tells the active controller of them, and moves replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_wire.uuid import parse_uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import trio

    from kafkapy.bugs import Bugs
    from kafkapy.clock import Clock
    from kafkapy.metadata.broker_lifecycle import DirectoryStates
    from kafkapy.node.quorum_part import QuorumPart
    from kafkapy.partitions.checkpoints import Checkpoints
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.partitions.flushing import Flusher
    from kafkapy.partitions.manager import PartitionManager
    from kafkapy.partitions.moving import ReplicaMoves
    from kafkapy.settings import Settings
    from kafkapy.settings.current import CurrentSettings


class DirectoriesPart:
    """Of one broker. `log_paths`: the directories that log.dirs names, in their order. `tell` is called when the
    controller is to hear of offline or cordoned directories.
    """

    def __init__(
        self,
        quorum: QuorumPart,
        partitions: PartitionManager,
        settings: CurrentSettings,
        clock: Clock,
        liveness_clock: Clock,
        disk: DiskWatch,
        flusher: Flusher | None,
        bugs: Bugs,
        checkpoints: Checkpoints,
        *,
        log_paths: Sequence[Path],
        tell: Callable[[], None],
    ) -> None:
        self._quorum = quorum
        self._directories = quorum.directories
        self._partitions = partitions
        self._settings = settings
        self._clock = clock
        self._liveness_clock = liveness_clock
        self._disk = disk
        self._flusher = flusher
        self._bugs = bugs
        self._checkpoints = checkpoints
        self._log_paths = log_paths
        self._tell = tell
        disk.directory_failed = partitions.directory_failed
        partitions.when_offline(self._tell_of_failure)

    def states(self) -> DirectoryStates:
        """For the next heartbeat."""
        from kafkapy.metadata.broker_lifecycle import DirectoryStates

        directories = self._directories
        cordoned = [each for each in directories.stores if each.directory in directories.cordoned]
        return DirectoryStates(
            [each.directory_id for each in directories.failed if each.directory_id is not None],
            [parse_uuid(each.directory_id) for each in cordoned],
        )

    def _tell_of_failure(self) -> None:
        self._tell()
        self._liveness_clock.call_later(self._settings.now.log.log_dir_failure_timeout_ms, self._check_told)

    def _check_told(self) -> None:
        """As in Apache Kafka the broker ends if the controller does not take the news: it would let this one lead what
        nobody can read.
        """
        registered = self._quorum.publisher.image.brokers.get(self._quorum.parts.node_id)
        for failed in self._directories.failed:
            if registered is not None and failed.directory_id in registered.log_dirs:
                self._disk.end(
                    f"stopped, since the active controller does not take the news that the log directory {failed.path} "
                    "is offline: see its log; the next start tells it"
                )

    def follow_settings(self, settings: Settings) -> None:
        """They name log directories as the user has given them, in the order of their paths."""
        named = zip(settings.log.directories, self._log_paths, strict=False)
        cordoned = frozenset(path for name, path in named if name in settings.cordoned_directories)
        if cordoned != self._directories.cordoned:
            self._directories.cordoned = cordoned
            self._tell()

    def start(self, nursery: trio.Nursery, broker_epoch: Callable[[], int]) -> None:
        """Tell the controller which replica is in which log directory, and move replicas from one to another."""
        from kafkapy.metadata.directory_assignments import DirectoryAssignments

        assignments = DirectoryAssignments(
            self._quorum.parts.node_id,
            self._partitions.directory_id,
            self._quorum.channel,
            self._quorum.publisher,
            self._liveness_clock,
            broker_epoch,
        )
        nursery.start_soon(assignments.run)
        if self._directories.has_several:
            nursery.start_soon(self._moves(assignments.look_again).run)

    def _moves(self, look_again: Callable[[str, int], None]) -> ReplicaMoves:
        from kafkapy.partitions.moving import ReplicaMoves

        moves = ReplicaMoves(
            self._directories,
            self._partitions.replica,
            self._settings,
            self._clock,
            self._disk,
            self._flusher,
            self._bugs,
            node_id=self._quorum.parts.node_id,
            liveness_clock=self._liveness_clock,
            look_again=look_again,
            write_checkpoints=self._checkpoints.write,
        )
        self._partitions.use_moves(moves)
        self._partitions.when_truncated(moves.note_truncation)
        moves.follow_metadata(self._quorum.publisher.image)
        self._quorum.publisher.subscribe(moves.follow_metadata)
        return moves
