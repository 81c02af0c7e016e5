"""Variables in instructions: which fields hold them, and what they become."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from havre.build.dockerfile import instructions as typed
from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.nodes import DEFAULT_ESCAPE, Pair
from havre.build.dockerfile.run_flags import parse_mount
from havre.build.dockerfile.shell_words import Expansion, Lexer

_Transfer = TypeVar("_Transfer", typed.Copy, typed.Add)
_DOCUMENT = Lexer(plain_quotes=True)


@dataclass(frozen=True, slots=True)
class Expanded:
    """An instruction with its variables replaced; the names that had a value and those that had none."""

    instruction: typed.StageInstruction
    used: frozenset[str]
    missing: frozenset[str]


def expand(instruction: typed.StageInstruction, variables: Mapping[str, str], escape: str = DEFAULT_ESCAPE) -> Expanded:
    """Raises DockerfileError at the instruction's lines.

    ARG is left as it is: its default counts only where no other value comes first (`scope`). What RUN, CMD, ENTRYPOINT
    and HEALTHCHECK start is left to the shell.
    """
    scan = _Scan(variables, Lexer(escape=escape))
    try:
        found = scan.instruction(instruction)
    except DockerfileError as error:
        raise error.at(instruction.location) from None
    return Expanded(found, frozenset(scan.used), frozenset(scan.missing))


class _Scan:
    """The words of one instruction, expanded one after the other."""

    def __init__(self, variables: Mapping[str, str], lexer: Lexer) -> None:
        self._variables = variables
        self._lexer = lexer
        self.used: set[str] = set()
        self.missing: set[str] = set()

    def instruction(self, given: typed.StageInstruction) -> typed.StageInstruction:
        match given:
            case typed.Env():
                return replace(given, pairs=self._pairs(given.pairs))
            case typed.Label():
                return replace(given, pairs=self._pairs(given.pairs))
            case typed.Copy():
                return self._transfer(given)
            case typed.Add():
                return replace(self._transfer(given), checksum=self._word(given.checksum))
            case typed.Run():
                return replace(given, mounts=tuple(parse_mount(flag, self._word) for flag in given.mount_flags))
            case typed.Expose():
                return replace(given, ports=tuple(word for port in given.ports for word in self._all(port).words))
            case typed.Volume():
                return replace(given, paths=tuple(map(self._word, given.paths)))
            case _:
                return self._single(given)

    def _single(self, given: typed.StageInstruction) -> typed.StageInstruction:
        match given:
            case typed.User():
                return replace(given, user=self._word(given.user))
            case typed.Workdir():
                return replace(given, path=self._word(given.path))
            case typed.StopSignal():
                return replace(given, signal=self._word(given.signal))
            case _:
                return given

    def _pairs(self, pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
        return tuple(Pair(self._word(pair.name), self._word(pair.value), pair.legacy) for pair in pairs)

    def _transfer(self, given: _Transfer) -> _Transfer:
        return replace(
            given,
            chown=self._word(given.chown),
            chmod=self._word(given.chmod),
            sources=tuple(map(self._word, given.sources)),
            destination=self._word(given.destination),
            files=tuple(self._file(file) for file in given.files),
        )

    def _file(self, file: typed.InlineFile) -> typed.InlineFile:
        return replace(file, content=self._all(file.content, _DOCUMENT).text) if file.expand else file

    def _word(self, text: str) -> str:
        return self._all(text).text

    def _all(self, text: str, lexer: Lexer | None = None) -> Expansion:
        expansion = (lexer or self._lexer).expand(text, self._variables)
        self.used |= expansion.used
        self.missing |= expansion.missing
        return expansion
