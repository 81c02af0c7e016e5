"""Leases as the API gives them; Havre's own."""

from typing import TypedDict


class LeaseHeld(TypedDict, total=False):
    """What GET /leases/{name} says at once and then nothing more: the lease is held while the connection is open."""

    Lease: str | None
    Grace: float | None
