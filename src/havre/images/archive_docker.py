"""What `docker save` wrote through the years: manifest.json (since 1.10), and `repositories` with a folder a layer."""

import msgspec

from havre.base.errors import InvalidInput
from havre.images.archive_layers import LayerBlobs
from havre.images.archive_members import Members
from havre.images.candidate import Arrival, Candidate, make_manifest
from havre.oci import image_config
from havre.oci.descriptor import OCI_MANIFEST
from havre.oci.digest import Digest
from havre.oci.image_config import History, ImageConfig, ProcessConfig, RootFS
from havre.oci.manifest import MAX_MANIFEST_BYTES
from havre.oci.reference import Reference
from havre.snapshots.budget import BadArchive

MANIFEST = "manifest.json"
REPOSITORIES = "repositories"
_MAX_LAYERS = 1000


class _Entry(msgspec.Struct, frozen=True, rename="pascal"):
    config: str
    repo_tags: list[str] | None = None
    layers: list[str] | None = None
    parent: str | None = None


class _ContainerConfig(msgspec.Struct, frozen=True, rename="pascal"):
    cmd: list[str] | None = None


class _OldLayer(msgspec.Struct, frozen=True):
    """The `json` of one layer's folder, from before images had configs of their own."""

    id: str = ""
    parent: str = ""
    created: str | None = None
    author: str = ""
    comment: str = ""
    architecture: str = ""
    os: str = ""
    config: ProcessConfig | None = None
    container_config: _ContainerConfig | None = None
    throwaway: bool = False


def read_docker(members: Members, arrival: Arrival) -> list[Candidate]:
    """The images that manifest.json names. Raises BadArchive or InvalidInput unless every one is sound."""
    entries = members.decode(MANIFEST, list[_Entry], MAX_MANIFEST_BYTES)
    if not entries:
        raise BadArchive("invalid archive: manifest.json names no image")
    layers = LayerBlobs(members, arrival)
    return [_candidate(entry, members, layers) for entry in entries]


def _candidate(entry: _Entry, members: Members, layers: LayerBlobs) -> Candidate:
    config_bytes = members.read(entry.config, image_config.MAX_CONFIG_BYTES)
    config = image_config.decode(config_bytes)
    diffs = config.diff_ids()
    paths = entry.layers or []
    if len(paths) != len(diffs):
        raise BadArchive(f"invalid manifest, layers length mismatch: expected {len(diffs)}, got {len(paths)}")
    descriptors = [layers.take(path, diff) for path, diff in zip(paths, diffs, strict=True)]
    return Candidate(
        config=config,
        config_bytes=config_bytes,
        manifest_bytes=make_manifest(config_bytes, descriptors),
        manifest_type=OCI_MANIFEST,
        blobs=tuple(one.parsed_digest() for one in descriptors),
        names=tuple(parse_tag(text) for text in entry.repo_tags or ()),
        parent=_parent(entry, config),
    )


def parse_tag(text: str) -> Reference:
    """A name with a tag. Raises BadArchive."""
    try:
        reference = Reference.parse(text)
    except InvalidInput as error:
        raise BadArchive(f"invalid archive: invalid tag {text[:160]!r}: {error}") from error
    if not reference.tag or reference.digest:
        raise BadArchive(f"invalid archive: invalid tag {text[:160]!r}")
    return reference


def _parent(entry: _Entry, config: ImageConfig) -> str:
    """The parent that the archive claims, if it can be one: it must be an id, and counts only if it is here."""
    try:
        return str(Digest.parse(entry.parent or config.parent))
    except InvalidInput:
        return ""


def read_old(members: Members, arrival: Arrival) -> list[Candidate]:
    """The images that `repositories` names, with configs made from those of their layers."""
    repositories = members.decode(REPOSITORIES, dict[str, dict[str, str]], MAX_MANIFEST_BYTES)
    names: dict[str, list[Reference]] = {}
    for repository, tags in repositories.items():
        for tag, layer in tags.items():
            names.setdefault(layer, []).append(parse_tag(f"{repository}:{tag}"))
    if not names:
        raise BadArchive("invalid archive: repositories names no image")
    layers = LayerBlobs(members, arrival)
    return [_old_candidate(layer, tuple(found), members, layers) for layer, found in names.items()]


def _old_candidate(layer: str, names: tuple[Reference, ...], members: Members, layers: LayerBlobs) -> Candidate:
    stack: list[_OldLayer] = []
    paths: list[str] = []
    here = layer
    while here or not stack:
        if len(stack) >= _MAX_LAYERS:
            raise BadArchive(f"invalid archive: more than {_MAX_LAYERS} layers")
        _check_old_id(here)
        told = members.decode(f"{here}/json", _OldLayer, image_config.MAX_CONFIG_BYTES)
        stack.append(told)
        paths.append(f"{here}/layer.tar")
        here = told.parent
    stack.reverse()
    paths.reverse()
    descriptors = [layers.take(path, None) for path in paths]
    diffs = [layers.diff_of(path) for path in paths]
    config = _old_config(stack, diffs)
    config_bytes = image_config.encode(config)
    return Candidate(
        config=config,
        config_bytes=config_bytes,
        manifest_bytes=make_manifest(config_bytes, descriptors),
        manifest_type=OCI_MANIFEST,
        blobs=tuple(one.parsed_digest() for one in descriptors),
        names=names,
    )


def _old_config(stack: list[_OldLayer], diffs: list[Digest]) -> ImageConfig:
    top = stack[-1]
    return ImageConfig(
        created=top.created,
        author=top.author,
        architecture=top.architecture or "amd64",
        os=top.os or "linux",
        config=top.config,
        rootfs=RootFS(diff_ids=[str(diff) for diff in diffs]),
        history=[
            History(
                created=one.created,
                author=one.author,
                comment=one.comment,
                created_by=" ".join((one.container_config.cmd or ()) if one.container_config else ()),
            )
            for one in stack
        ],
    )


def _check_old_id(text: str) -> None:
    try:
        Digest.parse(f"sha256:{text}")
    except InvalidInput:
        raise BadArchive(f"invalid archive: {text[:80]!r} is no layer id") from None
