"""The partitions of this broker and what keeps them.

manager          every partition that is led here              opening          many logs opened in turns
topic_settings   which settings hold for a topic               checkpoints      the checkpoint files
flushing         fsync beside the event loop                   log_cleaning     retention and compaction
disk_watch       what the disk refuses, said once
"""
