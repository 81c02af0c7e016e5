"""What can go wrong with a blob."""

from havre.base.errors import InternalError, InvalidInput, NotFound


class NoSuchBlob(NotFound):
    """The store holds no blob of this digest."""


class DigestMismatch(InvalidInput):
    """Bytes that arrived are not what their digest or size promised; nothing of them was kept."""


class DamagedBlob(InternalError):
    """A stored blob no longer is what its digest says: the disk lied, or someone wrote to it."""
