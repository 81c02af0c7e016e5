"""What a pull or a push tells on its way: plain frozen values, in docker's words."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeAlias

from havre.oci.descriptor import Descriptor


@dataclass(frozen=True, slots=True)
class LayerState:
    """The layer of that short id has come to *state*."""

    layer: str
    state: str


@dataclass(frozen=True, slots=True)
class LayerBytes:
    """In *state*, *current* of *total* bytes are done."""

    layer: str
    state: str
    current: int
    total: int


@dataclass(frozen=True, slots=True)
class Note:
    """A line about the whole; *id* stands before it."""

    text: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class TagPushed:
    """The registry has the manifest under that tag now."""

    tag: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class PushedAlone:
    """Of the image's *index* only one *manifest* was pushed: what else it lists is neither here nor there."""

    index: Descriptor
    manifest: Descriptor


TransferEvent: TypeAlias = LayerState | LayerBytes | Note | TagPushed | PushedAlone
Tell: TypeAlias = Callable[[TransferEvent], None]


def unread_key(event: TransferEvent) -> Hashable:
    """Of byte counts only the newest of a layer is worth reading."""
    return event.layer if isinstance(event, LayerBytes) else None
