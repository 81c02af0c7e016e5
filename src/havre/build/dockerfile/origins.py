"""What a name in FROM, `COPY --from` and `RUN --mount=from=` means: a stage, a named context, an image, or nothing."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from havre.base.errors import InvalidInput
from havre.build.dockerfile.errors import DockerfileError, Location
from havre.build.dockerfile.instructions import Copy, Program, Run, Stage, StageInstruction
from havre.build.dockerfile.quoting import quoted
from havre.build.dockerfile.run_flags import mount_origin
from havre.build.dockerfile.suggest import did_you_mean
from havre.oci.reference import Reference

SCRATCH: Final = "scratch"
_NO_CONTEXT: Final = frozenset({SCRATCH, "context"})


@dataclass(frozen=True, slots=True)
class StageOrigin:
    """Another stage, by its index."""

    index: int


@dataclass(frozen=True, slots=True)
class ContextOrigin:
    """A named context of the build (`--build-context`)."""

    name: str


@dataclass(frozen=True, slots=True)
class ImageOrigin:
    """An image, by what was written."""

    name: str

    @property
    def reference(self) -> Reference:
        """The image's name, `latest` where neither a tag nor a digest is given. Raises DockerfileError."""
        try:
            return Reference.parse(self.name).with_default_tag()
        except InvalidInput as error:
            raise DockerfileError(f"failed to parse stage name {quoted(self.name)}: {error.message}") from None


@dataclass(frozen=True, slots=True)
class EmptyOrigin:
    """`scratch`: an empty tree."""


Origin = StageOrigin | ContextOrigin | ImageOrigin | EmptyOrigin


class Origins:
    """Resolves names for one Dockerfile and the named contexts of one build."""

    def __init__(self, stages: Sequence[Stage], contexts: Collection[str] = ()) -> None:
        self._stages = stages
        self._contexts = {_familiar(name): name for name in contexts if name.lower() not in _NO_CONTEXT}
        self._by_name: dict[str, list[int]] = {}
        for stage in stages:
            self._by_name.setdefault(stage.name, []).append(stage.index)

    def base(self, image: str, stage: int) -> Origin:
        """What FROM *image* of the stage with the index *stage* is built upon; a number is no stage here."""
        return self._named(image, stage)

    def source(self, name: str, stage: int) -> Origin:
        """What `--from=name` means in the stage with the index *stage*. Raises DockerfileError.

        A name or a number of a later stage is an error; so is the stage itself.
        """
        if name.isascii() and name.isdigit():
            index = int(name) if len(name) < 10 else len(self._stages)
            if index >= len(self._stages):
                raise DockerfileError(f"invalid stage index {name}")
            found: Origin = StageOrigin(index)
        else:
            found = self._named(name, stage)
            later = self._by_name.get(name.lower())
            if later and isinstance(found, ImageOrigin):
                found = StageOrigin(later[0])
        if isinstance(found, StageOrigin) and found.index >= stage:
            raise self._too_late(name, found.index, stage)
        return found

    def _named(self, name: str, stage: int) -> Origin:
        context = self._contexts.get(_familiar(name))
        if context is not None:
            return ContextOrigin(context)
        earlier = [index for index in self._by_name.get(name.lower(), ()) if index < stage]
        if earlier and name:
            return StageOrigin(earlier[-1])
        return EmptyOrigin() if name == SCRATCH else ImageOrigin(name)

    def _too_late(self, name: str, index: int, stage: int) -> DockerfileError:
        here = self._stages[stage].name or f"stage-{stage}"
        if index == stage:
            return DockerfileError(f"circular dependency detected on stage: {here}")
        return DockerfileError(
            f"cannot copy from stage {quoted(name)}, it needs to be defined before current stage {quoted(here)}"
        )


def find_target(program: Program, name: str) -> Stage:
    """The stage that `--target` names, by name or number; the last one for an empty *name*. Raises DockerfileError."""
    if not name:
        return program.stages[-1]
    found = [stage for stage in program.stages if stage.name == name.lower()]
    if found:
        return found[-1]
    if name.isascii() and name.isdigit() and len(name) < 10 and int(name) < len(program.stages):
        return program.stages[int(name)]
    names = [stage.name or f"stage-{stage.index}" for stage in program.stages]
    raise DockerfileError(did_you_mean(f"target stage {quoted(name)} could not be found", name, names))


def named_origins(stage: Stage) -> Iterator[tuple[str, Location]]:
    """The names in `--from=` and `--mount=from=` of *stage*, with where they stand."""
    return origins_in(stage.instructions)


def origins_in(instructions: Iterable[StageInstruction]) -> Iterator[tuple[str, Location]]:
    """The same for any *instructions*, as those that come from an image's triggers."""
    for instruction in instructions:
        if isinstance(instruction, Copy) and instruction.origin:
            yield instruction.origin, instruction.location
        elif isinstance(instruction, Run):
            names = (mount_origin(flag) for flag in instruction.mount_flags)
            yield from ((name, instruction.location) for name in names if name)


def _familiar(name: str) -> str:
    """One spelling for all spellings of an image name."""
    try:
        return str(Reference.parse(name).with_default_tag())
    except InvalidInput:
        return name.lower()
