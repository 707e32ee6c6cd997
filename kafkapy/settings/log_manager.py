"""`LogManagerSettings`: the log directories of a node and the chores on them."""

from __future__ import annotations

from kafkapy.settings.area import Area
from kafkapy.settings.errors import SettingsError
from kafkapy.settings.topic import LONG_MAX

ALL_DIRECTORIES = "*"


class LogManagerSettings(Area):
    """The data directories and the chores on them. Settings of a log come from its topic: `topic_settings`."""

    log_dir: tuple[str, ...] = ("/tmp/kafka-logs",)
    log_dirs: tuple[str, ...] | None = None
    cordoned_log_dirs: tuple[str, ...] = ()
    log_dir_failure_timeout_ms: int = 30_000
    log_cleaner_enable: bool = True
    log_cleaner_threads: int = 1
    log_cleaner_backoff_ms: int = 15_000
    log_cleaner_dedupe_buffer_size: int = 134_217_728
    log_cleaner_io_buffer_load_factor: float = 0.9
    log_cleaner_io_max_bytes_per_second: float = 1.7976931348623157e308
    log_flush_offset_checkpoint_interval_ms: int = 60_000
    log_flush_scheduler_interval_ms: int = LONG_MAX
    log_initial_task_delay_ms: int = 30_000
    log_retention_check_interval_ms: int = 300_000
    kafkapy_retention_from_last_write: bool = False

    @property
    def directories(self) -> tuple[str, ...]:
        """Where the data is: `log.dirs`, else `log.dir`."""
        return self.log_dir if self.log_dirs is None else self.log_dirs

    @property
    def cordoned_directories(self) -> tuple[str, ...]:
        """Those of `directories` that get no new replicas (KIP-1066). Raises SettingsError: one is none of them."""
        if not self.cordoned_log_dirs:
            return ()
        if ALL_DIRECTORIES in self.cordoned_log_dirs:
            if len(self.cordoned_log_dirs) > 1:
                raise SettingsError(
                    "requirement failed: When cordoned.log.dirs is set to *, it must not contain other values",
                    "cordoned.log.dirs",
                )
            return self.directories
        missing = [each for each in self.cordoned_log_dirs if each not in self.directories]
        if missing:
            raise SettingsError(
                "requirement failed: All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing "
                f"entries : {', '.join(missing)}",
                "cordoned.log.dirs",
            )
        return self.cordoned_log_dirs
