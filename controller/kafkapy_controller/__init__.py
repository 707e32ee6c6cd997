"""The controller without its shell: the cluster's metadata, and decisions that change it. No sockets, clocks or files.

```
image              MetadataImage and its parts: topics, partitions, brokers, settings, ... at one offset
delta              MetadataDelta: replays records, and lists the changes
metadata_records   the 27 record formats: frames, and the version of each that a level of metadata.version allows
metadata_version, features   the levels of metadata.version and of the other features, what a new cluster begins with
metadata_batches   batches and snapshots of them
image_records, image_difference   an image as records, for a snapshot; from one image to a later one
snapshot_schedule, snapshot_policy   when a snapshot is written, and which are kept
topics             decide: CreateTopics, DeleteTopics, CreatePartitions      topic_names, placement: their rules
elections, reassignments, feature_updates, unregistration                    decide: requests of administrators
partition_changes  the resulting change of a partition
configs, producer_ids, registration, bootstrap                               decide: the rest
raft/              the KRaft state machine                                   quorum_state, voters: its persistent state
```

A decision reads an image and returns records and a response (`decision`). The shell appends the records, replays them
into the next image, and only then lets the response leave.
"""

from kafkapy_controller.image import (
    EMPTY_IMAGE,
    NO_LEADER,
    BrokerImage,
    ConfigResourceType,
    ControllerImage,
    Endpoint,
    MetadataImage,
    PartitionImage,
    TopicImage,
)

__all__ = [
    "EMPTY_IMAGE",
    "NO_LEADER",
    "BrokerImage",
    "ConfigResourceType",
    "ControllerImage",
    "Endpoint",
    "MetadataImage",
    "PartitionImage",
    "TopicImage",
]
