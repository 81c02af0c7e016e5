"""The record of a sealed layer: a small file in its folder, with a version and a checksum (security.md, rule 22)."""

from pathlib import Path

import msgspec

from havre.base.atomic import write_file
from havre.base.errors import InternalError, InvalidInput
from havre.oci.digest import Digest
from havre.snapshots.contract import Layer

RECORD = "record.json"
_VERSION = 1
_MAX_BYTES = 1 << 16


class DamagedRecord(InternalError):
    """A record that cannot be believed."""


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    chain: str
    parent: str
    diff_id: str
    size: int
    link: str
    own_root: bool
    opaque: bool


class _Envelope(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    checksum: str
    layer: msgspec.Raw


def save(folder: Path, layer: Layer, *, durable: bool = True) -> None:
    """Write the record of *layer* into *folder*; without *durable* a power cut may take it back."""
    body = msgspec.json.encode(
        _Body(
            chain=str(layer.chain),
            parent=str(layer.parent or ""),
            diff_id=str(layer.diff_id),
            size=layer.size,
            link=layer.link,
            own_root=layer.own_root,
            opaque=layer.opaque,
        )
    )
    envelope = _Envelope(version=_VERSION, checksum=str(Digest.of(body)), layer=msgspec.Raw(body))
    write_file(folder / RECORD, msgspec.json.encode(envelope), durable=durable)


def load(folder: Path) -> Layer | None:
    """The layer that *folder* holds, or None without a record. Raises DamagedRecord."""
    try:
        data = (folder / RECORD).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if len(data) > _MAX_BYTES:
        raise DamagedRecord(f"{folder}/{RECORD}: too large")
    try:
        envelope = msgspec.json.decode(data, type=_Envelope)
        if envelope.version != _VERSION:
            raise DamagedRecord(f"{folder}/{RECORD}: unknown version {envelope.version}")
        if envelope.checksum != str(Digest.of(bytes(envelope.layer))):
            raise DamagedRecord(f"{folder}/{RECORD}: wrong checksum")
        return _layer(msgspec.json.decode(envelope.layer, type=_Body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidInput) as error:
        raise DamagedRecord(f"{folder}/{RECORD}: {error}") from error


def _layer(body: _Body) -> Layer:
    return Layer(
        chain=Digest.parse(body.chain),
        parent=Digest.parse(body.parent) if body.parent else None,
        diff_id=Digest.parse(body.diff_id),
        size=body.size,
        link=body.link,
        own_root=body.own_root,
        opaque=body.opaque,
    )
