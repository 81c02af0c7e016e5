"""Request paths, parsed to values: past this door every name, tag and digest fits its grammar (security.md, rule 5)."""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import unquote

from havre.base.errors import InvalidInput
from havre.oci.digest import Digest
from havre.oci.reference import is_tag
from havre.registry.server.refusal import Code, Refusal

MAX_NAME: Final = 255
_NAME: Final = re.compile(
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*\Z", re.ASCII
)
_UPLOAD: Final = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
_IN_REPOSITORY: Final = re.compile(
    r"/v2/(?P<name>.+)/(?:"
    r"(?P<tags>tags/list)|(?P<start>blobs/uploads/?)|blobs/uploads/(?P<upload>[^/]+)|"
    r"blobs/(?P<blob>[^/]+)|manifests/(?P<manifest>[^/]+)|referrers/(?P<referrers>[^/]+))\Z"
)


@dataclass(frozen=True, slots=True)
class Plain:
    """A place outside every repository, by its path."""

    path: str


@dataclass(frozen=True, slots=True)
class TagList:
    """`/v2/<name>/tags/list`."""

    name: str


@dataclass(frozen=True, slots=True)
class UploadStart:
    """`/v2/<name>/blobs/uploads/`."""

    name: str


@dataclass(frozen=True, slots=True)
class UploadAt:
    """An upload's own location; *id* is what its start gave out."""

    name: str
    id: str


@dataclass(frozen=True, slots=True)
class BlobAt:
    """`/v2/<name>/blobs/<digest>`."""

    name: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class ManifestAt:
    """`/v2/<name>/manifests/<reference>`; a reference that is no digest is *text*, a tag unless `tag` refuses it."""

    name: str
    text: str
    digest: Digest | None

    def tag(self) -> str:
        """The tag. Raises Refusal when the text is none."""
        if not is_tag(self.text):
            raise Refusal(Code.TAG_INVALID, f"invalid tag: {self.text[:160]!r}")
        return self.text


@dataclass(frozen=True, slots=True)
class ReferrersOf:
    """`/v2/<name>/referrers/<digest>`."""

    name: str
    digest: Digest


InRepository: TypeAlias = TagList | UploadStart | UploadAt | BlobAt | ManifestAt | ReferrersOf
Target: TypeAlias = Plain | InRepository


def parse_target(raw_path: str) -> Target:
    """What the raw, percent-encoded path of a request names; its query is left out.

    Raises Refusal when a repository's name or a digest is not one.
    """
    path = _decoded(raw_path.partition("?")[0])
    found = _IN_REPOSITORY.match(path)
    if found is None:
        return Plain(path)
    name = check_name(found["name"])
    if found["tags"]:
        return TagList(name)
    if found["start"]:
        return UploadStart(name)
    if found["upload"]:
        return UploadAt(name, _upload_id(found["upload"]))
    if found["blob"]:
        return BlobAt(name, parse_digest(found["blob"]))
    if found["referrers"]:
        return ReferrersOf(name, parse_digest(found["referrers"]))
    reference = found["manifest"]
    return ManifestAt(name, reference, parse_digest(reference) if ":" in reference else None)


def check_name(text: str) -> str:
    """*text*, which is a repository's name. Raises Refusal."""
    if len(text) > MAX_NAME or not _NAME.match(text):
        raise Refusal(Code.NAME_INVALID, f"invalid repository name: {text[:160]!r}")
    return text


def parse_digest(text: str) -> Digest:
    """The digest that *text* is. Raises Refusal."""
    try:
        return Digest.parse(text)
    except InvalidInput as error:
        raise Refusal(Code.DIGEST_INVALID, error.message) from None


def _upload_id(text: str) -> str:
    if not _UPLOAD.match(text):
        raise Refusal(Code.BLOB_UPLOAD_UNKNOWN, "no such upload")
    return text


def _decoded(path: str) -> str:
    try:
        text = unquote(path, errors="strict")
    except UnicodeDecodeError:
        raise Refusal(Code.NAME_INVALID, "the path is not UTF-8") from None
    if "\0" in text or "\n" in text or "\r" in text:
        raise Refusal(Code.NAME_INVALID, "the path holds control characters")
    return text
