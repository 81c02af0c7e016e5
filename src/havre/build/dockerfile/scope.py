"""What `$name` means: ARG and ENV, outside of stages and at each place of a stage.

ENV goes before ARG. An ARG's value is what the build was given for it, else its default, else the global ARG's value.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

from havre.base.errors import InvalidInput
from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.instructions import Arg, Declaration, Env, From, Program
from havre.build.dockerfile.nodes import DEFAULT_ESCAPE
from havre.build.dockerfile.shell_words import Lexer
from havre.images.platforms import parse_platform
from havre.oci.descriptor import Platform

_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
PREDEFINED_ARGS: Final = frozenset({*_PROXIES, *map(str.lower, _PROXIES)})
"""Names that need no ARG; they reach RUN, but neither the history nor the cache key."""
BUILDER_ARGS: Final = frozenset(
    {
        "BUILDKIT_BUILD_NAME",
        "BUILDKIT_CACHE_MOUNT_NS",
        "BUILDKIT_CONTEXT_KEEP_GIT_DIR",
        "BUILDKIT_DOCKERFILE_CHECK",
        "BUILDKIT_INLINE_CACHE",
        "BUILDKIT_MULTI_PLATFORM",
        "BUILDKIT_SANDBOX_HOSTNAME",
        "BUILDKIT_SBOM_SCAN_CONTEXT",
        "BUILDKIT_SBOM_SCAN_STAGE",
        "BUILDKIT_SYNTAX",
        "SOURCE_DATE_EPOCH",
    }
)
"""Names that speak to the builder, not to the Dockerfile."""


@dataclass(frozen=True, slots=True)
class GlobalArgs:
    """The ARGs before the first FROM and the platform's; *declared* are also those that have no value."""

    values: Mapping[str, str]
    declared: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Platforms:
    """Where the build runs and what it builds for."""

    build: Platform
    target: Platform

    def args(self, stage: str, given: Mapping[str, str]) -> dict[str, str]:
        """The platform ARGs; *stage* is the name of the target, empty for the last one without a name."""
        values = {
            **_platform_args("BUILD", self.build),
            **_platform_args("TARGET", self.target),
            "TARGETSTAGE": stage or "default",
        }
        return {name: given.get(name, value) for name, value in values.items()}


def global_args(program: Program, given: Mapping[str, str], platform_args: Mapping[str, str]) -> GlobalArgs:
    """The values that FROM may use, and that an ARG without default takes over. Raises DockerfileError."""
    values = dict(platform_args)
    declared = set(platform_args)
    lexer = Lexer(escape=program.escape)
    for arg in program.global_args:
        for declaration in arg.declarations:
            declared.add(declaration.name)
            try:
                value = _value(declaration, given, values, lexer)
            except DockerfileError as error:
                raise error.at(arg.location) from None
            if value is not None:
                values[declaration.name] = value
    return GlobalArgs(values, frozenset(declared))


@dataclass(frozen=True, slots=True)
class Base:
    """A FROM with its variables replaced; the names that had a value and those that had none."""

    instruction: From
    platform: Platform | None
    used: frozenset[str]
    missing: frozenset[str]


def expand_from(instruction: From, values: Mapping[str, str], escape: str = DEFAULT_ESCAPE) -> Base:
    """Raises DockerfileError for an image or a platform that becomes nothing."""
    lexer = Lexer(escape=escape)
    try:
        image = lexer.expand(instruction.image, values)
        platform = lexer.expand(instruction.platform, values)
    except DockerfileError as error:
        raise error.at(instruction.location) from None
    if not image.text:
        raise DockerfileError(f"base name ({instruction.image}) should not be blank", instruction.location)
    return Base(
        replace(instruction, image=image.text, platform=platform.text),
        _platform(instruction, platform.text),
        image.used | platform.used,
        image.missing | platform.missing,
    )


def _platform(instruction: From, text: str) -> Platform | None:
    if not instruction.platform:
        return None
    if not text:
        reason = f"empty platform value from expression {instruction.platform}"
        raise DockerfileError(reason, instruction.location)
    try:
        return parse_platform(text)
    except InvalidInput as error:
        reason = f"failed to parse platform {instruction.platform}: {error.message}"
        raise DockerfileError(reason, instruction.location) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a stage knows at one place. A stage that is built from another one goes on with that one's last scope.

    *env* is the image's environment so far; *args* the names that ARG declared, None for those without a value;
    *given* the build's own values (`--build-arg`).
    """

    env: Mapping[str, str]
    given: Mapping[str, str] = field(default_factory=dict)
    global_args: GlobalArgs = field(default_factory=lambda: GlobalArgs({}))
    args: Mapping[str, str | None] = field(default_factory=dict)
    escape: str = DEFAULT_ESCAPE

    @property
    def variables(self) -> dict[str, str]:
        """What words may use, and what a RUN gets as its environment."""
        proxies = {name: value for name, value in self.given.items() if name in PREDEFINED_ARGS}
        return {**proxies, **self._set_args(), **self.env}

    @property
    def run_args(self) -> dict[str, str]:
        """The declared ARGs as the history and the cache key of a RUN have them, in the order of their declaration."""
        variables = self.variables
        return {name: variables.get(name, "") for name in self.args}

    def declare(self, arg: Arg) -> Self:
        """The scope below *arg*; a name that gets no value keeps the one that it had. Raises DockerfileError."""
        args, variables = dict(self.args), self.variables
        lexer = Lexer(escape=self.escape)
        for declaration in arg.declarations:
            name = declaration.name
            try:
                value = _value(declaration, self.given, variables, lexer)
            except DockerfileError as error:
                raise error.at(arg.location) from None
            if value is None:
                value = self.global_args.values.get(name, args.get(name))
            args[name] = value
            if value is not None and name not in self.env:
                variables[name] = value
        return replace(self, args=args)

    def define(self, env: Env) -> Self:
        """The scope below *env*, whose variables are replaced already."""
        return replace(self, env={**self.env, **{pair.name: pair.value for pair in env.pairs}})

    def undefined(self, missing: Iterable[str]) -> list[str]:
        """Those of *missing* that no ARG declares, sorted."""
        return sorted(set(missing) - set(self.args) - PREDEFINED_ARGS)

    def _set_args(self) -> dict[str, str]:
        return {name: value for name, value in self.args.items() if value is not None}


def unused_args(program: Program, given: Mapping[str, str]) -> list[str]:
    """The names in *given* that no ARG of *program* asks for, sorted; Docker warns of them."""
    args = [*program.global_args, *(found for stage in program.stages for found in stage.instructions)]
    declared = {one.name for arg in args if isinstance(arg, Arg) for one in arg.declarations}
    return sorted(set(given) - declared - PREDEFINED_ARGS - BUILDER_ARGS)


def unused_args_warning(names: Iterable[str]) -> str:
    """Docker's sentence for `unused_args`."""
    return f"[Warning] One or more build-args [{' '.join(names)}] were not consumed"


def _value(
    declaration: Declaration, given: Mapping[str, str], variables: Mapping[str, str], lexer: Lexer
) -> str | None:
    if declaration.name in given:
        return given[declaration.name]
    return None if declaration.default is None else lexer.expand(declaration.default, variables).text


def _platform_args(prefix: str, platform: Platform) -> dict[str, str]:
    whole = "/".join(part for part in (platform.os, platform.architecture, platform.variant) if part)
    return {
        f"{prefix}PLATFORM": whole,
        f"{prefix}OS": platform.os,
        f"{prefix}OSVERSION": platform.os_version,
        f"{prefix}ARCH": platform.architecture,
        f"{prefix}VARIANT": platform.variant,
    }
