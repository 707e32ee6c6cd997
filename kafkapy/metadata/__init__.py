"""The cluster's metadata in this process: its log, the controller that decides, the image that everybody reads.

publisher           where the newest committed image is found      dynamic_settings   settings that AlterConfigs stores
controller_driver   the quorum's shell                             altering           AlterConfigs, resource by resource
internal_topics     how the coordinators' topics are made          producer_ids       ids from the controller's blocks
"""
