"""A cache that travels: what steps made, by their keys, beside the layers. Its forms are an artifact and an image.

An artifact is an OCI manifest whose config is this document and whose layers are those that steps made; in an image
the document is a text of the config, and its layers are the image's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from havre.base.errors import InvalidInput
from havre.images.commit import OCI_TYPES
from havre.oci.descriptor import LAYER_TYPES, Descriptor
from havre.oci.digest import Digest

CACHE_TYPE: Final = "application/vnd.havre.build.cache.v1+json"
REF_NAME: Final = "org.opencontainers.image.ref.name"
MAX_BYTES: Final = 4 << 20
_VERSION: Final = 1


class CachedStep(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One step: when it was done, and which of the layers beside the document it made; -1 for none."""

    key: str
    created_ns: int
    kind: str = ""
    text: str = ""
    layer: int = -1
    diff: str = ""


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    steps: list[CachedStep]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A step that was done elsewhere; without a layer, *diff* and *blob* are None."""

    created_ns: int
    diff: Digest | None = None
    blob: Descriptor | None = None


def write(steps: Sequence[CachedStep]) -> bytes:
    """The document."""
    return msgspec.json.encode(_Document(version=_VERSION, steps=list(steps)))


def read(data: bytes, layers: Sequence[Descriptor], diffs: Sequence[str] = ()) -> dict[str, Offered]:
    """What is offered, by key; *diffs* are those of *layers* where the document does not say them.

    Raises InvalidInput for what is no such document, or of another version.
    """
    try:
        document = msgspec.json.decode(data, type=_Document)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput(f"invalid build cache: {error}") from error
    if document.version != _VERSION:
        raise InvalidInput(f"build cache of version {document.version}: this one reads {_VERSION}")
    offered: dict[str, Offered] = {}
    for step in document.steps:
        if step.layer < 0:
            offered[step.key] = Offered(created_ns=step.created_ns)
            continue
        diff = step.diff or (diffs[step.layer] if step.layer < len(diffs) else "")
        if step.layer >= len(layers) or not diff:
            raise InvalidInput(f"invalid build cache: it has no layer {step.layer}")
        blob = _layer(layers[step.layer])
        offered[step.key] = Offered(created_ns=step.created_ns, diff=Digest.parse(diff), blob=blob)
    return offered


def _layer(blob: Descriptor) -> Descriptor:
    """As it may stand in an image."""
    if blob.media_type not in LAYER_TYPES:
        raise InvalidInput(f"invalid build cache: {blob.media_type[:160]!r} is no layer")
    media_type = OCI_TYPES.get(blob.media_type, blob.media_type)
    return Descriptor(media_type=media_type, digest=str(blob.parsed_digest()), size=blob.size)
