"""The conversations between havred, shim and init: one tagged struct a message, packed by msgspec."""

from typing import Literal

import msgspec

from havre.oci.runtime_spec import Resources
from havre.runtime.bundle import AttachWishes, Bundle, ExecRequest, Exit, LogTarget, Stdio


class _Message(msgspec.Struct, frozen=True, omit_defaults=True, tag=True, array_like=True, gc=False):
    pass


class _Part(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True, gc=False):
    pass


# havred → shim. `seq` numbers a request; its answer bears the same number.


class Attach(_Message, frozen=True):
    """Join the streams of the container, or of exec session *exec_id*, with the socket that comes along."""

    seq: int
    wishes: AttachWishes
    exec_id: str = ""


class Head(_Part, frozen=True):
    """What the shim itself must know of a bundle; the rest is opened by the child that starts it."""

    id: str
    run_dir: str
    stdio: Stdio
    log: LogTarget
    cgroup: str
    own_pids: bool
    joins: int
    tool: list[str] = []
    explain: bool = False


class Launch(_Message, frozen=True):
    """Start the container. *bundle* is a packed Bundle; sockets of *attachments* come along in their order."""

    head: Head
    bundle: msgspec.Raw
    attachments: list[Attach]


class Hello(_Message, frozen=True):
    """Tell the state. Answered by State."""

    seq: int


class Execute(_Message, frozen=True):
    """Start a further process: *request* is a packed ExecRequest; with *wishes* a socket comes along.

    Answered by ExecStarted or NotStarted.
    """

    seq: int
    id: str
    stdio: Stdio
    request: msgspec.Raw
    wishes: AttachWishes | None = None


class Resize(_Message, frozen=True):
    """Change the size of a terminal."""

    seq: int
    height: int
    width: int
    exec_id: str = ""


class Signal(_Message, frozen=True):
    """Send a signal to the first process, or with *whole* to each process of the container."""

    seq: int
    number: int
    whole: bool = False


class Freeze(_Message, frozen=True):
    """Stop every process of the container where it is, or let them go on."""

    seq: int
    frozen: bool


class Update(_Message, frozen=True):
    """Change the limits."""

    seq: int
    resources: Resources


class ListPids(_Message, frozen=True):
    """Answered by Pids."""

    seq: int


ToShim = Launch | Hello | Attach | Execute | Resize | Signal | Freeze | Update | ListPids

# shim → havred


class ExecState(_Part, frozen=True):
    """An exec session as the shim knows it; *code* once it has ended."""

    id: str
    pid: int
    code: int | None = None


class Started(_Message, frozen=True):
    """The user's program runs; *steps* of its birth, where that was asked for, with when each began (monotonic)."""

    pid: int
    started_ns: int
    steps: list[tuple[str, int]] = []


class NotStarted(_Message, frozen=True):
    """The user's program does not run and nothing is left. Answers Launch (*seq* 0) and Execute."""

    seq: int
    message: str
    exit_code: int
    before_runtime: bool = False


class Done(_Message, frozen=True):
    """What was asked for is done."""

    seq: int


class Refused(_Message, frozen=True):
    """What was asked for is not done. *kind* is a word of REFUSALS."""

    seq: int
    kind: str
    message: str


class Detached(_Message, frozen=True):
    """An attachment has ended; *by_keys* when its client typed the keys."""

    seq: int
    by_keys: bool = False


class ExecStarted(_Message, frozen=True):
    """The exec session's program runs."""

    seq: int
    pid: int


class Pids(_Message, frozen=True):
    """The processes of the container, as the host numbers them."""

    seq: int
    pids: list[int]


class State(_Message, frozen=True):
    """What a new havred must know of a container that it finds."""

    seq: int
    pid: int
    started_ns: int
    execs: list[ExecState]
    exit: Exit | None = None
    frozen: bool = False


class Exited(_Message, frozen=True):
    """The first process has ended; exit.json says so too."""

    exit: Exit


class ExecExited(_Message, frozen=True):
    """An exec session has ended."""

    exec_id: str
    code: int


FromShim = Started | NotStarted | Done | Refused | Detached | ExecStarted | Pids | State | Exited | ExecExited

# a worker's memory, for the next worker


class Memory(_Part, frozen=True):
    """What the worker of an idle container leaves to the next. Its descriptors are in the order of *roles*."""

    head: Head
    pid: int
    started_ns: int
    frozen: bool
    codes: list[ExecState]
    roles: list[str]


# init → its parent, and back


class Console(_Message, frozen=True):
    """The master of the process's terminal comes along."""


class Born(_Message, frozen=True):
    """The process that will be the user's program, or *runs* it; it becomes the parent's child when its maker ends."""

    pid: int
    runs: bool = False


class AwaitsHooks(_Message, frozen=True):
    """Everything is mounted: the hooks that run outside are due, and the child waits for the word."""


class Ready(_Message, frozen=True):
    """All is set up but execve(2), which waits for the word."""


class Failed(_Message, frozen=True):
    """A step did not succeed."""

    step: str
    text: str
    exit_code: int
    before_runtime: bool = False


FromInit = Console | Born | AwaitsHooks | Ready | Failed


class GoOn(_Message, frozen=True):
    """The cgroup is made and limited, and the ids are mapped."""


class Enter(_Message, frozen=True):
    """A waiting child becomes an exec session: *request* is a packed ExecRequest, *bare* as in it.

    Its three pipes come along unless it has a terminal.
    """

    request: msgspec.Raw
    bare: bool


class Bear(_Message, frozen=True):
    """A waiting child that has seen its Bundle becomes that container. *own* are its own namespaces, by type.

    Along come its root, a detached mount; its three pipes unless it has a terminal; the network namespace to join;
    and the detached sources of the mounts numbered in *sources*.
    """

    own: list[str]
    network: Literal["host", "join", "make"]
    sources: list[int]


_encoder = msgspec.msgpack.Encoder()
encode = _encoder.encode
"""The bytes of a message."""

_to_shim = msgspec.msgpack.Decoder(ToShim)
_from_shim = msgspec.msgpack.Decoder(FromShim)
_from_init = msgspec.msgpack.Decoder(FromInit)


def decode_to_shim(data: bytes) -> ToShim:
    """Raises msgspec.MsgspecError for what is no message."""
    message: ToShim = _to_shim.decode(data)
    return message


def decode_from_shim(data: bytes) -> FromShim:
    """Raises msgspec.MsgspecError for what is no message."""
    message: FromShim = _from_shim.decode(data)
    return message


def decode_from_init(data: bytes) -> FromInit:
    """Raises msgspec.MsgspecError for what is no message."""
    message: FromInit = _from_init.decode(data)
    return message


_enter = msgspec.msgpack.Decoder(Enter)
_bear = msgspec.msgpack.Decoder(Bear)
_bundle = msgspec.msgpack.Decoder(Bundle)
_exec_request = msgspec.msgpack.Decoder(ExecRequest)


def decode_enter(data: bytes) -> Enter:
    """Raises msgspec.MsgspecError for what is no message."""
    return _enter.decode(data)


def decode_bear(data: bytes) -> Bear:
    """Raises msgspec.MsgspecError for what is no message."""
    return _bear.decode(data)


def decode_bundle(data: msgspec.Raw) -> Bundle:
    """Raises msgspec.MsgspecError."""
    return _bundle.decode(data)


_memory = msgspec.msgpack.Decoder(Memory)


def decode_memory(data: bytes) -> Memory:
    """Raises msgspec.MsgspecError."""
    return _memory.decode(data)


def decode_exec_request(data: msgspec.Raw) -> ExecRequest:
    """Raises msgspec.MsgspecError."""
    return _exec_request.decode(data)
