"""What the image's history says of an instruction: Docker's words, with the values that were used."""

from collections.abc import Mapping
from typing import Final

from havre.build.dockerfile import instructions as typed
from havre.build.dockerfile.commands import start_of
from havre.build.dockerfile.quoting import quoted

_NO_ARGS: Final[Mapping[str, str | None]] = {}


def created_by(
    instruction: typed.StageInstruction, shell: tuple[str, ...], args: Mapping[str, str | None] = _NO_ARGS
) -> str:
    """The history's line for *instruction*, its variables replaced.

    *args* are `Scope.run_args` above a RUN, `Scope.args` below an ARG.
    """
    keyword = instruction.keyword.upper()
    match instruction:
        case typed.Run():
            declared = [f"|{len(args)}", *(f"{name}={value}" for name, value in args.items())] if args else []
            return " ".join([keyword, *declared, *start_of(instruction.command, shell).argv])
        case typed.Cmd() | typed.Entrypoint():
            return f"{keyword} [{' '.join(map(quoted, instruction.command.argv(shell)))}]"
        case typed.Env() | typed.Label():
            return " ".join([keyword, *(f"{pair.name}={pair.value}" for pair in instruction.pairs)])
        case typed.Arg():
            return " ".join([keyword, *(_declared(one, args) for one in instruction.declarations)])
        case typed.Copy() | typed.Add():
            return _transfer(keyword, instruction)
        case _:
            return f"{keyword} {_value(instruction)}"


def _declared(one: typed.Declaration, args: Mapping[str, str | None]) -> str:
    value = args.get(one.name)
    return one.name if value is None else f"{one.name}={value}"


def _transfer(keyword: str, given: typed.Copy | typed.Add) -> str:
    flags = [f"--from={given.origin}"] if isinstance(given, typed.Copy) and given.origin else []
    flags += ["--parents"] if isinstance(given, typed.Copy) and given.parents else []
    flags += [f"--chown={given.chown}"] if given.chown else []
    flags += [f"--chmod={given.chmod}"] if given.chmod else []
    files = [f"<<{file.name}" for file in given.files]
    return " ".join([keyword, *flags, *given.sources, *files, given.destination])


def _value(given: typed.StageInstruction) -> str:
    match given:
        case typed.Expose():
            return f"[{' '.join(given.ports)}]"
        case typed.Volume():
            return f"[{' '.join(given.paths)}]"
        case typed.Shell():
            return f"[{' '.join(given.words)}]"
        case typed.User():
            return given.user
        case typed.Workdir():
            return given.path
        case typed.StopSignal():
            return given.signal
        case typed.Maintainer():
            return given.name
        case typed.OnBuild():
            return given.trigger
        case _:
            return given.text.partition(given.keyword)[2].strip()
