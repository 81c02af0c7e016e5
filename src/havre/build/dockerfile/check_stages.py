"""Build checks of the instructions of one stage, in their order: variables, secrets, formats, repetitions."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from havre.build.dockerfile import instructions as typed
from havre.build.dockerfile.check_rules import Finding, finding
from havre.build.dockerfile.errors import DockerfileError, Location
from havre.build.dockerfile.expansion import expand
from havre.build.dockerfile.globs import clean
from havre.build.dockerfile.ignore import Ignore
from havre.build.dockerfile.quoting import quoted
from havre.build.dockerfile.remotes import remote_of
from havre.build.dockerfile.scope import Scope
from havre.build.dockerfile.shell_words import Lexer
from havre.build.dockerfile.suggest import nearest

_SECRET: Final = re.compile(
    r"(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)", re.IGNORECASE | re.ASCII
)
_HARMLESS: Final = re.compile(r"(?:_|^)(?:public|file|version)(?:_|$)", re.IGNORECASE | re.ASCII)
_WHOLE_CONTEXT: Final = frozenset({".", "/"})
_EVERYTHING: Final = frozenset({"*", "**", "**/*"})


@dataclass(frozen=True, slots=True)
class StageFacts:
    """What is known at one place of a stage; *knows_env*: all variables of the image below are known."""

    scope: Scope
    knows_env: bool
    has_shell: bool = False
    has_workdir: bool = False


def check_stage(stage: typed.Stage, begin: StageFacts, ignore: Ignore) -> tuple[list[Finding], StageFacts]:
    """The findings of *stage*, and what is known at its end."""
    walk = _Walk(begin, ignore)
    for instruction in stage.instructions:
        try:
            walk.take(instruction)
        except DockerfileError:
            continue
    return walk.findings, walk.facts


class _Walk:
    """One pass over the instructions of a stage."""

    def __init__(self, begin: StageFacts, ignore: Ignore) -> None:
        self.facts = begin
        self.findings: list[Finding] = []
        self._ignore = ignore
        self._last: dict[type, Location] = {}

    def take(self, written: typed.StageInstruction) -> None:
        scope = self.facts.scope
        expanded = expand(written, scope.variables, scope.escape)
        missing = expanded.missing | _missing_in_defaults(written, scope)
        self._undefined(missing, written.location)
        instruction = expanded.instruction
        self.findings += _formats(instruction)
        self._repeated(instruction)
        match instruction:
            case typed.Arg():
                self.facts = replace(self.facts, scope=scope.declare(instruction))
            case typed.Env():
                self.facts = replace(self.facts, scope=scope.define(instruction))
            case typed.Shell():
                self.facts = replace(self.facts, has_shell=True)
            case typed.Workdir():
                self._workdir(instruction)
            case typed.Cmd() | typed.Entrypoint():
                self._shell_form(instruction)
            case typed.Copy() | typed.Add():
                self.findings += _ignored(instruction, self._ignore)
            case _:
                pass

    def _undefined(self, missing: Iterable[str], location: Location) -> None:
        scope = self.facts.scope
        for name in scope.undefined(missing) if self.facts.knows_env else ():
            meant = nearest(name, scope.variables)
            suggestion = f" (did you mean ${meant}?)" if meant else ""
            self.findings.append(finding("UndefinedVar", location, name, suggestion))

    def _repeated(self, instruction: typed.StageInstruction) -> None:
        kind = type(instruction)
        if kind not in {typed.Cmd, typed.Entrypoint, typed.HealthCheck}:
            return
        if kind in self._last:  # the earlier one is the one that counts for nothing
            keyword = instruction.keyword
            self.findings.append(finding("MultipleInstructionsDisallowed", self._last[kind], keyword))
        self._last[kind] = instruction.location

    def _workdir(self, instruction: typed.Workdir) -> None:
        if not self.facts.has_workdir and not instruction.path.startswith("/"):
            self.findings.append(finding("WorkdirRelativePath", instruction.location, quoted(instruction.path)))
        self.facts = replace(self.facts, has_workdir=True)

    def _shell_form(self, instruction: typed.Cmd | typed.Entrypoint) -> None:
        if instruction.command.is_shell and not self.facts.has_shell:
            self.findings.append(finding("JSONArgsRecommended", instruction.location, instruction.keyword))


def _missing_in_defaults(written: typed.StageInstruction, scope: Scope) -> frozenset[str]:
    """The names without value in the defaults of an ARG that count."""
    if not isinstance(written, typed.Arg):
        return frozenset()
    lexer = Lexer(escape=scope.escape)
    missing: frozenset[str] = frozenset()
    variables = scope.variables
    for one in written.declarations:
        if one.default is not None and one.name not in scope.given:
            expansion = lexer.expand(one.default, variables)
            missing |= expansion.missing
            variables.setdefault(one.name, expansion.text)
    return missing


def _formats(given: typed.StageInstruction) -> Iterator[Finding]:
    where = given.location
    match given:
        case typed.Env() | typed.Label():
            if any(pair.legacy for pair in given.pairs):
                yield finding("LegacyKeyValueFormat", where, given.keyword)
            if isinstance(given, typed.Env):
                yield from _secrets("ENV", [pair.name for pair in given.pairs], where)
        case typed.Arg():
            yield from _secrets("ARG", [one.name for one in given.declarations], where)
        case typed.Expose():
            for port in given.ports:
                yield from _port(port, where)
        case _:
            return


def _secrets(keyword: str, names: Iterable[str], where: Location) -> Iterator[Finding]:
    for name in names:
        if _SECRET.search(name) and not _HARMLESS.search(name):
            yield finding("SecretsUsedInArgOrEnv", where, keyword, quoted(name))


def _port(port: str, where: Location) -> Iterator[Finding]:
    protocol = port.partition("/")[2]
    if protocol != protocol.lower():
        yield finding("ExposeProtoCasing", where, port)
    if ":" in port:
        yield finding("ExposeInvalidFormat", where, port)


def _ignored(given: typed.Copy | typed.Add, ignore: Ignore) -> Iterator[Finding]:
    """Sources that the context does not have; a file with exceptions is not judged."""
    if ignore.has_exceptions or (isinstance(given, typed.Copy) and given.origin):
        return
    verb = "Copy" if isinstance(given, typed.Copy) else "Add"
    for source in given.sources:
        path = clean(source)
        if remote_of(source) is not None or (path in _WHOLE_CONTEXT and not _ignores_all(ignore)):
            continue
        if ignore.ignores(path.removeprefix("/") or path):
            yield finding("CopyIgnoredFile", given.location, verb, quoted(path))


def _ignores_all(ignore: Ignore) -> bool:
    return any(rule.glob.pattern in _EVERYTHING for rule in ignore.rules)
