"""Which test shows the effect of each setting that `support_table.py` calls honoured.

Test, below tests/ -> settings. `test_support.py` holds that nothing is missing, that the tests are there, and that they
speak of their settings. Whoever honours a setting that was not honoured writes its test and enters it here.
"""

from __future__ import annotations

BROKER_EFFECTS = {
    "apis/test_authorization.py::test_the_authorizer_of_authorizer_class_name_denies_what_no_acl_allows": """
        authorizer.class.name
    """,
    "apis/test_delegation_tokens.py::test_a_token_is_made_renewed_and_removed_when_it_has_expired": """
        delegation.token.expiry.check.interval.ms delegation.token.expiry.time.ms delegation.token.max.lifetime.ms
        delegation.token.secret.key
    """,
    "apis/test_delete_topics.py::test_deletion_can_be_switched_off": "delete.topic.enable",
    "apis/test_describe_producers.py::test_producers_are_remembered_until_they_expire": """
        producer.id.expiration.check.interval.ms producer.id.expiration.ms
    """,
    "apis/test_describe_topic_partitions.py::test_the_broker_bounds_a_page": "max.request.partition.size.limit",
    "apis/test_fetch.py::test_fetch_max_bytes_of_the_broker_bounds_every_answer": "fetch.max.bytes",
    "apis/test_metadata.py::test_a_topic_that_cannot_be_made_stays_unknown": "default.replication.factor",
    "apis/test_metadata.py::test_no_topic_is_made_unless_client_and_broker_allow_it": "auto.create.topics.enable",
    "apis/test_metadata.py::test_topics_of_coordinators_are_internal_and_have_their_own_settings": """
        offsets.topic.num.partitions offsets.topic.segment.bytes
    """,
    "apis/test_transaction_apis.py::test_without_verification_an_older_produce_is_believed": """
        transaction.partition.verification.enable
    """,
    "cluster/test_cluster.py::test_a_standalone_controller_takes_brokers_and_voters_in": """
        controller.quorum.auto.join.enable
    """,
    "coordinators/test_classic_membership.py::test_group_max_size": "group.max.size",
    "coordinators/test_classic_membership.py::test_initial_rebalance_delay_is_extended_by_new_members": """
        group.initial.rebalance.delay.ms
    """,
    "coordinators/test_commit_rule.py::test_offsets_commit_timeout_ms_is_how_long_that_is": "offsets.commit.timeout.ms",
    "coordinators/test_consumer_groups.py::test_a_group_is_not_assigned_more_often_than_its_assignment_interval": """
        group.consumer.assignment.interval.ms group.consumer.max.assignment.interval.ms
        group.consumer.min.assignment.interval.ms
    """,
    "coordinators/test_consumer_groups.py::test_a_member_that_does_not_beat_is_fenced": """
        group.consumer.max.session.timeout.ms group.consumer.min.session.timeout.ms group.consumer.session.timeout.ms
    """,
    "coordinators/test_consumer_groups.py::test_no_more_members_than_group_consumer_max_size": """
        group.consumer.max.size
    """,
    "coordinators/test_consumer_groups.py::test_the_first_of_group_consumer_assignors_is_the_default": """
        group.consumer.assignors
    """,
    "coordinators/test_consumer_groups.py::test_the_interval_of_heartbeats_is_the_groups_or_the_brokers": """
        group.consumer.heartbeat.interval.ms group.consumer.max.heartbeat.interval.ms
        group.consumer.min.heartbeat.interval.ms
    """,
    "coordinators/test_consumer_patterns.py::test_patterns_are_matched_again_after_the_refresh_interval": """
        group.consumer.regex.refresh.interval.ms
    """,
    "coordinators/test_group_migration.py::test_the_policy_decides_which_way_groups_may_go": """
        group.consumer.migration.policy
    """,
    "coordinators/test_streams_groups.py::test_a_group_is_not_assigned_more_often_than_its_assignment_interval": """
        group.streams.assignment.interval.ms group.streams.max.assignment.interval.ms
        group.streams.min.assignment.interval.ms
    """,
    "coordinators/test_streams_groups.py::test_a_member_that_does_not_beat_is_fenced": """
        group.streams.max.session.timeout.ms group.streams.min.session.timeout.ms group.streams.session.timeout.ms
    """,
    "coordinators/test_streams_groups.py::test_intervals_are_the_groups_or_the_brokers": """
        group.streams.acceptable.recovery.lag group.streams.heartbeat.interval.ms
        group.streams.max.heartbeat.interval.ms group.streams.min.heartbeat.interval.ms
        group.streams.min.task.offset.interval.ms group.streams.task.offset.interval.ms
    """,
    "coordinators/test_streams_groups.py::test_members_without_the_tags_that_are_wanted_are_told": """
        group.streams.rack.aware.assignment.tags
    """,
    "coordinators/test_streams_groups.py::test_no_more_members_than_group_streams_max_size": """
        group.streams.max.size
    """,
    "coordinators/test_streams_groups.py::test_standby_tasks_are_as_many_as_the_group_or_the_broker_says": """
        group.streams.max.standby.replicas group.streams.num.standby.replicas
    """,
    "coordinators/test_streams_groups.py::test_the_first_members_are_waited_for": """
        group.streams.initial.rebalance.delay.ms
    """,
    "coordinators/test_streams_groups.py"
    "::test_without_streams_in_the_protocols_or_in_the_features_there_are_no_streams_groups": """
        group.coordinator.rebalance.protocols
    """,
    "coordinators/test_share_coordinator.py::test_what_is_not_committed_in_time_is_answered": """
        share.coordinator.write.timeout.ms
    """,
    "coordinators/test_share_coordinator.py::test_what_later_snapshots_repeat_is_pruned": """
        share.coordinator.cold.partition.snapshot.interval.ms share.coordinator.snapshot.update.records.per.snapshot
    """,
    "cluster/test_sasl_between_nodes.py::test_a_cluster_whose_nodes_log_in_at_one_another": """
        sasl.mechanism.controller.protocol sasl.mechanism.inter.broker.protocol
    """,
    "cluster/test_logins_that_are_renewed.py::test_nodes_log_in_with_tickets_and_renew_them": (
        "sasl.kerberos.service.name"
    ),
    "cluster/test_logins_that_are_renewed.py::test_nodes_fetch_tokens_and_renew_them": """
        sasl.oauthbearer.client.credentials.client.id sasl.oauthbearer.client.credentials.client.secret
        sasl.oauthbearer.token.endpoint.url
    """,
    "settings/test_node_login.py::test_an_assertion_by_its_settings": """
        sasl.oauthbearer.assertion.algorithm
        sasl.oauthbearer.assertion.claim.aud sasl.oauthbearer.assertion.claim.exp.seconds
        sasl.oauthbearer.assertion.claim.iss sasl.oauthbearer.assertion.claim.jti.include
        sasl.oauthbearer.assertion.claim.nbf.seconds sasl.oauthbearer.assertion.claim.sub
        sasl.oauthbearer.assertion.file sasl.oauthbearer.assertion.private.key.file
        sasl.oauthbearer.assertion.private.key.passphrase sasl.oauthbearer.assertion.template.file
    """,
    "settings/test_node_login.py::test_a_token_endpoint_by_settings_and_by_options": "sasl.oauthbearer.scope",
    "settings/test_node_login.py::test_tokens_are_refreshed_as_the_settings_say": """
        sasl.login.connect.timeout.ms sasl.login.read.timeout.ms sasl.login.refresh.buffer.seconds
        sasl.login.refresh.min.period.seconds sasl.login.refresh.window.factor sasl.login.refresh.window.jitter
        sasl.login.retry.backoff.max.ms sasl.login.retry.backoff.ms
    """,
    "settings/test_node_login.py::test_a_node_that_could_get_no_token_does_not_start": """
        sasl.client.callback.handler.class sasl.login.callback.handler.class sasl.login.class
        sasl.oauthbearer.jwt.retriever.class
    """,
    "network/test_kerberos_logins.py::test_a_ticket_says_who_a_client_is": "sasl.kerberos.principal.to.local.rules",
    "network/test_logins.py::test_a_client_that_has_authenticated_is_served_as_its_user": """
        sasl.enabled.mechanisms
    """,
    "network/test_logins.py::test_a_frame_before_the_login_is_bounded": "sasl.server.max.receive.size",
    "network/test_logins.py::test_a_refused_login_is_answered_late_and_is_the_end": """
        connection.failed.authentication.delay.ms
    """,
    "network/test_logins.py::test_a_session_ends_unless_the_client_authenticates_again": "connections.max.reauth.ms",
    "network/test_token_logins.py::test_a_jwks_is_read_again_for_a_new_key": """
        sasl.oauthbearer.jwks.endpoint.refresh.ms
    """,
    "network/test_token_logins.py::test_settings_by_which_tokens_of_others_would_be_believed_are_refused": """
        sasl.oauthbearer.allow.unverified.audience sasl.oauthbearer.allow.unverified.issuer
        sasl.oauthbearer.jwt.validator.class
    """,
    "network/test_token_logins.py::test_signed_tokens_are_checked_by_the_keys_of_the_provider": """
        sasl.oauthbearer.clock.skew.seconds sasl.oauthbearer.expected.audience sasl.oauthbearer.expected.issuer
        sasl.oauthbearer.jwks.endpoint.url
    """,
    "network/test_token_logins.py::test_which_claims_say_who_and_what_for": """
        sasl.oauthbearer.scope.claim.name sasl.oauthbearer.sub.claim.name
    """,
    "settings/test_sasl.py::test_login_modules_are_those_of_the_listener_and_the_mechanism": "sasl.jaas.config",
    "settings/test_sasl.py::test_what_would_let_nobody_or_others_in_is_refused": "sasl.server.callback.handler.class",
    "sharing/test_dead_letters.py::test_rejected_records_go_into_the_dead_letter_topic": """
        errors.deadletterqueue.auto.create.topics.enable
    """,
    "sharing/test_dead_letters.py::test_what_cannot_be_written_is_told_and_archived_all_the_same": """
        errors.deadletterqueue.topic.name.prefix
    """,
    "sharing/test_share_groups.py::test_a_group_is_not_assigned_more_often_than_its_assignment_interval": """
        group.share.assignment.interval.ms
    """,
    "sharing/test_share_groups.py::test_a_lock_ends_after_its_duration_and_may_be_renewed": """
        group.share.record.lock.duration.ms
    """,
    "sharing/test_share_groups.py::test_a_member_that_does_not_beat_is_fenced": "group.share.session.timeout.ms",
    "sharing/test_share_groups.py::test_a_record_is_delivered_at_most_so_often": "group.share.delivery.count.limit",
    "sharing/test_share_groups.py::test_initialization_is_begun_anew_after_the_retry_interval": """
        group.share.initialize.retry.interval.ms
    """,
    "sharing/test_share_groups.py::test_no_more_members_than_group_share_max_size": "group.share.max.size",
    "sharing/test_share_groups.py::test_no_more_sessions_than_group_share_max_share_sessions": """
        group.share.max.share.sessions
    """,
    "sharing/test_share_groups.py::test_settings_of_a_group_stay_between_those_of_the_broker": """
        group.share.max.assignment.interval.ms group.share.max.delivery.count.limit
        group.share.max.heartbeat.interval.ms group.share.max.partition.max.record.locks
        group.share.max.record.lock.duration.ms group.share.max.session.timeout.ms
        group.share.min.assignment.interval.ms group.share.min.delivery.count.limit
        group.share.min.heartbeat.interval.ms group.share.min.partition.max.record.locks
        group.share.min.record.lock.duration.ms group.share.min.session.timeout.ms
    """,
    "sharing/test_share_groups.py::test_so_many_records_may_be_in_flight": "group.share.partition.max.record.locks",
    "sharing/test_share_groups.py::test_the_interval_of_heartbeats_is_the_groups_or_the_brokers": """
        group.share.heartbeat.interval.ms
    """,
    "sharing/test_share_groups.py::test_the_topic_of_the_share_coordinator_has_its_settings": """
        share.coordinator.state.topic.compression.codec share.coordinator.state.topic.min.isr
        share.coordinator.state.topic.num.partitions share.coordinator.state.topic.replication.factor
        share.coordinator.state.topic.segment.bytes
    """,
    "sharing/test_share_groups.py::test_what_later_snapshots_repeat_is_pruned_by_the_clock": """
        share.coordinator.state.topic.prune.interval.ms
    """,
    "coordinators/test_transaction_coordinator.py::test_what_initialisation_refuses": "transaction.max.timeout.ms",
    "metadata/test_snapshot_generator.py::test_a_snapshot_is_written_after_so_long_if_something_was_committed": """
        metadata.log.max.snapshot.interval.ms
    """,
    "metadata/test_snapshot_generator.py::test_a_snapshot_is_written_after_so_many_bytes_of_the_log": """
        metadata.log.max.record.bytes.between.snapshots
    """,
    "metadata/test_snapshot_generator.py::test_old_snapshots_go_when_they_and_the_log_are_too_large": """
        metadata.max.retention.bytes
    """,
    "metadata/test_snapshot_generator.py::test_a_snapshot_that_is_too_old_goes_and_the_log_begins_after_it": """
        metadata.max.retention.ms
    """,
    "metadata/test_snapshot_generator.py::test_segments_below_the_log_start_are_deleted_after_their_delay": """
        internal.metadata.delete.delay.millis internal.metadata.log.segment.bytes
    """,
    "coordinators/test_two_brokers.py::test_a_produce_waits_a_little_for_the_end_of_the_transaction_before": """
        add.partitions.to.txn.retry.backoff.max.ms add.partitions.to.txn.retry.backoff.ms
    """,
    "coordinators/test_two_brokers.py::test_markers_that_are_not_committed_in_time_are_answered": "request.timeout.ms",
    "metadata/test_cluster_settings.py::test_a_broker_is_fenced_when_its_session_is_over": "broker.session.timeout.ms",
    "metadata/test_cluster_settings.py::test_a_broker_that_stops_hands_over_what_it_leads_unless_it_should_not": """
        controlled.shutdown.enable
    """,
    "metadata/test_cluster_settings.py::test_a_fetch_that_fails_is_repeated_after_the_retry_backoff": """
        controller.quorum.retry.backoff.ms
    """,
    "metadata/test_cluster_settings.py::test_a_follower_gives_its_leader_up_after_the_fetch_timeout": """
        controller.quorum.fetch.timeout.ms
    """,
    "metadata/test_cluster_settings.py::test_a_replica_that_is_not_in_sync_leads_only_if_that_is_wanted": """
        unclean.leader.election.enable
    """,
    "metadata/test_cluster_settings.py::test_a_voter_without_a_leader_waits_for_an_election_timeout": """
        controller.quorum.election.timeout.ms
    """,
    "metadata/test_cluster_settings.py::test_an_id_that_lives_elsewhere_is_waited_for_for_a_time": """
        initial.broker.registration.timeout.ms
    """,
    "metadata/test_cluster_settings.py::test_an_unfenced_broker_sends_a_heartbeat_each_interval": """
        broker.heartbeat.interval.ms
    """,
    "metadata/test_cluster_settings.py::test_an_idle_controller_writes_a_record_each_interval": """
        metadata.max.idle.interval.ms
    """,
    "metadata/test_cluster_settings.py::test_later_successors_of_a_leader_wait_at_most_the_election_backoff": """
        controller.quorum.election.backoff.max.ms
    """,
    "metadata/test_cluster_settings.py::test_other_controllers_have_the_request_timeout_to_answer": """
        controller.quorum.request.timeout.ms
    """,
    "metadata/test_cluster_settings.py::test_partitions_without_a_leader_are_looked_at_each_interval": """
        unclean.leader.election.interval.ms
    """,
    "metadata/test_cluster_settings.py::test_preferred_leaders_come_back_at_the_interval_if_that_is_wanted": """
        auto.leader.rebalance.enable leader.imbalance.check.interval.seconds
    """,
    "network/test_admission.py::test_a_listener_has_a_rate_of_its_own": "max.connection.creation.rate",
    "network/test_admission.py::test_connections_beyond_the_rate_wait_for_their_time": """
        quota.window.num quota.window.size.seconds
    """,
    "network/test_admission.py::test_the_listener_between_brokers_is_protected": "inter.broker.listener.name",
    "quotas/test_like_kafka.py::test_throttle_times_are_kafkas": """
        controller.quota.window.num controller.quota.window.size.seconds
    """,
    "network/test_connections.py::test_all_listeners_hear_of_room": "listeners listener.security.protocol.map",
    "network/test_connections.py::test_beyond_max_connections_clients_wait": "max.connections",
    "network/test_connections.py::test_connections_of_one_address_are_limited": """
        max.connections.per.ip max.connections.per.ip.overrides
    """,
    "network/test_connections.py::test_silence_ends_at_the_idle_timeout_also_within_a_frame_or_a_long_poll": """
        connections.max.idle.ms
    """,
    "partitions/test_cleaner_settings.py::test_keys_that_do_not_fit_are_left_for_the_next_cleaning": """
        log.cleaner.dedupe.buffer.size log.cleaner.io.buffer.load.factor
    """,
    "partitions/test_cleaner_settings.py::test_so_many_logs_are_cleaned_at_a_time_as_there_are_threads": """
        log.cleaner.io.max.bytes.per.second log.cleaner.threads
    """,
    "partitions/test_cleaner_settings.py::test_the_cleaner_looks_again_after_its_backoff": "log.cleaner.backoff.ms",
    "partitions/test_log_cleaning.py::test_a_dirty_log_that_nobody_has_asked_for_is_compacted_after_a_start": """
        log.initial.task.delay.ms
    """,
    "partitions/test_log_cleaning.py::test_without_the_cleaner_nothing_is_compacted": "log.cleaner.enable",
    "partitions/test_two_replicas.py::test_below_min_insync_replicas_nothing_is_committed": "min.insync.replicas",
    "replication/test_replication_settings.py::test_an_error_is_followed_by_the_backoff": "replica.fetch.backoff.ms",
    "replication/test_replication_settings.py::test_so_many_fetchers_for_each_source": "num.replica.fetchers",
    "replication/test_replication_settings.py::test_the_isr_shrinks_by_who_was_not_caught_up_for_the_lag_time": """
        replica.lag.time.max.ms
    """,
    "network/test_throttling.py::test_what_may_be_used_at_once_is_that_of_the_windows": """
        controller.quota.window.num controller.quota.window.size.seconds
    """,
    "replication/test_replication_settings.py::test_the_rate_of_replication_is_that_of_the_last_windows": """
        replication.quota.window.num replication.quota.window.size.seconds
    """,
    "replication/test_replication_settings.py::test_the_sizes_and_the_wait_of_a_followers_fetch": """
        replica.fetch.max.bytes replica.fetch.min.bytes replica.fetch.response.max.bytes replica.fetch.wait.max.ms
    """,
    "replication/test_fetchers.py::test_followers_fetch_and_move_with_their_leader": "replica.socket.timeout.ms",
    "settings/test_settings.py::test_a_topic_takes_the_brokers_value_in_its_smallest_unit": """
        log.flush.scheduler.interval.ms
    """,
    "settings/test_settings.py::test_the_data_is_in_log_dirs_else_in_log_dir": "log.dir log.dirs",
    "shell/test_log_directories.py::test_a_node_ends_if_the_controller_does_not_hear_of_a_failed_directory": """
        log.dir.failure.timeout.ms
    """,
    "shell/test_moving_replicas.py::test_the_copy_is_shown_and_throttled": """
        alter.log.dirs.replication.quota.window.num alter.log.dirs.replication.quota.window.size.seconds
    """,
    "shell/test_log_directories.py::test_a_cordoned_directory_gets_no_new_replicas": "cordoned.log.dirs",
    "shell/test_log_directories.py::test_the_metadata_log_may_be_in_a_directory_of_its_own": "metadata.log.dir",
    "settings/test_support.py::test_what_would_open_or_lose_something_is_refused": """
        group.coordinator.rebalance.protocols security.inter.broker.protocol
    """,
    "replication/test_follower_reads.py::test_a_consumer_is_sent_to_the_replica_in_its_rack": "replica.selector.class",
    "settings/test_roles.py::test_where_others_find_a_node": """
        controller.quorum.bootstrap.servers controller.quorum.voters process.roles
    """,
    "shell/test_running_and_stopping.py::test_a_topic_made_by_a_metadata_request_is_there_at_once_and_for_good": """
        num.partitions
    """,
    "shell/test_setting_effects.py::test_a_broker_counts_in_longer_units": """
        log.retention.hours log.retention.minutes log.retention.ms log.roll.hours log.roll.jitter.hours
    """,
    "shell/test_setting_effects.py::test_a_brokers_values_are_those_of_its_topics_logs": """
        compression.type log.cleaner.delete.retention.ms log.cleaner.max.compaction.lag.ms
        log.cleaner.min.cleanable.ratio log.cleaner.min.compaction.lag.ms log.cleanup.policy
        log.flush.interval.messages log.flush.interval.ms log.index.interval.bytes log.index.size.max.bytes
        log.message.timestamp.after.max.ms log.message.timestamp.before.max.ms log.message.timestamp.type
        log.retention.bytes log.roll.jitter.ms log.roll.ms log.segment.bytes log.segment.delete.delay.ms
        max.decompressed.message.bytes message.max.bytes
    """,
    "shell/test_setting_effects.py::test_a_higher_level_compresses_more": """
        compression.gzip.level compression.lz4.level compression.zstd.level
    """,
    "shell/test_setting_effects.py::test_a_request_beyond_socket_request_max_bytes_closes_its_connection": """
        socket.request.max.bytes
    """,
    "shell/test_setting_effects.py::test_an_internal_topic_needs_as_many_brokers_as_replicas": """
        offsets.topic.replication.factor transaction.state.log.replication.factor
    """,
    "shell/test_setting_effects.py::test_as_many_connections_wait_as_the_backlog_is_long": "socket.listen.backlog.size",
    "shell/test_setting_effects.py::test_clients_are_told_who_the_node_is_and_where": """
        advertised.listeners broker.id broker.rack node.id
    """,
    "shell/test_setting_effects.py::test_clients_have_no_part_in_the_controllers_listener": "controller.listener.names",
    "shell/test_setting_effects.py::test_high_watermarks_are_noted_at_their_interval": """
        replica.high.watermark.checkpoint.interval.ms
    """,
    "shell/test_setting_effects.py::test_metadata_of_an_offset_may_be_so_long": "offset.metadata.max.bytes",
    "shell/test_setting_effects.py::test_offsets_are_forgotten_after_their_retention_at_the_next_check": """
        offsets.retention.check.interval.ms offsets.retention.minutes
    """,
    "shell/test_setting_effects.py::test_offsets_are_stored_with_the_codec_of_their_topic": """
        offsets.topic.compression.codec
    """,
    "shell/test_setting_effects.py::test_recovery_points_move_at_their_interval": """
        log.flush.offset.checkpoint.interval.ms
    """,
    "shell/test_setting_effects.py::test_retention_looks_at_its_interval": "log.retention.check.interval.ms",
    "shell/test_setting_effects.py::test_session_timeouts_have_the_brokers_bounds": """
        group.max.session.timeout.ms group.min.session.timeout.ms
    """,
    "shell/test_setting_effects.py::test_sockets_have_the_buffers_that_were_asked_for": """
        socket.receive.buffer.bytes socket.send.buffer.bytes
    """,
    "shell/test_setting_effects.py::test_the_metadata_log_has_segments_of_its_own_size": """
        metadata.log.segment.bytes metadata.log.segment.ms
    """,
    "shell/test_setting_effects.py::test_the_topic_of_transactions_has_the_brokers_settings": """
        transaction.state.log.min.isr transaction.state.log.num.partitions transaction.state.log.segment.bytes
    """,
    "shell/test_setting_effects.py::test_there_are_as_many_fetch_sessions_as_slots": """
        max.incremental.fetch.session.cache.slots
    """,
    "shell/test_setting_effects.py::test_transactions_that_take_too_long_are_aborted_at_the_next_check": """
        transaction.abort.timed.out.transaction.cleanup.interval.ms
    """,
    "shell/test_setting_effects.py::test_unused_transactional_ids_are_forgotten_at_the_next_check": """
        transaction.remove.expired.transaction.cleanup.interval.ms transactional.id.expiration.ms
    """,
    "telemetry/test_client_metrics.py::test_a_push_larger_than_telemetry_max_bytes_is_refused": "telemetry.max.bytes",
    "telemetry/test_client_metrics.py::test_what_was_pushed_is_kept_if_the_settings_name_the_receiver": """
        metric.reporters
    """,
    "peers/test_tls_peers.py::test_ssl_endpoint_identification_algorithm": "ssl.endpoint.identification.algorithm",
    "shell/test_tls.py::test_clients_are_served_with_stores_of_each_type": """
        ssl.key.password ssl.keystore.location ssl.keystore.password ssl.keystore.type
    """,
    "shell/test_tls.py::test_names_may_change_where_that_is_allowed": "ssl.allow.dn.changes ssl.allow.san.changes",
    "shell/test_tls.py::test_pem_may_stand_in_settings": """
        ssl.keystore.certificate.chain ssl.keystore.key ssl.truststore.certificates
    """,
    "shell/test_tls.py::test_ssl_cipher_suites": "ssl.cipher.suites",
    "shell/test_tls.py::test_ssl_client_auth": "ssl.client.auth",
    "shell/test_tls.py::test_ssl_enabled_protocols": "ssl.enabled.protocols ssl.protocol",
    "shell/test_tls.py::test_ssl_principal_mapping_rules": "ssl.principal.mapping.rules",
    "tls/test_stores.py::test_a_store_of_each_type_has_the_same_key_and_trust": """
        ssl.truststore.location ssl.truststore.password ssl.truststore.type
    """,
}

TOPIC_EFFECTS = {
    "replication/test_moving.py::test_a_throttle_holds_back_who_is_not_in_sync": """
        follower.replication.throttled.replicas leader.replication.throttled.replicas
    """,
    "metadata/test_cluster_settings.py::test_partitions_without_a_leader_are_looked_at_each_interval": """
        unclean.leader.election.enable
    """,
    "apis/test_compressed_batches.py::test_a_record_has_max_decompressed_message_bytes_at_most": """
        max.decompressed.message.bytes
    """,
    "log/test_cleaner.py::test_a_log_is_due_by_its_dirty_ratio_or_its_age": "max.compaction.lag.ms",
    "log/test_cleaner.py::test_a_tombstone_stays_until_its_delete_horizon": "delete.retention.ms",
    "log/test_cleaner.py::test_min_compaction_lag_protects_young_segments": "min.compaction.lag.ms",
    "log/test_partition_log.py::test_a_full_index_rolls": "segment.index.bytes",
    "log/test_partition_log.py::test_a_large_batch_is_refused": "max.message.bytes",
    "log/test_partition_log.py::test_a_segment_is_rolled_before_it_grows_beyond_segment_bytes": "segment.bytes",
    "log/test_partition_log.py::test_index_entries_name_the_last_offset_of_a_batch": "index.interval.bytes",
    "log/test_partition_log.py::test_jitter_rolls_earlier": "segment.jitter.ms",
    "log/test_partition_log.py::test_log_append_time_is_the_brokers": "message.timestamp.type",
    "log/test_partition_log.py::test_the_topics_codec_wins": "compression.type",
    "log/test_partition_log.py::test_time_rolls_by_the_timestamps_of_the_batches": "segment.ms",
    "log/test_partition_log.py::test_timestamps_out_of_bounds_name_the_records": """
        message.timestamp.after.max.ms message.timestamp.before.max.ms
    """,
    "log/test_retention.py::test_deleted_files_are_marked_and_given_out_after_their_delay": "file.delete.delay.ms",
    "log/test_retention.py::test_segments_go_when_their_largest_timestamp_is_too_old": "retention.ms",
    "log/test_retention.py::test_the_oldest_segments_go_until_retention_bytes_are_left": "retention.bytes",
    "partitions/test_cleaner_settings.py::test_so_many_logs_are_cleaned_at_a_time_as_there_are_threads": """
        min.cleanable.dirty.ratio
    """,
    "partitions/test_flush_chores.py::test_flush_ms_bounds_how_long_records_wait_for_the_disk": "flush.ms",
    "partitions/test_flush_chores.py::test_with_flush_messages_what_is_answered_is_on_the_disk": "flush.messages",
    "partitions/test_log_cleaning.py::test_compaction_begins_when_the_topic_is_told_to_compact": "cleanup.policy",
    "partitions/test_two_replicas.py::test_below_min_insync_replicas_nothing_is_committed": "min.insync.replicas",
    "settings/test_settings.py::test_log_settings_carry_every_value": "internal.segment.bytes",
    "shell/test_setting_effects.py::test_a_higher_level_compresses_more": """
        compression.gzip.level compression.lz4.level compression.zstd.level
    """,
    "sharing/test_dead_letters.py::test_what_cannot_be_written_is_told_and_archived_all_the_same": """
        errors.deadletterqueue.group.enable
    """,
}

GROUP_EFFECTS = {
    "sharing/test_dead_letters.py::test_key_and_value_are_copied_where_the_group_says_so": """
        errors.deadletterqueue.copy.record.enable
    """,
    "sharing/test_dead_letters.py::test_rejected_records_go_into_the_dead_letter_topic": """
        errors.deadletterqueue.topic.name
    """,
    "sharing/test_share_groups.py::test_a_group_is_not_assigned_more_often_than_its_assignment_interval": """
        share.assignment.interval.ms
    """,
    "sharing/test_share_groups.py::test_a_group_that_reads_what_is_committed_waits_for_the_end_of_transactions": """
        share.isolation.level
    """,
    "sharing/test_share_groups.py::test_a_lock_ends_after_its_duration_and_may_be_renewed": """
        share.record.lock.duration.ms
    """,
    "sharing/test_share_groups.py::test_a_member_that_does_not_beat_is_fenced": "share.session.timeout.ms",
    "sharing/test_share_groups.py::test_a_record_is_delivered_at_most_so_often": "share.delivery.count.limit",
    "sharing/test_share_groups.py::test_groups_begin_where_they_are_told_to": "share.auto.offset.reset",
    "sharing/test_share_groups.py::test_locks_are_not_renewed_where_that_is_switched_off": """
        share.renew.acknowledge.enable
    """,
    "sharing/test_share_groups.py::test_so_many_records_may_be_in_flight": "share.partition.max.record.locks",
    "sharing/test_share_groups.py::test_the_interval_of_heartbeats_is_the_groups_or_the_brokers": """
        share.heartbeat.interval.ms
    """,
    "coordinators/test_consumer_groups.py::test_a_group_is_not_assigned_more_often_than_its_assignment_interval": """
        consumer.assignment.interval.ms
    """,
    "coordinators/test_consumer_groups.py::test_a_member_that_does_not_beat_is_fenced": "consumer.session.timeout.ms",
    "coordinators/test_streams_groups.py::test_a_group_is_not_assigned_more_often_than_its_assignment_interval": """
        streams.assignment.interval.ms
    """,
    "coordinators/test_streams_groups.py::test_a_member_that_does_not_beat_is_fenced": "streams.session.timeout.ms",
    "coordinators/test_streams_groups.py::test_intervals_are_the_groups_or_the_brokers": """
        streams.acceptable.recovery.lag streams.heartbeat.interval.ms streams.task.offset.interval.ms
    """,
    "coordinators/test_streams_groups.py::test_members_without_the_tags_that_are_wanted_are_told": """
        streams.rack.aware.assignment.tags
    """,
    "coordinators/test_streams_groups.py::test_standby_tasks_are_as_many_as_the_group_or_the_broker_says": """
        streams.num.standby.replicas
    """,
    "coordinators/test_streams_groups.py::test_the_first_members_are_waited_for": """
        streams.initial.rebalance.delay.ms
    """,
    "coordinators/test_consumer_groups.py::test_the_interval_of_heartbeats_is_the_groups_or_the_brokers": """
        consumer.heartbeat.interval.ms
    """,
}
