"""Scenarios of three brokers, a module a subject, which are played in this order on one pair of clusters."""

from __future__ import annotations

from importlib import import_module

SUBJECTS = ("views", "replicas", "administration", "coordinators", "moves", "failures")


def load() -> None:
    """Import every module here, so that its scenarios are registered."""
    for subject in SUBJECTS:
        import_module(f"{__name__}.cluster_{subject}")
