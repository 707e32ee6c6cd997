"""The cluster's metadata in this process: its log, the controller that decides, the image that all handlers read.

publisher          where the newest committed image is found   loader            from committed records to images
metadata_log       the log: append, commit; the quorum's shell  start             from a directory to the controller
controller         the one of this node                        ports             what others need of a controller
altering           AlterConfigs, decided                       topic_creation    settings in decisions about topics
internal_topics    topics made because they are needed         formatting        what a new directory begins with
many_topics        requests about topics, decided              in_batches        those about very many of them
encoded_topics     what Metadata answers of each, encoded
dynamic_settings   settings that AlterConfigs has stored       producer_ids      ids from the controller's blocks
snapshots          the .checkpoint files beside the log        snapshot_content  one of them, read whole
snapshot_generator writes them and deletes old ones            snapshot_install  the leader's replaces the log
quorum_start       what the quorum must know of log and snapshots
"""
