"""From a typed Dockerfile to a graph, purely: which stages and images it needs, then, the images known, all steps."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from havre.base.errors import InvalidInput
from havre.build.dockerfile import instructions as typed
from havre.build.dockerfile.commands import start_of
from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.expansion import expand
from havre.build.dockerfile.history import created_by
from havre.build.dockerfile.nodes import Pair
from havre.build.dockerfile.origins import (
    ContextOrigin,
    EmptyOrigin,
    ImageOrigin,
    Origins,
    StageOrigin,
    find_target,
    named_origins,
    origins_in,
)
from havre.build.dockerfile.program import read_trigger
from havre.build.dockerfile.remotes import check_sources
from havre.build.dockerfile.scope import (
    PREDEFINED_ARGS,
    GlobalArgs,
    Platforms,
    Scope,
    expand_from,
    global_args,
)
from havre.build.dockerfile.settings import Settings, resolve_workdir
from havre.build.graph import (
    CopyOperation,
    FolderOperation,
    Graph,
    MountOperation,
    Operation,
    RunOperation,
    SentFiles,
    Source,
    StagePlan,
    Step,
)
from havre.oci.image_config import ImageConfig, ProcessConfig

_INSECURE: Final = "security.insecure"
_HOST: Final = "network.host"
_NOTHING_KNOWN: Final[Mapping[tuple[str, str], ImageConfig]] = {}


@dataclass(frozen=True, slots=True)
class Demands:
    """What the client gives to the Dockerfile. *platforms* fill the platform ARGs."""

    args: Mapping[str, str]
    contexts: Mapping[str, str]
    labels: Mapping[str, str]
    target: str
    platforms: Platforms
    allowed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Needed:
    """The stages that the target needs, in their order: what each begins on, and its FROM, variables replaced."""

    target: int
    bases: Mapping[int, tuple[Source, typed.From]]
    images: tuple[tuple[str, str], ...]
    """Names and platforms (or empty) of the images that are used."""


class Planner:
    """Plans one Dockerfile for one build."""

    def __init__(self, program: typed.Program, demands: Demands) -> None:
        self._program = program
        self._demands = demands
        self._origins = Origins(program.stages, demands.contexts)
        target = find_target(program, demands.target)
        self._target = target.index
        platform_args = demands.platforms.args(target.name, demands.args)
        self._globals: GlobalArgs = global_args(program, demands.args, platform_args)

    def needed(self, configs: Mapping[tuple[str, str], ImageConfig] = _NOTHING_KNOWN) -> Needed:
        """Which stages and images there must be. Raises DockerfileError.

        The triggers of an image may need more: to be asked again once its config is among *configs*.
        """
        bases: dict[int, tuple[Source, typed.From]] = {}
        images: dict[tuple[str, str], None] = {}
        waiting = [self._target]
        while waiting:
            index = waiting.pop()
            if index in bases:
                continue
            stage = self._program.stages[index]
            base = expand_from(stage.base, self._globals.values, self._program.escape).instruction
            origin = self._origins.base(base.image, index)
            bases[index] = origin, base
            found: list[tuple[Source, str]] = [(origin, base.platform)]
            found += [(self._origins.source(name, index), "") for name, _ in named_origins(stage)]
            triggers = self._triggers(origin, base.platform, configs)
            found += [(self._origins.source(name, index), "") for name, _ in origins_in(map(_trigger, triggers))]
            for source, platform in found:
                if isinstance(source, StageOrigin):
                    waiting.append(source.index)
                elif isinstance(source, ImageOrigin):
                    images[source.name, platform] = None
                elif isinstance(source, ContextOrigin) and (name := self._image_context(source)):
                    images[name, platform] = None
        return Needed(self._target, dict(sorted(bases.items())), tuple(images))

    def _triggers(
        self, origin: Source, platform: str, configs: Mapping[tuple[str, str], ImageConfig]
    ) -> tuple[str, ...]:
        """What is done first in a stage on *origin*, as far as that is known."""
        if isinstance(origin, StageOrigin):
            below = self._program.stages[origin.index].instructions
            return tuple(one.trigger for one in below if isinstance(one, typed.OnBuild))
        image = self._as_image(origin)
        config = configs.get((image.name, platform)) if isinstance(image, ImageOrigin) else None
        return tuple(config.process.on_build or ()) if config is not None else ()

    def graph(self, needed: Needed, configs: Mapping[tuple[str, str], ImageConfig]) -> Graph:
        """The graph, *configs* being those of the needed images. Raises DockerfileError."""
        stages: dict[int, StagePlan] = {}
        scopes: dict[int, Scope] = {}
        for index, (origin, base) in needed.bases.items():
            planned = _StagePlanner(self, index, base)
            stages[index] = planned.plan(origin, stages, scopes, configs)
            scopes[index] = planned.scope
        return Graph(stages=stages, target=needed.target)

    @property
    def program(self) -> typed.Program:
        """What is planned."""
        return self._program

    @property
    def demands(self) -> Demands:
        """For whom."""
        return self._demands

    def is_target(self, index: int) -> bool:
        """Whether the build ends with this stage."""
        return index == self._target

    def source(self, name: str, stage: int) -> Source:
        """What `--from=name` means; without a name, the files that were sent."""
        return self._as_image(self._origins.source(name, stage)) if name else SentFiles()

    def base_source(self, origin: Source) -> Source:
        """A named context that is an image, as that image."""
        return self._as_image(origin)

    def scope(self, env: Mapping[str, str]) -> Scope:
        """The scope at the beginning of a stage."""
        return Scope(env=env, given=self._demands.args, global_args=self._globals, escape=self._program.escape)

    def _as_image(self, origin: Source) -> Source:
        if isinstance(origin, ContextOrigin) and (name := self._image_context(origin)):
            return ImageOrigin(name)
        return origin

    def _image_context(self, origin: ContextOrigin) -> str:
        value = self._demands.contexts.get(origin.name, "")
        return value.removeprefix("docker-image://") if value.startswith("docker-image://") else ""


class _StagePlanner:
    """One stage, instruction by instruction."""

    def __init__(self, planner: Planner, index: int, base: typed.From) -> None:
        self._planner = planner
        self._index = index
        self._base = base
        self._steps: list[Step] = []
        self._settings = Settings(ProcessConfig())
        self.scope = planner.scope({})

    def plan(
        self,
        origin: Source,
        stages: Mapping[int, StagePlan],
        scopes: Mapping[int, Scope],
        configs: Mapping[tuple[str, str], ImageConfig],
    ) -> StagePlan:
        origin = self._planner.base_source(origin)
        triggers: tuple[str, ...] = ()
        if isinstance(origin, StageOrigin):
            before = stages[origin.index]
            last = before.steps[-1].settings if before.steps else before.settings
            triggers = tuple(last.process.on_build or ())
            self._settings = Settings.inherit(last.process, last.author)
            self.scope = scopes[origin.index]
        elif isinstance(origin, ImageOrigin):
            config = configs[origin.name, self._base.platform]
            triggers = tuple(config.process.on_build or ())
            self._settings = Settings.inherit(config.process, config.author)
        else:
            self._settings = Settings.inherit(ProcessConfig())
        self.scope = replace(self.scope, env=self._settings.env)
        begin = self._settings
        for instruction in (*map(_trigger, triggers), *self._planner.program.stages[self._index].instructions):
            self._add(instruction)
        if self._planner.is_target(self._index):
            self._label()
        return StagePlan(
            index=self._index,
            name=self._base.name,
            base=origin,
            text=self._base.text,
            platform=self._base.platform,
            settings=begin,
            steps=tuple(self._steps),
        )

    def _add(self, written: typed.StageInstruction) -> None:
        if isinstance(written, typed.Arg):
            self.scope = self.scope.declare(written)
            line = created_by(written, self._settings.shell, self.scope.run_args)
            self._steps.append(Step(text=written.text, created_by=line, settings=self._settings))
            return
        instruction = expand(written, self.scope.variables, self._planner.program.escape).instruction
        above = self._settings
        self._settings = above.apply(instruction)
        try:
            operation = self._operation(instruction, above)
        except DockerfileError as error:
            raise error.at(written.location) from None
        line = created_by(instruction, above.shell, self.scope.run_args)
        if isinstance(instruction, typed.Env):
            self.scope = self.scope.define(instruction)
        self._steps.append(
            Step(
                text=written.text,
                created_by=line,
                settings=self._settings,
                operation=operation,
                location=written.location,
            )
        )

    def _label(self) -> None:
        """`--label` goes last, as if it stood in the Dockerfile."""
        labels = self._planner.demands.labels
        if not labels:
            return
        pairs = tuple(Pair(name, value) for name, value in labels.items())
        text = "LABEL " + " ".join(f"{name}={value}" for name, value in labels.items())
        place = self._base.location
        instruction = typed.Label(text=text, location=place, pairs=pairs)
        self._settings = self._settings.apply(instruction)
        self._steps.append(Step(text=text, created_by=text, settings=self._settings))

    # -- operations

    def _operation(self, instruction: typed.StageInstruction, settings: Settings) -> Operation | None:
        match instruction:
            case typed.Run():
                return self._run(instruction, settings)
            case typed.Copy():
                check_sources(instruction)
                return self._copy(instruction, settings)
            case typed.Add():
                check_sources(instruction)
                return self._add_files(instruction, settings)
            case typed.Workdir():
                path = resolve_workdir(settings.process.working_dir, instruction.path)
                return FolderOperation(path=path, user=settings.process.user)
            case _:
                return None

    def _run(self, given: typed.Run, settings: Settings) -> RunOperation:
        allowed = self._planner.demands.allowed
        insecure = given.security is typed.SecurityMode.INSECURE
        if insecure and _INSECURE not in allowed:
            raise DockerfileError(f"{_INSECURE} is not allowed")
        if given.network is typed.NetworkMode.HOST and _HOST not in allowed:
            raise DockerfileError(f"{_HOST} is not allowed")
        start = start_of(given.command, settings.shell)
        variables = self.scope.variables
        declared = {*self.scope.args, *self.scope.env}
        hidden = {name for name in variables if name in PREDEFINED_ARGS and name not in declared}
        return RunOperation(
            argv=start.argv,
            env=tuple(f"{name}={value}" for name, value in variables.items() if name not in hidden),
            user=settings.process.user,
            working_dir=settings.working_dir,
            mounts=tuple(self._mount(mount) for mount in given.mounts),
            network=str(given.network),
            insecure=insecure,
            devices=given.devices,
            script=start.script,
            secret_env=tuple(f"{name}={variables[name]}" for name in sorted(hidden)),
        )

    def _mount(self, mount: typed.Mount) -> MountOperation:
        if mount.origin:
            return MountOperation(mount=mount, origin=self._planner.source(mount.origin, self._index))
        is_bind = mount.kind is typed.MountKind.BIND
        return MountOperation(mount=mount, origin=SentFiles() if is_bind else EmptyOrigin())

    def _copy(self, given: typed.Copy, settings: Settings) -> CopyOperation:
        return CopyOperation(
            origin=self._planner.source(given.origin, self._index),
            sources=given.sources,
            files=given.files,
            destination=_destination(settings, given.destination),
            chown=given.chown,
            chmod=given.chmod,
            link=given.link,
            parents=given.parents,
            excludes=given.excludes,
        )

    def _add_files(self, given: typed.Add, settings: Settings) -> CopyOperation:
        return CopyOperation(
            origin=SentFiles(),
            sources=given.sources,
            files=given.files,
            destination=_destination(settings, given.destination),
            chown=given.chown,
            chmod=given.chmod,
            link=given.link,
            excludes=given.excludes,
            is_add=True,
            checksum=given.checksum,
            keep_git_dir=bool(given.keep_git_dir),
            unpack=given.unpack,
        )


def _destination(settings: Settings, path: str) -> str:
    """Absolute, with a slash at its end where a folder is meant."""
    whole = resolve_workdir(settings.process.working_dir, path)
    is_folder = path.endswith(("/", "/.")) or path in {"", ".", ".."}
    return whole.rstrip("/") + "/" if is_folder or whole == "/" else whole


def _trigger(text: str) -> typed.StageInstruction:
    instruction = read_trigger(text)
    if isinstance(instruction, typed.From):
        raise InvalidInput("FROM isn't allowed as an ONBUILD trigger")
    return instruction
