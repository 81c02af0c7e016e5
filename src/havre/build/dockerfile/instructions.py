"""Typed instructions: one frozen class a keyword, flags checked, variables not yet replaced.

Every instruction carries the text that was written (continuation lines joined) and where.
"""

import posixpath
from dataclasses import dataclass
from enum import StrEnum

from havre.build.dockerfile.errors import Location
from havre.build.dockerfile.nodes import DEFAULT_ESCAPE, Heredoc, Pair
from havre.build.dockerfile.spaces import first_word


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What all instructions have: the text as written, its lines, and the comment lines right above it."""

    text: str
    location: Location
    comments: tuple[str, ...] = ()

    @property
    def keyword(self) -> str:
        """The instruction's keyword as it was written."""
        return first_word(self.text)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class From(Written):
    """`FROM [--platform=P] IMAGE [AS NAME]`; *name* is in lower case, empty without AS; *as_words* are as written."""

    image: str
    name: str = ""
    platform: str = ""
    as_words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Declaration:
    """One name of ARG; *default* is None where none is given."""

    name: str
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg(Written):
    """`ARG NAME[=DEFAULT] …`."""

    declarations: tuple[Declaration, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Env(Written):
    """`ENV name=value …`."""

    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label(Written):
    """`LABEL name=value …`."""

    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """What RUN, CMD and ENTRYPOINT start.

    Exec form: the words are the program and its arguments. Shell form: at most one word, the line that the stage's
    SHELL gets; *heredocs* are the documents that belong to the line.
    """

    words: tuple[str, ...]
    is_shell: bool
    heredocs: tuple[Heredoc, ...] = ()

    def argv(self, shell: tuple[str, ...]) -> tuple[str, ...]:
        """The program and its arguments, *shell* in front of a shell form."""
        return (*shell, " ".join(self.words)) if self.is_shell else self.words


class MountKind(StrEnum):
    """`type=` of `RUN --mount`."""

    BIND = "bind"
    CACHE = "cache"
    TMPFS = "tmpfs"
    SECRET = "secret"  # noqa: S105
    SSH = "ssh"


class Sharing(StrEnum):
    """`sharing=` of a cache mount: what happens when two steps use it at once."""

    SHARED = "shared"
    PRIVATE = "private"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One `RUN --mount`, variables replaced; empty text and None stand for what was not given."""

    kind: MountKind = MountKind.BIND
    origin: str = ""
    """`from=`: a stage, an image or a named context; empty is the build context (bind) or nothing (cache)."""
    source: str = ""
    target: str = ""
    read_only: bool = True
    size_bytes: int = 0
    id: str = ""
    sharing: Sharing | None = None
    required: bool = False
    env: str | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None

    @property
    def resolved_id(self) -> str:
        """The name of a secret, an agent or a cache, also where it follows from other values; else empty."""
        match self.kind:
            case MountKind.SECRET:
                return self.source or self.id or posixpath.basename(self.target)
            case MountKind.SSH:
                return self.id or "default"
            case MountKind.CACHE:
                return self.id or posixpath.normpath(self.target)
            case _:
                return ""


class NetworkMode(StrEnum):
    """`RUN --network`."""

    DEFAULT = "default"
    NONE = "none"
    HOST = "host"


class SecurityMode(StrEnum):
    """`RUN --security`."""

    SANDBOX = "sandbox"
    INSECURE = "insecure"


@dataclass(frozen=True, slots=True)
class Device:
    """`RUN --device=NAME[,required]`: a CDI device."""

    name: str
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Written):
    """`RUN`; *mounts* are empty until `expand` reads *mount_flags*, whose values may hold variables."""

    command: Command
    mount_flags: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    network: NetworkMode = NetworkMode.DEFAULT
    security: SecurityMode = SecurityMode.SANDBOX
    devices: tuple[Device, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cmd(Written):
    """`CMD`."""

    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrypoint(Written):
    """`ENTRYPOINT`."""

    command: Command


@dataclass(frozen=True, slots=True)
class InlineFile:
    """A heredoc as a source of COPY or ADD: a file of this name with this content."""

    name: str
    content: str
    expand: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(Written):
    """What COPY and ADD share."""

    sources: tuple[str, ...]
    files: tuple[InlineFile, ...] = ()
    destination: str
    chown: str = ""
    chmod: str = ""
    link: bool = False
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(Transfer):
    """`COPY`; *origin* is `--from`: a stage by name or number, an image or a named context."""

    origin: str = ""
    parents: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Transfer):
    """`ADD`; None for *keep_git_dir* and *unpack* is the default of each kind of source."""

    checksum: str = ""
    keep_git_dir: bool | None = None
    unpack: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expose(Written):
    """`EXPOSE`; the ports as written: `80`, `53/udp`, `8000-8010/tcp`."""

    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Written):
    """`VOLUME`."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Written):
    """`USER user[:group]`."""

    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Workdir(Written):
    """`WORKDIR`."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSignal(Written):
    """`STOPSIGNAL`."""

    signal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell(Written):
    """`SHELL ["program", "argument"]`: what later shell forms are given to."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck(Written):
    """`HEALTHCHECK`; *test* begins with NONE, CMD or CMD-SHELL; durations in nanoseconds, 0 inherits."""

    test: tuple[str, ...]
    interval_ns: int = 0
    timeout_ns: int = 0
    start_period_ns: int = 0
    start_interval_ns: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBuild(Written):
    """`ONBUILD`: *trigger* is the instruction for the image that builds upon this one, heredocs included."""

    trigger: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintainer(Written):
    """`MAINTAINER` (deprecated): the image's author."""

    name: str


StageInstruction = (
    Arg
    | Env
    | Label
    | Run
    | Cmd
    | Entrypoint
    | Copy
    | Add
    | Expose
    | Volume
    | User
    | Workdir
    | StopSignal
    | Shell
    | HealthCheck
    | OnBuild
    | Maintainer
)
"""What may stand in a stage, below its FROM."""

Instruction = From | StageInstruction


@dataclass(frozen=True, slots=True)
class Stage:
    """A FROM and what follows it up to the next one."""

    index: int
    base: From
    instructions: tuple[StageInstruction, ...]

    @property
    def name(self) -> str:
        """The name given with AS, in lower case, or empty."""
        return self.base.name


@dataclass(frozen=True, slots=True)
class Program:
    """A whole Dockerfile, typed: the ARGs before the first FROM, and the stages in their order."""

    global_args: tuple[Arg, ...]
    stages: tuple[Stage, ...]
    escape: str = DEFAULT_ESCAPE
