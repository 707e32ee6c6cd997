"""Which releases of Apache Kafka this broker can be taken for, and what a broker of each serves.

limits.py      which versions of which APIs clients may use, by a release and by caps of single APIs
release.py     a release: what its brokers announce; found by the name that a user gives
releases.json  what those brokers have answered to ApiVersions, release after release: each line has what is different
               from the release before it; 71 and 72 are those of brokers with a receiver of clients' metrics
"""

from kafkapy.releases.limits import ApiLimits, limits_of
from kafkapy.releases.release import Release, release_of

__all__ = ["ApiLimits", "Release", "limits_of", "release_of"]
