"""Nodes -> typed instructions: one function a keyword, with Docker's sentences for what is wrong."""

import re
from collections.abc import Callable
from typing import Final, TypedDict

from havre.base.durations import parse_duration
from havre.base.errors import InvalidInput
from havre.build.dockerfile import instructions as typed
from havre.build.dockerfile.errors import DockerfileError, Location
from havre.build.dockerfile.flags import Kind, no_flags, read_flags
from havre.build.dockerfile.heredocs import read_heredoc
from havre.build.dockerfile.nodes import Heredoc, Node
from havre.build.dockerfile.quoting import quoted
from havre.build.dockerfile.run_flags import check_mount, parse_device, parse_network, parse_security
from havre.build.dockerfile.shell_words import Lexer
from havre.build.dockerfile.spaces import SPACES, strip
from havre.build.dockerfile.suggest import nearest

_STAGE_NAME: Final = re.compile(r"[a-z][a-z0-9-_.]*", re.ASCII)
_ON_BUILD: Final = re.compile(rf"[{SPACES}]*ONBUILD[{SPACES}]*", re.IGNORECASE)
_SHORTEST_NS: Final = 1_000_000
_INTERVALS: Final = ("interval", "timeout", "start-period", "start-interval")
_MAX_RETRIES: Final = 2**31

_COPY_FLAGS: Final = {
    "from": Kind.TEXT,
    "chown": Kind.TEXT,
    "chmod": Kind.TEXT,
    "link": Kind.SWITCH,
    "parents": Kind.SWITCH,
    "exclude": Kind.LIST,
}
_ADD_FLAGS: Final = {
    "chown": Kind.TEXT,
    "chmod": Kind.TEXT,
    "link": Kind.SWITCH,
    "keep-git-dir": Kind.SWITCH,
    "checksum": Kind.TEXT,
    "unpack": Kind.SWITCH,
    "exclude": Kind.LIST,
}
_RUN_FLAGS: Final = {"mount": Kind.LIST, "device": Kind.LIST, "network": Kind.TEXT, "security": Kind.TEXT}
_HEALTH_FLAGS: Final = {**dict.fromkeys(_INTERVALS, Kind.TEXT), "retries": Kind.TEXT}


class _Written(TypedDict):
    text: str
    location: Location
    comments: tuple[str, ...]


def read(node: Node) -> typed.Instruction:
    """Raises DockerfileError, at the node's lines."""
    reader = _READERS.get(node.name)
    if reader is None:
        raise DockerfileError(_unknown(node.keyword), node.location)
    try:
        return reader(node)
    except DockerfileError as error:
        raise error.at(node.location) from None


def _unknown(keyword: str) -> str:
    message = f"unknown instruction: {keyword}"
    meant = nearest(keyword.upper(), _READERS)
    if meant is None:
        return message
    return f"{message} (did you mean {meant if keyword == keyword.upper() else meant.lower()}?)"


def _written(node: Node) -> _Written:
    return {"text": strip(node.text), "location": node.location, "comments": node.comments}


def _some(node: Node) -> None:
    if not node.words and not node.pairs:
        raise DockerfileError(f"{node.name} requires at least one argument")


def _one(node: Node) -> str:
    if len(node.words) != 1:
        raise DockerfileError(f"{node.name} requires exactly one argument")
    return node.words[0]


def _from(node: Node) -> typed.From:
    name = ""
    match node.words:
        case (_,):
            pass
        case (_, keyword, as_name) if keyword.lower() == "as":
            name = as_name.lower()
            if not _STAGE_NAME.fullmatch(name):
                raise DockerfileError(
                    f"invalid name for build stage: {quoted(as_name)}, "
                    "name can't start with a number or contain symbols"
                )
        case _:
            raise DockerfileError("FROM requires either one or three arguments")
    platform = read_flags(node.flags, {"platform": Kind.TEXT}).text("platform")
    return typed.From(
        **_written(node),
        image=node.words[0],
        name=name,
        platform=platform,
        as_words=node.words[1:],
    )


def _arg(node: Node) -> typed.Arg:
    _some(node)
    declarations: list[typed.Declaration] = []
    for word in node.words:
        name, equals, default = word.partition("=")
        if not name:
            raise DockerfileError("ARG names can not be blank")
        declarations.append(typed.Declaration(name, default if equals else None))
    return typed.Arg(**_written(node), declarations=tuple(declarations))


def _check_pairs(node: Node) -> None:
    no_flags(node.flags)
    _some(node)
    if any(not pair.name for pair in node.pairs):
        raise DockerfileError(f"{node.name} names can not be blank")


def _env(node: Node) -> typed.Env:
    _check_pairs(node)
    return typed.Env(**_written(node), pairs=node.pairs)


def _label(node: Node) -> typed.Label:
    _check_pairs(node)
    return typed.Label(**_written(node), pairs=node.pairs)


def _command(node: Node) -> typed.Command:
    return typed.Command(node.words, is_shell=not node.is_json, heredocs=node.heredocs)


def _run(node: Node) -> typed.Run:
    flags = read_flags(node.flags, _RUN_FLAGS)
    mounts = flags.all("mount")
    for mount in mounts:
        check_mount(mount)
    return typed.Run(
        **_written(node),
        command=_command(node),
        mount_flags=mounts,
        network=parse_network(flags.text("network", typed.NetworkMode.DEFAULT)),
        security=parse_security(flags.text("security", typed.SecurityMode.SANDBOX)),
        devices=tuple(parse_device(device) for device in flags.all("device")),
    )


def _cmd(node: Node) -> typed.Cmd:
    no_flags(node.flags)
    return typed.Cmd(**_written(node), command=_command(node))


def _entrypoint(node: Node) -> typed.Entrypoint:
    no_flags(node.flags)
    return typed.Entrypoint(**_written(node), command=_command(node))


class _Sources(TypedDict):
    sources: tuple[str, ...]
    files: tuple[typed.InlineFile, ...]
    destination: str


def _sources(node: Node) -> _Sources:
    *words, destination = node.words
    if _announced(destination) is not None and not node.is_json:
        raise DockerfileError(f"{node.name} cannot accept a heredoc as a destination")
    contents = {heredoc.name: heredoc.stripped for heredoc in node.heredocs}
    files: list[typed.InlineFile] = []
    sources: list[str] = []
    for word in words:
        heredoc = _announced(word)
        if heredoc is None or node.is_json:
            sources.append(word)
        else:
            files.append(typed.InlineFile(heredoc.name, contents.get(heredoc.name, ""), heredoc.expand))
    return {"sources": tuple(sources), "files": tuple(files), "destination": destination}


def _announced(word: str) -> Heredoc | None:
    try:
        return read_heredoc(word)
    except DockerfileError:
        return None


def _check_destination(node: Node) -> None:
    if len(node.words) < 2:
        raise DockerfileError(
            f"{node.name} requires at least two arguments, but only one was provided. "
            "Destination could not be determined"
        )


def _copy(node: Node) -> typed.Copy:
    _check_destination(node)
    flags = read_flags(node.flags, _COPY_FLAGS)
    origin = flags.text("from")
    if origin and Lexer().expand(origin, {}).text != origin:
        raise DockerfileError(
            "variable expansion is not supported for --from, "
            "define a new stage with FROM using ARG from global scope as a workaround"
        )
    return typed.Copy(
        **_written(node),
        **_sources(node),
        origin=origin,
        chown=flags.text("chown"),
        chmod=flags.text("chmod"),
        link=bool(flags.switch("link")),
        parents=bool(flags.switch("parents")),
        excludes=flags.all("exclude"),
    )


def _add(node: Node) -> typed.Add:
    _check_destination(node)
    flags = read_flags(node.flags, _ADD_FLAGS)
    return typed.Add(
        **_written(node),
        **_sources(node),
        chown=flags.text("chown"),
        chmod=flags.text("chmod"),
        link=bool(flags.switch("link")),
        checksum=flags.text("checksum"),
        keep_git_dir=flags.switch("keep-git-dir"),
        unpack=flags.switch("unpack"),
        excludes=flags.all("exclude"),
    )


def _expose(node: Node) -> typed.Expose:
    _some(node)
    no_flags(node.flags)
    return typed.Expose(**_written(node), ports=tuple(sorted(node.words)))


def _volume(node: Node) -> typed.Volume:
    _some(node)
    no_flags(node.flags)
    paths = tuple(strip(word) for word in node.words)
    if not all(paths):
        raise DockerfileError("VOLUME specified can not be an empty string")
    return typed.Volume(**_written(node), paths=paths)


def _user(node: Node) -> typed.User:
    user = _one(node)
    no_flags(node.flags)
    return typed.User(**_written(node), user=user)


def _workdir(node: Node) -> typed.Workdir:
    path = _one(node)
    no_flags(node.flags)
    return typed.Workdir(**_written(node), path=path)


def _stop_signal(node: Node) -> typed.StopSignal:
    return typed.StopSignal(**_written(node), signal=_one(node))


def _shell(node: Node) -> typed.Shell:
    no_flags(node.flags)
    _some(node)
    if not node.is_json:
        raise DockerfileError("SHELL requires the arguments to be in JSON form")
    return typed.Shell(**_written(node), words=node.words)


def _maintainer(node: Node) -> typed.Maintainer:
    name = _one(node)
    no_flags(node.flags)
    return typed.Maintainer(**_written(node), name=name)


def _health_check(node: Node) -> typed.HealthCheck:
    _some(node)
    kind, *words = node.words
    if kind.upper() == "NONE":
        if words:
            raise DockerfileError("HEALTHCHECK NONE takes no arguments")
        return typed.HealthCheck(**_written(node), test=("NONE",))
    flags = read_flags(node.flags, _HEALTH_FLAGS)
    if kind.upper() != "CMD":
        raise DockerfileError(f"Unknown type {quoted(kind.upper())} in HEALTHCHECK (try CMD)")
    if not words:
        raise DockerfileError("Missing command after HEALTHCHECK CMD")
    interval, timeout, start_period, start_interval = (_interval(name, flags.text(name)) for name in _INTERVALS)
    return typed.HealthCheck(
        **_written(node),
        test=("CMD" if node.is_json else "CMD-SHELL", *words),
        interval_ns=interval,
        timeout_ns=timeout,
        start_period_ns=start_period,
        start_interval_ns=start_interval,
        retries=_retries(flags.text("retries")),
    )


def _interval(name: str, text: str) -> int:
    try:
        duration = parse_duration(text) if text else 0
    except InvalidInput as error:
        raise DockerfileError(error.message) from None
    if duration and duration < _SHORTEST_NS:
        raise DockerfileError(f"Interval {quoted(name)} cannot be less than 1ms")
    return duration


def _retries(text: str) -> int:
    digits = text.removeprefix("-").removeprefix("+") if text else "0"
    if not (digits.isascii() and digits.isdigit()):
        raise DockerfileError(f"strconv.ParseInt: parsing {quoted(text)}: invalid syntax")
    if len(digits) > 10 or int(digits) >= _MAX_RETRIES:
        raise DockerfileError(f"strconv.ParseInt: parsing {quoted(text)}: value out of range")
    if text.startswith("-") and int(digits):
        raise DockerfileError(f"--retries cannot be negative ({text})")
    return int(digits)


def _on_build(node: Node) -> typed.OnBuild:
    trigger = node.trigger
    if trigger is None:
        raise DockerfileError("ONBUILD requires at least one argument")
    no_flags(node.flags)
    if trigger.name == "ONBUILD":
        raise DockerfileError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if trigger.name in {"MAINTAINER", "FROM"}:
        raise DockerfileError(f"{trigger.name} isn't allowed as an ONBUILD trigger")
    parts = [_ON_BUILD.sub("", node.text, count=1)]
    parts += [f"\n{heredoc.content}{heredoc.name}" for heredoc in node.heredocs]
    return typed.OnBuild(**_written(node), trigger="".join(parts))


_READERS: Final[dict[str, Callable[[Node], typed.Instruction]]] = {
    "ADD": _add,
    "ARG": _arg,
    "CMD": _cmd,
    "COPY": _copy,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "FROM": _from,
    "HEALTHCHECK": _health_check,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "ONBUILD": _on_build,
    "RUN": _run,
    "SHELL": _shell,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
