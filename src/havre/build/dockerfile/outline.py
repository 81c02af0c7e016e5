"""What a Dockerfile offers to those who build it: its targets; the args, secrets and agents that a target takes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from havre.build.dockerfile.errors import DockerfileError, Location
from havre.build.dockerfile.instructions import Arg, Declaration, Mount, MountKind, Program, Run, Stage
from havre.build.dockerfile.origins import Origins, StageOrigin, named_origins
from havre.build.dockerfile.run_flags import parse_mount
from havre.build.dockerfile.scope import GlobalArgs, Scope, expand_from
from havre.build.dockerfile.shell_words import Lexer


@dataclass(frozen=True, slots=True)
class Target:
    """A stage that may be built; *description* is from the comment above it: `# name description`."""

    name: str
    description: str
    base: str
    platform: str
    is_default: bool

    @property
    def label(self) -> str:
        """The name as a list of targets shows it."""
        return f"{self.name} (default)".strip() if self.is_default else self.name


@dataclass(frozen=True, slots=True, order=True)
class Parameter:
    """Something that a build may be given: an ARG with its value, a secret, an agent."""

    location: Location
    name: str
    value: str = ""
    description: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Outline:
    """What one target takes, in the order of the lines."""

    target: Target
    args: tuple[Parameter, ...] = ()
    secrets: tuple[Parameter, ...] = ()
    agents: tuple[Parameter, ...] = ()
    caches: tuple[Parameter, ...] = ()


def targets(program: Program) -> list[Target]:
    """The stages of *program*, the last one being built where none is named."""
    last = len(program.stages) - 1
    return [
        Target(
            name=stage.name,
            description=_description(stage.base.comments, stage.name),
            base=stage.base.image,
            platform=stage.base.platform,
            is_default=stage.index == last,
        )
        for stage in program.stages
    ]


def outline(program: Program, target: Stage, given: Mapping[str, str], args: GlobalArgs) -> Outline:
    """What *target* and the stages that it needs take; *args* as `global_args` gives them for *given*."""
    needed = sorted(_needed(program, target, args))
    declared: dict[str, Parameter] = {}
    mounts: list[tuple[Mount, Location]] = []
    for index in needed:
        stage = program.stages[index]
        for one in _stage_args(program, stage, given, args):
            declared.setdefault(one.name, one)
        mounts += _mounts(stage)
    return Outline(
        target=targets(program)[target.index],
        args=tuple(sorted(declared.values())),
        secrets=_parameters(mounts, MountKind.SECRET),
        agents=_parameters(mounts, MountKind.SSH),
        caches=_parameters(mounts, MountKind.CACHE),
    )


def _needed(program: Program, target: Stage, args: GlobalArgs) -> set[int]:
    origins = Origins(program.stages)
    found: set[int] = set()
    waiting = [target.index]
    while waiting:
        stage = program.stages[waiting.pop()]
        if stage.index in found:
            continue
        found.add(stage.index)
        base = origins.base(expand_from(stage.base, args.values, program.escape).instruction.image, stage.index)
        sources = [base, *(origins.source(name, stage.index) for name, _ in named_origins(stage))]
        waiting += [source.index for source in sources if isinstance(source, StageOrigin)]
    return found


def _stage_args(program: Program, stage: Stage, given: Mapping[str, str], args: GlobalArgs) -> Iterator[Parameter]:
    """The ARGs that *stage* declares, and the global ones that it or its FROM uses."""
    scope = Scope(env={}, given=given, global_args=args, escape=program.escape)
    used = set(expand_from(stage.base, args.values, program.escape).used)
    for instruction in stage.instructions:
        if not isinstance(instruction, Arg):
            continue
        scope = scope.declare(instruction)
        for one in instruction.declarations:
            if one.default is None and one.name not in given and one.name in args.values:
                used.add(one.name)
            else:
                yield _arg(instruction, one, scope.args.get(one.name))
    yield from _global_parameters(program, used, args)


def _global_parameters(program: Program, used: set[str], args: GlobalArgs) -> Iterator[Parameter]:
    lexer = Lexer(escape=program.escape)
    for instruction in reversed(program.global_args):
        for one in reversed(instruction.declarations):
            if one.name in used:
                used |= lexer.expand(one.default or "", args.values).used
                yield _arg(instruction, one, args.values.get(one.name))


def _arg(instruction: Arg, one: Declaration, value: str | None) -> Parameter:
    description = _description(instruction.comments, one.name)
    return Parameter(instruction.location, one.name, value or "", description)


def _description(comments: Iterable[str], name: str) -> str:
    if not name:
        return ""
    return next((line.removeprefix(f"{name} ") for line in comments if line.startswith(f"{name} ")), "")


def _mounts(stage: Stage) -> Iterator[tuple[Mount, Location]]:
    """The mounts of *stage*; variables stay as they are written."""
    for instruction in stage.instructions:
        if isinstance(instruction, Run):
            for flag in instruction.mount_flags:
                try:
                    yield parse_mount(flag), instruction.location
                except DockerfileError as error:
                    raise error.at(instruction.location) from None


def _parameters(mounts: Iterable[tuple[Mount, Location]], kind: MountKind) -> tuple[Parameter, ...]:
    found: dict[str, Parameter] = {}
    for mount, location in mounts:
        if mount.kind is kind:
            name = mount.resolved_id
            found.setdefault(name, Parameter(location, name, required=mount.required))
    return tuple(sorted(found.values()))
