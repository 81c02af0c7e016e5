"""Image manifests and indexes, OCI and Docker schema 2 (image-spec, manifest.md and image-index.md)."""

from typing import TypeVar

import msgspec

from havre.base.errors import InvalidInput
from havre.oci.descriptor import INDEX_TYPES, MANIFEST_TYPES, OCI_INDEX, OCI_MANIFEST, Descriptor

MAX_MANIFEST_BYTES = 4 << 20
_T = TypeVar("_T")


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """One image: its config and its layers, lowest first."""

    schema_version: int
    media_type: str = ""
    config: Descriptor
    layers: list[Descriptor]
    annotations: dict[str, str] = {}
    artifact_type: str = ""
    subject: Descriptor | None = None


class Index(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """Several manifests, one a platform."""

    schema_version: int
    media_type: str = ""
    manifests: list[Descriptor]
    annotations: dict[str, str] = {}
    artifact_type: str = ""
    subject: Descriptor | None = None


def decode(data: bytes, media_type: str = "") -> Manifest | Index:
    """Read a document that claims *media_type* (or says it itself).

    Raises InvalidInput for a wrong schema version, a media type that contradicts *media_type*, a document
    that is both a manifest and an index (CVE-2021-41190), or more than 4 MiB.
    """
    if len(data) > MAX_MANIFEST_BYTES:
        raise InvalidInput(f"manifest of {len(data)} bytes is larger than {MAX_MANIFEST_BYTES}")
    shape = _decode(data, _Shape)
    own_type = shape.media_type or media_type
    if shape.schema_version != 2:
        raise InvalidInput(f"unsupported manifest schema version {shape.schema_version}")
    if media_type and shape.media_type and media_type != shape.media_type:
        raise InvalidInput(f"manifest says it is {shape.media_type[:160]!r}, but was served as {media_type[:160]!r}")
    if shape.manifests is not msgspec.UNSET:
        if shape.layers is not msgspec.UNSET or shape.config is not msgspec.UNSET:
            raise InvalidInput("a document with manifests and with layers or a config is ambiguous")
        _expect(own_type, INDEX_TYPES, OCI_INDEX)
        return _decode(data, Index)
    _expect(own_type, MANIFEST_TYPES, OCI_MANIFEST)
    return _decode(data, Manifest)


class _Shape(msgspec.Struct, rename="camel"):
    schema_version: int
    media_type: str = ""
    config: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    layers: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    manifests: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def _expect(media_type: str, allowed: frozenset[str], default: str) -> None:
    if (media_type or default) not in allowed:
        raise InvalidInput(f"unsupported manifest media type {media_type[:160]!r}")


def _decode(data: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput(f"invalid image manifest: {error}") from error
