"""Where caches are: `--cache-from` and `--cache-to` as they are written, BuildKit's words."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from havre.base.errors import InvalidInput, NotSupported
from havre.oci.reference import Reference


class CacheKind(StrEnum):
    """*IMAGE* is an image that is here, as Docker's classic builder takes it; it is only read."""

    IMAGE = "image"
    REGISTRY = "registry"
    LOCAL = "local"
    INLINE = "inline"


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePlace:
    """One place: *name* is a reference, what names an image here (an id, too), or a folder: sent, or to be written.

    *whole* wants the steps of all stages (`mode=max`), not only those that the image consists of; *lenient* lets no
    failure to write count.
    """

    kind: CacheKind
    name: str = ""
    tag: str = ""
    whole: bool = False
    lenient: bool = False


_NAMES: Final = {CacheKind.REGISTRY: ("ref",), CacheKind.LOCAL: ("src", "dest"), CacheKind.INLINE: ()}
_MODES: Final = {"min": False, "max": True}
_KNOWN: Final = frozenset({"type", "ref", "src", "dest", "mode", "tag", "digest", "ignore-error"})
# BuildKit's choices of a form: each cache here has the one form that OCI gives it.
_FORMS: Final = frozenset(
    {"oci-mediatypes", "image-manifest", "compression", "compression-level", "force-compression", "registry.insecure"}
)


def parse_place(text: str, *, default: CacheKind = CacheKind.REGISTRY) -> CachePlace:
    """`type=registry,ref=NAME`, `type=local,src=FOLDER`, or a name alone. Raises InvalidInput, NotSupported."""
    if "=" not in text:
        return CachePlace(kind=default, name=text if default is CacheKind.IMAGE else _reference(text))
    fields = _fields(text)
    try:
        kind = CacheKind(fields.get("type", ""))
    except ValueError:
        raise NotSupported(
            f"caches of type {fields.get('type', '')[:64]!r} are not supported: use registry, local or inline"
        ) from None
    names = [fields[word] for word in _NAMES.get(kind, ("ref",)) if word in fields]
    if kind is not CacheKind.INLINE and not (names and names[0]):
        raise InvalidInput(f"a cache of type {kind} needs {' or '.join(_NAMES.get(kind, ('ref',)))}: {text[:256]}")
    mode = fields.get("mode", "min")
    if mode not in _MODES:
        raise InvalidInput(f"unknown mode of a cache: {mode[:64]!r}, it is min or max")
    name = names[0] if names else ""
    return CachePlace(
        kind=kind,
        name=name if kind is CacheKind.LOCAL else _reference(name) if name else "",
        tag=fields.get("digest", "") or fields.get("tag", "") or "latest",
        whole=_MODES[mode],
        lenient=fields.get("ignore-error", "") in {"1", "true"},
    )


def _fields(text: str) -> Mapping[str, str]:
    fields: dict[str, str] = {}
    for field in next(csv.reader([text]), []):
        name, equals, value = field.partition("=")
        name = name.strip().lower()
        if not equals or name not in _KNOWN | _FORMS:
            raise InvalidInput(f"invalid cache {text[:256]!r}: unexpected {field[:64]!r}")
        fields[name] = value
    return fields


def _reference(text: str) -> str:
    return str(Reference.parse(text).with_default_tag())
