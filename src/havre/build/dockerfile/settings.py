"""What an instruction changes in the image's settings. Pure: files, layers and history are made elsewhere."""

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import msgspec

from havre.base.errors import InvalidInput
from havre.build.dockerfile import instructions as typed
from havre.build.dockerfile.commands import DEFAULT_SHELL
from havre.build.dockerfile.errors import DockerfileError
from havre.images.changes import is_signal, parse_ports
from havre.oci.image_config import Empty, Healthcheck, ProcessConfig

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Settings:
    """The image's settings at one place of a stage; *cmd_is_own*: this stage has a CMD of its own."""

    process: ProcessConfig
    author: str = ""
    cmd_is_own: bool = False

    @classmethod
    def inherit(cls, process: ProcessConfig, author: str = "") -> Self:
        """The settings of a stage that begins on *process*: without its triggers, and with a PATH."""
        environment = process.env or []
        if not any(entry.partition("=")[0] == "PATH" for entry in environment):
            environment = [*environment, f"PATH={DEFAULT_PATH}"]
        return cls(msgspec.structs.replace(process, env=environment, on_build=None), author)

    @property
    def env(self) -> dict[str, str]:
        """The environment as a mapping."""
        return dict(entry.partition("=")[::2] for entry in self.process.env or ())

    @property
    def shell(self) -> tuple[str, ...]:
        """What shell forms are given to."""
        return tuple(self.process.shell or DEFAULT_SHELL)

    @property
    def working_dir(self) -> str:
        """The folder that relative paths begin in."""
        return self.process.working_dir or "/"

    def apply(self, instruction: typed.StageInstruction) -> Self:
        """The settings below *instruction*, whose variables are replaced. Raises DockerfileError at its lines."""
        change = _CHANGES.get(type(instruction))
        if change is None:
            return self
        try:
            fields = change(self, instruction)
        except InvalidInput as error:
            raise DockerfileError(error.message, instruction.location) from None
        if isinstance(instruction, typed.Maintainer):
            return replace(self, author=instruction.name)
        process = msgspec.structs.replace(self.process, **fields)
        return replace(self, process=process, cmd_is_own=self.cmd_is_own or isinstance(instruction, typed.Cmd))


def resolve_workdir(current: str, path: str) -> str:
    """The folder that WORKDIR *path* leads to from *current*."""
    joined = posixpath.normpath(posixpath.join("/", current, path))
    return "/" + joined.lstrip("/")


_Fields = dict[str, Any]


def _cmd(settings: Settings, given: typed.Cmd) -> _Fields:
    return {"cmd": list(given.command.argv(settings.shell))}


def _entrypoint(settings: Settings, given: typed.Entrypoint) -> _Fields:
    argv = list(given.command.argv(settings.shell)) if given.command.words else None
    return {"entrypoint": argv} if settings.cmd_is_own else {"entrypoint": argv, "cmd": None}


def _env(settings: Settings, given: typed.Env) -> _Fields:
    env = {**settings.env, **{pair.name: pair.value for pair in given.pairs}}
    return {"env": [f"{name}={value}" for name, value in env.items()]}


def _label(settings: Settings, given: typed.Label) -> _Fields:
    return {"labels": {**(settings.process.labels or {}), **{pair.name: pair.value for pair in given.pairs}}}


def _expose(settings: Settings, given: typed.Expose) -> _Fields:
    ports = [port for text in given.ports for port in parse_ports(text)]
    return {"exposed_ports": {**(settings.process.exposed_ports or {}), **dict.fromkeys(ports, Empty())}}


def _volume(settings: Settings, given: typed.Volume) -> _Fields:
    if not all(given.paths):
        raise InvalidInput("VOLUME specified can not be an empty string")
    return {"volumes": {**(settings.process.volumes or {}), **dict.fromkeys(given.paths, Empty())}}


def _user(_settings: Settings, given: typed.User) -> _Fields:
    return {"user": given.user}


def _workdir(settings: Settings, given: typed.Workdir) -> _Fields:
    return {"working_dir": resolve_workdir(settings.process.working_dir, given.path)}


def _stop_signal(_settings: Settings, given: typed.StopSignal) -> _Fields:
    if not is_signal(given.signal):
        raise InvalidInput(f"Invalid signal: {given.signal}")
    return {"stop_signal": given.signal}


def _shell(_settings: Settings, given: typed.Shell) -> _Fields:
    return {"shell": list(given.words)}


def _health_check(_settings: Settings, given: typed.HealthCheck) -> _Fields:
    check = Healthcheck(
        test=list(given.test),
        interval=given.interval_ns,
        timeout=given.timeout_ns,
        start_period=given.start_period_ns,
        start_interval=given.start_interval_ns,
        retries=given.retries,
    )
    return {"healthcheck": check}


def _on_build(settings: Settings, given: typed.OnBuild) -> _Fields:
    return {"on_build": [*(settings.process.on_build or ()), given.trigger]}


def _nothing(_settings: Settings, _given: typed.Maintainer) -> _Fields:
    return {}


_CHANGES: Final[dict[type, Callable[[Settings, Any], _Fields]]] = {
    typed.Cmd: _cmd,
    typed.Entrypoint: _entrypoint,
    typed.Env: _env,
    typed.Label: _label,
    typed.Expose: _expose,
    typed.Volume: _volume,
    typed.User: _user,
    typed.Workdir: _workdir,
    typed.StopSignal: _stop_signal,
    typed.Shell: _shell,
    typed.HealthCheck: _health_check,
    typed.OnBuild: _on_build,
    typed.Maintainer: _nothing,
}
