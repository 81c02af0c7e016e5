"""Further processes in a running container."""

from typing import TypedDict


class ExecConfig(TypedDict, total=False):
    """What POST /containers/{id}/exec takes."""

    User: str | None
    Privileged: bool | None
    Tty: bool | None
    ConsoleSize: list[int] | None
    AttachStdin: bool | None
    AttachStderr: bool | None
    AttachStdout: bool | None
    Detach: bool | None
    DetachKeys: str | None
    Env: list[str] | None
    WorkingDir: str | None
    Cmd: list[str] | None


class ExecCreated(TypedDict, total=False):
    """What POST /containers/{id}/exec answers."""

    Id: str | None


class ExecStart(TypedDict, total=False):
    """What POST /exec/{id}/start takes."""

    Detach: bool | None
    Tty: bool | None
    ConsoleSize: list[int] | None


class ExecProcess(TypedDict, total=False):
    """The process as it was asked for."""

    privileged: bool | None
    user: str | None
    tty: bool | None
    entrypoint: str | None
    arguments: list[str] | None


class ExecInspect(TypedDict, total=False):
    """What GET /exec/{id}/json answers."""

    CanRemove: bool | None
    DetachKeys: str | None
    ID: str | None
    Running: bool | None
    ExitCode: int | None
    ProcessConfig: ExecProcess | None
    OpenStdin: bool | None
    OpenStderr: bool | None
    OpenStdout: bool | None
    ContainerID: str | None
    Pid: int | None
