"""How often the log says that another node cannot be reached."""

from __future__ import annotations

import logging

from kafkapy.peers.unavailable import Outage, PeerRefused, PeerUnavailable, level_of

AWAY, REFUSED = PeerUnavailable("no connection"), PeerRefused("wrong password")


def test_an_outage_is_told_once_and_its_end_once() -> None:
    outage = Outage()
    assert [outage.begins(AWAY) for _ in range(3)] == [True, False, False]
    assert outage.is_on
    assert [outage.ends(), outage.ends()] == [True, False]
    assert not outage.is_on
    assert outage.begins(AWAY)


def test_a_node_that_comes_back_and_refuses_is_told_as_well() -> None:
    """It was away while somebody gave it a wrong password: that it is away is not what has to be mended."""
    outage = Outage()
    assert [outage.begins(error) for error in (AWAY, REFUSED, AWAY, REFUSED)] == [True, True, False, False]
    assert outage.ends()


def test_what_somebody_has_to_mend_is_a_warning() -> None:
    assert level_of(AWAY, logging.INFO) == logging.INFO
    assert level_of(REFUSED, logging.INFO) == logging.WARNING
    assert level_of(REFUSED, logging.ERROR) == logging.ERROR
