"""A Dockerfile as a graph of operations: what is done on what, with every variable replaced; nothing is done here.

A stage is a chain of steps on a base; operations point at the stages, images and contexts that they take files from.
The digest of an operation covers all that is written about it and, through its inputs, all that it stands on.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from havre.build.dockerfile.commands import Script
from havre.build.dockerfile.errors import Location
from havre.build.dockerfile.instructions import Device, InlineFile, Mount
from havre.build.dockerfile.origins import ContextOrigin, EmptyOrigin, ImageOrigin, StageOrigin
from havre.build.dockerfile.settings import Settings


@dataclass(frozen=True, slots=True)
class SentFiles:
    """The files that the client sent along."""


Source = StageOrigin | ImageOrigin | ContextOrigin | EmptyOrigin | SentFiles
"""Where files come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MountOperation:
    """One mount of a RUN, and where its files come from."""

    mount: Mount
    origin: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOperation:
    """A command. *secret_env* is not part of what the result depends on: predefined proxies, which leave no trace."""

    argv: tuple[str, ...]
    env: tuple[str, ...]
    user: str
    working_dir: str
    mounts: tuple[MountOperation, ...] = ()
    network: str = "default"
    insecure: bool = False
    devices: tuple[Device, ...] = ()
    script: Script | None = None
    secret_env: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyOperation:
    """Files from elsewhere; *is_add* unpacks archives and fetches remote files. *destination* is absolute."""

    origin: Source
    sources: tuple[str, ...]
    files: tuple[InlineFile, ...] = ()
    destination: str
    chown: str = ""
    chmod: str = ""
    link: bool = False
    parents: bool = False
    excludes: tuple[str, ...] = ()
    is_add: bool = False
    checksum: str = ""
    keep_git_dir: bool = False
    unpack: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderOperation:
    """A working folder, made where it is missing for *user*."""

    path: str
    user: str


Operation = RunOperation | CopyOperation | FolderOperation


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One instruction: how it is shown, what the image's history says of it, and the settings after it."""

    text: str
    created_by: str
    settings: Settings
    operation: Operation | None = None
    location: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """The steps of one stage, FROM not among them; *text* is FROM as it is shown, *settings* are those of its base."""

    index: int
    name: str
    base: Source
    text: str
    platform: str
    settings: Settings
    steps: tuple[Step, ...]

    @property
    def needs(self) -> frozenset[int]:
        """The stages that this one takes something from."""
        origins = [self.base, *(origin for step in self.steps for origin in origins_of(step.operation))]
        return frozenset(origin.index for origin in origins if isinstance(origin, StageOrigin))


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """All stages that the target needs, by number, in the order of the file."""

    stages: Mapping[int, StagePlan]
    target: int

    @property
    def total(self) -> int:
        """How many steps there are, each FROM counted."""
        return sum(1 + len(stage.steps) for stage in self.stages.values())

    def digests(self) -> dict[int, tuple[str, ...]]:
        """For each stage the digest of its base and of what each step makes of it."""
        made: dict[int, tuple[str, ...]] = {}
        for index, stage in self.stages.items():
            chain = [_digest("base", _origin_digest(stage.base, made))]
            for step in stage.steps:
                inputs = [_origin_digest(origin, made) for origin in origins_of(step.operation)]
                words = definition(step.operation) if step.operation is not None else step.created_by.encode()
                chain.append(_digest(chain[-1], *inputs, words.hex()))
            made[index] = tuple(chain)
        return made


def origins_of(operation: Operation | None) -> Iterator[Source]:
    """Where an operation takes files from, besides the tree that it works on."""
    match operation:
        case CopyOperation():
            yield operation.origin
        case RunOperation():
            yield from (mount.origin for mount in operation.mounts)
        case _:
            return


def named_contexts(graph: Graph) -> frozenset[str]:
    """The named contexts, images not among them, that something is taken from."""
    return frozenset(
        origin.name
        for stage in graph.stages.values()
        for step in stage.steps
        for origin in origins_of(step.operation)
        if isinstance(origin, ContextOrigin)
    )


def definition(operation: Operation) -> bytes:
    """All that is written about *operation* and can change its result, as bytes that are equal for equal ones."""
    return type(operation).__name__.encode() + b"\0" + _encoder.encode(_described(operation))


def _described(operation: Operation) -> dict[str, object]:
    described: dict[str, object] = msgspec.to_builtins(operation)
    described.pop("secret_env", None)
    return described


_encoder = msgspec.json.Encoder(order="deterministic")


def _origin_digest(origin: Source, made: Mapping[int, tuple[str, ...]]) -> str:
    if isinstance(origin, StageOrigin):
        return made[origin.index][-1]
    return _digest(type(origin).__name__, *map(str, msgspec.to_builtins(origin).values()))


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()
