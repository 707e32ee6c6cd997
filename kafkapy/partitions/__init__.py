"""The replicas of this broker and what keeps them.

manager          all of them, as the metadata says       opening             many logs opened in turns
partition        one: its log, role and watchers         topic_settings      which settings hold for a topic
flushing         fsync beside the event loop             log_cleaning        retention and compaction
checkpoints      the checkpoint files                    cleaner_statistics  what can be seen of compaction
disk_watch       disk errors, logged once
"""
