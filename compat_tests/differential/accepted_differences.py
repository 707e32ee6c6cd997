"""Where kafkapy answers otherwise than Apache Kafka 4.4.0, and why. One line a difference; nothing else may differ.

A test fails for a difference that is not here, and for a line here that is no longer true.
"""

from __future__ import annotations

from compat_tests.differential.comparison import Accepted

PROSE = "each documents its settings in its own words"
CONTROLLER_LISTENER = "Apache Kafka has to be told of a listener for its controller; kafkapy's needs none"

ACCEPTED: tuple[Accepted, ...] = (
    Accepted(
        "api_versions.malformed_frames_close_the_connection",
        "invalid UTF-8 in a name",
        "text that is no text is malformed; Apache Kafka puts replacement characters in its place",
    ),
    Accepted(
        "produce.null_records",
        "Produce v*",
        "Apache Kafka fails with NullPointerException and never answers; kafkapy says INVALID_RECORD",
        apache="no answer",
    ),
    Accepted(
        "produce.damaged_batches",
        "Produce v* unknown codec: *.error_code",
        "Apache Kafka fails with an internal error; kafkapy says UNSUPPORTED_COMPRESSION_TYPE",
        apache="-1",
    ),
    *(
        Accepted(
            scenario,
            where,
            "Apache Kafka fails with an internal error on bytes it cannot decompress; kafkapy says INVALID_RECORD",
            apache="-1",
        )
        for scenario, where in (
            ("produce.damaged_batches", "Produce v* codec that it is not: *.error_code"),
            ("produce.damaged_compression", "Produce v13 *: *.error_code"),
        )
    ),
    Accepted(
        "configs.topics_are_described",
        "DescribeConfigs v4 documentation: results[configs-plain].*.documentation",
        PROSE,
    ),
    Accepted("configs.setting_documentation", "DescribeConfigs v4: results[1].*.documentation", PROSE),
    Accepted(
        "configs.the_broker_is_described",
        "DescribeConfigs v* some keys*: results[1].configs[listener.security.protocol.map].*",
        CONTROLLER_LISTENER,
    ),
    *(
        Accepted(
            "configs.every_broker_setting", f"DescribeConfigs v4: results[1].configs[{name}].*", CONTROLLER_LISTENER
        )
        for name in ("listeners", "controller.quorum.bootstrap.servers", "listener.security.protocol.map")
    ),
    Accepted(
        "configs.the_broker_is_changed",
        "IncrementalAlterConfigs v* broker * log.cleaner.threads: responses[*].error_*",
        "0 is a valid number of threads; Apache Kafka divides by it when it is changed, and answers '/ by zero'",
    ),
    *(
        Accepted(
            scenario,
            "Fetch v* *: responses[*].partitions[*].records[*]",
            "kafkapy ends an answer with a whole batch; Apache Kafka may cut the last one, clients drop what is cut",
            apache="part of a batch*",
        )
        for scenario in ("fetch.sizes", "fetch_waiting.enough_bytes")
    ),
    Accepted(
        "fetch.sizes",
        "Fetch v* partition * isolation 1: responses[*].partitions[1].aborted_transactions",
        "the part of a batch that Apache Kafka sends of the partition before takes the room of this one",
        apache="[]",
    ),
    Accepted(
        "fetch.negative_sizes",
        "Fetch v18 *: responses[*].partitions[*].*",
        "Apache Kafka fails with an internal error; kafkapy takes a negative limit for 0",
    ),
    Accepted(
        "metadata.topics_are_created",
        "Metadata v* first: topics[*].*",
        "a topic is there when the answer that made it leaves; Apache Kafka first says UNKNOWN_TOPIC_OR_PARTITION",
        switch="auto-created-topics",
    ),
    Accepted(
        "metadata.describe_topic_partitions",
        "DescribeTopicPartitions v0 invalid: topics[*].*",
        "Apache Kafka fails with an internal error for an invalid name; kafkapy says INVALID_TOPIC_EXCEPTION",
    ),
    Accepted(
        "topics.partitions_are_added",
        "CreatePartitions v* too many: results[grow].*",
        "Apache Kafka fails with an internal error; kafkapy says what is wrong as CreateTopics does",
    ),
    Accepted(
        "transactions_partitions.no_transaction_in_a_request",
        "AddPartitionsToTxn v5",
        "Apache Kafka never answers a request without a transaction; kafkapy's answer has none either",
        apache="no answer",
    ),
    Accepted(
        "transactions_partitions.several_transactions_in_a_request",
        "AddPartitionsToTxn v* the same one twice: results_by_transaction[1].topic_results[*].*",
        "a request, which no broker sends, with a transactional id twice: Apache Kafka does the first one twice",
    ),
    Accepted(
        "transactions_markers.never_answered_by_apache_kafka",
        "WriteTxnMarkers v2 *",
        "Apache Kafka miscounts a partition named twice, and a last marker without partitions, and never answers",
        apache="no answer",
    ),
    Accepted(
        "transactions_markers.negative_ids_and_epochs",
        "WriteTxnMarkers v2 *.error_code",
        "Apache Kafka fails with an internal error; kafkapy says INVALID_REQUEST",
        apache="-1",
    ),
    Accepted(
        "transactions_produce.bytes_that_are_not_one_batch",
        "* unknown codec: *",
        "Apache Kafka asks its coordinator, then fails on the codec; kafkapy says UNSUPPORTED_COMPRESSION_TYPE at once",
    ),
    Accepted(
        "transactions_produce.a_duplicate_before_the_first_batch_of_a_transaction",
        "Produce v* next: *",
        "Apache Kafka remembers the lowest sequence it has asked the coordinator for, since batches may overtake each "
        "other while it waits, and a duplicate's counts; kafkapy asks and appends at once, so that nothing overtakes",
    ),
    *(
        Accepted(
            "special_offsets.a_log_whose_last_segment_is_not_the_latest",
            f"ListOffsets v* {left} left, *",
            "Apache Kafka looks into a segment below the log start offset until it deletes it, five minutes later, and "
            "finds a deleted record or none; kafkapy finds the first record that can be read",
        )
        for left in ("three", "one")
    ),
    Accepted(
        "special_offsets.a_compacted_log",
        "ListOffsets v* compacted, *",
        "Apache Kafka takes the file's time for the latest timestamp of a segment that compaction has left empty, and "
        "finds nothing in it; kafkapy finds the first record",
        apache="-1",
    ),
    *(
        Accepted(
            scenario,
            where,
            "a broker that leads in a newer epoch says so at once to a fetch that waits; Apache Kafka after the wait",
            apache="after the wait",
            switch="fenced-fetches",
        )
        for scenario, where in (
            ("cluster_moves.the_preferred_leader_is_elected", "Fetch v* waits, epoch 0 at 2: (when)"),
            ("cluster_moves.a_follower_is_moved_away", "Fetch v* waits, epoch 0 at 1: (when)"),
        )
    ),
    Accepted(
        "share_fetch.released_while_another_waits",
        "ShareFetch v2 bob waits: (when)",
        "records that are released are delivered at once to a fetch that waits; Apache Kafka's waits to its end first",
        apache="after the wait",
        switch="released-share-records",
    ),
    *(
        Accepted(
            "cluster_administration.settings_at_any_broker",
            f"{api} v* broker '{broker}', validate only at *: responses[{broker}].error_*",
            "the settings of a broker can be changed at every broker; Apache Kafka's brokers take their own only",
            switch="settings-of-other-brokers",
        )
        for api in ("IncrementalAlterConfigs", "AlterConfigs")
        for broker in (2, 9)
    ),
    Accepted(
        "cluster_views.controllers_are_asked",
        "IncrementalAlterConfigs v1 change at controller 1: responses[9].error_*",
        "of a broker that does not exist: one answer at brokers and controllers, that of Apache Kafka's brokers",
    ),
    Accepted(
        "cluster_views.controllers_are_asked",
        "DescribeQuorum v2 as it is at controller *: topics[0].partitions[0].error_message",
        "the same error, in its own words",
    ),
    Accepted(
        "cluster_failures.one_broker_is_killed_and_another_stopped",
        "JoinGroup v9 1 is left, new group at 1: *",
        "below min.insync.replicas the group coordinator refuses what has to be stored; Apache Kafka appends it and "
        "waits",
        switch="group-min-isr",
    ),
    *(
        Accepted(
            scenario,
            f"StreamsGroupHeartbeat v* {case}: error_message",
            "an internal error in Apache Kafka, without words; here they say what is wrong with the request",
        )
        for scenario, case in (
            ("streams_groups.streams_heartbeats_that_are_invalid", "a subtopology twice"),
            ("streams_groups.streams_heartbeats_that_are_invalid", "a tag twice"),
            ("streams_topologies.topologies_that_do_not_fit", "a copartition that is none"),
        )
    ),
    Accepted(
        "transactions_isolation.levels_that_are_none",
        "* isolation *",
        "Apache Kafka fails with an internal error; kafkapy takes it for READ_UNCOMMITTED",
    ),
    Accepted(
        "transactions_isolation.aborted_transactions_of_one_batch",
        "Fetch v18 from *: responses[0].partitions[0].aborted_transactions[*]",
        "Apache Kafka reckons with its sparse index how far the read went, and may name transactions that begin after",
    ),
)
