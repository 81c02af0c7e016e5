"""The image configuration, OCI's with Docker's additions (image-spec, config.md; moby's image JSON)."""

from collections.abc import Iterator, Sized

import msgspec

from havre.base.errors import InvalidInput
from havre.oci.descriptor import Platform
from havre.oci.digest import Digest

MAX_CONFIG_BYTES = 8 << 20
_MAX_ENTRIES = 10_000


class Empty(msgspec.Struct, frozen=True):
    """Go's `struct{}`: the value of a set written as a JSON object."""


class Healthcheck(msgspec.Struct, frozen=True, omit_defaults=True, rename="pascal", kw_only=True):
    """How to ask a container whether it is well; durations in nanoseconds, 0 inherits."""

    test: list[str] | None = None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class ProcessConfig(msgspec.Struct, frozen=True, omit_defaults=True, rename="pascal", kw_only=True):
    """What a container of the image runs unless told otherwise."""

    user: str = ""
    exposed_ports: dict[str, Empty] | None = None
    env: list[str] | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    volumes: dict[str, Empty] | None = None
    working_dir: str = ""
    labels: dict[str, str] | None = None
    stop_signal: str = ""
    healthcheck: Healthcheck | None = None
    shell: list[str] | None = None
    on_build: list[str] | None = None
    args_escaped: bool = False


class RootFS(msgspec.Struct, frozen=True, kw_only=True):
    """The uncompressed layers by digest, lowest first."""

    type: str = "layers"
    diff_ids: list[str] = []


class History(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One step that made the image; an empty layer has no place in the diff ids."""

    created: str | None = None
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class ImageConfig(
    msgspec.Struct,
    frozen=True,
    omit_defaults=True,
    kw_only=True,
    rename={"os_version": "os.version", "os_features": "os.features", "build_cache": "havre.build.cache.v1"},
):
    """A whole image config; its digest is the image's id. *build_cache* is Havre's own: see `build.caches`."""

    created: str | None = None
    author: str = ""
    architecture: str
    variant: str = ""
    os: str
    os_version: str = ""
    os_features: list[str] | None = None
    config: ProcessConfig | None = None
    rootfs: RootFS
    history: list[History] | None = None
    comment: str = ""
    docker_version: str = ""
    parent: str = ""
    container: str = ""
    build_cache: str = ""

    @property
    def process(self) -> ProcessConfig:
        """What a container runs, with nothing set where the image says nothing."""
        return self.config or ProcessConfig()

    @property
    def platform(self) -> Platform:
        """What the image runs on."""
        return Platform(architecture=self.architecture, os=self.os, variant=self.variant)

    def diff_ids(self) -> tuple[Digest, ...]:
        """The layers' digests, lowest first. Raises InvalidInput."""
        return tuple(Digest.parse(text) for text in self.rootfs.diff_ids)


def decode(data: bytes) -> ImageConfig:
    """Raises InvalidInput for anything but a sound image config of at most 8 MiB."""
    if len(data) > MAX_CONFIG_BYTES:
        raise InvalidInput(f"image config of {len(data)} bytes is larger than {MAX_CONFIG_BYTES}")
    try:
        config = msgspec.json.decode(data, type=ImageConfig)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput(f"invalid image config: {error}") from error
    if config.rootfs.type != "layers":
        raise InvalidInput(f"invalid image config: unknown rootfs type {config.rootfs.type[:64]!r}")
    if any(len(entries) > _MAX_ENTRIES for entries in _collections(config)):
        raise InvalidInput("invalid image config: too many entries")
    config.diff_ids()
    return config


def _collections(config: ImageConfig) -> Iterator[Sized]:
    for part in (config, config.rootfs, config.process, config.process.healthcheck):
        if part is not None:
            values = (getattr(part, name) for name in part.__struct_fields__)
            yield from (value for value in values if isinstance(value, list | dict))


def encode(config: ImageConfig) -> bytes:
    """The JSON whose digest is the image's id."""
    return msgspec.json.encode(config)
