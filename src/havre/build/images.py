"""Images at both ends of a build: those that stages begin on, and the one that comes out."""

from dataclasses import dataclass

import msgspec

from havre.build.cache_document import CachedStep, write
from havre.build.dockerfile.settings import Settings
from havre.build.model import BuildFailed, LayerMade, Tree
from havre.images.candidate import Arrival, Candidate, make_manifest
from havre.images.checks import check_config
from havre.images.commit import layers_of
from havre.images.model import Image
from havre.images.platforms import host_platform
from havre.oci.descriptor import OCI_MANIFEST, Platform
from havre.oci.digest import Digest
from havre.oci.image_config import History, ImageConfig, RootFS, encode
from havre.oci.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedImage:
    """An image whose layers are ready, with all that a new image on it needs."""

    id: str
    config: ImageConfig
    tree: Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a stage has come to: files, settings, history. *lineage* is a digest of all steps so far.

    *cached* are these steps where the image is to carry its cache, else None. *platform* is that of a stage on nothing;
    None is this machine's.
    """

    tree: Tree
    settings: Settings
    lineage: str
    base: ImageConfig | None = None
    base_id: str = ""
    history: tuple[History, ...] = ()
    cached: tuple[CachedStep, ...] | None = None
    platform: Platform | None = None


def load_image(image: Image, arrival: Arrival) -> LoadedImage:
    """*image*, its contents held while *arrival* lasts; blocks. Raises DamagedStore."""
    blobs = layers_of(arrival, image)
    layers = tuple(
        LayerMade(chain=layer.chain, diff=layer.diff, blob=blob, size_bytes=layer.size_bytes)
        for layer, blob in zip(image.layers, blobs, strict=True)
    )
    return LoadedImage(id=image.id, config=image.config, tree=Tree(layers))


def config_of(state: State) -> ImageConfig:
    """The image config of *state*."""
    platform = state.platform or host_platform()
    base = state.base or ImageConfig(
        architecture=platform.architecture, variant=platform.variant, os=platform.os, rootfs=RootFS()
    )
    return msgspec.structs.replace(
        base,
        created=state.history[-1].created if state.history else base.created,
        author=state.settings.author,
        config=state.settings.process,
        rootfs=RootFS(diff_ids=[str(layer.diff) for layer in state.tree.layers]),
        history=[*(base.history or []), *state.history],
        comment="",
        container="",
        parent="",
        build_cache=write(state.cached).decode() if state.cached else "",
    )


def architecture_of(state: State) -> str:
    """What the commands of *state* are for."""
    if state.base is not None:
        return state.base.architecture
    return (state.platform or host_platform()).architecture


def image_id_of(state: State) -> str:
    """The id of the image that *state* would be; that of its base where no step was done, empty for nothing."""
    if not state.history:
        return state.base_id
    return str(Digest.of(encode(config_of(state))))


def make_image(state: State, names: tuple[Reference, ...]) -> Candidate:
    """The image of *state*. Raises BuildFailed for one of nothing, InvalidInput for settings that cannot be."""
    if not state.history:
        raise BuildFailed("No image was generated. Is your Dockerfile empty?")
    config = config_of(state)
    check_config(config)
    raw = encode(config)
    blobs = [layer.blob for layer in state.tree.layers]
    return Candidate(
        config=config,
        config_bytes=raw,
        manifest_bytes=make_manifest(raw, blobs),
        manifest_type=OCI_MANIFEST,
        blobs=tuple(blob.parsed_digest() for blob in blobs),
        names=names,
    )
