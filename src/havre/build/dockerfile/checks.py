"""Build checks: what a Dockerfile should not say, although it can be built. `check_rules` has their sentences."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from havre.base.errors import InvalidInput
from havre.build.dockerfile.check_policy import Policy
from havre.build.dockerfile.check_rules import Finding, finding
from havre.build.dockerfile.check_stages import StageFacts, check_stage
from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.ignore import Ignore
from havre.build.dockerfile.instructions import Arg, From, Maintainer, Program, Stage, StageInstruction
from havre.build.dockerfile.nodes import Document
from havre.build.dockerfile.origins import SCRATCH
from havre.build.dockerfile.quoting import quoted
from havre.build.dockerfile.scope import GlobalArgs, Platforms, Scope, global_args
from havre.build.dockerfile.settings import DEFAULT_PATH
from havre.build.dockerfile.shell_words import Lexer
from havre.build.dockerfile.suggest import nearest
from havre.images.platforms import parse_platform
from havre.oci.reference import Reference

_RESERVED = frozenset({"context", "scratch"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a build knows beside the Dockerfile.

    *environments* are those of the stages' base images, by the stage's index, as far as they are known; a stage whose
    environment is not known is not searched for undefined variables. *with_shell*: stages whose image has a SHELL.
    """

    platforms: Platforms
    given: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    environments: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    with_shell: frozenset[int] = frozenset()
    ignore: Ignore = field(default_factory=Ignore)
    policy: Policy | None = None


def check(document: Document, program: Program, facts: Facts) -> list[Finding]:
    """The findings in *program*, which was read from *document*, in the order of their lines.

    What could only be checked behind an error is left out: the build itself reports the error.
    Raises DockerfileError for check options that cannot be read.
    """
    policy = facts.policy or Policy.of(document)
    comments = {node.location: node.comments for node in document.nodes}
    found = {*_whole(document, program), *_bases(program, facts), *_stages(program, facts)}
    return sorted(one for one in found if policy.above(comments.get(one.location, ())).lets(one.rule))


def _whole(document: Document, program: Program) -> Iterator[Finding]:
    for location in document.empty_continuations:
        yield finding("NoEmptyContinuation", location)
    yield from _casing(program)
    yield from _stage_names(program)
    for instruction in _instructions(program):
        if isinstance(instruction, Maintainer):
            yield finding("MaintainerDeprecated", instruction.location)
        if isinstance(instruction, From) and instruction.name:
            yield from _description("FROM", [instruction.name], instruction)
        if isinstance(instruction, Arg):
            yield from _description("ARG", [one.name for one in instruction.declarations], instruction)


def _instructions(program: Program) -> Iterator[From | StageInstruction]:
    yield from program.global_args
    for stage in program.stages:
        yield stage.base
        yield from stage.instructions


def _description(keyword: str, names: list[str], instruction: From | Arg) -> Iterator[Finding]:
    if instruction.comments and instruction.comments[-1].split(" ")[0] not in names:
        example = names[0] if len(names) == 1 else "<arg_key>"
        yield finding("InvalidDefinitionDescription", instruction.location, keyword, example)


def _casing(program: Program) -> Iterator[Finding]:
    counted = [one for stage in program.stages for one in (stage.base, *stage.instructions)]
    lower = sum(one.keyword == one.keyword.lower() for one in counted)
    upper = sum(one.keyword == one.keyword.upper() for one in counted)
    for one in counted:
        wanted = one.keyword.lower() if lower > upper else one.keyword.upper()
        if one.keyword != wanted:
            casing = "lowercase" if lower > upper else "uppercase"
            yield finding("ConsistentInstructionCasing", one.location, one.keyword, casing)


def _stage_names(program: Program) -> Iterator[Finding]:
    seen: set[str] = set()
    for stage in program.stages:
        base = stage.base
        if not stage.name:
            continue
        keyword, name = base.as_words
        if name != name.lower():
            yield finding("StageNameCasing", base.location, name)
        if _mixes_casing(base.keyword, keyword):
            yield finding("FromAsCasing", base.location, base.keyword, keyword)
        if stage.name in _RESERVED:
            yield finding("ReservedStageName", base.location, quoted(stage.name))
        if stage.name in seen:
            yield finding("DuplicateStageName", base.location, quoted(stage.name))
        seen.add(stage.name)


def _mixes_casing(keyword: str, as_word: str) -> bool:
    if keyword == keyword.lower():
        return as_word != as_word.lower()
    return keyword == keyword.upper() and as_word != as_word.upper()


def _bases(program: Program, facts: Facts) -> Iterator[Finding]:
    """What is wrong with the FROMs."""
    platform_args = facts.platforms.args(facts.target or program.stages[-1].name, facts.given)
    try:
        values = global_args(program, facts.given, platform_args)
        defaults = global_args(program, {}, platform_args)
    except DockerfileError:
        return
    lexer = Lexer(escape=program.escape)
    for stage in program.stages:
        try:
            yield from _base(stage.base, values, lexer)
            if not _is_image(lexer.expand(stage.base.image, defaults.values).text):
                yield finding("InvalidDefaultArgInFrom", stage.base.location, stage.base.image)
        except DockerfileError:
            continue


def _base(base: From, args: GlobalArgs, lexer: Lexer) -> Iterator[Finding]:
    image = lexer.expand(base.image, args.values)
    yield from _undeclared(base, image.missing, args)
    if not base.platform:
        return
    platform = lexer.expand(base.platform, args.values)
    yield from _undeclared(base, platform.missing, args)
    names = platform.used | platform.missing
    if names == {"TARGETPLATFORM"} and platform.text == args.values["TARGETPLATFORM"]:
        yield finding("RedundantTargetPlatform", base.location, base.platform)
    if not names and _is_strange_constant(base.name, platform.text):
        yield finding("FromPlatformFlagConstDisallowed", base.location, quoted(platform.text))


def _undeclared(base: From, missing: Iterable[str], args: GlobalArgs) -> Iterator[Finding]:
    for name in sorted(set(missing) - args.declared):
        meant = nearest(name, args.declared)
        suggestion = f" (did you mean {meant}?)" if meant else ""
        yield finding("UndefinedArgInFrom", base.location, name, suggestion)


def _is_strange_constant(name: str, text: str) -> bool:
    """Whether *text* is a platform that the stage's name does not speak of."""
    try:
        platform = parse_platform(text)
    except InvalidInput:
        return False
    return platform.os not in name and platform.architecture not in name


def _is_image(text: str) -> bool:
    try:
        Reference.parse(text)
    except InvalidInput:
        return False
    return True


def _stages(program: Program, facts: Facts) -> Iterator[Finding]:
    """What is wrong with the stages' instructions; a stage goes on with what the stage below it has set."""
    platform_args = facts.platforms.args(facts.target or program.stages[-1].name, facts.given)
    try:
        args = global_args(program, facts.given, platform_args)
    except DockerfileError:
        return
    ends: dict[str, StageFacts] = {}
    for stage in program.stages:
        findings, end = check_stage(stage, _begin(stage, program, facts, args, ends), facts.ignore)
        yield from findings
        if stage.name:
            ends[stage.name] = end


def _begin(
    stage: Stage, program: Program, facts: Facts, args: GlobalArgs, ends: Mapping[str, StageFacts]
) -> StageFacts:
    lexer = Lexer(escape=program.escape)
    try:
        image = lexer.expand(stage.base.image, args.values).text
    except DockerfileError:
        image = ""
    if image.lower() in ends:
        return ends[image.lower()]
    environment = facts.environments.get(stage.index, {} if image == SCRATCH else None)
    scope = Scope(
        env={"PATH": DEFAULT_PATH, **(environment or {})}, given=facts.given, global_args=args, escape=program.escape
    )
    return StageFacts(scope, environment is not None, has_shell=stage.index in facts.with_shell)
